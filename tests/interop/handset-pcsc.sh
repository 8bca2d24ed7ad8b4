#!/usr/bin/env bash
# A handset made of PyPI's pyscard and Debian's pcscd with vsmartcard-vpcd; $1 is the binary, $2 a python that has pyscard.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
log=$(mktemp)
pcscd -f >"$log" 2>&1 &
pcscd=$!
trap 'kill $pcscd 2>/dev/null && wait $pcscd || true; rm -f "$log"' EXIT
tries=100
until (exec 3<>/dev/tcp/127.0.0.1/35963) 2>/dev/null; do
    ((tries-- > 0)) || { echo "the reader's driver does not come" >&2 && cat "$log" >&2 && exit 1; }
    read -rt 0.1 <> <(:) || true
done
"$1" exec -- "$2" "$here/handset_pcsc.py"

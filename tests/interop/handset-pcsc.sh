#!/usr/bin/env bash
# A handset made of PyPI's pyscard and Debian's pcscd with vsmartcard-vpcd; $1 is the binary, $2 a python that has pyscard.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
log=$(mktemp)
. "$here/pcscd.sh"
pcscd=
trap '[ -z "$pcscd" ] || { kill $pcscd 2>/dev/null && wait $pcscd; } || true; rm -f "$log"' EXIT
start_pcscd "$log" || { cat "$log" >&2 && exit 1; }
"$1" exec -- "$2" "$here/handset_pcsc.py"

#!/usr/bin/env bash
# Runs the shell blocks of the pages on TLS and on signatures as they are printed, but for the ports; $1 is the binary.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
if [ "${2:-}" != inside ]; then
    exec "$1" exec -- "$here/pages.sh" "$1" inside
fi
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT
cd "$scratch"
port() { sed 's#.*://[^:/]*:\([0-9]*\).*#\1#' <<<"$1"; }
for page in src/docs/tls.md mssp/docs/signatures.md; do
    # All blocks of a page are one script: what one fetches, the next one uses.
    sed -n '/^```sh$/,/^```$/{/^```/d;p}' "$root/$page" |
        sed "s#127.0.0.1:8220#127.0.0.1:$(port "$MIDSIM_UI_URL")#g; s#127.0.0.1:8262#127.0.0.1:$(port "$MIDSIM_OP_MTLS_URL")#g
             s#127.0.0.1:8204#127.0.0.1:$(port "$MIDSIM_MSSP_URL")#g" >script
    [ "$(grep -c . script)" -ge 4 ] || { echo "FAILED: $page has no commands" >&2; exit 1; }
    bash -euo pipefail script >output 2>&1 || { echo "FAILED: $page" >&2; cat output >&2; exit 1; }
    cp output "output-${page##*/}"
done
grep -q 'Verification successful\|Verification: OK\|CONNECTION ESTABLISHED' output-tls.md || { cat output-tls.md >&2; exit 1; }
grep -q 'CMS Verification successful' output-signatures.md || { cat output-signatures.md >&2; exit 1; }
grep -q 'Transfer 10 € to Zoë?' output-signatures.md || { cat output-signatures.md >&2; exit 1; }
echo "pages: ok"

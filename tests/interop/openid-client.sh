#!/usr/bin/env bash
# npm's openid-client and jose against a fresh midsim; $1 is the binary. Run where the packages are installed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
rp() {
    node "$here/rp-openid-client.mjs" --issuer "$MIDSIM_OP_URL" --client-id poll --client-secret poll-secret \
        --id-token-alg ES256 "$@" | tail -n 1
}
if [ "${2:-}" = inside ]; then
    rp --login-hint +447700900002 --acr mod-mf --scope 'openid profile phone' --binding-message W4SCT --userinfo
    rp --login-hint MSISDN:447700900002 --acr '2' --scope openid
    rp --login-hint +447700900004 --acr mod-mf --expect access_denied
    rp --login-hint +15005550006 --acr mod-mf --expect unknown_user_id
    rp --login-hint +447700900002 --expect invalid_request
    rp --login-hint +447700900002 --acr mod-mf --client-secret wrong --expect invalid_client
else
    "$1" exec -- "$here/openid-client.sh" "$1" inside
fi

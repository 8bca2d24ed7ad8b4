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
    key=$here/../../fixtures/keys/client-es256-TEST-ONLY.jwk
    jwt() { node "$here/rp-openid-client.mjs" --issuer "$MIDSIM_OP_URL" --auth pkjwt --jwk "$key" --id-token-alg ES256 --acr mod-mf "$@" | tail -n 1; }
    jwt --client-id jwt --login-hint +447700900002 --scope 'openid phone' --userinfo --introspect --revoke
    jwt --client-id signed --signed --login-hint +447700900002 --scope openid --requested-expiry 60 --nonce n-0S6_WzA2Mj
    jwt --client-id signed --signed --login-hint +447700900003 --user-code 2468
    jwt --client-id signed --signed --login-hint +447700900003 --expect missing_user_code
    jwt --client-id signed --signed --login-hint +447700900003 --user-code 1357 --expect invalid_user_code
    jwt --client-id signed --login-hint +447700900002 --expect invalid_request
    jwt --client-id jwt --signed --login-hint +447700900002 --expect invalid_request
    jwt --client-id nobody --login-hint +447700900002 --expect invalid_client
    token=$(curl -fsS "$MIDSIM_DISCOVERY_URL/discover" --data-urlencode msisdn=+447700900002 | sed 's/.*"login_hint_token":"\([^"]*\)".*/\1/')
    rp --hint-type login_hint_token --login-hint "$token" --acr mod-pr --scope openid
else
    "$1" exec -- "$here/openid-client.sh" "$1" inside
fi

#!/usr/bin/env bash
# openssl and curl as judges of TLS: chains, suites, alerts, client certificates, a whole flow; $1 is the binary.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if [ "${2:-}" != inside ]; then
    exec "$1" exec --tls op,mssp -- "$here/tls.sh" "$1" inside
fi

scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT
cd "$scratch"
fail() { echo "FAILED: $*" >&2; exit 1; }

curl -sSf "$MIDSIM_UI_URL/ca.pem" -o ca.pem
openssl x509 -in ca.pem -noout -subject | grep -q 'TEST ONLY' || fail "the CA does not say TEST ONLY"

mssp=${MIDSIM_MSSP_URL%/soap}
for url in "$MIDSIM_OP_URL" "$MIDSIM_OP_MTLS_URL" "$mssp"; do
    at=${url#https://}
    # One handshake with these options of s_client; prints what openssl says of it.
    shake() { openssl s_client -connect "$at" -CAfile ca.pem -verify_return_error "$@" </dev/null 2>&1 || true; }
    shake -verify_ip 127.0.0.1 -tls1_3 | grep -q 'Verify return code: 0 (ok)' || fail "$url: chain or name"
    for suite in TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384; do
        shake -tls1_3 -ciphersuites $suite | grep -q "TLSv1.3, Cipher is $suite" || fail "$url: no $suite"
    done
    # Every TLS 1.2 suite that this openssl knows: two are spoken, each other one meets handshake_failure (40).
    spoken=
    for suite in $(openssl ciphers -tls1_2 -s 'ALL:@SECLEVEL=0' | tr : ' '); do
        said=$(shake -tls1_2 -cipher "$suite:@SECLEVEL=0")
        if grep -q "TLSv1.2, Cipher is $suite" <<<"$said"; then
            spoken="$spoken $suite"
        else
            grep -q 'SSL alert number 40' <<<"$said" || fail "$url: $suite is refused without handshake_failure"
        fi
    done
    [ "$(tr ' ' '\n' <<<"$spoken" | sort | xargs)" = 'ECDHE-RSA-AES128-GCM-SHA256 ECDHE-RSA-AES256-GCM-SHA384' ] ||
        fail "$url speaks$spoken"
    for old in -tls1 -tls1_1; do
        shake $old -cipher 'ALL:@SECLEVEL=0' | grep -qE 'SSL alert number (40|70)' || fail "$url: $old is not refused"
    done
done

# The OP asks for certificates on its port for mutual TLS only; a self-signed one passes there, one without its key does not.
asked() { openssl s_client -connect "${1#https://}" -CAfile ca.pem </dev/null 2>&1 | grep -c '^Requested Signature Algorithms' || true; }
[ "$(asked "$MIDSIM_OP_URL")" = 0 ] || fail "the OP asks every client for a certificate"
[ "$(asked "$MIDSIM_OP_MTLS_URL")" = 1 ] || fail "the port for mutual TLS asks for none"
openssl req -x509 -newkey rsa:2048 -nodes -keyout self.key -out self.pem -subj /CN=rp -days 1 2>/dev/null
curl -sSf --cacert ca.pem --cert self.pem --key self.key "$MIDSIM_OP_MTLS_URL/jwks" | grep -q '"kty":"EC"' ||
    fail "a self-signed certificate does not pass"
curl -sSf --cacert ca.pem "$MIDSIM_OP_MTLS_URL/jwks" >/dev/null || fail "no certificate does not pass"
if curl -sSf --cacert ca.pem "${MIDSIM_OP_URL/127.0.0.1/127.0.0.2}/jwks" 2>/dev/null; then
    fail "the certificate is good for an address that is not in it"
fi

# A flow: RP to OP, OP to MSSP and back, each over TLS.
op() { curl -sS --cacert ca.pem -u poll:poll-secret "$@"; }
op "$MIDSIM_OP_URL/bc-authorize" -d scope=openid -d acr_values=mod-mf --data-urlencode login_hint=+447700900002 >request.json
id=$(grep -o '"auth_req_id":"[^"]*' request.json | cut -d'"' -f4)
for _ in 1 2 3 4 5 6; do
    op "$MIDSIM_OP_URL/token" -d grant_type=urn:openid:params:grant-type:ciba -d "auth_req_id=$id" >token.json
    grep -q authorization_pending token.json || break
    sleep 5
done
grep -q '"id_token"' token.json || fail "no tokens: $(cat token.json)"
echo "tls: ok"

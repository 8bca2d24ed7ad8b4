#!/usr/bin/env bash
# Signatures of MSS_Signature, verified by openssl: SignedData by the card's P-256 key, by an RSA key at the MSSP and by the
# MSSP itself, and PKCS #1; what the state of a certificate makes of them. $1 is the binary.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if [ "${2:-}" != inside ]; then
    world=$(mktemp)
    trap 'rm "$world"' EXIT
    cp "$here/../../fixtures/world.toml" "$world"
    cat >>"$world" <<'AP'

[[mssp.ap]]
id = "http://pki.test/ap"
password = "pki"
mac_result = "server-signed"
AP
    "$1" exec --world "$world" -- "$here/signatures.sh" "$1" inside
    exit
fi

scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT
cd "$scratch"
fail() { echo "FAILED: $*" >&2; exit 1; }
curl -sSf "$MIDSIM_UI_URL/ca.pem" -o ca.pem

text='Transfer 10 € to Zoë? W4SCT'
printf %s "$text" >text
gsma=http://uri.gsma.com/mobileconnect
mss=http://uri.etsi.org/TS102204/v1.1.2#
number=0
# sign MSISDN PROFILE FORMAT [AP_ID AP_PWD]: the answer of a synch MSS_Signature is in answer.xml.
sign() {
    number=$((number + 1))
    local format=
    [ -z "$3" ] || format="<m:MSS_Format><m:mssURI>$3</m:mssURI></m:MSS_Format>"
    curl -sS "$MIDSIM_MSSP_URL" -H 'Content-Type: application/soap+xml; charset=utf-8' -o answer.xml -d @- <<XML
<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" xmlns:m="$mss"><e:Body><MSS_Signature>
<m:MSS_SignatureReq MajorVersion="1" MinorVersion="1" MessagingMode="synch" TimeOut="60">
<m:AP_Info AP_ID="${4:-http://midsim.test/ap}" AP_TransID="S$number" AP_PWD="${5:-midsim-ap}" Instant="2026-11-26T12:00:00Z"/>
<m:MSSP_Info><m:MSSP_ID/></m:MSSP_Info><m:MobileUser><m:MSISDN>$1</m:MSISDN></m:MobileUser>
<m:DataToBeSigned MimeType="${mime:-text/plain}" Encoding="${encoding:-UTF-8}">${data:-$text}</m:DataToBeSigned>
<m:SignatureProfile><m:mssURI>$2</m:mssURI></m:SignatureProfile>$format
</m:MSS_SignatureReq></MSS_Signature></e:Body></e:Envelope>
XML
}
status() { sed -n 's/.*StatusCode Value="\([0-9]*\)".*/\1/p' answer.xml; }
fault() { sed -n 's/.*<env:Subcode><env:Value>[a-z]*:_\([0-9]*\)<.*/\1/p' answer.xml; }
element() { sed -n "s/.*<[a-z]*:$1>\([^<]*\)<.*/\1/p" answer.xml | base64 -d; }
expect() { [ "$(status)" = "$1" ] || fail "$2: status $(status), fault $(fault), expected $1"; }
verify() {
    element Base64Signature >message.der
    openssl cms -verify -binary -inform DER -in message.der -CAfile ca.pem -purpose any -out content -signer signer.pem \
        2>verified || fail "$1: $(cat verified)"
    cmp -s content text || fail "$1: the content is not the text"
    openssl x509 -in signer.pem -noout -text | grep -q "$2" || fail "$1: no $2 key"
    openssl x509 -in signer.pem -noout -subject | grep -q 'TEST ONLY' || fail "$1: the certificate does not say TEST ONLY"
}

for who in +447700900002 41700092501; do
    sign $who $gsma/LoA4 "${mss}PKCS7"
    expect 502 "the card's key of $who"
    verify "the card's key of $who" 'NIST CURVE: P-256'
    openssl x509 -in signer.pem -noout -subject | grep -qE 'serialNumber = [a-z0-9]{16}(,|$)' || fail "serialNumber is not of 16 characters"
done
# FiCom and Swisscom validate when they are asked to; this MSSP speaks neither dialect, so it always does.
sign 41700092502 http://mid.swisscom.ch/Any-LoA4 ''
expect 502 "RSA"
verify "RSA" 'Public-Key: (2048 bit)'
sign +447700900002 $gsma/LoA3 '' http://pki.test/ap pki
expect 502 "signed by the MSSP"
verify "signed by the MSSP" 'NIST CURVE: P-256'
sign +447700900002 $gsma/LoA3 "${mss}PKCS7"
expect 502 "the MAC"
[ "$(element Base64Signature | wc -c)" = 8 ] || fail "the MAC has not 8 octets"

# A digest of what only the AP has: openssl has the content from a file of its own.
mime=application/x-sha256 encoding=base64 data=$(openssl dgst -sha256 -binary text | base64)
sign +447700900002 $gsma/LoA4 "${mss}PKCS7"
mime='' encoding='' data=''
expect 502 "a digest"
element Base64Signature >message.der
openssl cms -verify -binary -inform DER -in message.der -content text -CAfile ca.pem -purpose any -out content 2>verified ||
    fail "a digest: $(cat verified)"
if openssl cms -verify -binary -inform DER -in message.der -CAfile ca.pem -purpose any -out content 2>/dev/null; then
    fail "a digest: the content is in the message"
fi

fi=http://mss.ficom.fi/TS102204/v1.0.0#PKCS1
for who in 41700092501 41700092502; do
    sign $who http://mss.ficom.fi/TS102206/v1.0.0/signature-profile.xml $fi
    expect 502 "fi:PKCS1 of $who"
    element SignatureValue >value
    element X509Certificate | openssl x509 -inform DER -pubkey -noout >key.pem
    openssl dgst -sha256 -verify key.pem -signature value text >/dev/null || fail "fi:PKCS1 of $who does not verify"
done

state() {
    curl -sSf "$MIDSIM_UI_URL/api/v1/sims/+447700900002" -H 'Content-Type: application/json' -d "{\"certificate\":\"$1\"}" >/dev/null
    sign +447700900002 $gsma/LoA4 ''
}
for want in revoked=501 expired=503 test=505 valid=502; do
    state "${want%=*}"
    expect "${want#*=}" "certificate ${want%=*}"
done
for want in no-key=404 no-certificate=422 crl-missing=423 crl-expired=424 crl-damaged=425; do
    state "${want%=*}"
    [ "$(fault)" = "${want#*=}" ] || fail "certificate ${want%=*}: $(status) $(fault), expected fault ${want#*=}"
done
# A certificate that openssl finds expired is one that the MSSP has called invalid.
state expired
element Base64Signature >message.der
if openssl cms -verify -inform DER -in message.der -CAfile ca.pem -purpose any -out /dev/null 2>why; then
    fail "openssl takes an expired certificate"
fi
grep -q 'certificate has expired' why || fail "$(cat why)"
echo "signatures: ok"

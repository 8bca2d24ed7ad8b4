//! Crate picky as the other end of op-bridge's JOSE: it opens what our discovery service encrypts and verifies what it signs, and
//! makes login_hint_tokens that the OP must take. picky has no CBC-HS and no PS256; npm's jose judges that.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use op_bridge::discovery::Discovery;
use op_bridge::{
    Algorithm, Client, Config, DecryptionKey, DeliveryMode, HintIssuer, Input, Jwk, JwkSet, KeySet,
    Msisdn, Op, Output, RequestId, Secret, Signer, Subscriber, View,
};
use picky::jose::jwe::{Jwe, JweAlg, JweEnc};
use picky::jose::jwk;
use picky::jose::jws::{Jws, JwsAlg};
use picky::key::{EcCurve, PrivateKey, PublicKey};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

const ISSUER: &str = "http://127.0.0.1:8260";
const DISCOVERY: &str = "http://127.0.0.1:8261";
const FOREIGN: &str = "https://discovery.example";
const NUMBER: &str = "+447700900002";
const RSA_PEM: &str = include_str!("../../../../fixtures/keys/op-encryption-rsa-TEST-ONLY.pem");
const ALGS: [(&str, JweAlg); 4] = [
    ("RSA-OAEP-256", JweAlg::RsaOaep256),
    ("ECDH-ES", JweAlg::EcdhEs),
    ("ECDH-ES+A128KW", JweAlg::EcdhEsAesKeyWrap128),
    ("ECDH-ES+A256KW", JweAlg::EcdhEsAesKeyWrap256),
];
const ENCS: [(&str, JweEnc); 2] = [
    ("A128GCM", JweEnc::Aes128Gcm),
    ("A256GCM", JweEnc::Aes256Gcm),
];

fn main() {
    let (pem, secret) = p256_key();
    let rsa = PrivateKey::from_pem_str(RSA_PEM).unwrap();
    let ec = PrivateKey::from_pem_str(&pem).unwrap();
    let keys = vec![
        DecryptionKey::p256(&secret).unwrap(),
        DecryptionKey::rsa_pem(RSA_PEM).unwrap(),
    ];
    let mut checks = ours_to_picky(&keys, &rsa, &ec);
    checks += picky_to_ours(keys, &rsa, &ec);
    println!("PASS: {checks} checks with picky");
}

/// Tokens of our discovery service, opened and verified by picky.
fn ours_to_picky(keys: &[DecryptionKey], rsa: &PrivateKey, ec: &PrivateKey) -> u32 {
    let signer = Arc::new(Es256::new());
    let verifying = public_key(&signer.public_jwk());
    let service = Discovery {
        issuer: DISCOVERY.into(),
        op: ISSUER.into(),
        op_keys: JwkSet(keys.iter().map(DecryptionKey::public).collect()),
        signer,
    };
    let mut rng = ChaCha20Rng::from_seed([7; 32]);
    let mut checks = 0;
    for (alg, _) in ALGS {
        for (enc, _) in ENCS {
            let form = format!(
                "msisdn=%2B{}&alg={}&enc={enc}",
                &NUMBER[1..],
                alg.replace('+', "%2B")
            );
            let request = form_request("/discover", form);
            let response = service.answer(&request, now(), &mut rng);
            let body: Value = serde_json::from_slice(response.body()).unwrap();
            let token = body["login_hint_token"].as_str().unwrap();
            let key = if alg.starts_with("RSA") { rsa } else { ec };
            let opened = Jwe::decode(token, key).unwrap_or_else(|why| panic!("{alg} {enc}: {why}"));
            let inner = String::from_utf8(opened.payload).unwrap();
            let verified = Jws::decode(&inner, &verifying).unwrap();
            let claims: Value = serde_json::from_slice(&verified.payload).unwrap();
            assert_eq!(claims["MSISDN"], NUMBER, "{alg} {enc}");
            checks += 1;
        }
    }
    checks
}

/// Tokens made by picky, at our OP.
fn picky_to_ours(keys: Vec<DecryptionKey>, rsa: &PrivateKey, ec: &PrivateKey) -> u32 {
    let signing = PrivateKey::generate_ec(EcCurve::NistP256).unwrap();
    let rsa_signing = PrivateKey::generate_rsa(2048).unwrap();
    let jwks = [&signing, &rsa_signing].map(|key| {
        let key = jwk::Jwk::from_public_key(&key.to_public_key().unwrap()).unwrap();
        Jwk::parse(&serde_json::from_str(&key.to_json().unwrap()).unwrap()).unwrap()
    });
    let signer: Arc<dyn Signer> = Arc::new(Es256::new());
    let own_keys = Arc::new(Arc::new(KeySet::of(signer)));
    let mut config = Config::new(
        ISSUER,
        "http://127.0.0.1:1/",
        own_keys,
        Secret::new("TEST ONLY"),
    );
    config.clients = vec![Client::new("poll", "poll-secret", DeliveryMode::Poll)];
    config.subscribers = Arc::new(|_: &Msisdn| Some(Subscriber::default()));
    config.decryption = keys;
    config.hints.issuers = vec![HintIssuer {
        issuer: FOREIGN.into(),
        jwks: JwkSet(jwks.into()),
    jwks_uri: None,
    }];
    let op = Op::new(config).unwrap();
    let claims = json!({
        "iss": FOREIGN, "aud": ISSUER, "iat": now().as_second(), "MSISDN": NUMBER,
    });
    let mut checks = 0;
    for (sign, key) in [(JwsAlg::ES256, &signing), (JwsAlg::RS256, &rsa_signing)] {
        let inner = Jws::new(sign, claims.to_string().into_bytes())
            .encode(key)
            .unwrap();
        for (alg_name, alg) in ALGS {
            for (enc_name, enc) in ENCS {
                let to = if alg == JweAlg::RsaOaep256 { rsa } else { ec };
                let to = to.to_public_key().unwrap();
                let token = Jwe::new(alg, enc, inner.clone().into_bytes())
                    .encode(&to)
                    .unwrap();
                let (status, body) = authorize(&op, &token);
                assert_eq!(status, 200, "{sign:?} {alg_name} {enc_name}: {body}");
                checks += 1;
            }
        }
    }
    let stranger = PrivateKey::generate_ec(EcCurve::NistP256).unwrap();
    let forged = Jws::new(JwsAlg::ES256, claims.to_string().into_bytes())
        .encode(&stranger)
        .unwrap();
    let to = ec.to_public_key().unwrap();
    let token = Jwe::new(JweAlg::EcdhEs, JweEnc::Aes128Gcm, forged.into_bytes())
        .encode(&to)
        .unwrap();
    assert_eq!(authorize(&op, &token).0, 400, "a token of a stranger");
    checks + 1
}

fn authorize(op: &Op, token: &str) -> (u16, String) {
    let form = format!("scope=openid&acr_values=mod-mf&login_hint_token={token}");
    let mut request = form_request("/bc-authorize", form);
    let basic = "Basic cG9sbDpwb2xsLXNlY3JldA==".parse().unwrap();
    request.headers_mut().insert("authorization", basic);
    let id = RequestId(1);
    let request = request.into();
    let mut rng = ChaCha20Rng::from_seed([9; 32]);
    let step = op.step(&Nothing, Input::Http { id, request }, now(), &mut rng);
    let reply = step.outputs.into_iter().find_map(|output| match output {
        Output::Reply { response, .. } => Some(response),
        _ => None,
    });
    let response = reply.expect("a reply");
    let body = String::from_utf8_lossy(response.body()).into_owned();
    (response.status().as_u16(), body)
}

fn form_request(path: &str, form: String) -> http::Request<Bytes> {
    http::Request::post(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from(form))
        .unwrap()
}

fn now() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

/// A store in which there is nothing.
struct Nothing;

impl View for Nothing {
    fn get(&self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn scan(&self, _: &str) -> Vec<(String, Vec<u8>)> {
        Vec::new()
    }
}

/// A P-256 key as PKCS#8 PEM and its 32 octets.
fn p256_key() -> (String, Vec<u8>) {
    let key = PrivateKey::generate_ec(EcCurve::NistP256).unwrap();
    let pem = key.to_pem_str().unwrap();
    let der = key.to_pkcs8().unwrap();
    // RFC 5915: ECPrivateKey begins with version 1, then an OCTET STRING of 32.
    let at = der
        .windows(5)
        .position(|window| window == [2, 1, 1, 4, 32])
        .unwrap()
        + 5;
    (pem, der[at..at + 32].to_vec())
}

fn public_key(value: &Value) -> PublicKey {
    let key = jwk::Jwk::from_json(&value.to_string()).unwrap();
    key.to_public_key().unwrap()
}

struct Es256(EcdsaKeyPair);

impl Es256 {
    fn new() -> Self {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self(EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap())
    }
}

impl Signer for Es256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Es256
    }

    fn kid(&self) -> &str {
        "judge"
    }

    fn public_jwk(&self) -> Value {
        let point = self.0.public_key().as_ref();
        let key = op_bridge::PublicKey::P256(Box::new(point.try_into().unwrap()));
        Jwk {
            kid: None,
            usage: None,
            alg: None,
            key,
        }
        .to_value()
    }

    fn sign(&self, input: &[u8]) -> Vec<u8> {
        self.0
            .sign(&SystemRandom::new(), input)
            .unwrap()
            .as_ref()
            .to_vec()
    }
}

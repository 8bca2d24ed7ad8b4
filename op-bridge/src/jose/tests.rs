//! Tokens that must verify, and every kind that must not.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::jwk::{Jwk, JwkSet};
use super::jws::{Jws, JwsAlg, Keys};
use super::{JoseError, base64url, decode, sign};
use crate::Signer;
use crate::testing::TestSigner;

pub(crate) fn rfc() -> Value {
    serde_json::from_str(include_str!("../../../fixtures/jose/rfc.json")).unwrap()
}

const ASYMMETRIC: [JwsAlg; 3] = [JwsAlg::Es256, JwsAlg::Ps256, JwsAlg::Rs256];

fn set(key: &Value) -> JwkSet {
    JwkSet(vec![Jwk::parse(key).unwrap()])
}

/// A token with this header, signed by `signer` all the same.
fn with_header(signer: &TestSigner, header: &Value) -> String {
    with_raw_header(signer, &header.to_string())
}

fn with_raw_header(signer: &TestSigner, header: &str) -> String {
    let input = format!("{}.{}", base64url(header), base64url("{}"));
    let signature = signer.sign(input.as_bytes());
    format!("{input}.{}", base64url(signature))
}

fn verify(token: &str, signer: &TestSigner) -> Result<JwsAlg, JoseError> {
    let keys = set(&signer.public_jwk());
    Jws::parse(token)?.verify(&ASYMMETRIC, Keys::Public(&keys))
}

#[test]
fn jws_of_the_rfcs_verify_and_no_bit_may_change() {
    let rfc = rfc();
    for case in rfc["jws"].as_array().unwrap() {
        let source = case["source"].as_str().unwrap();
        let token = case["token"].as_str().unwrap();
        let alg = JwsAlg::named(case["alg"].as_str().unwrap()).unwrap();
        let secret = case["secret"].as_str().map(|text| decode(text).unwrap());
        let keys = case.get("key").map(set).unwrap_or_default();
        let keys = secret.as_deref().map_or(Keys::Public(&keys), Keys::Secret);
        let read = Jws::parse(token).unwrap();
        assert_eq!(read.verify(&[alg], keys), Ok(alg), "{source}");

        let (input, signature) = token.rsplit_once('.').unwrap();
        let mut octets = decode(signature).unwrap();
        octets[5] ^= 1;
        let altered = format!("{input}.{}", base64url(octets));
        let read = Jws::parse(&altered).unwrap();
        assert_eq!(
            read.verify(&[alg], keys),
            Err(JoseError::Signature),
            "{source}"
        );
    }
}

#[test]
fn jws_alg_none_is_refused() {
    let rfc = rfc();
    let token = rfc["unsecured"]["token"].as_str().unwrap();
    let error = Jws::parse(token)
        .unwrap()
        .verify(&ASYMMETRIC, Keys::Public(&JwkSet::default()));
    assert!(matches!(error, Err(JoseError::Alg { got, .. }) if got == "none"));
    for alg in [
        "none", "None", "NONE", "nOnE", "", "ES256 ", "ES512", "EdDSA",
    ] {
        let token = with_header(&TestSigner::new(), &json!({"alg": alg}));
        assert!(
            matches!(
                verify(&token, &TestSigner::new()),
                Err(JoseError::Alg { .. })
            ),
            "{alg}"
        );
    }
}

#[test]
fn jws_hmac_with_the_public_key_as_secret_is_refused() {
    let signer = TestSigner::new();
    let jwk = signer.public_jwk();
    let secrets = [jwk.to_string().into_bytes(), {
        let part = |name: &str| decode(jwk[name].as_str().unwrap()).unwrap();
        [vec![4], part("x"), part("y")].concat()
    }];
    for secret in secrets {
        let input = format!("{}.{}", base64url(r#"{"alg":"HS256"}"#), base64url("{}"));
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &secret);
        let token = format!(
            "{input}.{}",
            base64url(ring::hmac::sign(&key, input.as_bytes()))
        );
        assert!(matches!(
            verify(&token, &signer),
            Err(JoseError::Alg { .. })
        ));
        // Even a configuration that allows it by mistake takes no public key for a secret.
        let keys = set(&jwk);
        let read = Jws::parse(&token).unwrap();
        assert_eq!(
            read.verify(&JwsAlg::ALL, Keys::Public(&keys)),
            Err(JoseError::Signature)
        );
    }
}

#[test]
fn jws_alg_that_does_not_fit_the_key_is_refused() {
    let signer = TestSigner::new();
    for alg in ["PS256", "RS256"] {
        let token = with_header(&signer, &json!({"alg": alg}));
        assert!(
            matches!(verify(&token, &signer), Err(JoseError::NoKey { .. })),
            "{alg}"
        );
    }
    // Registered for another algorithm, or for encryption.
    let token = with_header(&signer, &json!({"alg": "ES256"}));
    for (member, value) in [("alg", "ES384"), ("use", "enc")] {
        let mut key = signer.public_jwk();
        key[member] = json!(value);
        let keys = set(&key);
        let read = Jws::parse(&token).unwrap();
        assert!(
            matches!(
                read.verify(&ASYMMETRIC, Keys::Public(&keys)),
                Err(JoseError::NoKey { .. })
            ),
            "{member}"
        );
    }
}

#[test]
fn jws_alg_outside_the_configured_list_is_refused() {
    let signer = TestSigner::new();
    let token = with_header(&signer, &json!({"alg": "ES256"}));
    let keys = set(&signer.public_jwk());
    let error = Jws::parse(&token)
        .unwrap()
        .verify(&[JwsAlg::Ps256], Keys::Public(&keys))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "alg or enc ES256 is not allowed here; use PS256"
    );
}

#[test]
fn jws_keys_in_the_header_are_refused() {
    let signer = TestSigner::new();
    for (member, value) in [
        ("jwk", signer.public_jwk()),
        ("jku", json!("https://evil.example/jwks")),
        ("x5u", json!("https://evil.example/cert")),
        ("x5c", json!(["MIIB"])),
    ] {
        let token = with_header(&signer, &json!({"alg": "ES256", member: value}));
        assert!(
            matches!(verify(&token, &signer), Err(JoseError::Header(name, _)) if name == member),
            "{member}"
        );
    }
}

#[test]
fn jws_crit_and_b64_are_refused() {
    let signer = TestSigner::new();
    for header in [
        json!({"alg": "ES256", "crit": ["exp"], "exp": 1}),
        json!({"alg": "ES256", "crit": []}),
        json!({"alg": "ES256", "crit": ["b64"], "b64": false}),
        json!({"alg": "ES256", "b64": false}),
        json!({"alg": "ES256", "b64": true}),
    ] {
        let token = with_header(&signer, &header);
        assert!(
            matches!(verify(&token, &signer), Err(JoseError::Header(..))),
            "{header}"
        );
    }
}

#[test]
fn jws_duplicate_header_members_are_refused() {
    let signer = TestSigner::new();
    let token = with_raw_header(&signer, r#"{"alg":"ES256","alg":"none"}"#);
    assert!(matches!(
        verify(&token, &signer),
        Err(JoseError::Json("header", _))
    ));
}

#[test]
fn jws_kid_selects_the_key_and_nothing_else() {
    let signer = TestSigner::new();
    let mut key = signer.public_jwk();
    key["kid"] = json!("one");
    let keys = set(&key);
    for (kid, good) in [("one", true), ("two", false), ("../../one", false)] {
        let token = with_header(&signer, &json!({"alg": "ES256", "kid": kid}));
        let read = Jws::parse(&token).unwrap();
        assert_eq!(
            read.verify(&ASYMMETRIC, Keys::Public(&keys)).is_ok(),
            good,
            "{kid}"
        );
    }
    let token = with_header(&signer, &json!({"alg": "ES256", "kid": 7}));
    assert!(matches!(
        verify(&token, &signer),
        Err(JoseError::Header("kid", _))
    ));
}

#[test]
fn jws_signed_with_another_key_is_refused() {
    let token = sign(&TestSigner::new(), b"{}");
    let read = Jws::parse(&token).unwrap();
    let stranger = set(&TestSigner::new().public_jwk());
    // The kid names the signer's key; without it the signature itself must fail.
    assert!(matches!(
        read.verify(&ASYMMETRIC, Keys::Public(&stranger)),
        Err(JoseError::NoKey { .. })
    ));
    let token = with_header(&TestSigner::new(), &json!({"alg": "ES256"}));
    assert_eq!(
        verify(&token, &TestSigner::new()),
        Err(JoseError::Signature)
    );
}

#[test]
fn jws_of_another_shape_is_refused() {
    let signer = TestSigner::new();
    let good = with_header(&signer, &json!({"alg": "ES256"}));
    assert_eq!(verify(&good, &signer), Ok(JwsAlg::Es256));
    for bad in [
        String::new(),
        ".".into(),
        "..".into(),
        format!("{good}."),
        format!("{good}="),
        format!(" {good}"),
        format!("{good}\n"),
        good.replace('.', ".."),
        good.replacen('.', "+.", 1),
        good[..good.len() - 1].to_owned(),
        json!({"payload": "e30", "signatures": []}).to_string(),
    ] {
        assert!(verify(&bad, &signer).is_err(), "{bad}");
    }
    let long = format!("{}.e30.AA", "A".repeat(20_000));
    assert!(matches!(
        verify(&long, &signer),
        Err(JoseError::TooLong { .. })
    ));
}

#[test]
fn jws_es256_signature_in_der_is_refused() {
    // RFC 7518 §3.4 wants R || S, 64 octets.
    let signer = TestSigner::new();
    let good = with_header(&signer, &json!({"alg": "ES256"}));
    let (input, signature) = good.rsplit_once('.').unwrap();
    let raw = decode(signature).unwrap();
    let der = [
        &[0x30, 0x44, 0x02, 0x20][..],
        &raw[..32],
        &[0x02, 0x20],
        &raw[32..],
    ]
    .concat();
    for octets in [der, vec![0; 64], Vec::new(), raw[..63].to_vec()] {
        let token = format!("{input}.{}", base64url(octets));
        assert_eq!(verify(&token, &signer), Err(JoseError::Signature));
    }
}

proptest! {
    #[test]
    fn jws_parse_never_panics(token in "[A-Za-z0-9_.=-]{0,200}") {
        let _ = verify(&token, &TestSigner::new());
    }

    #[test]
    fn jws_flipped_bits_never_verify(position in 0usize..10_000, bit in 0u8..7) {
        let signer = TestSigner::new();
        let mut token = sign(&signer, br#"{"iss":"someone","exp":1}"#).into_bytes();
        let position = position % token.len();
        token[position] ^= 1 << bit;
        if let Ok(token) = String::from_utf8(token) {
            prop_assert!(verify(&token, &signer).is_err());
        }
    }
}

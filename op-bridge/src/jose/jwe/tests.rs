//! Tokens that must open, and every kind that must not.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::jose::tests::rfc;
use crate::testing::TestRng;

const RSA_PEM: &str = include_str!("../../../../fixtures/keys/op-encryption-rsa-TEST-ONLY.pem");

fn p256_key(octet: u8) -> DecryptionKey {
    DecryptionKey::p256(&[octet; 32]).unwrap()
}

fn rsa_key() -> DecryptionKey {
    DecryptionKey::rsa_pem(RSA_PEM).unwrap()
}

fn keys() -> Vec<DecryptionKey> {
    vec![rsa_key(), p256_key(1)]
}

fn open(token: &str) -> Result<Vec<u8>, JoseError> {
    decrypt(token, &keys(), &Allowed::default()).map(|opened| opened.plaintext.to_vec())
}

fn sealed(alg: KeyManagement, enc: ContentEncryption) -> String {
    let to = if alg == KeyManagement::RsaOaep256 {
        rsa_key().public()
    } else {
        p256_key(1).public()
    };
    encrypt(
        b"+447700900001",
        &to,
        alg,
        enc,
        Some("JWT"),
        &mut TestRng(7),
    )
    .unwrap()
}

/// The token with its header changed; nothing that follows can then be right.
fn with_header(token: &str, change: impl FnOnce(&mut Value)) -> String {
    let (header, rest) = token.split_once('.').unwrap();
    let mut header: Value = serde_json::from_slice(&decode(header).unwrap()).unwrap();
    change(&mut header);
    format!("{}.{rest}", base64url(header.to_string()))
}

#[test]
fn jwe_of_rfc_7520_opens() {
    for case in rfc()["jwe"].as_array().unwrap() {
        let mut key = DecryptionKey::p256(&decode(case["d"].as_str().unwrap()).unwrap()).unwrap();
        key.kid = case["kid"].as_str().unwrap().into();
        let opened = decrypt(case["token"].as_str().unwrap(), &[key], &Allowed::default()).unwrap();
        let begins = case["begins"].as_str().unwrap();
        assert!(
            opened.plaintext.starts_with(begins.as_bytes()),
            "{}",
            case["source"]
        );
    }
}

#[test]
fn key_wrap_and_content_encryption_are_those_of_the_rfcs() {
    for case in rfc()["key_wrap"].as_array().unwrap() {
        let part = |text: &str| decode(text).unwrap();
        let under = part(case["under"].as_str().unwrap());
        let parts: Vec<&str> = case["token"].as_str().unwrap().split('.').collect();
        let key = wrap::unwrap(&under, &part(parts[1])).unwrap();
        assert_eq!(wrap::wrap(&under, &key).unwrap(), part(parts[1]));
        let enc = ContentEncryption::named(case["enc"].as_str().unwrap()).unwrap();
        let (iv, tag) = (part(parts[2]), part(parts[4]));
        let aad = parts[0].as_bytes();
        let plaintext = enc.open(&key, &iv, aad, &part(parts[3]), &tag).unwrap();
        assert!(plaintext.starts_with(case["begins"].as_str().unwrap().as_bytes()));
        assert_eq!(
            enc.seal(&key, &iv, aad, &plaintext),
            Some((part(parts[3]), tag)),
            "{}",
            case["source"]
        );
    }
}

#[test]
fn cbc_with_hmac_is_that_of_rfc_7518_appendix_b() {
    let rfc = rfc();
    let data = &rfc["cbc_hmac"];
    let text = |name: &str| data[name].as_str().unwrap().as_bytes();
    let iv = hex::decode(text("iv")).unwrap();
    for case in data["cases"].as_array().unwrap() {
        let enc = ContentEncryption::named(case["enc"].as_str().unwrap()).unwrap();
        let key: Vec<u8> = (0..enc.key_length() as u8).collect();
        let (_, tag) = enc.seal(&key, &iv, text("aad"), text("plaintext")).unwrap();
        assert_eq!(
            hex::encode(tag),
            case["tag"].as_str().unwrap(),
            "{}",
            case["source"]
        );
    }
}

#[test]
fn key_agreement_is_that_of_rfc_7518_appendix_c() {
    let rfc = rfc();
    let text = |name: &str| rfc["agreement"][name].as_str().unwrap();
    let alice = SecretKey::from_slice(&decode(text("alice")).unwrap()).unwrap();
    let bob = SecretKey::from_slice(&decode(text("bob")).unwrap()).unwrap();
    let shared = alice.diffie_hellman(&bob.public_key());
    let derived = agreed_key(
        shared.raw_secret_bytes(),
        KeyManagement::EcdhEs,
        ContentEncryption::named(text("enc")).unwrap(),
        text("apu").as_bytes(),
        text("apv").as_bytes(),
    );
    assert_eq!(base64url(&*derived), text("derived"));
}

#[test]
fn jwe_of_every_alg_and_enc_opens_and_no_part_may_change() {
    for alg in KeyManagement::ALL {
        for enc in ContentEncryption::ALL {
            let token = sealed(alg, enc);
            assert_eq!(open(&token).unwrap(), b"+447700900001", "{alg:?} {enc:?}");
            for index in 0..5 {
                let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
                let mut octets = decode(&parts[index]).unwrap();
                match octets.last_mut() {
                    Some(octet) => *octet ^= 1,
                    None => octets.push(1),
                }
                parts[index] = base64url(octets);
                assert!(
                    open(&parts.join(".")).is_err(),
                    "{alg:?} {enc:?} part {index}"
                );
            }
        }
    }
}

#[test]
fn jwe_for_another_key_is_refused() {
    let to = p256_key(2).public();
    let (alg, enc) = (KeyManagement::EcdhEs, ContentEncryption::A128Gcm);
    let token = encrypt(b"x", &to, alg, enc, None, &mut TestRng(7)).unwrap();
    assert!(matches!(open(&token), Err(JoseError::NoKey { .. })));
    let unnamed = Jwk { kid: None, ..to };
    let token = encrypt(b"x", &unnamed, alg, enc, None, &mut TestRng(7)).unwrap();
    assert_eq!(open(&token), Err(JoseError::Decryption));
}

#[test]
fn jwe_zip_and_p2c_bombs_are_refused_before_any_work() {
    for (name, value) in [
        ("zip", json!("DEF")),
        ("p2c", json!(2_000_000_000)),
        ("p2s", json!("AAAA")),
        ("crit", json!(["zip"])),
        ("jwk", json!({})),
        ("jku", json!("https://evil.example")),
    ] {
        let token = sealed(KeyManagement::EcdhEs, ContentEncryption::A128Gcm);
        let token = with_header(&token, |header| header[name] = value);
        assert!(
            matches!(open(&token), Err(JoseError::Header(member, _)) if member == name),
            "{name}"
        );
    }
    let token = with_header(
        &sealed(KeyManagement::EcdhEs, ContentEncryption::A128Gcm),
        |header| {
            header["alg"] = json!("PBES2-HS256+A128KW");
        },
    );
    assert!(matches!(open(&token), Err(JoseError::Alg { .. })));
}

#[test]
fn jwe_invalid_curve_points_are_refused() {
    let points = [
        json!({"kty": "EC", "crv": "P-256", "x": base64url([0; 32]), "y": base64url([0; 32])}),
        json!({"kty": "EC", "crv": "P-256", "x": base64url([1; 32]), "y": base64url([2; 32])}),
        json!({"kty": "EC", "crv": "P-256", "x": base64url([0xff; 32]), "y": base64url([0xff; 32])}),
        json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}),
        json!({"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"}),
        json!({"kty": "OKP", "crv": "X25519", "x": base64url([0; 32])}),
        json!("point"),
    ];
    for point in points {
        let token = sealed(KeyManagement::EcdhEsA128Kw, ContentEncryption::A128Gcm);
        let token = with_header(&token, |header| header["epk"] = point.clone());
        assert!(matches!(open(&token), Err(JoseError::Epk(_))), "{point}");
    }
    let token = sealed(KeyManagement::EcdhEs, ContentEncryption::A128Gcm);
    let token = with_header(&token, |header| {
        header.as_object_mut().unwrap().remove("epk");
    });
    assert_eq!(open(&token), Err(JoseError::Header("epk", "is missing")));
}

#[test]
fn jwe_algs_outside_the_configured_lists_are_refused() {
    let token = sealed(KeyManagement::EcdhEs, ContentEncryption::A128Gcm);
    let allowed = Allowed {
        key_management: vec![KeyManagement::RsaOaep256],
        ..Allowed::default()
    };
    let refused = |allowed| decrypt(&token, &keys(), &allowed).err();
    assert!(matches!(refused(allowed), Some(JoseError::Alg { got, .. }) if got == "ECDH-ES"));
    let allowed = Allowed {
        content: vec![ContentEncryption::A256Gcm],
        ..Allowed::default()
    };
    assert!(matches!(refused(allowed), Some(JoseError::Alg { got, .. }) if got == "A128GCM"));
    for alg in ["RSA1_5", "RSA-OAEP", "dir", "A128KW", "none"] {
        let token = with_header(&token, |header| header["alg"] = json!(alg));
        assert!(matches!(open(&token), Err(JoseError::Alg { .. })), "{alg}");
    }
}

#[test]
fn jwe_of_another_shape_is_refused() {
    let good = sealed(KeyManagement::EcdhEs, ContentEncryption::A128Gcm);
    for bad in [
        "",
        "....",
        "a.b.c",
        &format!("{good}."),
        &format!("{good}="),
        &good[1..],
    ] {
        assert!(open(bad).is_err(), "{bad}");
    }
    assert!(matches!(
        open(&"A".repeat(20_000)),
        Err(JoseError::TooLong { .. })
    ));
    // Direct agreement has no encrypted key (RFC 7516 §5.2).
    let mut parts: Vec<&str> = good.split('.').collect();
    parts[1] = "AAAA";
    assert_eq!(open(&parts.join(".")), Err(JoseError::Decryption));
}

#[test]
fn jwe_with_broken_rsa_padding_looks_like_any_other_failure() {
    let token = sealed(KeyManagement::RsaOaep256, ContentEncryption::A128Gcm);
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    parts[1] = base64url(vec![1; 256]);
    assert_eq!(open(&parts.join(".")), Err(JoseError::Decryption));
    parts[1] = base64url(vec![0xff; 300]);
    assert_eq!(open(&parts.join(".")), Err(JoseError::Decryption));
}

#[test]
fn debug_shows_no_private_key() {
    let shown = format!("{:?}", keys());
    assert!(shown.len() < 200 && !shown.contains("BigUint"), "{shown}");
}

proptest! {
    #[test]
    fn jwe_never_panics(token in "[A-Za-z0-9_-]{0,80}(\\.[A-Za-z0-9_-]{0,30}){4}") {
        let _ = open(&token);
    }
}

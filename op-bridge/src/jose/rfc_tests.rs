//! The examples of RFC 7517 and RFC 7519 as they are printed there: what the OP takes, and what it refuses on purpose.

use serde_json::{Value, json};

use super::jwe::content::ContentEncryption;
use super::jwe::{Allowed, DecryptionKey, decrypt};
use super::jwk::{Jwk, JwkError, JwkSet, PublicKey};
use super::jws::{Jws, JwsAlg, Keys};
use super::jwt::Claims;
use super::tests::rfc;
use super::{JoseError, decode};

const RSA_PEM: &str = include_str!("../../../fixtures/keys/op-encryption-rsa-TEST-ONLY.pem");

/// Decrypts with our own keys, everything that is known being allowed.
fn open(token: &str) -> Result<Vec<u8>, JoseError> {
    let keys = [
        DecryptionKey::rsa_pem(RSA_PEM).unwrap(),
        DecryptionKey::p256(&[1; 32]).unwrap(),
    ];
    decrypt(token, &keys, &Allowed::default()).map(|opened| opened.plaintext.to_vec())
}

/// Decrypts the content of an example under its content encryption key, which leaves its key management out.
fn content(example: &Value) -> Vec<u8> {
    let part = |text: &str| decode(text).unwrap();
    let parts: Vec<&str> = example["token"].as_str().unwrap().split('.').collect();
    let key = part(example["content_key"].as_str().unwrap());
    let (iv, ciphertext, tag) = (part(parts[2]), part(parts[3]), part(parts[4]));
    let plaintext = ContentEncryption::A128CbcHs256
        .open(&key, &iv, parts[0].as_bytes(), &ciphertext, &tag)
        .unwrap();
    plaintext.to_vec()
}

fn says_joe(payload: &[u8]) {
    let claims = Claims::parse(payload).unwrap();
    assert_eq!(claims.require("iss"), Ok("joe"));
    assert_eq!(claims.require_instant("exp"), Ok(1_300_819_380));
    assert_eq!(claims.0["http://example.com/is_root"], json!(true));
}

#[test]
fn rfc_7517_a1_public_keys_are_read_and_named() {
    let example = &rfc()["rfc7517"]["public"];
    let set = JwkSet::parse(example).unwrap();
    let [ec, rsa] = &set.0[..] else {
        panic!("{} keys", set.0.len());
    };
    assert!(matches!(ec.key, PublicKey::P256(_)));
    assert_eq!(ec.kid.as_deref(), Some("1"));
    assert_eq!(ec.usage.as_deref(), Some("enc"));
    assert!(matches!(&rsa.key, PublicKey::Rsa { n, e } if n.len() == 256 && e == &[1, 0, 1]));
    assert_eq!(rsa.kid.as_deref(), Some("2011-04-29"));
    assert_eq!(rsa.alg.as_deref(), Some("RS256"));
    // That of the RSA key is the example of RFC 7638 §3.1.
    assert_eq!(
        json!([ec.thumbprint(), rsa.thumbprint()]),
        example["thumbprints"]
    );
    assert_eq!(set.to_value()["keys"], example["keys"]);
}

#[test]
fn rfc_7517_a2_private_keys_are_refused() {
    let rfc = rfc();
    for key in rfc["rfc7517"]["private"]["keys"].as_array().unwrap() {
        assert_eq!(Jwk::parse(key), Err(JwkError::Private("d")), "{key}");
    }
    assert!(JwkSet::parse(&rfc["rfc7517"]["private"]).is_err());
}

#[test]
fn rfc_7517_a3_symmetric_keys_are_refused() {
    let rfc = rfc();
    for key in rfc["rfc7517"]["symmetric"]["keys"].as_array().unwrap() {
        assert_eq!(Jwk::parse(key), Err(JwkError::Private("k")), "{key}");
    }
}

#[test]
fn rfc_7517_c_key_set_under_a_password_is_refused_before_any_hashing() {
    let example = &rfc()["rfc7517"]["encrypted"];
    let refused = open(example["token"].as_str().unwrap());
    assert!(
        matches!(refused, Err(JoseError::Header("p2c" | "p2s", _))),
        "{refused:?}"
    );
    // Its content is that of the example all the same, and a private key that nobody may register.
    let key: Value = serde_json::from_slice(&content(example)).unwrap();
    assert_eq!(key["kid"], "juliet@capulet.lit");
    assert_eq!(Jwk::parse(&key), Err(JwkError::Private("d")));
}

#[test]
fn rfc_8037_keys_of_edwards_curves_are_left_out() {
    let okp = &rfc()["okp"]["key"];
    assert_eq!(Jwk::parse(okp), Err(JwkError::Unsupported("OKP".into())));
    assert_eq!(
        JwkSet::parse(&json!({"keys": [okp]})),
        Ok(JwkSet::default())
    );
}

#[test]
fn rfc_7519_3_1_jwt_verifies_and_is_over() {
    let rfc = rfc();
    let example = &rfc["rfc7519"]["signed"];
    let secret = decode(example["secret"].as_str().unwrap()).unwrap();
    let read = Jws::parse(example["token"].as_str().unwrap()).unwrap();
    let verified = read.verify(&[JwsAlg::Hs256], Keys::Secret(&secret));
    assert_eq!(verified, Ok(JwsAlg::Hs256));
    says_joe(&read.payload);
    let claims = Claims::parse(&read.payload).unwrap();
    let at = |second| jiff::Timestamp::from_second(second).unwrap();
    assert_eq!(claims.in_force(at(1_300_819_379)), Ok(()));
    assert!(matches!(
        claims.in_force(at(1_800_000_000)),
        Err(JoseError::Claim { claim: "exp", .. })
    ));
    // What clients sign with a key of theirs never has a MAC.
    let asymmetric = [JwsAlg::Es256, JwsAlg::Ps256];
    assert!(matches!(
        read.verify(&asymmetric, Keys::Secret(&secret)),
        Err(JoseError::Alg { got, .. }) if got == "HS256"
    ));
}

#[test]
fn rfc_7519_6_1_unsecured_jwt_is_refused() {
    let rfc = rfc();
    let read = Jws::parse(rfc["rfc7519"]["unsecured"]["token"].as_str().unwrap()).unwrap();
    says_joe(&read.payload);
    for keys in [Keys::Public(&JwkSet::default()), Keys::Secret(b"")] {
        assert!(matches!(
            read.verify(&JwsAlg::ALL, keys),
            Err(JoseError::Alg { got, .. }) if got == "none"
        ));
    }
}

#[test]
fn rfc_7519_a1_encrypted_jwt_opens_but_for_its_rsa1_5() {
    let rfc = rfc();
    let example = &rfc["rfc7519"]["encrypted"];
    // PKCS #1 v1.5 is an oracle (RFC 7516 §11.5): not among what a configuration can allow.
    assert!(matches!(
        open(example["token"].as_str().unwrap()),
        Err(JoseError::Alg { got, .. }) if got == "RSA1_5"
    ));
    says_joe(&content(example));
}

#[test]
fn rfc_7519_a2_nested_jwt_opens_but_for_its_rsa1_5() {
    let rfc = rfc();
    let example = &rfc["rfc7519"]["nested"];
    assert!(matches!(
        open(example["token"].as_str().unwrap()),
        Err(JoseError::Alg { got, .. }) if got == "RSA1_5"
    ));
    // The token within is that of RFC 7515 A.2, whole.
    let inner = String::from_utf8(content(example)).unwrap();
    let signed = &rfc["jws"][0];
    assert_eq!(signed["source"], "RFC 7515 A.2");
    assert_eq!(signed["token"], json!(inner));
    let keys = JwkSet(vec![Jwk::parse(&signed["key"]).unwrap()]);
    let read = Jws::parse(&inner).unwrap();
    let verified = read.verify(&[JwsAlg::Rs256], Keys::Public(&keys));
    assert_eq!(verified, Ok(JwsAlg::Rs256));
    says_joe(&read.payload);
}

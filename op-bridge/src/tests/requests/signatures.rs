//! Who signed it, and how.

use serde_json::json;

use super::support::*;
use crate::Signer;
use crate::testing::{assertion, mac, signed};

#[test]
fn ensure_request_object_signature_alg_none() {
    let mut signing = Signing::new();
    let none = format!(
        "{}.{}.",
        crate::jose::base64url(r#"{"alg":"none"}"#),
        crate::jose::base64url(signing.claims().to_string())
    );
    signing.refused(&none, "none is not allowed here; use ES256");
}

#[test]
fn ensure_request_object_bad_signature() {
    let mut signing = Signing::new();
    let good = assertion(&signing.signer, &signing.claims());
    let mut claims = signing.claims();
    claims["login_hint"] = json!("+447700900002");
    let payload = crate::jose::base64url(claims.to_string());
    let mut parts: Vec<&str> = good.split('.').collect();
    parts[1] = &payload;
    signing.refused(&parts.join("."), "signature does not verify");
}

#[test]
fn ensure_request_object_rs256_alg() {
    let mut signing = Signing::new();
    let header = json!({"alg": "RS256"});
    let request = signed(&signing.signer, &header, &signing.claims());
    signing.refused(&request, "RS256 is not allowed here; use ES256");
}

#[test]
fn request_object_with_a_mac_is_refused() {
    let mut signing = Signing::new();
    for secret in [
        "rp-secret".to_owned(),
        signing.signer.public_jwk().to_string(),
    ] {
        let request = mac(secret.as_bytes(), &signing.claims());
        signing.refused(&request, "HS256 is not allowed");
    }
}

#[test]
fn ensure_request_object_signed_by_other_client() {
    let mut signing = Signing::new();
    let request = assertion(&signing.other, &signing.claims());
    signing.refused(&request, "signature does not verify");
}

#[test]
fn request_object_of_another_client_is_refused() {
    Signing::refused_with("client_id", json!("other"), "client_id is another client's");
}

#[test]
fn request_object_that_is_encrypted_is_refused() {
    Signing::new().refused("a.b.c.d.e", "request is encrypted");
}

#[test]
fn request_object_that_is_none_is_refused() {
    for bad in ["x", "a.b", "..", "e30.e30.e30", &"A".repeat(20_000)] {
        Signing::new().refused(bad, "request:");
    }
}

#[test]
fn request_object_with_a_claim_twice_is_refused() {
    let mut signing = Signing::new();
    let claims = signing.claims().to_string();
    let twice = claims.replacen('{', r#"{"scope":"openid","#, 1);
    let input = format!(
        "{}.{}",
        crate::jose::base64url(r#"{"alg":"ES256"}"#),
        crate::jose::base64url(twice)
    );
    let signature = crate::jose::base64url(signing.signer.sign(input.as_bytes()));
    signing.refused(
        &format!("{input}.{signature}"),
        "payload has a member twice",
    );
}

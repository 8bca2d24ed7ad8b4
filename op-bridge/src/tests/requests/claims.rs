//! Claims about the request object itself: for whom, from whom, and when.

use serde_json::json;

use super::support::*;
use super::*;

fn now() -> i64 {
    at(0).as_second()
}

#[test]
fn ensure_request_object_missing_aud() {
    Signing::refused_with("aud", Value::Null, "aud is missing");
}

#[test]
fn ensure_request_object_bad_aud() {
    for aud in [
        json!("https://other.example"),
        json!(format!("{ISSUER}/token")),
        json!({}),
    ] {
        Signing::refused_with("aud", aud, "aud does not contain");
    }
}

#[test]
fn ensure_request_object_missing_iss() {
    Signing::refused_with("iss", Value::Null, "iss is missing");
}

#[test]
fn ensure_request_object_bad_iss() {
    Signing::refused_with("iss", json!("other"), "iss is other, expected rp");
}

#[test]
fn ensure_request_object_missing_exp() {
    Signing::refused_with("exp", Value::Null, "exp is missing");
}

#[test]
fn ensure_request_object_expired_exp() {
    Signing::refused_with("exp", json!(now() - 300), "exp was 300 s ago");
}

#[test]
fn ensure_request_object_exp_is_70_min_future() {
    Signing::refused_with("exp", json!(now() + 70 * 60), "exp is 4200 s after nbf");
}

#[test]
fn request_object_may_be_valid_for_60_min() {
    let mut signing = Signing::new();
    let mut claims = signing.claims();
    claims["exp"] = json!(now() + 3600);
    assert_eq!(signing.send_claims(&claims).0, 200);
}

#[test]
fn ensure_request_object_missing_iat() {
    Signing::refused_with("iat", Value::Null, "iat is missing");
}

#[test]
fn request_object_iat_ahead_is_refused() {
    Signing::refused_with("iat", json!(now() + 61), "iat is 61 s ahead");
}

#[test]
fn ensure_request_object_missing_nbf() {
    Signing::refused_with("nbf", Value::Null, "nbf is missing");
}

#[test]
fn ensure_request_object_nbf_10_min_future() {
    Signing::refused_with("nbf", json!(now() + 600), "nbf is 600 s ahead");
}

#[test]
fn ensure_request_object_nbf_70_min_past() {
    Signing::refused_with("nbf", json!(now() - 70 * 60), "exp is 4500 s after nbf");
}

#[test]
fn ensure_request_object_missing_jti() {
    Signing::refused_with("jti", Value::Null, "jti is missing");
}

#[test]
fn request_object_jti_is_good_for_once() {
    let mut signing = Signing::new();
    let claims = signing.claims();
    assert_eq!(signing.send_claims(&claims).0, 200);
    invalid_request(&signing.send_claims(&claims), "jti was used before");
}

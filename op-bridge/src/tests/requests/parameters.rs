//! Parameters inside and outside of it.

use serde_json::json;

use super::support::*;
use super::*;
use crate::testing::{assertion, signed};

#[test]
fn signed_request_carries_every_parameter() {
    let mut signing = Signing::new();
    let mut claims = signing.claims();
    claims["binding_message"] = json!("1234");
    claims["requested_expiry"] = json!(30);
    claims["nonce"] = json!("n-1");
    claims["unknown"] = json!({"ignored": true});
    claims["client_id"] = json!("rp");
    let (status, body) = signing.send_claims(&claims);
    assert_eq!((status, &body["expires_in"]), (200, &json!(30)), "{body}");
    let sent = text(&signing.world.last());
    assert!(sent.contains(">1234</mss:DataToBeSigned>"));
    assert!(sent.contains("<mss:MSISDN>+447700900001</mss:MSISDN>"));
}

/// RFC 9101 §4.
#[test]
fn a_request_object_within_a_request_object_is_refused() {
    for name in ["request", "request_uri"] {
        let why = format!("{name} must not be in a request object");
        Signing::refused_with(name, json!("https://rp.example/r"), &why);
    }
}

#[test]
fn request_object_may_have_a_typ_and_client_authentication_beside_it() {
    let mut signing = Signing::new();
    let header = json!({"alg": "ES256", "typ": "oauth-authz-req+jwt"});
    let request = signed(&signing.signer, &header, &signing.claims());
    let (status, body) = signing.send(&request, &[("client_id", "rp"), ("x", "y")]);
    assert_eq!(status, 200, "{body}");
}

#[test]
fn requested_expiry_is_a_number_or_a_string() {
    for (value, granted) in [
        (json!(10), 10),
        (json!("10"), 10),
        (json!(10.0), 10),
        (json!(1e1), 10),
        (json!(1e30), 600),
        (json!(100_000), 600),
    ] {
        let mut signing = Signing::new();
        let mut claims = signing.claims();
        claims["requested_expiry"] = value.clone();
        let (status, body) = signing.send_claims(&claims);
        assert_eq!(
            (status, &body["expires_in"]),
            (200, &json!(granted)),
            "{value}"
        );
    }
    for bad in [
        json!(0),
        json!(-1),
        json!(1.5),
        json!(0.0),
        json!(-1.0),
        json!("10.0"),
        json!("x"),
        json!(true),
        json!([10]),
    ] {
        Signing::refused_with("requested_expiry", bad, "requested_expiry");
    }
}

#[test]
fn no_parameter_may_be_outside_of_the_request_object() {
    for (name, value) in [
        ("scope", "openid"),
        ("client_notification_token", "x"),
        ("acr_values", "mod-mf"),
        ("login_hint", ALICE),
        ("login_hint_token", "x"),
        ("id_token_hint", "x"),
        ("binding_message", "x"),
        ("user_code", "x"),
        ("requested_expiry", "10"),
        ("nonce", "x"),
        ("claims", "{}"),
    ] {
        let mut signing = Signing::new();
        let request = assertion(&signing.signer, &signing.claims());
        let (status, body) = signing.send(&request, &[(name, value)]);
        assert_eq!(
            (status, body["error"].as_str()),
            (400, Some("invalid_request")),
            "{name}"
        );
        let description = body["error_description"].as_str().unwrap();
        assert!(description.starts_with(&format!("{name} is outside of the request object")));
    }
}

#[test]
fn parameters_inside_are_held_to_the_same_rules() {
    for (claim, value, error) in [
        ("scope", json!("profile"), "invalid_scope"),
        ("scope", json!(["openid"]), "invalid_request"),
        ("login_hint", json!(7), "invalid_request"),
        ("login_hint", json!("+447700900999"), "unknown_user_id"),
        ("binding_message", json!("a\nb"), "invalid_binding_message"),
        ("binding_message", json!("a\u{0}b"), "invalid_request"),
        ("acr_values", json!("urn:x"), "invalid_request"),
        ("login_hint_token", json!("x"), "invalid_request"),
        ("user_code", json!("1"), "invalid_request"),
    ] {
        let mut signing = Signing::new();
        let mut claims = signing.claims();
        claims[claim] = value.clone();
        let (status, body) = signing.send_claims(&claims);
        assert_eq!(
            (status, body["error"].as_str()),
            (400, Some(error)),
            "{claim} {value}"
        );
    }
}

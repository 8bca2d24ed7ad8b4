//! Secrets, nothing at all, and two ways at once.

use serde_json::json;

use super::support::*;
use super::*;
use crate::AuthMethod;
use crate::testing::assertion;

#[test]
fn client_secret_jwt_is_a_mac_with_the_secret() {
    let mut caller = Caller::new();
    let mut claims = caller.claims();
    claims["iss"] = json!("mac");
    claims["sub"] = json!("mac");
    let good = crate::testing::mac(MAC_SECRET.as_bytes(), &claims);
    assert_eq!(caller.send(&good).0, 200);
    claims["jti"] = json!("two");
    let wrong = crate::testing::mac(b"fedcba9876543210fedcba9876543210", &claims);
    caller.refused(&wrong, "signature does not verify");
    let signed = assertion(&caller.signer, &claims);
    caller.refused(&signed, "ES256 is not allowed");
}

#[test]
fn client_secret_jwt_needs_a_secret_of_32_octets() {
    let mut mac = Client::new("mac", "short", DeliveryMode::Poll);
    mac.authentication.method = AuthMethod::ClientSecretJwt;
    let mut config = bare_config();
    config.clients.push(mac);
    assert!(matches!(
        Op::new(config),
        Err(crate::ConfigError::ShortSecret(_))
    ));
}

#[test]
fn client_secret_post_is_taken_from_those_registered_for_it() {
    let mut caller = Caller::new();
    for (id, secret, status) in [
        ("post", "post-secret", 200),
        ("post", "wrong", 401),
        ("poll", "poll-secret", 401),
        ("nobody", "post-secret", 401),
        ("jwt", "jwt-secret", 401),
    ] {
        let form = [("client_id", id), ("client_secret", secret)];
        let (got, body) = answer(&caller.world.http(unauthenticated(&form)));
        assert_eq!(got, status, "{id} {secret}: {body}");
    }
    // And the other way round.
    let mut request = authorize_request("poll", &[]);
    let header = basic("post", "post-secret").parse().unwrap();
    request.headers_mut().insert("authorization", header);
    let (status, body) = answer(&caller.world.http(request));
    assert_eq!(status, 401);
    let description = body["error_description"].as_str().unwrap();
    assert!(description.contains("registered for client_secret_post and used client_secret_basic"));
}

#[test]
fn without_client_authentication_is_invalid_client_at_both_endpoints() {
    let mut caller = Caller::new();
    for (form, status) in [(vec![], 401), (vec![("client_id", "jwt")], 401)] {
        let mut request = unauthenticated(&form);
        let (got, body) = answer(&caller.world.http(request.clone()));
        assert_eq!(
            (got, body["error"].as_str()),
            (status, Some("invalid_client"))
        );
        *request.uri_mut() = "/token".parse().unwrap();
        let (got, body) = answer(&caller.world.http(request));
        assert_eq!(
            (got, body["error"].as_str()),
            (status, Some("invalid_client"))
        );
    }
}

#[test]
fn two_authentications_are_invalid_request() {
    let mut caller = Caller::new();
    let good = assertion(&caller.signer, &caller.claims());
    let form = [
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", good.as_str()),
        ("client_id", "post"),
        ("client_secret", "post-secret"),
    ];
    let (status, body) = answer(&caller.world.http(unauthenticated(&form)));
    assert_eq!(
        (status, body["error"].as_str()),
        (400, Some("invalid_request"))
    );
}

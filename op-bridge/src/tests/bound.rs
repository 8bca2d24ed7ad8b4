//! Access tokens bound to a certificate (RFC 8705 §3).

use super::*;
use crate::PeerCertificate;

fn shown(mut request: http::Request<Bytes>, certificate: &'static [u8]) -> http::Request<Bytes> {
    let der = Bytes::from_static(certificate);
    let trusted = false;
    request
        .extensions_mut()
        .insert(PeerCertificate { der, trusted });
    request
}

fn bound() -> World {
    World::with(|config| config.clients[0].issuance.certificate_bound = true)
}

fn redeem(world: &mut World) -> http::Request<Bytes> {
    let id = world.start("poll");
    let signature = world.last();
    world.approve(&signature);
    form_request(
        "/token",
        "poll",
        &[("grant_type", CIBA), ("auth_req_id", &id)],
    )
}

fn userinfo(token: &Value) -> http::Request<Bytes> {
    http::Request::get("/userinfo")
        .header(
            "authorization",
            format!("Bearer {}", token.as_str().unwrap()),
        )
        .body(Bytes::new())
        .unwrap()
}

#[test]
fn a_bound_token_is_good_with_its_certificate_only() {
    let mut world = bound();
    let request = redeem(&mut world);
    let (status, tokens) = answer(&world.http(shown(request, b"abc")));
    assert_eq!(status, 200);
    let token = &tokens["access_token"];
    assert_eq!(world.http(shown(userinfo(token), b"abc")).status(), 200);
    for request in [userinfo(token), shown(userinfo(token), b"abd")] {
        let response = world.http(request);
        assert_eq!(response.status(), 401);
        assert_eq!(answer(&response).1["error"], "invalid_token");
    }
    let form = [("token", token.as_str().unwrap())];
    let (_, body) = answer(&world.post("/introspect", "poll2", &form));
    // SHA-256("abc") of FIPS 180-4, in base64url.
    assert_eq!(
        body["cnf"],
        serde_json::json!({ "x5t#S256": "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0" })
    );
}

#[test]
fn a_client_registered_for_bound_tokens_gets_none_without_a_certificate() {
    let mut world = bound();
    let request = redeem(&mut world);
    let (status, body) = answer(&world.http(request));
    assert_eq!((status, &body["error"]), (400, &"invalid_request".into()));
}

#[test]
fn a_token_that_is_not_bound_works_over_any_connection() {
    let mut world = World::new();
    let tokens = world.tokens("poll", &[]);
    let request = shown(userinfo(&tokens["access_token"]), b"abc");
    assert_eq!(world.http(request).status(), 200);
}

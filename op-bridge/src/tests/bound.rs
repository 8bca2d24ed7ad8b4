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
fn fapi_ciba_binds_the_tokens_of_every_client() {
    let mut world = World::with(|config| {
        let before = config.clone();
        config.set_profile(crate::Profile::FapiCiba);
        config.mtls_url = Some("https://127.0.0.1:8262".into());
        config.refresh_tokens = true;
        // Who asks and how is no matter here.
        config.authentication = before.authentication;
        config.requests = before.requests;
        config.clients.retain(|it| it.mode != DeliveryMode::Push);
    });
    let discovery = http::Request::get("/.well-known/openid-configuration");
    let (_, metadata) = answer(&world.http(discovery.body(Bytes::new()).unwrap()));
    assert_eq!(metadata["tls_client_certificate_bound_access_tokens"], true);
    let request = redeem(&mut world);
    let (status, body) = answer(&world.http(request.clone()));
    assert_eq!((status, &body["error"]), (400, &"invalid_request".into()));
    let (_, tokens) = answer(&world.http(shown(request, b"abc")));
    let refresh = form_request(
        "/token",
        "poll",
        &[
            ("grant_type", "refresh_token"),
            ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
        ],
    );
    let (status, body) = answer(&world.http(refresh.clone()));
    assert_eq!((status, &body["error"]), (400, &"invalid_request".into()));
    let (status, renewed) = answer(&world.http(shown(refresh, b"abc")));
    assert_eq!(status, 200);
    for tokens in [tokens, renewed] {
        let token = &tokens["access_token"];
        assert_eq!(world.http(userinfo(token)).status(), 401);
        assert_eq!(world.http(shown(userinfo(token), b"abc")).status(), 200);
    }
}

#[test]
fn fapi_ciba_without_mutual_tls_is_refused_at_start() {
    let mut config = bare_config();
    config.set_profile(crate::Profile::FapiCiba);
    assert_eq!(Op::new(config).err(), Some(crate::ConfigError::NoMutualTls));
}

#[test]
fn a_token_that_is_not_bound_works_over_any_connection() {
    let mut world = World::new();
    let tokens = world.tokens("poll", &[]);
    let request = shown(userinfo(&tokens["access_token"]), b"abc");
    assert_eq!(world.http(request).status(), 200);
}

#[test]
fn a_push_client_cannot_be_registered_for_bound_tokens() {
    let mut config = World::new().op.config().clone();
    config.clients[3].issuance.certificate_bound = true;
    let refused = Op::new(config).err().unwrap();
    assert_eq!(refused, crate::ConfigError::BoundPush("push".to_owned()));
    let mut world = World::with(|config| config.mtls_url = Some("https://127.0.0.1:8261".into()));
    let mut register = |mode: &str| {
        let metadata = serde_json::json!({
            "backchannel_token_delivery_mode": mode,
            "backchannel_client_notification_endpoint": "https://rp.example/cb",
            "tls_client_certificate_bound_access_tokens": true,
        });
        let request = http::Request::post("/register")
            .header("content-type", "application/json")
            .body(Bytes::from(metadata.to_string()))
            .unwrap();
        answer(&world.http(request))
    };
    let (status, body) = register("push");
    assert_eq!(
        (status, &body["error"]),
        (400, &"invalid_client_metadata".into())
    );
    let description = body["error_description"].as_str().unwrap();
    assert!(
        description.starts_with("tls_client_certificate_bound_access_tokens does not go with push")
    );
    assert_eq!(register("ping").0, 201);
}

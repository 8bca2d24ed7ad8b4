//! Clients that registered themselves, at work.

use http::Method;
use serde_json::json;

use super::support::*;
use super::*;
use crate::Signer;
use crate::testing::assertion;

#[test]
fn registered_client_can_use_the_op_at_once() {
    let mut registered = Registered::new(&poll_client());
    let secret = registered.body["client_secret"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(registered.body["client_secret_expires_at"], 0);
    assert_eq!(registered.body["client_id_issued_at"], at(0).as_second());
    assert_eq!(
        registered.body["token_endpoint_auth_method"],
        "client_secret_basic"
    );
    assert_eq!(registered.body["grant_types"], json!([CIBA]));
    let (status, body) = registered.authorize(&secret);
    assert_eq!(status, 200, "{body}");
    assert!(text(&registered.world.last()).contains(">Sign in to Fresh Bank?<"));
    assert_eq!(registered.authorize("wrong").0, 401);
    for (key, (_, value)) in &registered.world.store.records {
        let record = format!("{key} {}", String::from_utf8_lossy(value));
        assert!(
            !record.contains(&secret) && !record.contains(&registered.token),
            "{key}"
        );
    }
}

#[test]
fn registered_keys_verify_assertions_and_requests() {
    let signer = TestSigner::new();
    let mut registered = Registered::new(&json!({
        "backchannel_token_delivery_mode": "poll",
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "ES256",
        "backchannel_authentication_request_signing_alg": "ES256",
        "backchannel_user_code_parameter": false,
        "grant_types": [CIBA, "refresh_token"],
        "response_types": [],
        "id_token_signed_response_alg": "ES256",
        "jwks": {"keys": [signer.public_jwk()]},
    }));
    assert!(registered.body.get("client_secret").is_none());
    let now = at(0).as_second();
    let id = registered.id.clone();
    let authentication = json!({"iss": id, "sub": id, "aud": ISSUER, "exp": now + 60, "jti": "a"});
    let request = json!({
        "iss": id, "aud": ISSUER, "iat": now, "nbf": now, "exp": now + 60, "jti": "r",
        "scope": "openid", "acr_values": "mod-mf", "login_hint": ALICE,
    });
    let form = [
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        ("client_assertion", &assertion(&signer, &authentication)),
        ("request", &assertion(&signer, &request)),
    ];
    let request = http::Request::post("/bc-authorize")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from(encode(&form)))
        .unwrap();
    let (status, body) = answer(&registered.world.http(request));
    assert_eq!(status, 200, "{body}");
}

#[test]
fn the_tokens_of_a_deleted_client_end_with_it() {
    let mut world = World::with(|config| config.refresh_tokens = true);
    let mut metadata = poll_client();
    metadata["grant_types"] = json!([CIBA, "refresh_token"]);
    let (_, body) = register(&mut world, &metadata);
    let mut registered = Registered::of(world, body);
    let secret = registered.body["client_secret"].as_str().unwrap();
    let header = basic(&registered.id, secret);
    let world = &mut registered.world;
    let mut request = authorize_request("poll", &[]);
    let headers = request.headers_mut();
    headers.insert("authorization", header.parse().unwrap());
    let (_, started) = answer(&world.http(request));
    let signature = world.last();
    world.approve(&signature);
    let id = started["auth_req_id"].as_str().unwrap();
    let form = [("grant_type", CIBA), ("auth_req_id", id)];
    let mut request = form_request("/token", "poll", &form);
    let headers = request.headers_mut();
    headers.insert("authorization", header.parse().unwrap());
    let (status, tokens) = answer(&world.http(request));
    assert_eq!(status, 200, "{tokens}");
    let [access, refresh] = ["access_token", "refresh_token"].map(|name| tokens[name].as_str());
    let (access, refresh) = (access.unwrap(), refresh.unwrap());
    let active = |world: &mut World| {
        let (_, body) = answer(&world.post("/introspect", "poll", &[("token", access)]));
        body["active"] == true
    };
    assert_eq!(world.userinfo(access).status(), 200);
    assert!(active(world));
    assert_eq!(registered.manage(Method::DELETE, None).0, 204);
    let world = &mut registered.world;
    assert_eq!(world.userinfo(access).status(), 401);
    assert!(!active(world));
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    let mut request = form_request("/token", "poll", &form);
    let headers = request.headers_mut();
    headers.insert("authorization", header.parse().unwrap());
    let (status, body) = answer(&world.http(request));
    assert_eq!((status, &body["error"]), (401, &json!("invalid_client")));
}

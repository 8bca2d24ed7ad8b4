//! Introspection (RFC 7662), revocation (RFC 7009), signed userinfo (OpenID Connect Core §5.3.2), key rotation.

use super::*;
use crate::testing::TestSigner;
use crate::{KeySet, Keys};

fn refreshing() -> World {
    World::with(|config| config.refresh_tokens = true)
}

fn introspect(world: &mut World, client: &str, token: &Value) -> Value {
    let form = [("token", token.as_str().unwrap())];
    let (status, body) = answer(&world.post("/introspect", client, &form));
    assert_eq!(status, 200, "{body}");
    body
}

fn revoke(world: &mut World, client: &str, token: &Value) -> http::Response<Bytes> {
    world.post("/revoke", client, &[("token", token.as_str().unwrap())])
}

#[test]
fn an_access_token_is_described_to_any_client() {
    let mut world = World::new();
    let tokens = world.tokens("poll", &[("scope", "openid phone"), ("acr_values", "3")]);
    world.now = 5;
    let claims = world.signer.verify(tokens["id_token"].as_str().unwrap());
    for client in ["poll", "poll2"] {
        let body = introspect(&mut world, client, &tokens["access_token"]);
        assert_eq!(
            body,
            serde_json::json!({
                "active": true, "iss": ISSUER, "sub": claims["sub"], "aud": "poll", "client_id": "poll",
                "scope": "openid phone", "token_type": "Bearer", "acr": "3",
                "iat": at(0).as_second(), "exp": at(3600).as_second(), "auth_time": at(0).as_second(),
            })
        );
    }
    world.now = 3600;
    let body = introspect(&mut world, "poll", &tokens["access_token"]);
    assert_eq!(body, serde_json::json!({ "active": false }));
}

#[test]
fn a_refresh_token_is_described_to_its_own_client_only() {
    let mut world = refreshing();
    let tokens = world.tokens("poll", &[]);
    let body = introspect(&mut world, "poll", &tokens["refresh_token"]);
    assert_eq!(
        (&body["active"], &body["client_id"]),
        (&true.into(), &"poll".into())
    );
    let inactive = serde_json::json!({ "active": false });
    assert_eq!(
        introspect(&mut world, "poll2", &tokens["refresh_token"]),
        inactive
    );
    assert_eq!(introspect(&mut world, "poll", &"unknown".into()), inactive);
}

#[test]
fn introspection_and_revocation_want_a_client_and_a_token() {
    let mut world = World::new();
    for path in ["/introspect", "/revoke"] {
        let (status, body) = answer(&world.post(path, "poll", &[]));
        assert_eq!(
            (status, &body["error"]),
            (400, &"invalid_request".into()),
            "{path}"
        );
        let mut request = form_request(path, "poll", &[("token", "x")]);
        request.headers_mut().remove("authorization");
        let (status, body) = answer(&world.http(request));
        assert_eq!(
            (status, &body["error"]),
            (401, &"invalid_client".into()),
            "{path}"
        );
    }
}

#[test]
fn a_revoked_access_token_opens_nothing_and_its_refresh_token_lives_on() {
    let mut world = refreshing();
    let tokens = world.tokens("poll", &[]);
    let access = tokens["access_token"].as_str().unwrap();
    let response = revoke(&mut world, "poll", &tokens["access_token"]);
    assert_eq!(
        (response.status().as_u16(), response.body().len()),
        (200, 0)
    );
    assert_eq!(world.userinfo(access).status(), 401);
    let body = introspect(&mut world, "poll", &tokens["refresh_token"]);
    assert_eq!(body["active"], true);
    let again = revoke(&mut world, "poll", &tokens["access_token"]);
    assert_eq!(again.status(), 200, "RFC 7009 section 2.2");
}

#[test]
fn a_revoked_refresh_token_takes_its_access_tokens_along() {
    let mut world = refreshing();
    let tokens = world.tokens("poll", &[]);
    assert_eq!(
        revoke(&mut world, "poll", &tokens["refresh_token"]).status(),
        200
    );
    assert_eq!(
        world
            .userinfo(tokens["access_token"].as_str().unwrap())
            .status(),
        401
    );
    let inactive = serde_json::json!({ "active": false });
    for token in [&tokens["access_token"], &tokens["refresh_token"]] {
        assert_eq!(introspect(&mut world, "poll", token), inactive);
    }
    world.advance(4000);
    assert!(
        world.store.records.is_empty(),
        "{:?}",
        world.store.records.keys()
    );
}

#[test]
fn nobody_revokes_the_token_of_another_client() {
    let mut world = refreshing();
    let tokens = world.tokens("poll", &[]);
    for token in [&tokens["access_token"], &tokens["refresh_token"]] {
        let (status, body) = answer(&revoke(&mut world, "poll2", token));
        assert_eq!((status, &body["error"]), (400, &"invalid_grant".into()));
    }
    assert_eq!(
        world
            .userinfo(tokens["access_token"].as_str().unwrap())
            .status(),
        200
    );
}

#[test]
fn userinfo_is_a_jwt_for_a_client_registered_for_one() {
    let mut world = World::with(|config| {
        config.clients[0].issuance.userinfo_alg = Some(crate::Algorithm::Es256);
    });
    let tokens = world.tokens("poll", &[("scope", "openid profile")]);
    let response = world.userinfo(tokens["access_token"].as_str().unwrap());
    assert_eq!(response.headers()["content-type"], "application/jwt");
    let claims = world
        .signer
        .verify(std::str::from_utf8(response.body()).unwrap());
    assert_eq!(claims["iss"], ISSUER);
    assert_eq!(claims["aud"], "poll");
    assert_eq!(claims["name"], "Alice Example");
}

#[test]
fn userinfo_gives_the_interaction_id_back_and_ignores_accept() {
    let mut world = World::new();
    let tokens = world.tokens("poll", &[]);
    let request = http::Request::get("/userinfo")
        .header(
            "authorization",
            format!("Bearer {}", tokens["access_token"].as_str().unwrap()),
        )
        .header("accept", "application/json;charset=UTF-8;q=0.3, text/*")
        .header(
            "x-fapi-interaction-id",
            "c770aef3-6784-41f7-8e0e-ff5f97bddb3a",
        )
        .body(Bytes::new())
        .unwrap();
    let response = world.http(request);
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(
        response.headers()["x-fapi-interaction-id"],
        "c770aef3-6784-41f7-8e0e-ff5f97bddb3a"
    );
}

/// The second key from second 50 on, the first one published for 600 s more.
struct Rotating(Arc<TestSigner>, Arc<TestSigner>);

impl Keys for Rotating {
    fn at(&self, now: jiff::Timestamp) -> Arc<KeySet> {
        let (signing, retired) = if now < at(50) {
            (self.0.clone(), None)
        } else {
            (self.1.clone(), (now < at(650)).then(|| self.0.clone()))
        };
        Arc::new(KeySet {
            signing: vec![signing],
            retired: retired
                .into_iter()
                .map(|key| key as Arc<dyn crate::Signer>)
                .collect(),
        })
    }
}

#[test]
fn a_retired_key_is_published_as_long_as_its_signatures_are_about() {
    let (old, new) = (
        Arc::new(TestSigner::new()),
        Arc::new(TestSigner::named("test-only-2")),
    );
    let keys = Rotating(old.clone(), new.clone());
    let mut world = World::with(|config| config.keys = Arc::new(keys));
    let kids = |world: &mut World| {
        let request = http::Request::get("/jwks").body(Bytes::new()).unwrap();
        let (_, body) = answer(&world.http(request));
        let keys = body["keys"].as_array().unwrap().iter();
        keys.map(|key| key["kid"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let before = world.tokens("poll", &[]);
    old.verify(before["id_token"].as_str().unwrap());
    assert_eq!(kids(&mut world), ["test-only-1"]);
    world.now = 60;
    let after = world.tokens("poll", &[]);
    new.verify(after["id_token"].as_str().unwrap());
    assert_eq!(kids(&mut world), ["test-only-2", "test-only-1"]);
    world.now = 700;
    assert_eq!(kids(&mut world), ["test-only-2"]);
}

//! Forms, headers, paths and registrations.

use bytes::Bytes;
use http::{Method, Request};
use rand_core::Rng;
use serde_json::{Value, json};

use super::super::{ALICE, CIBA, basic, encode};
use super::draws::{MEMBERS, PARAMETERS, bend, flip, flipped, text};
use super::generators::{Kit, post};
use crate::testing::TestRng;

pub(super) fn form_values(_: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let mut form = vec![
        ("scope", "openid".to_owned()),
        ("acr_values", "mod-mf".to_owned()),
        ("login_hint", ALICE.to_owned()),
    ];
    for _ in 0..=rng.roll(4) {
        let name = rng.pick(&PARAMETERS);
        form.retain(|(other, _)| *other != name || other.len() % 2 == 0);
        form.push((name, text(rng)));
    }
    let client = rng.pick(&["poll", "ping", "push"]);
    let pairs: Vec<(&str, &str)> = form
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    post("/bc-authorize", Some(client), &encode(&pairs))
}

pub(super) fn form_octets(_: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let mut body = encode(&[
        ("scope", "openid"),
        ("acr_values", "3 2"),
        ("login_hint", ALICE),
    ])
    .into_bytes();
    flip(rng, &mut body);
    let mut request = post("/bc-authorize", Some("poll"), "");
    *request.body_mut() = Bytes::from(body);
    request
}

pub(super) fn form_shape(_: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let body = match rng.roll(8) {
        0 => "&".repeat(rng.roll(100_000)),
        1 => "=".repeat(rng.roll(100_000)),
        2 => (0..rng.roll(200))
            .map(|index| format!("p{index}=1&"))
            .collect(),
        3 => format!("scope=openid&scope={}", "a".repeat(rng.roll(100))),
        4 => "%".repeat(rng.roll(100)),
        5 => format!("a=%{:02x}", rng.next_u32() % 256),
        6 => "x".repeat((1 << 20) + rng.roll(10)),
        _ => "scope=openid&acr%5fvalues=mod-mf&login_hint=%00".to_owned(),
    };
    let path = rng.pick(&["/bc-authorize", "/token", "/introspect", "/revoke"]);
    post(path, Some("poll"), &body)
}

pub(super) fn content_type(_: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    const TYPES: [&str; 8] = [
        "application/json",
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded;;;",
        "application/x-www-form-urlencoded, text/plain",
        "",
        ";",
        "application/xml",
    ];
    let mut request = post("/bc-authorize", Some("poll"), "scope=openid");
    *request.uri_mut() = rng
        .pick(&[
            "/bc-authorize",
            "/token",
            "/introspect",
            "/revoke",
            "/register",
        ])
        .parse()
        .unwrap();
    request
        .headers_mut()
        .insert("content-type", rng.pick(&TYPES).parse().unwrap());
    request
}

pub(super) fn authorization(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let mut request = kit.authorize(&[]);
    *request.uri_mut() = rng
        .pick(&[
            "/bc-authorize",
            "/token",
            "/introspect",
            "/revoke",
            "/userinfo",
        ])
        .parse()
        .unwrap();
    for _ in 0..=rng.roll(2) {
        let mut header =
            basic("poll", &text(rng).chars().take(500).collect::<String>()).into_bytes();
        if rng.roll(3) == 0 {
            header = b"Bearer ".to_vec();
        }
        flip(rng, &mut header);
        if let Ok(header) = http::HeaderValue::from_bytes(&header) {
            request.headers_mut().append("authorization", header);
        }
    }
    request
}

pub(super) fn methods_and_paths(_: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    const PATHS: [&str; 13] = [
        "/",
        "/bc-authorize",
        "/token",
        "/userinfo",
        "/jwks",
        "/.well-known/openid-configuration",
        "/authorize",
        "/introspect",
        "/revoke",
        "/register",
        "/register/x",
        "/nothing",
        "/bc-authorize/",
    ];
    const METHODS: [&str; 8] = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW",
    ];
    let method = Method::from_bytes(rng.pick(&METHODS).as_bytes()).unwrap();
    let path = format!("{}?{}", rng.pick(&PATHS), rng.roll(1000));
    Request::builder()
        .method(method)
        .uri(path)
        .body(Bytes::from(text(rng)))
        .unwrap()
}

pub(super) fn token_values(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let names = [
        "grant_type",
        "auth_req_id",
        "refresh_token",
        "scope",
        "client_id",
        "client_assertion",
    ];
    let mut form = vec![("grant_type", rng.pick(&[CIBA, "refresh_token"]).to_owned())];
    form.push(("refresh_token", kit.refresh_token.clone()));
    for _ in 0..=rng.roll(3) {
        let name = rng.pick(&names);
        form.retain(|(other, _)| *other != name);
        form.push((name, text(rng)));
    }
    let pairs: Vec<(&str, &str)> = form
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    // Another client's, so that nothing is used up.
    post("/token", Some("poll2"), &encode(&pairs))
}

pub(super) fn introspection_and_revocation(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let token = rng.pick(&[&kit.access_token, &kit.refresh_token, &kit.id_token]);
    let token = flipped(rng, token);
    let hint = text(rng);
    let path = rng.pick(&["/introspect", "/revoke"]);
    post(
        path,
        Some("poll2"),
        &encode(&[("token", &token), ("token_type_hint", &hint)]),
    )
}

pub(super) fn userinfo(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let mut header = format!("Bearer {}", kit.access_token).into_bytes();
    flip(rng, &mut header);
    let mut request = Request::builder()
        .method(rng.pick(&["GET", "POST"]))
        .uri("/userinfo");
    if let Ok(header) = http::HeaderValue::from_bytes(&header) {
        request = request.header("authorization", header);
    }
    request.body(Bytes::from(text(rng))).unwrap()
}

fn metadata(kit: &Kit) -> Value {
    json!({
        "client_name": "Bank",
        "backchannel_token_delivery_mode": "ping",
        "backchannel_client_notification_endpoint": "https://rp.example/cb",
        "backchannel_authentication_request_signing_alg": "ES256",
        "backchannel_user_code_parameter": false,
        "token_endpoint_auth_method": "private_key_jwt",
        "grant_types": [CIBA],
        "jwks": {"keys": [kit.encryption[0].to_value()]},
    })
}

fn json_request(method: &str, path: &str, body: Vec<u8>) -> Request<Bytes> {
    let request = Request::builder().method(method).uri(path);
    request
        .header("content-type", "application/json")
        .body(Bytes::from(body))
        .unwrap()
}

pub(super) fn registration_members(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let mut metadata = metadata(kit);
    bend(rng, &mut metadata, &MEMBERS);
    if rng.roll(3) == 0 && metadata["jwks"]["keys"][0].is_object() {
        bend(
            rng,
            &mut metadata["jwks"]["keys"][0],
            &[
                "kty", "crv", "x", "y", "n", "e", "kid", "use", "alg", "x5c", "d",
            ],
        );
    }
    json_request("POST", "/register", metadata.to_string().into_bytes())
}

pub(super) fn registration_octets(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let mut body = metadata(kit).to_string().into_bytes();
    flip(rng, &mut body);
    json_request("POST", "/register", body)
}

pub(super) fn registration_management(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let id: String = text(rng)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(60)
        .collect();
    let method = rng.pick(&["GET", "PUT", "DELETE"]);
    let mut request = json_request(
        method,
        &format!("/register/{id}"),
        metadata(kit).to_string().into_bytes(),
    );
    let header = format!("Bearer {}", kit.access_token).parse().unwrap();
    request.headers_mut().insert("authorization", header);
    request
}

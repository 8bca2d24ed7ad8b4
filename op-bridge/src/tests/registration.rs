//! Dynamic registration (RFC 7591, RFC 7592) with the metadata of CIBA Core §4.

use http::Method;
use serde_json::json;

use super::*;
use crate::testing::assertion;
use crate::{Profile, Registration, Signer};

struct Registered {
    world: World,
    id: String,
    body: Value,
    token: String,
}

fn call(
    world: &mut World,
    method: Method,
    path: &str,
    token: Option<&str>,
    body: Option<&Value>,
) -> (u16, Value) {
    let mut request = http::Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let body = body.map(Value::to_string).unwrap_or_default();
    let response = world.http(request.body(Bytes::from(body)).unwrap());
    assert_eq!(response.headers()["cache-control"], "no-store");
    let status = response.status().as_u16();
    let body = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
    (status, body)
}

fn register(world: &mut World, metadata: &Value) -> (u16, Value) {
    call(world, Method::POST, "/register", None, Some(metadata))
}

fn poll_client() -> Value {
    json!({"backchannel_token_delivery_mode": "poll", "client_name": "Fresh Bank"})
}

impl Registered {
    fn new(metadata: &Value) -> Self {
        let mut world = World::new();
        let (status, body) = register(&mut world, metadata);
        assert_eq!(status, 201, "{body}");
        Self::of(world, body)
    }

    fn of(world: World, body: Value) -> Self {
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        Self {
            id: text("client_id"),
            token: text("registration_access_token"),
            world,
            body,
        }
    }

    fn manage(&mut self, method: Method, body: Option<&Value>) -> (u16, Value) {
        let uri = self.body["registration_client_uri"].as_str().unwrap();
        let path = uri.strip_prefix(ISSUER).unwrap().to_owned();
        let token = self.token.clone();
        call(&mut self.world, method, &path, Some(&token), body)
    }

    /// RFC 7592 §3: every answer has both.
    fn is_told_how_to_go_on(&self, body: &Value) {
        assert_eq!(body["registration_access_token"], json!(self.token));
        let uri = &self.body["registration_client_uri"];
        assert_eq!(&body["registration_client_uri"], uri);
    }

    fn authorize(&mut self, secret: &str) -> (u16, Value) {
        let mut request = authorize_request("poll", &[]);
        let header = basic(&self.id, secret).parse().unwrap();
        request.headers_mut().insert("authorization", header);
        answer(&self.world.http(request))
    }
}

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
fn rfc_7517_b_key_with_its_certificate_can_be_registered_and_no_other_key_with_it() {
    let rfc = crate::jose::tests::rfc();
    let mut key = rfc["rfc7517"]["x5c"]["key"].clone();
    let metadata = |key: &Value| {
        let mut metadata = poll_client();
        metadata["token_endpoint_auth_method"] = json!("private_key_jwt");
        metadata["jwks"] = json!({ "keys": [key] });
        metadata
    };
    let mut world = World::new();
    let (status, body) = register(&mut world, &metadata(&key));
    assert_eq!(status, 201, "{body}");
    assert_eq!(body["jwks"]["keys"][0], key);
    key["n"] = rfc["rfc7517"]["public"]["keys"][1]["n"].clone();
    let (status, body) = register(&mut world, &metadata(&key));
    assert_eq!(status, 400);
    let why = body["error_description"].as_str().unwrap();
    assert!(
        why.starts_with("jwks has an x5c certificate of another key"),
        "{why}"
    );
}

#[test]
fn metadata_that_cannot_be_kept_are_refused_by_name() {
    let key = TestSigner::new().public_jwk();
    let mut private = key.clone();
    private["d"] = json!("AAAA");
    let weak = json!({"kty": "RSA", "e": "AQAB", "n": crate::jose::base64url([0xff; 128])});
    for (change, member) in [
        (
            json!({"backchannel_token_delivery_mode": null}),
            "backchannel_token_delivery_mode",
        ),
        (
            json!({"backchannel_token_delivery_mode": "long"}),
            "backchannel_token_delivery_mode",
        ),
        (
            json!({"backchannel_token_delivery_mode": "ping"}),
            "backchannel_client_notification_endpoint",
        ),
        (
            json!({"backchannel_client_notification_endpoint": "http://rp.example/cb"}),
            "backchannel_client_notification_endpoint",
        ),
        (
            json!({"backchannel_client_notification_endpoint": "http://127.0.0.1.evil.example/cb"}),
            "backchannel_client_notification_endpoint",
        ),
        (
            json!({"backchannel_client_notification_endpoint": "http://127.evil.example/"}),
            "backchannel_client_notification_endpoint",
        ),
        (
            json!({"backchannel_client_notification_endpoint": "http://127.0.0.1@evil.example/"}),
            "backchannel_client_notification_endpoint",
        ),
        (
            json!({"backchannel_client_notification_endpoint": "https://rp.example/cb#x"}),
            "backchannel_client_notification_endpoint",
        ),
        (
            json!({"backchannel_client_notification_endpoint": "file:///etc/passwd"}),
            "backchannel_client_notification_endpoint",
        ),
        (
            json!({"backchannel_authentication_request_signing_alg": "none", "jwks": {"keys": [key]}}),
            "backchannel_authentication_request_signing_alg",
        ),
        (
            json!({"backchannel_authentication_request_signing_alg": "HS256", "jwks": {"keys": [key]}}),
            "backchannel_authentication_request_signing_alg",
        ),
        (
            json!({"backchannel_authentication_request_signing_alg": "ES256"}),
            "jwks",
        ),
        (
            json!({"backchannel_user_code_parameter": true}),
            "backchannel_user_code_parameter",
        ),
        (
            json!({"backchannel_user_code_parameter": "yes"}),
            "backchannel_user_code_parameter",
        ),
        (
            json!({"token_endpoint_auth_method": "none"}),
            "token_endpoint_auth_method",
        ),
        (
            json!({"token_endpoint_auth_method": "private_key_jwt"}),
            "jwks",
        ),
        (
            json!({"token_endpoint_auth_method": "tls_client_auth"}),
            "tls_client_auth_subject_dn",
        ),
        (
            json!({"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": ""}),
            "tls_client_auth_san_dns",
        ),
        (
            json!({"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_subject_dn": ""}),
            "tls_client_auth_subject_dn",
        ),
        (
            json!({"tls_client_auth_san_dns": "rp.example"}),
            "tls_client_auth_subject_dn",
        ),
        (
            json!({"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "a", "tls_client_auth_san_uri": "b"}),
            "tls_client_auth_subject_dn",
        ),
        (
            json!({"token_endpoint_auth_signing_alg": "HS256", "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [key]}}),
            "token_endpoint_auth_signing_alg",
        ),
        (json!({"jwks": {"keys": [private]}}), "jwks"),
        (json!({"jwks": {"keys": [weak]}}), "jwks"),
        (json!({"jwks": "x"}), "jwks"),
        (
            json!({"jwks_uri": "https://rp.example/jwks", "jwks": {"keys": [key]}}),
            "jwks_uri",
        ),
        (json!({"jwks_uri": "http://rp.example/jwks"}), "jwks_uri"),
        (json!({"jwks_uri": 7}), "jwks_uri"),
        (
            json!({"grant_types": ["authorization_code"]}),
            "grant_types",
        ),
        (json!({"grant_types": "x"}), "grant_types"),
        (
            json!({"require_signed_request_object": true}),
            "require_signed_request_object",
        ),
        (
            json!({"require_signed_request_object": "yes"}),
            "require_signed_request_object",
        ),
        (json!({"response_types": ["code"]}), "response_types"),
        (json!({"subject_type": "other"}), "subject_type"),
        (
            json!({"id_token_signed_response_alg": "none"}),
            "id_token_signed_response_alg",
        ),
        (
            json!({"id_token_encrypted_response_alg": "RSA-OAEP"}),
            "id_token_encrypted_response_alg",
        ),
        (
            json!({"tls_client_certificate_bound_access_tokens": true}),
            "tls_client_certificate_bound_access_tokens",
        ),
        (json!({"client_name": 7}), "client_name"),
    ] {
        let mut metadata = poll_client();
        for (name, value) in change.as_object().unwrap() {
            match value {
                Value::Null => drop(metadata.as_object_mut().unwrap().remove(name)),
                value => metadata[name] = value.clone(),
            }
        }
        let mut world = World::new();
        let (status, body) = register(&mut world, &metadata);
        assert_eq!(
            (status, body["error"].as_str()),
            (400, Some("invalid_client_metadata")),
            "{metadata}"
        );
        let description = body["error_description"].as_str().unwrap();
        assert!(description.starts_with(member), "{metadata}: {description}");
        assert!(world.store.records.is_empty());
    }
}

#[test]
fn nobody_registers_into_the_sector_of_another_client() {
    let foreign = "https://bank.example/sector.json";
    let endpoint = "https://RP.example:8443/cb";
    for (mode, pairwise, uri, refused) in [
        ("poll", true, Some(foreign), Some("sector_identifier_uri")),
        ("ping", true, Some(foreign), Some("sector_identifier_uri")),
        ("push", true, Some(foreign), Some("sector_identifier_uri")),
        ("push", false, Some(foreign), Some("sector_identifier_uri")),
        // A ping client fetches its tokens from anywhere: its endpoint proves nothing.
        (
            "ping",
            true,
            Some("https://rp.example/s"),
            Some("sector_identifier_uri"),
        ),
        ("ping", true, None, Some("subject_type")),
        ("poll", true, None, Some("subject_type")),
        ("push", true, Some("https://rp.example/s"), None),
        ("push", true, None, None),
        ("poll", false, None, None),
    ] {
        let mut metadata = json!({
            "backchannel_token_delivery_mode": mode,
            "backchannel_client_notification_endpoint": endpoint,
            "subject_type": if pairwise { "pairwise" } else { "public" },
        });
        if let Some(uri) = uri {
            metadata["sector_identifier_uri"] = json!(uri);
        }
        let (status, body) = register(&mut World::new(), &metadata);
        let Some(member) = refused else {
            assert_eq!(status, 201, "{metadata}: {body}");
            continue;
        };
        assert_eq!(
            (status, body["error"].as_str()),
            (400, Some("invalid_client_metadata")),
            "{metadata}"
        );
        let description = body["error_description"].as_str().unwrap();
        assert!(description.starts_with(member), "{metadata}: {description}");
    }
}

#[test]
fn a_jwks_uri_can_be_registered_and_is_the_sector_of_who_has_a_key_there() {
    let mut world = World::new();
    let metadata = json!({
        "backchannel_token_delivery_mode": "poll",
        "token_endpoint_auth_method": "private_key_jwt",
        "backchannel_authentication_request_signing_alg": "ES256",
        "jwks_uri": "https://rp.example/jwks",
        "subject_type": "pairwise",
    });
    let (status, body) = register(&mut world, &metadata);
    assert_eq!(status, 201, "{body}");
    assert_eq!(body["jwks_uri"], metadata["jwks_uri"]);
    // A secret proves nothing about the keys over there.
    let mut secret = metadata.clone();
    secret["token_endpoint_auth_method"] = json!("client_secret_basic");
    let (status, body) = register(&mut world, &secret);
    assert_eq!(
        (status, &body["error"]),
        (400, &json!("invalid_client_metadata"))
    );
    let why = body["error_description"].as_str().unwrap();
    assert!(why.starts_with("subject_type"), "{why}");
}

#[test]
fn registration_reads_one_json_object() {
    let mut world = World::new();
    for (kind, body) in [
        ("application/json", "{"),
        ("application/json", "[]"),
        (
            "application/json",
            r#"{"client_name":"a","client_name":"b"}"#,
        ),
        ("application/x-www-form-urlencoded", "client_name=a"),
    ] {
        let request = http::Request::post("/register").header("content-type", kind);
        let response = world.http(request.body(Bytes::from(body)).unwrap());
        let (status, body) = answer(&response);
        assert_eq!(
            (status, body["error"].as_str()),
            (400, Some("invalid_client_metadata"))
        );
    }
    let long = json!({"client_name": "x".repeat(70_000)});
    assert_eq!(register(&mut world, &long).0, 400);
}

#[test]
fn registration_can_be_closed_or_ask_for_a_token() {
    let mut world = World::with(|config| config.registration = Registration::Off);
    assert_eq!(register(&mut world, &poll_client()).0, 404);
    let mut world = World::with(|config| {
        config.registration = Registration::Token(Secret::new("initial"));
    });
    for (token, status) in [(None, 401), (Some("wrong"), 401), (Some("initial"), 201)] {
        let (got, body) = call(
            &mut world,
            Method::POST,
            "/register",
            token,
            Some(&poll_client()),
        );
        assert_eq!(got, status, "{token:?}: {body}");
    }
}

#[test]
fn registered_client_reads_updates_and_deletes_itself() {
    let mut registered = Registered::new(&poll_client());
    let secret = registered.body["client_secret"]
        .as_str()
        .unwrap()
        .to_owned();
    let (status, body) = registered.manage(Method::GET, None);
    assert_eq!((status, &body["client_name"]), (200, &json!("Fresh Bank")));
    assert_eq!(body["client_id"], json!(registered.id));
    registered.is_told_how_to_go_on(&body);

    let mut update = poll_client();
    update["client_id"] = json!(registered.id);
    update["client_secret"] = json!(secret);
    update["client_name"] = json!("Renamed Bank");
    let (status, body) = registered.manage(Method::PUT, Some(&update));
    assert_eq!(
        (status, &body["client_name"]),
        (200, &json!("Renamed Bank")),
        "{body}"
    );
    registered.is_told_how_to_go_on(&body);
    assert_eq!(registered.authorize(&secret).0, 200, "the secret goes on");

    for (member, value) in [
        ("client_id", json!("poll")),
        ("client_secret", json!("other")),
        ("registration_access_token", json!("x")),
        ("client_id_issued_at", json!(1)),
    ] {
        let mut bad = update.clone();
        bad[member] = value;
        let (status, body) = registered.manage(Method::PUT, Some(&bad));
        assert_eq!(
            (status, body["error"].as_str()),
            (400, Some("invalid_request")),
            "{member}"
        );
    }
    assert_eq!(registered.manage(Method::DELETE, None).0, 204);
    assert_eq!(registered.manage(Method::GET, None).0, 401);
    assert_eq!(registered.authorize(&secret).0, 401);
}

#[test]
fn registration_access_token_is_for_its_client_alone() {
    let mut registered = Registered::new(&poll_client());
    let (_, other) = register(&mut registered.world, &poll_client());
    registered.token = other["registration_access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let (status, body) = registered.manage(method.clone(), Some(&poll_client()));
        assert_eq!(
            (status, body["error"].as_str()),
            (401, Some("invalid_token")),
            "{method}"
        );
    }
    let mut world = World::new();
    for path in [
        "/register/poll",
        "/register/",
        "/register/..%2f",
        "/register/a/b",
    ] {
        assert_eq!(
            call(&mut world, Method::GET, path, Some("x"), None).0,
            401,
            "{path}"
        );
    }
}

#[test]
fn fapi_ciba_registration_wants_keys_and_signed_requests() {
    let mut world = World::with(|config| {
        config.clients.clear();
        config.set_profile(Profile::FapiCiba);
        config.mtls_url = Some("https://127.0.0.1:8262".into());
    });
    let key = TestSigner::new().public_jwk();
    let good = json!({
        "backchannel_token_delivery_mode": "poll",
        "token_endpoint_auth_method": "private_key_jwt",
        "backchannel_authentication_request_signing_alg": "ES256",
        "jwks": {"keys": [key]},
    });
    let (status, body) = register(&mut world, &good);
    assert_eq!(status, 201, "{body}");
    assert_eq!(body["tls_client_certificate_bound_access_tokens"], true);
    for (member, value) in [
        ("tls_client_certificate_bound_access_tokens", json!(false)),
        ("require_signed_request_object", json!(false)),
        ("backchannel_token_delivery_mode", json!("push")),
        ("token_endpoint_auth_method", json!("client_secret_basic")),
        (
            "backchannel_authentication_request_signing_alg",
            Value::Null,
        ),
    ] {
        let mut bad = good.clone();
        match value {
            Value::Null => drop(bad.as_object_mut().unwrap().remove(member)),
            value => bad[member] = value,
        }
        let (status, body) = register(&mut world, &bad);
        assert_eq!(
            (status, body["error"].as_str()),
            (400, Some("invalid_client_metadata")),
            "{member}"
        );
    }
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

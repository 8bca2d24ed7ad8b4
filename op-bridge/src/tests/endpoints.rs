//! Routing, discovery (CIBA Core §4), keys, UserInfo (OpenID Connect Core §5.3), configuration.

use bytes::Bytes;

use super::*;
use crate::ConfigError;

fn request(method: &str, path: &str) -> http::Request<Bytes> {
    http::Request::builder()
        .method(method)
        .uri(path)
        .body(Bytes::new())
        .unwrap()
}

#[test]
fn discovery_lists_what_ciba_wants() {
    let response = World::new().http(request("GET", "/.well-known/openid-configuration"));
    let (status, body) = answer(&response);
    assert_eq!(status, 200);
    assert_eq!(body["issuer"], ISSUER);
    assert_eq!(
        body["backchannel_authentication_endpoint"],
        format!("{ISSUER}/bc-authorize")
    );
    assert_eq!(body["token_endpoint"], format!("{ISSUER}/token"));
    assert_eq!(body["userinfo_endpoint"], format!("{ISSUER}/userinfo"));
    assert_eq!(body["jwks_uri"], format!("{ISSUER}/jwks"));
    assert_eq!(
        body["backchannel_token_delivery_modes_supported"],
        serde_json::json!(["poll", "ping", "push"])
    );
    assert_eq!(body["backchannel_user_code_parameter_supported"], false);
    assert_eq!(body["grant_types_supported"], serde_json::json!([CIBA]));
    assert_eq!(
        body["id_token_signing_alg_values_supported"],
        serde_json::json!(["ES256"])
    );
    assert!(
        body["acr_values_supported"]
            .as_array()
            .unwrap()
            .contains(&Value::from("mod-mf"))
    );
}

/// RFC 8705 §5: only endpoints, and only those that stand at the top too.
#[test]
fn endpoints_behind_mutual_tls_have_aliases() {
    let discovered = |mtls_url: Option<&str>, issuer: &str| {
        let mut world = World::new();
        world.op.config.mtls_url = mtls_url.map(str::to_owned);
        world.op.config.issuer = issuer.to_owned();
        let op = Op::new(world.op.config.clone()).unwrap();
        crate::metadata::discovery(&op, at(world.now))
    };
    assert!(discovered(None, ISSUER)["mtls_endpoint_aliases"].is_null());
    let mtls = "https://op.test:8262";
    for (issuer, base) in [(ISSUER, ""), ("https://op.test/base", "/base")] {
        let document = discovered(Some(mtls), issuer);
        let aliases = document["mtls_endpoint_aliases"].as_object().unwrap();
        assert_eq!(aliases["token_endpoint"], format!("{mtls}{base}/token"));
        assert_eq!(
            aliases["userinfo_endpoint"],
            format!("{mtls}{base}/userinfo")
        );
        for name in aliases.keys() {
            assert!(
                name.ends_with("_endpoint") && name != "authorization_endpoint",
                "{name}"
            );
            assert!(document[name].is_string(), "{name}");
        }
        let endpoints = document.as_object().unwrap().keys();
        let endpoints = endpoints.filter(|name| name.ends_with("_endpoint"));
        assert_eq!(
            aliases.len(),
            endpoints
                .filter(|name| *name != "authorization_endpoint")
                .count()
        );
    }
}

/// Members that OpenID Connect Discovery §3, RFC 8414 §2, RFC 8705 §3.3, §5 and CIBA Core §4 define: the OIDF suite warns of
/// any other.
const KNOWN_METADATA: [&str; 48] = [
    "acr_values_supported",
    "authorization_endpoint",
    "backchannel_authentication_endpoint",
    "backchannel_authentication_request_signing_alg_values_supported",
    "backchannel_token_delivery_modes_supported",
    "backchannel_user_code_parameter_supported",
    "claim_types_supported",
    "claims_locales_supported",
    "claims_parameter_supported",
    "claims_supported",
    "code_challenge_methods_supported",
    "display_values_supported",
    "grant_types_supported",
    "id_token_encryption_alg_values_supported",
    "id_token_encryption_enc_values_supported",
    "id_token_signing_alg_values_supported",
    "introspection_endpoint",
    "introspection_endpoint_auth_methods_supported",
    "introspection_endpoint_auth_signing_alg_values_supported",
    "issuer",
    "jwks_uri",
    "mtls_endpoint_aliases",
    "op_policy_uri",
    "op_tos_uri",
    "registration_endpoint",
    "request_object_encryption_alg_values_supported",
    "request_object_encryption_enc_values_supported",
    "request_object_signing_alg_values_supported",
    "request_parameter_supported",
    "request_uri_parameter_supported",
    "require_request_uri_registration",
    "response_modes_supported",
    "response_types_supported",
    "revocation_endpoint",
    "revocation_endpoint_auth_methods_supported",
    "revocation_endpoint_auth_signing_alg_values_supported",
    "scopes_supported",
    "service_documentation",
    "subject_types_supported",
    "tls_client_certificate_bound_access_tokens",
    "token_endpoint",
    "token_endpoint_auth_methods_supported",
    "token_endpoint_auth_signing_alg_values_supported",
    "ui_locales_supported",
    "userinfo_encryption_alg_values_supported",
    "userinfo_encryption_enc_values_supported",
    "userinfo_endpoint",
    "userinfo_signing_alg_values_supported",
];

#[test]
fn metadata_has_what_the_suite_asks_for() {
    let mut world = World::with(|config| {
        config.mtls_url = Some("https://127.0.0.1:8262".to_owned());
    });
    let (_, body) = answer(&world.http(request("GET", "/.well-known/openid-configuration")));
    for (member, _) in body.as_object().unwrap() {
        assert!(KNOWN_METADATA.contains(&member.as_str()), "{member}");
    }
    let has = |member: &str, value: &str| {
        let values = body[member]
            .as_array()
            .unwrap_or_else(|| panic!("{member}"));
        assert!(values.contains(&value.into()), "{member}: {value}");
    };
    for (member, values) in [
        ("id_token_signing_alg_values_supported", vec!["ES256"]),
        (
            "token_endpoint_auth_methods_supported",
            vec![
                "private_key_jwt",
                "tls_client_auth",
                "self_signed_tls_client_auth",
            ],
        ),
        (
            "token_endpoint_auth_signing_alg_values_supported",
            vec!["PS256", "ES256"],
        ),
        ("userinfo_signing_alg_values_supported", vec!["ES256"]),
        (
            "backchannel_authentication_request_signing_alg_values_supported",
            vec!["PS256", "ES256"],
        ),
        ("grant_types_supported", vec![CIBA]),
        (
            "backchannel_token_delivery_modes_supported",
            vec!["poll", "ping"],
        ),
        ("subject_types_supported", vec!["public", "pairwise"]),
        ("acr_values_supported", vec!["mod-mf", "2", "3", "4"]),
    ] {
        for value in values {
            has(member, value);
        }
    }
    assert_eq!(body["tls_client_certificate_bound_access_tokens"], true);
    for asymmetric_only in body["backchannel_authentication_request_signing_alg_values_supported"]
        .as_array()
        .unwrap()
    {
        let alg = asymmetric_only.as_str().unwrap();
        assert!(alg != "none" && !alg.starts_with("HS"), "{alg}");
    }
}

#[test]
fn the_authorization_endpoint_is_a_stub() {
    for method in ["GET", "POST"] {
        let (status, body) = answer(&World::new().http(request(method, "/authorize")));
        assert_eq!(
            (status, &body["error"]),
            (400, &"unsupported_response_type".into())
        );
    }
}

#[test]
fn jwks_has_the_public_key_only() {
    let (_, body) = answer(&World::new().http(request("GET", "/jwks")));
    let key = body["keys"][0].as_object().unwrap();
    let members: Vec<&str> = key.keys().map(String::as_str).collect();
    assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
}

#[test]
fn wrong_methods_are_405_with_allow() {
    for (method, path, allow) in [
        ("POST", "/.well-known/openid-configuration", "GET, HEAD"),
        ("DELETE", "/jwks", "GET, HEAD"),
        ("GET", "/bc-authorize", "POST"),
        ("GET", "/token", "POST"),
        ("PUT", "/userinfo", "GET, HEAD, POST"),
        ("GET", "/mss/notify/x", "POST"),
    ] {
        let response = World::new().http(request(method, path));
        assert_eq!(response.status(), 405, "{path}");
        assert_eq!(response.headers()["allow"], allow, "{path}");
    }
}

#[test]
fn unknown_paths_are_404() {
    for path in [
        "/",
        "/token/",
        "/mss/notify",
        "/mss/notify/a/b",
        "/.well-known/x",
    ] {
        let (status, body) = answer(&World::new().http(request("POST", path)));
        assert_eq!(
            (status, body["error"].as_str()),
            (404, Some("not_found")),
            "{path}"
        );
    }
}

#[test]
fn an_issuer_with_a_path_serves_below_it() {
    let mut world = World::with(|config| config.issuer = format!("{ISSUER}/tenant"));
    let (_, body) = answer(&world.http(request("GET", "/tenant/.well-known/openid-configuration")));
    assert_eq!(body["token_endpoint"], format!("{ISSUER}/tenant/token"));
    assert_eq!(world.http(request("GET", "/jwks")).status(), 404);
}

#[test]
fn an_oversized_body_is_413() {
    let mut big = authorize_request("poll", &[]);
    *big.body_mut() = Bytes::from(vec![b'a'; 1024 * 1024 + 1]);
    assert_eq!(World::new().http(big).status(), 413);
}

fn token(world: &mut World, scope: &str) -> (String, Value) {
    let id = world.start_with("poll", &[("scope", scope)]);
    let signature = world.last();
    world.approve(&signature);
    let (_, tokens) = world.poll("poll", &id);
    let claims = world.signer.verify(tokens["id_token"].as_str().unwrap());
    (
        tokens["access_token"].as_str().unwrap().to_owned(),
        claims["sub"].clone(),
    )
}

fn userinfo(world: &mut World, method: &str, authorization: &str) -> http::Response<Bytes> {
    let mut request = request(method, "/userinfo");
    request
        .headers_mut()
        .insert("authorization", authorization.parse().unwrap());
    world.http(request)
}

#[test]
fn userinfo_releases_claims_by_scope() {
    let mut world = World::new();
    for (scope, claims) in [
        ("openid", vec!["sub"]),
        (
            "openid profile",
            vec!["family_name", "given_name", "name", "sub"],
        ),
        (
            "openid phone",
            vec!["phone_number", "phone_number_verified", "sub"],
        ),
        (
            "openid profile phone",
            vec![
                "family_name",
                "given_name",
                "name",
                "phone_number",
                "phone_number_verified",
                "sub",
            ],
        ),
    ] {
        let (token, sub) = token(&mut world, scope);
        for method in ["GET", "POST"] {
            let (status, body) = answer(&userinfo(&mut world, method, &format!("Bearer {token}")));
            assert_eq!(status, 200);
            assert_eq!(
                body.as_object().unwrap().keys().collect::<Vec<_>>(),
                claims,
                "{scope}"
            );
            assert_eq!(body["sub"], sub);
        }
    }
}

#[test]
fn userinfo_phone_number_is_e164() {
    let mut world = World::new();
    let (token, _) = token(&mut world, "openid phone");
    let (_, body) = answer(&userinfo(&mut world, "GET", &format!("bearer {token}")));
    assert_eq!(body["phone_number"], ALICE);
    assert_eq!(body["phone_number_verified"], true);
}

#[test]
fn userinfo_without_a_good_token_is_401() {
    let mut world = World::new();
    let (token, _) = token(&mut world, "openid");
    let bare = world.http(request("GET", &format!("/userinfo?access_token={token}")));
    assert_eq!(bare.status(), 401);
    assert_eq!(
        bare.headers()["www-authenticate"],
        "Bearer realm=\"midsim\""
    );
    for bad in ["Bearer wrong", "Bearer ", "Basic x", &token] {
        let response = userinfo(&mut world, "GET", bad);
        assert_eq!(response.status(), 401, "{bad}");
        assert!(response.headers().contains_key("www-authenticate"));
    }
    let wrong = userinfo(&mut world, "GET", "Bearer wrong");
    assert!(
        wrong.headers()["www-authenticate"]
            .to_str()
            .unwrap()
            .contains("error=\"invalid_token\"")
    );
    world.now = 3600; // the timer has not fired yet
    assert_eq!(
        userinfo(&mut world, "GET", &format!("Bearer {token}")).status(),
        401
    );
    world.advance(0);
    assert_eq!(
        userinfo(&mut world, "GET", &format!("Bearer {token}")).status(),
        401
    );
    assert!(
        !world.store.records.keys().any(|key| key.starts_with("at/")),
        "expired tokens go"
    );
}

/// RFC 6750 §2: no more than one way.
#[test]
fn an_access_token_that_comes_in_two_ways_is_invalid_request() {
    let mut world = World::new();
    let (token, _) = token(&mut world, "openid");
    let twice = |method: &str, query: &str, form: &str| {
        http::Request::builder()
            .method(method)
            .uri(format!("/userinfo{query}"))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from(form.to_owned()))
            .unwrap()
    };
    let in_query = format!("?x=y&access_token={token}");
    let in_form = format!("access%5Ftoken={token}");
    for request in [twice("GET", &in_query, ""), twice("POST", "", &in_form)] {
        let response = world.http(request);
        let challenge = &response.headers()["www-authenticate"];
        assert_eq!(
            challenge,
            "Bearer realm=\"midsim\", error=\"invalid_request\""
        );
        let (status, body) = answer(&response);
        assert_eq!((status, &body["error"]), (400, &"invalid_request".into()));
    }
    let once = world.http(twice("POST", "?x=access_token", "y=z"));
    assert_eq!(once.status(), 200);
}

#[test]
fn access_token_is_stored_as_its_hash_only() {
    let mut world = World::new();
    let (token, _) = token(&mut world, "openid");
    for (key, (_, value)) in &world.store.records {
        assert!(!format!("{key} {}", String::from_utf8_lossy(value)).contains(&token));
    }
}

#[test]
fn configuration_that_cannot_work_is_refused() {
    let build = |change: fn(&mut Config)| {
        let mut config = World::new().op.config().clone();
        change(&mut config);
        Op::new(config).err()
    };
    assert_eq!(build(|_| {}), None);
    for issuer in ["", "x", "ftp://x", "http://x/", "http://x?y", "http://x#y"] {
        let mut config = World::new().op.config().clone();
        config.issuer = issuer.to_owned();
        assert_eq!(
            Op::new(config).err(),
            Some(ConfigError::Issuer(issuer.to_owned()))
        );
    }
    assert!(matches!(
        build(|config| config.clients.push(client("poll", DeliveryMode::Poll))),
        Some(ConfigError::DuplicateClient(_))
    ));
    assert!(matches!(
        build(|config| config.clients[2].notification_endpoint = None),
        Some(ConfigError::NotificationEndpoint(_))
    ));
    assert!(matches!(
        build(|config| config.clients[0].name = "x".repeat(120)),
        Some(ConfigError::Name { .. })
    ));
    assert_eq!(
        build(|config| config.acr_values.clear()),
        Some(ConfigError::NoAcrValues)
    );
    assert_eq!(
        build(|config| config.polling.interval = 0),
        Some(ConfigError::Interval)
    );
    assert!(matches!(
        build(|config| config.lifetimes.auth_req_id = 601),
        Some(ConfigError::Lifetime { .. })
    ));
}

#[test]
fn a_message_survives_a_crash_and_carries_the_same_id() {
    let mut world = World::new();
    let input = world.http_input(authorize_request("poll", &[]));
    let outputs = world.step(input);
    assert!(
        outputs[0].durable().is_none(),
        "a reply belongs to its connection"
    );
    let (id, octets) = outputs[1].durable().unwrap();
    let Some(Output::Send(restored)) = Output::restore(&octets) else {
        panic!("not restored")
    };
    let send = world.last();
    assert_eq!(id, format!("send/{}", send.id));
    assert_eq!(
        (restored.id, restored.url, restored.body),
        (send.id, send.url, send.body)
    );
    assert!(Output::restore(b"{}").is_none());
}

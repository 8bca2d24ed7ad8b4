//! Signed authentication requests (CIBA Core §7.1.1, FAPI-CIBA §5.2.2 and the rows of the OIDF suite about them).

use serde_json::json;

use super::*;
use crate::testing::{assertion, jwt_client, mac, signed};
use crate::{JwsAlg, Profile, Signer};

/// An OP with a client `rp` that authenticates with its secret and signs its requests, and one `other` that does so, too.
struct Signing {
    world: World,
    signer: Arc<TestSigner>,
    other: Arc<TestSigner>,
}

impl Signing {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Config)) -> Self {
        let (signer, other) = (Arc::new(TestSigner::new()), Arc::new(TestSigner::new()));
        let clients = [("rp", &signer), ("other", &other)].map(|(id, signer)| {
            let mut client = Client::new(id, format!("{id}-secret"), DeliveryMode::Poll);
            client.authentication.jwks = jwt_client(id, signer).authentication.jwks;
            client.requests.signing_alg = Some(JwsAlg::Es256);
            client
        });
        let world = World::with(|config| {
            config.clients.extend(clients);
            change(config);
        });
        Self {
            world,
            signer,
            other,
        }
    }

    fn claims(&self) -> Value {
        let now = at(self.world.now).as_second();
        json!({
            "iss": "rp", "aud": ISSUER, "iat": now, "nbf": now, "exp": now + 300, "jti": "one",
            "scope": "openid", "acr_values": "mod-mf", "login_hint": ALICE,
        })
    }

    fn send(&mut self, request: &str, more: &[(&str, &str)]) -> (u16, Value) {
        let mut form = vec![("request", request)];
        form.extend(more);
        answer(&self.world.post("/bc-authorize", "rp", &form))
    }

    fn send_claims(&mut self, claims: &Value) -> (u16, Value) {
        let request = assertion(&self.signer, claims);
        self.send(&request, &[])
    }

    #[track_caller]
    fn refused(&mut self, request: &str, why: &str) {
        let (status, body) = self.send(request, &[]);
        assert_eq!(
            (status, body["error"].as_str()),
            (400, Some("invalid_request")),
            "{body}"
        );
        let members: Vec<_> = body.as_object().unwrap().keys().collect();
        assert_eq!(members, ["error", "error_description"]);
        let description = body["error_description"].as_str().unwrap();
        assert!(description.contains(why), "{description}");
        assert!(self.world.sent.is_empty(), "the MSSP is left alone");
    }

    /// A good request with one claim changed, or removed if it is null.
    #[track_caller]
    fn refused_with(claim: &str, value: Value, why: &str) {
        let mut signing = Self::new();
        let mut claims = signing.claims();
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(claim)),
            value => claims[claim] = value,
        }
        let request = assertion(&signing.signer, &claims);
        signing.refused(&request, why);
    }
}

fn now() -> i64 {
    at(0).as_second()
}

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
    let (status, body) = signing.send_claims(&claims);
    assert_eq!(
        (status, body["error"].as_str()),
        (400, Some("invalid_request"))
    );
    assert!(
        body["error_description"]
            .as_str()
            .unwrap()
            .contains("jti was used before")
    );
}

#[test]
fn ensure_request_object_signature_alg_none() {
    let mut signing = Signing::new();
    let none = format!(
        "{}.{}.",
        crate::jose::base64url(r#"{"alg":"none"}"#),
        crate::jose::base64url(signing.claims().to_string())
    );
    signing.refused(&none, "none is not allowed here; use ES256");
}

#[test]
fn ensure_request_object_bad_signature() {
    let mut signing = Signing::new();
    let good = assertion(&signing.signer, &signing.claims());
    let mut claims = signing.claims();
    claims["login_hint"] = json!("+447700900002");
    let payload = crate::jose::base64url(claims.to_string());
    let mut parts: Vec<&str> = good.split('.').collect();
    parts[1] = &payload;
    signing.refused(&parts.join("."), "signature does not verify");
}

#[test]
fn ensure_request_object_rs256_alg() {
    let mut signing = Signing::new();
    let header = json!({"alg": "RS256"});
    let request = signed(&signing.signer, &header, &signing.claims());
    signing.refused(&request, "RS256 is not allowed here; use ES256");
}

#[test]
fn request_object_with_a_mac_is_refused() {
    let mut signing = Signing::new();
    for secret in [
        "rp-secret".to_owned(),
        signing.signer.public_jwk().to_string(),
    ] {
        let request = mac(secret.as_bytes(), &signing.claims());
        signing.refused(&request, "HS256 is not allowed");
    }
}

#[test]
fn ensure_request_object_signed_by_other_client() {
    let mut signing = Signing::new();
    let request = assertion(&signing.other, &signing.claims());
    signing.refused(&request, "signature does not verify");
}

#[test]
fn request_object_of_another_client_is_refused() {
    Signing::refused_with("client_id", json!("other"), "client_id is another client's");
}

#[test]
fn request_object_that_is_encrypted_is_refused() {
    Signing::new().refused("a.b.c.d.e", "request is encrypted");
}

#[test]
fn request_object_that_is_none_is_refused() {
    for bad in ["x", "a.b", "..", "e30.e30.e30", &"A".repeat(20_000)] {
        Signing::new().refused(bad, "request:");
    }
}

#[test]
fn request_object_with_a_claim_twice_is_refused() {
    let mut signing = Signing::new();
    let claims = signing.claims().to_string();
    let twice = claims.replacen('{', r#"{"scope":"openid","#, 1);
    let input = format!(
        "{}.{}",
        crate::jose::base64url(r#"{"alg":"ES256"}"#),
        crate::jose::base64url(twice)
    );
    let signature = crate::jose::base64url(signing.signer.sign(input.as_bytes()));
    signing.refused(
        &format!("{input}.{signature}"),
        "payload has a member twice",
    );
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

#[test]
fn ensure_unsigned_bc_request_fails_for_a_client_that_signs() {
    let mut signing = Signing::new();
    let (status, body) = answer(&signing.world.authorize("rp", &[]));
    assert_eq!(
        (status, body["error"].as_str()),
        (400, Some("invalid_request"))
    );
    assert!(
        body["error_description"]
            .as_str()
            .unwrap()
            .contains("must send request")
    );
}

#[test]
fn signed_request_of_a_client_that_does_not_sign_is_refused() {
    let mut world = World::new();
    let (status, body) = answer(&world.post("/bc-authorize", "poll", &[("request", "a.b.c")]));
    assert_eq!(
        (status, body["error"].as_str()),
        (400, Some("invalid_request"))
    );
    assert!(
        body["error_description"]
            .as_str()
            .unwrap()
            .contains("not registered to sign")
    );
}

#[test]
fn signed_request_is_checked_after_the_client_and_before_the_parameters() {
    let mut signing = Signing::new();
    let mut claims = signing.claims();
    claims["login_hint"] = json!(NOBODY);
    let forged = assertion(&signing.other, &claims);
    let mut request = form_request("/bc-authorize", "rp", &[("request", &forged)]);
    let wrong = basic("rp", "wrong").parse().unwrap();
    request.headers_mut().insert("authorization", wrong);
    let (status, body) = answer(&signing.world.http(request));
    assert_eq!((status, &body["error"]), (401, &json!("invalid_client")));
    signing.refused(&forged, "signature does not verify");
    let (status, body) = signing.send_claims(&claims);
    assert_eq!((status, &body["error"]), (400, &json!("unknown_user_id")));
}

#[test]
fn request_uri_is_refused() {
    let (status, body) = answer(&World::new().authorize("poll", &[("request_uri", "https://x")]));
    assert_eq!(
        (status, body["error"].as_str()),
        (400, Some("invalid_request"))
    );
}

#[test]
fn fapi_ciba_requires_signed_requests_and_forbids_secrets_and_push() {
    let signer = Arc::new(TestSigner::new());
    let mut client = jwt_client("rp", &signer);
    client.requests.signing_alg = Some(JwsAlg::Es256);
    let make = |client: Client| {
        let mut config = bare_config();
        config.set_profile(Profile::FapiCiba);
        config.mtls_url = Some("https://127.0.0.1:8262".into());
        config.clients = vec![client];
        Op::new(config).map(drop)
    };
    assert_eq!(make(client.clone()), Ok(()));
    let mut unsigned = client.clone();
    unsigned.requests.signing_alg = None;
    assert!(matches!(
        make(unsigned),
        Err(crate::ConfigError::Unsigned(_))
    ));
    let secret = super::client("poll", DeliveryMode::Poll);
    assert!(matches!(make(secret), Err(crate::ConfigError::Method(..))));
    let mut push = client;
    push.mode = DeliveryMode::Push;
    assert!(matches!(make(push), Err(crate::ConfigError::FapiPush(_))));
}

#[test]
fn fapi_ciba_unsigned_request_says_what_to_do() {
    let mut signing = Signing::with(|config| {
        config.requests.signed = true;
        config
            .clients
            .retain(|client| client.requests.signing_alg.is_some());
    });
    let (_, body) = answer(&signing.world.authorize("rp", &[]));
    let description = body["error_description"].as_str().unwrap();
    assert!(description.starts_with("the request is not signed; FAPI-CIBA section 5.2.2"));
}

#[test]
fn user_code_is_asked_of_clients_that_are_registered_for_it() {
    struct Coded;
    impl crate::Subscribers for Coded {
        fn find(&self, _: &Msisdn) -> Option<Subscriber> {
            Some(Subscriber::default())
        }
        fn user_code(&self, msisdn: &Msisdn) -> Option<Secret> {
            (msisdn.to_string() == ALICE).then(|| Secret::new("2468"))
        }
    }
    let mut world = World::with(|config| {
        config.user_codes = true;
        config.clients[0].requests.user_code = true;
        config.subscribers = Arc::new(Coded);
    });
    for (change, error) in [
        (vec![], "missing_user_code"),
        (vec![("user_code", "1357")], "invalid_user_code"),
        (vec![("user_code", "2468x")], "invalid_user_code"),
    ] {
        let (status, body) = answer(&world.authorize("poll", &change));
        assert_eq!(
            (status, body["error"].as_str()),
            (400, Some(error)),
            "{change:?}"
        );
    }
    world.start_with("poll", &[("user_code", "2468")]);
    // Who has no code needs none.
    world.start_with("poll", &[("login_hint", "+447700900002")]);
    let (status, body) = answer(&world.authorize("poll2", &[("user_code", "2468")]));
    assert_eq!(
        (status, body["error"].as_str()),
        (400, Some("invalid_request"))
    );
}

#[test]
fn client_without_the_ciba_grant_is_unauthorized_client() {
    let mut world = World::with(|config| {
        config.clients[0].requests.grant_types = vec!["refresh_token".into()];
    });
    let (status, body) = answer(&world.authorize("poll", &[]));
    assert_eq!(
        (status, body["error"].as_str()),
        (400, Some("unauthorized_client"))
    );
}

#[test]
fn scope_is_bounded_by_registration() {
    let mut world = World::with(|config| {
        config.clients[0].issuance.scope = Some("openid phone".into());
    });
    let id = world.start_with("poll", &[("scope", "openid profile phone")]);
    let signature = world.last();
    world.approve(&signature);
    assert_eq!(world.poll("poll", &id).1["scope"], "openid phone");
}

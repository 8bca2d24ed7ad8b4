//! Keys of clients behind a jwks_uri (RFC 7591 §2): when they are fetched, how long they are used, and what is refused.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand_core::Rng;
use serde_json::json;

use super::*;
use crate::testing::signed;
use crate::{AuthMethod, JwsAlg, PeerCertificate, Signer};

const URL: &str = "https://rp.example/jwks.json";
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const CERTIFICATE: &[u8] = include_bytes!("../../../fixtures/certificates/client-ec-TEST-ONLY.der");

/// An OP with the client `remote`, which authenticates so and keeps its keys at [`URL`].
fn world(method: AuthMethod, signs: bool) -> World {
    World::with(|config| {
        let mut client = Client::new("remote", "", DeliveryMode::Poll);
        client.secret = None;
        client.authentication.method = method;
        client.requests.jwks_uri = Some(URL.to_owned());
        client.requests.signing_alg = signs.then_some(JwsAlg::Es256);
        config.clients.push(client);
    })
}

fn set(signers: &[&TestSigner]) -> Value {
    let key = |signer: &&TestSigner| {
        let mut key = signer.public_jwk();
        key["kid"] = json!(signer.kid());
        key
    };
    json!({ "keys": signers.iter().map(key).collect::<Vec<_>>() })
}

/// Of an assertion of `remote`.
fn claims(world: &mut World) -> Value {
    let now = at(world.now).as_second();
    let jti = world.rng.next_u64().to_string();
    json!({"iss": "remote", "sub": "remote", "aud": ISSUER, "exp": now + 60, "jti": jti})
}

fn proof(world: &mut World, signer: &TestSigner) -> String {
    let claims = claims(world);
    signed(
        signer,
        &json!({"alg": "ES256", "kid": signer.kid()}),
        &claims,
    )
}

fn form(fields: &[(&str, &str)]) -> http::Request<Bytes> {
    let mut request = form_request("/bc-authorize", "", fields);
    request.headers_mut().remove("authorization");
    request
}

/// An authentication request of `remote`, with an assertion by `signer`.
fn ask(world: &mut World, signer: &TestSigner) -> Option<http::Response<Bytes>> {
    let assertion = proof(world, signer);
    let input = world.http_input(asking(&assertion));
    reply(world.step(input))
}

fn asking(assertion: &str) -> http::Request<Bytes> {
    form(&[
        ("scope", "openid"),
        ("acr_values", "mod-mf"),
        ("login_hint", ALICE),
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", assertion),
    ])
}

/// The URL answers; the reply to the request that has waited for it.
fn found(
    world: &mut World,
    result: Result<http::Response<Bytes>, SendError>,
) -> http::Response<Bytes> {
    let (id, url, request) = world.fetches.pop().expect("something is fetched");
    assert_eq!(url, URL);
    let input = Input::Fetched {
        id,
        request: Some(request),
        url,
        result,
    };
    reply(world.step(input)).expect("the request goes on")
}

fn document(status: u16, body: impl Into<Bytes>) -> Result<http::Response<Bytes>, SendError> {
    let response = http::Response::builder().status(status);
    Ok(response.body(body.into()).unwrap())
}

fn keys(signers: &[&TestSigner]) -> Result<http::Response<Bytes>, SendError> {
    document(200, set(signers).to_string())
}

fn error(response: &http::Response<Bytes>) -> (u16, String) {
    let (status, body) = answer(response);
    (
        status,
        body["error"].as_str().unwrap_or_default().to_owned(),
    )
}

/// Another certificate of the same key: its signature, which is none of our business, is another one.
fn other_certificate() -> PeerCertificate {
    let mut der = CERTIFICATE.to_vec();
    *der.last_mut().unwrap() ^= 1;
    PeerCertificate {
        der: der.into(),
        trusted: false,
    }
}

/// What the trace says of the last fetch.
fn outcome(world: &World) -> String {
    let mut rows = world.events.iter().rev().map(Event::row);
    let row = rows.find(|row| row.name == "GET /jwks.json (jwks_uri)");
    let fields = row.expect("it is in the trace").fields;
    assert_eq!(fields[0], ("url".to_owned(), URL.to_owned()));
    fields[1].1.clone()
}

#[test]
fn keys_behind_a_jwks_uri_are_fetched_once_and_kept_for_ten_minutes() {
    let mut world = world(AuthMethod::PrivateKeyJwt, false);
    let signer = TestSigner::new();
    let records = world.store.records.len();
    assert!(ask(&mut world, &signer).is_none(), "it waits");
    assert_eq!(world.store.records.len(), records, "nothing has begun");
    assert_eq!(found(&mut world, keys(&[&signer])).status(), 200);
    assert_eq!(outcome(&world), "1 keys");
    for second in [1, 300, 599] {
        world.now = second;
        assert_eq!(ask(&mut world, &signer).unwrap().status(), 200);
    }
    world.now = 600;
    assert!(ask(&mut world, &signer).is_none(), "they are too old");
    assert_eq!(found(&mut world, keys(&[&signer])).status(), 200);
}

#[test]
fn an_unknown_kid_has_the_set_fetched_again_but_not_within_30_s() {
    let mut world = world(AuthMethod::PrivateKeyJwt, false);
    let (old, new) = (TestSigner::named("old"), TestSigner::named("new"));
    assert!(ask(&mut world, &old).is_none());
    found(&mut world, keys(&[&old]));
    world.now = 29;
    let refused = ask(&mut world, &new).expect("it must not be fetched so soon");
    assert_eq!(error(&refused), (401, "invalid_client".into()));
    world.now = 30;
    assert!(ask(&mut world, &new).is_none(), "it is fetched again");
    assert_eq!(found(&mut world, keys(&[&new])).status(), 200);
    let refused = ask(&mut world, &old).expect("fetched a moment ago");
    assert_eq!(error(&refused), (401, "invalid_client".into()));
}

#[test]
fn a_key_replaced_under_the_same_kid_has_the_set_fetched_again_but_not_within_30_s() {
    let mut world = world(AuthMethod::PrivateKeyJwt, false);
    let (old, new) = (TestSigner::named("one"), TestSigner::named("one"));
    assert_eq!(old.kid(), new.kid());
    assert!(ask(&mut world, &old).is_none());
    found(&mut world, keys(&[&old]));
    world.now = 29;
    let refused = ask(&mut world, &new).expect("it must not be fetched so soon");
    assert_eq!(error(&refused), (401, "invalid_client".into()));
    world.now = 30;
    assert_eq!(ask(&mut world, &old).unwrap().status(), 200);
    assert!(ask(&mut world, &new).is_none(), "it is fetched again");
    assert_eq!(found(&mut world, keys(&[&new])).status(), 200);
    // A stranger who knows the kid has it fetched no more often.
    for second in [31, 59] {
        world.now = second;
        let stranger = ask(&mut world, &old).unwrap();
        assert_eq!(error(&stranger), (401, "invalid_client".into()));
    }
    world.now = 60;
    assert!(ask(&mut world, &old).is_none());
    let stranger = found(&mut world, keys(&[&new]));
    assert_eq!(error(&stranger), (401, "invalid_client".into()));
    assert_eq!(ask(&mut world, &new).unwrap().status(), 200);
    // Another algorithm is no matter of keys.
    world.now = 100;
    let claims = claims(&mut world);
    let header = json!({"alg": "HS256", "kid": new.kid()});
    let refused = world.http(asking(&signed(&new, &header, &claims)));
    assert_eq!(error(&refused), (401, "invalid_client".into()));
}

#[test]
fn a_key_without_kid_that_was_replaced_has_the_set_fetched_again_but_not_within_30_s() {
    let mut world = world(AuthMethod::PrivateKeyJwt, false);
    let (old, new) = (TestSigner::new(), TestSigner::new());
    let nameless = |signer: &TestSigner| {
        let mut set = set(&[signer]);
        set["keys"][0].as_object_mut().unwrap().remove("kid");
        document(200, set.to_string())
    };
    let ask = |world: &mut World, signer: &TestSigner| {
        let claims = claims(world);
        let assertion = signed(signer, &json!({"alg": "ES256"}), &claims);
        let input = world.http_input(asking(&assertion));
        reply(world.step(input))
    };
    assert!(ask(&mut world, &old).is_none());
    assert_eq!(found(&mut world, nameless(&old)).status(), 200);
    world.now = 29;
    let refused = ask(&mut world, &new).expect("it must not be fetched so soon");
    assert_eq!(error(&refused), (401, "invalid_client".into()));
    world.now = 30;
    assert_eq!(ask(&mut world, &old).unwrap().status(), 200);
    assert!(ask(&mut world, &new).is_none(), "it is fetched again");
    assert_eq!(found(&mut world, nameless(&new)).status(), 200);
    let stranger = ask(&mut world, &TestSigner::new()).expect("fetched a moment ago");
    assert_eq!(error(&stranger), (401, "invalid_client".into()));
}

#[test]
fn what_is_no_key_set_is_refused_and_told_to_the_trace_alone() {
    let signer = TestSigner::new();
    let mut private = set(&[&signer]);
    private["keys"][0]["d"] = json!("AA");
    let cases = [
        (document(404, "{}"), "status 404 Not Found"),
        (document(302, "{}"), "status 302 Found"),
        (document(200, "<html>"), "it is no JSON"),
        (document(200, "{}"), "it cannot be used: its member keys"),
        (
            document(200, private.to_string()),
            "it cannot be used: it holds a private",
        ),
        (
            document(200, r#"{"keys":[]}"#),
            "it has no P-256 or RSA key",
        ),
        (document(200, vec![b' '; 65_537]), "it has 65537 octets"),
        (Err(SendError::TimedOut), "no answer in time"),
        (
            Err(SendError::Unreachable(
                "10.0.0.1 is a private network".into(),
            )),
            "unreachable: 10.0.0.1 is a private network",
        ),
    ];
    for (result, told) in cases {
        let mut world = world(AuthMethod::PrivateKeyJwt, false);
        assert!(ask(&mut world, &signer).is_none());
        let refused = found(&mut world, result);
        let (status, body) = answer(&refused);
        assert_eq!(
            (status, body["error"].as_str()),
            (401, Some("invalid_client"))
        );
        let description = body["error_description"].as_str().unwrap();
        assert!(
            description.contains("jwks_uri cannot be had"),
            "{description}"
        );
        assert!(!description.contains("10.0.0.1"), "{description}");
        assert!(outcome(&world).starts_with(told), "{}", outcome(&world));
        world.now = 29;
        assert_eq!(
            ask(&mut world, &signer).unwrap().status(),
            401,
            "no second attempt yet"
        );
        world.now = 30;
        assert!(ask(&mut world, &signer).is_none());
        assert_eq!(found(&mut world, keys(&[&signer])).status(), 200);
    }
}

#[test]
fn a_failed_attempt_leaves_the_last_set_until_its_time_is_over() {
    let mut world = world(AuthMethod::PrivateKeyJwt, false);
    let (signer, other) = (TestSigner::named("one"), TestSigner::named("other"));
    assert!(ask(&mut world, &signer).is_none());
    found(&mut world, keys(&[&signer]));
    world.now = 500;
    assert!(ask(&mut world, &other).is_none());
    assert_eq!(found(&mut world, document(503, "")).status(), 401);
    assert_eq!(ask(&mut world, &signer).unwrap().status(), 200);
    world.now = 601;
    assert!(ask(&mut world, &signer).is_none());
    assert_eq!(found(&mut world, document(503, "")).status(), 401);
}

#[test]
fn signed_requests_are_verified_with_fetched_keys() {
    let mut world = world(AuthMethod::PrivateKeyJwt, true);
    let signer = TestSigner::new();
    let now = at(0).as_second();
    let claims = json!({
        "iss": "remote", "aud": ISSUER, "iat": now, "nbf": now, "exp": now + 60, "jti": "r1",
        "scope": "openid", "acr_values": "mod-mf", "login_hint": ALICE,
    });
    let request = signed(
        &signer,
        &json!({"alg": "ES256", "kid": signer.kid()}),
        &claims,
    );
    let assertion = proof(&mut world, &signer);
    let input = world.http_input(form(&[
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", &assertion),
        ("request", &request),
    ]));
    assert!(reply(world.step(input)).is_none());
    assert_eq!(found(&mut world, keys(&[&signer])).status(), 200);
    let forged = signed(
        &TestSigner::new(),
        &json!({"alg": "ES256", "kid": signer.kid()}),
        &claims,
    );
    let with_forged = |world: &mut World| {
        let assertion = proof(world, &signer);
        world.http_input(form(&[
            ("client_assertion_type", JWT_BEARER),
            ("client_assertion", &assertion),
            ("request", &forged),
        ]))
    };
    let input = with_forged(&mut world);
    let refused = reply(world.step(input)).expect("fetched a moment ago");
    assert_eq!(error(&refused), (400, "invalid_request".into()));
    world.now = 30;
    let input = with_forged(&mut world);
    assert!(
        reply(world.step(input)).is_none(),
        "another key may be there by now"
    );
    let refused = found(&mut world, keys(&[&signer]));
    assert_eq!(error(&refused), (400, "invalid_request".into()));
}

#[test]
fn self_signed_certificates_are_compared_with_fetched_ones() {
    let certificate = crate::client_auth::x509::Certificate::parse(CERTIFICATE).unwrap();
    let mut jwk = crate::Jwk {
        kid: None,
        usage: None,
        alg: None,
        key: certificate.key().unwrap(),
    }
    .to_value();
    let ours = PeerCertificate {
        der: Bytes::from_static(CERTIFICATE),
        trusted: false,
    };
    for x5c in [false, true] {
        if x5c {
            jwk["x5c"] = json!([STANDARD.encode(CERTIFICATE)]);
        }
        let mut world = world(AuthMethod::SelfSignedTlsClientAuth, false);
        let mut request = form(&[
            ("client_id", "remote"),
            ("scope", "openid"),
            ("acr_values", "mod-mf"),
            ("login_hint", ALICE),
        ]);
        let mut others = request.clone();
        others.extensions_mut().insert(other_certificate());
        request.extensions_mut().insert(ours.clone());
        let again = request.clone();
        let input = world.http_input(request);
        assert!(reply(world.step(input)).is_none());
        // First the keys of somebody else, then the right ones.
        let refused = found(&mut world, keys(&[&TestSigner::new()]));
        assert_eq!(error(&refused), (401, "invalid_client".into()));
        world.now = 30;
        let input = world.http_input(again);
        assert!(reply(world.step(input)).is_none());
        let body = json!({ "keys": [jwk] }).to_string();
        assert_eq!(
            found(&mut world, document(200, body)).status(),
            200,
            "{x5c}"
        );
        // With x5c it must be that certificate; otherwise any of the key is good.
        let other = world.http(others);
        assert_eq!(other.status(), if x5c { 401 } else { 200 }, "{x5c}");
    }
}

#[test]
fn a_discovery_service_may_keep_its_keys_at_a_jwks_uri() {
    let mut world = World::with(|config| {
        config.hints.formats.signed = true;
        config.hints.issuers = vec![crate::HintIssuer {
            issuer: "https://discovery.example".into(),
            jwks: crate::JwkSet::default(),
            jwks_uri: Some(URL.to_owned()),
        }];
    });
    let (service, forger) = (TestSigner::named("one"), TestSigner::named("one"));
    let hint = |signer: &TestSigner| {
        let claims = json!({
            "iss": "https://discovery.example", "aud": ISSUER, "iat": at(0).as_second(), "MSISDN": ALICE,
        });
        signed(
            signer,
            &json!({"alg": "ES256", "kid": signer.kid()}),
            &claims,
        )
    };
    let ask = |world: &mut World, hint: &str| {
        let request = authorize_request("poll", &[("login_hint", ""), ("login_hint_token", hint)]);
        let input = world.http_input(request);
        reply(world.step(input))
    };
    assert!(ask(&mut world, &hint(&service)).is_none(), "it waits");
    assert_eq!(found(&mut world, keys(&[&service])).status(), 200);
    assert_eq!(ask(&mut world, &hint(&service)).unwrap().status(), 200);
    let refused = ask(&mut world, &hint(&forger)).unwrap();
    assert_eq!(error(&refused), (400, "invalid_request".into()));
    world.now = 30;
    assert!(
        ask(&mut world, &hint(&forger)).is_none(),
        "it may be a new key"
    );
    let refused = found(&mut world, keys(&[&service]));
    assert_eq!(error(&refused), (400, "invalid_request".into()));
    world.now = 700;
    // Too old by then, but whose word that is must be known first.
    assert!(ask(&mut world, &hint(&service)).is_none());
    let refused = found(&mut world, document(500, ""));
    assert_eq!(error(&refused), (400, "invalid_request".into()));
}

/// Both the client and the discovery service whose token it brings keep their keys elsewhere.
#[test]
fn a_request_that_needs_two_key_sets_has_each_fetched_once() {
    const OTHER_URL: &str = "https://discovery.example/jwks.json";
    let mut world = World::with(|config| {
        let mut client = Client::new("remote", "", DeliveryMode::Poll);
        client.secret = None;
        client.authentication.method = AuthMethod::PrivateKeyJwt;
        client.requests.jwks_uri = Some(URL.to_owned());
        config.clients.push(client);
        config.hints.formats.signed = true;
        config.hints.issuers = vec![crate::HintIssuer {
            issuer: "https://discovery.example".into(),
            jwks: crate::JwkSet::default(),
            jwks_uri: Some(OTHER_URL.to_owned()),
        }];
    });
    let (client, service) = (TestSigner::named("client"), TestSigner::named("service"));
    let hint = json!({
        "iss": "https://discovery.example", "aud": ISSUER, "iat": at(0).as_second(), "MSISDN": ALICE,
    });
    let hint = signed(
        &service,
        &json!({"alg": "ES256", "kid": service.kid()}),
        &hint,
    );
    let assertion = proof(&mut world, &client);
    let input = world.http_input(form(&[
        ("scope", "openid"),
        ("acr_values", "mod-mf"),
        ("login_hint_token", &hint),
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", &assertion),
    ]));
    assert!(reply(world.step(input)).is_none());
    for (expected, signer, last) in [(URL, &client, false), (OTHER_URL, &service, true)] {
        let (id, url, request) = world.fetches.pop().expect("something is fetched");
        assert_eq!(url, expected);
        let input = Input::Fetched {
            id,
            request: Some(request),
            url,
            result: keys(&[signer]),
        };
        let answered = reply(world.step(input)).map(|response| response.status().as_u16());
        assert_eq!(answered, last.then_some(200));
    }
    assert_eq!(world.fetches.len(), 0);
    let fetched = world
        .events
        .iter()
        .filter(|event| event.row().name.ends_with("(jwks_uri)"));
    assert_eq!(fetched.count(), 2, "both are in the trace");
}

#[test]
fn keys_are_kept_though_the_client_that_needed_them_has_left() {
    let mut world = world(AuthMethod::PrivateKeyJwt, false);
    let signer = TestSigner::new();
    assert!(ask(&mut world, &signer).is_none());
    let (id, url, _) = world.fetches.pop().unwrap();
    let input = Input::Fetched {
        id,
        request: None,
        url,
        result: keys(&[&signer]),
    };
    assert!(world.step(input).is_empty());
    assert_eq!(ask(&mut world, &signer).unwrap().status(), 200);
}

#[test]
fn keys_that_nobody_needs_are_forgotten() {
    let mut world = world(AuthMethod::PrivateKeyJwt, false);
    let signer = TestSigner::new();
    assert!(ask(&mut world, &signer).is_none());
    found(&mut world, keys(&[&signer]));
    let kept = |world: &World| {
        world
            .store
            .records
            .keys()
            .any(|key| key.starts_with("keys/"))
    };
    let key = world
        .store
        .timers
        .keys()
        .find(|key| key.starts_with("keys/"));
    let key = key.unwrap().clone();
    world.now = 599;
    world.step(Input::Timer { key: key.clone() });
    assert!(kept(&world));
    world.now = 600;
    world.step(Input::Timer { key });
    assert!(!kept(&world));
}

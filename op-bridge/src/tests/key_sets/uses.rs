//! What is compared with a set: requests, certificates, tokens of discovery services.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::support::*;
use super::*;
use crate::testing::signed;
use crate::{AuthMethod, PeerCertificate, Signer};

const CERTIFICATE: &[u8] =
    include_bytes!("../../../../fixtures/certificates/client-ec-TEST-ONLY.der");

/// Another certificate of the same key: its signature, which is none of our business, is another one.
fn other_certificate() -> PeerCertificate {
    let mut der = CERTIFICATE.to_vec();
    *der.last_mut().unwrap() ^= 1;
    PeerCertificate {
        der: der.into(),
        trusted: false,
    }
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

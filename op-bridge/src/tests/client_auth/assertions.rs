//! Assertions: private_key_jwt, and what holds for client_secret_jwt as well.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair};
use serde_json::json;

use super::support::*;
use super::*;
use crate::testing::{assertion, jwt_client};
use crate::{AuthMethod, DecryptionKey, JwkSet, JwsAlg, Signer};

const RSA_PEM: &str = include_str!("../../../../fixtures/keys/op-signing-rsa-TEST-ONLY.pem");

#[test]
fn private_key_jwt_is_taken_with_every_audience_it_may_have() {
    for (index, aud) in [
        json!(ISSUER),
        json!(format!("{ISSUER}/token")),
        json!(format!("{ISSUER}/bc-authorize")),
        json!("https://127.0.0.1:8262/token"),
        json!(["https://other.example", ISSUER]),
    ]
    .into_iter()
    .enumerate()
    {
        let mut caller = Caller::new();
        let mut claims = caller.claims();
        claims["aud"] = aud.clone();
        claims["jti"] = json!(index.to_string());
        let assertion = assertion(&caller.signer, &claims);
        let (status, body) = caller.send(&assertion);
        assert_eq!(status, 200, "{aud}: {body}");
    }
}

#[test]
fn private_key_jwt_works_at_the_token_endpoint() {
    let mut caller = Caller::new();
    let first = assertion(&caller.signer, &caller.claims());
    let (_, body) = caller.send_with(&first, &[("client_id", "jwt")]);
    let id = body["auth_req_id"].as_str().unwrap().to_owned();
    let mut claims = caller.claims();
    claims["jti"] = json!("two");
    claims["aud"] = json!(format!("{ISSUER}/token"));
    let second = assertion(&caller.signer, &claims);
    let form = [
        ("grant_type", CIBA),
        ("auth_req_id", id.as_str()),
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", second.as_str()),
    ];
    let request = http::Request::post("/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from(encode(&form)))
        .unwrap();
    let (status, body) = answer(&caller.world.http(request));
    assert_eq!(
        (status, body["error"].as_str()),
        (400, Some("authorization_pending"))
    );
}

#[test]
fn assertion_claims_are_all_checked() {
    let now = at(0).as_second();
    for (claim, value, why) in [
        ("iss", Value::Null, "iss"),
        ("iss", json!("poll"), "iss is poll"),
        ("sub", Value::Null, "sub is missing"),
        ("sub", json!(7), "sub must be a string"),
        ("sub", json!("nobody"), "no client"),
        ("aud", Value::Null, "aud is missing"),
        (
            "aud",
            json!("https://other.example"),
            "aud does not contain",
        ),
        ("aud", json!([]), "aud does not contain"),
        ("aud", json!(format!("{ISSUER}/")), "aud does not contain"),
        ("exp", Value::Null, "exp is missing"),
        ("exp", json!(now - 61), "exp was 61 s ago"),
        ("exp", json!(now + 3601), "exp is 3601 s ahead"),
        ("exp", json!("soon"), "exp must be a number"),
        ("exp", json!(1e300), "exp must be a number"),
        ("nbf", json!(now + 61), "nbf is 61 s ahead"),
        ("iat", json!(now + 61), "iat is 61 s ahead"),
        ("jti", Value::Null, "jti is missing"),
        ("jti", json!(""), "jti must have"),
        ("jti", json!("x".repeat(257)), "jti must have"),
    ] {
        let mut caller = Caller::new();
        let mut claims = caller.claims();
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(claim)),
            value => claims[claim] = value,
        }
        let assertion = assertion(&caller.signer, &claims);
        caller.refused(&assertion, why);
    }
}

#[test]
fn assertion_is_good_for_once() {
    let mut caller = Caller::new();
    let assertion = assertion(&caller.signer, &caller.claims());
    assert_eq!(caller.send(&assertion).0, 200);
    caller.refused(&assertion, "jti was used before");
    // Its record lives as long as the assertion could be used, and no longer.
    caller.world.advance(119);
    caller.refused(&assertion, "");
    caller.world.advance(2);
    let left = caller.world.store.records.keys();
    assert_eq!(left.filter(|key| key.starts_with("jti/")).count(), 0);
    caller.refused(&assertion, "exp was");
}

#[test]
fn assertion_of_two_requests_at_once_is_taken_once() {
    let mut caller = Caller::new();
    let assertion = assertion(&caller.signer, &caller.claims());
    let form = [
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", assertion.as_str()),
    ];
    let one = caller.world.http_input(unauthenticated(&form));
    let two = caller.world.http_input(unauthenticated(&form));
    let store = caller.world.store.clone();
    let (first, second) = (store.reader(), store.reader());
    let step = |reader, input| {
        let mut rng = TestRng(5);
        caller.world.op.step(reader, input, at(0), &mut rng)
    };
    let mut done = step(&first, one);
    let mut lost = step(&second, two);
    let (first, second) = (first.into_read(), second.into_read());
    assert!(caller.world.store.commit(&mut done, &first));
    assert!(
        !caller.world.store.commit(&mut lost, &second),
        "the second must step again"
    );
}

#[test]
fn assertion_signed_by_another_client_is_refused() {
    let mut caller = Caller::new();
    let forged = assertion(&TestSigner::new(), &caller.claims());
    caller.refused(&forged, "signature does not verify");
}

#[test]
fn assertion_with_alg_none_or_a_mac_of_the_public_key_is_refused() {
    let mut caller = Caller::new();
    let none = format!(
        "{}.{}.",
        crate::jose::base64url(r#"{"alg":"none"}"#),
        crate::jose::base64url(caller.claims().to_string())
    );
    caller.refused(&none, "none is not allowed");
    let key = caller.signer.public_jwk().to_string();
    let mac = crate::testing::mac(key.as_bytes(), &caller.claims());
    caller.refused(&mac, "HS256 is not allowed");
}

#[test]
fn assertion_alg_is_that_of_registration() {
    let signer = Arc::new(TestSigner::new());
    let mut client = jwt_client("jwt", &signer);
    client.authentication.signing_alg = Some(JwsAlg::Ps256);
    let mut caller = Caller::new();
    caller.world = World::with(|config| config.clients.push(client));
    let assertion = assertion(&signer, &caller.claims());
    caller.refused(&assertion, "ES256 is not allowed here; use PS256");
}

#[test]
fn assertion_rs256_of_a_ps256_client_is_refused_at_both_endpoints() {
    let key = RsaKeyPair::from_pkcs8(&pkcs8(RSA_PEM)).unwrap();
    let mut jwk = DecryptionKey::rsa_pem(RSA_PEM).unwrap().public();
    (jwk.kid, jwk.usage, jwk.alg) = (None, None, None);
    let mut client = Client::new("jwt", "", DeliveryMode::Poll);
    client.secret = None;
    client.authentication.method = AuthMethod::PrivateKeyJwt;
    client.authentication.signing_alg = Some(JwsAlg::Ps256);
    client.authentication.jwks = JwkSet(vec![jwk]);
    let mut caller = Caller::new();
    caller.world = World::with(|config| config.clients.push(client));
    let mut send = |path: &str, alg: &str, scheme: &'static dyn RsaEncoding, jti: &str| {
        let mut claims = caller.claims();
        claims["jti"] = json!(jti);
        let input = format!(
            "{}.{}",
            crate::jose::base64url(json!({ "alg": alg }).to_string()),
            crate::jose::base64url(claims.to_string())
        );
        let mut signature = vec![0; key.public().modulus_len()];
        let random = ring::rand::SystemRandom::new();
        key.sign(scheme, &random, input.as_bytes(), &mut signature)
            .unwrap();
        let assertion = format!("{input}.{}", crate::jose::base64url(signature));
        let mut request = unauthenticated(&[
            ("client_assertion_type", JWT_BEARER),
            ("client_assertion", &assertion),
            ("grant_type", CIBA),
            ("auth_req_id", "unknown"),
        ]);
        *request.uri_mut() = path.parse().unwrap();
        answer(&caller.world.http(request))
    };
    for path in ["/bc-authorize", "/token"] {
        let (status, body) = send(path, "RS256", &RSA_PKCS1_SHA256, "rs");
        assert_eq!(
            (status, body["error"].as_str()),
            (401, Some("invalid_client")),
            "{path}"
        );
        let description = body["error_description"].as_str().unwrap();
        assert!(
            description.contains("RS256 is not allowed"),
            "{description}"
        );
        // The same key, as it is registered.
        let (_, body) = send(path, "PS256", &RSA_PSS_SHA256, path);
        assert_ne!(body["error"], "invalid_client", "{path}: {body}");
    }
}

fn pkcs8(pem: &str) -> Vec<u8> {
    let lines: String = pem.lines().filter(|it| !it.starts_with('-')).collect();
    STANDARD.decode(lines).unwrap()
}

#[test]
fn assertion_needs_its_type_and_the_same_client_id() {
    let mut caller = Caller::new();
    let good = assertion(&caller.signer, &caller.claims());
    for form in [
        vec![("client_assertion", good.as_str())],
        vec![("client_assertion_type", JWT_BEARER)],
        vec![
            ("client_assertion_type", "jwt"),
            ("client_assertion", good.as_str()),
        ],
        vec![
            ("client_assertion_type", JWT_BEARER),
            ("client_assertion", good.as_str()),
            ("client_id", "poll"),
        ],
    ] {
        let response = caller.world.http(unauthenticated(&form));
        assert!(
            !response.headers().contains_key("www-authenticate"),
            "{form:?}"
        );
        let (status, body) = answer(&response);
        assert_eq!(
            (status, body["error"].as_str()),
            (401, Some("invalid_client"))
        );
    }
}

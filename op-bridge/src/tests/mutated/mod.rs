//! 10,000 mutated requests over all endpoints: none of them is answered with a 5xx, each refusal has its exact form, and after
//! every generator a good request succeeds. What is drawn comes from one seed, so a failure names its request.

use rand_core::Rng;
use serde_json::{Map, json};

use self::generators::{GENERATORS, Kit};
use super::ALICE as NUMBER;
use super::*;
use crate::testing::TestRng as Dice;
use crate::testing::{assertion, jwt_client};
use crate::{DecryptionKey, HintIssuer, Jwk, JwkSet, JwsAlg, Signer};

// The requests over sockets draw from the same.
#[path = "../../../../tests/support/requests/draws.rs"]
mod draws;
mod forms;
mod generators;
mod tokens;

/// Requests in all.
const REQUESTS: usize = 10_000;
const RSA_PEM: &str = include_str!("../../../../fixtures/keys/op-encryption-rsa-TEST-ONLY.pem");
const DISCOVERY: &str = "http://127.0.0.1:8261";

/// An OP that has everything switched on, and the keys that its clients and its discovery service have.
fn kit() -> (World, Kit) {
    let client_key = Arc::new(TestSigner::new());
    let discovery_key = Arc::new(TestSigner::named("discovery"));
    let decryption = vec![
        DecryptionKey::p256(&[9; 32]).unwrap(),
        DecryptionKey::rsa_pem(RSA_PEM).unwrap(),
    ];
    let encryption = decryption.iter().map(DecryptionKey::public).collect();
    let jwks = JwkSet(vec![Jwk::parse(&discovery_key.public_jwk()).unwrap()]);
    let mut signing = jwt_client("signed", &client_key);
    signing.requests.signing_alg = Some(JwsAlg::Es256);
    let plain = jwt_client("jwt", &client_key);
    let mut world = World::with(|config| {
        config.clients.extend([signing, plain]);
        config.decryption = decryption;
        config.user_codes = true;
        config.refresh_tokens = true;
        config.hints.formats.signed = true;
        config.hints.issuers = vec![HintIssuer {
            issuer: DISCOVERY.into(),
            jwks,
            jwks_uri: None,
        }];
    });
    let tokens = world.tokens("poll", &[]);
    let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
    let kit = Kit {
        client_key,
        discovery_key,
        op_key: world.signer.clone(),
        encryption,
        access_token: text("access_token"),
        refresh_token: text("refresh_token"),
        id_token: text("id_token"),
    };
    (world, kit)
}

/// A key that somebody may send along.
fn some_jwk() -> Value {
    TestSigner::new().public_jwk()
}

/// What is sent, in one line.
fn shown(request: &http::Request<Bytes>) -> String {
    let body = String::from_utf8_lossy(request.body());
    let body: String = body.chars().take(2000).collect();
    format!(
        "{} {} {:?} {body}",
        request.method(),
        request.uri(),
        request.headers()
    )
}

#[track_caller]
fn check(name: &str, sent: &str, response: &http::Response<Bytes>) {
    let status = response.status().as_u16();
    assert!(status < 500, "{name}: {status} to {sent}");
    if status < 400 {
        return;
    }
    let body: Map<String, Value> = serde_json::from_slice(response.body())
        .unwrap_or_else(|why| panic!("{name}: {why}: {sent}"));
    let members: Vec<&String> = body.keys().collect();
    assert_eq!(members, ["error", "error_description"], "{name}: {sent}");
    let plain = |c: char| (' '..='~').contains(&c) && c != '"' && c != '\\';
    let description = body["error_description"].as_str().unwrap();
    assert!(description.chars().all(plain), "{name}: {description}");
    assert_eq!(
        response.headers()["cache-control"],
        "no-store",
        "{name}: {sent}"
    );
    assert_eq!(
        response.headers()["content-type"],
        "application/json",
        "{name}: {sent}"
    );
}

#[test]
fn mutated_requests_get_clean_answers_and_the_next_good_one_succeeds() {
    let (mut world, kit) = kit();
    let mut rng = TestRng(42);
    let each = REQUESTS.div_ceil(GENERATORS.len());
    let mut sent = 0;
    for (name, generate) in GENERATORS {
        for _ in 0..each {
            let request = generate(&kit, &mut rng);
            let text = shown(&request);
            let input = world.http_input(request);
            let outputs = world.step(input);
            let response = reply(outputs).unwrap_or_else(|| panic!("{name}: no answer to {text}"));
            check(name, &text, &response);
            sent += 1;
        }
        world.sent.clear();
        world.events.clear();
        world.start("poll");
        let now = at(world.now).as_second();
        let jti = rng.next_u64().to_string();
        let claims =
            json!({"iss": "jwt", "sub": "jwt", "aud": ISSUER, "exp": now + 60, "jti": jti});
        let good = kit.authorize(&[
            ("client_assertion_type", generators::JWT_BEARER),
            ("client_assertion", &assertion(&kit.client_key, &claims)),
        ]);
        let (status, body) = answer(&world.http(good));
        assert_eq!(status, 200, "after {name}: {body}");
    }
    assert!(sent >= REQUESTS, "{sent}");
}

//! Who must sign, who may not, and what else is asked of a client.

use serde_json::json;

use super::support::*;
use super::*;
use crate::testing::{assertion, jwt_client};
use crate::{JwsAlg, Profile};

#[test]
fn ensure_unsigned_bc_request_fails_for_a_client_that_signs() {
    let mut signing = Signing::new();
    invalid_request(
        &answer(&signing.world.authorize("rp", &[])),
        "must send request",
    );
}

#[test]
fn signed_request_of_a_client_that_does_not_sign_is_refused() {
    let mut world = World::new();
    invalid_request(
        &answer(&world.post("/bc-authorize", "poll", &[("request", "a.b.c")])),
        "not registered to sign",
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

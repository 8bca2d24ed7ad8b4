//! When a set is fetched, how long it is kept, and what is no set.

use serde_json::json;

use super::support::*;
use super::*;
use crate::testing::signed;
use crate::{AuthMethod, Signer};

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

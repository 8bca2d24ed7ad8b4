//! id_token_hint: whose it is, and how old it may be.

use serde_json::json;

use super::support::*;
use super::*;
use crate::testing::assertion;

fn by_id_token(world: &mut World, client: &str, hint: &str) -> (u16, Value) {
    answer(&world.authorize(client, &[("login_hint", ""), ("id_token_hint", hint)]))
}

#[test]
fn id_token_hint_names_its_user_even_when_expired() {
    let mut world = World::new();
    let hint = id_token(&mut world);
    assert_eq!(by_id_token(&mut world, "poll", &hint).0, 200);
    assert!(text(&world.last()).contains(&format!("<mss:MSISDN>{ALICE}</mss:MSISDN>")));
    world.now = 100_000;
    assert_eq!(by_id_token(&mut world, "poll", &hint).0, 200);
}

#[test]
fn id_token_hint_expired_is_refused_by_policy() {
    let mut world = World::with(|config| config.hints.expired_id_tokens = false);
    let hint = id_token(&mut world);
    assert_eq!(by_id_token(&mut world, "poll", &hint).0, 200);
    world.now = 600;
    let (status, body) = by_id_token(&mut world, "poll", &hint);
    assert_eq!(
        (status, body["error"].as_str()),
        (400, Some("invalid_request"))
    );
}

#[test]
fn id_token_hint_must_be_ours_and_for_this_client() {
    let mut world = World::new();
    let hint = id_token(&mut world);
    let now = at(0).as_second();
    let claims =
        |iss: &str, aud: &str, sub: &str| json!({"iss": iss, "aud": aud, "sub": sub, "exp": now});
    let own = world.signer.clone();
    for (client, hint) in [
        ("poll2", hint),
        (
            "poll",
            assertion(&TestSigner::new(), &claims(ISSUER, "poll", "x")),
        ),
        (
            "poll",
            assertion(&own, &claims("https://other.example", "poll", "x")),
        ),
        ("poll", "not.a.token".to_owned()),
    ] {
        let (status, body) = by_id_token(&mut world, client, &hint);
        assert_eq!(
            (status, body["error"].as_str()),
            (400, Some("invalid_request")),
            "{body}"
        );
    }
    let unknown = assertion(&own, &claims(ISSUER, "poll", "AAAAAAAAAAAAAAAAAAAAAA"));
    assert_eq!(
        by_id_token(&mut world, "poll", &unknown).1["error"],
        "unknown_user_id"
    );
}

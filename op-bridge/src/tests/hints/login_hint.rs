//! login_hint in its other forms, and more than one hint.

use super::support::*;
use super::*;

#[test]
fn encr_msisdn_is_a_number_encrypted_for_the_op() {
    let mut hints = Hints::new();
    for blob in [hints.encrypted(ALICE), hints.nested(&hints.claims())] {
        let hint = format!("ENCR_MSISDN:{blob}");
        hints.world.start_with("poll", &[("login_hint", &hint)]);
        assert!(text(&hints.world.last()).contains(&format!("<mss:MSISDN>{ALICE}</mss:MSISDN>")));
    }
    let (status, body) = answer(
        &hints
            .world
            .authorize("poll", &[("login_hint", "ENCR_MSISDN:x")]),
    );
    assert_eq!(
        (status, body["error"].as_str()),
        (400, Some("invalid_request"))
    );
}

#[test]
fn pcr_is_the_sub_that_the_client_knows() {
    let mut world = World::new();
    let tokens = world.tokens("poll", &[]);
    let claims = world.signer.verify(tokens["id_token"].as_str().unwrap());
    let hint = format!("PCR:{}", claims["sub"].as_str().unwrap());
    world.start_with("poll", &[("login_hint", &hint)]);
    assert!(text(&world.last()).contains(&format!("<mss:MSISDN>{ALICE}</mss:MSISDN>")));
    let (_, body) = answer(&world.authorize("poll", &[("login_hint", "PCR:unknown")]));
    assert_eq!(body["error"], "unknown_user_id");
}

#[test]
fn multiple_hints() {
    let mut world = World::new();
    for pair in [
        [("login_hint", ALICE), ("login_hint_token", "x")],
        [("login_hint", ALICE), ("id_token_hint", "x")],
        [("login_hint_token", "x"), ("id_token_hint", "x")],
    ] {
        let mut change = vec![("login_hint", "")];
        change.extend(pair);
        let (status, body) = answer(&world.authorize("poll", &change));
        assert_eq!(
            (status, body["error"].as_str()),
            (400, Some("invalid_request")),
            "{pair:?}"
        );
    }
}

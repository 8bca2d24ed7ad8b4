//! Long polling (CIBA Core §7.3): a token request that is held until there is an outcome.

use super::*;
use crate::ConfigError;

fn holding() -> World {
    World::with(|config| config.polling.hold = 30)
}

/// Sends a poll; the outputs of its step.
fn poll(world: &mut World, auth_req_id: &str) -> Vec<Output> {
    let form = [("grant_type", CIBA), ("auth_req_id", auth_req_id)];
    let input = world.http_input(form_request("/token", "poll", &form));
    world.step(input)
}

fn error(outputs: Vec<Output>) -> Value {
    answer(&reply(outputs).expect("a reply")).1["error"].clone()
}

/// Takes the steps that the timers ask for, and returns their replies.
fn replies_until(world: &mut World, second: i64) -> Vec<http::Response<Bytes>> {
    let mut replies = Vec::new();
    while let Some((key, due)) = world
        .store
        .timers
        .iter()
        .min_by_key(|(_, due)| **due)
        .map(|(key, due)| (key.clone(), *due))
        .filter(|(_, due)| *due <= at(second))
    {
        world.store.timers.remove(&key);
        world.now = due.duration_since(at(0)).as_secs();
        replies.extend(reply(world.step(Input::Timer { key })));
    }
    world.now = second;
    replies
}

#[test]
fn a_poll_is_answered_with_the_tokens_as_soon_as_the_user_approves() {
    let mut world = holding();
    let id = world.start("poll");
    let signature = world.last();
    assert!(reply(poll(&mut world, &id)).is_none(), "held");
    world.now = 12;
    world.mssp(&signature, 100);
    world.notify(&signature, 502);
    let query = world.last();
    let tokens = reply(world.mssp(&query, 502)).expect("the held poll is answered");
    let (status, body) = answer(&tokens);
    assert_eq!(status, 200);
    let claims = world.signer.verify(body["id_token"].as_str().unwrap());
    assert_eq!(claims["auth_time"], at(12).as_second());
    assert_eq!(
        error(poll(&mut world, &id)),
        "invalid_grant",
        "they came out once"
    );
}

#[test]
fn a_poll_is_answered_when_the_user_refuses() {
    let mut world = holding();
    let id = world.start("poll");
    let signature = world.last();
    assert!(reply(poll(&mut world, &id)).is_none());
    let refused = world.mssp_fault(&signature, 401);
    assert_eq!(error(refused), "access_denied");
}

#[test]
fn a_poll_is_held_for_30_s_and_no_longer() {
    let mut world = holding();
    let id = world.start("poll");
    assert!(reply(poll(&mut world, &id)).is_none());
    assert!(replies_until(&mut world, 29).is_empty());
    let replies = replies_until(&mut world, 30);
    assert_eq!(replies.len(), 1);
    assert_eq!(answer(&replies[0]).1["error"], "authorization_pending");
    assert!(
        reply(poll(&mut world, &id)).is_none(),
        "the next may follow at once: it starts 30 s after the last"
    );
}

#[test]
fn a_held_poll_learns_of_expiry() {
    let mut world = holding();
    let id = world.start_with("poll", &[("requested_expiry", "10")]);
    assert!(reply(poll(&mut world, &id)).is_none());
    let replies = replies_until(&mut world, 10);
    assert_eq!(answer(&replies[0]).1["error"], "expired_token");
}

#[test]
fn of_two_overlapping_polls_the_later_waits_and_an_early_one_is_slowed_down() {
    let mut world = holding();
    let id = world.start("poll");
    let signature = world.last();
    assert!(reply(poll(&mut world, &id)).is_none());
    world.now = 2;
    assert_eq!(error(poll(&mut world, &id)), "slow_down");
    world.now = 20;
    assert_eq!(
        error(poll(&mut world, &id)),
        "authorization_pending",
        "the reply is to the earlier one"
    );
    world.mssp(&signature, 100);
    world.notify(&signature, 502);
    let query = world.last();
    let outputs = world.mssp(&query, 502);
    assert_eq!(
        reply(outputs).unwrap().status(),
        200,
        "one reply, to the later one"
    );
}

#[test]
fn a_client_that_left_a_held_poll_gets_its_tokens_at_the_next_and_once() {
    let mut world = holding();
    let id = world.start("poll");
    let signature = world.last();
    let form = [("grant_type", CIBA), ("auth_req_id", id.as_str())];
    let input = world.http_input(form_request("/token", "poll", &form));
    let Input::Http { id: gone, .. } = input else {
        unreachable!("it is a request");
    };
    assert!(reply(world.step(input)).is_none(), "held");
    world.left.push(gone);
    world.now = 12;
    world.mssp(&signature, 100);
    world.notify(&signature, 502);
    let query = world.last();
    assert!(reply(world.mssp(&query, 502)).is_none(), "nobody is there");
    assert!(replies_until(&mut world, 40).is_empty());
    let tokens = reply(poll(&mut world, &id)).expect("the tokens are still to be had");
    assert_eq!(tokens.status(), 200);
    // Of two that overlap the other one, should it be there after all, is answered too.
    let key = crate::Key::of(&id).0;
    let late = world.step(Input::Open { id: gone, key });
    assert_eq!(error(late), "invalid_grant");
    assert_eq!(error(poll(&mut world, &id)), "invalid_grant");
}

#[test]
fn a_client_that_left_a_held_poll_still_learns_of_a_refusal() {
    let mut world = holding();
    let id = world.start("poll");
    let signature = world.last();
    assert!(reply(poll(&mut world, &id)).is_none());
    world.mssp_fault(&signature, 401);
    assert_eq!(error(poll(&mut world, &id)), "access_denied");
}

#[test]
fn a_request_with_an_outcome_is_never_held() {
    let mut world = holding();
    let id = world.start("poll");
    let signature = world.last();
    world.approve(&signature);
    assert_eq!(reply(poll(&mut world, &id)).unwrap().status(), 200);
}

#[test]
fn more_than_30_s_is_refused_at_start() {
    let mut config = World::new().op.config().clone();
    config.polling.hold = 31;
    assert_eq!(Op::new(config).err(), Some(ConfigError::Hold(31)));
}

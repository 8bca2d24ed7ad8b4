//! CIBA Core §10.2, §10.3, §12: ping and push.

use bytes::Bytes;

use super::*;
use crate::Peer;

fn json(send: &Send) -> Value {
    serde_json::from_slice(&send.body).unwrap()
}

fn check_headers(send: &Send) {
    assert_eq!(send.to, Peer::Rp);
    assert_eq!(send.method, "POST");
    assert_eq!(send.wait_seconds, 5);
    assert_eq!(send.url, "http://127.0.0.1:9000/cb");
    assert!(send.headers.contains(&(
        "authorization".into(),
        format!("Bearer {NOTIFICATION_TOKEN}")
    )));
    assert!(
        send.headers
            .contains(&("content-type".into(), "application/json".into()))
    );
}

/// Starts and approves; the auth_req_id and the ping or push.
fn approved(world: &mut World, client: &str) -> (String, Send) {
    let id = world.start(client);
    let signature = world.last();
    world.approve(&signature);
    (id, world.last())
}

#[test]
fn ping_body_is_the_auth_req_id_alone() {
    let mut world = World::new();
    let (id, ping) = approved(&mut world, "ping");
    check_headers(&ping);
    assert_eq!(ping.correlation, format!("auth_req_id:{id}"));
    assert_eq!(text(&ping), format!("{{\"auth_req_id\":\"{id}\"}}"));
    world.answer(&ping, 204, "");
    assert_eq!(world.poll("ping", &id).0, 200);
    assert_eq!(world.poll_error("ping", &id), "invalid_grant");
}

#[test]
fn ping_is_sent_on_denial_and_on_expiry() {
    let mut world = World::new();
    let id = world.start("ping");
    let signature = world.last();
    world.mssp_fault(&signature, 401);
    assert_eq!(
        json(&world.last()),
        serde_json::json!({ "auth_req_id": id })
    );
    assert_eq!(world.poll_error("ping", &id), "access_denied");

    let id = world.start("ping");
    world.advance(120);
    assert_eq!(
        json(&world.last()),
        serde_json::json!({ "auth_req_id": id })
    );
    assert_eq!(world.poll_error("ping", &id), "expired_token");
}

#[test]
fn ping_client_may_poll_too() {
    let mut world = World::new();
    let id = world.start("ping");
    assert_eq!(world.poll_error("ping", &id), "authorization_pending");
    assert_eq!(world.poll_error("ping", &id), "slow_down");
}

#[test]
fn ping_refusals_and_redirects_do_not_stop_the_flow_and_are_not_repeated() {
    for status in [401, 403, 404, 301, 302, 307] {
        let mut world = World::new();
        let (id, ping) = approved(&mut world, "ping");
        world.answer(&ping, status, "");
        let told = world.events.last().unwrap().row().fields;
        assert_eq!(
            told,
            [("then".to_owned(), "given up".to_owned())],
            "{status}"
        );
        world.advance(60);
        assert_eq!(world.last().id, ping.id, "{status}");
        assert_eq!(world.poll("ping", &id).0, 200, "{status}");
    }
}

#[test]
fn ping_accepts_200_with_a_body() {
    let mut world = World::new();
    let (id, ping) = approved(&mut world, "ping");
    world.answer(&ping, 200, "{\"anything\":1}");
    world.advance(60);
    assert_eq!(world.last().id, ping.id);
    assert_eq!(world.poll("ping", &id).0, 200);
}

#[test]
fn push_success_has_tokens_and_their_hashes() {
    let mut world = World::with(|config| config.refresh_tokens = true);
    let (id, push) = approved(&mut world, "push");
    check_headers(&push);
    let body = json(&push);
    assert_eq!(body["auth_req_id"], id);
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 3600);
    let claims = world.signer.verify(body["id_token"].as_str().unwrap());
    assert_eq!(claims["urn:openid:params:jwt:claim:auth_req_id"], id);
    use base64::Engine;
    use sha2::Digest;
    let half = |token: &Value| {
        let hash = sha2::Sha256::digest(token.as_str().unwrap());
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&hash[..16])
    };
    assert_eq!(claims["at_hash"], half(&body["access_token"]));
    assert_eq!(
        claims["urn:openid:params:jwt:claim:rt_hash"],
        half(&body["refresh_token"])
    );
}

#[test]
fn push_without_refresh_token_has_no_rt_hash() {
    let mut world = World::new();
    let (_, push) = approved(&mut world, "push");
    assert!(json(&push).get("refresh_token").is_none());
    let claims = world
        .signer
        .verify(json(&push)["id_token"].as_str().unwrap());
    assert!(claims.get("urn:openid:params:jwt:claim:rt_hash").is_none());
}

#[test]
fn push_errors_name_the_outcome() {
    for (code, error) in [
        (401, "access_denied"),
        (402, "access_denied"),
        (403, "access_denied"),
        (208, "expired_token"),
        (209, "transaction_failed"),
        (900, "transaction_failed"),
    ] {
        let mut world = World::new();
        let id = world.start("push");
        let signature = world.last();
        world.mssp_fault(&signature, code);
        let push = world.last();
        check_headers(&push);
        let body = json(&push);
        assert_eq!(
            (body["auth_req_id"].as_str(), body["error"].as_str()),
            (Some(id.as_str()), Some(error)),
            "{code}"
        );
        assert!(
            body.as_object()
                .unwrap()
                .keys()
                .all(|k| ["auth_req_id", "error", "error_description"].contains(&k.as_str()))
        );
    }
    let mut world = World::new();
    world.start("push");
    let signature = world.last();
    world.fail(&signature, SendError::Unreachable("refused".into()));
    assert_eq!(json(&world.last())["error"], "transaction_failed");
    world.start("push");
    world.advance(120);
    assert_eq!(json(&world.last())["error"], "expired_token");
}

#[test]
fn push_is_repeated_with_the_same_tokens_and_back_off() {
    let mut world = World::new();
    let (_, first) = approved(&mut world, "push");
    let mut push = first.clone();
    for pause in [2, 4, 8] {
        world.answer(&push, 503, "");
        world.advance(pause - 1);
        assert_eq!(world.last().id, push.id);
        world.advance(1);
        assert_ne!(world.last().id, push.id, "a try of its own");
        push = world.last();
        assert_eq!(push.body, first.body, "the very same tokens");
    }
    world.answer(&push, 204, "");
    world.advance(100);
    assert_eq!(world.last().id, push.id);
    let kept = world.store.records.iter().any(|(key, (_, value))| {
        key.starts_with("req/") && String::from_utf8_lossy(value).contains("access_token")
    });
    assert!(!kept, "tokens are gone once delivered");
}

#[test]
fn an_approval_after_expiry_pushes_no_tokens() {
    let mut world = World::new();
    world.start("push");
    let signature = world.last();
    world.mssp(&signature, 100);
    world.now = 119;
    world.notify(&signature, 502);
    let query = world.last();
    world.now = 120; // the timer has not fired yet
    world.mssp(&query, 502);
    assert_eq!(world.last().id, query.id);
    world.advance(0);
    assert_eq!(json(&world.last())["error"], "expired_token");
}

#[test]
fn the_answer_to_an_earlier_try_starts_no_further_one() {
    let mut world = World::new();
    let (_, first) = approved(&mut world, "push");
    world.answer(&first, 503, "");
    world.advance(2);
    let second = world.last();
    world.answer(&first, 503, "");
    world.advance(100);
    assert_eq!(world.last().id, second.id);
}

#[test]
fn a_pushed_request_is_redeemed() {
    let mut world = World::new();
    let (id, _) = approved(&mut world, "push");
    let (_, record) = &world.store.records[&crate::Key::of(&id).record()];
    let record: crate::Request = serde_json::from_slice(record).unwrap();
    assert_eq!(record.state, crate::State::Redeemed);
}

#[test]
fn push_is_given_up_after_the_last_try() {
    let mut world = World::with(|config| config.delivery.tries = 3);
    let (_, mut push) = approved(&mut world, "push");
    for _ in 0..2 {
        world.fail(&push, SendError::TimedOut);
        world.advance(10);
        push = world.last();
    }
    let sent = world.sent.len();
    world.fail(&push, SendError::TimedOut);
    world.advance(100);
    assert_eq!(world.sent.len(), sent);
}

#[test]
fn answer_to_a_push_delivered_twice_changes_nothing() {
    let mut world = World::new();
    let (_, push) = approved(&mut world, "push");
    world.answer(&push, 204, "");
    let records = world.store.records.clone();
    world.answer(&push, 503, "");
    world.advance(60);
    assert_eq!(world.store.records, records);
    assert_eq!(world.last().id, push.id);
}

#[test]
fn an_answer_to_an_earlier_try_of_a_push_decides_nothing_about_the_later() {
    let mut world = World::new();
    let (_, push) = approved(&mut world, "push");
    world.answer(&push, 503, "");
    world.advance(2);
    let again = world.last();
    assert_ne!(again.id, push.id, "the second try is on its way");
    let records = world.store.records.clone();
    world.answer(&push, 204, "");
    assert_eq!(world.store.records, records);
    world.answer(&again, 503, "");
    world.advance(4);
    assert_ne!(world.last().id, again.id, "there is a third");
}

/// The client `id` is registered otherwise from now on, or not at all.
fn change(world: &mut World, id: &str, to: Option<DeliveryMode>) {
    let mut config = world.op.config().clone();
    config.clients.retain(|client| client.id != id);
    config.clients.extend(to.map(|mode| client(id, mode)));
    world.op = Op::new(config).unwrap();
}

#[test]
fn tokens_come_as_the_client_was_registered_when_it_asked() {
    use DeliveryMode::{Ping, Poll, Push};
    for (name, before, after) in [
        ("poll", Poll, Push),
        ("ping", Ping, Push),
        ("ping", Ping, Poll),
        ("push", Push, Ping),
        ("push", Push, Poll),
    ] {
        let case = format!("{before:?} to {after:?}");
        let mut world = World::new();
        let id = world.start(name);
        let signature = world.last();
        change(&mut world, name, Some(after));
        world.approve(&signature);
        if before != Poll {
            check_headers(&world.last());
        }
        if before == Push {
            assert!(json(&world.last())["id_token"].is_string(), "{case}");
            assert_eq!(world.poll_error(name, &id), "unauthorized_client", "{case}");
        } else {
            assert_eq!(world.poll(name, &id).0, 200, "{case}");
        }
    }
}

#[test]
fn a_client_that_is_gone_is_told_nothing_and_the_trace_says_so() {
    for name in ["ping", "push"] {
        for approved_before in [false, true] {
            let mut world = World::new();
            world.start(name);
            let signature = world.last();
            if approved_before {
                world.approve(&signature);
                let first = world.last();
                world.answer(&first, 503, "");
            }
            change(&mut world, name, None);
            if !approved_before {
                world.approve(&signature);
            }
            let sent = world.sent.len();
            world.advance(60);
            assert_eq!(world.sent.len(), sent, "{name}");
            assert_eq!(world.last().to == Peer::Rp, approved_before, "{name}");
            let rows = world.events.iter().map(Event::row);
            let given_up = ("then".to_owned(), "given up".to_owned());
            let told = rows.filter(|row| row.fields.contains(&given_up)).count();
            assert_eq!(told, 1, "{name}");
        }
    }
}

#[test]
fn pushed_access_token_opens_userinfo() {
    let mut world = World::new();
    let (_, push) = approved(&mut world, "push");
    let token = json(&push)["access_token"].as_str().unwrap().to_owned();
    let request = http::Request::get("/userinfo")
        .header("authorization", format!("Bearer {token}"))
        .body(Bytes::new())
        .unwrap();
    assert_eq!(world.http(request).status(), 200);
}

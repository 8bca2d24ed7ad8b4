//! The MSSP's side: messaging modes, outcomes, and what is old or unusable.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::MessagingMode;

fn in_mode(messaging: MessagingMode) -> World {
    World::with(|config| config.mssp.messaging = messaging)
}

fn denied(world: &mut World, id: &str) -> String {
    let (_, body) = world.poll("poll", id);
    assert_eq!(body["error"], "access_denied", "{body}");
    body["error_description"].as_str().unwrap().to_owned()
}

#[test]
fn signature_req_carries_the_transaction() {
    let mut world = World::new();
    world.start_with("poll", &[("requested_expiry", "60")]);
    let send = world.last();
    assert_eq!(send.url, "http://127.0.0.1:8204/soap");
    let body = text(&send);
    assert_eq!(attribute(&body, "MessagingMode"), "asynchServerServer");
    assert_eq!(attribute(&body, "TimeOut"), "60");
    assert_eq!(attribute(&body, "AP_ID"), "http://midsim.test/ap");
    assert_eq!(attribute(&body, "AP_PWD"), "midsim-ap");
    let id = attribute(&body, "AP_TransID");
    assert_eq!(id.len(), 33, "a letter and 128 bits");
    assert_eq!(send.correlation, format!("ap_trans_id:{id}"));
    assert!(id.starts_with(|c: char| c.is_ascii_alphabetic()));
    assert!(attribute(&body, "AP_URL").starts_with("http://127.0.0.1:8260/mss/notify/"));
}

#[test]
fn synch_answer_is_the_outcome() {
    let mut world = in_mode(MessagingMode::Synch);
    let id = world.start("poll");
    let send = world.last();
    assert!(!text(&send).contains("AP_URL"));
    assert!(
        send.wait_seconds > 120,
        "the answer takes as long as the user"
    );
    world.now = 9;
    world.mssp(&send, 502);
    let (_, tokens) = world.poll("poll", &id);
    let claims = world.signer.verify(tokens["id_token"].as_str().unwrap());
    assert_eq!(claims["auth_time"], at(9).as_second());
}

#[test]
fn asynch_client_server_polls_until_the_outcome() {
    let mut world = in_mode(MessagingMode::AsynchClientServer);
    let id = world.start("poll");
    let send = world.last();
    world.mssp(&send, 100);
    assert_eq!(world.sent.len(), 1);
    world.advance(2);
    let query = world.last();
    assert_eq!(
        attribute(&text(&query), "MSSP_TransID"),
        mssp_trans_id(&attribute(&text(&send), "AP_TransID"))
    );
    assert!(text(&query).contains("<mss:URI>http://midsim.test/mssp</mss:URI>"));
    world.mssp(&query, 504);
    world.advance(2);
    let again = world.last();
    assert_ne!(again.id, query.id);
    world.mssp(&again, 502);
    assert_eq!(world.poll("poll", &id).0, 200);
    world.advance(30);
    assert_eq!(world.last().id, again.id, "no more queries");
}

#[test]
fn outcomes_of_the_table_in_poll_mode() {
    for (status, error) in [
        (401, "access_denied"),
        (402, "access_denied"),
        (403, "access_denied"),
        (208, "expired_token"),
        (209, "access_denied"),
        (900, "access_denied"),
        (503, "access_denied"),
        (12345, "access_denied"),
    ] {
        // As a status, as a fault, and as the first answer.
        for way in 0..3 {
            let mut world = World::new();
            let id = world.start("poll");
            let send = world.last();
            if way == 2 {
                world.mssp_fault(&send, status);
            } else {
                world.mssp(&send, 100);
                world.notify(&send, status);
                let query = world.last();
                if way == 0 {
                    world.mssp(&query, status)
                } else {
                    world.mssp_fault(&query, status)
                };
            }
            let (_, body) = world.poll("poll", &id);
            assert_eq!(body["error"], error, "{status} {way}");
            let description = body["error_description"].as_str().unwrap();
            assert!(description.contains(&status.to_string()), "{description}");
        }
    }
}

#[test]
fn busy_handset_stays_pending_and_is_tried_again_until_expiry() {
    let mut world = World::new();
    let id = world.start_with("poll", &[("requested_expiry", "12")]);
    let first = world.last();
    world.mssp_fault(&first, 406);
    assert_eq!(world.poll_error("poll", &id), "authorization_pending");
    world.advance(5);
    let second = world.last();
    assert_ne!(
        attribute(&text(&second), "AP_TransID"),
        attribute(&text(&first), "AP_TransID")
    );
    assert_ne!(
        attribute(&text(&second), "AP_URL"),
        attribute(&text(&first), "AP_URL")
    );
    assert_eq!(attribute(&text(&second), "TimeOut"), "7");
    // News of the first transaction is old by now.
    assert_eq!(world.notify(&first, 502).status(), 200);
    assert_eq!(world.poll_error("poll", &id), "authorization_pending");
    world.mssp_fault(&second, 406);
    world.advance(5);
    let third = world.last();
    world.mssp_fault(&third, 406);
    world.advance(1);
    assert_eq!(world.sent.len(), 3);
    world.advance(1);
    assert_eq!(world.poll_error("poll", &id), "expired_token");
}

#[test]
fn busy_handset_that_gets_free_ends_well() {
    let mut world = World::new();
    let id = world.start("poll");
    let first = world.last();
    world.mssp_fault(&first, 406);
    world.advance(5);
    let second = world.last();
    world.approve(&second);
    assert_eq!(world.poll("poll", &id).0, 200);
}

#[test]
fn acr_4_asks_for_a_signature_and_falls_back_to_a_pin() {
    let mut world = World::new();
    let id = world.start_with("poll", &[("acr_values", "4 3")]);
    let first = world.last();
    assert!(text(&first).contains("http://uri.gsma.com/mobileconnect/LoA4"));
    world.mssp_fault(&first, 109);
    let second = world.last();
    assert!(text(&second).contains("http://uri.gsma.com/mobileconnect/LoA3"));
    world.approve(&second);
    let (_, tokens) = world.poll("poll", &id);
    let claims = world.signer.verify(tokens["id_token"].as_str().unwrap());
    assert_eq!(claims["acr"], "3");
}

#[test]
fn a_signature_at_acr_4_is_told_in_amr() {
    let mut world = World::new();
    let tokens = world.tokens("poll", &[("acr_values", "4")]);
    let claims = world.signer.verify(tokens["id_token"].as_str().unwrap());
    assert_eq!(claims["acr"], "4");
    assert_eq!(
        claims["amr"],
        serde_json::json!(["hwk", "mfa", "pin", "sc"])
    );
}

#[test]
fn unsupported_profile_falls_back_to_the_next_acr_value() {
    let mut world = World::new();
    let id = world.start_with("poll", &[("acr_values", "mod-mf mod-pr")]);
    let first = world.last();
    world.mssp_fault(&first, 109);
    let second = world.last();
    assert!(text(&second).contains("mobileconnect/LoA2<"));
    world.approve(&second);
    let (_, tokens) = world.poll("poll", &id);
    let claims = world.signer.verify(tokens["id_token"].as_str().unwrap());
    assert_eq!(claims["acr"], "mod-pr");
    assert_eq!(claims["amr"], serde_json::json!(["sc", "user"]));

    let id = world.start_with("poll", &[("acr_values", "mod-mf")]);
    let only = world.last();
    world.mssp_fault(&only, 109);
    assert!(denied(&mut world, &id).contains("acr_values"));
}

#[test]
fn mssp_down_is_access_denied_with_a_description() {
    for error in [
        SendError::Unreachable("connection refused".into()),
        SendError::TimedOut,
        SendError::TooLarge,
    ] {
        let mut world = World::new();
        let id = world.start("poll");
        let send = world.last();
        world.fail(&send, error);
        assert!(denied(&mut world, &id).starts_with("the MSSP gave no usable answer"));
        let id = world.start("poll");
        let send = world.last();
        world.approve(&send);
        assert_eq!(world.poll("poll", &id).0, 200, "the next good one works");
    }
}

#[test]
fn unusable_answers_end_the_transaction() {
    for (status, body) in [
        (200, "<html/>"),
        (502, "Bad Gateway"),
        (200, ""),
        (200, "<!DOCTYPE x><x/>"),
    ] {
        let mut world = World::new();
        let id = world.start("poll");
        let send = world.last();
        world.answer(&send, status, body);
        denied(&mut world, &id);
    }
    let mut world = World::new();
    let id = world.start("poll");
    let send = world.last();
    let swapped = mssp_answer(&text(&send), 100, "+447700900002");
    world.answer(&send, 200, &swapped);
    assert!(denied(&mut world, &id).contains("another MSISDN"));
}

#[test]
fn status_query_without_answer_is_repeated_with_back_off() {
    let mut world = World::new();
    let id = world.start("poll");
    let send = world.last();
    world.mssp(&send, 100);
    world.notify(&send, 502);
    for pause in [1, 2, 4] {
        let query = world.last();
        world.fail(&query, SendError::TimedOut);
        world.advance(pause - 1);
        assert_eq!(world.last().id, query.id);
        world.advance(1);
        assert_ne!(world.last().id, query.id);
    }
    let query = world.last();
    world.mssp(&query, 502);
    assert_eq!(world.poll("poll", &id).0, 200);
}

#[test]
fn unvalidated_signature_needs_the_switch() {
    for (accept, status) in [(false, 400), (true, 200)] {
        let mut world = World::with(|config| {
            config.mssp.messaging = MessagingMode::Synch;
            config.mssp.accept_unvalidated = accept;
        });
        let id = world.start("poll");
        let send = world.last();
        world.mssp(&send, 500);
        assert_eq!(world.poll("poll", &id).0, status);
    }
}

#[test]
fn answers_delivered_twice_change_nothing() {
    let mut world = World::new();
    let id = world.start("poll");
    let send = world.last();
    world.mssp(&send, 100);
    world.mssp(&send, 100);
    world.notify(&send, 502);
    let query = world.last();
    world.mssp(&query, 502);
    let records = world.store.records.clone();
    world.mssp(&query, 401);
    world.fail(&send, SendError::TimedOut);
    assert_eq!(world.store.records, records);
    assert_eq!(world.poll("poll", &id).0, 200);
}

#[test]
fn stale_timers_and_unknown_answers_change_nothing() {
    let mut world = World::new();
    world.start("poll");
    let send = world.last();
    let key = send.id.split('/').nth(1).unwrap().to_owned();
    let records = world.store.records.clone();
    for timer in [
        format!("life/{key}"),
        format!("work/{key}"),
        format!("deliver/{key}"),
        "life/x".into(),
        "work/".into(),
        "at/x".into(),
        "rt/x".into(),
        "x".into(),
        String::new(),
    ] {
        world.step(Input::Timer { key: timer });
    }
    for answer in [
        "",
        "sign",
        "sign/x/1",
        "sign/x/y",
        "status/x/1",
        "deliver/x/1",
        "other/x/1",
    ] {
        let result = Err(SendError::TimedOut);
        world.step(Input::Answer {
            id: answer.to_owned(),
            result,
        });
    }
    assert_eq!(world.store.records, records);
}

#[test]
fn old_answers_of_a_status_query_change_nothing() {
    let mut world = in_mode(MessagingMode::AsynchClientServer);
    let id = world.start("poll");
    let send = world.last();
    world.mssp(&send, 100);
    world.advance(2);
    let first = world.last();
    world.mssp(&first, 504);
    world.mssp_fault(&first, 401);
    world.advance(2);
    assert_ne!(world.last().id, first.id);
    world.mssp_fault(&first, 401);
    world.now += 5;
    assert_eq!(world.poll_error("poll", &id), "authorization_pending");
}

#[test]
fn old_answers_of_an_earlier_signature_request_change_nothing() {
    let mut world = World::new();
    let id = world.start("poll");
    let first = world.last();
    world.mssp_fault(&first, 406);
    world.advance(5);
    world.mssp_fault(&first, 401);
    assert_eq!(world.poll_error("poll", &id), "authorization_pending");
}

#[test]
fn back_off_starts_anew_after_an_answer() {
    let mut world = World::new();
    world.start("poll");
    let send = world.last();
    world.mssp(&send, 100);
    world.notify(&send, 502);
    for pause in [1, 2] {
        let query = world.last();
        world.fail(&query, SendError::TimedOut);
        world.advance(pause);
    }
    let query = world.last();
    world.mssp(&query, 504);
    world.notify(&send, 502);
    let query = world.last();
    world.fail(&query, SendError::TimedOut);
    world.advance(1);
    assert_ne!(world.last().id, query.id);
}

#[test]
fn nothing_is_due_towards_the_mssp_after_the_end_or_expiry() {
    let due = |world: &World| {
        world
            .store
            .timers
            .keys()
            .any(|key| key.starts_with("work/"))
    };
    let mut world = World::new();
    world.start("poll");
    let send = world.last();
    assert!(due(&world));
    world.approve(&send);
    assert!(!due(&world));
    world.start("poll");
    let send = world.last();
    world.mssp_fault(&send, 401);
    assert!(!due(&world));
    world.start_with("poll", &[("requested_expiry", "5")]);
    let send = world.last();
    world.mssp_fault(&send, 406);
    assert!(!due(&world), "the next try would come after expiry");
}

#[test]
fn a_fault_without_an_mss_code_is_no_answer() {
    let bare = fault(401).replace("mss:_401", "env:DataEncodingUnknown");
    let mut world = World::new();
    let id = world.start("poll");
    let send = world.last();
    world.answer(&send, 500, &bare);
    assert!(denied(&mut world, &id).contains("without an MSS code"));

    let id = world.start("poll");
    let send = world.last();
    world.mssp(&send, 100);
    world.notify(&send, 502);
    let query = world.last();
    world.answer(&query, 500, &bare);
    world.advance(1);
    let again = world.last();
    assert_ne!(again.id, query.id);
    world.mssp(&again, 502);
    assert_eq!(world.poll("poll", &id).0, 200);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_octets_as_answer_or_notification_never_panic(octets in prop::collection::vec(any::<u8>(), 0..200), cut in 0usize..900) {
        let mut world = World::new();
        world.start("poll");
        let send = world.last();
        let path = attribute(&text(&send), "AP_URL")[ISSUER.len()..].to_owned();
        let good = notification(&text(&send), 502, ALICE);
        let mut mixed = good.as_bytes()[..cut.min(good.len())].to_vec();
        mixed.extend(&octets);
        let mut request = soap_request(&path, "");
        *request.body_mut() = Bytes::from(mixed.clone());
        let status = world.http(request).status().as_u16();
        prop_assert!(matches!(status, 200 | 400));
        let response = http::Response::new(Bytes::from(mixed));
        world.step(Input::Answer { id: send.id.clone(), result: Ok(response) });
    }
}

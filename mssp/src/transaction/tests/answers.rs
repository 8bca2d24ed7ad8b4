//! What ends a transaction, and what must not.

use super::*;
use crate::code::Code;

#[test]
fn every_result_of_the_applet_has_its_number() {
    for (result, code) in [
        (ResultCode::CANCELLED, 401),
        (ResultCode::BACK, 401),
        (ResultCode::TIMEOUT, 208),
        (ResultCode::PIN_BLOCKED, 402),
        (ResultCode::PUK_BLOCKED, 403),
        (ResultCode::BUSY, 406),
        (ResultCode::UNSUPPORTED, 109),
        (ResultCode::BAD_MAC, 900),
        (ResultCode(0x7F), 900),
    ] {
        let mut world = World::new();
        let request = SignatureRequest::default();
        let (id, submit) = world.begin(&request);
        let step = world.mo(&submit.msisdn, applet(&submit, result));
        assert_eq!(verdict(&step), Verdict::Accepted(Code(code)));
        assert_eq!(world.ask(&request.status(&id)).fault(), code);
    }
}

/// An answer that got lost makes somebody send the challenge again, and the applet has seen its counter by then. Its
/// user may still be typing.
#[test]
fn a_replay_is_a_hint_and_no_end() {
    let why = dropped(|world, submit| world.mo(&submit.msisdn, applet(submit, ResultCode::REPLAY)));
    assert_eq!(why, Why::Replay);
}

/// A message that is dropped for `why`, after which the transaction still ends well.
fn dropped(forge: impl FnOnce(&mut World, &Submit) -> Step) -> Why {
    let mut world = World::new();
    let request = SignatureRequest::default();
    let (id, submit) = world.begin(&request);
    let before = world.records.0.clone();
    let step = forge(&mut world, &submit);
    assert!(step.outputs.is_empty());
    assert_eq!(world.records.0, before);
    let Verdict::Dropped(why) = verdict(&step) else {
        panic!("accepted");
    };
    assert_eq!(world.ask(&request.status(&id)).status(), "504");
    world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
    assert_eq!(world.ask(&request.status(&id)).status(), "502");
    why
}

#[test]
fn no_single_flipped_bit_of_an_answer_is_accepted() {
    let length = 32;
    for bit in 0..length * 8 {
        dropped(|world, submit| {
            let mut response = applet(submit, ResultCode::OK);
            assert_eq!(response.len(), length);
            response[bit / 8] ^= 1 << (bit % 8);
            world.mo(&submit.msisdn, response)
        });
    }
}

#[test]
fn an_answer_from_another_number_is_dropped() {
    let other: Msisdn = "+447700900003".parse().unwrap();
    let why = dropped(|world, submit| world.mo(&other, applet(submit, ResultCode::OK)));
    assert!(matches!(why, Why::Sender { .. }));
}

#[test]
fn an_answer_to_another_challenge_is_dropped() {
    let why = dropped(|world, submit| {
        let mut challenge = Challenge::parse(&submit.payload).unwrap();
        challenge.text = ota_wire::applet::Text::encode("Pay 1000 GBP").unwrap();
        let other = Submit {
            payload: challenge.seal(&mac_key(submit)),
            ..submit.clone()
        };
        world.mo(&submit.msisdn, applet(&other, ResultCode::OK))
    });
    assert_eq!(why, Why::Mac);
}

#[test]
fn an_answer_under_another_algorithm_is_dropped() {
    let why = dropped(|world, submit| {
        let challenge = Challenge::parse(&submit.payload).unwrap();
        let view = ChallengeView::new_checked(&submit.payload).unwrap();
        let iccid = Fiction.subscriber(&submit.msisdn).unwrap().iccid;
        let algorithm = MacAlgorithm::TripleDesCbcMac;
        let response = AppletResponse {
            tid: challenge.tid,
            ctr: challenge.ctr,
            result: ResultCode::OK,
            tries_left: 3,
            mac_algorithm: algorithm,
            signature: Vec::new(),
        };
        let key = Fiction.mac_key(&iccid, algorithm);
        world.mo(&submit.msisdn, response.seal(&key, &view.mac()))
    });
    assert_eq!(why, Why::Algorithm);
}

#[test]
fn what_is_no_answer_is_dropped() {
    for payload in [vec![], vec![0; 31], vec![0xFF; 500]] {
        let why = dropped(|world, submit| world.mo(&submit.msisdn, payload));
        assert!(matches!(why, Why::NoResponse(_)));
    }
    let why = dropped(|world, submit| world.mo(&submit.msisdn, submit.payload.clone()));
    assert!(matches!(why, Why::NoResponse(_)), "an echoed challenge");
}

#[test]
fn a_second_answer_changes_nothing() {
    let mut world = World::new();
    let request = SignatureRequest::default();
    let (id, submit) = world.begin(&request);
    world.mo(&submit.msisdn, applet(&submit, ResultCode::CANCELLED));
    let before = world.records.0.clone();
    let step = world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
    assert_eq!(
        verdict(&step),
        Verdict::Dropped(Why::Late(Code::USER_CANCEL))
    );
    assert!(step.outputs.is_empty());
    assert_eq!(world.records.0, before);
    assert_eq!(world.ask(&request.status(&id)).fault(), 401);
}

#[test]
fn without_an_answer_a_transaction_expires() {
    let mut world = World::new();
    let request = SignatureRequest {
        mode: "synch".into(),
        timeout: Some("60".into()),
        ..SignatureRequest::default()
    };
    let (id, step) = world.post(&request.to_xml());
    let submit = submitted(&step);
    let began = world.now;
    let step = world.next_timer();
    assert_eq!(world.now, began + SignedDuration::from_secs(60));
    assert_eq!(answer(&step, id).unwrap().fault(), 208);

    let step = world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
    assert_eq!(
        verdict(&step),
        Verdict::Dropped(Why::Late(Code::EXPIRED_TRANSACTION))
    );
}

#[test]
fn an_answer_at_the_deadline_is_late_even_before_the_timer() {
    let mut world = World::new();
    let request = SignatureRequest {
        timeout: Some("60".into()),
        ..SignatureRequest::default()
    };
    let (id, submit) = world.begin(&request);
    world.pass(60);
    let step = world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
    assert!(matches!(verdict(&step), Verdict::Dropped(Why::Late(_))));
    assert_eq!(world.ask(&request.status(&id)).fault(), 208);
}

#[test]
fn a_stale_timer_does_nothing() {
    let mut world = World::new();
    let request = SignatureRequest::default();
    let (id, submit) = world.begin(&request);
    let key = format!("txn/{id}");
    let early = world.feed(Input::Timer { key: key.clone() });
    assert!(early.outputs.is_empty() && early.events.is_empty());
    world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
    world.pass(300);
    world.feed(Input::Timer { key });
    assert_eq!(world.ask(&request.status(&id)).status(), "502");
    for key in ["txn/M0", "notify/M0", "nonsense", ""] {
        let step = world.feed(Input::Timer { key: key.into() });
        assert!(step.outputs.is_empty());
    }
}

#[test]
fn a_finished_transaction_is_forgotten_in_the_end_but_its_counter_is_not() {
    let mut world = World::new();
    let request = SignatureRequest::default();
    let (id, submit) = world.begin(&request);
    let ctr = Challenge::parse(&submit.payload).unwrap().ctr;
    world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
    world.next_timer();
    let left: Vec<_> = world.records.0.iter().collect();
    let iccid = Fiction.subscriber(&submit.msisdn).unwrap().iccid;
    assert_eq!(
        left,
        [(&format!("ctr/{iccid}"), &ctr.to_string().into_bytes())]
    );
    assert!(world.timers.is_empty());
    assert_eq!(world.ask(&request.status(&id)).fault(), 101);
}

#[test]
fn an_ota_failure_is_209() {
    let mut world = World::new();
    let request = SignatureRequest::default();
    let (id, submit) = world.begin(&request);
    world.feed(Input::Report {
        id: submit.id.clone(),
        outcome: OtaOutcome::Sent,
    });
    assert_eq!(world.ask(&request.status(&id)).status(), "504");
    let failed = || Input::Report {
        id: submit.id.clone(),
        outcome: OtaOutcome::Failed {
            reason: "unknown TAR".into(),
            kind: crate::OtaFailure::Handset,
        },
    };
    world.feed(failed());
    let answer = world.ask(&request.status(&id));
    assert_eq!(answer.fault(), 209);
    assert!(answer.detail().contains("unknown TAR"));
    // After the end it is news, no more.
    let before = world.records.0.clone();
    world.feed(failed());
    world.feed(Input::Report {
        id: "M0".into(),
        outcome: OtaOutcome::Sent,
    });
    assert_eq!(world.records.0, before);
}

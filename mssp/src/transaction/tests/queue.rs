//! One signature at a time for each SIM, when a new request cancels the previous one.

use super::*;
use crate::Concurrency;

fn world() -> World {
    let mut world = World::new();
    world.configure(|config| config.concurrency = Concurrency::CancelPrevious);
    world
}

fn request(id: &str) -> SignatureRequest {
    SignatureRequest {
        ap_trans_id: id.into(),
        timeout: Some("60".into()),
        ..SignatureRequest::default()
    }
}

/// Begins a transaction that has to wait for the card.
fn queued(world: &mut World, request: &SignatureRequest) -> String {
    let (id, step) = world.post(&request.to_xml());
    assert!(
        !step.outputs.iter().any(|o| matches!(o, Output::Submit(_))),
        "the card is not free"
    );
    let answer = answer(&step, id).unwrap();
    assert_eq!(answer.status(), "100");
    answer.mssp_trans_id()
}

fn status(world: &mut World, id: &str) -> Answer {
    world.ask(&request("AQ").status(id))
}

#[test]
fn the_new_challenge_waits_for_the_late_answer_which_changes_nothing_else() {
    let mut world = world();
    let (first, on_card) = world.begin(&request("A1"));
    let second = queued(&mut world, &request("A2"));
    assert_eq!(status(&mut world, &first).fault(), 401);
    assert_eq!(status(&mut world, &second).status(), "504");
    // The user signs the old text after all.
    let step = world.mo(&on_card.msisdn, applet(&on_card, ResultCode::OK));
    assert!(matches!(verdict(&step), Verdict::Dropped(Why::Late(_))));
    let next = submitted(&step);
    assert_eq!(next.id, second);
    assert_eq!(status(&mut world, &first).fault(), 401);
    world.mo(&next.msisdn, applet(&next, ResultCode::OK));
    assert_eq!(status(&mut world, &second).status(), "502");
    // Its counter is above the old one's.
    let ctr = |submit: &Submit| ChallengeView::new_checked(&submit.payload).unwrap().ctr();
    assert!(ctr(&next) > ctr(&on_card));
}

/// FiCom's number for a user who lets go, whoever made them.
#[test]
fn who_loses_the_place_learns_it_with_ficoms_second_number() {
    let mut world = world();
    world.configure(|config| config.dialect = Dialect::Ficom);
    let request = |id: &str| SignatureRequest {
        profile: None,
        ..request(id)
    };
    let (first, _) = world.begin(&request("A1"));
    queued(&mut world, &request("A2"));
    let told = status(&mut world, &first);
    assert_eq!(
        (told.fault(), told.second()),
        (401, Some("fi:_4011".into()))
    );
    let detail = told.detail();
    assert!(detail.contains("took its place"), "{detail}");
}

#[test]
fn a_forged_late_answer_frees_nothing() {
    let mut world = world();
    let (_, on_card) = world.begin(&request("A1"));
    queued(&mut world, &request("A2"));
    let mut forged = applet(&on_card, ResultCode::OK);
    *forged.last_mut().unwrap() ^= 1;
    let step = world.mo(&on_card.msisdn, forged);
    assert!(step.outputs.is_empty());
}

#[test]
fn a_card_that_never_answers_is_free_at_the_old_deadline() {
    let mut world = world();
    let (first, _) = world.begin(&request("A1"));
    world.pass(10);
    let second = queued(&mut world, &request("A2"));
    let step = world.next_timer();
    let next = submitted(&step);
    assert_eq!(next.id, second);
    let _ = first;
    world.mo(&next.msisdn, applet(&next, ResultCode::OK));
    assert_eq!(status(&mut world, &second).status(), "502");
}

#[test]
fn a_message_that_never_arrived_frees_the_card() {
    let mut world = world();
    let (first, _) = world.begin(&request("A1"));
    let second = queued(&mut world, &request("A2"));
    let step = world.feed(Input::Report {
        id: first,
        outcome: OtaOutcome::Failed {
            reason: "absent".into(),
            kind: crate::OtaFailure::Handset,
        },
    });
    assert_eq!(submitted(&step).id, second);
}

#[test]
fn of_three_the_last_one_reaches_the_card() {
    let mut world = world();
    let (first, on_card) = world.begin(&request("A1"));
    let second = queued(&mut world, &request("A2"));
    let third = queued(&mut world, &request("A3"));
    for cancelled in [&first, &second] {
        assert_eq!(status(&mut world, cancelled).fault(), 401);
    }
    let step = world.mo(&on_card.msisdn, applet(&on_card, ResultCode::CANCELLED));
    assert_eq!(submitted(&step).id, third);
}

#[test]
fn a_transaction_that_expires_in_the_queue_leaves_the_card_to_the_next() {
    let mut world = world();
    let (_, on_card) = world.begin(&request("A1"));
    let second = queued(
        &mut world,
        &SignatureRequest {
            timeout: Some("5".into()),
            ..request("A2")
        },
    );
    world.next_timer();
    assert_eq!(status(&mut world, &second).fault(), 208);
    let third = queued(&mut world, &request("A3"));
    let step = world.mo(&on_card.msisdn, applet(&on_card, ResultCode::OK));
    assert_eq!(submitted(&step).id, third);
}

#[test]
fn a_waiting_synch_request_is_told_that_it_was_cancelled() {
    let mut world = world();
    let (held, _) = world.post(
        &SignatureRequest {
            mode: "synch".into(),
            ..request("A1")
        }
        .to_xml(),
    );
    let (_, step) = world.post(&request("A2").to_xml());
    assert_eq!(answer(&step, held).unwrap().fault(), 401);
}

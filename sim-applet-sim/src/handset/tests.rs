//! Whole dialogues, from RP-DATA to RP-DATA.

use ota_wire::applet::{Method, ResultCode};
use ota_wire::cat::{Facility, TerminalProfile};
use ota_wire::packet::{ResponseStatus, Spi, check_response};
use ota_wire::rp::{Cause, Direction, Message};
use ota_wire::sms::tpdu::{DeliverReport, Fcs, ReportIn};

use super::*;
use crate::event::ChallengeVerdict;
use crate::testing::{self, World, master, network, notes, sent, submit};

mod facilities;
mod hostile;
mod malformed;
mod memory;
mod radio;
mod reader;
mod results;
mod scenarios;
mod security;
mod terminal;
mod toolkit_commands;
mod trace;

const TEXT: &str = "Pay 20 EUR to Ace?";

#[test]
fn approve_with_pin() {
    let mut world = World::new();
    let challenge = world.challenge(Method::Pin, TEXT);
    let step = world.send_challenge(&challenge);
    assert!(step.changed);
    assert!(matches!(
        sent(&step).as_slice(),
        [Message::Ack { tpdu: None, .. }]
    ));
    assert_eq!(world.screen().as_deref(), Some(TEXT));
    assert_eq!(
        world.phone.card_state().last_challenge(),
        (challenge.tid, false)
    );

    let step = world.act(Action::Ok);
    assert!(sent(&step).is_empty());
    let prompt = world.phone.prompt().unwrap();
    let PromptKind::Input {
        hidden,
        digits_only,
        min,
        max,
        ..
    } = prompt.kind
    else {
        panic!("a PIN is asked for");
    };
    assert_eq!((hidden, digits_only, min, max), (true, true, 4, 8));

    let step = world.type_in("1234");
    assert!(step.changed);
    assert_eq!(world.answer(&step, &challenge), (ResultCode::OK, 3));
    assert_eq!(
        world.phone.card_state().last_challenge(),
        (challenge.tid, true)
    );
    let step = world.acknowledge(&step);
    assert!(sent(&step).is_empty());
    assert_eq!(world.screen(), None);
}

#[test]
fn confirm_needs_no_pin() {
    let mut world = World::new();
    let challenge = world.challenge(Method::Confirm, TEXT);
    world.send_challenge(&challenge);
    let step = world.act(Action::Ok);
    assert_eq!(world.answer(&step, &challenge), (ResultCode::OK, 3));
}

#[test]
fn every_length_of_text_with_either_key_set() {
    let texts = [
        "",
        "a",
        &"x".repeat(20),
        &"ä@€".repeat(50),
        &"z".repeat(239),
        &"Ж".repeat(119),
        "12345678@",
    ];
    for key_version in [1, 2] {
        for text in texts {
            let mut world = World::new();
            world.key_version = key_version;
            let challenge = world.challenge(Method::Pin, text);
            world.send_challenge(&challenge);
            assert_eq!(
                world.screen().as_deref(),
                Some(text),
                "key set {key_version}"
            );
            world.act(Action::Ok);
            let step = world.type_in("1234");
            assert_eq!(world.answer(&step, &challenge).0, ResultCode::OK);
        }
    }
}

#[test]
fn two_wrong_pins_then_the_right_one() {
    let mut world = World::new();
    let challenge = world.challenge(Method::Pin, TEXT);
    world.send_challenge(&challenge);
    world.act(Action::Ok);
    for left in [2, 1] {
        let step = world.type_in("9999");
        assert!(step.changed && sent(&step).is_empty());
        assert_eq!(world.phone.card_state().pin_tries(), left);
        let tries = if left == 1 { "try" } else { "tries" };
        assert_eq!(
            world.screen(),
            Some(format!("Wrong PIN, {left} {tries} left"))
        );
        world.act(Action::Ok);
    }
    let step = world.type_in("1234");
    assert_eq!(world.answer(&step, &challenge), (ResultCode::OK, 3));
    assert_eq!(world.phone.card_state().pin_tries(), 3);
}

#[test]
fn three_wrong_pins_block_in_the_middle_and_from_then_on() {
    let mut world = World::new();
    let challenge = world.challenge(Method::Pin, TEXT);
    world.send_challenge(&challenge);
    world.act(Action::Ok);
    world.type_in("9999");
    world.act(Action::Ok);
    world.type_in("9999");
    world.act(Action::Ok);
    let step = world.type_in("9999");
    assert_eq!(
        world.answer(&step, &challenge),
        (ResultCode::PIN_BLOCKED, 0)
    );
    assert_eq!(world.screen(), None);
    world.acknowledge(&step);

    let challenge = world.challenge(Method::Pin, TEXT);
    let step = world.send_challenge(&challenge);
    assert_eq!(
        world.answer(&step, &challenge),
        (ResultCode::PIN_BLOCKED, 0)
    );
    world.acknowledge(&step);
    let challenge = world.challenge(Method::Confirm, TEXT);
    world.send_challenge(&challenge);
    let step = world.act(Action::Ok);
    assert_eq!(world.answer(&step, &challenge), (ResultCode::OK, 0));
}

#[test]
fn what_the_user_does_instead() {
    for (action, result) in [
        (Action::Cancel, ResultCode::CANCELLED),
        (Action::Back, ResultCode::BACK),
        (Action::NoResponse, ResultCode::TIMEOUT),
    ] {
        for at_pin in [false, true] {
            let mut world = World::new();
            let challenge = world.challenge(Method::Pin, TEXT);
            world.send_challenge(&challenge);
            if at_pin {
                world.act(Action::Ok);
            }
            let step = world.act(action.clone());
            assert_eq!(world.answer(&step, &challenge), (result, 3), "{action:?}");
            world.acknowledge(&step);
            assert_eq!(world.screen(), None);
        }
    }
}

#[test]
fn a_busy_handset_is_asked_again_a_few_times() {
    // With a timer between two tries, and at once where the handset has none.
    for (profile, pause) in [(testing::profile(), 3), (testing::simple_profile(), 0)] {
        let mut world = World::with(profile.clone());
        let challenge = world.challenge(Method::Confirm, TEXT);
        world.send_challenge(&challenge);
        let began = world.now;
        for _ in 0..3 {
            let step = world.act(Action::Busy);
            assert!(sent(&step).is_empty());
            if pause != 0 {
                assert_eq!(world.screen(), None);
                let step = world.send_challenge(&challenge);
                assert!(matches!(sent(&step).as_slice(), [Message::Error { .. }]));
                world.next_timer("card:2");
            }
            assert_eq!(world.screen().as_deref(), Some(TEXT));
        }
        assert_eq!(world.now, began + SignedDuration::from_secs(3 * pause));
        let step = world.act(Action::Busy);
        assert_eq!(world.answer(&step, &challenge).0, ResultCode::BUSY);

        let mut world = World::with(profile);
        let challenge = world.challenge(Method::Confirm, TEXT);
        world.send_challenge(&challenge);
        world.act(Action::Busy);
        if pause != 0 {
            world.next_timer("card:2");
        }
        let step = world.act(Action::Ok);
        assert_eq!(world.answer(&step, &challenge).0, ResultCode::OK);
    }
}

#[test]
fn the_prompt_goes_away_when_the_challenge_is_no_longer_valid() {
    for profile in [testing::profile(), timed(&[Facility::at(18, 1)])] {
        let mut world = World::with(profile);
        let challenge = world.challenge(Method::Confirm, TEXT);
        world.send_challenge(&challenge);
        let began = world.now;
        let key = world.timers.keys().find(|key| key.starts_with("prompt"));
        let key = key.unwrap().clone();
        let step = world.next_timer("prompt");
        assert_eq!(world.now, began + SignedDuration::from_secs(120));
        assert_eq!(world.answer(&step, &challenge).0, ResultCode::TIMEOUT);
        let step = world.step(Input::Timer { key });
        assert!(step.outputs.is_empty(), "a stale timer does nothing");
    }
}

/// The simple handset with these facilities besides.
fn timed(facilities: &[Facility]) -> Arc<Profile> {
    let mut profile = Profile::standard(master(), network());
    let simple = testing::simple_profile();
    let mut octets = TerminalProfile::with(facilities).octets().to_vec();
    let simple = &simple.handset.terminal_profile;
    octets.resize(octets.len().max(simple.len()), 0);
    for (octet, simple) in octets.iter_mut().zip(simple) {
        *octet |= simple;
    }
    profile.handset.terminal_profile = octets;
    Arc::new(profile)
}

#[test]
fn long_validity_is_told_in_minutes_and_a_long_text_leaves_no_room_for_it() {
    let mut world = World::new();
    let mut challenge = world.challenge(Method::Confirm, TEXT);
    challenge.valid_for = 301;
    let step = world.send_challenge(&challenge);
    assert!(step.outputs.iter().any(|output| matches!(
        output,
        Output::Timer { due: Some(due), .. } if *due == world.now + SignedDuration::from_secs(360)
    )));
    for (characters, seconds) in [(118, 120), (119, 600)] {
        let mut world = World::new();
        let challenge = world.challenge(Method::Confirm, &"Ж".repeat(characters));
        let step = world.send_challenge(&challenge);
        assert!(step.outputs.iter().any(|output| matches!(
            output,
            Output::Timer { due: Some(due), .. } if *due == world.now + SignedDuration::from_secs(seconds)
        )));
    }
}

#[test]
fn the_handset_turns_wrong_input_away_and_keeps_asking() {
    let mut world = World::new();
    let challenge = world.challenge(Method::Pin, TEXT);
    world.send_challenge(&challenge);
    let step = world.type_in("1234");
    assert!(matches!(
        step.outputs.as_slice(),
        [Output::Refused {
            reason: Refusal::WrongKind,
            ..
        }]
    ));
    world.act(Action::Ok);
    for (typed, reason) in [
        (
            "123",
            Refusal::Length {
                min: 4,
                max: 8,
                got: 3,
            },
        ),
        (
            "123456789",
            Refusal::Length {
                min: 4,
                max: 8,
                got: 9,
            },
        ),
        ("12a4", Refusal::NotDigits),
    ] {
        let id = world.phone.prompt().unwrap().id;
        let step = world.type_in(typed);
        assert_eq!(step.outputs, [Output::Refused { id, reason }]);
        assert!(!step.changed);
    }
    let id = world.phone.prompt().unwrap().id;
    let stale = Reply {
        prompt: id ^ 1,
        action: Action::Ok,
    };
    let step = world.step(Input::User(stale));
    assert_eq!(
        step.outputs,
        [Output::Refused {
            id: id ^ 1,
            reason: Refusal::NoSuchPrompt
        }]
    );
    // Keys that a keypad has but a PIN has not: the card asks again and compares nothing.
    world.type_in("12*4");
    assert_eq!(world.phone.card_state().pin_tries(), 3);
    let step = world.type_in("1234");
    assert_eq!(world.answer(&step, &challenge), (ResultCode::OK, 3));
}

#[test]
fn nothing_runs_on_in_a_phone_that_is_off() {
    let mut world = World::new();
    let challenge = world.challenge(Method::Confirm, TEXT);
    world.send_challenge(&challenge);
    world.step(Input::PowerOff);
    assert!(world.timers.is_empty(), "{:?}", world.timers);
    world.step(Input::PowerOn);
    let challenge = world.challenge(Method::Confirm, TEXT);
    world.send_challenge(&challenge);
    let step = world.act(Action::Ok);
    assert!(submit(&step).is_some());
    assert!(!world.timers.is_empty(), "the network has to answer");
    world.step(Input::PowerOff);
    assert!(world.timers.is_empty(), "{:?}", world.timers);
}

#[test]
fn power_off_in_the_middle_keeps_tries_and_counter_and_loses_the_dialogue() {
    let mut world = World::new();
    let challenge = world.challenge(Method::Pin, TEXT);
    let octets = challenge.seal(&world.key(challenge.mac_algorithm));
    let packet = world.packet(octets);
    world.send_packet(&packet);
    world.act(Action::Ok);
    world.type_in("9999");
    let step = world.step(Input::PowerOff);
    assert!(
        step.outputs
            .iter()
            .any(|output| matches!(output, Output::PromptClosed { .. }))
    );
    assert!(step.outputs.contains(&Output::Attached(false)));
    world.restart();
    assert_eq!(world.screen(), None);
    let state = world.phone.card_state();
    assert_eq!(state.pin_tries(), 2);
    assert_eq!(state.last_challenge(), (challenge.tid, false));
    assert_eq!(state.applet_counter(), challenge.ctr);
    world.send_packet(&packet);
    assert_eq!(world.screen(), None, "never taken up again");
}

#[test]
fn a_second_challenge_while_one_is_pending_is_turned_away_and_works_later() {
    let mut world = World::new();
    let first = world.challenge(Method::Confirm, TEXT);
    world.send_challenge(&first);
    let second = world.challenge(Method::Confirm, "Second");
    let octets = second.seal(&world.key(second.mac_algorithm));
    let packet = world.packet(octets);
    let step = world.send_packet(&packet);
    let messages = sent(&step);
    let [
        Message::Error {
            cause: Cause::PROTOCOL_ERROR,
            tpdu: Some(tpdu),
            ..
        },
    ] = messages.as_slice()
    else {
        panic!("{messages:?}");
    };
    let report = DeliverReport::parse(tpdu.octets(), ReportIn::Error).unwrap();
    assert_eq!(report.fcs, Some(Fcs::TOOLKIT_BUSY));
    assert!(!step.changed);
    let step = world.act(Action::Ok);
    assert_eq!(world.answer(&step, &first).0, ResultCode::OK);
    world.acknowledge(&step);
    world.send_packet(&packet);
    assert_eq!(world.screen().as_deref(), Some("Second"));
}

#[test]
fn messages_that_come_while_the_answer_is_under_way_wait_for_it() {
    let mut world = World::new();
    let first = world.challenge(Method::Confirm, TEXT);
    world.send_challenge(&first);
    let answer = world.act(Action::Ok);
    let second = world.challenge(Method::Confirm, "Second");
    let step = world.send_challenge(&second);
    assert!(step.outputs.is_empty());
    let step = world.acknowledge(&answer);
    assert!(matches!(sent(&step).as_slice(), [Message::Ack { .. }]));
    assert_eq!(world.screen().as_deref(), Some("Second"));
}

#[test]
fn an_answer_that_the_network_refuses_or_forgets_is_not_sent_again() {
    for silent in [false, true] {
        let mut world = World::new();
        let challenge = world.challenge(Method::Confirm, TEXT);
        world.send_challenge(&challenge);
        let step = world.act(Action::Ok);
        let (mr, _) = submit(&step).unwrap();
        let step = if silent {
            world.step(Input::Timer {
                key: format!("rp:{mr}"),
            })
        } else {
            let error = Message::error(mr, Cause::CONGESTION);
            world.step(Input::Rp(error.emit(Direction::ToPhone)))
        };
        assert!(submit(&step).is_none());
        let next = world.challenge(Method::Confirm, "Next");
        world.send_challenge(&next);
        assert_eq!(world.screen().as_deref(), Some("Next"));
    }
}

#[test]
fn without_service_the_answer_is_tried_a_few_times_and_given_up() {
    let mut world = World::new();
    let challenge = world.challenge(Method::Confirm, TEXT);
    world.send_challenge(&challenge);
    let step = world.step(Input::Coverage(false));
    assert_eq!(step.outputs, [Output::Attached(false)]);
    let step = world.act(Action::Ok);
    assert!(submit(&step).is_none());
    assert_eq!(
        world.phone.card_state().last_challenge(),
        (challenge.tid, true)
    );
    let dropped = world.deliver(&[0]);
    assert!(dropped.outputs.is_empty());
    let step = world.step(Input::Coverage(true));
    assert_eq!(step.outputs, [Output::Attached(true)]);
}

#[test]
fn an_applet_that_only_confirms_says_so() {
    let profile = Arc::new(Profile::confirm_only(master(), network()));
    let mut world = World::with(profile);
    let challenge = world.challenge(Method::Pin, TEXT);
    let step = world.send_challenge(&challenge);
    assert_eq!(world.answer(&step, &challenge).0, ResultCode::UNSUPPORTED);
    world.acknowledge(&step);
    let challenge = world.challenge(Method::Confirm, TEXT);
    world.send_challenge(&challenge);
    let step = world.act(Action::Ok);
    assert_eq!(world.answer(&step, &challenge).0, ResultCode::OK);
}

#[test]
fn a_blocked_puk_is_told_apart() {
    let profile = testing::profile();
    let mut state = CardState::fresh(&profile).with_pin_tries(0);
    state.applet.puk_tries = crate::pin::Tries::new(0);
    let mut world = World::with_state(profile, state);
    let challenge = world.challenge(Method::Pin, TEXT);
    let step = world.send_challenge(&challenge);
    assert_eq!(world.answer(&step, &challenge).0, ResultCode::PUK_BLOCKED);
}

//! A terminal for any card: commands that ours does not give, or not in this form.

use super::*;

/// Carries out a command, in hexadecimal; the TERMINAL RESPONSE, or `later`.
fn perform(world: &mut World, command: &str) -> (String, Step) {
    let mut turn = Turn {
        now: world.now,
        rng: &mut testing::Sequence::new(7),
        step: Step::default(),
    };
    let command = hex::decode(command.replace(' ', "")).unwrap();
    let response = match world.phone.perform(&command, &mut turn) {
        Some(toolkit::Performed::Now(response)) => hex::encode_upper(response.emit()),
        _ => "later".to_owned(),
    };
    (response, turn.step)
}

/// Commands to the card that begin like this, and their status words.
fn told(step: &Step, begin: &str) -> Vec<String> {
    let begin = hex::decode(begin.replace(' ', "")).unwrap();
    let told = step.events.iter().filter_map(|event| match &event.kind {
        EventKind::Apdu {
            command, response, ..
        } if command.bytes.starts_with(&begin) => {
            Some(hex::encode_upper(&response[response.len() - 2..]))
        }
        _ => None,
    });
    told.collect()
}

/// ENVELOPE (TIMER EXPIRATION).
const TIMER_EXPIRATION: &str = "80C200000E D7";

/// SEND SHORT MESSAGE.
const SEND: &str = "D015 8103011300 82028183 8B0A 0100048121430000013A";

/// TIMER MANAGEMENT, start.
fn start(id: u8, value: &str) -> String {
    format!("D011 8103012700 82028182 A401{id:02X} A503{value}")
}

/// TIMER MANAGEMENT, current value.
fn value(id: u8) -> String {
    format!("D00C 8103012702 82028182 A401{id:02X}")
}

fn run_out(world: &mut World, id: u8) -> Step {
    world.step(Input::Timer {
        key: format!("card:{id}"),
    })
}

fn with_menu() -> World {
    let mut profile = Profile::standard(master(), network());
    profile.applet.menu = true;
    World::with(Arc::new(profile))
}

/// TS 102 223 §6.4.7, §6.4.21: a card that is reset has started no timer.
#[test]
fn a_reset_of_the_card_stops_its_timers() {
    let mut world = World::new();
    // Timers 3 and 4 with 00:00:05 and 00:05:00.
    for (id, value) in [("3", "000050"), ("4", "005000")] {
        let start = format!("D011 8103012700 82028182 A4010{id} A503{value}");
        let (response, step) = perform(&mut world, &start);
        assert_eq!(response, format!("810301270082028281830100A4010{id}"));
        assert!(matches!(
            step.outputs.as_slice(),
            [Output::Timer { due: Some(_), .. }]
        ));
    }
    // The first runs out while the card has something else for the handset to do: it would hear of it afterwards.
    let challenge = world.challenge(Method::Confirm, TEXT);
    world.send_challenge(&challenge);
    world.now += SignedDuration::from_secs(5);
    let step = world.step(Input::Timer {
        key: "card:3".to_owned(),
    });
    assert!(step.events.is_empty(), "later");
    let (response, step) = perform(&mut world, "D009 8103010104 82028182");
    assert_eq!(response, "later", "a reset is not answered");
    let stopped = Output::Timer {
        key: "card:4".to_owned(),
        due: None,
    };
    assert!(step.outputs.contains(&stopped), "{:?}", step.outputs);
    for id in ["3", "4"] {
        let value = format!("D00C 8103012702 82028182 A4010{id}");
        assert_eq!(
            perform(&mut world, &value).0,
            "810301270282028281830124",
            "contradiction with the state of timer {id}"
        );
    }
    world.now += SignedDuration::from_secs(600);
    let ran_out = world.step(Input::Timer {
        key: "card:4".to_owned(),
    });
    let answered = world.act(Action::Ok);
    for event in [ran_out.events, answered.events].concat() {
        if let EventKind::Apdu { command, .. } = event.kind {
            assert_ne!(
                command.bytes.get(5),
                Some(&0xD7),
                "the card hears of a timer"
            );
        }
    }
}

/// TS 102 223 §6.4.21: the last start counts.
#[test]
fn a_timer_that_is_started_again_runs_anew() {
    let mut world = World::new();
    perform(&mut world, &start(3, "000050"));
    perform(&mut world, &start(3, "005000"));
    let (left, _) = perform(&mut world, &value(3));
    assert!(
        left.ends_with("A50300 5000".replace(' ', "").as_str()),
        "{left}"
    );
    world.now += SignedDuration::from_secs(5);
    assert!(
        told(&run_out(&mut world, 3), TIMER_EXPIRATION).is_empty(),
        "of the first start"
    );
    world.now += SignedDuration::from_secs(295);
    assert_eq!(told(&run_out(&mut world, 3), TIMER_EXPIRATION), ["9000"]);
    // Also one that has run out, if the card has not heard of it yet.
    perform(&mut world, &start(3, "000050"));
    let challenge = world.challenge(Method::Confirm, TEXT);
    world.send_challenge(&challenge);
    world.now += SignedDuration::from_secs(5);
    assert!(
        told(&run_out(&mut world, 3), TIMER_EXPIRATION).is_empty(),
        "later"
    );
    perform(&mut world, &start(3, "005000"));
    let step = world.act(Action::Ok);
    assert!(told(&step, TIMER_EXPIRATION).is_empty());
    let step = world.acknowledge(&step);
    assert!(told(&step, TIMER_EXPIRATION).is_empty());
}

/// TS 102 223 §7.4.1: a card that is busy hears of it afterwards.
#[test]
fn a_card_hears_of_its_timer_when_it_has_time_for_it() {
    // Its own message is on the way.
    let mut world = World::new();
    perform(&mut world, &start(3, "000050"));
    let mut challenge = world.challenge(Method::Confirm, TEXT);
    challenge.valid_for = 0;
    world.send_challenge(&challenge);
    let sending = world.act(Action::Ok);
    world.now += SignedDuration::from_secs(5);
    assert!(told(&run_out(&mut world, 3), TIMER_EXPIRATION).is_empty());
    let step = world.acknowledge(&sending);
    assert_eq!(told(&step, TIMER_EXPIRATION), ["9000"]);

    // A command of its own waits to be fetched.
    let mut world = with_menu();
    perform(&mut world, &start(3, "000050"));
    assert!(!world.phone.is_idle(), "a timer runs");
    let octets = world
        .phone
        .card_mut()
        .profile()
        .handset
        .terminal_profile
        .clone();
    let download = format!("80100000{:02X}{}", octets.len(), hex::encode(octets));
    let waiting = testing::send(world.phone.card_mut(), &download);
    world.now += SignedDuration::from_secs(5);
    let told_in_vain = told(&run_out(&mut world, 3), TIMER_EXPIRATION);
    assert!(!told_in_vain.is_empty() && told_in_vain.iter().all(|sw| sw == "9300"));
    assert!(!world.phone.is_idle(), "the card is to be told");
    let card = world.phone.card_mut();
    let menu = testing::send(card, &format!("80120000{}", &waiting[2..]));
    let details = &menu.split_once("8103").unwrap().1[..6];
    let response = format!("801400000C 8103{details} 82028281 830100");
    assert_eq!(testing::send(card, &response), "9000");
    let step = world.step(Input::Coverage(true));
    assert_eq!(told(&step, TIMER_EXPIRATION), ["9000"]);
    assert!(world.phone.is_idle());
}

/// TS 23.040 §9.2.3.6, TS 24.011 §8.2.3: both references of a message go from 0 to 255 and round.
#[test]
fn references_of_messages_go_round() {
    let mut world = World::new();
    let mut before: Option<(u8, u8)> = None;
    for _ in 0..300 {
        let (response, step) = perform(&mut world, SEND);
        assert_eq!(response, "later");
        let (mr, submit) = submit(&step).unwrap();
        if let Some((rp, tp)) = before {
            let next = (rp.wrapping_add(1), tp.wrapping_add(1));
            assert_eq!((mr, submit.mr), next);
        }
        before = Some((mr, submit.mr));
        // That of another one is none to this one.
        let other = Message::Ack {
            mr: mr.wrapping_add(1),
            tpdu: None,
        };
        let dropped = world.step(Input::Rp(other.emit(Direction::ToPhone)));
        assert!(dropped.outputs.is_empty());
        let ended = world.acknowledge(&step);
        assert!(!ended.outputs.is_empty(), "its timer is stopped");
    }
}

#[test]
fn what_a_terminal_cannot_do_has_a_result_of_its_own() {
    let mut world = World::new();
    for (command, expected, why) in [
        (
            "D015 8103011301 82028183 8B0A 0100048121430000013A",
            "810301130182028281830130",
            "packing",
        ),
        (
            "D023 8103011300 82028183 860C 91 2143658709214365870921 8B0A 0100048121430000013A",
            "810301130082028281830132",
            "no service centre's address",
        ),
        (
            "D00B 8103012181 82028102 8D00",
            "810301218182028281830132",
            "no text at all",
        ),
        (
            "D010 8103012181 82028102 8D0304 4869 FD00",
            "810301218182028281830132",
            "a data object that must be understood",
        ),
        (
            "D010 8103012181 82028102 8D0304 4869 7D00",
            "later",
            "one that need not be",
        ),
    ] {
        let (response, _) = perform(&mut world, command);
        assert_eq!(response, expected, "{why}");
    }
}

/// TS 102 223 §6.4.1: with an immediate response, or without waiting for the user, the card goes on at once.
#[test]
fn a_text_that_waits_for_nobody_is_answered_at_once() {
    for command in [
        "D010 8103012181 82028102 8D0304 4869 AB00",
        "D00E 8103012101 82028102 8D0304 4869",
    ] {
        let mut world = World::new();
        let (response, step) = perform(&mut world, command);
        assert!(response.ends_with("830100"), "{response}");
        let [Output::Prompt(prompt), Output::PromptClosed { id }] = step.outputs.as_slice() else {
            panic!("{:?}", step.outputs);
        };
        assert_eq!(prompt.id, *id);
        assert_eq!(world.screen(), None);
    }
}

#[test]
fn a_menu_goes_when_the_card_takes_it_away_or_starts_again_without_it() {
    let mut world = with_menu();
    assert!(world.phone.menu().is_some());
    let (response, _) = perform(&mut world, "D00D 8103012500 82028182 8500 8F00");
    assert!(response.ends_with("830100"), "{response}");
    assert_eq!(world.phone.menu(), None);

    let mut world = with_menu();
    let domain = &mut world.phone.card_mut().state.domain;
    domain.get_or_insert_default().applet_locked = true;
    perform(&mut world, "D009 8103010104 82028182");
    assert_eq!(world.phone.menu(), None);

    // Nothing is chosen while the card sends.
    let mut world = with_menu();
    let challenge = world.challenge(Method::Confirm, TEXT);
    world.send_challenge(&challenge);
    let sending = world.act(Action::Ok);
    assert!(submit(&sending).is_some());
    let step = world.step(Input::Select { item: 1 });
    let refused = Output::NotSelected {
        item: 1,
        reason: Refusal::ScreenInUse,
    };
    assert_eq!(step.outputs, [refused]);
}

/// TS 102 223 §6.4.7: what the handset knows from a file that has changed it reads again.
#[test]
fn files_are_read_again_when_the_card_says_that_they_have_changed() {
    let mut world = World::new();
    let refresh = "D012 8103010101 82028182 9207 01 3F007FF06F07";
    let (response, step) = perform(&mut world, refresh);
    assert!(response.ends_with("830103"), "{response}");
    assert_eq!(told(&step, "00A4 0004 02 6F07"), ["6119"], "EF.IMSI");
    assert_eq!(told(&step, "00B0 0000 09"), ["9000"]);
}

#[test]
fn a_phone_is_idle_only_if_nothing_would_be_missed() {
    let mut world = World::new();
    assert!(world.phone.is_idle());
    world.step(Input::Coverage(false));
    assert!(!world.phone.is_idle(), "out of reach");
    world.step(Input::Coverage(true));
    let mut challenge = world.challenge(Method::Confirm, TEXT);
    challenge.valid_for = 0;
    world.send_challenge(&challenge);
    assert!(world.timers.keys().all(|key| !key.starts_with("card:")));
    assert!(!world.phone.is_idle(), "a text on the screen");
    let step = world.act(Action::Ok);
    assert!(!world.phone.is_idle(), "a message under way");
    world.acknowledge(&step);
    assert!(world.phone.is_idle());
    world.step(Input::PowerOff);
    assert!(!world.phone.is_idle(), "off");
    world.step(Input::PowerOn);
    // For people, in the 7-bit alphabet: "Hi".
    let deliver = "040C914477100900990000 62112221000000 02C834".replace(' ', "");
    let step = world.deliver(&hex::decode(deliver).unwrap());
    assert!(matches!(sent(&step).as_slice(), [Message::Ack { .. }]));
    assert_eq!(world.phone.inbox().len(), 1);
    assert!(!world.phone.is_idle(), "a message for people");
}

#[test]
fn what_waited_for_a_message_goes_on_when_the_network_forgets_that() {
    let mut world = World::new();
    let first = world.challenge(Method::Confirm, TEXT);
    world.send_challenge(&first);
    let answer = world.act(Action::Ok);
    let second = world.challenge(Method::Confirm, "Second");
    assert!(world.send_challenge(&second).outputs.is_empty());
    let (mr, _) = submit(&answer).unwrap();
    let step = world.step(Input::Timer {
        key: format!("rp:{mr}"),
    });
    assert!(matches!(sent(&step).as_slice(), [Message::Ack { .. }]));
    assert_eq!(world.screen().as_deref(), Some("Second"));
    // SMS RP-ERROR without a cause (TS 102 223 §8.12.5).
    let response = step.events.iter().find_map(|event| match &event.kind {
        EventKind::Apdu { command, .. } if command.bytes[1] == 0x14 => Some(&command.bytes),
        _ => None,
    });
    assert!(response.unwrap().ends_with(&[0x83, 0x02, 0x35, 0x00]));
}

/// TS 23.040 §9.2.3.1: nobody asked for a report, and the network does not send it again.
#[test]
fn a_status_report_is_acknowledged() {
    let mut world = World::new();
    for (tpdu, known) in [("06000B91447710090099F9", true), ("03", false)] {
        let step = world.deliver(&hex::decode(tpdu).unwrap());
        let acknowledged = matches!(sent(&step).as_slice(), [Message::Ack { .. }]);
        assert_eq!(acknowledged, known, "{tpdu}");
    }
}

/// TS 31.102 §4.2.25: b1 of the status says whether a record is free, the others do not.
#[test]
fn a_record_of_ef_sms_is_free_by_its_first_bit() {
    let mut world = World::new();
    let card = world.phone.card_mut();
    for (command, expected) in [
        ("0020000108 30303030FFFFFFFF".to_owned(), "9000"),
        ("00A4080C04 7FFF6F3C".to_owned(), "9000"),
        (format!("00DC0104B0 06{}", "FF".repeat(175)), "9000"),
    ] {
        assert_eq!(testing::send(card, &command), expected);
    }
    // Class 2, and no download.
    let deliver = "040C9144771009009900F2 62112221000000 02C834"
        .replace(' ', "")
        .to_uppercase();
    world.deliver(&hex::decode(&deliver).unwrap());
    let card = world.phone.card_mut();
    assert_eq!(testing::send(card, "00A4080C04 7FFF6F3C"), "9000");
    let record = testing::send(card, "00B20104B0");
    assert!(
        record.starts_with("03") && record.contains(&deliver),
        "{record}"
    );
}

/// A message that is turned away has nothing to do with what comes next.
#[test]
fn a_dialogue_keeps_its_ids_when_another_message_was_turned_away() {
    let mut world = World::new();
    let first = world.challenge(Method::Confirm, TEXT);
    world.send_challenge(&first);
    let second = world.challenge(Method::Confirm, "Second");
    world.send_challenge(&second);
    let step = world.act(Action::Ok);
    let own = Id::card(&testing::subscriber().iccid, first.ctr);
    let fetched = step.events.iter().filter(|event| match &event.kind {
        EventKind::Apdu { command, .. } => command.bytes.starts_with(&[0x80, 0x14]),
        _ => false,
    });
    assert!(fetched.clone().count() > 0);
    assert!(fetched.clone().all(|event| event.own == own));
}

/// TS 102 223 §8.6: digits only, or any character.
#[test]
fn a_question_takes_the_characters_that_it_asks_for() {
    for (qualifier, typed, taken) in [("00", "a1", false), ("01", "a1", true), ("00", "*1", true)] {
        let mut world = World::new();
        let input = format!("D012 81030123{qualifier} 82028182 8D0304 4869 91020105");
        assert_eq!(perform(&mut world, &input).0, "later");
        let step = world.type_in(typed);
        let refused = step.outputs.iter().any(|output| {
            let reason = Refusal::NotDigits;
            matches!(output, Output::Refused { reason: got, .. } if *got == reason)
        });
        assert_eq!(refused, !taken, "{qualifier} {typed}");
    }
}

/// TS 102 221 §13.1: the application that EF.DIR names, by its whole name.
#[test]
fn a_handset_that_is_switched_on_again_starts_anew() {
    let mut world = World::new();
    let challenge = world.challenge(Method::Confirm, TEXT);
    world.send_challenge(&challenge);
    let id = world.phone.prompt().unwrap().id;
    let step = world.step(Input::PowerOn);
    let usim = "00A40404 10 A0000000871002FFFFFFFF8907090000";
    assert_eq!(told(&step, usim), ["6137"]);
    let closed = Output::PromptClosed { id };
    let [off, on] = [false, true].map(Output::Attached);
    let news: Vec<_> = step
        .outputs
        .iter()
        .filter(|output| [&closed, &off, &on].contains(output))
        .collect();
    assert_eq!(news, [&closed, &off, &on]);
    assert!(world.timers.is_empty(), "{:?}", world.timers);
    // Where its references stand is chance: the network has not forgotten those of before.
    let mut references = std::collections::BTreeSet::new();
    for _ in 0..4 {
        world.step(Input::PowerOn);
        let (_, step) = perform(&mut world, SEND);
        let (mr, submit) = submit(&step).unwrap();
        references.insert((mr, submit.mr));
    }
    assert!(references.len() > 1, "{references:?}");
}

//! The card in somebody else's reader, who plays the handset with octets.

use ota_wire::rp::Tpdu;
use ota_wire::sms::tpdu::Deliver;

use super::*;

fn insert(world: &mut World) -> Step {
    world.step(Input::Reader(ReaderInput::Insert))
}

/// Puts the card into the reader and begins to listen.
fn listen(world: &mut World) {
    insert(world);
    assert!(!world.phone.is_attached(), "nobody listens yet");
    let (messages, step) = take(world, true);
    assert!(messages.is_empty() && step.outputs.contains(&Output::Attached(true)));
}

fn apdu(world: &mut World, command: &str) -> String {
    let command = hex::decode(command.replace(' ', "")).unwrap();
    let step = world.step(Input::Reader(ReaderInput::Apdu(command)));
    let response = step.outputs.iter().find_map(|output| match output {
        Output::Reader(ReaderOutput::Response(octets)) => Some(hex::encode_upper(octets)),
        _ => None,
    });
    response.expect("the card answers")
}

fn take(world: &mut World, acknowledge: bool) -> (Vec<Delivered>, Step) {
    let step = world.step(Input::Reader(ReaderInput::Take { acknowledge }));
    let messages = step.outputs.iter().find_map(|output| match output {
        Output::Reader(ReaderOutput::Messages(messages)) => Some(messages.clone()),
        _ => None,
    });
    (messages.expect("messages, or none"), step)
}

fn refusal(step: &Step) -> Option<ReaderError> {
    step.outputs.iter().find_map(|output| match output {
        Output::Reader(ReaderOutput::Refused(error)) => Some(*error),
        _ => None,
    })
}

/// Commands as a program with a PC/SC reader sends them; lengths by hand.
#[test]
fn a_whole_dialogue_by_hand() {
    let mut world = World::new();
    let step = insert(&mut world);
    assert!(step.outputs.contains(&Output::Attached(false)));
    assert!(world.phone.is_in_reader() && !world.phone.is_attached());
    let step = world.deliver(&[0]);
    assert!(step.outputs.is_empty(), "nobody listens yet");
    let (messages, step) = take(&mut world, true);
    assert!(messages.is_empty() && step.outputs.contains(&Output::Attached(true)));

    world.step(Input::Reader(ReaderInput::Reset));
    assert_eq!(apdu(&mut world, "8010000004 FFFFFFFF"), "9000");
    let challenge = world.challenge(Method::Pin, "Hi");
    let step = world.send_challenge(&challenge);
    assert_eq!(
        step.outputs,
        [Output::Reader(ReaderOutput::Arrived)],
        "the handset does nothing"
    );
    let (messages, step) = take(&mut world, true);
    assert!(matches!(
        sent(&step).as_slice(),
        [Message::Ack { tpdu: None, .. }]
    ));
    assert!(take(&mut world, true).0.is_empty());
    let [message] = messages.as_slice() else {
        panic!("one message");
    };
    assert!(Deliver::parse(&message.tpdu).is_ok());

    let tpdu = hex::encode(&message.tpdu);
    let len = message.tpdu.len();
    let value = format!("82028381 8B81{len:02X}{tpdu}").replace(' ', "");
    let value = format!("D181{:02X}{value}", value.len() / 2);
    let envelope = format!("80C20000{:02X}{value}", value.len() / 2);
    let sw = apdu(&mut world, &envelope);
    let fetch = |world: &mut World, sw: &str| {
        assert_eq!(&sw[..2], "91", "{sw}");
        apdu(world, &format!("80120000{}", &sw[2..]))
    };
    let display = fetch(&mut world, &sw);
    assert_eq!(&display[4..14], "8103012181");
    let sw = apdu(&mut world, "801400000C 810301218182028281830100");
    let input = fetch(&mut world, &sw);
    assert_eq!(&input[4..14], "8103022304");
    let sw = apdu(
        &mut world,
        "8014000013 8103022304 82028281 830100 8D050431323334",
    );
    let send = fetch(&mut world, &sw);
    assert_eq!(&send[4..14], "8103031300");

    let at = send.find("8B").unwrap();
    let len = usize::from_str_radix(&send[at + 2..at + 4], 16).unwrap();
    let tpdu = hex::decode(&send[at + 4..at + 4 + 2 * len]).unwrap();
    let step = world.step(Input::Reader(ReaderInput::Submit {
        service_centre: None,
        tpdu,
    }));
    assert_eq!(world.answer(&step, &challenge), (ResultCode::OK, 3));
    let (mr, _) = submit(&step).unwrap();
    assert!(
        step.outputs
            .contains(&Output::Reader(ReaderOutput::Submitted { mr }))
    );
    let step = world.acknowledge(&step);
    assert_eq!(
        step.outputs,
        [Output::Reader(ReaderOutput::Ended { mr, cause: None })]
    );
    assert_eq!(
        apdu(&mut world, "801400000C 810303130082028281830100"),
        "9000"
    );

    world.step(Input::Reader(ReaderInput::Eject));
    let challenge = world.challenge(Method::Confirm, TEXT);
    world.send_challenge(&challenge);
    assert_eq!(world.screen().as_deref(), Some(TEXT), "the handset again");
}

#[test]
fn the_one_with_the_reader_answers_the_network() {
    let mut world = World::new();
    listen(&mut world);
    let challenge = world.challenge(Method::Confirm, TEXT);
    world.send_challenge(&challenge);
    let (messages, step) = take(&mut world, false);
    assert!(sent(&step).is_empty());
    let mr = messages[0].mr;
    let busy = DeliverReport::new(Some(Fcs::TOOLKIT_BUSY)).emit();
    let report = |tpdu: Option<Vec<u8>>| {
        Input::Reader(ReaderInput::Report {
            mr,
            cause: Some(Cause::PROTOCOL_ERROR),
            tpdu,
        })
    };
    let step = world.step(report(Some(vec![0xFF])));
    assert_eq!(refusal(&step), Some(ReaderError::Malformed));
    let step = world.step(report(Some(busy.clone())));
    assert_eq!(
        sent(&step),
        [Message::Error {
            mr,
            cause: Cause::PROTOCOL_ERROR,
            diagnostic: None,
            tpdu: Tpdu::new(busy).ok(),
        }]
    );
    let step = world.step(report(None));
    assert_eq!(refusal(&step), Some(ReaderError::NoSuchMessage));
}

#[test]
fn what_nobody_takes_is_bounded_and_goes_to_the_handset_in_the_end() {
    let mut world = World::new();
    listen(&mut world);
    let mut first = None;
    for n in 0..17 {
        let challenge = world.challenge(Method::Confirm, "Hi");
        let step = world.send_challenge(&challenge);
        first.get_or_insert(challenge);
        let refused = matches!(
            sent(&step).as_slice(),
            [Message::Error {
                cause: Cause::MEMORY_EXCEEDED,
                ..
            }]
        );
        assert_eq!(refused, n == 16, "{n}");
    }
    let step = world.step(Input::Reader(ReaderInput::Eject));
    assert_eq!(world.screen().as_deref(), Some("Hi"));
    assert_eq!(sent(&step).len(), 16);
    let step = world.act(Action::Ok);
    assert_eq!(world.answer(&step, &first.unwrap()).0, ResultCode::OK);
}

#[test]
fn what_cannot_be_done() {
    let mut world = World::new();
    for input in [
        ReaderInput::Eject,
        ReaderInput::Reset,
        ReaderInput::Apdu(vec![0; 4]),
        ReaderInput::Take { acknowledge: true },
    ] {
        let step = world.step(Input::Reader(input));
        assert_eq!(refusal(&step), Some(ReaderError::NotInReader));
    }
    insert(&mut world);
    let step = insert(&mut world);
    assert_eq!(refusal(&step), Some(ReaderError::Taken));
    world.step(Input::Coverage(false));
    let submit = |tpdu: &str| ReaderInput::Submit {
        service_centre: None,
        tpdu: hex::decode(tpdu).unwrap(),
    };
    let step = world.step(Input::Reader(submit("0100048121430000013A")));
    assert_eq!(refusal(&step), Some(ReaderError::NoCoverage));
    let step = world.step(Input::Reader(submit("00")));
    assert_eq!(refusal(&step), Some(ReaderError::Malformed));
}

#[test]
fn a_card_that_is_taken_out_in_a_dialogue_loses_it_and_the_handset_the_network() {
    let mut world = World::new();
    let challenge = world.challenge(Method::Pin, TEXT);
    world.send_challenge(&challenge);
    world.act(Action::Ok);
    world.type_in("9999");
    let step = world.step(Input::Card { inserted: false });
    assert!(step.outputs.contains(&Output::Attached(false)));
    assert_eq!(world.screen(), None);
    world.step(Input::PowerOn);
    assert!(!world.phone.is_attached(), "no card, no network");
    let step = world.step(Input::Card { inserted: true });
    assert_eq!(step.outputs.last(), Some(&Output::Attached(true)));
    assert_eq!(world.screen(), None);
    assert_eq!(world.phone.card_state().pin_tries(), 2);
    let next = world.challenge(Method::Confirm, TEXT);
    world.send_challenge(&next);
    assert_eq!(world.screen().as_deref(), Some(TEXT));
}

/// It is switched on at once for those who have tried in vain, and else when it is next used.
#[test]
fn a_handset_stays_off_after_a_reader_only_if_nobody_waits_for_it() {
    let mut world = World::new();
    assert!(!world.phone.may_stay_off(), "it is on");
    insert(&mut world);
    assert!(world.phone.may_stay_off());
    world.deliver(&[0]);
    assert!(!world.phone.may_stay_off(), "a message was missed");
    take(&mut world, true);
    assert!(world.phone.may_stay_off(), "the network knows of somebody");
    let challenge = world.challenge(Method::Confirm, "Hi");
    world.send_challenge(&challenge);
    assert!(!world.phone.may_stay_off(), "a message waits");
    take(&mut world, true);
    assert!(world.phone.may_stay_off());
    let step = send_short(&mut world);
    assert!(!world.phone.may_stay_off(), "a message is under way");
    world.acknowledge(&step);
    assert!(world.phone.may_stay_off());
    world.step(Input::Coverage(false));
    world.deliver(&[0]);
    let step = world.step(Input::Reader(ReaderInput::Eject));
    assert!(!step.outputs.contains(&Output::Attached(true)));
    insert(&mut world);
    assert!(!world.phone.may_stay_off(), "missed without coverage");
}

/// An SMS-SUBMIT of one letter.
fn send_short(world: &mut World) -> Step {
    let tpdu = hex::decode("0100048121430000013A").unwrap();
    world.step(Input::Reader(ReaderInput::Submit {
        service_centre: None,
        tpdu,
    }))
}

/// TS 24.011 §8.2.3: 0 to 255.
#[test]
fn references_go_round() {
    let mut world = World::new();
    insert(&mut world);
    let send = |world: &mut World| {
        let step = send_short(world);
        let (mr, _) = submit(&step).unwrap();
        (mr, step)
    };
    let (first, step) = send(&mut world);
    world.acknowledge(&step);
    for n in 1..=255 {
        assert_eq!(send(&mut world).0, first.wrapping_add(n));
    }
    // None of the later ones has its answer. The oldest makes room when its reference comes again.
    let (again, _) = send(&mut world);
    assert_eq!(again, first);
    let (second, step) = send(&mut world);
    assert_eq!(second, first.wrapping_add(1));
    let ended = Output::Reader(ReaderOutput::Ended {
        mr: second,
        cause: None,
    });
    assert_eq!(world.acknowledge(&step).outputs, [ended]);
    assert!(world.acknowledge(&step).outputs.is_empty(), "once");
}

#[test]
fn only_so_many_messages_wait_for_their_report() {
    let mut world = World::new();
    listen(&mut world);
    let mut references = Vec::new();
    for _ in 0..65 {
        world.deliver(&[0]);
        let (messages, _) = take(&mut world, false);
        references.extend(messages.iter().map(|message| message.mr));
    }
    for (place, mr) in references.into_iter().enumerate() {
        let step = world.step(Input::Reader(ReaderInput::Report {
            mr,
            cause: None,
            tpdu: None,
        }));
        let expected = (place == 0).then_some(ReaderError::NoSuchMessage);
        assert_eq!(refusal(&step), expected, "{place}");
    }
}

#[test]
fn the_network_is_told_who_is_there_for_a_number() {
    let mut world = World::new();
    world.step(Input::Coverage(false));
    insert(&mut world);
    let (_, step) = take(&mut world, true);
    assert!(
        !step.outputs.contains(&Output::Attached(true)),
        "no coverage"
    );
    let step = world.step(Input::Coverage(true));
    assert_eq!(step.outputs, [Output::Attached(true)]);
    // Whoever had the reader goes, then the handset comes.
    let step = world.step(Input::Reader(ReaderInput::Eject));
    let attached: Vec<_> = step
        .outputs
        .iter()
        .filter(|output| matches!(output, Output::Attached(_)))
        .collect();
    assert_eq!(
        attached,
        [&Output::Attached(false), &Output::Attached(true)]
    );
}

#[test]
fn a_card_that_was_reset_has_other_challenges() {
    let mut world = World::new();
    insert(&mut world);
    let mut challenges = std::collections::BTreeSet::new();
    for _ in 0..3 {
        world.step(Input::Reader(ReaderInput::Reset));
        challenges.insert(apdu(&mut world, "0084000010"));
    }
    assert_eq!(challenges.len(), 3);
}

//! Messages that are not for the applet, and messages that are none.

use ota_wire::rp::{Cause, Direction, Message};
use ota_wire::sms::address::Address;
use ota_wire::sms::dcs::Dcs;
use ota_wire::sms::scts::Scts;
use ota_wire::sms::tpdu::{Deliver, DeliverReport, Fcs, Pid, ReportIn};
use ota_wire::sms::user_data::UserData;
use proptest::prelude::*;

use super::*;
use crate::handset::prompt::Typed;
use crate::testing::send;
use crate::user::{Persona, PersonaState};

pub(super) fn text_message(world: &World, text: &str, dcs: Dcs) -> Vec<u8> {
    let from = Address::international(&"+447700900123".parse().unwrap());
    let user_data = UserData::text(None, text, dcs).unwrap();
    Deliver::new(from, Pid::DEFAULT, dcs, Scts::utc(world.now), user_data).emit()
}

#[test]
fn messages_for_people_go_to_the_inbox() {
    let mut world = World::new();
    let step = {
        let tpdu = text_message(&world, "Hello", Dcs::TEXT);
        world.deliver(&tpdu)
    };
    assert!(matches!(
        sent(&step).as_slice(),
        [Message::Ack { tpdu: None, .. }]
    ));
    assert!(!step.changed);
    for number in 0..60 {
        let tpdu = text_message(&world, &number.to_string(), Dcs::TEXT);
        world.deliver(&tpdu);
    }
    let inbox = world.phone.inbox();
    assert_eq!(inbox.len(), 50);
    let newest = inbox.last().unwrap().deliver.text();
    assert_eq!(newest.as_deref(), Some("59"));
}

#[test]
fn class_2_messages_that_are_no_download_are_stored_on_the_card_until_it_is_full() {
    let mut world = World::new();
    let tpdu = text_message(&world, "Keep this", Dcs(0xF2));
    for _ in 0..10 {
        let step = world.deliver(&tpdu);
        assert!(matches!(sent(&step).as_slice(), [Message::Ack { .. }]));
        assert!(step.changed);
    }
    let step = world.deliver(&tpdu);
    let messages = sent(&step);
    let [
        Message::Error {
            cause: Cause::MEMORY_EXCEEDED,
            tpdu: Some(report),
            ..
        },
    ] = messages.as_slice()
    else {
        panic!("{messages:?}");
    };
    let report = DeliverReport::parse(report.octets(), ReportIn::Error).unwrap();
    assert_eq!(report.fcs, Some(Fcs::SIM_STORAGE_FULL));

    world.restart();
    let card = &mut world.phone.card;
    send(card, "00A4080C047FFF6F3C");
    let record = send(card, "00B20A04B0");
    let stored = format!("030791447700099099{}", hex::encode_upper(&tpdu));
    assert!(record.starts_with(&stored), "{record}");
    assert!(record.ends_with("FFFF9000"));
}

#[test]
fn what_is_no_message_is_answered_as_the_relay_layer_wants_it() {
    let mut world = World::new();
    // RP-DATA that ends in the middle, RP-DATA with no TPDU in it, a type that is none, and answers that are none.
    for (octets, cause) in [
        (vec![0x01, 0x07, 0x00], Some(Cause::INVALID_MANDATORY)),
        (
            vec![0x01, 0x07, 0x00, 0x00, 0x01, 0x03],
            Some(Cause::INVALID_MANDATORY),
        ),
        (vec![0x05, 0x07], None),
        (vec![0x03, 0x07], None),
        (vec![0x00, 0x07, 0x00, 0x00, 0x01, 0x03], None),
        (vec![0x01], None),
        (vec![], None),
    ] {
        let step = world.step(Input::Rp(octets.clone()));
        let answered: Vec<Cause> = sent(&step)
            .into_iter()
            .map(|message| match message {
                Message::Error { mr: 7, cause, .. } => cause,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(answered.first().copied(), cause, "{octets:02X?}");
        assert!(!step.events.is_empty());
    }
}

#[test]
fn only_so_many_messages_wait_for_the_own_one() {
    let mut world = World::new();
    let challenge = world.challenge(Method::Confirm, TEXT);
    world.send_challenge(&challenge);
    let answer = world.act(Action::Ok);
    let tpdu = text_message(&world, "Hello", Dcs::TEXT);
    for _ in 0..8 {
        assert!(world.deliver(&tpdu).outputs.is_empty());
    }
    let step = world.deliver(&tpdu);
    assert!(matches!(
        sent(&step).as_slice(),
        [Message::Error {
            cause: Cause::MEMORY_EXCEEDED,
            ..
        }]
    ));
    let step = world.acknowledge(&answer);
    assert_eq!(sent(&step).len(), 8);
    assert_eq!(world.phone.inbox().len(), 8);
}

#[test]
fn a_phone_that_is_off_or_out_of_reach_answers_nothing() {
    let mut world = World::new();
    let tpdu = text_message(&world, "Hello", Dcs::TEXT);
    world.step(Input::Coverage(false));
    assert!(world.deliver(&tpdu).outputs.is_empty());
    world.step(Input::PowerOff);
    let step = world.step(Input::Coverage(true));
    assert!(
        step.outputs.is_empty(),
        "coverage alone does not switch it on"
    );
    assert!(world.deliver(&tpdu).outputs.is_empty());
    let step = world.step(Input::PowerOn);
    assert!(step.outputs.contains(&Output::Attached(true)));
    assert_eq!(sent(&world.deliver(&tpdu)).len(), 1);
}

/// The owner of a handset knows the PIN1 of the card in it, whatever its profile says.
#[test]
fn pin1_is_typed_as_the_profile_has_it() {
    let text =
        "inherits = \"default\"\nname = \"other\"\n[codes.pin1]\ncode = \"4711\"\ntries = 5\n";
    let profile = Profile::parse(text, master(), network()).unwrap();
    let mut world = World::with(Arc::new(profile));
    let card = world.phone.card_mut();
    assert_eq!(send(card, "0020000100"), "63C5");
    send(card, "00A4040C07A0000000871002");
    assert_eq!(
        send(card, "00B0870009"),
        "0809101000000000109000",
        "EF.IMSI after PIN1"
    );
}

#[test]
fn a_locked_pin1_is_left_alone() {
    let mut world = World::new();
    assert_eq!(
        send(&mut world.phone.card, "0020000108 39393939FFFFFFFF"),
        "63C2"
    );
    world.restart();
    assert_eq!(send(&mut world.phone.card, "0020000100"), "63C2");
}

#[derive(Clone, Debug)]
enum Move {
    Input(Input),
    Challenge { pin: bool, text: String },
    Packet(Vec<u8>),
    Persona(&'static str),
    Acknowledge,
    Apdu(Vec<u8>),
    Restart,
}

fn moves() -> impl Strategy<Value = Move> {
    let octets = || prop::collection::vec(any::<u8>(), 0..180);
    prop_oneof![
        octets().prop_map(|octets| Move::Input(Input::Rp(octets))),
        Just(Move::Input(Input::PowerOn)),
        Just(Move::Input(Input::PowerOff)),
        Just(Move::Input(Input::Messages)),
        (0..12_u8).prop_map(|record| Move::Input(Input::Erase { record })),
        any::<bool>().prop_map(|coverage| Move::Input(Input::Coverage(coverage))),
        "(prompt|rp):[0-9]{1,3}".prop_map(|key| Move::Input(Input::Timer { key })),
        (any::<bool>(), ".{0,40}").prop_map(|(pin, text)| Move::Challenge { pin, text }),
        octets().prop_map(Move::Packet),
        prop::sample::select(Persona::NAMES.to_vec()).prop_map(Move::Persona),
        prop::sample::select(Persona::NAMES.to_vec()).prop_map(Move::Persona),
        Just(Move::Acknowledge),
        octets().prop_map(Move::Apdu),
        Just(Move::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever happens in whatever order: counters never fall, tries only come back with the right PIN, and a
    /// challenge has at most one approving answer.
    #[test]
    fn what_must_hold_after_anything(moves in prop::collection::vec(moves(), 0..40)) {
        let mut world = World::new();
        let mut last_sent = None;
        let mut approved = std::collections::BTreeSet::new();
        for next in moves {
            let before = world.phone.card_state().clone();
            let step = match next {
                Move::Input(input) => world.step(input),
                Move::Challenge { pin, text } => {
                    let method = if pin { Method::Pin } else { Method::Confirm };
                    let challenge = world.challenge(method, &text);
                    world.send_challenge(&challenge)
                }
                Move::Packet(data) => {
                    let packet = world.packet(data);
                    world.send_packet(&packet)
                }
                Move::Persona(name) => {
                    let mut state = PersonaState::new(
                        "1234".parse().unwrap(),
                        "12345678".parse().unwrap(),
                    );
                    let reaction = world.phone.prompt().cloned().and_then(|prompt| {
                        Persona::named(name)?.react(&mut state, &prompt)
                    });
                    match reaction {
                        Some((action, _)) => world.act(action),
                        None => Step::default(),
                    }
                }
                Move::Acknowledge => match last_sent {
                    Some(mr) => {
                        let ack = Message::Ack { mr, tpdu: None };
                        world.step(Input::Rp(ack.emit(Direction::ToPhone)))
                    }
                    None => Step::default(),
                },
                Move::Apdu(command) => {
                    world.phone.card_mut().transmit(&command);
                    Step::default()
                }
                Move::Restart => {
                    world.restart();
                    Step::default()
                }
            };
            if let Some((mr, _)) = submit(&step) {
                last_sent = Some(mr);
            }
            let right_pin = notes(&step).iter().any(|note| matches!(note, Note::Pin { right: true, .. }));
            for note in notes(&step) {
                if let Note::Answer { ctr, result: ResultCode::OK, .. } = note {
                    prop_assert!(approved.insert(ctr), "answered twice");
                }
            }
            let after = world.phone.card_state();
            prop_assert!(after.applet_counter() >= before.applet_counter());
            for (after, before) in after.counters().into_iter().zip(before.counters()) {
                prop_assert!(after >= before);
            }
            prop_assert!(right_pin || after.pin_tries() <= before.pin_tries());
            for event in &step.events {
                let _ = event.row();
            }
        }
    }
}

#[test]
fn what_was_typed_does_not_show() {
    assert!(!format!("{:?}", Action::Text(Typed::new("1234"))).contains('1'));
}

//! EF.SMSS and RP-SMMA: a card that has no room for messages, and has some again.

use ota_wire::rp::{Cause, Direction, Message};
use ota_wire::sms::address::Address;
use ota_wire::sms::dcs::Dcs;
use ota_wire::sms::scts::Scts;
use ota_wire::sms::tpdu::{Deliver, Pid};
use ota_wire::sms::user_data::UserData;
use proptest::prelude::*;

use super::radio::text_message;
use super::*;
use crate::testing::send;
use crate::uicc::Uicc;

/// What the card has in EF.SMSS: TP-MR, then the flag (TS 31.102 §4.2.9).
fn status(world: &mut World) -> String {
    let mut card = world.phone.card_mut().another();
    start(&mut card);
    send(&mut card, "00A4000C026F43");
    send(&mut card, "00B0000002")
}

/// Frees a record of EF.SMS behind the back of the handset.
fn free(world: &mut World, record: u8) {
    let card = world.phone.card_mut();
    start(card);
    send(card, "00A4000C026F3C");
    let update = format!("00DC{record:02X}04B000{}", "FF".repeat(175));
    assert_eq!(send(card, &update), "9000");
}

/// Reset, the USIM, PIN1.
fn start(card: &mut Uicc) {
    card.reset();
    assert_eq!(send(card, "00A4040C07A0000000871002"), "9000");
    assert_eq!(send(card, "002000010830303030FFFFFFFF"), "9000");
}

/// Fills the card; the one too many is refused.
fn fill(world: &mut World) -> Step {
    let tpdu = text_message(world, "Keep this", Dcs(0xF2));
    for _ in 0..10 {
        let step = world.deliver(&tpdu);
        assert!(matches!(sent(&step).as_slice(), [Message::Ack { .. }]));
    }
    let step = world.deliver(&tpdu);
    let full = Cause::MEMORY_EXCEEDED;
    assert!(matches!(sent(&step).as_slice(), [Message::Error { cause, .. }] if *cause == full));
    step
}

/// The reference of the RP-SMMA among what a step sent.
fn smma(step: &Step) -> Option<u8> {
    sent(step).into_iter().find_map(|message| match message {
        Message::Smma { mr } => Some(mr),
        _ => None,
    })
}

fn answer(world: &mut World, message: Message) -> Step {
    world.step(Input::Rp(message.emit(Direction::ToPhone)))
}

#[test]
fn a_full_card_knows_that_it_is_full_until_the_network_knows_better() {
    let mut world = World::new();
    assert_eq!(status(&mut world), "FFFF9000");
    let step = fill(&mut world);
    assert!(step.changed);
    assert_eq!(status(&mut world), "FFFE9000");
    // Nothing has changed, so there is nothing to tell.
    world.restart();
    assert_eq!(status(&mut world), "FFFE9000");

    let record = 4;
    let step = world.step(Input::Erase { record });
    assert!(step.outputs.contains(&Output::Memory(Ok(Memory::Erased))));
    let mr = smma(&step).expect("RP-SMMA");
    assert_eq!(
        status(&mut world),
        "FFFE9000",
        "the network has not said a word"
    );
    let step = answer(&mut world, Message::error(mr, Cause::NETWORK_OUT_OF_ORDER));
    assert_eq!(sent(&step), []);
    assert_eq!(status(&mut world), "FFFE9000");
    // The next occasion.
    let step = world.step(Input::PowerOn);
    let mr = smma(&step).expect("RP-SMMA again");
    assert_eq!(
        smma(&world.step(Input::Coverage(true))),
        None,
        "nothing is new"
    );
    answer(
        &mut world,
        Message::Ack {
            mr: mr.wrapping_add(1),
            tpdu: None,
        },
    );
    assert_eq!(
        status(&mut world),
        "FFFE9000",
        "that was for another message"
    );
    let step = answer(&mut world, Message::Ack { mr, tpdu: None });
    assert!(step.changed);
    assert_eq!(status(&mut world), "FFFF9000");
    assert_eq!(smma(&world.step(Input::PowerOn)), None);
    let tpdu = text_message(&world, "Keep this", Dcs(0xF2));
    assert!(matches!(
        sent(&world.deliver(&tpdu)).as_slice(),
        [Message::Ack { .. }]
    ));
}

#[test]
fn the_network_is_told_when_it_can_hear_it_and_whoever_made_the_room() {
    // A reader, and the handset that has its card back.
    let mut world = World::new();
    fill(&mut world);
    world.step(Input::Reader(ReaderInput::Insert));
    free(&mut world, 1);
    assert!(!world.phone.may_stay_off(), "there is something to tell");
    let step = world.step(Input::Reader(ReaderInput::Eject));
    assert!(smma(&step).is_some());
    // The user, without coverage.
    let mut world = World::new();
    fill(&mut world);
    world.step(Input::Coverage(false));
    assert_eq!(smma(&world.step(Input::Erase { record: 1 })), None);
    assert!(smma(&world.step(Input::Coverage(true))).is_some());
    // The network was quicker.
    let mut world = World::new();
    fill(&mut world);
    free(&mut world, 1);
    let tpdu = text_message(&world, "Keep this", Dcs(0xF2));
    let step = world.deliver(&tpdu);
    assert!(matches!(sent(&step).as_slice(), [Message::Ack { .. }]));
    assert_eq!(status(&mut world), "FFFF9000");
}

#[test]
fn messages_on_the_card_are_listed_and_erased_by_their_record() {
    let mut world = World::new();
    let tpdu = text_message(&world, "Keep this", Dcs(0xF2));
    world.deliver(&tpdu);
    // TP-UD that ends with octets as the filling has them: 8-bit data of class 2.
    let ends_full = [&tpdu[..tpdu.len() - 9], &[0x02, 0xFF, 0xFF]].concat();
    let ends_full = [&ends_full[..11], &[0xF6], &ends_full[12..]].concat();
    world.deliver(&ends_full);
    let list = |world: &mut World| {
        let step = world.step(Input::Messages);
        let stored = step.outputs.into_iter().find_map(|output| match output {
            Output::Memory(Ok(Memory::Messages(stored))) => Some(stored),
            _ => None,
        });
        stored.expect("a list")
    };
    let stored = list(&mut world);
    let found: Vec<_> = stored
        .iter()
        .map(|m| (m.record, m.status, m.tpdu.clone()))
        .collect();
    assert_eq!(found, [(1, 0x03, tpdu), (2, 0x03, ends_full.clone())]);
    let centre = stored[0].service_centre.as_ref().unwrap().to_string();
    assert_eq!(centre, "+447700900999");
    world.step(Input::Erase { record: 1 });
    let left: Vec<_> = list(&mut world)
        .into_iter()
        .map(|m| (m.record, m.tpdu))
        .collect();
    assert_eq!(left, [(2, ends_full)]);
    for record in [0, 1, 11, 255] {
        let step = world.step(Input::Erase { record });
        let none = Output::Memory(Err(Refusal::NoSuchMessage));
        assert_eq!(step.outputs, [none], "{record}");
    }
    world.step(Input::PowerOff);
    let step = world.step(Input::Messages);
    assert_eq!(step.outputs, [Output::Memory(Err(Refusal::Off))]);
    world.step(Input::Reader(ReaderInput::Insert));
    let step = world.step(Input::Erase { record: 2 });
    assert_eq!(step.outputs, [Output::Memory(Err(Refusal::CardInReader))]);
}

proptest! {
    /// Whatever a message ends with, and whatever else is in a record.
    #[test]
    fn a_message_is_read_as_it_was_stored(
        data in prop::collection::vec(any::<u8>(), 0..=140),
        full in 0..5_usize,
        junk in prop::collection::vec(any::<u8>(), 0..=255),
    ) {
        let mut data = data;
        let end = data.len();
        data[end.saturating_sub(full)..].fill(0xFF);
        let from = Address::international(&"+447700900123".parse().unwrap());
        let user_data = UserData::new(None, data).unwrap();
        let dcs = Dcs(0xF6);
        let scts = Scts::utc(World::new().now);
        let deliver = Deliver::new(from.clone(), Pid::DEFAULT, dcs, scts, user_data).emit();
        let mut record = vec![0x03];
        from.emit_counted(&mut record);
        record.extend(&deliver);
        record.resize(176, 0xFF);
        let read = StoredMessage::read(7, &record).unwrap();
        prop_assert_eq!(read.tpdu, deliver);
        prop_assert_eq!(read.service_centre, Some(from));
        let used = junk.first().is_some_and(|status| status & 1 == 1);
        prop_assert_eq!(StoredMessage::read(1, &junk).is_some(), used);
    }
}

/// TS 23.040 §9.2.3.6: the reference goes on from the last one, also in another handset.
#[test]
fn the_reference_of_the_last_message_is_on_the_card_when_the_handset_is_switched_off() {
    let mut world = World::new();
    let mut references = Vec::new();
    for _ in 0..3 {
        let challenge = world.challenge(Method::Confirm, TEXT);
        world.send_challenge(&challenge);
        let step = world.act(Action::Ok);
        let (_, submit) = submit(&step).expect("an answer");
        references.push(submit.mr);
        world.acknowledge(&step);
        let off = world.step(Input::PowerOff);
        assert!(off.changed);
        assert_eq!(status(&mut world), format!("{:02X}FF9000", submit.mr));
        world.restart();
    }
    let [first, second, third] = references[..] else {
        panic!("{references:?}");
    };
    assert_eq!(
        [second, third],
        [first.wrapping_add(1), first.wrapping_add(2)]
    );
    let off = world.step(Input::PowerOff);
    assert!(!off.changed, "nothing was sent");
}

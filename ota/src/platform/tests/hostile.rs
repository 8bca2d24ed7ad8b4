//! The way back, when somebody lies (ota hostile cases 14 and 18), and octets of any kind.

use ota_wire::packet::Response;
use ota_wire::sms::udh::{Iei, Reference};
use proptest::prelude::*;

use super::answers::parts;
use super::*;
use crate::event::PorEffect;
use crate::step::View as _;

/// A response packet to the packet in some short messages, forged without a key.
fn forged(outputs: &[Output], status: u8, change: impl FnOnce(&mut Response)) -> Vec<u8> {
    let opened = open(&packet_of(outputs), &TestCard::of(1)).unwrap();
    let mut response = Response {
        tar: opened.tar,
        cntr: opened.cntr,
        status: ResponseStatus(status),
        data: Vec::new(),
    };
    change(&mut response);
    response.seal_plain().unwrap()
}

#[test]
fn case_18_an_unprotected_error_is_worth_one_more_packet_and_no_failure() {
    let mut world = World::new();
    let outputs = world.submit(order("j", 1, b"x"));
    // The card could not read it: that is what a packet damaged on its way looks like.
    let again = world.por(1, &forged(&outputs, 0x01, |por| por.cntr = Cntr::default()));
    assert!(matches!(
        world.kinds()[0],
        PlatformEvent::Por {
            authenticated: false,
            effect: PorEffect::SendAgain,
            ..
        }
    ));
    assert_eq!(submitted(&again)[0].0, "j/1r1");
    assert_eq!(
        world.accept("j/1", "late"),
        [],
        "the first attempt is history"
    );
    assert_eq!(world.accept("j/1r1", "m"), [sent("j")]);
    for status in [0x01, 0x02, 0x04, 0x05, 0x06, 0x09, 0x0A, 0xFF] {
        assert_eq!(
            world.por(1, &forged(&again, status, |_| {})),
            [],
            "{status:02X}"
        );
        assert!(matches!(
            world.kinds()[..],
            [PlatformEvent::Por {
                effect: PorEffect::None,
                ..
            }]
        ));
    }
    assert_eq!(world.answer(1, b"ok").len(), 1, "the job is still there");
}

#[test]
fn sent_is_not_reported_again_for_a_re_send() {
    let mut world = World::new();
    let outputs = world.submit(order("j", 1, b"x"));
    assert_eq!(world.accept("j/1", "m"), [sent("j")]);
    world.por(1, &forged(&outputs, 0x05, |_| {}));
    assert_eq!(world.accept("j/1r1", "m2"), []);
}

#[test]
fn case_18_status_00_without_cc_where_cc_was_requested() {
    let mut world = World::new();
    let outputs = world.submit(order("j", 1, b"x"));
    for status in [0x00, 0x0B, 0x0C] {
        assert_eq!(world.por(1, &forged(&outputs, status, |_| {})), []);
        assert!(
            world.ignored().contains("answers nothing"),
            "{}",
            world.ignored()
        );
    }
}

#[test]
fn case_18_spoofed_por_with_other_tar_or_cntr() {
    let mut world = World::new();
    let outputs = world.submit(order("j", 1, b"x"));
    let before = world.store.clone();
    for change in [
        |por: &mut Response| por.tar = Tar([0; 3]),
        |por: &mut Response| por.cntr = Cntr::new(1).unwrap(),
    ] {
        assert_eq!(world.por(1, &forged(&outputs, 0x01, change)), []);
        assert!(world.ignored().contains("answers nothing"));
    }
    assert_eq!(world.store, before);
}

#[test]
fn case_18_por_from_another_number() {
    let mut world = World::new();
    let outputs = world.submit(order("j", 1, b"x"));
    let por = forged(&outputs, 0x01, |_| {});
    assert_eq!(world.por(2, &por), []);
    assert!(world.ignored().contains("nothing sent to this card"));
    // Not even with a job of its own: other keys.
    world.submit(order("k", 2, b"y"));
    let mut card = TestCard::of(1);
    card.counter = Cntr::MAX;
    let signed = card.por(&outputs);
    assert_eq!(world.por(2, &signed), []);
    assert!(world.ignored().contains("answers nothing"));
    assert_eq!(
        world.por(1, &signed),
        [failed("j", FailReason::Card(0x04))],
        "from its own card it counts"
    );
}

#[test]
fn case_18_replayed_por() {
    let mut world = World::new();
    let mut card = TestCard::of(1);
    card.counter = Cntr::new((start().as_second() as u64 + 5) << 8).unwrap();
    let outputs = world.submit(order("j", 1, b"x"));
    let por = card.por(&outputs);
    assert_eq!(world.por(1, &por).len(), 1);
    assert_eq!(
        world.por(1, &por),
        [],
        "the same one again, for the packet before"
    );
    assert!(world.ignored().contains("CNTR"), "{}", world.ignored());
    world.answer(1, b"ok");
    assert_eq!(world.por(1, &por), []);
    world.submit(order("k", 1, b"y"));
    assert_eq!(world.por(1, &por), [], "nor for the next job");
}

#[test]
fn every_flipped_bit_of_a_signed_response_packet_takes_its_force() {
    let mut world = World::new();
    let mut card = TestCard::of(1);
    card.counter = Cntr::MAX;
    let outputs = world.submit(order("j", 1, b"x"));
    let por = card.por(&outputs);
    let clean = world.store.clone();
    for bit in 24..por.len() * 8 {
        let mut damaged = por.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let outputs = world.por(1, &damaged);
        assert_eq!(outputs, [], "bit {bit}");
        world.store.clone_from(&clean);
    }
    for end in 3..por.len() {
        assert_eq!(world.por(1, &por[..end]), [], "prefix {end}");
    }
}

#[test]
fn case_14_same_reference_from_another_sender() {
    let mut world = World::new();
    let one = parts(1, &[1; 200], Reference::Eight(7), None);
    let two = parts(2, &[2; 200], Reference::Eight(7), None);
    assert_eq!(world.step(Input::Deliver(one[0].clone())), []);
    assert_eq!(world.step(Input::Deliver(two[1].clone())), []);
    let outputs = world.step(Input::Deliver(one[1].clone()));
    assert!(matches!(&outputs[..], [Output::Mo { payload, .. }] if *payload == [1; 200]));
}

#[test]
fn case_14_reference_reused_while_open_and_total_changed() {
    let mut world = World::new();
    let old = parts(1, &[1; 200], Reference::Eight(7), None);
    let new = parts(1, &[2; 200], Reference::Eight(7), None);
    world.step(Input::Deliver(old[0].clone()));
    world.step(Input::Deliver(new[0].clone()));
    let outputs = world.step(Input::Deliver(new[1].clone()));
    assert!(matches!(&outputs[..], [Output::Mo { payload, .. }] if *payload == [2; 200]));
    // Another width or another total is another message as well.
    world.step(Input::Deliver(old[0].clone()));
    assert_eq!(
        world.step(Input::Deliver(
            parts(1, &[1; 200], Reference::Sixteen(7), None)[1].clone()
        )),
        []
    );
    assert_eq!(
        world.step(Input::Deliver(
            parts(1, &[1; 300], Reference::Eight(7), None)[1].clone()
        )),
        []
    );
}

#[test]
fn case_14_thousands_of_open_references() {
    let mut world = World::new();
    for reference in 0..1000 {
        world.step(Input::Deliver(
            parts(1, &[1; 200], Reference::Sixteen(reference), None)[0].clone(),
        ));
    }
    let open: Parts = serde_json::from_slice(&world.store.records["parts/447700900001"]).unwrap();
    assert_eq!(open.open.len(), 4);
    world.step(Input::Deliver(
        parts(2, &vec![1; 2000], Reference::Eight(1), None)[0].clone(),
    ));
    assert!(world.ignored().contains("parts"));
    world.wait(seconds(300));
    world.step(Input::Deliver(
        parts(1, &[1; 200], Reference::Sixteen(999), None)[1].clone(),
    ));
    assert_eq!(world.outputs, [], "the first part is too old");
}

#[test]
fn case_14_sequence_0_or_above_the_total_and_total_0() {
    let mut world = World::new();
    for octets in [
        &[][..],
        &[0x05],
        &[0x05, 0x00, 0x03, 0x01, 0x02],
        &[0x05, 0x00, 0x03, 0x01, 0x02, 0x00, 0xAA],
        &[0x05, 0x00, 0x03, 0x01, 0x02, 0x03, 0xAA],
        &[0x05, 0x00, 0x03, 0x01, 0x00, 0x01, 0xAA],
        &[0x04, 0x00, 0x02, 0x01, 0x02, 0xAA],
        &[0x02, 0x71, 0x05],
    ] {
        assert_eq!(world.por(1, octets), [], "{octets:02X?}");
        world.ignored();
    }
}

#[test]
fn messages_to_other_numbers_and_from_no_number_are_ignored() {
    let mut world = World::new();
    world.submit(order("j", 1, b"x"));
    for message in [
        ShortMessage {
            destination: "8221".into(),
            ..from_phone(1, b"x")
        },
        ShortMessage {
            source: "midsim".into(),
            ..from_phone(1, b"x")
        },
        ShortMessage {
            source: String::new(),
            ..from_phone(1, b"x")
        },
        ShortMessage {
            esm_class: 0x20,
            ..from_phone(1, b"x")
        },
        ShortMessage {
            esm_class: 0x04,
            ..from_phone(1, b"id: stat:")
        },
    ] {
        assert_eq!(world.step(Input::Deliver(message)), []);
        world.ignored();
    }
    let unnamed = ShortMessage {
        destination: String::new(),
        ..from_phone(1, b"x")
    };
    assert_eq!(
        world.step(Input::Deliver(unnamed)).len(),
        1,
        "some SMSCs leave the destination out"
    );
}

#[test]
fn a_lost_job_does_not_hold_up_its_card() {
    let mut world = World::new();
    world.submit(order("j", 1, b"x"));
    world.store.records.remove("job/j");
    assert_eq!(submitted(&world.submit(order("k", 1, b"y")))[0].0, "k/1");
}

#[test]
fn records_that_cannot_be_read_count_as_missing_and_the_clock_keeps_the_counter_up() {
    let mut world = World::new();
    world
        .store
        .records
        .insert(SIM_1.into(), b"rubbish".to_vec());
    let outputs = world.submit(order("j", 1, b"x"));
    assert_eq!(
        TestCard::of(1).receive(&outputs).unwrap().cntr.get(),
        (start().as_second() as u64) << 8
    );
}

#[test]
fn case_14_duplicate_part() {
    let mut world = World::new();
    let two = parts(1, &[7; 200], Reference::Eight(7), None);
    for _ in 0..3 {
        assert_eq!(world.step(Input::Deliver(two[0].clone())), []);
    }
    let outputs = world.step(Input::Deliver(two[1].clone()));
    assert!(matches!(&outputs[..], [Output::Mo { payload, .. }] if *payload == [7; 200]));
    assert_eq!(
        world.step(Input::Deliver(two[1].clone())),
        [],
        "late, it is the first part of another message"
    );
}

#[test]
fn case_14_a_flood_of_parts_from_many_senders_leaves_the_others_alone() {
    let mut world = World::new();
    let mine = parts(1, &[1; 200], Reference::Eight(7), None);
    world.step(Input::Deliver(mine[0].clone()));
    for n in 2..=9 {
        for reference in 0..300 {
            let part = parts(n, &[n; 200], Reference::Sixteen(reference), None);
            assert_eq!(world.step(Input::Deliver(part[0].clone())), []);
        }
    }
    let kept: usize = world
        .store
        .scan("parts/")
        .iter()
        .map(|(_, record)| record.len())
        .sum();
    assert!(kept < 9 * 4 * 500, "{kept} octets");
    let outputs = world.step(Input::Deliver(mine[1].clone()));
    assert!(matches!(&outputs[..], [Output::Mo { payload, .. }] if *payload == [1; 200]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_deliver_sm_is_survived_and_lowers_no_counter(messages in prop::collection::vec((1u8..3, any::<u8>(), prop::collection::vec(any::<u8>(), 0..60)), 1..12)) {
        let mut world = World::new();
        let mut last = 0;
        for (index, (n, class, octets)) in messages.into_iter().enumerate() {
            world.submit(order(&index.to_string(), n, b"x"));
            let octets = match class % 4 {
                0 => [&[0x02, 0x71, 0x00], octets.as_slice()].concat(),
                1 => [&[0x05, 0x00, 0x03, class, 2, 1], octets.as_slice()].concat(),
                _ => octets,
            };
            world.step(Input::Deliver(ShortMessage { esm_class: class & 0x44, ..from_phone(n, &octets) }));
            let record = world.store.records.get(SIM_1);
            let cntr = record.and_then(|record| serde_json::from_slice::<Sim>(record).unwrap().last).map_or(0, |cntr| cntr.get());
            prop_assert!(cntr >= last);
            last = cntr;
        }
    }
}

#[test]
fn case_13_identifier_71_in_a_later_part_only() {
    let mut world = World::new();
    let mut parts = parts(1, &[0; 200], Reference::Eight(1), None);
    let later = &mut parts[1].short_message;
    later[0] = 7;
    later.splice(6..6, [Iei::RESPONSE_PACKET.0, 0]);
    world.step(Input::Deliver(parts[0].clone()));
    world.step(Input::Deliver(parts[1].clone()));
    assert!(
        world.ignored().contains("response packet"),
        "{}",
        world.ignored()
    );
}

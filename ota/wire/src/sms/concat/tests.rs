//! Cutting, joining, and what a sender can do to who joins.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;
const COMMAND: Option<Iei> = Some(Iei::COMMAND_PACKET);

fn packet(length: usize) -> Vec<u8> {
    (0..length).map(|index| index as u8).collect()
}

fn later(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

/// User data from its header in hex and one octet of payload.
fn user_data(header: &str, payload: u8) -> UserData {
    let mut octets = hex::decode(header.replace(' ', "")).unwrap();
    octets.push(payload);
    UserData::from_octets(&octets, true).unwrap()
}

fn eight(reference: u8, total: u8, sequence: u8, payload: u8) -> UserData {
    user_data(
        &format!("050003{reference:02x}{total:02x}{sequence:02x}"),
        payload,
    )
}

fn reassembler() -> Reassembler<&'static str> {
    Reassembler::new(Limits::default())
}

fn octets(outcome: Outcome) -> Vec<u8> {
    match outcome {
        Outcome::Complete(joined) => joined.octets,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_fits_one_message_is_not_concatenated() {
    let parts = split(&packet(137), Reference::Eight(1), COMMAND).unwrap();
    assert_eq!(parts.len(), 1);
    assert_eq!(parts[0].to_octets()[..3], [0x02, 0x70, 0x00]);
    assert_eq!(parts[0].len(), 140);
    let plain = split(&packet(140), Reference::Eight(1), None).unwrap();
    assert_eq!(plain.len(), 1);
    assert_eq!(plain[0].udh(), None);
    assert_eq!(split(&[], Reference::Eight(1), None).unwrap().len(), 1);
}

#[test]
fn the_identifier_is_in_the_first_part_behind_the_concatenation() {
    let parts = split(&packet(138), Reference::Eight(0xAB), COMMAND).unwrap();
    assert_eq!(parts.len(), 2);
    let first = parts[0].to_octets();
    assert_eq!(first[..8], [7, 0, 3, 0xAB, 2, 1, 0x70, 0]);
    assert_eq!(parts[0].payload().len(), 132);
    assert_eq!(
        parts[1].to_octets(),
        [5, 0, 3, 0xAB, 2, 2, 132, 133, 134, 135, 136, 137]
    );

    let parts = split(&packet(138), Reference::Sixteen(0xABCD), COMMAND).unwrap();
    let first = parts[0].to_octets();
    assert_eq!(first[..9], [8, 8, 4, 0xAB, 0xCD, 2, 1, 0x70, 0]);
    assert_eq!(parts[0].payload().len(), 131);
    assert_eq!(parts[1].to_octets()[..7], [6, 8, 4, 0xAB, 0xCD, 2, 2]);
}

#[test]
fn parts_are_filled_to_the_last_octet() {
    let lengths = |octets, reference| {
        let parts = split(&packet(octets), reference, COMMAND).unwrap();
        parts
            .iter()
            .map(|part| part.payload().len())
            .collect::<Vec<_>>()
    };
    assert_eq!(lengths(132 + 134, Reference::Eight(0)), [132, 134]);
    assert_eq!(lengths(132 + 135, Reference::Eight(0)), [132, 134, 1]);
    assert_eq!(lengths(131 + 133, Reference::Sixteen(0)), [131, 133]);
    assert_eq!(lengths(131 + 134, Reference::Sixteen(0)), [131, 133, 1]);
}

#[test]
fn the_longest_packet() {
    let parts = split(&packet(34168), Reference::Eight(0), COMMAND).unwrap();
    assert_eq!(parts.len(), 255);
    assert!(parts.iter().all(|part| part.len() == 140));
    let error = TooLong {
        max: 34168,
        got: 34169,
    };
    assert_eq!(
        split(&packet(34169), Reference::Eight(0), COMMAND),
        Err(error)
    );
}

#[test]
fn a_message_without_concatenation_is_complete_at_once() {
    let outcome = reassembler().accept(&"a", &user_data("027000", 1), NOW);
    let joined = Joined {
        packet: COMMAND,
        parts: 1,
        octets: vec![1],
    };
    assert_eq!(outcome, Outcome::Complete(joined));
    let plain = UserData::new(None, [1, 2]).unwrap();
    assert_eq!(octets(reassembler().accept(&"a", &plain, NOW)), [1, 2]);
}

#[test]
fn duplicate_part_is_ignored() {
    let mut reassembler = reassembler();
    let waiting = Outcome::Waiting { held: 1, total: 2 };
    assert_eq!(reassembler.accept(&"a", &eight(1, 2, 1, 10), NOW), waiting);
    assert_eq!(
        reassembler.accept(&"a", &eight(1, 2, 1, 10), NOW),
        Outcome::Duplicate
    );
    assert_eq!(
        octets(reassembler.accept(&"a", &eight(1, 2, 2, 20), NOW)),
        [10, 20]
    );
    assert_eq!(reassembler.open(), 0);
}

#[test]
fn reference_reused_while_open_begins_anew() {
    let mut reassembler = reassembler();
    reassembler.accept(&"a", &eight(1, 3, 1, 10), NOW);
    reassembler.accept(&"a", &eight(1, 3, 2, 20), NOW);
    // The third part never came; the sender goes on with another message under the same reference.
    let waiting = Outcome::Waiting { held: 1, total: 3 };
    assert_eq!(reassembler.accept(&"a", &eight(1, 3, 1, 11), NOW), waiting);
    reassembler.accept(&"a", &eight(1, 3, 2, 21), NOW);
    assert_eq!(
        octets(reassembler.accept(&"a", &eight(1, 3, 3, 31), NOW)),
        [11, 21, 31]
    );
}

#[test]
fn sequence_0_sequence_above_total_and_total_0_are_dropped() {
    let mut reassembler = reassembler();
    for (total, sequence) in [(2, 0), (2, 3), (0, 0), (0, 1)] {
        let outcome = reassembler.accept(&"a", &eight(1, total, sequence, 0), NOW);
        let error = ConcatError::Sequence { total, sequence };
        assert_eq!(outcome, Outcome::Dropped(DropReason::Malformed(error)));
    }
    assert_eq!(reassembler.open(), 0);
}

#[test]
fn a_concatenation_element_of_the_wrong_length_is_dropped() {
    let outcome = reassembler().accept(&"a", &user_data("04 00 02 01 02", 0), NOW);
    assert!(matches!(
        outcome,
        Outcome::Dropped(DropReason::Malformed(_))
    ));
}

#[test]
fn a_total_that_changes_does_not_complete() {
    let mut reassembler = reassembler();
    reassembler.accept(&"a", &eight(1, 2, 1, 10), NOW);
    let outcome = reassembler.accept(&"a", &eight(1, 3, 2, 20), NOW);
    assert_eq!(outcome, Outcome::Waiting { held: 1, total: 3 });
    assert_eq!(reassembler.open(), 2);
}

#[test]
fn the_same_reference_from_another_sender_is_another_message() {
    let mut reassembler = reassembler();
    reassembler.accept(&"a", &eight(1, 2, 1, 10), NOW);
    let outcome = reassembler.accept(&"b", &eight(1, 2, 2, 20), NOW);
    assert_eq!(outcome, Outcome::Waiting { held: 1, total: 2 });
    assert_eq!(
        octets(reassembler.accept(&"a", &eight(1, 2, 2, 21), NOW)),
        [10, 21]
    );
}

#[test]
fn the_same_reference_in_another_width_is_another_message() {
    let mut reassembler = reassembler();
    reassembler.accept(&"a", &eight(1, 2, 1, 10), NOW);
    let outcome = reassembler.accept(&"a", &user_data("06 08 04 00 01 02 02", 20), NOW);
    assert_eq!(outcome, Outcome::Waiting { held: 1, total: 2 });
}

#[test]
fn thousands_of_references_stay_within_the_limit() {
    let mut reassembler = reassembler();
    for high in 0..=0x20u8 {
        for low in 0..=0xFF {
            let header = format!("060804{high:02x}{low:02x}0201");
            reassembler.accept(&"a", &user_data(&header, 0), NOW);
            assert!(reassembler.open() <= Limits::default().open);
        }
    }
}

#[test]
fn a_flood_from_one_sender_costs_the_others_nothing() {
    let mut reassembler = reassembler();
    reassembler.accept(&"honest", &eight(1, 2, 1, 10), NOW);
    for reference in 0..=0xFF {
        reassembler.accept(&"flood", &eight(reference, 2, 1, 0), NOW);
    }
    let outcome = reassembler.accept(&"honest", &eight(1, 2, 2, 20), NOW);
    assert_eq!(octets(outcome), [10, 20]);
}

#[test]
fn more_parts_than_accepted_are_dropped_at_the_first() {
    let mut reassembler = reassembler();
    let outcome = reassembler.accept(&"a", &eight(1, 9, 1, 0), NOW);
    let reason = DropReason::TooManyParts { max: 8, got: 9 };
    assert_eq!(outcome, Outcome::Dropped(reason));
    assert_eq!(reassembler.open(), 0);
}

#[test]
fn what_stays_open_too_long_is_forgotten() {
    let mut reassembler = reassembler();
    reassembler.accept(&"a", &eight(1, 2, 1, 10), NOW);
    assert_eq!(reassembler.expire(later(600)), 0);
    let outcome = reassembler.accept(&"a", &eight(1, 2, 2, 20), later(601));
    assert_eq!(outcome, Outcome::Waiting { held: 1, total: 2 });
    assert_eq!(reassembler.expire(later(1202)), 1);
    assert_eq!(reassembler.open(), 0);
}

#[test]
fn a_clock_that_goes_back_forgets_nothing() {
    let mut reassembler = reassembler();
    reassembler.accept(&"a", &eight(1, 2, 1, 10), later(1000));
    assert_eq!(
        octets(reassembler.accept(&"a", &eight(1, 2, 2, 20), NOW)),
        [10, 20]
    );
    assert_eq!(reassembler.expire(Timestamp::MIN), 0);
    assert_eq!(reassembler.expire(Timestamp::MAX), 0);
}

#[test]
fn identifier_in_every_part_is_tolerated() {
    let mut reassembler = reassembler();
    reassembler.accept(&"a", &user_data("07 00 03 01 02 02 70 00", 20), NOW);
    let outcome = reassembler.accept(&"a", &user_data("07 00 03 01 02 01 70 00", 10), NOW);
    let joined = Joined {
        packet: COMMAND,
        parts: 2,
        octets: vec![10, 20],
    };
    assert_eq!(outcome, Outcome::Complete(joined));
}

#[test]
fn identifier_before_the_concatenation_element_is_tolerated() {
    let mut reassembler = reassembler();
    reassembler.accept(&"a", &user_data("07 70 00 00 03 01 02 01", 10), NOW);
    let outcome = reassembler.accept(&"a", &eight(1, 2, 2, 20), NOW);
    let joined = Joined {
        packet: COMMAND,
        parts: 2,
        octets: vec![10, 20],
    };
    assert_eq!(outcome, Outcome::Complete(joined));
}

#[test]
fn identifier_in_a_later_part_only_is_no_packet() {
    let mut reassembler = reassembler();
    reassembler.accept(&"a", &eight(1, 2, 1, 10), NOW);
    let outcome = reassembler.accept(&"a", &user_data("07 00 03 01 02 02 70 00", 20), NOW);
    let joined = Joined {
        packet: None,
        parts: 2,
        octets: vec![10, 20],
    };
    assert_eq!(outcome, Outcome::Complete(joined));
}

#[test]
fn no_room_at_all_still_does_not_grow() {
    let limits = Limits {
        open: 0,
        ..Limits::default()
    };
    let mut reassembler = Reassembler::new(limits);
    for reference in 0..10 {
        reassembler.accept(&"a", &eight(reference, 2, 1, 0), NOW);
        assert!(reassembler.open() <= 1);
    }
}

proptest! {
    #[test]
    fn parts_in_any_order_and_repeated_give_the_packet(
        octets in vec(any::<u8>(), 0..3000),
        wide: bool,
        identifier in prop::option::of(Just(Iei::COMMAND_PACKET)),
        order in vec(any::<prop::sample::Index>(), 60),
    ) {
        let reference = if wide { Reference::Sixteen(0x1234) } else { Reference::Eight(0x12) };
        let parts = split(&octets, reference, identifier).unwrap();
        let limits = Limits { parts: 255, ..Limits::default() };
        let mut reassembler = Reassembler::new(limits);
        // A random walk with repetitions, then every part once more.
        let walk = order.iter().map(|index| index.index(parts.len())).chain(0..parts.len());
        let mut complete = None;
        for index in walk {
            if let Outcome::Complete(joined) = reassembler.accept(&(), &parts[index], NOW) {
                complete = Some(joined);
                break;
            }
        }
        let expected = Joined { packet: identifier, parts: parts.len() as u8, octets };
        prop_assert_eq!(complete, Some(expected));
    }

    #[test]
    fn never_panics_and_never_grows(messages in vec((0u8..3, vec(any::<u8>(), 0..6), 0u8..6), 0..200)) {
        let mut reassembler = Reassembler::new(Limits { parts: 4, open: 3, age: SignedDuration::from_secs(5) });
        for (index, (sender, mut octets, kind)) in messages.into_iter().enumerate() {
            if kind < 5 {
                let place = [5, 0, 3, octets.first().copied().unwrap_or(0) % 4, kind, octets.len() as u8];
                octets.splice(0..0, place);
            }
            if let Ok(user_data) = UserData::from_octets(&octets, true) {
                reassembler.accept(&sender, &user_data, later(index as i64));
            }
            prop_assert!(reassembler.open() <= 3);
        }
    }
}

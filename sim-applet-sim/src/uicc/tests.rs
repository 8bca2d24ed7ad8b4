use proptest::prelude::*;

use super::*;
use crate::testing::{card, profile, send, subscriber};

mod menu;

const USIM: &str = "00A4040410A0000000871002FFFFFFFF8907090000";
const PIN1: &str = "30303030FFFFFFFF";

/// Plays a script: command, answer, command, answer.
fn script(card: &mut Uicc, lines: &[(&str, &str)]) {
    for (command, expected) in lines {
        let expected = expected.replace(' ', "");
        assert_eq!(send(card, command), expected, "{command}");
    }
}

fn verified() -> Uicc {
    let mut card = card();
    script(&mut card, &[(&format!("0020000108{PIN1}"), "9000")]);
    card
}

#[test]
fn answer_to_reset_ends_in_its_check_octet() {
    let card = card();
    let atr = card.atr();
    assert_eq!(atr[1..].iter().fold(0, |sum, octet| sum ^ octet), 0);
}

#[test]
fn selection_by_every_means() {
    script(
        &mut card(),
        &[
            ("00A40004023F00", "612B"),
            (
                "00C000002B",
                "6229 8202 7821 8302 3F00 A509 800171 830400011000 8A0105 8B03 2F0601 C60C 9001E0 830101 830181 83010A 9000",
            ),
            ("00A40004022FE2", "6119"),
            (
                "00C0000019",
                "6217 8202 4121 8302 2FE2 8A0105 8B03 2F0603 8002 000A 880110 9000",
            ),
            ("00A4000C022FE2", "9000"),
            ("00A4000C027F25", "6A82"),
            ("00A4030C", "9000"),
            ("00A4040C07A0000000871002", "9000"),
            ("00A4020C026F07", "6A86"),
            ("00A4000C026F07", "9000"),
            ("00A4080C022FE2", "9000"),
            ("00A4080C047FFF6F07", "9000"),
            ("00A4090C026F38", "9000"),
            ("00A4010C027FF0", "6A82"),
            ("00A4000C023F00", "9000"),
            ("00A4010C027FF0", "9000"),
            ("00A4000C027FFF", "9000"),
            ("00A4040E07A0000000871002", "6A82"),
            ("00A4040C05A000000004", "6A82"),
            ("00A4000401FF", "6700"),
            ("00A4050C023F00", "6A86"),
            ("00A40010023F00", "6A86"),
        ],
    );
}

#[test]
fn directory_file_of_the_recorded_handset() {
    // Lines 001 to 010 of the recorded dialogue, but for the rule number and the tags a card is free to choose.
    script(
        &mut card(),
        &[
            ("00A40004022F00", "611C"),
            (
                "00C000001C",
                "621A 8205 42210026 02 8302 2F00 8A0105 8B03 2F0603 8002 004C 8801F0 9000",
            ),
            (
                "00B2010426",
                "61184F10A0000000871002FFFFFFFF890709000050045553494DFFFFFFFFFFFFFFFFFFFFFFFF 9000",
            ),
            (
                "00B2020426",
                "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF 9000",
            ),
            ("00B2030426", "6A83"),
            ("00B2010400", "6C26"),
            (
                "00B201F426",
                "61184F10A0000000871002FFFFFFFF890709000050045553494DFFFFFFFFFFFFFFFFFFFFFFFF 9000",
            ),
            ("00B0000001", "6981"),
            (USIM, "6137"),
        ],
    );
}

/// Whoever cuts the power when he has seen the answer, or knows it before, wins no try: it is in the state by then.
#[test]
fn a_wrong_code_is_in_the_state_before_its_answer_is_out() {
    let mut card = card();
    for left in ["63C2", "63C1", "6983"] {
        assert!(!card.take_changed());
        let answer = send(&mut card, "002000010839393939FFFFFFFF");
        assert!(card.take_changed(), "to be written first");
        let kept = CardState::from_bytes(&card.state().to_bytes()).unwrap();
        card = Uicc::new(profile(), subscriber(), kept);
        // 63C0 and 6983 are both words for none.
        let asked = send(&mut card, "0020000100");
        assert_eq!(asked, left);
        assert!(answer == left || answer == "63C0", "{answer}");
    }
}

#[test]
fn response_data_waits_once_and_in_pieces() {
    script(
        &mut card(),
        &[
            ("00C0000001", "6985"),
            ("00A40004022FE2", "6119"),
            ("00C0000000", "6C19"),
            ("00C0000002", "6217 6117"),
            ("80C0000003", "820241 6114"),
            (
                "00C0000014",
                "21830 22FE28A01058B032F0603 8002000A880110 9000",
            ),
            ("00C0000001", "6985"),
            ("00A40004022FE2", "6119"),
            ("80F2000C00", "9000"),
            ("00C0000019", "6985"),
        ],
    );
}

#[test]
fn binary_files() {
    let mut card = verified();
    let iccid = hex::encode_upper(subscriber().iccid.to_ef());
    script(
        &mut card,
        &[
            ("00B000000A", "6986"),
            ("00B082000A", &format!("{iccid}9000")),
            ("00B000000A", &format!("{iccid}9000")),
            ("00B0000001", &format!("{}9000", &iccid[..2])),
            ("00B0000000", "6C0A"),
            ("00B000090A", "6C01"),
            ("00B0000A01", "6B00"),
            ("00B2010401", "6981"),
            ("00D600000100", "6982"),
        ],
    );
    script(
        &mut card,
        &[
            ("00A4080C047FFF6F05", "6A82"),
            (USIM, "6137"),
            ("00B0870009", "080910100000000010 9000"),
            ("00A4000C026F05", "9000"),
            ("00D600010141", "9000"),
            ("00B0000004", "6541FFFF 9000"),
            ("00D60003020000", "6700"),
            ("00D600040100", "6B00"),
        ],
    );
    assert!(card.take_changed());
    card.reset();
    script(
        &mut card,
        &[
            (USIM, "6137"),
            ("00B0820004", "6541FFFF 9000"),
            ("00B0870009", "6982"),
        ],
    );
}

#[test]
fn records() {
    let mut card = verified();
    let number = "FFFFFFFFFFFFFFFFFFFFFFFF0791447700090010FFFFFFFFFFFF";
    let changed = "4D65FFFFFFFFFFFFFFFFFFFF0791447700090010FFFFFFFFFFFF";
    script(
        &mut card,
        &[
            (USIM, "6137"),
            ("00A4000C026F40", "9000"),
            ("00B201041A", &format!("{number}9000")),
            ("00B200021A", &format!("{number}9000")),
            ("00B200021A", "6A83"),
            ("00B200041A", &format!("{number}9000")),
            (&format!("00DC01041A{changed}"), "9000"),
            ("00B201041A", &format!("{changed}9000")),
            ("00DC01040100", "6700"),
            ("00B201051A", "6A86"),
        ],
    );
}

#[test]
fn pin1_counts_down_blocks_and_is_unblocked() {
    let wrong = "002000010839393939FFFFFFFF";
    let right = &format!("0020000108{PIN1}");
    let unblock = "002C0001103132333435363738 35353535FFFFFFFF";
    let mut card = card();
    script(
        &mut card,
        &[
            ("0020000100", "63C3"),
            ("00200001", "63C3"),
            (wrong, "63C2"),
            (right, "9000"),
            (wrong, "63C2"),
            (wrong, "63C1"),
        ],
    );
    card.reset();
    script(
        &mut card,
        &[
            ("0020000100", "63C1"),
            (wrong, "63C0"),
            (right, "6983"),
            ("0020000100", "6983"),
            ("002C000100", "63CA"),
            ("002C000110 3030303030303030 35353535FFFFFFFF", "63C9"),
            (unblock, "9000"),
            ("0020000100", "63C3"),
            (right, "63C2"),
            ("0020000108 35353535FFFFFFFF", "9000"),
            ("002000010435353535", "6700"),
            ("0020010108 35353535FFFFFFFF", "6A86"),
            ("0020000200", "6A88"),
        ],
    );
}

#[test]
fn ten_wrong_puks_end_it() {
    let wrong = "002C000110 3030303030303030 35353535FFFFFFFF";
    let mut card = card();
    for left in (0..10).rev() {
        assert_eq!(send(&mut card, wrong), format!("63C{left:X}"));
    }
    assert_eq!(send(&mut card, wrong), "6983");
    assert_eq!(
        send(&mut card, "002C000110 3132333435363738 35353535FFFFFFFF"),
        "6983"
    );
}

#[test]
fn pin1_is_changed_and_switched_off_and_on() {
    let mut card = card();
    script(
        &mut card,
        &[
            (&format!("0024000110{PIN1}36363636FFFFFFFF"), "9000"),
            (&format!("0020000108{PIN1}"), "63C2"),
            ("002600010836363636FFFFFFFF", "9000"),
            ("0020000100", "6984"),
            ("002600010836363636FFFFFFFF", "6984"),
            (&format!("0024000110 36363636FFFFFFFF{PIN1}"), "6984"),
        ],
    );
    card.reset();
    script(
        &mut card,
        &[
            (USIM, "6137"),
            ("00B0870009", "080910100000000010 9000"),
            ("0028000108 31313131FFFFFFFF", "63C2"),
            ("0028000108 36363636FFFFFFFF", "9000"),
            ("0028000108 36363636FFFFFFFF", "6985"),
            ("0024000110 36363636FFFFFFFF 363636FFFFFFFFFF", "6A80"),
        ],
    );
    let state = CardState::from_bytes(&card.state().to_bytes()).unwrap();
    let mut again = Uicc::new(profile(), subscriber(), state);
    assert_eq!(send(&mut again, "0020000108 36363636FFFFFFFF"), "9000");
}

#[test]
fn administrative_code_opens_administrative_files() {
    script(
        &mut card(),
        &[
            ("00A4000C022FE2", "9000"),
            ("00D600000100", "6982"),
            ("0020000A08 3838383838383838", "9000"),
            ("00D6000001FF", "9000"),
            ("0026000A08 3838383838383838", "6985"),
            ("002C000A00", "6A88"),
        ],
    );
}

#[test]
fn status_and_what_is_not_there() {
    script(
        &mut card(),
        &[
            ("80F20000", "6C2B"),
            ("80F2000C", "9000"),
            ("80F2000100", "6985"),
            (USIM, "6137"),
            ("80F2000112", "8410A0000000871002FFFFFFFF8907090000 9000"),
            ("80F2000012", "6C37"),
            ("80F2000200", "6A86"),
            ("00F2000C", "6E00"),
            ("80A40004023F00", "6E00"),
            ("01A40004023F00", "6881"),
            ("0CA40004023F00", "6882"),
            ("0088008122", "6D00"),
            ("00FF0000", "6D00"),
            ("8012000010", "6985"),
            ("801400000C810301218182028281830100", "6985"),
        ],
    );
    assert_eq!(card().transmit(&[]), [0x67, 0x00]);
    assert_eq!(card().transmit(&[0x00, 0xA4, 0x00]), [0x67, 0x00]);
}

#[test]
fn a_body_that_is_announced_and_missing_is_a_wrong_length() {
    let commands = [
        "00A4000402",
        "00A4040010",
        "00A4030C01",
        "00A4080C02",
        "0020000108",
        "002C000110",
        "0024000110",
        "0026000108",
        "0028000108",
        "00D6000001",
        "00DC01041A",
        "00A2010402",
        "8032000003",
        "8010000001",
        "80C2000003",
        "801400000C",
        "80AA000005",
        "A0A4000002",
        "A020000108",
    ];
    let mut card = verified();
    for command in commands {
        assert_eq!(send(&mut card, command), "6700", "{command}");
    }
    // P3 00: the MF, the domain, the tries left.
    script(
        &mut card,
        &[
            ("00A4000C00", "9000"),
            ("00A4040C00", "9000"),
            ("0020000100", "63C3"),
            ("002C000100", "63CA"),
        ],
    );
}

/// TS 102 221 §11.1.15: no octets twice, not even those of one answer.
#[test]
fn challenges_differ_within_a_session() {
    let mut card = card();
    card.reset();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let answer = send(&mut card, "0084000020");
        let (first, second) = answer[..64].split_at(32);
        seen.extend([first.to_owned(), second.to_owned()]);
    }
    assert_eq!(seen.len(), 40);
}

/// A reader's program takes none, and may go on for years.
#[test]
fn what_nobody_wants_to_know_is_forgotten() {
    let mut card = card();
    send(&mut card, "801000000403000502");
    for _ in 0..200 {
        // An SMS-DELIVER of one octet.
        assert_eq!(send(&mut card, "80C2000009 D107 82028381 8B0100"), "6A80");
    }
    assert_eq!(card.take_notes().len(), 64);
    assert!(card.take_notes().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Mostly commands that exist, so that the sequences get somewhere.
    #[test]
    fn no_sequence_of_commands_panics(
        commands in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..300),
                (
                    prop::sample::select(vec![0x00u8, 0x80, 0x84, 0xA0, 0x01, 0x02, 0x81, 0x87]),
                    prop::sample::select(vec![
                        0xA4u8, 0xF2, 0xB0, 0xD6, 0xB2, 0xDC, 0x20, 0x24, 0x26, 0x28, 0x2C, 0xC0, 0x10, 0xC2, 0x12, 0x14,
                        0xA2, 0x32, 0x84, 0xAA, 0xCA, 0x50, 0x82, 0xD8, 0xF0, 0xFA, 0x70,
                    ]),
                    prop::sample::select(vec![0u8, 1, 2, 3, 4, 8, 9, 0x80, 0x82, 0x87]),
                    prop::sample::select(vec![0u8, 1, 2, 3, 4, 0x0A, 0x0C, 0x44, 0x81, 0xF4]),
                    prop_oneof![
                        prop::collection::vec(any::<u8>(), 0..20),
                        Just(vec![0x3F, 0x00]),
                        Just(vec![0x6F, 0x3C]),
                        Just(vec![0x6F, 0x39]),
                        Just(vec![0x7F, 0x20]),
                        Just(Vec::new()),
                        Just(vec![0xA0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02]),
                        Just(b"0000\xFF\xFF\xFF\xFF".to_vec()),
                    ],
                )
                    .prop_map(|(cla, ins, p1, p2, data)| {
                        let mut command = vec![cla, ins, p1, p2, data.len() as u8];
                        command.extend(data);
                        command
                    }),
            ],
            0..40,
        )
    ) {
        let mut card = card();
        for command in commands {
            let response = card.transmit(&command);
            prop_assert!((2..=258).contains(&response.len()));
        }
        let bytes = card.state().to_bytes();
        prop_assert_eq!(&CardState::from_bytes(&bytes).unwrap(), card.state());
    }
}

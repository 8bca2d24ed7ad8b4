mod key_sets;
mod remote;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::apdu::{Command as Apdu, Ins};
use crate::applet::{AppletResponse, Challenge, Method, ResultCode, Text};
use crate::cat::{Envelope, ProactiveCommand};
use crate::ids::{Cntr, Iccid, Tar};
use crate::keys::{CipherKey, Family, IntegrityKey, MasterKey, applet_mac_key};
use crate::packet::{Command, Response, ResponseStatus, Spi};
use crate::rp::{Direction, Message};
use crate::sms::address::Address;
use crate::sms::dcs::Dcs;
use crate::sms::scts::Scts;
use crate::sms::tpdu::{Deliver, Pid, Submit};
use crate::sms::udh::Udh;
use crate::sms::user_data::UserData;

fn bytes(hex_text: &str) -> Vec<u8> {
    hex::decode(hex_text.replace(' ', "")).unwrap()
}

fn no_keys() -> Keys {
    Keys::default()
}

fn keys() -> Keys {
    let master = MasterKey::new([7; 32]);
    let iccid = Iccid::with_check_digit("898800000000000001").unwrap();
    Keys {
        key_sets: vec![
            KeySet::derive(&master, &iccid, 1, Family::Aes128),
            KeySet::derive(&master, &iccid, 2, Family::TripleDes2),
        ],
        applet: vec![(
            MacAlgorithm::AesCmac8,
            applet_mac_key(&master, &iccid, MacAlgorithm::AesCmac8),
        )],
    }
}

fn challenge(keys: &Keys) -> Vec<u8> {
    Challenge {
        tid: [0xA1; 8],
        ctr: 1_700_000_000_000,
        method: Method::Pin,
        mac_algorithm: MacAlgorithm::AesCmac8,
        valid_for: 60,
        text: Text::encode("Pay 5 EUR?").unwrap(),
        digest: None,
    }
    .seal(&keys.applet[0].1)
}

fn packet(keys: &KeySet, spi: Spi, data: Vec<u8>) -> Vec<u8> {
    let command = Command {
        spi,
        kic: keys.kic_octet(),
        kid: keys.kid_octet(),
        tar: Tar::MID,
        cntr: Cntr::new(0x1234).unwrap(),
        data,
    };
    command.seal(keys).unwrap()
}

fn deliver_of(packet: &[u8]) -> Vec<u8> {
    let user_data = UserData::new(Some(Udh::command_packet()), packet).unwrap();
    let sender = Address::short_code("8220").unwrap();
    Deliver::for_card(sender, Scts(*b"\x62\x11\x22\x41\x00\x00\x00"), user_data).emit()
}

/// An ENVELOPE command with a challenge inside five layers.
fn envelope_apdu(keys: &Keys, spi: Spi) -> Vec<u8> {
    let packet = packet(&keys.key_sets[0], spi, challenge(keys));
    let envelope = Envelope::sms_pp_download(deliver_of(&packet));
    Apdu::new(0x80, Ins::ENVELOPE, 0, 0)
        .with_data(envelope.emit())
        .emit()
}

fn meaning<'t>(tree: &'t Tree, name: &str) -> &'t str {
    let node = tree
        .find(name)
        .unwrap_or_else(|| panic!("{name} in\n{tree}"));
    node.meaning.as_deref().unwrap_or_default()
}

#[test]
fn every_line_of_the_recorded_dialogue_is_understood() {
    let trace = include_str!("../../../../fixtures/traces/handset-signature-dialogue.txt");
    for line in trace.lines().filter(|line| !line.starts_with('#')) {
        let tree = match line.split_once(" > ") {
            Some((_, command)) => command_apdu(&bytes(command), &no_keys()),
            None => response_apdu(&bytes(line.trim().trim_start_matches('<')), &no_keys()),
        };
        // The recorded command packet claims more octets than it has; all else is in order.
        match tree.find("CPL") {
            Some(_) => assert_eq!(
                tree.first_error().unwrap().value,
                "29 octets announced, got 26"
            ),
            None => assert!(tree.is_complete(), "{line}\n{tree}"),
        }
        assert!(!tree.to_string().contains("31323334"), "{tree}");
    }
}

#[test]
fn the_recorded_envelope_prints_as_its_layers() {
    let octets = bytes(
        "80C200003BD139820283818604001032548B2D400291217FF6227052000000001F027000001D1506210199B0001100112233445566778899AABBCCDDEEFF0011",
    );
    let printed = command_apdu(&octets, &no_keys()).to_string();
    let expected = include_str!("../../../../fixtures/traces/envelope-dissected.txt");
    assert_eq!(printed, expected);
    let offsets = Printer {
        offsets: true,
        reveal: false,
    };
    let printed = offsets.print(&command_apdu(&octets, &no_keys()));
    assert!(
        printed.contains("\n0014          TP-OA: 029121"),
        "{printed}"
    );
}

#[test]
fn a_challenge_is_found_through_every_layer() {
    let keys = keys();
    let octets = envelope_apdu(&keys, Spi::MT);
    let tree = command_apdu(&octets, &keys);
    assert!(tree.is_complete(), "{tree}");
    assert_eq!(meaning(&tree, "CNTR"), "4660");
    assert_eq!(meaning(&tree, "RC/CC"), "ok");
    assert_eq!(meaning(&tree, "TEXT"), "\"Pay 5 EUR?\"");
    assert_eq!(meaning(&tree, "METHOD"), "PIN");
    assert_eq!(meaning(&tree, "MAC"), "ok");
    assert_eq!(meaning(&tree, "TAR"), "\"MID\"");
    assert_eq!(tree.find("MAC").unwrap().clause, "midsim's own");
}

#[test]
fn clear_octets_lie_where_their_ranges_say() {
    let keys = keys();
    // CC, not ciphered, counter higher, no PoR.
    let octets = envelope_apdu(&keys, Spi([0x12, 0x00]));
    let tree = command_apdu(&octets, &keys);
    assert!(tree.is_complete(), "{tree}");
    for name in ["TID", "TEXT", "MAC", "CNTR", "TAR", "RC/CC", "TP-SCTS"] {
        let node = tree.find(name).unwrap();
        assert_eq!(hex::encode_upper(&octets[node.range.clone()]), node.value);
    }
}

#[test]
fn without_keys_a_ciphered_packet_stays_closed() {
    let octets = envelope_apdu(&keys(), Spi::MT);
    let tree = command_apdu(&octets, &no_keys());
    assert!(tree.is_complete(), "{tree}");
    assert!(meaning(&tree, "CNTR to end").contains("key set 1 is not at hand"));
    assert!(tree.find("TEXT").is_none());
}

#[test]
fn a_wrong_key_is_told_and_shows_nothing() {
    let octets = envelope_apdu(&keys(), Spi::MT);
    let mut wrong = keys();
    let other = Iccid::with_check_digit("898800000000000002").unwrap();
    wrong.key_sets[0] = KeySet::derive(&MasterKey::new([7; 32]), &other, 1, Family::Aes128);
    let tree = command_apdu(&octets, &wrong);
    assert!(meaning(&tree, "CNTR to end").contains("RC/CC failed"));
    let clear = envelope_apdu(&keys(), Spi([0x12, 0x00]));
    assert_eq!(meaning(&command_apdu(&clear, &wrong), "RC/CC"), "failed");
    assert!(meaning(&command_apdu(&clear, &no_keys()), "RC/CC").starts_with("not checked"));
}

#[test]
fn a_redundancy_check_needs_no_key() {
    let keyless = KeySet {
        version: 1,
        kic: CipherKey::none(),
        kid: IntegrityKey::none(),
    };
    let command = Command {
        spi: Spi([0x11, 0x00]),
        kic: 0x10,
        kid: 0x15,
        tar: Tar::MID,
        cntr: Cntr::new(1).unwrap(),
        data: vec![1, 2, 3],
    };
    let sealed = command.seal(&keyless).unwrap();
    let tree = command_packet(&sealed, &no_keys());
    assert_eq!(meaning(&tree, "RC/CC"), "ok", "{tree}");
    let mut damaged = sealed;
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(
        meaning(&command_packet(&damaged, &no_keys()), "RC/CC"),
        "failed"
    );
}

#[test]
fn response_packets_open_with_the_key_that_made_them() {
    let keys = keys();
    let answer = Response {
        tar: Tar::MID,
        cntr: Cntr::new(77).unwrap(),
        status: ResponseStatus::CNTR_LOW,
        data: vec![0xAB],
    };
    for (set, spi) in [
        (0, Spi([0x16, 0x19])),
        (1, Spi([0x16, 0x19])),
        (1, Spi([0x12, 0x09])),
    ] {
        let set = &keys.key_sets[set];
        let sealed = answer
            .seal(spi, set.kic_octet(), set.kid_octet(), Some(set))
            .unwrap();
        let tree = response_packet(&sealed, &keys);
        assert!(tree.is_complete(), "{tree}");
        assert_eq!(meaning(&tree, "RSC"), "CNTR low", "{tree}");
        assert_eq!(meaning(&tree, "CNTR"), "77");
        assert_eq!(tree.find("additional response data").unwrap().value, "AB");
    }
    let plain = answer.seal_plain().unwrap();
    let tree = response_packet(&plain, &no_keys());
    assert!(tree.is_complete(), "{tree}");
    assert_eq!(meaning(&tree, "RSC"), "CNTR low");
}

#[test]
fn pins_and_puks_are_marked_and_masked() {
    for (apdu, names) in [
        ("0020000108 31323334FFFFFFFF", &["PIN"][..]),
        (
            "0024000110 31323334FFFFFFFF 39383736FFFFFFFF",
            &["old PIN", "new PIN"],
        ),
        (
            "002C000110 3132333435363738 39383736FFFFFFFF",
            &["PUK", "new PIN"],
        ),
        ("0026000108 31323334FFFFFFFF", &["PIN"]),
        ("00200001 04 31323334", &["PIN"]),
        ("80D80181 04 31323334", &["key data"]),
    ] {
        let octets = bytes(apdu);
        let tree = command_apdu(&octets, &no_keys());
        assert!(tree.is_complete(), "{tree}");
        for name in names {
            assert!(tree.find(name).unwrap().secret, "{name} in\n{tree}");
        }
        let json = serde_json::to_string(&tree).unwrap();
        for shown in [tree.to_string(), format!("{tree:?}"), json] {
            assert!(
                !shown.contains("3132") && !shown.contains("3938"),
                "{shown}"
            );
            assert!(shown.contains("••••••••"));
        }
        let covered: usize = tree.secrets().iter().map(ExactSizeIterator::len).sum();
        assert_eq!(covered, octets.len() - 5);
        let reveal = Printer {
            offsets: false,
            reveal: true,
        };
        assert!(reveal.print(&tree).contains("31323334"));
    }
}

#[test]
fn a_typed_pin_is_marked_with_its_place() {
    let octets = bytes("80140000138103022304820282818301008D050431323334");
    let tree = command_apdu(&octets, &no_keys());
    assert_eq!(tree.secrets(), std::slice::from_ref(&(19..24)));
    assert_eq!(octets[19..24], *b"\x041234");
    assert!(!tree.to_string().contains("1234"), "{tree}");
    // The same text answered to a command that did not hide it is shown.
    let open = bytes("80140000138103022300820282818301008D050431323334");
    assert_eq!(
        meaning(&command_apdu(&open, &no_keys()), "Text string"),
        "\"1234\""
    );
}

#[test]
fn a_response_that_cannot_be_told_from_a_hidden_one_is_hidden() {
    for damaged in [
        "82028281 830100 8D050431323334",
        "8102022304 82028281 830100 8D050431323334",
        "8103022304 82028281 830100 0C050431323334",
        "8103022304 82028281 830100 8D060431323334",
        "8103022304 82028281 830100 8D850431323334",
    ] {
        let tree = terminal_response(&bytes(damaged), &no_keys());
        let shown = tree.to_string();
        assert!(
            !shown.contains("313233") && !shown.contains("\"1234"),
            "{shown}"
        );
    }
}

#[test]
fn errors_name_what_was_expected_and_what_came() {
    for (tree, expected) in [
        (
            command_apdu(&bytes("00A4"), &no_keys()),
            "P1: expected 1 octet, got 0",
        ),
        (
            command_apdu(&bytes("00A40004052F00"), &no_keys()),
            "data: expected 5 octets, got 2",
        ),
        (
            deliver(&bytes("0102912100F6"), &no_keys()),
            "TP-MTI: expected 00, got 01",
        ),
        (
            command_packet(&bytes("0005 0E"), &no_keys()),
            "CHL: expected 0D, 0F, 11 or 15, got 0E",
        ),
        (
            envelope(&bytes("D104 82028381"), &no_keys()),
            "object 0B is missing",
        ),
        (
            applet_message(&bytes("0005 02 00 00"), &no_keys()),
            "VER: expected 01, got 02",
        ),
        (
            rp_message(&bytes("09"), &no_keys()),
            "RP-MTI: expected 00 to 06, got 09",
        ),
        (
            response_apdu(&bytes("90"), &no_keys()),
            "status word: expected 2 octets, got 1",
        ),
        (
            ber_tlv(&bytes("6203")),
            "value at offset 2: expected 3 octets, got 0",
        ),
    ] {
        let error = tree.first_error().unwrap_or_else(|| panic!("{tree}"));
        assert_eq!(error.value, expected, "{tree}");
    }
}

#[test]
fn an_answer_of_the_applet_is_found_in_a_submit_and_in_rp_data() {
    let keys = keys();
    let answer = AppletResponse {
        tid: [1; 8],
        ctr: 9,
        result: ResultCode::CANCELLED,
        tries_left: 3,
        mac_algorithm: MacAlgorithm::AesCmac8,
        signature: Vec::new(),
    }
    .seal(&keys.applet[0].1, &[0; 8]);
    let centre = Address::short_code("8220").unwrap();
    let submitted = Submit::new(
        7,
        centre.clone(),
        Pid::DEFAULT,
        Dcs::CLASS_3_DATA,
        UserData::new(None, answer).unwrap(),
    );
    let command = ProactiveCommand::send_short_message(3, submitted.emit()).emit();
    let message = Message::submit(7, centre, &submitted);
    for tree in [
        submit(&submitted.emit(), &keys),
        proactive_command(&command, &keys),
        rp_message(&message.emit(Direction::FromPhone), &keys),
    ] {
        assert!(tree.is_complete(), "{tree}");
        assert_eq!(meaning(&tree, "RESULT"), "cancelled", "{tree}");
        assert_eq!(meaning(&tree, "TRIES"), "3 left");
    }
}

#[test]
fn parts_of_a_concatenated_packet_say_which_they_are() {
    let keys = keys();
    let packet = packet(&keys.key_sets[0], Spi::MT, vec![0; 200]);
    let first = [&bytes("070003AA02017000")[..], &packet[..132]].concat();
    let tree = user_data(&first, true, &keys);
    assert!(tree.is_complete(), "{tree}");
    assert_eq!(meaning(&tree, "IEI 00"), "part 1 of 2, reference 170");
    assert_eq!(meaning(&tree, "TAR"), "\"MID\"");
    let second = [&bytes("050003AA0202")[..], &packet[132..]].concat();
    let tree = user_data(&second, true, &keys);
    assert!(tree.is_complete(), "{tree}");
    assert_eq!(meaning(&tree, "data"), "part 2 of 2");
}

#[test]
fn texts_are_read_in_their_alphabet() {
    for (dcs, text) in [(Dcs::TEXT, "Hello {x}"), (Dcs::UCS2, "Да")] {
        let user_data = UserData::text(None, text, dcs).unwrap();
        let sender = Address::alphanumeric("midsim").unwrap();
        let message = Deliver::new(sender, Pid::DEFAULT, dcs, Scts([0x62; 7]), user_data);
        let tree = deliver(&message.emit(), &no_keys());
        assert_eq!(meaning(&tree, "text"), format!("{text:?}"), "{tree}");
        assert_eq!(meaning(&tree, "TP-OA"), "\"midsim\"");
    }
}

/// TS 23.040 §9.2.3.9 and §9.2.3.22.
#[test]
fn protocol_identifiers_and_failure_causes_are_named() {
    for (pid, name) in [
        (0x40, "short message type 0: acknowledged and discarded"),
        (0x41, "replace short message type 1"),
        (0x47, "replace short message type 7"),
        (0x7F, "(U)SIM data download"),
    ] {
        let user_data = UserData::text(None, "a", Dcs::TEXT).unwrap();
        let sender = Address::alphanumeric("midsim").unwrap();
        let message = Deliver::new(sender, Pid(pid), Dcs::TEXT, Scts([0x62; 7]), user_data);
        let tree = deliver(&message.emit(), &no_keys());
        assert_eq!(meaning(&tree, "TP-PID"), name);
    }
    let tree = deliver_report(&bytes("008100"), ReportIn::Error, &no_keys());
    assert_eq!(
        meaning(&tree, "TP-FCS"),
        "short message type 0 not supported"
    );
}

/// Without TP-DCS, as the parser reads it.
#[test]
fn a_report_without_a_coding_is_text_where_septets_fit() {
    let octets = bytes("00ff057f087cdcb6bd29ff6a");
    let tree = deliver_report(&octets, ReportIn::Error, &no_keys());
    assert!(tree.is_complete(), "{tree}");
    assert_eq!(meaning(&tree, "TP-UDL"), "8 septets");
}

#[test]
fn the_profile_lists_facilities_at_their_octets() {
    let octets = bytes("801000000301 00 05");
    let tree = command_apdu(&octets, &no_keys());
    assert_eq!(tree.find("octet 3 b1").unwrap().value, "DISPLAY TEXT");
    assert_eq!(tree.find("octet 3 b3").unwrap().range, 7..8);
}

#[test]
fn deep_nesting_is_followed_to_a_fixed_depth() {
    let mut octets = vec![0x04, 0x00];
    for _ in 0..10_000 {
        let mut writer = crate::tlv::Writer::new();
        writer.ber(0x62, &octets);
        octets = writer.into_bytes();
        if octets.len() > 60_000 {
            break;
        }
    }
    let tree = ber_tlv(&octets);
    assert!(tree.is_complete());
}

type Dissector = fn(&[u8], &Keys) -> Tree;

const DISSECTORS: [Dissector; 18] = [
    command_apdu,
    response_apdu,
    envelope,
    proactive_command,
    terminal_response,
    deliver,
    submit,
    |bytes, keys| deliver_report(bytes, ReportIn::Ack, keys),
    |bytes, keys| deliver_report(bytes, ReportIn::Error, keys),
    |bytes, keys| submit_report(bytes, ReportIn::Ack, keys),
    |bytes, keys| submit_report(bytes, ReportIn::Error, keys),
    status_report,
    |bytes, keys| user_data(bytes, true, keys),
    command_packet,
    response_packet,
    applet_message,
    rp_message,
    |bytes, _| ber_tlv(bytes),
];

/// Every node lies inside what was handed in, and inside its layer.
fn check_ranges(tree: &Tree, within: core::ops::Range<usize>) {
    let Tree { range, .. } = tree;
    assert!(range.start <= range.end, "{tree:?}");
    assert!(
        within.start <= range.start && range.end <= within.end,
        "{tree:?}"
    );
    for child in &tree.children {
        check_ranges(child, range.clone());
    }
}

proptest! {
    #[test]
    fn any_octets_make_a_tree(bytes in vec(any::<u8>(), 0..200)) {
        let keys = keys();
        for dissect in DISSECTORS {
            let tree = dissect(&bytes, &keys);
            check_ranges(&tree, 0..bytes.len());
            prop_assert!(serde_json::to_string(&tree).is_ok());
        }
    }

    /// One damaged octet of a message with all its layers.
    #[test]
    fn a_damaged_message_makes_a_tree(
        at: prop::sample::Index, to: u8, clear: bool, cut: prop::sample::Index
    ) {
        let keys = keys();
        let spi = if clear { Spi([0x12, 0x00]) } else { Spi::MT };
        let mut octets = envelope_apdu(&keys, spi);
        let at = at.index(octets.len());
        octets[at] = to;
        check_ranges(&command_apdu(&octets, &keys), 0..octets.len());
        octets.truncate(cut.index(octets.len()));
        check_ranges(&command_apdu(&octets, &keys), 0..octets.len());
    }

    /// What is typed into a hidden input is never printed, whatever octet is damaged behind the command details.
    #[test]
    fn a_damaged_hidden_response_never_shows_the_pin(at in 5usize..20, to: u8) {
        let mut octets = bytes("8103022304 82028281 830100 8D09 04 3736353733373635");
        octets[at.min(13)] = to;
        let shown = terminal_response(&octets, &no_keys()).to_string();
        prop_assert!(!shown.contains("3736353733") && !shown.contains("765737"), "{shown}");
    }
}

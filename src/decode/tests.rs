use ota::smpp::{Bind, BindMode, CommandStatus, ShortMessage};
use ota_wire::ids::{Cntr, Iccid, Tar};
use ota_wire::keys::{Family, KeySet, MasterKey};
use ota_wire::packet::{Command, Spi};
use proptest::prelude::*;

use super::*;

fn bytes(hex_text: &str) -> Vec<u8> {
    hex::decode(hex_text.replace(' ', "")).unwrap()
}

fn kinds(hex_text: &str) -> Vec<Kind> {
    let readings = decode(None, &bytes(hex_text), None);
    readings.into_iter().map(|reading| reading.kind).collect()
}

fn keys() -> Keys {
    let iccid = Iccid::with_check_digit("898800000000000001").unwrap();
    let set = KeySet::derive(&MasterKey::new([7; 32]), &iccid, 1, Family::Aes128);
    Keys {
        key_sets: vec![set],
        applet: Vec::new(),
    }
}

/// A user data header and a command packet behind it.
fn secured(keys: &Keys) -> Vec<u8> {
    let set = &keys.key_sets[0];
    let command = Command {
        spi: Spi::MT,
        kic: set.kic_octet(),
        kid: set.kid_octet(),
        tar: Tar::MID,
        cntr: Cntr::new(5).unwrap(),
        data: b"data of the applet".to_vec(),
    };
    [vec![0x02, 0x70, 0x00], command.seal(set).unwrap()].concat()
}

fn submit_sm(short_message: Vec<u8>) -> Vec<u8> {
    let message = ShortMessage {
        source: "8220".to_owned(),
        destination: "447700900001".to_owned(),
        esm_class: 0x40,
        protocol_id: 0x7F,
        data_coding: 0xF6,
        short_message,
        ..ShortMessage::default()
    };
    let pdu = ota::smpp::Pdu::SubmitSm(Box::new(message));
    pdu.encode(CommandStatus::ROK, 7).unwrap()
}

#[test]
fn names_of_kinds_read_back() {
    for kind in Kind::ALL {
        assert_eq!(kind.to_string().parse(), Ok(kind));
    }
    let error = "nothing".parse::<Kind>().unwrap_err();
    assert!(error.to_string().contains("mt-tpdu, mo-tpdu"), "{error}");
}

#[test]
fn octets_are_recognised_without_a_kind() {
    for (octets, kind) in [
        ("D00D8103012304820281828D0104", None),
        ("D009810301020082028182", Some(Kind::Cat)),
        ("810301218082028281830100", Some(Kind::TerminalResponse)),
        ("00A40004023F00", Some(Kind::CApdu)),
        ("6A82", Some(Kind::RApdu)),
        (
            "000E0AB0001100000000000000019000",
            Some(Kind::ResponsePacket),
        ),
        (
            "0271 00 000E0AB0001100000000000000019000",
            Some(Kind::ResponsePacket),
        ),
        ("40028121 7FF6 22705200000000 03 027F00", Some(Kind::MtTpdu)),
        (
            "41000281217FF6 13 027100000E0AB0001100000000000000019000",
            Some(Kind::MoTpdu),
        ),
        ("0207", Some(Kind::Rp)),
        ("00000010 00000015 00000000 00000001", Some(Kind::Smpp)),
        ("0000", Some(Kind::Report)),
    ] {
        let found = kinds(octets);
        match kind {
            Some(kind) => assert!(found.contains(&kind), "{octets}: {found:?}"),
            None => assert!(!found.contains(&Kind::Cat), "{octets}: {found:?}"),
        }
    }
    assert!(kinds("").is_empty());
    assert!(kinds("FF").is_empty());
}

#[test]
fn a_kind_that_does_not_fit_gives_one_reading_with_an_error() {
    for kind in Kind::ALL {
        let readings = decode(Some(kind), &[0xFF], None);
        assert_eq!(readings.len(), 1);
        assert_eq!(readings[0].kind, kind);
        assert!(readings[0].tree.first_error().is_some(), "{kind}");
    }
}

#[test]
fn a_report_is_read_by_what_carried_it() {
    let read = |octets: &str| {
        decode(Some(Kind::Report), &bytes(octets), None)
            .remove(0)
            .tree
    };
    let in_error = read("00D500");
    assert!(in_error.is_complete(), "{in_error}");
    assert_eq!(
        in_error.find("TP-FCS").unwrap().meaning.as_deref(),
        Some("data download error")
    );
    let with_data = read("4007 7F F6 13 027100000E0AB0001100000000000000019000");
    assert!(with_data.is_complete(), "{with_data}");
    assert_eq!(
        with_data.find("RSC").unwrap().meaning.as_deref(),
        Some("PoR OK")
    );
    let submitted = read("0100 22705200000000");
    assert_eq!(submitted.name, "SMS-SUBMIT-REPORT", "{submitted}");
}

#[test]
fn a_secured_message_is_read_out_of_submit_sm() {
    let keys = keys();
    let octets = submit_sm(secured(&keys));
    let readings = decode(None, &octets, Some(&keys));
    assert_eq!(readings[0].kind, Kind::Smpp);
    let tree = &readings[0].tree;
    assert_eq!(tree.name, "submit_sm");
    assert_eq!(tree.find("destination_addr").unwrap().value, "447700900001");
    assert_eq!(tree.find("CNTR").unwrap().meaning.as_deref(), Some("5"));
    let data = hex::encode_upper("data of the applet");
    assert_eq!(tree.find("secured data").unwrap().value, data);
    let tar = tree.find("TAR").unwrap();
    assert_eq!(octets[tar.range.clone()], *b"MID");
}

#[test]
fn a_password_is_masked() {
    let bind = Bind {
        system_id: "midsim".to_owned(),
        password: "geheim".to_owned(),
        system_type: String::new(),
        interface_version: 0x34,
        address_range: String::new(),
    };
    let pdu = ota::smpp::Pdu::Bind(BindMode::Transceiver, bind);
    let octets = pdu.encode(CommandStatus::ROK, 1).unwrap();
    let tree = decode(Some(Kind::Smpp), &octets, None).remove(0).tree;
    assert!(tree.is_complete(), "{tree}");
    assert_eq!(tree.name, "bind_transceiver");
    assert!(!tree.to_string().contains("geheim") && tree.to_string().contains("••••••"));
    assert_eq!(tree.secrets(), [ota::smpp::secret_range(&octets).unwrap()]);
}

#[test]
fn pdus_that_are_cut_off_or_too_long_say_so() {
    let octets = submit_sm(secured(&keys()));
    for length in 0..octets.len() {
        let tree = decode(Some(Kind::Smpp), &octets[..length], None)
            .remove(0)
            .tree;
        assert!(!tree.is_complete(), "{length}\n{tree}");
    }
    let tree = decode(Some(Kind::Smpp), &[&octets[..], &[0]].concat(), None)
        .remove(0)
        .tree;
    assert!(
        tree.first_error()
            .unwrap()
            .value
            .starts_with("command_length: expected")
    );
}

#[test]
fn a_message_in_an_optional_parameter_is_read_too() {
    let mut octets = submit_sm(Vec::new());
    let payload = secured(&keys());
    octets.extend([0x04, 0x24]);
    octets.extend((payload.len() as u16).to_be_bytes());
    octets.extend(payload);
    let length = (octets.len() as u32).to_be_bytes();
    octets[..4].copy_from_slice(&length);
    let tree = decode(Some(Kind::Smpp), &octets, None).remove(0).tree;
    assert!(tree.is_complete(), "{tree}");
    let tar = tree.find("message_payload").unwrap().find("TAR").unwrap();
    assert_eq!(octets[tar.range.clone()], *b"MID");
}

#[test]
fn what_is_nothing_completely_is_shown_as_far_as_it_goes() {
    let mut octets = submit_sm(secured(&keys()));
    octets.truncate(octets.len() - 1);
    octets[3] -= 1;
    assert!(decode(None, &octets, None).is_empty());
    let reading = nearest(&octets, None).unwrap();
    assert_eq!(reading.kind, Kind::Smpp);
    assert!(!reading.tree.is_complete());
}

proptest! {
    #[test]
    fn any_octets_are_read_as_any_kind(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        for kind in Kind::ALL {
            prop_assert_eq!(decode(Some(kind), &bytes, None).len(), 1);
        }
        for reading in decode(None, &bytes, None) {
            prop_assert!(reading.tree.is_complete());
        }
        prop_assert!(nearest(&bytes, None).is_some());
    }

    #[test]
    fn damaged_pdus_are_read(at: prop::sample::Index, to: u8) {
        let keys = keys();
        let mut octets = submit_sm(secured(&keys));
        let at = at.index(octets.len());
        octets[at] = to;
        let readings = decode(Some(Kind::Smpp), &octets, Some(&keys));
        prop_assert_eq!(readings.len(), 1);
    }
}

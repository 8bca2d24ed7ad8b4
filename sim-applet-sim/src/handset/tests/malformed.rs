//! Messages, envelopes and terminal responses that are not what they should be.

use ota_wire::apdu::Sw;
use ota_wire::applet::Method;
use ota_wire::rp::{Cause, Message};
use ota_wire::sms::address::Address;
use ota_wire::sms::dcs::Dcs;
use ota_wire::sms::tpdu::{Deliver, DeliverReport, Fcs, Pid, ReportIn};
use ota_wire::sms::udh::{Concat, Iei, InformationElement, Reference, Udh};
use ota_wire::sms::user_data::UserData;

use super::{TEXT, World, sent};
use crate::handset::Action;
use crate::testing::{send, simple_profile};

#[test]
fn case_13_headers_that_hold_no_command_packet() {
    let mut world = World::new();
    let packet = world.packet(b"hello".to_vec());
    let element = |iei, data: &[u8]| InformationElement::new(iei, data);
    let headers: [Option<Vec<InformationElement>>; 6] = [
        None,
        Some(vec![]),
        Some(vec![element(Iei::RESPONSE_PACKET, &[])]),
        Some(vec![
            element(Iei::COMMAND_PACKET, &[]),
            element(Iei::RESPONSE_PACKET, &[]),
        ]),
        Some(vec![element(Iei::COMMAND_PACKET, &[0])]),
        Some(vec![element(Iei(0x7F), &[])]),
    ];
    for elements in headers {
        let udh = elements.map(|elements| Udh::new(elements).unwrap());
        let user_data = UserData::new(udh, packet.clone()).unwrap();
        world.rejected(&user_data, Dcs::CLASS_2_DATA);
    }
    // The identifier twice says the same thing twice.
    let twice = vec![
        element(Iei::COMMAND_PACKET, &[]),
        element(Iei::COMMAND_PACKET, &[]),
    ];
    let user_data = UserData::new(Some(Udh::new(twice).unwrap()), packet).unwrap();
    let tpdu = world.message(&user_data, Dcs::CLASS_2_DATA);
    let step = world.deliver(&tpdu);
    assert!(matches!(sent(&step).as_slice(), [Message::Ack { .. }]));
    // A header that is longer than the user data, and one whose element is.
    for (at, octet) in [(13, 0x40), (15, 0x40)] {
        let mut tpdu = world.delivers(&world.key_set().kic_octet().to_be_bytes())[0].emit();
        tpdu[at + 2] = octet;
        let step = world.deliver(&tpdu);
        assert!(
            matches!(sent(&step).as_slice(), [Message::Error { .. }]),
            "{}",
            hex::encode(tpdu)
        );
    }
    world.still_works();
}

#[test]
fn case_13_identifier_in_a_later_part_only() {
    let mut world = World::new();
    let challenge = world.challenge(Method::Confirm, &"x".repeat(200));
    let octets = challenge.seal(&world.key(challenge.mac_algorithm));
    let packet = world.packet(octets);
    let (first, second) = packet.split_at(130);
    let part = |sequence, identifier: bool, octets: &[u8]| {
        let concat = Concat {
            reference: Reference::Eight(9),
            total: 2,
            sequence,
        };
        let mut elements = vec![concat.element()];
        if identifier {
            elements.push(InformationElement::empty(Iei::COMMAND_PACKET));
        }
        UserData::new(Some(Udh::new(elements).unwrap()), octets).unwrap()
    };
    for (parts, accepted) in [
        ([part(1, false, first), part(2, true, second)], false),
        ([part(2, true, second), part(1, true, first)], true),
    ] {
        for user_data in parts {
            let tpdu = world.message(&user_data, Dcs::CLASS_2_DATA);
            world.deliver(&tpdu);
        }
        assert_eq!(world.screen().is_some(), accepted);
    }
}

#[test]
fn case_14_concatenation_that_lies_and_thousands_of_open_messages() {
    let mut world = World::new();
    let element = |octets: &[u8]| {
        let elements = vec![
            InformationElement::new(Iei::CONCAT_8, octets),
            InformationElement::empty(Iei::COMMAND_PACKET),
        ];
        UserData::new(Some(Udh::new(elements).unwrap()), vec![0; 50]).unwrap()
    };
    for octets in [[1, 2, 0], [1, 2, 3], [1, 0, 0], [1, 0, 1], [1, 200, 1]] {
        world.rejected(&element(&octets), Dcs::CLASS_2_DATA);
    }
    for reference in 0..4000u16 {
        let [high, low] = reference.to_be_bytes();
        let elements = vec![InformationElement::new(Iei::CONCAT_16, [high, low, 8, 1])];
        let user_data = UserData::new(Some(Udh::new(elements).unwrap()), vec![0; 100]).unwrap();
        let tpdu = world.message(&user_data, Dcs::CLASS_2_DATA);
        let step = world.deliver(&tpdu);
        assert!(matches!(
            sent(&step).as_slice(),
            [Message::Ack { tpdu: None, .. }]
        ));
    }
    world.still_works();
}

#[test]
fn case_14_parts_in_any_order_twice_and_from_another_number() {
    let mut world = World::new();
    let challenge = world.challenge(Method::Confirm, &"Ж".repeat(119));
    let octets = challenge.seal(&world.key(challenge.mac_algorithm));
    let packet = world.packet(octets);
    let parts = world.delivers(&packet);
    assert_eq!(parts.len(), 3);
    let mut stranger = parts[1].clone();
    stranger.oa = Address::short_code("666").unwrap();
    for deliver in [&parts[2], &parts[2], &stranger, &parts[0]] {
        world.deliver(&deliver.emit());
        assert_eq!(world.screen(), None);
    }
    world.deliver(&parts[1].emit());
    assert_eq!(world.screen().map(|text| text.chars().count()), Some(119));
}

#[test]
fn case_15_messages_whose_fields_do_not_fit() {
    let mut world = World::new();
    let packet = world.packet(b"hello".to_vec());
    let good = world.delivers(&packet)[0].emit();
    // TP-OA is 04 81 28 02 at 1, TP-PID at 5, TP-DCS at 6, TP-SCTS at 7, TP-UDL at 14.
    let udl = 14;
    assert_eq!(usize::from(good[udl]), good.len() - udl - 1);
    for (at, octet) in [
        (udl, 0),
        (udl, good[udl] + 1),
        (udl, 141),
        (udl, 0xFF),
        (1, 21),
        (1, 0xFF),
    ] {
        let mut tpdu = good.clone();
        tpdu[at] = octet;
        let step = world.deliver(&tpdu);
        let [
            Message::Error {
                cause: Cause::INVALID_MANDATORY,
                ..
            },
        ] = sent(&step)[..]
        else {
            panic!("{at} {octet}");
        };
    }
    // Class 2 in the 7-bit alphabet, with binary data.
    let user_data = UserData::septets(Some(Udh::command_packet()), &[0x41; 100]).unwrap();
    world.rejected(&user_data, Dcs(0xF2));
    // Not class 2: for people, whatever TP-PID says.
    let tpdu = {
        let mut tpdu = good.clone();
        tpdu[6] = 0x04;
        tpdu
    };
    let step = world.deliver(&tpdu);
    assert!(matches!(
        sent(&step).as_slice(),
        [Message::Ack { tpdu: None, .. }]
    ));
    assert_eq!(world.phone.inbox().len(), 1);
    world.still_works();
}

#[test]
fn case_16_envelopes_that_are_none() {
    let mut world = World::new();
    let packet = world.packet(b"hello".to_vec());
    let tpdu = world.delivers(&packet)[0].emit();
    let card = &mut world.phone.card;
    let mut envelope = |outer: u8, objects: &[&[u8]]| {
        let value = objects.concat();
        let mut command = vec![
            0x80,
            0xC2,
            0x00,
            0x00,
            value.len() as u8 + 2,
            outer,
            value.len() as u8,
        ];
        command.extend(value);
        let answer = card.transmit(&command);
        Sw(u16::from_be_bytes([answer[0], answer[1]]))
    };
    let devices: &[u8] = &[0x82, 0x02, 0x83, 0x81];
    let message = &[&[0x8B, tpdu.len() as u8], tpdu.as_slice()].concat();
    let message_without_cr = &[&[0x0B, tpdu.len() as u8], tpdu.as_slice()].concat();
    for (outer, objects, expected) in [
        (0xD1, vec![devices], Sw::WRONG_DATA),
        (0xD1, vec![message.as_slice()], Sw::WRONG_DATA),
        (
            0xD1,
            vec![&[0x82, 0x02, 0x82, 0x81], message],
            Sw::WRONG_DATA,
        ),
        (0xD1, vec![devices, message, message], Sw::WRONG_DATA),
        (0xD1, vec![devices, &[0x8B, 0x05, 0x00]], Sw::WRONG_LENGTH),
        (0xD1, vec![devices, &[0x8B, 0x00]], Sw::WRONG_DATA),
        (
            0xD3,
            vec![&[0x82, 0x02, 0x01, 0x81], &[0x90, 0x01, 0x01]],
            Sw::FUNCTION_NOT_SUPPORTED,
        ),
        (0xDE, vec![&[0x00; 20]], Sw::FUNCTION_NOT_SUPPORTED),
        (0x00, vec![], Sw::FUNCTION_NOT_SUPPORTED),
        (0xD1, vec![devices, message_without_cr], Sw::OK),
    ] {
        assert_eq!(
            envelope(outer, &objects),
            expected,
            "{outer:02X} {objects:02X?}"
        );
    }
    for raw in [
        "80C2000003D181FF",
        "80C2000002D182",
        "80C2000003D18000",
        "80C2000001D1",
    ] {
        assert_eq!(send(card, raw).len(), 4, "{raw}");
    }
    let mut longest = vec![0x80, 0xC2, 0x00, 0x00, 0xFF];
    longest.extend([0xD1; 255]);
    assert_eq!(card.transmit(&longest).len(), 2);
    world.still_works();
}

#[test]
fn case_16_nothing_is_taken_before_the_terminal_profile_or_while_busy() {
    let mut world = World::new();
    let challenge = world.challenge(Method::Confirm, TEXT);
    let octets = challenge.seal(&world.key(challenge.mac_algorithm));
    let packet = world.packet(octets);
    world.phone.card_mut().reset();
    let step = world.send_packet(&packet);
    let messages = sent(&step);
    let [
        Message::Error {
            tpdu: Some(tpdu), ..
        },
    ] = messages.as_slice()
    else {
        panic!("{messages:?}");
    };
    let report = DeliverReport::parse(tpdu.octets(), ReportIn::Error).unwrap();
    assert_eq!(report.fcs, Some(Fcs::DATA_DOWNLOAD_ERROR));
    world.restart();
    world.send_packet(&packet);
    assert_eq!(world.screen().as_deref(), Some(TEXT));
    assert_eq!(
        send(&mut world.phone.card, "80C2000006D10482028381"),
        "9300"
    );
}

#[test]
fn case_17_terminal_responses_that_answer_something_else() {
    let mut world = World::with(simple_profile());
    let card = &mut world.phone.card;
    let ok = "80140000 0C 810301218182028281830100";
    assert_eq!(send(card, ok), "6985", "without FETCH");

    let challenge = world.challenge(Method::Pin, TEXT);
    world.send_challenge(&challenge);
    let card = &mut world.phone.card;
    for response in [
        "80140000 0C 810302218182028281830100",
        "80140000 0C 810301238182028281830100",
        "80140000 0C 810301218082028281830100",
        "80140000 0C 810301218182028283830100",
        "80140000 09 810301218182028281",
        "80140000 0B 8103012181820282818300",
        "80140000 04 81030121",
    ] {
        let answer = send(card, response);
        assert!(answer == "6A80" || answer == "6700", "{response}: {answer}");
        assert_eq!(send(card, ok), "6985", "it has to be fetched again");
        let offered = send(card, "80F2000C");
        assert_eq!(&offered[..2], "91");
        send(card, &format!("80120000{}", &offered[2..]));
    }
    let next = send(card, ok);
    send(card, &format!("80120000{}", &next[2..]));
    // What the user typed: not digits, too short, too long, nothing. Nothing is compared and no try is lost; the
    // question comes again, three times, then the applet gives up.
    for (number, typed) in [
        (2, "8D050431323341"),
        (3, "8D0404313233"),
        (4, "8D0A04313233343536373839"),
        (5, "8D00"),
    ] {
        let data = format!("8103{number:02X}230482028281830100{typed}");
        let answer = send(card, &format!("80140000{:02X}{data}", data.len() / 2));
        assert_eq!(&answer[..2], "91", "{typed}");
        let command = send(card, &format!("80120000{}", &answer[2..]));
        assert_eq!(card.state().last_challenge().1, number == 5, "{command}");
    }
    assert_eq!(card.state().pin_tries(), 3);
}

#[test]
fn case_17_a_pin_in_any_coding() {
    // 1234 in the 8-bit alphabet, packed, and in UCS2.
    for typed in ["8D050431323334", "8D050031D98C06", "8D09080031003200330034"] {
        let mut world = World::with(simple_profile());
        let challenge = world.challenge(Method::Pin, TEXT);
        world.send_challenge(&challenge);
        world.act(Action::Ok);
        let data = format!("810302230482028281830100{typed}");
        let answer = send(
            &mut world.phone.card,
            &format!("80140000{:02X}{data}", data.len() / 2),
        );
        assert_eq!(&answer[..2], "91", "{typed}");
        assert!(world.phone.card_state().last_challenge().1);
        assert_eq!(world.phone.card_state().pin_tries(), 3);
    }
}

impl World {
    fn message(&self, user_data: &UserData, dcs: Dcs) -> Vec<u8> {
        let mut deliver: Deliver = self.delivers(&[0])[0].clone();
        deliver.pid = Pid::SIM_DATA_DOWNLOAD;
        deliver.dcs = dcs;
        deliver.user_data = user_data.clone();
        deliver.emit()
    }

    /// Sends a message that the card calls no command packet.
    fn rejected(&mut self, user_data: &UserData, dcs: Dcs) {
        let tpdu = self.message(user_data, dcs);
        let before = self.phone.card_state().clone();
        let step = self.deliver(&tpdu);
        let messages = sent(&step);
        let [
            Message::Error {
                tpdu: Some(tpdu), ..
            },
        ] = messages.as_slice()
        else {
            panic!("{user_data:?}: {messages:?}");
        };
        let report = DeliverReport::parse(tpdu.octets(), ReportIn::Error).unwrap();
        assert_eq!(report.fcs, Some(Fcs::DATA_DOWNLOAD_ERROR));
        assert_eq!(self.phone.card_state(), &before);
    }
}

//! submit_sm, deliver_sm and what asks about them: octet for octet, and every field.

use proptest::prelude::*;

use super::support::*;
use super::*;

#[test]
fn a_submit_sm_has_exactly_the_octets_of_the_standard() {
    let mut esme = bound_esme();
    esme.submit("job/1".into(), &mt(), start()).unwrap();
    let pdu = sent(&mut esme);
    assert_eq!(pdu, [octets(SUBMIT)]);
    assert_eq!(pdu[0][39], 0x40, "esm_class");
    esme.handle_bytes(&octets(SUBMIT_RESP), start());
    assert_eq!(
        events(&mut esme),
        [SessionEvent::Response {
            id: "job/1".into(),
            result: Ok("ab1".into())
        }]
    );
}

#[test]
fn a_submit_sm_is_read_and_answered_with_its_message_id() {
    let mut smsc = bound_smsc();
    smsc.handle_bytes(&octets(SUBMIT), start());
    assert_eq!(
        events(&mut smsc),
        [SessionEvent::Message {
            sequence: 2,
            message: Box::new(mt())
        }]
    );
    smsc.respond(2, CommandStatus::ROK, "ab1");
    smsc.respond(3, CommandStatus::RINVDSTADR, "");
    assert_eq!(
        sent(&mut smsc),
        [
            octets(SUBMIT_RESP),
            octets("00000010 80000004 0000000B 00000003")
        ]
    );
}

#[test]
fn a_message_in_message_payload_is_taken_and_vendor_parameters_survive() {
    let mut esme = bound_esme();
    esme.handle_bytes(&octets(DELIVER), start());
    let [
        SessionEvent::Message {
            sequence: 7,
            message,
        },
    ] = &events(&mut esme)[..]
    else {
        panic!()
    };
    assert!(message.in_payload);
    assert_eq!(message.short_message, [1, 2, 3]);
    assert_eq!(
        message.tlvs,
        [Tlv {
            tag: 0x1401,
            value: vec![9]
        }]
    );
    let again = Pdu::DeliverSm(message.clone())
        .encode(CommandStatus::ROK, 7)
        .unwrap();
    assert_eq!(
        Pdu::decode(CommandId::DELIVER_SM, &again[HEADER..]),
        Ok(Pdu::DeliverSm(message.clone()))
    );
    esme.respond(7, CommandStatus::ROK, "");
    assert_eq!(
        sent(&mut esme),
        [octets("00000011 80000005 00000000 00000007 00")]
    );
}

#[test]
fn every_value_of_every_octet_field_survives() {
    for value in 0..=u8::MAX {
        let message = ShortMessage {
            source_ton: value,
            source_npi: value,
            destination_ton: value,
            destination_npi: value,
            esm_class: value,
            protocol_id: value,
            priority: value,
            registered_delivery: value,
            replace_if_present: value,
            data_coding: value,
            default_message_id: value,
            short_message: vec![value],
            ..mt()
        };
        let pdu = Pdu::SubmitSm(Box::new(message));
        let octets = pdu.encode(CommandStatus::ROK, 1).unwrap();
        assert_eq!(octets[39], value, "esm_class");
        assert_eq!(
            Pdu::decode(CommandId::SUBMIT_SM, &octets[HEADER..]),
            Ok(pdu)
        );
    }
}

#[test]
fn a_record_survives_its_storage() {
    let mut message = mt();
    message.set_receipted_message_id("0A1B");
    message.tlvs.push(Tlv {
        tag: tag::MESSAGE_STATE,
        value: vec![5],
    });
    let text = serde_json::to_string(&message).unwrap();
    assert!(text.contains("\"027000aabb\""), "{text}");
    let back: ShortMessage = serde_json::from_str(&text).unwrap();
    assert_eq!(back, message);
    assert_eq!(back.receipted_message_id().as_deref(), Some("0A1B"));
    assert_eq!(back.message_state(), Some(MessageState::UNDELIVERABLE));
}

#[test]
fn fields_that_do_not_fit_are_refused_by_name() {
    let mut esme = bound_esme();
    for (message, field) in [
        (
            ShortMessage {
                destination: "4".repeat(21),
                ..mt()
            },
            "destination_addr",
        ),
        (
            ShortMessage {
                source: "é".into(),
                ..mt()
            },
            "source_addr",
        ),
        (
            ShortMessage {
                validity: "1".into(),
                ..mt()
            },
            "validity_period",
        ),
        (
            ShortMessage {
                short_message: vec![0; 255],
                ..mt()
            },
            "short_message",
        ),
    ] {
        let error = esme.submit("x".into(), &message, start()).unwrap_err();
        assert!(
            matches!(error, SendError::Field(FieldError { field: name, .. }) if name == field),
            "{error}"
        );
    }
    assert!(
        esme.submit(
            "x".into(),
            &ShortMessage {
                short_message: vec![0; 254],
                ..mt()
            },
            start()
        )
        .is_ok()
    );
}

#[test]
fn the_other_operations_have_the_octets_of_the_standard() {
    let mut smsc = bound_smsc();
    // By hand from §4.8.1, §4.9.1 and §4.10.1: message A1 from 8220, TON 3.
    smsc.handle_bytes(
        &octets("0000001A 00000003 00000000 00000002 413100 0300 3832323000"),
        start(),
    );
    smsc.handle_bytes(
        &octets("0000001E 00000008 00000000 00000003 00 413100 0300 3832323000 0000 00"),
        start(),
    );
    smsc.handle_bytes(
        &octets("00000021 00000007 00000000 00000004 413100 0300 3832323000 00 00 01 00 02 AABB"),
        start(),
    );
    let source = Party {
        ton: 3,
        npi: 0,
        address: "8220".into(),
    };
    let expected = [
        Operation::Query {
            message_id: "A1".into(),
            source: source.clone(),
        },
        Operation::Cancel {
            service_type: String::new(),
            message_id: "A1".into(),
            source: source.clone(),
            destination: Party::default(),
        },
        Operation::Replace {
            message_id: "A1".into(),
            source,
            schedule: String::new(),
            validity: String::new(),
            registered_delivery: 1,
            short_message: vec![0xAA, 0xBB],
        },
    ];
    let asked = events(&mut smsc);
    for (index, operation) in expected.into_iter().enumerate() {
        let sequence = index as u32 + 2;
        assert_eq!(
            asked[index],
            SessionEvent::Operation {
                sequence,
                operation: Box::new(operation.clone())
            }
        );
        let pdu = Pdu::Operate(Box::new(operation));
        let octets = pdu.encode(CommandStatus::ROK, sequence).unwrap();
        assert_eq!(Pdu::decode(pdu.id(), &octets[HEADER..]), Ok(pdu));
    }
    smsc.answer(
        2,
        &Answer::Query(Ok(Found {
            message_id: "A1".into(),
            final_date: String::new(),
            state: MessageState::ENROUTE,
            error_code: 0,
        })),
    );
    smsc.answer(3, &Answer::Cancel(CommandStatus::RCANCELFAIL));
    smsc.answer(4, &Answer::Replace(CommandStatus::ROK));
    assert_eq!(
        sent(&mut smsc),
        [
            octets("00000016 80000003 00000000 00000002 413100 00 01 00"),
            octets("00000010 80000008 00000011 00000003"),
            octets("00000010 80000007 00000000 00000004"),
        ]
    );
    // Whoever may not submit may not ask either.
    let mut fresh = smsc_with(Limits::default());
    fresh.handle_bytes(
        &octets("0000001A 00000003 00000000 00000002 413100 0300 3832323000"),
        start(),
    );
    assert_eq!(
        sent(&mut fresh),
        [octets("00000010 80000003 00000004 00000002")]
    );
}

proptest! {
    #[test]
    fn any_message_that_can_be_written_is_read_the_same(source in "[0-9A-Za-z]{0,20}", destination in "[0-9]{0,20}", octet in any::<[u8; 4]>(),
                                                       text in prop::collection::vec(any::<u8>(), 0..255), in_payload: bool,
                                                       vendor in prop::collection::vec((0x1400u16..0x3FFF, prop::collection::vec(any::<u8>(), 1..20)), 0..4)) {
        let message = ShortMessage {
            source, destination, esm_class: octet[0], protocol_id: octet[1], data_coding: octet[2], source_ton: octet[3],
            in_payload: in_payload && !text.is_empty(), short_message: text,
            tlvs: vendor.into_iter().map(|(tag, value)| Tlv { tag, value }).collect(),
            ..ShortMessage::default()
        };
        let pdu = Pdu::DeliverSm(Box::new(message));
        let octets = pdu.encode(CommandStatus::ROK, 1).unwrap();
        prop_assert_eq!(Pdu::decode(CommandId::DELIVER_SM, &octets[HEADER..]), Ok(pdu));
    }
}

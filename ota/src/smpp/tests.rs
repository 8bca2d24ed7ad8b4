use jiff::{SignedDuration, Timestamp};
use ota_wire::secret::Secret;
use proptest::prelude::*;

use super::*;

/// bind_transceiver by hand from SMPP 3.4 §4.1.5: system_id, password, system_type, version, TON, NPI, address_range.
const BIND: &str =
    "00000023 00000009 00000000 00000001 6D696473696D00 6D696473696D00 00 34 00 00 00";
/// Its answer with the TLV sc_interface_version (0210).
const BIND_RESP: &str = "0000001D 80000009 00000000 00000001 4D494453494D3100 0210000134";
/// submit_sm by hand from §4.4.1: 8220 to 447700900001, esm_class 40, PID 7F, receipt on failure, DCS F6.
const SUBMIT: &str = "00000036 00000004 00000000 00000002 00 03 00 3832323000 01 01 34343737303039303030303100 \
                      40 7F 00 00 00 02 00 F6 00 05 027000AABB";
const SUBMIT_RESP: &str = "00000014 80000004 00000000 00000002 61623100";
/// deliver_sm with the message in message_payload (0424) and an optional parameter of a vendor (1401).
const DELIVER: &str = "0000003D 00000005 00000000 00000007 00 01 01 34343737303039303030303100 03 00 3832323000 \
                       00 00 00 00 00 00 00 F7 00 00 04240003010203 1401000109";
const ENQUIRE: &str = "00000010 00000015 00000000 00000009";
const UNBIND: &str = "00000010 00000006 00000000 0000000A";

fn octets(text: &str) -> Vec<u8> {
    hex::decode(text.replace([' ', '\n'], "")).unwrap()
}

fn start() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

fn after(seconds: i64) -> Timestamp {
    start() + SignedDuration::from_secs(seconds)
}

fn esme_with(mode: BindMode, limits: Limits) -> Session {
    let password = Secret::new(b"midsim".to_vec());
    let config = EsmeConfig {
        system_id: "midsim".into(),
        password,
        system_type: String::new(),
        mode,
        limits,
    };
    Session::esme(config, start()).unwrap()
}

fn smsc_with(limits: Limits) -> Session {
    let account = Account {
        system_id: "midsim".into(),
        password: Secret::new(b"midsim".to_vec()),
    };
    Session::smsc(
        SmscConfig {
            system_id: "MIDSIM1".into(),
            accounts: vec![account],
            limits,
        },
        start(),
    )
}

fn sent(session: &mut Session) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| session.poll_transmit()).collect()
}

/// Events other than the PDU reports.
fn events(session: &mut Session) -> Vec<SessionEvent> {
    std::iter::from_fn(|| session.poll_event())
        .filter(|event| !matches!(event, SessionEvent::Pdu { .. }))
        .collect()
}

fn bound_smsc() -> Session {
    let mut smsc = smsc_with(Limits::default());
    smsc.handle_bytes(&octets(BIND), start());
    assert_eq!(sent(&mut smsc), [octets(BIND_RESP)]);
    assert_eq!(
        events(&mut smsc),
        [SessionEvent::Bound {
            system_id: "midsim".into(),
            mode: BindMode::Transceiver
        }]
    );
    smsc
}

fn bound_esme() -> Session {
    let mut esme = esme_with(BindMode::Transceiver, Limits::default());
    assert_eq!(sent(&mut esme), [octets(BIND)]);
    esme.handle_bytes(&octets(BIND_RESP), start());
    assert_eq!(
        events(&mut esme),
        [SessionEvent::Bound {
            system_id: "MIDSIM1".into(),
            mode: BindMode::Transceiver
        }]
    );
    esme
}

fn mt() -> ShortMessage {
    ShortMessage {
        source: "8220".into(),
        source_ton: 3,
        destination: "447700900001".into(),
        destination_ton: 1,
        destination_npi: 1,
        esm_class: esm_class::UDHI,
        protocol_id: 0x7F,
        registered_delivery: registered_delivery::ON_FAILURE,
        data_coding: 0xF6,
        short_message: octets("027000AABB"),
        ..ShortMessage::default()
    }
}

fn nack(status: CommandStatus, sequence: u32) -> Vec<u8> {
    Pdu::GenericNack.encode(status, sequence).unwrap()
}

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

#[test]
fn a_malformed_pdu_is_nacked_with_its_sequence_number_and_the_session_goes_on() {
    let mut smsc = bound_smsc();
    let mut wrong = octets(SUBMIT);
    wrong[48] = 6; // sm_length
    smsc.handle_bytes(&wrong, start());
    let mut with_body = octets(ENQUIRE);
    with_body.push(0);
    with_body[3] = 17;
    smsc.handle_bytes(&with_body, start());
    smsc.handle_bytes(&octets("00000010 00000777 00000000 00000005"), start());
    smsc.handle_bytes(&octets("00000010 80000777 00000000 00000006"), start());
    smsc.handle_bytes(&octets(ENQUIRE), start());
    assert_eq!(
        sent(&mut smsc),
        [
            octets("00000010 80000004 00000001 00000002"),
            nack(CommandStatus::RINVCMDLEN, 9),
            nack(CommandStatus::RINVCMDID, 5),
            octets("00000010 80000015 00000000 00000009"),
        ]
    );
    assert_eq!(smsc.bound(), Some(BindMode::Transceiver));
}

/// A request of this kind with this body.
fn request(id: CommandId, body: &[u8]) -> Vec<u8> {
    let header = Header {
        length: (HEADER + body.len()) as u32,
        id,
        status: CommandStatus::ROK,
        sequence: 7,
    };
    [&header.emit()[..], body].concat()
}

/// By the tables of SMPP 3.4 §4 and the statuses of §5.1.3: a field that is wrong is told by the request's own response, a length
/// that is wrong by generic_nack.
#[test]
fn a_wrong_field_is_named_in_the_request_s_own_response() {
    use CommandStatus as Status;
    let text = |length: usize| [vec![b'1'; length], vec![0]].concat();
    let message = |service: usize, from: usize, to: usize, times: [usize; 2], user_data: &str| {
        [
            text(service),
            vec![1, 1],
            text(from),
            vec![1, 1],
            text(to),
            vec![0, 0, 0],
            text(times[0]),
            text(times[1]),
            vec![0, 0, 0, 0],
            octets(user_data),
        ]
        .concat()
    };
    let bind = |id: usize, password: usize, kind: usize, range: usize| {
        let version = vec![0x34, 0, 0];
        [text(id), text(password), text(kind), version, text(range)].concat()
    };
    let multi = |count: u8, destinations: &str| {
        let source = vec![0, 1, 1, b'1', 0, count];
        [
            source,
            octets(destinations),
            octets("000000 00 00 00000000 0141"),
        ]
        .concat()
    };
    let mut not_ascii = message(0, 4, 4, [0, 0], "0141");
    not_ascii[4] = 0xE9;
    for (id, body, status) in [
        (
            CommandId::SUBMIT_SM,
            message(6, 4, 4, [0, 0], "0141"),
            Status::RINVSERTYP,
        ),
        (
            CommandId::SUBMIT_SM,
            message(0, 21, 4, [0, 0], "0141"),
            Status::RINVSRCADR,
        ),
        (CommandId::SUBMIT_SM, not_ascii, Status::RINVSRCADR),
        (
            CommandId::SUBMIT_SM,
            message(0, 4, 21, [0, 0], "0141"),
            Status::RINVDSTADR,
        ),
        (
            CommandId::SUBMIT_SM,
            message(0, 4, 4, [3, 0], "0141"),
            Status::RINVSCHED,
        ),
        (
            CommandId::SUBMIT_SM,
            message(0, 4, 4, [0, 17], "0141"),
            Status::RINVEXPIRY,
        ),
        (
            CommandId::SUBMIT_SM,
            message(0, 4, 4, [0, 0], "0341"),
            Status::RINVMSGLEN,
        ),
        (
            CommandId::SUBMIT_SM,
            message(0, 4, 4, [0, 0], "FF41"),
            Status::RINVMSGLEN,
        ),
        (
            CommandId::SUBMIT_SM,
            message(0, 4, 4, [0, 0], "014104"),
            Status::RINVOPTPARSTREAM,
        ),
        (
            CommandId::SUBMIT_SM,
            message(0, 4, 4, [0, 0], "0141 0424000301"),
            Status::RINVOPTPARSTREAM,
        ),
        (
            CommandId::DELIVER_SM,
            message(0, 4, 21, [0, 0], "0141"),
            Status::RINVDSTADR,
        ),
        (
            CommandId::QUERY_SM,
            [text(65), vec![0, 0, 0]].concat(),
            Status::RINVMSGID,
        ),
        (
            CommandId::QUERY_SM,
            [text(3), vec![0, 0], text(21)].concat(),
            Status::RINVSRCADR,
        ),
        (
            CommandId::CANCEL_SM,
            [text(0), text(1), vec![0, 0, 0, 0, 0], text(21)].concat(),
            Status::RINVDSTADR,
        ),
        (
            CommandId::REPLACE_SM,
            [text(1), vec![0, 0, 0], text(0), text(4)].concat(),
            Status::RINVEXPIRY,
        ),
        (
            CommandId::BIND_RECEIVER,
            bind(16, 1, 1, 1),
            Status::RINVSYSID,
        ),
        (
            CommandId::BIND_TRANSMITTER,
            bind(1, 9, 1, 1),
            Status::RINVPASWD,
        ),
        (
            CommandId::BIND_TRANSCEIVER,
            bind(1, 1, 13, 1),
            Status::RINVSYSTYP,
        ),
        (
            CommandId::BIND_TRANSCEIVER,
            bind(1, 1, 1, 41),
            Status::RBINDFAIL,
        ),
        (CommandId::SUBMIT_MULTI, multi(0, ""), Status::RINVNUMDESTS),
        (
            CommandId::SUBMIT_MULTI,
            multi(1, "03 00"),
            Status::RINVDESTFLAG,
        ),
        (
            CommandId::SUBMIT_MULTI,
            multi(1, &format!("02 {} 00", "41".repeat(21))),
            Status::RINVDLNAME,
        ),
        (
            CommandId::DATA_SM,
            [vec![0, 1, 1], text(65)].concat(),
            Status::RINVSRCADR,
        ),
        (
            CommandId::DATA_SM,
            [vec![0, 1, 1, 0, 1, 1, 0, 0, 0, 0], octets("0424 0003 00")].concat(),
            Status::RINVOPTPARSTREAM,
        ),
    ] {
        let mut smsc = bound_smsc();
        smsc.handle_bytes(&request(id, &body), start());
        let expected = Header {
            length: 16,
            id: CommandId(id.0 | 0x8000_0000),
            status,
            sequence: 7,
        };
        assert_eq!(sent(&mut smsc), [expected.emit()], "{id} {status}");
        assert!(smsc.bound().is_some());
    }
    // Cut short, or too long.
    let good = message(0, 4, 4, [0, 0], "0141");
    for id in [CommandId::SUBMIT_SM, CommandId::DELIVER_SM] {
        assert!(Pdu::decode(id, &good).is_ok());
        for end in 0..good.len() - 2 {
            let mut smsc = bound_smsc();
            smsc.handle_bytes(&request(id, &good[..end]), start());
            assert_eq!(sent(&mut smsc), [nack(Status::RINVCMDLEN, 7)], "{id} {end}");
        }
    }
    let mut smsc = bound_smsc();
    smsc.handle_bytes(&request(CommandId::QUERY_SM, &[0, 0, 0, 0, 9]), start());
    assert_eq!(sent(&mut smsc), [nack(Status::RINVCMDLEN, 7)]);
}

/// By hand from §4.5.1 and §4.5.2: from 8220 to 447700900001 and to the list "all", user data AA; one receiver refused.
const MULTI: &str = "00000039 00000021 00000000 00000007 00 03 00 3832323000 02 \
                     01 01 01 34343737303039303030303100 02 616C6C00 00 00 00 00 00 01 00 04 00 01 AA";
const MULTI_RESP: &str =
    "00000027 80000021 00000000 00000007 413100 01 01 01 34343737303039303030303100 0000000B";

#[test]
fn a_submit_multi_and_its_answer_have_the_octets_of_the_standard() {
    let mut smsc = bound_smsc();
    smsc.handle_bytes(&octets(MULTI), start());
    let receiver = Party {
        ton: 1,
        npi: 1,
        address: "447700900001".into(),
    };
    let multi = Multi {
        message: ShortMessage {
            source: "8220".into(),
            source_ton: 3,
            registered_delivery: 1,
            data_coding: 4,
            short_message: vec![0xAA],
            ..ShortMessage::default()
        },
        destinations: vec![
            Destination::Address(receiver.clone()),
            Destination::List("all".into()),
        ],
    };
    assert_eq!(
        events(&mut smsc),
        [SessionEvent::Multi {
            sequence: 7,
            multi: Box::new(multi.clone())
        }]
    );
    let written = Pdu::SubmitMulti(Box::new(multi)).encode(CommandStatus::ROK, 7);
    assert_eq!(written, Ok(octets(MULTI)));
    let taken = MultiTaken {
        message_id: "A1".into(),
        refused: vec![Refused {
            destination: receiver,
            status: CommandStatus::RINVDSTADR,
        }],
    };
    smsc.respond_multi(7, CommandStatus::ROK, &taken);
    let answer = octets(MULTI_RESP);
    assert_eq!(sent(&mut smsc), std::slice::from_ref(&answer));
    assert_eq!(
        Pdu::decode(CommandId::SUBMIT_MULTI_RESP, &answer[HEADER..]),
        Ok(Pdu::SubmitMultiResp(Box::new(taken)))
    );
    smsc.handle_bytes(&octets(MULTI), start());
    smsc.respond_multi(7, CommandStatus::RSUBMITFAIL, &MultiTaken::default());
    assert_eq!(
        sent(&mut smsc),
        [octets("00000010 80000021 00000045 00000007")]
    );
}

/// By hand from §4.7.1: esm_class 40, receipt, DCS 04, message_payload.
#[test]
fn a_data_sm_is_a_message_and_has_its_own_answer_either_way() {
    let data = "00000033 00000103 00000000 00000008 00 03 00 3832323000 01 01 34343737303039303030303100 40 01 04 \
                0424 0005 027000AABB";
    let expected = ShortMessage {
        protocol_id: 0,
        registered_delivery: 1,
        data_coding: 4,
        in_payload: true,
        ..mt()
    };
    let data = octets(data);
    let mut smsc = bound_smsc();
    // A submit_sm beside it keeps its own kind of answer.
    smsc.handle_bytes(&[data.clone(), octets(SUBMIT)].concat(), start());
    let seen = events(&mut smsc);
    assert_eq!(
        seen[0],
        SessionEvent::Message {
            sequence: 8,
            message: Box::new(expected.clone())
        }
    );
    smsc.respond(2, CommandStatus::ROK, "ab1");
    smsc.respond(8, CommandStatus::ROK, "ab2");
    assert_eq!(
        sent(&mut smsc),
        [
            octets(SUBMIT_RESP),
            octets("00000014 80000103 00000000 00000008 61623200")
        ]
    );
    let written = Pdu::DataSm(Box::new(expected)).encode(CommandStatus::ROK, 8);
    assert_eq!(written, Ok(data.clone()));
    let mut esme = bound_esme();
    esme.handle_bytes(&data, start());
    assert_eq!(events(&mut esme).len(), 1);
    esme.respond(8, CommandStatus::ROK, "");
    assert_eq!(
        sent(&mut esme),
        [octets("00000011 80000103 00000000 00000008 00")]
    );
    // Nothing is taken before the bind.
    let mut unbound = smsc_with(Limits::default());
    unbound.handle_bytes(&[data, octets(MULTI)].concat(), start());
    assert_eq!(
        sent(&mut unbound),
        [
            octets("00000010 80000103 00000004 00000008"),
            octets("00000010 80000021 00000004 00000007")
        ]
    );
}

proptest! {
    /// The codec of rusmpp reads what we write, and finds the same in it.
    #[test]
    fn another_codec_reads_our_submit_multi_and_data_sm(
        source in "[0-9]{0,20}", addresses in prop::collection::vec("[0-9]{1,20}", 1..254), list in "[a-z]{1,20}",
        user_data in prop::collection::vec(any::<u8>(), 0..255), octet in any::<u8>(),
    ) {
        use rusmpp_core::decode::owned::DecodeWithKeyOptional as _;
        use rusmpp_core::pdus::owned as body;
        let message = ShortMessage {
            source: source.clone(),
            protocol_id: octet,
            data_coding: octet,
            short_message: user_data.clone(),
            ..ShortMessage::default()
        };
        let party = |address: &String| Destination::Address(Party { ton: 1, npi: 1, address: address.clone() });
        let mut destinations: Vec<_> = addresses.iter().map(party).collect();
        destinations.push(Destination::List(list));
        destinations.truncate(254);
        let count = destinations.len();
        let multi = Multi { message: message.clone(), destinations };
        let written = Pdu::SubmitMulti(Box::new(multi.clone())).encode(CommandStatus::ROK, 1).unwrap();
        let decoded = Pdu::decode(CommandId::SUBMIT_MULTI, &written[HEADER..]);
        prop_assert_eq!(decoded, Ok(Pdu::SubmitMulti(Box::new(multi))));
        let mut rest = bytes::BytesMut::from(&written[HEADER..]);
        let length = rest.len();
        let Ok(Some((body::Pdu::SubmitMulti(theirs), _))) = body::Pdu::decode(CommandId::SUBMIT_MULTI.0.into(), &mut rest, length) else {
            panic!("rusmpp cannot read it")
        };
        prop_assert_eq!(theirs.source_addr.as_str(), source.as_str());
        prop_assert_eq!(theirs.dest_address().len(), count);
        prop_assert_eq!(theirs.short_message().as_ref(), &user_data[..]);
        prop_assert_eq!(u8::from(theirs.data_coding), octet);

        let data = ShortMessage { in_payload: true, destination: addresses[0].clone(), protocol_id: 0, ..message };
        let written = Pdu::DataSm(Box::new(data.clone())).encode(CommandStatus::ROK, 1).unwrap();
        let decoded = Pdu::decode(CommandId::DATA_SM, &written[HEADER..]);
        prop_assert_eq!(decoded, Ok(Pdu::DataSm(Box::new(data))));
        let mut rest = bytes::BytesMut::from(&written[HEADER..]);
        let length = rest.len();
        let Ok(Some((body::Pdu::DataSm(theirs), size))) = body::Pdu::decode(CommandId::DATA_SM.0.into(), &mut rest, length) else {
            panic!("rusmpp cannot read it")
        };
        prop_assert_eq!(size, length);
        prop_assert_eq!(theirs.destination_addr.as_str(), addresses[0].as_str());
        prop_assert_eq!(theirs.tlvs().len(), usize::from(!user_data.is_empty()));
    }

    #[test]
    fn no_body_makes_a_codec_panic(octets in prop::collection::vec(any::<u8>(), 0..120), kind in prop::sample::select(vec![0x21_u32, 0x103, 4, 5, 7, 0x8000_0021])) {
        let id = CommandId(kind);
        if let Ok(pdu) = Pdu::decode(id, &octets) && let Ok(written) = pdu.encode(CommandStatus::ROK, 1) {
            prop_assert_eq!(Pdu::decode(id, &written[HEADER..]), Ok(pdu));
        }
    }
}

#[test]
fn a_pdu_out_of_bounds_is_nacked_and_ends_the_session() {
    for length in [15, 70_001, u32::MAX] {
        let mut smsc = bound_smsc();
        let mut pdu = octets(ENQUIRE);
        pdu[..4].copy_from_slice(&length.to_be_bytes());
        smsc.handle_bytes(&pdu, start());
        assert_eq!(sent(&mut smsc), [nack(CommandStatus::RINVCMDLEN, 9)]);
        assert!(matches!(
            events(&mut smsc)[..],
            [SessionEvent::Closed(CloseReason::Framing(_))]
        ));
        smsc.handle_bytes(&octets(ENQUIRE), start());
        assert_eq!((sent(&mut smsc).len(), smsc.next_timeout()), (0, None));
    }
}

#[test]
fn nothing_is_taken_before_the_bind() {
    let mut smsc = smsc_with(Limits::default());
    smsc.handle_bytes(&octets(SUBMIT), start());
    smsc.handle_bytes(&octets(DELIVER), start());
    smsc.handle_bytes(&octets(ENQUIRE), start());
    assert_eq!(
        sent(&mut smsc),
        [
            octets("00000010 80000004 00000004 00000002"),
            octets("00000010 80000005 00000004 00000007"),
            octets("00000010 80000015 00000000 00000009"),
        ]
    );
    assert_eq!(events(&mut smsc), []);
    assert_eq!(
        smsc.deliver("x".into(), &mt(), start()),
        Err(SendError::NotBound)
    );
}

#[test]
fn a_wrong_name_and_a_wrong_password_get_the_same_answer_and_the_third_ends_it() {
    let mut smsc = smsc_with(Limits::default());
    let mut name = octets(BIND);
    name[16] = b'M';
    let mut password = octets(BIND);
    password[28] = b'M';
    for pdu in [&name, &password] {
        smsc.handle_bytes(pdu, start());
        assert_eq!(
            sent(&mut smsc),
            [octets("00000010 80000009 0000000E 00000001")]
        );
        assert_eq!(events(&mut smsc), []);
    }
    smsc.handle_bytes(&name, start());
    assert_eq!(
        events(&mut smsc),
        [SessionEvent::Closed(CloseReason::TooManyBinds)]
    );

    let mut esme = esme_with(BindMode::Transceiver, Limits::default());
    esme.handle_bytes(&octets("00000010 80000009 0000000E 00000001"), start());
    assert_eq!(
        events(&mut esme),
        [SessionEvent::Closed(CloseReason::BindRefused(
            CommandStatus::RINVPASWD
        ))]
    );
}

#[test]
fn an_esme_of_an_earlier_version_gets_no_optional_parameters() {
    let mut bind = octets(BIND);
    let version = bind.iter().rposition(|&octet| octet == 0x34).unwrap();
    bind[version] = 0x33;
    let mut smsc = smsc_with(Limits::default());
    smsc.handle_bytes(&bind, start());
    let mut expected = octets(BIND_RESP);
    // Without sc_interface_version: tag, length, one octet.
    expected.truncate(expected.len() - 5);
    expected[3] -= 5;
    assert_eq!(sent(&mut smsc), [expected]);
}

#[test]
fn a_second_bind_is_refused() {
    let mut smsc = bound_smsc();
    smsc.handle_bytes(&octets(BIND), start());
    assert_eq!(
        sent(&mut smsc),
        [octets("00000010 80000009 00000005 00000001")]
    );
    let mut esme = bound_esme();
    esme.handle_bytes(&octets(BIND), start());
    assert_eq!(sent(&mut esme), [nack(CommandStatus::RINVCMDID, 1)]);
}

#[test]
fn a_bind_opens_only_its_directions() {
    for mode in [BindMode::Transmitter, BindMode::Receiver] {
        let mut esme = esme_with(mode, Limits::default());
        let mut smsc = smsc_with(Limits::default());
        exchange(&mut esme, &mut smsc);
        assert_eq!((esme.bound(), smsc.bound()), (Some(mode), Some(mode)));
        assert_eq!(
            esme.submit("a".into(), &mt(), start()).is_ok(),
            mode.sends()
        );
        assert_eq!(
            smsc.deliver("b".into(), &mt(), start()).is_ok(),
            mode.receives()
        );
        assert!(smsc.submit("c".into(), &mt(), start()).is_err());
        assert!(esme.deliver("d".into(), &mt(), start()).is_err());
        // The peer is not believed either.
        let (pdu, status) = if mode.sends() {
            (DELIVER, "80000005")
        } else {
            (SUBMIT, "80000004")
        };
        let wrong = if mode.sends() { &mut esme } else { &mut smsc };
        sent(wrong);
        wrong.handle_bytes(&octets(pdu), start());
        assert_eq!(
            hex::encode(&sent(wrong)[0][4..12]),
            format!("{status}00000004")
        );
    }
}

#[test]
fn a_deliver_sm_may_overtake_the_submit_sm_resp() {
    let mut esme = bound_esme();
    esme.submit("job/1".into(), &mt(), start()).unwrap();
    esme.handle_bytes(&[octets(DELIVER), octets(SUBMIT_RESP)].concat(), start());
    let seen = events(&mut esme);
    assert!(matches!(seen[0], SessionEvent::Message { sequence: 7, .. }));
    assert_eq!(
        seen[1],
        SessionEvent::Response {
            id: "job/1".into(),
            result: Ok("ab1".into())
        }
    );
}

#[test]
fn a_response_settles_only_the_request_it_answers() {
    let mut esme = bound_esme();
    esme.submit("job/1".into(), &mt(), start()).unwrap();
    esme.handle_bytes(&octets("00000011 80000005 00000000 00000002 00"), start()); // other kind
    esme.handle_bytes(
        &octets("00000014 80000004 00000000 00000003 61623100"),
        start(),
    ); // other number
    assert_eq!(events(&mut esme), []);
    esme.handle_bytes(&nack(CommandStatus::RSYSERR, 2), start());
    esme.handle_bytes(&octets(SUBMIT_RESP), start());
    assert_eq!(
        events(&mut esme),
        [SessionEvent::Response {
            id: "job/1".into(),
            result: Err(CommandStatus::RSYSERR)
        }]
    );
}

#[test]
fn the_window_holds_requests_back_and_the_queue_has_an_end() {
    let limits = Limits {
        window: 2,
        queue: 3,
        ..Limits::default()
    };
    let mut esme = esme_with(BindMode::Transceiver, limits);
    let mut smsc = smsc_with(Limits::default());
    exchange(&mut esme, &mut smsc);
    for n in 0..5 {
        esme.submit(n.to_string(), &mt(), start()).unwrap();
    }
    assert_eq!(
        esme.submit("5".into(), &mt(), start()),
        Err(SendError::Full { waiting: 3 })
    );
    let first = sent(&mut esme);
    assert_eq!(first.len(), 2);
    first.iter().for_each(|pdu| smsc.handle_bytes(pdu, start()));
    smsc.respond(2, CommandStatus::ROK, "x");
    exchange(&mut esme, &mut smsc);
    let sequences: Vec<u32> = events(&mut smsc)
        .iter()
        .filter_map(|event| match event {
            SessionEvent::Message { sequence, .. } => Some(*sequence),
            _ => None,
        })
        .collect();
    assert_eq!(sequences, [2, 3, 4]);
}

#[test]
fn a_peer_that_does_not_wait_is_throttled() {
    let mut smsc = smsc_with(Limits {
        inbound: 1,
        ..Limits::default()
    });
    smsc.handle_bytes(
        &[octets(BIND), octets(SUBMIT), octets(SUBMIT)].concat(),
        start(),
    );
    assert_eq!(
        sent(&mut smsc)[1..],
        [octets("00000010 80000004 00000058 00000002")]
    );
    smsc.respond(2, CommandStatus::ROK, "a");
    smsc.handle_bytes(&octets(SUBMIT), start());
    assert_eq!(events(&mut smsc).len(), 3);
}

#[test]
fn silence_is_probed_and_a_dead_peer_given_up() {
    let mut esme = bound_esme();
    assert_eq!(esme.next_timeout(), Some(after(30)));
    esme.handle_timeout(after(29));
    assert_eq!(sent(&mut esme).len(), 0);
    esme.handle_timeout(after(30));
    assert_eq!(
        sent(&mut esme),
        [octets("00000010 00000015 00000000 00000002")]
    );
    esme.handle_bytes(&octets("00000010 80000015 00000000 00000002"), after(31));
    assert_eq!(esme.next_timeout(), Some(after(61)));
    esme.handle_timeout(after(61));
    assert_eq!(
        (sent(&mut esme).len(), esme.next_timeout()),
        (1, Some(after(91)))
    );
    esme.handle_timeout(after(91));
    assert_eq!(
        events(&mut esme),
        [SessionEvent::Closed(CloseReason::ResponseTimeout)]
    );
}

#[test]
fn a_client_that_never_binds_is_hung_up() {
    let mut smsc = smsc_with(Limits::default());
    assert_eq!(smsc.next_timeout(), Some(after(10)));
    smsc.handle_timeout(after(10));
    assert_eq!(
        events(&mut smsc),
        [SessionEvent::Closed(CloseReason::BindTimeout)]
    );
}

#[test]
fn unbind_ends_both_ends() {
    let mut smsc = bound_smsc();
    smsc.handle_bytes(&octets(UNBIND), start());
    assert_eq!(
        sent(&mut smsc),
        [octets("00000010 80000006 00000000 0000000A")]
    );
    assert_eq!(
        events(&mut smsc),
        [SessionEvent::Closed(CloseReason::PeerUnbound)]
    );

    let mut esme = bound_esme();
    esme.unbind(start());
    assert_eq!(
        esme.submit("x".into(), &mt(), start()),
        Err(SendError::NotBound)
    );
    assert_eq!(
        sent(&mut esme),
        [octets("00000010 00000006 00000000 00000002")]
    );
    esme.handle_bytes(&octets("00000010 80000006 00000000 00000002"), start());
    assert_eq!(
        events(&mut esme),
        [SessionEvent::Closed(CloseReason::Unbound)]
    );
}

#[test]
fn what_was_taken_before_an_unbind_or_the_end_of_the_stream_is_answered_first() {
    let submits = [7, 8].map(|sequence| {
        Pdu::SubmitSm(Box::new(mt()))
            .encode(CommandStatus::ROK, sequence)
            .unwrap()
    });
    let answer = |id: &str, sequence| {
        Pdu::SubmitSmResp(id.into())
            .encode(CommandStatus::ROK, sequence)
            .unwrap()
    };
    let busy = || {
        let mut smsc = bound_smsc();
        smsc.handle_bytes(&submits.concat(), start());
        assert_eq!(events(&mut smsc).len(), 2);
        smsc
    };
    let unbind_resp = octets("00000010 80000006 00000000 0000000A");

    let mut smsc = busy();
    smsc.handle_bytes(&octets(UNBIND), start());
    assert!(sent(&mut smsc).is_empty() && smsc.bound().is_none());
    smsc.respond(7, CommandStatus::ROK, "A");
    assert!(!smsc.is_closed());
    smsc.respond(8, CommandStatus::ROK, "B");
    let answers = [answer("A", 7), answer("B", 8), unbind_resp.clone()];
    assert_eq!(sent(&mut smsc), answers);
    let closed = [SessionEvent::Closed(CloseReason::PeerUnbound)];
    assert_eq!(events(&mut smsc), closed);

    let mut smsc = busy();
    smsc.handle_eof(start());
    smsc.respond(7, CommandStatus::ROK, "A");
    smsc.respond(8, CommandStatus::ROK, "B");
    assert_eq!(sent(&mut smsc), [answer("A", 7), answer("B", 8)]);
    let closed = [SessionEvent::Closed(CloseReason::PeerGone)];
    assert_eq!(events(&mut smsc), closed);

    // Nobody answers: it ends all the same.
    let mut smsc = busy();
    smsc.handle_bytes(&octets(UNBIND), start());
    let due = smsc.next_timeout().unwrap();
    smsc.handle_timeout(due);
    assert_eq!(sent(&mut smsc), [unbind_resp]);
    assert!(smsc.is_closed());
}

#[test]
fn a_password_is_marked_where_a_bind_holds_it_and_not_shown() {
    let pdu = octets(BIND);
    assert_eq!(secret_range(&pdu), Some(23..29));
    assert_eq!(secret_range(&octets(SUBMIT)), None);
    for end in 0..pdu.len() {
        assert!(
            secret_range(&pdu[..end])
                .is_none_or(|range| range.end <= end && range.start <= range.end)
        );
    }
    let decoded = Pdu::decode(CommandId::BIND_TRANSCEIVER, &pdu[HEADER..]).unwrap();
    assert_eq!(format!("{decoded:?}").matches("midsim").count(), 1);
}

/// A session of each role, bound, and a fresh server.
fn all_states() -> [Session; 3] {
    [bound_smsc(), bound_esme(), smsc_with(Limits::default())]
}

fn survives(pdu: &[u8]) {
    for mut session in all_states() {
        session.handle_bytes(pdu, start());
        session.handle_timeout(after(3600));
        sent(&mut session);
        events(&mut session);
    }
}

#[test]
fn every_prefix_and_every_flipped_bit_of_a_good_pdu_is_survived() {
    for text in [
        BIND,
        BIND_RESP,
        SUBMIT,
        SUBMIT_RESP,
        DELIVER,
        ENQUIRE,
        UNBIND,
    ] {
        let pdu = octets(text);
        for end in 0..pdu.len() {
            survives(&pdu[..end]);
            // The same cut, but with a length that says so.
            if end >= HEADER {
                let mut short = pdu[..end].to_vec();
                short[3] = end as u8;
                survives(&short);
            }
        }
        for bit in 0..pdu.len() * 8 {
            let mut flipped = pdu.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            survives(&flipped);
        }
    }
}

proptest! {
    #[test]
    fn any_body_of_any_pdu_is_survived(id in prop_oneof![0u32..0x25, 0x100u32..0x114, 0x8000_0000u32..0x8000_0025], body in prop::collection::vec(any::<u8>(), 0..120)) {
        let header = Header { length: (HEADER + body.len()) as u32, id: CommandId(id), status: CommandStatus::ROK, sequence: 1 };
        survives(&[&header.emit(), body.as_slice()].concat());
    }

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

/// Carries PDUs both ways until neither side has any.
fn exchange(one: &mut Session, other: &mut Session) {
    loop {
        let (there, back) = (sent(one), sent(other));
        if there.is_empty() && back.is_empty() {
            return;
        }
        there
            .iter()
            .for_each(|pdu| other.handle_bytes(pdu, start()));
        back.iter().for_each(|pdu| one.handle_bytes(pdu, start()));
    }
}

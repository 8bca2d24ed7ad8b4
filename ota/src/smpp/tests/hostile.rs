//! Peers that send what they should not.

use proptest::prelude::*;

use super::support::*;
use super::*;

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

}

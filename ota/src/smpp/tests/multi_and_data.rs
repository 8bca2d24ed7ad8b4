//! submit_multi and data_sm.

use proptest::prelude::*;

use super::support::*;
use super::*;

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

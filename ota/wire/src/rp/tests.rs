//! Messages by hand, lengths that lie, and round trips.

use proptest::prelude::*;

use super::*;
use crate::sms::tpdu::{DeliverReport, Fcs, ReportIn};

const BOTH: [Direction; 2] = [Direction::FromPhone, Direction::ToPhone];

fn hex(text: &str) -> Vec<u8> {
    hex::decode(text.replace(' ', "")).unwrap()
}

#[test]
fn data_towards_the_phone() {
    let octets = hex("01 2a 07 91447700090010 00 03 040506");
    let message = Message::parse(Direction::ToPhone, &octets).unwrap();
    let Message::Data { mr, oa, da, tpdu } = &message else {
        panic!("{message:?}");
    };
    assert_eq!((*mr, da.as_ref()), (0x2A, None));
    assert_eq!(oa.as_ref().unwrap().to_string(), "+447700900001");
    assert_eq!(tpdu.octets(), [4, 5, 6]);
    assert_eq!(message.emit(Direction::ToPhone), octets);
}

#[test]
fn data_from_the_phone() {
    let submit = Submit::from_card(Address::short_code("8220").unwrap(), &[0xAA]).unwrap();
    let centre = Address::international(&"+447700900099".parse().unwrap());
    let octets = Message::submit(7, centre, &submit).emit(Direction::FromPhone);
    assert_eq!(
        octets,
        hex("00 07 00 07 91447700090099 0a 01 00 04812802 00 f7 01 aa")
    );
    let message = Message::parse(Direction::FromPhone, &octets).unwrap();
    assert_eq!(Submit::parse(message.tpdu().unwrap().octets()), Ok(submit));
}

#[test]
fn error_with_a_report() {
    let report = DeliverReport::new(Some(Fcs::TOOLKIT_BUSY));
    let message = Message::Error {
        mr: 9,
        cause: Cause::PROTOCOL_ERROR,
        diagnostic: None,
        tpdu: Some(Tpdu::new(report.emit()).unwrap()),
    };
    let octets = message.emit(Direction::FromPhone);
    assert_eq!(octets, hex("04 09 01 6f 41 03 00d400"));
    let back = Message::parse(Direction::FromPhone, &octets).unwrap();
    let tpdu = back.tpdu().unwrap().octets();
    assert_eq!(DeliverReport::parse(tpdu, ReportIn::Error), Ok(report));
}

#[test]
fn acknowledgement_with_and_without_a_report() {
    for octets in [hex("03 01"), hex("03 01 41 00"), hex("03 01 41 02 0000")] {
        let message = Message::parse(Direction::ToPhone, &octets).unwrap();
        assert_eq!(message.emit(Direction::ToPhone), octets);
    }
}

#[test]
fn memory_available_comes_from_the_phone_only() {
    let octets = [6, 1];
    let message = Message::parse(Direction::FromPhone, &octets);
    assert_eq!(message, Ok(Message::Smma { mr: 1 }));
    assert!(Message::parse(Direction::ToPhone, &octets).is_err());
}

#[test]
fn the_wrong_direction_is_an_unknown_type() {
    let error = Message::parse(Direction::FromPhone, &[3, 1]).unwrap_err();
    assert_eq!(error.cause(), Cause::UNKNOWN_MESSAGE_TYPE);
    assert_eq!(Message::reference(&[3, 1]), Some(1));
    assert_eq!(Message::reference(&[3]), None);
}

#[test]
fn lengths_that_lie() {
    let from = |octets: &str| Message::parse(Direction::FromPhone, &hex(octets)).unwrap_err();
    assert_eq!(from("00 01 00 00 05 aa").cause(), Cause::INVALID_MANDATORY);
    assert_eq!(from("00 01 0c 91").cause(), Cause::INVALID_MANDATORY);
    assert_eq!(from("04 01 03 6f0000"), RpError::CauseLength { got: 3 });
    assert_eq!(from("04 01 00"), RpError::CauseLength { got: 0 });
    assert_eq!(from("02 01 42 00"), RpError::Element { got: 0x42 });
    assert_eq!(from("02 01 41 01 aa bb"), RpError::Trailing { got: 1 });
    let long = format!("00 01 00 00 e9 {}", "00".repeat(233));
    assert_eq!(from(&long), RpError::TooLong { got: 233 });
    assert!(Tpdu::new(vec![0; 233]).is_err());
}

proptest! {
    #[test]
    fn what_parses_is_emitted_as_it_was(kind in 0u8..8, octets in proptest::collection::vec(any::<u8>(), 0..60)) {
        let octets: Vec<u8> = [kind].into_iter().chain(octets).collect();
        for direction in BOTH {
            if let Ok(message) = Message::parse(direction, &octets) {
                prop_assert_eq!(message.emit(direction), octets.clone());
                prop_assert_eq!(Message::reference(&octets), Some(message.mr()));
            }
        }
    }

    #[test]
    fn messages_survive(mr: u8, cause: u8, diagnostic: Option<u8>, octets in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..=Tpdu::MAX))) {
        let tpdu = octets.map(|octets| Tpdu::new(octets).unwrap());
        let messages = [
            Message::Error { mr, cause: Cause(cause), diagnostic, tpdu: tpdu.clone() },
            Message::Ack { mr, tpdu },
        ];
        for direction in BOTH {
            for message in &messages {
                let octets = message.emit(direction);
                prop_assert_eq!(&Message::parse(direction, &octets).unwrap(), message);
            }
        }
    }
}

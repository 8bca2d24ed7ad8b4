//! Hostile and ordinary messages. The full set of recorded messages runs from the vector file of the workspace.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::sms::address::{Npi, Ton};
use crate::sms::dcs::Dcs;
use crate::sms::gsm7;
use crate::sms::udh::{Iei, InformationElement, Udh, UdhError};

const SCTS: Scts = Scts([0x62, 0x10, 0x10, 0x21, 0x43, 0x65, 0x00]);

fn short_code() -> Address {
    Address::short_code("8220").unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    hex::decode(text.replace(' ', "")).unwrap()
}

/// SMS-DELIVER from 8220 with everything before TP-UDL given or usual.
fn deliver(first_octet: &str, pid: &str, dcs: &str, udl_and_ud: &str) -> Vec<u8> {
    hex(&format!(
        "{first_octet} 04812802 {pid} {dcs} 62101021436500 {udl_and_ud}"
    ))
}

fn truncated(need: usize, got: usize) -> Result<Deliver, TpduError> {
    Err(UserDataError::Truncated { need, got }.into())
}

#[test]
fn a_command_for_the_card() {
    let user_data = UserData::new(Some(Udh::command_packet()), [0xAA; 4]).unwrap();
    let deliver = Deliver::for_card(short_code(), SCTS, user_data);
    let octets = deliver.emit();
    let expected = "44 04812802 7f f6 62101021436500 07 027000 aaaaaaaa";
    assert_eq!(octets, hex(expected));
    let back = Deliver::parse(&octets).unwrap();
    assert!(back.is_data_download());
    assert!(!back.more_messages());
    assert!(
        Deliver::parse(&deliver.with_more_messages(true).emit())
            .unwrap()
            .more_messages()
    );
}

#[test]
fn an_answer_of_the_card() {
    let submit = Submit::from_card(short_code(), &[1, 2, 3]).unwrap();
    assert_eq!(submit.emit(), hex("01 00 04812802 00 f7 03 010203"));
    let too_long = UserDataError::TooLong { max: 140, got: 141 };
    assert_eq!(Submit::from_card(short_code(), &[0; 141]), Err(too_long));
}

#[test]
fn a_response_packet_in_the_report() {
    let data = hex("027100 0b 0a 000000 0000000000 00 09");
    let pid = Pid::SIM_DATA_DOWNLOAD;
    let report = DeliverReport::from_card(None, pid, Dcs::CLASS_2_DATA, &data).unwrap();
    let octets = report.emit();
    assert_eq!(octets[..5], [0x40, 0x07, 0x7F, 0xF6, 0x0F]);
    assert_eq!(octets[5..], data);
    assert_eq!(DeliverReport::parse(&octets, ReportIn::Ack), Ok(report));
    let error = Some(Fcs::DATA_DOWNLOAD_ERROR);
    let report = DeliverReport::from_card(error, pid, Dcs::CLASS_2_DATA, &data).unwrap();
    assert_eq!(report.emit()[..3], [0x40, 0xD5, 0x07]);
}

#[test]
fn a_report_holds_158_octets_beside_a_cause_and_159_without() {
    let data = |length: usize| {
        let mut data = hex("027100");
        data.resize(length, 0);
        data
    };
    let of = |fcs, length| DeliverReport::from_card(fcs, Pid(0), Dcs(4), &data(length));
    assert!(of(None, 159).is_ok() && of(None, 160).is_err());
    let error = Some(Fcs::ME_ERROR);
    assert!(of(error, 158).is_ok() && of(error, 159).is_err());
    let octets = of(error, 158).unwrap().emit();
    assert!(DeliverReport::parse(&octets, ReportIn::Error).is_ok());
}

#[test]
fn the_carrier_decides_how_a_report_reads() {
    let octets = hex("00 d4 00");
    let error = DeliverReport::parse(&octets, ReportIn::Error).unwrap();
    assert_eq!(error.fcs, Some(Fcs::TOOLKIT_BUSY));
    // In an RP-ACK the same D4 is a TP-PI with an extension and announces user data that is not there.
    assert!(DeliverReport::parse(&octets, ReportIn::Ack).is_err());
}

/// TS 23.040 §9.2.3.27: without TP-DCS, 00 is assumed.
#[test]
fn without_a_coding_a_report_counts_septets_or_octets_where_those_do_not_fit() {
    let octets = hex("00 ff 05 7f 08 7cdcb6bd29ff6a");
    let report = DeliverReport::parse(&octets, ReportIn::Error).unwrap();
    let user_data = report.parameters.user_data.as_ref().unwrap();
    assert_eq!((user_data.udl(), user_data.len()), (8, 7));
    // By hand, seven bits at a time from the low end: 7C 38 5B 6D 1B 65 3F 35.
    let text = user_data.to_text(Dcs(0)).unwrap();
    assert_eq!(text, gsm7::decode(&hex("7c 38 5b 6d 1b 65 3f 35")));
    assert_eq!(report.emit(), octets);
    let octets = hex("00 ff 04 08 7cdcb6bd29ff6a01");
    let report = DeliverReport::parse(&octets, ReportIn::Error).unwrap();
    let user_data = report.parameters.user_data.as_ref().unwrap();
    assert_eq!((user_data.len(), user_data.to_text(Dcs(0))), (8, None));
    assert_eq!(report.emit(), octets);
}

#[test]
fn fields_of_a_later_release_are_kept_unread() {
    // TP-PI: user data and two reserved bits, extended once; behind TP-UD three octets nobody knows.
    let octets = hex("00 9c 01 02 aabb 010203");
    let report = DeliverReport::parse(&octets, ReportIn::Ack).unwrap();
    assert_eq!(
        report.parameters.user_data.as_ref().unwrap().payload(),
        hex("aabb")
    );
    assert_eq!(report.emit(), octets);
    // Without a reserved bit there is nothing to skip.
    let trailing = Err(TpduError::Trailing { got: 1 });
    assert_eq!(
        DeliverReport::parse(&hex("00 00 01"), ReportIn::Ack),
        trailing
    );
    // Extensions without end.
    assert!(DeliverReport::parse(&[0x80; 200][..], ReportIn::Ack).is_err());
}

#[test]
fn user_data_header_of_length_0() {
    let octets = deliver("44", "7f", "f6", "03 00 aabb");
    let parsed = Deliver::parse(&octets).unwrap();
    assert_eq!(parsed.user_data.udh(), Some(&Udh::default()));
    assert_eq!(parsed.user_data.payload(), hex("aabb"));
    assert_eq!(parsed.emit(), octets);
}

#[test]
fn user_data_header_longer_than_udl() {
    let error = UserDataError::Header(UdhError::Truncated { need: 5, got: 2 });
    let parsed = Deliver::parse(&deliver("44", "7f", "f6", "03 050003"));
    assert_eq!(parsed, Err(error.into()));
}

#[test]
fn information_element_overrun() {
    let error = UserDataError::Header(UdhError::Overrun {
        iei: Iei::COMMAND_PACKET,
        need: 5,
        got: 0,
    });
    let parsed = Deliver::parse(&deliver("44", "7f", "f6", "04 027005 00"));
    assert_eq!(parsed, Err(error.into()));
}

#[test]
fn command_packet_identifier_with_data_is_kept_but_is_no_packet() {
    let octets = deliver("44", "7f", "f6", "05 037001ff aa");
    let parsed = Deliver::parse(&octets).unwrap();
    assert_eq!(parsed.user_data.udh().unwrap().packet(), None);
    assert_eq!(parsed.emit(), octets);
}

#[test]
fn udl_above_the_real_length() {
    assert_eq!(
        Deliver::parse(&deliver("04", "00", "04", "05 aabb")),
        truncated(5, 2)
    );
    // Eight septets take seven octets.
    assert_eq!(
        Deliver::parse(&deliver("04", "00", "00", "08 aabbccddee")),
        truncated(7, 5)
    );
}

#[test]
fn udl_below_the_real_length() {
    let parsed = Deliver::parse(&deliver("04", "00", "04", "01 aabb"));
    assert_eq!(parsed, Err(TpduError::Trailing { got: 1 }));
}

#[test]
fn udl_0_with_a_header_announced() {
    let parsed = Deliver::parse(&deliver("44", "7f", "f6", "00"));
    let error = UserDataError::Header(UdhError::Truncated { need: 1, got: 0 });
    assert_eq!(parsed, Err(error.into()));
}

#[test]
fn udl_above_140_octets_or_160_septets() {
    let message = |dcs, udl: u8, octets: usize| {
        let user_data = format!("{udl:02x}{}", "55".repeat(octets));
        Deliver::parse(&deliver("04", "00", dcs, &user_data))
    };
    let too_long = |got| Err(UserDataError::TooLong { max: 140, got }.into());
    assert!(message("04", 140, 140).is_ok());
    assert_eq!(message("04", 141, 141), too_long(141));
    assert!(message("00", 160, 140).is_ok());
    assert_eq!(message("00", 161, 141), too_long(141));
    assert_eq!(message("00", 0xFF, 224), too_long(224));
}

#[test]
fn address_longer_than_20_digits() {
    let source = AddressError::TooLong { got: 21 };
    let error = TpduError::Address {
        field: "TP-OA",
        source,
    };
    let octets = hex("04 15 91 1111111111111111111111 00 00 62101021436500 00");
    assert_eq!(Deliver::parse(&octets), Err(error));
}

#[test]
fn binary_data_under_the_7_bit_class_2_coding_is_counted_in_septets() {
    // 14 octets announced as 14: as septets they would be 13 octets.
    let octets = deliver("44", "7f", "f2", "0e 027000 aaaaaaaaaaaaaaaaaaaaaa");
    assert_eq!(Deliver::parse(&octets), Err(TpduError::Trailing { got: 1 }));
    // Announced as 16 septets, the octets are read and kept as they are.
    let octets = deliver("44", "7f", "f2", "10 027000 aaaaaaaaaaaaaaaaaaaaaa");
    let parsed = Deliver::parse(&octets).unwrap();
    assert_eq!(parsed.user_data.payload(), [0xAA; 11]);
    assert!(parsed.is_data_download());
    assert_eq!(parsed.emit(), octets);
}

#[test]
fn data_download_needs_class_2_and_the_protocol_identifier() {
    let is = |pid, dcs| {
        Deliver::parse(&deliver("44", pid, dcs, "03 027000"))
            .unwrap()
            .is_data_download()
    };
    assert!(is("7f", "f6") && is("7f", "16"));
    assert!(!is("7f", "f5") && !is("7f", "04") && !is("00", "f6"));
}

#[test]
fn octets_left_over_in_the_last_septet_survive() {
    // Seven septets in seven octets with the spare bits set.
    let octets = deliver("04", "00", "00", "07 e8329bfd4697ff");
    assert_eq!(Deliver::parse(&octets).unwrap().emit(), octets);
}

#[test]
fn a_header_that_septets_cannot_hold() {
    // One septet is one octet, and that octet says the header has no elements; but one septet is less than it.
    let error = UserDataError::HeaderSeptets { header: 1, udl: 1 };
    let parsed = Deliver::parse(&deliver("44", "00", "00", "01 00"));
    assert_eq!(parsed, Err(error.into()));
}

#[test]
fn another_message_type() {
    let error = |got| TpduError::MessageType {
        expected: Mti::DELIVER,
        got: Mti(got),
    };
    assert_eq!(Deliver::parse(&hex("07 00")), Err(error(3)));
    assert_eq!(Deliver::parse(&hex("01 00")), Err(error(1)));
    assert!(StatusReport::parse(&hex("01")).is_err());
}

#[test]
fn a_submission_with_a_lying_vpf_runs_out() {
    // TP-VPF absolute, but the octets of a message without TP-VP.
    let parsed = Submit::parse(&hex("19 05 05a12222f7 00 f6 2223aa"));
    let error = TpduError::Truncated {
        field: "TP-VP",
        need: 7,
        got: 3,
    };
    assert_eq!(parsed, Err(error));
}

#[test]
fn flags_that_the_value_decides_are_corrected() {
    let mut deliver = Deliver::for_card(short_code(), SCTS, UserData::new(None, [1]).unwrap());
    deliver.flags = 0xFF;
    assert_eq!(deliver.emit()[0], 0b1011_1100);
    let user_data = UserData::new(Some(Udh::command_packet()), []).unwrap();
    let mut submit = Submit::new(1, short_code(), Pid(0), Dcs(4), user_data);
    submit.vp = ValidityPeriod::Relative(3);
    assert_eq!(submit.emit()[0], 0b0101_0001);
}

fn any_address() -> impl Strategy<Value = Address> {
    prop_oneof![
        ("[0-9]{0,20}", 0u8..5).prop_map(|(digits, ton)| {
            Address::new(Ton::new(ton).unwrap(), Npi::E164, &digits).unwrap()
        }),
        "[A-Za-z0-9]{1,11}".prop_map(|text| Address::alphanumeric(&text).unwrap()),
    ]
}

fn any_udh() -> impl Strategy<Value = Option<Udh>> {
    let element = (any::<u8>(), vec(any::<u8>(), 0..6));
    proptest::option::of(vec(element, 0..4).prop_map(|elements| {
        let elements = elements
            .into_iter()
            .map(|(iei, data)| InformationElement::new(Iei(iei), data));
        Udh::new(elements.collect()).unwrap()
    }))
}

/// User data as `dcs` counts it.
fn any_user_data() -> impl Strategy<Value = (Dcs, UserData)> {
    (any::<u8>(), any_udh(), vec(any::<u8>(), 0..100)).prop_map(|(dcs, udh, octets)| {
        let dcs = Dcs(dcs);
        let user_data = if dcs.counts_septets() {
            UserData::septets(udh, &octets)
        } else {
            UserData::new(udh, octets)
        };
        (dcs, user_data.unwrap())
    })
}

fn any_period() -> impl Strategy<Value = ValidityPeriod> {
    prop_oneof![
        Just(ValidityPeriod::None),
        any::<[u8; 7]>().prop_map(ValidityPeriod::Enhanced),
        any::<u8>().prop_map(ValidityPeriod::Relative),
        any::<[u8; 7]>().prop_map(|octets| ValidityPeriod::Absolute(Scts(octets))),
    ]
}

proptest! {
    #[test]
    fn deliveries_survive(oa in any_address(), pid: u8, scts: [u8; 7], (dcs, user_data) in any_user_data()) {
        let deliver = Deliver::new(oa, Pid(pid), dcs, Scts(scts), user_data);
        let octets = deliver.emit();
        let back = Deliver::parse(&octets).unwrap();
        prop_assert_eq!(back.emit(), octets);
        prop_assert_eq!(back, deliver);
    }

    #[test]
    fn submissions_survive(da in any_address(), mr: u8, vp in any_period(), (dcs, user_data) in any_user_data()) {
        let mut submit = Submit::new(mr, da, Pid(0), dcs, user_data);
        submit.vp = vp;
        let octets = submit.emit();
        let back = Submit::parse(&octets).unwrap();
        prop_assert_eq!(back.emit(), octets);
        prop_assert_eq!(back, submit);
    }

    #[test]
    fn what_parses_is_emitted_as_it_was(octets in vec(any::<u8>(), 0..200)) {
        check_all(&octets)?;
    }

    /// Random octets rarely pass the address: start from a message and change some.
    #[test]
    fn damaged_messages(
        oa in any_address(),
        (dcs, user_data) in any_user_data(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut octets = Deliver::new(oa, Pid(0), dcs, SCTS, user_data).emit();
        for (index, value) in changes {
            let index = index.index(octets.len());
            octets[index] = value;
        }
        check_all(&octets)?;
        octets.truncate(cut.index(octets.len()));
        check_all(&octets)?;
    }
}

fn check_all(octets: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(deliver) = Deliver::parse(octets) {
        let _ = deliver.text();
        prop_assert_eq!(deliver.emit(), octets);
    }
    if let Ok(submit) = Submit::parse(octets) {
        let _ = (submit.text(), submit.vp.expires(jiff::Timestamp::MAX));
        prop_assert_eq!(submit.emit(), octets);
    }
    if let Ok(report) = StatusReport::parse(octets) {
        prop_assert_eq!(report.emit(), octets);
    }
    for carrier in [ReportIn::Ack, ReportIn::Error] {
        if let Ok(report) = DeliverReport::parse(octets, carrier) {
            prop_assert_eq!(report.emit(), octets);
        }
        if let Ok(report) = SubmitReport::parse(octets, carrier) {
            prop_assert_eq!(report.emit(), octets);
        }
    }
    Ok(())
}

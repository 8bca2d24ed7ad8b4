//! Malformed and unusual envelopes and terminal responses.

use super::*;

fn download(inner: &str) -> Result<Envelope, EnvelopeError> {
    let inner = bytes(inner);
    let mut writer = Writer::new();
    writer.ber(0xD1, &inner);
    Envelope::parse(&writer.into_bytes())
}

fn tpdu_of(envelope: Envelope) -> Vec<u8> {
    match envelope {
        Envelope::SmsPpDownload(download) => download.tpdu,
        other => panic!("{other:?}"),
    }
}

#[test]
fn envelope_without_tpdu() {
    let error = download("82028381 8604 00103254").unwrap_err();
    assert_eq!(error, EnvelopeError::Missing { tag: tag::SMS_TPDU });
    assert_eq!(error.sw(), Sw::WRONG_DATA);
}

#[test]
fn envelope_with_two_tpdus() {
    let error = download("82028381 8B0101 0B0102").unwrap_err();
    let tag = tag::SMS_TPDU;
    assert_eq!(error, EnvelopeError::Repeated { tag, got: 2 });
}

#[test]
fn envelope_with_wrong_device_identities() {
    let error = download("82028281 8B0101").unwrap_err();
    assert_eq!(
        error,
        EnvelopeError::WrongDevices {
            expected: Devices::NETWORK_TO_UICC,
            got: Devices::TERMINAL_TO_UICC,
        }
    );
    let error = download("820183 8B0101").unwrap_err();
    assert!(matches!(
        error,
        EnvelopeError::WrongLength {
            expected: 2,
            got: 1,
            ..
        }
    ));
    assert!(matches!(
        download("8B0101"),
        Err(EnvelopeError::Missing { .. })
    ));
}

#[test]
fn envelope_with_long_length_forms() {
    for octets in [
        "D1 07 82028381 8B0141",
        "D1 8107 82028381 8B0141",
        "D1 820007 82028381 8B0141",
        "D1 0B 82820002 8381 8B820001 41",
    ] {
        assert_eq!(tpdu_of(Envelope::parse(&bytes(octets)).unwrap()), b"A");
    }
    let long = [bytes("82028381 8B8196"), vec![0x41; 0x96]].concat();
    assert_eq!(tpdu_of(download(&hex::encode(long)).unwrap()).len(), 0x96);
}

#[test]
fn envelope_with_lengths_that_do_not_nest() {
    for octets in [
        "",
        "D1",
        "D1 81",
        "D1 08 82028381 8B0141",
        "D1 06 82028381 8B0141",
        "D1 07 82028381 8B0241",
        "D1 07 82028381 8B80 41",
        "D1 07 82028381 8B83 41",
    ] {
        assert!(matches!(
            Envelope::parse(&bytes(octets)),
            Err(EnvelopeError::Tlv(_))
        ));
    }
}

#[test]
fn envelope_without_comprehension_bits_and_in_any_order() {
    assert_eq!(tpdu_of(download("02028381 0B0141").unwrap()), b"A");
    assert_eq!(
        tpdu_of(download("8B0141 0604 00103254 82028381").unwrap()),
        b"A"
    );
}

#[test]
fn envelope_of_255_octets() {
    let tpdu = vec![0x5A; 255 - 3 - 4 - 3];
    let octets = Envelope::sms_pp_download(tpdu.clone()).emit();
    assert_eq!(octets.len(), 255);
    assert_eq!(tpdu_of(Envelope::parse(&octets).unwrap()), tpdu);
    let apdu = Command::new(0x80, Ins::ENVELOPE, 0, 0).with_data(octets.clone());
    assert_eq!(Command::parse(&apdu.emit()).unwrap().data, octets);
}

#[test]
fn envelope_with_an_unknown_object_keeps_it() {
    let octets = bytes("D1 0A 82028381 8B0141 1C0105");
    let envelope = Envelope::parse(&octets).unwrap();
    assert_eq!(envelope.emit(), octets);
}

#[test]
fn envelope_with_a_tag_that_is_none() {
    assert_eq!(
        Envelope::parse(&bytes("9F70 01 00")),
        Err(EnvelopeError::OuterTag { got: 0x9F70 })
    );
}

#[test]
fn terminal_response_for_another_command() {
    let asked = command("D017 8103022304 82028182 8D08 04 50494E3F0D0A20 9102 0408").details();
    assert_eq!(response("810302230482028281830100").answers(asked), Ok(()));
    for other in [
        "810301230482028281830100",
        "810302210482028281830100",
        "810302230082028281830100",
        "810302230482028283830100",
    ] {
        let mismatch = response(other).answers(asked).unwrap_err();
        assert_eq!(mismatch.expected, asked);
    }
}

#[test]
fn terminal_response_without_result() {
    let error = TerminalResponse::parse(&bytes("8103012180 82028281")).unwrap_err();
    assert_eq!(error, TerminalResponseError::Missing { tag: tag::RESULT });
    assert_eq!(error.sw(), Sw::WRONG_DATA);
    let empty = TerminalResponse::parse(&bytes("8103012180 82028281 8300")).unwrap_err();
    let tag = tag::RESULT;
    assert_eq!(empty, TerminalResponseError::Malformed { tag, got: 0 });
}

#[test]
fn terminal_response_that_is_cut_off() {
    let error = TerminalResponse::parse(&bytes("8103012180 82028281 8D05 04")).unwrap_err();
    assert_eq!(error.sw(), Sw::WRONG_LENGTH);
}

#[test]
fn terminal_response_longer_than_the_response_length() {
    let typed = response("8103022304 82028281 830100 8D0A04 313233343536373839");
    let length = ResponseLength { min: 4, max: 8 };
    assert!(!length.allows(typed.input.unwrap().chars()));
}

#[test]
fn pin_with_other_characters_than_digits() {
    for text in ["12a4", "12 4", "#123", "１２３４"] {
        assert!(InputText::encode(text).digits().is_none(), "{text}");
    }
    assert!(
        InputText::from_value(bytes("08 0131 0032"))
            .digits()
            .is_none()
    );
    assert!(
        InputText::from_value(bytes("08 0031 00"))
            .digits()
            .is_none()
    );
    assert!(InputText::from_value([]).digits().is_none());
}

#[test]
fn pin_in_every_coding() {
    for text in [
        TextString::packed("1234567").unwrap(),
        TextString::eight_bit("1234567").unwrap(),
        TextString::ucs2("1234567"),
    ] {
        let input = InputText::from_value(text.value());
        assert_eq!(input.chars(), 7);
        assert_eq!(input.digits().unwrap().expose(), b"1234567");
    }
    let empty = InputText::from_value([0x04]);
    assert!(empty.digits().unwrap().is_empty());
}

#[test]
fn terminal_response_without_comprehension_bits() {
    let plain = TerminalResponse::parse(&bytes("0103022304 02028281 030100 0D0504 31323334"));
    assert_eq!(plain.unwrap().input.unwrap().chars(), 4);
}

#[test]
fn proactive_commands_that_cannot_be_carried_out() {
    for (octets, result, details) in [
        ("D1 09 8103012180 82028102", 0x32, false),
        ("D0 0A 8103012180 82028102", 0x32, false),
        ("D0 04 82028102", 0x36, false),
        ("D0 08 81020121 82028102", 0x32, false),
        ("D0 05 8103012180", 0x36, true),
        ("D0 09 8103012180 82028102", 0x36, true),
        ("D0 0C 8103012304 82028182 8D0104", 0x36, true),
        ("D0 0F 8103012304 82028182 8D0104 910104", 0x32, true),
        ("D0 0B 8103011300 82028183 8B00", 0x32, true),
    ] {
        let error = ProactiveCommand::parse(&bytes(octets)).unwrap_err();
        assert_eq!(error.result(), TerminalResult(result), "{octets}");
        assert_eq!(error.details.is_some(), details, "{octets}");
    }
}

#[test]
fn objects_that_must_be_understood_are_named() {
    let octets = bytes(
        "D0 10 8103012180 82028102 8D0204 41 C8010 0"
            .replace(' ', "")
            .as_str(),
    );
    let shown = ProactiveCommand::parse(&octets).unwrap();
    assert_eq!(shown.not_understood().unwrap().tag, Tag(0x48));
    assert_eq!(shown.emit(), octets);
}

use proptest::prelude::*;

use super::*;

#[test]
fn msisdn_reads_what_people_write() {
    for text in [
        "+447700900001",
        "00447700900001",
        "tel:+44-7700-900001",
        "TEL:447700900001",
        " (44) 7700.900 001 ",
    ] {
        assert_eq!(
            text.parse::<Msisdn>().unwrap().digits(),
            "447700900001",
            "{text}"
        );
    }
    assert_eq!(
        "+447700900001".parse::<Msisdn>().unwrap().to_string(),
        "+447700900001"
    );
}

#[test]
fn msisdn_refuses_what_is_no_number() {
    for text in [
        "",
        "+",
        "00",
        "++44",
        "4+4",
        "44x",
        "+1234567890123456",
        "٤٤",
        "tel:",
        "telé",
    ] {
        assert!(text.parse::<Msisdn>().is_err(), "{text}");
    }
    assert_eq!(
        "1234567890123456".parse::<Msisdn>(),
        Err(IdError::Length {
            kind: "MSISDN",
            min: 1,
            max: 15,
            got: 16
        })
    );
}

#[test]
fn iccid_check_digit() {
    // Luhn by hand: 7992739871 needs 3 (the textbook example), here as the tail of a longer number of zeros.
    assert_eq!(
        Iccid::with_check_digit("000000007992739871")
            .unwrap()
            .digits(),
        "0000000079927398713"
    );
    assert!("0000000079927398714".parse::<Iccid>().is_err());
    assert!("0000000079927398713".parse::<Iccid>().is_ok());
    assert!(Iccid::with_check_digit("8988").is_err());
    assert!(Iccid::with_check_digit("89880000000000000x").is_err());
}

#[test]
fn iccid_file_form() {
    let iccid: Iccid = "0000000079927398713".parse().unwrap();
    assert_eq!(hex::encode(iccid.to_ef()), "000000009729378917f3");
    assert_eq!(Iccid::from_ef(&iccid.to_ef()), Ok(iccid));
    assert_eq!(
        Iccid::from_ef(&[0xFF; 10]),
        Err(IdError::Length {
            kind: "ICCID",
            min: 18,
            max: 20,
            got: 0
        })
    );
    assert!(Iccid::from_ef(&[0xAA; 10]).is_err());
}

#[test]
fn imsi_file_form() {
    // 15 digits: odd, so the first nibble is 9. 14 digits: even, 1, filler at the end.
    assert_eq!(
        hex::encode("001010123456789".parse::<Imsi>().unwrap().to_ef()),
        "080910101032547698"
    );
    assert_eq!(
        hex::encode("00101012345678".parse::<Imsi>().unwrap().to_ef()),
        "0801101010325476f8"
    );
}

#[test]
fn tar_and_cntr_text() {
    assert_eq!(Tar::MID.to_string(), "4D4944");
    assert_eq!("b00010".parse::<Tar>(), Ok(Tar([0xB0, 0x00, 0x10])));
    assert!(
        "b0001".parse::<Tar>().is_err()
            && "b000100".parse::<Tar>().is_err()
            && "b0001g".parse::<Tar>().is_err()
    );
    assert_eq!(Cntr::from_bytes([0, 0, 0, 0x61, 0xFB]).get(), 0x61FB);
    assert_eq!(Cntr::MAX.to_string(), "FFFFFFFFFF");
    assert_eq!((Cntr::new(1 << 40), Cntr::MAX.next()), (None, None));
    assert_eq!(
        serde_json::to_string(&Cntr::new(0x61FB)).unwrap(),
        "\"00000061FB\""
    );
}

proptest! {
    #[test]
    fn texts_never_panic(text in ".{0,24}") {
        let _ = (text.parse::<Msisdn>(), text.parse::<Iccid>(), text.parse::<Imsi>(), text.parse::<Tar>(), text.parse::<Cntr>());
    }

    #[test]
    fn iccid_round_trips(body in "[0-9]{17,19}") {
        let iccid = Iccid::with_check_digit(&body).unwrap();
        prop_assert_eq!(Iccid::from_ef(&iccid.to_ef()), Ok(iccid.clone()));
        prop_assert_eq!(iccid.to_string().parse(), Ok(iccid));
    }

    #[test]
    fn one_wrong_iccid_digit_is_noticed(body in "[0-9]{18}", at in 0usize..19, add in 1u8..10) {
        let mut digits = Iccid::with_check_digit(&body).unwrap().digits().as_bytes().to_vec();
        digits[at] = b'0' + (digits[at] - b'0' + add) % 10;
        prop_assert!(String::from_utf8(digits).unwrap().parse::<Iccid>().is_err());
    }

    #[test]
    fn iccid_files_never_panic(ef: [u8; 10]) {
        if let Ok(iccid) = Iccid::from_ef(&ef) {
            prop_assert_eq!(iccid.to_ef(), ef);
        }
    }

    #[test]
    fn text_forms_round_trip(number in "[1-9][0-9]{0,14}", tar: [u8; 3], cntr: [u8; 5], imsi in "[0-9]{6,15}") {
        let msisdn: Msisdn = number.parse().unwrap();
        prop_assert_eq!(serde_json::from_value::<Msisdn>(serde_json::to_value(&msisdn).unwrap()).unwrap(), msisdn);
        prop_assert_eq!(Tar(tar).to_string().parse(), Ok(Tar(tar)));
        let cntr = Cntr::from_bytes(cntr);
        prop_assert_eq!(cntr.to_string().parse(), Ok(cntr));
        prop_assert_eq!(Cntr::from_bytes(cntr.to_bytes()), cntr);
        prop_assert_eq!(imsi.parse::<Imsi>().unwrap().to_string(), imsi);
    }
}

use proptest::prelude::*;

use super::*;

fn parse(hex_text: &str) -> Result<Command, CommandError> {
    Command::parse(&hex::decode(hex_text).unwrap())
}

#[test]
fn four_octets_have_no_p3() {
    let command = parse("80F20000").unwrap();
    assert_eq!((command.le, command.p3()), (None, 0));
    assert_eq!(hex::encode_upper(command.emit()), "80F20000");
    assert_eq!(hex::encode_upper(command.emit_t0()), "80F2000000");
}

#[test]
fn five_octets_are_le_and_p3() {
    let command = parse("00C000001C").unwrap();
    assert_eq!((command.le, command.p3()), (Some(0x1C), 0x1C));
    let all = parse("00B0000000").unwrap();
    assert_eq!((all.le, all.p3()), (Some(256), 0));
    assert_eq!(hex::encode_upper(all.emit()), "00B0000000");
}

#[test]
fn data_with_and_without_le() {
    let select = parse("00A40004022F00").unwrap();
    assert_eq!(select.ins, Ins::SELECT);
    assert_eq!(select.data, [0x2F, 0x00]);
    assert_eq!((select.le, select.p3()), (None, 2));
    let with_le = parse("00A40004022F0000").unwrap();
    assert_eq!((with_le.le, with_le.p3()), (Some(256), 2));
    assert_eq!(hex::encode_upper(with_le.emit()), "00A40004022F0000");
    assert_eq!(hex::encode_upper(with_le.emit_t0()), "00A40004022F00");
}

#[test]
fn an_empty_lc_followed_by_le_is_a_command_without_data() {
    let status = parse("80F2000000FF").unwrap();
    assert!(status.data.is_empty());
    assert_eq!(status.le, Some(255));
}

#[test]
fn wrong_lengths_are_6700() {
    for (bytes, want) in [
        ("", CommandError::Header { got: 0 }),
        ("00A400", CommandError::Header { got: 3 }),
        (
            "00A40004022F",
            CommandError::Length {
                expected: 2,
                got: 1,
            },
        ),
        (
            "00A40004022F000000",
            CommandError::Length {
                expected: 2,
                got: 4,
            },
        ),
    ] {
        let error = parse(bytes).unwrap_err();
        assert_eq!(error, want);
        assert_eq!(error.sw(), Sw(0x6700));
    }
}

#[test]
fn a_pin_is_marked_and_never_printed() {
    let verify = parse("00200001083132333435363738").unwrap();
    assert_eq!(verify.secret_range(), Some(5..13));
    let shown = format!("{verify:?}");
    assert!(
        shown.contains("8 octets") && !shown.contains("3132"),
        "{shown}"
    );
    assert_eq!(parse("0020000100").unwrap().secret_range(), None);
    let response = parse("80140000138103022304820282818301008D050431323334").unwrap();
    assert!(!format!("{response:?}").contains("313233"));
}

#[test]
fn channels_of_the_class_octet() {
    for (cla, channel) in [(0x00, 0), (0x01, 1), (0x83, 3), (0x42, 6), (0xA0, 0)] {
        assert_eq!(Command::new(cla, Ins::SELECT, 0, 0).channel(), channel);
    }
}

#[test]
fn status_words_with_a_number() {
    assert_eq!(Sw::proactive(0x1D), Sw(0x911D));
    assert_eq!(Sw::proactive(256), Sw(0x9100));
    assert_eq!(Sw(0x9100).proactive_len(), Some(256));
    assert_eq!(Sw::more_data(0x2B), Sw(0x612B));
    assert_eq!(Sw(0x9F0F).waiting_len(), Some(15));
    assert_eq!(Sw::tries_left(2), Sw(0x63C2));
    assert_eq!(Sw(0x63C0).tries(), Some(0));
    assert_eq!(Sw(0x6300).tries(), None);
    assert_eq!(Sw::wrong_le(0x37), Sw(0x6C37));
    assert!(Sw(0x911D).is_success() && !Sw(0x6982).is_success());
    assert_eq!(Sw(0x63C2).meaning(), "2 tries left");
    assert_eq!(Sw(0x6A82).to_string(), "6A82");
}

#[test]
fn responses_keep_data_and_status() {
    let response = Response::parse(&[0x62, 0x00, 0x90, 0x00]).unwrap();
    assert_eq!(response, Response::new([0x62, 0x00], Sw::OK));
    assert_eq!(Response::from(Sw::BUSY).emit(), [0x93, 0x00]);
    assert_eq!(Response::parse(&[0x90]), Err(ResponseError { got: 1 }));
}

proptest! {
    #[test]
    fn any_octets_parse_or_say_why(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        match Command::parse(&bytes) {
            // Lc 00 with an Le behind it is the one form that has a shorter equal.
            Ok(command) if bytes.len() == 6 => prop_assert!(command.data.len() <= 1),
            Ok(command) => prop_assert_eq!(command.emit(), bytes),
            Err(error) => prop_assert_eq!(error.sw(), Sw::WRONG_LENGTH),
        }
    }

    #[test]
    fn commands_round_trip(
        header: [u8; 4],
        data in prop::collection::vec(any::<u8>(), 0..=255),
        le in prop::option::of(1usize..=256),
    ) {
        let [cla, ins, p1, p2] = header;
        let command = Command { cla, ins: Ins(ins), p1, p2, data, le };
        prop_assert_eq!(Command::parse(&command.emit()), Ok(command));
    }

    #[test]
    fn responses_round_trip(data in prop::collection::vec(any::<u8>(), 0..=256), sw: u16) {
        let response = Response::new(data, Sw(sw));
        prop_assert_eq!(Response::parse(&response.emit()), Ok(response));
    }
}

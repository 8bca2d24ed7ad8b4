//! What has been done to real cards, numbered as in the list of known weaknesses: cases 13 to 15, short messages whose
//! headers, parts and lengths lie. They are refused, or read as what they are; nothing passes for a command packet that
//! is none, and nothing grows.

use jiff::Timestamp;

use crate::sms::concat::{DropReason, Limits, Outcome, Reassembler};
use crate::sms::dcs::Class;
use crate::sms::tpdu::Deliver;
use crate::sms::udh::Iei;
use crate::sms::user_data::UserData;

fn hex(text: &str) -> Vec<u8> {
    hex::decode(text.split_whitespace().collect::<String>()).unwrap()
}

/// An SMS-DELIVER with a header, class 2, for the toolkit, with this TP-UDL and TP-UD.
fn deliver(udl_and_ud: &str) -> Vec<u8> {
    hex(&format!("44 0481 2802 7F F6 62101021436500 {udl_and_ud}"))
}

/// What the user data of one message is taken for.
fn packet_of(udl_and_ud: &str) -> Option<Iei> {
    let deliver = Deliver::parse(&deliver(udl_and_ud)).ok()?;
    match Reassembler::new(Limits::default()).accept(&0, &deliver.user_data, Timestamp::UNIX_EPOCH)
    {
        Outcome::Complete(joined) => joined.packet,
        _ => None,
    }
}

fn accept(reassembler: &mut Reassembler<u8>, sender: u8, header: &str) -> Outcome {
    let user_data = UserData::from_octets(&hex(header), true).unwrap();
    reassembler.accept(&sender, &user_data, Timestamp::UNIX_EPOCH)
}

#[test]
fn case_13_user_data_headers() {
    assert_eq!(
        packet_of("05 027000 AABB"),
        Some(Iei::COMMAND_PACKET),
        "the usual one"
    );
    // Length 0; above TP-UDL; an element that runs over; identifiers with data, which are none.
    for none in [
        "03 00 AABB",
        "03 FF7000",
        "05 047000 7105",
        "05 027005 AABB",
        "06 037001FF AABB",
        "06 037101FF AABB",
        "05 027F00 AABB",
    ] {
        assert_eq!(packet_of(none), None, "{none}");
    }
    assert_eq!(
        packet_of("07 0470007000 AABB"),
        Some(Iei::COMMAND_PACKET),
        "twice is once"
    );
    assert_eq!(
        packet_of("05 027100 AABB"),
        Some(Iei::RESPONSE_PACKET),
        "no command"
    );
    assert_eq!(packet_of("07 0470007100 AABB"), None, "both are none");
    // The identifier in a later part only announces nothing.
    let mut reassembler = Reassembler::new(Limits::default());
    accept(&mut reassembler, 0, "05 0003 01 02 01 AA");
    let Outcome::Complete(joined) = accept(&mut reassembler, 0, "07 0003 01 02 02 7000 BB") else {
        panic!("not complete");
    };
    assert_eq!((joined.packet, &*joined.octets), (None, &[0xAA, 0xBB][..]));
}

#[test]
fn case_14_concatenation() {
    let mut reassembler = Reassembler::new(Limits::default());
    // Sequence 0, above the total; total 0.
    for header in [
        "05 0003 01 02 00 AA",
        "05 0003 01 02 03 AA",
        "05 0003 01 00 01 AA",
    ] {
        let outcome = accept(&mut reassembler, 0, header);
        assert!(
            matches!(outcome, Outcome::Dropped(DropReason::Malformed(_))),
            "{header}: {outcome:?}"
        );
    }
    assert_eq!(reassembler.open(), 0);
    // The total changes; the same reference from another sender.
    accept(&mut reassembler, 0, "05 0003 01 02 01 AA");
    for (sender, header) in [(0, "05 0003 01 03 02 BB"), (1, "05 0003 01 02 02 BB")] {
        let outcome = accept(&mut reassembler, sender, header);
        assert!(
            matches!(outcome, Outcome::Waiting { held: 1, .. }),
            "{outcome:?}"
        );
    }
    // A part twice; the reference again while the message is open.
    assert_eq!(
        accept(&mut reassembler, 0, "05 0003 01 02 01 AA"),
        Outcome::Duplicate
    );
    let outcome = accept(&mut reassembler, 0, "05 0003 01 02 01 CC");
    assert_eq!(outcome, Outcome::Waiting { held: 1, total: 2 });
    let Outcome::Complete(joined) = accept(&mut reassembler, 0, "05 0003 01 02 02 DD") else {
        panic!("not complete");
    };
    assert_eq!(joined.octets, [0xCC, 0xDD]);
    // Thousands of open references.
    for reference in 0..5_000_u16 {
        let header = format!("06 0804 {reference:04X} 08 01 AA");
        accept(&mut reassembler, 2, &header);
        assert!(reassembler.open() <= Limits::default().open);
    }
}

#[test]
fn case_15_lengths_addresses_and_codings() {
    for broken in ["05 AABB", "00", "8D 027000", "FF 027000"] {
        assert!(Deliver::parse(&deliver(broken)).is_err(), "{broken}");
    }
    let long = format!("8D 027000 {}", "AA".repeat(138));
    assert!(Deliver::parse(&deliver(&long)).is_err(), "TP-UDL of 141");
    let address = hex(&format!(
        "04 15 91 {} 00 00 62101021436500 00",
        "11".repeat(11)
    ));
    assert!(Deliver::parse(&address).is_err(), "21 digits");

    // Class 2 in the 7-bit alphabet: 14 octets of binary data are not 14 septets.
    let packed = |udl: &str| {
        hex(&format!(
            "44 0481 2802 7F F2 62101021436500 {udl} 027000 {}",
            "AA".repeat(11)
        ))
    };
    assert!(Deliver::parse(&packed("0E")).is_err());
    let septets = Deliver::parse(&packed("10")).unwrap();
    assert!(septets.dcs.counts_septets() && septets.is_data_download());
    assert_eq!(septets.emit(), packed("10"), "kept as it came");

    // PID 7F with another class is for the phone, not for the card.
    for (dcs, class) in [
        ("F5", Some(Class::Me)),
        ("F7", Some(Class::Te)),
        ("04", None),
    ] {
        let octets = format!("44 0481 2802 7F {dcs} 62101021436500 05 027000 AABB");
        let deliver = Deliver::parse(&hex(&octets)).unwrap();
        assert_eq!(deliver.dcs.class(), class);
        assert!(!deliver.is_data_download(), "{dcs}");
    }
}

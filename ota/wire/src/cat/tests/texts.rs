use super::*;

#[test]
fn each_coding_says_the_same_text() {
    for text in [
        TextString::packed("PIN?").unwrap(),
        TextString::eight_bit("PIN?").unwrap(),
        TextString::ucs2("PIN?"),
    ] {
        assert_eq!((text.to_text().as_str(), text.chars()), ("PIN?", 4));
    }
    assert_eq!(TextString::encode("Ответ").coding(), Some(Coding::UCS2));
    // "hello" packed, as in the worked examples of the alphabet.
    assert_eq!(
        TextString::packed("hello").unwrap().value(),
        bytes("00E8329BFD06")
    );
}

#[test]
fn seven_spare_bits_are_no_character() {
    let seven = TextString::packed("1234567").unwrap();
    assert_eq!(seven.octets().len(), 7);
    assert_eq!(seven.octets()[6] >> 1, 0x0D);
    assert_eq!(seven.to_text(), "1234567");
    // A terminal that leaves the bits zero means the same.
    let mut zeros = seven.value().to_vec();
    zeros[7] &= 0x01;
    assert_eq!(TextString::from_value(zeros).to_text(), "1234567");
    assert_eq!(TextString::packed("1234567@"), None);
    assert_eq!(TextString::packed("123456@").unwrap().to_text(), "123456@");
}

#[test]
fn the_null_string_has_no_coding() {
    let null = TextString::null();
    assert_eq!((null.coding(), null.chars()), (None, 0));
    assert_eq!(null.to_text(), "");
}

#[test]
fn alpha_identifiers_in_every_coding() {
    assert_eq!(Alpha::encode("Send SM").value(), b"Send SM");
    assert_eq!(Alpha::from_value(*b"Menu\xFF\xFF").to_text(), "Menu");
    assert_eq!(Alpha::encode("Да").value(), bytes("80 0414 0430"));
    for octets in [
        "80 0414 0430",
        "80 0414 0430 FFFF",
        "81 02 08 94 B0",
        "82 02 0400 94 B0",
    ] {
        assert_eq!(Alpha::from_value(bytes(octets)).to_text(), "Да", "{octets}");
    }
}

use proptest::prelude::*;

use super::*;

#[test]
fn an_fcp_recorded_from_a_card_reads_and_writes_back() {
    let bytes = hex::decode("62178202412183022FE28A01058B032F06018002000A880110").unwrap();
    let fcp = Ber::read_all(&bytes).unwrap();
    assert_eq!((fcp.tag, fcp.is_constructed()), (0x62, true));
    assert_eq!(fcp.children().find(0x83), Some(&[0x2F, 0xE2][..]));
    assert_eq!(fcp.children().find(0x80), Some(&[0x00, 0x0A][..]));
    let mut writer = Writer::new();
    writer.constructed(0x62, |w| {
        w.ber(0x82, &[0x41, 0x21])
            .ber(0x83, &[0x2F, 0xE2])
            .ber(0x8A, &[0x05])
            .ber(0x8B, &[0x2F, 0x06, 0x01])
            .ber(0x80, &[0x00, 0x0A])
            .ber(0x88, &[0x10]);
    });
    assert_eq!(writer.into_bytes(), bytes);
}

#[test]
fn tags_of_two_octets() {
    let bytes = hex::decode("9F7001079F6501FF").unwrap();
    let tags: Vec<_> = BerReader::new(&bytes).map(|o| o.unwrap().tag).collect();
    assert_eq!(tags, [0x9F70, 0x9F65]);
    assert_eq!(
        Ber::read(&[0x9F, 0x81, 0x81, 0x01, 0x00]),
        Err(TlvError::TagReserved { at: 0 })
    );
}

#[test]
fn lengths_in_all_three_forms() {
    for form in [&[0x8D, 0x02][..], &[0x8D, 0x81, 0x02], &[0x8D, 0x82, 0, 2]] {
        let bytes = [form, &[4, 0x41]].concat();
        let text = ComprehensionReader::new(&bytes).next().unwrap().unwrap();
        assert_eq!(text.value, [4, 0x41]);
        assert_eq!(text.value_range, form.len()..form.len() + 2);
        assert_eq!(text.range, 0..bytes.len());
    }
    for (len, want) in [(127, "8D7F"), (128, "8D8180"), (256, "8D820100")] {
        let mut writer = Writer::new();
        writer.comprehension(Tag(0x0D), true, &vec![0; len]);
        assert!(hex::encode_upper(writer.into_bytes()).starts_with(want));
    }
}

#[test]
fn the_comprehension_bit_is_kept_apart_from_the_tag() {
    let bytes = [0x0B, 0x00, 0x8B, 0x00, 0x7F, 0x81, 0x02, 0x00];
    let read: Vec<_> = ComprehensionReader::new(&bytes)
        .map(|object| object.map(|o| (o.tag, o.required)).unwrap())
        .collect();
    assert_eq!(
        read,
        [(Tag(0x0B), false), (Tag(0x0B), true), (Tag(0x102), true)]
    );
}

#[test]
fn errors_name_the_place_and_end_the_reader() {
    for (bytes, want) in [
        (
            &[0x8D, 0x05, 1][..],
            TlvError::Value {
                at: 2,
                expected: 5,
                got: 1,
            },
        ),
        (&[0x8D], TlvError::Length { at: 1 }),
        (&[0x8D, 0x81], TlvError::Length { at: 1 }),
        (&[0x8D, 0x82, 0], TlvError::Length { at: 1 }),
        (&[0x8D, 0x80], TlvError::LengthForm { at: 1, got: 0x80 }),
        (
            &[0x8D, 0x83, 0, 0, 0],
            TlvError::LengthForm { at: 1, got: 0x83 },
        ),
        (&[0x00, 0x00], TlvError::TagReserved { at: 0 }),
        (&[0x7F, 0x81], TlvError::Tag { at: 0 }),
        (
            &[0x8D, 0x82, 0xFF, 0xFF],
            TlvError::Value {
                at: 4,
                expected: 0xFFFF,
                got: 0,
            },
        ),
    ] {
        let mut reader = ComprehensionReader::new(bytes);
        assert_eq!(reader.next(), Some(Err(want)));
        assert_eq!(reader.next(), None);
    }
    assert_eq!(
        Ber::read_all(&[0xD0, 0x01, 0x00, 0x00]),
        Err(TlvError::Value {
            at: 2,
            expected: 1,
            got: 2
        })
    );
}

proptest! {
    #[test]
    fn readers_end_on_any_octets(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(BerReader::new(&bytes).count() <= bytes.len());
        prop_assert!(ComprehensionReader::new(&bytes).count() <= bytes.len());
    }

    #[test]
    fn comprehension_objects_round_trip(
        objects in prop::collection::vec(
            (1u16..0x7FFF, any::<bool>(), prop::collection::vec(any::<u8>(), 0..300)), 0..6)
    ) {
        let mut writer = Writer::new();
        for (tag, required, value) in &objects {
            writer.comprehension(Tag(*tag), *required, value);
        }
        let bytes = writer.into_bytes();
        let read: Vec<_> = ComprehensionReader::new(&bytes)
            .map(|object| object.map(|o| (o.tag.0, o.required, o.value.to_vec())))
            .collect::<Result<_, _>>()
            .unwrap();
        prop_assert_eq!(read, objects);
    }

    #[test]
    fn ber_objects_round_trip(tag in 1u32..0x1F, len in 0usize..70_000, fill: u8) {
        let value = vec![fill; len];
        let mut writer = Writer::new();
        writer.ber(tag, &value);
        let bytes = writer.into_bytes();
        let read = Ber::read_all(&bytes);
        if value.len() <= 0xFFFF {
            let read = read.unwrap();
            prop_assert_eq!((read.tag, read.value), (tag, &value[..]));
        } else {
            prop_assert_eq!(read, Err(TlvError::LengthForm { at: 1, got: 0x83 }));
        }
    }
}

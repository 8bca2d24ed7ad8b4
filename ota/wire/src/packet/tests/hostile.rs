//! Packets that disagree with themselves, with the card or with the command they claim to answer.

use super::*;

/// Why `packet` is refused by a card with the usual application and keys.
fn refusal(packet: &[u8], card: &Card) -> (Option<ResponseStatus>, RejectReason) {
    let rejected = open(packet, card).unwrap_err();
    (rejected.status, rejected.reason)
}

#[test]
fn indicators_that_disagree() {
    let des = keys(
        CipherAlgorithm::Des,
        &[7; 8],
        IntegrityAlgorithm::Des,
        &[7; 8],
        8,
    );
    let short = keys(
        CipherAlgorithm::Aes,
        &[0x11; 16],
        IntegrityAlgorithm::AesCmac,
        &[0x22; 16],
        4,
    );
    let sealed = |spi: [u8; 2], kic: Option<u8>, kid: Option<u8>, keys: &KeySet| {
        let mut packet = command(Spi(spi), keys, b"data").seal(keys).unwrap();
        packet[5] = kic.unwrap_or(packet[5]);
        packet[6] = kid.unwrap_or(packet[6]);
        packet
    };
    let error = Some(ResponseStatus::SECURITY_ERROR);
    let usual = card(aes());
    let low = Some(ResponseStatus::INSUFFICIENT_SECURITY_LEVEL);
    for spi in [0x15, 0x12, 0x06, 0x00] {
        let packet = sealed([spi, 0x3A], None, None, &aes());
        assert_eq!(
            refusal(&packet, &usual),
            (
                low,
                RejectReason::SecurityLevel {
                    expected: 0x16,
                    got: spi
                }
            )
        );
    }
    let packet = sealed([0x16, 0x3A], Some(0x22), None, &aes());
    assert_eq!(
        refusal(&packet, &usual),
        (
            error,
            RejectReason::KeyVersions {
                kic: 0x22,
                kid: 0x12
            }
        )
    );
    let packet = sealed([0x16, 0x3A], Some(0x22), Some(0x22), &aes());
    assert_eq!(
        refusal(&packet, &usual),
        (error, RejectReason::KeySetUnknown { version: 2 })
    );
    let packet = sealed([0x16, 0x3A], Some(0x15), None, &aes());
    assert_eq!(
        refusal(&packet, &usual),
        (
            error,
            AlgorithmError::OtherAlgorithm {
                field: "KIc",
                got: 0x15
            }
            .into()
        )
    );
    for nibble in [0x3, 0x4, 0x6, 0x7, 0x8, 0xA, 0xB, 0xC, 0xD, 0xE, 0xF] {
        let packet = sealed([0x16, 0x3A], None, Some(0x10 | nibble), &aes());
        let reason = AlgorithmError::Unsupported {
            field: "KID",
            got: 0x10 | nibble,
        };
        assert_eq!(refusal(&packet, &usual), (error, reason.into()));
    }
    let packet = sealed([0x12, 0x39], None, None, &aes());
    let lax = Card {
        msl: 0x12,
        ..card(aes())
    };
    assert_eq!(
        refusal(&packet, &lax),
        (
            error,
            RejectReason::PorProtection {
                spi: Spi([0x12, 0x39])
            }
        )
    );
    let packet = sealed([0x16, 0x3A], None, None, &short);
    assert_eq!(
        refusal(&packet, &usual),
        (
            error,
            RejectReason::HeaderLength {
                expected: 21,
                got: 17
            }
        )
    );
    let packet = sealed([0x16, 0x3A], None, None, &des);
    assert_eq!(
        refusal(&packet, &card(des.clone())),
        (error, RejectReason::SingleDes)
    );
    assert!(
        open(
            &packet,
            &Card {
                single_des: true,
                ..card(des)
            }
        )
        .is_ok()
    );
    let other = Command {
        tar: Tar([1, 2, 3]),
        ..command(Spi::MT, &aes(), b"data")
    };
    assert_eq!(
        refusal(&other.seal(&aes()).unwrap(), &usual).0,
        Some(ResponseStatus::TAR_UNKNOWN)
    );
}

#[test]
fn implicit_octets_mean_the_algorithms_of_the_key_set() {
    let command = Command {
        kic: 0x10,
        kid: 0x10,
        ..command(Spi::MT, &aes(), b"data")
    };
    assert_eq!(
        open(&command.seal(&aes()).unwrap(), &card(aes()))
            .unwrap()
            .key_version,
        1
    );
    let command = Command {
        kic: 0x00,
        kid: 0x00,
        ..command
    };
    let reason = RejectReason::KeySetUnknown { version: 0 };
    assert_eq!(
        refusal(&command.seal(&aes()).unwrap(), &card(aes())).1,
        reason
    );
}

/// Nobody who has not shown a key gets an RC/CC, a ciphered PoR, or a deciphered counter.
#[test]
fn strangers_get_a_bare_answer() {
    let bare = |por: &Por| {
        assert!(!por.secured);
        let packet = por.seal(None).unwrap();
        assert_eq!(
            (packet.len(), packet[5], packet[14]),
            (16, 10, 0),
            "no RC/CC, no data, no padding"
        );
        assert_eq!(packet[15], por.response.status.0);
        packet
    };
    let mut packet = command(Spi::MT, &aes(), b"data").seal(&aes()).unwrap();
    *packet.last_mut().unwrap() ^= 1;
    let rejected = open(&packet, &card(aes())).unwrap_err();
    assert_eq!(
        (rejected.status, rejected.authenticated),
        (Some(ResponseStatus::RC_CC_DS_FAILED), false)
    );
    let por = response_for(Err(&rejected), ResponseStatus::POR_OK, vec![1]).unwrap();
    assert_eq!(hex::encode(bare(&por)), "027100000b0a4d494400000000000001");

    // Ciphered but not signed, and the application lets it through: the deciphered counter stays inside.
    let lax = Card {
        msl: 0,
        ..card(aes())
    };
    let packet = command(Spi([0x14, 0x31]), &aes(), b"data")
        .seal(&aes())
        .unwrap();
    let opened = open(&packet, &lax).unwrap();
    let por = response_for(Ok(&opened), ResponseStatus::POR_OK, vec![1]).unwrap();
    assert_eq!(hex::encode(bare(&por)), "027100000b0a4d494400000000000000");
    let rejected = open(
        &packet,
        &Card {
            counter: cntr(9),
            ..lax
        },
    )
    .unwrap_err();
    assert_eq!(rejected.status, Some(ResponseStatus::CNTR_LOW));
    assert_eq!(rejected.header.unwrap().cntr, None);

    // A counter that came in clear is copied; an RC takes no key.
    let lax = Card {
        msl: 0,
        ..card(aes())
    };
    let packet = command(Spi([0x11, 0x05]), &aes(), b"data")
        .seal(&aes())
        .unwrap();
    let por = response_for(
        Ok(&open(&packet, &lax).unwrap()),
        ResponseStatus::POR_OK,
        vec![],
    )
    .unwrap();
    assert_eq!((por.secured, por.response.cntr), (true, cntr(8)));
    assert_eq!(por.seal(None).unwrap()[5], 14);
}

#[test]
fn no_answer_where_none_is_wanted() {
    for (second, accepted, refused) in [
        (0x00, false, false),
        (0x01, true, true),
        (0x02, false, true),
        (0x03, false, false),
    ] {
        let packet = command(Spi([0x16, second]), &aes(), b"data")
            .seal(&aes())
            .unwrap();
        let opened = open(&packet, &card(aes()));
        assert_eq!(
            response_for(opened.as_ref(), ResponseStatus::POR_OK, vec![]).is_some(),
            accepted
        );
        let rejected = open(
            &packet,
            &Card {
                counter: cntr(8),
                ..card(aes())
            },
        );
        let por = response_for(rejected.as_ref(), ResponseStatus::POR_OK, vec![]);
        assert_eq!(por.is_some(), refused);
        assert!(
            por.is_none_or(|por| por.secured),
            "CNTR low comes after a right CC"
        );
    }
    let rejected = open(&[0, 3, 1, 2, 3], &card(aes()));
    assert_eq!(
        response_for(rejected.as_ref(), ResponseStatus::POR_OK, vec![]),
        None,
        "malformed packets get silence"
    );
}

#[test]
fn padding_is_counted_not_guessed() {
    // A stretched PCNTR under a right RC, found only after the RC.
    let lax = Card {
        msl: 0,
        ..card(aes())
    };
    let mut packet = command(Spi([0x00, 0x01]), &aes(), b"data")
        .seal(&aes())
        .unwrap();
    packet[15] = 1;
    assert_eq!(
        refusal(&packet, &lax),
        (
            Some(ResponseStatus::CIPHERING_ERROR),
            RejectReason::Padding { max: 0, got: 1 }
        )
    );
    for len in 0..40 {
        let data = vec![0xA5; len];
        let packet = command(Spi::MT, &aes(), &data).seal(&aes()).unwrap();
        assert_eq!((packet.len() - 10) % 16, 0);
        assert_eq!(open(&packet, &card(aes())).unwrap().data, data);
    }
}

#[test]
fn no_prefix_no_attachment_and_no_single_bit_flip_passes() {
    for keys in [
        aes(),
        keys(
            CipherAlgorithm::TripleDes2,
            &[3; 16],
            IntegrityAlgorithm::TripleDes2,
            &[4; 16],
            8,
        ),
    ] {
        let command = command(Spi([0x16, 0x39]), &keys, b"some data");
        let card = card(keys.clone());
        let golden = command.seal(&keys).unwrap();
        assert!((0..golden.len()).all(|len| open(&golden[..len], &card).is_err()));
        assert!(open(&[golden.as_slice(), &[0]].concat(), &card).is_err());
        for bit in 0..golden.len() * 8 {
            let mut packet = golden.clone();
            packet[bit / 8] ^= 1 << (bit % 8);
            let rejected = open(&packet, &card).expect_err("flipped");
            assert!(!rejected.authenticated, "bit {bit}");
            if let Some(por) = response_for(Err(&rejected), ResponseStatus::POR_OK, vec![]) {
                let copied = por.response.cntr.to_bytes();
                assert!(!por.secured);
                assert!(
                    copied == [0; 5] || copied == packet[10..15],
                    "only what travelled is shown"
                );
            }
        }

        let por = response_for(
            open(&golden, &card).as_ref(),
            ResponseStatus::POR_OK,
            vec![9; 3],
        )
        .unwrap();
        let golden = por.seal(Some(&keys)).unwrap();
        let check = |packet: &[u8]| check_response(packet, &command.sent(), &keys);
        assert!(check(&golden).unwrap().authenticated);
        assert!((0..golden.len()).all(|len| check(&golden[..len]).is_err()));
        for bit in 0..golden.len() * 8 {
            let mut packet = golden.clone();
            packet[bit / 8] ^= 1 << (bit % 8);
            assert!(check(&packet).is_err(), "bit {bit}");
        }
    }
}

#[test]
fn answers_to_other_commands_are_refused() {
    let command = command(Spi::MT, &aes(), b"");
    let sealed = |tar, cntr| {
        let response = Response {
            tar,
            cntr,
            status: ResponseStatus::CNTR_LOW,
            data: vec![],
        };
        response
            .seal(command.spi, command.kic, command.kid, Some(&aes()))
            .unwrap()
    };
    let check = |packet: Vec<u8>| check_response(&packet, &command.sent(), &aes());
    assert!(check(sealed(Tar::MID, cntr(8))).is_ok());
    assert_eq!(
        check(sealed(Tar::MID, cntr(9))),
        Err(ResponseError::Counter {
            expected: cntr(8),
            got: cntr(9)
        })
    );
    assert_eq!(
        check(sealed(Tar::MID, cntr(0))),
        Err(ResponseError::Counter {
            expected: cntr(8),
            got: cntr(0)
        })
    );
    let tar = Tar([9, 9, 9]);
    assert_eq!(
        check(sealed(tar, cntr(8))),
        Err(ResponseError::Tar {
            expected: Tar::MID,
            got: tar
        })
    );
}

proptest! {
    /// Header fields that get behind the first checks, then anything.
    #[test]
    fn octets_never_panic(mut packet in prop::collection::vec(any::<u8>(), 0..120), framed: bool, msl: u8, keys in any_keys(), spi: [u8; 2]) {
        if framed && packet.len() > 16 {
            let cpl = (packet.len() as u16 - 2).to_be_bytes();
            let chl = if spi[0] & 3 == 2 { 13 + keys.kid.cc_len() as u8 } else { 13 };
            packet[..10].copy_from_slice(&[cpl[0], cpl[1], chl, spi[0], spi[1], keys.kic_octet(), keys.kid_octet(), 0x4D, 0x49, 0x44]);
        }
        let card = Card { msl, single_des: true, ..card(keys.clone()) };
        let outcome = open(&packet, &card);
        if let Some(por) = response_for(outcome.as_ref(), ResponseStatus::POR_OK, vec![1]) {
            prop_assert!(por.seal(Some(&keys)).is_ok());
        }
        let _ = Command::unseal(&packet, &keys);
    }

    #[test]
    fn response_octets_never_panic(mut packet in prop::collection::vec(any::<u8>(), 0..80), framed: bool, keys in any_keys(), spi: [u8; 2], rhl in 8u8..20) {
        if framed && packet.len() > 16 {
            let rpl = (packet.len() as u16 - 5).to_be_bytes();
            packet[..9].copy_from_slice(&[2, 0x71, 0, rpl[0], rpl[1], rhl, 0x4D, 0x49, 0x44]);
        }
        let sent = command(Spi(spi), &keys, b"").sent();
        let checked = check_response(&packet, &sent, &keys);
        prop_assert!(!checked.is_ok_and(|checked| checked.authenticated), "no CC is guessed");
    }
}

//! Golden packets are published ones: asterix' unit tests, and two exchanges recorded from a real card in pySim's
//! manual. The vector files of the workspace hold many more.

use proptest::prelude::*;

use super::*;
use crate::ids::{Cntr, Tar};
use crate::keys::{CipherKey, IntegrityKey, KeySet};
use crate::secret::Secret;

/// A card with one application and one key set.
struct Card {
    msl: u8,
    keys: KeySet,
    counter: Cntr,
    single_des: bool,
}

impl Receiver for Card {
    fn msl(&self, tar: Tar) -> Option<u8> {
        (tar == Tar::MID).then_some(self.msl)
    }

    fn key_set(&self, version: u8) -> Option<&KeySet> {
        (version == self.keys.version).then_some(&self.keys)
    }

    fn counter(&self, _version: u8) -> Cntr {
        self.counter
    }

    fn allows_single_des(&self) -> bool {
        self.single_des
    }
}

fn hex(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

fn cntr(value: u64) -> Cntr {
    Cntr::new(value).unwrap()
}

fn keys(
    cipher: CipherAlgorithm,
    kic: &[u8],
    integrity: IntegrityAlgorithm,
    kid: &[u8],
    cc_len: usize,
) -> KeySet {
    KeySet {
        version: 1,
        kic: CipherKey::new(cipher, Secret::new(kic.to_vec())).unwrap(),
        kid: IntegrityKey::new(integrity, Secret::new(kid.to_vec()), cc_len).unwrap(),
    }
}

fn aes() -> KeySet {
    keys(
        CipherAlgorithm::Aes,
        &[0x11; 16],
        IntegrityAlgorithm::AesCmac,
        &[0x22; 16],
        8,
    )
}

/// The key sets there are, by algorithm and length.
fn families() -> Vec<KeySet> {
    let key: Vec<u8> = (1..33).collect();
    let mut families = Vec::new();
    for (cipher, integrity) in [
        (CipherAlgorithm::Des, IntegrityAlgorithm::Des),
        (CipherAlgorithm::TripleDes2, IntegrityAlgorithm::TripleDes2),
        (CipherAlgorithm::TripleDes3, IntegrityAlgorithm::TripleDes3),
        (CipherAlgorithm::Aes, IntegrityAlgorithm::AesCmac),
    ] {
        for len in cipher.key_lengths() {
            for cc_len in integrity.value_lengths() {
                families.push(keys(cipher, &key[..*len], integrity, &key[..*len], *cc_len));
            }
        }
    }
    assert_eq!(families.len(), 9);
    families
}

fn command(spi: Spi, keys: &KeySet, data: &[u8]) -> Command {
    let kid = match spi.integrity() {
        Integrity::Rc => keys.version << 4 | 0x05,
        _ => keys.kid_octet(),
    };
    Command {
        spi,
        kic: keys.kic_octet(),
        kid,
        tar: Tar::MID,
        cntr: cntr(8),
        data: data.to_vec(),
    }
}

fn card(keys: KeySet) -> Card {
    Card {
        msl: 0x16,
        keys,
        counter: cntr(7),
        single_des: false,
    }
}

#[test]
fn published_commands() {
    let triple = |kic: &str, kid: &str| {
        keys(
            CipherAlgorithm::TripleDes2,
            &hex(kic),
            IntegrityAlgorithm::TripleDes2,
            &hex(kid),
            8,
        )
    };
    let tail = "d382e547b32f46a981fb1789de20c4ed";
    let cases = [
        (
            triple(
                "2233445566778899aabbccddeeff0011",
                "456789abcdef012356789abcdef01234",
            ),
            Command {
                spi: Spi([0x16, 0x01]),
                kic: 0x25,
                kid: 0x25,
                tar: Tar([0xC0, 0, 0]),
                cntr: cntr(1),
                data: hex("a0a40000023f00"),
            },
            "00201516012525c0000090b844a4faabef7184998080d900a6f55a7ad667b45ea3a6",
        ),
        (
            keys(
                CipherAlgorithm::Aes,
                &hex(&format!("{tail}{tail}")),
                IntegrityAlgorithm::AesCmac,
                &hex(&format!("67062eae4534b19dfce61464597df320{tail}")),
                4,
            ),
            Command {
                spi: Spi([0x16, 0x01]),
                kic: 0x12,
                kid: 0x12,
                tar: Tar([0xB0, 0x00, 0x10]),
                cntr: cntr(1),
                data: hex("000e0ab0001000000018180000049000"),
            },
            "00281116011212b00010b2e0c40ccafef52e45edf0c612d4eca0c477a70cf860a76d0f4798a1793635a5",
        ),
        (
            triple(
                "f09c43ee1a0391665cc9f05af4e0bd10",
                "01981f4a20999f62af99988107baf6ca",
            ),
            Command {
                spi: Spi([0x16, 0x19]),
                kic: 0x15,
                kid: 0x15,
                tar: Tar([0xB0, 0x00, 0x10]),
                cntr: cntr(0x64),
                data: hex("a0a40000027f20a0c0000016"),
            },
            "00281516191515b000103a4f599e94f2b5dcfbbda984761b7977df6514c57a580fb4844787c436d2eade",
        ),
    ];
    for (keys, command, packet) in cases {
        assert_eq!(hex::encode(command.seal(&keys).unwrap()), packet);
        assert_eq!(Command::unseal(&hex(packet), &keys).unwrap(), command);
    }
}

/// The answers of a real card to the last command above: the first time, and when it is sent again.
#[test]
fn recorded_responses() {
    let keys = keys(
        CipherAlgorithm::TripleDes2,
        &hex("f09c43ee1a0391665cc9f05af4e0bd10"),
        IntegrityAlgorithm::TripleDes2,
        &hex("01981f4a20999f62af99988107baf6ca"),
        8,
    );
    let sent = Sent {
        spi: Spi([0x16, 0x19]),
        kic: 0x15,
        kid: 0x15,
        tar: Tar([0xB0, 0x00, 0x10]),
        cntr: cntr(0x64),
    };
    let first = hex(
        "027100002c12b0001049fb0315f6c6401b553867f412cefaf9355b38271178edb342a3bc9cc7e670cdc1f45eea6ffcbb39",
    );
    let data = hex("0290000000ffff7f2002000000000009b106350400838a838a");
    let checked = check_response(&first, &sent, &keys).unwrap();
    assert_eq!(
        checked,
        Checked {
            authenticated: true,
            as_asked: true,
            status: ResponseStatus::POR_OK,
            data: data.clone()
        }
    );
    let response = Response {
        tar: sent.tar,
        cntr: sent.cntr,
        status: ResponseStatus::POR_OK,
        data,
    };
    assert_eq!(
        response
            .seal(sent.spi, sent.kic, sent.kid, Some(&keys))
            .unwrap(),
        first
    );

    let again = hex("027100000b0ab0001000000000000006");
    let checked = check_response(&again, &sent, &keys).unwrap();
    assert_eq!((checked.authenticated, checked.as_asked), (false, false));
    assert_eq!(checked.status, ResponseStatus::SECURITY_ERROR);
    let success = hex("027100000b0ab0001000000000640000");
    let unprotected = ResponseError::UnprotectedSuccess {
        got: ResponseStatus::POR_OK,
    };
    assert_eq!(check_response(&success, &sent, &keys), Err(unprotected));
    let success = hex("027100000b0ab0001000000000000000");
    assert!(check_response(&success, &sent, &keys).is_err());
}

#[test]
fn every_first_octet_of_spi_round_trips_with_every_key_set() {
    for keys in families() {
        for octet in 0..=255 {
            let spi = Spi([octet, 0x00]);
            let command = command(spi, &keys, b"secured data");
            if spi.integrity() == Integrity::Ds {
                assert_eq!(
                    command.seal(&keys),
                    Err(AlgorithmError::DigitalSignature.into())
                );
                continue;
            }
            let packet = command.seal(&keys).unwrap();
            let card = Card {
                msl: 0,
                single_des: true,
                ..card(keys.clone())
            };
            let opened = open(&packet, &card).unwrap();
            assert_eq!(opened.data, command.data);
            assert_eq!((opened.cntr, opened.key_version), (command.cntr, 1));
            assert_eq!(opened.authenticated, spi.integrity() == Integrity::Cc);
            assert_eq!(opened.store_counter.is_some(), octet & 0x10 != 0);
        }
    }
}

#[test]
fn every_second_octet_of_spi_round_trips_with_every_key_set() {
    for keys in families() {
        for octet in 0..=255 {
            let spi = Spi([0x16, octet]);
            let command = command(spi, &keys, b"");
            let kid = if spi.por_integrity() == Integrity::Rc {
                0x11
            } else {
                command.kid
            };
            let sent = Sent {
                kid,
                ..command.sent()
            };
            let response = Response {
                tar: sent.tar,
                cntr: sent.cntr,
                status: ResponseStatus::INSUFFICIENT_MEMORY,
                data: vec![0x55; 5],
            };
            if spi.por_integrity() == Integrity::Ds {
                assert!(response.seal(spi, sent.kic, kid, Some(&keys)).is_err());
                continue;
            }
            let packet = response.seal(spi, sent.kic, kid, Some(&keys)).unwrap();
            let checked = check_response(&packet, &sent, &keys).unwrap();
            assert_eq!(checked.authenticated, spi.por_integrity() == Integrity::Cc);
            assert!(checked.as_asked);
            assert_eq!(
                (checked.status, checked.data),
                (response.status, response.data)
            );
        }
    }
}

#[test]
fn a_good_flow_both_ways() {
    let command = command(Spi::MT, &aes(), b"challenge");
    let packet = command.seal(&aes()).unwrap();
    let card = card(aes());
    let opened = open(&packet, &card).unwrap();
    assert_eq!(opened.store_counter, Some(cntr(8)));
    assert_eq!(
        response_for(Ok(&opened), ResponseStatus::POR_OK, vec![]),
        None,
        "16 3A wants errors only"
    );
    let por = response_for(Ok(&opened), ResponseStatus::INSUFFICIENT_MEMORY, vec![]).unwrap();
    assert!(por.secured && por.by_submit && por.key_version() == 1);
    let checked =
        check_response(&por.seal(card.key_set(1)).unwrap(), &command.sent(), &aes()).unwrap();
    assert!(checked.authenticated && checked.as_asked);
    assert_eq!(checked.status, ResponseStatus::INSUFFICIENT_MEMORY);
}

#[test]
fn counters() {
    let check = |spi: u8, stored: u64, got: u64| {
        let command = Command {
            cntr: cntr(got),
            ..command(Spi([spi, 0x39]), &aes(), b"x")
        };
        let card = Card {
            msl: 0x06,
            counter: cntr(stored),
            ..card(aes())
        };
        open(&command.seal(&aes()).unwrap(), &card)
            .map(|opened| opened.store_counter.map(Cntr::get))
            .map_err(|rejected| {
                assert!(rejected.authenticated);
                rejected.status.unwrap()
            })
    };
    const MAX: u64 = Cntr::MAX.get();
    // No counter, counter unchecked: anything goes, nothing is stored, not even a block matters.
    for spi in [0x06, 0x0E] {
        assert_eq!((check(spi, 7, 0), check(spi, MAX, 3)), (Ok(None), Ok(None)));
    }
    assert_eq!(
        (check(0x16, 7, 8), check(0x16, 7, 700)),
        (Ok(Some(8)), Ok(Some(700)))
    );
    assert_eq!(
        (check(0x16, 7, 7), check(0x16, 7, 6)),
        (Err(ResponseStatus::CNTR_LOW), Err(ResponseStatus::CNTR_LOW))
    );
    assert_eq!(check(0x16, 7, MAX), Ok(Some(MAX)));
    assert_eq!(
        (check(0x16, MAX, MAX), check(0x1E, MAX, 0)),
        (
            Err(ResponseStatus::CNTR_BLOCKED),
            Err(ResponseStatus::CNTR_BLOCKED)
        )
    );
    assert_eq!(check(0x1E, 7, 8), Ok(Some(8)));
    assert_eq!(
        (check(0x1E, 7, 9), check(0x1E, 7, 7)),
        (
            Err(ResponseStatus::CNTR_HIGH),
            Err(ResponseStatus::CNTR_LOW)
        )
    );
}

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
        kid: 0x00,
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
fn lengths_have_their_limits() {
    let fits = vec![0; 0xFFFF - 14];
    assert_eq!(
        command(Spi([0, 0]), &aes(), &fits)
            .seal(&aes())
            .unwrap()
            .len(),
        0xFFFF + 2
    );
    let over = vec![0; 0xFFFF - 13];
    assert_eq!(
        command(Spi([0, 0]), &aes(), &over).seal(&aes()),
        Err(SealError::TooLong { got: 0x1_0000 })
    );
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

prop_compose! {
    fn any_keys()(index in 0usize..9) -> KeySet {
        families().swap_remove(index)
    }
}

proptest! {
    #[test]
    fn commands_round_trip(keys in any_keys(), spi: [u8; 2], counter: [u8; 5], tar: [u8; 3], data in prop::collection::vec(any::<u8>(), 0..200)) {
        let spi = Spi([spi[0] & !0x01, spi[1]]);
        let command = Command { tar: Tar(tar), cntr: Cntr::from_bytes(counter), ..command(spi, &keys, &data) };
        let packet = command.seal(&keys).unwrap();
        let view = CommandView::new_checked(&packet).unwrap();
        prop_assert_eq!((view.spi(), view.kic(), view.kid(), view.tar()), (spi, command.kic, command.kid, command.tar));
        prop_assert_eq!(view.cntr(), (!spi.ciphered()).then_some(command.cntr));
        prop_assert_eq!(Command::unseal(&packet, &keys), Ok(command));
    }

    #[test]
    fn responses_round_trip(keys in any_keys(), second: u8, status: u8, counter: [u8; 5], data in prop::collection::vec(any::<u8>(), 0..100)) {
        let spi = Spi([0x16, second & !0x04]);
        let sent = Sent { cntr: Cntr::from_bytes(counter), ..command(spi, &keys, b"").sent() };
        let response = Response { tar: sent.tar, cntr: sent.cntr, status: ResponseStatus(status), data };
        let packet = response.seal(spi, sent.kic, sent.kid, Some(&keys)).unwrap();
        let checked = check_response(&packet, &sent, &keys).unwrap();
        prop_assert_eq!((checked.status, checked.data), (response.status, response.data));
    }

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

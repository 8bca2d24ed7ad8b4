//! Golden packets are published ones: asterix' unit tests, and two exchanges recorded from a real card in pySim's
//! manual. The vector files of the workspace hold many more.

mod cases;
mod hostile;

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
}

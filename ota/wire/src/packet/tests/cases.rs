//! What has been done to real cards (SRLabs 2013, Simjacker, WIBattack, SIMTester), numbered as in the list of known
//! weaknesses: cases 1 to 12, as far as they concern packets. Nobody who has shown no key gets anything signed,
//! ciphered or deciphered, and no counter moves.

use super::*;

/// A PoR for these octets, as a card with the usual application makes it.
fn por(packet: &[u8], card: &Card) -> Option<(Por, Vec<u8>)> {
    let outcome = open(packet, card);
    let por = response_for(outcome.as_ref(), ResponseStatus::POR_OK, Vec::new())?;
    let sealed = por.seal(card.key_set(por.key_version())).unwrap();
    Some((por, sealed))
}

/// Neither RC/CC nor ciphering; CNTR is zero or what came in clear.
fn assert_bare(packet: &[u8], card: &Card) {
    let Some((por, sealed)) = por(packet, card) else {
        return;
    };
    assert!(!por.secured, "{}", hex::encode(packet));
    assert_eq!(sealed[5], 10, "RHL without RC/CC");
    assert_eq!(sealed.len(), 16, "no data, no padding");
    let cntr = &sealed[9..14];
    let ciphered = packet[3] & 0x04 != 0;
    assert!(
        cntr == [0; 5] || !ciphered && cntr == &packet[10..15],
        "{}",
        hex::encode(&sealed)
    );
}

/// [`open`] refuses, with one of these status codes (`None`: in silence), before any key was shown.
fn assert_refused(packet: &[u8], card: &Card, expected: &[Option<ResponseStatus>]) {
    let rejected = open(packet, card).expect_err(&hex::encode(packet));
    assert!(!rejected.authenticated);
    assert!(
        expected.contains(&rejected.status),
        "{}: {rejected}",
        hex::encode(packet)
    );
    assert_bare(packet, card);
}

/// Octets with a right CPL.
fn framed(rest: &str) -> Vec<u8> {
    let rest = hex(&rest.replace(' ', ""));
    [&(rest.len() as u16).to_be_bytes(), rest.as_slice()].concat()
}

const LOW: Option<ResponseStatus> = Some(ResponseStatus::INSUFFICIENT_SECURITY_LEVEL);
const ERROR: Option<ResponseStatus> = Some(ResponseStatus::SECURITY_ERROR);
const FAILED: Option<ResponseStatus> = Some(ResponseStatus::RC_CC_DS_FAILED);
const CIPHERING: Option<ResponseStatus> = Some(ResponseStatus::CIPHERING_ERROR);

#[test]
fn case_01_no_security_and_every_key_set() {
    for second in [0x01, 0x02, 0x09, 0x11, 0x19, 0x21, 0x29, 0x39] {
        for version in 0..=0xF_u8 {
            let header =
                format!("0D 00{second:02X} {version:X}0 {version:X}0 4D4944 0000000001 00 A0A4");
            let packet = framed(&header);
            assert_refused(&packet, &card(aes()), &[LOW]);
            // An application that takes anything still gives nothing that takes a key.
            let lax = Card {
                msl: 0,
                ..card(aes())
            };
            assert_bare(&packet, &lax);
        }
    }
}

#[test]
fn case_02_a_checksum_of_zeros_and_an_unciphered_packet() {
    for nibble in [1, 2, 5, 9] {
        for first in [0x02, 0x06, 0x12, 0x16] {
            let zeros = "00".repeat(8);
            let packet = framed(&format!(
                "15 {first:02X}39 1{nibble} 1{nibble} 4D4944 0000000009 00 {zeros} A0A4000002"
            ));
            let mut card = card(aes());
            card.msl = 0;
            assert_refused(&packet, &card, &[FAILED, ERROR, CIPHERING]);
        }
    }
    // Strangers cannot lock the key set: after any number of them the right packet passes.
    let card = card(aes());
    let good = command(Spi::MT, &aes(), b"data").seal(&aes()).unwrap();
    for attempt in 0..100_u8 {
        let mut bad = good.clone();
        bad[12] ^= attempt | 1;
        assert!(open(&bad, &card).is_err());
    }
    assert!(open(&good, &card).is_ok());
}

#[test]
fn case_03_ciphering_without_checksum() {
    for first in [0x04, 0x0C, 0x14, 0x1C] {
        let packet = command(Spi([first, 0x39]), &aes(), b"data")
            .seal(&aes())
            .unwrap();
        assert_refused(&packet, &card(aes()), &[LOW]);
    }
}

/// The card must not decipher for strangers: the CNTR of a fake ciphertext is not shown.
#[test]
fn case_04_a_ciphered_por_to_an_unsigned_command() {
    let mut opened = 0;
    for (first, second) in [(0x04, 0x11), (0x04, 0x31), (0x00, 0x11), (0x14, 0x31)] {
        for attempt in 0..500_u16 {
            let packet = framed(&format!(
                "0D {first:02X}{second:02X} 12 12 4D4944 00112233445566778899AABBCCDD{attempt:04X}"
            ));
            for msl in [0x00, 0x16] {
                let card = Card { msl, ..card(aes()) };
                assert_bare(&packet, &card);
                if let Ok(taken) = open(&packet, &card) {
                    assert!(!taken.authenticated);
                    opened += usize::from(first & 0x04 != 0);
                }
            }
        }
    }
    // Some decipher to a PCNTR that fits; those are the dangerous ones.
    assert!(opened > 10, "{opened}");
}

#[test]
fn case_05_lengths_that_lie() {
    let good = command(Spi::MT, &aes(), b"data").seal(&aes()).unwrap();
    // CHL 13 with a CC announced would compare zero octets, which always agree.
    for chl in (0..=0xFF).filter(|chl| *chl != 21) {
        let mut packet = good.clone();
        packet[2] = chl;
        assert_refused(&packet, &card(aes()), &[ERROR]);
    }
    let no_check = framed(&format!(
        "0D 0239 12 12 4D4944 0000000009 00 {}",
        "A0".repeat(20)
    ));
    let lax = Card {
        msl: 0,
        ..card(aes())
    };
    assert_refused(&no_check, &lax, &[ERROR]);
    for cpl in [
        0,
        1,
        12,
        good.len() as u16 - 3,
        good.len() as u16 - 1,
        0xFFFF,
    ] {
        let mut packet = good.clone();
        packet[..2].copy_from_slice(&cpl.to_be_bytes());
        assert_refused(&packet, &card(aes()), &[None]);
    }
}

#[test]
fn case_06_padding_that_is_none() {
    // With a right CC: only the owner of the key can do that, and still nothing underflows.
    for pcntr in [1, 8, 15, 16, 0xFF] {
        let keys = aes();
        let set = Command {
            data: vec![0xA5; 4],
            ..command(Spi([0x02, 0x00]), &keys, b"")
        };
        let packet = reseal_with_pcntr(&set, &keys, pcntr);
        let lax = Card {
            msl: 0,
            ..card(aes())
        };
        let rejected = open(&packet, &lax).unwrap_err();
        assert_eq!(rejected.status, CIPHERING, "PCNTR {pcntr}");
    }
    // Without.
    for pcntr in [1, 8, 16, 0xFF] {
        let packet = framed(&format!("0D 0000 00 00 4D4944 0000000001 {pcntr:02X} A0A4"));
        let lax = Card {
            msl: 0,
            ..card(aes())
        };
        assert_refused(&packet, &lax, &[CIPHERING]);
    }
}

/// A packet with a right CC over a PCNTR of one's own. The MAC comes from the crate `cmac` itself.
fn reseal_with_pcntr(command: &Command, keys: &KeySet, pcntr: u8) -> Vec<u8> {
    use cmac::{Cmac, KeyInit, Mac};
    let mut packet = command.seal(keys).unwrap();
    packet[15] = pcntr;
    let mut mac =
        <Cmac<aes::Aes128> as KeyInit>::new_from_slice(keys.kid.secret().expose()).unwrap();
    mac.update(&packet[..16]);
    mac.update(&packet[24..]);
    let tag = mac.finalize().into_bytes();
    packet[16..24].copy_from_slice(&tag[..8]);
    packet
}

#[test]
fn case_07_ciphertext_that_is_no_whole_number_of_blocks() {
    let good = command(Spi::MT, &aes(), b"data").seal(&aes()).unwrap();
    for len in 0..good.len() {
        let mut packet = good[..len].to_vec();
        if let Some(cpl) = len.checked_sub(2) {
            packet[..2].copy_from_slice(&(cpl as u16).to_be_bytes());
        }
        assert_refused(&packet, &card(aes()), &[None, ERROR, CIPHERING, FAILED]);
    }
    // Nothing at all behind TAR.
    let packet = framed("15 163A 12 12 4D4944");
    assert_refused(&packet, &card(aes()), &[None]);
}

#[test]
fn case_08_counters() {
    let keys = aes();
    let sealed = |value| {
        let command = Command {
            cntr: cntr(value),
            ..command(Spi([0x16, 0x39]), &keys, b"data")
        };
        command.seal(&keys).unwrap()
    };
    let mut card = card(aes());
    let status =
        |packet: &[u8], card: &Card| open(packet, card).map_err(|refused| refused.status.unwrap());
    // Equal and lower are replays; far higher passes.
    for value in [0, 6, 7] {
        assert_eq!(status(&sealed(value), &card), Err(ResponseStatus::CNTR_LOW));
    }
    assert!(status(&sealed(1 << 39), &card).is_ok());
    // The same CNTR works after a packet that was refused for something else.
    let mut spoiled = sealed(8);
    *spoiled.last_mut().unwrap() ^= 1;
    assert_eq!(
        status(&spoiled, &card),
        Err(ResponseStatus::RC_CC_DS_FAILED)
    );
    let opened = open(&sealed(8), &card).unwrap();
    assert_eq!(opened.store_counter, Some(cntr(8)));
    // What was stored before a restart is what counts after it.
    card.counter = opened.store_counter.unwrap();
    assert_eq!(status(&sealed(8), &card), Err(ResponseStatus::CNTR_LOW));
    // The last value is taken once; then the key set is blocked for good.
    card.counter = open(&sealed(Cntr::MAX.get()), &card)
        .unwrap()
        .store_counter
        .unwrap();
    for value in [0, 9, Cntr::MAX.get()] {
        assert_eq!(
            status(&sealed(value), &card),
            Err(ResponseStatus::CNTR_BLOCKED)
        );
    }
}

#[test]
fn case_09_tar_changed_after_signing() {
    /// Two applications with the same key set.
    struct Two(Card);
    impl Receiver for Two {
        fn msl(&self, tar: Tar) -> Option<u8> {
            [Tar::MID, Tar([1, 2, 3])].contains(&tar).then_some(0x16)
        }
        fn key_set(&self, version: u8) -> Option<&KeySet> {
            self.0.key_set(version)
        }
        fn counter(&self, version: u8) -> Cntr {
            self.0.counter(version)
        }
    }
    let two = Two(card(aes()));
    let good = command(Spi::MT, &aes(), b"data").seal(&aes()).unwrap();
    assert_eq!(open(&good, &two).unwrap().tar, Tar::MID);
    let mut swapped = good.clone();
    swapped[7..10].copy_from_slice(&[1, 2, 3]);
    assert_eq!(open(&swapped, &two).unwrap_err().status, FAILED);
    // No TAR stands for all of them.
    for wildcard in [
        [0, 0, 0],
        [0xFF, 0xFF, 0xFF],
        [0xBF, 0xFF, 0xFF],
        [0xB0, 0, 0],
    ] {
        let mut packet = good.clone();
        packet[7..10].copy_from_slice(&wildcard);
        assert_refused(&packet, &card(aes()), &[Some(ResponseStatus::TAR_UNKNOWN)]);
    }
}

/// A packet that is right but for what KIc and KID say, under the keys of set 1.
fn naming(spi: [u8; 2], kic: u8, kid: u8) -> Vec<u8> {
    let command = Command {
        kic,
        kid,
        ..command(Spi(spi), &aes(), b"data")
    };
    command.seal(&aes()).unwrap()
}

#[test]
fn case_10_key_sets_that_differ_or_do_not_exist() {
    // Ciphered and with a checksum, both octets count: versions that differ, version 0, versions without keys.
    for (kic, kid) in [
        (0x12, 0x22),
        (0x22, 0x12),
        (0x12, 0x02),
        (0x02, 0x12),
        (0x12, 0x00),
        (0x00, 0x12),
        (0x02, 0x02),
        (0x00, 0x00),
        (0x32, 0x32),
        (0xF2, 0xF2),
    ] {
        for msl in [0x16, 0x00] {
            let card = Card { msl, ..card(aes()) };
            assert_refused(&naming([0x16, 0x39], kic, kid), &card, &[ERROR]);
        }
    }
    // An octet that names no key says nothing: KIc where nothing is ciphered, KID where there is no checksum.
    let says_nothing = [0x00, 0x02, 0x22, 0xF5, 0xFF];
    for octet in says_nothing {
        for (spi, kic, kid) in [([0x12, 0x29], octet, 0x12), ([0x14, 0x21], 0x12, octet)] {
            let card = Card {
                msl: 0,
                ..card(aes())
            };
            let packet = naming(spi, kic, kid);
            let opened = open(&packet, &card).unwrap();
            assert_eq!(
                (opened.key_version, opened.data.as_slice()),
                (1, &b"data"[..])
            );
            if spi[0] != 0x12 {
                continue;
            }
            // The answer comes under the same key set.
            let por = response_for(Ok(&opened), ResponseStatus::POR_OK, b"done".to_vec()).unwrap();
            let sealed = por.seal(card.key_set(por.key_version())).unwrap();
            let sent = Command {
                kic,
                kid,
                ..command(Spi(spi), &aes(), b"data")
            }
            .sent();
            let checked = check_response(&sealed, &sent, &aes()).unwrap();
            assert_eq!((checked.as_asked, checked.data), (true, b"done".to_vec()));
        }
    }
    for version in [0x00, 0x20, 0xF0] {
        let card = Card {
            msl: 0,
            ..card(aes())
        };
        let checksum = naming([0x12, 0x29], 0x12, version | 0x02);
        assert_refused(&checksum, &card, &[ERROR]);
        let cipher = naming([0x14, 0x21], version | 0x02, 0x12);
        assert_refused(&cipher, &card, &[ERROR]);
        // With no key at all KID says whose counter it is; where none is checked, nothing.
        let counted = naming([0x11, 0x21], 0x12, version | 0x05);
        assert_refused(&counted, &card, &[ERROR]);
        assert!(open(&naming([0x01, 0x21], 0x12, version | 0x05), &card).is_ok());
        let opened = open(&naming([0x11, 0x21], version | 0x02, 0x15), &card).unwrap();
        assert_eq!(
            (opened.key_version, opened.store_counter),
            (1, Some(cntr(8)))
        );
    }
}

#[test]
fn case_10_algorithms_that_do_not_fit() {
    let good = command(Spi::MT, &aes(), b"data").seal(&aes()).unwrap();
    let with = |kic: u8, kid: u8| {
        let mut packet = good.clone();
        (packet[5], packet[6]) = (kic, kid);
        packet
    };
    for nibble in [0x3, 0x6, 0x7, 0xA, 0xB, 0xD, 0xE, 0xF] {
        assert_refused(&with(0x10 | nibble, 0x12), &card(aes()), &[ERROR]);
        assert_refused(&with(0x12, 0x10 | nibble), &card(aes()), &[ERROR]);
    }
}

#[test]
fn case_11_a_redundancy_check_where_a_checksum_is_due() {
    for nibble in [0x1, 0x5] {
        let command = Command {
            kid: 0x10 | nibble,
            ..command(Spi([0x15, 0x39]), &aes(), b"data")
        };
        assert_refused(&command.seal(&aes()).unwrap(), &card(aes()), &[LOW]);
    }
    // Nibble 5 is triple DES for a checksum: a CRC in its place is a wrong checksum.
    let des = keys(
        CipherAlgorithm::TripleDes2,
        &[3; 16],
        IntegrityAlgorithm::TripleDes2,
        &[4; 16],
        8,
    );
    let crc = Command {
        kid: 0x15,
        ..command(Spi([0x15, 0x39]), &des, b"data")
    };
    let mut packet = crc.seal(&des).unwrap();
    packet[3] = 0x16;
    assert_refused(&packet, &card(des), &[ERROR]);
}

#[test]
fn case_12_a_checksum_shorter_than_the_key_set_has() {
    let keys_of = |cc_len| {
        keys(
            CipherAlgorithm::Aes,
            &[0x11; 16],
            IntegrityAlgorithm::AesCmac,
            &[0x22; 16],
            cc_len,
        )
    };
    let short = command(Spi::MT, &keys_of(4), b"data")
        .seal(&keys_of(4))
        .unwrap();
    assert_refused(&short, &card(keys_of(8)), &[ERROR]);
    let long = command(Spi::MT, &keys_of(8), b"data")
        .seal(&keys_of(8))
        .unwrap();
    assert_refused(&long, &card(keys_of(4)), &[ERROR]);
    assert!(open(&short, &card(keys_of(4))).is_ok());
}

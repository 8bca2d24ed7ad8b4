//! What strangers try: the known weaknesses of SIM OTA and of toolkit applets, one test each.

use ota_wire::applet::Method;
use ota_wire::ids::{Cntr, Tar};
use ota_wire::keys::{IntegrityKey, KeySet};
use ota_wire::packet::{Command, IntegrityAlgorithm, ResponseStatus, Spi, check_response};
use ota_wire::rp::{Direction, Message};
use ota_wire::sms::tpdu::{DeliverReport, ReportIn};

use super::{TEXT, World, sent, submit};
use crate::handset::{Action, Input, Step};

/// TAR and CNTR in a PoR that shows no key: `027100 RPL RHL TAR CNTR PCNTR status`.
const BARE_POR_LEN: usize = 16;

/// A packet with an arbitrary header and no protection at all.
fn forged(spi: [u8; 2], kic: u8, kid: u8, tar: Tar, rest: &[u8]) -> Vec<u8> {
    let mut packet = vec![0, 0, 13 + rest.len().min(8) as u8];
    packet.extend(spi);
    packet.extend([kic, kid]);
    packet.extend(tar.0);
    packet.extend([0, 0, 0, 0, 1, 0]);
    packet.extend(rest);
    let cpl = (packet.len() - 2) as u16;
    packet[..2].copy_from_slice(&cpl.to_be_bytes());
    packet
}

impl World {
    /// Sends a packet that must not get anywhere. Gives back the PoR, if any, and checks that nothing moved.
    pub(super) fn refused(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        let before = self.phone.card_state().clone();
        let step = self.send_packet(packet);
        assert_eq!(self.screen(), None);
        assert_eq!(self.phone.card_state(), &before, "{}", hex::encode(packet));
        self.por(&step)
    }

    pub(super) fn por(&mut self, step: &Step) -> Option<Vec<u8>> {
        for message in sent(step) {
            if let Message::Ack {
                tpdu: Some(tpdu), ..
            } = message
            {
                let report = DeliverReport::parse(tpdu.octets(), ReportIn::Ack).unwrap();
                return report
                    .parameters
                    .user_data
                    .map(|user_data| user_data.to_octets());
            }
        }
        let (mr, submit) = submit(step)?;
        let ack = Message::Ack { mr, tpdu: None };
        self.step(Input::Rp(ack.emit(Direction::ToPhone)));
        Some(submit.user_data.to_octets())
    }

    /// A good challenge still gets through.
    pub(super) fn still_works(&mut self) {
        let challenge = self.challenge(Method::Confirm, TEXT);
        self.send_challenge(&challenge);
        assert_eq!(self.screen().as_deref(), Some(TEXT));
        let step = self.act(Action::Cancel);
        self.acknowledge(&step);
    }
}

/// The status of a PoR that was made without any key.
fn bare_status(por: &[u8]) -> ResponseStatus {
    assert_eq!(por.len(), BARE_POR_LEN, "{}", hex::encode(por));
    assert_eq!(por[..6], [0x02, 0x71, 0x00, 0x00, 0x0B, 0x0A]);
    ResponseStatus(por[15])
}

#[test]
fn case_01_no_security_at_all_gets_no_signature_whatever_the_key_set() {
    let mut world = World::new();
    for version in 0..16 {
        for second in [0x00, 0x01, 0x09, 0x19, 0x29, 0x39, 0x3A, 0x2D, 0x3D] {
            let packet = forged(
                [0x00, second],
                version << 4,
                version << 4,
                Tar::MID,
                b"hello",
            );
            if let Some(por) = world.refused(&packet) {
                assert_eq!(
                    bare_status(&por),
                    ResponseStatus::INSUFFICIENT_SECURITY_LEVEL
                );
            }
        }
    }
    world.still_works();
}

#[test]
fn case_02_wrong_checksums_move_nothing_and_lock_nobody_out() {
    let mut world = World::new();
    for (kic, kid) in [(0x12, 0x12), (0x25, 0x25), (0x11, 0x11), (0x19, 0x19)] {
        for spi in [[0x12, 0x39], [0x16, 0x39], [0x16, 0x3A]] {
            let packet = forged(spi, kic, kid, Tar::MID, &[0; 8 + 10]);
            for _ in 0..20 {
                if let Some(por) = world.refused(&packet) {
                    assert!(!bare_status(&por).is_success());
                }
            }
        }
    }
    world.still_works();
}

#[test]
fn case_03_ciphering_without_checksum_is_below_the_security_level() {
    let mut world = World::new();
    world.spi = Spi([0x14, 0x01]);
    let packet = world.packet(b"hello".to_vec());
    let por = world.refused(&packet).unwrap();
    assert_eq!(
        bare_status(&por),
        ResponseStatus::INSUFFICIENT_SECURITY_LEVEL
    );
}

#[test]
fn case_04_a_por_never_shows_what_a_counter_deciphers_to() {
    let mut world = World::new();
    for _ in 0..8 {
        let mut packet = world.packet(b"hello".to_vec());
        packet[10] ^= 0x80;
        let por = world.refused(&packet).unwrap();
        assert_eq!(bare_status(&por), ResponseStatus::RC_CC_DS_FAILED);
        assert_eq!(por[9..14], [0; 5], "CNTR");
    }
}

#[test]
fn case_05_header_lengths_that_lie() {
    let mut world = World::new();
    let good = world.packet(b"hello".to_vec());
    for chl in [0, 1, 12, 13, 14, 17, 20, 22, 0x7F, 0xFF] {
        let mut packet = good.clone();
        packet[2] = chl;
        if let Some(por) = world.refused(&packet) {
            assert!(!bare_status(&por).is_success());
        }
    }
    for cpl in [
        0u16,
        1,
        12,
        13,
        good.len() as u16 - 3,
        good.len() as u16 - 1,
        0x7FFF,
        0xFFFF,
    ] {
        let mut packet = good.clone();
        packet[..2].copy_from_slice(&cpl.to_be_bytes());
        assert_eq!(
            world.refused(&packet),
            None,
            "CPL {cpl}: no packet, no answer"
        );
    }
    world.still_works();
}

#[test]
fn case_06_padding_that_lies_under_no_key() {
    let mut world = World::new();
    let mut packet = forged([0x00, 0x01], 0, 0, Tar::MID, b"hello");
    for pcntr in [1, 8, 16, 0xFF] {
        packet[15] = pcntr;
        let por = world.refused(&packet).unwrap();
        assert!(!bare_status(&por).is_success());
    }
}

#[test]
fn case_07_ciphertext_of_any_length() {
    let mut world = World::new();
    let good = world.packet(b"hello".to_vec());
    for len in 0..good.len() {
        let mut packet = good[..len].to_vec();
        if let Some(cpl) = packet.get_mut(..2) {
            cpl.copy_from_slice(&(len as u16 - 2).to_be_bytes());
        }
        if let Some(por) = world.refused(&packet) {
            assert!(!bare_status(&por).is_success());
        }
    }
    world.still_works();
}

#[test]
fn case_08_counters_low_equal_far_ahead_and_at_their_end() {
    let mut world = World::new();
    world.spi = Spi([0x16, 0x39]);
    let keys = world.key_set();
    let send_at = |world: &mut World, cntr: u64| {
        let mut command = world.command(b"no challenge".to_vec());
        command.cntr = Cntr::new(cntr).unwrap();
        let step = world.send_packet(&command.seal(&keys).unwrap());
        let por = world.por(&step).unwrap();
        let checked = check_response(&por, &command.sent(), &keys).unwrap();
        assert!(checked.authenticated);
        (checked.status, world.phone.card_state().counters()[0].get())
    };
    assert_eq!(send_at(&mut world, 500), (ResponseStatus::POR_OK, 500));
    assert_eq!(send_at(&mut world, 500), (ResponseStatus::CNTR_LOW, 500));
    assert_eq!(send_at(&mut world, 499), (ResponseStatus::CNTR_LOW, 500));
    world.restart();
    assert_eq!(send_at(&mut world, 500), (ResponseStatus::CNTR_LOW, 500));
    assert_eq!(send_at(&mut world, 501), (ResponseStatus::POR_OK, 501));
    let end = Cntr::MAX.get();
    assert_eq!(send_at(&mut world, end), (ResponseStatus::POR_OK, end));
    assert_eq!(
        send_at(&mut world, end),
        (ResponseStatus::CNTR_BLOCKED, end)
    );
    assert_eq!(
        send_at(&mut world, 502),
        (ResponseStatus::CNTR_BLOCKED, end)
    );
    // The other key set counts for itself.
    world.key_version = 2;
    world.spi = Spi::MT;
    world.still_works();
}

#[test]
fn case_08_the_counter_of_a_refused_packet_can_still_be_used() {
    let mut world = World::new();
    let challenge = world.challenge(Method::Confirm, TEXT);
    let octets = challenge.seal(&world.key(challenge.mac_algorithm));
    let good = world.packet(octets);
    let mut bad = good.clone();
    bad[30] ^= 1;
    world.refused(&bad);
    world.send_packet(&good);
    assert_eq!(world.screen().as_deref(), Some(TEXT));
}

#[test]
fn case_09_tar_changed_after_signing() {
    let mut world = World::new();
    let mut command = world.command(b"hello".to_vec());
    command.tar = Tar([0xB0, 0x00, 0x11]);
    let mut packet = command.seal(&world.key_set()).unwrap();
    let por = world.refused(&packet).unwrap();
    assert_eq!(bare_status(&por), ResponseStatus::TAR_UNKNOWN);
    packet[7..10].copy_from_slice(&Tar::MID.0);
    let por = world.refused(&packet).unwrap();
    assert_eq!(bare_status(&por), ResponseStatus::RC_CC_DS_FAILED);
}

#[test]
fn case_10_key_sets_that_differ_or_do_not_exist() {
    let mut world = World::new();
    // Under the right keys, so that nothing but KIc and KID is wrong.
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
        let command = Command {
            kic,
            kid,
            ..world.command(b"hello".to_vec())
        };
        let packet = command.seal(&world.key_set()).unwrap();
        let por = world.refused(&packet).unwrap();
        let status = bare_status(&por);
        assert_eq!(
            status,
            ResponseStatus::SECURITY_ERROR,
            "{kic:02X} {kid:02X}"
        );
    }
}

#[test]
fn case_10_algorithms_that_do_not_fit() {
    let mut world = World::new();
    for (kic, kid) in [
        (0x13, 0x12),
        (0x16, 0x12),
        (0x17, 0x12),
        (0x1A, 0x12),
        (0x1B, 0x12),
        (0x1D, 0x12),
        (0x1E, 0x12),
        (0x1F, 0x12),
        (0x12, 0x13),
        (0x12, 0x1F),
        (0x15, 0x15),
        (0x11, 0x11),
    ] {
        let mut packet = world.packet(b"hello".to_vec());
        packet[5] = kic;
        packet[6] = kid;
        let por = world.refused(&packet).unwrap();
        assert_eq!(
            bare_status(&por),
            ResponseStatus::SECURITY_ERROR,
            "{kic:02X} {kid:02X}"
        );
    }
}

#[test]
fn case_11_a_redundancy_check_is_no_checksum() {
    let mut world = World::new();
    for kid in [0x11, 0x15, 0x25] {
        let packet = forged([0x15, 0x39], 0x12, kid, Tar::MID, &[0; 4 + 10]);
        if let Some(por) = world.refused(&packet) {
            assert_eq!(
                bare_status(&por),
                ResponseStatus::INSUFFICIENT_SECURITY_LEVEL
            );
        }
    }
}

#[test]
fn case_12_a_checksum_shorter_than_the_key_set_has() {
    let mut world = World::new();
    let keys = world.key_set();
    let secret = keys.kid.secret().clone();
    let short = KeySet {
        kid: IntegrityKey::new(IntegrityAlgorithm::AesCmac, secret, 4).unwrap(),
        ..keys
    };
    let packet = world.command(b"hello".to_vec()).seal(&short).unwrap();
    let por = world.refused(&packet).unwrap();
    assert_eq!(bare_status(&por), ResponseStatus::SECURITY_ERROR);
}

//! Looks for the weaknesses for which SIM cards were attacked, the way a scanner does: messages in, answers out.
//!
//! Some need no key; for the others the one who scans is the operator and has the keys of the card. A fresh card is taken for
//! each probe, so that none depends on the one before.

mod probe;

use std::fmt;

use ota_wire::ids::{Cntr, Tar};
use ota_wire::packet::{Command as Packet, ResponseStatus, ResponseView, Spi};

use crate::card_manager::registry::ota_key_sets;
use crate::uicc::Uicc;

pub(crate) use probe::Probe;

/// A weakness that was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// A stranger gets an error signed with single DES.
    SignsWithSingleDes {
        /// Version of the key set.
        version: u8,
    },
    /// A stranger gets an error signed with something better.
    SignsForStrangers {
        /// Version of the key set.
        version: u8,
    },
    /// An application takes packets with no protection at all.
    NoSecurityLevel {
        /// The application.
        tar: Tar,
    },
    /// An application takes packets whose counter nobody looks at.
    NoCounter {
        /// The application.
        tar: Tar,
    },
    /// An application takes packets that are ciphered but have no checksum.
    CipherWithoutChecksum {
        /// The application.
        tar: Tar,
    },
    /// An error shows what a stranger's octets decipher to.
    DecryptionOracle {
        /// Version of the key set.
        version: u8,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SignsWithSingleDes { version } => write!(
                f,
                "key set {version}: errors are signed with single DES for everybody"
            ),
            Self::SignsForStrangers { version } => {
                write!(f, "key set {version}: errors are signed for everybody")
            }
            Self::NoSecurityLevel { tar } => {
                write!(f, "TAR {tar}: unprotected packets are taken")
            }
            Self::NoCounter { tar } => {
                write!(
                    f,
                    "TAR {tar}: packets without a counter are taken, again and again"
                )
            }
            Self::CipherWithoutChecksum { tar } => {
                write!(
                    f,
                    "TAR {tar}: ciphered packets without a checksum are taken"
                )
            }
            Self::DecryptionOracle { version } => {
                write!(f, "key set {version}: errors show what octets decipher to")
            }
        }
    }
}

/// TARs that are probed besides this card's: those of TS 101 220 annex D that cards have, and the browsers that were attacked.
const TARS: [Tar; 10] = [
    Tar([0x00, 0x00, 0x00]),
    Tar([0x00, 0x00, 0x01]),
    Tar(*b"MID"),
    Tar(*b"PSH"),
    Tar(*b"S@T"),
    Tar([0xB0, 0x00, 0x00]),
    Tar([0xB0, 0x00, 0x01]),
    Tar([0xB0, 0x00, 0x10]),
    Tar([0xB0, 0x00, 0x11]),
    Tar([0xBF, 0xFF, 0x00]),
];

/// KIc and KID nibbles: single DES, triple DES with two keys and with three, AES.
const ALGORITHMS: [u8; 4] = [0x1, 0x5, 0x9, 0x2];

/// Everything that is found on cards that `fresh` makes.
pub fn scan(fresh: impl Fn() -> Uicc) -> Vec<Finding> {
    let mut tars = TARS.to_vec();
    let own = fresh();
    tars.extend(own.profile.applications.iter().map(|it| it.tar));
    tars.sort_unstable_by_key(|tar| tar.0);
    tars.dedup();
    let mut found = Vec::new();
    for tar in tars.iter().filter(|tar| answers(&fresh, **tar)) {
        found.extend(signed_or_deciphered(&fresh, *tar));
    }
    for tar in tars {
        let takes = |spi| accepted(&fresh, tar, spi);
        let level = [
            (0x00, Finding::NoSecurityLevel { tar }),
            (0x06, Finding::NoCounter { tar }),
            (0x14, Finding::CipherWithoutChecksum { tar }),
        ];
        found.extend(
            level
                .into_iter()
                .filter(|(spi, _)| takes(*spi))
                .map(|(_, finding)| finding),
        );
    }
    found.sort();
    found.dedup();
    found
}

/// What an application tells a stranger with each key set and algorithm.
fn signed_or_deciphered(fresh: &impl Fn() -> Uicc, tar: Tar) -> Vec<Finding> {
    let mut found = Vec::new();
    for version in 1..=15 {
        for nibble in ALGORITHMS {
            let octet = version << 4 | nibble;
            // CC, ciphered, counter; PoR always, with CC.
            if forged(fresh, tar, [0x16, 0x09], octet).is_some_and(|por| is_signed(&por)) {
                found.push(match nibble {
                    0x1 => Finding::SignsWithSingleDes { version },
                    _ => Finding::SignsForStrangers { version },
                });
            }
            // The same, PoR bare: its CNTR is that of the packet, ciphered by nobody.
            if let Some(por) = forged(fresh, tar, [0x16, 0x01], octet)
                && bare(&por).is_some_and(|(cntr, _)| cntr != Cntr::default())
            {
                found.push(Finding::DecryptionOracle { version });
            }
        }
    }
    found
}

/// Whether there is an application with this TAR that says anything to a stranger.
fn answers(fresh: &impl Fn() -> Uicc, tar: Tar) -> bool {
    let por = forged(fresh, tar, [0x00, 0x01], 0x00);
    por.and_then(|por| bare(&por))
        .is_some_and(|(_, status)| status != ResponseStatus::TAR_UNKNOWN)
}

/// The PoR to a packet that nobody with a key has made.
fn forged(fresh: &impl Fn() -> Uicc, tar: Tar, spi: [u8; 2], key_octet: u8) -> Option<Vec<u8>> {
    const CC: u8 = 0x02;
    let checksum = if spi[0] & CC == 0 { 0 } else { 8 };
    let mut packet = vec![0x00, 0x00, 13 + checksum];
    packet.extend(spi);
    packet.extend([key_octet, key_octet]);
    packet.extend(tar.0);
    // CNTR, PCNTR, CC and data: whole blocks of either kind of cipher.
    packet.extend((0..48_u8).map(|octet| octet.wrapping_mul(37) ^ 0x5A));
    let cpl = (packet.len() - 2) as u16;
    packet[..2].copy_from_slice(&cpl.to_be_bytes());
    Probe::new(fresh()).por_to(&packet)
}

/// Whether a packet that the operator makes with this first octet of SPI is taken.
fn accepted(fresh: &impl Fn() -> Uicc, tar: Tar, spi: u8) -> bool {
    let card = fresh();
    let keys = ota_key_sets(&card.profile, &card.subscriber.iccid, card.state());
    keys.iter().any(|set| {
        let packet = Packet {
            spi: Spi([spi, 0x01]),
            kic: set.kic_octet(),
            kid: set.kid_octet(),
            tar,
            cntr: Cntr::from_bytes([0, 0, 0, 0, 1]),
            // STATUS, which changes nothing.
            data: vec![0x80, 0xF2, 0x00, 0x0C, 0x00],
        };
        let por = packet
            .seal(set)
            .ok()
            .and_then(|packet| Probe::new(fresh()).por_to(&packet));
        por.and_then(|por| bare(&por)).map(|(_, status)| status) == Some(ResponseStatus::POR_OK)
    })
}

/// CNTR and status of a PoR that is not ciphered.
fn bare(por: &[u8]) -> Option<(Cntr, ResponseStatus)> {
    const STATUS: usize = 6;
    let body = ResponseView::new_checked(por).ok()?.body();
    let cntr = body.first_chunk().copied().map(Cntr::from_bytes)?;
    Some((cntr, ResponseStatus(*body.get(STATUS)?)))
}

/// Whether a PoR has a CC: RHL counts 18 octets, and those of the CC are not all zero.
fn is_signed(por: &[u8]) -> bool {
    const RHL: usize = 5;
    const CC: std::ops::Range<usize> = 16..24;
    por.get(RHL) == Some(&18)
        && por
            .get(CC)
            .is_some_and(|cc| cc.iter().any(|octet| *octet != 0))
}

#[cfg(test)]
mod tests;

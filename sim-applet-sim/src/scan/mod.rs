//! Looks for the weaknesses for which SIM cards were attacked, the way a scanner does: messages in, answers out.
//!
//! Whatever makes a profile weak ([`Profile::weaknesses`](crate::profile::Profile::weaknesses)) is found, on what its cards
//! answer alone. Some probes need no key; for the others the one who scans is the operator and has the keys of the card. A
//! fresh card is taken for each probe, so that none depends on the one before.

mod finding;
mod probe;

use ota_wire::ids::{Cntr, Tar};
use ota_wire::keys::KeySet;
use ota_wire::packet::{CipherAlgorithm, Command as Packet, ResponseStatus, ResponseView, Spi};

use crate::card_manager::registry::ota_key_sets;
use crate::profile::Weakness;
use crate::uicc::Uicc;

pub use finding::Finding;
pub(crate) use probe::Probe;

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

/// KIc and KID nibbles.
const ALGORITHMS: [(u8, CipherAlgorithm); 4] = [
    (0x1, CipherAlgorithm::Des),
    (0x5, CipherAlgorithm::TripleDes2),
    (0x9, CipherAlgorithm::TripleDes3),
    (0x2, CipherAlgorithm::Aes),
];

/// First octets of SPI. What is not left out on purpose is at its highest, so that no other minimum can be the reason why a
/// packet is refused.
mod spi {
    /// CC, ciphered, counter one higher.
    pub(super) const WHOLE: u8 = 0x1E;
    /// CC, counter one higher.
    pub(super) const CLEAR: u8 = 0x1A;
    /// CC, ciphered, counter there but not checked.
    pub(super) const UNCOUNTED: u8 = 0x0E;
    /// Without a CC, what a stranger can make first: nothing or an RC, then with a counter, ciphered, or both.
    pub(super) const UNCHECKED: [u8; 8] = [0x00, 0x01, 0x18, 0x19, 0x04, 0x05, 0x1C, 0x1D];
    pub(super) const CIPHERED: u8 = 0x04;
}

/// Second octets of SPI.
mod por {
    /// Always, bare.
    pub(super) const BARE: u8 = 0x01;
    /// Always, with CC.
    pub(super) const SIGNED: u8 = 0x09;
}

/// Everything that is found on cards that `fresh` makes, each weakness of each key set once.
pub fn scan(fresh: impl Fn() -> Uicc) -> Vec<Finding> {
    let own = fresh();
    let mut tars = TARS.to_vec();
    tars.extend(own.profile.applications.iter().map(|it| it.tar));
    tars.sort_unstable();
    tars.dedup();
    let scan = Scan {
        keys: ota_key_sets(&own.profile, &own.subscriber.iccid, own.state()),
        fresh,
    };
    let mut found = Vec::new();
    for tar in tars.into_iter().filter(|tar| scan.answers(*tar)) {
        found.extend(scan.unchecked(tar));
        found.extend(scan.in_clear(tar));
        found.extend(scan.again(tar));
        found.extend(scan.single_des(tar));
        found.extend(scan.careless_errors(tar));
    }
    found.sort_by_key(|finding| {
        (
            finding.weakness,
            finding.key_set.map(|(version, _)| version),
        )
    });
    found.dedup_by_key(|finding| {
        (
            finding.weakness,
            finding.key_set.map(|(version, _)| version),
        )
    });
    found
}

struct Scan<F> {
    fresh: F,
    /// The operator's keys of the card.
    keys: Vec<KeySet>,
}

impl<F: Fn() -> Uicc> Scan<F> {
    /// Whether there is an application with this TAR that says anything to a stranger.
    fn answers(&self, tar: Tar) -> bool {
        let (_, por) = self.forged(tar, [0x00, por::BARE], 0x00);
        let answer = por.as_deref().and_then(bare);
        answer.is_some_and(|(_, status)| status != ResponseStatus::TAR_UNKNOWN)
    }

    /// A packet without a checksum, the least protected that is taken.
    fn unchecked(&self, tar: Tar) -> Option<Finding> {
        let probes = spi::UNCHECKED
            .iter()
            .flat_map(|spi| self.keys.iter().map(move |set| (*spi, set)));
        let mut taken = probes.filter_map(|(spi, set)| {
            let packet = sealed(tar, spi, set)?;
            let por = Probe::new((self.fresh)()).taken(&packet)?;
            let keyed = spi & spi::CIPHERED != 0;
            Some(Finding {
                key_set: keyed.then(|| named(set)),
                ..finding(Weakness::NoChecksum { tar }, tar, set, packet, por)
            })
        });
        taken.next()
    }

    /// A packet that is complete but not ciphered.
    fn in_clear(&self, tar: Tar) -> Option<Finding> {
        self.keys.iter().find_map(|set| {
            let packet = sealed(tar, spi::CLEAR, set)?;
            let por = Probe::new((self.fresh)()).taken(&packet)?;
            Some(finding(
                Weakness::NoCiphering { tar },
                tar,
                set,
                packet,
                por,
            ))
        })
    }

    /// A packet that is complete but for its counter: whoever has heard it can send it again.
    fn again(&self, tar: Tar) -> Option<Finding> {
        self.keys.iter().find_map(|set| {
            let packet = sealed(tar, spi::UNCOUNTED, set)?;
            let mut probe = Probe::new((self.fresh)());
            probe.taken(&packet)?;
            let por = probe.taken(&packet)?;
            Some(finding(Weakness::NoCounter { tar }, tar, set, packet, por))
        })
    }

    /// A complete packet whose key can be found by trying.
    fn single_des(&self, tar: Tar) -> Option<Finding> {
        let weak = |set: &&KeySet| set.kic.algorithm() == CipherAlgorithm::Des;
        self.keys.iter().filter(weak).find_map(|set| {
            let packet = sealed(tar, spi::WHOLE, set)?;
            let por = Probe::new((self.fresh)()).taken(&packet)?;
            Some(finding(Weakness::SingleDes, tar, set, packet, por))
        })
    }

    /// What an application tells a stranger with each key set and algorithm.
    fn careless_errors(&self, tar: Tar) -> Vec<Finding> {
        let mut found = Vec::new();
        for version in 1..=15 {
            for (nibble, cipher) in ALGORITHMS {
                let octet = version << 4 | nibble;
                let finding = |weakness, packet, por| Finding {
                    weakness,
                    tar,
                    key_set: Some((version, cipher)),
                    packet,
                    por,
                };
                let (packet, Some(answer)) = self.forged(tar, [spi::WHOLE, por::SIGNED], octet)
                else {
                    continue;
                };
                if bare(&answer).is_some_and(|(_, status)| status == ResponseStatus::SECURITY_ERROR)
                {
                    // There is no such key set.
                    continue;
                }
                if is_signed(&answer) {
                    found.push(finding(Weakness::SignsErrors, packet, answer));
                }
                // The same, PoR bare: its CNTR is that of the packet, ciphered by nobody.
                if let (packet, Some(answer)) = self.forged(tar, [spi::WHOLE, por::BARE], octet)
                    && bare(&answer).is_some_and(|(cntr, _)| cntr != Cntr::default())
                {
                    found.push(finding(Weakness::DeciphersForStrangers, packet, answer));
                }
            }
        }
        found
    }

    /// A packet that nobody with a key has made, and the PoR to it.
    fn forged(&self, tar: Tar, spi: [u8; 2], key_octet: u8) -> (Vec<u8>, Option<Vec<u8>>) {
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
        let por = Probe::new((self.fresh)()).por_to(&packet);
        (packet, por)
    }
}

impl Probe {
    /// The PoR to a packet, if it says that the packet was taken.
    fn taken(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        let por = self.por_to(packet)?;
        let (_, status) = bare(&por)?;
        (status == ResponseStatus::POR_OK).then_some(por)
    }
}

/// A packet that the operator makes with this first octet of SPI, the first under its key set.
fn sealed(tar: Tar, spi: u8, set: &KeySet) -> Option<Vec<u8>> {
    const RC: u8 = 0x01;
    const CRC_32: u8 = 0x05;
    let kid = match spi & 0x03 {
        RC => set.version << 4 | CRC_32,
        _ => set.kid_octet(),
    };
    let packet = Packet {
        spi: Spi([spi, por::BARE]),
        kic: set.kic_octet(),
        kid,
        tar,
        cntr: Cntr::from_bytes([0, 0, 0, 0, 1]),
        // STATUS, which changes nothing.
        data: vec![0x80, 0xF2, 0x00, 0x0C, 0x00],
    };
    packet.seal(set).ok()
}

fn finding(weakness: Weakness, tar: Tar, set: &KeySet, packet: Vec<u8>, por: Vec<u8>) -> Finding {
    Finding {
        weakness,
        tar,
        key_set: Some(named(set)),
        packet,
        por,
    }
}

fn named(set: &KeySet) -> (u8, CipherAlgorithm) {
    (set.version, set.kic.algorithm())
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

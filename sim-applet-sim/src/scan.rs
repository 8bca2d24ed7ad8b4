//! Looks for the weaknesses for which SIM cards were attacked, the way a scanner does: messages in, answers out.
//!
//! Some need no key; for the others the one who scans is the operator and has the keys of the card. A fresh card is taken for
//! each probe, so that none depends on the one before.

use std::fmt;

use jiff::Timestamp;
use ota_wire::apdu::{Command, Ins};
use ota_wire::cat::tag;
use ota_wire::ids::{Cntr, Tar};
use ota_wire::packet::{Command as Packet, ResponseStatus, ResponseView, Spi};
use ota_wire::sms::address::Address;
use ota_wire::sms::concat::split;
use ota_wire::sms::scts::Scts;
use ota_wire::sms::tpdu::{Deliver, Submit};
use ota_wire::sms::udh::{Iei, Reference};
use ota_wire::tlv::{Ber, ComprehensionReader, Writer};

use crate::card_manager::registry::ota_key_sets;
use crate::uicc::Uicc;

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

/// A card in the hands of a terminal that passes short messages on.
pub(crate) struct Probe {
    pub(crate) card: Uicc,
    /// Answer to the last command: data, then status word.
    pub(crate) answer: Vec<u8>,
}

impl Probe {
    pub(crate) const fn new(card: Uicc) -> Self {
        Self {
            card,
            answer: Vec::new(),
        }
    }

    pub(crate) fn por_to(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        self.deliver(packet);
        self.por()
    }

    /// What a T=0 reader does by itself: fetches response data, or a proactive command.
    pub(crate) fn get(&mut self) {
        let [.., sw1, sw2] = *self.answer else { return };
        let next = match sw1 {
            0x61 => Command::new(0x00, Ins::GET_RESPONSE, 0, 0),
            0x9F => Command::new(0xA0, Ins::GET_RESPONSE, 0, 0),
            0x91 => Command::new(0x80, Ins::FETCH, 0, 0),
            _ => return,
        };
        let le = if sw2 == 0 { 256 } else { usize::from(sw2) };
        self.answer = self.card.transmit(&next.with_le(le).emit_t0());
    }

    /// One ENVELOPE (SMS-PP DOWNLOAD) for each part. The terminal has said before what it can do.
    pub(crate) fn deliver(&mut self, packet: &[u8]) {
        let profile = Command::new(0x80, Ins::TERMINAL_PROFILE, 0, 0).with_data([0xFF; 32]);
        self.card.transmit(&profile.emit_t0());
        let parts = split(packet, Reference::Eight(1), Some(Iei::COMMAND_PACKET));
        let sender = Address::short_code("8220");
        let (Ok(parts), Ok(sender)) = (parts, sender) else {
            return;
        };
        for part in parts {
            let deliver = Deliver::for_card(sender.clone(), Scts::utc(Timestamp::UNIX_EPOCH), part);
            let mut objects = Writer::new();
            objects.comprehension(tag::DEVICE_IDENTITIES, true, &[0x83, 0x81]);
            objects.comprehension(tag::SMS_TPDU, true, &deliver.emit());
            let mut envelope = Writer::new();
            envelope.ber(0xD1, &objects.into_bytes());
            let envelope = Command::new(0x80, Ins::ENVELOPE, 0, 0).with_data(envelope.into_bytes());
            self.answer = self.card.transmit(&envelope.emit_t0());
        }
    }

    /// The PoR that the last message led to: response data, or a message that is to be sent, which the terminal says it
    /// has sent.
    pub(crate) fn por(&mut self) -> Option<Vec<u8>> {
        let sw1 = *self.answer.first()?;
        if self.answer.len() != 2 || !matches!(sw1, 0x61 | 0x91) {
            return None;
        }
        self.get();
        let data = self.answer[..self.answer.len().saturating_sub(2)].to_vec();
        if sw1 == 0x61 {
            return Some(data);
        }
        let objects = Ber::read_all(&data).ok()?.value;
        let find = |wanted| {
            ComprehensionReader::new(objects)
                .filter_map(Result::ok)
                .find(|object| object.tag == wanted)
                .map(|object| object.value.to_vec())
        };
        let mut response = vec![0x81, 0x03];
        response.extend(find(tag::COMMAND_DETAILS)?);
        response.extend([0x82, 0x02, 0x82, 0x81, 0x83, 0x01, 0x00]);
        let submit = Submit::parse(&find(tag::SMS_TPDU)?).ok()?;
        let response = Command::new(0x80, Ins::TERMINAL_RESPONSE, 0, 0).with_data(response);
        self.answer = self.card.transmit(&response.emit_t0());
        Some(submit.user_data.to_octets())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ota_wire::keys::CipherKey;
    use ota_wire::packet::CipherAlgorithm;
    use ota_wire::secret::Secret;

    use super::*;
    use crate::card_manager::registry::StoredKeySet;
    use crate::profile::Profile;
    use crate::scenarios::card_of;
    use crate::state::CardState;
    use crate::testing::{master, network, subscriber};

    fn findings(profile: &str) -> Vec<Finding> {
        let card = card_of(profile);
        scan(|| card.another())
    }

    /// Findings on a card whose profile says this besides that of the default one.
    fn findings_with(profile: &str, state: impl Fn(&mut CardState)) -> Vec<Finding> {
        let text = format!("inherits = \"default\"\nname = \"other\"\n{profile}");
        let profile = Arc::new(Profile::parse(&text, master(), network()).unwrap());
        scan(|| {
            let mut fresh = CardState::fresh(&profile);
            state(&mut fresh);
            Uicc::new(profile.clone(), subscriber(), fresh)
        })
    }

    const SIGNATURE: &str =
        "[[application]]\nkind = \"signature\"\ntar = \"414243\"\nmsl = \"16\"\n";
    const SIGNS_ERRORS: &str = "[weak]\nsigns_errors = true\n";

    #[test]
    fn applications_with_tars_of_their_own_are_scanned() {
        let files = "[[application]]\nkind = \"remote-files\"\ntar = \"B00020\"\ndirectory = \"3F00\"\nmsl = ";
        let tar = Tar([0xB0, 0x00, 0x20]);
        let found = findings_with(&format!("{SIGNATURE}{files}\"00\""), |_| {});
        let expected = Finding::NoSecurityLevel { tar };
        assert!(found.contains(&expected), "{found:?}");
        let found = findings_with(&format!("{SIGNATURE}{files}\"16\""), |_| {});
        assert_eq!(found, []);
        let signs = [1, 2].map(|version| Finding::SignsForStrangers { version });
        let found = findings_with(&format!("{SIGNATURE}{SIGNS_ERRORS}"), |_| {});
        assert_eq!(found, signs);
    }

    #[test]
    fn errors_signed_with_three_keys_are_found() {
        let octets: Vec<u8> = (0..24).map(|octet| octet << 1).collect();
        let key = CipherKey::new(CipherAlgorithm::TripleDes3, Secret::new(octets)).unwrap();
        let keys = StoredKeySet {
            version: 4,
            instead_of: 0,
            counter: Cntr::default(),
            keys: [key.clone(), key.clone(), key],
        };
        let add = |state: &mut CardState| {
            state.domain.get_or_insert_default().keys = vec![keys.clone()];
        };
        assert_eq!(findings_with("", add), []);
        let found = findings_with(SIGNS_ERRORS, add);
        let expected = [1, 2, 4].map(|version| Finding::SignsForStrangers { version });
        assert_eq!(found, expected);
    }

    const FILES: Tar = Tar([0xB0, 0x00, 0x00]);

    #[test]
    fn cards_that_are_to_be_trusted_show_nothing() {
        assert_eq!(findings("default"), []);
        assert_eq!(findings("lab"), []);
    }

    #[test]
    fn errors_signed_with_single_des_are_found() {
        let found = findings("weak/single-des");
        assert!(
            found.contains(&Finding::SignsWithSingleDes { version: 3 }),
            "{found:?}"
        );
        assert!(
            found.contains(&Finding::SignsForStrangers { version: 1 }),
            "{found:?}"
        );
        assert!(
            !found
                .iter()
                .any(|it| matches!(it, Finding::NoSecurityLevel { .. }))
        );
    }

    #[test]
    fn security_level_zero_is_found() {
        let found = findings("weak/no-level");
        assert!(
            found.contains(&Finding::NoSecurityLevel { tar: FILES }),
            "{found:?}"
        );
        assert!(!found.contains(&Finding::NoSecurityLevel { tar: Tar::MID }));
    }

    #[test]
    fn a_missing_counter_is_found() {
        assert_eq!(
            findings("weak/no-counter"),
            [Finding::NoCounter { tar: FILES }]
        );
    }

    #[test]
    fn a_cipher_without_checksum_is_found() {
        let expected = Finding::CipherWithoutChecksum { tar: FILES };
        assert_eq!(findings("weak/cipher-without-checksum"), [expected]);
    }

    #[test]
    fn a_decryption_oracle_is_found() {
        assert_eq!(
            findings("weak/oracle"),
            [Finding::DecryptionOracle { version: 1 }]
        );
    }
}

//! The algorithms that KIc and KID name (TS 102 225 §5.1.2 and §5.1.3).

use super::{Integrity, Spi};
use crate::keys::KeySet;

/// How a packet is ciphered: low nibble of KIc. All run in CBC mode from a zero IV.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CipherAlgorithm {
    /// Not ciphered.
    None,
    /// Single DES. Broken; a receiver takes it only when its policy says so.
    Des,
    /// Triple DES with two keys: K1, K2, K1.
    TripleDes2,
    /// Triple DES with three keys.
    TripleDes3,
    /// AES with a key of 16, 24 or 32 octets.
    Aes,
}

impl CipherAlgorithm {
    const NIBBLES: [(u8, Self); 4] = [
        (0x1, Self::Des),
        (0x5, Self::TripleDes2),
        (0x9, Self::TripleDes3),
        (0x2, Self::Aes),
    ];

    /// What the low nibble of a KIc octet names; `None` for 0 (implicit) and for what is reserved, proprietary or
    /// withdrawn (DES-ECB).
    pub fn from_kic(kic: u8) -> Option<Self> {
        Self::NIBBLES
            .iter()
            .find(|(nibble, _)| *nibble == kic & 0x0F)
            .map(|(_, algorithm)| *algorithm)
    }

    /// Low nibble of KIc; 0 for no ciphering.
    pub fn nibble(self) -> u8 {
        Self::NIBBLES
            .iter()
            .find(|(_, algorithm)| *algorithm == self)
            .map_or(0, |(nibble, _)| *nibble)
    }

    /// Octets of a block; 1 when not ciphered, so that nothing needs padding.
    pub fn block_len(self) -> usize {
        match self {
            Self::None => 1,
            Self::Des | Self::TripleDes2 | Self::TripleDes3 => 8,
            Self::Aes => 16,
        }
    }

    /// Key lengths that fit, in octets.
    pub fn key_lengths(self) -> &'static [usize] {
        match self {
            Self::None => &[0],
            Self::Des => &[8],
            Self::TripleDes2 => &[16],
            Self::TripleDes3 => &[24],
            Self::Aes => &[16, 24, 32],
        }
    }
}

/// What guards a packet against change: SPI and the low nibble of KID together. The nibble alone is ambiguous: 5 is
/// CRC-32 for a redundancy check and triple DES for a cryptographic one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IntegrityAlgorithm {
    /// Nothing.
    None,
    /// CRC-16 of X.25: against accidents only.
    Crc16,
    /// CRC-32 of IEEE 802.3: against accidents only.
    Crc32,
    /// CBC-MAC with single DES. Broken; a receiver takes it only when its policy says so.
    Des,
    /// CBC-MAC with triple DES and two keys.
    TripleDes2,
    /// CBC-MAC with triple DES and three keys.
    TripleDes3,
    /// AES-CMAC, cut to 8 or 4 octets.
    AesCmac,
}

impl IntegrityAlgorithm {
    const CC_NIBBLES: [(u8, Self); 4] = [
        (0x1, Self::Des),
        (0x5, Self::TripleDes2),
        (0x9, Self::TripleDes3),
        (0x2, Self::AesCmac),
    ];

    /// What the low nibble of KID names when SPI asks for a cryptographic checksum; `None` for 0 (implicit) and for
    /// what is reserved or proprietary.
    pub fn cc_from_kid(kid: u8) -> Option<Self> {
        Self::CC_NIBBLES
            .iter()
            .find(|(nibble, _)| *nibble == kid & 0x0F)
            .map(|(_, algorithm)| *algorithm)
    }

    /// What the low nibble of KID names when SPI asks for a redundancy check.
    pub fn rc_from_kid(kid: u8) -> Option<Self> {
        match kid & 0x0F {
            0x1 => Some(Self::Crc16),
            0x5 => Some(Self::Crc32),
            _ => None,
        }
    }

    /// Low nibble of KID; 0 for none.
    pub fn nibble(self) -> u8 {
        match self {
            Self::Crc16 => 0x1,
            Self::Crc32 => 0x5,
            _ => Self::CC_NIBBLES
                .iter()
                .find(|(_, algorithm)| *algorithm == self)
                .map_or(0, |(nibble, _)| *nibble),
        }
    }

    /// Key lengths that fit, in octets.
    pub fn key_lengths(self) -> &'static [usize] {
        match self {
            Self::None | Self::Crc16 | Self::Crc32 => &[0],
            Self::Des => &[8],
            Self::TripleDes2 => &[16],
            Self::TripleDes3 => &[24],
            Self::AesCmac => &[16, 24, 32],
        }
    }

    /// Lengths that the value in the packet may have, in octets.
    pub fn value_lengths(self) -> &'static [usize] {
        match self {
            Self::None => &[0],
            Self::Crc16 => &[2],
            Self::Crc32 => &[4],
            Self::Des | Self::TripleDes2 | Self::TripleDes3 => &[8],
            Self::AesCmac => &[8, 4],
        }
    }

    /// Whether a key is involved, so that a right value tells who sent the packet.
    pub fn is_keyed(self) -> bool {
        !matches!(self, Self::None | Self::Crc16 | Self::Crc32)
    }
}

/// Why SPI, KIc, KID and the key set do not go together. A card answers 06 to all of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlgorithmError {
    /// SPI asks for a digital signature, which no standard defines for SMS.
    #[error("SPI asks for a digital signature")]
    DigitalSignature,
    /// The key set has no key for what SPI asks, or there is no key set.
    #[error("no key for the {field} that SPI asks for")]
    NoKey {
        /// KIc or KID.
        field: &'static str,
    },
    /// The octet names another algorithm than the key set has.
    #[error("{field} {got:02X} names another algorithm than the key set has")]
    OtherAlgorithm {
        /// KIc or KID.
        field: &'static str,
        /// The octet.
        got: u8,
    },
    /// The octet names no algorithm known here: implicit where nothing is agreed, reserved, proprietary or withdrawn.
    #[error("{field} {got:02X} names no supported algorithm")]
    Unsupported {
        /// KIc or KID.
        field: &'static str,
        /// The octet.
        got: u8,
    },
}

/// How one packet is protected, agreed between its indicators and the key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Protection {
    pub(super) cipher: CipherAlgorithm,
    pub(super) integrity: IntegrityAlgorithm,
    /// Octets of RC/CC: by the algorithm and the key set, never by the packet.
    pub(super) tag_len: usize,
}

impl Protection {
    pub(super) const NONE: Self = Self {
        cipher: CipherAlgorithm::None,
        integrity: IntegrityAlgorithm::None,
        tag_len: 0,
    };

    pub(super) fn of_command(
        spi: Spi,
        kic: u8,
        kid: u8,
        keys: Option<&KeySet>,
    ) -> Result<Self, AlgorithmError> {
        Self::resolve(spi.integrity(), spi.ciphered(), kic, kid, keys)
    }

    pub(super) fn of_response(
        spi: Spi,
        kic: u8,
        kid: u8,
        keys: Option<&KeySet>,
    ) -> Result<Self, AlgorithmError> {
        Self::resolve(spi.por_integrity(), spi.por_ciphered(), kic, kid, keys)
    }

    fn resolve(
        integrity: Integrity,
        ciphered: bool,
        kic: u8,
        kid: u8,
        keys: Option<&KeySet>,
    ) -> Result<Self, AlgorithmError> {
        let (integrity, tag_len) = match integrity {
            Integrity::None => (IntegrityAlgorithm::None, 0),
            Integrity::Rc => match IntegrityAlgorithm::rc_from_kid(kid) {
                Some(IntegrityAlgorithm::Crc16) => (IntegrityAlgorithm::Crc16, 2),
                Some(algorithm) => (algorithm, 4),
                None => {
                    return Err(AlgorithmError::Unsupported {
                        field: "KID",
                        got: kid,
                    });
                }
            },
            Integrity::Cc => {
                let key = keys
                    .map(|keys| &keys.kid)
                    .filter(|key| key.algorithm().is_keyed());
                let key = key.ok_or(AlgorithmError::NoKey { field: "KID" })?;
                check_nibble(
                    "KID",
                    kid,
                    IntegrityAlgorithm::cc_from_kid(kid),
                    key.algorithm(),
                )?;
                (key.algorithm(), key.cc_len())
            }
            Integrity::Ds => return Err(AlgorithmError::DigitalSignature),
        };
        let cipher = if ciphered {
            let key = keys
                .map(|keys| &keys.kic)
                .filter(|key| key.algorithm() != CipherAlgorithm::None);
            let key = key.ok_or(AlgorithmError::NoKey { field: "KIc" })?;
            check_nibble("KIc", kic, CipherAlgorithm::from_kic(kic), key.algorithm())?;
            key.algorithm()
        } else {
            CipherAlgorithm::None
        };
        Ok(Self {
            cipher,
            integrity,
            tag_len,
        })
    }

    pub(super) fn uses_single_des(self) -> bool {
        self.cipher == CipherAlgorithm::Des || self.integrity == IntegrityAlgorithm::Des
    }

    /// Octets of padding behind a ciphered part of `len` octets.
    pub(super) fn padding(self, len: usize) -> usize {
        len.next_multiple_of(self.cipher.block_len()) - len
    }
}

/// A zero low nibble means the algorithm both sides have agreed on: the one of the key set.
fn check_nibble<A: PartialEq>(
    field: &'static str,
    got: u8,
    named: Option<A>,
    agreed: A,
) -> Result<(), AlgorithmError> {
    match named {
        None if got & 0x0F == 0 => Ok(()),
        None => Err(AlgorithmError::Unsupported { field, got }),
        Some(algorithm) if algorithm == agreed => Ok(()),
        Some(_) => Err(AlgorithmError::OtherAlgorithm { field, got }),
    }
}

//! The algorithms that KIc and KID name (TS 102 225 §5.1.2 and §5.1.3).

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

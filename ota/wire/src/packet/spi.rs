//! The security parameter indicator (TS 102 225 §5.1.1; bit 6 of the second octet: TS 31.115 §4.2).

use std::fmt;

use serde::{Deserialize, Serialize};

/// SPI: how the command is protected, and what answer is wanted. Reserved bits are kept and ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Spi(pub [u8; 2]);

impl Spi {
    /// What midsim's platform sends: CC, ciphered, counter higher; PoR on errors only, by SMS-SUBMIT, ciphered and with
    /// CC.
    pub const MT: Self = Self([0x16, 0x3A]);

    /// How the command is guarded against change.
    pub fn integrity(self) -> Integrity {
        Integrity::from_bits(self.0[0])
    }

    /// Whether the command is ciphered.
    pub fn ciphered(self) -> bool {
        self.0[0] & 0x04 != 0
    }

    /// What the card does with CNTR.
    pub fn counter_mode(self) -> CounterMode {
        match self.0[0] >> 3 & 0x03 {
            0 => CounterMode::None,
            1 => CounterMode::Unchecked,
            2 => CounterMode::Higher,
            _ => CounterMode::OneHigher,
        }
    }

    /// When a PoR is wanted.
    pub fn por(self) -> PorMode {
        match self.0[1] & 0x03 {
            0 => PorMode::Never,
            1 => PorMode::Always,
            2 => PorMode::OnError,
            _ => PorMode::Reserved,
        }
    }

    /// How the PoR is to be guarded against change.
    pub fn por_integrity(self) -> Integrity {
        Integrity::from_bits(self.0[1] >> 2)
    }

    /// Whether the PoR is to be ciphered.
    pub fn por_ciphered(self) -> bool {
        self.0[1] & 0x10 != 0
    }

    /// Whether the PoR goes by SMS-SUBMIT instead of the SMS-DELIVER-REPORT.
    pub fn por_by_submit(self) -> bool {
        self.0[1] & 0x20 != 0
    }

    /// Version of the key set that a command with this KIc and KID comes under; `None` where they name two.
    ///
    /// Each octet names the set of one key (TS 102 225 §5.1.2, §5.1.3), so KIc counts where the command is ciphered and
    /// KID where it has a CC. With no key at all KID says whose counter CNTR is. 0 is a version like any other.
    pub fn key_set(self, kic: u8, kid: u8) -> Option<u8> {
        named(self.integrity(), self.ciphered(), kic, kid)
    }

    /// The same for the PoR.
    pub fn por_key_set(self, kic: u8, kid: u8) -> Option<u8> {
        named(self.por_integrity(), self.por_ciphered(), kic, kid)
    }

    /// Whether the command is protected at least as `msl` says: a minimum security level of TS 102 226 §8.2.1.3.2.4,
    /// coded as the first octet of SPI. Integrity, ciphering and counter are compared one by one.
    pub fn meets(self, msl: u8) -> bool {
        let fields = |octet: u8| [octet & 0x03, octet & 0x04, octet & 0x18];
        fields(self.0[0])
            .iter()
            .zip(fields(msl))
            .all(|(got, least)| *got >= least)
    }

    /// Whether the protection asked for the PoR, if one is wanted, is one that the command has too. Otherwise the card
    /// would sign or cipher for somebody who showed no key.
    pub fn por_fits_command(self) -> bool {
        let unwanted = !matches!(self.por(), PorMode::Always | PorMode::OnError);
        let integrity = self.por_integrity();
        unwanted
            || (integrity == Integrity::None || integrity == self.integrity())
                && (!self.por_ciphered() || self.ciphered())
    }
}

fn named(integrity: Integrity, ciphered: bool, kic: u8, kid: u8) -> Option<u8> {
    match (integrity == Integrity::Cc, ciphered) {
        (true, true) if kic >> 4 != kid >> 4 => None,
        (false, true) => Some(kic >> 4),
        _ => Some(kid >> 4),
    }
}

impl fmt::Display for Spi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02X} {:02X}", self.0[0], self.0[1])
    }
}

/// Two bits of SPI: the kind of check over a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Integrity {
    /// No check.
    None,
    /// Redundancy check: no key.
    Rc,
    /// Cryptographic checksum.
    Cc,
    /// Digital signature: reserved, never supported.
    Ds,
}

impl Integrity {
    fn from_bits(octet: u8) -> Self {
        match octet & 0x03 {
            0 => Self::None,
            1 => Self::Rc,
            2 => Self::Cc,
            _ => Self::Ds,
        }
    }
}

/// Bits 5 and 4 of the first octet of SPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CounterMode {
    /// CNTR is there but means nothing.
    None,
    /// CNTR means something to the application, the card does not check it.
    Unchecked,
    /// CNTR must be above the stored one.
    Higher,
    /// CNTR must be the stored one plus one.
    OneHigher,
}

impl CounterMode {
    /// Whether the card compares and stores.
    pub fn is_checked(self) -> bool {
        matches!(self, Self::Higher | Self::OneHigher)
    }
}

/// Bits 2 and 1 of the second octet of SPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PorMode {
    /// No PoR.
    Never,
    /// PoR for every command.
    Always,
    /// PoR only for a command that failed.
    OnError,
    /// Not defined; treated as no PoR.
    Reserved,
}

//! TP-DCS, the data coding scheme: TS 23.038 §4.
//!
//! One octet says three unrelated things: how the user data is coded, how TP-UDL counts it, and which class the
//! message has. Class 2 means "for the (U)SIM"; several octets say so, hence decisions ask [`Dcs::class`] and never
//! compare with `F6`.

use std::fmt;

/// TP-Data-Coding-Scheme. Every octet is a value; reserved ones are kept and reported as [`Alphabet::Reserved`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dcs(pub u8);

impl Dcs {
    /// GSM 7-bit text without a class.
    pub const TEXT: Self = Self(0x00);
    /// 8-bit data without a class.
    pub const DATA: Self = Self(0x04);
    /// UCS2 text without a class.
    pub const UCS2: Self = Self(0x08);
    /// 8-bit data of class 2: commands to the card (TS 31.115 §4).
    pub const CLASS_2_DATA: Self = Self(0xF6);
    /// 8-bit data of class 3: answers that the card sends to the network.
    pub const CLASS_3_DATA: Self = Self(0xF7);

    /// How the characters are coded, whether compressed or not.
    #[must_use]
    pub const fn alphabet(self) -> Alphabet {
        match self.group() {
            Group::General => match self.0 >> 2 & 0b11 {
                0b00 => Alphabet::Gsm7,
                0b01 => Alphabet::Data,
                0b10 => Alphabet::Ucs2,
                _ => Alphabet::Reserved,
            },
            Group::Reserved => Alphabet::Reserved,
            Group::MessageWaiting { ucs2: true, .. } => Alphabet::Ucs2,
            Group::MessageWaiting { .. } => Alphabet::Gsm7,
            Group::DataAndClass if self.0 & 0b0100 != 0 => Alphabet::Data,
            Group::DataAndClass => Alphabet::Gsm7,
        }
    }

    /// The message class, if the octet carries one.
    #[must_use]
    pub const fn class(self) -> Option<Class> {
        let carries = match self.group() {
            Group::General => self.0 & 0b0001_0000 != 0,
            Group::DataAndClass => true,
            Group::Reserved | Group::MessageWaiting { .. } => false,
        };
        if !carries {
            return None;
        }
        Some(match self.0 & 0b11 {
            0 => Class::Flash,
            1 => Class::Me,
            2 => Class::Sim,
            _ => Class::Te,
        })
    }

    /// Whether the text is compressed (TS 23.042); TP-UDL then counts octets in every alphabet.
    #[must_use]
    pub const fn compressed(self) -> bool {
        matches!(self.group(), Group::General) && self.0 & 0b0010_0000 != 0
    }

    /// Whether the message is marked to be deleted after reading.
    #[must_use]
    pub const fn auto_delete(self) -> bool {
        self.0 >> 6 == 0b01
    }

    /// The message waiting indication of the groups `1100`, `1101` and `1110`.
    #[must_use]
    pub const fn message_waiting(self) -> Option<MessageWaiting> {
        match self.group() {
            Group::MessageWaiting { store, .. } => Some(MessageWaiting {
                store,
                active: self.0 & 0b1000 != 0,
                kind: self.0 & 0b11,
            }),
            _ => None,
        }
    }

    /// Whether TP-UDL counts septets. So it does for uncompressed 7-bit text, and for reserved codings, which a
    /// receiver is to take for 7-bit text.
    #[must_use]
    pub const fn counts_septets(self) -> bool {
        !self.compressed() && matches!(self.alphabet(), Alphabet::Gsm7 | Alphabet::Reserved)
    }

    const fn group(self) -> Group {
        match self.0 >> 4 {
            0x0..=0x7 => Group::General,
            0x8..=0xB => Group::Reserved,
            0xC => Group::MessageWaiting {
                store: false,
                ucs2: false,
            },
            0xD => Group::MessageWaiting {
                store: true,
                ucs2: false,
            },
            0xE => Group::MessageWaiting {
                store: true,
                ucs2: true,
            },
            _ => Group::DataAndClass,
        }
    }
}

impl fmt::Display for Dcs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02X} ({}", self.0, self.alphabet())?;
        if let Some(class) = self.class() {
            write!(f, ", class {}", class as u8)?;
        }
        if self.compressed() {
            f.write_str(", compressed")?;
        }
        f.write_str(")")
    }
}

/// The coding of the user data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alphabet {
    /// GSM 7-bit default alphabet.
    Gsm7,
    /// 8-bit data without an alphabet.
    Data,
    /// UCS2, in practice UTF-16BE.
    Ucs2,
    /// A coding that the specification has not assigned.
    Reserved,
}

impl fmt::Display for Alphabet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gsm7 => "7-bit",
            Self::Data => "8-bit",
            Self::Ucs2 => "UCS2",
            Self::Reserved => "reserved",
        })
    }
}

/// The message class: where a received message belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Class 0: shown at once.
    Flash = 0,
    /// Class 1: stored in the mobile equipment.
    Me = 1,
    /// Class 2: for the (U)SIM; with TP-PID 7F it goes to the toolkit.
    Sim = 2,
    /// Class 3: for the terminal equipment.
    Te = 3,
}

/// TS 23.038 §4, message waiting indication groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageWaiting {
    /// The message is to be stored; otherwise it may be discarded after the indication is taken.
    pub store: bool,
    /// The indication is to be switched on; otherwise off.
    pub active: bool,
    /// 0 voicemail, 1 fax, 2 electronic mail, 3 other.
    pub kind: u8,
}

#[derive(Clone, Copy)]
enum Group {
    General,
    Reserved,
    MessageWaiting { store: bool, ucs2: bool },
    DataAndClass,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_class_2() {
        let forms: Vec<u8> = (0..=0xFF)
            .filter(|&octet| Dcs(octet).class() == Some(Class::Sim))
            .collect();
        let general = (0x1..=0x7)
            .step_by(2)
            .flat_map(|group| [0x2, 0x6, 0xA, 0xE].map(|low| group << 4 | low));
        let expected: Vec<u8> = general.chain([0xF2, 0xF6, 0xFA, 0xFE]).collect();
        assert_eq!(forms, expected);
    }

    #[test]
    fn the_two_of_the_chain() {
        assert_eq!(Dcs::CLASS_2_DATA.class(), Some(Class::Sim));
        assert_eq!(Dcs::CLASS_2_DATA.alphabet(), Alphabet::Data);
        assert_eq!(Dcs::CLASS_3_DATA.class(), Some(Class::Te));
        assert!(!Dcs::CLASS_3_DATA.counts_septets());
        assert_eq!(Dcs::CLASS_2_DATA.to_string(), "F6 (8-bit, class 2)");
    }

    #[test]
    fn compression_makes_udl_count_octets() {
        assert!(Dcs(0x00).counts_septets());
        assert!(!Dcs(0x20).counts_septets());
        assert!(Dcs(0x80).counts_septets());
    }

    #[test]
    fn message_waiting_is_read_only_in_its_groups() {
        let voicemail_on = MessageWaiting {
            store: true,
            active: true,
            kind: 0,
        };
        assert_eq!(Dcs(0xD8).message_waiting(), Some(voicemail_on));
        assert_eq!(Dcs(0xE8).alphabet(), Alphabet::Ucs2);
        assert_eq!(Dcs(0xF8).message_waiting(), None);
        assert_eq!(Dcs(0x40).message_waiting(), None);
    }
}

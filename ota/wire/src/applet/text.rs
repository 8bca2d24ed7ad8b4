//! The text to show: GSM 7-bit where it fits (TS 23.038 §6.2.1), UCS2 else.

use std::fmt;

use crate::sms::gsm7;

/// Text in one of the two alphabets of the applet protocol, with its length fields.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Text {
    alphabet: TextAlphabet,
    udl: u8,
    octets: Vec<u8>,
}

/// Alphabet of a [`Text`]; the value is the DCS octet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TextAlphabet {
    /// GSM 7-bit default alphabet with its extension table, packed.
    Gsm7 = 0x00,
    /// UTF-16, big-endian.
    Ucs2 = 0x08,
}

impl TextAlphabet {
    /// Most characters: septets (an extension character takes two), or 16-bit code units.
    pub fn max(self) -> usize {
        match self {
            Self::Gsm7 => 239,
            Self::Ucs2 => 119,
        }
    }
}

impl Text {
    /// Picks GSM 7-bit if it has every character, UCS2 else.
    pub fn encode(text: &str) -> Result<Self, TextError> {
        let alphabet = if gsm7::septets(text).is_some() {
            TextAlphabet::Gsm7
        } else {
            TextAlphabet::Ucs2
        };
        let (got, octets) = match gsm7::encode(text) {
            Ok(septets) => (septets.len(), gsm7::pack(&septets, 0)),
            Err(_) => {
                let octets: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
                (octets.len() / 2, octets)
            }
        };
        let max = alphabet.max();
        if got > max {
            return Err(TextError { max, got, alphabet });
        }
        let udl = match alphabet {
            TextAlphabet::Gsm7 => got,
            TextAlphabet::Ucs2 => octets.len(),
        };
        Ok(Self {
            alphabet,
            udl: udl as u8,
            octets,
        })
    }

    /// Octets that `udl` announces, or why it cannot.
    pub(super) fn octets_announced(alphabet: TextAlphabet, udl: u8) -> Result<usize, TextError> {
        let udl = usize::from(udl);
        let (got, octets) = match alphabet {
            TextAlphabet::Gsm7 => (udl, gsm7::packed_len(udl, 0)),
            TextAlphabet::Ucs2 => (udl.div_ceil(2), udl),
        };
        let max = alphabet.max();
        if got > max {
            Err(TextError { max, got, alphabet })
        } else {
            Ok(octets)
        }
    }

    /// From fields whose lengths have been checked by [`Text::octets_announced`].
    pub(super) fn from_fields(alphabet: TextAlphabet, udl: u8, octets: &[u8]) -> Self {
        Self {
            alphabet,
            udl,
            octets: octets.to_vec(),
        }
    }

    /// The DCS octet: 00 or 08.
    pub fn dcs(&self) -> u8 {
        self.alphabet as u8
    }

    /// The alphabet.
    pub fn alphabet(&self) -> TextAlphabet {
        self.alphabet
    }

    /// The TUDL octet: septets for GSM 7-bit, octets for UCS2.
    pub fn udl(&self) -> u8 {
        self.udl
    }

    /// The text as it travels.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }
}

impl fmt::Display for Text {
    /// What a person reads; unpaired surrogates show as U+FFFD.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.alphabet {
            TextAlphabet::Gsm7 => {
                let septets =
                    gsm7::unpack(&self.octets, 0, usize::from(self.udl)).unwrap_or_default();
                f.write_str(&gsm7::decode(&septets))
            }
            TextAlphabet::Ucs2 => {
                let units = self
                    .octets
                    .chunks_exact(2)
                    .map(|unit| u16::from_be_bytes([unit[0], unit[1]]));
                f.write_str(
                    &char::decode_utf16(units)
                        .map(|c| c.unwrap_or('\u{FFFD}'))
                        .collect::<String>(),
                )
            }
        }
    }
}

/// A text is too long for the alphabet it needs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("text of {got} characters, {alphabet:?} allows {max}")]
pub struct TextError {
    /// Most characters of the alphabet.
    pub max: usize,
    /// Characters of the text, counted as in [`TextAlphabet::max`].
    pub got: usize,
    /// The alphabet it needs.
    pub alphabet: TextAlphabet,
}

//! TS 102 223 §8.15 (text string) and §8.2 (alpha identifier, coded as in TS 102 221 Annex A).

use core::fmt;

use crate::sms::gsm7;

/// Data coding scheme of a text string. Others survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Coding(pub u8);

impl Coding {
    /// GSM 7-bit default alphabet, packed as in an SMS.
    pub const PACKED: Self = Self(0x00);
    /// GSM default alphabet, one character an octet.
    pub const EIGHT_BIT: Self = Self(0x04);
    /// UCS2.
    pub const UCS2: Self = Self(0x08);
}

/// The value of a text string object: a coding octet and text, or nothing at all (the null string).
#[derive(Clone, PartialEq, Eq, Default)]
pub struct TextString(Vec<u8>);

impl TextString {
    /// The null string: an object without octets.
    pub const fn null() -> Self {
        Self(Vec::new())
    }

    /// The text in the 8-bit default alphabet if that has all its characters, else in UCS2.
    pub fn encode(text: &str) -> Self {
        Self::eight_bit(text).unwrap_or_else(|| Self::ucs2(text))
    }

    /// The text in the default alphabet, one octet a character (two for those of the extension table).
    pub fn eight_bit(text: &str) -> Option<Self> {
        Some(Self::with_coding(
            Coding::EIGHT_BIT,
            &gsm7::encode(text).ok()?,
        ))
    }

    /// The text in the default alphabet, packed.
    ///
    /// A packed text string does not say how many septets it holds: seven spare bits at its end look like one more
    /// `@`. Seven spare bits are therefore filled with a carriage return (TS 23.038 §6.1.2.3.1), and a text that
    /// itself ends in `@` or a carriage return at such a place is refused, like characters outside the alphabet.
    pub fn packed(text: &str) -> Option<Self> {
        let mut septets = gsm7::encode(text).ok()?;
        if septets.len().is_multiple_of(8) && septets.last().is_some_and(|last| is_filler(*last)) {
            return None;
        }
        if septets.len() % 8 == 7 {
            septets.push(CARRIAGE_RETURN);
        }
        Some(Self::with_coding(Coding::PACKED, &gsm7::pack(&septets, 0)))
    }

    /// The text in UCS2 (UTF-16, most significant octet first).
    pub fn ucs2(text: &str) -> Self {
        let octets: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        Self::with_coding(Coding::UCS2, &octets)
    }

    /// A value as it stands on the wire.
    pub fn from_value(value: impl Into<Vec<u8>>) -> Self {
        Self(value.into())
    }

    /// The value as it stands on the wire.
    pub fn value(&self) -> &[u8] {
        &self.0
    }

    /// The coding octet; `None` for the null string.
    pub fn coding(&self) -> Option<Coding> {
        self.0.first().copied().map(Coding)
    }

    /// The octets behind the coding octet.
    pub fn octets(&self) -> &[u8] {
        self.0.get(1..).unwrap_or_default()
    }

    /// Length as the response length counts it: characters of the alphabet, or UCS2 code units.
    pub fn chars(&self) -> usize {
        match self.coding() {
            None => 0,
            Some(Coding::PACKED) => unpack(self.octets()).len(),
            Some(Coding::UCS2) => self.octets().len() / 2,
            Some(_) => self.octets().len(),
        }
    }

    /// The text. Total: what cannot be read is shown as the replacement character.
    pub fn to_text(&self) -> String {
        match self.coding() {
            None => String::new(),
            Some(Coding::PACKED) => gsm7::decode(&unpack(self.octets())),
            Some(Coding::UCS2) => utf16(self.octets()),
            Some(_) => eight_bit_text(self.octets()),
        }
    }

    fn with_coding(coding: Coding, octets: &[u8]) -> Self {
        let mut value = Vec::with_capacity(1 + octets.len());
        value.push(coding.0);
        value.extend_from_slice(octets);
        Self(value)
    }
}

impl fmt::Debug for TextString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.coding() {
            None => f.write_str("TextString(null)"),
            Some(coding) => write!(f, "TextString({:02X}, {:?})", coding.0, self.to_text()),
        }
    }
}

/// The value of an alpha identifier or of a menu item's text.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Alpha(Vec<u8>);

impl Alpha {
    const UCS2: u8 = 0x80;
    const UCS2_HALF_PAGE: u8 = 0x81;
    const UCS2_BASE: u8 = 0x82;
    const FILLER: u8 = 0xFF;

    /// The text in the 8-bit default alphabet if that has all its characters, else in UCS2 behind `80`.
    pub fn encode(text: &str) -> Self {
        Self(gsm7::encode(text).unwrap_or_else(|_| {
            core::iter::once(Self::UCS2)
                .chain(text.encode_utf16().flat_map(u16::to_be_bytes))
                .collect()
        }))
    }

    /// A value as it stands on the wire.
    pub fn from_value(value: impl Into<Vec<u8>>) -> Self {
        Self(value.into())
    }

    /// The value as it stands on the wire.
    pub fn value(&self) -> &[u8] {
        &self.0
    }

    /// The text, filler at the end left out. Total.
    pub fn to_text(&self) -> String {
        match self.0.as_slice() {
            [Self::UCS2, units @ ..] => {
                // The filler comes in whole code units here: a last octet FF can belong to a character.
                let end = units
                    .chunks_exact(2)
                    .take_while(|unit| *unit != [Self::FILLER; 2])
                    .count();
                utf16(&units[..end * 2])
            }
            [Self::UCS2_HALF_PAGE, len, base, chars @ ..] => {
                half_page(*len, u16::from(*base) << 7, chars)
            }
            [Self::UCS2_BASE, len, high, low, chars @ ..] => {
                half_page(*len, u16::from_be_bytes([*high, *low]), chars)
            }
            octets => {
                let end = octets
                    .iter()
                    .position(|octet| *octet == Self::FILLER)
                    .unwrap_or(octets.len());
                eight_bit_text(&octets[..end])
            }
        }
    }
}

impl fmt::Debug for Alpha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Alpha({:?})", self.to_text())
    }
}

const CARRIAGE_RETURN: u8 = 0x0D;

/// A last septet that fills seven spare bits: zeros (which read as `@`) or a carriage return.
const fn is_filler(septet: u8) -> bool {
    septet == 0 || septet == CARRIAGE_RETURN
}

/// All septets of a packed text, without a last one that only fills spare bits.
pub(super) fn unpack(octets: &[u8]) -> Vec<u8> {
    let mut septets = gsm7::unpack(octets, 0, octets.len() * 8 / 7).unwrap_or_default();
    if septets.len().is_multiple_of(8) && septets.last().is_some_and(|last| is_filler(*last)) {
        septets.pop();
    }
    septets
}

fn eight_bit_text(octets: &[u8]) -> String {
    octets
        .split_inclusive(|octet| *octet > 0x7F)
        .map(|part| match part {
            [chars @ .., 0x80..=0xFF] => gsm7::decode(chars) + "\u{FFFD}",
            chars => gsm7::decode(chars),
        })
        .collect()
}

fn utf16(octets: &[u8]) -> String {
    let units = octets
        .chunks_exact(2)
        .map(|unit| u16::from_be_bytes([unit[0], unit[1]]));
    let mut text: String = char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    if octets.len() % 2 == 1 {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    text
}

/// Octets below 80 are of the default alphabet, the others count from `base`.
fn half_page(len: u8, base: u16, chars: &[u8]) -> String {
    chars
        .iter()
        .take(usize::from(len))
        .map(|octet| match octet {
            0..=0x7F => gsm7::decode(&[*octet]),
            _ => char::from_u32(u32::from(base) + u32::from(octet & 0x7F))
                .unwrap_or(char::REPLACEMENT_CHARACTER)
                .to_string(),
        })
        .collect()
}

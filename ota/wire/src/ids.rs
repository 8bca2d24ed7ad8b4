//! Identifiers of subscribers, cards and card applications: MSISDN and IMSI (3GPP TS 23.003), ICCID
//! (ITU-T E.118, 3GPP TS 31.102 and ETSI TS 102 221 for its file form), TAR (ETSI TS 101 220) and CNTR
//! (ETSI TS 102 225).
//!
//! All of them read and print text, and serialise as that text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::serial::parsed;

/// A subscriber's number in E.164 form: 1 to 15 digits, country code first, no `+`.
///
/// `FromStr` is lenient about how people write numbers: blanks, dashes, dots and parentheses are dropped, as are
/// one leading `tel:` and one leading `+` or `00`. Prints with `+`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Msisdn(Digits<{ Self::MAX_DIGITS }>);

impl Msisdn {
    /// Most digits an international number has (E.164 §6.2.1).
    pub const MAX_DIGITS: usize = 15;

    /// The digits, country code first, without `+`.
    pub fn digits(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for Msisdn {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let trimmed = text.trim();
        let number = match trimmed.get(..4) {
            Some(scheme) if scheme.eq_ignore_ascii_case("tel:") => &trimmed[4..],
            _ => trimmed,
        };
        let mut digits = String::with_capacity(number.len().min(Self::MAX_DIGITS + 2));
        let mut plus = false;
        for c in number.chars() {
            match c {
                '0'..='9' => digits.push(c),
                '+' if digits.is_empty() && !plus => plus = true,
                ' ' | '-' | '.' | '(' | ')' => {}
                got => {
                    return Err(IdError::Character {
                        kind: "MSISDN",
                        got,
                    });
                }
            }
        }
        if !plus && digits.starts_with("00") {
            digits.drain(..2);
        }
        check_length("MSISDN", digits.len(), 1, Self::MAX_DIGITS)?;
        Ok(Self(Digits::of(&digits)))
    }
}

impl fmt::Display for Msisdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.digits())
    }
}

/// A card's serial number: 18 to 20 digits, the last one a Luhn check digit (E.118 §4). The usual form has 19.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Iccid(Digits<{ Self::LENGTH.1 }>);

impl Iccid {
    /// Fewest and most digits, check digit included.
    const LENGTH: (usize, usize) = (18, 20);

    /// All digits, check digit included.
    pub fn digits(&self) -> &str {
        self.0.as_str()
    }

    /// Appends the Luhn check digit to `body` (17 to 19 digits).
    pub fn with_check_digit(body: &str) -> Result<Self, IdError> {
        check_digits("ICCID", body)?;
        // A trailing 0 puts the body's digits in the places they will have; the sum then lacks the check digit only.
        let with_zero = format!("{body}0");
        let check = (10 - luhn_sum(&with_zero) % 10) % 10;
        format!("{body}{check}").parse()
    }

    /// Contents of EF.ICCID (TS 102 221 §13.2): digits in swapped nibbles, F in those left over.
    pub fn to_ef(&self) -> [u8; 10] {
        let mut ef = [0xFF; 10];
        for (i, digit) in self.digits().bytes().enumerate() {
            put_nibble(&mut ef, i, digit - b'0');
        }
        ef
    }

    /// Reads EF.ICCID; digits end at the first F.
    pub fn from_ef(ef: &[u8; 10]) -> Result<Self, IdError> {
        let nibbles = ef.iter().flat_map(|octet| [octet & 0x0F, octet >> 4]);
        let mut digits = String::with_capacity(20);
        let mut ended = false;
        for nibble in nibbles {
            match nibble {
                0..=9 if !ended => digits.push(char::from(b'0' + nibble)),
                0x0F => ended = true,
                _ => {
                    return Err(IdError::Nibble {
                        kind: "ICCID",
                        got: nibble,
                    });
                }
            }
        }
        digits.parse()
    }
}

impl FromStr for Iccid {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        check_digits("ICCID", text)?;
        check_length("ICCID", text.len(), Self::LENGTH.0, Self::LENGTH.1)?;
        if !luhn_sum(text).is_multiple_of(10) {
            return Err(IdError::CheckDigit { got: text.into() });
        }
        Ok(Self(Digits::of(text)))
    }
}

impl fmt::Display for Iccid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.digits())
    }
}

/// A subscription's identity in the network: 6 to 15 digits (TS 23.003 §2.2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Imsi(Digits<{ Self::LENGTH.1 }>);

impl Imsi {
    /// Fewest and most digits.
    const LENGTH: (usize, usize) = (6, 15);

    /// The digits, MCC first.
    pub fn digits(&self) -> &str {
        self.0.as_str()
    }

    /// Contents of EF.IMSI (TS 31.102 §4.2.2): a length octet, then the identity as in TS 24.008 §10.5.1.4, whose first
    /// nibble holds the type (1) and the parity of the digit count.
    pub fn to_ef(&self) -> [u8; 9] {
        let mut ef = [0xFF; 9];
        let digits = self.digits().as_bytes();
        let odd = digits.len() % 2;
        ef[0] = (digits.len() / 2 + 1) as u8;
        put_nibble(&mut ef[1..], 0, 1 | (odd as u8) << 3);
        for (i, digit) in digits.iter().enumerate() {
            put_nibble(&mut ef[1..], i + 1, digit - b'0');
        }
        ef
    }
}

impl FromStr for Imsi {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        check_digits("IMSI", text)?;
        check_length("IMSI", text.len(), Self::LENGTH.0, Self::LENGTH.1)?;
        Ok(Self(Digits::of(text)))
    }
}

impl fmt::Display for Imsi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.digits())
    }
}

/// Toolkit application reference: names the application on the card (TS 101 220 §6 and annex D). Text form: six
/// hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tar(pub [u8; 3]);

impl Tar {
    /// The signature applet of midsim: "MID" in ASCII, in the range free for issuers' applications.
    pub const MID: Self = Self(*b"MID");
}

impl FromStr for Tar {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        parse_hex("TAR", text).map(Self)
    }
}

impl fmt::Display for Tar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c] = self.0;
        write!(f, "{a:02X}{b:02X}{c:02X}")
    }
}

/// The replay counter of TS 102 225 §5.1.4: 40 bits. Text form: ten hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cntr(u64);

impl Cntr {
    /// The largest value. A stored counter that has reached it is blocked for good.
    pub const MAX: Self = Self(0xFF_FFFF_FFFF);

    /// `None` above 40 bits.
    pub const fn new(value: u64) -> Option<Self> {
        if value <= Self::MAX.0 {
            Some(Self(value))
        } else {
            None
        }
    }

    /// From the five octets on the wire.
    pub const fn from_bytes([a, b, c, d, e]: [u8; 5]) -> Self {
        Self(u64::from_be_bytes([0, 0, 0, a, b, c, d, e]))
    }

    /// The five octets on the wire.
    pub const fn to_bytes(self) -> [u8; 5] {
        let [_, _, _, a, b, c, d, e] = self.0.to_be_bytes();
        [a, b, c, d, e]
    }

    /// The value.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The counter after this one; `None` after [`Cntr::MAX`].
    pub const fn next(self) -> Option<Self> {
        Self::new(self.0 + 1)
    }
}

impl FromStr for Cntr {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        parse_hex("CNTR", text).map(Self::from_bytes)
    }
}

impl fmt::Display for Cntr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010X}", self.0)
    }
}

/// Why a text is no such identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// A character that does not belong there.
    #[error("{kind} cannot contain {got:?}")]
    Character {
        /// Which identifier.
        kind: &'static str,
        /// The first such character.
        got: char,
    },
    /// The check digit of an ICCID does not fit its other digits; usually a typing error.
    #[error("the Luhn check digit of ICCID {got} is wrong")]
    CheckDigit {
        /// The text.
        got: String,
    },
    /// Too short or too long.
    #[error("{kind} has {min} to {max} digits, got {got}")]
    Length {
        /// Which identifier.
        kind: &'static str,
        /// Fewest digits.
        min: usize,
        /// Most digits.
        max: usize,
        /// Digits found.
        got: usize,
    },
    /// A file holds a nibble that is no digit, or a digit behind the filler.
    #[error("{kind} file has nibble {got:X} where a digit or trailing F belongs")]
    Nibble {
        /// Which identifier.
        kind: &'static str,
        /// The nibble.
        got: u8,
    },
}

macro_rules! string_form {
    ($($id:ident),*) => {$(
        impl Serialize for $id {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                parsed(deserializer, str::parse)
            }
        }
    )*};
}
string_form!(Cntr, Iccid, Imsi, Msisdn, Tar);

/// At most `N` decimal digits in place: identifiers are copied at every hop. Ordered as the text is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Digits<const N: usize> {
    /// In ASCII, zeros behind the last.
    octets: [u8; N],
    len: u8,
}

impl<const N: usize> Digits<N> {
    /// Of a text that was checked: more than `N` are cut off.
    fn of(text: &str) -> Self {
        let len = text.len().min(N);
        let mut octets = [0; N];
        octets[..len].copy_from_slice(&text.as_bytes()[..len]);
        Self {
            octets,
            len: len as u8,
        }
    }

    fn as_str(&self) -> &str {
        // Digits are ASCII.
        str::from_utf8(&self.octets[..usize::from(self.len)]).unwrap_or_default()
    }
}

impl<const N: usize> fmt::Debug for Digits<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

fn check_digits(kind: &'static str, text: &str) -> Result<(), IdError> {
    match text.chars().find(|c| !c.is_ascii_digit()) {
        Some(got) => Err(IdError::Character { kind, got }),
        None => Ok(()),
    }
}

fn check_length(kind: &'static str, got: usize, min: usize, max: usize) -> Result<(), IdError> {
    if (min..=max).contains(&got) {
        Ok(())
    } else {
        Err(IdError::Length {
            kind,
            min,
            max,
            got,
        })
    }
}

fn parse_hex<const N: usize>(kind: &'static str, text: &str) -> Result<[u8; N], IdError> {
    if let Some(got) = text.chars().find(|c| !c.is_ascii_hexdigit()) {
        return Err(IdError::Character { kind, got });
    }
    let mut octets = [0; N];
    hex::decode_to_slice(text, &mut octets).map_err(|_| IdError::Length {
        kind,
        min: 2 * N,
        max: 2 * N,
        got: text.len(),
    })?;
    Ok(octets)
}

/// Luhn sum, check digit included: the digits at even distance from the end count once, the others double.
fn luhn_sum(digits: &str) -> u32 {
    let doubled = |d: u32| if d < 5 { 2 * d } else { 2 * d - 9 };
    digits
        .bytes()
        .rev()
        .map(|octet| u32::from(octet - b'0'))
        .enumerate()
        .map(|(i, d)| if i % 2 == 0 { d } else { doubled(d) })
        .sum()
}

/// Puts semi-octet number `i` in place, low nibble first.
fn put_nibble(octets: &mut [u8], i: usize, nibble: u8) {
    let octet = &mut octets[i / 2];
    *octet = if i.is_multiple_of(2) {
        *octet & 0xF0 | nibble
    } else {
        *octet & 0x0F | nibble << 4
    };
}

#[cfg(test)]
mod tests;

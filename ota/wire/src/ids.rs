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
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn msisdn_reads_what_people_write() {
        for text in [
            "+447700900001",
            "00447700900001",
            "tel:+44-7700-900001",
            "TEL:447700900001",
            " (44) 7700.900 001 ",
        ] {
            assert_eq!(
                text.parse::<Msisdn>().unwrap().digits(),
                "447700900001",
                "{text}"
            );
        }
        assert_eq!(
            "+447700900001".parse::<Msisdn>().unwrap().to_string(),
            "+447700900001"
        );
    }

    #[test]
    fn msisdn_refuses_what_is_no_number() {
        for text in [
            "",
            "+",
            "00",
            "++44",
            "4+4",
            "44x",
            "+1234567890123456",
            "٤٤",
            "tel:",
            "telé",
        ] {
            assert!(text.parse::<Msisdn>().is_err(), "{text}");
        }
        assert_eq!(
            "1234567890123456".parse::<Msisdn>(),
            Err(IdError::Length {
                kind: "MSISDN",
                min: 1,
                max: 15,
                got: 16
            })
        );
    }

    #[test]
    fn iccid_check_digit() {
        // Luhn by hand: 7992739871 needs 3 (the textbook example), here as the tail of a longer number of zeros.
        assert_eq!(
            Iccid::with_check_digit("000000007992739871")
                .unwrap()
                .digits(),
            "0000000079927398713"
        );
        assert!("0000000079927398714".parse::<Iccid>().is_err());
        assert!("0000000079927398713".parse::<Iccid>().is_ok());
        assert!(Iccid::with_check_digit("8988").is_err());
        assert!(Iccid::with_check_digit("89880000000000000x").is_err());
    }

    #[test]
    fn iccid_file_form() {
        let iccid: Iccid = "0000000079927398713".parse().unwrap();
        assert_eq!(hex::encode(iccid.to_ef()), "000000009729378917f3");
        assert_eq!(Iccid::from_ef(&iccid.to_ef()), Ok(iccid));
        assert_eq!(
            Iccid::from_ef(&[0xFF; 10]),
            Err(IdError::Length {
                kind: "ICCID",
                min: 18,
                max: 20,
                got: 0
            })
        );
        assert!(Iccid::from_ef(&[0xAA; 10]).is_err());
    }

    #[test]
    fn imsi_file_form() {
        // 15 digits: odd, so the first nibble is 9. 14 digits: even, 1, filler at the end.
        assert_eq!(
            hex::encode("001010123456789".parse::<Imsi>().unwrap().to_ef()),
            "080910101032547698"
        );
        assert_eq!(
            hex::encode("00101012345678".parse::<Imsi>().unwrap().to_ef()),
            "0801101010325476f8"
        );
    }

    #[test]
    fn tar_and_cntr_text() {
        assert_eq!(Tar::MID.to_string(), "4D4944");
        assert_eq!("b00010".parse::<Tar>(), Ok(Tar([0xB0, 0x00, 0x10])));
        assert!(
            "b0001".parse::<Tar>().is_err()
                && "b000100".parse::<Tar>().is_err()
                && "b0001g".parse::<Tar>().is_err()
        );
        assert_eq!(Cntr::from_bytes([0, 0, 0, 0x61, 0xFB]).get(), 0x61FB);
        assert_eq!(Cntr::MAX.to_string(), "FFFFFFFFFF");
        assert_eq!((Cntr::new(1 << 40), Cntr::MAX.next()), (None, None));
        assert_eq!(
            serde_json::to_string(&Cntr::new(0x61FB)).unwrap(),
            "\"00000061FB\""
        );
    }

    proptest! {
        #[test]
        fn texts_never_panic(text in ".{0,24}") {
            let _ = (text.parse::<Msisdn>(), text.parse::<Iccid>(), text.parse::<Imsi>(), text.parse::<Tar>(), text.parse::<Cntr>());
        }

        #[test]
        fn iccid_round_trips(body in "[0-9]{17,19}") {
            let iccid = Iccid::with_check_digit(&body).unwrap();
            prop_assert_eq!(Iccid::from_ef(&iccid.to_ef()), Ok(iccid.clone()));
            prop_assert_eq!(iccid.to_string().parse(), Ok(iccid));
        }

        #[test]
        fn one_wrong_iccid_digit_is_noticed(body in "[0-9]{18}", at in 0usize..19, add in 1u8..10) {
            let mut digits = Iccid::with_check_digit(&body).unwrap().digits().as_bytes().to_vec();
            digits[at] = b'0' + (digits[at] - b'0' + add) % 10;
            prop_assert!(String::from_utf8(digits).unwrap().parse::<Iccid>().is_err());
        }

        #[test]
        fn iccid_files_never_panic(ef: [u8; 10]) {
            if let Ok(iccid) = Iccid::from_ef(&ef) {
                prop_assert_eq!(iccid.to_ef(), ef);
            }
        }

        #[test]
        fn text_forms_round_trip(number in "[1-9][0-9]{0,14}", tar: [u8; 3], cntr: [u8; 5], imsi in "[0-9]{6,15}") {
            let msisdn: Msisdn = number.parse().unwrap();
            prop_assert_eq!(serde_json::from_value::<Msisdn>(serde_json::to_value(&msisdn).unwrap()).unwrap(), msisdn);
            prop_assert_eq!(Tar(tar).to_string().parse(), Ok(Tar(tar)));
            let cntr = Cntr::from_bytes(cntr);
            prop_assert_eq!(cntr.to_string().parse(), Ok(cntr));
            prop_assert_eq!(Cntr::from_bytes(cntr.to_bytes()), cntr);
            prop_assert_eq!(imsi.parse::<Imsi>().unwrap().to_string(), imsi);
        }
    }
}

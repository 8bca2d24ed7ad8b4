//! Addresses: TS 23.040 §9.1.2.5 (TP-OA, TP-DA, TP-RA) and, in its octet-counted form, TS 24.011 §8.2.5.1 and EF.SMSP.
//!
//! The same number is written with two lengths. In a TPDU the first octet counts *semi-octets* and leaves out the
//! type; in RP messages and files it counts *octets* and includes the type. In a CAT TLV there is no length of its
//! own at all. Hence three pairs: [`Address::parse`]/[`emit`](Address::emit),
//! [`Address::parse_counted`]/[`emit_counted`](Address::emit_counted) and
//! [`Address::from_value`]/[`to_value`](Address::to_value).
//!
//! Panics: none. An `Address` keeps the octets as received, so each pair is an exact inverse.

use std::fmt;

use crate::ids::Msisdn;
use crate::sms::gsm7::{self, NotInAlphabet};

/// The most semi-octets an address may have: 20 digits, or 11 characters of text.
pub const MAX_SEMI_OCTETS: usize = 20;

/// An address: type of number, numbering plan, and digits or a name.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    type_of_address: u8,
    semi_octets: u8,
    value: Vec<u8>,
}

impl Address {
    /// A number in digits (`0-9 * # a b c`).
    ///
    /// # Errors
    /// [`AddressError`] for more than 20 digits, for another character, and for the text type [`Ton::ALPHANUMERIC`].
    pub fn new(ton: Ton, npi: Npi, digits: &str) -> Result<Self, AddressError> {
        if ton == Ton::ALPHANUMERIC {
            return Err(AddressError::NotDigits { ton });
        }
        let nibbles = digits
            .chars()
            .map(|character| semi_octet(character).ok_or(AddressError::Digit { character }))
            .collect::<Result<Vec<u8>, _>>()?;
        check_length(nibbles.len())?;
        Ok(Self::of_nibbles(type_of_address(ton, npi), &nibbles))
    }

    /// A name instead of a number, as advertisers and banks use it: at most 11 septets.
    ///
    /// # Errors
    /// [`AddressError`] if the text is longer or leaves the GSM 7-bit alphabet.
    pub fn alphanumeric(text: &str) -> Result<Self, AddressError> {
        let septets = gsm7::encode(text)?;
        let semi_octets = (septets.len() * 7).div_ceil(4);
        check_length(semi_octets)?;
        Ok(Self {
            type_of_address: type_of_address(Ton::ALPHANUMERIC, Npi::UNKNOWN),
            semi_octets: semi_octets as u8,
            value: gsm7::pack(&septets, 0),
        })
    }

    /// The international form of a subscriber's number, type of address `91`.
    #[must_use]
    pub fn international(msisdn: &Msisdn) -> Self {
        let nibbles: Vec<u8> = msisdn.digits().bytes().map(|digit| digit & 0xF).collect();
        Self::of_nibbles(type_of_address(Ton::INTERNATIONAL, Npi::E164), &nibbles)
    }

    /// A short code such as `8220`: type of address `81`, unknown type in the E.164 plan.
    ///
    /// # Errors
    /// As [`Address::new`].
    pub fn short_code(digits: &str) -> Result<Self, AddressError> {
        Self::new(Ton::UNKNOWN, Npi::E164, digits)
    }

    /// Reads the TPDU form at the start of `octets`; the second value is what follows it.
    ///
    /// # Errors
    /// [`AddressError`] if the octets end too early or announce more than 20 semi-octets.
    pub fn parse(octets: &[u8]) -> Result<(Self, &[u8]), AddressError> {
        let (&semi_octets, after) = octets.split_first().ok_or(AddressError::Truncated {
            need: 2,
            got: octets.len(),
        })?;
        let length = usize::from(semi_octets);
        check_length(length)?;
        let need = 1 + length.div_ceil(2);
        let (body, rest) = after
            .split_at_checked(need)
            .ok_or(AddressError::Truncated {
                need,
                got: after.len(),
            })?;
        let address = Self {
            type_of_address: body[0],
            semi_octets,
            value: body[1..].to_vec(),
        };
        Ok((address, rest))
    }

    /// Writes the TPDU form: length in semi-octets, type, value.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend([self.semi_octets, self.type_of_address]);
        out.extend_from_slice(&self.value);
    }

    /// Reads the octet-counted form; `None` stands for length 0, the absent address of RP messages.
    ///
    /// # Errors
    /// [`AddressError`] if the octets end too early or the address is longer than 20 digits.
    pub fn parse_counted(octets: &[u8]) -> Result<(Option<Self>, &[u8]), AddressError> {
        let (&length, after) = octets.split_first().ok_or(AddressError::Truncated {
            need: 1,
            got: octets.len(),
        })?;
        let need = usize::from(length);
        let (body, rest) = after
            .split_at_checked(need)
            .ok_or(AddressError::Truncated {
                need,
                got: after.len(),
            })?;
        let address = if body.is_empty() {
            None
        } else {
            Some(Self::from_value(body)?)
        };
        Ok((address, rest))
    }

    /// Writes the octet-counted form: length in octets with the type, type, value.
    pub fn emit_counted(&self, out: &mut Vec<u8>) {
        out.extend([1 + self.value.len() as u8, self.type_of_address]);
        out.extend_from_slice(&self.value);
    }

    /// An address whose length is known from outside: type octet, then the value. Whether the last semi-octet of a
    /// number is a digit or filler is seen from its being `F`; a name takes all whole septets.
    ///
    /// # Errors
    /// [`AddressError`] if `octets` is empty or longer than 11.
    pub fn from_value(octets: &[u8]) -> Result<Self, AddressError> {
        let (&type_of_address, value) = octets
            .split_first()
            .ok_or(AddressError::Truncated { need: 1, got: 0 })?;
        check_length(value.len() * 2)?;
        let mut address = Self {
            type_of_address,
            semi_octets: (value.len() * 2) as u8,
            value: value.to_vec(),
        };
        let filled = value.last().is_some_and(|last| last >> 4 == FILLER);
        if filled && address.ton() != Ton::ALPHANUMERIC {
            address.semi_octets -= 1;
        }
        Ok(address)
    }

    /// Type octet and value, without a length.
    #[must_use]
    pub fn to_value(&self) -> Vec<u8> {
        let mut octets = vec![self.type_of_address];
        octets.extend_from_slice(&self.value);
        octets
    }

    /// The type octet as it stands: extension bit, type of number, numbering plan.
    #[must_use]
    pub const fn type_of_address(&self) -> u8 {
        self.type_of_address
    }

    /// Type of number.
    #[must_use]
    pub const fn ton(&self) -> Ton {
        Ton(self.type_of_address >> 4 & 0b111)
    }

    /// Numbering plan identification.
    #[must_use]
    pub const fn npi(&self) -> Npi {
        Npi(self.type_of_address & 0b1111)
    }

    /// The digits of a number; `None` for a name, and for a number with filler among its digits.
    #[must_use]
    pub fn digits(&self) -> Option<String> {
        if self.ton() == Ton::ALPHANUMERIC {
            return None;
        }
        let nibbles = self
            .value
            .iter()
            .flat_map(|octet| [octet & 0xF, octet >> 4]);
        nibbles
            .take(usize::from(self.semi_octets))
            .map(|nibble| DIGITS.get(usize::from(nibble)).copied())
            .collect()
    }

    /// The text of a name; `None` for a number.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        if self.ton() != Ton::ALPHANUMERIC {
            return None;
        }
        // The length decides, not the octets: spare bits of the last octet are not a character.
        let count = usize::from(self.semi_octets) * 4 / 7;
        gsm7::unpack(&self.value, 0, count).map(|septets| gsm7::decode(&septets))
    }

    /// The subscriber's number, if this is an international one.
    #[must_use]
    pub fn msisdn(&self) -> Option<Msisdn> {
        if self.ton() != Ton::INTERNATIONAL {
            return None;
        }
        format!("+{}", self.digits()?).parse().ok()
    }

    fn of_nibbles(type_of_address: u8, nibbles: &[u8]) -> Self {
        let value = nibbles
            .chunks(2)
            .map(|pair| pair[0] | pair.get(1).unwrap_or(&FILLER) << 4)
            .collect();
        Self {
            type_of_address,
            semi_octets: nibbles.len() as u8,
            value,
        }
    }
}

/// `+447700900001` for an international number, else the bare digits, the quoted name, or the octets in hex.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.digits(), self.text()) {
            (Some(digits), _) if self.ton() == Ton::INTERNATIONAL => write!(f, "+{digits}"),
            (Some(digits), _) => f.write_str(&digits),
            (None, Some(text)) => write!(f, "{text:?}"),
            (None, None) => f.write_str(&hex::encode(self.to_value())),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({:02X} {self})", self.type_of_address)
    }
}

/// Type of number, three bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ton(u8);

impl Ton {
    /// Unknown; also used for short codes.
    pub const UNKNOWN: Self = Self(0);
    /// International, country code first.
    pub const INTERNATIONAL: Self = Self(1);
    /// National.
    pub const NATIONAL: Self = Self(2);
    /// Network specific.
    pub const NETWORK_SPECIFIC: Self = Self(3);
    /// Subscriber number.
    pub const SUBSCRIBER: Self = Self(4);
    /// A name in the GSM 7-bit alphabet instead of digits.
    pub const ALPHANUMERIC: Self = Self(5);
    /// Abbreviated.
    pub const ABBREVIATED: Self = Self(6);

    /// The value of three bits; `None` above 7.
    #[must_use]
    pub const fn new(value: u8) -> Option<Self> {
        if value < 8 { Some(Self(value)) } else { None }
    }

    /// The three bits.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// Numbering plan identification, four bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Npi(u8);

impl Npi {
    /// Unknown.
    pub const UNKNOWN: Self = Self(0);
    /// ISDN and telephone numbering plan, E.164.
    pub const E164: Self = Self(1);

    /// The value of four bits; `None` above 15.
    #[must_use]
    pub const fn new(value: u8) -> Option<Self> {
        if value < 16 { Some(Self(value)) } else { None }
    }

    /// The four bits.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// Why something is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The octets end inside the address.
    #[error("address needs {need} more octets, got {got}")]
    Truncated {
        /// Octets needed after the length.
        need: usize,
        /// Octets there.
        got: usize,
    },
    /// Longer than the standard allows.
    #[error("address of {got} semi-octets, at most {MAX_SEMI_OCTETS} are allowed")]
    TooLong {
        /// Semi-octets announced or needed.
        got: usize,
    },
    /// A character that no semi-octet stands for.
    #[error("{character:?} is not a digit of an address")]
    Digit {
        /// The character.
        character: char,
    },
    /// Digits were given for a type that holds text.
    #[error("type of number {} does not hold digits", ton.get())]
    NotDigits {
        /// The type asked for.
        ton: Ton,
    },
    /// A name outside the alphabet.
    #[error(transparent)]
    Text(#[from] NotInAlphabet),
}

/// Semi-octet that fills an odd number of digits up; also what no digit is coded as.
const FILLER: u8 = 0xF;

/// TS 23.040 §9.1.2.3: the characters of the semi-octets 0 to 14.
const DIGITS: [char; 15] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'a', 'b', 'c',
];

fn semi_octet(character: char) -> Option<u8> {
    let index = DIGITS.iter().position(|&digit| digit == character)?;
    Some(index as u8)
}

const fn type_of_address(ton: Ton, npi: Npi) -> u8 {
    0x80 | ton.0 << 4 | npi.0
}

fn check_length(semi_octets: usize) -> Result<(), AddressError> {
    if semi_octets > MAX_SEMI_OCTETS {
        return Err(AddressError::TooLong { got: semi_octets });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn emitted(address: &Address) -> String {
        let mut out = Vec::new();
        address.emit(&mut out);
        hex::encode(out)
    }

    #[test]
    fn odd_digits_are_filled_up() {
        let address = Address::new(Ton::UNKNOWN, Npi::UNKNOWN, "123").unwrap();
        assert_eq!(emitted(&address), "038021f3");
        assert_eq!(address.digits().as_deref(), Some("123"));
    }

    #[test]
    fn an_international_number_in_its_three_forms() {
        let address = Address::international(&"+447700900001".parse().unwrap());
        assert_eq!(emitted(&address), "0c91447700090010");
        let mut counted = Vec::new();
        address.emit_counted(&mut counted);
        assert_eq!(hex::encode(&counted), "0791447700090010");
        assert_eq!(hex::encode(address.to_value()), "91447700090010");
        assert_eq!(
            Address::from_value(&address.to_value()),
            Ok(address.clone())
        );
        assert_eq!(address.to_string(), "+447700900001");
        assert_eq!(address.msisdn(), Some("+447700900001".parse().unwrap()));
    }

    #[test]
    fn a_name_counts_its_septets_by_the_length() {
        // Seven characters fill 49 of 56 bits: the rest must not turn into '@'.
        let (address, rest) = Address::parse(&hex::decode("0dd0e5759a0e7ff600").unwrap())
            .map(|(address, rest)| (address, rest.len()))
            .unwrap();
        assert_eq!(rest, 0);
        assert_eq!(address.text().unwrap().chars().count(), 7);
        let name = Address::alphanumeric("seven77").unwrap();
        assert_eq!(name.text().as_deref(), Some("seven77"));
        assert_eq!(name.digits(), None);
        assert!(Address::alphanumeric("twelve chars").is_err());
    }

    #[test]
    fn the_absent_address_of_rp_messages() {
        assert_eq!(Address::parse_counted(&[0, 0xAA]), Ok((None, &[0xAA][..])));
    }

    #[test]
    fn more_than_20_semi_octets_are_refused() {
        let mut octets = vec![21, 0x91];
        octets.extend([0x11; 11]);
        assert_eq!(
            Address::parse(&octets),
            Err(AddressError::TooLong { got: 21 })
        );
        assert!(Address::parse(&[0xFF; 200]).is_err());
        assert!(Address::parse_counted(&[12; 20]).is_err());
        assert!(Address::new(Ton::UNKNOWN, Npi::E164, &"1".repeat(21)).is_err());
    }

    #[test]
    fn filler_among_the_digits_is_no_number() {
        let (address, _) = Address::parse(&[4, 0x91, 0xF1, 0x21]).unwrap();
        assert_eq!(address.digits(), None);
        assert_eq!(emitted(&address), "0491f121");
    }

    proptest! {
        #[test]
        fn digits_survive(digits in "[0-9*#a-c]{0,20}", ton in 0u8..5, npi in 0u8..16) {
            let address = Address::new(Ton::new(ton).unwrap(), Npi::new(npi).unwrap(), &digits).unwrap();
            let mut out = Vec::new();
            address.emit(&mut out);
            let (back, rest) = Address::parse(&out).unwrap();
            prop_assert!(rest.is_empty());
            prop_assert_eq!(back.digits(), Some(digits));
            prop_assert_eq!((back.ton().get(), back.npi().get()), (ton, npi));
            let mut counted = Vec::new();
            address.emit_counted(&mut counted);
            prop_assert_eq!(Address::parse_counted(&counted).unwrap().0, Some(address));
        }

        #[test]
        fn names_survive(text in "[A-Za-z0-9 ]{0,11}") {
            let address = Address::alphanumeric(&text).unwrap();
            prop_assert_eq!(address.text(), Some(text));
        }

        #[test]
        fn what_parses_is_emitted_as_it_was(octets in proptest::collection::vec(any::<u8>(), 0..16), length in 0u8..24) {
            let octets: Vec<u8> = [length].into_iter().chain(octets).collect();
            if let Ok((address, rest)) = Address::parse(&octets) {
                let mut out = Vec::new();
                address.emit(&mut out);
                out.extend_from_slice(rest);
                prop_assert_eq!(&out, &octets);
                let _ = (address.text(), address.digits(), address.msisdn(), address.to_string());
            }
            if let Ok((Some(address), rest)) = Address::parse_counted(&octets) {
                let mut out = Vec::new();
                address.emit_counted(&mut out);
                out.extend_from_slice(rest);
                prop_assert_eq!(&out, &octets);
            }
        }
    }
}

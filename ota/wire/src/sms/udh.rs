//! The user data header: TS 23.040 §9.2.3.24.
//!
//! A length octet, then information elements that fill that length exactly: identifier, length, data. All elements
//! are kept, known or not. An element that runs over the header's end makes the message unreadable; an element whose
//! *content* is wrong does not, so what concatenation says is judged apart, by [`Udh::concat`].
//!
//! Panics: none. Allocation: the octets of the header.

use std::fmt;

/// A user data header.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Udh {
    elements: Vec<InformationElement>,
}

impl Udh {
    /// A header of these elements.
    ///
    /// # Errors
    /// [`UdhError::TooLong`] if they do not fit the length octet.
    pub fn new(elements: Vec<InformationElement>) -> Result<Self, UdhError> {
        let length: usize = elements.iter().map(InformationElement::len).sum();
        if length > MAX_LENGTH {
            return Err(UdhError::TooLong { got: length });
        }
        Ok(Self { elements })
    }

    /// A header of elements that the caller has measured.
    pub(super) const fn measured(elements: Vec<InformationElement>) -> Self {
        Self { elements }
    }

    /// The header of a command packet that fits one message: `02 70 00` (TS 31.115 §4.2).
    #[must_use]
    pub fn command_packet() -> Self {
        Self {
            elements: vec![InformationElement::empty(Iei::COMMAND_PACKET)],
        }
    }

    /// The header of a response packet: `02 71 00` (TS 31.115 §4.4).
    #[must_use]
    pub fn response_packet() -> Self {
        Self {
            elements: vec![InformationElement::empty(Iei::RESPONSE_PACKET)],
        }
    }

    /// Reads the header at the start of `user_data`; the second value is what follows it.
    ///
    /// # Errors
    /// [`UdhError`] if the header is longer than the user data or an element longer than the header.
    pub fn parse(user_data: &[u8]) -> Result<(Self, &[u8]), UdhError> {
        let (&length, after) = user_data.split_first().ok_or(UdhError::Truncated {
            need: 1,
            got: user_data.len(),
        })?;
        let need = usize::from(length);
        let (mut body, rest) = after.split_at_checked(need).ok_or(UdhError::Truncated {
            need,
            got: after.len(),
        })?;
        let mut elements = Vec::new();
        while let Some((&iei, after)) = body.split_first() {
            let overrun = |need, got| UdhError::Overrun {
                iei: Iei(iei),
                need,
                got,
            };
            let (&length, after) = after.split_first().ok_or_else(|| overrun(1, 0))?;
            let need = usize::from(length);
            let (data, after) = after
                .split_at_checked(need)
                .ok_or_else(|| overrun(need, after.len()))?;
            elements.push(InformationElement {
                iei: Iei(iei),
                data: data.to_vec(),
            });
            body = after;
        }
        Ok((Self { elements }, rest))
    }

    /// Writes the header, length octet first.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.push((self.len() - 1) as u8);
        for element in &self.elements {
            out.extend([element.iei.0, element.data.len() as u8]);
            out.extend_from_slice(&element.data);
        }
    }

    /// The elements, in order.
    #[must_use]
    pub fn elements(&self) -> &[InformationElement] {
        &self.elements
    }

    /// The element of that identifier; the last one if there are several, as the standard rules for elements that
    /// may occur once.
    #[must_use]
    pub fn find(&self, iei: Iei) -> Option<&InformationElement> {
        self.elements
            .iter()
            .rev()
            .find(|element| element.iei == iei)
    }

    /// Octets on the wire, the length octet included.
    #[must_use]
    #[expect(
        clippy::len_without_is_empty,
        reason = "a header has at least its length octet"
    )]
    pub fn len(&self) -> usize {
        1 + self
            .elements
            .iter()
            .map(InformationElement::len)
            .sum::<usize>()
    }

    /// What the header says about concatenation, `None` if nothing.
    ///
    /// # Errors
    /// [`ConcatError`] if it says something impossible. A display may ignore such an element and show the part; who
    /// joins packets must drop the part.
    pub fn concat(&self) -> Result<Option<Concat>, ConcatError> {
        let element = self
            .elements
            .iter()
            .rev()
            .find(|element| matches!(element.iei, Iei::CONCAT_8 | Iei::CONCAT_16));
        element.map(Concat::parse).transpose()
    }

    /// Which secured packet the user data holds: [`Iei::COMMAND_PACKET`] or [`Iei::RESPONSE_PACKET`], `None` if
    /// neither, if both, or if the element has data, which TS 31.115 does not allow.
    #[must_use]
    pub fn packet(&self) -> Option<Iei> {
        let announced = |iei| self.find(iei).is_some();
        let iei = match (
            announced(Iei::COMMAND_PACKET),
            announced(Iei::RESPONSE_PACKET),
        ) {
            (true, false) => Iei::COMMAND_PACKET,
            (false, true) => Iei::RESPONSE_PACKET,
            _ => return None,
        };
        self.elements
            .iter()
            .filter(|element| element.iei == iei)
            .all(|element| element.data.is_empty())
            .then_some(iei)
    }
}

/// One element of a header.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InformationElement {
    /// What it is.
    pub iei: Iei,
    /// Its content, without identifier and length.
    pub data: Vec<u8>,
}

impl InformationElement {
    /// An element with content.
    #[must_use]
    pub fn new(iei: Iei, data: impl Into<Vec<u8>>) -> Self {
        Self {
            iei,
            data: data.into(),
        }
    }

    /// An element without content.
    #[must_use]
    pub const fn empty(iei: Iei) -> Self {
        Self {
            iei,
            data: Vec::new(),
        }
    }

    fn len(&self) -> usize {
        2 + self.data.len()
    }
}

/// Information element identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Iei(pub u8);

impl Iei {
    /// Concatenated short message, 8-bit reference (§9.2.3.24.1).
    pub const CONCAT_8: Self = Self(0x00);
    /// Application port addressing, 16-bit (§9.2.3.24.4).
    pub const PORTS_16: Self = Self(0x05);
    /// Concatenated short message, 16-bit reference (§9.2.3.24.8).
    pub const CONCAT_16: Self = Self(0x08);
    /// Command packet identifier, CPI (TS 31.115 §4.2).
    pub const COMMAND_PACKET: Self = Self(0x70);
    /// Response packet identifier, RPI (TS 31.115 §4.4).
    pub const RESPONSE_PACKET: Self = Self(0x71);
}

impl fmt::Display for Iei {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02X}", self.0)
    }
}

/// Which part of which concatenated message this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Concat {
    /// Shared by all parts of one message.
    pub reference: Reference,
    /// Parts in all, 1..=255.
    pub total: u8,
    /// This part, 1..=`total`.
    pub sequence: u8,
}

impl Concat {
    /// Reads an element of either width.
    ///
    /// # Errors
    /// [`ConcatError`] for a wrong length and for a part outside 1..=total.
    pub fn parse(element: &InformationElement) -> Result<Self, ConcatError> {
        let (reference, total, sequence) = match (element.iei, element.data.as_slice()) {
            (Iei::CONCAT_8, &[reference, total, sequence]) => {
                (Reference::Eight(reference), total, sequence)
            }
            (Iei::CONCAT_16, &[high, low, total, sequence]) => {
                let reference = u16::from_be_bytes([high, low]);
                (Reference::Sixteen(reference), total, sequence)
            }
            (iei, data) => {
                let got = data.len();
                return Err(ConcatError::Length { iei, got });
            }
        };
        if sequence == 0 || sequence > total {
            return Err(ConcatError::Sequence { total, sequence });
        }
        Ok(Self {
            reference,
            total,
            sequence,
        })
    }

    /// The element that says so.
    #[must_use]
    pub fn element(&self) -> InformationElement {
        match self.reference {
            Reference::Eight(reference) => {
                InformationElement::new(Iei::CONCAT_8, [reference, self.total, self.sequence])
            }
            Reference::Sixteen(reference) => {
                let [high, low] = reference.to_be_bytes();
                InformationElement::new(Iei::CONCAT_16, [high, low, self.total, self.sequence])
            }
        }
    }
}

/// Reference number of a concatenated message. The widths are apart: 8-bit 7 is not 16-bit 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reference {
    /// 8 bits, IEI 00.
    Eight(u8),
    /// 16 bits, IEI 08.
    Sixteen(u16),
}

/// Why the octets are no header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UdhError {
    /// The user data ends inside the header.
    #[error("user data header needs {need} octets, the user data has {got}")]
    Truncated {
        /// Octets needed.
        need: usize,
        /// Octets there.
        got: usize,
    },
    /// An element ends behind the header.
    #[error("information element {iei} needs {need} octets, the header has {got} left")]
    Overrun {
        /// The element.
        iei: Iei,
        /// Octets needed.
        need: usize,
        /// Octets left in the header.
        got: usize,
    },
    /// Too many elements for the length octet.
    #[error("user data header of {got} octets, its length octet can say {MAX_LENGTH}")]
    TooLong {
        /// Octets of all elements.
        got: usize,
    },
}

/// Why a concatenation element says nothing usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConcatError {
    /// Not the length its identifier demands (3 or 4).
    #[error("concatenation element {iei} with {got} octets")]
    Length {
        /// The element.
        iei: Iei,
        /// Octets of its data.
        got: usize,
    },
    /// A part outside 1..=total, or no parts at all.
    #[error("part {sequence} of {total}")]
    Sequence {
        /// Parts announced.
        total: u8,
        /// Part announced.
        sequence: u8,
    },
}

/// What the length octet can say.
const MAX_LENGTH: usize = 0xFF;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn udh(octets: &str) -> Udh {
        let octets = hex::decode(octets).unwrap();
        let (udh, rest) = Udh::parse(&octets).unwrap();
        assert!(rest.is_empty());
        udh
    }

    #[test]
    fn header_of_length_0_has_no_elements() {
        let (udh, rest) = Udh::parse(&[0x00, 0xAA]).unwrap();
        assert_eq!(udh, Udh::default());
        assert_eq!(rest, [0xAA]);
        assert_eq!(udh.packet(), None);
    }

    #[test]
    fn header_longer_than_the_user_data() {
        let error = UdhError::Truncated { need: 5, got: 2 };
        assert_eq!(Udh::parse(&[0x05, 0x00, 0x03]), Err(error));
        assert!(Udh::parse(&[]).is_err());
    }

    #[test]
    fn element_that_runs_over_the_header() {
        let error = UdhError::Overrun {
            iei: Iei::CONCAT_8,
            need: 3,
            got: 2,
        };
        assert_eq!(
            Udh::parse(&[0x04, 0x00, 0x03, 0x01, 0x02, 0x01]),
            Err(error)
        );
        // An identifier at the very end, without a length.
        assert!(Udh::parse(&[0x03, 0x70, 0x00, 0x70]).is_err());
    }

    #[test]
    fn command_packet_identifier_with_data_is_none() {
        assert_eq!(udh("037001ff").packet(), None);
        assert_eq!(
            udh("057000 7001ff".replace(' ', "").as_str()).packet(),
            None
        );
    }

    #[test]
    fn command_packet_identifier_twice_counts_once() {
        assert_eq!(udh("0470007000").packet(), Some(Iei::COMMAND_PACKET));
    }

    #[test]
    fn command_and_response_identifier_together_are_none() {
        assert_eq!(udh("0470007100").packet(), None);
        assert_eq!(udh("027100").packet(), Some(Iei::RESPONSE_PACKET));
    }

    #[test]
    fn impossible_parts() {
        let sequence = |total, sequence| Err(ConcatError::Sequence { total, sequence });
        assert_eq!(udh("0500030a0200").concat(), sequence(2, 0));
        assert_eq!(udh("0500030a0203").concat(), sequence(2, 3));
        assert_eq!(udh("0500030a0001").concat(), sequence(0, 1));
        let length = ConcatError::Length {
            iei: Iei::CONCAT_8,
            got: 2,
        };
        assert_eq!(udh("0400020102").concat(), Err(length));
        assert_eq!(udh("027000").concat(), Ok(None));
    }

    #[test]
    fn the_widths_of_a_reference_differ() {
        let eight = udh("050003070201").concat().unwrap().unwrap();
        let sixteen = udh("06080400070201").concat().unwrap().unwrap();
        assert_eq!(eight.reference, Reference::Eight(7));
        assert_eq!(sixteen.reference, Reference::Sixteen(7));
        assert_ne!(eight.reference, sixteen.reference);
    }

    #[test]
    fn elements_that_no_length_octet_can_count() {
        let long = InformationElement::new(Iei(0x0A), vec![0; 254]);
        assert_eq!(Udh::new(vec![long]), Err(UdhError::TooLong { got: 256 }));
    }

    proptest! {
        #[test]
        fn what_parses_is_emitted_as_it_was(octets in proptest::collection::vec(0u8..12, 0..60)) {
            if let Ok((udh, rest)) = Udh::parse(&octets) {
                let mut out = Vec::new();
                udh.emit(&mut out);
                prop_assert_eq!(out.len(), udh.len());
                out.extend_from_slice(rest);
                prop_assert_eq!(out, octets);
                let _ = udh.concat();
                let _ = udh.packet();
            }
        }

        #[test]
        fn elements_survive(list in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..20)), 0..10)) {
            let elements: Vec<_> = list.into_iter().map(|(iei, data)| InformationElement::new(Iei(iei), data)).collect();
            let udh = Udh::new(elements).unwrap();
            let mut out = Vec::new();
            udh.emit(&mut out);
            let (back, rest) = Udh::parse(&out).unwrap();
            prop_assert_eq!(back, udh);
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn never_panics(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Udh::parse(&octets);
        }
    }
}

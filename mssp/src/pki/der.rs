//! DER (X.690 §10, §11), as much of it as X.509 and CMS need: tags of one octet, definite lengths in their shortest form.

/// Tags, with the class and the constructed bit.
pub mod tag {
    /// BOOLEAN.
    pub const BOOLEAN: u8 = 0x01;
    /// INTEGER.
    pub const INTEGER: u8 = 0x02;
    /// BIT STRING.
    pub const BIT_STRING: u8 = 0x03;
    /// OCTET STRING.
    pub const OCTET_STRING: u8 = 0x04;
    /// NULL.
    pub const NULL: u8 = 0x05;
    /// OBJECT IDENTIFIER.
    pub const OID: u8 = 0x06;
    /// ENUMERATED.
    pub const ENUMERATED: u8 = 0x0A;
    /// UTCTime.
    pub const UTC_TIME: u8 = 0x17;
    /// GeneralizedTime.
    pub const GENERALIZED_TIME: u8 = 0x18;
    /// SEQUENCE and SEQUENCE OF.
    pub const SEQUENCE: u8 = 0x30;
    /// SET and SET OF.
    pub const SET: u8 = 0x31;

    /// `[n]`, constructed: explicit, or implicit over something constructed. `n` is at most 30.
    pub const fn constructed(n: u8) -> u8 {
        0xA0 | n
    }

    /// `[n]`, primitive: implicit over something primitive. `n` is at most 30.
    pub const fn primitive(n: u8) -> u8 {
        0x80 | n
    }
}

/// Octets are not DER, or not what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DerError {
    /// Indefinite, longer than it need be, or beyond 4 octets.
    #[error("a length that DER does not have")]
    Length,
    /// A tag of more than one octet.
    #[error("tag {0:02X} goes on in further octets")]
    LongTag(u8),
    /// Something else stands there.
    #[error("expected tag {expected:02X}, got {got:02X?}")]
    Tag {
        /// The tag that should be there.
        expected: u8,
        /// The one that is, or the end.
        got: Option<u8>,
    },
    /// Something follows that should not.
    #[error("{0} octets too many")]
    Trailing(usize),
    /// The octets end too early.
    #[error("{missing} octets are missing")]
    Truncated {
        /// At least that many.
        missing: usize,
    },
    /// The content does not fit its type.
    #[error("{what} {why}")]
    Value {
        /// What it should be.
        what: &'static str,
        /// What is wrong.
        why: &'static str,
    },
}

/// One element: what it is, what is in it, and all its octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// Tag, see [`tag`].
    pub tag: u8,
    /// Content octets.
    pub content: &'a [u8],
    /// Tag, length and content.
    pub der: &'a [u8],
}

impl<'a> Element<'a> {
    /// The one element that these octets are.
    ///
    /// # Errors
    /// [`DerError`], also if something follows.
    pub fn only(octets: &'a [u8]) -> Result<Self, DerError> {
        let mut reader = Reader::new(octets);
        let element = reader.any()?;
        reader.end()?;
        Ok(element)
    }

    /// Reads what is inside.
    pub fn inside(&self) -> Reader<'a> {
        Reader::new(self.content)
    }
}

/// Reads elements one after the other.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// From the first of these octets on.
    pub fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next tag.
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next element, whatever it is.
    ///
    /// # Errors
    /// [`DerError`] if there is none, or its octets are not DER.
    pub fn any(&mut self) -> Result<Element<'a>, DerError> {
        let all = self.rest;
        let (&tag, after_tag) = all
            .split_first()
            .ok_or(DerError::Truncated { missing: 2 })?;
        if tag & 0x1F == 0x1F {
            return Err(DerError::LongTag(tag));
        }
        let (length, after_length) = length(after_tag)?;
        if after_length.len() < length {
            let missing = length - after_length.len();
            return Err(DerError::Truncated { missing });
        }
        let (content, rest) = after_length.split_at(length);
        self.rest = rest;
        Ok(Element {
            tag,
            content,
            der: &all[..all.len() - rest.len()],
        })
    }

    /// The next element, which must have this tag.
    ///
    /// # Errors
    /// [`DerError::Tag`] if it has another.
    pub fn read(&mut self, tag: u8) -> Result<Element<'a>, DerError> {
        match self.peek() {
            Some(got) if got == tag => self.any(),
            got => Err(DerError::Tag { expected: tag, got }),
        }
    }

    /// The next element if it has this tag.
    ///
    /// # Errors
    /// [`DerError`] if it has the tag and is not DER.
    pub fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, DerError> {
        if self.peek() == Some(tag) {
            self.any().map(Some)
        } else {
            Ok(None)
        }
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// [`DerError::Trailing`].
    pub fn end(&self) -> Result<(), DerError> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(DerError::Trailing(left)),
        }
    }

    /// An INTEGER that is not negative, big-endian, without the octet that only says so.
    ///
    /// # Errors
    /// [`DerError::Value`] if it is negative, empty, or longer than it need be.
    pub fn unsigned(&mut self) -> Result<&'a [u8], DerError> {
        let error = |why| DerError::Value {
            what: "INTEGER",
            why,
        };
        let content = self.read(tag::INTEGER)?.content;
        match content {
            [] => Err(error("is empty")),
            [0, high, ..] if high & 0x80 == 0 => Err(error("is longer than it need be")),
            [first, ..] if first & 0x80 != 0 => Err(error("is negative")),
            [0, rest @ ..] if !rest.is_empty() => Ok(rest),
            all => Ok(all),
        }
    }

    /// A BIT STRING of whole octets.
    ///
    /// # Errors
    /// [`DerError::Value`] if its last octet has unused bits.
    pub fn octets_of_bits(&mut self) -> Result<&'a [u8], DerError> {
        match self.read(tag::BIT_STRING)?.content {
            [0, octets @ ..] => Ok(octets),
            _ => Err(DerError::Value {
                what: "BIT STRING",
                why: "is not one of whole octets",
            }),
        }
    }
}

/// A length and what follows it.
fn length(octets: &[u8]) -> Result<(usize, &[u8]), DerError> {
    let (&first, rest) = octets
        .split_first()
        .ok_or(DerError::Truncated { missing: 1 })?;
    if first < 0x80 {
        return Ok((usize::from(first), rest));
    }
    let count = usize::from(first & 0x7F);
    if !(1..=4).contains(&count) {
        return Err(DerError::Length);
    }
    if rest.len() < count {
        let missing = count - rest.len();
        return Err(DerError::Truncated { missing });
    }
    let (octets, rest) = rest.split_at(count);
    let length = octets
        .iter()
        .fold(0_usize, |length, &octet| length << 8 | usize::from(octet));
    if octets[0] == 0 || length < 0x80 {
        return Err(DerError::Length);
    }
    Ok((length, rest))
}

/// An element of this tag with these parts one after the other.
pub fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    let mut octets = Vec::with_capacity(length + 6);
    octets.push(tag);
    let big_endian = length.to_be_bytes();
    let leading = big_endian.iter().take_while(|&&octet| octet == 0).count();
    let short = &big_endian[leading..];
    if length >= 0x80 {
        octets.push(0x80 | short.len() as u8);
        octets.extend_from_slice(short);
    } else {
        octets.push(length as u8);
    }
    for part in parts {
        octets.extend_from_slice(part);
    }
    octets
}

/// A SEQUENCE of these elements.
pub fn sequence(elements: &[&[u8]]) -> Vec<u8> {
    element(tag::SEQUENCE, elements)
}

/// An INTEGER of a number that is not negative, big-endian.
pub fn unsigned(number: &[u8]) -> Vec<u8> {
    let leading = number.iter().take_while(|&&octet| octet == 0).count();
    let number = &number[leading..];
    match number.first() {
        None => element(tag::INTEGER, &[&[0]]),
        Some(first) if first & 0x80 != 0 => element(tag::INTEGER, &[&[0], number]),
        Some(_) => element(tag::INTEGER, &[number]),
    }
}

//! BER-TLV (ISO/IEC 8825-1 as used by ISO/IEC 7816-4 and TS 102 221 §11) and COMPREHENSION-TLV (ETSI TS 101 220 §7.1.1).
//!
//! Lengths are read as `00`–`7F`, `81 xx` and `82 xxxx`, also where a shorter form would do; written in the shortest
//! form. Readers are iterators that borrow: they yield an error once, then end. They never look inside a value.
//!
//! # Panics
//! Nothing here panics on any input.

use core::fmt;
use core::ops::Range;

use thiserror::Error;

/// Why octets are no TLV. Offsets count from the start of what the reader was given.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TlvError {
    /// The octets end within a tag.
    #[error("tag at offset {at} is cut off")]
    Tag {
        /// Where the tag begins.
        at: usize,
    },
    /// The tag is one that TS 101 220 reserves (`00`, `80`, `FF`), or has more octets than any in use.
    #[error("tag at offset {at} is reserved or too long")]
    TagReserved {
        /// Where the tag begins.
        at: usize,
    },
    /// The octets end within a length.
    #[error("length at offset {at} is cut off")]
    Length {
        /// Where the length begins.
        at: usize,
    },
    /// The length begins with an octet other than `00`–`7F`, `81`, `82`.
    #[error("length at offset {at}: expected 00-7F, 81 or 82, got {got:02X}")]
    LengthForm {
        /// Where the length begins.
        at: usize,
        /// The octet there.
        got: u8,
    },
    /// The value is shorter than its length says.
    #[error("value at offset {at}: expected {expected} octets, got {got}")]
    Value {
        /// Where the value begins.
        at: usize,
        /// Octets announced.
        expected: usize,
        /// Octets left.
        got: usize,
    },
}

/// One BER-TLV object, borrowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ber<'a> {
    /// Tag octets as a number, e.g. `62` or `9F70`.
    pub tag: u32,
    /// Value octets.
    pub value: &'a [u8],
    /// Where the whole object lies.
    pub range: Range<usize>,
    /// Where the value lies.
    pub value_range: Range<usize>,
}

impl<'a> Ber<'a> {
    /// Reads one object from the start of `bytes`; what follows it is not looked at.
    ///
    /// # Errors
    /// [`TlvError`].
    pub fn read(bytes: &'a [u8]) -> Result<Self, TlvError> {
        Self::read_at(bytes, 0)
    }

    /// Reads one object that must fill `bytes`.
    ///
    /// # Errors
    /// [`TlvError`]; octets behind the object are a [`TlvError::Value`].
    pub fn read_all(bytes: &'a [u8]) -> Result<Self, TlvError> {
        let object = Self::read(bytes)?;
        if object.range.end == bytes.len() {
            return Ok(object);
        }
        Err(TlvError::Value {
            at: object.value_range.start,
            expected: object.value.len(),
            got: bytes.len() - object.value_range.start,
        })
    }

    /// Whether the value holds further objects (b6 of the first tag octet).
    pub const fn is_constructed(&self) -> bool {
        let first = if self.tag > 0xFFFF {
            self.tag >> 16
        } else if self.tag > 0xFF {
            self.tag >> 8
        } else {
            self.tag
        };
        first & 0x20 != 0
    }

    /// The objects inside the value.
    pub const fn children(&self) -> BerReader<'a> {
        BerReader::new(self.value)
    }

    fn read_at(bytes: &'a [u8], at: usize) -> Result<Self, TlvError> {
        const MORE_OCTETS: u8 = 0x1F;
        let first = *bytes.get(at).ok_or(TlvError::Tag { at })?;
        let mut tag = u32::from(first);
        let mut next = at + 1;
        if first & MORE_OCTETS == MORE_OCTETS {
            loop {
                let octet = *bytes.get(next).ok_or(TlvError::Tag { at })?;
                tag = tag << 8 | u32::from(octet);
                next += 1;
                if octet & 0x80 == 0 {
                    break;
                }
                if next - at >= 3 {
                    return Err(TlvError::TagReserved { at });
                }
            }
        }
        let value_range = read_length(bytes, next)?;
        Ok(Self {
            tag,
            value: &bytes[value_range.clone()],
            range: at..value_range.end,
            value_range,
        })
    }
}

/// Iterates over the BER-TLV objects of a value. Filler octets (`00`, `FF`) are not skipped.
#[derive(Clone, Debug)]
pub struct BerReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BerReader<'a> {
    /// Reads from the start of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Value of the first object with this tag; an error before it hides it.
    pub fn find(self, tag: u32) -> Option<&'a [u8]> {
        self.map_while(Result::ok)
            .find(|object| object.tag == tag)
            .map(|object| object.value)
    }
}

impl<'a> Iterator for BerReader<'a> {
    type Item = Result<Ber<'a>, TlvError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let object = Ber::read_at(self.bytes, self.at);
        self.at = object
            .as_ref()
            .map_or(self.bytes.len(), |object| object.range.end);
        Some(object)
    }
}

/// A COMPREHENSION-TLV tag without its comprehension bit: 01 to 7E, or two octets up to 7FFF.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(pub u16);

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02X}", self.0)
    }
}

/// One COMPREHENSION-TLV object, borrowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comprehension<'a> {
    /// Tag, comprehension bit taken off.
    pub tag: Tag,
    /// Whether the receiver must understand the object (CR, b8 of the tag).
    pub required: bool,
    /// Value octets.
    pub value: &'a [u8],
    /// Where the whole object lies.
    pub range: Range<usize>,
    /// Where the value lies.
    pub value_range: Range<usize>,
}

impl<'a> Comprehension<'a> {
    const LONG_FORM: u8 = 0x7F;

    fn read_at(bytes: &'a [u8], at: usize) -> Result<Self, TlvError> {
        let first = *bytes.get(at).ok_or(TlvError::Tag { at })?;
        let (tag, required, next) = match first {
            0x00 | 0x80 | 0xFF => return Err(TlvError::TagReserved { at }),
            Self::LONG_FORM => {
                let long = bytes.get(at + 1..at + 3).ok_or(TlvError::Tag { at })?;
                let tag = u16::from_be_bytes([long[0] & 0x7F, long[1]]);
                (Tag(tag), long[0] & 0x80 != 0, at + 3)
            }
            short => (Tag(u16::from(short & 0x7F)), short & 0x80 != 0, at + 1),
        };
        let value_range = read_length(bytes, next)?;
        Ok(Self {
            tag,
            required,
            value: &bytes[value_range.clone()],
            range: at..value_range.end,
            value_range,
        })
    }
}

/// Iterates over the COMPREHENSION-TLV objects of a value.
#[derive(Clone, Debug)]
pub struct ComprehensionReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> ComprehensionReader<'a> {
    /// Reads from the start of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }
}

impl<'a> Iterator for ComprehensionReader<'a> {
    type Item = Result<Comprehension<'a>, TlvError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let object = Comprehension::read_at(self.bytes, self.at);
        self.at = object
            .as_ref()
            .map_or(self.bytes.len(), |object| object.range.end);
        Some(object)
    }
}

/// Appends TLV objects. Total: every length has a form (`83` and on behind 65535 octets, which no reader here takes).
#[derive(Clone, Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// An empty writer.
    pub const fn new() -> Self {
        Self { out: Vec::new() }
    }

    /// Appends a BER-TLV object; `tag` as in [`Ber::tag`].
    pub fn ber(&mut self, tag: u32, value: &[u8]) -> &mut Self {
        let octets = tag.to_be_bytes();
        let skip = octets.iter().take_while(|octet| **octet == 0).count();
        self.out.extend_from_slice(&octets[skip.min(3)..]);
        self.length_and_value(value)
    }

    /// Appends a BER-TLV object whose value is what `inner` writes.
    pub fn constructed(&mut self, tag: u32, inner: impl FnOnce(&mut Self)) -> &mut Self {
        let mut value = Self::new();
        inner(&mut value);
        self.ber(tag, &value.out)
    }

    /// Appends a COMPREHENSION-TLV object.
    pub fn comprehension(&mut self, tag: Tag, required: bool, value: &[u8]) -> &mut Self {
        let required = if required { 0x80 } else { 0 };
        match tag.0 {
            short @ 0x01..=0x7E => self.out.push(short as u8 | required),
            long => {
                let [high, low] = long.to_be_bytes();
                self.out
                    .extend([Comprehension::LONG_FORM, high & 0x7F | required, low]);
            }
        }
        self.length_and_value(value)
    }

    /// Appends octets as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.out.extend_from_slice(bytes);
        self
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    fn length_and_value(&mut self, value: &[u8]) -> &mut Self {
        if value.len() < 0x80 {
            self.out.push(value.len() as u8);
        } else {
            let octets = value.len().to_be_bytes();
            let skip = octets.iter().take_while(|octet| **octet == 0).count();
            self.out.push(0x80 | (octets.len() - skip) as u8);
            self.out.extend_from_slice(&octets[skip..]);
        }
        self.out.extend_from_slice(value);
        self
    }
}

/// Reads the length at `at` and returns where the value lies.
fn read_length(bytes: &[u8], at: usize) -> Result<Range<usize>, TlvError> {
    let (len, start) = match *bytes.get(at).ok_or(TlvError::Length { at })? {
        short @ 0..=0x7F => (usize::from(short), at + 1),
        0x81 => match bytes.get(at + 1) {
            Some(len) => (usize::from(*len), at + 2),
            None => return Err(TlvError::Length { at }),
        },
        0x82 => match bytes.get(at + 1..at + 3) {
            Some(len) => (usize::from(u16::from_be_bytes([len[0], len[1]])), at + 3),
            None => return Err(TlvError::Length { at }),
        },
        got => return Err(TlvError::LengthForm { at, got }),
    };
    let got = bytes.len() - start;
    if len > got {
        return Err(TlvError::Value {
            at: start,
            expected: len,
            got,
        });
    }
    Ok(start..start + len)
}

#[cfg(test)]
mod tests;

//! The relay layer between phone and service centre: 3GPP TS 24.011 §7.3 and §8.2.
//!
//! | message | direction | holds |
//! |---|---|---|
//! | RP-DATA | both | addresses of the service centre, a TPDU |
//! | RP-ACK | both | perhaps a TPDU (the report) |
//! | RP-ERROR | both | a cause, perhaps a TPDU (the report) |
//! | RP-SMMA | from the phone | nothing: memory is available again |
//!
//! Which direction a message goes in is part of its type octet; the caller states the direction it expects and a
//! message of the other one is refused.
//!
//! Contract: [`Message::parse`] accepts any octets without panicking and allocates at most what it was given. What
//! parses, [`Message::emit`] gives back octet by octet. Information elements other than RP-User-Data behind the
//! mandatory part are refused, not skipped.

use std::fmt;

use crate::sms::address::{Address, AddressError};
use crate::sms::tpdu::{Deliver, Submit, TpduError};

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the phone to the network (mobile originated).
    FromPhone,
    /// From the network to the phone (mobile terminated).
    ToPhone,
}

/// A message of the relay layer. `mr` is RP-Message-Reference: an answer repeats that of the message it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// RP-DATA.
    Data {
        /// RP-Message-Reference.
        mr: u8,
        /// RP-Originator-Address: the service centre, towards the phone; else absent.
        oa: Option<Address>,
        /// RP-Destination-Address: the service centre, from the phone; else absent.
        da: Option<Address>,
        /// RP-User-Data.
        tpdu: Tpdu,
    },
    /// RP-ACK.
    Ack {
        /// RP-Message-Reference.
        mr: u8,
        /// RP-User-Data: SMS-DELIVER-REPORT or SMS-SUBMIT-REPORT.
        tpdu: Option<Tpdu>,
    },
    /// RP-ERROR.
    Error {
        /// RP-Message-Reference.
        mr: u8,
        /// RP-Cause.
        cause: Cause,
        /// The diagnostic octet that may follow the cause.
        diagnostic: Option<u8>,
        /// RP-User-Data: SMS-DELIVER-REPORT or SMS-SUBMIT-REPORT.
        tpdu: Option<Tpdu>,
    },
    /// RP-SMMA.
    Smma {
        /// RP-Message-Reference.
        mr: u8,
    },
}

impl Message {
    /// RP-DATA with an SMS-DELIVER from a service centre to the phone.
    #[must_use]
    pub fn deliver(mr: u8, service_centre: Address, deliver: &Deliver) -> Self {
        Self::Data {
            mr,
            oa: Some(service_centre),
            da: None,
            tpdu: deliver.into(),
        }
    }

    /// RP-DATA with an SMS-SUBMIT from the phone to a service centre.
    #[must_use]
    pub fn submit(mr: u8, service_centre: Address, submit: &Submit) -> Self {
        Self::Data {
            mr,
            oa: None,
            da: Some(service_centre),
            tpdu: submit.into(),
        }
    }

    /// RP-ERROR without diagnostic and report.
    #[must_use]
    pub const fn error(mr: u8, cause: Cause) -> Self {
        Self::Error {
            mr,
            cause,
            diagnostic: None,
            tpdu: None,
        }
    }

    /// Reads a message that came in `direction`.
    ///
    /// # Errors
    /// [`RpError`]; [`RpError::cause`] is what to answer with, under [`Message::reference`].
    pub fn parse(direction: Direction, octets: &[u8]) -> Result<Self, RpError> {
        let mut reader = Reader { rest: octets };
        let message_type = reader.octet("RP-Message-Type")?;
        let mr = reader.octet("RP-Message-Reference")?;
        let message = match (direction, message_type) {
            (Direction::FromPhone, mti::DATA_FROM_PHONE)
            | (Direction::ToPhone, mti::DATA_TO_PHONE) => Self::Data {
                mr,
                oa: reader.address("RP-Originator-Address")?,
                da: reader.address("RP-Destination-Address")?,
                tpdu: reader.tpdu()?,
            },
            (Direction::FromPhone, mti::ACK_FROM_PHONE)
            | (Direction::ToPhone, mti::ACK_TO_PHONE) => Self::Ack {
                mr,
                tpdu: reader.optional_tpdu()?,
            },
            (Direction::FromPhone, mti::ERROR_FROM_PHONE)
            | (Direction::ToPhone, mti::ERROR_TO_PHONE) => {
                let (cause, diagnostic) = reader.cause()?;
                Self::Error {
                    mr,
                    cause,
                    diagnostic,
                    tpdu: reader.optional_tpdu()?,
                }
            }
            (Direction::FromPhone, mti::SMMA) => Self::Smma { mr },
            (direction, got) => return Err(RpError::MessageType { direction, got }),
        };
        match reader.rest.len() {
            0 => Ok(message),
            got => Err(RpError::Trailing { got }),
        }
    }

    /// Writes the message as it goes in `direction`. RP-SMMA has only one.
    #[must_use]
    pub fn emit(&self, direction: Direction) -> Vec<u8> {
        let of = |from_phone, to_phone| match direction {
            Direction::FromPhone => from_phone,
            Direction::ToPhone => to_phone,
        };
        match self {
            Self::Data { mr, oa, da, tpdu } => {
                let mut out = vec![of(mti::DATA_FROM_PHONE, mti::DATA_TO_PHONE), *mr];
                emit_address(oa.as_ref(), &mut out);
                emit_address(da.as_ref(), &mut out);
                tpdu.emit(&mut out);
                out
            }
            Self::Ack { mr, tpdu } => {
                let mut out = vec![of(mti::ACK_FROM_PHONE, mti::ACK_TO_PHONE), *mr];
                emit_optional(tpdu.as_ref(), &mut out);
                out
            }
            Self::Error {
                mr,
                cause,
                diagnostic,
                tpdu,
            } => {
                let mut out = vec![of(mti::ERROR_FROM_PHONE, mti::ERROR_TO_PHONE), *mr];
                out.push(1 + u8::from(diagnostic.is_some()));
                out.push(cause.0);
                out.extend(*diagnostic);
                emit_optional(tpdu.as_ref(), &mut out);
                out
            }
            Self::Smma { mr } => vec![mti::SMMA, *mr],
        }
    }

    /// RP-Message-Reference.
    #[must_use]
    pub const fn mr(&self) -> u8 {
        match *self {
            Self::Data { mr, .. }
            | Self::Ack { mr, .. }
            | Self::Error { mr, .. }
            | Self::Smma { mr } => mr,
        }
    }

    /// The TPDU, if the message has one.
    #[must_use]
    pub const fn tpdu(&self) -> Option<&Tpdu> {
        match self {
            Self::Data { tpdu, .. } => Some(tpdu),
            Self::Ack { tpdu, .. } | Self::Error { tpdu, .. } => tpdu.as_ref(),
            Self::Smma { .. } => None,
        }
    }

    /// RP-Message-Reference of octets that do not parse, so that they can be answered; `None` if they end before it.
    #[must_use]
    pub fn reference(octets: &[u8]) -> Option<u8> {
        octets.get(field::MR).copied()
    }
}

/// RP-User-Data: the octets of a TPDU, not more than the element can hold.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Tpdu(Vec<u8>);

impl Tpdu {
    /// Octets that RP-User-Data can hold in every message (§8.2.5.3).
    pub const MAX: usize = 232;

    /// Takes the octets of a TPDU.
    ///
    /// # Errors
    /// [`RpError::TooLong`] above [`Tpdu::MAX`]; no TPDU of TS 23.040 is that long.
    pub fn new(octets: Vec<u8>) -> Result<Self, RpError> {
        if octets.len() > Self::MAX {
            return Err(RpError::TooLong { got: octets.len() });
        }
        Ok(Self(octets))
    }

    /// The octets.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    fn emit(&self, out: &mut Vec<u8>) {
        out.push(self.0.len() as u8);
        out.extend_from_slice(&self.0);
    }
}

impl From<&Deliver> for Tpdu {
    fn from(deliver: &Deliver) -> Self {
        Self(deliver.emit())
    }
}

impl From<&Submit> for Tpdu {
    fn from(submit: &Submit) -> Self {
        Self(submit.emit())
    }
}

impl fmt::Debug for Tpdu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tpdu({})", hex::encode(&self.0))
    }
}

/// RP-Cause (§8.2.5.4). The same number can mean different things in the two directions; unknown ones are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cause(pub u8);

impl Cause {
    /// Unassigned number.
    pub const UNASSIGNED_NUMBER: Self = Self(1);
    /// Operator determined barring.
    pub const OPERATOR_BARRING: Self = Self(8);
    /// Call barred.
    pub const CALL_BARRED: Self = Self(10);
    /// Short message transfer rejected.
    pub const TRANSFER_REJECTED: Self = Self(21);
    /// Memory capacity exceeded, said by the phone.
    pub const MEMORY_EXCEEDED: Self = Self(22);
    /// Destination out of order.
    pub const DESTINATION_OUT_OF_ORDER: Self = Self(27);
    /// Unidentified subscriber.
    pub const UNIDENTIFIED_SUBSCRIBER: Self = Self(28);
    /// Facility rejected.
    pub const FACILITY_REJECTED: Self = Self(29);
    /// Unknown subscriber.
    pub const UNKNOWN_SUBSCRIBER: Self = Self(30);
    /// Network out of order.
    pub const NETWORK_OUT_OF_ORDER: Self = Self(38);
    /// Temporary failure.
    pub const TEMPORARY_FAILURE: Self = Self(41);
    /// Congestion.
    pub const CONGESTION: Self = Self(42);
    /// Resources unavailable, unspecified.
    pub const RESOURCES_UNAVAILABLE: Self = Self(47);
    /// Requested facility not subscribed.
    pub const NOT_SUBSCRIBED: Self = Self(50);
    /// Requested facility not implemented.
    pub const NOT_IMPLEMENTED: Self = Self(69);
    /// Invalid short message transfer reference value.
    pub const INVALID_REFERENCE: Self = Self(81);
    /// Semantically incorrect message.
    pub const SEMANTICALLY_INCORRECT: Self = Self(95);
    /// Invalid mandatory information.
    pub const INVALID_MANDATORY: Self = Self(96);
    /// Message type non-existent or not implemented.
    pub const UNKNOWN_MESSAGE_TYPE: Self = Self(97);
    /// Message not compatible with the state of the protocol.
    pub const WRONG_STATE: Self = Self(98);
    /// Information element non-existent or not implemented.
    pub const UNKNOWN_ELEMENT: Self = Self(99);
    /// Protocol error, unspecified.
    pub const PROTOCOL_ERROR: Self = Self(111);
    /// Interworking, unspecified.
    pub const INTERWORKING: Self = Self(127);
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The cause of the RP-ERROR that answers a TPDU nobody can read.
impl From<&TpduError> for Cause {
    fn from(error: &TpduError) -> Self {
        match error {
            TpduError::MessageType { .. } => Self::PROTOCOL_ERROR,
            TpduError::Truncated { .. }
            | TpduError::Address { .. }
            | TpduError::UserData(_)
            | TpduError::Trailing { .. } => Self::INVALID_MANDATORY,
        }
    }
}

/// Why octets are no message of that direction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RpError {
    /// The octets end before a field.
    #[error("{field} needs {need} octets, got {got}")]
    Truncated {
        /// The field, by its name in the standard.
        field: &'static str,
        /// Octets needed.
        need: usize,
        /// Octets there.
        got: usize,
    },
    /// No message that goes this way.
    #[error("message type {got:02X} in direction {direction:?}")]
    MessageType {
        /// The direction expected.
        direction: Direction,
        /// The type octet.
        got: u8,
    },
    /// An address is broken.
    #[error("{field}: {source}")]
    Address {
        /// Which one.
        field: &'static str,
        /// What is wrong with it.
        source: AddressError,
    },
    /// RP-Cause of another length than 1 or 2.
    #[error("RP-Cause of {got} octets, expected 1 or 2")]
    CauseLength {
        /// Its length.
        got: u8,
    },
    /// An element that is not RP-User-Data.
    #[error("information element {got:02X}, expected 41")]
    Element {
        /// Its identifier.
        got: u8,
    },
    /// RP-User-Data longer than the element can be.
    #[error("RP-User-Data of {got} octets, at most {} are allowed", Tpdu::MAX)]
    TooLong {
        /// Its length.
        got: usize,
    },
    /// Octets behind the end of the message.
    #[error("{got} octets follow the end of the message")]
    Trailing {
        /// How many.
        got: usize,
    },
}

impl RpError {
    /// The cause of the RP-ERROR that answers such a message.
    #[must_use]
    pub const fn cause(&self) -> Cause {
        match self {
            Self::MessageType { .. } => Cause::UNKNOWN_MESSAGE_TYPE,
            Self::Element { .. } | Self::Trailing { .. } => Cause::UNKNOWN_ELEMENT,
            Self::Truncated { .. }
            | Self::Address { .. }
            | Self::CauseLength { .. }
            | Self::TooLong { .. } => Cause::INVALID_MANDATORY,
        }
    }
}

/// Places that every message has in common.
mod field {
    /// RP-Message-Reference.
    pub(super) const MR: usize = 1;
}

/// RP-Message-Type (§8.2.2); the spare bits are zero.
mod mti {
    pub(super) const DATA_FROM_PHONE: u8 = 0;
    pub(super) const DATA_TO_PHONE: u8 = 1;
    pub(super) const ACK_FROM_PHONE: u8 = 2;
    pub(super) const ACK_TO_PHONE: u8 = 3;
    pub(super) const ERROR_FROM_PHONE: u8 = 4;
    pub(super) const ERROR_TO_PHONE: u8 = 5;
    pub(super) const SMMA: u8 = 6;
}

/// Identifier of RP-User-Data where it is optional.
const USER_DATA_IEI: u8 = 0x41;

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn octet(&mut self, field: &'static str) -> Result<u8, RpError> {
        let (&octet, rest) = self.rest.split_first().ok_or(RpError::Truncated {
            field,
            need: 1,
            got: 0,
        })?;
        self.rest = rest;
        Ok(octet)
    }

    fn take(&mut self, need: usize, field: &'static str) -> Result<&'a [u8], RpError> {
        let (taken, rest) = self.rest.split_at_checked(need).ok_or(RpError::Truncated {
            field,
            need,
            got: self.rest.len(),
        })?;
        self.rest = rest;
        Ok(taken)
    }

    fn address(&mut self, field: &'static str) -> Result<Option<Address>, RpError> {
        let (address, rest) = Address::parse_counted(self.rest)
            .map_err(|source| RpError::Address { field, source })?;
        self.rest = rest;
        Ok(address)
    }

    fn cause(&mut self) -> Result<(Cause, Option<u8>), RpError> {
        match self.octet("RP-Cause")? {
            1 => Ok((Cause(self.octet("RP-Cause")?), None)),
            2 => {
                let cause = Cause(self.octet("RP-Cause")?);
                Ok((cause, Some(self.octet("RP-Cause")?)))
            }
            got => Err(RpError::CauseLength { got }),
        }
    }

    fn tpdu(&mut self) -> Result<Tpdu, RpError> {
        let length = usize::from(self.octet("RP-User-Data")?);
        if length > Tpdu::MAX {
            return Err(RpError::TooLong { got: length });
        }
        let octets = self.take(length, "RP-User-Data")?;
        Ok(Tpdu(octets.to_vec()))
    }

    fn optional_tpdu(&mut self) -> Result<Option<Tpdu>, RpError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        match self.octet("RP-User-Data")? {
            USER_DATA_IEI => self.tpdu().map(Some),
            got => Err(RpError::Element { got }),
        }
    }
}

fn emit_address(address: Option<&Address>, out: &mut Vec<u8>) {
    match address {
        Some(address) => address.emit_counted(out),
        None => out.push(0),
    }
}

fn emit_optional(tpdu: Option<&Tpdu>, out: &mut Vec<u8>) {
    if let Some(tpdu) = tpdu {
        out.push(USER_DATA_IEI);
        tpdu.emit(out);
    }
}

#[cfg(test)]
mod tests;

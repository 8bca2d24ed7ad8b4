//! The TPDUs of short message transfer: TS 23.040 §9.2.2.
//!
//! | message | direction | travels in | here |
//! |---|---|---|---|
//! | SMS-DELIVER | SC → MS | RP-DATA | [`Deliver`] |
//! | SMS-DELIVER-REPORT | MS → SC | RP-ACK, RP-ERROR | [`DeliverReport`] |
//! | SMS-SUBMIT | MS → SC | RP-DATA | [`Submit`] |
//! | SMS-SUBMIT-REPORT | SC → MS | RP-ACK, RP-ERROR | [`SubmitReport`] |
//! | SMS-STATUS-REPORT | SC → MS | RP-DATA | [`StatusReport`] |
//!
//! The message type bits alone do not tell SMS-DELIVER from its report, nor does anything in a report tell whether
//! it came in an RP-ACK or an RP-ERROR: direction and carrier do, so the caller says which message it expects.
//!
//! Contract: each `parse` accepts any octets without panicking and allocates at most what it was given; it wants the
//! message to end where its lengths say. For every message that parses, `emit` gives the same octets. Message type,
//! TP-UDHI and TP-VPF are no free bits: they follow from the value, and `flags` is the first octet without them.

use std::fmt;

use crate::sms::address::{Address, AddressError};
use crate::sms::scts::Scts;
use crate::sms::user_data::{UserData, UserDataError};

mod deliver;
mod report;
mod submit;
mod validity;

pub use deliver::Deliver;
pub use report::{DeliverReport, Fcs, Parameters, ReportIn, Status, StatusReport, SubmitReport};
pub use submit::Submit;
pub use validity::ValidityPeriod;

/// Bits of the first octet. Several share a place; the message decides which is meant.
pub mod first_octet {
    /// TP-MTI, message type indicator.
    pub const MTI: u8 = 0b0000_0011;
    /// TP-MMS in SMS-DELIVER and SMS-STATUS-REPORT: set when *no* more messages are waiting.
    pub const MMS: u8 = 0b0000_0100;
    /// TP-RD in SMS-SUBMIT: duplicates are to be rejected.
    pub const RD: u8 = 0b0000_0100;
    /// TP-LP in SMS-DELIVER and SMS-STATUS-REPORT: loop prevention.
    pub const LP: u8 = 0b0000_1000;
    /// TP-VPF in SMS-SUBMIT: format of the validity period.
    pub const VPF: u8 = 0b0001_1000;
    /// TP-SRI in SMS-DELIVER: a status report goes to the sender.
    pub const SRI: u8 = 0b0010_0000;
    /// TP-SRR in SMS-SUBMIT: a status report is requested.
    pub const SRR: u8 = 0b0010_0000;
    /// TP-SRQ in SMS-STATUS-REPORT: the report answers a command, not a submission.
    pub const SRQ: u8 = 0b0010_0000;
    /// TP-UDHI: the user data begins with a header.
    pub const UDHI: u8 = 0b0100_0000;
    /// TP-RP: a reply path exists.
    pub const RP: u8 = 0b1000_0000;
}

/// TP-MTI, two bits. The same value means another message in the other direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mti(u8);

impl Mti {
    /// SMS-DELIVER towards the phone, SMS-DELIVER-REPORT from it.
    pub const DELIVER: Self = Self(0b00);
    /// SMS-SUBMIT from the phone, SMS-SUBMIT-REPORT towards it.
    pub const SUBMIT: Self = Self(0b01);
    /// SMS-STATUS-REPORT towards the phone, SMS-COMMAND from it.
    pub const STATUS_REPORT: Self = Self(0b10);

    /// The type that a first octet names.
    #[must_use]
    pub const fn of(first_octet: u8) -> Self {
        Self(first_octet & first_octet::MTI)
    }

    /// The two bits.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// TP-PID, protocol identifier (§9.2.3.9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pid(pub u8);

impl Pid {
    /// A plain short message.
    pub const DEFAULT: Self = Self(0x00);
    /// (U)SIM data download: with class 2, the phone passes the message to the card's toolkit.
    pub const SIM_DATA_DOWNLOAD: Self = Self(0x7F);
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02X}", self.0)
    }
}

/// Why octets are not the message that was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TpduError {
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
    /// Another message, or the reserved type.
    #[error("message type {:02b}, expected {:02b}", got.0, expected.0)]
    MessageType {
        /// The type expected.
        expected: Mti,
        /// The type found.
        got: Mti,
    },
    /// An address is broken.
    #[error("{field}: {source}")]
    Address {
        /// TP-OA, TP-DA or TP-RA.
        field: &'static str,
        /// What is wrong with it.
        source: AddressError,
    },
    /// TP-UDL, TP-UD or the header in it is broken.
    #[error("TP-UD: {0}")]
    UserData(#[from] UserDataError),
    /// Octets behind the end of the message.
    #[error("{got} octets follow the end of the message")]
    Trailing {
        /// How many.
        got: usize,
    },
}

/// Takes fields off the front of a message.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts behind the first octet, which must name `expected`.
    fn new(octets: &'a [u8], expected: Mti) -> Result<(u8, Self), TpduError> {
        let mut reader = Self { rest: octets };
        let first = reader.octet("first octet")?;
        let got = Mti::of(first);
        if got != expected {
            return Err(TpduError::MessageType { expected, got });
        }
        Ok((first, reader))
    }

    fn octet(&mut self, field: &'static str) -> Result<u8, TpduError> {
        self.array::<1>(field).map(|[octet]| octet)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], TpduError> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(TpduError::Truncated {
            field,
            need: N,
            got: self.rest.len(),
        })?;
        self.rest = rest;
        Ok(*array)
    }

    fn scts(&mut self, field: &'static str) -> Result<Scts, TpduError> {
        self.array(field).map(Scts)
    }

    fn address(&mut self, field: &'static str) -> Result<Address, TpduError> {
        let (address, rest) =
            Address::parse(self.rest).map_err(|source| TpduError::Address { field, source })?;
        self.rest = rest;
        Ok(address)
    }

    fn take_rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    fn end(self) -> Result<(), TpduError> {
        match self.rest.len() {
            0 => Ok(()),
            got => Err(TpduError::Trailing { got }),
        }
    }
}

/// The first octet as it goes out: type and TP-UDHI follow the value, the rest are its flags.
fn outgoing(flags: u8, mti: Mti, user_data: Option<&UserData>) -> u8 {
    let first_octet = flags & !first_octet::MTI | mti.0;
    match user_data {
        None => first_octet,
        Some(user_data) if user_data.udh().is_some() => first_octet | first_octet::UDHI,
        Some(_) => first_octet & !first_octet::UDHI,
    }
}

/// The inverse of [`outgoing`]: what is left when type and TP-UDHI are told by the value.
fn flags(first_octet: u8, user_data: Option<&UserData>) -> u8 {
    let told = match user_data {
        None => first_octet::MTI,
        Some(_) => first_octet::MTI | first_octet::UDHI,
    };
    first_octet & !told
}

#[cfg(test)]
mod tests;

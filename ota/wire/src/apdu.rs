//! ISO/IEC 7816-4 and ETSI TS 102 221 §7, §10: command and response APDUs with short lengths.
//!
//! What arrives on a reader is a T=0 TPDU more often than an APDU: clients strip Le from a command that also has
//! data, and pad a command without data to P3 = 00. [`Command::parse`] therefore takes 4, 5, 5 + Lc and 5 + Lc + 1
//! octets, and [`Command::p3`] gives back the octet that a T=0 card looks at.
//!
//! # Panics
//! Nothing here panics on any input. [`Command::emit`] shortens data to 255 octets, the most that Lc can say.

use core::fmt;
use core::ops::Range;

use thiserror::Error;

mod sw;

pub use sw::Sw;

/// Octets of CLA, INS, P1 and P2.
const HEADER_LEN: usize = 4;
/// Where the data begins: behind the header and P3.
const DATA: usize = 5;

/// Most octets of command data (Lc is one octet).
pub const MAX_DATA: usize = 255;

/// A command APDU, TS 102 221 §10.1.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    /// CLA: `00` inter-industry, `80` UICC and GlobalPlatform, `A0` TS 51.011; low bits name the channel.
    pub cla: u8,
    /// INS.
    pub ins: Ins,
    /// P1.
    pub p1: u8,
    /// P2.
    pub p2: u8,
    /// Command data, 0 to 255 octets.
    pub data: Vec<u8>,
    /// Octets of response data asked for, 1 to 256. `None`: no Le was sent.
    ///
    /// Five octets alone do not tell Le from an empty Lc; they are read as Le. A card decides by INS, with
    /// [`Command::p3`].
    pub le: Option<usize>,
}

impl Command {
    /// A command without data and without Le.
    pub const fn new(cla: u8, ins: Ins, p1: u8, p2: u8) -> Self {
        Self {
            cla,
            ins,
            p1,
            p2,
            data: Vec::new(),
            le: None,
        }
    }

    /// The same command with data (at most [`MAX_DATA`] octets are sent).
    #[must_use]
    pub fn with_data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = data.into();
        self
    }

    /// The same command with Le, 1 to 256.
    #[must_use]
    pub const fn with_le(mut self, le: usize) -> Self {
        self.le = Some(le);
        self
    }

    /// Reads a command of 4, 5, 5 + Lc or 5 + Lc + 1 octets.
    ///
    /// # Errors
    /// [`CommandError`]; its [`CommandError::sw`] is what a card answers.
    pub fn parse(bytes: &[u8]) -> Result<Self, CommandError> {
        let [cla, ins, p1, p2, rest @ ..] = bytes else {
            return Err(CommandError::Header { got: bytes.len() });
        };
        let (data, le) = match rest {
            [] => (&[][..], None),
            [p3] => (&[][..], Some(le_octets(*p3))),
            [lc, body @ ..] => {
                let lc = usize::from(*lc);
                let data = body.get(..lc).ok_or(CommandError::Length {
                    expected: lc,
                    got: body.len(),
                })?;
                match body[lc..] {
                    [] => (data, None),
                    [le] => (data, Some(le_octets(le))),
                    _ => {
                        return Err(CommandError::Length {
                            expected: lc,
                            got: body.len(),
                        });
                    }
                }
            }
        };
        Ok(Self {
            cla: *cla,
            ins: Ins(*ins),
            p1: *p1,
            p2: *p2,
            data: data.to_vec(),
            le,
        })
    }

    /// The command as octets: 4, 5, 5 + Lc or 5 + Lc + 1 of them.
    pub fn emit(&self) -> Vec<u8> {
        let data = &self.data[..self.data.len().min(MAX_DATA)];
        let mut out = Vec::with_capacity(DATA + data.len() + 1);
        out.extend([self.cla, self.ins.0, self.p1, self.p2]);
        if !data.is_empty() {
            out.push(data.len() as u8);
            out.extend_from_slice(data);
        }
        out.extend(self.le.map(le_octet));
        out
    }

    /// The command as a T=0 TPDU: header, P3, data; never an Le behind data.
    pub fn emit_t0(&self) -> Vec<u8> {
        let data = &self.data[..self.data.len().min(MAX_DATA)];
        let mut out = vec![self.cla, self.ins.0, self.p1, self.p2, self.p3()];
        out.extend_from_slice(data);
        out
    }

    /// P3 as a T=0 card sees it: Lc where there is data, else Le with `00` for 256, else `00`.
    pub fn p3(&self) -> u8 {
        if self.data.is_empty() {
            self.le.map_or(0, le_octet)
        } else {
            self.data.len().min(MAX_DATA) as u8
        }
    }

    /// The logical channel that CLA names, 0 to 19 (TS 102 221 §10.1.1).
    pub const fn channel(&self) -> u8 {
        match self.cla {
            0x40..=0x7F | 0xC0..=0xFF => 4 + (self.cla & 0x0F),
            0xA0..=0xAF => 0,
            _ => self.cla & 0x03,
        }
    }

    /// Whether the data is a PIN, a PUK or a key, as the instruction code tells.
    pub const fn data_is_secret(&self) -> bool {
        matches!(
            self.ins,
            Ins::VERIFY_PIN
                | Ins::CHANGE_PIN
                | Ins::DISABLE_PIN
                | Ins::ENABLE_PIN
                | Ins::UNBLOCK_PIN
                | Ins::PUT_KEY
        )
    }

    /// Where [`Command::emit`] puts data that must not be shown.
    ///
    /// The PIN inside a TERMINAL RESPONSE is found by [`crate::cat::TerminalResponse`] instead.
    pub fn secret_range(&self) -> Option<Range<usize>> {
        let len = self.data.len().min(MAX_DATA);
        (self.data_is_secret() && len > 0).then(|| DATA..DATA + len)
    }
}

impl TryFrom<&[u8]> for Command {
    type Error = CommandError;

    fn try_from(bytes: &[u8]) -> Result<Self, CommandError> {
        Self::parse(bytes)
    }
}

impl fmt::Debug for Command {
    /// Never shows a PIN: secret data is only counted, and so is every TERMINAL RESPONSE.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Command");
        debug
            .field("cla", &format_args!("{:02X}", self.cla))
            .field("ins", &self.ins)
            .field("p1", &format_args!("{:02X}", self.p1))
            .field("p2", &format_args!("{:02X}", self.p2));
        if self.data_is_secret() || self.ins == Ins::TERMINAL_RESPONSE {
            debug.field("data", &format_args!("({} octets)", self.data.len()));
        } else {
            debug.field("data", &format_args!("{}", hex::encode_upper(&self.data)));
        }
        debug.field("le", &self.le).finish()
    }
}

/// Why octets are no command APDU.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum CommandError {
    /// Fewer octets than CLA, INS, P1 and P2.
    #[error("a command has at least {} octets, got {got}", HEADER_LEN)]
    Header {
        /// Octets there were.
        got: usize,
    },
    /// What follows P3 is neither Lc octets nor Lc octets and an Le.
    #[error("Lc announces {expected} octets of data, {got} octets follow it")]
    Length {
        /// Lc.
        expected: usize,
        /// Octets behind P3.
        got: usize,
    },
}

impl CommandError {
    /// The status word a card answers with.
    pub const fn sw(self) -> Sw {
        Sw::WRONG_LENGTH
    }
}

/// A response APDU: data and status word, TS 102 221 §10.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Response data, 0 to 256 octets.
    pub data: Vec<u8>,
    /// SW1 SW2.
    pub sw: Sw,
}

impl Response {
    /// A response with data.
    pub fn new(data: impl Into<Vec<u8>>, sw: Sw) -> Self {
        Self {
            data: data.into(),
            sw,
        }
    }

    /// Reads data and the two octets of the status word.
    ///
    /// # Errors
    /// [`ResponseError`] for fewer than two octets.
    pub fn parse(bytes: &[u8]) -> Result<Self, ResponseError> {
        match bytes {
            [data @ .., sw1, sw2] => Ok(Self {
                data: data.to_vec(),
                sw: Sw(u16::from_be_bytes([*sw1, *sw2])),
            }),
            _ => Err(ResponseError { got: bytes.len() }),
        }
    }

    /// Data, SW1, SW2.
    pub fn emit(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.data.len() + 2);
        out.extend_from_slice(&self.data);
        out.extend(self.sw.0.to_be_bytes());
        out
    }
}

impl From<Sw> for Response {
    fn from(sw: Sw) -> Self {
        Self {
            data: Vec::new(),
            sw,
        }
    }
}

/// A response without a status word.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a response ends in a status word of 2 octets, got {got} octets in all")]
pub struct ResponseError {
    /// Octets there were.
    pub got: usize,
}

/// An instruction code. Unknown ones survive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ins(pub u8);

macro_rules! instructions {
    ($($(#[$doc:meta])* $constant:ident = $code:literal, $name:literal;)*) => {
        impl Ins {
            $($(#[$doc])* pub const $constant: Self = Self($code);)*

            /// The standard's name, `None` for a code this crate does not know.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some($name),)*
                    _ => None,
                }
            }
        }
    };
}

instructions! {
    /// DEACTIVATE FILE.
    DEACTIVATE_FILE = 0x04, "DEACTIVATE FILE";
    /// TERMINAL PROFILE.
    TERMINAL_PROFILE = 0x10, "TERMINAL PROFILE";
    /// FETCH.
    FETCH = 0x12, "FETCH";
    /// TERMINAL RESPONSE.
    TERMINAL_RESPONSE = 0x14, "TERMINAL RESPONSE";
    /// VERIFY PIN; with Lc 0 it asks for the tries left.
    VERIFY_PIN = 0x20, "VERIFY PIN";
    /// CHANGE PIN.
    CHANGE_PIN = 0x24, "CHANGE PIN";
    /// DISABLE PIN.
    DISABLE_PIN = 0x26, "DISABLE PIN";
    /// ENABLE PIN.
    ENABLE_PIN = 0x28, "ENABLE PIN";
    /// UNBLOCK PIN; with Lc 0 it asks for the tries left.
    UNBLOCK_PIN = 0x2C, "UNBLOCK PIN";
    /// INCREASE.
    INCREASE = 0x32, "INCREASE";
    /// ACTIVATE FILE.
    ACTIVATE_FILE = 0x44, "ACTIVATE FILE";
    /// GlobalPlatform INITIALIZE UPDATE.
    INITIALIZE_UPDATE = 0x50, "INITIALIZE UPDATE";
    /// MANAGE CHANNEL.
    MANAGE_CHANNEL = 0x70, "MANAGE CHANNEL";
    /// GlobalPlatform (and ISO 7816-4) EXTERNAL AUTHENTICATE.
    EXTERNAL_AUTHENTICATE = 0x82, "EXTERNAL AUTHENTICATE";
    /// GET CHALLENGE.
    GET_CHALLENGE = 0x84, "GET CHALLENGE";
    /// AUTHENTICATE; RUN GSM ALGORITHM under class `A0`.
    AUTHENTICATE = 0x88, "AUTHENTICATE";
    /// SEARCH RECORD; SEEK under class `A0`.
    SEARCH_RECORD = 0xA2, "SEARCH RECORD";
    /// SELECT.
    SELECT = 0xA4, "SELECT";
    /// TERMINAL CAPABILITY.
    TERMINAL_CAPABILITY = 0xAA, "TERMINAL CAPABILITY";
    /// READ BINARY.
    READ_BINARY = 0xB0, "READ BINARY";
    /// READ RECORD.
    READ_RECORD = 0xB2, "READ RECORD";
    /// GET RESPONSE.
    GET_RESPONSE = 0xC0, "GET RESPONSE";
    /// ENVELOPE.
    ENVELOPE = 0xC2, "ENVELOPE";
    /// GET DATA.
    GET_DATA = 0xCA, "GET DATA";
    /// UPDATE BINARY.
    UPDATE_BINARY = 0xD6, "UPDATE BINARY";
    /// GlobalPlatform PUT KEY.
    PUT_KEY = 0xD8, "PUT KEY";
    /// UPDATE RECORD.
    UPDATE_RECORD = 0xDC, "UPDATE RECORD";
    /// GlobalPlatform STORE DATA.
    STORE_DATA = 0xE2, "STORE DATA";
    /// GlobalPlatform DELETE.
    DELETE = 0xE4, "DELETE";
    /// GlobalPlatform INSTALL.
    INSTALL = 0xE6, "INSTALL";
    /// GlobalPlatform LOAD.
    LOAD = 0xE8, "LOAD";
    /// GlobalPlatform SET STATUS.
    SET_STATUS = 0xF0, "SET STATUS";
    /// SLEEP of class `A0`.
    SLEEP = 0xFA, "SLEEP";
    /// STATUS; GlobalPlatform GET STATUS on a selected security domain.
    STATUS = 0xF2, "STATUS";
}

impl fmt::Debug for Ins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Ins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({:02X})", self.0),
            None => write!(f, "INS {:02X}", self.0),
        }
    }
}

const fn le_octets(le: u8) -> usize {
    if le == 0 { 256 } else { le as usize }
}

/// 256 and everything a short Le cannot say becomes `00`, "as many as there are".
const fn le_octet(le: usize) -> u8 {
    if le > 255 { 0 } else { le as u8 }
}

#[cfg(test)]
mod tests;

//! Any message of the chain, read layer by layer.
//!
//! The dissectors are those of [`ota_wire::dissect`], with SMPP around them. Secret values (PINs, passwords) are
//! masked in everything that a [`Tree`] prints by itself.

use std::fmt;
use std::str::FromStr;

use ota_wire::dissect::{self, Keys, Tree};
use ota_wire::sms::tpdu::{Mti, ReportIn};
use serde::Serialize;

pub mod keys;
mod smpp;

/// A format to read octets as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An SMPP PDU, header included.
    Smpp,
    /// A challenge or a response of the applet protocol.
    Applet,
    /// A command packet of TS 102 225, from CPL on.
    CommandPacket,
    /// A response packet of TS 102 225, with or without its user data header.
    ResponsePacket,
    /// A proactive command or the data of an ENVELOPE.
    Cat,
    /// The data of a TERMINAL RESPONSE.
    TerminalResponse,
    /// A short message to a phone: SMS-DELIVER.
    MtTpdu,
    /// A short message from a phone: SMS-SUBMIT.
    MoTpdu,
    /// SMS-DELIVER-REPORT, SMS-SUBMIT-REPORT or SMS-STATUS-REPORT.
    Report,
    /// A message between phone and SMSC, TS 24.011.
    Rp,
    /// A command APDU.
    CApdu,
    /// A response APDU.
    RApdu,
    /// A command script of remote management, TS 102 226.
    RemoteScript,
    /// A response of remote management, TS 102 226.
    RemoteResponse,
    /// BER-TLV of any kind.
    Tlv,
}

impl Kind {
    /// All kinds, the most specific first.
    pub const ALL: [Self; 15] = [
        Self::Smpp,
        Self::Applet,
        Self::CommandPacket,
        Self::ResponsePacket,
        Self::Cat,
        Self::TerminalResponse,
        Self::MtTpdu,
        Self::MoTpdu,
        Self::Report,
        Self::Rp,
        Self::CApdu,
        Self::RApdu,
        Self::RemoteScript,
        Self::Tlv,
        Self::RemoteResponse,
    ];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smpp => "smpp",
            Self::Applet => "applet",
            Self::CommandPacket => "command-packet",
            Self::ResponsePacket => "response-packet",
            Self::Cat => "cat",
            Self::TerminalResponse => "terminal-response",
            Self::MtTpdu => "mt-tpdu",
            Self::MoTpdu => "mo-tpdu",
            Self::Report => "report",
            Self::Rp => "rp",
            Self::CApdu => "c-apdu",
            Self::RApdu => "r-apdu",
            Self::RemoteScript => "remote-script",
            Self::RemoteResponse => "remote-response",
            Self::Tlv => "tlv",
        }
    }

    /// The one reading of this kind, with errors in it if the octets are something else.
    fn read(self, bytes: &[u8], keys: &Keys) -> Tree {
        match self {
            Self::Smpp => smpp::pdu(bytes, keys),
            Self::Applet => dissect::applet_message(bytes, keys),
            Self::CommandPacket => dissect::command_packet(bytes, keys),
            Self::ResponsePacket => dissect::response_packet(bytes, keys),
            Self::Cat if bytes.first() == Some(&ota_wire::cat::PROACTIVE_COMMAND) => {
                dissect::proactive_command(bytes, keys)
            }
            Self::Cat => dissect::envelope(bytes, keys),
            Self::TerminalResponse => dissect::terminal_response(bytes, keys),
            Self::MtTpdu => dissect::deliver(bytes, keys),
            Self::MoTpdu => dissect::submit(bytes, keys),
            Self::Report => report(bytes, keys),
            Self::Rp => dissect::rp_message(bytes, keys),
            Self::CApdu => dissect::command_apdu(bytes, keys),
            Self::RApdu => dissect::response_apdu(bytes, keys),
            Self::RemoteScript => dissect::command_script(bytes, keys),
            Self::RemoteResponse => dissect::compact_response(bytes, keys),
            Self::Tlv => dissect::ber_tlv(bytes),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| UnknownKind {
                got: text.to_owned(),
            })
    }
}

/// A name that is not one of [`Kind::ALL`].
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("no kind {got:?}; expected one of {}", Kind::ALL.map(Kind::name).join(", "))]
pub struct UnknownKind {
    got: String,
}

/// Octets read as one kind of message.
#[derive(Clone, Debug, Serialize)]
pub struct Reading {
    /// As what.
    pub kind: Kind,
    /// Their layers.
    pub tree: Tree,
}

/// Reads octets as `kind`, or as every kind that they are completely, the most specific first.
///
/// With a kind there is always one reading, which holds error nodes where the octets are something else. Without,
/// there may be none.
pub fn decode(kind: Option<Kind>, bytes: &[u8], keys: Option<&Keys>) -> Vec<Reading> {
    let none = Keys::default();
    let keys = keys.unwrap_or(&none);
    let read = |kind: Kind| Reading {
        kind,
        tree: kind.read(bytes, keys),
    };
    match kind {
        Some(kind) => vec![read(kind)],
        None => Kind::ALL
            .into_iter()
            .map(read)
            .filter(|reading| reading.tree.is_complete())
            .collect(),
    }
}

/// The reading of octets that are nothing completely: the one whose first error comes latest, and of those the most
/// specific.
pub fn nearest(bytes: &[u8], keys: Option<&Keys>) -> Option<Reading> {
    let first_error = |reading: &Reading| reading.tree.first_error().map(|error| error.range.start);
    Kind::ALL
        .into_iter()
        .rev()
        .flat_map(|kind| decode(Some(kind), bytes, keys))
        .max_by_key(first_error)
}

/// A report by its TP-MTI. Whether it came in an RP-ACK or an RP-ERROR it does not say: the reading that is complete
/// is taken, else the one that the second octet speaks for (values of TP-FCS have their highest bit set).
fn report(bytes: &[u8], keys: &Keys) -> Tree {
    let mti = Mti::of(bytes.first().copied().unwrap_or_default());
    let in_ack = bytes.get(1).is_none_or(|second| second & 0x80 == 0);
    let carriers = if in_ack {
        [ReportIn::Ack, ReportIn::Error]
    } else {
        [ReportIn::Error, ReportIn::Ack]
    };
    let read = |carrier| match mti {
        Mti::SUBMIT => dissect::submit_report(bytes, carrier, keys),
        Mti::STATUS_REPORT => dissect::status_report(bytes, keys),
        _ => dissect::deliver_report(bytes, carrier, keys),
    };
    let [likely, other] = carriers.map(read);
    if other.is_complete() && !likely.is_complete() {
        other
    } else {
        likely
    }
}

#[cfg(test)]
mod tests;

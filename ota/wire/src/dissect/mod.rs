//! Layer-by-layer readings of every format of this crate, for people.
//!
//! A dissector is total: it makes a [`Tree`] of any octets. Where they are not what the format says, the tree holds a
//! node named [`ERROR`] that tells what was expected and what came, and what can still be read is read. Payloads are
//! dissected in turn: an ENVELOPE holds a TPDU, that a user data header, that a command packet, that an applet message.
//!
//! A tree without an error node accounts for every octet, and the parser of the format accepts them
//! ([`Tree::is_complete`]).
//!
//! Ranges count from the start of what was handed in, also inside ciphered data, where the plain octets lie at the
//! places of the ciphered ones.
//!
//! # Panics
//! Nothing here panics on any input. Nesting is followed to a fixed depth.

use crate::keys::{KeySet, MacAlgorithm};
use crate::secret::Secret;
use crate::sms::tpdu::ReportIn;

mod apdu;
mod applet;
mod cat;
mod cursor;
mod packet;
mod remote;
mod rp;
mod sms;
mod tlv;
mod tree;

pub use tree::{ERROR, Printer, Tree};

use cursor::Part;

/// What a reader may open secured messages with. Without keys only clear fields are shown.
#[derive(Default)]
pub struct Keys {
    /// Key sets of the card, for command and response packets.
    pub key_sets: Vec<KeySet>,
    /// MAC keys of the applet on it.
    pub applet: Vec<(MacAlgorithm, Secret)>,
}

impl Keys {
    /// The applet key for an algorithm; both use keys of 16 octets.
    fn applet_key(&self, algorithm: MacAlgorithm) -> Option<&Secret> {
        self.applet
            .iter()
            .find(|(of, key)| *of == algorithm && key.len() == 16)
            .map(|(_, key)| key)
    }
}

/// A command APDU, TS 102 221 §10.1.
pub fn command_apdu(bytes: &[u8], keys: &Keys) -> Tree {
    apdu::command(Part::new(bytes), keys)
}

/// A response APDU, TS 102 221 §10.2.
pub fn response_apdu(bytes: &[u8], keys: &Keys) -> Tree {
    apdu::response(Part::new(bytes), keys)
}

/// The data of an ENVELOPE, TS 102 223 §7, TS 31.111 §7.1.
pub fn envelope(bytes: &[u8], keys: &Keys) -> Tree {
    cat::envelope(Part::new(bytes), keys)
}

/// A proactive command, TS 102 223 §6.6.
pub fn proactive_command(bytes: &[u8], keys: &Keys) -> Tree {
    cat::proactive(Part::new(bytes), keys)
}

/// The data of a TERMINAL RESPONSE, TS 102 223 §6.8. Hidden input is marked as secret.
pub fn terminal_response(bytes: &[u8], keys: &Keys) -> Tree {
    cat::terminal_response(Part::new(bytes), keys)
}

/// SMS-DELIVER, TS 23.040 §9.2.2.1.
pub fn deliver(bytes: &[u8], keys: &Keys) -> Tree {
    sms::deliver(Part::new(bytes), keys)
}

/// SMS-SUBMIT, TS 23.040 §9.2.2.2.
pub fn submit(bytes: &[u8], keys: &Keys) -> Tree {
    sms::submit(Part::new(bytes), keys)
}

/// SMS-DELIVER-REPORT, TS 23.040 §9.2.2.1a.
pub fn deliver_report(bytes: &[u8], carrier: ReportIn, keys: &Keys) -> Tree {
    sms::deliver_report(Part::new(bytes), carrier, keys)
}

/// SMS-SUBMIT-REPORT, TS 23.040 §9.2.2.2a.
pub fn submit_report(bytes: &[u8], carrier: ReportIn, keys: &Keys) -> Tree {
    sms::submit_report(Part::new(bytes), carrier, keys)
}

/// SMS-STATUS-REPORT, TS 23.040 §9.2.2.3.
pub fn status_report(bytes: &[u8], keys: &Keys) -> Tree {
    sms::status_report(Part::new(bytes), keys)
}

/// TP-UD without TP-UDL, as SMPP carries it; `udhi`: it begins with a header.
pub fn user_data(bytes: &[u8], udhi: bool, keys: &Keys) -> Tree {
    sms::user_data(Part::new(bytes), udhi, keys)
}

/// A command packet from CPL on, TS 102 225 §5.1, TS 31.115 §4.2.
pub fn command_packet(bytes: &[u8], keys: &Keys) -> Tree {
    packet::command(Part::new(bytes), keys)
}

/// A response packet, with its user data header or from RPL on, TS 102 225 §5.2, TS 31.115 §4.4.
pub fn response_packet(bytes: &[u8], keys: &Keys) -> Tree {
    packet::response_any(Part::new(bytes), keys)
}

/// Secured data for remote management: a compact command script, TS 102 226 §5.1.1.
pub fn command_script(bytes: &[u8], keys: &Keys) -> Tree {
    remote::script(Part::new(bytes), keys)
}

/// Additional response data of remote management: a compact response, TS 102 226 §5.1.2.
pub fn compact_response(bytes: &[u8], keys: &Keys) -> Tree {
    remote::response(Part::new(bytes), keys)
}

/// A challenge or a response of the applet protocol.
pub fn applet_message(bytes: &[u8], keys: &Keys) -> Tree {
    applet::message(Part::new(bytes), keys)
}

/// An RP message, TS 24.011 §7.3.
pub fn rp_message(bytes: &[u8], keys: &Keys) -> Tree {
    rp::message(Part::new(bytes), keys)
}

/// A sequence of BER-TLV objects.
pub fn ber_tlv(bytes: &[u8]) -> Tree {
    tlv::objects(Part::new(bytes))
}

#[cfg(test)]
mod tests;

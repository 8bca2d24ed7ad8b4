//! What the fuzzers call: a function of octets for each parser, by name. README.md tells how to add one.
//!
//! The functions panic when a parser breaks its contract. They are called by fuzz_targets/ and, with seeds, by the normal
//! tests, which include this file as a module: names of this crate start with `super`, not with `crate`.
#![allow(
    unreachable_pub,
    reason = "public for the fuzzers, a private module of the tests"
)]

pub mod apdu;
pub mod applet;
pub mod card;
pub mod handset;
pub mod mss;
pub mod op;
pub mod packet;
pub mod pki;
mod sim;
pub mod smpp;
pub mod sms;

/// A parser under test.
pub type Target = fn(&[u8]);

/// All of them.
pub const TARGETS: &[(&str, Target)] = &[
    ("address", sms::address),
    ("applet_challenge", applet::challenge),
    ("applet_response", applet::response),
    ("c_apdu", apdu::command),
    ("card", card::session),
    ("certificate", pki::certificate),
    ("client_certificate", op::certificate),
    ("command_packet", packet::command),
    ("concat", sms::concat),
    ("crl", pki::crl),
    ("deliver", sms::deliver),
    ("deliver_report", sms::deliver_report),
    ("der", pki::der),
    ("envelope", apdu::envelope),
    ("form", op::form),
    ("gsm7", sms::gsm7),
    ("handset", handset::session),
    ("jwe", op::jwe),
    ("jwk_set", op::jwk_set),
    ("jws", op::jws),
    ("mss_envelope", mss::envelope),
    ("mss_handshake_req", mss::handshake),
    ("mss_json", mss::json),
    ("mss_profile_req", mss::profile),
    ("mss_receipt_req", mss::receipt),
    ("mss_registration_req", mss::registration),
    ("mss_request", mss::request),
    ("mss_signature_req", mss::signature),
    ("mss_status_req", mss::status),
    ("proactive_command", apdu::proactive_command),
    ("r_apdu", apdu::response),
    ("remote_response", apdu::remote_response),
    ("remote_script", apdu::remote_script),
    ("request_object", op::request_object),
    ("response_packet", packet::response),
    ("rp", sms::rp),
    ("signed_data", pki::signed_message),
    ("smpp_esme", smpp::esme),
    ("smpp_pdu", smpp::pdu),
    ("smpp_session", smpp::session),
    ("status_report", sms::status_report),
    ("submit", sms::submit),
    ("submit_report", sms::submit_report),
    ("terminal_response", apdu::terminal_response),
    ("tlv", apdu::tlv),
    ("udh", sms::udh),
];

/// Numbers and choices off the front of an input; zeros when it is used up.
pub struct Choices<'a>(pub &'a [u8]);

impl<'a> Choices<'a> {
    /// The next octet.
    pub fn octet(&mut self) -> u8 {
        match self.0.split_first() {
            Some((&first, rest)) => {
                self.0 = rest;
                first
            }
            None => 0,
        }
    }

    /// A piece whose length is the next octet, shorter if the input ends.
    pub fn piece(&mut self) -> &'a [u8] {
        let len = usize::from(self.octet()).min(self.0.len());
        let (piece, rest) = self.0.split_at(len);
        self.0 = rest;
        piece
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

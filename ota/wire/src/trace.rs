//! What the parties report of themselves: rows of a transaction's trace, and the ids that join them.
//!
//! Every event names its own id and the id of what caused it. The chain of a transaction is
//! `auth_req_id` ← `ap_trans_id` ← `mssp_trans_id` ← `applet` ← `job` ← `smpp` ← `rp` ← `card` ← `rp-mo` ← `smpp`.

use std::fmt::{self, Write as _};
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::ids::{Iccid, Msisdn};

/// The id of one link of the chain, as text `kind:value`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(String);

impl Id {
    /// An id of any kind.
    pub fn new(kind: &str, value: impl fmt::Display) -> Self {
        // Room for most: a text that grows is copied.
        let mut text = String::with_capacity(kind.len() + 32);
        // Writing to a text cannot fail.
        let _ = write!(text, "{kind}:{value}");
        Self(text)
    }

    fn of(kind: &str, value: &str) -> Self {
        Self([kind, ":", value].concat())
    }

    /// The RP's request at the OP.
    pub fn auth_req_id(value: &str) -> Self {
        Self::of("auth_req_id", value)
    }

    /// The OP's request at the MSSP.
    pub fn ap_trans_id(value: &str) -> Self {
        Self::of("ap_trans_id", value)
    }

    /// The MSSP's transaction.
    pub fn mssp_trans_id(value: &str) -> Self {
        Self::of("mssp_trans_id", value)
    }

    /// The challenge with this applet counter.
    pub fn applet(iccid: &Iccid, ctr: u64) -> Self {
        Self::new("applet", format_args!("{iccid}:{ctr}"))
    }

    /// The OTA platform's job.
    pub fn job(id: &str) -> Self {
        Self::of("job", id)
    }

    /// The short message at the SMSC.
    pub fn smpp(message_id: &str) -> Self {
        Self::of("smpp", message_id)
    }

    /// An RP message from the SMSC to a handset.
    pub fn rp(to: &Msisdn, reference: u8) -> Self {
        Self::new("rp", format_args!("{}:{reference}", to.digits()))
    }

    /// An RP message from a handset to the SMSC.
    pub fn rp_mo(from: &Msisdn, reference: u8) -> Self {
        Self::new("rp-mo", format_args!("{}:{reference}", from.digits()))
    }

    /// The card's work on the challenge with this applet counter.
    pub fn card(iccid: &Iccid, ctr: u64) -> Self {
        Self::new("card", format_args!("{iccid}:{ctr}"))
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the first colon.
    pub fn kind(&self) -> &str {
        self.0.split_once(':').map_or("", |(kind, _)| kind)
    }

    /// The part after the first colon.
    pub fn value(&self) -> &str {
        self.0
            .split_once(':')
            .map_or(self.0.as_str(), |(_, value)| value)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One line of a trace, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Step of the drawn flow, 1 to 16, if it is one of them.
    pub step: Option<u8>,
    /// Sender: RP, OP, MSSP, OTA, SMSC, Handset, SIM or User.
    pub from: &'static str,
    /// Receiver, from the same list.
    pub to: &'static str,
    /// The message, as its standard calls it.
    pub name: String,
    /// Where it is defined.
    pub clause: String,
    /// Whether a standard defines it.
    pub badge: Badge,
    /// The decoded essentials, in order; secrets left out or masked.
    pub fields: Vec<(String, String)>,
    /// The message as sent.
    pub octets: Option<Octets>,
}

/// Where the shape of a message comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Badge {
    /// A published standard.
    Standard,
    /// A choice the standard leaves open, made here.
    Profile,
    /// Defined by midsim.
    Own,
}

/// A message as sent, with the places that must not be shown.
///
/// `Debug` masks them; whoever reads `bytes` has to look at `secrets`.
#[derive(Clone, PartialEq, Eq)]
pub struct Octets {
    /// The octets.
    pub bytes: Vec<u8>,
    /// Ranges of `bytes` that hold secrets. Parts beyond the end mean nothing.
    pub secrets: Vec<Range<usize>>,
    /// Which decoder to use: `http`, `soap`, `sms-deliver`, `command-packet`, `c-apdu`, `smpp`…
    pub kind: &'static str,
}

impl Octets {
    /// Octets without secrets.
    pub fn new(kind: &'static str, bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            secrets: Vec::new(),
            kind,
        }
    }

    /// Marks one more range as secret.
    #[must_use]
    pub fn hiding(mut self, range: Range<usize>) -> Self {
        self.secrets.push(range);
        self
    }

    /// Whether the octet at `index` is part of a secret.
    pub fn is_secret(&self, index: usize) -> bool {
        self.secrets.iter().any(|range| range.contains(&index))
    }

    /// The octets in hexadecimal, secret ones as `**`: the length stays visible.
    pub fn masked_hex(&self) -> String {
        let mut text = hex::encode(&self.bytes).into_bytes();
        for range in &self.secrets {
            let end = range.end.min(self.bytes.len());
            if let Some(digits) = text.get_mut(2 * range.start.min(end)..2 * end) {
                digits.fill(b'*');
            }
        }
        text.into_iter().map(char::from).collect()
    }
}

impl fmt::Debug for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Octets")
            .field("kind", &self.kind)
            .field("bytes", &self.masked_hex())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_agreed_text() {
        let iccid = Iccid::with_check_digit("898800000000000001").unwrap();
        let msisdn: Msisdn = "+447700900001".parse().unwrap();
        assert_eq!(
            Id::applet(&iccid, 1_700_000_000_000).as_str(),
            format!("applet:{iccid}:1700000000000")
        );
        assert_eq!(Id::rp(&msisdn, 7).as_str(), "rp:447700900001:7");
        assert_eq!(
            Id::rp_mo(&msisdn, 255).to_string(),
            "rp-mo:447700900001:255"
        );
        let id = Id::auth_req_id("a:b");
        assert_eq!((id.kind(), id.value()), ("auth_req_id", "a:b"));
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"auth_req_id:a:b\"");
    }

    #[test]
    fn masking_keeps_the_length_and_survives_wrong_ranges() {
        let octets = Octets::new("c-apdu", vec![1, 2, 3, 4]).hiding(1..3);
        assert_eq!(octets.masked_hex(), "01****04");
        assert!(!format!("{octets:?}").contains("0203"));
        let octets = octets.hiding(3..9).hiding(7..9);
        assert_eq!(octets.masked_hex(), "01******");
        assert!(octets.is_secret(3) && !octets.is_secret(0));
    }
}

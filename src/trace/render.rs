//! From events to lines that people and JSON readers can use. Secrets are masked here, and nowhere unmasked.

use std::collections::HashSet;

use ota_wire::trace::{Badge, Octets, Row};
use serde::Serialize;

use super::{AnyEvent, Recorded, Trace};

/// A trace as `GET /api/v1/traces/{id}` gives it.
#[derive(Clone, Debug, Serialize)]
pub struct RenderedTrace {
    /// `t1`, `t2`, …
    pub id: String,
    /// One line an event.
    pub lines: Vec<Line>,
}

/// One event, decoded and masked.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// Position among all events of the run.
    pub seq: u64,
    /// Simulated time, RFC 3339.
    pub at: String,
    /// The step of the flow in DESIGN §1, when it is one of the sixteen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<u8>,
    /// The party it comes from.
    pub from: &'static str,
    /// The party it goes to.
    pub to: &'static str,
    /// Name of the message or the act.
    pub name: String,
    /// Where it is specified.
    pub clause: String,
    /// `standard`, `profile` or `midsim's own`.
    pub badge: &'static str,
    /// The receiver's view of a message of which its sender has told already.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub echo: bool,
    /// The identifier under which the party knows it.
    pub own: String,
    /// The identifier it was derived from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Decoded essentials.
    pub fields: Vec<(String, String)>,
    /// What travelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub octets: Option<MaskedOctets>,
}

/// Octets of a message; those that hold secrets are shown as `xx`.
#[derive(Clone, Debug, Serialize)]
pub struct MaskedOctets {
    /// Which format it is: what `midsim decode --as` takes, or `http`.
    pub kind: &'static str,
    /// Number of octets.
    pub length: usize,
    /// Two characters an octet.
    pub hex: String,
}

impl Trace {
    /// Every event as a line.
    pub fn render(&self) -> RenderedTrace {
        let mut lines: Vec<_> = self.events.iter().map(Recorded::render).collect();
        let mut told = HashSet::new();
        for (line, event) in lines.iter_mut().zip(&self.events) {
            let hop = (line.step, line.from, line.to);
            if event.event.tellers().contains(&line.from) {
                told.insert(hop);
            } else {
                line.echo = line.step.is_some() && told.contains(&hop);
            }
        }
        RenderedTrace {
            id: self.id.clone(),
            lines,
        }
    }
}

impl Recorded {
    /// The event as a line of its own: `echo` is known only among the others of its trace.
    pub fn render(&self) -> Line {
        let row = self.event.row();
        let (own, parent) = self.event.links();
        Line {
            seq: self.seq,
            at: self.at.to_string(),
            step: row.step,
            from: row.from,
            to: row.to,
            name: row.name,
            clause: row.clause,
            badge: match row.badge {
                Badge::Own => "midsim's own",
                Badge::Profile => "profile",
                Badge::Standard => "standard",
            },
            echo: false,
            own: own.to_owned(),
            parent: parent.map(str::to_owned),
            fields: row.fields,
            octets: row.octets.map(|octets| mask(&octets)),
        }
    }
}

impl AnyEvent {
    /// Its own identifier and that of its cause.
    pub(super) fn links(&self) -> (&str, Option<&str>) {
        match self {
            Self::Op(event) => (
                &event.own.0,
                event.parent.as_ref().map(|parent| parent.0.as_str()),
            ),
            Self::Mssp(event) => (
                event.own.as_str(),
                event.parent.as_ref().map(ota_wire::trace::Id::as_str),
            ),
            Self::Ota(event) => (
                event.own.as_str(),
                event.parent.as_ref().map(ota_wire::trace::Id::as_str),
            ),
            Self::Sim(event) => (
                event.own.as_str(),
                event.parent.as_ref().map(ota_wire::trace::Id::as_str),
            ),
            Self::Fault(event) => (event.message.as_str(), None),
            Self::Refused(event) => (event.link(), None),
        }
    }

    /// Octets of the HTTP message it keeps, which a stranger may have sent; what else there is, is small.
    pub(super) fn octets(&self) -> usize {
        use mssp::event::EventKind as Mssp;
        use op_bridge::EventKind as Op;
        match self {
            Self::Op(event) => match &event.kind {
                Op::AuthenticationRequest { request }
                | Op::TokenRequest { request }
                | Op::UserInfo { request, .. } => {
                    let headers = request.headers().iter();
                    let headers: usize = headers
                        .map(|(name, value)| name.as_str().len() + value.len())
                        .sum();
                    headers + request.body().len()
                }
                Op::Notification { body, .. } => body.len(),
                Op::MsspAnswer {
                    result: Ok(body), ..
                } => body.len(),
                _ => 0,
            },
            Self::Mssp(event) => match &event.kind {
                Mssp::Requested { body, .. }
                | Mssp::Answered { body, .. }
                | Mssp::Notified { body, .. }
                | Mssp::Receipt { body, .. } => body.0.len(),
                _ => 0,
            },
            Self::Ota(_) | Self::Sim(_) | Self::Fault(_) | Self::Refused(_) => 0,
        }
    }

    /// The parties that tell of what they do in events of this kind.
    fn tellers(&self) -> &'static [&'static str] {
        match self {
            Self::Op(_) => &["OP"],
            Self::Mssp(_) => &["MSSP"],
            Self::Ota(_) => &["OTA", "SMSC"],
            Self::Sim(_) => &["Handset", "SIM", "User"],
            Self::Fault(_) | Self::Refused(_) => &[],
        }
    }

    fn row(&self) -> Row {
        match self {
            Self::Op(event) => from_op(event.row()),
            Self::Mssp(event) => event.row(),
            Self::Ota(event) => event.row(),
            Self::Sim(event) => event.row(),
            Self::Fault(event) => event.row(),
            Self::Refused(event) => event.row(),
        }
    }
}

/// The OP depends on no other crate of ours, so it has its own copy of the shape.
fn from_op(row: op_bridge::Row) -> Row {
    Row {
        step: row.step,
        from: row.from,
        to: row.to,
        name: row.name,
        clause: row.clause,
        badge: match row.badge {
            op_bridge::Badge::Own => Badge::Own,
            op_bridge::Badge::Profile => Badge::Profile,
            op_bridge::Badge::Standard => Badge::Standard,
        },
        fields: row.fields,
        octets: row.octets.map(|octets| Octets {
            bytes: octets.bytes,
            secrets: octets.secrets,
            kind: octets.kind,
        }),
    }
}

fn mask(octets: &Octets) -> MaskedOctets {
    let mut hex = hex::encode(&octets.bytes);
    for secret in &octets.secrets {
        let end = secret.end.min(octets.bytes.len());
        if secret.start < end {
            hex.replace_range(2 * secret.start..2 * end, &"xx".repeat(end - secret.start));
        }
    }
    MaskedOctets {
        kind: octets.kind,
        length: octets.bytes.len(),
        hex,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_keeps_the_length_and_hides_the_octets() {
        let octets = Octets {
            bytes: b"PIN=1234;".to_vec(),
            secrets: Vec::from([4..6, 6..8]),
            kind: "http",
        };
        let masked = mask(&octets);
        assert_eq!(masked.hex, "50494e3dxxxxxxxx3b");
        assert_eq!(masked.length, 9);
    }

    #[test]
    fn a_secret_range_beyond_the_octets_is_cut() {
        let octets = Octets {
            bytes: vec![1, 2, 3],
            secrets: vec![2..9, 7..8],
            kind: "http",
        };
        assert_eq!(mask(&octets).hex, "0102xx");
    }
}

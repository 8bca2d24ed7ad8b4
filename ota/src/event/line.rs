//! Making rows of a trace.

use ota_wire::trace::{Badge, Octets, Row};

use crate::smpp::ShortMessage;

/// A row in the making.
pub(super) struct Line(Row);

impl Line {
    pub(super) fn standard(from: &'static str, to: &'static str, name: &str, clause: &str) -> Self {
        Self::new(from, to, name, clause, Badge::Standard)
    }

    pub(super) fn own(from: &'static str, to: &'static str, name: &str) -> Self {
        Self::new(from, to, name, "midsim's own", Badge::Own)
    }

    fn new(from: &'static str, to: &'static str, name: &str, clause: &str, badge: Badge) -> Self {
        let (name, clause) = (name.to_owned(), clause.to_owned());
        Self(Row {
            step: None,
            from,
            to,
            name,
            clause,
            badge,
            fields: Vec::new(),
            octets: None,
        })
    }

    pub(super) fn step(mut self, step: u8) -> Self {
        self.0.step = Some(step);
        self
    }

    pub(super) fn field(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.0.fields.push((name.to_owned(), value.to_string()));
        self
    }

    pub(super) fn message(self, message: &ShortMessage) -> Self {
        self.field("from", &message.source)
            .field("to", &message.destination)
            .field("esm_class", format_args!("{:02X}", message.esm_class))
            .field("PID", format_args!("{:02X}", message.protocol_id))
            .field("DCS", format_args!("{:02X}", message.data_coding))
            .octets("user-data", &message.short_message)
    }

    pub(super) fn octets(mut self, kind: &'static str, bytes: &[u8]) -> Self {
        self.0.octets = Some(Octets::new(kind, bytes.to_vec()));
        self
    }

    pub(super) fn row(self) -> Row {
        self.0
    }
}

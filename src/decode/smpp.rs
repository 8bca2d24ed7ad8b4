//! SMPP 3.4 PDUs. The layout is walked here, so that every field has its place; whether a request is a good one is
//! what the codec of the session says.

use std::fmt::Display;

use ota::smpp::{CommandId, CommandStatus, HEADER, Header, MessageState, Pdu, esm_class, tag};
use ota_wire::dissect::{self, Keys, Tree};

const PDU: &str = "SMPP 3.4 §3.2";
const BIND: &str = "SMPP 3.4 §4.1";
const MESSAGE: &str = "SMPP 3.4 §4.4, §4.6";
const MULTI: &str = "SMPP 3.4 §4.5";
const DATA: &str = "SMPP 3.4 §4.7";
const OPERATIONS: &str = "SMPP 3.4 §4.8 to §4.10";
const OPTIONAL: &str = "SMPP 3.4 §5.3";

pub(super) fn pdu(bytes: &[u8], keys: &Keys) -> Tree {
    let mut walk = Walk::new(bytes);
    let id = fields(&mut walk, keys);
    if let (Some(id), true) = (id, walk.is_good())
        && let Err(status) = Pdu::decode(id, &bytes[HEADER..])
        && id.name().is_some()
    {
        walk.error(0, format!("not a good {id}: {status}"));
    }
    walk.finish(id.map_or_else(|| "SMPP PDU".to_owned(), |id| id.to_string()))
}

fn fields(walk: &mut Walk<'_>, keys: &Keys) -> Option<CommandId> {
    let (whole, octets) = (walk.bytes.len(), walk.bytes);
    let header = Header::parse(octets);
    for name in [
        "command_length",
        "command_id",
        "command_status",
        "sequence_number",
    ] {
        walk.octets(name, 4)?;
    }
    let header = header?;
    let [.., length, command, status, sequence] = &mut walk.nodes[..] else {
        return None;
    };
    length.meaning = Some(format!("{} octets", header.length));
    command.meaning = Some(header.id.to_string());
    status.meaning = Some(header.status.to_string());
    sequence.meaning = Some(header.sequence.to_string());
    if usize::try_from(header.length) != Ok(whole) {
        let announced = header.length;
        walk.error(
            0,
            format!("command_length: expected {whole}, got {announced}"),
        );
        return Some(header.id);
    }
    if header.id.name().is_none() {
        walk.error(4, format!("command_id: {} is unknown", header.id));
    }
    walk.body(header.id, keys);
    Some(header.id)
}

/// Takes fields from the front of a PDU, one node each.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    clause: &'static str,
    nodes: Vec<Tree>,
}

impl<'a> Walk<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            clause: PDU,
            nodes: Vec::new(),
        }
    }

    fn body(&mut self, id: CommandId, keys: &Keys) -> Option<()> {
        match id {
            _ if self.left() == 0 => {}
            CommandId::BIND_RECEIVER
            | CommandId::BIND_TRANSMITTER
            | CommandId::BIND_TRANSCEIVER => {
                self.clause = BIND;
                self.text("system_id")?;
                self.password()?;
                self.text("system_type")?;
                for name in ["interface_version", "addr_ton", "addr_npi"] {
                    self.octets(name, 1)?;
                }
                self.text("address_range")?;
            }
            CommandId::BIND_RECEIVER_RESP
            | CommandId::BIND_TRANSMITTER_RESP
            | CommandId::BIND_TRANSCEIVER_RESP => {
                self.clause = BIND;
                self.text("system_id")?;
                self.optional(false, keys)?;
            }
            CommandId::SUBMIT_SM | CommandId::DELIVER_SM => {
                self.clause = MESSAGE;
                self.message(keys)?;
            }
            CommandId::SUBMIT_MULTI => {
                self.clause = MULTI;
                self.multi(keys)?;
            }
            CommandId::SUBMIT_MULTI_RESP => {
                self.clause = MULTI;
                self.text("message_id")?;
                let count = self.octets("no_unsuccess", 1)?[0];
                for _ in 0..count {
                    self.party("dest")?;
                    let status = self.octets("error_status_code", 4)?;
                    let status = status
                        .iter()
                        .fold(0, |all, octet| all << 8 | u32::from(*octet));
                    self.meaning(CommandStatus(status));
                }
                self.optional(false, keys)?;
            }
            CommandId::DATA_SM => {
                self.clause = DATA;
                self.text("service_type")?;
                self.party("source")?;
                self.party("dest")?;
                let udhi = self.esm_class()?;
                self.octets("registered_delivery", 1)?;
                self.octets("data_coding", 1)?;
                self.optional(udhi, keys)?;
            }
            CommandId::SUBMIT_SM_RESP | CommandId::DELIVER_SM_RESP | CommandId::DATA_SM_RESP => {
                self.clause = MESSAGE;
                self.text("message_id")?;
                self.optional(false, keys)?;
            }
            CommandId::QUERY_SM => {
                self.clause = OPERATIONS;
                self.text("message_id")?;
                self.party("source")?;
            }
            CommandId::QUERY_SM_RESP => {
                self.clause = OPERATIONS;
                self.text("message_id")?;
                self.text("final_date")?;
                let state = self.octets("message_state", 1)?[0];
                self.meaning(MessageState(state).stat());
                self.octets("error_code", 1)?;
            }
            CommandId::CANCEL_SM => {
                self.clause = OPERATIONS;
                self.text("service_type")?;
                self.text("message_id")?;
                self.party("source")?;
                self.party("dest")?;
            }
            CommandId::REPLACE_SM => {
                self.clause = OPERATIONS;
                self.text("message_id")?;
                self.party("source")?;
                self.text("schedule_delivery_time")?;
                self.text("validity_period")?;
                self.octets("registered_delivery", 1)?;
                self.octets("sm_default_msg_id", 1)?;
                let length = usize::from(self.octets("sm_length", 1)?[0]);
                if length > 0 {
                    self.octets("short_message", length)?;
                }
                self.optional(false, keys)?;
            }
            _ => {
                self.octets("body", self.left())?;
                if id.name().is_some() {
                    self.error(HEADER, "expected no body");
                }
            }
        }
        Some(())
    }

    fn message(&mut self, keys: &Keys) -> Option<()> {
        self.text("service_type")?;
        self.party("source")?;
        self.party("dest")?;
        self.message_body(keys)
    }

    fn multi(&mut self, keys: &Keys) -> Option<()> {
        self.text("service_type")?;
        self.party("source")?;
        let count = self.octets("number_of_dests", 1)?[0];
        for _ in 0..count {
            match self.octets("dest_flag", 1)?[0] {
                1 => {
                    self.meaning("SME address");
                    self.party("dest")?;
                }
                2 => {
                    self.meaning("distribution list");
                    self.text("dl_name")?;
                }
                other => {
                    self.error(
                        self.at - 1,
                        format!("dest_flag: expected 1 or 2, got {other}"),
                    );
                    return None;
                }
            }
        }
        self.message_body(keys)
    }

    /// True if user data begin with a header.
    fn esm_class(&mut self) -> Option<bool> {
        let esm_class = self.octets("esm_class", 1)?[0];
        match esm_class & (esm_class::UDHI | esm_class::TYPE) {
            esm_class::UDHI => self.meaning("UDHI"),
            esm_class::DELIVERY_RECEIPT => self.meaning("delivery receipt"),
            _ => {}
        }
        Some(esm_class & esm_class::UDHI != 0)
    }

    /// What follows the addresses.
    fn message_body(&mut self, keys: &Keys) -> Option<()> {
        let udhi = self.esm_class()?;
        self.octets("protocol_id", 1)?;
        self.octets("priority_flag", 1)?;
        self.text("schedule_delivery_time")?;
        self.text("validity_period")?;
        for name in [
            "registered_delivery",
            "replace_if_present_flag",
            "data_coding",
            "sm_default_msg_id",
        ] {
            self.octets(name, 1)?;
        }
        let length = usize::from(self.octets("sm_length", 1)?[0]);
        if length > 0 {
            let place = self.at;
            self.octets("short_message", length)?;
            self.user_data(place, udhi, keys);
        }
        self.optional(udhi, keys)
    }

    fn party(&mut self, party: &str) -> Option<()> {
        self.octets(&format!("{party}_addr_ton"), 1)?;
        self.octets(&format!("{party}_addr_npi"), 1)?;
        self.text(if party == "source" {
            "source_addr"
        } else {
            "destination_addr"
        })
    }

    /// Optional parameters up to the end.
    fn optional(&mut self, udhi: bool, keys: &Keys) -> Option<()> {
        while self.left() > 0 {
            let place = self.at;
            let [high, low, length @ ..] = self.take("optional parameter", 4)? else {
                return None;
            };
            let id = u16::from_be_bytes([*high, *low]);
            let length = length
                .iter()
                .fold(0, |sum, octet| sum << 8 | usize::from(*octet));
            let value_at = self.at;
            let value = self.take("value of optional parameter", length)?;
            let name = match id {
                tag::MESSAGE_PAYLOAD => "message_payload".to_owned(),
                tag::RECEIPTED_MESSAGE_ID => "receipted_message_id".to_owned(),
                tag::NETWORK_ERROR_CODE => "network_error_code".to_owned(),
                tag::MESSAGE_STATE => "message_state".to_owned(),
                other => format!("tag {other:04X}"),
            };
            let value = hex::encode_upper(value);
            self.nodes
                .push(Tree::new(name, value, OPTIONAL, place..self.at));
            if id == tag::MESSAGE_PAYLOAD {
                self.user_data(value_at, udhi, keys);
            }
        }
        Some(())
    }

    /// Reads what was taken last, from `place` on, as user data, and puts that inside its node.
    fn user_data(&mut self, place: usize, udhi: bool, keys: &Keys) {
        let inside = dissect::user_data(&self.bytes[place..self.at], udhi, keys).shifted(place);
        if let Some(node) = self.nodes.last_mut() {
            node.value = format!("{} octets", self.at - place);
            node.children = vec![inside];
        }
    }

    fn password(&mut self) -> Option<()> {
        let place = self.at;
        self.text("password")?;
        // The final zero is not part of the secret.
        if let Some(node) = self.nodes.last_mut() {
            node.secret = true;
            node.range = place..self.at - 1;
        }
        Some(())
    }

    /// A text with its final zero.
    fn text(&mut self, name: &str) -> Option<()> {
        let rest = &self.bytes[self.at..];
        let Some(length) = rest.iter().position(|octet| *octet == 0) else {
            self.error(self.at, format!("{name}: expected a final zero, got none"));
            self.at = self.bytes.len();
            return None;
        };
        let text = String::from_utf8_lossy(&rest[..length]);
        let value = text.escape_debug().to_string();
        let place = self.at..self.at + length + 1;
        self.at = place.end;
        self.nodes.push(Tree::new(name, value, self.clause, place));
        Some(())
    }

    fn octets(&mut self, name: &str, length: usize) -> Option<&'a [u8]> {
        let place = self.at;
        let taken = self.take(name, length)?;
        let value = hex::encode_upper(taken);
        self.nodes
            .push(Tree::new(name, value, self.clause, place..self.at));
        Some(taken)
    }

    fn take(&mut self, name: &str, length: usize) -> Option<&'a [u8]> {
        let Some(taken) = self.bytes[self.at..].get(..length) else {
            let left = self.left();
            self.error(
                self.at,
                format!("{name}: expected {length} octets, got {left}"),
            );
            self.at = self.bytes.len();
            return None;
        };
        self.at += length;
        Some(taken)
    }

    const fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn meaning(&mut self, meaning: impl Display) {
        if let Some(node) = self.nodes.last_mut() {
            node.meaning = Some(meaning.to_string());
        }
    }

    /// An error about everything from `place` on.
    fn error(&mut self, place: usize, problem: impl Into<String>) {
        let range = place..self.bytes.len();
        self.nodes.push(Tree::error(problem, self.clause, range));
    }

    fn is_good(&self) -> bool {
        self.nodes.iter().all(Tree::is_complete)
    }

    fn finish(mut self, name: String) -> Tree {
        if self.left() > 0 && self.is_good() {
            self.error(
                self.at,
                format!("expected the end, got {} more octets", self.left()),
            );
        }
        let value = format!("{} octets", self.bytes.len());
        Tree::new(name, value, PDU, 0..self.bytes.len()).with_children(self.nodes)
    }
}

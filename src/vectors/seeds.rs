//! Raw inputs for fuzzers, made of test vectors: what the cases hold, and the messages of the layers around it.

use jiff::Timestamp;
use ota::smpp::{
    CommandId, CommandStatus, Destination, Multi, Party, Pdu, ShortMessage, esm_class,
};
use ota_wire::apdu::{Command, Ins};
use ota_wire::applet::{AppletResponse, Challenge, MacAlgorithm, Method, ResultCode, Text};
use ota_wire::cat::{Envelope, ProactiveCommand};
use ota_wire::rp::{Direction, Message};
use ota_wire::secret::Secret;
use ota_wire::sms::address::Address;
use ota_wire::sms::tpdu::{Deliver, Submit};
use serde_json::Value;

use super::{NoVectors, list, octets, text};

/// One input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// Which parser it is for: the name of a fuzz target.
    pub parser: &'static str,
    /// Of the case it comes from, fit for a file.
    pub name: String,
    /// The input.
    pub octets: Vec<u8>,
}

/// The seeds of a vector file. Fields that are not hexadecimal are passed over: running the file names them.
///
/// # Errors
/// [`NoVectors`] as [`super::run_file`].
pub fn seeds(file: &str) -> Result<Vec<Seed>, NoVectors> {
    let file: Value = serde_json::from_str(file)?;
    let cases = file.get("cases").and_then(Value::as_array);
    let mut seeds = Vec::new();
    for (index, case) in cases.ok_or(NoVectors::NoCases)?.iter().enumerate() {
        let id = text(case, "id").map_or_else(|_| format!("case-{index}"), file_name);
        of_case(case, &mut Collector::new(&id, &mut seeds));
    }
    Ok(seeds)
}

fn of_case(case: &Value, seeds: &mut Collector<'_>) {
    let kind = text(case, "kind").unwrap_or_default();
    let tpdus: Vec<_> = list(case, "tpdus")
        .iter()
        .filter_map(|tpdu| hex::decode(tpdu.as_str()?).ok())
        .collect();
    for tpdu in &tpdus {
        deliver(tpdu, seeds);
    }
    if tpdus.len() > 1 {
        seeds.add("concat", in_pieces(&tpdus));
    }
    match kind {
        "command" | "receive" => {
            seeds.field(case, "packet", "command_packet");
            seeds.field(case, "payload", "remote_script");
            for next in list(case, "then") {
                seeds.field(next, "packet", "command_packet");
            }
        }
        "response" => {
            seeds.field(case, "packet_with_udh", "response_packet");
            seeds.field(case, "data", "remote_response");
        }
        "address" | "udh" => {
            let parser = if kind == "udh" { "udh" } else { "address" };
            seeds.field(case, "encoded", parser);
        }
        "deliver" | "negative" => {
            if let Ok(tpdu) = octets(case, "tpdu") {
                deliver(&tpdu, seeds);
                submit(&tpdu, seeds);
            }
        }
        "submit" => {
            if let Ok(tpdu) = octets(case, "tpdu") {
                submit(&tpdu, seeds);
            }
        }
        "deliver-report" => seeds.field(case, "tpdu", "deliver_report"),
        "submit-report" => seeds.field(case, "tpdu", "submit_report"),
        "status-report" => seeds.field(case, "tpdu", "status_report"),
        _ => {}
    }
    if let Some(text) = case["user_data"]["text"].as_str() {
        applet(text, seeds);
    }
}

/// A message to a phone and what carries it there.
fn deliver(tpdu: &[u8], seeds: &mut Collector<'_>) {
    seeds.add("deliver", tpdu);
    let Ok(deliver) = Deliver::parse(tpdu) else {
        return;
    };
    if let Ok(centre) = Address::short_code("447700900") {
        let message = Message::deliver(1, centre, &deliver);
        seeds.add("rp", message.emit(Direction::ToPhone));
    }
    let envelope = Envelope::sms_pp_download(tpdu.to_vec()).emit();
    let command = Command::new(0x80, Ins::ENVELOPE, 0, 0).with_data(envelope.clone());
    seeds.add("c_apdu", command.emit());
    seeds.add("tlv", envelope.as_slice());
    seeds.add("envelope", envelope);
    let user_data = deliver.user_data.to_octets();
    let udhi = deliver.user_data.udh().is_some();
    let message = ShortMessage {
        source: deliver.oa.digits().unwrap_or_default(),
        destination: "447700900001".to_owned(),
        esm_class: if udhi { esm_class::UDHI } else { 0 },
        protocol_id: deliver.pid.0,
        data_coding: deliver.dcs.0,
        short_message: user_data,
        ..ShortMessage::default()
    };
    let receiver = |address: &str| Party {
        address: address.to_owned(),
        ..Party::default()
    };
    let multi = Multi {
        message: message.clone(),
        destinations: vec![
            Destination::Address(receiver("447700900001")),
            Destination::List("all".to_owned()),
        ],
    };
    let data = ShortMessage {
        in_payload: true,
        protocol_id: 0,
        ..message.clone()
    };
    for pdu in [
        Pdu::SubmitSm(Box::new(message)),
        Pdu::SubmitMulti(Box::new(multi)),
        Pdu::DataSm(Box::new(data)),
    ] {
        if let Ok(pdu) = pdu.encode(CommandStatus::ROK, 2) {
            // Whole sessions cost the most to damage; one kind of message stands for the others there.
            if pdu[4..8] == CommandId::SUBMIT_SM.0.to_be_bytes() {
                seeds.add("smpp_session", in_pieces(&[BIND.to_vec(), pdu.clone()]));
            }
            seeds.add("smpp_pdu", pdu);
        }
    }
    if deliver.dcs.counts_septets() {
        let counts = [deliver.user_data.fill_bits(), deliver.user_data.udl()];
        seeds.add("gsm7", [&counts, deliver.user_data.payload()].concat());
    }
}

/// bind_transceiver of `midsim` with the password `midsim`, sequence number 1.
const BIND: &[u8] = b"\0\0\0\x23\0\0\0\x09\0\0\0\0\0\0\0\x01midsim\0midsim\0\0\x34\0\0\0";

/// A message from a phone and what carries it from there.
fn submit(tpdu: &[u8], seeds: &mut Collector<'_>) {
    seeds.add("submit", tpdu);
    let Ok(submit) = Submit::parse(tpdu) else {
        return;
    };
    if let Ok(centre) = Address::short_code("447700900") {
        let message = Message::submit(1, centre, &submit);
        seeds.add("rp", message.emit(Direction::FromPhone));
    }
    let command = ProactiveCommand::send_short_message(1, tpdu.to_vec());
    seeds.add("proactive_command", command.emit());
}

/// The applet protocol has no vectors; texts of others make challenges, and these make responses.
fn applet(text: &str, seeds: &mut Collector<'_>) {
    let Ok(text) = Text::encode(text) else {
        return;
    };
    let key = Secret::new(vec![0x4D; 16]);
    let challenge = Challenge {
        tid: *b"fuzzseed",
        ctr: Timestamp::UNIX_EPOCH.as_millisecond().unsigned_abs(),
        method: Method::Pin,
        mac_algorithm: MacAlgorithm::AesCmac8,
        valid_for: 60,
        text,
        digest: Some([0x5A; 32]),
    };
    let response = AppletResponse {
        tid: challenge.tid,
        ctr: challenge.ctr,
        result: ResultCode::OK,
        tries_left: 3,
        mac_algorithm: MacAlgorithm::AesCmac8,
        signature: vec![0x30, 0x02, 0x05, 0x00],
    };
    seeds.add("applet_challenge", challenge.seal(&key));
    seeds.add("applet_response", response.seal(&key, &[7; 8]));
}

/// Each with its length in an octet before it, cut to what that octet can say.
fn in_pieces(pieces: &[Vec<u8>]) -> Vec<u8> {
    pieces
        .iter()
        .flat_map(|piece| {
            let piece = &piece[..piece.len().min(255)];
            std::iter::once(piece.len() as u8).chain(piece.iter().copied())
        })
        .collect()
}

/// Seeds of one case.
struct Collector<'a> {
    id: &'a str,
    seeds: &'a mut Vec<Seed>,
    from: usize,
}

impl<'a> Collector<'a> {
    fn new(id: &'a str, seeds: &'a mut Vec<Seed>) -> Self {
        let from = seeds.len();
        Self { id, seeds, from }
    }

    fn field(&mut self, case: &Value, field: &str, parser: &'static str) {
        if let Ok(octets) = octets(case, field) {
            self.add(parser, octets);
        }
    }

    fn add(&mut self, parser: &'static str, octets: impl Into<Vec<u8>>) {
        let of_case = &self.seeds[self.from..];
        let before = of_case.iter().filter(|seed| seed.parser == parser).count();
        let name = match before {
            0 => self.id.to_owned(),
            n => format!("{}-{n}", self.id),
        };
        self.seeds.push(Seed {
            parser,
            name,
            octets: octets.into(),
        });
    }
}

/// An id as the name of a file: it must not lead out of its folder.
fn file_name(id: &str) -> String {
    let safe = |character: char| {
        if character.is_ascii_alphanumeric() || "-_".contains(character) {
            character
        } else {
            '_'
        }
    };
    id.chars().take(100).map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsers(file: &str) -> Vec<(&'static str, String, String)> {
        let seeds = seeds(file).unwrap().into_iter();
        seeds
            .map(|seed| (seed.parser, seed.name, hex::encode(seed.octets)))
            .collect()
    }

    #[test]
    fn a_packet_in_two_messages() {
        let file = r#"{"cases": [{"id": "../a b", "kind": "command", "packet": "0102", "payload": "00b0",
            "tpdus": ["40", "44"]}]}"#;
        let seed = |parser, name: &str, octets: &str| (parser, name.to_owned(), octets.to_owned());
        assert_eq!(
            parsers(file),
            [
                seed("deliver", "___a_b", "40"),
                seed("deliver", "___a_b-1", "44"),
                seed("concat", "___a_b", "01400144"),
                seed("command_packet", "___a_b", "0102"),
                seed("remote_script", "___a_b", "00b0"),
            ]
        );
    }

    #[test]
    fn the_bind_is_one() {
        let header = ota::smpp::Header::parse(BIND).unwrap();
        assert_eq!(header.length as usize, BIND.len());
        let body = &BIND[ota::smpp::HEADER..];
        let Ok(Pdu::Bind(_, bind)) = Pdu::decode(header.id, body) else {
            panic!("no bind");
        };
        assert_eq!((&*bind.system_id, &*bind.password), ("midsim", "midsim"));
    }
}

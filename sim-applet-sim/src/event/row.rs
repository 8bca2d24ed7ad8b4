//! Events as lines of the trace.

use ota_wire::apdu::{Command, Response};
use ota_wire::applet::Method;
use ota_wire::cat::{Envelope, ProactiveCommand};
use ota_wire::keys::MacAlgorithm;
use ota_wire::rp::{Direction, Message};
use ota_wire::sms::tpdu::{Deliver, Submit};
use ota_wire::trace::{Badge, Octets, Row};

use super::{ChallengeVerdict, Event, EventKind, Note, apdu};

impl Event {
    /// The event as a line of the trace. Secrets are left out of the fields and marked in the octets.
    pub fn row(&self) -> Row {
        match &self.kind {
            EventKind::PowerOn { atr } => Line::new("SIM", "Handset", "answer to reset")
                .clause("TS 102 221 §6.3")
                .octets("atr", atr)
                .row(),
            EventKind::PowerOff => Line::new("User", "Handset", "power off").own().row(),
            EventKind::Attached(attached) => {
                let name = if *attached {
                    "attached to the network"
                } else {
                    "detached from the network"
                };
                Line::new("Handset", "SMSC", name).own().row()
            }
            EventKind::RpReceived { octets } => rp(Direction::ToPhone, octets),
            EventKind::RpSent { octets } => rp(Direction::FromPhone, octets),
            EventKind::RpDropped { octets, reason } => {
                Line::new("SMSC", "Handset", "RP message dropped")
                    .clause("TS 24.011 §8.2")
                    .field("reason", reason)
                    .octets("rp", octets)
                    .row()
            }
            EventKind::Apdu {
                command,
                response,
                file,
            } => exchange(command, response, *file),
            EventKind::Prompt {
                text,
                input,
                hidden,
                ..
            } => {
                let line = match input {
                    None => Line::new("Handset", "User", "text on the screen"),
                    Some((min, max)) => Line::new("Handset", "User", "question on the screen")
                        .field("characters", format!("{min} to {max}"))
                        .field("hidden", if *hidden { "yes" } else { "no" }),
                };
                line.step(8)
                    .clause("TS 102 223 §6.4")
                    .field("text", text)
                    .row()
            }
            EventKind::Answered { result, typed, .. } => {
                let line = Line::new("User", "Handset", "answer")
                    .step(9)
                    .clause("TS 102 223 §6.4");
                let line = match typed {
                    Some(characters) => line.field("typed", "*".repeat(*characters)),
                    None => line,
                };
                line.field("result", result).row()
            }
            EventKind::Refused { reason, .. } => Line::new("Handset", "User", "answer not taken")
                .step(9)
                .clause("TS 102 223 §6.4.3")
                .field("reason", reason)
                .row(),
            EventKind::Card(note) => card(note),
        }
    }
}

fn exchange(command: &Octets, response: &[u8], file: Option<u16>) -> Row {
    let Ok(parsed) = Command::parse(&command.bytes) else {
        return Line::new("Handset", "SIM", "APDU")
            .with(command.clone())
            .row();
    };
    let answer = Response::parse(response).ok();
    let mut line = Line::new("Handset", "SIM", apdu::name(&parsed, response, file))
        .clause(apdu::clause(parsed.ins))
        .with(command.clone());
    line.row.step = apdu::step(&parsed, response);
    if let Ok(Envelope::SmsPpDownload(download)) = Envelope::parse(&parsed.data)
        && parsed.ins == ota_wire::apdu::Ins::ENVELOPE
    {
        line = line.deliver(&download.tpdu);
    }
    let Some(answer) = answer else {
        return line.row();
    };
    if let Ok(command) = ProactiveCommand::parse(&answer.data)
        && parsed.ins == ota_wire::apdu::Ins::FETCH
    {
        line = line.field(
            "command",
            format!("{:?} number {}", command.details().kind, command.number),
        );
    }
    if !answer.data.is_empty() {
        line = line.field("response", hex::encode_upper(&answer.data));
    }
    line.field("SW", format!("{} {}", answer.sw, answer.sw.meaning()))
        .row()
}

fn rp(direction: Direction, octets: &[u8]) -> Row {
    let (from, to) = match direction {
        Direction::ToPhone => ("SMSC", "Handset"),
        Direction::FromPhone => ("Handset", "SMSC"),
    };
    let line = |name| {
        Line::new(from, to, name)
            .clause("TS 24.011 §7.3")
            .octets("rp", octets)
    };
    match (Message::parse(direction, octets), direction) {
        (Ok(Message::Data { mr, tpdu, .. }), Direction::ToPhone) => line("RP-DATA (SMS-DELIVER)")
            .step(6)
            .field("RP-MR", mr)
            .deliver(tpdu.octets())
            .row(),
        (Ok(Message::Data { mr, tpdu, .. }), Direction::FromPhone) => line("RP-DATA (SMS-SUBMIT)")
            .step(11)
            .field("RP-MR", mr)
            .submit(tpdu.octets())
            .row(),
        (Ok(Message::Ack { mr, .. }), _) => line("RP-ACK").field("RP-MR", mr).row(),
        (Ok(Message::Error { mr, cause, .. }), _) => line("RP-ERROR")
            .field("RP-MR", mr)
            .field("RP-Cause", cause.0)
            .row(),
        (Ok(Message::Smma { mr }), _) => line("RP-SMMA").field("RP-MR", mr).row(),
        (Err(error), _) => line("RP message").field("error", error).row(),
    }
}

fn card(note: &Note) -> Row {
    let inside = |name: &str| Line::new("SIM", "SIM", name).step(7);
    match note {
        Note::Part { held, total } => inside("part kept")
            .clause("TS 31.115 §4.3")
            .field("parts", format!("{held} of {total}"))
            .row(),
        Note::NotAPacket { reason } => inside("no command packet")
            .clause("TS 31.115 §4.2")
            .field("reason", reason)
            .row(),
        Note::PacketAccepted {
            spi,
            kic,
            kid,
            tar,
            cntr,
            packet,
        } => inside("command packet accepted")
            .clause("TS 102 225 §5.1")
            .field("SPI", spi)
            .field("KIc", format!("{kic:02X}"))
            .field("KID", format!("{kid:02X}"))
            .field("TAR", tar)
            .field("CNTR", cntr)
            .octets("command-packet", packet)
            .row(),
        Note::PacketRefused {
            reason,
            authenticated,
            packet,
        } => inside("command packet refused")
            .clause("TS 102 225 §5.1")
            .field("reason", reason)
            .field(
                "sender",
                if *authenticated {
                    "showed a key"
                } else {
                    "unknown"
                },
            )
            .octets("command-packet", packet)
            .row(),
        Note::Por {
            status,
            secured,
            by_submit,
            octets,
        } => inside("PoR")
            .clause("TS 102 225 §5.2")
            .field("status", format!("{:02X} {}", status.0, status.name()))
            .field("secured", if *secured { "yes" } else { "no" })
            .field(
                "by",
                if *by_submit {
                    "SMS-SUBMIT"
                } else {
                    "SMS-DELIVER-REPORT"
                },
            )
            .octets("response-packet", octets)
            .row(),
        Note::NotAChallenge { error } => inside("no challenge").own().field("reason", error).row(),
        Note::Challenge {
            tid,
            ctr,
            method,
            algorithm,
            verdict,
        } => inside("challenge")
            .own()
            .field("TID", hex::encode_upper(tid))
            .field("CTR", ctr)
            .field("METHOD", method_name(*method))
            .field("ALG", algorithm_name(*algorithm))
            .field("MAC", mac_verdict(*verdict))
            .field("verdict", verdict_name(*verdict))
            .row(),
        Note::Pin { right, tries_left } => inside("PIN compared")
            .step(10)
            .own()
            .field("PIN", if *right { "right" } else { "wrong" })
            .field("tries left", tries_left)
            .row(),
        Note::Puk { right, tries_left } => Line::new("SIM", "SIM", "PUK compared")
            .own()
            .field("PUK", if *right { "right" } else { "wrong" })
            .field("tries left", tries_left)
            .row(),
        Note::PinSet { unblocked } => Line::new("SIM", "SIM", "PIN set")
            .own()
            .field("by", if *unblocked { "PUK" } else { "PIN" })
            .row(),
        Note::Answer {
            ctr,
            result,
            tries_left,
            octets,
        } => inside("response")
            .step(11)
            .own()
            .field("CTR", ctr)
            .field("RESULT", format!("{:02X} {}", result.0, result.name()))
            .field("TRIES", tries_left)
            .octets("applet-response", octets)
            .row(),
    }
}

fn method_name(method: Result<Method, u8>) -> String {
    match method {
        Ok(Method::Confirm) => "01 confirm".to_owned(),
        Ok(Method::Pin) => "02 PIN".to_owned(),
        Err(octet) => format!("{octet:02X}"),
    }
}

fn algorithm_name(algorithm: Result<MacAlgorithm, u8>) -> String {
    match algorithm {
        Ok(MacAlgorithm::AesCmac8) => "01 AES-CMAC".to_owned(),
        Ok(MacAlgorithm::TripleDesCbcMac) => "02 3DES CBC-MAC".to_owned(),
        Err(octet) => format!("{octet:02X}"),
    }
}

const fn mac_verdict(verdict: ChallengeVerdict) -> &'static str {
    match verdict {
        ChallengeVerdict::BadMac => "wrong",
        ChallengeVerdict::UnknownAlgorithm => "not checked",
        ChallengeVerdict::Accepted
        | ChallengeVerdict::Replay { .. }
        | ChallengeVerdict::Unsupported => "right",
    }
}

fn verdict_name(verdict: ChallengeVerdict) -> String {
    match verdict {
        ChallengeVerdict::Accepted => "accepted".to_owned(),
        ChallengeVerdict::BadMac => "refused".to_owned(),
        ChallengeVerdict::Replay { counter } => format!("replay: CTR is not above {counter}"),
        ChallengeVerdict::Unsupported => {
            "asks for what this applet or handset cannot do".to_owned()
        }
        ChallengeVerdict::UnknownAlgorithm => "unknown ALG, dropped".to_owned(),
    }
}

/// A row being written.
struct Line {
    row: Row,
}

impl Line {
    fn new(from: &'static str, to: &'static str, name: impl Into<String>) -> Self {
        Self {
            row: Row {
                step: None,
                from,
                to,
                name: name.into(),
                clause: String::new(),
                badge: Badge::Standard,
                fields: Vec::new(),
                octets: None,
            },
        }
    }

    const fn step(mut self, step: u8) -> Self {
        self.row.step = Some(step);
        self
    }

    fn clause(mut self, clause: &str) -> Self {
        clause.clone_into(&mut self.row.clause);
        self
    }

    fn own(mut self) -> Self {
        self.row.badge = Badge::Own;
        self.clause("midsim's own")
    }

    fn field(mut self, name: &str, value: impl ToString) -> Self {
        self.row.fields.push((name.to_owned(), value.to_string()));
        self
    }

    fn octets(self, kind: &'static str, bytes: &[u8]) -> Self {
        self.with(Octets::new(kind, bytes.to_vec()))
    }

    fn with(mut self, octets: Octets) -> Self {
        self.row.octets = Some(octets);
        self
    }

    fn deliver(self, tpdu: &[u8]) -> Self {
        let Ok(deliver) = Deliver::parse(tpdu) else {
            return self;
        };
        self.field("TP-OA", deliver.oa)
            .field("TP-PID", deliver.pid)
            .field("TP-DCS", deliver.dcs)
            .field("TP-UD", format!("{} octets", deliver.user_data.len()))
    }

    fn submit(self, tpdu: &[u8]) -> Self {
        let Ok(submit) = Submit::parse(tpdu) else {
            return self;
        };
        self.field("TP-DA", submit.da)
            .field("TP-PID", submit.pid)
            .field("TP-DCS", submit.dcs)
            .field("TP-UD", format!("{} octets", submit.user_data.len()))
    }

    fn row(self) -> Row {
        self.row
    }
}

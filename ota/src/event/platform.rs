//! What the platform reports.

use ota_wire::ids::{Cntr, Msisdn, Tar};
use ota_wire::packet::{ResponseStatus, Spi};
use ota_wire::trace::Row;

use super::line::Line;
use crate::platform::FailReason;
use crate::platform::key_sets::Shown;
use crate::smpp::{CommandStatus, MessageState, ShortMessage};

/// Step of the flow in which a packet goes to the SMSC.
const STEP_SUBMIT: u8 = 5;
/// Step of the flow in which an answer goes to the application.
const STEP_ANSWER: u8 = 12;

/// What happened at the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // Fields carry the names that the standards give them.
pub enum PlatformEvent {
    /// An order came a second time.
    JobRepeated,
    /// An order waits for others to the same card.
    JobQueued { behind: usize },
    /// Its time is over.
    JobExpired,
    /// Its sender called it off.
    JobCancelled,
    /// It was given up.
    JobFailed { reason: FailReason },
    /// A command packet was sealed and submitted.
    PacketSubmitted {
        spi: Spi,
        kic: u8,
        kid: u8,
        tar: Tar,
        cntr: Cntr,
        attempt: u8,
        parts: usize,
        destination: Msisdn,
        data_coding: u8,
        packet: Vec<u8>,
    },
    /// The SMSC took a part.
    Accepted { part: usize, message_id: String },
    /// The SMSC asks to wait.
    SmscBusy { status: CommandStatus },
    /// The SMSC reports the end of a message.
    Receipt { state: MessageState },
    /// A part of a concatenated message came, others are missing.
    PartArrived { message: Box<ShortMessage> },
    /// A response packet came that answers a command.
    Por {
        from: Msisdn,
        status: ResponseStatus,
        authenticated: bool,
        effect: PorEffect,
        packet: Vec<u8>,
    },
    /// An application on a card answered.
    Answer {
        from: Msisdn,
        payload: Vec<u8>,
        job: Option<String>,
    },
    /// Something came that means nothing, or claims what it cannot prove.
    Ignored {
        why: String,
        message: Box<ShortMessage>,
    },
    /// A card has the key set that an order brought it; the platform uses it from now on.
    KeySetLearnt { keys: Box<Shown> },
    /// The SMPP session came or went.
    Link { up: bool },
}

/// What the platform does about a response packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PorEffect {
    /// Nothing: it waits.
    None,
    /// Sends again with a new counter, once.
    SendAgain,
    /// Sends again with a counter far higher, once.
    Jump,
    /// Gives up.
    Fail,
    /// It is what the order waited for.
    Acknowledge,
}

impl PlatformEvent {
    pub(super) fn row(&self) -> Row {
        match self {
            Self::JobRepeated => Line::own("MSSP", "OTA", "job already known").row(),
            Self::JobQueued { behind } => Line::own("MSSP", "OTA", "job queued")
                .field("position", behind)
                .row(),
            Self::JobExpired => Line::own("OTA", "OTA", "job expired").row(),
            Self::JobCancelled => Line::own("OTA", "OTA", "job cancelled").row(),
            Self::JobFailed { reason } => Line::own("OTA", "MSSP", "job failed")
                .field("reason", reason)
                .row(),
            Self::PacketSubmitted {
                spi,
                kic,
                kid,
                tar,
                cntr,
                attempt,
                parts,
                destination,
                data_coding,
                packet,
            } => {
                let [spi1, spi2] = spi.0;
                let mut line = Line::standard(
                    "OTA",
                    "SMSC",
                    "submit_sm (command packet)",
                    "TS 102 225 §5.1, TS 31.115 §4.2, SMPP 3.4 §4.4.1",
                )
                .step(STEP_SUBMIT)
                .field("SPI", format_args!("{spi1:02X} {spi2:02X}"))
                .field("KIc", format_args!("{kic:02X}"))
                .field("KID", format_args!("{kid:02X}"))
                .field("TAR", tar)
                .field("CNTR", cntr)
                .field("to", destination)
                .field("PID", "7F")
                .field("DCS", format_args!("{data_coding:02X}"))
                .field("short messages", parts);
                if *attempt > 1 {
                    line = line.field("attempt", attempt);
                }
                line.octets("command-packet", packet).row()
            }
            Self::Accepted { part, message_id } => {
                Line::standard("SMSC", "OTA", "submit_sm_resp", "SMPP 3.4 §4.4.2")
                    .field("part", part)
                    .field("message_id", message_id)
                    .row()
            }
            Self::SmscBusy { status } => {
                Line::standard("SMSC", "OTA", "submit_sm_resp", "SMPP 3.4 §4.4.2")
                    .field("command_status", status)
                    .row()
            }
            Self::Receipt { state } => {
                Line::standard("SMSC", "OTA", "deliver_sm (receipt)", "SMPP 3.4 §4.6.1")
                    .field("message_state", state.stat())
                    .row()
            }
            Self::PartArrived { message } => {
                Line::standard("SMSC", "OTA", "deliver_sm (part)", "TS 23.040 §9.2.3.24.1")
                    .message(message)
                    .row()
            }
            Self::Por {
                from,
                status,
                authenticated,
                effect,
                packet,
            } => Line::standard("SIM", "OTA", "response packet (PoR)", "TS 102 225 §5.2")
                .field("from", from)
                .field("status", format_args!("{:02X} {}", status.0, status.name()))
                .field("authenticated", authenticated)
                .field("effect", effect.text())
                .octets("response-packet", packet)
                .row(),
            Self::Answer { from, payload, job } => {
                let line = Line::own("OTA", "MSSP", "application message")
                    .step(STEP_ANSWER)
                    .field("from", from);
                let line = match job {
                    Some(job) => line.field("answers", job),
                    None => line,
                };
                line.octets("applet-message", payload).row()
            }
            Self::Ignored { why, message } => {
                Line::standard("SMSC", "OTA", "deliver_sm ignored", "SMPP 3.4 §4.6.1")
                    .field("why", why)
                    .message(message)
                    .row()
            }
            Self::KeySetLearnt { keys } => Line::own("OTA", "OTA", "key set of the card imported")
                .field("version", keys.version)
                .field("KIc", &keys.kic)
                .field("KCV of KIc", &keys.kic_kcv)
                .field("KID", &keys.kid)
                .field("KCV of KID", &keys.kid_kcv)
                .row(),
            Self::Link { up } => Line::standard(
                "OTA",
                "SMSC",
                if *up { "bound" } else { "not bound" },
                "SMPP 3.4 §2.2",
            )
            .row(),
        }
    }
}

impl PorEffect {
    fn text(self) -> &'static str {
        match self {
            Self::None => "wait",
            Self::SendAgain => "send again with a new counter",
            Self::Jump => "send again with a counter far higher",
            Self::Fail => "give up",
            Self::Acknowledge => "acknowledged",
        }
    }
}

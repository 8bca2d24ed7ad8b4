//! What the SMSC reports.

use ota_wire::ids::Msisdn;
use ota_wire::rp::Cause;
use ota_wire::sms::tpdu::{Deliver, Fcs};
use ota_wire::trace::Row;

use super::line::Line;
use crate::smpp::{CommandStatus, MessageState, ShortMessage};

/// Step of the flow in which a message goes to the phone.
const STEP_TO_PHONE: u8 = 6;
/// Step of the flow in which an answer goes to the platform.
const STEP_TO_PLATFORM: u8 = 12;
const DELIVER_SM: &str = "SMPP 3.4 §4.6.1";
const DELIVER_SM_RESP: &str = "SMPP 3.4 §4.6.2";

/// What happened at the SMSC.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // Fields carry the names that the standards give them.
pub enum SmscEvent {
    /// A submit_sm was refused.
    SubmitRefused { status: CommandStatus },
    /// A message is kept for a phone.
    Kept { to: Msisdn, waiting: usize },
    /// A message went to a phone.
    RpDataSent {
        to: Msisdn,
        mr: u8,
        deliver: Box<Deliver>,
    },
    /// How that ended.
    RpEnded { outcome: RpOutcome },
    /// A phone sent what is no message of the relay layer.
    RpMalformed { why: String, octets: Vec<u8> },
    /// A message to a phone was given up.
    GivenUp { to: Msisdn, state: MessageState },
    /// A message from a phone is kept and passed on.
    MoKept {
        from: Msisdn,
        message: Box<ShortMessage>,
    },
    /// A phone repeated a message, since our answer got lost.
    MoRepeated,
    /// A message from a phone was refused.
    MoRefused { cause: Cause, fcs: Option<Fcs> },
    /// An ESME bound or left.
    Esme { bound: bool },
    /// A message waits for its ESME to bind.
    EsmeAway,
    /// The ESME acknowledged a message.
    EsmeTook,
    /// The ESME refused a message.
    EsmeRefused { status: CommandStatus, again: bool },
    /// A message for an ESME has expired.
    EsmeTooLate,
}

/// How a message to a phone ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // As above.
pub enum RpOutcome {
    /// RP-ACK.
    Delivered,
    /// RP-ERROR; `again`: it will be sent again.
    Refused {
        cause: Cause,
        fcs: Option<Fcs>,
        again: bool,
    },
    /// Neither in time; it will be sent again.
    NoAnswer,
    /// An answer to nothing under way.
    Stale,
}

impl SmscEvent {
    pub(super) fn row(&self) -> Row {
        match self {
            Self::SubmitRefused { status } => {
                Line::standard("SMSC", "OTA", "submit_sm_resp", "SMPP 3.4 §4.4.2")
                    .field("command_status", status)
                    .row()
            }
            Self::Kept { to, waiting } => {
                Line::standard("SMSC", "SMSC", "message kept", "TS 23.040 §3.1")
                    .field("for", to)
                    .field("waiting", waiting)
                    .row()
            }
            Self::RpDataSent { to, mr, deliver } => {
                let udh = deliver.user_data.udh();
                let mut line = Line::standard(
                    "SMSC",
                    "Handset",
                    "RP-DATA (SMS-DELIVER)",
                    "TS 24.011 §7.3.1, TS 23.040 §9.2.2.1",
                )
                .step(STEP_TO_PHONE)
                .field("to", to)
                .field("RP-MR", mr)
                .field("OA", &deliver.oa)
                .field("PID", deliver.pid)
                .field("DCS", format_args!("{:02X}", deliver.dcs.0))
                .field("UDHI", u8::from(udh.is_some()));
                if let Some(Ok(Some(concat))) = udh.map(|udh| udh.concat()) {
                    line = line.field(
                        "part",
                        format_args!("{} of {}", concat.sequence, concat.total),
                    );
                }
                line.octets("sms-deliver", &deliver.emit()).row()
            }
            Self::RpEnded { outcome } => outcome.row(),
            Self::RpMalformed { why, octets } => {
                Line::standard("Handset", "SMSC", "malformed RP message", "TS 24.011 §9")
                    .field("why", why)
                    .octets("rp", octets)
                    .row()
            }
            Self::GivenUp { to, state } => {
                Line::standard("SMSC", "SMSC", "message given up", "SMPP 3.4 §5.2.28")
                    .field("for", to)
                    .field("message_state", state.stat())
                    .row()
            }
            Self::MoKept { from, message } => {
                Line::standard("SMSC", "OTA", "deliver_sm", DELIVER_SM)
                    .step(STEP_TO_PLATFORM)
                    .field("subscriber", from)
                    .message(message)
                    .row()
            }
            Self::MoRepeated => {
                Line::standard("Handset", "SMSC", "RP-DATA repeated", "TS 24.011 §7.3.1").row()
            }
            Self::MoRefused { cause, fcs } => cause_of(
                Line::standard("SMSC", "Handset", "RP-ERROR", "TS 24.011 §7.3.4"),
                *cause,
                *fcs,
            )
            .row(),
            Self::Esme { bound } => Line::standard(
                "OTA",
                "SMSC",
                if *bound { "bind" } else { "unbind" },
                "SMPP 3.4 §4.1, §4.2",
            )
            .row(),
            Self::EsmeAway => {
                Line::standard("SMSC", "SMSC", "message waits for a bind", DELIVER_SM).row()
            }
            Self::EsmeTook => Line::standard("OTA", "SMSC", "deliver_sm_resp", DELIVER_SM_RESP)
                .field("command_status", CommandStatus::ROK)
                .row(),
            Self::EsmeRefused { status, again } => {
                Line::standard("OTA", "SMSC", "deliver_sm_resp", DELIVER_SM_RESP)
                    .field("command_status", status)
                    .field("again", again)
                    .row()
            }
            Self::EsmeTooLate => {
                Line::standard("SMSC", "SMSC", "message for an ESME expired", DELIVER_SM).row()
            }
        }
    }
}

impl RpOutcome {
    fn row(self) -> Row {
        match self {
            Self::Delivered => {
                Line::standard("Handset", "SMSC", "RP-ACK", "TS 24.011 §7.3.3").row()
            }
            Self::Refused { cause, fcs, again } => {
                let line = Line::standard("Handset", "SMSC", "RP-ERROR", "TS 24.011 §7.3.4");
                cause_of(line, cause, fcs).field("again", again).row()
            }
            Self::NoAnswer => {
                Line::standard("SMSC", "SMSC", "no RP-ACK in time", "TS 24.011 §6.3.1").row()
            }
            Self::Stale => Line::standard(
                "Handset",
                "SMSC",
                "RP-ACK or RP-ERROR to nothing under way",
                "TS 24.011 §9.2",
            )
            .row(),
        }
    }
}

fn cause_of(line: Line, cause: Cause, fcs: Option<Fcs>) -> Line {
    let line = line.field("RP-Cause", cause);
    match fcs {
        Some(fcs) => line.field("TP-FCS", fcs),
        None => line,
    }
}

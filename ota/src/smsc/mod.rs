//! The SMSC: takes short messages from ESMEs and phones, keeps them, and brings them to the other side (3GPP TS 23.040 §3 and §9,
//! TS 24.011 towards the phone, SMPP 3.4 towards the ESME).
//!
//! A message is kept from its acceptance until its receiver has acknowledged it, has refused it for good, or its validity has
//! ended. Towards a phone there is one message under way at a time, in the order of acceptance. The SMSC neither joins nor
//! splits messages and never looks behind the user data header.

mod convert;
mod esme;
mod operate;
mod phone;
mod queue;
mod record;
mod route;
mod work;

#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};
use ota_wire::ids::Msisdn;
use rand_core::Rng;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::octets;
use crate::smpp::{Answer, BindMode, CommandStatus, Multi, MultiTaken, Operation, ShortMessage};
use crate::step::{self, View};
pub use record::{
    Backlog, Change, InFlight, LastMo, Links, Origin, Pause, Phone, Queue, Queued, Stored, Waiting,
};
use work::Work;

/// A step of the SMSC.
pub type Step = step::Step<Change, Output>;

/// Which phones there are.
pub trait Phones: Send + Sync {
    /// Is there a subscriber with this number, reachable or not?
    fn knows(&self, msisdn: &Msisdn) -> bool;
}

/// An ESME that may bind, and the numbers that belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Esme {
    /// Its account.
    pub system_id: String,
    /// Digits without `+`.
    pub short_codes: Vec<String>,
}

/// What the SMSC is told at its start.
#[derive(Clone)]
pub struct Config {
    /// The service centre address that phones see.
    pub service_centre: Msisdn,
    /// The ESMEs.
    pub esmes: Vec<Esme>,
    /// The phones.
    pub phones: Arc<dyn Phones>,
    /// How long a message without validity period is kept.
    pub default_validity: SignedDuration,
    /// The longest validity granted.
    pub max_validity: SignedDuration,
    /// How long a phone may take to acknowledge (TS 24.011 §10: TR1N, 35 to 45 s).
    pub acknowledge_within: SignedDuration,
    /// Messages that may wait for one phone.
    pub max_queue: usize,
    /// Messages that may wait for one ESME beside those on their way to it: while it is absent, and while it is slower than
    /// what comes for it.
    pub max_esme_queue: usize,
    /// deliver_sm that may be unanswered in one session, once messages wait for its ESME. Before, the session's own window and
    /// queue are the bound; see [`Input::NotSent`].
    pub window: usize,
    /// Puts the message id of the SMSC into `receipted_message_id` of every deliver_sm, not only of receipts. SMPP 3.4 leaves
    /// the parameter open there; with it a message can be followed over the link.
    pub number_deliveries: bool,
}

impl Config {
    /// The defaults: a day, three days, 40 s, 100 messages for a phone and 1000 for an ESME, 64 deliver_sm.
    pub fn new(service_centre: Msisdn, esmes: Vec<Esme>, phones: Arc<dyn Phones>) -> Self {
        Self {
            service_centre,
            esmes,
            phones,
            default_validity: SignedDuration::from_hours(24),
            max_validity: SignedDuration::from_hours(72),
            acknowledge_within: SignedDuration::from_secs(40),
            max_queue: 100,
            max_esme_queue: 1000,
            window: 64,
            number_deliveries: true,
        }
    }
}

/// One bound session of an ESME.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EsmeId {
    /// The account it bound as.
    pub system_id: String,
    /// The runner's number for the session, used once between two [`Input::Started`].
    pub link: u64,
}

/// What happens to the SMSC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The process has started: no session of before exists any more, and what was under way to phones is sent again. The first
    /// input after each start.
    Started,
    /// An ESME has bound.
    Bound {
        /// The session.
        esme: EsmeId,
        /// Its directions.
        mode: BindMode,
    },
    /// A session has ended.
    Unbound {
        /// The session.
        esme: EsmeId,
    },
    /// A submit_sm.
    Submit {
        /// Where from.
        esme: EsmeId,
        /// Its sequence number.
        sequence: u32,
        /// What.
        message: ShortMessage,
    },
    /// A submit_multi.
    SubmitMulti {
        /// Where from.
        esme: EsmeId,
        /// Its sequence number.
        sequence: u32,
        /// What.
        multi: Multi,
    },
    /// A query_sm, cancel_sm or replace_sm.
    Operate {
        /// Where from.
        esme: EsmeId,
        /// Its sequence number.
        sequence: u32,
        /// What is asked.
        operation: Operation,
    },
    /// The answer to an [`Output::Deliver`].
    DeliverResp {
        /// Its id.
        id: String,
        /// Accepted, or why not.
        result: Result<(), CommandStatus>,
    },
    /// An [`Output::Deliver`] that its session had no room for, or that came too late for it.
    NotSent {
        /// Its id.
        id: String,
    },
    /// A message of the relay layer from a phone (TS 24.011 §7.3).
    Rp {
        /// Whose phone; the network vouches for it.
        from: Msisdn,
        /// The message.
        bytes: Vec<u8>,
    },
    /// The network sees the phone (again). What was under way to it is sent again: a phone that was away has lost it.
    PhoneAvailable {
        /// Whose.
        msisdn: Msisdn,
    },
    /// A timer is due.
    Timer {
        /// Its key.
        key: String,
    },
}

/// What the SMSC wants. None of it must outlive a crash by itself: the records bring messages back, to an ESME when it binds, to a
/// phone when it is seen, when its RP-ACK is overdue and after a start, and a phone that misses an answer repeats its message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Output {
    /// Answers a submit_sm.
    SubmitResp {
        /// Whom.
        esme: EsmeId,
        /// Sequence number of the submit_sm.
        sequence: u32,
        /// ESME_ROK once the message is kept.
        status: CommandStatus,
        /// The SMSC's id of it; empty in a refusal.
        message_id: String,
    },
    /// Answers a submit_multi.
    MultiResp {
        /// Whom.
        esme: EsmeId,
        /// Sequence number of the submit_multi.
        sequence: u32,
        /// ESME_ROK once the message is kept for one receiver at least.
        status: CommandStatus,
        /// The SMSC's id of it, and the receivers that it is not kept for.
        taken: MultiTaken,
    },
    /// Answers a query_sm, cancel_sm or replace_sm.
    Answer {
        /// Whom.
        esme: EsmeId,
        /// Its sequence number.
        sequence: u32,
        /// What.
        answer: Answer,
    },
    /// A deliver_sm.
    Deliver {
        /// To which session.
        esme: EsmeId,
        /// For [`Input::DeliverResp`]; the same in a repetition.
        id: String,
        /// The message.
        message: ShortMessage,
    },
    /// A message of the relay layer for a phone. If the phone cannot be reached it is lost.
    Rp {
        /// Whose phone.
        to: Msisdn,
        /// The message.
        #[serde(with = "octets")]
        bytes: Vec<u8>,
    },
}

/// The SMSC. It holds configuration only; what it remembers is in records.
#[derive(Clone)]
pub struct Smsc {
    config: Config,
}

impl Smsc {
    /// An SMSC.
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// One step; see [`crate::step`]. Message ids come from `rng`.
    pub fn step(&self, view: &dyn View, input: Input, now: Timestamp, rng: &mut dyn Rng) -> Step {
        let mut work = Work::new(&self.config, view, now, rng);
        match input {
            Input::Started => work.started(),
            Input::Bound { esme, mode } => work.bound(&esme, mode),
            Input::Unbound { esme } => work.unbound(&esme),
            Input::Submit {
                esme,
                sequence,
                message,
            } => work.submit(esme, sequence, message),
            Input::SubmitMulti {
                esme,
                sequence,
                multi,
            } => work.submit_multi(esme, sequence, &multi),
            Input::Operate {
                esme,
                sequence,
                operation,
            } => work.operate(esme, sequence, operation),
            Input::DeliverResp { id, result } => work.deliver_resp(&id, result),
            Input::NotSent { id } => work.not_sent(&id),
            Input::Rp { from, bytes } => work.rp(&from, &bytes),
            Input::PhoneAvailable { msisdn } => work.phone_available(&msisdn),
            Input::Timer { key } => work.timer_due(&key),
        }
        work.finish()
    }
}

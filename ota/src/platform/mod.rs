//! The OTA platform: takes messages for applications on SIMs, seals them as command packets (TS 102 225 as TS 31.115 maps it on
//! SMS), submits them, and makes sense of what comes back.
//!
//! It owns two things that nobody else may touch: the **counter** of every key set, which is committed before the packet that
//! carries it leaves and never goes down, and the **order** of packets: one on its way per card and key set, since a card
//! refuses a lower counter after a higher one.

mod deliver;
pub mod key_sets;
mod parts;
mod record;
pub mod remote;
mod submit;
mod work;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use ota_wire::ids::{Iccid, Msisdn, Tar};
use ota_wire::keys::{Family, KeySet, MasterKey};
use ota_wire::packet::Spi;
use rand_core::Rng;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::octets;
use crate::smpp::{CommandStatus, MessageState, ShortMessage};
use crate::step::{self, View};
pub use record::{
    Attempt, Card, CardResponse, Change, Job, JobState, OpenMessage, Part, Parts, Sim,
};
use work::Work;

/// A step of the platform.
pub type Step = step::Step<Change, Output>;

/// Who the subscribers are. Records of this kind rarely change, so they are part of the configuration.
pub trait Directory: Send + Sync {
    /// The subscriber who has this number.
    fn find(&self, msisdn: &Msisdn) -> Option<Subscriber>;
}

/// What the platform must know of a subscriber.
#[derive(Debug, Clone)]
pub struct Subscriber {
    /// The card in the phone.
    pub iccid: Iccid,
    /// Where the keys come from.
    pub keys: Keys,
}

/// The key set that protects messages to a card.
#[derive(Debug, Clone)]
pub enum Keys {
    /// Follows from the master key, the ICCID and the version.
    Derived {
        /// 1 to 15.
        version: u8,
        /// Its algorithms.
        family: Family,
    },
    /// As given.
    Fixed(Arc<KeySet>),
}

impl Keys {
    /// The version number, which KIc and KID carry.
    pub fn version(&self) -> u8 {
        match self {
            Self::Derived { version, .. } => *version,
            Self::Fixed(keys) => keys.version,
        }
    }
}

/// What the platform is told at its start.
#[derive(Clone)]
pub struct Config {
    /// The number that cards answer to.
    pub short_code: String,
    /// From which derived keys follow.
    pub master: MasterKey,
    /// The subscribers.
    pub subscribers: Arc<dyn Directory>,
    /// Version and family of the key sets that every card has beside the subscriber's usual one, derived as they are needed.
    /// None by default.
    pub derived: Vec<(u8, Family)>,
    /// TP-DCS of messages to cards, F6 by default. Some SMSCs only understand 04.
    pub data_coding: u8,
    /// Receipts to ask for; see [`crate::smpp::registered_delivery`]. On failure by default.
    pub registered_delivery: u8,
    /// Send user data in message_payload.
    pub in_payload: bool,
    /// Whether a bare message (no response packet) may be the answer to an order: what was sent, what came. By default any is;
    /// who knows the application can tell its answers from other messages of the same number.
    pub answers: fn(&Submit, &[u8]) -> bool,
}

impl Config {
    /// The defaults.
    pub fn new(short_code: &str, master: MasterKey, subscribers: Arc<dyn Directory>) -> Self {
        Self {
            short_code: short_code.to_owned(),
            master,
            subscribers,
            derived: Vec::new(),
            data_coding: 0xF6,
            registered_delivery: crate::smpp::registered_delivery::ON_FAILURE,
            in_payload: false,
            answers: |_, _| true,
        }
    }
}

/// An order: bring this to that application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submit {
    /// Chosen by the sender; a second order with the same id is the same order.
    pub id: String,
    /// To whose card.
    pub msisdn: Msisdn,
    /// To which application on it.
    pub tar: Tar,
    /// What; at most some 1000 octets (eight short messages).
    #[serde(with = "octets")]
    pub payload: Vec<u8>,
    /// When it is no longer worth the trouble.
    pub expires: Timestamp,
    /// The span of which `expires` is the end, in seconds, where the sender gave a span: what is counted anew from each arrival
    /// must not make two orders of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_for: Option<u32>,
    /// The sender's own id of what this belongs to; a trace id such as `applet:…`. Comes back with the answer.
    pub correlation: String,
    /// When the card is to send a response packet.
    #[serde(default)]
    pub por: Por,
    /// Which key set protects it; without, the one for the application, or else the card's first.
    #[serde(default)]
    pub key_version: Option<u8>,
    /// The key set that the payload puts on the card ([`remote::Task::PutKey`]): imported once the card says that it has it,
    /// in the commit of that response. Its keys are forgotten when the order is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_set: Option<key_sets::Entry>,
}

impl Submit {
    /// Whether the sender wants the same as in `known`, an earlier order of the same id. Of a key set that is over there is no
    /// key any more; the payload has their check values, and the keys under a KIK that may be another one by now.
    pub fn repeats(&self, known: &Self) -> bool {
        let [mut new, mut known] = [self.clone(), known.clone()];
        for order in [&mut new, &mut known] {
            if let Some(entry) = &mut order.key_set {
                entry.forget_keys();
                order.payload = remote::without_ciphered_keys(&order.payload);
            }
        }
        if new.valid_for.is_some() && new.valid_for == known.valid_for {
            new.expires = known.expires;
        }
        new == known
    }
}

/// When the card is to send a response packet. It is always ciphered, with CC, and by SMS-SUBMIT: SMPP carries no data of a
/// delivery report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Por {
    /// Never.
    None,
    /// When it refuses the packet.
    #[default]
    OnError,
    /// Always: it ends the job, and brings the application's response data.
    Always,
}

impl Por {
    /// SPI of a packet that asks for it.
    pub fn spi(self) -> Spi {
        let [guard, response] = Spi::MT.0;
        Spi([
            guard,
            match self {
                Self::None => 0,
                Self::OnError => response,
                Self::Always => response & !0x03 | 0x01,
            },
        ])
    }
}

/// What happens to the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// An order.
    Submit(Submit),
    /// The sender has changed his mind. What is on its way may still arrive.
    Cancel {
        /// The id of the order.
        id: String,
    },
    /// Key sets of cards, beside or instead of those of the directory.
    Import(Vec<key_sets::Entry>),
    /// The outcome of an [`Output::SubmitSm`].
    SubmitSmResp {
        /// Its id.
        id: String,
        /// The SMSC's message id, or its refusal.
        result: Result<String, CommandStatus>,
    },
    /// A deliver_sm. Acknowledge it after this step's commit.
    Deliver(ShortMessage),
    /// A timer is due.
    Timer {
        /// Its key.
        key: String,
    },
    /// The SMPP session is gone: what it left unanswered may or may not have arrived.
    LinkDown,
    /// There is an SMPP session (again).
    LinkUp,
}

/// What the platform wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Output {
    /// A short message for the SMSC.
    SubmitSm {
        /// `<job>/<part>`, and `<job>/<part>r<n>` in the n-th re-send.
        id: String,
        /// The message.
        message: ShortMessage,
    },
    /// News of a job, at most one of each kind.
    Report {
        /// The id of the order.
        id: String,
        /// The news.
        outcome: Outcome,
    },
    /// A message from a card. The same one may come twice.
    Mo {
        /// The SMSC's message id where it told one, else a random one.
        id: String,
        /// From whose.
        from: Msisdn,
        /// What.
        #[serde(with = "octets")]
        payload: Vec<u8>,
        /// [`Submit::correlation`] of the job that it presumably answers.
        correlation: Option<String>,
        /// The job is over with it.
        #[serde(default)]
        ends: bool,
    },
}

impl Output {
    /// The key under which a runner must keep the output until it is carried out, over a crash as well. `None` of a submit_sm:
    /// what is lost of those, [`Input::LinkUp`] brings back.
    pub fn durable_id(&self) -> Option<String> {
        match self {
            Self::SubmitSm { .. } => None,
            Self::Report { id, outcome } => Some(format!("{}/{id}", outcome.name())),
            Self::Mo { id, .. } => Some(format!("mo/{id}")),
        }
    }
}

/// News of a job. It ends with one of them, or with an [`Output::Mo`] that [ends](Output::Mo::ends) it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The SMSC has all of it.
    Sent,
    /// The card has answered with a response packet that proves itself.
    Acknowledged(CardResponse),
    /// It will not arrive.
    Failed(FailReason),
    /// Its time was over before anything else was certain.
    Expired,
    /// Its sender called it off.
    Cancelled,
}

impl Outcome {
    /// In one word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Acknowledged(_) => "acknowledged",
            Self::Failed(_) => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Why a job failed. Everything here is certain: what a stranger could forge is not a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum FailReason {
    /// Nobody has the number.
    #[error("no subscriber has this number")]
    UnknownSubscriber,
    /// The packet needs too many short messages.
    #[error("the packet needs {got} short messages, expected at most {max}")]
    TooLong {
        /// The most allowed.
        max: usize,
        /// What it needs.
        got: usize,
    },
    /// The key set cannot protect a packet.
    #[error("the key set cannot protect the packet: {0}")]
    Keys(String),
    /// CNTR has come to its end.
    #[error("the counter of the key set is used up")]
    CounterExhausted,
    /// Too many messages wait for this card.
    #[error("{waiting} messages wait for this card already")]
    QueueFull {
        /// How many.
        waiting: usize,
    },
    /// The card refused it, and proved that it is the card.
    #[error("the card answered response status {0:02X}")]
    Card(u8),
    /// The SMSC refused it.
    #[error("the SMSC answered {0}")]
    Smsc(CommandStatus),
    /// The SMSC gave it up.
    #[error("the SMSC could not deliver it: {}", .0.stat())]
    Undelivered(MessageState),
}

impl FailReason {
    /// In one word, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownSubscriber => "unknown-subscriber",
            Self::TooLong { .. } => "too-long",
            Self::Keys(_) => "keys",
            Self::CounterExhausted => "counter-exhausted",
            Self::QueueFull { .. } => "queue-full",
            Self::Card(_) => "card",
            Self::Smsc(_) => "smsc",
            Self::Undelivered(_) => "undelivered",
        }
    }
}

/// The platform. It holds configuration only; what it remembers is in records.
#[derive(Clone)]
pub struct Platform {
    config: Config,
}

impl Platform {
    /// A platform.
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// One step; see [`crate::step`]. Chance only names messages; counters come from `now` and the records.
    pub fn step(&self, view: &dyn View, input: Input, now: Timestamp, rng: &mut dyn Rng) -> Step {
        let mut work = Work::new(&self.config, view, now, rng);
        match input {
            Input::Submit(submit) => work.submit(submit),
            Input::Cancel { id } => work.cancel(&id),
            Input::Import(entries) => work.import(entries),
            Input::SubmitSmResp { id, result } => work.submit_sm_resp(&id, result),
            Input::Deliver(message) => work.deliver(&message),
            Input::Timer { key } => work.on_timer(&key),
            Input::LinkUp => work.link_up(),
            Input::LinkDown => work.link_down(),
        }
        work.finish()
    }
}

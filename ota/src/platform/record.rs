//! What the platform remembers, and under which keys.

use jiff::Timestamp;
use ota_wire::ids::{Cntr, Iccid, Msisdn, Tar};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::key_sets::KeySets;
use super::{FailReason, Submit};
use crate::octets;
use crate::smpp::MessageState;
use crate::step::{Write, to_json};

/// Keys of records and timers.
pub(super) mod key {
    use ota_wire::ids::{Iccid, Msisdn};

    pub(in super::super) const JOBS: &str = "job/";

    /// Record of a job, and the timer of its expiry.
    pub(in super::super) fn job(id: &str) -> String {
        [JOBS, id].concat()
    }

    /// Timer of a job that an SMSC asked to wait.
    pub(in super::super) fn retry(id: &str) -> String {
        ["retry/", id].concat()
    }

    /// Record of one key set of a card.
    pub(in super::super) fn sim(iccid: &Iccid, version: u8) -> String {
        format!("sim/{iccid}/{version}")
    }

    /// Record of the imported key sets of a card.
    pub(in super::super) fn key_sets(iccid: &Iccid) -> String {
        ["keys/", iccid.digits()].concat()
    }

    /// Record of the key sets of a card that it may or may not have.
    pub(in super::super) fn unsure(iccid: &Iccid) -> String {
        ["unsure/", iccid.digits()].concat()
    }

    /// Record of unfinished messages of a sender.
    pub(in super::super) fn parts(from: &Msisdn) -> String {
        ["parts/", from.digits()].concat()
    }
}

/// A message for an application on a card, and how far it got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The order.
    pub submit: Submit,
    /// The card it goes to, as of the order; `None` if there is none.
    pub card: Option<Card>,
    /// How far it got.
    pub state: JobState,
    /// What the card said in a response packet that proved itself.
    #[serde(default)]
    pub response: Option<CardResponse>,
    /// The bare message that ended it.
    #[serde(default)]
    pub answer: Option<Part>,
}

/// A response packet of a card, without its protection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardResponse {
    /// Response status code (TS 102 225 §5.2).
    pub status: u8,
    /// Additional response data.
    #[serde(with = "octets")]
    pub data: Vec<u8>,
}

/// Card and key set of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// The card.
    pub iccid: Iccid,
    /// The key set that protects the packet.
    pub key_version: u8,
}

/// How far a job got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// Another message to this card comes first.
    Queued,
    /// On its way: submitted, or waiting for what the card says.
    Under(Attempt),
    /// The card has answered.
    Answered,
    /// Given up.
    Failed(FailReason),
    /// Too late.
    Expired,
    /// Called off by its sender.
    Cancelled,
}

/// One packet with one counter, in as many short messages as it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// From 1.
    pub number: u8,
    /// CNTR of the packet.
    pub cntr: Cntr,
    /// Concatenation reference.
    pub reference: u8,
    /// Of each part, the SMSC's message id once it has it.
    pub parts: Vec<Option<String>>,
    /// How often the SMSC asked to wait.
    pub waits: u8,
    /// A re-send for an error that anybody could have sent was made.
    pub hinted: bool,
    /// The jump of the counter was made.
    pub jumped: bool,
    /// `Outcome::Sent` was reported.
    pub reported: bool,
    /// How often all of it was submitted again because a session broke: each copy that arrives beside the first is refused by
    /// the card for its counter, and that refusal says nothing about the first.
    #[serde(default)]
    pub copies: u8,
    /// Receipts that overtook their submit_sm_resp.
    pub early: Vec<(String, MessageState)>,
}

/// One key set of a card: its counter, and who may use it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sim {
    /// The highest CNTR that ever left, or was about to.
    pub last: Option<Cntr>,
    /// The job on its way. A card refuses a lower counter after a higher one, so there is one at a time.
    pub outstanding: Option<String>,
    /// Jobs that wait for it, in order.
    pub queue: Vec<String>,
    /// Concatenation reference of the last packet.
    pub reference: u8,
}

/// Unfinished concatenated messages of one sender.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// In order of their first parts.
    pub open: Vec<OpenMessage>,
}

/// A concatenated message of which parts are missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenMessage {
    /// 8 or 16 bit.
    pub reference: u16,
    /// True of 16 bit; the two kinds do not mix.
    pub wide: bool,
    /// Of all parts.
    pub total: u8,
    /// When the first one came.
    pub since: Timestamp,
    /// True if a part said that this is a response packet.
    pub response_packet: bool,
    /// User data without header, by sequence number.
    pub parts: BTreeMap<u8, Part>,
}

/// The user data of one part, without its header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part(#[serde(with = "octets")] pub Vec<u8>);

/// What a step of the platform wants written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A job, by its id.
    Job(String, Box<Job>),
    /// A job that is over and past its expiry.
    JobGone(String),
    /// A key set of a card.
    Sim(Card, Sim),
    /// The imported key sets of a card.
    KeySets(Iccid, KeySets),
    /// The key sets that were sent to a card without news of what became of them; none removes the record.
    Unsure(Iccid, KeySets),
    /// Unfinished messages of a sender; none removes the record.
    Parts(Msisdn, Parts),
    /// A timer.
    Timer {
        /// Its key.
        key: String,
        /// When; `None` stops it.
        due: Option<Timestamp>,
    },
}

impl Change {
    /// The change as a store understands it.
    pub fn into_write(self) -> Write {
        match self {
            Self::Job(id, job) => Write::Put {
                key: key::job(&id),
                value: to_json(&*job),
            },
            Self::JobGone(id) => Write::Delete { key: key::job(&id) },
            Self::Sim(card, sim) => Write::Put {
                key: key::sim(&card.iccid, card.key_version),
                value: to_json(&sim),
            },
            Self::KeySets(iccid, sets) => Write::Put {
                key: key::key_sets(&iccid),
                value: to_json(&sets),
            },
            Self::Unsure(iccid, sets) if sets.versions().next().is_none() => Write::Delete {
                key: key::unsure(&iccid),
            },
            Self::Unsure(iccid, sets) => Write::Put {
                key: key::unsure(&iccid),
                value: to_json(&sets),
            },
            Self::Parts(from, parts) if parts.open.is_empty() => Write::Delete {
                key: key::parts(&from),
            },
            Self::Parts(from, parts) => Write::Put {
                key: key::parts(&from),
                value: to_json(&parts),
            },
            Self::Timer { key, due } => Write::Timer { key, due },
        }
    }
}

impl Job {
    /// The attempt on its way.
    pub fn attempt(&self) -> Option<&Attempt> {
        match &self.state {
            JobState::Under(attempt) => Some(attempt),
            _ => None,
        }
    }

    /// The application on the card.
    pub fn tar(&self) -> Tar {
        self.submit.tar
    }
}

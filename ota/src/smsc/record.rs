//! What the SMSC remembers, and under which keys.

use jiff::Timestamp;
use ota_wire::ids::Msisdn;
use serde::{Deserialize, Serialize};

pub use super::queue::{Queue, Queued};
use crate::octets;
use crate::smpp::{BindMode, ShortMessage};
use crate::step::{Write, to_json};

/// Keys of records and timers.
pub(super) mod key {
    use jiff::Timestamp;
    use ota_wire::ids::Msisdn;

    pub(in super::super) const PHONE: &str = "phone/";
    pub(in super::super) const LINKS: &str = "esme/";
    pub(in super::super) const WAITING: &str = "mo/";

    /// Record of a phone, and the timer for whatever is next with it.
    pub(in super::super) fn phone(msisdn: &Msisdn) -> String {
        [PHONE, msisdn.digits()].concat()
    }

    /// Record of a message for a phone.
    pub(in super::super) fn stored(message_id: &str) -> String {
        ["msg/", message_id].concat()
    }

    /// Record of the sessions of an account.
    pub(in super::super) fn links(system_id: &str) -> String {
        [LINKS, system_id].concat()
    }

    /// Record of an account for which messages wait.
    pub(in super::super) fn backlog(system_id: &str) -> String {
        ["backlog/", system_id].concat()
    }

    /// Record of a message for an ESME, and its timer; `id` is [`waiting_id`].
    pub(in super::super) fn waiting(id: &str) -> String {
        [WAITING, id].concat()
    }

    /// Ids of messages for one ESME, in order of acceptance.
    pub(in super::super) fn waiting_id(
        system_id: &str,
        accepted: Timestamp,
        message_id: &str,
    ) -> String {
        format!(
            "{system_id}/{:015}-{message_id}",
            accepted.as_millisecond().max(0)
        )
    }
}

/// Where a message came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// From an ESME, by its account.
    Esme(String),
    /// From a phone.
    Phone(Msisdn),
}

/// A message for a phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Who gets its receipts.
    pub origin: Origin,
    /// The message, as it came.
    pub message: ShortMessage,
    /// When it was accepted: TP-SCTS.
    pub accepted: Timestamp,
    /// The id that its sender was told, where that is not the message's own: of a submit_multi there are several messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<String>,
}

/// A phone: what is under way to it and what waits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phone {
    /// RP-Message-Reference of the last message to it.
    pub mr: u8,
    /// The message under way, which is the first of the queue.
    pub in_flight: Option<InFlight>,
    /// In order of acceptance.
    pub queue: Queue,
    /// Set after a failure.
    pub pause: Option<Pause>,
    /// The last message from it.
    pub last_mo: Option<LastMo>,
}

/// A message under way to a phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlight {
    /// RP-Message-Reference.
    pub mr: u8,
    /// When to give up waiting for RP-ACK.
    pub due: Timestamp,
}

/// The phone did not take a message for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// When to try again, unless the network sees the phone before.
    pub until: Timestamp,
    /// Failures in a row.
    pub failures: u8,
}

/// The last message from a phone: the phone repeats it when our answer gets lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastMo {
    /// RP-Message-Reference.
    pub mr: u8,
    /// The TPDU.
    #[serde(with = "octets")]
    pub tpdu: Vec<u8>,
    /// When it came first: TP-SCTS of the answer.
    pub at: Timestamp,
}

/// A message for an ESME.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The SMSC's id of it.
    pub message_id: String,
    /// The deliver_sm.
    pub message: ShortMessage,
    /// End of its validity.
    pub expires: Timestamp,
    /// Failures in a row.
    pub failures: u8,
    /// The session that has it, or had it: one of before counts for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<u64>,
    /// Its ESME did not take it for now; not to be sent before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Timestamp>,
    /// What a receipt or a query_sm needs of the submit_sm, without its contents; `None` if no ESME sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitted: Option<Box<Stored>>,
}

/// More waits for a bound account than is on its way to it: until that has changed, each message waits its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backlog {
    /// So many answers from now, the sessions get more.
    pub answers: usize,
}

/// The sessions of an account, the newest last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// The runner's numbers, with the directions of each.
    pub links: Vec<(u64, BindMode)>,
}

/// What a step of the SMSC wants written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A phone.
    Phone(Msisdn, Box<Phone>),
    /// A message for a phone by its id; `None` when it is done with.
    Stored(String, Option<Box<Stored>>),
    /// A message for an ESME by its id; `None` when it is done with.
    Waiting(String, Option<Box<Waiting>>),
    /// The sessions of an account; none removes the record.
    Links(String, Links),
    /// That messages wait for an account, or no longer.
    Backlog(String, Option<Backlog>),
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
            Self::Phone(msisdn, phone) => Write::Put {
                key: key::phone(&msisdn),
                value: to_json(&*phone),
            },
            Self::Stored(id, stored) => {
                write(key::stored(&id), stored.map(|stored| to_json(&*stored)))
            }
            Self::Waiting(id, waiting) => {
                write(key::waiting(&id), waiting.map(|waiting| to_json(&*waiting)))
            }
            Self::Links(id, links) if links.links.is_empty() => write(key::links(&id), None),
            Self::Links(id, links) => write(key::links(&id), Some(to_json(&links))),
            Self::Backlog(id, backlog) => {
                write(key::backlog(&id), backlog.map(|backlog| to_json(&backlog)))
            }
            Self::Timer { key, due } => Write::Timer { key, due },
        }
    }
}

fn write(key: String, value: Option<Vec<u8>>) -> Write {
    match value {
        Some(value) => Write::Put { key, value },
        None => Write::Delete { key },
    }
}

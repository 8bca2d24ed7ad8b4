//! The calling contract of the party: what goes into a step and what comes out of it.
//!
//! [`Mssp::step`](crate::Mssp::step) reads records through a [`View`], remembers nothing and has no side effect. Its
//! caller (the runtime)
//!
//! 1. hands in one [`Input`] with the simulated time and a source of chance,
//! 2. commits [`Step::changes`] by compare-and-set over everything the step read (missing keys included), and on a
//!    conflict runs the step again over a new view,
//! 3. *then* releases [`Step::outputs`] in order and hands [`Step::events`] to the trace.
//!
//! After a crash an output may be delivered again and a timer may fire although it is stale; every handler looks at the
//! record first and does nothing when the news is old.

use std::fmt;

use bytes::Bytes;
use jiff::Timestamp;
use ota_wire::ids::{Msisdn, Tar};
use serde::{Deserialize, Serialize};

use crate::{
    event::Event,
    pki::credential::CertificateState,
    record::{Change, serial},
};

/// Read access to the party's records, all of one consistent version.
pub trait View {
    /// The record under `key`. A missing key counts as read too.
    fn get(&self, key: &str) -> Option<Vec<u8>>;

    /// All records whose key starts with `prefix`, sorted by key. No step of this party calls it.
    fn scan(&self, prefix: &str) -> Vec<(String, Vec<u8>)>;
}

/// What reaches the party.
#[derive(Clone, Debug)]
pub enum Input {
    /// A request arrived.
    Http {
        /// Names the open connection; the answer is an [`Output::Reply`] of this step or a later one.
        id: RequestId,
        /// The request, its body already read and bounded.
        request: http::Request<Bytes>,
    },
    /// How an [`Output::Send`] went.
    Answer {
        /// [`Send::id`].
        id: String,
        /// The peer's response, or why there is none.
        result: Result<http::Response<Bytes>, SendError>,
    },
    /// A short message of an applet arrived.
    Mo {
        /// The number it came from, as the network vouches for it.
        from: Msisdn,
        /// The application message.
        payload: Vec<u8>,
    },
    /// What became of an [`Output::Submit`].
    Report {
        /// [`Submit::id`].
        id: String,
        /// News.
        outcome: OtaOutcome,
    },
    /// A person's certificate is revoked, renewed, or whatever else befalls certificates.
    Certificate {
        /// Whose.
        msisdn: Msisdn,
        /// What it is like from now on.
        state: CertificateState,
    },
    /// A timer fell due.
    Timer {
        /// Its key, as in [`Write::Timer`].
        key: String,
    },
}

/// What the OTA platform tells of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OtaOutcome {
    /// It is on its way; nothing to do but wait.
    Sent,
    /// It will not reach the applet.
    Failed {
        /// For people.
        reason: String,
        /// For FiCom's second number.
        kind: OtaFailure,
    },
}

/// Where a message got stuck, as FiCom tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OtaFailure {
    /// The applet or its card refused it.
    Applet,
    /// The handset could not be reached.
    Handset,
    /// The platform has no such card.
    NoSuchCard,
    /// Something else.
    Other,
}

impl OtaFailure {
    pub(crate) fn second(self) -> u16 {
        match self {
            Self::Other => 2091,
            Self::NoSuchCard => 2092,
            Self::Handset => 2093,
            Self::Applet => 2094,
        }
    }
}

/// What a step wants to happen after the commit.
#[derive(Clone, Debug)]
pub enum Output {
    /// Answer an open connection. Dropped by the runtime when the connection is gone.
    Reply {
        /// The connection.
        to: RequestId,
        /// The answer.
        response: http::Response<Bytes>,
    },
    /// Call an AP.
    Send(Send),
    /// Hand a challenge to the OTA platform.
    Submit(Submit),
}

impl Output {
    /// Id and octets of an output that must survive a crash.
    pub fn durable(&self) -> Option<(String, Vec<u8>)> {
        let (id, durable) = match self {
            Self::Reply { .. } => return None,
            Self::Send(send) => (format!("send/{}", send.id), Durable::Send(send.clone())),
            Self::Submit(submit) => (
                format!("submit/{}", submit.id),
                Durable::Submit(submit.clone()),
            ),
        };
        Some((id, serde_json::to_vec(&durable).ok()?))
    }

    /// The inverse of [`Output::durable`]; `None` if the octets are none of its.
    pub fn restore(octets: &[u8]) -> Option<Self> {
        Some(match serde_json::from_slice(octets).ok()? {
            Durable::Send(send) => Self::Send(send),
            Durable::Submit(submit) => Self::Submit(submit),
        })
    }
}

#[derive(Serialize, Deserialize)]
enum Durable {
    Send(Send),
    Submit(Submit),
}

/// The result of one step.
#[derive(Debug, Default)]
pub struct Step {
    /// Records and timers to write, in order.
    pub changes: Vec<Change>,
    /// What to do once they are written, in order.
    pub outputs: Vec<Output>,
    /// What to tell the trace.
    pub events: Vec<Event>,
}

/// A [`Change`], encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Remove a record.
    Delete {
        /// Its key.
        key: String,
    },
    /// Create or replace a record.
    Put {
        /// Its key.
        key: String,
        /// JSON.
        value: Vec<u8>,
    },
    /// Set a timer, replacing the one of that key, or cancel it.
    Timer {
        /// Its key.
        key: String,
        /// When to deliver [`Input::Timer`]; `None` cancels.
        due: Option<Timestamp>,
    },
}

/// An open HTTP connection that waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub u64);

/// Why there is no response to a [`Send`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum SendError {
    /// The response is larger than the caller accepts.
    #[error("the answer is too large")]
    TooLarge,
    /// No answer within the transport's time.
    #[error("no answer in time")]
    TimedOut,
    /// No connection, or it broke.
    #[error("unreachable: {0}")]
    Unreachable(String),
}

/// Whom a [`Send`] goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Peer {
    /// An application provider; here, the OP.
    Ap,
}

/// An HTTP request of ours. After a crash it may be sent twice.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Send {
    /// Comes back in [`Input::Answer`].
    pub id: String,
    /// Whom it goes to.
    pub to: Peer,
    /// HTTP method.
    pub method: String,
    /// Absolute URL.
    pub url: String,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// Body.
    #[serde(with = "serial::octets")]
    pub body: Vec<u8>,
    /// Id of the event that caused it, for the trace.
    #[serde(default)]
    pub correlation: String,
}

impl fmt::Debug for Send {
    /// Without body and path, which hold secrets of the AP.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Send")
            .field("id", &self.id)
            .field("method", &self.method)
            .field("body", &format_args!("{} octets", self.body.len()))
            .finish_non_exhaustive()
    }
}

/// A message for an applet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submit {
    /// Comes back in [`Input::Report`]. The receiver drops a second one of the same id.
    pub id: String,
    /// Whose SIM.
    pub msisdn: Msisdn,
    /// Which applet.
    pub tar: Tar,
    /// The message.
    #[serde(with = "serial::octets")]
    pub payload: Vec<u8>,
    /// When it is no longer worth delivering.
    #[serde(with = "serial::instant")]
    pub expires: Timestamp,
    /// Id of the event that caused it, for the trace.
    pub correlation: String,
}

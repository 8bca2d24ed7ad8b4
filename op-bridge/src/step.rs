//! The calling contract of the party: what goes into a step and what comes out of it.
//!
//! [`Op::step`](crate::Op::step) reads records through a [`View`], never remembers anything and has
//! no side effect. Its caller (the runtime)
//!
//! 1. hands in one [`Input`] with the simulated time and a source of chance,
//! 2. commits [`Step::changes`] by compare-and-set over everything the step read through the view
//!    (absent keys included), and on a conflict runs the step again over a new view,
//! 3. *then* releases [`Step::outputs`] in order and hands [`Step::events`] to the trace.
//!
//! An output may be delivered more than once after a crash; a timer may fire when it is stale. Every
//! handler tolerates both: it looks at the record first and does nothing when the news is old.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::key_set::FetchedKeys;
use crate::record::{AccessToken, Key, Notification, RefreshToken, Request, encode};
use crate::registration::RegisteredClient;

/// Read access to the party's records, all of one consistent version. The runtime remembers what was
/// read and commits by compare-and-set.
pub trait View {
    /// The record under `key`. A missing key counts as read too.
    fn get(&self, key: &str) -> Option<Vec<u8>>;
    /// All records whose key starts with `prefix`, sorted by key. This party never calls it in a step.
    fn scan(&self, prefix: &str) -> Vec<(String, Vec<u8>)>;
}

/// What reaches the party.
#[derive(Clone)]
pub enum Input {
    /// A request arrived at one of the party's listeners.
    Http {
        /// Names the open connection; the answer is an [`Output::Reply`] of this or a later step.
        id: RequestId,
        /// The request, its body already read and bounded by the listener.
        request: Arc<http::Request<Bytes>>,
    },
    /// How an [`Output::Send`] of ours went.
    Answer {
        /// [`Send::id`] of the message.
        id: String,
        /// The peer's response, or why there is none.
        result: Result<http::Response<Bytes>, SendError>,
    },
    /// Somebody decides in the user's place, where no MSSP asks the user
    /// ([`Authenticator::Wait`](crate::Authenticator::Wait)); otherwise it changes nothing.
    Decision {
        /// About this request.
        auth_req_id: String,
        /// Whether the user approves.
        approve: bool,
    },
    /// How an [`Output::Fetch`] went.
    Fetched {
        /// The open connection whose request needs what was fetched.
        id: RequestId,
        /// That request; `None` if its client has left since.
        request: Option<Arc<http::Request<Bytes>>>,
        /// From where.
        url: String,
        /// The answer, or why there is none.
        result: Result<http::Response<Bytes>, SendError>,
    },
    /// The connection that an [`Output::IfOpen`] asked about is open.
    Open {
        /// The connection.
        id: RequestId,
        /// Key of the authentication request that it waits for.
        key: String,
    },
    /// A timer fell due.
    Timer {
        /// Its key, as in [`Write::Timer`].
        key: String,
    },
}

/// What a step wants to happen after the commit.
pub enum Output {
    /// Answer an open connection. Dropped by the runtime when the connection is gone.
    Reply {
        /// The connection.
        to: RequestId,
        /// The answer.
        response: http::Response<Bytes>,
    },
    /// GET this URL, which a client has named, and hand the answer in with the request that needs it: [`Input::Fetched`].
    /// Redirects must not be followed. Several at a time for one URL can share one exchange.
    Fetch {
        /// The open connection of the request.
        to: RequestId,
        /// What to get.
        url: String,
        /// Comes back in [`Input::Fetched`].
        request: Arc<http::Request<Bytes>>,
    },
    /// Hand in [`Input::Open`] if this connection is still open, and nothing otherwise: what can be given away once is
    /// made for somebody who is there.
    IfOpen {
        /// The connection.
        to: RequestId,
        /// Comes back in [`Input::Open`].
        key: String,
    },
    /// Call somebody else's HTTP endpoint.
    Send(Send),
}

impl Output {
    /// Id and octets of an output that must survive a crash.
    pub fn durable(&self) -> Option<(String, Vec<u8>)> {
        match self {
            Self::Fetch { .. } | Self::IfOpen { .. } | Self::Reply { .. } => None,
            Self::Send(send) => Some((format!("send/{}", send.id), serde_json::to_vec(send).ok()?)),
        }
    }

    /// The inverse of [`Output::durable`]; `None` if the octets are none of its.
    pub fn restore(octets: &[u8]) -> Option<Self> {
        serde_json::from_slice(octets).ok().map(Self::Send)
    }
}

/// The result of one step.
#[derive(Default)]
pub struct Step {
    /// Records and timers to write, in order.
    pub changes: Vec<Change>,
    /// What to do once they are written, in order.
    pub outputs: Vec<Output>,
    /// What to tell the trace.
    pub events: Vec<Event>,
}

/// When a request began to arrive: an extension of the request, set by the listener. The polling interval counts from here
/// (CIBA Core §7.3). Without it the time of the step stands in.
#[derive(Clone, Copy, Debug)]
pub struct Started(pub Timestamp);

/// An open HTTP connection that waits for an answer.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct RequestId(pub u64);

/// Why there is no response to a [`Send`].
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, thiserror::Error)]
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
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Peer {
    /// The mobile signature service provider.
    Mssp,
    /// A client's notification endpoint. Redirects must not be followed (CIBA Core §10.2, §10.3).
    Rp,
}

/// An HTTP request of ours. Survives a crash in the runtime's outbox and may then be sent twice.
#[derive(Clone, Deserialize, Serialize)]
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
    pub body: Vec<u8>,
    /// How long the answer may take, in seconds of transport time: a synch MSS_Signature is
    /// answered only after the user acted.
    #[serde(default)]
    pub wait_seconds: u32,
    /// Id of the event that caused it, for the trace.
    #[serde(default)]
    pub correlation: String,
}

impl std::fmt::Debug for Send {
    /// Leaves headers and body out: they hold tokens and the AP's password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Send")
            .field("id", &self.id)
            .field("to", &self.to)
            .field("method", &self.method)
            .field("url", &self.url)
            .field("body", &format_args!("{} octets", self.body.len()))
            .finish_non_exhaustive()
    }
}

/// One thing a step wants written.
pub enum Change {
    /// A new or changed access token.
    AccessToken(String, Box<AccessToken>),
    /// The access token is gone.
    ForgetAccessToken(String),
    /// The notification secret (by its SHA-256) is gone.
    ForgetNotification(String),
    /// A client that registered itself is gone.
    ForgetClient(String),
    /// The refresh token is gone.
    ForgetRefreshToken(String),
    /// The authentication request is gone.
    ForgetRequest(Key),
    /// The keys of a client, by the SHA-256 of their URL, are gone.
    ForgetKeys(String),
    /// What was used once (by its key) could not be used any more anyway.
    ForgetUsed(String),
    /// A client that registered itself, by its client_id.
    Client(String, Box<RegisteredClient>),
    /// Keys of a client, by the SHA-256 of their URL.
    Keys(String, Box<FetchedKeys>),
    /// A notification secret (by its SHA-256) and the transaction it belongs to.
    Notification(String, Notification),
    /// A new or changed refresh token.
    RefreshToken(String, Box<RefreshToken>),
    /// A new or changed authentication request.
    Request(Key, Box<Request>),
    /// A timer is set (replacing the one of the same key) or cancelled.
    Timer {
        /// Its key.
        key: String,
        /// When it fires; `None` cancels.
        due: Option<Timestamp>,
    },
    /// Something that can be used once was used, by its key.
    Used(String),
}

/// A [`Change`] as the store understands it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Write {
    /// Remove the record.
    Delete {
        /// Its key.
        key: String,
    },
    /// Write the record.
    Put {
        /// Its key.
        key: String,
        /// Its value, JSON.
        value: Vec<u8>,
    },
    /// Set or cancel a timer.
    Timer {
        /// Its key.
        key: String,
        /// When it fires; `None` cancels.
        due: Option<Timestamp>,
    },
}

impl Change {
    /// The store's view of this change.
    pub fn into_write(self) -> Write {
        match self {
            Self::AccessToken(hash, token) => put(AccessToken::key(&hash), &token),
            Self::Client(id, client) => put(RegisteredClient::key(&id), &client),
            Self::ForgetClient(id) => Write::Delete {
                key: RegisteredClient::key(&id),
            },
            Self::ForgetKeys(hash) => Write::Delete {
                key: FetchedKeys::key(&hash),
            },
            Self::Keys(hash, keys) => put(FetchedKeys::key(&hash), &keys),
            Self::ForgetUsed(key) => Write::Delete { key },
            Self::Used(key) => put(key, &true),
            Self::ForgetAccessToken(hash) => Write::Delete {
                key: AccessToken::key(&hash),
            },
            Self::ForgetNotification(hash) => Write::Delete {
                key: Key::notification(&hash),
            },
            Self::ForgetRefreshToken(hash) => Write::Delete {
                key: RefreshToken::key(&hash),
            },
            Self::ForgetRequest(key) => Write::Delete { key: key.record() },
            Self::Notification(hash, found) => put(Key::notification(&hash), &found),
            Self::RefreshToken(hash, token) => put(RefreshToken::key(&hash), &token),
            Self::Request(key, request) => put(key.record(), &request),
            Self::Timer { key, due } => Write::Timer { key, due },
        }
    }
}

fn put(key: String, record: &impl Serialize) -> Write {
    let value = encode(record);
    Write::Put { key, value }
}

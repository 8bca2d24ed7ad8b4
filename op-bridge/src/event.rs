//! What the OP tells the trace: arrows 1, 2, 3, 14, 15 and 16 of Appendix A, and what lies between.
//!
//! An event keeps protocol values as they are; [`Event::row`] decodes and masks them only when
//! somebody looks.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::config::DeliveryMode;
use crate::record::Failure;
use crate::step::{RequestId, Send, SendError};

mod mask;
mod row;
#[cfg(test)]
mod tests;

/// One thing that happened, joined to the others of its transaction by ids.
#[derive(Clone)]
pub struct Event {
    /// The most specific id known.
    pub own: Id,
    /// The next one towards the authentication request.
    pub parent: Option<Id>,
    /// What happened.
    pub kind: EventKind,
}

/// `kind:value`, for example `ap_trans_id:A0f…`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Id(pub String);

impl Id {
    pub(crate) fn ap_trans_id(value: &str) -> Self {
        Self(format!("ap_trans_id:{value}"))
    }

    pub(crate) fn auth_req_id(value: &str) -> Self {
        Self(format!("auth_req_id:{value}"))
    }

    /// For exchanges that belong to no authentication request.
    pub(crate) fn http(id: RequestId) -> Self {
        Self(format!("http:{}", id.0))
    }

    pub(crate) fn mssp_trans_id(value: &str) -> Self {
        Self(format!("mssp_trans_id:{value}"))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What happened, in protocol values.
#[derive(Clone)]
pub enum EventKind {
    /// Step 2: the answer to bc-authorize, good or bad.
    Acknowledgement {
        /// Sent to the client.
        response: http::Response<Bytes>,
    },
    /// Step 1.
    AuthenticationRequest {
        /// As received.
        request: Arc<http::Request<Bytes>>,
    },
    /// Step 16 for ping and push.
    Delivery {
        /// As sent.
        send: Send,
        /// Ping or push.
        mode: DeliveryMode,
    },
    /// What the client's notification endpoint said.
    DeliveryAnswer {
        /// Status, or why there is none.
        result: Result<http::StatusCode, SendError>,
        /// What the OP makes of it.
        afterwards: Afterwards,
    },
    /// The request ended without tokens.
    Failed {
        /// Why.
        failure: Failure,
    },
    /// Keys of a client were fetched from its `jwks_uri`.
    Keys {
        /// From where.
        url: String,
        /// How many keys of use there were, or why none.
        outcome: Result<usize, String>,
    },
    /// The MSSP's answer to a SOAP request of ours; step 14 when it brings the outcome.
    MsspAnswer {
        /// Operation it answers.
        operation: &'static str,
        /// Body, or why there is none.
        result: Result<Bytes, SendError>,
        /// Whether the OP learnt the outcome here.
        outcome: bool,
        /// Whether nobody waits for it any more.
        late: bool,
    },
    /// Step 14 in asynchServerServer.
    Notification {
        /// Body as received.
        body: Bytes,
        /// What the OP made of it.
        taken: Taken,
    },
    /// The answer to a notification.
    Receipt {
        /// Body as sent.
        body: Bytes,
    },
    /// The user was not asked, see [`Authenticator`](crate::Authenticator).
    NotAsked {
        /// What counts as the user's answer, if there is one.
        approved: Option<bool>,
    },
    /// Step 3.
    SignatureRequest {
        /// Body as sent.
        body: Vec<u8>,
    },
    /// MSS_StatusQuery.
    StatusRequest {
        /// Body as sent.
        body: Vec<u8>,
    },
    /// The token endpoint's answer; step 16 when it brings tokens.
    TokenAnswer {
        /// As sent.
        response: http::Response<Bytes>,
        /// Whether tokens were issued.
        issued: bool,
    },
    /// A call of the token endpoint.
    TokenRequest {
        /// As received.
        request: Arc<http::Request<Bytes>>,
    },
    /// Step 15.
    Tokens {
        /// Claims of the id_token, JSON.
        claims: Bytes,
        /// Scopes of the access token.
        scope: String,
    },
    /// A call of the introspection or revocation endpoint.
    TokenService {
        /// As received.
        request: Arc<http::Request<Bytes>>,
        /// As sent.
        response: http::Response<Bytes>,
        /// By which standard.
        clause: &'static str,
    },
    /// A call of the UserInfo endpoint.
    UserInfo {
        /// As received.
        request: Arc<http::Request<Bytes>>,
        /// As sent.
        response: http::Response<Bytes>,
    },
}

/// What the OP does after a ping or push.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Afterwards {
    /// Tries again after so many seconds.
    Again(u32),
    /// Nothing: it was delivered.
    Done,
    /// Nothing: it was refused, or tried often enough.
    GivenUp,
}

/// What the OP made of a notification.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Taken {
    /// It rang.
    News,
    /// Repeated, late, or of an earlier transaction: received, nothing changes.
    Old,
    /// Forged or malformed; says why.
    Refused(String),
}

/// An event for people to read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    /// Arrow of Appendix A.
    pub step: Option<u8>,
    /// Sender: RP, OP or MSSP.
    pub from: &'static str,
    /// Receiver.
    pub to: &'static str,
    /// What travelled or happened.
    pub name: String,
    /// Standard and clause.
    pub clause: String,
    /// Where the rule comes from.
    pub badge: Badge,
    /// Decoded essentials, without secrets.
    pub fields: Vec<(String, String)>,
    /// The message itself.
    pub octets: Option<Octets>,
}

/// Where the rule for a message comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Badge {
    /// midsim's own.
    Own,
    /// A profile of a standard.
    Profile,
    /// A standard.
    Standard,
}

/// A message as it travelled.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Octets {
    /// All of it, secrets included.
    pub bytes: Vec<u8>,
    /// Where the secrets are; to be masked, keeping their length, unless somebody insists.
    pub secrets: Vec<Range<usize>>,
    /// `http` or `soap`.
    pub kind: &'static str,
}

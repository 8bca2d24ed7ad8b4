//! What a session tells, and is told in answer.

use crate::smpp::header::{CommandStatus, FrameError};
use crate::smpp::message::{FieldError, ShortMessage};
use crate::smpp::multi::Multi;
use crate::smpp::operations::{Found, Operation};
use crate::smpp::pdu::BindMode;

/// Refused binds after which an SMSC hangs up.
pub(super) const MAX_REFUSED_BINDS: u8 = 3;

/// What a session reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEvent {
    /// The bind is done. At the SMSC `system_id` is the ESME's, at the ESME the SMSC's.
    Bound {
        /// The peer.
        system_id: String,
        /// The directions that are open.
        mode: BindMode,
    },
    /// A request of the peer: submit_sm or data_sm at the SMSC, deliver_sm or data_sm at the ESME. Answer it with
    /// [`Session::respond`](super::Session::respond), once what it brought is safe.
    Message {
        /// Names the request in [`Session::respond`](super::Session::respond).
        sequence: u32,
        /// What came.
        message: Box<ShortMessage>,
    },
    /// submit_multi at the SMSC. Answer it with [`Session::respond_multi`](super::Session::respond_multi).
    Multi {
        /// Names the request in [`Session::respond_multi`](super::Session::respond_multi).
        sequence: u32,
        /// What came.
        multi: Box<Multi>,
    },
    /// query_sm, cancel_sm or replace_sm at the SMSC. Answer it with [`Session::answer`](super::Session::answer).
    Operation {
        /// Names the request in [`Session::answer`](super::Session::answer).
        sequence: u32,
        /// What is asked.
        operation: Box<Operation>,
    },
    /// The answer to a [`Session::submit`](super::Session::submit) or [`Session::deliver`](super::Session::deliver): the message
    /// id of submit_sm_resp (empty in deliver_sm_resp), or the peer's error.
    Response {
        /// The id that the request was given.
        id: String,
        /// How it ended.
        result: Result<String, CommandStatus>,
    },
    /// A whole PDU passed the wire. A bind request holds a password: see [`secret_range`](crate::smpp::secret_range).
    Pdu {
        /// True of ours.
        sent: bool,
        /// With the header.
        octets: Vec<u8>,
    },
    /// The session is over; hang up once [`Session::poll_transmit`](super::Session::poll_transmit) is empty. Requests without a
    /// response are lost to this session: whoever gave them must give them to the next one.
    Closed(CloseReason),
}

/// The answer to an [`Operation`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Answer {
    /// To query_sm.
    Query(Result<Found, CommandStatus>),
    /// To cancel_sm.
    Cancel(CommandStatus),
    /// To replace_sm.
    Replace(CommandStatus),
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// The connection broke or the peer hung up.
    #[error("the peer hung up")]
    PeerGone,
    /// The peer sent unbind.
    #[error("the peer unbound")]
    PeerUnbound,
    /// We sent unbind and it was answered.
    #[error("unbound")]
    Unbound,
    /// The SMSC refused our bind.
    #[error("the bind was refused with {0}")]
    BindRefused(CommandStatus),
    /// The peer failed to bind too often.
    #[error("no valid bind in {MAX_REFUSED_BINDS} attempts")]
    TooManyBinds,
    /// The peer did not bind in time.
    #[error("no bind in time")]
    BindTimeout,
    /// The peer left a request of ours unanswered.
    #[error("no response in time")]
    ResponseTimeout,
    /// The stream cannot be cut into PDUs.
    #[error(transparent)]
    Framing(FrameError),
}

/// Why a request was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There is no bind that allows it.
    #[error("the session is not bound for this direction")]
    NotBound,
    /// Window and queue are full.
    #[error("{waiting} requests wait already")]
    Full {
        /// How many.
        waiting: usize,
    },
    /// The message does not fit its PDU.
    #[error(transparent)]
    Field(#[from] FieldError),
}

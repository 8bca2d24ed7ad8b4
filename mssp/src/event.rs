//! What the MSSP tells the trace. Making an event is cheap: it keeps the message as it came or went; names, fields and
//! the places of secrets are worked out in [`Event::row`], when somebody looks.

mod row;
mod secrets;
#[cfg(test)]
mod tests;

use std::fmt;

use bytes::Bytes;
use ota_wire::{ids::Msisdn, trace::Id};

use crate::{code::Code, pki::credential::CertificateState, step::OtaOutcome};

/// One thing that happened in a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The most specific id it is known by.
    pub own: Id,
    /// The next one up the chain.
    pub parent: Option<Id>,
    /// What it was.
    pub kind: EventKind,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A request was answered, or refused.
    Answered {
        /// The envelope.
        body: Body,
        /// Whether it tells how a transaction ended.
        ends: bool,
    },
    /// A challenge was made and handed to the OTA platform.
    Challenged {
        /// To whom.
        msisdn: Msisdn,
        /// The message.
        payload: Vec<u8>,
    },
    /// A person's certificate is another, or its revocation list is.
    Certificate {
        /// Whose.
        msisdn: Msisdn,
        /// What it is like from now on.
        state: CertificateState,
    },
    /// A transaction ran out of time.
    Expired,
    /// A record could not be read, or something else that must not happen.
    Internal {
        /// For people.
        reason: String,
    },
    /// The OTA platform told what became of a challenge.
    Reported(OtaOutcome),
    /// An AP was told of a result.
    Notified {
        /// Which attempt, from 1.
        attempt: usize,
        /// AP_URL.
        url: Body,
        /// The envelope.
        body: Body,
    },
    /// No attempt to notify an AP is left.
    NotificationGivenUp {
        /// How many there were.
        attempts: usize,
    },
    /// An AP answered a notification.
    Receipt {
        /// The receipt's status (600 to 603, if it has one), or why it counts as no answer.
        result: Result<Option<Code>, String>,
        /// What it sent.
        body: Body,
    },
    /// A request arrived.
    Requested {
        /// The envelope, or what should have been one.
        body: Body,
        /// What is not as the standard has it, beside what the envelope shows.
        deviations: Vec<String>,
    },
    /// An authentic answer to a challenge whose transaction had been cancelled: the card is free.
    Freed,
    /// A challenge waits until the card has answered an older one.
    Queued,
    /// A signature was made by a key, and perhaps judged.
    Signed {
        /// The number that it came to.
        code: Code,
        /// Whom the certificate names.
        subject: String,
        /// Why it is not valid, if it is not.
        detail: String,
    },
    /// A message of an applet was looked at.
    Responded {
        /// Number it came from.
        from: Msisdn,
        /// The message.
        payload: Vec<u8>,
        /// The judgement.
        verdict: Verdict,
    },
}

/// Octets that may hold secrets. `Debug` tells only how many there are.
#[derive(Clone, PartialEq, Eq)]
pub struct Body(pub Bytes);

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} octets)", self.0.len())
    }
}

/// What the MSSP makes of an applet's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Authentic, in time, the first: it ends the transaction with this number.
    Accepted(Code),
    /// Dropped.
    Dropped(Why),
    /// Authentic, but this MSSP passes for one that cannot see such failures: the transaction goes on until its time is
    /// over.
    Withheld(Code),
}

/// Why an applet's message was dropped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// ALG is not that of the challenge.
    #[error("it names another MAC algorithm than the challenge")]
    Algorithm,
    /// CTR is not that of the challenge.
    #[error("its counter is {got}, that of the challenge is {expected}")]
    Counter {
        /// CTR of the challenge.
        expected: u64,
        /// CTR of the response.
        got: u64,
    },
    /// The transaction has ended.
    #[error("the transaction has already ended with {0}")]
    Late(Code),
    /// The MAC is wrong.
    #[error("its MAC is wrong, or it answers another challenge")]
    Mac,
    /// No message of the applet protocol.
    #[error("it is no applet response: {0}")]
    NoResponse(String),
    /// The applet has seen the counter of the challenge before. Most likely the challenge came twice and its answer, or
    /// the user, is on the way; so this is a hint to people and no end.
    #[error(
        "the applet has seen its challenge's counter before; the first copy may still be answered"
    )]
    Replay,
    /// It came from another number than the challenge went to.
    #[error("it comes from {got}, the challenge went to {expected}")]
    Sender {
        /// Where the challenge went.
        expected: Msisdn,
        /// Where the response came from.
        got: Msisdn,
    },
    /// No transaction has this TID.
    #[error("no transaction has its TID")]
    Unknown,
}

//! ETSI TS 102 204: a Mobile Signature Service Provider, as a pure state machine.
//!
//! [`Mssp`] holds configuration and nothing else. Its [`step`](Mssp::step) takes one [`Input`] (an HTTP request, a
//! message of an applet, a report of the OTA platform, a timer), reads records through a [`View`], and says what is to
//! be written, sent and traced. See [`mod@step`] for the contract with its caller.
//!
//! | module | holds |
//! |---|---|
//! | [`xml`], [`soap`], [`messages`] | the web interface, from octets to types and back |
//! | [`config`] | APs, profiles, subscribers |
//! | [`pki`] | signatures of keys with certificates |
//! | [`record`] | transactions and their keys |
//! | [`event`] | what the trace is told |

pub mod code;
pub mod config;
pub mod dialect;
pub mod event;
mod front;
pub mod messages;
pub mod operation;
mod operations;
mod party;
mod peer;
pub mod pki;
pub mod record;
mod rest;
mod schema;
pub mod soap;
pub mod step;
mod test_numbers;
mod transaction;
mod wsdl;
pub mod xml;

#[cfg(test)]
mod samples;

pub use config::{Ap, Concurrency, Config, Directory, Profile, Subscriber, UserState};
pub use dialect::Dialect;
pub use event::Event;
pub use front::too_large;
pub use operation::Operation;
pub use party::Mssp;
pub use peer::PeerCertificate;
pub use record::Change;
pub use step::{
    Input, OtaFailure, OtaOutcome, Output, Peer, RequestId, Send, SendError, Step, Submit, View,
    Write,
};

//! op-bridge: an OpenID Provider for Client-Initiated Backchannel Authentication.
//!
//! CIBA Core 1.0 (poll, ping, push) under the MODRNA CIBA profile draft-03, authenticating through a
//! mobile signature service (TS 102 204). The crate is pure: an [`Op`] holds configuration only and
//! answers every input with a [`Step`]; what it remembers lives behind a [`View`]. The calling
//! contract is described in [`step`].
//!
//! ```text
//!  RP ── 1 bc-authorize ──►  authorize ──► flow ── 3 MSS_SignatureReq ──►  MSSP
//!     ◄─ 2 auth_req_id ────     │            ◄── 14 MSS_Notification ────
//!     ── token ────────────►  token ◄─ 15 ─ grant
//!     ◄─ 16 tokens, ping or push ─ deliver
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use rand_core::Rng;

mod acr;
mod authorize;
mod client_auth;
mod cnf;
mod config;
mod context;
mod deliver;
pub mod discovery;
mod event;
mod flow;
mod forms;
pub mod fuzz;
mod grant;
mod hint;
mod introspection;
mod issuance;
mod jose;
mod key_set;
mod keys;
mod loopback;
mod metadata;
mod mss;
mod notification;
mod oauth;
mod peer;
mod pseudonym;
mod record;
mod refresh;
mod registration;
mod replay;
mod request_object;
mod revocation;
mod route;
mod secret;
pub mod step;
mod token;
mod userinfo;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use acr::Assurance;
pub use client_auth::{
    AuthMethod, Authentication, AuthenticationRules, CertificateName, ClientSecret,
};
pub use config::{
    Authenticator, Client, Config, ConfigError, Delivery, DeliveryMode, LONGEST_POLL, Lifetimes,
    MessagingMode, Mssp, Polling, Profile, RequestRules, Requests, Subscriber, Subscribers,
    TextPolicy, UnknownUser,
};
pub use event::{Afterwards, Badge, Event, EventKind, Id, Octets, Row, Taken};
pub use hint::{HintFormats, HintIssuer, HintRules, Msisdn, NotANumber};
pub use issuance::{Issuance, SubjectType};
pub use jose::jwe::content::ContentEncryption;
pub use jose::jwe::{Allowed, BadPrivateKey, DecryptionKey, KeyManagement};
pub use jose::jwk::{Jwk, JwkError, JwkSet, PublicKey};
pub use jose::jws::JwsAlg;
pub use jose::{Algorithm, JoseError, Signer};
pub use key_set::FetchedKeys;
pub use keys::{KeySet, Keys};
pub use mss::StatusCode;
pub use peer::PeerCertificate;
pub use record::{
    AccessToken, Attempt, Callback, Failure, FailureKind, Held, HeldPoll, Key, Notification,
    RefreshToken, Request, State, Work,
};
pub use registration::{Invalid, RegisteredClient, Registration, Source};
pub use route::path::NOTIFY as NOTIFY_PATH;
pub use secret::Secret;
pub use step::{
    Change, Input, Output, Peer, RequestId, Send, SendError, Started, Step, View, Write,
};

/// An OpenID Provider: its configuration, and the steps it takes.
pub struct Op {
    config: Config,
    clients: HashMap<String, Arc<Client>>,
    subject_key: ring::hmac::Key,
    /// Path part of the issuer, in front of every endpoint's path.
    base_path: String,
    /// What assertions of clients may name as their audience.
    audiences: Vec<String>,
}

impl Op {
    /// Checks the configuration.
    ///
    /// # Errors
    /// Whatever could only fail later, with what to change.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let clients = config.check()?;
        let after_scheme = config.issuer.split_once("://").map_or("", |(_, rest)| rest);
        let base_path = after_scheme
            .find('/')
            .map_or("", |slash| &after_scheme[slash..]);
        Ok(Self {
            audiences: client_auth::audiences(&config, base_path),
            base_path: base_path.to_owned(),
            clients,
            subject_key: ring::hmac::Key::new(
                ring::hmac::HMAC_SHA256,
                config.subject_key.expose().as_bytes(),
            ),
            config,
        })
    }

    /// Takes one step; see [`step`] for what the caller owes.
    pub fn step(&self, view: &dyn View, input: Input, now: Timestamp, rng: &mut dyn Rng) -> Step {
        let mut cx = context::Context::new(self, view, now, rng);
        match input {
            Input::Http { id, request } => route::request(&mut cx, id, &request),
            Input::Answer { id, result } => route::answer(&mut cx, &id, result),
            Input::Decision {
                auth_req_id,
                approve,
            } => flow::decide(&mut cx, &auth_req_id, approve),
            Input::Fetched {
                id,
                request,
                url,
                result,
            } => key_set::fetched(&mut cx, id, request, url, result),
            Input::Open { id, key } => token::resume(&mut cx, id, &Key(key)),
            Input::Timer { key } => route::timer(&mut cx, &key),
        }
        cx.step
    }

    /// The configuration it was made from.
    pub fn config(&self) -> &Config {
        &self.config
    }
}

//! What every handler works with: the configuration, the records, the time, chance, and the step that
//! is being put together.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use jiff::{SignedDuration, Timestamp};
use rand_core::Rng;

use crate::Op;
use crate::config::Client;
use crate::event::{Event, EventKind, Id};
use crate::key_set::FetchedKeys;
use crate::record::{Key, Request, load};
use crate::registration;
use crate::secret::random_token;
use crate::step::{Change, Output, RequestId, Send, Step, View};

pub(crate) struct Context<'a> {
    pub(crate) op: &'a Op,
    pub(crate) view: &'a dyn View,
    pub(crate) now: Timestamp,
    pub(crate) rng: &'a mut dyn Rng,
    pub(crate) step: Step,
    /// Keys that this step begins with, by the SHA-256 of their URL: they are not in the records yet.
    pub(crate) fetched: Option<(String, FetchedKeys)>,
    /// The URL of what has to be fetched before the request can be handled.
    pub(crate) fetch: Option<String>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        op: &'a Op,
        view: &'a dyn View,
        now: Timestamp,
        rng: &'a mut dyn Rng,
    ) -> Self {
        Self {
            op,
            view,
            now,
            rng,
            step: Step::default(),
            fetched: None,
            fetch: None,
        }
    }

    /// The instant `seconds` from now.
    pub(crate) fn after(&self, seconds: u32) -> Timestamp {
        later(self.now, seconds)
    }

    pub(crate) fn token(&mut self) -> String {
        random_token(self.rng)
    }

    pub(crate) fn request(&self, key: &Key) -> Option<Request> {
        load(self.view, &key.record())
    }

    /// The registered client of this id.
    pub(crate) fn client(&self, id: &str) -> Option<Arc<Client>> {
        match self.op.clients.get(id) {
            Some(client) => Some(Arc::clone(client)),
            None => registration::find(self.op, self.view, id).map(Arc::new),
        }
    }

    pub(crate) fn change(&mut self, change: Change) {
        self.step.changes.push(change);
    }

    pub(crate) fn store(&mut self, key: &Key, request: Request) {
        self.change(Change::Request(key.clone(), Box::new(request)));
    }

    pub(crate) fn timer(&mut self, key: String, due: Option<Timestamp>) {
        self.change(Change::Timer { key, due });
    }

    pub(crate) fn reply(&mut self, to: RequestId, response: Response<Bytes>) {
        self.step.outputs.push(Output::Reply { to, response });
    }

    pub(crate) fn if_open(&mut self, to: RequestId, key: &Key) {
        let key = key.0.clone();
        self.step.outputs.push(Output::IfOpen { to, key });
    }

    pub(crate) fn send(&mut self, send: Send) {
        self.step.outputs.push(Output::Send(send));
    }

    pub(crate) fn event(&mut self, own: Id, parent: Option<Id>, kind: EventKind) {
        self.step.events.push(Event { own, parent, kind });
    }
}

/// `at` plus `seconds`; stays at the end of time rather than failing there.
pub(crate) fn later(at: Timestamp, seconds: u32) -> Timestamp {
    at.checked_add(SignedDuration::from_secs(i64::from(seconds)))
        .unwrap_or(Timestamp::MAX)
}

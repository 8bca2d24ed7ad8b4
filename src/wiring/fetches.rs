//! What clients of the OP keep at URLs of theirs: one exchange at a time for each URL, however many requests wait for it.

use std::collections::HashMap;
use std::sync::Mutex;

use bytes::Bytes;
use http::Request;
use op_bridge::RequestId;

use crate::runtime::clock::InFlight;
use crate::runtime::lock;

/// A request of a client that cannot be handled before; it counts as under way.
pub(super) type Waiting = (RequestId, Request<Bytes>, InFlight);

/// Who waits for which URL.
#[derive(Default)]
pub(super) struct Fetches(Mutex<HashMap<String, Vec<Waiting>>>);

impl Fetches {
    /// Puts a request in the queue of `url`; true for the first, who is to get it.
    pub(super) fn wait(&self, url: &str, waiting: Waiting) -> bool {
        let mut fetches = lock(&self.0);
        let queue = fetches.entry(url.to_owned()).or_default();
        queue.push(waiting);
        queue.len() == 1
    }

    /// It was got: everybody who has waited.
    pub(super) fn done(&self, url: &str) -> Vec<Waiting> {
        lock(&self.0).remove(url).unwrap_or_default()
    }
}

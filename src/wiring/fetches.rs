//! What clients of the OP keep at URLs of theirs: one exchange at a time for each URL, however many requests wait for it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Request;
use op_bridge::RequestId;

use crate::runtime::clock::InFlight;
use crate::runtime::lock;

/// A request of a client that cannot be handled before; it counts as under way.
pub(super) type Waiting = (RequestId, Arc<Request<Bytes>>, InFlight);

/// Who waits for which URL.
#[derive(Default)]
pub(super) struct Fetches(Mutex<HashMap<String, Vec<Waiting>>>);

impl Fetches {
    /// Puts a request in the queue of `url`; true for the first, who is to get it.
    pub(super) fn wait(&self, url: &str, waiting: Waiting) -> bool {
        match lock(&self.0).entry(url.to_owned()) {
            Entry::Vacant(place) => {
                place.insert(vec![waiting]);
                true
            }
            Entry::Occupied(mut queue) => {
                queue.get_mut().push(waiting);
                false
            }
        }
    }

    /// It was got: everybody who has waited so far. Others go on waiting until the OP has made a note of it.
    pub(super) fn got(&self, url: &str) -> Vec<Waiting> {
        let mut fetches = lock(&self.0);
        fetches.get_mut(url).map(std::mem::take).unwrap_or_default()
    }

    /// That is so: everybody who has waited since.
    pub(super) fn done(&self, url: &str) -> Vec<Waiting> {
        lock(&self.0).remove(url).unwrap_or_default()
    }
}

//! Open requests and the answers to them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Response;
use rand_core::Rng;
use tokio::sync::oneshot;

use crate::runtime::chance::Chance;
use crate::runtime::clock::Clock;
use crate::runtime::lock;

/// Names one open request. Numbers start at a random point in each process, so that one which a party kept over a restart means
/// nothing, rather than somebody else's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// The open requests of all parties of a process. Clones share them.
#[derive(Clone)]
pub struct Replies(Arc<Table>);

struct Table {
    clock: Clock,
    next: AtomicU64,
    open: Mutex<BTreeMap<RequestId, Open>>,
}

struct Open {
    answer: oneshot::Sender<Response<Bytes>>,
    /// The count of a request of our own, to be handed back with the answer.
    flight: Option<u64>,
}

impl Replies {
    /// No open requests.
    pub fn new(clock: &Clock, chance: &Chance) -> Self {
        Self(Arc::new(Table {
            clock: clock.clone(),
            next: AtomicU64::new(chance.generator().next_u64()),
            open: Mutex::default(),
        }))
    }

    /// Answers a request. `false` if it is unknown, was answered before, or its client has left: then the answer is dropped.
    pub fn reply(&self, to: RequestId, response: Response<Bytes>) -> bool {
        let Some(open) = lock(&self.0.open).remove(&to) else {
            return false;
        };
        if let Some(flight) = open.flight {
            self.0.clock.depart_reply(flight, self.0.clock.begin());
        }
        open.answer.send(response).is_ok()
    }

    /// Whether this request waits for its answer, its client being there.
    pub fn is_open(&self, id: RequestId) -> bool {
        lock(&self.0.open).contains_key(&id)
    }

    /// How many requests are open.
    pub fn open(&self) -> usize {
        lock(&self.0.open).len()
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(super) fn register(&self, flight: Option<u64>) -> Waiting {
        let id = RequestId(self.0.next.fetch_add(1, Ordering::Relaxed));
        let (answer, receiver) = oneshot::channel();
        lock(&self.0.open).insert(id, Open { answer, flight });
        Waiting {
            id,
            receiver,
            replies: self.clone(),
        }
    }
}

/// An open request on the side of its connection; dropping it (the client has left) forgets the request.
pub(super) struct Waiting {
    id: RequestId,
    receiver: oneshot::Receiver<Response<Bytes>>,
    replies: Replies,
}

impl Waiting {
    pub(super) fn id(&self) -> RequestId {
        self.id
    }

    /// Waits for the answer.
    pub(super) async fn reply(&mut self) -> Option<Response<Bytes>> {
        (&mut self.receiver).await.ok()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        lock(&self.replies.0.open).remove(&self.id);
    }
}

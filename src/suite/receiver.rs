//! The RP's end of a running suite: its notification endpoint, and its way to the OP over real sockets.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::rp::{Notification, Port, Wait};
use crate::runtime::clock::{Clock, InFlight};
use crate::runtime::lock;
use crate::sockets::http_client::{Bounds, HttpClient};
use crate::wiring::Parties;

/// Notifications that are kept for whoever asks.
const KEPT: usize = 100;

/// What arrived at the notification endpoint.
pub(crate) struct Receiver {
    clock: Clock,
    waiting: Mutex<VecDeque<(Notification, InFlight)>>,
    kept: Mutex<VecDeque<Notification>>,
    arrived: Notify,
    listening: std::sync::atomic::AtomicBool,
}

impl Receiver {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            waiting: Mutex::default(),
            kept: Mutex::default(),
            arrived: Notify::new(),
            listening: false.into(),
        }
    }

    /// A ping or push arrives.
    pub(crate) fn arrive(&self, notification: Notification) {
        let mut kept = lock(&self.kept);
        kept.push_back(notification.clone());
        if kept.len() > KEPT {
            kept.pop_front();
        }
        drop(kept);
        if self.listening.load(std::sync::atomic::Ordering::Acquire) {
            lock(&self.waiting).push_back((notification, self.clock.begin()));
        }
        self.arrived.notify_waiters();
    }

    /// The last notifications, oldest first.
    pub(crate) fn kept(&self) -> Vec<Notification> {
        lock(&self.kept).iter().cloned().collect()
    }

    async fn next(&self) -> Notification {
        loop {
            let arrived = self.arrived.notified();
            if let Some((notification, _flight)) = lock(&self.waiting).pop_front() {
                return notification;
            }
            arrived.await;
        }
    }
}

/// How an RP in this process reaches the OP.
pub(super) struct SocketPort {
    client: HttpClient,
    receiver: Arc<Receiver>,
    parties: Arc<Parties>,
}

impl SocketPort {
    pub(super) fn new(client: HttpClient, receiver: Arc<Receiver>, parties: Arc<Parties>) -> Self {
        receiver
            .listening
            .store(true, std::sync::atomic::Ordering::Release);
        Self {
            client,
            receiver,
            parties,
        }
    }
}

impl Port for SocketPort {
    fn call(&self, request: Request<Bytes>) -> Wait<'_, Result<Response<Bytes>, String>> {
        Box::pin(async move {
            let bounds = Bounds {
                within: Duration::from_secs(30),
                answer: Some(1 << 20),
            };
            self.client
                .send(request, bounds)
                .await
                .result
                .map_err(|error| error.to_string())
        })
    }

    fn notified(&self) -> Wait<'_, Notification> {
        Box::pin(self.receiver.next())
    }

    fn wait_until(&self, at: Timestamp) -> Wait<'_, ()> {
        Box::pin(self.parties.waits.until(&self.parties.clock, at))
    }

    fn now(&self) -> Timestamp {
        self.parties.clock.now()
    }
}

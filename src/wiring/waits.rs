//! Waits of an RP of ours for an instant. Whoever wakes up is counted as under way until it has gone on, so that a clock
//! that jumps does not jump over it.

use std::collections::HashMap;
use std::sync::Mutex;

use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::runtime::clock::{Clock, InFlight};
use crate::runtime::lock;

/// The name under which the clock knows these waits.
pub(super) const TIMERS: &str = "rp";

/// Who waits for which instant.
#[derive(Default)]
pub struct Waits {
    waiting: Mutex<HashMap<String, Vec<oneshot::Sender<InFlight>>>>,
}

impl Waits {
    /// Returns when `at` has come.
    pub async fn until(&self, clock: &Clock, at: Timestamp) {
        let (sender, receiver) = oneshot::channel();
        let key = at.to_string();
        lock(&self.waiting)
            .entry(key.clone())
            .or_default()
            .push(sender);
        clock.set(TIMERS, &key, at);
        // The guard is let go when the one who waited does something else; a suite that stops wakes everybody.
        let _flight = receiver.await;
    }

    /// The instant has come.
    pub(super) fn wake(&self, key: &str, flight: &InFlight) {
        for sender in lock(&self.waiting).remove(key).unwrap_or_default() {
            // Whoever has left does not mind.
            let _ = sender.send(flight.clone());
        }
    }
}

//! One trace per transaction, joined from what the parties report.
//!
//! A party knows only its own identifiers and the one it was given ("own" and "parent"). [`TraceLog`] follows these
//! links, so that the events of seven parties end up in one list. Events are kept as values; they are turned into
//! text when somebody looks.
//!
//! Recording puts events into a short queue, in the order that is theirs for good; they are joined in that order by whoever looks, or by
//! whoever finds the queue full. So those who record hardly ever wait for each other.

mod render;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use foldhash::HashMap;
use jiff::Timestamp;
use tokio::sync::watch;

pub use render::{Line, RenderedTrace};

use crate::runtime::lock;

/// Transactions that are kept; the oldest goes first.
const TRACES: usize = 1_000;
/// Events that one transaction keeps; a retry loop must not eat the memory.
const EVENTS: usize = 2_000;

/// A message is large from so many octets on.
const LARGE: usize = 16 * 1024;
/// Octets of large messages that are kept; the oldest transaction that has some goes first. Whoever sends a megabyte again
/// and again must not eat the memory either.
const LARGE_IN_ALL: usize = 64 * 1024 * 1024;

/// So many events in the queue are joined by whoever put in the last of them.
const FULL: usize = 512;
/// Or so many octets of large messages.
const FULL_OF_LARGE: usize = 4 * 1024 * 1024;
/// So many times as much is waited for, when somebody else is joining.
const OVERFULL: usize = 4;

/// Anything that a party or a link has to tell.
pub enum AnyEvent {
    /// From the OP.
    Op(op_bridge::Event),
    /// From the MSSP.
    Mssp(mssp::Event),
    /// From the OTA platform or the SMSC.
    Ota(ota::event::Event),
    /// From a handset, a card or its user.
    Sim(sim_applet_sim::event::Event),
    /// A fault was injected on a link.
    Fault(crate::faults::Injected),
    /// A request was refused before its party saw it.
    Refused(crate::wiring::http::Refused),
}

/// An event with its place in time.
#[derive(Clone)]
pub struct Recorded {
    /// Position among all events of this run, from 1.
    pub seq: u64,
    /// Simulated time.
    pub at: Timestamp,
    /// What happened.
    pub event: Arc<AnyEvent>,
}

/// The events of one transaction.
#[derive(Clone)]
pub struct Trace {
    /// `t1`, `t2`, … in order of their first event.
    pub id: String,
    /// In order of arrival.
    pub events: Vec<Recorded>,
    links: Vec<Arc<str>>,
    /// Octets of its large messages.
    large: usize,
}

/// Collects events and joins them.
pub struct TraceLog {
    arrived: Mutex<Arrived>,
    /// Locked before `arrived`, where both are.
    joined: Mutex<Joined>,
    seen: watch::Sender<u64>,
}

/// Events that belong to no transaction yet.
#[derive(Default)]
struct Arrived {
    events: Vec<Recorded>,
    /// That of the last event.
    seq: u64,
    /// Octets of large messages among them.
    large: usize,
}

#[derive(Default)]
struct Joined {
    traces: HashMap<u64, Trace>,
    /// Ascending, since a transaction's number is greater than those before it.
    order: VecDeque<u64>,
    by_link: HashMap<Arc<str>, u64>,
    next_trace: u64,
    /// Octets of all large messages.
    large: usize,
    /// Transactions that left, until whoever holds the lock has let go of it.
    forgotten: Vec<Trace>,
    /// Room for the next events that are joined.
    spare: Vec<Recorded>,
}

impl TraceLog {
    /// An empty log.
    pub fn new() -> Self {
        Self {
            arrived: Mutex::default(),
            joined: Mutex::default(),
            seen: watch::Sender::new(0),
        }
    }

    /// Adds what one step reported.
    pub fn record(&self, at: Timestamp, events: impl IntoIterator<Item = AnyEvent>) {
        // Others wait for the lock: what needs no lock is done before and after.
        let events: Vec<_> = events.into_iter().map(Arc::new).collect();
        if events.is_empty() {
            return;
        }
        let large: usize = events.iter().map(|event| large(event)).sum();
        let mut arrived = lock(&self.arrived);
        arrived.large += large;
        for event in events {
            arrived.seq += 1;
            let seq = arrived.seq;
            arrived.events.push(Recorded { seq, at, event });
        }
        let seq = arrived.seq;
        let full = (arrived.events.len() / FULL).max(arrived.large / FULL_OF_LARGE);
        drop(arrived);
        if full >= OVERFULL {
            self.join(lock(&self.joined));
        } else if full > 0 {
            match self.joined.try_lock() {
                Ok(joined) => self.join(joined),
                Err(TryLockError::Poisoned(poisoned)) => self.join(poisoned.into_inner()),
                // Somebody is joining already.
                Err(TryLockError::WouldBlock) => {}
            }
        }
        // Whoever begins to watch afterwards is told of `seq` as they begin.
        if self.seen.receiver_count() > 0 {
            self.tell(seq);
        }
    }

    /// Joins what has arrived.
    fn join(&self, mut joined: MutexGuard<'_, Joined>) {
        let forgotten = self.join_all(&mut joined);
        drop(joined);
        drop(forgotten);
    }

    fn join_all(&self, joined: &mut Joined) -> Vec<Trace> {
        let mut events = std::mem::take(&mut joined.spare);
        let mut arrived = lock(&self.arrived);
        std::mem::swap(&mut arrived.events, &mut events);
        arrived.large = 0;
        drop(arrived);
        for event in events.drain(..) {
            joined.add(event);
        }
        joined.spare = events;
        std::mem::take(&mut joined.forgotten)
    }

    /// All transactions, as they are now.
    fn settled(&self) -> MutexGuard<'_, Joined> {
        let mut joined = lock(&self.joined);
        let forgotten = self.join_all(&mut joined);
        if forgotten.is_empty() {
            return joined;
        }
        drop(joined);
        drop(forgotten);
        self.settled()
    }

    /// The transaction that has this trace id, or that one of its parties knows by this identifier
    /// (`ap_trans_id:…` or only the value).
    pub fn get(&self, id: &str) -> Option<Trace> {
        let inner = self.settled();
        let number = id
            .strip_prefix('t')
            .and_then(|n| n.parse().ok())
            .filter(|n| inner.traces.contains_key(n))
            .or_else(|| inner.by_link.get(id).copied())
            .or_else(|| {
                let tail = format!(":{id}");
                inner
                    .by_link
                    .iter()
                    .find(|(link, _)| link.ends_with(&tail))
                    .map(|(_, n)| *n)
            })?;
        inner.traces.get(&number).cloned()
    }

    /// The transaction that began last; one that took none of the sixteen steps (a request for userinfo, say) only if
    /// there is no other.
    pub fn last(&self) -> Option<Trace> {
        let inner = self.settled();
        let traces = || {
            inner
                .order
                .iter()
                .rev()
                .filter_map(|number| inner.traces.get(number))
        };
        traces()
            .find(|trace| trace.reached().is_some())
            .or_else(|| traces().next())
            .cloned()
    }

    /// Transactions, newest first.
    pub fn list(&self, most: usize) -> Vec<Trace> {
        let inner = self.settled();
        inner
            .order
            .iter()
            .rev()
            .take(most)
            .filter_map(|n| inner.traces.get(n))
            .cloned()
            .collect()
    }

    /// Changes whenever something was recorded; carries the last `seq`.
    pub fn watch(&self) -> watch::Receiver<u64> {
        let mut seen = self.seen.subscribe();
        let seq = lock(&self.arrived).seq;
        self.tell(seq);
        seen.mark_unchanged();
        seen
    }

    fn tell(&self, seq: u64) {
        self.seen.send_if_modified(|last| {
            let later = seq > *last;
            *last = seq.max(*last);
            later
        });
    }
}

/// Octets of a message, if it is large.
fn large(event: &AnyEvent) -> usize {
    Some(event.octets())
        .filter(|octets| *octets >= LARGE)
        .unwrap_or(0)
}

impl Trace {
    /// The furthest step of DESIGN §1 that was seen.
    pub fn reached(&self) -> Option<u8> {
        self.events
            .iter()
            .filter_map(|event| event.render().step)
            .max()
    }
}

impl Default for TraceLog {
    fn default() -> Self {
        Self::new()
    }
}

impl Joined {
    fn add(&mut self, recorded: Recorded) {
        let large = large(&recorded.event);
        let (own, parent) = recorded.event.links();
        let by_parent = parent.and_then(|parent| self.by_link.get(parent).copied());
        // A number that comes round names another message when it has another cause.
        let comes_round = !is_lasting(own) && parent.is_some_and(is_lasting);
        let known = self.by_link.get(own).copied();
        let by_own = known.filter(|_| !comes_round);
        let number = match (by_parent, by_own) {
            // A party that was told of a link late joins what was seen of it before.
            (Some(parent), Some(own_trace)) if parent != own_trace && is_lasting(own) => {
                self.merge(parent, own_trace)
            }
            (Some(number), _) | (None, Some(number)) => number,
            (None, None) => self.begin(),
        };
        // Its cause may be recorded a moment later: commits are in order, their tasks' words about them are not.
        let cause = parent.filter(|parent| by_parent.is_none() && is_lasting(parent));
        let own = Some(own).filter(|_| known != Some(number));
        let Some(trace) = self.traces.get_mut(&number) else {
            return;
        };
        for link in own.into_iter().chain(cause) {
            if self.by_link.get(link) != Some(&number) {
                let link: Arc<str> = link.into();
                self.by_link.insert(link.clone(), number);
                trace.links.push(link);
            }
        }
        if trace.events.len() < EVENTS {
            trace.events.push(recorded);
            trace.large += large;
            self.large += large;
        }
        while self.large > LARGE_IN_ALL
            && let Some(at) = self.order.iter().position(|n| self.traces[n].large > 0)
            && let Some(oldest) = self.order.remove(at)
        {
            self.forget(oldest);
        }
    }

    /// Makes one trace of two, under the older number.
    fn merge(&mut self, one: u64, other: u64) -> u64 {
        let (older, younger) = (one.min(other), one.max(other));
        let Some(from) = self.traces.remove(&younger) else {
            return older;
        };
        if let Ok(at) = self.order.binary_search(&younger) {
            self.order.remove(at);
        }
        for link in &from.links {
            if self.by_link.get(link) == Some(&younger) {
                self.by_link.insert(link.clone(), older);
            }
        }
        if let Some(into) = self.traces.get_mut(&older) {
            into.links.extend(from.links);
            into.large += from.large;
            into.events.extend(from.events);
            into.events.sort_by_key(|event| event.seq);
        }
        older
    }

    fn begin(&mut self) -> u64 {
        if self.order.len() == TRACES
            && let Some(oldest) = self.order.pop_front()
        {
            self.forget(oldest);
        }
        self.next_trace += 1;
        let number = self.next_trace;
        self.order.push_back(number);
        self.traces.insert(
            number,
            Trace {
                id: format!("t{number}"),
                events: Vec::new(),
                links: Vec::new(),
                large: 0,
            },
        );
        number
    }

    /// Drops a transaction that has left `order`.
    fn forget(&mut self, number: u64) {
        let Some(trace) = self.traces.remove(&number) else {
            return;
        };
        self.large -= trace.large;
        for link in &trace.links {
            // Short identifiers (RP-MR) are used again: drop only what still points here.
            if self.by_link.get(link) == Some(&number) {
                self.by_link.remove(link);
            }
        }
        self.forgotten.push(trace);
    }
}

/// Whether an identifier is never used for two messages. RP-MR has 256 values and comes round.
fn is_lasting(link: &str) -> bool {
    !link.starts_with("rp:") && !link.starts_with("rp-mo:")
}

#[cfg(test)]
mod tests;

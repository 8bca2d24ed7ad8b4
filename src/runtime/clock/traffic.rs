//! What is under way: the count that tells a busy system from an idle one.
//!
//! Inside the process a message carries its [`InFlight`] along. Between two of our own parties on real sockets the count would
//! fall to zero while octets wait in the kernel, so the two ends pass it on:
//! - HTTP: the sender keeps a [`Flight`] and names it in a header; the receiver takes the count over with [`Clock::arrive`] and
//!   hands it back with its answer ([`Clock::depart_reply`]). A request that is answered later (a held one) counts nothing meanwhile;
//! - octet streams: the two ends of a connection share a [`Wire`], which counts octets sent and not yet handled.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::{Clock, Shared};
use crate::runtime::lock;

#[derive(Default)]
pub(super) struct Traffic {
    count: AtomicUsize,
    /// The count fell to zero.
    quiet: Notify,
    /// Requests on their way, with the guard of whoever has it now; `None` while the receiver has it.
    flights: Mutex<HashMap<u64, Option<InFlight>>>,
    next_flight: AtomicU64,
    wires: Mutex<Wires>,
}

#[derive(Default)]
struct Wires {
    /// Addresses that our own parties listen on.
    listeners: HashSet<SocketAddr>,
    /// By the address of the end that connected, then of the end that listens.
    open: HashMap<(SocketAddr, SocketAddr), Weak<Connection>>,
}

impl Traffic {
    pub(super) fn quiet(&self) -> Notified<'_> {
        self.quiet.notified()
    }
}

/// One message under way: held from the moment somebody decides to send it until whoever receives it has acted on it (and has
/// taken a guard for everything that follows).
pub struct InFlight(Clock);

impl Clone for InFlight {
    fn clone(&self) -> Self {
        self.0.begin()
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.subtract(1);
    }
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InFlight")
    }
}

impl Clock {
    /// Counts one message as under way.
    pub fn begin(&self) -> InFlight {
        self.0.traffic.count.fetch_add(1, Ordering::AcqRel);
        InFlight(self.clone())
    }

    /// How many messages (and octets on wires) are under way.
    pub fn in_flight(&self) -> usize {
        self.0.traffic.count.load(Ordering::Acquire)
    }

    fn subtract(&self, amount: usize) {
        if amount > 0 && self.0.traffic.count.fetch_sub(amount, Ordering::AcqRel) == amount {
            self.0.traffic.quiet.notify_waiters();
        }
    }
}

/// The sender's end of a request to another party: dropped when the answer has come and been counted, or was given up.
#[derive(Debug)]
pub struct Flight {
    id: u64,
    clock: Clock,
}

impl Flight {
    /// The name by which the receiver takes over.
    pub fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let guard = lock(&self.clock.0.traffic.flights).remove(&self.id);
        drop(guard);
    }
}

impl Clock {
    /// Counts a request as under way until its receiver takes it over.
    pub fn depart(&self) -> Flight {
        let traffic = &self.0.traffic;
        let id = traffic.next_flight.fetch_add(1, Ordering::Relaxed);
        lock(&traffic.flights).insert(id, Some(self.begin()));
        Flight {
            id,
            clock: self.clone(),
        }
    }

    /// The receiver's side: takes the count of a request over. `None` if it was taken or given up, or never was ours.
    pub fn arrive(&self, id: u64) -> Option<InFlight> {
        lock(&self.0.traffic.flights).get_mut(&id)?.take()
    }

    /// The receiver's side: hands the count back with the answer. Gone if nobody waits for it any more.
    pub fn depart_reply(&self, id: u64, guard: InFlight) {
        let replaced = match lock(&self.0.traffic.flights).get_mut(&id) {
            Some(slot) => slot.replace(guard),
            None => Some(guard),
        };
        drop(replaced);
    }
}

/// One end of a connection between two parties of this process.
#[derive(Debug)]
pub struct Wire {
    connection: Arc<Connection>,
    /// Which of the two directions this end sends in.
    sends: usize,
}

struct Connection {
    clock: Clock,
    ends: (SocketAddr, SocketAddr),
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    closed: bool,
    /// Octets sent and not yet handled: from the connecting end, from the listening end.
    pending: [usize; 2],
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({} -> {})", self.ends.0, self.ends.1)
    }
}

impl Clock {
    /// Declares an address on which a party of this process accepts connections.
    pub fn listening(&self, address: SocketAddr) {
        lock(&self.0.traffic.wires).listeners.insert(address);
    }

    /// Whether a party of this process accepts connections there.
    pub fn is_listening(&self, address: SocketAddr) -> bool {
        lock(&self.0.traffic.wires).listeners.contains(&address)
    }

    /// The connecting end of a connection; `None` if a stranger listens there.
    pub fn wire_out(&self, local: SocketAddr, peer: SocketAddr) -> Option<Wire> {
        let mut wires = lock(&self.0.traffic.wires);
        if !wires.listeners.contains(&peer) {
            return None;
        }
        let connection = Arc::new(Connection {
            clock: self.clone(),
            ends: (local, peer),
            state: Mutex::default(),
        });
        wires
            .open
            .insert((local, peer), Arc::downgrade(&connection));
        Some(Wire {
            connection,
            sends: 0,
        })
    }

    /// The accepting end; `None` if a stranger connected. To be asked once the first octets have come: the other end
    /// declares itself before it sends.
    pub fn wire_in(&self, local: SocketAddr, peer: SocketAddr) -> Option<Wire> {
        let connection = lock(&self.0.traffic.wires)
            .open
            .get(&(peer, local))?
            .upgrade()?;
        Some(Wire {
            connection,
            sends: 1,
        })
    }
}

impl Wire {
    /// Counts octets as under way: before they are written.
    pub fn sent(&self, octets: usize) {
        let mut state = lock(&self.connection.state);
        if !state.closed {
            state.pending[self.sends] += octets;
            self.traffic().count.fetch_add(octets, Ordering::AcqRel);
        }
    }

    /// Takes octets off the count: after they were acted on.
    pub fn handled(&self, octets: usize) {
        let mut state = lock(&self.connection.state);
        let pending = &mut state.pending[1 - self.sends];
        let octets = octets.min(*pending);
        *pending -= octets;
        drop(state);
        self.connection.clock.subtract(octets);
    }

    fn traffic(&self) -> &Traffic {
        let shared: &Shared = &self.connection.clock.0;
        &shared.traffic
    }
}

/// When one end goes, nothing that is still on the wire arrives any more.
impl Drop for Wire {
    fn drop(&mut self) {
        let mut state = lock(&self.connection.state);
        state.closed = true;
        let lost: usize = state.pending.iter_mut().map(std::mem::take).sum();
        drop(state);
        lock(&self.traffic().wires)
            .open
            .remove(&self.connection.ends);
        self.connection.clock.subtract(lost);
    }
}

//! Simulated time: what every expiry, interval, JWT, SOAP Instant and back-off goes by. The only reader of the machine's clock.
//!
//! A [`Clock`] runs (the machine's time plus what it was moved ahead by) or stands still until it is moved. It never goes back
//! because of a move. Timers are kept in one queue, by due time and then by the order in which they were set. They are data: the
//! queue is only an index of the records under `timer/…` in the parties' stores, from which it is filled at start
//! ([`super::party::Driver::recover`]).
//!
//! Whoever carries a message holds an [`InFlight`]; when none is held and no due timer waits, the system is idle: nothing more
//! happens before time moves. [`Clock::advance`] moves in steps, from timer to timer, and lets everything settle after each, so
//! that the outcome does not depend on how far one call moves.
//!
//! Two ways to hand out due timers, one for each wiring:
//! - sockets: one task awaits [`Clock::next_due`] in a loop and passes each [`Due`] on; `advance` and `jump_to_next` rely on it;
//! - in-process: the loop itself calls [`Clock::pop_due`], and [`Clock::move_to`] [`Clock::next_due_at`] when nothing is left.

mod traffic;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use foldhash::HashMap;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use self::traffic::Traffic;
pub use self::traffic::{Flight, InFlight, Wire};
use super::lock;

/// A handle of the one clock of a system; clones share it.
#[derive(Clone)]
pub struct Clock(Arc<Shared>);

struct Shared {
    mode: RwLock<Mode>,
    timers: Mutex<Timers>,
    /// The head of the queue or the time changed: look again.
    moved: Notify,
    traffic: Traffic,
    /// One move at a time.
    moving: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy)]
enum Mode {
    Running { ahead: SignedDuration },
    Frozen(Timestamp),
}

/// A timer that has fallen due, taken from the queue.
#[derive(Debug)]
pub struct Due {
    /// The party that set it.
    pub party: &'static str,
    /// Its key.
    pub key: String,
    /// When it was due.
    pub due: Timestamp,
    /// Held until the party has handled it.
    pub flight: InFlight,
}

/// How long a running clock sleeps at most before it looks again: the machine may be suspended or its clock set.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

impl Clock {
    /// A clock that goes with the machine's.
    pub fn real() -> Self {
        Self::in_mode(Mode::Running {
            ahead: SignedDuration::ZERO,
        })
    }

    /// A clock that stands at `start` until it is moved.
    pub fn frozen(start: Timestamp) -> Self {
        Self::in_mode(Mode::Frozen(start))
    }

    /// A clock that stands at the machine's present time until it is moved.
    pub fn frozen_now() -> Self {
        Self::frozen(machine_now())
    }

    fn in_mode(mode: Mode) -> Self {
        Self(Arc::new(Shared {
            mode: RwLock::new(mode),
            timers: Mutex::default(),
            moved: Notify::new(),
            traffic: Traffic::default(),
            moving: tokio::sync::Mutex::default(),
        }))
    }

    /// The simulated time.
    pub fn now(&self) -> Timestamp {
        self.mode().now()
    }

    /// Whether time stands still by itself.
    pub fn is_frozen(&self) -> bool {
        matches!(self.mode(), Mode::Frozen(_))
    }

    /// Stops time where it is; returns where.
    pub fn freeze(&self) -> Timestamp {
        self.change_mode(|mode| Mode::Frozen(mode.now())).now()
    }

    /// Lets time run on from where it is.
    pub fn resume(&self) {
        self.change_mode(|mode| Mode::Running {
            ahead: mode.now().duration_since(machine_now()),
        });
    }

    /// Moves the clock to `time`, or leaves it where it is if that is past. Fires nothing by itself.
    pub fn move_to(&self, time: Timestamp) {
        self.change_mode(|mode| match mode {
            Mode::Frozen(now) => Mode::Frozen(now.max(time)),
            Mode::Running { ahead } => Mode::Running {
                ahead: ahead.max(time.duration_since(machine_now())),
            },
        });
    }

    fn mode(&self) -> Mode {
        *self.0.mode.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change_mode(&self, change: impl FnOnce(Mode) -> Mode) -> Mode {
        let mut mode = self.0.mode.write().unwrap_or_else(PoisonError::into_inner);
        *mode = change(*mode);
        let changed = *mode;
        drop(mode);
        self.0.moved.notify_waiters();
        changed
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

/// Timers.
impl Clock {
    /// Sets a timer; a timer of the same key is replaced.
    pub fn set(&self, party: &'static str, key: &str, due: Timestamp) {
        self.change_timers(|timers| timers.set(party, key, due));
    }

    /// Takes a timer back; one that is not set is no error.
    pub fn cancel(&self, party: &'static str, key: &str) {
        self.change_timers(|timers| timers.cancel(party, key));
    }

    /// Sets or cancels a timer to what `read` finds, with the queue locked: of two changes that race, the later reader has seen
    /// both, so the queue ends up as the store has it.
    pub(super) fn arm_from<E>(
        &self,
        party: &'static str,
        key: &str,
        read: impl FnOnce() -> Result<Option<Timestamp>, E>,
    ) -> Result<(), E> {
        self.change_timers(|timers| {
            match read()? {
                Some(due) => timers.set(party, key, due),
                None => timers.cancel(party, key),
            }
            Ok(())
        })
    }

    /// When the next timer is due, be it past.
    pub fn next_due_at(&self) -> Option<Timestamp> {
        lock(&self.0.timers).head()
    }

    /// Takes the next timer that is due at `now`.
    pub fn pop_due(&self, now: Timestamp) -> Option<Due> {
        self.pop(&mut lock(&self.0.timers), now)
    }

    /// Waits until a timer is due and takes it. While the clock is being advanced, timers come one at a time, each when
    /// everything the one before it caused has settled.
    pub async fn next_due(&self) -> Due {
        loop {
            let moved = self.0.moved.notified();
            let quiet = self.0.traffic.quiet();
            let mut due_in = None;
            let stepping = {
                let mut timers = lock(&self.0.timers);
                if !timers.stepping || self.in_flight() == 0 {
                    let now = self.now();
                    if let Some(due) = self.pop(&mut timers, now) {
                        return due;
                    }
                    due_in = timers.head().map(|head| head.duration_since(now));
                }
                timers.stepping
            };
            tokio::select! {
                () = moved => {}
                () = quiet, if stepping => {}
                () = self.sleep(due_in) => {}
            }
        }
    }

    /// Waits until the simulated time is `time` or later. Not a timer: [`Clock::jump_to_next`] does not stop for it, and nothing
    /// waits for what follows. For links that keep their own time, such as a session's keep-alive.
    pub async fn reached(&self, time: Timestamp) {
        loop {
            let moved = self.0.moved.notified();
            let now = self.now();
            if now >= time {
                return;
            }
            tokio::select! {
                () = moved => {}
                () = self.sleep(Some(time.duration_since(now))) => {}
            }
        }
    }

    fn pop(&self, timers: &mut Timers, now: Timestamp) -> Option<Due> {
        let (party, key, due) = timers.pop(now)?;
        let flight = self.begin();
        Some(Due {
            party,
            key: key.as_ref().into(),
            due,
            flight,
        })
    }

    fn change_timers<T>(&self, change: impl FnOnce(&mut Timers) -> T) -> T {
        let mut timers = lock(&self.0.timers);
        let before = timers.head();
        let result = change(&mut timers);
        let after = timers.head();
        drop(timers);
        if before != after {
            self.0.moved.notify_waiters();
        }
        result
    }

    /// Sleeps until a running clock may have a timer due; for ever if it stands or has none.
    async fn sleep(&self, due_in: Option<SignedDuration>) {
        match due_in {
            Some(due_in) if !self.is_frozen() => {
                let due_in = Duration::try_from(due_in).unwrap_or_default();
                #[expect(clippy::disallowed_methods, reason = "the clock itself waits for time")]
                tokio::time::sleep(due_in.min(LOOK_AGAIN)).await;
            }
            _ => std::future::pending().await,
        }
    }
}

/// Moving time through the timers (sockets wiring: a task must be taking timers with [`Clock::next_due`]).
impl Clock {
    /// Whether no message is in flight and no due timer waits.
    pub fn is_idle(&self) -> bool {
        // In this order: a timer is taken and counted as in flight under the queue's lock.
        let timers = lock(&self.0.timers);
        self.in_flight() == 0 && timers.head().is_none_or(|head| head > self.now())
    }

    /// Waits until no message is in flight and no due timer waits.
    pub async fn idle(&self) {
        loop {
            let moved = self.0.moved.notified();
            let quiet = self.0.traffic.quiet();
            if self.is_idle() {
                return;
            }
            tokio::select! {
                () = moved => {}
                () = quiet => {}
            }
        }
    }

    /// Moves time on by `by`, stopping at every timer on the way until all that it causes has settled. Returns how many fired.
    /// A running clock stands meanwhile and runs on afterwards.
    pub async fn advance(&self, by: Duration) -> u64 {
        let now = self.now();
        self.advance_to(now.saturating_add(by).unwrap_or(Timestamp::MAX))
            .await
    }

    /// Moves time to `target` as [`Clock::advance`] does.
    pub async fn advance_to(&self, target: Timestamp) -> u64 {
        let _one = self.0.moving.lock().await;
        let _stepping = Stepping::start(self);
        let before = self.fired();
        loop {
            self.idle().await;
            match self.next_due_at() {
                Some(due) if due <= target => self.move_to(due),
                _ => break,
            }
        }
        self.move_to(target);
        self.fired() - before
    }

    /// Waits until everything is idle, moves time to the next timer and waits until everything is idle again. Returns the time
    /// moved to, `None` if no timer is set.
    pub async fn jump_to_next(&self) -> Option<Timestamp> {
        let _one = self.0.moving.lock().await;
        let _stepping = Stepping::start(self);
        self.idle().await;
        let due = self.next_due_at()?;
        self.move_to(due);
        self.idle().await;
        Some(due)
    }

    fn fired(&self) -> u64 {
        lock(&self.0.timers).fired
    }
}

/// While it lives, time stands and timers are handed out one at a time.
struct Stepping<'a> {
    clock: &'a Clock,
    was_running: bool,
}

impl<'a> Stepping<'a> {
    fn start(clock: &'a Clock) -> Self {
        let was_running = !clock.is_frozen();
        lock(&clock.0.timers).stepping = true;
        clock.freeze();
        Self { clock, was_running }
    }
}

impl Drop for Stepping<'_> {
    fn drop(&mut self) {
        lock(&self.clock.0.timers).stepping = false;
        if self.was_running {
            self.clock.resume();
        }
        self.clock.0.moved.notify_waiters();
    }
}

/// The queue: by due time, then by the order of setting.
#[derive(Default)]
struct Timers {
    queue: BTreeMap<Place, (&'static str, Arc<str>)>,
    places: HashMap<&'static str, HashMap<Arc<str>, Place>>,
    serial: u64,
    fired: u64,
    stepping: bool,
}

type Place = (Timestamp, u64);

impl Timers {
    fn head(&self) -> Option<Timestamp> {
        self.queue.first_key_value().map(|((due, _), _)| *due)
    }

    fn set(&mut self, party: &'static str, key: &str, due: Timestamp) {
        if self.place(party, key).is_some_and(|place| place.0 == due) {
            return;
        }
        self.cancel(party, key);
        self.serial += 1;
        let place = (due, self.serial);
        let key: Arc<str> = key.into();
        self.queue.insert(place, (party, key.clone()));
        let places = self.places.entry(party).or_default();
        places.insert(key, place);
    }

    fn cancel(&mut self, party: &'static str, key: &str) {
        let places = self.places.get_mut(party);
        if let Some(place) = places.and_then(|places| places.remove(key)) {
            self.queue.remove(&place);
        }
    }

    fn place(&self, party: &'static str, key: &str) -> Option<Place> {
        self.places.get(party)?.get(key).copied()
    }

    fn pop(&mut self, now: Timestamp) -> Option<(&'static str, Arc<str>, Timestamp)> {
        let head = self.queue.first_entry()?;
        let (due, _) = *head.key();
        if due > now {
            return None;
        }
        let (party, key) = head.remove();
        if let Some(places) = self.places.get_mut(party) {
            places.remove(&key);
        }
        self.fired += 1;
        Some((party, key, due))
    }
}

impl Mode {
    fn now(self) -> Timestamp {
        match self {
            Self::Running { ahead } => machine_now()
                .saturating_add(ahead)
                .unwrap_or(Timestamp::MAX),
            Self::Frozen(now) => now,
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the machine's clock"
)]
fn machine_now() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests;

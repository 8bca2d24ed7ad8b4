//! The driver of a pure party: load, step, commit by compare-and-set, and only then release.
//!
//! A [`Party`] is a plain struct of configuration with a side-effect-free `step`. Everything it knows it reads through a
//! [`ReadView`], which remembers what was read: records, absent records, whole prefixes. The [`Driver`] commits what the step
//! wants written only if all of that is unchanged, otherwise it steps again on what is there now; so any number of steps, also
//! of several processes on one store, may run side by side.
//!
//! | in the store, beside the party's own records | holds |
//! |---|---|
//! | `timer/<key>` | the due time of a timer, written in the batch of the step that set it |
//! | `outbox/<id>` | an output that must survive a crash, until [`Driver::done`]; only in a durable store |

mod view;

use std::sync::Arc;

use jiff::Timestamp;
use rand_core::Rng;

use self::view::Recording;
use super::chance::Chance;
use super::clock::{Clock, Due};
use super::store::{Batch, CommitError, CommitFuture, Store, StoreError, Write, block_on};

/// One party of the chain, as the runtime sees it.
pub trait Party: Send + Sync + 'static {
    /// What can happen to it.
    type Input: Clone + Send;
    /// What it wants done.
    type Output: Send;
    /// What it tells the trace.
    type Event: Send;

    /// Its name, for timers and errors.
    const NAME: &'static str;

    /// Takes one input. Free of side effects, and may be called again for the same input if what it read has changed.
    ///
    /// Keys that begin with `timer/` and `outbox/` are the driver's.
    fn step(
        &self,
        view: &dyn ReadView,
        input: &Self::Input,
        now: Timestamp,
        rng: &mut dyn Rng,
    ) -> Stepped<Self::Output, Self::Event>;

    /// The input that tells of a timer which fell due.
    fn timer(key: String) -> Self::Input;

    /// For an output that must survive a crash: its id, unique to the message, and its octets.
    fn durable(output: &Self::Output) -> Option<(String, Vec<u8>)>;

    /// The output that [`Party::durable`] made octets of; `None` if they make no sense.
    fn restore(octets: &[u8]) -> Option<Self::Output>;
}

/// Read access to the records of a party. Within one step a record reads the same every time.
pub trait ReadView {
    /// One record; that there is none counts as read too.
    fn get(&self, key: &str) -> Option<Vec<u8>>;

    /// Every record whose key starts with `prefix`, in key order. For rare operations only.
    fn scan(&self, prefix: &str) -> Vec<(String, Vec<u8>)>;
}

/// What a step wants.
#[derive(Debug)]
pub struct Stepped<O, E> {
    /// Changes of the party's records.
    pub writes: Vec<Write>,
    /// Timers to set, or to cancel (`None`).
    pub timers: Vec<(String, Option<Timestamp>)>,
    /// What to do once all that is committed, in order.
    pub outputs: Vec<O>,
    /// What to tell the trace.
    pub events: Vec<E>,
}

impl<O, E> Default for Stepped<O, E> {
    fn default() -> Self {
        Self {
            writes: Vec::new(),
            timers: Vec::new(),
            outputs: Vec::new(),
            events: Vec::new(),
        }
    }
}

/// What a committed step released.
#[derive(Debug)]
pub struct Handled<O, E> {
    /// To be carried out in this order. One with an id ([`Party::durable`]) is reported with [`Driver::done`] when delivered.
    pub outputs: Vec<O>,
    /// For the trace.
    pub events: Vec<E>,
}

/// What a step of the party `P` released.
pub type HandledBy<P> = Handled<<P as Party>::Output, <P as Party>::Event>;

impl<O, E> Default for Handled<O, E> {
    fn default() -> Self {
        Self {
            outputs: Vec::new(),
            events: Vec::new(),
        }
    }
}

/// What was found in the store at start.
#[derive(Debug)]
pub struct Recovered<O> {
    /// Outputs that were committed and not reported as done, in their order. They may have been carried out already.
    pub outputs: Vec<O>,
    /// How many timers were armed.
    pub timers: usize,
    /// Keys whose contents made no sense and were left alone.
    pub unreadable: Vec<String>,
}

/// Why an input was not handled. Nothing of it was committed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandleError {
    /// Others kept changing what the step had read.
    #[error("{party}: gave up after {attempts} attempts, {key} kept changing")]
    Contended {
        /// The party.
        party: &'static str,
        /// How often the step was run.
        attempts: u32,
        /// What had changed the last time.
        key: String,
    },
    /// The store failed.
    #[error("{party}: {error}")]
    Store {
        /// The party.
        party: &'static str,
        /// The failure.
        error: StoreError,
    },
}

/// Runs the steps of one party over one store.
///
/// Calling contract: once at start [`recover`](Self::recover); then, for every input, [`handle`](Self::handle) (or
/// [`handle_now`](Self::handle_now) without a runtime), and for every timer of this party that the clock hands out,
/// [`fire`](Self::fire) (or [`fire_now`](Self::fire_now)); carry out the outputs in order; [`done`](Self::done) for each that has
/// an id. All may be called from many tasks at once.
pub struct Driver<P: Party> {
    party: P,
    store: Arc<dyn Store>,
    clock: Clock,
    chance: Chance,
}

/// How often a step is run before the driver gives up. Each conflict means that somebody else got on, so this is reached only
/// if a record is written without pause.
const ATTEMPTS: u32 = 100;

const TIMER: &str = "timer/";
const OUTBOX: &str = "outbox/";

impl<P: Party> Driver<P> {
    /// A driver of `party` over `store`.
    pub fn new(party: P, store: Arc<dyn Store>, clock: Clock, chance: Chance) -> Self {
        Self {
            party,
            store,
            clock,
            chance,
        }
    }

    /// The party's configuration.
    pub fn party(&self) -> &P {
        &self.party
    }

    /// The party's records, for whoever shows them.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Steps until a step is committed, and returns what it released.
    ///
    /// # Errors
    /// [`HandleError`]; then nothing was committed.
    pub async fn handle(&self, input: P::Input) -> Result<HandledBy<P>, HandleError> {
        self.run(&[input], None).await
    }

    /// Steps on one input after the other, each on what the ones before it want written, and commits all of it at once: as if
    /// they had been handled one by one with nobody in between, for the price of one commit. The outputs are in their order.
    ///
    /// # Errors
    /// [`HandleError`]; then nothing was committed, of no input.
    pub async fn handle_all(&self, inputs: &[P::Input]) -> Result<HandledBy<P>, HandleError> {
        self.run(inputs, None).await
    }

    /// As [`handle`](Self::handle), blocking the thread if the store has to write to a disk.
    ///
    /// # Errors
    /// As [`handle`](Self::handle).
    pub fn handle_now(&self, input: P::Input) -> Result<HandledBy<P>, HandleError> {
        block_on(self.handle(input))
    }

    /// Handles a timer that fell due. One that was moved or cancelled meanwhile does nothing; the record of one that is handled
    /// is removed in the same batch, unless the step sets it again.
    ///
    /// # Errors
    /// As [`handle`](Self::handle); then the timer fires again after a restart.
    pub async fn fire(&self, due: &Due) -> Result<HandledBy<P>, HandleError> {
        self.run(&[P::timer(due.key.clone())], Some(&due.key)).await
    }

    /// As [`fire`](Self::fire), blocking the thread if the store has to write to a disk.
    ///
    /// # Errors
    /// As [`fire`](Self::fire).
    pub fn fire_now(&self, due: &Due) -> Result<HandledBy<P>, HandleError> {
        block_on(self.fire(due))
    }

    async fn run(
        &self,
        inputs: &[P::Input],
        timer: Option<&str>,
    ) -> Result<HandledBy<P>, HandleError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let Some(attempt) = self.attempt(inputs, timer).map_err(store_failed::<P>)? else {
                return Ok(Handled::default());
            };
            match self.store.commit(attempt.batch).await {
                Ok(()) => {
                    for key in &attempt.timers {
                        self.arm(key);
                    }
                    return Ok(attempt.handled);
                }
                Err(CommitError::Conflict { .. }) if attempts < ATTEMPTS => {}
                Err(CommitError::Conflict { key }) => {
                    return Err(HandleError::Contended {
                        party: P::NAME,
                        attempts,
                        key,
                    });
                }
                Err(CommitError::Store(error)) => return Err(store_failed::<P>(error)),
            }
        }
    }

    /// Runs the steps once; `None` if it was for a timer that is not due any more.
    fn attempt(
        &self,
        inputs: &[P::Input],
        timer: Option<&str>,
    ) -> Result<Option<Attempt<P>>, StoreError> {
        let view = Recording::over(self.store.as_ref());
        let now = self.clock.now();
        if let Some(key) = timer {
            let due = view.get(&timer_key(key)).and_then(|it| decode_due(&it));
            if due.is_none_or(|due| due > now) {
                view.finish()?;
                self.arm(key);
                return Ok(None);
            }
        }
        let mut rng = self.chance.generator();
        let mut handled = Handled::default();
        let mut timers = Vec::new();
        for input in inputs {
            let stepped = self.party.step(&view, input, now, &mut rng);
            view.write(stepped.writes);
            timers.extend(stepped.timers);
            handled.outputs.extend(stepped.outputs);
            handled.events.extend(stepped.events);
        }

        let mut batch = view.finish()?;
        // Before the step's own timers: one that it sets again prevails.
        batch.writes.extend(timer.map(|key| Write::Delete {
            key: timer_key(key),
        }));
        for (key, due) in &timers {
            batch.writes.push(timer_write(key, *due));
        }
        if self.store.durable() {
            batch.writes.extend(outbox_writes::<P>(&handled.outputs));
        }
        if batch.writes.is_empty() && batch.expects.len() + batch.scans.len() <= 1 {
            // One read is consistent by itself: nothing to check.
            batch = Batch::default();
        }
        Ok(Some(Attempt {
            batch,
            timers: timers.into_iter().map(|(key, _)| key).collect(),
            handled,
        }))
    }

    /// Removes a delivered output from the outbox. The work begins at once; the future may be dropped.
    pub fn done(&self, id: &str) -> CommitFuture {
        if !self.store.durable() {
            return CommitFuture::ready(Ok(()));
        }
        let key = format!("{OUTBOX}{id}");
        self.store.commit(Batch {
            writes: vec![Write::Delete { key }],
            ..Batch::default()
        })
    }

    /// Arms the timers and returns the outputs that the last process left.
    ///
    /// # Errors
    /// [`HandleError::Store`].
    pub fn recover(&self) -> Result<Recovered<P::Output>, HandleError> {
        let scan = |prefix| self.store.scan(prefix).map_err(store_failed::<P>);
        let mut unreadable = Vec::new();

        let mut timers = 0;
        for (key, record) in scan(TIMER)? {
            let Some(due) = decode_due(&record.value) else {
                unreadable.push(key);
                continue;
            };
            self.clock.set(P::NAME, &key[TIMER.len()..], due);
            timers += 1;
        }

        let mut outbox = Vec::new();
        for (key, record) in scan(OUTBOX)? {
            let entry = record.value.split_first_chunk();
            let output = entry.and_then(|(order, octets)| Some((order, P::restore(octets)?)));
            match output {
                Some((order, output)) => {
                    outbox.push(((record.version, u32::from_be_bytes(*order)), output));
                }
                None => unreadable.push(key),
            }
        }
        outbox.sort_by_key(|(place, _)| *place);
        if !unreadable.is_empty() {
            tracing::warn!(party = P::NAME, ?unreadable, "records left aside at start");
        }
        Ok(Recovered {
            outputs: outbox.into_iter().map(|(_, output)| output).collect(),
            timers,
            unreadable,
        })
    }

    /// Brings the clock's timer in line with its record. If that cannot be read, the timer waits for the next start.
    fn arm(&self, key: &str) {
        let armed = self.clock.arm_from(P::NAME, key, || {
            let record = self.store.get(&timer_key(key))?;
            Ok::<_, StoreError>(record.and_then(|record| decode_due(&record.value)))
        });
        if let Err(error) = armed {
            tracing::error!(party = P::NAME, key, %error, "a timer is not armed");
        }
    }
}

/// A step that has run and waits for its commit.
struct Attempt<P: Party> {
    batch: Batch,
    timers: Vec<String>,
    handled: HandledBy<P>,
}

fn store_failed<P: Party>(error: StoreError) -> HandleError {
    HandleError::Store {
        party: P::NAME,
        error,
    }
}

fn outbox_writes<P: Party>(outputs: &[P::Output]) -> impl Iterator<Item = Write> {
    (0_u32..).zip(outputs).filter_map(|(order, output)| {
        let (id, octets) = P::durable(output)?;
        let mut value = order.to_be_bytes().to_vec();
        value.extend_from_slice(&octets);
        let key = format!("{OUTBOX}{id}");
        Some(Write::Put { key, value })
    })
}

fn timer_write(key: &str, due: Option<Timestamp>) -> Write {
    let key = timer_key(key);
    match due {
        Some(due) => Write::Put {
            key,
            value: encode_due(due),
        },
        None => Write::Delete { key },
    }
}

fn timer_key(key: &str) -> String {
    format!("{TIMER}{key}")
}

mod field {
    use std::ops::Range;

    pub(super) const SECOND: Range<usize> = 0..8;
    pub(super) const NANOSECOND: Range<usize> = 8..12;
}

fn encode_due(due: Timestamp) -> Vec<u8> {
    let mut value = due.as_second().to_be_bytes().to_vec();
    value.extend_from_slice(&due.subsec_nanosecond().to_be_bytes());
    value
}

fn decode_due(value: &[u8]) -> Option<Timestamp> {
    if value.len() != field::NANOSECOND.end {
        return None;
    }
    let second = i64::from_be_bytes(value[field::SECOND].try_into().ok()?);
    let nanosecond = i32::from_be_bytes(value[field::NANOSECOND].try_into().ok()?);
    Timestamp::new(second, nanosecond).ok()
}

#[cfg(test)]
mod tests;

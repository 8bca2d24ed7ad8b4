//! What a step reads and what it wants done: the contract between the parties of this crate and whoever runs them.
//!
//! A step is `party.step(&view, input, now, rng)`: it reads records through the [`View`], changes nothing, and returns a
//! [`Step`]. The runner commits the changes by compare-and-set over everything that was read, runs the step again with a new
//! view if another was faster, and only after the commit releases the outputs, in order.

use jiff::Timestamp;

use crate::event::Event;

/// Read access to a party's records as of one consistent version. Keys begin with a kind, `job/…`.
pub trait View {
    /// The record under this key. A missing one counts as read, too.
    fn get(&self, key: &str) -> Option<Vec<u8>>;

    /// All records whose keys begin so, in order of their keys; for rare inputs only.
    fn scan(&self, prefix: &str) -> Vec<(String, Vec<u8>)>;
}

/// One change as a store understands it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Stores a record.
    Put {
        /// Under which key.
        key: String,
        /// JSON.
        value: Vec<u8>,
    },
    /// Removes a record.
    Delete {
        /// Its key.
        key: String,
    },
    /// Sets the timer of this key anew, or stops it.
    Timer {
        /// Its key.
        key: String,
        /// When to deliver it; `None` stops it.
        due: Option<Timestamp>,
    },
}

/// What a step wants.
#[derive(Debug)]
pub struct Step<C, O> {
    /// To be committed together.
    pub changes: Vec<C>,
    /// To be released after the commit, in order.
    pub outputs: Vec<O>,
    /// For the trace; of no consequence.
    pub events: Vec<Event>,
}

impl<C, O> Default for Step<C, O> {
    fn default() -> Self {
        Self {
            changes: Vec::new(),
            outputs: Vec::new(),
            events: Vec::new(),
        }
    }
}

/// A record as it is stored. Records are plain data of this crate, which always serialize.
pub(crate) fn to_json<T: serde::Serialize>(record: &T) -> Vec<u8> {
    let mut octets = Vec::with_capacity(512);
    match serde_json::to_writer(&mut octets, record) {
        Ok(()) => octets,
        Err(_) => Vec::new(),
    }
}

/// A stored record; one that cannot be read counts as missing.
pub(crate) fn read<T: serde::de::DeserializeOwned>(view: &dyn View, key: &str) -> Option<T> {
    serde_json::from_slice(&view.get(key)?).ok()
}

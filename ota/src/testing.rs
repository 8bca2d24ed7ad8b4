//! Help for tests: a store in memory that applies steps, and chance that repeats itself.

use jiff::{SignedDuration, Timestamp};
use ota_wire::ids::Msisdn;
use rand_core::TryRng;
use std::collections::BTreeMap;
use std::convert::Infallible;

use crate::step::{View, Write};

/// Records and timers, as a runner would keep them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Store {
    pub(crate) records: BTreeMap<String, Vec<u8>>,
    pub(crate) timers: BTreeMap<String, Timestamp>,
}

impl Store {
    pub(crate) fn apply(&mut self, writes: impl IntoIterator<Item = Write>) {
        for write in writes {
            match write {
                Write::Put { key, value } => {
                    assert!(!value.is_empty(), "{key} did not serialize");
                    self.records.insert(key, value);
                }
                Write::Delete { key } => drop(self.records.remove(&key)),
                Write::Timer {
                    key,
                    due: Some(due),
                } => drop(self.timers.insert(key, due)),
                Write::Timer { key, due: None } => drop(self.timers.remove(&key)),
            }
        }
    }

    /// The next timer, taken out.
    pub(crate) fn next_timer(&mut self) -> Option<(String, Timestamp)> {
        let (key, due) = self.timers.iter().min_by_key(|(_, due)| **due)?;
        let next = (key.clone(), *due);
        self.timers.remove(&next.0);
        Some(next)
    }
}

impl View for Store {
    fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.records.get(key).cloned()
    }

    fn scan(&self, prefix: &str) -> Vec<(String, Vec<u8>)> {
        let from = self.records.range(prefix.to_owned()..);
        from.take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }
}

/// Octets that count up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counting(pub(crate) u8);

impl TryRng for Counting {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut octets = [0; 4];
        self.try_fill_bytes(&mut octets)?;
        Ok(u32::from_be_bytes(octets))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut octets = [0; 8];
        self.try_fill_bytes(&mut octets)?;
        Ok(u64::from_be_bytes(octets))
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Infallible> {
        for octet in octets {
            self.0 = self.0.wrapping_add(1);
            *octet = self.0;
        }
        Ok(())
    }
}

pub(crate) fn start() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

pub(crate) fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// The n-th number of the range reserved for fiction.
pub(crate) fn msisdn(n: u8) -> Msisdn {
    format!("+4477009000{n:02}").parse().unwrap()
}

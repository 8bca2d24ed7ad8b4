//! The store in memory: the default, empty at every start.
//!
//! Records are spread over shards by the end of their key, each with its own lock. A commit locks the shards it touches in
//! ascending order, so two commits never wait for each other in a circle, and two flows of different subscribers meet on a lock
//! only when their keys happen to share one of 256 shards.

use std::sync::{Arc, Mutex, MutexGuard};

use foldhash::HashMap;

use super::{Batch, CommitError, CommitFuture, Record, Scanned, Store, StoreError, Version, Write};
use crate::runtime::lock;

/// Records in memory, sharded.
pub struct MemoryStore {
    shards: Vec<Mutex<Shard>>,
}

/// A prefix is looked for in every record: scans are rare, and reads and writes are not.
#[derive(Default)]
struct Shard {
    records: HashMap<Box<str>, Record>,
    /// The last version given in this shard. A key never leaves its shard, so versions need no wider order.
    last: u64,
}

const SHARDS: usize = 256;

/// Keys differ in their last octets. A bad spread would cost time at a lock, and nothing else: within a shard records are found by
/// a hash of the whole key.
fn shard_of(key: &str) -> usize {
    let mut last = [0; 8];
    let tail = key.len().min(last.len());
    last[..tail].copy_from_slice(&key.as_bytes()[key.len() - tail..]);
    // Fibonacci hashing: the top 8 bits of the product depend on all of them.
    (u64::from_le_bytes(last).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as usize
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    fn apply(&self, batch: Batch) -> Result<(), CommitError> {
        let mut held = Held::take(self, &batch);
        for (key, expected) in &batch.expects {
            if held.version(shard_of(key), key) != *expected {
                return Err(CommitError::Conflict { key: key.clone() });
            }
        }
        for scanned in &batch.scans {
            if !held.unchanged(scanned) {
                let key = scanned.prefix.clone();
                return Err(CommitError::Conflict { key });
            }
        }
        for write in batch.writes {
            let index = shard_of(write.key());
            held.write(index, write);
        }
        Ok(())
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Store for MemoryStore {
    fn get(&self, key: &str) -> Result<Option<Record>, StoreError> {
        let shard = lock(&self.shards[shard_of(key)]);
        Ok(shard.records.get(key).cloned())
    }

    fn scan(&self, prefix: &str) -> Result<Vec<(String, Record)>, StoreError> {
        let held = Held::all(self);
        let mut found: Vec<_> = held
            .under(prefix)
            .map(|(key, record)| (key.to_string(), record.clone()))
            .collect();
        found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok(found)
    }

    fn commit(&self, batch: Batch) -> CommitFuture {
        CommitFuture::ready(self.apply(batch))
    }

    fn durable(&self) -> bool {
        false
    }
}

/// The locked shards of one commit, in ascending order of their index.
struct Held<'a>(Vec<(usize, MutexGuard<'a, Shard>)>);

impl<'a> Held<'a> {
    fn take(store: &'a MemoryStore, batch: &Batch) -> Self {
        if !batch.scans.is_empty() {
            return Self::all(store);
        }
        let expected = batch.expects.iter().map(|(key, _)| shard_of(key));
        let written = batch.writes.iter().map(|write| shard_of(write.key()));
        let mut indices = Vec::with_capacity(batch.expects.len() + batch.writes.len());
        indices.extend(expected.chain(written));
        indices.sort_unstable();
        indices.dedup();
        Self::lock(store, indices.into_iter())
    }

    fn all(store: &'a MemoryStore) -> Self {
        Self::lock(store, 0..SHARDS)
    }

    fn lock(store: &'a MemoryStore, indices: impl Iterator<Item = usize>) -> Self {
        Self(
            indices
                .map(|index| (index, lock(&store.shards[index])))
                .collect(),
        )
    }

    fn version(&self, index: usize, key: &str) -> Version {
        let position = self.0.binary_search_by_key(&index, |(held, _)| *held);
        position
            .ok()
            .and_then(|at| self.0[at].1.records.get(key))
            .map_or(Version::ABSENT, |record| record.version)
    }

    fn under(&self, prefix: &str) -> impl Iterator<Item = (&str, &Record)> {
        self.0.iter().flat_map(move |(_, shard)| {
            let records = shard.records.iter();
            let records = records.map(|(key, record)| (&**key, record));
            records.filter(move |(key, _)| key.starts_with(prefix))
        })
    }

    fn unchanged(&self, scanned: &Scanned) -> bool {
        let mut now: Vec<_> = self
            .under(&scanned.prefix)
            .map(|(key, record)| (key, record.version))
            .collect();
        now.sort_unstable();
        now.into_iter().eq(scanned
            .seen
            .iter()
            .map(|(key, version)| (key.as_str(), *version)))
    }

    fn write(&mut self, index: usize, write: Write) {
        let Ok(at) = self.0.binary_search_by_key(&index, |(held, _)| *held) else {
            return;
        };
        let shard = &mut self.0[at].1;
        match write {
            Write::Put { key, value } => {
                shard.last += 1;
                let version = Version(shard.last);
                let Some(record) = shard.records.get_mut(key.as_str()) else {
                    let value = value.into();
                    shard.records.insert(key.into(), Record { version, value });
                    return;
                };
                record.version = version;
                // Most records keep their length, and nobody reads them just now.
                match Arc::get_mut(&mut record.value) {
                    Some(old) if old.len() == value.len() => old.copy_from_slice(&value),
                    _ => record.value = value.into(),
                }
            }
            Write::Delete { key } => {
                shard.records.remove(key.as_str());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::store::laws;

    #[test]
    fn keeps_the_laws_of_a_store() {
        laws::hold(&|| Box::new(MemoryStore::new()));
    }

    #[test]
    fn loses_no_increment_under_racing_commits() {
        laws::races(&MemoryStore::new(), 8, 500);
    }

    #[test]
    fn says_that_it_forgets() {
        assert!(!MemoryStore::new().durable());
    }
}

//! What a step reads, and what is to be checked for it at the commit.

use std::cell::RefCell;

use super::ReadView;
use crate::runtime::store::{Batch, Record, Scanned, Store, StoreError, Version};

/// A view that remembers what was read of the store, for one step.
pub(super) struct Recording<'a> {
    store: &'a dyn Store,
    /// A step reads a handful: looking through them is quicker than any index.
    records: RefCell<Vec<(String, Option<Record>)>>,
    scans: RefCell<Vec<Scanned>>,
    failed: RefCell<Option<StoreError>>,
}

impl<'a> Recording<'a> {
    pub(super) fn over(store: &'a dyn Store) -> Self {
        Self {
            store,
            records: RefCell::default(),
            scans: RefCell::default(),
            failed: RefCell::default(),
        }
    }

    /// What the step relied on; an error if a read failed, which the step took for an absent record.
    pub(super) fn finish(self) -> Result<Batch, StoreError> {
        if let Some(error) = self.failed.into_inner() {
            return Err(error);
        }
        let version = |record: Option<Record>| record.map_or(Version::ABSENT, |it| it.version);
        let records = self.records.into_inner().into_iter();
        Ok(Batch {
            expects: records
                .map(|(key, record)| (key, version(record)))
                .collect(),
            scans: self.scans.into_inner(),
            writes: Vec::new(),
        })
    }

    fn read<T: Default>(&self, read: Result<T, StoreError>) -> T {
        read.unwrap_or_else(|error| {
            self.failed.borrow_mut().get_or_insert(error);
            T::default()
        })
    }
}

impl ReadView for Recording<'_> {
    fn get(&self, key: &str) -> Option<Vec<u8>> {
        let mut records = self.records.borrow_mut();
        let known = records.iter().position(|(known, _)| known == key);
        let at = known.unwrap_or_else(|| {
            let record = self.read(self.store.get(key));
            records.push((key.to_owned(), record));
            records.len() - 1
        });
        let record = records[at].1.as_ref()?;
        Some(record.value.to_vec())
    }

    fn scan(&self, prefix: &str) -> Vec<(String, Vec<u8>)> {
        let found = self.read(self.store.scan(prefix));
        self.scans.borrow_mut().push(Scanned {
            prefix: prefix.to_owned(),
            seen: found
                .iter()
                .map(|(key, record)| (key.clone(), record.version))
                .collect(),
        });
        found
            .into_iter()
            .map(|(key, record)| (key, record.value.to_vec()))
            .collect()
    }
}

//! What a step reads, and what is to be checked for it at the commit.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::ReadView;
use crate::runtime::store::{Batch, Record, Scanned, Store, StoreError, Version, Write};

/// A view that remembers what was read of the store, for one step or several whose changes it shows to the later ones.
pub(super) struct Recording<'a> {
    store: &'a dyn Store,
    /// A step reads a handful: looking through them is quicker than any index.
    records: RefCell<Vec<(String, Option<Record>)>>,
    /// What the steps so far want written; `None` deletes. In order of their keys, which is how trees like them.
    written: RefCell<BTreeMap<String, Option<Vec<u8>>>>,
    scans: RefCell<Vec<Scanned>>,
    failed: RefCell<Option<StoreError>>,
}

impl<'a> Recording<'a> {
    pub(super) fn over(store: &'a dyn Store) -> Self {
        Self {
            store,
            records: RefCell::default(),
            written: RefCell::default(),
            scans: RefCell::default(),
            failed: RefCell::default(),
        }
    }

    /// Shows what a step wants written to the steps after it.
    pub(super) fn write(&self, writes: Vec<Write>) {
        let writes = writes.into_iter().map(|write| match write {
            Write::Put { key, value } => (key, Some(value)),
            Write::Delete { key } => (key, None),
        });
        self.written.borrow_mut().extend(writes);
    }

    /// What the steps relied on and want written; an error if a read failed, which a step took for an absent record.
    pub(super) fn finish(self) -> Result<Batch, StoreError> {
        if let Some(error) = self.failed.into_inner() {
            return Err(error);
        }
        let version = |record: Option<Record>| record.map_or(Version::ABSENT, |it| it.version);
        let records = self.records.into_inner().into_iter();
        let mut expects: Vec<_> = records
            .map(|(key, record)| (key, version(record)))
            .collect();
        expects.sort_unstable();
        Ok(Batch {
            expects,
            scans: self.scans.into_inner(),
            writes: self
                .written
                .into_inner()
                .into_iter()
                .map(|(key, value)| match value {
                    Some(value) => Write::Put { key, value },
                    None => Write::Delete { key },
                })
                .collect(),
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
        if let Some(written) = self.written.borrow().get(key) {
            return written.clone();
        }
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
        let mut found: BTreeMap<_, _> = found
            .into_iter()
            .map(|(key, record)| (key, record.value.to_vec()))
            .collect();
        let written = self.written.borrow();
        for (key, value) in written
            .range(prefix.to_owned()..)
            .take_while(|(key, _)| key.starts_with(prefix))
        {
            match value {
                Some(value) => found.insert(key.clone(), value.clone()),
                None => found.remove(key),
            };
        }
        found.into_iter().collect()
    }
}

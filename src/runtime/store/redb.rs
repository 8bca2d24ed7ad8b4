//! The durable store: one redb file per party.
//!
//! One thread writes. It takes every batch that waits, up to [`GROUP`] writes, checks and applies them one after the other inside one
//! transaction, makes that durable with one disk flush, and only then answers all of them: a batch sees the batches before it in
//! its group, and nobody hears of a success that could still be lost. Readers see the last durable transaction.
//!
//! A record is stored as its version (8 octets, big-endian) followed by its octets. Versions count batches, kept in the table
//! `meta` beside the number of this layout.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, mpsc};
use std::thread::{self, JoinHandle};

use redb::backends::FileBackend;
use redb::{
    Builder, Database, ReadOnlyTable, ReadableDatabase, ReadableTable, StorageBackend, Table,
    TableDefinition,
};
use tokio::sync::{oneshot, watch};

use super::{Batch, CommitError, CommitFuture, Record, Store, StoreError, Version, Write};

/// Records in one redb file.
pub struct RedbStore {
    latest: Arc<Latest>,
    file: Arc<PathBuf>,
    /// `None` only while the store is being dropped.
    queue: Option<mpsc::Sender<Request>>,
    writer: Option<JoinHandle<()>>,
    transactions: Arc<AtomicU64>,
    /// The last field: it goes when all else has gone.
    closed: watch::Sender<()>,
}

/// The most writes in one transaction, beyond the last batch: what one disk flush may have to carry.
const GROUP: usize = 16_384;

/// The layout of the file.
const FORMAT: u64 = 1;

/// Page cache of one file, octets.
const CACHE: usize = 32 << 20;

const RECORDS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("records");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const META_FORMAT: &str = "format";
const META_VERSION: &str = "version";

mod field {
    use std::ops::{Range, RangeFrom};

    pub(super) const VERSION: Range<usize> = 0..8;
    pub(super) const VALUE: RangeFrom<usize> = 8..;
}

type Records = ReadOnlyTable<&'static str, &'static [u8]>;

/// The last durable state. Opening it costs as much as some reads, so it is opened once a transaction.
struct Latest(RwLock<Arc<Records>>);

impl Latest {
    fn open(database: &Database) -> Result<Arc<Records>, Trouble> {
        Ok(Arc::new(database.begin_read()?.open_table(RECORDS)?))
    }

    fn get(&self) -> Arc<Records> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, records: Arc<Records>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = records;
    }
}

struct Request {
    batch: Batch,
    answer: oneshot::Sender<Result<(), CommitError>>,
}

impl RedbStore {
    /// Opens `path`, creating it (readable by its owner only) and its directory if they are missing, and starts its writer.
    ///
    /// The whole file is verified first, so that damage is an error here and not a surprise later.
    ///
    /// # Errors
    /// [`StoreError`]; `Locked` if another process has it open, `Corrupt` if it is something else or damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let broken = |error: io::Error| failure(path, redb::Error::Io(error));
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(broken)?;
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let backend = FileBackend::new(options.open(path).map_err(broken)?);
        Self::with_backend(path, backend.map_err(|error| failure(path, error))?)
    }

    /// A store with everything of a file but the file.
    #[cfg(test)]
    pub(crate) fn in_memory() -> Self {
        let backend = redb::backends::InMemoryBackend::new();
        Self::with_backend(Path::new("memory"), backend).unwrap()
    }

    fn with_backend(path: &Path, backend: impl StorageBackend) -> Result<Self, StoreError> {
        let database = Builder::new()
            .set_cache_size(CACHE)
            .set_check_integrity_on_open(true)
            .create_with_backend(backend)
            .map_err(|error| failure(path, error))?;
        let last = prepare(&database).map_err(|error| error.naming(path))?;
        let latest = Latest::open(&database).map_err(|error| error.naming(path))?;
        let latest = Arc::new(Latest(RwLock::new(latest)));
        let file = Arc::new(path.to_owned());
        let transactions = Arc::new(AtomicU64::new(0));
        let (queue, requests) = mpsc::channel();
        let writer = Writer {
            database,
            latest: Arc::clone(&latest),
            file: Arc::clone(&file),
            last,
            transactions: Arc::clone(&transactions),
        };
        let writer = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run(&requests))
            .map_err(|error| failure(path, redb::Error::Io(error)))?;
        Ok(Self {
            latest,
            file,
            queue: Some(queue),
            writer: Some(writer),
            transactions,
            closed: watch::Sender::new(()),
        })
    }

    /// How many durable transactions the writer has made since the store was opened.
    pub fn transactions(&self) -> u64 {
        self.transactions.load(Ordering::Relaxed)
    }

    fn read(&self, key: &str) -> Result<Option<Record>, Trouble> {
        self.latest
            .get()
            .get(key)?
            .map(|stored| decode(stored.value()))
            .transpose()
    }

    fn read_prefix(&self, prefix: &str) -> Result<Vec<(String, Record)>, Trouble> {
        let mut found = Vec::new();
        for entry in self.latest.get().range(prefix..)? {
            let (key, stored) = entry?;
            if !key.value().starts_with(prefix) {
                break;
            }
            found.push((key.value().to_owned(), decode(stored.value())?));
        }
        Ok(found)
    }

    /// Checks a batch without writes against what is durable now.
    fn check_only(&self, batch: &Batch) -> Result<(), CommitError> {
        let changed = first_change(self.latest.get().as_ref(), batch)
            .map_err(|trouble| trouble.naming(&self.file))?;
        changed.map_or(Ok(()), |key| Err(CommitError::Conflict { key }))
    }
}

impl Store for RedbStore {
    fn get(&self, key: &str) -> Result<Option<Record>, StoreError> {
        self.read(key).map_err(|trouble| trouble.naming(&self.file))
    }

    fn scan(&self, prefix: &str) -> Result<Vec<(String, Record)>, StoreError> {
        self.read_prefix(prefix)
            .map_err(|trouble| trouble.naming(&self.file))
    }

    /// A batch without writes is checked at once against what is durable; it does not wait behind the writer.
    fn commit(&self, batch: Batch) -> CommitFuture {
        if batch.writes.is_empty() {
            return CommitFuture::ready(self.check_only(&batch));
        }
        let (answer, outcome) = oneshot::channel();
        if let Some(queue) = &self.queue {
            // If the writer has ended, the request and its `answer` are dropped, which the future reports.
            let _ = queue.send(Request { batch, answer });
        }
        CommitFuture::pending(outcome, Arc::clone(&self.file))
    }

    fn durable(&self) -> bool {
        true
    }

    fn closed(&self) -> Option<watch::Receiver<()>> {
        Some(self.closed.subscribe())
    }
}

/// Finishes what was committed, then closes the file.
impl Drop for RedbStore {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!(file = %self.file.display(), "the store's writer ended in a panic");
        }
    }
}

struct Writer {
    database: Database,
    latest: Arc<Latest>,
    file: Arc<PathBuf>,
    last: u64,
    transactions: Arc<AtomicU64>,
}

impl Writer {
    fn run(mut self, requests: &mpsc::Receiver<Request>) {
        while let Ok(first) = requests.recv() {
            let mut writes = first.batch.writes.len();
            let (mut batches, mut answers) = (vec![first.batch], vec![first.answer]);
            while writes < GROUP
                && let Ok(next) = requests.try_recv()
            {
                writes += next.batch.writes.len();
                batches.push(next.batch);
                answers.push(next.answer);
            }
            let outcomes = self.commit_group(&batches).unwrap_or_else(|trouble| {
                let error = trouble.naming(&self.file);
                tracing::error!(%error, "a commit failed");
                vec![Err(error.into()); batches.len()]
            });
            for (answer, outcome) in answers.into_iter().zip(outcomes) {
                // Whoever asked may have stopped waiting.
                let _ = answer.send(outcome);
            }
        }
    }

    fn commit_group(&mut self, batches: &[Batch]) -> Result<Vec<Result<(), CommitError>>, Trouble> {
        let transaction = self.database.begin_write()?;
        let mut outcomes = Vec::with_capacity(batches.len());
        let mut wrote = false;
        {
            let mut records = transaction.open_table(RECORDS)?;
            for batch in batches {
                if let Some(key) = first_change(&records, batch)? {
                    outcomes.push(Err(CommitError::Conflict { key }));
                    continue;
                }
                self.last += 1;
                apply(&mut records, batch, self.last)?;
                outcomes.push(Ok(()));
                wrote = true;
            }
            if wrote {
                transaction
                    .open_table(META)?
                    .insert(META_VERSION, self.last)?;
            }
        }
        if wrote {
            transaction.commit()?;
            self.latest.set(Latest::open(&self.database)?);
            self.transactions.fetch_add(1, Ordering::Relaxed);
        } else {
            transaction.abort()?;
        }
        Ok(outcomes)
    }
}

/// Creates the tables of a new file, checks the layout of an old one; returns the last version given.
fn prepare(database: &Database) -> Result<u64, Trouble> {
    let transaction = database.begin_write()?;
    let last = {
        transaction.open_table(RECORDS)?;
        let mut meta = transaction.open_table(META)?;
        let format = meta.get(META_FORMAT)?.map(|stored| stored.value());
        match format {
            None => {
                meta.insert(META_FORMAT, FORMAT)?;
            }
            Some(FORMAT) => {}
            Some(got) => return Err(Trouble::Format(got)),
        }
        meta.get(META_VERSION)?.map_or(0, |stored| stored.value())
    };
    transaction.commit()?;
    Ok(last)
}

/// The first expectation of `batch` that does not hold, by its key or prefix.
fn first_change(
    records: &impl ReadableTable<&'static str, &'static [u8]>,
    batch: &Batch,
) -> Result<Option<String>, Trouble> {
    for (key, expected) in &batch.expects {
        let version = match records.get(key.as_str())? {
            Some(stored) => decode_version(stored.value())?,
            None => Version::ABSENT,
        };
        if version != *expected {
            return Ok(Some(key.clone()));
        }
    }
    for scanned in &batch.scans {
        let mut seen = scanned.seen.iter();
        for entry in records.range(scanned.prefix.as_str()..)? {
            let (key, stored) = entry?;
            if !key.value().starts_with(&scanned.prefix) {
                break;
            }
            let version = decode_version(stored.value())?;
            if !seen
                .next()
                .is_some_and(|(name, before)| name == key.value() && *before == version)
            {
                return Ok(Some(scanned.prefix.clone()));
            }
        }
        if seen.next().is_some() {
            return Ok(Some(scanned.prefix.clone()));
        }
    }
    Ok(None)
}

fn apply(
    records: &mut Table<'_, &'static str, &'static [u8]>,
    batch: &Batch,
    version: u64,
) -> Result<(), Trouble> {
    for write in &batch.writes {
        match write {
            Write::Put { key, value } => {
                let mut stored = Vec::with_capacity(field::VERSION.end + value.len());
                stored.extend_from_slice(&version.to_be_bytes());
                stored.extend_from_slice(value);
                records.insert(key.as_str(), stored.as_slice())?;
            }
            Write::Delete { key } => {
                records.remove(key.as_str())?;
            }
        }
    }
    Ok(())
}

fn decode(stored: &[u8]) -> Result<Record, Trouble> {
    Ok(Record {
        version: decode_version(stored)?,
        value: stored[field::VALUE].into(),
    })
}

fn decode_version(stored: &[u8]) -> Result<Version, Trouble> {
    stored
        .get(field::VERSION)
        .and_then(|octets| octets.try_into().ok())
        .map(|octets| Version(u64::from_be_bytes(octets)))
        .ok_or(Trouble::ShortRecord(stored.len()))
}

/// What went wrong, before the file is named.
enum Trouble {
    Database(redb::Error),
    Format(u64),
    ShortRecord(usize),
}

impl<E: Into<redb::Error>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Database(error.into())
    }
}

impl Trouble {
    fn naming(self, file: &Path) -> StoreError {
        match self {
            Self::Database(error) => failure(file, error),
            Self::Format(got) => StoreError::Format {
                file: file.to_owned(),
                expected: FORMAT,
                got,
            },
            Self::ShortRecord(length) => StoreError::Corrupt {
                file: file.to_owned(),
                detail: format!("a record of {length} octets has no version"),
            },
        }
    }
}

fn failure(file: &Path, error: impl Into<redb::Error>) -> StoreError {
    let error = error.into();
    let detail = error.to_string();
    let file = file.to_owned();
    match error {
        redb::Error::DatabaseAlreadyOpen => StoreError::Locked { file },
        redb::Error::DatabaseClosed | redb::Error::PreviousIo => StoreError::Stopped { file },
        redb::Error::Io(error) => match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full { file },
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                StoreError::Corrupt { file, detail }
            }
            _ => StoreError::Io { file, detail },
        },
        redb::Error::Corrupted(_)
        | redb::Error::RepairAborted
        | redb::Error::UpgradeRequired(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableIsMultimap(_) => StoreError::Corrupt { file, detail },
        _ => StoreError::Io { file, detail },
    }
}

#[cfg(test)]
mod tests;

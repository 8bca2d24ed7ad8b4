//! The store port: records under string keys, each with a version, changed in batches by compare-and-set.
//!
//! Contract, the same for every implementation (one set of tests runs against each):
//! - `get` and `scan` see committed batches only, and each batch whole or not at all per key;
//! - `commit` checks every expectation and applies every write in one indivisible act, in the order of the calls to `commit`
//!   where two calls follow each other on one thread;
//! - the work of `commit` starts when it is called: dropping the future does not undo it;
//! - a version never comes back: a key that was deleted and written again has a version it never had before;
//! - when the future resolves to `Ok` in a store that says [`Store::durable`], the batch survives the loss of the process.

mod memory;
mod redb;

#[cfg(test)]
mod laws;

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio::sync::{oneshot, watch};

pub use self::memory::MemoryStore;
pub use self::redb::RedbStore;

/// The version of one record; [`Version::ABSENT`] stands for "no such record".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u64);

impl Version {
    /// The version of a key that holds no record.
    pub const ABSENT: Self = Self(0);
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

/// One record as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its version, never [`Version::ABSENT`].
    pub version: Version,
    /// Its octets.
    pub value: Arc<[u8]>,
}

/// What one prefix held when it was scanned: checked whole at the commit, so that a record which appeared since is a conflict too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// The prefix.
    pub prefix: String,
    /// Every key under it with its version, in key order.
    pub seen: Vec<(String, Version)>,
}

/// One change of one key.
#[derive(Clone, PartialEq, Eq)]
pub enum Write {
    /// Creates or replaces a record.
    Put {
        /// The key.
        key: String,
        /// The new octets.
        value: Vec<u8>,
    },
    /// Removes a record; removing one that is not there is no error.
    Delete {
        /// The key.
        key: String,
    },
}

impl Write {
    /// The key that is written.
    pub fn key(&self) -> &str {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }
}

/// Values may hold secrets, so only their length is shown.
impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { key, value } => write!(f, "Put({key}, {} octets)", value.len()),
            Self::Delete { key } => write!(f, "Delete({key})"),
        }
    }
}

/// Expectations and writes that stand or fall together.
///
/// Without writes a batch only asks whether all expectations hold at one moment, and costs no disk write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Keys with the version each must still have.
    pub expects: Vec<(String, Version)>,
    /// Prefixes that must still hold exactly what was seen.
    pub scans: Vec<Scanned>,
    /// What to write if every expectation holds; a later write of a key wins.
    pub writes: Vec<Write>,
}

/// Where a party's records live.
pub trait Store: Send + Sync + 'static {
    /// Reads one record.
    ///
    /// # Errors
    /// [`StoreError`] when the medium fails.
    fn get(&self, key: &str) -> Result<Option<Record>, StoreError>;

    /// Reads every record whose key starts with `prefix`, in key order. For rare operations: it may visit the whole store.
    ///
    /// # Errors
    /// [`StoreError`] when the medium fails.
    fn scan(&self, prefix: &str) -> Result<Vec<(String, Record)>, StoreError>;

    /// Checks and applies a batch. The work begins at once, whether or not the future is polled.
    fn commit(&self, batch: Batch) -> CommitFuture;

    /// Whether a committed batch survives the loss of the process.
    fn durable(&self) -> bool;

    /// Changes to an error when the store is gone and its medium free for others; `None` if it has none.
    fn closed(&self) -> Option<watch::Receiver<()>> {
        None
    }
}

/// Why a batch was not applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Something that the batch relied on has changed: load again and step again.
    #[error("{key} has changed since it was read")]
    Conflict {
        /// The first key or prefix found changed.
        key: String,
    },
    /// The medium failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A failure of the medium below a store. Each names the file and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The file is not a store, or its contents contradict each other.
    #[error("{} is damaged or not a midsim store ({detail}); move it away to start afresh", file.display())]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// What was found.
        detail: String,
    },
    /// The file was written by a version of midsim with another layout.
    #[error("{} has store format {got}, this midsim reads {expected}; use the version that wrote it or move the file away", file.display())]
    Format {
        /// The file.
        file: PathBuf,
        /// The format this build reads and writes.
        expected: u64,
        /// The format found.
        got: u64,
    },
    /// The device is full.
    #[error("no space left for {}; free some, or choose another --data-dir", file.display())]
    Full {
        /// The file.
        file: PathBuf,
    },
    /// Any other input or output error.
    #[error("cannot use {}: {detail}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The system's words.
        detail: String,
    },
    /// Another process has the file open.
    #[error("{} is in use by another process; stop it, or choose another --data-dir", file.display())]
    Locked {
        /// The file.
        file: PathBuf,
    },
    /// The store has been closed, or failed earlier and accepts nothing more.
    #[error("the store in {} is closed; see the first error, then start again", file.display())]
    Stopped {
        /// The file.
        file: PathBuf,
    },
}

/// The outcome of a [`Store::commit`]: a future, which can also be waited for without a runtime.
#[derive(Debug)]
pub struct CommitFuture(Outcome);

#[derive(Debug)]
enum Outcome {
    Ready(Result<(), CommitError>),
    Pending {
        answer: oneshot::Receiver<Result<(), CommitError>>,
        file: Arc<PathBuf>,
    },
}

impl CommitFuture {
    /// An outcome that is known already.
    pub fn ready(outcome: Result<(), CommitError>) -> Self {
        Self(Outcome::Ready(outcome))
    }

    /// An outcome that a writer thread will send; `file` names the store if the thread ends before it does.
    pub(crate) fn pending(
        answer: oneshot::Receiver<Result<(), CommitError>>,
        file: Arc<PathBuf>,
    ) -> Self {
        Self(Outcome::Pending { answer, file })
    }

    /// Blocks the calling thread until the outcome is known. For threads that run no asynchronous tasks.
    ///
    /// # Errors
    /// As the future itself.
    pub fn wait(self) -> Result<(), CommitError> {
        block_on(self)
    }
}

impl Future for CommitFuture {
    type Output = Result<(), CommitError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Outcome::Ready(outcome) => Poll::Ready(outcome.clone()),
            Outcome::Pending { answer, file } => Pin::new(answer).poll(cx).map(|sent| {
                sent.unwrap_or_else(|_| {
                    let file = file.as_ref().clone();
                    Err(StoreError::Stopped { file }.into())
                })
            }),
        }
    }
}

/// Runs a future that waits for nothing but commits on the calling thread.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    // With records in memory nothing is ever pending.
    let mut without_waking = Context::from_waker(Waker::noop());
    if let Poll::Ready(outcome) = future.as_mut().poll(&mut without_waking) {
        return outcome;
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(outcome) => return outcome,
            Poll::Pending => thread::park(),
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

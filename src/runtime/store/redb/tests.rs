use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicUsize;
use std::sync::{Condvar, Mutex};

use redb::backends::InMemoryBackend;

use super::*;
use crate::runtime::store::laws::{self, put, value, write};

/// A directory of this process, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let serial = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("midsim-store-{}-{serial}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn file(&self) -> PathBuf {
        self.0.join("party.redb")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn keeps_the_laws_of_a_store() {
    laws::hold(&|| Box::new(RedbStore::in_memory()));
}

#[test]
fn loses_no_increment_under_racing_commits() {
    laws::races(&RedbStore::in_memory(), 4, 50);
}

#[test]
fn records_and_versions_survive_a_reopen() {
    let scratch = Scratch::new();
    let before = {
        let store = RedbStore::open(scratch.file()).unwrap();
        assert!(store.durable());
        write(&store, vec![put("a", "1"), put("b", "2")]);
        write(&store, vec![put("a", "3")]);
        store.scan("").unwrap()
    };
    let store = RedbStore::open(scratch.file()).unwrap();
    assert_eq!(store.scan("").unwrap(), before);
    write(&store, vec![put("c", "4")]);
    let newest = before.iter().map(|(_, record)| record.version).max();
    assert!(Some(store.get("c").unwrap().unwrap().version) > newest);
}

#[cfg(unix)]
#[test]
fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;

    let scratch = Scratch::new();
    let _store = RedbStore::open(scratch.file()).unwrap();
    let mode = fs::metadata(scratch.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_file_in_use_is_named() {
    let scratch = Scratch::new();
    let _holder = RedbStore::open(scratch.file()).unwrap();
    let error = RedbStore::open(scratch.file()).err().unwrap();
    assert_eq!(
        error,
        StoreError::Locked {
            file: scratch.file()
        }
    );
    assert!(error.to_string().contains("party.redb is in use"));
}

#[test]
fn a_file_of_something_else_is_refused_and_left_alone() {
    let scratch = Scratch::new();
    fs::create_dir_all(&scratch.0).unwrap();
    fs::write(scratch.file(), b"dear diary").unwrap();
    let error = RedbStore::open(scratch.file()).err().unwrap();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert_eq!(fs::read(scratch.file()).unwrap(), b"dear diary");
}

#[test]
fn a_damaged_file_is_refused() {
    let scratch = Scratch::new();
    {
        let store = RedbStore::open(scratch.file()).unwrap();
        let writes = (0..500).map(|n| put(&format!("k{n:03}"), &"v".repeat(100)));
        write(&store, writes.collect());
    }
    let mut octets = fs::read(scratch.file()).unwrap();
    let victim = octets
        .windows(40)
        .position(|window| window == [b'v'; 40])
        .unwrap();
    octets[victim] ^= 0xFF;
    fs::write(scratch.file(), octets).unwrap();
    let error = RedbStore::open(scratch.file()).err().unwrap();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
}

#[test]
fn another_layout_is_refused() {
    let scratch = Scratch::new();
    drop(RedbStore::open(scratch.file()).unwrap());
    {
        let database = Database::create(scratch.file()).unwrap();
        let transaction = database.begin_write().unwrap();
        let mut meta = transaction.open_table(META).unwrap();
        meta.insert(META_FORMAT, 7).unwrap();
        drop(meta);
        transaction.commit().unwrap();
    }
    let error = RedbStore::open(scratch.file()).err().unwrap();
    let expected = StoreError::Format {
        file: scratch.file(),
        expected: 1,
        got: 7,
    };
    assert_eq!(error, expected);
}

/// The same test binary, started again as a child that commits and prints each number when it is durable, until it is killed.
#[test]
fn what_was_acknowledged_survives_a_kill() {
    const CHILD: &str = "MIDSIM_TEST_STORE";
    if let Some(file) = std::env::var_os(CHILD) {
        let store = RedbStore::open(PathBuf::from(file)).unwrap();
        for n in 0.. {
            write(
                &store,
                vec![put(&format!("n/{n:06}"), "x"), put("last", &n.to_string())],
            );
            println!("\ndurable {n}");
        }
    }
    let scratch = Scratch::new();
    let name = "runtime::store::redb::tests::what_was_acknowledged_survives_a_kill";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, scratch.file())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let acknowledged = output
        .lines()
        .filter_map(|line| {
            line.unwrap()
                .strip_prefix("durable ")?
                .parse::<usize>()
                .ok()
        })
        .find(|n| *n >= 20)
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();

    let store = RedbStore::open(scratch.file()).unwrap();
    let held = store.scan("n/").unwrap();
    assert!(held.len() > acknowledged, "{} > {acknowledged}", held.len());
    let last = value(&store, "last").unwrap();
    let last: usize = std::str::from_utf8(&last).unwrap().parse().unwrap();
    assert_eq!(last + 1, held.len(), "a batch is whole or not there");
}

/// A medium whose flush can be held back, and which can be full.
#[derive(Debug, Clone)]
struct Medium {
    inner: Arc<InMemoryBackend>,
    state: Arc<(Mutex<Gate>, Condvar)>,
}

#[derive(Debug, Default)]
struct Gate {
    shut: bool,
    full: bool,
    waiting: usize,
}

impl Medium {
    fn new() -> Self {
        Self {
            inner: Arc::new(InMemoryBackend::new()),
            state: Arc::default(),
        }
    }

    fn set(&self, change: impl FnOnce(&mut Gate)) {
        change(&mut self.state.0.lock().unwrap());
        self.state.1.notify_all();
    }

    fn wait_for_a_flush(&self) {
        let gate = self.state.0.lock().unwrap();
        drop(
            self.state
                .1
                .wait_while(gate, |gate| gate.waiting == 0)
                .unwrap(),
        );
    }

    fn room(&self) -> io::Result<()> {
        if self.state.0.lock().unwrap().full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl StorageBackend for Medium {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.room()?;
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.room()?;
        let mut gate = self.state.0.lock().unwrap();
        gate.waiting += 1;
        self.state.1.notify_all();
        let mut gate = self.state.1.wait_while(gate, |gate| gate.shut).unwrap();
        gate.waiting -= 1;
        drop(gate);
        self.inner.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.room()?;
        self.inner.write(offset, data)
    }
}

#[test]
fn batches_that_wait_share_one_flush_and_keep_their_order() {
    let medium = Medium::new();
    let store = RedbStore::with_backend(Path::new("medium"), medium.clone()).unwrap();
    let commit = |text: &str| {
        store.commit(Batch {
            writes: vec![put("last", text), put(text, "")],
            ..Batch::default()
        })
    };

    medium.set(|gate| gate.shut = true);
    let first = commit("first");
    medium.wait_for_a_flush();
    assert_eq!(
        value(&store, "first"),
        None,
        "not readable before it is durable"
    );
    let absent = vec![("k/00".to_owned(), Version::ABSENT)];
    let mut others: Vec<_> = (0..100).map(|n| commit(&format!("k/{n:02}"))).collect();
    let late = store.commit(Batch {
        expects: absent,
        writes: vec![put("last", "late")],
        ..Batch::default()
    });
    medium.set(|gate| gate.shut = false);

    others.insert(0, first);
    for commit in others {
        assert_eq!(commit.wait(), Ok(()));
    }
    let key = "k/00".to_owned();
    assert_eq!(
        late.wait(),
        Err(CommitError::Conflict { key }),
        "sees its group"
    );
    assert_eq!(store.transactions(), 2);
    assert_eq!(value(&store, "last").as_deref(), Some(&b"k/99"[..]));
    assert_eq!(store.scan("k/").unwrap().len(), 100);
}

#[test]
fn a_full_disk_is_reported_and_loses_nothing_that_was_durable() {
    let medium = Medium::new();
    let path = Path::new("medium.redb");
    {
        let store = RedbStore::with_backend(path, medium.clone()).unwrap();
        write(&store, vec![put("a", "kept")]);
        medium.set(|gate| gate.full = true);
        let commit = store.commit(Batch {
            writes: vec![put("a", "lost"), put("big", &"x".repeat(100_000))],
            ..Batch::default()
        });
        let file = path.to_owned();
        let full = StoreError::Full { file };
        assert_eq!(commit.wait(), Err(CommitError::Store(full.clone())));
        assert!(
            full.to_string()
                .starts_with("no space left for medium.redb")
        );
        let again = store.commit(Batch {
            writes: vec![put("a", "lost")],
            ..Batch::default()
        });
        assert!(matches!(again.wait(), Err(CommitError::Store(_))));
    }
    medium.set(|gate| gate.full = false);
    let store = RedbStore::with_backend(path, medium).unwrap();
    assert_eq!(value(&store, "a").as_deref(), Some(&b"kept"[..]));
    assert_eq!(value(&store, "big"), None);
}

#[test]
fn a_commit_is_carried_out_even_if_nobody_waits() {
    let medium = Medium::new();
    let store = RedbStore::with_backend(Path::new("medium"), medium.clone()).unwrap();
    drop(store.commit(Batch {
        writes: vec![put("a", "1")],
        ..Batch::default()
    }));
    drop(store);
    let store = RedbStore::with_backend(Path::new("medium"), medium).unwrap();
    assert_eq!(value(&store, "a").as_deref(), Some(&b"1"[..]));
}

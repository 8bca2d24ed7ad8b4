//! What every store must do, run by the tests of each implementation.

use std::thread;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{Batch, CommitError, Record, Scanned, Store, Version, Write};

/// All the single-threaded laws, each on a fresh store.
pub(super) fn hold(fresh: &dyn Fn() -> Box<dyn Store>) {
    an_absent_key_can_be_expected(fresh().as_ref());
    a_stale_version_conflicts_and_nothing_is_written(fresh().as_ref());
    a_version_never_comes_back(fresh().as_ref());
    a_scan_is_sorted_and_bounded_by_its_prefix(fresh().as_ref());
    a_scan_expectation_sees_additions_changes_and_removals(fresh().as_ref());
    a_batch_without_writes_only_checks(fresh().as_ref());
    the_last_write_of_a_key_wins(fresh().as_ref());
    batches_apply_in_the_order_of_the_calls(fresh().as_ref());
    follows_a_plain_map(fresh);
}

/// `threads` writers add one to the same number `times` times each, and to one number of their own in the same batch.
pub(super) fn races(store: &dyn Store, threads: usize, times: usize) {
    thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                for _ in 0..times {
                    while !add_one(store, &["shared", &format!("own/{thread}")]) {}
                }
            });
        }
    });
    assert_eq!(number(store, "shared").1, threads * times);
    for thread in 0..threads {
        assert_eq!(number(store, &format!("own/{thread}")).1, times);
    }
}

fn add_one(store: &dyn Store, keys: &[&str]) -> bool {
    let mut batch = Batch::default();
    for key in keys {
        let (version, value) = number(store, key);
        batch.expects.push(((*key).to_owned(), version));
        batch.writes.push(put(key, &(value + 1).to_string()));
    }
    match store.commit(batch).wait() {
        Ok(()) => true,
        Err(CommitError::Conflict { .. }) => false,
        Err(CommitError::Store(error)) => panic!("{error}"),
    }
}

fn number(store: &dyn Store, key: &str) -> (Version, usize) {
    store
        .get(key)
        .unwrap()
        .map_or((Version::ABSENT, 0), |record| {
            let text = std::str::from_utf8(&record.value).unwrap();
            (record.version, text.parse().unwrap())
        })
}

pub(super) fn put(key: &str, value: &str) -> Write {
    Write::Put {
        key: key.to_owned(),
        value: value.as_bytes().to_vec(),
    }
}

pub(super) fn delete(key: &str) -> Write {
    Write::Delete {
        key: key.to_owned(),
    }
}

pub(super) fn write(store: &dyn Store, writes: Vec<Write>) {
    let batch = Batch {
        writes,
        ..Batch::default()
    };
    store.commit(batch).wait().unwrap();
}

pub(super) fn value(store: &dyn Store, key: &str) -> Option<Bytes> {
    store
        .get(key)
        .unwrap()
        .map(|record| Bytes::copy_from_slice(&record.value))
}

fn version(store: &dyn Store, key: &str) -> Version {
    store
        .get(key)
        .unwrap()
        .map_or(Version::ABSENT, |record| record.version)
}

fn commit_if(
    store: &dyn Store,
    expects: &[(&str, Version)],
    writes: Vec<Write>,
) -> Result<(), CommitError> {
    let expects = expects
        .iter()
        .map(|(key, version)| ((*key).to_owned(), *version))
        .collect();
    let batch = Batch {
        expects,
        writes,
        ..Batch::default()
    };
    store.commit(batch).wait()
}

fn conflict(key: &str) -> Result<(), CommitError> {
    Err(CommitError::Conflict {
        key: key.to_owned(),
    })
}

fn an_absent_key_can_be_expected(store: &dyn Store) {
    let first = commit_if(store, &[("a", Version::ABSENT)], vec![put("a", "1")]);
    assert_eq!(first, Ok(()));
    let second = commit_if(store, &[("a", Version::ABSENT)], vec![put("a", "2")]);
    assert_eq!(second, conflict("a"));
    assert_eq!(value(store, "a").as_deref(), Some(&b"1"[..]));
    assert_ne!(version(store, "a"), Version::ABSENT);
}

fn a_stale_version_conflicts_and_nothing_is_written(store: &dyn Store) {
    write(store, vec![put("a", "1"), put("b", "1")]);
    let (a, b) = (version(store, "a"), version(store, "b"));
    write(store, vec![put("b", "2")]);
    let outcome = commit_if(
        store,
        &[("a", a), ("b", b)],
        vec![put("a", "9"), put("c", "9"), delete("b")],
    );
    assert_eq!(outcome, conflict("b"));
    assert_eq!(value(store, "a").as_deref(), Some(&b"1"[..]));
    assert_eq!(value(store, "b").as_deref(), Some(&b"2"[..]));
    assert_eq!(value(store, "c"), None);
}

fn a_version_never_comes_back(store: &dyn Store) {
    let mut seen = Vec::new();
    for _ in 0..5 {
        write(store, vec![put("a", "same")]);
        seen.push(version(store, "a"));
        write(store, vec![delete("a")]);
        assert_eq!(version(store, "a"), Version::ABSENT);
    }
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
}

fn a_scan_is_sorted_and_bounded_by_its_prefix(store: &dyn Store) {
    let keys = ["job/2", "job/10", "job", "jobs/1", "job/é", "joa/9", "job/"];
    write(store, keys.iter().map(|key| put(key, key)).collect());
    let found = store.scan("job/").unwrap();
    let names: Vec<_> = found.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(names, ["job/", "job/10", "job/2", "job/é"]);
    for (key, record) in &found {
        assert_eq!(store.get(key).unwrap().as_ref(), Some(record));
        assert_eq!(&*record.value, key.as_bytes());
    }
    assert_eq!(store.scan("").unwrap().len(), keys.len());
    assert_eq!(store.scan("job/\u{10FFFF}").unwrap(), []);
}

fn scanned(store: &dyn Store, prefix: &str) -> Scanned {
    let found = store.scan(prefix).unwrap();
    Scanned {
        prefix: prefix.to_owned(),
        seen: found
            .into_iter()
            .map(|(key, Record { version, .. })| (key, version))
            .collect(),
    }
}

fn a_scan_expectation_sees_additions_changes_and_removals(store: &dyn Store) {
    write(store, vec![put("p/1", "1"), put("p/2", "2"), put("q", "1")]);
    let disturb = [put("p/3", "3"), put("p/1", "9"), delete("p/2")];
    for disturbance in disturb {
        let scans = vec![scanned(store, "p/")];
        write(store, vec![disturbance]);
        let batch = Batch {
            scans,
            writes: vec![put("q", "2")],
            ..Batch::default()
        };
        assert_eq!(store.commit(batch).wait(), conflict("p/"));
    }
    let scans = vec![scanned(store, "p/")];
    write(store, vec![put("q", "3"), put("p", "beside")]);
    let batch = Batch {
        scans,
        writes: vec![put("p/4", "4")],
        ..Batch::default()
    };
    assert_eq!(store.commit(batch).wait(), Ok(()));
}

fn a_batch_without_writes_only_checks(store: &dyn Store) {
    write(store, vec![put("a", "1")]);
    let a = version(store, "a");
    let expects = [("a", a), ("b", Version::ABSENT)];
    assert_eq!(commit_if(store, &expects, vec![]), Ok(()));
    assert_eq!(version(store, "a"), a);
    write(store, vec![put("b", "1")]);
    assert_eq!(commit_if(store, &expects, vec![]), conflict("b"));
}

fn the_last_write_of_a_key_wins(store: &dyn Store) {
    write(store, vec![put("a", "1"), delete("a"), put("a", "2")]);
    assert_eq!(value(store, "a").as_deref(), Some(&b"2"[..]));
    write(store, vec![put("a", "3"), delete("a")]);
    assert_eq!(value(store, "a"), None);
}

fn batches_apply_in_the_order_of_the_calls(store: &dyn Store) {
    let pending: Vec<_> = (0..50)
        .map(|n| {
            store.commit(Batch {
                writes: vec![
                    put("last", &n.to_string()),
                    put(&format!("each/{n:02}"), ""),
                ],
                ..Batch::default()
            })
        })
        .collect();
    for commit in pending {
        assert_eq!(commit.wait(), Ok(()));
    }
    assert_eq!(value(store, "last").as_deref(), Some(&b"49"[..]));
    assert_eq!(store.scan("each/").unwrap().len(), 50);
}

/// Against a plain ordered map: random puts, deletes, checks of right and wrong versions, scans.
fn follows_a_plain_map(fresh: &dyn Fn() -> Box<dyn Store>) {
    let mut runner = TestRunner::new(Config {
        cases: 16,
        failure_persistence: None,
        ..Config::default()
    });
    let step = (0..6_u8, 0..5_u8, any::<bool>());
    let steps = proptest::collection::vec(step, 1..40);
    let outcome = runner.run(&steps, |steps| {
        let store = fresh();
        let mut model = std::collections::BTreeMap::new();
        for (serial, (key, action, stale)) in steps.into_iter().enumerate() {
            let key = format!("k{key}");
            let current = version(store.as_ref(), &key);
            let expected = if stale {
                Version(current.0 + 1)
            } else {
                current
            };
            let (change, after) = if action == 0 {
                (delete(&key), None)
            } else {
                let value = format!("{serial}");
                (put(&key, &value), Some(value))
            };
            let outcome = commit_if(store.as_ref(), &[(&key, expected)], vec![change]);
            prop_assert_eq!(outcome.is_err(), stale);
            if !stale {
                model.remove(&key);
                model.extend(after.map(|value| (key, value)));
            }
            let held: Vec<_> = store
                .scan("k")
                .unwrap()
                .into_iter()
                .map(|(key, record)| (key, String::from_utf8(record.value.to_vec()).unwrap()))
                .collect();
            prop_assert_eq!(held, model.clone().into_iter().collect::<Vec<_>>());
        }
        Ok(())
    });
    outcome.unwrap();
}

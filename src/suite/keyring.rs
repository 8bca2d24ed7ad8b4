//! The OP's signing keys: an ES256 key of its own that can be followed by another, and a PS256 key for clients that ask for one.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use op_bridge::{KeySet, Keys, Signer};

use super::StartError;
use super::signer::{BadKey, Es256, Ps256};
use super::stores::{RETIRED_KEYS, SIGNING_KEY};
use crate::runtime::lock;
use crate::runtime::store::{Batch, Record, Store, Version, Write};

/// How long a retired key is published, seconds: as long as an id_token lives, and what it takes clients to notice.
pub(super) const OVERLAP: i64 = 3600;

/// Keys that can follow each other while the OP runs.
pub(super) struct KeyRing {
    deterministic: bool,
    ps256: Arc<dyn Signer>,
    state: Mutex<State>,
    /// One change at a time: the store and the state must end with the same key.
    changing: tokio::sync::Mutex<()>,
}

struct State {
    now: Arc<KeySet>,
    /// The retired ones with the end of their publication, newest first.
    retired: Vec<(Timestamp, Arc<dyn Signer>)>,
}

/// A key that is published and no longer signs, as the store keeps it.
#[derive(Clone, serde::Deserialize, serde::Serialize)]
pub(super) struct Retired {
    /// Until when it is published, seconds since 1970.
    pub(super) until: i64,
    /// The private key, hexadecimal.
    pub(super) key: String,
}

impl KeyRing {
    /// A ring whose ES256 key is `signing`; `retired` are the ones before it.
    pub(super) fn new(
        signing: &[u8],
        retired: &[Retired],
        deterministic: bool,
    ) -> Result<Self, BadKey> {
        let ps256: Arc<dyn Signer> = Arc::new(Ps256::test_only()?);
        let es256 = |key: &[u8]| -> Result<Arc<dyn Signer>, BadKey> {
            Ok(Arc::new(Es256::new(key, deterministic)?))
        };
        let retired = retired
            .iter()
            .map(|old| {
                let until = Timestamp::from_second(old.until).map_err(|_| BadKey)?;
                let key = hex::decode(&old.key).map_err(|_| BadKey)?;
                Ok((until, es256(&key)?))
            })
            .collect::<Result<Vec<_>, BadKey>>()?;
        Ok(Self {
            state: Mutex::new(State::new(es256(signing)?, &ps256, retired)),
            ps256,
            deterministic,
            changing: tokio::sync::Mutex::default(),
        })
    }

    /// `key` signs from now on, and after the next start.
    ///
    /// # Errors
    /// [`StartError`] when it cannot be stored; then the one before goes on.
    pub(super) async fn follow(
        &self,
        store: &dyn Store,
        key: &[u8],
        now: Timestamp,
    ) -> Result<(), StartError> {
        let _one = self.changing.lock().await;
        store_next(store, key, now).await?;
        Ok(self.rotate(key, now)?)
    }

    /// `key` signs from now on; the one before stays published.
    fn rotate(&self, key: &[u8], now: Timestamp) -> Result<(), BadKey> {
        let next: Arc<dyn Signer> = Arc::new(Es256::new(key, self.deterministic)?);
        let mut state = lock(&self.state);
        let mut retired = state.retired.clone();
        retired.retain(|(until, _)| now < *until);
        if let Some(before) = state.now.signing.first() {
            let end = now.checked_add(SignedDuration::from_secs(OVERLAP));
            let until = end.unwrap_or(Timestamp::MAX);
            retired.insert(0, (until, Arc::clone(before)));
        }
        *state = State::new(next, &self.ps256, retired);
        Ok(())
    }
}

/// Writes `key` as the one that signs and the one before as retired.
async fn store_next(store: &dyn Store, key: &[u8], now: Timestamp) -> Result<(), StartError> {
    let signing = format!("config/{SIGNING_KEY}");
    let read = |key: &str| store.get(key);
    let (before, list) = (read(&signing)?, read(RETIRED_KEYS)?);
    let version =
        |record: &Option<Record>| record.as_ref().map_or(Version::ABSENT, |it| it.version);
    let expects = vec![
        (signing.clone(), version(&before)),
        (RETIRED_KEYS.to_owned(), version(&list)),
    ];
    let mut retired: Vec<Retired> = list
        .and_then(|record| serde_json::from_slice(&record.value).ok())
        .unwrap_or_default();
    retired.retain(|old| now.as_second() < old.until);
    if let Some(before) = before {
        let until = now.as_second().saturating_add(OVERLAP);
        let key = hex::encode(&before.value);
        retired.insert(0, Retired { until, key });
    }
    let writes = vec![
        Write::Put {
            key: signing,
            value: key.to_vec(),
        },
        Write::Put {
            key: RETIRED_KEYS.to_owned(),
            // Numbers and texts: nothing that JSON cannot say.
            value: serde_json::to_vec(&retired).unwrap_or_default(),
        },
    ];
    let batch = Batch {
        expects,
        writes,
        ..Batch::default()
    };
    Ok(store.commit(batch).await?)
}

impl State {
    fn new(
        signing: Arc<dyn Signer>,
        ps256: &Arc<dyn Signer>,
        retired: Vec<(Timestamp, Arc<dyn Signer>)>,
    ) -> Self {
        let now = KeySet {
            signing: vec![signing, Arc::clone(ps256)],
            retired: retired.iter().map(|(_, key)| Arc::clone(key)).collect(),
        };
        Self {
            now: Arc::new(now),
            retired,
        }
    }
}

impl Keys for KeyRing {
    fn at(&self, now: Timestamp) -> Arc<KeySet> {
        let state = lock(&self.state);
        if state.retired.iter().all(|(until, _)| now < *until) {
            return Arc::clone(&state.now);
        }
        let live = state.retired.iter().filter(|(until, _)| now < *until);
        Arc::new(KeySet {
            signing: state.now.signing.clone(),
            retired: live.map(|(_, key)| Arc::clone(key)).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future as _;
    use std::task::{Context, Waker};

    use tokio::sync::oneshot;

    use super::*;
    use crate::runtime::store::{CommitError, CommitFuture, MemoryStore, StoreError};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_767_265_200 + second).unwrap()
    }

    fn kids(keys: &[Arc<dyn Signer>]) -> Vec<String> {
        keys.iter().map(|key| key.kid().to_owned()).collect()
    }

    #[test]
    fn a_key_is_published_for_an_hour_after_it_was_followed() {
        let ring = KeyRing::new(&[1; 32], &[], true).unwrap();
        let first = kids(&ring.at(at(0)).signing);
        ring.rotate(&[2; 32], at(10)).unwrap();
        let set = ring.at(at(10 + OVERLAP - 1));
        assert_ne!(kids(&set.signing)[0], first[0]);
        assert_eq!(kids(&set.signing)[1], first[1], "the RSA key stays");
        assert_eq!(kids(&set.retired), [first[0].as_str()]);
        assert!(ring.at(at(10 + OVERLAP)).retired.is_empty());
    }

    #[test]
    fn retired_keys_come_back_after_a_restart() {
        let old = Retired {
            until: at(100).as_second(),
            key: hex::encode([1; 32]),
        };
        let before = KeyRing::new(&[1; 32], &[], true).unwrap();
        let ring = KeyRing::new(&[2; 32], &[old], true).unwrap();
        assert_eq!(
            kids(&ring.at(at(99)).retired),
            kids(&before.at(at(0)).signing)[..1]
        );
        assert!(ring.at(at(100)).retired.is_empty());
    }

    /// Applies at once what it says is done later, the last first.
    #[derive(Default)]
    struct LastFirst {
        store: MemoryStore,
        answers: Mutex<Vec<oneshot::Sender<Result<(), CommitError>>>>,
    }

    impl Store for LastFirst {
        fn get(&self, key: &str) -> Result<Option<Record>, StoreError> {
            self.store.get(key)
        }

        fn scan(&self, prefix: &str) -> Result<Vec<(String, Record)>, StoreError> {
            self.store.scan(prefix)
        }

        fn commit(&self, batch: Batch) -> CommitFuture {
            self.store.commit(batch).wait().unwrap();
            let (answer, answered) = oneshot::channel();
            lock(&self.answers).push(answer);
            CommitFuture::pending(answered, Arc::default())
        }

        fn durable(&self) -> bool {
            true
        }
    }

    #[test]
    fn two_changes_at_once_end_with_the_key_that_is_stored() {
        let store = LastFirst::default();
        let ring = KeyRing::new(&[1; 32], &[], true).unwrap();
        let mut changes = [[2; 32], [3; 32]].map(|key| {
            let (ring, store) = (&ring, &store);
            Box::pin(async move { ring.follow(store, &key, at(10)).await })
        });
        let mut cx = Context::from_waker(Waker::noop());
        let mut done = [false; 2];
        while done != [true; 2] {
            for (change, done) in changes.iter_mut().zip(&mut done) {
                *done = *done || change.as_mut().poll(&mut cx).is_ready();
            }
            if let Some(answer) = lock(&store.answers).pop() {
                answer.send(Ok(())).unwrap();
            }
        }
        let stored = store.get(&format!("config/{SIGNING_KEY}")).unwrap();
        let stored = KeyRing::new(&stored.unwrap().value, &[], true).unwrap();
        assert_eq!(
            kids(&ring.at(at(11)).signing),
            kids(&stored.at(at(11)).signing)
        );
    }
}

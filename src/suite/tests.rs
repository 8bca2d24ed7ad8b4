//! Stores that fail at the worst moment.

use std::sync::atomic::{AtomicBool, Ordering};

use super::stores::Stores;
use super::*;
use crate::rp::{self, Ended, Flow};
use crate::runtime::store::{Batch, CommitError, CommitFuture, Record, Store, StoreError, Write};
use crate::world::Mode;

/// Fails once: at the first record with this kind of key whose octets contain `word`.
struct FailsOnce {
    inner: Arc<dyn Store>,
    kind: &'static str,
    word: &'static str,
    failed: AtomicBool,
}

fn failing(inner: Arc<dyn Store>, kind: &'static str, word: &'static str) -> Arc<dyn Store> {
    Arc::new(FailsOnce {
        inner,
        kind,
        word,
        failed: AtomicBool::new(false),
    })
}

impl Store for FailsOnce {
    fn get(&self, key: &str) -> Result<Option<Record>, StoreError> {
        self.inner.get(key)
    }

    fn scan(&self, prefix: &str) -> Result<Vec<(String, Record)>, StoreError> {
        self.inner.scan(prefix)
    }

    fn commit(&self, batch: Batch) -> CommitFuture {
        let hit = batch.writes.iter().any(|write| {
            matches!(write, Write::Put { key, value } if key.starts_with(self.kind)
                && String::from_utf8_lossy(value).contains(self.word))
        });
        if hit && !self.failed.swap(true, Ordering::Relaxed) {
            return CommitFuture::ready(Err(CommitError::Store(StoreError::Corrupt {
                file: "test".into(),
                detail: "as asked".into(),
            })));
        }
        self.inner.commit(batch)
    }

    fn durable(&self) -> bool {
        self.inner.durable()
    }
}

async fn flow(stores: fn(Stores) -> Stores) -> Ended {
    let mut builder = Suite::builder().frozen_clock();
    builder.stores = stores;
    let suite = builder.start().await.unwrap();
    let port = suite.rp_port();
    let wanted = Flow {
        issuer: suite.op_url(),
        client_id: "poll".into(),
        client_secret: "poll-secret".into(),
        mode: Mode::Poll,
        login_hint: "+447700900002".into(),
        acr_values: "mod-mf".into(),
        scope: "openid".into(),
        binding_message: None,
        requested_expiry: None,
        notification_token: String::new(),
    };
    let jumping = async {
        loop {
            suite.clock().jump_to_next().await;
            tokio::task::yield_now().await;
        }
    };
    let ended = tokio::select! {
        biased;
        ended = rp::run(port.as_ref(), &wanted) => ended,
        () = jumping => unreachable!("it never ends"),
    };
    suite.shutdown().await;
    ended
}

#[tokio::test]
async fn an_answer_that_the_platform_could_not_store_is_not_acknowledged_and_comes_again() {
    let ended = flow(|stores| Stores {
        ota: failing(stores.ota, "job/", "answered"),
        ..stores
    })
    .await;
    assert!(matches!(ended, Ended::Tokens(_)), "{ended:?}");
}

#[tokio::test]
async fn a_card_whose_journal_fails_goes_on_from_what_is_written() {
    let ended = flow(|stores| Stores {
        sim: failing(stores.sim, "card/", ""),
        ..stores
    })
    .await;
    assert!(matches!(ended, Ended::Tokens(_)), "{ended:?}");
}

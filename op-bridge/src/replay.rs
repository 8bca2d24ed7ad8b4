//! What may be used once: the jti of assertions and request objects, kept until they could not be used anyway.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::context::Context;
use crate::jose::jwt::SKEW;
use crate::step::Change;

/// It was used before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Replayed;

/// Remembers that a client used this jti until `exp`. Two requests at the same moment both read that it is new, and only one of
/// them commits.
pub(crate) fn once(
    cx: &mut Context<'_>,
    kind: &str,
    client: &str,
    jti: &str,
    exp: i64,
) -> Result<(), Replayed> {
    let mut hash = Sha256::new();
    for part in [kind, client, jti] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let key = key(&hex::encode(hash.finalize()));
    if cx.view.get(&key).is_some() {
        return Err(Replayed);
    }
    let until = Timestamp::from_second(exp + SKEW).unwrap_or(Timestamp::MAX);
    cx.timer(key.clone(), Some(until));
    cx.change(Change::Used(key));
    Ok(())
}

/// Its time is over.
pub(crate) fn expiry_timer(cx: &mut Context<'_>, rest: &str) {
    cx.change(Change::ForgetUsed(key(rest)));
}

fn key(hash: &str) -> String {
    format!("jti/{hash}")
}

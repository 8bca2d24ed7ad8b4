//! The OP's signing keys, and how one follows another.
//!
//! A key that no longer signs stays published until whatever it signed has run out (OpenID Connect Core §10.1.1), so that a
//! client which holds the old signature can still check it, and one that meets a new `kid` fetches the set again.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::jose::{self, Algorithm, Signer};

/// The keys of one instant.
#[derive(Clone, Default)]
pub struct KeySet {
    /// Those that sign, the OP's own choice first; at most one for each algorithm.
    pub signing: Vec<Arc<dyn Signer>>,
    /// Those that have signed before and are still published.
    pub retired: Vec<Arc<dyn Signer>>,
}

impl KeySet {
    /// A set of one key.
    pub fn of(signer: Arc<dyn Signer>) -> Self {
        Self {
            signing: vec![signer],
            retired: Vec::new(),
        }
    }

    /// The key that signs with `algorithm`; the first without a wish.
    pub fn signer(&self, algorithm: Option<Algorithm>) -> Option<&Arc<dyn Signer>> {
        match algorithm {
            None => self.signing.first(),
            Some(wanted) => self.signing.iter().find(|key| key.algorithm() == wanted),
        }
    }

    /// The algorithms that it can sign with, in its order.
    pub(crate) fn algorithms(&self) -> Vec<&'static str> {
        let keys = self.signing.iter();
        keys.map(|key| key.algorithm().as_str()).collect()
    }

    /// The signature keys of the document behind jwks_uri.
    pub(crate) fn jwks(&self) -> Vec<Value> {
        let keys = self.signing.iter().chain(&self.retired);
        keys.map(|key| jose::jwk(key.as_ref())).collect()
    }
}

/// Where the OP's signing keys come from. Asked at every step, so that keys can follow each other while the OP runs.
pub trait Keys: Send + Sync {
    /// The keys at this instant.
    fn at(&self, now: Timestamp) -> Arc<KeySet>;
}

/// Keys that stay.
impl Keys for Arc<KeySet> {
    fn at(&self, _: Timestamp) -> Arc<KeySet> {
        Self::clone(self)
    }
}

/// A signed JWT of the kind that the client asked for, or of the OP's own choice.
pub(crate) fn sign(keys: &KeySet, algorithm: Option<Algorithm>, claims: &[u8]) -> Option<String> {
    let signer = keys.signer(algorithm).or_else(|| keys.signer(None))?;
    Some(jose::sign(signer.as_ref(), claims))
}

/// The document behind jwks_uri.
pub(crate) fn document(keys: &KeySet) -> Value {
    json!({ "keys": keys.jwks() })
}

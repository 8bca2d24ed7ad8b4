//! The discovery service of a suite, and the keys of the OP that it encrypts for.

use std::sync::Arc;

use op_bridge::discovery::Discovery;
use op_bridge::{DecryptionKey, JwkSet};

use super::signer::{self, Es256};
use super::stores::Stores;
use super::{Places, StartError};
use crate::runtime::chance::Chance;

/// The private key that everybody can read: it saves every start the time that finding two primes takes.
const TEST_ONLY: &str = include_str!("../../fixtures/keys/op-encryption-rsa-TEST-ONLY.pem");

/// Private keys of the OP and of the discovery service.
pub(super) struct Keys {
    /// What login_hint_tokens are encrypted for: a P-256 key of this installation, an RSA key that comes with midsim.
    pub(super) decryption: Vec<DecryptionKey>,
    signing: Vec<u8>,
}

impl Keys {
    /// Those of this installation, made when it has none yet.
    pub(super) fn load(stores: &Stores, chance: &Chance) -> Result<Self, StartError> {
        let chance = chance.branch("discovery-keys");
        let new = || signer::new_key(&mut chance.generator()).to_vec();
        let encryption = stores.secret("encryption-key", new)?;
        Ok(Self {
            decryption: vec![
                DecryptionKey::p256(&encryption)?,
                DecryptionKey::rsa_pem(TEST_ONLY)?,
            ],
            signing: stores.secret("discovery-key", new)?,
        })
    }

    /// The service.
    pub(super) fn service(
        &self,
        places: &Places,
        deterministic: bool,
    ) -> Result<Discovery, StartError> {
        let op_keys = self.decryption.iter().map(DecryptionKey::public).collect();
        Ok(Discovery {
            issuer: places.discovery.clone(),
            op: places.issuer.clone(),
            op_keys: JwkSet(op_keys),
            signer: Arc::new(Es256::new(&self.signing, deterministic)?),
        })
    }
}

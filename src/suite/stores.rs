//! The stores of the parties, and what the suite itself keeps there.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use super::keyring::Retired;
use super::signer::{self, BadKey};
use super::{Serves, StartError};
use crate::authority::Authority;
use crate::runtime::chance::Chance;
use crate::runtime::store::{Batch, MemoryStore, RedbStore, Store, Write};
use crate::sockets::tls::Identity;

/// Whom the OP's client certificate names.
const OP_NAME: &str = "midsim OP";
/// Records of the OP's keys.
pub(super) const SIGNING_KEY: &str = "signing-key";
pub(super) const RETIRED_KEYS: &str = "config/retired-keys";

/// Where the parties keep their records: one store each.
pub(super) struct Stores {
    pub(super) op: Arc<dyn Store>,
    pub(super) mssp: Arc<dyn Store>,
    pub(super) ota: Arc<dyn Store>,
    pub(super) smsc: Arc<dyn Store>,
    pub(super) sim: Arc<dyn Store>,
}

impl Stores {
    /// A process that serves no SIMs keeps none: those in its world are another one's.
    pub(super) fn open(dir: Option<&Path>, serves: Serves) -> Result<Self, StartError> {
        if let Some(dir) = dir {
            std::fs::create_dir_all(dir).map_err(|why| StartError::DataDir {
                dir: dir.to_owned(),
                why,
            })?;
        }
        let open = |name: &str| -> Result<Arc<dyn Store>, StartError> {
            Ok(match dir {
                None => Arc::new(MemoryStore::new()),
                Some(dir) => Arc::new(RedbStore::open(dir.join(format!("{name}.redb")))?),
            })
        };
        Ok(Self {
            op: open("op")?,
            mssp: open("mssp")?,
            ota: open("ota")?,
            smsc: open("smsc")?,
            sim: match serves.sims() {
                true => open("sim")?,
                false => Arc::new(MemoryStore::new()),
            },
        })
    }

    /// What tells that each of them is closed.
    pub(super) fn closed(&self) -> Vec<watch::Receiver<()>> {
        [&self.op, &self.mssp, &self.ota, &self.smsc, &self.sim]
            .into_iter()
            .filter_map(|store| store.closed())
            .collect()
    }

    /// The signing keys that were followed by others.
    pub(super) fn retired_keys(&self) -> Result<Vec<Retired>, StartError> {
        let Some(record) = self.op.get(RETIRED_KEYS)? else {
            return Ok(Vec::new());
        };
        serde_json::from_slice(&record.value).map_err(|_| BadKey.into())
    }

    /// The test CA of this installation. Its key draws from a source of its own.
    pub(super) fn authority(&self, chance: &Chance) -> Result<Authority, StartError> {
        let chance = chance.branch("authority");
        let key = self.secret("authority-key", || {
            signer::new_key(&mut chance.generator()).to_vec()
        })?;
        Ok(Authority::new(&key)?)
    }

    /// Who the OP is at the MSSP. Its key is drawn as the test CA's, and known to this installation alone.
    pub(super) fn op_client(
        &self,
        chance: &Chance,
        authority: &Authority,
    ) -> Result<Identity, StartError> {
        let chance = chance.branch("op-client");
        let key = self.secret("op-client-key", || {
            signer::new_key(&mut chance.generator()).to_vec()
        })?;
        Ok(authority.client(OP_NAME, &key)?)
    }

    /// A secret of the OP that is made once and kept with its records.
    pub(super) fn secret(
        &self,
        name: &str,
        make: impl FnOnce() -> Vec<u8>,
    ) -> Result<Vec<u8>, StartError> {
        let key = format!("config/{name}");
        if let Some(record) = self.op.get(&key)? {
            return Ok(record.value.to_vec());
        }
        let value = make();
        let writes = vec![Write::Put {
            key,
            value: value.clone(),
        }];
        self.op
            .commit(Batch {
                writes,
                ..Batch::default()
            })
            .wait()?;
        Ok(value)
    }
}

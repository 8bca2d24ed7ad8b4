//! A whole midsim in one process: what the binary runs, and what a test runs.
//!
//! ```no_run
//! # async fn example() -> Result<(), midsim::suite::StartError> {
//! let suite = midsim::Suite::builder().start().await?;
//! println!("the OP is at {}", suite.op_url());
//! suite.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod config;
mod decide;
mod discovery;
mod external;
mod in_process;
mod keyring;
mod readers;
mod receiver;
mod running;
mod signer;
mod sim;
mod tls;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use ota_wire::secret::Secret;
use tokio::sync::watch;

pub use self::config::OpSwitches;
pub(crate) use self::config::key_version;
pub use self::decide::{Decision, DecisionError};
pub use self::external::{Reader, ReaderFailure};
pub use self::in_process::InProcessSuite;
use self::keyring::{KeyRing, Retired};
pub use self::readers::{AttachError, Attached};
pub use self::running::{Handle, Running, Urls};
pub use self::signer::BadKey;
pub use self::sim::{CardView, MenuView, Place, SelectError, Sim};
pub use self::tls::{TlsOptions, TlsService};
use crate::authority::Authority;
pub use crate::control::{BadHost, HostName};
use crate::runtime::chance::{Chance, NoChance};
use crate::runtime::clock::Clock;
use crate::runtime::party::{Driver, HandleError};
use crate::runtime::store::{Batch, CommitError, MemoryStore, RedbStore, Store, StoreError, Write};
use crate::sockets::addresses::Network;
use crate::sockets::ports::{PortError, Ports};
use crate::sockets::tls::{Identity, TlsError};
pub use crate::wiring::Serves;
use crate::wiring::steps::{MsspParty, OpParty, PlatformParty, SmscParty};
use crate::wiring::{Humans, Parties, Phones};
use crate::world::World;

/// The entry to the library.
#[derive(Debug)]
pub struct Suite;

impl Suite {
    /// A suite of the default world, on free ports, in memory, on the real clock.
    pub fn builder() -> Builder {
        Builder::new(World::default())
    }
}

/// How the MSSP tells the OP of the outcome (MessagingMode of TS 102 204).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub enum MssMode {
    /// The OP asks by MSS_StatusQuery.
    AsynchClientServer,
    /// The MSSP sends MSS_Notification.
    #[default]
    AsynchServerServer,
    /// The answer to MSS_Signature waits for the user.
    Synch,
}

/// What a suite is made of.
#[derive(Clone, Debug)]
pub struct Builder {
    world: World,
    ports: Ports,
    seed: Option<u64>,
    frozen: bool,
    data_dir: Option<PathBuf>,
    humans: Humans,
    mss: MssMode,
    mac_3des: bool,
    /// For stores that fail.
    #[cfg(test)]
    stores: fn(Stores) -> Stores,
    mssp_url: Option<String>,
    ota_url: Option<String>,
    serves: Serves,
    op: OpSwitches,
    admin_token: Option<Secret>,
    hosts: Vec<HostName>,
    notify: Vec<Network>,
    tls: TlsOptions,
}

/// Why a suite did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No random octets.
    #[error(transparent)]
    Chance(#[from] NoChance),
    /// The data directory cannot be made.
    #[error("data directory {}: {why}", dir.display())]
    DataDir {
        /// Which folder.
        dir: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
    /// The configuration of the OP contradicts itself.
    #[error(transparent)]
    Op(#[from] op_bridge::ConfigError),
    /// A client of the world cannot be registered.
    #[error("client {id} of the world: {why}")]
    Client {
        /// client_id.
        id: String,
        /// What is wrong with its metadata.
        why: op_bridge::Invalid,
    },
    /// Keys of a discovery service of the world cannot be used.
    #[error("op.hints.issuer {iss} of the world: its jwks cannot be used: {why}")]
    HintIssuer {
        /// Its name.
        iss: String,
        /// What is wrong.
        why: op_bridge::JwkError,
    },
    /// It is not said where keys of a discovery service of the world are, or it is said twice.
    #[error(
        "op.hints.issuer {0} of the world: give either jwks, its keys, or jwks_uri, an http or https URL where they are"
    )]
    HintIssuerKeys(String),
    /// A private key of the OP is damaged.
    #[error("the OP's encryption key: {0}")]
    EncryptionKey(#[from] op_bridge::BadPrivateKey),
    /// A port cannot be had.
    #[error(transparent)]
    Port(#[from] PortError),
    /// A store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record cannot be written.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// What the last process left cannot be read.
    #[error(transparent)]
    Recover(#[from] HandleError),
    /// system_id or password do not fit SMPP.
    #[error("SMPP credentials of the world: {0}")]
    Smpp(#[from] ota::smpp::FieldError),
    /// The stored signing key is damaged.
    #[error(transparent)]
    Key(#[from] BadKey),
    /// TLS cannot be had as configured.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The OTA platform cannot be called there.
    #[error("{url:?} is no URL of an OTA platform; write it as http://127.0.0.1:8248")]
    OtaUrl {
        /// What was given.
        url: String,
    },
    /// The system refuses something.
    #[error("{what}: {why}")]
    System {
        /// What was tried.
        what: String,
        /// What the system says.
        why: std::io::Error,
    },
}

impl StartError {
    /// Whether another configuration would help.
    pub fn is_configuration(&self) -> bool {
        matches!(
            self,
            Self::DataDir { .. }
                | Self::Client { .. }
                | Self::HintIssuer { .. }
                | Self::HintIssuerKeys(_)
                | Self::Op(_)
                | Self::Port(_)
                | Self::OtaUrl { .. }
                | Self::Smpp(_)
                | Self::Tls(TlsError::File { .. } | TlsError::Server(_))
        )
    }
}

/// Where the parties find each other, and what they call themselves.
struct Places {
    /// The OP's issuer.
    issuer: String,
    /// The OP behind mutual TLS, where there is one.
    mutual_tls: Option<String>,
    /// Where the MSSP rings, when it is not under the issuer.
    notify_url: Option<String>,
    /// The discovery service.
    discovery: String,
    /// SOAP endpoint of the MSSP.
    mssp: String,
    /// Where notifications of clients without an endpoint of their own go.
    receiver: String,
}

impl Builder {
    /// A suite of this world.
    pub fn new(world: World) -> Self {
        Self {
            world,
            ports: Ports::free(),
            seed: None,
            frozen: false,
            data_dir: None,
            humans: Humans::Approve,
            mss: MssMode::default(),
            mac_3des: false,
            #[cfg(test)]
            stores: |stores| stores,
            mssp_url: None,
            ota_url: None,
            serves: Serves::ALL,
            op: OpSwitches::default(),
            admin_token: None,
            hosts: Vec::new(),
            notify: Vec::new(),
            tls: TlsOptions::default(),
        }
    }

    /// Listens on these ports.
    #[must_use]
    pub fn ports(mut self, ports: Ports) -> Self {
        self.ports = ports;
        self
    }

    /// Draws all chance from one seed. For tests: whoever knows the seed knows every secret.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Lets the clock stand until it is moved.
    #[must_use]
    pub fn frozen_clock(mut self) -> Self {
        self.frozen = true;
        self
    }

    /// Keeps everything in this folder.
    #[must_use]
    pub fn data_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(dir.into());
        self
    }

    /// Whether people are asked or approve.
    #[must_use]
    pub fn humans(mut self, humans: Humans) -> Self {
        self.humans = humans;
        self
    }

    /// MessagingMode that the OP asks for.
    #[must_use]
    pub fn mss_mode(mut self, mss: MssMode) -> Self {
        self.mss = mss;
        self
    }

    /// The OP asks for the signature profile whose MAC is 3DES.
    #[must_use]
    pub fn mac_3des(mut self, on: bool) -> Self {
        self.mac_3des = on;
        self
    }

    /// The OP calls this SOAP endpoint instead of the suite's own MSSP: a proxy before it, or somebody else's.
    #[must_use]
    pub fn mssp_url(mut self, url: impl Into<String>) -> Self {
        self.mssp_url = Some(url.into());
        self
    }

    /// Only these parties; the others are somewhere else. Nobody listens for those.
    #[must_use]
    pub fn serve(mut self, serves: Serves) -> Self {
        self.serves = serves;
        self
    }

    /// Where the OTA platform's HTTP API is, for an MSSP without one in its process. The admin token, if there is one, goes along.
    #[must_use]
    pub fn ota_url(mut self, url: impl Into<String>) -> Self {
        self.ota_url = Some(url.into());
        self
    }

    /// Switches of the OP.
    #[must_use]
    pub fn op(mut self, switches: OpSwitches) -> Self {
        self.op = switches;
        self
    }

    /// Asks for this token at the page and the control API. Without one, only loopback can be listened on.
    #[must_use]
    pub fn admin_token(mut self, token: Secret) -> Self {
        self.admin_token = Some(token);
        self
    }

    /// Lets the parties call addresses of this network, besides loopback and public ones.
    #[must_use]
    pub fn allow_notify(mut self, network: Network) -> Self {
        self.notify.push(network);
        self
    }

    /// Another name under which the page and the control API may be called. Where others can reach us, the first one also
    /// names us in [`Urls`] and in the OP's issuer.
    #[must_use]
    pub fn allow_host(mut self, host: HostName) -> Self {
        self.hosts.push(host);
        self
    }

    /// Which ports speak TLS, and with what.
    #[must_use]
    pub fn tls(mut self, options: TlsOptions) -> Self {
        self.tls = options;
        self
    }

    /// Starts everything on sockets.
    ///
    /// # Errors
    /// [`StartError`], naming what to change.
    pub async fn start(self) -> Result<Running, StartError> {
        running::start(self).await
    }

    /// Makes everything on one thread, on a clock that stands.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn in_process(self) -> Result<InProcessSuite, StartError> {
        in_process::make(self)
    }

    fn chance(&self) -> Result<Chance, StartError> {
        Ok(match self.seed {
            Some(seed) => Chance::seeded(seed),
            None => Chance::system()?,
        })
    }

    /// A seeded run on a standing clock begins at the same instant every time.
    fn clock(&self, frozen: bool) -> Clock {
        match (frozen, self.seed) {
            (false, _) => Clock::real(),
            (true, None) => Clock::frozen_now(),
            (true, Some(_)) => Clock::frozen(SEEDED_START),
        }
    }

    fn stores(&self) -> Result<Stores, StartError> {
        let stores = Stores::open(self.data_dir.as_deref())?;
        #[cfg(test)]
        let stores = (self.stores)(stores);
        Ok(stores)
    }

    /// The parties, over their stores.
    fn parties(
        &self,
        clock: Clock,
        chance: Chance,
        places: Places,
        stores: Stores,
        authority: &Authority,
    ) -> Result<Made, StartError> {
        // The request's Host does not say whether it came over TLS.
        let mssp_own = places.mssp.strip_suffix("/soap").map(str::to_owned);
        let mssp_base = mssp_own.clone().filter(|base| base.starts_with("https:"));
        let world = Arc::new(self.world.clone());
        let signing = stores.secret(SIGNING_KEY, || {
            signer::new_key(&mut chance.generator()).to_vec()
        })?;
        let retired = stores.retired_keys()?;
        let subject = stores.secret("subject-key", || {
            let mut key = [0; 32];
            rand_core::Rng::fill_bytes(&mut chance.generator(), &mut key);
            key.to_vec()
        })?;
        let keys = Arc::new(KeyRing::new(&signing, &retired, self.seed.is_some())?);
        let hints = discovery::Keys::load(&stores, &chance)?;
        let discovery = hints.service(&places, self.seed.is_some())?;
        let op = config::op(
            &world,
            config::OpSettings {
                places: Places {
                    mssp: self.mssp_url.clone().unwrap_or(places.mssp),
                    ..places
                },
                switches: self.op,
                messaging: match self.mss {
                    MssMode::AsynchClientServer => op_bridge::MessagingMode::AsynchClientServer,
                    MssMode::AsynchServerServer => op_bridge::MessagingMode::AsynchServerServer,
                    MssMode::Synch => op_bridge::MessagingMode::Synch,
                },
                mac_3des: self.mac_3des,
                keys: keys.clone(),
                decryption: hints.decryption,
                hint_issuer: discovery.as_hint_issuer(),
                subject_key: op_bridge::Secret::new(hex::encode(subject)),
            },
        )?;
        let subscribers = Arc::new(authority.subscribers(world.clone())?);
        let shown = stores.op_client(&chance, authority)?;
        let shown = shown.certificate().map(|der| Bytes::copy_from_slice(der));
        let mut mssp = config::mssp(&world, subscribers, shown.unwrap_or_default());
        mssp.base_url = mssp_base;
        mssp.own_url = mssp_own;
        let driver = |name: &str| chance.branch(name);
        let parties = Parties::new(
            Driver::new(
                OpParty(op_bridge::Op::new(op)?),
                stores.op,
                clock.clone(),
                driver("op"),
            ),
            Driver::new(
                MsspParty(mssp::Mssp::new(mssp)),
                stores.mssp,
                clock.clone(),
                driver("mssp"),
            ),
            Driver::new(
                PlatformParty(ota::platform::Platform::new(config::platform(&world))),
                stores.ota,
                clock.clone(),
                driver("ota"),
            ),
            Driver::new(
                SmscParty(ota::smsc::Smsc::new(config::smsc(&world))),
                stores.smsc,
                clock.clone(),
                driver("smsc"),
            ),
            Phones::new(world, stores.sim, clock.clone(), driver("sim"), self.humans),
            clock,
            self.serves,
        );
        Ok(Made {
            parties: Arc::new(parties),
            keys,
            discovery: Arc::new(discovery),
        })
    }
}

/// What a suite consists of, without its sockets.
struct Made {
    parties: Arc<Parties>,
    keys: Arc<KeyRing>,
    discovery: Arc<op_bridge::discovery::Discovery>,
}

/// Whom the OP's client certificate names.
const OP_NAME: &str = "midsim OP";
/// Records of the OP's keys.
const SIGNING_KEY: &str = "signing-key";
const RETIRED_KEYS: &str = "config/retired-keys";

/// When a seeded run begins.
const SEEDED_START: Timestamp = Timestamp::constant(1_767_265_200, 0);

/// Where the parties keep their records: one store each.
struct Stores {
    op: Arc<dyn Store>,
    mssp: Arc<dyn Store>,
    ota: Arc<dyn Store>,
    smsc: Arc<dyn Store>,
    sim: Arc<dyn Store>,
}

impl Stores {
    fn open(dir: Option<&Path>) -> Result<Self, StartError> {
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
            sim: open("sim")?,
        })
    }

    /// What tells that each of them is closed.
    fn closed(&self) -> Vec<watch::Receiver<()>> {
        [&self.op, &self.mssp, &self.ota, &self.smsc, &self.sim]
            .into_iter()
            .filter_map(|store| store.closed())
            .collect()
    }

    /// The signing keys that were followed by others.
    fn retired_keys(&self) -> Result<Vec<Retired>, StartError> {
        let Some(record) = self.op.get(RETIRED_KEYS)? else {
            return Ok(Vec::new());
        };
        serde_json::from_slice(&record.value).map_err(|_| BadKey.into())
    }

    /// The test CA of this installation. Its key draws from a source of its own.
    fn authority(&self, chance: &Chance) -> Result<Authority, StartError> {
        let chance = chance.branch("authority");
        let key = self.secret("authority-key", || {
            signer::new_key(&mut chance.generator()).to_vec()
        })?;
        Ok(Authority::new(&key)?)
    }

    /// Who the OP is at the MSSP. Its key is drawn as the test CA's, and known to this installation alone.
    fn op_client(&self, chance: &Chance, authority: &Authority) -> Result<Identity, StartError> {
        let chance = chance.branch("op-client");
        let key = self.secret("op-client-key", || {
            signer::new_key(&mut chance.generator()).to_vec()
        })?;
        Ok(authority.client(OP_NAME, &key)?)
    }

    /// A secret of the OP that is made once and kept with its records.
    fn secret(&self, name: &str, make: impl FnOnce() -> Vec<u8>) -> Result<Vec<u8>, StartError> {
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

#[cfg(test)]
mod tests;

//! What a suite is made of, and how it is put together.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use ota_wire::secret::Secret;

use super::keyring::KeyRing;
use super::stores::{SIGNING_KEY, Stores};
use super::{
    HostName, InProcessSuite, Made, MssMode, OpSwitches, Places, Running, Serves, StartError,
    TlsOptions, config, discovery, in_process, running, signer,
};
use crate::authority::Authority;
use crate::runtime::chance::Chance;
use crate::runtime::clock::Clock;
use crate::runtime::party::Driver;
use crate::sockets::addresses::Network;
use crate::sockets::ports::Ports;
use crate::wiring::steps::{MsspParty, OpParty, PlatformParty, SmscParty};
use crate::wiring::{Humans, Parties, Phones};
use crate::world::World;

/// What a suite is made of.
#[derive(Clone, Debug)]
pub struct Builder {
    pub(super) world: World,
    pub(super) ports: Ports,
    pub(super) seed: Option<u64>,
    pub(super) frozen: bool,
    pub(super) data_dir: Option<PathBuf>,
    pub(super) humans: Humans,
    pub(super) mss: MssMode,
    pub(super) mac_3des: bool,
    /// For stores that fail.
    #[cfg(test)]
    pub(super) stores: fn(Stores) -> Stores,
    pub(super) mssp_url: Option<String>,
    pub(super) ota_url: Option<String>,
    pub(super) serves: Serves,
    pub(super) op: OpSwitches,
    pub(super) admin_token: Option<Secret>,
    pub(super) hosts: Vec<HostName>,
    pub(super) notify: Vec<Network>,
    pub(super) tls: TlsOptions,
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
    /// names us in [`Urls`](super::Urls) and in the OP's issuer.
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

    pub(super) fn chance(&self) -> Result<Chance, StartError> {
        Ok(match self.seed {
            Some(seed) => Chance::seeded(seed),
            None => Chance::system()?,
        })
    }

    /// A seeded run on a standing clock begins at the same instant every time.
    pub(super) fn clock(&self, frozen: bool) -> Clock {
        match (frozen, self.seed) {
            (false, _) => Clock::real(),
            (true, None) => Clock::frozen_now(),
            (true, Some(_)) => Clock::frozen(SEEDED_START),
        }
    }

    pub(super) fn stores(&self) -> Result<Stores, StartError> {
        let stores = Stores::open(self.data_dir.as_deref(), self.serves)?;
        #[cfg(test)]
        let stores = (self.stores)(stores);
        Ok(stores)
    }

    /// The parties, over their stores.
    pub(super) fn parties(
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

/// When a seeded run begins.
const SEEDED_START: Timestamp = Timestamp::constant(1_767_265_200, 0);

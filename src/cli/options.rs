//! Options that several commands share. Every one of them can also stand in the environment and, with few exceptions, in
//! `midsim.toml` (see [`super::config`]).

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use ota_wire::keys::Family;
use ota_wire::secret::Secret;

use super::SWITCH;
use crate::cards::CardProfileError;
use crate::sockets::addresses::Network;
use crate::sockets::ports::{PortError, Ports, Service};
use crate::suite::{Builder, HostName, MssMode, OpSwitches, TlsOptions, TlsService};
use crate::world::{World, WorldError};

/// Shown by the commands that read `midsim.toml`.
pub(super) const CONFIGURATION: &str = "\
Configuration:
  A flag wins over its variable MIDSIM_..., that over midsim.toml, that over the default.
  midsim.toml is read from the current folder, or from --config FILE. Its keys are named like the flags,
  with underscores; relative paths in it start at its folder. All of them:

    seed = 7                 listen = \"127.0.0.1\"     [ports]
    mss = \"synch\"            port_base = 9220         ui = 8221
    keys = \"3des\"            ports_file = \"p.json\"
    any_number = true        data_dir = \"state\"       [op]
    frozen = false           allow_host = [\"sim\"]     profile = \"modrna\"
    no_human = false         admin_token_file = \"t\"   unknown_user = \"reject\"
    card_profile = \"c.toml\"                         authenticator = \"mssp\"
    allow_weak_cards = true                         interval = 5
    allow_notify = [\"10.0.0.0/8\"]                 slow_down = true
    mssp_url = \"http://h:8204/soap\"                 poll_hold = 0
    ota_url = \"http://h:8248\"                       expires_in = 120
                                                    refresh_tokens = false
    [world]
    path = \"world.toml\"

    [tls]
    services = [\"op\", \"mssp\"]
    cert = \"server.pem\"
    key = \"server.key\"
    client_ca = [\"clients.pem\"]
    trust = [\"servers.pem\"]";

/// The variable that holds the admin token itself. There is no flag for it: everybody sees the flags of a process.
pub(super) const ADMIN_TOKEN: &str = "MIDSIM_ADMIN_TOKEN";

/// Options that say which world to load.
#[derive(Args, Clone, Debug)]
pub(super) struct WorldOptions {
    /// World file instead of the built-in one (`fixtures/world.toml` shows the format)
    #[arg(long, value_name = "FILE", env = "MIDSIM_WORLD")]
    world: Option<PathBuf>,
    /// Make a subscriber of every number that is used
    #[arg(long, env = "MIDSIM_ANY_NUMBER", value_name = SWITCH)]
    any_number: bool,
    /// Card profile instead of the built-in one (`fixtures/profiles/default.toml` shows the format)
    #[arg(long, value_name = "FILE", env = "MIDSIM_CARD_PROFILE")]
    card_profile: Option<PathBuf>,
    /// Take a card profile with known weaknesses, for scanners and training
    #[arg(long, env = "MIDSIM_ALLOW_WEAK_CARDS", value_name = SWITCH)]
    allow_weak_cards: bool,
}

/// Options of every command that starts a suite.
#[derive(Args, Clone, Debug)]
pub(super) struct SuiteOptions {
    /// Draw all chance from this seed
    #[arg(long, value_name = "N", env = "MIDSIM_SEED")]
    pub(super) seed: Option<u64>,
    /// How the MSSP tells the OP
    #[arg(long, value_enum, value_name = "MODE", default_value_t = MssMode::AsynchServerServer, env = "MIDSIM_MSS")]
    mss: MssMode,
    /// Keys of the SIMs, and of the applet's MAC
    #[arg(long, value_enum, value_name = "FAMILY", default_value_t = Keys::Aes, env = "MIDSIM_KEYS")]
    keys: Keys,
    #[command(flatten)]
    op: OpOptions,
    #[command(flatten)]
    tls: TlsArguments,
}

/// TLS, and whom it trusts.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Options of TLS")]
struct TlsArguments {
    /// Speak TLS on these ports too: op, mssp. The OP's port for mutual TLS speaks it anyway
    #[arg(
        long,
        value_enum,
        value_name = "SERVICE",
        value_delimiter = ',',
        env = "MIDSIM_TLS"
    )]
    tls: Vec<TlsService>,
    /// Certificate chain of all servers, PEM, instead of one of the test CA; its key must be RSA
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_key",
        env = "MIDSIM_TLS_CERT"
    )]
    tls_cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_cert",
        env = "MIDSIM_TLS_KEY"
    )]
    tls_key: Option<PathBuf>,
    /// Take client certificates of this authority for trusted, besides those of the test CA. Can be repeated
    #[arg(
        long,
        value_name = "FILE",
        value_delimiter = ',',
        env = "MIDSIM_TLS_CLIENT_CA"
    )]
    tls_client_ca: Vec<PathBuf>,
    /// Call servers with certificates of this authority, besides those of the test CA. Can be repeated
    #[arg(
        long,
        value_name = "FILE",
        value_delimiter = ',',
        env = "MIDSIM_TLS_TRUST"
    )]
    tls_trust: Vec<PathBuf>,
}

impl TlsArguments {
    fn options(&self) -> TlsOptions {
        TlsOptions {
            services: self.tls.iter().copied().collect(),
            identity: self.tls_cert.clone().zip(self.tls_key.clone()),
            client_authorities: self.tls_client_ca.clone(),
            trusted: self.tls_trust.clone(),
        }
    }
}

/// Switches of the OP.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Options of the OP")]
struct OpOptions {
    /// Rules beyond CIBA Core: MODRNA's profile asks for acr_values
    #[arg(long, value_enum, value_name = "PROFILE", default_value_t = Profile::Modrna, env = "MIDSIM_OP_PROFILE")]
    op_profile: Profile,
    /// What becomes of a number that the OP does not know, instead of what the world says
    #[arg(
        long,
        value_enum,
        value_name = "ANSWER",
        env = "MIDSIM_OP_UNKNOWN_USER"
    )]
    op_unknown_user: Option<UnknownUser>,
    /// Seconds between polls
    #[arg(long, value_name = "SECONDS", default_value_t = OpSwitches::default().interval, env = "MIDSIM_OP_INTERVAL", value_parser = clap::value_parser!(u32).range(1..))]
    op_interval: u32,
    /// Who asks the user: the MSSP, or nobody, in tests of an RP alone
    #[arg(long, value_enum, value_name = "WHO", default_value_t = Authenticator::Mssp, env = "MIDSIM_OP_AUTHENTICATOR")]
    op_authenticator: Authenticator,
    /// Hold a poll without an outcome open for so many seconds, at most 30
    #[arg(long, value_name = "SECONDS", default_value_t = 0, env = "MIDSIM_OP_POLL_HOLD", value_parser = clap::value_parser!(u32).range(..=30))]
    op_poll_hold: u32,
    /// Tell a client that polls within the interval to slow down
    #[arg(long, env = "MIDSIM_OP_SLOW_DOWN", value_name = SWITCH, default_value = "true")]
    op_slow_down: bool,
    /// Seconds that a request lives when its client does not ask for another time
    #[arg(long, value_name = "SECONDS", env = "MIDSIM_OP_EXPIRES_IN", value_parser = clap::value_parser!(u32).range(1..))]
    op_expires_in: Option<u32>,
    /// Issue refresh tokens, whatever the world says
    #[arg(long, env = "MIDSIM_OP_REFRESH_TOKENS", value_name = SWITCH)]
    op_refresh_tokens: Option<bool>,
}

/// Where `up` listens, and who may come.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Options of the ports")]
pub(super) struct PortOptions {
    /// Listen on N, N+1, … instead of the usual ports; 0 takes free ones
    #[arg(long, value_name = "N", env = "MIDSIM_PORT_BASE", value_parser = port)]
    port_base: Option<u16>,
    /// One port: ui, op, mssp, ota, smpp, discovery or op-mtls; 0 takes a free one. Can be repeated; in the environment a list with commas
    #[arg(long, value_name = "SERVICE=N")]
    port: Vec<ServicePort>,
    /// Write the ports as JSON when everything is ready
    #[arg(long, value_name = "FILE", env = "MIDSIM_PORTS_FILE")]
    pub(super) ports_file: Option<PathBuf>,
    /// Listen on this address. One that others can reach needs an admin token
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1", env = "MIDSIM_LISTEN", value_parser = address)]
    listen: IpAddr,
    /// Let the page and the control API be called under this name too, with any port if it has none. Can be
    /// repeated; the first one is also what the URLs and the issuer say when others can reach them
    #[arg(
        long,
        value_name = "NAME[:PORT]",
        env = "MIDSIM_ALLOW_HOST",
        value_delimiter = ','
    )]
    allow_host: Vec<HostName>,
    /// Let pings, pushes and other calls go to this network, besides loopback and public addresses. Can be repeated
    #[arg(
        long,
        value_name = "NET",
        env = "MIDSIM_ALLOW_NOTIFY",
        value_delimiter = ','
    )]
    allow_notify: Vec<Network>,
    /// Ask for the token in this file at the page and the control API (or set MIDSIM_ADMIN_TOKEN to it)
    #[arg(long, value_name = "FILE", env = "MIDSIM_ADMIN_TOKEN_FILE")]
    admin_token_file: Option<PathBuf>,
}

/// The port of one service, `ui=8221`.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServicePort {
    pub(super) service: Service,
    port: u16,
}

/// The services that something answers at.
const SERVED: [Service; 7] = [
    Service::Ui,
    Service::Op,
    Service::Mssp,
    Service::Ota,
    Service::Smpp,
    Service::Discovery,
    Service::OpMtls,
];

impl FromStr for ServicePort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (service, number) = text.split_once('=').ok_or("write it as ui=8221")?;
        let service = SERVED
            .into_iter()
            .find(|served| served.name() == service)
            .ok_or_else(|| {
                let names = SERVED.map(Service::name).join(", ");
                format!("nothing listens as {service:?}; there are {names}")
            })?;
        let port = port(number)?;
        Ok(Self { service, port })
    }
}

/// A port, with or without the colon of an address.
fn port(text: &str) -> Result<u16, String> {
    let digits = text.strip_prefix(':').unwrap_or(text);
    digits
        .parse()
        .map_err(|_| format!("{text:?} is no port; use 0 to 65535"))
}

fn address(text: &str) -> Result<IpAddr, String> {
    if text == "localhost" {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    bare.unwrap_or(text)
        .parse()
        .map_err(|_| "write an IP address, such as 127.0.0.1 or ::1; ports have --port".into())
}

/// Families of keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Keys {
    /// AES-128
    Aes,
    /// 3DES with two keys
    #[value(name = "3des")]
    TripleDes,
}

/// Rules of the OP.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Profile {
    /// MODRNA CIBA Profile
    Modrna,
    /// CIBA Core alone
    Ciba,
    /// FAPI-CIBA
    FapiCiba,
}

/// Who asks the user.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Authenticator {
    /// The mobile signature service
    Mssp,
    /// Nobody: approved at once
    Approve,
    /// Nobody: waits for /admin/ciba/decision
    Wait,
}

/// Answers to an unknown number.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum UnknownUser {
    /// unknown_user_id at once
    Reject,
    /// the MSSP decides
    AskMssp,
}

/// Why a command ended before its work began.
#[derive(Debug, thiserror::Error)]
pub(super) enum SetupError {
    /// A file cannot be read.
    #[error("{path}: {why}", path = path.display())]
    File { path: PathBuf, why: std::io::Error },
    /// The world file is wrong.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The card profile is wrong, or weak.
    #[error("{path}: {why}", path = path.display())]
    CardProfile {
        path: PathBuf,
        why: CardProfileError,
    },
    /// The ports are wrong.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The token could not be sent in a header, or would be no secret.
    #[error("the admin token in {0} must be one line of visible ASCII characters")]
    Token(String),
}

impl WorldOptions {
    /// Whether a card profile is named.
    pub(super) const fn names_card_profile(&self) -> bool {
        self.card_profile.is_some()
    }

    /// Reads the world.
    pub(super) fn load(&self) -> Result<World, SetupError> {
        let mut world = match &self.world {
            None => World::default(),
            Some(path) => World::parse(&read(path)?)?,
        };
        world.any_number |= self.any_number;
        if let Some(path) = &self.card_profile {
            let text = read(path)?;
            world
                .use_card_profile(&text, self.allow_weak_cards)
                .map_err(|why| SetupError::CardProfile {
                    path: path.clone(),
                    why,
                })?;
        }
        Ok(world)
    }
}

impl SuiteOptions {
    pub(super) fn builder(&self, mut world: World) -> Builder {
        world.family = match self.keys {
            Keys::Aes => Family::Aes128,
            Keys::TripleDes => Family::TripleDes2,
        };
        let builder = Builder::new(world)
            .mss_mode(self.mss)
            .mac_3des(self.keys == Keys::TripleDes)
            .op(self.op.switches())
            .tls(self.tls.options());
        match self.seed {
            Some(seed) => builder.seed(seed),
            None => builder,
        }
    }
}

impl OpOptions {
    fn switches(&self) -> OpSwitches {
        OpSwitches {
            profile: match self.op_profile {
                Profile::Modrna => op_bridge::Profile::Modrna,
                Profile::Ciba => op_bridge::Profile::Ciba,
                Profile::FapiCiba => op_bridge::Profile::FapiCiba,
            },
            unknown_user: self.op_unknown_user.map(|answer| match answer {
                UnknownUser::Reject => op_bridge::UnknownUser::Reject,
                UnknownUser::AskMssp => op_bridge::UnknownUser::AskMssp,
            }),
            authenticator: match self.op_authenticator {
                Authenticator::Mssp => op_bridge::Authenticator::Mssp,
                Authenticator::Approve => op_bridge::Authenticator::Approve,
                Authenticator::Wait => op_bridge::Authenticator::Wait,
            },
            interval: self.op_interval,
            slow_down: self.op_slow_down,
            poll_hold: self.op_poll_hold,
            expires_in: self.op_expires_in,
            refresh_tokens: self.op_refresh_tokens,
        }
    }
}

impl PortOptions {
    /// Tells the suite where to listen and whom to let in.
    pub(super) fn apply(&self, builder: Builder) -> Result<Builder, SetupError> {
        self.apply_with(builder, &[])
    }

    /// The same; without a base, these services take free ports unless told otherwise.
    pub(super) fn apply_with(
        &self,
        mut builder: Builder,
        free: &[Service],
    ) -> Result<Builder, SetupError> {
        let usual = || {
            let ports = Ports::default();
            free.iter().fold(ports, |ports, one| ports.with(*one, 0))
        };
        let base = self
            .port_base
            .map_or_else(|| Ok(usual()), Ports::from_base)?;
        let ports = self
            .port
            .iter()
            .fold(base, |ports, one| ports.with(one.service, one.port));
        builder = builder.ports(ports.listening_on(self.listen));
        for host in &self.allow_host {
            builder = builder.allow_host(host.clone());
        }
        for network in &self.allow_notify {
            builder = builder.allow_notify(*network);
        }
        if let Some(token) = self.admin_token()? {
            builder = builder.admin_token(token);
        }
        Ok(builder)
    }

    fn admin_token(&self) -> Result<Option<Secret>, SetupError> {
        let (text, place) = match (&self.admin_token_file, std::env::var_os(ADMIN_TOKEN)) {
            (Some(path), _) => (read(path)?, path.display().to_string()),
            (None, Some(text)) => (text.to_string_lossy().into_owned(), ADMIN_TOKEN.to_owned()),
            (None, None) => return Ok(None),
        };
        let token = text.trim();
        if token.is_empty() || !token.bytes().all(|octet| octet.is_ascii_graphic()) {
            return Err(SetupError::Token(place));
        }
        Ok(Some(Secret::new(token.as_bytes().to_vec())))
    }
}

fn read(path: &PathBuf) -> Result<String, SetupError> {
    std::fs::read_to_string(path).map_err(|why| SetupError::File {
        path: path.clone(),
        why,
    })
}

//! What the operator of the OP decides: the context of every step.
//!
//! Each switch is described for its user, with its clause, in `docs/op.md`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::acr::{self, Assurance};
use crate::client_auth::{AuthMethod, AuthenticationRules};
use crate::hint::{HintRules, Msisdn};
use crate::jose::jwe::DecryptionKey;
use crate::jose::jws::JwsAlg;
use crate::keys::Keys;
use crate::registration::Registration;
use crate::secret::Secret;

mod client;
mod error;

pub use client::{Client, DeliveryMode, RequestRules, Requests};
pub use error::ConfigError;

/// Configuration of an OP. Start from [`Config::new`] and change what should differ.
#[derive(Clone)]
pub struct Config {
    /// Issuer: base URL of the OP, `http` or `https`, without query, fragment or final slash.
    pub issuer: String,
    /// Base URL of the same endpoints behind mutual TLS, for mtls_endpoint_aliases (RFC 8705 §5).
    pub mtls_url: Option<String>,
    /// Which rules beyond CIBA Core hold.
    pub profile: Profile,
    /// Registered clients.
    pub clients: Vec<Client>,
    /// Who may register further clients.
    pub registration: Registration,
    /// How clients may authenticate.
    pub authentication: AuthenticationRules,
    /// What authentication requests must and may be.
    pub requests: RequestRules,
    /// Which hints name a user.
    pub hints: HintRules,
    /// Whether the tokens of every client are bound to its certificate, registered for it or not (FAPI-RW §5.2.2).
    pub certificate_bound: bool,
    /// Keys that login_hint_tokens are encrypted for.
    pub decryption: Vec<DecryptionKey>,
    /// Whether clients can be registered for user_code (backchannel_user_code_parameter_supported).
    pub user_codes: bool,
    /// Who the users are.
    pub subscribers: Arc<dyn Subscribers>,
    /// What to do with a number that `subscribers` does not know.
    pub unknown_user: UnknownUser,
    /// Key under which `sub` is made from a number. Change it and every `sub` changes.
    pub subject_key: Secret,
    /// Sign id_tokens and signed userinfo.
    pub keys: Arc<dyn Keys>,
    /// acr values this OP knows, and what each asks of the user.
    pub acr_values: Vec<(String, Assurance)>,
    /// Whether a text fits the handset; the `Err` says why not, in the words of error_description.
    pub text_policy: Arc<TextPolicy>,
    /// Who asks the user.
    pub authenticator: Authenticator,
    /// The signature service below.
    pub mssp: Mssp,
    /// Lifetimes.
    pub lifetimes: Lifetimes,
    /// Polling.
    pub polling: Polling,
    /// Ping and push.
    pub delivery: Delivery,
    /// Whether refresh tokens are issued.
    pub refresh_tokens: bool,
}

/// Decides about one text.
pub type TextPolicy = dyn Fn(&str) -> Result<(), String> + Send + Sync;

/// Which rules beyond CIBA Core hold.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// CIBA Core 1.0 alone: acr_values is optional, a PIN is asked when it is missing.
    Ciba,
    /// FAPI-CIBA ID1 §5.2.2: no push, signed requests, tokens bound to certificates.
    FapiCiba,
    /// MODRNA CIBA Profile draft-03: acr_values is required (§4).
    #[default]
    Modrna,
}

/// Who the users are. A range of a million numbers needs no million entries behind this.
pub trait Subscribers: Send + Sync {
    /// The subscriber with this number.
    fn find(&self, msisdn: &Msisdn) -> Option<Subscriber>;

    /// Whether there is one.
    fn knows(&self, msisdn: &Msisdn) -> bool {
        self.find(msisdn).is_some()
    }

    /// The code that a client with backchannel_user_code_parameter must send for this user (CIBA Core §7.1); `None` if the user
    /// has none.
    fn user_code(&self, _msisdn: &Msisdn) -> Option<Secret> {
        None
    }
}

impl<F: Fn(&Msisdn) -> Option<Subscriber> + Send + Sync> Subscribers for F {
    fn find(&self, msisdn: &Msisdn) -> Option<Subscriber> {
        self(msisdn)
    }
}

/// The claims about one user (OpenID Connect Core §5.1).
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Subscriber {
    /// `name`, scope profile.
    pub name: Option<String>,
    /// `given_name`, scope profile.
    pub given_name: Option<String>,
    /// `family_name`, scope profile.
    pub family_name: Option<String>,
    /// `phone_number_verified`, scope phone.
    pub phone_number_verified: bool,
}

/// What to do with a number that [`Subscribers`] does not know.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnknownUser {
    /// Let the MSSP decide: bc-authorize waits for its acknowledgement and turns fault 105 into
    /// unknown_user_id. In synch messaging there is no early acknowledgement; the request is then
    /// accepted and ends as access_denied.
    AskMssp,
    /// unknown_user_id at once.
    #[default]
    Reject,
}

/// Who asks the user. Without the MSSP the OP runs alone, for tests of an RP that need no handset, and for load.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Authenticator {
    /// Nobody: every request is approved at once.
    Approve,
    /// The mobile signature service.
    #[default]
    Mssp,
    /// Nobody: a request waits for an [`Input::Decision`](crate::Input::Decision).
    Wait,
}

/// The MSSP and how it is talked to (TS 102 204).
#[derive(Clone, Debug)]
pub struct Mssp {
    /// SOAP endpoint for every operation.
    pub url: String,
    /// AP_ID.
    pub ap_id: String,
    /// AP_PWD.
    pub ap_pwd: Secret,
    /// Messaging mode of MSS_Signature.
    pub messaging: MessagingMode,
    /// Prefix of AP_URL; the transaction's secret is appended after a slash. `None` = under the issuer.
    pub notify_url: Option<String>,
    /// SignatureProfile that asks for the PIN.
    pub pin_profile: String,
    /// SignatureProfile that asks for a confirmation.
    pub confirm_profile: String,
    /// SignatureProfile that asks for the PIN and has a key with a certificate sign.
    pub signature_profile: String,
    /// Treat a notification as a doorbell: ask MSS_StatusQuery before believing it.
    pub confirm_notifications: bool,
    /// Also accept status 500, a signature that the MSSP made but did not validate.
    pub accept_unvalidated: bool,
    /// asynchClientServer: seconds from acknowledgement to the first MSS_StatusQuery.
    pub first_query: u32,
    /// asynchClientServer: seconds between queries.
    pub query_interval: u32,
    /// Seconds until a busy handset (fault 406) is tried again.
    pub busy_retry: u32,
}

/// MessagingMode of MSS_SignatureReq (TS 102 204).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum MessagingMode {
    /// Acknowledged at once; the OP asks for the outcome.
    #[serde(rename = "asynchClientServer")]
    AsynchClientServer,
    /// Acknowledged at once; the MSSP notifies the outcome.
    #[default]
    #[serde(rename = "asynchServerServer")]
    AsynchServerServer,
    /// The HTTP answer is the outcome.
    #[serde(rename = "synch")]
    Synch,
}

impl MessagingMode {
    /// The value on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AsynchClientServer => "asynchClientServer",
            Self::AsynchServerServer => "asynchServerServer",
            Self::Synch => "synch",
        }
    }
}

/// Lifetimes, in seconds of simulated time.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lifetimes {
    /// auth_req_id, when the client does not ask for one.
    pub auth_req_id: u32,
    /// Upper bound for requested_expiry.
    pub auth_req_id_max: u32,
    /// How long an expired or redeemed auth_req_id is still known as such.
    pub tombstone: u32,
    /// access_token.
    pub access_token: u32,
    /// id_token.
    pub id_token: u32,
    /// refresh_token.
    pub refresh_token: u32,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            auth_req_id: 120,
            auth_req_id_max: 600,
            tombstone: 600,
            access_token: 3600,
            id_token: 600,
            refresh_token: 30 * 24 * 3600,
        }
    }
}

/// The token endpoint's rule for polls (CIBA Core §7.3, §11).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Polling {
    /// `interval`, seconds.
    pub interval: u32,
    /// Whether a poll that starts too early is told slow_down.
    pub slow_down: bool,
    /// Seconds for which a poll without an outcome is held open, at most [`LONGEST_POLL`]; 0 answers at once.
    pub hold: u32,
}

/// The longest that a poll is held, seconds (CIBA Core §7.3).
pub const LONGEST_POLL: u32 = 30;

impl Default for Polling {
    fn default() -> Self {
        Self {
            interval: 5,
            slow_down: true,
            hold: 0,
        }
    }
}

/// How often a ping or push is tried (CIBA Core §10.2, §10.3).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Delivery {
    /// Tries in all.
    pub tries: u32,
    /// Seconds to the second try; doubles with every further one.
    pub back_off: u32,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            tries: 6,
            back_off: 2,
        }
    }
}

impl Config {
    /// An OP with the default switches, without clients or users.
    pub fn new(
        issuer: impl Into<String>,
        mssp_url: impl Into<String>,
        keys: Arc<dyn Keys>,
        subject_key: Secret,
    ) -> Self {
        Self {
            issuer: issuer.into(),
            mtls_url: None,
            profile: Profile::default(),
            clients: Vec::new(),
            registration: Registration::default(),
            authentication: AuthenticationRules::default(),
            requests: RequestRules::default(),
            hints: HintRules::default(),
            certificate_bound: false,
            decryption: Vec::new(),
            user_codes: false,
            subscribers: Arc::new(|_: &Msisdn| None),
            unknown_user: UnknownUser::default(),
            subject_key,
            keys,
            acr_values: acr::known_values(),
            text_policy: Arc::new(|_| Ok(())),
            authenticator: Authenticator::default(),
            mssp: Mssp::new(mssp_url),
            lifetimes: Lifetimes::default(),
            polling: Polling::default(),
            delivery: Delivery::default(),
            refresh_tokens: false,
        }
    }

    /// Takes over a profile with the switches that belong to it.
    pub fn set_profile(&mut self, profile: Profile) {
        self.profile = profile;
        self.requests.signed = profile == Profile::FapiCiba;
        self.certificate_bound = profile == Profile::FapiCiba;
        if profile == Profile::FapiCiba {
            // FAPI-RW §5.2.2 and §8.6, which FAPI-CIBA §5.2.2 builds on.
            self.authentication.methods = vec![
                AuthMethod::PrivateKeyJwt,
                AuthMethod::TlsClientAuth,
                AuthMethod::SelfSignedTlsClientAuth,
            ];
            self.authentication.algorithms = vec![JwsAlg::Es256, JwsAlg::Ps256];
            self.requests.algorithms = vec![JwsAlg::Es256, JwsAlg::Ps256];
        }
    }

    /// Refuses what could only fail later, and says what to change.
    pub(crate) fn check(&self) -> Result<HashMap<String, Arc<Client>>, ConfigError> {
        let uri: http::Uri = self
            .issuer
            .parse()
            .map_err(|_| ConfigError::Issuer(self.issuer.clone()))?;
        let web = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
        if !web || uri.query().is_some() || self.issuer.ends_with('/') || self.issuer.contains('#')
        {
            return Err(ConfigError::Issuer(self.issuer.clone()));
        }
        if self.acr_values.is_empty() {
            return Err(ConfigError::NoAcrValues);
        }
        let mut names = HashSet::new();
        for (name, _) in &self.acr_values {
            let word = !name.is_empty() && !name.contains(char::is_whitespace);
            if !word || !names.insert(name) {
                return Err(ConfigError::AcrValue(name.clone()));
            }
        }
        if self.lifetimes.auth_req_id == 0
            || self.lifetimes.auth_req_id > self.lifetimes.auth_req_id_max
        {
            return Err(ConfigError::Lifetime {
                default: self.lifetimes.auth_req_id,
                max: self.lifetimes.auth_req_id_max,
            });
        }
        if self.polling.interval == 0 {
            return Err(ConfigError::Interval);
        }
        if self.polling.hold > LONGEST_POLL {
            return Err(ConfigError::Hold(self.polling.hold));
        }
        if self.certificate_bound && self.mtls_url.is_none() {
            return Err(ConfigError::NoMutualTls);
        }
        let mut seen = HashSet::new();
        for client in &self.clients {
            if !seen.insert(client.id.as_str()) {
                return Err(ConfigError::DuplicateClient(client.id.clone()));
            }
            client.check(self)?;
        }
        Ok(self
            .clients
            .iter()
            .map(|client| (client.id.clone(), Arc::new(client.clone())))
            .collect())
    }
}

impl Mssp {
    /// The defaults of midsim's own MSSP at `url`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            ap_id: "http://midsim.test/ap".into(),
            ap_pwd: Secret::new("midsim-ap"),
            messaging: MessagingMode::default(),
            notify_url: None,
            pin_profile: "http://uri.gsma.com/mobileconnect/LoA3".into(),
            confirm_profile: "http://uri.gsma.com/mobileconnect/LoA2".into(),
            signature_profile: "http://uri.gsma.com/mobileconnect/LoA4".into(),
            confirm_notifications: true,
            accept_unvalidated: false,
            first_query: 2,
            query_interval: 2,
            busy_retry: 5,
        }
    }
}

//! What the world file says of the parties and of those who use them.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ota_wire::ids::Msisdn;
use ota_wire::secret::Secret;
use serde::Deserialize;

use super::WorldError;
use super::file::yes;

/// The operator's own numbers and keys.
#[derive(Clone, Debug)]
pub struct Operator {
    /// Name shown to people.
    pub name: String,
    /// The key from which all keys of all SIMs are derived.
    pub master_key: Secret,
    /// The number that answers of the applet go to.
    pub short_code: String,
    /// The address of the service centre.
    pub smsc: Msisdn,
}

/// The MSSP's name and its customers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mssp {
    /// `MSSP_ID/URI` in answers.
    pub id: String,
    /// Which kind of deployment it passes for.
    #[serde(default)]
    pub dialect: mssp::Dialect,
    /// Whether requests that are not as the schema has them are refused.
    #[serde(default)]
    pub strict: bool,
    /// What a request gets whose user is busy with another.
    #[serde(default)]
    pub when_busy: mssp::Concurrency,
    /// Whether failures on the handset come out as 208, as some home MSSPs have it.
    #[serde(default)]
    pub only_expiry: bool,
    /// What the signature of a MAC profile is.
    #[serde(default)]
    pub mac_result: mssp::config::MacResult,
    /// Whether Swisscom's published test numbers behave as published.
    #[serde(default = "yes")]
    pub test_numbers: bool,
    /// Application providers (TS 102 204): the OP is the first of them.
    pub ap: Vec<Ap>,
}

/// What the OP does where the standards leave it a choice.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Op {
    /// Whether tokens come with a refresh_token.
    pub refresh_tokens: bool,
    /// What a number that it does not know leads to.
    pub unknown_user: op_bridge::UnknownUser,
    /// Whether clients can be registered for user_code.
    pub user_codes: bool,
    /// Who may register clients: everybody, nobody, or whoever has the token of this text.
    pub registration: String,
    /// Which hints name a user.
    pub hints: Hints,
    /// The values of acr_values that it knows, instead of those of the profiles.
    pub acr_values: Option<Vec<AcrValue>>,
    /// How long things live.
    pub lifetimes: op_bridge::Lifetimes,
    /// How often a ping or push is tried.
    pub delivery: op_bridge::Delivery,
    /// How it deals with the MSSP.
    pub mssp: OpMssp,
}

impl Default for Op {
    fn default() -> Self {
        Self {
            refresh_tokens: false,
            unknown_user: op_bridge::UnknownUser::default(),
            user_codes: true,
            registration: "open".into(),
            hints: Hints::default(),
            acr_values: None,
            lifetimes: op_bridge::Lifetimes::default(),
            delivery: op_bridge::Delivery::default(),
            mssp: OpMssp::default(),
        }
    }
}

/// A value of acr_values.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcrValue {
    /// As clients send it, and as the id_token has it.
    pub name: String,
    /// What the user is asked for.
    pub asks: op_bridge::Assurance,
}

/// How the OP deals with the MSSP; what is left out is as midsim's own MSSP has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpMssp {
    /// SignatureProfile that asks for the PIN.
    pub pin_profile: Option<String>,
    /// SignatureProfile that asks for a confirmation.
    pub confirm_profile: Option<String>,
    /// SignatureProfile that asks for a signature with a certificate.
    pub signature_profile: Option<String>,
    /// Whether a notification is confirmed by MSS_StatusQuery before it is believed.
    pub confirm_notifications: Option<bool>,
    /// Whether a signature that the MSSP did not validate counts.
    pub accept_unvalidated: Option<bool>,
    /// Seconds to the first MSS_StatusQuery in asynchClientServer.
    pub first_query: Option<NonZeroU32>,
    /// Seconds between MSS_StatusQueries in asynchClientServer.
    pub query_interval: Option<NonZeroU32>,
    /// Seconds until a busy handset is tried again.
    pub busy_retry: Option<NonZeroU32>,
}

/// Which hints name a user.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hints {
    /// What a login_hint_token may be.
    pub formats: op_bridge::HintFormats,
    /// Age at which it ends, seconds.
    pub max_age: u32,
    /// Whether an expired id_token still names its user.
    pub expired_id_tokens: bool,
    /// Discovery services besides midsim's own.
    pub issuer: Vec<HintIssuer>,
}

impl Default for Hints {
    fn default() -> Self {
        let rules = op_bridge::HintRules::default();
        Self {
            formats: rules.formats,
            max_age: rules.max_age,
            expired_id_tokens: rules.expired_id_tokens,
            issuer: Vec::new(),
        }
    }
}

/// A foreign discovery service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HintIssuer {
    /// `iss` of its tokens.
    pub iss: String,
    /// Its keys, a JWK Set.
    #[serde(default)]
    pub jwks: Option<toml::Table>,
    /// Or where they are.
    #[serde(default)]
    pub jwks_uri: Option<String>,
}

/// An application provider.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ap {
    /// AP_ID.
    pub id: String,
    /// AP_PWD.
    pub password: String,
    /// Its dialect, if it is not the MSSP's.
    #[serde(default)]
    pub dialect: Option<mssp::Dialect>,
    /// Whether its requests are read strictly, if not as the MSSP has it.
    #[serde(default)]
    pub strict: Option<bool>,
    /// What the signature of a MAC profile is for it, if not as the MSSP has it.
    #[serde(default)]
    pub mac_result: Option<mssp::config::MacResult>,
    /// The client certificate that it has to show, PEM; `op` for the one of this installation's OP.
    #[serde(default)]
    pub certificate: Option<String>,
    /// What it may call; everything if there is none.
    #[serde(default)]
    pub operations: Vec<mssp::Operation>,
    /// mssURIs of the signature profiles it may use; all if there is none.
    #[serde(default)]
    pub profiles: Vec<String>,
    /// Whether its requests come through a mesh of TS 102 207, with a RoamingHeader.
    #[serde(default)]
    pub roaming: bool,
    /// Whether it has to call MSS_Handshake before anything else.
    #[serde(default)]
    pub handshake: bool,
}

/// SMPP credentials of the OTA platform.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smpp {
    /// `system_id`, at most 15 octets.
    pub system_id: String,
    /// `password`, at most 8 octets by SMPP 3.4; longer ones are accepted.
    pub password: String,
    /// TP-DCS of messages to cards; F6 without. Some SMSCs only understand 04.
    #[serde(default)]
    pub data_coding: Option<u8>,
    /// Sends user data in message_payload instead of short_message.
    #[serde(default)]
    pub message_payload: bool,
}

/// A program besides the OTA platform that may bind to the SMSC.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Esme {
    /// `system_id`, at most 15 octets.
    pub system_id: String,
    /// `password`, at most 8 octets.
    pub password: String,
    /// Numbers that belong to it: messages to them are delivered to its sessions.
    #[serde(default)]
    pub short_codes: Vec<String>,
}

/// An RP as the OP has registered it.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// Shown to the user when the RP sends no binding_message.
    pub name: String,
    /// `client_secret`, for the methods that use one.
    pub secret: Option<String>,
    /// Token delivery mode.
    pub mode: Mode,
    /// Where ping and push notifications go; the runtime fills in its own receiver when there is none.
    pub notification_endpoint: Option<String>,
    /// Further metadata, in the names of RFC 7591 §2, OpenID Connect Registration §2, RFC 8705 and CIBA Core §4.
    #[serde(default)]
    pub metadata: toml::Table,
}

/// How tokens reach the client (CIBA Core §5).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The client asks the token endpoint.
    Poll,
    /// The client is told when to ask.
    Ping,
    /// The client is sent the tokens.
    Push,
}

impl Ap {
    /// Whether it has to show the certificate of this installation's OP.
    pub fn is_op(&self) -> bool {
        self.certificate.as_deref() == Some("op")
    }

    /// The certificate that it has to show, DER.
    ///
    /// # Errors
    /// If it is not PEM.
    pub fn certificate_der(&self) -> Result<Option<Vec<u8>>, WorldError> {
        let Some(pem) = self.certificate.as_deref().filter(|_| !self.is_op()) else {
            return Ok(None);
        };
        let error = |why: &str| WorldError::Value {
            what: "mssp.ap.certificate of",
            got: self.id.clone(),
            why: why.to_owned(),
        };
        let (_, rest) = pem
            .split_once("-----BEGIN CERTIFICATE-----")
            .ok_or_else(|| error("expected -----BEGIN CERTIFICATE-----"))?;
        let (body, _) = rest
            .split_once("-----END CERTIFICATE-----")
            .ok_or_else(|| error("expected -----END CERTIFICATE-----"))?;
        let body: String = body.split_ascii_whitespace().collect();
        STANDARD
            .decode(body)
            .map(Some)
            .map_err(|e| error(&e.to_string()))
    }
}

impl std::fmt::Debug for Ap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ap")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Smpp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Smpp")
            .field("system_id", &self.system_id)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Esme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Esme")
            .field("system_id", &self.system_id)
            .field("short_codes", &self.short_codes)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("id", &self.id)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

//! What the OP remembers, and under which keys.
//!
//! | key | value |
//! |---|---|
//! | `req/<SHA-256 of auth_req_id>` | [`Request`], the whole transaction: one record, so that one compare-and-set makes redeeming atomic |
//! | `notify/<SHA-256 of the notification secret>` | [`Notification`] |
//! | `at/<SHA-256 of the access token>` | [`AccessToken`] |
//! | `client/<client_id>` | [`RegisteredClient`](crate::RegisteredClient), a client that registered itself |
//! | `keys/<SHA-256 of a jwks_uri>` | [`FetchedKeys`](crate::FetchedKeys) |
//! | `jti/<SHA-256>` | that a jti was used |
//! | `rt/<SHA-256 of the refresh token>` | [`RefreshToken`] |
//!
//! Timers: `life/<request>` (expiry, then removal of the tombstone), `work/<request>` (what is due
//! towards the MSSP), `deliver/<request>` (ping or push once more), `at/<token>` and `rt/<token>`
//! (removal).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::DeliveryMode;
use crate::hint::Msisdn;
use crate::secret::fingerprint;
use crate::step::View;

/// Names an authentication request: SHA-256 of its auth_req_id, lower-case hexadecimal.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Key(pub(crate) String);

impl Key {
    /// Of the request with this auth_req_id.
    pub fn of(auth_req_id: &str) -> Self {
        Self(fingerprint(auth_req_id))
    }

    /// What the request is stored under.
    pub fn record(&self) -> String {
        format!("req/{}", self.0)
    }

    pub(crate) fn notification(secret_hash: &str) -> String {
        format!("notify/{secret_hash}")
    }

    pub(crate) fn life_timer(&self) -> String {
        format!("life/{}", self.0)
    }

    pub(crate) fn work_timer(&self) -> String {
        format!("work/{}", self.0)
    }

    pub(crate) fn poll_timer(&self) -> String {
        format!("poll/{}", self.0)
    }

    pub(crate) fn deliver_timer(&self) -> String {
        format!("deliver/{}", self.0)
    }
}

/// One backchannel authentication request from its acceptance to its tombstone.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Request {
    /// Client that made it.
    pub client_id: String,
    /// How that client gets its tokens; fixed at registration (CIBA Core §5).
    pub mode: DeliveryMode,
    /// The user's number.
    pub msisdn: Msisdn,
    /// Granted scopes, separated by spaces.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// acr values that the OP can meet, as the client spelled them, by preference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ladder: Vec<String>,
    /// Index into `ladder` of the one being tried.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rung: usize,
    /// Text for the handset's screen.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// When it expires.
    pub expires_at: Timestamp,
    /// `nonce`, to be repeated in the id_token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// When its last poll started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_poll: Option<Timestamp>,
    /// How often it was told slow_down.
    #[serde(default, skip_serializing_if = "is_default")]
    pub slowed: u32,
    /// A poll that waits for the outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll: Option<HeldPoll>,
    /// The MSS transaction under way.
    pub attempt: Attempt,
    /// SHA-256 of every notification secret given out for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notifications: Vec<String>,
    /// Where it stands.
    pub state: State,
    /// The bc-authorize call that still waits for its answer (`unknown_user = ask-mssp` only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// What a ping or push needs; gone as soon as it was delivered or given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<Callback>,
}

impl Request {
    /// Reads a stored request.
    pub fn read(octets: &[u8]) -> Option<Self> {
        serde_json::from_slice(octets).ok()
    }

    /// The acr value being tried.
    pub(crate) fn acr(&self) -> &str {
        self.ladder.get(self.rung).map_or("", String::as_str)
    }
}

/// One MSS_Signature transaction at the MSSP. A busy handset (406) starts a new one.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Attempt {
    /// 1 for the first.
    pub number: u32,
    /// Ours: 128 random bits, starts with a letter (NCName).
    pub ap_trans_id: String,
    /// The MSSP's, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mssp_trans_id: Option<String>,
    /// MSSP_ID/URI of its answer, copied into later messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mssp_uri: Option<String>,
    /// When the notification rang.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rang_at: Option<Timestamp>,
    /// It rang while a status query was under way whose answer may be older.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rang_while_asking: bool,
    /// Number of the last status query.
    #[serde(default, skip_serializing_if = "is_default")]
    pub query: u32,
    /// Whether that query's answer is still to come.
    #[serde(default, skip_serializing_if = "is_default")]
    pub asking: bool,
    /// Status queries in a row that brought no answer.
    #[serde(default, skip_serializing_if = "is_default")]
    pub failures: u32,
    /// What the work timer is for.
    pub work: Work,
}

impl Attempt {
    pub(crate) fn new(number: u32, ap_trans_id: String) -> Self {
        Self {
            number,
            ap_trans_id,
            mssp_trans_id: None,
            mssp_uri: None,
            rang_at: None,
            rang_while_asking: false,
            query: 0,
            asking: false,
            failures: 0,
            work: Work::AskStatus,
        }
    }
}

/// Which transaction a notification secret belongs to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Notification {
    /// The authentication request.
    pub request: Key,
    /// AP_TransID of the MSS transaction, which may no longer be the current one.
    pub ap_trans_id: String,
}

/// What to do when the work timer fires.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Work {
    /// Ask the MSSP how the transaction stands.
    AskStatus,
    /// Start another MSS_Signature transaction.
    SignAgain,
}

/// Where an authentication request stands.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum State {
    /// The user approved; tokens can be fetched.
    Approved {
        /// auth_time, seconds since 1970.
        auth_time: i64,
    },
    /// It ended without tokens.
    Failed(Failure),
    /// The user has not answered.
    Pending,
    /// Tokens were issued, once.
    Redeemed,
}

/// Why a request ended without tokens.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Failure {
    /// What kind of end.
    pub kind: FailureKind,
    /// For error_description.
    pub description: String,
}

/// The three ends a CIBA client can be told (CIBA Core §11, §12).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum FailureKind {
    /// The user, or the card, said no.
    Denied,
    /// Time ran out.
    Expired,
    /// Something between OP and user broke. A push error has its own code for it, transaction_failed;
    /// the token endpoint has not and says access_denied.
    Broken,
}

/// A bc-authorize call that waits until the MSSP has said whether it knows the number.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Held {
    /// The open connection.
    pub request: crate::step::RequestId,
    /// What it will be told.
    pub auth_req_id: String,
    /// And this.
    pub expires_in: u32,
}

/// A token request that stays open until there is an outcome.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct HeldPoll {
    /// The open connection.
    pub request: crate::step::RequestId,
    /// `x5t#S256` of the certificate that its tokens will be bound to.
    pub thumbprint: Option<String>,
    /// When it is answered all the same.
    pub until: Timestamp,
}

/// What it takes to call the client back. auth_req_id and the client's token are kept in clear only
/// here, because the OP has to send both.
#[derive(Clone, Deserialize, PartialEq, Serialize)]
pub struct Callback {
    /// For the body.
    pub auth_req_id: String,
    /// For the Authorization header.
    pub client_notification_token: String,
    /// Where to: what the client was registered with when it asked.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The finished body, once the request ended: a repeated push repeats the same tokens.
    pub body: Option<String>,
    /// Deliveries tried.
    pub tries: u32,
}

impl std::fmt::Debug for Callback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callback")
            .field("tries", &self.tries)
            .finish_non_exhaustive()
    }
}

/// An access token, by its SHA-256.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AccessToken {
    /// Client it was issued to.
    pub client_id: String,
    /// Whose claims it opens.
    pub msisdn: Msisdn,
    /// `sub` that the client knows the user by.
    pub sub: String,
    /// Granted scopes.
    pub scope: String,
    /// acr of the authentication behind it.
    pub acr: String,
    /// Its auth_time, seconds since 1970.
    pub auth_time: i64,
    /// AP_TransID of the authentication behind it, for the trace.
    pub ap_trans_id: String,
    /// The family of refresh tokens it came with, which it does not outlive.
    pub family: Option<String>,
    /// `x5t#S256` of the certificate it is bound to (RFC 8705 §3.1).
    pub thumbprint: Option<String>,
    /// When it was issued, seconds since 1970.
    pub issued_at: i64,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl AccessToken {
    pub(crate) fn key(hash: &str) -> String {
        format!("at/{hash}")
    }
}

/// A family of refresh tokens, by the SHA-256 of its name. Only the newest is good.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub struct RefreshToken {
    /// Client it is bound to.
    pub client_id: String,
    /// Whose it is.
    pub msisdn: Msisdn,
    /// `sub` that the client knows the user by.
    pub sub: String,
    /// Granted scopes.
    pub scope: String,
    /// acr of the authentication behind it.
    pub acr: String,
    /// Its auth_time, seconds since 1970.
    pub auth_time: i64,
    /// `nonce` of the request behind it.
    pub nonce: Option<String>,
    /// AP_TransID of the authentication behind it, for the trace.
    pub ap_trans_id: String,
    /// The first half of every token of the family.
    pub name: String,
    /// SHA-256 of the second half of the newest.
    pub current: String,
    /// When the newest was issued, seconds since 1970.
    pub issued_at: i64,
    /// When the newest ends.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RefreshToken")
            .field("client_id", &self.client_id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl RefreshToken {
    pub(crate) fn key(hash: &str) -> String {
        format!("rt/{hash}")
    }
}

/// Whether a member says nothing that its absence would not say: records are many, and every octet is kept.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The record under `key`, if there is one of this type.
pub(crate) fn load<T: for<'a> Deserialize<'a>>(view: &dyn View, key: &str) -> Option<T> {
    serde_json::from_slice(&view.get(key)?).ok()
}

/// A record as it is stored, in a buffer that need not grow: most have a few hundred octets. What serialises here has string keys
/// and finite numbers: nothing that JSON cannot say.
pub(crate) fn encode(record: &impl Serialize) -> Vec<u8> {
    let mut octets = Vec::with_capacity(USUAL_LEN);
    match serde_json::to_writer(&mut octets, record) {
        Ok(()) => octets,
        Err(_) => Vec::new(),
    }
}

const USUAL_LEN: usize = 1024;

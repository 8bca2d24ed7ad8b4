//! The world that every party reads: operator, clients, APs, subscribers, and what each user does.
//!
//! `fixtures/world.toml` is the default and documents the format by example.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mssp::pki::credential::CertificateState;
use ota_wire::ids::{Iccid, Imsi, Msisdn};
use ota_wire::keys::{Family, MasterKey};
use ota_wire::secret::Secret;
use serde::Deserialize;
use sim_applet_sim::profile::Profile;

/// The text of the default world.
pub const DEFAULT: &str = include_str!("../fixtures/world.toml");

/// Everything that exists before the first request.
#[derive(Clone, Debug)]
pub struct World {
    /// The operator that owns the SIMs, the OTA platform and the SMSC.
    pub operator: Operator,
    /// The MSSP and the APs it knows.
    pub mssp: Mssp,
    /// Switches of the OP.
    pub op: Op,
    /// How the OTA platform binds to the SMSC.
    pub smpp: Smpp,
    /// Other programs that may bind to the SMSC, with numbers of their own.
    pub esmes: Vec<Esme>,
    /// The RPs that the OP knows.
    pub clients: Vec<Client>,
    /// Ranges of numbers, of which subscribers are made on demand.
    pub ranges: Vec<Range>,
    /// Whether a number outside every range becomes a subscriber when it is first used.
    pub any_number: bool,
    /// The OTA key set that SIMs use.
    pub family: Family,
    /// The cards, where they are not midsim's own.
    pub(crate) card_profile: Option<Arc<Profile>>,
    named: BTreeMap<Msisdn, Named>,
}

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
    pub jwks: toml::Table,
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

/// A run of numbers that share one profile.
#[derive(Clone, Debug)]
pub struct Range {
    first: u64,
    iccid_base: u64,
    imsi_base: u64,
    count: u64,
    pin: Secret,
    puk: Secret,
}

/// One subscriber with everything the parties need to know.
#[derive(Clone)]
pub struct Subscriber {
    /// The number.
    pub msisdn: Msisdn,
    /// The card in the handset.
    pub iccid: Iccid,
    /// The subscription on the card.
    pub imsi: Imsi,
    /// The applet's PIN when the card is new.
    pub pin: Secret,
    /// The applet's PUK.
    pub puk: Secret,
    /// What this number is for.
    pub about: String,
    /// What the user does.
    pub persona: Persona,
    /// The PIN was blocked before we started.
    pub pin_blocked: bool,
    /// And so was its PUK.
    pub puk_blocked: bool,
    /// How the MSSP stands with them at first.
    pub mssp_state: mssp::UserState,
    /// What their certificate is like at first.
    pub certificate: CertificateState,
    /// Where the key of their certificate is.
    pub key: KeyPlace,
    /// The code that signature requests have to carry, if they have set one.
    pub no_spam_code: Option<String>,
    /// Whether the handset hears the network.
    pub coverage: bool,
    /// Which methods the applet offers.
    pub applet: Applet,
    /// The code that clients with backchannel_user_code_parameter must send (CIBA Core §7.1).
    pub user_code: Option<Secret>,
    /// Claims that scopes `profile` and `phone` release.
    pub claims: BTreeMap<String, String>,
}

/// What a scripted user does with a prompt.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Persona {
    /// Types the right PIN.
    Approve {
        /// Thinks this long before each key press.
        #[serde(default)]
        after_ms: u32,
    },
    /// The handset is busy with something else.
    Busy,
    /// Presses cancel.
    Cancel,
    /// Somebody at the browser or the API; approves where nobody is there (`demo`, `exec`).
    Human,
    /// Never presses a key.
    Ignore,
    /// Types a wrong PIN first.
    WrongPin {
        /// So many times.
        times: u32,
    },
}

/// Where the key of a subscriber's certificate is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum KeyPlace {
    /// On the SIM: P-256.
    #[default]
    Card,
    /// At the MSSP: RSA.
    Mssp,
}

/// The methods an applet offers.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Applet {
    /// Only "press OK".
    ConfirmOnly,
    /// "Press OK" and PIN.
    #[default]
    Full,
    /// The same, and a menu in which the user changes and unblocks the PIN.
    Menu,
}

/// Why a world file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// Not TOML, or not our keys.
    #[error("world: {0}")]
    Format(#[from] toml::de::Error),
    /// A value that does not mean anything.
    #[error("world: {what} {got:?}: {why}")]
    Value {
        /// Which key.
        what: &'static str,
        /// What stands there.
        got: String,
        /// What is wrong with it.
        why: String,
    },
}

impl World {
    /// Reads a world file.
    pub fn parse(text: &str) -> Result<Self, WorldError> {
        let file: File = toml::from_str(text)?;
        let master_key = hex::decode(&file.operator.master_key)
            .ok()
            .filter(|key| key.len() == 32)
            .ok_or_else(|| WorldError::Value {
                what: "operator.master_key",
                got: format!("{} characters", file.operator.master_key.len()),
                why: "expected 64 hexadecimal digits".into(),
            })?;
        for ap in &file.mssp.ap {
            ap.certificate_der()?;
        }
        let mut named = BTreeMap::new();
        for entry in file.subscriber {
            let msisdn = parse("subscriber.msisdn", &entry.msisdn)?;
            named.insert(msisdn, entry);
        }
        Ok(Self {
            operator: Operator {
                name: file.operator.name,
                master_key: Secret::new(master_key),
                short_code: file.operator.short_code,
                smsc: parse("operator.smsc", &file.operator.smsc)?,
            },
            mssp: file.mssp,
            op: file.op,
            smpp: file.smpp,
            esmes: file.esme,
            clients: file.client,
            ranges: file
                .range
                .into_iter()
                .map(Range::try_from)
                .collect::<Result<_, _>>()?,
            any_number: false,
            family: Family::Aes128,
            card_profile: None,
            named,
        })
    }

    /// The key that all others come from.
    pub fn master_key(&self) -> MasterKey {
        let mut key = [0; 32];
        key.copy_from_slice(self.operator.master_key.expose());
        MasterKey::new(key)
    }

    /// Whether a number has a subscriber.
    pub fn knows(&self, msisdn: &Msisdn) -> bool {
        self.any_number
            || self.named.contains_key(msisdn)
            || self.signs_in_tests(msisdn)
            || self.ranges.iter().any(|range| range.holds(msisdn))
            || self.signs_in_tests(msisdn)
    }

    /// The subscriber of a number, if there is one.
    pub fn subscriber(&self, msisdn: &Msisdn) -> Option<Subscriber> {
        let named = self.named.get(msisdn);
        let (iccid, imsi, pin, puk) = match self.ranges.iter().find_map(|r| r.number(msisdn)) {
            Some(found) => found,
            None if self.any_number || named.is_some() || self.signs_in_tests(msisdn) => {
                number_of_its_own(msisdn)
            }
            None => return None,
        };
        let named = named.cloned().unwrap_or_default();
        let mut claims = named.claims;
        claims.insert("phone_number".into(), msisdn.to_string());
        Some(Subscriber {
            msisdn: msisdn.clone(),
            iccid,
            imsi,
            pin,
            puk,
            about: named.about,
            persona: named.persona,
            pin_blocked: named.pin_blocked,
            puk_blocked: named.puk_blocked,
            mssp_state: named.mssp_state,
            certificate: named.certificate,
            key: named.key.unwrap_or_else(|| self.key_in_tests(msisdn)),
            no_spam_code: named.no_spam_code,
            coverage: named.coverage,
            applet: named.applet,
            user_code: named.user_code.map(|code| Secret::new(code.into_bytes())),
            claims,
        })
    }

    /// Who is known to the MSSP by this UserIdentifier.
    pub fn identified(&self, user_identifier: &str) -> Option<Msisdn> {
        self.named
            .iter()
            .find(|(_, named)| named.user_identifier.as_deref() == Some(user_identifier))
            .map(|(msisdn, _)| msisdn.clone())
    }

    /// The published test numbers of users who sign.
    fn signs_in_tests(&self, msisdn: &Msisdn) -> bool {
        self.mssp.test_numbers && matches!(msisdn.digits(), "41700092501" | "41700092502")
    }

    /// Of the published numbers, one signs with RSA, which cards here cannot.
    fn key_in_tests(&self, msisdn: &Msisdn) -> KeyPlace {
        if self.mssp.test_numbers && msisdn.digits() == "41700092502" {
            KeyPlace::Mssp
        } else {
            KeyPlace::Card
        }
    }

    /// The subscriber whose card has this ICCID, if there is one.
    pub fn by_iccid(&self, iccid: &Iccid) -> Option<Subscriber> {
        let digits = iccid.digits();
        let body = &digits[..digits.len() - 1];
        let in_range = body
            .parse()
            .ok()
            .and_then(|body| self.ranges.iter().find_map(|range| range.of_card(body)));
        // Else the card of a number outside every range, which carries the number itself.
        let number = || {
            body.strip_prefix("899")
                .map(|it| it.trim_start_matches('0'))
        };
        let found = in_range.or_else(|| number()?.parse().ok())?;
        self.subscriber(&found)
            .filter(|subscriber| subscriber.iccid == *iccid)
    }

    /// The subscribers that the file names one by one, in order of their numbers.
    pub fn named(&self) -> impl Iterator<Item = Subscriber> {
        self.named
            .keys()
            .filter_map(|msisdn| self.subscriber(msisdn))
    }

    /// Changes what the user of one number does.
    pub fn set_persona(&mut self, msisdn: &Msisdn, persona: Persona) {
        self.named.entry(msisdn.clone()).or_default().persona = persona;
    }
}

impl Default for World {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "the embedded file is parsed by a test")]
        Self::parse(DEFAULT).expect("the embedded world is well-formed")
    }
}

impl Range {
    fn holds(&self, msisdn: &Msisdn) -> bool {
        self.place(msisdn).is_some()
    }

    fn place(&self, msisdn: &Msisdn) -> Option<u64> {
        let number: u64 = msisdn.digits().parse().ok()?;
        number.checked_sub(self.first).filter(|n| *n < self.count)
    }

    /// The number whose ICCID is this without its check digit.
    fn of_card(&self, body: u64) -> Option<Msisdn> {
        let n = body.checked_sub(self.iccid_base)?;
        let number = self.first.checked_add(n).filter(|_| n < self.count)?;
        number.to_string().parse().ok()
    }

    fn number(&self, msisdn: &Msisdn) -> Option<(Iccid, Imsi, Secret, Secret)> {
        let n = self.place(msisdn)?;
        let iccid = Iccid::with_check_digit(&format!("{:018}", self.iccid_base + n)).ok()?;
        let imsi = format!("{:015}", self.imsi_base + n).parse().ok()?;
        Some((iccid, imsi, self.pin.clone(), self.puk.clone()))
    }
}

/// A card for a number outside every range: both identities carry the number itself, so that no two numbers share one.
fn number_of_its_own(msisdn: &Msisdn) -> (Iccid, Imsi, Secret, Secret) {
    let digits = msisdn.digits();
    let tail = &digits[digits.len().saturating_sub(10)..];
    #[expect(
        clippy::expect_used,
        reason = "18 and 15 digits by construction: an MSISDN has at most 15"
    )]
    let identities = (
        Iccid::with_check_digit(&format!("899{digits:0>15}")).expect("18 digits"),
        format!("00101{tail:0>10}").parse().expect("15 digits"),
    );
    (
        identities.0,
        identities.1,
        Secret::new(b"1234".to_vec()),
        Secret::new(b"12345678".to_vec()),
    )
}

fn parse<T: std::str::FromStr>(what: &'static str, got: &str) -> Result<T, WorldError>
where
    T::Err: std::fmt::Display,
{
    got.parse().map_err(|why: T::Err| WorldError::Value {
        what,
        got: got.into(),
        why: why.to_string(),
    })
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    operator: OperatorEntry,
    mssp: Mssp,
    #[serde(default)]
    op: Op,
    smpp: Smpp,
    #[serde(default)]
    esme: Vec<Esme>,
    client: Vec<Client>,
    #[serde(default)]
    range: Vec<RangeEntry>,
    #[serde(default)]
    subscriber: Vec<Named>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OperatorEntry {
    name: String,
    master_key: String,
    short_code: String,
    smsc: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RangeEntry {
    first_msisdn: String,
    iccid_base: String,
    imsi_base: String,
    count: u64,
    pin: String,
    puk: String,
}

impl TryFrom<RangeEntry> for Range {
    type Error = WorldError;

    fn try_from(entry: RangeEntry) -> Result<Self, WorldError> {
        let first: Msisdn = parse("range.first_msisdn", &entry.first_msisdn)?;
        let number = |what, got: &str, digits: usize| {
            got.parse()
                .ok()
                .filter(|_| got.len() == digits)
                .ok_or_else(|| WorldError::Value {
                    what,
                    got: got.into(),
                    why: format!("expected {digits} digits"),
                })
        };
        Ok(Self {
            first: number("range.first_msisdn", first.digits(), first.digits().len())?,
            iccid_base: number("range.iccid_base", &entry.iccid_base, 18)?,
            imsi_base: number("range.imsi_base", &entry.imsi_base, 15)?,
            count: entry.count,
            pin: Secret::new(entry.pin.into_bytes()),
            puk: Secret::new(entry.puk.into_bytes()),
        })
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    msisdn: String,
    #[serde(default)]
    about: String,
    #[serde(default = "approve")]
    persona: Persona,
    #[serde(default)]
    pin_blocked: bool,
    #[serde(default)]
    puk_blocked: bool,
    #[serde(default)]
    mssp_state: mssp::UserState,
    #[serde(default)]
    certificate: CertificateState,
    #[serde(default)]
    key: Option<KeyPlace>,
    #[serde(default)]
    no_spam_code: Option<String>,
    #[serde(default)]
    user_identifier: Option<String>,
    #[serde(default = "yes")]
    coverage: bool,
    #[serde(default)]
    applet: Applet,
    user_code: Option<String>,
    #[serde(default)]
    claims: BTreeMap<String, String>,
}

impl Default for Named {
    fn default() -> Self {
        Self {
            msisdn: String::new(),
            about: String::new(),
            persona: approve(),
            pin_blocked: false,
            puk_blocked: false,
            mssp_state: mssp::UserState::Active,
            certificate: CertificateState::Valid,
            key: None,
            no_spam_code: None,
            user_identifier: None,
            coverage: true,
            applet: Applet::Full,
            user_code: None,
            claims: BTreeMap::new(),
        }
    }
}

fn approve() -> Persona {
    Persona::Approve { after_ms: 0 }
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_world_has_the_ten_numbers() {
        let world = World::default();
        let numbers: Vec<_> = world.named().map(|s| s.msisdn.to_string()).collect();
        assert_eq!(numbers.len(), 10);
        assert_eq!(numbers[0], "+447700900001");
        assert_eq!(numbers[9], "+447700900010");
    }

    #[test]
    fn identities_of_a_range_grow_together() {
        let world = World::default();
        let third = world.subscriber(&"+447700900003".parse().unwrap()).unwrap();
        assert_eq!(third.iccid.digits()[..18], *"894477009000000003");
        assert_eq!(third.imsi.digits(), "001010000000003");
        assert_eq!(third.persona, Persona::Approve { after_ms: 3000 });
    }

    #[test]
    fn an_unknown_number_is_nobody_until_any_number_is_on() {
        let mut world = World::default();
        let stranger: Msisdn = "+15005550006".parse().unwrap();
        assert!(world.subscriber(&stranger).is_none());
        world.any_number = true;
        assert_eq!(
            world.subscriber(&stranger).unwrap().iccid.digits()[..18],
            *"899000015005550006"
        );
    }

    #[test]
    fn published_test_numbers_are_people_unless_switched_off() {
        let number: Msisdn = "41700092501".parse().unwrap();
        assert!(World::default().subscriber(&number).is_some());
        assert!(World::default().knows(&number));
        let off = DEFAULT.replace("test_numbers = true", "test_numbers = false");
        assert!(World::parse(&off).unwrap().subscriber(&number).is_none());
    }

    #[test]
    fn a_certificate_that_is_none_is_named() {
        let with = |pem: &str| {
            let text = format!("password = \"midsim-ap\"\ncertificate = \"{pem}\"\n");
            World::parse(&DEFAULT.replace("password = \"midsim-ap\"\n", &text))
        };
        let error = with("no").unwrap_err().to_string();
        assert!(error.contains("http://midsim.test/ap"), "{error}");
        let good = with("-----BEGIN CERTIFICATE-----AQID-----END CERTIFICATE-----").unwrap();
        assert_eq!(
            good.mssp.ap[0].certificate_der().unwrap(),
            Some(vec![1, 2, 3])
        );
    }

    #[test]
    fn cards_are_found_by_their_iccid() {
        let world = World {
            any_number: true,
            ..World::default()
        };
        for number in ["+447700900003", "+447700900010", "+15005550006"] {
            let subscriber = world.subscriber(&number.parse().unwrap()).unwrap();
            let found = world.by_iccid(&subscriber.iccid).unwrap();
            assert_eq!(found.msisdn.to_string(), number);
        }
        let stranger = Iccid::with_check_digit("894477009000000011").unwrap();
        assert!(world.by_iccid(&stranger).is_none());
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = World::parse(&DEFAULT.replace("short_code", "shortcode")).unwrap_err();
        assert!(error.to_string().contains("shortcode"), "{error}");
    }
}

//! From the [`World`] to what each party is told of it.

use std::num::NonZeroU32;
use std::sync::Arc;

use bytes::Bytes;
use mssp::pki::credential::Certificates;
use op_bridge as op;
use ota::smpp::{self, Account, BindMode, EsmeConfig, SmscConfig};
use ota::{platform, smsc};
use ota_wire::applet::{ChallengeView, MacAlgorithm, ResponseView};
use ota_wire::ids::{Iccid, Msisdn};
use ota_wire::keys::{Family, MasterKey, applet_mac_key};
use ota_wire::secret::Secret;

use serde_json::Map;

use super::{Places, StartError};
use crate::world::{Applet, Mode, OpMssp, World};

/// SignatureProfile that asks for the PIN and signs with 3DES (TS 102 204 profile URIs of Mobile Connect).
const PIN_3DES: &str = "http://uri.gsma.com/mobileconnect/LoA3/CBCMAC3DES";

/// What the OP is told.
pub(super) struct OpSettings {
    pub(super) places: Places,
    pub(super) switches: OpSwitches,
    pub(super) messaging: op::MessagingMode,
    pub(super) mac_3des: bool,
    pub(super) keys: Arc<dyn op_bridge::Keys>,
    pub(super) decryption: Vec<op::DecryptionKey>,
    pub(super) hint_issuer: op::HintIssuer,
    pub(super) subject_key: op_bridge::Secret,
}

/// Switches of the OP, which win over the world's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OpSwitches {
    /// Which rules beyond CIBA Core hold.
    pub profile: op::Profile,
    /// What to do with a number that the OP does not know; the world's word without.
    pub unknown_user: Option<op::UnknownUser>,
    /// Who asks the user.
    pub authenticator: op::Authenticator,
    /// Seconds between polls.
    pub interval: u32,
    /// Whether a client that polls too fast is told slow_down.
    pub slow_down: bool,
    /// Seconds for which a poll without an outcome is held open; 0 answers at once.
    pub poll_hold: u32,
    /// Seconds that an auth_req_id lives when the client does not ask for another time; the world's word without.
    pub expires_in: Option<u32>,
    /// Whether refresh tokens are issued; the world's word without.
    pub refresh_tokens: Option<bool>,
}

impl Default for OpSwitches {
    fn default() -> Self {
        Self {
            profile: op::Profile::default(),
            unknown_user: None,
            authenticator: op::Authenticator::default(),
            interval: op::Polling::default().interval,
            slow_down: op::Polling::default().slow_down,
            poll_hold: op::Polling::default().hold,
            expires_in: None,
            refresh_tokens: None,
        }
    }
}

/// The OP's configuration.
pub(super) fn op(world: &Arc<World>, settings: OpSettings) -> Result<op::Config, StartError> {
    let Places {
        issuer,
        mutual_tls,
        notify_url,
        mssp,
        receiver,
        ..
    } = settings.places;
    let mut config = op::Config::new(issuer, mssp, settings.keys, settings.subject_key);
    let switches = settings.switches;
    config.set_profile(switches.profile);
    config.authenticator = switches.authenticator;
    config.polling.interval = switches.interval;
    config.polling.slow_down = switches.slow_down;
    config.polling.hold = switches.poll_hold;
    config.lifetimes = world.op.lifetimes;
    if let Some(expires_in) = switches.expires_in {
        config.lifetimes.auth_req_id = expires_in;
        config.lifetimes.auth_req_id_max = config.lifetimes.auth_req_id_max.max(expires_in);
    }
    config.delivery = world.op.delivery;
    if let Some(values) = &world.op.acr_values {
        let named = values.iter().map(|value| (value.name.clone(), value.asks));
        config.acr_values = named.collect();
    }
    config.mtls_url = mutual_tls;
    config.mssp.notify_url = notify_url;
    config.decryption = settings.decryption;
    config.user_codes = world.op.user_codes;
    config.registration = match world.op.registration.as_str() {
        "open" => op::Registration::Open,
        "off" => op::Registration::Off,
        token => op::Registration::Token(op_bridge::Secret::new(token)),
    };
    config.hints.formats = world.op.hints.formats;
    config.hints.max_age = world.op.hints.max_age;
    config.hints.expired_id_tokens = world.op.hints.expired_id_tokens;
    config.hints.issuers = hint_issuers(world, settings.hint_issuer)?;
    let dialect = world.mssp.ap.first().and_then(|ap| ap.dialect);
    let dialect = dialect.unwrap_or(world.mssp.dialect);
    config.text_policy = Arc::new(move |text| dialect.takes(text));
    let fits = |client: &&crate::world::Client| fits(&config, client);
    config.clients = world
        .clients
        .iter()
        .filter(fits)
        .map(|client| registered(&config, client, &receiver))
        .collect::<Result<_, _>>()?;
    config.subscribers = Arc::new(People(world.clone()));
    config.unknown_user = switches.unknown_user.unwrap_or(world.op.unknown_user);
    config.refresh_tokens = switches.refresh_tokens.unwrap_or(world.op.refresh_tokens);
    config.mssp.messaging = settings.messaging;
    as_the_world_has_it(&mut config.mssp, &world.op.mssp);
    if settings.mac_3des {
        config.mssp.pin_profile = PIN_3DES.into();
    }
    if let Some(ap) = world.mssp.ap.first() {
        config.mssp.ap_id.clone_from(&ap.id);
        config.mssp.ap_pwd = op_bridge::Secret::new(ap.password.clone());
    }
    Ok(config)
}

fn as_the_world_has_it(mssp: &mut op::Mssp, world: &OpMssp) {
    fn set<T: Clone>(to: &mut T, given: Option<&T>) {
        if let Some(given) = given {
            to.clone_from(given);
        }
    }
    set(&mut mssp.pin_profile, world.pin_profile.as_ref());
    set(&mut mssp.confirm_profile, world.confirm_profile.as_ref());
    set(
        &mut mssp.signature_profile,
        world.signature_profile.as_ref(),
    );
    set(
        &mut mssp.confirm_notifications,
        world.confirm_notifications.as_ref(),
    );
    set(
        &mut mssp.accept_unvalidated,
        world.accept_unvalidated.as_ref(),
    );
    for (to, given) in [
        (&mut mssp.first_query, world.first_query),
        (&mut mssp.query_interval, world.query_interval),
        (&mut mssp.busy_retry, world.busy_retry),
    ] {
        set(to, given.map(NonZeroU32::get).as_ref());
    }
}

/// Under FAPI-CIBA the clients that it forbids are not there; the others are.
fn fits(config: &op::Config, client: &crate::world::Client) -> bool {
    if config.profile != op::Profile::FapiCiba {
        return true;
    }
    let signs = "backchannel_authentication_request_signing_alg";
    client.mode != Mode::Push && client.secret.is_none() && client.metadata.contains_key(signs)
}

fn registered(
    config: &op::Config,
    client: &crate::world::Client,
    receiver: &str,
) -> Result<op::Client, StartError> {
    let mut members = Map::new();
    members.insert("client_name".into(), client.name.clone().into());
    let mode = match client.mode {
        Mode::Ping => "ping",
        Mode::Poll => "poll",
        Mode::Push => "push",
    };
    members.insert("backchannel_token_delivery_mode".into(), mode.into());
    members.insert(
        "grant_types".into(),
        op::Requests::default().grant_types.into(),
    );
    let own = client.notification_endpoint.as_deref();
    if let Some(endpoint) = own.or_else(|| (client.mode != Mode::Poll).then_some(receiver)) {
        let member = "backchannel_client_notification_endpoint";
        members.insert(member.into(), endpoint.into());
    }
    for (name, value) in &client.metadata {
        // TOML has nothing that JSON cannot say, but for dates, which no metadata are.
        let value = serde_json::to_value(value).unwrap_or_default();
        members.insert(name.clone(), value);
    }
    let secret = client.secret.clone().map(op::ClientSecret::new);
    op::Client::from_metadata(config, &client.id, secret, &members, op::Source::File).map_err(
        |why| StartError::Client {
            id: client.id.clone(),
            why,
        },
    )
}

fn hint_issuers(world: &World, own: op::HintIssuer) -> Result<Vec<op::HintIssuer>, StartError> {
    let mut issuers = vec![own];
    for foreign in &world.op.hints.issuer {
        let uri = foreign.jwks_uri.as_deref();
        let place = uri.and_then(|uri| uri.parse::<http::Uri>().ok());
        let found = place.is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
        let jwks = match (&foreign.jwks, uri) {
            (Some(jwks), None) => {
                let jwks = serde_json::to_value(jwks).unwrap_or_default();
                op::JwkSet::parse(&jwks).map_err(|why| StartError::HintIssuer {
                    iss: foreign.iss.clone(),
                    why,
                })?
            }
            (None, Some(_)) if found => op::JwkSet::default(),
            _ => return Err(StartError::HintIssuerKeys(foreign.iss.clone())),
        };
        issuers.push(op::HintIssuer {
            issuer: foreign.iss.clone(),
            jwks,
            jwks_uri: foreign.jwks_uri.clone(),
        });
    }
    Ok(issuers)
}

impl op::Subscribers for People {
    fn find(&self, msisdn: &op_bridge::Msisdn) -> Option<op::Subscriber> {
        claims(&self.0, msisdn)
    }

    fn knows(&self, msisdn: &op_bridge::Msisdn) -> bool {
        msisdn
            .digits()
            .parse()
            .is_ok_and(|msisdn| self.0.knows(&msisdn))
    }

    fn user_code(&self, msisdn: &op_bridge::Msisdn) -> Option<op_bridge::Secret> {
        let subscriber = self.0.subscriber(&msisdn.to_string().parse().ok()?)?;
        let code = subscriber.user_code?;
        let text = std::str::from_utf8(code.expose()).ok()?;
        Some(op_bridge::Secret::new(text))
    }
}

fn claims(world: &World, msisdn: &op_bridge::Msisdn) -> Option<op::Subscriber> {
    let subscriber = world.subscriber(&msisdn.to_string().parse().ok()?)?;
    let claim = |name: &str| subscriber.claims.get(name).cloned();
    Some(op::Subscriber {
        name: claim("name"),
        given_name: claim("given_name"),
        family_name: claim("family_name"),
        phone_number_verified: true,
    })
}

/// The MSSP's configuration.
pub(super) fn mssp(
    world: &Arc<World>,
    certificates: Arc<dyn Certificates>,
    op_certificate: Bytes,
) -> mssp::Config {
    let mut config = mssp::Config::new(
        world.mssp.id.clone(),
        Arc::new(Directory {
            world: world.clone(),
            master: world.master_key(),
        }),
    );
    let mssp = &world.mssp;
    config.certificates = Some(certificates);
    config.mac_result = mssp.mac_result;
    config.dialect = mssp.dialect;
    config.strict = mssp.strict;
    config.concurrency = mssp.when_busy;
    config.only_expiry = mssp.only_expiry;
    config.test_numbers = mssp.test_numbers;
    config.aps = mssp
        .ap
        .iter()
        .map(|ap| mssp::Ap {
            // A world with a certificate that is none was refused when it was read.
            certificate: if ap.is_op() {
                Some(op_certificate.clone())
            } else {
                ap.certificate_der().ok().flatten().map(Into::into)
            },
            mac_result: ap.mac_result,
            dialect: ap.dialect,
            strict: ap.strict,
            operations: ap.operations.clone(),
            profiles: ap.profiles.clone(),
            handshake: ap.handshake,
            roaming: ap.roaming,
            ..mssp::Ap::new(&ap.id, Secret::new(ap.password.clone().into_bytes()))
        })
        .collect();
    config
}

struct Directory {
    world: Arc<World>,
    master: MasterKey,
}

impl mssp::Directory for Directory {
    fn subscriber(&self, msisdn: &Msisdn) -> Option<mssp::Subscriber> {
        let subscriber = self.world.subscriber(msisdn)?;
        Some(mssp::Subscriber {
            msisdn: subscriber.msisdn,
            iccid: subscriber.iccid,
            state: subscriber.mssp_state,
            certificate: subscriber.certificate,
            no_spam_code: subscriber.no_spam_code,
            pin: subscriber.applet != Applet::ConfirmOnly,
        })
    }

    fn identified(&self, user_identifier: &str) -> Option<Msisdn> {
        self.world.identified(user_identifier)
    }

    fn mac_key(&self, iccid: &Iccid, algorithm: MacAlgorithm) -> Secret {
        applet_mac_key(&self.master, iccid, algorithm)
    }
}

/// Version of the OTA key set that holds keys of this family.
pub(crate) fn key_version(family: Family) -> u8 {
    match family {
        Family::Aes128 => 1,
        Family::TripleDes2 => 2,
    }
}

/// The OTA platform's configuration.
pub(super) fn platform(world: &Arc<World>) -> platform::Config {
    let mut config = platform::Config::new(
        &world.operator.short_code,
        world.master_key(),
        Arc::new(People(world.clone())),
    );
    config.answers = answers;
    config.derived = world.ota_key_sets();
    config.data_coding = world.smpp.data_coding.unwrap_or(config.data_coding);
    config.in_payload = world.smpp.message_payload;
    config
}

/// A challenge of the signature applet is answered by the response with its transaction id, which only the card has seen; any
/// other order by whatever is no response of the applet.
fn answers(order: &platform::Submit, message: &[u8]) -> bool {
    let response = ResponseView::new_checked(message).ok();
    match ChallengeView::new_checked(&order.payload) {
        Ok(challenge) => response.is_some_and(|response| response.tid() == challenge.tid()),
        Err(_) => response.is_none(),
    }
}

/// The SMSC's configuration.
pub(super) fn smsc(world: &Arc<World>) -> smsc::Config {
    let platform = smsc::Esme {
        system_id: world.smpp.system_id.clone(),
        short_codes: vec![world.operator.short_code.clone()],
    };
    let others = world.esmes.iter().map(|esme| smsc::Esme {
        system_id: esme.system_id.clone(),
        short_codes: esme.short_codes.clone(),
    });
    smsc::Config::new(
        world.operator.smsc.clone(),
        std::iter::once(platform).chain(others).collect(),
        Arc::new(People(world.clone())),
    )
}

struct People(Arc<World>);

impl smsc::Phones for People {
    fn knows(&self, msisdn: &Msisdn) -> bool {
        self.0.knows(msisdn)
    }
}

impl platform::Directory for People {
    fn find(&self, msisdn: &Msisdn) -> Option<platform::Subscriber> {
        let iccid = self.0.card(msisdn)?;
        let keys = platform::Keys::Derived {
            version: key_version(self.0.family),
            family: self.0.family,
        };
        Some(platform::Subscriber { iccid, keys })
    }
}

/// The platform's end of the SMPP connection.
pub(super) fn esme(world: &World) -> EsmeConfig {
    EsmeConfig {
        system_id: world.smpp.system_id.clone(),
        password: Secret::new(world.smpp.password.clone().into_bytes()),
        system_type: String::new(),
        mode: BindMode::Transceiver,
        limits: limits(),
    }
}

/// The SMSC's end of any SMPP connection.
pub(super) fn smsc_end(world: &World) -> SmscConfig {
    let account = |system_id: &str, password: &str| Account {
        system_id: system_id.to_owned(),
        password: Secret::new(password.as_bytes().to_vec()),
    };
    let others = world
        .esmes
        .iter()
        .map(|esme| account(&esme.system_id, &esme.password));
    SmscConfig {
        system_id: world.operator.name.clone(),
        accounts: std::iter::once(account(&world.smpp.system_id, &world.smpp.password))
            .chain(others)
            .collect(),
        limits: limits(),
    }
}

/// The parties report what PDUs carry; the PDUs themselves would be said twice.
fn limits() -> smpp::Limits {
    smpp::Limits {
        report_pdus: false,
        ..smpp::Limits::default()
    }
}

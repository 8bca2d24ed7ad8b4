//! From the [`World`] to what each party is told of it.

use std::sync::Arc;

use op_bridge as op;
use ota::smpp::{self, Account, BindMode, EsmeConfig, SmscConfig};
use ota::{platform, smsc};
use ota_wire::applet::{ChallengeView, MacAlgorithm, ResponseView, Text};
use ota_wire::ids::{Iccid, Msisdn};
use ota_wire::keys::{Family, MasterKey, applet_mac_key};
use ota_wire::secret::Secret;

use super::Places;
use crate::world::{Applet, Mode, World};

/// SignatureProfile that asks for the PIN and signs with 3DES (TS 102 204 profile URIs of Mobile Connect).
const PIN_3DES: &str = "http://uri.gsma.com/mobileconnect/LoA3/CBCMAC3DES";

/// What the OP is told.
pub(super) struct OpSettings {
    pub(super) places: Places,
    pub(super) switches: OpSwitches,
    pub(super) messaging: op::MessagingMode,
    pub(super) mac_3des: bool,
    pub(super) keys: Arc<dyn op_bridge::Keys>,
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
    /// Seconds that an auth_req_id lives when the client does not ask for another time.
    pub expires_in: u32,
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
            expires_in: op::Lifetimes::default().auth_req_id,
            refresh_tokens: None,
        }
    }
}

/// The OP's configuration.
pub(super) fn op(world: &Arc<World>, settings: OpSettings) -> op::Config {
    let Places {
        issuer,
        mutual_tls,
        notify_url,
        mssp,
        receiver,
    } = settings.places;
    let mut config = op::Config::new(issuer, mssp, settings.keys, settings.subject_key);
    let switches = settings.switches;
    config.profile = switches.profile;
    config.authenticator = switches.authenticator;
    config.polling.interval = switches.interval;
    config.polling.slow_down = switches.slow_down;
    config.polling.hold = switches.poll_hold;
    config.lifetimes.auth_req_id = switches.expires_in;
    config.lifetimes.auth_req_id_max = config.lifetimes.auth_req_id_max.max(switches.expires_in);
    config.mtls_url = mutual_tls;
    config.mssp.notify_url = notify_url;
    config.clients = world
        .clients
        .iter()
        .map(|client| op::Client {
            id: client.id.clone(),
            secret: op_bridge::Secret::new(client.secret.clone()),
            name: client.name.clone(),
            mode: match client.mode {
                Mode::Ping => op::DeliveryMode::Ping,
                Mode::Poll => op::DeliveryMode::Poll,
                Mode::Push => op::DeliveryMode::Push,
            },
            notification_endpoint: client
                .notification_endpoint
                .clone()
                .or_else(|| (client.mode != Mode::Poll).then(|| receiver.clone())),
            issuance: op::Issuance::default(),
        })
        .collect();
    let people = world.clone();
    config.subscribers = Arc::new(move |msisdn: &op_bridge::Msisdn| claims(&people, msisdn));
    config.text_policy = Arc::new(|text| {
        Text::encode(text)
            .map(drop)
            .map_err(|error| error.to_string())
    });
    config.unknown_user = switches.unknown_user.unwrap_or(world.op.unknown_user);
    config.refresh_tokens = switches.refresh_tokens.unwrap_or(world.op.refresh_tokens);
    config.mssp.messaging = settings.messaging;
    if settings.mac_3des {
        config.mssp.pin_profile = PIN_3DES.into();
    }
    if let Some(ap) = world.mssp.ap.first() {
        config.mssp.ap_id.clone_from(&ap.id);
        config.mssp.ap_pwd = op_bridge::Secret::new(ap.password.clone());
    }
    config
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
pub(super) fn mssp(world: &Arc<World>) -> mssp::Config {
    let mut config = mssp::Config::new(
        world.mssp.id.clone(),
        Arc::new(Directory {
            world: world.clone(),
            master: world.master_key(),
        }),
    );
    let mssp = &world.mssp;
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
            certificate: ap.certificate_der().ok().flatten().map(Into::into),
            dialect: ap.dialect,
            strict: ap.strict,
            operations: ap.operations.clone(),
            profiles: ap.profiles.clone(),
            handshake: ap.handshake,
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
        let subscriber = self.0.subscriber(msisdn)?;
        let keys = platform::Keys::Derived {
            version: key_version(self.0.family),
            family: self.0.family,
        };
        Some(platform::Subscriber {
            iccid: subscriber.iccid,
            keys,
        })
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

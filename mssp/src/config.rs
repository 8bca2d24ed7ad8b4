//! What the MSSP knows before the first request. None of it changes in a step.

use std::{fmt, sync::Arc};

use jiff::SignedDuration;
use ota_wire::{
    applet::{MacAlgorithm, Method},
    ids::{Iccid, Msisdn},
    secret::Secret,
};

/// The configuration of one MSSP.
#[derive(Clone)]
pub struct Config {
    /// MSSP_ID/URI in every answer.
    pub mssp_uri: String,
    /// `http://host:port` for the addresses in the WSDL; without it the request's Host is believed.
    pub base_url: Option<String>,
    /// Who may ask.
    pub aps: Vec<Ap>,
    /// Who can be asked, and the keys of their SIMs.
    pub directory: Arc<dyn Directory>,
    /// The signature profiles on offer. A request without one gets the first.
    pub profiles: Vec<Profile>,
    /// How long a transaction lasts when the AP does not say.
    pub default_timeout: SignedDuration,
    /// How long a finished transaction can be asked for and its AP_TransID stays taken.
    pub retention: SignedDuration,
    /// After each attempt to notify an AP, how long its answer is awaited before the next. As many attempts are made
    /// as there are entries.
    pub notification_delays: Vec<SignedDuration>,
}

impl Config {
    /// The defaults of midsim: the Mobile Connect profiles, five minutes for a transaction, an hour of memory, six
    /// attempts to notify within about two minutes.
    pub fn new(mssp_uri: impl Into<String>, directory: Arc<dyn Directory>) -> Self {
        Self {
            mssp_uri: mssp_uri.into(),
            base_url: None,
            aps: Vec::new(),
            directory,
            profiles: Profile::mobile_connect(),
            default_timeout: SignedDuration::from_mins(5),
            retention: SignedDuration::from_hours(1),
            notification_delays: [2, 4, 8, 16, 32, 64].map(SignedDuration::from_secs).into(),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("mssp_uri", &self.mssp_uri)
            .field("aps", &self.aps)
            .finish_non_exhaustive()
    }
}

/// An application provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ap {
    /// AP_ID.
    pub id: String,
    /// AP_PWD.
    pub password: Secret,
}

/// A person with a SIM, as the MSSP sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// Number.
    pub msisdn: Msisdn,
    /// The SIM in use.
    pub iccid: Iccid,
    /// Registered for the service; otherwise requests end with 105.
    pub active: bool,
}

/// Looks up people and keys. Both functions are pure: the same question always has the same answer.
pub trait Directory: Send + Sync {
    /// Who has this number. An MSSP for any number makes somebody up here.
    fn subscriber(&self, msisdn: &Msisdn) -> Option<Subscriber>;

    /// The key that MSSP and applet share: 16 octets.
    fn mac_key(&self, iccid: &Iccid, algorithm: MacAlgorithm) -> Secret;
}

/// What a SignatureProfile stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// mssURI.
    pub uri: String,
    /// What the user does.
    pub method: Method,
    /// How challenge and response are authenticated.
    pub mac_algorithm: MacAlgorithm,
}

impl Profile {
    /// GSMA Mobile Connect: LoA3 asks for a PIN, LoA2 for a tap. The third is LoA3 on SIMs with triple DES.
    pub fn mobile_connect() -> Vec<Self> {
        [
            ("LoA3", Method::Pin, MacAlgorithm::AesCmac8),
            ("LoA2", Method::Confirm, MacAlgorithm::AesCmac8),
            (
                "LoA3/CBCMAC3DES",
                Method::Pin,
                MacAlgorithm::TripleDesCbcMac,
            ),
        ]
        .into_iter()
        .map(|(name, method, mac_algorithm)| Self {
            uri: format!("http://uri.gsma.com/mobileconnect/{name}"),
            method,
            mac_algorithm,
        })
        .collect()
    }
}

//! What the MSSP knows before the first request. None of it changes in a step.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use jiff::SignedDuration;
use ota_wire::{
    applet::{MacAlgorithm, Method},
    ids::{Iccid, Msisdn},
    secret::Secret,
};
use serde::{Deserialize, Serialize};

use crate::{
    dialect::Dialect,
    operation::Operation,
    pki::{
        credential::{CertificateState, Certificates},
        x509::KeyUsage,
    },
};

/// The configuration of one MSSP.
#[derive(Clone)]
pub struct Config {
    /// MSSP_ID/URI in every answer.
    pub mssp_uri: String,
    /// `http://host:port` for the addresses in the WSDL; without it the request's Host is believed.
    pub base_url: Option<String>,
    /// The same, for requests without a Host that could be believed: where this MSSP listens.
    pub own_url: Option<String>,
    /// Who may ask.
    pub aps: Vec<Ap>,
    /// Who can be asked, and the keys of their SIMs.
    pub directory: Arc<dyn Directory>,
    /// Keys with certificates. Without them, every profile has the MAC of the applet for its signature.
    pub certificates: Option<Arc<dyn Certificates>>,
    /// What the signature of a MAC profile is, to APs that have no word of their own on it.
    pub mac_result: MacResult,
    /// The signature profiles on offer. A request without one gets the first.
    pub profiles: Vec<Profile>,
    /// How long a transaction lasts when the AP does not say.
    pub default_timeout: SignedDuration,
    /// How long a finished transaction can be asked for and its AP_TransID stays taken.
    pub retention: SignedDuration,
    /// After each attempt to notify an AP, how long its answer is awaited before the next. As many attempts are made
    /// as there are entries.
    pub notification_delays: Vec<SignedDuration>,
    /// Which kind of deployment it passes for to APs that have no dialect of their own.
    pub dialect: Dialect,
    /// Whether requests that are not as the schema has them, or whose Instant is far away, are refused. If not, they are
    /// served where their meaning is clear. Deviations are in the trace either way.
    pub strict: bool,
    /// What a request gets whose user is busy with another.
    pub concurrency: Concurrency,
    /// Some home MSSPs cannot see why a user did not sign: failures 401 to 406 on the handset then come out as 208, when
    /// the time is over.
    pub only_expiry: bool,
    /// Whether the numbers that a deployed service publishes for tests behave as documented there.
    pub test_numbers: bool,
}

/// One signature at a time for each SIM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Concurrency {
    /// The second request gets 406.
    #[default]
    Refuse,
    /// The first transaction ends with 401 and the second waits until the card is free.
    CancelPrevious,
}

impl Config {
    /// The defaults of midsim: the Mobile Connect profiles, five minutes for a transaction, an hour of memory, six
    /// attempts to notify within about two minutes.
    pub fn new(mssp_uri: impl Into<String>, directory: Arc<dyn Directory>) -> Self {
        Self {
            mssp_uri: mssp_uri.into(),
            base_url: None,
            own_url: None,
            aps: Vec::new(),
            directory,
            certificates: None,
            mac_result: MacResult::default(),
            profiles: Profile::known(),
            default_timeout: SignedDuration::from_mins(5),
            retention: SignedDuration::from_hours(1),
            notification_delays: [2, 4, 8, 16, 32, 64].map(SignedDuration::from_secs).into(),
            dialect: Dialect::default(),
            strict: false,
            concurrency: Concurrency::default(),
            only_expiry: false,
            test_numbers: true,
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
    /// The certificate it has to show in the TLS handshake, DER; `None` if it needs none.
    pub certificate: Option<Bytes>,
    /// Its dialect, if it is not the MSSP's.
    pub dialect: Option<Dialect>,
    /// How strictly its requests are read, if not as by default.
    pub strict: Option<bool>,
    /// What the signature of a MAC profile is for it, if not as by default.
    pub mac_result: Option<MacResult>,
    /// What it may call; everything if there is none.
    pub operations: Vec<Operation>,
    /// mssURIs of the signature profiles it may use; all if there is none.
    pub profiles: Vec<String>,
    /// Whether its requests come through a mesh of TS 102 207, with a RoamingHeader.
    pub roaming: bool,
    /// Whether it has to call MSS_Handshake before anything else; until then it gets 106.
    pub handshake: bool,
}

impl Ap {
    /// An AP that may do everything.
    pub fn new(id: impl Into<String>, password: Secret) -> Self {
        Self {
            id: id.into(),
            password,
            certificate: None,
            dialect: None,
            strict: None,
            mac_result: None,
            operations: Vec::new(),
            profiles: Vec::new(),
            roaming: false,
            handshake: false,
        }
    }
}

/// A person with a SIM, as the MSSP sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// Number.
    pub msisdn: Msisdn,
    /// The SIM in use.
    pub iccid: Iccid,
    /// How the service stands with them, as long as nobody registers or deregisters them.
    pub state: UserState,
    /// What their certificate is like, as long as nobody says otherwise.
    pub certificate: CertificateState,
    /// The code that requests about them have to carry, if they have set one.
    pub no_spam_code: Option<String>,
    /// Whether the applet on the SIM can ask for a PIN. For MSS_ProfileQuery: what it really does, it says itself.
    pub pin: bool,
}

impl Subscriber {
    /// Somebody who can sign with everything.
    pub fn new(msisdn: Msisdn, iccid: Iccid) -> Self {
        Self {
            msisdn,
            iccid,
            state: UserState::Active,
            certificate: CertificateState::default(),
            no_spam_code: None,
            pin: true,
        }
    }
}

/// How the service stands with a person. Whether PIN or PUK is blocked is for the card to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UserState {
    /// Can sign.
    #[default]
    Active,
    /// Has not registered, or has been deregistered.
    NotRegistered,
    /// Is registered and may not sign for now.
    Suspended,
}

/// Looks up people and keys. Both functions are pure: the same question always has the same answer.
pub trait Directory: Send + Sync {
    /// Who has this number. An MSSP for any number makes somebody up here.
    fn subscriber(&self, msisdn: &Msisdn) -> Option<Subscriber>;

    /// Who is known by this UserIdentifier. Most MSSPs know people by their numbers only.
    fn identified(&self, user_identifier: &str) -> Option<Msisdn> {
        let _ = user_identifier;
        None
    }

    /// The key that MSSP and applet share: 16 octets.
    fn mac_key(&self, iccid: &Iccid, algorithm: MacAlgorithm) -> Secret;
}

/// What a SignatureProfile stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// mssURI.
    pub uri: String,
    /// The mssURI in answers, where the profile leaves a choice and one is taken.
    pub used: Option<String>,
    /// What the user does.
    pub method: Method,
    /// How challenge and response are authenticated.
    pub mac_algorithm: MacAlgorithm,
    /// What comes out as the signature.
    pub proof: Proof,
}

/// What a signature is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proof {
    /// A signature of a key whose certificate has one of these usages.
    Key(KeyUsage),
    /// The applet's MAC, which only the MSSP can verify.
    #[default]
    Mac,
}

/// What the signature of a MAC profile is. TS 102 204 has no word for one that the AP cannot verify.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MacResult {
    /// The MAC itself.
    #[default]
    Mac,
    /// A SignedData over the text by the MSSP, which has verified the MAC, for APs that know nothing else.
    ServerSigned,
}

impl Profile {
    /// A profile under a PIN, authenticated by AES.
    pub fn new(uri: impl Into<String>) -> Self {
        Self {
            uri: uri.into(),
            used: None,
            method: Method::Pin,
            mac_algorithm: MacAlgorithm::AesCmac8,
            proof: Proof::Mac,
        }
    }

    /// A profile under a PIN whose signature is one of a key.
    pub fn of_key(uri: impl Into<String>, usage: KeyUsage) -> Self {
        Self {
            proof: Proof::Key(usage),
            ..Self::new(uri)
        }
    }

    /// How strong it is, for SignatureProfileComparison: the level of assurance that Mobile Connect gives to a tap (2), a PIN
    /// (3), and a PIN with a signature that others can verify (4).
    pub fn level(&self) -> u8 {
        match (self.method, self.proof) {
            (Method::Pin, Proof::Key(_)) => 4,
            (Method::Pin, Proof::Mac) => 3,
            _ => 2,
        }
    }

    /// The profiles of all dialects: Mobile Connect first.
    pub fn known() -> Vec<Self> {
        const SIGNS_IN: KeyUsage = KeyUsage::DIGITAL_SIGNATURE;
        const SIGNS: KeyUsage = KeyUsage::NON_REPUDIATION;

        let mut known = Self::mobile_connect();
        known.extend(
            [
                ("authentication", SIGNS_IN),
                ("anonymous", SIGNS_IN),
                ("signature", SIGNS),
                ("digestive-signature", SIGNS),
                ("consent", SIGNS),
                ("operauth", SIGNS_IN),
            ]
            .map(|(name, usage)| {
                let uri = format!("http://mss.ficom.fi/TS102206/v1.0.0/{name}-profile.xml");
                Self::of_key(uri, usage)
            }),
        );
        // An MSSP with both SIMs and an app chooses between them for "Any"; here all users have SIMs.
        known.extend([
            Self {
                used: Some("http://mid.swisscom.ch/STK-LoA4".to_owned()),
                ..Self::of_key("http://mid.swisscom.ch/Any-LoA4", SIGNS_IN)
            },
            Self::of_key("http://mid.swisscom.ch/STK-LoA4", SIGNS_IN),
            Self::of_key("http://mid.swisscom.ch/MID/v1/AuthProfile1", SIGNS_IN),
        ]);
        known.extend(
            [("digitalSignature", SIGNS_IN), ("nonRepudiation", SIGNS)]
                .map(|(name, usage)| Self::of_key(format!("http://alauda.mobi/{name}"), usage)),
        );
        known
    }

    /// GSMA Mobile Connect: LoA3 asks for a PIN, LoA2 for a tap, LoA4 for a signature of a key. The third is LoA3 on SIMs
    /// with triple DES.
    pub fn mobile_connect() -> Vec<Self> {
        let profile = |name: &str| Self::new(format!("http://uri.gsma.com/mobileconnect/{name}"));
        vec![
            profile("LoA3"),
            Self {
                method: Method::Confirm,
                ..profile("LoA2")
            },
            Self {
                mac_algorithm: MacAlgorithm::TripleDesCbcMac,
                ..profile("LoA3/CBCMAC3DES")
            },
            Self {
                proof: Proof::Key(KeyUsage::DIGITAL_SIGNATURE),
                ..profile("LoA4")
            },
        ]
    }
}

//! Dialects: TS 102 204 as four kinds of deployment speak it. Where they differ, [`Rules`] has a field.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::{
    code::Code,
    config::UserState,
    messages::{InterfaceVersion, MessagingMode, ServiceKind},
    soap::{Fault, MIDSIM},
};

/// Which kind of deployment an MSSP passes for, to all APs or to one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// The standard as it is written.
    Etsi,
    /// FiCom's guideline for Finland, version 2.1.
    Ficom,
    /// Mobile Connect deployments, whose SIMs make a MAC.
    #[default]
    MobileConnect,
    /// Swisscom's Mobile ID.
    Swisscom,
}

/// What a dialect accepts and how it words its faults.
#[derive(Debug)]
pub struct Rules {
    /// MajorVersion/MinorVersion.
    pub versions: &'static [InterfaceVersion],
    /// MessagingModes on offer.
    pub modes: &'static [MessagingMode],
    /// Characters of the longest AP_TransID. The standard gives no bound.
    pub ap_trans_id: usize,
    /// Characters of the longest DataToBeSigned in the GSM 7-bit alphabet; the card bounds it too.
    pub text: usize,
    /// Whether texts may have characters outside the GSM 7-bit alphabet.
    pub ucs2: bool,
    /// When DataToBeDisplayed may be given.
    pub displays: Displays,
    /// Characters of the longest DataToBeDisplayed.
    pub displayed: usize,
    /// How far Instant may be from the time here before a strict MSSP refuses it.
    pub instant_tolerance: Option<SignedDuration>,
    /// mssURI of the signature profile of a request that names none; without it, the first on offer.
    pub default_profile: Option<&'static str>,
    /// What the URIs of its signature profiles begin with; any, if there is none.
    pub profiles: &'static [&'static str],
    /// How long a transaction lasts when the AP does not say; without it, as configured.
    pub default_timeout: Option<SignedDuration>,
    /// Whether a signature of a key is validated only if the service `validate` is asked for. Otherwise it always is.
    pub validates_on_request: bool,
    /// A service that a strict MSSP insists on, and the name at the end of its URI.
    pub mandatory_service: Option<(ServiceKind, &'static str)>,
    /// What UserLang may be (ISO 639-1).
    pub languages: &'static [&'static str],
    /// Whether a fault has the second number of FiCom's annex, below the first.
    pub second_level: bool,
    /// Namespace of the element in env:Detail.
    pub detail_namespace: &'static str,
    /// Namespace and prefix of the first number.
    pub code_namespace: (&'static str, &'static str),
    /// What a request about a suspended user gets.
    pub suspended: (Code, Code),
    /// What a request about an unregistered user gets.
    pub unregistered: (Code, Code),
}

/// When DataToBeDisplayed may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Displays {
    /// With any signature profile.
    Always,
    /// With the signature profile of this mssURI, which needs it.
    OnlyWith(&'static str),
}

/// Namespace of FiCom's codes and services.
pub const FICOM: &str = "http://mss.ficom.fi/TS102204/v1.0.0#";
/// Namespace of the detail that the product behind several deployments writes.
const KIURU: &str = "http://kiuru.methics.fi/mssp";

const V1_1: InterfaceVersion = InterfaceVersion { major: 1, minor: 1 };
const ALL_MODES: &[MessagingMode] = &[
    MessagingMode::Synch,
    MessagingMode::AsynchClientServer,
    MessagingMode::AsynchServerServer,
];
const CLIENT_MODES: &[MessagingMode] = &[MessagingMode::Synch, MessagingMode::AsynchClientServer];

const MSS_CODES: (&str, &str) = (crate::soap::MSS, "mss");

const ETSI: Rules = Rules {
    versions: &[V1_1],
    modes: ALL_MODES,
    ap_trans_id: 64,
    text: 239,
    ucs2: true,
    displays: Displays::Always,
    displayed: 239,
    instant_tolerance: None,
    default_profile: None,
    profiles: &[],
    default_timeout: None,
    validates_on_request: false,
    mandatory_service: None,
    // Those in which there are texts for users somewhere in the field.
    languages: &["de", "en", "fi", "fr", "it", "sv"],
    second_level: false,
    detail_namespace: MIDSIM,
    code_namespace: MSS_CODES,
    suspended: (Code::UNAUTHORIZED_ACCESS, Code(1043)),
    unregistered: (Code::UNKNOWN_CLIENT, Code(1053)),
};

const MOBILE_CONNECT: Rules = Rules {
    versions: &InterfaceVersion::SPOKEN,
    ..ETSI
};

const FICOM_RULES: Rules = Rules {
    modes: CLIENT_MODES,
    ap_trans_id: 32,
    text: 160,
    ucs2: false,
    displays: Displays::OnlyWith("http://mss.ficom.fi/TS102206/v1.0.0/operauth-profile.xml"),
    displayed: 110,
    default_profile: Some("http://mss.ficom.fi/TS102206/v1.0.0/authentication-profile.xml"),
    profiles: &["http://mss.ficom.fi/"],
    default_timeout: Some(SignedDuration::from_mins(5)),
    validates_on_request: true,
    mandatory_service: Some((ServiceKind::EventId, "eventId")),
    second_level: true,
    detail_namespace: KIURU,
    code_namespace: (FICOM, "fi"),
    ..ETSI
};

const SWISSCOM: Rules = Rules {
    versions: &InterfaceVersion::SPOKEN,
    modes: CLIENT_MODES,
    instant_tolerance: Some(SignedDuration::from_mins(5)),
    default_profile: Some("http://mid.swisscom.ch/MID/v1/AuthProfile1"),
    profiles: &["http://mid.swisscom.ch/"],
    default_timeout: Some(SignedDuration::from_secs(80)),
    validates_on_request: true,
    mandatory_service: Some((ServiceKind::UserLang, "userLang")),
    languages: &["de", "en", "fr", "it"],
    detail_namespace: KIURU,
    suspended: (Code::CARD_BLOCKED, Code(4031)),
    unregistered: (Code::NO_KEY_FOUND, Code(4041)),
    ..ETSI
};

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Etsi, Self::Ficom, Self::MobileConnect, Self::Swisscom];

    /// Its name in configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Etsi => "etsi",
            Self::Ficom => "ficom",
            Self::MobileConnect => "mobile-connect",
            Self::Swisscom => "swisscom",
        }
    }

    /// What it accepts and says.
    pub fn rules(self) -> &'static Rules {
        match self {
            Self::Etsi => &ETSI,
            Self::Ficom => &FICOM_RULES,
            Self::MobileConnect => &MOBILE_CONNECT,
            Self::Swisscom => &SWISSCOM,
        }
    }

    /// The fault about a user in this state, if it is one.
    pub(crate) fn refusal(self, state: UserState, user: impl std::fmt::Display) -> Option<Fault> {
        let rules = self.rules();
        let ((code, second), what) = match state {
            UserState::Active => return None,
            UserState::Suspended => (rules.suspended, "is suspended from the service"),
            UserState::NotRegistered => (rules.unregistered, "is not registered for the service"),
        };
        Some(Fault::new(code, format!("{user} {what}")).second(second.0))
    }
}

impl Rules {
    /// Does it know signature profiles of this kind?
    pub(crate) fn takes_profile(&self, uri: &str) -> bool {
        self.profiles.is_empty() || self.profiles.iter().any(|begin| uri.starts_with(begin))
    }
}

impl std::fmt::Display for Dialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

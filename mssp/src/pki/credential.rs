//! Where certificates come from: who signs with which key, and what a person's certificate is like.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Subscriber;

/// Issues certificates and holds the keys that are not on cards. All functions are pure: the same question always has the
/// same answer.
pub trait Certificates: Send + Sync {
    /// Trusted certificates, DER.
    fn anchors(&self) -> Vec<Vec<u8>>;

    /// What a person signs with, the certificate being in this state at this time.
    fn subscriber(
        &self,
        subscriber: &Subscriber,
        state: CertificateState,
        now: Timestamp,
    ) -> Credential;

    /// What the MSSP itself signs with.
    fn service(&self, now: Timestamp) -> Credential;

    /// A signature by a key that is not on a card, as [`super::key::Algorithm`] has it for that key.
    fn sign(&self, key: MsspKey, message: &[u8]) -> Vec<u8>;
}

/// A key with its certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Where the key is.
    pub holder: Holder,
    /// The certificate of the key and those above it, DER.
    pub chain: Vec<Vec<u8>>,
    /// The CRL of the first one's issuer, DER, if it can be had.
    pub crl: Option<Vec<u8>>,
}

impl Credential {
    /// No certificate.
    pub fn none(holder: Holder) -> Self {
        Self {
            holder,
            chain: Vec::new(),
            crl: None,
        }
    }
}

/// Where a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// On the SIM: the applet signs.
    Card,
    /// At the MSSP, which signs once the applet has authenticated the user.
    Mssp(MsspKey),
}

/// A key at the MSSP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MsspKey {
    /// The MSSP's own.
    Service,
    /// That of subscribers whose key is not on their SIM.
    Subscriber,
}

/// What a person's certificate is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateState {
    /// There is a CRL that is none of its issuer: 425.
    CrlDamaged,
    /// The CRL has expired: 424.
    CrlExpired,
    /// There is no CRL: 423.
    CrlMissing,
    /// It has expired: 503.
    Expired,
    /// There is no certificate for the key: 422.
    NoCertificate,
    /// There is no key: 404.
    NoKey,
    /// It is revoked: 501.
    Revoked,
    /// It is for tests only, by its policy: 505.
    Test,
    /// All is well.
    #[default]
    Valid,
}

impl CertificateState {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::CrlDamaged,
        Self::CrlExpired,
        Self::CrlMissing,
        Self::Expired,
        Self::NoCertificate,
        Self::NoKey,
        Self::Revoked,
        Self::Test,
        Self::Valid,
    ];

    /// Its name in configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::CrlDamaged => "crl-damaged",
            Self::CrlExpired => "crl-expired",
            Self::CrlMissing => "crl-missing",
            Self::Expired => "expired",
            Self::NoCertificate => "no-certificate",
            Self::NoKey => "no-key",
            Self::Revoked => "revoked",
            Self::Test => "test",
            Self::Valid => "valid",
        }
    }
}

/// The policy of certificates of test identities, 2.999.2: content octets of its OBJECT IDENTIFIER. FiCom's status 505 is
/// for those.
pub const TEST_POLICY: &[u8] = &[0x88, 0x37, 0x02];

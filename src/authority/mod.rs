//! The certification authority of one installation: every name in it says TEST ONLY.
//!
//! Its key is drawn once and kept; everything else follows from that key, so the same key makes the same certificates, octet by
//! octet (ECDSA after RFC 6979). Certificates hold until the end of 2049, the last year of UTCTime: nobody wants a test to fail
//! because the clock was moved.

mod subscribers;

use std::net::IpAddr;

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::EncodePrivateKey as _;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber, SignatureAlgorithm,
};
use ring::digest::{SHA256, digest};
use ring::signature::KeyPair as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

pub use self::subscribers::Subscribers;
use crate::sockets::tls::{Identity, TlsError, pem};

/// The key of every server of every installation that has none of its own, and of no client. It is published with the program: it authenticates
/// nobody, it only makes TLS possible at once, where drawing an RSA key would take seconds.
const SERVER_KEY: &str = include_str!("../../fixtures/tls/server-TEST-ONLY.key.pem");

const ORGANIZATION: &str = "midsim TEST ONLY";
/// Octets of key identifiers and serial numbers.
const ID: usize = 20;

/// A private key in a store that is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the key of the test CA in the store is not a P-256 private key")]
pub struct BadKey;

/// A root certificate with its key.
pub struct Authority {
    issuer: Issuer<'static, EcdsaKey>,
    certificate: CertificateDer<'static>,
}

impl Authority {
    /// The authority of this P-256 private key.
    ///
    /// # Errors
    /// [`TlsError::Key`] if it is none.
    pub fn new(key: &[u8]) -> Result<Self, TlsError> {
        let key = EcdsaKey::new(key)?;
        let id = key_id(&key);
        let name = format!("midsim root TEST ONLY {}", hex::encode(&id[..4]));
        let mut params = params(&name, &id);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?.der().clone();
        Ok(Self {
            issuer: Issuer::new(params, key),
            certificate,
        })
    }

    /// The root certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The same for files.
    pub fn certificate_pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }

    /// A server with these names and addresses, under the published RSA key. Names that DNS cannot have are left out.
    ///
    /// # Errors
    /// [`TlsError::Issue`].
    pub fn server<'a>(
        &self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<Identity, TlsError> {
        let key = RsaKey::published()?;
        let mut params = params("midsim server TEST ONLY", &key_id(&key.public));
        params.subject_alt_names = names.into_iter().filter_map(alternative_name).collect();
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
        ];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(params, &key.public, key.private)
    }

    /// A client of this name, under a P-256 private key of its own: a certificate proves nothing whose key is published.
    ///
    /// # Errors
    /// [`TlsError::ClientKey`] if it is no P-256 key, [`TlsError::Issue`].
    pub fn client(&self, name: &str, key: &[u8]) -> Result<Identity, TlsError> {
        let key = EcdsaKey::new(key).map_err(|BadKey| TlsError::ClientKey)?;
        let private = key.key.to_pkcs8_der().map_err(|_| TlsError::ClientKey)?;
        let private = PrivatePkcs8KeyDer::from(private.as_bytes().to_vec());
        let mut params = params(&format!("{name} TEST ONLY"), &key_id(&key));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(params, &key, private.into())
    }

    fn issue(
        &self,
        mut params: CertificateParams,
        public: &impl PublicKeyData,
        private: PrivateKeyDer<'static>,
    ) -> Result<Identity, TlsError> {
        // One key stands in several certificates: name and purpose tell their numbers apart.
        let name = params.distinguished_name.get(&DnType::CommonName);
        let purpose = format!("{name:?} {:?}", params.subject_alt_names);
        params.serial_number = Some(serial(&[purpose.as_bytes(), public.der_bytes()]));
        params.use_authority_key_identifier_extension = true;
        params.is_ca = IsCa::ExplicitNoCa;
        let certificate = params.signed_by(public, &self.issuer)?;
        let chain = vec![certificate.der().clone(), self.certificate.clone()];
        Ok(Identity::new(chain, private))
    }
}

/// What every certificate has.
fn params(name: &str, key_id: &[u8]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2049, 12, 31);
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, ORGANIZATION);
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(serial(&[name.as_bytes(), key_id]));
    params.key_identifier_method = KeyIdMethod::PreSpecified(key_id.to_vec());
    params
}

fn alternative_name(name: &str) -> Option<SanType> {
    Some(match name.parse::<IpAddr>() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) => SanType::DnsName(name.try_into().ok()?),
    })
}

/// RFC 7093 §2, method 1: a hash of the key.
fn key_id(key: &impl PublicKeyData) -> Vec<u8> {
    digest(&SHA256, key.der_bytes()).as_ref()[..ID].to_vec()
}

/// RFC 5280 §4.1.2.2: positive, at most 20 octets, and no two the same.
fn serial(of: &[&[u8]]) -> SerialNumber {
    let mut octets = digest(&SHA256, &of.concat()).as_ref()[..ID].to_vec();
    octets[0] = octets[0] & 0x7F | 0x40;
    SerialNumber::from(octets)
}

/// A P-256 key that signs after RFC 6979, and so draws no chance.
struct EcdsaKey {
    key: SigningKey,
    point: Vec<u8>,
}

impl EcdsaKey {
    fn new(key: &[u8]) -> Result<Self, BadKey> {
        let key = SigningKey::from_slice(key).map_err(|_| BadKey)?;
        let point = key.verifying_key().to_sec1_point(false).as_bytes().to_vec();
        Ok(Self { key, point })
    }
}

impl PublicKeyData for EcdsaKey {
    fn der_bytes(&self) -> &[u8] {
        &self.point
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for EcdsaKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature: DerSignature = self.key.sign(message);
        Ok(signature.as_bytes().to_vec())
    }
}

struct RsaKey {
    private: PrivateKeyDer<'static>,
    public: RsaPublicKey,
}

/// RSAPublicKey, DER.
struct RsaPublicKey(Vec<u8>);

impl RsaKey {
    fn published() -> Result<Self, TlsError> {
        Self::read(SERVER_KEY, "fixtures/tls/server-TEST-ONLY.key.pem")
    }

    fn read(pem: &str, path: &str) -> Result<Self, TlsError> {
        let wrong = |why: String| TlsError::File {
            path: path.into(),
            why,
        };
        let private = PrivateKeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|error| wrong(error.to_string()))?;
        let pair = ring::rsa::KeyPair::from_pkcs8(private.secret_der())
            .map_err(|error| wrong(error.to_string()))?;
        let public = RsaPublicKey(pair.public_key().as_ref().to_vec());
        Ok(Self { private, public })
    }
}

impl PublicKeyData for RsaPublicKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_RSA_SHA256
    }
}

//! Certificates of subscribers and of the MSSP, and revocation lists: issued on demand by an authority below the root, and by
//! nothing but keys that follow from others, so that a million subscribers need no million rows.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mssp::pki::credential::{
    CertificateState, Certificates, Credential, Holder, MsspKey, TEST_POLICY,
};
use mssp::pki::der;
use ota_wire::keys::{MasterKey, applet_signing_key};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CustomExtension, DnType,
    IsCa, Issuer, KeyIdMethod, KeyUsagePurpose, PublicKeyData, RevocationReason, RevokedCertParams,
    SerialNumber,
};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};

use super::{Authority, BadKey, EcdsaKey, ORGANIZATION, RsaKey, TlsError, key_id, params, serial};
use crate::world::{KeyPlace, World};

/// The RSA key of every subscriber whose key is not on the SIM. Published, as the servers' key is.
const SUBSCRIBER_KEY: &str = include_str!("../../fixtures/pki/subscriber-TEST-ONLY.key.pem");

/// 2.5.29.32, certificatePolicies.
const POLICIES: &[u64] = &[2, 5, 29, 32];
/// 2.5.4.5, serialNumber.
const SERIAL_NUMBER: &[u64] = &[2, 5, 4, 5];
/// 2.5.4.65, pseudonym.
const PSEUDONYM: &[u64] = &[2, 5, 4, 65];

const DAY: Duration = Duration::from_secs(86_400);

/// The authority that issues certificates for signatures.
pub struct Subscribers {
    world: Arc<World>,
    master: MasterKey,
    root: Vec<u8>,
    issuer: Issuer<'static, EcdsaKey>,
    issuer_id: Vec<u8>,
    certificate: Vec<u8>,
    /// The MSSP's own.
    service: EcdsaKey,
    rsa: RsaKey,
    rsa_pair: RsaKeyPair,
}

impl Authority {
    /// The authority for signatures below this root.
    ///
    /// # Errors
    /// [`TlsError::Issue`].
    pub fn subscribers(&self, world: Arc<World>) -> Result<Subscribers, TlsError> {
        let key = self.key_for("subscribers")?;
        let issuer_id = key_id(&key);
        let mut params = params("midsim subscribers TEST ONLY", &issuer_id);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer)?.der().to_vec();
        let rsa = RsaKey::read(SUBSCRIBER_KEY, "fixtures/pki/subscriber-TEST-ONLY.key.pem")?;
        let rsa_pair =
            RsaKeyPair::from_pkcs8(rsa.private.secret_der()).map_err(|error| TlsError::File {
                path: "fixtures/pki/subscriber-TEST-ONLY.key.pem".into(),
                why: error.to_string(),
            })?;
        Ok(Subscribers {
            master: world.master_key(),
            world,
            root: self.certificate.to_vec(),
            issuer: Issuer::new(params, key),
            issuer_id,
            certificate,
            service: self.key_for("service")?,
            rsa,
            rsa_pair,
        })
    }

    /// A key that follows from the root's.
    fn key_for(&self, purpose: &str) -> Result<EcdsaKey, BadKey> {
        let root = self.issuer.key().key.to_bytes();
        // A hash is no private key once in 2^32; then the next one is.
        (0..=u8::MAX)
            .find_map(|n| {
                let octets = [purpose.as_bytes(), &[n], &root[..]].concat();
                EcdsaKey::new(digest(&SHA256, &octets).as_ref()).ok()
            })
            .ok_or(BadKey)
    }
}

impl Certificates for Subscribers {
    fn anchors(&self) -> Vec<Vec<u8>> {
        vec![self.root.clone()]
    }

    fn subscriber(
        &self,
        subscriber: &mssp::Subscriber,
        state: CertificateState,
        now: Timestamp,
    ) -> Credential {
        let place = self.world.subscriber(&subscriber.msisdn).map(|it| it.key);
        let name = pseudonym(subscriber.iccid.digits());
        match place.unwrap_or_default() {
            KeyPlace::Card => {
                let key = applet_signing_key(&self.master, &subscriber.iccid);
                let Ok(key) = EcdsaKey::new(key.expose()) else {
                    return Credential::none(Holder::Card);
                };
                self.credential(Holder::Card, &name, &key, state, now)
            }
            KeyPlace::Mssp => {
                let holder = Holder::Mssp(MsspKey::Subscriber);
                self.credential(holder, &name, &self.rsa.public, state, now)
            }
        }
    }

    fn service(&self, now: Timestamp) -> Credential {
        let holder = Holder::Mssp(MsspKey::Service);
        let name = pseudonym("the MSSP");
        self.credential(holder, &name, &self.service, CertificateState::Valid, now)
    }

    fn sign(&self, key: MsspKey, message: &[u8]) -> Vec<u8> {
        match key {
            MsspKey::Service => rcgen::SigningKey::sign(&self.service, message).unwrap_or_default(),
            MsspKey::Subscriber => {
                let mut signature = vec![0; self.rsa_pair.public().modulus_len()];
                // The system's chance only blinds the computation: the signature is the same each time. It fails where the
                // system has none, which the process has already used; a signature of zeros verifies nowhere.
                let random = SystemRandom::new();
                let _ = self
                    .rsa_pair
                    .sign(&RSA_PKCS1_SHA256, &random, message, &mut signature);
                signature
            }
        }
    }
}

impl Subscribers {
    fn credential(
        &self,
        holder: Holder,
        name: &str,
        key: &impl PublicKeyData,
        state: CertificateState,
        now: Timestamp,
    ) -> Credential {
        let mut params = self.params(name, key, state);
        let number = serial(&[name.as_bytes(), state.name().as_bytes(), key.der_bytes()]);
        params.serial_number = Some(number.clone());
        let revoked = (state == CertificateState::Revoked).then_some(number);
        let crl = match state {
            CertificateState::CrlMissing => None,
            _ => self.crl(state, revoked, now),
        };
        match params.signed_by(key, &self.issuer) {
            Ok(certificate) => Credential {
                holder,
                chain: vec![
                    certificate.der().to_vec(),
                    self.certificate.clone(),
                    self.root.clone(),
                ],
                crl,
            },
            Err(error) => {
                tracing::error!(%error, "a certificate cannot be made");
                Credential::none(holder)
            }
        }
    }

    fn params(
        &self,
        name: &str,
        key: &impl PublicKeyData,
        state: CertificateState,
    ) -> CertificateParams {
        let mut params = params(name, &key_id(key));
        let subject = &mut params.distinguished_name;
        *subject = rcgen::DistinguishedName::new();
        subject.push(DnType::CommonName, format!("{name}:PN"));
        subject.push(DnType::CustomDnType(SERIAL_NUMBER.to_vec()), name);
        subject.push(DnType::CustomDnType(PSEUDONYM.to_vec()), name);
        subject.push(DnType::OrganizationName, ORGANIZATION);
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::ContentCommitment,
        ];
        match state {
            CertificateState::Expired => params.not_after = rcgen::date_time_ymd(2021, 1, 1),
            CertificateState::Test => {
                let policy = der::sequence(&[&der::element(der::tag::OID, &[TEST_POLICY])]);
                let policies = der::sequence(&[&policy]);
                let extension = CustomExtension::from_oid_content(POLICIES, policies);
                params.custom_extensions.push(extension);
            }
            _ => {}
        }
        params
    }

    /// The list of the day; it lasts a week.
    fn crl(
        &self,
        state: CertificateState,
        revoked: Option<SerialNumber>,
        now: Timestamp,
    ) -> Option<Vec<u8>> {
        let today = now.to_zoned(TimeZone::UTC).date();
        let (year, month, day) = (today.year(), today.month(), today.day());
        let today = rcgen::date_time_ymd(year.into(), month.try_into().ok()?, day.try_into().ok()?);
        let (this_update, next_update) = match state {
            CertificateState::CrlExpired => (today - 8 * DAY, today - DAY),
            _ => (today, today + 7 * DAY),
        };
        let revoked = revoked.map(|serial_number| RevokedCertParams {
            serial_number,
            revocation_time: today - DAY,
            reason_code: Some(RevocationReason::CessationOfOperation),
            invalidity_date: None,
        });
        let days = u64::try_from(now.as_second() / 86_400).ok()?;
        let list = CertificateRevocationListParams {
            this_update,
            next_update,
            crl_number: SerialNumber::from(days),
            issuing_distribution_point: None,
            revoked_certs: revoked.into_iter().collect(),
            key_identifier_method: KeyIdMethod::PreSpecified(self.issuer_id.clone()),
        };
        let mut list = list.signed_by(&self.issuer).ok()?.der().to_vec();
        if state == CertificateState::CrlDamaged
            && let Some(last) = list.last_mut()
        {
            *last ^= 1;
        }
        Some(list)
    }
}

/// Sixteen characters that name somebody without saying who it is: readers of such certificates expect that many.
fn pseudonym(of: &str) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let hash = digest(&SHA256, of.as_bytes());
    let tail = hash.as_ref()[..10]
        .iter()
        .map(|octet| char::from(LETTERS[usize::from(octet & 31)]));
    "midsim".chars().chain(tail).collect()
}

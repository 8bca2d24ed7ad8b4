//! MSS_Signature (TS 102 204 §8.3): from an authentic response of the applet to what the AP gets, and what that is worth.

use ota_wire::{applet::ResponseView, ids::Msisdn};
use ring::digest::{SHA256, digest};

use super::{data::Signed, end::Ending};
use crate::{
    code::Code,
    config::{MacResult, Profile, Proof, Subscriber},
    dialect::FICOM,
    event::EventKind,
    messages::{KeyReference, MssSignature, SignatureReq},
    party::Turn,
    pki::{
        cms::{Content, signed_data},
        credential::{CertificateState, Certificates, Credential, Holder, TEST_POLICY},
        validate::{Criteria, judge},
        x509::{Certificate, KeyUsage},
    },
    record::{Change, Signing, Transaction, key, load},
    soap::{Fault, MSS},
};

/// Namespace of the signature value alone, as the product behind several deployments has it.
const KIURU_3_2: &str = "http://www.methics.fi/KiuruMSSP/v3.2.0#";

/// MSS_Format: what a signature is wrapped in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// SignedData in Base64Signature.
    Cms,
    /// The applet's MAC in Base64Signature.
    Mac,
    /// The signature value in Base64Signature.
    Value,
    /// fi:PKCS1: signature value and certificate.
    ValueAndCertificate,
}

impl Format {
    /// The format for a request. A profile of a MAC has no other; APs are known to ask for PKCS#7 all the same.
    ///
    /// # Errors
    /// 101.
    pub(super) fn of(
        format: Option<&str>,
        by_key: Option<KeyUsage>,
        strict: bool,
    ) -> Result<Self, Fault> {
        let within = |namespace| format.and_then(|uri| uri.strip_prefix(namespace));
        let cms = matches!(within(MSS), Some("PKCS7" | "CMS-Signature"));
        if by_key.is_none() && (format.is_none() || cms && !strict) {
            return Ok(Self::Mac);
        }
        let found = match format {
            None => Some(Self::Cms),
            Some(_) if cms => Some(Self::Cms),
            Some(_) if within(FICOM) == Some("PKCS1") => Some(Self::ValueAndCertificate),
            Some(_) if within(KIURU_3_2) == Some("PKCS1") => Some(Self::Value),
            Some(_) => None,
        };
        let offered = match by_key {
            Some(_) => format!("{MSS}PKCS7, {FICOM}PKCS1 or {KIURU_3_2}PKCS1"),
            None => "none: the signature of this profile is a MAC".to_owned(),
        };
        found.filter(|_| by_key.is_some()).ok_or_else(|| {
            let format = format.unwrap_or_default();
            let detail = format!("MSS_Format {format:?} is not offered, expected {offered}");
            Fault::new(Code::WRONG_PARAM, detail).second(1017)
        })
    }
}

impl Turn<'_> {
    /// What a certificate must be good for, if the signature of this profile is one of a key. An MSSP without certificates
    /// has MACs for all profiles.
    pub(super) fn signs_by_key(&self, profile: &Profile) -> Option<KeyUsage> {
        match profile.proof {
            Proof::Key(usage) if self.config.certificates.is_some() => Some(usage),
            Proof::Key(_) | Proof::Mac => None,
        }
    }

    /// Makes sure that the person has the key that is asked for; gives what the card is to sign with it. The MAC of a
    /// challenge is over all of it: where the text is `apart` from what is signed, the digest is there for that. (The card
    /// signs it as well, which then interests nobody.)
    ///
    /// # Errors
    /// 404, 405, 422.
    pub(super) fn prepare(
        &self,
        subscriber: &Subscriber,
        request: &SignatureReq,
        by_key: Option<KeyUsage>,
        apart: bool,
    ) -> Result<Option<[u8; 32]>, Fault> {
        let no_key = |detail: &str| Fault::new(Code::NO_KEY_FOUND, detail).second(4041);
        let (Some(_), Some(certificates)) = (by_key, &self.config.certificates) else {
            return match &request.key {
                None if apart => Ok(Some(Signed::of(&request.to_be_signed)?.digest())),
                None => Ok(None),
                Some(_) => Err(no_key(
                    "KeyReference names a key, and this signature profile has none",
                )),
            };
        };
        let credential = self.credential(certificates.as_ref(), subscriber)?;
        if let Some(reference) = &request.key {
            check_reference(reference, &credential)?;
        }
        let signed = Signed::of(&request.to_be_signed)?;
        match credential.holder {
            Holder::Card => Ok(Some(signed.digest())),
            Holder::Mssp(_) => signed.octets().map(|_| None),
        }
    }

    /// What the user's consent becomes.
    pub(super) fn sign(&self, txn: &Transaction, view: ResponseView<'_>) -> Ending {
        let signed = |signature| Ending {
            code: Code::VALID_SIGNATURE,
            second: 0,
            signature: Some(signature),
            certificates: Vec::new(),
            detail: String::new(),
        };
        let Some(certificates) = self.config.certificates.as_deref() else {
            return signed(MssSignature::Base64(view.mac().to_vec()));
        };
        let result = match txn.signing {
            Some(signing) => self.sign_by_key(certificates, txn, signing, view),
            None => match self.mac_result(&txn.origin.ap_id) {
                MacResult::Mac => return signed(MssSignature::Base64(view.mac().to_vec())),
                MacResult::ServerSigned => self.sign_ourselves(certificates, txn),
            },
        };
        result.unwrap_or_else(|fault| Ending::failed(fault.code, fault.second, fault.detail))
    }

    fn sign_by_key(
        &self,
        certificates: &dyn Certificates,
        txn: &Transaction,
        signing: Signing,
        view: ResponseView<'_>,
    ) -> Result<Ending, Fault> {
        let subscriber = self
            .config
            .directory
            .subscriber(&txn.msisdn)
            .ok_or_else(|| broken("the subscriber is gone", 9002))?;
        let credential = self.credential(certificates, &subscriber)?;
        let signed = Signed::of(&txn.request.to_be_signed)?;
        let value = match credential.holder {
            Holder::Card if view.signature().is_empty() => {
                return Err(broken("the applet was to sign and did not", 9003));
            }
            Holder::Card => view.signature().to_vec(),
            Holder::Mssp(key) => certificates.sign(key, signed.octets()?),
        };
        let message = message(signed.content(), &credential, &value)?;
        let verdict = judge(
            &message,
            &Criteria {
                content: signed.content(),
                anchors: &certificates.anchors(),
                crl: credential.crl.as_deref(),
                usage: signing.usage,
                refused_policy: Some(TEST_POLICY),
                now: self.now,
            },
        );
        let (code, detail) = if signing.validate {
            (verdict.code(), verdict.detail())
        } else {
            (Code::SIGNATURE, String::new())
        };
        if code.is_fault() {
            return Err(Fault::new(code, detail));
        }
        // The format was looked at when the request came.
        let format = Format::of(txn.request.format.as_deref(), Some(signing.usage), false)?;
        let leaf = credential.chain.first().cloned().unwrap_or_default();
        Ok(Ending {
            code,
            second: 0,
            signature: Some(match format {
                Format::Cms | Format::Mac => MssSignature::Base64(message),
                Format::Value => MssSignature::Base64(value),
                Format::ValueAndCertificate => MssSignature::Pkcs1 {
                    value,
                    certificate: leaf,
                },
            }),
            certificates: credential.chain,
            detail,
        })
    }

    /// A SignedData over the text by the MSSP itself: it has verified the MAC.
    fn sign_ourselves(
        &self,
        certificates: &dyn Certificates,
        txn: &Transaction,
    ) -> Result<Ending, Fault> {
        let credential = certificates.service(self.now);
        let Holder::Mssp(key) = credential.holder else {
            return Err(broken("the MSSP has no key of its own", 9002));
        };
        let signed = Signed::of(&txn.request.to_be_signed)?;
        let value = certificates.sign(key, signed.octets()?);
        Ok(Ending {
            code: Code::VALID_SIGNATURE,
            second: 0,
            signature: Some(MssSignature::Base64(message(
                signed.content(),
                &credential,
                &value,
            )?)),
            certificates: credential.chain,
            detail: String::new(),
        })
    }

    pub(super) fn mac_result(&self, ap_id: &str) -> MacResult {
        let ap = self.config.aps.iter().find(|ap| ap.id == ap_id);
        ap.and_then(|ap| ap.mac_result)
            .unwrap_or(self.config.mac_result)
    }

    /// What somebody signs with now.
    ///
    /// # Errors
    /// 404, 422.
    fn credential(
        &self,
        certificates: &dyn Certificates,
        subscriber: &Subscriber,
    ) -> Result<Credential, Fault> {
        match self.certificate_state(&subscriber.msisdn, subscriber)? {
            CertificateState::NoKey => {
                Err(Fault::new(Code::NO_KEY_FOUND, "there is no key for signatures").second(4041))
            }
            CertificateState::NoCertificate => Err(Fault::new(
                Code::NO_CERT_FOUND,
                "there is no certificate for the key",
            )),
            state => Ok(certificates.subscriber(subscriber, state, self.now)),
        }
    }

    fn certificate_state(
        &self,
        msisdn: &Msisdn,
        subscriber: &Subscriber,
    ) -> Result<CertificateState, Fault> {
        let known = load(self.view, key::certificate(msisdn))?;
        Ok(known.unwrap_or(subscriber.certificate))
    }

    /// Somebody has a person's certificate revoked, or otherwise changed.
    pub(crate) fn certificate_changed(&mut self, msisdn: Msisdn, state: CertificateState) {
        let own = ota_wire::trace::Id::new("certificate", &msisdn);
        let changed = EventKind::Certificate {
            msisdn: msisdn.clone(),
            state,
        };
        self.event(own, None, changed);
        self.change(Change::Certificate(msisdn, state));
    }
}

fn message(content: Content<'_>, credential: &Credential, value: &[u8]) -> Result<Vec<u8>, Fault> {
    let (leaf, others) = credential
        .chain
        .split_first()
        .ok_or_else(|| broken("there is no certificate", 9002))?;
    let leaf = Certificate::parse(leaf)
        .map_err(|error| broken(&format!("the certificate cannot be read: {error}"), 9002))?;
    let others: Vec<_> = others.iter().map(Vec::as_slice).collect();
    Ok(signed_data(content, &leaf, &others, value))
}

/// KeyReference must be true of the key that signs.
fn check_reference(reference: &KeyReference, credential: &Credential) -> Result<(), Fault> {
    use base64::{Engine, engine::general_purpose::STANDARD};

    let no_key = |detail: String| Fault::new(Code::NO_KEY_FOUND, detail).second(4041);
    if let Some(url) = reference.certificate_urls.first() {
        return Err(Fault::new(
            Code::NO_URL_FOUND,
            format!("CertificateURL {url:?} cannot be used: certificates here have no URLs"),
        ));
    }
    let read = |at: usize| {
        let der = credential.chain.get(at)?;
        Certificate::parse(der).ok()
    };
    let (Some(own), issuer) = (read(0), read(1)) else {
        return Err(no_key("there is no certificate for the key".to_owned()));
    };
    let hashes = |certificate: &Certificate<'_>| {
        let key = certificate.public_key.octets();
        let sha1 = &ring::digest::SHA1_FOR_LEGACY_USE_ONLY;
        [digest(sha1, key), digest(&SHA256, key)].map(|hash| STANDARD.encode(hash))
    };
    let own_hashes = hashes(&own);
    if reference
        .user_keys
        .iter()
        .any(|hash| !own_hashes.contains(hash))
    {
        return Err(no_key(
            "HashOfUsersPublicKey is not that of the user's key".to_owned(),
        ));
    }
    let issuer_hashes = issuer.as_ref().map(hashes);
    let by_issuer = |hash| issuer_hashes.as_ref().is_some_and(|all| all.contains(hash));
    if !reference.ca_keys.iter().all(by_issuer) {
        return Err(no_key(
            "HashOfCAPublicKey is not that of the certificate's issuer".to_owned(),
        ));
    }
    let name = own.issuer_name();
    if let Some(other) = reference.issuers.iter().find(|dn| !same_name(dn, &name)) {
        return Err(no_key(format!(
            "CertificateIssuerDN is {other:?}, the certificate's issuer is {name:?}"
        )));
    }
    Ok(())
}

/// Names are compared without regard to case and to blanks around separators.
fn same_name(one: &str, other: &str) -> bool {
    let parts = |name: &str| -> Vec<String> {
        name.split(',')
            .map(|part| {
                let (key, value) = part.split_once('=').unwrap_or((part, ""));
                format!("{}={}", key.trim(), value.trim()).to_lowercase()
            })
            .collect()
    };
    parts(one) == parts(other)
}

fn broken(detail: &str, second: u16) -> Fault {
    Fault::new(Code::INTERNAL_ERROR, detail).second(second)
}

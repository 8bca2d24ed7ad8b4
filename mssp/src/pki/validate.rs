//! What a signature is worth (TS 102 204 annex B, statuses 501 to 505; annex C, faults 422 to 425): the signature itself, the
//! path of its certificate (RFC 5280 §6, without names and policies of intermediate authorities), its validity, its revocation,
//! and what the profile asks of it.

use jiff::Timestamp;

use super::cms::{Content, SignedData};
use super::key::PublicKey;
use super::x509::{Certificate, Crl, KeyUsage};
use crate::code::Code;

/// Certificates between a signer's and an anchor.
const LONGEST_PATH: usize = 8;

/// What a signature is judged by.
#[derive(Clone, Debug)]
pub struct Criteria<'a> {
    /// What should have been signed.
    pub content: Content<'a>,
    /// Trusted certificates, DER.
    pub anchors: &'a [Vec<u8>],
    /// The CRL of the signer's issuer, DER, if it can be had.
    pub crl: Option<&'a [u8]>,
    /// keyUsage of which the signer's certificate must have one.
    pub usage: KeyUsage,
    /// A policy that the signer's certificate must not have: OBJECT IDENTIFIER, content octets.
    pub refused_policy: Option<&'a [u8]>,
    /// When.
    pub now: Timestamp,
}

/// The outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is well: 502.
    Valid,
    /// The certificate is revoked: 501.
    Revoked {
        /// Since when.
        since: Timestamp,
    },
    /// The signature is worth nothing: 503.
    Invalid(String),
    /// All is well, but the profile does not allow such a certificate: 505.
    Constraint(String),
    /// There is no CRL: 423.
    CrlMissing,
    /// The CRL has expired: 424.
    CrlExpired {
        /// Its nextUpdate.
        at: Timestamp,
    },
    /// The CRL says nothing that could be believed: 425.
    CrlUnusable(String),
}

impl Verdict {
    /// Status or fault.
    pub fn code(&self) -> Code {
        match self {
            Self::Valid => Code::VALID_SIGNATURE,
            Self::Revoked { .. } => Code::REVOKED_CERTIFICATE,
            Self::Invalid(_) => Code::INVALID_SIGNATURE,
            Self::Constraint(_) => Code::CONSTRAINT_MISMATCH,
            Self::CrlMissing => Code::CRL_PB,
            Self::CrlExpired { .. } => Code::CRL_EXPIRED,
            Self::CrlUnusable(_) => Code::ERROR_CERTIFICATE,
        }
    }

    /// For people; empty if all is well.
    pub fn detail(&self) -> String {
        match self {
            Self::Valid => String::new(),
            Self::Revoked { since } => format!("the certificate is revoked since {since:.0}"),
            Self::Invalid(why) | Self::Constraint(why) | Self::CrlUnusable(why) => why.clone(),
            Self::CrlMissing => {
                "whether the certificate is revoked cannot be known: there is no CRL".to_owned()
            }
            Self::CrlExpired { at } => {
                format!(
                    "whether the certificate is revoked cannot be known: the CRL expired at {at:.0}"
                )
            }
        }
    }
}

/// Judges a SignedData.
pub fn judge(signed_data: &[u8], by: &Criteria<'_>) -> Verdict {
    match examine(signed_data, by) {
        Ok(()) => Verdict::Valid,
        Err(verdict) => verdict,
    }
}

fn examine(signed_data: &[u8], by: &Criteria<'_>) -> Result<(), Verdict> {
    let invalid = |why: &str| Verdict::Invalid(why.to_owned());
    let message = SignedData::parse(signed_data)
        .map_err(|error| Verdict::Invalid(format!("the signature cannot be read: {error}")))?;
    let expected = match by.content {
        Content::Octets(octets) => Some(octets),
        Content::Digest(_) => None,
    };
    if message.content != expected {
        return Err(invalid("something else was signed than was asked for"));
    }
    let signer = message
        .signer()
        .ok_or_else(|| invalid("the signer's certificate is not in the message"))?;
    if !message.signs(by.content, &signer) {
        return Err(invalid(
            "the signature is not one of the key in the certificate",
        ));
    }
    valid_now(&signer, by.now)?;
    let anchors: Vec<_> = read(by.anchors.iter().map(Vec::as_slice));
    let given: Vec<_> = read(message.certificates.iter().copied());
    let issuer = path(&signer, &given, &anchors, by.now)?;
    not_revoked(&signer, issuer, by)?;
    let usage = |usage: KeyUsage| usage.has(by.usage);
    if !signer.key_usage.is_none_or(usage) {
        return Err(Verdict::Constraint(
            "the certificate's keyUsage is not that of the signature profile".to_owned(),
        ));
    }
    if by
        .refused_policy
        .is_some_and(|policy| signer.policies.contains(&policy))
    {
        return Err(Verdict::Constraint(
            "the certificate is for tests only, by its policy".to_owned(),
        ));
    }
    Ok(())
}

/// Those that are certificates.
fn read<'a>(all: impl Iterator<Item = &'a [u8]>) -> Vec<Certificate<'a>> {
    all.filter_map(|der| Certificate::parse(der).ok()).collect()
}

fn valid_now(certificate: &Certificate<'_>, now: Timestamp) -> Result<(), Verdict> {
    let Certificate {
        not_before,
        not_after,
        ..
    } = certificate;
    if now < *not_before {
        return Err(Verdict::Invalid(format!(
            "the certificate is not valid before {not_before:.0}; it is {now:.0}"
        )));
    }
    if now > *not_after {
        return Err(Verdict::Invalid(format!(
            "the certificate expired at {not_after:.0}; it is {now:.0}"
        )));
    }
    Ok(())
}

/// Follows the path from the signer to an anchor, and gives the signer's issuer.
fn path<'a, 'b>(
    signer: &Certificate<'a>,
    given: &'b [Certificate<'a>],
    anchors: &'b [Certificate<'b>],
    now: Timestamp,
) -> Result<&'b Certificate<'b>, Verdict>
where
    'a: 'b,
{
    let mut first: Option<&Certificate<'_>> = None;
    let mut subject: Certificate<'_> = signer.clone();
    for _ in 0..LONGEST_PATH {
        let issues = |candidate: &&Certificate<'_>| {
            let may = |usage: KeyUsage| usage.has(KeyUsage::KEY_CERT_SIGN);
            candidate.subject == subject.issuer
                && candidate.is_ca
                && candidate.key_usage.is_none_or(may)
                && subject.is_signed_by(&candidate.public_key)
        };
        if let Some(anchor) = anchors.iter().find(issues) {
            valid_now(anchor, now)?;
            return Ok(first.unwrap_or(anchor));
        }
        let Some(issuer) = given.iter().find(issues) else {
            break;
        };
        valid_now(issuer, now)?;
        first = first.or(Some(issuer));
        subject = issuer.clone();
    }
    Err(Verdict::Invalid(
        "no path leads from the certificate to an authority that is trusted".to_owned(),
    ))
}

fn not_revoked(
    signer: &Certificate<'_>,
    issuer: &Certificate<'_>,
    by: &Criteria<'_>,
) -> Result<(), Verdict> {
    let unusable = |why: String| Verdict::CrlUnusable(why);
    let crl = by.crl.ok_or(Verdict::CrlMissing)?;
    let crl =
        Crl::parse(crl).map_err(|error| unusable(format!("the CRL cannot be read: {error}")))?;
    let may = |usage: KeyUsage| usage.has(KeyUsage::CRL_SIGN);
    let key: &PublicKey<'_> = &issuer.public_key;
    if crl.issuer != signer.issuer || !issuer.key_usage.is_none_or(may) || !crl.is_signed_by(key) {
        return Err(unusable(
            "the CRL is not one of the certificate's issuer".to_owned(),
        ));
    }
    if by.now < crl.this_update {
        return Err(unusable(format!(
            "the CRL is of {:.0}, which is still to come",
            crl.this_update
        )));
    }
    if let Some(at) = crl.next_update
        && by.now > at
    {
        return Err(Verdict::CrlExpired { at });
    }
    match crl.revoked(signer.serial) {
        Some(since) => Err(Verdict::Revoked { since }),
        None => Ok(()),
    }
}

//! Certificates and certificate revocation lists (RFC 5280), as views of their octets.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::der::{DerError, Element, Reader, element, tag};
use super::key::PublicKey;

/// Object identifiers, content octets.
mod oid {
    /// 2.5.29.15.
    pub(super) const KEY_USAGE: &[u8] = &[0x55, 0x1D, 0x0F];
    /// 2.5.29.19.
    pub(super) const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1D, 0x13];
    /// 2.5.29.32.
    pub(super) const POLICIES: &[u8] = &[0x55, 0x1D, 0x20];
}

/// A certificate. What is read holds for any that is DER; extensions that are not read here are passed over unless they are
/// critical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate<'a> {
    /// All octets.
    pub der: &'a [u8],
    /// tbsCertificate: what is signed.
    pub tbs: &'a [u8],
    /// serialNumber, without leading zeros.
    pub serial: &'a [u8],
    /// issuer, a Name.
    pub issuer: &'a [u8],
    /// subject, a Name.
    pub subject: &'a [u8],
    /// notBefore.
    pub not_before: Timestamp,
    /// notAfter.
    pub not_after: Timestamp,
    /// subjectPublicKeyInfo.
    pub public_key: PublicKey<'a>,
    /// Whether it may issue certificates: basicConstraints, cA.
    pub is_ca: bool,
    /// keyUsage; `None` if it does not say.
    pub key_usage: Option<KeyUsage>,
    /// certificatePolicies: their object identifiers, content octets.
    pub policies: Vec<&'a [u8]>,
    /// signatureAlgorithm, an AlgorithmIdentifier.
    pub signature_algorithm: &'a [u8],
    /// signatureValue.
    pub signature: &'a [u8],
}

/// keyUsage (RFC 5280 §4.2.1.3): bit n of the string is bit 15 - n here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyUsage(pub u16);

impl KeyUsage {
    /// digitalSignature.
    pub const DIGITAL_SIGNATURE: Self = Self(0x8000);
    /// nonRepudiation.
    pub const NON_REPUDIATION: Self = Self(0x4000);
    /// keyCertSign.
    pub const KEY_CERT_SIGN: Self = Self(0x0400);
    /// cRLSign.
    pub const CRL_SIGN: Self = Self(0x0200);

    /// Whether one of the bits of `wanted` is set.
    pub fn has(self, wanted: Self) -> bool {
        self.0 & wanted.0 != 0
    }
}

impl<'a> Certificate<'a> {
    /// Reads a certificate.
    ///
    /// # Errors
    /// [`DerError`].
    pub fn parse(octets: &'a [u8]) -> Result<Self, DerError> {
        let signed = Signed::parse(octets)?;
        let mut tbs = signed.tbs.inside();
        if let Some(version) = tbs.optional(tag::constructed(0))? {
            version.inside().unsigned()?;
        }
        let serial = tbs.unsigned()?;
        let inner_algorithm = tbs.read(tag::SEQUENCE)?.der;
        signed.check_algorithm(inner_algorithm)?;
        let issuer = tbs.read(tag::SEQUENCE)?.der;
        let mut validity = tbs.read(tag::SEQUENCE)?.inside();
        let (not_before, not_after) = (time(validity.any()?)?, time(validity.any()?)?);
        validity.end()?;
        let subject = tbs.read(tag::SEQUENCE)?.der;
        let public_key = PublicKey::parse(tbs.read(tag::SEQUENCE)?.der)?;
        // issuerUniqueID and subjectUniqueID, of which nobody makes use.
        tbs.optional(tag::primitive(1))?;
        tbs.optional(tag::primitive(2))?;
        let mut certificate = Self {
            der: octets,
            tbs: signed.tbs.der,
            serial,
            issuer,
            subject,
            not_before,
            not_after,
            public_key,
            is_ca: false,
            key_usage: None,
            policies: Vec::new(),
            signature_algorithm: signed.algorithm,
            signature: signed.signature,
        };
        if let Some(extensions) = tbs.optional(tag::constructed(3))? {
            let mut outer = extensions.inside();
            let mut list = outer.read(tag::SEQUENCE)?.inside();
            outer.end()?;
            while !list.is_empty() {
                certificate.extension(list.read(tag::SEQUENCE)?.inside())?;
            }
        }
        tbs.end()?;
        Ok(certificate)
    }

    fn extension(&mut self, mut extension: Reader<'a>) -> Result<(), DerError> {
        let name = extension.read(tag::OID)?.content;
        let critical = boolean(&mut extension)?;
        let value = extension.read(tag::OCTET_STRING)?;
        extension.end()?;
        let mut value = value.inside();
        match name {
            oid::BASIC_CONSTRAINTS => {
                let mut constraints = value.read(tag::SEQUENCE)?.inside();
                self.is_ca = boolean(&mut constraints)?;
            }
            oid::KEY_USAGE => {
                let bits = value.read(tag::BIT_STRING)?.content;
                let octet = |at: usize| u16::from(bits.get(at).copied().unwrap_or_default());
                self.key_usage = Some(KeyUsage(octet(1) << 8 | octet(2)));
            }
            oid::POLICIES => {
                let mut policies = value.read(tag::SEQUENCE)?.inside();
                while !policies.is_empty() {
                    let policy = policies.read(tag::SEQUENCE)?.inside().read(tag::OID)?;
                    self.policies.push(policy.content);
                }
            }
            _ if critical => {
                return Err(DerError::Value {
                    what: "the certificate",
                    why: "has a critical extension that is not known here",
                });
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether it has been signed with the key of `issuer`. Names are for the caller to compare.
    pub fn is_signed_by(&self, issuer: &PublicKey<'_>) -> bool {
        issuer.verifies(self.signature_algorithm, self.tbs, self.signature)
    }

    /// issuer as text, last part first (RFC 4514).
    pub fn issuer_name(&self) -> String {
        name_to_text(self.issuer)
    }

    /// subject as text, last part first (RFC 4514).
    pub fn subject_name(&self) -> String {
        name_to_text(self.subject)
    }

    /// IssuerAndSerialNumber of CMS (RFC 5652 §10.2.4).
    pub fn issuer_and_serial(&self) -> Vec<u8> {
        element(
            tag::SEQUENCE,
            &[self.issuer, &super::der::unsigned(self.serial)],
        )
    }
}

/// A certificate revocation list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crl<'a> {
    /// tbsCertList: what is signed.
    pub tbs: &'a [u8],
    /// issuer, a Name.
    pub issuer: &'a [u8],
    /// thisUpdate.
    pub this_update: Timestamp,
    /// nextUpdate.
    pub next_update: Option<Timestamp>,
    /// revokedCertificates, each a SEQUENCE that has been looked at.
    revoked: Option<Element<'a>>,
    /// signatureAlgorithm, an AlgorithmIdentifier.
    pub signature_algorithm: &'a [u8],
    /// signatureValue.
    pub signature: &'a [u8],
}

impl<'a> Crl<'a> {
    /// Reads a CRL.
    ///
    /// # Errors
    /// [`DerError`].
    pub fn parse(octets: &'a [u8]) -> Result<Self, DerError> {
        let signed = Signed::parse(octets)?;
        let mut tbs = signed.tbs.inside();
        if tbs.peek() == Some(tag::INTEGER) {
            tbs.unsigned()?;
        }
        let inner_algorithm = tbs.read(tag::SEQUENCE)?.der;
        signed.check_algorithm(inner_algorithm)?;
        let issuer = tbs.read(tag::SEQUENCE)?.der;
        let this_update = time(tbs.any()?)?;
        let next_update = match tbs.peek() {
            Some(tag::UTC_TIME | tag::GENERALIZED_TIME) => Some(time(tbs.any()?)?),
            _ => None,
        };
        let revoked = tbs.optional(tag::SEQUENCE)?;
        if let Some(list) = revoked {
            let mut entries = list.inside();
            while !entries.is_empty() {
                let mut entry = entries.read(tag::SEQUENCE)?.inside();
                entry.unsigned()?;
                time(entry.any()?)?;
                entry.optional(tag::SEQUENCE)?;
                entry.end()?;
            }
        }
        tbs.optional(tag::constructed(0))?;
        tbs.end()?;
        Ok(Self {
            tbs: signed.tbs.der,
            issuer,
            this_update,
            next_update,
            revoked,
            signature_algorithm: signed.algorithm,
            signature: signed.signature,
        })
    }

    /// Since when the certificate of this number is revoked, if it is.
    pub fn revoked(&self, serial: &[u8]) -> Option<Timestamp> {
        let mut entries = self.revoked?.inside();
        // Every entry was read before.
        while let Ok(entry) = entries.read(tag::SEQUENCE) {
            let mut entry = entry.inside();
            if entry.unsigned() == Ok(serial) {
                return time(entry.any().ok()?).ok();
            }
        }
        None
    }

    /// Whether it has been signed with the key of `issuer`. Names are for the caller to compare.
    pub fn is_signed_by(&self, issuer: &PublicKey<'_>) -> bool {
        issuer.verifies(self.signature_algorithm, self.tbs, self.signature)
    }
}

/// Names of attributes (RFC 4514 §3 and what X.520 calls them), by the content octets of their OBJECT IDENTIFIERs.
const ATTRIBUTES: [(&[u8], &str); 8] = [
    (&[0x55, 0x04, 0x03], "CN"),
    (&[0x55, 0x04, 0x05], "SERIALNUMBER"),
    (&[0x55, 0x04, 0x06], "C"),
    (&[0x55, 0x04, 0x07], "L"),
    (&[0x55, 0x04, 0x08], "ST"),
    (&[0x55, 0x04, 0x0A], "O"),
    (&[0x55, 0x04, 0x0B], "OU"),
    (&[0x55, 0x04, 0x41], "PSEUDONYM"),
];

/// A Name, for people. What cannot be read is left out; characters that RFC 4514 escapes are escaped.
fn name_to_text(name: &[u8]) -> String {
    let mut parts = Vec::new();
    let mut sets = Element::only(name).map_or_else(|_| Reader::new(&[]), |name| name.inside());
    while let Ok(set) = sets.read(tag::SET) {
        let mut attributes = set.inside();
        while let Ok(attribute) = attributes.read(tag::SEQUENCE) {
            let mut attribute = attribute.inside();
            let (Ok(kind), Ok(value)) = (attribute.read(tag::OID), attribute.any()) else {
                continue;
            };
            let known = ATTRIBUTES.iter().find(|(oid, _)| *oid == kind.content);
            let kind =
                known.map_or_else(|| hex::encode(kind.content), |(_, name)| (*name).to_owned());
            parts.push(format!("{kind}={}", escaped(value.content)));
        }
    }
    parts.reverse();
    parts.join(",")
}

fn escaped(value: &[u8]) -> String {
    let mut text = String::new();
    for c in String::from_utf8_lossy(value).chars() {
        if matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';') {
            text.push('\\');
        }
        text.push(if c.is_control() { '?' } else { c });
    }
    text
}

/// What certificates and CRLs have around what is signed.
struct Signed<'a> {
    tbs: Element<'a>,
    algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    fn parse(octets: &'a [u8]) -> Result<Self, DerError> {
        let outer = Element::only(octets)?;
        if outer.tag != tag::SEQUENCE {
            let (expected, got) = (tag::SEQUENCE, Some(outer.tag));
            return Err(DerError::Tag { expected, got });
        }
        let mut parts = outer.inside();
        let tbs = parts.read(tag::SEQUENCE)?;
        let signed = Self {
            tbs,
            algorithm: parts.read(tag::SEQUENCE)?.der,
            signature: parts.octets_of_bits()?,
        };
        parts.end()?;
        Ok(signed)
    }

    /// RFC 5280 §4.1.1.2: the algorithm inside is the one outside.
    fn check_algorithm(&self, inner: &[u8]) -> Result<(), DerError> {
        if inner == self.algorithm {
            return Ok(());
        }
        Err(DerError::Value {
            what: "the signature algorithm",
            why: "is not the one that is signed",
        })
    }
}

/// A BOOLEAN DEFAULT FALSE.
fn boolean(reader: &mut Reader<'_>) -> Result<bool, DerError> {
    match reader.optional(tag::BOOLEAN)?.map(|value| value.content) {
        None | Some([0x00]) => Ok(false),
        Some([0xFF]) => Ok(true),
        Some(_) => Err(DerError::Value {
            what: "BOOLEAN",
            why: "is neither FF nor 00",
        }),
    }
}

/// RFC 5280 §4.1.2.5: both kinds end with Z and have seconds, without a fraction.
fn time(element: Element<'_>) -> Result<Timestamp, DerError> {
    let error = DerError::Value {
        what: "the time",
        why: "is not one that RFC 5280 allows",
    };
    let (digits, [b'Z']) = element
        .content
        .split_last_chunk()
        .ok_or_else(|| error.clone())?
    else {
        return Err(error);
    };
    let two = |at: usize| -> Option<i16> {
        match digits.get(at..at + 2)? {
            [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => {
                Some(i16::from(tens - b'0') * 10 + i16::from(ones - b'0'))
            }
            _ => None,
        }
    };
    let read = || {
        let (year, at) = match (element.tag, digits.len()) {
            // 50 to 99 are of the twentieth century.
            (tag::UTC_TIME, 12) => (two(0)? + if two(0)? >= 50 { 1900 } else { 2000 }, 2),
            (tag::GENERALIZED_TIME, 14) => (two(0)? * 100 + two(2)?, 4),
            _ => return None,
        };
        let part = |n: usize| two(at + 2 * n).map(|value| value as i8);
        let civil =
            DateTime::new(year, part(0)?, part(1)?, part(2)?, part(3)?, part(4)?, 0).ok()?;
        civil
            .to_zoned(TimeZone::UTC)
            .ok()
            .map(|zoned| zoned.timestamp())
    };
    read().ok_or(error)
}

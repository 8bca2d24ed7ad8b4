//! As much of X.509 (RFC 5280) as client authentication asks for: the subject, the alternative names and the public key.
//!
//! The listener has checked the rest. Reading is bounded by the octets there are; never panics.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::json;

use crate::jose::base64url;
use crate::jose::jwk::{Jwk, PublicKey};

/// Tags of DER (X.690) and of GeneralName (RFC 5280 §4.2.1.6).
mod tag {
    pub(super) const INTEGER: u8 = 0x02;
    pub(super) const BIT_STRING: u8 = 0x03;
    pub(super) const OCTET_STRING: u8 = 0x04;
    pub(super) const OID: u8 = 0x06;
    pub(super) const SEQUENCE: u8 = 0x30;
    pub(super) const SET: u8 = 0x31;
    pub(super) const VERSION: u8 = 0xa0;
    pub(super) const EXTENSIONS: u8 = 0xa3;
    pub(super) const RFC822_NAME: u8 = 0x81;
    pub(super) const DNS_NAME: u8 = 0x82;
    pub(super) const URI: u8 = 0x86;
    pub(super) const IP_ADDRESS: u8 = 0x87;
}

/// Names of attribute types and their OIDs (RFC 4514 §3 and what certificates of clients use besides).
const TYPES: [(&str, &str); 12] = [
    ("CN", "2.5.4.3"),
    ("serialNumber", "2.5.4.5"),
    ("C", "2.5.4.6"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("STREET", "2.5.4.9"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("organizationIdentifier", "2.5.4.97"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("emailAddress", "1.2.840.113549.1.9.1"),
];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// A certificate.
#[derive(Debug)]
pub(crate) struct Certificate<'a> {
    subject: Name,
    key_info: &'a [u8],
    alternatives: Vec<(u8, &'a [u8])>,
}

/// A distinguished name, first RDN first as in the certificate. Equal after RFC 4518, as far as clients need it: letters of
/// either case and runs of blanks are the same.
#[derive(Clone, Debug)]
pub(crate) struct Name(Vec<Vec<(String, String)>>);

impl<'a> Certificate<'a> {
    /// Reads a certificate, DER. `None` if it is none.
    pub(crate) fn parse(der: &'a [u8]) -> Option<Self> {
        let mut outer = Der(der);
        let certificate = outer.expect(tag::SEQUENCE)?;
        if !outer.0.is_empty() {
            return None;
        }
        let mut tbs = Der(Der(certificate).expect(tag::SEQUENCE)?);
        if tbs.peek() == Some(tag::VERSION) {
            tbs.next()?;
        }
        tbs.expect(tag::INTEGER)?; // serial number
        tbs.expect(tag::SEQUENCE)?; // signature algorithm
        tbs.expect(tag::SEQUENCE)?; // issuer
        tbs.expect(tag::SEQUENCE)?; // validity
        let subject = Name::from_der(tbs.expect(tag::SEQUENCE)?)?;
        let key_info = tbs.expect(tag::SEQUENCE)?;
        let mut alternatives = Vec::new();
        while let Some((tag, content)) = tbs.next() {
            if tag == tag::EXTENSIONS {
                alternatives = alternative_names(Der(content).expect(tag::SEQUENCE)?)?;
            }
        }
        Some(Self {
            subject,
            key_info,
            alternatives,
        })
    }

    /// The subject.
    pub(crate) fn subject(&self) -> Name {
        self.subject.clone()
    }

    /// dNSName entries.
    pub(crate) fn dns_names(&self) -> Vec<&'a str> {
        self.texts(tag::DNS_NAME)
    }

    /// rfc822Name entries.
    pub(crate) fn emails(&self) -> Vec<&'a str> {
        self.texts(tag::RFC822_NAME)
    }

    /// uniformResourceIdentifier entries.
    pub(crate) fn uris(&self) -> Vec<&'a str> {
        self.texts(tag::URI)
    }

    /// iPAddress entries.
    pub(crate) fn addresses(&self) -> Vec<IpAddr> {
        let entries = self.alternatives.iter();
        let addresses = entries.filter(|(tag, _)| *tag == tag::IP_ADDRESS);
        addresses
            .filter_map(|(_, octets)| match octets.len() {
                4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(*octets).ok()?).into()),
                16 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(*octets).ok()?).into()),
                _ => None,
            })
            .collect()
    }

    /// The public key, if it is of a kind that a JWK of ours can have.
    pub(crate) fn key(&self) -> Option<PublicKey> {
        let mut info = Der(self.key_info);
        let mut algorithm = Der(info.expect(tag::SEQUENCE)?);
        let kind = algorithm.expect(tag::OID)?;
        let (&unused, bits) = info.expect(tag::BIT_STRING)?.split_first()?;
        if unused != 0 {
            return None;
        }
        let jwk = if kind == EC_PUBLIC_KEY {
            let (&4, point) = bits.split_first()? else {
                return None;
            };
            let (x, y) = point.split_at_checked(32)?;
            json!({"kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y)})
        } else if kind == RSA_ENCRYPTION {
            let mut key = Der(Der(bits).expect(tag::SEQUENCE)?);
            let (n, e) = (key.expect(tag::INTEGER)?, key.expect(tag::INTEGER)?);
            json!({"kty": "RSA", "n": base64url(n), "e": base64url(e)})
        } else {
            return None;
        };
        Jwk::parse(&jwk).ok().map(|jwk| jwk.key)
    }

    fn texts(&self, wanted: u8) -> Vec<&'a str> {
        let entries = self.alternatives.iter();
        let of_kind = entries.filter(|(tag, _)| *tag == wanted);
        of_kind
            .filter_map(|(_, octets)| std::str::from_utf8(octets).ok())
            .collect()
    }
}

impl Name {
    /// Reads a string after RFC 4514: `CN=client,O=Example\, Ltd`, last RDN first. `None` if it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut rdns = Vec::new();
        for rdn in split_unescaped(text, ',') {
            let mut attributes = Vec::new();
            for attribute in split_unescaped(&rdn, '+') {
                let (kind, value) = attribute.split_once('=')?;
                let kind = kind.trim();
                let dotted = kind.chars().all(|c| c.is_ascii_digit() || c == '.');
                let oid = TYPES
                    .iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case(kind))
                    .map(|(_, oid)| (*oid).to_owned())
                    .or_else(|| (dotted && !kind.is_empty()).then(|| kind.to_owned()))?;
                attributes.push((oid, unescape(value)?));
            }
            rdns.push(attributes);
        }
        rdns.reverse();
        Some(Self(rdns))
    }

    fn from_der(content: &[u8]) -> Option<Self> {
        let mut rdns = Vec::new();
        let mut sequence = Der(content);
        while !sequence.0.is_empty() {
            let mut set = Der(sequence.expect(tag::SET)?);
            let mut attributes = Vec::new();
            while !set.0.is_empty() {
                let mut attribute = Der(set.expect(tag::SEQUENCE)?);
                let oid = oid_text(attribute.expect(tag::OID)?)?;
                let (tag, value) = attribute.next()?;
                attributes.push((oid, string(tag, value)?));
            }
            rdns.push(attributes);
        }
        Some(Self(rdns))
    }

    fn prepared(&self) -> Vec<Vec<(String, String)>> {
        let rdns = self.0.iter();
        rdns.map(|rdn| {
            let mut attributes: Vec<_> = rdn
                .iter()
                .map(|(oid, value)| {
                    let words: Vec<&str> = value.split_whitespace().collect();
                    (oid.clone(), words.join(" ").to_lowercase())
                })
                .collect();
            attributes.sort();
            attributes
        })
        .collect()
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.prepared() == other.prepared()
    }
}

impl fmt::Display for Name {
    /// The string after RFC 4514.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, rdn) in self.0.iter().rev().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            for (index, (oid, value)) in rdn.iter().enumerate() {
                if index > 0 {
                    f.write_str("+")?;
                }
                let name = TYPES.iter().find(|(_, known)| known == oid);
                write!(f, "{}=", name.map_or(oid.as_str(), |(name, _)| *name))?;
                for c in value.chars() {
                    if matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=') {
                        f.write_str("\\")?;
                    }
                    write!(f, "{c}")?;
                }
            }
        }
        Ok(())
    }
}

/// A reader of DER elements.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// Tag and content of the next element.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            let count = usize::from(first & 0x7f);
            if count == 0 || count > 3 {
                return None;
            }
            let (octets, rest) = rest.split_at_checked(count)?;
            let length = octets
                .iter()
                .fold(0, |length, &octet| length << 8 | usize::from(octet));
            (length, rest)
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The content of the next element, which must have this tag.
    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next()
            .filter(|(got, _)| *got == tag)
            .map(|(_, content)| content)
    }
}

fn alternative_names(extensions: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut extensions = Der(extensions);
    while !extensions.0.is_empty() {
        let mut extension = Der(extensions.expect(tag::SEQUENCE)?);
        if extension.expect(tag::OID)? != SUBJECT_ALT_NAME {
            continue;
        }
        let value = loop {
            // A critical flag may stand before the value.
            let (tag, content) = extension.next()?;
            if tag == tag::OCTET_STRING {
                break content;
            }
        };
        let mut names = Der(Der(value).expect(tag::SEQUENCE)?);
        let mut found = Vec::new();
        while !names.0.is_empty() {
            found.push(names.next()?);
        }
        return Some(found);
    }
    Some(Vec::new())
}

fn oid_text(octets: &[u8]) -> Option<String> {
    let mut arcs: Vec<u64> = Vec::new();
    let mut value = 0u64;
    for &octet in octets {
        value = value
            .checked_mul(128)?
            .checked_add(u64::from(octet & 0x7f))?;
        if octet & 0x80 == 0 {
            if arcs.is_empty() {
                let first = (value / 40).min(2);
                arcs.extend([first, value - first * 40]);
            } else {
                arcs.push(value);
            }
            value = 0;
        }
    }
    let texts: Vec<String> = arcs.iter().map(u64::to_string).collect();
    Some(texts.join("."))
}

/// A DirectoryString or IA5String.
fn string(tag: u8, octets: &[u8]) -> Option<String> {
    match tag {
        0x1e => {
            let units = octets.chunks_exact(2);
            let units = units.map(|unit| u16::from_be_bytes([unit[0], unit[1]]));
            String::from_utf16(&units.collect::<Vec<_>>()).ok()
        }
        _ => Some(String::from_utf8_lossy(octets).into_owned()),
    }
}

fn split_unescaped(text: &str, at: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for c in text.chars() {
        if c == at && !escaped {
            parts.push(String::new());
            continue;
        }
        escaped = c == '\\' && !escaped;
        if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    parts
}

/// Undoes `\,` and `\2C` (RFC 4514 §2.4).
fn unescape(value: &str) -> Option<String> {
    let mut octets = Vec::new();
    let mut rest = value.trim().bytes();
    while let Some(octet) = rest.next() {
        if octet != b'\\' {
            octets.push(octet);
            continue;
        }
        let next = rest.next()?;
        match char::from(next).to_digit(16) {
            Some(high) => {
                let low = char::from(rest.next()?).to_digit(16)?;
                octets.push(u8::try_from(high << 4 | low).ok()?);
            }
            None => octets.push(next),
        }
    }
    String::from_utf8(octets).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Made by `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -multivalue-rdn
    /// -subj '/C=DE/O=Example, Ltd/OU=TEST ONLY+CN=Client One/DC=example'
    /// -addext subjectAltName=DNS:rp.example,URI:https://rp.example/id,email:rp@example.org,IP:192.0.2.7,IP:2001:db8::7`.
    const EC: &[u8] = include_bytes!("../../../fixtures/certificates/client-ec-TEST-ONLY.der");
    /// The same with `-newkey rsa:2048` and no alternative names.
    const RSA: &[u8] = include_bytes!("../../../fixtures/certificates/client-rsa-TEST-ONLY.der");
    /// `openssl pkey -pubin -text` of the first.
    const POINT: &str = include_str!("../../../fixtures/certificates/client-ec-TEST-ONLY.point");

    #[test]
    fn subject_is_what_openssl_says() {
        let certificate = Certificate::parse(EC).unwrap();
        let subject = certificate.subject();
        // openssl x509 -noout -subject -nameopt RFC2253
        let text = r"DC=example,OU=TEST ONLY+CN=Client One,O=Example\, Ltd,C=DE";
        assert_eq!(subject.to_string(), text);
        for same in [
            text,
            r"dc=example, cn=client  one + ou=Test Only, o=Example\2C Ltd, c=de",
            r"DC=example,OU=TEST ONLY+2.5.4.3=Client One,O=Example\, Ltd,C=DE",
        ] {
            assert_eq!(Name::parse(same).unwrap(), subject, "{same}");
        }
        for other in [
            "",
            "CN=Client One",
            r"C=DE,O=Example\, Ltd,OU=TEST ONLY+CN=Client One,DC=example",
            r"DC=example,OU=TEST ONLY,CN=Client One,O=Example\, Ltd,C=DE",
            r"DC=example,OU=TEST ONLY+CN=Client Two,O=Example\, Ltd,C=DE",
            "nonsense",
        ] {
            assert!(
                Name::parse(other).is_none_or(|name| name != subject),
                "{other}"
            );
        }
    }

    #[test]
    fn alternative_names_are_what_openssl_put_there() {
        let certificate = Certificate::parse(EC).unwrap();
        assert_eq!(certificate.dns_names(), ["rp.example"]);
        assert_eq!(certificate.uris(), ["https://rp.example/id"]);
        assert_eq!(certificate.emails(), ["rp@example.org"]);
        let addresses: [IpAddr; 2] = ["192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap()];
        assert_eq!(certificate.addresses(), addresses);
        assert!(Certificate::parse(RSA).unwrap().dns_names().is_empty());
    }

    #[test]
    fn key_is_what_openssl_says() {
        let point: [u8; 65] = hex::decode(POINT.trim()).unwrap().try_into().unwrap();
        let key = Certificate::parse(EC).unwrap().key();
        assert_eq!(key, Some(PublicKey::P256(Box::new(point))));
        let key = Certificate::parse(RSA).unwrap().key();
        assert!(matches!(key, Some(PublicKey::Rsa { n, .. }) if n.len() == 256));
    }

    #[test]
    fn every_prefix_and_every_changed_octet_is_survived() {
        for end in 0..EC.len() {
            assert!(Certificate::parse(&EC[..end]).is_none(), "{end}");
        }
        for index in 0..EC.len() {
            let mut der = EC.to_vec();
            der[index] = !der[index];
            if let Some(certificate) = Certificate::parse(&der) {
                let _ = (certificate.key(), certificate.subject().to_string());
            }
        }
    }

    proptest! {
        #[test]
        fn parse_never_panics(der in prop::collection::vec(any::<u8>(), 0..200), dn in ".{0,60}") {
            let _ = Certificate::parse(&der);
            let _ = Name::parse(&dn);
        }
    }
}

//! CMS SignedData (RFC 5652 §5) with one signer, without signed attributes: what is signed is the digest of the content
//! itself, which is what a card can be given to sign. The content is in it, unless nobody here has more than its digest.

use super::der::{DerError, Element, element, sequence, tag, unsigned};
use super::key::{is_sha256, sha256_identifier};
use super::x509::Certificate;

/// Object identifiers, content octets.
mod oid {
    /// 1.2.840.113549.1.7.1, id-data.
    pub(super) const DATA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x01];
    /// 1.2.840.113549.1.7.2, id-signedData.
    pub(super) const SIGNED_DATA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02];
}

/// What is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// These octets, which are in the message.
    Octets(&'a [u8]),
    /// Something with this SHA-256 digest, which is not (RFC 5652 §5.2, an external signature).
    Digest(&'a [u8; 32]),
}

/// Makes a SignedData over `content`: `signature` is one of its octets by the key of `signer`. `others` are the
/// certificates above the signer's, nearest first; they stay in that order, on which readers rely that build their path
/// from it (the SET OF is not sorted).
pub fn signed_data(
    content: Content<'_>,
    signer: &Certificate<'_>,
    others: &[&[u8]],
    signature: &[u8],
) -> Vec<u8> {
    let digest = sha256_identifier();
    let data_type = element(tag::OID, &[oid::DATA]);
    let encapsulated = match content {
        Content::Octets(octets) => {
            let octets = element(tag::OCTET_STRING, &[octets]);
            sequence(&[&data_type, &element(tag::constructed(0), &[&octets])])
        }
        Content::Digest(_) => sequence(&[&data_type]),
    };
    let mut certificates = vec![signer.der];
    certificates.extend_from_slice(others);
    let signer_info = sequence(&[
        &unsigned(&[1]),
        &signer.issuer_and_serial(),
        &digest,
        &signer.public_key.algorithm.in_signer_info(),
        &element(tag::OCTET_STRING, &[signature]),
    ]);
    let signed_data = sequence(&[
        &unsigned(&[1]),
        &element(tag::SET, &[&digest]),
        &encapsulated,
        &element(tag::constructed(0), &certificates),
        &element(tag::SET, &[&signer_info]),
    ]);
    sequence(&[
        &element(tag::OID, &[oid::SIGNED_DATA]),
        &element(tag::constructed(0), &[&signed_data]),
    ])
}

/// A SignedData that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedData<'a> {
    /// eContent, if the content is in the message.
    pub content: Option<&'a [u8]>,
    /// Certificates, DER, in their order.
    pub certificates: Vec<&'a [u8]>,
    /// sid of the only SignerInfo: an IssuerAndSerialNumber.
    sid: &'a [u8],
    signature_algorithm: &'a [u8],
    /// signature.
    pub signature: &'a [u8],
}

impl<'a> SignedData<'a> {
    /// Reads a ContentInfo that holds such a SignedData.
    ///
    /// # Errors
    /// [`DerError`], also for what CMS allows and is not made here: several signers, signed attributes,
    /// other digests, signers named by their key.
    pub fn parse(octets: &'a [u8]) -> Result<Self, DerError> {
        let content_info = Element::only(octets)?;
        expect_tag(&content_info, tag::SEQUENCE)?;
        let mut content_info = content_info.inside();
        expect(
            content_info.read(tag::OID)?.content == oid::SIGNED_DATA,
            "is not SignedData",
        )?;
        let mut explicit = content_info.read(tag::constructed(0))?.inside();
        content_info.end()?;
        let mut signed_data = explicit.read(tag::SEQUENCE)?.inside();
        explicit.end()?;
        signed_data.unsigned()?;
        signed_data.read(tag::SET)?;
        let mut encapsulated = signed_data.read(tag::SEQUENCE)?.inside();
        expect(
            encapsulated.read(tag::OID)?.content == oid::DATA,
            "holds something else than data",
        )?;
        let content = match encapsulated.optional(tag::constructed(0))? {
            None => None,
            Some(explicit) => {
                let mut explicit = explicit.inside();
                let content = explicit.read(tag::OCTET_STRING)?.content;
                explicit.end()?;
                Some(content)
            }
        };
        encapsulated.end()?;
        let mut certificates = Vec::new();
        if let Some(set) = signed_data.optional(tag::constructed(0))? {
            let mut set = set.inside();
            while !set.is_empty() {
                certificates.push(set.read(tag::SEQUENCE)?.der);
            }
        }
        signed_data.optional(tag::constructed(1))?;
        let mut signers = signed_data.read(tag::SET)?.inside();
        signed_data.end()?;
        let mut signer = signers.read(tag::SEQUENCE)?.inside();
        expect(signers.is_empty(), "has several signers")?;
        signer.unsigned()?;
        let sid = signer.read(tag::SEQUENCE)?.der;
        let digest = signer.read(tag::SEQUENCE)?.der;
        expect(is_sha256(digest), "has another digest than SHA-256")?;
        expect(
            signer.peek() != Some(tag::constructed(0)),
            "has signed attributes",
        )?;
        let signature_algorithm = signer.read(tag::SEQUENCE)?.der;
        let signature = signer.read(tag::OCTET_STRING)?.content;
        signer.optional(tag::constructed(1))?;
        signer.end()?;
        Ok(Self {
            content,
            certificates,
            sid,
            signature_algorithm,
            signature,
        })
    }

    /// The signer's certificate, if it is among the certificates.
    pub fn signer(&self) -> Option<Certificate<'a>> {
        self.certificates
            .iter()
            .filter_map(|der| Certificate::parse(der).ok())
            .find(|certificate| certificate.issuer_and_serial() == self.sid)
    }

    /// Whether the signature is one of `content` by the key of this certificate. Whether the message has that content is
    /// another question.
    pub fn signs(&self, content: Content<'_>, signer: &Certificate<'_>) -> bool {
        let (key, algorithm) = (signer.public_key, self.signature_algorithm);
        match content {
            Content::Octets(octets) => key.verifies(algorithm, octets, self.signature),
            Content::Digest(digest) => key.verifies_digest(algorithm, digest, self.signature),
        }
    }
}

fn expect(holds: bool, why: &'static str) -> Result<(), DerError> {
    if holds {
        return Ok(());
    }
    Err(DerError::Value {
        what: "the message",
        why,
    })
}

fn expect_tag(element: &Element<'_>, expected: u8) -> Result<(), DerError> {
    if element.tag == expected {
        return Ok(());
    }
    let got = Some(element.tag);
    Err(DerError::Tag { expected, got })
}

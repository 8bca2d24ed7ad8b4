//! DER as the MSSP reads it.

use mssp::pki::cms::{Content, SignedData, signed_data};
use mssp::pki::der::{Element, Reader, element};
use mssp::pki::x509::{Certificate, Crl};

/// Elements, down to the bottom.
pub fn der(octets: &[u8]) {
    if let Ok(whole) = Element::only(octets) {
        assert_eq!(whole.der, octets);
        written_as_read(&whole);
    }
}

fn written_as_read(outer: &Element<'_>) {
    // Lengths have one form only, so there is one way to write it.
    assert_eq!(element(outer.tag, &[outer.content]), outer.der);
    let mut inside: Reader<'_> = outer.inside();
    while let Ok(inner) = inside.any() {
        if inner.tag & 0x20 != 0 {
            written_as_read(&inner);
        }
    }
}

/// Certificates.
pub fn certificate(octets: &[u8]) {
    if let Ok(certificate) = Certificate::parse(octets) {
        assert_eq!(certificate.der, octets);
        let _ = (certificate.subject_name(), certificate.issuer_name());
        let named = certificate.issuer_and_serial();
        assert!(Element::only(&named).is_ok());
    }
}

/// Revocation lists.
pub fn crl(octets: &[u8]) {
    if let Ok(crl) = Crl::parse(octets) {
        let _ = crl.revoked(&[0x10, 0x06]);
        assert!(crl.tbs.len() < octets.len());
    }
}

/// Signatures with their content.
pub fn signed_message(octets: &[u8]) {
    let Ok(message) = SignedData::parse(octets) else {
        return;
    };
    if let Some(signer) = message.signer() {
        let others: Vec<_> = message.certificates.iter().skip(1).copied().collect();
        let digest = [0; 32];
        let content = message
            .content
            .map_or(Content::Digest(&digest), Content::Octets);
        let again = signed_data(content, &signer, &others, message.signature);
        let again = SignedData::parse(&again);
        assert_eq!(again.map(|again| again.signature), Ok(message.signature));
    }
}

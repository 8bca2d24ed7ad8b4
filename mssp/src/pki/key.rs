//! Public keys (RFC 5280 §4.1.2.7, RFC 5480, RFC 3279) and signatures by the keys that belong to them.

use p256::ecdsa::{DerSignature, VerifyingKey, signature::hazmat::PrehashVerifier as _};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};

use super::der::{DerError, Reader, element, sequence, tag};

/// Object identifiers, content octets.
pub(super) mod oid {
    /// 1.2.840.10045.2.1, id-ecPublicKey.
    pub(super) const EC_PUBLIC_KEY: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
    /// 1.2.840.10045.3.1.7, secp256r1.
    pub(super) const P256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
    /// 1.2.840.10045.4.3.2, ecdsa-with-SHA256.
    pub(super) const ECDSA_SHA256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02];
    /// 1.2.840.113549.1.1.1, rsaEncryption.
    pub(super) const RSA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01];
    /// 1.2.840.113549.1.1.11, sha256WithRSAEncryption.
    pub(super) const RSA_SHA256: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0B];
    /// 2.16.840.1.101.3.4.2.1, id-sha256.
    pub(super) const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
}

/// How a key signs. Both hash with SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ECDSA over P-256; a signature is `SEQUENCE { r INTEGER, s INTEGER }`.
    EcdsaP256,
    /// RSASSA-PKCS1-v1_5.
    RsaPkcs1,
}

impl Algorithm {
    /// SignatureAlgorithmIdentifier in SignerInfo: for RSA the name of the key will do (RFC 3370 §3.2).
    pub(super) fn in_signer_info(self) -> Vec<u8> {
        match self {
            Self::EcdsaP256 => sequence(&[&element(tag::OID, &[oid::ECDSA_SHA256])]),
            Self::RsaPkcs1 => {
                sequence(&[&element(tag::OID, &[oid::RSA]), &element(tag::NULL, &[])])
            }
        }
    }

    /// Whether an AlgorithmIdentifier, DER, names a signature of this kind.
    fn is_named_by(self, identifier: &[u8]) -> bool {
        let named = Reader::new(identifier)
            .read(tag::SEQUENCE)
            .and_then(|sequence| sequence.inside().read(tag::OID));
        named.is_ok_and(|name| match self {
            Self::EcdsaP256 => name.content == oid::ECDSA_SHA256,
            Self::RsaPkcs1 => [oid::RSA, oid::RSA_SHA256].contains(&name.content),
        })
    }
}

/// AlgorithmIdentifier of SHA-256, without parameters (RFC 5754 §2).
pub(super) fn sha256_identifier() -> Vec<u8> {
    sequence(&[&element(tag::OID, &[oid::SHA256])])
}

/// Whether an AlgorithmIdentifier, DER, names SHA-256.
pub(super) fn is_sha256(identifier: &[u8]) -> bool {
    let named = Reader::new(identifier)
        .read(tag::SEQUENCE)
        .and_then(|sequence| sequence.inside().read(tag::OID));
    named.is_ok_and(|name| name.content == oid::SHA256)
}

/// A public key of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey<'a> {
    /// How its private key signs.
    pub algorithm: Algorithm,
    /// The point, uncompressed, or RSAPublicKey.
    octets: &'a [u8],
}

impl<'a> PublicKey<'a> {
    /// Reads SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// [`DerError`], also for keys of other kinds.
    pub fn parse(spki: &'a [u8]) -> Result<Self, DerError> {
        let mut spki = Reader::new(spki).read(tag::SEQUENCE)?.inside();
        let mut identifier = spki.read(tag::SEQUENCE)?.inside();
        let name = identifier.read(tag::OID)?.content;
        let algorithm = if name == oid::RSA {
            Algorithm::RsaPkcs1
        } else if name == oid::EC_PUBLIC_KEY && identifier.read(tag::OID)?.content == oid::P256 {
            Algorithm::EcdsaP256
        } else {
            return Err(DerError::Value {
                what: "the public key",
                why: "is neither RSA nor P-256",
            });
        };
        let octets = spki.octets_of_bits()?;
        spki.end()?;
        Ok(Self { algorithm, octets })
    }

    /// The point, uncompressed, or RSAPublicKey: what subjectPublicKey holds.
    pub fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// Whether `signature` under this AlgorithmIdentifier is one of `message` by the private key.
    pub fn verifies(&self, identifier: &[u8], message: &[u8], signature: &[u8]) -> bool {
        let algorithm: &dyn VerificationAlgorithm = match self.algorithm {
            Algorithm::EcdsaP256 => &ECDSA_P256_SHA256_ASN1,
            Algorithm::RsaPkcs1 => &RSA_PKCS1_2048_8192_SHA256,
        };
        self.algorithm.is_named_by(identifier)
            && UnparsedPublicKey::new(algorithm, self.octets)
                .verify(message, signature)
                .is_ok()
    }

    /// The same, of something with this SHA-256 digest. Only keys of the curve are asked: RSA keys here sign nothing but
    /// messages.
    pub fn verifies_digest(&self, identifier: &[u8], digest: &[u8; 32], signature: &[u8]) -> bool {
        let key = VerifyingKey::from_sec1_bytes(self.octets);
        let signature = DerSignature::try_from(signature);
        self.algorithm == Algorithm::EcdsaP256
            && self.algorithm.is_named_by(identifier)
            && key.is_ok_and(|key| {
                signature.is_ok_and(|signature| key.verify_prehash(digest, &signature).is_ok())
            })
    }
}

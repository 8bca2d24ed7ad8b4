//! What a signature of a key with a certificate is made of: DER (X.690), X.509 certificates and CRLs (RFC 5280), CMS
//! SignedData (RFC 5652), and whether one is worth something.
//!
//! Certificates are issued elsewhere and handed in. Here they are read, put into messages, and judged. Keys are P-256 with
//! ECDSA and RSA of 2048 bits and more with PKCS #1 v1.5, both with SHA-256: what cards and services of TS 102 204 have.
//!
//! Panics: reading never panics, whatever the octets are. It allocates no more than the octets are long.

pub mod cms;
pub mod credential;
pub mod der;
pub mod key;
pub mod validate;
pub mod x509;

#[cfg(test)]
mod tests;

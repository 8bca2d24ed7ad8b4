//! TLS on the sockets: rustls with ring.
//!
//! Servers offer TLS 1.3, and of TLS 1.2 only ECDHE_RSA with AES-GCM, as the FAPI profiles ask (FAPI 1.0 part 2 §8.5); so their
//! certificate has an RSA key. A client's certificate is asked for where the party can make use of it, and never demanded: what
//! it proves is for the party to judge, which gets it with each request. A handshake proves possession of the key, nothing more.
//!
//! Handshakes are transport: they go by real time, and so does the validity of the certificates in them.

mod client;
mod client_certificate;
mod identity;
mod pem;
mod server;

pub use client::ClientTls;
pub use identity::Identity;
pub(crate) use pem::pem;
pub use server::{Accepted, ClientCertificates, ServerTls};

use std::path::PathBuf;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// The certificate of the peer of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate {
    /// DER.
    pub der: bytes::Bytes,
    /// Whether it chains to one of the authorities that were configured for clients.
    pub trusted: bool,
}

/// Why TLS cannot be had as configured.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is no PEM, or not of what it should be.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what is expected.
        why: String,
    },
    /// Certificate and key cannot be used together.
    #[error(
        "the server certificate cannot be used: {0}; it needs an RSA key of at least 2048 bits"
    )]
    Server(rustls::Error),
    /// A certificate cannot be made.
    #[error("the test certificates cannot be made: {0}")]
    Issue(#[from] rcgen::Error),
    /// The stored key of the test CA is damaged.
    #[error(transparent)]
    Key(#[from] crate::authority::BadKey),
    /// The stored key of our client certificate is damaged.
    #[error("the key of the OP's client certificate in the store is not a P-256 private key")]
    ClientKey,
}

/// What clients offer: whatever ring can do.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// What servers offer.
fn server_provider() -> Arc<CryptoProvider> {
    use ring::cipher_suite;

    Arc::new(CryptoProvider {
        cipher_suites: vec![
            cipher_suite::TLS13_AES_256_GCM_SHA384,
            cipher_suite::TLS13_AES_128_GCM_SHA256,
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
            cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        ],
        ..ring::default_provider()
    })
}

/// The certificates of a PEM file, for [`RootCertStore`] or to be shown.
///
/// # Errors
/// [`TlsError::File`] if there is none.
pub fn certificates(path: &std::path::Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let file = |why: String| TlsError::File {
        path: path.to_owned(),
        why,
    };
    let text = std::fs::read(path).map_err(|why| file(why.to_string()))?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let all = all.map_err(|why| file(format!("not PEM: {why}")))?;
    if all.is_empty() {
        return Err(file(
            "holds no certificate, expected PEM with BEGIN CERTIFICATE".into(),
        ));
    }
    Ok(all)
}

/// Authorities in a form in which they can be trusted.
fn roots<'a>(
    certificates: impl IntoIterator<Item = &'a CertificateDer<'static>>,
) -> Result<RootCertStore, rustls::Error> {
    let mut store = RootCertStore::empty();
    for certificate in certificates {
        store.add(certificate.clone())?;
    }
    Ok(store)
}

#[cfg(test)]
mod tests;

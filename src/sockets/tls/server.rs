//! The server's side of a handshake.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ServerConfig, WebPkiClientVerifier};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::client_certificate::Possession;
use super::{Identity, PeerCertificate, TlsError, roots, server_provider};

/// Whether a listener asks its clients for certificates.
#[derive(Clone, Debug, Default)]
pub enum ClientCertificates {
    /// It does; those that chain to one of these authorities are marked as trusted.
    Asked(Vec<CertificateDer<'static>>),
    /// It does not.
    #[default]
    Unasked,
}

/// What a TLS listener needs. Clones share it.
#[derive(Clone)]
pub struct ServerTls {
    acceptor: TlsAcceptor,
    /// Tells which certificates are trusted; without it, none is.
    trust: Option<Arc<dyn ClientCertVerifier>>,
}

/// A connection after its handshake.
pub struct Accepted<T> {
    /// What goes over it.
    pub stream: TlsStream<T>,
    /// Who the client is, if it has said so.
    pub peer: Option<PeerCertificate>,
}

impl ServerTls {
    /// A server of this identity.
    ///
    /// # Errors
    /// [`TlsError::Server`] if its certificate does not go with its key, or an authority cannot be read.
    pub fn new(identity: &Identity, clients: &ClientCertificates) -> Result<Self, TlsError> {
        let provider = server_provider();
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Server)?;
        let (builder, trust) = match clients {
            ClientCertificates::Unasked => (builder.with_no_client_auth(), None),
            ClientCertificates::Asked(authorities) => {
                let possession = Arc::new(Possession(provider.clone()));
                let trust = trust(authorities, provider).map_err(TlsError::Server)?;
                (builder.with_client_cert_verifier(possession), trust)
            }
        };
        let mut config = builder
            .with_single_cert(identity.chain.clone(), identity.key.clone_key())
            .map_err(TlsError::Server)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            trust,
        })
    }

    /// Shakes hands. How long that may take is for the caller to bound.
    ///
    /// # Errors
    /// What went wrong; the client has been sent an alert by then.
    pub async fn accept<T>(&self, stream: T) -> io::Result<Accepted<T>>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let stream = self.acceptor.accept(stream).await?;
        let shown = stream.get_ref().1.peer_certificates();
        let peer = shown.and_then(|chain| self.judge(chain));
        Ok(Accepted { stream, peer })
    }

    fn judge(&self, chain: &[CertificateDer<'_>]) -> Option<PeerCertificate> {
        let (certificate, between) = chain.split_first()?;
        let trusted = self.trust.as_ref().is_some_and(|trust| {
            trust
                .verify_client_cert(certificate, between, UnixTime::now())
                .is_ok()
        });
        Some(PeerCertificate {
            der: Bytes::copy_from_slice(certificate),
            trusted,
        })
    }
}

fn trust(
    authorities: &[CertificateDer<'static>],
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, rustls::Error> {
    if authorities.is_empty() {
        return Ok(None);
    }
    let roots = Arc::new(roots(authorities)?);
    WebPkiClientVerifier::builder_with_provider(roots, provider)
        .build()
        .map(Some)
        // Only an empty store or an unreadable CRL is refused, and neither is given here.
        .map_err(|error| rustls::Error::General(error.to_string()))
}

//! The client's side of a handshake.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Identity, TlsError, provider, roots};

/// Whom a client trusts, and who it says it is. Clones share it.
#[derive(Clone)]
pub struct ClientTls(Arc<ClientConfig>);

impl ClientTls {
    /// Trusts servers whose certificates chain to these authorities, and shows `identity` to servers that ask. `own` is the
    /// certificate of our own servers, if it is somebody else's: we call them by address, which it need not name.
    ///
    /// # Errors
    /// [`TlsError::Server`] if an authority cannot be read or the identity's certificate does not go with its key.
    pub fn new<'a>(
        authorities: impl IntoIterator<Item = &'a CertificateDer<'static>>,
        own: Option<&CertificateDer<'static>>,
        identity: Option<&Identity>,
    ) -> Result<Self, TlsError> {
        let roots = roots(authorities).map_err(TlsError::Server)?;
        let known = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|error| TlsError::Server(Error::General(error.to_string())))?;
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Server)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(OwnOrKnown {
                own: own.cloned(),
                known,
            }));
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder
                .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
                .map_err(TlsError::Server)?,
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }

    /// Shakes hands with the server of that name (or address) at the other end of `stream`.
    pub(in crate::sockets) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let connector = TlsConnector::from(self.0.clone());
        connector.connect(name, stream).await
    }
}

/// Accepts what the authorities vouch for, and our own certificate where a server of ours is called by its address.
#[derive(Debug)]
struct OwnOrKnown {
    own: Option<CertificateDer<'static>>,
    known: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for OwnOrKnown {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let by_address = matches!(name, ServerName::IpAddress(_));
        if by_address && self.own.as_ref() == Some(certificate) {
            return Ok(ServerCertVerified::assertion());
        }
        self.known
            .verify_server_cert(certificate, between, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.known
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.known
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.known.supported_verify_schemes()
    }
}

impl fmt::Debug for ClientTls {
    /// The configuration may hold a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientTls")
    }
}

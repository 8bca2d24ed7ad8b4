//! Mutual TLS as the party sees it: the handshake is the listener's business, which AP a certificate stands for is ours.

use bytes::Bytes;

/// The certificate that an AP showed in the TLS handshake. The listener puts it into the extensions of every request that
/// came over such a connection; possession of its key is proved by then.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerCertificate {
    /// The certificate itself, DER. It could be read as X.509; nothing else about it was judged.
    pub der: Bytes,
    /// Whether it chains to an authority that the listener was told to trust for clients, and is valid at this time. A
    /// self-signed certificate is never trusted in this sense.
    pub trusted: bool,
}

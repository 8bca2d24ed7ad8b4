//! Tokens bound to the certificate of a TLS client (RFC 8705 §3).

use bytes::Bytes;
use http::Request;
use sha2::{Digest, Sha256};

use crate::config::{Client, Config};
use crate::jose::base64url;
use crate::oauth::OAuthError;
use crate::peer::PeerCertificate;

/// `x5t#S256` of the certificate that came with a request.
pub(crate) fn thumbprint(request: &Request<Bytes>) -> Option<String> {
    let certificate = request.extensions().get::<PeerCertificate>()?;
    Some(base64url(Sha256::digest(&certificate.der)))
}

/// What to bind the tokens of this request to, if the client is registered for that or the OP issues no others.
///
/// # Errors
/// invalid_request without a certificate.
pub(crate) fn to_bind(
    config: &Config,
    client: &Client,
    request: &Request<Bytes>,
) -> Result<Option<String>, OAuthError> {
    let why = if client.issuance.certificate_bound {
        "the client is registered with tls_client_certificate_bound_access_tokens"
    } else if config.certificate_bound {
        "this OP binds every token to a certificate (FAPI-CIBA section 5.2.2, FAPI-RW section 5.2.2); the client came"
    } else {
        return Ok(None);
    };
    thumbprint(request).map(Some).ok_or_else(|| {
        OAuthError::invalid_request(format!(
            "{why} and showed no certificate; use the endpoint of mtls_endpoint_aliases (RFC 8705 section 3)"
        ))
    })
}

/// Whether a token with this binding may be used by whoever sent the request.
pub(crate) fn fits(bound_to: Option<&str>, request: &Request<Bytes>) -> bool {
    bound_to.is_none_or(|wanted| thumbprint(request).as_deref() == Some(wanted))
}

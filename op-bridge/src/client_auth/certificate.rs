//! tls_client_auth and self_signed_tls_client_auth (RFC 8705 §2). The handshake has proved possession of the key; what is
//! decided here is whose certificate it is.

use std::net::IpAddr;

use bytes::Bytes;
use http::Request;

use super::x509::{Certificate, Name};
use super::{AuthMethod, refused, registered_for};
use crate::config::Client;
use crate::context::Context;
use crate::key_set::{self, ClientKeys};
use crate::oauth::OAuthError;
use crate::peer::PeerCertificate;

/// What the certificate of a tls_client_auth client must say (RFC 8705 §2.1.2).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CertificateName {
    /// `tls_client_auth_subject_dn`, a string after RFC 4514.
    SubjectDn(String),
    /// `tls_client_auth_san_dns`.
    SanDns(String),
    /// `tls_client_auth_san_email`.
    SanEmail(String),
    /// `tls_client_auth_san_ip`.
    SanIp(IpAddr),
    /// `tls_client_auth_san_uri`.
    SanUri(String),
}

/// Refuses the certificate of anybody else.
pub(super) fn authenticate(
    cx: &mut Context<'_>,
    client: &Client,
    request: &Request<Bytes>,
) -> Result<(), OAuthError> {
    let method = client.authentication.method;
    let Some(peer) = request.extensions().get::<PeerCertificate>() else {
        return Err(refused(format!(
            "no client authentication; the client is registered for {}: {}",
            method.as_str(),
            method.how()
        )));
    };
    match method {
        AuthMethod::TlsClientAuth => by_authority(client, peer),
        AuthMethod::SelfSignedTlsClientAuth => self_signed(cx, client, peer),
        _ => registered_for(client, AuthMethod::TlsClientAuth),
    }
}

fn by_authority(client: &Client, peer: &PeerCertificate) -> Result<(), OAuthError> {
    if !peer.trusted {
        return Err(refused(
            "tls_client_auth: the certificate does not chain to an authority that this OP trusts for clients, or is not valid now",
        ));
    }
    let certificate = read(peer)?;
    let Some(expected) = &client.authentication.certificate else {
        return Err(refused(
            "tls_client_auth: no certificate name is registered",
        ));
    };
    let (what, got) = match expected {
        CertificateName::SubjectDn(dn) => {
            let subject = certificate.subject();
            if Name::parse(dn).is_some_and(|dn| dn == subject) {
                return Ok(());
            }
            ("subject DN", subject.to_string())
        }
        CertificateName::SanDns(name) => match certificate.dns_names() {
            names if names.iter().any(|one| one.eq_ignore_ascii_case(name)) => return Ok(()),
            names => ("DNS names", names.join(", ")),
        },
        CertificateName::SanUri(uri) => match certificate.uris() {
            uris if uris.contains(&uri.as_str()) => return Ok(()),
            uris => ("URIs", uris.join(", ")),
        },
        CertificateName::SanEmail(email) => match certificate.emails() {
            emails if emails.contains(&email.as_str()) => return Ok(()),
            emails => ("e-mail addresses", emails.join(", ")),
        },
        CertificateName::SanIp(address) => match certificate.addresses() {
            addresses if addresses.contains(address) => return Ok(()),
            addresses => {
                let texts: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
                ("addresses", texts.join(", "))
            }
        },
    };
    Err(refused(format!(
        "tls_client_auth: the certificate has other {what} than registered: {}",
        if got.is_empty() { "none" } else { &got }
    )))
}

fn self_signed(
    cx: &mut Context<'_>,
    client: &Client,
    peer: &PeerCertificate,
) -> Result<(), OAuthError> {
    let key = read(peer)?.key();
    let named = |keys: &ClientKeys<'_>| {
        if keys.certificates.is_empty() {
            // Without x5c the key alone names the certificate.
            let mut known = keys.jwks.0.iter();
            return known.any(|jwk| Some(&jwk.key) == key.as_ref());
        }
        keys.certificates.contains(&peer.der)
    };
    let keys = key_set::of(cx, client)
        .map_err(|why| refused(format!("self_signed_tls_client_auth: {why}")))?;
    if named(&keys) {
        return Ok(());
    }
    keys.are_not_enough(cx);
    Err(refused(
        "self_signed_tls_client_auth: the certificate is not one of the registered jwks (RFC 8705 section 2.2.2)",
    ))
}

fn read(peer: &PeerCertificate) -> Result<Certificate<'_>, OAuthError> {
    Certificate::parse(&peer.der).ok_or_else(|| refused("the client certificate cannot be read"))
}

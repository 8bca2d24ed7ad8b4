//! tls_client_auth and self_signed_tls_client_auth (RFC 8705 §2). The handshake has proved possession of the key; what is
//! decided here is whose certificate it is.

use std::net::IpAddr;

use super::x509::{Certificate, Name};
use super::{AuthMethod, refused, registered_for};
use crate::config::Client;
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
    client: &Client,
    peer: Option<&PeerCertificate>,
) -> Result<(), OAuthError> {
    let method = client.authentication.method;
    let Some(peer) = peer else {
        return Err(refused(format!(
            "no client authentication; the client is registered for {}: {}",
            method.as_str(),
            method.how()
        )));
    };
    match method {
        AuthMethod::TlsClientAuth => by_authority(client, peer),
        AuthMethod::SelfSignedTlsClientAuth => self_signed(client, peer),
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

fn self_signed(client: &Client, peer: &PeerCertificate) -> Result<(), OAuthError> {
    let registered = &client.authentication;
    if registered.certificates.contains(&peer.der) {
        return Ok(());
    }
    // Without x5c the key alone names the certificate.
    let key = read(peer)?.key();
    let known = key.is_some_and(|key| registered.jwks.0.iter().any(|jwk| jwk.key == key));
    if known && registered.certificates.is_empty() {
        return Ok(());
    }
    Err(refused(
        "self_signed_tls_client_auth: the certificate is not one of the registered jwks (RFC 8705 section 2.2.2)",
    ))
}

fn read(peer: &PeerCertificate) -> Result<Certificate<'_>, OAuthError> {
    Certificate::parse(&peer.der).ok_or_else(|| refused("the client certificate cannot be read"))
}

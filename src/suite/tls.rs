//! Which ports of a suite speak TLS, and with what.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;

use rustls::pki_types::CertificateDer;

use crate::authority::Authority;
use crate::sockets::http_server::Listener;
use crate::sockets::tls::{self, ClientCertificates, ClientTls, Identity, ServerTls, TlsError};

/// TLS as configured. The OP's port for mutual TLS speaks it in any case.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    /// Which other ports speak it.
    pub services: BTreeSet<TlsService>,
    /// Certificate chain and private key of all servers, PEM; without them they get a certificate of the test CA.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Authorities whose client certificates count as trusted, besides the test CA. PEM.
    pub client_authorities: Vec<PathBuf>,
    /// Authorities whose servers may be called, besides the test CA. PEM.
    pub trusted: Vec<PathBuf>,
}

/// A port whose TLS can be switched on.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, clap::ValueEnum)]
pub enum TlsService {
    /// The OP: its issuer becomes an https URL
    Op,
    /// The MSSP, which then also asks for client certificates
    Mssp,
}

/// TLS, ready to be used.
pub(super) struct Tls {
    services: BTreeSet<TlsService>,
    /// Does not ask for client certificates.
    server: ServerTls,
    /// Does.
    asking: ServerTls,
    /// For what the OP sends to the MSSP: only there it says who it is.
    pub(super) to_mssp: ClientTls,
    /// For what else the parties send. Shows no certificate: whom it goes to, others choose.
    pub(super) parties: ClientTls,
    /// For an RP of ours.
    pub(super) rp: ClientTls,
}

impl Tls {
    /// `hosts` are the names and addresses under which we may be called.
    pub(super) fn new(
        options: &TlsOptions,
        authority: &Authority,
        op: &Identity,
        hosts: &[String],
    ) -> Result<Self, TlsError> {
        let identity = match &options.identity {
            Some((certificate, key)) => Identity::read(certificate, key)?,
            None => authority.server(hosts.iter().map(String::as_str))?,
        };
        let root = authority.certificate();
        let clients = ClientCertificates::Asked(with(root, &options.client_authorities)?);
        let servers = with(root, &options.trusted)?;
        let strangers = options.identity.is_some();
        let own = identity.certificate().filter(|_| strangers);
        Ok(Self {
            services: options.services.clone(),
            server: ServerTls::new(&identity, &ClientCertificates::Unasked)?,
            asking: ServerTls::new(&identity, &clients)?,
            to_mssp: ClientTls::new(&servers, own, Some(op))?,
            parties: ClientTls::new(&servers, own, None)?,
            rp: ClientTls::new(&servers, own, None)?,
        })
    }

    /// `http` or `https`.
    pub(super) fn scheme(&self, service: TlsService) -> &'static str {
        if self.services.contains(&service) {
            "https"
        } else {
            "http"
        }
    }

    /// The port with what is spoken there.
    pub(super) fn listener(&self, port: tokio::net::TcpListener, service: TlsService) -> Listener {
        let tls = match service {
            TlsService::Op => &self.server,
            TlsService::Mssp => &self.asking,
        };
        let spoken = self.services.contains(&service);
        Listener::new(port, spoken.then(|| tls.clone()))
    }

    /// The port for mutual TLS.
    pub(super) fn mutual(&self, port: tokio::net::TcpListener) -> Listener {
        Listener::new(port, Some(self.asking.clone()))
    }
}

/// Names of a server on this machine, the addresses that it listens on and what it is called besides.
pub(super) fn names<'a>(
    listen: impl IntoIterator<Item = IpAddr>,
    hosts: impl IntoIterator<Item = &'a str>,
) -> Vec<String> {
    let mut names: Vec<_> = [
        "localhost",
        "midsim.test",
        "*.midsim.test",
        "127.0.0.1",
        "::1",
    ]
    .map(str::to_owned)
    .into();
    let more = listen.into_iter().map(|address| address.to_string());
    let called = hosts
        .into_iter()
        .map(|host| host.trim_matches(['[', ']']).to_owned());
    for name in more.chain(called) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn with(
    root: &CertificateDer<'static>,
    files: &[PathBuf],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let mut all = vec![root.clone()];
    for file in files {
        all.extend(tls::certificates(file)?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests;

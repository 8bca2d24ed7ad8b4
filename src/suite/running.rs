//! A suite on sockets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::handle::Handle;
use super::readers::Readers;
use super::tls::{self, Tls, TlsService};
use super::{Builder, Made, Places, StartError, config};
use crate::control;
use crate::ota_api;
use crate::sockets::addresses::{self, Policy};
use crate::sockets::http_client::HttpClient;
use crate::sockets::http_server::{self, Limits, Replies};
use crate::sockets::ports::Service;
use crate::sockets::shutdown::{self, Signals};
use crate::sockets::tcp;
use crate::suite::receiver::Receiver;
use crate::wiring::apart::OtaLink;
use crate::wiring::discovery::DiscoveryListener;
use crate::wiring::sockets::{Clients, MsspListener, Network, OpListener};
use crate::wiring::{Message, Receipt};

/// A running suite. Dropping it stops everything at once; [`Running::shutdown`] lets what runs finish.
pub struct Running {
    handle: Arc<Handle>,
    tasks: JoinSet<()>,
    /// Of its stores.
    closed: Vec<watch::Receiver<()>>,
}

/// Where the parties are.
#[derive(Clone, Debug, Serialize)]
pub struct Urls {
    /// Page and control API.
    pub ui: String,
    /// The OP's issuer.
    pub op: String,
    /// The OP behind mutual TLS.
    pub op_mtls: String,
    /// SOAP endpoint of the MSSP.
    pub mssp: String,
    /// HTTP API of the OTA platform.
    pub ota: String,
    /// Address of the SMSC, without a scheme.
    pub smpp: String,
    /// The discovery service.
    pub discovery: String,
}

pub(super) async fn start(builder: Builder) -> Result<Running, StartError> {
    builder
        .ports
        .check_exposure(builder.admin_token.is_some())?;
    let clock = builder.clock(builder.frozen);
    let chance = builder.chance()?;
    let serves = builder.serves;
    let bind = async |service, served: bool| match served {
        true => builder.ports.bind(service).await.map(Some),
        false => Ok(None),
    };
    let ui = builder.ports.bind(Service::Ui).await?;
    let op = bind(Service::Op, serves.op).await?;
    let op_mtls = bind(Service::OpMtls, serves.op).await?;
    let mssp = bind(Service::Mssp, serves.mssp).await?;
    let ota = bind(Service::Ota, serves.ota).await?;
    let smpp = bind(Service::Smpp, serves.ota).await?;
    let discovery = bind(Service::Discovery, serves.op).await?;
    let address = |listener: Option<&tokio::net::TcpListener>, service| {
        let bound = listener.and_then(|listener| listener.local_addr().ok());
        bound.unwrap_or_else(|| builder.ports.address(service))
    };
    let ui_at = address(Some(&ui), Service::Ui);
    let op_at = address(op.as_ref(), Service::Op);
    let mssp_at = address(mssp.as_ref(), Service::Mssp);
    let smpp_at = address(smpp.as_ref(), Service::Smpp);
    let ota_at = address(ota.as_ref(), Service::Ota);
    let discovery_at = address(discovery.as_ref(), Service::Discovery);
    let op_mtls_at = address(op_mtls.as_ref(), Service::OpMtls);
    let listen = builder.ports.listen();
    let near = near(listen);
    let name = match builder.hosts.first() {
        Some(host) if !listen.to_canonical().is_loopback() => host.name().to_owned(),
        _ => in_url(near),
    };
    let stores = builder.stores()?;
    let closed = stores.closed();
    let authority = stores.authority(&chance)?;
    let hosts = builder.hosts.iter().map(control::HostName::name);
    let op_client = stores.op_client(&chance, &authority)?;
    let names = tls::names([listen, near], hosts);
    let tls = Tls::new(&builder.tls, &authority, &op_client, &names)?;
    let ca_pem = authority.certificate_pem();
    if let Some(dir) = &builder.data_dir {
        let file = dir.join(AUTHORITY);
        std::fs::write(&file, &ca_pem).map_err(|why| StartError::System {
            what: format!("cannot write {}", file.display()),
            why,
        })?;
    }
    let (op_scheme, mssp_scheme) = (tls.scheme(TlsService::Op), tls.scheme(TlsService::Mssp));
    let own = |served: bool, url: String| if served { url } else { String::new() };
    let elsewhere = |served, url, other: &Option<String>| match served {
        true => url,
        false => other.clone().unwrap_or_default(),
    };
    let mssp_url = format!("{mssp_scheme}://{name}:{}/soap", mssp_at.port());
    let ota_url = format!("http://{name}:{}", ota_at.port());
    let urls = Urls {
        ui: format!("http://{name}:{}", ui_at.port()),
        op: own(serves.op, format!("{op_scheme}://{name}:{}", op_at.port())),
        op_mtls: own(serves.op, format!("https://{name}:{}", op_mtls_at.port())),
        mssp: elsewhere(serves.mssp, mssp_url, &builder.mssp_url),
        ota: elsewhere(serves.ota, ota_url, &builder.ota_url),
        smpp: own(serves.ota, format!("{name}:{}", smpp_at.port())),
        discovery: own(serves.op, format!("http://{name}:{}", discovery_at.port())),
    };
    let ota_link = match &builder.ota_url {
        Some(url) if serves.mssp && !serves.ota => Some(ota_base(url)?),
        _ => None,
    };
    // Our own parties need no name server.
    let at =
        |scheme, port: SocketAddr| format!("{scheme}://{}", SocketAddr::new(near, port.port()));
    let places = Places {
        // An OP that is not here still wants a name.
        issuer: format!("{op_scheme}://{name}:{}", op_at.port()),
        discovery: format!("http://{name}:{}", discovery_at.port()),
        mutual_tls: serves.op.then(|| urls.op_mtls.clone()),
        // From elsewhere the issuer's own name is the way.
        notify_url: serves.mssp.then(|| {
            let base = at(op_scheme, op_at);
            format!("{base}{}", op_bridge::NOTIFY_PATH)
        }),
        mssp: format!("{}/soap", at(mssp_scheme, mssp_at)),
        receiver: format!("{}{}", at("http", ui_at), control::RECEIVER),
    };
    let Made {
        parties,
        keys,
        discovery: service,
    } = builder.parties(clock.clone(), chance.clone(), places, stores, &authority)?;
    let (stopper, shutdown) = shutdown::channel();
    let near_us = addresses::Network::from(near);
    let policy = Policy::allowing(builder.notify.iter().copied().chain([near_us]));
    let client = |tls| HttpClient::with_tls(clock.clone(), policy.clone(), tls);
    let clients = Clients {
        to_mssp: client(tls.to_mssp.clone()),
        others: client(tls.parties.clone()),
    };
    let op_replies = Replies::new(&clock, &chance);
    let mssp_replies = Replies::new(&clock, &chance);
    let network = Network::new(
        parties.clone(),
        op_replies.clone(),
        mssp_replies.clone(),
        clients,
    );
    let left = parties.recover()?;

    let handle = Arc::new_cyclic(|this| Handle {
        network: network.clone(),
        client: client(tls.rp.clone()),
        ca_pem,
        receiver: Arc::new(Receiver::new(clock.clone())),
        keys,
        chance: chance.clone(),
        urls,
        ports: [
            (Service::Ui, ui_at, true),
            (Service::Op, op_at, serves.op),
            (Service::Mssp, mssp_at, serves.mssp),
            (Service::Ota, ota_at, serves.ota),
            (Service::Smpp, smpp_at, serves.ota),
            (Service::Discovery, discovery_at, serves.op),
            (Service::OpMtls, op_mtls_at, serves.op),
        ]
        .into_iter()
        .filter(|(.., served)| *served)
        .map(|(service, at, _)| (service, at.port()))
        .collect(),
        stopper,
        shutdown: shutdown.clone(),
        readers: Readers::default(),
        this: this.clone(),
    });
    let limits = Limits::default();
    let access = control::Access {
        listen: SocketAddr::new(listen, ui_at.port()),
        hosts: builder.hosts,
        token: builder.admin_token,
    };
    let token = access.token.clone();
    let ota_access = control::Access {
        listen: SocketAddr::new(listen, ota_at.port()),
        ..access.clone()
    };
    let router = control::router(handle.clone(), access);
    let mut tasks = JoinSet::new();
    let api = ota_api::Api {
        network: network.clone(),
        world: Arc::new(builder.world.clone()),
        life: format!("{:08x}", rand_core::Rng::next_u32(&mut chance.generator())),
        chance: chance.clone(),
        shutdown: shutdown.clone(),
    };
    if let Some(ota) = ota {
        tasks.spawn(http_server::serve_router(
            ota,
            ota_api::router(api, ota_access),
            limits,
            shutdown.clone(),
        ));
    }
    tasks.spawn(http_server::serve_router(
        ui,
        router,
        limits,
        shutdown.clone(),
    ));
    let party = Arc::new(OpListener(network.clone()));
    if let Some(op) = op {
        tasks.spawn(http_server::serve_party(
            tls.listener(op, TlsService::Op),
            party.clone(),
            op_replies.clone(),
            limits,
            shutdown.clone(),
        ));
    }
    if let Some(op_mtls) = op_mtls {
        tasks.spawn(http_server::serve_party(
            tls.mutual(op_mtls),
            party,
            op_replies,
            limits,
            shutdown.clone(),
        ));
    }
    if let Some(discovery) = discovery {
        let replies = Replies::new(&clock, &chance);
        let party = Arc::new(DiscoveryListener::new(
            service,
            replies.clone(),
            clock.clone(),
            chance.branch("discovery-tokens"),
        ));
        tasks.spawn(http_server::serve_party(
            discovery,
            party,
            replies,
            limits,
            shutdown.clone(),
        ));
    }
    if let Some(mssp) = mssp {
        let party = Arc::new(MsspListener(network.clone()));
        tasks.spawn(http_server::serve_party(
            tls.listener(mssp, TlsService::Mssp),
            party,
            mssp_replies,
            limits,
            shutdown.clone(),
        ));
    }
    tasks.spawn(network.clone().run_timers(shutdown.clone()));
    if let Some(base) = ota_link {
        let client = client(tls.parties.clone());
        let link = OtaLink::new(base, client, token, shutdown.clone());
        network.start_ota_link(link, &mut tasks);
    }
    if let Some(smpp) = smpp {
        network
            .handle(
                Message::Smsc(ota::smsc::Input::Started),
                Receipt::NONE,
                clock.begin(),
            )
            .await;
        let links = tcp::Links {
            clock: clock.clone(),
            limits: tcp::Limits::default(),
            shutdown,
        };
        let ends = (
            config::esme(&builder.world),
            config::smsc_end(&builder.world),
        );
        let platform_to = SocketAddr::new(near, smpp_at.port());
        network.start_smpp(links, smpp, platform_to, ends, &mut tasks);
    }
    network.carry_out(left, &clock.begin());
    network.bound().await;
    Ok(Running {
        handle,
        tasks,
        closed,
    })
}

/// Where an OTA platform is.
fn ota_base(url: &str) -> Result<http::Uri, StartError> {
    let base: Option<http::Uri> = url.parse().ok();
    let base = base.filter(|base| base.scheme().is_some() && base.authority().is_some());
    base.ok_or_else(|| StartError::OtaUrl {
        url: url.to_owned(),
    })
}

/// How long those who still have a store may take to let go of it.
const STRAGGLERS: Duration = Duration::from_secs(1);

/// The file of the data directory that holds the certificate of the test CA.
const AUTHORITY: &str = "ca.pem";

/// The address at which this machine reaches itself.
fn near(listen: IpAddr) -> IpAddr {
    match listen {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    }
}

fn in_url(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

impl Running {
    /// Runs until the first interrupt or termination signal, then stops within 5 s; at once at the second.
    ///
    /// # Errors
    /// If the system gives no signals.
    pub async fn until_signal(self) -> std::io::Result<()> {
        self.until(Signals::new()?).await;
        Ok(())
    }

    /// The same for signals that were listened for before: whoever is told that everything is ready may send one at once.
    pub async fn until(mut self, signals: Signals) {
        let handle = self.handle.clone();
        let stopped = async {
            handle.shutdown.draining().await;
            self.join().await;
        };
        tokio::select! {
            () = handle.stopper.on_signals(signals) => {}
            () = stopped => {}
        }
    }

    /// Stops: nothing new is accepted, what runs may finish. The next suite may have the same data directory, unless something
    /// that was taken from this one ([`Handle::rp_port`], say) is still there a second later.
    pub async fn shutdown(mut self) {
        self.handle.stopper.drain();
        self.join().await;
        while self.tasks.join_next().await.is_some() {}
        let Self {
            handle,
            tasks,
            closed,
        } = self;
        drop((handle, tasks));
        let all = async {
            for mut store in closed {
                while store.changed().await.is_ok() {}
            }
        };
        let _ = tokio::time::timeout(STRAGGLERS, all).await;
    }

    async fn join(&mut self) {
        let shutdown = self.handle.shutdown.clone();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        shutdown.bound(shutdown::GRACE, all).await;
        self.tasks.abort_all();
    }
}

impl Deref for Running {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

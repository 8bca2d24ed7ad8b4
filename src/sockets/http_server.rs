//! HTTP/1.1 towards clients: one shell for all parties, over hyper.
//!
//! The shell bounds everything a client can make it hold: connections, header size and count, the time a header and a body may
//! take, the size of a body, the time an answer may stay unread. It never decodes a `Content-Encoding`. A request becomes
//! `http::Request<Bytes>` under a [`RequestId`]; the party answers at once or later through [`Replies`], and nobody minds if the
//! client has left by then. A step that has begun is finished even if its client goes away.

mod exchange;
mod replies;

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, Request, Response, StatusCode};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub(super) use self::exchange::own_octets;
use self::exchange::{PartyService, plain};
pub use self::replies::{Replies, RequestId};
use super::shutdown::{GRACE, Shutdown};
use super::stall::Stalling;
use super::tls::{PeerCertificate, ServerTls};
use crate::runtime::clock::{Clock, InFlight};

/// What one listener lets its clients use. Times are transport time.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Octets of a request's body.
    pub body: usize,
    /// How long a body may take to arrive.
    pub body_within: Duration,
    /// Connections at a time; more wait to be accepted.
    pub connections: usize,
    /// Octets of request line and headers.
    pub head: usize,
    /// How long they may take to arrive, which also bounds how long a connection may be idle.
    pub head_within: Duration,
    /// How long a TLS handshake may take.
    pub handshake_within: Duration,
    /// Header fields.
    pub headers: usize,
    /// Requests that a party has taken and not answered yet; more are told to come again later.
    pub open: usize,
    /// How long an answer may stay unread.
    pub unread: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 1 << 20,
            body_within: Duration::from_secs(30),
            connections: 4096,
            head: 64 << 10,
            head_within: Duration::from_secs(15),
            handshake_within: Duration::from_secs(10),
            headers: 100,
            open: 3072,
            unread: Duration::from_secs(30),
        }
    }
}

/// The header by which two of our own parties hand the count of messages in flight over (see [`Clock::depart`]). It is taken off
/// before a party sees the request.
pub const FLIGHT: HeaderName = HeaderName::from_static("midsim-flight");

/// A bound port, and whether TLS is spoken there.
pub struct Listener {
    tcp: TcpListener,
    tls: Option<ServerTls>,
}

impl Listener {
    /// TLS on this port if there is a `tls`.
    pub fn new(tcp: TcpListener, tls: Option<ServerTls>) -> Self {
        Self { tcp, tls }
    }
}

impl From<TcpListener> for Listener {
    /// Without TLS.
    fn from(tcp: TcpListener) -> Self {
        Self::new(tcp, None)
    }
}

/// A party behind the shell.
pub trait HttpParty: Send + Sync + 'static {
    /// Takes a request: runs the step and releases its outputs, the reply among them or later. `arrived.flight` is to be held
    /// until then.
    fn handle(&self, arrived: Arrived) -> impl Future<Output = ()> + Send;

    /// The answer to a request whose body is larger than [`Limits::body`], in the words of the party's protocol.
    fn too_large(&self, head: &Parts) -> Response<Bytes>;

    /// The answer to a request that comes on top of [`Limits::open`] others: 503, with Retry-After added.
    fn overloaded(&self, head: &Parts) -> Response<Bytes> {
        let _ = head;
        plain(StatusCode::SERVICE_UNAVAILABLE)
    }
}

/// A request that has arrived whole.
#[derive(Debug)]
pub struct Arrived {
    /// To be named in the reply.
    pub id: RequestId,
    /// The request, its body as sent.
    pub request: Request<Bytes>,
    /// Who sent it.
    pub peer: SocketAddr,
    /// When its head had arrived, in simulated time.
    pub started: Timestamp,
    /// The certificate that they showed in the TLS handshake.
    pub certificate: Option<PeerCertificate>,
    /// Counts the request as under way.
    pub flight: InFlight,
}

/// Serves a party until the shutdown. The clock knows the address from the call on, not only from the first poll: a request
/// sent before counts too.
pub fn serve_party<H: HttpParty>(
    listener: impl Into<Listener>,
    handler: Arc<H>,
    replies: Replies,
    limits: Limits,
    shutdown: Shutdown,
) -> impl Future<Output = ()> {
    let listener = listener.into();
    if let Ok(address) = listener.tcp.local_addr() {
        declare(replies.clock(), address);
    }
    let service = move |peer| PartyService {
        handler: handler.clone(),
        replies: replies.clone(),
        limits,
        peer,
    };
    serve(listener, service, limits, shutdown)
}

/// Serves an axum router until the shutdown. Its handlers can take `ConnectInfo<SocketAddr>`; bodies are theirs to bound.
pub async fn serve_router(
    listener: impl Into<Listener>,
    router: axum::Router,
    limits: Limits,
    shutdown: Shutdown,
) {
    let inner = TowerToHyperService::new(router);
    let service = move |peer| WithPeer {
        inner: inner.clone(),
        peer,
    };
    serve(listener, service, limits, shutdown).await;
}

/// Serves until the shutdown, each connection with a service of its own: then nothing new is accepted and what runs has
/// [`GRACE`] to finish.
async fn serve<F, S, B>(
    listener: impl Into<Listener>,
    service: F,
    limits: Limits,
    shutdown: Shutdown,
) where
    F: Fn(Peer) -> S + Clone + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Listener { tcp: listener, tls } = listener.into();
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            // The semaphore is never closed.
            let place = Arc::clone(&places).acquire_owned().await.ok();
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            biased;
            () = shutdown.draining() => break,
            accepted = accepted => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer)) => {
                let (service, shutdown, tls) = (service.clone(), shutdown.clone(), tls.clone());
                connections.spawn(async move {
                    accepted_from(stream, peer, tls, service, limits, shutdown).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                // Out of descriptors, most likely: let some close before trying again.
                let _ = tokio::time::timeout(AFTER_REFUSAL, shutdown.draining()).await;
            }
        }
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    if shutdown.bound(GRACE, all).await.is_none() {
        tracing::debug!(left = connections.len(), "cutting connections off");
    }
}

const AFTER_REFUSAL: Duration = Duration::from_millis(100);

/// One connection: the handshake first, where TLS is spoken.
async fn accepted_from<F, S, B>(
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<ServerTls>,
    service: F,
    limits: Limits,
    shutdown: Shutdown,
) where
    F: Fn(Peer) -> S,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    // Only costs speed if it fails.
    let _ = stream.set_nodelay(true);
    let stream = Stalling::new(stream, limits.unread);
    let with = move |certificate| {
        service(Peer {
            address,
            certificate,
        })
    };
    let Some(tls) = tls else {
        return connection(stream, with(None), limits, shutdown).await;
    };
    let shaking = tokio::time::timeout(limits.handshake_within, tls.accept(stream));
    let shaken = tokio::select! {
        biased;
        () = shutdown.draining() => return,
        shaken = shaking => shaken,
    };
    match shaken {
        Ok(Ok(accepted)) => {
            connection(accepted.stream, with(accepted.peer), limits, shutdown).await
        }
        Ok(Err(error)) => tracing::debug!(peer = %address, %error, "a TLS handshake failed"),
        Err(_) => tracing::debug!(peer = %address, "a TLS handshake took too long"),
    }
}

async fn connection<T, S, B>(stream: T, service: S, limits: Limits, shutdown: Shutdown)
where
    T: AsyncRead + AsyncWrite + Unpin,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let io = TokioIo::new(stream);
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_within)
        .max_headers(limits.headers)
        .max_header_size(limits.head)
        .max_buf_size(limits.head.max(8192))
        .serve_connection(io, service);
    let mut serving = pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = shutdown.draining() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended badly");
    }
}

/// Who is at the other end of a connection.
#[derive(Clone)]
struct Peer {
    address: SocketAddr,
    certificate: Option<PeerCertificate>,
}

/// Tells every request of a router who sent it.
struct WithPeer<S> {
    inner: S,
    peer: Peer,
}

impl<S: Service<Request<Incoming>>> Service<Request<Incoming>> for WithPeer<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let extensions = request.extensions_mut();
        extensions.insert(ConnectInfo(self.peer.address));
        if let Some(certificate) = &self.peer.certificate {
            extensions.insert(certificate.clone());
        }
        self.inner.call(request)
    }
}

/// Tells the clock that requests to this address are our own; on "any address", those over loopback.
fn declare(clock: &Clock, address: SocketAddr) {
    clock.listening(address);
    if address.ip().is_unspecified() {
        for ip in [
            IpAddr::from(Ipv4Addr::LOCALHOST),
            Ipv6Addr::LOCALHOST.into(),
        ] {
            clock.listening(SocketAddr::new(ip, address.port()));
        }
    }
}

#[cfg(test)]
mod tests;

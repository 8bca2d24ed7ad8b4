//! HTTP/1.1 towards clients: one shell for all parties, over hyper.
//!
//! The shell bounds everything a client can make it hold: connections, header size and count, the time a header and a body may
//! take, the size of a body, the time an answer may stay unread. It never decodes a `Content-Encoding`. A request becomes
//! `http::Request<Bytes>` under a [`RequestId`]; the party answers at once or later through [`Replies`], and nobody minds if the
//! client has left by then. A step that has begun is finished even if its client goes away.

mod replies;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
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

/// A party as a hyper service, for one connection.
struct PartyService<H> {
    handler: Arc<H>,
    replies: Replies,
    limits: Limits,
    peer: Peer,
}

impl<H> Clone for PartyService<H> {
    fn clone(&self) -> Self {
        Self {
            handler: Arc::clone(&self.handler),
            replies: self.replies.clone(),
            limits: self.limits,
            peer: self.peer.clone(),
        }
    }
}

impl<H: HttpParty> Service<Request<Incoming>> for PartyService<H> {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        // Counted from here on, before the connection's task does anything else.
        let clock = self.replies.clock();
        let taken_over = flight_id(request.headers_mut())
            .and_then(|id| clock.arrive(id).map(|flight| (flight, Some(id))));
        let (flight, flight_id) = taken_over.unwrap_or_else(|| (clock.begin(), None));
        let service = self.clone();
        let started = clock.now();
        Box::pin(async move {
            let response = service.exchange(request, started, flight, flight_id).await;
            Ok(response.map(Full::new))
        })
    }
}

impl<H: HttpParty> PartyService<H> {
    async fn exchange(
        self,
        request: Request<Incoming>,
        started: Timestamp,
        flight: InFlight,
        flight_id: Option<u64>,
    ) -> Response<Bytes> {
        let (mut head, body) = request.into_parts();
        head.extensions.clear();
        let body = match self.collect(&head, body).await {
            Ok(body) => own(&mut head, &body),
            Err(Refused::TooLarge) => return closing(self.handler.too_large(&head)),
            Err(Refused::Late) => return closing(plain(StatusCode::REQUEST_TIMEOUT)),
            Err(Refused::Broken) => return closing(plain(StatusCode::BAD_REQUEST)),
        };
        if self.replies.open() >= self.limits.open {
            return later(self.handler.overloaded(&head));
        }
        let mut waiting = self.replies.register(flight_id);
        let arrived = Arrived {
            id: waiting.id(),
            request: Request::from_parts(head, body),
            peer: self.peer.address,
            started,
            certificate: self.peer.certificate,
            flight,
        };
        let handler = Arc::clone(&self.handler);
        let mut handling = Box::pin(async move { handler.handle(arrived).await });
        // With records in memory it is done without ever having to wait.
        let begun = poll_fn(|cx| {
            let poll = AssertUnwindSafe(|| handling.as_mut().poll(cx));
            Poll::Ready(catch_unwind(poll))
        });
        let handled = match begun.await {
            Ok(Poll::Ready(())) => return answered(waiting.reply().await),
            // A task of its own: what has begun is finished even if the client leaves.
            Ok(Poll::Pending) => tokio::spawn(handling),
            Err(_) => {
                tracing::error!("a request was not handled");
                return answered(None);
            }
        };
        let reply = tokio::select! {
            biased;
            reply = waiting.reply() => reply,
            ended = handled => match ended {
                Ok(()) => waiting.reply().await,
                Err(error) => {
                    tracing::error!(%error, "a request was not handled");
                    None
                }
            },
        };
        answered(reply)
    }

    async fn collect(&self, head: &Parts, mut body: Incoming) -> Result<Bytes, Refused> {
        if declared_length(&head.headers) > self.limits.body as u64 {
            tokio::spawn(discard(body));
            return Err(Refused::TooLarge);
        }
        let mut collected = pin!(Limited::new(&mut body, self.limits.body).collect());
        // Most bodies have come with their head: a timer would be set for nothing.
        let collected = match poll_once(collected.as_mut()).await {
            Poll::Ready(collected) => Ok(collected),
            Poll::Pending => tokio::time::timeout(self.limits.body_within, collected).await,
        };
        match collected {
            Ok(Ok(collected)) => Ok(collected.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                tokio::spawn(discard(body));
                Err(Refused::TooLarge)
            }
            Ok(Err(_)) => Err(Refused::Broken),
            Err(_) => Err(Refused::Late),
        }
    }
}

/// What a future says when it is asked once.
async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// Reads on what is refused, while the answer is on its way: closing a connection with unread octets resets it, and a
/// client that still writes would never see why.
async fn discard(mut body: Incoming) {
    let mut left = MOST_DISCARDED;
    let reading = async {
        while let Ok(Some(Ok(frame))) = tokio::time::timeout(PAUSE, body.frame()).await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                break;
            }
        }
    };
    // Whoever takes longer has had the time to read the answer.
    let _ = tokio::time::timeout(DISCARD_WITHIN, reading).await;
}

/// How many octets of a refused body are read on, for how long, and with what pauses between them.
const MOST_DISCARDED: usize = 16 << 20;
const DISCARD_WITHIN: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(250);

/// Octets of a message without the buffer they were read into. Parties and the trace keep messages, and what hyper hands
/// out would keep its whole read buffer with it: for each message another one.
pub(super) fn own_octets(octets: &Bytes) -> Bytes {
    Bytes::copy_from_slice(octets)
}

/// The same for a whole request: its body and what its head refers to share one buffer of their own.
fn own(head: &mut Parts, body: &Bytes) -> Bytes {
    let length = head.headers.values().map(HeaderValue::len).sum::<usize>();
    let uri = head.uri.to_string();
    let mut octets = Vec::with_capacity(body.len() + length + uri.len());
    octets.extend_from_slice(body);
    for value in head.headers.values() {
        octets.extend_from_slice(value.as_bytes());
    }
    let uri_at = octets.len();
    octets.extend_from_slice(uri.as_bytes());
    let octets = Bytes::from(octets);
    let mut start = body.len();
    for value in head.headers.values_mut() {
        let end = start + value.len();
        // What was a value is one again.
        if let Ok(own) = HeaderValue::from_maybe_shared(octets.slice(start..end)) {
            *value = own;
        }
        start = end;
    }
    if let Ok(own) = Uri::from_maybe_shared(octets.slice(uri_at..)) {
        head.uri = own;
    }
    octets.slice(..body.len())
}

/// Why a body was not accepted.
enum Refused {
    Broken,
    Late,
    TooLarge,
}

/// Takes the header off and reads it.
fn flight_id(headers: &mut HeaderMap) -> Option<u64> {
    headers.remove(FLIGHT)?.to_str().ok()?.parse().ok()
}

/// What `Content-Length` says; 0 if nothing. hyper has checked that it is a number.
fn declared_length(headers: &HeaderMap) -> u64 {
    let value = headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok());
    value.and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn plain(status: StatusCode) -> Response<Bytes> {
    let text = format!("{status}\n");
    let mut response = Response::new(Bytes::from(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// The answer; that of the shell if the party has none.
fn answered(reply: Option<Response<Bytes>>) -> Response<Bytes> {
    reply.unwrap_or_else(|| plain(StatusCode::INTERNAL_SERVER_ERROR))
}

/// Tells when to come again.
fn later(mut response: Response<Bytes>) -> Response<Bytes> {
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let seconds = HeaderValue::from_static("5");
    response.headers_mut().insert(RETRY_AFTER, seconds);
    response
}

/// The rest of the body was not read, so nothing more can be said on this connection.
fn closing(mut response: Response<Bytes>) -> Response<Bytes> {
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
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

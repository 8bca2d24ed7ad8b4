//! HTTP/1.1 towards others: one guarded client for everything the parties send.
//!
//! The name is resolved, each address judged ([`Policy`]), and the judged address connected to; redirects are not followed;
//! connecting, the whole exchange and the size of the answer are bounded; connections are kept for the next request. Whether the
//! answer makes sense is for the party to say.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tower_service::Service;

use super::addresses::{Denied, Policy};
use super::event_stream::EventStream;
use super::http_server::{FLIGHT, own_octets};
use super::tls::ClientTls;
use crate::runtime::clock::{Clock, Flight, InFlight};

/// The client of a process. Clones share its connections.
#[derive(Clone)]
pub struct HttpClient {
    inner: Client<Connector, Full<Bytes>>,
    clock: Clock,
}

/// What one exchange may take. Transport time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// From the first attempt to connect to the last octet of the answer.
    pub within: Duration,
    /// Octets of the answer's body; without, status and headers are all there is to the answer, and its body is not read.
    pub answer: Option<usize>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            within: Duration::from_secs(5),
            answer: Some(64 << 10),
        }
    }
}

/// The outcome of an exchange.
#[derive(Debug)]
pub struct Sent {
    /// The answer, whatever its status, or why there is none.
    pub result: Result<Response<Bytes>, SendError>,
    /// Counts the answer as under way, until whoever sent has acted on it.
    pub flight: InFlight,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The answer is larger than asked for.
    #[error("the answer is too large")]
    TooLarge,
    /// No complete answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// No connection, or it broke. For the log and the trace, not for the peer.
    #[error("unreachable: {0}")]
    Unreachable(String),
}

/// How long one address may take to accept.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// How long a connection is kept without use: shorter than common servers keep theirs.
const KEEP: Duration = Duration::from_secs(4);

const KEPT_PER_HOST: usize = 64;

/// Octets of an answer's status line and headers.
const ANSWER_HEAD: usize = 64 << 10;

impl HttpClient {
    /// A client that calls what `policy` allows, and no server that wants TLS.
    pub fn new(clock: Clock, policy: Policy) -> Self {
        Self::resolving(clock, policy, None, Arc::new(SystemNames))
    }

    /// A client that calls what `policy` allows, with TLS where the URL asks for it.
    pub fn with_tls(clock: Clock, policy: Policy, tls: ClientTls) -> Self {
        Self::resolving(clock, policy, Some(tls), Arc::new(SystemNames))
    }

    fn resolving(
        clock: Clock,
        policy: Policy,
        tls: Option<ClientTls>,
        names: Arc<dyn Names>,
    ) -> Self {
        let connector = Connector {
            policy: Arc::new(policy),
            tls,
            names,
        };
        let inner = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEEP)
            .pool_max_idle_per_host(KEPT_PER_HOST)
            .http1_max_buf_size(ANSWER_HEAD)
            .build(connector);
        Self { inner, clock }
    }

    /// Sends a request to its absolute URI and waits for the whole answer. The request counts as under way from the call on, so
    /// that whoever has held a guard for it may let go before awaiting.
    pub fn send(
        &self,
        mut request: Request<Bytes>,
        bounds: Bounds,
    ) -> impl Future<Output = Sent> + Send + '_ {
        let on_its_way = self.depart(&mut request);
        async move {
            let exchange = self.exchange(request.map(Full::new), bounds.answer);
            let result = tokio::time::timeout(bounds.within, exchange)
                .await
                .unwrap_or(Err(SendError::TimedOut));
            // Before the count that came with the answer is let go.
            let flight = self.clock.begin();
            drop(on_its_way);
            Sent { result, flight }
        }
    }

    /// Sends a request whose answer is a stream of events: it may take `within` to begin, and `silence` between two signs of life.
    /// What waits in a stream is not under way.
    ///
    /// # Errors
    /// [`SendError`], also for an answer that is no stream of events.
    pub async fn events(
        &self,
        request: Request<Bytes>,
        within: Duration,
        silence: Duration,
    ) -> Result<EventStream, SendError> {
        let answering = tokio::time::timeout(within, self.inner.request(request.map(Full::new)));
        let answer = answering.await.map_err(|_| SendError::TimedOut)?;
        let (head, body) = answer.map_err(unreachable)?.into_parts();
        let kind = head.headers.get(CONTENT_TYPE);
        if head.status != StatusCode::OK || kind.is_none_or(|kind| kind != "text/event-stream") {
            let why = format!("{} instead of a stream of events", head.status);
            return Err(SendError::Unreachable(why));
        }
        Ok(EventStream::new(body, silence))
    }

    /// To a party of this process the count goes along in a header; for anybody else it is kept here.
    fn depart(&self, request: &mut Request<Bytes>) -> OnItsWay {
        let ours = literal_address(request.uri()).is_some_and(|to| self.clock.is_listening(to));
        if !ours {
            return OnItsWay::Stranger(self.clock.begin());
        }
        let flight = self.clock.depart();
        request
            .headers_mut()
            .insert(FLIGHT, HeaderValue::from(flight.id()));
        OnItsWay::Ours(flight)
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        most: Option<usize>,
    ) -> Result<Response<Bytes>, SendError> {
        let response = self.inner.request(request).await.map_err(unreachable)?;
        let (head, body) = response.into_parts();
        let body = match most {
            Some(most) => collect(&head.headers, body, most).await?,
            None => Bytes::new(),
        };
        Ok(Response::from_parts(head, body))
    }
}

/// Held for its drop.
enum OnItsWay {
    Ours(#[expect(dead_code, reason = "held until the answer has come")] Flight),
    Stranger(#[expect(dead_code, reason = "held until the answer has come")] InFlight),
}

async fn collect(headers: &HeaderMap, body: Incoming, most: usize) -> Result<Bytes, SendError> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok());
    let declared: Option<u64> = declared.and_then(|text| text.parse().ok());
    if declared.is_some_and(|length| length > most as u64) {
        return Err(SendError::TooLarge);
    }
    match Limited::new(body, most).collect().await {
        Ok(collected) => Ok(own_octets(&collected.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => Err(SendError::TooLarge),
        Err(error) => Err(SendError::Unreachable(error.to_string())),
    }
}

/// The words of the innermost cause: the outer ones only say which layer passed it on.
fn unreachable(error: impl Error) -> SendError {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = inner.to_string();
        if inner.is::<ConnectError>() {
            break;
        }
        cause = inner.source();
    }
    SendError::Unreachable(text)
}

/// Turns a name into addresses.
trait Names: Send + Sync + 'static {
    fn resolve(&self, host: String, port: u16) -> Resolved;
}

type Resolved = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

struct SystemNames;

impl Names for SystemNames {
    fn resolve(&self, host: String, port: u16) -> Resolved {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

/// Resolves, judges, and connects to what was judged.
#[derive(Clone)]
struct Connector {
    policy: Arc<Policy>,
    tls: Option<ClientTls>,
    names: Arc<dyn Names>,
}

#[derive(Debug)]
enum ConnectError {
    Denied(String, Denied),
    Io(String, io::Error),
    NoAddress(String),
    TimedOut(SocketAddr),
    Tls(String, io::Error),
    Unsupported(String),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(host, denied) => write!(f, "{host}: {denied}"),
            Self::Io(to, error) => write!(f, "{to}: {error}"),
            Self::NoAddress(host) => write!(f, "{host} has no address"),
            Self::TimedOut(address) => write!(f, "{address} does not accept connections"),
            Self::Tls(host, error) => write!(f, "TLS with {host}: {error}"),
            Self::Unsupported(uri) => write!(f, "{uri} is not a URL that can be called here"),
        }
    }
}

impl Error for ConnectError {}

impl Service<Uri> for Connector {
    type Response = TokioIo<Box<dyn Stream>>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect(&uri).await.map(TokioIo::new) })
    }
}

impl Connector {
    async fn connect(&self, uri: &Uri) -> Result<Box<dyn Stream>, ConnectError> {
        let unsupported = || ConnectError::Unsupported(uri.to_string());
        let target = Target::of(uri).ok_or_else(unsupported)?;
        if !target.tls {
            return Ok(Box::new(self.reach(target.host, target.port).await?));
        }
        let tls = self.tls.as_ref().ok_or_else(unsupported)?;
        let stream = self.reach(target.host, target.port).await?;
        let failed = |error| ConnectError::Tls(target.host.to_owned(), error);
        let shaking = tls.connect(target.host, stream);
        match tokio::time::timeout(CONNECT_WITHIN, shaking).await {
            Ok(stream) => Ok(Box::new(stream.map_err(failed)?)),
            Err(_) => Err(failed(io::ErrorKind::TimedOut.into())),
        }
    }

    async fn reach(&self, host: &str, port: u16) -> Result<TcpStream, ConnectError> {
        let resolved = match host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => {
                let resolved = self.names.resolve(host.to_owned(), port).await;
                resolved.map_err(|error| ConnectError::Io(host.to_owned(), error))?
            }
        };
        let mut failed = ConnectError::NoAddress(host.to_owned());
        for address in resolved {
            if let Err(denied) = self.policy.check(address.ip()) {
                failed = ConnectError::Denied(host.to_owned(), denied);
                continue;
            }
            match tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Only costs speed if it fails.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => failed = ConnectError::Io(address.to_string(), error),
                Err(_) => failed = ConnectError::TimedOut(address),
            }
        }
        Err(failed)
    }
}

/// What requests and answers go over: TCP, or TLS over it.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Connection for Box<dyn Stream> {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

/// Whom a URI names; the host of an IPv6 literal without its brackets.
struct Target<'a> {
    tls: bool,
    host: &'a str,
    port: u16,
}

impl<'a> Target<'a> {
    fn of(uri: &'a Uri) -> Option<Self> {
        let (tls, default_port) = match uri.scheme_str() {
            Some("http") => (false, 80),
            Some("https") => (true, 443),
            _ => return None,
        };
        let host = uri.host()?;
        let literal = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        Some(Self {
            tls,
            host: literal.unwrap_or(host),
            port: uri.port_u16().unwrap_or(default_port),
        })
    }
}

fn literal_address(uri: &Uri) -> Option<SocketAddr> {
    let target = Target::of(uri)?;
    Some(SocketAddr::new(target.host.parse().ok()?, target.port))
}

#[cfg(test)]
mod tests;

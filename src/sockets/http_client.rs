//! HTTP/1.1 towards others: one guarded client for everything the parties send.
//!
//! The name is resolved, each address judged ([`Policy`]), and the judged address connected to; redirects are not followed;
//! connecting, the whole exchange and the size of the answer are bounded; connections are kept for the next request. Whether the
//! answer makes sense is for the party to say.

mod wire;

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::net::TcpStream;

use self::wire::{Host, Kept, Stream, Wire};
use super::addresses::{Denied, Policy};
use super::event_stream::EventStream;
use super::http_server::{FLIGHT, own_octets};
use super::tls::ClientTls;
use crate::runtime::clock::{Clock, Flight, InFlight};

/// The client of a process. Clones share its connections.
#[derive(Clone)]
pub struct HttpClient {
    connector: Arc<Connector>,
    kept: Arc<Kept>,
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
        let connector = Connector { policy, tls, names };
        Self {
            connector: Arc::new(connector),
            kept: Arc::default(),
            clock,
        }
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
            let exchange = self.exchange(request, bounds.answer);
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
        let answering = tokio::time::timeout(within, self.answer(request));
        let (_, wire, answer) = answering.await.map_err(|_| SendError::TimedOut)??;
        wire.run_on();
        let (head, body) = answer.into_parts();
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
        request: Request<Bytes>,
        most: Option<usize>,
    ) -> Result<Response<Bytes>, SendError> {
        let (host, mut wire, answer) = self.answer(request).await?;
        let (head, body) = answer.into_parts();
        let body = match most {
            Some(most) => wire.along(collect(&head.headers, body, most)).await?,
            None => {
                drop(body);
                Bytes::new()
            }
        };
        self.kept.put(host, wire).await;
        Ok(Response::from_parts(head, body))
    }

    /// Sends a request over a connection that was kept, or else over a new one: the head of the answer, whose body is still to
    /// come over the connection.
    async fn answer(
        &self,
        request: Request<Bytes>,
    ) -> Result<(Host, Wire, Response<Incoming>), SendError> {
        let uri = request.uri().clone();
        let unsupported = || ConnectError::unsupported(&uri);
        let target = Target::of(&uri).ok_or_else(unsupported)?;
        let host = target.kept_as().ok_or_else(unsupported)?;
        let mut request = target.relative(request).map(Full::new);
        while let Some(mut wire) = self.kept.take(&host).await {
            let mut failed = match wire.send(request).await {
                Ok(answer) => return Ok((host, wire, answer)),
                Err(failed) => failed,
            };
            // Its peer has hung up before anything was sent.
            request = match failed.take_message() {
                Some(request) => request,
                None => return Err(unreachable(failed.error())),
            };
        }
        let connecting = Box::pin(self.connector.connect(&target));
        let mut wire = Wire::new(connecting.await?).await.map_err(unreachable)?;
        let answer = wire.send(request).await;
        let answer = answer.map_err(|failed| unreachable(failed.into_error()))?;
        Ok((host, wire, answer))
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
struct Connector {
    policy: Policy,
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

impl ConnectError {
    /// Without what may be a secret in the path.
    fn unsupported(uri: &Uri) -> Self {
        let scheme = uri.scheme_str().unwrap_or_default();
        let authority = uri.authority().map_or("", |it| it.as_str());
        Self::Unsupported(format!("{scheme}://{authority}/"))
    }
}

impl From<ConnectError> for SendError {
    fn from(error: ConnectError) -> Self {
        Self::Unreachable(error.to_string())
    }
}

impl Connector {
    async fn connect(&self, target: &Target<'_>) -> Result<Box<dyn Stream>, ConnectError> {
        if !target.tls {
            return Ok(Box::new(self.reach(target.host, target.port).await?));
        }
        let unsupported = || ConnectError::unsupported(target.uri);
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

/// Whom a URI names.
struct Target<'a> {
    uri: &'a Uri,
    tls: bool,
    /// That of an IPv6 literal without its brackets.
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
            uri,
            tls,
            host: literal.unwrap_or(host),
            port: uri.port_u16().unwrap_or(default_port),
        })
    }

    /// Under which its connections are kept.
    fn kept_as(&self) -> Option<Host> {
        Some((self.tls, self.uri.authority()?.clone()))
    }

    /// The request as the host itself gets it (RFC 9112 §3.2): a path, and the Host header.
    fn relative(&self, mut request: Request<Bytes>) -> Request<Bytes> {
        let host = self.uri.host().unwrap_or_default();
        let value = match (self.tls, self.port) {
            (false, 80) | (true, 443) => HeaderValue::from_str(host),
            (_, port) => HeaderValue::try_from(format!("{host}:{port}")),
        };
        // Whatever is a host is a header, too.
        if let Ok(value) = value {
            request.headers_mut().entry(HOST).or_insert(value);
        }
        let path = self.uri.path_and_query().cloned();
        *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
        request
    }
}

fn literal_address(uri: &Uri) -> Option<SocketAddr> {
    let target = Target::of(uri)?;
    Some(SocketAddr::new(target.host.parse().ok()?, target.port))
}

#[cfg(test)]
mod tests;

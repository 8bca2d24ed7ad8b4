//! Connections of HTTP/1.1, and those that are kept between two exchanges. None has a task of its own, which would have to be
//! woken for each octet: whoever has an exchange on it polls it meanwhile. One that is kept is not polled at all; whether its
//! peer has hung up is seen when it is wanted next.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::uri::Authority;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::runtime::lock;

/// How long a connection is kept for use: shorter than common servers keep theirs. It is closed within twice that.
const KEEP: Duration = Duration::from_secs(4);

const KEPT_PER_HOST: usize = 64;

/// Octets of an answer's status line and headers.
const ANSWER_HEAD: usize = 64 << 10;

/// What requests and answers go over: TCP, or TLS over it.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

type Connection = http1::Connection<TokioIo<Box<dyn Stream>>, Full<Bytes>>;

/// One end of a connection, for one exchange after the other.
pub(super) struct Wire {
    sender: http1::SendRequest<Full<Bytes>>,
    /// `None` once it is over.
    connection: Option<Connection>,
}

impl Wire {
    /// Makes a connection of what has been connected.
    pub(super) async fn new(stream: Box<dyn Stream>) -> Result<Self, hyper::Error> {
        let mut builder = http1::Builder::new();
        builder.max_buf_size(ANSWER_HEAD);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
        Ok(Self {
            sender,
            connection: Some(connection),
        })
    }

    /// Sends a request, which comes back if nothing of it was sent; the head of the answer.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Full<Bytes>>>> {
        let answer = self.sender.try_send_request(request);
        self.along(answer).await
    }

    /// Polls what waits for this connection together with it.
    pub(super) async fn along<F: Future>(&mut self, waiting: F) -> F::Output {
        let mut waiting = pin!(waiting);
        poll_fn(|context| {
            // What it waits for may only come once it has said that it waits.
            if let Poll::Ready(output) = waiting.as_mut().poll(context) {
                return Poll::Ready(output);
            }
            self.poll(context);
            waiting.as_mut().poll(context)
        })
        .await
    }

    /// Whether it is free for another exchange.
    async fn is_free(&mut self) -> bool {
        poll_fn(|context| {
            self.poll(context);
            Poll::Ready(self.connection.is_some() && self.sender.is_ready())
        })
        .await
    }

    fn poll(&mut self, context: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection
            // Whoever waits is told what went wrong.
            && Pin::new(connection).poll(context).is_ready()
        {
            self.connection = None;
        }
    }

    /// Goes on for as long as somebody reads the answer, then hangs up.
    pub(super) fn run_on(self) {
        drop(self.sender);
        if let Some(connection) = self.connection {
            tokio::spawn(async move { drop(connection.await) });
        }
    }

    /// Lets what is under way come to its end, for a while, then hangs up.
    pub(super) fn finish(self) {
        drop(self.sender);
        if let Some(connection) = self.connection {
            tokio::spawn(tokio::time::timeout(KEEP, connection));
        }
    }
}

/// Whom a connection leads to; `true` for TLS.
pub(super) type Host = (bool, Authority);

/// The connections that are not in use.
#[derive(Default)]
pub(super) struct Kept {
    hosts: Mutex<Hosts>,
}

#[derive(Default)]
struct Hosts {
    /// With the instant since when; the newest is the last.
    wires: HashMap<Host, Vec<(Wire, Instant)>>,
    /// Whether [`Kept::sweep`] runs.
    swept: bool,
}

impl Kept {
    /// A connection to this host, if one still stands.
    pub(super) async fn take(&self, host: &Host) -> Option<Wire> {
        loop {
            let (mut wire, since) = lock(&self.hosts).wires.get_mut(host)?.pop()?;
            if since.elapsed() < KEEP && wire.is_free().await {
                return Some(wire);
            }
            wire.finish();
        }
    }

    /// Keeps a connection, if it is good for another exchange.
    pub(super) async fn put(self: &Arc<Self>, host: Host, mut wire: Wire) {
        if !wire.is_free().await {
            return wire.finish();
        }
        let mut hosts = lock(&self.hosts);
        let wires = hosts.wires.entry(host).or_default();
        if wires.len() >= KEPT_PER_HOST {
            return wire.finish();
        }
        wires.push((wire, Instant::now()));
        if !std::mem::replace(&mut hosts.swept, true) {
            tokio::spawn(Self::sweep(Arc::downgrade(self)));
        }
    }

    /// Hangs up what has been kept long enough, until nothing is kept any more.
    async fn sweep(kept: Weak<Self>) {
        let mut ticks = tokio::time::interval(KEEP);
        loop {
            ticks.tick().await;
            let Some(kept) = kept.upgrade() else { return };
            let mut hosts = lock(&kept.hosts);
            hosts.wires.retain(|_, wires| {
                let old = wires.partition_point(|(_, since)| since.elapsed() >= KEEP);
                wires.drain(..old).for_each(|(wire, _)| wire.finish());
                !wires.is_empty()
            });
            if hosts.wires.is_empty() {
                hosts.swept = false;
                return;
            }
        }
    }
}

//! One request to a party: read within bounds, handed over, answered.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::service::Service;
use jiff::Timestamp;

use super::{Arrived, FLIGHT, HttpParty, Limits, Peer, Replies};
use crate::runtime::clock::InFlight;

/// A party as a hyper service, for one connection.
pub(super) struct PartyService<H> {
    pub(super) handler: Arc<H>,
    pub(super) replies: Replies,
    pub(super) limits: Limits,
    pub(super) peer: Peer,
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
pub(in crate::sockets) fn own_octets(octets: &Bytes) -> Bytes {
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

pub(super) fn plain(status: StatusCode) -> Response<Bytes> {
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

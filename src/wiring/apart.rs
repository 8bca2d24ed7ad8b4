//! The MSSP's link to an OTA platform in another process: orders go to its HTTP API, what comes of them comes back as a stream of
//! server-sent events.
//!
//! Nothing is lost when either side stops in between. An order stays in the MSSP's outbox until the platform has it, and goes under
//! the same id each time, so that a second copy is no second order. The stream goes on behind the last event that the MSSP has
//! committed; after a start there is none, and the platform tells everything that it keeps. The MSSP drops what it knows already.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::request::Builder;
use http::{Method, Request, Response, StatusCode, Uri, header};
use jiff::{SignedDuration, Timestamp};
use ota_wire::secret::Secret;
use serde_json::{Value, json};

use super::convert;
use super::parties::{Message, Receipt};
use super::sockets::Network;
use crate::runtime::clock::InFlight;
use crate::sockets::event_stream::Event;
use crate::sockets::http_client::{Bounds, HttpClient, SendError, Sent};
use crate::sockets::shutdown::Shutdown;

/// How long the platform may take to begin its stream, and to say nothing; it says something every 15 s.
const BEGINS_WITHIN: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_secs(45);

/// The pause after a failure; doubled each time.
const PAUSE: SignedDuration = SignedDuration::from_millis(250);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(16);

/// An id that no event has: who comes back with it is told everything.
const NO_EVENT: &str = "none";

/// The link.
pub(crate) struct OtaLink {
    base: Uri,
    client: HttpClient,
    token: Option<Secret>,
    connected: AtomicBool,
    shutdown: Shutdown,
}

/// What the platform's answer to an order means.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Taken,
    Refused(mssp::OtaOutcome),
    /// Not now; why, for the log.
    Later(String),
}

impl OtaLink {
    /// To the platform whose API is at this base; `token` goes along if the platform asks for one.
    pub(crate) fn new(
        base: Uri,
        client: HttpClient,
        token: Option<Secret>,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            base,
            client,
            token,
            connected: AtomicBool::new(false),
            shutdown,
        }
    }

    /// Whether the stream of results is under way.
    pub(super) fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// Brings an order to the platform, however long that takes while it is worth the trouble.
    pub(super) async fn submit(
        &self,
        network: &Arc<Network>,
        submit: mssp::Submit,
        receipt: Receipt,
        flight: InFlight,
    ) {
        let clock = &network.parties().clock;
        let body = Bytes::from(
            json!({
                "id": submit.id, "msisdn": submit.msisdn, "tar": submit.tar.to_string(),
                "payload": hex::encode(&submit.payload), "expires": submit.expires, "por": "on-error",
            })
            .to_string(),
        );
        let (mut pause, mut flight) = (PAUSE, Some(flight));
        // The MSSP's own deadline ends the transaction.
        while clock.now() < submit.expires {
            let order = self.request(Method::POST, "/v1/messages");
            let sent = match order.body(body.clone()) {
                Ok(request) => {
                    let sending = self.client.send(request, Bounds::default());
                    // The client counts the request now; it must not be counted twice.
                    drop(flight.take());
                    sending.await
                }
                Err(error) => Sent {
                    result: Err(SendError::Unreachable(error.to_string())),
                    flight: clock.begin(),
                },
            };
            match verdict(sent.result) {
                Verdict::Taken => break,
                Verdict::Refused(outcome) => {
                    let report = mssp::Input::Report {
                        id: submit.id,
                        outcome,
                    };
                    network
                        .handle(Message::Mssp(report), receipt, sent.flight)
                        .await;
                    return;
                }
                Verdict::Later(why) => {
                    tracing::warn!(why, order = submit.id, "the OTA platform takes no order");
                }
            }
            drop(sent.flight);
            if !self.waited(clock.now(), &mut pause, network).await {
                // It is still in the outbox.
                return;
            }
        }
        network.parties().done(receipt);
    }

    /// Follows the stream of results, until the shutdown.
    pub(super) async fn follow(self: Arc<Self>, network: Arc<Network>) {
        let (mut last, mut pause) = (NO_EVENT.to_owned(), PAUSE);
        loop {
            let why = tokio::select! {
                biased;
                () = self.shutdown.draining() => return,
                why = self.listen(&network, &mut last, &mut pause) => why,
            };
            self.connected.store(false, Ordering::Relaxed);
            tracing::warn!(why, "the OTA platform tells no results");
            let now = network.parties().clock.now();
            if !self.waited(now, &mut pause, &network).await {
                return;
            }
        }
    }

    /// Hands events to the MSSP; why there are no more.
    async fn listen(
        &self,
        network: &Arc<Network>,
        last: &mut String,
        pause: &mut SignedDuration,
    ) -> String {
        let request = self
            .request(Method::GET, "/v1/events")
            .header("last-event-id", last.as_str())
            .body(Bytes::new());
        let request = match request {
            Ok(request) => request,
            Err(error) => return error.to_string(),
        };
        let mut stream = match self.client.events(request, BEGINS_WITHIN, SILENCE).await {
            Ok(stream) => stream,
            Err(error) => return error.to_string(),
        };
        loop {
            let events = match stream.next().await {
                Ok(events) => events,
                Err(error) => return error.to_string(),
            };
            self.connected.store(true, Ordering::Relaxed);
            *pause = PAUSE;
            for event in events {
                if let Some(input) = meaning(&event) {
                    let flight = network.parties().clock.begin();
                    if !network
                        .handle(Message::Mssp(input), Receipt::NONE, flight)
                        .await
                    {
                        return "the MSSP could not keep an event".to_owned();
                    }
                }
                *last = event.id;
            }
        }
    }

    /// Waits before the next attempt; false if the process stops.
    async fn waited(
        &self,
        now: Timestamp,
        pause: &mut SignedDuration,
        network: &Arc<Network>,
    ) -> bool {
        let until = now.saturating_add(*pause).unwrap_or(Timestamp::MAX);
        *pause = (*pause * 2).min(LONGEST_PAUSE);
        tokio::select! {
            () = self.shutdown.draining() => false,
            () = network.parties().clock.reached(until) => true,
        }
    }

    fn request(&self, method: Method, path: &str) -> Builder {
        let base = self.base.to_string();
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", base.trim_end_matches('/')))
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            let token = String::from_utf8_lossy(token.expose());
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        request
    }
}

fn verdict(answer: Result<Response<Bytes>, SendError>) -> Verdict {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Verdict::Later(error.to_string()),
    };
    let status = answer.status();
    let refused = |kind| {
        let problem: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let detail = problem["detail"].as_str().unwrap_or("no reason given");
        let reason = format!("the OTA platform answered {status}: {detail}");
        Verdict::Refused(mssp::OtaOutcome::Failed { reason, kind })
    };
    match status {
        status if status.is_success() => Verdict::Taken,
        StatusCode::NOT_FOUND => refused(mssp::OtaFailure::NoSuchCard),
        StatusCode::CONFLICT | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            refused(mssp::OtaFailure::Other)
        }
        // Whoever runs the platform can make this good: it is down, or does not let us in.
        status => Verdict::Later(status.to_string()),
    }
}

/// What an event is to the MSSP, if anything.
fn meaning(event: &Event) -> Option<mssp::Input> {
    let value: Value = serde_json::from_str(&event.data).ok()?;
    let text = |name: &str| value[name].as_str();
    let mo = |field: &str| {
        let from = text("msisdn")?.parse().ok()?;
        let payload = hex::decode(text(field)?).ok()?;
        Some(mssp::Input::Mo { from, payload })
    };
    let report = |outcome| {
        let id = text("id")?.to_owned();
        Some(mssp::Input::Report { id, outcome })
    };
    let failed = || {
        report(mssp::OtaOutcome::Failed {
            reason: text("reason").unwrap_or_default().to_owned(),
            kind: convert::failure(text("code").unwrap_or_default()),
        })
    };
    match event.kind.as_str() {
        "answer" => mo("answer"),
        "message" => mo("payload"),
        "sent" => report(mssp::OtaOutcome::Sent),
        "failed" => failed(),
        "state" => match text("state") {
            Some("failed") => failed(),
            Some("sent") => report(mssp::OtaOutcome::Sent),
            _ => mo("answer"),
        },
        // An answer was told before; the deadline is the MSSP's own.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &str) -> Verdict {
        let answer = Response::builder().status(status);
        verdict(Ok(answer.body(Bytes::from(body.to_owned())).unwrap()))
    }

    #[test]
    fn an_order_is_given_up_only_when_it_can_never_be_taken() {
        assert_eq!(answered(202, "{}"), Verdict::Taken);
        assert_eq!(answered(200, "{}"), Verdict::Taken);
        let refused = answered(404, r#"{"detail": "no subscriber"}"#);
        let Verdict::Refused(mssp::OtaOutcome::Failed { reason, kind }) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(kind, mssp::OtaFailure::NoSuchCard);
        assert!(reason.ends_with("404 Not Found: no subscriber"), "{reason}");
        for status in [409, 413, 422] {
            assert!(
                matches!(answered(status, ""), Verdict::Refused(_)),
                "{status}"
            );
        }
        for status in [401, 403, 421, 429, 500, 503] {
            assert!(
                matches!(answered(status, "{}"), Verdict::Later(_)),
                "{status}"
            );
        }
        let broken = verdict(Err(SendError::TimedOut));
        assert_eq!(broken, Verdict::Later("no answer in time".into()));
    }

    #[test]
    fn events_are_what_the_platform_of_the_same_process_would_tell() {
        let read = |kind: &str, data: &str| {
            let event = Event {
                id: "x-1".into(),
                kind: kind.into(),
                data: data.into(),
            };
            format!("{:?}", meaning(&event))
        };
        let answer = r#"{"id": "M1", "msisdn": "+447700900002", "answer": "0102"}"#;
        for kind in ["answer", "state"] {
            let told = read(kind, answer);
            assert!(told.contains("Mo") && told.contains("[1, 2]"), "{told}");
        }
        let message = read("message", r#"{"msisdn": "+447700900002", "payload": "03"}"#);
        assert!(message.contains("[3]"), "{message}");
        let failed = r#"{"id": "M1", "state": "failed", "reason": "gone", "code": "undelivered"}"#;
        for kind in ["failed", "state"] {
            let told = read(kind, failed);
            assert!(told.contains("Handset") && told.contains("gone"), "{told}");
        }
        assert!(read("state", r#"{"id": "M1", "state": "sent"}"#).contains("Sent"));
        for (kind, data) in [
            ("acknowledged", answer),
            ("expired", r#"{"id": "M1"}"#),
            ("answer", "{"),
            ("answer", r#"{"msisdn": "?", "answer": "01"}"#),
            ("state", r#"{"id": "M1", "state": "queued"}"#),
        ] {
            assert_eq!(read(kind, data), "None", "{kind} {data}");
        }
    }
}

//! `/v1/events`: what came of messages, as server-sent events. A client that comes back with `Last-Event-ID` gets what it has
//! missed; if that is too long ago, or the process was started anew, it gets the state of every message and then every event that
//! is kept. In a durable store events are kept over a restart: they stay in the platform's outbox until the ring lets go of them.

use std::collections::VecDeque;
use std::fmt::Display;
use std::sync::Mutex;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::channel::Channel;
use ota::platform::{Job, Outcome, Output};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{CORRELATION, JOBS, State, messages};
use crate::runtime::lock;

/// Events kept for those who come back.
const KEPT: usize = 4096;
/// The longest silence of a stream.
const QUIET: Duration = Duration::from_secs(15);
/// In the place of a number in the id of a state: whoever comes back with it may lack other states, and is told all of them.
const STATES: &str = "states";
/// Events that may wait for one slow reader.
const WAITING: usize = 64;

/// What came of messages, in order.
pub struct Results {
    kept: Mutex<Kept>,
    seen: watch::Sender<u64>,
}

#[derive(Default)]
struct Kept {
    last: u64,
    events: VecDeque<Event>,
}

/// One event of the stream.
struct Event {
    number: u64,
    kind: &'static str,
    value: Value,
    /// What of the platform's outbox can go when this one is forgotten.
    kept: Option<String>,
}

impl Default for Results {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            seen: watch::Sender::new(0),
        }
    }
}

impl Results {
    /// Adds the events of one output, which the platform's outbox has as `kept`. Gives what the outbox need not have any more.
    pub(crate) fn push(
        &self,
        events: Vec<(&'static str, Value)>,
        kept: Option<String>,
    ) -> Vec<String> {
        let mut all = lock(&self.kept);
        // The last one of them is forgotten last.
        let count = events.len();
        for (index, (kind, value)) in events.into_iter().enumerate() {
            all.last += 1;
            let number = all.last;
            let kept = kept.clone().filter(|_| index + 1 == count);
            all.events.push_back(Event {
                number,
                kind,
                value,
                kept,
            });
        }
        let over = all.events.len().saturating_sub(KEPT);
        let forgotten = all.events.drain(..over).filter_map(|event| event.kept);
        let forgotten = forgotten.collect();
        let number = all.last;
        drop(all);
        self.seen.send_replace(number);
        forgotten
    }

    /// Changes with every event.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.seen.subscribe()
    }

    /// The number of the last event.
    fn last(&self) -> u64 {
        lock(&self.kept).last
    }

    /// The number before the first event that is still there.
    fn forgotten(&self) -> u64 {
        let kept = lock(&self.kept);
        kept.last - kept.events.len() as u64
    }

    /// What came after the event of this number; `None` if some of that is forgotten.
    fn after(&self, number: u64) -> Option<Vec<(u64, &'static str, Value)>> {
        let kept = lock(&self.kept);
        let first = kept.last - kept.events.len() as u64;
        (first..=kept.last).contains(&number).then(|| {
            let missed = kept.events.iter().filter(|event| event.number > number);
            missed
                .map(|event| (event.number, event.kind, event.value.clone()))
                .collect()
        })
    }
}

pub(super) async fn stream(state: State, headers: HeaderMap) -> Response {
    let life = state.life.clone();
    let (mut sender, body) = Channel::<Bytes>::new(WAITING);
    let asked = headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let api = state.0.clone();
    tokio::spawn(async move {
        let results = &api.network.parties().results;
        let mut seen = results.watch();
        let known = |id: &str| {
            let (of, number) = id.split_once('-')?;
            let number = number.parse().ok().filter(|_| of == life)?;
            results.after(number).map(|_| number)
        };
        let mut at = match asked.as_deref().map(known) {
            Some(Some(number)) => number,
            // The whole state stands for what is not there any more; what is there comes again after it.
            Some(None) => {
                let at = results.forgotten();
                let jobs = api.network.parties().platform_records();
                for (_, record) in jobs.scan(&format!("job/{JOBS}")).unwrap_or_default() {
                    if let Ok(job) = serde_json::from_slice::<Job>(&record.value) {
                        let event = event(&life, STATES, "state", &messages::view(&job));
                        if sender.send_data(event).await.is_err() {
                            return;
                        }
                    }
                }
                at
            }
            None => results.last(),
        };
        // From here on the stream can be taken up again.
        let begin = format!(": midsim\nid: {life}-{at}\n\n");
        if sender.send_data(Bytes::from(begin)).await.is_err() {
            return;
        }
        loop {
            let Some(missed) = results.after(at) else {
                // Too slow a reader: it comes back with its last id and gets the state.
                return;
            };
            for (number, kind, value) in missed {
                at = number;
                if sender
                    .send_data(event(&life, number, kind, &value))
                    .await
                    .is_err()
                {
                    return;
                }
            }
            let news = tokio::select! {
                news = tokio::time::timeout(QUIET, seen.changed()) => news,
                () = api.shutdown.draining() => return,
            };
            match news {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return,
                // A sign of life for the reader, and for us: who is gone does not take it.
                Err(_) => {
                    let comment = Bytes::from_static(b":\n\n");
                    if sender.send_data(comment).await.is_err() {
                        return;
                    }
                }
            }
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, Body::new(body)).into_response()
}

fn event(life: &str, number: impl Display, kind: &str, value: &Value) -> Bytes {
    Bytes::from(format!(
        "id: {life}-{number}\nevent: {kind}\ndata: {value}\n\n"
    ))
}

/// The events that tell of an output of the platform.
pub(crate) fn events(output: &Output) -> Vec<(&'static str, Value)> {
    match output {
        Output::SubmitSm { .. } => Vec::new(),
        Output::Report { id, outcome } => {
            let mut value = json!({"id": id.trim_start_matches(JOBS)});
            match outcome {
                Outcome::Acknowledged(response) => value["response"] = json!(response),
                Outcome::Failed(reason) => {
                    value["reason"] = reason.to_string().into();
                    value["code"] = reason.code().into();
                }
                Outcome::Sent | Outcome::Expired | Outcome::Cancelled => {}
            }
            vec![(outcome.name(), value)]
        }
        Output::Mo {
            from,
            payload,
            correlation,
            ends,
            ..
        } => {
            let answered = correlation
                .as_ref()
                .and_then(|correlation| correlation.strip_prefix(CORRELATION));
            let payload = hex::encode(payload);
            let Some(id) = answered else {
                return vec![("message", json!({"msisdn": from, "payload": payload}))];
            };
            let value = json!({"id": id, "msisdn": from, "answer": payload});
            match ends {
                true => vec![("answer", value.clone()), ("acknowledged", value)],
                false => vec![("answer", value)],
            }
        }
    }
}

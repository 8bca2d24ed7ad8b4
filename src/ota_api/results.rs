//! `/v1/events`: what came of messages, as server-sent events. A client that comes back with `Last-Event-ID` gets what it has
//! missed; if that is too long ago, or the process was started anew, it gets the state of every message instead.

use std::collections::VecDeque;
use std::sync::Mutex;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::channel::Channel;
use ota::platform::Job;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{JOBS, State, messages};
use crate::runtime::lock;

/// Events kept for those who come back.
const KEPT: usize = 4096;
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
    events: VecDeque<(u64, &'static str, Value)>,
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
    /// Adds one.
    pub(crate) fn push(&self, kind: &'static str, value: Value) {
        let mut kept = lock(&self.kept);
        kept.last += 1;
        let number = kept.last;
        kept.events.push_back((number, kind, value));
        if kept.events.len() > KEPT {
            kept.events.pop_front();
        }
        drop(kept);
        self.seen.send_replace(number);
    }

    /// Changes with every event.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.seen.subscribe()
    }

    /// The number of the last event.
    fn last(&self) -> u64 {
        lock(&self.kept).last
    }

    /// What came after the event of this number; `None` if some of that is forgotten.
    fn after(&self, number: u64) -> Option<Vec<(u64, &'static str, Value)>> {
        let kept = lock(&self.kept);
        let first = kept.last - kept.events.len() as u64;
        (first..=kept.last).contains(&number).then(|| {
            let missed = kept.events.iter().filter(|(at, ..)| *at > number);
            missed.cloned().collect()
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
            // The whole state stands for what is not there any more.
            Some(None) => {
                let at = results.last();
                let jobs = api.network.parties().platform_records();
                for (_, record) in jobs.scan(&format!("job/{JOBS}")).unwrap_or_default() {
                    if let Ok(job) = serde_json::from_slice::<Job>(&record.value) {
                        let event = event(&life, at, "state", &messages::view(&job));
                        if sender.send_data(event).await.is_err() {
                            return;
                        }
                    }
                }
                at
            }
            None => results.last(),
        };
        if sender
            .send_data(Bytes::from_static(b": midsim\n\n"))
            .await
            .is_err()
        {
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
            tokio::select! {
                changed = seen.changed() => if changed.is_err() { return },
                () = api.shutdown.draining() => return,
            }
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, Body::new(body)).into_response()
}

fn event(life: &str, number: u64, kind: &str, value: &Value) -> Bytes {
    Bytes::from(format!(
        "id: {life}-{number}\nevent: {kind}\ndata: {value}\n\n"
    ))
}

/// The event of a report.
pub(crate) fn reported(id: &str, outcome: &ota::platform::Outcome) -> (&'static str, Value) {
    use ota::platform::Outcome;
    let id = id.trim_start_matches(JOBS);
    match outcome {
        Outcome::Sent => ("sent", json!({"id": id})),
        Outcome::Acknowledged(response) => {
            ("acknowledged", json!({"id": id, "response": response}))
        }
        Outcome::Failed(reason) => ("failed", json!({"id": id, "reason": reason.to_string()})),
    }
}

//! The control API and the page on it: `/api/v1/…`, `/livez`, `/readyz`, `/docs/…`, and the UI at `/`.
//!
//! It shows what the parties did and lets a person or a test play the user, break links and move the clock.
//! Errors are problem documents (RFC 9457).

mod guard;
mod handsets;
mod markdown;
mod messages;
mod op;
mod pages;
mod readers;
mod sims;

pub(crate) use guard::Access;
pub use guard::{BadHost, HostName};

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::faults::Fault;
use crate::suite::Handle;
use crate::trace::{Recorded, Trace};
use crate::users::{Press, PressError};

/// Transactions that one listing shows, unless it is asked for more or fewer.
const LISTED: usize = 50;
/// The longest that a request is held open.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Where pings and pushes go of clients that have no endpoint of their own.
pub(crate) const RECEIVER: &str = "/rp/notify";
/// The certificate of the test CA.
const AUTHORITY: &str = "/ca.pem";
/// The largest body the API reads.
const LARGEST_BODY: usize = 64 * 1024;

type Suite = Arc<Handle>;

/// The whole surface, for whom `access` lets in.
pub(crate) fn router(suite: Suite, access: Access) -> Router {
    let guard = Arc::new(access);
    Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(readyz))
        .route(AUTHORITY, get(authority))
        .route("/api/v1/info", get(info))
        .route("/api/v1/state", get(state))
        .route("/api/v1/prompts", get(prompts))
        .route("/api/v1/prompts/{id}", post(press))
        .route("/api/v1/traces", get(traces))
        .route("/api/v1/traces/{id}", get(trace))
        .route("/api/v1/handsets/{sim}/inbox", get(handsets::inbox))
        .route("/api/v1/handsets/{sim}/inbox/{mr}", post(handsets::report))
        .route("/api/v1/handsets/{sim}/outbox", post(handsets::outbox))
        .route("/api/v1/sims/{sim}", get(sims::show).post(sims::change))
        .route("/api/v1/sims/{sim}/messages", get(messages::list))
        .route(
            "/api/v1/sims/{sim}/messages/{record}",
            delete(messages::erase),
        )
        .route(
            "/api/v1/sims/{sim}/attach",
            get(readers::show)
                .post(readers::attach)
                .delete(readers::detach),
        )
        .route(
            "/api/v1/faults",
            get(faults).post(add_fault).delete(clear_faults),
        )
        .route("/api/v1/notifications", get(notifications))
        .route(op::DECISION, post(op::decide))
        .route("/api/v1/op/rotate-keys", post(op::rotate_keys))
        .route(RECEIVER, post(receive))
        .route("/api/v1/clock", get(clock))
        .route("/api/v1/clock/advance", post(advance))
        .merge(pages::router())
        .fallback(|request: Request| async move {
            problem(
                StatusCode::NOT_FOUND,
                &format!("there is nothing at {}", request.uri().path()),
            )
        })
        .layer(axum::extract::DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::map_response(as_problem))
        .layer(middleware::from_fn(move |request, next| {
            guard.clone().check(request, next)
        }))
        .with_state(suite)
}

/// A problem document; `detail` says what to do.
pub(crate) fn problem(status: StatusCode, detail: &str) -> Response {
    let body =
        json!({"title": status.canonical_reason(), "status": status.as_u16(), "detail": detail});
    (
        status,
        [(header::CONTENT_TYPE, "application/problem+json")],
        body.to_string(),
    )
        .into_response()
}

/// What the router and its extractors refuse in plain text, or without a word, says the same as a problem document.
async fn as_problem(response: Response) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE);
    let plain = kind.is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !response.status().is_client_error() || !plain {
        return response;
    }
    let (parts, body) = response.into_parts();
    let detail = match axum::body::to_bytes(body, LARGEST_BODY).await {
        Ok(octets) if !octets.is_empty() => String::from_utf8_lossy(&octets).into_owned(),
        _ => parts
            .status
            .canonical_reason()
            .unwrap_or("refused")
            .to_owned(),
    };
    let mut response = problem(parts.status, &detail);
    if let Some(allowed) = parts.headers.get(header::ALLOW) {
        response
            .headers_mut()
            .insert(header::ALLOW, allowed.clone());
    }
    response
}

async fn readyz(State(suite): State<Suite>) -> Response {
    if suite.ready() {
        (StatusCode::OK, "ready\n").into_response()
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the OTA platform is not bound to the SMSC yet\n",
        )
            .into_response()
    }
}

async fn authority(State(suite): State<Suite>) -> impl IntoResponse {
    let kind = (header::CONTENT_TYPE, "application/x-pem-file");
    ([kind], suite.ca_pem().to_owned())
}

async fn info(State(suite): State<Suite>) -> Json<Value> {
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "urls": suite.urls(),
        "curl": suite.curl(),
    }))
}

/// What a client knows already, and how long it waits for more.
#[derive(Deserialize)]
struct Follow {
    #[serde(default)]
    after: u64,
    /// Seconds.
    #[serde(default)]
    wait: u64,
}

/// Everything the first page shows, at once or as soon as it differs from version `after`.
async fn state(State(suite): State<Suite>, Query(follow): Query<Follow>) -> Json<Value> {
    let version = suite
        .changed(
            follow.after,
            Duration::from_secs(follow.wait).min(LONGEST_WAIT),
        )
        .await;
    let traces: Vec<_> = suite.trace_log().list(LISTED).iter().map(summary).collect();
    Json(json!({
        "version": version,
        "clock": clock_value(&suite),
        "prompts": suite.users().open(),
        "traces": traces,
    }))
}

async fn prompts(State(suite): State<Suite>, Query(follow): Query<Follow>) -> Json<Value> {
    let wait = Duration::from_secs(follow.wait).min(LONGEST_WAIT);
    suite.users().appeared(wait).await;
    Json(json!({"prompts": suite.users().open()}))
}

async fn press(
    State(suite): State<Suite>,
    Path(id): Path<u64>,
    Json(press): Json<Press>,
) -> Response {
    match suite.press(id, press) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error @ PressError::Gone { .. }) => problem(StatusCode::NOT_FOUND, &error.to_string()),
        Err(error @ PressError::NotThatKey { .. }) => {
            problem(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string())
        }
    }
}

/// How many transactions are asked for.
#[derive(Deserialize)]
struct Most {
    limit: Option<usize>,
}

async fn traces(State(suite): State<Suite>, Query(most): Query<Most>) -> Json<Value> {
    let most = most.limit.unwrap_or(LISTED);
    let traces: Vec<_> = suite.trace_log().list(most).iter().map(summary).collect();
    Json(json!({"traces": traces}))
}

async fn trace(State(suite): State<Suite>, Path(id): Path<String>) -> Response {
    let found = if id == "last" {
        suite.trace_log().last()
    } else {
        suite.trace_log().get(&id)
    };
    match found {
        Some(trace) => Json(trace.render()).into_response(),
        None => problem(
            StatusCode::NOT_FOUND,
            &format!("no trace {id}: it has not begun, or is forgotten"),
        ),
    }
}

async fn faults(State(suite): State<Suite>) -> Json<Value> {
    Json(json!({"faults": suite.faults().list()}))
}

async fn add_fault(State(suite): State<Suite>, Json(fault): Json<Fault>) -> Response {
    if let Err(error) = suite.faults().add(fault) {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string());
    }
    (
        StatusCode::CREATED,
        Json(json!({"faults": suite.faults().list()})),
    )
        .into_response()
}

async fn clear_faults(State(suite): State<Suite>) -> StatusCode {
    suite.faults().clear();
    StatusCode::NO_CONTENT
}

/// The RP's side of ping and push: keeps what arrives.
async fn receive(State(suite): State<Suite>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let headers: Vec<_> = headers
        .iter()
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect();
    suite
        .receiver()
        .arrive(crate::wiring::http::notification(&headers, &body));
    StatusCode::NO_CONTENT
}

async fn notifications(State(suite): State<Suite>) -> Json<Value> {
    let kept: Vec<_> = suite
        .receiver()
        .kept()
        .into_iter()
        .map(|notification| notification.body)
        .collect();
    Json(json!({"notifications": kept}))
}

async fn clock(State(suite): State<Suite>) -> Json<Value> {
    Json(clock_value(&suite))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: u32,
}

async fn advance(State(suite): State<Suite>, Json(by): Json<Advance>) -> Response {
    suite.advance(Duration::from_secs(by.seconds.into())).await;
    Json(clock_value(&suite)).into_response()
}

fn clock_value(suite: &Handle) -> Value {
    let clock = suite.clock();
    json!({"kind": if clock.is_frozen() { "standing" } else { "running" }, "now": clock.now().to_string()})
}

fn summary(trace: &Trace) -> Value {
    let first = trace.events.first();
    let line = first.map(Recorded::render);
    json!({
        "id": trace.id,
        "began": first.map(|event| event.at.to_string()),
        "from": line.as_ref().map(|line| line.from),
        "first": line.map(|line| line.name),
        "last": trace.events.last().map(|event| event.render().name),
        "reached": trace.reached(),
        "events": trace.events.len(),
    })
}

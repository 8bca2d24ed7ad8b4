//! `/api/v1/handsets/{sim}/…`: a handset played from outside. Its card is in a reader; the network's messages for the
//! number are taken from the inbox, and the card's own go to the outbox.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ota_wire::ids::Msisdn;
use ota_wire::rp::Cause;
use ota_wire::sms::address::Address;
use serde::Deserialize;
use serde_json::json;
use sim_applet_sim::handset::{Delivered, ReaderError};

use super::{LONGEST_WAIT, problem, sims};
use crate::suite::{Handle, ReaderFailure};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Take {
    /// `30s` or `30`.
    wait: Option<String>,
    #[serde(default = "yes")]
    acknowledge: bool,
}

const fn yes() -> bool {
    true
}

pub(super) async fn inbox(
    State(suite): State<Arc<Handle>>,
    Path(name): Path<String>,
    Query(take): Query<Take>,
) -> Response {
    let wait = take.wait.as_deref().unwrap_or("0");
    let Ok(seconds) = wait.strip_suffix('s').unwrap_or(wait).parse() else {
        let detail = format!("wait {wait:?}: expected seconds, 30s for example");
        return problem(StatusCode::BAD_REQUEST, &detail);
    };
    let wait = Duration::from_secs(seconds).min(LONGEST_WAIT);
    let sim = match sims::find(&suite, &name) {
        Ok(sim) => sim,
        Err(problem) => return *problem,
    };
    match sim.take(wait, take.acknowledge).await {
        Ok(messages) => {
            let messages: Vec<_> = messages.iter().map(message).collect();
            Json(json!({"messages": messages})).into_response()
        }
        Err(error) => refused(&error),
    }
}

fn message(message: &Delivered) -> serde_json::Value {
    json!({
        "mr": message.mr,
        "service_centre": message.service_centre.as_ref().map(ToString::to_string),
        "tpdu": hex::encode_upper(&message.tpdu),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Report {
    /// RP-Cause.
    cause: Option<u8>,
    /// SMS-DELIVER-REPORT.
    tpdu: Option<String>,
}

pub(super) async fn report(
    State(suite): State<Arc<Handle>>,
    Path((name, mr)): Path<(String, u8)>,
    Json(report): Json<Report>,
) -> Response {
    let sim = match sims::find(&suite, &name) {
        Ok(sim) => sim,
        Err(problem) => return *problem,
    };
    let tpdu = match report.tpdu.as_deref().map(octets).transpose() {
        Ok(tpdu) => tpdu,
        Err(problem) => return *problem,
    };
    match sim.report(mr, report.cause.map(Cause), tpdu).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refused(&error),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Submit {
    /// SMS-SUBMIT.
    tpdu: String,
    /// Number of the service centre; that of the card's profile else.
    service_centre: Option<Msisdn>,
}

pub(super) async fn outbox(
    State(suite): State<Arc<Handle>>,
    Path(name): Path<String>,
    Json(submit): Json<Submit>,
) -> Response {
    let sim = match sims::find(&suite, &name) {
        Ok(sim) => sim,
        Err(problem) => return *problem,
    };
    let tpdu = match octets(&submit.tpdu) {
        Ok(tpdu) => tpdu,
        Err(problem) => return *problem,
    };
    let service_centre = submit.service_centre.as_ref().map(Address::international);
    match sim.submit(service_centre, tpdu).await {
        Ok((mr, cause)) => Json(json!({"mr": mr, "cause": cause})).into_response(),
        Err(error) => refused(&error),
    }
}

fn octets(text: &str) -> Result<Vec<u8>, Box<Response>> {
    hex::decode(text).map_err(|error| {
        let detail = format!("{text:?} is not hexadecimal: {error}");
        Box::new(problem(StatusCode::BAD_REQUEST, &detail))
    })
}

pub(super) fn refused(failure: &ReaderFailure) -> Response {
    let status = match failure {
        ReaderFailure::NoSims(_)
        | ReaderFailure::Nobody { .. }
        | ReaderFailure::Refused(ReaderError::NoSuchMessage) => StatusCode::NOT_FOUND,
        ReaderFailure::Refused(ReaderError::Malformed) => StatusCode::UNPROCESSABLE_ENTITY,
        ReaderFailure::Refused(_) => StatusCode::CONFLICT,
        ReaderFailure::NoAnswer => StatusCode::GATEWAY_TIMEOUT,
        ReaderFailure::Record(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let detail = match failure {
        ReaderFailure::Refused(ReaderError::NotInReader) => {
            format!("{failure} but in its handset; `midsim sim attach` takes it out")
        }
        _ => failure.to_string(),
    };
    problem(status, &detail)
}

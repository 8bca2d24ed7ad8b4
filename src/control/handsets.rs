//! `/api/v1/handsets/{msisdn}/…`: a handset played from outside. Its card is in a reader; the network's messages for the
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

use super::{LONGEST_WAIT, problem};
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
    Path(number): Path<String>,
    Query(take): Query<Take>,
) -> Response {
    let wait = take.wait.as_deref().unwrap_or("0");
    let Ok(seconds) = wait.strip_suffix('s').unwrap_or(wait).parse() else {
        let detail = format!("wait {wait:?}: expected seconds, 30s for example");
        return problem(StatusCode::BAD_REQUEST, &detail);
    };
    let wait = Duration::from_secs(seconds).min(LONGEST_WAIT);
    let taken = async {
        let msisdn = msisdn(&number)?;
        Ok(suite.sim(msisdn).take(wait, take.acknowledge).await?)
    };
    match taken.await {
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
    Path((number, mr)): Path<(String, u8)>,
    Json(report): Json<Report>,
) -> Response {
    let told = async {
        let msisdn = msisdn(&number)?;
        let tpdu = report.tpdu.as_deref().map(octets).transpose()?;
        let cause = report.cause.map(Cause);
        Ok(suite.sim(msisdn).report(mr, cause, tpdu).await?)
    };
    match told.await {
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
    Path(number): Path<String>,
    Json(submit): Json<Submit>,
) -> Response {
    let sent = async {
        let msisdn = msisdn(&number)?;
        let tpdu = octets(&submit.tpdu)?;
        let service_centre = submit.service_centre.as_ref().map(Address::international);
        Ok(suite.sim(msisdn).submit(service_centre, tpdu).await?)
    };
    match sent.await {
        Ok((mr, cause)) => Json(json!({"mr": mr, "cause": cause})).into_response(),
        Err(error) => refused(&error),
    }
}

enum Bad {
    Input(String),
    Failure(ReaderFailure),
}

impl From<ReaderFailure> for Bad {
    fn from(failure: ReaderFailure) -> Self {
        Self::Failure(failure)
    }
}

fn msisdn(number: &str) -> Result<Msisdn, Bad> {
    number
        .parse()
        .map_err(|error: ota_wire::ids::IdError| Bad::Input(error.to_string()))
}

fn octets(text: &str) -> Result<Vec<u8>, Bad> {
    hex::decode(text).map_err(|error| Bad::Input(format!("{text:?} is not hexadecimal: {error}")))
}

fn refused(bad: &Bad) -> Response {
    let (status, detail) = match bad {
        Bad::Input(detail) => (StatusCode::BAD_REQUEST, detail.clone()),
        Bad::Failure(failure) => {
            let status = match failure {
                ReaderFailure::Nobody { .. }
                | ReaderFailure::Refused(ReaderError::NoSuchMessage) => StatusCode::NOT_FOUND,
                ReaderFailure::Refused(ReaderError::Malformed) => StatusCode::UNPROCESSABLE_ENTITY,
                ReaderFailure::Refused(_) => StatusCode::CONFLICT,
                ReaderFailure::NoAnswer => StatusCode::GATEWAY_TIMEOUT,
                ReaderFailure::Record(_) => StatusCode::INTERNAL_SERVER_ERROR,
            };
            let detail = match failure {
                ReaderFailure::Refused(ReaderError::NotInReader) => {
                    format!("{failure}: its handset has it; `midsim sim attach` takes it out")
                }
                _ => failure.to_string(),
            };
            (status, detail)
        }
    };
    problem(status, &detail)
}

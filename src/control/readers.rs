//! `/api/v1/sims/{sim}/attach`: the card in a virtual PC/SC reader instead of its handset.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::{Follow, LONGEST_WAIT, problem, sims};
use crate::sockets::vpcd;
use crate::suite::{AttachError, Handle};

/// Where to.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct To {
    reader: Option<String>,
}

pub(super) async fn show(
    State(suite): State<Arc<Handle>>,
    Path(name): Path<String>,
    Query(follow): Query<Follow>,
) -> Response {
    let sim = match sims::find(&suite, &name) {
        Ok(sim) => sim,
        Err(problem) => return *problem,
    };
    let wait = Duration::from_secs(follow.wait).min(LONGEST_WAIT);
    Json(sim.attached(follow.after, wait).await).into_response()
}

pub(super) async fn attach(
    State(suite): State<Arc<Handle>>,
    Path(name): Path<String>,
    Json(to): Json<To>,
) -> Response {
    let sim = match sims::find(&suite, &name) {
        Ok(sim) => sim,
        Err(problem) => return *problem,
    };
    let reader = to.reader.as_deref().unwrap_or(vpcd::READER);
    match sim.attach(reader).await {
        Ok(()) => Json(sim.attached(0, Duration::ZERO).await).into_response(),
        Err(error) => {
            let status = match error {
                AttachError::Taken { .. } | AttachError::Card(_) => StatusCode::CONFLICT,
                AttachError::NoReader { .. } => StatusCode::BAD_GATEWAY,
                AttachError::Unknown(_) => StatusCode::NOT_FOUND,
                AttachError::Handle(_) => StatusCode::INTERNAL_SERVER_ERROR,
            };
            problem(status, &error.to_string())
        }
    }
}

pub(super) async fn detach(State(suite): State<Arc<Handle>>, Path(name): Path<String>) -> Response {
    let sim = match sims::find(&suite, &name) {
        Ok(sim) => sim,
        Err(problem) => return *problem,
    };
    if sim.detach().await {
        StatusCode::NO_CONTENT.into_response()
    } else {
        problem(StatusCode::NOT_FOUND, "the card is in no reader")
    }
}

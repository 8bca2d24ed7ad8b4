//! `/api/v1/sims/{sim}/attach`: the card in a virtual PC/SC reader instead of its handset.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::{Follow, LONGEST_WAIT, problem, sims};
use crate::cards::KnownCard;
use crate::sockets::vpcd::{self, NoReader};
use crate::suite::{AttachError, Attached, Handle, Sim};

/// How long a reader may take to ask for its card before whoever puts it there is answered.
const PATIENCE: Duration = Duration::from_secs(2);

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
    shown(&sim, &name, sim.attached(follow.after, wait).await).await
}

/// What is seen of a card in a reader, and the card itself.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    seen: Attached,
    card: KnownCard,
}

async fn shown(sim: &Sim<'_>, name: &str, seen: Attached) -> Response {
    match sim.known_card().await {
        Ok(Some(card)) => Json(Shown { seen, card }).into_response(),
        Ok(None) => sims::nobody(name),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
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
    match sim.attach(reader, PATIENCE).await {
        Ok(seen) => shown(&sim, &name, seen).await,
        Err(error) => {
            let status = match error {
                AttachError::Taken { .. }
                | AttachError::Occupied { .. }
                | AttachError::Gone { .. }
                | AttachError::Card(_) => StatusCode::CONFLICT,
                AttachError::Reader(NoReader::Nobody { .. }) => StatusCode::BAD_GATEWAY,
                AttachError::Reader(NoReader::Silent { .. }) => StatusCode::GATEWAY_TIMEOUT,
                AttachError::Unknown(_) | AttachError::NoSims(_) => StatusCode::NOT_FOUND,
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

//! `/api/v1/sims/{msisdn}`: what a card remembers; what its user does, and whether the network reaches the handset.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ota_wire::ids::Msisdn;
use serde::Deserialize;

use super::problem;
use crate::suite::Handle;
use crate::world::Persona;

/// What to change; what is left out stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    user: Option<Persona>,
    coverage: Option<bool>,
    power: Option<bool>,
    /// Whether the card is in its handset.
    inserted: Option<bool>,
}

pub(super) async fn show(State(suite): State<Arc<Handle>>, Path(number): Path<String>) -> Response {
    let msisdn = match number.parse::<Msisdn>() {
        Ok(msisdn) => msisdn,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    match suite.sim(msisdn).card().await {
        Ok(Some(card)) => Json(card).into_response(),
        Ok(None) => problem(
            StatusCode::NOT_FOUND,
            &format!("{number} is nobody's; `midsim world` lists the numbers"),
        ),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

pub(super) async fn change(
    State(suite): State<Arc<Handle>>,
    Path(number): Path<String>,
    Json(change): Json<Change>,
) -> Response {
    let msisdn = match number.parse::<Msisdn>() {
        Ok(msisdn) => msisdn,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let sim = suite.sim(msisdn);
    if let Some(Err(error)) = change.user.map(|persona| sim.set_user(persona)) {
        return problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string());
    }
    if let Some(on) = change.coverage {
        sim.set_coverage(on).await;
    }
    if let Some(on) = change.power {
        sim.set_power(on).await;
    }
    if let Some(inserted) = change.inserted {
        sim.set_inserted(inserted).await;
    }
    show(State(suite.clone()), Path(number)).await
}

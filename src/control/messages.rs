//! `/api/v1/sims/{sim}/messages`: short messages for people, on the card and in the handset.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use sim_applet_sim::handset::{InboxMessage, Refusal, StoredMessage};

use super::{problem, sims};
use crate::suite::{Handle, SelectError, Sim};

pub(super) async fn list(State(suite): State<Arc<Handle>>, Path(name): Path<String>) -> Response {
    let sim = match sims::find(&suite, &name) {
        Ok(sim) => sim,
        Err(problem) => return *problem,
    };
    let messages = match sim.messages().await {
        Ok(Some(messages)) => messages,
        Ok(None) => return sims::nobody(&name),
        Err(error) => return refused(&sim, &error).await,
    };
    match sim.inbox().await {
        Ok(inbox) => {
            let card: Vec<_> = messages.iter().map(on_card).collect();
            let handset: Vec<_> = inbox.iter().map(in_handset).collect();
            Json(json!({"card": card, "handset": handset})).into_response()
        }
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

pub(super) async fn erase(
    State(suite): State<Arc<Handle>>,
    Path((name, record)): Path<(String, u8)>,
) -> Response {
    let sim = match sims::find(&suite, &name) {
        Ok(sim) => sim,
        Err(problem) => return *problem,
    };
    match sim.erase(record).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refused(&sim, &error).await,
    }
}

fn on_card(message: &StoredMessage) -> Value {
    let status = match message.status {
        0x01 => "read",
        0x03 => "to-be-read",
        0x07 => "to-be-sent",
        _ => "sent",
    };
    json!({
        "record": message.record,
        "status": status,
        "service_centre": message.service_centre.as_ref().map(ToString::to_string),
        "tpdu": hex::encode_upper(&message.tpdu),
    })
}

fn in_handset(message: &InboxMessage) -> Value {
    json!({
        "received": message.received.to_string(),
        "text": message.deliver.text(),
        "tpdu": hex::encode_upper(message.deliver.emit()),
    })
}

async fn refused(sim: &Sim<'_>, error: &SelectError) -> Response {
    let status = match error {
        SelectError::Refused(Refusal::CardInReader) => return sims::in_reader(sim).await,
        SelectError::Refused(Refusal::NoSuchMessage) => StatusCode::NOT_FOUND,
        SelectError::Refused(_) => StatusCode::CONFLICT,
        SelectError::Record(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    problem(status, &error.to_string())
}

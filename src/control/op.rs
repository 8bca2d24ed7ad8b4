//! What the control API does to the OP: decisions in a user's place, and its next signing key.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::problem;
use crate::suite::{Decision, DecisionError, Handle};

/// Where conformance suites approve and refuse: `POST` without a body, `auth_req_id` and `action` (`allow` or `deny`) in the query.
pub(super) const DECISION: &str = "/admin/ciba/decision";

#[derive(Deserialize)]
pub(super) struct Decide {
    auth_req_id: String,
    action: Decision,
}

pub(super) async fn decide(
    State(suite): State<Arc<Handle>>,
    Query(decide): Query<Decide>,
) -> Response {
    match suite.decide(&decide.auth_req_id, decide.action).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => {
            let status = match error {
                DecisionError::Unknown => StatusCode::NOT_FOUND,
                DecisionError::Otherwise(_) => StatusCode::CONFLICT,
                DecisionError::Late(_) => StatusCode::GATEWAY_TIMEOUT,
                DecisionError::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
            };
            problem(status, &error.to_string())
        }
    }
}

pub(super) async fn rotate_keys(State(suite): State<Arc<Handle>>) -> Response {
    match suite.rotate_keys().await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

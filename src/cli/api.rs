//! Requests of the command line to the APIs of a running midsim.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use serde_json::Value;

use super::options::ADMIN_TOKEN;
use crate::sockets::http_client::{Bounds, HttpClient};

/// What a midsim answers, and the document in it; `Null` if there is none.
///
/// # Errors
/// Why nobody has answered.
pub(super) async fn call(
    client: &HttpClient,
    method: Method,
    url: &str,
    body: String,
    within: Duration,
) -> Result<(StatusCode, Value), String> {
    let mut request = Request::builder()
        .method(method)
        .uri(url)
        .header(header::CONTENT_TYPE, "application/json");
    if let Ok(token) = std::env::var(ADMIN_TOKEN) {
        request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.trim()));
    }
    let request = request
        .body(Bytes::from(body))
        .map_err(|error| format!("{url}: {error}"))?;
    let bounds = Bounds {
        within,
        answer: Some(4 << 20),
    };
    let response = client.send(request, bounds).await.result;
    let response = response.map_err(|error| format!("{url}: {error}; does a midsim run there?"))?;
    let document = serde_json::from_slice(response.body()).unwrap_or_default();
    Ok((response.status(), document))
}

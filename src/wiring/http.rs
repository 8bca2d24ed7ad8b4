//! Between the parties' own descriptions of HTTP messages and the `http` types.

use bytes::Bytes;
use http::{Request, header};
use serde_json::Value;

use crate::rp::Notification;

/// A request of a party. `None` if its URL or headers are none; the parties check what they take from outside.
pub(super) fn request(
    method: &str,
    url: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> Option<Request<Bytes>> {
    let mut builder = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    builder.body(Bytes::copy_from_slice(body)).ok()
}

/// A ping or push, as an RP reads it.
pub(crate) fn notification(headers: &[(String, String)], body: &[u8]) -> Notification {
    let bearer = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(header::AUTHORIZATION.as_str()))
        .and_then(|(_, value)| value.strip_prefix("Bearer "))
        .map(str::to_owned);
    Notification {
        bearer,
        body: serde_json::from_slice(body).unwrap_or(Value::Null),
    }
}

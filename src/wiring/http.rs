//! Between the parties' own descriptions of HTTP messages and the `http` types.

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, header};
use ota_wire::trace::{Badge, Row};
use serde_json::Value;

use crate::rp::Notification;

/// A request that its party never saw.
#[derive(Clone, Debug)]
pub struct Refused {
    /// `OP` or `MSSP`.
    to: &'static str,
    method: Method,
    path: String,
}

impl Refused {
    /// Its body is too large.
    pub(super) fn too_large(to: &'static str, head: &Parts) -> Self {
        Self {
            to,
            method: head.method.clone(),
            path: public_path(head.uri.path()),
        }
    }

    /// What was refused at one party is one trace: nothing tells whose requests they were.
    pub(crate) fn link(&self) -> &'static str {
        match self.to {
            "OP" => "refused:op",
            _ => "refused:mssp",
        }
    }

    /// The event as the trace shows it.
    pub(crate) fn row(&self) -> Row {
        Row {
            step: None,
            from: if self.to == "OP" { "RP" } else { "OP" },
            to: self.to,
            name: format!("{} {} refused", self.method, self.path),
            clause: "RFC 9110 §15.5.14".into(),
            badge: Badge::Standard,
            fields: vec![("why".into(), "the body is larger than 1 MB".into())],
            octets: None,
        }
    }
}

/// The path without what may be a secret of a transaction: everything below the first two levels.
fn public_path(path: &str) -> String {
    match path.match_indices('/').nth(2) {
        Some((secret, _)) => format!("{}/…", &path[..secret]),
        None => path.to_owned(),
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_without_the_secret_below_it() {
        assert_eq!(public_path("/bc-authorize"), "/bc-authorize");
        assert_eq!(public_path("/mss/notify/S3cret"), "/mss/notify/…");
        assert_eq!(public_path("/mss/notify/S3cret/more"), "/mss/notify/…");
    }
}

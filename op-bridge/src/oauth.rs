//! The one shape of a refusal: `{"error", "error_description"}` and nothing else (RFC 6749 §5.2,
//! CIBA Core §13), with a description that says what to send instead.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::grant::json;

/// Challenge for the endpoints that clients authenticate at.
pub(crate) const BASIC_CHALLENGE: &str = "Basic realm=\"midsim\", charset=\"UTF-8\"";

/// A refusal, ready to become a response.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct OAuthError {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) description: String,
    /// Value of WWW-Authenticate.
    pub(crate) challenge: Option<String>,
}

impl OAuthError {
    /// A 400 with this code.
    pub(crate) fn new(code: &'static str, description: impl Into<String>) -> Self {
        Self {
            status: 400,
            code,
            description: plain(&description.into()),
            challenge: None,
        }
    }

    /// 400 invalid_request.
    pub(crate) fn invalid_request(description: impl Into<String>) -> Self {
        Self::new("invalid_request", description)
    }

    /// 401 invalid_client with a Basic challenge.
    pub(crate) fn invalid_client(description: impl Into<String>) -> Self {
        Self {
            status: 401,
            challenge: Some(BASIC_CHALLENGE.to_owned()),
            ..Self::new("invalid_client", description)
        }
    }

    /// The same refusal under another HTTP status.
    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn response(&self) -> Response<Bytes> {
        #[derive(Serialize)]
        struct Body<'a> {
            error: &'a str,
            error_description: &'a str,
        }
        let body = Body {
            error: self.code,
            error_description: &self.description,
        };
        let mut response = json_response(self.status, &body);
        if let Some(challenge) = self
            .challenge
            .as_deref()
            .and_then(|text| HeaderValue::from_str(text).ok())
        {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// A JSON answer that no cache keeps.
pub(crate) fn json_response(status: u16, body: &impl Serialize) -> Response<Bytes> {
    let mut response = Response::new(json(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// `text` in the characters that error_description may have: printable ASCII without quotation
/// marks and backslashes (RFC 6749 §5.2). At most 300 of them, as part of it may be a client's own.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .take(300)
        .map(|c| match c {
            '"' | '\\' => '\'',
            ' '..='~' => c,
            _ => '?',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn response_has_error_and_description_only_and_is_not_stored() {
        let response = OAuthError::invalid_request("say \"openid\"\r\n\\ ü").response();
        assert_eq!(response.status(), 400);
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(
            response.body(),
            r#"{"error":"invalid_request","error_description":"say 'openid'??' ?"}"#
        );
    }

    #[test]
    fn invalid_client_is_401_with_a_challenge() {
        let response = OAuthError::invalid_client("no").response();
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()[WWW_AUTHENTICATE], BASIC_CHALLENGE);
    }
}

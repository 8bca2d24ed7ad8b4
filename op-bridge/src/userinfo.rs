//! The UserInfo endpoint (OpenID Connect Core §5.3) with bearer tokens in the Authorization header
//! (RFC 6750 §2.1), the one way of sending them this OP takes.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};

use crate::context::Context;
use crate::event::{EventKind, Id};
use crate::grant::subject;
use crate::oauth::{OAuthError, json_response};
use crate::record::{AccessToken, load};
use crate::secret::fingerprint;
use crate::step::RequestId;

pub(crate) fn handle(cx: &mut Context<'_>, id: RequestId, request: http::Request<Bytes>) {
    let (own, response) = match access_token(cx, &request) {
        Ok(token) => (
            Id::ap_trans_id(&token.ap_trans_id),
            json_response(200, &claims(cx, &token)),
        ),
        Err(error) => (Id::http(id), error.response()),
    };
    let kind = EventKind::UserInfo {
        request: Arc::new(request),
        response: response.clone(),
    };
    cx.event(own, None, kind);
    cx.reply(id, response);
}

fn access_token(
    cx: &Context<'_>,
    request: &http::Request<Bytes>,
) -> Result<AccessToken, OAuthError> {
    let token = bearer(request.headers())?;
    load(cx.view, &AccessToken::key(&fingerprint(token)))
        .filter(|record: &AccessToken| cx.now < record.expires_at)
        .ok_or_else(|| invalid_token("the access token is unknown or expired"))
}

fn claims(cx: &Context<'_>, record: &AccessToken) -> Value {
    let subscriber = cx
        .op
        .config
        .subscribers
        .find(&record.msisdn)
        .unwrap_or_default();
    let mut claims = json!({ "sub": subject(cx.op, &record.msisdn) });
    for scope in record.scope.split(' ') {
        match scope {
            "profile" => {
                let names = [
                    ("name", &subscriber.name),
                    ("given_name", &subscriber.given_name),
                    ("family_name", &subscriber.family_name),
                ];
                for (claim, value) in names {
                    if let Some(value) = value {
                        claims[claim] = json!(value);
                    }
                }
            }
            "phone" => {
                claims["phone_number"] = json!(record.msisdn.to_string());
                claims["phone_number_verified"] = json!(subscriber.phone_number_verified);
            }
            _ => {}
        }
    }
    claims
}

fn bearer(headers: &HeaderMap) -> Result<&str, OAuthError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let header = match (values.next(), values.next()) {
        (Some(header), None) => header.to_str().ok(),
        _ => None,
    };
    let token = header
        .and_then(|header| header.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .filter(|token| !token.is_empty());
    token.ok_or_else(|| OAuthError {
        // Without a token in the request the challenge names no error (RFC 6750 §3.1).
        challenge: Some("Bearer realm=\"midsim\"".to_owned()),
        ..invalid_token("send the access token as Authorization: Bearer (RFC 6750 section 2.1)")
    })
}

fn invalid_token(description: &str) -> OAuthError {
    OAuthError {
        status: 401,
        challenge: Some(format!(
            "Bearer realm=\"midsim\", error=\"invalid_token\", error_description=\"{description}\""
        )),
        ..OAuthError::new("invalid_token", description)
    }
}

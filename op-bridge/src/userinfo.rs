//! The UserInfo endpoint (OpenID Connect Core §5.3) with bearer tokens in the Authorization header
//! (RFC 6750 §2.1), the one way of sending them this OP takes.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use serde_json::{Value, json};

use crate::cnf;
use crate::context::Context;
use crate::event::{EventKind, Id};
use crate::forms::{is_form, percent_decode};
use crate::keys;
use crate::oauth::{OAuthError, json_response};
use crate::record::{AccessToken, RefreshToken, load};
use crate::secret::fingerprint;
use crate::step::RequestId;

/// Sent by clients of financial-grade resources and to be given back as it came (FAPI 1.0 Baseline §6.2.1).
const INTERACTION: HeaderName = HeaderName::from_static("x-fapi-interaction-id");

pub(crate) fn handle(cx: &mut Context<'_>, id: RequestId, request: Arc<http::Request<Bytes>>) {
    let (own, mut response) = match access_token(cx, &request) {
        Ok(token) => (Id::ap_trans_id(&token.ap_trans_id), answer(cx, &token)),
        Err(error) => (Id::http(id), error.response()),
    };
    if let Some(interaction) = request.headers().get(INTERACTION) {
        let headers = response.headers_mut();
        headers.insert(INTERACTION, interaction.clone());
    }
    let kind = EventKind::UserInfo {
        request,
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
    if elsewhere(request) {
        return Err(OAuthError {
            challenge: Some("Bearer realm=\"midsim\", error=\"invalid_request\"".to_owned()),
            ..OAuthError::invalid_request(
                "the access token was sent in more than one way; keep the Authorization header (RFC 6750 section 2)",
            )
        });
    }
    let record = live(cx, token)
        .ok_or_else(|| invalid_token("the access token is unknown, revoked or expired"))?;
    if !cnf::fits(record.thumbprint.as_deref(), request) {
        return Err(invalid_token(
            "the access token is bound to another certificate (RFC 8705 section 3)",
        ));
    }
    Ok(record)
}

/// What an access token opens, unless its time is up, the authentication behind it was revoked or its client is gone.
pub(crate) fn live(cx: &Context<'_>, token: &str) -> Option<AccessToken> {
    let record: AccessToken = load(cx.view, &AccessToken::key(&fingerprint(token)))?;
    let family = record.family.as_deref();
    let revoked = family.is_some_and(|it| cx.view.get(&RefreshToken::key(it)).is_none());
    let live = !revoked && cx.now < record.expires_at;
    // RFC 7592 §2.3: what a client had ends with it.
    (live && cx.client(&record.client_id).is_some()).then_some(record)
}

/// JSON, or a JWT for a client that is registered for signed answers (OpenID Connect Core §5.3.2).
fn answer(cx: &Context<'_>, token: &AccessToken) -> Response<Bytes> {
    let mut body = claims(cx, token);
    let client = cx.client(&token.client_id);
    let Some(algorithm) = client.and_then(|client| client.issuance.userinfo_alg) else {
        return json_response(200, &body);
    };
    body["iss"] = json!(cx.op.config.issuer);
    body["aud"] = json!(token.client_id);
    let mut response = json_response(200, &body);
    if let Some(jwt) = keys::sign(
        &cx.op.config.keys.at(cx.now),
        Some(algorithm),
        body.to_string().as_bytes(),
    ) {
        *response.body_mut() = Bytes::from(jwt);
        let kind = HeaderValue::from_static("application/jwt");
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    response
}

fn claims(cx: &Context<'_>, record: &AccessToken) -> Value {
    let subscriber = cx
        .op
        .config
        .subscribers
        .find(&record.msisdn)
        .unwrap_or_default();
    let mut claims = json!({ "sub": record.sub });
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

/// Whether there is an access_token in the query or the form (RFC 6750 §2.2, §2.3).
fn elsewhere(request: &http::Request<Bytes>) -> bool {
    let has = |pairs: &[u8]| {
        let mut names = pairs
            .split(|&octet| octet == b'&')
            .map(|pair| pair.split(|&octet| octet == b'=').next());
        names.any(|name| {
            name.and_then(percent_decode)
                .is_some_and(|name| name == b"access_token")
        })
    };
    request.uri().query().is_some_and(|it| has(it.as_bytes()))
        || (is_form(request.headers()) && has(request.body()))
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

//! The token endpoint (CIBA Core §10.1, §11; RFC 6749 §6 for refresh tokens).
//!
//! The interval is measured between the starts of two requests. slow_down is, as in RFC 8628 §3.5, a
//! variant of authorization_pending: a request that has an outcome gets it, however early it comes.
//! The five extra seconds that a slowed-down client must add are the client's duty; the OP goes on
//! measuring the interval it announced.

use std::sync::Arc;

use bytes::Bytes;
use jiff::SignedDuration;
use serde_json::Value;

use crate::client_auth;
use crate::config::{Client, DeliveryMode};
use crate::context::Context;
use crate::event::{EventKind, Id};
use crate::forms::Form;
use crate::grant::{self, CIBA_GRANT, Grant, REFRESH_GRANT};
use crate::oauth::{OAuthError, json_response};
use crate::record::{AccessToken, FailureKind, Key, RefreshToken, State, load};
use crate::secret::fingerprint;
use crate::step::{Change, RequestId};

pub(crate) fn handle(cx: &mut Context<'_>, id: RequestId, request: http::Request<Bytes>) {
    let request = Arc::new(request);
    let mut own = Id::http(id);
    let first = cx.step.events.len();
    let outcome = redeem(cx, &request, &mut own);
    let issued = outcome.is_ok();
    let response = match outcome {
        Ok(tokens) => json_response(200, &tokens),
        Err(error) => error.response(),
    };
    // The request precedes whatever redeeming it told the trace.
    let asked = EventKind::TokenRequest { request };
    cx.step.events.insert(
        first,
        crate::Event {
            own: own.clone(),
            parent: None,
            kind: asked,
        },
    );
    cx.event(
        own,
        None,
        EventKind::TokenAnswer {
            response: response.clone(),
            issued,
        },
    );
    cx.reply(id, response);
}

/// The access token or refresh token `hash` may have reached its end.
pub(crate) fn expiry_timer(cx: &mut Context<'_>, kind: &str, hash: &str) {
    if kind == "at" {
        let token: Option<AccessToken> = load(cx.view, &AccessToken::key(hash));
        if token.is_some_and(|token| cx.now >= token.expires_at) {
            cx.change(Change::ForgetAccessToken(hash.to_owned()));
        }
    } else {
        let token: Option<RefreshToken> = load(cx.view, &RefreshToken::key(hash));
        if token.is_some_and(|token| cx.now >= token.expires_at) {
            cx.change(Change::ForgetRefreshToken(hash.to_owned()));
        }
    }
}

fn redeem(
    cx: &mut Context<'_>,
    request: &http::Request<Bytes>,
    own: &mut Id,
) -> Result<Value, OAuthError> {
    let op = cx.op;
    let client = client_auth::authenticate(op, request.headers())?;
    let form = Form::parse(request.headers(), request.body())?;
    client_auth::check_form(client, &form)?;
    match form.require("grant_type", "RFC 6749 section 4.5")? {
        CIBA_GRANT => ciba(cx, client, &form, own),
        REFRESH_GRANT if op.config.refresh_tokens => refresh(cx, client, &form, own),
        _ => Err(OAuthError::new(
            "unsupported_grant_type",
            format!("this OP supports grant_type {CIBA_GRANT}"),
        )),
    }
}

fn ciba(
    cx: &mut Context<'_>,
    client: &Client,
    form: &Form,
    own: &mut Id,
) -> Result<Value, OAuthError> {
    if client.mode == DeliveryMode::Push {
        return Err(OAuthError::new(
            "unauthorized_client",
            "a push client gets its tokens at its notification endpoint (CIBA Core section 11)",
        ));
    }
    let auth_req_id = form.require("auth_req_id", "CIBA Core section 10.1")?;
    let key = Key::of(auth_req_id);
    let unknown = || {
        OAuthError::new(
            "invalid_grant",
            "auth_req_id is unknown or was issued to another client",
        )
    };
    let mut request = cx.request(&key).ok_or_else(unknown)?;
    if request.client_id != client.id {
        return Err(unknown());
    }
    *own = Id::auth_req_id(auth_req_id);
    let expired = cx.now >= request.expires_at;
    match &request.state {
        State::Redeemed => Err(OAuthError::new(
            "invalid_grant",
            "auth_req_id was redeemed already; it is good for once",
        )),
        State::Failed(failure) => Err(OAuthError::new(
            match failure.kind {
                FailureKind::Denied | FailureKind::Broken => "access_denied",
                FailureKind::Expired => "expired_token",
            },
            failure.description.clone(),
        )),
        State::Approved { .. } | State::Pending if expired => Err(OAuthError::new(
            "expired_token",
            "auth_req_id is past its expires_in; start a new authentication request",
        )),
        State::Approved { auth_time } => {
            let grant = Grant::of(&request, *auth_time);
            let tokens = grant::issue(cx, own.clone(), &grant, None);
            request.state = State::Redeemed;
            request.callback = None;
            cx.store(&key, request);
            Ok(tokens)
        }
        State::Pending => {
            let interval = cx.op.config.polling.interval;
            let early = request.last_poll.is_some_and(|last| {
                cx.now.duration_since(last) < SignedDuration::from_secs(i64::from(interval))
            });
            request.last_poll = Some(cx.now);
            cx.store(&key, request);
            if early && cx.op.config.polling.slow_down {
                Err(OAuthError::new(
                    "slow_down",
                    format!(
                        "polled within the interval of {interval} s; wait 5 s longer from now on \
                         (CIBA Core section 11)"
                    ),
                ))
            } else {
                Err(OAuthError::new(
                    "authorization_pending",
                    "the user has not answered yet",
                ))
            }
        }
    }
}

fn refresh(
    cx: &mut Context<'_>,
    client: &Client,
    form: &Form,
    own: &mut Id,
) -> Result<Value, OAuthError> {
    let hash = fingerprint(form.require("refresh_token", "RFC 6749 section 6")?);
    let unknown = || {
        OAuthError::new(
            "invalid_grant",
            "refresh_token is unknown, used, expired or another client's",
        )
    };
    let old: RefreshToken = load(cx.view, &RefreshToken::key(&hash)).ok_or_else(unknown)?;
    if old.client_id != client.id || cx.now >= old.expires_at {
        return Err(unknown());
    }
    let scope = form.get("scope").unwrap_or(&old.scope);
    if !scope
        .split(' ')
        .all(|wanted| old.scope.split(' ').any(|granted| granted == wanted))
    {
        return Err(OAuthError::new(
            "invalid_scope",
            "scope asks for more than was granted",
        ));
    }
    *own = Id::ap_trans_id(&old.ap_trans_id);
    // Each refresh token is good for once: the answer brings the next one.
    cx.timer(RefreshToken::key(&hash), None);
    cx.change(Change::ForgetRefreshToken(hash));
    let grant = Grant {
        client_id: &old.client_id,
        msisdn: &old.msisdn,
        scope,
        acr: &old.acr,
        auth_time: old.auth_time,
        ap_trans_id: &old.ap_trans_id,
    };
    Ok(grant::issue(cx, own.clone(), &grant, None))
}

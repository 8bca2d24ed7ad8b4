//! The token endpoint (CIBA Core §10.1, §11; RFC 6749 §6 for refresh tokens).
//!
//! The interval is measured between the starts of two requests. slow_down is, as in RFC 8628 §3.5, a
//! variant of authorization_pending: a request that has an outcome gets it, however early it comes.
//! Each slow_down lengthens the interval of that auth_req_id by 5 s.
//!
//! With `polling.hold` a poll without an outcome stays open until there is one or the time is up (long polling, CIBA Core §7.3).
//! A client must not have two of them; the later takes the place of the earlier, which is told authorization_pending.
//! A client that leaves while it is held loses nothing: the next poll gets the tokens.

use std::sync::Arc;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use crate::client_auth;
use crate::cnf;
use crate::config::{Client, DeliveryMode};
use crate::context::Context;
use crate::event::{EventKind, Id};
use crate::forms::Form;
use crate::grant::{self, CIBA_GRANT, Grant, REFRESH_GRANT, To, Tokens};
use crate::oauth::{OAuthError, json_response};
use crate::record::{AccessToken, FailureKind, HeldPoll, Key, RefreshToken, Request, State, load};
use crate::refresh;
use crate::step::{Change, RequestId, Started};

/// What each slow_down adds to the interval, seconds (CIBA Core §11).
const SLOWER: u32 = 5;
/// The interval grows no further than this, seconds.
const SLOWEST: u32 = 60;

/// What becomes of a token request.
enum Answer {
    /// It stays open.
    Held,
    /// The members of the token response.
    Tokens(Tokens),
}

pub(crate) fn handle(cx: &mut Context<'_>, id: RequestId, request: Arc<http::Request<Bytes>>) {
    let mut own = Id::http(id);
    let first = cx.step.events.len();
    let outcome = redeem(cx, id, &request, &mut own);
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
    match outcome {
        Ok(Answer::Held) => {}
        Ok(Answer::Tokens(tokens)) => reply(cx, id, own, Ok(tokens)),
        Err(error) => reply(cx, id, own, Err(error)),
    }
}

fn reply(cx: &mut Context<'_>, id: RequestId, own: Id, outcome: Result<Tokens, OAuthError>) {
    let issued = outcome.is_ok();
    let response = match outcome {
        Ok(tokens) => json_response(200, &tokens),
        Err(error) => error.response(),
    };
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

/// The request has an outcome: tells a poll that waits for it. Tokens come out once, so they are not made before it is
/// known that whoever polled has not left.
pub(crate) fn outcome(cx: &mut Context<'_>, key: &Key, request: &mut Request) {
    let Some(poll) = &request.poll else {
        return;
    };
    cx.timer(key.poll_timer(), None);
    if matches!(request.state, State::Approved { .. }) {
        return cx.if_open(poll.request, key);
    }
    conclude_held(cx, request);
}

/// The client whose poll is held is still there.
pub(crate) fn resume(cx: &mut Context<'_>, id: RequestId, key: &Key) {
    let Some(mut request) = cx.request(key) else {
        return;
    };
    if request.poll.as_ref().is_some_and(|poll| poll.request == id) {
        conclude_held(cx, &mut request);
        cx.store(key, request);
    }
}

/// Answers the poll that is held.
fn conclude_held(cx: &mut Context<'_>, request: &mut Request) {
    let Some(poll) = request.poll.take() else {
        return;
    };
    let own = Id::ap_trans_id(&request.attempt.ap_trans_id);
    let outcome = conclude(cx, request, own.clone(), poll.thumbprint.as_deref());
    reply(cx, poll.request, own, outcome);
}

/// A poll has been held long enough.
pub(crate) fn poll_timer(cx: &mut Context<'_>, key: &Key) {
    let Some(mut request) = cx.request(key) else {
        return;
    };
    let Some(poll) = request.poll.take_if(|poll| cx.now >= poll.until) else {
        return;
    };
    let own = Id::ap_trans_id(&request.attempt.ap_trans_id);
    reply(cx, poll.request, own, Err(pending()));
    cx.store(key, request);
}

/// The access token or family of refresh tokens `hash` may have reached its end.
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
    id: RequestId,
    request: &http::Request<Bytes>,
    own: &mut Id,
) -> Result<Answer, OAuthError> {
    let op = cx.op;
    let (client, form) = client_auth::authenticate(cx, request)?;
    let grant_type = form.require("grant_type", "RFC 6749 section 4.5")?;
    let thumbprint = cnf::to_bind(&op.config, &client, request)?;
    match grant_type {
        CIBA_GRANT => {
            let started = request
                .extensions()
                .get()
                .map_or(cx.now, |it: &Started| it.0);
            let caller = Caller {
                client: &client,
                id,
                started: started.min(cx.now),
                thumbprint,
            };
            ciba(cx, caller, &form, own)
        }
        REFRESH_GRANT if op.config.refresh_tokens && !client.may(REFRESH_GRANT) => {
            Err(OAuthError::new(
                "unauthorized_client",
                "the client is not registered for the grant type refresh_token; name it in grant_types (RFC 7591 section 2)",
            ))
        }
        REFRESH_GRANT if op.config.refresh_tokens => {
            refresh::redeem(cx, &client, &form, thumbprint.as_deref(), own).map(Answer::Tokens)
        }
        _ => Err(OAuthError::new(
            "unsupported_grant_type",
            format!("this OP supports grant_type {CIBA_GRANT}"),
        )),
    }
}

/// Who polls.
struct Caller<'a> {
    client: &'a Client,
    id: RequestId,
    started: Timestamp,
    thumbprint: Option<String>,
}

fn ciba(
    cx: &mut Context<'_>,
    caller: Caller<'_>,
    form: &Form,
    own: &mut Id,
) -> Result<Answer, OAuthError> {
    let push = || {
        OAuthError::new(
            "unauthorized_client",
            "a push client gets its tokens at its notification endpoint (CIBA Core section 11)",
        )
    };
    let auth_req_id = match form.require("auth_req_id", "CIBA Core section 10.1") {
        Err(_) if caller.client.mode == DeliveryMode::Push => return Err(push()),
        auth_req_id => auth_req_id?,
    };
    let key = Key::of(auth_req_id);
    let found = cx
        .request(&key)
        .filter(|request| request.client_id == caller.client.id);
    // The mode may have changed since the client asked; what counts is how it was to get these tokens.
    let mode = found.as_ref().map_or(caller.client.mode, |it| it.mode);
    if mode == DeliveryMode::Push {
        return Err(push());
    }
    let mut request = found.ok_or_else(|| {
        OAuthError::new(
            "invalid_grant",
            "auth_req_id is unknown or was issued to another client",
        )
    })?;
    *own = Id::auth_req_id(auth_req_id);
    if request.state == State::Pending && cx.now < request.expires_at {
        return wait(cx, caller, &key, request);
    }
    let tokens = conclude(cx, &mut request, own.clone(), caller.thumbprint.as_deref())?;
    cx.store(&key, request);
    Ok(Answer::Tokens(tokens))
}

/// What a request that is not pending any more leads to. Tokens come out once.
fn conclude(
    cx: &mut Context<'_>,
    request: &mut Request,
    own: Id,
    thumbprint: Option<&str>,
) -> Result<Tokens, OAuthError> {
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
        State::Approved { .. } | State::Pending if cx.now >= request.expires_at => {
            Err(OAuthError::new(
                "expired_token",
                "auth_req_id is past its expires_in; start a new authentication request",
            ))
        }
        State::Pending => Err(pending()),
        State::Approved { auth_time } => {
            let grant = Grant::of(request, *auth_time, thumbprint);
            let tokens = grant::issue(cx, own, &grant, To::Poll);
            request.state = State::Redeemed;
            // What is left is a tombstone.
            request.callback = None;
            request.nonce = None;
            request.text.clear();
            request.scope.clear();
            Ok(tokens)
        }
    }
}

/// A poll of a request that is pending.
fn wait(
    cx: &mut Context<'_>,
    caller: Caller<'_>,
    key: &Key,
    mut request: Request,
) -> Result<Answer, OAuthError> {
    let polling = cx.op.config.polling;
    let interval = polling
        .interval
        .saturating_add(SLOWER.saturating_mul(request.slowed))
        .min(SLOWEST.max(polling.interval));
    let early = request.last_poll.is_some_and(|last| {
        caller.started.duration_since(last) < SignedDuration::from_secs(i64::from(interval))
    });
    request.last_poll = Some(caller.started);
    if early && polling.slow_down {
        request.slowed = request.slowed.saturating_add(1);
        cx.store(key, request);
        return Err(OAuthError::new(
            "slow_down",
            format!(
                "polled within the interval of {interval} s; wait {SLOWER} s longer from now on \
                 (CIBA Core section 11)"
            ),
        ));
    }
    if polling.hold == 0 {
        cx.store(key, request);
        return Err(pending());
    }
    let until = cx.after(polling.hold);
    let earlier = request.poll.replace(HeldPoll {
        request: caller.id,
        thumbprint: caller.thumbprint,
        until,
    });
    if let Some(earlier) = earlier {
        let own = Id::ap_trans_id(&request.attempt.ap_trans_id);
        reply(cx, earlier.request, own, Err(pending()));
    }
    cx.timer(key.poll_timer(), Some(until));
    cx.store(key, request);
    Ok(Answer::Held)
}

fn pending() -> OAuthError {
    OAuthError::new("authorization_pending", "the user has not answered yet")
}

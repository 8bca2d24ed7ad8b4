//! A transaction between bc-authorize and its outcome: steps 3 and 14, the OP as the application
//! provider of a mobile signature service (TS 102 204).
//!
//! One record, [`Request`], moves from Pending to exactly one of Approved, Failed and, when the
//! tokens are out, Redeemed. Whatever arrives for a request that is no longer pending, or for an
//! earlier MSS transaction of it, is old news and changes nothing.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use self::send::{ap_trans_id, sign, sign_again, work};
use crate::authorize::Order;
use crate::config::{Authenticator, DeliveryMode, MessagingMode, UnknownUser};
use crate::context::{Context, later};
use crate::deliver;
use crate::event::{EventKind, Id};
use crate::hint;
use crate::mss::Verdict;
use crate::oauth::{OAuthError, json_response};
use crate::record::{Attempt, Callback, Failure, FailureKind, Held, Key, Request, State, Work};
use crate::step::{Change, RequestId};
use crate::token;

mod receive;
mod send;

pub(crate) use receive::{mismatch, mss_event, rang, signature_answer, status_answer};
pub(crate) use send::work_timer;

/// Accepts an authentication request: answers it (step 2) and turns to the MSSP (step 3).
pub(crate) fn open(
    cx: &mut Context<'_>,
    id: RequestId,
    http: Arc<http::Request<Bytes>>,
    order: Order,
) {
    let auth_req_id = cx.token();
    let key = Key::of(&auth_req_id);
    let own = Id::auth_req_id(&auth_req_id);
    // Only an early acknowledgement can tell whether the MSSP knows the number.
    let held = !order.known
        && cx.op.config.authenticator == Authenticator::Mssp
        && cx.op.config.unknown_user == UnknownUser::AskMssp
        && cx.op.config.mssp.messaging != MessagingMode::Synch;
    let mode = order.client.mode;
    let endpoint = order.client.notification_endpoint.clone();
    let mut request = Request {
        client_id: order.client.id.clone(),
        mode,
        msisdn: order.msisdn,
        scope: order.scope,
        ladder: order.ladder,
        rung: 0,
        text: order.text,
        expires_at: cx.after(order.expires_in),
        nonce: order.nonce,
        last_poll: None,
        slowed: 0,
        poll: None,
        attempt: Attempt::new(1, ap_trans_id(cx)),
        notifications: Vec::new(),
        state: State::Pending,
        held: None,
        callback: order.client_notification_token.map(|token| Callback {
            auth_req_id: auth_req_id.clone(),
            client_notification_token: token,
            endpoint,
            body: None,
            tries: 0,
        }),
    };
    cx.event(
        own.clone(),
        None,
        EventKind::AuthenticationRequest { request: http },
    );
    let waiting = Held {
        request: id,
        auth_req_id,
        expires_in: order.expires_in,
    };
    if held {
        request.held = Some(waiting);
    } else {
        acknowledge(cx, &request, &waiting);
    }
    cx.timer(key.life_timer(), Some(request.expires_at));
    let approved = match cx.op.config.authenticator {
        Authenticator::Mssp => {
            sign(cx, &key, &mut request, own);
            return cx.store(&key, request);
        }
        Authenticator::Approve => Some(true),
        Authenticator::Wait => None,
    };
    let alone = Id::ap_trans_id(&request.attempt.ap_trans_id);
    cx.event(alone, Some(own), EventKind::NotAsked { approved });
    if approved.is_some() {
        let auth_time = cx.now.as_second();
        return finish(cx, &key, request, State::Approved { auth_time });
    }
    cx.store(&key, request);
}

/// Somebody has decided in the user's place.
pub(crate) fn decide(cx: &mut Context<'_>, auth_req_id: &str, approve: bool) {
    let key = Key::of(auth_req_id);
    let open = cx.request(&key).filter(|request| is_open(cx, request));
    let (Some(request), Authenticator::Wait) = (open, cx.op.config.authenticator) else {
        return;
    };
    let own = Id::auth_req_id(auth_req_id);
    let approved = Some(approve);
    cx.event(own, None, EventKind::NotAsked { approved });
    let state = if approve {
        State::Approved {
            auth_time: cx.now.as_second(),
        }
    } else {
        State::Failed(Failure {
            kind: FailureKind::Denied,
            description: "the request was refused in the user's place".to_owned(),
        })
    };
    finish(cx, &key, request, state);
}

/// The request expires, or its tombstone is old enough.
pub(crate) fn life_timer(cx: &mut Context<'_>, key: &Key) {
    let Some(request) = cx.request(key) else {
        return;
    };
    let forget_at = later(request.expires_at, cx.op.config.lifetimes.tombstone);
    if cx.now >= forget_at {
        return forget(cx, key, &request);
    }
    if cx.now < request.expires_at {
        return cx.timer(key.life_timer(), Some(request.expires_at));
    }
    if request.state == State::Pending {
        let description = "the user did not answer before expires_in".to_owned();
        let failure = Failure {
            kind: FailureKind::Expired,
            description,
        };
        let held = request.held.is_some();
        finish(cx, key, request, State::Failed(failure));
        if held {
            return; // the client was refused and there is nothing left to remember
        }
    }
    cx.timer(key.life_timer(), Some(forget_at));
}

/// Whether the request still waits for an outcome.
pub(crate) fn is_open(cx: &Context<'_>, request: &Request) -> bool {
    request.state == State::Pending && cx.now < request.expires_at
}

/// Acts on an outcome of the current MSS transaction.
fn settle(cx: &mut Context<'_>, key: &Key, mut request: Request, outcome: Verdict) {
    match outcome {
        Verdict::Approved => {
            release(cx, &mut request);
            let approved_at = request.attempt.rang_at.unwrap_or(cx.now);
            let state = State::Approved {
                auth_time: approved_at.as_second(),
            };
            finish(cx, key, request, state);
        }
        Verdict::Busy => {
            release(cx, &mut request);
            let due = cx.after(cx.op.config.mssp.busy_retry);
            work(cx, key, &mut request, Work::SignAgain, due);
            cx.store(key, request);
        }
        Verdict::Failed(failure) => finish(cx, key, request, State::Failed(failure)),
        Verdict::Pending => cx.store(key, request),
        Verdict::UnknownUser => match request.held.take() {
            Some(held) => {
                refuse_held(cx, &held, &hint::unknown_user());
                forget(cx, key, &request);
            }
            None => {
                let failure = broken("the MSSP does not know this number (MSS status 105)");
                finish(cx, key, request, State::Failed(failure));
            }
        },
        Verdict::UnsupportedProfile if request.rung + 1 < request.ladder.len() => {
            request.rung += 1;
            sign_again(cx, key, &mut request);
            cx.store(key, request);
        }
        Verdict::UnsupportedProfile => {
            let description =
                "the user's SIM can meet none of the requested acr_values (MSS status 109)".into();
            let failure = Failure {
                kind: FailureKind::Denied,
                description,
            };
            finish(cx, key, request, State::Failed(failure));
        }
    }
}

/// The request has its end: tells whoever waits for it.
fn finish(cx: &mut Context<'_>, key: &Key, mut request: Request, state: State) {
    // Nothing else sets it.
    if cx.op.config.authenticator == Authenticator::Mssp {
        cx.timer(key.work_timer(), None);
    }
    if let State::Failed(failure) = &state {
        let own = Id::ap_trans_id(&request.attempt.ap_trans_id);
        cx.event(
            own,
            None,
            EventKind::Failed {
                failure: failure.clone(),
            },
        );
        if let Some(held) = request.held.take() {
            let error = OAuthError::new("access_denied", failure.description.clone());
            refuse_held(cx, &held, &error.with_status(403));
            return forget(cx, key, &request);
        }
    }
    request.state = state;
    token::outcome(cx, key, &mut request);
    deliver::outcome(cx, key, &mut request);
    cx.store(key, request);
}

/// Removes every record and timer of the request.
fn forget(cx: &mut Context<'_>, key: &Key, request: &Request) {
    for hash in &request.notifications {
        cx.change(Change::ForgetNotification(hash.clone()));
    }
    cx.change(Change::ForgetRequest(key.clone()));
    for timer in [
        key.life_timer(),
        key.work_timer(),
        key.poll_timer(),
        key.deliver_timer(),
    ] {
        cx.timer(timer, None);
    }
}

/// Step 2, once the request is accepted.
fn acknowledge(cx: &mut Context<'_>, request: &Request, held: &Held) {
    #[derive(Serialize)]
    struct Body<'a> {
        auth_req_id: &'a str,
        expires_in: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        interval: Option<u32>,
    }
    let body = Body {
        auth_req_id: &held.auth_req_id,
        expires_in: held.expires_in,
        interval: (request.mode != DeliveryMode::Push).then_some(cx.op.config.polling.interval),
    };
    let response = json_response(200, &body);
    let own = Id::auth_req_id(&held.auth_req_id);
    cx.event(
        own,
        None,
        EventKind::Acknowledgement {
            response: response.clone(),
        },
    );
    cx.reply(held.request, response);
}

/// Answers a bc-authorize call that waited, now that the MSSP has accepted the number.
fn release(cx: &mut Context<'_>, request: &mut Request) {
    if let Some(held) = request.held.take() {
        acknowledge(cx, request, &held);
    }
}

fn refuse_held(cx: &mut Context<'_>, held: &Held, error: &OAuthError) {
    let response = error.response();
    let own = Id::auth_req_id(&held.auth_req_id);
    cx.event(
        own,
        None,
        EventKind::Acknowledgement {
            response: response.clone(),
        },
    );
    cx.reply(held.request, response);
}

fn broken(description: &str) -> Failure {
    Failure {
        kind: FailureKind::Broken,
        description: description.to_owned(),
    }
}

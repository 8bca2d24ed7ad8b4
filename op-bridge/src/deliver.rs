//! Step 16 for ping and push clients (CIBA Core §10.2, §10.3, §12).
//!
//! The body is made once, when the request ends, and stays in the record until it was delivered or
//! given up: a repeated push carries the very same tokens. A redirect is not followed, a refusal by
//! the client (4xx) is not repeated; a ping client can still fetch its tokens after either.

use bytes::Bytes;
use http::StatusCode;
use serde_json::json;

use crate::config::DeliveryMode;
use crate::context::Context;
use crate::event::{Afterwards, EventKind, Id};
use crate::grant::{self, Grant, To};
use crate::record::{FailureKind, Key, Request, State};
use crate::step::{Peer, Send, SendError};

/// How long a notification endpoint may take, seconds of transport time.
const WAIT: u32 = 5;

/// The request has ended: tells a ping or push client.
pub(crate) fn outcome(cx: &mut Context<'_>, key: &Key, request: &mut Request) {
    let Some(callback) = &request.callback else {
        return;
    };
    if cx.client(&request.client_id).is_none() {
        // No tokens for a client that is gone (RFC 7592 §2.3).
        return give_up(cx, request, "the client is not registered any more");
    }
    let auth_req_id = callback.auth_req_id.clone();
    let body = match (request.mode, &request.state) {
        (DeliveryMode::Push, State::Approved { auth_time }) => {
            let grant = Grant::of(request, *auth_time, None);
            let own = Id::auth_req_id(&auth_req_id);
            let body = grant::issue(cx, own, &grant, To::Push(&auth_req_id));
            let body = grant::json(&body);
            request.state = State::Redeemed;
            String::from_utf8_lossy(&body).into_owned()
        }
        (DeliveryMode::Push, State::Failed(failure)) => json!({
            "auth_req_id": auth_req_id,
            "error": match failure.kind {
                FailureKind::Denied => "access_denied",
                FailureKind::Expired => "expired_token",
                FailureKind::Broken => "transaction_failed",
            },
            "error_description": crate::oauth::plain(&failure.description),
        })
        .to_string(),
        _ => json!({ "auth_req_id": auth_req_id }).to_string(),
    };
    if let Some(callback) = &mut request.callback {
        callback.body = Some(body);
    }
    post(cx, key, request);
}

/// The notification endpoint answered, or did not.
pub(crate) fn answer(
    cx: &mut Context<'_>,
    key: &Key,
    number: u32,
    result: Result<http::Response<Bytes>, SendError>,
) {
    let Some(mut request) = cx.request(key) else {
        return;
    };
    let Some(callback) = request
        .callback
        .as_ref()
        .filter(|callback| callback.tries == number)
    else {
        return;
    };
    let own = Id::auth_req_id(&callback.auth_req_id);
    let result = result.map(|response| response.status());
    let delivered = matches!(&result, Ok(status) if status.is_success());
    let worth_repeating = match &result {
        Ok(status) => {
            status.is_server_error()
                || matches!(
                    *status,
                    StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
                )
        }
        Err(_) => true,
    };
    let policy = cx.op.config.delivery;
    let afterwards = if delivered {
        Afterwards::Done
    } else if worth_repeating && number < policy.tries {
        let pause = policy
            .back_off
            .saturating_mul(2_u32.saturating_pow(number - 1));
        Afterwards::Again(pause)
    } else {
        Afterwards::GivenUp
    };
    cx.event(own, None, EventKind::DeliveryAnswer { result, afterwards });
    match afterwards {
        Afterwards::Again(pause) => {
            let due = cx.after(pause);
            cx.timer(key.deliver_timer(), Some(due));
        }
        Afterwards::Done | Afterwards::GivenUp => {
            request.callback = None;
            cx.store(key, request);
        }
    }
}

/// Time for the next try.
pub(crate) fn timer(cx: &mut Context<'_>, key: &Key) {
    let Some(mut request) = cx.request(key) else {
        return;
    };
    if request
        .callback
        .as_ref()
        .is_some_and(|callback| callback.body.is_some())
    {
        post(cx, key, &mut request);
        cx.store(key, request);
    }
}

/// Sends the finished body.
fn post(cx: &mut Context<'_>, key: &Key, request: &mut Request) {
    let Some(client) = cx.client(&request.client_id) else {
        return give_up(cx, request, "the client is not registered any more");
    };
    let Some(callback) = &mut request.callback else {
        return;
    };
    let endpoint = callback.endpoint.as_ref();
    let Some(url) = endpoint.or(client.notification_endpoint.as_ref()).cloned() else {
        return give_up(cx, request, "the client has no notification endpoint");
    };
    callback.tries += 1;
    let own = Id::auth_req_id(&callback.auth_req_id);
    let send = Send {
        id: format!("deliver/{}/{}", key.0, callback.tries),
        to: Peer::Rp,
        method: "POST".to_owned(),
        url: url.clone(),
        headers: vec![
            (
                "authorization".to_owned(),
                format!("Bearer {}", callback.client_notification_token),
            ),
            ("content-type".to_owned(), "application/json".to_owned()),
        ],
        body: callback.body.clone().unwrap_or_default().into_bytes(),
        wait_seconds: WAIT,
        correlation: own.to_string(),
    };
    cx.event(
        own,
        None,
        EventKind::Delivery {
            send: send.clone(),
            mode: request.mode,
        },
    );
    cx.send(send);
}

/// There is nobody to tell.
fn give_up(cx: &mut Context<'_>, request: &mut Request, why: &str) {
    if let Some(callback) = request.callback.take() {
        let kind = EventKind::DeliveryAnswer {
            result: Err(SendError::Unreachable(why.to_owned())),
            afterwards: Afterwards::GivenUp,
        };
        cx.event(Id::auth_req_id(&callback.auth_req_id), None, kind);
    }
}

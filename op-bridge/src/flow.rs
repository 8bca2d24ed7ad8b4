//! A transaction between bc-authorize and its outcome: steps 3 and 14, the OP as the application
//! provider of a mobile signature service (TS 102 204).
//!
//! One record, [`Request`], moves from Pending to exactly one of Approved, Failed and, when the
//! tokens are out, Redeemed. Whatever arrives for a request that is no longer pending, or for an
//! earlier MSS transaction of it, is old news and changes nothing.

use std::sync::Arc;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::acr::{self, Assurance};
use crate::authorize::{self, Order};
use crate::config::{DeliveryMode, MessagingMode, UnknownUser};
use crate::context::{Context, later};
use crate::deliver;
use crate::event::{EventKind, Id};
use crate::hint::Msisdn;
use crate::mss::{
    self, CONTENT_TYPE, Reading, Report, SignatureReq, Verdict, read_answer, verdict,
};
use crate::oauth::{OAuthError, json_response};
use crate::record::{
    Attempt, Callback, Failure, FailureKind, Held, Key, Notification, Request, State, Work,
};
use crate::secret::fingerprint;
use crate::step::{Change, Peer, RequestId, Send, SendError};

/// Longest pause between two tries of a status query that brings no answer, seconds.
const MAX_PAUSE: u32 = 16;
/// How long the MSSP may take for an answer that needs no user, seconds of transport time.
const WAIT: u32 = 10;

/// Accepts an authentication request: answers it (step 2) and turns to the MSSP (step 3).
pub(crate) fn open(
    cx: &mut Context<'_>,
    id: RequestId,
    http: Arc<http::Request<Bytes>>,
    order: Order<'_>,
) {
    let auth_req_id = cx.token();
    let key = Key::of(&auth_req_id);
    let own = Id::auth_req_id(&auth_req_id);
    // Only an early acknowledgement can tell whether the MSSP knows the number.
    let held = !order.known
        && cx.op.config.unknown_user == UnknownUser::AskMssp
        && cx.op.config.mssp.messaging != MessagingMode::Synch;
    let mode = order.client.mode;
    let mut request = Request {
        client_id: order.client.id.clone(),
        mode,
        msisdn: order.msisdn,
        scope: order.scope,
        ladder: order.ladder,
        rung: 0,
        text: order.text,
        expires_at: cx.after(order.expires_in),
        last_poll: None,
        attempt: Attempt::new(1, ap_trans_id(cx)),
        notifications: Vec::new(),
        state: State::Pending,
        held: None,
        callback: order.client_notification_token.map(|token| Callback {
            auth_req_id: auth_req_id.clone(),
            client_notification_token: token,
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
    sign(cx, &key, &mut request, own);
    cx.store(&key, request);
}

/// The MSSP answered MSS_SignatureReq, or did not.
pub(crate) fn signature_answer(
    cx: &mut Context<'_>,
    key: &Key,
    number: u32,
    result: Result<http::Response<Bytes>, SendError>,
) {
    let Some(mut request) = cx.request(key) else {
        return;
    };
    let current = is_open(cx, &request) && request.attempt.number == number;
    let reading = read(&request, result.as_ref());
    let outcome = judge(cx, &reading);
    let mode = cx.op.config.mssp.messaging;
    let event = EventKind::MsspAnswer {
        operation: "MSS_Signature",
        result: result.map(http::Response::into_body),
        outcome: current && brings_outcome(&request, &reading, &outcome),
        late: !current,
    };
    if current {
        learn(&mut request.attempt, &reading);
    }
    mss_event(cx, &request.attempt, event);
    if !current {
        return;
    }
    if outcome != Verdict::Pending {
        return settle(cx, key, request, outcome);
    }
    release(cx, &mut request);
    if request.attempt.rang_at.is_some() {
        ask(cx, key, &mut request);
    } else if mode != MessagingMode::AsynchServerServer {
        match request.attempt.mssp_trans_id {
            Some(_) => {
                let due = cx.after(cx.op.config.mssp.first_query);
                work(cx, key, &mut request, Work::AskStatus, due);
            }
            None => {
                let failure = broken("the MSSP acknowledged without an MSSP_TransID to ask for");
                return finish(cx, key, request, State::Failed(failure));
            }
        }
    }
    cx.store(key, request);
}

/// The MSSP answered MSS_StatusReq, or did not.
pub(crate) fn status_answer(
    cx: &mut Context<'_>,
    key: &Key,
    number: u32,
    result: Result<http::Response<Bytes>, SendError>,
) {
    let Some(mut request) = cx.request(key) else {
        return;
    };
    let attempt = &request.attempt;
    let current = is_open(cx, &request) && attempt.asking && attempt.query == number;
    let reading = read(&request, result.as_ref());
    let outcome = judge(cx, &reading);
    let event = EventKind::MsspAnswer {
        operation: "MSS_StatusQuery",
        result: result.map(http::Response::into_body),
        outcome: current && brings_outcome(&request, &reading, &outcome),
        late: !current,
    };
    mss_event(cx, &request.attempt, event);
    if !current {
        return;
    }
    request.attempt.asking = false;
    if matches!(reading, Reading::Unreadable(_)) {
        // The outcome exists over there: keep asking for it as long as there is time.
        request.attempt.failures += 1;
        let pause = 2_u32
            .saturating_pow(request.attempt.failures - 1)
            .min(MAX_PAUSE);
        let due = cx.after(pause);
        work(cx, key, &mut request, Work::AskStatus, due);
        return cx.store(key, request);
    }
    request.attempt.failures = 0;
    if outcome != Verdict::Pending {
        return settle(cx, key, request, outcome);
    }
    if request.attempt.rang_while_asking {
        ask(cx, key, &mut request);
    } else {
        request.attempt.rang_at = None;
        schedule(cx, key, &mut request);
    }
    cx.store(key, request);
}

/// A notification rang for the request's current MSS transaction. `report` has been matched.
pub(crate) fn rang(cx: &mut Context<'_>, key: &Key, mut request: Request, report: &Report) {
    let reading = Reading::Report(report.clone());
    let outcome = judge(cx, &reading);
    learn(&mut request.attempt, &reading);
    release(cx, &mut request);
    if outcome == Verdict::Pending {
        return cx.store(key, request);
    }
    if !cx.op.config.mssp.confirm_notifications {
        return settle(cx, key, request, outcome);
    }
    request.attempt.rang_at = Some(cx.now);
    if request.attempt.asking {
        request.attempt.rang_while_asking = true;
    } else if request.attempt.mssp_trans_id.is_some() {
        ask(cx, key, &mut request);
    }
    cx.store(key, request);
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

/// Something is due towards the MSSP.
pub(crate) fn work_timer(cx: &mut Context<'_>, key: &Key) {
    let Some(mut request) = cx.request(key).filter(|request| is_open(cx, request)) else {
        return;
    };
    match request.attempt.work {
        Work::AskStatus if request.attempt.asking || request.attempt.mssp_trans_id.is_none() => {}
        Work::AskStatus => {
            ask(cx, key, &mut request);
            cx.store(key, request);
        }
        Work::SignAgain => {
            sign_again(cx, key, &mut request);
            cx.store(key, request);
        }
    }
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
                refuse_held(cx, &held, &authorize::unknown_user());
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
    cx.timer(key.work_timer(), None);
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
    deliver::outcome(cx, key, &mut request);
    cx.store(key, request);
}

/// Sends MSS_SignatureReq for the current attempt.
fn sign(cx: &mut Context<'_>, key: &Key, request: &mut Request, parent: Id) {
    let op = cx.op;
    let mssp = &op.config.mssp;
    let serving = mssp.messaging == MessagingMode::AsynchServerServer;
    let ap_url = serving.then(|| notification_url(cx, key, request));
    let seconds = request.expires_at.duration_since(cx.now).as_secs();
    let time_out = u32::try_from(seconds).unwrap_or(0).max(1);
    let acr = request.ladder.get(request.rung).map_or("", String::as_str);
    let profile = match acr::assurance(&op.config.acr_values, acr) {
        Some(Assurance::Confirm) => &mssp.confirm_profile,
        Some(Assurance::Pin) | None => &mssp.pin_profile,
    };
    let body = mss::signature_req(
        mssp,
        &SignatureReq {
            ap_trans_id: &request.attempt.ap_trans_id,
            ap_url: ap_url.as_deref(),
            msisdn: &request.msisdn,
            text: &request.text,
            profile,
            time_out,
        },
        cx.now,
    );
    let own = Id::ap_trans_id(&request.attempt.ap_trans_id);
    cx.event(
        own,
        Some(parent),
        EventKind::SignatureRequest { body: body.clone() },
    );
    let wait_seconds = if mssp.messaging == MessagingMode::Synch {
        time_out.saturating_add(WAIT)
    } else {
        WAIT
    };
    let id = format!("sign/{}/{}", key.0, request.attempt.number);
    cx.send(soap(id, &mssp.url, body, wait_seconds));
    if serving {
        schedule(cx, key, request);
    }
}

/// Starts another MSS transaction for the same request.
fn sign_again(cx: &mut Context<'_>, key: &Key, request: &mut Request) {
    let before = Id::ap_trans_id(&request.attempt.ap_trans_id);
    request.attempt = Attempt::new(request.attempt.number + 1, ap_trans_id(cx));
    cx.timer(key.work_timer(), None);
    sign(cx, key, request, before);
}

/// Sends MSS_StatusReq; the MSSP's transaction id must be known.
fn ask(cx: &mut Context<'_>, key: &Key, request: &mut Request) {
    let op = cx.op;
    let attempt = &mut request.attempt;
    let Some(mssp_trans_id) = &attempt.mssp_trans_id else {
        return;
    };
    attempt.query += 1;
    attempt.asking = true;
    attempt.rang_while_asking = false;
    let body = mss::status_req(
        &op.config.mssp,
        &attempt.ap_trans_id,
        mssp_trans_id,
        attempt.mssp_uri.as_deref(),
        cx.now,
    );
    mss_event(cx, attempt, EventKind::StatusRequest { body: body.clone() });
    let id = format!("status/{}/{}", key.0, attempt.query);
    cx.send(soap(id, &op.config.mssp.url, body, WAIT));
    cx.timer(key.work_timer(), None);
}

/// Sets the next status query: regularly where nobody notifies, otherwise once before expiry, for a
/// notification that got lost.
fn schedule(cx: &mut Context<'_>, key: &Key, request: &mut Request) {
    let due = match cx.op.config.mssp.messaging {
        MessagingMode::AsynchServerServer => last_look(cx.now, request.expires_at),
        MessagingMode::AsynchClientServer | MessagingMode::Synch => {
            Some(cx.after(cx.op.config.mssp.query_interval))
        }
    };
    if let Some(due) = due {
        work(cx, key, request, Work::AskStatus, due);
    }
}

/// When to ask for a lost notification: a quarter of the time, at most 10 s, before expiry.
fn last_look(now: Timestamp, expires_at: Timestamp) -> Option<Timestamp> {
    const MARGIN: SignedDuration = SignedDuration::from_secs(10);
    let margin = (expires_at.duration_since(now) / 4).min(MARGIN);
    // Once asked in the last seconds, the next thing to happen is expiry.
    (margin >= SignedDuration::from_secs(1)).then(|| expires_at - margin)
}

fn work(cx: &mut Context<'_>, key: &Key, request: &mut Request, what: Work, due: Timestamp) {
    request.attempt.work = what;
    // What would be due after expiry is not worth waking up for.
    cx.timer(
        key.work_timer(),
        Some(due).filter(|due| *due < request.expires_at),
    );
}

/// A fresh AP_URL: whoever knows it can ring for this transaction.
fn notification_url(cx: &mut Context<'_>, key: &Key, request: &mut Request) -> String {
    let secret = cx.token();
    let hash = fingerprint(&secret);
    let notification = Notification {
        request: key.clone(),
        ap_trans_id: request.attempt.ap_trans_id.clone(),
    };
    cx.change(Change::Notification(hash.clone(), notification));
    request.notifications.push(hash);
    match &cx.op.config.mssp.notify_url {
        Some(prefix) => format!("{}/{secret}", prefix.trim_end_matches('/')),
        None => format!(
            "{}{}{secret}",
            cx.op.config.issuer,
            crate::route::path::NOTIFY
        ),
    }
}

/// Removes every record and timer of the request.
fn forget(cx: &mut Context<'_>, key: &Key, request: &Request) {
    for hash in &request.notifications {
        cx.change(Change::ForgetNotification(hash.clone()));
    }
    cx.change(Change::ForgetRequest(key.clone()));
    for timer in [key.life_timer(), key.work_timer(), key.deliver_timer()] {
        cx.timer(timer, None);
    }
}

/// Step 2, once the request is accepted.
fn acknowledge(cx: &mut Context<'_>, request: &Request, held: &Held) {
    let mut body = json!({ "auth_req_id": held.auth_req_id, "expires_in": held.expires_in });
    if request.mode != DeliveryMode::Push {
        body["interval"] = json!(cx.op.config.polling.interval);
    }
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

/// Reads an answer and makes sure that it is about this transaction.
fn read(request: &Request, result: Result<&http::Response<Bytes>, &SendError>) -> Reading {
    let reading = match result {
        Ok(response) => read_answer(response.body()),
        Err(error) => Reading::Unreadable(error.to_string()),
    };
    match &reading {
        Reading::Report(report) => match mismatch(request, &request.attempt.ap_trans_id, report) {
            Some(what) => Reading::Unreadable(format!("the answer is about another {what}")),
            None => reading,
        },
        Reading::Fault(fault) if fault.code.is_none() => {
            Reading::Unreadable(format!("a fault without an MSS code: {}", fault.reason))
        }
        Reading::Fault(_) | Reading::Unreadable(_) => reading,
    }
}

/// The first of AP_TransID, MSSP_TransID and MSISDN that differs from ours.
pub(crate) fn mismatch(
    request: &Request,
    ap_trans_id: &str,
    report: &Report,
) -> Option<&'static str> {
    if report.ap_trans_id.as_deref() != Some(ap_trans_id) {
        return Some("AP_TransID");
    }
    let same_attempt = request.attempt.ap_trans_id == ap_trans_id;
    if let (true, Some(ours), Some(theirs)) = (
        same_attempt,
        &request.attempt.mssp_trans_id,
        &report.mssp_trans_id,
    ) && ours != theirs
    {
        return Some("MSSP_TransID");
    }
    let number = report
        .msisdn
        .as_deref()
        .and_then(|text| text.parse::<Msisdn>().ok());
    (number.as_ref() != Some(&request.msisdn)).then_some("MSISDN")
}

/// Whether the outcome is learnt from this answer rather than from a notification before it.
fn brings_outcome(request: &Request, reading: &Reading, outcome: &Verdict) -> bool {
    let readable = !matches!(reading, Reading::Unreadable(_));
    readable && *outcome != Verdict::Pending && request.attempt.rang_at.is_none()
}

fn judge(cx: &Context<'_>, reading: &Reading) -> Verdict {
    let code = match reading {
        Reading::Fault(fault) => fault.code,
        Reading::Report(report) => report.status,
        Reading::Unreadable(why) => {
            return Verdict::Failed(broken(&format!("the MSSP gave no usable answer: {why}")));
        }
    };
    match code {
        Some(code) => verdict(code, cx.op.config.mssp.accept_unvalidated),
        None => Verdict::Pending,
    }
}

/// Keeps what the MSSP calls itself and the transaction.
fn learn(attempt: &mut Attempt, reading: &Reading) {
    if let Reading::Report(report) = reading {
        if report.mssp_trans_id.is_some() {
            attempt.mssp_trans_id.clone_from(&report.mssp_trans_id);
        }
        if report.mssp_uri.is_some() {
            attempt.mssp_uri.clone_from(&report.mssp_uri);
        }
    }
}

/// An event about the MSS transaction, joined to it by the most specific id known.
pub(crate) fn mss_event(cx: &mut Context<'_>, attempt: &Attempt, kind: EventKind) {
    let ap_trans_id = Id::ap_trans_id(&attempt.ap_trans_id);
    match &attempt.mssp_trans_id {
        Some(id) => cx.event(Id::mssp_trans_id(id), Some(ap_trans_id), kind),
        None => cx.event(ap_trans_id, None, kind),
    }
}

fn broken(description: &str) -> Failure {
    Failure {
        kind: FailureKind::Broken,
        description: description.to_owned(),
    }
}

/// AP_TransID: 128 random bits; an NCName, so it starts with a letter.
fn ap_trans_id(cx: &mut Context<'_>) -> String {
    let mut octets = [0; 16];
    cx.rng.fill_bytes(&mut octets);
    format!("A{}", hex::encode(octets))
}

fn soap(id: String, url: &str, body: Vec<u8>, wait_seconds: u32) -> Send {
    Send {
        id,
        to: Peer::Mssp,
        method: "POST".to_owned(),
        url: url.to_owned(),
        headers: vec![("content-type".to_owned(), CONTENT_TYPE.to_owned())],
        body,
        wait_seconds,
    }
}

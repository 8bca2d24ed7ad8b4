//! Towards the MSSP: MSS_SignatureReq, MSS_StatusReq, and when to send them.

use jiff::{SignedDuration, Timestamp};

use super::is_open;
use super::receive::mss_event;
use crate::acr::{self, Assurance};
use crate::config::MessagingMode;
use crate::context::Context;
use crate::event::{EventKind, Id};
use crate::mss::{self, CONTENT_TYPE, SignatureReq};
use crate::record::{Attempt, Key, Notification, Request, Work};
use crate::secret::fingerprint;
use crate::step::{Change, Peer, Send};

/// How long the MSSP may take for an answer that needs no user, seconds of transport time.
const WAIT: u32 = 10;

/// Sends MSS_SignatureReq for the current attempt.
pub(super) fn sign(cx: &mut Context<'_>, key: &Key, request: &mut Request, parent: Id) {
    let op = cx.op;
    let mssp = &op.config.mssp;
    let serving = mssp.messaging == MessagingMode::AsynchServerServer;
    let ap_url = serving.then(|| notification_url(cx, key, request));
    let seconds = request.expires_at.duration_since(cx.now).as_secs();
    let time_out = u32::try_from(seconds).unwrap_or(0).max(1);
    let profile = match acr::assurance(&op.config.acr_values, request.acr()) {
        Some(Assurance::Confirm) => &mssp.confirm_profile,
        Some(Assurance::Signature) => &mssp.signature_profile,
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
    let correlation = own.to_string();
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
    cx.send(Send {
        wait_seconds,
        ..soap(id, &mssp.url, body, correlation)
    });
    if serving {
        schedule(cx, key, request);
    }
}

/// Starts another MSS transaction for the same request.
pub(super) fn sign_again(cx: &mut Context<'_>, key: &Key, request: &mut Request) {
    let before = Id::ap_trans_id(&request.attempt.ap_trans_id);
    request.attempt = Attempt::new(request.attempt.number + 1, ap_trans_id(cx));
    cx.timer(key.work_timer(), None);
    sign(cx, key, request, before);
}

/// Sends MSS_StatusReq; the MSSP's transaction id must be known.
pub(super) fn ask(cx: &mut Context<'_>, key: &Key, request: &mut Request) {
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
    let correlation = Id::ap_trans_id(&attempt.ap_trans_id).to_string();
    cx.send(soap(id, &op.config.mssp.url, body, correlation));
    cx.timer(key.work_timer(), None);
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

/// Sets the next status query: regularly where nobody notifies, otherwise once before expiry, for a
/// notification that got lost.
pub(super) fn schedule(cx: &mut Context<'_>, key: &Key, request: &mut Request) {
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

pub(super) fn work(
    cx: &mut Context<'_>,
    key: &Key,
    request: &mut Request,
    what: Work,
    due: Timestamp,
) {
    request.attempt.work = what;
    // What would be due after expiry is not worth waking up for.
    cx.timer(
        key.work_timer(),
        Some(due).filter(|due| *due < request.expires_at),
    );
}

/// When to ask for a lost notification: a quarter of the time, at most 10 s, before expiry.
fn last_look(now: Timestamp, expires_at: Timestamp) -> Option<Timestamp> {
    const MARGIN: SignedDuration = SignedDuration::from_secs(10);
    let margin = (expires_at.duration_since(now) / 4).min(MARGIN);
    // Once asked in the last seconds, the next thing to happen is expiry.
    (margin >= SignedDuration::from_secs(1)).then(|| expires_at - margin)
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

/// AP_TransID: 128 random bits; an NCName, so it starts with a letter.
pub(super) fn ap_trans_id(cx: &mut Context<'_>) -> String {
    let mut octets = [0; 16];
    cx.rng.fill_bytes(&mut octets);
    format!("A{}", hex::encode(octets))
}

fn soap(id: String, url: &str, body: Vec<u8>, correlation: String) -> Send {
    Send {
        id,
        to: Peer::Mssp,
        method: "POST".to_owned(),
        url: url.to_owned(),
        headers: vec![("content-type".to_owned(), CONTENT_TYPE.to_owned())],
        body,
        wait_seconds: WAIT,
        correlation,
    }
}

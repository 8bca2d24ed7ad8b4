//! From the MSSP: answers to our requests, and notifications. Each is matched to the transaction first.

use bytes::Bytes;

use super::send::{ask, schedule, work};
use super::{broken, finish, is_open, release, settle};
use crate::config::MessagingMode;
use crate::context::Context;
use crate::event::{EventKind, Id};
use crate::hint::Msisdn;
use crate::mss::{Reading, Report, Verdict, read_answer, verdict};
use crate::record::{Attempt, Key, Request, State, Work};
use crate::step::SendError;

/// Longest pause between two tries of a status query that brings no answer, seconds.
const MAX_PAUSE: u32 = 16;

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
    if request.attempt.asking {
        // A notification was faster, and the MSSP is being asked about it already: how this answer fared no longer matters.
        return cx.store(key, request);
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

/// An event about the MSS transaction, joined to it by the most specific id known.
pub(crate) fn mss_event(cx: &mut Context<'_>, attempt: &Attempt, kind: EventKind) {
    let ap_trans_id = Id::ap_trans_id(&attempt.ap_trans_id);
    match &attempt.mssp_trans_id {
        Some(id) => cx.event(Id::mssp_trans_id(id), Some(ap_trans_id), kind),
        None => cx.event(ap_trans_id, None, kind),
    }
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

/// Whether the outcome is learnt from this answer rather than from a notification before it.
fn brings_outcome(request: &Request, reading: &Reading, outcome: &Verdict) -> bool {
    let readable = !matches!(reading, Reading::Unreadable(_));
    readable && *outcome != Verdict::Pending && request.attempt.rang_at.is_none()
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

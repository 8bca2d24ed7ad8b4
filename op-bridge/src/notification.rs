//! AP_URL: where the MSSP rings in asynchServerServer (TS 102 204).
//!
//! MSS_Notification is a request: an MSS_StatusResp comes in and an MSS_ReceiptReq goes out. The path
//! holds a secret of the transaction; beyond it AP_TransID, MSSP_TransID and MSISDN must match. What
//! does not match is refused and changes nothing; what is repeated or late is received (status 600)
//! and changes nothing either.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode as HttpStatus};

use crate::context::Context;
use crate::event::{EventKind, Id, Taken};
use crate::flow;
use crate::mss::{self, Incoming, StatusCode, read_incoming};
use crate::oauth::OAuthError;
use crate::record::{Key, Notification, Request, load};
use crate::secret::fingerprint;
use crate::step::RequestId;

pub(crate) fn handle(cx: &mut Context<'_>, id: RequestId, body: Bytes, secret: &str) {
    let found = load(cx.view, &Key::notification(&fingerprint(secret)))
        .and_then(|found: Notification| Some((cx.request(&found.request)?, found)));
    let Some((request, found)) = found else {
        let taken = Taken::Refused("the path holds no secret of ours".to_owned());
        cx.event(Id::http(id), None, EventKind::Notification { body, taken });
        let error = OAuthError::new("not_found", "no transaction waits for a notification here");
        return cx.reply(id, error.with_status(404).response());
    };
    let incoming = match read_incoming(&body) {
        Ok(incoming) => incoming,
        Err(error) => {
            return refuse(cx, id, &request, body, None, &error.to_string());
        }
    };
    if incoming.message() != "MSS_StatusResp" {
        let why = format!("expected MSS_StatusResp, got {}", incoming.message());
        return refuse(cx, id, &request, body, Some(&incoming), &why);
    }
    let report = incoming.report();
    if let Some(what) = flow::mismatch(&request, &found.ap_trans_id, &report) {
        let why = format!("{what} is not that of the transaction");
        return refuse(cx, id, &request, body, Some(&incoming), &why);
    }
    if report.status.is_none() {
        return refuse(cx, id, &request, body, Some(&incoming), "Status is missing");
    }

    let news = flow::is_open(cx, &request)
        && request.attempt.ap_trans_id == found.ap_trans_id
        && request.attempt.rang_at.is_none();
    let taken = if news { Taken::News } else { Taken::Old };
    let mut attempt = request.attempt.clone();
    if attempt.mssp_trans_id.is_none() {
        attempt.mssp_trans_id.clone_from(&report.mssp_trans_id);
    }
    flow::mss_event(cx, &attempt, EventKind::Notification { body, taken });
    let receipt = mss::receipt(
        &cx.op.config.mssp,
        &incoming,
        &report,
        StatusCode::RET_OK_PUSH,
        cx.now,
    );
    let receipt = Bytes::from(receipt);
    flow::mss_event(
        cx,
        &attempt,
        EventKind::Receipt {
            body: receipt.clone(),
        },
    );
    cx.reply(
        id,
        soap_response(HttpStatus::OK, incoming.content_type(), receipt),
    );
    if news {
        flow::rang(cx, &found.request, request, &report);
    }
}

fn refuse(
    cx: &mut Context<'_>,
    id: RequestId,
    request: &Request,
    body: Bytes,
    incoming: Option<&Incoming>,
    why: &str,
) {
    let own = Id::ap_trans_id(&request.attempt.ap_trans_id);
    let taken = Taken::Refused(why.to_owned());
    cx.event(own, None, EventKind::Notification { body, taken });
    let fault = mss::fault(incoming, StatusCode::WRONG_PARAM, why);
    let content_type = incoming.map_or(mss::CONTENT_TYPE, Incoming::content_type);
    // The sender is to blame, which SOAP 1.2 part 2 §7.5.2.2 puts under 400.
    cx.reply(
        id,
        soap_response(HttpStatus::BAD_REQUEST, content_type, Bytes::from(fault)),
    );
}

fn soap_response(status: HttpStatus, content_type: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

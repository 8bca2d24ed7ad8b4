//! From an event to a line of the trace.

use ota_wire::{
    applet::{ChallengeView, Method, ResponseView},
    trace::{Badge, Octets, Row},
};

use super::{Body, Event, EventKind, Verdict, secrets};
use crate::{
    messages::{Head, SignatureReq},
    operation::Operation,
    rest, schema,
    soap::{Call, Refusal},
    step::OtaOutcome,
    xml::{self, Element},
};

impl Event {
    /// The event as people read it.
    pub fn row(&self) -> Row {
        match &self.kind {
            EventKind::Answered { body, ends } => Row {
                step: ends.then_some(14),
                ..envelope("MSSP", "OP", body)
            },
            EventKind::Challenged { msisdn, payload } => challenge(msisdn.to_string(), payload),
            EventKind::Certificate { msisdn, state } => own(
                "certificate changed",
                vec![field("MSISDN", msisdn), field("state", state.name())],
            ),
            EventKind::Expired => own("transaction expired", Vec::new()),
            EventKind::Internal { reason } => own("internal error", vec![field("reason", reason)]),
            EventKind::Reported(outcome) => Row {
                from: "OTA",
                ..own(
                    match outcome {
                        OtaOutcome::Sent => "challenge is on its way",
                        OtaOutcome::Failed { .. } => "challenge cannot be delivered",
                    },
                    match outcome {
                        OtaOutcome::Sent => Vec::new(),
                        OtaOutcome::Failed { reason, .. } => vec![field("reason", reason)],
                    },
                )
            },
            EventKind::Notified { attempt, url, body } => {
                let mut row = envelope("MSSP", "OP", body);
                row.step = Some(14);
                // On the wire it is a status response that nobody asked for; people look for the name of the operation.
                row.name = "MSS_Notification".into();
                row.fields.push(field("to", secrets::public_part(&url.0)));
                row.fields.push(field("attempt", attempt));
                row
            }
            EventKind::NotificationGivenUp { attempts } => own(
                "MSS_Notification given up",
                vec![field("attempts", attempts)],
            ),
            EventKind::Receipt { result, body } => {
                let mut row = envelope("OP", "MSSP", body);
                row.fields.push(match result {
                    Ok(Some(status)) => field("receipt", status),
                    Ok(None) => field("receipt", "without status"),
                    Err(why) => field("not acknowledged", why),
                });
                row
            }
            EventKind::Freed => own("card is free for the next challenge", Vec::new()),
            EventKind::Queued => own("challenge waits for the card", Vec::new()),
            EventKind::Requested { body, deviations } => {
                let mut row = envelope("OP", "MSSP", body);
                row.fields.extend(
                    schema_deviations(&body.0)
                        .iter()
                        .chain(deviations)
                        .map(|one| field("deviation", one)),
                );
                Row {
                    step: (row.name == "MSS_SignatureReq").then_some(3),
                    ..row
                }
            }
            EventKind::Signed {
                code,
                subject,
                detail,
            } => {
                let mut fields = vec![field("status", code), field("certificate", subject)];
                if !detail.is_empty() {
                    fields.push(field("why", detail));
                }
                Row {
                    step: Some(13),
                    clause: "RFC 5652 §5.6, RFC 5280 §6".to_owned(),
                    badge: Badge::Standard,
                    ..own("signature of a key", fields)
                }
            }
            EventKind::Responded {
                from,
                payload,
                verdict,
            } => response(from.to_string(), payload, verdict),
        }
    }
}

fn field(name: &str, value: impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}

/// A line for something inside the MSSP.
fn own(name: &str, fields: Vec<(String, String)>) -> Row {
    Row {
        step: None,
        from: "MSSP",
        to: "MSSP",
        name: name.to_owned(),
        clause: "midsim's own".to_owned(),
        badge: Badge::Own,
        fields,
        octets: None,
    }
}

fn challenge(msisdn: String, payload: &[u8]) -> Row {
    let mut fields = vec![field("MSISDN", msisdn)];
    if let Ok(view) = ChallengeView::new_checked(payload) {
        fields.push(field("TID", hex::encode_upper(view.tid())));
        fields.push(field("CTR", view.ctr()));
        fields.push(field(
            "METHOD",
            match view.method() {
                Ok(Method::Confirm) => "confirm".to_owned(),
                Ok(Method::Pin) => "PIN".to_owned(),
                Err(other) => format!("{other:02X}"),
            },
        ));
        fields.push(field("ALG", algorithm(view.mac_algorithm())));
        fields.push(field("VALID", format_args!("{} s", view.valid_for())));
        if let Some(digest) = view.digest() {
            fields.push(field("DIGEST", hex::encode_upper(digest)));
        }
        fields.push(field("TEXT", view.text()));
        fields.push(field("MAC", hex::encode_upper(view.mac())));
    }
    Row {
        step: Some(4),
        to: "OTA",
        octets: Some(Octets::new("applet", payload.to_vec())),
        ..own("challenge", fields)
    }
}

fn response(from: String, payload: &[u8], verdict: &Verdict) -> Row {
    let mut fields = vec![field("MSISDN", from)];
    if let Ok(view) = ResponseView::new_checked(payload) {
        fields.push(field("TID", hex::encode_upper(view.tid())));
        fields.push(field("CTR", view.ctr()));
        fields.push(field("RESULT", view.result().name()));
        fields.push(field("TRIES", view.tries_left()));
        fields.push(field("ALG", algorithm(view.mac_algorithm())));
        fields.push(field("MAC", hex::encode_upper(view.mac())));
    }
    fields.push(match verdict {
        Verdict::Accepted(code) => field("verdict", format_args!("authentic: {code}")),
        Verdict::Dropped(why) => field("dropped", why),
        Verdict::Withheld(code) => field("withheld", code),
    });
    Row {
        step: Some(13),
        octets: Some(Octets::new("applet", payload.to_vec())),
        ..own("verify response", fields)
    }
}

fn algorithm(octet: Result<ota_wire::applet::MacAlgorithm, u8>) -> String {
    match octet {
        Ok(algorithm) => format!("{algorithm:?}"),
        Err(other) => format!("{other:02X}"),
    }
}

/// A line for a SOAP message, broken or not.
fn envelope(from: &'static str, to: &'static str, body: &Body) -> Row {
    let mut octets = Octets::new("soap", body.0.to_vec());
    for range in secrets::in_envelope(&body.0) {
        octets = octets.hiding(range);
    }
    let parsed = call(&body.0);
    if body.0.first() == Some(&b'{') {
        octets.kind = "json";
    }
    let (name, clause, fields) = match parsed {
        Ok(call) if call.part.local == "Fault" => (
            "Fault".to_owned(),
            "the JSON twin of TS 102 204".to_owned(),
            json_fault(&call.part),
        ),
        Ok(call) => message(&call),
        Err(refusal) => match fault(&body.0) {
            Some(fields) => (
                "env:Fault".to_owned(),
                "TS 102 204 §10.6".to_owned(),
                fields,
            ),
            None => (
                "not a SOAP call".to_owned(),
                "TS 102 204 §10".to_owned(),
                vec![field("why", refusal.fault.detail)],
            ),
        },
    };
    Row {
        step: None,
        from,
        to,
        name,
        clause,
        badge: Badge::Standard,
        fields,
        octets: (!body.0.is_empty()).then_some(octets),
    }
}

/// The message in it, in SOAP or JSON.
fn call(body: &[u8]) -> Result<Call<'_>, Refusal> {
    if body.first() == Some(&b'{') {
        rest::parse_any(body)
    } else {
        Call::parse(body)
    }
}

/// What a schema validator would say of a request.
fn schema_deviations(body: &[u8]) -> Vec<String> {
    let Ok(call) = call(body) else {
        return Vec::new();
    };
    Operation::of_request(&call.part.local)
        .map(|operation| schema::deviations(operation, &call.part))
        .unwrap_or_default()
}

fn message(call: &Call) -> (String, String, Vec<(String, String)>) {
    let part = &call.part;
    let clause = match &*part.local {
        "MSS_SignatureReq" => "8.2",
        "MSS_SignatureResp" => "8.3",
        "MSS_StatusReq" => "8.4",
        "MSS_StatusResp" => "8.5",
        "MSS_RegistrationReq" => "8.6",
        "MSS_RegistrationResp" => "8.7",
        "MSS_ProfileReq" => "8.8",
        "MSS_ProfileResp" => "8.9",
        "MSS_ReceiptReq" => "8.10",
        "MSS_ReceiptResp" => "8.11",
        "MSS_HandshakeReq" => "8.12",
        "MSS_HandshakeResp" => "8.13",
        _ => "8",
    };
    let mut fields = Vec::new();
    if let Ok(head) = Head::parse(part) {
        fields.push(field("AP_ID", head.ap.ap_id));
        fields.push(field("AP_TransID", head.ap.ap_trans_id));
    }
    for name in ["MSSP_TransID", "MessagingMode", "TimeOut", "ValidityDate"] {
        if let Some(value) = part.attribute(None, name) {
            fields.push(field(name, value));
        }
    }
    if let Some(msisdn) = find(part, "MSISDN") {
        fields.push(field("MSISDN", msisdn.text()));
    }
    if let Ok(request) = SignatureReq::parse(part) {
        fields.push(field("DataToBeSigned", request.to_be_signed.text));
        if let Some(profile) = request.profile {
            fields.push(field("SignatureProfile", profile));
        }
    }
    if let Some(status) = find(part, "StatusCode") {
        let message = find(part, "StatusMessage").map(|e| e.text().into_owned());
        fields.push(field(
            "Status",
            format_args!(
                "{} {}",
                status.attribute(None, "Value").unwrap_or_default(),
                message.unwrap_or_default()
            ),
        ));
    }
    if let Some(signature) = find(part, "Base64Signature") {
        fields.push(field("Base64Signature", signature.text()));
    }
    if let Some(roaming) = &call.roaming {
        let last = roaming.sender.as_deref().unwrap_or("somebody");
        let hops = roaming.entries;
        fields.push(field(
            "RoamingHeader",
            format_args!("{hops} hops, the last {last}"),
        ));
    }
    (
        part.local.clone().into_owned(),
        format!("TS 102 204 §{clause}"),
        fields,
    )
}

fn json_fault(fault: &Element) -> Vec<(String, String)> {
    let code = find(fault, "SubCode").map(|code| code.text().into_owned());
    let text = |name| find(fault, name).map(|e| e.text().into_owned());
    [
        ("code", code),
        ("reason", text("Reason")),
        ("detail", text("Detail")),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(field(name, value?)))
    .collect()
}

fn fault(body: &[u8]) -> Option<Vec<(String, String)>> {
    let root = xml::parse(body).ok()?;
    let fault = find(&root, "Fault")?;
    let code = match find(fault, "Subcode") {
        Some(subcode) => find(subcode, "Value"),
        None => find(fault, "Value").or_else(|| find(fault, "faultcode")),
    };
    let reason = find(fault, "Text").or_else(|| find(fault, "faultstring"));
    let detail = find(fault, "Detail").or_else(|| find(fault, "detail"));
    let detail = detail.map(|d| d.elements().next().unwrap_or(d));
    let named = [("code", code), ("reason", reason), ("detail", detail)];
    Some(
        named
            .into_iter()
            .filter_map(|(name, element)| Some(field(name, element?.text())))
            .collect(),
    )
}

/// The first element of that name, in document order.
fn find<'a>(root: &'a Element<'a>, local: &str) -> Option<&'a Element<'a>> {
    if root.local == local {
        return Some(root);
    }
    root.elements().find_map(|below| find(below, local))
}

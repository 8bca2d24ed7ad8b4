//! Events as rows: who, what, by which clause, the essentials, and the octets with their secrets marked.

use http::header::{AUTHORIZATION, COOKIE, HeaderMap, PROXY_AUTHORIZATION};
use serde_json::Value;

use super::{Afterwards, Badge, Event, EventKind, Octets, Row, Taken, mask};
use crate::config::DeliveryMode;
use crate::forms::is_form;
use crate::jose;
use crate::mss::{Reading, Report, read_answer, read_incoming};
use crate::record::FailureKind;
use crate::step::SendError;

impl Event {
    /// The event for people to read.
    pub fn row(&self) -> Row {
        match &self.kind {
            EventKind::Acknowledgement { response } => Row {
                fields: json_fields(response.body()),
                octets: Some(response_octets(response)),
                ..row(
                    Some(2),
                    "OP",
                    "RP",
                    status_line(response),
                    "CIBA Core §7.3, §13",
                )
            },
            EventKind::AuthenticationRequest { request } => Row {
                fields: form_fields(request),
                octets: Some(request_octets(request)),
                badge: Badge::Profile,
                ..row(
                    Some(1),
                    "RP",
                    "OP",
                    format!("{} {}", request.method(), request.uri().path()),
                    "CIBA Core §7.1, MODRNA CIBA §4",
                )
            },
            EventKind::Delivery { send, mode } => {
                let (name, clause) = match mode {
                    DeliveryMode::Push => ("push", "CIBA Core §10.3, §12"),
                    DeliveryMode::Ping | DeliveryMode::Poll => ("ping", "CIBA Core §10.2"),
                };
                let mut fields = vec![field("url", &send.url)];
                fields.extend(json_fields(&send.body));
                let name = format!("{} {} ({name})", send.method, path(&send.url));
                Row {
                    fields,
                    octets: Some(send_octets(send)),
                    ..row(Some(16), "OP", "RP", name, clause)
                }
            }
            EventKind::DeliveryAnswer { result, afterwards } => {
                let name = match result {
                    Ok(status) => status.to_string(),
                    Err(error) => error.to_string(),
                };
                let then = match afterwards {
                    Afterwards::Again(pause) => format!("again in {pause} s"),
                    Afterwards::Done => "delivered".to_owned(),
                    Afterwards::GivenUp => "given up".to_owned(),
                };
                Row {
                    fields: vec![field("then", &then)],
                    ..row(None, "RP", "OP", name, "CIBA Core §10.2, §10.3")
                }
            }
            EventKind::Failed { failure } => {
                let outcome = match failure.kind {
                    FailureKind::Denied => "denied",
                    FailureKind::Expired => "expired",
                    FailureKind::Broken => "broken",
                };
                Row {
                    fields: vec![
                        field("outcome", outcome),
                        field("description", &failure.description),
                    ],
                    ..row(None, "OP", "OP", "no tokens".to_owned(), "CIBA Core §11")
                }
            }
            EventKind::Keys { url, outcome } => {
                let outcome = match outcome {
                    Ok(count) => format!("{count} keys"),
                    Err(why) => why.clone(),
                };
                Row {
                    fields: vec![field("url", url), field("outcome", &outcome)],
                    ..row(
                        None,
                        "OP",
                        "RP",
                        format!("GET {} (jwks_uri)", path(url)),
                        "RFC 7591 §2",
                    )
                }
            }
            EventKind::MsspAnswer {
                operation,
                result,
                outcome,
                late,
            } => mssp_answer(operation, result, *outcome, *late),
            EventKind::Notification { body, taken } => {
                let incoming = read_incoming(body);
                let mut fields = incoming.map_or_else(
                    |error| vec![field("unreadable", &error.to_string())],
                    |incoming| report_fields(&incoming.report()),
                );
                // Whoever forges one takes no step of the flow.
                let step = (!matches!(taken, Taken::Refused(_))).then_some(14);
                let taken = match taken {
                    Taken::News => "news".to_owned(),
                    Taken::Old => "old, changes nothing".to_owned(),
                    Taken::Refused(why) => format!("refused: {why}"),
                };
                fields.push(field("taken", &taken));
                Row {
                    fields,
                    octets: Some(soap_octets(body)),
                    ..row(
                        step,
                        "MSSP",
                        "OP",
                        "MSS_Notification".to_owned(),
                        "TS 102 204",
                    )
                }
            }
            EventKind::Receipt { body } => Row {
                fields: answer_fields(body),
                octets: Some(soap_octets(body)),
                ..row(
                    None,
                    "OP",
                    "MSSP",
                    "MSS_ReceiptReq".to_owned(),
                    "TS 102 204",
                )
            },
            EventKind::NotAsked { approved } => {
                let name = match approved {
                    Some(true) => "approved without asking the user",
                    Some(false) => "refused without asking the user",
                    None => "waits for a decision, the user is not asked",
                };
                Row {
                    badge: Badge::Own,
                    ..row(None, "OP", "OP", name.to_owned(), "op.authenticator")
                }
            }
            EventKind::SignatureRequest { body } => Row {
                fields: request_fields(body),
                octets: Some(soap_octets(body)),
                ..row(
                    Some(3),
                    "OP",
                    "MSSP",
                    "MSS_SignatureReq".to_owned(),
                    "TS 102 204",
                )
            },
            EventKind::StatusRequest { body } => Row {
                fields: request_fields(body),
                octets: Some(soap_octets(body)),
                ..row(None, "OP", "MSSP", "MSS_StatusReq".to_owned(), "TS 102 204")
            },
            EventKind::TokenAnswer { response, issued } => Row {
                fields: json_fields(response.body()),
                octets: Some(response_octets(response)),
                ..row(
                    issued.then_some(16),
                    "OP",
                    "RP",
                    status_line(response),
                    "CIBA Core §10.1, §11",
                )
            },
            EventKind::TokenRequest { request } => Row {
                fields: form_fields(request),
                octets: Some(request_octets(request)),
                ..row(
                    None,
                    "RP",
                    "OP",
                    format!("{} {}", request.method(), request.uri().path()),
                    "CIBA Core §10.1",
                )
            },
            EventKind::Tokens { claims, scope } => {
                let claims: Value = serde_json::from_slice(claims).unwrap_or_default();
                let mut fields = claim_fields(&claims);
                fields.push(field("scope", scope));
                let name = "id_token, access_token".to_owned();
                Row {
                    fields,
                    ..row(
                        Some(15),
                        "OP",
                        "OP",
                        name,
                        "CIBA Core §10.1.1, OIDC Core §2",
                    )
                }
            }
            EventKind::TokenService {
                request,
                response,
                clause,
            } => Row {
                fields: json_fields(response.body()),
                octets: Some(request_octets(request)),
                ..row(
                    None,
                    "RP",
                    "OP",
                    format!(
                        "{} {} {}",
                        request.method(),
                        request.uri().path(),
                        response.status()
                    ),
                    clause,
                )
            },
            EventKind::UserInfo { request, response } => Row {
                fields: json_fields(response.body()),
                octets: Some(response_octets(response)),
                ..row(
                    None,
                    "OP",
                    "RP",
                    format!(
                        "{} {} {}",
                        request.method(),
                        request.uri().path(),
                        response.status()
                    ),
                    "OIDC Core §5.3",
                )
            },
        }
    }
}

fn row(step: Option<u8>, from: &'static str, to: &'static str, name: String, clause: &str) -> Row {
    Row {
        step,
        from,
        to,
        name,
        clause: clause.to_owned(),
        badge: Badge::Standard,
        fields: Vec::new(),
        octets: None,
    }
}

fn mssp_answer(
    operation: &str,
    result: &Result<bytes::Bytes, SendError>,
    outcome: bool,
    late: bool,
) -> Row {
    let (name, mut fields, octets) = match result {
        Err(error) => (format!("{operation}: {error}"), Vec::new(), None),
        Ok(body) => {
            let name = match read_answer(body) {
                Reading::Fault(fault) => match fault.code {
                    Some(code) => format!("{operation} fault {code}"),
                    None => format!("{operation} fault"),
                },
                Reading::Report(report) => report.message,
                Reading::Unreadable(_) => format!("{operation} answer, unreadable"),
            };
            (name, answer_fields(body), Some(soap_octets(body)))
        }
    };
    if late {
        fields.push(field("taken", "old, changes nothing"));
    }
    let step = outcome.then_some(14);
    Row {
        fields,
        octets,
        ..row(step, "MSSP", "OP", name, "TS 102 204")
    }
}

fn field(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// Form parameters except the secret ones.
fn form_fields(request: &http::Request<bytes::Bytes>) -> Vec<(String, String)> {
    if !is_form(request.headers()) {
        return Vec::new();
    }
    let body = request.body();
    let secrets = mask::form(body, 0);
    let mut start = 0;
    let mut fields = Vec::new();
    for pair in body.split(|&octet| octet == b'&') {
        let end = start + pair.len();
        let secret = secrets
            .iter()
            .any(|range| range.start >= start && range.end <= end);
        if let Some(equals) = pair.iter().position(|&octet| octet == b'=')
            && !secret
            && fields.len() < 32
        {
            let text = |half: &[u8]| {
                let decoded = crate::forms::percent_decode(half).unwrap_or_else(|| half.to_owned());
                String::from_utf8_lossy(&decoded).into_owned()
            };
            fields.push((text(&pair[..equals]), text(&pair[equals + 1..])));
        }
        start = end + 1;
    }
    fields
}

/// Members of a JSON object except the tokens; of an id_token its claims.
fn json_fields(body: &[u8]) -> Vec<(String, String)> {
    let Ok(Value::Object(members)) = serde_json::from_slice(body) else {
        return Vec::new();
    };
    let mut fields = Vec::new();
    for (name, value) in members {
        match name.as_str() {
            "access_token" | "refresh_token" => {}
            "id_token" => {
                if let Some(claims) = value.as_str().and_then(jose::peek) {
                    fields.extend(claim_fields(&claims));
                }
            }
            _ => fields.push((name, plain(&value))),
        }
    }
    fields
}

fn claim_fields(claims: &Value) -> Vec<(String, String)> {
    let members = claims.as_object().into_iter().flatten();
    members
        .map(|(name, value)| (format!("id_token.{name}"), plain(value)))
        .collect()
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn answer_fields(body: &[u8]) -> Vec<(String, String)> {
    match read_answer(body) {
        Reading::Report(report) => report_fields(&report),
        Reading::Fault(fault) => vec![
            field(
                "code",
                &fault.code.map_or_else(String::new, |code| code.to_string()),
            ),
            field("reason", &fault.reason),
            field("detail", &fault.detail),
        ],
        Reading::Unreadable(why) => vec![field("unreadable", &why)],
    }
}

fn report_fields(report: &Report) -> Vec<(String, String)> {
    let status = report.status.map(|code| code.to_string());
    let signature = report.signed.then(|| "present".to_owned());
    [
        ("AP_TransID", &report.ap_trans_id),
        ("MSSP_TransID", &report.mssp_trans_id),
        ("MSISDN", &report.msisdn),
        ("Status", &status),
        ("MSS_Signature", &signature),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(field(name, value.as_deref()?)))
    .collect()
}

fn request_fields(body: &[u8]) -> Vec<(String, String)> {
    read_incoming(body)
        .map(|incoming| incoming.outline())
        .unwrap_or_default()
}

fn status_line(response: &http::Response<bytes::Bytes>) -> String {
    let error = serde_json::from_slice::<Value>(response.body()).ok();
    match error
        .as_ref()
        .and_then(|body| body.get("error"))
        .and_then(Value::as_str)
    {
        Some(error) => format!("HTTP {} {error}", response.status().as_u16()),
        None => format!("HTTP {}", response.status()),
    }
}

/// Path of an absolute URL.
fn path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("/", |slash| &rest[slash..])
}

fn soap_octets(body: &[u8]) -> Octets {
    Octets {
        bytes: body.to_vec(),
        secrets: mask::soap(body),
        kind: "soap",
    }
}

fn request_octets(request: &http::Request<bytes::Bytes>) -> Octets {
    let start = format!("{} {} HTTP/1.1", request.method(), request.uri());
    let mut octets = http_octets(&start, request.headers());
    // Credentials do not belong into the query; somebody will put them there.
    let query = request.uri().query().unwrap_or_default();
    let query_at = start.len() - " HTTP/1.1".len() - query.len();
    octets
        .secrets
        .extend(mask::form(query.as_bytes(), query_at));
    let body_at = octets.bytes.len();
    if is_form(request.headers()) {
        octets.secrets.extend(mask::form(request.body(), body_at));
    } else {
        // Credentials could stand anywhere in it.
        octets.secrets.push(body_at..body_at + request.body().len());
    }
    octets.bytes.extend_from_slice(request.body());
    octets
}

fn response_octets(response: &http::Response<bytes::Bytes>) -> Octets {
    let mut octets = http_octets(
        &format!("HTTP/1.1 {}", response.status()),
        response.headers(),
    );
    octets
        .secrets
        .extend(mask::json(response.body(), octets.bytes.len()));
    octets.bytes.extend_from_slice(response.body());
    octets
}

fn send_octets(send: &crate::step::Send) -> Octets {
    let mut headers = HeaderMap::new();
    for (name, value) in &send.headers {
        if let (Ok(name), Ok(value)) = (
            http::HeaderName::try_from(name),
            http::HeaderValue::try_from(value),
        ) {
            headers.append(name, value);
        }
    }
    let mut octets = http_octets(&format!("{} {} HTTP/1.1", send.method, send.url), &headers);
    octets
        .secrets
        .extend(mask::json(&send.body, octets.bytes.len()));
    octets.bytes.extend_from_slice(&send.body);
    octets
}

/// Start line and header, up to and including the empty line.
fn http_octets(start: &str, headers: &HeaderMap) -> Octets {
    let mut bytes = format!("{start}\r\n").into_bytes();
    let mut secrets = Vec::new();
    for (name, value) in headers {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        let from = bytes.len();
        bytes.extend_from_slice(value.as_bytes());
        if [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION].contains(name) {
            secrets.push(from..bytes.len());
        }
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    Octets {
        bytes,
        secrets,
        kind: "http",
    }
}

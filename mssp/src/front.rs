//! The HTTP side (TS 102 204 §10.4): which requests are SOAP, which want the WSDL, which are neither.

use bytes::Bytes;
use http::{
    HeaderMap, Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE},
    request::Parts,
};
use ota_wire::trace::Id;

use crate::{
    code::Code,
    dialect::Dialect,
    event::{Body, Event, EventKind},
    operation::Operation,
    party::Turn,
    peer::PeerCertificate,
    record::Transaction,
    rest,
    soap::{Call, Fault, Shape, Version},
    step::{Output, RequestId},
    wsdl,
    xml::{Element, MAX_OCTETS, is_white},
};

/// Where SOAP and the WSDL are; everything below it is the same.
const PATH: &str = "/soap";

/// A SOAP request that is being answered.
pub(crate) struct Exchange {
    pub(crate) connection: RequestId,
    /// How the request was written, and the answer has to be.
    pub(crate) shape: Shape,
    /// In whose words faults are told: the AP's, once it is known.
    dialect: Dialect,
    /// What is not as the standard has it, beside what the envelope shows.
    deviations: Vec<String>,
    request: Body,
    ap_trans_id: Option<String>,
    mssp_trans_id: Option<String>,
}

/// What a handler wants to be answered.
pub(crate) enum Handled {
    /// The connection is held; a later step answers.
    Later,
    /// An envelope. `ends` says whether it tells how a transaction ended.
    Now { body: String, ends: bool },
}

impl Handled {
    /// An envelope that ends no transaction.
    pub(crate) fn now(body: String) -> Self {
        Self::Now { body, ends: false }
    }
}

impl Exchange {
    /// Says which transaction the request is about, once that is known.
    pub(crate) fn belongs_to(&mut self, txn: &Transaction) {
        self.is_about(txn.id.clone(), txn.origin.ap_trans_id.clone());
    }

    /// The same by its MSSP_TransID and its AP_TransID.
    pub(crate) fn is_about(&mut self, mssp_trans_id: String, ap_trans_id: String) {
        self.mssp_trans_id = Some(mssp_trans_id);
        self.ap_trans_id = Some(ap_trans_id);
    }

    fn requested(&self) -> EventKind {
        EventKind::Requested {
            body: self.request.clone(),
            deviations: self.deviations.clone(),
        }
    }

    fn ids(&self) -> (Id, Option<Id>) {
        let ap = self.ap_trans_id.as_deref().map(Id::ap_trans_id);
        match (&self.mssp_trans_id, ap) {
            (Some(id), ap) => (Id::mssp_trans_id(id), ap),
            (None, Some(ap)) => (ap, None),
            (None, None) => (Id::new("mssp-http", self.connection.0), None),
        }
    }
}

/// What a request gets whose body is larger than [`crate::xml::MAX_OCTETS`], from whoever reads it off the network and
/// does not want to hold it. `head` tells in which form.
pub fn too_large(head: &Parts) -> Response<Bytes> {
    let version = version_of(head);
    let detail = format!("the message is larger than {MAX_OCTETS} octets");
    let fault = Fault::new(Code::WRONG_PARAM, detail).to_xml(&version.into(), Dialect::default());
    envelope(StatusCode::INTERNAL_SERVER_ERROR, version, fault.into())
}

/// What the head of a request says of the form of its body. SOAP 1.2 also comes as `text/xml`, but SOAPAction is of 1.1 alone;
/// clients of 1.2 that send it all the same have 1.2's media type.
fn version_of(head: &Parts) -> Version {
    if below(head.uri.path(), rest::PATH) {
        return Version::Json;
    }
    let media_type = head
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    if media_type.trim().eq_ignore_ascii_case("text/xml") && head.headers.contains_key("soapaction")
    {
        Version::V1_1
    } else {
        Version::V1_2
    }
}

/// Is this path the base, or one below it?
fn below(path: &str, base: &str) -> bool {
    path.strip_prefix(base)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Turn<'_> {
    pub(crate) fn http(&mut self, connection: RequestId, request: &Request<Bytes>) {
        let path = request.uri().path();
        let json = below(path, rest::PATH);
        // Every deployment has URLs of its own, so SOAP is taken wherever it comes.
        if *request.method() != Method::POST && !json && !below(path, PATH) {
            let text = format!(
                "Nothing is at {path}. POST SOAP to {PATH} or any other path, JSON to {}; the WSDL is at {PATH}?wsdl.\n",
                rest::PATH
            );
            return self.reply(connection, plain(StatusCode::NOT_FOUND, text));
        }
        match *request.method() {
            Method::POST => {
                let version = if json { Version::Json } else { Version::V1_2 };
                self.post(connection, request, version);
            }
            _ if json => self.reply(connection, not_allowed()),
            Method::GET | Method::HEAD => {
                let response = wsdl::serve(request, self.config).unwrap_or_else(not_allowed);
                self.reply(connection, response);
            }
            _ => self.reply(connection, not_allowed()),
        }
    }

    fn post(&mut self, connection: RequestId, request: &Request<Bytes>, version: Version) {
        let mut exchange = Exchange {
            connection,
            shape: version.into(),
            dialect: self.config.dialect,
            deviations: Vec::new(),
            request: Body(request.body().clone()),
            ap_trans_id: None,
            mssp_trans_id: None,
        };
        if let Err(fault) = check_media_type(request.headers(), version, &mut exchange.deviations) {
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return self.refuse(&exchange, status, &fault);
        }
        let parsed = match version {
            Version::Json => rest::parse(request.body()),
            Version::V1_1 | Version::V1_2 => Call::parse(request.body()),
        };
        let call = match parsed {
            Ok(call) => call,
            Err(refusal) => {
                exchange.shape = *refusal.shape;
                return self.refuse(&exchange, StatusCode::INTERNAL_SERVER_ERROR, &refusal.fault);
            }
        };
        exchange.shape = call.shape.clone();
        exchange.ap_trans_id = ap_trans_id(&call.part);
        exchange.dialect = self.dialect_of_ap(ap_id(&call.part));
        // The request comes first in the trace; which transaction it belongs to is known after.
        let first = self.step.events.len();
        let peer = request.extensions().get::<PeerCertificate>();
        let handled = self.call(&mut exchange, &call, peer);
        let (own, parent) = exchange.ids();
        let requested = exchange.requested();
        self.step.events.insert(
            first,
            Event {
                own: own.clone(),
                parent: parent.clone(),
                kind: requested,
            },
        );
        match handled {
            Ok(Handled::Later) => {}
            Ok(Handled::Now { body, ends }) => {
                let body = Bytes::from(body);
                let answered = EventKind::Answered {
                    body: Body(body.clone()),
                    ends,
                };
                self.event(own, parent, answered);
                self.reply(
                    connection,
                    envelope(StatusCode::OK, exchange.shape.version, body),
                );
            }
            Err(fault) => {
                // A fault about a transaction that exists tells how it ended.
                let ends = exchange.mssp_trans_id.is_some();
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                self.fault(&exchange, status, &fault, (own, parent, ends));
            }
        }
    }

    fn call(
        &mut self,
        exchange: &mut Exchange,
        call: &Call,
        peer: Option<&PeerCertificate>,
    ) -> Result<Handled, Fault> {
        let (name, message) = (&call.operation, &call.part);
        let operation = Operation::named(name).ok_or_else(|| not_offered(name))?;
        if message.local != operation.request() {
            return Err(Fault::new(
                Code::WRONG_PARAM,
                format!(
                    "{operation} holds {}, expected {}",
                    message.local,
                    operation.request()
                ),
            ));
        }
        let caller = self.admit(operation, call, peer, &mut exchange.deviations)?;
        match operation {
            Operation::Signature => self.signature(exchange, caller, message),
            Operation::StatusQuery => self.status_query(exchange, caller, message),
            Operation::Receipt => self.receipt(exchange, caller, message),
            Operation::Registration => self.registration(exchange, caller, message),
            Operation::ProfileQuery => self.profile_query(exchange, caller, message),
            Operation::Handshake => self.handshake(exchange, caller, message),
        }
    }

    /// The dialect that an AP is spoken to in; the MSSP's own, if it is not known.
    pub(crate) fn dialect_of_ap(&self, ap_id: Option<&str>) -> Dialect {
        ap_id
            .and_then(|id| self.config.aps.iter().find(|ap| ap.id == id))
            .and_then(|ap| ap.dialect)
            .unwrap_or(self.config.dialect)
    }

    /// A request that was not even a call.
    fn refuse(&mut self, exchange: &Exchange, status: StatusCode, fault: &Fault) {
        let (own, parent) = exchange.ids();
        self.event(own.clone(), parent.clone(), exchange.requested());
        self.fault(exchange, status, fault, (own, parent, false));
    }

    fn fault(
        &mut self,
        exchange: &Exchange,
        status: StatusCode,
        fault: &Fault,
        (own, parent, ends): (Id, Option<Id>, bool),
    ) {
        let version = exchange.shape.version;
        let body = Bytes::from(fault.to_xml(&exchange.shape, exchange.dialect));
        let answered = EventKind::Answered {
            body: Body(body.clone()),
            ends,
        };
        self.event(own, parent, answered);
        self.reply(exchange.connection, envelope(status, version, body));
    }

    pub(crate) fn reply(&mut self, to: RequestId, response: Response<Bytes>) {
        self.output(Output::Reply { to, response });
    }
}

/// An HTTP response with an envelope in it.
pub(crate) fn envelope(status: StatusCode, version: Version, body: Bytes) -> Response<Bytes> {
    response(status, version.content_type(), body)
}

pub(crate) fn response(
    status: StatusCode,
    content_type: &'static str,
    body: Bytes,
) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response
}

fn plain(status: StatusCode, text: String) -> Response<Bytes> {
    response(status, "text/plain; charset=utf-8", text.into())
}

fn not_allowed() -> Response<Bytes> {
    let text = format!(
        "Messages are POSTed here. GET {PATH}?wsdl has the WSDL, {PATH}?xsd=1 and {PATH}?xsd=2 its schemas.\n"
    );
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, text);
    response
        .headers_mut()
        .insert(ALLOW, http::HeaderValue::from_static("POST, GET, HEAD"));
    response
}

/// Wrong media types and compressed bodies are refused; what deployed clients write by mistake is not: no
/// Content-Type at all, `text/xml` around SOAP 1.2, `Content-Encoding: UTF-8`.
fn check_media_type(
    headers: &HeaderMap,
    version: Version,
    deviations: &mut Vec<String>,
) -> Result<(), Fault> {
    let fault = |detail: String| Fault::new(Code::WRONG_PARAM, detail);
    let text = |name| {
        headers
            .get(name)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase())
    };
    if let Some(encoding) = text(CONTENT_ENCODING) {
        let real = ["gzip", "x-gzip", "deflate", "compress", "br", "zstd"];
        if encoding.split(',').any(|one| real.contains(&one.trim())) {
            return Err(fault(format!(
                "Content-Encoding {encoding} is not read, expected none"
            )));
        }
        if encoding.trim() != "identity" {
            deviations.push(format!("Content-Encoding {encoding} is no encoding"));
        }
    }
    let Some(content_type) = text(CONTENT_TYPE) else {
        deviations.push("there is no Content-Type".to_owned());
        return Ok(());
    };
    let mut parts = content_type.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    let (read, expected): (&[_], _) = match version {
        Version::Json => (&["application/json"], "application/json"),
        Version::V1_1 | Version::V1_2 => (
            &["application/soap+xml", "text/xml", "application/xml"],
            "application/soap+xml",
        ),
    };
    if !read.contains(&media_type) {
        return Err(fault(format!(
            "Content-Type {media_type} is not read, expected {expected}"
        )));
    }
    let charset = parts.find_map(|parameter| parameter.strip_prefix("charset="));
    match charset.map(|charset| charset.trim_matches('"')) {
        None | Some("utf-8" | "utf8" | "us-ascii") => Ok(()),
        Some(other) => Err(fault(format!(
            "charset {other} is not read, expected utf-8"
        ))),
    }
}

/// AP_TransID of a message that may be wrong elsewhere, so that its refusal joins the right trace.
fn ap_trans_id(message: &Element) -> Option<String> {
    ap_info(message, "AP_TransID").map(str::to_owned)
}

fn ap_id<'a>(message: &'a Element<'a>) -> Option<&'a str> {
    ap_info(message, "AP_ID")
}

fn ap_info<'a>(message: &'a Element<'a>, attribute: &str) -> Option<&'a str> {
    let ap_info = message.elements().find(|e| e.local == "AP_Info")?;
    let value = ap_info.attribute(None, attribute)?.trim_matches(is_white);
    (!value.is_empty()).then_some(value)
}

fn not_offered(operation: &str) -> Fault {
    let known: Vec<_> = Operation::ALL.iter().map(|one| one.name()).collect();
    Fault::new(
        Code::WRONG_PARAM,
        format!(
            "{operation} is not an operation that an MSSP serves; those are {}",
            known.join(", ")
        ),
    )
}

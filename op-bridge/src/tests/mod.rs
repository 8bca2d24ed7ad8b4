//! The rules of CIBA and of the MSSP's side, one test each, played as function calls.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use crate::testing::{Store, TestRng, TestSigner, at};
use crate::{
    Client, Config, DeliveryMode, Event, Input, Msisdn, Op, Output, RequestId, Secret, Send,
    SendError, Step, Subscriber,
};

mod authorize;
mod bound;
mod client_auth;
mod delivery;
mod endpoints;
mod hints;
mod key_sets;
mod long_poll;
mod mssp;
mod mutated;
mod notification;
mod refresh;
mod registration;
mod requests;
mod subjects;
mod token;
mod token_services;

pub(crate) const ISSUER: &str = "http://127.0.0.1:8260";
/// A user the OP knows.
pub(crate) const ALICE: &str = "+447700900001";
/// A number it does not know.
pub(crate) const NOBODY: &str = "+447700900999";
pub(crate) const CIBA: &str = "urn:openid:params:grant-type:ciba";
pub(crate) const NOTIFICATION_TOKEN: &str = "8d67dc78-7faa-4d41-aabd-67707b374255";

/// An OP with its records, its clock and everything it has sent.
pub(crate) struct World {
    pub(crate) op: Op,
    pub(crate) store: Store,
    pub(crate) rng: TestRng,
    /// Seconds since the tests' epoch.
    pub(crate) now: i64,
    pub(crate) sent: Vec<Send>,
    pub(crate) events: Vec<Event>,
    pub(crate) signer: Arc<TestSigner>,
    /// What waits for something to be fetched: connection, URL and request.
    pub(crate) fetches: Vec<(RequestId, String, Arc<http::Request<Bytes>>)>,
    /// Connections that were closed by their clients.
    pub(crate) left: Vec<RequestId>,
    next_id: u64,
}

pub(crate) fn client(id: &str, mode: DeliveryMode) -> Client {
    Client {
        name: "Example Bank".to_owned(),
        notification_endpoint: (mode != DeliveryMode::Poll)
            .then(|| "http://127.0.0.1:9000/cb".to_owned()),
        ..Client::new(id, format!("{id}-secret"), mode)
    }
}

fn config_of(signer: Arc<TestSigner>) -> Config {
    let url = "http://127.0.0.1:8204/soap";
    let keys = Arc::new(crate::KeySet::of(signer));
    Config::new(ISSUER, url, Arc::new(keys), Secret::new("TEST ONLY"))
}

/// A configuration without clients and users.
pub(crate) fn bare_config() -> Config {
    config_of(Arc::new(TestSigner::new()))
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let signer = Arc::new(TestSigner::new());
        let mut config = config_of(signer.clone());
        config.clients = vec![
            client("poll", DeliveryMode::Poll),
            client("poll2", DeliveryMode::Poll),
            client("ping", DeliveryMode::Ping),
            client("push", DeliveryMode::Push),
        ];
        config.subscribers = Arc::new(|msisdn: &Msisdn| {
            (msisdn.digits() != &NOBODY[1..]).then(|| Subscriber {
                name: Some("Alice Example".to_owned()),
                given_name: Some("Alice".to_owned()),
                family_name: Some("Example".to_owned()),
                phone_number_verified: true,
            })
        });
        config.text_policy = Arc::new(|text| match text.chars().count() {
            0..=119 => Ok(()),
            got => Err(format!("has {got} characters, at most 119 fit")),
        });
        change(&mut config);
        Self {
            op: Op::new(config).unwrap(),
            store: Store::default(),
            rng: TestRng(0),
            now: 0,
            sent: Vec::new(),
            events: Vec::new(),
            signer,
            fetches: Vec::new(),
            left: Vec::new(),
            next_id: 1,
        }
    }

    /// One step over the current records, committed.
    pub(crate) fn step(&mut self, input: Input) -> Vec<Output> {
        let reader = self.store.reader();
        let mut step = self.op.step(&reader, input, at(self.now), &mut self.rng);
        let read = reader.into_read();
        assert!(self.store.commit(&mut step, &read));
        self.release(step)
    }

    pub(crate) fn release(&mut self, step: Step) -> Vec<Output> {
        for event in &step.events {
            let _ = event.row();
        }
        self.events.extend(step.events);
        let mut released = Vec::new();
        for output in step.outputs {
            match &output {
                Output::Send(send) => self.sent.push(send.clone()),
                Output::IfOpen { to, key } if !self.left.contains(to) => {
                    let (id, key) = (*to, key.clone());
                    released.extend(self.step(Input::Open { id, key }));
                }
                Output::Fetch { to, url, request } => {
                    let request = request.clone();
                    self.fetches.push((*to, url.clone(), request));
                }
                Output::IfOpen { .. } | Output::Reply { .. } => {}
            }
            released.push(output);
        }
        released
    }

    pub(crate) fn http_input(&mut self, request: http::Request<Bytes>) -> Input {
        self.next_id += 1;
        Input::Http {
            id: RequestId(self.next_id),
            request: request.into(),
        }
    }

    /// Sends a request and expects the answer in the same step.
    pub(crate) fn http(&mut self, request: http::Request<Bytes>) -> http::Response<Bytes> {
        let input = self.http_input(request);
        let outputs = self.step(input);
        reply(outputs).expect("a reply")
    }

    pub(crate) fn post(
        &mut self,
        path: &str,
        client: &str,
        form: &[(&str, &str)],
    ) -> http::Response<Bytes> {
        self.http(form_request(path, client, form))
    }

    /// A token request; status and body.
    pub(crate) fn poll(&mut self, client: &str, auth_req_id: &str) -> (u16, Value) {
        answer(&self.post(
            "/token",
            client,
            &[("grant_type", CIBA), ("auth_req_id", auth_req_id)],
        ))
    }

    /// The `error` of a token request.
    pub(crate) fn poll_error(&mut self, client: &str, auth_req_id: &str) -> String {
        let (status, body) = self.poll(client, auth_req_id);
        assert_eq!(status, 400, "{body}");
        body["error"].as_str().unwrap().to_owned()
    }

    /// A good authentication request with these parameters changed or added.
    pub(crate) fn authorize(
        &mut self,
        client: &str,
        change: &[(&str, &str)],
    ) -> http::Response<Bytes> {
        self.http(authorize_request(client, change))
    }

    /// A good authentication request; its auth_req_id.
    pub(crate) fn start(&mut self, client: &str) -> String {
        self.start_with(client, &[])
    }

    pub(crate) fn start_with(&mut self, client: &str, change: &[(&str, &str)]) -> String {
        let (status, body) = answer(&self.authorize(client, change));
        assert_eq!(status, 200, "{body}");
        body["auth_req_id"].as_str().unwrap().to_owned()
    }

    /// The tokens of one authentication from beginning to end.
    pub(crate) fn tokens(&mut self, client: &str, change: &[(&str, &str)]) -> Value {
        let id = self.start_with(client, change);
        let signature = self.last();
        self.approve(&signature);
        let (status, tokens) = self.poll(client, &id);
        assert_eq!(status, 200, "{tokens}");
        tokens
    }

    /// `GET /userinfo` with this token.
    pub(crate) fn userinfo(&mut self, token: &str) -> http::Response<Bytes> {
        let request =
            http::Request::get("/userinfo").header("authorization", format!("Bearer {token}"));
        self.http(request.body(Bytes::new()).unwrap())
    }

    /// The last message sent.
    pub(crate) fn last(&self) -> Send {
        self.sent.last().expect("a message").clone()
    }

    pub(crate) fn answer(&mut self, send: &Send, status: u16, body: &str) -> Vec<Output> {
        let response = http::Response::builder()
            .status(status)
            .body(Bytes::from(body.to_owned()))
            .unwrap();
        self.step(Input::Answer {
            id: send.id.clone(),
            result: Ok(response),
        })
    }

    pub(crate) fn fail(&mut self, send: &Send, error: SendError) -> Vec<Output> {
        self.step(Input::Answer {
            id: send.id.clone(),
            result: Err(error),
        })
    }

    /// The MSSP answers `send` with this status.
    pub(crate) fn mssp(&mut self, send: &Send, status: u32) -> Vec<Output> {
        let body = mssp_answer(&text(send), status, ALICE);
        self.answer(send, 200, &body)
    }

    pub(crate) fn mssp_fault(&mut self, send: &Send, code: u32) -> Vec<Output> {
        self.answer(send, 500, &fault(code))
    }

    /// The MSSP notifies this status at the AP_URL of the signature request `send`.
    pub(crate) fn notify(&mut self, send: &Send, status: u32) -> http::Response<Bytes> {
        let body = notification(&text(send), status, ALICE);
        let url = attribute(&text(send), "AP_URL");
        self.http(soap_request(url.strip_prefix(ISSUER).unwrap(), &body))
    }

    /// Acknowledgement, notification and confirmation of an approval.
    pub(crate) fn approve(&mut self, signature: &Send) {
        self.mssp(signature, 100);
        self.notify(signature, 502);
        let query = self.last();
        assert!(query.id.starts_with("status/"));
        self.mssp(&query, 502);
    }

    /// Moves time on, timer by timer.
    pub(crate) fn advance(&mut self, seconds: i64) {
        let end = self.now + seconds;
        while let Some((key, due)) = self
            .store
            .timers
            .iter()
            .min_by_key(|(_, due)| **due)
            .map(|(k, d)| (k.clone(), *d))
            && due <= at(end)
        {
            self.store.timers.remove(&key);
            self.now = self.now.max(due.duration_since(at(0)).as_secs());
            self.step(Input::Timer { key });
        }
        self.now = end;
    }
}

/// The only reply among the outputs.
pub(crate) fn reply(outputs: Vec<Output>) -> Option<http::Response<Bytes>> {
    let mut replies = outputs.into_iter().filter_map(|output| match output {
        Output::Reply { response, .. } => Some(response),
        Output::Fetch { .. } | Output::IfOpen { .. } | Output::Send(_) => None,
    });
    let first = replies.next();
    assert!(replies.next().is_none(), "more than one reply");
    first
}

pub(crate) fn answer(response: &http::Response<Bytes>) -> (u16, Value) {
    (
        response.status().as_u16(),
        serde_json::from_slice(response.body()).unwrap(),
    )
}

pub(crate) fn basic(client: &str, secret: &str) -> String {
    use base64::Engine;
    let pair = format!("{client}:{secret}");
    format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(pair)
    )
}

pub(crate) fn encode(form: &[(&str, &str)]) -> String {
    let percent = |text: &str| {
        text.bytes()
            .map(|b| format!("%{b:02X}"))
            .collect::<String>()
    };
    let pairs: Vec<String> = form
        .iter()
        .map(|(k, v)| format!("{k}={}", percent(v)))
        .collect();
    pairs.join("&")
}

pub(crate) fn form_request(
    path: &str,
    client: &str,
    form: &[(&str, &str)],
) -> http::Request<Bytes> {
    http::Request::post(path)
        .header("authorization", basic(client, &format!("{client}-secret")))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from(encode(form)))
        .unwrap()
}

/// A good authentication request; an empty value removes the parameter.
pub(crate) fn authorize_request(client: &str, change: &[(&str, &str)]) -> http::Request<Bytes> {
    let mut form = vec![
        ("scope", "openid"),
        ("acr_values", "mod-mf"),
        ("login_hint", ALICE),
    ];
    if client != "poll" && client != "poll2" {
        form.push(("client_notification_token", NOTIFICATION_TOKEN));
    }
    for (name, value) in change {
        form.retain(|(other, _)| other != name);
        form.push((name, value));
    }
    form.retain(|(_, value)| !value.is_empty());
    form_request("/bc-authorize", client, &form)
}

pub(crate) fn soap_request(path: &str, body: &str) -> http::Request<Bytes> {
    http::Request::post(path)
        .header("content-type", "application/soap+xml; charset=utf-8")
        .body(Bytes::from(body.to_owned()))
        .unwrap()
}

pub(crate) fn text(send: &Send) -> String {
    String::from_utf8(send.body.clone()).unwrap()
}

/// The value of an attribute of a message of ours, found as text.
pub(crate) fn attribute(body: &str, name: &str) -> String {
    let start = body.find(&format!(" {name}=\"")).expect(name) + name.len() + 3;
    let length = body[start..].find('"').unwrap();
    body[start..start + length].to_owned()
}

/// The MSSP's id for a transaction of ours.
fn mssp_trans_id(ap_trans_id: &str) -> String {
    format!("M{}", &ap_trans_id[1..9])
}

fn mss_message(name: &str, ap_trans_id: &str, status: u32, msisdn: &str) -> String {
    format!(
        "<mss:{name} MajorVersion=\"1\" MinorVersion=\"1\" MSSP_TransID=\"{}\"><mss:AP_Info \
         AP_ID=\"http://midsim.test/ap\" AP_TransID=\"{ap_trans_id}\" AP_PWD=\"midsim-ap\" \
         Instant=\"2026-11-22T10:00:00Z\"/><mss:MSSP_Info Instant=\"2026-11-22T10:00:01.000Z\">\
         <mss:MSSP_ID><mss:URI>http://midsim.test/mssp</mss:URI></mss:MSSP_ID></mss:MSSP_Info>\
         <mss:MobileUser><mss:MSISDN>{msisdn}</mss:MSISDN></mss:MobileUser><mss:Status>\
         <mss:StatusCode Value=\"{status}\"/></mss:Status></mss:{name}>",
        mssp_trans_id(ap_trans_id)
    )
}

pub(crate) fn envelope(body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><env:Envelope \
         xmlns:env=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:mss=\"http://uri.etsi.org/TS102204/v1.1.2#\"><env:Body>{body}</env:Body></env:Envelope>"
    )
}

/// The answer to a signature or status request.
pub(crate) fn mssp_answer(request: &str, status: u32, msisdn: &str) -> String {
    let ap_trans_id = attribute(request, "AP_TransID");
    let (operation, message) = if request.contains("MSS_SignatureReq") {
        ("MSS_SignatureResponse", "MSS_SignatureResp")
    } else {
        ("MSS_StatusQueryResponse", "MSS_StatusResp")
    };
    let part = mss_message(message, &ap_trans_id, status, msisdn);
    envelope(&format!("<{operation}>{part}</{operation}>"))
}

pub(crate) fn notification(request: &str, status: u32, msisdn: &str) -> String {
    let part = mss_message(
        "MSS_StatusResp",
        &attribute(request, "AP_TransID"),
        status,
        msisdn,
    );
    envelope(&format!("<MSS_Notification>{part}</MSS_Notification>"))
}

pub(crate) fn fault(code: u32) -> String {
    envelope(&format!(
        "<env:Fault><env:Code><env:Value>env:Receiver</env:Value><env:Subcode><env:Value>mss:_{code}\
         </env:Value></env:Subcode></env:Code><env:Reason><env:Text xml:lang=\"en\">X</env:Text>\
         </env:Reason><env:Detail><mss:detail>x</mss:detail></env:Detail></env:Fault>"
    ))
}

//! Whole transactions as function calls: a [`World`] is the runtime, the network and the applet.

mod answers;
mod data;
mod dialects;
mod documentation;
mod faults;
mod http;
mod modes;
mod notifications;
mod operations;
mod queue;
mod receipts;
mod rest;
mod roaming;
mod services;
mod signatures;

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, LazyLock},
};

use ::http::{Request, Response, StatusCode};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use ota_wire::{
    applet::{AppletResponse, Challenge, ChallengeView, MacAlgorithm, ResultCode},
    ids::{Iccid, Msisdn},
    keys::{MasterKey, applet_mac_key},
    secret::Secret,
};
use rand_core::TryRng;

use crate::{
    Ap, Config, Dialect, Directory, Input, Mssp, Operation, OtaOutcome, Output, RequestId, Send,
    SendError, Step, Submit, Subscriber, UserState, View, Write,
    event::{EventKind, Verdict, Why},
    pki::credential::CertificateState,
    samples::{Request as Call, SignatureRequest, USER, fault_of, find},
    xml::{Element, parse},
};

static MASTER: LazyLock<MasterKey> = LazyLock::new(|| MasterKey::new([7; 32]));

/// Everybody from +447700900001 to +447700900010 has a SIM; the eighth is suspended, the applet of
/// the ninth has no PIN, the tenth is not registered.
struct Fiction;

impl Directory for Fiction {
    fn subscriber(&self, msisdn: &Msisdn) -> Option<Subscriber> {
        let number = msisdn.digits().strip_prefix("4477009000")?;
        let n: u32 = number.parse().ok()?;
        (1..=10).contains(&n).then(|| Subscriber {
            msisdn: msisdn.clone(),
            iccid: Iccid::with_check_digit(&format!("898844{n:012}")).unwrap(),
            state: match n {
                8 => UserState::Suspended,
                10 => UserState::NotRegistered,
                _ => UserState::Active,
            },
            pin: n != 9,
            certificate: CertificateState::Valid,
            no_spam_code: (n == 3).then(|| "Secret1".to_owned()),
        })
    }

    fn identified(&self, user_identifier: &str) -> Option<Msisdn> {
        (user_identifier == "ben@midsim").then(|| "+447700900002".parse().unwrap())
    }

    fn mac_key(&self, iccid: &Iccid, algorithm: MacAlgorithm) -> Secret {
        applet_mac_key(&MASTER, iccid, algorithm)
    }
}

/// Not random, but never the same twice.
struct Sequence(u64);

impl TryRng for Sequence {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.try_next_u64()? as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 += 1;
        Ok(self.0)
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        for chunk in dst.chunks_mut(8) {
            let next = self.try_next_u64()?.to_be_bytes();
            chunk.copy_from_slice(&next[8 - chunk.len()..]);
        }
        Ok(())
    }
}

struct World {
    mssp: Mssp,
    records: Records,
    timers: BTreeMap<String, Timestamp>,
    now: Timestamp,
    rng: Sequence,
    connections: u64,
}

#[derive(Default)]
struct Records(BTreeMap<String, Vec<u8>>);

impl View for Records {
    fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.0.get(key).cloned()
    }

    fn scan(&self, _: &str) -> Vec<(String, Vec<u8>)> {
        panic!("no step scans")
    }
}

impl World {
    fn new() -> Self {
        let mut config = Config::new("http://mssp.midsim.test/", Arc::new(Fiction));
        config.aps = [
            ("http://midsim.test/ap", "midsim-ap"),
            ("http://midsim.test/other", "other"),
        ]
        .map(|(id, password)| Ap::new(id, Secret::new(password.into())))
        .into();
        Self {
            mssp: Mssp::new(config),
            records: Records::default(),
            timers: BTreeMap::new(),
            now: "2026-11-22T10:30:01Z".parse().unwrap(),
            rng: Sequence(0),
            connections: 0,
        }
    }

    /// Changes the configuration; the records stay.
    fn configure(&mut self, change: impl FnOnce(&mut Config)) {
        let mut config = self.mssp.config().clone();
        change(&mut config);
        self.mssp = Mssp::new(config);
    }

    /// As [`World::ask`], over a connection whose client has shown this certificate.
    fn ask_with(&mut self, body: &str, certificate: &'static [u8]) -> Answer {
        let id = RequestId(0);
        let mut request = Request::post("/soap").body(body.to_owned().into()).unwrap();
        request.extensions_mut().insert(crate::PeerCertificate {
            der: Bytes::from_static(certificate),
            trusted: false,
        });
        let step = self.feed(Input::Http { id, request });
        answer(&step, id).expect("an answer")
    }

    fn feed(&mut self, input: Input) -> Step {
        let mut step = self
            .mssp
            .step(&self.records, input, self.now, &mut self.rng);
        for change in std::mem::take(&mut step.changes) {
            match change.into_write() {
                Write::Put { key, value } => {
                    self.records.0.insert(key, value);
                }
                Write::Delete { key } => {
                    self.records.0.remove(&key);
                }
                Write::Timer {
                    key,
                    due: Some(due),
                } => {
                    self.timers.insert(key, due);
                }
                Write::Timer { key, due: None } => {
                    self.timers.remove(&key);
                }
            }
        }
        step
    }

    /// POSTs an envelope; the step may hold the connection.
    fn post(&mut self, body: &str) -> (RequestId, Step) {
        self.connections += 1;
        let id = RequestId(self.connections);
        let request = Request::post("/soap/MSS_SignaturePort")
            .header("content-type", "application/soap+xml; charset=utf-8")
            .body(Bytes::copy_from_slice(body.as_bytes()))
            .unwrap();
        let step = self.feed(Input::Http { id, request });
        (id, step)
    }

    /// POSTs an envelope that is answered at once.
    fn ask(&mut self, body: &str) -> Answer {
        let (id, step) = self.post(body);
        answer(&step, id).expect("an answer")
    }

    /// Begins a transaction and has it signed.
    fn signed(&mut self, request: &SignatureRequest) -> String {
        let (id, submit) = self.begin(request);
        self.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
        id
    }

    /// Begins a transaction in an asynchronous mode.
    fn begin(&mut self, request: &SignatureRequest) -> (String, Submit) {
        let (id, step) = self.post(&request.to_xml());
        let answer = answer(&step, id).unwrap();
        assert_eq!(answer.status(), "100", "{answer:?}");
        (answer.mssp_trans_id(), submitted(&step))
    }

    fn mo(&mut self, from: &Msisdn, payload: Vec<u8>) -> Step {
        let from = from.clone();
        self.feed(Input::Mo { from, payload })
    }

    /// Lets time pass up to the next timer, and delivers it.
    fn next_timer(&mut self) -> Step {
        let (key, due) = self
            .timers
            .iter()
            .min_by_key(|(_, due)| **due)
            .map(|(key, due)| (key.clone(), *due))
            .expect("a timer");
        self.timers.remove(&key);
        self.now = self.now.max(due);
        self.feed(Input::Timer { key })
    }

    fn pass(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }
}

/// A response with an envelope.
#[derive(Debug)]
struct Answer(Response<Bytes>);

impl Answer {
    fn root(&self) -> Element<'_> {
        parse(self.0.body()).unwrap()
    }

    /// StatusCode/@Value.
    fn status(&self) -> String {
        assert_eq!(self.0.status(), StatusCode::OK, "{:?}", self.0.body());
        let root = self.root();
        let code = find(&root, "StatusCode").unwrap();
        code.attribute(None, "Value").unwrap().to_owned()
    }

    fn mssp_trans_id(&self) -> String {
        let root = self.root();
        let part = find(&root, "MSS_SignatureResp").unwrap();
        part.attribute(None, "MSSP_TransID").unwrap().to_owned()
    }

    fn text(&self, local: &str) -> Option<String> {
        find(&self.root(), local).map(|e| e.text().into_owned())
    }

    /// The number of a fault, which must be complete and come with HTTP status 500.
    fn fault(&self) -> u16 {
        assert_eq!(self.0.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let (_, subcode, reason, detail) = fault_of(self.0.body());
        assert!(!reason.is_empty() && !detail.is_empty());
        subcode.split_once(":_").unwrap().1.parse().unwrap()
    }

    /// The second number of a fault in FiCom's dialect.
    fn second(&self) -> Option<String> {
        let root = self.root();
        let subcode = find(&root, "Subcode").unwrap();
        let below = subcode.elements().find(|e| e.local == "Subcode")?;
        Some(find(below, "Value").unwrap().text().into_owned())
    }

    fn detail(&self) -> String {
        fault_of(self.0.body()).3
    }
}

fn answer(step: &Step, id: RequestId) -> Option<Answer> {
    step.outputs.iter().find_map(|output| match output {
        Output::Reply { to, response } if *to == id => Some(Answer(response.clone())),
        _ => None,
    })
}

fn submitted(step: &Step) -> Submit {
    let submit = step.outputs.iter().find_map(|output| match output {
        Output::Submit(submit) => Some(submit.clone()),
        _ => None,
    });
    submit.expect("a challenge")
}

fn sent(step: &Step) -> Option<Send> {
    step.outputs.iter().find_map(|output| match output {
        Output::Send(send) => Some(send.clone()),
        _ => None,
    })
}

/// The judgement on an applet's message.
fn verdict(step: &Step) -> Verdict {
    let verdict = step.events.iter().find_map(|event| match &event.kind {
        EventKind::Responded { verdict, .. } => Some(verdict.clone()),
        _ => None,
    });
    verdict.expect("a verdict")
}

fn mac_key(submit: &Submit) -> Secret {
    let iccid = Fiction.subscriber(&submit.msisdn).unwrap().iccid;
    let view = ChallengeView::new_checked(&submit.payload).unwrap();
    Fiction.mac_key(&iccid, view.mac_algorithm().unwrap())
}

/// What the applet of the right SIM answers to a challenge, which it verifies first.
fn applet(submit: &Submit, result: ResultCode) -> Vec<u8> {
    let key = mac_key(submit);
    let view = ChallengeView::new_checked(&submit.payload).unwrap();
    assert!(view.verify(&key), "the challenge is not authentic");
    let challenge = Challenge::parse(&submit.payload).unwrap();
    AppletResponse {
        tid: challenge.tid,
        ctr: challenge.ctr,
        result,
        tries_left: 3,
        mac_algorithm: challenge.mac_algorithm,
        signature: Vec::new(),
    }
    .seal(&key, &view.mac())
}

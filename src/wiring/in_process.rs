//! Every party on one thread, over a virtual network and a virtual clock: for one seed, every run is the same to the octet.
//!
//! HTTP requests are handed over as values, the two ends of the SMPP session exchange their octets through buffers, and
//! time passes only when nothing else is left to do.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use jiff::Timestamp;
use ota::smpp::Session;

use super::parties::{Effect, Emission, Message, Parties, Receipt};
use super::smpp::{Arrived, EsmeEnd, SmppEnd as _, SmscEnd};
use crate::faults::LinkName;
use crate::rp::{Notification, Port, Wait};
use crate::runtime::lock;
use crate::runtime::party::HandleError;

/// The network and the parties on it.
pub struct InProcess {
    parties: Arc<Parties>,
    /// Messages on their way, with the receipt of the emission that each carries out.
    queue: VecDeque<(Arrived, Receipt)>,
    /// Who waits for the answer to which request.
    asked: HashMap<u64, Asker>,
    next_request: u64,
    esme: EsmeEnd,
    smsc: SmscEnd,
    desk: Arc<Desk>,
    runtime: tokio::runtime::Runtime,
}

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Stuck {
    /// A store failed, or a step never got its commit.
    #[error(transparent)]
    Driver(#[from] HandleError),
    /// The RP waits, but nothing will ever happen.
    #[error("nothing is left to do, but the RP still waits")]
    Deadlock,
}

enum Asker {
    Mssp(String, Receipt),
    Op(String, Receipt),
    Rp(Arc<Slot>),
}

type Slot = Mutex<Option<Response<Bytes>>>;

/// Where the RP leaves its requests and finds its notifications.
struct Desk {
    parties: Arc<Parties>,
    requests: Mutex<Vec<(Request<Bytes>, Arc<Slot>)>>,
    notifications: Mutex<VecDeque<Notification>>,
}

impl InProcess {
    /// Joins the parties. `runtime` only carries store commits; nothing is spawned on it.
    pub fn new(parties: Arc<Parties>, esme: Session, smsc: Session) -> std::io::Result<Self> {
        let desk = Arc::new(Desk {
            parties: parties.clone(),
            requests: Mutex::default(),
            notifications: Mutex::default(),
        });
        Ok(Self {
            parties,
            // The first input after each start.
            queue: VecDeque::from([(
                Message::Smsc(ota::smsc::Input::Started).into(),
                Receipt::NONE,
            )]),
            asked: HashMap::new(),
            next_request: 1,
            esme: EsmeEnd::new(esme),
            smsc: SmscEnd::new(smsc, 1),
            desk,
            runtime: tokio::runtime::Builder::new_current_thread().build()?,
        })
    }

    /// Does what the last process had still to do.
    pub fn take_up(&mut self, left: Vec<Emission>) {
        self.carry_out(left);
    }

    /// How an RP reaches this system.
    pub fn port(&self) -> Arc<dyn Port> {
        self.desk.clone()
    }

    /// Runs until `task` is done. Time jumps to the next timer whenever nothing else is left to do.
    pub fn run<T>(&mut self, task: impl Future<Output = T>) -> Result<T, Stuck> {
        let mut task = pin!(task);
        // The task is looked at after every message: it needs nobody to wake it.
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(result) = task.as_mut().poll(&mut context) {
                return Ok(result);
            }
            self.collect();
            if !self.step()? && !self.fire()? {
                return Err(Stuck::Deadlock);
            }
        }
    }

    /// Runs until nothing is left to do at the present time.
    pub fn settle(&mut self) -> Result<(), Stuck> {
        self.collect();
        while self.step()? {}
        Ok(())
    }

    /// A message reaches a party from outside.
    pub fn deliver(&mut self, message: Message) {
        self.put(message, Receipt::NONE);
    }

    /// Messages that no outbox knows of.
    fn extend(&mut self, messages: impl IntoIterator<Item = impl Into<Arrived>>) {
        for message in messages {
            self.put(message, Receipt::NONE);
        }
    }

    fn put(&mut self, message: impl Into<Arrived>, receipt: Receipt) {
        self.queue.push_back((message.into(), receipt));
    }

    /// Handles one message.
    fn step(&mut self) -> Result<bool, Stuck> {
        self.pump();
        let Some((arrived, receipt)) = self.queue.pop_front() else {
            return Ok(false);
        };
        let emissions = self
            .runtime
            .block_on(self.parties.handle(arrived.message))?;
        self.parties.done(receipt);
        if let Some(sequence) = arrived.acknowledge {
            self.esme.acknowledge(sequence);
        }
        self.carry_out(emissions);
        Ok(true)
    }

    /// Moves time to the next timer and hands it to its party.
    fn fire(&mut self) -> Result<bool, Stuck> {
        let Some(at) = self.parties.clock.next_due_at() else {
            return Ok(false);
        };
        self.parties.clock.move_to(at);
        if let Some(due) = self.parties.clock.pop_due(self.parties.clock.now()) {
            let emissions = self.runtime.block_on(self.parties.fire(&due))?;
            self.carry_out(emissions);
        }
        Ok(true)
    }

    fn carry_out(&mut self, emissions: Vec<Emission>) {
        for emission in emissions {
            let receipt = self.parties.receipt(&emission);
            let effects = self.parties.effects(emission);
            if effects.is_empty() {
                self.parties.done(receipt);
                continue;
            }
            for effect in effects {
                match effect {
                    Effect::Deliver(message) => self.put(message, receipt.clone()),
                    Effect::Network(emission) => self.network(emission, receipt.clone()),
                }
            }
        }
        self.pump();
    }

    /// Takes what the RP has asked.
    fn collect(&mut self) {
        let asked = std::mem::take(&mut *lock(&self.desk.requests));
        for (request, slot) in asked {
            self.ask(Asker::Rp(slot), |id| {
                Message::Op(op_bridge::Input::Http {
                    id: op_bridge::RequestId(id),
                    request: request.into(),
                })
            });
        }
    }

    fn ask(&mut self, asker: Asker, message: impl FnOnce(u64) -> Message) {
        let id = self.next_request;
        self.next_request += 1;
        self.asked.insert(id, asker);
        self.put(message(id), Receipt::NONE);
    }

    fn network(&mut self, emission: Emission, receipt: Receipt) {
        match emission {
            Emission::Op(op_bridge::Output::Reply { to, response }) => self.answer(to.0, response),
            Emission::Op(op_bridge::Output::Fetch { to, url, request }) => {
                let why = "there is no network in one process".to_owned();
                let fetched = op_bridge::Input::Fetched {
                    id: to,
                    request: Some(request),
                    url,
                    result: Err(op_bridge::SendError::Unreachable(why)),
                };
                self.put(Message::Op(fetched), receipt);
            }
            Emission::Op(op_bridge::Output::IfOpen { to, key }) => {
                // Nobody leaves here; only a process that has ended since knew of another one.
                if self.asked.contains_key(&to.0) {
                    self.put(Message::Op(op_bridge::Input::Open { id: to, key }), receipt);
                }
            }
            Emission::Mssp(mssp::Output::Reply { to, response }) => self.answer(to.0, response),
            Emission::Op(op_bridge::Output::Send(send)) => match send.to {
                op_bridge::Peer::Mssp => self.call_mssp(&send, receipt),
                op_bridge::Peer::Rp => self.notify_rp(&send, receipt),
            },
            Emission::Mssp(mssp::Output::Send(send)) => self.call_op(&send, receipt),
            Emission::Platform(output) => {
                let refused = self.esme.send(output, self.parties.clock.now());
                self.extend(refused);
            }
            Emission::Smsc(output) => {
                let refused = self.smsc.send(output, self.parties.clock.now());
                self.extend(refused);
            }
            // `Parties::effects` leaves none of these to the network.
            Emission::Mssp(_) | Emission::Phone(..) => {}
        }
    }

    /// Moves octets between the two ends of the SMPP session until both are silent.
    fn pump(&mut self) {
        let now = self.parties.clock.now();
        loop {
            let mut moved = false;
            while let Some(pdu) = self.esme.session().poll_transmit() {
                self.smsc.session().handle_bytes(&pdu, now);
                moved = true;
            }
            while let Some(pdu) = self.smsc.session().poll_transmit() {
                self.esme.session().handle_bytes(&pdu, now);
                moved = true;
            }
            let (smsc, esme) = (self.smsc.events(), self.esme.events());
            self.extend(smsc);
            self.extend(esme);
            if !moved {
                break;
            }
        }
    }

    fn answer(&mut self, id: u64, response: Response<Bytes>) {
        match self.asked.remove(&id) {
            None => {}
            Some(Asker::Rp(slot)) => *lock(&slot) = Some(response),
            Some(Asker::Op(id, receipt)) => {
                let result = Ok(response);
                self.put(
                    Message::Op(op_bridge::Input::Answer { id, result }),
                    receipt,
                );
            }
            Some(Asker::Mssp(id, receipt)) => {
                let result = Ok(response);
                self.put(Message::Mssp(mssp::Input::Answer { id, result }), receipt);
            }
        }
    }

    fn call_mssp(&mut self, send: &op_bridge::Send, receipt: Receipt) {
        let Some(request) =
            super::http::request(&send.method, &send.url, &send.headers, &send.body)
        else {
            return;
        };
        if self
            .parties
            .lost(LinkName::OpToMssp, &send.correlation, &send.body)
        {
            let result = Err(op_bridge::SendError::TimedOut);
            let id = send.id.clone();
            return self.put(
                Message::Op(op_bridge::Input::Answer { id, result }),
                receipt,
            );
        }
        self.ask(Asker::Op(send.id.clone(), receipt), |id| {
            Message::Mssp(mssp::Input::Http {
                id: mssp::RequestId(id),
                request,
            })
        });
    }

    fn call_op(&mut self, send: &mssp::Send, receipt: Receipt) {
        let Some(request) =
            super::http::request(&send.method, &send.url, &send.headers, &send.body)
        else {
            return;
        };
        if self
            .parties
            .lost(LinkName::MsspToOp, &send.correlation, &send.body)
        {
            let result = Err(mssp::SendError::TimedOut);
            let id = send.id.clone();
            return self.put(Message::Mssp(mssp::Input::Answer { id, result }), receipt);
        }
        self.ask(Asker::Mssp(send.id.clone(), receipt), |id| {
            Message::Op(op_bridge::Input::Http {
                id: op_bridge::RequestId(id),
                request: request.into(),
            })
        });
    }

    fn notify_rp(&mut self, send: &op_bridge::Send, receipt: Receipt) {
        let result = if self
            .parties
            .lost(LinkName::OpToRp, &send.correlation, &send.body)
        {
            Err(op_bridge::SendError::TimedOut)
        } else {
            lock(&self.desk.notifications)
                .push_back(super::http::notification(&send.headers, &send.body));
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::NO_CONTENT;
            Ok(response)
        };
        let id = send.id.clone();
        self.put(
            Message::Op(op_bridge::Input::Answer { id, result }),
            receipt,
        );
    }
}

impl Port for Desk {
    fn call(&self, request: Request<Bytes>) -> Wait<'_, Result<Response<Bytes>, String>> {
        let slot = Arc::new(Slot::default());
        lock(&self.requests).push((request, slot.clone()));
        Box::pin(std::future::poll_fn(move |_| match lock(&slot).take() {
            Some(response) => Poll::Ready(Ok(response)),
            None => Poll::Pending,
        }))
    }

    fn notified(&self) -> Wait<'_, Notification> {
        Box::pin(std::future::poll_fn(|_| {
            match lock(&self.notifications).pop_front() {
                Some(notification) => Poll::Ready(notification),
                None => Poll::Pending,
            }
        }))
    }

    fn wait_until(&self, at: Timestamp) -> Wait<'_, ()> {
        Box::pin(self.parties.waits.until(&self.parties.clock, at))
    }

    fn now(&self) -> Timestamp {
        self.parties.clock.now()
    }
}

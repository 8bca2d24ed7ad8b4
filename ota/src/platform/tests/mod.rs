//! The platform, one step a function call, against a card made of `ota-wire`'s receiving side.

mod answers;
mod chain;
mod hostile;
mod management;
mod orders;
mod put_key;
mod secrets;

use jiff::{SignedDuration, Timestamp};
use ota_wire::ids::{Cntr, Iccid, Msisdn, Tar};
use ota_wire::keys::{Family, KeySet, MasterKey};
use ota_wire::packet::{Opened, Receiver, Rejected, ResponseStatus, open, response_for};
use ota_wire::sms::udh::Udh;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::event::{Event, EventKind, PlatformEvent};
use crate::smpp::{ShortMessage, esm_class};
use crate::testing::{Counting, Store, msisdn, seconds, start};

const SHORT_CODE: &str = "8220";
/// Record of the key set of number 1.
const SIM_1: &str = "sim/8988000000000000016/1";

/// Numbers 1 to 9 have AES key sets of version 1, from 11 on triple DES of version 2.
struct Everybody;

impl Directory for Everybody {
    fn find(&self, msisdn: &Msisdn) -> Option<Subscriber> {
        let n: u8 = msisdn.digits().strip_prefix("4477009000")?.parse().ok()?;
        let iccid = Iccid::with_check_digit(&format!("89880000000000{n:04}")).ok()?;
        let keys = match n {
            1..=9 => Keys::Derived {
                version: 1,
                family: Family::Aes128,
            },
            11..=19 => Keys::Derived {
                version: 2,
                family: Family::TripleDes2,
            },
            _ => return None,
        };
        Some(Subscriber { iccid, keys })
    }
}

fn master() -> MasterKey {
    MasterKey::new([7; 32])
}

/// A platform with its records and its clock.
struct World {
    platform: Platform,
    store: Store,
    now: Timestamp,
    outputs: Vec<Output>,
    events: Vec<Event>,
}

impl World {
    fn new() -> Self {
        let platform = Platform::new(Config::new(SHORT_CODE, master(), Arc::new(Everybody)));
        Self {
            platform,
            store: Store::default(),
            now: start(),
            outputs: Vec::new(),
            events: Vec::new(),
        }
    }

    fn wait(&mut self, span: SignedDuration) {
        self.now += span;
    }

    /// Runs a step twice on the same records, as after a conflict, checks that both say the same, and commits.
    fn step(&mut self, input: Input) -> Vec<Output> {
        let first = self.platform.step(
            &self.store,
            input.clone(),
            self.now,
            &mut Counting::default(),
        );
        let step = self
            .platform
            .step(&self.store, input, self.now, &mut Counting::default());
        assert_eq!(first.outputs, step.outputs);
        assert_eq!(first.changes, step.changes);
        for event in &step.events {
            let row = event.row();
            assert!(!row.name.is_empty() && !row.clause.is_empty());
        }
        self.store
            .apply(step.changes.into_iter().map(Change::into_write));
        self.events = step.events;
        self.outputs = step.outputs;
        self.outputs.clone()
    }

    fn submit(&mut self, order: Submit) -> Vec<Output> {
        self.step(Input::Submit(order))
    }

    fn accept(&mut self, id: &str, message_id: &str) -> Vec<Output> {
        self.step(Input::SubmitSmResp {
            id: id.into(),
            result: Ok(message_id.into()),
        })
    }

    fn refuse(&mut self, id: &str, status: CommandStatus) -> Vec<Output> {
        self.step(Input::SubmitSmResp {
            id: id.into(),
            result: Err(status),
        })
    }

    fn answer(&mut self, n: u8, payload: &[u8]) -> Vec<Output> {
        self.step(Input::Deliver(from_phone(n, payload)))
    }

    fn por(&mut self, n: u8, packet: &[u8]) -> Vec<Output> {
        self.step(Input::Deliver(ShortMessage {
            esm_class: esm_class::UDHI,
            ..from_phone(n, packet)
        }))
    }

    /// Lets timers fall due until `until`.
    fn run(&mut self, until: Timestamp) -> Vec<Output> {
        let mut outputs = Vec::new();
        while let Some((key, due)) = self.store.next_timer() {
            if due > until {
                self.store.timers.insert(key, due);
                break;
            }
            self.now = self.now.max(due);
            outputs.extend(self.step(Input::Timer { key }));
        }
        self.now = until;
        outputs
    }

    fn kinds(&self) -> Vec<&PlatformEvent> {
        self.events
            .iter()
            .map(|event| match &event.kind {
                EventKind::Platform(event) => event,
                EventKind::Smsc(event) => panic!("{event:?}"),
            })
            .collect()
    }

    fn ignored(&self) -> &str {
        match self.kinds()[..] {
            [PlatformEvent::Ignored { why, .. }] => why,
            ref other => panic!("{other:?}"),
        }
    }
}

fn order(id: &str, n: u8, payload: &[u8]) -> Submit {
    Submit {
        id: id.into(),
        msisdn: msisdn(n),
        tar: Tar::MID,
        payload: payload.to_vec(),
        expires: start() + seconds(300),
        correlation: format!("applet:8988:{id}"),
        por: Por::OnError,
        key_version: None,
        key_set: None,
        valid_for: None,
    }
}

fn from_phone(n: u8, user_data: &[u8]) -> ShortMessage {
    ShortMessage {
        source: msisdn(n).digits().into(),
        source_ton: 1,
        source_npi: 1,
        destination: SHORT_CODE.into(),
        data_coding: 0xF7,
        short_message: user_data.to_vec(),
        ..ShortMessage::default()
    }
}

/// The submit_sm among the outputs, by id.
fn submitted(outputs: &[Output]) -> Vec<(&str, &ShortMessage)> {
    let pairs = outputs.iter().filter_map(|output| match output {
        Output::SubmitSm { id, message } => Some((id.as_str(), message)),
        _ => None,
    });
    pairs.collect()
}

fn failed(id: &str, reason: FailReason) -> Output {
    Output::Report {
        id: id.into(),
        outcome: Outcome::Failed(reason),
    }
}

fn expired(id: &str) -> Output {
    Output::Report {
        id: id.into(),
        outcome: Outcome::Expired,
    }
}

fn sent(id: &str) -> Output {
    Output::Report {
        id: id.into(),
        outcome: Outcome::Sent,
    }
}

/// The card of a number: its key set, its counter, one application.
struct TestCard {
    keys: KeySet,
    counter: Cntr,
    tar: Tar,
}

impl TestCard {
    fn of(n: u8) -> Self {
        let subscriber = Everybody.find(&msisdn(n)).unwrap();
        let Keys::Derived { version, family } = subscriber.keys else {
            panic!()
        };
        let keys = KeySet::derive(&master(), &subscriber.iccid, version, family);
        Self {
            keys,
            counter: Cntr::default(),
            tar: Tar::MID,
        }
    }

    /// Takes the packet in some short messages and says what it makes of it.
    fn receive(&mut self, outputs: &[Output]) -> Result<Opened, Rejected> {
        let packet = packet_of(outputs);
        let opened = open(&packet, self)?;
        self.counter = opened.store_counter.unwrap();
        Ok(opened)
    }

    /// The error response packet to the packet in some short messages.
    fn por(&mut self, outputs: &[Output]) -> Vec<u8> {
        let rejected = self.receive(outputs).unwrap_err();
        let por = response_for(Err(&rejected), ResponseStatus::POR_OK, Vec::new()).unwrap();
        por.seal(Some(&self.keys)).unwrap()
    }
}

impl Receiver for TestCard {
    fn msl(&self, tar: Tar) -> Option<u8> {
        (tar == self.tar).then_some(0x16)
    }

    fn key_set(&self, version: u8) -> Option<&KeySet> {
        (version == self.keys.version).then_some(&self.keys)
    }

    fn counter(&self, _version: u8) -> Cntr {
        self.counter
    }
}

/// The command packet that short messages carry, parts joined by number.
fn packet_of(outputs: &[Output]) -> Vec<u8> {
    let mut parts = BTreeMap::new();
    for (_, message) in submitted(outputs) {
        let (udh, octets) = Udh::parse(&message.short_message).unwrap();
        let number = udh.concat().unwrap().map_or(1, |concat| concat.sequence);
        parts.insert(number, octets.to_vec());
    }
    parts.into_values().flatten().collect()
}

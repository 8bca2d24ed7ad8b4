//! The SMSC, one step a function call.

mod esmes;
mod phone_histories;
mod phones;
mod refusals;

use jiff::{SignedDuration, Timestamp};
use ota_wire::ids::Msisdn;
use ota_wire::rp::{Cause, Direction, Message, Tpdu};
use ota_wire::sms::address::Address;
use ota_wire::sms::tpdu::{Deliver, DeliverReport, Fcs, Submit};
use std::sync::Arc;

use super::*;
use crate::event::{Event, EventKind, SmscEvent};
use crate::smpp::{Found, MessageState, Party, esm_class, registered_delivery};
use crate::testing::{Counting, Store, msisdn, seconds, start};

/// Id of the first message at the start: the time in milliseconds, then what `Counting` gives.
const ID: [&str; 1] = ["19B7CA98C882030405060708"];

struct Fiction;

impl Phones for Fiction {
    fn knows(&self, msisdn: &Msisdn) -> bool {
        msisdn.digits().starts_with("4477009000")
    }
}

fn config() -> Config {
    let esme = |system_id: &str, code: &str| Esme {
        system_id: system_id.into(),
        short_codes: vec![code.into()],
    };
    let esmes = vec![esme("midsim", "8220"), esme("other", "8330")];
    Config::new("+447700900999".parse().unwrap(), esmes, Arc::new(Fiction))
}

struct World {
    smsc: Smsc,
    store: Store,
    rng: Counting,
    now: Timestamp,
    events: Vec<Event>,
}

impl World {
    fn new() -> Self {
        Self::with(config())
    }

    fn with(config: Config) -> Self {
        Self {
            smsc: Smsc::new(config),
            store: Store::default(),
            rng: Counting::default(),
            now: start(),
            events: Vec::new(),
        }
    }

    /// With one transceiver of `midsim` bound.
    fn bound() -> Self {
        let mut world = Self::new();
        world.step(Input::Started);
        world.bind("midsim", 1, BindMode::Transceiver);
        world
    }

    fn bind(&mut self, system_id: &str, link: u64, mode: BindMode) -> Vec<Output> {
        self.step(Input::Bound {
            esme: link_of(system_id, link),
            mode,
        })
    }

    fn step(&mut self, input: Input) -> Vec<Output> {
        let step = self.smsc.step(&self.store, input, self.now, &mut self.rng);
        for event in &step.events {
            assert!(!event.row().name.is_empty());
        }
        self.store
            .apply(step.changes.into_iter().map(Change::into_write));
        self.events = step.events;
        step.outputs
    }

    fn submit(&mut self, message: ShortMessage) -> Vec<Output> {
        self.step(Input::Submit {
            esme: link_of("midsim", 1),
            sequence: 7,
            message,
        })
    }

    fn rp(&mut self, n: u8, message: &Message) -> Vec<Output> {
        self.step(Input::Rp {
            from: msisdn(n),
            bytes: message.emit(Direction::FromPhone),
        })
    }

    fn ack(&mut self, n: u8, mr: u8) -> Vec<Output> {
        self.rp(n, &Message::Ack { mr, tpdu: None })
    }

    fn error(&mut self, n: u8, mr: u8, cause: Cause, fcs: Option<Fcs>) -> Vec<Output> {
        let tpdu = fcs.map(|fcs| Tpdu::new(DeliverReport::new(Some(fcs)).emit()).unwrap());
        self.rp(
            n,
            &Message::Error {
                mr,
                cause,
                diagnostic: None,
                tpdu,
            },
        )
    }

    fn available(&mut self, n: u8) -> Vec<Output> {
        self.step(Input::PhoneAvailable { msisdn: msisdn(n) })
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

    fn kinds(&self) -> Vec<&SmscEvent> {
        let kinds = self.events.iter().map(|event| match &event.kind {
            EventKind::Smsc(event) => event,
            EventKind::Platform(event) => panic!("{event:?}"),
        });
        kinds.collect()
    }

    /// Keys of messages that are still kept.
    fn kept(&self) -> Vec<&str> {
        let keys = self.store.records.keys().map(String::as_str);
        keys.filter(|key| key.starts_with("msg/") || key.starts_with("mo/"))
            .collect()
    }
}

fn link_of(system_id: &str, link: u64) -> EsmeId {
    EsmeId {
        system_id: system_id.into(),
        link,
    }
}

/// A message from short code 8220 to the n-th phone.
fn to_phone(n: u8, user_data: &[u8]) -> ShortMessage {
    ShortMessage {
        source: "8220".into(),
        source_npi: 1,
        destination: msisdn(n).digits().into(),
        destination_ton: 1,
        destination_npi: 1,
        esm_class: esm_class::UDHI,
        protocol_id: 0x7F,
        data_coding: 0xF6,
        short_message: user_data.to_vec(),
        ..ShortMessage::default()
    }
}

fn packet(tail: u8) -> Vec<u8> {
    vec![0x02, 0x70, 0x00, tail]
}

/// RP-DATA with an SMS-SUBMIT of a card.
fn from_card(mr: u8, to: &str, data: &[u8]) -> Message {
    let submit = Submit::from_card(Address::short_code(to).unwrap(), data).unwrap();
    Message::submit(
        mr,
        Address::international(&"+447700900999".parse().unwrap()),
        &submit,
    )
}

/// The SMS-DELIVERs among the outputs, with their references.
fn delivered(outputs: &[Output]) -> Vec<(u8, Deliver)> {
    let delivers = outputs.iter().filter_map(|output| match output {
        Output::Rp { bytes, .. } => match Message::parse(Direction::ToPhone, bytes).unwrap() {
            Message::Data { mr, tpdu, .. } => Some((mr, Deliver::parse(tpdu.octets()).unwrap())),
            _ => None,
        },
        _ => None,
    });
    delivers.collect()
}

/// The deliver_sm among the outputs.
fn to_esme(outputs: &[Output]) -> Vec<(&EsmeId, &str, &ShortMessage)> {
    let delivers = outputs.iter().filter_map(|output| match output {
        Output::Deliver { esme, id, message } => Some((esme, id.as_str(), message)),
        _ => None,
    });
    delivers.collect()
}

fn response(status: CommandStatus, message_id: &str) -> Output {
    Output::SubmitResp {
        esme: link_of("midsim", 1),
        sequence: 7,
        status,
        message_id: message_id.into(),
    }
}

fn octets(text: &str) -> Vec<u8> {
    hex::decode(text.replace(' ', "")).unwrap()
}

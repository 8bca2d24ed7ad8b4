//! Handset, card and applet as a whole: what the network, the user, a reader and time do to them, in any order.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use jiff::Timestamp;
use ota_wire::applet::{Challenge, Method, ResultCode, Text};
use ota_wire::ids::{Cntr, Tar};
use ota_wire::keys::{Family, KeySet, MacAlgorithm, applet_mac_key};
use ota_wire::packet::{Command, Spi};
use ota_wire::rp::{Direction, Message};
use ota_wire::sms::address::Address;
use ota_wire::sms::concat::split;
use ota_wire::sms::scts::Scts;
use ota_wire::sms::tpdu::Deliver;
use ota_wire::sms::udh::{Iei, Reference};
use rand_core::TryRng;
use sim_applet_sim::event::{EventKind, Note};
use sim_applet_sim::handset::{Action, Input, Output, Phone, ReaderInput, Reply, Step, Typed};
use sim_applet_sim::state::CardState;

use super::{Choices, sim};

/// Things that happen in one session.
const MOST_EVENTS: usize = 100;
/// Outputs of one step.
const MOST_OUTPUTS: usize = 200;

/// An octet for each thing that happens, with what it needs behind it.
pub fn session(octets: &[u8]) {
    let mut input = Choices(octets);
    let mut session = Session::new();
    for _ in 0..MOST_EVENTS {
        if input.is_empty() {
            break;
        }
        session.happen(&mut input);
    }
}

struct Session {
    phone: Phone,
    now: Timestamp,
    rng: Counter,
    cntr: u64,
    ctr: u64,
    mr: u8,
    sent: Option<u8>,
    timers: BTreeMap<String, Timestamp>,
    approved: BTreeSet<u64>,
}

impl Session {
    fn new() -> Self {
        let mut session = Self {
            phone: phone(CardState::fresh(sim::with_everything())),
            now: Timestamp::UNIX_EPOCH,
            rng: Counter(0),
            cntr: 0,
            ctr: 0,
            mr: 0,
            sent: None,
            timers: BTreeMap::new(),
            approved: BTreeSet::new(),
        };
        session.step(Input::PowerOn);
        session
    }

    fn happen(&mut self, input: &mut Choices<'_>) {
        let what = input.octet();
        match what % 16 {
            0..=3 => self.challenge(what, input.piece()),
            4..=6 => {
                let action = match what / 16 {
                    0 => Action::Ok,
                    1 => Action::Cancel,
                    2 => Action::Back,
                    3 => Action::Busy,
                    4 => Action::NoResponse,
                    5 => Action::No,
                    6..=8 => Action::Text(Typed::new("1234")),
                    9 => Action::Text(Typed::new("12345678")),
                    _ => Action::Text(Typed::new(String::from_utf8_lossy(input.piece()))),
                };
                if let Some(prompt) = self.phone.prompt().map(|prompt| prompt.id) {
                    self.step(Input::User(Reply { prompt, action }));
                }
            }
            7 => {
                if let Some(mr) = self.sent.take() {
                    let ack = Message::Ack { mr, tpdu: None };
                    self.step(Input::Rp(ack.emit(Direction::ToPhone)));
                }
            }
            8 => self.step(Input::Rp(input.piece().to_vec())),
            9 => {
                let next = self.timers.iter().min_by_key(|(_, due)| **due);
                if let Some((key, due)) = next.map(|(key, due)| (key.clone(), *due)) {
                    self.timers.remove(&key);
                    self.now = self.now.max(due);
                    self.step(Input::Timer { key });
                }
            }
            10 => self.step(match what / 16 {
                0..=7 => Input::Select { item: what / 32 },
                8..=10 => Input::Messages,
                _ => Input::Erase {
                    record: what / 16 - 10,
                },
            }),
            11 => self.step(match what / 16 {
                0..=4 => Input::Coverage(false),
                5..=9 => Input::Coverage(true),
                10..=12 => Input::PowerOff,
                _ => Input::PowerOn,
            }),
            12 => self.step(Input::Card {
                inserted: what >= 128,
            }),
            13 => self.step(Input::Reader(match what / 64 {
                0 => ReaderInput::Insert,
                1 => ReaderInput::Eject,
                2 => ReaderInput::Reset,
                _ => ReaderInput::Take {
                    acknowledge: what >= 224,
                },
            })),
            14 => self.step(Input::Reader(ReaderInput::Apdu(input.piece().to_vec()))),
            _ => {
                let state = CardState::from_bytes(&self.phone.card_state().to_bytes());
                self.phone = phone(state.unwrap());
                self.timers.clear();
                self.step(Input::PowerOn);
            }
        }
    }

    /// A challenge with the right keys, or octets in the place of one.
    fn challenge(&mut self, what: u8, piece: &[u8]) {
        let keys = KeySet::derive(&sim::master(), &sim::owner().iccid, 1, Family::Aes128);
        let text = String::from_utf8_lossy(piece);
        let data = match (what % 4, Text::encode(&text)) {
            (0, _) | (_, Err(_)) => piece.to_vec(),
            (kind, Ok(text)) => {
                self.ctr += u64::from(what >= 16);
                let challenge = Challenge {
                    tid: self.ctr.to_be_bytes(),
                    ctr: self.ctr,
                    method: if kind == 1 {
                        Method::Confirm
                    } else {
                        Method::Pin
                    },
                    mac_algorithm: MacAlgorithm::AesCmac8,
                    valid_for: u16::from(what),
                    text,
                    digest: (kind == 3).then_some([7; 32]),
                };
                let mac = challenge.mac_algorithm;
                challenge.seal(&applet_mac_key(&sim::master(), &sim::owner().iccid, mac))
            }
        };
        self.cntr += 1;
        let command = Command {
            spi: Spi::MT,
            kic: keys.kic_octet(),
            kid: keys.kid_octet(),
            tar: Tar::MID,
            cntr: Cntr::new(self.cntr).unwrap(),
            data,
        };
        let Ok(packet) = command.seal(&keys) else {
            return;
        };
        let parts = split(
            &packet,
            Reference::Eight(self.mr),
            Some(Iei::COMMAND_PACKET),
        );
        for part in parts.into_iter().flatten() {
            self.mr = self.mr.wrapping_add(1);
            let platform = Address::short_code("8220").unwrap();
            let deliver = Deliver::for_card(platform, Scts::utc(self.now), part);
            let centre = Address::international(&sim::with_everything().network.smsc);
            let message = Message::deliver(self.mr, centre, &deliver);
            self.step(Input::Rp(message.emit(Direction::ToPhone)));
        }
    }

    /// Counters never fall, tries come back only with a right code, and a challenge is approved once.
    fn step(&mut self, input: Input) {
        let before = self.phone.card_state().clone();
        let step = self.phone.step(input, self.now, &mut self.rng);
        assert!(step.outputs.len() <= MOST_OUTPUTS);
        self.look(&step);
        let after = self.phone.card_state();
        let bytes = after.to_bytes();
        assert_eq!(CardState::from_bytes(&bytes).as_ref(), Ok(after));
        assert!(step.changed || *after == before, "not to be journaled");
        let right = notes(&step).any(|note| {
            matches!(
                note,
                Note::Pin { right: true, .. } | Note::Puk { right: true, .. } | Note::PinSet { .. }
            )
        });
        assert!(right || after.pin_tries() <= before.pin_tries());
        assert!(right || after.puk_tries() <= before.puk_tries());
        assert!(after.applet_counter() >= before.applet_counter());
        let mut counters = after.counters().into_iter().zip(before.counters());
        assert!(counters.all(|(after, before)| after >= before));
    }

    fn look(&mut self, step: &Step) {
        for output in &step.outputs {
            match output {
                Output::Timer {
                    key,
                    due: Some(due),
                } => {
                    self.timers.insert(key.clone(), *due);
                }
                Output::Timer { key, due: None } => {
                    self.timers.remove(key);
                }
                Output::Rp(octets) => {
                    let message = Message::parse(Direction::FromPhone, octets).unwrap();
                    if let Message::Data { mr, .. } = message {
                        self.sent = Some(mr);
                    }
                }
                _ => {}
            }
        }
        for note in notes(step) {
            if let Note::Answer {
                ctr,
                result: ResultCode::OK,
                ..
            } = note
            {
                assert!(self.approved.insert(*ctr), "approved twice");
            }
        }
    }
}

fn notes(step: &Step) -> impl Iterator<Item = &Note> {
    step.events.iter().filter_map(|event| match &event.kind {
        EventKind::Card(note) => Some(note),
        _ => None,
    })
}

fn phone(state: CardState) -> Phone {
    Phone::new(sim::with_everything().clone(), sim::owner().clone(), state)
}

/// Chance that is none.
struct Counter(u64);

impl TryRng for Counter {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|word| word as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        Ok(self.0)
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Infallible> {
        for octet in octets {
            *octet = (self.try_next_u64()? >> 24) as u8;
        }
        Ok(())
    }
}

//! What the tests of this crate share.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use jiff::Timestamp;
use ota_wire::applet::{AppletResponse, Challenge, Method, ResultCode, Text};
use ota_wire::cat::{Facility, TerminalProfile};
use ota_wire::ids::{Cntr, Iccid, Tar};
use ota_wire::keys::{Family, KeySet, MacAlgorithm, MasterKey, applet_mac_key};
use ota_wire::packet::{Command, Spi};
use ota_wire::rp::{Direction, Message, Tpdu};
use ota_wire::secret::Secret;
use ota_wire::sms::address::Address;
use ota_wire::sms::concat::split;
use ota_wire::sms::scts::Scts;
use ota_wire::sms::tpdu::{Deliver, Submit};
use ota_wire::sms::udh::{Iei, Reference};
use rand_core::TryRng;

use crate::event::{EventKind, Note};
use crate::handset::{Action, Input, Output, Phone, PromptKind, Reply, Step, Typed};
use crate::profile::{NetworkProfile, Profile, Subscriber};
use crate::state::CardState;
use crate::uicc::Uicc;

pub(crate) fn master() -> MasterKey {
    MasterKey::new(*b"TEST ONLY master key of midsim  ")
}

pub(crate) fn network() -> NetworkProfile {
    NetworkProfile {
        smsc: "+447700900999".parse().unwrap(),
        platform: "8220".to_owned(),
    }
}

pub(crate) fn profile() -> Arc<Profile> {
    Arc::new(Profile::standard(master(), network()))
}

/// A handset that measures no time and has no menu.
pub(crate) fn simple_profile() -> Arc<Profile> {
    let mut profile = Profile::standard(master(), network());
    let facilities = [
        Facility::PROFILE_DOWNLOAD,
        Facility::SMS_PP_DATA_DOWNLOAD,
        Facility::UCS2_DISPLAY,
        Facility::DISPLAY_TEXT,
        Facility::GET_INPUT,
        Facility::SEND_SHORT_MESSAGE,
    ];
    profile.handset.terminal_profile = TerminalProfile::with(&facilities).octets().to_vec();
    Arc::new(profile)
}

pub(crate) fn subscriber() -> Subscriber {
    Subscriber {
        msisdn: "+447700900001".parse().unwrap(),
        iccid: Iccid::with_check_digit("898800000000000001").unwrap(),
        imsi: "001010000000001".parse().unwrap(),
        pin: "1234".parse().unwrap(),
        puk: "12345678".parse().unwrap(),
    }
}

pub(crate) fn card() -> Uicc {
    let profile = profile();
    let state = CardState::fresh(&profile);
    Uicc::new(profile, subscriber(), state)
}

/// Sends a command in hexadecimal; the answer likewise, data and status word.
pub(crate) fn send(card: &mut Uicc, command: &str) -> String {
    let command = hex::decode(command.replace(' ', "")).unwrap();
    hex::encode_upper(card.transmit(&command))
}

/// Chance that is none: a counter.
pub(crate) struct Sequence(u64);

impl Sequence {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }
}

impl TryRng for Sequence {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|word| word as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        Ok(self.0 ^ self.0 >> 31)
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Infallible> {
        for octet in octets {
            *octet = (self.try_next_u64()? >> 24) as u8;
        }
        Ok(())
    }
}

/// A phone that is switched on, with everything on the other side of the radio: MSSP, platform and service centre.
pub(crate) struct World {
    pub(crate) phone: Phone,
    pub(crate) now: Timestamp,
    pub(crate) cntr: u64,
    pub(crate) ctr: u64,
    pub(crate) spi: Spi,
    pub(crate) key_version: u8,
    pub(crate) timers: BTreeMap<String, Timestamp>,
    profile: Arc<Profile>,
    rng: Sequence,
    mr: u8,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(profile())
    }

    pub(crate) fn with(profile: Arc<Profile>) -> Self {
        let state = CardState::fresh(&profile);
        Self::with_state(profile, state)
    }

    pub(crate) fn with_state(profile: Arc<Profile>, state: CardState) -> Self {
        let mut world = Self {
            phone: Phone::new(profile.clone(), subscriber(), state),
            profile,
            now: "2026-11-22T12:00:00Z".parse().unwrap(),
            cntr: 100,
            ctr: 1_700_000_000_000,
            spi: Spi::MT,
            key_version: 1,
            timers: BTreeMap::new(),
            rng: Sequence(1),
            mr: 0,
        };
        world.step(Input::PowerOn);
        world
    }

    pub(crate) fn step(&mut self, input: Input) -> Step {
        let step = self.phone.step(input, self.now, &mut self.rng);
        for output in &step.outputs {
            if let Output::Timer { key, due } = output {
                match due {
                    Some(due) => self.timers.insert(key.clone(), *due),
                    None => self.timers.remove(key),
                };
            }
        }
        step
    }

    /// Time goes on to the timer that falls due next, of those whose key begins like this.
    pub(crate) fn next_timer(&mut self, kind: &str) -> Step {
        let timers = self.timers.iter();
        let next = timers
            .filter(|(key, _)| key.starts_with(kind))
            .min_by_key(|(_, due)| **due);
        let (key, due) = next
            .map(|(key, due)| (key.clone(), *due))
            .expect("a timer runs");
        self.timers.remove(&key);
        self.now = due;
        self.step(Input::Timer { key })
    }

    /// The power goes, and everything but the journaled state is lost.
    pub(crate) fn restart(&mut self) {
        let state = CardState::from_bytes(&self.phone.card_state().to_bytes()).unwrap();
        self.phone = Phone::new(self.profile.clone(), subscriber(), state);
        self.timers.clear();
        self.step(Input::PowerOn);
    }

    pub(crate) fn challenge(&mut self, method: Method, text: &str) -> Challenge {
        self.ctr += 1;
        Challenge {
            tid: self.ctr.to_be_bytes(),
            ctr: self.ctr,
            method,
            mac_algorithm: MacAlgorithm::AesCmac8,
            valid_for: 120,
            text: Text::encode(text).unwrap(),
            digest: None,
        }
    }

    pub(crate) fn key(&self, algorithm: MacAlgorithm) -> Secret {
        applet_mac_key(&master(), &subscriber().iccid, algorithm)
    }

    pub(crate) fn key_set(&self) -> KeySet {
        let family = if self.key_version == 2 {
            Family::TripleDes2
        } else {
            Family::Aes128
        };
        KeySet::derive(&master(), &subscriber().iccid, self.key_version, family)
    }

    /// The next command packet, not sealed.
    pub(crate) fn command(&mut self, data: Vec<u8>) -> Command {
        self.cntr += 1;
        let keys = self.key_set();
        Command {
            spi: self.spi,
            kic: keys.kic_octet(),
            kid: keys.kid_octet(),
            tar: Tar::MID,
            cntr: Cntr::new(self.cntr).unwrap(),
            data,
        }
    }

    pub(crate) fn packet(&mut self, data: Vec<u8>) -> Vec<u8> {
        let keys = self.key_set();
        self.command(data).seal(&keys).unwrap()
    }

    /// The messages that carry a packet.
    pub(crate) fn delivers(&self, packet: &[u8]) -> Vec<Deliver> {
        split(packet, Reference::Eight(self.mr), Some(Iei::COMMAND_PACKET))
            .unwrap()
            .into_iter()
            .map(|user_data| {
                Deliver::for_card(
                    Address::short_code("8220").unwrap(),
                    Scts::utc(self.now),
                    user_data,
                )
            })
            .collect()
    }

    /// One message over the radio.
    pub(crate) fn deliver(&mut self, tpdu: &[u8]) -> Step {
        self.mr = self.mr.wrapping_add(1);
        let message = Message::Data {
            mr: self.mr,
            oa: Some(Address::international(&network().smsc)),
            da: None,
            tpdu: Tpdu::new(tpdu.to_vec()).unwrap(),
        };
        self.step(Input::Rp(message.emit(Direction::ToPhone)))
    }

    /// A packet over the radio, in as many parts as it needs; what the last one led to.
    pub(crate) fn send_packet(&mut self, packet: &[u8]) -> Step {
        let mut step = Step::default();
        for deliver in self.delivers(packet) {
            step = self.deliver(&deliver.emit());
        }
        step
    }

    /// A challenge all the way to the screen.
    pub(crate) fn send_challenge(&mut self, challenge: &Challenge) -> Step {
        let octets = challenge.seal(&self.key(challenge.mac_algorithm));
        let packet = self.packet(octets);
        self.send_packet(&packet)
    }

    pub(crate) fn act(&mut self, action: Action) -> Step {
        let prompt = self.phone.prompt().expect("a prompt is open").id;
        self.step(Input::User(Reply { prompt, action }))
    }

    pub(crate) fn type_in(&mut self, text: &str) -> Step {
        self.act(Action::Text(Typed::new(text)))
    }

    /// The text on the screen.
    pub(crate) fn screen(&self) -> Option<String> {
        self.phone.prompt().map(|prompt| match &prompt.kind {
            PromptKind::Display { text, .. } | PromptKind::YesNo { text } => text.clone(),
            PromptKind::Input { text, .. } => format!("{text}?"),
        })
    }

    /// The network acknowledges what the phone sent in this step.
    pub(crate) fn acknowledge(&mut self, step: &Step) -> Step {
        let (mr, _) = submit(step).expect("a message was sent");
        let ack = Message::Ack { mr, tpdu: None };
        self.step(Input::Rp(ack.emit(Direction::ToPhone)))
    }

    /// The answer to a challenge in this step, checked as the MSSP does.
    pub(crate) fn answer(&self, step: &Step, challenge: &Challenge) -> (ResultCode, u8) {
        let (_, submit) = submit(step).expect("a message was sent");
        assert_eq!(submit.da.digits().as_deref(), Some("8220"));
        assert_eq!((submit.pid.0, submit.dcs.0), (0x00, 0xF7));
        assert!(submit.user_data.udh().is_none());
        let octets = submit.user_data.payload();
        let key = self.key(challenge.mac_algorithm);
        let sealed = challenge.seal(&key);
        let mac = sealed[sealed.len() - 8..].try_into().unwrap();
        assert!(
            AppletResponse::verify(octets, &key, &mac),
            "MAC of the answer"
        );
        let response = AppletResponse::parse(octets).unwrap();
        assert_eq!((response.tid, response.ctr), (challenge.tid, challenge.ctr));
        (response.result, response.tries_left)
    }
}

/// RP messages in the outputs of a step.
pub(crate) fn sent(step: &Step) -> Vec<Message> {
    step.outputs
        .iter()
        .filter_map(|output| match output {
            Output::Rp(octets) => Some(Message::parse(Direction::FromPhone, octets).unwrap()),
            _ => None,
        })
        .collect()
}

/// The message that a phone sent on its own, with its reference.
pub(crate) fn submit(step: &Step) -> Option<(u8, Submit)> {
    sent(step).into_iter().find_map(|message| match message {
        Message::Data { mr, tpdu, .. } => Some((mr, Submit::parse(tpdu.octets()).unwrap())),
        _ => None,
    })
}

/// What happened inside the card in a step.
pub(crate) fn notes(step: &Step) -> Vec<Note> {
    step.events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Card(note) => Some(note.clone()),
            _ => None,
        })
        .collect()
}

//! Platform, SMPP session, SMSC and back, all as function calls.

use ota_wire::rp::{Direction, Message};
use ota_wire::secret::Secret;
use ota_wire::sms::address::Address;
use ota_wire::sms::concat::{Limits as ConcatLimits, Outcome as Joining, Reassembler};
use ota_wire::sms::tpdu::{Deliver, Submit as SmsSubmit};

use super::*;
use crate::smpp::{Account, BindMode, EsmeConfig, Limits, Session, SessionEvent, SmscConfig};
use crate::smsc::{self, Esme, EsmeId, Phones, Smsc};

struct Everyone;

impl Phones for Everyone {
    fn knows(&self, _msisdn: &Msisdn) -> bool {
        true
    }
}

/// The whole chain above the phones, joined by octets.
struct Chain {
    world: World,
    smsc: Smsc,
    smsc_store: Store,
    rng: Counting,
    near: Session,
    far: Session,
    link: u64,
    to_phones: Vec<(Msisdn, Vec<u8>)>,
    to_application: Vec<Output>,
}

impl Chain {
    fn new() -> Self {
        let esme = Esme {
            system_id: "midsim".into(),
            short_codes: vec![SHORT_CODE.into()],
        };
        let config = smsc::Config::new(msisdn(99), vec![esme], Arc::new(Everyone));
        let (near, far) = sessions();
        let mut chain = Self {
            world: World::new(),
            smsc: Smsc::new(config),
            smsc_store: Store::default(),
            rng: Counting::default(),
            near,
            far,
            link: 0,
            to_phones: Vec::new(),
            to_application: Vec::new(),
        };
        chain.smsc(smsc::Input::Started);
        chain.run();
        chain
    }

    /// The connection breaks; what was on it is lost. Then there is a new one.
    fn reconnect(&mut self) {
        (self.near, self.far) = sessions();
        self.smsc(smsc::Input::Unbound { esme: self.esme() });
        self.link += 1;
        self.platform(Input::LinkDown);
        self.run();
    }

    fn esme(&self) -> EsmeId {
        EsmeId {
            system_id: "midsim".into(),
            link: self.link,
        }
    }

    fn platform(&mut self, input: Input) {
        for output in self.world.step(input) {
            match output {
                Output::SubmitSm { id, message } => {
                    drop(self.near.submit(id, &message, self.world.now))
                }
                other => self.to_application.push(other),
            }
        }
    }

    fn smsc(&mut self, input: smsc::Input) {
        let step = self
            .smsc
            .step(&self.smsc_store, input, self.world.now, &mut self.rng);
        self.smsc_store
            .apply(step.changes.into_iter().map(smsc::Change::into_write));
        for output in step.outputs {
            match output {
                smsc::Output::SubmitResp {
                    sequence,
                    status,
                    message_id,
                    ..
                } => self.far.respond(sequence, status, &message_id),
                smsc::Output::Deliver { id, message, .. } => {
                    drop(self.far.deliver(id, &message, self.world.now))
                }
                smsc::Output::Answer {
                    sequence, answer, ..
                } => self.far.answer(sequence, &answer),
                smsc::Output::MultiResp {
                    sequence,
                    status,
                    taken,
                    ..
                } => self.far.respond_multi(sequence, status, &taken),
                smsc::Output::Rp { to, bytes } => self.to_phones.push((to, bytes)),
            }
        }
    }

    /// Carries octets and events until all is quiet.
    fn run(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(octets) = self.near.poll_transmit() {
                self.far.handle_bytes(&octets, self.world.now);
                quiet = false;
            }
            while let Some(octets) = self.far.poll_transmit() {
                self.near.handle_bytes(&octets, self.world.now);
                quiet = false;
            }
            while let Some(event) = self.near.poll_event() {
                match event {
                    SessionEvent::Bound { .. } => self.platform(Input::LinkUp),
                    SessionEvent::Response { id, result } => {
                        self.platform(Input::SubmitSmResp { id, result })
                    }
                    SessionEvent::Message { sequence, message } => {
                        self.platform(Input::Deliver(*message));
                        self.near.respond(sequence, CommandStatus::ROK, "");
                    }
                    SessionEvent::Multi { .. }
                    | SessionEvent::Operation { .. }
                    | SessionEvent::Pdu { .. } => {}
                    SessionEvent::Closed(reason) => panic!("{reason}"),
                }
            }
            while let Some(event) = self.far.poll_event() {
                let esme = self.esme();
                match event {
                    SessionEvent::Bound { mode, .. } => {
                        self.smsc(smsc::Input::Bound { esme, mode })
                    }
                    SessionEvent::Response { id, result } => self.smsc(smsc::Input::DeliverResp {
                        id,
                        result: result.map(drop),
                    }),
                    SessionEvent::Message { sequence, message } => self.smsc(smsc::Input::Submit {
                        esme,
                        sequence,
                        message: *message,
                    }),
                    SessionEvent::Multi { .. }
                    | SessionEvent::Operation { .. }
                    | SessionEvent::Pdu { .. } => {}
                    SessionEvent::Closed(reason) => panic!("{reason}"),
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn order(&mut self, order: Submit) {
        self.platform(Input::Submit(order));
        self.run();
    }

    /// The phone acknowledges every message it gets; the TPDUs.
    fn phone_takes_all(&mut self) -> Vec<Deliver> {
        let mut taken = Vec::new();
        while !self.to_phones.is_empty() {
            let (phone, bytes) = self.to_phones.remove(0);
            if let Message::Data { mr, tpdu, .. } =
                Message::parse(Direction::ToPhone, &bytes).unwrap()
            {
                taken.push(Deliver::parse(tpdu.octets()).unwrap());
                let ack = Message::Ack { mr, tpdu: None }.emit(Direction::FromPhone);
                self.smsc(smsc::Input::Rp {
                    from: phone,
                    bytes: ack,
                });
                self.run();
            }
        }
        taken
    }

    fn card_answers(&mut self, n: u8, mr: u8, data: &[u8]) {
        let submit = SmsSubmit::from_card(Address::short_code(SHORT_CODE).unwrap(), data).unwrap();
        let message = Message::submit(mr, Address::international(&msisdn(99)), &submit);
        self.smsc(smsc::Input::Rp {
            from: msisdn(n),
            bytes: message.emit(Direction::FromPhone),
        });
        self.run();
    }
}

fn sessions() -> (Session, Session) {
    let password = Secret::new(b"midsim".to_vec());
    let esme = EsmeConfig {
        system_id: "midsim".into(),
        password: password.clone(),
        system_type: String::new(),
        mode: BindMode::Transceiver,
        limits: Limits::default(),
    };
    let account = Account {
        system_id: "midsim".into(),
        password,
    };
    let smsc = SmscConfig {
        system_id: "SMSC".into(),
        accounts: vec![account],
        limits: Limits::default(),
    };
    (
        Session::esme(esme, start()).unwrap(),
        Session::smsc(smsc, start()),
    )
}

/// What the card makes of the messages its phone got.
fn opened(n: u8, delivers: &[Deliver]) -> Opened {
    let mut joining = Reassembler::new(ConcatLimits::default());
    let packet = delivers.iter().find_map(|deliver| {
        assert!(deliver.is_data_download());
        match joining.accept(&deliver.oa.to_string(), &deliver.user_data, start()) {
            Joining::Complete(joined) => Some(joined.octets),
            _ => None,
        }
    });
    open(&packet.unwrap(), &TestCard::of(n)).unwrap()
}

#[test]
fn an_order_reaches_the_card_and_its_answer_the_application() {
    for n in [1, 11] {
        let mut chain = Chain::new();
        let payload: Vec<u8> = (0..=255).collect();
        chain.order(order("j", n, &payload));
        assert_eq!(chain.to_application, [sent("j")]);
        let delivers = chain.phone_takes_all();
        assert_eq!(delivers.len(), 3);
        assert_eq!(opened(n, &delivers).data, payload);
        chain.card_answers(n, 200, b"signed");
        let Output::Mo {
            from,
            payload,
            correlation,
            ..
        } = &chain.to_application[1]
        else {
            panic!()
        };
        assert_eq!(
            (from, payload.as_slice(), correlation.as_deref()),
            (&msisdn(n), &b"signed"[..], Some("applet:8988:j"))
        );
        assert_eq!(
            chain
                .smsc_store
                .records
                .keys()
                .filter(|key| !key.starts_with("phone/") && !key.starts_with("esme/"))
                .count(),
            0
        );
    }
}

#[test]
fn a_broken_connection_loses_nothing() {
    let mut chain = Chain::new();
    // The submit_sm is written, but the connection breaks before the SMSC reads it.
    chain.platform(Input::Submit(order("a", 1, b"one")));
    chain.reconnect();
    assert_eq!(chain.to_application, [sent("a")]);
    assert_eq!(opened(1, &chain.phone_takes_all()).data, b"one");
    // The SMSC has the answer, but the connection breaks before the platform reads it.
    let submit = SmsSubmit::from_card(Address::short_code(SHORT_CODE).unwrap(), b"signed").unwrap();
    let message = Message::submit(1, Address::international(&msisdn(99)), &submit);
    chain.smsc(smsc::Input::Rp {
        from: msisdn(1),
        bytes: message.emit(Direction::FromPhone),
    });
    chain.reconnect();
    assert!(matches!(&chain.to_application[1], Output::Mo { payload, .. } if payload == b"signed"));
}

#[test]
fn a_refusal_of_the_phone_comes_back_as_a_failure() {
    let mut chain = Chain::new();
    chain.order(order("j", 1, b"x"));
    let (phone, _) = chain.to_phones.remove(0);
    let error = Message::error(1, ota_wire::rp::Cause::PROTOCOL_ERROR).emit(Direction::FromPhone);
    chain.smsc(smsc::Input::Rp {
        from: phone,
        bytes: error,
    });
    chain.run();
    assert_eq!(
        chain.to_application,
        [
            sent("j"),
            failed("j", FailReason::Undelivered(MessageState::UNDELIVERABLE))
        ]
    );
}

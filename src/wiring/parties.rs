//! The parties of one system and what passes between them without a network protocol of its own.

use std::sync::Arc;

use ota_wire::ids::Msisdn;
use ota_wire::trace::Id;
use sim_applet_sim::handset::ReaderOutput;

use super::convert;
use super::http::Refused;
use super::phones::{self, Phones};
use super::steps::{MsspParty, OpParty, PlatformParty, SmscParty};
use super::waits::{self, Waits};
use crate::faults::{Action, Faults, Injected, LinkName};
use crate::ota_api::{self, Results};
use crate::runtime::clock::{Clock, Due};
use crate::runtime::party::{Driver, HandleError, Party};
use crate::runtime::store::{Store, StoreError};
use crate::trace::{AnyEvent, TraceLog};
use crate::users::Users;

/// Something that reaches a party.
#[derive(Clone)]
pub enum Message {
    /// To the MSSP.
    Mssp(mssp::Input),
    /// To the OP.
    Op(op_bridge::Input),
    /// To a handset with its card.
    Phone(Msisdn, sim_applet_sim::handset::Input),
    /// To the OTA platform.
    Platform(ota::platform::Input),
    /// To the SMSC.
    Smsc(ota::smsc::Input),
}

/// Something that a party wants done, after its change is committed.
pub enum Emission {
    /// By the MSSP.
    Mssp(mssp::Output),
    /// By the OP.
    Op(op_bridge::Output),
    /// By a handset or its card.
    Phone(Msisdn, sim_applet_sim::handset::Output),
    /// By the OTA platform.
    Platform(ota::platform::Output),
    /// By the SMSC.
    Smsc(ota::smsc::Output),
}

/// What an emission means.
pub enum Effect {
    /// It is a message to another party, as it stands.
    Deliver(Message),
    /// It goes over a network protocol: the wiring's business.
    Network(Emission),
}

/// Names an emission in its party's outbox, if it is there.
#[derive(Clone, Debug)]
pub enum Receipt {
    /// Of the MSSP.
    Mssp(Option<String>),
    /// Of the OP.
    Op(Option<String>),
    /// Of the OTA platform.
    Platform(Option<String>),
    /// Of the SMSC.
    Smsc(Option<String>),
}

impl Receipt {
    /// Of nothing that is in an outbox.
    pub const NONE: Self = Self::Op(None);
}

/// Which parties are in this process; the others are reached by their URLs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Serves {
    /// The OP.
    pub op: bool,
    /// The MSSP.
    pub mssp: bool,
    /// The OTA platform with the SMSC, the handsets and their cards.
    pub ota: bool,
}

impl Serves {
    /// All of them.
    pub const ALL: Self = Self {
        op: true,
        mssp: true,
        ota: true,
    };

    /// Whether the handsets and their SIMs are here: where the OTA platform and the SMSC are.
    pub const fn sims(self) -> bool {
        self.ota
    }
}

/// All parties, the clock they go by, and what is known about them.
pub struct Parties {
    /// Which of them take part.
    pub serves: Serves,
    pub(super) op: Driver<OpParty>,
    pub(super) mssp: Driver<MsspParty>,
    pub(super) platform: Driver<PlatformParty>,
    pub(super) smsc: Driver<SmscParty>,
    pub(super) phones: Phones,
    /// Simulated time.
    pub clock: Clock,
    /// Faults on the links.
    pub faults: Faults,
    /// What happened.
    pub trace: TraceLog,
    /// People at the handsets.
    pub users: Users,
    /// RPs that wait for the clock.
    pub waits: Waits,
    /// What came of messages that were submitted by the platform's API.
    pub results: Results,
}

impl Parties {
    /// Parties that know of nothing yet: call [`Parties::recover`] before anything else.
    pub fn new(
        op: Driver<OpParty>,
        mssp: Driver<MsspParty>,
        platform: Driver<PlatformParty>,
        smsc: Driver<SmscParty>,
        phones: Phones,
        clock: Clock,
        serves: Serves,
    ) -> Self {
        Self {
            serves,
            op,
            mssp,
            platform,
            smsc,
            phones,
            clock,
            faults: Faults::default(),
            trace: TraceLog::new(),
            users: Users::new(),
            waits: Waits::default(),
            results: Results::default(),
        }
    }

    /// Who asks the OP's users.
    pub(crate) fn op_authenticator(&self) -> op_bridge::Authenticator {
        self.op.party().0.config().authenticator
    }

    /// Where the OP keeps its records.
    pub(crate) fn op_store(&self) -> &Arc<dyn Store> {
        self.op.store()
    }

    /// One record of the OP.
    pub(crate) fn op_record(&self, key: &str) -> Result<Option<Arc<[u8]>>, StoreError> {
        Ok(self.op.store().get(key)?.map(|record| record.value))
    }

    /// The handsets with their cards.
    pub(crate) fn phones(&self) -> &Phones {
        &self.phones
    }

    /// The records of the OTA platform, to look at.
    pub(crate) fn platform_records(&self) -> &dyn Store {
        self.platform.store().as_ref()
    }

    /// Takes up what the last process left: arms the timers and gives what it had still to do.
    pub fn recover(&self) -> Result<Vec<Emission>, HandleError> {
        let mut left: Vec<_> = self
            .op
            .recover()?
            .outputs
            .into_iter()
            .map(Emission::Op)
            .collect();
        left.extend(self.mssp.recover()?.outputs.into_iter().map(Emission::Mssp));
        left.extend(
            self.platform
                .recover()?
                .outputs
                .into_iter()
                .map(Emission::Platform),
        );
        left.extend(self.smsc.recover()?.outputs.into_iter().map(Emission::Smsc));
        Ok(left)
    }

    /// What to hand to [`Parties::done`] when an emission has been carried out.
    pub fn receipt(&self, emission: &Emission) -> Receipt {
        fn id<P: Party>(driver: &Driver<P>, output: &P::Output) -> Option<String> {
            if driver.store().durable() {
                P::durable(output).map(|(id, _)| id)
            } else {
                None
            }
        }
        match emission {
            Emission::Mssp(output) => Receipt::Mssp(id(&self.mssp, output)),
            Emission::Op(output) => Receipt::Op(id(&self.op, output)),
            // Results stay in the outbox for as long as the stream may have to repeat them.
            Emission::Platform(output) if self.is_result(output) => Receipt::NONE,
            Emission::Platform(output) => Receipt::Platform(id(&self.platform, output)),
            Emission::Smsc(output) => Receipt::Smsc(id(&self.smsc, output)),
            Emission::Phone(..) => Receipt::NONE,
        }
    }

    /// An emission has been carried out and need not be after a crash. If this gets lost it is carried out twice, which
    /// receivers tolerate.
    pub fn done(&self, receipt: Receipt) {
        match receipt {
            Receipt::Mssp(Some(id)) => drop(self.mssp.done(&id)),
            Receipt::Op(Some(id)) => drop(self.op.done(&id)),
            Receipt::Platform(Some(id)) => drop(self.platform.done(&id)),
            Receipt::Smsc(Some(id)) => drop(self.smsc.done(&id)),
            Receipt::Mssp(None)
            | Receipt::Op(None)
            | Receipt::Platform(None)
            | Receipt::Smsc(None) => {}
        }
    }

    /// Runs one step of one party, to the commit; then gives what it wants done, in order.
    pub async fn handle(&self, message: Message) -> Result<Vec<Emission>, HandleError> {
        let now = self.clock.now();
        macro_rules! handle {
            ($driver:expr, $input:expr, $emission:path, $event:path) => {{
                let handled = $driver.handle($input).await?;
                self.trace
                    .record(now, handled.events.into_iter().map($event));
                Ok(handled.outputs.into_iter().map($emission).collect())
            }};
        }
        match message {
            Message::Mssp(input) => handle!(self.mssp, input, Emission::Mssp, AnyEvent::Mssp),
            Message::Op(input) => handle!(self.op, input, Emission::Op, AnyEvent::Op),
            Message::Platform(input) => {
                handle!(self.platform, input, Emission::Platform, AnyEvent::Ota)
            }
            Message::Smsc(input) => handle!(self.smsc, input, Emission::Smsc, AnyEvent::Ota),
            Message::Phone(msisdn, input) => {
                let (outputs, events) = self.phones.handle(&msisdn, input, now).await?;
                self.trace
                    .record(now, events.into_iter().map(AnyEvent::Sim));
                Ok(outputs
                    .into_iter()
                    .map(|output| Emission::Phone(msisdn.clone(), output))
                    .collect())
            }
        }
    }

    /// As [`handle`](Self::handle) for several messages to one party, in their order and with one commit.
    pub async fn handle_all(&self, messages: Vec<Message>) -> Result<Vec<Emission>, HandleError> {
        let now = self.clock.now();
        let (mut platform, mut smsc, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for message in messages {
            match message {
                Message::Platform(input) => platform.push(input),
                Message::Smsc(input) => smsc.push(input),
                other => others.push(other),
            }
        }
        let mut emissions = Vec::new();
        if !platform.is_empty() {
            let handled = self.platform.handle_all(&platform).await?;
            let events = handled.events.into_iter().map(AnyEvent::Ota);
            self.trace.record(now, events);
            emissions.extend(handled.outputs.into_iter().map(Emission::Platform));
        }
        if !smsc.is_empty() {
            let handled = self.smsc.handle_all(&smsc).await?;
            let events = handled.events.into_iter().map(AnyEvent::Ota);
            self.trace.record(now, events);
            emissions.extend(handled.outputs.into_iter().map(Emission::Smsc));
        }
        for message in others {
            emissions.extend(self.handle(message).await?);
        }
        Ok(emissions)
    }

    /// One step of a handset, with what somebody who has its card in a reader gets to hear, and what else is to be done.
    pub(super) async fn reader(
        &self,
        msisdn: &Msisdn,
        input: sim_applet_sim::handset::Input,
    ) -> Result<(Vec<ReaderOutput>, Vec<Emission>), HandleError> {
        let now = self.clock.now();
        let (outputs, events) = self.phones.handle(msisdn, input, now).await?;
        self.trace
            .record(now, events.into_iter().map(AnyEvent::Sim));
        let (mut told, mut emissions) = (Vec::new(), Vec::new());
        for output in outputs {
            match output {
                sim_applet_sim::handset::Output::Reader(output) => told.push(output),
                output => emissions.push(Emission::Phone(msisdn.clone(), output)),
            }
        }
        Ok((told, emissions))
    }

    /// Hands a timer that fell due to its party.
    pub async fn fire(&self, due: &Due) -> Result<Vec<Emission>, HandleError> {
        let now = self.clock.now();
        macro_rules! fire {
            ($driver:expr, $emission:path, $event:path) => {{
                let handled = $driver.fire(due).await?;
                self.trace
                    .record(now, handled.events.into_iter().map($event));
                Ok(handled.outputs.into_iter().map($emission).collect())
            }};
        }
        match due.party {
            OpParty::NAME => fire!(self.op, Emission::Op, AnyEvent::Op),
            MsspParty::NAME => fire!(self.mssp, Emission::Mssp, AnyEvent::Mssp),
            PlatformParty::NAME => fire!(self.platform, Emission::Platform, AnyEvent::Ota),
            SmscParty::NAME => fire!(self.smsc, Emission::Smsc, AnyEvent::Ota),
            phones::TIMERS => match self.phones.due(&due.key) {
                Some(message) => self.handle(message).await,
                None => Ok(Vec::new()),
            },
            waits::TIMERS => {
                self.waits.wake(&due.key, &due.flight);
                Ok(Vec::new())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// What emissions mean: messages between parties of one operator are passed on here, over links that can be faulty.
    pub fn effects(&self, emission: Emission) -> Vec<Effect> {
        match emission {
            Emission::Mssp(mssp::Output::Submit(submit)) if self.serves.ota => deliver(
                Message::Platform(ota::platform::Input::Submit(convert::submit(submit))),
            ),
            Emission::Platform(output) if self.is_result(&output) => {
                self.keep_result(&output);
                Vec::new()
            }
            Emission::Platform(ota::platform::Output::Mo { from, payload, .. }) => {
                deliver(Message::Mssp(mssp::Input::Mo { from, payload }))
            }
            Emission::Platform(ota::platform::Output::Report { id, outcome }) => {
                convert::outcome(outcome).map_or_else(Vec::new, |outcome| {
                    deliver(Message::Mssp(mssp::Input::Report { id, outcome }))
                })
            }
            Emission::Smsc(ota::smsc::Output::Rp { to, bytes }) => self
                .carry(LinkName::SmscToHandset, &to, bytes)
                .into_iter()
                .map(|bytes| {
                    Effect::Deliver(Message::Phone(
                        to.clone(),
                        sim_applet_sim::handset::Input::Rp(bytes),
                    ))
                })
                .collect(),
            Emission::Phone(from, sim_applet_sim::handset::Output::Rp(bytes)) => self
                .carry(LinkName::HandsetToSmsc, &from, bytes)
                .into_iter()
                .map(|bytes| {
                    Effect::Deliver(Message::Smsc(ota::smsc::Input::Rp {
                        from: from.clone(),
                        bytes,
                    }))
                })
                .collect(),
            Emission::Phone(msisdn, output) => self.phones.effects(&self.users, &msisdn, output),
            other => vec![Effect::Network(other)],
        }
    }

    /// Whether it is for those who follow the platform's API: it belongs to a message that came that way, or there is no MSSP here
    /// that it could be for.
    fn is_result(&self, output: &ota::platform::Output) -> bool {
        match output {
            ota::platform::Output::Report { id, .. } => {
                !self.serves.mssp || id.starts_with(ota_api::JOBS)
            }
            ota::platform::Output::Mo { correlation, .. } => {
                let of_api = |correlation: &String| correlation.starts_with(ota_api::CORRELATION);
                !self.serves.mssp || correlation.as_ref().is_some_and(of_api)
            }
            ota::platform::Output::SubmitSm { .. } => false,
        }
    }

    /// Keeps what came of a message of the platform's API for the stream of results.
    fn keep_result(&self, output: &ota::platform::Output) {
        let durable = self.platform.store().durable();
        let kept = durable.then(|| output.durable_id()).flatten();
        for forgotten in self.results.push(ota_api::events(output), kept) {
            drop(self.platform.done(&forgotten));
        }
    }

    /// Carries an RP message between the network and a handset.
    fn carry(&self, link: LinkName, msisdn: &Msisdn, bytes: Vec<u8>) -> Vec<Vec<u8>> {
        let sent = bytes.clone();
        let (arriving, hit) = self.faults.carry(link, bytes);
        if let Some(action) = hit {
            self.injected(Injected {
                message: rp_id(msisdn, &sent).to_string(),
                link,
                action,
                octets: sent,
            });
        }
        arriving
    }

    /// Whether an HTTP message gets lost on this link. `correlation` is what the trace knows it by.
    pub(super) fn lost(&self, link: LinkName, correlation: &str, body: &[u8]) -> bool {
        let hit = self.faults.hit(link);
        if let Some(action) = hit {
            self.injected(Injected {
                message: correlation.to_owned(),
                link,
                action,
                octets: body.to_vec(),
            });
        }
        hit == Some(Action::Lose)
    }

    /// Puts a request that no party saw into the trace.
    pub(super) fn refused(&self, refused: Refused) {
        self.trace
            .record(self.clock.now(), [AnyEvent::Refused(refused)]);
    }

    /// Puts a fault that has hit into the trace.
    pub(super) fn injected(&self, injected: Injected) {
        self.trace
            .record(self.clock.now(), [AnyEvent::Fault(injected)]);
    }
}

fn deliver(message: Message) -> Vec<Effect> {
    vec![Effect::Deliver(message)]
}

/// What the trace knows an RP message of this handset by: an answer has the reference of what it answers
/// (TS 24.011 §8.2.2, §8.2.3).
fn rp_id(msisdn: &Msisdn, message: &[u8]) -> Id {
    const TO_HANDSET: [u8; 3] = [1, 2, 4]; // RP-DATA to it; its RP-ACK and RP-ERROR
    let octet = |index| message.get(index).copied().unwrap_or_default();
    if TO_HANDSET.contains(&(octet(0) & 0x07)) {
        Id::rp(msisdn, octet(1))
    } else {
        Id::rp_mo(msisdn, octet(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_on_the_radio_goes_by_the_reference_of_what_it_answers() {
        let phone: Msisdn = "+447700900002".parse().unwrap();
        let id = |kind: u8| rp_id(&phone, &[kind, 7]);
        for kind in [1, 2, 4] {
            assert_eq!(id(kind), Id::rp(&phone, 7), "message type {kind}");
        }
        for kind in [0, 3, 5, 6] {
            assert_eq!(id(kind), Id::rp_mo(&phone, 7), "message type {kind}");
        }
    }
}

//! 3GPP TS 24.011 and TS 23.040 §9: short messages in both directions.

use jiff::{SignedDuration, Timestamp};
use ota_wire::apdu::{Command, Ins, Sw};
use ota_wire::cat::{
    CommandDetails, Envelope, Qualifier, SmsPpDownload, TerminalResponse, TerminalResult,
};
use ota_wire::rp::{Cause, Direction, Message, Tpdu};
use ota_wire::sms::address::Address;
use ota_wire::sms::dcs::Class;
use ota_wire::sms::tpdu::{Deliver, DeliverReport, Fcs, Mti, Pid, Submit};
use ota_wire::trace::Id;

use super::toolkit::Performed;
use super::{Link, Output, Phone, Sending, TimerKey, Turn};
use crate::event::{Event, EventKind};

/// Messages that wait while the card's own message is on its way; the network tries again with what is turned away.
const MAX_HELD: usize = 8;

/// Messages in the inbox; the oldest makes room.
const MAX_INBOX: usize = 50;

/// Additional information on result 20.
const NO_SERVICE: u8 = 0x04;

/// A short message for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxMessage {
    /// When it came.
    pub received: Timestamp,
    /// The message.
    pub deliver: Deliver,
}

impl Phone {
    /// Takes an RP message.
    pub(super) fn receive(&mut self, octets: Vec<u8>, turn: &mut Turn<'_>) {
        if !self.is_attached() {
            self.missed = true;
            let reason = "the handset is not reachable";
            self.note(EventKind::RpDropped { octets, reason }, turn);
            return;
        }
        if self.is_in_reader() {
            self.receive_for_reader(octets, turn);
            return;
        }
        match Message::parse(Direction::ToPhone, &octets) {
            Ok(Message::Data { .. }) if self.is_sending() => self.hold(octets, turn),
            Ok(Message::Data { mr, oa, tpdu, .. }) => self.data(octets, mr, oa, &tpdu, turn),
            Ok(Message::Ack { mr, .. }) => self.acknowledged(octets, mr, None, turn),
            Ok(Message::Error { mr, cause, .. }) => {
                self.acknowledged(octets, mr, Some(cause), turn);
            }
            Ok(Message::Smma { .. }) | Err(_) => self.receive_malformed(octets, turn),
        }
    }

    /// An RP message that has no business here, or is none; RP-DATA is refused, anything else dropped.
    pub(super) fn receive_malformed(&self, octets: Vec<u8>, turn: &mut Turn<'_>) {
        let Err(error) = Message::parse(Direction::ToPhone, &octets) else {
            let reason = "RP-SMMA only goes to the network";
            self.note(EventKind::RpDropped { octets, reason }, turn);
            return;
        };
        let reference = Message::reference(&octets).filter(|_| octets[0] == RP_DATA);
        let reason = "no RP message";
        self.note(EventKind::RpDropped { octets, reason }, turn);
        if let Some(mr) = reference {
            self.reply(&Message::error(mr, error.cause()), turn);
        }
    }

    /// SEND SHORT MESSAGE.
    pub(super) fn send_for_card(
        &mut self,
        details: CommandDetails,
        service_centre: Option<&[u8]>,
        tpdu: &[u8],
        turn: &mut Turn<'_>,
    ) -> Performed {
        let now = |result| TerminalResponse::new(details, result);
        if details.qualifier.has(Qualifier::SMS_PACKING) {
            return Performed::Now(now(TerminalResult::BEYOND_CAPABILITY));
        }
        let attached = self.is_attached();
        let Ok(mut submit) = Submit::parse(tpdu) else {
            return Performed::Now(now(TerminalResult::DATA_NOT_UNDERSTOOD));
        };
        let timeout = self.card.profile().handset.network_timeout;
        let Some(powered) = self.powered.as_mut().filter(|_| attached) else {
            let busy = now(TerminalResult::TERMINAL_BUSY).with_additional(NO_SERVICE);
            return Performed::Now(busy);
        };
        let given = service_centre.map(Address::from_value);
        let service_centre = match given {
            Some(Ok(address)) => Some(address),
            Some(Err(_)) => None,
            None => powered.service_centre.clone(),
        };
        let Some(service_centre) = service_centre else {
            return Performed::Now(now(TerminalResult::DATA_NOT_UNDERSTOOD));
        };
        let mr = powered.rp_mr;
        powered.rp_mr = mr.wrapping_add(1);
        submit.mr = powered.tp_mr;
        powered.tp_mr = submit.mr.wrapping_add(1);
        powered.last_tp_mr = Some(submit.mr);
        powered.sent = true;
        powered.sending = Some(Sending { mr, details });
        let octets = Message::submit(mr, service_centre, &submit).emit(Direction::FromPhone);
        let parent = powered.link.as_ref().map(|link| link.own.clone());
        turn.step.events.push(Event {
            own: Id::rp_mo(&self.subscriber().msisdn, mr),
            parent,
            kind: EventKind::RpSent {
                octets: octets.clone(),
            },
        });
        turn.output(Output::Rp(octets));
        turn.start_timer(
            TimerKey::Network(mr),
            SignedDuration::from_secs(timeout.into()),
        );
        Performed::Later
    }

    pub(super) fn network_timed_out(&mut self, mr: u8, turn: &mut Turn<'_>) {
        const NO_CAUSE: u8 = 0x00;
        if let Some(sending) = self.stop_sending(mr, turn) {
            let response = TerminalResponse::new(sending.details, TerminalResult::SMS_RP_ERROR)
                .with_additional(NO_CAUSE);
            self.answer(&response, turn);
            self.release_held(turn);
        }
    }

    /// Forgets a message that the network has not acknowledged; for power off.
    pub(super) fn stop_waiting_for_network(&mut self, turn: &mut Turn<'_>) {
        let sending = self
            .powered
            .as_mut()
            .and_then(|powered| powered.sending.take());
        if let Some(Sending { mr, .. }) = sending {
            turn.stop_timer(TimerKey::Network(mr));
        }
    }

    /// RP-DATA: a short message for the card or for people.
    fn data(
        &mut self,
        octets: Vec<u8>,
        mr: u8,
        service_centre: Option<Address>,
        tpdu: &Tpdu,
        turn: &mut Turn<'_>,
    ) {
        let own = Id::rp(&self.subscriber().msisdn, mr);
        let link = Some(Link { own, parent: None });
        let before = self
            .powered
            .as_mut()
            .and_then(|powered| std::mem::replace(&mut powered.link, link));
        self.note(EventKind::RpReceived { octets }, turn);

        let to_people = |deliver: &Deliver| {
            deliver.dcs.class() != Some(Class::Sim) || deliver.pid != Pid::SIM_DATA_DOWNLOAD
        };
        let first = tpdu.octets().first().copied().unwrap_or_default();
        let sw = match Deliver::parse(tpdu.octets()) {
            Ok(deliver) if !to_people(&deliver) => {
                Some(self.download(mr, service_centre, &deliver, tpdu, turn))
            }
            Ok(deliver) if deliver.dcs.class() == Some(Class::Sim) => {
                let mut address = Vec::new();
                match &service_centre {
                    Some(service_centre) => service_centre.emit_counted(&mut address),
                    None => address.push(0),
                }
                if self.store_message(&address, tpdu.octets(), turn) {
                    self.reply(&Message::Ack { mr, tpdu: None }, turn);
                } else {
                    let fcs = Fcs::SIM_STORAGE_FULL;
                    self.refuse(
                        mr,
                        Cause::MEMORY_EXCEEDED,
                        DeliverReport::new(Some(fcs)),
                        turn,
                    );
                }
                None
            }
            Ok(deliver) => {
                if self.inbox.len() >= MAX_INBOX {
                    self.inbox.remove(0);
                }
                self.inbox.push(InboxMessage {
                    received: turn.now,
                    deliver,
                });
                self.reply(&Message::Ack { mr, tpdu: None }, turn);
                None
            }
            Err(_) if Mti::of(first) == Mti::STATUS_REPORT => {
                self.reply(&Message::Ack { mr, tpdu: None }, turn);
                None
            }
            Err(_) => {
                self.reply(&Message::error(mr, Cause::INVALID_MANDATORY), turn);
                None
            }
        };
        match sw {
            Some(sw) if sw != Sw::BUSY => self.run_toolkit(sw, turn),
            // The card goes on with what it was busy with.
            _ => {
                if let Some(powered) = &mut self.powered {
                    powered.link = before;
                }
            }
        }
        if sw.is_some() {
            // It may have been about the messages on the card.
            self.tell_of_room(turn);
        }
    }

    /// Passes a message on to the card and answers the network as TS 31.111 §7.1.1 has it.
    fn download(
        &mut self,
        mr: u8,
        service_centre: Option<Address>,
        deliver: &Deliver,
        tpdu: &Tpdu,
        turn: &mut Turn<'_>,
    ) -> Sw {
        let envelope = Envelope::SmsPpDownload(SmsPpDownload {
            service_centre: service_centre.map(|address| address.to_value()),
            tpdu: tpdu.octets().to_vec(),
            extra: Vec::new(),
        });
        let command = Command::new(0x80, Ins::ENVELOPE, 0, 0).with_data(envelope.emit());
        let response = self.exchange(&command, turn);
        let report = |fcs| match response.data.as_slice() {
            [] => Ok(DeliverReport::new(fcs)),
            data => DeliverReport::from_card(fcs, deliver.pid, deliver.dcs, data),
        };
        if response.sw.is_success() {
            let tpdu = (!response.data.is_empty())
                .then(|| report(None).ok())
                .flatten()
                .and_then(|report| Tpdu::new(report.emit()).ok());
            self.reply(&Message::Ack { mr, tpdu }, turn);
        } else {
            let fcs = if response.sw == Sw::BUSY {
                Fcs::TOOLKIT_BUSY
            } else {
                Fcs::DATA_DOWNLOAD_ERROR
            };
            let report = report(Some(fcs)).unwrap_or_else(|_| DeliverReport::new(Some(fcs)));
            self.refuse(mr, Cause::PROTOCOL_ERROR, report, turn);
        }
        response.sw
    }

    fn hold(&mut self, octets: Vec<u8>, turn: &mut Turn<'_>) {
        let mr = Message::reference(&octets).unwrap_or_default();
        match &mut self.powered {
            Some(powered) if powered.held.len() < MAX_HELD => powered.held.push_back(octets),
            _ => {
                self.note(EventKind::RpReceived { octets }, turn);
                self.reply(&Message::error(mr, Cause::MEMORY_EXCEEDED), turn);
            }
        }
    }

    fn release_held(&mut self, turn: &mut Turn<'_>) {
        while !self.is_sending() {
            let next = self
                .powered
                .as_mut()
                .and_then(|powered| powered.held.pop_front());
            match next {
                Some(octets) => self.receive(octets, turn),
                None => return,
            }
        }
    }

    /// RP-ACK or RP-ERROR to what the card sent.
    fn acknowledged(&mut self, octets: Vec<u8>, mr: u8, cause: Option<Cause>, turn: &mut Turn<'_>) {
        if self.told_of_room(&octets, mr, cause, turn) {
            return;
        }
        let Some(sending) = self.stop_sending(mr, turn) else {
            let reason = "no message with this reference is under way";
            self.note(EventKind::RpDropped { octets, reason }, turn);
            return;
        };
        turn.step.events.push(Event {
            own: Id::rp_mo(&self.subscriber().msisdn, mr),
            parent: None,
            kind: EventKind::RpReceived { octets },
        });
        let response = match cause {
            None => TerminalResponse::new(sending.details, TerminalResult::OK),
            Some(cause) => TerminalResponse::new(sending.details, TerminalResult::SMS_RP_ERROR)
                .with_additional(cause.0),
        };
        self.answer(&response, turn);
        self.release_held(turn);
    }

    pub(super) fn is_sending(&self) -> bool {
        self.powered
            .as_ref()
            .is_some_and(|powered| powered.sending.is_some())
    }

    fn stop_sending(&mut self, mr: u8, turn: &mut Turn<'_>) -> Option<Sending> {
        let powered = self.powered.as_mut()?;
        let sending = powered.sending.take_if(|sending| sending.mr == mr)?;
        turn.stop_timer(TimerKey::Network(mr));
        Some(sending)
    }

    pub(super) fn refuse(&self, mr: u8, cause: Cause, report: DeliverReport, turn: &mut Turn<'_>) {
        let message = Message::Error {
            mr,
            cause,
            diagnostic: None,
            tpdu: Tpdu::new(report.emit()).ok(),
        };
        self.reply(&message, turn);
    }

    pub(super) fn reply(&self, message: &Message, turn: &mut Turn<'_>) {
        let octets = message.emit(Direction::FromPhone);
        let kind = EventKind::RpSent {
            octets: octets.clone(),
        };
        self.note(kind, turn);
        turn.output(Output::Rp(octets));
    }
}

/// RP-Message-Type of RP-DATA from the network (TS 24.011 §8.2.2).
const RP_DATA: u8 = 0x01;

//! The side of the phones: RP-DATA out, one at a time; RP-ACK, RP-ERROR and RP-DATA in (TS 24.011 §6, §7.3).

use std::borrow::Cow;

use jiff::SignedDuration;
use ota_wire::ids::Msisdn;
use ota_wire::rp::{Cause, Direction, Message, Tpdu};
use ota_wire::sms::address::Address;
use ota_wire::sms::scts::Scts;
use ota_wire::sms::tpdu::{DeliverReport, Fcs, ReportIn, Submit, SubmitReport};
use ota_wire::trace::Id;

use super::Output;
use super::convert;
use super::record::{InFlight, LastMo, Origin, Pause, Phone, key};
use super::work::Work;
use crate::event::{RpOutcome, SmscEvent};
use crate::smpp::{CommandStatus, MessageState};

/// First octets of messages that ask for an answer: RP-DATA and RP-SMMA from a phone.
const ASKS: [u8; 2] = [0, 6];

/// How long after a message the same one counts as its repetition. Phones repeat within a minute; later it is a new one.
const REPEATED_WITHIN: SignedDuration = SignedDuration::from_mins(2);

impl Work<'_> {
    /// Sends the next message, unless one is under way or the phone paused.
    pub(super) fn deliver_next(&mut self, msisdn: &Msisdn) {
        loop {
            let mut phone = self.phone(msisdn);
            if phone.in_flight.is_some()
                || phone
                    .pause
                    .as_ref()
                    .is_some_and(|pause| pause.until > self.now)
            {
                return;
            }
            let Some(next) = phone.queue.first() else {
                return;
            };
            let message_id = next.message_id.to_owned();
            if next.expires <= self.now {
                self.finish_message(msisdn, &message_id, MessageState::EXPIRED, None);
                continue;
            }
            let more = phone.queue.len() > 1;
            let deliver = self
                .stored(&message_id)
                .and_then(|stored| convert::deliver(&stored, more).ok());
            let Some(deliver) = deliver else {
                self.finish_message(msisdn, &message_id, MessageState::UNDELIVERABLE, None);
                continue;
            };
            phone.mr = phone.mr.wrapping_add(1);
            let mr = phone.mr;
            phone.in_flight = Some(InFlight {
                mr,
                due: self.after(self.config.acknowledge_within),
            });
            self.put_phone(msisdn, phone);
            let centre = Address::international(&self.config.service_centre);
            let bytes = Message::deliver(mr, centre, &deliver).emit(Direction::ToPhone);
            let sent = SmscEvent::RpDataSent {
                to: msisdn.clone(),
                mr,
                deliver: Box::new(deliver),
            };
            self.event(Id::rp(msisdn, mr), Some(Id::smpp(&message_id)), sent);
            return self.output(Output::Rp {
                to: msisdn.clone(),
                bytes,
            });
        }
    }

    /// Sends again what was under way when the process ended: the message or its RP-ACK may have got lost with it. Phones that
    /// pause go on pausing.
    pub(super) fn resume_phones(&mut self) {
        for (key, record) in self.view.scan(key::PHONE) {
            let msisdn = key.strip_prefix(key::PHONE).map(str::parse);
            let Some(Ok(msisdn)) = msisdn else { continue };
            if let Ok(mut phone) = serde_json::from_slice::<Phone>(&record)
                && phone.in_flight.take().is_some()
            {
                self.put_phone(&msisdn, phone);
                self.deliver_next(&msisdn);
            }
        }
    }

    pub(super) fn phone_available(&mut self, msisdn: &Msisdn) {
        let mut phone = self.phone(msisdn);
        if phone.queue.is_empty() {
            return;
        }
        phone.in_flight = None;
        phone.pause = None;
        self.put_phone(msisdn, phone);
        self.deliver_next(msisdn);
    }

    pub(super) fn phone_due(&mut self, msisdn: &Msisdn) {
        let mut phone = self.phone(msisdn);
        match &phone.in_flight {
            Some(in_flight) if in_flight.due > self.now => return,
            Some(in_flight) => {
                let own = Id::rp(msisdn, in_flight.mr);
                self.event(
                    own,
                    None,
                    SmscEvent::RpEnded {
                        outcome: RpOutcome::NoAnswer,
                    },
                );
                self.pause(&mut phone);
            }
            None => {}
        }
        let mut over = Vec::new();
        phone.queue.retain(|queued| {
            let valid = queued.expires > self.now;
            if !valid {
                over.push(queued.message_id.to_owned());
            }
            valid
        });
        self.put_phone(msisdn, phone);
        for message_id in over {
            self.finish_message(msisdn, &message_id, MessageState::EXPIRED, None);
        }
        self.deliver_next(msisdn);
    }

    pub(super) fn rp(&mut self, from: &Msisdn, bytes: &[u8]) {
        match Message::parse(Direction::FromPhone, bytes) {
            Ok(Message::Data { mr, tpdu, .. }) => self.on_data(from, mr, &tpdu),
            Ok(Message::Ack { mr, .. }) => self.acknowledged(from, mr),
            Ok(Message::Error {
                mr, cause, tpdu, ..
            }) => self.refused(from, mr, cause, tpdu.as_ref()),
            Ok(Message::Smma { mr }) => {
                self.answer(from, &Message::Ack { mr, tpdu: None });
                let mut phone = self.phone(from);
                if phone.pause.take().is_some() {
                    self.put_phone(from, phone);
                    self.deliver_next(from);
                }
            }
            Err(error) => {
                let mr = Message::reference(bytes);
                let own = Id::rp_mo(from, mr.unwrap_or_default());
                self.event(
                    own,
                    None,
                    SmscEvent::RpMalformed {
                        why: error.to_string(),
                        octets: bytes.to_vec(),
                    },
                );
                if let (Some(mr), Some(true)) = (mr, bytes.first().map(|kind| ASKS.contains(kind)))
                {
                    self.answer(from, &Message::error(mr, error.cause()));
                }
            }
        }
    }

    fn acknowledged(&mut self, from: &Msisdn, mr: u8) {
        let Some((mut phone, message_id)) = self.under_way(from, mr) else {
            return;
        };
        self.event(
            Id::rp(from, mr),
            None,
            SmscEvent::RpEnded {
                outcome: RpOutcome::Delivered,
            },
        );
        phone.pause = None;
        phone.in_flight = None;
        self.put_phone(from, phone);
        self.finish_message(from, &message_id, MessageState::DELIVERED, None);
        self.deliver_next(from);
    }

    fn refused(&mut self, from: &Msisdn, mr: u8, cause: Cause, report: Option<&Tpdu>) {
        let Some((mut phone, message_id)) = self.under_way(from, mr) else {
            return;
        };
        let report =
            report.and_then(|tpdu| DeliverReport::parse(tpdu.octets(), ReportIn::Error).ok());
        let fcs = report.and_then(|report| report.fcs);
        let again = is_temporary(cause, fcs);
        self.event(
            Id::rp(from, mr),
            None,
            SmscEvent::RpEnded {
                outcome: RpOutcome::Refused { cause, fcs, again },
            },
        );
        phone.in_flight = None;
        if again {
            self.pause(&mut phone);
            return self.put_phone(from, phone);
        }
        phone.pause = None;
        self.put_phone(from, phone);
        self.finish_message(from, &message_id, MessageState::UNDELIVERABLE, Some(cause));
        self.deliver_next(from);
    }

    /// The phone and the message that an answer with this reference is about; an answer to anything else is of no consequence.
    fn under_way(&mut self, from: &Msisdn, mr: u8) -> Option<(Phone, String)> {
        let phone = self.phone(from);
        let fits = phone
            .in_flight
            .as_ref()
            .is_some_and(|in_flight| in_flight.mr == mr);
        let first = phone
            .queue
            .first()
            .filter(|_| fits)
            .map(|queued| queued.message_id.to_owned());
        if first.is_none() {
            self.event(
                Id::rp(from, mr),
                None,
                SmscEvent::RpEnded {
                    outcome: RpOutcome::Stale,
                },
            );
        }
        Some((phone, first?))
    }

    fn pause(&mut self, phone: &mut Phone) {
        let failures = phone
            .pause
            .as_ref()
            .map_or(0, |pause| pause.failures)
            .saturating_add(1);
        phone.in_flight = None;
        phone.pause = Some(Pause {
            until: self.retry_at(failures),
            failures,
        });
    }

    /// A message to a phone has come to its end: forgets it and tells its sender who asked.
    pub(super) fn finish_message(
        &mut self,
        msisdn: &Msisdn,
        message_id: &str,
        state: MessageState,
        cause: Option<Cause>,
    ) {
        let mut phone = self.phone(msisdn);
        phone.queue.retain(|queued| queued.message_id != message_id);
        self.put_phone(msisdn, phone);
        if state != MessageState::DELIVERED {
            self.event(
                Id::smpp(message_id),
                None,
                SmscEvent::GivenUp {
                    to: msisdn.clone(),
                    state,
                },
            );
        }
        if let Some(stored) = self.stored(message_id).map(Cow::into_owned) {
            self.send_receipt(message_id, &stored, state, cause);
        }
        self.put_stored(message_id, None);
    }

    fn on_data(&mut self, from: &Msisdn, mr: u8, tpdu: &Tpdu) {
        let phone = self.phone(from);
        if let Some(last) = phone.last_mo.as_ref().filter(|last| {
            last.mr == mr
                && last.tpdu == tpdu.octets()
                && self.now.duration_since(last.at) < REPEATED_WITHIN
        }) {
            // Our answer got lost: the same answer again, and no second message.
            let report = SubmitReport::new(None, Scts::utc(last.at));
            self.event(Id::rp_mo(from, mr), None, SmscEvent::MoRepeated);
            return self.acknowledge(self.place(), from, mr, &report);
        }
        let place = self.place();
        match self.accept_from_phone(from, mr, tpdu) {
            Ok(()) => {
                // The message may have gone to the same phone: its record is read anew.
                let mut phone = self.phone(from);
                phone.last_mo = Some(LastMo {
                    mr,
                    tpdu: tpdu.octets().to_vec(),
                    at: self.now,
                });
                self.put_phone(from, phone);
                self.acknowledge(
                    place,
                    from,
                    mr,
                    &SubmitReport::new(None, Scts::utc(self.now)),
                );
            }
            Err((cause, fcs)) => {
                self.event(
                    Id::rp_mo(from, mr),
                    None,
                    SmscEvent::MoRefused { cause, fcs },
                );
                let report = fcs.map(|fcs| SubmitReport::new(Some(fcs), Scts::utc(self.now)));
                let tpdu = report.and_then(|report| Tpdu::new(report.emit()).ok());
                self.answer(
                    from,
                    &Message::Error {
                        mr,
                        cause,
                        diagnostic: None,
                        tpdu,
                    },
                );
            }
        }
    }

    fn accept_from_phone(
        &mut self,
        from: &Msisdn,
        mr: u8,
        tpdu: &Tpdu,
    ) -> Result<(), (Cause, Option<Fcs>)> {
        if !self.config.phones.knows(from) {
            return Err((Cause::UNIDENTIFIED_SUBSCRIBER, None));
        }
        let submit = Submit::parse(tpdu.octets()).map_err(|error| (Cause::from(&error), None))?;
        let message = convert::from_submit(from, &submit);
        let nowhere = (Cause::UNASSIGNED_NUMBER, Some(Fcs::INVALID_SME_ADDRESS));
        let route = self.route(&message.destination).ok_or(nowhere)?;
        let expires = self
            .validity(submit.vp.expires(self.now))
            .ok_or((Cause::INVALID_MANDATORY, None))?;
        let summary = SmscEvent::MoKept {
            from: from.clone(),
            message: Box::new(message.clone()),
        };
        let kept = self.keep(route, Origin::Phone(from.clone()), message, expires);
        let id = kept.map_err(|status| match status {
            CommandStatus::RMSGQFUL => (Cause::CONGESTION, None),
            _ => (Cause::INVALID_MANDATORY, None),
        })?;
        self.event(Id::smpp(&id), Some(Id::rp_mo(from, mr)), summary);
        Ok(())
    }

    fn acknowledge(&mut self, place: usize, to: &Msisdn, mr: u8, report: &SubmitReport) {
        let ack = Message::Ack {
            mr,
            tpdu: Tpdu::new(report.emit()).ok(),
        };
        self.output_at(
            place,
            Output::Rp {
                to: to.clone(),
                bytes: ack.emit(Direction::ToPhone),
            },
        );
    }

    fn answer(&mut self, to: &Msisdn, message: &Message) {
        self.output(Output::Rp {
            to: to.clone(),
            bytes: message.emit(Direction::ToPhone),
        });
    }

    pub(super) fn timer_due(&mut self, key: &str) {
        self.fired = Some(key.to_owned());
        if let Some(id) = key.strip_prefix(key::WAITING) {
            self.waiting_due(id);
        } else if let Some(Ok(msisdn)) = key.strip_prefix(key::PHONE).map(str::parse) {
            self.phone_due(&msisdn);
        }
    }
}

/// Whether the same message may be taken later. The phone's own words (TP-FCS) say more than the cause: a full memory and a busy
/// toolkit pass, an error of the card does not.
fn is_temporary(cause: Cause, fcs: Option<Fcs>) -> bool {
    match fcs {
        Some(fcs) => matches!(
            fcs,
            Fcs::SIM_STORAGE_FULL | Fcs::MEMORY_EXCEEDED | Fcs::TOOLKIT_BUSY
        ),
        None => matches!(
            cause,
            Cause::MEMORY_EXCEEDED
                | Cause::DESTINATION_OUT_OF_ORDER
                | Cause::NETWORK_OUT_OF_ORDER
                | Cause::TEMPORARY_FAILURE
                | Cause::CONGESTION
                | Cause::RESOURCES_UNAVAILABLE
        ),
    }
}

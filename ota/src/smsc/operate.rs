//! query_sm, cancel_sm, replace_sm (SMPP 3.4 §4.8 to §4.10): what an ESME can ask about a message that it has
//! submitted, for a phone or for another ESME. A message that has ended is forgotten, and so is its id.

use jiff::Timestamp;
use ota_wire::ids::Msisdn;

use super::convert;
use super::record::{Origin, Stored, Waiting};
use super::route::Route;
use super::work::Work;
use super::{EsmeId, Output};
use crate::smpp::{Answer, CommandStatus, Found, MessageState, Operation, Party, ShortMessage};

impl Work<'_> {
    pub(super) fn operate(&mut self, esme: EsmeId, sequence: u32, operation: Operation) {
        let who = &esme.system_id;
        let answer = match operation {
            Operation::Query { message_id, source } => {
                Answer::Query(self.query(who, &message_id, &source))
            }
            Operation::Cancel {
                service_type,
                message_id,
                source,
                destination,
            } => {
                let cancelled = match message_id.is_empty() {
                    true => self.cancel_group(who, &service_type, &source, &destination),
                    false => self.cancel(who, &message_id, &source),
                };
                Answer::Cancel(status(cancelled))
            }
            Operation::Replace {
                message_id,
                source,
                schedule,
                validity,
                registered_delivery,
                short_message,
            } => {
                let change = Replacement {
                    schedule,
                    validity,
                    registered_delivery,
                    short_message,
                };
                let replaced = match self.for_esme(who, &message_id, &source) {
                    Some((id, waiting)) => self.replace_waiting(&id, waiting, change),
                    None => self.replace(who, &message_id, &source, change),
                };
                Answer::Replace(status(replaced))
            }
        };
        self.output(Output::Answer {
            esme,
            sequence,
            answer,
        });
    }

    fn query(&self, who: &str, id: &str, source: &Party) -> Result<Found, CommandStatus> {
        if self.own(who, id, source).is_err() {
            self.for_esme(who, id, source)
                .ok_or(CommandStatus::RINVMSGID)?;
        }
        Ok(Found {
            message_id: id.to_owned(),
            final_date: String::new(),
            state: MessageState::ENROUTE,
            error_code: 0,
        })
    }

    fn cancel(&mut self, who: &str, id: &str, source: &Party) -> Result<(), CommandStatus> {
        if let Some((id, waiting)) = self.for_esme(who, id, source) {
            return self.delete_waiting(&id, &waiting);
        }
        let (msisdn, _) = self.own(who, id, source)?;
        self.delete(&msisdn, id)
    }

    /// Everything for one address, or of it what one application service has sent.
    fn cancel_group(
        &mut self,
        who: &str,
        service_type: &str,
        source: &Party,
        destination: &Party,
    ) -> Result<(), CommandStatus> {
        let of_service = |stored: &Stored| {
            service_type.is_empty() || stored.message.service_type == service_type
        };
        let phone = match self.route(&destination.address) {
            Some(Route::Phone(phone)) => phone,
            Some(Route::Esme(system_id)) => {
                let mut deleted = Err(CommandStatus::RCANCELFAIL);
                for id in self.waiting_ids(&system_id) {
                    if let Some(waiting) = self.waiting(&id)
                        && is_from(&waiting, who, source)
                        && waiting.submitted.as_deref().is_some_and(of_service)
                        && waiting.message.destination == destination.address
                        && self.delete_waiting(&id, &waiting).is_ok()
                    {
                        deleted = Ok(());
                    }
                }
                return deleted;
            }
            None => return Err(CommandStatus::RINVDSTADR),
        };
        let ids: Vec<_> = self
            .phone(&phone)
            .queue
            .iter()
            .map(|queued| queued.message_id.to_owned())
            .collect();
        let mut deleted = Err(CommandStatus::RCANCELFAIL);
        for id in ids {
            if let Ok((_, stored)) = self.own(who, &id, source)
                && of_service(&stored)
                && self.delete(&phone, &id).is_ok()
            {
                deleted = Ok(());
            }
        }
        deleted
    }

    fn delete(&mut self, msisdn: &Msisdn, id: &str) -> Result<(), CommandStatus> {
        if self.is_under_way(msisdn, id) {
            return Err(CommandStatus::RCANCELFAIL);
        }
        self.finish_message(msisdn, id, MessageState::DELETED, None);
        Ok(())
    }

    fn replace(
        &mut self,
        who: &str,
        id: &str,
        source: &Party,
        change: Replacement,
    ) -> Result<(), CommandStatus> {
        let (msisdn, mut stored) = self.own(who, id, source)?;
        if self.is_under_way(&msisdn, id) {
            return Err(CommandStatus::RREPLACEFAIL);
        }
        let expires = self.change(&mut stored.message, change)?;
        convert::deliver(&stored, false)?;
        if let Some(expires) = expires {
            let mut phone = self.phone(&msisdn);
            phone.queue.extend_validity(id, expires);
            self.put_phone(&msisdn, phone);
        }
        self.put_stored(id, Some(stored));
        Ok(())
    }

    /// Changes the message as it was submitted; the new end of its validity, if that is to change.
    fn change(
        &self,
        message: &mut ShortMessage,
        change: Replacement,
    ) -> Result<Option<Timestamp>, CommandStatus> {
        if !change.schedule.is_empty() {
            return Err(CommandStatus::RINVSCHED);
        }
        message.registered_delivery = change.registered_delivery;
        message.short_message = change.short_message;
        if change.validity.is_empty() {
            return Ok(None);
        }
        message.validity = change.validity;
        let asked = message
            .expires(self.now)
            .map_err(|_| CommandStatus::RINVEXPIRY)?;
        let expires = self.validity(asked).ok_or(CommandStatus::RINVEXPIRY)?;
        Ok(Some(expires))
    }

    /// A message of this account for another one that has not ended.
    fn for_esme(&self, who: &str, id: &str, source: &Party) -> Option<(String, Waiting)> {
        let id = self.waiting_id(id)?;
        let waiting = self.waiting(&id)?;
        is_from(&waiting, who, source).then_some((id, waiting))
    }

    fn delete_waiting(&mut self, id: &str, waiting: &Waiting) -> Result<(), CommandStatus> {
        if self.is_sent(id, waiting) {
            return Err(CommandStatus::RCANCELFAIL);
        }
        self.end_waiting(id, waiting, MessageState::DELETED);
        Ok(())
    }

    fn replace_waiting(
        &mut self,
        id: &str,
        mut waiting: Waiting,
        change: Replacement,
    ) -> Result<(), CommandStatus> {
        if self.is_sent(id, &waiting) {
            return Err(CommandStatus::RREPLACEFAIL);
        }
        let Some(submitted) = &mut waiting.submitted else {
            return Err(CommandStatus::RREPLACEFAIL);
        };
        let expires = self.change(&mut submitted.message, change)?;
        waiting.expires = expires.unwrap_or(waiting.expires);
        waiting.message.short_message = std::mem::take(&mut submitted.message.short_message);
        waiting.message.in_payload = false;
        let due = waiting.pause.unwrap_or(waiting.expires);
        let due = Some(due.min(waiting.expires));
        self.put_waiting(id, Some(waiting), due);
        Ok(())
    }

    /// A message of this account that has not ended, and the phone that it is for. Others' messages are nobody's business.
    fn own(&self, who: &str, id: &str, source: &Party) -> Result<(Msisdn, Stored), CommandStatus> {
        let stored = self.stored(id).filter(|stored| is_own(stored, who, source));
        let stored = stored.ok_or(CommandStatus::RINVMSGID)?;
        let msisdn = stored.message.destination.parse();
        let msisdn = msisdn.map_err(|_| CommandStatus::RINVMSGID)?;
        Ok((msisdn, stored.into_owned()))
    }

    /// Whether the phone may have the message already.
    fn is_under_way(&self, msisdn: &Msisdn, id: &str) -> bool {
        let phone = self.phone(msisdn);
        phone.in_flight.is_some()
            && phone
                .queue
                .first()
                .is_some_and(|first| first.message_id == id)
    }
}

/// What replace_sm puts in the place of what is there.
struct Replacement {
    schedule: String,
    validity: String,
    registered_delivery: u8,
    short_message: Vec<u8>,
}

fn is_from(waiting: &Waiting, who: &str, source: &Party) -> bool {
    let submitted = waiting.submitted.as_ref();
    submitted.is_some_and(|submitted| is_own(submitted, who, source))
}

fn is_own(stored: &Stored, who: &str, source: &Party) -> bool {
    stored.origin == Origin::Esme(who.to_owned())
        && (source.address.is_empty() || source.address == stored.message.source)
}

fn status(result: Result<(), CommandStatus>) -> CommandStatus {
    result.err().unwrap_or(CommandStatus::ROK)
}

//! query_sm, cancel_sm, replace_sm (SMPP 3.4 §4.8 to §4.10): what an ESME can ask about a message for a phone that it has
//! submitted. A message that has ended is forgotten, and so is its id.

use ota_wire::ids::Msisdn;

use super::convert;
use super::record::{Origin, Stored};
use super::work::Work;
use super::{EsmeId, Output};
use crate::smpp::{Answer, CommandStatus, Found, MessageState, Operation, Party};

impl Work<'_> {
    pub(super) fn operate(&mut self, esme: EsmeId, sequence: u32, operation: Operation) {
        let who = &esme.system_id;
        let answer = match operation {
            Operation::Query { message_id, source } => {
                Answer::Query(self.query(who, &message_id, &source))
            }
            Operation::Cancel {
                message_id,
                source,
                destination,
                ..
            } => Answer::Cancel(status(self.cancel(who, &message_id, &source, &destination))),
            Operation::Replace {
                message_id,
                source,
                schedule,
                validity,
                registered_delivery,
                short_message,
            } => {
                let replaced = self.replace(who, &message_id, &source, |stored| {
                    if !schedule.is_empty() {
                        return Err(CommandStatus::RINVSCHED);
                    }
                    if !validity.is_empty() {
                        stored.message.validity = validity;
                    }
                    stored.message.registered_delivery = registered_delivery;
                    stored.message.short_message = short_message;
                    convert::deliver(stored, false).map(drop)
                });
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
            // One for another ESME, which can be asked for only.
            let waiting = self.waiting_by_message_id(id);
            let submitted = waiting.and_then(|waiting| waiting.submitted);
            submitted
                .filter(|submitted| is_own(submitted, who, source))
                .ok_or(CommandStatus::RINVMSGID)?;
        }
        Ok(Found {
            message_id: id.to_owned(),
            final_date: String::new(),
            state: MessageState::ENROUTE,
            error_code: 0,
        })
    }

    fn cancel(
        &mut self,
        who: &str,
        id: &str,
        source: &Party,
        destination: &Party,
    ) -> Result<(), CommandStatus> {
        if !id.is_empty() {
            let (msisdn, _) = self.own(who, id, source)?;
            return self.delete(&msisdn, id);
        }
        let phone: Msisdn = destination
            .address
            .parse()
            .map_err(|_| CommandStatus::RINVDSTADR)?;
        let ids: Vec<_> = self
            .phone(&phone)
            .queue
            .iter()
            .map(|queued| queued.message_id.to_owned())
            .collect();
        let mut deleted = Err(CommandStatus::RCANCELFAIL);
        for id in ids {
            if self.own(who, &id, source).is_ok() && self.delete(&phone, &id).is_ok() {
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
        change: impl FnOnce(&mut Stored) -> Result<(), CommandStatus>,
    ) -> Result<(), CommandStatus> {
        let (msisdn, mut stored) = self.own(who, id, source)?;
        if self.is_under_way(&msisdn, id) {
            return Err(CommandStatus::RREPLACEFAIL);
        }
        change(&mut stored)?;
        let asked = stored
            .message
            .expires(self.now)
            .map_err(|_| CommandStatus::RINVEXPIRY)?;
        let expires = self.validity(asked).ok_or(CommandStatus::RINVEXPIRY)?;
        let mut phone = self.phone(&msisdn);
        phone.queue.extend_validity(id, expires);
        self.put_phone(&msisdn, phone);
        self.put_stored(id, Some(stored));
        Ok(())
    }

    /// A message of this account that has not ended, and the phone that it is for. Others' messages are nobody's business.
    fn own(&self, who: &str, id: &str, source: &Party) -> Result<(Msisdn, Stored), CommandStatus> {
        let stored = self.stored(id).filter(|stored| is_own(stored, who, source));
        let stored = stored.ok_or(CommandStatus::RINVMSGID)?;
        let msisdn = stored.message.destination.parse();
        Ok((msisdn.map_err(|_| CommandStatus::RINVMSGID)?, stored))
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

fn is_own(stored: &Stored, who: &str, source: &Party) -> bool {
    stored.origin == Origin::Esme(who.to_owned())
        && (source.address.is_empty() || source.address == stored.message.source)
}

fn status(result: Result<(), CommandStatus>) -> CommandStatus {
    result.err().unwrap_or(CommandStatus::ROK)
}

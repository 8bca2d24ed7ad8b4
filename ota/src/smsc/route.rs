//! Acceptance: whose number is it, until when is it valid, and then keep it.

use jiff::Timestamp;
use ota_wire::ids::Msisdn;
use ota_wire::trace::Id;

use super::convert;
use super::record::{Origin, Stored};
use super::work::Work;
use super::{EsmeId, Output};
use crate::event::SmscEvent;
use crate::smpp::{
    CommandStatus, Destination, Multi, MultiTaken, Refused, ShortMessage, esm_class, tag,
};

/// Characters of an address in submit_sm and deliver_sm.
const LONGEST_ADDRESS: usize = 20;

/// Where a message goes.
pub(super) enum Route {
    /// To a phone.
    Phone(Msisdn),
    /// To an account.
    Esme(String),
}

impl Work<'_> {
    pub(super) fn submit(&mut self, esme: EsmeId, sequence: u32, message: ShortMessage) {
        let place = self.place();
        let outcome = self.accept(&esme, message);
        if let Err(status) = outcome {
            let own = Id::new(
                "submit",
                format_args!("{}:{}:{sequence}", esme.system_id, esme.link),
            );
            self.event(own, None, SmscEvent::SubmitRefused { status });
        }
        let (status, message_id) = match outcome {
            Ok(message_id) => (CommandStatus::ROK, message_id),
            Err(status) => (status, String::new()),
        };
        self.output_at(
            place,
            Output::SubmitResp {
                esme,
                sequence,
                status,
                message_id,
            },
        );
    }

    /// One message for several receivers is as many messages, under the id of the first one.
    pub(super) fn submit_multi(&mut self, esme: EsmeId, sequence: u32, multi: &Multi) {
        let place = self.place();
        let mut taken = MultiTaken::default();
        let list = |it: &Destination| matches!(it, Destination::List(_));
        // There are no lists here, and no address of one could be named as refused.
        let (mut status, receivers) = match multi.destinations.iter().any(list) {
            true => (CommandStatus::RINVDLNAME, &[][..]),
            false => (CommandStatus::RSUBMITFAIL, &multi.destinations[..]),
        };
        for destination in receivers {
            let Destination::Address(destination) = destination else {
                continue;
            };
            match self.accept(&esme, multi.to(destination)) {
                Ok(id) if taken.message_id.is_empty() => {
                    status = CommandStatus::ROK;
                    self.told = Some(id.clone());
                    taken.message_id = id;
                }
                Ok(_) => {}
                Err(status) => taken.refused.push(Refused {
                    destination: destination.clone(),
                    status,
                }),
            }
        }
        self.told = None;
        if !status.is_ok() {
            let own = Id::new(
                "submit",
                format_args!("{}:{}:{sequence}", esme.system_id, esme.link),
            );
            self.event(own, None, SmscEvent::SubmitRefused { status });
        }
        let output = Output::MultiResp {
            esme,
            sequence,
            status,
            taken,
        };
        self.output_at(place, output);
    }

    fn accept(
        &mut self,
        esme: &EsmeId,
        mut message: ShortMessage,
    ) -> Result<String, CommandStatus> {
        if !message.schedule.is_empty() {
            return Err(CommandStatus::RINVSCHED);
        }
        // Only the SMSC makes those: an ESME that could would speak in its name.
        let kind = message.esm_class & esm_class::TYPE;
        if [esm_class::DELIVERY_RECEIPT, esm_class::NOTIFICATION].contains(&kind) {
            return Err(CommandStatus::RINVESMCLASS);
        }
        // data_sm has room for longer ones, which no deliver_sm could carry.
        if message.source.len() > LONGEST_ADDRESS {
            return Err(CommandStatus::RINVSRCADR);
        }
        if message.in_payload && message.short_message.is_empty() {
            return Err(CommandStatus::RMISSINGOPTPARAM);
        }
        // The message stands in one place: what take_optional left is a second one.
        if message.tlv(tag::MESSAGE_PAYLOAD).is_some() {
            return Err(CommandStatus::ROPTPARNOTALLWD);
        }
        let asked = message
            .expires(self.now)
            .map_err(|_| CommandStatus::RINVEXPIRY)?;
        let expires = self.validity(asked).ok_or(CommandStatus::RINVEXPIRY)?;
        if message.source.is_empty() {
            let own = self
                .config
                .esmes
                .iter()
                .find(|known| known.system_id == esme.system_id);
            message.source = own
                .and_then(|own| own.short_codes.first())
                .cloned()
                .unwrap_or_default();
        }
        let route = self
            .route(&message.destination)
            .ok_or(CommandStatus::RINVDSTADR)?;
        let origin = Origin::Esme(esme.system_id.clone());
        self.keep(route, origin, message, expires)
    }

    /// Whose number this is.
    pub(super) fn route(&self, destination: &str) -> Option<Route> {
        let digits = destination.trim_start_matches('+');
        let owner = self
            .config
            .esmes
            .iter()
            .find(|esme| esme.short_codes.iter().any(|code| code == digits));
        if let Some(owner) = owner {
            return Some(Route::Esme(owner.system_id.clone()));
        }
        let msisdn = destination.parse().ok()?;
        self.config
            .phones
            .knows(&msisdn)
            .then_some(Route::Phone(msisdn))
    }

    /// The end of the validity that is granted; `None` if it is over already.
    pub(super) fn validity(&self, asked: Option<Timestamp>) -> Option<Timestamp> {
        let most = self.after(self.config.max_validity);
        let expires = asked
            .unwrap_or_else(|| self.after(self.config.default_validity))
            .min(most);
        // Records hold whole milliseconds.
        let expires = Timestamp::from_millisecond(expires.as_millisecond()).unwrap_or(expires);
        (expires > self.now).then_some(expires)
    }

    /// Keeps a message; its id.
    pub(super) fn keep(
        &mut self,
        route: Route,
        origin: Origin,
        message: ShortMessage,
        expires: Timestamp,
    ) -> Result<String, CommandStatus> {
        let id = self.new_message_id();
        match route {
            Route::Esme(system_id) => {
                if self.is_full(&system_id) {
                    return Err(CommandStatus::RMSGQFUL);
                }
                let submitted = match origin {
                    Origin::Esme(_) => Some(Stored {
                        origin,
                        message: ShortMessage {
                            short_message: Vec::new(),
                            tlvs: Vec::new(),
                            ..message.clone()
                        },
                        accepted: self.now,
                        told: self.told.clone(),
                    }),
                    Origin::Phone(_) => None,
                };
                self.queue_for_esme(&system_id, &id, message, expires, submitted);
            }
            Route::Phone(msisdn) => {
                let stored = Stored {
                    origin,
                    message,
                    accepted: self.now,
                    told: self.told.clone(),
                };
                convert::deliver(&stored, false)?;
                let mut phone = self.phone(&msisdn);
                if phone.queue.len() >= self.config.max_queue {
                    return Err(CommandStatus::RMSGQFUL);
                }
                phone.queue.push(&id, expires);
                // Something new is as good a reason to try as the end of the pause; the next failure pauses for longer.
                if let Some(pause) = &mut phone.pause {
                    pause.until = self.now;
                }
                self.event(
                    Id::smpp(&id),
                    None,
                    SmscEvent::Kept {
                        to: msisdn.clone(),
                        waiting: phone.queue.len(),
                    },
                );
                self.put_phone(&msisdn, phone);
                self.put_stored(&id, Some(stored));
                self.deliver_next(&msisdn);
            }
        }
        Ok(id)
    }
}

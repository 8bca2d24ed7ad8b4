//! The way back: what a deliver_sm brings is a receipt of the SMSC, a response packet of a card (PoR), or an answer of an
//! application. None of it is believed further than it proves itself.

use ota_wire::ids::Msisdn;
use ota_wire::packet::{Checked, ResponseStatus, check_response};
use ota_wire::sms::udh::{Iei, Udh};
use ota_wire::trace::Id;

use super::record::{Card, CardResponse, Job, JobState, Part};
use super::submit::{Why, command};
use super::work::Work;
use super::{FailReason, Outcome, Output, Por};
use crate::event::{PlatformEvent, PorEffect};
use crate::smpp::{MessageState, ShortMessage, esm_class};

/// User data header of a response packet in one short message; its CC covers these octets however it travelled.
const RESPONSE_UDH: [u8; 3] = [0x02, 0x71, 0x00];

impl Work<'_> {
    pub(super) fn deliver(&mut self, message: &ShortMessage) {
        let Ok(from) = message.source.parse::<Msisdn>() else {
            return self.ignore(message, "the sender is no subscriber's number".to_owned());
        };
        if message.is_receipt() {
            return self.on_receipt(&from, message);
        }
        if message.esm_class & esm_class::TYPE != 0 {
            return self.ignore(
                message,
                "an acknowledgement or notification that was not asked for".to_owned(),
            );
        }
        let destination = message.destination.trim_start_matches('+');
        if !destination.is_empty() && destination != self.config.short_code.trim_start_matches('+')
        {
            return self.ignore(message, "sent to another number".to_owned());
        }
        match self.user_data(&from, message) {
            Ok(Some((octets, true))) => self.on_por(&from, message, &octets),
            Ok(Some((octets, false))) => self.on_answer(&from, message, octets),
            Ok(None) => self.event(
                trace_id(message),
                None,
                PlatformEvent::PartArrived {
                    message: Box::new(message.clone()),
                },
            ),
            Err(why) => self.ignore(message, why),
        }
    }

    /// The user data without header, once all parts are there, and whether it is a response packet.
    fn user_data(
        &mut self,
        from: &Msisdn,
        message: &ShortMessage,
    ) -> Result<Option<(Vec<u8>, bool)>, String> {
        if !message.has_udh() {
            return Ok(Some((message.short_message.clone(), false)));
        }
        let (udh, octets) =
            Udh::parse(&message.short_message).map_err(|error| error.to_string())?;
        let response_packet = udh.packet() == Some(Iei::RESPONSE_PACKET);
        let Some(concat) = udh.concat().map_err(|error| error.to_string())? else {
            return Ok(Some((octets.to_vec(), response_packet)));
        };
        let mut parts = self.parts(from);
        let joined = parts
            .accept(concat, octets, response_packet, self.now)
            .map_err(|error| error.to_string())?;
        self.put_parts(from, parts);
        Ok(joined.map(|joined| (joined.octets, joined.response_packet)))
    }

    fn on_answer(&mut self, from: &Msisdn, message: &ShortMessage, payload: Vec<u8>) {
        let job = self
            .outstanding(from)
            .into_iter()
            .map(|(job, _)| job)
            .find(|job| (self.config.answers)(&job.submit, &payload));
        let correlation = job.as_ref().map(|job| job.submit.correlation.clone());
        let answer = PlatformEvent::Answer {
            from: from.clone(),
            payload: payload.clone(),
            job: job.as_ref().map(|job| job.submit.id.clone()),
        };
        self.event(trace_id(message), None, answer);
        let id = message
            .receipted_message_id()
            .unwrap_or_else(|| self.random_id());
        // An answer stands for the response packet: the card has taken this counter, the next packet may go.
        let ended = job.filter(|job| job.submit.por != Por::Always);
        self.output(Output::Mo {
            id,
            from: from.clone(),
            payload: payload.clone(),
            correlation,
            ends: ended.is_some(),
        });
        if let Some(mut job) = ended {
            job.answer = Some(Part(payload));
            self.end(job, JobState::Answered);
        }
    }

    fn on_por(&mut self, from: &Msisdn, message: &ShortMessage, packet: &[u8]) {
        let outstanding = self.outstanding(from);
        if outstanding.is_empty() {
            return self.ignore(
                message,
                "a response packet, but nothing sent to this card awaits one".to_owned(),
            );
        }
        let packet = [RESPONSE_UDH.as_slice(), packet].concat();
        let (mut found, mut why) = (None, String::new());
        for (job, card) in outstanding {
            let (Some(attempt), Some(keys)) = (job.attempt(), self.keys(from, &card)) else {
                continue;
            };
            let sent = command(&job, attempt.cntr, &keys).sent();
            match check_response(&packet, &sent, &keys) {
                Ok(checked) => {
                    found = Some((job, card, keys, checked));
                    break;
                }
                Err(error) => why = format!("a response packet that answers nothing: {error}"),
            }
        }
        let Some((mut job, card, keys, checked)) = found else {
            return self.ignore(message, why);
        };
        if checked.authenticated {
            self.prove_key_set(&job, &card, &keys);
        }
        let JobState::Under(attempt) = &mut job.state else {
            return;
        };
        let mut effect = effect(&checked, job.submit.por, attempt.hinted, attempt.jumped);
        if effect == PorEffect::Jump && attempt.copies > 0 {
            attempt.copies -= 1;
            self.put_job(job.clone());
            effect = PorEffect::None;
        }
        let por = PlatformEvent::Por {
            from: from.clone(),
            status: checked.status,
            authenticated: checked.authenticated,
            effect,
            packet,
        };
        self.event(trace_id(message), Some(Id::job(&job.submit.id)), por);
        match effect {
            PorEffect::None => {}
            PorEffect::Acknowledge => {
                let response = CardResponse {
                    status: checked.status.0,
                    data: checked.data,
                };
                self.learn_key_set(&job, &response);
                job.response = Some(response.clone());
                self.report(&job.submit.id, Outcome::Acknowledged(response));
                self.end(job, JobState::Answered);
            }
            PorEffect::SendAgain => self.send(job, Why::Hint),
            PorEffect::Jump => self.send(job, Why::Jump),
            PorEffect::Fail => self.fail(job, FailReason::Card(checked.status.0)),
        }
    }

    fn on_receipt(&mut self, from: &Msisdn, message: &ShortMessage) {
        let Some((id, state)) = receipt(message) else {
            return self.ignore(message, "a receipt without message id or state".to_owned());
        };
        for (job, _) in self.outstanding(from) {
            self.receipt(job, &id, state);
        }
    }

    /// The jobs on their way to the card of this number: one for each key set at most.
    fn outstanding(&self, from: &Msisdn) -> Vec<(Job, Card)> {
        let under_way = |card: Card| {
            let job = self.job(&self.sim(&card).outstanding?)?;
            Some((job, card))
        };
        self.cards(from).into_iter().filter_map(under_way).collect()
    }

    fn ignore(&mut self, message: &ShortMessage, why: String) {
        self.event(
            trace_id(message),
            None,
            PlatformEvent::Ignored {
                why,
                message: Box::new(message.clone()),
            },
        );
    }
}

/// What a response packet is worth. Only what the card itself has signed decides anything; an unsigned error is a hint, good for
/// one re-send, since a stranger can send as many as he likes.
fn effect(checked: &Checked, wanted: Por, hinted: bool, jumped: bool) -> PorEffect {
    let status = checked.status;
    if checked.authenticated && status == ResponseStatus::POR_OK && wanted == Por::Always {
        return PorEffect::Acknowledge;
    }
    if status.is_success() || status == ResponseStatus::MORE_TIME {
        return PorEffect::None;
    }
    match (checked.authenticated, status) {
        (true, ResponseStatus::CNTR_LOW) if !jumped => PorEffect::Jump,
        (true, _) => PorEffect::Fail,
        (false, _) if !hinted => PorEffect::SendAgain,
        (false, _) => PorEffect::None,
    }
}

/// The trace id under which the SMSC reported the message; one without a message id is its sender's.
fn trace_id(message: &ShortMessage) -> Id {
    match message.receipted_message_id() {
        Some(id) => Id::smpp(&id),
        None => Id::new("mo", &message.source),
    }
}

/// Message id and state of a receipt, from its optional parameters or, with older SMSCs, from its text
/// (`id:… stat:…`, SMPP 3.4 Appendix B).
fn receipt(message: &ShortMessage) -> Option<(String, MessageState)> {
    let text = String::from_utf8_lossy(&message.short_message);
    let word = |name: &str| {
        let (_, rest) = text.split_once(name)?;
        rest.split_whitespace().next().map(str::to_owned)
    };
    let id = message.receipted_message_id().or_else(|| word("id:"))?;
    let named = || {
        let stat = word("stat:")?;
        (0..=u8::MAX)
            .map(MessageState)
            .find(|state| state.stat() == stat)
    };
    Some((id, message.message_state().or_else(named)?))
}

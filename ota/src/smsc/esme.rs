//! The side of the ESMEs: sessions, deliver_sm, receipts (SMPP 3.4 §4.6, Appendix B).

use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use ota_wire::rp::Cause;
use ota_wire::trace::Id;

use super::record::{Backlog, Origin, Stored, Waiting, key};
use super::work::Work;
use super::{EsmeId, Output};
use crate::event::SmscEvent;
use crate::smpp::{
    BindMode, CommandStatus, MessageState, ShortMessage, Tlv, esm_class, registered_delivery, tag,
};

/// How long to wait for a deliver_sm_resp before the message is sent again.
const RESPONSE_WITHIN: SignedDuration = SignedDuration::from_secs(60);
/// `network_error_code` begins with the kind of network; 3 is GSM (SMPP 3.4 §5.3.2.31).
const GSM: u8 = 3;

impl Work<'_> {
    pub(super) fn started(&mut self) {
        for (key, _) in self.view.scan(key::LINKS) {
            if let Some(system_id) = key.strip_prefix(key::LINKS) {
                self.put_links(system_id, Default::default());
            }
        }
        // The numbers of sessions begin anew: what one of before had is not the new one's.
        for (key, _) in self.view.scan(key::WAITING) {
            if let Some(id) = key.strip_prefix(key::WAITING)
                && let Some(mut waiting) = self.waiting(id)
                && waiting.sent.take().is_some()
            {
                let due = waiting.expires;
                self.put_waiting(id, Some(waiting), Some(due));
            }
        }
        self.resume_phones();
    }

    pub(super) fn bound(&mut self, esme: &EsmeId, mode: BindMode) {
        let mut links = self.links(&esme.system_id);
        links.links.retain(|(link, _)| *link != esme.link);
        links.links.push((esme.link, mode));
        self.put_links(&esme.system_id, links);
        self.event(
            Id::new("esme", &esme.system_id),
            None,
            SmscEvent::Esme { bound: true },
        );
        if mode.receives() {
            self.fill(&esme.system_id);
        }
    }

    pub(super) fn unbound(&mut self, esme: &EsmeId) {
        let mut links = self.links(&esme.system_id);
        links.links.retain(|(link, _)| *link != esme.link);
        self.put_links(&esme.system_id, links);
        self.event(
            Id::new("esme", &esme.system_id),
            None,
            SmscEvent::Esme { bound: false },
        );
        // What this session had is the others' now, if there are any.
        self.fill(&esme.system_id);
    }

    /// Gives the sessions of an account what they have room for, in order of acceptance, and notes whether more waits.
    fn fill(&mut self, system_id: &str) {
        let links = self.links(system_id);
        let receiving = links.links.iter().rev().filter(|(_, mode)| mode.receives());
        let mut room: Vec<(u64, usize)> = receiving
            .map(|(link, _)| (*link, self.config.window))
            .collect();
        if room.is_empty() {
            return self.put_backlog(system_id, None);
        }
        let mut unsent = Vec::new();
        for id in self.waiting_ids(system_id) {
            let Some(waiting) = self.waiting(&id) else {
                continue;
            };
            let holder = room
                .iter_mut()
                .find(|(link, _)| waiting.sent == Some(*link));
            match holder {
                Some((_, room)) => *room = room.saturating_sub(1),
                None if waiting.pause.is_some_and(|pause| pause > self.now) => {}
                None => unsent.push((id, waiting)),
            }
        }
        let mut unsent = unsent.into_iter();
        for (link, room) in &room {
            for (id, waiting) in unsent.by_ref().take(*room) {
                let esme = EsmeId {
                    system_id: system_id.to_owned(),
                    link: *link,
                };
                self.deliver_by(esme, &id, waiting);
            }
        }
        // Half a window is enough to keep a session busy, and each look at the queue costs.
        let answers = (self.config.window * room.len()).div_ceil(2);
        let backlog = unsent.next().map(|_| Backlog { answers });
        self.put_backlog(system_id, backlog);
    }

    /// A message has left its session: time for more, if more waits.
    fn refill(&mut self, system_id: &str) {
        match self.backlog(system_id) {
            None => {}
            Some(Backlog { answers }) if answers > 1 => {
                let answers = answers - 1;
                self.put_backlog(system_id, Some(Backlog { answers }));
            }
            Some(_) => self.fill(system_id),
        }
    }

    /// The session is full, or gone: from now on what comes for this ESME waits its turn.
    pub(super) fn not_sent(&mut self, id: &str) {
        let Some(mut waiting) = self.waiting(id) else {
            return;
        };
        waiting.sent = None;
        // Should no answer come any more, its timer looks after it.
        let due = self.retry_at(1).min(waiting.expires);
        self.put_waiting(id, Some(waiting), Some(due));
        if self.backlog(owner(id)).is_none() {
            self.put_backlog(owner(id), Some(Backlog { answers: 1 }));
        }
    }

    /// Keeps a message for an ESME and sends it, if there is a session that can take it.
    pub(super) fn queue_for_esme(
        &mut self,
        system_id: &str,
        message_id: &str,
        mut message: ShortMessage,
        expires: Timestamp,
        submitted: Option<Stored>,
    ) {
        if self.config.number_deliveries && message.receipted_message_id().is_none() {
            message.set_receipted_message_id(message_id);
        }
        // What an ESME asked of the SMSC is not for the receiver's eyes, nor allowed in a deliver_sm.
        message.validity.clear();
        message.schedule.clear();
        message.registered_delivery = 0;
        message.replace_if_present = 0;
        message.esm_class &= !esm_class::MODE;
        let id = key::waiting_id(system_id, self.now, message_id);
        let waiting = Waiting {
            message_id: message_id.to_owned(),
            message,
            expires,
            failures: 0,
            sent: None,
            pause: None,
            submitted: submitted.map(Box::new),
        };
        self.try_delivery(system_id, &id, waiting);
    }

    /// Whether as many messages wait for an ESME as may. What is on its way to a bound one is bounded by the windows and queues of
    /// its sessions.
    pub(super) fn is_full(&self, system_id: &str) -> bool {
        let links = self.links(system_id);
        let bound = links.links.iter().any(|(_, mode)| mode.receives());
        if bound && self.backlog(system_id).is_none() {
            return false;
        }
        self.waiting_ids(system_id).len() >= self.config.max_esme_queue
    }

    /// The SMSC's own id of a message for an ESME that has not ended, by the message's id, which begins with the time of acceptance.
    pub(super) fn waiting_id(&self, message_id: &str) -> Option<String> {
        let accepted = i64::from_str_radix(message_id.get(..11)?, 16).ok()?;
        let accepted = Timestamp::from_millisecond(accepted).ok()?;
        let mut ids = self
            .config
            .esmes
            .iter()
            .map(|esme| key::waiting_id(&esme.system_id, accepted, message_id));
        ids.find(|id| self.waiting(id).is_some())
    }

    /// Whether its ESME may have a message already.
    pub(super) fn is_sent(&self, id: &str, waiting: &Waiting) -> bool {
        let links = self.links(owner(id)).links;
        links.iter().any(|(link, _)| waiting.sent == Some(*link))
    }

    /// The message has ended: its sender learns it if he asked.
    pub(super) fn end_waiting(&mut self, id: &str, waiting: &Waiting, state: MessageState) {
        self.put_waiting(id, None, None);
        if let Some(submitted) = &waiting.submitted {
            self.send_receipt(&waiting.message_id, submitted, state, None);
        }
    }

    fn try_delivery(&mut self, system_id: &str, id: &str, waiting: Waiting) {
        let links = self.links(system_id);
        let newest = links.links.iter().rev().find(|(_, mode)| mode.receives());
        match newest {
            Some((link, _)) if self.backlog(system_id).is_none() => {
                let esme = EsmeId {
                    system_id: system_id.to_owned(),
                    link: *link,
                };
                self.deliver_by(esme, id, waiting);
            }
            bound => {
                if bound.is_none() {
                    self.event(Id::smpp(&waiting.message_id), None, SmscEvent::EsmeAway);
                }
                let due = Some(waiting.expires);
                self.put_waiting(id, Some(waiting), due);
            }
        }
    }

    fn deliver_by(&mut self, esme: EsmeId, id: &str, mut waiting: Waiting) {
        let due = self.after(RESPONSE_WITHIN).min(waiting.expires);
        waiting.sent = Some(esme.link);
        waiting.pause = None;
        self.output(Output::Deliver {
            esme,
            id: id.to_owned(),
            message: waiting.message.clone(),
        });
        self.put_waiting(id, Some(waiting), Some(due));
    }

    pub(super) fn deliver_resp(&mut self, id: &str, result: Result<(), CommandStatus>) {
        let Some(mut waiting) = self.waiting(id) else {
            return;
        };
        let own = Id::smpp(&waiting.message_id);
        match result {
            Ok(()) => {
                self.event(own, None, SmscEvent::EsmeTook);
                self.end_waiting(id, &waiting, MessageState::DELIVERED);
            }
            Err(status) => {
                let again = status.asks_to_wait()
                    || matches!(status, CommandStatus::RX_T_APPN | CommandStatus::RSYSERR);
                self.event(own, None, SmscEvent::EsmeRefused { status, again });
                if again {
                    waiting.failures = waiting.failures.saturating_add(1);
                    waiting.sent = None;
                    let due = self.retry_at(waiting.failures).min(waiting.expires);
                    waiting.pause = Some(due);
                    self.put_waiting(id, Some(waiting), Some(due));
                } else {
                    self.end_waiting(id, &waiting, MessageState::UNDELIVERABLE);
                }
            }
        }
        self.refill(owner(id));
    }

    pub(super) fn waiting_due(&mut self, id: &str) {
        let Some(mut waiting) = self.waiting(id) else {
            return;
        };
        if waiting.expires <= self.now {
            self.event(Id::smpp(&waiting.message_id), None, SmscEvent::EsmeTooLate);
            self.end_waiting(id, &waiting, MessageState::EXPIRED);
        } else {
            // The answer is overdue, or the pause is over.
            (waiting.sent, waiting.pause) = (None, None);
            self.try_delivery(owner(id), id, waiting);
        }
        if self.backlog(owner(id)).is_some() {
            self.fill(owner(id));
        }
    }

    /// Tells an ESME what became of its message, if it asked.
    pub(super) fn send_receipt(
        &mut self,
        message_id: &str,
        stored: &Stored,
        state: MessageState,
        cause: Option<Cause>,
    ) {
        let Origin::Esme(system_id) = &stored.origin else {
            return;
        };
        let delivered = state == MessageState::DELIVERED;
        let wanted = match stored.message.registered_delivery & registered_delivery::RECEIPT {
            registered_delivery::ALWAYS => true,
            registered_delivery::ON_FAILURE => !delivered,
            registered_delivery::ON_SUCCESS => delivered,
            _ => false,
        };
        // A receipt that finds no room is not worth what it would push out.
        if wanted && !self.is_full(system_id) {
            let told = stored.told.as_deref().unwrap_or(message_id);
            let receipt = receipt(told, stored, state, cause, self.now);
            let id = self.new_message_id();
            let expires = self.after(self.config.default_validity);
            self.queue_for_esme(system_id, &id, receipt, expires, None);
        }
    }
}

/// The account that a message waits for.
fn owner(id: &str) -> &str {
    id.rsplit_once('/').map_or("", |(system_id, _)| system_id)
}

/// A receipt, in optional parameters and in the text of Appendix B that older ESMEs read.
fn receipt(
    message_id: &str,
    stored: &Stored,
    state: MessageState,
    cause: Option<Cause>,
    now: Timestamp,
) -> ShortMessage {
    let message = &stored.message;
    let minute = |instant| {
        Offset::UTC
            .to_datetime(instant)
            .strftime("%y%m%d%H%M")
            .to_string()
    };
    let delivered = u8::from(state == MessageState::DELIVERED);
    let error = cause.map_or(0, |cause| cause.0);
    let text = format!(
        "id:{message_id} sub:001 dlvrd:{delivered:03} submit date:{} done date:{} stat:{} err:{error:03} text:",
        minute(stored.accepted),
        minute(now),
        state.stat(),
    );
    let mut receipt = ShortMessage {
        source: message.destination.clone(),
        source_ton: message.destination_ton,
        source_npi: message.destination_npi,
        destination: message.source.clone(),
        destination_ton: message.source_ton,
        destination_npi: message.source_npi,
        esm_class: esm_class::DELIVERY_RECEIPT,
        short_message: text.into_bytes(),
        ..ShortMessage::default()
    };
    receipt.set_receipted_message_id(message_id);
    receipt.tlvs.push(Tlv {
        tag: tag::MESSAGE_STATE,
        value: vec![state.0],
    });
    if let Some(cause) = cause {
        receipt.tlvs.push(Tlv {
            tag: tag::NETWORK_ERROR_CODE,
            value: vec![GSM, 0, cause.0],
        });
    }
    receipt
}

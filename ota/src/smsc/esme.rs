//! The side of the ESMEs: sessions, deliver_sm, receipts (SMPP 3.4 §4.6, Appendix B).

use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use ota_wire::rp::Cause;
use ota_wire::trace::Id;

use super::record::{Origin, Stored, Waiting, key};
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
        if !mode.receives() {
            return;
        }
        let prefix = key::waiting(&format!("{}/", esme.system_id));
        for (key, record) in self.view.scan(&prefix) {
            let id = key.strip_prefix(key::WAITING).unwrap_or_default();
            if owner(id) == esme.system_id
                && let Ok(waiting) = serde_json::from_slice::<Waiting>(&record)
            {
                self.deliver_by(esme.clone(), id, waiting);
            }
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
            submitted: submitted.map(Box::new),
        };
        self.try_delivery(system_id, &id, waiting);
    }

    /// Whether an absent ESME has as many messages waiting as may wait. What is on its way to a bound one is bounded by the
    /// windows of the sessions.
    pub(super) fn is_full(&self, system_id: &str) -> bool {
        let links = self.links(system_id);
        let prefix = key::waiting(&format!("{system_id}/"));
        if links.links.iter().any(|(_, mode)| mode.receives()) {
            return false;
        }
        let waiting = self.view.scan(&prefix);
        let own = waiting.iter().filter(|(key, _)| {
            let id = key.strip_prefix(key::WAITING).unwrap_or_default();
            owner(id) == system_id
        });
        own.count() >= self.config.max_queue
    }

    /// A message for an ESME that has not ended, by the SMSC's id of it, which begins with the time of acceptance.
    pub(super) fn waiting_by_message_id(&self, message_id: &str) -> Option<Waiting> {
        let accepted = i64::from_str_radix(message_id.get(..11)?, 16).ok()?;
        let accepted = Timestamp::from_millisecond(accepted).ok()?;
        self.config
            .esmes
            .iter()
            .find_map(|esme| self.waiting(&key::waiting_id(&esme.system_id, accepted, message_id)))
    }

    /// The message has ended: its sender learns it if he asked.
    fn end_waiting(&mut self, id: &str, waiting: &Waiting, state: MessageState) {
        self.put_waiting(id, None, None);
        if let Some(submitted) = &waiting.submitted {
            self.send_receipt(&waiting.message_id, submitted, state, None);
        }
    }

    fn try_delivery(&mut self, system_id: &str, id: &str, waiting: Waiting) {
        let links = self.links(system_id);
        match links.links.iter().rev().find(|(_, mode)| mode.receives()) {
            Some((link, _)) => {
                let esme = EsmeId {
                    system_id: system_id.to_owned(),
                    link: *link,
                };
                self.deliver_by(esme, id, waiting);
            }
            None => {
                let due = Some(waiting.expires);
                self.event(Id::smpp(&waiting.message_id), None, SmscEvent::EsmeAway);
                self.put_waiting(id, Some(waiting), due);
            }
        }
    }

    fn deliver_by(&mut self, esme: EsmeId, id: &str, waiting: Waiting) {
        let due = self.after(RESPONSE_WITHIN).min(waiting.expires);
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
                if !again {
                    return self.end_waiting(id, &waiting, MessageState::UNDELIVERABLE);
                }
                waiting.failures = waiting.failures.saturating_add(1);
                let due = self.retry_at(waiting.failures).min(waiting.expires);
                self.put_waiting(id, Some(waiting), Some(due));
            }
        }
    }

    pub(super) fn waiting_due(&mut self, id: &str) {
        let Some(waiting) = self.waiting(id) else {
            return;
        };
        if waiting.expires <= self.now {
            self.event(Id::smpp(&waiting.message_id), None, SmscEvent::EsmeTooLate);
            return self.end_waiting(id, &waiting, MessageState::EXPIRED);
        }
        self.try_delivery(owner(id), id, waiting);
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
        if wanted {
            let receipt = receipt(message_id, stored, state, cause, self.now);
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

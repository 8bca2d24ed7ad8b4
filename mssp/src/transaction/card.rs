//! One signature at a time for each SIM: who has the card, and who waits for it.

use ota_wire::ids::Iccid;

use super::end::Ending;
use crate::{
    code::Code,
    config::Concurrency,
    event::EventKind,
    party::Turn,
    record::{Change, Lingering, Occupation, Transaction, key, load},
    soap::Fault,
};

impl Turn<'_> {
    /// Makes sure that no other transaction has the SIM. A cancelled one whose challenge is still on the card is returned.
    ///
    /// # Errors
    /// 406.
    pub(super) fn make_room(&mut self, iccid: &Iccid) -> Result<Option<Lingering>, Fault> {
        let Some(occupation) = load::<Occupation>(self.view, key::busy(iccid))? else {
            return Ok(None);
        };
        let lingering = occupation.lingering.filter(|one| self.now < one.until);
        let Some(other) = self
            .transaction(&occupation.by)?
            .filter(|other| other.outcome.is_none())
        else {
            return Ok(lingering);
        };
        if self.now >= other.deadline {
            // Its timer is on the way.
            self.expire(other);
            return Ok(lingering);
        }
        let on_card = other.waiting.is_none().then(|| Lingering {
            id: other.id.clone(),
            until: other.deadline,
        });
        if other.receipt_of.is_some() && on_card.is_some() {
            // The user reads what became of the last one, which is no reason to refuse the next.
            return Ok(on_card);
        }
        let refuses = self.config.concurrency == Concurrency::Refuse;
        if refuses && other.receipt_of.is_none() {
            return Err(Fault::new(
                Code::PB_SIGNATURE_PROCESS,
                format!(
                    "{} is busy with another signature, try again later",
                    other.msisdn
                ),
            ));
        }
        let detail = "another request for the same SIM took its place".to_owned();
        self.end(other, Ending::failed(Code::USER_CANCEL, 4011, detail));
        Ok(on_card.or(lingering))
    }

    /// Gives the SIM to a transaction.
    pub(super) fn occupy(&mut self, txn: &Transaction, lingering: Option<Lingering>) {
        if let Some(one) = &lingering {
            self.change(Change::BusyTimer(txn.iccid.clone(), Some(one.until)));
        }
        let occupation = Occupation {
            by: txn.id.clone(),
            lingering,
        };
        self.change(Change::Busy(txn.iccid.clone(), Some(occupation)));
    }

    /// A transaction has ended. Its SIM is free, unless an older challenge is still on it.
    pub(super) fn leave(&mut self, txn: &Transaction) {
        let left = match self.occupation(&txn.iccid) {
            Some(occupation) if occupation.by == txn.id => {
                occupation.lingering.is_some().then_some(occupation)
            }
            // Its place has been taken.
            other => other,
        };
        self.change(Change::Busy(txn.iccid.clone(), left));
    }

    /// The card has done with the challenge of `txn`, whose transaction has ended before: what waits for it may go.
    pub(super) fn card_done(&mut self, txn: &Transaction) {
        if let Some(occupation) = self.occupation(&txn.iccid)
            && occupation
                .lingering
                .as_ref()
                .is_some_and(|one| one.id == txn.id)
        {
            self.release(&txn.iccid, occupation);
        }
    }

    /// The timer of a card that did not answer.
    pub(crate) fn card_due(&mut self, iccid: &str) {
        let Ok(iccid) = iccid.parse() else {
            return;
        };
        if let Some(occupation) = self.occupation(&iccid)
            && occupation
                .lingering
                .as_ref()
                .is_some_and(|one| one.until <= self.now)
        {
            self.release(&iccid, occupation);
        }
    }

    fn release(&mut self, iccid: &Iccid, occupation: Occupation) {
        self.change(Change::BusyTimer(iccid.clone(), None));
        let waits = self
            .transaction_or_tell(&occupation.by)
            .filter(|txn| txn.outcome.is_none());
        let Some(mut txn) = waits else {
            self.change(Change::Busy(iccid.clone(), None));
            return;
        };
        self.tell(&txn, EventKind::Freed);
        self.occupy(&txn, None);
        if let Some(payload) = txn.waiting.take() {
            self.submit(&txn, payload);
            self.change(Change::Transaction(Box::new(txn)));
        }
    }

    fn occupation(&mut self, iccid: &Iccid) -> Option<Occupation> {
        match load(self.view, key::busy(iccid)) {
            Ok(occupation) => occupation,
            Err(unreadable) => {
                let reason = unreadable.to_string();
                let own = ota_wire::trace::Id::new("iccid", iccid);
                self.event(own, None, EventKind::Internal { reason });
                None
            }
        }
    }
}

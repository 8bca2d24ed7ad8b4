//! MSS_Signature (TS 102 204 §7.1): from an accepted request to a challenge on its way.

use jiff::{SignedDuration, Timestamp};
use ota_wire::{
    applet::{Challenge, ChallengeView},
    ids::{Iccid, Tar},
    trace::Id,
};

use super::accept::Accepted;
use crate::{
    code::Code,
    event::EventKind,
    front::{Exchange, Handled},
    messages::{Head, MessagingMode, SignatureReq, SignatureResp, Status},
    operations::Caller,
    party::Turn,
    record::{Change, Lingering, Origin, Sent, Transaction, key, load},
    soap::{Fault, Shape},
    step::{Output, Submit},
    xml::Element,
};

impl Turn<'_> {
    pub(crate) fn signature(
        &mut self,
        exchange: &mut Exchange,
        caller: Caller<'_>,
        message: &Element,
    ) -> Result<Handled, Fault> {
        let request = SignatureReq::parse(message)?;
        if let Some(known) = self.known(&caller.head)? {
            return self.again(exchange, caller.head, request, known);
        }
        let accepted = Accepted::new(self, &caller, &request)?;
        let lingering = self.make_room(&accepted.subscriber.iccid)?;
        let txn = self.open(exchange, caller.head, request, accepted, lingering, None)?;
        exchange.belongs_to(&txn);
        let handled = self.first_answer(exchange, &txn);
        self.change(Change::Transaction(Box::new(txn)));
        Ok(handled)
    }

    /// The transaction that this AP_TransID of this AP began.
    fn known(&self, head: &Head) -> Result<Option<Transaction>, Fault> {
        let key = key::ap_transaction(&head.ap.ap_trans_id, &head.ap.ap_id);
        match load::<String>(self.view, key)? {
            None => Ok(None),
            Some(id) => Ok(self.transaction(&id)?),
        }
    }

    /// A request whose AP_TransID was used before: if it is the same request, sent again because its answer was lost,
    /// it gets the same transaction.
    fn again(
        &mut self,
        exchange: &mut Exchange,
        head: Head,
        request: SignatureReq,
        mut txn: Transaction,
    ) -> Result<Handled, Fault> {
        let origin = origin(head, txn.origin.shape.clone());
        if origin != txn.origin || request != txn.request {
            return Err(Fault::new(
                Code::WRONG_PARAM,
                format!(
                    "AP_TransID {:?} was used before for another request",
                    origin.ap_trans_id
                ),
            ));
        }
        exchange.belongs_to(&txn);
        if txn.request.mode != MessagingMode::Synch {
            return Ok(self.first_answer(exchange, &txn));
        }
        if let Some(outcome) = &txn.outcome {
            return match outcome.fault() {
                Some(fault) => Err(fault),
                None => Ok(Handled::Now {
                    body: self.final_response(&txn, &exchange.shape),
                    ends: true,
                }),
            };
        }
        let waiting = (exchange.connection, exchange.shape.clone());
        if let Some((displaced, shape)) = txn.held.replace(waiting) {
            let fault = Fault::new(
                Code::PB_SIGNATURE_PROCESS,
                "the same request came again over another connection; that one gets the result",
            );
            self.reply_fault(displaced, &shape, &txn, &fault);
        }
        self.change(Change::Transaction(Box::new(txn)));
        Ok(Handled::Later)
    }

    /// Makes the transaction and its challenge; everything but the record of the transaction itself is written.
    pub(super) fn open(
        &mut self,
        exchange: &Exchange,
        head: Head,
        request: SignatureReq,
        accepted: Accepted,
        lingering: Option<Lingering>,
        receipt_of: Option<String>,
    ) -> Result<Transaction, Fault> {
        let Accepted {
            profile,
            subscriber,
            text,
            deadline,
            signing,
            digest,
        } = accepted;
        let id = self.new_trans_id();
        let mut tid = [0; 8];
        self.rng.fill_bytes(&mut tid);
        let ctr = self.next_counter(&subscriber.iccid)?;
        let challenge = Challenge {
            tid,
            ctr,
            method: profile.method,
            mac_algorithm: profile.mac_algorithm,
            valid_for: seconds_until(self.now, deadline),
            text,
            digest,
        };
        let mac_key = self
            .config
            .directory
            .mac_key(&subscriber.iccid, profile.mac_algorithm);
        let payload = challenge.seal(&mac_key);
        let mac = ChallengeView::new_checked(&payload)
            .map_err(|e| Fault::new(Code::INTERNAL_ERROR, e.to_string()))?
            .mac();
        let held = (request.mode == MessagingMode::Synch)
            .then(|| (exchange.connection, exchange.shape.clone()));
        let txn = Transaction {
            id: id.clone(),
            origin: origin(head, exchange.shape.clone()),
            request,
            profile: profile.used.unwrap_or(profile.uri),
            msisdn: subscriber.msisdn,
            iccid: subscriber.iccid,
            challenge: Sent {
                tid,
                ctr,
                mac_algorithm: profile.mac_algorithm,
                mac,
            },
            deadline,
            held,
            outcome: None,
            waiting: lingering.is_some().then(|| payload.clone()),
            signing,
            receipted: false,
            receipt_of,
        };
        self.change(Change::Counter(txn.iccid.clone(), ctr));
        self.change(Change::Tid(tid, Some(id.clone())));
        // The AP_TransID of a receipt begins nothing; clients take that of the signature.
        if txn.receipt_of.is_none() {
            self.change(Change::ApTransaction {
                ap_trans_id: txn.origin.ap_trans_id.clone(),
                ap_id: txn.origin.ap_id.clone(),
                mssp_trans_id: Some(id.clone()),
            });
        }
        self.change(Change::TransactionTimer(id, Some(deadline)));
        self.occupy(&txn, lingering);
        if txn.waiting.is_some() {
            self.tell(&txn, EventKind::Queued);
        } else {
            self.submit(&txn, payload);
        }
        Ok(txn)
    }

    pub(super) fn submit(&mut self, txn: &Transaction, payload: Vec<u8>) {
        let applet = Id::applet(&txn.iccid, txn.challenge.ctr);
        let challenged = EventKind::Challenged {
            msisdn: txn.msisdn.clone(),
            payload: payload.clone(),
        };
        let of = txn.receipt_of.as_ref().unwrap_or(&txn.id);
        self.event(applet.clone(), Some(Id::mssp_trans_id(of)), challenged);
        self.output(Output::Submit(Submit {
            id: txn.id.clone(),
            msisdn: txn.msisdn.clone(),
            tar: Tar::MID,
            payload,
            expires: txn.deadline,
            correlation: applet.to_string(),
        }));
    }

    /// The counter of the next challenge to this SIM. It is stored in the step that uses it, before the challenge
    /// leaves, so no counter is used twice even if the clock stands still or goes back.
    fn next_counter(&self, iccid: &Iccid) -> Result<u64, Fault> {
        let last: Option<u64> = load(self.view, key::counter(iccid))?;
        let now = u64::try_from(self.now.as_millisecond()).unwrap_or(0);
        match last {
            None => Ok(now),
            Some(last) => last
                .checked_add(1)
                .map(|next| next.max(now))
                .ok_or_else(|| {
                    Fault::new(
                        Code::INTERNAL_ERROR,
                        "the applet counter of this SIM is used up",
                    )
                }),
        }
    }

    /// What the request is answered with before the user has acted: nothing in synch, 100 otherwise.
    fn first_answer(&self, exchange: &Exchange, txn: &Transaction) -> Handled {
        if txn.request.mode == MessagingMode::Synch {
            return Handled::Later;
        }
        let response = SignatureResp {
            head: self.head_of(txn),
            mssp_trans_id: txn.id.clone(),
            user: txn.request.user.clone(),
            signature: None,
            profile: txn.profile.clone(),
            status: Status::of(Code::REQUEST_OK),
        };
        Handled::Now {
            body: response.to_xml(&exchange.shape),
            ends: false,
        }
    }

    /// The answer to a synch request whose user has signed.
    pub(super) fn final_response(&self, txn: &Transaction, shape: &Shape) -> String {
        SignatureResp {
            head: self.head_of(txn),
            mssp_trans_id: txn.id.clone(),
            user: txn.request.user.clone(),
            signature: txn.signature(),
            profile: txn.profile.clone(),
            status: self.status_of(txn),
        }
        .to_xml(shape)
    }
}

fn origin(head: Head, shape: Shape) -> Origin {
    Origin {
        ap_id: head.ap.ap_id,
        ap_trans_id: head.ap.ap_trans_id,
        instant: head.ap.instant,
        ap_url: head.ap.ap_url,
        version: head.version,
        shape,
    }
}

/// Seconds from `now` to `deadline`, rounded up, at least 1: 0 would mean no limit.
fn seconds_until(now: Timestamp, deadline: Timestamp) -> u16 {
    let left: SignedDuration = deadline.duration_since(now);
    let seconds = left.as_secs() + i64::from(left.subsec_nanos() > 0);
    u16::try_from(seconds.max(1)).unwrap_or(u16::MAX)
}

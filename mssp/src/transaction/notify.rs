//! MSS_Notification (TS 102 204 §7.6): the MSSP calls the AP, which answers with an MSS_ReceiptReq.
//!
//! A notification cannot be a fault, so a failure travels as its number in StatusCode, without MSS_Signature. It is sent
//! again with growing pauses until the AP acknowledges it or [`notification_delays`] are used up; after that the AP can
//! still ask with MSS_StatusQuery.
//!
//! [`notification_delays`]: crate::Config::notification_delays

use bytes::Bytes;
use http::{Response, header::CONTENT_TYPE};
use jiff::Timestamp;
use ota_wire::trace::Id;

use crate::{
    code::Code,
    event::{Body, EventKind},
    messages::{ReceiptReq, StatusResp},
    party::Turn,
    record::{Change, Notice, Transaction},
    soap::Call,
    step::{Output, Peer, Send, SendError},
};

impl Turn<'_> {
    /// Sends the next notification and sets the timer for the one after. The caller stores the transaction.
    pub(super) fn notify(&mut self, txn: &mut Transaction) {
        let made = match txn.notice {
            Notice::None => 0,
            Notice::Attempted { times, .. } => times,
            Notice::Acknowledged | Notice::GivenUp => return,
        };
        let (Some(delay), Some(url)) = (
            self.config.notification_delays.get(made).copied(),
            txn.origin.ap_url.clone(),
        ) else {
            txn.notice = Notice::GivenUp;
            self.tell(txn, EventKind::NotificationGivenUp { attempts: made });
            return;
        };
        let attempt = made + 1;
        let next = self.now.checked_add(delay).unwrap_or(Timestamp::MAX);
        txn.notice = Notice::Attempted {
            times: attempt,
            next,
        };
        let version = txn.origin.shape.version;
        let body = Bytes::from(self.notification(txn));
        let notified = EventKind::Notified {
            attempt,
            url: Body(Bytes::copy_from_slice(url.as_bytes())),
            body: Body(body.clone()),
        };
        self.tell(txn, notified);
        self.change(Change::NotifyTimer(txn.id.clone(), Some(next)));
        self.output(Output::Send(Send {
            id: format!("{}/{attempt}", txn.id),
            to: Peer::Ap,
            method: "POST".to_owned(),
            url,
            headers: vec![(
                CONTENT_TYPE.as_str().to_owned(),
                version.content_type().to_owned(),
            )],
            body: body.to_vec(),
            correlation: Id::mssp_trans_id(&txn.id).to_string(),
        }));
    }

    fn notification(&self, txn: &Transaction) -> String {
        StatusResp {
            head: self.head_of(txn),
            mssp_trans_id: Some(txn.id.clone()),
            user: txn.request.user.clone(),
            signature: txn.signature(),
            status: txn.status(),
        }
        .to_xml(&txn.origin.shape, "MSS_Notification")
    }

    /// How a notification went. Only an acknowledgement is acted upon; without one, the timer sends the next.
    pub(crate) fn notification_answered(
        &mut self,
        id: &str,
        result: Result<Response<Bytes>, SendError>,
    ) {
        let txn_id = id.split_once('/').map_or(id, |(txn_id, _)| txn_id);
        let Some(mut txn) = self.transaction_or_tell(txn_id) else {
            return;
        };
        let body = Body(match &result {
            Ok(response) => response.body().clone(),
            Err(_) => Bytes::new(),
        });
        let receipt = receipt(&txn, result);
        let acknowledged = receipt.is_ok();
        self.tell(
            &txn,
            EventKind::Receipt {
                result: receipt,
                body,
            },
        );
        if acknowledged && txn.notice != Notice::Acknowledged {
            txn.notice = Notice::Acknowledged;
            self.change(Change::NotifyTimer(txn.id.clone(), None));
            self.change(Change::Transaction(Box::new(txn)));
        }
    }

    /// The timer between two attempts.
    pub(crate) fn notification_due(&mut self, id: &str) {
        let Some(mut txn) = self.transaction_or_tell(id) else {
            return;
        };
        if matches!(txn.notice, Notice::Attempted { next, .. } if next <= self.now) {
            self.notify(&mut txn);
            self.change(Change::Transaction(Box::new(txn)));
        }
    }
}

/// The AP's status, or why its answer is no acknowledgement.
fn receipt(
    txn: &Transaction,
    result: Result<Response<Bytes>, SendError>,
) -> Result<Option<Code>, String> {
    let response = result.map_err(|e| e.to_string())?;
    if !response.status().is_success() {
        return Err(format!("HTTP status {}", response.status()));
    }
    let call = Call::parse(response.body()).map_err(|refusal| refusal.fault.detail)?;
    let receipt = ReceiptReq::parse(&call.part).map_err(|fault| fault.detail)?;
    if receipt.mssp_trans_id != txn.id {
        return Err(format!(
            "a receipt for MSSP_TransID {:?}, expected {:?}",
            receipt.mssp_trans_id, txn.id
        ));
    }
    Ok(receipt.status)
}

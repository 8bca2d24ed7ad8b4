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
    record::{Change, Names, Notification, Transaction, key},
    soap::Call,
    step::{Output, Peer, Send, SendError},
};

impl Turn<'_> {
    /// Sends a notification, after so many others, and sets the timer for the next one.
    pub(super) fn notify(&mut self, txn: &Transaction, made: usize) {
        let (Some(delay), Some(url)) = (
            self.config.notification_delays.get(made).copied(),
            txn.origin.ap_url.clone(),
        ) else {
            self.tell(txn, EventKind::NotificationGivenUp { attempts: made });
            self.change(Change::Notification(txn.id.clone(), None));
            return;
        };
        let attempt = made + 1;
        let next = self.now.checked_add(delay).unwrap_or(Timestamp::MAX);
        let told = Notification {
            times: attempt,
            next,
        };
        self.change(Change::Notification(txn.id.clone(), Some(told)));
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
            status: self.status_of(txn),
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
        let Some(names) = self.load_or_tell::<Names>(txn_id) else {
            return;
        };
        let body = Body(match &result {
            Ok(response) => response.body().clone(),
            Err(_) => Bytes::new(),
        });
        let result = receipt(txn_id, result);
        let acknowledged = result.is_ok();
        let (own, parent) = names.trace_ids();
        self.event(own, Some(parent), EventKind::Receipt { result, body });
        if acknowledged && self.notification_of(txn_id).is_some() {
            self.change(Change::NotifyTimer(txn_id.to_owned(), None));
            self.change(Change::Notification(txn_id.to_owned(), None));
        }
    }

    /// The timer between two attempts.
    pub(crate) fn notification_due(&mut self, id: &str) {
        let Some(told) = self
            .notification_of(id)
            .filter(|told| told.next <= self.now)
        else {
            return;
        };
        if let Some(txn) = self.transaction_or_tell(id) {
            self.notify(&txn, told.times);
        }
    }

    /// What the AP has not acknowledged yet.
    fn notification_of(&mut self, id: &str) -> Option<Notification> {
        self.read_or_tell(key::notify(id), id)
    }
}

/// The AP's status, or why its answer is no acknowledgement.
fn receipt(
    txn_id: &str,
    result: Result<Response<Bytes>, SendError>,
) -> Result<Option<Code>, String> {
    let response = result.map_err(|e| e.to_string())?;
    if !response.status().is_success() {
        return Err(format!("HTTP status {}", response.status()));
    }
    let call = Call::parse(response.body()).map_err(|refusal| refusal.fault.detail)?;
    let receipt = ReceiptReq::parse(&call.part).map_err(|fault| fault.detail)?;
    if receipt.mssp_trans_id != txn_id {
        return Err(format!(
            "a receipt for MSSP_TransID {:?}, expected {:?}",
            receipt.mssp_trans_id, txn_id
        ));
    }
    Ok(receipt.status)
}

//! MSS_StatusQuery (TS 102 204 §7.2). It answers in every messaging mode: an AP may confirm a notification with it.

use super::end::too_late;
use crate::{
    front::{Exchange, Handled},
    messages::{StatusReq, StatusResp},
    operations::Caller,
    party::{Turn, no_transaction},
    record::{Glance, Outcome, key, load},
    soap::Fault,
    xml::Element,
};

impl Turn<'_> {
    pub(crate) fn status_query(
        &mut self,
        exchange: &mut Exchange,
        caller: Caller<'_>,
        message: &Element,
    ) -> Result<Handled, Fault> {
        let request = StatusReq::parse(message)?;
        let id = &request.mssp_trans_id;
        let found = load::<Glance>(self.view, key::transaction(id))?;
        let txn = found
            .filter(|txn| txn.origin.ap_id == caller.ap.id && txn.receipt_of.is_none())
            .ok_or_else(|| no_transaction(id))?;
        exchange.is_about(txn.id, txn.origin.ap_trans_id);
        if txn.outcome.is_none() && self.now >= txn.deadline {
            if let Some(txn) = self.transaction(id)? {
                self.expire(txn);
            }
            return Err(too_late());
        }
        if let Some(fault) = txn.outcome.as_ref().and_then(Outcome::fault) {
            return Err(fault);
        }
        let (asked, ap_id) = (&txn.request.services, &txn.origin.ap_id);
        let status = self.status(txn.outcome.as_ref(), asked, ap_id);
        let ends = txn.outcome.is_some();
        let response = StatusResp {
            head: caller.response_head(self),
            mssp_trans_id: None,
            user: txn.request.user,
            signature: txn.outcome.and_then(|outcome| outcome.signature),
            status,
        };
        let body = response.to_xml(&exchange.shape, "MSS_StatusQueryResponse");
        Ok(Handled::Now { body, ends })
    }
}

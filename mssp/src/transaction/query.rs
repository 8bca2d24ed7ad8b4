//! MSS_StatusQuery (TS 102 204 §7.2). It answers in every messaging mode: an AP may confirm a notification with it.

use crate::{
    front::{Exchange, Handled},
    messages::{StatusReq, StatusResp},
    operations::Caller,
    party::Turn,
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
        let mut txn = self.own_transaction(&caller.ap.id, &request.mssp_trans_id)?;
        exchange.belongs_to(&txn);
        if txn.outcome.is_none() && self.now >= txn.deadline {
            txn = self.expire(txn);
        }
        let outcome = txn.outcome.as_ref();
        if let Some(fault) = outcome.and_then(|outcome| outcome.fault()) {
            return Err(fault);
        }
        let response = StatusResp {
            head: caller.response_head(self),
            mssp_trans_id: None,
            user: txn.request.user.clone(),
            signature: txn.signature(),
            status: txn.status(),
        };
        Ok(Handled::Now {
            body: response.to_xml(&exchange.shape, "MSS_StatusQueryResponse"),
            ends: outcome.is_some(),
        })
    }
}

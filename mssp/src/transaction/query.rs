//! MSS_StatusQuery (TS 102 204 §7.2). It answers in every messaging mode: an AP may confirm a notification with it.

use crate::{
    code::Code,
    front::{Exchange, Handled},
    messages::{Status, StatusReq, StatusResp},
    operations::Caller,
    party::Turn,
    record::{Glance, key, load},
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
        let open = load::<Glance>(self.view, key::transaction(id))?
            .filter(|open| open.origin.ap_id == caller.ap.id && open.is_open(self.now));
        if let Some(open) = open {
            exchange.is_about(open.id, open.origin.ap_trans_id);
            let response = StatusResp {
                head: caller.response_head(self),
                mssp_trans_id: None,
                user: open.request.user,
                signature: None,
                status: Status::of(Code::OUTSTANDING_TRANSACTION),
            };
            let body = response.to_xml(&exchange.shape, "MSS_StatusQueryResponse");
            return Ok(Handled::now(body));
        }
        let mut txn = self.own_transaction(&caller.ap.id, id)?;
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
            status: self.status_of(&txn),
        };
        Ok(Handled::Now {
            body: response.to_xml(&exchange.shape, "MSS_StatusQueryResponse"),
            ends: outcome.is_some(),
        })
    }
}

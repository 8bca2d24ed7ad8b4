//! MSS_Receipt (TS 102 204 §7.3): the AP says what became of the signature, to the MSSP and, with a Message, to the user.

use super::Caller;
use crate::{
    code::Code,
    front::{Exchange, Handled},
    messages::{Acks, ReceiptCall, ReceiptResp, Status},
    party::Turn,
    record::{Change, Outcome},
    soap::Fault,
    transaction::data,
    xml::Element,
};

impl Turn<'_> {
    pub(crate) fn receipt(
        &mut self,
        exchange: &mut Exchange,
        caller: Caller<'_>,
        message: &Element,
    ) -> Result<Handled, Fault> {
        let call = ReceiptCall::parse(message)?;
        let wrong = |detail: String| Fault::new(Code::WRONG_PARAM, detail);
        let mut txn = self.own_transaction(&caller.ap.id, &call.receipt.mssp_trans_id)?;
        exchange.belongs_to(&txn);
        if let Some(msisdn) = call.user.msisdn.as_deref()
            && msisdn.parse().ok().as_ref() != Some(&txn.msisdn)
        {
            return Err(wrong(format!(
                "MSISDN {msisdn:?} is not that of the signature"
            )));
        }
        if call
            .message
            .as_ref()
            .is_some_and(|message| message.text.trim().is_empty())
        {
            return Err(wrong("Message is empty".to_owned()));
        }
        if !txn.outcome.as_ref().is_some_and(Outcome::is_signed) {
            return Err(wrong(format!(
                "transaction {} has no signature to acknowledge",
                txn.id
            )));
        }
        if txn.receipted {
            return Err(wrong(format!(
                "the signature of transaction {} has been acknowledged already",
                txn.id
            )));
        }
        let waits = call.wants_user_ack && call.message.is_some();
        if let Some(message) = call.message {
            let text = data::message(&message, caller.dialect.rules())?;
            let shown = (call.user, message, text);
            self.show_receipt(exchange, caller.head.clone(), &txn, shown, waits)?;
        }
        txn.receipted = true;
        self.change(Change::Transaction(Box::new(txn)));
        if waits {
            return Ok(Handled::Later);
        }
        // Truly: the platform has it, and nobody knows yet whether the user has seen it.
        let acks = Acks {
            network: true,
            client: false,
            response: None,
        };
        let response = ReceiptResp {
            head: caller.response_head(self),
            status: Status::of(Code::REQUEST_OK),
            acks: call.wants_acks.then_some(acks),
        };
        Ok(Handled::now(response.to_xml(&exchange.shape)))
    }
}

//! Signature transactions: begun by [`begin`], one at a time for each [`card`], ended by [`end`], asked for in [`query`], told of in [`notify`].

mod accept;
mod begin;
mod card;
mod end;
mod notify;
mod query;
#[cfg(test)]
mod tests;

use ota_wire::secret::Secret;

use crate::{
    code::Code,
    messages::{ApInfo, ResponseHead},
    party::Turn,
    record::{Outcome, Transaction, Unreadable},
    soap::Fault,
};

impl Turn<'_> {
    /// The head of a message about `txn` that answers its first request.
    fn head_of(&self, txn: &Transaction) -> ResponseHead {
        let origin = &txn.origin;
        let password = self.config.aps.iter().find(|ap| ap.id == origin.ap_id);
        ResponseHead {
            version: origin.version,
            ap: ApInfo {
                ap_id: origin.ap_id.clone(),
                ap_trans_id: origin.ap_trans_id.clone(),
                ap_pwd: password.map_or_else(|| Secret::new(Vec::new()), |ap| ap.password.clone()),
                instant: origin.instant.clone(),
                ap_url: origin.ap_url.clone(),
            },
            mssp_uri: self.config.mssp_uri.clone(),
            instant: self.now,
        }
    }
}

impl Outcome {
    /// As a fault, if it is a failure.
    fn fault(&self) -> Option<Fault> {
        (!self.is_signed()).then(|| Fault::new(self.code, self.detail.clone()).second(self.second))
    }
}

impl From<Unreadable> for Fault {
    fn from(unreadable: Unreadable) -> Self {
        Self::new(Code::INTERNAL_ERROR, unreadable.to_string()).second(9002)
    }
}

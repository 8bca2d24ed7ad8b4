//! Signature transactions: begun by [`begin`], one at a time for each [`card`], ended by [`end`], asked for in [`query`], told of in [`notify`].

mod accept;
mod begin;
mod card;
pub(crate) mod data;
mod end;
mod notify;
mod query;
mod receipt;
mod services;
mod sign;
#[cfg(test)]
mod tests;

use ota_wire::secret::Secret;

use crate::{
    code::Code,
    dialect::Dialect,
    messages::{ApInfo, MssSignature, ResponseHead, Service, ServiceKind, ServiceResponse, Status},
    party::Turn,
    record::{Outcome, Transaction, Unreadable},
    soap::Fault,
};

impl Turn<'_> {
    /// Status of a transaction as it stands.
    fn status_of(&self, txn: &Transaction) -> Status {
        let asked = &txn.request.services;
        self.status(txn.outcome.as_ref(), asked, &txn.origin.ap_id)
    }

    /// The same of an outcome, of which the AP `asked` these services.
    fn status(&self, outcome: Option<&Outcome>, asked: &[Service], ap_id: &str) -> Status {
        let Some(outcome) = outcome else {
            return Status::of(Code::OUTSTANDING_TRANSACTION);
        };
        let dialect = self.dialect_of_ap(Some(ap_id));
        Status {
            detail: (!outcome.detail.is_empty()).then(|| outcome.detail.clone()),
            services: if outcome.is_signed() {
                outcome.service_responses(asked, dialect != Dialect::Swisscom)
            } else {
                Vec::new()
            },
            ..Status::of(outcome.code)
        }
    }

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

impl Transaction {
    /// MSS_Signature as it stands.
    fn signature(&self) -> Option<MssSignature> {
        self.outcome.as_ref()?.signature.clone()
    }
}

impl Outcome {
    /// That the signature is validated shows in the status; every other service is answered, or only those that have
    /// something to say.
    fn service_responses(&self, asked: &[Service], all: bool) -> Vec<ServiceResponse> {
        asked
            .iter()
            .filter(|service| match service.kind() {
                Some(ServiceKind::SigningCertificate) => true,
                Some(ServiceKind::Validate) => false,
                _ => all,
            })
            .map(|service| ServiceResponse {
                uri: service.uri.clone(),
                certificates: match service.kind() {
                    Some(ServiceKind::SigningCertificate) => {
                        let all = self.certificates.iter();
                        all.map(|octets| octets.0.clone()).collect()
                    }
                    _ => Vec::new(),
                },
            })
            .collect()
    }

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

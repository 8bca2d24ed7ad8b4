//! What a step wants written, and how it is encoded.

use jiff::Timestamp;
use ota_wire::ids::{Iccid, Msisdn};
use serde::Serialize;

use super::{Notification, Occupation, Transaction, User, key};
use crate::{pki::credential::CertificateState, step::Write};

/// One thing a step wants written. Where an MSSP_TransID is optional, `None` removes the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The transaction that answers an AP_TransID of an AP.
    ApTransaction {
        /// AP_TransID.
        ap_trans_id: String,
        /// AP_ID.
        ap_id: String,
        /// MSSP_TransID.
        mssp_trans_id: Option<String>,
    },
    /// Who has a SIM.
    Busy(Iccid, Option<Occupation>),
    /// When a card is taken to be free that does not answer; `None` for never.
    BusyTimer(Iccid, Option<Timestamp>),
    /// What a person's certificate is like.
    Certificate(Msisdn, CertificateState),
    /// The applet counter last used.
    Counter(Iccid, u64),
    /// Nothing more is known of the transaction with this MSSP_TransID.
    ForgetTransaction(String),
    /// An AP has called MSS_Handshake.
    Handshake {
        /// AP_ID.
        ap_id: String,
        /// MSSP_TransID.
        mssp_trans_id: String,
    },
    /// That an AP was told; `None` if that is over.
    Notification(String, Option<Notification>),
    /// When to notify again; `None` for never.
    NotifyTimer(String, Option<Timestamp>),
    /// The transaction of a challenge.
    Tid([u8; 8], Option<String>),
    /// A new or changed transaction.
    Transaction(Box<Transaction>),
    /// When the transaction ends or is forgotten; `None` for never.
    TransactionTimer(String, Option<Timestamp>),
    /// What is known of a person.
    User(Msisdn, User),
}

impl Change {
    /// Encodes the change.
    pub fn into_write(self) -> Write {
        match self {
            Self::ApTransaction {
                ap_trans_id,
                ap_id,
                mssp_trans_id,
            } => put_or_delete(key::ap_transaction(&ap_trans_id, &ap_id), mssp_trans_id),
            Self::Busy(iccid, occupation) => put_or_delete(key::busy(&iccid), occupation),
            Self::BusyTimer(iccid, due) => Write::Timer {
                key: key::busy(&iccid),
                due,
            },
            Self::Certificate(msisdn, state) => put(key::certificate(&msisdn), &state),
            Self::Counter(iccid, last) => put(key::counter(&iccid), &last),
            Self::ForgetTransaction(id) => Write::Delete {
                key: key::transaction(&id),
            },
            Self::Handshake {
                ap_id,
                mssp_trans_id,
            } => put(key::handshake(&ap_id), &mssp_trans_id),
            Self::Notification(id, notification) => put_or_delete(key::notify(&id), notification),
            Self::NotifyTimer(id, due) => Write::Timer {
                key: key::notify(&id),
                due,
            },
            Self::Tid(tid, id) => put_or_delete(key::tid(&tid), id),
            Self::Transaction(txn) => put_into(
                Vec::with_capacity(USUAL_TRANSACTION),
                key::transaction(&txn.id),
                &txn,
            ),
            Self::TransactionTimer(id, due) => Write::Timer {
                key: key::transaction(&id),
                due,
            },
            Self::User(msisdn, user) => put(key::user(&msisdn), &user),
        }
    }
}

/// Octets that most transactions have room in.
const USUAL_TRANSACTION: usize = 1024;

fn put<T: Serialize>(key: String, value: &T) -> Write {
    put_into(Vec::with_capacity(64), key, value)
}

fn put_into<T: Serialize>(mut octets: Vec<u8>, key: String, value: &T) -> Write {
    // The record types hold strings, numbers and lists only, which JSON always takes.
    if serde_json::to_writer(&mut octets, value).is_err() {
        octets.clear();
    }
    Write::Put { key, value: octets }
}

fn put_or_delete<T: Serialize>(key: String, value: Option<T>) -> Write {
    match value {
        Some(value) => put(key, &value),
        None => Write::Delete { key },
    }
}

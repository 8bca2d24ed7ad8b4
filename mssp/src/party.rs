//! The party: dispatch of one input, and what all handlers share.

use jiff::Timestamp;
use ota_wire::trace::Id;
use rand_core::Rng;
use serde::de::DeserializeOwned;

use crate::{
    code::Code,
    config::Config,
    event::{Event, EventKind},
    record::{Change, Transaction, Unreadable, key, load},
    soap::Fault,
    step::{Input, Output, Step, View},
};

/// Random octets in an MSSP_TransID.
const ID_OCTETS: usize = 10;

/// A Mobile Signature Service Provider.
#[derive(Clone, Debug)]
pub struct Mssp {
    config: Config,
}

impl Mssp {
    /// An MSSP of this configuration.
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Takes one input. Nothing happens until the caller has committed [`Step::changes`]; see [`mod@crate::step`].
    pub fn step(&self, view: &dyn View, input: Input, now: Timestamp, rng: &mut dyn Rng) -> Step {
        let mut turn = Turn {
            config: &self.config,
            view,
            now,
            rng,
            step: Step::default(),
        };
        match input {
            Input::Http { id, request } => turn.http(id, &request),
            Input::Answer { id, result } => turn.notification_answered(&id, result),
            Input::Mo { from, payload } => turn.responded(from, payload),
            Input::Report { id, outcome } => turn.reported(&id, outcome),
            Input::Certificate { msisdn, state } => turn.certificate_changed(msisdn, state),
            Input::Timer { key } => turn.timer(&key),
        }
        turn.step
    }
}

/// One step in the making.
pub(crate) struct Turn<'a> {
    pub(crate) config: &'a Config,
    pub(crate) view: &'a dyn View,
    pub(crate) now: Timestamp,
    pub(crate) rng: &'a mut dyn Rng,
    pub(crate) step: Step,
}

impl Turn<'_> {
    pub(crate) fn change(&mut self, change: Change) {
        self.step.changes.push(change);
    }

    pub(crate) fn output(&mut self, output: Output) {
        self.step.outputs.push(output);
    }

    pub(crate) fn event(&mut self, own: Id, parent: Option<Id>, kind: EventKind) {
        self.step.events.push(Event { own, parent, kind });
    }

    /// An event of a transaction.
    pub(crate) fn tell(&mut self, txn: &Transaction, kind: EventKind) {
        let (own, parent) = txn.trace_ids();
        self.event(own, Some(parent), kind);
    }

    /// The transaction with this MSSP_TransID.
    pub(crate) fn transaction(&self, id: &str) -> Result<Option<Transaction>, Unreadable> {
        load(self.view, key::transaction(id))
    }

    /// The same where nobody waits for an answer: an unreadable record is told to the trace and counts as none.
    pub(crate) fn transaction_or_tell(&mut self, id: &str) -> Option<Transaction> {
        self.load_or_tell(id)
    }

    /// All of a transaction, or a part of it.
    pub(crate) fn load_or_tell<T: DeserializeOwned>(&mut self, id: &str) -> Option<T> {
        self.read_or_tell(key::transaction(id), id)
    }

    /// A record of a transaction. One that cannot be read is told to the trace.
    pub(crate) fn read_or_tell<T: DeserializeOwned>(&mut self, key: String, id: &str) -> Option<T> {
        match load(self.view, key) {
            Ok(txn) => txn,
            Err(unreadable) => {
                let reason = unreadable.to_string();
                self.event(Id::mssp_trans_id(id), None, EventKind::Internal { reason });
                None
            }
        }
    }

    /// A transaction of this AP.
    ///
    /// # Errors
    /// 101.
    pub(crate) fn own_transaction(&self, ap_id: &str, id: &str) -> Result<Transaction, Fault> {
        self.transaction(id)?
            .filter(|txn| txn.origin.ap_id == ap_id && txn.receipt_of.is_none())
            .ok_or_else(|| no_transaction(id))
    }

    /// An MSSP_TransID: random, and an NCName, which does not begin with a digit.
    pub(crate) fn new_trans_id(&mut self) -> String {
        let mut id = [0; ID_OCTETS];
        self.rng.fill_bytes(&mut id);
        format!("M{}", hex::encode(id))
    }

    fn timer(&mut self, key: &str) {
        if let Some(id) = key.strip_prefix(key::TRANSACTION) {
            self.transaction_due(id);
        } else if let Some(id) = key.strip_prefix(key::NOTIFY) {
            self.notification_due(id);
        } else if let Some(iccid) = key.strip_prefix(key::BUSY) {
            self.card_due(iccid);
        }
    }
}

/// The AP has no such transaction.
pub(crate) fn no_transaction(id: &str) -> Fault {
    let detail = format!("there is no such transaction: this AP has none with MSSP_TransID {id:?}");
    Fault::new(Code::WRONG_PARAM, detail)
}

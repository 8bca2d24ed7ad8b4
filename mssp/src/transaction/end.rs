//! How transactions end: by the applet's answer, by an error of the OTA platform, by time.

use bytes::Bytes;
use http::StatusCode;
use jiff::Timestamp;
use ota_wire::{
    applet::{Method, ResponseView, ResultCode},
    ids::Msisdn,
    trace::Id,
};

use crate::{
    code::Code,
    config::Profile,
    event::{Body, EventKind, Verdict, Why},
    front::envelope,
    messages::{MessagingMode, MssSignature},
    party::Turn,
    pki::x509::Certificate,
    record::{Change, Names, Octets, Outcome, Transaction, User, key, load},
    soap::{Fault, Shape},
    step::{OtaOutcome, RequestId},
};

impl Turn<'_> {
    /// A message of an applet. Nothing but an authentic answer of the right SIM to a challenge that is still open
    /// changes anything: anybody can send short messages.
    pub(crate) fn responded(&mut self, from: Msisdn, payload: Vec<u8>) {
        let responded = |verdict| EventKind::Responded {
            from: from.clone(),
            payload: payload.clone(),
            verdict,
        };
        let dropped = |why| responded(Verdict::Dropped(why));
        let view = match ResponseView::new_checked(&payload) {
            Ok(view) => view,
            Err(e) => {
                let own = Id::new("mo", &from);
                return self.event(own, None, dropped(Why::NoResponse(e.to_string())));
            }
        };
        let Some(txn) = self.challenged(&view.tid()) else {
            let tid = hex::encode_upper(view.tid());
            let own = Id::new("mo", format_args!("{from}:{tid}"));
            return self.event(own, None, dropped(Why::Unknown));
        };
        match self.check(&from, view, &txn) {
            Err(why) => {
                let late = matches!(why, Why::Late(_));
                self.tell(&txn, dropped(why));
                if late {
                    self.card_done(&txn);
                }
            }
            Ok(()) => {
                let (code, second, detail) = meaning(view.result());
                self.learn(&txn, view.result());
                if self.config.only_expiry && (401..=406).contains(&code.0) {
                    return self.tell(&txn, responded(Verdict::Withheld(code)));
                }
                self.tell(&txn, responded(Verdict::Accepted(code)));
                let ending = if code == Code::VALID_SIGNATURE && txn.receipt_of.is_none() {
                    self.sign(&txn, view)
                } else {
                    Ending::failed(code, second, detail)
                };
                if let Some(leaf) = ending.certificates.first() {
                    let subject = Certificate::parse(leaf).map(|leaf| leaf.subject_name());
                    let signed = EventKind::Signed {
                        code: ending.code,
                        subject: subject.unwrap_or_default(),
                        detail: ending.detail.clone(),
                    };
                    self.tell(&txn, signed);
                }
                self.end(txn, ending);
            }
        }
    }

    /// The transaction whose challenge has this TID.
    fn challenged(&mut self, tid: &[u8; 8]) -> Option<Transaction> {
        match load::<String>(self.view, key::tid(tid)) {
            Ok(id) => self.transaction_or_tell(&id?),
            Err(unreadable) => {
                let reason = unreadable.to_string();
                let own = Id::new("mo", hex::encode_upper(tid));
                self.event(own, None, EventKind::Internal { reason });
                None
            }
        }
    }

    fn check(&self, from: &Msisdn, view: ResponseView<'_>, txn: &Transaction) -> Result<(), Why> {
        let sent = &txn.challenge;
        if *from != txn.msisdn {
            return Err(Why::Sender {
                expected: txn.msisdn.clone(),
                got: from.clone(),
            });
        }
        if view.ctr() != sent.ctr {
            return Err(Why::Counter {
                expected: sent.ctr,
                got: view.ctr(),
            });
        }
        if view.mac_algorithm() != Ok(sent.mac_algorithm) {
            return Err(Why::Algorithm);
        }
        let mac_key = self
            .config
            .directory
            .mac_key(&txn.iccid, sent.mac_algorithm);
        if !view.verify(&mac_key, &sent.mac) {
            return Err(Why::Mac);
        }
        if let Some(outcome) = &txn.outcome {
            return Err(Why::Late(outcome.code));
        }
        if self.now >= txn.deadline {
            return Err(Why::Late(Code::EXPIRED_TRANSACTION));
        }
        if view.result() == ResultCode::REPLAY {
            return Err(Why::Replay);
        }
        Ok(())
    }

    /// News of the OTA platform.
    pub(crate) fn reported(&mut self, id: &str, outcome: OtaOutcome) {
        let Some(names) = self.load_or_tell::<Names>(id) else {
            return;
        };
        let (own, parent) = names.trace_ids();
        self.event(own, Some(parent), EventKind::Reported(outcome.clone()));
        let OtaOutcome::Failed { reason, kind } = outcome else {
            return;
        };
        match self.transaction_or_tell(id) {
            Some(txn) if txn.outcome.is_none() => {
                let detail = format!("the challenge did not reach the SIM: {reason}");
                self.end(txn, Ending::failed(Code::OTA_ERROR, kind.second(), detail));
            }
            Some(txn) => self.card_done(&txn),
            None => {}
        }
    }

    /// What the card's word says about PIN and PUK.
    fn learn(&mut self, txn: &Transaction, result: ResultCode) {
        let with_pin = || {
            let uses = |profile: &&Profile| {
                profile.uri == txn.profile || profile.used.as_ref() == Some(&txn.profile)
            };
            let profile = self.config.profiles.iter().find(uses);
            profile.is_some_and(|profile| profile.method == Method::Pin)
        };
        let (pin_blocked, puk_blocked) = match result {
            ResultCode::PIN_BLOCKED => (true, false),
            ResultCode::PUK_BLOCKED => (true, true),
            ResultCode::OK if txn.receipt_of.is_none() && with_pin() => (false, false),
            _ => return,
        };
        // What cannot be read is not known.
        let known: Option<User> = load(self.view, key::user(&txn.msisdn)).unwrap_or_default();
        let as_before = known
            .is_some_and(|user| (user.pin_blocked, user.puk_blocked) == (pin_blocked, puk_blocked));
        if as_before || (known.is_none() && !pin_blocked) {
            return;
        }
        let subscriber = || self.config.directory.subscriber(&txn.msisdn);
        let state = known
            .map(|user| user.state)
            .or_else(|| subscriber().map(|subscriber| subscriber.state));
        let user = User {
            state: state.unwrap_or_default(),
            pin_blocked,
            puk_blocked,
        };
        self.change(Change::User(txn.msisdn.clone(), user));
    }

    /// The timer of a transaction: its deadline first, the end of its memory later.
    pub(crate) fn transaction_due(&mut self, id: &str) {
        let Some(txn) = self.transaction_or_tell(id) else {
            return;
        };
        match &txn.outcome {
            None if self.now >= txn.deadline => {
                self.expire(txn);
            }
            Some(outcome) if self.now >= self.forget_at(outcome.at) => self.forget(txn),
            // Stale.
            _ => {}
        }
    }

    /// Ends a transaction whose time is over.
    pub(super) fn expire(&mut self, txn: Transaction) {
        self.tell(&txn, EventKind::Expired);
        let Fault {
            code,
            second,
            detail,
            ..
        } = too_late();
        self.end(txn, Ending::failed(code, second, detail));
    }

    fn forget(&mut self, txn: Transaction) {
        self.change(Change::Tid(txn.challenge.tid, None));
        if txn.receipt_of.is_none() {
            self.change(Change::ApTransaction {
                ap_trans_id: txn.origin.ap_trans_id,
                ap_id: txn.origin.ap_id,
                mssp_trans_id: None,
            });
        }
        self.change(Change::NotifyTimer(txn.id.clone(), None));
        self.change(Change::Notification(txn.id.clone(), None));
        self.change(Change::ForgetTransaction(txn.id));
    }

    fn forget_at(&self, ended: Timestamp) -> Timestamp {
        ended
            .checked_add(self.config.retention)
            .unwrap_or(Timestamp::MAX)
    }

    pub(super) fn end(&mut self, mut txn: Transaction, ending: Ending) {
        txn.outcome = Some(Outcome {
            code: ending.code,
            second: ending.second,
            signature: ending.signature,
            certificates: ending.certificates.into_iter().map(Octets).collect(),
            detail: ending.detail,
            at: self.now,
        });
        if let Some((connection, shape)) = txn.held.take() {
            self.answer_held(connection, &shape, &txn);
        }
        if txn.request.mode == MessagingMode::AsynchServerServer {
            self.notify(&txn, 0);
        }
        txn.waiting = None;
        self.leave(&txn);
        if txn.receipt_of.is_some() {
            // A signature may wait behind it.
            self.card_done(&txn);
        }
        let forget = self.forget_at(self.now);
        self.change(Change::TransactionTimer(txn.id.clone(), Some(forget)));
        self.change(Change::Transaction(Box::new(txn)));
    }

    fn answer_held(&mut self, connection: RequestId, shape: &Shape, txn: &Transaction) {
        if let (Some(_), Some(outcome)) = (&txn.receipt_of, &txn.outcome) {
            return self.answer_receipt(connection, shape, txn, outcome);
        }
        if let Some(fault) = txn.outcome.as_ref().and_then(Outcome::fault) {
            return self.reply_fault(connection, shape, txn, &fault);
        }
        let body = Bytes::from(self.final_response(txn, shape));
        let answered = EventKind::Answered {
            body: Body(body.clone()),
            ends: true,
        };
        self.tell(txn, answered);
        self.reply(connection, envelope(StatusCode::OK, shape.version, body));
    }

    pub(super) fn reply_fault(
        &mut self,
        connection: RequestId,
        shape: &Shape,
        txn: &Transaction,
        fault: &Fault,
    ) {
        let dialect = self.dialect_of_ap(Some(&txn.origin.ap_id));
        let body = Bytes::from(fault.to_xml(shape, dialect));
        let answered = EventKind::Answered {
            body: Body(body.clone()),
            ends: txn.outcome.is_some(),
        };
        self.tell(txn, answered);
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        self.reply(connection, envelope(status, shape.version, body));
    }
}

/// How a transaction ends.
#[derive(Debug)]
pub(super) struct Ending {
    /// Status or fault number.
    pub(super) code: Code,
    /// FiCom's number below it; 0 if there is none.
    pub(super) second: u16,
    /// The signature, if one was made.
    pub(super) signature: Option<MssSignature>,
    /// The certificates that belong to it, DER, the signer's first.
    pub(super) certificates: Vec<Vec<u8>>,
    /// For people.
    pub(super) detail: String,
}

impl Ending {
    pub(super) fn failed(code: Code, second: u16, detail: impl Into<String>) -> Self {
        Self {
            code,
            second,
            signature: None,
            certificates: Vec::new(),
            detail: detail.into(),
        }
    }
}

/// What is said of a transaction whose time is over.
pub(super) fn too_late() -> Fault {
    Fault::new(Code::EXPIRED_TRANSACTION, "the user did not answer in time").second(2081)
}

/// What an authentic response means: the number, FiCom's below it, and for people why.
fn meaning(result: ResultCode) -> (Code, u16, String) {
    let (code, second, detail) = match result {
        ResultCode::OK => (Code::VALID_SIGNATURE, 0, ""),
        ResultCode::CANCELLED => (Code::USER_CANCEL, 4011, "the user cancelled"),
        ResultCode::BACK => (Code::USER_CANCEL, 4011, "the user went back"),
        ResultCode::TIMEOUT => (
            Code::EXPIRED_TRANSACTION,
            2082,
            "the user did not answer before the handset gave up",
        ),
        ResultCode::PIN_BLOCKED => (Code::PIN_NR_BLOCKED, 4021, "the signing PIN is blocked"),
        ResultCode::PUK_BLOCKED => (
            Code::CARD_BLOCKED,
            4031,
            "the signing PIN and its PUK are blocked",
        ),
        ResultCode::BUSY => (Code::PB_SIGNATURE_PROCESS, 0, "the handset is busy"),
        ResultCode::UNSUPPORTED => (
            Code::UNSUPPORTED_PROFILE,
            0,
            "the applet on this SIM does not do what the signature profile asks for",
        ),
        ResultCode::BAD_MAC => (
            Code::INTERNAL_ERROR,
            9004,
            "the applet could not authenticate the challenge",
        ),
        other => {
            let detail = format!("the applet answered with unknown result {:02X}", other.0);
            return (Code::INTERNAL_ERROR, 9003, detail);
        }
    };
    (code, second, detail.to_owned())
}

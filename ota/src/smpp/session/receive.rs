//! Requests of the peer, and how a session ends that the peer ends.

use jiff::Timestamp;
use ota_wire::secret::Secret;

use super::event::MAX_REFUSED_BINDS;
use super::{Answer, CloseReason, Role, Session, SessionEvent, State};
use crate::smpp::header::{CommandStatus, Frame, Header};
use crate::smpp::message::ShortMessage;
use crate::smpp::operations::Operation;
use crate::smpp::pdu::{Bind, BindMode, Pdu, VERSION};

impl Session {
    pub(super) fn receive(&mut self, frame: Frame, now: Timestamp) {
        self.last_heard = now;
        let Header {
            id,
            status,
            sequence,
            ..
        } = frame.header;
        if self.limits.report_pdus {
            self.events.push_back(SessionEvent::Pdu {
                sent: false,
                octets: frame.octets.to_vec(),
            });
        }
        match Pdu::decode(id, frame.body()) {
            Err(_) if id.is_response() => {}
            Err(status) => self.reply(Pdu::refusal(id, status), status, sequence),
            Ok(Pdu::Bind(mode, bind)) => self.on_bind(mode, &bind, sequence),
            Ok(Pdu::SubmitSm(message)) => {
                let open = matches!(self.role, Role::Smsc { .. })
                    && self.bound().is_some_and(BindMode::sends);
                self.on_message(open, Pdu::SubmitSmResp(String::new()), message, sequence);
            }
            Ok(Pdu::DataSm(message)) => {
                let open = self.bound().is_some_and(|mode| match self.role {
                    Role::Esme => mode.receives(),
                    Role::Smsc { .. } => mode.sends(),
                });
                let before = self.unanswered;
                self.on_message(open, Pdu::DataSmResp(String::new()), message, sequence);
                if self.unanswered > before {
                    self.data.insert(sequence);
                }
            }
            Ok(Pdu::SubmitMulti(multi)) => {
                let open = matches!(self.role, Role::Smsc { .. })
                    && self.bound().is_some_and(BindMode::sends);
                let refusal = Pdu::SubmitMultiResp(Box::default());
                if self.may_take(open, refusal, sequence) {
                    self.events
                        .push_back(SessionEvent::Multi { sequence, multi });
                }
            }
            Ok(Pdu::DeliverSm(message)) => {
                let open =
                    matches!(self.role, Role::Esme) && self.bound().is_some_and(BindMode::receives);
                self.on_message(open, Pdu::DeliverSmResp, message, sequence);
            }
            Ok(Pdu::Operate(operation)) => self.on_operation(operation, sequence),
            Ok(Pdu::EnquireLink) => self.reply(Pdu::EnquireLinkResp, CommandStatus::ROK, sequence),
            Ok(Pdu::Unbind) => self.drain(Some(sequence), now),
            Ok(response) => self.on_response(response, status, sequence, now),
        }
    }

    /// Takes nothing more, and ends once everything is answered.
    pub(super) fn drain(&mut self, unbind: Option<u32>, now: Timestamp) {
        let due = now
            .checked_add(self.limits.response_within)
            .unwrap_or(Timestamp::MAX);
        self.state = State::Draining { unbind, due };
        // Not sent yet, so they are the next session's.
        self.waiting.clear();
        self.after_answer();
    }

    pub(super) fn after_answer(&mut self) {
        if self.unanswered == 0 && matches!(self.state, State::Draining { .. }) {
            self.drained();
        }
    }

    pub(super) fn drained(&mut self) {
        match self.state {
            State::Draining {
                unbind: Some(sequence),
                ..
            } => {
                self.reply(Pdu::UnbindResp, CommandStatus::ROK, sequence);
                self.close(CloseReason::PeerUnbound);
            }
            _ => self.close(CloseReason::PeerGone),
        }
    }

    fn on_bind(&mut self, mode: BindMode, bind: &Bind, sequence: u32) {
        // An ESME of an earlier version knows no optional parameters (SMPP 3.4 §3.3).
        let version = (bind.interface_version >= VERSION).then_some(VERSION);
        let answer = |system_id: &str| Pdu::BindResp(mode, system_id.to_owned(), version);
        let Role::Smsc {
            config, refused, ..
        } = &mut self.role
        else {
            return self.reply(Pdu::GenericNack, CommandStatus::RINVCMDID, sequence);
        };
        let own_id = config.system_id.clone();
        if self.state != State::Open {
            return self.reply(answer(""), CommandStatus::RALYBND, sequence);
        }
        // Every account is compared whole, and one status serves all refusals: neither time nor answer tells which half was wrong.
        let id = Secret::new(bind.system_id.clone().into_bytes());
        let password = Secret::new(bind.password.clone().into_bytes());
        let known = config.accounts.iter().fold(false, |known, account| {
            let account_id = Secret::new(account.system_id.clone().into_bytes());
            known | ((account_id == id) & (account.password == password))
        });
        if !known {
            *refused += 1;
            let enough = *refused >= MAX_REFUSED_BINDS;
            self.reply(answer(""), CommandStatus::RINVPASWD, sequence);
            if enough {
                self.close(CloseReason::TooManyBinds);
            }
            return;
        }
        self.state = State::Bound(mode);
        self.reply(answer(&own_id), CommandStatus::ROK, sequence);
        self.events.push_back(SessionEvent::Bound {
            system_id: bind.system_id.clone(),
            mode,
        });
    }

    fn on_message(&mut self, open: bool, refusal: Pdu, message: Box<ShortMessage>, sequence: u32) {
        if self.may_take(open, refusal, sequence) {
            self.events
                .push_back(SessionEvent::Message { sequence, message });
        }
    }

    /// Counts one more request to answer, or refuses it.
    fn may_take(&mut self, open: bool, refusal: Pdu, sequence: u32) -> bool {
        let room = self.unanswered < self.limits.inbound;
        if open && room {
            self.unanswered += 1;
            // A sequence number that comes again is the new request's.
            self.data.remove(&sequence);
        } else if open {
            self.reply(refusal, CommandStatus::RTHROTTLED, sequence);
        } else {
            self.reply(refusal, CommandStatus::RINVBNDSTS, sequence);
        }
        open && room
    }

    fn on_operation(&mut self, operation: Box<Operation>, sequence: u32) {
        let open =
            matches!(self.role, Role::Smsc { .. }) && self.bound().is_some_and(BindMode::sends);
        let refuse = |status| match *operation {
            Operation::Query { .. } => Answer::Query(Err(status)),
            Operation::Cancel { .. } => Answer::Cancel(status),
            Operation::Replace { .. } => Answer::Replace(status),
        };
        if !open || self.unanswered >= self.limits.inbound {
            let status = if open {
                CommandStatus::RTHROTTLED
            } else {
                CommandStatus::RINVBNDSTS
            };
            // It was not counted yet.
            self.unanswered += 1;
            return self.answer(sequence, &refuse(status));
        }
        self.unanswered += 1;
        self.events.push_back(SessionEvent::Operation {
            sequence,
            operation,
        });
    }
}

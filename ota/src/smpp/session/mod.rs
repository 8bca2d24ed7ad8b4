//! One SMPP session of either role (SMPP 3.4 §2), without socket, clock or thread.

mod event;
mod receive;
mod window;

use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub use self::event::{Answer, CloseReason, SendError, SessionEvent};
use self::window::Pending;
use super::config::{EsmeConfig, Limits, SmscConfig};
use super::header::{CommandId, CommandStatus, Framer};
use super::message::{FieldError, ShortMessage};
use super::multi::MultiTaken;
use super::operations::Found;
use super::pdu::{Bind, BindMode, Pdu, VERSION};

/// One end of one SMPP connection.
///
/// # Calling contract
///
/// The session does no I/O. The caller owns the connection and the clock and keeps to this order:
///
/// 1. Make the session when the connection stands ([`esme`](Self::esme) or [`smsc`](Self::smsc)).
/// 2. Feed it: [`handle_bytes`](Self::handle_bytes) when octets arrive, [`handle_end`](Self::handle_end) when the connection
///    ends, [`handle_timeout`](Self::handle_timeout) when the instant of [`next_timeout`](Self::next_timeout) has come, and the
///    commands [`submit`](Self::submit), [`deliver`](Self::deliver), [`respond`](Self::respond), [`unbind`](Self::unbind).
/// 3. After each of these, drain [`poll_transmit`](Self::poll_transmit) (one whole PDU each, in order, to be written to the
///    connection), then [`poll_event`](Self::poll_event), then ask [`next_timeout`](Self::next_timeout) again.
/// 4. After [`SessionEvent::Closed`], write what is left and hang up. A session is never bound twice.
///
/// `now` must not run backwards. Nothing panics, whatever the peer sends; what is kept for a peer is bounded by [`Limits`].
///
/// Every message must be answered by [`respond`](Self::respond), which is what acknowledges it: answer after the commit.
/// A deliver_sm may overtake the submit_sm_resp of the message that caused it; the two are not ordered.
#[derive(Debug)]
pub struct Session {
    role: Role,
    state: State,
    limits: Limits,
    framer: Framer,
    sequence: u32,
    last_heard: Timestamp,
    pending: BTreeMap<u32, Pending>,
    waiting: VecDeque<(String, CommandId, Vec<u8>)>,
    unanswered: usize,
    /// Those of them that are data_sm.
    data: BTreeSet<u32>,
    transmit: VecDeque<Vec<u8>>,
    events: VecDeque<SessionEvent>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// ESME: bind sent. SMSC: waiting for one.
    Open,
    Bound(BindMode),
    /// unbind sent.
    Unbinding,
    /// The peer sends no more. What it sent is still answered, then its unbind, if there was one.
    Draining {
        unbind: Option<u32>,
        due: Timestamp,
    },
    Closed,
}

#[derive(Debug)]
enum Role {
    Esme,
    Smsc {
        config: SmscConfig,
        refused: u8,
        bind_due: Timestamp,
    },
}

impl Session {
    /// The client's end. Its bind request waits in [`poll_transmit`](Self::poll_transmit) at once.
    pub fn esme(config: EsmeConfig, now: Timestamp) -> Result<Self, FieldError> {
        let bind = Bind {
            system_id: config.system_id,
            password: String::from_utf8_lossy(config.password.expose()).into_owned(),
            system_type: config.system_type,
            interface_version: VERSION,
            address_range: String::new(),
        };
        let mut session = Self::new(Role::Esme, config.limits, now);
        let pdu = Pdu::Bind(config.mode, bind);
        let octets = pdu.encode(CommandStatus::ROK, 0)?;
        session.request(String::new(), pdu.id(), octets, now);
        Ok(session)
    }

    /// The server's end.
    pub fn smsc(config: SmscConfig, now: Timestamp) -> Self {
        let limits = config.limits.clone();
        let bind_due = now
            .checked_add(limits.bind_within)
            .unwrap_or(Timestamp::MAX);
        Self::new(
            Role::Smsc {
                config,
                refused: 0,
                bind_due,
            },
            limits,
            now,
        )
    }

    fn new(role: Role, limits: Limits, now: Timestamp) -> Self {
        Self {
            role,
            state: State::Open,
            framer: Framer::new(limits.max_pdu),
            limits,
            sequence: 0,
            last_heard: now,
            pending: BTreeMap::new(),
            waiting: VecDeque::new(),
            unanswered: 0,
            data: BTreeSet::new(),
            transmit: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// The directions that are open now.
    pub fn bound(&self) -> Option<BindMode> {
        match self.state {
            State::Bound(mode) => Some(mode),
            _ => None,
        }
    }

    /// True once the session is over.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Octets from the peer, cut anywhere.
    pub fn handle_bytes(&mut self, octets: &[u8], now: Timestamp) {
        if self.is_closed() {
            return;
        }
        self.framer.push(octets);
        while !self.is_closed() {
            match self.framer.next_frame() {
                Ok(Some(frame)) => self.receive(frame, now),
                Ok(None) => break,
                Err(error) => {
                    self.reply(Pdu::GenericNack, error.status(), error.sequence);
                    self.close(CloseReason::Framing(error));
                }
            }
        }
    }

    /// The connection is gone.
    pub fn handle_end(&mut self) {
        self.close(CloseReason::PeerGone);
    }

    /// The peer sends no more, but may still read. What it sent before is answered, within the time that a response may take;
    /// then the session is over.
    pub fn handle_eof(&mut self, now: Timestamp) {
        match self.state {
            // It will not answer anything either; what it sent stays to be answered.
            State::Bound(_) | State::Unbinding => self.drain(None, now),
            State::Draining { .. } | State::Closed => {}
            State::Open => self.close(CloseReason::PeerGone),
        }
    }

    /// Time has passed. Calling it too early or too often is harmless.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if self.is_closed() {
            return;
        }
        if let State::Draining { due, .. } = self.state
            && due <= now
        {
            return self.drained();
        }
        if self.pending.values().any(|pending| pending.due <= now) {
            return self.close(CloseReason::ResponseTimeout);
        }
        if let (State::Open, Role::Smsc { bind_due, .. }) = (self.state, &self.role)
            && *bind_due <= now
        {
            return self.close(CloseReason::BindTimeout);
        }
        if self.enquire_due().is_some_and(|due| due <= now)
            && let Ok(octets) = Pdu::EnquireLink.encode(CommandStatus::ROK, 0)
        {
            self.request(String::new(), CommandId::ENQUIRE_LINK, octets, now);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do next.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        let bind = match (&self.role, self.state) {
            (_, State::Closed) => return None,
            (Role::Smsc { bind_due, .. }, State::Open) => Some(*bind_due),
            (_, State::Draining { due, .. }) => Some(due),
            _ => None,
        };
        let response = self.pending.values().map(|pending| pending.due).min();
        [bind, response, self.enquire_due()]
            .into_iter()
            .flatten()
            .min()
    }

    /// The next PDU to write.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmit.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        self.events.pop_front()
    }

    /// Sends a submit_sm (ESME). `id` comes back in [`SessionEvent::Response`].
    pub fn submit(
        &mut self,
        id: String,
        message: &ShortMessage,
        now: Timestamp,
    ) -> Result<(), SendError> {
        let open = matches!(self.role, Role::Esme) && self.bound().is_some_and(BindMode::sends);
        self.send(open, id, Pdu::SubmitSm(Box::new(message.clone())), now)
    }

    /// Sends a deliver_sm (SMSC). `id` comes back in [`SessionEvent::Response`].
    pub fn deliver(
        &mut self,
        id: String,
        message: &ShortMessage,
        now: Timestamp,
    ) -> Result<(), SendError> {
        let open =
            matches!(self.role, Role::Smsc { .. }) && self.bound().is_some_and(BindMode::receives);
        self.send(open, id, Pdu::DeliverSm(Box::new(message.clone())), now)
    }

    /// Answers a [`SessionEvent::Message`]: submit_sm_resp or data_sm_resp at the SMSC, with the message id it gave; deliver_sm_resp
    /// or data_sm_resp at the ESME, where `message_id` means nothing. With an error status none has a body.
    pub fn respond(&mut self, sequence: u32, status: CommandStatus, message_id: &str) {
        if self.is_closed() {
            return;
        }
        self.unanswered = self.unanswered.saturating_sub(1);
        match self.role {
            _ if self.data.remove(&sequence) => {
                self.reply(Pdu::DataSmResp(message_id.to_owned()), status, sequence);
            }
            Role::Esme => self.reply(Pdu::DeliverSmResp, status, sequence),
            Role::Smsc { .. } => {
                self.reply(Pdu::SubmitSmResp(message_id.to_owned()), status, sequence)
            }
        }
        self.after_answer();
    }

    /// Answers a [`SessionEvent::Multi`]. With an error status there is no body.
    pub fn respond_multi(&mut self, sequence: u32, status: CommandStatus, taken: &MultiTaken) {
        if self.is_closed() {
            return;
        }
        self.unanswered = self.unanswered.saturating_sub(1);
        self.reply(
            Pdu::SubmitMultiResp(Box::new(taken.clone())),
            status,
            sequence,
        );
        self.after_answer();
    }

    /// Answers a [`SessionEvent::Operation`]: of a query with what was found, of the others with the status only.
    pub fn answer(&mut self, sequence: u32, answer: &Answer) {
        if self.is_closed() {
            return;
        }
        self.unanswered = self.unanswered.saturating_sub(1);
        let (pdu, status) = match answer {
            Answer::Query(Ok(found)) => (
                Pdu::QuerySmResp(Box::new(found.clone())),
                CommandStatus::ROK,
            ),
            Answer::Query(Err(status)) => (Pdu::QuerySmResp(Box::new(Found::nothing())), *status),
            Answer::Cancel(status) => (Pdu::CancelSmResp, *status),
            Answer::Replace(status) => (Pdu::ReplaceSmResp, *status),
        };
        self.reply(pdu, status, sequence);
        self.after_answer();
    }

    /// Ends the session in good order. Nothing more can be sent; what is unanswered may still be answered.
    pub fn unbind(&mut self, now: Timestamp) {
        if self.bound().is_none() {
            return self.close(CloseReason::Unbound);
        }
        if let Ok(octets) = Pdu::Unbind.encode(CommandStatus::ROK, 0) {
            self.state = State::Unbinding;
            self.request(String::new(), CommandId::UNBIND, octets, now);
        }
    }

    /// Responses hold texts of ours, which fit; if one should not, the peer still gets an answer to its request.
    fn reply(&mut self, pdu: Pdu, status: CommandStatus, sequence: u32) {
        let octets = pdu.encode(status, sequence);
        if let Ok(octets) = octets.or_else(|_| pdu.encode(CommandStatus::RSYSERR, sequence)) {
            self.write(octets);
        }
    }

    fn write(&mut self, octets: Vec<u8>) {
        if self.limits.report_pdus {
            self.events.push_back(SessionEvent::Pdu {
                sent: true,
                octets: octets.clone(),
            });
        }
        self.transmit.push_back(octets);
    }

    fn close(&mut self, reason: CloseReason) {
        if !self.is_closed() {
            self.state = State::Closed;
            self.pending.clear();
            self.waiting.clear();
            self.events.push_back(SessionEvent::Closed(reason));
        }
    }

    /// When silence calls for an enquire_link; none while one is on its way.
    fn enquire_due(&self) -> Option<Timestamp> {
        let asked = self
            .pending
            .values()
            .any(|pending| pending.response == CommandId::ENQUIRE_LINK_RESP);
        let bound = matches!(self.state, State::Bound(_));
        (bound && !asked).then(|| {
            self.last_heard
                .checked_add(self.limits.enquire_after)
                .unwrap_or(Timestamp::MAX)
        })
    }
}

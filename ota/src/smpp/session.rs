//! One SMPP session of either role (SMPP 3.4 §2), without socket, clock or thread.

use jiff::Timestamp;
use ota_wire::secret::Secret;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::config::{EsmeConfig, Limits, SmscConfig};
use super::header::{CommandId, CommandStatus, Frame, FrameError, Framer, Header};
use super::message::{FieldError, ShortMessage};
use super::multi::{Multi, MultiTaken};
use super::operations::{Found, Operation};
use super::pdu::{Bind, BindMode, Pdu, VERSION};

/// The highest sequence number (SMPP 3.4 §5.1.4).
const LAST_SEQUENCE: u32 = 0x7FFF_FFFF;
/// Refused binds after which an SMSC hangs up.
const MAX_REFUSED_BINDS: u8 = 3;

/// What a session reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEvent {
    /// The bind is done. At the SMSC `system_id` is the ESME's, at the ESME the SMSC's.
    Bound {
        /// The peer.
        system_id: String,
        /// The directions that are open.
        mode: BindMode,
    },
    /// A request of the peer: submit_sm or data_sm at the SMSC, deliver_sm or data_sm at the ESME. Answer it with [`Session::respond`], once what
    /// it brought is safe.
    Message {
        /// Names the request in [`Session::respond`].
        sequence: u32,
        /// What came.
        message: Box<ShortMessage>,
    },
    /// submit_multi at the SMSC. Answer it with [`Session::respond_multi`].
    Multi {
        /// Names the request in [`Session::respond_multi`].
        sequence: u32,
        /// What came.
        multi: Box<Multi>,
    },
    /// query_sm, cancel_sm or replace_sm at the SMSC. Answer it with [`Session::answer`].
    Operation {
        /// Names the request in [`Session::answer`].
        sequence: u32,
        /// What is asked.
        operation: Box<Operation>,
    },
    /// The answer to a [`Session::submit`] or [`Session::deliver`]: the message id of submit_sm_resp (empty in
    /// deliver_sm_resp), or the peer's error.
    Response {
        /// The id that the request was given.
        id: String,
        /// How it ended.
        result: Result<String, CommandStatus>,
    },
    /// A whole PDU passed the wire. A bind request holds a password: see [`secret_range`](super::secret_range).
    Pdu {
        /// True of ours.
        sent: bool,
        /// With the header.
        octets: Vec<u8>,
    },
    /// The session is over; hang up once [`Session::poll_transmit`] is empty. Requests without a response are lost to this
    /// session: whoever gave them must give them to the next one.
    Closed(CloseReason),
}

/// The answer to an [`Operation`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Answer {
    /// To query_sm.
    Query(Result<Found, CommandStatus>),
    /// To cancel_sm.
    Cancel(CommandStatus),
    /// To replace_sm.
    Replace(CommandStatus),
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// The connection broke or the peer hung up.
    #[error("the peer hung up")]
    PeerGone,
    /// The peer sent unbind.
    #[error("the peer unbound")]
    PeerUnbound,
    /// We sent unbind and it was answered.
    #[error("unbound")]
    Unbound,
    /// The SMSC refused our bind.
    #[error("the bind was refused with {0}")]
    BindRefused(CommandStatus),
    /// The peer failed to bind too often.
    #[error("no valid bind in {MAX_REFUSED_BINDS} attempts")]
    TooManyBinds,
    /// The peer did not bind in time.
    #[error("no bind in time")]
    BindTimeout,
    /// The peer left a request of ours unanswered.
    #[error("no response in time")]
    ResponseTimeout,
    /// The stream cannot be cut into PDUs.
    #[error(transparent)]
    Framing(FrameError),
}

/// Why a request was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There is no bind that allows it.
    #[error("the session is not bound for this direction")]
    NotBound,
    /// Window and queue are full.
    #[error("{waiting} requests wait already")]
    Full {
        /// How many.
        waiting: usize,
    },
    /// The message does not fit its PDU.
    #[error(transparent)]
    Field(#[from] FieldError),
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

/// A request of ours that waits for its response.
#[derive(Debug)]
struct Pending {
    id: String,
    response: CommandId,
    due: Timestamp,
}

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

    fn receive(&mut self, frame: Frame, now: Timestamp) {
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
    fn drain(&mut self, unbind: Option<u32>, now: Timestamp) {
        let due = now
            .checked_add(self.limits.response_within)
            .unwrap_or(Timestamp::MAX);
        self.state = State::Draining { unbind, due };
        // Not sent yet, so they are the next session's.
        self.waiting.clear();
        self.after_answer();
    }

    fn after_answer(&mut self) {
        if self.unanswered == 0 && matches!(self.state, State::Draining { .. }) {
            self.drained();
        }
    }

    fn drained(&mut self) {
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

    fn on_response(&mut self, response: Pdu, status: CommandStatus, sequence: u32, now: Timestamp) {
        let id = response.id();
        let fits = |pending: &Pending| pending.response == id || id == CommandId::GENERIC_NACK;
        if !self.pending.get(&sequence).is_some_and(fits) {
            return;
        }
        let Some(pending) = self.pending.remove(&sequence) else {
            return;
        };
        // A nack is a refusal even if its author forgot to say why.
        let nacked = id == CommandId::GENERIC_NACK && status.is_ok();
        let status = if nacked {
            CommandStatus::RUNKNOWNERR
        } else {
            status
        };
        match response {
            Pdu::BindResp(mode, system_id, _) if status.is_ok() => {
                self.state = State::Bound(mode);
                self.events
                    .push_back(SessionEvent::Bound { system_id, mode });
            }
            _ if self.state == State::Open => return self.close(CloseReason::BindRefused(status)),
            _ if pending.response == CommandId::UNBIND_RESP && self.state == State::Unbinding => {
                return self.close(CloseReason::Unbound);
            }
            _ if [CommandId::ENQUIRE_LINK_RESP, CommandId::UNBIND_RESP]
                .contains(&pending.response) => {}
            Pdu::SubmitSmResp(message_id) if status.is_ok() => {
                self.settle(pending.id, Ok(message_id))
            }
            _ if status.is_ok() => self.settle(pending.id, Ok(String::new())),
            _ => self.settle(pending.id, Err(status)),
        }
        self.open_window(now);
    }

    fn settle(&mut self, id: String, result: Result<String, CommandStatus>) {
        self.events.push_back(SessionEvent::Response { id, result });
    }

    fn send(&mut self, open: bool, id: String, pdu: Pdu, now: Timestamp) -> Result<(), SendError> {
        if !open {
            return Err(SendError::NotBound);
        }
        if self.waiting.len() >= self.limits.queue {
            return Err(SendError::Full {
                waiting: self.waiting.len(),
            });
        }
        let octets = pdu.encode(CommandStatus::ROK, 0)?;
        self.waiting.push_back((id, pdu.id(), octets));
        self.open_window(now);
        Ok(())
    }

    fn open_window(&mut self, now: Timestamp) {
        while self.pending.len() < self.limits.window
            && let Some((id, command, octets)) = self.waiting.pop_front()
        {
            self.request(id, command, octets, now);
        }
    }

    /// Numbers an encoded request and sends it.
    fn request(&mut self, id: String, command: CommandId, mut octets: Vec<u8>, now: Timestamp) {
        self.sequence = if self.sequence == LAST_SEQUENCE {
            1
        } else {
            self.sequence + 1
        };
        if let Some(header) = Header::parse(&octets) {
            let header = Header {
                sequence: self.sequence,
                ..header
            }
            .emit();
            octets[..header.len()].copy_from_slice(&header);
        }
        let response = CommandId(command.0 | CommandId::GENERIC_NACK.0);
        let due = now
            .checked_add(self.limits.response_within)
            .unwrap_or(Timestamp::MAX);
        self.pending
            .insert(self.sequence, Pending { id, response, due });
        self.write(octets);
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

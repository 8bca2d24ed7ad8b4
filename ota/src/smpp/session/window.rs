//! Requests of ours: the window they wait for, and their responses.

use jiff::Timestamp;

use super::{CloseReason, SendError, Session, SessionEvent, State};
use crate::smpp::header::{CommandId, CommandStatus, Header};
use crate::smpp::pdu::Pdu;

/// The highest sequence number (SMPP 3.4 §5.1.4).
const LAST_SEQUENCE: u32 = 0x7FFF_FFFF;

/// A request of ours that waits for its response.
#[derive(Debug)]
pub(super) struct Pending {
    id: String,
    pub(super) response: CommandId,
    pub(super) due: Timestamp,
}

impl Session {
    pub(super) fn on_response(
        &mut self,
        response: Pdu,
        status: CommandStatus,
        sequence: u32,
        now: Timestamp,
    ) {
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

    pub(super) fn send(
        &mut self,
        open: bool,
        id: String,
        pdu: Pdu,
        now: Timestamp,
    ) -> Result<(), SendError> {
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
    pub(super) fn request(
        &mut self,
        id: String,
        command: CommandId,
        mut octets: Vec<u8>,
        now: Timestamp,
    ) {
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
}

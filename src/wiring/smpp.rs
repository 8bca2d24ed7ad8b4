//! The two ends of the SMPP connection between OTA platform and SMSC: what a session reports becomes a message to its
//! party, what the party wants done goes into the session.

use jiff::Timestamp;
use ota::smpp::{CommandStatus, SendError, Session, SessionEvent};
use ota::{platform, smsc};

use super::parties::Message;

/// A message for a party, and what the session is owed once the party has committed it.
#[derive(Clone)]
pub(super) struct Arrived {
    /// For the party.
    pub(super) message: Message,
    /// The deliver_sm to acknowledge then.
    pub(super) acknowledge: Option<u32>,
}

/// One end of an SMPP connection: a session, and the party that stands behind it.
pub(super) trait SmppEnd: Send + 'static {
    /// What the party wants of the peer.
    type Output: Send + 'static;

    /// The session, for its octets and its timers.
    fn session(&mut self) -> &mut Session;

    /// As [`session`](Self::session), to look at.
    fn seen(&self) -> &Session;

    /// Carries out what the party wants. What the session cannot take now is reported as if the peer had refused it, so that the
    /// party tries again.
    fn send(&mut self, output: Self::Output, now: Timestamp) -> Option<Message> {
        match self.try_send(&output, now) {
            Ok(()) => None,
            Err(error) => Self::unsent(output, &error),
        }
    }

    /// Carries out what the party wants.
    fn try_send(&mut self, output: &Self::Output, now: Timestamp) -> Result<(), SendError>;

    /// What the party is told of something that was not sent.
    fn unsent(output: Self::Output, error: &SendError) -> Option<Message>;

    /// What one event of the session means to the party.
    fn report(&mut self, event: SessionEvent) -> Option<Arrived>;

    /// What the session has to report.
    fn events(&mut self) -> Vec<Arrived> {
        let mut arrived = Vec::new();
        while let Some(event) = self.session().poll_event() {
            arrived.extend(self.report(event));
        }
        arrived
    }
}

/// The platform's end.
pub(super) struct EsmeEnd {
    session: Session,
}

/// The SMSC's end.
pub(super) struct SmscEnd {
    session: Session,
    link: u64,
    /// Known once it has bound.
    esme: Option<smsc::EsmeId>,
}

impl EsmeEnd {
    /// The end of a connection that has just been made.
    pub(super) fn new(session: Session) -> Self {
        Self { session }
    }

    /// Acknowledges a deliver_sm.
    pub(super) fn acknowledge(&mut self, sequence: u32) {
        self.session.respond(sequence, CommandStatus::ROK, "");
    }
}

impl SmppEnd for EsmeEnd {
    type Output = platform::Output;

    fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    fn seen(&self) -> &Session {
        &self.session
    }

    fn try_send(&mut self, output: &platform::Output, now: Timestamp) -> Result<(), SendError> {
        match output {
            platform::Output::SubmitSm { id, message } => {
                self.session.submit(id.clone(), message, now)
            }
            platform::Output::Report { .. } | platform::Output::Mo { .. } => Ok(()),
        }
    }

    fn unsent(output: platform::Output, error: &SendError) -> Option<Message> {
        let platform::Output::SubmitSm { id, .. } = output else {
            return None;
        };
        let status = match error {
            SendError::Field(_) => CommandStatus::RINVMSGLEN,
            SendError::NotBound | SendError::Full { .. } => CommandStatus::RTHROTTLED,
        };
        let result = Err(status);
        Some(Message::Platform(platform::Input::SubmitSmResp {
            id,
            result,
        }))
    }

    fn report(&mut self, event: SessionEvent) -> Option<Arrived> {
        let (input, acknowledge) = match event {
            SessionEvent::Bound { .. } => (platform::Input::LinkUp, None),
            SessionEvent::Closed(_) => (platform::Input::LinkDown, None),
            SessionEvent::Message { sequence, message } => {
                (platform::Input::Deliver(*message), Some(sequence))
            }
            SessionEvent::Response { id, result } => {
                (platform::Input::SubmitSmResp { id, result }, None)
            }
            SessionEvent::Multi { .. }
            | SessionEvent::Operation { .. }
            | SessionEvent::Pdu { .. } => return None,
        };
        Some(Arrived {
            message: Message::Platform(input),
            acknowledge,
        })
    }
}

impl SmscEnd {
    /// The end of a connection that has just been accepted; `link` is used once in the life of the process.
    pub(super) fn new(session: Session, link: u64) -> Self {
        Self {
            session,
            link,
            esme: None,
        }
    }
}

impl SmppEnd for SmscEnd {
    type Output = smsc::Output;

    fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    fn seen(&self) -> &Session {
        &self.session
    }

    fn try_send(&mut self, output: &smsc::Output, now: Timestamp) -> Result<(), SendError> {
        match output {
            smsc::Output::SubmitResp {
                sequence,
                status,
                message_id,
                ..
            } => {
                self.session.respond(*sequence, *status, message_id);
                Ok(())
            }
            smsc::Output::MultiResp {
                sequence,
                status,
                taken,
                ..
            } => {
                self.session.respond_multi(*sequence, *status, taken);
                Ok(())
            }
            smsc::Output::Answer {
                sequence, answer, ..
            } => {
                self.session.answer(*sequence, answer);
                Ok(())
            }
            smsc::Output::Deliver { id, message, .. } => {
                self.session.deliver(id.clone(), message, now)
            }
            smsc::Output::Rp { .. } => Ok(()),
        }
    }

    fn unsent(output: smsc::Output, error: &SendError) -> Option<Message> {
        let smsc::Output::Deliver { id, .. } = output else {
            return None;
        };
        Some(Message::Smsc(match error {
            SendError::NotBound | SendError::Full { .. } => smsc::Input::NotSent { id },
            // No session will ever carry it.
            SendError::Field(_) => {
                let result = Err(CommandStatus::RINVMSGLEN);
                smsc::Input::DeliverResp { id, result }
            }
        }))
    }

    fn report(&mut self, event: SessionEvent) -> Option<Arrived> {
        let input = match (event, &self.esme) {
            (SessionEvent::Bound { system_id, mode }, _) => {
                let esme = smsc::EsmeId {
                    system_id,
                    link: self.link,
                };
                self.esme = Some(esme.clone());
                smsc::Input::Bound { esme, mode }
            }
            (SessionEvent::Closed(_), Some(esme)) => smsc::Input::Unbound { esme: esme.clone() },
            (SessionEvent::Message { sequence, message }, Some(esme)) => smsc::Input::Submit {
                esme: esme.clone(),
                sequence,
                message: *message,
            },
            (SessionEvent::Multi { sequence, multi }, Some(esme)) => smsc::Input::SubmitMulti {
                esme: esme.clone(),
                sequence,
                multi: *multi,
            },
            (
                SessionEvent::Operation {
                    sequence,
                    operation,
                },
                Some(esme),
            ) => smsc::Input::Operate {
                esme: esme.clone(),
                sequence,
                operation: *operation,
            },
            (SessionEvent::Response { id, result }, _) => smsc::Input::DeliverResp {
                id,
                result: result.map(drop),
            },
            // The session lets nobody submit who has not bound; a client that hangs up before is nobody.
            (
                SessionEvent::Closed(_)
                | SessionEvent::Message { .. }
                | SessionEvent::Multi { .. }
                | SessionEvent::Operation { .. }
                | SessionEvent::Pdu { .. },
                _,
            ) => return None,
        };
        Some(Message::Smsc(input).into())
    }
}

impl From<Message> for Arrived {
    fn from(message: Message) -> Self {
        Self {
            message,
            acknowledge: None,
        }
    }
}

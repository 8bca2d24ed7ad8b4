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

    /// The session, for its octets and its timers.
    pub(super) fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// When the session wants to be called again.
    pub(super) fn next_timeout(&self) -> Option<Timestamp> {
        self.session.next_timeout()
    }

    /// Whether the session is over.
    pub(super) fn is_closed(&self) -> bool {
        self.session.is_closed()
    }

    /// Carries out what the platform wants. A message that the session cannot take now is reported as if the SMSC had
    /// refused it, so that the platform tries again.
    pub(super) fn send(&mut self, output: platform::Output, now: Timestamp) -> Option<Message> {
        let platform::Output::SubmitSm { id, message } = output else {
            return None;
        };
        let status = match self.session.submit(id.clone(), &message, now) {
            Ok(()) => return None,
            Err(SendError::Field(_)) => CommandStatus::RINVMSGLEN,
            Err(SendError::NotBound | SendError::Full { .. }) => CommandStatus::RTHROTTLED,
        };
        Some(Message::Platform(platform::Input::SubmitSmResp {
            id,
            result: Err(status),
        }))
    }

    /// Acknowledges a deliver_sm.
    pub(super) fn acknowledge(&mut self, sequence: u32) {
        self.session.respond(sequence, CommandStatus::ROK, "");
    }

    /// What the session has to report.
    pub(super) fn events(&mut self) -> Vec<Arrived> {
        let mut arrived = Vec::new();
        while let Some(event) = self.session.poll_event() {
            let (input, acknowledge) = match event {
                SessionEvent::Bound { .. } => (platform::Input::LinkUp, None),
                SessionEvent::Closed(_) => (platform::Input::LinkDown, None),
                SessionEvent::Message { sequence, message } => {
                    (platform::Input::Deliver(*message), Some(sequence))
                }
                SessionEvent::Response { id, result } => {
                    (platform::Input::SubmitSmResp { id, result }, None)
                }
                SessionEvent::Pdu { .. } => continue,
            };
            arrived.push(Arrived {
                message: Message::Platform(input),
                acknowledge,
            });
        }
        arrived
    }
}

impl SmscEnd {
    /// The end of a connection that has just been accepted; `link` is never used twice.
    pub(super) fn new(session: Session, link: u64) -> Self {
        Self {
            session,
            link,
            esme: None,
        }
    }

    /// The session, for its octets and its timers.
    pub(super) fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// When the session wants to be called again.
    pub(super) fn next_timeout(&self) -> Option<Timestamp> {
        self.session.next_timeout()
    }

    /// Whether the session is over.
    pub(super) fn is_closed(&self) -> bool {
        self.session.is_closed()
    }

    /// Carries out what the SMSC wants of this ESME. A message that the session cannot take is reported as refused.
    pub(super) fn send(&mut self, output: smsc::Output, now: Timestamp) -> Option<Message> {
        match output {
            smsc::Output::SubmitResp {
                sequence,
                status,
                message_id,
                ..
            } => {
                self.session.respond(sequence, status, &message_id);
                None
            }
            smsc::Output::Deliver { id, message, .. } => {
                match self.session.deliver(id.clone(), &message, now) {
                    Ok(()) => None,
                    Err(_) => {
                        let result = Err(CommandStatus::RSYSERR);
                        Some(Message::Smsc(smsc::Input::DeliverResp { id, result }))
                    }
                }
            }
            smsc::Output::Rp { .. } => None,
        }
    }

    /// What the session has to report.
    pub(super) fn events(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(event) = self.session.poll_event() {
            let input = match (event, &self.esme) {
                (SessionEvent::Bound { system_id, mode }, _) => {
                    let esme = smsc::EsmeId {
                        system_id,
                        link: self.link,
                    };
                    self.esme = Some(esme.clone());
                    smsc::Input::Bound { esme, mode }
                }
                (SessionEvent::Closed(_), Some(esme)) => {
                    smsc::Input::Unbound { esme: esme.clone() }
                }
                (SessionEvent::Message { sequence, message }, Some(esme)) => smsc::Input::Submit {
                    esme: esme.clone(),
                    sequence,
                    message: *message,
                },
                (SessionEvent::Response { id, result }, _) => smsc::Input::DeliverResp {
                    id,
                    result: result.map(drop),
                },
                // The session lets nobody submit who has not bound; a client that hangs up before is nobody.
                (
                    SessionEvent::Closed(_)
                    | SessionEvent::Message { .. }
                    | SessionEvent::Pdu { .. },
                    _,
                ) => continue,
            };
            messages.push(Message::Smsc(input));
        }
        messages
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

impl Arrived {
    /// Messages of the same lane are handled in their order: the parts of one message, most of all.
    pub(super) fn lane(&self) -> Option<&str> {
        match &self.message {
            Message::Platform(platform::Input::Deliver(message)) => Some(&message.source),
            Message::Smsc(smsc::Input::Submit { message, .. }) => Some(&message.destination),
            _ => None,
        }
    }

    /// Whether nothing of the same session may be handled beside it.
    pub(super) fn in_order(&self) -> bool {
        matches!(
            self.message,
            Message::Platform(platform::Input::LinkDown | platform::Input::LinkUp)
                | Message::Smsc(smsc::Input::Bound { .. } | smsc::Input::Unbound { .. })
        )
    }
}

//! The card out of the handset: in somebody's reader, or on the table.
//!
//! Whoever has the card in a reader plays the handset: commands to the card come as octets, and the radio of the number
//! hands out SMS-DELIVERs and takes SMS-SUBMITs. The handset itself has no card meanwhile and does nothing.

use std::collections::VecDeque;

use ota_wire::rp::{Cause, Direction, Message, Tpdu};
use ota_wire::sms::address::Address;
use ota_wire::sms::tpdu::{DeliverReport, Fcs, ReportIn, Submit};
use ota_wire::trace::Id;
use thiserror::Error;

use super::{Link, Output, Phone, Turn};
use crate::event::{Event, EventKind, command_octets};

/// Messages from the network that wait until somebody takes them; a further one is turned away.
const MAX_WAITING: usize = 16;

/// Messages that were handed out and not answered yet.
const MAX_UNANSWERED: usize = 64;

/// Where the card is.
#[derive(Debug)]
pub(super) enum Place {
    Handset,
    /// Nowhere.
    Out,
    Reader(Box<Reader>),
}

/// A reader with the card in it, and the radio of the number.
#[derive(Debug)]
pub(super) struct Reader {
    /// Whether somebody plays the handset: from when they first use the radio.
    pub(super) listening: bool,
    /// RP-DATA that nobody has taken yet, oldest first.
    waiting: VecDeque<Vec<u8>>,
    /// References of those that were taken and wait for their report.
    unanswered: VecDeque<u8>,
    /// References of messages to the network that it has not acknowledged.
    sending: Vec<u8>,
    rp_mr: u8,
    /// What the card is busy with.
    link: Option<Link>,
}

/// What somebody with a reader does.
#[derive(Clone, Debug)]
pub enum ReaderInput {
    /// Takes the card out of the handset and puts it into the reader.
    Insert,
    /// Puts it back into the handset, which starts unless its user had switched it off.
    Eject,
    /// Gives the card power, or resets it.
    Reset,
    /// Takes the power away.
    PowerOff,
    /// Sends a command to the card.
    Apdu(Vec<u8>),
    /// Takes the messages that the network has for the number. From the first time on the network reaches it.
    Take {
        /// Whether the network is told at once that they arrived. If not, each wants a [`ReaderInput::Report`].
        acknowledge: bool,
    },
    /// Answers a message that was taken.
    Report {
        /// Its reference.
        mr: u8,
        /// RP-Cause, where it could not be dealt with.
        cause: Option<Cause>,
        /// SMS-DELIVER-REPORT.
        tpdu: Option<Vec<u8>>,
    },
    /// Sends an SMS-SUBMIT to the network.
    Submit {
        /// Service centre; without, that of the card's profile.
        service_centre: Option<Address>,
        /// The SMS-SUBMIT.
        tpdu: Vec<u8>,
    },
}

/// What comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReaderOutput {
    /// The card's answer: response data and status word.
    Response(Vec<u8>),
    /// A message came in and waits to be taken.
    Arrived,
    /// Messages for the number, oldest first.
    Messages(Vec<Delivered>),
    /// An SMS-SUBMIT is on its way.
    Submitted {
        /// Its reference.
        mr: u8,
    },
    /// The network has answered an SMS-SUBMIT.
    Ended {
        /// Its reference.
        mr: u8,
        /// RP-Cause, if it was refused.
        cause: Option<Cause>,
    },
    /// It cannot be done.
    Refused(ReaderError),
}

/// A message as a handset gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// RP-Message-Reference; an answer repeats it.
    pub mr: u8,
    /// The service centre it came from.
    pub service_centre: Option<Address>,
    /// The SMS-DELIVER.
    pub tpdu: Vec<u8>,
}

/// Why something cannot be done with a reader.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ReaderError {
    /// The card is in a reader already.
    #[error("the card is in a reader")]
    Taken,
    /// The card is not in a reader.
    #[error("the card is not in a reader")]
    NotInReader,
    /// No message with this reference waits for a report.
    #[error("no message with this reference waits for a report")]
    NoSuchMessage,
    /// Octets that are no SMS-SUBMIT, or no SMS-DELIVER-REPORT.
    #[error("the TPDU is malformed")]
    Malformed,
    /// The network does not reach the number.
    #[error("there is no coverage")]
    NoCoverage,
}

impl Phone {
    /// The card is taken out of the handset and lies on the table.
    pub(super) fn remove_card(&mut self, turn: &mut Turn<'_>) {
        if matches!(self.place, Place::Handset) {
            self.go_off(turn);
            self.place = Place::Out;
        }
    }

    /// The card is put into the handset, which starts unless its user has switched it off.
    pub(super) fn insert_card(&mut self, turn: &mut Turn<'_>) {
        if self.has_card() {
            return;
        }
        if self.is_attached() {
            self.attach(false, turn);
        }
        let waiting = match std::mem::replace(&mut self.place, Place::Handset) {
            Place::Handset | Place::Out => VecDeque::new(),
            Place::Reader(reader) => reader.waiting,
        };
        self.card.power_off();
        if !self.kept_off {
            self.power_on(turn);
        }
        for octets in waiting {
            self.receive(octets, turn);
        }
    }

    pub(super) fn reader(&mut self, input: ReaderInput, turn: &mut Turn<'_>) {
        let done = match input {
            ReaderInput::Insert => self.put_into_reader(turn),
            ReaderInput::Eject if matches!(self.place, Place::Reader(_)) => {
                self.insert_card(turn);
                Ok(())
            }
            ReaderInput::Eject => Err(ReaderError::NotInReader),
            input => match &mut self.place {
                Place::Reader(_) => self.use_reader(input, turn),
                Place::Handset | Place::Out => Err(ReaderError::NotInReader),
            },
        };
        if let Err(error) = done {
            turn.output(Output::Reader(ReaderOutput::Refused(error)));
        }
    }

    fn put_into_reader(&mut self, turn: &mut Turn<'_>) -> Result<(), ReaderError> {
        if matches!(self.place, Place::Reader(_)) {
            return Err(ReaderError::Taken);
        }
        self.remove_card(turn);
        let [rp_mr] = turn.random();
        self.place = Place::Reader(Box::new(Reader {
            listening: false,
            waiting: VecDeque::new(),
            unanswered: VecDeque::new(),
            sending: Vec::new(),
            rp_mr,
            link: None,
        }));
        Ok(())
    }

    /// Whoever uses the radio is there for the network from now on.
    fn listen(&mut self, turn: &mut Turn<'_>) -> Result<(), ReaderError> {
        let listened = std::mem::replace(&mut self.in_reader()?.listening, true);
        if !listened && self.coverage {
            self.attach(true, turn);
        }
        Ok(())
    }

    fn use_reader(&mut self, input: ReaderInput, turn: &mut Turn<'_>) -> Result<(), ReaderError> {
        match input {
            ReaderInput::Reset => {
                self.card.reset();
                self.card.stir(turn.random());
                let atr = self.card.atr().to_vec();
                self.note(EventKind::PowerOn { atr }, turn);
            }
            ReaderInput::PowerOff => {
                self.card.power_off();
                self.note(EventKind::PowerOff, turn);
            }
            ReaderInput::Apdu(octets) => self.pass_on(octets, turn),
            ReaderInput::Take { acknowledge } => self.hand_out(acknowledge, turn)?,
            ReaderInput::Report { mr, cause, tpdu } => self.report(mr, cause, tpdu, turn)?,
            ReaderInput::Submit {
                service_centre,
                tpdu,
            } => self.submit(service_centre, &tpdu, turn)?,
            // Dealt with by the caller.
            ReaderInput::Insert | ReaderInput::Eject => {}
        }
        Ok(())
    }

    fn pass_on(&mut self, octets: Vec<u8>, turn: &mut Turn<'_>) {
        let response = self.card.transmit(&octets);
        let kind = EventKind::Apdu {
            command: command_octets(octets),
            response: response.clone(),
            file: None,
        };
        self.note(kind, turn);
        self.note_card(turn);
        turn.output(Output::Reader(ReaderOutput::Response(response)));
    }

    fn hand_out(&mut self, acknowledge: bool, turn: &mut Turn<'_>) -> Result<(), ReaderError> {
        self.listen(turn)?;
        let waiting = std::mem::take(&mut self.in_reader()?.waiting);
        let mut messages = Vec::new();
        for octets in waiting {
            // Nothing else was put there.
            let Ok(Message::Data { mr, oa, tpdu, .. }) =
                Message::parse(Direction::ToPhone, &octets)
            else {
                continue;
            };
            let own = Id::rp(&self.subscriber().msisdn, mr);
            self.in_reader()?.link = Some(Link { own, parent: None });
            self.note(EventKind::RpReceived { octets }, turn);
            if acknowledge {
                self.reply(&Message::Ack { mr, tpdu: None }, turn);
            } else {
                let unanswered = &mut self.in_reader()?.unanswered;
                unanswered.push_back(mr);
                if unanswered.len() > MAX_UNANSWERED {
                    unanswered.pop_front();
                }
            }
            messages.push(Delivered {
                mr,
                service_centre: oa,
                tpdu: tpdu.octets().to_vec(),
            });
        }
        turn.output(Output::Reader(ReaderOutput::Messages(messages)));
        Ok(())
    }

    fn report(
        &mut self,
        mr: u8,
        cause: Option<Cause>,
        tpdu: Option<Vec<u8>>,
        turn: &mut Turn<'_>,
    ) -> Result<(), ReaderError> {
        let carrier = match cause {
            Some(_) => ReportIn::Error,
            None => ReportIn::Ack,
        };
        let tpdu = tpdu.map(|octets| {
            DeliverReport::parse(&octets, carrier).map_err(|_| ReaderError::Malformed)?;
            Tpdu::new(octets).map_err(|_| ReaderError::Malformed)
        });
        let tpdu = tpdu.transpose()?;
        let unanswered = &mut self.in_reader()?.unanswered;
        let index = unanswered.iter().position(|open| *open == mr);
        unanswered.remove(index.ok_or(ReaderError::NoSuchMessage)?);
        let message = match cause {
            None => Message::Ack { mr, tpdu },
            Some(cause) => Message::Error {
                mr,
                cause,
                diagnostic: None,
                tpdu,
            },
        };
        self.reply(&message, turn);
        Ok(())
    }

    fn submit(
        &mut self,
        service_centre: Option<Address>,
        tpdu: &[u8],
        turn: &mut Turn<'_>,
    ) -> Result<(), ReaderError> {
        let submit = Submit::parse(tpdu).map_err(|_| ReaderError::Malformed)?;
        if !self.coverage {
            return Err(ReaderError::NoCoverage);
        }
        self.listen(turn)?;
        let service_centre = service_centre
            .unwrap_or_else(|| Address::international(&self.card.profile().network.smsc));
        let reader = self.in_reader()?;
        let mr = reader.rp_mr;
        reader.rp_mr = mr.wrapping_add(1);
        reader.sending.retain(|open| *open != mr);
        reader.sending.push(mr);
        let parent = reader.link.as_ref().map(|link| link.own.clone());
        let octets = Message::submit(mr, service_centre, &submit).emit(Direction::FromPhone);
        turn.step.events.push(Event {
            own: Id::rp_mo(&self.subscriber().msisdn, mr),
            parent,
            kind: EventKind::RpSent {
                octets: octets.clone(),
            },
        });
        turn.output(Output::Rp(octets));
        turn.output(Output::Reader(ReaderOutput::Submitted { mr }));
        Ok(())
    }

    /// An RP message for a number whose card is in a reader.
    pub(super) fn receive_for_reader(&mut self, octets: Vec<u8>, turn: &mut Turn<'_>) {
        let Place::Reader(reader) = &mut self.place else {
            return;
        };
        let (mr, cause) = match Message::parse(Direction::ToPhone, &octets) {
            Ok(Message::Data { .. }) if reader.waiting.len() < MAX_WAITING => {
                reader.waiting.push_back(octets);
                turn.output(Output::Reader(ReaderOutput::Arrived));
                return;
            }
            Ok(Message::Data { mr, .. }) => {
                self.note(EventKind::RpReceived { octets }, turn);
                let report = DeliverReport::new(Some(Fcs::MEMORY_EXCEEDED));
                self.refuse(mr, Cause::MEMORY_EXCEEDED, report, turn);
                return;
            }
            Ok(Message::Ack { mr, .. }) => (mr, None),
            Ok(Message::Error { mr, cause, .. }) => (mr, Some(cause)),
            Ok(Message::Smma { .. }) | Err(_) => {
                self.receive_malformed(octets, turn);
                return;
            }
        };
        let open = reader.sending.iter().position(|open| *open == mr);
        let Some(index) = open else {
            let reason = "no message with this reference is under way";
            self.note(EventKind::RpDropped { octets, reason }, turn);
            return;
        };
        reader.sending.remove(index);
        turn.step.events.push(Event {
            own: Id::rp_mo(&self.subscriber().msisdn, mr),
            parent: None,
            kind: EventKind::RpReceived { octets },
        });
        turn.output(Output::Reader(ReaderOutput::Ended { mr, cause }));
    }

    fn in_reader(&mut self) -> Result<&mut Reader, ReaderError> {
        match &mut self.place {
            Place::Reader(reader) => Ok(reader),
            Place::Handset | Place::Out => Err(ReaderError::NotInReader),
        }
    }
}

impl Reader {
    /// Whether no message waits for anybody.
    pub(super) fn is_quiet(&self) -> bool {
        self.waiting.is_empty() && self.sending.is_empty()
    }
}

impl Place {
    /// What the card is busy with outside the handset.
    pub(super) fn link(&self) -> Option<&Link> {
        match self {
            Self::Reader(reader) => reader.link.as_ref(),
            Self::Handset | Self::Out => None,
        }
    }

    pub(super) fn link_mut(&mut self) -> Option<&mut Option<Link>> {
        match self {
            Self::Reader(reader) => Some(&mut reader.link),
            Self::Handset | Self::Out => None,
        }
    }
}

//! ETSI TS 102 221: the card as its contacts show it, octets in and octets out.

mod channel;
mod codes;
mod command;
mod contents;
mod download;
mod fcp;
pub mod file;
mod gsm;
mod random;
mod remote;
mod select;
mod toolkit;

use std::sync::Arc;

use ota_wire::apdu::{self, Response, Sw};
use ota_wire::tlv::Ber;

use crate::profile::{Profile, Subscriber};
use crate::state::CardState;

use channel::{Entered, LogicalChannel};
use command::Command;
use file::FileIndex;

/// A UICC with its CardManager and the signature applet.
///
/// # Contract
/// [`Uicc::transmit`] takes any octets and always answers; it never waits for anything. Power is given by
/// [`Uicc::reset`] and taken by [`Uicc::power_off`]; a command to a card without power gives it power first. After
/// each call, [`Uicc::take_changed`] says whether [`Uicc::state`] must be journaled before the answer is passed on,
/// and [`Uicc::take_notes`] what happened inside.
///
/// The protocol is T=0 as a reader shows it: response data of a command that has data waits for GET RESPONSE
/// (`61xx`), a wrong Le is corrected (`6Cxx`), and `91xx` stands for `9000` while a proactive command waits.
#[derive(Debug)]
pub struct Uicc {
    pub(crate) profile: Arc<Profile>,
    pub(crate) subscriber: Subscriber,
    pub(crate) state: CardState,
    session: Option<Box<Session>>,
    pub(crate) changed: bool,
}

impl Uicc {
    /// A card without power.
    pub const fn new(profile: Arc<Profile>, subscriber: Subscriber, state: CardState) -> Self {
        Self {
            profile,
            subscriber,
            state,
            session: None,
            changed: false,
        }
    }

    /// A card with the same contents, without power.
    #[must_use]
    pub fn another(&self) -> Self {
        self.holding(self.state.clone())
    }

    /// This card with other contents, without power.
    pub(crate) fn holding(&self, state: CardState) -> Self {
        Self::new(self.profile.clone(), self.subscriber.clone(), state)
    }

    /// Answer to reset.
    pub fn atr(&self) -> &[u8] {
        &self.profile.atr
    }

    /// Power on or warm reset: everything volatile begins anew.
    pub fn reset(&mut self) {
        self.session = Some(Box::default());
    }

    /// Power off: everything volatile is lost.
    pub fn power_off(&mut self) {
        self.session = None;
    }

    /// Answers one command: response data, SW1, SW2.
    pub fn transmit(&mut self, c_apdu: &[u8]) -> Vec<u8> {
        let mut session = self.session.take().unwrap_or_default();
        let response = self.answer(&mut session, c_apdu);
        self.session = Some(session);
        response.emit()
    }

    /// The kind of card.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Who owns it.
    pub const fn subscriber(&self) -> &Subscriber {
        &self.subscriber
    }

    /// What the card keeps without power.
    pub const fn state(&self) -> &CardState {
        &self.state
    }

    /// Whether the state has changed since this was last asked.
    pub const fn take_changed(&mut self) -> bool {
        std::mem::replace(&mut self.changed, false)
    }

    fn answer(&mut self, session: &mut Session, c_apdu: &[u8]) -> Response {
        let mut apdu = match apdu::Command::parse(c_apdu) {
            Ok(apdu) => apdu,
            Err(error) => return error.sw().into(),
        };
        let mut waiting = std::mem::take(&mut session.response);
        match session.enter(&mut apdu) {
            Ok(Entered::Same) => {}
            // What a command on another channel left is lost.
            Ok(Entered::Other) => waiting.clear(),
            Err(sw) => return sw.into(),
        }
        if apdu.cla == gsm::CLA {
            return self.gsm(session, &apdu, waiting);
        }
        if let Some(response) = self.domain_command(session, &apdu, &waiting) {
            return response;
        }
        self.reply(session, &apdu, waiting)
    }

    /// Answers a command that is not for the security domain.
    pub(crate) fn reply(
        &mut self,
        session: &mut Session,
        apdu: &apdu::Command,
        waiting: Vec<u8>,
    ) -> Response {
        let reply = Command::try_from(apdu).and_then(|command| match command {
            Command::GetResponse { le } => get_response(session, waiting, le),
            command => self.exec(session, command),
        });
        match reply {
            Ok(Reply::Done) => session.done().into(),
            Ok(Reply::Data(data)) => Response::new(data, session.done()),
            Ok(Reply::More { data, left }) => Response::new(data, Sw::more_data(left)),
            Ok(Reply::Fetched(data)) => Response::new(data, Sw::OK),
            Ok(Reply::Waiting(data)) => {
                let sw = Sw::more_data(data.len());
                session.response = data;
                sw.into()
            }
            Err(sw) => sw.into(),
        }
    }

    fn exec(&mut self, session: &mut Session, command: Command<'_>) -> Result<Reply, Sw> {
        match command {
            Command::Select { target, reply } => self.select(session, target, reply),
            Command::Terminate { aid } => self.terminate(session, aid),
            Command::OpenChannel { le } => session.open_channel(le),
            Command::CloseChannel { number } => session.close_channel(number),
            Command::Status { reply, le } => self.status(session, reply, le),
            Command::ReadBinary { file, offset, le } => self.read_binary(session, file, offset, le),
            Command::UpdateBinary { file, offset, data } => {
                self.update_binary(session, file, offset, data)
            }
            Command::ReadRecord { file, record, le } => self.read_record(session, file, record, le),
            Command::UpdateRecord { file, record, data } => {
                self.update_record(session, file, record, data)
            }
            Command::SearchRecord {
                file,
                search,
                pattern,
            } => match self.search_record(session, file, search, pattern)? {
                found if found.is_empty() => Err(Sw::SEARCH_UNSUCCESSFUL),
                found => Ok(Reply::Waiting(found)),
            },
            Command::Increase { file, value } => {
                self.increase(session, file, value).map(Reply::Waiting)
            }
            Command::GetChallenge { le } => Ok(Reply::Data(self.random(session, le))),
            Command::TerminalCapability(capability) => terminal_capability(capability),
            Command::VerifyPin { key, code } => self.verify_pin(session, key, code),
            Command::ChangePin { key, old, new } => self.change_pin(session, key, old, new),
            Command::DisablePin { key, code } => self.disable_pin(session, key, code),
            Command::EnablePin { key, code } => self.enable_pin(session, key, code),
            Command::UnblockPin { key, codes } => self.unblock_pin(session, key, codes),
            Command::TerminalProfile(profile) => self.terminal_profile(session, profile),
            Command::Envelope(envelope) => self.envelope(session, envelope),
            Command::Fetch { le } => self.fetch(session, le),
            Command::TerminalResponse(response) => self.terminal_response(session, response),
            // Needs what the command before it left behind; answered by the caller.
            Command::GetResponse { .. } => Err(Sw::CONDITIONS_NOT_SATISFIED),
        }
    }
}

/// What a reset clears.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// The logical channel of the last command.
    pub(crate) channel: LogicalChannel,
    /// Its number, and the other ones that are open.
    number: usize,
    others: [Option<Box<LogicalChannel>>; channel::COUNT],
    /// One bit for each code of the profile: presented correctly. Those that are local to an application are in its channel.
    verified: u8,
    random: random::Source,
    /// Response data for GET RESPONSE.
    pub(crate) response: Vec<u8>,
    /// The toolkit.
    pub(crate) toolkit: toolkit::Toolkit,
}

/// A directory; the MF to begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Selected(FileIndex);

impl Default for Selected {
    fn default() -> Self {
        Self(FileIndex::MF)
    }
}

impl Session {
    /// `9000`, or `91xx` where a proactive command waits.
    pub(crate) fn done(&self) -> Sw {
        self.toolkit.waiting().map_or(Sw::OK, Sw::proactive)
    }
}

/// How a command ended that was not refused.
pub(crate) enum Reply {
    /// Nothing to say.
    Done,
    /// Response data of the length asked for.
    Data(Vec<u8>),
    /// Part of the data of GET RESPONSE; `left` octets remain.
    More { data: Vec<u8>, left: usize },
    /// A proactive command.
    Fetched(Vec<u8>),
    /// Response data of a command with data: to be fetched by GET RESPONSE.
    Waiting(Vec<u8>),
}

impl Reply {
    /// Response data that must be asked for with its exact length.
    pub(crate) fn exactly(data: Vec<u8>, le: usize) -> Result<Self, Sw> {
        if data.len() == le {
            Ok(Self::Data(data))
        } else {
            Err(Sw::wrong_le(data.len()))
        }
    }
}

/// TERMINAL CAPABILITY, TS 102 221 §11.1.19: nothing that this card does depends on it.
fn terminal_capability(capability: &[u8]) -> Result<Reply, Sw> {
    const TEMPLATE: u32 = 0xA9;
    match Ber::read_all(capability) {
        Ok(object) if object.tag == TEMPLATE => Ok(Reply::Done),
        _ => Err(Sw::WRONG_DATA),
    }
}

fn get_response(session: &mut Session, mut waiting: Vec<u8>, le: usize) -> Result<Reply, Sw> {
    let len = waiting.len();
    if len == 0 {
        return Err(Sw::CONDITIONS_NOT_SATISFIED);
    }
    if le > len {
        session.response = waiting;
        return Err(Sw::wrong_le(len));
    }
    session.response = waiting.split_off(le);
    match session.response.len() {
        0 => Ok(Reply::Data(waiting)),
        left => Ok(Reply::More {
            data: waiting,
            left,
        }),
    }
}

#[cfg(test)]
mod tests;

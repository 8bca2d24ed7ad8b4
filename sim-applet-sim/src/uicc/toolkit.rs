//! ETSI TS 102 221 §11.2: TERMINAL PROFILE, ENVELOPE, FETCH and TERMINAL RESPONSE.
//!
//! One proactive command is outstanding at a time. While one is, or a dialogue waits for its timer, an ENVELOPE is
//! answered `9300` and nothing of it is kept, so that the same message can be delivered later. That a timer ran out is
//! always taken: a terminal says so only between two commands, and perhaps late.

use std::collections::VecDeque;

use ota_wire::apdu::Sw;
use ota_wire::cat::{
    CommandDetails, CommandType, Envelope, Facility, ProactiveCommand, SmsPpDownload,
    TerminalProfile, TerminalResponse, TimerId,
};
use ota_wire::keys::KeySet;

use super::{Reply, Session, Uicc};
use crate::applet::{self, Applet, Dialogue, Turn};
use crate::card_manager::{self, Parts};
use crate::event::Note;

/// The toolkit's part of a session.
#[derive(Debug)]
pub(crate) struct Toolkit {
    /// What the terminal can do; until it has said so, it is asked for nothing.
    terminal: Option<TerminalProfile>,
    outstanding: Option<Outstanding>,
    queue: VecDeque<(Owner, ProactiveCommand)>,
    /// Number of the last proactive command.
    number: u8,
    dialogue: Option<Box<Dialogue>>,
    pub(super) parts: Parts,
    /// Key sets, derived when the first message needs them.
    pub(super) keys: Vec<KeySet>,
    pub(super) notes: Vec<Note>,
}

/// Who is told how a proactive command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Applet,
    /// Nobody: a PoR has no second chance, and a menu that the terminal does not take is not there.
    CardManager,
}

#[derive(Debug)]
struct Outstanding {
    owner: Owner,
    details: CommandDetails,
    octets: Vec<u8>,
    fetched: bool,
}

impl Default for Toolkit {
    fn default() -> Self {
        Self {
            terminal: None,
            outstanding: None,
            queue: VecDeque::new(),
            number: 0,
            dialogue: None,
            parts: card_manager::parts(),
            keys: Vec::new(),
            notes: Vec::new(),
        }
    }
}

impl Toolkit {
    /// Notes that nobody took; more than these are forgotten, oldest first.
    const MAX_NOTES: usize = 64;

    /// The next packet is opened with the keys that the card has then.
    pub(crate) fn forget_keys(&mut self) {
        self.keys.clear();
    }

    /// Octets of the proactive command that waits to be fetched.
    pub(super) fn waiting(&self) -> Option<usize> {
        self.outstanding
            .as_ref()
            .filter(|outstanding| !outstanding.fetched)
            .map(|outstanding| outstanding.octets.len())
    }

    /// Makes the next command of the queue the outstanding one.
    fn advance(&mut self) {
        if self.outstanding.is_some() {
            return;
        }
        let Some((owner, mut command)) = self.queue.pop_front() else {
            return;
        };
        self.number = self.number % 254 + 1;
        command.number = self.number;
        self.outstanding = Some(Outstanding {
            owner,
            details: command.details(),
            octets: command.emit(),
            fetched: false,
        });
    }

    /// Ends the applet's dialogue; what it asked for and the terminal has not been told of is not asked for any more.
    fn stop_applet(&mut self) {
        self.dialogue = None;
        self.queue.retain(|(owner, _)| *owner != Owner::Applet);
    }

    /// Takes back a menu that the terminal has not fetched.
    fn forget_menu(&mut self) {
        let is_menu = |command: &CommandDetails| command.kind == CommandType::SET_UP_MENU;
        self.queue
            .retain(|(_, command)| !is_menu(&command.details()));
        self.outstanding
            .take_if(|outstanding| !outstanding.fetched && is_menu(&outstanding.details));
    }

    fn take_turn(&mut self, turn: Turn) {
        match turn {
            Turn::End => self.dialogue = None,
            Turn::Command(dialogue, command) => {
                self.dialogue = Some(dialogue);
                self.queue.push_back((Owner::Applet, command));
            }
            Turn::Wait(dialogue) => self.dialogue = Some(dialogue),
        }
    }

    /// Whether something has to end before something else can begin.
    const fn is_busy(&self) -> bool {
        self.outstanding.is_some() || self.dialogue.is_some()
    }
}

impl Uicc {
    /// What happened inside the card since this was last asked.
    pub fn take_notes(&mut self) -> Vec<Note> {
        self.session.as_mut().map_or_else(Vec::new, |session| {
            std::mem::take(&mut session.toolkit.notes)
        })
    }

    pub(super) fn terminal_profile(
        &self,
        session: &mut Session,
        profile: &[u8],
    ) -> Result<Reply, Sw> {
        let toolkit = &mut session.toolkit;
        let terminal = TerminalProfile::from_octets(profile);
        toolkit.forget_menu();
        if let Some(menu) = self.menu(&terminal) {
            toolkit.queue.push_back((Owner::CardManager, menu));
        }
        toolkit.advance();
        toolkit.terminal = Some(terminal);
        Ok(Reply::Done)
    }

    /// The menu for a terminal that can show it; a locked applet has none.
    pub(crate) fn menu(&self, terminal: &TerminalProfile) -> Option<ProactiveCommand> {
        applet::set_up_menu(&self.profile.applet, terminal).filter(|_| !self.state.applet_locked())
    }

    pub(super) fn envelope(&mut self, session: &mut Session, envelope: &[u8]) -> Result<Reply, Sw> {
        let toolkit = &mut session.toolkit;
        if toolkit.outstanding.is_some() {
            return Err(Sw::BUSY);
        }
        let Some(terminal) = &toolkit.terminal else {
            return Err(Sw::CONDITIONS_NOT_SATISFIED);
        };
        let menu = applet::set_up_menu(&self.profile.applet, terminal).is_some();
        match Envelope::parse(envelope).map_err(|error| error.sw())? {
            Envelope::TimerExpiration { timer, .. } => {
                Ok(self.timer_expired(&mut session.toolkit, timer))
            }
            _ if session.toolkit.is_busy() => Err(Sw::BUSY),
            Envelope::SmsPpDownload(download) => self.sms_pp_download(session, &download),
            // The terminal may still show the menu of the time before.
            Envelope::MenuSelection { .. } if menu && self.state.applet_locked() => {
                Err(Sw::CONDITIONS_NOT_SATISFIED)
            }
            Envelope::MenuSelection { item, help, .. } if menu => {
                self.menu_selected(&mut session.toolkit, item, help)
            }
            Envelope::MenuSelection { .. } | Envelope::Other { .. } => {
                Err(Sw::FUNCTION_NOT_SUPPORTED)
            }
        }
    }

    fn timer_expired(&mut self, toolkit: &mut Toolkit, timer: TimerId) -> Reply {
        if let Some(dialogue) = toolkit.dialogue.take() {
            self.run_applet(toolkit, |applet| applet.timer(*dialogue, timer));
        }
        Reply::Done
    }

    fn menu_selected(&mut self, toolkit: &mut Toolkit, item: u8, help: bool) -> Result<Reply, Sw> {
        if !applet::has_item(item) {
            return Err(Sw::WRONG_DATA);
        }
        // The items are all the help there is.
        if !help {
            self.run_applet(toolkit, |applet| applet.selected(item));
        }
        Ok(Reply::Done)
    }

    fn sms_pp_download(
        &mut self,
        session: &mut Session,
        download: &SmsPpDownload,
    ) -> Result<Reply, Sw> {
        let delivery = self.download(session, &download.tpdu);
        let toolkit = &mut session.toolkit;
        trim(&mut toolkit.notes);
        let delivery = delivery?;
        let sends = toolkit
            .terminal
            .as_ref()
            .is_some_and(|terminal| terminal.supports(Facility::SEND_SHORT_MESSAGE));
        if let Some(tpdu) = delivery.submit.filter(|_| sends) {
            let command = applet::send_short_message(&self.profile.network, tpdu);
            toolkit.queue.push_back((Owner::CardManager, command));
        }
        let refreshes = toolkit
            .terminal
            .as_ref()
            .is_some_and(|terminal| terminal.supports(Facility::REFRESH));
        if let Some(command) = delivery.refresh.filter(|_| refreshes) {
            toolkit.queue.push_back((Owner::CardManager, command));
        }
        if let Some(data) = delivery.data {
            self.run_applet(toolkit, |applet| applet.receive(&data));
        }
        toolkit.advance();
        Ok(delivery.report.map_or(Reply::Done, Reply::Waiting))
    }

    pub(super) fn fetch(&self, session: &mut Session, le: usize) -> Result<Reply, Sw> {
        let outstanding = session.toolkit.outstanding.as_mut();
        let outstanding = outstanding
            .filter(|outstanding| !outstanding.fetched)
            .ok_or(Sw::CONDITIONS_NOT_SATISFIED)?;
        if le != outstanding.octets.len() {
            return Err(Sw::wrong_le(outstanding.octets.len()));
        }
        outstanding.fetched = true;
        Ok(Reply::Fetched(outstanding.octets.clone()))
    }

    pub(super) fn terminal_response(
        &mut self,
        session: &mut Session,
        response: &[u8],
    ) -> Result<Reply, Sw> {
        let toolkit = &mut session.toolkit;
        let outstanding = toolkit.outstanding.as_mut();
        let outstanding = outstanding
            .filter(|outstanding| outstanding.fetched)
            .ok_or(Sw::CONDITIONS_NOT_SATISFIED)?;
        let response = TerminalResponse::parse(response).map_err(|error| error.sw());
        let answers = response.and_then(|response| match response.answers(outstanding.details) {
            Ok(()) => Ok(response),
            Err(_) => Err(Sw::WRONG_DATA),
        });
        let response = match answers {
            Ok(response) => response,
            Err(sw) => {
                // The answer to something else: the command is offered again.
                outstanding.fetched = false;
                return Err(sw);
            }
        };
        let owner = outstanding.owner;
        toolkit.outstanding = None;
        if self.state.applet_locked() {
            toolkit.stop_applet();
        }
        if owner == Owner::Applet
            && let Some(dialogue) = toolkit.dialogue.take()
        {
            self.run_applet(toolkit, |applet| applet.proceed(*dialogue, &response));
        }
        toolkit.advance();
        Ok(Reply::Done)
    }

    /// Lets the applet do something, and takes up what it wants next. A locked one does nothing, and what it was in
    /// the middle of is over.
    fn run_applet(&mut self, toolkit: &mut Toolkit, run: impl FnOnce(&mut Applet<'_>) -> Turn) {
        if self.state.applet_locked() {
            toolkit.stop_applet();
            return;
        }
        let Some(terminal) = &toolkit.terminal else {
            return;
        };
        let mut applet = Applet {
            profile: &self.profile.applet,
            network: &self.profile.network,
            master: &self.profile.master_key,
            iccid: &self.subscriber.iccid,
            pin: &self.subscriber.pin,
            puk: &self.subscriber.puk,
            state: &mut self.state.applet,
            terminal,
            notes: &mut toolkit.notes,
        };
        let turn = run(&mut applet);
        self.changed = true;
        trim(&mut toolkit.notes);
        toolkit.take_turn(turn);
        toolkit.advance();
    }
}

fn trim(notes: &mut Vec<Note>) {
    let surplus = notes.len().saturating_sub(Toolkit::MAX_NOTES);
    notes.drain(..surplus);
}

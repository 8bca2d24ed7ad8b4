//! The handset around the card: 3GPP TS 31.111 towards the card, TS 24.011 towards the network, prompts towards the
//! user.

mod card;
mod memory;
mod network;
mod power;
mod prompt;
mod reader;
mod timers;
mod toolkit;

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use ota_wire::cat::CommandDetails;
use ota_wire::sms::address::Address;
use ota_wire::trace::Id;
use rand_core::Rng;

use crate::event::{Event, EventKind, Note};
use crate::profile::{Profile, Subscriber};
use crate::state::CardState;
use crate::uicc::Uicc;

pub use memory::{Memory, StoredMessage};
pub use network::InboxMessage;
pub use prompt::{Action, Menu, MenuItem, Prompt, PromptKind, Refusal, Reply, Typed};
pub use reader::{Delivered, ReaderError, ReaderInput, ReaderOutput};

use prompt::OpenPrompt;
use reader::Place;
use timers::CardTimer;

/// One subscriber's handset with the card in it.
///
/// # Contract
/// Single writer, in memory. [`Phone::step`] takes one input and gives outputs and events; it never waits. If
/// [`Step::changed`] is set, [`Phone::card_state`] has to be journaled before any output of that step is let go. A
/// phone made from a journaled state is switched off; everything but the state was lost with the power.
///
/// Timers are named by a key. An [`Output::Timer`] replaces the one with the same key; when it falls due, the key comes
/// back as [`Input::Timer`]. A timer that means nothing any more is ignored.
#[derive(Debug)]
pub struct Phone {
    card: Uicc,
    coverage: bool,
    /// Whether its user switched it off, so that it stays off when its card comes back.
    kept_off: bool,
    inbox: Vec<InboxMessage>,
    place: Place,
    /// Whether the network was told that the card has no room for messages.
    memory_full: bool,
    /// Whether the network has tried in vain since the phone was last reachable.
    missed: bool,
    powered: Option<Box<Powered>>,
}

/// Something that happens to a phone.
#[derive(Clone, Debug)]
pub enum Input {
    /// The user switches it on; a phone that is on restarts. Refused while the card is in a reader, as are the next one
    /// and [`Input::Card`].
    PowerOn,
    /// The user switches it off, or the battery is empty; it stays off until it is switched on.
    PowerOff,
    /// An RP message came from the network (TS 24.011 §7.3).
    Rp(Vec<u8>),
    /// The user answers a prompt.
    User(Reply),
    /// The user chooses an item of the card's menu.
    Select {
        /// Its number.
        item: u8,
    },
    /// The user looks at the messages on the card.
    Messages,
    /// The user erases a message on the card.
    Erase {
        /// Number of its record in EF.SMS.
        record: u8,
    },
    /// A timer fell due.
    Timer {
        /// Its key.
        key: String,
    },
    /// There is coverage now, or none.
    Coverage(bool),
    /// The card is put into the handset, which starts unless it was switched off, or taken out of it.
    Card {
        /// Whether it is in the handset now.
        inserted: bool,
    },
    /// Somebody uses the card in a reader.
    Reader(ReaderInput),
}

/// What a phone wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this RP message to the network.
    Rp(Vec<u8>),
    /// Ask the user.
    Prompt(Prompt),
    /// The prompt is gone from the screen, answered or not.
    PromptClosed {
        /// Its number.
        id: u64,
    },
    /// The user's answer was not taken; the prompt, if there is one, stays.
    Refused {
        /// Number of the prompt that was answered.
        id: u64,
        /// Why not.
        reason: Refusal,
    },
    /// What the user chose from the menu cannot be done.
    NotSelected {
        /// Number of the item.
        item: u8,
        /// Why not.
        reason: Refusal,
    },
    /// What came of a look at the messages on the card.
    Memory(Result<Memory, Refusal>),
    /// Set, replace or cancel a timer.
    Timer {
        /// Its key.
        key: String,
        /// When; `None` cancels.
        due: Option<Timestamp>,
    },
    /// The network can reach the phone from now on, or no longer.
    Attached(bool),
    /// Tell the one who has the card in a reader.
    Reader(ReaderOutput),
}

/// What one input led to.
#[derive(Debug, Default)]
pub struct Step {
    /// In the order in which they are to be done.
    pub outputs: Vec<Output>,
    /// In the order in which they happened.
    pub events: Vec<Event>,
    /// Whether the card's state must be journaled first.
    pub changed: bool,
}

impl Phone {
    /// A phone that is switched off, in a place with coverage.
    pub const fn new(profile: Arc<Profile>, subscriber: Subscriber, state: CardState) -> Self {
        Self {
            card: Uicc::new(profile, subscriber, state),
            coverage: true,
            kept_off: false,
            inbox: Vec::new(),
            place: Place::Handset,
            memory_full: false,
            missed: false,
            powered: None,
        }
    }

    /// Takes one input.
    pub fn step(&mut self, input: Input, now: Timestamp, rng: &mut dyn Rng) -> Step {
        let mut turn = Turn {
            now,
            rng,
            step: Step::default(),
        };
        if self.no_card(&input, &mut turn) {
            return turn.step;
        }
        match input {
            Input::PowerOn => self.switch(true, &mut turn),
            Input::PowerOff => self.switch(false, &mut turn),
            Input::Rp(octets) => self.receive(octets, &mut turn),
            Input::User(reply) => self.user(reply, &mut turn),
            Input::Select { item } => self.select_item(item, &mut turn),
            Input::Messages => self.list_messages(&mut turn),
            Input::Erase { record } => self.erase_message(record, &mut turn),
            Input::Timer { key } => self.timer(&key, &mut turn),
            Input::Coverage(coverage) => self.cover(coverage, &mut turn),
            Input::Card { inserted: true } => self.insert_card(&mut turn),
            Input::Card { inserted: false } => self.remove_card(&mut turn),
            Input::Reader(input) => self.reader(input, &mut turn),
        }
        self.tell_expired(&mut turn);
        self.unlink_if_idle();
        turn.step.changed = self.card.take_changed();
        turn.step
    }

    /// What the card keeps without power.
    pub const fn card_state(&self) -> &CardState {
        self.card.state()
    }

    /// The card, behind the back of the handset.
    #[cfg(test)]
    pub(crate) const fn card_mut(&mut self) -> &mut Uicc {
        &mut self.card
    }

    /// Whether the card's state has changed since the last step, or since this was last asked.
    pub const fn take_card_changed(&mut self) -> bool {
        self.card.take_changed()
    }

    /// The card's answer to reset.
    pub fn atr(&self) -> &[u8] {
        self.card.atr()
    }

    /// The kind of card.
    pub fn profile(&self) -> &Profile {
        self.card.profile()
    }

    /// Who owns the phone.
    pub const fn subscriber(&self) -> &Subscriber {
        self.card.subscriber()
    }

    /// Whether the network can reach it.
    pub const fn is_attached(&self) -> bool {
        let reachable = match &self.place {
            Place::Handset => self.powered.is_some(),
            Place::Out => false,
            Place::Reader(reader) => reader.listening,
        };
        self.coverage && reachable
    }

    /// Whether nothing but the card's state would be missed if this phone were made anew from that state and switched on:
    /// it is on and reachable, shows and sends nothing, waits for nothing and has no messages for people.
    pub fn is_idle(&self) -> bool {
        let powered = self.powered.as_ref().is_some_and(|powered| {
            powered.prompt.is_none()
                && powered.sending.is_none()
                && powered.held.is_empty()
                && powered.timers.is_empty()
                && powered.expired.is_empty()
        });
        powered && self.is_attached() && self.inbox.is_empty()
    }

    /// Whether nothing waits for the phone while its card is in a reader, so that it need not be switched on at once when it
    /// has its card back.
    pub fn may_stay_off(&self) -> bool {
        let news = self.missed || self.memory_full;
        !news && matches!(&self.place, Place::Reader(reader) if reader.is_quiet())
    }

    /// Whether the card is in somebody's reader.
    pub const fn is_in_reader(&self) -> bool {
        matches!(self.place, Place::Reader(_))
    }

    /// Whether the card is in the handset.
    pub const fn has_card(&self) -> bool {
        matches!(self.place, Place::Handset)
    }

    /// The prompt that is on the screen.
    pub fn prompt(&self) -> Option<&Prompt> {
        let open = self.powered.as_ref()?.prompt.as_ref()?;
        Some(&open.prompt)
    }

    /// The card's menu.
    pub fn menu(&self) -> Option<&Menu> {
        self.powered.as_ref()?.menu.as_ref()
    }

    /// Short messages that were not for the card, oldest first.
    pub fn inbox(&self) -> &[InboxMessage] {
        &self.inbox
    }

    fn timer(&mut self, key: &str, turn: &mut Turn<'_>) {
        match TimerKey::parse(key) {
            Some(TimerKey::Prompt(id)) => self.prompt_timed_out(id, turn),
            Some(TimerKey::Network(mr)) => self.network_timed_out(mr, turn),
            Some(TimerKey::Card(id)) => self.card_timer_ran_out(id, turn),
            None => {}
        }
    }

    /// Records an event of the handset under the ids of what it is busy with.
    fn note(&self, kind: EventKind, turn: &mut Turn<'_>) {
        let link = self
            .powered
            .as_ref()
            .and_then(|powered| powered.link.as_ref());
        let link = link.or_else(|| self.place.link());
        let (own, parent) = match link {
            Some(link) => (link.own.clone(), link.parent.clone()),
            None => (Id::new("phone", self.subscriber().msisdn.digits()), None),
        };
        turn.step.events.push(Event { own, parent, kind });
    }

    /// What happens next to an idle phone has nothing to do with the last message any more.
    fn unlink_if_idle(&mut self) {
        if let Some(powered) = &mut self.powered
            && powered.prompt.is_none()
            && powered.sending.is_none()
        {
            powered.link = None;
        }
    }

    /// Records what happened inside the card, and takes up the ids of the challenge it found.
    fn note_card(&mut self, turn: &mut Turn<'_>) {
        for note in self.card.take_notes() {
            let link = match &mut self.powered {
                Some(powered) => Some(&mut powered.link),
                None => self.place.link_mut(),
            };
            if let (Note::Challenge { ctr, .. }, Some(link)) = (&note, link) {
                let own = Id::card(&self.card.subscriber().iccid, *ctr);
                let cause = link.take().map(|link| link.own);
                *link = Some(Link { own, parent: cause });
            }
            self.note(EventKind::Card(note), turn);
        }
    }
}

/// What a handset forgets when it is switched off.
#[derive(Debug)]
struct Powered {
    prompt: Option<OpenPrompt>,
    sending: Option<Sending>,
    /// Messages for the card that came while it was sending.
    held: VecDeque<Vec<u8>>,
    /// RP-Message-Reference of the next message to the network.
    rp_mr: u8,
    /// TP-Message-Reference of the next SMS-SUBMIT.
    tp_mr: u8,
    /// That of the last one, if the card or the handset knows of any.
    last_tp_mr: Option<u8>,
    /// Whether the card does not know of the last one yet.
    sent: bool,
    /// Reference of the RP-SMMA that the network has not answered.
    telling: Option<u8>,
    /// The service centre that EF.SMSP names.
    service_centre: Option<Address>,
    /// The card's menu.
    menu: Option<Menu>,
    /// Timers of the card that run, and those of which it is still to be told.
    timers: Vec<CardTimer>,
    expired: Vec<CardTimer>,
    /// The file selected last, for the trace.
    selected: Option<u16>,
    /// What the card is busy with.
    link: Option<Link>,
}

impl Powered {
    fn new(turn: &mut Turn<'_>) -> Self {
        // References go on counting in the life of a handset; where they stand is chance.
        let [rp_mr, tp_mr] = turn.random();
        Self {
            prompt: None,
            sending: None,
            held: VecDeque::new(),
            rp_mr,
            tp_mr,
            last_tp_mr: None,
            sent: false,
            telling: None,
            service_centre: None,
            menu: None,
            timers: Vec::new(),
            expired: Vec::new(),
            selected: None,
            link: None,
        }
    }
}

/// A message of the card that the network has not acknowledged yet.
#[derive(Clone, Copy, Debug)]
struct Sending {
    mr: u8,
    details: CommandDetails,
}

/// Ids of events.
#[derive(Clone, Debug)]
struct Link {
    own: Id,
    parent: Option<Id>,
}

/// What a step works with.
struct Turn<'a> {
    now: Timestamp,
    rng: &'a mut dyn Rng,
    step: Step,
}

impl Turn<'_> {
    fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut octets = [0; N];
        self.rng.fill_bytes(&mut octets);
        octets
    }

    fn output(&mut self, output: Output) {
        self.step.outputs.push(output);
    }

    fn start_timer(&mut self, key: TimerKey, after: SignedDuration) {
        self.output(Output::Timer {
            key: key.to_string(),
            due: Some(self.now.saturating_add(after).unwrap_or(Timestamp::MAX)),
        });
    }

    fn stop_timer(&mut self, key: TimerKey) {
        self.output(Output::Timer {
            key: key.to_string(),
            due: None,
        });
    }
}

/// The timers a phone has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TimerKey {
    /// The user does not answer a prompt.
    Prompt(u64),
    /// The network does not acknowledge a message.
    Network(u8),
    /// A timer of the card.
    Card(u8),
}

impl TimerKey {
    fn parse(key: &str) -> Option<Self> {
        let (kind, value) = key.split_once(':')?;
        match kind {
            "prompt" => value.parse().ok().map(Self::Prompt),
            "rp" => value.parse().ok().map(Self::Network),
            "card" => value.parse().ok().map(Self::Card),
            _ => None,
        }
    }
}

impl std::fmt::Display for TimerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Prompt(id) => write!(f, "prompt:{id}"),
            Self::Network(mr) => write!(f, "rp:{mr}"),
            Self::Card(id) => write!(f, "card:{id}"),
        }
    }
}

#[cfg(test)]
mod tests;

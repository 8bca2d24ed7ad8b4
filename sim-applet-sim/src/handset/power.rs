//! Switched on, switched off, and within reach of the network.

use jiff::Timestamp;
use ota_wire::cat::{Body, TerminalProfile};
use rand_core::Rng;

use super::reader::Place;
use super::{Input, Menu, Output, Phone, Powered, ReaderError, ReaderOutput, Step, Turn};
use crate::event::EventKind;
use crate::state::CardState;

impl Phone {
    /// Where it is from the beginning.
    #[must_use]
    pub const fn with_coverage(mut self, coverage: bool) -> Self {
        self.coverage = coverage;
        self
    }

    /// Whether there is coverage where it is.
    pub const fn has_coverage(&self) -> bool {
        self.coverage
    }

    /// Whether its user switched it off.
    pub const fn is_kept_off(&self) -> bool {
        self.kept_off
    }

    /// Whether one that is made anew from the card's state, in a place with this coverage, is like this one beside what it
    /// shows, sends and waits for: nobody has set anything, and there are no messages for people.
    pub const fn is_as_made(&self, coverage: bool) -> bool {
        self.coverage == coverage && !self.kept_off && self.inbox.is_empty()
    }

    /// The menu that the card sets up when the phone is next switched on.
    pub fn menu_to_come(&self) -> Option<Menu> {
        let terminal = self.card.profile().handset.terminal_profile.clone();
        match self
            .card
            .menu(&TerminalProfile::from_octets(terminal))?
            .body
        {
            Body::SetUpMenu { alpha, items } => Menu::of_card(alpha.to_text(), items),
            _ => None,
        }
    }

    /// The card comes back from a reader into a phone that is not switched on yet, where [`Phone::may_stay_off`] allows it.
    pub fn put_back(&mut self) {
        self.place = Place::Handset;
        self.card.power_off();
    }

    /// The power fails. The card is as its journal has it; whatever else it did has not happened.
    pub fn lose_power(&mut self, state: CardState, now: Timestamp, rng: &mut dyn Rng) -> Step {
        let mut turn = Turn {
            now,
            rng,
            step: Step::default(),
        };
        self.go_off(&mut turn);
        self.card = self.card.holding(state);
        turn.step
    }

    /// The user does something with a handset whose card somebody else has.
    pub(super) fn no_card(&self, input: &Input, turn: &mut Turn<'_>) -> bool {
        let of_user = matches!(input, Input::PowerOn | Input::PowerOff | Input::Card { .. });
        let refused = of_user && self.is_in_reader();
        if refused {
            turn.output(Output::Reader(ReaderOutput::Refused(ReaderError::Taken)));
        }
        refused
    }

    pub(super) fn switch(&mut self, on: bool, turn: &mut Turn<'_>) {
        self.kept_off = !on;
        self.write_last_reference(turn);
        if on {
            self.power_on(turn);
        } else {
            self.go_off(turn);
        }
    }

    pub(super) fn power_on(&mut self, turn: &mut Turn<'_>) {
        if !matches!(self.place, Place::Handset) {
            // Without a card there is nothing to do for it; it starts when it has one again.
            return;
        }
        self.go_off(turn);
        self.powered = Some(Box::new(Powered::new(turn)));
        let atr = self.card.atr().to_vec();
        self.note(EventKind::PowerOn { atr }, turn);
        self.start_card(turn);
        if self.coverage {
            self.attach(true, turn);
        }
    }

    pub(super) fn go_off(&mut self, turn: &mut Turn<'_>) {
        if self.powered.is_none() {
            return;
        }
        self.close_prompt(turn);
        self.stop_waiting_for_network(turn);
        self.stop_card_timers(turn);
        if self.is_attached() {
            self.attach(false, turn);
        }
        self.note(EventKind::PowerOff, turn);
        self.powered = None;
        self.card.power_off();
    }

    pub(super) fn cover(&mut self, coverage: bool, turn: &mut Turn<'_>) {
        let before = self.is_attached();
        self.coverage = coverage;
        if self.is_attached() != before {
            self.attach(coverage, turn);
        }
    }

    pub(super) fn attach(&mut self, attached: bool, turn: &mut Turn<'_>) {
        if attached {
            self.missed = false;
        }
        self.note(EventKind::Attached(attached), turn);
        turn.step.outputs.push(Output::Attached(attached));
        if attached {
            self.tell_of_room(turn);
        }
    }
}

//! Switched on, switched off, and within reach of the network.

use super::reader::Place;
use super::{Output, Phone, Powered, Turn};
use crate::event::EventKind;

impl Phone {
    pub(super) fn power_on(&mut self, turn: &mut Turn<'_>) {
        if !matches!(self.place, Place::Handset) {
            // Without a card there is nothing to do for it; it starts when it has one again.
            return;
        }
        if self.powered.is_some() {
            self.power_off(turn);
        }
        self.powered = Some(Box::new(Powered::new(turn)));
        let atr = self.card.atr().to_vec();
        self.note(EventKind::PowerOn { atr }, turn);
        self.start_card(turn);
        if self.coverage {
            self.attach(true, turn);
        }
    }

    pub(super) fn power_off(&mut self, turn: &mut Turn<'_>) {
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
    }
}

//! One step at work: the records as this step sees them, with its own changes on top.

use jiff::{SignedDuration, Timestamp};
use ota_wire::ids::Msisdn;
use ota_wire::trace::Id;
use rand_core::Rng;
use std::cell::RefCell;
use std::collections::BTreeMap;

use super::record::{Change, Links, Phone, Stored, Waiting, key};
use super::{Config, Output, Step};
use crate::event::{Event, EventKind, SmscEvent};
use crate::step::{View, read};

/// First pause after a failure; doubled with each further one.
const PAUSE: SignedDuration = SignedDuration::from_secs(5);
const MAX_DOUBLINGS: u8 = 6;

pub(super) struct Work<'a> {
    pub(super) config: &'a Config,
    pub(super) view: &'a dyn View,
    pub(super) now: Timestamp,
    rng: &'a mut dyn Rng,
    phones: BTreeMap<Msisdn, Phone>,
    /// The timer that each phone had before the step.
    dues: RefCell<BTreeMap<Msisdn, Option<Timestamp>>>,
    /// The timer that this step is about.
    pub(super) fired: Option<String>,
    stored: BTreeMap<String, Option<Stored>>,
    step: Step,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        config: &'a Config,
        view: &'a dyn View,
        now: Timestamp,
        rng: &'a mut dyn Rng,
    ) -> Self {
        Self {
            config,
            view,
            now,
            rng,
            phones: BTreeMap::new(),
            dues: RefCell::default(),
            fired: None,
            stored: BTreeMap::new(),
            step: Step::default(),
        }
    }

    /// Every changed record once, in its last state; with each phone the timer that fits it.
    pub(super) fn finish(mut self) -> Step {
        for (msisdn, phone) in self.phones {
            let key = key::phone(&msisdn);
            let due = next_due(&phone);
            let before = self.dues.borrow().get(&msisdn).copied();
            // The timer that fell due is gone.
            if before != Some(due) || self.fired.as_deref() == Some(&key) {
                self.step.changes.push(Change::Timer { key, due });
            }
            self.step
                .changes
                .push(Change::Phone(msisdn, Box::new(phone)));
        }
        let stored = self
            .stored
            .into_iter()
            .map(|(id, stored)| Change::Stored(id, stored.map(Box::new)));
        self.step.changes.extend(stored);
        self.step
    }

    pub(super) fn phone(&self, msisdn: &Msisdn) -> Phone {
        match self.phones.get(msisdn) {
            Some(phone) => phone.clone(),
            None => {
                let phone: Option<Phone> = read(self.view, &key::phone(msisdn));
                if let Some(phone) = &phone {
                    self.dues
                        .borrow_mut()
                        .insert(msisdn.clone(), next_due(phone));
                }
                phone.unwrap_or_default()
            }
        }
    }

    pub(super) fn put_phone(&mut self, msisdn: &Msisdn, phone: Phone) {
        self.phones.insert(msisdn.clone(), phone);
    }

    pub(super) fn stored(&self, id: &str) -> Option<Stored> {
        match self.stored.get(id) {
            Some(stored) => stored.clone(),
            None => read(self.view, &key::stored(id)),
        }
    }

    pub(super) fn put_stored(&mut self, id: &str, stored: Option<Stored>) {
        self.stored.insert(id.to_owned(), stored);
    }

    pub(super) fn waiting(&self, id: &str) -> Option<Waiting> {
        read(self.view, &key::waiting(id))
    }

    pub(super) fn put_waiting(
        &mut self,
        id: &str,
        waiting: Option<Waiting>,
        due: Option<Timestamp>,
    ) {
        self.step.changes.push(Change::Timer {
            key: key::waiting(id),
            due,
        });
        self.step
            .changes
            .push(Change::Waiting(id.to_owned(), waiting.map(Box::new)));
    }

    pub(super) fn links(&self, system_id: &str) -> Links {
        read(self.view, &key::links(system_id)).unwrap_or_default()
    }

    pub(super) fn put_links(&mut self, system_id: &str, links: Links) {
        self.step
            .changes
            .push(Change::Links(system_id.to_owned(), links));
    }

    pub(super) fn output(&mut self, output: Output) {
        self.step.outputs.push(output);
    }

    /// The place of the next output, for one that is only known later but is to go first.
    pub(super) fn place(&self) -> usize {
        self.step.outputs.len()
    }

    pub(super) fn output_at(&mut self, place: usize, output: Output) {
        self.step.outputs.insert(place, output);
    }

    pub(super) fn event(&mut self, own: Id, parent: Option<Id>, kind: SmscEvent) {
        let kind = EventKind::Smsc(kind);
        self.step.events.push(Event { own, parent, kind });
    }

    /// The time in milliseconds, so that ids and with them records are in order of acceptance, and 52 random bits.
    pub(super) fn new_message_id(&mut self) -> String {
        let milliseconds = self.now.as_millisecond().max(0);
        let random = self.rng.next_u64() & 0xF_FFFF_FFFF_FFFF;
        format!("{milliseconds:011X}{random:013X}")
    }

    pub(super) fn after(&self, span: SignedDuration) -> Timestamp {
        self.now.checked_add(span).unwrap_or(Timestamp::MAX)
    }

    /// When to try again after so many failures in a row.
    pub(super) fn retry_at(&self, failures: u8) -> Timestamp {
        self.after(PAUSE * (1 << failures.saturating_sub(1).min(MAX_DOUBLINGS)))
    }
}

/// When something is to be done for a phone next, if nothing happens before.
fn next_due(phone: &Phone) -> Option<Timestamp> {
    if let Some(in_flight) = &phone.in_flight {
        return Some(in_flight.due);
    }
    let expiry = phone.queue.earliest_end()?;
    Some(
        phone
            .pause
            .as_ref()
            .map_or(expiry, |pause| pause.until.min(expiry)),
    )
}

//! One step at work: the records as this step sees them, with its own changes on top.

use jiff::{SignedDuration, Timestamp};
use ota_wire::ids::Msisdn;
use ota_wire::trace::Id;
use rand_core::Rng;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;

use super::record::{Backlog, Change, Links, Phone, Stored, Waiting, key};
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
    phones: BTreeMap<Msisdn, Box<Phone>>,
    /// The timer that each phone had before the step.
    dues: RefCell<BTreeMap<Msisdn, Option<Timestamp>>>,
    /// The id that the sender of what is kept now was told, if not its own.
    pub(super) told: Option<String>,
    /// The timer that this step is about.
    pub(super) fired: Option<String>,
    stored: BTreeMap<String, Option<Box<Stored>>>,
    /// With the timer of each.
    waiting: BTreeMap<String, (Option<Box<Waiting>>, Option<Timestamp>)>,
    backlogs: BTreeMap<String, Option<Backlog>>,
    links: BTreeMap<String, Links>,
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
            told: None,
            fired: None,
            stored: BTreeMap::new(),
            waiting: BTreeMap::new(),
            backlogs: BTreeMap::new(),
            links: BTreeMap::new(),
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
            self.step.changes.push(Change::Phone(msisdn, phone));
        }
        let stored = self
            .stored
            .into_iter()
            .map(|(id, stored)| Change::Stored(id, stored));
        self.step.changes.extend(stored);
        for (id, (waiting, due)) in self.waiting {
            let key = key::waiting(&id);
            self.step.changes.push(Change::Timer { key, due });
            self.step.changes.push(Change::Waiting(id, waiting));
        }
        let links = self
            .links
            .into_iter()
            .map(|(id, links)| Change::Links(id, links));
        let backlogs = self
            .backlogs
            .into_iter()
            .map(|(id, backlog)| Change::Backlog(id, backlog));
        self.step.changes.extend(links.chain(backlogs));
        self.step
    }

    pub(super) fn phone(&self, msisdn: &Msisdn) -> Phone {
        match self.phones.get(msisdn) {
            Some(phone) => Phone::clone(phone),
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
        self.phones.insert(msisdn.clone(), Box::new(phone));
    }

    pub(super) fn stored(&self, id: &str) -> Option<Cow<'_, Stored>> {
        match self.stored.get(id) {
            Some(stored) => stored.as_deref().map(Cow::Borrowed),
            None => read(self.view, &key::stored(id)).map(Cow::Owned),
        }
    }

    pub(super) fn put_stored(&mut self, id: &str, stored: Option<Stored>) {
        self.stored.insert(id.to_owned(), stored.map(Box::new));
    }

    pub(super) fn waiting(&self, id: &str) -> Option<Waiting> {
        match self.waiting.get(id) {
            Some((waiting, _)) => waiting.as_deref().cloned(),
            None => read(self.view, &key::waiting(id)),
        }
    }

    /// `due` is when to look at it again, if nothing happens before.
    pub(super) fn put_waiting(
        &mut self,
        id: &str,
        waiting: Option<Waiting>,
        due: Option<Timestamp>,
    ) {
        self.waiting
            .insert(id.to_owned(), (waiting.map(Box::new), due));
    }

    /// Ids of all messages for an account, in order of acceptance. For rare inputs only.
    pub(super) fn waiting_ids(&self, system_id: &str) -> Vec<String> {
        let prefix = key::waiting(&format!("{system_id}/"));
        // An account may be called like another one with a slash behind.
        let of_account = |id: &str| id.rsplit_once('/').is_some_and(|(of, _)| of == system_id);
        let mut ids: BTreeMap<String, bool> = self
            .view
            .scan(&prefix)
            .into_iter()
            .filter_map(|(key, _)| Some((key.strip_prefix(key::WAITING)?.to_owned(), true)))
            .collect();
        let own = self
            .waiting
            .iter()
            .map(|(id, (waiting, _))| (id.clone(), waiting.is_some()));
        ids.extend(own);
        ids.into_iter()
            .filter(|(id, there)| *there && of_account(id))
            .map(|(id, _)| id)
            .collect()
    }

    pub(super) fn backlog(&self, system_id: &str) -> Option<Backlog> {
        match self.backlogs.get(system_id) {
            Some(backlog) => *backlog,
            None => read(self.view, &key::backlog(system_id)),
        }
    }

    pub(super) fn put_backlog(&mut self, system_id: &str, backlog: Option<Backlog>) {
        if self.backlog(system_id) != backlog {
            self.backlogs.insert(system_id.to_owned(), backlog);
        }
    }

    pub(super) fn links(&self, system_id: &str) -> Links {
        match self.links.get(system_id) {
            Some(links) => links.clone(),
            None => read(self.view, &key::links(system_id)).unwrap_or_default(),
        }
    }

    pub(super) fn put_links(&mut self, system_id: &str, links: Links) {
        self.links.insert(system_id.to_owned(), links);
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

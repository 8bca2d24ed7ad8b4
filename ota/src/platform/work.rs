//! One step at work: the records as this step sees them, with its own changes on top.

use jiff::Timestamp;
use ota_wire::ids::{Iccid, Msisdn};
use ota_wire::keys::{Family, KeySet};
use ota_wire::trace::Id;
use rand_core::Rng;
use std::collections::BTreeMap;

use super::key_sets::KeySets;
use super::record::{Card, Change, Job, JobState, Parts, Sim, key};
use super::{Config, FailReason, Keys, Outcome, Output, Step, Submit, Subscriber};
use crate::event::{Event, EventKind, PlatformEvent};
use crate::step::{View, read};

pub(super) struct Work<'a> {
    pub(super) config: &'a Config,
    pub(super) view: &'a dyn View,
    pub(super) now: Timestamp,
    rng: &'a mut dyn Rng,
    jobs: BTreeMap<String, Option<Box<Job>>>,
    sims: BTreeMap<String, (Card, Sim)>,
    key_sets: BTreeMap<String, (Iccid, KeySets)>,
    unsure: BTreeMap<String, (Iccid, KeySets)>,
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
            jobs: BTreeMap::new(),
            sims: BTreeMap::new(),
            key_sets: BTreeMap::new(),
            unsure: BTreeMap::new(),
            step: Step::default(),
        }
    }

    /// Every changed record once, in its last state.
    pub(super) fn finish(mut self) -> Step {
        let jobs = self.jobs.into_iter().map(|(id, job)| match job {
            Some(job) => Change::Job(id, job),
            None => Change::JobGone(id),
        });
        let sims = self
            .sims
            .into_values()
            .map(|(card, sim)| Change::Sim(card, sim));
        let key_sets = self
            .key_sets
            .into_values()
            .map(|(iccid, sets)| Change::KeySets(iccid, sets));
        let unsure = self
            .unsure
            .into_values()
            .map(|(iccid, sets)| Change::Unsure(iccid, sets));
        self.step
            .changes
            .extend(sims.chain(jobs).chain(key_sets).chain(unsure));
        self.step
    }

    pub(super) fn job(&self, id: &str) -> Option<Job> {
        match self.jobs.get(id) {
            Some(job) => job.as_deref().cloned(),
            None => read(self.view, &key::job(id)),
        }
    }

    pub(super) fn put_job(&mut self, job: Job) {
        self.jobs.insert(job.submit.id.clone(), Some(Box::new(job)));
    }

    pub(super) fn remove_job(&mut self, id: &str) {
        self.jobs.insert(id.to_owned(), None);
    }

    pub(super) fn sim(&self, card: &Card) -> Sim {
        let key = key::sim(&card.iccid, card.key_version);
        match self.sims.get(&key) {
            Some((_, sim)) => sim.clone(),
            None => read(self.view, &key).unwrap_or_default(),
        }
    }

    pub(super) fn put_sim(&mut self, card: &Card, sim: Sim) {
        self.sims
            .insert(key::sim(&card.iccid, card.key_version), (card.clone(), sim));
    }

    pub(super) fn parts(&self, from: &Msisdn) -> Parts {
        read(self.view, &key::parts(from)).unwrap_or_default()
    }

    pub(super) fn put_parts(&mut self, from: &Msisdn, parts: Parts) {
        self.step.changes.push(Change::Parts(from.clone(), parts));
    }

    pub(super) fn timer(&mut self, key: String, due: Option<Timestamp>) {
        self.step.changes.push(Change::Timer { key, due });
    }

    pub(super) fn output(&mut self, output: Output) {
        self.step.outputs.push(output);
    }

    /// 64 random bits in hexadecimal.
    pub(super) fn random_id(&mut self) -> String {
        format!("{:016X}", self.rng.next_u64())
    }

    pub(super) fn report(&mut self, id: &str, outcome: Outcome) {
        self.output(Output::Report {
            id: id.to_owned(),
            outcome,
        });
    }

    pub(super) fn event(&mut self, own: Id, parent: Option<Id>, kind: PlatformEvent) {
        let kind = EventKind::Platform(kind);
        self.step.events.push(Event { own, parent, kind });
    }

    pub(super) fn job_event(&mut self, id: &str, kind: PlatformEvent) {
        self.event(Id::job(id), None, kind);
    }

    pub(super) fn put_key_sets(&mut self, iccid: Iccid, sets: KeySets) {
        self.key_sets.insert(key::key_sets(&iccid), (iccid, sets));
    }

    /// The key sets that the card may or may not have: PUT KEY went out, and nothing sure came back.
    pub(super) fn unsure(&self, iccid: &Iccid) -> KeySets {
        let key = key::unsure(iccid);
        match self.unsure.get(&key) {
            Some((_, sets)) => sets.clone(),
            None => read(self.view, &key).unwrap_or_default(),
        }
    }

    pub(super) fn put_unsure(&mut self, iccid: Iccid, sets: KeySets) {
        self.unsure.insert(key::unsure(&iccid), (iccid, sets));
    }

    pub(super) fn subscriber(&self, msisdn: &Msisdn) -> Option<Subscriber> {
        self.config.subscribers.find(msisdn)
    }

    /// The imported key sets of a card.
    pub(super) fn key_sets(&self, iccid: &Iccid) -> KeySets {
        let key = key::key_sets(iccid);
        match self.key_sets.get(&key) {
            Some((_, sets)) => sets.clone(),
            None => read(self.view, &key).unwrap_or_default(),
        }
    }

    /// Card and key set of an order.
    pub(super) fn card_for(&self, submit: &Submit) -> Result<Card, FailReason> {
        let subscriber = self
            .subscriber(&submit.msisdn)
            .ok_or(FailReason::UnknownSubscriber)?;
        let imported = self.key_sets(&subscriber.iccid);
        let usual = subscriber.keys.version();
        let key_version = submit
            .key_version
            .or_else(|| imported.for_application(submit.tar))
            .unwrap_or(usual);
        let there = key_version == usual
            || self.derived(key_version).is_some()
            || imported.version(key_version).is_some()
            || self
                .unsure(&subscriber.iccid)
                .version(key_version)
                .is_some();
        if !there {
            let why = format!("the card has no key set {key_version}");
            return Err(FailReason::Keys(why));
        }
        Ok(Card {
            iccid: subscriber.iccid,
            key_version,
        })
    }

    /// The family of a key set that every card has.
    fn derived(&self, version: u8) -> Option<Family> {
        let of = |(derived, _): &&(u8, Family)| *derived == version;
        self.config
            .derived
            .iter()
            .find(of)
            .map(|(_, family)| *family)
    }

    /// Every key set of the card that this number has now.
    pub(super) fn cards(&self, msisdn: &Msisdn) -> Vec<Card> {
        let Some(subscriber) = self.subscriber(msisdn) else {
            return Vec::new();
        };
        let mut versions: Vec<_> = self.key_sets(&subscriber.iccid).versions().collect();
        versions.push(subscriber.keys.version());
        versions.extend(self.unsure(&subscriber.iccid).versions());
        versions.extend(self.config.derived.iter().map(|(version, _)| *version));
        versions.sort_unstable();
        versions.dedup();
        let card = |key_version| Card {
            iccid: subscriber.iccid.clone(),
            key_version,
        };
        versions.into_iter().map(card).collect()
    }

    /// The keys of a job: those of its order, unless the card has been exchanged or given other keys since. Imported ones win.
    pub(super) fn keys(&self, msisdn: &Msisdn, card: &Card) -> Option<KeySet> {
        let subscriber = self.subscriber(msisdn)?;
        if subscriber.iccid != card.iccid {
            return None;
        }
        if let Some(keys) = self.key_sets(&card.iccid).version(card.key_version) {
            return Some(keys);
        }
        let derive =
            |family| KeySet::derive(&self.config.master, &card.iccid, card.key_version, family);
        match &subscriber.keys {
            Keys::Fixed(keys) if keys.version == card.key_version => Some((**keys).clone()),
            Keys::Derived { version, family } if *version == card.key_version => {
                Some(derive(*family))
            }
            _ => match self.derived(card.key_version) {
                Some(family) => Some(derive(family)),
                None => self.unsure(&card.iccid).version(card.key_version),
            },
        }
    }

    /// Ends a job and lets the next one to the same card go.
    pub(super) fn end(&mut self, mut job: Job, state: JobState) {
        let news = match &state {
            JobState::Failed(reason) => Some(Outcome::Failed(reason.clone())),
            JobState::Expired => Some(Outcome::Expired),
            JobState::Cancelled => Some(Outcome::Cancelled),
            // Who has told of the answer has told this, too.
            JobState::Answered | JobState::Queued | JobState::Under(_) => None,
        };
        if let Some(news) = news {
            self.report(&job.submit.id, news);
        }
        let id = job.submit.id.clone();
        let card = job.card.clone();
        let may_have_it = may_have_executed(&job, &state);
        job.state = state;
        if let Some(entry) = &mut job.submit.key_set {
            if may_have_it {
                self.doubt(entry.clone());
            }
            entry.forget_keys();
        }
        self.put_job(job);
        let Some(card) = card else { return };
        let mut sim = self.sim(&card);
        sim.queue.retain(|queued| *queued != id);
        if sim.outstanding.as_ref() == Some(&id) {
            sim.outstanding = None;
        }
        let free = sim.outstanding.is_none();
        self.put_sim(&card, sim);
        if free {
            self.start_next(&card);
        }
    }

    pub(super) fn fail(&mut self, job: Job, reason: FailReason) {
        self.job_event(
            &job.submit.id,
            PlatformEvent::JobFailed {
                reason: reason.clone(),
            },
        );
        self.end(job, JobState::Failed(reason));
    }
}

/// Whether the card may have executed what this job sent, though the job ends without its word for it.
fn may_have_executed(job: &Job, end: &JobState) -> bool {
    let Some(attempt) = job.attempt() else {
        return false;
    };
    match end {
        JobState::Expired | JobState::Cancelled => true,
        // What one packet was told says nothing of those before it: PUT KEY is refused if an earlier one was executed.
        JobState::Failed(_) | JobState::Answered => attempt.number > 1 || attempt.copies > 0,
        JobState::Queued | JobState::Under(_) => false,
    }
}

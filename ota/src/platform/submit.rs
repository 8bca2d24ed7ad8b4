//! The way to the card: orders, counters, packets, submit_sm and what the SMSC says to it.

use jiff::{SignedDuration, Timestamp};
use ota_wire::ids::Cntr;
use ota_wire::keys::KeySet;
use ota_wire::packet::{Command, SealError};
use ota_wire::sms::concat;
use ota_wire::sms::udh::{Iei, Reference};
use ota_wire::sms::user_data::UserData;
use ota_wire::trace::Id;

use super::record::{Attempt, Card, Job, JobState, Sim, key};
use super::work::Work;
use super::{FailReason, Outcome, Output, Submit};
use crate::event::PlatformEvent;
use crate::smpp::{CommandStatus, MessageState, ShortMessage, esm_class, time};

/// Short messages of one packet; more than eight rarely all arrive.
const MAX_PARTS: usize = 8;
/// Jobs that may wait for one card.
const MAX_QUEUE: usize = 16;
/// Receipts kept that overtook their submit_sm_resp.
const MAX_EARLY: usize = 2 * MAX_PARTS;
/// How far the counter jumps when a card proves that its own is higher: as far as about half a year takes it by itself. The
/// card never says where it stands, and the 40 bits hold some 150 such jumps.
const JUMP: u64 = 1 << 32;
/// The last counter used. The one above it would block the key set of the card for good.
const LAST_CNTR: u64 = Cntr::MAX.get() - 1;
/// TP-PID of (U)SIM data download.
const PID_DATA_DOWNLOAD: u8 = 0x7F;
/// First pause when the SMSC asks to wait; doubled each time.
const WAIT: SignedDuration = SignedDuration::from_secs(1);
const MAX_WAIT_DOUBLINGS: u8 = 5;

impl Work<'_> {
    pub(super) fn submit(&mut self, submit: Submit) {
        let id = submit.id.clone();
        if self.job(&id).is_some() {
            return self.job_event(&id, PlatformEvent::JobRepeated);
        }
        if submit.expires <= self.now {
            self.job_event(&id, PlatformEvent::JobExpired);
            return self.report(&id, Outcome::Expired);
        }
        self.timer(key::job(&id), Some(submit.expires));
        let card = self.card_for(&submit);
        let job = Job {
            submit,
            card: card.as_ref().ok().cloned(),
            state: JobState::Queued,
            response: None,
            answer: None,
        };
        let card = match card {
            Ok(card) => card,
            Err(reason) => return self.fail(job, reason),
        };
        let mut sim = self.sim(&card);
        // A job whose record is lost must not hold up the card for ever.
        let busy = sim
            .outstanding
            .as_ref()
            .is_some_and(|id| self.job(id).is_some());
        if !busy {
            return self.send_from(job, card, sim, Why::First);
        }
        if sim.queue.len() >= MAX_QUEUE {
            return self.fail(
                job,
                FailReason::QueueFull {
                    waiting: sim.queue.len(),
                },
            );
        }
        self.event(
            Id::job(&id),
            parent(&job),
            PlatformEvent::JobQueued {
                behind: sim.queue.len() + 1,
            },
        );
        sim.queue.push(id);
        self.put_sim(&card, sim);
        self.put_job(job);
    }

    /// Ends a job that is not over. What is on its way may still arrive; the card's counter tells.
    pub(super) fn cancel(&mut self, id: &str) {
        if let Some(job) = self.job(id)
            && matches!(job.state, JobState::Queued | JobState::Under(_))
        {
            self.job_event(id, PlatformEvent::JobCancelled);
            self.timer(key::retry(id), None);
            self.end(job, JobState::Cancelled);
        }
    }

    /// Starts the next job that waits for this card and can still go.
    pub(super) fn start_next(&mut self, card: &Card) {
        let mut sim = self.sim(card);
        while sim.outstanding.is_none() && !sim.queue.is_empty() {
            let job = self.job(&sim.queue.remove(0));
            self.put_sim(card, sim);
            match job {
                Some(job) if job.submit.expires <= self.now => self.end(job, JobState::Expired),
                Some(job) => self.send(job, Why::First),
                None => {}
            }
            sim = self.sim(card);
        }
    }

    /// Counter, seal, split, submit: all committed together before anything leaves.
    pub(super) fn send(&mut self, job: Job, why: Why) {
        if let Some(card) = job.card.clone() {
            let sim = self.sim(&card);
            self.send_from(job, card, sim, why);
        }
    }

    fn send_from(&mut self, mut job: Job, card: Card, mut sim: Sim, why: Why) {
        let floor = match (why, job.attempt()) {
            (Why::Jump, Some(before)) => before.cntr.get() + JUMP,
            _ => 0,
        };
        let Some(cntr) = next_counter(sim.last, floor, self.now) else {
            return self.fail(job, FailReason::CounterExhausted);
        };
        sim.last = Some(cntr);
        sim.reference = sim.reference.wrapping_add(1);
        sim.outstanding = Some(job.submit.id.clone());
        let reference = sim.reference;
        self.put_sim(&card, sim);

        let Some(keys) = self.keys(&job.submit.msisdn, &card) else {
            return self.fail(
                job,
                FailReason::Keys("the card or its keys were exchanged".to_owned()),
            );
        };
        let packet = match seal(&job, cntr, &keys) {
            Ok(packet) => packet,
            Err(error) => return self.fail(job, FailReason::Keys(error.to_string())),
        };
        let parts = split(&packet, reference);
        if parts.is_empty() || parts.len() > MAX_PARTS {
            let got = parts.len();
            return self.fail(
                job,
                FailReason::TooLong {
                    max: MAX_PARTS,
                    got,
                },
            );
        }
        let before = job.attempt();
        let attempt = Attempt {
            number: before.map_or(1, |before| before.number.saturating_add(1)),
            cntr,
            reference,
            parts: vec![None; parts.len()],
            waits: 0,
            hinted: why == Why::Hint || before.is_some_and(|before| before.hinted),
            jumped: why == Why::Jump || before.is_some_and(|before| before.jumped),
            reported: before.is_some_and(|before| before.reported),
            copies: 0,
            early: Vec::new(),
        };
        let submitted = PlatformEvent::PacketSubmitted {
            spi: job.submit.por.spi(),
            kic: keys.kic_octet(),
            kid: keys.kid_octet(),
            tar: job.submit.tar,
            cntr,
            attempt: attempt.number,
            parts: parts.len(),
            destination: job.submit.msisdn.clone(),
            data_coding: self.config.data_coding,
            packet,
        };
        self.event(Id::job(&job.submit.id), parent(&job), submitted);
        self.emit_parts(&job, &attempt, parts);
        job.state = JobState::Under(attempt);
        self.put_job(job);
    }

    /// Submits those parts that have no message id yet.
    fn emit_parts(&mut self, job: &Job, attempt: &Attempt, parts: Vec<Vec<u8>>) {
        for (index, (part, message_id)) in parts.into_iter().zip(&attempt.parts).enumerate() {
            if message_id.is_none() {
                let id = part_id(&job.submit.id, index, attempt.number);
                let message = self.short_message(job, part);
                self.output(Output::SubmitSm { id, message });
            }
        }
    }

    fn short_message(&self, job: &Job, user_data: Vec<u8>) -> ShortMessage {
        ShortMessage {
            source: self.config.short_code.clone(),
            source_npi: 1,
            destination: job.submit.msisdn.digits().to_owned(),
            destination_ton: 1,
            destination_npi: 1,
            esm_class: esm_class::UDHI,
            protocol_id: PID_DATA_DOWNLOAD,
            validity: time::relative(job.submit.expires.duration_since(self.now)),
            registered_delivery: self.config.registered_delivery,
            data_coding: self.config.data_coding,
            short_message: user_data,
            in_payload: self.config.in_payload,
            ..ShortMessage::default()
        }
    }

    /// Submits the same octets again, where the SMSC did not take them.
    fn repeat(&mut self, job: &Job) {
        let (Some(attempt), Some(card)) = (job.attempt(), &job.card) else {
            return;
        };
        let Some(keys) = self.keys(&job.submit.msisdn, card) else {
            return;
        };
        if let Ok(packet) = seal(job, attempt.cntr, &keys) {
            self.emit_parts(job, attempt, split(&packet, attempt.reference));
        }
    }

    pub(super) fn submit_sm_resp(&mut self, id: &str, result: Result<String, CommandStatus>) {
        let Some((mut job, index)) = self.find_part(id) else {
            return self.overtaken(id, result);
        };
        let JobState::Under(attempt) = &mut job.state else {
            return self.overtaken(id, result);
        };
        let job_id = job.submit.id.clone();
        let message_id = match result {
            Ok(message_id) => message_id,
            Err(status) if status.asks_to_wait() => {
                let doublings = attempt.waits.min(MAX_WAIT_DOUBLINGS);
                attempt.waits = attempt.waits.saturating_add(1);
                let due = self.now.checked_add(WAIT * (1 << doublings)).ok();
                self.timer(key::retry(&job_id), due);
                self.put_job(job);
                return self.job_event(&job_id, PlatformEvent::SmscBusy { status });
            }
            Err(status) => return self.fail(job, FailReason::Smsc(status)),
        };
        let Some(part) = attempt.parts.get_mut(index) else {
            return;
        };
        if part.is_some() {
            // The part was submitted twice, over two sessions: both messages are of this job.
            let accepted = PlatformEvent::Accepted {
                part: index + 1,
                message_id: message_id.clone(),
            };
            return self.event(Id::smpp(&message_id), Some(Id::job(&job_id)), accepted);
        }
        *part = Some(message_id.clone());
        let complete = attempt.parts.iter().all(Option::is_some);
        let news = complete && !attempt.reported;
        attempt.reported |= complete;
        let early = attempt
            .early
            .iter()
            .find(|(early, _)| *early == message_id)
            .map(|(_, state)| *state);
        let overtaken_by = early.map(|state| (job.clone(), state));
        self.put_job(job);
        let accepted = PlatformEvent::Accepted {
            part: index + 1,
            message_id: message_id.clone(),
        };
        self.event(Id::smpp(&message_id), Some(Id::job(&job_id)), accepted);
        if news {
            self.report(&job_id, Outcome::Sent);
        }
        if let Some((job, state)) = overtaken_by {
            self.receipt(job, &message_id, state);
        }
    }

    /// The card's answer was faster than the SMSC's response: the message id still tells the trace which message it was.
    fn overtaken(&mut self, id: &str, result: Result<String, CommandStatus>) {
        let (Some((job_id, label)), Ok(message_id)) = (id.rsplit_once('/'), result) else {
            return;
        };
        let part = label.split('r').next().and_then(|part| part.parse().ok());
        if let (Some(part), Some(_)) = (part, self.job(job_id)) {
            let accepted = PlatformEvent::Accepted {
                part,
                message_id: message_id.clone(),
            };
            self.event(Id::smpp(&message_id), Some(Id::job(job_id)), accepted);
        }
    }

    /// What a delivery receipt says of a part. Only a final refusal matters: expiry is the sender's own deadline.
    pub(super) fn receipt(&mut self, mut job: Job, message_id: &str, state: MessageState) {
        let JobState::Under(attempt) = &mut job.state else {
            return;
        };
        if !attempt
            .parts
            .iter()
            .flatten()
            .any(|known| known == message_id)
        {
            let awaited = attempt.parts.iter().any(Option::is_none);
            if awaited && attempt.early.len() < MAX_EARLY {
                attempt.early.push((message_id.to_owned(), state));
                self.put_job(job);
            }
            return;
        }
        self.event(Id::smpp(message_id), None, PlatformEvent::Receipt { state });
        if matches!(state, MessageState::UNDELIVERABLE | MessageState::REJECTED) {
            self.fail(job, FailReason::Undelivered(state));
        }
    }

    pub(super) fn on_timer(&mut self, key: &str) {
        let (kind, id) = key.split_once('/').unwrap_or_default();
        let Some(job) = self.job(id) else { return };
        match kind {
            "retry" => self.repeat(&job),
            "job" if job.submit.expires > self.now => {}
            "job" => {
                self.timer(key::retry(id), None);
                if matches!(job.state, JobState::Queued | JobState::Under(_)) {
                    self.job_event(id, PlatformEvent::JobExpired);
                    self.end(job, JobState::Expired);
                }
                self.remove_job(id);
            }
            _ => {}
        }
    }

    /// What an earlier session left unanswered is submitted again: it may not have arrived. If it had, the card refuses the
    /// second copy by its counter.
    pub(super) fn link_up(&mut self) {
        for (_, record) in self.view.scan(key::JOBS) {
            let Ok(mut job) = serde_json::from_slice::<Job>(&record) else {
                continue;
            };
            if job.submit.expires <= self.now {
                continue;
            }
            self.repeat(&job);
            // What was refused for want of a session has not been sent yet.
            if let JobState::Under(attempt) = &mut job.state
                && attempt.waits == 0
                && attempt.parts.iter().all(Option::is_none)
            {
                attempt.copies = attempt.copies.saturating_add(1);
                self.put_job(job);
            }
        }
        self.event(
            Id::new("link", "smpp"),
            None,
            PlatformEvent::Link { up: true },
        );
    }

    pub(super) fn link_down(&mut self) {
        self.event(
            Id::new("link", "smpp"),
            None,
            PlatformEvent::Link { up: false },
        );
    }

    /// The job and part index that the id of an [`Output::SubmitSm`] names, if it is of the attempt on its way.
    fn find_part(&self, id: &str) -> Option<(Job, usize)> {
        let (job_id, label) = id.rsplit_once('/')?;
        let job = self.job(job_id)?;
        let (part, number) = match label.split_once('r') {
            Some((part, again)) => (part, again.parse::<u8>().ok()?.checked_add(1)?),
            None => (label, 1),
        };
        let index = part.parse::<usize>().ok()?.checked_sub(1)?;
        (job.attempt()?.number == number).then_some((job, index))
    }
}

/// Why a packet is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// For the first time.
    First,
    /// Somebody, perhaps the card, says that it could not be read.
    Hint,
    /// The card proved that its counter is higher.
    Jump,
}

/// The command packet of a job.
pub(super) fn command(job: &Job, cntr: Cntr, keys: &KeySet) -> Command {
    Command {
        spi: job.submit.por.spi(),
        kic: keys.kic_octet(),
        kid: keys.kid_octet(),
        tar: job.submit.tar,
        cntr,
        data: job.submit.payload.clone(),
    }
}

/// The trace id of what a job belongs to.
pub(super) fn parent(job: &Job) -> Option<Id> {
    let (kind, value) = job.submit.correlation.split_once(':')?;
    Some(Id::new(kind, value))
}

fn seal(job: &Job, cntr: Cntr, keys: &KeySet) -> Result<Vec<u8>, SealError> {
    command(job, cntr, keys).seal(keys)
}

/// The user data of each short message; none if there would be more than 255.
fn split(packet: &[u8], reference: u8) -> Vec<Vec<u8>> {
    let parts = concat::split(
        packet,
        Reference::Eight(reference),
        Some(Iei::COMMAND_PACKET),
    );
    parts
        .unwrap_or_default()
        .iter()
        .map(UserData::to_octets)
        .collect()
}

/// The counter of the next packet: above the last one, and not below the clock (seconds since 1970, times 256), so that a
/// platform that has lost its records can still speak to a card that has not.
fn next_counter(last: Option<Cntr>, floor: u64, now: Timestamp) -> Option<Cntr> {
    let clock = u64::try_from(now.as_second()).unwrap_or_default() << 8;
    let above = last.map_or(0, |last| last.get() + 1);
    let value = above.max(clock.min(LAST_CNTR)).max(floor);
    Cntr::new(value).filter(|cntr| cntr.get() <= LAST_CNTR)
}

fn part_id(job: &str, index: usize, attempt: u8) -> String {
    match attempt {
        1 => format!("{job}/{}", index + 1),
        again => format!("{job}/{}r{}", index + 1, again - 1),
    }
}

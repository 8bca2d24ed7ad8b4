//! Handsets with their cards, and the users who hold them. One process owns a card, so its state is kept in memory;
//! what must survive a loss of power is journaled before anything leaves the handset.

mod handsets;
mod users;

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use ota::smsc;
use ota_wire::ids::{Cntr, Iccid, Msisdn};
use sim_applet_sim::event::Event;
use sim_applet_sim::handset::{InboxMessage, Input, Output, Phone, ReaderInput, ReaderOutput};
use tokio::sync::watch;

use self::handsets::{Powered, SHARDS, Shard};
use super::parties::{Effect, Emission, Message};
use crate::cards::{KnownCard, Profiles};
use crate::runtime::chance::Chance;
use crate::runtime::clock::Clock;
use crate::runtime::lock;
use crate::runtime::party::HandleError;
use crate::runtime::store::{Batch, CommitError, Store, Write};
use crate::suite::{CardView, MenuView, Place};
use crate::users::Users;
use crate::world::World;

/// The name under which the clock knows the timers of handsets and of their users.
pub(super) const TIMERS: &str = "sim";

/// Every handset that is in use, and some that were lately.
pub struct Phones {
    shards: Box<[Mutex<Shard>]>,
    world: Arc<World>,
    profiles: Profiles,
    store: Arc<dyn Store>,
    clock: Clock,
    chance: Chance,
    humans: Humans,
    /// Counts what happened to those who have a card in a reader.
    news: watch::Sender<u64>,
}

/// What becomes of users who are people.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Humans {
    /// Nobody is there: they approve.
    Approve,
    /// They are asked through the browser or the API.
    Ask,
}

impl Phones {
    /// No handset yet; each is made when its number is first used.
    pub fn new(
        world: Arc<World>,
        store: Arc<dyn Store>,
        clock: Clock,
        chance: Chance,
        humans: Humans,
    ) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            profiles: Profiles::new(&world),
            world,
            store,
            clock,
            chance,
            humans,
            news: watch::Sender::new(0),
        }
    }

    /// One step of a handset with its card. What the card must remember is in the store when this returns.
    pub(super) async fn handle(
        &self,
        msisdn: &Msisdn,
        input: Input,
        now: Timestamp,
    ) -> Result<(Vec<Output>, Vec<Event>), HandleError> {
        let Some(handset) = self.handset(msisdn)? else {
            // The SMSC routes only to numbers of the world.
            return Ok((Vec::new(), Vec::new()));
        };
        let mut powered = handset.phone.lock().await;
        let (mut outputs, mut events, mut changed) = (Vec::new(), Vec::new(), false);
        if powered.lost {
            let Some(subscriber) = self.world.subscriber(msisdn) else {
                return Ok((Vec::new(), Vec::new()));
            };
            let state = self.journaled(&subscriber, &handset.card_key)?;
            let was_on = powered.phone.has_card() && !powered.phone.is_kept_off();
            let step = powered
                .phone
                .lose_power(state, now, &mut self.chance.seldom());
            outputs.extend(step.outputs);
            events.extend(step.events);
            powered.asleep = was_on;
            powered.lost = false;
        }
        if matches!(input, Input::Reader(ReaderInput::Eject)) && powered.phone.is_in_reader() {
            lock(&handset.ended).clear();
        }
        if matches!(input, Input::Reader(ReaderInput::Eject)) && powered.phone.may_stay_off() {
            // It is switched on when it is next used, and made anew then or now.
            if !self.put_away(msisdn, &handset, &powered.phone) {
                powered.phone.put_back();
                powered.asleep = !powered.phone.is_kept_off();
            }
            return Ok((outputs, events));
        }
        let Powered {
            phone,
            asleep,
            lost,
        } = &mut *powered;
        let waking = match *asleep {
            true => Waking::by(&input),
            false => Waking::Not,
        };
        *asleep &= matches!(waking, Waking::Not);
        if matches!(waking, Waking::First) {
            let step = phone.step(Input::PowerOn, now, &mut self.chance.seldom());
            // That a phone of the world is on is no news to the SMSC.
            outputs.extend(
                step.outputs
                    .into_iter()
                    .filter(|output| !matches!(output, Output::Attached(true))),
            );
            events.extend(step.events);
            changed |= step.changed;
        }
        let step = phone.step(input, now, &mut self.chance.seldom());
        if step.outputs.iter().any(ends_dialogue) {
            lock(&handset.user).begin_again();
        }
        for output in &step.outputs {
            if let Output::Reader(ReaderOutput::Submitted { mr }) = output {
                // That of an earlier message with this reference, which nobody has waited for.
                lock(&handset.ended).remove(mr);
            }
        }
        outputs.extend(step.outputs);
        events.extend(step.events);
        changed |= step.changed;
        if changed {
            self.journal(&handset.card_key, phone, lost).await?;
            if let Some(pin) = phone.card_state().changed_pin() {
                lock(&handset.user).learn(pin);
            }
        }
        Ok((outputs, events))
    }

    /// Writes what the card must remember. The lock on the handset is held: the next step of this card must not overtake
    /// the journal.
    async fn journal(
        &self,
        card_key: &str,
        phone: &Phone,
        lost: &mut bool,
    ) -> Result<(), HandleError> {
        let write = Write::Put {
            key: card_key.to_owned(),
            value: phone.card_state().to_bytes(),
        };
        let journaled = self.store.commit(Batch {
            writes: vec![write],
            ..Batch::default()
        });
        // Until it is written nothing of this step has happened: should that fail, or never end, the handset has lost
        // its power before it.
        *lost = true;
        journaled.await.map_err(journal_failed)?;
        *lost = false;
        Ok(())
    }

    /// The number whose card has this ICCID.
    pub(crate) fn number_of(&self, iccid: &Iccid) -> Option<Msisdn> {
        Some(self.world.by_iccid(iccid)?.msisdn)
    }

    /// The card of a number.
    pub(crate) fn card_of(&self, msisdn: &Msisdn) -> Option<Iccid> {
        self.world.card(msisdn)
    }

    /// What the card of a number remembers.
    pub(crate) async fn view(&self, msisdn: &Msisdn) -> Result<Option<CardView>, HandleError> {
        let Some(handset) = self.handset(msisdn)? else {
            return Ok(None);
        };
        let powered = handset.phone.lock().await;
        let card = powered.phone.card_state();
        let menu = match powered.asleep {
            true => powered.phone.menu_to_come(),
            false => powered.phone.menu().cloned(),
        };
        Ok(Some(CardView {
            iccid: powered.phone.subscriber().iccid.digits().to_owned(),
            pin_tries: card.pin_tries(),
            puk_tries: card.puk_tries(),
            applet_counter: card.applet_counter(),
            cntr: card.counters().into_iter().map(Cntr::get).collect(),
            // A handset that nobody has used yet is switched on when it is.
            attached: match powered.asleep {
                true => powered.phone.has_coverage(),
                false => powered.phone.is_attached(),
            },
            menu: menu.map(|menu| MenuView {
                title: menu.title,
                items: menu
                    .items
                    .into_iter()
                    .map(|item| (item.id, item.text))
                    .collect(),
            }),
            place: if powered.phone.is_in_reader() {
                Place::Reader
            } else if powered.phone.has_card() {
                Place::Handset
            } else {
                Place::Out
            },
        }))
    }

    /// The messages for people in the handset of a number, oldest first.
    pub(crate) async fn inbox(&self, msisdn: &Msisdn) -> Result<Vec<InboxMessage>, HandleError> {
        let Some(handset) = self.handset(msisdn)? else {
            return Ok(Vec::new());
        };
        let inbox = handset.phone.lock().await.phone.inbox().to_vec();
        Ok(inbox)
    }

    /// Uses the handset of a number, until this is dropped.
    #[cfg(test)]
    pub(crate) async fn hold(&self, msisdn: &Msisdn) -> impl Sized + use<> {
        let handset = self.handset(msisdn).ok().flatten().unwrap();
        let (held, holds) = tokio::sync::oneshot::channel();
        let (free, freed) = tokio::sync::oneshot::channel::<()>();
        tokio::spawn(async move {
            let _phone = handset.phone.lock().await;
            let _ = held.send(());
            let _ = freed.await;
        });
        holds.await.unwrap();
        free
    }

    /// What whoever made a number's card knows of it.
    pub(crate) async fn known(&self, msisdn: &Msisdn) -> Result<Option<KnownCard>, HandleError> {
        let Some(handset) = self.handset(msisdn)? else {
            return Ok(None);
        };
        let powered = handset.phone.lock().await;
        let phone = &powered.phone;
        Ok(Some(KnownCard::new(
            phone.profile(),
            phone.subscriber(),
            phone.card_state(),
        )))
    }

    /// The answer to reset of a number's card.
    pub(crate) async fn atr(&self, msisdn: &Msisdn) -> Result<Option<Vec<u8>>, HandleError> {
        let Some(handset) = self.handset(msisdn)? else {
            return Ok(None);
        };
        Ok(Some(handset.phone.lock().await.phone.atr().to_vec()))
    }

    /// Changes whenever something happens to one who has a card in a reader.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// What the network said to this message; once.
    pub(crate) fn take_ended(
        &self,
        msisdn: &Msisdn,
        mr: u8,
    ) -> Result<Option<Option<u8>>, HandleError> {
        let handset = self.handset(msisdn)?;
        Ok(handset.and_then(|handset| lock(&handset.ended).remove(&mr)))
    }

    /// What a handset's output means for the clock and for its user.
    pub(super) fn effects(&self, users: &Users, msisdn: &Msisdn, output: Output) -> Vec<Effect> {
        match output {
            Output::Prompt(prompt) => self.prompt(users, msisdn, prompt),
            Output::PromptClosed { id } => {
                self.closed(users, msisdn, id);
                Vec::new()
            }
            Output::Timer { key, due } => {
                let key = format!("{}/{key}", msisdn.digits());
                match due {
                    Some(due) => self.clock.set(TIMERS, &key, due),
                    None => self.clock.cancel(TIMERS, &key),
                }
                Vec::new()
            }
            Output::Attached(true) => {
                vec![Effect::Deliver(Message::Smsc(
                    smsc::Input::PhoneAvailable {
                        msisdn: msisdn.clone(),
                    },
                ))]
            }
            Output::Reader(news) => {
                if let (ReaderOutput::Ended { mr, cause }, Ok(Some(handset))) =
                    (news, self.handset(msisdn))
                {
                    lock(&handset.ended).insert(mr, cause.map(|cause| cause.0));
                }
                self.news.send_modify(|count| *count += 1);
                Vec::new()
            }
            // Whoever pressed the key was told already; a phone that is gone says nothing.
            Output::Attached(false)
            | Output::Memory(_)
            | Output::NotSelected { .. }
            | Output::Refused { .. } => Vec::new(),
            Output::Rp(_) => vec![Effect::Network(Emission::Phone(msisdn.clone(), output))],
        }
    }
}

/// What becomes of a handset that nobody has used yet.
enum Waking {
    /// It is switched on first.
    First,
    /// What happens to it says by itself whether it is on.
    Itself,
    /// It has nothing to do with it.
    Not,
}

impl Waking {
    const fn by(input: &Input) -> Self {
        match input {
            Input::PowerOn
            | Input::PowerOff
            | Input::Card { inserted: false }
            | Input::Reader(ReaderInput::Insert) => Self::Itself,
            Input::Reader(_) => Self::Not,
            _ => Self::First,
        }
    }
}

/// Whether the applet's answer leaves the handset: an RP-DATA of the handset (TS 24.011 §8.2.2, message type 0).
fn ends_dialogue(output: &Output) -> bool {
    matches!(output, Output::Rp(bytes) if bytes.first().is_some_and(|kind| kind & 0x07 == 0))
}

/// The journal has one writer, so only the medium can fail.
fn journal_failed(error: CommitError) -> HandleError {
    match error {
        CommitError::Store(error) => HandleError::Store {
            party: TIMERS,
            error,
        },
        CommitError::Conflict { key } => HandleError::Contended {
            party: TIMERS,
            attempts: 1,
            key,
        },
    }
}

#[cfg(test)]
mod tests;

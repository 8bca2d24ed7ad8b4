//! Handsets with their cards, and the users who hold them. One process owns a card, so its state is kept in memory;
//! what must survive a loss of power is journaled before anything leaves the handset.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use ota::smsc;
use ota_wire::ids::{Cntr, Iccid, Msisdn};
use sim_applet_sim::event::Event;
use sim_applet_sim::handset::{Input, Output, Phone, Prompt, ReaderInput, ReaderOutput, Reply};
use sim_applet_sim::state::CardState;
use sim_applet_sim::user::{Gesture, Persona as Script, PersonaState, Reaction};
use tokio::sync::watch;

use super::parties::{Effect, Emission, Message};
use crate::cards::{Profiles, fresh_state, owner};
use crate::runtime::chance::Chance;
use crate::runtime::clock::Clock;
use crate::runtime::lock;
use crate::runtime::party::HandleError;
use crate::runtime::store::{Batch, CommitError, Store, StoreError, Write};
use crate::suite::{CardView, MenuView, Place};
use crate::users::Users;
use crate::world::{Persona, Subscriber, World};

/// The name under which the clock knows the timers of handsets and of their users.
pub(super) const TIMERS: &str = "sim";

/// Locks over the map of handsets: flows of different subscribers should not meet.
const SHARDS: usize = 64;

/// Handsets that a shard keeps ready. Of idle ones beyond that nothing is kept but what their cards have written; they are
/// made anew when they are next used. So a million cards take little more than a million records.
const READY: usize = 64;

/// How many of the longest known handsets are looked at to find one that is idle.
const LOOKED_AT: usize = 8;

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

#[derive(Default)]
struct Shard {
    handsets: HashMap<Msisdn, Arc<Handset>>,
    /// The longest known first.
    order: VecDeque<Msisdn>,
}

/// What becomes of users who are people.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Humans {
    /// Nobody is there: they approve.
    Approve,
    /// They are asked through the browser or the API.
    Ask,
}

struct Handset {
    phone: tokio::sync::Mutex<Powered>,
    card_key: String,
    user: Mutex<User>,
    /// What the network said to messages that were sent for a card in a reader: RP-Cause by RP-MR.
    ended: Mutex<HashMap<u8, Option<u8>>>,
}

struct Powered {
    phone: Phone,
    /// What happens to a new handset before anything else.
    first: Vec<Input>,
    /// It knows what its card's journal does not: it starts again from the journal.
    lost: bool,
}

impl Powered {
    /// Does not switch a new handset on, as it would only lose its card.
    fn stay_off(&mut self) {
        self.first.retain(|input| !matches!(input, Input::PowerOn));
    }
}

/// The one who holds a handset.
struct User {
    /// `None` for a person at the browser or the API.
    script: Option<(Script, PersonaState)>,
    /// The script's beginning, where every dialogue starts.
    knows: PersonaState,
    /// Keys that will be pressed when their timer is due, by prompt.
    deciding: HashMap<u64, Reply>,
    /// Whether it is another one than the world has.
    replaced: bool,
}

impl Handset {
    /// Whether it can be made anew from its card's record without anybody noticing.
    fn is_idle(&self) -> bool {
        self.is_plain()
            && self.phone.try_lock().is_ok_and(|powered| {
                !powered.lost && (!powered.first.is_empty() || powered.phone.is_idle())
            })
    }

    /// Whether its user is the one of the world and has nothing in mind, and nobody waits for its messages.
    fn is_plain(&self) -> bool {
        let user = lock(&self.user);
        !user.replaced && user.deciding.is_empty() && lock(&self.ended).is_empty()
    }
}

impl Shard {
    /// Lets go of an idle handset, if there are too many.
    fn make_room(&mut self) {
        let looks = LOOKED_AT.min(self.order.len());
        for _ in 0..looks {
            if self.handsets.len() < READY {
                return;
            }
            let Some(msisdn) = self.order.pop_front() else {
                return;
            };
            let idle = self.handsets.get(&msisdn).is_none_or(|handset| {
                // Whoever is about to use it has it in hand.
                Arc::strong_count(handset) == 1 && handset.is_idle()
            });
            if idle {
                self.handsets.remove(&msisdn);
            } else {
                self.order.push_back(msisdn);
            }
        }
    }
}

impl User {
    fn begin_again(&mut self) {
        if let Some((_, state)) = &mut self.script {
            *state = self.knows.clone();
        }
    }
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
        if powered.lost {
            let Some(subscriber) = self.world.subscriber(msisdn) else {
                return Ok((Vec::new(), Vec::new()));
            };
            let in_reader = powered.phone.is_in_reader();
            *powered = self.powered(&subscriber, &handset.card_key)?;
            if in_reader {
                powered.stay_off();
                powered.first.push(Input::Reader(ReaderInput::Insert));
            }
        }
        if matches!(input, Input::Reader(ReaderInput::Eject)) && powered.phone.may_stay_off() {
            // It is switched on when it is next used, and made anew then or now.
            if self.put_away(msisdn, &handset) {
                return Ok((Vec::new(), Vec::new()));
            }
            if let Some(subscriber) = self.world.subscriber(msisdn) {
                *powered = self.powered(&subscriber, &handset.card_key)?;
                return Ok((Vec::new(), Vec::new()));
            }
        }
        if matches!(input, Input::Reader(ReaderInput::Insert)) {
            powered.stay_off();
        }
        let Powered { phone, first, lost } = &mut *powered;
        let (mut outputs, mut events, mut changed) = (Vec::new(), Vec::new(), false);
        for input in first.drain(..) {
            let step = phone.step(input, now, &mut self.chance.seldom());
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
        outputs.extend(step.outputs);
        events.extend(step.events);
        changed |= step.changed;
        if changed {
            self.journal(&handset.card_key, phone, lost).await?;
        }
        Ok((outputs, events))
    }

    /// Lets go of a handset of which the card's record tells everything, unless somebody else has it in hand.
    fn put_away(&self, msisdn: &Msisdn, handset: &Arc<Handset>) -> bool {
        let mut shard = lock(self.shard(msisdn));
        // The shard has it, and the caller.
        let put_away = Arc::strong_count(handset) == 2 && handset.is_plain();
        if put_away {
            shard.handsets.remove(msisdn);
            if let Some(at) = shard.order.iter().rposition(|other| other == msisdn) {
                shard.order.remove(at);
            }
        }
        put_away
    }

    fn shard(&self, msisdn: &Msisdn) -> &Mutex<Shard> {
        let sum = msisdn
            .digits()
            .bytes()
            .fold(0usize, |sum, byte| sum.wrapping_mul(31) + usize::from(byte));
        &self.shards[sum % SHARDS]
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

    /// What the card of a number remembers.
    pub(crate) async fn view(&self, msisdn: &Msisdn) -> Result<Option<CardView>, HandleError> {
        let Some(handset) = self.handset(msisdn)? else {
            return Ok(None);
        };
        let powered = handset.phone.lock().await;
        let card = powered.phone.card_state();
        Ok(Some(CardView {
            iccid: powered.phone.subscriber().iccid.digits().to_owned(),
            pin_tries: card.pin_tries(),
            puk_tries: card.puk_tries(),
            applet_counter: card.applet_counter(),
            cntr: card.counters().into_iter().map(Cntr::get).collect(),
            // A handset that nobody has used yet is switched on when it is.
            attached: powered.phone.is_attached() || !powered.first.is_empty(),
            menu: powered.phone.menu().map(|menu| MenuView {
                title: menu.title.clone(),
                items: menu
                    .items
                    .iter()
                    .map(|item| (item.id, item.text.clone()))
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

    /// From now on the user of a number does this. A number that is nobody's has no user.
    pub(crate) fn set_user(&self, msisdn: &Msisdn, persona: Persona) -> Result<(), HandleError> {
        if let Some(handset) = self.handset(msisdn)? {
            let mut user = lock(&handset.user);
            user.replaced = true;
            user.script = self
                .script(persona)
                .map(|script| (script, user.knows.clone()));
        }
        Ok(())
    }

    /// What a handset's output means for the clock and for its user.
    pub(super) fn effects(&self, users: &Users, msisdn: &Msisdn, output: Output) -> Vec<Effect> {
        match output {
            Output::Prompt(prompt) => self.prompt(users, msisdn, prompt),
            Output::PromptClosed { id } => {
                users.vanish(msisdn, id);
                if let Ok(Some(handset)) = self.handset(msisdn) {
                    lock(&handset.user).deciding.remove(&id);
                }
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
            Output::Attached(false) | Output::NotSelected { .. } | Output::Refused { .. } => {
                Vec::new()
            }
            Output::Rp(_) => vec![Effect::Network(Emission::Phone(msisdn.clone(), output))],
        }
    }

    /// The message for which a timer of ours was set.
    pub(super) fn due(&self, key: &str) -> Option<Message> {
        let (digits, rest) = key.split_once('/')?;
        let msisdn: Msisdn = digits.parse().ok()?;
        let input = match rest.strip_prefix("user/") {
            None => Input::Timer {
                key: rest.to_owned(),
            },
            Some(prompt) => {
                let handset = self.handset(&msisdn).ok()??;
                let reply = lock(&handset.user).deciding.remove(&prompt.parse().ok()?)?;
                Input::User(reply)
            }
        };
        Some(Message::Phone(msisdn, input))
    }

    /// Shows a prompt to the user: a script decides at once what it will do and when, a person takes their time.
    fn prompt(&self, users: &Users, msisdn: &Msisdn, prompt: Prompt) -> Vec<Effect> {
        let Ok(Some(handset)) = self.handset(msisdn) else {
            return Vec::new();
        };
        let mut user = lock(&handset.user);
        let Some((script, state)) = &mut user.script else {
            drop(user);
            users.appear(msisdn.clone(), prompt);
            return Vec::new();
        };
        let Some((action, after)) = script.react(state, &prompt) else {
            return Vec::new();
        };
        let reply = Reply {
            prompt: prompt.id,
            action,
        };
        if after.is_zero() {
            return vec![Effect::Deliver(Message::Phone(
                msisdn.clone(),
                Input::User(reply),
            ))];
        }
        user.deciding.insert(prompt.id, reply);
        let due = self
            .clock
            .now()
            .saturating_add(after)
            .unwrap_or(Timestamp::MAX);
        self.clock.set(
            TIMERS,
            &format!("{}/user/{}", msisdn.digits(), prompt.id),
            due,
        );
        Vec::new()
    }

    /// The handset of a number, if the number is one of ours.
    fn handset(&self, msisdn: &Msisdn) -> Result<Option<Arc<Handset>>, HandleError> {
        let mut shard = lock(self.shard(msisdn));
        if let Some(handset) = shard.handsets.get(msisdn) {
            return Ok(Some(handset.clone()));
        }
        let Some(subscriber) = self.world.subscriber(msisdn) else {
            return Ok(None);
        };
        let card_key = format!("card/{}", subscriber.iccid.digits());
        let powered = self.powered(&subscriber, &card_key)?;
        let knows = PersonaState::new(powered.phone.subscriber().pin.clone());
        let script = self.script(subscriber.persona);
        let handset = Arc::new(Handset {
            phone: tokio::sync::Mutex::new(powered),
            card_key,
            user: Mutex::new(User {
                script: script.map(|script| (script, knows.clone())),
                knows,
                deciding: HashMap::new(),
                replaced: false,
            }),
            ended: Mutex::default(),
        });
        shard.make_room();
        shard.handsets.insert(msisdn.clone(), handset.clone());
        shard.order.push_back(msisdn.clone());
        Ok(Some(handset))
    }

    /// The handset of a subscriber, about to be switched on, with the card as its journal has it.
    fn powered(&self, subscriber: &Subscriber, card_key: &str) -> Result<Powered, HandleError> {
        let profile = self.profiles.of(subscriber);
        let record = self
            .store
            .get(card_key)
            .map_err(|error| HandleError::Store {
                party: TIMERS,
                error,
            })?;
        let state = match record.map(|record| CardState::from_bytes(&record.value)) {
            Some(Ok(state)) => state,
            Some(Err(error)) => return Err(damaged(card_key, &error)),
            None => fresh_state(subscriber, profile),
        };
        let mut first = vec![Input::PowerOn];
        if !subscriber.coverage {
            first.push(Input::Coverage(false));
        }
        let owner = owner(subscriber).map_err(|error| damaged("world", &error))?;
        Ok(Powered {
            phone: Phone::new(profile.clone(), owner, state),
            first,
            lost: false,
        })
    }

    /// What the user of a number does; `None` for a person at the browser or the API.
    fn script(&self, persona: Persona) -> Option<Script> {
        let script = |texts: &[Gesture], questions: &[Gesture], after_ms| Script {
            texts: texts
                .iter()
                .map(|gesture| Reaction {
                    gesture: *gesture,
                    after_ms,
                })
                .collect(),
            questions: questions
                .iter()
                .map(|gesture| Reaction {
                    gesture: *gesture,
                    after_ms: 0,
                })
                .collect(),
        };
        Some(match persona {
            Persona::Approve { after_ms } => script(&[Gesture::Ok], &[Gesture::RightPin], after_ms),
            Persona::Busy => script(&[Gesture::Busy], &[Gesture::Busy], 0),
            Persona::Cancel => script(&[Gesture::Cancel], &[Gesture::Cancel], 0),
            Persona::Human if self.humans == Humans::Ask => return None,
            Persona::Human => script(&[Gesture::Ok], &[Gesture::RightPin], 0),
            Persona::Ignore => script(&[], &[], 0),
            Persona::WrongPin { times } => {
                let mut questions = vec![Gesture::WrongPin; times as usize];
                questions.push(Gesture::RightPin);
                script(&[Gesture::Ok], &questions, 0)
            }
        })
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

/// A card whose record or codes make no sense: seen as damage, never as a fresh card with all its tries.
fn damaged(what: &str, error: &dyn std::fmt::Display) -> HandleError {
    let detail = format!("{what}: {error}");
    HandleError::Store {
        party: TIMERS,
        error: StoreError::Corrupt {
            file: "sim.redb".into(),
            detail,
        },
    }
}

#[cfg(test)]
mod tests;

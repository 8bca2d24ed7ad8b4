//! Which handsets there are: each is made when its number is first used, and idle ones make room.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use ota_wire::ids::Msisdn;
use sim_applet_sim::handset::Phone;
use sim_applet_sim::state::CardState;
use sim_applet_sim::user::PersonaState;

use super::users::User;
use super::{Phones, TIMERS};
use crate::cards::{fresh_state, owner};
use crate::runtime::lock;
use crate::runtime::party::HandleError;
use crate::runtime::store::StoreError;
use crate::world::Subscriber;

/// Locks over the map of handsets: flows of different subscribers should not meet.
pub(super) const SHARDS: usize = 64;

/// Handsets that a shard keeps ready. Of idle ones beyond that nothing is kept but what their cards have written; they are
/// made anew when they are next used. So a million cards take little more than a million records.
pub(super) const READY: usize = 64;

/// How many of the longest known handsets are looked at to find one that is idle.
const LOOKED_AT: usize = 8;

#[derive(Default)]
pub(super) struct Shard {
    pub(super) handsets: HashMap<Msisdn, Arc<Handset>>,
    /// The longest known first.
    pub(super) order: VecDeque<Msisdn>,
}

pub(super) struct Handset {
    pub(super) phone: tokio::sync::Mutex<Powered>,
    pub(super) card_key: String,
    /// Whether the world has coverage where it is.
    coverage: bool,
    pub(super) user: Mutex<User>,
    /// What the network said to messages that were sent for a card in a reader: RP-Cause by RP-MR.
    pub(super) ended: Mutex<HashMap<u8, Option<u8>>>,
}

pub(super) struct Powered {
    pub(super) phone: Phone,
    /// It is switched on when it is next used.
    pub(super) asleep: bool,
    /// It knows what its card's journal does not: it starts again from the journal.
    pub(super) lost: bool,
}

impl Handset {
    /// Whether it can be made anew from its card's record without anybody noticing.
    fn is_idle(&self) -> bool {
        self.is_plain()
            && self.phone.try_lock().is_ok_and(|powered| {
                !powered.lost
                    && (powered.asleep || powered.phone.is_idle())
                    && powered.phone.is_as_made(self.coverage)
            })
    }

    /// Whether its user is the one of the world and has nothing in mind, and nobody waits for its messages.
    fn is_plain(&self) -> bool {
        let user = lock(&self.user);
        !user.replaced
            && user.waiting.is_none()
            && user.deciding.is_empty()
            && lock(&self.ended).is_empty()
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

impl Phones {
    /// The handset of a number, if the number is one of ours.
    pub(super) fn handset(&self, msisdn: &Msisdn) -> Result<Option<Arc<Handset>>, HandleError> {
        let mut shard = lock(self.shard(msisdn));
        if let Some(handset) = shard.handsets.get(msisdn) {
            return Ok(Some(handset.clone()));
        }
        let Some(subscriber) = self.world.subscriber(msisdn) else {
            return Ok(None);
        };
        let card_key = format!("card/{}", subscriber.iccid.digits());
        let powered = self.powered(&subscriber, &card_key)?;
        let owner = powered.phone.subscriber();
        let pin = powered.phone.card_state().changed_pin();
        let knows = PersonaState::new(pin.unwrap_or(&owner.pin).clone(), owner.puk.clone());
        let user = User::new(self.script(subscriber.persona), knows);
        let handset = Arc::new(Handset {
            phone: tokio::sync::Mutex::new(powered),
            card_key,
            coverage: subscriber.coverage,
            user: Mutex::new(user),
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
        let state = self.journaled(subscriber, card_key)?;
        let owner = owner(subscriber).map_err(|error| damaged("world", &error))?;
        Ok(Powered {
            phone: Phone::new(profile.clone(), owner, state).with_coverage(subscriber.coverage),
            asleep: true,
            lost: false,
        })
    }

    /// A subscriber's card as its journal has it.
    pub(super) fn journaled(
        &self,
        subscriber: &Subscriber,
        card_key: &str,
    ) -> Result<CardState, HandleError> {
        let record = self
            .store
            .get(card_key)
            .map_err(|error| HandleError::Store {
                party: TIMERS,
                error,
            })?;
        match record.map(|record| CardState::from_bytes(&record.value)) {
            Some(Ok(state)) => Ok(state),
            Some(Err(error)) => Err(damaged(card_key, &error)),
            None => Ok(fresh_state(subscriber, self.profiles.of(subscriber))),
        }
    }

    /// Lets go of a handset of which the card's record tells everything, unless somebody else has it in hand.
    pub(super) fn put_away(&self, msisdn: &Msisdn, handset: &Arc<Handset>, phone: &Phone) -> bool {
        let mut shard = lock(self.shard(msisdn));
        // The shard has it, and the caller.
        let put_away = Arc::strong_count(handset) == 2
            && handset.is_plain()
            && phone.is_as_made(handset.coverage);
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

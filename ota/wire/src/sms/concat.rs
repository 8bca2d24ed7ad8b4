//! Concatenated messages: TS 23.040 §9.2.3.24.1 and §9.2.3.24.8, for secured packets TS 31.115 §4.3.
//!
//! [`split`] cuts a packet into the user data of as many messages as it needs; [`Reassembler`] puts parts together
//! again. Security is applied to the whole packet before it is cut, so a part alone can neither be checked nor read,
//! and everything here is done to octets that nobody has authenticated yet. Hence the limits: parts of a message,
//! messages open at once, and how long one stays open.
//!
//! Joining means putting octets behind each other, which is right for 8-bit data and UCS2, not for 7-bit text.
//!
//! Panics: none. Memory: [`Limits::open`] × [`Limits::parts`] × the size of a part.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::sms::udh::{Concat, ConcatError, Iei, InformationElement, Reference, Udh};
use crate::sms::user_data::{self, UserData};

/// Cuts octets into the user data of one or more messages.
///
/// With `identifier` ([`Iei::COMMAND_PACKET`] or [`Iei::RESPONSE_PACKET`]) the octets are a secured packet: the
/// identifier stands in the first part only, behind the concatenation element. What fits one message gets no
/// concatenation element, and without an identifier no header at all.
///
/// | | first part | later parts |
/// |---|---|---|
/// | single, with identifier | `02 70 00` + 137 | |
/// | 8-bit reference | `07 00 03 rr tt 01 70 00` + 132 | `05 00 03 rr tt nn` + 134 |
/// | 16-bit reference | `08 08 04 rr rr tt 01 70 00` + 131 | `06 08 04 rr rr tt nn` + 133 |
///
/// # Errors
/// [`TooLong`] if 255 parts do not suffice.
pub fn split(
    octets: &[u8],
    reference: Reference,
    identifier: Option<Iei>,
) -> Result<Vec<UserData>, TooLong> {
    let first_identifier = || identifier.map(InformationElement::empty);
    let room = |elements: &[InformationElement]| {
        let header: usize = elements.iter().map(|element| 2 + element.data.len()).sum();
        user_data::MAX - header - usize::from(!elements.is_empty())
    };
    let single: Vec<_> = first_identifier().into_iter().collect();
    if octets.len() <= room(&single) {
        return Ok(vec![UserData::measured(single, octets)]);
    }

    let place = |total, sequence| {
        Concat {
            reference,
            total,
            sequence,
        }
        .element()
    };
    let first_room = room(
        &[place(1, 1)]
            .into_iter()
            .chain(first_identifier())
            .collect::<Vec<_>>(),
    );
    let later_room = room(&[place(1, 1)]);
    let (first, later) = octets.split_at(first_room.min(octets.len()));
    let count = 1 + later.len().div_ceil(later_room);
    let total = u8::try_from(count).map_err(|_| TooLong {
        max: first_room + later_room * (usize::from(u8::MAX) - 1),
        got: octets.len(),
    })?;

    let head = [place(total, 1)].into_iter().chain(first_identifier());
    let mut parts = vec![UserData::measured(head.collect(), first)];
    parts.extend(
        (2..=total)
            .zip(later.chunks(later_room))
            .map(|(sequence, octets)| UserData::measured(vec![place(total, sequence)], octets)),
    );
    Ok(parts)
}

/// More octets than 255 parts hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{got} octets, 255 parts hold {max}")]
pub struct TooLong {
    /// What 255 parts hold.
    pub max: usize,
    /// Octets given.
    pub got: usize,
}

/// What a [`Reassembler`] keeps at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Parts of one message; messages of more are dropped at their first part.
    pub parts: u8,
    /// Messages open at once; above that an old one makes room.
    pub open: usize,
    /// How long a message may stay open after its first part.
    pub age: SignedDuration,
}

impl Default for Limits {
    /// 8 parts (about a kilobyte), 16 messages, 10 minutes: what a card has room for.
    fn default() -> Self {
        Self {
            parts: 8,
            open: 16,
            age: SignedDuration::from_mins(10),
        }
    }
}

/// Puts the parts of concatenated messages together, in whatever order they come.
///
/// `K` names the sender: TP-OA as the card sees it, or the source address of an SMPP message. Parts belong together
/// when sender, reference, width of the reference and total are equal; so neither another sender nor a part that
/// claims another total can add to a message.
///
/// A repeated part with equal octets is ignored. A repeated part with other octets means that the sender uses the
/// reference again for a new message: the old parts are forgotten and the new message begins with this part.
#[derive(Clone, Debug)]
pub struct Reassembler<K> {
    limits: Limits,
    open: BTreeMap<Key<K>, Open>,
    opened: u64,
}

impl<K: Clone + Ord> Reassembler<K> {
    /// An empty one.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            open: BTreeMap::new(),
            opened: 0,
        }
    }

    /// Takes the user data of one message.
    pub fn accept(&mut self, sender: &K, user_data: &UserData, now: Timestamp) -> Outcome {
        let header = user_data.udh();
        let concat = match header.map_or(Ok(None), Udh::concat) {
            Ok(concat) => concat,
            Err(error) => return Outcome::Dropped(DropReason::Malformed(error)),
        };
        let packet = header.and_then(Udh::packet);
        let Some(concat) = concat else {
            return Outcome::Complete(Joined {
                packet,
                parts: 1,
                octets: user_data.payload().to_vec(),
            });
        };
        if concat.total > self.limits.parts {
            return Outcome::Dropped(DropReason::TooManyParts {
                max: self.limits.parts,
                got: concat.total,
            });
        }

        let key = Key {
            sender: sender.clone(),
            reference: concat.reference,
            total: concat.total,
        };
        if self
            .open
            .get(&key)
            .is_some_and(|open| open.expired(now, self.limits.age))
        {
            self.open.remove(&key);
        }
        if !self.open.contains_key(&key) {
            self.make_room(sender, now);
            self.opened += 1;
        }
        let open = self
            .open
            .entry(key.clone())
            .or_insert_with(|| Open::new(concat.total, now, self.opened));
        let outcome = open.add(concat, packet, user_data.payload(), now);
        if matches!(outcome, Outcome::Complete(_)) {
            self.open.remove(&key);
        }
        outcome
    }

    /// Forgets messages that stayed open too long; how many. [`accept`](Self::accept) does not wait for it: a message
    /// too old is not completed in any case.
    pub fn expire(&mut self, now: Timestamp) -> usize {
        let before = self.open.len();
        self.open
            .retain(|_, open| !open.expired(now, self.limits.age));
        before - self.open.len()
    }

    /// Messages of which a part has come and another is missing.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Keeps one place free. A sender who has messages open pays with the oldest of his own, so that a flood from one
    /// number does not cost the others theirs.
    fn make_room(&mut self, sender: &K, now: Timestamp) {
        if self.open.len() < self.limits.open {
            return;
        }
        self.expire(now);
        while self.open.len() >= self.limits.open.max(1) {
            let oldest = self
                .open
                .iter()
                .min_by_key(|(key, open)| (key.sender != *sender, open.serial))
                .map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { return };
            self.open.remove(&oldest);
        }
    }
}

/// What became of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The message is whole; the part may have been the only one.
    Complete(Joined),
    /// Other parts are missing.
    Waiting {
        /// Parts there.
        held: u8,
        /// Parts in all.
        total: u8,
    },
    /// This part was there already.
    Duplicate,
    /// Nothing was kept.
    Dropped(DropReason),
}

/// A message put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// What the header of the first part announces; an identifier in later parts means nothing.
    pub packet: Option<Iei>,
    /// How many parts it came in.
    pub parts: u8,
    /// The octets, without headers.
    pub octets: Vec<u8>,
}

/// Why a part was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DropReason {
    /// Its concatenation element says something impossible.
    #[error(transparent)]
    Malformed(#[from] ConcatError),
    /// The message has more parts than are accepted.
    #[error("message of {got} parts, at most {max} are accepted")]
    TooManyParts {
        /// Parts accepted.
        max: u8,
        /// Parts announced.
        got: u8,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key<K> {
    sender: K,
    reference: Reference,
    total: u8,
}

#[derive(Clone, Debug)]
struct Open {
    since: Timestamp,
    /// Order of opening; time stamps may be equal.
    serial: u64,
    packet: Option<Iei>,
    parts: Vec<Option<Vec<u8>>>,
}

impl Open {
    fn new(total: u8, since: Timestamp, serial: u64) -> Self {
        Self {
            since,
            serial,
            packet: None,
            parts: vec![None; usize::from(total)],
        }
    }

    fn expired(&self, now: Timestamp, age: SignedDuration) -> bool {
        now.duration_since(self.since) > age
    }

    fn add(
        &mut self,
        concat: Concat,
        packet: Option<Iei>,
        octets: &[u8],
        now: Timestamp,
    ) -> Outcome {
        let index = usize::from(concat.sequence) - 1;
        match self.parts.get(index) {
            Some(Some(held)) if held == octets => return Outcome::Duplicate,
            Some(Some(_)) => *self = Self::new(concat.total, now, self.serial),
            _ => {}
        }
        if let Some(place) = self.parts.get_mut(index) {
            *place = Some(octets.to_vec());
        }
        if concat.sequence == 1 {
            self.packet = packet;
        }
        let held = self.parts.iter().flatten().count();
        if held < self.parts.len() {
            return Outcome::Waiting {
                held: held as u8,
                total: concat.total,
            };
        }
        Outcome::Complete(Joined {
            packet: self.packet,
            parts: concat.total,
            octets: self.parts.iter().flatten().flatten().copied().collect(),
        })
    }
}

#[cfg(test)]
mod tests;

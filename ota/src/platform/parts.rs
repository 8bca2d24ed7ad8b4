//! Concatenated messages from cards, put together from records (TS 23.040 §9.2.3.24.1).
//!
//! `ota_wire::sms::concat::Reassembler` does the same in memory; the platform must not forget a part over a restart. Nothing
//! here is authenticated yet, so all of it is bounded.

use jiff::{SignedDuration, Timestamp};
use ota_wire::sms::udh::{Concat, Reference};
use std::collections::BTreeMap;

use super::record::{OpenMessage, Part, Parts};

/// Parts of one message.
const MAX_PARTS: u8 = 8;
/// Messages open at once from one sender; another one drops the oldest.
const MAX_OPEN: usize = 4;
/// How long a message may stay open.
const MAX_AGE: SignedDuration = SignedDuration::from_mins(5);

/// A message with all its parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Joined {
    pub(super) octets: Vec<u8>,
    pub(super) response_packet: bool,
}

impl Parts {
    /// Takes a part. The same part again changes nothing; the same number with other octets means that the sender uses the
    /// reference for a new message.
    pub(super) fn accept(
        &mut self,
        concat: Concat,
        octets: &[u8],
        response_packet: bool,
        now: Timestamp,
    ) -> Result<Option<Joined>, TooManyParts> {
        self.open
            .retain(|message| now.duration_since(message.since) < MAX_AGE);
        if concat.total > MAX_PARTS {
            return Err(TooManyParts {
                max: MAX_PARTS,
                got: concat.total,
            });
        }
        let (reference, wide) = match concat.reference {
            Reference::Eight(reference) => (u16::from(reference), false),
            Reference::Sixteen(reference) => (reference, true),
        };
        let part = Part(octets.to_vec());
        let same = |message: &OpenMessage| {
            (message.reference, message.wide, message.total) == (reference, wide, concat.total)
        };
        let reused = |message: &OpenMessage| {
            message
                .parts
                .get(&concat.sequence)
                .is_some_and(|known| *known != part)
        };
        self.open
            .retain(|message| !(same(message) && reused(message)));
        let at = match self.open.iter().position(same) {
            Some(at) => at,
            None => {
                if self.open.len() >= MAX_OPEN {
                    self.open.remove(0);
                }
                let parts = BTreeMap::new();
                self.open.push(OpenMessage {
                    reference,
                    wide,
                    total: concat.total,
                    since: now,
                    response_packet: false,
                    parts,
                });
                self.open.len() - 1
            }
        };
        let message = &mut self.open[at];
        message.response_packet |= response_packet;
        message.parts.insert(concat.sequence, part);
        if message.parts.len() < usize::from(message.total) {
            return Ok(None);
        }
        let message = self.open.remove(at);
        let octets = message
            .parts
            .into_values()
            .flat_map(|Part(octets)| octets)
            .collect();
        Ok(Some(Joined {
            octets,
            response_packet: message.response_packet,
        }))
    }
}

/// A message of more parts than the platform puts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message of {got} parts, expected at most {max}")]
pub(super) struct TooManyParts {
    max: u8,
    got: u8,
}

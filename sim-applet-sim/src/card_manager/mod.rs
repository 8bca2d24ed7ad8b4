//! ETSI TS 102 225 and 3GPP TS 31.115, the card's side: from SMS-PP data download to an application's data.
//!
//! Parts are joined, the packet is opened, the counter is stored, then the data goes to the application that the TAR
//! names. What answer the sender gets is decided by [`ota_wire::packet::response_for`]. The commands of the issuer
//! security domain, by secure channel or by packet, are in [`domain`].

pub(crate) mod domain;
pub(crate) mod registry;
pub(crate) mod scp03;

use jiff::Timestamp;
use ota_wire::apdu::Sw;
use ota_wire::ids::{Cntr, Tar};
use ota_wire::keys::KeySet;
use ota_wire::packet::Receiver;
use ota_wire::sms::concat::{DropReason, Limits, Outcome, Reassembler};
use ota_wire::sms::dcs::Alphabet;
use ota_wire::sms::tpdu::{Deliver, Submit};
use ota_wire::sms::udh::Iei;
use ota_wire::sms::user_data::UserData;

use crate::event::Note;
use crate::profile::{Application, ApplicationKind, Profile};
use crate::state::CardState;

/// Parts of messages that wait for the others; lost with the power.
pub(crate) type Parts = Reassembler<Vec<u8>>;

/// Messages that may be incomplete at the same time. A card has no clock to forget one by its age: the oldest makes
/// room for the newest.
pub(crate) fn parts() -> Parts {
    Parts::new(Limits {
        open: 4,
        ..Limits::default()
    })
}

/// What a card knows about the packets it gets.
pub(crate) struct Packets<'a> {
    pub(crate) profile: &'a Profile,
    pub(crate) keys: &'a [KeySet],
    pub(crate) state: &'a CardState,
}

impl Packets<'_> {
    /// The application that a TAR names; a locked one is not there.
    pub(crate) fn application(&self, tar: Tar) -> Option<&Application> {
        let locked = self.state.applet_locked();
        self.profile
            .applications
            .iter()
            .find(|application| application.tar == tar)
            .filter(|application| !(locked && application.kind == ApplicationKind::Signature))
    }
}

impl Receiver for Packets<'_> {
    fn msl(&self, tar: Tar) -> Option<u8> {
        self.application(tar)
            .map(|application| match application.kind {
                ApplicationKind::Signature => self.profile.applet.msl,
                _ => application.msl,
            })
    }

    fn key_set(&self, version: u8) -> Option<&KeySet> {
        self.keys.iter().find(|keys| keys.version == version)
    }

    fn counter(&self, version: u8) -> Cntr {
        self.state.counter(self.profile, version)
    }

    fn allows_single_des(&self) -> bool {
        self.profile.weak.single_des
    }
}

/// A message that a terminal passed on.
pub(crate) enum Arrived {
    /// A whole command packet, and the message that brought it or its last part.
    Packet(Vec<u8>, Box<Deliver>),
    /// A part; the others are still to come, or it was there before.
    Part,
}

/// Takes an SMS-DELIVER that the terminal passed on.
///
/// # Errors
/// The status word for a message that holds no command packet or no part of one.
pub(crate) fn arrive(parts: &mut Parts, tpdu: &[u8], notes: &mut Vec<Note>) -> Result<Arrived, Sw> {
    let no_packet = |reason: String, notes: &mut Vec<Note>| {
        notes.push(Note::NotAPacket { reason });
        Sw::WRONG_DATA
    };
    let deliver = Deliver::parse(tpdu).map_err(|error| no_packet(error.to_string(), notes))?;
    if deliver.dcs.alphabet() != Alphabet::Data {
        let reason = format!("TP-DCS {} is not 8-bit data", deliver.dcs);
        return Err(no_packet(reason, notes));
    }
    let sender = deliver.oa.to_value();
    // Time stands still in a card.
    match parts.accept(&sender, &deliver.user_data, Timestamp::UNIX_EPOCH) {
        Outcome::Complete(joined) if joined.packet == Some(Iei::COMMAND_PACKET) => {
            Ok(Arrived::Packet(joined.octets, Box::new(deliver)))
        }
        Outcome::Complete(_) => Err(no_packet("no command packet identifier".to_owned(), notes)),
        Outcome::Waiting { held, total } => {
            notes.push(Note::Part { held, total });
            Ok(Arrived::Part)
        }
        Outcome::Duplicate => Ok(Arrived::Part),
        Outcome::Dropped(reason) => {
            let sw = match reason {
                DropReason::TooManyParts { .. } => Sw::NOT_ENOUGH_MEMORY,
                _ => Sw::WRONG_DATA,
            };
            no_packet(reason.to_string(), notes);
            Err(sw)
        }
    }
}

/// The SMS-SUBMIT that takes a PoR back to where the command came from, coded like the command (TS 31.115 §4.4).
pub(crate) fn submit(deliver: &Deliver, por: &[u8]) -> Option<Vec<u8>> {
    let user_data = UserData::from_octets(por, true).ok()?;
    let to = deliver.oa.clone();
    Some(Submit::new(0, to, deliver.pid, deliver.dcs, user_data).emit())
}

#[cfg(test)]
mod tests {
    use ota_wire::sms::address::Address;
    use ota_wire::sms::concat::split;
    use ota_wire::sms::scts::Scts;
    use ota_wire::sms::udh::Reference;

    use super::*;

    #[test]
    fn four_messages_are_open_at_most_and_the_oldest_makes_room() {
        let mut held = parts();
        let mut first_or_second = |reference, part: usize| {
            let packet = vec![reference; 200];
            let parts = split(
                &packet,
                Reference::Eight(reference),
                Some(Iei::COMMAND_PACKET),
            );
            let part = parts.unwrap().swap_remove(part);
            let sender = Address::short_code("8220").unwrap();
            let deliver = Deliver::for_card(sender, Scts::utc(Timestamp::UNIX_EPOCH), part);
            let arrived = arrive(&mut held, &deliver.emit(), &mut Vec::new()).unwrap();
            (matches!(arrived, Arrived::Packet(..)), held.open())
        };
        for reference in 0..100 {
            let open = usize::from(reference + 1).min(4);
            assert_eq!(first_or_second(reference, 0), (false, open), "{reference}");
        }
        assert_eq!(first_or_second(96, 1), (true, 3), "the oldest of the four");
        assert_eq!(first_or_second(95, 1), (false, 4), "one that has made room");
    }

    #[test]
    fn a_message_of_nine_parts_is_too_much() {
        for (len, expected) in [(1000, None), (1200, Some(Sw::NOT_ENOUGH_MEMORY))] {
            let parts = split(
                &vec![0; len],
                Reference::Eight(1),
                Some(Iei::COMMAND_PACKET),
            );
            let part = parts.unwrap().swap_remove(0);
            let sender = Address::short_code("8220").unwrap();
            let deliver = Deliver::for_card(sender, Scts::utc(Timestamp::UNIX_EPOCH), part);
            let arrived = arrive(&mut super::parts(), &deliver.emit(), &mut Vec::new());
            assert_eq!(arrived.err(), expected, "{len} octets");
        }
    }
}

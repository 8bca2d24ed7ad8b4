//! ETSI TS 102 225 and 3GPP TS 31.115, the card's side: from SMS-PP data download to an application's data.
//!
//! Parts are joined, the packet is opened, the counter is stored, then the data goes to the application that the TAR
//! names. What answer the sender gets is decided by [`ota_wire::packet::response_for`].

use jiff::Timestamp;
use ota_wire::apdu::Sw;
use ota_wire::ids::{Cntr, Tar};
use ota_wire::keys::KeySet;
use ota_wire::packet::{self, Receiver, ResponseStatus};
use ota_wire::sms::concat::{DropReason, Limits, Outcome, Reassembler};
use ota_wire::sms::dcs::Alphabet;
use ota_wire::sms::tpdu::{Deliver, Submit};
use ota_wire::sms::udh::Iei;
use ota_wire::sms::user_data::UserData;

use crate::event::Note;
use crate::profile::AppletProfile;

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

/// The CardManager, for as long as one ENVELOPE takes.
pub(crate) struct CardManager<'a> {
    pub(crate) applet: &'a AppletProfile,
    pub(crate) keys: &'a [KeySet],
    /// CNTR of each key set.
    pub(crate) counters: &'a mut [Cntr],
    pub(crate) notes: &'a mut Vec<Note>,
}

/// What came of one message.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    /// Data for the applet.
    pub(crate) data: Option<Vec<u8>>,
    /// A PoR for the SMS-DELIVER-REPORT.
    pub(crate) report: Option<Vec<u8>>,
    /// A PoR to send: an SMS-SUBMIT.
    pub(crate) submit: Option<Vec<u8>>,
    /// Whether a counter was stored.
    pub(crate) counted: bool,
}

impl CardManager<'_> {
    /// Takes an SMS-DELIVER that the terminal passed on.
    ///
    /// # Errors
    /// The status word for a message that holds no command packet or no part of one. A packet that is refused is not
    /// an error: the sender learns of it by PoR, or not at all.
    pub(crate) fn receive(&mut self, parts: &mut Parts, tpdu: &[u8]) -> Result<Delivery, Sw> {
        let deliver = Deliver::parse(tpdu).map_err(|error| self.no_packet(error.to_string()))?;
        if deliver.dcs.alphabet() != Alphabet::Data {
            return Err(self.no_packet(format!("TP-DCS {} is not 8-bit data", deliver.dcs)));
        }
        let sender = deliver.oa.to_value();
        // Time stands still in a card.
        let packet = match parts.accept(&sender, &deliver.user_data, Timestamp::UNIX_EPOCH) {
            Outcome::Complete(joined) if joined.packet == Some(Iei::COMMAND_PACKET) => {
                joined.octets
            }
            Outcome::Complete(_) => {
                return Err(self.no_packet("no command packet identifier".to_owned()));
            }
            Outcome::Waiting { held, total } => {
                self.notes.push(Note::Part { held, total });
                return Ok(Delivery::default());
            }
            Outcome::Duplicate => return Ok(Delivery::default()),
            Outcome::Dropped(reason) => {
                let sw = match reason {
                    DropReason::TooManyParts { .. } => Sw::NOT_ENOUGH_MEMORY,
                    _ => Sw::WRONG_DATA,
                };
                self.no_packet(reason.to_string());
                return Err(sw);
            }
        };
        Ok(self.open(&packet, &deliver))
    }

    fn open(&mut self, packet: &[u8], deliver: &Deliver) -> Delivery {
        let opened = packet::open(packet, &*self);
        let mut delivery = Delivery::default();
        let key_version = match &opened {
            Ok(opened) => {
                if let (Some(counter), Some(place)) =
                    (opened.store_counter, self.counter_of(opened.key_version))
                {
                    *place = counter;
                    delivery.counted = true;
                }
                self.notes.push(Note::PacketAccepted {
                    spi: opened.spi,
                    kic: opened.kic,
                    kid: opened.kid,
                    tar: opened.tar,
                    cntr: opened.cntr,
                    packet: packet.to_vec(),
                });
                delivery.data = Some(opened.data.clone());
                Some(opened.key_version)
            }
            Err(rejected) => {
                self.notes.push(Note::PacketRefused {
                    reason: rejected.reason.clone(),
                    authenticated: rejected.authenticated,
                    packet: packet.to_vec(),
                });
                rejected.header.map(|header| header.kic >> 4)
            }
        };
        let por = packet::response_for(opened.as_ref(), ResponseStatus::POR_OK, Vec::new());
        let keys = key_version.and_then(|version| self.key_set(version));
        let sealed = por.and_then(|por| por.seal(keys).ok().map(|octets| (por, octets)));
        let Some((por, octets)) = sealed else {
            return delivery;
        };
        self.notes.push(Note::Por {
            status: por.response.status,
            secured: por.secured,
            by_submit: por.by_submit,
            octets: octets.clone(),
        });
        if por.by_submit {
            delivery.submit = submit(deliver, &octets);
        } else {
            delivery.report = Some(octets);
        }
        delivery
    }

    fn counter_of(&mut self, version: u8) -> Option<&mut Cntr> {
        let index = self.keys.iter().position(|keys| keys.version == version)?;
        self.counters.get_mut(index)
    }

    fn no_packet(&mut self, reason: String) -> Sw {
        self.notes.push(Note::NotAPacket { reason });
        Sw::WRONG_DATA
    }
}

impl Receiver for CardManager<'_> {
    fn msl(&self, tar: Tar) -> Option<u8> {
        (tar == self.applet.tar).then_some(self.applet.msl)
    }

    fn key_set(&self, version: u8) -> Option<&KeySet> {
        self.keys.iter().find(|keys| keys.version == version)
    }

    /// A key set whose counter is lost counts as blocked.
    fn counter(&self, version: u8) -> Cntr {
        let index = self.keys.iter().position(|keys| keys.version == version);
        let counter = index.and_then(|index| self.counters.get(index));
        counter.copied().unwrap_or(Cntr::MAX)
    }
}

/// The SMS-SUBMIT that takes a PoR back to where the command came from, coded like the command (TS 31.115 §4.4).
fn submit(deliver: &Deliver, por: &[u8]) -> Option<Vec<u8>> {
    let user_data = UserData::from_octets(por, true).ok()?;
    let to = deliver.oa.clone();
    Some(Submit::new(0, to, deliver.pid, deliver.dcs, user_data).emit())
}

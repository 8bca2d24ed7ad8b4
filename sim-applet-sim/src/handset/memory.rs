//! Messages on the card, and what it knows about room for more: 3GPP TS 31.102 §4.2.9 (EF.SMSS) and §4.2.25 (EF.SMS),
//! TS 24.011 §6.3.3 (RP-SMMA).

use ota_wire::apdu::{Command, Ins};
use ota_wire::rp::{Cause, Direction, Message};
use ota_wire::sms::address::Address;
use ota_wire::sms::tpdu::Deliver;
use ota_wire::trace::Id;

use super::card::{ABSOLUTE, BY_FILE_ID, BY_PATH_FROM_MF, record_shape};
use super::{Output, Phone, Refusal, Turn};
use crate::event::{Event, EventKind};
use crate::uicc::file::fid;

/// First octet of a record of EF.SMS: b1 says that it is used.
const USED: u8 = 0x01;
const TO_BE_READ: u8 = 0x03;
/// Octet 2 of EF.SMSS, b1: 1, there is room; 0, the network has been told that there is none. The other bits are reserved.
const ROOM: u8 = 0x01;
/// Octet 1 of EF.SMSS on a card that has never sent a message.
const NO_REFERENCE: u8 = 0xFF;

/// What became of a look at the messages on the card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Memory {
    /// Those that are there.
    Messages(Vec<StoredMessage>),
    /// One was erased.
    Erased,
}

/// A message in EF.SMS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMessage {
    /// Number of its record.
    pub record: u8,
    /// The first octet of the record: `01` read, `03` to be read, `05` to `1D` own ones.
    pub status: u8,
    /// The service centre it came from.
    pub service_centre: Option<Address>,
    /// The SMS-DELIVER; what is none, to the end of the record.
    pub tpdu: Vec<u8>,
}

impl StoredMessage {
    pub(super) fn read(record: u8, octets: &[u8]) -> Option<Self> {
        let (&status, message) = octets
            .split_first()
            .filter(|(status, _)| **status & USED != 0)?;
        let (service_centre, tpdu) = Address::parse_counted(message).unwrap_or((None, message));
        // The filling is no part of it, but it may end with octets that look the same.
        let unfilled = tpdu
            .iter()
            .rposition(|octet| *octet != 0xFF)
            .map_or(0, |last| last + 1);
        let end = (unfilled..=tpdu.len()).find(|end| Deliver::parse(&tpdu[..*end]).is_ok());
        Some(Self {
            record,
            status,
            service_centre,
            tpdu: tpdu[..end.unwrap_or(tpdu.len())].to_vec(),
        })
    }
}

impl Phone {
    /// The user looks at the messages on the card.
    pub(super) fn list_messages(&mut self, turn: &mut Turn<'_>) {
        let listed = self.at_hand().map(|()| {
            let stored = self.records(turn).into_iter();
            let stored = stored.filter_map(|(record, octets)| StoredMessage::read(record, &octets));
            Memory::Messages(stored.collect())
        });
        turn.output(Output::Memory(listed));
    }

    /// The user erases one.
    pub(super) fn erase_message(&mut self, record: u8, turn: &mut Turn<'_>) {
        let erased = self.at_hand().and_then(|()| {
            let records = self.records(turn);
            let used = records.iter().find(|(number, octets)| {
                *number == record && octets.first().is_some_and(|status| status & USED != 0)
            });
            let (_, octets) = used.ok_or(Refusal::NoSuchMessage)?;
            let mut free = vec![0xFF; octets.len()];
            free[0] = 0;
            match self.update_message(record, free, turn) {
                true => Ok(Memory::Erased),
                false => Err(Refusal::CardBusy),
            }
        });
        let made_room = erased.is_ok();
        turn.output(Output::Memory(erased));
        if made_room {
            self.tell_of_room(turn);
        }
    }

    /// Stores an SMS-DELIVER in a free record; `false` if there is none.
    pub(super) fn store_message(
        &mut self,
        service_centre: &[u8],
        tpdu: &[u8],
        turn: &mut Turn<'_>,
    ) -> bool {
        let Some((len, count)) = self.select_messages(turn) else {
            return false;
        };
        let Some(number) = self.free_record(len, count, turn) else {
            if !self.memory_full {
                self.write_sms_status(true, turn);
            }
            return false;
        };
        let mut record = vec![TO_BE_READ];
        record.extend_from_slice(service_centre);
        record.extend_from_slice(tpdu);
        if record.len() > len {
            return false;
        }
        record.resize(len, 0xFF);
        let stored = self.update_message(number, record, turn);
        if stored && self.memory_full {
            // The network sees it by itself.
            self.write_sms_status(false, turn);
        }
        stored
    }

    /// Tells the network that there is room again, where it was told that there is none.
    pub(super) fn tell_of_room(&mut self, turn: &mut Turn<'_>) {
        if !self.memory_full || !self.is_attached() || self.is_sending() || self.powered.is_none() {
            return;
        }
        let shape = self.select_messages(turn);
        if shape
            .and_then(|(len, count)| self.free_record(len, count, turn))
            .is_none()
        {
            return;
        }
        let Some(powered) = &mut self.powered else {
            return;
        };
        let mr = powered.rp_mr;
        powered.rp_mr = mr.wrapping_add(1);
        powered.telling = Some(mr);
        let octets = Message::Smma { mr }.emit(Direction::FromPhone);
        let kind = EventKind::RpSent {
            octets: octets.clone(),
        };
        self.note_rp_mo(mr, kind, turn);
        turn.output(Output::Rp(octets));
    }

    /// Whether this is the network's answer to RP-SMMA. After an RP-ERROR it is told again at the next occasion.
    pub(super) fn told_of_room(
        &mut self,
        octets: &[u8],
        mr: u8,
        cause: Option<Cause>,
        turn: &mut Turn<'_>,
    ) -> bool {
        let telling = self
            .powered
            .as_mut()
            .and_then(|powered| powered.telling.take_if(|own| *own == mr));
        if telling.is_none() {
            return false;
        }
        let kind = EventKind::RpReceived {
            octets: octets.to_vec(),
        };
        self.note_rp_mo(mr, kind, turn);
        if cause.is_none() {
            self.write_sms_status(false, turn);
        }
        true
    }

    /// Takes up what the card knows: the flag, and the reference of the last message.
    pub(super) fn read_sms_status(&mut self, turn: &mut Turn<'_>) {
        if self
            .select(BY_FILE_ID, &fid::SMSS.to_be_bytes(), turn)
            .is_none()
        {
            return;
        }
        let octets = self.read_binary(2, turn);
        let (&[reference, flag], Some(powered)) = (octets.as_slice(), &mut self.powered) else {
            return;
        };
        self.memory_full = flag & ROOM == 0;
        // After REFRESH the handset knows better.
        if reference != NO_REFERENCE && powered.last_tp_mr.is_none() {
            powered.last_tp_mr = Some(reference);
            powered.tp_mr = reference.wrapping_add(1);
        }
    }

    /// The handset is switched off: what it has sent since is not forgotten.
    pub(super) fn write_last_reference(&mut self, turn: &mut Turn<'_>) {
        if self.powered.as_ref().is_some_and(|powered| powered.sent) {
            self.write_sms_status(self.memory_full, turn);
        }
    }

    fn write_sms_status(&mut self, full: bool, turn: &mut Turn<'_>) {
        self.memory_full = full;
        let Some(powered) = &mut self.powered else {
            return;
        };
        powered.sent = false;
        let reference = powered.last_tp_mr.unwrap_or(NO_REFERENCE);
        let path = [fid::CURRENT_ADF.to_be_bytes(), fid::SMSS.to_be_bytes()].concat();
        if self.select(BY_PATH_FROM_MF, &path, turn).is_none() {
            return;
        }
        let flag = if full { !ROOM } else { 0xFF };
        let update = Command::new(0x00, Ins::UPDATE_BINARY, 0, 0).with_data([reference, flag]);
        self.exchange(&update, turn);
    }

    /// Whether the user has handset and card in hand.
    fn at_hand(&self) -> Result<(), Refusal> {
        if self.is_in_reader() {
            Err(Refusal::CardInReader)
        } else if self.powered.is_none() {
            Err(Refusal::Off)
        } else {
            Ok(())
        }
    }

    /// Length and number of the records of EF.SMS.
    fn select_messages(&mut self, turn: &mut Turn<'_>) -> Option<(usize, u8)> {
        let path = [fid::CURRENT_ADF.to_be_bytes(), fid::SMS.to_be_bytes()].concat();
        let fcp = self.select(BY_PATH_FROM_MF, &path, turn)?;
        record_shape(&fcp)
    }

    fn free_record(&mut self, len: usize, count: u8, turn: &mut Turn<'_>) -> Option<u8> {
        (1..=count).find(|number| {
            let record = self.read_record(*number, len, turn);
            record.first().is_some_and(|status| status & USED == 0)
        })
    }

    fn records(&mut self, turn: &mut Turn<'_>) -> Vec<(u8, Vec<u8>)> {
        let Some((len, count)) = self.select_messages(turn) else {
            return Vec::new();
        };
        (1..=count)
            .map(|number| (number, self.read_record(number, len, turn)))
            .collect()
    }

    fn update_message(&mut self, number: u8, record: Vec<u8>, turn: &mut Turn<'_>) -> bool {
        let command = Command::new(0x00, Ins::UPDATE_RECORD, number, ABSOLUTE).with_data(record);
        self.exchange(&command, turn).sw.is_success()
    }

    /// Records an event of a message to the network that is nobody else's.
    fn note_rp_mo(&self, mr: u8, kind: EventKind, turn: &mut Turn<'_>) {
        turn.step.events.push(Event {
            own: Id::rp_mo(&self.subscriber().msisdn, mr),
            parent: None,
            kind,
        });
    }
}

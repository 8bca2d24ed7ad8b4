//! Commands to the card: what a handset does after power on (ETSI TS 102 221 §14.1, 3GPP TS 31.102 §5.1), and T=0.

use ota_wire::apdu::{Command, Ins, Response, Sw};
use ota_wire::sms::address::Address;
use ota_wire::tlv::{Ber, BerReader};

use super::{Phone, Turn};
use crate::event::{EventKind, command_octets};
use crate::pin::CODE_LEN;
use crate::uicc::file::fid;

/// Beginning of the identifier of every USIM (TS 101 220 annex E).
const USIM: [u8; 7] = [0xA0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02];
const PIN1: u8 = 0x01;
pub(super) const BY_FILE_ID: u8 = 0x00;
const BY_NAME: u8 = 0x04;
pub(super) const BY_PATH_FROM_MF: u8 = 0x08;
const RETURN_FCP: u8 = 0x04;
const RETURN_NOTHING: u8 = 0x0C;
pub(super) const ABSOLUTE: u8 = 0x04;

impl Phone {
    /// From reset to the idle screen. A card that refuses some of it is used as far as it goes.
    pub(super) fn start_card(&mut self, turn: &mut Turn<'_>) {
        self.card.reset();
        self.select(BY_FILE_ID, &fid::MF.to_be_bytes(), turn);
        let usim = self.read_directory(turn);
        self.select(BY_FILE_ID, &fid::ICCID.to_be_bytes(), turn);
        self.read_binary(10, turn);
        self.select(BY_NAME, usim.as_deref().unwrap_or(&USIM), turn);
        self.verify_pin1(turn);
        self.read_what_it_knows(turn);
        let profile = self.card.profile().handset.terminal_profile.clone();
        let command = Command::new(0x80, Ins::TERMINAL_PROFILE, 0, 0).with_data(profile);
        let sw = self.exchange(&command, turn).sw;
        self.run_toolkit(sw, turn);
        let sw = self.status(turn);
        self.run_toolkit(sw, turn);
    }

    /// The files of the application from which the handset knows something.
    pub(super) fn read_what_it_knows(&mut self, turn: &mut Turn<'_>) {
        self.select(BY_FILE_ID, &fid::IMSI.to_be_bytes(), turn);
        self.read_binary(9, turn);
        self.read_service_centre(turn);
        self.read_sms_status(turn);
    }

    /// STATUS without response data: asks whether the card wants something.
    pub(super) fn status(&mut self, turn: &mut Turn<'_>) -> Sw {
        let command = Command::new(0x80, Ins::STATUS, 0, RETURN_NOTHING);
        self.exchange(&command, turn).sw
    }

    /// Sends a command and, as a T=0 reader does, corrects Le and fetches response data that waits.
    pub(super) fn exchange(&mut self, command: &Command, turn: &mut Turn<'_>) -> Response {
        let mut response = self.transmit_noted(command, turn);
        if response.sw.sw1() == 0x6C {
            let again = command.clone().with_le(octets_of(response.sw));
            response = self.transmit_noted(&again, turn);
        }
        let mut data = response.data;
        let mut sw = response.sw;
        while sw.sw1() == 0x61 && data.len() < MAX_RESPONSE {
            let get = Command::new(0x00, Ins::GET_RESPONSE, 0, 0).with_le(octets_of(sw));
            let more = self.transmit_noted(&get, turn);
            data.extend(more.data);
            sw = more.sw;
        }
        Response { data, sw }
    }

    fn transmit_noted(&mut self, command: &Command, turn: &mut Turn<'_>) -> Response {
        let octets = command.emit_t0();
        let answer = self.card.transmit(&octets);
        let response = Response::parse(&answer).unwrap_or_else(|_| Sw::TECHNICAL_PROBLEM.into());
        if let (Some(powered), Some(file)) = (&mut self.powered, file_named_by(command)) {
            powered.selected = Some(file);
        }
        let kind = EventKind::Apdu {
            command: command_octets(octets),
            response: answer,
            file: self.powered.as_ref().and_then(|powered| powered.selected),
        };
        self.note(kind, turn);
        self.note_card(turn);
        response
    }

    /// SELECT; the control parameters if it worked.
    pub(super) fn select(&mut self, by: u8, name: &[u8], turn: &mut Turn<'_>) -> Option<Vec<u8>> {
        let command = Command::new(0x00, Ins::SELECT, by, RETURN_FCP).with_data(name);
        let response = self.exchange(&command, turn);
        response.sw.is_success().then_some(response.data)
    }

    pub(super) fn read_binary(&mut self, len: usize, turn: &mut Turn<'_>) -> Vec<u8> {
        let command = Command::new(0x00, Ins::READ_BINARY, 0, 0).with_le(len);
        self.exchange(&command, turn).data
    }

    pub(super) fn read_record(&mut self, number: u8, len: usize, turn: &mut Turn<'_>) -> Vec<u8> {
        let command = Command::new(0x00, Ins::READ_RECORD, number, ABSOLUTE).with_le(len);
        self.exchange(&command, turn).data
    }

    /// The first USIM that EF.DIR names (TS 102 221 §13.1).
    fn read_directory(&mut self, turn: &mut Turn<'_>) -> Option<Vec<u8>> {
        const APPLICATION: u32 = 0x61;
        const IDENTIFIER: u32 = 0x4F;
        let fcp = self.select(BY_FILE_ID, &fid::DIR.to_be_bytes(), turn)?;
        let (len, count) = record_shape(&fcp)?;
        (1..=count).find_map(|number| {
            let record = self.read_record(number, len, turn);
            let application = Ber::read(&record).ok()?;
            let identifier = application.children().find(IDENTIFIER)?;
            let usim = application.tag == APPLICATION && identifier.starts_with(&USIM);
            usim.then(|| identifier.to_vec())
        })
    }

    /// Presents the code that the owner typed, but only where it cannot block the card: a real handset would ask again.
    fn verify_pin1(&mut self, turn: &mut Turn<'_>) {
        let query = Command::new(0x00, Ins::VERIFY_PIN, 0, PIN1);
        let left = self.exchange(&query, turn).sw.tries();
        let profile = self.card.profile();
        let all = profile.codes[0].tries;
        let Some(code) = profile.handset.pin1.clone() else {
            return;
        };
        if left == Some(all) {
            let octets: [u8; CODE_LEN] = *code.octets();
            self.exchange(&query.with_data(octets), turn);
        }
    }

    /// The service centre of EF.SMSP, record 1 (TS 31.102 §4.2.27).
    fn read_service_centre(&mut self, turn: &mut Turn<'_>) {
        const FIXED_LEN: usize = 28;
        const OFFSET: usize = 13;
        let fcp = self.select(BY_FILE_ID, &fid::SMSP.to_be_bytes(), turn);
        let Some((len, _)) = fcp.as_deref().and_then(record_shape) else {
            return;
        };
        let record = self.read_record(1, len, turn);
        let address = record
            .len()
            .checked_sub(FIXED_LEN)
            .and_then(|name_len| record.get(name_len + OFFSET..))
            .and_then(|octets| Address::parse_counted(octets).ok())
            .and_then(|(address, _)| address);
        if let Some(powered) = &mut self.powered {
            powered.service_centre = address;
        }
    }
}

/// More response data than any command of this handset can give.
const MAX_RESPONSE: usize = 1024;

/// The file that a SELECT by identifier or path is about; only for the trace.
fn file_named_by(command: &Command) -> Option<u16> {
    match (command.ins, command.p1, command.data.as_slice()) {
        (Ins::SELECT, BY_FILE_ID | BY_PATH_FROM_MF, [.., high, low]) => {
            Some(u16::from_be_bytes([*high, *low]))
        }
        (Ins::SELECT, _, _) => Some(fid::CURRENT_ADF),
        _ => None,
    }
}

/// SW2 of `61xx` and `6Cxx`; `00` says 256.
const fn octets_of(sw: Sw) -> usize {
    match sw.sw2() {
        0 => 256,
        len => len as usize,
    }
}

/// Record length and number of records from control parameters (TS 102 221 §11.1.1.4.3).
pub(super) fn record_shape(fcp: &[u8]) -> Option<(usize, u8)> {
    const FCP: u32 = 0x62;
    const DESCRIPTOR: u32 = 0x82;
    let fcp = Ber::read(fcp).ok().filter(|object| object.tag == FCP)?;
    match BerReader::new(fcp.value).find(DESCRIPTOR)? {
        &[_, _, high, low, count] => Some((usize::from(u16::from_be_bytes([high, low])), count)),
        _ => None,
    }
}

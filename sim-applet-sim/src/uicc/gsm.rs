//! 3GPP TS 51.011: class A0, the commands of a SIM over the files of the UICC.
//!
//! DF.GSM and DF.TELECOM are files like others; what differs is the form: `9Fxx` instead of `61xx`, other headers for
//! SELECT, other status words, numbers of codes.

use ota_wire::apdu::{self, Ins, Response, Sw};

use super::command::{Command, EfRef, Search, Target, Way, Within};
use super::file::{Body, Condition, FileIndex};
use super::select::Found;
use super::{Reply, Selected, Session, Uicc, get_response};

/// CLA of GSM commands.
pub(super) const CLA: u8 = 0xA0;

impl Uicc {
    /// Answers a command of class A0. `waiting` is what the command before left for GET RESPONSE.
    pub(super) fn gsm(
        &mut self,
        session: &mut Session,
        apdu: &apdu::Command,
        waiting: Vec<u8>,
    ) -> Response {
        match self.gsm_command(session, apdu, waiting) {
            Ok(Reply::Done) => session.done().into(),
            Ok(Reply::Data(data)) => Response::new(data, session.done()),
            Ok(Reply::More { data, left }) => Response::new(data, Sw::a0_more_data(left)),
            Ok(Reply::Fetched(data)) => Response::new(data, Sw::OK),
            Ok(Reply::Waiting(data)) => {
                let sw = Sw::a0_more_data(data.len());
                session.response = data;
                sw.into()
            }
            Err(sw) => gsm_sw(apdu, sw).into(),
        }
    }

    fn gsm_command(
        &mut self,
        session: &mut Session,
        apdu: &apdu::Command,
        waiting: Vec<u8>,
    ) -> Result<Reply, Sw> {
        let none = |allowed: bool| {
            if allowed {
                Ok(())
            } else {
                Err(Sw::WRONG_PARAMETERS)
            }
        };
        match apdu.ins {
            Ins::GET_RESPONSE => {
                none(apdu.p1 | apdu.p2 == 0)?;
                return get_response(session, waiting, apdu.le.unwrap_or(256));
            }
            Ins::SELECT => {
                none(apdu.p1 | apdu.p2 == 0)?;
                return self.gsm_select(session, &apdu.data);
            }
            Ins::STATUS => {
                none(apdu.p1 | apdu.p2 == 0)?;
                let header = self.gsm_header(session.channel.directory.0);
                let le = apdu.le.unwrap_or(256);
                return match header.get(..le) {
                    Some(part) => Ok(Reply::Data(part.to_vec())),
                    None => Err(Sw::wrong_le(header.len())),
                };
            }
            Ins::SEARCH_RECORD => return self.seek(session, apdu),
            Ins::SLEEP => {
                none(apdu.p1 | apdu.p2 == 0)?;
                return Ok(Reply::Done);
            }
            // Short identifiers came with the UICC.
            Ins::READ_BINARY | Ins::UPDATE_BINARY => none(apdu.p1 & 0x80 == 0)?,
            Ins::READ_RECORD | Ins::UPDATE_RECORD => none(apdu.p2 >> 3 == 0)?,
            _ => {}
        }
        let mut same = apdu.clone();
        same.cla = match apdu.ins {
            Ins::TERMINAL_PROFILE
            | Ins::ENVELOPE
            | Ins::FETCH
            | Ins::TERMINAL_RESPONSE
            | Ins::INCREASE => 0x80,
            Ins::READ_BINARY
            | Ins::UPDATE_BINARY
            | Ins::READ_RECORD
            | Ins::UPDATE_RECORD
            | Ins::VERIFY_PIN
            | Ins::CHANGE_PIN
            | Ins::DISABLE_PIN
            | Ins::ENABLE_PIN
            | Ins::UNBLOCK_PIN => 0x00,
            _ => return Err(Sw::INS_NOT_SUPPORTED),
        };
        if same.data_is_secret() {
            same.p2 = chv(apdu)?;
            // There is no way to ask for the tries left but STATUS.
            if same.data.is_empty() {
                return Err(Sw::WRONG_LENGTH);
            }
        }
        let command = Command::try_from(&same)?;
        self.exec(session, command)
    }

    fn gsm_select(&self, session: &mut Session, data: &[u8]) -> Result<Reply, Sw> {
        let [high, low] = *data else {
            return Err(Sw::WRONG_LENGTH);
        };
        let target = Target::Fid(u16::from_be_bytes([high, low]));
        let Some(Found::File(index)) = self.find(session, target) else {
            return Err(Sw::FILE_NOT_FOUND);
        };
        let file = self.profile.files.file(index);
        if file.is_application() {
            // A SIM knows no applications.
            return Err(Sw::FILE_NOT_FOUND);
        }
        session.channel.domain = None;
        session.channel.applet = false;
        session.channel.record = 0;
        (session.channel.directory, session.channel.file) = if file.is_directory() {
            (Selected(index), None)
        } else {
            (Selected(file.parent), Some(index))
        };
        Ok(Reply::Waiting(self.gsm_header(index)))
    }

    /// The response of SELECT and STATUS, TS 51.011 §9.2.1.
    fn gsm_header(&self, index: FileIndex) -> Vec<u8> {
        let files = &self.profile.files;
        let file = files.file(index);
        let [high, low] = file.fid.to_be_bytes();
        let (size, structure, record_len) = match &file.body {
            Body::Directory { .. } => return self.gsm_directory(index),
            Body::Transparent(content) => (content.len(), 0x00, 0),
            Body::Records {
                record_len,
                cyclic,
                content,
            } => (
                content.len(),
                if *cyclic { 0x03 } else { 0x01 },
                *record_len as u8,
            ),
        };
        let [size_high, size_low] = (size as u16).to_be_bytes();
        let access = file.access.map_or(0xFF, |access| {
            nibble(access.read) << 4 | nibble(access.update)
        });
        // Who may update a cyclic file may increase it; octet 8 says whether anybody may.
        let (increase, increasable) = match structure {
            0x03 if access & 0x0F != NEVER => (access << 4 | 0x0F, 0x40),
            _ => (0xFF, 0x00),
        };
        vec![
            0x00,
            0x00,
            size_high,
            size_low,
            high,
            low,
            0x04,
            increasable,
            access,
            increase,
            0xFF,
            0x01,
            0x02,
            structure,
            record_len,
        ]
    }

    fn gsm_directory(&self, index: FileIndex) -> Vec<u8> {
        const MF: u8 = 0x01;
        const DF: u8 = 0x02;
        const CODES: u8 = 4;
        /// Clock may be stopped, 13/4 MHz; b8 stands for a disabled CHV1.
        const CHARACTERISTICS: u8 = 0x11;
        let files = &self.profile.files;
        let [high, low] = files.file(index).fid.to_be_bytes();
        let kind = if index == FileIndex::MF { MF } else { DF };
        let (directories, others) = files.count_children(index, |file| !file.is_application());
        let [chv1, chv2, _] = &self.state.codes;
        let initialised = |left: u8| 0x80 | left;
        let disabled = if chv1.enabled { 0x00 } else { 0x80 };
        let mut header = vec![
            0x00, 0x00, 0x00, 0x00, high, low, kind, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0A,
        ];
        header.extend([CHARACTERISTICS | disabled, directories, others, CODES, 0x00]);
        header.extend([
            initialised(chv1.tries.left()),
            initialised(chv1.unblock_tries.left()),
            initialised(chv2.tries.left()),
            initialised(chv2.unblock_tries.left()),
            0x00,
        ]);
        header
    }

    /// SEEK, TS 51.011 §9.2.7: type 1 finds, type 2 also tells the number of the record.
    fn seek(&self, session: &mut Session, apdu: &apdu::Command) -> Result<Reply, Sw> {
        let way = match apdu.p2 & 0x0F {
            0x00 => Way::Forward,
            0x01 => Way::Backward,
            0x02 => Way::Next,
            0x03 => Way::Previous,
            _ => return Err(Sw::WRONG_PARAMETERS),
        };
        let tells = match apdu.p2 >> 4 {
            0 => false,
            1 => true,
            _ => return Err(Sw::WRONG_PARAMETERS),
        };
        if apdu.p1 != 0 {
            return Err(Sw::WRONG_PARAMETERS);
        }
        if apdu.data.is_empty() {
            return Err(Sw::WRONG_LENGTH);
        }
        if matches!(way, Way::Forward | Way::Backward) {
            // From the beginning, from the end.
            session.channel.record = 0;
        }
        let search = Search {
            from: 0,
            way,
            within: Within::Offset(0),
        };
        let found = self.search_record(session, EfRef::Current, search, &apdu.data)?;
        match found.first() {
            None => Err(Sw::FILE_NOT_FOUND),
            Some(number) if tells => Ok(Reply::Waiting(vec![*number])),
            Some(_) => Ok(Reply::Done),
        }
    }
}

/// The key reference of a CHV: P2 has its number, UNBLOCK CHV has 00 for the first.
fn chv(apdu: &apdu::Command) -> Result<u8, Sw> {
    const CHV1: u8 = 0x01;
    const CHV2: u8 = 0x81;
    match (apdu.ins, apdu.p2) {
        (Ins::UNBLOCK_PIN, 0x00) => Ok(CHV1),
        (Ins::UNBLOCK_PIN, 0x02) => Ok(CHV2),
        (Ins::UNBLOCK_PIN, _) => Err(Sw::WRONG_PARAMETERS),
        (_, 0x01) => Ok(CHV1),
        (_, 0x02) => Ok(CHV2),
        _ => Err(Sw::WRONG_PARAMETERS),
    }
}

const NEVER: u8 = 0xF;

/// An access condition, TS 51.011 §9.3.
const fn nibble(condition: Condition) -> u8 {
    match condition {
        Condition::Always => 0x0,
        Condition::Pin1 => 0x1,
        Condition::Pin2 => 0x2,
        Condition::Adm1 => 0x4,
        Condition::Never => NEVER,
    }
}

/// What a SIM says where a UICC says `sw`, TS 51.011 §9.4. Only commands about a CHV can contradict its status; what has
/// no word of its own there is a technical problem.
fn gsm_sw(apdu: &apdu::Command, sw: Sw) -> Sw {
    match sw {
        Sw::FILE_NOT_FOUND => Sw::A0_FILE_NOT_FOUND,
        Sw::NO_EF_SELECTED => Sw::A0_NO_EF_SELECTED,
        Sw::RECORD_NOT_FOUND => Sw::A0_OUT_OF_RANGE,
        Sw::INCOMPATIBLE_WITH_FILE => Sw::A0_INCOMPATIBLE_WITH_FILE,
        Sw::SECURITY_STATUS_NOT_SATISFIED => Sw::A0_ACCESS_DENIED,
        Sw::PIN_BLOCKED => Sw::A0_PIN_BLOCKED,
        Sw::REFERENCED_DATA_NOT_FOUND => Sw::A0_NO_PIN,
        Sw::REFERENCE_DATA_INVALIDATED => Sw::A0_PIN_STATUS_CONTRADICTION,
        Sw::CONDITIONS_NOT_SATISFIED if apdu.data_is_secret() => Sw::A0_PIN_STATUS_CONTRADICTION,
        Sw::WRONG_P1_P2 => Sw::WRONG_PARAMETERS,
        sw if sw.tries() == Some(0) => Sw::A0_PIN_BLOCKED,
        sw if sw.tries().is_some() => Sw::A0_ACCESS_DENIED,
        sw if sw.sw1() == 0x6C => Sw(Sw::WRONG_LENGTH.0 | u16::from(sw.sw2())),
        sw if matches!(sw.sw1(), 0x67 | 0x6B | 0x6D..=0x6F | 0x90..=0x9F) => sw,
        _ => Sw::TECHNICAL_PROBLEM,
    }
}

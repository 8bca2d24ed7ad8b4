//! Commands to the card, as the trace shows them: names of commands and files, and where secrets are.

use std::ops::Range;

use ota_wire::apdu::{Command, Ins};
use ota_wire::cat::{CommandDetails, CommandType, Envelope, tag};
use ota_wire::tlv::ComprehensionReader;
use ota_wire::trace::Octets;

use crate::uicc::file::fid;

/// A command with its secrets marked: codes in the PIN commands, and what a user typed where the card asked to hide
/// it. What cannot be read is taken for a secret as a whole.
pub fn command_octets(bytes: Vec<u8>) -> Octets {
    let secret = match Command::parse(&bytes) {
        Ok(command) if command.ins == Ins::TERMINAL_RESPONSE => hidden_input(&command.data),
        Ok(command) => command.secret_range(),
        Err(_) => Some(0..bytes.len()),
    };
    let octets = Octets::new("c-apdu", bytes);
    match secret {
        Some(range) => octets.hiding(range),
        None => octets,
    }
}

/// The name of a command, with the file or the toolkit command it is about.
pub(super) fn name(command: &Command, response: &[u8], file: Option<u16>) -> String {
    let about = match command.ins {
        Ins::SELECT
        | Ins::READ_BINARY
        | Ins::READ_RECORD
        | Ins::UPDATE_BINARY
        | Ins::UPDATE_RECORD => match file {
            Some(file) => {
                file_name(file).map_or_else(|| format!(" {file:04X}"), |name| format!(" {name}"))
            }
            None => String::new(),
        },
        Ins::VERIFY_PIN
        | Ins::CHANGE_PIN
        | Ins::DISABLE_PIN
        | Ins::ENABLE_PIN
        | Ins::UNBLOCK_PIN => match command.p2 {
            0x01 => "1".to_owned(),
            0x81 => "2".to_owned(),
            key => format!(" (key {key:02X})"),
        },
        Ins::ENVELOPE => command
            .data
            .first()
            .and_then(|tag| Envelope::name(*tag))
            .map_or_else(String::new, |name| format!(" ({name})")),
        Ins::FETCH => {
            toolkit_command(response).map_or_else(String::new, |kind| format!(" ({kind:?})"))
        }
        Ins::TERMINAL_RESPONSE => details(&command.data)
            .map_or_else(String::new, |details| format!(" ({:?})", details.kind)),
        _ => String::new(),
    };
    match command.ins.name() {
        Some(name) => format!("{name}{about}"),
        None => format!("{:?}", command.ins),
    }
}

/// Where a command is defined.
pub(super) const fn clause(ins: Ins) -> &'static str {
    match ins {
        Ins::SELECT => "TS 102 221 §11.1.1",
        Ins::STATUS => "TS 102 221 §11.1.2",
        Ins::READ_BINARY => "TS 102 221 §11.1.3",
        Ins::UPDATE_BINARY => "TS 102 221 §11.1.4",
        Ins::READ_RECORD => "TS 102 221 §11.1.5",
        Ins::UPDATE_RECORD => "TS 102 221 §11.1.6",
        Ins::VERIFY_PIN => "TS 102 221 §11.1.9",
        Ins::TERMINAL_PROFILE => "TS 102 221 §11.2.1",
        Ins::ENVELOPE => "TS 31.111 §7.1.1",
        Ins::FETCH => "TS 102 221 §11.2.3",
        Ins::TERMINAL_RESPONSE => "TS 102 221 §11.2.4",
        Ins::GET_RESPONSE => "TS 102 221 §12.1.1",
        _ => "TS 102 221 §11.1",
    }
}

/// Step of the drawn flow that a command belongs to.
pub(super) fn step(command: &Command, response: &[u8]) -> Option<u8> {
    let kind = match command.ins {
        Ins::ENVELOPE if command.data.first() == Some(&Envelope::SMS_PP_DOWNLOAD) => {
            return Some(6);
        }
        Ins::FETCH => toolkit_command(response)?,
        Ins::TERMINAL_RESPONSE => details(&command.data)?.kind,
        _ => return None,
    };
    match (command.ins, kind) {
        (_, CommandType::SEND_SHORT_MESSAGE) => Some(11),
        // What the card asks of the handset alone is no step.
        (
            _,
            CommandType::MORE_TIME
            | CommandType::PROVIDE_LOCAL_INFORMATION
            | CommandType::REFRESH
            | CommandType::SET_UP_MENU
            | CommandType::TIMER_MANAGEMENT,
        ) => None,
        (Ins::FETCH, _) => Some(8),
        _ => Some(9),
    }
}

fn file_name(file: u16) -> Option<&'static str> {
    Some(match file {
        fid::MF => "MF",
        fid::DIR => "EF.DIR",
        fid::PL => "EF.PL",
        fid::ARR => "EF.ARR",
        fid::ICCID => "EF.ICCID",
        fid::CURRENT_ADF => "ADF.USIM",
        fid::IMSI => "EF.IMSI",
        fid::SMS => "EF.SMS",
        fid::SMSP => "EF.SMSP",
        fid::SMSS => "EF.SMSS",
        _ => return None,
    })
}

/// Type of the toolkit command that FETCH brought.
fn toolkit_command(response: &[u8]) -> Option<CommandType> {
    // D0, a length in one or two octets, then the command details.
    let ([0xD0, 0x81, _, value @ ..] | [0xD0, _, value @ ..]) = response else {
        return None;
    };
    details(value).map(|details| details.kind)
}

fn details(objects: &[u8]) -> Option<CommandDetails> {
    let first = ComprehensionReader::new(objects).next()?.ok()?;
    (first.tag == tag::COMMAND_DETAILS).then(|| CommandDetails::from_value(first.value))?
}

/// Where a TERMINAL RESPONSE to a hidden GET INPUT has what the user typed, the coding octet left out. Counted in the
/// whole command.
fn hidden_input(data: &[u8]) -> Option<Range<usize>> {
    const HEADER_LEN: usize = 5;
    if details(data).is_some_and(|details| !details.hides_input()) {
        return None;
    }
    for object in ComprehensionReader::new(data) {
        match object {
            Ok(object) if object.tag == tag::TEXT_STRING => {
                let Range { start, end } = object.value_range;
                return Some(HEADER_LEN + end.min(start + 1)..HEADER_LEN + end);
            }
            Ok(_) => {}
            Err(_) => return Some(HEADER_LEN..HEADER_LEN + data.len()),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(command: &str) -> String {
        command_octets(hex::decode(command).unwrap()).masked_hex()
    }

    #[test]
    fn codes_and_hidden_input_are_masked_and_keep_their_length() {
        assert_eq!(
            masked("002000010831323334ffffffff"),
            "0020000108****************"
        );
        // The terminal response of the recorded dialogue, GET INPUT with the bit for hidden input.
        assert_eq!(
            masked("80140000138103022304820282818301008d050431323334"),
            "80140000138103022304820282818301008d0504********"
        );
        assert_eq!(
            masked("80140000138103022300820282818301008d050431323334"),
            "80140000138103022300820282818301008d050431323334"
        );
        assert_eq!(
            masked("801400000c810301218182028281830100"),
            "801400000c810301218182028281830100"
        );
        assert_eq!(masked("80140000058103022304"), "80140000058103022304");
        assert_eq!(masked("801400000481030223"), "8014000004********");
        assert_eq!(masked("0020"), "****");
    }

    #[test]
    fn names() {
        let name_of = |command: &str, response: &str, file| {
            let command = Command::parse(&hex::decode(command).unwrap()).unwrap();
            let response = hex::decode(response).unwrap();
            (name(&command, &response, file), step(&command, &response))
        };
        let named = |text: &str, step| (text.to_owned(), step);
        assert_eq!(
            name_of("00a40004022f00", "611c", Some(fid::DIR)),
            named("SELECT EF.DIR", None)
        );
        assert_eq!(
            name_of("00b000000a", "", Some(fid::ICCID)),
            named("READ BINARY EF.ICCID", None)
        );
        assert_eq!(
            name_of("0020000100", "63c3", None),
            named("VERIFY PIN1", None)
        );
        assert_eq!(name_of("80c2000000", "9000", None), named("ENVELOPE", None));
        assert_eq!(
            name_of("80c2000002d100", "9000", None),
            named("ENVELOPE (SMS-PP DOWNLOAD)", Some(6))
        );
        assert_eq!(
            name_of("80c2000002d700", "9000", None),
            named("ENVELOPE (TIMER EXPIRATION)", None)
        );
        let display = "d01b8103012181820281028d10045369676e20696e3f205265662041319000";
        assert_eq!(
            name_of("801200001d", display, None),
            named("FETCH (DISPLAY TEXT)", Some(8))
        );
        let send = "d02c8103031300820281838604912143f58b1b41000281217ff613027100000e0ab00011000000000000000190009000";
        assert_eq!(
            name_of("801200002e", send, None),
            named("FETCH (SEND SHORT MESSAGE)", Some(11))
        );
        assert_eq!(
            name_of("801400000c810301218182028281830100", "9000", None),
            named("TERMINAL RESPONSE (DISPLAY TEXT)", Some(9))
        );
    }
}

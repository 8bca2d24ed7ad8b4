//! TS 102 221, TS 102 223, TS 102 226: APDUs, TLVs, the toolkit and remote management.

use ota_wire::apdu::{Command, Response};
use ota_wire::cat::{Envelope, ProactiveCommand, TerminalResponse};
use ota_wire::dissect::{self, Keys};
use ota_wire::remote_apdu::ram::{GetStatus, PutKey, SetStatus, StatusEntry};
use ota_wire::remote_apdu::{CommandScript, CompactResponse, ScriptReader};
use ota_wire::tlv::{BerReader, ComprehensionReader};

/// Command APDUs.
pub fn command(octets: &[u8]) {
    if let Ok(command) = Command::parse(octets) {
        let emitted = command.emit();
        // An empty Lc in front of Le is left out.
        assert_eq!(Command::parse(&emitted).as_ref(), Ok(&command));
        let _ = (command.channel(), format!("{command:?}"));
    }
    let _ = dissect::command_apdu(octets, &Keys::default()).to_string();
}

/// Response APDUs.
pub fn response(octets: &[u8]) {
    if let Ok(response) = Response::parse(octets) {
        assert_eq!(response.emit(), octets);
    }
    let _ = dissect::response_apdu(octets, &Keys::default()).to_string();
}

/// BER-TLV and COMPREHENSION-TLV.
pub fn tlv(octets: &[u8]) {
    let mut end = 0;
    for object in BerReader::new(octets) {
        let Ok(object) = object else { break };
        assert_eq!(object.range.start, end);
        end = object.range.end;
        assert_eq!(object.value, &octets[object.value_range.clone()]);
        for child in object.children() {
            if child.is_err() {
                break;
            }
        }
    }
    let mut end = 0;
    for object in ComprehensionReader::new(octets) {
        let Ok(object) = object else { break };
        assert_eq!(object.range.start, end);
        end = object.range.end;
    }
    let _ = dissect::ber_tlv(octets).to_string();
}

/// ENVELOPE data.
pub fn envelope(octets: &[u8]) {
    if let Ok(envelope) = Envelope::parse(octets) {
        let emitted = envelope.emit();
        assert_eq!(Envelope::parse(&emitted), Ok(envelope));
    }
    let _ = dissect::envelope(octets, &Keys::default()).to_string();
}

/// Proactive commands.
pub fn proactive_command(octets: &[u8]) {
    if let Ok(command) = ProactiveCommand::parse(octets) {
        let emitted = command.emit();
        assert_eq!(ProactiveCommand::parse(&emitted).as_ref(), Ok(&command));
        let _ = (command.hides_input(), command.not_understood().is_some());
    }
    let _ = dissect::proactive_command(octets, &Keys::default()).to_string();
}

/// TERMINAL RESPONSE data.
pub fn terminal_response(octets: &[u8]) {
    if let Ok(response) = TerminalResponse::parse(octets) {
        let emitted = response.emit();
        assert_eq!(TerminalResponse::parse(&emitted).as_ref(), Ok(&response));
        let _ = (
            response.date_time(),
            response.timer(),
            response.hides_input(),
        );
    }
    let _ = dissect::terminal_response(octets, &Keys::default()).to_string();
}

/// Compact scripts and what their commands mean.
pub fn remote_script(octets: &[u8]) {
    let mut len = 0;
    for command in ScriptReader::new(octets) {
        let Ok(command) = command else { break };
        len += command.emit_t0().len();
        assert!(len <= octets.len());
        if let Ok(put) = PutKey::try_from(&command) {
            assert_eq!(put.command().data, command.data);
        }
        let _ = (SetStatus::try_from(&command), GetStatus::try_from(&command));
    }
    if let Ok(script) = CommandScript::parse(octets) {
        assert_eq!(script.emit(), octets);
    }
    let tree = dissect::command_script(octets, &Keys::default());
    assert!(
        CommandScript::parse(octets).is_ok() || !tree.is_complete(),
        "{tree}"
    );
}

/// Compact responses and the answers inside.
pub fn remote_response(octets: &[u8]) {
    if let Ok(response) = CompactResponse::parse(octets) {
        assert_eq!(response.emit(), octets);
        for options in [0, GetStatus::TLV] {
            let Ok(entries) = StatusEntry::parse_all(options, &response.data) else {
                continue;
            };
            let mut out = Vec::new();
            entries
                .iter()
                .for_each(|entry| entry.emit(options, &mut out));
            assert_eq!(StatusEntry::parse_all(options, &out), Ok(entries));
        }
    }
    let _ = dissect::compact_response(octets, &Keys::default()).to_string();
}

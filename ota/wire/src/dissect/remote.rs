//! TS 102 226 §5.1: scripts and responses of remote management in the compact format.

use super::cursor::{Cursor, Part};
use super::{Keys, Tree, apdu};
use crate::apdu::Sw;
use crate::ids::Tar;
use crate::remote_apdu::{CommandScript, CompactResponse, ScriptReader};

const SCRIPT: &str = "TS 102 226 §5.1.1";
const RESPONSE: &str = "TS 102 226 §5.1.2";

pub(super) fn script(part: Part<'_>, keys: &Keys) -> Tree {
    let mut cursor = Cursor::new(part, SCRIPT);
    for command in ScriptReader::new(part.bytes).map_while(Result::ok) {
        let Some(octets) = cursor.skip("command", command.emit_t0().len()) else {
            break;
        };
        cursor.push(apdu::command(octets, keys));
        if command.ins.name().is_none() {
            let got = command.ins;
            cursor.error_in_all(format!("INS: expected a known instruction, got {got}"));
        }
    }
    if let Err(error) = CommandScript::parse(part.bytes) {
        cursor.error(error.to_string());
        cursor.rest();
    }
    cursor.finish("command script")
}

pub(super) fn response(part: Part<'_>, keys: &Keys) -> Tree {
    let mut cursor = Cursor::new(part, RESPONSE);
    if cursor.octet("number of commands executed").is_some()
        && let Some(octets) = cursor.array("SW of the last command")
    {
        let sw = Sw(u16::from_be_bytes(octets));
        cursor.meaning(sw.meaning());
        if !matches!(sw.sw1(), 0x61..=0x6F | 0x90..=0x9F) {
            let got = sw.sw1();
            cursor.error_in_all(format!("SW1: expected 61-6F or 90-9F, got {got:02X}"));
        }
        if cursor.left() > 0 {
            let data = cursor.rest();
            cursor.push(apdu::response_data(data, keys));
        }
    }
    cursor.judge(CompactResponse::parse(part.bytes));
    cursor.finish("compact response")
}

/// Whether an application with this TAR takes scripts: the issuer security domain, and remote file management
/// (TS 101 220 Annex D).
pub(super) fn is_managed(tar: Tar) -> bool {
    matches!(tar.0, [0, 0, 0] | [0xB0, _, _])
}

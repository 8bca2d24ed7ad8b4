//! TS 102 226 §5.1: scripts and responses of remote management in the compact format.

use super::cursor::{Cursor, Part};
use super::{Keys, Tree, apdu};
use crate::apdu::{Ins, Sw};
use crate::ids::Tar;
use crate::remote_apdu::ram::{GetStatus, KeyType, LifeCycle, Scope};
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

/// What P1 and P2 of a RAM command say; `None` for other commands.
pub(super) fn parameters(ins: Ins, p1: u8, p2: u8) -> Option<[String; 2]> {
    let scope = match Scope(p1) {
        Scope::ISSUER_DOMAIN => "issuer security domain",
        Scope::APPLICATIONS => "applications and security domains",
        Scope::LOAD_FILES => "executable load files",
        Scope::LOAD_FILES_AND_MODULES => "executable load files and modules",
        _ => "unknown",
    };
    let (p1, p2) = match ins {
        Ins::PUT_KEY => {
            let replaces = match p1 & 0x7F {
                0 => "adds a key set".to_owned(),
                version => format!("replaces key set {version}"),
            };
            let several = if p2 & 0x80 != 0 { "keys from" } else { "key" };
            (replaces, format!("{several} identifier {}", p2 & 0x7F))
        }
        Ins::SET_STATUS => {
            let state = if LifeCycle(p2).is_locked() {
                "lock"
            } else {
                "unlock, or another state"
            };
            (scope.to_owned(), state.to_owned())
        }
        Ins::STATUS if is_get_status(p1) => {
            let format = if p2 & GetStatus::TLV != 0 {
                "as templates"
            } else {
                "as a plain list"
            };
            let which = if p2 & GetStatus::NEXT != 0 {
                "next"
            } else {
                "first"
            };
            (scope.to_owned(), format!("{which}, {format}"))
        }
        _ => return None,
    };
    Some([p1, p2])
}

/// GET STATUS of GlobalPlatform, which shares its code with STATUS of TS 102 221.
pub(super) const fn is_get_status(p1: u8) -> bool {
    p1 & 0xF0 != 0
}

/// The data of PUT KEY; the keys in it are secret, ciphered or not. `None` if they cannot be told apart.
pub(super) fn put_key(part: Part<'_>) -> Option<Tree> {
    const CLAUSE: &str = "TS 102 226 §8.2.1.5";
    let mut c = Cursor::new(part, CLAUSE);
    c.octet("key set version")?;
    while c.left() > 0 {
        let kind = KeyType(c.octet("key type")?);
        c.meaning(match kind {
            KeyType::DES => "DES",
            KeyType::AES => "AES",
            _ => "unknown",
        });
        let mut len = usize::from(c.octet("length")?);
        if kind == KeyType::AES {
            c.octet("length in clear")?;
            len = len.checked_sub(1)?;
        }
        let mut key = c.skip("key", len)?.leaf("key", CLAUSE);
        key.secret = true;
        c.push(key);
        let len = c.octet("length of the check value")?;
        c.octets("key check value", len.into())?;
    }
    Some(c.finish("key data"))
}

/// Whether an application with this TAR takes scripts: the issuer security domain, and remote file management
/// (TS 101 220 Annex D).
pub(super) fn is_managed(tar: Tar) -> bool {
    matches!(tar.0, [0, 0, 0] | [0xB0, _, _])
}

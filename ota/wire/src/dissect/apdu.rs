//! TS 102 221 §10: APDUs, with what they carry.

use super::cursor::{Cursor, Part};
use super::{Keys, Tree, cat, packet, remote, tlv};
use crate::apdu::{Command, Ins, Sw};
use crate::cat::PROACTIVE_COMMAND;

const COMMAND: &str = "TS 102 221 §10.1";
const RESPONSE: &str = "TS 102 221 §10.2";
/// Octets of a PIN, padded with FF.
const PIN_LEN: usize = 8;

pub(super) fn command(part: Part<'_>, keys: &Keys) -> Tree {
    let mut cursor = Cursor::new(part, COMMAND);
    let name = header(&mut cursor, keys).unwrap_or_else(|| "C-APDU".to_owned());
    cursor.finish(name)
}

pub(super) fn response(part: Part<'_>, keys: &Keys) -> Tree {
    let mut cursor = Cursor::new(part, RESPONSE);
    match part.bytes.len().checked_sub(2) {
        None => {
            let got = part.bytes.len();
            cursor.rest();
            cursor.error_in_all(format!("status word: expected 2 octets, got {got}"));
        }
        Some(len) => {
            if len > 0
                && let Some(data) = cursor.skip("data", len)
            {
                cursor.push(response_data(data, keys));
            }
            if let Some(octets) = cursor.array("SW1 SW2") {
                let sw = Sw(u16::from_be_bytes(octets));
                cursor.meaning(sw.meaning());
                if !matches!(sw.sw1(), 0x61..=0x6F | 0x90..=0x9F) {
                    let got = sw.sw1();
                    cursor.error_in_all(format!("SW1: expected 61-6F or 90-9F, got {got:02X}"));
                }
            }
        }
    }
    cursor.finish("R-APDU")
}

/// Reads the command and returns its name.
fn header(c: &mut Cursor<'_>, keys: &Keys) -> Option<String> {
    let cla = c.octet("CLA")?;
    c.meaning(class_meaning(cla));
    if cla == 0xFF {
        c.error_in_all("CLA: FF is not a class");
    }
    let ins = Ins(c.octet("INS")?);
    match ins.name() {
        Some(name) => c.meaning(name),
        None if matches!(ins.0 >> 4, 0x6 | 0x9) => {
            c.error_in_all(format!("INS: 6X and 9X are reserved, got {:02X}", ins.0));
        }
        None => {}
    }
    let p1 = c.octet("P1")?;
    let p2 = c.peek().unwrap_or_default();
    let meanings = remote::parameters(ins, p1, p2);
    if let Some([meaning, _]) = &meanings {
        c.meaning(meaning);
    }
    c.octet("P2")?;
    if let Some([_, meaning]) = &meanings {
        c.meaning(meaning);
    }
    body(c, ins, p1, keys);
    Some(match ins {
        Ins::STATUS if remote::is_get_status(p1) => "GET STATUS".to_owned(),
        ins => ins.name().map_or_else(|| ins.to_string(), str::to_owned),
    })
}

/// P3, data and Le in the forms of [`Command::parse`].
fn body(c: &mut Cursor<'_>, ins: Ins, p1: u8, keys: &Keys) -> Option<()> {
    if c.left() == 0 {
        return Some(());
    }
    if c.left() == 1 {
        let p3 = c.octet("P3")?;
        c.meaning(format!("Le {}", if p3 == 0 { 256 } else { u16::from(p3) }));
        return Some(());
    }
    let len = usize::from(c.octet("P3")?);
    c.meaning(format!("Lc {len}"));
    if len > 0 {
        // A PIN that is cut short is still one: it is skipped, and the error says only how many octets there are.
        let data = c.skip("data", len)?;
        command_data(c, data, ins, p1, keys);
    }
    if c.left() == 1 {
        c.octet("Le")?;
    }
    Some(())
}

fn command_data(c: &mut Cursor<'_>, data: Part<'_>, ins: Ins, p1: u8, keys: &Keys) {
    let bytes = data.bytes;
    match ins {
        Ins::ENVELOPE => c.push(cat::envelope(data, keys)),
        Ins::TERMINAL_RESPONSE => c.push(cat::terminal_response(data, keys)),
        Ins::TERMINAL_PROFILE => c.push(cat::terminal_profile(data)),
        Ins::SELECT if p1 == 0x04 => c.push(data.leaf("AID", COMMAND)),
        Ins::SELECT => c.push(data.leaf("file", COMMAND)),
        ins if is_secret(ins) => match (ins, bytes.len()) {
            (Ins::CHANGE_PIN, len) if len == 2 * PIN_LEN => two(c, data, "old PIN", "new PIN"),
            (Ins::UNBLOCK_PIN, len) if len == 2 * PIN_LEN => two(c, data, "PUK", "new PIN"),
            (Ins::PUT_KEY, _) => {
                let keys = remote::put_key(data).filter(Tree::is_complete);
                c.push(keys.unwrap_or_else(|| secret(data, "key data")));
            }
            _ => c.push(secret(data, "PIN")),
        },
        _ => c.push(data.leaf("data", COMMAND)),
    }
}

fn is_secret(ins: Ins) -> bool {
    Command::new(0, ins, 0, 0).data_is_secret()
}

fn two(c: &mut Cursor<'_>, data: Part<'_>, first: &str, second: &str) {
    c.push(secret(data.slice(0..PIN_LEN), first));
    c.push(secret(data.slice(PIN_LEN..2 * PIN_LEN), second));
}

fn secret(part: Part<'_>, name: &str) -> Tree {
    let mut node = part.leaf(name, "TS 102 221 §9.5");
    node.secret = true;
    node
}

pub(super) fn response_data(data: Part<'_>, keys: &Keys) -> Tree {
    match data.bytes {
        [PROACTIVE_COMMAND, ..] => {
            let tree = cat::proactive(data, keys);
            if tree.is_complete() {
                tree
            } else {
                plain(data)
            }
        }
        [0x02, 0x71, 0x00, ..] => packet::response_any(data, keys),
        [0x62 | 0x6F | 0xE3, ..] => {
            let tree = tlv::objects(data);
            if tree.is_complete() {
                tree
            } else {
                plain(data)
            }
        }
        _ => plain(data),
    }
}

fn plain(data: Part<'_>) -> Tree {
    data.leaf("data", RESPONSE)
}

const fn class_meaning(cla: u8) -> &'static str {
    match cla {
        0x00..=0x03 | 0x40..=0x4F => "inter-industry",
        0x04..=0x0F | 0x60..=0x6F => "inter-industry, secure messaging",
        0x80..=0x83 | 0xC0..=0xCF => "UICC or GlobalPlatform",
        0x84..=0x8F | 0xE0..=0xEF => "UICC or GlobalPlatform, secure messaging",
        0xA0 => "TS 51.011",
        _ => "other",
    }
}

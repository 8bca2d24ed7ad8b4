//! The applet protocol: challenge and response. midsim's own, described in `docs/applet.md`.

use super::cursor::{Cursor, Part};
use super::{Keys, Tree};
use crate::applet::{
    AppletResponse, Challenge, ChallengeView, MAC_LEN, MacAlgorithm, Method, ResultCode, VERSION,
};
use crate::cat::Coding;

const CLAUSE: &str = "midsim's own";
const CHALLENGE: u8 = 0x00;
const RESPONSE: u8 = 0x01;

pub(super) fn message(part: Part<'_>, keys: &Keys) -> Tree {
    let mut cursor = Cursor::new(part, CLAUSE);
    let direction = fields(&mut cursor, part, keys);
    match direction {
        Some(CHALLENGE) => cursor.judge(Challenge::parse(part.bytes)),
        Some(RESPONSE) => cursor.judge(AppletResponse::parse(part.bytes)),
        _ => {}
    }
    cursor.finish(match direction {
        Some(CHALLENGE) => "applet challenge",
        Some(RESPONSE) => "applet response",
        _ => "applet message",
    })
}

/// Whether the first octets are those of an applet message that fills the part.
pub(super) fn looks_like(part: Part<'_>) -> bool {
    match *part.bytes {
        [high, low, VERSION, CHALLENGE | RESPONSE, ..] => {
            usize::from(u16::from_be_bytes([high, low])) == part.bytes.len()
        }
        _ => false,
    }
}

/// Reads the message and returns its direction, if that is a known one.
fn fields(cursor: &mut Cursor<'_>, part: Part<'_>, keys: &Keys) -> Option<u8> {
    let len = u16::from_be_bytes(cursor.array("LEN")?);
    cursor.meaning(format!("{len} octets in all"));
    if usize::from(len) != part.bytes.len() {
        let got = part.bytes.len();
        cursor.error_in_all(format!("LEN: expected {got}, got {len}"));
    }
    let version = cursor.octet("VER")?;
    if version != VERSION {
        cursor.error(format!("VER: expected {VERSION:02X}, got {version:02X}"));
        return None;
    }
    let direction = cursor.octet("DIR")?;
    match direction {
        CHALLENGE => {
            cursor.meaning("challenge");
            challenge(cursor, part, keys);
        }
        RESPONSE => {
            cursor.meaning("response");
            response(cursor);
        }
        other => {
            cursor.error(format!("DIR: expected 00 or 01, got {other:02X}"));
            return None;
        }
    }
    Some(direction)
}

fn transaction(cursor: &mut Cursor<'_>) -> Option<()> {
    cursor.octets("TID", 8)?;
    let counter = u64::from_be_bytes(cursor.array("CTR")?);
    cursor.meaning(counter);
    Some(())
}

fn challenge(cursor: &mut Cursor<'_>, part: Part<'_>, keys: &Keys) -> Option<()> {
    transaction(cursor)?;
    let method = cursor.octet("METHOD")?;
    cursor.meaning(match Method::try_from(method) {
        Ok(Method::Confirm) => "confirm",
        Ok(Method::Pin) => "PIN",
        Err(_) => "unknown",
    });
    algorithm(cursor)?;
    let valid = u16::from_be_bytes(cursor.array("VALID")?);
    cursor.meaning(match valid {
        0 => "no limit".to_owned(),
        seconds => format!("{seconds} s after arrival"),
    });
    let dcs = cursor.octet("DCS")?;
    cursor.meaning(match Coding(dcs) {
        Coding::PACKED => "GSM 7-bit, packed",
        Coding::UCS2 => "UCS2",
        _ => "unknown",
    });
    let length = usize::from(cursor.octet("TUDL")?);
    let septets = Coding(dcs) == Coding::PACKED;
    cursor.meaning(format!(
        "{length} {}",
        if septets { "septets" } else { "octets" }
    ));
    let octets = if septets {
        (length * 7).div_ceil(8)
    } else {
        length
    };
    cursor.octets("TEXT", octets)?;
    if let Ok(view) = ChallengeView::new_checked(part.bytes) {
        cursor.meaning(format!("{:?}", view.text().to_string()));
    }
    let digest = usize::from(cursor.octet("DLEN")?);
    if digest > 0 {
        cursor.octets("DIGEST", digest)?;
    }
    cursor.octets("MAC", MAC_LEN)?;
    if let Ok(view) = ChallengeView::new_checked(part.bytes)
        && let Ok(algorithm) = view.mac_algorithm()
        && let Some(key) = keys.applet_key(algorithm)
    {
        cursor.meaning(if view.verify(key) { "ok" } else { "wrong" });
    }
    Some(())
}

fn response(cursor: &mut Cursor<'_>) -> Option<()> {
    transaction(cursor)?;
    let result = ResultCode(cursor.octet("RESULT")?);
    cursor.meaning(match result.name() {
        "" => "unknown",
        name => name,
    });
    let tries = cursor.octet("TRIES")?;
    cursor.meaning(format!("{tries} left"));
    algorithm(cursor)?;
    let signature = usize::from(cursor.octet("SLEN")?);
    if signature > 0 {
        cursor.octets("SIG", signature)?;
        cursor.meaning("ECDSA, ASN.1 DER");
    }
    cursor.octets("MAC", MAC_LEN)?;
    cursor.meaning("covers the MAC of the challenge too");
    Some(())
}

fn algorithm(cursor: &mut Cursor<'_>) -> Option<()> {
    let algorithm = cursor.octet("ALG")?;
    cursor.meaning(match MacAlgorithm::try_from(algorithm) {
        Ok(MacAlgorithm::AesCmac8) => "AES-CMAC, 8 octets",
        Ok(MacAlgorithm::TripleDesCbcMac) => "triple DES CBC-MAC",
        Err(_) => "unknown",
    });
    Some(())
}

//! P1, P2 and data of commands, TS 102 221 §11: what they mean, or the status word that refuses them.

use ota_wire::apdu::{self, Ins, Sw};

use super::{
    Code, Command, EfRef, Occurrence, RecordRef, Search, SelectReply, StatusReply, Target, Way,
    Within,
};
use crate::pin::CODE_LEN;
use crate::uicc::file::fid;

pub(super) fn select(p1: u8, p2: u8, data: &[u8]) -> Result<Command<'_>, Sw> {
    const OCCURRENCE: u8 = 0x03;
    const SESSION: u8 = 0x60;
    const TERMINATION: u8 = 0x40;
    let by_name = p1 == 0x04;
    let occurrence = match p2 & OCCURRENCE {
        0 => Occurrence::First,
        1 if by_name => Occurrence::Last,
        2 if by_name => Occurrence::Next,
        3 if by_name => Occurrence::Previous,
        _ => return Err(Sw::WRONG_P1_P2),
    };
    let reply = match p2 & !(OCCURRENCE | SESSION) {
        // 00 asks for the FCI of ISO/IEC 7816-4; a UICC gives its FCP.
        0x00 | 0x04 => SelectReply::Fcp,
        0x0C => SelectReply::Nothing,
        _ => return Err(Sw::WRONG_P1_P2),
    };
    match p2 & SESSION {
        0 => {}
        TERMINATION if by_name && occurrence == Occurrence::First => {
            let aid = required(application_id(data)?)?;
            return Ok(Command::Terminate { aid });
        }
        _ => return Err(Sw::WRONG_P1_P2),
    }
    let target = match p1 {
        0x00 if data.is_empty() => Target::Fid(fid::MF),
        0x00 => Target::Fid(file_id(data)?),
        0x01 => Target::ChildDirectory(file_id(data)?),
        0x03 if data.is_empty() => Target::Parent,
        0x03 => return Err(Sw::WRONG_LENGTH),
        0x04 => Target::Application {
            aid: application_id(data)?,
            occurrence,
        },
        0x08 => Target::PathFromMf(path(data)?),
        0x09 => Target::PathFromCurrent(path(data)?),
        _ => return Err(Sw::WRONG_P1_P2),
    };
    Ok(Command::Select { target, reply })
}

pub(super) fn status<'a>(p1: u8, p2: u8, le: usize) -> Result<Command<'a>, Sw> {
    // P1 tells the progress of the application's start; there is nothing here that depends on it.
    let reply = match (p1, p2) {
        (0..=2, 0x00) => StatusReply::Fcp,
        (0..=2, 0x01) => StatusReply::DfName,
        (0..=2, 0x0C) => StatusReply::Nothing,
        _ => return Err(Sw::WRONG_P1_P2),
    };
    Ok(Command::Status { reply, le })
}

/// MANAGE CHANNEL, §11.1.17: the card chooses the number of a channel that is opened.
pub(super) fn manage_channel<'a>(p1: u8, p2: u8, le: usize) -> Result<Command<'a>, Sw> {
    match (p1, p2) {
        (0x00, 0x00) => Ok(Command::OpenChannel { le }),
        (0x80, number @ 1..=3) => Ok(Command::CloseChannel { number }),
        _ => Err(Sw::WRONG_P1_P2),
    }
}

/// SEARCH RECORD, §11.1.7. In the enhanced form two octets before the pattern say where and how.
pub(super) fn search(p1: u8, p2: u8, data: &[u8]) -> Result<Command<'_>, Sw> {
    const ENHANCED: u8 = 0x06;
    const BEHIND: u8 = 0x08;
    let file = sfi(p2)?;
    let way = |bits: u8| match bits {
        0x04 => Ok(Way::Forward),
        0x05 => Ok(Way::Backward),
        0x06 => Ok(Way::Next),
        0x07 => Ok(Way::Previous),
        _ => Err(Sw::WRONG_DATA),
    };
    let (search, pattern) = match (p2 & 0x07, data) {
        (ENHANCED, [how, place, pattern @ ..]) => {
            let within = if how & BEHIND == 0 {
                Within::Offset(*place)
            } else {
                Within::Behind(*place)
            };
            let way = way(how & 0x07)?;
            (
                Search {
                    from: p1,
                    way,
                    within,
                },
                pattern,
            )
        }
        (ENHANCED, _) => return Err(Sw::WRONG_LENGTH),
        (bits @ (0x04 | 0x05), pattern) => {
            let (way, within) = (way(bits)?, Within::Offset(0));
            (
                Search {
                    from: p1,
                    way,
                    within,
                },
                pattern,
            )
        }
        _ => return Err(Sw::WRONG_P1_P2),
    };
    Ok(Command::SearchRecord {
        file,
        search,
        pattern: required(pattern)?,
    })
}

/// P1 P2 of READ and UPDATE BINARY: b8 of P1 says whether P1 holds a short identifier or half of the offset.
pub(super) fn binary_place(p1: u8, p2: u8) -> Result<(EfRef, usize), Sw> {
    if p1 & 0x80 == 0 {
        return Ok((EfRef::Current, usize::from(u16::from_be_bytes([p1, p2]))));
    }
    match p1 & 0x7F {
        sfi @ 1..=30 => Ok((EfRef::Sfi(sfi), usize::from(p2))),
        _ => Err(Sw::WRONG_P1_P2),
    }
}

/// P1 P2 of READ and UPDATE RECORD.
pub(super) fn record_place(p1: u8, p2: u8) -> Result<(EfRef, RecordRef), Sw> {
    let file = sfi(p2)?;
    let record = match p2 & 0x07 {
        0x02 => RecordRef::Next,
        0x03 => RecordRef::Previous,
        0x04 => RecordRef::Absolute(p1),
        _ => return Err(Sw::WRONG_P1_P2),
    };
    Ok((file, record))
}

/// The short identifier in the high five bits of P2.
pub(super) const fn sfi(p2: u8) -> Result<EfRef, Sw> {
    match p2 >> 3 {
        0 => Ok(EfRef::Current),
        31 => Err(Sw::WRONG_P1_P2),
        sfi => Ok(EfRef::Sfi(sfi)),
    }
}

pub(super) fn file_id(data: &[u8]) -> Result<u16, Sw> {
    match data {
        [high, low] => Ok(u16::from_be_bytes([*high, *low])),
        _ => Err(Sw::WRONG_LENGTH),
    }
}

/// An AID, 16 octets at most, or its beginning, however short.
pub(super) const fn application_id(data: &[u8]) -> Result<&[u8], Sw> {
    match data.len() {
        0..=16 => Ok(data),
        _ => Err(Sw::WRONG_LENGTH),
    }
}

pub(super) fn path(data: &[u8]) -> Result<&[u8], Sw> {
    if data.is_empty() || !data.len().is_multiple_of(2) {
        return Err(Sw::WRONG_LENGTH);
    }
    Ok(data)
}

/// P3 of a command that has response data and no command data; `00` says 256.
pub(super) fn expected_length(apdu: &apdu::Command) -> Result<usize, Sw> {
    if apdu.data.is_empty() {
        Ok(apdu.le.unwrap_or(256))
    } else {
        Err(Sw::WRONG_LENGTH)
    }
}

/// Data of a command that can do without: then P3 is `00`. Any other P3 counts octets that have not come.
pub(super) fn body(apdu: &apdu::Command) -> Result<&[u8], Sw> {
    if apdu.data.is_empty() && apdu.p3() != 0 {
        return Err(Sw::WRONG_LENGTH);
    }
    Ok(&apdu.data)
}

pub(super) const fn required(data: &[u8]) -> Result<&[u8], Sw> {
    if data.is_empty() {
        Err(Sw::WRONG_LENGTH)
    } else {
        Ok(data)
    }
}

pub(super) fn optional(data: &[u8]) -> Result<Option<&Code>, Sw> {
    match data {
        [] => Ok(None),
        data => one_code(data).map(Some),
    }
}

pub(super) fn one_code(data: &[u8]) -> Result<&Code, Sw> {
    data.try_into().map_err(|_| Sw::WRONG_LENGTH)
}

pub(super) fn two_codes(data: &[u8]) -> Result<(&Code, &Code), Sw> {
    let (first, second) = data.split_at_checked(CODE_LEN).ok_or(Sw::WRONG_LENGTH)?;
    Ok((one_code(first)?, one_code(second)?))
}

pub(super) const fn zero(parameter: u8) -> Result<(), Sw> {
    if parameter == 0 {
        Ok(())
    } else {
        Err(Sw::WRONG_P1_P2)
    }
}

/// Instructions that this card has under one class or the other.
pub(super) const fn is_known(ins: Ins) -> bool {
    matches!(
        ins,
        Ins::SELECT
            | Ins::STATUS
            | Ins::MANAGE_CHANNEL
            | Ins::READ_BINARY
            | Ins::UPDATE_BINARY
            | Ins::READ_RECORD
            | Ins::UPDATE_RECORD
            | Ins::SEARCH_RECORD
            | Ins::INCREASE
            | Ins::GET_CHALLENGE
            | Ins::TERMINAL_CAPABILITY
            | Ins::VERIFY_PIN
            | Ins::CHANGE_PIN
            | Ins::DISABLE_PIN
            | Ins::ENABLE_PIN
            | Ins::UNBLOCK_PIN
            | Ins::TERMINAL_PROFILE
            | Ins::ENVELOPE
            | Ins::FETCH
            | Ins::TERMINAL_RESPONSE
    )
}

//! ETSI TS 102 221 §10 and §11: from a command APDU to what is asked, or to the status word that refuses it.

use ota_wire::apdu::{self, Ins, Sw};

use super::file::fid;
use crate::pin::CODE_LEN;

/// A command that this card knows, its parameters checked as far as they can be without the card's state.
#[derive(Debug)]
pub(super) enum Command<'a> {
    Select {
        target: Target<'a>,
        reply: SelectReply,
    },
    Status {
        reply: StatusReply,
        le: usize,
    },
    ReadBinary {
        file: EfRef,
        offset: usize,
        le: usize,
    },
    UpdateBinary {
        file: EfRef,
        offset: usize,
        data: &'a [u8],
    },
    ReadRecord {
        file: EfRef,
        record: RecordRef,
        le: usize,
    },
    UpdateRecord {
        file: EfRef,
        record: RecordRef,
        data: &'a [u8],
    },
    SearchRecord {
        file: EfRef,
        search: Search,
        pattern: &'a [u8],
    },
    Increase {
        file: EfRef,
        value: &'a [u8],
    },
    GetChallenge {
        le: usize,
    },
    TerminalCapability(&'a [u8]),
    VerifyPin {
        key: u8,
        code: Option<&'a Code>,
    },
    ChangePin {
        key: u8,
        old: &'a Code,
        new: &'a Code,
    },
    DisablePin {
        key: u8,
        code: &'a Code,
    },
    EnablePin {
        key: u8,
        code: &'a Code,
    },
    UnblockPin {
        key: u8,
        codes: Option<(&'a Code, &'a Code)>,
    },
    GetResponse {
        le: usize,
    },
    TerminalProfile(&'a [u8]),
    Envelope(&'a [u8]),
    Fetch {
        le: usize,
    },
    TerminalResponse(&'a [u8]),
}

/// A code as it travels.
pub(super) type Code = [u8; CODE_LEN];

/// What SELECT names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target<'a> {
    /// By the search order of §8.4.1.
    Fid(u16),
    /// A directory in the current directory.
    ChildDirectory(u16),
    Parent,
    /// First or next application whose AID begins with these octets; without any, the issuer security domain.
    Application {
        aid: &'a [u8],
        next: bool,
    },
    /// File identifiers from the MF, the MF itself left out.
    PathFromMf(&'a [u8]),
    PathFromCurrent(&'a [u8]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SelectReply {
    Fcp,
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StatusReply {
    Fcp,
    DfName,
    Nothing,
}

/// The elementary file that READ and UPDATE are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EfRef {
    Current,
    Sfi(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordRef {
    /// By number; 0 is the current record.
    Absolute(u8),
    Next,
    Previous,
}

/// Where a search begins and which way it goes, §11.1.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Search {
    /// Number of a record, 0 for the current one.
    pub(super) from: u8,
    pub(super) way: Way,
    /// Where in a record a match may begin.
    pub(super) within: Within,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Forward,
    Backward,
    /// Forward from the record behind the current one.
    Next,
    /// Backward from the record before the current one.
    Previous,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Within {
    /// From this octet on.
    Offset(u8),
    /// Behind the first octet with this value.
    Behind(u8),
}

/// A class octet without its channel bits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Interindustry,
    Uicc,
}

impl TryFrom<u8> for Class {
    type Error = Sw;

    fn try_from(cla: u8) -> Result<Self, Sw> {
        match cla {
            0x00 => Ok(Self::Interindustry),
            0x80 => Ok(Self::Uicc),
            0x01..=0x03 | 0x81..=0x83 | 0x40..=0x7F => Err(Sw::CHANNEL_NOT_SUPPORTED),
            0x04..=0x0F | 0x84..=0x8F => Err(Sw::SECURE_MESSAGING_NOT_SUPPORTED),
            _ => Err(Sw::CLA_NOT_SUPPORTED),
        }
    }
}

impl<'a> TryFrom<&'a apdu::Command> for Command<'a> {
    type Error = Sw;

    fn try_from(apdu: &'a apdu::Command) -> Result<Self, Sw> {
        use Class::{Interindustry, Uicc};

        let class = Class::try_from(apdu.cla)?;
        let (p1, p2, data) = (apdu.p1, apdu.p2, apdu.data.as_slice());
        let le = || expected_length(apdu);
        match (class, apdu.ins) {
            (Interindustry, Ins::SELECT) => select(p1, p2, data),
            (Interindustry, Ins::READ_BINARY) => {
                let (file, offset) = binary_place(p1, p2)?;
                Ok(Self::ReadBinary {
                    file,
                    offset,
                    le: le()?,
                })
            }
            (Interindustry, Ins::UPDATE_BINARY) => {
                let (file, offset) = binary_place(p1, p2)?;
                Ok(Self::UpdateBinary {
                    file,
                    offset,
                    data: required(data)?,
                })
            }
            (Interindustry, Ins::READ_RECORD) => {
                let (file, record) = record_place(p1, p2)?;
                Ok(Self::ReadRecord {
                    file,
                    record,
                    le: le()?,
                })
            }
            (Interindustry, Ins::UPDATE_RECORD) => {
                let (file, record) = record_place(p1, p2)?;
                Ok(Self::UpdateRecord {
                    file,
                    record,
                    data: required(data)?,
                })
            }
            (Interindustry, Ins::SEARCH_RECORD) => search(p1, p2, data),
            (Uicc, Ins::INCREASE) => {
                zero(p2)?;
                let file = match p1 {
                    0 => EfRef::Current,
                    sfi @ 0x81..=0x9E => EfRef::Sfi(sfi & 0x1F),
                    _ => return Err(Sw::WRONG_P1_P2),
                };
                Ok(Self::Increase {
                    file,
                    value: required(data)?,
                })
            }
            (Interindustry, Ins::GET_CHALLENGE) => {
                zero(p1 | p2)?;
                Ok(Self::GetChallenge { le: le()? })
            }
            (Uicc, Ins::TERMINAL_CAPABILITY) => {
                zero(p1 | p2)?;
                Ok(Self::TerminalCapability(required(data)?))
            }
            (Interindustry, Ins::VERIFY_PIN) => {
                zero(p1)?;
                let code = optional(data)?;
                Ok(Self::VerifyPin { key: p2, code })
            }
            (Interindustry, Ins::CHANGE_PIN) => {
                zero(p1)?;
                let (old, new) = two_codes(data)?;
                Ok(Self::ChangePin { key: p2, old, new })
            }
            (Interindustry, Ins::DISABLE_PIN) => {
                zero(p1)?;
                Ok(Self::DisablePin {
                    key: p2,
                    code: one_code(data)?,
                })
            }
            (Interindustry, Ins::ENABLE_PIN) => {
                zero(p1)?;
                Ok(Self::EnablePin {
                    key: p2,
                    code: one_code(data)?,
                })
            }
            (Interindustry, Ins::UNBLOCK_PIN) => {
                zero(p1)?;
                let codes = match data {
                    [] => None,
                    data => Some(two_codes(data)?),
                };
                Ok(Self::UnblockPin { key: p2, codes })
            }
            (Interindustry | Uicc, Ins::GET_RESPONSE) => {
                zero(p1 | p2)?;
                Ok(Self::GetResponse { le: le()? })
            }
            (Uicc, Ins::STATUS) => status(p1, p2, expected_length(apdu)?),
            (Uicc, Ins::TERMINAL_PROFILE) => {
                zero(p1 | p2)?;
                Ok(Self::TerminalProfile(required(data)?))
            }
            (Uicc, Ins::ENVELOPE) => {
                zero(p1 | p2)?;
                Ok(Self::Envelope(required(data)?))
            }
            (Uicc, Ins::FETCH) => {
                zero(p1 | p2)?;
                Ok(Self::Fetch { le: le()? })
            }
            (Uicc, Ins::TERMINAL_RESPONSE) => {
                zero(p1 | p2)?;
                Ok(Self::TerminalResponse(required(data)?))
            }
            (_, ins) if is_known(ins) => Err(Sw::CLA_NOT_SUPPORTED),
            _ => Err(Sw::INS_NOT_SUPPORTED),
        }
    }
}

fn select(p1: u8, p2: u8, data: &[u8]) -> Result<Command<'_>, Sw> {
    const OCCURRENCE: u8 = 0x03;
    const NEXT: u8 = 0x02;
    let by_name = p1 == 0x04;
    let next = match p2 & OCCURRENCE {
        0 => false,
        NEXT if by_name => true,
        _ => return Err(Sw::WRONG_P1_P2),
    };
    let reply = match p2 & !OCCURRENCE {
        // 00 asks for the FCI of ISO/IEC 7816-4; a UICC gives its FCP.
        0x00 | 0x04 => SelectReply::Fcp,
        0x0C => SelectReply::Nothing,
        _ => return Err(Sw::WRONG_P1_P2),
    };
    let target = match p1 {
        0x00 if data.is_empty() => Target::Fid(fid::MF),
        0x00 => Target::Fid(file_id(data)?),
        0x01 => Target::ChildDirectory(file_id(data)?),
        0x03 if data.is_empty() => Target::Parent,
        0x03 => return Err(Sw::WRONG_LENGTH),
        0x04 => Target::Application {
            aid: application_id(data)?,
            next,
        },
        0x08 => Target::PathFromMf(path(data)?),
        0x09 => Target::PathFromCurrent(path(data)?),
        _ => return Err(Sw::WRONG_P1_P2),
    };
    Ok(Command::Select { target, reply })
}

fn status<'a>(p1: u8, p2: u8, le: usize) -> Result<Command<'a>, Sw> {
    // P1 tells the progress of the application's start; there is nothing here that depends on it.
    let reply = match (p1, p2) {
        (0..=2, 0x00) => StatusReply::Fcp,
        (0..=2, 0x01) => StatusReply::DfName,
        (0..=2, 0x0C) => StatusReply::Nothing,
        _ => return Err(Sw::WRONG_P1_P2),
    };
    Ok(Command::Status { reply, le })
}

/// SEARCH RECORD, §11.1.7. In the enhanced form two octets before the pattern say where and how.
fn search(p1: u8, p2: u8, data: &[u8]) -> Result<Command<'_>, Sw> {
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
fn binary_place(p1: u8, p2: u8) -> Result<(EfRef, usize), Sw> {
    if p1 & 0x80 == 0 {
        return Ok((EfRef::Current, usize::from(u16::from_be_bytes([p1, p2]))));
    }
    match p1 & 0x7F {
        sfi @ 1..=30 => Ok((EfRef::Sfi(sfi), usize::from(p2))),
        _ => Err(Sw::WRONG_P1_P2),
    }
}

/// P1 P2 of READ and UPDATE RECORD.
fn record_place(p1: u8, p2: u8) -> Result<(EfRef, RecordRef), Sw> {
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
const fn sfi(p2: u8) -> Result<EfRef, Sw> {
    match p2 >> 3 {
        0 => Ok(EfRef::Current),
        31 => Err(Sw::WRONG_P1_P2),
        sfi => Ok(EfRef::Sfi(sfi)),
    }
}

fn file_id(data: &[u8]) -> Result<u16, Sw> {
    match data {
        [high, low] => Ok(u16::from_be_bytes([*high, *low])),
        _ => Err(Sw::WRONG_LENGTH),
    }
}

fn application_id(data: &[u8]) -> Result<&[u8], Sw> {
    match data.len() {
        0 | 5..=16 => Ok(data),
        _ => Err(Sw::WRONG_LENGTH),
    }
}

fn path(data: &[u8]) -> Result<&[u8], Sw> {
    if data.is_empty() || !data.len().is_multiple_of(2) {
        return Err(Sw::WRONG_LENGTH);
    }
    Ok(data)
}

/// P3 of a command that has response data and no command data; `00` says 256.
fn expected_length(apdu: &apdu::Command) -> Result<usize, Sw> {
    if apdu.data.is_empty() {
        Ok(apdu.le.unwrap_or(256))
    } else {
        Err(Sw::WRONG_LENGTH)
    }
}

const fn required(data: &[u8]) -> Result<&[u8], Sw> {
    if data.is_empty() {
        Err(Sw::WRONG_LENGTH)
    } else {
        Ok(data)
    }
}

fn optional(data: &[u8]) -> Result<Option<&Code>, Sw> {
    match data {
        [] => Ok(None),
        data => one_code(data).map(Some),
    }
}

fn one_code(data: &[u8]) -> Result<&Code, Sw> {
    data.try_into().map_err(|_| Sw::WRONG_LENGTH)
}

fn two_codes(data: &[u8]) -> Result<(&Code, &Code), Sw> {
    let (first, second) = data.split_at_checked(CODE_LEN).ok_or(Sw::WRONG_LENGTH)?;
    Ok((one_code(first)?, one_code(second)?))
}

const fn zero(parameter: u8) -> Result<(), Sw> {
    if parameter == 0 {
        Ok(())
    } else {
        Err(Sw::WRONG_P1_P2)
    }
}

/// Instructions that this card has under one class or the other.
const fn is_known(ins: Ins) -> bool {
    matches!(
        ins,
        Ins::SELECT
            | Ins::STATUS
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

//! ETSI TS 102 221 §10 and §11: from a command APDU to what is asked, or to the status word that refuses it.

use ota_wire::apdu::{self, Ins, Sw};

use crate::pin::CODE_LEN;

mod parameters;

use parameters::{
    binary_place, body, expected_length, is_known, manage_channel, one_code, optional,
    record_place, required, search, select, status, two_codes, zero,
};

/// A command that this card knows, its parameters checked as far as they can be without the card's state.
#[derive(Debug)]
pub(super) enum Command<'a> {
    Select {
        target: Target<'a>,
        reply: SelectReply,
    },
    /// The session of an application ends.
    Terminate {
        aid: &'a [u8],
    },
    OpenChannel {
        le: usize,
    },
    CloseChannel {
        number: u8,
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
    /// One of the applications whose AID begins with these octets; without any, the issuer security domain.
    Application {
        aid: &'a [u8],
        occurrence: Occurrence,
    },
    /// File identifiers from the MF, the MF itself left out.
    PathFromMf(&'a [u8]),
    PathFromCurrent(&'a [u8]),
}

/// Which of the applications with this beginning, table 11.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occurrence {
    First,
    Last,
    /// The one behind the application that is selected.
    Next,
    Previous,
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

/// A class octet; the number of its channel was taken out.
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
            // Table 10.4: channels from 4 on.
            0x40..=0x7F | 0xC0..=0xCF | 0xE0..=0xEF => Err(Sw::CHANNEL_NOT_SUPPORTED),
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
            (Interindustry, Ins::SELECT) => select(p1, p2, body(apdu)?),
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
                let code = optional(body(apdu)?)?;
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
                let codes = match body(apdu)? {
                    [] => None,
                    data => Some(two_codes(data)?),
                };
                Ok(Self::UnblockPin { key: p2, codes })
            }
            (Interindustry | Uicc, Ins::GET_RESPONSE) => {
                zero(p1 | p2)?;
                Ok(Self::GetResponse { le: le()? })
            }
            (Interindustry, Ins::MANAGE_CHANNEL) => manage_channel(p1, p2, le()?),
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

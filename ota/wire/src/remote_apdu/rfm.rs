//! ETSI TS 102 226 §7: commands of remote file management.

use super::CommandScript;
use crate::apdu::{Command, Ins};

/// File identifier of the MF, TS 102 221 §8.2.
pub const MF: u16 = 0x3F00;
/// File identifier of EF.ICCID, TS 102 221 §13.2.
pub const EF_ICCID: u16 = 0x2FE2;
/// Octets of EF.ICCID.
pub const ICCID_LEN: usize = 10;

/// SELECT by file identifier, without a file control template in return.
pub fn select(file: u16) -> Command {
    const NO_DATA_RETURNED: u8 = 0x0C;
    Command::new(0x00, Ins::SELECT, 0x00, NO_DATA_RETURNED).with_data(file.to_be_bytes())
}

/// READ BINARY of the selected file: `len` octets (1 to 256) from `offset` (at most 7FFF) on.
pub fn read_binary(offset: u16, len: usize) -> Command {
    let [p1, p2] = (offset & 0x7FFF).to_be_bytes();
    Command::new(0x00, Ins::READ_BINARY, p1, p2).with_le(len)
}

/// UPDATE BINARY of the selected file from `offset` (at most 7FFF) on.
pub fn update_binary(offset: u16, data: impl Into<Vec<u8>>) -> Command {
    let [p1, p2] = (offset & 0x7FFF).to_be_bytes();
    Command::new(0x00, Ins::UPDATE_BINARY, p1, p2).with_data(data)
}

/// READ RECORD number `record` of the selected file, `len` octets.
pub fn read_record(record: u8, len: usize) -> Command {
    const ABSOLUTE: u8 = 0x04;
    Command::new(0x00, Ins::READ_RECORD, record, ABSOLUTE).with_le(len)
}

/// UPDATE RECORD number `record` of the selected file.
pub fn update_record(record: u8, data: impl Into<Vec<u8>>) -> Command {
    const ABSOLUTE: u8 = 0x04;
    Command::new(0x00, Ins::UPDATE_RECORD, record, ABSOLUTE).with_data(data)
}

/// Reads EF.ICCID. Its octets are the data of the response: digits with swapped nibbles, filled up with F.
pub fn read_iccid() -> CommandScript {
    CommandScript::new([select(MF), select(EF_ICCID), read_binary(0, ICCID_LEN)])
}

//! The fields of a body, one after the other, each with the status that answers a wrong one (SMPP 3.4 §5.1.3, §5.2). It says what
//! is wrong with a body that the codec refuses, and reads those that the codec is not asked for.
//!
//! Nothing here panics, whatever the octets are.

use super::header::{CommandId, CommandStatus};
use super::message::{ShortMessage, Tlv};

/// Longest fields, with their final zero.
pub(super) mod length {
    pub(in super::super) const SERVICE_TYPE: usize = 6;
    pub(in super::super) const ADDRESS: usize = 21;
    /// In data_sm.
    pub(in super::super) const LONG_ADDRESS: usize = 65;
    pub(in super::super) const MESSAGE_ID: usize = 65;
    pub(in super::super) const LIST_NAME: usize = 21;
    pub(in super::super) const TIME: usize = 17;
    pub(in super::super) const SHORT_MESSAGE: usize = 254;
}

/// Takes fields from the front of a body.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }

    /// Fields that are not there are a matter of the length.
    pub(super) fn octet(&mut self) -> Result<u8, CommandStatus> {
        let (first, rest) = self.rest.split_first().ok_or(CommandStatus::RINVCMDLEN)?;
        self.rest = rest;
        Ok(*first)
    }

    pub(super) fn octets(
        &mut self,
        count: usize,
        wrong: CommandStatus,
    ) -> Result<&'a [u8], CommandStatus> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(wrong)?;
        self.rest = rest;
        Ok(taken)
    }

    /// An ASCII text of at most `most` octets, its final zero included.
    pub(super) fn text(
        &mut self,
        most: usize,
        wrong: CommandStatus,
    ) -> Result<String, CommandStatus> {
        let within = &self.rest[..most.min(self.rest.len())];
        let Some(end) = within.iter().position(|octet| *octet == 0) else {
            // One that could still have ended is cut off.
            let cut = within.len() < most;
            return Err(if cut {
                CommandStatus::RINVCMDLEN
            } else {
                wrong
            });
        };
        let text = std::str::from_utf8(&within[..end]).ok();
        let text = text.filter(|text| text.is_ascii()).ok_or(wrong)?;
        self.rest = &self.rest[end + 1..];
        Ok(text.to_owned())
    }

    /// Nothing, or 16 characters.
    pub(super) fn time(&mut self, wrong: CommandStatus) -> Result<String, CommandStatus> {
        let text = self.text(length::TIME, wrong)?;
        if text.is_empty() || text.len() + 1 == length::TIME {
            Ok(text)
        } else {
            Err(wrong)
        }
    }

    /// Type of number, numbering plan, address.
    pub(super) fn address(
        &mut self,
        most: usize,
        wrong: CommandStatus,
    ) -> Result<(u8, u8, String), CommandStatus> {
        Ok((self.octet()?, self.octet()?, self.text(most, wrong)?))
    }

    /// A message as far as every submission begins alike: service_type and source.
    pub(super) fn sender(&mut self, most: usize) -> Result<ShortMessage, CommandStatus> {
        let service_type = self.text(length::SERVICE_TYPE, CommandStatus::RINVSERTYP)?;
        let (source_ton, source_npi, source) = self.address(most, CommandStatus::RINVSRCADR)?;
        Ok(ShortMessage {
            service_type,
            source_ton,
            source_npi,
            source,
            ..ShortMessage::default()
        })
    }

    /// A length and so many octets of user data.
    pub(super) fn short_message(&mut self) -> Result<Vec<u8>, CommandStatus> {
        let count = usize::from(self.octet()?);
        if count > length::SHORT_MESSAGE {
            return Err(CommandStatus::RINVMSGLEN);
        }
        Ok(self.octets(count, CommandStatus::RINVMSGLEN)?.to_vec())
    }

    /// Optional parameters up to the end.
    pub(super) fn optional(&mut self) -> Result<Vec<Tlv>, CommandStatus> {
        let wrong = CommandStatus::RINVOPTPARSTREAM;
        let mut found = Vec::new();
        while !self.rest.is_empty() {
            let head = self.octets(4, wrong)?;
            let word = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
            let value = self.octets(word(2).into(), wrong)?.to_vec();
            found.push(Tlv {
                tag: word(0),
                value,
            });
        }
        Ok(found)
    }
}

/// The status of the first field that is wrong in the body of a request which the codec cannot read. ESME_RINVCMDLEN where the body
/// ends too early or too late, and of commands that are not known here.
pub(super) fn fault(id: CommandId, octets: &[u8]) -> CommandStatus {
    match walk(id, octets) {
        Err(status) => status,
        // All of them have their places, so it is what the codec knows of a parameter's length.
        Ok(parameters) if parameters > 0 => CommandStatus::RINVPARLEN,
        Ok(_) => CommandStatus::RINVCMDLEN,
    }
}

/// How many optional parameters there are behind good fields.
fn walk(id: CommandId, octets: &[u8]) -> Result<usize, CommandStatus> {
    let mut fields = Fields::new(octets);
    let from = CommandStatus::RINVSRCADR;
    let to = CommandStatus::RINVDSTADR;
    match id {
        CommandId::BIND_RECEIVER | CommandId::BIND_TRANSMITTER | CommandId::BIND_TRANSCEIVER => {
            fields.text(16, CommandStatus::RINVSYSID)?;
            fields.text(9, CommandStatus::RINVPASWD)?;
            fields.text(13, CommandStatus::RINVSYSTYP)?;
            fields.octet()?;
            fields.address(41, CommandStatus::RBINDFAIL)?;
        }
        CommandId::SUBMIT_SM | CommandId::DELIVER_SM => {
            fields.text(length::SERVICE_TYPE, CommandStatus::RINVSERTYP)?;
            fields.address(length::ADDRESS, from)?;
            fields.address(length::ADDRESS, to)?;
            fields.octets(3, CommandStatus::RINVCMDLEN)?;
            fields.time(CommandStatus::RINVSCHED)?;
            fields.time(CommandStatus::RINVEXPIRY)?;
            fields.octets(4, CommandStatus::RINVCMDLEN)?;
            fields.short_message()?;
        }
        CommandId::QUERY_SM => {
            fields.text(length::MESSAGE_ID, CommandStatus::RINVMSGID)?;
            fields.address(length::ADDRESS, from)?;
        }
        CommandId::CANCEL_SM => {
            fields.text(length::SERVICE_TYPE, CommandStatus::RINVSERTYP)?;
            fields.text(length::MESSAGE_ID, CommandStatus::RINVMSGID)?;
            fields.address(length::ADDRESS, from)?;
            fields.address(length::ADDRESS, to)?;
        }
        CommandId::REPLACE_SM => {
            fields.text(length::MESSAGE_ID, CommandStatus::RINVMSGID)?;
            fields.address(length::ADDRESS, from)?;
            fields.time(CommandStatus::RINVSCHED)?;
            fields.time(CommandStatus::RINVEXPIRY)?;
            fields.octets(2, CommandStatus::RINVCMDLEN)?;
            fields.short_message()?;
        }
        _ => return Err(CommandStatus::RINVCMDLEN),
    }
    let messages = [
        CommandId::SUBMIT_SM,
        CommandId::DELIVER_SM,
        CommandId::REPLACE_SM,
    ];
    match fields.rest.is_empty() || messages.contains(&id) {
        true => Ok(fields.optional()?.len()),
        // Nothing may follow.
        false => Err(CommandStatus::RINVCMDLEN),
    }
}

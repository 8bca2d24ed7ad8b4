//! ETSI TS 102 221 §8.7 and §11.1.17: logical channels, each with a file and an application of its own.

use ota_wire::apdu::{self, Ins, Sw};

use super::file::FileIndex;
use super::{Reply, Selected, Session, gsm};
use crate::card_manager::domain::DomainSession;

/// Logical channels, the basic one included; as many as the card capabilities in the ATR say (ISO/IEC 7816-4 §8.1.1.2.7).
pub(super) const COUNT: usize = 4;

/// What every logical channel has for itself.
#[derive(Debug, Default)]
pub(crate) struct LogicalChannel {
    /// Current directory.
    pub(super) directory: Selected,
    /// Current elementary file.
    pub(super) file: Option<FileIndex>,
    /// Current record of that file, from 1; 0 before the first.
    pub(super) record: u8,
    /// Active application.
    pub(super) app: Option<FileIndex>,
    /// Whether the signature applet is the selected application.
    pub(super) applet: bool,
    /// The issuer security domain, while it is the selected application.
    pub(crate) domain: Option<Box<DomainSession>>,
    /// One bit for each code of the profile that is local to an application: presented correctly.
    pub(super) verified: u8,
}

/// Where a command was sent.
pub(super) enum Entered {
    /// To the channel of the command before it.
    Same,
    /// To another one.
    Other,
}

impl Session {
    /// Goes to the channel that the class of a command names, and takes the number out of the class.
    pub(super) fn enter(&mut self, apdu: &mut apdu::Command) -> Result<Entered, Sw> {
        const NUMBER: u8 = 0x03;
        let number = match apdu.cla {
            0x00..=0x0F | 0x80..=0x8F => usize::from(apdu.cla & NUMBER),
            gsm::CLA => 0,
            // Channels beyond the fourth, and classes that are nobody's, are refused with the command.
            _ => return Ok(Entered::Same),
        };
        if apdu.cla != gsm::CLA {
            if number > 0 && is_for_the_basic_channel(apdu) {
                return Err(Sw::CLA_NOT_SUPPORTED);
            }
            apdu.cla &= !NUMBER;
        }
        if number == self.number {
            return Ok(Entered::Same);
        }
        let there = self.others[number].take();
        let there = there.ok_or(Sw::CHANNEL_NOT_SUPPORTED)?;
        let here = std::mem::replace(&mut self.channel, *there);
        self.others[self.number] = Some(Box::new(here));
        self.number = number;
        Ok(Entered::Other)
    }

    /// Opens the first channel that is free: from the basic one it begins in the MF, from another one where that one is.
    pub(super) fn open_channel(&mut self, le: usize) -> Result<Reply, Sw> {
        let free = (1..COUNT).find(|at| *at != self.number && self.others[*at].is_none());
        let free = free.ok_or(Sw::FUNCTION_NOT_SUPPORTED)?;
        let reply = Reply::exactly(vec![free as u8], le)?;
        let mut opened = LogicalChannel::default();
        if self.number != 0 {
            opened.directory = self.channel.directory;
            opened.app = self.channel.app;
            opened.applet = self.channel.applet;
            opened.domain = self.channel.domain.as_ref().map(|_| Box::default());
        }
        self.others[free] = Some(Box::new(opened));
        Ok(reply)
    }

    /// Closes a channel; what comes next on the basic one finds it as it was left.
    pub(super) fn close_channel(&mut self, number: u8) -> Result<Reply, Sw> {
        let number = usize::from(number);
        if number == self.number {
            let basic = self.others[0].take();
            self.channel = basic.map_or_else(LogicalChannel::default, |basic| *basic);
            self.number = 0;
            return Ok(Reply::Done);
        }
        match self.others.get_mut(number).and_then(Option::take) {
            Some(_) => Ok(Reply::Done),
            None => Err(Sw::WARNING),
        }
    }
}

/// Commands of the toolkit, which have class 80 and no other (TS 102 221 table 10.3).
fn is_for_the_basic_channel(apdu: &apdu::Command) -> bool {
    matches!(
        apdu.ins,
        Ins::TERMINAL_PROFILE | Ins::ENVELOPE | Ins::FETCH | Ins::TERMINAL_RESPONSE
    )
}

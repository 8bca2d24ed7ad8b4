//! SMS-DELIVER: TS 23.040 §9.2.2.1.

use super::{Mti, Pid, Reader, TpduError, first_octet, flags, outgoing};
use crate::sms::address::Address;
use crate::sms::dcs::{Class, Dcs};
use crate::sms::scts::Scts;
use crate::sms::user_data::{self, UserData};

/// A message on its way from the service centre to the phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deliver {
    /// First octet without TP-MTI and TP-UDHI; see [`first_octet`].
    pub flags: u8,
    /// TP-OA, the sender.
    pub oa: Address,
    /// TP-PID.
    pub pid: Pid,
    /// TP-DCS.
    pub dcs: Dcs,
    /// TP-SCTS, when the service centre got it.
    pub scts: Scts,
    /// TP-UDL and TP-UD.
    pub user_data: UserData,
}

impl Deliver {
    /// A message without flags, the last one waiting.
    #[must_use]
    pub const fn new(oa: Address, pid: Pid, dcs: Dcs, scts: Scts, user_data: UserData) -> Self {
        Self {
            flags: first_octet::MMS,
            oa,
            pid,
            dcs,
            scts,
            user_data,
        }
    }

    /// A secured packet, or a part of one, for the card: class 2, 8-bit, TP-PID 7F (TS 31.115 §4). The header, with
    /// the command packet identifier, is in the user data; [`crate::sms::concat::split`] makes it.
    #[must_use]
    pub const fn for_card(oa: Address, scts: Scts, user_data: UserData) -> Self {
        Self::new(
            oa,
            Pid::SIM_DATA_DOWNLOAD,
            Dcs::CLASS_2_DATA,
            scts,
            user_data,
        )
    }

    /// Reads a message.
    ///
    /// # Errors
    /// [`TpduError`], see there.
    pub fn parse(octets: &[u8]) -> Result<Self, TpduError> {
        let (first_octet, mut reader) = Reader::new(octets, Mti::DELIVER)?;
        let oa = reader.address("TP-OA")?;
        let pid = Pid(reader.octet("TP-PID")?);
        let dcs = Dcs(reader.octet("TP-DCS")?);
        let scts = reader.scts("TP-SCTS")?;
        let udhi = first_octet & first_octet::UDHI != 0;
        let (user_data, rest) = UserData::parse(reader.rest, Some(dcs), udhi, user_data::MAX)?;
        reader.rest = rest;
        reader.end()?;
        Ok(Self {
            flags: flags(first_octet, Some(&user_data)),
            oa,
            pid,
            dcs,
            scts,
            user_data,
        })
    }

    /// Writes the message.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut out = vec![self.first_octet()];
        self.oa.emit(&mut out);
        out.extend([self.pid.0, self.dcs.0]);
        out.extend(self.scts.0);
        self.user_data.emit(&mut out);
        out
    }

    /// The first octet as it stands in the message.
    #[must_use]
    pub fn first_octet(&self) -> u8 {
        outgoing(self.flags, Mti::DELIVER, Some(&self.user_data))
    }

    /// TP-MMS the way people mean it: more messages are waiting (the bit is *clear*).
    #[must_use]
    pub const fn more_messages(&self) -> bool {
        self.flags & first_octet::MMS == 0
    }

    /// Says whether more messages are waiting.
    #[must_use]
    pub const fn with_more_messages(mut self, more: bool) -> Self {
        self.flags = if more {
            self.flags & !first_octet::MMS
        } else {
            self.flags | first_octet::MMS
        };
        self
    }

    /// TP-LP: forwarded or spawned already.
    #[must_use]
    pub const fn loop_prevention(&self) -> bool {
        self.flags & first_octet::LP != 0
    }

    /// TP-SRI: a status report goes to the sender.
    #[must_use]
    pub const fn status_report_indication(&self) -> bool {
        self.flags & first_octet::SRI != 0
    }

    /// TP-RP: a reply path exists.
    #[must_use]
    pub const fn reply_path(&self) -> bool {
        self.flags & first_octet::RP != 0
    }

    /// Whether the phone hands this to the toolkit of the card, by ENVELOPE (SMS-PP DOWNLOAD): class 2 and TP-PID 7F
    /// (TS 31.111 §7.1.1.1). Class 2 with another TP-PID is stored on the card instead.
    #[must_use]
    pub fn is_data_download(&self) -> bool {
        self.pid == Pid::SIM_DATA_DOWNLOAD && self.dcs.class() == Some(Class::Sim)
    }

    /// The text, if the coding has one.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        self.user_data.to_text(self.dcs)
    }
}

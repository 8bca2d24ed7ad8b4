//! SMS-SUBMIT: TS 23.040 §9.2.2.2.

use super::{Mti, Pid, Reader, TpduError, ValidityPeriod, first_octet, flags, outgoing};
use crate::sms::address::Address;
use crate::sms::dcs::Dcs;
use crate::sms::user_data::{self, UserData, UserDataError};

/// A message on its way from the phone to the service centre.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submit {
    /// First octet without TP-MTI, TP-UDHI and TP-VPF; see [`first_octet`].
    pub flags: u8,
    /// TP-MR, the phone's number for this message.
    pub mr: u8,
    /// TP-DA, the receiver.
    pub da: Address,
    /// TP-PID.
    pub pid: Pid,
    /// TP-DCS.
    pub dcs: Dcs,
    /// TP-VP.
    pub vp: ValidityPeriod,
    /// TP-UDL and TP-UD.
    pub user_data: UserData,
}

impl Submit {
    /// A message without flags and validity period.
    #[must_use]
    pub const fn new(mr: u8, da: Address, pid: Pid, dcs: Dcs, user_data: UserData) -> Self {
        Self {
            flags: 0,
            mr,
            da,
            pid,
            dcs,
            vp: ValidityPeriod::None,
            user_data,
        }
    }

    /// What a card sends to its platform: 8-bit data of class 3, TP-PID 00, no header. A card writes TP-MR 00; the
    /// phone puts its own number there before sending (TS 31.111 §6.4.10).
    ///
    /// # Errors
    /// [`UserDataError::TooLong`] above 140 octets.
    pub fn from_card(da: Address, data: &[u8]) -> Result<Self, UserDataError> {
        let user_data = UserData::new(None, data)?;
        Ok(Self::new(0, da, Pid::DEFAULT, Dcs::CLASS_3_DATA, user_data))
    }

    /// Reads a message.
    ///
    /// # Errors
    /// [`TpduError`], see there.
    pub fn parse(octets: &[u8]) -> Result<Self, TpduError> {
        let (first_octet, mut reader) = Reader::new(octets, Mti::SUBMIT)?;
        let mr = reader.octet("TP-MR")?;
        let da = reader.address("TP-DA")?;
        let pid = Pid(reader.octet("TP-PID")?);
        let dcs = Dcs(reader.octet("TP-DCS")?);
        let vp = match (first_octet & first_octet::VPF) >> first_octet::VPF.trailing_zeros() {
            0b00 => ValidityPeriod::None,
            0b01 => ValidityPeriod::Enhanced(reader.array("TP-VP")?),
            0b10 => ValidityPeriod::Relative(reader.octet("TP-VP")?),
            _ => ValidityPeriod::Absolute(reader.scts("TP-VP")?),
        };
        let udhi = first_octet & first_octet::UDHI != 0;
        let (user_data, rest) = UserData::parse(reader.rest, Some(dcs), udhi, user_data::MAX)?;
        reader.rest = rest;
        reader.end()?;
        Ok(Self {
            flags: flags(first_octet, Some(&user_data)) & !first_octet::VPF,
            mr,
            da,
            pid,
            dcs,
            vp,
            user_data,
        })
    }

    /// Writes the message.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut out = vec![self.first_octet(), self.mr];
        self.da.emit(&mut out);
        out.extend([self.pid.0, self.dcs.0]);
        out.extend_from_slice(&self.vp.octets());
        self.user_data.emit(&mut out);
        out
    }

    /// The first octet as it stands in the message.
    #[must_use]
    pub fn first_octet(&self) -> u8 {
        let format = self.vp.format() << first_octet::VPF.trailing_zeros();
        let flags = self.flags & !first_octet::VPF | format;
        outgoing(flags, Mti::SUBMIT, Some(&self.user_data))
    }

    /// TP-RD: the service centre is to reject a duplicate.
    #[must_use]
    pub const fn reject_duplicates(&self) -> bool {
        self.flags & first_octet::RD != 0
    }

    /// TP-SRR: a status report is requested.
    #[must_use]
    pub const fn status_report_request(&self) -> bool {
        self.flags & first_octet::SRR != 0
    }

    /// TP-RP: a reply path exists.
    #[must_use]
    pub const fn reply_path(&self) -> bool {
        self.flags & first_octet::RP != 0
    }

    /// The text, if the coding has one.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        self.user_data.to_text(self.dcs)
    }
}

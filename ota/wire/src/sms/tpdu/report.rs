//! SMS-DELIVER-REPORT (TS 23.040 §9.2.2.1a), SMS-SUBMIT-REPORT (§9.2.2.2a) and SMS-STATUS-REPORT (§9.2.2.3).
//!
//! All three end in the same optional fields, announced by TP-PI: [`Parameters`].

use std::fmt;

use super::{Mti, Pid, Reader, TpduError, first_octet, flags, outgoing};
use crate::sms::address::Address;
use crate::sms::dcs::Dcs;
use crate::sms::scts::Scts;
use crate::sms::udh::Udh;
use crate::sms::user_data::{MAX_REPORT, UserData, UserDataError};

/// What carries a report; an RP-ERROR's report has TP-FCS, an RP-ACK's has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReportIn {
    /// In an RP-ACK.
    Ack,
    /// In an RP-ERROR.
    Error,
}

/// The phone's answer to SMS-DELIVER. It can carry what the card had to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliverReport {
    /// First octet without TP-MTI and, if there is user data, TP-UDHI.
    pub flags: u8,
    /// TP-FCS, in an RP-ERROR.
    pub fcs: Option<Fcs>,
    /// What TP-PI announces.
    pub parameters: Parameters,
}

impl DeliverReport {
    /// Octets of user data in an RP-ACK; one less in an RP-ERROR.
    const MAX: usize = MAX_REPORT;

    /// A bare report: RP-ACK if there is no cause, else RP-ERROR.
    #[must_use]
    pub fn new(fcs: Option<Fcs>) -> Self {
        Self {
            fcs,
            ..Self::default()
        }
    }

    /// A report that carries the response packet of a card (TS 31.115 §4.4): the octets as the card gave them,
    /// header `02 71 00` included, under the TP-PID and TP-DCS of the command.
    ///
    /// # Errors
    /// [`UserDataError`] above 158 octets, or if the octets do not begin with a header.
    pub fn from_card(
        fcs: Option<Fcs>,
        pid: Pid,
        dcs: Dcs,
        data: &[u8],
    ) -> Result<Self, UserDataError> {
        let (udh, payload) = Udh::parse(data)?;
        let user_data = UserData::report(Some(udh), payload)?;
        let max = Self::max(fcs);
        if user_data.len() > max {
            let got = user_data.len();
            return Err(UserDataError::TooLong { max, got });
        }
        let parameters = Parameters::new(Some(pid), Some(dcs), Some(user_data));
        Ok(Self {
            flags: 0,
            fcs,
            parameters,
        })
    }

    /// Reads a report.
    ///
    /// # Errors
    /// [`TpduError`], see there.
    pub fn parse(octets: &[u8], carrier: ReportIn) -> Result<Self, TpduError> {
        let (first_octet, mut reader) = Reader::new(octets, Mti::DELIVER)?;
        let fcs = parse_fcs(&mut reader, carrier)?;
        let udhi = first_octet & first_octet::UDHI != 0;
        let parameters = Parameters::parse(&mut reader, udhi, Self::max(fcs))?;
        reader.end()?;
        Ok(Self {
            flags: flags(first_octet, parameters.user_data.as_ref()),
            fcs,
            parameters,
        })
    }

    /// Writes the report.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut out = vec![self.first_octet()];
        out.extend(self.fcs.map(|fcs| fcs.0));
        self.parameters.emit(self.parameters.indicator(), &mut out);
        out
    }

    /// The first octet as it stands in the message.
    #[must_use]
    pub fn first_octet(&self) -> u8 {
        let user_data = self.parameters.user_data.as_ref();
        outgoing(self.flags, Mti::DELIVER, user_data)
    }

    fn max(fcs: Option<Fcs>) -> usize {
        Self::MAX - usize::from(fcs.is_some())
    }
}

/// The service centre's answer to SMS-SUBMIT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmitReport {
    /// First octet without TP-MTI and, if there is user data, TP-UDHI.
    pub flags: u8,
    /// TP-FCS, in an RP-ERROR.
    pub fcs: Option<Fcs>,
    /// TP-SCTS: when the service centre got the message.
    pub scts: Scts,
    /// What TP-PI announces.
    pub parameters: Parameters,
}

impl SubmitReport {
    /// Octets of user data in an RP-ACK; one less in an RP-ERROR.
    const MAX: usize = 152;

    /// A bare report: RP-ACK if there is no cause, else RP-ERROR.
    #[must_use]
    pub fn new(fcs: Option<Fcs>, scts: Scts) -> Self {
        Self {
            flags: 0,
            fcs,
            scts,
            parameters: Parameters::default(),
        }
    }

    /// Reads a report.
    ///
    /// # Errors
    /// [`TpduError`], see there.
    pub fn parse(octets: &[u8], carrier: ReportIn) -> Result<Self, TpduError> {
        let (first_octet, mut reader) = Reader::new(octets, Mti::SUBMIT)?;
        let fcs = parse_fcs(&mut reader, carrier)?;
        let indicator = reader.octet("TP-PI")?;
        let extension = parse_extension(indicator, &mut reader)?;
        let scts = reader.scts("TP-SCTS")?;
        let udhi = first_octet & first_octet::UDHI != 0;
        let max = Self::MAX - usize::from(fcs.is_some());
        let parameters = Parameters::parse_body(indicator, extension, &mut reader, udhi, max)?;
        reader.end()?;
        Ok(Self {
            flags: flags(first_octet, parameters.user_data.as_ref()),
            fcs,
            scts,
            parameters,
        })
    }

    /// Writes the report.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut out = vec![self.first_octet()];
        out.extend(self.fcs.map(|fcs| fcs.0));
        // TP-SCTS stands between TP-PI and what TP-PI announces.
        let mut indicator = self.parameters.indicator();
        indicator.extend(self.scts.0);
        self.parameters.emit(indicator, &mut out);
        out
    }

    /// The first octet as it stands in the message.
    #[must_use]
    pub fn first_octet(&self) -> u8 {
        let user_data = self.parameters.user_data.as_ref();
        outgoing(self.flags, Mti::SUBMIT, user_data)
    }
}

/// What became of a message, told to its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusReport {
    /// First octet without TP-MTI and, if there is user data, TP-UDHI; see [`first_octet`].
    pub flags: u8,
    /// TP-MR of the message reported on.
    pub mr: u8,
    /// TP-RA, its receiver.
    pub ra: Address,
    /// TP-SCTS: when the service centre got it.
    pub scts: Scts,
    /// TP-DT: when it was delivered, or last tried.
    pub dt: Scts,
    /// TP-ST.
    pub st: Status,
    /// TP-PI and what it announces; all of it may be missing.
    pub parameters: Option<Parameters>,
}

impl StatusReport {
    /// Octets of user data beside the shortest address.
    const MAX: usize = 143;

    /// A report on a submitted message without flags, the last message waiting.
    #[must_use]
    pub const fn new(mr: u8, ra: Address, scts: Scts, dt: Scts, st: Status) -> Self {
        Self {
            flags: first_octet::MMS,
            mr,
            ra,
            scts,
            dt,
            st,
            parameters: None,
        }
    }

    /// Reads a report.
    ///
    /// # Errors
    /// [`TpduError`], see there.
    pub fn parse(octets: &[u8]) -> Result<Self, TpduError> {
        let (first_octet, mut reader) = Reader::new(octets, Mti::STATUS_REPORT)?;
        let mr = reader.octet("TP-MR")?;
        let ra = reader.address("TP-RA")?;
        let scts = reader.scts("TP-SCTS")?;
        let dt = reader.scts("TP-DT")?;
        let st = Status(reader.octet("TP-ST")?);
        let udhi = first_octet & first_octet::UDHI != 0;
        let parameters = if reader.rest.is_empty() {
            None
        } else {
            Some(Parameters::parse(&mut reader, udhi, Self::MAX)?)
        };
        reader.end()?;
        let user_data = parameters
            .as_ref()
            .and_then(|parameters| parameters.user_data.as_ref());
        Ok(Self {
            flags: flags(first_octet, user_data),
            mr,
            ra,
            scts,
            dt,
            st,
            parameters,
        })
    }

    /// Writes the report.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut out = vec![self.first_octet(), self.mr];
        self.ra.emit(&mut out);
        out.extend(self.scts.0);
        out.extend(self.dt.0);
        out.push(self.st.0);
        if let Some(parameters) = &self.parameters {
            parameters.emit(parameters.indicator(), &mut out);
        }
        out
    }

    /// The first octet as it stands in the message.
    #[must_use]
    pub fn first_octet(&self) -> u8 {
        let parameters = self.parameters.as_ref();
        let user_data = parameters.and_then(|parameters| parameters.user_data.as_ref());
        outgoing(self.flags, Mti::STATUS_REPORT, user_data)
    }

    /// TP-MMS the way people mean it: more messages are waiting (the bit is *clear*).
    #[must_use]
    pub const fn more_messages(&self) -> bool {
        self.flags & first_octet::MMS == 0
    }

    /// TP-LP: forwarded or spawned already.
    #[must_use]
    pub const fn loop_prevention(&self) -> bool {
        self.flags & first_octet::LP != 0
    }

    /// TP-SRQ: the report answers SMS-COMMAND.
    #[must_use]
    pub const fn answers_command(&self) -> bool {
        self.flags & first_octet::SRQ != 0
    }
}

/// TP-PI and the fields it announces (§9.2.3.27).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// TP-PID.
    pub pid: Option<Pid>,
    /// TP-DCS. Without it, 00 is assumed: TP-UDL counts septets, or octets where septets do not fit.
    pub dcs: Option<Dcs>,
    /// TP-UDL and TP-UD.
    pub user_data: Option<UserData>,
    /// Bits 3 to 6 of TP-PI: announce fields of later releases.
    reserved: u8,
    /// Further octets of TP-PI.
    extension: Vec<u8>,
    /// The fields that reserved bits announce, unread.
    rest: Vec<u8>,
}

impl Parameters {
    /// These fields and nothing of later releases.
    #[must_use]
    pub const fn new(pid: Option<Pid>, dcs: Option<Dcs>, user_data: Option<UserData>) -> Self {
        Self {
            pid,
            dcs,
            user_data,
            reserved: 0,
            extension: Vec::new(),
            rest: Vec::new(),
        }
    }

    /// TP-PI's first octet as it goes out.
    #[must_use]
    pub fn pi(&self) -> u8 {
        let flag = |there: bool, bit: u8| if there { bit } else { 0 };
        self.reserved
            | flag(self.pid.is_some(), pi::PID)
            | flag(self.dcs.is_some(), pi::DCS)
            | flag(self.user_data.is_some(), pi::UDL)
            | flag(!self.extension.is_empty(), pi::EXTENSION)
    }

    fn parse(reader: &mut Reader<'_>, udhi: bool, max: usize) -> Result<Self, TpduError> {
        let indicator = reader.octet("TP-PI")?;
        let extension = parse_extension(indicator, reader)?;
        Self::parse_body(indicator, extension, reader, udhi, max)
    }

    fn parse_body(
        indicator: u8,
        extension: Vec<u8>,
        reader: &mut Reader<'_>,
        udhi: bool,
        max: usize,
    ) -> Result<Self, TpduError> {
        let announced = |bit| indicator & bit != 0;
        let pid = if announced(pi::PID) {
            Some(Pid(reader.octet("TP-PID")?))
        } else {
            None
        };
        let dcs = if announced(pi::DCS) {
            Some(Dcs(reader.octet("TP-DCS")?))
        } else {
            None
        };
        let user_data = if announced(pi::UDL) {
            let (user_data, rest) = match dcs {
                Some(_) => UserData::parse(reader.rest, dcs, udhi, max)?,
                None => UserData::parse_uncoded(reader.rest, udhi, max)?,
            };
            reader.rest = rest;
            Some(user_data)
        } else {
            None
        };
        // What a later release announces comes after TP-UD and is to be skipped.
        let reserved = indicator & pi::RESERVED;
        let unknown = reserved != 0 || !extension.is_empty();
        let rest = if unknown {
            reader.take_rest().to_vec()
        } else {
            Vec::new()
        };
        Ok(Self {
            pid,
            dcs,
            user_data,
            reserved,
            extension,
            rest,
        })
    }

    fn indicator(&self) -> Vec<u8> {
        let mut octets = vec![self.pi()];
        octets.extend_from_slice(&self.extension);
        octets
    }

    fn emit(&self, indicator: Vec<u8>, out: &mut Vec<u8>) {
        out.extend(indicator);
        out.extend(self.pid.map(|pid| pid.0));
        out.extend(self.dcs.map(|dcs| dcs.0));
        if let Some(user_data) = &self.user_data {
            user_data.emit(out);
        }
        out.extend_from_slice(&self.rest);
    }
}

/// TP-FCS, failure cause (§9.2.3.22).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fcs(pub u8);

impl Fcs {
    /// Telematic interworking not supported.
    pub const TELEMATIC_UNSUPPORTED: Self = Self(0x80);
    /// Short message type 0 not supported.
    pub const TYPE_0_UNSUPPORTED: Self = Self(0x81);
    /// TP-DCS error: the coding is not supported.
    pub const DCS_UNSUPPORTED: Self = Self(0x90);
    /// Service centre: the receiver's address is invalid.
    pub const INVALID_SME_ADDRESS: Self = Self(0xC3);
    /// SIM SMS storage full.
    pub const SIM_STORAGE_FULL: Self = Self(0xD0);
    /// No SMS storage in the SIM.
    pub const NO_SIM_STORAGE: Self = Self(0xD1);
    /// Error in the mobile equipment.
    pub const ME_ERROR: Self = Self(0xD2);
    /// Memory capacity exceeded.
    pub const MEMORY_EXCEEDED: Self = Self(0xD3);
    /// (U)SIM application toolkit busy: the card answered 93 00.
    pub const TOOLKIT_BUSY: Self = Self(0xD4);
    /// (U)SIM data download error: the card answered with an error.
    pub const DATA_DOWNLOAD_ERROR: Self = Self(0xD5);
    /// Unspecified.
    pub const UNSPECIFIED: Self = Self(0xFF);
}

impl fmt::Display for Fcs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02X}", self.0)
    }
}

/// TP-ST, what became of a message (§9.2.3.15).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Status(pub u8);

impl Status {
    /// Received by the phone.
    pub const DELIVERED: Self = Self(0x00);
    /// Forwarded, but the service centre cannot confirm delivery.
    pub const FORWARDED: Self = Self(0x01);
    /// The validity period ended.
    pub const EXPIRED: Self = Self(0x46);

    /// Whether the service centre has stopped trying without success (4x and 6x).
    #[must_use]
    pub const fn failed(self) -> bool {
        matches!(self.0, 0x40..=0x7F)
    }

    /// Whether the service centre still tries (2x and 3x).
    #[must_use]
    pub const fn trying(self) -> bool {
        matches!(self.0, 0x20..=0x3F)
    }
}

/// Bits of TP-PI.
mod pi {
    pub(super) const PID: u8 = 0b0000_0001;
    pub(super) const DCS: u8 = 0b0000_0010;
    pub(super) const UDL: u8 = 0b0000_0100;
    pub(super) const RESERVED: u8 = 0b0111_1000;
    pub(super) const EXTENSION: u8 = 0b1000_0000;
}

fn parse_fcs(reader: &mut Reader<'_>, carrier: ReportIn) -> Result<Option<Fcs>, TpduError> {
    match carrier {
        ReportIn::Ack => Ok(None),
        ReportIn::Error => reader.octet("TP-FCS").map(|octet| Some(Fcs(octet))),
    }
}

/// Further octets of TP-PI follow while the topmost bit of the one before is set.
fn parse_extension(indicator: u8, reader: &mut Reader<'_>) -> Result<Vec<u8>, TpduError> {
    let mut extension = Vec::new();
    let mut last = indicator;
    while last & pi::EXTENSION != 0 {
        last = reader.octet("TP-PI")?;
        extension.push(last);
    }
    Ok(extension)
}

//! TS 24.011: RP messages.

use ota_wire::dissect::Keys;
use ota_wire::rp::{Cause, Direction, Message, Tpdu};
use serde::{Deserialize, Serialize};

use super::tpdu::{MoTpdu, MtTpdu, Report};
use super::values::{AddressDoc, Hex};
use super::{EncodeError, Fields, Result};

/// An RP message. Its TPDU, if it has one, stands in one of the last four fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rp {
    message: MessageDoc,
    direction: DirectionDoc,
    mr: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    oa: Option<AddressDoc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    da: Option<AddressDoc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    diagnostic: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tpdu: Option<Hex>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mt_tpdu: Option<MtTpdu>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mo_tpdu: Option<MoTpdu>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    report: Option<Report>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum MessageDoc {
    #[serde(rename = "rp-data")]
    Data,
    #[serde(rename = "rp-ack")]
    Ack,
    #[serde(rename = "rp-error")]
    Error,
    #[serde(rename = "rp-smma")]
    Smma,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum DirectionDoc {
    FromPhone,
    ToPhone,
}

impl From<DirectionDoc> for Direction {
    fn from(doc: DirectionDoc) -> Self {
        match doc {
            DirectionDoc::FromPhone => Self::FromPhone,
            DirectionDoc::ToPhone => Self::ToPhone,
        }
    }
}

impl Rp {
    fn of(message: &Message, direction: DirectionDoc, keys: &Keys) -> Self {
        let empty = Self {
            message: MessageDoc::Smma,
            direction,
            mr: message.mr(),
            oa: None,
            da: None,
            cause: None,
            diagnostic: None,
            tpdu: None,
            mt_tpdu: None,
            mo_tpdu: None,
            report: None,
        };
        let doc = match message {
            Message::Data { oa, da, .. } => Self {
                message: MessageDoc::Data,
                oa: oa.as_ref().map(Into::into),
                da: da.as_ref().map(Into::into),
                ..empty
            },
            Message::Ack { .. } => Self {
                message: MessageDoc::Ack,
                ..empty
            },
            Message::Error {
                cause, diagnostic, ..
            } => Self {
                message: MessageDoc::Error,
                cause: Some(cause.0),
                diagnostic: *diagnostic,
                ..empty
            },
            Message::Smma { .. } => empty,
        };
        match message.tpdu() {
            Some(tpdu) => doc.with_tpdu(tpdu.octets(), keys),
            None => doc,
        }
    }

    fn with_tpdu(self, tpdu: &[u8], keys: &Keys) -> Self {
        let data = self.message == MessageDoc::Data;
        let to_phone = self.direction == DirectionDoc::ToPhone;
        let mt_tpdu = MtTpdu::read_exactly(tpdu, keys).filter(|_| data && to_phone);
        let mo_tpdu = MoTpdu::read_exactly(tpdu, keys).filter(|_| data && !to_phone);
        // A status report comes in an RP-DATA, too.
        let is_message = mt_tpdu.is_some() || mo_tpdu.is_some();
        let report = Report::read_exactly(tpdu, keys).filter(|_| !is_message);
        let plain = !is_message && report.is_none();
        Self {
            tpdu: plain.then(|| tpdu.into()),
            mt_tpdu,
            mo_tpdu,
            report,
            ..self
        }
    }

    fn tpdu(&self, keys: &Keys) -> Result<Option<Tpdu>> {
        let octets = if let Some(tpdu) = &self.mt_tpdu {
            tpdu.emit(keys).map_err(|error| error.within("mt_tpdu"))?
        } else if let Some(tpdu) = &self.mo_tpdu {
            tpdu.emit(keys).map_err(|error| error.within("mo_tpdu"))?
        } else if let Some(report) = &self.report {
            report.emit(keys).map_err(|error| error.within("report"))?
        } else if let Some(Hex(octets)) = &self.tpdu {
            octets.clone()
        } else {
            return Ok(None);
        };
        let tpdu = Tpdu::new(octets).map_err(EncodeError::new);
        tpdu.map(Some).map_err(|error| error.within("tpdu"))
    }
}

impl Fields for Rp {
    fn read(octets: &[u8], keys: &Keys) -> Option<Self> {
        [DirectionDoc::FromPhone, DirectionDoc::ToPhone]
            .into_iter()
            .find_map(|direction| {
                let message = Message::parse(direction.into(), octets).ok()?;
                Some(Self::of(&message, direction, keys))
            })
    }

    fn emit(&self, keys: &Keys) -> Result<Vec<u8>> {
        let address = |field: &str, doc: &Option<AddressDoc>| {
            let address = doc.as_ref().map(AddressDoc::address).transpose();
            address.map_err(|error| error.within(field))
        };
        let missing = |field: &str| EncodeError(format!("{field}: missing"));
        let (mr, tpdu) = (self.mr, self.tpdu(keys)?);
        let message = match self.message {
            MessageDoc::Data => Message::Data {
                mr,
                oa: address("oa", &self.oa)?,
                da: address("da", &self.da)?,
                tpdu: tpdu.ok_or_else(|| missing("mt_tpdu, mo_tpdu, report or tpdu"))?,
            },
            MessageDoc::Ack => Message::Ack { mr, tpdu },
            MessageDoc::Error => Message::Error {
                mr,
                cause: Cause(self.cause.ok_or_else(|| missing("cause"))?),
                diagnostic: self.diagnostic,
                tpdu,
            },
            MessageDoc::Smma => Message::Smma { mr },
        };
        Ok(message.emit(self.direction.into()))
    }
}

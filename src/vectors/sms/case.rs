//! What a case states.

use jiff::{SignedDuration, Timestamp};
use ota_wire::sms::address::{Address, Npi, Ton};
use ota_wire::sms::dcs::Dcs;
use ota_wire::sms::scts::Scts;
use ota_wire::sms::tpdu::{Parameters, Pid, ReportIn, ValidityPeriod};
use ota_wire::sms::udh::{Iei, InformationElement, Udh};
use ota_wire::sms::user_data::UserData;
use serde_json::Value;

use super::text_of;

/// A case, or an object in one.
#[derive(Clone, Copy)]
pub(super) struct Case<'a>(pub(super) &'a Value);

impl<'a> Case<'a> {
    pub(super) fn optional(self, field: &str) -> Option<&'a Value> {
        self.0.get(field).filter(|value| !value.is_null())
    }

    pub(super) fn value(self, field: &str) -> Result<&'a Value, String> {
        self.optional(field)
            .ok_or_else(|| format!("the case has no {field}"))
    }

    pub(super) fn inner(self, field: &str) -> Result<Self, String> {
        self.value(field).map(Self)
    }

    pub(super) fn text(self, field: &str) -> Result<&'a str, String> {
        let value = self.value(field)?;
        value
            .as_str()
            .ok_or_else(|| format!("{field} is no string"))
    }

    pub(super) fn octets(self, field: &str) -> Result<Vec<u8>, String> {
        hex::decode(self.text(field)?).map_err(|error| format!("{field}: {error}"))
    }

    pub(super) fn octet(self, field: &str) -> Result<u8, String> {
        match self.octets(field)?[..] {
            [octet] => Ok(octet),
            ref other => Err(format!("{field} has {} octets, not one", other.len())),
        }
    }

    pub(super) fn optional_octet(self, field: &str) -> Result<Option<u8>, String> {
        self.optional(field).map(|_| self.octet(field)).transpose()
    }

    pub(super) fn number(self, field: &str) -> Result<u64, String> {
        let value = self.value(field)?;
        value
            .as_u64()
            .ok_or_else(|| format!("{field} is no number"))
    }

    pub(super) fn small_number(self, field: &str) -> Result<u8, String> {
        u8::try_from(self.number(field)?).map_err(|error| format!("{field}: {error}"))
    }

    pub(super) fn bit(self, field: &str) -> Result<bool, String> {
        let value = self.value(field)?;
        value
            .as_bool()
            .ok_or_else(|| format!("{field} is neither true nor false"))
    }

    pub(super) fn flags(self, bits: &[(&str, u8)]) -> Result<u8, String> {
        bits.iter().try_fold(0, |flags, &(field, bit)| {
            Ok(if self.bit(field)? { flags | bit } else { flags })
        })
    }

    pub(super) fn carrier(self) -> Result<ReportIn, String> {
        match self.text("in_rp")? {
            "ack" => Ok(ReportIn::Ack),
            "error" => Ok(ReportIn::Error),
            other => Err(format!("in_rp {other:?} is not known")),
        }
    }

    /// The address stated. A case does not state the length of a name, which senders either count exactly or round up
    /// to whole octets; where nothing but that length differs from `got`, it is taken from there.
    pub(super) fn address_like(self, field: &str, got: &Address) -> Result<Address, String> {
        let stated = self.address(field)?;
        let length_only = stated.text().is_some() && stated.to_value() == got.to_value();
        Ok(if length_only { got.clone() } else { stated })
    }

    pub(super) fn address(self, field: &str) -> Result<Address, String> {
        let stated = self.inner(field)?;
        let ton = Ton::new(stated.small_number("ton")?).ok_or("ton is above 7")?;
        let npi = Npi::new(stated.small_number("npi")?).ok_or("npi is above 15")?;
        let address = match stated.optional("text") {
            Some(_) => Address::alphanumeric(stated.text("text")?),
            None => Address::new(ton, npi, stated.text("digits")?),
        };
        address.map_err(|error| format!("{field}: {error}"))
    }

    /// From the decoded time if the case has it, else from the octets.
    pub(super) fn time(self, field: &str) -> Result<Scts, String> {
        let iso = format!("{field}_iso");
        if self.optional(&iso).is_some() {
            return time_of(self.text(&iso)?);
        }
        self.raw_time(field)
    }

    pub(super) fn raw_time(self, field: &str) -> Result<Scts, String> {
        let octets = self.octets(field)?;
        let octets = octets
            .try_into()
            .map_err(|_| format!("{field} is not 7 octets"))?;
        Ok(Scts(octets))
    }

    pub(super) fn period(self) -> Result<ValidityPeriod, String> {
        Ok(match self.text("vpf")? {
            "none" => ValidityPeriod::None,
            "enhanced" => ValidityPeriod::Enhanced(self.raw_time("vp")?.0),
            "relative" => {
                let minutes = self.number("vp_minutes")?;
                ValidityPeriod::relative(SignedDuration::from_mins(minutes as i64))
            }
            "absolute" => ValidityPeriod::Absolute(self.time("vp")?),
            other => return Err(format!("vpf {other:?} is not known")),
        })
    }

    pub(super) fn elements(self, field: &str) -> Result<Vec<InformationElement>, String> {
        let list = self.value(field)?.as_array();
        list.ok_or_else(|| format!("{field} is no list"))?
            .iter()
            .map(|element| {
                let element = Case(element);
                let iei = Iei(element.octet("iei")?);
                Ok(InformationElement::new(iei, element.octets("value")?))
            })
            .collect()
    }

    pub(super) fn user_data(self, dcs: Dcs) -> Result<Option<UserData>, String> {
        let Some(stated) = self.optional("user_data").map(Case) else {
            return Ok(None);
        };
        let udh = match stated.optional("udh") {
            Some(_) => Some(Udh::new(stated.elements("udh")?).map_err(text_of)?),
            None => None,
        };
        let user_data = match stated.optional("text") {
            Some(_) => UserData::text(udh, stated.text("text")?, dcs),
            None => UserData::new(udh, stated.octets("data")?),
        };
        user_data.map(Some).map_err(text_of)
    }

    pub(super) fn parameters(self) -> Result<Parameters, String> {
        let user_data = match self.optional("ud") {
            None => None,
            Some(_) => {
                let octets = self.octets("ud")?;
                let (udh, payload) = if self.bit("udhi_bit")? {
                    let (udh, payload) = Udh::parse(&octets).map_err(text_of)?;
                    (Some(udh), payload)
                } else {
                    (None, &octets[..])
                };
                Some(UserData::report(udh, payload).map_err(text_of)?)
            }
        };
        let pid = self.optional_octet("pid")?.map(Pid);
        let dcs = self.optional_octet("dcs")?.map(Dcs);
        Ok(Parameters::new(pid, dcs, user_data))
    }
}

/// The stamp of an ISO 8601 time, which shows its own distance from UTC.
pub(crate) fn time_of(iso: &str) -> Result<Scts, String> {
    let instant: Timestamp = iso.parse().map_err(text_of)?;
    // `Z` is a distance, too.
    let zone = iso
        .get(19..)
        .map(|zone| if zone == "Z" { "+00:00" } else { zone });
    let zone = zone
        .and_then(|zone| zone.split_once(':'))
        .ok_or_else(|| format!("{iso:?} has no distance from UTC"))?;
    let hours: i8 = zone.0.parse().map_err(text_of)?;
    let minutes: i8 = zone.1.parse().map_err(text_of)?;
    let east = if zone.0.starts_with('-') { -1 } else { 1 };
    let distance = i16::from(hours) * 60 + east * i16::from(minutes);
    // Two digits and a sign (TS 23.040 §9.2.3.11).
    let quarters = i8::try_from(distance / 15)
        .ok()
        .filter(|quarters| distance % 15 == 0 && quarters.abs() <= 79)
        .ok_or_else(|| {
            let got = format!("{}:{}", zone.0, zone.1);
            format!("expected quarters of an hour from UTC, at most 19:45, got {got}")
        })?;
    let year = iso.get(..4).unwrap_or_default();
    if !year.starts_with("20") {
        return Err(format!("expected a year from 2000 to 2099, got {year}"));
    }
    Ok(Scts::new(instant, quarters))
}

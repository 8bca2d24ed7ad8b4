//! Comparisons of what was read with what a case states. What it does not state is not compared.

use std::fmt::Debug;

use ota_wire::sms::address::Address;
use ota_wire::sms::dcs::{Alphabet, Dcs};
use ota_wire::sms::scts::Scts;
use ota_wire::sms::tpdu::{Fcs, Parameters, ValidityPeriod};
use ota_wire::sms::udh::Udh;
use ota_wire::sms::user_data::UserData;
use serde_json::Value;

use super::case::Case;

impl Case<'_> {
    pub(super) fn same_octets(self, field: &str, got: &[u8]) -> Result<(), String> {
        match self.optional(field) {
            Some(_) => same(field, &self.octets(field)?[..], got),
            None => Ok(()),
        }
    }

    pub(super) fn same_bit(self, field: &str, got: bool) -> Result<(), String> {
        match self.optional(field) {
            Some(_) => same(field, self.bit(field)?, got),
            None => Ok(()),
        }
    }

    pub(super) fn same_number(self, field: &str, got: u64) -> Result<(), String> {
        match self.optional(field) {
            Some(_) => same(field, self.number(field)?, got),
            None => Ok(()),
        }
    }

    pub(super) fn same_address(self, field: &str, got: &Address) -> Result<(), String> {
        let stated = self.inner(field)?;
        stated.same_number("ton", got.ton().get().into())?;
        stated.same_number("npi", got.npi().get().into())?;
        let text = |field| stated.optional(field).and_then(Value::as_str);
        same("digits", text("digits"), got.digits().as_deref())?;
        same("text", text("text"), got.text().as_deref())
    }

    pub(super) fn same_time(self, field: &str, got: &Scts) -> Result<(), String> {
        self.same_octets(field, &got.0)?;
        let iso = format!("{field}_iso");
        match self.optional(&iso) {
            Some(_) => same(&iso, self.text(&iso)?, got.to_string().as_str()),
            None => Ok(()),
        }
    }

    pub(super) fn same_period(self, got: &ValidityPeriod) -> Result<(), String> {
        let format = match got {
            ValidityPeriod::None => "none",
            ValidityPeriod::Enhanced(_) => "enhanced",
            ValidityPeriod::Relative(_) => "relative",
            ValidityPeriod::Absolute(stamp) => {
                self.same_time("vp", stamp)?;
                "absolute"
            }
        };
        same("vpf", self.text("vpf")?, format)?;
        self.same_octets("vp", &got.octets())?;
        match (self.optional("vp_minutes"), got.duration()) {
            (None, _) => Ok(()),
            (Some(_), None) => Err("vp_minutes: the octets say no duration".to_owned()),
            (Some(_), Some(duration)) => same(
                "vp_minutes",
                self.number("vp_minutes")? as i64,
                duration.as_mins(),
            ),
        }
    }

    pub(super) fn same_user_data(self, dcs: Dcs, got: &UserData) -> Result<(), String> {
        self.same_number("udl", got.udl().into())?;
        let Some(stated) = self.optional("user_data").map(Case) else {
            return Ok(());
        };
        same(
            "alphabet",
            stated.text("alphabet")?,
            name_of(dcs.alphabet()),
        )?;
        let header = match stated.optional("udh") {
            Some(_) => Some(stated.elements("udh")?),
            None => None,
        };
        same("udh", header.as_deref(), got.udh().map(Udh::elements))?;
        stated.same_number("fill_bits", got.fill_bits().into())?;
        match stated.optional("text") {
            Some(_) => {
                let text = got.to_text(dcs);
                same("text", Some(stated.text("text")?), text.as_deref())
            }
            None => same("data", stated.octets("data")?.as_slice(), got.payload()),
        }
    }

    pub(super) fn same_cause(self, got: Option<Fcs>) -> Result<(), String> {
        same("fcs", self.optional_octet("fcs")?, got.map(|fcs| fcs.0))
    }

    pub(super) fn same_parameters(self, got: &Parameters) -> Result<(), String> {
        self.same_octets("pi", &[got.pi()])?;
        same("pid", self.optional_octet("pid")?, got.pid.map(|pid| pid.0))?;
        same("dcs", self.optional_octet("dcs")?, got.dcs.map(|dcs| dcs.0))?;
        let stated = self.optional("ud").map(|_| self.octets("ud")).transpose()?;
        let got = got.user_data.as_ref().map(UserData::to_octets);
        same("ud", stated, got)
    }
}

pub(super) const fn name_of(alphabet: Alphabet) -> &'static str {
    match alphabet {
        Alphabet::Gsm7 => "gsm7",
        Alphabet::Data => "8bit",
        Alphabet::Ucs2 => "ucs2",
        Alphabet::Reserved => "reserved",
    }
}

pub(super) fn same<T: PartialEq + Debug>(field: &str, expected: T, got: T) -> Result<(), String> {
    if expected == got {
        Ok(())
    } else {
        Err(differs(field, expected, got))
    }
}

pub(super) fn differs(field: &str, expected: impl Debug, got: impl Debug) -> String {
    format!("{field}: expected {expected:02x?}, got {got:02x?}")
}

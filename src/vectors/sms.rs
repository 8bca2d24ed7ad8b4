//! Cases of `sms-tpdu` files: TPDUs and their fields, addresses, headers and coding schemes.
//!
//! A case states octets and what they mean. Both ways are tried: the octets are read and every field that the case
//! states is compared, then the octets are built from the stated fields alone and compared. Fields that are not
//! known here are ignored.

use std::fmt::Debug;

use jiff::{SignedDuration, Timestamp};
use ota_wire::sms::address::{Address, Npi, Ton};
use ota_wire::sms::dcs::{Alphabet, Dcs};
use ota_wire::sms::scts::Scts;
use ota_wire::sms::tpdu::{
    Deliver, DeliverReport, Fcs, Parameters, Pid, ReportIn, Status, StatusReport, Submit,
    SubmitReport, ValidityPeriod, first_octet,
};
use ota_wire::sms::udh::{Iei, InformationElement, Udh};
use ota_wire::sms::user_data::UserData;
use serde_json::Value;

/// Runs one case.
///
/// # Errors
/// What differs, as `field: expected …, got …`, or what the case lacks.
pub fn run(case: &Value) -> Result<(), String> {
    let case = Case(case);
    match case.text("kind")? {
        "address" => address(case),
        "dcs" => dcs(case),
        "deliver" => deliver(case),
        "deliver-report" => deliver_report(case),
        "negative" => negative(case),
        "status-report" => status_report(case),
        "submit" => submit(case),
        "submit-report" => submit_report(case),
        "udh" => udh(case),
        kind => Err(format!("kind {kind:?} is not one of SMS")),
    }
}

fn deliver(case: Case<'_>) -> Result<(), String> {
    let octets = case.octets("tpdu")?;
    let got = Deliver::parse(&octets).map_err(text_of)?;
    case.same_octets("first_octet", &[got.first_octet()])?;
    case.same_bit("mms_bit", !got.more_messages())?;
    case.same_bit("lp_bit", got.loop_prevention())?;
    case.same_bit("sri_bit", got.status_report_indication())?;
    case.same_bit("udhi_bit", got.user_data.udh().is_some())?;
    case.same_bit("rp_bit", got.reply_path())?;
    case.same_address("oa", &got.oa)?;
    case.same_octets("pid", &[got.pid.0])?;
    case.same_octets("dcs", &[got.dcs.0])?;
    case.same_time("scts", &got.scts)?;
    case.same_user_data(got.dcs, &got.user_data)?;
    same("octets read and written", &octets, &got.emit())?;

    let dcs = Dcs(case.octet("dcs")?);
    let mut built = Deliver::new(
        case.address_like("oa", &got.oa)?,
        Pid(case.octet("pid")?),
        dcs,
        case.time("scts")?,
        case.user_data(dcs)?.unwrap_or(got.user_data),
    );
    built.flags = case.flags(&[
        ("mms_bit", first_octet::MMS),
        ("lp_bit", first_octet::LP),
        ("sri_bit", first_octet::SRI),
        ("rp_bit", first_octet::RP),
    ])?;
    same("octets built", &octets, &built.emit())
}

fn submit(case: Case<'_>) -> Result<(), String> {
    let octets = case.octets("tpdu")?;
    let got = Submit::parse(&octets).map_err(text_of)?;
    case.same_octets("first_octet", &[got.first_octet()])?;
    case.same_bit("rd_bit", got.reject_duplicates())?;
    case.same_bit("srr_bit", got.status_report_request())?;
    case.same_bit("udhi_bit", got.user_data.udh().is_some())?;
    case.same_bit("rp_bit", got.reply_path())?;
    case.same_number("mr", got.mr.into())?;
    case.same_address("da", &got.da)?;
    case.same_octets("pid", &[got.pid.0])?;
    case.same_octets("dcs", &[got.dcs.0])?;
    case.same_period(&got.vp)?;
    case.same_user_data(got.dcs, &got.user_data)?;
    same("octets read and written", &octets, &got.emit())?;

    let dcs = Dcs(case.octet("dcs")?);
    let mut built = Submit::new(
        case.small_number("mr")?,
        case.address_like("da", &got.da)?,
        Pid(case.octet("pid")?),
        dcs,
        case.user_data(dcs)?.unwrap_or(got.user_data),
    );
    built.vp = case.period()?;
    built.flags = case.flags(&[
        ("rd_bit", first_octet::RD),
        ("srr_bit", first_octet::SRR),
        ("rp_bit", first_octet::RP),
    ])?;
    same("octets built", &octets, &built.emit())
}

fn deliver_report(case: Case<'_>) -> Result<(), String> {
    let octets = case.octets("tpdu")?;
    let carrier = case.carrier()?;
    let got = DeliverReport::parse(&octets, carrier).map_err(text_of)?;
    case.same_bit("udhi_bit", got.first_octet() & first_octet::UDHI != 0)?;
    case.same_cause(got.fcs)?;
    case.same_parameters(&got.parameters)?;
    same("octets read and written", &octets, &got.emit())?;

    let built = DeliverReport {
        flags: case.flags(&[("udhi_bit", first_octet::UDHI)])?,
        fcs: case.optional_octet("fcs")?.map(Fcs),
        parameters: case.parameters()?,
    };
    same("octets built", &octets, &built.emit())
}

fn submit_report(case: Case<'_>) -> Result<(), String> {
    let octets = case.octets("tpdu")?;
    let carrier = case.carrier()?;
    let got = SubmitReport::parse(&octets, carrier).map_err(text_of)?;
    case.same_cause(got.fcs)?;
    case.same_time("scts", &got.scts)?;
    case.same_parameters(&got.parameters)?;
    same("octets read and written", &octets, &got.emit())?;

    let mut built = SubmitReport::new(case.optional_octet("fcs")?.map(Fcs), case.time("scts")?);
    built.parameters = case.parameters()?;
    same("octets built", &octets, &built.emit())
}

fn status_report(case: Case<'_>) -> Result<(), String> {
    let octets = case.octets("tpdu")?;
    let got = StatusReport::parse(&octets).map_err(text_of)?;
    case.same_octets("first_octet", &[got.first_octet()])?;
    case.same_bit("mms_bit", !got.more_messages())?;
    case.same_bit("lp_bit", got.loop_prevention())?;
    case.same_bit("srq_bit", got.answers_command())?;
    case.same_number("mr", got.mr.into())?;
    case.same_address("ra", &got.ra)?;
    case.same_time("scts", &got.scts)?;
    case.same_time("dt", &got.dt)?;
    case.same_octets("st", &[got.st.0])?;
    same("octets read and written", &octets, &got.emit())?;

    let mut built = StatusReport::new(
        case.small_number("mr")?,
        case.address_like("ra", &got.ra)?,
        case.time("scts")?,
        case.time("dt")?,
        Status(case.octet("st")?),
    );
    built.parameters = got.parameters;
    built.flags = case.flags(&[
        ("mms_bit", first_octet::MMS),
        ("lp_bit", first_octet::LP),
        ("srq_bit", first_octet::SRQ),
    ])?;
    same("octets built", &octets, &built.emit())
}

fn address(case: Case<'_>) -> Result<(), String> {
    let octets = case.octets("encoded")?;
    let (got, rest) = Address::parse(&octets).map_err(text_of)?;
    same("octets after the address", &[][..], rest)?;
    case.same_address("address", &got)?;
    let mut built = Vec::new();
    case.address_like("address", &got)?.emit(&mut built);
    same("octets built", &octets, &built)
}

fn udh(case: Case<'_>) -> Result<(), String> {
    let octets = case.octets("encoded")?;
    let (got, rest) = Udh::parse(&octets).map_err(text_of)?;
    case.same_octets("tail", rest)?;
    let stated = case.elements("ies")?;
    same("ies", stated.as_slice(), got.elements())?;
    let mut built = Vec::new();
    Udh::new(stated).map_err(text_of)?.emit(&mut built);
    built.extend(case.octets("tail")?);
    same("octets built", &octets, &built)
}

fn dcs(case: Case<'_>) -> Result<(), String> {
    let got = Dcs(case.octet("dcs")?);
    let expect = case.inner("expect")?;
    same(
        "alphabet",
        expect.text("alphabet")?,
        name_of(got.alphabet()),
    )?;
    let class = got.class().map(|class| class as u64);
    same("message_class", expect.0["message_class"].as_u64(), class)?;
    expect.same_bit("compressed", got.compressed())?;
    expect.same_bit("auto_delete", got.auto_delete())?;
    match (expect.optional("message_waiting"), got.message_waiting()) {
        (None, None) => Ok(()),
        (Some(waiting), Some(got)) => {
            let waiting = Case(waiting);
            waiting.same_bit("store", got.store)?;
            waiting.same_bit("active", got.active)?;
            waiting.same_number("type", got.kind.into())
        }
        (expected, got) => Err(differs("message_waiting", expected, got)),
    }
}

fn negative(case: Case<'_>) -> Result<(), String> {
    let octets = case.octets("tpdu")?;
    let deliver = Deliver::parse(&octets);
    let accepted = match case.text("parse_as")? {
        "deliver" => deliver.is_ok(),
        "submit" => Submit::parse(&octets).is_ok(),
        "any" => {
            let report = |carrier| {
                DeliverReport::parse(&octets, carrier).is_ok()
                    || SubmitReport::parse(&octets, carrier).is_ok()
            };
            deliver.is_ok()
                || Submit::parse(&octets).is_ok()
                || StatusReport::parse(&octets).is_ok()
                || report(ReportIn::Ack)
                || report(ReportIn::Error)
        }
        other => return Err(format!("parse_as {other:?} is not known")),
    };
    match (case.text("expect")?, deliver) {
        ("reject", _) if accepted => Err("accepted, expected to be rejected".to_owned()),
        ("reject", _) => Ok(()),
        ("reject-or-ignore-trailing" | "reject-or-ignore-ie", Err(_)) => Ok(()),
        ("reject-or-ignore-trailing", Ok(got)) => {
            let shorter = octets.starts_with(&got.emit());
            shorter
                .then_some(())
                .ok_or_else(|| "accepted, but not as the beginning of the octets".to_owned())
        }
        ("reject-or-ignore-ie", Ok(got)) => match got.user_data.udh().map(Udh::concat) {
            Some(Ok(Some(concat))) => Err(format!("reads {concat:?} from a broken element")),
            _ => Ok(()),
        },
        ("keep-raw", Err(error)) => Err(format!("rejected: {error}")),
        ("keep-raw", Ok(got)) => {
            same("time", None, got.scts.timestamp())?;
            same("octets read and written", &octets, &got.emit())
        }
        (other, _) => Err(format!("expectation {other:?} is not known")),
    }
}

/// A case, or an object in one.
#[derive(Clone, Copy)]
struct Case<'a>(&'a Value);

/// What a case states.
impl<'a> Case<'a> {
    fn optional(self, field: &str) -> Option<&'a Value> {
        self.0.get(field).filter(|value| !value.is_null())
    }

    fn value(self, field: &str) -> Result<&'a Value, String> {
        self.optional(field)
            .ok_or_else(|| format!("the case has no {field}"))
    }

    fn inner(self, field: &str) -> Result<Self, String> {
        self.value(field).map(Self)
    }

    fn text(self, field: &str) -> Result<&'a str, String> {
        let value = self.value(field)?;
        value
            .as_str()
            .ok_or_else(|| format!("{field} is no string"))
    }

    fn octets(self, field: &str) -> Result<Vec<u8>, String> {
        hex::decode(self.text(field)?).map_err(|error| format!("{field}: {error}"))
    }

    fn octet(self, field: &str) -> Result<u8, String> {
        match self.octets(field)?[..] {
            [octet] => Ok(octet),
            ref other => Err(format!("{field} has {} octets, not one", other.len())),
        }
    }

    fn optional_octet(self, field: &str) -> Result<Option<u8>, String> {
        self.optional(field).map(|_| self.octet(field)).transpose()
    }

    fn number(self, field: &str) -> Result<u64, String> {
        let value = self.value(field)?;
        value
            .as_u64()
            .ok_or_else(|| format!("{field} is no number"))
    }

    fn small_number(self, field: &str) -> Result<u8, String> {
        u8::try_from(self.number(field)?).map_err(|error| format!("{field}: {error}"))
    }

    fn bit(self, field: &str) -> Result<bool, String> {
        let value = self.value(field)?;
        value
            .as_bool()
            .ok_or_else(|| format!("{field} is neither true nor false"))
    }

    fn flags(self, bits: &[(&str, u8)]) -> Result<u8, String> {
        bits.iter().try_fold(0, |flags, &(field, bit)| {
            Ok(if self.bit(field)? { flags | bit } else { flags })
        })
    }

    fn carrier(self) -> Result<ReportIn, String> {
        match self.text("in_rp")? {
            "ack" => Ok(ReportIn::Ack),
            "error" => Ok(ReportIn::Error),
            other => Err(format!("in_rp {other:?} is not known")),
        }
    }

    /// The address stated. A case does not state the length of a name, which senders either count exactly or round up
    /// to whole octets; where nothing but that length differs from `got`, it is taken from there.
    fn address_like(self, field: &str, got: &Address) -> Result<Address, String> {
        let stated = self.address(field)?;
        let length_only = stated.text().is_some() && stated.to_value() == got.to_value();
        Ok(if length_only { got.clone() } else { stated })
    }

    fn address(self, field: &str) -> Result<Address, String> {
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
    fn time(self, field: &str) -> Result<Scts, String> {
        let iso = format!("{field}_iso");
        if self.optional(&iso).is_some() {
            return time_of(self.text(&iso)?);
        }
        self.raw_time(field)
    }

    fn raw_time(self, field: &str) -> Result<Scts, String> {
        let octets = self.octets(field)?;
        let octets = octets
            .try_into()
            .map_err(|_| format!("{field} is not 7 octets"))?;
        Ok(Scts(octets))
    }

    fn period(self) -> Result<ValidityPeriod, String> {
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

    fn elements(self, field: &str) -> Result<Vec<InformationElement>, String> {
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

    fn user_data(self, dcs: Dcs) -> Result<Option<UserData>, String> {
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

    fn parameters(self) -> Result<Parameters, String> {
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

/// Comparisons with what a case states. What it does not state is not compared.
impl Case<'_> {
    fn same_octets(self, field: &str, got: &[u8]) -> Result<(), String> {
        match self.optional(field) {
            Some(_) => same(field, &self.octets(field)?[..], got),
            None => Ok(()),
        }
    }

    fn same_bit(self, field: &str, got: bool) -> Result<(), String> {
        match self.optional(field) {
            Some(_) => same(field, self.bit(field)?, got),
            None => Ok(()),
        }
    }

    fn same_number(self, field: &str, got: u64) -> Result<(), String> {
        match self.optional(field) {
            Some(_) => same(field, self.number(field)?, got),
            None => Ok(()),
        }
    }

    fn same_address(self, field: &str, got: &Address) -> Result<(), String> {
        let stated = self.inner(field)?;
        stated.same_number("ton", got.ton().get().into())?;
        stated.same_number("npi", got.npi().get().into())?;
        let text = |field| stated.optional(field).and_then(Value::as_str);
        same("digits", text("digits"), got.digits().as_deref())?;
        same("text", text("text"), got.text().as_deref())
    }

    fn same_time(self, field: &str, got: &Scts) -> Result<(), String> {
        self.same_octets(field, &got.0)?;
        let iso = format!("{field}_iso");
        match self.optional(&iso) {
            Some(_) => same(&iso, self.text(&iso)?, got.to_string().as_str()),
            None => Ok(()),
        }
    }

    fn same_period(self, got: &ValidityPeriod) -> Result<(), String> {
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

    fn same_user_data(self, dcs: Dcs, got: &UserData) -> Result<(), String> {
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

    fn same_cause(self, got: Option<Fcs>) -> Result<(), String> {
        same("fcs", self.optional_octet("fcs")?, got.map(|fcs| fcs.0))
    }

    fn same_parameters(self, got: &Parameters) -> Result<(), String> {
        self.same_octets("pi", &[got.pi()])?;
        same("pid", self.optional_octet("pid")?, got.pid.map(|pid| pid.0))?;
        same("dcs", self.optional_octet("dcs")?, got.dcs.map(|dcs| dcs.0))?;
        let stated = self.optional("ud").map(|_| self.octets("ud")).transpose()?;
        let got = got.user_data.as_ref().map(UserData::to_octets);
        same("ud", stated, got)
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

const fn name_of(alphabet: Alphabet) -> &'static str {
    match alphabet {
        Alphabet::Gsm7 => "gsm7",
        Alphabet::Data => "8bit",
        Alphabet::Ucs2 => "ucs2",
        Alphabet::Reserved => "reserved",
    }
}

fn same<T: PartialEq + Debug>(field: &str, expected: T, got: T) -> Result<(), String> {
    if expected == got {
        Ok(())
    } else {
        Err(differs(field, expected, got))
    }
}

fn differs(field: &str, expected: impl Debug, got: impl Debug) -> String {
    format!("{field}: expected {expected:02x?}, got {got:02x?}")
}

fn text_of(error: impl ToString) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests;

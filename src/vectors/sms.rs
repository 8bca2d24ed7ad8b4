//! Cases of `sms-tpdu` files: TPDUs and their fields, addresses, headers and coding schemes.
//!
//! A case states octets and what they mean. Both ways are tried: the octets are read and every field that the case
//! states is compared, then the octets are built from the stated fields alone and compared. Fields that are not
//! known here are ignored.

mod case;
mod same;

use ota_wire::sms::address::Address;
use ota_wire::sms::dcs::Dcs;
use ota_wire::sms::tpdu::{
    Deliver, DeliverReport, Fcs, Pid, ReportIn, Status, StatusReport, Submit, SubmitReport,
    first_octet,
};
use ota_wire::sms::udh::Udh;
use serde_json::Value;

use self::case::Case;
pub(crate) use self::case::time_of;
use self::same::{differs, name_of, same};

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

fn text_of(error: impl ToString) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests;

//! TS 23.040: TPDUs.

use ota_wire::dissect::Keys;
use ota_wire::sms::dcs::Dcs;
use ota_wire::sms::tpdu::{
    Deliver, DeliverReport, Fcs, Mti, Parameters, Pid, ReportIn, Status, StatusReport, Submit,
    SubmitReport, ValidityPeriod, first_octet,
};
use ota_wire::sms::user_data;
use serde::{Deserialize, Serialize};

use super::values::{AddressDoc, Hex, Octet, TimeDoc, UserDataDoc, is_default};
use super::{EncodeError, Fields, Result};

/// SMS-DELIVER.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MtTpdu {
    oa: AddressDoc,
    #[serde(default)]
    pid: Octet,
    #[serde(default)]
    dcs: Octet,
    scts: TimeDoc,
    #[serde(default, skip_serializing_if = "is_default")]
    more_messages: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    loop_prevention: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    status_report_indication: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    reply_path: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    user_data: UserDataDoc,
}

impl Fields for MtTpdu {
    fn read(octets: &[u8], keys: &Keys) -> Option<Self> {
        let deliver = Deliver::parse(octets).ok()?;
        Some(Self {
            oa: (&deliver.oa).into(),
            pid: Octet(deliver.pid.0),
            dcs: Octet(deliver.dcs.0),
            scts: (&deliver.scts).into(),
            more_messages: deliver.more_messages(),
            loop_prevention: deliver.loop_prevention(),
            status_report_indication: deliver.status_report_indication(),
            reply_path: deliver.reply_path(),
            user_data: UserDataDoc::read(&deliver.user_data, Some(deliver.dcs), keys),
        })
    }

    fn emit(&self, keys: &Keys) -> Result<Vec<u8>> {
        let dcs = Dcs(self.dcs.0);
        let mut deliver = Deliver::new(
            self.oa.address().map_err(|error| error.within("oa"))?,
            Pid(self.pid.0),
            dcs,
            self.scts.scts().map_err(|error| error.within("scts"))?,
            user_data(&self.user_data, dcs, keys)?,
        );
        deliver.flags = flags(&[
            (!self.more_messages, first_octet::MMS),
            (self.loop_prevention, first_octet::LP),
            (self.status_report_indication, first_octet::SRI),
            (self.reply_path, first_octet::RP),
        ]);
        Ok(deliver.emit())
    }
}

/// SMS-SUBMIT.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MoTpdu {
    #[serde(default)]
    mr: u8,
    da: AddressDoc,
    #[serde(default)]
    pid: Octet,
    #[serde(default)]
    dcs: Octet,
    #[serde(default, skip_serializing_if = "is_default")]
    reject_duplicates: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    status_report_request: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    reply_path: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vp: Option<PeriodDoc>,
    #[serde(default, skip_serializing_if = "is_default")]
    user_data: UserDataDoc,
}

/// TP-VP in one of its formats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PeriodDoc {
    RelativeMinutes(u32),
    Absolute(TimeDoc),
    /// Seven octets.
    Enhanced(Hex),
}

impl Fields for MoTpdu {
    fn read(octets: &[u8], keys: &Keys) -> Option<Self> {
        let submit = Submit::parse(octets).ok()?;
        Some(Self {
            mr: submit.mr,
            da: (&submit.da).into(),
            pid: Octet(submit.pid.0),
            dcs: Octet(submit.dcs.0),
            reject_duplicates: submit.reject_duplicates(),
            status_report_request: submit.status_report_request(),
            reply_path: submit.reply_path(),
            vp: match submit.vp {
                ValidityPeriod::None => None,
                ValidityPeriod::Relative(_) => {
                    let minutes = submit.vp.duration()?.as_mins();
                    Some(PeriodDoc::RelativeMinutes(u32::try_from(minutes).ok()?))
                }
                ValidityPeriod::Absolute(stamp) => Some(PeriodDoc::Absolute((&stamp).into())),
                ValidityPeriod::Enhanced(octets) => {
                    Some(PeriodDoc::Enhanced(octets.as_slice().into()))
                }
            },
            user_data: UserDataDoc::read(&submit.user_data, Some(submit.dcs), keys),
        })
    }

    fn emit(&self, keys: &Keys) -> Result<Vec<u8>> {
        let dcs = Dcs(self.dcs.0);
        let mut submit = Submit::new(
            self.mr,
            self.da.address().map_err(|error| error.within("da"))?,
            Pid(self.pid.0),
            dcs,
            user_data(&self.user_data, dcs, keys)?,
        );
        submit.vp = match &self.vp {
            None => ValidityPeriod::None,
            Some(PeriodDoc::RelativeMinutes(minutes)) => relative(*minutes)?,
            Some(PeriodDoc::Absolute(time)) => {
                ValidityPeriod::Absolute(time.scts().map_err(|error| error.within("vp"))?)
            }
            Some(PeriodDoc::Enhanced(octets)) => ValidityPeriod::Enhanced(octets.array("vp")?),
        };
        submit.flags = flags(&[
            (self.reject_duplicates, first_octet::RD),
            (self.status_report_request, first_octet::SRR),
            (self.reply_path, first_octet::RP),
        ]);
        Ok(submit.emit())
    }
}

/// The period of exactly so many minutes; not every number has one (TS 23.040 §9.2.3.12.1).
fn relative(minutes: u32) -> Result<ValidityPeriod> {
    let of = |step| {
        let period = ValidityPeriod::Relative(step);
        period.duration().map(|span| (period, span.as_mins()))
    };
    let wanted = i64::from(minutes);
    let mut steps = (0..=u8::MAX).filter_map(of);
    let mut below = None;
    let above = loop {
        match steps.next() {
            Some((period, span)) if span == wanted => return Ok(period),
            Some((_, span)) if span < wanted => below = Some(span),
            above => break above.map(|(_, span)| span),
        }
    };
    let nearest: Vec<_> = [below, above]
        .iter()
        .flatten()
        .map(ToString::to_string)
        .collect();
    Err(EncodeError(format!(
        "vp: relative_minutes: expected a period that TP-VP can say, the nearest being {}, got {minutes}",
        nearest.join(" and ")
    )))
}

/// Which report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum ReportDoc {
    #[serde(rename = "sms-deliver-report")]
    Deliver,
    #[serde(rename = "sms-submit-report")]
    Submit,
    #[serde(rename = "sms-status-report")]
    Status,
}

/// The three reports. With `fcs` the first two go in an RP-ERROR, without in an RP-ACK.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Report {
    report: ReportDoc,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fcs: Option<Octet>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mr: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ra: Option<AddressDoc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scts: Option<TimeDoc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dt: Option<TimeDoc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    st: Option<Octet>,
    #[serde(default, skip_serializing_if = "is_default")]
    more_messages: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    loop_prevention: bool,
    /// TP-SRQ: it answers SMS-COMMAND.
    #[serde(default, skip_serializing_if = "is_default")]
    answers_command: bool,
    /// Whether TP-PI is there. In the first two it always is.
    #[serde(default, skip_serializing_if = "is_default")]
    parameters: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pid: Option<Octet>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dcs: Option<Octet>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_data: Option<UserDataDoc>,
}

impl Report {
    fn empty(report: ReportDoc) -> Self {
        Self {
            report,
            fcs: None,
            mr: None,
            ra: None,
            scts: None,
            dt: None,
            st: None,
            more_messages: false,
            loop_prevention: false,
            answers_command: false,
            parameters: false,
            pid: None,
            dcs: None,
            user_data: None,
        }
    }

    fn with(self, fcs: Option<Fcs>, parameters: &Parameters, keys: &Keys) -> Self {
        let user_data = parameters.user_data.as_ref();
        Self {
            fcs: fcs.map(|fcs| Octet(fcs.0)),
            pid: parameters.pid.map(|pid| Octet(pid.0)),
            dcs: parameters.dcs.map(|dcs| Octet(dcs.0)),
            user_data: user_data.map(|data| UserDataDoc::read(data, parameters.dcs, keys)),
            ..self
        }
    }

    fn parameters(&self, keys: &Keys) -> Result<Parameters> {
        let dcs = self.dcs.map(|dcs| Dcs(dcs.0));
        let user_data = self.user_data.as_ref();
        let user_data = user_data.map(|doc| doc.user_data(dcs, keys)).transpose();
        Ok(Parameters::new(
            self.pid.map(|pid| Pid(pid.0)),
            dcs,
            user_data.map_err(|error| error.within("user_data"))?,
        ))
    }

    /// Fields that this report does not have.
    fn check(&self) -> Result<()> {
        let status = self.report == ReportDoc::Status;
        let submit = self.report == ReportDoc::Submit;
        let strange = [
            ("fcs", status && self.fcs.is_some()),
            ("mr", !status && self.mr.is_some()),
            ("ra", !status && self.ra.is_some()),
            ("scts", !status && !submit && self.scts.is_some()),
            ("dt", !status && self.dt.is_some()),
            ("st", !status && self.st.is_some()),
            ("more_messages", !status && self.more_messages),
            ("loop_prevention", !status && self.loop_prevention),
            ("answers_command", !status && self.answers_command),
            ("parameters", !status && self.parameters),
        ];
        match strange.iter().find(|(_, there)| *there) {
            Some((field, _)) => Err(EncodeError(format!("{field}: not in this report"))),
            None => Ok(()),
        }
    }
}

impl Fields for Report {
    fn read(octets: &[u8], keys: &Keys) -> Option<Self> {
        let carriers = [ReportIn::Ack, ReportIn::Error];
        let exact = |report: Self| {
            let same = report.emit(keys).is_ok_and(|emitted| emitted == octets);
            same.then_some(report)
        };
        match Mti::of(*octets.first()?) {
            Mti::DELIVER => carriers.into_iter().find_map(|carrier| {
                let got = DeliverReport::parse(octets, carrier).ok()?;
                let doc = Self::empty(ReportDoc::Deliver);
                exact(doc.with(got.fcs, &got.parameters, keys))
            }),
            Mti::SUBMIT => carriers.into_iter().find_map(|carrier| {
                let got = SubmitReport::parse(octets, carrier).ok()?;
                let doc = Self {
                    scts: Some((&got.scts).into()),
                    ..Self::empty(ReportDoc::Submit)
                };
                exact(doc.with(got.fcs, &got.parameters, keys))
            }),
            Mti::STATUS_REPORT => {
                let got = StatusReport::parse(octets).ok()?;
                let parameters = got.parameters.clone().unwrap_or_default();
                let doc = Self {
                    mr: Some(got.mr),
                    ra: Some((&got.ra).into()),
                    scts: Some((&got.scts).into()),
                    dt: Some((&got.dt).into()),
                    st: Some(Octet(got.st.0)),
                    more_messages: got.more_messages(),
                    loop_prevention: got.loop_prevention(),
                    answers_command: got.answers_command(),
                    parameters: got.parameters.is_some(),
                    ..Self::empty(ReportDoc::Status)
                };
                Some(doc.with(None, &parameters, keys))
            }
            _ => None,
        }
    }

    fn emit(&self, keys: &Keys) -> Result<Vec<u8>> {
        self.check()?;
        let parameters = self.parameters(keys)?;
        let fcs = self.fcs.map(|fcs| Fcs(fcs.0));
        let time = |field: &str, time: &Option<TimeDoc>| {
            let time = needed(field, time.as_ref())?;
            time.scts().map_err(|error| error.within(field))
        };
        Ok(match self.report {
            ReportDoc::Deliver => {
                let mut report = DeliverReport::new(fcs);
                report.parameters = parameters;
                report.emit()
            }
            ReportDoc::Submit => {
                let mut report = SubmitReport::new(fcs, time("scts", &self.scts)?);
                report.parameters = parameters;
                report.emit()
            }
            ReportDoc::Status => {
                let ra = needed("ra", self.ra.as_ref())?.address();
                let mut report = StatusReport::new(
                    needed("mr", self.mr)?,
                    ra.map_err(|error| error.within("ra"))?,
                    time("scts", &self.scts)?,
                    time("dt", &self.dt)?,
                    Status(needed("st", self.st)?.0),
                );
                report.flags = flags(&[
                    (!self.more_messages, first_octet::MMS),
                    (self.loop_prevention, first_octet::LP),
                    (self.answers_command, first_octet::SRQ),
                ]);
                let there = self.parameters || parameters != Parameters::default();
                report.parameters = there.then_some(parameters);
                report.emit()
            }
        })
    }
}

fn needed<T>(field: &str, value: Option<T>) -> Result<T> {
    value.ok_or_else(|| EncodeError(format!("{field}: missing")))
}

fn flags(bits: &[(bool, u8)]) -> u8 {
    let set = bits.iter().filter(|(set, _)| *set);
    set.fold(0, |flags, (_, bit)| flags | bit)
}

/// User data of a message, within what a message may hold.
fn user_data(doc: &UserDataDoc, dcs: Dcs, keys: &Keys) -> Result<user_data::UserData> {
    let built = doc.user_data(Some(dcs), keys);
    let built = built.map_err(|error| error.within("user_data"))?;
    if built.len() > user_data::MAX {
        return Err(EncodeError(format!(
            "user_data: expected at most {} octets with the header, got {}",
            user_data::MAX,
            built.len()
        )));
    }
    Ok(built)
}

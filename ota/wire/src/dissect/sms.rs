//! TS 23.040: TPDUs, user data, user data headers.

use super::cursor::{Cursor, Part, bits};
use super::{Keys, Tree, applet, packet};
use crate::sms::address::Address;
use crate::sms::dcs::{Alphabet, Dcs};
use crate::sms::gsm7;
use crate::sms::scts::Scts;
use crate::sms::tpdu::{
    Deliver, DeliverReport, Fcs, Mti, Pid, ReportIn, Status, StatusReport, Submit, SubmitReport,
    ValidityPeriod, first_octet,
};
use crate::sms::udh::{Concat, Iei, InformationElement, Reference};

const DELIVER: &str = "TS 23.040 §9.2.2.1";
const SUBMIT: &str = "TS 23.040 §9.2.2.2";
const DELIVER_REPORT: &str = "TS 23.040 §9.2.2.1a";
const SUBMIT_REPORT: &str = "TS 23.040 §9.2.2.2a";
const STATUS_REPORT: &str = "TS 23.040 §9.2.2.3";
const USER_DATA: &str = "TS 23.040 §9.2.3.24";

pub(super) fn deliver(part: Part<'_>, keys: &Keys) -> Tree {
    let mut cursor = Cursor::new(part, DELIVER);
    let fields = |c: &mut Cursor<'_>| {
        let first = first(
            c,
            Mti::DELIVER,
            &[
                (first_octet::RP, "reply path"),
                (first_octet::UDHI, "UDHI"),
                (first_octet::SRI, "status report wanted"),
                (first_octet::LP, "loop prevention"),
                (first_octet::MMS, "no more messages"),
            ],
        )?;
        address(c, "TP-OA")?;
        pid(c)?;
        let dcs = dcs(c)?;
        stamp(c, "TP-SCTS")?;
        user_data_field(c, Some(dcs), first & first_octet::UDHI != 0, keys)
    };
    fields(&mut cursor);
    cursor.judge(Deliver::parse(part.bytes));
    cursor.finish("SMS-DELIVER")
}

pub(super) fn submit(part: Part<'_>, keys: &Keys) -> Tree {
    let mut cursor = Cursor::new(part, SUBMIT);
    let fields = |c: &mut Cursor<'_>| {
        let first = first(
            c,
            Mti::SUBMIT,
            &[
                (first_octet::RP, "reply path"),
                (first_octet::UDHI, "UDHI"),
                (first_octet::SRR, "status report requested"),
                (first_octet::RD, "reject duplicates"),
            ],
        )?;
        c.octet("TP-MR")?;
        address(c, "TP-DA")?;
        pid(c)?;
        let dcs = dcs(c)?;
        validity_period(c, first)?;
        user_data_field(c, Some(dcs), first & first_octet::UDHI != 0, keys)
    };
    fields(&mut cursor);
    cursor.judge(Submit::parse(part.bytes));
    cursor.finish("SMS-SUBMIT")
}

pub(super) fn deliver_report(part: Part<'_>, carrier: ReportIn, keys: &Keys) -> Tree {
    let mut cursor = Cursor::new(part, DELIVER_REPORT);
    let fields = |c: &mut Cursor<'_>| {
        let first = first(c, Mti::DELIVER, &[(first_octet::UDHI, "UDHI")])?;
        failure_cause(c, carrier)?;
        parameters(c, first, keys)
    };
    fields(&mut cursor);
    cursor.judge(DeliverReport::parse(part.bytes, carrier));
    cursor.finish("SMS-DELIVER-REPORT")
}

pub(super) fn submit_report(part: Part<'_>, carrier: ReportIn, keys: &Keys) -> Tree {
    let mut cursor = Cursor::new(part, SUBMIT_REPORT);
    let fields = |c: &mut Cursor<'_>| {
        let first = first(c, Mti::SUBMIT, &[(first_octet::UDHI, "UDHI")])?;
        failure_cause(c, carrier)?;
        let indicator = indicator(c)?;
        stamp(c, "TP-SCTS")?;
        indicated(c, indicator, first, keys)
    };
    fields(&mut cursor);
    cursor.judge(SubmitReport::parse(part.bytes, carrier));
    cursor.finish("SMS-SUBMIT-REPORT")
}

pub(super) fn status_report(part: Part<'_>, keys: &Keys) -> Tree {
    let mut cursor = Cursor::new(part, STATUS_REPORT);
    let fields = |c: &mut Cursor<'_>| {
        let first = first(
            c,
            Mti::STATUS_REPORT,
            &[
                (first_octet::UDHI, "UDHI"),
                (first_octet::SRQ, "answers an SMS-COMMAND"),
                (first_octet::LP, "loop prevention"),
                (first_octet::MMS, "no more messages"),
            ],
        )?;
        c.octet("TP-MR")?;
        address(c, "TP-RA")?;
        stamp(c, "TP-SCTS")?;
        stamp(c, "TP-DT")?;
        let status = Status(c.octet("TP-ST")?);
        c.meaning(match status {
            Status::DELIVERED => "delivered",
            Status::FORWARDED => "forwarded, delivery not confirmed",
            status if status.trying() => "not delivered yet, still trying",
            status if status.failed() => "not delivered",
            _ => "reserved",
        });
        if c.left() > 0 {
            parameters(c, first, keys)?;
        }
        Some(())
    };
    fields(&mut cursor);
    cursor.judge(StatusReport::parse(part.bytes));
    cursor.finish("SMS-STATUS-REPORT")
}

/// TP-UD without TP-UDL.
pub(super) fn user_data(part: Part<'_>, udhi: bool, keys: &Keys) -> Tree {
    let mut cursor = Cursor::new(part, USER_DATA);
    content(&mut cursor, Dcs::DATA, part.bytes.len(), udhi, keys);
    cursor.finish("TP-UD")
}

/// An address without a length: TON/NPI octet and semi-octets.
pub(super) fn address_meaning(value: &[u8]) -> Option<String> {
    Address::from_value(value)
        .ok()
        .map(|address| address.to_string())
}

pub(super) fn fcs_meaning(fcs: Fcs) -> &'static str {
    match fcs {
        Fcs::TYPE_0_UNSUPPORTED => "short message type 0 not supported",
        Fcs::TELEMATIC_UNSUPPORTED => "telematic interworking not supported",
        Fcs::DCS_UNSUPPORTED => "data coding scheme not supported",
        Fcs::INVALID_SME_ADDRESS => "invalid SME address",
        Fcs::SIM_STORAGE_FULL => "SIM SMS storage full",
        Fcs::NO_SIM_STORAGE => "no SMS storage on the SIM",
        Fcs::ME_ERROR => "error in the ME",
        Fcs::MEMORY_EXCEEDED => "memory capacity exceeded",
        Fcs::TOOLKIT_BUSY => "application toolkit busy",
        Fcs::DATA_DOWNLOAD_ERROR => "data download error",
        Fcs::UNSPECIFIED => "unspecified",
        _ => "other",
    }
}

/// The first octet: message type and flags.
fn first(c: &mut Cursor<'_>, expected: Mti, flags: &[(u8, &str)]) -> Option<u8> {
    let octet = c.octet("first octet")?;
    let mti = Mti::of(octet);
    let flags = bits(octet, flags).map_or_else(String::new, |flags| format!(", {flags}"));
    c.meaning(format!("TP-MTI {:02b}{flags}", mti.get()));
    if mti != expected {
        let (expected, got) = (expected.get(), mti.get());
        c.error(format!("TP-MTI: expected {expected:02b}, got {got:02b}"));
        return None;
    }
    Some(octet)
}

fn address(c: &mut Cursor<'_>, name: &str) -> Option<()> {
    let semi_octets = c.peek().unwrap_or_default();
    let part = c.octets(name, 2 + usize::from(semi_octets).div_ceil(2))?;
    match Address::parse(part.bytes) {
        Ok((address, _)) => c.meaning(address),
        Err(error) => c.inside(vec![Tree::error(error.to_string(), "", part.range())]),
    }
    Some(())
}

fn pid(c: &mut Cursor<'_>) -> Option<()> {
    let pid = Pid(c.octet("TP-PID")?);
    match pid {
        Pid::SIM_DATA_DOWNLOAD => c.meaning("(U)SIM data download"),
        Pid::DEFAULT => c.meaning("short message"),
        Pid(0x40) => c.meaning("short message type 0: acknowledged and discarded"),
        Pid(replace @ 0x41..=0x47) => {
            c.meaning(format!("replace short message type {}", replace - 0x40));
        }
        Pid(0x5F) => c.meaning("return call message"),
        Pid(0x7C) => c.meaning("ANSI-136 R-DATA"),
        Pid(0x7D) => c.meaning("ME data download"),
        Pid(0x7E) => c.meaning("ME depersonalization short message"),
        _ => {}
    }
    Some(())
}

fn dcs(c: &mut Cursor<'_>) -> Option<Dcs> {
    let dcs = Dcs(c.octet("TP-DCS")?);
    let class = dcs
        .class()
        .map_or_else(String::new, |class| format!(", class {}", class as u8));
    let compressed = if dcs.compressed() { ", compressed" } else { "" };
    c.meaning(format!("{}{class}{compressed}", dcs.alphabet()));
    Some(dcs)
}

fn stamp(c: &mut Cursor<'_>, name: &str) -> Option<()> {
    let stamp = Scts(c.array(name)?);
    if stamp.timestamp().is_some() {
        c.meaning(stamp);
    }
    Some(())
}

fn validity_period(c: &mut Cursor<'_>, first: u8) -> Option<()> {
    let period = match (first & first_octet::VPF) >> first_octet::VPF.trailing_zeros() {
        0b00 => return Some(()),
        0b01 => ValidityPeriod::Enhanced(c.array("TP-VP")?),
        0b10 => ValidityPeriod::Relative(c.octet("TP-VP")?),
        _ => ValidityPeriod::Absolute(Scts(c.array("TP-VP")?)),
    };
    match (period, period.duration()) {
        (ValidityPeriod::Absolute(stamp), _) => c.meaning(stamp),
        (_, Some(duration)) => c.meaning(format!("{} min", duration.as_mins())),
        (_, None) => {}
    }
    Some(())
}

fn failure_cause(c: &mut Cursor<'_>, carrier: ReportIn) -> Option<()> {
    if carrier == ReportIn::Error {
        let fcs = Fcs(c.octet("TP-FCS")?);
        c.meaning(fcs_meaning(fcs));
    }
    Some(())
}

/// TP-PI with its extension octets.
fn indicator(c: &mut Cursor<'_>) -> Option<u8> {
    const EXTENSION: u8 = 0x80;
    let indicator = c.octet("TP-PI")?;
    let fields = bits(indicator, &[(4, "TP-UDL"), (2, "TP-DCS"), (1, "TP-PID")]);
    c.meaning(fields.as_deref().unwrap_or("nothing follows"));
    let mut last = indicator;
    while last & EXTENSION != 0 {
        last = c.octet("TP-PI extension")?;
    }
    Some(indicator)
}

/// TP-PI and what it announces.
fn parameters(c: &mut Cursor<'_>, first: u8, keys: &Keys) -> Option<()> {
    let indicator = indicator(c)?;
    indicated(c, indicator, first, keys)
}

fn indicated(c: &mut Cursor<'_>, indicator: u8, first: u8, keys: &Keys) -> Option<()> {
    if indicator & 1 != 0 {
        pid(c)?;
    }
    let dcs = if indicator & 2 != 0 {
        Some(dcs(c)?)
    } else {
        None
    };
    if indicator & 4 != 0 {
        user_data_field(c, dcs, first & first_octet::UDHI != 0, keys)?;
    }
    // Fields of later releases stand behind all others.
    if indicator & 0xF8 != 0 && c.left() > 0 {
        c.octets("other fields", c.left())?;
    }
    Some(())
}

/// TP-UDL and TP-UD.
fn user_data_field(c: &mut Cursor<'_>, dcs: Option<Dcs>, udhi: bool, keys: &Keys) -> Option<()> {
    let udl = usize::from(c.octet("TP-UDL")?);
    // Without TP-DCS, 00 is assumed (§9.2.3.27); some senders count octets all the same. See `UserData::parse_uncoded`.
    let assumed = if gsm7::packed_len(udl, 0) == c.left() {
        Dcs(0)
    } else {
        Dcs::DATA
    };
    let dcs = dcs.unwrap_or(assumed);
    let septets = dcs.counts_septets();
    c.meaning(format!(
        "{udl} {}",
        if septets { "septets" } else { "octets" }
    ));
    let len = if septets {
        gsm7::packed_len(udl, 0)
    } else {
        udl
    };
    let part = c.skip("TP-UD", len)?;
    let mut inner = Cursor::new(part, USER_DATA);
    content(&mut inner, dcs, udl, udhi, keys);
    c.push(inner.finish("TP-UD"));
    Some(())
}

/// Header and what is behind it. `udl` as TP-UDL counts.
fn content(c: &mut Cursor<'_>, dcs: Dcs, udl: usize, udhi: bool, keys: &Keys) -> Option<()> {
    let header = if udhi { header(c)? } else { Header::default() };
    if c.left() == 0 && header.packet.is_none() {
        return Some(());
    }
    let part = c.rest();
    let in_parts = header.concat.filter(|concat| concat.total > 1);
    let node = match (header.packet, in_parts) {
        (Some(Iei::COMMAND_PACKET), None) => packet::command(part, keys),
        (Some(Iei::COMMAND_PACKET), Some(_)) => packet::command_start(part),
        (Some(Iei::RESPONSE_PACKET), None) => packet::response(part, keys),
        (_, Some(concat)) => part
            .leaf("data", USER_DATA)
            .with_meaning(format!("part {} of {}", concat.sequence, concat.total)),
        (_, None) if applet::looks_like(part) => applet::message(part, keys),
        (_, None) => text(part, dcs, udl, header.len),
    };
    c.push(node);
    Some(())
}

/// Text in the clear, or octets.
fn text(part: Part<'_>, dcs: Dcs, udl: usize, header: usize) -> Tree {
    let text = match dcs.alphabet() {
        _ if dcs.compressed() => None,
        Alphabet::Gsm7 | Alphabet::Reserved => {
            let count = udl.saturating_sub(gsm7::header_septets(header));
            gsm7::unpack(part.bytes, gsm7::fill_bits(header), count)
                .map(|septets| gsm7::decode(&septets))
        }
        Alphabet::Ucs2 => {
            let (units, _) = part.bytes.as_chunks::<2>();
            let units: Vec<u16> = units.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
            Some(String::from_utf16_lossy(&units))
        }
        Alphabet::Data => None,
    };
    match text {
        Some(text) => part
            .leaf("text", USER_DATA)
            .with_meaning(format!("{text:?}")),
        None => part.leaf("data", USER_DATA),
    }
}

/// What a user data header says about the octets behind it.
#[derive(Default)]
struct Header {
    len: usize,
    packet: Option<Iei>,
    concat: Option<Concat>,
}

fn header(c: &mut Cursor<'_>) -> Option<Header> {
    let len = usize::from(c.octet("UDHL")?);
    let part = c.skip("user data header", len)?;
    let mut elements = Cursor::new(part, USER_DATA);
    let mut header = Header {
        len: 1 + len,
        ..Header::default()
    };
    while elements.left() > 0 && element(&mut elements, &mut header).is_some() {}
    c.push(elements.finish("user data header"));
    Some(header)
}

fn element(c: &mut Cursor<'_>, header: &mut Header) -> Option<()> {
    let at = c.skip("information element", 1)?;
    let iei = Iei(at.bytes[0]);
    let len = c.skip("information element", 1)?.bytes[0];
    let data = c.skip("information element", usize::from(len))?;
    let mut node = Tree::new(
        format!("IEI {iei}"),
        data.hex(),
        "",
        at.base..data.range().end,
    );
    match iei {
        Iei::COMMAND_PACKET | Iei::RESPONSE_PACKET => {
            header.packet = Some(iei);
            let command = iei == Iei::COMMAND_PACKET;
            node.clause = if command {
                "TS 31.115 §4.2"
            } else {
                "TS 31.115 §4.4"
            };
            node = node.with_meaning(if command {
                "command packet"
            } else {
                "response packet"
            });
            if !data.bytes.is_empty() {
                let problem = format!("IEI {iei}: expected no data, got {}", data.size());
                node.children.push(Tree::error(problem, "", data.range()));
            }
        }
        Iei::CONCAT_8 | Iei::CONCAT_16 => {
            match Concat::parse(&InformationElement::new(iei, data.bytes)) {
                Ok(concat) => {
                    header.concat = Some(concat);
                    let reference = match concat.reference {
                        Reference::Eight(reference) => u16::from(reference),
                        Reference::Sixteen(reference) => reference,
                    };
                    let Concat {
                        total, sequence, ..
                    } = concat;
                    node = node
                        .with_meaning(format!("part {sequence} of {total}, reference {reference}"));
                }
                Err(error) => node
                    .children
                    .push(Tree::error(error.to_string(), "", data.range())),
            }
        }
        Iei::PORTS_16 => node = node.with_meaning("application ports"),
        _ => {}
    }
    c.push(node);
    Some(())
}

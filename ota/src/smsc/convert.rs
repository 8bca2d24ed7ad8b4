//! Between the message of SMPP and the TPDU of TS 23.040. The user data passes as it is; only 7-bit text changes its form:
//! SMPP has one character an octet, the TPDU packs septets.

use ota_wire::ids::Msisdn;
use ota_wire::sms::address::{Address, Npi, Ton};
use ota_wire::sms::dcs::Dcs;
use ota_wire::sms::gsm7;
use ota_wire::sms::scts::Scts;
use ota_wire::sms::tpdu::{Deliver, Pid, Submit, first_octet};
use ota_wire::sms::user_data::UserData;

use super::record::Stored;
use crate::smpp::{CommandStatus, ShortMessage, esm_class};

/// `data_coding` values of SMPP 3.4 §5.2.19 that are no TP-DCS: IA5 text, octets, Latin-1 text.
mod data_coding {
    pub(super) const IA5: u8 = 1;
    pub(super) const OCTETS: u8 = 2;
    pub(super) const LATIN_1: u8 = 3;
}

/// SMS-DELIVER for a message; the error is the answer to the submit_sm.
pub(super) fn deliver(stored: &Stored, more: bool) -> Result<Deliver, CommandStatus> {
    let message = &stored.message;
    let oa = address(message.source_ton, message.source_npi, &message.source)
        .ok_or(CommandStatus::RINVSRCADR)?;
    let (dcs, user_data) = user_data(message).ok_or(CommandStatus::RINVMSGLEN)?;
    let mut deliver = Deliver::new(
        oa,
        Pid(message.protocol_id),
        dcs,
        Scts::utc(stored.accepted),
        user_data,
    );
    if message.esm_class & esm_class::REPLY_PATH != 0 {
        deliver.flags |= first_octet::RP;
    }
    Ok(deliver.with_more_messages(more))
}

/// The message that an SMS-SUBMIT of a phone carries.
pub(super) fn from_submit(from: &Msisdn, submit: &Submit) -> ShortMessage {
    let udhi = if submit.user_data.udh().is_some() {
        esm_class::UDHI
    } else {
        0
    };
    let reply_path = if submit.reply_path() {
        esm_class::REPLY_PATH
    } else {
        0
    };
    ShortMessage {
        source: from.digits().to_owned(),
        source_ton: Ton::INTERNATIONAL.get(),
        source_npi: Npi::E164.get(),
        destination: submit
            .da
            .digits()
            .or_else(|| submit.da.text())
            .unwrap_or_default(),
        destination_ton: submit.da.ton().get(),
        destination_npi: submit.da.npi().get(),
        esm_class: udhi | reply_path,
        protocol_id: submit.pid.0,
        data_coding: submit.dcs.0,
        short_message: octets(submit),
        ..ShortMessage::default()
    }
}

fn address(ton: u8, npi: u8, text: &str) -> Option<Address> {
    let (ton, npi) = (Ton::new(ton)?, Npi::new(npi)?);
    let address = match ton {
        Ton::ALPHANUMERIC => Address::alphanumeric(text),
        _ => Address::new(ton, npi, text.trim_start_matches('+')),
    };
    address.ok()
}

fn user_data(message: &ShortMessage) -> Option<(Dcs, UserData)> {
    let octets = &message.short_message;
    let plain = |dcs| Some((dcs, UserData::from_octets(octets, message.has_udh()).ok()?));
    match message.data_coding {
        data_coding::OCTETS => plain(Dcs::DATA),
        // IA5 and Latin-1 both say their code points; the alphabet of phones may lack some.
        data_coding::IA5 | data_coding::LATIN_1 => {
            let text: String = octets.iter().map(|octet| char::from(*octet)).collect();
            Some((Dcs::TEXT, UserData::text(None, &text, Dcs::TEXT).ok()?))
        }
        coding if Dcs(coding).counts_septets() => {
            let header = match (message.has_udh(), octets.first()) {
                (true, Some(length)) => 1 + usize::from(*length),
                _ => 0,
            };
            let (header, text) = octets.split_at_checked(header)?;
            let (udh, _) = UserData::from_octets(header, message.has_udh())
                .ok()?
                .into_parts();
            let septets: Vec<u8> = text.iter().map(|octet| octet & 0x7F).collect();
            Some((Dcs(coding), UserData::septets(udh, &septets).ok()?))
        }
        coding => plain(Dcs(coding)),
    }
}

/// The user data as SMPP has it.
fn octets(submit: &Submit) -> Vec<u8> {
    let data = &submit.user_data;
    if !submit.dcs.counts_septets() {
        return data.to_octets();
    }
    let mut octets = Vec::new();
    if let Some(udh) = data.udh() {
        udh.emit(&mut octets);
    }
    let count = usize::from(data.udl()).saturating_sub(gsm7::header_septets(octets.len()));
    octets.extend(gsm7::unpack(data.payload(), data.fill_bits(), count).unwrap_or_default());
    octets
}

//! Secured packets: the kinds `command`, `response` and `reassembly`; `receive` is in its own file.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ota_wire::ids::{Cntr, Tar};
use ota_wire::keys::{CipherKey, IntegrityKey, KeySet};
use ota_wire::packet::{
    CipherAlgorithm, Command, IntegrityAlgorithm, RejectReason, Rejected, Response, ResponseStatus,
    Sent, Spi, check_response, open,
};
use ota_wire::secret::Secret;
use ota_wire::sms::address::{Address, Npi, Ton};
use ota_wire::sms::concat::{Limits, Outcome, Reassembler, split};
use ota_wire::sms::dcs::Dcs;
use ota_wire::sms::scts::Scts;
use ota_wire::sms::tpdu::{Deliver, Pid};
use ota_wire::sms::udh::{Iei, Reference};
use serde_json::Value;

use super::receive::{Card, receive};
use super::{array, list, number, octets, same, same_octets, text};

/// Runs one case of one of these kinds.
pub fn run(case: &Value) -> Result<(), String> {
    match text(case, "kind")? {
        "command" => command(case),
        "response" => response(case),
        "receive" => receive(case),
        "reassembly" => reassembly(case),
        kind => Err(format!("kind {kind:?} is no packet case")),
    }
}

/// The packet is what the fields give, and gives the fields back.
fn command(case: &Value) -> Result<(), String> {
    let keys = case_keys(case)?;
    let packet = octets(case, "packet")?;
    let command = Command {
        spi: Spi(array(case, "spi")?),
        kic: octet(case, "kic")?,
        kid: octet(case, "kid")?,
        tar: Tar(array(case, "tar")?),
        cntr: cntr(case, "cntr")?,
        data: octets(case, "payload")?,
    };
    let sealed = command
        .seal(&keys)
        .map_err(|error| format!("seal: {error}"))?;
    same_octets("packet", &packet, &sealed)?;
    let cipher = command.spi.ciphered().then_some(&keys.kic);
    check_clear(case, &COMMAND, &packet, cipher)?;
    let unsealed = Command::unseal(&packet, &keys).map_err(|error| format!("unseal: {error}"))?;
    same("unsealed", &command, &unsealed, |command| {
        format!("{command:?}")
    })?;

    let sent_as = tpdus(case)?;
    if !sent_as.is_empty() {
        same_packets(std::slice::from_ref(&packet), &joined(&sent_as, |_| true))?;
        check_tpdus(case, &packet, &sent_as)?;
    }
    check_open(&command, &packet, keys)
}

/// Where the parts of a packet lie that may be ciphered.
struct Layout {
    /// Octets in front of CPL or RPL.
    header: usize,
    /// Octets that CHL or RHL counts besides RC/CC.
    counted: usize,
    /// CNTR, where ciphering begins.
    cntr: usize,
    /// RC/CC, from CNTR on.
    check: usize,
}

const COMMAND: Layout = Layout {
    header: 0,
    counted: 13,
    cntr: 10,
    check: 6,
};

const RESPONSE: Layout = Layout {
    header: 3,
    counted: 10,
    cntr: 9,
    check: 7,
};

/// PCNTR, from CNTR on.
const PCNTR: usize = 5;

/// RC/CC and PCNTR are what the case says of them in clear.
fn check_clear(
    case: &Value,
    layout: &Layout,
    packet: &[u8],
    cipher: Option<&CipherKey>,
) -> Result<(), String> {
    let (Some(&counted), Some(clear)) = (packet.get(layout.header + 2), packet.get(layout.cntr..))
    else {
        return Err("packet: too short".to_owned());
    };
    let mut clear = clear.to_vec();
    if let Some(key) = cipher {
        key.decipher(&mut clear)
            .map_err(|error| error.to_string())?;
    }
    let length = usize::from(counted).saturating_sub(layout.counted);
    let stated = |field| case.get(field).is_some();
    if stated("cc_len") {
        let expected = number(case, "cc_len")?;
        same("cc_len", &expected, &(length as u64), u64::to_string)?;
    }
    if stated("pcntr") {
        let got = clear.get(PCNTR).copied().unwrap_or_default();
        same(
            "pcntr",
            &number(case, "pcntr")?,
            &got.into(),
            u64::to_string,
        )?;
    }
    if stated("integrity") {
        let got = clear.get(layout.check..layout.check + length);
        same_octets(
            "integrity",
            &octets(case, "integrity")?,
            got.unwrap_or_default(),
        )?;
    }
    Ok(())
}

/// Whether every padding octet is zero, as a sender that follows TS 102 225 §5.1 leaves them; a receiver ignores them.
fn padded_with_zeros(packet: &[u8], cipher: Option<&CipherKey>) -> bool {
    let mut clear = packet.get(RESPONSE.cntr..).unwrap_or_default().to_vec();
    if cipher.is_some_and(|key| key.decipher(&mut clear).is_err()) {
        return true;
    }
    let padding = clear.get(PCNTR).map_or(0, |&octets| usize::from(octets));
    let from = clear.len().saturating_sub(padding);
    clear[from..].iter().all(|&octet| octet == 0)
}

/// A card takes it too, unless SPI asks for a PoR that no card should give, or KIc and KID name two key sets.
fn check_open(command: &Command, packet: &[u8], keys: KeySet) -> Result<(), String> {
    let version = command.spi.key_set(command.kic, command.kid);
    let (true, Some(version)) = (command.spi.por_fits_command(), version) else {
        return Ok(());
    };
    let keys = KeySet { version, ..keys };
    // The counter before the one of the packet. There is none before zero, so zero can only be refused.
    let below = command.cntr.get().checked_sub(1).and_then(Cntr::new);
    let card = Card {
        security_levels: BTreeMap::from([(command.tar, 0)]),
        counters: BTreeMap::from([(keys.version, below.unwrap_or_default())]),
        key_sets: vec![keys],
        single_des: true,
    };
    match open(packet, &card) {
        Ok(opened) => {
            same_octets("payload", &command.data, &opened.data)?;
            same("cntr", &command.cntr, &opened.cntr, Cntr::to_string)
        }
        Err(Rejected {
            reason: RejectReason::CounterLow { .. },
            ..
        }) if below.is_none() => Ok(()),
        Err(rejected) => Err(rejected.to_string()),
    }
}

/// The messages are what the packet and the `sms` fields give; without these, what they themselves were read as.
fn check_tpdus(case: &Value, packet: &[u8], expected: &[Vec<u8>]) -> Result<(), String> {
    let Some(sms) = case.get("sms") else {
        return expected
            .iter()
            .try_for_each(|tpdu| same_octets("tpdus", tpdu, &parse(tpdu)?.emit()));
    };
    let oa = sms.get("oa").ok_or("oa: missing")?;
    let bits =
        |field| u8::try_from(number(oa, field)?).map_err(|error| format!("{field}: {error}"));
    let address = if oa.get("text").is_some_and(Value::is_string) {
        Address::alphanumeric(text(oa, "text")?)
    } else {
        Address::new(
            Ton::new(bits("ton")?).ok_or("ton: too large")?,
            Npi::new(bits("npi")?).ok_or("npi: too large")?,
            text(oa, "digits")?,
        )
    };
    let address = address.map_err(|error| format!("oa: {error}"))?;
    let reference = match sms.get("concat_ref_bits").and_then(Value::as_u64) {
        // A packet in one message has no reference; any will do.
        None => Reference::Eight(0),
        Some(8) => Reference::Eight(reference(sms)?),
        Some(16) => Reference::Sixteen(reference(sms)?),
        Some(bits) => return Err(format!("concat_ref_bits: expected 8 or 16, got {bits}")),
    };
    if sms.get("parts").is_some_and(Value::is_u64) {
        let parts = number(sms, "parts")?;
        same("parts", &parts, &(expected.len() as u64), u64::to_string)?;
    }
    let parts =
        split(packet, reference, Some(Iei::COMMAND_PACKET)).map_err(|error| error.to_string())?;
    same("parts", &expected.len(), &parts.len(), usize::to_string)?;
    let last = parts.len() - 1;
    for (index, (part, tpdu)) in parts.into_iter().zip(expected).enumerate() {
        let pid = Pid(octet(sms, "pid")?);
        let dcs = Dcs(octet(sms, "dcs")?);
        let deliver = Deliver::new(address.clone(), pid, dcs, Scts(array(sms, "scts")?), part)
            .with_more_messages(index != last);
        same_octets(&format!("tpdus[{index}]"), tpdu, &deliver.emit())?;
        if !deliver.is_data_download() {
            return Err(format!("tpdus[{index}]: not for the card"));
        }
    }
    Ok(())
}

fn reference<T: TryFrom<u64, Error = std::num::TryFromIntError>>(sms: &Value) -> Result<T, String> {
    T::try_from(number(sms, "concat_ref")?).map_err(|error| format!("concat_ref: {error}"))
}

/// The sender takes the response for what it is. One that it takes is also what the fields give, unless its padding is not
/// ours.
fn response(case: &Value) -> Result<(), String> {
    let keys = case_keys(case)?;
    let packet = octets(case, "packet_with_udh")?;
    let sent = Sent {
        spi: Spi(array(case, "spi")?),
        kic: octet(case, "kic")?,
        kid: octet(case, "kid")?,
        tar: Tar(array(case, "tar")?),
        cntr: cntr(case, "cntr")?,
    };
    let checked = check_response(&packet, &sent, &keys);
    let result = text(expect(case)?, "result")?;
    let bare = match (result, checked) {
        ("reject", Err(_)) => return Ok(()),
        ("reject", Ok(checked)) => return Err(format!("expected a refusal, got {checked:?}")),
        ("accept", Ok(checked)) if checked.as_asked => {
            check_status_and_data(case, checked.status, &checked.data)?;
            false
        }
        ("unprotected-error", Ok(checked)) if !checked.as_asked && !checked.authenticated => {
            check_status_and_data(case, checked.status, &checked.data)?;
            true
        }
        (_, Ok(checked)) => return Err(format!("expected {result}, got {checked:?}")),
        (_, Err(error)) => return Err(format!("expected {result}: {error}")),
    };
    let cipher = (!bare && sent.spi.por_ciphered()).then_some(&keys.kic);
    if !bare {
        check_clear(case, &RESPONSE, &packet, cipher)?;
    }
    if !padded_with_zeros(&packet, cipher) {
        return Ok(());
    }
    // What is not secured may count as the command did, or not at all.
    let bare_cntr = packet.get(RESPONSE.cntr..RESPONSE.cntr + PCNTR);
    let bare_cntr = bare_cntr.and_then(|octets| octets.try_into().ok());
    let response = Response {
        tar: sent.tar,
        cntr: match bare_cntr.filter(|_| bare) {
            Some(octets) => Cntr::from_bytes(octets),
            None => sent.cntr,
        },
        status: ResponseStatus(status(case)?),
        data: octets(case, "data")?,
    };
    let sealed = if bare {
        response.seal_plain()
    } else {
        response.seal(sent.spi, sent.kic, sent.kid, Some(&keys))
    };
    same_octets(
        "packet_with_udh",
        &packet,
        &sealed.map_err(|error| format!("seal: {error}"))?,
    )
}

fn check_status_and_data(case: &Value, got: ResponseStatus, data: &[u8]) -> Result<(), String> {
    same("status", &status(case)?, &got.0, |status| {
        format!("{status:02X}")
    })?;
    same_octets("data", &octets(case, "data")?, data)
}
/// Command packets come out of the messages whole and in the expected order.
fn reassembly(case: &Value) -> Result<(), String> {
    let expected = list(expect(case)?, "packets");
    let expected: Vec<Vec<u8>> = expected.iter().map(hex_text).collect::<Result<_, _>>()?;
    same_packets(&expected, &joined(&tpdus(case)?, |_| true))
}

pub(super) fn tpdus(case: &Value) -> Result<Vec<Vec<u8>>, String> {
    list(case, "tpdus").iter().map(hex_text).collect()
}

fn hex_text(value: &Value) -> Result<Vec<u8>, String> {
    let text = value.as_str().ok_or("expected a text")?;
    hex::decode(text).map_err(|error| error.to_string())
}

/// The command packets that the messages hold, in order of completion. What is no message, or not for this receiver, is as
/// if it had not come.
pub(super) fn joined(tpdus: &[Vec<u8>], wanted: impl Fn(&Deliver) -> bool) -> Vec<Vec<u8>> {
    let mut reassembler = Reassembler::new(Limits {
        parts: u8::MAX,
        ..Limits::default()
    });
    let mut packets = Vec::new();
    let delivers = tpdus.iter().filter_map(|tpdu| parse(tpdu).ok());
    for deliver in delivers.filter(wanted) {
        // All at one time: no case is about messages that grow old.
        let outcome = reassembler.accept(&deliver.oa, &deliver.user_data, Timestamp::UNIX_EPOCH);
        if let Outcome::Complete(message) = outcome
            && message.packet == Some(Iei::COMMAND_PACKET)
        {
            packets.push(message.octets);
        }
    }
    packets
}

fn parse(tpdu: &[u8]) -> Result<Deliver, String> {
    Deliver::parse(tpdu).map_err(|error| format!("tpdus: {error}"))
}

pub(super) fn same_packets(expected: &[Vec<u8>], got: &[Vec<u8>]) -> Result<(), String> {
    same("packets", expected, got, |packets| {
        format!("{:?}", packets.iter().map(hex::encode).collect::<Vec<_>>())
    })
}

/// Key set of a `command` or `response` case.
fn case_keys(case: &Value) -> Result<KeySet, String> {
    Ok(KeySet {
        version: (octet(case, "kic")? >> 4).max(octet(case, "kid")? >> 4),
        kic: cipher_key(text(case, "ciph_algo")?, octets(case, "kic_key")?)?,
        kid: integrity_key(
            text(case, "int_algo")?,
            octets(case, "kid_key")?,
            number(case, "cc_len")? as usize,
        )?,
    })
}

pub(super) fn cipher_key(name: &str, key: Vec<u8>) -> Result<CipherKey, String> {
    let algorithm = match name {
        "none" => return Ok(CipherKey::none()),
        "des" => CipherAlgorithm::Des,
        "3des2" => CipherAlgorithm::TripleDes2,
        "3des3" => CipherAlgorithm::TripleDes3,
        "aes" => CipherAlgorithm::Aes,
        other => return Err(format!("unknown cipher {other:?}")),
    };
    CipherKey::new(algorithm, Secret::new(key)).map_err(|error| error.to_string())
}

pub(super) fn integrity_key(
    name: &str,
    key: Vec<u8>,
    cc_len: usize,
) -> Result<IntegrityKey, String> {
    let algorithm = match name {
        // The checks without a key are named by KID alone.
        "none" | "crc16" | "crc32" => return Ok(IntegrityKey::none()),
        "des" => IntegrityAlgorithm::Des,
        "3des2" => IntegrityAlgorithm::TripleDes2,
        "3des3" => IntegrityAlgorithm::TripleDes3,
        "aes" => IntegrityAlgorithm::AesCmac,
        other => return Err(format!("unknown check {other:?}")),
    };
    IntegrityKey::new(algorithm, Secret::new(key), cc_len).map_err(|error| error.to_string())
}

pub(super) fn expect(case: &Value) -> Result<&Value, String> {
    case.get("expect")
        .ok_or_else(|| "expect: missing".to_owned())
}

pub(super) fn octet(case: &Value, name: &str) -> Result<u8, String> {
    array::<1>(case, name).map(|[octet]| octet)
}

pub(super) fn cntr(case: &Value, name: &str) -> Result<Cntr, String> {
    array(case, name).map(Cntr::from_bytes)
}

fn status(case: &Value) -> Result<u8, String> {
    u8::try_from(number(case, "status")?).map_err(|error| format!("status: {error}"))
}

//! TS 102 225 and TS 31.115: command and response packets.

use super::cursor::{Cursor, Part};
use super::{Keys, Tree, applet, remote};
use crate::ids::{Cntr, Tar};
use crate::keys::{CipherKey, IntegrityKey, KeySet};
use crate::packet::{
    CipherAlgorithm, Command, CommandView, CounterMode, Integrity, IntegrityAlgorithm, PorMode,
    RejectReason, ResponseError, ResponseStatus, ResponseView, Sent, Spi, check_response,
};

const COMMAND: &str = "TS 102 225 §5.1";
const RESPONSE: &str = "TS 102 225 §5.2";
/// The user data header of a response packet.
const RESPONSE_HEADER: [u8; 3] = [0x02, 0x71, 0x00];
/// Octets of CHL without the RC/CC.
const CHL_FIXED: usize = 13;
/// Octets of RHL without the RC/CC.
const RHL_FIXED: usize = 10;
/// Lengths an RC/CC can have.
const CHECK_LENGTHS: [usize; 4] = [0, 2, 4, 8];

/// A command packet from CPL on.
pub(super) fn command(part: Part<'_>, keys: &Keys) -> Tree {
    let mut cursor = Cursor::new(part, COMMAND);
    command_fields(&mut cursor, part, keys);
    cursor.judge(CommandView::new_checked(part.bytes));
    cursor.finish("command packet")
}

/// What the first of several short messages holds of a command packet.
pub(super) fn command_start(part: Part<'_>) -> Tree {
    let mut cursor = Cursor::new(part, COMMAND);
    if clear_header(&mut cursor).is_some() {
        let rest = cursor.rest();
        cursor.push(rest.leaf("rest of this part", COMMAND));
    }
    cursor.finish("command packet, first part")
}

/// A response packet from RPL on.
pub(super) fn response(part: Part<'_>, keys: &Keys) -> Tree {
    let mut cursor = Cursor::new(part, RESPONSE);
    let whole = [&RESPONSE_HEADER, part.bytes].concat();
    response_fields(&mut cursor, &whole, keys);
    cursor.judge(ResponseView::new_checked(&whole));
    cursor.finish("response packet")
}

/// A response packet with its user data header or from RPL on.
pub(super) fn response_any(part: Part<'_>, keys: &Keys) -> Tree {
    if !part.bytes.starts_with(&RESPONSE_HEADER) {
        return response(part, keys);
    }
    let header = part.slice(0..RESPONSE_HEADER.len());
    let rest = part.slice(RESPONSE_HEADER.len()..part.bytes.len());
    Tree::new(
        "response packet with header",
        part.size(),
        RESPONSE,
        part.range(),
    )
    .with_children(vec![
        header
            .leaf("user data header", "TS 31.115 §4.4")
            .with_meaning("response packet"),
        response(rest, keys),
    ])
}

struct ClearHeader {
    check_len: usize,
    spi: Spi,
    tar: Tar,
    /// `None` where KIc and KID name two key sets.
    key_version: Option<u8>,
}

/// CPL to TAR, which are never ciphered.
fn clear_header(c: &mut Cursor<'_>) -> Option<ClearHeader> {
    c.array::<2>("CPL").map(u16::from_be_bytes)?;
    let chl = usize::from(c.octet("CHL")?);
    let check_len = chl.checked_sub(CHL_FIXED);
    let Some(check_len) = check_len.filter(|len| CHECK_LENGTHS.contains(len)) else {
        c.error(format!("CHL: expected 0D, 0F, 11 or 15, got {chl:02X}"));
        return None;
    };
    c.meaning(format!("RC/CC of {check_len} octets"));
    let spi = Spi(c.array("SPI")?);
    c.meaning(spi_meaning(spi));
    let kic = c.octet("KIc")?;
    let cipher = match CipherAlgorithm::from_kic(kic) {
        Some(CipherAlgorithm::None) | None => "implicit or reserved",
        Some(CipherAlgorithm::Des) => "DES-CBC",
        Some(CipherAlgorithm::TripleDes2) => "triple DES-CBC, 2 keys",
        Some(CipherAlgorithm::TripleDes3) => "triple DES-CBC, 3 keys",
        Some(CipherAlgorithm::Aes) => "AES-CBC",
    };
    c.meaning(format!("key set {}, {cipher}", kic >> 4));
    let kid = c.octet("KID")?;
    c.meaning(format!("key set {}, {}", kid >> 4, check_meaning(spi, kid)));
    let tar = Tar(c.array("TAR")?);
    if tar.0.iter().all(u8::is_ascii_graphic) {
        c.meaning(format!("{:?}", String::from_utf8_lossy(&tar.0)));
    }
    Some(ClearHeader {
        check_len,
        spi,
        tar,
        key_version: spi.key_set(kic, kid),
    })
}

fn command_fields(c: &mut Cursor<'_>, part: Part<'_>, keys: &Keys) -> Option<()> {
    let ClearHeader {
        check_len,
        spi,
        tar,
        key_version,
    } = clear_header(c)?;
    let keyless = KeySet {
        version: key_version.unwrap_or_default(),
        kic: CipherKey::none(),
        kid: IntegrityKey::none(),
    };
    let keys_of =
        key_version.and_then(|version| keys.key_sets.iter().find(|set| set.version == version));
    let not_at_hand = key_version.map_or_else(
        || "KIc and KID name different key sets".to_owned(),
        |version| format!("key set {version} is not at hand"),
    );
    let opened = Command::unseal(part.bytes, keys_of.unwrap_or(&keyless));
    let body = part.slice(c.at()..part.bytes.len());
    match (&opened, spi.ciphered()) {
        (Ok(command), _) => {
            c.rest();
            opened_body(c, body, command, check_len, keys);
        }
        (Err(reason), true) => {
            c.rest();
            let why = match (keys_of, reason) {
                (None, _) => format!("ciphered, {not_at_hand}"),
                (Some(_), RejectReason::Integrity) => {
                    "ciphered, RC/CC failed: changed, or another key".to_owned()
                }
                (Some(_), reason) => format!("ciphered, not opened: {reason}"),
            };
            c.push(body.leaf("CNTR to end", COMMAND).with_meaning(why));
        }
        (Err(reason), false) => {
            let verdict = match (spi.integrity(), keys_of, reason) {
                (Integrity::None, ..) => String::new(),
                (Integrity::Cc, None, _) => format!("not checked, {not_at_hand}"),
                (_, _, RejectReason::Integrity) => "failed".to_owned(),
                (_, _, reason) => format!("not checked: {reason}"),
            };
            clear_body(c, check_len, &verdict, tar, keys)?;
        }
    }
    Some(())
}

/// The fields behind TAR of a packet that opened; the nodes lie where the ciphered octets are.
fn opened_body(
    c: &mut Cursor<'_>,
    body: Part<'_>,
    command: &Command,
    check_len: usize,
    keys: &Keys,
) {
    const CNTR: usize = 5;
    const DATA: usize = CNTR + 1;
    let data_at = DATA + check_len;
    let data_end = data_at + command.data.len();
    let padding = body.bytes.len().saturating_sub(data_end);
    let cntr = body.slice(0..CNTR);
    c.push(counter_node(cntr, command.cntr));
    let pcntr = body.slice(CNTR..DATA);
    c.push(
        Tree::new("PCNTR", format!("{padding:02X}"), COMMAND, pcntr.range())
            .with_meaning(format!("{padding} octets of padding")),
    );
    if check_len > 0 {
        let check = body.slice(DATA..data_at);
        let value = if command.spi.ciphered() {
            format!("{} deciphered", check.size())
        } else {
            check.hex()
        };
        c.push(Tree::new("RC/CC", value, COMMAND, check.range()).with_meaning("ok"));
    }
    let place = body.slice(data_at..data_end);
    let data = Part {
        bytes: &command.data,
        base: place.base,
    };
    c.push(secured_data(data, command.tar, keys));
}

/// The fields behind TAR of a packet that is not ciphered and did not open.
fn clear_body(
    c: &mut Cursor<'_>,
    check_len: usize,
    verdict: &str,
    tar: Tar,
    keys: &Keys,
) -> Option<()> {
    let cntr = c.skip("CNTR", 5)?;
    c.push(counter_node(
        cntr,
        Cntr::from_bytes(cntr.bytes.try_into().ok()?),
    ));
    let padding = usize::from(c.octet("PCNTR")?);
    c.meaning(format!("{padding} octets of padding"));
    if check_len > 0 {
        c.octets("RC/CC", check_len)?;
        c.meaning(verdict);
    }
    let Some(len) = c.left().checked_sub(padding) else {
        let left = c.left();
        c.error(format!("PCNTR: expected at most {left}, got {padding}"));
        return None;
    };
    let data = c.skip("secured data", len)?;
    c.push(secured_data(data, tar, keys));
    if padding > 0 {
        c.octets("padding", padding)?;
    }
    Some(())
}

fn counter_node(part: Part<'_>, cntr: Cntr) -> Tree {
    let value = hex::encode_upper(cntr.to_bytes());
    Tree::new("CNTR", value, COMMAND, part.range()).with_meaning(cntr.get().to_string())
}

fn secured_data(data: Part<'_>, tar: Tar, keys: &Keys) -> Tree {
    let inside = if applet::looks_like(data) {
        applet::message(data, keys)
    } else {
        let script = remote::script(data, keys);
        if !remote::is_managed(tar) || !script.is_complete() {
            return data.leaf("secured data", COMMAND);
        }
        script
    };
    Tree::new("secured data", data.size(), COMMAND, data.range()).with_children(vec![inside])
}

/// Additional response data, deciphered.
fn response_data(data: Part<'_>, tar: Tar, keys: &Keys) -> Tree {
    const NAME: &str = "additional response data";
    if !remote::is_managed(tar) || data.bytes.len() < 3 {
        return data.leaf(NAME, RESPONSE);
    }
    let inside = vec![remote::response(data, keys)];
    Tree::new(NAME, data.size(), RESPONSE, data.range()).with_children(inside)
}

fn response_fields(c: &mut Cursor<'_>, whole: &[u8], keys: &Keys) -> Option<()> {
    c.array::<2>("RPL").map(u16::from_be_bytes)?;
    let rhl = usize::from(c.octet("RHL")?);
    let check_len = rhl.checked_sub(RHL_FIXED);
    let Some(check_len) = check_len.filter(|len| CHECK_LENGTHS.contains(len)) else {
        c.error(format!("RHL: expected 0A, 0C, 0E or 12, got {rhl:02X}"));
        return None;
    };
    c.meaning(format!("RC/CC of {check_len} octets"));
    let tar = Tar(c.array("TAR")?);
    if check_len > 0
        && let Some((cntr, status, data, how)) = open_response(whole, tar, keys)
    {
        let body = c.rest();
        let values: [(&str, usize, String, String); 4] = [
            (
                "CNTR",
                5,
                hex::encode_upper(cntr.to_bytes()),
                cntr.get().to_string(),
            ),
            ("PCNTR", 1, String::new(), String::new()),
            (
                "RSC",
                1,
                format!("{:02X}", status.0),
                status.name().to_owned(),
            ),
            ("RC/CC", check_len, how.to_owned(), "ok".to_owned()),
        ];
        let padding = body.bytes.len().saturating_sub(7 + check_len + data.len());
        let mut at = 0;
        for (name, len, value, meaning) in values {
            let range = body.slice(at..at + len).range();
            at += len;
            c.push(match name {
                "PCNTR" => Tree::new(name, format!("{padding:02X}"), RESPONSE, range)
                    .with_meaning(format!("{padding} octets of padding")),
                _ => Tree::new(name, value, RESPONSE, range).with_meaning(meaning),
            });
        }
        if !data.is_empty() {
            let base = body.slice(at..at + data.len()).base;
            let data = Part { bytes: &data, base };
            c.push(response_data(data, tar, keys));
        }
        return Some(());
    }
    if !reads_as_clear(whole, check_len) {
        let body = c.rest();
        c.push(
            body.leaf("CNTR to end", RESPONSE)
                .with_meaning("ciphered, or no response packet"),
        );
        return Some(());
    }
    let cntr = Cntr::from_bytes(c.array("CNTR")?);
    c.meaning(cntr.get());
    let padding = usize::from(c.octet("PCNTR")?);
    c.meaning(format!("{padding} octets of padding"));
    let status = ResponseStatus(c.octet("RSC")?);
    c.meaning(status.name());
    if check_len > 0 {
        c.octets("RC/CC", check_len)?;
        c.meaning("not checked, no key set at hand that made it");
    }
    let len = c.left().saturating_sub(padding);
    if len > 0 {
        let data = c.skip("additional response data", len)?;
        c.push(response_data(data, tar, keys));
    }
    if c.left() > 0 {
        c.octets("padding", c.left())?;
    }
    Some(())
}

/// Whether the octets behind TAR make sense unciphered. A response packet does not say whether it is ciphered; only
/// the command it answers does.
fn reads_as_clear(whole: &[u8], check_len: usize) -> bool {
    const PCNTR: usize = 14;
    const RSC: usize = 15;
    const LONGEST_PADDING: u8 = 15;
    let room = whole.len().saturating_sub(RSC + 1 + check_len);
    match (whole.get(PCNTR), whole.get(RSC)) {
        (Some(padding), Some(status)) => {
            *padding <= LONGEST_PADDING
                && usize::from(*padding) <= room
                && *status <= ResponseStatus::DATA_BY_USSD.0
        }
        // Too short: the fields say so better than this.
        _ => true,
    }
}

type OpenedResponse = (Cntr, ResponseStatus, Vec<u8>, &'static str);

/// Tries every key set, with and without ciphering, for one under which the RC/CC is right.
fn open_response(whole: &[u8], tar: Tar, keys: &Keys) -> Option<OpenedResponse> {
    const HOW: [(Spi, &str); 2] = [
        (Spi([0x16, 0x19]), "deciphered"),
        (Spi([0x16, 0x09]), "not ciphered"),
    ];
    let candidates = keys
        .key_sets
        .iter()
        .flat_map(|set| HOW.map(|how| (set, how)));
    for (set, (spi, how)) in candidates {
        let mut sent = Sent {
            spi,
            kic: set.kic_octet(),
            kid: set.kid_octet(),
            tar,
            cntr: Cntr::default(),
        };
        let mut checked = check_response(whole, &sent, set);
        // The check of the counter comes behind that of the CC and names the counter.
        if let Err(ResponseError::Counter { got, .. }) = checked {
            sent.cntr = got;
            checked = check_response(whole, &sent, set);
        }
        if let Ok(checked) = checked
            && checked.authenticated
        {
            return Some((sent.cntr, checked.status, checked.data, how));
        }
    }
    None
}

fn check_meaning(spi: Spi, kid: u8) -> &'static str {
    let algorithm = match spi.integrity() {
        Integrity::None => return "not used",
        Integrity::Ds => return "reserved",
        Integrity::Rc => IntegrityAlgorithm::rc_from_kid(kid),
        Integrity::Cc => IntegrityAlgorithm::cc_from_kid(kid),
    };
    match algorithm {
        Some(IntegrityAlgorithm::Crc16) => "CRC-16",
        Some(IntegrityAlgorithm::Crc32) => "CRC-32",
        Some(IntegrityAlgorithm::Des) => "DES-CBC-MAC",
        Some(IntegrityAlgorithm::TripleDes2) => "triple DES CBC-MAC, 2 keys",
        Some(IntegrityAlgorithm::TripleDes3) => "triple DES CBC-MAC, 3 keys",
        Some(IntegrityAlgorithm::AesCmac) => "AES-CMAC",
        Some(IntegrityAlgorithm::None) | None => "implicit or reserved",
    }
}

/// What the two octets of SPI say: of the command, and of the PoR.
fn spi_meaning(spi: Spi) -> String {
    let integrity = |integrity| match integrity {
        Integrity::None => "no RC/CC",
        Integrity::Rc => "RC",
        Integrity::Cc => "CC",
        Integrity::Ds => "DS",
    };
    let ciphered = |ciphered| if ciphered { "ciphered" } else { "not ciphered" };
    let counter = match spi.counter_mode() {
        CounterMode::None => "no counter",
        CounterMode::Unchecked => "counter not checked",
        CounterMode::Higher => "counter higher",
        CounterMode::OneHigher => "counter one higher",
    };
    let command = format!(
        "{}, {}, {counter}",
        integrity(spi.integrity()),
        ciphered(spi.ciphered())
    );
    let when = match spi.por() {
        PorMode::Never => return format!("{command}; no PoR"),
        PorMode::Always => "PoR always",
        PorMode::OnError => "PoR on error",
        PorMode::Reserved => "PoR reserved",
    };
    let by = if spi.por_by_submit() {
        "by SMS-SUBMIT"
    } else {
        "by SMS-DELIVER-REPORT"
    };
    format!(
        "{command}; {when}, {}, {}, {by}",
        integrity(spi.por_integrity()),
        ciphered(spi.por_ciphered())
    )
}

//! TS 24.011 §7.3 and §8: RP messages between handset and network. The message type says the direction.

use super::cursor::{Cursor, Part};
use super::{Keys, Tree, sms};
use crate::sms::tpdu::{Mti, ReportIn};

const CLAUSE: &str = "TS 24.011 §7.3";
/// Identifier of RP-User data where it is optional.
const USER_DATA: u8 = 0x41;

/// Who sent the message; odd types come from the network.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Handset,
    Network,
}

pub(super) fn message(part: Part<'_>, keys: &Keys) -> Tree {
    let mut cursor = Cursor::new(part, CLAUSE);
    let name = fields(&mut cursor, keys).unwrap_or("RP message");
    cursor.finish(name)
}

fn fields(c: &mut Cursor<'_>, keys: &Keys) -> Option<&'static str> {
    let kind = c.octet("RP-MTI")?;
    let from = if kind & 1 == 0 { From::Handset } else { From::Network };
    let direction = match from {
        From::Handset => "handset to network",
        From::Network => "network to handset",
    };
    let name = match kind {
        0 | 1 => "RP-DATA",
        2 | 3 => "RP-ACK",
        4 | 5 => "RP-ERROR",
        6 => "RP-SMMA",
        other => {
            c.error(format!("RP-MTI: expected 00 to 06, got {other:02X}"));
            return None;
        }
    };
    c.meaning(format!("{name}, {direction}"));
    let body = match kind {
        0 | 1 => data,
        2 | 3 => acknowledgement,
        4 | 5 => error,
        _ => nothing,
    };
    let reference = c.octet("RP-MR");
    if let Some(reference) = reference {
        c.meaning(reference);
        body(c, from, keys);
    }
    Some(name)
}

fn data(c: &mut Cursor<'_>, from: From, keys: &Keys) -> Option<()> {
    address(c, "RP-OA")?;
    address(c, "RP-DA")?;
    let tpdu = user_data(c)?;
    c.push(match (from, Mti::of(tpdu.bytes.first().copied().unwrap_or_default())) {
        (From::Handset, _) => sms::submit(tpdu, keys),
        (From::Network, Mti::STATUS_REPORT) => sms::status_report(tpdu, keys),
        (From::Network, _) => sms::deliver(tpdu, keys),
    });
    Some(())
}

fn acknowledgement(c: &mut Cursor<'_>, from: From, keys: &Keys) -> Option<()> {
    report(c, from, ReportIn::RpAck, keys)
}

fn error(c: &mut Cursor<'_>, from: From, keys: &Keys) -> Option<()> {
    let len = usize::from(c.octet("RP-Cause length")?);
    let part = c.octets("RP-Cause", len)?;
    match part.bytes {
        [cause, ..] => c.meaning(cause_meaning(cause & 0x7F)),
        [] => c.error("RP-Cause: expected at least 1 octet, got 0"),
    }
    report(c, from, ReportIn::RpError, keys)
}

fn nothing(_: &mut Cursor<'_>, _: From, _: &Keys) -> Option<()> {
    Some(())
}

/// Optional RP-User data with a report.
fn report(c: &mut Cursor<'_>, from: From, carrier: ReportIn, keys: &Keys) -> Option<()> {
    if c.left() == 0 {
        return Some(());
    }
    let identifier = c.octet("IEI")?;
    if identifier != USER_DATA {
        c.error(format!("IEI: expected {USER_DATA:02X}, got {identifier:02X}"));
        return None;
    }
    let tpdu = user_data(c)?;
    c.push(match from {
        From::Handset => sms::deliver_report(tpdu, carrier, keys),
        From::Network => sms::submit_report(tpdu, carrier, keys),
    });
    Some(())
}

/// An address that counts octets; length 0 where there is none.
fn address(c: &mut Cursor<'_>, name: &str) -> Option<()> {
    let len = usize::from(c.peek().unwrap_or_default());
    let part = c.octets(name, 1 + len)?;
    if len == 0 {
        c.meaning("none");
    } else {
        match sms::address_meaning(&part.bytes[1..]) {
            Some(meaning) => c.meaning(meaning),
            None => c.error(format!("{name}: expected at most 11 octets, got {len}")),
        }
    }
    Some(())
}

fn user_data<'a>(c: &mut Cursor<'a>) -> Option<Part<'a>> {
    let len = usize::from(c.octet("RP-User data length")?);
    c.skip("RP-User data", len)
}

const fn cause_meaning(cause: u8) -> &'static str {
    match cause {
        1 => "unassigned number",
        8 => "operator determined barring",
        10 => "call barred",
        21 => "short message transfer rejected",
        22 => "memory capacity exceeded",
        27 => "destination out of order",
        28 => "unidentified subscriber",
        29 => "facility rejected",
        30 => "unknown subscriber",
        38 => "network out of order",
        41 => "temporary failure",
        42 => "congestion",
        47 => "resources unavailable",
        50 => "requested facility not subscribed",
        69 => "requested facility not implemented",
        81 => "invalid reference value",
        95 => "semantically incorrect message",
        96 => "invalid mandatory information",
        97 => "message type not implemented",
        98 => "message not compatible with protocol state",
        99 => "information element not implemented",
        111 => "protocol error",
        127 => "interworking",
        _ => "other",
    }
}

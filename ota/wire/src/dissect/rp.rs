//! TS 24.011 §7.3 and §8: RP messages between handset and network. The message type says the direction.

use super::cursor::{Cursor, Part};
use super::{Keys, Tree, sms};
use crate::rp::{Direction, Message};
use crate::sms::tpdu::{Mti, ReportIn};

const CLAUSE: &str = "TS 24.011 §7.3";
/// Identifier of RP-User data where it is optional.
const USER_DATA: u8 = 0x41;

pub(super) fn message(part: Part<'_>, keys: &Keys) -> Tree {
    let mut cursor = Cursor::new(part, CLAUSE);
    let name = fields(&mut cursor, keys).unwrap_or("RP message");
    let kind = part.bytes.first().copied().unwrap_or_default();
    cursor.judge(Message::parse(direction_of(kind), part.bytes));
    cursor.finish(name)
}

/// Odd types come from the network.
const fn direction_of(kind: u8) -> Direction {
    if kind & 1 == 0 {
        Direction::FromPhone
    } else {
        Direction::ToPhone
    }
}

fn fields(c: &mut Cursor<'_>, keys: &Keys) -> Option<&'static str> {
    let kind = c.octet("RP-MTI")?;
    let direction = direction_of(kind);
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
    c.meaning(match direction {
        Direction::FromPhone => format!("{name}, handset to network"),
        Direction::ToPhone => format!("{name}, network to handset"),
    });
    let body = match kind {
        0 | 1 => data,
        2 | 3 => acknowledgement,
        4 | 5 => error,
        _ => nothing,
    };
    let reference = c.octet("RP-MR");
    if let Some(reference) = reference {
        c.meaning(reference);
        body(c, direction, keys);
    }
    Some(name)
}

fn data(c: &mut Cursor<'_>, direction: Direction, keys: &Keys) -> Option<()> {
    address(c, "RP-OA")?;
    address(c, "RP-DA")?;
    let tpdu = user_data(c)?;
    c.push(
        match (
            direction,
            Mti::of(tpdu.bytes.first().copied().unwrap_or_default()),
        ) {
            (Direction::FromPhone, _) => sms::submit(tpdu, keys),
            (Direction::ToPhone, Mti::STATUS_REPORT) => sms::status_report(tpdu, keys),
            (Direction::ToPhone, _) => sms::deliver(tpdu, keys),
        },
    );
    Some(())
}

fn acknowledgement(c: &mut Cursor<'_>, direction: Direction, keys: &Keys) -> Option<()> {
    report(c, direction, ReportIn::Ack, keys)
}

fn error(c: &mut Cursor<'_>, direction: Direction, keys: &Keys) -> Option<()> {
    let len = usize::from(c.octet("RP-Cause length")?);
    let part = c.octets("RP-Cause", len)?;
    match part.bytes {
        [cause, ..] => c.meaning(cause_meaning(cause & 0x7F)),
        [] => c.error("RP-Cause: expected at least 1 octet, got 0"),
    }
    report(c, direction, ReportIn::Error, keys)
}

fn nothing(_: &mut Cursor<'_>, _: Direction, _: &Keys) -> Option<()> {
    Some(())
}

/// Optional RP-User data with a report.
fn report(c: &mut Cursor<'_>, direction: Direction, carrier: ReportIn, keys: &Keys) -> Option<()> {
    if c.left() == 0 {
        return Some(());
    }
    let identifier = c.octet("IEI")?;
    if identifier != USER_DATA {
        c.error(format!(
            "IEI: expected {USER_DATA:02X}, got {identifier:02X}"
        ));
        return None;
    }
    let tpdu = user_data(c)?;
    c.push(match direction {
        Direction::FromPhone => sms::deliver_report(tpdu, carrier, keys),
        Direction::ToPhone => sms::submit_report(tpdu, carrier, keys),
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

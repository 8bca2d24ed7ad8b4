//! TS 23.040, TS 23.038 and TS 24.011.

use jiff::Timestamp;
use ota_wire::dissect::{self, Keys};
use ota_wire::rp::{Direction, Message};
use ota_wire::sms::address::Address;
use ota_wire::sms::concat::{Limits, Outcome, Reassembler, split};
use ota_wire::sms::gsm7 as alphabet;
use ota_wire::sms::tpdu::{Deliver, DeliverReport, ReportIn, StatusReport, Submit, SubmitReport};
use ota_wire::sms::udh::{Iei, Reference, Udh};
use ota_wire::sms::user_data::UserData;

use super::Choices;

/// TP-OA, TP-DA, TP-RA; the form of RP messages; the form without a length.
pub fn address(octets: &[u8]) {
    if let Ok((address, rest)) = Address::parse(octets) {
        let mut out = Vec::new();
        address.emit(&mut out);
        out.extend_from_slice(rest);
        assert_eq!(out, octets);
        let _ = (address.to_string(), address.msisdn());
        assert!(address.digits().is_none() || address.text().is_none());
    }
    if let Ok((Some(address), rest)) = Address::parse_counted(octets) {
        let mut out = Vec::new();
        address.emit_counted(&mut out);
        out.extend_from_slice(rest);
        assert_eq!(out, octets);
    }
    if let Ok(address) = Address::from_value(octets) {
        assert_eq!(address.to_value(), octets);
    }
}

/// User data headers.
pub fn udh(octets: &[u8]) {
    if let Ok((udh, rest)) = Udh::parse(octets) {
        let mut out = Vec::new();
        udh.emit(&mut out);
        assert_eq!(out.len(), udh.len());
        out.extend_from_slice(rest);
        assert_eq!(out, octets);
        let _ = (udh.concat(), udh.packet());
    }
}

/// The GSM 7-bit alphabet: first octet the fill bits, second the number of septets.
pub fn gsm7(octets: &[u8]) {
    let mut choices = Choices(octets);
    let fill = choices.octet() % 7;
    let count = usize::from(choices.octet());
    if let Some(septets) = alphabet::unpack(choices.0, fill, count) {
        assert_eq!(septets.len(), count);
        let packed = alphabet::pack(&septets, fill);
        assert_eq!(packed.len(), alphabet::packed_len(count, fill));
        assert_eq!(
            alphabet::unpack(&packed, fill, count),
            Some(septets.clone())
        );
        let text = alphabet::decode(&septets);
        assert!(text.chars().count() <= septets.len());
    }
    if let Ok(text) = std::str::from_utf8(choices.0)
        && let Ok(septets) = alphabet::encode(text)
    {
        assert_eq!(alphabet::septets(text), Some(septets.len()));
        assert_eq!(alphabet::decode(&septets), text);
    }
}

/// SMS-DELIVER.
pub fn deliver(octets: &[u8]) {
    if let Ok(deliver) = Deliver::parse(octets) {
        assert_eq!(deliver.emit(), octets);
        assert!(deliver.user_data.len() <= 140);
        let _ = (
            deliver.text(),
            deliver.scts.timestamp(),
            format!("{deliver:?}"),
        );
    }
    agrees(
        dissect::deliver(octets, &Keys::default()),
        Deliver::parse(octets).is_ok(),
    );
}

/// SMS-SUBMIT.
pub fn submit(octets: &[u8]) {
    if let Ok(submit) = Submit::parse(octets) {
        assert_eq!(submit.emit(), octets);
        assert!(submit.user_data.len() <= 140);
        let _ = (submit.text(), submit.vp.expires(Timestamp::UNIX_EPOCH));
    }
    agrees(
        dissect::submit(octets, &Keys::default()),
        Submit::parse(octets).is_ok(),
    );
}

/// SMS-DELIVER-REPORT.
pub fn deliver_report(octets: &[u8]) {
    for carrier in [ReportIn::Ack, ReportIn::Error] {
        let parsed = DeliverReport::parse(octets, carrier);
        if let Ok(report) = &parsed {
            assert_eq!(report.emit(), octets);
        }
        agrees(
            dissect::deliver_report(octets, carrier, &Keys::default()),
            parsed.is_ok(),
        );
    }
}

/// SMS-SUBMIT-REPORT.
pub fn submit_report(octets: &[u8]) {
    for carrier in [ReportIn::Ack, ReportIn::Error] {
        let parsed = SubmitReport::parse(octets, carrier);
        if let Ok(report) = &parsed {
            assert_eq!(report.emit(), octets);
        }
        agrees(
            dissect::submit_report(octets, carrier, &Keys::default()),
            parsed.is_ok(),
        );
    }
}

/// SMS-STATUS-REPORT.
pub fn status_report(octets: &[u8]) {
    let parsed = StatusReport::parse(octets);
    if let Ok(report) = &parsed {
        assert_eq!(report.emit(), octets);
    }
    agrees(
        dissect::status_report(octets, &Keys::default()),
        parsed.is_ok(),
    );
}

/// A tree without errors means that the parser accepts the octets. (Not the other way round: what a parser leaves to
/// the layer above may be wrong in a tree.)
fn agrees(tree: dissect::Tree, parsed: bool) {
    assert!(parsed || !tree.is_complete(), "{tree}");
    let _ = tree.to_string();
}

/// RP messages, in both directions.
pub fn rp(octets: &[u8]) {
    for direction in [Direction::FromPhone, Direction::ToPhone] {
        match Message::parse(direction, octets) {
            Ok(message) => assert_eq!(message.emit(direction), octets),
            Err(error) => drop((error.cause(), Message::reference(octets))),
        }
    }
    let _ = dissect::rp_message(octets, &Keys::default()).to_string();
}

/// Concatenation: a sequence of user data, each with a sender and a step of time before it. What is kept is bounded.
/// Then the whole input as one message: split and joined.
pub fn concat(octets: &[u8]) {
    let limits = Limits::default();
    let mut reassembler = Reassembler::new(limits);
    let mut choices = Choices(octets);
    let mut now = Timestamp::UNIX_EPOCH;
    while !choices.is_empty() {
        let sender = choices.octet() % 4;
        now += jiff::SignedDuration::from_secs(i64::from(choices.octet()));
        let Ok(part) = UserData::from_octets(choices.piece(), true) else {
            continue;
        };
        if let Outcome::Complete(joined) = reassembler.accept(&sender, &part, now) {
            assert!(joined.parts <= limits.parts);
            assert!(joined.octets.len() <= 140 * usize::from(joined.parts));
        }
        assert!(reassembler.open() <= limits.open);
    }
    for (reference, identifier) in [
        (Reference::Eight(7), Some(Iei::COMMAND_PACKET)),
        (Reference::Sixteen(7), None),
    ] {
        let Ok(parts) = split(octets, reference, identifier) else {
            continue;
        };
        let mut whole = Reassembler::new(Limits {
            parts: 255,
            ..limits
        });
        let last = parts.len() - 1;
        for (index, part) in parts.iter().enumerate().rev() {
            assert!(part.len() <= 140);
            match whole.accept(&0, part, now) {
                Outcome::Complete(joined) => {
                    assert_eq!((index, &*joined.octets), (0, octets));
                    assert_eq!(joined.packet, identifier);
                }
                Outcome::Waiting { held, .. } => assert_eq!(usize::from(held), last - index + 1),
                other => panic!("{other:?}"),
            }
        }
    }
}

//! TS 102 223: proactive commands, terminal responses, envelopes and the objects inside.

use super::cursor::{Cursor, Part};
use super::{Keys, Tree, sms};
use crate::cat::{
    Alpha, CommandDetails, Devices, Envelope, Facility, PROACTIVE_COMMAND, ProactiveCommand,
    TerminalProfile, TerminalResponse, TerminalResult, TextString, TimerValue, tag,
};
use crate::sms::scts::Scts;
use crate::tlv::{Ber, ComprehensionReader, Tag};

const PROACTIVE: &str = "TS 102 223 §6.6";
const RESPONSE: &str = "TS 102 223 §6.8";
const ENVELOPE: &str = "TS 102 223 §7";
const PROFILE: &str = "TS 102 223 §5.2";
const OBJECTS: &str = "TS 102 223 §8";

/// What the objects of a message are read as.
#[derive(Clone, Copy)]
struct Context<'k> {
    keys: &'k Keys,
    /// An SMS TPDU comes from the network.
    to_card: bool,
    /// What the user typed must not be shown. Then nothing is but details, devices and result: what cannot be told
    /// for a text string may still be one.
    hidden: bool,
}

pub(super) fn proactive(part: Part<'_>, keys: &Keys) -> Tree {
    let context = Context {
        keys,
        to_card: false,
        hidden: false,
    };
    let parsed = ProactiveCommand::parse(part.bytes);
    let name = match &parsed {
        Ok(command) => command.details().kind.to_string(),
        Err(_) => "proactive command".to_owned(),
    };
    let mut cursor = Cursor::new(part, PROACTIVE);
    wrapped(&mut cursor, context, |tag| {
        tag == u32::from(PROACTIVE_COMMAND)
    });
    cursor.judge(parsed);
    cursor.finish(name)
}

pub(super) fn envelope(part: Part<'_>, keys: &Keys) -> Tree {
    let context = Context {
        keys,
        to_card: true,
        hidden: false,
    };
    let parsed = Envelope::parse(part.bytes);
    let name = parsed
        .as_ref()
        .ok()
        .and_then(|envelope| Envelope::name(envelope.tag()))
        .unwrap_or("envelope");
    let mut cursor = Cursor::new(part, ENVELOPE);
    wrapped(&mut cursor, context, |tag| {
        u8::try_from(tag).is_ok_and(|tag| Envelope::name(tag).is_some())
    });
    cursor.judge(parsed);
    cursor.finish(name)
}

pub(super) fn terminal_response(part: Part<'_>, keys: &Keys) -> Tree {
    let context = Context {
        keys,
        to_card: false,
        hidden: hides_input(part.bytes),
    };
    let mut cursor = Cursor::new(part, RESPONSE);
    objects(&mut cursor, context);
    cursor.judge(TerminalResponse::parse(part.bytes));
    cursor.finish("TERMINAL RESPONSE")
}

pub(super) fn terminal_profile(part: Part<'_>) -> Tree {
    let profile = TerminalProfile::from_octets(part.bytes);
    let children = profile
        .facilities()
        .map(|(facility, name)| bit(part, facility, name))
        .collect();
    part.leaf("TERMINAL PROFILE", PROFILE)
        .with_children(children)
}

fn bit(part: Part<'_>, facility: Facility, name: &str) -> Tree {
    let (octet, bit) = facility.position();
    let at = part.base + usize::from(octet) - 1;
    Tree::new(format!("octet {octet} b{bit}"), name, PROFILE, at..at + 1)
}

/// Whether the answer is to a hidden GET INPUT. Where that cannot be read it is taken for one: better a text too
/// many hidden than a PIN shown.
fn hides_input(bytes: &[u8]) -> bool {
    ComprehensionReader::new(bytes)
        .map_while(Result::ok)
        .find(|object| object.tag == tag::COMMAND_DETAILS)
        .and_then(|object| CommandDetails::from_value(object.value))
        .is_none_or(CommandDetails::hides_input)
}

/// A BER-TLV object that fills the part, with COMPREHENSION-TLV objects inside.
fn wrapped(c: &mut Cursor<'_>, context: Context<'_>, accepts: impl Fn(u32) -> bool) {
    let part = c.rest();
    let outer = match Ber::read_all(part.bytes) {
        Ok(outer) => outer,
        Err(error) => return c.error_in_all(error.to_string()),
    };
    let head = part.slice(0..outer.value_range.start);
    let name = format!("tag {:02X}", outer.tag);
    let meaning = format!("{} inside", part.slice(outer.value_range.clone()).size());
    c.push(head.leaf(name, "").with_meaning(meaning));
    if !accepts(outer.tag) {
        return c.error_in_all(format!("tag {:02X} is not one of this message", outer.tag));
    }
    let mut inner = Cursor::new(part.slice(outer.value_range), OBJECTS);
    objects(&mut inner, context);
    for node in inner.finish("").children {
        c.push(node);
    }
}

fn objects(c: &mut Cursor<'_>, context: Context<'_>) {
    let part = c.rest();
    let mut end = 0;
    for read in ComprehensionReader::new(part.bytes) {
        match read {
            Ok(read) => {
                end = read.range.end;
                let whole = part.slice(read.range);
                c.push(object(
                    whole,
                    part.slice(read.value_range),
                    read.tag,
                    context,
                ));
            }
            Err(error) => {
                // The octets behind an unreadable object may be what should have been hidden.
                let range = part.slice(end..part.bytes.len()).range();
                c.push(Tree::error(error.to_string(), OBJECTS, range));
            }
        }
    }
}

fn object(whole: Part<'_>, value: Part<'_>, tag: Tag, context: Context<'_>) -> Tree {
    let name = tag::name(tag).map_or_else(|| format!("object {tag}"), str::to_owned);
    let mut node = Tree::new(name, value.hex(), OBJECTS, whole.range());
    match tag {
        tag::SMS_TPDU => {
            node.value = value.size();
            node.children = vec![if context.to_card {
                sms::deliver(value, context.keys)
            } else {
                sms::submit(value, context.keys)
            }];
        }
        _ if context.hidden && !shows_no_input(tag, value.bytes.len()) => {
            node.secret = true;
            node.range = value.range();
            node.meaning = meaning(tag, value.bytes);
        }
        _ => node.meaning = meaning(tag, value.bytes),
    }
    node
}

/// The objects of a terminal response that are there besides what the user typed, at their usual length.
const fn shows_no_input(tag: Tag, len: usize) -> bool {
    match tag {
        tag::COMMAND_DETAILS => len == CommandDetails::LEN,
        tag::DEVICE_IDENTITIES => len == Devices::LEN,
        tag::RESULT => len <= 2,
        _ => false,
    }
}

fn meaning(tag: Tag, value: &[u8]) -> Option<String> {
    Some(match (tag, value) {
        (tag::COMMAND_DETAILS, value) => {
            let details = CommandDetails::from_value(value)?;
            let CommandDetails {
                number,
                kind,
                qualifier,
            } = details;
            format!("number {number}, {kind}, qualifier {:02X}", qualifier.0)
        }
        (tag::DEVICE_IDENTITIES, value) => {
            let Devices {
                source,
                destination,
            } = Devices::from_value(value)?;
            format!("{source} to {destination}")
        }
        (tag::RESULT, [result, ..]) => TerminalResult(*result).meaning()?.to_owned(),
        (tag::DURATION, [unit, interval]) => {
            let unit = match unit {
                0 => "min",
                1 => "s",
                2 => "tenths of a second",
                _ => return None,
            };
            format!("{interval} {unit}")
        }
        (tag::TEXT_STRING | tag::DEFAULT_TEXT, value) => {
            format!("{:?}", TextString::from_value(value).to_text())
        }
        (tag::ALPHA_IDENTIFIER, value) => format!("{:?}", Alpha::from_value(value).to_text()),
        (tag::ITEM, [id, text @ ..]) => {
            format!("{id}: {:?}", Alpha::from_value(text).to_text())
        }
        (tag::RESPONSE_LENGTH, [min, 255]) => format!("at least {min}"),
        (tag::RESPONSE_LENGTH, [min, max]) => format!("{min} to {max}"),
        (tag::ADDRESS, value) => sms::address_meaning(value)?,
        (tag::TIMER_VALUE, value) => {
            let seconds = TimerValue(value.try_into().ok()?).seconds()?;
            format!("{seconds} s")
        }
        (tag::DATE_TIME, value) => Scts(value.try_into().ok()?).to_string(),
        _ => return None,
    })
}

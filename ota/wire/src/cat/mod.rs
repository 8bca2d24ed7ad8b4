//! ETSI TS 102 223 (card application toolkit), with TS 31.111 for what is particular to SMS.
//!
//! [`ProactiveCommand`]s go from the card to the terminal (FETCH), [`TerminalResponse`]s come back, [`Envelope`]s bring
//! events and data downloads to the card, [`TerminalProfile`] says once what the terminal can do.
//!
//! Parsing accepts a missing comprehension bit, any order behind the first two objects, and lengths in the forms `81`
//! and `82`. Emitting writes the order of the standard, the shortest lengths, and the comprehension bit on every object
//! this module interprets. Objects it does not interpret are kept as [`Element`]s and written last, so no command,
//! response or envelope is lost on its way through.
//!
//! # Panics
//! Nothing here panics on any input.

use core::fmt;

use crate::tlv::{ComprehensionReader, Tag, TlvError, Writer};

mod codes;
mod envelope;
mod proactive;
mod profile;
mod response;
mod text;

pub use codes::{CommandType, Qualifier, TerminalResult};
pub use envelope::{Envelope, EnvelopeError, SmsPpDownload};
pub use proactive::{
    Body, Item, ProactiveCommand, ProactiveError, ProactiveProblem, ResponseLength,
};
pub use profile::{Facility, TerminalProfile};
pub use response::{InputText, Mismatch, TerminalResponse, TerminalResponseError};
pub use text::{Alpha, Coding, TextString};

/// Tags of COMPREHENSION-TLV objects (TS 101 220 §7.2), comprehension bit taken off.
pub mod tag {
    use crate::tlv::Tag;

    /// Command details.
    pub const COMMAND_DETAILS: Tag = Tag(0x01);
    /// Device identities.
    pub const DEVICE_IDENTITIES: Tag = Tag(0x02);
    /// Result.
    pub const RESULT: Tag = Tag(0x03);
    /// Duration.
    pub const DURATION: Tag = Tag(0x04);
    /// Alpha identifier.
    pub const ALPHA_IDENTIFIER: Tag = Tag(0x05);
    /// Address (TON/NPI octet and semi-octets).
    pub const ADDRESS: Tag = Tag(0x06);
    /// SMS TPDU.
    pub const SMS_TPDU: Tag = Tag(0x0B);
    /// Text string.
    pub const TEXT_STRING: Tag = Tag(0x0D);
    /// Tone.
    pub const TONE: Tag = Tag(0x0E);
    /// Item of a menu.
    pub const ITEM: Tag = Tag(0x0F);
    /// Item identifier.
    pub const ITEM_IDENTIFIER: Tag = Tag(0x10);
    /// Response length.
    pub const RESPONSE_LENGTH: Tag = Tag(0x11);
    /// File list.
    pub const FILE_LIST: Tag = Tag(0x12);
    /// Location information.
    pub const LOCATION_INFORMATION: Tag = Tag(0x13);
    /// IMEI.
    pub const IMEI: Tag = Tag(0x14);
    /// Help request.
    pub const HELP_REQUEST: Tag = Tag(0x15);
    /// Default text.
    pub const DEFAULT_TEXT: Tag = Tag(0x17);
    /// Event list.
    pub const EVENT_LIST: Tag = Tag(0x19);
    /// Icon identifier.
    pub const ICON_IDENTIFIER: Tag = Tag(0x1E);
    /// Timer identifier.
    pub const TIMER_IDENTIFIER: Tag = Tag(0x24);
    /// Timer value.
    pub const TIMER_VALUE: Tag = Tag(0x25);
    /// Date, time and time zone.
    pub const DATE_TIME: Tag = Tag(0x26);
    /// Immediate response.
    pub const IMMEDIATE_RESPONSE: Tag = Tag(0x2B);
    /// Language.
    pub const LANGUAGE: Tag = Tag(0x2D);
    /// Text attribute.
    pub const TEXT_ATTRIBUTE: Tag = Tag(0x50);

    /// The standard's name of a tag.
    pub const fn name(tag: Tag) -> Option<&'static str> {
        Some(match tag {
            COMMAND_DETAILS => "Command details",
            DEVICE_IDENTITIES => "Device identities",
            RESULT => "Result",
            DURATION => "Duration",
            ALPHA_IDENTIFIER => "Alpha identifier",
            ADDRESS => "Address",
            SMS_TPDU => "SMS TPDU",
            TEXT_STRING => "Text string",
            TONE => "Tone",
            ITEM => "Item",
            ITEM_IDENTIFIER => "Item identifier",
            RESPONSE_LENGTH => "Response length",
            FILE_LIST => "File list",
            LOCATION_INFORMATION => "Location information",
            IMEI => "IMEI",
            HELP_REQUEST => "Help request",
            DEFAULT_TEXT => "Default text",
            EVENT_LIST => "Event list",
            ICON_IDENTIFIER => "Icon identifier",
            TIMER_IDENTIFIER => "Timer identifier",
            TIMER_VALUE => "Timer value",
            DATE_TIME => "Date-time and time zone",
            IMMEDIATE_RESPONSE => "Immediate response",
            LANGUAGE => "Language",
            TEXT_ATTRIBUTE => "Text attribute",
            _ => return None,
        })
    }
}

/// Tag of a proactive command (TS 101 220 §7.2).
pub const PROACTIVE_COMMAND: u8 = 0xD0;

/// Command details, TS 102 223 §8.6. A terminal response repeats them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CommandDetails {
    /// Command number, 1 to 254.
    pub number: u8,
    /// Type of command.
    pub kind: CommandType,
    /// Command qualifier.
    pub qualifier: Qualifier,
}

impl CommandDetails {
    /// Octets of the value.
    pub const LEN: usize = 3;

    /// Reads the value of a command details object.
    pub const fn from_value(value: &[u8]) -> Option<Self> {
        match value {
            &[number, kind, qualifier] => Some(Self {
                number,
                kind: CommandType(kind),
                qualifier: Qualifier(qualifier),
            }),
            _ => None,
        }
    }

    /// The value octets.
    pub const fn to_value(self) -> [u8; Self::LEN] {
        [self.number, self.kind.0, self.qualifier.0]
    }
}

/// An end of the interface, TS 102 223 §8.7. Unknown ones survive.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Device(pub u8);

impl Device {
    /// Keypad.
    pub const KEYPAD: Self = Self(0x01);
    /// Display.
    pub const DISPLAY: Self = Self(0x02);
    /// Earpiece.
    pub const EARPIECE: Self = Self(0x03);
    /// UICC.
    pub const UICC: Self = Self(0x81);
    /// Terminal.
    pub const TERMINAL: Self = Self(0x82);
    /// Network.
    pub const NETWORK: Self = Self(0x83);

    /// The standard's name.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::KEYPAD => "keypad",
            Self::DISPLAY => "display",
            Self::EARPIECE => "earpiece",
            Self::UICC => "UICC",
            Self::TERMINAL => "terminal",
            Self::NETWORK => "network",
            _ => return None,
        })
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "device {:02X}", self.0),
        }
    }
}

/// Device identities, TS 102 223 §8.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Devices {
    /// Where the message comes from.
    pub source: Device,
    /// Where it goes.
    pub destination: Device,
}

impl Devices {
    /// Octets of the value.
    pub const LEN: usize = 2;
    /// Terminal to card, as in every terminal response.
    pub const TERMINAL_TO_UICC: Self = Self::new(Device::TERMINAL, Device::UICC);
    /// Network to card, as in a data download.
    pub const NETWORK_TO_UICC: Self = Self::new(Device::NETWORK, Device::UICC);
    /// Keypad to card, as in a menu selection.
    pub const KEYPAD_TO_UICC: Self = Self::new(Device::KEYPAD, Device::UICC);

    /// From `source` to `destination`.
    pub const fn new(source: Device, destination: Device) -> Self {
        Self {
            source,
            destination,
        }
    }

    /// Reads the value of a device identities object.
    pub const fn from_value(value: &[u8]) -> Option<Self> {
        match value {
            &[source, destination] => Some(Self::new(Device(source), Device(destination))),
            _ => None,
        }
    }

    /// The value octets.
    pub const fn to_value(self) -> [u8; Self::LEN] {
        [self.source.0, self.destination.0]
    }
}

/// Duration, TS 102 223 §8.8: an interval of 1 to 255 units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Duration {
    /// `00` minutes, `01` seconds, `02` tenths of a second; others are reserved.
    pub unit: u8,
    /// Number of units; 0 is reserved.
    pub interval: u8,
}

impl Duration {
    /// Whole seconds, 1 to 255.
    pub const fn seconds(interval: u8) -> Self {
        Self { unit: 1, interval }
    }

    /// Length in milliseconds; `None` for a reserved unit.
    pub const fn millis(self) -> Option<u64> {
        let unit = match self.unit {
            0 => 60_000,
            1 => 1_000,
            2 => 100,
            _ => return None,
        };
        Some(unit * self.interval as u64)
    }

    const fn from_value(value: &[u8]) -> Option<Self> {
        match value {
            &[unit, interval] => Some(Self { unit, interval }),
            _ => None,
        }
    }
}

/// Timer identifier, TS 102 223 §8.37: 1 to 8. Others survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimerId(pub u8);

/// Timer value, TS 102 223 §8.38: hours, minutes and seconds in swapped semi-octets, as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerValue(pub [u8; 3]);

impl TimerValue {
    /// The longest a timer can run.
    pub const MAX_SECONDS: u32 = 23 * 3600 + 59 * 60 + 59;

    /// From seconds; more than [`TimerValue::MAX_SECONDS`] is taken as that.
    pub const fn from_seconds(seconds: u32) -> Self {
        let seconds = if seconds > Self::MAX_SECONDS {
            Self::MAX_SECONDS
        } else {
            seconds
        };
        Self([
            swapped(seconds / 3600),
            swapped(seconds / 60 % 60),
            swapped(seconds % 60),
        ])
    }

    /// In seconds; `None` where a semi-octet is no digit.
    pub fn seconds(self) -> Option<u32> {
        let [h, m, s] = self.0.map(unswapped);
        Some(h? * 3600 + m? * 60 + s?)
    }

    fn from_value(value: &[u8]) -> Option<Self> {
        value.try_into().ok().map(Self)
    }
}

const fn swapped(number: u32) -> u8 {
    (((number % 10) << 4) | ((number / 10) % 10)) as u8
}

fn unswapped(octet: u8) -> Option<u32> {
    let (ones, tens) = (octet >> 4, octet & 0x0F);
    (ones < 10 && tens < 10).then(|| u32::from(tens) * 10 + u32::from(ones))
}

/// A COMPREHENSION-TLV object that is kept as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// Tag without its comprehension bit.
    pub tag: Tag,
    /// The comprehension bit: a receiver that does not know the object must refuse the whole.
    pub required: bool,
    /// Value octets.
    pub value: Vec<u8>,
}

impl Element {
    /// An object with its comprehension bit set.
    pub fn new(tag: Tag, value: impl Into<Vec<u8>>) -> Self {
        Self {
            tag,
            required: true,
            value: value.into(),
        }
    }
}

/// All objects of a value, from which a parser takes those it knows.
struct Elements(Vec<Element>);

impl Elements {
    fn parse(bytes: &[u8]) -> Result<Self, TlvError> {
        ComprehensionReader::new(bytes)
            .map(|object| {
                object.map(|object| Element {
                    tag: object.tag,
                    required: object.required,
                    value: object.value.to_vec(),
                })
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Takes the first object with this tag out.
    fn take(&mut self, tag: Tag) -> Option<Vec<u8>> {
        let index = self.0.iter().position(|element| element.tag == tag)?;
        Some(self.0.remove(index).value)
    }

    /// Takes every object with this tag out.
    fn take_all(&mut self, tag: Tag) -> Vec<Vec<u8>> {
        let (taken, left) = core::mem::take(&mut self.0)
            .into_iter()
            .partition(|element| element.tag == tag);
        self.0 = left;
        let taken: Vec<Element> = taken;
        taken.into_iter().map(|element| element.value).collect()
    }
}

/// Writes objects in order; the ones interpreted here always carry the comprehension bit.
struct ElementWriter(Writer);

impl ElementWriter {
    fn begin(details: CommandDetails, devices: Devices) -> Self {
        let mut writer = Self(Writer::new());
        writer
            .put(tag::COMMAND_DETAILS, &details.to_value())
            .put(tag::DEVICE_IDENTITIES, &devices.to_value());
        writer
    }

    fn put(&mut self, tag: Tag, value: &[u8]) -> &mut Self {
        self.0.comprehension(tag, true, value);
        self
    }

    fn put_some(&mut self, tag: Tag, value: Option<&[u8]>) -> &mut Self {
        if let Some(value) = value {
            self.put(tag, value);
        }
        self
    }

    fn put_all(&mut self, elements: &[Element]) -> &mut Self {
        for element in elements {
            self.0
                .comprehension(element.tag, element.required, &element.value);
        }
        self
    }

    fn wrap(self, tag: u8) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.ber(u32::from(tag), &self.0.into_bytes());
        writer.into_bytes()
    }
}

#[cfg(test)]
mod tests;

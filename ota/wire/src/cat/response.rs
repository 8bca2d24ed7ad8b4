//! TS 102 223 §6.8 and §8.12: TERMINAL RESPONSE.

use core::fmt;

use thiserror::Error;

use super::{
    Coding, CommandDetails, Device, Devices, Duration, Element, ElementWriter, Elements,
    TerminalResult, TextString, TimerId, TimerValue, tag, text,
};
use crate::apdu::Sw;
use crate::secret::Secret;
use crate::tlv::{Tag, TlvError};

/// The data of a TERMINAL RESPONSE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TerminalResponse {
    /// Number, type and qualifier of the command this answers.
    pub details: CommandDetails,
    /// Terminal to card.
    pub devices: Devices,
    /// General result.
    pub result: TerminalResult,
    /// Additional information on the result, e.g. `01` "screen busy" behind result `20`.
    pub additional: Vec<u8>,
    /// What the user typed.
    pub input: Option<InputText>,
    /// Other objects.
    pub extra: Vec<Element>,
}

impl TerminalResponse {
    /// An answer without additional information.
    pub const fn new(details: CommandDetails, result: TerminalResult) -> Self {
        Self {
            details,
            devices: Devices::TERMINAL_TO_UICC,
            result,
            additional: Vec::new(),
            input: None,
            extra: Vec::new(),
        }
    }

    /// The same answer with one octet of additional information.
    #[must_use]
    pub fn with_additional(mut self, octet: u8) -> Self {
        self.additional = vec![octet];
        self
    }

    /// The same answer with what the user typed.
    #[must_use]
    pub fn with_input(mut self, input: InputText) -> Self {
        self.input = Some(input);
        self
    }

    /// The same answer with one more object.
    #[must_use]
    pub fn with(mut self, element: Element) -> Self {
        self.extra.push(element);
        self
    }

    /// The same answer with date, time and time zone (7 octets, coded as TP-SCTS).
    #[must_use]
    pub fn with_date_time(self, scts: [u8; 7]) -> Self {
        self.with(Element::new(tag::DATE_TIME, scts))
    }

    /// The same answer with a timer and its value.
    #[must_use]
    pub fn with_timer(self, timer: TimerId, value: TimerValue) -> Self {
        self.with(Element::new(tag::TIMER_IDENTIFIER, [timer.0]))
            .with(Element::new(tag::TIMER_VALUE, value.0))
    }

    /// The same answer with a duration, as POLL INTERVAL wants it.
    #[must_use]
    pub fn with_duration(self, duration: Duration) -> Self {
        let Duration { unit, interval } = duration;
        self.with(Element::new(tag::DURATION, [unit, interval]))
    }

    /// Reads the data field of a TERMINAL RESPONSE.
    ///
    /// # Errors
    /// [`TerminalResponseError`]; its [`TerminalResponseError::sw`] is what a card answers.
    pub fn parse(bytes: &[u8]) -> Result<Self, TerminalResponseError> {
        let mut elements = Elements::parse(bytes)?;
        let mut take = |tag| {
            let value = elements.take(tag);
            value.ok_or(TerminalResponseError::Missing { tag })
        };
        let details = take(tag::COMMAND_DETAILS)?;
        let devices = take(tag::DEVICE_IDENTITIES)?;
        let result = take(tag::RESULT)?;
        let malformed = |tag, got: &[u8]| TerminalResponseError::Malformed {
            tag,
            got: got.len(),
        };
        let (general, additional) = result
            .split_first()
            .ok_or_else(|| malformed(tag::RESULT, &result))?;
        Ok(Self {
            details: CommandDetails::from_value(&details)
                .ok_or_else(|| malformed(tag::COMMAND_DETAILS, &details))?,
            devices: Devices::from_value(&devices)
                .ok_or_else(|| malformed(tag::DEVICE_IDENTITIES, &devices))?,
            result: TerminalResult(*general),
            additional: additional.to_vec(),
            input: elements.take(tag::TEXT_STRING).map(InputText::from_value),
            extra: elements.0,
        })
    }

    /// The data field of a TERMINAL RESPONSE.
    pub fn emit(&self) -> Vec<u8> {
        let mut writer = ElementWriter::begin(self.details, self.devices);
        writer
            .put(
                tag::RESULT,
                &[&[self.result.0], self.additional.as_slice()].concat(),
            )
            .put_some(
                tag::TEXT_STRING,
                self.input.as_ref().map(|input| input.0.expose()),
            )
            .put_all(&self.extra);
        writer.0.into_bytes()
    }

    /// Whether this answers that command: number, type and qualifier are equal, and it goes to the card.
    ///
    /// The source is not looked at: there are terminals that name the command's destination there (display, network)
    /// instead of themselves.
    ///
    /// # Errors
    /// [`Mismatch`].
    pub fn answers(&self, command: CommandDetails) -> Result<(), Mismatch> {
        if self.details == command && self.devices.destination == Device::UICC {
            return Ok(());
        }
        Err(Mismatch {
            expected: command,
            got: self.details,
            destination: self.devices.destination,
        })
    }

    /// Whether the input is a PIN or the like: the command asked to hide it.
    pub const fn hides_input(&self) -> bool {
        self.details.hides_input()
    }

    /// Date, time and time zone, coded as TP-SCTS.
    pub fn date_time(&self) -> Option<[u8; 7]> {
        self.element(tag::DATE_TIME)?.try_into().ok()
    }

    /// The timer and its value.
    pub fn timer(&self) -> Option<(TimerId, Option<TimerValue>)> {
        let [timer] = self.element(tag::TIMER_IDENTIFIER)?.try_into().ok()?;
        let value = self
            .element(tag::TIMER_VALUE)
            .and_then(TimerValue::from_value);
        Some((TimerId(timer), value))
    }

    /// The value of the first object with this tag that has no field here.
    pub fn element(&self, tag: Tag) -> Option<&[u8]> {
        self.extra
            .iter()
            .find(|element| element.tag == tag)
            .map(|element| element.value.as_slice())
    }
}

/// What a user typed: the value of a text string object. It may be a PIN, so it is treated as a secret always.
#[derive(Clone, PartialEq, Eq)]
pub struct InputText(Secret);

impl InputText {
    /// The text in the 8-bit default alphabet, or in UCS2 where that lacks a character.
    pub fn encode(text: &str) -> Self {
        Self::from_value(TextString::encode(text).value())
    }

    /// A value as it stands on the wire.
    pub fn from_value(value: impl Into<Vec<u8>>) -> Self {
        Self(Secret::new(value.into()))
    }

    /// The text string, in the clear.
    pub fn reveal(&self) -> TextString {
        TextString::from_value(self.0.expose())
    }

    /// Characters, as the response length counts them.
    pub fn chars(&self) -> usize {
        self.reveal().chars()
    }

    /// The ASCII digits that were typed, in whatever coding; `None` if there is anything else among them.
    pub fn digits(&self) -> Option<Secret> {
        let (&coding, octets) = self.0.expose().split_first()?;
        let digits = Secret::new(match Coding(coding) {
            Coding::PACKED => text::unpack(octets),
            Coding::UCS2 => {
                let (units, rest) = octets.as_chunks::<2>();
                let high = units.iter().all(|[high, _]| *high == 0);
                if !high || !rest.is_empty() {
                    return None;
                }
                units.iter().map(|[_, low]| *low).collect()
            }
            // The digits of the default alphabet have their ASCII codes.
            _ => octets.to_vec(),
        });
        let only_digits = digits.expose().iter().all(u8::is_ascii_digit);
        only_digits.then_some(digits)
    }
}

impl fmt::Debug for InputText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InputText({} octets)", self.0.expose().len())
    }
}

/// Why the data of a TERMINAL RESPONSE cannot be taken.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TerminalResponseError {
    /// No TLV objects.
    #[error(transparent)]
    Tlv(#[from] TlvError),
    /// A mandatory object is missing.
    #[error("object {tag} is missing")]
    Missing {
        /// Its tag.
        tag: Tag,
    },
    /// An object has a length it cannot have.
    #[error("object {tag} cannot have {got} octets")]
    Malformed {
        /// Its tag.
        tag: Tag,
        /// Octets it has.
        got: usize,
    },
}

impl TerminalResponseError {
    /// The status word a card answers with.
    pub const fn sw(&self) -> Sw {
        match self {
            Self::Tlv(TlvError::Value { .. }) => Sw::WRONG_LENGTH,
            _ => Sw::WRONG_DATA,
        }
    }
}

/// A terminal response to some other command than the outstanding one.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "expected an answer to {expected:?} for the UICC, got one to {got:?} for the {destination}"
)]
pub struct Mismatch {
    /// The outstanding command.
    pub expected: CommandDetails,
    /// What the response says it answers.
    pub got: CommandDetails,
    /// Where it goes.
    pub destination: Device,
}

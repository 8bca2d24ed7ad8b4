//! TS 102 223 §6.8 and §8.12: TERMINAL RESPONSE.

use core::fmt;

use thiserror::Error;

use super::{
    CommandDetails, Devices, Duration, Element, ElementWriter, Elements, TextString, TimerId,
    TimerValue, tag,
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
            .put_some(tag::TEXT_STRING, self.input.as_ref().map(|input| input.0.expose()))
            .put_all(&self.extra);
        writer.0.into_bytes()
    }

    /// Whether this answers that command: number, type and qualifier are equal and it comes from the terminal.
    ///
    /// # Errors
    /// [`Mismatch`].
    pub fn answers(&self, command: CommandDetails) -> Result<(), Mismatch> {
        if self.details == command && self.devices == Devices::TERMINAL_TO_UICC {
            return Ok(());
        }
        Err(Mismatch {
            expected: command,
            got: self.details,
            devices: self.devices,
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
        let digits = Secret::new(self.reveal().to_text().into_bytes());
        digits
            .expose()
            .iter()
            .all(u8::is_ascii_digit)
            .then_some(digits)
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
#[error("expected an answer to {expected:?} from terminal to UICC, got {got:?} with {devices:?}")]
pub struct Mismatch {
    /// The outstanding command.
    pub expected: CommandDetails,
    /// What the response says it answers.
    pub got: CommandDetails,
    /// Its device identities.
    pub devices: Devices,
}

/// General result, TS 102 223 §8.12. Unknown ones survive.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TerminalResult(pub u8);

macro_rules! results {
    ($($constant:ident = $code:literal, $meaning:literal;)*) => {
        impl TerminalResult {
            $(#[doc = concat!("`", stringify!($code), "`: ", $meaning, ".")]
            pub const $constant: Self = Self($code);)*

            /// What the result says, in words.
            pub const fn meaning(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some($meaning),)*
                    _ => None,
                }
            }
        }
    };
}

results! {
    OK = 0x00, "performed";
    PARTIAL_COMPREHENSION = 0x01, "performed with partial comprehension";
    MISSING_INFORMATION = 0x02, "performed with missing information";
    ADDITIONAL_EFS_READ = 0x03, "performed, additional files read";
    ICON_NOT_SHOWN = 0x04, "performed, icon not shown";
    MODIFIED_BY_CALL_CONTROL = 0x05, "performed, modified by call control";
    LIMITED_SERVICE = 0x06, "performed, limited service";
    MODIFIED = 0x07, "performed with modification";
    ENDED_BY_USER = 0x10, "session ended by the user";
    BACKWARD = 0x11, "backward move by the user";
    NO_RESPONSE = 0x12, "no response from the user";
    HELP_WANTED = 0x13, "help wanted by the user";
    TRANSACTION_ENDED_BY_USER = 0x14, "USSD or SS transaction ended by the user";
    TERMINAL_BUSY = 0x20, "terminal cannot process the command at present";
    NETWORK_BUSY = 0x21, "network cannot process the command at present";
    USER_DID_NOT_ACCEPT = 0x22, "user did not accept the command";
    USER_CLEARED_CALL = 0x23, "user cleared down the call";
    TIMER_CONTRADICTION = 0x24, "contradiction with the timer's state";
    CALL_CONTROL_TEMPORARY = 0x25, "temporary problem in call control";
    LAUNCH_BROWSER_ERROR = 0x26, "launch browser error";
    BEYOND_CAPABILITY = 0x30, "beyond the terminal's capabilities";
    TYPE_NOT_UNDERSTOOD = 0x31, "command type not understood";
    DATA_NOT_UNDERSTOOD = 0x32, "command data not understood";
    NUMBER_NOT_KNOWN = 0x33, "command number not known";
    SS_RETURN_ERROR = 0x34, "SS return error";
    SMS_RP_ERROR = 0x35, "SMS RP-ERROR";
    VALUES_MISSING = 0x36, "required values are missing";
    USSD_RETURN_ERROR = 0x37, "USSD return error";
    MULTIPLE_CARD_ERROR = 0x38, "multiple card command error";
    CALL_CONTROL_PERMANENT = 0x39, "refused by call control or MO SMS control";
    BEARER_INDEPENDENT_PROTOCOL_ERROR = 0x3A, "bearer independent protocol error";
}

impl TerminalResult {
    /// `0x` and `1x`: the command was carried out, or the user ended it.
    pub const fn is_performed(self) -> bool {
        self.0 < 0x20
    }

    /// `2x`: the same command may work later.
    pub const fn is_temporary(self) -> bool {
        self.0 >> 4 == 2
    }

    /// `0x`: carried out, perhaps with remarks.
    pub const fn is_ok(self) -> bool {
        self.0 < 0x10
    }
}

impl fmt::Debug for TerminalResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for TerminalResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.meaning() {
            Some(meaning) => write!(f, "{:02X} {meaning}", self.0),
            None => write!(f, "{:02X}", self.0),
        }
    }
}

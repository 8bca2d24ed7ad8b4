//! TS 102 223 §6.6 and §8: proactive commands.

use thiserror::Error;

use super::{
    Alpha, CommandDetails, CommandType, Device, Devices, Duration, Element, ElementWriter,
    Elements, PROACTIVE_COMMAND, Qualifier, TerminalResult, TextString, TimerId, TimerValue, tag,
};
use crate::tlv::{Ber, Tag, TlvError};

/// A command of the card to the terminal, fetched as `D0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProactiveCommand {
    /// Command number, 1 to 254; the answer repeats it.
    pub number: u8,
    /// Command qualifier.
    pub qualifier: Qualifier,
    /// Source and destination.
    pub devices: Devices,
    /// What the terminal shall do.
    pub body: Body,
    /// Objects that are not interpreted here, written last.
    pub extra: Vec<Element>,
}

/// What a proactive command asks for. Type codes without a variant are [`Body::Other`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// REFRESH, §6.6.13.
    Refresh {
        /// Value of the file list: a count and paths.
        files: Option<Vec<u8>>,
    },
    /// MORE TIME, §6.6.4.
    MoreTime,
    /// POLL INTERVAL, §6.6.6.
    PollInterval {
        /// Longest time between two STATUS commands.
        interval: Duration,
    },
    /// SEND SHORT MESSAGE, §6.6.9.
    SendShortMessage {
        /// Shown to the user while sending; present and empty: show nothing.
        alpha: Option<Alpha>,
        /// Service centre: TON/NPI octet and swapped semi-octets. Without it the terminal uses its own.
        service_centre: Option<Vec<u8>>,
        /// The SMS-SUBMIT.
        tpdu: Vec<u8>,
    },
    /// PLAY TONE, §6.6.5.
    PlayTone {
        /// Shown to the user.
        alpha: Option<Alpha>,
        /// Tone code (§8.16); without it a general beep.
        tone: Option<u8>,
        /// How long.
        duration: Option<Duration>,
    },
    /// DISPLAY TEXT, §6.6.1.
    DisplayText {
        /// The text.
        text: TextString,
        /// Answer at once and keep the text on the display.
        immediate_response: bool,
        /// How long to show or wait.
        duration: Option<Duration>,
    },
    /// GET INKEY, §6.6.2.
    GetInkey {
        /// The prompt.
        text: TextString,
        /// How long to wait.
        duration: Option<Duration>,
    },
    /// GET INPUT, §6.6.3.
    GetInput {
        /// The prompt.
        text: TextString,
        /// How many characters the user may enter.
        response_length: ResponseLength,
        /// What stands in the input field at first.
        default_text: Option<TextString>,
    },
    /// SET UP MENU, §6.6.7.
    SetUpMenu {
        /// Title.
        alpha: Alpha,
        /// Items; none removes the menu.
        items: Vec<Item>,
    },
    /// PROVIDE LOCAL INFORMATION, §6.6.15. The qualifier says which.
    ProvideLocalInformation,
    /// TIMER MANAGEMENT, §6.6.21. The qualifier says what to do.
    TimerManagement {
        /// Which timer.
        timer: TimerId,
        /// How long it shall run, when it is started.
        value: Option<TimerValue>,
    },
    /// Any other command; its objects are in [`ProactiveCommand::extra`].
    Other {
        /// Type of command.
        kind: CommandType,
    },
}

/// An entry of a menu, §8.9.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Identifier, 1 to 255.
    pub id: u8,
    /// Text.
    pub text: Alpha,
}

/// How many characters a GET INPUT takes, §8.11.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ResponseLength {
    /// At least.
    pub min: u8,
    /// At most; 255 sets no limit.
    pub max: u8,
}

impl ResponseLength {
    /// Whether so many characters are allowed.
    pub fn allows(self, chars: usize) -> bool {
        usize::from(self.min) <= chars && (self.max == 255 || chars <= usize::from(self.max))
    }
}

impl ProactiveCommand {
    /// Most octets of a proactive command: FETCH asks for at most 256.
    pub const MAX_LEN: usize = 256;

    /// A command of the card to `destination`.
    pub const fn new(number: u8, qualifier: Qualifier, destination: Device, body: Body) -> Self {
        Self {
            number,
            qualifier,
            devices: Devices::new(Device::UICC, destination),
            body,
            extra: Vec::new(),
        }
    }

    /// DISPLAY TEXT.
    pub const fn display_text(number: u8, qualifier: Qualifier, text: TextString) -> Self {
        let body = Body::DisplayText {
            text,
            immediate_response: false,
            duration: None,
        };
        Self::new(number, qualifier, Device::DISPLAY, body)
    }

    /// GET INPUT.
    pub const fn get_input(
        number: u8,
        qualifier: Qualifier,
        text: TextString,
        response_length: ResponseLength,
    ) -> Self {
        let body = Body::GetInput {
            text,
            response_length,
            default_text: None,
        };
        Self::new(number, qualifier, Device::TERMINAL, body)
    }

    /// SEND SHORT MESSAGE of a binary SMS-SUBMIT, through the terminal's service centre.
    pub const fn send_short_message(number: u8, tpdu: Vec<u8>) -> Self {
        let body = Body::SendShortMessage {
            alpha: None,
            service_centre: None,
            tpdu,
        };
        Self::new(number, Qualifier(0), Device::NETWORK, body)
    }

    /// MORE TIME.
    pub const fn more_time(number: u8) -> Self {
        Self::new(number, Qualifier(0), Device::TERMINAL, Body::MoreTime)
    }

    /// TIMER MANAGEMENT that starts a timer.
    pub const fn start_timer(number: u8, timer: TimerId, value: TimerValue) -> Self {
        let body = Body::TimerManagement {
            timer,
            value: Some(value),
        };
        Self::new(number, Qualifier::TIMER_START, Device::TERMINAL, body)
    }

    /// TIMER MANAGEMENT that stops a timer.
    pub const fn stop_timer(number: u8, timer: TimerId) -> Self {
        let body = Body::TimerManagement { timer, value: None };
        Self::new(number, Qualifier::TIMER_DEACTIVATE, Device::TERMINAL, body)
    }

    /// PROVIDE LOCAL INFORMATION that asks for date, time and time zone.
    pub const fn local_date_time(number: u8) -> Self {
        Self::new(
            number,
            Qualifier::LOCAL_DATE_TIME,
            Device::TERMINAL,
            Body::ProvideLocalInformation,
        )
    }

    /// Reads a command; it must fill `bytes`.
    ///
    /// # Errors
    /// [`ProactiveError`]; its [`ProactiveError::result`] is what a terminal answers.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProactiveError> {
        let unread = |problem| ProactiveError {
            details: None,
            problem,
        };
        let outer = Ber::read_all(bytes).map_err(|error| unread(error.into()))?;
        if outer.tag != u32::from(PROACTIVE_COMMAND) {
            return Err(unread(ProactiveProblem::OuterTag { got: outer.tag }));
        }
        let mut elements = Elements::parse(outer.value).map_err(|error| unread(error.into()))?;
        let details = elements
            .mandatory(tag::COMMAND_DETAILS, "3 octets", CommandDetails::from_value)
            .map_err(unread)?;
        Self::from_elements(details, elements).map_err(|problem| ProactiveError {
            details: Some(details),
            problem,
        })
    }

    /// The command as octets. A card can only send it if there are at most [`ProactiveCommand::MAX_LEN`] of them.
    pub fn emit(&self) -> Vec<u8> {
        let mut writer = ElementWriter::begin(self.details(), self.devices);
        self.body.write(&mut writer);
        writer.put_all(&self.extra);
        writer.wrap(PROACTIVE_COMMAND)
    }

    /// Number, type and qualifier.
    pub const fn details(&self) -> CommandDetails {
        CommandDetails {
            number: self.number,
            kind: self.body.kind(),
            qualifier: self.qualifier,
        }
    }

    /// Whether this is a GET INPUT whose answer must not be shown.
    pub const fn hides_input(&self) -> bool {
        self.details().hides_input()
    }

    /// The first object that is not interpreted here although it must be understood.
    pub fn not_understood(&self) -> Option<&Element> {
        self.extra.iter().find(|element| element.required)
    }

    fn from_elements(
        details: CommandDetails,
        mut elements: Elements,
    ) -> Result<Self, ProactiveProblem> {
        let devices =
            elements.mandatory(tag::DEVICE_IDENTITIES, "2 octets", Devices::from_value)?;
        let body = Body::from_elements(details.kind, &mut elements)?;
        Ok(Self {
            number: details.number,
            qualifier: details.qualifier,
            devices,
            body,
            extra: elements.0,
        })
    }
}

impl CommandDetails {
    /// Whether these are of a GET INPUT that hides what is typed. A terminal response repeats the bit.
    pub const fn hides_input(self) -> bool {
        self.kind.0 == CommandType::GET_INPUT.0 && self.qualifier.has(Qualifier::INPUT_HIDDEN)
    }
}

impl Body {
    /// Type of command.
    pub const fn kind(&self) -> CommandType {
        match self {
            Self::Refresh { .. } => CommandType::REFRESH,
            Self::MoreTime => CommandType::MORE_TIME,
            Self::PollInterval { .. } => CommandType::POLL_INTERVAL,
            Self::SendShortMessage { .. } => CommandType::SEND_SHORT_MESSAGE,
            Self::PlayTone { .. } => CommandType::PLAY_TONE,
            Self::DisplayText { .. } => CommandType::DISPLAY_TEXT,
            Self::GetInkey { .. } => CommandType::GET_INKEY,
            Self::GetInput { .. } => CommandType::GET_INPUT,
            Self::SetUpMenu { .. } => CommandType::SET_UP_MENU,
            Self::ProvideLocalInformation => CommandType::PROVIDE_LOCAL_INFORMATION,
            Self::TimerManagement { .. } => CommandType::TIMER_MANAGEMENT,
            Self::Other { kind } => *kind,
        }
    }

    fn from_elements(kind: CommandType, from: &mut Elements) -> Result<Self, ProactiveProblem> {
        Ok(match kind {
            CommandType::REFRESH => Self::Refresh {
                files: from.take(tag::FILE_LIST),
            },
            CommandType::MORE_TIME => Self::MoreTime,
            CommandType::POLL_INTERVAL => Self::PollInterval {
                interval: from.mandatory(tag::DURATION, "2 octets", Duration::from_value)?,
            },
            CommandType::SEND_SHORT_MESSAGE => Self::SendShortMessage {
                alpha: from.take(tag::ALPHA_IDENTIFIER).map(Alpha::from_value),
                service_centre: from.take(tag::ADDRESS),
                tpdu: from.mandatory(tag::SMS_TPDU, "a TPDU", non_empty)?,
            },
            CommandType::PLAY_TONE => Self::PlayTone {
                alpha: from.take(tag::ALPHA_IDENTIFIER).map(Alpha::from_value),
                tone: from.optional(tag::TONE, "1 octet", one)?,
                duration: from.optional(tag::DURATION, "2 octets", Duration::from_value)?,
            },
            CommandType::DISPLAY_TEXT => Self::DisplayText {
                text: from.mandatory(tag::TEXT_STRING, "a text", text)?,
                immediate_response: from.take(tag::IMMEDIATE_RESPONSE).is_some(),
                duration: from.optional(tag::DURATION, "2 octets", Duration::from_value)?,
            },
            CommandType::GET_INKEY => Self::GetInkey {
                text: from.mandatory(tag::TEXT_STRING, "a text", text)?,
                duration: from.optional(tag::DURATION, "2 octets", Duration::from_value)?,
            },
            CommandType::GET_INPUT => Self::GetInput {
                text: from.mandatory(tag::TEXT_STRING, "a text", text)?,
                response_length: from.mandatory(tag::RESPONSE_LENGTH, "2 octets", |value| {
                    match *value {
                        [min, max] => Some(ResponseLength { min, max }),
                        _ => None,
                    }
                })?,
                default_text: from.optional(tag::DEFAULT_TEXT, "a text", text)?,
            },
            CommandType::SET_UP_MENU => Self::SetUpMenu {
                alpha: from.mandatory(tag::ALPHA_IDENTIFIER, "a text", |value| {
                    Some(Alpha::from_value(value))
                })?,
                items: items(from)?,
            },
            CommandType::PROVIDE_LOCAL_INFORMATION => Self::ProvideLocalInformation,
            CommandType::TIMER_MANAGEMENT => Self::TimerManagement {
                timer: TimerId(from.mandatory(tag::TIMER_IDENTIFIER, "1 octet", one)?),
                value: from.optional(tag::TIMER_VALUE, "3 octets", TimerValue::from_value)?,
            },
            kind => Self::Other { kind },
        })
    }

    fn write(&self, to: &mut ElementWriter) {
        match self {
            Self::Refresh { files } => {
                to.put_some(tag::FILE_LIST, files.as_deref());
            }
            Self::MoreTime | Self::ProvideLocalInformation | Self::Other { .. } => {}
            Self::PollInterval { interval } => to.put_duration(Some(*interval)),
            Self::SendShortMessage {
                alpha,
                service_centre,
                tpdu,
            } => {
                to.put_some(tag::ALPHA_IDENTIFIER, alpha.as_ref().map(Alpha::value))
                    .put_some(tag::ADDRESS, service_centre.as_deref())
                    .put(tag::SMS_TPDU, tpdu);
            }
            Self::PlayTone {
                alpha,
                tone,
                duration,
            } => {
                to.put_some(tag::ALPHA_IDENTIFIER, alpha.as_ref().map(Alpha::value))
                    .put_some(tag::TONE, tone.as_ref().map(core::slice::from_ref))
                    .put_duration(*duration);
            }
            Self::DisplayText {
                text,
                immediate_response,
                duration,
            } => {
                to.put(tag::TEXT_STRING, text.value())
                    .put_some(
                        tag::IMMEDIATE_RESPONSE,
                        immediate_response.then_some(&[][..]),
                    )
                    .put_duration(*duration);
            }
            Self::GetInkey { text, duration } => {
                to.put(tag::TEXT_STRING, text.value())
                    .put_duration(*duration);
            }
            Self::GetInput {
                text,
                response_length: ResponseLength { min, max },
                default_text,
            } => {
                to.put(tag::TEXT_STRING, text.value())
                    .put(tag::RESPONSE_LENGTH, &[*min, *max])
                    .put_some(
                        tag::DEFAULT_TEXT,
                        default_text.as_ref().map(TextString::value),
                    );
            }
            Self::SetUpMenu { alpha, items } => {
                to.put(tag::ALPHA_IDENTIFIER, alpha.value());
                if items.is_empty() {
                    to.put(tag::ITEM, &[]);
                }
                for item in items {
                    to.put(tag::ITEM, &[&[item.id], item.text.value()].concat());
                }
            }
            Self::TimerManagement { timer, value } => {
                to.put(tag::TIMER_IDENTIFIER, &[timer.0])
                    .put_some(tag::TIMER_VALUE, value.as_ref().map(|value| &value.0[..]));
            }
        }
    }
}

/// A proactive command that a terminal cannot carry out as it stands.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("proactive command: {problem}")]
pub struct ProactiveError {
    /// Command details, where they could be read: the terminal response needs them.
    pub details: Option<CommandDetails>,
    /// What is wrong.
    pub problem: ProactiveProblem,
}

impl ProactiveError {
    /// The general result a terminal answers with.
    pub const fn result(&self) -> TerminalResult {
        match self.problem {
            ProactiveProblem::Missing { .. } => TerminalResult::VALUES_MISSING,
            _ => TerminalResult::DATA_NOT_UNDERSTOOD,
        }
    }
}

/// What is wrong with a proactive command.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ProactiveProblem {
    /// No TLV, or octets behind it.
    #[error(transparent)]
    Tlv(#[from] TlvError),
    /// The outer tag is not that of a proactive command.
    #[error("expected tag D0, got {got:X}")]
    OuterTag {
        /// The tag.
        got: u32,
    },
    /// A mandatory object is missing.
    #[error("object {tag} is missing")]
    Missing {
        /// Its tag.
        tag: Tag,
    },
    /// An object has a length it cannot have.
    #[error("object {tag}: expected {expected}, got {got} octets")]
    Malformed {
        /// Its tag.
        tag: Tag,
        /// What it must hold.
        expected: &'static str,
        /// Octets it has.
        got: usize,
    },
}

impl Elements {
    fn optional<T>(
        &mut self,
        tag: Tag,
        expected: &'static str,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, ProactiveProblem> {
        let Some(value) = self.take(tag) else {
            return Ok(None);
        };
        read(&value).map(Some).ok_or(ProactiveProblem::Malformed {
            tag,
            expected,
            got: value.len(),
        })
    }

    fn mandatory<T>(
        &mut self,
        tag: Tag,
        expected: &'static str,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, ProactiveProblem> {
        self.optional(tag, expected, read)?
            .ok_or(ProactiveProblem::Missing { tag })
    }
}

impl ElementWriter {
    fn put_duration(&mut self, duration: Option<Duration>) {
        if let Some(Duration { unit, interval }) = duration {
            self.put(tag::DURATION, &[unit, interval]);
        }
    }
}

fn items(from: &mut Elements) -> Result<Vec<Item>, ProactiveProblem> {
    let values = from.take_all(tag::ITEM);
    match values.as_slice() {
        [] => Err(ProactiveProblem::Missing { tag: tag::ITEM }),
        // One empty item removes the menu.
        [only] if only.is_empty() => Ok(Vec::new()),
        values => values
            .iter()
            .map(|value| match value.as_slice() {
                [id, text @ ..] => Ok(Item {
                    id: *id,
                    text: Alpha::from_value(text),
                }),
                [] => Err(ProactiveProblem::Malformed {
                    tag: tag::ITEM,
                    expected: "an identifier and a text",
                    got: 0,
                }),
            })
            .collect(),
    }
}

const fn one(value: &[u8]) -> Option<u8> {
    match value {
        [octet] => Some(*octet),
        _ => None,
    }
}

fn text(value: &[u8]) -> Option<TextString> {
    Some(TextString::from_value(value))
}

fn non_empty(value: &[u8]) -> Option<Vec<u8>> {
    (!value.is_empty()).then(|| value.to_vec())
}

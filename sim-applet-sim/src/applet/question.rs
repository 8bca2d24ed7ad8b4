//! How a challenge is put to the user: the commands with its text, on whatever the terminal has.

use ota_wire::cat::{
    Body, Device, Duration, Facility, ProactiveCommand, Qualifier, TerminalResponse, TextString,
};

use super::challenge::Signing;
use super::{Applet, DISPLAY, UNNUMBERED, ask_digits};

/// DISPLAY TEXT with a variable time-out.
const VARIABLE_TIME_OUT: Facility = Facility::at(18, 1);

impl Applet<'_> {
    /// Whether the text of a challenge stands in the question for the PIN.
    pub(super) fn asks_in_prompt(&self, signing: &Signing) -> bool {
        let wanted = self.profile.text_in_prompt || !self.has(Facility::DISPLAY_TEXT);
        wanted && self.fits_prompt(&signing.plain_text())
    }

    /// Whether a text and the question for the PIN have room in one command.
    pub(super) fn fits_prompt(&self, text: &str) -> bool {
        let command = ask_digits(self.prompt_with_text(text), 4, 8);
        command.emit().len() <= ProactiveCommand::MAX_LEN
    }

    /// Whether texts are shown by GET INKEY, for lack of DISPLAY TEXT.
    pub(super) fn asks_by_key(&self) -> bool {
        !self.has(Facility::DISPLAY_TEXT) && self.has(Facility::GET_INKEY)
    }

    pub(super) fn tone(&self) -> ProactiveCommand {
        let body = Body::PlayTone {
            alpha: None,
            tone: self.profile.tone,
            duration: Some(Duration::seconds(1)),
        };
        ProactiveCommand::new(UNNUMBERED, Qualifier(0), Device::EARPIECE, body)
    }

    /// DISPLAY TEXT, in the alphabet of the challenge. Where the terminal measures the time that a text is shown,
    /// and the command has room to say so, the text goes away when the challenge is no longer valid. On a terminal
    /// without DISPLAY TEXT: GET INKEY, yes or no.
    pub(super) fn text(&self, signing: &Signing) -> ProactiveCommand {
        let text = signing.text();
        if self.asks_by_key() {
            let qualifier = if self.has(Facility::BINARY_CHOICE) {
                Qualifier::INKEY_YES_NO
            } else {
                Qualifier(0)
            };
            let body = Body::GetInkey {
                text,
                duration: None,
            };
            return ProactiveCommand::new(UNNUMBERED, qualifier, Device::TERMINAL, body);
        }
        let plain = ProactiveCommand::display_text(UNNUMBERED, DISPLAY, text.clone());
        let Some(duration) = self.duration(signing.valid_for()) else {
            return plain;
        };
        let body = Body::DisplayText {
            text,
            immediate_response: false,
            duration: Some(duration),
        };
        let timed = ProactiveCommand::new(UNNUMBERED, DISPLAY, Device::DISPLAY, body);
        if timed.emit().len() <= ProactiveCommand::MAX_LEN {
            timed
        } else {
            plain
        }
    }

    pub(super) fn prompt_with_text(&self, text: &str) -> TextString {
        let question = format!("{text} {}", self.profile.pin_prompt);
        TextString::packed(&question).unwrap_or_else(|| TextString::encode(&question))
    }

    fn duration(&self, seconds: u16) -> Option<Duration> {
        if seconds == 0 || !self.has(VARIABLE_TIME_OUT) {
            return None;
        }
        Some(match u8::try_from(seconds) {
            Ok(seconds) => Duration::seconds(seconds),
            Err(_) => Duration {
                unit: 0,
                interval: u8::try_from(seconds.div_ceil(60)).unwrap_or(u8::MAX),
            },
        })
    }
}

/// Whether GET INKEY was answered with yes (`01`) or the key 1; `None` if nothing was typed.
pub(super) fn said_yes(response: &TerminalResponse) -> Option<bool> {
    let typed = response.input.as_ref()?.reveal();
    let yes = matches!(typed.octets(), [0x01 | b'1'] | [0x00, 0x01 | b'1']);
    Some(yes)
}

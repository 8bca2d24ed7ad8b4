//! The signature applet: midsim's own protocol towards the MSSP, ETSI TS 102 223 towards the user.
//!
//! The protocol's octets are [`ota_wire::applet`]'s; `docs/applet.md` has the dialogues and their rules. What is kept
//! without power is [`AppletState`], what a dialogue needs is [`Dialogue`] and dies with the session: so no challenge
//! is ever taken up again after a power cut.
//!
//! | module | what |
//! |---|---|
//! | `challenge` | from a challenge to its answer |
//! | `menu` | the user changes or unblocks the PIN |
//! | `outcome` | what a TERMINAL RESPONSE means |
//! | `question` | the commands that put a challenge to the user |
//! | `signing` | the on-card key |

mod challenge;
mod menu;
mod outcome;
mod question;
mod signing;

use ota_wire::cat::{
    Body, Facility, ProactiveCommand, Qualifier, ResponseLength, TerminalProfile, TerminalResponse,
    TextString, TimerId,
};
use ota_wire::ids::Iccid;
use ota_wire::keys::MasterKey;
use ota_wire::sms::address::Address;

use crate::event::Note;
use crate::pin::PinCode;
use crate::profile::{AppletProfile, NetworkProfile};
use crate::state::AppletState;

pub(crate) use menu::{has_item, set_up_menu};

use challenge::Signing;
use menu::PinMenu;

/// The applet, for as long as one command of the terminal takes.
pub(crate) struct Applet<'a> {
    pub(crate) profile: &'a AppletProfile,
    pub(crate) network: &'a NetworkProfile,
    pub(crate) master: &'a MasterKey,
    pub(crate) iccid: &'a Iccid,
    /// The PIN that the card came with, and its PUK.
    pub(crate) pin: &'a PinCode,
    pub(crate) puk: &'a PinCode,
    pub(crate) state: &'a mut AppletState,
    pub(crate) terminal: &'a TerminalProfile,
    pub(crate) notes: &'a mut Vec<Note>,
}

/// What the applet is in the middle of. Not kept without power.
#[derive(Debug)]
pub(crate) enum Dialogue {
    /// A challenge is worked on, or its answer is under way.
    Challenge(Signing),
    /// The user does something with the PIN.
    Pin(PinMenu),
}

/// What the applet wants next.
#[derive(Debug)]
pub(crate) enum Turn {
    /// Nothing: the dialogue, if there was one, is over.
    End,
    /// A command to the terminal. The toolkit numbers it.
    Command(Box<Dialogue>, ProactiveCommand),
    /// That its timer runs out.
    Wait(Box<Dialogue>),
}

impl Applet<'_> {
    /// Takes the terminal's answer to the command that the last turn gave.
    pub(crate) fn proceed(&mut self, dialogue: Dialogue, response: &TerminalResponse) -> Turn {
        match dialogue {
            Dialogue::Challenge(signing) => self.proceed_challenge(signing, response),
            Dialogue::Pin(menu) => self.proceed_menu(menu, response),
        }
    }

    /// A timer ran out while the dialogue waited for one.
    pub(crate) fn timer(&mut self, dialogue: Dialogue, timer: TimerId) -> Turn {
        match dialogue {
            Dialogue::Challenge(signing) => self.challenge_timer(signing, timer),
            Dialogue::Pin(menu) => Turn::Wait(Box::new(Dialogue::Pin(menu))),
        }
    }

    fn has(&self, facility: Facility) -> bool {
        self.terminal.supports(facility)
    }

    /// Compares a PIN that was typed; the try is taken from the persistent state first.
    fn check_pin(&mut self, typed: &PinCode) -> bool {
        let pin = self.state.pin.as_ref().unwrap_or(self.pin);
        let tries = &mut self.state.pin_tries;
        let right = tries
            .check(self.profile.pin_tries, pin, typed.octets())
            .is_ok();
        self.notes.push(Note::Pin {
            right,
            tries_left: self.state.pin_tries.left(),
        });
        right
    }

    fn send(&self, tpdu: Vec<u8>) -> ProactiveCommand {
        send_short_message(self.network, tpdu)
    }
}

/// SEND SHORT MESSAGE through the card's service centre.
pub(crate) fn send_short_message(network: &NetworkProfile, tpdu: Vec<u8>) -> ProactiveCommand {
    let mut command = ProactiveCommand::send_short_message(UNNUMBERED, tpdu);
    if let Body::SendShortMessage { service_centre, .. } = &mut command.body {
        *service_centre = Some(Address::international(&network.smsc).to_value());
    }
    command
}

/// DISPLAY TEXT: high priority, until the user does something.
fn display(text: &str) -> ProactiveCommand {
    ProactiveCommand::display_text(UNNUMBERED, DISPLAY, TextString::encode(text))
}

/// GET INPUT of digits that are not shown.
fn ask_digits(question: TextString, min: u8, max: u8) -> ProactiveCommand {
    let length = ResponseLength { min, max };
    ProactiveCommand::get_input(UNNUMBERED, Qualifier::INPUT_HIDDEN, question, length)
}

/// The digits that were typed, if they make a code. Terminals that keep to the response length send nothing else, but
/// keypads have `*` and `#`.
fn typed_code(response: &TerminalResponse) -> Option<PinCode> {
    let digits = response.input.as_ref()?.digits()?;
    str::from_utf8(digits.expose()).ok()?.parse().ok()
}

fn tries_left(what: &str, left: u8) -> String {
    let tries = if left == 1 { "try" } else { "tries" };
    format!("Wrong {what}, {left} {tries} left")
}

/// The toolkit numbers commands when their turn comes.
pub(crate) const UNNUMBERED: u8 = 0;

const DISPLAY: Qualifier =
    Qualifier(Qualifier::DISPLAY_HIGH_PRIORITY.0 | Qualifier::DISPLAY_WAIT_FOR_USER.0);

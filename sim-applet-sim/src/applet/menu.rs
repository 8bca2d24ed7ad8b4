//! The user changes the PIN, or unblocks it, from the card's menu.

use ota_wire::applet::ResultCode;
use ota_wire::cat::{
    Alpha, Body, Device, Facility, Item, ProactiveCommand, Qualifier, TerminalProfile,
    TerminalResponse, TextString,
};

use super::outcome::{Outcome, outcome};
use super::{Applet, Dialogue, Turn, UNNUMBERED, ask_digits, display, tries_left, typed_code};
use crate::event::Note;
use crate::pin::{PinCode, Refused};
use crate::profile::AppletProfile;

/// A dialogue about the PIN.
#[derive(Debug)]
pub(crate) struct PinMenu {
    what: What,
    stage: Stage,
    /// How often the command of this stage was repeated.
    repeated: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Change,
    Unblock,
}

#[derive(Debug)]
enum Stage {
    /// GET INPUT of the PIN in force, or of the PUK.
    Prove,
    /// GET INPUT of the new PIN.
    New,
    /// GET INPUT of the new PIN, once more.
    Repeat { new: PinCode },
    /// DISPLAY TEXT; then another stage, or the end.
    Say {
        text: String,
        then: Option<Box<Self>>,
    },
}

const CHANGE: u8 = 1;
const UNBLOCK: u8 = 2;

/// The card's menu, if it has one and the terminal can show it.
pub(crate) fn set_up_menu(
    profile: &AppletProfile,
    terminal: &TerminalProfile,
) -> Option<ProactiveCommand> {
    let can = profile.menu
        && profile.pin_method
        && terminal.supports(Facility::SET_UP_MENU)
        && terminal.supports(Facility::MENU_SELECTION)
        && terminal.supports(Facility::GET_INPUT)
        && terminal.supports(Facility::DISPLAY_TEXT);
    let item = |id, text| Item {
        id,
        text: Alpha::encode(text),
    };
    can.then(|| {
        let body = Body::SetUpMenu {
            alpha: Alpha::encode("Mobile signature"),
            items: vec![item(CHANGE, "Change PIN"), item(UNBLOCK, "Unblock PIN")],
        };
        ProactiveCommand::new(UNNUMBERED, Qualifier(0), Device::TERMINAL, body)
    })
}

/// Whether the menu has this item.
pub(crate) const fn has_item(item: u8) -> bool {
    matches!(item, CHANGE | UNBLOCK)
}

impl Applet<'_> {
    /// The user chose from the menu.
    pub(crate) fn selected(&mut self, item: u8) -> Turn {
        let (what, left, text) = match item {
            CHANGE => (What::Change, self.state.pin_tries.left(), PIN_BLOCKED),
            UNBLOCK => (What::Unblock, self.state.puk_tries.left(), PUK_BLOCKED),
            _ => return Turn::End,
        };
        let stage = if left == 0 {
            Stage::last(text)
        } else {
            Stage::Prove
        };
        self.menu_command(PinMenu {
            what,
            stage,
            repeated: 0,
        })
    }

    pub(super) fn proceed_menu(&mut self, menu: PinMenu, response: &TerminalResponse) -> Turn {
        match outcome(response) {
            Outcome::Done => {}
            Outcome::Busy | Outcome::Help => return self.menu_again(menu),
            Outcome::Ended(ResultCode::BACK) => return self.menu_back(menu),
            // The user has had enough, or is gone: nothing changes.
            Outcome::Ended(_) => return Turn::End,
        }
        let what = menu.what;
        let next = match menu.stage {
            Stage::Say { then, .. } => match then {
                Some(stage) => *stage,
                None => return Turn::End,
            },
            Stage::Prove | Stage::New | Stage::Repeat { .. } => {
                let Some(typed) = typed_code(response) else {
                    return self.menu_again(menu);
                };
                match menu.stage {
                    Stage::Prove => self.prove(what, &typed),
                    Stage::Repeat { new } if new == typed => self.set_pin(what, new),
                    Stage::Repeat { .. } => Stage::say("The PINs differ", Stage::New),
                    Stage::New | Stage::Say { .. } => Stage::Repeat { new: typed },
                }
            }
        };
        self.menu_command(PinMenu {
            what,
            stage: next,
            repeated: 0,
        })
    }

    /// Compares the PIN in force or the PUK.
    fn prove(&mut self, what: What, typed: &PinCode) -> Stage {
        match what {
            What::Change if self.check_pin(typed) => Stage::New,
            What::Change => match self.state.pin_tries.left() {
                0 => Stage::last(PIN_BLOCKED),
                left => Stage::say(&tries_left("PIN", left), Stage::Prove),
            },
            What::Unblock => {
                let tries = &mut self.state.puk_tries;
                let checked = tries.check(self.profile.puk_tries, self.puk, typed.octets());
                self.notes.push(Note::Puk {
                    right: checked.is_ok(),
                    tries_left: self.state.puk_tries.left(),
                });
                match checked {
                    Ok(()) => Stage::New,
                    Err(Refused::Wrong { left: 1.. }) => {
                        let left = self.state.puk_tries.left();
                        Stage::say(&tries_left("PUK", left), Stage::Prove)
                    }
                    Err(Refused::Wrong { .. } | Refused::Blocked) => Stage::last(PUK_BLOCKED),
                }
            }
        }
    }

    fn set_pin(&mut self, what: What, new: PinCode) -> Stage {
        self.state.pin = Some(new);
        if what == What::Unblock {
            self.state.pin_tries.restore(self.profile.pin_tries);
        }
        let unblocked = what == What::Unblock;
        self.notes.push(Note::PinSet { unblocked });
        Stage::last(if unblocked {
            "PIN unblocked"
        } else {
            "PIN changed"
        })
    }

    /// One question back; from the first one there is no way back.
    fn menu_back(&self, menu: PinMenu) -> Turn {
        let stage = match menu.stage {
            Stage::Repeat { .. } => Stage::New,
            Stage::Say {
                then: Some(then), ..
            } => *then,
            Stage::Prove | Stage::New | Stage::Say { then: None, .. } => return Turn::End,
        };
        self.menu_command(PinMenu {
            stage,
            repeated: 0,
            ..menu
        })
    }

    fn menu_again(&self, mut menu: PinMenu) -> Turn {
        if menu.repeated >= self.profile.retries {
            return Turn::End;
        }
        menu.repeated += 1;
        self.menu_command(menu)
    }

    fn menu_command(&self, menu: PinMenu) -> Turn {
        let code = |question: &str| ask_digits(TextString::encode(question), 4, 8);
        let command = match (&menu.stage, menu.what) {
            (Stage::Prove, What::Change) => code("PIN"),
            (Stage::Prove, What::Unblock) => ask_digits(TextString::encode("PUK"), 8, 8),
            (Stage::New, _) => code("New PIN"),
            (Stage::Repeat { .. }, _) => code("New PIN again"),
            (Stage::Say { text, .. }, _) => display(text),
        };
        Turn::Command(Box::new(Dialogue::Pin(menu)), command)
    }
}

impl Stage {
    fn last(text: &str) -> Self {
        Self::Say {
            text: text.to_owned(),
            then: None,
        }
    }

    fn say(text: &str, then: Self) -> Self {
        Self::Say {
            text: text.to_owned(),
            then: Some(Box::new(then)),
        }
    }
}

const PIN_BLOCKED: &str = "PIN blocked";
const PUK_BLOCKED: &str = "PUK blocked";

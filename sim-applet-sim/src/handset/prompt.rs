//! What the user sees and does.

use std::fmt;

use ota_wire::cat::{CommandDetails, Item, ResponseLength};
use thiserror::Error;
use zeroize::Zeroizing;

/// Something on the screen that waits for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Its number; chosen by chance, never used again in practice.
    pub id: u64,
    /// What it is.
    pub kind: PromptKind,
}

/// Kinds of prompts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PromptKind {
    /// A text to be read (DISPLAY TEXT).
    Display {
        /// The text.
        text: String,
        /// Whether it stays until the user does something.
        wait_for_user: bool,
    },
    /// A question of yes or no (GET INKEY with binary choice).
    YesNo {
        /// The question.
        text: String,
    },
    /// A question (GET INPUT, GET INKEY).
    Input {
        /// The question.
        text: String,
        /// Whether what is typed must not be shown.
        hidden: bool,
        /// Whether only digits can be typed.
        digits_only: bool,
        /// Fewest characters.
        min: u8,
        /// Most characters.
        max: u8,
    },
}

/// The user's answer to a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Number of the prompt.
    pub prompt: u64,
    /// What the user does.
    pub action: Action,
}

/// What a user can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Press OK on a text; yes.
    Ok,
    /// No, to a question of yes or no.
    No,
    /// Type and press OK.
    Text(Typed),
    /// End it (result 10).
    Cancel,
    /// Go back (result 11).
    Back,
    /// Do nothing until the handset gives up (result 12).
    NoResponse,
    /// The screen is in use by something else (result 20, screen busy).
    Busy,
}

/// What a user typed. Nearly always a PIN, so it is overwritten when dropped and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Typed(Zeroizing<String>);

impl Typed {
    /// Takes it over.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Typed(****)")
    }
}

/// Why a handset does not take an answer.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such prompt, or no longer.
    #[error("the prompt is not on the screen any more")]
    NoSuchPrompt,
    /// Text for a prompt that takes none, or none for one that does.
    #[error("the prompt takes another kind of answer")]
    WrongKind,
    /// Too few or too many characters.
    #[error("expected {min} to {max} characters, got {got}")]
    Length {
        /// Fewest.
        min: u8,
        /// Most.
        max: u8,
        /// Typed.
        got: usize,
    },
    /// Something else than digits.
    #[error("only digits can be typed")]
    NotDigits,
    /// The menu has no such item, or there is no menu.
    #[error("the card's menu has no such item")]
    NoSuchItem,
    /// Something of the card is on the screen, or being sent.
    #[error("the handset is busy with the card")]
    ScreenInUse,
    /// The card is busy with something else.
    #[error("the card is busy")]
    CardBusy,
    /// The handset is off, or has no card.
    #[error("the handset is off, or has no card")]
    Off,
    /// No message is in this record of the card.
    #[error("no such message is on the card")]
    NoSuchMessage,
    /// The card is not in the handset.
    #[error("the card is in a reader")]
    CardInReader,
}

/// The card's menu (SET UP MENU).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Menu {
    /// Its title.
    pub title: String,
    /// What can be chosen.
    pub items: Vec<MenuItem>,
}

/// An item of the card's menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MenuItem {
    /// Its number for the card.
    pub id: u8,
    /// Its text.
    pub text: String,
}

impl Menu {
    /// What SET UP MENU brought; a menu without items is none.
    pub(super) fn of_card(title: String, items: Vec<Item>) -> Option<Self> {
        let items: Vec<MenuItem> = items
            .into_iter()
            .map(|item| MenuItem {
                id: item.id,
                text: item.text.to_text(),
            })
            .collect();
        (!items.is_empty()).then_some(Self { title, items })
    }

    pub(super) fn has(&self, id: u8) -> bool {
        self.items.iter().any(|item| item.id == id)
    }
}

/// A prompt and the command of the card behind it.
#[derive(Debug)]
pub(super) struct OpenPrompt {
    pub(super) prompt: Prompt,
    pub(super) details: CommandDetails,
}

impl PromptKind {
    /// Whether this is an answer to it.
    pub fn accepts(&self, action: &Action) -> bool {
        match (action, self) {
            (Action::Ok, Self::Input { .. }) => false,
            (Action::No, kind) => matches!(kind, Self::YesNo { .. }),
            (Action::Text(typed), kind) => kind.takes(typed.as_str()).is_ok(),
            _ => true,
        }
    }

    /// Whether the handset would take what was typed.
    pub(super) fn takes(&self, typed: &str) -> Result<(), Refusal> {
        // What the digit keys of a handset offer.
        const KEYPAD: [char; 13] = [
            '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', '+',
        ];
        match *self {
            Self::Display { .. } | Self::YesNo { .. } => Err(Refusal::WrongKind),
            Self::Input {
                digits_only,
                min,
                max,
                ..
            } => {
                let got = typed.chars().count();
                if digits_only && !typed.chars().all(|c| KEYPAD.contains(&c)) {
                    Err(Refusal::NotDigits)
                } else if !(ResponseLength { min, max }).allows(got) {
                    Err(Refusal::Length { min, max, got })
                } else {
                    Ok(())
                }
            }
        }
    }
}

//! The people at the handsets who are not scripted: popups wait here for the browser or the API.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ota_wire::ids::Msisdn;
use serde::{Deserialize, Serialize};
use sim_applet_sim::handset::{Action, Prompt, PromptKind, Reply, Typed};
use tokio::sync::watch;
use zeroize::Zeroizing;

/// The popups that wait for a person.
pub struct Users {
    inner: Mutex<Inner>,
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    next: u64,
    open: BTreeMap<u64, (Msisdn, Prompt)>,
}

/// A popup as the API shows it.
#[derive(Clone, Debug, Serialize)]
pub struct OpenPrompt {
    /// Names it in `POST /api/v1/prompts/{id}`.
    pub id: u64,
    /// Whose phone.
    pub msisdn: Msisdn,
    /// `display`, `yes-no` or `input`.
    pub kind: &'static str,
    /// The text on the screen.
    pub text: String,
    /// Whether what is typed must not be shown.
    pub hidden: bool,
    /// Whether only digits can be typed.
    pub digits: bool,
    /// Fewest characters.
    pub min: u8,
    /// Most characters.
    pub max: u8,
}

/// A key that a person presses.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Press {
    /// Which key.
    pub action: Key,
    /// What was typed, with `text`.
    #[serde(default, deserialize_with = "zeroizing")]
    pub text: Option<Zeroizing<String>>,
}

/// The keys of a handset.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Key {
    /// One screen back.
    Back,
    /// Ends the dialogue.
    Cancel,
    /// Says no to a question of yes or no.
    No,
    /// Accepts what is shown; yes.
    Ok,
    /// Types and accepts.
    Text,
    /// Lets the popup time out.
    Wait,
}

fn zeroizing<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Zeroizing<String>>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Zeroizing::new))
}

/// Why a key press was not taken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PressError {
    /// The popup is not there (any more).
    #[error("no popup {id} is open; GET /api/v1/prompts lists those that are")]
    Gone {
        /// Its id.
        id: u64,
    },
    /// The popup does not take this key.
    #[error("popup {id} takes {expected}")]
    NotThatKey {
        /// Its id.
        id: u64,
        /// What it takes.
        expected: String,
    },
}

impl Users {
    /// Nobody waits yet.
    pub fn new() -> Self {
        Self {
            inner: Mutex::default(),
            changes: watch::Sender::new(0),
        }
    }

    /// A popup appears on a phone.
    pub fn appear(&self, msisdn: Msisdn, prompt: Prompt) {
        let mut inner = self.lock();
        inner.next += 1;
        let id = inner.next;
        inner.open.insert(id, (msisdn, prompt));
        drop(inner);
        self.changed();
    }

    /// A popup disappears from a phone.
    pub fn vanish(&self, msisdn: &Msisdn, prompt: u64) {
        self.lock()
            .open
            .retain(|_, (owner, open)| (&*owner, open.id) != (msisdn, prompt));
        self.changed();
    }

    /// A person presses a key: gives what the handset is told.
    pub fn press(&self, id: u64, press: Press) -> Result<(Msisdn, Reply), PressError> {
        let mut inner = self.lock();
        let (msisdn, prompt) = inner.open.get(&id).ok_or(PressError::Gone { id })?;
        let action = match (press.action, &prompt.kind, press.text) {
            (Key::Back, ..) => Action::Back,
            (Key::Cancel, ..) => Action::Cancel,
            (Key::Wait, ..) => Action::NoResponse,
            (Key::Ok, PromptKind::Display { .. } | PromptKind::YesNo { .. }, None) => Action::Ok,
            (Key::No, PromptKind::YesNo { .. }, None) => Action::No,
            (
                Key::Text,
                PromptKind::Input {
                    min,
                    max,
                    digits_only,
                    ..
                },
                Some(text),
            ) => {
                let length = text.chars().count();
                let fits = (usize::from(*min)..=usize::from(*max)).contains(&length)
                    && (!digits_only || text.bytes().all(|b| b.is_ascii_digit()));
                if !fits {
                    let what = if *digits_only { "digits" } else { "characters" };
                    return Err(PressError::NotThatKey {
                        id,
                        expected: format!("{min} to {max} {what}"),
                    });
                }
                Action::Text(Typed::new(text.as_str()))
            }
            (_, PromptKind::Display { .. }, _) => {
                return Err(PressError::NotThatKey {
                    id,
                    expected: "ok, back, cancel or wait, without text".into(),
                });
            }
            (_, PromptKind::YesNo { .. }, _) => {
                return Err(PressError::NotThatKey {
                    id,
                    expected: "ok (yes), no, back, cancel or wait, without text".into(),
                });
            }
            (_, PromptKind::Input { .. }, _) => {
                let expected = "text (with `text`), back, cancel or wait".into();
                return Err(PressError::NotThatKey { id, expected });
            }
        };
        let reply = (
            msisdn.clone(),
            Reply {
                prompt: prompt.id,
                action,
            },
        );
        inner.open.remove(&id);
        drop(inner);
        self.changed();
        Ok(reply)
    }

    /// The popups that are open, oldest first.
    pub fn open(&self) -> Vec<OpenPrompt> {
        self.lock()
            .open
            .iter()
            .map(|(id, (msisdn, prompt))| {
                let (kind, text, hidden, digits, min, max) = match &prompt.kind {
                    PromptKind::Display { text, .. } => ("display", text, false, false, 0, 0),
                    PromptKind::YesNo { text } => ("yes-no", text, false, false, 0, 0),
                    PromptKind::Input {
                        text,
                        hidden,
                        digits_only,
                        min,
                        max,
                    } => ("input", text, *hidden, *digits_only, *min, *max),
                };
                OpenPrompt {
                    id: *id,
                    msisdn: msisdn.clone(),
                    kind,
                    text: text.clone(),
                    hidden,
                    digits,
                    min,
                    max,
                }
            })
            .collect()
    }

    /// Returns when a popup is open, or after this long in real time.
    pub async fn appeared(&self, most: Duration) {
        let mut changes = self.changes.subscribe();
        let open = changes.wait_for(|_| !self.lock().open.is_empty());
        // Out of time is an answer too: nothing is open.
        let _ = tokio::time::timeout(most, open).await;
    }

    /// Changes whenever a popup appears or disappears.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn changed(&self) {
        self.changes.send_modify(|version| *version += 1);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Users {
    fn default() -> Self {
        Self::new()
    }
}

//! Scripted users, as data.
//!
//! A [`Persona`] says what somebody does with the first text on the screen, the second, and so on, and likewise with
//! questions. It knows nothing of midsim's applet; it looks at prompts and answers them.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::handset::{Action, Prompt, PromptKind, Typed};
use crate::pin::PinCode;

/// How somebody behaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Persona {
    /// Reactions to texts: to the first, the second…; the last one to all that follow. None: the text stays.
    #[serde(default)]
    pub texts: Vec<Reaction>,
    /// Reactions to questions, likewise.
    #[serde(default)]
    pub questions: Vec<Reaction>,
}

/// What somebody does, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reaction {
    /// What.
    pub gesture: Gesture,
    /// How many milliseconds after the prompt.
    #[serde(default)]
    pub after_ms: u32,
}

/// What somebody does with a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gesture {
    /// Presses OK.
    Ok,
    /// Types the PIN.
    RightPin,
    /// Types a wrong PIN.
    WrongPin,
    /// Ends it.
    Cancel,
    /// Goes back.
    Back,
    /// Lets the handset run into its time-out.
    NoResponse,
    /// Is doing something else on the screen.
    Busy,
}

/// Where somebody is in a dialogue.
#[derive(Clone, Debug)]
pub struct PersonaState {
    pin: PinCode,
    texts: usize,
    questions: usize,
}

impl PersonaState {
    /// At the beginning; `pin` is the one this person knows.
    pub const fn new(pin: PinCode) -> Self {
        Self {
            pin,
            texts: 0,
            questions: 0,
        }
    }
}

impl Persona {
    /// The names that [`Persona::named`] knows.
    pub const NAMES: [&str; 10] = [
        "approve",
        "slow",
        "cancel",
        "back",
        "wrong-once",
        "wrong-always",
        "timeout",
        "busy",
        "ignore",
        "human",
    ];

    /// One of the built-in personas. `ignore` and `human` do nothing by themselves.
    pub fn named(name: &str) -> Option<Self> {
        use Gesture::{Back, Busy, Cancel, NoResponse, Ok, RightPin, WrongPin};

        let (after_ms, texts, questions): (_, &[Gesture], &[Gesture]) = match name {
            "approve" => (0, &[Ok], &[RightPin]),
            "slow" => (3000, &[Ok], &[RightPin]),
            "cancel" => (0, &[Cancel], &[Cancel]),
            "back" => (0, &[Back], &[Back]),
            "wrong-once" => (0, &[Ok], &[WrongPin, RightPin]),
            "wrong-always" => (0, &[Ok], &[WrongPin]),
            "timeout" => (0, &[NoResponse], &[NoResponse]),
            "busy" => (0, &[Busy], &[Busy]),
            "ignore" | "human" => (0, &[], &[]),
            _ => return None,
        };
        Some(Self {
            // Somebody slow thinks about what the text asks, not about the PIN.
            texts: reactions(texts, after_ms),
            questions: reactions(questions, 0),
        })
    }

    /// What this person does with a prompt, and how long after it came up; `None`: nothing.
    pub fn react(
        &self,
        state: &mut PersonaState,
        prompt: &Prompt,
    ) -> Option<(Action, SignedDuration)> {
        // A text that is answered by a key (GET INKEY).
        let by_key = matches!(
            prompt.kind,
            PromptKind::Input {
                hidden: false,
                max: 1,
                ..
            }
        );
        let (reactions, seen) = match &prompt.kind {
            PromptKind::Display {
                wait_for_user: false,
                ..
            } => return None,
            PromptKind::Display { .. } => (&self.texts, &mut state.texts),
            PromptKind::Input { .. } if by_key => (&self.texts, &mut state.texts),
            PromptKind::Input { .. } => (&self.questions, &mut state.questions),
        };
        let reaction = reactions.get(*seen).or_else(|| reactions.last())?;
        *seen += 1;
        if reaction.gesture.ends_the_dialogue() {
            state.texts = 0;
            state.questions = 0;
        }
        let action = match reaction.gesture {
            Gesture::Ok if by_key => Action::Text(Typed::new(YES)),
            Gesture::Ok => Action::Ok,
            Gesture::RightPin => Action::Text(Typed::new(state.pin.digits())),
            Gesture::WrongPin => Action::Text(Typed::new(other_than(&state.pin))),
            Gesture::Cancel => Action::Cancel,
            Gesture::Back => Action::Back,
            Gesture::NoResponse => Action::NoResponse,
            Gesture::Busy => Action::Busy,
        };
        Some((
            action,
            SignedDuration::from_millis(reaction.after_ms.into()),
        ))
    }
}

impl Gesture {
    /// Whether the next prompt belongs to something new.
    const fn ends_the_dialogue(self) -> bool {
        match self {
            Self::RightPin | Self::Cancel | Self::Back | Self::NoResponse => true,
            Self::Ok | Self::WrongPin | Self::Busy => false,
        }
    }
}

fn reactions(gestures: &[Gesture], after_ms: u32) -> Vec<Reaction> {
    let reaction = |gesture: &Gesture| Reaction {
        gesture: *gesture,
        after_ms,
    };
    gestures.iter().map(reaction).collect()
}

/// The key that says yes.
const YES: &str = "1";

/// A code of the same length in which every digit is another one.
fn other_than(pin: &PinCode) -> String {
    pin.digits()
        .bytes()
        .map(|digit| char::from(b'0' + (digit - b'0' + 1) % 10))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ota_wire::applet::{Method, ResultCode};
    use ota_wire::cat::{Facility, TerminalProfile};

    use super::*;
    use crate::profile::Profile;
    use crate::testing::{self, World, submit};

    /// Plays a challenge with a persona until it is answered or the persona does nothing.
    fn play(world: &mut World, name: &str, state: &mut PersonaState) -> Option<(ResultCode, u8)> {
        let persona = Persona::named(name).unwrap();
        let challenge = world.challenge(Method::Pin, "Log in?");
        let mut step = world.send_challenge(&challenge);
        while submit(&step).is_none() {
            if world.phone.prompt().is_none() {
                // The card waits before it tries again.
                step = world.next_timer("card");
                continue;
            }
            let prompt = world.phone.prompt().unwrap().clone();
            let (action, after) = persona.react(state, &prompt)?;
            world.now += after;
            step = world.act(action);
        }
        let answer = world.answer(&step, &challenge);
        world.acknowledge(&step);
        Some(answer)
    }

    #[test]
    fn what_becomes_of_a_challenge_with_each_persona() {
        for (name, expected) in [
            ("approve", Some((ResultCode::OK, 3))),
            ("slow", Some((ResultCode::OK, 3))),
            ("cancel", Some((ResultCode::CANCELLED, 3))),
            ("back", Some((ResultCode::BACK, 3))),
            ("wrong-once", Some((ResultCode::OK, 3))),
            ("wrong-always", Some((ResultCode::PIN_BLOCKED, 0))),
            ("timeout", Some((ResultCode::TIMEOUT, 3))),
            ("busy", Some((ResultCode::BUSY, 3))),
            ("ignore", None),
            ("human", None),
        ] {
            assert!(Persona::NAMES.contains(&name));
            let mut world = World::new();
            let mut state = PersonaState::new("1234".parse().unwrap());
            assert_eq!(play(&mut world, name, &mut state), expected, "{name}");
            if name == "slow" {
                assert_eq!(world.now.to_string(), "2026-11-22T12:00:03Z");
            }
        }
        assert_eq!(Persona::named("nobody"), None);
    }

    #[test]
    fn a_text_that_is_answered_by_a_key_is_a_text() {
        let facilities = [
            Facility::GET_INKEY,
            Facility::GET_INPUT,
            Facility::UCS2_DISPLAY,
            Facility::SEND_SHORT_MESSAGE,
        ];
        let mut profile = Profile::clone(&testing::profile());
        profile.handset.terminal_profile = TerminalProfile::with(&facilities).octets().to_vec();
        let mut world = World::with(Arc::new(profile));
        let long = "Ж".repeat(119);
        for (name, expected) in [
            ("approve", ResultCode::OK),
            ("cancel", ResultCode::CANCELLED),
        ] {
            let persona = Persona::named(name).unwrap();
            for (method, text) in [(Method::Confirm, "Log in?"), (Method::Pin, &long)] {
                let mut state = PersonaState::new("1234".parse().unwrap());
                let challenge = world.challenge(method, text);
                let mut step = world.send_challenge(&challenge);
                while submit(&step).is_none() {
                    let prompt = world.phone.prompt().unwrap().clone();
                    let (action, _) = persona.react(&mut state, &prompt).unwrap();
                    step = world.act(action);
                    assert_ne!(world.phone.prompt(), Some(&prompt), "it was taken");
                }
                assert_eq!(world.answer(&step, &challenge).0, expected, "{name}");
                world.acknowledge(&step);
            }
        }
    }

    #[test]
    fn wrong_once_is_wrong_once_in_every_dialogue() {
        let mut world = World::new();
        let mut state = PersonaState::new("1234".parse().unwrap());
        for _ in 0..5 {
            let answer = play(&mut world, "wrong-once", &mut state);
            assert_eq!(answer, Some((ResultCode::OK, 3)));
        }
    }

    #[test]
    fn every_dialogue_begins_with_the_first_gesture() {
        let persona = Persona::named("wrong-once").unwrap();
        let mut state = PersonaState::new("1234".parse().unwrap());
        let prompt = Prompt {
            id: 1,
            kind: PromptKind::Input {
                text: "PIN".to_owned(),
                hidden: true,
                digits_only: true,
                min: 4,
                max: 8,
            },
        };
        for _ in 0..3 {
            for typed in ["2345", "1234"] {
                let (action, _) = persona.react(&mut state, &prompt).unwrap();
                assert_eq!(action, Action::Text(Typed::new(typed)));
            }
        }
    }
}

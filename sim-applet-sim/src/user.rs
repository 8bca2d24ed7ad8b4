//! Scripted users, as data.
//!
//! A [`Persona`] says what somebody does with the first text on the screen, the second, and so on, and likewise with
//! questions. It knows nothing of midsim's applet; it looks at prompts and answers them.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::handset::{Action, Prompt, PromptKind, Typed};
use crate::pin::{CODE_LEN, PinCode};

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
    /// Presses OK, or says yes.
    Ok,
    /// Says no where that is asked; ends it elsewhere.
    No,
    /// Types the code that is asked for: the PIN, or the PUK. Asked for a new PIN, the PIN that they have.
    RightPin,
    /// Types a wrong code; a new PIN is never wrong.
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

/// Where somebody is in a dialogue, and the codes they know.
#[derive(Clone, Debug)]
pub struct PersonaState {
    pin: PinCode,
    puk: PinCode,
    texts: usize,
    questions: usize,
}

impl PersonaState {
    /// At the beginning; `pin` and `puk` are those that this person knows.
    pub const fn new(pin: PinCode, puk: PinCode) -> Self {
        Self {
            pin,
            puk,
            texts: 0,
            questions: 0,
        }
    }

    /// The PIN is this one from now on.
    pub fn learn(&mut self, pin: PinCode) {
        self.pin = pin;
    }

    /// The code that a question asks for. The PUK always has eight digits (TS 102 221 §9.5.1); a question that leaves a choice
    /// is about the PIN, whatever else it says.
    pub fn code(&self, question: &str, min: u8) -> &PinCode {
        if usize::from(min) == CODE_LEN && question.contains("PUK") {
            &self.puk
        } else {
            &self.pin
        }
    }
}

impl Persona {
    /// The names that [`Persona::named`] knows.
    pub const NAMES: [&str; 11] = [
        "approve",
        "slow",
        "cancel",
        "decline",
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
        use Gesture::{Back, Busy, Cancel, No, NoResponse, Ok, RightPin, WrongPin};

        let (after_ms, texts, questions): (_, &[Gesture], &[Gesture]) = match name {
            "approve" => (0, &[Ok], &[RightPin]),
            "slow" => (3000, &[Ok], &[RightPin]),
            "cancel" => (0, &[Cancel], &[Cancel]),
            "decline" => (0, &[No], &[No]),
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

    /// What this person does with a prompt, and how long after it came up; `None`: nothing. One who has no answer that the
    /// prompt takes ends it.
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
            PromptKind::Display { .. } | PromptKind::YesNo { .. } => {
                (&self.texts, &mut state.texts)
            }
            PromptKind::Input { .. } if by_key => (&self.texts, &mut state.texts),
            PromptKind::Input { .. } => (&self.questions, &mut state.questions),
        };
        let reaction = reactions.get(*seen).or_else(|| reactions.last())?;
        let gesture = reaction.gesture;
        let new_pin = matches!(&prompt.kind, PromptKind::Input { text, .. } if NEW_PIN.contains(&text.as_str()));
        // A new PIN is neither right nor wrong.
        let counts = !(new_pin && matches!(gesture, Gesture::RightPin | Gesture::WrongPin));
        *seen += usize::from(counts);
        let mut action = match gesture {
            Gesture::Ok if by_key => Action::Text(Typed::new(YES)),
            Gesture::Ok => Action::Ok,
            Gesture::No if by_key => Action::Text(Typed::new(NO)),
            Gesture::No => Action::No,
            Gesture::RightPin | Gesture::WrongPin => {
                let code = match &prompt.kind {
                    PromptKind::Input { text, min, .. } => state.code(text, *min),
                    PromptKind::Display { .. } | PromptKind::YesNo { .. } => &state.pin,
                };
                Action::Text(match gesture == Gesture::WrongPin && !new_pin {
                    true => Typed::new(other_than(code)),
                    false => Typed::new(code.digits()),
                })
            }
            Gesture::Cancel => Action::Cancel,
            Gesture::Back => Action::Back,
            Gesture::NoResponse => Action::NoResponse,
            Gesture::Busy => Action::Busy,
        };
        let at_a_loss = !prompt.kind.accepts(&action);
        if at_a_loss {
            action = Action::Cancel;
        }
        if at_a_loss || counts && gesture.ends_the_dialogue() {
            state.texts = 0;
            state.questions = 0;
        }
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
            Self::RightPin | Self::No | Self::Cancel | Self::Back | Self::NoResponse => true,
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

/// The questions for a new PIN.
const NEW_PIN: [&str; 2] = ["New PIN", "New PIN again"];

/// The key that says yes.
const YES: &str = "1";
/// One that does not.
const NO: &str = "0";

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

    fn knows() -> PersonaState {
        PersonaState::new("1234".parse().unwrap(), "12345678".parse().unwrap())
    }

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
            ("decline", Some((ResultCode::CANCELLED, 3))),
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
            let mut state = knows();
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
            ("decline", ResultCode::CANCELLED),
            ("cancel", ResultCode::CANCELLED),
        ] {
            let persona = Persona::named(name).unwrap();
            for (method, text) in [(Method::Confirm, "Log in?"), (Method::Pin, &long)] {
                let mut state = knows();
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
        let mut state = knows();
        for _ in 0..5 {
            let answer = play(&mut world, "wrong-once", &mut state);
            assert_eq!(answer, Some((ResultCode::OK, 3)));
        }
    }

    #[test]
    fn every_dialogue_begins_with_the_first_gesture() {
        let persona = Persona::named("wrong-once").unwrap();
        let mut state = knows();
        let prompt = question("PIN", 4, 8);
        for _ in 0..3 {
            for typed in ["2345", "1234"] {
                let (action, _) = persona.react(&mut state, &prompt).unwrap();
                assert_eq!(action, Action::Text(Typed::new(typed)));
            }
        }
    }

    fn question(text: &str, min: u8, max: u8) -> Prompt {
        let kind = PromptKind::Input {
            text: text.to_owned(),
            hidden: true,
            digits_only: true,
            min,
            max,
        };
        Prompt { id: 1, kind }
    }

    #[test]
    fn a_person_types_the_code_that_is_asked_for_and_gives_up_where_none_fits() {
        let typed = |text: &str| Action::Text(Typed::new(text));
        for (text, (min, max), right, wrong) in [
            ("PIN", (4, 8), typed("1234"), typed("2345")),
            ("PUK", (8, 8), typed("12345678"), typed("23456789")),
            ("New PIN", (4, 8), typed("1234"), typed("1234")),
            ("New PIN again", (4, 8), typed("1234"), typed("1234")),
            // The text of a challenge in the question for the PIN.
            (
                "A new PUK for sale? PIN",
                (4, 8),
                typed("1234"),
                typed("2345"),
            ),
            ("Your PIN please", (5, 8), Action::Cancel, Action::Cancel),
            ("Which way?", (1, 3), Action::Cancel, Action::Cancel),
        ] {
            let prompt = question(text, min, max);
            for (name, expected) in [("approve", right), ("wrong-always", wrong)] {
                let persona = Persona::named(name).unwrap();
                let (action, _) = persona.react(&mut knows(), &prompt).unwrap();
                assert_eq!(action, expected, "{name}: {text}");
            }
        }
        let (ok, text) = (
            Reaction {
                gesture: Gesture::Ok,
                after_ms: 0,
            },
            "PIN",
        );
        let persona = Persona {
            texts: Vec::new(),
            questions: vec![ok],
        };
        let (action, _) = persona.react(&mut knows(), &question(text, 4, 8)).unwrap();
        assert_eq!(action, Action::Cancel, "there is no OK on a question");
    }

    #[test]
    fn a_new_pin_does_not_count_among_the_codes_that_were_wrong() {
        let persona = Persona::named("wrong-once").unwrap();
        let mut state = knows();
        for (text, typed) in [
            ("New PIN", "1234"),
            ("PIN", "2345"),
            ("PIN", "1234"),
            ("New PIN", "1234"),
            ("New PIN again", "1234"),
            ("PIN", "2345"),
        ] {
            let (action, _) = persona.react(&mut state, &question(text, 4, 8)).unwrap();
            assert_eq!(action, Action::Text(Typed::new(typed)), "{text}");
        }
        state.learn("86420".parse().unwrap());
        let (action, _) = persona.react(&mut state, &question("PIN", 4, 8)).unwrap();
        assert_eq!(action, Action::Text(Typed::new("86420")));
    }
}

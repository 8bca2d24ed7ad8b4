//! The people who hold the handsets: scripts, or somebody at the browser or the API.

use std::collections::HashMap;

use jiff::Timestamp;
use ota_wire::ids::Msisdn;
use sim_applet_sim::handset::{Input, Prompt, Reply};
use sim_applet_sim::pin::PinCode;
use sim_applet_sim::user::{Gesture, Persona as Script, PersonaState, Reaction};

use super::{Humans, Phones, TIMERS};
use crate::runtime::lock;
use crate::runtime::party::HandleError;
use crate::users::Users;
use crate::wiring::parties::{Effect, Message};
use crate::world::Persona;

/// The one who holds a handset.
pub(super) struct User {
    /// `None` for a person at the browser or the API.
    pub(super) script: Option<(Script, PersonaState)>,
    /// The script's beginning, where every dialogue starts.
    pub(super) knows: PersonaState,
    /// Keys that will be pressed when their timer is due, by prompt.
    pub(super) deciding: HashMap<u64, Reply>,
    /// What is on the screen and waits for an answer.
    pub(super) waiting: Option<Prompt>,
    /// Whether it is another one than the world has.
    pub(super) replaced: bool,
}

impl User {
    /// Somebody who begins with this.
    pub(super) fn new(script: Option<Script>, knows: PersonaState) -> Self {
        Self {
            script: script.map(|script| (script, knows.clone())),
            knows,
            deciding: HashMap::new(),
            waiting: None,
            replaced: false,
        }
    }

    /// The PIN of the card is another one since.
    pub(super) fn learn(&mut self, pin: &PinCode) {
        self.knows.learn(pin.clone());
        if let Some((_, state)) = &mut self.script {
            state.learn(pin.clone());
        }
    }

    pub(super) fn begin_again(&mut self) {
        if let Some((_, state)) = &mut self.script {
            *state = self.knows.clone();
        }
    }
}

impl Phones {
    /// From now on the user of a number does this, also with a prompt that waits. A number that is nobody's has no user.
    pub(crate) fn set_user(
        &self,
        users: &Users,
        msisdn: &Msisdn,
        persona: Persona,
    ) -> Result<Vec<Effect>, HandleError> {
        let Some(handset) = self.handset(msisdn)? else {
            return Ok(Vec::new());
        };
        let mut user = lock(&handset.user);
        user.replaced = true;
        user.script = self
            .script(persona)
            .map(|script| (script, user.knows.clone()));
        // What the last one had in mind is not done any more.
        for prompt in std::mem::take(&mut user.deciding).into_keys() {
            self.clock.cancel(TIMERS, &deciding_key(msisdn, prompt));
        }
        let Some(prompt) = user.waiting.clone() else {
            return Ok(Vec::new());
        };
        users.vanish(msisdn, prompt.id);
        Ok(self.ask(users, msisdn, &mut user, prompt))
    }

    /// The code that the user of a number would type.
    pub(crate) fn code(
        &self,
        msisdn: &Msisdn,
        question: &str,
        min: u8,
    ) -> Result<Option<PinCode>, HandleError> {
        let handset = self.handset(msisdn)?;
        Ok(handset.map(|handset| lock(&handset.user).knows.code(question, min).clone()))
    }

    /// The message for which a timer of ours was set.
    pub(in crate::wiring) fn due(&self, key: &str) -> Option<Message> {
        let (digits, rest) = key.split_once('/')?;
        let msisdn: Msisdn = digits.parse().ok()?;
        let input = match rest.strip_prefix("user/") {
            None => Input::Timer {
                key: rest.to_owned(),
            },
            Some(prompt) => {
                let handset = self.handset(&msisdn).ok()??;
                let reply = lock(&handset.user).deciding.remove(&prompt.parse().ok()?)?;
                Input::User(reply)
            }
        };
        Some(Message::Phone(msisdn, input))
    }

    /// Shows a prompt to the user.
    pub(super) fn prompt(&self, users: &Users, msisdn: &Msisdn, prompt: Prompt) -> Vec<Effect> {
        let Ok(Some(handset)) = self.handset(msisdn) else {
            return Vec::new();
        };
        let mut user = lock(&handset.user);
        user.waiting = Some(prompt.clone());
        self.ask(users, msisdn, &mut user, prompt)
    }

    /// A prompt is gone from the screen.
    pub(super) fn closed(&self, users: &Users, msisdn: &Msisdn, prompt: u64) {
        let Ok(Some(handset)) = self.handset(msisdn) else {
            return;
        };
        let mut user = lock(&handset.user);
        user.waiting.take_if(|waiting| waiting.id == prompt);
        user.deciding.remove(&prompt);
        users.vanish(msisdn, prompt);
    }

    /// A script decides at once what it will do and when, a person takes their time. The user is locked meanwhile, so that nobody is
    /// shown what has just gone.
    fn ask(&self, users: &Users, msisdn: &Msisdn, user: &mut User, prompt: Prompt) -> Vec<Effect> {
        let Some((script, state)) = &mut user.script else {
            users.appear(msisdn.clone(), prompt);
            return Vec::new();
        };
        let Some((action, after)) = script.react(state, &prompt) else {
            return Vec::new();
        };
        let reply = Reply {
            prompt: prompt.id,
            action,
        };
        if after.is_zero() {
            return vec![Effect::Deliver(Message::Phone(
                msisdn.clone(),
                Input::User(reply),
            ))];
        }
        user.deciding.insert(prompt.id, reply);
        let due = self
            .clock
            .now()
            .saturating_add(after)
            .unwrap_or(Timestamp::MAX);
        self.clock
            .set(TIMERS, &deciding_key(msisdn, prompt.id), due);
        Vec::new()
    }

    /// What the user of a number does; `None` for a person at the browser or the API.
    pub(super) fn script(&self, persona: Persona) -> Option<Script> {
        let script = |texts: &[Gesture], questions: &[Gesture], after_ms| Script {
            texts: texts
                .iter()
                .map(|gesture| Reaction {
                    gesture: *gesture,
                    after_ms,
                })
                .collect(),
            questions: questions
                .iter()
                .map(|gesture| Reaction {
                    gesture: *gesture,
                    after_ms: 0,
                })
                .collect(),
        };
        Some(match persona {
            Persona::Approve { after_ms } => script(&[Gesture::Ok], &[Gesture::RightPin], after_ms),
            Persona::Busy => script(&[Gesture::Busy], &[Gesture::Busy], 0),
            Persona::Decline => script(&[Gesture::No], &[Gesture::No], 0),
            Persona::Cancel => script(&[Gesture::Cancel], &[Gesture::Cancel], 0),
            Persona::Human if self.humans == Humans::Ask => return None,
            Persona::Human => script(&[Gesture::Ok], &[Gesture::RightPin], 0),
            Persona::Ignore => script(&[], &[], 0),
            Persona::WrongPin { times } => {
                let mut questions = vec![Gesture::WrongPin; times as usize];
                questions.push(Gesture::RightPin);
                script(&[Gesture::Ok], &questions, 0)
            }
        })
    }
}

/// The name of the timer of a key that will be pressed.
fn deciding_key(msisdn: &Msisdn, prompt: u64) -> String {
    format!("{}/user/{prompt}", msisdn.digits())
}

//! The signature applet: midsim's own protocol towards the MSSP, ETSI TS 102 223 towards the user.
//!
//! The protocol's octets are [`ota_wire::applet`]'s; `docs/applet.md` has the dialogue and its rules. What is kept
//! without power is [`AppletState`], what a dialogue needs is [`Dialogue`] and dies with the session: so no challenge
//! is ever taken up again after a power cut.

mod signing;

use ota_wire::applet::{
    AppletError, AppletResponse, Challenge, ChallengeView, Method, ResultCode, TextAlphabet,
};
use ota_wire::cat::{
    Body, Device, Duration, Facility, ProactiveCommand, Qualifier, ResponseLength, TerminalProfile,
    TerminalResponse, TerminalResult, TextString,
};
use ota_wire::ids::Iccid;
use ota_wire::keys::{MasterKey, applet_mac_key};
use ota_wire::sms::address::Address;
use ota_wire::sms::tpdu::Submit;

use crate::event::{ChallengeVerdict, Note};
use crate::pin::{PinCode, Refused};
use crate::profile::{AppletProfile, NetworkProfile};
use crate::state::AppletState;

/// The applet, for as long as one command of the terminal takes.
pub(crate) struct Applet<'a> {
    pub(crate) profile: &'a AppletProfile,
    pub(crate) network: &'a NetworkProfile,
    pub(crate) master: &'a MasterKey,
    pub(crate) iccid: &'a Iccid,
    /// The PIN that the card came with.
    pub(crate) pin: &'a PinCode,
    pub(crate) state: &'a mut AppletState,
    pub(crate) terminal: &'a TerminalProfile,
    pub(crate) notes: &'a mut Vec<Note>,
}

/// A challenge that is being worked on, or an answer under way. Not kept without power.
#[derive(Debug)]
pub(crate) struct Dialogue {
    tid: [u8; 8],
    ctr: u64,
    challenge: Option<Challenge>,
    stage: Stage,
    /// How often the command of this stage was repeated.
    repeated: u8,
    /// MAC of the challenge; the answer covers it.
    mac: [u8; 8],
}

#[derive(Debug)]
enum Stage {
    /// DISPLAY TEXT with the text of the challenge.
    Text,
    /// GET INPUT of the PIN.
    Pin,
    /// DISPLAY TEXT after a wrong PIN.
    WrongPin { left: u8 },
    /// SEND SHORT MESSAGE with this SMS-SUBMIT. It was answered; only sending may be repeated.
    Answer { tpdu: Vec<u8> },
}

/// What the applet wants next: a command to the terminal and the dialogue it belongs to, or nothing.
pub(crate) type Turn = Option<(Box<Dialogue>, ProactiveCommand)>;

/// What a TERMINAL RESPONSE means for the dialogue.
enum Outcome {
    Done,
    Ended(ResultCode),
    /// The same command may work in a moment.
    Repeat {
        or_else: ResultCode,
    },
}

impl Applet<'_> {
    /// Takes the secured data of a command packet that the CardManager found in order.
    pub(crate) fn receive(&mut self, data: &[u8]) -> Turn {
        let view = match ChallengeView::new_checked(data) {
            Ok(view) => view,
            Err(error) => return self.malformed(error),
        };
        let mut dialogue = Box::new(Dialogue {
            tid: view.tid(),
            ctr: view.ctr(),
            challenge: None,
            stage: Stage::Text,
            repeated: 0,
            mac: view.mac(),
        });
        // Without an algorithm there is no key to answer with.
        let Ok(algorithm) = view.mac_algorithm() else {
            self.note(&view, ChallengeVerdict::UnknownAlgorithm);
            return None;
        };
        let key = applet_mac_key(self.master, self.iccid, algorithm);
        if !view.verify(&key) {
            self.note(&view, ChallengeVerdict::BadMac);
            return self.refuse(dialogue, &view, ResultCode::BAD_MAC);
        }
        if view.ctr() <= self.state.counter {
            self.note(
                &view,
                ChallengeVerdict::Replay {
                    counter: self.state.counter,
                },
            );
            if view.tid() == self.state.tid {
                // The challenge that is or was worked on, sent once more: it has its answer or will get it.
                return None;
            }
            return self.refuse(dialogue, &view, ResultCode::REPLAY);
        }
        self.state.counter = view.ctr();
        self.state.tid = view.tid();
        self.state.answered = false;
        let Ok(challenge) = Challenge::parse(data) else {
            self.note(&view, ChallengeVerdict::Unsupported);
            return self.finish(dialogue, view.mac_algorithm(), ResultCode::UNSUPPORTED);
        };
        let pin = challenge.method == Method::Pin;
        let ucs2 = challenge.text.alphabet() == TextAlphabet::Ucs2;
        let unable = pin && !self.profile.pin_method
            || challenge.digest.is_some() && !self.profile.signing_key
            || !self.terminal.supports(Facility::DISPLAY_TEXT)
            || ucs2 && !self.terminal.supports(Facility::UCS2_DISPLAY)
            || pin && !self.terminal.supports(Facility::GET_INPUT);
        dialogue.challenge = Some(challenge);
        if unable {
            self.note(&view, ChallengeVerdict::Unsupported);
            return self.finish(dialogue, Ok(algorithm), ResultCode::UNSUPPORTED);
        }
        self.note(&view, ChallengeVerdict::Accepted);
        if pin && self.state.pin_tries.left() == 0 {
            return self.finish(dialogue, Ok(algorithm), self.blocked());
        }
        self.ask(dialogue)
    }

    /// Takes the terminal's answer to the command that the last turn gave.
    pub(crate) fn proceed(
        &mut self,
        mut dialogue: Box<Dialogue>,
        response: &TerminalResponse,
    ) -> Turn {
        let outcome = outcome(response);
        if let Stage::Answer { .. } = dialogue.stage {
            // Whatever else happened to the message, it is not sent again: the challenge has had its one answer.
            return match outcome {
                Outcome::Repeat { .. } => self.repeat(dialogue),
                Outcome::Done | Outcome::Ended(_) => None,
            };
        }
        let algorithm = dialogue.challenge.as_ref()?.mac_algorithm;
        match outcome {
            Outcome::Done => {}
            Outcome::Ended(result) => return self.finish(dialogue, Ok(algorithm), result),
            Outcome::Repeat { .. } if dialogue.repeated < self.profile.retries => {
                return self.repeat(dialogue);
            }
            Outcome::Repeat { or_else } => return self.finish(dialogue, Ok(algorithm), or_else),
        }
        let method = dialogue.challenge.as_ref()?.method;
        match dialogue.stage {
            Stage::Text if method == Method::Confirm => {
                self.finish(dialogue, Ok(algorithm), ResultCode::OK)
            }
            Stage::Pin => self.check_pin(dialogue, response),
            Stage::Text | Stage::WrongPin { .. } => {
                dialogue.stage = Stage::Pin;
                self.ask(dialogue)
            }
            Stage::Answer { .. } => None,
        }
    }

    fn check_pin(&mut self, mut dialogue: Box<Dialogue>, response: &TerminalResponse) -> Turn {
        let algorithm = dialogue.challenge.as_ref()?.mac_algorithm;
        let typed = response.input.as_ref().and_then(|input| input.digits());
        let typed = typed.and_then(|digits| {
            let digits = std::str::from_utf8(digits.expose()).ok()?;
            digits.parse::<PinCode>().ok()
        });
        let Some(typed) = typed else {
            // No terminal that keeps to the response length sends this; nothing was compared, so no try is lost.
            if dialogue.repeated < self.profile.retries {
                return self.repeat(dialogue);
            }
            return self.finish(dialogue, Ok(algorithm), ResultCode::UNSUPPORTED);
        };
        let pin = self.state.pin.as_ref().unwrap_or(self.pin);
        let tries = &mut self.state.pin_tries;
        let checked = tries.check(self.profile.pin_tries, pin, typed.octets());
        self.notes.push(Note::Pin {
            right: checked.is_ok(),
            tries_left: self.state.pin_tries.left(),
        });
        match checked {
            Ok(()) => self.finish(dialogue, Ok(algorithm), ResultCode::OK),
            Err(Refused::Blocked | Refused::Wrong { left: 0 }) => {
                self.finish(dialogue, Ok(algorithm), self.blocked())
            }
            Err(Refused::Wrong { left }) => {
                dialogue.stage = Stage::WrongPin { left };
                self.ask(dialogue)
            }
        }
    }

    /// Octets that are no challenge. Nothing tells who sent them, so nothing is answered.
    fn malformed(&mut self, error: AppletError) -> Turn {
        self.notes.push(Note::NotAChallenge { error });
        None
    }

    /// Answers a challenge that was not accepted. It costs the card nothing but a message: no state changes.
    fn refuse(
        &mut self,
        dialogue: Box<Dialogue>,
        view: &ChallengeView<'_>,
        result: ResultCode,
    ) -> Turn {
        let algorithm = view.mac_algorithm().ok()?;
        self.answer(dialogue, algorithm, result)
    }

    /// Answers the challenge that was accepted last, once.
    fn finish(
        &mut self,
        dialogue: Box<Dialogue>,
        algorithm: Result<ota_wire::keys::MacAlgorithm, u8>,
        result: ResultCode,
    ) -> Turn {
        if std::mem::replace(&mut self.state.answered, true) {
            return None;
        }
        self.answer(dialogue, algorithm.ok()?, result)
    }

    fn answer(
        &mut self,
        mut dialogue: Box<Dialogue>,
        mac_algorithm: ota_wire::keys::MacAlgorithm,
        result: ResultCode,
    ) -> Turn {
        if !self.terminal.supports(Facility::SEND_SHORT_MESSAGE) {
            return None;
        }
        let digest = dialogue
            .challenge
            .as_ref()
            .and_then(|challenge| challenge.digest)
            .filter(|_| result == ResultCode::OK);
        let signature = match digest {
            Some(digest) => signing::sign(self.master, self.iccid, &digest)?,
            None => Vec::new(),
        };
        let response = AppletResponse {
            tid: dialogue.tid,
            ctr: dialogue.ctr,
            result,
            tries_left: self.state.pin_tries.left(),
            mac_algorithm,
            signature,
        };
        let key = applet_mac_key(self.master, self.iccid, mac_algorithm);
        let octets = response.seal(&key, &dialogue.mac);
        let platform = Address::short_code(&self.network.platform).ok()?;
        let submit = Submit::from_card(platform, &octets).ok()?;
        self.notes.push(Note::Answer {
            ctr: dialogue.ctr,
            result,
            tries_left: response.tries_left,
            octets,
        });
        dialogue.stage = Stage::Answer {
            tpdu: submit.emit(),
        };
        dialogue.repeated = 0;
        self.ask(dialogue)
    }

    fn repeat(&self, mut dialogue: Box<Dialogue>) -> Turn {
        if dialogue.repeated >= self.profile.retries {
            return None;
        }
        dialogue.repeated += 1;
        Some(self.with_command(dialogue))
    }

    fn ask(&self, mut dialogue: Box<Dialogue>) -> Turn {
        dialogue.repeated = 0;
        Some(self.with_command(dialogue))
    }

    fn with_command(&self, dialogue: Box<Dialogue>) -> (Box<Dialogue>, ProactiveCommand) {
        // The toolkit numbers it.
        let number = 0;
        let command = match &dialogue.stage {
            Stage::Text => self.show_challenge(number, dialogue.challenge.as_ref()),
            Stage::Pin => ProactiveCommand::get_input(
                number,
                Qualifier::INPUT_HIDDEN,
                TextString::encode(&self.profile.pin_prompt),
                ResponseLength { min: 4, max: 8 },
            ),
            Stage::WrongPin { left } => {
                let tries = if *left == 1 { "try" } else { "tries" };
                let text = format!("Wrong PIN, {left} {tries} left");
                ProactiveCommand::display_text(number, DISPLAY, TextString::encode(&text))
            }
            Stage::Answer { tpdu } => self.send(number, tpdu.clone()),
        };
        (dialogue, command)
    }

    /// DISPLAY TEXT, in the alphabet of the challenge. Where the terminal measures the time that a text is shown,
    /// and the command has room to say so, the text goes away when the challenge is no longer valid.
    fn show_challenge(&self, number: u8, challenge: Option<&Challenge>) -> ProactiveCommand {
        let Some(challenge) = challenge else {
            return ProactiveCommand::display_text(number, DISPLAY, TextString::null());
        };
        let text = challenge.text.to_string();
        let text = TextString::packed(&text).unwrap_or_else(|| TextString::encode(&text));
        let plain = ProactiveCommand::display_text(number, DISPLAY, text.clone());
        let Some(duration) = self.duration(challenge.valid_for) else {
            return plain;
        };
        let body = Body::DisplayText {
            text,
            immediate_response: false,
            duration: Some(duration),
        };
        let timed = ProactiveCommand::new(number, DISPLAY, Device::DISPLAY, body);
        if timed.emit().len() <= ProactiveCommand::MAX_LEN {
            timed
        } else {
            plain
        }
    }

    fn duration(&self, seconds: u16) -> Option<Duration> {
        if seconds == 0 || !self.terminal.supports(VARIABLE_TIME_OUT) {
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

    fn send(&self, number: u8, tpdu: Vec<u8>) -> ProactiveCommand {
        let mut command = ProactiveCommand::send_short_message(number, tpdu);
        if let Body::SendShortMessage { service_centre, .. } = &mut command.body {
            *service_centre = Some(Address::international(&self.network.smsc).to_value());
        }
        command
    }

    const fn blocked(&self) -> ResultCode {
        if self.state.puk_tries.left() == 0 {
            ResultCode::PUK_BLOCKED
        } else {
            ResultCode::PIN_BLOCKED
        }
    }

    fn note(&mut self, view: &ChallengeView<'_>, verdict: ChallengeVerdict) {
        self.notes.push(Note::Challenge {
            tid: view.tid(),
            ctr: view.ctr(),
            method: view.method(),
            algorithm: view.mac_algorithm(),
            verdict,
        });
    }
}

/// High priority, and wait for the user.
const DISPLAY: Qualifier =
    Qualifier(Qualifier::DISPLAY_HIGH_PRIORITY.0 | Qualifier::DISPLAY_WAIT_FOR_USER.0);

/// DISPLAY TEXT with a variable time-out.
const VARIABLE_TIME_OUT: Facility = Facility::at(18, 1);

/// The map from general results (TS 102 223 §8.12) to the protocol's.
const fn outcome(response: &TerminalResponse) -> Outcome {
    match response.result {
        result if result.is_ok() => Outcome::Done,
        TerminalResult::BACKWARD => Outcome::Ended(ResultCode::BACK),
        TerminalResult::NO_RESPONSE => Outcome::Ended(ResultCode::TIMEOUT),
        TerminalResult::HELP_WANTED => Outcome::Repeat {
            or_else: ResultCode::CANCELLED,
        },
        TerminalResult::USER_DID_NOT_ACCEPT => Outcome::Ended(ResultCode::CANCELLED),
        result if result.is_performed() => Outcome::Ended(ResultCode::CANCELLED),
        result if result.is_temporary() => Outcome::Repeat {
            or_else: ResultCode::BUSY,
        },
        _ => Outcome::Ended(ResultCode::UNSUPPORTED),
    }
}

//! From a challenge to its answer.

use jiff::Timestamp;
use ota_wire::applet::{
    AppletError, AppletResponse, Challenge, ChallengeView, Method, ResultCode, TextAlphabet,
};
use ota_wire::cat::{
    Facility, ProactiveCommand, TerminalResponse, TerminalResult, TextString, TimerId, TimerValue,
};
use ota_wire::keys::{MacAlgorithm, applet_mac_key};
use ota_wire::sms::address::Address;
use ota_wire::sms::scts::Scts;
use ota_wire::sms::tpdu::Submit;

use super::outcome::{Outcome, outcome};
use super::question::said_yes;
use super::{
    Applet, Dialogue, Turn, UNNUMBERED, ask_digits, display, signing, tries_left, typed_code,
};
use crate::event::{ChallengeVerdict, Note};

/// A challenge that is being worked on.
#[derive(Debug)]
pub(crate) struct Signing {
    tid: [u8; 8],
    ctr: u64,
    mac_algorithm: MacAlgorithm,
    /// MAC of the challenge; the answer covers it.
    mac: [u8; 8],
    /// `None` if it could not be read as far as that.
    challenge: Option<Challenge>,
    clock: Clock,
    stage: Stage,
    /// How often the command of this stage was repeated.
    repeated: u8,
}

/// How the validity of the challenge is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    /// The terminal cannot; or nothing is to be measured.
    None,
    /// By a timer of the terminal.
    Timer,
    /// By the terminal's date and time, in which it ends then.
    Until(Timestamp),
}

#[derive(Debug)]
enum Stage {
    /// TIMER MANAGEMENT, start.
    StartTimer,
    /// PROVIDE LOCAL INFORMATION: what time it is.
    AskTime,
    /// PLAY TONE.
    Tone,
    /// DISPLAY TEXT with the text of the challenge, or GET INKEY.
    Text,
    /// GET INPUT of the PIN.
    Pin,
    /// DISPLAY TEXT after a wrong PIN.
    WrongPin { left: u8 },
    /// TIMER MANAGEMENT, stop, before this answer.
    StopTimer { result: ResultCode },
    /// PROVIDE LOCAL INFORMATION, before this answer.
    AskTimeAgain { result: ResultCode },
    /// MORE TIME, before a signature.
    MoreTime,
    /// SEND SHORT MESSAGE with this SMS-SUBMIT. It was answered; only sending may be repeated.
    Answer { tpdu: Vec<u8> },
    /// TIMER MANAGEMENT: a pause before the command of this stage is tried again.
    StartPause { then: Box<Self> },
    /// The pause.
    Pause { then: Box<Self> },
}

/// The timer that measures how long a challenge is valid, and that of pauses.
const VALIDITY: TimerId = TimerId(1);
const PAUSE: TimerId = TimerId(2);

impl Applet<'_> {
    /// Takes the secured data of a command packet that the CardManager found in order.
    pub(crate) fn receive(&mut self, data: &[u8]) -> Turn {
        let view = match ChallengeView::new_checked(data) {
            Ok(view) => view,
            Err(error) => return self.malformed(error),
        };
        // Without an algorithm there is no key to answer with.
        let Ok(mac_algorithm) = view.mac_algorithm() else {
            self.note(&view, ChallengeVerdict::UnknownAlgorithm);
            return Turn::End;
        };
        let mut signing = Signing {
            tid: view.tid(),
            ctr: view.ctr(),
            mac_algorithm,
            mac: view.mac(),
            challenge: None,
            clock: Clock::None,
            stage: Stage::Text,
            repeated: 0,
        };
        let key = applet_mac_key(self.master, self.iccid, mac_algorithm);
        if !view.verify(&key) {
            self.note(&view, ChallengeVerdict::BadMac);
            return self.answer(signing, ResultCode::BAD_MAC);
        }
        if view.ctr() <= self.state.counter {
            let counter = self.state.counter;
            self.note(&view, ChallengeVerdict::Replay { counter });
            if view.tid() == self.state.tid {
                // The challenge that is or was worked on, sent once more: it has its answer or will get it.
                return Turn::End;
            }
            return self.answer(signing, ResultCode::REPLAY);
        }
        self.state.counter = view.ctr();
        self.state.tid = view.tid();
        self.state.answered = false;
        let challenge = Challenge::parse(data).ok();
        let able = challenge
            .as_ref()
            .is_some_and(|challenge| self.can(challenge));
        let pin = challenge
            .as_ref()
            .is_some_and(|challenge| challenge.method == Method::Pin);
        signing.challenge = challenge;
        if !able {
            self.note(&view, ChallengeVerdict::Unsupported);
            return self.finish(signing, ResultCode::UNSUPPORTED);
        }
        self.note(&view, ChallengeVerdict::Accepted);
        if pin && self.state.pin_tries.left() == 0 {
            return self.finish(signing, self.blocked());
        }
        self.begin(signing)
    }

    /// Takes the terminal's answer to the command that the last turn gave.
    pub(super) fn proceed_challenge(
        &mut self,
        mut signing: Signing,
        response: &TerminalResponse,
    ) -> Turn {
        let outcome = outcome(response);
        match signing.stage {
            // What the terminal cannot measure is left to the MSSP.
            Stage::StartTimer => {
                if outcome != Outcome::Done {
                    signing.clock = Clock::None;
                }
                self.alert(signing)
            }
            Stage::AskTime => {
                signing.clock = self.ends_at(&signing, response);
                self.alert(signing)
            }
            // Whoever ends the session while the tone sounds does not want to see what comes.
            Stage::Tone if response.result == TerminalResult::ENDED_BY_USER => {
                self.end(signing, ResultCode::CANCELLED)
            }
            Stage::Tone => self.show(signing),
            Stage::StopTimer { result } => {
                let expired = response.result == TerminalResult::TIMER_CONTRADICTION;
                self.judge(signing, result, expired)
            }
            Stage::AskTimeAgain { result } => {
                let expired = match (signing.clock, time(response)) {
                    (Clock::Until(end), Some(now)) => now > end,
                    _ => false,
                };
                self.judge(signing, result, expired)
            }
            Stage::MoreTime => self.finish(signing, ResultCode::OK),
            Stage::StartPause { then } => {
                signing.stage = Stage::Pause { then };
                if outcome == Outcome::Done {
                    return Turn::Wait(Box::new(Dialogue::Challenge(signing)));
                }
                self.resume(signing)
            }
            Stage::Pause { .. } => Turn::End,
            // Whatever else happened to the message, it is not sent again: the challenge has had its one answer.
            Stage::Answer { .. } => match outcome {
                Outcome::Busy => self.repeat(signing, None),
                Outcome::Done | Outcome::Help | Outcome::Ended(_) => Turn::End,
            },
            Stage::Text | Stage::Pin | Stage::WrongPin { .. } => match outcome {
                Outcome::Done => self.done(signing, response),
                Outcome::Ended(result) => self.end(signing, result),
                Outcome::Help => self.again(signing, ResultCode::CANCELLED),
                Outcome::Busy => self.repeat(signing, Some(ResultCode::BUSY)),
            },
        }
    }

    /// A timer ran out. The terminal says so only when it has nothing else of ours to do.
    pub(super) fn challenge_timer(&mut self, signing: Signing, timer: TimerId) -> Turn {
        let waits = matches!(signing.stage, Stage::Pause { .. });
        let answered = self.state.answered;
        match timer {
            PAUSE if waits => self.resume(signing),
            VALIDITY if waits && !answered => self.judge(signing, ResultCode::TIMEOUT, true),
            _ => Turn::Wait(Box::new(Dialogue::Challenge(signing))),
        }
    }

    /// Whether card and terminal can do what a challenge asks for.
    fn can(&self, challenge: &Challenge) -> bool {
        let pin = challenge.method == Method::Pin;
        let ucs2 = challenge.text.alphabet() == TextAlphabet::Ucs2;
        let shows = self.has(Facility::DISPLAY_TEXT)
            || self.has(Facility::GET_INKEY)
            || (pin && self.fits_prompt(&challenge.text.to_string()));
        shows
            && (!pin || self.profile.pin_method && self.has(Facility::GET_INPUT))
            && (challenge.digest.is_none() || self.profile.signing_key)
            && (!ucs2 || self.has(Facility::UCS2_DISPLAY))
    }

    /// The validity is measured from now on, where the terminal can.
    fn begin(&self, mut signing: Signing) -> Turn {
        let valid_for = signing.valid_for();
        if valid_for != 0 && self.has_timers() {
            signing.clock = Clock::Timer;
            return self.ask(signing, Stage::StartTimer);
        }
        if valid_for != 0 && self.has(Facility::DATE_TIME) {
            return self.ask(signing, Stage::AskTime);
        }
        self.alert(signing)
    }

    /// Whether the terminal both starts timers and tells when they run out; one that does not would leave us waiting.
    fn has_timers(&self) -> bool {
        self.has(Facility::TIMER_START_STOP) && self.has(Facility::TIMER_EXPIRATION)
    }

    fn alert(&self, signing: Signing) -> Turn {
        if self.profile.tone.is_some() && self.has(Facility::PLAY_TONE) {
            return self.ask(signing, Stage::Tone);
        }
        self.show(signing)
    }

    /// The text by itself, or in the question for the PIN.
    fn show(&self, signing: Signing) -> Turn {
        if signing.wants_pin() && self.asks_in_prompt(&signing) {
            self.ask(signing, Stage::Pin)
        } else {
            self.ask(signing, Stage::Text)
        }
    }

    /// The user did what was asked.
    fn done(&mut self, signing: Signing, response: &TerminalResponse) -> Turn {
        match signing.stage {
            Stage::Text if self.asks_by_key() && said_yes(response) != Some(true) => {
                match said_yes(response) {
                    Some(_) => self.end(signing, ResultCode::CANCELLED),
                    None => self.again(signing, ResultCode::UNSUPPORTED),
                }
            }
            Stage::Text if !signing.wants_pin() => self.end(signing, ResultCode::OK),
            Stage::Pin => {
                let Some(typed) = typed_code(response) else {
                    // Nothing was compared, so no try is lost.
                    return self.again(signing, ResultCode::UNSUPPORTED);
                };
                if self.check_pin(&typed) {
                    return self.end(signing, ResultCode::OK);
                }
                match self.state.pin_tries.left() {
                    0 => self.end(signing, self.blocked()),
                    left if self.has(Facility::DISPLAY_TEXT) => {
                        self.ask(signing, Stage::WrongPin { left })
                    }
                    _ => self.ask(signing, Stage::Pin),
                }
            }
            _ => self.ask(signing, Stage::Pin),
        }
    }

    /// The dialogue is over. Whether it was in time is found out before it is answered.
    fn end(&mut self, signing: Signing, result: ResultCode) -> Turn {
        match signing.clock {
            Clock::None => self.judge(signing, result, false),
            Clock::Timer => self.ask(signing, Stage::StopTimer { result }),
            Clock::Until(_) => self.ask(signing, Stage::AskTimeAgain { result }),
        }
    }

    fn judge(&mut self, mut signing: Signing, result: ResultCode, expired: bool) -> Turn {
        signing.clock = Clock::None;
        let too_late = expired && result == ResultCode::OK;
        if too_late {
            return self.finish(signing, ResultCode::TIMEOUT);
        }
        if result == ResultCode::OK && signing.digest().is_some() && self.has(Facility::MORE_TIME) {
            return self.ask(signing, Stage::MoreTime);
        }
        self.finish(signing, result)
    }

    /// Octets that are no challenge. Nothing tells who sent them, so nothing is answered.
    fn malformed(&mut self, error: AppletError) -> Turn {
        self.notes.push(Note::NotAChallenge { error });
        Turn::End
    }

    /// Answers the challenge that was accepted last, once.
    fn finish(&mut self, signing: Signing, result: ResultCode) -> Turn {
        if std::mem::replace(&mut self.state.answered, true) {
            return Turn::End;
        }
        self.answer(signing, result)
    }

    /// Answers. For a challenge that was not accepted it costs the card nothing but a message: no state changes.
    fn answer(&mut self, signing: Signing, result: ResultCode) -> Turn {
        match self.answer_octets(&signing, result) {
            Some(tpdu) if self.has(Facility::SEND_SHORT_MESSAGE) => {
                self.ask(signing, Stage::Answer { tpdu })
            }
            _ => Turn::End,
        }
    }

    fn answer_octets(&mut self, signing: &Signing, result: ResultCode) -> Option<Vec<u8>> {
        let digest = signing.digest().filter(|_| result == ResultCode::OK);
        let signature = match digest {
            Some(digest) => signing::sign(self.master, self.iccid, digest)?,
            None => Vec::new(),
        };
        let response = AppletResponse {
            tid: signing.tid,
            ctr: signing.ctr,
            result,
            tries_left: self.state.pin_tries.left(),
            mac_algorithm: signing.mac_algorithm,
            signature,
        };
        let key = applet_mac_key(self.master, self.iccid, signing.mac_algorithm);
        let octets = response.seal(&key, &signing.mac);
        let platform = Address::short_code(&self.network.platform).ok()?;
        let submit = Submit::from_card(platform, &octets).ok()?;
        self.notes.push(Note::Answer {
            ctr: signing.ctr,
            result,
            tries_left: response.tries_left,
            octets,
        });
        Some(submit.emit())
    }

    /// The same question again, a few times.
    fn again(&mut self, mut signing: Signing, or_else: ResultCode) -> Turn {
        if signing.repeated >= self.profile.retries {
            return self.end(signing, or_else);
        }
        signing.repeated += 1;
        self.command(signing)
    }

    /// The same command again, a few times, after a pause where the terminal can measure one.
    fn repeat(&mut self, mut signing: Signing, or_else: Option<ResultCode>) -> Turn {
        if signing.repeated >= self.profile.retries {
            return match or_else {
                Some(result) => self.end(signing, result),
                None => Turn::End,
            };
        }
        signing.repeated += 1;
        if self.has_timers() {
            let then = std::mem::replace(&mut signing.stage, Stage::Text);
            signing.stage = Stage::StartPause {
                then: Box::new(then),
            };
        }
        self.command(signing)
    }

    fn resume(&self, mut signing: Signing) -> Turn {
        if let Stage::Pause { then } = signing.stage {
            signing.stage = *then;
        }
        self.command(signing)
    }

    fn ask(&self, mut signing: Signing, stage: Stage) -> Turn {
        signing.stage = stage;
        signing.repeated = 0;
        self.command(signing)
    }

    /// The command of the stage.
    fn command(&self, signing: Signing) -> Turn {
        let command = match &signing.stage {
            Stage::StartTimer => ProactiveCommand::start_timer(
                UNNUMBERED,
                VALIDITY,
                TimerValue::from_seconds(signing.valid_for().into()),
            ),
            Stage::StopTimer { .. } => ProactiveCommand::stop_timer(UNNUMBERED, VALIDITY),
            Stage::AskTime | Stage::AskTimeAgain { .. } => {
                ProactiveCommand::local_date_time(UNNUMBERED)
            }
            Stage::Tone => self.tone(),
            Stage::Text => self.text(&signing),
            Stage::Pin if self.asks_in_prompt(&signing) => {
                ask_digits(self.prompt_with_text(&signing.plain_text()), 4, 8)
            }
            Stage::Pin => ask_digits(TextString::encode(&self.profile.pin_prompt), 4, 8),
            Stage::WrongPin { left } => display(&tries_left("PIN", *left)),
            Stage::MoreTime => ProactiveCommand::more_time(UNNUMBERED),
            Stage::Answer { tpdu } => self.send(tpdu.clone()),
            Stage::StartPause { .. } => ProactiveCommand::start_timer(
                UNNUMBERED,
                PAUSE,
                TimerValue::from_seconds(self.profile.retry_after.into()),
            ),
            Stage::Pause { .. } => return Turn::Wait(Box::new(Dialogue::Challenge(signing))),
        };
        Turn::Command(Box::new(Dialogue::Challenge(signing)), command)
    }

    /// When a challenge that begins now is no longer valid, by the terminal's time.
    fn ends_at(&self, signing: &Signing, response: &TerminalResponse) -> Clock {
        let valid_for = jiff::SignedDuration::from_secs(signing.valid_for().into());
        let end = time(response).and_then(|now| now.checked_add(valid_for).ok());
        end.map_or(Clock::None, Clock::Until)
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

impl Signing {
    fn wants_pin(&self) -> bool {
        self.challenge
            .as_ref()
            .is_some_and(|challenge| challenge.method == Method::Pin)
    }

    pub(super) fn valid_for(&self) -> u16 {
        self.challenge
            .as_ref()
            .map_or(0, |challenge| challenge.valid_for)
    }

    fn digest(&self) -> Option<&[u8; 32]> {
        self.challenge.as_ref()?.digest.as_ref()
    }

    pub(super) fn plain_text(&self) -> String {
        let challenge = self.challenge.as_ref();
        challenge.map_or_else(String::new, |challenge| challenge.text.to_string())
    }

    pub(super) fn text(&self) -> TextString {
        let text = self.plain_text();
        TextString::packed(&text).unwrap_or_else(|| TextString::encode(&text))
    }
}

/// What time the terminal says it is.
fn time(response: &TerminalResponse) -> Option<Timestamp> {
    Scts(response.date_time()?).timestamp()
}

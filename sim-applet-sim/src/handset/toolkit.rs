//! ETSI TS 102 223 §6: proactive commands, fetched and carried out.

use jiff::SignedDuration;
use ota_wire::apdu::{Command, Ins, Sw};
use ota_wire::cat::{
    Body, Coding, CommandDetails, InputText, ProactiveCommand, Qualifier, ResponseLength,
    TerminalResponse, TerminalResult, TextString,
};

use super::prompt::OpenPrompt;
use super::{Action, Output, Phone, Prompt, PromptKind, Refusal, Reply, TimerKey, Turn};
use crate::event::EventKind;

/// Proactive commands in a row that need neither user nor network; a card that goes on is left alone until it is
/// next spoken to.
const MAX_IN_A_ROW: usize = 32;

/// Additional information on result 20.
const SCREEN_BUSY: u8 = 0x01;

/// The answers to GET INKEY with binary choice (TS 102 223 §6.8.5, §8.15).
const YES: u8 = 0x01;
const NO: u8 = 0x00;

/// What came of a proactive command.
pub(super) enum Performed {
    /// This is the answer.
    Now(TerminalResponse),
    /// The answer comes with the user or with the network.
    Later,
}

impl Phone {
    /// Fetches and carries out what the card wants, as long as it can be done at once.
    pub(super) fn run_toolkit(&mut self, mut sw: Sw, turn: &mut Turn<'_>) {
        for _ in 0..MAX_IN_A_ROW {
            let Some(len) = sw.proactive_len() else {
                return;
            };
            let fetch = Command::new(0x80, Ins::FETCH, 0, 0).with_le(len);
            let fetched = self.exchange(&fetch, turn);
            if !fetched.sw.is_success() {
                return;
            }
            match self.perform(&fetched.data, turn) {
                Some(Performed::Now(response)) => sw = self.respond(&response, turn),
                Some(Performed::Later) | None => return,
            }
        }
    }

    /// Sends a TERMINAL RESPONSE and goes on with what the card wants next.
    pub(super) fn answer(&mut self, response: &TerminalResponse, turn: &mut Turn<'_>) {
        let sw = self.respond(response, turn);
        self.run_toolkit(sw, turn);
    }

    pub(super) fn user(&mut self, reply: Reply, turn: &mut Turn<'_>) {
        let Reply { prompt: id, action } = reply;
        let open = self
            .powered
            .as_ref()
            .and_then(|powered| powered.prompt.as_ref())
            .filter(|open| open.prompt.id == id);
        let answer = open
            .ok_or(Refusal::NoSuchPrompt)
            .and_then(|open| answer_to(open, &action));
        let response = match answer {
            Ok(response) => response,
            Err(reason) => {
                self.note(EventKind::Refused { id, reason }, turn);
                turn.output(Output::Refused { id, reason });
                return;
            }
        };
        self.finish_prompt(&response, turn);
    }

    pub(super) fn prompt_timed_out(&mut self, id: u64, turn: &mut Turn<'_>) {
        let open = self
            .powered
            .as_ref()
            .and_then(|powered| powered.prompt.as_ref())
            .filter(|open| open.prompt.id == id);
        if let Some(open) = open {
            let response = TerminalResponse::new(open.details, TerminalResult::NO_RESPONSE);
            self.finish_prompt(&response, turn);
        }
    }

    /// Takes the prompt off the screen.
    pub(super) fn close_prompt(&mut self, turn: &mut Turn<'_>) -> Option<OpenPrompt> {
        let open = self.powered.as_mut()?.prompt.take()?;
        let id = open.prompt.id;
        turn.stop_timer(TimerKey::Prompt(id));
        turn.output(Output::PromptClosed { id });
        Some(open)
    }

    fn finish_prompt(&mut self, response: &TerminalResponse, turn: &mut Turn<'_>) {
        let Some(open) = self.close_prompt(turn) else {
            return;
        };
        let kind = EventKind::Answered {
            id: open.prompt.id,
            result: response.result,
            typed: response.input.as_ref().map(InputText::chars),
        };
        self.note(kind, turn);
        self.answer(response, turn);
    }

    fn respond(&mut self, response: &TerminalResponse, turn: &mut Turn<'_>) -> Sw {
        let command = Command::new(0x80, Ins::TERMINAL_RESPONSE, 0, 0).with_data(response.emit());
        self.exchange(&command, turn).sw
    }

    /// Carries out one command; nothing if it is so broken that it cannot even be answered.
    pub(super) fn perform(&mut self, octets: &[u8], turn: &mut Turn<'_>) -> Option<Performed> {
        let command = match ProactiveCommand::parse(octets) {
            Ok(command) => command,
            Err(error) => {
                let response = TerminalResponse::new(error.details?, error.result());
                return Some(Performed::Now(response));
            }
        };
        let details = command.details();
        let now = |result| Performed::Now(TerminalResponse::new(details, result));
        if command.not_understood().is_some() {
            return Some(now(TerminalResult::DATA_NOT_UNDERSTOOD));
        }
        Some(match command.body {
            Body::DisplayText {
                text,
                immediate_response,
                duration,
            } => {
                if text.coding().is_none() {
                    return Some(now(TerminalResult::DATA_NOT_UNDERSTOOD));
                }
                if !self.fits(&text) {
                    return Some(now(TerminalResult::BEYOND_CAPABILITY));
                }
                let wait = details.qualifier.has(Qualifier::DISPLAY_WAIT_FOR_USER);
                let kind = PromptKind::Display {
                    text: text.to_text(),
                    wait_for_user: wait && !immediate_response,
                };
                self.show(
                    kind,
                    details,
                    duration.and_then(ota_wire::cat::Duration::millis),
                    turn,
                )
            }
            Body::GetInput {
                text,
                response_length,
                ..
            } => {
                if !self.fits(&text) {
                    return Some(now(TerminalResult::BEYOND_CAPABILITY));
                }
                let kind = question(text.to_text(), details.qualifier, response_length);
                self.show(kind, details, None, turn)
            }
            Body::GetInkey { text, duration } => {
                if !self.fits(&text) {
                    return Some(now(TerminalResult::BEYOND_CAPABILITY));
                }
                let one = ResponseLength { min: 1, max: 1 };
                let kind = if details.qualifier.has(Qualifier::INKEY_YES_NO) {
                    PromptKind::YesNo {
                        text: text.to_text(),
                    }
                } else {
                    question(text.to_text(), details.qualifier, one)
                };
                self.show(
                    kind,
                    details,
                    duration.and_then(ota_wire::cat::Duration::millis),
                    turn,
                )
            }
            Body::SendShortMessage {
                service_centre,
                tpdu,
                ..
            } => self.send_for_card(details, service_centre.as_deref(), &tpdu, turn),
            Body::MoreTime | Body::PlayTone { .. } => now(TerminalResult::OK),
            Body::SetUpMenu { alpha, items } => {
                self.set_menu(alpha.to_text(), items);
                now(TerminalResult::OK)
            }
            Body::ProvideLocalInformation => Performed::Now(self.local_information(details, turn)),
            Body::TimerManagement { timer, value } => {
                Performed::Now(self.manage_timer(details, timer, value, turn))
            }
            Body::Refresh { .. } => match self.refresh(details, turn) {
                Some(response) => Performed::Now(response),
                None => Performed::Later,
            },
            _ => now(TerminalResult::BEYOND_CAPABILITY),
        })
    }

    /// Whether the screen has room for a text.
    fn fits(&self, text: &TextString) -> bool {
        let handset = &self.card.profile().handset;
        text.chars() <= handset.screen_characters
    }

    /// Puts something on the screen. A text that waits for nobody is answered at once.
    fn show(
        &mut self,
        kind: PromptKind,
        details: CommandDetails,
        millis: Option<u64>,
        turn: &mut Turn<'_>,
    ) -> Performed {
        // 48 bits: exact in every JSON reader.
        let [a, b, c, d, e, f] = turn.random();
        let id = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        let waits = !matches!(
            kind,
            PromptKind::Display {
                wait_for_user: false,
                ..
            }
        );
        self.note(shown(id, &kind), turn);
        let prompt = Prompt { id, kind };
        turn.output(Output::Prompt(prompt.clone()));
        if !waits {
            turn.output(Output::PromptClosed { id });
            return Performed::Now(TerminalResponse::new(details, TerminalResult::OK));
        }
        let after = match millis.and_then(|millis| i64::try_from(millis).ok()) {
            Some(millis) => SignedDuration::from_millis(millis),
            None => SignedDuration::from_secs(self.card.profile().handset.prompt_timeout.into()),
        };
        turn.start_timer(TimerKey::Prompt(id), after);
        if let Some(powered) = &mut self.powered {
            powered.prompt = Some(OpenPrompt { prompt, details });
        }
        Performed::Later
    }
}

fn shown(id: u64, kind: &PromptKind) -> EventKind {
    let (text, input, hidden) = match kind {
        PromptKind::Display { text, .. } | PromptKind::YesNo { text } => (text, None, false),
        PromptKind::Input {
            text,
            hidden,
            min,
            max,
            ..
        } => (text, Some((*min, *max)), *hidden),
    };
    EventKind::Prompt {
        id,
        text: text.clone(),
        input,
        hidden,
    }
}

fn question(text: String, qualifier: Qualifier, length: ResponseLength) -> PromptKind {
    PromptKind::Input {
        text,
        hidden: qualifier.has(Qualifier::INPUT_HIDDEN),
        digits_only: !qualifier.has(Qualifier::INPUT_ALPHABET),
        min: length.min,
        max: length.max,
    }
}

/// The TERMINAL RESPONSE for what the user did, or why the handset does not take it.
fn answer_to(open: &OpenPrompt, action: &Action) -> Result<TerminalResponse, Refusal> {
    let with = |result| TerminalResponse::new(open.details, result);
    let chosen = |octet| {
        with(TerminalResult::OK).with_input(InputText::from_value([Coding::EIGHT_BIT.0, octet]))
    };
    Ok(match (action, &open.prompt.kind) {
        (Action::Ok, PromptKind::YesNo { .. }) => chosen(YES),
        (Action::No, PromptKind::YesNo { .. }) => chosen(NO),
        (Action::No, _) => return Err(Refusal::WrongKind),
        (Action::Ok, PromptKind::Display { .. }) => with(TerminalResult::OK),
        (Action::Ok, PromptKind::Input { .. }) => return Err(Refusal::WrongKind),
        (Action::Text(typed), kind) => {
            kind.takes(typed.as_str())?;
            with(TerminalResult::OK).with_input(InputText::encode(typed.as_str()))
        }
        (Action::Cancel, _) => with(TerminalResult::ENDED_BY_USER),
        (Action::Back, _) => with(TerminalResult::BACKWARD),
        (Action::NoResponse, _) => with(TerminalResult::NO_RESPONSE),
        (Action::Busy, _) => with(TerminalResult::TERMINAL_BUSY).with_additional(SCREEN_BUSY),
    })
}

//! Dialogues as data: `fixtures/scenarios/card/*.dialogue`, played against handset and card. The README beside them has the
//! format.

use std::collections::BTreeMap;
use std::path::Path;

use ota_wire::applet::{AppletResponse, Challenge};
use ota_wire::cat::ProactiveCommand;
use ota_wire::packet::Sent;

use super::*;

struct Player {
    world: World,
    applet: String,
    handset: String,
    /// What the last line led to.
    step: Step,
    /// Reference of the last message to the network.
    mr: Option<u8>,
    challenges: BTreeMap<String, Challenge>,
    last: Option<(Challenge, Vec<u8>, Sent)>,
}

type Checked = Result<(), String>;

impl Player {
    fn new() -> Self {
        Self {
            world: World::new(),
            applet: String::new(),
            handset: String::new(),
            step: Step::default(),
            mr: None,
            challenges: BTreeMap::new(),
            last: None,
        }
    }

    fn line(&mut self, line: &str) -> Checked {
        let words = words(line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["applet", kind] => {
                (*kind).clone_into(&mut self.applet);
                self.begin()
            }
            ["handset", kind] => {
                (*kind).clone_into(&mut self.handset);
                self.begin()
            }
            ["challenge", "again"] => {
                let (challenge, ..) = self.last.clone().ok_or("there was no challenge")?;
                self.challenge(challenge)
            }
            ["challenge", method, text, digest @ ..] => {
                let method = match *method {
                    "confirm" => Method::Confirm,
                    "pin" => Method::Pin,
                    other => return Err(format!("no method {other}")),
                };
                let mut challenge = self.world.challenge(method, text);
                challenge.digest = (*digest == ["with", "digest"]).then_some([7; 32]);
                self.challenges
                    .insert((*text).to_owned(), challenge.clone());
                self.challenge(challenge)
            }
            ["packet", "again"] => {
                let (_, packet, _) = self.last.clone().ok_or("there was no packet")?;
                self.packet(&packet);
                Ok(())
            }
            ["restart"] => {
                self.world.restart();
                self.done(Step::default())
            }
            ["power", "off"] => self.input(Input::PowerOff),
            ["power", "on"] => self.input(Input::PowerOn),
            ["card", "out"] => self.input(Input::Card { inserted: false }),
            ["card", "in"] => self.input(Input::Card { inserted: true }),
            ["coverage", "off"] => self.input(Input::Coverage(false)),
            ["coverage", "on"] => self.input(Input::Coverage(true)),
            ["network", answer @ ..] => self.network(answer),
            ["wait", seconds] => self.wait(seconds),
            ["user", "selects", text] => self.select(text),
            ["user", action @ ..] => self.user(action),
            _ => self.check(&words),
        }
    }

    fn check(&self, words: &[&str]) -> Checked {
        match words {
            ["screen", "none"] => same("screen", None, self.world.screen().as_deref()),
            ["screen", text] => same("screen", Some(*text), self.world.screen().as_deref()),
            ["question", text, "hidden", min, "to", max] => self.question(text, min, max),
            ["answer", "none"] => same("message", None, submit(&self.step).map(|(mr, _)| mr)),
            ["answer", result, "tries", left, more @ ..] => self.answer(result, left, more),
            ["por", status] => self.por(status),
            ["rp", expected @ ..] => self.rp(expected),
            ["tries", "pin", pin, puk @ ..] => {
                let state = self.world.phone.card_state();
                same("PIN tries", *pin, &state.pin_tries().to_string())?;
                match puk {
                    ["puk", puk] => same("PUK tries", *puk, &state.puk_tries().to_string()),
                    _ => Ok(()),
                }
            }
            ["fetched", commands @ ..] => same("commands", commands.to_vec(), self.fetched()),
            ["envelopes", count] => {
                let envelopes = self.apdus().filter(|(ins, _)| *ins == 0xC2).count();
                same("ENVELOPEs", *count, &envelopes.to_string())
            }
            _ => Err("no such line".to_owned()),
        }
    }

    fn begin(&mut self) -> Checked {
        let mut profile = match self.applet.as_str() {
            "confirm-only" => Profile::confirm_only(master(), network()),
            "" | "menu" => Profile::standard(master(), network()),
            other => return Err(format!("no applet {other}")),
        };
        profile.applet.menu = self.applet == "menu";
        match self.handset.as_str() {
            "" => {}
            "simple" => {
                let simple = testing::simple_profile();
                profile
                    .handset
                    .terminal_profile
                    .clone_from(&simple.handset.terminal_profile);
            }
            other => return Err(format!("no handset {other}")),
        }
        self.world = World::with(Arc::new(profile));
        Ok(())
    }

    fn done(&mut self, step: Step) -> Checked {
        if let Some((mr, _)) = submit(&step) {
            self.mr = Some(mr);
        }
        self.step = step;
        Ok(())
    }

    fn input(&mut self, input: Input) -> Checked {
        let step = self.world.step(input);
        self.done(step)
    }

    fn challenge(&mut self, challenge: Challenge) -> Checked {
        let octets = challenge.seal(&self.world.key(challenge.mac_algorithm));
        let command = self.world.command(octets);
        let packet = command.seal(&self.world.key_set()).unwrap();
        self.last = Some((challenge, packet.clone(), command.sent()));
        self.packet(&packet);
        Ok(())
    }

    fn packet(&mut self, packet: &[u8]) {
        let mut whole = Step::default();
        for deliver in self.world.delivers(packet) {
            let step = self.world.deliver(&deliver.emit());
            whole.outputs.extend(step.outputs);
            whole.events.extend(step.events);
        }
        let _ = self.done(whole);
    }

    fn network(&mut self, answer: &[&str]) -> Checked {
        let mr = self.mr.take().ok_or("nothing was sent")?;
        let message = match answer {
            ["ack"] => Message::Ack { mr, tpdu: None },
            ["error", cause] => {
                Message::error(mr, Cause(cause.parse().map_err(|_| "a cause is a number")?))
            }
            _ => return Err("ack, or error and a cause".to_owned()),
        };
        self.input(Input::Rp(message.emit(Direction::ToPhone)))
    }

    fn wait(&mut self, seconds: &str) -> Checked {
        let seconds = seconds.parse().map_err(|_| "seconds are a number")?;
        let until = self.world.now + SignedDuration::from_secs(seconds);
        let mut whole = Step::default();
        while self.world.timers.values().any(|due| *due <= until) {
            let step = self.world.next_timer("");
            whole.outputs.extend(step.outputs);
            whole.events.extend(step.events);
        }
        self.world.now = until;
        self.done(whole)
    }

    fn select(&mut self, text: &str) -> Checked {
        let menu = self.world.phone.menu().ok_or("the card has no menu")?;
        let item = menu.items.iter().find(|item| item.text == text);
        let item = item.ok_or("the menu has no such item")?.id;
        self.input(Input::Select { item })
    }

    fn user(&mut self, action: &[&str]) -> Checked {
        let action = match action {
            ["ok"] => Action::Ok,
            ["no"] => Action::No,
            ["cancel"] => Action::Cancel,
            ["back"] => Action::Back,
            ["busy"] => Action::Busy,
            ["types", typed] => Action::Text(Typed::new(*typed)),
            _ => return Err("ok, no, cancel, back, busy or types".to_owned()),
        };
        let prompt = self.world.phone.prompt().ok_or("the screen is empty")?.id;
        self.input(Input::User(Reply { prompt, action }))?;
        let refused = self.step.outputs.iter().find_map(|output| match output {
            Output::Refused { reason, .. } => Some(reason.to_string()),
            _ => None,
        });
        refused.map_or(Ok(()), Err)
    }

    fn question(&self, text: &str, min: &str, max: &str) -> Checked {
        let prompt = self.world.phone.prompt().map(|prompt| &prompt.kind);
        let expected = PromptKind::Input {
            text: text.to_owned(),
            hidden: true,
            digits_only: true,
            min: min.parse().map_err(|_| "a number")?,
            max: max.parse().map_err(|_| "a number")?,
        };
        same("question", Some(&expected), prompt)
    }

    fn answer(&self, result: &str, left: &str, more: &[&str]) -> Checked {
        let (_, submit) = submit(&self.step).ok_or("nothing was sent")?;
        let challenge = match more {
            ["to", text] => self.challenges.get(*text),
            _ => self.last.as_ref().map(|(challenge, ..)| challenge),
        };
        let challenge = challenge.ok_or("there was no such challenge")?;
        // The MAC is looked at as the MSSP does.
        let (code, tries) = self.world.answer(&self.step, challenge);
        let expected = match result {
            "ok" => ResultCode::OK,
            "cancelled" => ResultCode::CANCELLED,
            "back" => ResultCode::BACK,
            "timeout" => ResultCode::TIMEOUT,
            "blocked" => ResultCode::PIN_BLOCKED,
            "busy" => ResultCode::BUSY,
            "unsupported" => ResultCode::UNSUPPORTED,
            "replay" => ResultCode::REPLAY,
            other => return Err(format!("no result {other}")),
        };
        same("RESULT", expected, code)?;
        same("TRIES", left, &tries.to_string())?;
        let response = AppletResponse::parse(submit.user_data.payload()).unwrap();
        let signed = more == ["signed"];
        same("signature", signed, !response.signature.is_empty())
    }

    fn por(&self, status: &str) -> Checked {
        let (_, submit) = submit(&self.step).ok_or("nothing was sent")?;
        let (_, _, sent) = self.last.as_ref().ok_or("there was no packet")?;
        let octets = submit.user_data.to_octets();
        let checked = check_response(&octets, sent, &self.world.key_set());
        let checked = checked.map_err(|error| error.to_string())?;
        same("PoR", status, &format!("{:02X}", checked.status.0))
    }

    fn rp(&self, expected: &[&str]) -> Checked {
        let answers: Vec<_> = sent(&self.step)
            .into_iter()
            .filter_map(|message| match message {
                Message::Ack { .. } => Some("ack".to_owned()),
                Message::Error { cause, tpdu, .. } => {
                    let report = tpdu
                        .and_then(|tpdu| DeliverReport::parse(tpdu.octets(), ReportIn::Error).ok());
                    let fcs = report.and_then(|report| report.fcs);
                    let fcs = fcs.map_or_else(String::new, |fcs| format!(" {:02X}", fcs.0));
                    Some(format!("error {}{fcs}", cause.0))
                }
                _ => None,
            })
            .collect();
        let answer = answers.last().map_or("none", String::as_str);
        same("RP", expected.join(" ").as_str(), answer)
    }

    fn apdus(&self) -> impl Iterator<Item = (u8, &[u8])> {
        self.step
            .events
            .iter()
            .filter_map(|event| match &event.kind {
                EventKind::Apdu {
                    command, response, ..
                } => Some((*command.bytes.get(1)?, response.as_slice())),
                _ => None,
            })
    }

    fn fetched(&self) -> Vec<&'static str> {
        self.apdus()
            .filter(|(ins, _)| *ins == 0x12)
            .filter_map(|(_, response)| {
                let (command, _) = response.split_at_checked(response.len().checked_sub(2)?)?;
                ProactiveCommand::parse(command).ok()?.body.kind().name()
            })
            .collect()
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, expected: T, got: T) -> Checked {
    if expected == got {
        Ok(())
    } else {
        Err(format!("{what}: expected {expected:?}, got {got:?}"))
    }
}

/// Words of a line; what stands in quotation marks is one, and `#` ends it outside of them.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (n, part) in line.split('"').enumerate() {
        if n % 2 == 1 {
            words.push(part.to_owned());
            continue;
        }
        let (part, comment) = part
            .split_once('#')
            .map_or((part, false), |(part, _)| (part, true));
        words.extend(part.split_whitespace().map(str::to_owned));
        if comment {
            break;
        }
    }
    words
}

#[test]
fn every_dialogue_is_what_handset_and_card_do() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/scenarios/card");
    let (mut played, mut failures) = (0, Vec::new());
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_none_or(|extension| extension != "dialogue")
        {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(text.starts_with("# "), "{name} begins with what it shows");
        let mut player = Player::new();
        for (number, line) in text.lines().enumerate() {
            if words(line).is_empty() {
                continue;
            }
            if let Err(why) = player.line(line) {
                failures.push(format!("{name}:{}: {line}: {why}", number + 1));
                break;
            }
        }
        played += 1;
    }
    assert!(played >= 20, "{played} dialogues");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

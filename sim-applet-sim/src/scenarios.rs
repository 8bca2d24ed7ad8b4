//! Card scenarios and recorded dialogues: data in `fixtures/scenarios/card` and `fixtures/traces`, played against the card.
//!
//! `fixtures/scenarios/card/README.md` has the format.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ota_wire::apdu::Ins;
use ota_wire::applet::{AppletResponse, Challenge, Method, ResultCode, Text};
use ota_wire::cat::{Body, CommandType, ProactiveCommand};
use ota_wire::ids::{Cntr, Tar};
use ota_wire::keys::{KeySet, MacAlgorithm, applet_mac_key};
use ota_wire::packet::{Command as Packet, Spi, check_response};
use ota_wire::sms::tpdu::Submit;

use crate::card_manager::registry::ota_key_sets;
use crate::profile::Profile;
use crate::scan::Probe;
use crate::state::CardState;
use crate::testing::{master, network, subscriber};
use crate::uicc::Uicc;

fn fixtures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fixtures")
        .join(folder)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A card fresh from the factory.
pub(crate) fn card_of(profile: &str) -> Uicc {
    let text = read(&fixtures("profiles").join(format!("{profile}.toml")));
    let profile = Profile::parse(&text, master(), network()).unwrap();
    let state = CardState::fresh(&profile);
    let mut card = Uicc::new(Arc::new(profile), subscriber(), state);
    card.reset();
    card
}

/// A scenario on its way.
struct Player {
    probe: Probe,
    /// Packets that were sent, for the check of the PoR.
    sent: Option<(Packet, Vec<KeySet>)>,
    /// What the card's owner has written down whenever the card said that something has changed.
    journal: Vec<u8>,
}

impl Player {
    fn new() -> Self {
        let card = card_of("default");
        Self {
            journal: card.state().to_bytes(),
            probe: Probe::new(card),
            sent: None,
        }
    }

    fn play(&mut self, line: &str) -> Result<(), String> {
        self.line(line)?;
        let card = &mut self.probe.card;
        let now = card.state().to_bytes();
        if card.take_changed() {
            self.journal.clone_from(&now);
        }
        if self.journal != now {
            return Err("the card has changed and has not said so".to_owned());
        }
        Ok(())
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let words: Vec<&str> = rest.split_whitespace().collect();
        match (word, words.as_slice()) {
            ("profile", [name]) => {
                self.probe.card = card_of(name);
                self.journal = self.probe.card.state().to_bytes();
            }
            ("reset", []) => self.probe.card.reset(),
            // The card is made again from what it has kept: a process that was killed and started again.
            ("restart", []) => {
                let state = CardState::from_bytes(&self.journal).unwrap();
                let profile = self.probe.card.profile.clone();
                self.probe.card = Uicc::new(profile, subscriber(), state);
                self.probe.card.reset();
            }
            (">", _) => {
                let command = hex::decode(words.concat()).map_err(|error| error.to_string())?;
                self.probe.answer = self.probe.card.transmit(&command);
            }
            ("<", _) => {
                let got = hex::encode_upper(&self.probe.answer);
                let expected = words.concat().to_uppercase();
                if !matches(expected.as_bytes(), got.as_bytes()) {
                    return Err(format!("expected {expected}, got {got}"));
                }
            }
            ("get", []) => self.probe.get(),
            ("ota", [tar, spi, version, cntr, data @ ..]) => {
                self.ota(tar, spi, version, cntr, &data.concat())?;
            }
            ("again", []) => {
                let (packet, keys) = self.sent.clone().ok_or("nothing was sent")?;
                self.send_packet(&packet, keys)?;
            }
            ("packet", _) => {
                let packet = hex::decode(words.concat()).map_err(|error| error.to_string())?;
                self.probe.deliver(&packet);
            }
            ("por", ["none"]) => {
                let por = self.probe.por();
                if let Some(por) = por {
                    return Err(format!("expected no PoR, got {}", hex::encode_upper(por)));
                }
            }
            ("por", ["octets", octets @ ..]) => {
                let got = hex::encode_upper(self.probe.por().ok_or("no PoR")?);
                let expected = octets.concat().to_uppercase();
                if !matches(expected.as_bytes(), got.as_bytes()) {
                    return Err(format!("expected {expected}, got {got}"));
                }
            }
            ("por", [status, data @ ..]) => self.check_por(status, &data.concat())?,
            _ => return Err("no such line".to_owned()),
        }
        Ok(())
    }

    fn ota(
        &mut self,
        tar: &str,
        spi: &str,
        version: &str,
        cntr: &str,
        data: &str,
    ) -> Result<(), String> {
        let octets = |text: &str| hex::decode(text).map_err(|error| format!("{text}: {error}"));
        let tar: [u8; 3] = octets(tar)?.try_into().map_err(|_| "TAR has 3 octets")?;
        let spi: [u8; 2] = octets(spi)?.try_into().map_err(|_| "SPI has 2 octets")?;
        let cntr = u64::from_str_radix(cntr, 16).map_err(|error| error.to_string())?;
        let version: u8 = version.parse().map_err(|_| "a key set has a number")?;
        let keys = ota_key_sets(
            &self.probe.card.profile,
            &subscriber().iccid,
            self.probe.card.state(),
        );
        let set = keys
            .iter()
            .find(|keys| keys.version == version)
            .ok_or("no such key set")?;
        let packet = Packet {
            spi: Spi(spi),
            kic: set.kic_octet(),
            kid: set.kid_octet(),
            tar: Tar(tar),
            cntr: Cntr::new(cntr).ok_or("CNTR has 5 octets")?,
            data: octets(data)?,
        };
        self.send_packet(&packet, keys)
    }

    fn send_packet(&mut self, packet: &Packet, keys: Vec<KeySet>) -> Result<(), String> {
        let set = keys
            .iter()
            .find(|keys| keys.version == packet.kic >> 4)
            .ok_or("no such key set")?;
        let sealed = packet.seal(set).map_err(|error| error.to_string())?;
        self.sent = Some((packet.clone(), keys));
        self.probe.deliver(&sealed);
        Ok(())
    }

    fn check_por(&mut self, status: &str, data: &str) -> Result<(), String> {
        let por = self.probe.por().ok_or("no PoR")?;
        let (packet, keys) = self.sent.as_ref().ok_or("nothing was sent")?;
        let set = keys.iter().find(|keys| keys.version == packet.kic >> 4);
        let set = set.ok_or("no such key set")?;
        let response = check_response(&por, &packet.sent(), set)
            .map_err(|error| format!("{}: {error}", hex::encode_upper(&por)))?;
        let got = format!("{:02X}", response.status.0);
        let octets = hex::encode_upper(&response.data);
        if got != status || !matches(data.to_uppercase().as_bytes(), octets.as_bytes()) {
            return Err(format!("expected {status} {data}, got {got} {octets}"));
        }
        Ok(())
    }
}

/// Whether octets in hexadecimal fit a pattern, in which `.` stands for any digit and `*` for any rest.
fn matches(pattern: &[u8], octets: &[u8]) -> bool {
    match (pattern, octets) {
        ([b'*', rest @ ..], octets) => {
            (0..=octets.len()).any(|skipped| matches(rest, &octets[skipped..]))
        }
        ([], []) => true,
        ([wanted, pattern @ ..], [got, octets @ ..]) => {
            (*wanted == b'.' || wanted == got) && matches(pattern, octets)
        }
        _ => false,
    }
}

#[test]
fn every_scenario_is_what_the_card_does() {
    let (mut played, mut failures) = (0, Vec::new());
    for entry in fixtures("scenarios/card").read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "card") {
            continue;
        }
        let text = read(&path);
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(text.starts_with("# "), "{name} begins with what it shows");
        let mut player = Player::new();
        let mut checks = 0;
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            checks += u32::from(line.starts_with('<') || line.starts_with("por"));
            if let Err(why) = player.play(line) {
                failures.push(format!("{name}:{}: {line}: {why}", number + 1));
            }
        }
        assert!(checks > 0, "{name} checks nothing");
        played += 1;
    }
    assert!(played >= 10, "{played} scenarios");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A recorded dialogue: power and commands, each with what was answered.
enum Recorded {
    Reset,
    Exchange {
        number: u32,
        command: Vec<u8>,
        answer: Vec<u8>,
    },
}

fn recorded(name: &str) -> Vec<Recorded> {
    let text = read(&fixtures("traces").join(format!("{name}.txt")));
    let mut dialogue = Vec::new();
    let mut asked = None;
    for line in text.lines() {
        if line == "# POWER_ON" || line == "# RESET" {
            dialogue.push(Recorded::Reset);
        } else if let Some((number, command)) = line.split_once(" > ") {
            asked = number
                .trim()
                .parse()
                .ok()
                .map(|number: u32| (number, hex::decode(command).unwrap()));
        } else if let Some(answer) = line.strip_prefix("    < ") {
            let (number, command) = asked.take().unwrap();
            let answer = hex::decode(answer.replace(' ', "")).unwrap();
            dialogue.push(Recorded::Exchange {
                number,
                command,
                answer,
            });
        }
    }
    dialogue
}

/// One line of `fixtures/traces/differences.toml`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    /// Numbers of the exchanges in each dialogue.
    steps: BTreeMap<String, Vec<u32>>,
    /// Beginning of the command in hexadecimal.
    command: String,
    /// Status words.
    recorded: String,
    ours: String,
    clause: String,
    why: String,
}

/// Card challenges of the recorded secure channel.
const CHALLENGES: [&str; 2] = ["E0A0BCA2AC8C942A", "51309B188E95B58F"];

/// Which exchanges of a dialogue have another status word on our card.
fn replay(name: &str, card: &mut Uicc) -> Vec<(u32, String, String, String)> {
    let sw = |octets: &[u8]| hex::encode_upper(&octets[octets.len().saturating_sub(2)..]);
    let mut differences = Vec::new();
    let mut challenges = CHALLENGES.iter();
    for step in recorded(name) {
        match step {
            Recorded::Reset => card.reset(),
            Recorded::Exchange {
                number,
                command,
                answer,
            } => {
                if command[1] == Ins::INITIALIZE_UPDATE.0 {
                    card.foresee(hex::decode(challenges.next().unwrap()).unwrap());
                }
                let ours = sw(&card.transmit(&command));
                let recorded = sw(&answer);
                if ours != recorded {
                    differences.push((number, hex::encode_upper(command), recorded, ours));
                }
            }
        }
    }
    differences
}

#[test]
fn recorded_dialogues_go_the_same_way_but_for_what_is_listed() {
    let text = read(&fixtures("traces/differences.toml"));
    let mut listed: BTreeMap<String, Vec<Difference>> = toml::from_str(&text).unwrap();
    let listed = listed.remove("difference").unwrap();
    let mut met = vec![0; listed.len()];
    let (mut exchanges, mut unlisted) = (0, Vec::new());
    for name in [
        "handset-signature-dialogue",
        "opensc-tool",
        "pysim-read",
        "pysim-read-uicc",
        "pysim-shell",
        "pysim-shell-fsdump",
        "pysim-shell-gp-scp03",
        "pysim-smpp2sim-mo",
        "pysim-smpp2sim-por",
    ] {
        exchanges += recorded(name).len();
        let mut card = card_of("lab");
        for (number, command, recorded, ours) in replay(name, &mut card) {
            let found = listed.iter().position(|listed| {
                let steps = listed.steps.get(name);
                steps.is_some_and(|steps| steps.contains(&number))
                    && command.starts_with(&listed.command)
                    && (&listed.recorded, &listed.ours) == (&recorded, &ours)
            });
            match found {
                Some(found) => met[found] += 1,
                None => unlisted.push(format!(
                    "{name}, {number:03} > {command}: recorded {recorded}, ours {ours}"
                )),
            }
        }
    }
    assert!(unlisted.is_empty(), "{}", unlisted.join("\n"));
    assert!(exchanges > 1300, "{exchanges}");
    for (listed, met) in listed.iter().zip(met) {
        let steps: usize = listed.steps.values().map(Vec::len).sum();
        assert_eq!(
            met, steps,
            "of {} {} some is no difference",
            listed.command, listed.recorded
        );
        assert!(!listed.clause.is_empty() && !listed.why.is_empty());
    }
}

/// From its ENVELOPE on nothing of the recorded signature dialogue can be compared, since its packet is none. With one in
/// its place every response of the recorded terminal, octet by octet, takes our card as far as it took the recorded one.
#[test]
fn the_recorded_terminal_signs_with_our_card() {
    let mut probe = Probe::new(card_of("lab"));
    let challenge = Challenge {
        tid: [1; 8],
        ctr: 1,
        method: Method::Pin,
        mac_algorithm: MacAlgorithm::AesCmac8,
        valid_for: 0,
        text: Text::encode("Sign in? Ref A1").unwrap(),
        digest: None,
    };
    let iccid = subscriber().iccid;
    let key = applet_mac_key(&master(), &iccid, challenge.mac_algorithm);
    let octets = challenge.seal(&key);
    let keys = ota_key_sets(&probe.card.profile, &iccid, probe.card.state());
    let packet = Packet {
        spi: Spi::MT,
        kic: keys[0].kic_octet(),
        kid: keys[0].kid_octet(),
        tar: Tar::MID,
        cntr: Cntr::new(1).unwrap(),
        data: octets.clone(),
    };
    let mut asked = Vec::new();
    for step in recorded("handset-signature-dialogue") {
        let Recorded::Exchange {
            command, answer, ..
        } = step
        else {
            probe.card.reset();
            continue;
        };
        match Ins(command[1]) {
            Ins::ENVELOPE => probe.deliver(&packet.seal(&keys[0]).unwrap()),
            // How long a command is, each card knows of its own.
            Ins::FETCH => {
                probe.get();
                asked.push(probe.answer.clone());
            }
            Ins::TERMINAL_RESPONSE => probe.answer = probe.card.transmit(&command),
            _ => {
                probe.card.transmit(&command);
                continue;
            }
        }
        let sw = |octets: &[u8]| octets[octets.len() - 2];
        let (ours, recorded) = (sw(&probe.answer), sw(&answer));
        assert_eq!(ours, recorded, "{}", hex::encode_upper(&command));
    }
    let [text, question, message] = asked.as_slice() else {
        panic!("{} commands", asked.len());
    };
    let read = |octets: &[u8]| ProactiveCommand::parse(&octets[..octets.len() - 2]).unwrap();
    assert_eq!(read(text).details().kind, CommandType::DISPLAY_TEXT);
    assert_eq!(read(question).details().kind, CommandType::GET_INPUT);
    let Body::SendShortMessage { tpdu, .. } = read(message).body else {
        panic!("{message:02X?}");
    };
    let submit = Submit::parse(&tpdu).unwrap();
    let mac = octets[octets.len() - 8..].try_into().unwrap();
    assert!(AppletResponse::verify(
        submit.user_data.payload(),
        &key,
        &mac
    ));
    let response = AppletResponse::parse(submit.user_data.payload()).unwrap();
    assert_eq!((response.result, response.tries_left), (ResultCode::OK, 3));
}

/// The recorded card had the same test key and the same entry for its domain, so with its two challenges ours must say the
/// same octets: cryptograms, deciphered commands, the enciphered and signed response.
#[test]
fn scp03_of_the_recorded_session_octet_by_octet() {
    let mut card = card_of("lab");
    let mut challenges = CHALLENGES.iter();
    let mut compared = 0;
    for step in recorded("pysim-shell-gp-scp03") {
        match step {
            Recorded::Reset => card.reset(),
            Recorded::Exchange {
                number,
                command,
                answer,
            } => {
                if command[1] == Ins::INITIALIZE_UPDATE.0 {
                    card.foresee(hex::decode(challenges.next().unwrap()).unwrap());
                }
                let ours = card.transmit(&command);
                match number {
                    // Ten octets say from what the keys were derived; the recorded card had nothing to say.
                    53 | 66 => assert_eq!(ours[10..], answer[10..], "{number}"),
                    54..=56 | 67..=69 => assert_eq!(ours, answer, "{number}"),
                    _ => continue,
                }
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 8);
}

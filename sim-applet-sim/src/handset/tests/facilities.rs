//! TERMINAL PROFILE decides what is used (TS 102 223 §5.2): on no terminal a command that it has not named.

use std::collections::BTreeSet;

use ota_wire::applet::Challenge;
use ota_wire::cat::{CommandType, ProactiveCommand, Qualifier};

use super::*;

/// What a terminal may have besides downloads and SEND SHORT MESSAGE; some of it comes together.
const SETS: [&[Facility]; 8] = [
    &[Facility::DISPLAY_TEXT],
    &[Facility::GET_INKEY],
    &[Facility::GET_INPUT],
    &[Facility::UCS2_DISPLAY],
    &[Facility::BINARY_CHOICE],
    &[Facility::PLAY_TONE, Facility::MORE_TIME],
    &[Facility::TIMER_START_STOP, Facility::TIMER_EXPIRATION],
    &[Facility::DATE_TIME],
];

/// The facility that a command needs.
fn needed(command: &ProactiveCommand) -> Facility {
    match command.body.kind() {
        CommandType::DISPLAY_TEXT => Facility::DISPLAY_TEXT,
        CommandType::GET_INKEY if command.qualifier.has(Qualifier::INKEY_YES_NO) => {
            Facility::BINARY_CHOICE
        }
        CommandType::GET_INKEY => Facility::GET_INKEY,
        CommandType::GET_INPUT => Facility::GET_INPUT,
        CommandType::MORE_TIME => Facility::MORE_TIME,
        CommandType::PLAY_TONE => Facility::PLAY_TONE,
        CommandType::TIMER_MANAGEMENT => Facility::TIMER_START_STOP,
        CommandType::PROVIDE_LOCAL_INFORMATION => Facility::DATE_TIME,
        CommandType::SEND_SHORT_MESSAGE => Facility::SEND_SHORT_MESSAGE,
        other => panic!("{other:?}"),
    }
}

fn commands(step: &Step) -> Vec<ProactiveCommand> {
    let fetched = step.events.iter().filter_map(|event| match &event.kind {
        EventKind::Apdu {
            command, response, ..
        } if command.bytes.get(1) == Some(&0x12) => {
            ProactiveCommand::parse(&response[..response.len() - 2]).ok()
        }
        _ => None,
    });
    fetched.collect()
}

/// Plays a challenge with a user who types a wrong PIN first. What was asked, and the result.
fn play(world: &mut World, challenge: &Challenge) -> (Vec<ProactiveCommand>, ResultCode) {
    let mut step = world.send_challenge(challenge);
    let mut asked = commands(&step);
    let mut wrong = true;
    while submit(&step).is_none() {
        let prompt = world.phone.prompt().expect("asked or answered");
        step = match &prompt.kind {
            PromptKind::Display { .. } => world.act(Action::Ok),
            PromptKind::Input { hidden: true, .. } if std::mem::take(&mut wrong) => {
                world.type_in("9999")
            }
            PromptKind::Input { hidden: true, .. } => world.type_in("1234"),
            PromptKind::Input { .. } => world.type_in("1"),
        };
        asked.extend(commands(&step));
    }
    let result = world.answer(&step, challenge).0;
    world.acknowledge(&step);
    (asked, result)
}

#[test]
fn no_terminal_is_asked_for_what_it_has_not_named() {
    let mut used = BTreeSet::new();
    for (bits, rich) in (0..1_u32 << SETS.len()).flat_map(|bits| [(bits, false), (bits, true)]) {
        let chosen = SETS.iter().enumerate();
        let chosen = chosen.filter(|(place, _)| bits >> place & 1 == 1);
        let mut has: Vec<_> = chosen.flat_map(|(_, set)| set.iter().copied()).collect();
        has.extend([Facility::SMS_PP_DATA_DOWNLOAD, Facility::SEND_SHORT_MESSAGE]);
        let mut profile = Profile::standard(master(), network());
        profile.handset.terminal_profile = TerminalProfile::with(&has).octets().to_vec();
        profile.applet.tone = rich.then_some(0x10);
        profile.applet.text_in_prompt = rich;
        let mut world = World::with(Arc::new(profile));
        let long = "Ж".repeat(119);
        for (method, text) in [
            (Method::Confirm, TEXT),
            (Method::Pin, TEXT),
            (Method::Pin, &long),
        ] {
            let mut challenge = world.challenge(method, text);
            challenge.digest = Some([7; 32]);
            let (asked, result) = play(&mut world, &challenge);
            for command in &asked {
                let facility = needed(command);
                assert!(has.contains(&facility), "{has:?}, {method:?}: {command:?}");
                used.insert(command.body.kind().0);
            }
            let pins = asked
                .iter()
                .filter(|command| command.body.kind() == CommandType::GET_INPUT);
            let expected = usize::from(method == Method::Pin) * 2;
            match result {
                ResultCode::OK => assert_eq!(pins.count(), expected, "{has:?}"),
                ResultCode::UNSUPPORTED => assert_eq!(asked.len(), 1, "{has:?}: {asked:?}"),
                other => panic!("{has:?}, {method:?}: {other:?}"),
            }
        }
    }
    assert_eq!(used.len(), 8, "{used:02X?}");
}

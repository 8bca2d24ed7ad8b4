//! TERMINAL PROFILE decides what is used (TS 102 223 §5.2): on no terminal a command that it has not named.

use std::collections::BTreeSet;

use ota_wire::applet::Challenge;
use ota_wire::cat::{Body, Coding, CommandType, ProactiveCommand, Qualifier, TextString};

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

/// Whether a text is to go away by itself: variable time-out.
fn is_timed(command: &ProactiveCommand) -> bool {
    match &command.body {
        Body::DisplayText { duration, .. } | Body::GetInkey { duration, .. } => duration.is_some(),
        _ => false,
    }
}

/// The text that a command shows.
fn text_of(command: &ProactiveCommand) -> Option<&TextString> {
    match &command.body {
        Body::DisplayText { text, .. }
        | Body::GetInkey { text, .. }
        | Body::GetInput { text, .. } => Some(text),
        _ => None,
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
            PromptKind::Display { .. } | PromptKind::YesNo { .. } => world.act(Action::Ok),
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
                let ucs2 = text_of(command).is_some_and(|text| text.coding() == Some(Coding::UCS2));
                let more = [
                    (ucs2, Facility::UCS2_DISPLAY),
                    (is_timed(command), Facility::at(18, 1)),
                ];
                for (_, facility) in more.iter().filter(|(used, _)| *used) {
                    assert!(has.contains(facility), "{has:?}, {method:?}: {command:?}");
                }
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

/// EFs of the USIM with one octet or more.
const FILES: [u16; 17] = [
    0x6F05, 0x6F07, 0x6F08, 0x6F09, 0x6F30, 0x6F31, 0x6F38, 0x6F3E, 0x6F3F, 0x6F43, 0x6F46, 0x6F56,
    0x6F5B, 0x6F5C, 0x6F60, 0x6F61, 0x6F62,
];

/// Writes an octet to each of these files over the air, on a handset with these facilities. What it was asked.
fn write_remotely(files: &[u16], facilities: &[Facility]) -> Vec<ProactiveCommand> {
    let mut profile = Profile::standard(master(), network());
    profile.refresh = true;
    let facilities = [&[Facility::SMS_PP_DATA_DOWNLOAD], facilities].concat();
    profile.handset.terminal_profile = TerminalProfile::with(&facilities).octets().to_vec();
    let mut world = World::with(Arc::new(profile));
    let update = |file: &u16| {
        let [high, low] = file.to_be_bytes();
        [
            0x00, 0xA4, 0x00, 0x00, 0x02, high, low, 0x00, 0xD6, 0x00, 0x00, 0x01, 0x55,
        ]
    };
    let mut order = world.command(files.iter().flat_map(update).collect());
    // PoR always, by SMS-SUBMIT.
    order.spi = Spi([0x16, 0x39]);
    order.tar = ota_wire::ids::Tar([0xB0, 0x00, 0x10]);
    let packet = order.seal(&world.key_set()).unwrap();
    let mut step = world.send_packet(&packet);
    let mut asked = commands(&step);
    if let Some((_, por)) = submit(&step) {
        let checked = check_response(&por.user_data.to_octets(), &order.sent(), &world.key_set());
        let executed = (files.len() * 2) as u8;
        assert_eq!(checked.unwrap().data, [executed, 0x90, 0x00]);
        step = world.acknowledge(&step);
        asked.extend(commands(&step));
    }
    let card = world.phone.card_mut();
    assert_eq!(testing::send(card, "00A4080C047FFF6F05"), "9000");
    assert_eq!(testing::send(card, "00B0000001"), "559000", "it is written");
    asked
}

/// TS 102 223 §6.4.7, §6.6.13: a list of up to 16 files, else all of them.
#[test]
fn a_terminal_is_told_of_files_that_were_written_if_it_can_be() {
    let kinds = |asked: &[ProactiveCommand]| -> Vec<_> {
        asked.iter().map(|command| command.body.kind()).collect()
    };
    let (sends, refreshes) = (Facility::SEND_SHORT_MESSAGE, Facility::REFRESH);
    let both = [CommandType::SEND_SHORT_MESSAGE, CommandType::REFRESH];
    for (count, qualifier) in [(1, 0x01), (16, 0x01), (17, 0x00)] {
        let asked = write_remotely(&FILES[..count], &[sends, refreshes]);
        assert_eq!(kinds(&asked), both, "{count}");
        let Body::Refresh { files } = &asked[1].body else {
            panic!("{asked:?}");
        };
        assert_eq!(asked[1].qualifier.0, qualifier, "{count}");
        let listed = files
            .as_ref()
            .map(|list| (usize::from(list[0]), list.len()));
        // Count, then 3F00 7FFF and the file.
        let expected = (qualifier == 0x01).then_some((count, 1 + 6 * count));
        assert_eq!(listed, expected);
    }
    assert_eq!(kinds(&write_remotely(&FILES[..1], &[sends])), both[..1]);
    assert_eq!(kinds(&write_remotely(&FILES[..1], &[refreshes])), both[1..]);
    assert_eq!(kinds(&write_remotely(&FILES[..1], &[])), []);
}

/// TS 102 223 §6.5.1, §8.6: 01 to FE.
#[test]
fn commands_have_numbers_from_1_to_254_and_then_from_1_again() {
    let mut world = World::new();
    let mut numbers = Vec::new();
    while numbers.len() < 600 {
        let challenge = world.challenge(Method::Confirm, TEXT);
        let (asked, _) = play(&mut world, &challenge);
        numbers.extend(asked.iter().map(|command| command.number));
    }
    for (place, number) in numbers.into_iter().enumerate() {
        assert_eq!(usize::from(number), place % 254 + 1);
    }
}

//! Each general result of TS 102 223 §8.12 in answer to each proactive command of a dialogue.

use ota_wire::applet::{AppletResponse, Challenge};
use ota_wire::cat::{Body, TerminalResult};
use ota_wire::cat::{CommandType, Envelope, InputText, ProactiveCommand, TerminalResponse};
use ota_wire::sms::tpdu::Submit;

use super::*;

type Type = CommandType;

const TIMERS: [Facility; 2] = [Facility::TIMER_START_STOP, Facility::TIMER_EXPIRATION];

/// A terminal with what every dialogue takes, and these.
fn terminal(facilities: &[Facility]) -> World {
    let always = [
        Facility::GET_INPUT,
        Facility::MORE_TIME,
        Facility::PLAY_TONE,
        Facility::SEND_SHORT_MESSAGE,
    ];
    let mut profile = Profile::standard(master(), network());
    let has = [&always, facilities].concat();
    profile.handset.terminal_profile = TerminalProfile::with(&has).octets().to_vec();
    profile.applet.tone = Some(0x10);
    World::with(Arc::new(profile))
}

/// What a dialogue came to.
#[derive(Debug, PartialEq)]
struct Played {
    /// Result of the answer, and how often it was handed to the terminal.
    answer: Option<(ResultCode, usize)>,
    tries: u8,
}

/// Plays a challenge with the card; the terminal answers every command of a kind with a result, and all others well.
fn play(world: &mut World, challenge: &Challenge, kind: Type, result: u8) -> Played {
    let data = challenge.seal(&world.key(challenge.mac_algorithm));
    let packet = world.packet(data);
    let deliver = world.delivers(&packet).remove(0);
    let envelope = Envelope::sms_pp_download(deliver.emit()).emit();
    let transmit = |world: &mut World, ins: u8, data: &[u8]| {
        let command = [&[0x80, ins, 0, 0, data.len() as u8], data].concat();
        world.phone.card_mut().transmit(&command)
    };
    let mut sw = transmit(world, 0xC2, &envelope);
    let mut answers = Vec::new();
    while let [0x91, len] = *sw {
        let fetched = world.phone.card_mut().transmit(&[0x80, 0x12, 0, 0, len]);
        let command = ProactiveCommand::parse(&fetched[..fetched.len() - 2]).unwrap();
        let details = command.details();
        if let Body::SendShortMessage { tpdu, .. } = &command.body {
            answers.push(Submit::parse(tpdu).unwrap().user_data.payload().to_vec());
        }
        let hit = details.kind == kind;
        let given = TerminalResult(if hit { result } else { 0x00 });
        let mut response = TerminalResponse::new(details, given);
        if given.is_ok() {
            let typed = match details.kind {
                Type::GET_INPUT => Some("1234"),
                Type::GET_INKEY => Some("1"),
                _ => None,
            };
            response.input = typed.map(InputText::encode);
        }
        sw = transmit(world, 0x14, &response.emit());
        let pause = details.kind == Type::TIMER_MANAGEMENT && command.qualifier.0 == 0;
        if pause && sw == [0x90, 0x00] {
            // TIMER EXPIRATION of timer 2, after three seconds.
            let expired = hex::decode("D70C82028281A40102A503000030").unwrap();
            sw = transmit(world, 0xC2, &expired);
        }
    }
    assert_eq!(sw, [0x90, 0x00]);
    let answer = answers.first().map(|octets| {
        assert!(answers.iter().all(|other| other == octets), "one answer");
        let response = AppletResponse::parse(octets).unwrap();
        assert_eq!(response.ctr, challenge.ctr);
        (response.result, answers.len())
    });
    let state = world.phone.card_state();
    assert_eq!(state.last_challenge(), (challenge.tid, answer.is_some()));
    Played {
        answer,
        tries: state.pin_tries(),
    }
}

/// The answer to a question that was answered with this result, each time it came.
fn to_a_question(result: u8) -> ResultCode {
    match result {
        0x00..=0x0F => ResultCode::OK,
        0x11 => ResultCode::BACK,
        0x12 => ResultCode::TIMEOUT,
        // Help is the question once more, three times.
        0x10..=0x1F | 0x22 | 0x23 => ResultCode::CANCELLED,
        0x20..=0x2F => ResultCode::BUSY,
        0x30..=0xFF => ResultCode::UNSUPPORTED,
    }
}

#[test]
fn every_result_at_every_command_of_a_dialogue() {
    let text = [Facility::DISPLAY_TEXT];
    let key = [Facility::GET_INKEY];
    let timed = [&text[..], &TIMERS].concat();
    let dated = [Facility::DISPLAY_TEXT, Facility::DATE_TIME];
    for (facilities, kind, method) in [
        (&text[..], Type::DISPLAY_TEXT, Method::Confirm),
        (&text, Type::DISPLAY_TEXT, Method::Pin),
        (&timed, Type::DISPLAY_TEXT, Method::Pin),
        (&text, Type::GET_INPUT, Method::Pin),
        (&timed, Type::GET_INPUT, Method::Pin),
        (&key, Type::GET_INKEY, Method::Confirm),
        (&text, Type::PLAY_TONE, Method::Pin),
        (&text, Type::MORE_TIME, Method::Pin),
        (&dated, Type::PROVIDE_LOCAL_INFORMATION, Method::Pin),
        (&timed, Type::TIMER_MANAGEMENT, Method::Pin),
        (&text, Type::SEND_SHORT_MESSAGE, Method::Pin),
        (&timed, Type::SEND_SHORT_MESSAGE, Method::Pin),
    ] {
        let mut world = terminal(facilities);
        for result in 0..=0xFF {
            let mut challenge = world.challenge(method, TEXT);
            challenge.digest = Some([7; 32]);
            let question = to_a_question(result);
            let expected = match kind {
                Type::DISPLAY_TEXT | Type::GET_INPUT | Type::GET_INKEY => (question, 1),
                // Only the user can end anything here.
                Type::PLAY_TONE if result == 0x10 => (ResultCode::CANCELLED, 1),
                Type::PLAY_TONE | Type::MORE_TIME | Type::PROVIDE_LOCAL_INFORMATION => {
                    (ResultCode::OK, 1)
                }
                // Where no timer was started none is stopped.
                Type::TIMER_MANAGEMENT => (ResultCode::OK, 1),
                Type::SEND_SHORT_MESSAGE if question == ResultCode::BUSY => (ResultCode::OK, 4),
                _ => (ResultCode::OK, 1),
            };
            let expected = Played {
                answer: Some(expected),
                tries: 3,
            };
            let played = play(&mut world, &challenge, kind, result);
            assert_eq!(played, expected, "{kind:?}, {method:?}, {result:02X}");
        }
    }
}

/// Every question has tries of its own.
#[test]
fn a_handset_may_be_busy_at_each_question_of_a_dialogue() {
    let mut world = World::new();
    let challenge = world.challenge(Method::Pin, TEXT);
    world.send_challenge(&challenge);
    let busy = |world: &mut World| {
        let shown = world.screen();
        for _ in 0..3 {
            world.act(Action::Busy);
            world.next_timer("card:2");
            assert_eq!(world.screen(), shown);
        }
    };
    busy(&mut world);
    world.act(Action::Ok);
    busy(&mut world);
    world.type_in("9999");
    busy(&mut world);
    world.act(Action::Ok);
    busy(&mut world);
    let step = world.type_in("1234");
    assert_eq!(world.answer(&step, &challenge), (ResultCode::OK, 3));
}

/// TS 102 223 §8.15: the key 1 in whatever alphabet the terminal has, and yes as such.
#[test]
fn a_key_is_read_in_every_alphabet() {
    let facilities = [
        Facility::SMS_PP_DATA_DOWNLOAD,
        Facility::SEND_SHORT_MESSAGE,
        Facility::GET_INKEY,
    ];
    // Unpacked, packed, UCS2; then others.
    for (typed, yes) in [
        ("0431", true),
        ("0031", true),
        ("080031", true),
        ("0401", true),
        ("0430", false),
        ("080032", false),
        ("083100", false),
        ("08010031", false),
    ] {
        let mut profile = Profile::standard(master(), network());
        let terminal = TerminalProfile::with(&facilities);
        profile.handset.terminal_profile = terminal.octets().to_vec();
        let mut world = World::with(Arc::new(profile));
        let challenge = world.challenge(Method::Confirm, TEXT);
        world.send_challenge(&challenge);
        let len = typed.len() / 2;
        let pressed = format!(
            "80140000{:02X} 8103012200 82028281 830100 8D{len:02X}{typed}",
            14 + len
        );
        let sw = testing::send(world.phone.card_mut(), &pressed);
        let sent = testing::send(world.phone.card_mut(), &format!("80120000{}", &sw[2..]));
        assert!(sent.contains("8103021300"), "{typed}: an answer");
        let notes = world.phone.card_mut().take_notes();
        let result = notes.iter().find_map(|note| match note {
            Note::Answer { result, .. } => Some(*result),
            _ => None,
        });
        let expected = if yes {
            ResultCode::OK
        } else {
            ResultCode::CANCELLED
        };
        assert_eq!(result, Some(expected), "{typed}");
    }
}

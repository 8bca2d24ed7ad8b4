use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::apdu::{Command, Ins, Response, Sw};

fn bytes(hex_text: &str) -> Vec<u8> {
    hex::decode(hex_text.replace(' ', "")).unwrap()
}

/// Parses, checks that emitting gives the same octets, and returns the command.
fn command(hex_text: &str) -> ProactiveCommand {
    let octets = bytes(hex_text);
    let command = ProactiveCommand::parse(&octets).unwrap();
    assert_eq!(hex::encode_upper(command.emit()), hex::encode_upper(octets));
    assert!(command.extra.is_empty());
    command
}

fn response(hex_text: &str) -> TerminalResponse {
    let octets = bytes(hex_text);
    let response = TerminalResponse::parse(&octets).unwrap();
    assert_eq!(
        hex::encode_upper(response.emit()),
        hex::encode_upper(octets)
    );
    response
}

#[test]
fn display_text() {
    let shown = command("D01A 810301 2180 82028102 8D0F 04 546F6F6C6B697420546573742031");
    let built = ProactiveCommand::display_text(
        1,
        Qualifier::DISPLAY_WAIT_FOR_USER,
        TextString::encode("Toolkit Test 1"),
    );
    assert_eq!(shown, built);

    let cyrillic = command("D012 8103012100 82028102 8D07 08 041F04400438");
    let Body::DisplayText { text, .. } = &cyrillic.body else {
        panic!("{cyrillic:?}");
    };
    assert_eq!((text.to_text().as_str(), text.chars()), ("При", 3));
    assert!(!cyrillic.qualifier.has(Qualifier::DISPLAY_WAIT_FOR_USER));
}

#[test]
fn get_inkey() {
    let inkey = command("D015 8103012200 82028182 8D0A 04 456E74657220222B22");
    assert_eq!(inkey.details().kind, CommandType::GET_INKEY);
    assert_eq!(inkey.devices, Devices::new(Device::UICC, Device::TERMINAL));
    let Body::GetInkey { text, duration } = inkey.body else {
        panic!();
    };
    assert_eq!((text.to_text().as_str(), duration), ("Enter \"+\"", None));
}

#[test]
fn get_input() {
    let open = command("D01B 8103012300 82028182 8D0C 04 456E746572203132333435 9102 0505");
    assert!(!open.hides_input());
    let hidden = command("D017 8103012304 82028182 8D08 04 50494E3F0D0A20 9102 0408");
    assert!(hidden.hides_input());
    let length = ResponseLength { min: 4, max: 8 };
    assert_eq!(
        hidden,
        ProactiveCommand::get_input(
            1,
            Qualifier::INPUT_HIDDEN,
            TextString::encode("PIN?\r\n "),
            length
        )
    );
    assert!(length.allows(4) && length.allows(8) && !length.allows(3) && !length.allows(9));
    assert!(ResponseLength { min: 0, max: 255 }.allows(1000));
}

#[test]
fn send_short_message() {
    let send = command(
        "D037810301130082028183850753656E6420534D86099111223344556677F88B180100099110325476F840F40C54657374204D657373616765",
    );
    let Body::SendShortMessage {
        alpha,
        service_centre,
        tpdu,
    } = send.body
    else {
        panic!();
    };
    assert_eq!(alpha.unwrap().to_text(), "Send SM");
    assert_eq!(service_centre, Some(bytes("9111223344556677F8")));
    assert_eq!(
        tpdu,
        bytes("0100099110325476F840F40C54657374204D657373616765")
    );
}

#[test]
fn play_tone_and_more_time() {
    let tone = command("D01B 8103012000 82028103 8509 4469616C20546F6E65 8E01 01 8402 0105");
    assert_eq!(
        tone.body,
        Body::PlayTone {
            alpha: Some(Alpha::encode("Dial Tone")),
            tone: Some(1),
            duration: Some(Duration::seconds(5)),
        }
    );
    assert_eq!(Duration::seconds(5).millis(), Some(5000));
    assert_eq!(
        command("D009 8103010200 82028182"),
        ProactiveCommand::more_time(1)
    );
}

#[test]
fn set_up_menu() {
    let menu = command(
        "D03B 8103012500 82028182 850C 546F6F6C6B6974204D656E75 \
         8F07 01 4974656D2031 8F07 02 4974656D2032 8F07 03 4974656D2033 8F07 04 4974656D2034",
    );
    let Body::SetUpMenu { alpha, items } = menu.body else {
        panic!();
    };
    assert_eq!(alpha.to_text(), "Toolkit Menu");
    let texts: Vec<_> = items
        .iter()
        .map(|item| (item.id, item.text.to_text()))
        .collect();
    assert_eq!(texts[3], (4, "Item 4".to_owned()));
    assert_eq!(texts.len(), 4);
    let removal = command("D00D 8103012500 82028182 8500 8F00");
    assert!(matches!(removal.body, Body::SetUpMenu { items, .. } if items.is_empty()));
}

#[test]
fn timers_polling_refresh_and_local_information() {
    let timer = command("D011 8103012700 82028182 A40101 A503 000300");
    assert_eq!(
        timer,
        ProactiveCommand::start_timer(1, TimerId(1), TimerValue::from_seconds(30 * 60))
    );
    assert_eq!(TimerValue([0x21, 0x43, 0x95]).seconds(), Some(45_299));
    assert_eq!(TimerValue([0xA1, 0, 0]).seconds(), None);
    assert_eq!(TimerValue::from_seconds(u32::MAX).0, [0x32, 0x95, 0x95]);
    command("D00C 8103012701 82028182 A40101");
    command("D00D 8103010300 82028182 8402 011E");
    command("D009 8103010104 82028182");
    command("D00F 8103010101 82028182 9204 013F002F");
    assert_eq!(
        command("D009 8103012603 82028182"),
        ProactiveCommand::local_date_time(1)
    );
}

#[test]
fn an_unknown_type_of_command_survives() {
    let octets = bytes("D00D 8103014000 82028182 3902 0100");
    let open_channel = ProactiveCommand::parse(&octets).unwrap();
    assert_eq!(open_channel.details().kind, CommandType::OPEN_CHANNEL);
    assert_eq!(open_channel.extra[0].tag, Tag(0x39));
    assert_eq!(open_channel.not_understood(), None);
    assert_eq!(open_channel.emit(), octets);
}

#[test]
fn terminal_responses_of_the_table() {
    let done = response("810301218082028281830100");
    assert_eq!(
        (done.result, done.input.is_none()),
        (TerminalResult::OK, true)
    );
    let ended = response("810301218082028281830110");
    assert_eq!(ended.result, TerminalResult::ENDED_BY_USER);
    let busy = response("81030121808202828183022001");
    assert_eq!(busy.result, TerminalResult::TERMINAL_BUSY);
    assert_eq!(busy.additional, [0x01]);
    let typed = response("8103012300820282818301008D06043132333435");
    let input = typed.input.unwrap();
    assert_eq!(input.reveal().to_text(), "12345");
    assert_eq!(input.digits().unwrap().expose(), b"12345");
    let yes = response("8103012204820282818301008D020401");
    assert_eq!(yes.input.unwrap().reveal().octets(), [1]);
}

#[test]
fn results_fall_into_classes() {
    assert!(TerminalResult(0x07).is_ok() && !TerminalResult::ENDED_BY_USER.is_ok());
    assert!(TerminalResult::NO_RESPONSE.is_performed());
    assert!(TerminalResult::TERMINAL_BUSY.is_temporary());
    assert!(!TerminalResult::DATA_NOT_UNDERSTOOD.is_temporary());
    assert_eq!(TerminalResult(0x5F).to_string(), "5F");
}

#[test]
fn terminal_responses_with_time_timer_and_duration() {
    let details = ProactiveCommand::local_date_time(3).details();
    let time = [0x62, 0x11, 0x22, 0x41, 0x82, 0x00, 0x40];
    let answer = TerminalResponse::new(details, TerminalResult::OK).with_date_time(time);
    assert_eq!(
        hex::encode_upper(answer.emit()),
        "8103032603820282818301 00A60762112241820040".replace(' ', "")
    );
    assert_eq!(
        TerminalResponse::parse(&answer.emit()).unwrap().date_time(),
        Some(time)
    );
    let value = TimerValue::from_seconds(61);
    let answer = TerminalResponse::new(details, TerminalResult::OK).with_timer(TimerId(2), value);
    assert_eq!(answer.timer(), Some((TimerId(2), Some(value))));
    let answer = answer.with_duration(Duration::seconds(30));
    assert_eq!(answer.element(tag::DURATION), Some(&[1, 30][..]));
}

/// Replays the recorded dialogue: every command and response reads, and writes the same octets again.
#[test]
fn the_recorded_signature_dialogue() {
    let trace = include_str!("../../../../fixtures/traces/handset-signature-dialogue.txt");
    let octets = |sign| {
        let lines = trace.lines().filter_map(move |line| line.split_once(sign));
        lines.map(|(_, text)| bytes(text))
    };
    let mut fetched = Vec::new();
    let mut outstanding = None;
    let mut seen = Vec::new();
    for (sent, received) in octets("> ").zip(octets("< ")) {
        let sent = Command::parse(&sent).unwrap();
        let received = Response::parse(&received).unwrap();
        match sent.ins {
            Ins::TERMINAL_PROFILE => {
                let profile = TerminalProfile::from_octets(sent.data);
                assert!(profile.supports(Facility::SMS_PP_DATA_DOWNLOAD));
                assert!(profile.supports(Facility::DATE_TIME));
            }
            Ins::ENVELOPE => {
                let envelope = Envelope::parse(&sent.data).unwrap();
                assert_eq!(envelope.emit(), sent.data);
                let Envelope::SmsPpDownload(download) = envelope else {
                    panic!();
                };
                assert_eq!(download.service_centre, Some(bytes("00103254")));
                assert_eq!(download.tpdu.len(), 0x2D);
                assert_eq!(received.sw.proactive_len(), Some(0x1D));
            }
            Ins::FETCH => {
                assert_eq!(sent.le, Some(received.data.len()));
                let command = ProactiveCommand::parse(&received.data).unwrap();
                assert_eq!(command.emit(), received.data);
                outstanding = Some(command.details());
                fetched.push(command);
            }
            Ins::TERMINAL_RESPONSE => {
                let response = TerminalResponse::parse(&sent.data).unwrap();
                assert_eq!(response.emit(), sent.data);
                assert_eq!(response.result, TerminalResult::OK);
                response.answers(outstanding.take().unwrap()).unwrap();
                seen.push(response);
            }
            _ => {}
        }
    }
    let kinds: Vec<_> = fetched.iter().map(|c| c.details().kind).collect();
    assert_eq!(
        kinds,
        [
            CommandType::DISPLAY_TEXT,
            CommandType::GET_INPUT,
            CommandType::SEND_SHORT_MESSAGE
        ]
    );
    let Body::DisplayText { text, .. } = &fetched[0].body else {
        panic!();
    };
    assert_eq!(text.to_text(), "Sign in? Ref A1");
    let pin = seen[1].input.as_ref().unwrap();
    assert_eq!(pin.digits().unwrap().expose(), b"1234");
    assert!(seen[1].hides_input());
}

#[test]
fn a_typed_pin_is_never_printed() {
    let response = response("8103022304 82028281 830100 8D0504 31323334");
    let shown = format!("{response:?}");
    assert!(
        !shown.contains("1234") && !shown.contains("49, 50"),
        "{shown}"
    );
}

#[test]
fn menu_selection_and_timer_expiration() {
    let octets = bytes("D3 07 82020181 900102");
    let envelope = Envelope::parse(&octets).unwrap();
    assert_eq!(
        envelope,
        Envelope::MenuSelection {
            item: 2,
            help: false,
            extra: Vec::new()
        }
    );
    assert_eq!(envelope.emit(), octets);
    let octets = bytes("D7 0C 82028281 A40101 A503000300");
    let envelope = Envelope::parse(&octets).unwrap();
    assert!(
        matches!(&envelope, Envelope::TimerExpiration { timer: TimerId(1), value, .. }
            if value.seconds() == Some(1800))
    );
    assert_eq!(envelope.emit(), octets);
    let event = bytes("D6 0A 990105 82028281 8D0141");
    assert_eq!(Envelope::parse(&event).unwrap().emit(), event);
}

#[test]
fn profile_bits_are_where_the_standard_has_them() {
    let profile = TerminalProfile::with(&[
        Facility::PROFILE_DOWNLOAD,
        Facility::SMS_PP_DATA_DOWNLOAD,
        Facility::DISPLAY_TEXT,
        Facility::GET_INPUT,
        Facility::SEND_SHORT_MESSAGE,
        Facility::TIMER_START_STOP,
        Facility::DATE_TIME,
    ]);
    assert_eq!(profile.octets(), bytes("0300050200000005"));
    assert!(!profile.supports(Facility::GET_INKEY));
    assert!(!profile.supports(Facility::at(99, 1)));
    assert_eq!(profile.facilities().count(), 7);
}

mod hostile;
mod properties;
mod texts;

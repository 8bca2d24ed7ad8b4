use super::*;

fn octets(max: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..=max)
}

fn some_text() -> impl Strategy<Value = TextString> {
    octets(240).prop_map(TextString::from_value)
}

fn alpha() -> impl Strategy<Value = Alpha> {
    octets(20).prop_map(Alpha::from_value)
}

fn duration() -> impl Strategy<Value = Duration> {
    any::<(u8, u8)>().prop_map(|(unit, interval)| Duration { unit, interval })
}

fn body() -> impl Strategy<Value = Body> {
    use prop::option::of;
    prop_oneof![
        of(octets(9)).prop_map(|files| Body::Refresh { files }),
        Just(Body::MoreTime),
        Just(Body::ProvideLocalInformation),
        duration().prop_map(|interval| Body::PollInterval { interval }),
        (of(alpha()), of(octets(12)), vec(any::<u8>(), 1..200)).prop_map(
            |(alpha, service_centre, tpdu)| Body::SendShortMessage {
                alpha,
                service_centre,
                tpdu
            }
        ),
        (of(alpha()), of(any::<u8>()), of(duration())).prop_map(|(alpha, tone, duration)| {
            Body::PlayTone {
                alpha,
                tone,
                duration,
            }
        }),
        (some_text(), any::<bool>(), of(duration())).prop_map(
            |(text, immediate_response, duration)| Body::DisplayText {
                text,
                immediate_response,
                duration
            }
        ),
        (some_text(), of(duration()))
            .prop_map(|(text, duration)| Body::GetInkey { text, duration }),
        (some_text(), any::<(u8, u8)>(), of(some_text())).prop_map(
            |(text, (min, max), default_text)| Body::GetInput {
                text,
                response_length: ResponseLength { min, max },
                default_text
            }
        ),
        (alpha(), vec((any::<u8>(), alpha()), 0..5)).prop_map(|(alpha, items)| Body::SetUpMenu {
            alpha,
            items: items
                .into_iter()
                .map(|(id, text)| Item { id, text })
                .collect()
        }),
        (any::<u8>(), of(any::<[u8; 3]>())).prop_map(|(timer, value)| Body::TimerManagement {
            timer: TimerId(timer),
            value: value.map(TimerValue)
        }),
        (0x40u8..=0xFF).prop_map(|kind| Body::Other {
            kind: CommandType(kind)
        }),
    ]
}

/// Objects with tags that no parser here takes.
fn extra() -> impl Strategy<Value = Vec<Element>> {
    let element = (0x60u16..0x7E, any::<bool>(), octets(10));
    vec(
        element.prop_map(|(tag, required, value)| Element {
            tag: Tag(tag),
            required,
            value,
        }),
        0..3,
    )
}

fn envelope() -> impl Strategy<Value = Envelope> {
    prop_oneof![
        (prop::option::of(octets(12)), octets(200), extra()).prop_map(
            |(service_centre, tpdu, extra)| Envelope::SmsPpDownload(SmsPpDownload {
                service_centre,
                tpdu,
                extra
            })
        ),
        (any::<u8>(), any::<bool>(), extra())
            .prop_map(|(item, help, extra)| Envelope::MenuSelection { item, help, extra }),
        (any::<u8>(), any::<[u8; 3]>(), extra()).prop_map(|(timer, value, extra)| {
            Envelope::TimerExpiration {
                timer: TimerId(timer),
                value: TimerValue(value),
                extra,
            }
        }),
        octets(100).prop_map(|value| Envelope::Other { tag: 0xD6, value }),
    ]
}

proptest! {
    #[test]
    fn proactive_commands_round_trip(
        number: u8, qualifier: u8, devices: (u8, u8), body in body(), extra in extra()
    ) {
        let command = ProactiveCommand {
            number,
            qualifier: Qualifier(qualifier),
            devices: Devices::new(Device(devices.0), Device(devices.1)),
            body,
            extra,
        };
        prop_assert_eq!(ProactiveCommand::parse(&command.emit()), Ok(command));
    }

    #[test]
    fn terminal_responses_round_trip(
        details: [u8; 3],
        result: u8,
        additional in octets(3),
        input in prop::option::of(octets(240)),
        extra in extra(),
    ) {
        let response = TerminalResponse {
            details: CommandDetails::from_value(&details).unwrap(),
            devices: Devices::TERMINAL_TO_UICC,
            result: TerminalResult(result),
            additional,
            input: input.map(InputText::from_value),
            extra,
        };
        prop_assert_eq!(TerminalResponse::parse(&response.emit()), Ok(response));
    }

    #[test]
    fn envelopes_round_trip(envelope in envelope()) {
        prop_assert_eq!(Envelope::parse(&envelope.emit()), Ok(envelope));
    }

    #[test]
    fn any_octets_parse_or_say_why(bytes in octets(300)) {
        let _ = ProactiveCommand::parse(&bytes);
        let _ = TerminalResponse::parse(&bytes);
        let _ = Envelope::parse(&bytes);
        let text = TextString::from_value(bytes.clone());
        prop_assert!(text.to_text().chars().count() <= bytes.len() * 8 / 7 + 1);
        let _ = Alpha::from_value(bytes.clone()).to_text();
        let _ = InputText::from_value(bytes).digits();
    }

    /// Damage to one octet of a good message is refused or read, never a panic, and what is read round-trips.
    #[test]
    fn damaged_commands_are_refused_or_read(body in body(), at: prop::sample::Index, to: u8) {
        let command = ProactiveCommand::new(1, Qualifier(0), Device::TERMINAL, body);
        let mut octets = command.emit();
        let at = at.index(octets.len());
        octets[at] = to;
        if let Ok(read) = ProactiveCommand::parse(&octets) {
            prop_assert_eq!(ProactiveCommand::parse(&read.emit()), Ok(read));
        }
    }

    #[test]
    fn text_strings_say_what_was_encoded(text in "\\PC{0,60}") {
        prop_assert_eq!(TextString::encode(&text).to_text(), text.clone());
        prop_assert_eq!(TextString::ucs2(&text).to_text(), text.clone());
        prop_assert_eq!(Alpha::from_value(Alpha::encode(&text).value()).to_text(), text);
    }

    #[test]
    fn packed_texts_say_what_was_encoded(text in "[ -Z]{0,60}") {
        if let Some(packed) = TextString::packed(&text) {
            prop_assert_eq!(packed.chars(), text.chars().count());
            prop_assert_eq!(packed.to_text(), text);
        } else {
            prop_assert!(text.ends_with('@'));
        }
    }
}

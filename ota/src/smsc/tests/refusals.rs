//! What the SMSC does not take, and octets of any kind.

use proptest::prelude::*;

use super::*;

#[test]
fn a_submit_sm_that_cannot_be_carried_out_gets_the_status_that_says_why() {
    let good = to_phone(1, &packet(1));
    for (message, status) in [
        (
            ShortMessage {
                destination: "447700800001".into(),
                ..good.clone()
            },
            CommandStatus::RINVDSTADR,
        ),
        (
            ShortMessage {
                destination: String::new(),
                ..good.clone()
            },
            CommandStatus::RINVDSTADR,
        ),
        (
            ShortMessage {
                destination: "8221".into(),
                ..good.clone()
            },
            CommandStatus::RINVDSTADR,
        ),
        (
            ShortMessage {
                destination: "midsim".into(),
                ..good.clone()
            },
            CommandStatus::RINVDSTADR,
        ),
        (
            ShortMessage {
                source: "x".into(),
                ..good.clone()
            },
            CommandStatus::RINVSRCADR,
        ),
        (
            ShortMessage {
                source_ton: 9,
                ..good.clone()
            },
            CommandStatus::RINVSRCADR,
        ),
        (
            ShortMessage {
                validity: "000000000000000R".into(),
                ..good.clone()
            },
            CommandStatus::RINVEXPIRY,
        ),
        (
            ShortMessage {
                validity: "250102030405000+".into(),
                ..good.clone()
            },
            CommandStatus::RINVEXPIRY,
        ),
        (
            ShortMessage {
                validity: "rubbish".into(),
                ..good.clone()
            },
            CommandStatus::RINVEXPIRY,
        ),
        (
            ShortMessage {
                schedule: "000000000500000R".into(),
                ..good.clone()
            },
            CommandStatus::RINVSCHED,
        ),
        (
            ShortMessage {
                short_message: vec![0; 141],
                esm_class: 0,
                ..good.clone()
            },
            CommandStatus::RINVMSGLEN,
        ),
        (
            ShortMessage {
                short_message: vec![b'a'; 161],
                esm_class: 0,
                data_coding: 0,
                ..good.clone()
            },
            CommandStatus::RINVMSGLEN,
        ),
        (
            ShortMessage {
                short_message: vec![9, 0],
                ..good.clone()
            },
            CommandStatus::RINVMSGLEN,
        ),
        (
            ShortMessage {
                short_message: vec![],
                ..good.clone()
            },
            CommandStatus::RINVMSGLEN,
        ),
        (
            ShortMessage {
                short_message: vec![9, 0],
                data_coding: 0,
                ..good.clone()
            },
            CommandStatus::RINVMSGLEN,
        ),
    ] {
        let mut world = World::bound();
        let before = world.store.clone();
        assert_eq!(
            world.submit(message.clone()),
            [response(status, "")],
            "{message:?}"
        );
        assert_eq!(world.store, before);
        assert!(matches!(
            world.kinds()[..],
            [SmscEvent::SubmitRefused { .. }]
        ));
    }
    let mut world = World::bound();
    assert_eq!(
        delivered(&world.submit(ShortMessage {
            source: String::new(),
            ..good
        }))
        .len(),
        1,
        "the ESME's own number stands in"
    );
}

#[test]
fn a_phone_has_only_so_many_messages_waiting() {
    let mut world = World::with(Config {
        max_queue: 2,
        ..config()
    });
    world.submit(to_phone(1, &packet(1)));
    world.submit(to_phone(1, &packet(2)));
    assert_eq!(
        world.submit(to_phone(1, &packet(3))),
        [response(CommandStatus::RMSGQFUL, "")]
    );
    let submit = Submit::from_card(Address::international(&msisdn(1)), b"hi").unwrap();
    let outputs = world.rp(
        2,
        &Message::submit(5, Address::international(&msisdn(99)), &submit),
    );
    assert_eq!(
        outputs,
        [Output::Rp {
            to: msisdn(2),
            bytes: octets("05 05 01 2A")
        }],
        "congestion"
    );
}

#[test]
fn a_message_from_a_phone_to_nobody_is_refused() {
    let mut world = World::bound();
    let outputs = world.rp(1, &from_card(42, "8221", b"x"));
    // RP-ERROR, cause 1, SMS-SUBMIT-REPORT with TP-FCS C3, by hand.
    assert_eq!(
        outputs,
        [Output::Rp {
            to: msisdn(1),
            bytes: octets("05 2A 01 01 41 0A 01 C3 00 62102030405000")
        }]
    );
    assert_eq!(world.kept(), [""; 0]);
    let stranger: Msisdn = "+33612345678".parse().unwrap();
    let bytes = from_card(42, "8220", b"x").emit(Direction::FromPhone);
    let outputs = world.step(Input::Rp {
        from: stranger.clone(),
        bytes,
    });
    assert_eq!(
        outputs,
        [Output::Rp {
            to: stranger,
            bytes: octets("05 2A 01 1C")
        }]
    );
}

#[test]
fn a_message_repeated_by_the_phone_is_kept_once_and_answered_as_before() {
    let mut world = World::bound();
    let message = from_card(42, "8220", b"x");
    let first = world.rp(1, &message);
    world.now += seconds(30);
    let again = world.rp(1, &message);
    assert_eq!(again, first[..1]);
    assert_eq!(world.kept().len(), 1);
    world.now += seconds(90);
    assert_eq!(
        to_esme(&world.rp(1, &message)).len(),
        1,
        "minutes later it is a new one"
    );
    assert_eq!(
        to_esme(&world.rp(1, &from_card(43, "8220", b"x"))).len(),
        1,
        "the same text under a new reference is new"
    );
    assert_eq!(
        to_esme(&world.rp(1, &from_card(43, "8220", b"y"))).len(),
        1,
        "and another text under the same reference"
    );
}

#[test]
fn what_is_no_relay_message_is_answered_where_it_asks_for_an_answer() {
    let mut world = World::bound();
    for (bytes, answer) in [
        ("00", None),
        ("", None),
        ("00 07 00", Some("05 07 01 60")),
        ("00 07 00 00 05 01", Some("05 07 01 60")),
        ("01 07 00 00 00", None),
        ("07 07", None),
        ("02 07 41 05 00", None),
        ("06 07 00", Some("05 07 01 63")),
        // A TPDU that is no SMS-SUBMIT.
        ("00 07 00 00 01 02", Some("05 07 01 6F")),
        ("00 07 00 00 02 01 00", Some("05 07 01 60")),
    ] {
        let outputs = world.step(Input::Rp {
            from: msisdn(1),
            bytes: octets(bytes),
        });
        let expected: Vec<Output> = answer
            .map(|answer| Output::Rp {
                to: msisdn(1),
                bytes: octets(answer),
            })
            .into_iter()
            .collect();
        assert_eq!(outputs, expected, "{bytes}");
    }
    assert_eq!(
        world.rp(1, &from_card(1, "8220", b"x")).len(),
        2,
        "the next good message passes"
    );
}

#[test]
fn stale_timers_do_nothing() {
    let mut world = World::bound();
    world.submit(to_phone(1, &packet(1)));
    let before = world.store.clone();
    for key in [
        "phone/447700900001",
        "phone/447700900002",
        "phone/",
        "mo/x",
        "mo/midsim/1",
        "",
        "x",
    ] {
        assert_eq!(world.step(Input::Timer { key: key.into() }), [], "{key}");
    }
    assert_eq!(
        world.store.records["phone/447700900001"],
        before.records["phone/447700900001"]
    );
}

#[test]
fn every_prefix_and_every_flipped_bit_of_a_good_message_is_survived() {
    for message in [
        from_card(1, "8220", b"answer"),
        Message::Ack { mr: 1, tpdu: None },
        Message::error(1, Cause::MEMORY_EXCEEDED),
    ] {
        let bytes = message.emit(Direction::FromPhone);
        for bit in 0..bytes.len() * 8 {
            let mut world = World::bound();
            world.submit(to_phone(1, &packet(1)));
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            world.step(Input::Rp {
                from: msisdn(1),
                bytes: flipped,
            });
            world.step(Input::Rp {
                from: msisdn(1),
                bytes: bytes[..bit / 8].to_vec(),
            });
        }
    }
}

#[derive(Debug, Clone)]
enum Act {
    Submit(u8, u8),
    Ack(u8),
    Error(u8, bool),
    Available(u8),
    Mo(u8, u8),
    Wait(u16),
    Bind(bool),
    Octets(u8, Vec<u8>),
}

fn act() -> impl Strategy<Value = Act> {
    let phone = 1u8..3;
    prop_oneof![
        (phone.clone(), any::<u8>()).prop_map(|(n, tail)| Act::Submit(n, tail)),
        phone.clone().prop_map(Act::Ack),
        (phone.clone(), any::<bool>()).prop_map(|(n, good)| Act::Error(n, good)),
        phone.clone().prop_map(Act::Available),
        (phone.clone(), any::<u8>()).prop_map(|(n, mr)| Act::Mo(n, mr)),
        (0u16..100).prop_map(Act::Wait),
        any::<bool>().prop_map(Act::Bind),
        (phone, prop::collection::vec(any::<u8>(), 0..30))
            .prop_map(|(n, octets)| Act::Octets(n, octets)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happens: what was accepted is delivered, reported undeliverable, or still kept; never two under way.
    #[test]
    fn nothing_accepted_is_lost(acts in prop::collection::vec(act(), 1..60)) {
        let mut world = World::bound();
        let (mut accepted, mut ended) = (0, 0);
        for act in acts {
            let mr_of = |world: &World, n: u8| {
                let record = world.store.records.get(&format!("phone/{}", msisdn(n).digits()));
                record.and_then(|record| serde_json::from_slice::<Phone>(record).unwrap().in_flight).map_or(0, |in_flight| in_flight.mr)
            };
            let outputs = match act {
                Act::Submit(n, tail) => world.submit(ShortMessage { registered_delivery: 1, ..to_phone(n, &packet(tail)) }),
                Act::Ack(n) => { let mr = mr_of(&world, n); world.ack(n, mr) }
                Act::Error(n, good) => {
                    let mr = mr_of(&world, n);
                    world.error(n, mr, if good { Cause::PROTOCOL_ERROR } else { Cause::MEMORY_EXCEEDED }, None)
                }
                Act::Available(n) => world.available(n),
                Act::Mo(n, mr) => world.rp(n, &from_card(mr, "8220", &[mr])),
                Act::Wait(span) => world.run(world.now + seconds(span.into())),
                Act::Bind(true) => world.bind("midsim", 1, BindMode::Transceiver),
                Act::Bind(false) => world.step(Input::Unbound { esme: link_of("midsim", 1) }),
                Act::Octets(n, bytes) => world.step(Input::Rp { from: msisdn(n), bytes }),
            };
            accepted += outputs.iter().filter(|output| matches!(output, Output::SubmitResp { status: CommandStatus::ROK, .. })).count();
            let records = world.store.scan("phone/");
            for (_, record) in &records {
                let phone: Phone = serde_json::from_slice(record).unwrap();
                prop_assert!(phone.in_flight.is_none() || !phone.queue.is_empty());
                for queued in phone.queue.iter() {
                    let key = format!("msg/{}", queued.message_id);
                    prop_assert!(world.store.records.contains_key(&key));
                }
            }
            ended = world.store.scan("mo/").iter().filter(|(_, record)| {
                serde_json::from_slice::<Waiting>(record).unwrap().message.is_receipt()
            }).count();
        }
        // Nobody acknowledged a deliver_sm, so every receipt is still there.
        prop_assert_eq!(accepted, ended + world.store.scan("msg/").len());
    }
}

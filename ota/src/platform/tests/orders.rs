//! The way to the card.

use super::*;

#[test]
fn an_order_leaves_as_a_class_2_packet_that_the_card_opens() {
    for (n, kic, kid) in [(1, 0x12, 0x12), (11, 0x25, 0x25)] {
        let mut world = World::new();
        let outputs = world.submit(order("j", n, b"challenge"));
        let [("j/1", message)] = submitted(&outputs)[..] else {
            panic!("{outputs:?}")
        };
        let expected = ShortMessage {
            source: "8220".into(),
            source_npi: 1,
            destination: msisdn(n).digits().into(),
            destination_ton: 1,
            destination_npi: 1,
            esm_class: 0x40,
            protocol_id: 0x7F,
            validity: "000000000500000R".into(),
            registered_delivery: 2,
            data_coding: 0xF6,
            short_message: message.short_message.clone(),
            ..ShortMessage::default()
        };
        assert_eq!(*message, expected);
        assert_eq!(message.short_message[..3], [0x02, 0x70, 0x00]);
        assert_eq!(message.short_message[6..10], [0x16, 0x3A, kic, kid]);
        let opened = TestCard::of(n).receive(&outputs).unwrap();
        assert_eq!(
            (opened.data.as_slice(), opened.tar),
            (&b"challenge"[..], Tar::MID)
        );
        assert_eq!(opened.cntr.get(), (start().as_second() as u64) << 8);
    }
}

#[test]
fn a_long_order_leaves_in_parts_of_one_reference() {
    let mut world = World::new();
    let payload = vec![0x5A; 300];
    let outputs = world.submit(order("j", 1, &payload));
    let parts = submitted(&outputs);
    assert_eq!(
        parts.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        ["j/1", "j/2", "j/3"]
    );
    assert!(
        parts
            .iter()
            .all(|(_, message)| message.short_message.len() <= 140)
    );
    assert_eq!(parts[0].1.short_message[..8], [7, 0, 3, 1, 3, 1, 0x70, 0]);
    assert_eq!(parts[2].1.short_message[..6], [5, 0, 3, 1, 3, 3]);
    assert_eq!(TestCard::of(1).receive(&outputs).unwrap().data, payload);
    let next = world.submit(order("k", 2, &payload));
    assert_eq!(
        submitted(&next)[0].1.short_message[3],
        1,
        "another card counts its own references"
    );
}

#[test]
fn what_needs_more_than_eight_short_messages_is_refused() {
    let mut world = World::new();
    assert_eq!(submitted(&world.submit(order("j", 1, &[0; 1000]))).len(), 8);
    assert_eq!(
        world.submit(order("k", 2, &[0; 1100])),
        [failed("k", FailReason::TooLong { max: 8, got: 9 })]
    );
    // 255 parts are not enough either, nor is a 16-bit length.
    assert!(matches!(
        &world.submit(order("l", 3, &[0; 40_000]))[..],
        [Output::Report { .. }]
    ));
    assert!(matches!(
        &world.submit(order("m", 4, &[0; 70_000]))[..],
        [Output::Report { .. }]
    ));
}

#[test]
fn the_same_order_twice_is_one_order() {
    let mut world = World::new();
    world.submit(order("j", 1, b"one"));
    let before = world.store.clone();
    assert_eq!(world.submit(order("j", 1, b"two")), []);
    assert_eq!(world.store, before);
    world.answer(1, b"answer");
    assert_eq!(
        world.submit(order("j", 1, b"one")),
        [],
        "also when it is over"
    );
}

#[test]
fn an_order_to_nobody_fails_and_a_late_one_expires() {
    let mut world = World::new();
    assert_eq!(
        world.submit(order("j", 99, b"x")),
        [failed("j", FailReason::UnknownSubscriber)]
    );
    assert_eq!(world.submit(order("j", 99, b"x")), []);
    world.wait(seconds(300));
    assert_eq!(world.submit(order("k", 1, b"x")), [expired("k")]);
    assert!(!world.store.records.contains_key("job/k"));
}

#[test]
fn the_counter_is_committed_with_the_packet_and_never_goes_down() {
    let mut world = World::new();
    let mut card = TestCard::of(1);
    let mut seen = Vec::new();
    for (n, now) in [
        start(),
        start(),
        start() - seconds(86_400),
        start() + seconds(10),
    ]
    .into_iter()
    .enumerate()
    {
        world.now = now;
        let id = format!("j{n}");
        let before = world.store.clone();
        let outputs = world.submit(Submit {
            expires: now + seconds(300),
            ..order(&id, 1, b"x")
        });
        // A crash before the commit: the step runs again and says the same, so nothing else can have left.
        let committed = std::mem::replace(&mut world.store, before);
        assert_eq!(
            world.submit(Submit {
                expires: now + seconds(300),
                ..order(&id, 1, b"x")
            }),
            outputs
        );
        assert_eq!(world.store, committed);
        seen.push(card.receive(&outputs).unwrap().cntr.get());
        let sim: Sim = serde_json::from_slice(&world.store.records[SIM_1]).unwrap();
        assert_eq!(sim.last.unwrap().get(), *seen.last().unwrap());
        world.answer(1, b"ok");
    }
    let clock = (start().as_second() as u64) << 8;
    assert_eq!(seen, [clock, clock + 1, clock + 2, clock + 2560]);
}

#[test]
fn a_key_set_whose_counter_is_used_up_sends_nothing() {
    let mut world = World::new();
    let sim = Sim {
        last: Cntr::new(Cntr::MAX.get() - 2),
        ..Sim::default()
    };
    world
        .store
        .records
        .insert(SIM_1.into(), serde_json::to_vec(&sim).unwrap());
    assert_eq!(submitted(&world.submit(order("j", 1, b"x"))).len(), 1);
    world.answer(1, b"ok");
    assert_eq!(
        world.submit(order("k", 1, b"x")),
        [failed("k", FailReason::CounterExhausted)]
    );
}

#[test]
fn sent_is_reported_once_when_the_smsc_has_every_part() {
    let mut world = World::new();
    world.submit(order("j", 1, &[0; 200]));
    assert_eq!(world.accept("j/2", "m2"), []);
    assert_eq!(world.events[0].own.as_str(), "smpp:m2");
    assert_eq!(world.events[0].parent.as_ref().unwrap().as_str(), "job:j");
    assert_eq!(world.accept("j/1", "m1"), [sent("j")]);
    assert_eq!(world.accept("j/1", "m1"), []);
    for stranger in ["j/3", "j/0", "j/1r1", "x/1", "j", "", "j/x", "j/1r255"] {
        assert_eq!(world.accept(stranger, "m"), [], "{stranger}");
    }
}

#[test]
fn what_the_smsc_refuses_fails() {
    let mut world = World::new();
    world.submit(order("j", 1, &[0; 200]));
    world.accept("j/1", "m1");
    let outputs = world.refuse("j/2", CommandStatus::RINVDSTADR);
    assert_eq!(
        outputs,
        [failed("j", FailReason::Smsc(CommandStatus::RINVDSTADR))]
    );
    assert_eq!(world.refuse("j/2", CommandStatus::RINVDSTADR), []);
}

#[test]
fn a_busy_smsc_is_asked_again_later() {
    let mut world = World::new();
    let first = world.submit(order("j", 1, &[0; 200]));
    world.accept("j/1", "m1");
    for pause in [1, 2, 4] {
        assert_eq!(world.refuse("j/2", CommandStatus::RTHROTTLED), []);
        assert_eq!(world.store.timers["retry/j"], world.now + seconds(pause));
        let again = world.run(world.store.timers["retry/j"]);
        let (id, message) = submitted(&again)[0];
        assert_eq!((again.len(), id), (1, "j/2"));
        assert_eq!(message.short_message, submitted(&first)[1].1.short_message);
    }
    assert_eq!(world.accept("j/2", "m2"), [sent("j")]);
}

#[test]
fn the_next_message_to_a_card_waits_for_the_answer_to_the_one_before() {
    let mut world = World::new();
    let mut card = TestCard::of(1);
    card.receive(&world.submit(order("a", 1, b"a"))).unwrap();
    assert_eq!(world.submit(order("b", 1, b"b")), []);
    assert_eq!(world.submit(order("c", 1, b"c")), []);
    assert_eq!(
        submitted(&world.submit(order("d", 2, b"d"))).len(),
        1,
        "other cards do not wait"
    );
    let next = world.answer(1, b"ok");
    assert_eq!(submitted(&next)[0].0, "b/1");
    assert_eq!(card.receive(&next).unwrap().data, b"b");
    let next = world.refuse("b/1", CommandStatus::RSYSERR);
    assert_eq!(card.receive(&next).unwrap().data, b"c");
}

#[test]
fn only_so_many_messages_wait_for_one_card() {
    let mut world = World::new();
    for n in 0..17 {
        world.submit(order(&n.to_string(), 1, b"x"));
    }
    assert_eq!(
        world.submit(order("17", 1, b"x")),
        [failed("17", FailReason::QueueFull { waiting: 16 })]
    );
}

#[test]
fn a_job_that_expires_says_so_and_leaves_nothing_behind() {
    let mut world = World::new();
    let mut card = TestCard::of(1);
    world.submit(order("a", 1, b"a"));
    world.submit(order("b", 1, b"b"));
    world.submit(Submit {
        expires: start() + seconds(400),
        ..order("c", 1, b"c")
    });
    let outputs = world.run(start() + seconds(299));
    assert_eq!(outputs, []);
    let outputs = world.run(start() + seconds(300));
    assert_eq!(
        card.receive(&outputs).unwrap().data,
        b"c",
        "b is too late itself"
    );
    let reports = |outputs: &[Output]| {
        let reports = outputs
            .iter()
            .filter(|output| matches!(output, Output::Report { .. }));
        reports.cloned().collect::<Vec<_>>()
    };
    assert_eq!(reports(&outputs), [expired("a"), expired("b")]);
    assert_eq!(world.run(start() + seconds(400)), [expired("c")]);
    let keys: Vec<&String> = world.store.records.keys().collect();
    assert_eq!(keys, [SIM_1]);
    assert!(world.store.timers.is_empty());
}

#[test]
fn stale_timers_do_nothing() {
    let mut world = World::new();
    world.submit(order("a", 1, b"a"));
    let before = world.store.clone();
    for key in ["job/a", "job/b", "retry/b", "x/a", "", "job/"] {
        assert_eq!(world.step(Input::Timer { key: key.into() }), [], "{key}");
        assert_eq!(world.store, before, "{key}");
    }
}

#[test]
fn a_new_session_gets_what_the_old_one_left_unanswered() {
    let mut world = World::new();
    let first = world.submit(order("a", 1, &[0; 200]));
    world.submit(order("queued", 1, b"x"));
    world.submit(order("done", 2, b"x"));
    world.answer(2, b"ok");
    world.accept("a/1", "m1");
    assert_eq!(world.step(Input::LinkDown), []);
    let outputs = world.step(Input::LinkUp);
    let [("a/2", message)] = submitted(&outputs)[..] else {
        panic!("{outputs:?}")
    };
    assert_eq!(
        message.short_message,
        submitted(&first)[1].1.short_message,
        "the same octets, the same counter"
    );
    world.wait(seconds(300));
    assert_eq!(world.step(Input::LinkUp), [], "too late");
}

#[test]
fn a_part_submitted_over_two_sessions_is_traced_under_both_message_ids() {
    let mut world = World::new();
    world.submit(order("a", 1, b"x"));
    world.step(Input::LinkUp);
    for message_id in ["m1", "m2"] {
        world.accept("a/1", message_id);
        let event = world.events.last().unwrap();
        assert_eq!(event.own.as_str(), format!("smpp:{message_id}"));
        assert_eq!(event.parent.as_ref().unwrap().as_str(), "job:a");
    }
}

#[test]
fn a_packet_is_traced_with_its_fields() {
    let mut world = World::new();
    let outputs = world.submit(order("j", 1, b"challenge"));
    let event = &world.events[0];
    assert_eq!(event.own.as_str(), "job:j");
    assert_eq!(event.parent.as_ref().unwrap().as_str(), "applet:8988:j");
    let row = event.row();
    assert_eq!((row.step, row.from, row.to), (Some(5), "OTA", "SMSC"));
    let field = |name: &str| {
        row.fields
            .iter()
            .find(|(key, _)| key == name)
            .unwrap()
            .1
            .clone()
    };
    assert_eq!(
        (field("SPI"), field("KIc"), field("KID"), field("TAR")),
        ("16 3A".into(), "12".into(), "12".into(), "4D4944".into())
    );
    assert_eq!(
        field("CNTR"),
        format!("{:010X}", (start().as_second() as u64) << 8)
    );
    assert_eq!(row.octets.unwrap().bytes, packet_of(&outputs));
}

#[test]
fn outputs_survive_their_storage() {
    let mut world = World::new();
    let mut outputs = world.submit(order("j", 1, b"x"));
    outputs.extend(world.accept("j/1", "m"));
    outputs.extend(world.answer(1, &[0, 255]));
    outputs.push(failed(
        "j",
        FailReason::Undelivered(MessageState::UNDELIVERABLE),
    ));
    let text = serde_json::to_string(&outputs).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Output>>(&text).unwrap(), outputs);
}

#[test]
fn a_packet_submitted_over_two_sessions_is_taken_once_and_its_copy_starts_no_third() {
    let mut world = World::new();
    let mut card = TestCard::of(1);
    let first = world.submit(order("j", 1, b"x"));
    // The SMSC took it, but the process ended before the answer came.
    let copy = world.step(Input::LinkUp);
    assert_eq!(copy, first, "the same octets under the same id");
    card.receive(&first).unwrap();
    let refusal = card.por(&copy);
    assert_eq!(world.por(1, &refusal), [], "it says nothing of the first");
    assert!(matches!(
        world.kinds()[..],
        [PlatformEvent::Por {
            authenticated: true,
            effect: crate::event::PorEffect::None,
            ..
        }]
    ));
    assert_eq!(world.answer(1, b"ok").len(), 1);
    // Where neither was taken, the second refusal counts.
    let first = world.submit(order("k", 1, b"y"));
    let copy = world.step(Input::LinkUp);
    card.counter = Cntr::new((start().as_second() as u64 + 60) << 8).unwrap();
    let refusals = [card.por(&first), card.por(&copy)];
    assert_eq!(world.por(1, &refusals[0]), []);
    assert_eq!(submitted(&world.por(1, &refusals[1]))[0].0, "k/1r1");
}

#[test]
fn an_order_that_waited_for_a_session_has_no_copies() {
    let mut world = World::new();
    let mut card = TestCard::of(1);
    card.counter = Cntr::new((start().as_second() as u64 + 60) << 8).unwrap();
    let unsent = world.submit(order("j", 1, b"x"));
    world.refuse("j/1", CommandStatus::RTHROTTLED);
    assert_eq!(world.step(Input::LinkUp), unsent);
    let por = card.por(&unsent);
    assert_eq!(submitted(&world.por(1, &por))[0].0, "j/1r1");
}

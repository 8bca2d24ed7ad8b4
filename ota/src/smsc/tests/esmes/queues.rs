//! Messages that wait: for an ESME that is not there, and for room in its window.

use super::support::*;
use super::*;

#[test]
fn messages_wait_for_their_esme_in_order_and_come_again_until_acknowledged() {
    let mut world = World::new();
    for n in 0..3 {
        let outputs = world.rp(1, &from_card(n, "8220", &[n]));
        assert_eq!(outputs.len(), 1, "acknowledged, since it is kept");
        world.now += seconds(1);
    }
    world.rp(1, &from_card(3, "8330", b"other"));
    assert_eq!(
        world.bind("midsim", 1, BindMode::Transmitter),
        [],
        "cannot receive"
    );
    let outputs = world.bind("midsim", 2, BindMode::Receiver);
    let seen: Vec<&[u8]> = to_esme(&outputs)
        .iter()
        .map(|(_, _, message)| message.short_message.as_slice())
        .collect();
    assert_eq!(seen, [[0], [1], [2]]);
    let id = to_esme(&outputs)[0].1.to_owned();
    world.step(Input::DeliverResp { id, result: Ok(()) });
    world.step(Input::Unbound {
        esme: link_of("midsim", 2),
    });
    let outputs = world.bind("midsim", 3, BindMode::Transceiver);
    assert_eq!(to_esme(&outputs).len(), 2);
    assert_eq!(
        to_esme(&world.bind("other", 9, BindMode::Transceiver)).len(),
        1
    );
}

#[test]
fn a_message_for_an_absent_esme_is_not_kept_for_ever() {
    let mut world = World::new();
    world.rp(1, &from_card(1, "8220", b"x"));
    world.run(start() + SignedDuration::from_hours(24));
    assert_eq!(world.kept(), [""; 0]);
    assert!(matches!(world.kinds()[..], [SmscEvent::EsmeTooLate]));
}

#[test]
fn an_absent_esme_has_only_so_many_messages_waiting() {
    let mut world = World::with(Config {
        max_esme_queue: 2,
        ..config()
    });
    let message = ShortMessage {
        destination: "8330".into(),
        ..ShortMessage::default()
    };
    for _ in 0..2 {
        world.submit(message.clone());
    }
    assert_eq!(
        world.submit(message),
        [response(CommandStatus::RMSGQFUL, "")]
    );
}

fn small(window: usize, max_esme_queue: usize) -> World {
    let mut world = World::with(Config {
        window,
        max_esme_queue,
        ..config()
    });
    world.step(Input::Started);
    world.bind("other", 1, BindMode::Transmitter);
    world
}

/// A message of an ESME for the other one.
fn write(world: &mut World, n: u8) -> Vec<Output> {
    world.now += seconds(1);
    world.step(Input::Submit {
        esme: link_of("other", 1),
        sequence: 7,
        message: ShortMessage {
            destination: "8220".into(),
            short_message: vec![n],
            ..ShortMessage::default()
        },
    })
}

fn accepted(outputs: &[Output]) -> bool {
    outputs.iter().any(
        |output| matches!(output, Output::SubmitResp { status, .. } if *status == CommandStatus::ROK),
    )
}

#[test]
fn a_backlog_comes_by_the_window_in_order_and_once() {
    let mut world = small(4, 100);
    for n in 0..15 {
        assert!(accepted(&write(&mut world, n)));
    }
    let first = world.bind("midsim", 2, BindMode::Receiver);
    assert_eq!(numbers(&first), [0, 1, 2, 3]);
    // What comes now waits behind.
    assert_eq!(numbers(&write(&mut world, 15)), [0; 0]);
    let (mut open, mut seen) = (ids(&first), numbers(&first));
    let mut most = open.len();
    while !open.is_empty() {
        let result = Ok(());
        let id = open.remove(0);
        let more = world.step(Input::DeliverResp { id, result });
        open.extend(ids(&more));
        seen.extend(numbers(&more));
        most = most.max(open.len());
    }
    assert_eq!(seen, (0..16).collect::<Vec<_>>());
    assert_eq!(most, 4, "deliver_sm unanswered at a time");
    assert_eq!(world.kept(), [""; 0]);
    // With the backlog gone, a message goes out at once.
    assert_eq!(numbers(&write(&mut world, 16)), [16]);
}

#[test]
fn a_session_that_ends_leaves_its_window_to_the_others() {
    let mut world = small(2, 100);
    for n in 0..6 {
        write(&mut world, n);
    }
    assert_eq!(
        numbers(&world.bind("midsim", 2, BindMode::Receiver)),
        [0, 1]
    );
    assert_eq!(
        numbers(&world.bind("midsim", 3, BindMode::Receiver)),
        [2, 3]
    );
    let rest = world.step(Input::Unbound {
        esme: link_of("midsim", 3),
    });
    assert_eq!(rest, [], "the window of the other one is full");
    let outputs = world.bind("midsim", 4, BindMode::Transceiver);
    assert_eq!(numbers(&outputs), [2, 3]);
    assert!(to_esme(&outputs).iter().all(|(esme, ..)| esme.link == 4));
}

#[test]
fn a_slow_esme_has_only_so_many_messages_waiting_and_its_senders_are_told() {
    let mut world = small(2, 5);
    let bound = world.bind("midsim", 2, BindMode::Transceiver);
    assert_eq!(bound, []);
    // Its session takes two, then has no room.
    let mut on_their_way = Vec::new();
    for n in 0..3 {
        on_their_way.extend(ids(&write(&mut world, n)));
    }
    let id = on_their_way.pop().unwrap();
    assert_eq!(world.step(Input::NotSent { id }), []);
    for n in 3..5 {
        let outputs = write(&mut world, n);
        assert!(accepted(&outputs) && numbers(&outputs).is_empty(), "{n}");
    }
    let full = write(&mut world, 5);
    let Output::SubmitResp { status, .. } = &full[0] else {
        panic!("{full:?}")
    };
    assert_eq!(*status, CommandStatus::RMSGQFUL);
    // A phone hears of congestion (TS 24.011 §8.2.5.4, cause 42).
    let refused = world.rp(1, &from_card(1, "8220", b"x"));
    let Output::Rp { bytes, .. } = &refused[0] else {
        panic!("{refused:?}")
    };
    assert!(matches!(
        Message::parse(Direction::ToPhone, bytes),
        Ok(Message::Error {
            cause: Cause::CONGESTION,
            ..
        })
    ));
    // Its answers make room again.
    let (mut seen, mut open) = (Vec::new(), on_their_way);
    while let Some(id) = open.pop() {
        let more = world.step(Input::DeliverResp { id, result: Ok(()) });
        seen.extend(numbers(&more));
        open.extend(ids(&more));
    }
    seen.sort_unstable();
    assert_eq!(seen, [2, 3, 4]);
    assert!(accepted(&write(&mut world, 6)));
}

#[test]
fn what_found_no_room_is_looked_after_though_no_answer_ever_comes() {
    let mut world = small(2, 5);
    world.bind("midsim", 2, BindMode::Transceiver);
    let sent = ids(&write(&mut world, 1));
    world.step(Input::NotSent {
        id: sent[0].clone(),
    });
    let again = world.run(world.now + seconds(5));
    assert_eq!(ids(&again), sent);
}

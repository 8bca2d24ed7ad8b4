//! Messages that wait: for an ESME that is not there, and for room in its window.

use std::collections::BTreeSet;

use proptest::prelude::*;

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

/// What may happen between an SMSC and the sessions of one ESME; numbers choose among what there is.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Written,
    Bound,
    Unbound(usize),
    Took(usize),
    Refused(usize),
    NotSent(usize),
    Passed(i64),
    Restarted,
}

/// The sessions of the ESME, and what they have not answered.
#[derive(Default)]
struct Sessions {
    next: u64,
    bound: Vec<u64>,
    open: Vec<(u64, String)>,
    seen: BTreeSet<u8>,
}

impl Sessions {
    /// What has no session any more is given back.
    fn take(&mut self, world: &mut World, outputs: Vec<Output>) {
        let mut outputs = std::collections::VecDeque::from(outputs);
        while let Some(output) = outputs.pop_front() {
            let Output::Deliver { esme, id, message } = output else {
                continue;
            };
            if self.bound.contains(&esme.link) {
                self.seen.insert(message.short_message[0]);
                self.open.push((esme.link, id));
            } else {
                outputs.extend(world.step(Input::NotSent { id }));
            }
        }
    }

    fn bind(&mut self, world: &mut World) {
        self.next += 1;
        self.bound.push(self.next);
        let outputs = world.bind("midsim", self.next, BindMode::Receiver);
        self.take(world, outputs);
    }

    fn answer(&mut self, world: &mut World, at: usize, result: Result<(), CommandStatus>) {
        if !self.open.is_empty() {
            let (_, id) = self.open.remove(at % self.open.len());
            let outputs = world.step(Input::DeliverResp { id, result });
            self.take(world, outputs);
        }
    }

    fn pass(&mut self, world: &mut World, time: i64) {
        let outputs = world.run(world.now + seconds(time));
        self.take(world, outputs);
    }
}

proptest! {
    /// Whatever happens in between: in the end a session that answers gets every message that was accepted, at once, and nothing
    /// is left.
    #[test]
    fn nothing_is_forgotten_and_nothing_stays(
        history in prop::collection::vec(prop_oneof![
            4 => Just(Happens::Written),
            1 => Just(Happens::Bound),
            1 => any::<usize>().prop_map(Happens::Unbound),
            3 => any::<usize>().prop_map(Happens::Took),
            1 => any::<usize>().prop_map(Happens::Refused),
            1 => any::<usize>().prop_map(Happens::NotSent),
            1 => (1_i64..100).prop_map(Happens::Passed),
            1 => Just(Happens::Restarted),
        ], 0..60),
        window in 1_usize..4, most in 1_usize..6,
    ) {
        let mut world = small(window, most);
        let (mut sessions, mut accepted_ones, mut number) = (Sessions::default(), BTreeSet::new(), 0);
        // Only what was refused has to be waited for.
        let patience = history.iter().any(|happens| matches!(happens, Happens::Refused(_)));
        for happens in history {
            match happens {
                Happens::Written => {
                    let outputs = write(&mut world, number);
                    if accepted(&outputs) {
                        accepted_ones.insert(number);
                    }
                    number += 1;
                    sessions.take(&mut world, outputs);
                }
                Happens::Bound => sessions.bind(&mut world),
                Happens::Unbound(at) if !sessions.bound.is_empty() => {
                    let link = sessions.bound.remove(at % sessions.bound.len());
                    sessions.open.retain(|(of, _)| *of != link);
                    let outputs = world.step(Input::Unbound { esme: link_of("midsim", link) });
                    sessions.take(&mut world, outputs);
                }
                Happens::Unbound(_) => {}
                Happens::Took(at) => sessions.answer(&mut world, at, Ok(())),
                Happens::Refused(at) => sessions.answer(&mut world, at, Err(CommandStatus::RX_T_APPN)),
                Happens::NotSent(at) if !sessions.open.is_empty() => {
                    let (_, id) = sessions.open.remove(at % sessions.open.len());
                    let outputs = world.step(Input::NotSent { id });
                    sessions.take(&mut world, outputs);
                }
                Happens::NotSent(_) => {}
                Happens::Passed(time) => sessions.pass(&mut world, time),
                Happens::Restarted => {
                    sessions = Sessions { seen: sessions.seen, ..Sessions::default() };
                    prop_assert_eq!(world.step(Input::Started), []);
                }
            }
        }
        sessions.bind(&mut world);
        for _ in 0..100 {
            while !sessions.open.is_empty() {
                sessions.answer(&mut world, 0, Ok(()));
            }
            if world.kept().is_empty() || !patience {
                break;
            }
            sessions.pass(&mut world, 10);
        }
        prop_assert_eq!(world.kept(), [""; 0]);
        prop_assert!(world.store.timers.is_empty());
        prop_assert_eq!(sessions.seen, accepted_ones);
    }
}

//! Histories of every kind between the SMSC and a phone.

use proptest::prelude::*;

use super::*;

/// Numbers choose among the references that the phone has seen.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Written,
    Took,
    TookSomethingElse(usize),
    Refused,
    Seen,
    Passed(i64),
    Restarted,
}

/// What the phone has, and has had.
#[derive(Default)]
struct Memory {
    /// The message that came last, unless it was answered.
    last: Option<(u8, u8)>,
    references: Vec<u8>,
    taken: Vec<u8>,
}

impl Memory {
    fn receive(&mut self, outputs: &[Output]) {
        for (mr, deliver) in delivered(outputs) {
            let number = *deliver.user_data.to_octets().last().unwrap();
            self.last = Some((mr, number));
            self.references.push(mr);
        }
    }

    fn take(&mut self, world: &mut World) {
        if let Some((mr, number)) = self.last.take() {
            self.taken.push(number);
            let outputs = world.ack(1, mr);
            self.receive(&outputs);
        }
    }
}

proptest! {
    /// Whatever happens in between: every message that was accepted is taken, in order, and nothing is left. One whose answer came
    /// too late comes again, before any other.
    #[test]
    fn a_phone_takes_every_message_in_order(
        history in prop::collection::vec(prop_oneof![
            3 => Just(Happens::Written),
            3 => Just(Happens::Took),
            1 => any::<usize>().prop_map(Happens::TookSomethingElse),
            1 => Just(Happens::Refused),
            1 => Just(Happens::Seen),
            1 => (1_i64..100).prop_map(Happens::Passed),
            1 => Just(Happens::Restarted),
        ], 0..60),
    ) {
        let mut world = World::with(Config { max_queue: 5, ..config() });
        world.step(Input::Started);
        let (mut phone, mut accepted, mut number) = (Memory::default(), Vec::new(), 0);
        for happens in history {
            let outputs = match happens {
                Happens::Written => {
                    let outputs = world.submit(to_phone(1, &packet(number)));
                    if matches!(outputs[0], Output::SubmitResp { status: CommandStatus::ROK, .. }) {
                        accepted.push(number);
                    }
                    number += 1;
                    outputs
                }
                Happens::Took => {
                    phone.take(&mut world);
                    Vec::new()
                }
                // A late answer to a message that was sent again is an answer to nothing.
                Happens::TookSomethingElse(at) => {
                    let mut others = phone.references.clone();
                    others.retain(|mr| phone.last.is_none_or(|(last, _)| last != *mr));
                    match others.is_empty() {
                        true => Vec::new(),
                        false => world.ack(1, others[at % others.len()]),
                    }
                }
                Happens::Refused => match phone.last.take() {
                    None => Vec::new(),
                    Some((mr, _)) => world.error(1, mr, Cause::CONGESTION, None),
                },
                Happens::Seen => world.available(1),
                Happens::Passed(time) => {
                    let until = world.now + seconds(time);
                    world.run(until)
                }
                Happens::Restarted => world.step(Input::Started),
            };
            phone.receive(&outputs);
        }
        let outputs = world.available(1);
        phone.receive(&outputs);
        while phone.last.is_some() {
            phone.take(&mut world);
        }
        prop_assert_eq!(world.kept(), [""; 0]);
        prop_assert!(world.store.timers.is_empty());
        phone.taken.dedup();
        prop_assert_eq!(phone.taken, accepted);
    }
}

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::runtime::store::{CommitFuture, MemoryStore, Record, RedbStore, Version};

/// A kitchen that cooks orders: `Order` counts and promises a dish, which a timer delivers.
struct Kitchen {
    steps: AtomicUsize,
}

#[derive(Clone, Debug)]
enum Input {
    Order {
        dish: &'static str,
        takes: Option<i64>,
    },
    CallOff(&'static str),
    Timer(String),
    Stock,
}

#[derive(Debug, PartialEq)]
enum Output {
    Plate(String),
    Said(String),
}

impl Party for Kitchen {
    type Input = Input;
    type Output = Output;
    type Event = String;

    const NAME: &'static str = "kitchen";

    fn step(
        &self,
        view: &dyn ReadView,
        input: &Input,
        now: Timestamp,
        rng: &mut dyn Rng,
    ) -> Stepped<Output, String> {
        self.steps.fetch_add(1, Ordering::Relaxed);
        let mut stepped = Stepped::default();
        match input {
            Input::Order { dish, takes } => {
                let count = count(view, "count/all") + 1;
                stepped.writes.push(put("count/all", count));
                let due = takes.map(|takes| now + jiff::SignedDuration::from_secs(takes));
                stepped.timers.push(((*dish).to_owned(), due));
                stepped.events.push(format!("order {count} of {dish}"));
            }
            Input::CallOff(dish) => stepped.timers.push(((*dish).to_owned(), None)),
            Input::Timer(dish) => {
                let served = count(view, "count/served") + 1;
                stepped.writes.push(put("count/served", served));
                stepped.outputs.push(Output::Said("ready".to_owned()));
                stepped
                    .outputs
                    .push(Output::Plate(format!("{dish}-{served}")));
                stepped
                    .outputs
                    .push(Output::Plate(format!("bill-{served}")));
                if dish == "buffet" {
                    stepped.timers.push((
                        dish.clone(),
                        Some(now + jiff::SignedDuration::from_secs(10)),
                    ));
                }
            }
            Input::Stock => {
                let counts = view.scan("count/");
                let named = format!(
                    "{} {} {}",
                    counts.len(),
                    count(view, "count/all"),
                    rng.next_u32()
                );
                stepped.outputs.push(Output::Said(named));
            }
        }
        stepped
    }

    fn timer(key: String) -> Input {
        Input::Timer(key)
    }

    fn durable(output: &Output) -> Option<(String, Vec<u8>)> {
        match output {
            Output::Plate(id) => Some((id.clone(), id.clone().into_bytes())),
            Output::Said(_) => None,
        }
    }

    fn restore(octets: &[u8]) -> Option<Output> {
        Some(Output::Plate(String::from_utf8(octets.to_vec()).ok()?))
    }
}

fn count(view: &dyn ReadView, key: &str) -> u64 {
    let value = view.get(key).unwrap_or_default();
    String::from_utf8(value).unwrap().parse().unwrap_or(0)
}

fn put(key: &str, count: u64) -> Write {
    Write::Put {
        key: key.to_owned(),
        value: count.to_string().into_bytes(),
    }
}

fn order(dish: &'static str, takes: i64) -> Input {
    let takes = Some(takes);
    Input::Order { dish, takes }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn kitchen(store: &Arc<impl Store>, clock: &Clock) -> Driver<Kitchen> {
    let party = Kitchen {
        steps: AtomicUsize::new(0),
    };
    let store = Arc::clone(store) as Arc<dyn Store>;
    Driver::new(party, store, clock.clone(), Chance::seeded(1))
}

fn clock() -> Clock {
    Clock::frozen(Timestamp::UNIX_EPOCH)
}

fn plates(names: &[&str]) -> Vec<Output> {
    names
        .iter()
        .map(|name| Output::Plate((*name).to_owned()))
        .collect()
}

/// Moves to `seconds` and fires what is due, as the in-process wiring does.
fn fire_until(driver: &Driver<Kitchen>, clock: &Clock, seconds: i64) -> Vec<Output> {
    clock.move_to(at(seconds));
    let mut outputs = Vec::new();
    while let Some(due) = clock.pop_due(clock.now()) {
        outputs.extend(driver.fire_now(&due).unwrap().outputs);
    }
    outputs
}

#[test]
fn outputs_and_events_come_with_the_commit() {
    let (store, clock) = (Arc::new(MemoryStore::new()), clock());
    let driver = kitchen(&store, &clock);
    let handled = driver.handle_now(order("soup", 5)).unwrap();
    assert_eq!(handled.events, ["order 1 of soup"]);
    assert_eq!(handled.outputs, []);
    assert_eq!(store.get("count/all").unwrap().unwrap().value[..], *b"1");
    assert_eq!(clock.next_due_at(), Some(at(5)));
}

#[test]
fn a_timer_fires_once_and_its_record_goes_with_the_step() {
    let (store, clock) = (Arc::new(MemoryStore::new()), clock());
    let driver = kitchen(&store, &clock);
    driver.handle_now(order("soup", 5)).unwrap();
    assert!(store.get("timer/soup").unwrap().is_some());
    let mut expected = vec![Output::Said("ready".to_owned())];
    expected.extend(plates(&["soup-1", "bill-1"]));
    assert_eq!(fire_until(&driver, &clock, 60), expected);
    assert!(store.get("timer/soup").unwrap().is_none());
    assert_eq!(clock.next_due_at(), None);
    assert!(clock.is_idle());
}

#[test]
fn a_timer_set_again_by_its_own_step_stays() {
    let (store, clock) = (Arc::new(MemoryStore::new()), clock());
    let driver = kitchen(&store, &clock);
    driver.handle_now(order("buffet", 5)).unwrap();
    fire_until(&driver, &clock, 5);
    assert_eq!(clock.next_due_at(), Some(at(15)));
    assert_eq!(fire_until(&driver, &clock, 15).len(), 3);
}

#[test]
fn a_stale_timer_does_nothing() {
    let (store, clock) = (Arc::new(MemoryStore::new()), clock());
    let driver = kitchen(&store, &clock);
    for dish in ["moved", "called off"] {
        driver.handle_now(order(dish, 5)).unwrap();
    }
    clock.move_to(at(5));
    let moved = clock.pop_due(at(5)).unwrap();
    let called_off = clock.pop_due(at(5)).unwrap();
    driver.handle_now(order("moved", 10)).unwrap();
    driver.handle_now(Input::CallOff("called off")).unwrap();
    let steps = driver.party().steps.load(Ordering::Relaxed);
    for due in [&moved, &called_off] {
        assert_eq!(driver.fire_now(due).unwrap().outputs, []);
    }
    assert_eq!(driver.party().steps.load(Ordering::Relaxed), steps);
    assert_eq!(clock.next_due_at(), Some(at(15)));
    assert_eq!(fire_until(&driver, &clock, 15).len(), 3);
}

/// Another process changes a record between the step and its commit, the first `times` times.
struct Meddler {
    inner: MemoryStore,
    key: &'static str,
    times: AtomicUsize,
}

impl Store for Meddler {
    fn get(&self, key: &str) -> Result<Option<Record>, StoreError> {
        self.inner.get(key)
    }

    fn scan(&self, prefix: &str) -> Result<Vec<(String, Record)>, StoreError> {
        self.inner.scan(prefix)
    }

    fn commit(&self, batch: Batch) -> CommitFuture {
        let left = self
            .times
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        if left.is_ok() {
            let before = self.inner.get(self.key).unwrap();
            let before = before.map_or(0, |it| {
                String::from_utf8(it.value.to_vec())
                    .unwrap()
                    .parse()
                    .unwrap()
            });
            let writes = vec![put(self.key, before + 100)];
            let batch = Batch {
                writes,
                ..Batch::default()
            };
            assert_eq!(self.inner.commit(batch).wait(), Ok(()));
        }
        self.inner.commit(batch)
    }

    fn durable(&self) -> bool {
        false
    }
}

fn meddler(key: &'static str, times: usize) -> Arc<Meddler> {
    Arc::new(Meddler {
        inner: MemoryStore::new(),
        key,
        times: AtomicUsize::new(times),
    })
}

#[test]
fn a_conflict_steps_again_on_what_is_there_now() {
    let store = meddler("count/all", 3);
    let driver = kitchen(&store, &clock());
    let handled = driver.handle_now(order("soup", 5)).unwrap();
    assert_eq!(
        handled.events,
        ["order 301 of soup"],
        "of the last step only"
    );
    assert_eq!(driver.party().steps.load(Ordering::Relaxed), 4);
}

#[test]
fn endless_contention_is_given_up_without_a_trace() {
    let (store, clock) = (meddler("count/all", usize::MAX), clock());
    let driver = kitchen(&store, &clock);
    let error = driver.handle_now(order("soup", 5)).unwrap_err();
    let expected = HandleError::Contended {
        party: "kitchen",
        attempts: ATTEMPTS,
        key: "count/all".to_owned(),
    };
    assert_eq!(error, expected);
    assert_eq!(clock.next_due_at(), None);
    assert!(store.get("timer/soup").unwrap().is_none());
}

#[test]
fn a_step_that_only_reads_sees_one_version_of_everything() {
    let store = meddler("count/new", 1);
    let driver = kitchen(&store, &clock());
    let handled = driver.handle_now(Input::Stock).unwrap();
    let Output::Said(said) = &handled.outputs[0] else {
        panic!("{handled:?}");
    };
    assert!(
        said.starts_with("1 0 "),
        "the scan before the change was discarded: {said}"
    );
    assert_eq!(driver.party().steps.load(Ordering::Relaxed), 2);
}

#[test]
fn threads_on_one_record_lose_nothing() {
    let (store, clock) = (Arc::new(MemoryStore::new()), clock());
    let driver = kitchen(&store, &clock);
    let dishes = ["a", "b", "c", "d"];
    std::thread::scope(|scope| {
        for dish in dishes {
            let driver = &driver;
            scope.spawn(move || {
                for takes in 1..=200 {
                    driver.handle_now(order(dish, takes)).unwrap();
                }
            });
        }
    });
    assert_eq!(store.get("count/all").unwrap().unwrap().value[..], *b"800");
    assert_eq!(fire_until(&driver, &clock, 199), []);
    assert_eq!(fire_until(&driver, &clock, 200).len(), 3 * dishes.len());
}

/// The clock's queue must end up as the store has it, whichever of two racing changes gets to it last.
#[test]
fn racing_changes_of_one_timer_leave_clock_and_store_agreed() {
    let (store, clock) = (Arc::new(MemoryStore::new()), clock());
    let driver = kitchen(&store, &clock);
    for _ in 0..100 {
        std::thread::scope(|scope| {
            for takes in [Some(7), Some(8), None] {
                let driver = &driver;
                scope.spawn(move || {
                    driver
                        .handle_now(Input::Order { dish: "x", takes })
                        .unwrap()
                });
            }
        });
        let record = store.get("timer/x").unwrap();
        assert_eq!(
            clock.next_due_at(),
            record.and_then(|it| decode_due(&it.value))
        );
    }
}

#[test]
fn what_a_crash_left_is_found_again() {
    let store = Arc::new(RedbStore::in_memory());
    {
        let clock = clock();
        let driver = kitchen(&store, &clock);
        driver.handle_now(order("soup", 5)).unwrap();
        driver.handle_now(order("pie", 6)).unwrap();
        driver.handle_now(order("tart", 7)).unwrap();
        assert_eq!(fire_until(&driver, &clock, 6).len(), 6);
        assert_eq!(driver.done("bill-1").wait(), Ok(()));
    }
    let junk = [
        ("timer/junk", vec![1, 2]),
        ("outbox/junk", vec![0, 0, 0, 1, 0xFF]),
        ("outbox/short", vec![]),
    ];
    let writes = junk.into_iter().map(|(key, value)| Write::Put {
        key: key.to_owned(),
        value,
    });
    let batch = Batch {
        writes: writes.collect(),
        ..Batch::default()
    };
    assert_eq!(store.commit(batch).wait(), Ok(()));

    let clock = Clock::frozen(at(6));
    let driver = kitchen(&store, &clock);
    let recovered = driver.recover().unwrap();
    assert_eq!(recovered.outputs, plates(&["soup-1", "pie-2", "bill-2"]));
    assert_eq!(recovered.timers, 1);
    assert_eq!(
        recovered.unreadable,
        ["timer/junk", "outbox/junk", "outbox/short"]
    );
    assert_eq!(clock.next_due_at(), Some(at(7)));
    assert_eq!(fire_until(&driver, &clock, 7).len(), 3);
}

#[test]
fn a_store_that_forgets_keeps_no_outbox() {
    let (store, clock) = (Arc::new(MemoryStore::new()), clock());
    let driver = kitchen(&store, &clock);
    driver.handle_now(order("soup", 0)).unwrap();
    assert_eq!(fire_until(&driver, &clock, 0).len(), 3);
    assert_eq!(store.scan("outbox/").unwrap(), []);
    assert_eq!(driver.done("soup-1").wait(), Ok(()));
}

/// A medium that cannot be read.
struct Broken;

fn broken() -> StoreError {
    StoreError::Full {
        file: "kitchen.redb".into(),
    }
}

impl Store for Broken {
    fn get(&self, _: &str) -> Result<Option<Record>, StoreError> {
        Err(broken())
    }

    fn scan(&self, _: &str) -> Result<Vec<(String, Record)>, StoreError> {
        Err(broken())
    }

    fn commit(&self, _: Batch) -> CommitFuture {
        panic!("a step on unread records must not be committed");
    }

    fn durable(&self) -> bool {
        true
    }
}

#[test]
fn a_failed_read_is_an_error_and_not_an_absent_record() {
    let driver = kitchen(&Arc::new(Broken), &clock());
    let expected = HandleError::Store {
        party: "kitchen",
        error: broken(),
    };
    for input in [order("soup", 5), Input::Stock] {
        assert_eq!(driver.handle_now(input).unwrap_err(), expected);
    }
    assert_eq!(driver.recover().unwrap_err(), expected);
    assert!(
        expected
            .to_string()
            .starts_with("kitchen: no space left for kitchen.redb")
    );
}

#[test]
fn futures_of_the_driver_can_move_between_threads() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let driver = kitchen(&Arc::new(RedbStore::in_memory()), &clock());
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let handled = runtime
        .block_on(is_send(driver.handle(order("soup", 5))))
        .unwrap();
    assert_eq!(handled.events.len(), 1);
}

#[test]
fn due_times_survive_their_octets() {
    for due in [
        at(0),
        at(-5),
        Timestamp::MIN,
        Timestamp::MAX,
        Timestamp::new(1, 5).unwrap(),
    ] {
        assert_eq!(decode_due(&encode_due(due)), Some(due));
    }
    assert_eq!(decode_due(&[0; 11]), None);
    assert_eq!(decode_due(&[0xFF; 13]), None);
    assert_eq!(decode_due(&[0x7F; 12]), None);
    assert_eq!(Version::ABSENT, Version(0));
}

#[test]
fn inputs_handled_together_see_each_other_and_cost_one_commit() {
    let store = Arc::new(RedbStore::in_memory());
    let clock = clock();
    let driver = kitchen(&store, &clock);
    let inputs = [
        order("soup", 5),
        Input::Stock,
        order("fish", 5),
        Input::CallOff("soup"),
        Input::Stock,
    ];
    let before = store.transactions();
    let handled = block_on(driver.handle_all(&inputs)).unwrap();
    assert_eq!(store.transactions(), before + 1);
    assert_eq!(handled.events, ["order 1 of soup", "order 2 of fish"]);
    let said: Vec<_> = handled
        .outputs
        .iter()
        .map(|output| match output {
            Output::Said(said) => said.rsplit_once(' ').unwrap().0,
            Output::Plate(plate) => plate,
        })
        .collect();
    assert_eq!(
        said,
        ["1 1", "1 2"],
        "records, and the count in one of them"
    );
    assert_eq!(store.get("count/all").unwrap().unwrap().value[..], *b"2");
    assert_eq!(clock.next_due_at(), Some(at(5)));
    let served = fire_until(&driver, &clock, 9);
    assert_eq!(served[1..], plates(&["fish-1", "bill-1"]), "no soup");
}

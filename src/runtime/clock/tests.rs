use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;

const START: Timestamp = Timestamp::UNIX_EPOCH;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().build().unwrap().block_on(future)
}

fn pop_all(clock: &Clock) -> Vec<(String, Timestamp)> {
    std::iter::from_fn(|| clock.pop_due(clock.now()))
        .map(|due| (format!("{}/{}", due.party, due.key), due.due))
        .collect()
}

fn names(popped: &[(String, Timestamp)]) -> Vec<&str> {
    popped.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn timers_come_by_due_time_then_by_order_of_setting() {
    let clock = Clock::frozen(START);
    clock.set("op", "late", at(9));
    clock.set("op", "b", at(5));
    clock.set("mssp", "a", at(5));
    clock.set("op", "a", at(5));
    clock.set("ota", "first", at(1));
    assert_eq!(clock.next_due_at(), Some(at(1)));
    assert_eq!(pop_all(&clock), []);

    clock.move_to(at(5));
    let popped = pop_all(&clock);
    assert_eq!(names(&popped), ["ota/first", "op/b", "mssp/a", "op/a"]);
    assert_eq!(popped[0].1, at(1));
    assert_eq!(clock.next_due_at(), Some(at(9)));
}

#[test]
fn setting_again_replaces_and_cancelling_removes() {
    let clock = Clock::frozen(START);
    clock.set("op", "moved", at(1));
    clock.set("op", "kept", at(2));
    clock.set("op", "other", at(2));
    clock.set("op", "cancelled", at(2));
    clock.set("op", "moved", at(3));
    clock.set("op", "kept", at(2));
    clock.cancel("op", "cancelled");
    clock.cancel("op", "unknown");
    clock.cancel("nobody", "kept");
    clock.move_to(at(3));
    assert_eq!(names(&pop_all(&clock)), ["op/kept", "op/other", "op/moved"]);
    assert_eq!(clock.next_due_at(), None);
}

#[test]
fn time_stands_moves_forward_only_and_runs_on() {
    let clock = Clock::frozen(at(100));
    assert!(clock.is_frozen());
    clock.move_to(at(50));
    assert_eq!(clock.now(), at(100));
    clock.resume();
    assert!(!clock.is_frozen());
    assert!(clock.now() >= at(100));
    clock.move_to(at(1_000));
    assert!(clock.now() >= at(1_000));
    assert!(clock.now() < at(1_000_000), "not the machine's time");
    let stood = clock.freeze();
    assert_eq!(clock.now(), stood);
}

#[test]
fn a_real_clock_goes_with_the_machine() {
    let before = machine_now();
    let now = Clock::real().now();
    assert!((before..=machine_now()).contains(&now));
}

#[test]
fn a_running_clock_hands_out_what_is_due() {
    let clock = Clock::real();
    let past = clock.now();
    clock.set("op", "past", past);
    let due = block_on(clock.next_due());
    assert_eq!((due.party, due.key.as_str(), due.due), ("op", "past", past));
    assert_eq!(clock.in_flight(), 1, "a due timer is in flight");
    drop(due);
    assert!(clock.is_idle());
}

#[test]
fn a_timer_set_later_wakes_the_waiter() {
    block_on(async {
        let clock = Clock::frozen(START);
        clock.set("op", "far", at(1_000));
        let waiter = tokio::spawn({
            let clock = clock.clone();
            async move { clock.next_due().await.key }
        });
        tokio::task::yield_now().await;
        clock.set("op", "near", at(0));
        assert_eq!(waiter.await.unwrap(), "near");
    });
}

#[test]
fn a_time_is_reached_when_the_clock_gets_there() {
    block_on(async {
        let clock = Clock::frozen(START);
        clock.reached(START).await;
        let waiter = tokio::spawn({
            let clock = clock.clone();
            async move { clock.reached(at(10)).await }
        });
        clock.move_to(at(9));
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        clock.move_to(at(10));
        waiter.await.unwrap();
        assert_eq!(clock.next_due_at(), None);
    });
}

#[test]
fn idle_waits_for_the_last_guard() {
    block_on(async {
        let clock = Clock::frozen(START);
        clock.idle().await;
        let first = clock.begin();
        let second = first.clone();
        assert_eq!(clock.in_flight(), 2);
        let idle = tokio::spawn({
            let clock = clock.clone();
            async move { clock.idle().await }
        });
        tokio::task::yield_now().await;
        drop(first);
        tokio::task::yield_now().await;
        assert!(!idle.is_finished());
        drop(second);
        idle.await.unwrap();
    });
}

#[test]
fn idle_waits_for_timers_that_are_due() {
    block_on(async {
        let clock = Clock::frozen(START);
        clock.set("op", "now", START);
        assert!(!clock.is_idle());
        let idle = tokio::spawn({
            let clock = clock.clone();
            async move { clock.idle().await }
        });
        tokio::task::yield_now().await;
        assert!(!idle.is_finished());
        clock.cancel("op", "now");
        idle.await.unwrap();
    });
}

/// A dispatcher as the sockets wiring has one: each timer is handled by a task that passes it on in two hops, and some set more.
fn dispatcher(clock: &Clock, log: mpsc::UnboundedSender<String>) -> JoinHandle<()> {
    let clock = clock.clone();
    tokio::spawn(async move {
        loop {
            let due = clock.next_due().await;
            let (clock, log) = (clock.clone(), log.clone());
            tokio::spawn(async move {
                let next = due.flight.clone();
                log.send(format!("{} at {}", due.key, clock.now().as_second()))
                    .unwrap();
                tokio::spawn(async move {
                    tokio::task::yield_now().await;
                    if due.key == "repeat" {
                        clock.set("op", "repeat", clock.now() + Duration::from_secs(2));
                    }
                    log.send(format!("{} done", due.key)).unwrap();
                    drop(next);
                });
            });
        }
    })
}

fn drain(log: &mut mpsc::UnboundedReceiver<String>) -> Vec<String> {
    std::iter::from_fn(|| log.try_recv().ok()).collect()
}

#[test]
fn advance_settles_each_timer_before_the_next() {
    block_on(async {
        let clock = Clock::frozen(START);
        let (sender, mut log) = mpsc::unbounded_channel();
        let dispatcher = dispatcher(&clock, sender);
        clock.set("op", "repeat", at(1));
        clock.set("op", "same", at(3));
        clock.set("op", "beyond", at(6));

        assert_eq!(clock.advance(Duration::from_secs(5)).await, 4);
        let expected = [
            "repeat at 1",
            "repeat done",
            "same at 3",
            "same done",
            "repeat at 3",
            "repeat done",
            "repeat at 5",
            "repeat done",
        ];
        assert_eq!(drain(&mut log), expected);
        assert_eq!(clock.now(), at(5));

        assert_eq!(clock.jump_to_next().await, Some(at(6)));
        assert_eq!(drain(&mut log), ["beyond at 6", "beyond done"]);
        clock.cancel("op", "repeat");
        assert_eq!(clock.jump_to_next().await, None);
        assert_eq!(clock.now(), at(6));
        dispatcher.abort();
    });
}

#[test]
fn a_running_clock_can_be_advanced_and_runs_on() {
    block_on(async {
        let clock = Clock::real();
        let (sender, mut log) = mpsc::unbounded_channel();
        let dispatcher = dispatcher(&clock, sender);
        let hour = Duration::from_secs(3600);
        let due = clock.now() + hour;
        clock.set("op", "expiry", due);
        assert_eq!(clock.advance(hour * 2).await, 1);
        assert_eq!(drain(&mut log).len(), 2);
        assert!(!clock.is_frozen());
        assert!(clock.now() >= due + hour);
        dispatcher.abort();
    });
}

#[test]
fn advance_given_up_half_way_leaves_the_clock_running() {
    block_on(async {
        let clock = Clock::real();
        let busy = clock.begin();
        let advance = clock.advance(Duration::from_secs(60));
        tokio::select! {
            biased;
            _ = advance => panic!("something is in flight"),
            () = tokio::task::yield_now() => {}
        }
        assert!(!clock.is_frozen());
        drop(busy);
        clock.advance(Duration::from_secs(1)).await;
    });
}

#[test]
fn a_flight_changes_hands_and_is_never_counted_twice() {
    let clock = Clock::frozen(START);
    let flight = clock.depart();
    let other = clock.depart();
    assert_ne!(flight.id(), other.id());
    drop(other);
    assert_eq!(clock.in_flight(), 1);

    let taken = clock.arrive(flight.id()).unwrap();
    assert!(clock.arrive(flight.id()).is_none(), "only once");
    assert_eq!(clock.in_flight(), 1);
    drop(taken);
    assert_eq!(clock.in_flight(), 0, "a held request counts nothing");

    clock.depart_reply(flight.id(), clock.begin());
    assert_eq!(clock.in_flight(), 1);
    drop(flight);
    assert_eq!(clock.in_flight(), 0);
    clock.depart_reply(0, clock.begin());
    assert!(clock.arrive(12_345).is_none());
    assert_eq!(clock.in_flight(), 0);
}

#[test]
fn a_wire_counts_what_is_sent_and_not_yet_handled() {
    let clock = Clock::frozen(START);
    let server: SocketAddr = "127.0.0.1:2775".parse().unwrap();
    let client: SocketAddr = "127.0.0.1:40000".parse().unwrap();
    assert!(
        clock.wire_out(client, server).is_none(),
        "a stranger listens"
    );
    clock.listening(server);
    assert!(
        clock.wire_in(server, client).is_none(),
        "a stranger connected"
    );

    let out = clock.wire_out(client, server).unwrap();
    out.sent(16);
    let into = clock.wire_in(server, client).unwrap();
    assert_eq!(clock.in_flight(), 16);
    into.sent(4);
    into.handled(10);
    assert_eq!(clock.in_flight(), 10);
    into.handled(1_000);
    out.handled(3);
    assert_eq!(clock.in_flight(), 1);
    drop(into);
    assert_eq!(clock.in_flight(), 0, "nothing arrives on a closed wire");
    out.sent(5);
    assert_eq!(clock.in_flight(), 0);
    drop(out);
    assert!(clock.wire_in(server, client).is_none());
}

#[test]
fn guards_from_many_threads_end_at_zero() {
    let clock = Clock::frozen(START);
    let most = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..1_000 {
                    let guard = clock.begin();
                    most.fetch_max(clock.in_flight(), Ordering::Relaxed);
                    drop(guard);
                }
            });
        }
    });
    assert!((1..=8).contains(&most.into_inner()));
    assert!(clock.is_idle());
}

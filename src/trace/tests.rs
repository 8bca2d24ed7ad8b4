use super::*;
use crate::faults::{Action, Injected, LinkName};

fn lost(message: &str) -> AnyEvent {
    AnyEvent::Fault(Injected {
        message: message.to_owned(),
        link: LinkName::MsspToOp,
        action: Action::Lose,
        octets: Vec::new(),
    })
}

#[test]
fn a_fault_belongs_to_the_message_that_it_hits() {
    let log = TraceLog::new();
    log.record(Timestamp::UNIX_EPOCH, [lost("mssp_trans_id:M1")]);
    log.record(Timestamp::UNIX_EPOCH, [lost("mssp_trans_id:M2")]);
    assert_eq!(log.get("mssp_trans_id:M1").unwrap().events.len(), 1);
    assert_eq!(log.get("mssp_trans_id:M2").unwrap().events.len(), 1);
}

fn requested(n: usize, octets: usize) -> AnyEvent {
    AnyEvent::Mssp(mssp::Event {
        own: ota_wire::trace::Id::ap_trans_id(&n.to_string()),
        parent: None,
        kind: mssp::event::EventKind::Requested {
            body: mssp::event::Body(vec![b' '; octets].into()),
            deviations: Vec::new(),
        },
    })
}

#[test]
fn a_cause_that_is_recorded_late_still_joins_what_it_caused() {
    use ota_wire::trace::Id;

    let event = |own: Id, parent: Option<Id>| {
        let kind = mssp::event::EventKind::Requested {
            body: mssp::event::Body(Vec::new().into()),
            deviations: Vec::new(),
        };
        AnyEvent::Mssp(mssp::Event { own, parent, kind })
    };
    let log = TraceLog::new();
    for event in [
        event(Id::job("M1"), None),
        event(Id::new("rp", "447700900001:1"), Some(Id::smpp("A9"))),
        event(Id::smpp("A9"), None),
        event(Id::smpp("A9"), Some(Id::job("M1"))),
    ] {
        log.record(Timestamp::UNIX_EPOCH, [event]);
    }
    assert_eq!(log.list(9).len(), 1);
    assert_eq!(log.get("job:M1").unwrap().events.len(), 4);
    // RP-MR has come round.
    let again = event(Id::new("rp", "447700900001:1"), Some(Id::smpp("B7")));
    log.record(Timestamp::UNIX_EPOCH, [again]);
    assert_eq!(log.get("smpp:B7").unwrap().events.len(), 1);
    assert_eq!(log.get("job:M1").unwrap().events.len(), 4);
}

#[test]
fn large_messages_push_out_only_each_other() {
    const MEGABYTE: usize = 1 << 20;
    let log = TraceLog::new();
    log.record(Timestamp::UNIX_EPOCH, [requested(0, 100)]);
    for n in 1..=100 {
        log.record(Timestamp::UNIX_EPOCH, [requested(n, MEGABYTE)]);
    }
    let kept = |n: usize| log.get(&format!("ap_trans_id:{n}")).is_some();
    let large = (1..=100).filter(|n| kept(*n)).count();
    assert_eq!(large, LARGE_IN_ALL / MEGABYTE);
    assert!(kept(0), "it is small");
    assert!(kept(100) && !kept(1), "the oldest goes first");
}

#[test]
fn recorded_side_by_side_nothing_is_lost_or_waits_without_bound() {
    const EACH: usize = 5_000;
    const THREADS: usize = 4;
    let log = TraceLog::new();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let log = &log;
            scope.spawn(move || {
                for n in 0..EACH {
                    // Few transactions, so that no bound on them is reached.
                    let name = format!("mssp_trans_id:{thread}-{}", n / 1_000);
                    log.record(Timestamp::UNIX_EPOCH, [lost(&name)]);
                }
            });
        }
    });
    // Each of them may have put in one more before it looked.
    let most = FULL * OVERFULL + THREADS;
    let waiting = lock(&log.arrived).events.len();
    assert!(waiting <= most, "{waiting} wait");
    let traces = log.list(usize::MAX);
    assert_eq!(traces.len(), THREADS * EACH / 1_000);
    let mut all: Vec<_> = traces
        .iter()
        .flat_map(|trace| trace.events.iter().map(|event| event.seq))
        .collect();
    all.sort_unstable();
    assert!(all.into_iter().eq(1..=(THREADS * EACH) as u64));
    for trace in &traces {
        assert!(trace.events.is_sorted_by_key(|event| event.seq));
    }
}

#[test]
fn who_watches_late_hears_what_comes_and_knows_what_was() {
    let log = TraceLog::new();
    log.record(Timestamp::UNIX_EPOCH, [lost("mssp_trans_id:M1")]);
    let mut seen = log.watch();
    assert_eq!(*seen.borrow(), 1);
    assert!(!seen.has_changed().unwrap());
    log.record(Timestamp::UNIX_EPOCH, [lost("a"), lost("b")]);
    assert!(seen.has_changed().unwrap());
    assert_eq!(*seen.borrow_and_update(), 3);
}

#[test]
fn transactions_that_merge_leave_no_hole_in_their_order() {
    use ota_wire::trace::Id;

    let event = |own: &str, parent: Option<&str>| {
        AnyEvent::Mssp(mssp::Event {
            own: Id::job(own),
            parent: parent.map(Id::job),
            kind: mssp::event::EventKind::Requested {
                body: mssp::event::Body(Vec::new().into()),
                deviations: Vec::new(),
            },
        })
    };
    let log = TraceLog::new();
    for name in ["a", "b", "c"] {
        log.record(Timestamp::UNIX_EPOCH, [event(name, None)]);
    }
    log.record(Timestamp::UNIX_EPOCH, [event("b", Some("a"))]);
    let ids: Vec<_> = log.list(9).into_iter().map(|trace| trace.id).collect();
    assert_eq!(ids, ["t3", "t1"]);
    assert_eq!(log.get("job:b").unwrap().events.len(), 3);
}

//! One seed, one trace: the in-process wiring repeats itself to the octet, whatever it runs and wherever it keeps its records.

use std::collections::HashSet;
use std::task::Poll;

use midsim::rp::{self, Ended, Port, Wait};
use midsim::suite::{Builder, InProcessSuite, MssMode};
use midsim::world::{Mode, World};
use ota_wire::keys::Family;

use crate::support::{Folder, crowd, flow, number};

/// What is run.
#[derive(Clone, Copy, Debug)]
struct Case {
    mode: Mode,
    keys: Family,
    mss: MssMode,
    msisdn: &'static str,
    /// What the RP gets: tokens, or this error.
    error: Option<&'static str>,
}

const APPROVES: &str = "+447700900002";
const SLOW: &str = "+447700900003";
const CANCELS: &str = "+447700900004";
const WRONG_ONCE: &str = "+447700900005";
const NO_COVERAGE: &str = "+447700900008";

const CASES: [Case; 8] = [
    case(Mode::Poll, Family::Aes128, APPROVES, None),
    case(Mode::Poll, Family::TripleDes2, SLOW, None),
    case(Mode::Ping, Family::Aes128, WRONG_ONCE, None),
    case(Mode::Ping, Family::TripleDes2, APPROVES, None),
    case(Mode::Push, Family::Aes128, APPROVES, None),
    case(
        Mode::Push,
        Family::TripleDes2,
        CANCELS,
        Some("access_denied"),
    ),
    case(Mode::Poll, Family::Aes128, CANCELS, Some("access_denied")),
    case(
        Mode::Poll,
        Family::Aes128,
        NO_COVERAGE,
        Some("expired_token"),
    ),
];

const fn case(mode: Mode, keys: Family, msisdn: &'static str, error: Option<&'static str>) -> Case {
    let mss = match mode {
        Mode::Poll => MssMode::AsynchServerServer,
        Mode::Ping => MssMode::AsynchClientServer,
        Mode::Push => MssMode::Synch,
    };
    Case {
        mode,
        keys,
        mss,
        msisdn,
        error,
    }
}

#[test]
fn one_seed_gives_one_trace_to_the_octet() {
    for case in CASES {
        let first = trace(case, 1, None);
        assert!(first.contains("\"octets\""), "{case:?}");
        assert_eq!(first, trace(case, 1, None), "{case:?}");
        assert_ne!(first, trace(case, 2, None), "{case:?}");
    }
}

#[test]
fn a_store_on_disk_changes_nothing_in_the_trace() {
    for case in CASES {
        let folder = Folder::new("determinism");
        assert_eq!(
            trace(case, 1, Some(&folder)),
            trace(case, 1, None),
            "{case:?}"
        );
    }
}

#[test]
fn two_hundred_flows_in_one_suite_stay_correct() {
    let mut suite = Builder::new(crowd()).seed(7).in_process().unwrap();
    let mut seen = HashSet::new();
    for n in 0..100 {
        let mode = [Mode::Poll, Mode::Ping, Mode::Push][n % 3];
        let msisdn = match n % 10 {
            8 => CANCELS.to_owned(),
            9 => WRONG_ONCE.to_owned(),
            // The same cards again and again: their counters go up.
            _ => number(n % 25),
        };
        let ended = suite.run(&flow(&suite.issuer(), mode, &msisdn)).unwrap();
        match ended {
            Ended::Tokens(tokens) if msisdn != CANCELS => {
                assert_eq!(tokens.userinfo["phone_number"], msisdn.as_str(), "{n}");
                assert!(
                    seen.insert(tokens.auth_req_id) && seen.insert(tokens.access_token),
                    "{n}"
                );
            }
            Ended::Refused { error, .. } if msisdn == CANCELS => assert_eq!(error, "access_denied"),
            other => panic!("flow {n} of {msisdn}: {other:?}"),
        }
    }
    let flows: Vec<_> = (100..200)
        .map(|n| flow(&suite.issuer(), Mode::Poll, &number(n)))
        .collect();
    let port = suite.network().port();
    for (n, ended) in (100..).zip(side_by_side(&mut suite, port.as_ref(), &flows)) {
        let Ended::Tokens(tokens) = ended else {
            panic!("flow {n}: {ended:?}")
        };
        assert_eq!(tokens.userinfo["phone_number"], number(n).as_str());
        assert!(
            seen.insert(tokens.auth_req_id) && seen.insert(tokens.access_token),
            "{n}"
        );
    }
    suite.network().settle().unwrap();
}

/// Runs flows at the same time, in one thread.
fn side_by_side(suite: &mut InProcessSuite, port: &dyn Port, flows: &[rp::Flow]) -> Vec<Ended> {
    let mut running: Vec<Wait<'_, Ended>> = flows
        .iter()
        .map(|flow| Box::pin(rp::run(port, flow)) as Wait<'_, Ended>)
        .collect();
    let mut ended: Vec<Option<Ended>> = flows.iter().map(|_| None).collect();
    let all = std::future::poll_fn(|context| {
        for (flow, ended) in running.iter_mut().zip(&mut ended) {
            if ended.is_none()
                && let Poll::Ready(end) = flow.as_mut().poll(context)
            {
                *ended = Some(end);
            }
        }
        if ended.iter().all(Option::is_some) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    });
    suite.network().run(all).unwrap();
    ended.into_iter().map(Option::unwrap).collect()
}

/// Every transaction of a run as JSON, oldest first.
fn trace(case: Case, seed: u64, folder: Option<&Folder>) -> String {
    let mut world = World::default();
    world.family = case.keys;
    let mut builder = Builder::new(world)
        .seed(seed)
        .mss_mode(case.mss)
        .mac_3des(case.keys == Family::TripleDes2);
    if let Some(folder) = folder {
        builder = builder.data_dir(folder.path());
    }
    let mut suite = builder.in_process().unwrap();
    let wanted = flow(&suite.issuer(), case.mode, case.msisdn);
    let error = match suite.run(&wanted).unwrap() {
        Ended::Tokens(_) => None,
        Ended::Refused { error, .. } => Some(error),
        Ended::Broken { why } => panic!("{case:?}: {why}"),
    };
    assert_eq!(error.as_deref(), case.error, "{case:?}");
    let traces: Vec<_> = suite
        .trace_log()
        .list(usize::MAX)
        .iter()
        .rev()
        .map(midsim::trace::Trace::render)
        .collect();
    serde_json::to_string_pretty(&traces).unwrap()
}

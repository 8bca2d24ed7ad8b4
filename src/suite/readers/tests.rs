//! Those who ask for a card and do not wait for it.

use std::pin::pin;
use std::task::Poll;

use tokio::net::TcpListener;
use tokio::task::yield_now;

use super::*;
use crate::suite::Suite;

const MSISDN: &str = "+447700900002";
const LONG: Duration = Duration::from_secs(10);

/// Polls so often and no more; before the last time somebody else begins to use the handset, and everybody has gone as far as they
/// get. `None` if that was not enough.
async fn give_up<T>(
    sim: &Sim<'_>,
    asked: impl Future<Output = T>,
    polls: u32,
    late: bool,
) -> Option<T> {
    let mut asked = pin!(asked);
    let mut in_use = None;
    for poll in 1..=polls {
        if poll == polls {
            in_use = Some(sim.handle.parties().phones().hold(&sim.msisdn).await);
            go_on().await;
        }
        let polled = std::future::poll_fn(|context| Poll::Ready(asked.as_mut().poll(context)));
        if let Poll::Ready(answer) = polled.await {
            return Some(answer);
        }
        if poll + 1 < polls {
            yield_now().await;
        }
    }
    drop(in_use);
    if late {
        // What was begun is done, and nobody has heard of it.
        go_on().await;
    }
    None
}

/// Everybody else does what there is to do.
async fn go_on() {
    for _ in 0..20 {
        yield_now().await;
    }
}

#[tokio::test]
async fn a_card_goes_back_when_whoever_asked_for_it_hangs_up() {
    let suite = Suite::builder().frozen_clock().start().await.unwrap();
    let sim = suite.sim(MSISDN.parse().unwrap());
    let on = async || sim.card().await.unwrap().unwrap().attached;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let reader = listener.local_addr().unwrap().to_string();
    for late in [false, true] {
        let mut polls = 0;
        loop {
            polls += 1;
            let answer = give_up(&sim, sim.attach(&reader, Duration::ZERO), polls, late).await;
            if let Some(answer) = answer {
                answer.unwrap();
                break;
            }
            let seen = sim.attached(u64::MAX, LONG).await;
            assert!(!seen.attached, "nobody has it after {polls} polls");
            assert!(on().await, "off after {polls} polls");
        }
        assert!(polls > 2, "only the connection was given up");
        assert!(!on().await);
        assert!(sim.detach().await);
        assert!(on().await);
    }
    suite.shutdown().await;
}

/// Whoever gives up waiting for the card to be back has still given it back.
#[tokio::test]
async fn a_card_goes_back_when_nobody_waits_for_its_reader_to_eject_it() {
    let suite = Suite::builder().frozen_clock().start().await.unwrap();
    let sim = suite.sim(MSISDN.parse().unwrap());
    let card = async || sim.card().await.unwrap().unwrap();
    let reader = sim.reader().await.unwrap();
    assert!(!card().await.attached);
    assert!(give_up(&sim, reader.eject(), 1, false).await.is_none());
    go_on().await;
    assert!(card().await.attached, "the handset is on again");
    // And nobody else's is put back for it.
    let reader = sim.reader().await.unwrap();
    go_on().await;
    reader.reset().await.unwrap();
    reader.eject().await.unwrap();
    suite.shutdown().await;
}

#[tokio::test]
async fn a_card_that_this_program_reads_itself_is_not_to_be_had() {
    let suite = Suite::builder().frozen_clock().start().await.unwrap();
    let sim = suite.sim(MSISDN.parse().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let reader = sim.reader().await.unwrap();
    let refused = sim.attach(&address, Duration::ZERO).await.unwrap_err();
    assert!(matches!(refused, AttachError::Card(_)), "{refused}");
    assert!(!sim.attached(u64::MAX, LONG).await.attached);
    assert!(!sim.detach().await);
    reader.reset().await.unwrap();
    reader.eject().await.unwrap();
    sim.attach(&address, Duration::ZERO).await.unwrap();
    assert!(sim.detach().await);
    suite.shutdown().await;
}

//! The handle on one SIM: what its user does, whether the network reaches it, what its card remembers.

use std::time::Duration;

use midsim::Suite;
use midsim::rp::{self, Ended, Flow};
use midsim::suite::Running;
use midsim::world::{Mode, Persona};

const NUMBER: &str = "+447700900002";

#[tokio::test]
async fn a_test_decides_what_the_user_does() {
    let suite = Suite::builder().frozen_clock().start().await.unwrap();
    let sim = suite.sim(NUMBER.parse().unwrap());
    sim.set_user(Persona::Cancel).unwrap();
    assert!(matches!(flow(&suite).await, Ended::Refused { error, .. } if error == "access_denied"));
    sim.set_user(Persona::WrongPin { times: 3 }).unwrap();
    assert!(matches!(flow(&suite).await, Ended::Refused { error, .. } if error == "access_denied"));
    assert_eq!(sim.card().await.unwrap().unwrap().pin_tries, 0);
    suite.shutdown().await;
}

#[tokio::test]
async fn a_message_waits_at_the_smsc_until_the_handset_is_back() {
    let suite = Suite::builder().frozen_clock().start().await.unwrap();
    let sim = suite.sim(NUMBER.parse().unwrap());
    assert_eq!(sim.card().await.unwrap().unwrap().applet_counter, 0);
    sim.set_coverage(false).await;
    let port = suite.rp_port();
    let wanted = wanted(&suite);
    let (ended, ()) = tokio::join!(rp::run(port.as_ref(), &wanted), async {
        // The RP's first question comes after 5 s and finds nothing; then the handset is back.
        let mut traces = suite.trace_log().watch();
        traces
            .wait_for(|_| {
                suite
                    .trace_log()
                    .last()
                    .is_some_and(|trace| trace.reached() == Some(6))
            })
            .await
            .unwrap();
        suite.clock().advance(Duration::from_secs(5)).await;
        assert_eq!(sim.card().await.unwrap().unwrap().applet_counter, 0);
        sim.set_coverage(true).await;
        suite.clock().idle().await;
        suite.clock().advance(Duration::from_secs(5)).await;
    });
    assert!(matches!(ended, Ended::Tokens(_)), "{ended:?}");
    assert!(sim.card().await.unwrap().unwrap().applet_counter > 0);
    suite.shutdown().await;
}

#[tokio::test]
async fn nobodys_number_has_no_card() {
    let suite = Suite::builder().frozen_clock().start().await.unwrap();
    assert_eq!(
        suite
            .sim("+15005550006".parse().unwrap())
            .card()
            .await
            .unwrap(),
        None
    );
    suite.shutdown().await;
}

/// Runs a flow to its end; time jumps whenever everybody waits.
async fn flow(suite: &Running) -> Ended {
    let port = suite.rp_port();
    let wanted = wanted(suite);
    let jumping = async {
        loop {
            suite.clock().jump_to_next().await;
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        ended = rp::run(port.as_ref(), &wanted) => ended,
        () = jumping => unreachable!("it never ends"),
    }
}

fn wanted(suite: &Running) -> Flow {
    Flow {
        issuer: suite.op_url(),
        client_id: "poll".into(),
        client_secret: "poll-secret".into(),
        mode: Mode::Poll,
        login_hint: NUMBER.into(),
        acr_values: "mod-mf".into(),
        scope: "openid".into(),
        binding_message: None,
        requested_expiry: None,
        notification_token: String::new(),
    }
}

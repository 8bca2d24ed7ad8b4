//! midsim as a library. The part between the marks is printed in the quickstart, word by word.

// quickstart begins
use std::time::Duration;

use midsim::Suite;
use midsim::faults::{Action, Fault, LinkName};
use midsim::rp::{self, Ended, Flow};
use midsim::world::Mode;

/// What your RP asks for. midsim's own RP stands in for yours here.
fn sign_in(op_url: String, number: &str) -> Flow {
    Flow {
        issuer: op_url,
        client_id: "poll".into(),
        client_secret: "poll-secret".into(),
        mode: Mode::Poll,
        login_hint: number.into(),
        acr_values: "mod-mf".into(),
        scope: "openid phone".into(),
        binding_message: Some("Sign in? W4SCT".into()),
        requested_expiry: None,
        notification_token: String::new(),
    }
}

#[tokio::test]
async fn whoever_types_the_pin_is_signed_in() {
    let suite = Suite::builder().start().await.unwrap();
    let rp = suite.rp_port();
    let ended = rp::run(rp.as_ref(), &sign_in(suite.op_url(), "+447700900002")).await;
    let Ended::Tokens(tokens) = ended else {
        panic!("{ended:?}")
    };
    assert_eq!(tokens.userinfo["phone_number"], "+447700900002");
    suite.shutdown().await;
}

#[tokio::test]
async fn a_request_that_nobody_answers_expires_without_any_waiting() {
    let suite = Suite::builder().frozen_clock().start().await.unwrap();
    let (rp, flow) = (suite.rp_port(), sign_in(suite.op_url(), "+447700900007"));
    let two_minutes_and_a_bit = suite.advance(Duration::from_secs(130));
    let (ended, ()) = tokio::join!(rp::run(rp.as_ref(), &flow), two_minutes_and_a_bit);
    assert!(matches!(ended, Ended::Refused { error, .. } if error == "expired_token"));
    suite.shutdown().await;
}

#[tokio::test]
async fn a_lost_short_message_is_sent_again() {
    let suite = Suite::builder().frozen_clock().start().await.unwrap();
    let first = Fault {
        link: LinkName::SmscToHandset,
        action: Action::Lose,
        skip: 0,
        times: 1,
    };
    suite.faults().add(first).unwrap();
    let (rp, flow) = (suite.rp_port(), sign_in(suite.op_url(), "+447700900002"));
    let (ended, ()) = tokio::join!(
        rp::run(rp.as_ref(), &flow),
        suite.advance(Duration::from_secs(110))
    );
    assert!(matches!(ended, Ended::Tokens(_)), "{ended:?}");
    let trace = suite.trace_log().last().unwrap().render();
    assert!(trace.lines.iter().any(|line| line.name.contains("lost")));
    suite.shutdown().await;
}
// quickstart ends

//! One trace holds everything of one transaction and nothing of another, whatever happens to its messages.

use midsim::Suite;
use midsim::faults::{Action, Fault, LinkName};
use midsim::rp::{self, Ended, Flow};
use midsim::suite::InProcessSuite;
use midsim::trace::Line;
use midsim::world::Mode;

#[test]
fn two_transactions_that_lose_a_message_each_stay_apart() {
    let mut suite = Suite::builder().seed(1).in_process().unwrap();
    for user in 1..=2 {
        suite
            .faults()
            .add(fault(LinkName::SmscToHandset, Action::Duplicate))
            .unwrap();
        let lines = run(&mut suite, Mode::Poll, user);
        assert_eq!(
            named(&lines, "POST /bc-authorize"),
            1,
            "{:?}",
            names(&lines)
        );
        assert_eq!(
            named(&lines, "fault: arrives twice"),
            1,
            "{:?}",
            names(&lines)
        );
    }
}

#[test]
fn a_fault_is_in_the_trace_of_the_message_it_hit() {
    for (link, mode) in [
        (LinkName::SmscToHandset, Mode::Poll),
        (LinkName::HandsetToSmsc, Mode::Poll),
        (LinkName::OpToMssp, Mode::Poll),
        (LinkName::MsspToOp, Mode::Poll),
        (LinkName::OpToRp, Mode::Ping),
        (LinkName::OpToRp, Mode::Push),
    ] {
        let mut suite = Suite::builder().seed(2).in_process().unwrap();
        suite.faults().add(fault(link, Action::Lose)).unwrap();
        let lines = run(&mut suite, mode, 2);
        assert_eq!(
            named(&lines, "fault: lost on the way"),
            1,
            "{link:?} {mode:?} {:?}",
            names(&lines)
        );
        assert_eq!(
            named(&lines, "POST /bc-authorize"),
            1,
            "{:?}",
            names(&lines)
        );
    }
}

fn fault(link: LinkName, action: Action) -> Fault {
    Fault {
        link,
        action,
        skip: 0,
        times: 1,
    }
}

/// Runs a flow to its end; gives its trace.
fn run(suite: &mut InProcessSuite, mode: Mode, user: u8) -> Vec<Line> {
    let flow = flow(suite.issuer(), mode, user);
    suite.run(&flow).unwrap();
    suite.lines()
}

fn flow(issuer: String, mode: Mode, user: u8) -> Flow {
    let client = match mode {
        Mode::Poll => "poll",
        Mode::Ping => "ping",
        Mode::Push => "push",
    };
    Flow {
        issuer,
        client_id: client.into(),
        client_secret: format!("{client}-secret"),
        mode,
        login_hint: format!("+4477009000{user:02}"),
        acr_values: "mod-mf".into(),
        scope: "openid".into(),
        binding_message: Some(format!("Sign in? {user}")),
        requested_expiry: None,
        notification_token: "notification-token-of-the-test".into(),
    }
}

fn named(lines: &[Line], name: &str) -> usize {
    lines.iter().filter(|line| line.name == name).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_parts_of_a_message_reach_the_handset_in_their_order() {
    let suite = Suite::builder().start().await.unwrap();
    for _ in 0..10 {
        let flow = Flow {
            binding_message: Some("Ж".repeat(119)),
            acr_values: "mod-pr".into(),
            ..flow(suite.op_url(), Mode::Push, 2)
        };
        let ended = rp::run(suite.rp_port().as_ref(), &flow).await;
        assert!(matches!(ended, Ended::Tokens(_)), "{ended:?}");
        // The SMSC's last response may still be on its way; it joins its part to the trace.
        suite.clock().idle().await;
        let lines = suite.trace_log().last().unwrap().render().lines;
        let parts: Vec<_> = lines
            .iter()
            .flat_map(|line| &line.fields)
            .filter(|(name, _)| name == "part")
            .map(|(_, value)| value.as_str())
            .filter(|value| value.contains(" of "))
            .collect();
        assert_eq!(parts, ["1 of 3", "2 of 3", "3 of 3"]);
    }
    suite.shutdown().await;
}

fn names(lines: &[Line]) -> Vec<&str> {
    lines.iter().map(|line| line.name.as_str()).collect()
}

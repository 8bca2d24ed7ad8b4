//! Whole flows of Appendix A, with the trace on.

use std::time::Duration;

use midsim::Suite;
use midsim::rp::{Ended, Flow};
use midsim::world::Mode;

use super::Result;
use super::driver::{self, Driven};
use super::server::{self, Server, World};
use super::timing::{ROUNDS, Spread, rates};

/// Flows under way at a time over sockets.
const AT_A_TIME: u64 = 32;
/// One round over sockets.
const ROUND: Duration = Duration::from_secs(2);
/// HTTP exchanges of one flow in ping mode: bc-authorize, MSS_Signature, MSS_Notification, MSS_StatusQuery, ping, token.
const EXCHANGES: f64 = 6.0;

/// One flow after the other on one thread, from one seed, over the virtual network.
pub(crate) fn in_process() -> Result<()> {
    let mut suite = Suite::builder().seed(1).in_process()?;
    let flow = Flow {
        issuer: suite.issuer(),
        client_id: "poll".into(),
        client_secret: "poll-secret".into(),
        mode: Mode::Poll,
        login_hint: "+447700900002".into(),
        acr_values: "mod-mf".into(),
        scope: "openid profile phone".into(),
        binding_message: Some("Code W4SCT, 120 CHF?".into()),
        requested_expiry: None,
        notification_token: "bench".into(),
    };
    let (mut failed, mut flows) = (None, 0.0);
    let mut work = || {
        flows += 1.0;
        match suite.run(&flow) {
            Ok(Ended::Tokens(_)) => {}
            Ok(other) => failed = Some(format!("{other:?}")),
            Err(error) => failed = Some(error.to_string()),
        }
    };
    let before = server::cpu_seconds(std::process::id())?;
    let seen = rates(&mut [&mut work]).swap_remove(0);
    let used = server::cpu_seconds(std::process::id())? - before;
    if let Some(failed) = failed {
        return Err(format!("a flow ended with {failed}").into());
    }
    let seen = Spread::of(seen);
    println!(
        "  {seen} flows/s: {:.2} ms a flow (aim: at most 1 ms), {:.2} ms of processor time",
        1000.0 / seen.median,
        1000.0 * used / flows,
    );
    Ok(())
}

/// Many flows at a time over sockets, and as many bare POSTs; what counts is what the server's process uses.
pub(crate) fn sockets() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let receiver = driver::Receiver::start().await?;
        let world = World::with_receiver(receiver.address(), AT_A_TIME)?;
        let suite = Server::midsim(&world).await?;
        let echo = Server::echo()?;
        let (mut flows, mut echoes) = (Vec::new(), Vec::new());
        for turn in 0..=ROUNDS {
            let workers = (0..AT_A_TIME).map(|_| driver::echoes(echo.address, ROUND));
            let bare = driver::measure(&echo, workers).await?;
            let workers = world
                .numbers()
                .map(|number| driver::flows(suite.address, receiver.clone(), number, ROUND));
            let seen = driver::measure(&suite, workers).await?;
            // The first round only warms up.
            if turn > 0 {
                flows.push(seen);
                echoes.push(bare);
            }
        }
        let spread = |rounds: &[Driven], of: fn(&Driven) -> f64| {
            Spread::of(rounds.iter().map(of).collect())
        };
        let seen = spread(&flows, Driven::per_cpu_second);
        let bare = spread(&echoes, |round| round.per_cpu_second() / EXCHANGES);
        println!("  {seen} flows per CPU-second of the server (aim: at least 1500)");
        println!(
            "  {} flows/s with {AT_A_TIME} at a time; the RP ran on the same machine",
            spread(&flows, Driven::per_second)
        );
        println!(
            "  bare limit, {EXCHANGES:.0} axum POSTs a flow: {bare} per CPU-second; the flow reaches {:.0} % of it",
            100.0 * seen.median / bare.median
        );
        Ok(())
    })
}

//! The OP: the slowest answer to mutated requests, over a socket.

use super::Result;
use super::envelopes::Dice;
use super::requests::{GENERATORS, Target, judge, shown};
use super::timing;

/// Requests in all.
const REQUESTS: usize = 10_000;

/// The slowest answer to the mutated requests of each generator.
pub(crate) fn run() -> Result<()> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(slowest())
}

async fn slowest() -> Result<()> {
    let target = Target::start().await;
    let mut dice = Dice::new(2026);
    let mut slowest = ("", 0.0);
    for (name, generate) in GENERATORS {
        for _ in 0..REQUESTS / GENERATORS.len() {
            let request = generate(&target, &mut dice);
            let sent = shown(&request);
            let start = timing::now();
            let response = target.send(request).await?;
            let took = start.elapsed().as_secs_f64();
            judge(&response).map_err(|why| format!("{name}: {why}: {sent}"))?;
            if took > slowest.1 {
                slowest = (name, took);
            }
        }
    }
    println!(
        "  {REQUESTS} mutated requests to all endpoints: none took more than {:.0} ms, there and back ({}; aim: at most 1 s)",
        slowest.1 * 1000.0,
        slowest.0
    );
    target.stop().await;
    Ok(())
}

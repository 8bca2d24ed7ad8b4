//! From nothing to ready.

use super::Result;
use super::server::Server;
use super::timing::{self, ROUNDS, Spread};

pub(crate) fn run() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut rounds = Vec::new();
    for turn in 0..=2 * ROUNDS {
        let start = timing::now();
        let server = runtime.block_on(Server::default_world())?;
        let milliseconds = 1000.0 * start.elapsed().as_secs_f64();
        drop(server);
        // The first start reads the binary from the disk.
        if turn > 0 {
            rounds.push(milliseconds);
        }
    }
    println!(
        "  {} ms from the start of the process to /readyz 200 (aim: at most 150 ms)",
        Spread::of(rounds)
    );
    Ok(())
}

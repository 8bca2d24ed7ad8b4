//! `midsim exec`: somebody else's test command against a fresh midsim.

use std::path::PathBuf;
use std::process::ExitStatus;

use clap::Args;

use super::{FAILURE, NOT_READY, SuiteOptions, USAGE, WorldOptions, complain};
use crate::runtime::chance::Chance;
use crate::suite::Running;

/// Start everything on free ports, run a command with its URLs in the environment, and end as it ends
#[derive(Args)]
pub(super) struct Exec {
    #[command(flatten)]
    world: WorldOptions,
    #[command(flatten)]
    suite: SuiteOptions,
    /// The command; it finds MIDSIM_UI_URL, MIDSIM_OP_URL, MIDSIM_MSSP_URL and MIDSIM_SMPP_ADDR
    #[arg(required = true, last = true, value_name = "CMD")]
    command: Vec<String>,
}

impl Exec {
    pub(super) fn run(mut self) -> u8 {
        super::log_to_stderr();
        // Always from a seed, so that a failure can be run again.
        let seed = match self.suite.seed.map_or_else(fresh_seed, Ok) {
            Ok(seed) => seed,
            Err(error) => return complain(&error, FAILURE),
        };
        self.suite.seed = Some(seed);
        let runtime = match tokio::runtime::Runtime::new() {
            Ok(runtime) => runtime,
            Err(error) => return complain(&error, FAILURE),
        };
        runtime.block_on(self.with_suite(seed))
    }

    async fn with_suite(self, seed: u64) -> u8 {
        let world = match self.world.load() {
            Ok(world) => world,
            Err(error) => return complain(&error, USAGE),
        };
        let suite = match self.suite.builder(world).start().await {
            Ok(suite) => suite,
            Err(error) => return complain(&error, NOT_READY),
        };
        let urls = suite.urls();
        let (program, arguments) = (&self.command[0], &self.command[1..]);
        let status = tokio::process::Command::new(program)
            .args(arguments)
            .env("MIDSIM_UI_URL", &urls.ui)
            .env("MIDSIM_OP_URL", &urls.op)
            .env("MIDSIM_MSSP_URL", &urls.mssp)
            .env("MIDSIM_SMPP_ADDR", &urls.smpp)
            .status()
            .await;
        let code = match status {
            Ok(status) => exit_code(status),
            Err(error) => complain(&format!("{program}: {error}"), 127),
        };
        if code != 0 {
            keep_traces(&suite);
            eprintln!(
                "midsim: again with: midsim exec --seed {seed} -- {}",
                self.command.join(" ")
            );
        }
        suite.shutdown().await;
        code
    }
}

fn fresh_seed() -> Result<u64, crate::runtime::chance::NoChance> {
    Ok(rand_core::Rng::next_u64(&mut Chance::system()?.generator()))
}

/// As a shell gives it: 128 and the signal for a command that was killed.
fn exit_code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;

    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    u8::try_from(code).unwrap_or(FAILURE)
}

fn keep_traces(suite: &Running) {
    let traces: Vec<_> = suite
        .trace_log()
        .list(usize::MAX)
        .iter()
        .map(crate::trace::Trace::render)
        .collect();
    let file: PathBuf =
        std::env::temp_dir().join(format!("midsim-traces-{}.json", std::process::id()));
    let written = serde_json::to_vec_pretty(&traces)
        .map_err(std::io::Error::from)
        .and_then(|text| std::fs::write(&file, text));
    match written {
        Ok(()) => eprintln!("midsim: {} traces kept in {}", traces.len(), file.display()),
        Err(error) => eprintln!("midsim: {}: {error}", file.display()),
    }
}

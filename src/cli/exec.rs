//! `midsim exec`: somebody else's test command against a fresh midsim.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitStatus;

use clap::Args;
use serde_json::json;
use tokio::process::Child;

use super::options::CONFIGURATION;
use super::{FAILURE, OK, SuiteOptions, USAGE, WorldOptions, complain};
use crate::runtime::chance::Chance;
use crate::suite::Running;

/// As a shell says that there is no such command.
const NOT_FOUND: u8 = 127;
/// As a shell says that a command cannot be run.
const NOT_RUNNABLE: u8 = 126;

const ENVIRONMENT: &str = "\
The command finds in its environment:
  MIDSIM_UI_URL      page and control API, http://127.0.0.1:PORT
  MIDSIM_OP_URL      issuer of the OP
  MIDSIM_OP_MTLS_URL the OP behind mutual TLS, https://127.0.0.1:PORT; its CA is at $MIDSIM_UI_URL/ca.pem
  MIDSIM_DISCOVERY_URL  discovery service: POST /discover turns a number into a login_hint_token
  MIDSIM_MSSP_URL    SOAP endpoint of the MSSP
  MIDSIM_OTA_URL     HTTP API of the OTA platform; /openapi.json describes it
  MIDSIM_SMPP_ADDR   address of the SMSC, 127.0.0.1:PORT
Device channels for foreign OPs do not exist yet, so there is no MIDSIM_CHANNEL_URL.

Signals are passed on to the command. Exit status: that of the command, 128 and the signal if it was
killed by one, 127 if there is no such command, 126 if it cannot be run; 1 or 2 if midsim did not start.
If the command fails, the traces are kept in a file, and the line that runs it again is printed.";

/// Start everything on free ports, run a command with its URLs in the environment, and end as it ends
#[derive(Args)]
#[command(after_help = ENVIRONMENT, after_long_help = format!("{ENVIRONMENT}\n\n{CONFIGURATION}"))]
pub(super) struct Exec {
    #[command(flatten)]
    world: WorldOptions,
    /// When the command has ended, one JSON line on stderr: exit status, seed, file of the traces, line to run it again
    #[arg(long)]
    json: bool,
    /// The command and its arguments
    #[arg(required = true, last = true, value_name = "CMD")]
    command: Vec<String>,
    #[command(flatten)]
    suite: SuiteOptions,
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
        match tokio::runtime::Runtime::new() {
            Ok(runtime) => runtime.block_on(self.with_suite(seed)),
            Err(error) => complain(&error, FAILURE),
        }
    }

    async fn with_suite(self, seed: u64) -> u8 {
        let world = match self.world.load() {
            Ok(world) => world,
            Err(error) => return complain(&error, USAGE),
        };
        let suite = match self.suite.builder(world).start().await {
            Ok(suite) => suite,
            Err(error) => return super::not_started(&error),
        };
        let code = self.run_command(&suite, seed).await;
        suite.shutdown().await;
        code
    }

    async fn run_command(&self, suite: &Running, seed: u64) -> u8 {
        // Before there is a child: it may be quicker than we are.
        let signals = match Signals::catch() {
            Ok(signals) => signals,
            Err(error) => return complain(&error, FAILURE),
        };
        let child = match self.spawn(suite) {
            Ok(child) => child,
            Err(error) => return self.not_run(&error),
        };
        match signals.pass_on_until_the_end_of(child).await {
            Ok(status) => {
                let code = exit_code(status);
                self.report(suite, seed, code);
                code
            }
            Err(error) => complain(&error, FAILURE),
        }
    }

    fn spawn(&self, suite: &Running) -> std::io::Result<Child> {
        let urls = suite.urls();
        tokio::process::Command::new(&self.command[0])
            .args(&self.command[1..])
            .env("MIDSIM_UI_URL", &urls.ui)
            .env("MIDSIM_OP_URL", &urls.op)
            .env("MIDSIM_DISCOVERY_URL", &urls.discovery)
            .env("MIDSIM_OP_MTLS_URL", &urls.op_mtls)
            .env("MIDSIM_MSSP_URL", &urls.mssp)
            .env("MIDSIM_OTA_URL", &urls.ota)
            .env("MIDSIM_SMPP_ADDR", &urls.smpp)
            .kill_on_drop(true)
            .spawn()
    }

    fn not_run(&self, error: &std::io::Error) -> u8 {
        let program = &self.command[0];
        if error.kind() == std::io::ErrorKind::NotFound {
            return complain(
                &format!("no command {program}: not in a folder of PATH, or no such file"),
                NOT_FOUND,
            );
        }
        complain(&format!("cannot run {program}: {error}"), NOT_RUNNABLE)
    }

    fn report(&self, suite: &Running, seed: u64, code: u8) {
        let again = replay(std::env::args_os().skip(1), seed);
        let kept = (code != OK).then(|| keep_traces(suite));
        if self.json {
            let file = kept.and_then(Result::ok);
            let line = json!({
                "schema_version": 1, "exit": code, "seed": seed, "traces": file, "replay": again,
            });
            eprintln!("{line}");
            return;
        }
        match kept {
            None => return,
            Some(Ok(file)) => eprintln!("midsim: traces kept in {}", file.display()),
            Some(Err(error)) => eprintln!("midsim: traces could not be kept: {error}"),
        }
        eprintln!("midsim: again with: {again}");
    }
}

/// Signals that are meant to end us. They are the command's business: we end when it does.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// From now on no signal ends us.
    fn catch() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the child and passes on what comes in the meantime.
    async fn pass_on_until_the_end_of(mut self, mut child: Child) -> std::io::Result<ExitStatus> {
        use std::io::IsTerminal as _;

        use nix::sys::signal::{Signal, kill};
        use nix::unistd::Pid;

        // A terminal sends Ctrl-C to the child itself; twice would mean "at once" to many programs.
        let terminal = std::io::stdin().is_terminal();
        loop {
            let word = tokio::select! {
                status = child.wait() => return status,
                _ = self.interrupt.recv() => (!terminal).then_some(Signal::SIGINT),
                _ = self.terminate.recv() => Some(Signal::SIGTERM),
                _ = self.hangup.recv() => (!terminal).then_some(Signal::SIGHUP),
            };
            let id = child.id().and_then(|id| i32::try_from(id).ok());
            if let (Some(word), Some(id)) = (word, id) {
                // It fails only if the child has just ended, which the next round sees.
                let _ = kill(Pid::from_raw(id), word);
            }
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn catch() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn pass_on_until_the_end_of(self, mut child: Child) -> std::io::Result<ExitStatus> {
        child.wait().await
    }
}

fn fresh_seed() -> Result<u64, crate::runtime::chance::NoChance> {
    Ok(rand_core::Rng::next_u64(&mut Chance::system()?.generator()))
}

/// As a shell gives it: 128 and the signal for a command that was killed.
fn exit_code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal = None;
    let code = status
        .code()
        .or_else(|| signal.map(|signal: i32| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok())
        .unwrap_or(FAILURE)
}

/// Writes what happened to a new file.
fn keep_traces(suite: &Running) -> std::io::Result<PathBuf> {
    let traces: Vec<_> = suite
        .trace_log()
        .list(usize::MAX)
        .iter()
        .map(crate::trace::Trace::render)
        .collect();
    let text = serde_json::to_vec_pretty(&traces)?;
    let name = format!("midsim-traces-{}", std::process::id());
    let mut number = 0;
    loop {
        let path = std::env::temp_dir().join(format!("{name}-{number}.json"));
        // Never a file that is there already: in a folder that all may write to, it may be a link to anywhere.
        match std::fs::File::create_new(&path) {
            Ok(mut file) => return file.write_all(&text).map(|()| path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    }
}

/// The command line that does the same with the same seed.
fn replay(arguments: impl Iterator<Item = impl AsRef<OsStr>>, seed: u64) -> String {
    let mut words: Vec<_> = arguments
        .map(|argument| argument.as_ref().to_string_lossy().into_owned())
        .collect();
    let end = words.iter().position(|word| word == "--");
    let end = end.unwrap_or(words.len());
    let seeded = |word: &String| word == "--seed" || word.starts_with("--seed=");
    if !words[..end].iter().any(seeded) {
        words.splice(end..end, ["--seed".to_owned(), seed.to_string()]);
    }
    let quoted: Vec<_> = words.iter().map(|word| quote(word)).collect();
    format!("midsim {}", quoted.join(" "))
}

/// For a POSIX shell.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_replay_line_has_the_seed_once_and_survives_a_shell() {
        let line = |words: &[&str]| replay(words.iter(), 7);
        assert_eq!(
            line(&["exec", "--", "sh", "-c", "exit '3'", ""]),
            r"midsim exec --seed 7 -- sh -c 'exit '\''3'\''' ''"
        );
        assert_eq!(
            line(&["exec", "--seed=7", "--", "x", "--seed"]),
            "midsim exec --seed=7 -- x --seed"
        );
        assert_eq!(
            line(&["exec", "--mss", "synch", "--", "x", "--seed"]),
            "midsim exec --mss synch --seed 7 -- x --seed"
        );
    }
}

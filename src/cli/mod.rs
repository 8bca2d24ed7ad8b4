//! The command line. Data goes to stdout, talk to stderr; exit codes are those of DESIGN §3.

mod api;
mod config;
mod decode;
mod demo;
mod docs;
mod encode;
mod exec;
mod key_sets;
mod keys;
mod options;
mod serve;
mod sim;
mod steps;
mod up;
mod vectors;
mod wait;
mod world;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, CommandFactory as _, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use self::options::{PortOptions, SetupError, SuiteOptions, WorldOptions};
use crate::suite::StartError;

/// A simulator of everything below an OpenID Provider in MODRNA CIBA Appendix A.
#[derive(Parser)]
#[command(name = "midsim", version, arg_required_else_help = true, after_help = HELP)]
pub struct Cli {
    /// Read this file instead of midsim.toml in the current folder
    #[arg(long, global = true, value_name = "FILE", env = "MIDSIM_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Decode(decode::Decode),
    Demo(demo::Demo),
    Docs(docs::Docs),
    Encode(encode::Encode),
    Exec(exec::Exec),
    Keys(key_sets::Keys),
    Serve(serve::Serve),
    Sim(sim::Sim),
    Up(up::Up),
    Vectors(vectors::Vectors),
    Wait(wait::Wait),
    World(world::ShowWorld),
}

/// Value name of a switch that the environment knows, too: [`shaped`] makes it one that can be switched off again.
const SWITCH: &str = "BOOL";

/// The command line with all commands.
fn command() -> clap::Command {
    shaped(Cli::command())
}

/// Says once what is the same for many options: nobody's environment is shown in a help text, and a switch can have a value, so
/// that what is on in the environment or the file can be off here.
fn shaped(command: clap::Command) -> clap::Command {
    command
        .mut_args(|argument| {
            let argument = argument.hide_env(true);
            match argument.get_value_names() {
                Some([name]) if name == SWITCH => switch(argument),
                _ => argument,
            }
        })
        .mut_subcommands(shaped)
}

fn switch(argument: Arg) -> Arg {
    let is_off = matches!(argument.get_action(), ArgAction::SetTrue)
        && argument.get_default_values().is_empty();
    let argument = argument
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .hide_possible_values(true)
        .action(ArgAction::Set)
        .value_parser(BoolishValueParser::new());
    if is_off {
        argument.default_value("false").hide_default_value(true)
    } else {
        argument
    }
}

const HELP: &str = "\
Data goes to stdout, talk to stderr; --json makes one document of the data.
Exit status: 0 done, 1 failed, 2 wrong usage or configuration, 3 not ready in time;
`midsim demo` and `midsim exec` have others, see their --help.";

/// Done.
pub const OK: u8 = 0;
/// It did not work.
pub const FAILURE: u8 = 1;
/// The command line or the configuration is wrong.
pub const USAGE: u8 = 2;
/// Not ready in time.
pub const NOT_READY: u8 = 3;

/// Logs go to stderr; `RUST_LOG` says how much.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    // A second call in one process keeps the first subscriber.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
}

/// The whole `midsim` command: parses, configures, runs.
pub fn main() -> ExitCode {
    match config::parse(std::env::args_os().collect()) {
        Ok(cli) => cli.run(),
        Err(code) => ExitCode::from(code),
    }
}

impl Cli {
    /// Runs the command and gives its exit code.
    pub fn run(self) -> ExitCode {
        let code = match self.command {
            Command::Decode(command) => command.run(),
            Command::Demo(command) => command.run(),
            Command::Docs(command) => command.run(),
            Command::Encode(command) => command.run(),
            Command::Exec(command) => command.run(),
            Command::Keys(command) => command.run(),
            Command::Serve(command) => command.run(),
            Command::Sim(command) => command.run(),
            Command::Up(command) => command.run(),
            Command::Vectors(command) => command.run(),
            Command::Wait(command) => command.run(),
            Command::World(command) => command.run(),
        };
        ExitCode::from(code)
    }
}

/// Says why a suite did not start, and gives the exit code for it.
fn not_started(error: &StartError) -> u8 {
    complain(
        error,
        if error.is_configuration() {
            USAGE
        } else {
            FAILURE
        },
    )
}

/// Says on stderr what went wrong and gives the exit code for it.
fn complain(error: &dyn std::fmt::Display, code: u8) -> u8 {
    // Where nobody can hear it the code still says so.
    let _ = writeln!(std::io::stderr(), "midsim: {error}");
    code
}

/// Prints one JSON document on stdout.
fn print_json(value: &impl serde::Serialize) -> u8 {
    match serde_json::to_string_pretty(value) {
        Ok(text) => {
            println!("{text}");
            OK
        }
        Err(error) => complain(&error, FAILURE),
    }
}

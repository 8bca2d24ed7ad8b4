//! The command line. Data goes to stdout, talk to stderr; exit codes are those of DESIGN §3.

mod decode;
mod demo;
mod docs;
mod exec;
mod steps;
mod up;
mod vectors;
mod wait;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use ota_wire::keys::Family;
use tracing_subscriber::EnvFilter;

use crate::sockets::ports::{PortError, Ports};
use crate::suite::{Builder, MssMode};
use crate::world::{World, WorldError};

/// A simulator of everything below an OpenID Provider in MODRNA CIBA Appendix A.
#[derive(Parser)]
#[command(name = "midsim", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Decode(decode::Decode),
    Demo(demo::Demo),
    Docs(docs::Docs),
    Exec(exec::Exec),
    Up(up::Up),
    Vectors(vectors::Vectors),
    Wait(wait::Wait),
    World(world::ShowWorld),
}

/// Done.
pub const OK: u8 = 0;
/// It did not work.
pub const FAILURE: u8 = 1;
/// The command line or the configuration is wrong.
pub const USAGE: u8 = 2;
/// Not ready in time.
pub const NOT_READY: u8 = 3;

/// Options that say which world to load.
#[derive(Args, Clone, Debug)]
pub struct WorldOptions {
    /// World file instead of the built-in one (`fixtures/world.toml` shows the format)
    #[arg(long, value_name = "FILE", env = "MIDSIM_WORLD")]
    world: Option<PathBuf>,
    /// Make a subscriber of every number that is used
    #[arg(long, env = "MIDSIM_ANY_NUMBER")]
    any_number: bool,
}

/// Options of every command that starts a suite.
#[derive(Args, Clone, Debug)]
pub struct SuiteOptions {
    /// Draw all chance from this seed
    #[arg(long, env = "MIDSIM_SEED")]
    seed: Option<u64>,
    /// How the MSSP tells the OP
    #[arg(long, value_enum, default_value_t = MssMode::AsynchServerServer, env = "MIDSIM_MSS")]
    mss: MssMode,
    /// Keys of the SIMs, and of the applet's MAC
    #[arg(long, value_enum, default_value_t = Keys::Aes, env = "MIDSIM_KEYS")]
    keys: Keys,
}

/// Families of keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Keys {
    /// AES-128
    Aes,
    /// 3DES with two keys
    #[value(name = "3des")]
    TripleDes,
}

impl SuiteOptions {
    fn builder(&self, mut world: World) -> Builder {
        world.family = match self.keys {
            Keys::Aes => Family::Aes128,
            Keys::TripleDes => Family::TripleDes2,
        };
        let builder = Builder::new(world)
            .mss_mode(self.mss)
            .mac_3des(self.keys == Keys::TripleDes);
        match self.seed {
            Some(seed) => builder.seed(seed),
            None => builder,
        }
    }
}

/// The usual ports, or those from `base` on.
fn ports(base: Option<u16>) -> Result<Ports, PortError> {
    base.map_or_else(|| Ok(Ports::default()), Ports::from_base)
}

/// Logs go to stderr; `RUST_LOG` says how much.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    // A second call in one process keeps the first subscriber.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
}

/// Why a command ended before its work began.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A file cannot be read.
    #[error("{path}: {why}", path = path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
    /// The world file is wrong.
    #[error(transparent)]
    World(#[from] WorldError),
}

impl WorldOptions {
    /// Reads the world.
    pub fn load(&self) -> Result<World, SetupError> {
        let mut world = match &self.world {
            None => World::default(),
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|why| SetupError::File {
                    path: path.clone(),
                    why,
                })?;
                World::parse(&text)?
            }
        };
        world.any_number |= self.any_number;
        Ok(world)
    }
}

impl Cli {
    /// Runs the command and gives its exit code.
    pub fn run(self) -> ExitCode {
        let code = match self.command {
            Command::Decode(command) => command.run(),
            Command::Demo(command) => command.run(),
            Command::Docs(command) => command.run(),
            Command::Exec(command) => command.run(),
            Command::Up(command) => command.run(),
            Command::Vectors(command) => command.run(),
            Command::Wait(command) => command.run(),
            Command::World(command) => command.run(),
        };
        ExitCode::from(code)
    }
}

/// Says on stderr what went wrong and gives the exit code for it.
fn complain(error: &dyn std::fmt::Display, code: u8) -> u8 {
    eprintln!("midsim: {error}");
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

//! Benches: `cargo bench`, or one group of them: `cargo bench -- NAME`. Every figure that can have one stands beside a
//! bare limit measured in the same run; medians of several rounds.
//! How to read them, and what was seen, is in tests/benches/README.md.

mod bare_op;
mod card;
mod driver;
#[path = "../support/envelopes.rs"]
mod envelopes;
mod fleet;
mod flow;
mod hostile;
mod mssp;
mod ops;
mod packets;
mod pending;
mod ready;
#[expect(
    clippy::unwrap_used,
    reason = "shared with the tests, where it ends one"
)]
#[path = "../support/requests.rs"]
mod requests;
mod server;
#[expect(
    clippy::unwrap_used,
    reason = "shared with the tests, where it ends one"
)]
#[path = "../support/signer.rs"]
mod signer;
mod smsc;
mod timing;

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// That of the program itself.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Whatever goes wrong ends the run.
type Result<T> = std::result::Result<T, Failure>;
type Failure = Box<dyn std::error::Error + Send + Sync>;

type Group = (&'static str, fn() -> Result<()>);

const GROUPS: [Group; 14] = [
    ("packets", packets::run),
    ("card", card::envelopes),
    ("vpcd", card::vpcd),
    ("flow-in-process", flow::in_process),
    ("flow-sockets", flow::sockets),
    ("ops", ops::side_by_side),
    ("op-hostile", hostile::run),
    ("pending", pending::run),
    ("mssp", mssp::one_thread),
    ("mssp-hostile", mssp::hostile),
    ("mssp-http", mssp::status_query),
    ("fleet", fleet::run),
    ("smsc", smsc::run),
    ("ready", ready::run),
];

fn main() -> ExitCode {
    // A bare limit over sockets is a process of its own: this one, started again.
    match std::env::args().nth(1).as_deref() {
        Some(server::BARE_OP) => return finish(bare_op::serve()),
        Some(server::ECHO) => return finish(server::echo()),
        Some(server::SMPP_ECHO) => return finish(smsc::echo()),
        _ => {}
    }
    // cargo itself passes `--bench`.
    let wanted: Vec<_> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let runs = |group: &str| wanted.is_empty() || wanted.iter().any(|name| name == group);
    if let Some(unknown) = wanted
        .iter()
        .find(|name| GROUPS.iter().all(|(group, _)| group != name))
    {
        eprintln!("no group {unknown}; there are {}", names().join(", "));
        return ExitCode::from(2);
    }
    for (group, run) in GROUPS.iter().filter(|(group, _)| runs(group)) {
        println!("\n{group}");
        if let Err(error) = run() {
            eprintln!("{group}: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn names() -> Vec<&'static str> {
    GROUPS.iter().map(|(group, _)| *group).collect()
}

fn finish(outcome: Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

//! The integration tests: one binary, a file for each subject.
#![expect(
    clippy::unwrap_used,
    reason = "clippy's leave for tests does not reach helpers of integration tests"
)]

mod apart;
mod architecture;
mod attach;
mod bad_input;
mod cli;
mod cli_tools;
mod clients;
mod conformance;
mod crash;
mod demo;
mod determinism;
mod dialogue_crash;
mod envelopes;
mod faults;
#[path = "fuzz/src/lib.rs"]
mod fuzz;
mod fuzzing;
mod java_clients;
mod library;
mod memory;
mod menus;
mod mssp_causes;
mod mssp_input;
mod mssp_ota;
mod neighbours;
mod op;
mod op_answers;
mod op_hostile;
mod op_keys;
mod ota;
mod readers;
mod readme;
mod signals;
mod signatures;
mod sims;
mod support;
mod tls;
mod traces;

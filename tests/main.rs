//! The integration tests: one binary, a file for each subject.
#![expect(
    clippy::unwrap_used,
    reason = "clippy's leave for tests does not reach helpers of integration tests"
)]

mod architecture;
mod demo;
mod determinism;
mod sims;
mod support;

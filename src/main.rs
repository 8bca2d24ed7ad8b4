//! The `midsim` command: a thin shell over the library.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    midsim::cli::Cli::parse().run()
}

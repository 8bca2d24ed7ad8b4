//! The `midsim` command: a thin shell over the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    midsim::cli::main()
}

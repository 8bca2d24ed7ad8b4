//! The `midsim` command: a thin shell over the library.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// See Cargo.toml for why; whoever uses the library chooses for himself.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    midsim::cli::main()
}

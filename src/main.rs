//! The `midsim` command.

fn main() {}

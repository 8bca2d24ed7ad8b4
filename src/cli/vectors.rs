//! `midsim vectors`: runs files of test vectors against our codecs.

use std::path::PathBuf;

use clap::Args;

use super::{FAILURE, OK, USAGE, complain};
use crate::vectors::run_file;

/// Run a vector file and name every case that fails
#[derive(Args)]
pub(super) struct Vectors {
    /// JSON files in the format of fixtures/vectors
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Vectors {
    pub(super) fn run(self) -> u8 {
        let (mut passed, mut failed) = (0, 0);
        for path in self.files {
            let text = match std::fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error) => return complain(&format!("{}: {error}", path.display()), USAGE),
            };
            let report = run_file(&text);
            passed += report.passed;
            failed += report.failed.len();
            for (id, why) in report.failed {
                println!("FAILED {id}: {why}");
            }
        }
        println!("{passed} passed, {failed} failed");
        if failed == 0 { OK } else { FAILURE }
    }
}

//! `midsim vectors`: runs files of test vectors against our codecs.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::{FAILURE, OK, USAGE, complain, print_json};
use crate::vectors::{Report, run_file};

/// Run files of test vectors and name every case that fails
///
/// Exit status: 0 if all cases pass, 1 if one fails, 2 if a file cannot be read.
#[derive(Args)]
pub(super) struct Vectors {
    /// JSON files in the format of fixtures/vectors
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

impl Vectors {
    pub(super) fn run(self) -> u8 {
        let (mut passed, mut failures, mut unread) = (0, Vec::new(), false);
        for path in &self.files {
            let file = path.display().to_string();
            match read(path) {
                Ok(report) => {
                    passed += report.passed;
                    failures.extend(report.failed.into_iter().map(|(id, why)| Failure {
                        file: file.clone(),
                        id,
                        why,
                    }));
                }
                Err(why) => {
                    unread = true;
                    complain(&format!("{file}: {why}"), USAGE);
                }
            }
        }
        let failed = failures.len();
        if self.json {
            print_json(&json!({
                "schema_version": 1, "passed": passed, "failed": failed, "failures": failures,
            }));
        } else {
            for Failure { file, id, why } in failures {
                println!("FAILED {file}: {id}: {why}");
            }
            println!("{passed} passed, {failed} failed");
        }
        match failed {
            _ if unread => USAGE,
            0 => OK,
            _ => FAILURE,
        }
    }
}

/// A case that did not come out as expected.
#[derive(Serialize)]
struct Failure {
    file: String,
    id: String,
    why: String,
}

fn read(path: &Path) -> Result<Report, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    run_file(&text).map_err(|error| error.to_string())
}

//! `midsim vectors`: runs files of test vectors against our codecs.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::{FAILURE, OK, USAGE, complain, print_json};
use crate::vectors::seeds::{Seed, seeds};
use crate::vectors::{Report, run_file};

/// Run files of test vectors and name every case that fails
///
/// Exit status: 0 if all cases pass, 1 if one fails, 2 if a file cannot be read or a seed cannot be written.
#[derive(Args)]
pub(super) struct Vectors {
    /// JSON files in the format of fixtures/vectors
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Also write raw inputs for fuzzers, DIR/PARSER/CASE, made of the cases
    #[arg(long, value_name = "DIR")]
    export_seeds: Option<PathBuf>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

impl Vectors {
    pub(super) fn run(self) -> u8 {
        let (mut passed, mut failures, mut unread) = (0, Vec::new(), false);
        let mut exported = 0;
        if let Some(folder) = &self.export_seeds
            && let Err(error) = std::fs::create_dir_all(folder)
        {
            return complain(
                &format!("--export-seeds {}: {error}", folder.display()),
                USAGE,
            );
        }
        for path in &self.files {
            let file = path.display().to_string();
            match self.read(path) {
                Ok((report, seeds)) => {
                    exported += seeds;
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
        if let Some(folder) = &self.export_seeds {
            eprintln!("midsim: {exported} seeds are in {}", folder.display());
        }
        match failed {
            _ if unread => USAGE,
            0 => OK,
            _ => FAILURE,
        }
    }
}

impl Vectors {
    /// Runs a file, writes its seeds if they are wanted, and gives their number.
    fn read(&self, path: &Path) -> Result<(Report, usize), String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        let report = run_file(&text).map_err(|error| error.to_string())?;
        let exported = match &self.export_seeds {
            Some(folder) => {
                let seeds = seeds(&text).map_err(|error| error.to_string())?;
                export(folder, &seeds)?
            }
            None => 0,
        };
        Ok((report, exported))
    }
}

/// A case that did not come out as expected.
#[derive(Serialize)]
struct Failure {
    file: String,
    id: String,
    why: String,
}

/// Writes a file for each seed and gives their number.
fn export(folder: &Path, seeds: &[Seed]) -> Result<usize, String> {
    for seed in seeds {
        let folder = folder.join(seed.parser);
        let file = folder.join(&seed.name);
        std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(&file, &seed.octets))
            .map_err(|error| format!("seed {}: {error}", file.display()))?;
    }
    Ok(seeds.len())
}

//! `midsim wait`: for scripts that start `midsim up` in the background.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::{FAILURE, NOT_READY, OK, complain, print_json};
use crate::sockets::ready::{self, Place};

/// Wait until a midsim is ready: exit 0, or 3 when it is not in time
#[derive(Args)]
pub(super) struct Wait {
    /// Its first URL
    #[arg(long, default_value = "http://127.0.0.1:8220", env = "MIDSIM_UI_URL")]
    url: String,
    /// Instead of the URL: the file that `midsim up --ports-file` writes; it need not exist yet
    #[arg(long, value_name = "FILE")]
    ports_file: Option<PathBuf>,
    /// Seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
    /// One JSON document: whether it is ready, at which URL, and if not, why
    #[arg(long)]
    json: bool,
}

impl Wait {
    pub(super) fn run(self) -> u8 {
        let runtime = match tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
        {
            Ok(runtime) => runtime,
            Err(error) => return complain(&error, FAILURE),
        };
        let place = match self.ports_file {
            Some(file) => Place::PortsFile(file),
            None => Place::Url(self.url),
        };
        let within = Duration::from_secs(self.timeout);
        match runtime.block_on(ready::wait(&place, within)) {
            Ok(url) if self.json => {
                print_json(&json!({"schema_version": 1, "ready": true, "url": url}))
            }
            Ok(_) => OK,
            Err(why) => {
                if self.json {
                    print_json(
                        &json!({"schema_version": 1, "ready": false, "why": why.to_string()}),
                    );
                }
                complain(&why, NOT_READY)
            }
        }
    }
}

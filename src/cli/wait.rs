//! `midsim wait`: for scripts that start `midsim up` in the background.

use std::time::Duration;

use clap::Args;

use super::{FAILURE, NOT_READY, OK, complain};
use crate::sockets::ready;

/// Wait until a midsim is ready: exit 0, or 3 when it is not in time
#[derive(Args)]
pub(super) struct Wait {
    /// Its first URL
    #[arg(long, default_value = "http://127.0.0.1:8220", env = "MIDSIM_UI_URL")]
    url: String,
    /// Seconds
    #[arg(long, default_value_t = 30)]
    timeout: u64,
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
        match runtime.block_on(ready::wait(&self.url, Duration::from_secs(self.timeout))) {
            Ok(()) => OK,
            Err(why) => complain(&why, NOT_READY),
        }
    }
}

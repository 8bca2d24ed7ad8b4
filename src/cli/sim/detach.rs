//! `midsim sim detach`: a card of a running midsim back into its handset.

use clap::Args;

use super::midsim::{Midsim, WhichMidsim};
use super::{Name, name};
use crate::cli::{FAILURE, OK, complain};

/// Take a card of a running midsim out of its reader, whoever put it there
///
/// Where `midsim sim attach` or a program that used the API has ended without doing so. Returns when the handset is on again.
#[derive(Args)]
pub(in crate::cli) struct Detach {
    /// Its ICCID, or the number of its subscriber; `midsim world` lists both
    #[arg(value_name = "ICCID", value_parser = name)]
    card: Name,
    #[command(flatten)]
    midsim: WhichMidsim,
}

impl Detach {
    pub(super) fn run(self) -> u8 {
        let runtime = match tokio::runtime::Runtime::new() {
            Ok(runtime) => runtime,
            Err(error) => return complain(&error, FAILURE),
        };
        let midsim = Midsim::new(&self.midsim, &self.card);
        match runtime.block_on(midsim.detach()) {
            Ok(()) => OK,
            Err(why) => complain(&why, FAILURE),
        }
    }
}

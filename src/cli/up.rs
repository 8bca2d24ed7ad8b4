//! `midsim up`: everything, until it is stopped.

use std::path::PathBuf;

use clap::Args;

use super::{FAILURE, OK, SuiteOptions, USAGE, WorldOptions, complain};
use crate::sockets::ports::write_ports_file;
use crate::suite::Running;
use crate::wiring::Humans;

/// Start everything and stay
#[derive(Args)]
pub(super) struct Up {
    #[command(flatten)]
    world: WorldOptions,
    #[command(flatten)]
    suite: SuiteOptions,
    /// Listen on N, N+1, … instead of the usual ports; 0 takes free ones
    #[arg(long, value_name = "N", env = "MIDSIM_PORT_BASE")]
    port_base: Option<u16>,
    /// Write the ports as JSON when everything is ready
    #[arg(long, value_name = "FILE", env = "MIDSIM_PORTS_FILE")]
    ports_file: Option<PathBuf>,
    /// Keep everything in this folder and take it up again
    #[arg(long, value_name = "DIR", env = "MIDSIM_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Let scripted users answer for +447700900001 too
    #[arg(long)]
    no_human: bool,
    /// Let the clock stand; POST /api/v1/clock/advance moves it
    #[arg(long)]
    frozen: bool,
    /// One JSON line with the URLs
    #[arg(long)]
    json: bool,
}

impl Up {
    pub(super) fn run(self) -> u8 {
        super::log_to_stderr();
        let runtime = match tokio::runtime::Runtime::new() {
            Ok(runtime) => runtime,
            Err(error) => return complain(&error, FAILURE),
        };
        match runtime.block_on(self.stay()) {
            Ok(()) => OK,
            Err(error) => complain(&error, USAGE),
        }
    }

    async fn stay(self) -> Result<(), Box<dyn std::error::Error>> {
        let mut builder = self
            .suite
            .builder(self.world.load()?)
            .ports(super::ports(self.port_base)?);
        builder = builder.humans(if self.no_human {
            Humans::Approve
        } else {
            Humans::Ask
        });
        if self.frozen {
            builder = builder.frozen_clock();
        }
        if let Some(dir) = self.data_dir {
            builder = builder.data_dir(dir);
        }
        let suite = builder.start().await?;
        if let Some(file) = &self.ports_file {
            write_ports_file(file, suite.ports())?;
        }
        if self.json {
            println!("{}", serde_json::to_string(suite.urls())?);
        } else {
            print!("{}", greeting(&suite));
        }
        suite.until_signal().await?;
        Ok(())
    }
}

/// What a person needs to begin.
fn greeting(suite: &Running) -> String {
    let urls = suite.urls();
    format!(
        "midsim {version} is ready\n\n  \
         browser    {ui}\n  OP         {op}/.well-known/openid-configuration\n  \
         MSSP       {mssp}  (WSDL: {mssp}?wsdl)\n  SMSC       {smpp}  (SMPP 3.4, midsim/midsim)\n\n\
         Ask for a person, who answers at {ui} (PIN 1234):\n\n{curl}\n\n\
         Ctrl-C stops it. `midsim world` lists the numbers, `midsim docs` the documentation.\n",
        version = env!("CARGO_PKG_VERSION"),
        ui = urls.ui,
        op = urls.op,
        mssp = urls.mssp,
        smpp = urls.smpp,
        curl = suite.curl(),
    )
}

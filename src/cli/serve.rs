//! `midsim serve`: some of the parties, the others being processes of their own.

use std::fmt::Write as _;

use clap::{Args, ValueEnum};

use super::options::CONFIGURATION;
use super::up::{StayOptions, stay};
use super::{FAILURE, SetupError, USAGE, WorldOptions, complain};
use crate::sockets::ports::Service;
use crate::suite::{Builder, Running, Serves};

/// Start some parties alone and stay; their neighbours are reached by URL
///
/// All of them must be given the same world. Each process wants a data folder of its own. An MSSP sends its messages to the OTA
/// platform's HTTP API and gets the results from there; either may be stopped and started again at any time. Only the process that
/// serves `sim` has cards; the others refuse what is asked about one.
#[derive(Args)]
#[command(after_help = EXAMPLE, after_long_help = CONFIGURATION)]
pub(super) struct Serve {
    /// Which; `ota` is the platform with the SMSC, the handsets and their SIMs, and `sim` another word for it
    #[arg(required = true, value_enum, value_name = "PARTY")]
    parties: Vec<Party>,
    /// Where the OP finds the MSSP, unless it is served here, too
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8204/soap",
        env = "MIDSIM_MSSP_URL"
    )]
    mssp_url: String,
    /// Where the MSSP finds the OTA platform, unless it is served here, too. The admin token goes along
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8248",
        env = "MIDSIM_OTA_URL"
    )]
    ota_url: String,
    #[command(flatten)]
    world: WorldOptions,
    #[command(flatten)]
    stay: StayOptions,
}

/// What can be served alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Party {
    Op,
    Mssp,
    Ota,
    Sim,
}

const EXAMPLE: &str = "\
Everything in two processes, in any order:
  midsim serve ota sim
  midsim serve op mssp";

impl Serve {
    pub(super) fn run(self) -> u8 {
        super::log_to_stderr();
        match tokio::runtime::Runtime::new() {
            Ok(runtime) => runtime.block_on(self.stay()),
            Err(error) => complain(&error, FAILURE),
        }
    }

    async fn stay(self) -> u8 {
        let serves = self.serves();
        match self.builder(serves) {
            Ok(builder) => {
                let greeting = |suite: &Running| greeting(suite, serves);
                stay(builder, &self.stay, greeting).await
            }
            Err(error) => complain(&error, USAGE),
        }
    }

    fn serves(&self) -> Serves {
        let serves = |party| self.parties.contains(&party);
        Serves {
            op: serves(Party::Op),
            mssp: serves(Party::Mssp),
            ota: serves(Party::Ota) || serves(Party::Sim),
        }
    }

    fn builder(&self, serves: Serves) -> Result<Builder, SetupError> {
        let builder = self.stay.builder(&self.world)?.serve(serves);
        // The page of the process with the phones is at the usual port; the others' take a free one.
        let free: &[Service] = if serves.ota { &[] } else { &[Service::Ui] };
        let mut builder = self.stay.ports.apply_with(builder, free)?;
        if serves.op && !serves.mssp {
            builder = builder.mssp_url(&self.mssp_url);
        }
        if serves.mssp && !serves.ota {
            builder = builder.ota_url(&self.ota_url);
        }
        Ok(builder)
    }
}

/// Where everything is.
fn greeting(suite: &Running, serves: Serves) -> String {
    let urls = suite.urls();
    let version = env!("CARGO_PKG_VERSION");
    let mut text = format!("midsim {version} is ready\n\n  browser    {}\n", urls.ui);
    let place = |served| if served { "" } else { "  (elsewhere)" };
    let mut line = |name: &str, url: &str, served: bool| {
        if !url.is_empty() {
            let _ = writeln!(text, "  {name:<10} {url}{}", place(served));
        }
    };
    line("OP", &urls.op, serves.op);
    line("OP, mTLS", &urls.op_mtls, serves.op);
    if serves.op || serves.mssp {
        line("MSSP", &urls.mssp, serves.mssp);
    }
    if serves.mssp || serves.ota {
        line("OTA", &urls.ota, serves.ota);
    }
    line("SMSC", &urls.smpp, serves.ota);
    line("discovery", &urls.discovery, serves.op);
    text.push_str("\nCtrl-C stops it.\n");
    text
}

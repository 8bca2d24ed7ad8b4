//! `midsim up`: everything, until it is stopped.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::options::CONFIGURATION;
use super::{
    FAILURE, OK, PortOptions, SWITCH, SetupError, SuiteOptions, USAGE, WorldOptions, complain,
};
use crate::sockets::ports::write_ports_file;
use crate::sockets::shutdown::Signals;
use crate::suite::{Builder, Running};
use crate::wiring::Humans;

/// Start everything and stay
///
/// Prints where everything is as soon as it is ready; the first URL is for the browser. Ctrl-C stops it.
#[derive(Args)]
#[command(after_long_help = CONFIGURATION)]
pub(super) struct Up {
    #[command(flatten)]
    world: WorldOptions,
    /// Let the clock stand; POST /api/v1/clock/advance moves it
    #[arg(long, env = "MIDSIM_FROZEN", value_name = SWITCH)]
    frozen: bool,
    #[command(flatten)]
    stay: StayOptions,
}

/// What every command takes that starts something and stays.
#[derive(Args)]
pub(super) struct StayOptions {
    /// Keep everything in this folder and take it up again
    #[arg(long, value_name = "DIR", env = "MIDSIM_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Let scripted users answer for +447700900001 too
    #[arg(long, env = "MIDSIM_NO_HUMAN", value_name = SWITCH)]
    no_human: bool,
    /// One JSON line with the URLs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    suite: SuiteOptions,
    #[command(flatten)]
    pub(super) ports: PortOptions,
}

impl Up {
    pub(super) fn run(self) -> u8 {
        super::log_to_stderr();
        match tokio::runtime::Runtime::new() {
            Ok(runtime) => runtime.block_on(self.stay()),
            Err(error) => complain(&error, FAILURE),
        }
    }

    async fn stay(self) -> u8 {
        match self.builder() {
            Ok(builder) => stay(builder, &self.stay, greeting).await,
            Err(error) => complain(&error, USAGE),
        }
    }

    fn builder(&self) -> Result<Builder, SetupError> {
        let builder = self.stay.builder(&self.world)?;
        let builder = self.stay.ports.apply(builder)?;
        Ok(if self.frozen {
            builder.frozen_clock()
        } else {
            builder
        })
    }
}

impl StayOptions {
    /// A suite of this world with its people and its folder; where it listens is still to be said.
    pub(super) fn builder(&self, world: &WorldOptions) -> Result<Builder, SetupError> {
        let humans = if self.no_human {
            Humans::Approve
        } else {
            Humans::Ask
        };
        let builder = self.suite.builder(world.load()?).humans(humans);
        Ok(match &self.data_dir {
            Some(dir) => builder.data_dir(dir),
            None => builder,
        })
    }
}

/// Starts, tells where everything is, and stays until a signal comes.
pub(super) async fn stay(
    builder: Builder,
    options: &StayOptions,
    greeting: impl FnOnce(&Running) -> String,
) -> u8 {
    let ports = &options.ports;
    // Where the last one was is of no use to anybody.
    if let Some(file) = &ports.ports_file
        && let Err(why) = std::fs::remove_file(file)
        && why.kind() != std::io::ErrorKind::NotFound
    {
        let path = file.clone();
        return complain(&SetupError::File { path, why }, USAGE);
    }
    let suite = match builder.start().await {
        Ok(suite) => suite,
        Err(error) => return super::not_started(&error),
    };
    let signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => return complain(&error, FAILURE),
    };
    if let Some(file) = &ports.ports_file
        && let Err(error) = write_ports_file(file, suite.ports())
    {
        return complain(&error, USAGE);
    }
    if options.json {
        let urls = suite.urls();
        let mut document = json!({"schema_version": 1, "pid": std::process::id()});
        for (name, url) in [
            ("ui", &urls.ui),
            ("op", &urls.op),
            ("op_mtls", &urls.op_mtls),
            ("mssp", &urls.mssp),
            ("ota", &urls.ota),
            ("smpp", &urls.smpp),
            ("discovery", &urls.discovery),
        ] {
            // Of a party that is somewhere unknown there is none.
            if !url.is_empty() {
                document[name] = url.as_str().into();
            }
        }
        println!("{document}");
    } else {
        print!("{}", greeting(&suite));
    }
    suite.until(signals).await;
    OK
}

/// What a person needs to begin.
fn greeting(suite: &Running) -> String {
    let urls = suite.urls();
    format!(
        "midsim {version} is ready\n\n  \
         browser    {ui}\n  OP         {op}/.well-known/openid-configuration\n  \
         OP, mTLS   {op_mtls}  (its CA: {ui}/ca.pem)\n  MSSP       {mssp}  (WSDL: {mssp}?wsdl)\n  \
         OTA        {ota}  (OpenAPI: {ota}/openapi.json)\n  SMSC       {smpp}  (SMPP 3.4, midsim/midsim)\n  \
         discovery  {discovery}  (a number for a login_hint_token)\n\n\
         Ask for a person, who answers at {ui} (PIN 1234):\n\n{curl}\n\n\
         Pings and pushes go to loopback and public addresses; --allow-notify adds networks.\n\
         Ctrl-C stops it. `midsim world` lists the numbers, `midsim docs` the documentation.\n",
        version = env!("CARGO_PKG_VERSION"),
        ui = urls.ui,
        op = urls.op,
        op_mtls = urls.op_mtls,
        mssp = urls.mssp,
        ota = urls.ota,
        smpp = urls.smpp,
        discovery = urls.discovery,
        curl = suite.curl(),
    )
}

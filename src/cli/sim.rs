//! `midsim sim`: one card, for the tools of other people.

mod attach;
mod detach;
mod hints;
mod midsim;
mod scan;
mod stdio;

use clap::{Args, Subcommand};
use ota_wire::ids::{Iccid, Msisdn};
use sim_applet_sim::uicc::Uicc;

use super::{SetupError, WorldOptions};
use crate::cards::{BadCode, Profiles, fresh_state, owner};
use crate::world::Subscriber;

/// Use one card with card tools: in a PC/SC reader, or on a pipe
#[derive(Args)]
pub(super) struct Sim {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Attach(attach::Attach),
    Detach(detach::Detach),
    Scan(scan::Scan),
    Stdio(stdio::Stdio),
}

impl Sim {
    pub(super) fn run(self) -> u8 {
        match self.command {
            Command::Attach(command) => command.run(),
            Command::Detach(command) => command.run(),
            Command::Scan(command) => command.run(),
            Command::Stdio(command) => command.run(),
        }
    }
}

/// Which card.
#[derive(Args, Clone, Debug)]
struct WhichCard {
    /// Its ICCID, or the number of its subscriber; `midsim world` lists both
    #[arg(value_name = "ICCID", value_parser = name)]
    card: Name,
    #[command(flatten)]
    world: WorldOptions,
}

#[derive(Clone, Debug)]
enum Name {
    Iccid(Iccid),
    Msisdn(Msisdn),
}

impl Name {
    /// As the control API takes it.
    fn in_url(&self) -> String {
        match self {
            Self::Iccid(iccid) => iccid.digits().to_owned(),
            Self::Msisdn(msisdn) => msisdn.digits().to_owned(),
        }
    }
}

/// Numbers have at most 15 digits, ICCIDs at least 18.
fn name(text: &str) -> Result<Name, String> {
    let name = if text.len() < 18 {
        text.parse()
            .map(Name::Msisdn)
            .map_err(|error| error.to_string())
    } else {
        text.parse()
            .map(Name::Iccid)
            .map_err(|error| error.to_string())
    };
    name.map_err(|error| format!("{error}; `midsim world` lists the cards"))
}

/// Why there is no such card.
#[derive(Debug, thiserror::Error)]
enum NoCard {
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error("the world has no such card; `midsim world` lists those it has")]
    Unknown,
    #[error(transparent)]
    Code(#[from] BadCode),
}

impl WhichCard {
    /// The card fresh from the factory, and whose it is.
    fn load(&self) -> Result<(Uicc, Subscriber), NoCard> {
        let world = self.world.load()?;
        let subscriber = match &self.card {
            Name::Iccid(iccid) => world.by_iccid(iccid),
            Name::Msisdn(msisdn) => world.subscriber(msisdn),
        };
        let subscriber = subscriber.ok_or(NoCard::Unknown)?;
        let profile = Profiles::new(&world).of(&subscriber).clone();
        let state = fresh_state(&subscriber, &profile);
        Ok((Uicc::new(profile, owner(&subscriber)?, state), subscriber))
    }
}

//! A whole midsim in one process: what the binary runs, and what a test runs.
//!
//! ```no_run
//! # async fn example() -> Result<(), midsim::suite::StartError> {
//! let suite = midsim::Suite::builder().start().await?;
//! println!("the OP is at {}", suite.op_url());
//! suite.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod builder;
mod config;
mod decide;
mod discovery;
mod error;
mod external;
mod handle;
mod in_process;
mod keyring;
mod readers;
mod receiver;
mod running;
mod signer;
mod sim;
mod stores;
mod tls;

use std::sync::Arc;

pub use self::builder::Builder;
pub use self::config::OpSwitches;
pub(crate) use self::config::key_version;
pub use self::decide::{Decision, DecisionError};
pub use self::error::StartError;
pub use self::external::{NoSims, Reader, ReaderFailure};
pub use self::handle::Handle;
pub use self::in_process::InProcessSuite;
use self::keyring::KeyRing;
pub use self::readers::{AttachError, Attached};
pub use self::running::{Running, Urls};
pub use self::signer::BadKey;
pub use self::sim::{CardView, MenuView, Place, SelectError, Sim};
pub use self::tls::{TlsOptions, TlsService};
pub use crate::control::{BadHost, HostName};
use crate::wiring::Parties;
pub use crate::wiring::Serves;
use crate::world::World;

/// The entry to the library.
#[derive(Debug)]
pub struct Suite;

impl Suite {
    /// A suite of the default world, on free ports, in memory, on the real clock.
    pub fn builder() -> Builder {
        Builder::new(World::default())
    }
}

/// How the MSSP tells the OP of the outcome (MessagingMode of TS 102 204).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub enum MssMode {
    /// The OP asks by MSS_StatusQuery.
    AsynchClientServer,
    /// The MSSP sends MSS_Notification.
    #[default]
    AsynchServerServer,
    /// The answer to MSS_Signature waits for the user.
    Synch,
}

/// Where the parties find each other, and what they call themselves.
struct Places {
    /// The OP's issuer.
    issuer: String,
    /// The OP behind mutual TLS, where there is one.
    mutual_tls: Option<String>,
    /// Where the MSSP rings, when it is not under the issuer.
    notify_url: Option<String>,
    /// The discovery service.
    discovery: String,
    /// SOAP endpoint of the MSSP.
    mssp: String,
    /// Where notifications of clients without an endpoint of their own go.
    receiver: String,
}

/// What a suite consists of, without its sockets.
struct Made {
    parties: Arc<Parties>,
    keys: Arc<KeyRing>,
    discovery: Arc<op_bridge::discovery::Discovery>,
}

#[cfg(test)]
mod tests;

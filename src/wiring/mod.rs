//! The parties joined to a network. Two wirings of the same steps: [`sockets`] and [`in_process`].
//!
//! A [`Message`] goes to one party, whose step is committed and then releases [`Emission`]s. What an emission means between
//! two parties of one operator stands in [`Parties::effects`]; what it means on a network is the wiring's business.

pub mod in_process;
pub mod sockets;

pub(crate) mod apart;
mod convert;
pub mod discovery;
mod fetches;
pub(crate) mod http;
mod parties;
mod phones;
mod smpp;
mod smpp_links;
pub(crate) mod steps;
mod waits;

pub use parties::{Effect, Emission, Message, Parties, Receipt, Serves};
pub use phones::{Humans, Phones};
pub use waits::Waits;

//! The OTA platform and the SMSC: what lies between an application that has a message for a SIM and the phone that holds it.
//!
//! - [`smpp`]: SMPP 3.4, framing, PDUs and a session without sockets, for both roles.
//!
//! Nothing here reads a clock, opens a socket or draws its own chance: time, octets and randomness come in as arguments.

mod octets;
pub mod smpp;

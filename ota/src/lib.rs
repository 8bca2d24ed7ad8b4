//! The OTA platform and the SMSC: what lies between an application that has a message for a SIM and the phone that holds it.
//!
//! - [`platform`]: jobs, counters, key sets; command packets out, answers and response packets in.
//! - [`smsc`]: store and forward between ESMEs and phones.
//! - [`smpp`]: SMPP 3.4, framing, PDUs and a session without sockets, for both roles.
//! - [`step`]: how either party is driven; [`event`]: what they report for the trace.
//!
//! Nothing here reads a clock, opens a socket or draws its own chance: time, octets and randomness come in as arguments.

pub mod event;
mod octets;
pub mod platform;
pub mod smpp;
pub mod smsc;
pub mod step;

#[cfg(test)]
mod testing;

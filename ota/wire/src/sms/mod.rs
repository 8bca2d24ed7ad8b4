//! Short messages: 3GPP TS 23.040 (TPDUs, user data) and TS 23.038 (codings).
//!
//! The parts build on each other: [`gsm7`] and [`dcs`] say how text is coded, [`address`] and [`scts`] are fields,
//! [`udh`] is the header inside the user data, [`tpdu`] holds the five messages, [`concat`] cuts a secured packet
//! into parts and joins parts again.
//!
//! Every `parse` here accepts any octets, never panics and allocates no more than it was given. What it accepts,
//! `emit` gives back octet by octet; so the raw value of each field is kept and the typed reading of it is an
//! accessor.

pub mod address;
pub mod concat;
pub mod dcs;
pub mod gsm7;
pub mod scts;
pub mod tpdu;
pub mod udh;
pub mod user_data;

#[cfg(test)]
mod hostile;

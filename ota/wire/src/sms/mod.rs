//! 3GPP TS 23.040 and TS 23.038: short messages.

pub mod address;
pub mod concat;
pub mod dcs;
pub mod gsm7;
pub mod scts;
pub mod tpdu;
pub mod udh;

//! Wire formats of SIM OTA messaging.

pub mod apdu;
pub mod applet;
pub mod cat;
pub mod dissect;
pub mod ids;
pub mod keys;
pub mod packet;
pub mod remote_apdu;
pub mod rp;
pub mod secret;
pub mod serial;
pub mod sms;
pub mod tlv;
pub mod trace;

//! midsim: every party below an OpenID Provider in MODRNA CIBA Appendix A.

pub mod authority;
pub mod cards;
pub mod cli;
pub mod control;
pub mod decode;
pub mod docs;
pub mod encode;
pub mod faults;
pub mod ota_api;
pub mod rp;
pub mod runtime;
pub mod sockets;
pub mod suite;
pub mod trace;
pub mod users;
pub mod vectors;
pub mod wiring;
pub mod world;

pub use suite::Suite;

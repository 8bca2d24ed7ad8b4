//! midsim: every party below an OpenID Provider in MODRNA CIBA Appendix A.

pub mod decode;
pub mod faults;
pub mod rp;
pub mod runtime;
pub mod sockets;
pub mod trace;
pub mod users;
pub mod vectors;
pub mod wiring;
pub mod world;

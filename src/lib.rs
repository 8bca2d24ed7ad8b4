//! midsim: every party below an OpenID Provider in MODRNA CIBA Appendix A.

pub mod decode;
pub mod rp;
pub mod runtime;
pub mod sockets;
pub mod vectors;
pub mod world;

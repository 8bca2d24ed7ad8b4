//! midsim: every party below an OpenID Provider in MODRNA CIBA Appendix A.

pub mod runtime;
pub mod sockets;
pub mod vectors;

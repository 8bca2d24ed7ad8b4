//! The sockets: everything that touches the network, and the only place besides the clock where real time counts.
//!
//! Time here is *transport* time: how long a header may take, how long a peer may leave its answer unread. Nothing of it reaches
//! a party's step.
//!
//! | module | gives |
//! |---|---|
//! | [`ports`] | names, numbers, binding, the file that tells others |
//! | [`shutdown`] | a stop that drains, a second one that does not |
//! | [`http_server`] | one shell for every party that speaks HTTP |

pub mod http_server;
pub mod ports;
pub mod shutdown;
mod stall;

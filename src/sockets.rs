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
//! | [`http_client`] | one guarded client for all they send |
//! | [`event_stream`] | server-sent events, as their client reads them |
//! | [`addresses`] | whom that client may call |
//! | [`tcp`] | sessions over octet streams (SMPP), both ends |
//! | [`tls`] | TLS for both ends of HTTP, and the test CA |
//! | [`vpcd`] | the card's end of a virtual PC/SC reader |

pub mod addresses;
pub mod event_stream;
pub mod http_client;
pub mod http_server;
pub mod ports;
pub mod ready;
pub mod shutdown;
mod stall;
pub mod tcp;
pub mod tls;
pub mod vpcd;

//! The operations beside MSS_Signature and MSS_StatusQuery, and what every operation asks of its caller.

mod admit;
mod handshake;
mod profile_query;
mod receipt;
mod registration;

pub(crate) use admit::Caller;

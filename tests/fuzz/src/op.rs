//! What clients send to the OP. The parsers are private to its crate, so the checks stand there.

pub use op_bridge::fuzz::{certificate, form, jwe, jwk_set, jws, request_object};

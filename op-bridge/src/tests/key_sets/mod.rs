//! Keys of clients behind a jwks_uri (RFC 7591 §2): when they are fetched, how long they are used, and what is refused.

mod fetches;
mod support;
mod uses;

use super::*;

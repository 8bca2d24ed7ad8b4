//! Every way of authenticating (RFC 6749 §2.3, RFC 7523 §3, RFC 8705 §2), at the endpoint where everything begins.

mod assertions;
mod certificates;
mod secrets;
mod support;

use super::*;

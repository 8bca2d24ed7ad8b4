//! op-bridge: an OpenID Provider for Client-Initiated Backchannel Authentication.

mod acr;
mod forms;
mod hint;
mod oauth;
mod secret;

pub use acr::Assurance;
pub use hint::{HintError, Msisdn, NotANumber, parse_login_hint};
pub use secret::Secret;

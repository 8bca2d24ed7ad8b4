//! Every hint (CIBA Core §7.1), login_hint_token after the MODRNA Authentication profile, and the discovery service.

mod discovery;
mod id_token_hint;
mod login_hint;
mod login_hint_token;
mod support;

use super::*;

//! Signed authentication requests (CIBA Core §7.1.1, FAPI-CIBA §5.2.2 and the rows of the OIDF suite about them).

mod claims;
mod parameters;
mod policy;
mod signatures;
mod support;

use super::*;

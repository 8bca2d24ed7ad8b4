//! Secured packets of ETSI TS 102 225 as 3GPP TS 31.115 puts them on SMS, in both directions.

mod algorithm;
#[allow(dead_code, reason = "the packets that use all of it come next")]
mod crypto;

pub use algorithm::{CipherAlgorithm, IntegrityAlgorithm};
pub(crate) use crypto::{Tag, cbc_mac_3des2, ciphered_block_start, cmac};

//! Secured packets of ETSI TS 102 225 as 3GPP TS 31.115 puts them on SMS, in both directions.
//!
//! A [`Command`] goes to the card, a [`Response`] (the proof of receipt, PoR) may come back. Packets are whole: what
//! travels in several short messages is split after sealing and joined before opening.
//!
//! | who | sends | receives |
//! |---|---|---|
//! | platform | [`Command::seal`] | [`check_response`] |
//! | card | [`response_for`], then [`Por::seal`] | [`open`] |
//!
//! [`CommandView`] and [`ResponseView`] read what is not ciphered, [`Command::unseal`] removes the protection without
//! any policy, for tools that show packets.
//!
//! Order of checks in [`open`]: lengths, TAR, minimum security level, agreement of SPI, KIc and KID with each other and
//! with the key set, deciphering, RC/CC, padding, counter. Nothing deciphered is looked at before the RC/CC is, so no
//! answer depends on what a stranger's octets decipher to.
//!
//! Panics: none, whatever the octets. Allocation: one buffer a packet, as long as the packet; a second one when
//! [`check_response`] has to read an answer as a bare one too.
//!
//! Builds with `--cfg fuzzing` take every RC/CC of the right length for the right one, so that a fuzzer gets behind
//! the check. Such a build must not be used for anything else.

mod algorithm;
mod command;
mod crypto;
mod receive;
mod response;
mod spi;

pub use algorithm::{AlgorithmError, CipherAlgorithm, IntegrityAlgorithm};
pub use command::{Command, CommandView, Malformed, SealError};
pub use receive::{Header, Opened, Receiver, RejectReason, Rejected, open};
pub use response::{
    Checked, Por, Response, ResponseError, ResponseStatus, ResponseView, Sent, check_response,
    response_for,
};
pub use spi::{CounterMode, Integrity, PorMode, Spi};

pub(crate) use crypto::{
    Tag, cbc_mac_3des2, ciphered_block_start, cmac, cmac_256, decipher_key, decrypt, encipher_key,
    encrypt,
};

#[cfg(test)]
mod tests;

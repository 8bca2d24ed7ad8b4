//! midsim's own applet protocol between MSSP and the signature applet of a card: the secured data of the command
//! packet on the way down, the whole short message on the way back.
//!
//! No standard defines it. Layout and rules are described in `docs/applet.md` of this crate. All integers are
//! big-endian. Every message ends with an 8-octet MAC under the applet key of the card; the MAC of a response also
//! covers the MAC of the challenge it answers.
//!
//! Panics: parsing and verifying never panic. Sealing panics if the key does not have 16 octets or a signature has
//! more than 255: both are mistakes in the calling program.

mod challenge;
mod response;
mod text;

pub use challenge::{Challenge, ChallengeView, Method};
pub use response::{AppletResponse, ResponseView, ResultCode};
pub use text::{Text, TextAlphabet, TextError};

use crate::keys::KeyError;
pub use crate::keys::MacAlgorithm;
use crate::packet::{Tag, cbc_mac_3des2, cmac};
use crate::secret::Secret;

/// The only version of the protocol so far.
pub const VERSION: u8 = 1;

/// Octets of the MAC at the end of every message.
pub const MAC_LEN: usize = 8;

/// Value of the DIR octet.
mod direction {
    pub(super) const CHALLENGE: u8 = 0x00;
    pub(super) const RESPONSE: u8 = 0x01;
}

/// Fields that both directions have at the same place.
mod field {
    use std::ops::Range;

    pub(super) const LEN: Range<usize> = 0..2;
    pub(super) const VER: usize = 2;
    pub(super) const DIR: usize = 3;
    pub(super) const TID: Range<usize> = 4..12;
    pub(super) const CTR: Range<usize> = 12..20;
}

/// Why octets are no message of this protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppletError {
    /// DIGEST is neither absent nor 32 octets.
    #[error("DLEN is {got}, expected 0 or 32")]
    Digest {
        /// DLEN.
        got: u8,
    },
    /// A message of the other direction.
    #[error("DIR is {got:02X}, expected {expected:02X}")]
    Direction {
        /// Direction of the messages read here.
        expected: u8,
        /// DIR.
        got: u8,
    },
    /// UCS2 text with an odd number of octets.
    #[error("TUDL is {got}, UCS2 needs an even number")]
    HalfCharacter {
        /// TUDL.
        got: u8,
    },
    /// LEN or the lengths of the fields do not add up to the octets there are.
    #[error("message of {expected} octets announced, got {got}")]
    Length {
        /// Octets announced.
        expected: usize,
        /// Octets there are.
        got: usize,
    },
    /// An octet with a value that this version does not know.
    #[error("{field} {got:02X} is not supported")]
    Unsupported {
        /// The field, as the documentation calls it.
        field: &'static str,
        /// Its value.
        got: u8,
    },
    /// TEXT does not hold as many characters as TUDL says, or more than are allowed.
    #[error(transparent)]
    Text(#[from] TextError),
}

/// Checks what both directions have in common.
fn check_frame(octets: &[u8], expected_direction: u8, min_len: usize) -> Result<(), AppletError> {
    let got = octets.len();
    if got < min_len {
        return Err(AppletError::Length {
            expected: min_len,
            got,
        });
    }
    let expected = usize::from(u16::from_be_bytes([
        octets[field::LEN.start],
        octets[field::LEN.start + 1],
    ]));
    if expected != got {
        return Err(AppletError::Length { expected, got });
    }
    if octets[field::DIR] != expected_direction {
        return Err(AppletError::Direction {
            expected: expected_direction,
            got: octets[field::DIR],
        });
    }
    if octets[field::VER] != VERSION {
        return Err(AppletError::Unsupported {
            field: "VER",
            got: octets[field::VER],
        });
    }
    Ok(())
}

/// The first 20 octets, LEN still open.
fn start(direction: u8, tid: &[u8; 8], ctr: u64, capacity: usize) -> Vec<u8> {
    let mut octets = Vec::with_capacity(capacity);
    octets.extend_from_slice(&[0, 0, VERSION, direction]);
    octets.extend_from_slice(tid);
    octets.extend_from_slice(&ctr.to_be_bytes());
    octets
}

/// Sets LEN and appends the MAC.
fn finish(
    mut octets: Vec<u8>,
    algorithm: MacAlgorithm,
    key: &Secret,
    challenge_mac: &[u8],
) -> Vec<u8> {
    let len = (octets.len() + MAC_LEN) as u16;
    octets[field::LEN].copy_from_slice(&len.to_be_bytes());
    match mac(algorithm, key, &octets, challenge_mac) {
        Ok(tag) => octets.extend_from_slice(tag.as_slice()),
        Err(error) => panic!("applet MAC key: {error}"),
    }
    octets
}

fn mac(
    algorithm: MacAlgorithm,
    key: &Secret,
    message: &[u8],
    challenge_mac: &[u8],
) -> Result<Tag, KeyError> {
    if key.len() != 16 {
        return Err(KeyError::Unsuitable { got: key.len() });
    }
    let parts = [message, challenge_mac];
    Ok(match algorithm {
        MacAlgorithm::AesCmac8 => Tag::cut(&cmac(key.expose(), &parts)?, MAC_LEN),
        MacAlgorithm::TripleDesCbcMac => Tag::cut(&cbc_mac_3des2(key.expose(), parts)?, MAC_LEN),
    })
}

/// Whether the last 8 octets of `octets` are the right MAC.
fn verify(octets: &[u8], algorithm: MacAlgorithm, key: &Secret, challenge_mac: &[u8]) -> bool {
    let (message, received) = octets.split_at(octets.len() - MAC_LEN);
    mac(algorithm, key, message, challenge_mac).is_ok_and(|tag| tag.matches(received))
}

fn eight(octets: &[u8]) -> [u8; 8] {
    let mut value = [0; 8];
    value.copy_from_slice(octets);
    value
}

#[cfg(test)]
mod tests;

//! The challenge: what the user is asked, from the MSSP to the applet.

use super::{
    AppletError, MAC_LEN, MacAlgorithm, Text, TextAlphabet, check_frame, direction, eight, field,
    finish, start, verify,
};
use crate::secret::Secret;

/// Places behind the common fields; DLEN, DIGEST and MAC follow TEXT.
mod place {
    use std::ops::Range;

    pub(super) const METHOD: usize = 20;
    pub(super) const ALG: usize = 21;
    pub(super) const VALID: Range<usize> = 22..24;
    pub(super) const DCS: usize = 24;
    pub(super) const TUDL: usize = 25;
    pub(super) const TEXT: usize = 26;
}

/// Octets besides TEXT and DIGEST: the fields before TEXT, DLEN and MAC.
const FIXED_LEN: usize = place::TEXT + 1 + MAC_LEN;

/// What the user has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Method {
    /// Accept what is shown.
    Confirm = 1,
    /// Type the applet's PIN.
    Pin = 2,
}

impl TryFrom<u8> for Method {
    type Error = u8;

    /// The error is the octet itself.
    fn try_from(octet: u8) -> Result<Self, u8> {
        match octet {
            1 => Ok(Self::Confirm),
            2 => Ok(Self::Pin),
            other => Err(other),
        }
    }
}

/// A challenge, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Transaction id, chosen at random by the MSSP.
    pub tid: [u8; 8],
    /// Applet counter: max(last + 1, milliseconds since 1970).
    pub ctr: u64,
    /// What the user has to do.
    pub method: Method,
    /// MAC of this message and of its response.
    pub mac_algorithm: MacAlgorithm,
    /// Seconds after arrival in which the answer counts; 0 for no limit.
    pub valid_for: u16,
    /// What the user reads.
    pub text: Text,
    /// SHA-256 digest to sign, if a signature is wanted besides the MAC.
    pub digest: Option<[u8; 32]>,
}

impl Challenge {
    /// The octets on the wire, with their MAC.
    ///
    /// # Panics
    /// If the key does not have 16 octets.
    pub fn seal(&self, key: &Secret) -> Vec<u8> {
        let text = self.text.octets();
        let capacity = FIXED_LEN + text.len() + self.digest.map_or(0, |digest| digest.len());
        let mut octets = start(direction::CHALLENGE, &self.tid, self.ctr, capacity);
        octets.extend_from_slice(&[self.method as u8, self.mac_algorithm as u8]);
        octets.extend_from_slice(&self.valid_for.to_be_bytes());
        octets.extend_from_slice(&[self.text.dcs(), self.text.udl()]);
        octets.extend_from_slice(text);
        match &self.digest {
            Some(digest) => {
                octets.push(digest.len() as u8);
                octets.extend_from_slice(digest);
            }
            None => octets.push(0),
        }
        finish(octets, self.mac_algorithm, key, &[])
    }

    /// Reads a challenge. The MAC is not looked at; see [`ChallengeView::verify`].
    pub fn parse(octets: &[u8]) -> Result<Self, AppletError> {
        let view = ChallengeView::new_checked(octets)?;
        Ok(Self {
            tid: view.tid(),
            ctr: view.ctr(),
            method: view.method().map_err(|got| AppletError::Unsupported {
                field: "METHOD",
                got,
            })?,
            mac_algorithm: view
                .mac_algorithm()
                .map_err(|got| AppletError::Unsupported { field: "ALG", got })?,
            valid_for: view.valid_for(),
            text: view.text(),
            digest: view.digest().copied(),
        })
    }
}

/// A challenge in place. Lengths have been checked, METHOD and ALG may still be unknown ones.
#[derive(Clone, Copy, Debug)]
pub struct ChallengeView<'a> {
    octets: &'a [u8],
    alphabet: TextAlphabet,
    text_end: usize,
}

impl<'a> ChallengeView<'a> {
    /// Checks the frame and all lengths.
    pub fn new_checked(octets: &'a [u8]) -> Result<Self, AppletError> {
        check_frame(octets, direction::CHALLENGE, FIXED_LEN)?;
        let alphabet = match octets[place::DCS] {
            0x00 => TextAlphabet::Gsm7,
            0x08 => TextAlphabet::Ucs2,
            got => return Err(AppletError::Unsupported { field: "DCS", got }),
        };
        let text_udl = octets[place::TUDL];
        if alphabet == TextAlphabet::Ucs2 && !text_udl.is_multiple_of(2) {
            return Err(AppletError::HalfCharacter { got: text_udl });
        }
        let text_end = place::TEXT + Text::octets_announced(alphabet, text_udl)?;
        let length = |expected| AppletError::Length {
            expected,
            got: octets.len(),
        };
        let digest_len = *octets
            .get(text_end)
            .ok_or_else(|| length(text_end + 1 + MAC_LEN))?;
        if !matches!(digest_len, 0 | 32) {
            return Err(AppletError::Digest { got: digest_len });
        }
        let expected = text_end + 1 + usize::from(digest_len) + MAC_LEN;
        if octets.len() != expected {
            return Err(length(expected));
        }
        Ok(Self {
            octets,
            alphabet,
            text_end,
        })
    }

    /// TID.
    pub fn tid(&self) -> [u8; 8] {
        eight(&self.octets[field::TID])
    }

    /// CTR.
    pub fn ctr(&self) -> u64 {
        u64::from_be_bytes(eight(&self.octets[field::CTR]))
    }

    /// METHOD, or the octet if it is unknown.
    pub fn method(&self) -> Result<Method, u8> {
        self.octets[place::METHOD].try_into()
    }

    /// ALG, or the octet if it is unknown.
    pub fn mac_algorithm(&self) -> Result<MacAlgorithm, u8> {
        self.octets[place::ALG].try_into()
    }

    /// VALID, seconds.
    pub fn valid_for(&self) -> u16 {
        let valid = &self.octets[place::VALID];
        u16::from_be_bytes([valid[0], valid[1]])
    }

    /// DCS, TUDL and TEXT.
    pub fn text(&self) -> Text {
        Text::from_fields(
            self.alphabet,
            self.octets[place::TUDL],
            &self.octets[place::TEXT..self.text_end],
        )
    }

    /// DIGEST.
    pub fn digest(&self) -> Option<&'a [u8; 32]> {
        self.octets[self.text_end + 1..]
            .first_chunk()
            .filter(|_| self.octets[self.text_end] == 32)
    }

    /// MAC as received; the response covers it.
    pub fn mac(&self) -> [u8; 8] {
        eight(&self.octets[self.octets.len() - MAC_LEN..])
    }

    /// Whether the MAC is right, in constant time. False for an unknown ALG and for a key of another length than 16
    /// octets. Always true in fuzzing builds (`--cfg fuzzing`) if ALG and key are usable.
    pub fn verify(&self, key: &Secret) -> bool {
        self.mac_algorithm()
            .is_ok_and(|algorithm| verify(self.octets, algorithm, key, &[]))
    }
}

//! The response: what became of a challenge, from the applet to the MSSP.

use super::{
    AppletError, MAC_LEN, MacAlgorithm, check_frame, direction, eight, field, finish, start, verify,
};
use crate::secret::Secret;

/// Places behind the common fields; MAC follows SIG.
mod place {
    pub(super) const RESULT: usize = 20;
    pub(super) const TRIES: usize = 21;
    pub(super) const ALG: usize = 22;
    pub(super) const SLEN: usize = 23;
    pub(super) const SIG: usize = 24;
}

/// Octets besides SIG.
const FIXED_LEN: usize = place::SIG + MAC_LEN;

/// RESULT octet. Unknown values survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ResultCode(pub u8);

impl ResultCode {
    /// The user did what was asked.
    pub const OK: Self = Self(0x00);
    /// The user cancelled.
    pub const CANCELLED: Self = Self(0x01);
    /// The user went back.
    pub const BACK: Self = Self(0x02);
    /// The user did not answer in time.
    pub const TIMEOUT: Self = Self(0x03);
    /// The applet's PIN is blocked.
    pub const PIN_BLOCKED: Self = Self(0x04);
    /// The handset was busy with something else.
    pub const BUSY: Self = Self(0x05);
    /// The MAC of the challenge is wrong.
    pub const BAD_MAC: Self = Self(0x06);
    /// CTR is not above the last one.
    pub const REPLAY: Self = Self(0x07);
    /// The applet or the handset cannot do what was asked.
    pub const UNSUPPORTED: Self = Self(0x08);
    /// The applet's PUK is blocked.
    pub const PUK_BLOCKED: Self = Self(0x09);

    /// Short English name; empty for unknown values.
    pub fn name(self) -> &'static str {
        match self {
            Self::OK => "ok",
            Self::CANCELLED => "cancelled",
            Self::BACK => "back",
            Self::TIMEOUT => "timeout",
            Self::PIN_BLOCKED => "PIN blocked",
            Self::BUSY => "busy",
            Self::BAD_MAC => "bad MAC",
            Self::REPLAY => "replay",
            Self::UNSUPPORTED => "unsupported",
            Self::PUK_BLOCKED => "PUK blocked",
            _ => "",
        }
    }
}

/// A response, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppletResponse {
    /// TID of the challenge.
    pub tid: [u8; 8],
    /// CTR of the challenge.
    pub ctr: u64,
    /// What became of it.
    pub result: ResultCode,
    /// PIN tries left.
    pub tries_left: u8,
    /// ALG of the challenge.
    pub mac_algorithm: MacAlgorithm,
    /// ECDSA signature in ASN.1 DER, or empty. At most 255 octets.
    pub signature: Vec<u8>,
}

impl AppletResponse {
    /// The octets on the wire, with their MAC, which also covers the 8 MAC octets of the challenge.
    ///
    /// # Panics
    /// If the key does not have 16 octets, or the signature has more than 255.
    pub fn seal(&self, key: &Secret, challenge_mac: &[u8; 8]) -> Vec<u8> {
        assert!(
            self.signature.len() <= 255,
            "signature of {} octets, SLEN allows 255",
            self.signature.len()
        );
        let mut octets = start(
            direction::RESPONSE,
            &self.tid,
            self.ctr,
            FIXED_LEN + self.signature.len(),
        );
        octets.extend_from_slice(&[
            self.result.0,
            self.tries_left,
            self.mac_algorithm as u8,
            self.signature.len() as u8,
        ]);
        octets.extend_from_slice(&self.signature);
        finish(octets, self.mac_algorithm, key, challenge_mac)
    }

    /// Reads a response. The MAC is not looked at; see [`AppletResponse::verify`].
    pub fn parse(octets: &[u8]) -> Result<Self, AppletError> {
        let view = ResponseView::new_checked(octets)?;
        Ok(Self {
            tid: view.tid(),
            ctr: view.ctr(),
            result: view.result(),
            tries_left: view.tries_left(),
            mac_algorithm: view
                .mac_algorithm()
                .map_err(|got| AppletError::Unsupported { field: "ALG", got })?,
            signature: view.signature().to_vec(),
        })
    }

    /// Whether `octets` are a response whose MAC is right, in constant time; see [`ResponseView::verify`].
    pub fn verify(octets: &[u8], key: &Secret, challenge_mac: &[u8; 8]) -> bool {
        ResponseView::new_checked(octets).is_ok_and(|view| view.verify(key, challenge_mac))
    }
}

/// A response in place. Lengths have been checked, ALG may still be an unknown one.
#[derive(Clone, Copy, Debug)]
pub struct ResponseView<'a> {
    octets: &'a [u8],
}

impl<'a> ResponseView<'a> {
    /// Checks the frame and all lengths.
    pub fn new_checked(octets: &'a [u8]) -> Result<Self, AppletError> {
        check_frame(octets, direction::RESPONSE, FIXED_LEN)?;
        let expected = FIXED_LEN + usize::from(octets[place::SLEN]);
        if octets.len() != expected {
            return Err(AppletError::Length {
                expected,
                got: octets.len(),
            });
        }
        Ok(Self { octets })
    }

    /// TID.
    pub fn tid(&self) -> [u8; 8] {
        eight(&self.octets[field::TID])
    }

    /// CTR.
    pub fn ctr(&self) -> u64 {
        u64::from_be_bytes(eight(&self.octets[field::CTR]))
    }

    /// RESULT.
    pub fn result(&self) -> ResultCode {
        ResultCode(self.octets[place::RESULT])
    }

    /// TRIES.
    pub fn tries_left(&self) -> u8 {
        self.octets[place::TRIES]
    }

    /// ALG, or the octet if it is unknown.
    pub fn mac_algorithm(&self) -> Result<MacAlgorithm, u8> {
        self.octets[place::ALG].try_into()
    }

    /// SIG.
    pub fn signature(&self) -> &'a [u8] {
        &self.octets[place::SIG..self.octets.len() - MAC_LEN]
    }

    /// MAC as received.
    pub fn mac(&self) -> [u8; 8] {
        eight(&self.octets[self.octets.len() - MAC_LEN..])
    }

    /// Whether the MAC is right, in constant time. False for an unknown ALG and for a key of another length than 16
    /// octets. Always true in fuzzing builds (`--cfg fuzzing`) if ALG and key are usable.
    pub fn verify(&self, key: &Secret, challenge_mac: &[u8; 8]) -> bool {
        self.mac_algorithm()
            .is_ok_and(|algorithm| verify(self.octets, algorithm, key, challenge_mac))
    }
}

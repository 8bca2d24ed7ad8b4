//! Values that must not leak: client secrets, passwords, bearer tokens.
//!
//! What the store keeps of a token is its SHA-256 only, so that a copy of the store redeems nothing.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand_core::Rng;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A text that is compared in constant time, wiped when dropped and never printed.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the secret over.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(Zeroizing::new(secret.into()))
    }

    /// The secret itself, for the one place that has to send or compare it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `guess` is the secret; takes the same time wherever the first difference is, and
    /// whatever the lengths are.
    pub fn matches(&self, guess: &str) -> bool {
        let ours = Sha256::digest(self.0.as_bytes());
        let theirs = Sha256::digest(guess.as_bytes());
        ours.as_slice().ct_eq(theirs.as_slice()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} octets)", self.0.len())
    }
}

/// 32 random octets in base64url, 43 characters: auth_req_id, tokens and notification secrets.
pub(crate) fn random_token(rng: &mut dyn Rng) -> String {
    let mut octets = [0; 32];
    rng.fill_bytes(&mut octets);
    URL_SAFE_NO_PAD.encode(octets)
}

/// SHA-256 in lower-case hexadecimal: the key under which a token is remembered.
pub(crate) fn fingerprint(token: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digest = Sha256::digest(token.as_bytes());
    let mut text = String::with_capacity(2 * digest.len());
    for octet in digest {
        text.push(char::from(DIGITS[usize::from(octet >> 4)]));
        text.push(char::from(DIGITS[usize::from(octet & 15)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_length_only() {
        assert_eq!(
            format!("{:?}", Secret::new("poll-secret")),
            "Secret(11 octets)"
        );
    }

    #[test]
    fn matches_is_exact() {
        let secret = Secret::new("poll-secret");
        assert!(secret.matches("poll-secret"));
        assert!(!secret.matches("poll-secret "));
        assert!(!secret.matches(""));
    }

    #[test]
    fn fingerprint_is_sha256_of_the_text() {
        // FIPS 180-4 example: SHA-256("abc")
        assert_eq!(
            fingerprint("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}

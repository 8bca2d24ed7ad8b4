//! Octets that must not be shown: keys, PINs, passwords.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Secret octets. They are overwritten when dropped, compare in constant time, and neither `Debug` nor `Display`
/// shows more than their number. There is deliberately no `Serialize`.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the octets over.
    pub fn new(octets: Vec<u8>) -> Self {
        Self(Zeroizing::new(octets))
    }

    /// From an even number of hexadecimal digits. The error does not repeat the text.
    pub fn from_hex(text: &str) -> Result<Self, SecretError> {
        hex::decode(text)
            .map(Self::new)
            .map_err(|_| SecretError { digits: text.len() })
    }

    /// The octets themselves; call where they are used, not where they are passed on.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// How many octets.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// No octets at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} octets)", self.len())
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A text that should hold a secret is not hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an even number of hexadecimal digits, got {digits} characters that are not")]
pub struct SecretError {
    digits: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_not_show_itself() {
        let secret = Secret::from_hex("00112233445566778899AABBCCDDEEFF").unwrap();
        assert_eq!(
            format!("{secret:?} {secret}"),
            "Secret(16 octets) Secret(16 octets)"
        );
        let error = Secret::from_hex("0011zz").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("zz"));
    }

    #[test]
    fn compares_by_content() {
        assert_eq!(Secret::new(vec![1, 2]), Secret::from_hex("0102").unwrap());
        assert_ne!(Secret::new(vec![1, 2]), Secret::new(vec![1, 3]));
        assert_ne!(Secret::new(vec![1, 2]), Secret::new(vec![1, 2, 0]));
    }
}

//! AES Key Wrap (RFC 3394), ephemeral keys, and chance for the one package that knows an older form of it.

use aes_kw::{KeyInit, KwAes128, KwAes256};
use p256::SecretKey;
use rand_core::Rng;
use zeroize::Zeroizing;

/// Wraps a key under another of 16 or 32 octets.
pub(super) fn wrap(under: &[u8], key: &[u8]) -> Option<Vec<u8>> {
    let mut wrapped = vec![0; key.len() + aes_kw::IV_LEN];
    match under.len() {
        16 => KwAes128::new_from_slice(under)
            .ok()?
            .wrap_key(key, &mut wrapped)
            .ok()?,
        _ => KwAes256::new_from_slice(under)
            .ok()?
            .wrap_key(key, &mut wrapped)
            .ok()?,
    };
    Some(wrapped)
}

/// The inverse of [`wrap`]; `None` unless the integrity check passes.
pub(super) fn unwrap(under: &[u8], wrapped: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut key = Zeroizing::new(vec![0; wrapped.len().checked_sub(aes_kw::IV_LEN)?]);
    match under.len() {
        16 => KwAes128::new_from_slice(under)
            .ok()?
            .unwrap_key(wrapped, &mut key)
            .ok()?,
        _ => KwAes256::new_from_slice(under)
            .ok()?
            .unwrap_key(wrapped, &mut key)
            .ok()?,
    };
    Some(key)
}

/// An ephemeral key. Nearly every draw of 32 octets is one.
pub(super) fn new_p256(rng: &mut dyn Rng) -> SecretKey {
    let mut octets = Zeroizing::new([0; 32]);
    loop {
        rng.fill_bytes(&mut *octets);
        if let Ok(key) = SecretKey::from_slice(&*octets) {
            return key;
        }
    }
}

/// The step's chance, in the form that rsa 0.9 asks for.
pub(super) struct OldRng<'a>(pub(super) &'a mut dyn Rng);

impl rsa::rand_core::RngCore for OldRng<'_> {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        self.0.fill_bytes(dest);
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rsa::rand_core::Error> {
        self.0.fill_bytes(dest);
        Ok(())
    }
}

// Whether the chance is fit for keys is the runtime's promise, as everywhere in this crate.
impl rsa::rand_core::CryptoRng for OldRng<'_> {}

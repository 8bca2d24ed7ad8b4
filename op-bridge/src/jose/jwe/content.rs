//! Content encryption (RFC 7518 §5): AES GCM by *ring*, AES CBC with HMAC as the RFC composes it.

use aes::{Aes128, Aes256};
use cbc::{Decryptor, Encryptor};
use cipher::{Array, BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const BLOCK: usize = 16;

/// Content encryption algorithms that a configuration can allow (RFC 7518 §5.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ContentEncryption {
    /// AES CBC with 128 bits, HMAC SHA-256.
    A128CbcHs256,
    /// AES GCM with 128 bits.
    A128Gcm,
    /// AES CBC with 256 bits, HMAC SHA-512.
    A256CbcHs512,
    /// AES GCM with 256 bits.
    A256Gcm,
}

impl ContentEncryption {
    /// Every algorithm.
    pub const ALL: [Self; 4] = [
        Self::A128Gcm,
        Self::A256Gcm,
        Self::A128CbcHs256,
        Self::A256CbcHs512,
    ];

    /// The `enc` value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A128CbcHs256 => "A128CBC-HS256",
            Self::A128Gcm => "A128GCM",
            Self::A256CbcHs512 => "A256CBC-HS512",
            Self::A256Gcm => "A256GCM",
        }
    }

    /// The algorithm of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|enc| enc.as_str() == name)
    }

    /// Octets of its key.
    pub(crate) fn key_length(self) -> usize {
        match self {
            Self::A128Gcm => 16,
            Self::A128CbcHs256 | Self::A256Gcm => 32,
            Self::A256CbcHs512 => 64,
        }
    }

    /// Octets of its initialization vector.
    pub(crate) fn iv_length(self) -> usize {
        match self {
            Self::A128Gcm | Self::A256Gcm => 12,
            Self::A128CbcHs256 | Self::A256CbcHs512 => BLOCK,
        }
    }

    /// Ciphertext and tag; `None` if key or IV have the wrong length.
    pub(crate) fn seal(
        self,
        key: &[u8],
        iv: &[u8],
        aad: &[u8],
        plaintext: &[u8],
    ) -> Option<(Vec<u8>, Vec<u8>)> {
        if key.len() != self.key_length() {
            return None;
        }
        if let Some(cipher) = self.gcm(key) {
            let mut octets = plaintext.to_vec();
            let nonce = Nonce::try_assume_unique_for_key(iv).ok()?;
            let tag = cipher
                .seal_in_place_separate_tag(nonce, Aad::from(aad), &mut octets)
                .ok()?;
            return Some((octets, tag.as_ref().to_vec()));
        }
        let (mac_key, cipher_key) = key.split_at(key.len() / 2);
        let ciphertext = match self {
            Self::A128CbcHs256 => cbc_encrypt::<Encryptor<Aes128>>(cipher_key, iv, plaintext),
            _ => cbc_encrypt::<Encryptor<Aes256>>(cipher_key, iv, plaintext),
        }?;
        let tag = self.mac(mac_key, aad, iv, &ciphertext);
        Some((ciphertext, tag))
    }

    /// The plaintext; `None` if anything at all is wrong.
    pub(crate) fn open(
        self,
        key: &[u8],
        iv: &[u8],
        aad: &[u8],
        ciphertext: &[u8],
        tag: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        if key.len() != self.key_length() || iv.len() != self.iv_length() {
            return None;
        }
        if let Some(cipher) = self.gcm(key) {
            // ring wants the tag behind the ciphertext, and all 16 octets of it.
            if tag.len() != 16 {
                return None;
            }
            let mut octets = Zeroizing::new([ciphertext, tag].concat());
            let nonce = Nonce::try_assume_unique_for_key(iv).ok()?;
            let length = cipher
                .open_in_place(nonce, Aad::from(aad), &mut octets)
                .ok()?
                .len();
            octets.truncate(length);
            return Some(octets);
        }
        let (mac_key, cipher_key) = key.split_at(key.len() / 2);
        let expected = self.mac(mac_key, aad, iv, ciphertext);
        if !bool::from(expected.ct_eq(tag)) {
            return None;
        }
        match self {
            Self::A128CbcHs256 => cbc_decrypt::<Decryptor<Aes128>>(cipher_key, iv, ciphertext),
            _ => cbc_decrypt::<Decryptor<Aes256>>(cipher_key, iv, ciphertext),
        }
    }

    fn gcm(self, key: &[u8]) -> Option<LessSafeKey> {
        let algorithm = match self {
            Self::A128Gcm => &AES_128_GCM,
            Self::A256Gcm => &AES_256_GCM,
            Self::A128CbcHs256 | Self::A256CbcHs512 => return None,
        };
        UnboundKey::new(algorithm, key).ok().map(LessSafeKey::new)
    }

    /// RFC 7518 §5.2.2.1: the first half of the HMAC over AAD, IV, ciphertext and the AAD's length in bits.
    fn mac(self, key: &[u8], aad: &[u8], iv: &[u8], ciphertext: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::A256CbcHs512 => hmac::HMAC_SHA512,
            _ => hmac::HMAC_SHA256,
        };
        let mut context = hmac::Context::with_key(&hmac::Key::new(algorithm, key));
        for part in [aad, iv, ciphertext] {
            context.update(part);
        }
        context.update(&(aad.len() as u64 * 8).to_be_bytes());
        let tag = context.sign();
        let half = tag.as_ref().len() / 2;
        tag.as_ref()[..half].to_vec()
    }
}

fn cbc_encrypt<C: KeyIvInit + BlockModeEncrypt>(
    key: &[u8],
    iv: &[u8],
    plaintext: &[u8],
) -> Option<Vec<u8>> {
    let mut cipher = C::new_from_slices(key, iv).ok()?;
    // PKCS #7: 1 to 16 octets, each saying how many.
    let missing = BLOCK - plaintext.len() % BLOCK;
    let mut octets = plaintext.to_vec();
    octets.resize(plaintext.len() + missing, missing as u8);
    for chunk in octets.chunks_exact_mut(BLOCK) {
        let mut block = Array::try_from(&*chunk).ok()?;
        cipher.encrypt_block(&mut block);
        chunk.copy_from_slice(&block);
    }
    Some(octets)
}

/// The MAC has been checked before, so a wrong padding says nothing that the sender does not know.
fn cbc_decrypt<C: KeyIvInit + BlockModeDecrypt>(
    key: &[u8],
    iv: &[u8],
    ciphertext: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let mut cipher = C::new_from_slices(key, iv).ok()?;
    if ciphertext.is_empty() || !ciphertext.len().is_multiple_of(BLOCK) {
        return None;
    }
    let mut octets = Zeroizing::new(ciphertext.to_vec());
    for chunk in octets.chunks_exact_mut(BLOCK) {
        let mut block = Array::try_from(&*chunk).ok()?;
        cipher.decrypt_block(&mut block);
        chunk.copy_from_slice(&block);
    }
    let padding = usize::from(*octets.last()?);
    let length = octets.len().checked_sub(padding)?;
    let good = (1..=BLOCK).contains(&padding)
        && octets[length..]
            .iter()
            .all(|&octet| usize::from(octet) == padding);
    octets.truncate(length);
    good.then_some(octets)
}

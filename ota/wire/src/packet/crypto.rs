//! CBC, CBC-MAC, CMAC and CRC over buffers in place. Key schedules are made per call and not kept.

use core::slice::ChunksMut;

use aes::{Aes128, Aes192, Aes256};
use cbc::{Decryptor, Encryptor};
use cipher::array::sizes::{U8, U16};
use cipher::{
    Array, BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt,
    BlockSizeUser, InnerIvInit, KeyInit,
};
use cmac::digest::OutputSizeUser;
use cmac::{Cmac, Mac};
use crc::{CRC_16_IBM_SDLC, CRC_32_ISO_HDLC, Crc};
use des::{Des, TdesEde2, TdesEde3};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{CipherAlgorithm, IntegrityAlgorithm};
use crate::keys::{CipherKey, IntegrityKey, KeyError};
use crate::secret::Secret;

static CRC16: Crc<u16> = Crc::<u16>::new(&CRC_16_IBM_SDLC);
static CRC32: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// An RC or CC: up to 8 octets.
#[derive(Clone, Copy)]
pub(crate) struct Tag {
    octets: [u8; 8],
    len: usize,
}

impl Tag {
    /// The first octets of `full`, at most 8 of them.
    pub(crate) fn cut(full: &[u8], len: usize) -> Self {
        let mut octets = [0; 8];
        let len = len.min(full.len()).min(octets.len());
        octets[..len].copy_from_slice(&full[..len]);
        Self { octets, len }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.octets[..self.len]
    }

    /// Compares in constant time. Fuzzing builds (`--cfg fuzzing`) take any value of the right length, so that a
    /// fuzzer reaches the code behind the check.
    pub(crate) fn matches(&self, received: &[u8]) -> bool {
        received.len() == self.len && (cfg!(fuzzing) || bool::from(self.as_slice().ct_eq(received)))
    }
}

/// Ciphers `buffer` in place, from a zero IV. Its length must be a multiple of the block.
pub(crate) fn encrypt(key: &CipherKey, buffer: &mut [u8]) -> Result<(), KeyError> {
    let octets = key.secret().expose();
    match (key.algorithm(), octets.len()) {
        (CipherAlgorithm::None, _) => Ok(()),
        (CipherAlgorithm::Des, _) => cbc_encrypt::<Des>(octets, buffer),
        (CipherAlgorithm::TripleDes2, _) => cbc_encrypt::<TdesEde2>(octets, buffer),
        (CipherAlgorithm::TripleDes3, _) => cbc_encrypt::<TdesEde3>(octets, buffer),
        (CipherAlgorithm::Aes, 16) => cbc_encrypt::<Aes128>(octets, buffer),
        (CipherAlgorithm::Aes, 24) => cbc_encrypt::<Aes192>(octets, buffer),
        (CipherAlgorithm::Aes, _) => cbc_encrypt::<Aes256>(octets, buffer),
    }
}

/// Deciphers `buffer` in place, from a zero IV. Its length must be a multiple of the block.
pub(crate) fn decrypt(key: &CipherKey, buffer: &mut [u8]) -> Result<(), KeyError> {
    let octets = key.secret().expose();
    match (key.algorithm(), octets.len()) {
        (CipherAlgorithm::None, _) => Ok(()),
        (CipherAlgorithm::Des, _) => cbc_decrypt::<Des>(octets, buffer),
        (CipherAlgorithm::TripleDes2, _) => cbc_decrypt::<TdesEde2>(octets, buffer),
        (CipherAlgorithm::TripleDes3, _) => cbc_decrypt::<TdesEde3>(octets, buffer),
        (CipherAlgorithm::Aes, 16) => cbc_decrypt::<Aes128>(octets, buffer),
        (CipherAlgorithm::Aes, 24) => cbc_decrypt::<Aes192>(octets, buffer),
        (CipherAlgorithm::Aes, _) => cbc_decrypt::<Aes256>(octets, buffer),
    }
}

/// The RC or CC over `head` and then `tail`; a CRC needs no `key`.
pub(super) fn integrity(
    algorithm: IntegrityAlgorithm,
    key: Option<&IntegrityKey>,
    head: &[u8; 16],
    tail: &[u8],
) -> Result<Tag, KeyError> {
    let octets = key.map_or(&[][..], |key| key.secret().expose());
    let parts: [&[u8]; 2] = [head, tail];
    Ok(match algorithm {
        IntegrityAlgorithm::None => Tag::cut(&[], 0),
        IntegrityAlgorithm::Crc16 => {
            let mut digest = CRC16.digest();
            parts.iter().for_each(|part| digest.update(part));
            Tag::cut(&digest.finalize().to_be_bytes(), 2)
        }
        IntegrityAlgorithm::Crc32 => {
            let mut digest = CRC32.digest();
            parts.iter().for_each(|part| digest.update(part));
            Tag::cut(&digest.finalize().to_be_bytes(), 4)
        }
        IntegrityAlgorithm::Des => Tag::cut(&cbc_mac::<Des>(octets, parts)?, 8),
        IntegrityAlgorithm::TripleDes2 => Tag::cut(&cbc_mac::<TdesEde2>(octets, parts)?, 8),
        IntegrityAlgorithm::TripleDes3 => Tag::cut(&cbc_mac::<TdesEde3>(octets, parts)?, 8),
        IntegrityAlgorithm::AesCmac => {
            Tag::cut(&cmac(octets, &parts)?, key.map_or(0, IntegrityKey::cc_len))
        }
    })
}

/// AES-CMAC (SP 800-38B) over the parts one after the other; the length of the key chooses the AES.
pub(crate) fn cmac(key: &[u8], parts: &[&[u8]]) -> Result<[u8; 16], KeyError> {
    match key.len() {
        24 => Ok(cmac_over(with_key::<Cmac<Aes192>>(key)?, parts)),
        32 => Ok(cmac_over(with_key::<Cmac<Aes256>>(key)?, parts)),
        _ => Ok(cmac_over(with_key::<Cmac<Aes128>>(key)?, parts)),
    }
}

/// [`cmac`] with a key whose length cannot be wrong.
pub(crate) fn cmac_256(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 16] {
    cmac_over(<Cmac<Aes256> as KeyInit>::new(key.into()), parts)
}

fn cmac_over<M: Mac + OutputSizeUser<OutputSize = U16>>(mut mac: M, parts: &[&[u8]]) -> [u8; 16] {
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// Last block of the CBC of two-key triple DES over the message, zero-padded to 8 octets, from a zero IV.
pub(crate) fn cbc_mac_3des2(key: &[u8], parts: [&[u8]; 2]) -> Result<[u8; 8], KeyError> {
    cbc_mac::<TdesEde2>(key, parts)
}

/// The first three octets of a block of `fill` after ciphering.
pub(crate) fn ciphered_block_start(key: &CipherKey, fill: u8) -> Result<[u8; 3], KeyError> {
    let mut block = [fill; 16];
    encrypt(key, &mut block[..key.algorithm().block_len()])?;
    Ok([block[0], block[1], block[2]])
}

/// A key under a key encryption key (TS 102 226 §8.2.1.5): DES in ECB mode, AES in CBC mode from a zero IV with zeros
/// up to whole blocks.
pub(crate) fn encipher_key(kik: &CipherKey, key: &Secret) -> Result<Vec<u8>, KeyError> {
    let block = kik.algorithm().block_len();
    if block == 1 || key.is_empty() {
        return Err(KeyError::Unsuitable {
            got: kik.secret().len(),
        });
    }
    let mut octets = key.expose().to_vec();
    octets.resize(key.len().next_multiple_of(block), 0);
    for chunk in key_chunks(kik, &mut octets) {
        encrypt(kik, chunk)?;
    }
    Ok(octets)
}

/// The first `len` octets of what [`encipher_key`] made; `None` if it cannot have made these octets of such a key.
pub(crate) fn decipher_key(kik: &CipherKey, octets: &[u8], len: usize) -> Option<Secret> {
    let block = kik.algorithm().block_len();
    if block == 1 || len == 0 || octets.len() != len.next_multiple_of(block) {
        return None;
    }
    let mut octets = Zeroizing::new(octets.to_vec());
    for chunk in key_chunks(kik, &mut octets) {
        decrypt(kik, chunk).ok()?;
    }
    Some(Secret::new(octets[..len].to_vec()))
}

/// One block at a time is ECB, all at once is CBC.
fn key_chunks<'o>(kik: &CipherKey, octets: &'o mut [u8]) -> ChunksMut<'o, u8> {
    let chunk = match kik.algorithm() {
        CipherAlgorithm::Aes => octets.len(),
        algorithm => algorithm.block_len(),
    };
    octets.chunks_mut(chunk.max(1))
}

fn cbc_encrypt<C: BlockCipherEncrypt + KeyInit>(
    key: &[u8],
    buffer: &mut [u8],
) -> Result<(), KeyError> {
    let mut mode = Encryptor::<C>::inner_iv_init(with_key(key)?, &Array::default());
    mode.encrypt_blocks(Array::slice_as_chunks_mut(buffer).0);
    Ok(())
}

fn cbc_decrypt<C: BlockCipherDecrypt + KeyInit>(
    key: &[u8],
    buffer: &mut [u8],
) -> Result<(), KeyError> {
    let mut mode = Decryptor::<C>::inner_iv_init(with_key(key)?, &Array::default());
    mode.decrypt_blocks(Array::slice_as_chunks_mut(buffer).0);
    Ok(())
}

fn cbc_mac<C>(key: &[u8], parts: [&[u8]; 2]) -> Result<[u8; 8], KeyError>
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U8> + KeyInit,
{
    let cipher = with_key::<C>(key)?;
    let mut block = Array::<u8, U8>::default();
    let mut filled = 0;
    for octet in parts.into_iter().flatten() {
        block[filled] ^= octet;
        filled += 1;
        if filled == block.len() {
            cipher.encrypt_block(&mut block);
            filled = 0;
        }
    }
    // Zero padding changes nothing in a block that is added by exclusive or.
    if filled > 0 {
        cipher.encrypt_block(&mut block);
    }
    Ok(block.into())
}

fn with_key<C: KeyInit>(key: &[u8]) -> Result<C, KeyError> {
    C::new_from_slice(key).map_err(|_| KeyError::Unsuitable { got: key.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_check_values() {
        let head = hex::decode("01020304050000000000000000000000").unwrap();
        // The published check values are over 01..05 only; the same engines are used for both parts.
        assert_eq!(CRC16.checksum(&head[..5]), 0x22EC);
        assert_eq!(CRC32.checksum(&head[..5]), 0x470B_99F4);
        let head: [u8; 16] = head.try_into().unwrap();
        let whole = [head.as_slice(), &[6, 7]].concat();
        let tag = integrity(IntegrityAlgorithm::Crc32, None, &head, &[6, 7]).unwrap();
        assert_eq!(tag.as_slice(), CRC32.checksum(&whole).to_be_bytes());
    }

    #[test]
    fn cmac_of_rfc_4493() {
        let key = hex::decode("2b7e151628aed2a6abf7158809cf4f3c").unwrap();
        let message = hex::decode(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411",
        )
        .unwrap();
        assert_eq!(
            hex::encode(cmac(&key, &[&message[..7], &message[7..]]).unwrap()),
            "dfa66747de9ae63030ca32611497c827"
        );
        assert_eq!(
            hex::encode(cmac(&key, &[]).unwrap()),
            "bb1d6929e95937287fa37d129b756746"
        );
        assert!(cmac(&key[1..], &[]).is_err());
    }

    #[test]
    fn cbc_mac_is_the_last_block_of_cbc() {
        let key =
            CipherKey::new(CipherAlgorithm::TripleDes2, Secret::new((0..16).collect())).unwrap();
        let message: Vec<u8> = (0..21).collect();
        let mut padded = [message.as_slice(), &[0; 3]].concat();
        encrypt(&key, &mut padded).unwrap();
        assert_eq!(
            cbc_mac_3des2(key.secret().expose(), [&message[..5], &message[5..]]).unwrap(),
            padded[16..]
        );
    }

    #[test]
    fn single_des_of_the_textbook() {
        let key = CipherKey::new(
            CipherAlgorithm::Des,
            Secret::from_hex("133457799bbcdff1").unwrap(),
        )
        .unwrap();
        let mut block = hex::decode("0123456789abcdef").unwrap();
        encrypt(&key, &mut block).unwrap();
        assert_eq!(hex::encode(&block), "85e813540f0ab405");
        decrypt(&key, &mut block).unwrap();
        assert_eq!(hex::encode(&block), "0123456789abcdef");
    }

    #[test]
    fn tags_compare_by_length_and_value() {
        let tag = Tag::cut(&[1, 2, 3, 4, 5, 6, 7, 8, 9], 4);
        assert!(tag.matches(&[1, 2, 3, 4]));
        assert!(!tag.matches(&[1, 2, 3]) && !tag.matches(&[1, 2, 3, 5]) && !tag.matches(&[]));
    }
}

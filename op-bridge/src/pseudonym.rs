//! `sub` values that only the OP can read: a number as one block of AES-256 under a key of the sector it is for.
//!
//! The block is eight octets of digits, two in each, filled up with F, and eight octets of zeros by which a block of ours is
//! known. So `sub` is stable, differs between sectors, tells nothing without the key, and needs no record to lead back to the
//! number, which id_token_hint and `PCR:` ask for.

use aes::Aes256;
use cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use ring::hmac;

use crate::hint::Msisdn;
use crate::jose::{base64url, decode};

/// `sub` of a number in a sector.
pub(crate) fn conceal(key: &hmac::Key, sector: &str, msisdn: &Msisdn) -> String {
    let mut block = [0; 16];
    let digits = msisdn.digits().bytes().map(|digit| digit - b'0');
    for (index, digit) in digits.chain(std::iter::repeat(0xf)).take(16).enumerate() {
        block[index / 2] |= if index % 2 == 0 { digit << 4 } else { digit };
    }
    let mut block = Array::from(block);
    cipher(key, sector).encrypt_block(&mut block);
    base64url(block)
}

/// The number behind a `sub` of that sector; `None` for anything else.
pub(crate) fn reveal(key: &hmac::Key, sector: &str, sub: &str) -> Option<Msisdn> {
    let octets: [u8; 16] = decode(sub)?.try_into().ok()?;
    let mut block = Array::from(octets);
    cipher(key, sector).decrypt_block(&mut block);
    let (digits, zeros) = block.split_at(8);
    if zeros.iter().any(|&octet| octet != 0) {
        return None;
    }
    let text = hex::encode(digits);
    let number = text.trim_end_matches('f');
    number.parse().ok()
}

fn cipher(key: &hmac::Key, sector: &str) -> Aes256 {
    let derived = hmac::sign(key, sector.as_bytes());
    let mut octets = [0; 32];
    octets.copy_from_slice(derived.as_ref());
    Aes256::new(&Array::from(octets))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, b"TEST ONLY")
    }

    #[test]
    fn sectors_and_keys_give_different_pseudonyms() {
        let msisdn: Msisdn = "+447700900001".parse().unwrap();
        let sub = conceal(&key(), "public", &msisdn);
        assert_eq!(sub.len(), 22);
        assert_ne!(sub, conceal(&key(), "pairwise:a", &msisdn));
        assert_eq!(reveal(&key(), "pairwise:a", &sub), None);
        let other = hmac::Key::new(hmac::HMAC_SHA256, b"other");
        assert_eq!(reveal(&other, "public", &sub), None);
        for none in ["", "abc", "AAAAAAAAAAAAAAAAAAAAAA", &sub[1..]] {
            assert_eq!(reveal(&key(), "public", none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn reveal_undoes_conceal(digits in "[1-9][0-9]{4,14}", sector in ".{0,20}") {
            let msisdn: Msisdn = digits.parse().unwrap();
            let sub = conceal(&key(), &sector, &msisdn);
            prop_assert_eq!(reveal(&key(), &sector, &sub), Some(msisdn));
        }
    }
}

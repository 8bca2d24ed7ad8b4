//! Keys: how every key of a card follows from one master key, and the key sets of TS 102 225 (GlobalPlatform key
//! version = high nibble of KIc and KID).
//!
//! Derivation is NIST SP 800-108r1 in counter mode with AES-256-CMAC, so that the MSSP, the OTA platform and the card
//! agree on every key from the master key and the ICCID alone.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::ids::Iccid;
use crate::packet::{
    CipherAlgorithm, IntegrityAlgorithm, ciphered_block_start, cmac_256, decrypt, encrypt,
};
use crate::secret::Secret;

/// MAC algorithm of the applet protocol; the value is the ALG octet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum MacAlgorithm {
    /// AES-CMAC with a 16-octet key, first 8 octets.
    AesCmac8 = 1,
    /// CBC-MAC of two-key triple DES: last block, zero IV, message zero-padded to 8 octets.
    TripleDesCbcMac = 2,
}

impl TryFrom<u8> for MacAlgorithm {
    type Error = u8;

    /// The error is the octet itself.
    fn try_from(octet: u8) -> Result<Self, u8> {
        match octet {
            1 => Ok(Self::AesCmac8),
            2 => Ok(Self::TripleDesCbcMac),
            other => Err(other),
        }
    }
}

/// The key from which all keys of all cards follow: 32 octets, for AES-256.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// Takes the key over.
    pub fn new(key: [u8; 32]) -> Self {
        Self(Zeroizing::new(key))
    }

    /// `len` octets for the purpose that `label` names. `version` is the key set version, or 0 where there are no
    /// versions.
    ///
    /// Block `i` (from 1) is CMAC(master, i in 4 octets ‖ label in ASCII ‖ 00 ‖ ICCID digits in ASCII ‖ version ‖
    /// 8·`len` in 4 octets). Bits of DES keys that count as parity are left as they come; DES ignores them.
    pub fn derive(&self, label: &str, iccid: &Iccid, version: u8, len: usize) -> Secret {
        let bits = (len as u32).wrapping_mul(8).to_be_bytes();
        let mut key = Vec::with_capacity(len.next_multiple_of(16));
        for counter in 1..=len.div_ceil(16) as u32 {
            let parts: [&[u8]; 6] = [
                &counter.to_be_bytes(),
                label.as_bytes(),
                &[0],
                iccid.digits().as_bytes(),
                &[version],
                &bits,
            ];
            key.extend_from_slice(&cmac_256(&self.0, &parts));
        }
        key.truncate(len);
        Secret::new(key)
    }
}

impl PartialEq for MasterKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&*other.0).into()
    }
}

impl Eq for MasterKey {}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey")
    }
}

/// The key of the applet protocol of one card.
pub fn applet_mac_key(master: &MasterKey, iccid: &Iccid, algorithm: MacAlgorithm) -> Secret {
    let label = match algorithm {
        MacAlgorithm::AesCmac8 => "applet-mac",
        MacAlgorithm::TripleDesCbcMac => "applet-mac-3des",
    };
    master.derive(label, iccid, 0, 16)
}

/// The private key with which the applet of one card signs: a scalar of P-256, 32 octets, big-endian.
///
/// Octets that are no private key (0, or not below the order of the curve) are passed over and the next version is
/// derived; for one card in 2^32 that happens at all.
pub fn applet_signing_key(master: &MasterKey, iccid: &Iccid) -> Secret {
    let candidates = (0..=u8::MAX).map(|version| master.derive("applet-p256", iccid, version, 32));
    match first_scalar(candidates) {
        Some(key) => key,
        None => panic!("256 candidates of which each is no scalar once in 2^32"),
    }
}

fn first_scalar(mut candidates: impl Iterator<Item = Secret>) -> Option<Secret> {
    candidates.find(|key| *key.expose() < P256_ORDER[..] && key.expose().iter().any(|o| *o != 0))
}

/// Order of the curve P-256 (SP 800-186 §3.2.1.3).
const P256_ORDER: [u8; 32] = [
    0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
];

/// Which algorithms a derived key set has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// AES-128 in CBC mode, AES-CMAC of 8 octets.
    Aes128,
    /// Triple DES with two keys, in CBC mode and as CBC-MAC.
    TripleDes2,
}

/// A key set of a card: what one version number in KIc and KID stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySet {
    /// 1 to 15.
    pub version: u8,
    /// Ciphering key.
    pub kic: CipherKey,
    /// Key of the cryptographic checksum.
    pub kid: IntegrityKey,
}

impl KeySet {
    /// The key set of a card by the rules of this module (labels `KIc` and `KID`).
    pub fn derive(master: &MasterKey, iccid: &Iccid, version: u8, family: Family) -> Self {
        let (cipher, integrity) = match family {
            Family::Aes128 => (CipherAlgorithm::Aes, IntegrityAlgorithm::AesCmac),
            Family::TripleDes2 => (CipherAlgorithm::TripleDes2, IntegrityAlgorithm::TripleDes2),
        };
        Self {
            version,
            kic: CipherKey {
                algorithm: cipher,
                key: master.derive("KIc", iccid, version, 16),
            },
            kid: IntegrityKey {
                algorithm: integrity,
                key: master.derive("KID", iccid, version, 16),
                cc_len: 8,
            },
        }
    }

    /// KIK, the key that ciphers keys on their way into the card (PUT KEY), by the same rules (label `KIK`).
    pub fn derive_kik(master: &MasterKey, iccid: &Iccid, version: u8, family: Family) -> CipherKey {
        CipherKey {
            algorithm: match family {
                Family::Aes128 => CipherAlgorithm::Aes,
                Family::TripleDes2 => CipherAlgorithm::TripleDes2,
            },
            key: master.derive("KIK", iccid, version, 16),
        }
    }

    /// KIc octet that names this key set and its cipher.
    pub fn kic_octet(&self) -> u8 {
        self.version << 4 | self.kic.algorithm.nibble()
    }

    /// KID octet that names this key set and its cryptographic checksum.
    pub fn kid_octet(&self) -> u8 {
        self.version << 4 | self.kid.algorithm.nibble()
    }
}

/// A ciphering key with its algorithm; the length of the key fits it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CipherKey {
    algorithm: CipherAlgorithm,
    key: Secret,
}

impl CipherKey {
    /// Checks the length.
    pub fn new(algorithm: CipherAlgorithm, key: Secret) -> Result<Self, KeyError> {
        check_length(algorithm.key_lengths(), key.len())?;
        Ok(Self { algorithm, key })
    }

    /// No key: nothing can be ciphered with this key set.
    pub fn none() -> Self {
        Self {
            algorithm: CipherAlgorithm::None,
            key: Secret::new(Vec::new()),
        }
    }

    /// The algorithm.
    pub fn algorithm(&self) -> CipherAlgorithm {
        self.algorithm
    }

    /// The key.
    pub fn secret(&self) -> &Secret {
        &self.key
    }

    /// See [`check_value`].
    pub fn check_value(&self) -> Option<[u8; 3]> {
        check_value(self.algorithm, &self.key)
    }

    /// Ciphers whole blocks in place, in CBC mode from a zero IV, as packets do.
    ///
    /// # Errors
    /// [`KeyError::Blocks`] for octets that are no whole number of blocks.
    pub fn encipher(&self, octets: &mut [u8]) -> Result<(), KeyError> {
        self.check_blocks(octets)?;
        encrypt(self, octets)
    }

    /// Deciphers what [`CipherKey::encipher`] made.
    ///
    /// # Errors
    /// [`KeyError::Blocks`] for octets that are no whole number of blocks.
    pub fn decipher(&self, octets: &mut [u8]) -> Result<(), KeyError> {
        self.check_blocks(octets)?;
        decrypt(self, octets)
    }

    fn check_blocks(&self, octets: &[u8]) -> Result<(), KeyError> {
        let block = self.algorithm.block_len();
        if octets.len().is_multiple_of(block) {
            Ok(())
        } else {
            let got = octets.len();
            Err(KeyError::Blocks { block, got })
        }
    }
}

/// A key for cryptographic checksums with its algorithm and the length of the checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntegrityKey {
    algorithm: IntegrityAlgorithm,
    key: Secret,
    cc_len: usize,
}

impl IntegrityKey {
    /// Checks both lengths. `cc_len`: octets of CC in a packet, 8, or 4 for AES-CMAC only. The length is a property of
    /// the key set: a receiver never takes it from the packet.
    pub fn new(
        algorithm: IntegrityAlgorithm,
        key: Secret,
        cc_len: usize,
    ) -> Result<Self, KeyError> {
        if !algorithm.is_keyed() {
            return Err(KeyError::Keyless { got: algorithm });
        }
        check_length(algorithm.key_lengths(), key.len())?;
        if !algorithm.value_lengths().contains(&cc_len) {
            return Err(KeyError::ChecksumLength {
                expected: algorithm.value_lengths(),
                got: cc_len,
            });
        }
        Ok(Self {
            algorithm,
            key,
            cc_len,
        })
    }

    /// No key: nothing can be signed with this key set.
    pub fn none() -> Self {
        Self {
            algorithm: IntegrityAlgorithm::None,
            key: Secret::new(Vec::new()),
            cc_len: 0,
        }
    }

    /// The algorithm.
    pub fn algorithm(&self) -> IntegrityAlgorithm {
        self.algorithm
    }

    /// The key.
    pub fn secret(&self) -> &Secret {
        &self.key
    }

    /// Octets of CC in a packet.
    pub fn cc_len(&self) -> usize {
        self.cc_len
    }

    /// See [`check_value`].
    pub fn check_value(&self) -> Option<[u8; 3]> {
        let cipher = match self.algorithm {
            IntegrityAlgorithm::None | IntegrityAlgorithm::Crc16 | IntegrityAlgorithm::Crc32 => {
                CipherAlgorithm::None
            }
            IntegrityAlgorithm::Des => CipherAlgorithm::Des,
            IntegrityAlgorithm::TripleDes2 => CipherAlgorithm::TripleDes2,
            IntegrityAlgorithm::TripleDes3 => CipherAlgorithm::TripleDes3,
            IntegrityAlgorithm::AesCmac => CipherAlgorithm::Aes,
        };
        check_value(cipher, &self.key)
    }
}

/// Three octets that show which key this is without showing the key: the start of one ciphered block, of zeros for DES
/// and triple DES, of 01s for AES (GlobalPlatform Card Specification, KCV). `None` if the key does not fit the
/// algorithm, or there is none.
pub fn check_value(algorithm: CipherAlgorithm, key: &Secret) -> Option<[u8; 3]> {
    let fill = match algorithm {
        CipherAlgorithm::None => return None,
        CipherAlgorithm::Aes => 0x01,
        _ => 0x00,
    };
    ciphered_block_start(&CipherKey::new(algorithm, key.clone()).ok()?, fill).ok()
}

/// Why octets are no key for an algorithm. All of it is a mistake of who provides the keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Octets to cipher that are no whole number of blocks.
    #[error("{got} octets are no whole number of blocks of {block}")]
    Blocks {
        /// Octets of a block.
        block: usize,
        /// Octets given.
        got: usize,
    },
    /// The algorithm cannot make a checksum of this length.
    #[error("checksum of {got} octets, the algorithm has {expected:?}")]
    ChecksumLength {
        /// Lengths there are.
        expected: &'static [usize],
        /// Length asked for.
        got: usize,
    },
    /// The algorithm has no key.
    #[error("{got:?} has no key")]
    Keyless {
        /// The algorithm.
        got: IntegrityAlgorithm,
    },
    /// The algorithm takes no key of this length.
    #[error("key of {got} octets, the algorithm takes {expected:?}")]
    Length {
        /// Lengths there are.
        expected: &'static [usize],
        /// Length given.
        got: usize,
    },
    /// A bare key does not suit the cipher it was handed to.
    #[error("key of {got} octets does not suit the cipher")]
    Unsuitable {
        /// Length given.
        got: usize,
    },
}

fn check_length(expected: &'static [usize], got: usize) -> Result<(), KeyError> {
    if expected.contains(&got) {
        Ok(())
    } else {
        Err(KeyError::Length { expected, got })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iccid() -> Iccid {
        Iccid::with_check_digit("898800000000000001").unwrap()
    }

    fn master() -> MasterKey {
        MasterKey::new(std::array::from_fn(|i| i as u8))
    }

    fn derived(label: &str, version: u8, len: usize) -> String {
        hex::encode(master().derive(label, &iccid(), version, len).expose())
    }

    /// Expected values come from `openssl kdf KBKDF` (mac CMAC, AES-256, salt = label, info = ICCID and version).
    #[test]
    fn derivation_is_sp_800_108() {
        assert_eq!(iccid().digits(), "8988000000000000016");
        assert_eq!(derived("KIc", 1, 16), "707b183bd58c033f5c663cd636b4c669");
        assert_eq!(
            derived("applet-p256", 0, 32),
            "8bbf86bea3b0c7f3c39ad2236041564c50ceab41ea4a867db023793e91be7495"
        );
        assert_eq!(
            derived("x", 0, 40),
            "050bf3f7e9da87bde7e6408ab4f115400c4a8779ec9977457ae54745d94291c7bae97852f4494ebd"
        );
        assert_eq!(derived("x", 0, 0), "");
        let mac = |algorithm| hex::encode(applet_mac_key(&master(), &iccid(), algorithm).expose());
        assert_eq!(
            mac(MacAlgorithm::AesCmac8),
            "a2ed48c42606c8d97fc8acceb45c812a"
        );
        assert_eq!(
            mac(MacAlgorithm::TripleDesCbcMac),
            "64bb35bb6435d7aa19e97e14c04bff1d"
        );
    }

    #[test]
    fn octets_that_are_no_scalar_of_the_curve_are_passed_over() {
        let key = applet_signing_key(&master(), &iccid());
        assert_eq!(
            hex::encode(key.expose()),
            "8bbf86bea3b0c7f3c39ad2236041564c50ceab41ea4a867db023793e91be7495"
        );
        let mut below = P256_ORDER;
        below[31] -= 1;
        let candidates = [[0; 32], [0xFF; 32], P256_ORDER, below, [7; 32]];
        let first = first_scalar(candidates.map(|key| Secret::new(key.to_vec())).into_iter());
        assert_eq!(first, Some(Secret::new(below.to_vec())));
    }

    /// Check values computed with `openssl enc -aes-128-ecb` over 01s and `-des-ede` over zeros.
    #[test]
    fn key_sets_name_and_check_themselves() {
        let aes = KeySet::derive(&master(), &iccid(), 1, Family::Aes128);
        assert_eq!((aes.kic_octet(), aes.kid_octet()), (0x12, 0x12));
        assert_eq!(aes.kic.check_value(), Some([0x9A, 0x38, 0xB7]));
        let des = KeySet::derive(&master(), &iccid(), 2, Family::TripleDes2);
        assert_eq!((des.kic_octet(), des.kid_octet()), (0x25, 0x25));
        assert_eq!(
            hex::encode(des.kid.secret().expose()),
            "394c709a9cc2b5330e50410615050a19"
        );
        assert_eq!(des.kid.check_value(), Some([0xD6, 0x80, 0xDF]));
        assert_eq!(CipherKey::none().check_value(), None);
    }

    #[test]
    fn lengths_are_checked() {
        let key = |len| Secret::new(vec![7; len]);
        assert!(CipherKey::new(CipherAlgorithm::Aes, key(24)).is_ok());
        assert_eq!(
            CipherKey::new(CipherAlgorithm::TripleDes2, key(24)),
            Err(KeyError::Length {
                expected: &[16],
                got: 24
            })
        );
        assert!(IntegrityKey::new(IntegrityAlgorithm::AesCmac, key(16), 4).is_ok());
        assert!(IntegrityKey::new(IntegrityAlgorithm::AesCmac, key(16), 0).is_err());
        assert!(IntegrityKey::new(IntegrityAlgorithm::TripleDes2, key(16), 4).is_err());
        assert!(IntegrityKey::new(IntegrityAlgorithm::Crc32, key(0), 4).is_err());
    }

    #[test]
    fn nothing_is_shown() {
        let shown = format!(
            "{:?} {:?}",
            master(),
            KeySet::derive(&master(), &iccid(), 1, Family::Aes128)
        );
        assert!(
            shown.starts_with("MasterKey KeySet")
                && !shown.contains("707b")
                && !shown.contains("112, 123")
        );
    }
}

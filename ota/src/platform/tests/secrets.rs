//! Keys stay out of whatever may be logged.

use ota_wire::ids::Iccid;
use ota_wire::keys::{CipherKey, Family, IntegrityKey, KeySet, MasterKey};
use ota_wire::packet::{CipherAlgorithm, IntegrityAlgorithm};
use ota_wire::secret::Secret;

use crate::platform::Submit;
use crate::platform::key_sets::{COLUMNS, Entry};

/// Case 19: secrets are equal only as a whole, and no text made of what holds keys has an octet run of them.
#[test]
fn case_19_keys_are_compared_whole_and_never_shown() {
    let key: [u8; 16] = std::array::from_fn(|i| 0xA0 | i as u8);
    for index in 0..key.len() {
        let mut other = key;
        other[index] ^= 1;
        assert_ne!(Secret::new(key.to_vec()), Secret::new(other.to_vec()));
    }
    assert_ne!(Secret::new(key.to_vec()), Secret::new(key[..15].to_vec()));

    let secret = Secret::new(key.to_vec());
    let kic = CipherKey::new(CipherAlgorithm::Aes, secret.clone()).unwrap();
    let kid = IntegrityKey::new(IntegrityAlgorithm::AesCmac, secret.clone(), 8).unwrap();
    let master = MasterKey::new([key, key].concat().try_into().unwrap());
    let iccid = Iccid::with_check_digit("898800000000000001").unwrap();
    let derived = master.derive("KIc", &iccid, 1, 16);
    let entry = Entry {
        iccid: "898800000000000001".into(),
        version: 1,
        kic_algorithm: "aes".into(),
        kic: hex::encode(key),
        kid_algorithm: "aes".into(),
        kid: hex::encode(key),
        cc_length: 8,
        tars: Vec::new(),
        kik: Some(hex::encode(key)),
    };
    let texts = [
        format!("{secret:?} {secret}"),
        format!("{kic:?} {kid:?} {master:?}"),
        format!(
            "{:?}",
            KeySet {
                version: 1,
                kic,
                kid
            }
        ),
        format!("{:?}", KeySet::derive(&master, &iccid, 1, Family::Aes128)),
        format!("{entry:?} {COLUMNS:?}"),
        format!(
            "{:?}",
            Submit {
                key_set: Some(entry),
                ..super::order("put-key", 1, b"")
            }
        ),
    ];
    for text in texts {
        let text = text.to_lowercase();
        for octets in [&key[..], derived.expose()] {
            for two in octets.windows(2) {
                let listed = format!("{}, {}", two[0], two[1]);
                let shown = [hex::encode(two), listed];
                assert!(!shown.iter().any(|shown| text.contains(shown)), "{text}");
            }
        }
    }
}

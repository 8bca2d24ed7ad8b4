//! TS 102 225: command and response packets.

use ota_wire::dissect::{self, Keys};
use ota_wire::ids::{Cntr, Tar};
use ota_wire::keys::{CipherKey, IntegrityKey, KeySet};
use ota_wire::packet::{
    CipherAlgorithm, Command, CommandView, IntegrityAlgorithm, Receiver, ResponseStatus, Sent, Spi,
    check_response, open, response_for,
};
use ota_wire::secret::Secret;

/// A key set for each algorithm: versions 1 to 5.
fn key_sets() -> [KeySet; 5] {
    let set = |version, cipher, integrity, len: u8, cc_len| {
        let key = |seed: u8| Secret::new((0..len).map(|octet| octet ^ seed).collect());
        let kic = CipherKey::new(cipher, key(version)).ok();
        let kid = IntegrityKey::new(integrity, key(version | 0x80), cc_len).ok();
        KeySet {
            version,
            kic: kic.unwrap_or_else(CipherKey::none),
            kid: kid.unwrap_or_else(IntegrityKey::none),
        }
    };
    [
        set(1, CipherAlgorithm::Aes, IntegrityAlgorithm::AesCmac, 16, 8),
        set(
            2,
            CipherAlgorithm::TripleDes2,
            IntegrityAlgorithm::TripleDes2,
            16,
            8,
        ),
        set(
            3,
            CipherAlgorithm::TripleDes3,
            IntegrityAlgorithm::TripleDes3,
            24,
            8,
        ),
        set(4, CipherAlgorithm::Des, IntegrityAlgorithm::Des, 8, 8),
        set(5, CipherAlgorithm::Aes, IntegrityAlgorithm::AesCmac, 32, 4),
    ]
}

struct Card {
    key_sets: [KeySet; 5],
    msl: u8,
    single_des: bool,
}

impl Receiver for Card {
    fn msl(&self, _tar: Tar) -> Option<u8> {
        Some(self.msl)
    }

    fn key_set(&self, version: u8) -> Option<&KeySet> {
        self.key_sets.iter().find(|set| set.version == version)
    }

    fn counter(&self, version: u8) -> Cntr {
        Cntr::new(u64::from(version)).unwrap_or_default()
    }

    fn allows_single_des(&self) -> bool {
        self.single_des
    }
}

/// Command packets: every key set, a strict card and a lax one, and the PoR.
pub fn command(octets: &[u8]) {
    for keys in key_sets() {
        let _ = Command::unseal(octets, &keys);
    }
    for (msl, single_des) in [(0x16, false), (0x00, true)] {
        let card = Card {
            key_sets: key_sets(),
            msl,
            single_des,
        };
        let outcome = open(octets, &card);
        if let Ok(opened) = &outcome {
            assert!(opened.data.len() < octets.len());
            assert!(opened.spi.meets(msl));
            assert!(opened.authenticated || msl == 0);
            if let Some(stored) = opened.store_counter {
                assert!(stored > card.counter(opened.key_version));
            }
        }
        let Some(por) = response_for(outcome.as_ref(), ResponseStatus::POR_OK, vec![0x90]) else {
            continue;
        };
        // A PoR can always be made, and the sender can always read it.
        let sealed = por.seal(card.key_set(por.key_version()));
        let view = CommandView::new_checked(octets);
        let (Ok(sealed), Ok(view)) = (sealed, view) else {
            panic!("a PoR that cannot be made");
        };
        if por.secured {
            let sent = Sent {
                spi: view.spi(),
                kic: view.kic(),
                kid: view.kid(),
                tar: view.tar(),
                cntr: por.response.cntr,
            };
            let keyless = KeySet {
                version: 0,
                kic: CipherKey::none(),
                kid: IntegrityKey::none(),
            };
            let keys = card.key_set(por.key_version()).unwrap_or(&keyless);
            assert!(check_response(&sealed, &sent, keys).is_ok());
        }
    }
    let keys = Keys {
        key_sets: key_sets().into(),
        ..Keys::default()
    };
    let tree = dissect::command_packet(octets, &keys);
    assert!(!tree.is_complete() || CommandView::new_checked(octets).is_ok());
}

/// Response packets: of every key set, with every protection.
pub fn response(octets: &[u8]) {
    for keys in key_sets() {
        for second in [0x00, 0x01, 0x05, 0x09, 0x11, 0x19, 0x39] {
            let sent = Sent {
                spi: Spi([0x16, second]),
                kic: keys.kic_octet(),
                kid: keys.kid_octet(),
                tar: Tar::MID,
                cntr: Cntr::default(),
            };
            if let Ok(checked) = check_response(octets, &sent, &keys) {
                assert!(checked.data.len() < octets.len());
                let bare_success = checked.status.is_success() && !checked.as_asked;
                assert!(!bare_success, "an unprotected success passed");
            }
        }
    }
    let keys = Keys {
        key_sets: key_sets().into(),
        ..Keys::default()
    };
    let _ = dissect::response_packet(octets, &keys).to_string();
}

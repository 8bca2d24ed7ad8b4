use std::sync::Arc;

use ota_wire::keys::CipherKey;
use ota_wire::packet::CipherAlgorithm;
use ota_wire::secret::Secret;

use super::*;
use crate::card_manager::registry::StoredKeySet;
use crate::profile::Profile;
use crate::scenarios::card_of;
use crate::state::CardState;
use crate::testing::{master, network, subscriber};

fn findings(profile: &str) -> Vec<Finding> {
    let card = card_of(profile);
    scan(|| card.another())
}

/// Findings on a card whose profile says this besides that of the default one.
fn findings_with(profile: &str, state: impl Fn(&mut CardState)) -> Vec<Finding> {
    let text = format!("inherits = \"default\"\nname = \"other\"\n{profile}");
    let profile = Arc::new(Profile::parse(&text, master(), network()).unwrap());
    scan(|| {
        let mut fresh = CardState::fresh(&profile);
        state(&mut fresh);
        Uicc::new(profile.clone(), subscriber(), fresh)
    })
}

const SIGNATURE: &str = "[[application]]\nkind = \"signature\"\ntar = \"414243\"\nmsl = \"16\"\n";
const SIGNS_ERRORS: &str = "[weak]\nsigns_errors = true\n";

#[test]
fn applications_with_tars_of_their_own_are_scanned() {
    let files =
        "[[application]]\nkind = \"remote-files\"\ntar = \"B00020\"\ndirectory = \"3F00\"\nmsl = ";
    let tar = Tar([0xB0, 0x00, 0x20]);
    let found = findings_with(&format!("{SIGNATURE}{files}\"00\""), |_| {});
    let expected = Finding::NoSecurityLevel { tar };
    assert!(found.contains(&expected), "{found:?}");
    let found = findings_with(&format!("{SIGNATURE}{files}\"16\""), |_| {});
    assert_eq!(found, []);
    let signs = [1, 2].map(|version| Finding::SignsForStrangers { version });
    let found = findings_with(&format!("{SIGNATURE}{SIGNS_ERRORS}"), |_| {});
    assert_eq!(found, signs);
}

#[test]
fn errors_signed_with_three_keys_are_found() {
    let octets: Vec<u8> = (0..24).map(|octet| octet << 1).collect();
    let key = CipherKey::new(CipherAlgorithm::TripleDes3, Secret::new(octets)).unwrap();
    let keys = StoredKeySet {
        version: 4,
        instead_of: 0,
        counter: Cntr::default(),
        keys: [key.clone(), key.clone(), key],
    };
    let add = |state: &mut CardState| {
        state.domain.get_or_insert_default().keys = vec![keys.clone()];
    };
    assert_eq!(findings_with("", add), []);
    let found = findings_with(SIGNS_ERRORS, add);
    let expected = [1, 2, 4].map(|version| Finding::SignsForStrangers { version });
    assert_eq!(found, expected);
}

const FILES: Tar = Tar([0xB0, 0x00, 0x00]);

#[test]
fn cards_that_are_to_be_trusted_show_nothing() {
    assert_eq!(findings("default"), []);
    assert_eq!(findings("lab"), []);
}

#[test]
fn errors_signed_with_single_des_are_found() {
    let found = findings("weak/single-des");
    assert!(
        found.contains(&Finding::SignsWithSingleDes { version: 3 }),
        "{found:?}"
    );
    assert!(
        found.contains(&Finding::SignsForStrangers { version: 1 }),
        "{found:?}"
    );
    assert!(
        !found
            .iter()
            .any(|it| matches!(it, Finding::NoSecurityLevel { .. }))
    );
}

#[test]
fn security_level_zero_is_found() {
    let found = findings("weak/no-level");
    assert!(
        found.contains(&Finding::NoSecurityLevel { tar: FILES }),
        "{found:?}"
    );
    assert!(!found.contains(&Finding::NoSecurityLevel { tar: Tar::MID }));
}

#[test]
fn a_missing_counter_is_found() {
    assert_eq!(
        findings("weak/no-counter"),
        [Finding::NoCounter { tar: FILES }]
    );
}

#[test]
fn a_cipher_without_checksum_is_found() {
    let expected = Finding::CipherWithoutChecksum { tar: FILES };
    assert_eq!(findings("weak/cipher-without-checksum"), [expected]);
}

#[test]
fn a_decryption_oracle_is_found() {
    assert_eq!(
        findings("weak/oracle"),
        [Finding::DecryptionOracle { version: 1 }]
    );
}

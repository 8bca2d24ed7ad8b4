mod agreement;

use std::sync::Arc;

use ota_wire::keys::CipherKey;
use ota_wire::secret::Secret;

use super::*;
use crate::card_manager::registry::StoredKeySet;
use crate::profile::Profile;
use crate::scenarios::card_of;
use crate::state::CardState;
use crate::testing::{master, network, subscriber};

/// What is weak, and the key set and cipher that took part in showing it.
type Short = (Weakness, Option<(u8, CipherAlgorithm)>);

fn short(findings: Vec<Finding>) -> Vec<Short> {
    let each = findings.into_iter();
    each.map(|finding| (finding.weakness, finding.key_set))
        .collect()
}

fn findings(profile: &str) -> Vec<Short> {
    let card = card_of(profile);
    short(scan(|| card.another()))
}

/// Findings on a card whose profile says this besides that of the default one.
fn findings_with(profile: &str, state: impl Fn(&mut CardState)) -> Vec<Short> {
    let text = format!("inherits = \"default\"\nname = \"other\"\n{profile}");
    let profile = Arc::new(Profile::parse(&text, master(), network()).unwrap());
    short(scan(|| {
        let mut fresh = CardState::fresh(&profile);
        state(&mut fresh);
        Uicc::new(profile.clone(), subscriber(), fresh)
    }))
}

const FILES: Tar = Tar([0xB0, 0x00, 0x00]);
const SIGNATURE: &str = "[[application]]\nkind = \"signature\"\ntar = \"414243\"\nmsl = \"16\"\n";
const SIGNS_ERRORS: &str = "[weak]\nsigns_errors = true\n";
const AES: CipherAlgorithm = CipherAlgorithm::Aes;
const DES: CipherAlgorithm = CipherAlgorithm::Des;
const TRIPLE_DES: CipherAlgorithm = CipherAlgorithm::TripleDes2;

#[test]
fn cards_that_are_to_be_trusted_show_nothing() {
    for profile in ["default", "lab", "refreshing"] {
        assert_eq!(findings(profile), [], "{profile}");
    }
}

/// Every profile of the folder, and what is found on it. The documentation has a line for each.
#[test]
fn every_weak_profile_shows_what_it_is_there_for() {
    let tar = FILES;
    let checksum = Weakness::NoChecksum { tar };
    let ciphering = Weakness::NoCiphering { tar };
    let counter = Weakness::NoCounter { tar };
    let signs = |version, cipher| (Weakness::SignsErrors, Some((version, cipher)));
    let expected: [(&str, Vec<Short>); 10] = [
        ("cipher-without-checksum", vec![(checksum, Some((1, AES)))]),
        ("counter-not-checked", vec![(counter, Some((1, AES)))]),
        ("des-key-set", vec![(Weakness::SingleDes, Some((3, DES)))]),
        ("no-ciphering", vec![(ciphering, Some((1, AES)))]),
        ("no-counter", vec![(counter, Some((1, AES)))]),
        (
            "no-level",
            vec![
                (checksum, None),
                (ciphering, Some((1, AES))),
                (counter, Some((1, AES))),
            ],
        ),
        (
            "oracle",
            vec![
                (Weakness::DeciphersForStrangers, Some((1, AES))),
                (Weakness::DeciphersForStrangers, Some((2, TRIPLE_DES))),
            ],
        ),
        (
            "rc-only",
            vec![(checksum, None), (ciphering, Some((1, AES)))],
        ),
        ("signed-errors", vec![signs(1, AES), signs(2, TRIPLE_DES)]),
        (
            "single-des",
            vec![
                (Weakness::SingleDes, Some((3, DES))),
                signs(1, AES),
                signs(2, TRIPLE_DES),
                signs(3, DES),
            ],
        ),
    ];
    for (profile, expected) in &expected {
        assert_eq!(&findings(&format!("weak/{profile}")), expected, "{profile}");
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/profiles/weak");
    let page = include_str!("../../docs/card.md");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(
            expected.iter().any(|(profile, _)| *profile == name),
            "{name}"
        );
        assert!(page.contains(&format!("\n| `{name}` | ")), "{name}");
    }
}

/// The text has what somebody needs to try it: what is weak, how it was shown, and the octets, worked out by hand.
#[test]
fn findings_say_how_they_were_shown() {
    let text = |profile: &str, which: usize| {
        let card = card_of(profile);
        scan(|| card.another())[which].to_string()
    };
    // CPL 13, CHL 0D, SPI 0001: a PoR, else nothing. TAR, CNTR 1, STATUS.
    assert_eq!(
        text("weak/no-level", 0),
        "TAR B00000 demands no checksum: it took 00130D00011212B000000000000001\
         0080F2000C00 (no check at all, no key needed)"
    );
    // SPI 19: an RC and a counter one higher. Python's zlib has the CRC over all but itself.
    assert_eq!(
        text("weak/rc-only", 0),
        "TAR B00000 demands no checksum: it took 00171119011215B000000000000001\
         007CAC47B080F2000C00 (a CRC, no key needed)"
    );
    for (profile, which, how) in [
        ("no-ciphering", 0, "(in clear, key set 1, AES)"),
        ("counter-not-checked", 0, " twice (key set 1, AES)"),
        (
            "cipher-without-checksum",
            0,
            "(no check at all, key set 1, AES)",
        ),
        ("des-key-set", 0, "(key set 3, single DES)"),
        ("signed-errors", 1, "(key set 2, triple DES)"),
        ("oracle", 0, "(key set 1, AES)"),
    ] {
        let text = text(&format!("weak/{profile}"), which);
        assert!(text.ends_with(how), "{text}");
    }
}

#[test]
fn applications_with_tars_of_their_own_are_scanned() {
    let files =
        "[[application]]\nkind = \"remote-files\"\ntar = \"B00020\"\ndirectory = \"3F00\"\nmsl = ";
    let tar = Tar([0xB0, 0x00, 0x20]);
    let found = findings_with(&format!("{SIGNATURE}{files}\"00\""), |_| {});
    let expected = (Weakness::NoChecksum { tar }, None);
    assert!(found.contains(&expected), "{found:?}");
    let found = findings_with(&format!("{SIGNATURE}{files}\"16\""), |_| {});
    assert_eq!(found, []);
    let found = findings_with(&format!("{SIGNATURE}{SIGNS_ERRORS}"), |_| {});
    let signs = [(1, AES), (2, TRIPLE_DES)].map(|set| (Weakness::SignsErrors, Some(set)));
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
    let sets = [(1, AES), (2, TRIPLE_DES), (4, CipherAlgorithm::TripleDes3)];
    let expected = sets.map(|set| (Weakness::SignsErrors, Some(set)));
    assert_eq!(found, expected);
}

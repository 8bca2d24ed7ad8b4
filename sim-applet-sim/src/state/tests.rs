use proptest::prelude::*;

use super::*;
use crate::testing;

fn used() -> CardState {
    let mut state = CardState::fresh(&testing::profile()).with_pin_tries(2);
    state.set_counter(&testing::profile(), 2, Cntr::MAX);
    state.applet.counter = 1_700_000_000_000;
    state.applet.tid = *b"tidtidti";
    state.applet.answered = true;
    state.applet.pin = "4321".parse().ok();
    state.codes[0].enabled = false;
    let key = |octet| {
        let octets = Secret::new(vec![octet; 16]);
        CipherKey::new(CipherAlgorithm::Aes, octets).unwrap()
    };
    state.domain = Some(Box::new(DomainState {
        sequence: 0x0001_0203,
        applet_locked: true,
        keys: vec![StoredKeySet {
            version: 3,
            instead_of: 3,
            counter: Cntr::default(),
            keys: [key(1), key(2), key(3)],
        }],
    }));
    let mut overlay = Overlay::default();
    overlay
        .0
        .insert([0x7FF0, 0x6F3C].into(), vec![1, 2, 3].into());
    state.overlay = Some(Box::new(overlay));
    state
}

#[test]
fn round_trip() {
    let state = used();
    assert_eq!(CardState::from_bytes(&state.to_bytes()), Ok(state));
    let fresh = CardState::fresh(&testing::profile());
    assert_eq!(CardState::from_bytes(&fresh.to_bytes()), Ok(fresh));
}

#[test]
fn a_fresh_card_is_small() {
    // Version, count, two counters, applet, three codes, no domain: 2 + 12 + 20 + 12 + 1 octets.
    assert_eq!(CardState::fresh(&testing::profile()).to_bytes().len(), 47);
}

/// What older ones had not: of which key set a counter is.
fn version_4(state: &CardState) -> Vec<u8> {
    let mut bytes = state.to_bytes();
    // Version, count, a counter of six octets.
    bytes.remove(8);
    bytes.remove(2);
    bytes[0] = 4;
    bytes
}

/// Nor whose place a key set has taken.
fn older(state: &CardState, version: u8) -> Vec<u8> {
    let mut bytes = version_4(state);
    // Locked, one key set, its version twice.
    let place = bytes
        .windows(4)
        .position(|octets| octets == [1, 1, 3, 3])
        .unwrap();
    bytes.remove(place + 3);
    bytes[0] = version;
    bytes
}

/// Counters get their names with the first that is stored.
fn reread(bytes: &[u8]) -> CardState {
    let mut read = CardState::from_bytes(bytes).unwrap();
    let profile = testing::profile();
    assert_eq!(read.counter(&profile, 1), Cntr::default());
    assert_eq!(read.counter(&profile, 2), Cntr::MAX);
    assert_eq!(CardState::from_bytes(&read.to_bytes()).as_ref(), Ok(&read));
    read.set_counter(&profile, 2, Cntr::MAX);
    read
}

#[test]
fn versions_3_and_4_are_read() {
    let state = used();
    assert_eq!(reread(&version_4(&state)), state);
    assert_eq!(reread(&older(&state, 3)), state);
}

#[test]
fn version_2_is_read() {
    let state = used();
    let mut bytes = older(&state, 2);
    // What it had not: how many identifiers a path has.
    bytes.remove(bytes.len() - 10);
    assert_eq!(reread(&bytes), state);
    // A file of the MF.
    bytes.extend([0x3F, 0x00, 0x2F, 0x05, 0, 1, 0xAA]);
    let overlay = CardState::from_bytes(&bytes).unwrap().overlay.unwrap();
    assert_eq!(*overlay.0[&[0x2F05][..]], [0xAA]);
}

#[test]
fn cut_off_or_foreign_octets_are_refused() {
    let bytes = used().to_bytes();
    for len in 0..bytes.len() {
        let result = CardState::from_bytes(&bytes[..len]);
        // The files at the end are optional; a cut just before them is another valid state.
        assert!(result.is_err() || len == bytes.len() - 10, "{len}");
    }
    let mut foreign = bytes;
    foreign[0] = 9;
    assert_eq!(
        CardState::from_bytes(&foreign),
        Err(StateError::Version { got: 9 })
    );
}

/// As many as PUT KEY can have brought, and no more.
#[test]
fn a_ninth_key_set_is_damage() {
    let mut state = used();
    let keys = &mut state.domain.as_mut().unwrap().keys;
    let one = keys[0].clone();
    keys.resize(MOST_STORED, one.clone());
    let bytes = state.to_bytes();
    assert_eq!(CardState::from_bytes(&bytes).as_ref(), Ok(&state));
    state.domain.as_mut().unwrap().keys.push(one);
    let bytes = state.to_bytes();
    assert_eq!(CardState::from_bytes(&bytes), Err(StateError::Damaged));
}

proptest! {
    #[test]
    fn any_octets_are_read_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..200), versioned: bool) {
        if let (true, Some(first)) = (versioned, bytes.first_mut()) {
            *first = CardState::VERSION;
        }
        let _ = CardState::from_bytes(&bytes);
    }
}

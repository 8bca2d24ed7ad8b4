//! Keys of a card: those of the profile, those that PUT KEY has brought, and the counters of those for OTA.

use ota_wire::ids::{Cntr, Iccid};
use ota_wire::keys::{CipherKey, Family, IntegrityKey, KeySet};
use ota_wire::packet::{CipherAlgorithm, IntegrityAlgorithm};
use ota_wire::secret::Secret;
use zeroize::Zeroizing;

use super::scp03;
use crate::profile::{KeySetProfile, Profile};
use crate::state::CardState;

/// Versions of OTA key sets (TS 102 225 §5.1.1).
pub(crate) const OTA: std::ops::RangeInclusive<u8> = 0x01..=0x0F;
/// Versions of key sets for SCP03.
pub(crate) const SCP03: std::ops::RangeInclusive<u8> = 0x30..=0x3F;
/// Key sets of PUT KEY that one card keeps, besides those of its profile.
pub(crate) const MOST_STORED: usize = 8;

/// What a card remembers of its security domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DomainState {
    /// The SCP03 sequence counter last used: 24 bits.
    pub(crate) sequence: u32,
    /// Whether the signature applet is locked.
    pub(crate) applet_locked: bool,
    /// Key sets that PUT KEY has brought.
    pub(crate) keys: Vec<StoredKeySet>,
}

/// A key set that PUT KEY has brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredKeySet {
    pub(crate) version: u8,
    /// Version of the profile's key set that is no more since this one, or one before it, has come; 0 for one that was added.
    pub(crate) instead_of: u8,
    /// CNTR, for those of [`OTA`].
    pub(crate) counter: Cntr,
    /// KIc, KID, KIK; or ENC, MAC, DEK.
    pub(crate) keys: [CipherKey; 3],
}

impl StoredKeySet {
    /// As OTA packets use it, if it is for them.
    pub(crate) fn ota(&self) -> Option<KeySet> {
        if !OTA.contains(&self.version) {
            return None;
        }
        let [kic, kid, _] = &self.keys;
        let algorithm = integrity(kid.algorithm())?;
        Some(KeySet {
            version: self.version,
            kic: kic.clone(),
            kid: IntegrityKey::new(algorithm, kid.secret().clone(), 8).ok()?,
        })
    }
}

/// Algorithm of a checksum made with a key for this cipher.
pub(crate) const fn integrity(cipher: CipherAlgorithm) -> Option<IntegrityAlgorithm> {
    Some(match cipher {
        CipherAlgorithm::Des => IntegrityAlgorithm::Des,
        CipherAlgorithm::TripleDes2 => IntegrityAlgorithm::TripleDes2,
        CipherAlgorithm::TripleDes3 => IntegrityAlgorithm::TripleDes3,
        CipherAlgorithm::Aes => IntegrityAlgorithm::AesCmac,
        CipherAlgorithm::None => return None,
    })
}

/// The OTA key sets of a card.
pub(crate) fn ota_key_sets(profile: &Profile, iccid: &Iccid, state: &CardState) -> Vec<KeySet> {
    let stored = state.stored_keys();
    let own = profile
        .key_sets
        .iter()
        .filter(|keys| !replaced(state, keys.version()))
        .filter_map(|keys| profile_keys(profile, iccid, *keys));
    own.chain(stored.iter().filter_map(StoredKeySet::ota))
        .collect()
}

/// The OTA key set of this version that a card comes with.
pub(crate) fn factory_keys(profile: &Profile, iccid: &Iccid, version: u8) -> Option<KeySet> {
    let mut sets = profile.key_sets.iter();
    let keys = sets.find(|keys| keys.version() == version)?;
    profile_keys(profile, iccid, *keys)
}

fn profile_keys(profile: &Profile, iccid: &Iccid, keys: KeySetProfile) -> Option<KeySet> {
    let master = &profile.master_key;
    match keys {
        KeySetProfile::Derived(version, family) => {
            Some(KeySet::derive(master, iccid, version, family))
        }
        KeySetProfile::SingleDes(version) => {
            let half = |label| master.derive(label, iccid, version, 8);
            Some(KeySet {
                version,
                kic: CipherKey::new(CipherAlgorithm::Des, half("KIc")).ok()?,
                kid: IntegrityKey::new(IntegrityAlgorithm::Des, half("KID"), 8).ok()?,
            })
        }
    }
}

/// The key for loading keys that belongs to an OTA key set.
pub(crate) fn kik(
    profile: &Profile,
    iccid: &Iccid,
    state: &CardState,
    version: u8,
) -> Option<CipherKey> {
    if let Some(stored) = stored(state, version) {
        return Some(stored.keys[2].clone());
    }
    let own = profile
        .key_sets
        .iter()
        .find(|keys| keys.version() == version && !replaced(state, version))?;
    let family = match own {
        KeySetProfile::Derived(_, family) => *family,
        KeySetProfile::SingleDes(_) => Family::TripleDes2,
    };
    Some(KeySet::derive_kik(
        &profile.master_key,
        iccid,
        version,
        family,
    ))
}

/// The static keys for SCP03 with this version, 0 for the first there is, and the version they have. Keys for OTA open
/// no channel, and neither do keys for another cipher than AES.
pub(crate) fn scp03_keys(
    profile: &Profile,
    iccid: &Iccid,
    state: &CardState,
    version: u8,
) -> Option<(u8, scp03::Keys)> {
    let own = &profile.domain.scp03;
    let version = match version {
        0 if replaced(state, own.version) => {
            let stored = state.stored_keys().iter().map(|keys| keys.version);
            stored.filter(|version| SCP03.contains(version)).min()?
        }
        0 => own.version,
        version => version,
    };
    if let Some(stored) = stored(state, version).filter(|_| SCP03.contains(&version)) {
        let aes = |stored: &CipherKey| {
            key(stored.secret()).filter(|_| stored.algorithm() == CipherAlgorithm::Aes)
        };
        let [enc, mac, dek] = &stored.keys;
        let keys = scp03::Keys {
            enc: aes(enc)?,
            mac: aes(mac)?,
            dek: aes(dek)?,
        };
        return Some((version, keys));
    }
    if version != own.version || replaced(state, version) {
        return None;
    }
    let derived = |label| match &own.key {
        Some(fixed) => key(fixed),
        None => key(&profile.master_key.derive(label, iccid, version, 16)),
    };
    let keys = scp03::Keys {
        enc: derived("SCP03-ENC")?,
        mac: derived("SCP03-MAC")?,
        dek: derived("SCP03-DEK")?,
    };
    Some((version, keys))
}

fn key(secret: &Secret) -> Option<scp03::Key> {
    let mut key = Zeroizing::new([0; 16]);
    (secret.len() == key.len()).then(|| key.copy_from_slice(secret.expose()))?;
    Some(key)
}

fn stored(state: &CardState, version: u8) -> Option<&StoredKeySet> {
    state
        .stored_keys()
        .iter()
        .find(|keys| keys.version == version)
}

/// Whether the profile's key set of this version is no more. A card has one of each version, and what PUT KEY has brought
/// outlives a change of the profile.
fn replaced(state: &CardState, version: u8) -> bool {
    state
        .stored_keys()
        .iter()
        .any(|keys| keys.instead_of == version || keys.version == version)
}

/// Version, key type (80 DES, 88 AES) and octets of every key set, as GET DATA shows them.
pub(crate) fn key_information(profile: &Profile, state: &CardState) -> Vec<(u8, u8, u8)> {
    const DES: u8 = 0x80;
    const AES: u8 = 0x88;
    let stored = state.stored_keys();
    let kind = |key: &CipherKey| match key.algorithm() {
        CipherAlgorithm::Aes => AES,
        _ => DES,
    };
    let own = profile.key_sets.iter().map(|keys| match keys {
        KeySetProfile::Derived(version, Family::Aes128) => (*version, AES, 16),
        KeySetProfile::Derived(version, Family::TripleDes2) => (*version, DES, 16),
        KeySetProfile::SingleDes(version) => (*version, DES, 8),
    });
    let domain = std::iter::once((profile.domain.scp03.version, AES, 16));
    own.chain(domain)
        .filter(|(version, ..)| !replaced(state, *version))
        .chain(stored.iter().map(|keys| {
            let first = &keys.keys[0];
            (keys.version, kind(first), first.secret().len() as u8)
        }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{profile, send, subscriber};
    use crate::uicc::Uicc;

    const SELECT_DOMAIN: &str = "00A4040008A000000003000000";

    fn initialize_update(version: u8, stored: &[StoredKeySet]) -> String {
        let profile = profile();
        let mut state = CardState::fresh(&profile);
        state.domain.get_or_insert_default().keys = stored.to_vec();
        let mut card = Uicc::new(profile, subscriber(), state);
        send(&mut card, SELECT_DOMAIN);
        send(&mut card, &format!("8050{version:02X}00080001020304050607"))
    }

    fn key_set(version: u8, algorithm: CipherAlgorithm) -> StoredKeySet {
        let octets: Vec<u8> = (0..16).collect();
        let key = || CipherKey::new(algorithm, Secret::new(octets.clone())).unwrap();
        StoredKeySet {
            version,
            instead_of: if version <= 2 { version } else { 0 },
            counter: Cntr::default(),
            keys: [key(), key(), key()],
        }
    }

    #[test]
    fn only_aes_keys_for_scp03_open_a_channel() {
        let aes = CipherAlgorithm::Aes;
        let triple = CipherAlgorithm::TripleDes2;
        for (version, algorithm, expected) in [
            (0x31, aes, "6120"),
            (0x3F, aes, "6120"),
            (0x01, aes, "6A88"),
            (0x0F, aes, "6A88"),
            (0x02, triple, "6A88"),
            (0x31, triple, "6A88"),
        ] {
            let got = initialize_update(version, &[key_set(version, algorithm)]);
            assert_eq!(got, expected, "{version:02X} {algorithm:?}");
        }
        assert_eq!(initialize_update(0x30, &[]), "6120");
        assert_eq!(initialize_update(0x00, &[]), "6120");
    }

    /// Somebody may start again with a profile that has got a key set of its own of this version.
    #[test]
    fn a_key_set_that_put_key_has_brought_stands_for_that_of_the_profile() {
        let profile = profile();
        let mut state = CardState::fresh(&profile);
        let brought = [1, 0x30].map(|version| StoredKeySet {
            instead_of: 0,
            ..key_set(version, CipherAlgorithm::Aes)
        });
        state.domain.get_or_insert_default().keys = brought.to_vec();
        let iccid = &subscriber().iccid;
        let ota = ota_key_sets(&profile, iccid, &state);
        let versions: Vec<_> = ota.iter().map(|keys| keys.version).collect();
        assert_eq!(versions, [2, 1]);
        assert_eq!(ota[1].kic, brought[0].keys[0]);
        assert_eq!(
            kik(&profile, iccid, &state, 1),
            Some(brought[0].keys[2].clone())
        );
        let known = key_information(&profile, &state);
        let versions: Vec<_> = known.iter().map(|(version, ..)| *version).collect();
        assert_eq!(versions, [2, 1, 0x30]);
        let (version, keys) = scp03_keys(&profile, iccid, &state, 0).unwrap();
        assert_eq!((version, keys.dek[..2].to_vec()), (0x30, vec![0, 1]));
    }
}

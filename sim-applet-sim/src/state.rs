//! What a card keeps without power: midsim's own format, versioned, made to be small.
//!
//! Everything else about a card follows from its profile and its owner, or is lost when the power goes.

use ota_wire::ids::Cntr;
use ota_wire::keys::CipherKey;
use ota_wire::packet::CipherAlgorithm;
use ota_wire::remote_apdu::ram::KeyType;
use ota_wire::secret::Secret;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::card_manager::registry::{DomainState, MOST_STORED, StoredKeySet};
use crate::pin::{CODE_LEN, PinCode, Tries};
use crate::profile::{CODES, KeySetProfile, Profile};
use crate::uicc::file::{Overlay, fid};

/// The persistent state of one card.
///
/// Whoever owns the card writes [`CardState::to_bytes`] to its journal whenever a step reports a change, before any
/// output of that step leaves. Then a restart never lowers a counter and never gives a try back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardState {
    pub(crate) counters: Vec<Counter>,
    pub(crate) applet: AppletState,
    pub(crate) codes: [CodeState; CODES],
    /// The security domain, once something in it has changed.
    pub(crate) domain: Option<Box<DomainState>>,
    pub(crate) overlay: Option<Box<Overlay>>,
}

/// CNTR of an OTA key set that the card came with, in six octets: there may be a million cards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counter {
    /// Of the key set; 0 in older states, which had counters in the order of the profile.
    version: u8,
    value: [u8; 5],
}

/// The signature applet's part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AppletState {
    /// Counter of the last challenge accepted; the next one is greater.
    pub(crate) counter: u64,
    /// Transaction of that challenge.
    pub(crate) tid: [u8; 8],
    /// Whether that challenge was answered. Set before the answer is handed to the handset.
    pub(crate) answered: bool,
    pub(crate) pin_tries: Tries,
    pub(crate) puk_tries: Tries,
    /// The PIN, where it is no longer the one that the card came with.
    pub(crate) pin: Option<PinCode>,
}

/// PIN1, PIN2 or ADM1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CodeState {
    pub(crate) tries: Tries,
    pub(crate) unblock_tries: Tries,
    pub(crate) enabled: bool,
    /// The code, where it is no longer that of the profile.
    pub(crate) code: Option<PinCode>,
}

/// What has become of a code since the card left the factory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeView {
    /// Wrong codes until it is blocked; 0 means that it is.
    pub tries: u8,
    /// Whether the card asks for it.
    pub enabled: bool,
    /// Whether it is another one.
    pub changed: bool,
}

impl CardState {
    const VERSION: u8 = 5;
    /// Had counters in the order of the profile. Is read, never written.
    const VERSION_4: u8 = 4;
    /// A key set stood for that of the profile with the same version. Is read, never written.
    const VERSION_3: u8 = 3;
    /// Named a file by its directory and itself alone. Is read, never written.
    const VERSION_2: u8 = 2;

    /// A card as it leaves the factory.
    pub fn fresh(profile: &Profile) -> Self {
        Self {
            counters: profile.key_sets.iter().map(Counter::fresh).collect(),
            applet: AppletState {
                counter: 0,
                tid: [0; 8],
                answered: false,
                pin_tries: Tries::new(profile.applet.pin_tries),
                puk_tries: Tries::new(profile.applet.puk_tries),
                pin: None,
            },
            codes: profile.codes.each_ref().map(|code| CodeState {
                tries: Tries::new(code.tries),
                unblock_tries: Tries::new(code.unblock.as_ref().map_or(0, |(_, tries)| *tries)),
                enabled: code.enabled,
                code: None,
            }),
            domain: None,
            overlay: None,
        }
    }

    /// The same card with this many tries left for the applet's PIN; 0 is a blocked one.
    #[must_use]
    pub const fn with_pin_tries(mut self, left: u8) -> Self {
        self.applet.pin_tries = Tries::new(left);
        self
    }

    /// The same card with this many tries left for the PUK of the applet's PIN; 0 is a blocked one.
    #[must_use]
    pub const fn with_puk_tries(mut self, left: u8) -> Self {
        self.applet.puk_tries = Tries::new(left);
        self
    }

    /// Tries left for the applet's PIN.
    pub const fn pin_tries(&self) -> u8 {
        self.applet.pin_tries.left()
    }

    /// The applet's PIN, where it is no longer the one that the card came with.
    pub const fn changed_pin(&self) -> Option<&PinCode> {
        self.applet.pin.as_ref()
    }

    /// Tries left for the applet's PUK.
    pub const fn puk_tries(&self) -> u8 {
        self.applet.puk_tries.left()
    }

    /// PIN1, PIN2 and ADM1 of a card of this profile.
    pub fn codes(&self, profile: &Profile) -> [CodeView; CODES] {
        std::array::from_fn(|index| {
            let code = &self.codes[index];
            let first = &profile.codes[index].code;
            CodeView {
                tries: code.tries.left(),
                enabled: code.enabled,
                changed: code.code.as_ref().is_some_and(|code| code != first),
            }
        })
    }

    /// Counter of the last challenge that the applet accepted.
    pub const fn applet_counter(&self) -> u64 {
        self.applet.counter
    }

    /// Transaction of the last challenge, and whether it was answered.
    pub const fn last_challenge(&self) -> ([u8; 8], bool) {
        (self.applet.tid, self.applet.answered)
    }

    /// CNTR of each OTA key set that the card came with, lowest version first.
    pub fn counters(&self) -> Vec<Cntr> {
        let mut counters: Vec<_> = self.counters.iter().collect();
        counters.sort_by_key(|counter| counter.version);
        counters.into_iter().map(Counter::get).collect()
    }

    /// Stores CNTR of a key set.
    pub(crate) fn set_counter(&mut self, profile: &Profile, version: u8, value: Cntr) {
        let stored = self.domain.iter_mut().flat_map(|domain| &mut domain.keys);
        if let Some(keys) = stored.into_iter().find(|keys| keys.version == version) {
            keys.counter = value;
            return;
        }
        // What had its counters by their place has them by name from now on.
        for (counter, keys) in self.counters.iter_mut().zip(&profile.key_sets) {
            if counter.version == 0 {
                counter.version = keys.version();
            }
        }
        let value = Counter {
            version,
            value: value.to_bytes(),
        };
        match self.place_of(profile, version) {
            Some(place) => self.counters[place] = value,
            None => self.counters.push(value),
        }
    }

    /// CNTR of a key set; one of which nothing is known has taken nothing yet.
    pub(crate) fn counter(&self, profile: &Profile, version: u8) -> Cntr {
        let stored = self.stored_keys();
        if let Some(keys) = stored.iter().find(|keys| keys.version == version) {
            return keys.counter;
        }
        self.factory_counter(profile, version)
    }

    /// CNTR of the key set of this version that the card came with, also when PUT KEY has brought another one.
    pub(crate) fn factory_counter(&self, profile: &Profile, version: u8) -> Cntr {
        let place = self.place_of(profile, version);
        place.map_or_else(Cntr::default, |place| self.counters[place].get())
    }

    fn place_of(&self, profile: &Profile, version: u8) -> Option<usize> {
        let named = |counter: &Counter| counter.version == version;
        self.counters.iter().position(named).or_else(|| {
            let mut sets = profile.key_sets.iter();
            let place = sets.position(|keys| keys.version() == version)?;
            let unnamed = self.counters.get(place)?.version == 0;
            unnamed.then_some(place)
        })
    }

    /// Key sets that PUT KEY has brought.
    pub(crate) fn stored_keys(&self) -> &[StoredKeySet] {
        self.domain.as_deref().map_or(&[], |domain| &domain.keys)
    }

    /// Whether the signature applet is locked.
    pub fn applet_locked(&self) -> bool {
        self.domain
            .as_deref()
            .is_some_and(|domain| domain.applet_locked)
    }

    /// The form for the journal. Holds changed PINs in clear, as the memory of a card does.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer(vec![Self::VERSION]);
        out.0.push(self.counters.len() as u8);
        for counter in &self.counters {
            out.0.push(counter.version);
            out.0.extend(counter.value);
        }
        let applet = &self.applet;
        out.0.extend(applet.counter.to_be_bytes());
        out.0.extend(applet.tid);
        out.flag(applet.answered);
        out.0.push(applet.pin_tries.left());
        out.0.push(applet.puk_tries.left());
        out.code(applet.pin.as_ref());
        for code in &self.codes {
            out.0.push(code.tries.left());
            out.0.push(code.unblock_tries.left());
            out.flag(code.enabled);
            out.code(code.code.as_ref());
        }
        out.flag(self.domain.is_some());
        if let Some(domain) = &self.domain {
            out.domain(domain);
        }
        let files = self.overlay.iter().flat_map(|overlay| &overlay.0);
        for (path, contents) in files {
            out.0.push(path.len() as u8);
            out.0.extend(path.iter().flat_map(|fid| fid.to_be_bytes()));
            out.0.extend((contents.len() as u16).to_be_bytes());
            out.0.extend_from_slice(contents);
        }
        out.0
    }

    /// Reads what [`CardState::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`StateError`], on any octets that are something else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        let mut input = Reader(bytes);
        let version = input.octet()?;
        if !(Self::VERSION_2..=Self::VERSION).contains(&version) {
            return Err(StateError::Version { got: version });
        }
        let named = version > Self::VERSION_4;
        let counters = (0..input.octet()?).map(|_| {
            Ok(Counter {
                version: if named { input.octet()? } else { 0 },
                value: input.array()?,
            })
        });
        let counters = counters.collect::<Result<_, _>>()?;
        let applet = AppletState {
            counter: u64::from_be_bytes(input.array()?),
            tid: input.array()?,
            answered: input.flag()?,
            pin_tries: Tries::new(input.octet()?),
            puk_tries: Tries::new(input.octet()?),
            pin: input.code()?,
        };
        let mut code = || {
            Ok(CodeState {
                tries: Tries::new(input.octet()?),
                unblock_tries: Tries::new(input.octet()?),
                enabled: input.flag()?,
                code: input.code()?,
            })
        };
        let codes = [code()?, code()?, code()?];
        let domain = if input.flag()? {
            Some(Box::new(input.domain(version)?))
        } else {
            None
        };
        let mut overlay = Overlay::default();
        while !input.0.is_empty() {
            let fids = if version == Self::VERSION_2 {
                2
            } else {
                input.octet()?
            };
            let path = (0..fids).map(|_| input.array().map(u16::from_be_bytes));
            let mut path = path.collect::<Result<Vec<_>, _>>()?;
            // Version 2 had the MF as a directory; a path begins below it.
            path.retain(|fid| *fid != fid::MF);
            let len = u16::from_be_bytes(input.array()?);
            let contents = input.take(usize::from(len))?;
            overlay.0.insert(path.into(), contents.into());
        }
        Ok(Self {
            counters,
            applet,
            codes,
            domain,
            overlay: (!overlay.0.is_empty()).then(|| Box::new(overlay)),
        })
    }
}

impl Counter {
    const fn fresh(keys: &KeySetProfile) -> Self {
        Self {
            version: keys.version(),
            value: [0; 5],
        }
    }

    const fn get(&self) -> Cntr {
        Cntr::from_bytes(self.value)
    }
}

/// Octets that are not a card's state.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum StateError {
    /// Written by another version of this program.
    #[error("card state has version {got}, expected {}", CardState::VERSION)]
    Version {
        /// Version found.
        got: u8,
    },
    /// Ends too early.
    #[error("card state is cut off: expected {expected} more octets, got {got}")]
    Short {
        /// Octets the next field has.
        expected: usize,
        /// Octets left.
        got: usize,
    },
    /// A flag that is neither 0 nor 1, or a code that is not digits.
    #[error("card state is damaged")]
    Damaged,
}

struct Writer(Vec<u8>);

impl Writer {
    fn flag(&mut self, flag: bool) {
        self.0.push(u8::from(flag));
    }

    fn code(&mut self, code: Option<&PinCode>) {
        self.flag(code.is_some());
        self.0.extend(code.into_iter().flat_map(PinCode::octets));
    }
}

impl Writer {
    fn domain(&mut self, domain: &DomainState) {
        self.0.extend(domain.sequence.to_be_bytes());
        self.flag(domain.applet_locked);
        self.0.push(domain.keys.len() as u8);
        for keys in &domain.keys {
            self.0.extend([keys.version, keys.instead_of]);
            self.0.extend(keys.counter.to_bytes());
            for key in &keys.keys {
                let kind = match key.algorithm() {
                    CipherAlgorithm::Aes => KeyType::AES,
                    _ => KeyType::DES,
                };
                let octets = key.secret().expose();
                self.0.extend([kind.0, octets.len() as u8]);
                self.0.extend_from_slice(octets);
            }
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], StateError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(StateError::Short {
            expected: len,
            got: self.0.len(),
        })?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], StateError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn octet(&mut self) -> Result<u8, StateError> {
        self.array().map(|[octet]| octet)
    }

    fn flag(&mut self) -> Result<bool, StateError> {
        match self.octet()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(StateError::Damaged),
        }
    }

    fn domain(&mut self, format: u8) -> Result<DomainState, StateError> {
        let sequence = u32::from_be_bytes(self.array()?);
        let applet_locked = self.flag()?;
        let count = self.octet()?;
        if usize::from(count) > MOST_STORED {
            return Err(StateError::Damaged);
        }
        let keys = (0..count).map(|_| {
            let version = self.octet()?;
            Ok(StoredKeySet {
                version,
                instead_of: if format <= CardState::VERSION_3 {
                    version
                } else {
                    self.octet()?
                },
                counter: Cntr::from_bytes(self.array()?),
                keys: [self.key()?, self.key()?, self.key()?],
            })
        });
        Ok(DomainState {
            sequence,
            applet_locked,
            keys: keys.collect::<Result<_, _>>()?,
        })
    }

    fn key(&mut self) -> Result<CipherKey, StateError> {
        let kind = KeyType(self.octet()?);
        let len = usize::from(self.octet()?);
        let octets = Secret::new(self.take(len)?.to_vec());
        kind.cipher(len)
            .and_then(|algorithm| CipherKey::new(algorithm, octets).ok())
            .ok_or(StateError::Damaged)
    }

    fn code(&mut self) -> Result<Option<PinCode>, StateError> {
        if !self.flag()? {
            return Ok(None);
        }
        let octets = Zeroizing::new(self.array::<CODE_LEN>()?);
        PinCode::from_octets(&*octets)
            .map(Some)
            .map_err(|_| StateError::Damaged)
    }
}

#[cfg(test)]
mod tests;

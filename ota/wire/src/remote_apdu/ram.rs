//! ETSI TS 102 226 §8 and GlobalPlatform Card Specification §11: commands of remote application management.
//!
//! Each type is the meaning of one command: `TryFrom<&Command>` reads it and its error is the status word a card
//! answers, `command` makes it.

use crate::apdu::{Command, Ins, Sw};
use crate::keys::{CipherKey, KeyError, check_value};
use crate::packet::{CipherAlgorithm, decipher_key, encipher_key};
use crate::secret::Secret;
use crate::tlv::{BerReader, Writer};

/// CLA of GlobalPlatform commands without secure messaging: on this way the command packet protects them.
pub const CLA: u8 = 0x80;
/// Octets of a key check value.
pub const KCV_LEN: usize = 3;

/// PUT KEY, §8.2.1.5 and GlobalPlatform §11.8: adds a key set, or replaces one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutKey {
    /// Version of the key set to replace, 0 to add one.
    pub replaces: u8,
    /// Key identifier of the first key; the others follow. 1 is KIc, 2 KID, 3 KIK.
    pub first: u8,
    /// Version of the new key set, 1 to 7F.
    pub version: u8,
    /// The keys, ciphered.
    pub keys: Vec<WrappedKey>,
}

impl PutKey {
    /// Adds the key set `version`, keys in the order KIc, KID, KIK.
    pub fn add(version: u8, keys: impl Into<Vec<WrappedKey>>) -> Self {
        Self {
            replaces: 0,
            first: 1,
            version,
            keys: keys.into(),
        }
    }

    /// The command.
    pub fn command(&self) -> Command {
        let several = if self.keys.len() > 1 { MORE_KEYS } else { 0 };
        let mut data = vec![self.version];
        self.keys.iter().for_each(|key| key.emit(&mut data));
        Command::new(
            CLA,
            Ins::PUT_KEY,
            self.replaces & !MORE_KEYS,
            self.first & !MORE_KEYS | several,
        )
        .with_data(data)
    }

    /// What the card answers: the version and the check values, as they stand in the command.
    pub fn response_data(&self) -> Vec<u8> {
        let values = self.keys.iter().flat_map(|key| key.kcv);
        core::iter::once(self.version).chain(values).collect()
    }
}

impl TryFrom<&Command> for PutKey {
    type Error = Sw;

    /// 6D00 if the command is another one, 6A86 if it goes on in a next one, 6A80 for data that is no list of keys.
    fn try_from(command: &Command) -> Result<Self, Sw> {
        if command.ins != Ins::PUT_KEY {
            return Err(Sw::INS_NOT_SUPPORTED);
        }
        if command.p1 & MORE_KEYS != 0 {
            return Err(Sw::WRONG_P1_P2);
        }
        let (&version, mut rest) = command.data.split_first().ok_or(Sw::WRONG_DATA)?;
        let mut keys = Vec::new();
        while !rest.is_empty() {
            let (key, after) = WrappedKey::read(rest).ok_or(Sw::WRONG_DATA)?;
            keys.push(key);
            rest = after;
        }
        let several = command.p2 & MORE_KEYS != 0;
        let numbered = matches!(version, 0x01..=0x7F);
        if keys.is_empty() || several != (keys.len() > 1) || !numbered {
            return Err(Sw::WRONG_DATA);
        }
        Ok(Self {
            replaces: command.p1,
            first: command.p2 & !MORE_KEYS,
            version,
            keys,
        })
    }
}

/// P1: another PUT KEY follows. P2: the data holds several keys.
const MORE_KEYS: u8 = 0x80;

/// Key type: what a key is for. Unknown ones survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyType(pub u8);

impl KeyType {
    /// DES; the length tells single from triple.
    pub const DES: Self = Self(0x80);
    /// AES.
    pub const AES: Self = Self(0x88);

    const fn of(algorithm: CipherAlgorithm) -> Option<Self> {
        match algorithm {
            CipherAlgorithm::None => None,
            CipherAlgorithm::Aes => Some(Self::AES),
            _ => Some(Self::DES),
        }
    }

    /// The cipher for a key of this type and length, if there is one.
    pub const fn cipher(self, len: usize) -> Option<CipherAlgorithm> {
        match (self, len) {
            (Self::DES, 8) => Some(CipherAlgorithm::Des),
            (Self::DES, 16) => Some(CipherAlgorithm::TripleDes2),
            (Self::DES, 24) => Some(CipherAlgorithm::TripleDes3),
            (Self::AES, 16 | 24 | 32) => Some(CipherAlgorithm::Aes),
            _ => None,
        }
    }
}

/// A key under the KIK of the card, and its check value.
///
/// DES keys are ciphered in ECB mode. AES keys are ciphered in CBC mode from a zero IV, filled up with zeros to whole
/// blocks, and their length in clear stands before them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey {
    /// Key type.
    pub kind: KeyType,
    /// Octets of the key in clear.
    pub len: u8,
    /// The ciphered key.
    pub ciphered: Vec<u8>,
    /// Key check value, see [`check_value`].
    pub kcv: [u8; KCV_LEN],
}

impl WrappedKey {
    /// Ciphers `key` for the card that has `kik`. `algorithm` says what the key is for; a key for checksums has the
    /// algorithm of the cipher inside.
    ///
    /// # Errors
    /// [`KeyError`] if `key` does not fit `algorithm`, if one of the two is no key, and for a DES key that does not
    /// fill the blocks of `kik`: the card could not tell its length.
    pub fn wrap(
        kik: &CipherKey,
        algorithm: CipherAlgorithm,
        key: &Secret,
    ) -> Result<Self, KeyError> {
        let unsuitable = KeyError::Unsuitable { got: key.len() };
        let kind = KeyType::of(algorithm).ok_or_else(|| unsuitable.clone())?;
        let kcv = CipherKey::new(algorithm, key.clone())?.check_value();
        let ciphered = encipher_key(kik, key)?;
        if kind != KeyType::AES && ciphered.len() != key.len() {
            return Err(unsuitable);
        }
        Ok(Self {
            kind,
            len: key.len() as u8,
            ciphered,
            kcv: kcv.ok_or(unsuitable)?,
        })
    }

    /// The key in clear, its check value checked.
    ///
    /// # Errors
    /// The status word a card answers (GlobalPlatform §11.8.3.2): 9484 for a key of no known type, 6A80 for one of no
    /// length of its type, 9485 if the check value is wrong.
    pub fn unwrap_with(&self, kik: &CipherKey) -> Result<CipherKey, Sw> {
        let len = usize::from(self.len);
        if !matches!(self.kind, KeyType::DES | KeyType::AES) {
            return Err(Sw::ALGORITHM_NOT_SUPPORTED);
        }
        let algorithm = self.kind.cipher(len).ok_or(Sw::WRONG_DATA)?;
        let key = decipher_key(kik, &self.ciphered, len).ok_or(Sw::WRONG_DATA)?;
        if check_value(algorithm, &key) != Some(self.kcv) {
            return Err(Sw::INVALID_KEY_CHECK_VALUE);
        }
        CipherKey::new(algorithm, key).map_err(|_| Sw::WRONG_DATA)
    }

    fn emit(&self, out: &mut Vec<u8>) {
        let ciphered = &self.ciphered[..self.ciphered.len().min(0x7E)];
        out.push(self.kind.0);
        if self.kind == KeyType::AES {
            out.extend([ciphered.len() as u8 + 1, self.len]);
        } else {
            out.push(ciphered.len() as u8);
        }
        out.extend_from_slice(ciphered);
        out.push(KCV_LEN as u8);
        out.extend(self.kcv);
    }

    fn read(octets: &[u8]) -> Option<(Self, &[u8])> {
        let (&[kind, len], rest) = octets.split_first_chunk()?;
        let (value, rest) = rest.split_at_checked(usize::from(len))?;
        let kind = KeyType(kind);
        let (len, ciphered) = if kind == KeyType::AES {
            let (&len, ciphered) = value.split_first()?;
            (len, ciphered)
        } else {
            (len, value)
        };
        let (&[kcv_len], rest) = rest.split_first_chunk()?;
        let (&kcv, rest) = rest.split_first_chunk()?;
        let key = Self {
            kind,
            len,
            ciphered: ciphered.to_vec(),
            kcv,
        };
        (usize::from(kcv_len) == KCV_LEN && len > 0).then_some((key, rest))
    }
}

/// Whose status a command speaks of: P1 of SET STATUS and GET STATUS. Unknown ones survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scope(pub u8);

impl Scope {
    /// The issuer security domain.
    pub const ISSUER_DOMAIN: Self = Self(0x80);
    /// Applications and supplementary security domains.
    pub const APPLICATIONS: Self = Self(0x40);
    /// Executable load files.
    pub const LOAD_FILES: Self = Self(0x20);
    /// Executable load files and their modules.
    pub const LOAD_FILES_AND_MODULES: Self = Self(0x10);
}

/// Life cycle state of an application, GlobalPlatform §11.1.1. Unknown ones survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LifeCycle(pub u8);

impl LifeCycle {
    /// INSTALLED: not selectable yet.
    pub const INSTALLED: Self = Self(0x03);
    /// SELECTABLE: in use.
    pub const SELECTABLE: Self = Self(0x07);
    /// LOCKED, as SET STATUS asks for it. A locked application reports this bit beside its former state.
    pub const LOCKED: Self = Self(0x80);

    /// Whether the application is locked, or is to be.
    pub const fn is_locked(self) -> bool {
        self.0 & Self::LOCKED.0 != 0
    }
}

/// SET STATUS, §8.2.1.2 and GlobalPlatform §11.10: locks and unlocks an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetStatus {
    /// Whose.
    pub scope: Scope,
    /// The new state; of an application only the lock matters.
    pub state: LifeCycle,
    /// AID of the application.
    pub aid: Vec<u8>,
}

impl SetStatus {
    /// Locks the application: it gets no more messages.
    pub fn lock(aid: impl Into<Vec<u8>>) -> Self {
        Self {
            scope: Scope::APPLICATIONS,
            state: LifeCycle::LOCKED,
            aid: aid.into(),
        }
    }

    /// Gives a locked application its former state back.
    pub fn unlock(aid: impl Into<Vec<u8>>) -> Self {
        Self {
            state: LifeCycle::SELECTABLE,
            ..Self::lock(aid)
        }
    }

    /// The command.
    pub fn command(&self) -> Command {
        Command::new(CLA, Ins::SET_STATUS, self.scope.0, self.state.0).with_data(self.aid.clone())
    }
}

impl TryFrom<&Command> for SetStatus {
    type Error = Sw;

    /// 6D00 if the command is another one, 6A80 if an application is meant and the data is no AID.
    fn try_from(command: &Command) -> Result<Self, Sw> {
        if command.ins != Ins::SET_STATUS {
            return Err(Sw::INS_NOT_SUPPORTED);
        }
        let scope = Scope(command.p1);
        if scope == Scope::APPLICATIONS && !is_aid(&command.data) {
            return Err(Sw::WRONG_DATA);
        }
        Ok(Self {
            scope,
            state: LifeCycle(command.p2),
            aid: command.data.clone(),
        })
    }
}

/// GET STATUS, §8.2.1.6 and GlobalPlatform §11.4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetStatus {
    /// Whose.
    pub scope: Scope,
    /// P2: [`GetStatus::TLV`] or 0 for the format of the answer, [`GetStatus::NEXT`] for the rest of a long one.
    pub options: u8,
    /// The AID, or the beginning of those wanted; empty for all.
    pub aid: Vec<u8>,
}

impl GetStatus {
    /// The answer is a list of `E3` templates.
    pub const TLV: u8 = 0x02;
    /// What did not fit the answer before.
    pub const NEXT: u8 = 0x01;
    const AID: u32 = 0x4F;

    /// All of a scope, as templates.
    pub const fn all(scope: Scope) -> Self {
        Self {
            scope,
            options: Self::TLV,
            aid: Vec::new(),
        }
    }

    /// The command.
    pub fn command(&self) -> Command {
        let mut data = Writer::new();
        data.ber(Self::AID, &self.aid);
        Command::new(CLA, Ins::STATUS, self.scope.0, self.options).with_data(data.into_bytes())
    }
}

impl TryFrom<&Command> for GetStatus {
    type Error = Sw;

    /// 6D00 if the command is another one, 6A80 for data without an AID object.
    fn try_from(command: &Command) -> Result<Self, Sw> {
        if command.ins != Ins::STATUS || command.p1 & 0xF0 == 0 {
            return Err(Sw::INS_NOT_SUPPORTED);
        }
        let aid = BerReader::new(&command.data)
            .find(Self::AID)
            .ok_or(Sw::WRONG_DATA)?;
        Ok(Self {
            scope: Scope(command.p1),
            options: command.p2,
            aid: aid.to_vec(),
        })
    }
}

/// One application in the answer to GET STATUS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusEntry {
    /// AID.
    pub aid: Vec<u8>,
    /// Its state.
    pub state: LifeCycle,
    /// Privileges, one octet or three.
    pub privileges: Vec<u8>,
}

impl StatusEntry {
    const TEMPLATE: u32 = 0xE3;
    const AID: u32 = 0x4F;
    const STATE: u32 = 0x9F70;
    const PRIVILEGES: u32 = 0xC5;

    /// Adds the entry to an answer in the format that `options` asks for.
    pub fn emit(&self, options: u8, out: &mut Vec<u8>) {
        if options & GetStatus::TLV == 0 {
            out.push(self.aid.len() as u8);
            out.extend_from_slice(&self.aid);
            out.push(self.state.0);
            out.push(self.privileges.first().copied().unwrap_or_default());
            return;
        }
        let mut writer = Writer::new();
        writer.constructed(Self::TEMPLATE, |entry| {
            entry
                .ber(Self::AID, &self.aid)
                .ber(Self::STATE, &[self.state.0])
                .ber(Self::PRIVILEGES, &self.privileges);
        });
        out.extend(writer.into_bytes());
    }

    /// Reads an answer in the format that `options` asked for. Objects that are not known are passed over.
    ///
    /// # Errors
    /// [`NoStatus`] for octets that are no such list.
    pub fn parse_all(options: u8, octets: &[u8]) -> Result<Vec<Self>, NoStatus> {
        if options & GetStatus::TLV == 0 {
            return Self::parse_plain(octets);
        }
        BerReader::new(octets)
            .map(|read| {
                let template = read.map_err(|_| NoStatus)?;
                if template.tag != Self::TEMPLATE {
                    return Err(NoStatus);
                }
                let find = |tag| template.children().find(tag);
                let aid = find(Self::AID).ok_or(NoStatus)?;
                let &[state] = find(Self::STATE).ok_or(NoStatus)? else {
                    return Err(NoStatus);
                };
                Ok(Self {
                    aid: aid.to_vec(),
                    state: LifeCycle(state),
                    privileges: find(Self::PRIVILEGES).unwrap_or_default().to_vec(),
                })
            })
            .collect()
    }

    fn parse_plain(mut octets: &[u8]) -> Result<Vec<Self>, NoStatus> {
        let mut entries = Vec::new();
        while let Some((&len, rest)) = octets.split_first() {
            let (aid, rest) = rest.split_at_checked(len.into()).ok_or(NoStatus)?;
            let (&[state, privileges], rest) = rest.split_first_chunk().ok_or(NoStatus)?;
            entries.push(Self {
                aid: aid.to_vec(),
                state: LifeCycle(state),
                privileges: vec![privileges],
            });
            octets = rest;
        }
        Ok(entries)
    }
}

/// Octets that are no answer to GET STATUS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a list of applications with AID and life cycle state")]
pub struct NoStatus;

/// ISO/IEC 7816-5: 5 to 16 octets.
const fn is_aid(octets: &[u8]) -> bool {
    matches!(octets.len(), 5..=16)
}

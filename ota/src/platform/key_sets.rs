//! Key sets of cards that do not follow from the master key: read from CSV or as records, kept by the platform, shown by their
//! check values only.

use ota_wire::ids::{Iccid, Tar};
use ota_wire::keys::{CipherKey, IntegrityKey, KeySet};
use ota_wire::packet::{CipherAlgorithm, IntegrityAlgorithm};
use ota_wire::secret::Secret;
use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::Zeroize as _;

use super::record::{Card, CardResponse, Job};
use super::remote;
use super::work::Work;
use crate::event::PlatformEvent;

/// Digits of an ICCID without its check digit.
const WITHOUT_CHECK_DIGIT: usize = 18;
/// Highest key set version that KIc and KID can name.
const LAST_VERSION: u8 = 0x0F;

/// The first line of a CSV file; `cc_length`, `tars` and `kik` may be left out.
pub const COLUMNS: [&str; 9] = [
    "iccid",
    "version",
    "kic_algorithm",
    "kic",
    "kid_algorithm",
    "kid",
    "cc_length",
    "tars",
    "kik",
];

/// One key set of one card, as it is imported. `Debug` leaves the keys out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The card, with or without check digit.
    pub iccid: String,
    /// 1 to 15.
    pub version: u8,
    /// `aes`, `3des2`, `3des3` or `des`.
    pub kic_algorithm: String,
    /// Hexadecimal.
    pub kic: String,
    /// As that of KIc.
    pub kid_algorithm: String,
    /// Hexadecimal.
    pub kid: String,
    /// Octets of a checksum: 4 or 8.
    #[serde(default = "eight")]
    pub cc_length: usize,
    /// Applications whose messages it protects, if none is named in the order. Hexadecimal.
    #[serde(default)]
    pub tars: Vec<String>,
    /// The key under which others come in packets that this set protects, if it is known; its algorithm is that of KIc.
    /// Hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kik: Option<String>,
}

fn eight() -> usize {
    8
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("iccid", &self.iccid)
            .field("version", &self.version)
            .field("kic_algorithm", &self.kic_algorithm)
            .field("kid_algorithm", &self.kid_algorithm)
            .field("tars", &self.tars)
            .finish_non_exhaustive()
    }
}

/// Why a key set cannot be used. It never repeats a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: expected {expected}, got {got}")]
pub struct EntryError {
    /// Which column.
    pub field: &'static str,
    /// What may stand there.
    pub expected: String,
    /// What stands there; of a key only the length.
    pub got: String,
}

impl EntryError {
    fn new(field: &'static str, expected: impl Into<String>, got: impl fmt::Display) -> Self {
        Self {
            field,
            expected: expected.into(),
            got: got.to_string(),
        }
    }
}

impl Entry {
    /// The card.
    ///
    /// # Errors
    /// [`EntryError`] for what is no ICCID.
    pub fn card(&self) -> Result<Iccid, EntryError> {
        let read = if self.iccid.len() == WITHOUT_CHECK_DIGIT {
            Iccid::with_check_digit(&self.iccid)
        } else {
            self.iccid.parse()
        };
        read.map_err(|error| EntryError::new("iccid", "18 digits, or 19 with check digit", error))
    }

    /// The key set.
    ///
    /// # Errors
    /// [`EntryError`], naming the column.
    pub fn key_set(&self) -> Result<KeySet, EntryError> {
        if !(1..=LAST_VERSION).contains(&self.version) {
            return Err(EntryError::new("version", "1 to 15", self.version));
        }
        let named = "aes, 3des2, 3des3 or des";
        let kic = cipher(&self.kic_algorithm)
            .ok_or_else(|| EntryError::new("kic_algorithm", named, &self.kic_algorithm))?;
        let kid = integrity(&self.kid_algorithm)
            .ok_or_else(|| EntryError::new("kid_algorithm", named, &self.kid_algorithm))?;
        let kic = CipherKey::new(kic, key("kic", &self.kic)?)
            .map_err(|error| EntryError::new("kic", "a key of the algorithm", error))?;
        let kid = IntegrityKey::new(kid, key("kid", &self.kid)?, self.cc_length)
            .map_err(|error| EntryError::new("kid", "a key of the algorithm", error))?;
        Ok(KeySet {
            version: self.version,
            kic,
            kid,
        })
    }

    /// The key for loading keys.
    ///
    /// # Errors
    /// [`EntryError`], naming the column.
    pub fn loading_key(&self) -> Result<Option<CipherKey>, EntryError> {
        let Some(digits) = &self.kik else {
            return Ok(None);
        };
        let algorithm = self.key_set()?.kic.algorithm();
        CipherKey::new(algorithm, key("kik", digits)?)
            .map(Some)
            .map_err(|error| EntryError::new("kik", "a key of the algorithm of KIc", error))
    }

    /// The applications.
    ///
    /// # Errors
    /// [`EntryError`] for what is no TAR.
    pub fn applications(&self) -> Result<Vec<Tar>, EntryError> {
        let tars = self.tars.iter().map(|tar| {
            tar.parse()
                .map_err(|_| EntryError::new("tars", "6 hexadecimal digits each", tar))
        });
        tars.collect()
    }

    /// Overwrites the keys; what else was said of the set stays.
    pub fn forget_keys(&mut self) {
        self.kic.zeroize();
        self.kid.zeroize();
        self.kik.zeroize();
    }

    /// Whether it makes sense throughout.
    ///
    /// # Errors
    /// [`EntryError`], naming the column.
    pub fn check(&self) -> Result<(), EntryError> {
        self.card()?;
        self.key_set()?;
        self.loading_key()?;
        self.applications().map(drop)
    }
}

/// Reads CSV: a first line of column names in any order (see [`COLUMNS`]), then a key set a line; several TARs are separated by
/// blanks. No quotation marks: nothing here needs them.
pub fn parse_csv(text: &str) -> impl Iterator<Item = Result<Entry, (usize, EntryError)>> {
    let mut lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    let header: Vec<_> = lines
        .next()
        .map(|(_, line)| line.split(',').map(str::trim).collect())
        .unwrap_or_default();
    let unknown = header
        .iter()
        .find(|name| !COLUMNS.contains(name))
        .map(|name| (1, EntryError::new("first line", COLUMNS.join(","), name)));
    let missing = COLUMNS[..6]
        .iter()
        .find(|name| !header.contains(name))
        .map(|name| {
            (
                1,
                EntryError::new("first line", format!("a column {name}"), "none"),
            )
        });
    let broken = unknown.or(missing);
    let rows = if broken.is_some() { None } else { Some(lines) };
    let rows = rows
        .into_iter()
        .flatten()
        .map(move |(at, line)| row(&header, line).map_err(|error| (at + 1, error)));
    broken.map(Err).into_iter().chain(rows)
}

fn row(header: &[&str], line: &str) -> Result<Entry, EntryError> {
    let fields: Vec<_> = line.split(',').map(str::trim).collect();
    if fields.len() != header.len() {
        return Err(EntryError::new(
            "line",
            format!("{} fields", header.len()),
            fields.len(),
        ));
    }
    let field = |name: &str| {
        let at = header.iter().position(|column| *column == name);
        at.map_or("", |at| fields[at]).to_owned()
    };
    let number = |name: &'static str, empty: &str| {
        let text = Some(field(name))
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| empty.to_owned());
        text.parse::<u8>()
            .map_err(|_| EntryError::new(name, "a number", text))
    };
    let entry = Entry {
        iccid: field("iccid"),
        version: number("version", "")?,
        kic_algorithm: field("kic_algorithm"),
        kic: field("kic"),
        kid_algorithm: field("kid_algorithm"),
        kid: field("kid"),
        cc_length: usize::from(number("cc_length", "8")?),
        tars: field("tars")
            .split_ascii_whitespace()
            .map(str::to_owned)
            .collect(),
        kik: Some(field("kik")).filter(|kik| !kik.is_empty()),
    };
    entry.check()?;
    Ok(entry)
}

/// The imported key sets of one card. Stored, keys stand in the clear: the store is its owner's only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySets(Vec<Entry>);

impl KeySets {
    /// A key set.
    pub fn version(&self, version: u8) -> Option<KeySet> {
        self.0
            .iter()
            .find(|entry| entry.version == version)?
            .key_set()
            .ok()
    }

    /// The key for loading keys of a key set, if it is known.
    pub fn loading_key(&self, version: u8) -> Option<CipherKey> {
        let entry = self.0.iter().find(|entry| entry.version == version)?;
        entry.loading_key().ok().flatten()
    }

    /// The version for the messages of an application.
    pub fn for_application(&self, tar: Tar) -> Option<u8> {
        let of = |entry: &&Entry| {
            entry
                .applications()
                .is_ok_and(|applications| applications.contains(&tar))
        };
        self.0.iter().find(of).map(|entry| entry.version)
    }

    /// All versions.
    pub fn versions(&self) -> impl Iterator<Item = u8> {
        self.0.iter().map(|entry| entry.version)
    }

    /// What may be shown of them.
    pub fn shown(&self) -> Vec<Shown> {
        let shown = |entry: &Entry| {
            let mut shown = Shown::of(&entry.key_set().ok()?);
            shown.tars.clone_from(&entry.tars);
            Some(shown)
        };
        self.0.iter().filter_map(shown).collect()
    }

    fn take(&mut self, version: u8) -> Option<Entry> {
        let at = self.0.iter().position(|entry| entry.version == version)?;
        Some(self.0.remove(at))
    }

    fn put(&mut self, entry: Entry) {
        self.0.retain(|known| known.version != entry.version);
        self.0.push(entry);
        self.0.sort_by_key(|entry| entry.version);
    }
}

/// What may be shown of a key set: everything but the keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// 1 to 15.
    pub version: u8,
    /// KIc octet: version and algorithm.
    pub kic: String,
    /// Check value of KIc, hexadecimal.
    pub kic_kcv: String,
    /// KID octet.
    pub kid: String,
    /// Check value of KID.
    pub kid_kcv: String,
    /// Octets of a checksum.
    pub cc_length: usize,
    /// Applications that it is for.
    pub tars: Vec<String>,
}

impl Shown {
    /// Of a key set.
    pub fn of(keys: &KeySet) -> Self {
        let kcv = |value: Option<[u8; 3]>| value.map(hex::encode_upper).unwrap_or_default();
        Self {
            version: keys.version,
            kic: format!("{:02X}", keys.kic_octet()),
            kic_kcv: kcv(keys.kic.check_value()),
            kid: format!("{:02X}", keys.kid_octet()),
            kid_kcv: kcv(keys.kid.check_value()),
            cc_length: keys.kid.cc_len(),
            tars: Vec::new(),
        }
    }
}

impl Work<'_> {
    /// Keeps key sets; those that make no sense are left out (whoever reads a file says so before).
    pub(super) fn import(&mut self, entries: Vec<Entry>) {
        let mut cards: Vec<(Iccid, KeySets)> = Vec::new();
        for entry in entries {
            let Ok(iccid) = entry.check().and_then(|()| entry.card()) else {
                continue;
            };
            let at = match cards.iter().position(|(card, _)| *card == iccid) {
                Some(at) => at,
                None => {
                    cards.push((iccid.clone(), self.key_sets(&iccid)));
                    cards.len() - 1
                }
            };
            let mut unsure = self.unsure(&iccid);
            if unsure.take(entry.version).is_some() {
                self.put_unsure(iccid, unsure);
            }
            cards[at].1.put(entry);
        }
        for (iccid, sets) in cards {
            self.put_key_sets(iccid, sets);
        }
    }

    /// The card has executed the order: if that gave it a key set, the platform knows it from now on.
    pub(super) fn learn_key_set(&mut self, job: &Job, response: &CardResponse) {
        let Some(entry) = &job.submit.key_set else {
            return;
        };
        if remote::executed(response).is_ok() {
            self.learn(&job.submit.id, entry.clone());
        }
    }

    /// The card has signed a response packet under this key set: if there was any doubt that it has it, there is none now.
    pub(super) fn prove_key_set(&mut self, job: &Job, card: &Card, proven: &KeySet) {
        let entry = self.unsure(&card.iccid).take(card.key_version);
        if let Some(entry) = entry
            && entry.key_set().is_ok_and(|keys| keys == *proven)
        {
            self.learn(&job.submit.id, entry);
        }
    }

    fn learn(&mut self, job: &str, entry: Entry) {
        let Ok(keys) = entry.key_set() else { return };
        let keys = Box::new(Shown::of(&keys));
        self.job_event(job, PlatformEvent::KeySetLearnt { keys });
        self.import(vec![entry]);
    }

    /// PUT KEY may have been executed, and the card's word for it is lost: the keys are kept as long as nothing better is
    /// known of this version.
    pub(super) fn doubt(&mut self, entry: Entry) {
        let Ok(iccid) = entry.card() else { return };
        let known = self.key_sets(&iccid).version(entry.version);
        if known.is_some() && known == entry.key_set().ok() {
            return;
        }
        let mut unsure = self.unsure(&iccid);
        unsure.put(entry);
        self.put_unsure(iccid, unsure);
    }
}

fn key(field: &'static str, digits: &str) -> Result<Secret, EntryError> {
    hex::decode(digits).map(Secret::new).map_err(|_| {
        EntryError::new(
            field,
            "hexadecimal digits, two an octet",
            format_args!("{} characters", digits.chars().count()),
        )
    })
}

fn cipher(name: &str) -> Option<CipherAlgorithm> {
    Some(match name {
        "aes" => CipherAlgorithm::Aes,
        "3des2" => CipherAlgorithm::TripleDes2,
        "3des3" => CipherAlgorithm::TripleDes3,
        "des" => CipherAlgorithm::Des,
        _ => return None,
    })
}

fn integrity(name: &str) -> Option<IntegrityAlgorithm> {
    Some(match name {
        "aes" => IntegrityAlgorithm::AesCmac,
        "3des2" => IntegrityAlgorithm::TripleDes2,
        "3des3" => IntegrityAlgorithm::TripleDes3,
        "des" => IntegrityAlgorithm::Des,
        _ => return None,
    })
}

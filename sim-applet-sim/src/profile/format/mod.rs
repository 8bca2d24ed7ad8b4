//! Profiles as TOML: `fixtures/profiles/default.toml` documents the format by example.

mod atr;
mod files;
mod options;

use std::collections::BTreeMap;

use ota_wire::ids::Tar;
use ota_wire::keys::{Family, MasterKey};
use ota_wire::secret::Secret;
use serde::Deserialize;
use thiserror::Error;
use toml::{Table, Value};

use files::{AccessEntry, FileEntry};
use options::{AppletEntry, HandsetEntry};

use super::{
    Application, ApplicationKind, CODES, CodeProfile, DomainProfile, KeySetProfile, NetworkProfile,
    Profile, Scp03Profile, Weaknesses,
};
use crate::card_manager::registry::SCP03;
use crate::pin::PinCode;
use crate::uicc::file::Body;

/// The text of midsim's own profile.
pub const DEFAULT: &str = include_str!("../../../../fixtures/profiles/default.toml");

/// Why a text is no profile.
#[derive(Debug, Error)]
pub enum ProfileError {
    /// Not TOML, or not our keys.
    #[error("profile: {0}")]
    Format(#[from] toml::de::Error),
    /// Nothing else can be inherited from.
    #[error("profile: inherits {got:?}, expected \"default\"")]
    Base {
        /// What stands there.
        got: String,
    },
    /// A value that does not mean anything.
    #[error("profile: {what}: expected {expected}, got {got}")]
    Value {
        /// Which key, of which entry.
        what: String,
        /// What could stand there.
        expected: String,
        /// What stands there.
        got: String,
    },
}

/// Reads a profile.
pub(super) fn parse(
    text: &str,
    master_key: MasterKey,
    network: NetworkProfile,
) -> Result<Profile, ProfileError> {
    let table = inherit(text.parse()?)?;
    let entry: ProfileEntry = table.try_into()?;
    entry.build(master_key, network)
}

/// Puts what a profile says over what it inherits.
fn inherit(mut table: Table) -> Result<Table, ProfileError> {
    match table.remove("inherits") {
        None => Ok(table),
        Some(Value::String(base)) if base == "default" => {
            let mut merged = DEFAULT.parse()?;
            merge(&mut merged, table);
            Ok(merged)
        }
        Some(other) => Err(ProfileError::Base {
            got: other
                .as_str()
                .map_or_else(|| other.to_string(), str::to_owned),
        }),
    }
}

fn merge(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (key.as_str(), under.get_mut(&key), value) {
            ("file", Some(Value::Array(files)), Value::Array(more)) => {
                for file in more {
                    let same = |other: &Value| other.get("path") == file.get("path");
                    match files.iter_mut().find(|other| same(other)) {
                        Some(other) => *other = file,
                        None => files.push(file),
                    }
                }
            }
            (_, Some(Value::Table(under)), Value::Table(over)) => merge(under, over),
            (_, _, value) => {
                under.insert(key, value);
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileEntry {
    name: String,
    atr: Hex,
    #[serde(default)]
    refresh: bool,
    codes: CodesEntry,
    key_set: Vec<KeySetEntry>,
    security_domain: DomainEntry,
    application: Vec<ApplicationEntry>,
    #[serde(default)]
    applet: AppletEntry,
    #[serde(default)]
    handset: HandsetEntry,
    access: BTreeMap<String, AccessEntry>,
    file: Vec<FileEntry>,
    #[serde(default)]
    weak: Weaknesses,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodesEntry {
    pin1: CodeEntry,
    pin2: CodeEntry,
    adm1: CodeEntry,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeEntry {
    reference: Hex,
    code: String,
    tries: u8,
    unblock: Option<String>,
    #[serde(default)]
    unblock_tries: u8,
    enabled: bool,
    may_be_disabled: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeySetEntry {
    version: u8,
    family: FamilyEntry,
}

#[derive(Clone, Copy, Deserialize)]
enum FamilyEntry {
    #[serde(rename = "aes-128")]
    Aes128,
    #[serde(rename = "3des-2")]
    TripleDes2,
    /// Only on weak cards.
    #[serde(rename = "des")]
    Des,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DomainEntry {
    aid: Hex,
    scp03: Scp03Entry,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scp03Entry {
    version: Hex,
    i: Hex,
    key: Option<Hex>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApplicationEntry {
    kind: KindEntry,
    tar: Tar,
    msl: Hex,
    directory: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum KindEntry {
    Signature,
    RemoteManagement,
    RemoteFiles,
}

/// Octets in hexadecimal, blanks allowed.
#[derive(Clone, Default, Deserialize)]
#[serde(try_from = "String")]
struct Hex(Vec<u8>);

impl TryFrom<String> for Hex {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits: String = text.split_whitespace().collect();
        hex::decode(digits)
            .map(Self)
            .map_err(|error| format!("expected octets in hexadecimal: {error}"))
    }
}

impl Hex {
    fn octet(&self, what: &str) -> Result<u8, ProfileError> {
        match self.0.as_slice() {
            [octet] => Ok(*octet),
            other => Err(wrong(what, "one octet", &hex::encode(other))),
        }
    }
}

fn wrong(what: &str, expected: &str, got: &str) -> ProfileError {
    ProfileError::Value {
        what: what.to_owned(),
        expected: expected.to_owned(),
        got: got.to_owned(),
    }
}

/// Refuses a value that comes twice.
fn each_once<T: PartialEq + std::fmt::Debug>(
    what: &str,
    values: impl IntoIterator<Item = T>,
) -> Result<(), ProfileError> {
    let mut seen = Vec::new();
    for value in values {
        if seen.contains(&value) {
            return Err(wrong(what, "each one once", &format!("{value:?} twice")));
        }
        seen.push(value);
    }
    Ok(())
}

impl ProfileEntry {
    fn build(
        self,
        master_key: MasterKey,
        network: NetworkProfile,
    ) -> Result<Profile, ProfileError> {
        let files = files::build(&self.file, &self.access, &network.smsc)?;
        let codes: [CodeProfile; CODES] = [
            self.codes.pin1.build("codes.pin1")?,
            self.codes.pin2.build("codes.pin2")?,
            self.codes.adm1.build("codes.adm1")?,
        ];
        let key_sets = self
            .key_set
            .iter()
            .map(KeySetEntry::build)
            .collect::<Result<Vec<_>, _>>()?;
        if key_sets.is_empty() {
            return Err(wrong("key_set", "one at least", "none"));
        }
        each_once(
            "key_set.version",
            key_sets.iter().map(|keys| keys.version()),
        )?;
        self.check_single_des()?;
        each_once("codes.reference", codes.iter().map(|code| code.reference))?;
        each_once("application.tar", self.application.iter().map(|it| it.tar))?;
        let mut applet = None;
        let mut applications = Vec::new();
        for entry in &self.application {
            let msl = entry.msl()?;
            let kind = match entry.kind {
                KindEntry::Signature if applet.is_some() => {
                    return Err(wrong("application", "one signature", "several"));
                }
                KindEntry::Signature => {
                    applet = Some((entry.tar, msl));
                    ApplicationKind::Signature
                }
                KindEntry::RemoteManagement => ApplicationKind::RemoteManagement,
                KindEntry::RemoteFiles => {
                    let path = entry.directory.as_deref().unwrap_or("3F00");
                    let directory = files::find(&files, path)
                        .filter(|index| matches!(files.file(*index).body, Body::Directory { .. }))
                        .ok_or_else(|| {
                            wrong("application.directory", "a directory of [[file]]", path)
                        })?;
                    ApplicationKind::RemoteFiles { directory }
                }
            };
            applications.push(Application {
                tar: entry.tar,
                msl,
                kind,
            });
        }
        let (tar, msl) = applet.ok_or_else(|| wrong("application", "one signature", "none"))?;
        atr::check(&self.atr.0)?;
        let aid = self.security_domain.aid.0;
        if !files::is_aid(&aid) {
            let got = format!("{} octets", aid.len());
            return Err(wrong("security_domain.aid", "5 to 16 octets", &got));
        }
        let scp03 = &self.security_domain.scp03;
        let handset = self.handset.build(codes[0].code.clone())?;
        Ok(Profile {
            name: self.name,
            atr: self.atr.0,
            files,
            master_key,
            key_sets,
            codes,
            domain: DomainProfile {
                aid,
                scp03: Scp03Profile {
                    version: match scp03.version.octet("scp03.version")? {
                        version if SCP03.contains(&version) => version,
                        other => {
                            let got = format!("{other:02X}");
                            return Err(wrong("scp03.version", "30 to 3F", &got));
                        }
                    },
                    i: match scp03.i.octet("scp03.i")? {
                        i @ (0x60 | 0x70) => i,
                        other => return Err(wrong("scp03.i", "60 or 70", &format!("{other:02X}"))),
                    },
                    key: match &scp03.key {
                        None => None,
                        Some(Hex(key)) if key.len() == 16 => Some(Secret::new(key.clone())),
                        Some(Hex(key)) => {
                            let got = format!("{} octets", key.len());
                            return Err(wrong("scp03.key", "16 octets", &got));
                        }
                    },
                },
            },
            applications,
            applet: self.applet.build(tar, msl)?,
            refresh: self.refresh,
            weak: self.weak,
            network,
            handset,
        })
    }
}

impl ProfileEntry {
    /// Key sets of single DES and the leave for them go together: the one is of no use without the other.
    fn check_single_des(&self) -> Result<(), ProfileError> {
        let mut sets = self.key_set.iter();
        let des = sets.find(|keys| matches!(keys.family, FamilyEntry::Des));
        match (des, self.weak.single_des) {
            (Some(keys), false) => {
                let what = format!("key_set {}", keys.version);
                Err(wrong(
                    &what,
                    "`single_des = true` in [weak] with family des",
                    "none",
                ))
            }
            (None, true) => {
                let expected = "a key set of family des with it";
                Err(wrong("weak.single_des", expected, "none"))
            }
            _ => Ok(()),
        }
    }
}

impl ApplicationEntry {
    /// A level that some packet can meet: there are no digital signatures, and nothing sets reserved bits.
    fn msl(&self) -> Result<u8, ProfileError> {
        const SIGNATURE: u8 = 0x03;
        let what = format!("application {}: msl", self.tar);
        let msl = self.msl.octet(&what)?;
        if msl > 0x1F || msl & SIGNATURE == SIGNATURE {
            let expected = "00 to 1F without digital signature (bits 2 and 1 both set)";
            return Err(wrong(&what, expected, &format!("{msl:02X}")));
        }
        Ok(msl)
    }
}

impl CodeEntry {
    fn build(&self, what: &str) -> Result<CodeProfile, ProfileError> {
        let code = |name: &str, text: &str| -> Result<PinCode, ProfileError> {
            text.parse()
                .map_err(|_| wrong(&format!("{what}.{name}"), "4 to 8 digits", "others"))
        };
        if !(1..=15).contains(&self.tries) || self.unblock_tries > 15 {
            return Err(wrong(what, "1 to 15 tries", &self.tries.to_string()));
        }
        let unblock = self.unblock.as_deref().map(|text| code("unblock", text));
        Ok(CodeProfile {
            reference: self.reference.octet(&format!("{what}.reference"))?,
            code: code("code", &self.code)?,
            tries: self.tries,
            unblock: unblock
                .transpose()?
                .map(|unblock| (unblock, self.unblock_tries.max(1))),
            enabled: self.enabled,
            may_be_disabled: self.may_be_disabled,
        })
    }
}

impl KeySetEntry {
    fn build(&self) -> Result<KeySetProfile, ProfileError> {
        if !(1..=15).contains(&self.version) {
            let got = self.version.to_string();
            return Err(wrong("key_set.version", "1 to 15", &got));
        }
        Ok(match self.family {
            FamilyEntry::Aes128 => KeySetProfile::Derived(self.version, Family::Aes128),
            FamilyEntry::TripleDes2 => KeySetProfile::Derived(self.version, Family::TripleDes2),
            FamilyEntry::Des => KeySetProfile::SingleDes(self.version),
        })
    }
}

#[cfg(test)]
mod tests;

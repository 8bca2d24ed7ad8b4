//! Profiles as TOML: `fixtures/profiles/default.toml` documents the format by example.

use std::collections::BTreeMap;

use ota_wire::ids::{Msisdn, Tar};
use ota_wire::keys::{Family, MasterKey};
use ota_wire::secret::Secret;
use ota_wire::sms::address::Address;
use serde::Deserialize;
use thiserror::Error;
use toml::{Table, Value};

use super::{
    AppletProfile, Application, ApplicationKind, CODES, CodeProfile, DomainProfile, HandsetProfile,
    KeySetProfile, NetworkProfile, Profile, Scp03Profile, Weaknesses,
};
use crate::pin::PinCode;
use crate::uicc::file::{Access, Body, Condition, Content, FileIndex, FileSystem, fid};

/// The text of midsim's own profile.
pub const DEFAULT: &str = include_str!("../../../fixtures/profiles/default.toml");

/// Octets that one file may have: FCP has two octets for the size.
const LARGEST_FILE: usize = 0x7FFF;
/// Files that one profile may have.
const MOST_FILES: usize = 1000;

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
    codes: CodesEntry,
    key_set: Vec<KeySetEntry>,
    security_domain: DomainEntry,
    application: Vec<ApplicationEntry>,
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

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccessEntry {
    read: Condition,
    update: Condition,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Structure {
    #[default]
    Transparent,
    Linear,
    Cyclic,
    Df,
    Adf,
    Link,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileEntry {
    path: String,
    #[serde(default)]
    structure: Structure,
    sfi: Option<u8>,
    access: Option<String>,
    aid: Option<Hex>,
    to: Option<String>,
    hex: Option<Hex>,
    size: Option<usize>,
    record: Option<usize>,
    count: Option<usize>,
    #[serde(default)]
    records: Vec<Hex>,
    value: Option<ValueEntry>,
    services: Option<Vec<u16>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ValueEntry {
    Iccid,
    Imsi,
    Acc,
    Msisdn,
    Smsp,
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

impl ProfileEntry {
    fn build(
        self,
        master_key: MasterKey,
        network: NetworkProfile,
    ) -> Result<Profile, ProfileError> {
        let files = self.files(&network.smsc)?;
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
        let mut applet = None;
        let mut applications = Vec::new();
        for entry in &self.application {
            let msl = entry.msl.octet("application.msl")?;
            let kind = match entry.kind {
                KindEntry::Signature => {
                    applet = Some((entry.tar, msl));
                    ApplicationKind::Signature
                }
                KindEntry::RemoteManagement => ApplicationKind::RemoteManagement,
                KindEntry::RemoteFiles => {
                    let path = entry.directory.as_deref().unwrap_or("3F00");
                    let directory = find(&files, path)
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
        if self.atr.0.len() < 2 || self.atr.0.len() > 33 {
            return Err(wrong("atr", "2 to 33 octets", &hex::encode(&self.atr.0)));
        }
        let scp03 = &self.security_domain.scp03;
        Ok(Profile {
            name: self.name,
            atr: self.atr.0,
            files,
            master_key,
            key_sets,
            codes,
            domain: DomainProfile {
                aid: self.security_domain.aid.0,
                scp03: Scp03Profile {
                    version: scp03.version.octet("scp03.version")?,
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
            applet: AppletProfile {
                tar,
                msl,
                ..AppletProfile::standard()
            },
            weak: self.weak,
            network,
            handset: HandsetProfile::standard(),
        })
    }

    fn files(&self, smsc: &Msisdn) -> Result<FileSystem, ProfileError> {
        if self.file.len() > MOST_FILES {
            let got = self.file.len().to_string();
            return Err(wrong("file", &format!("at most {MOST_FILES}"), &got));
        }
        let mut fs = FileSystem::new();
        for entry in &self.file {
            let what = format!("file {}", entry.path);
            let (parent, id) = match entry.path.rsplit_once('/') {
                Some((parent, id)) => (find(&fs, parent), id),
                None => (Some(FileIndex::MF), entry.path.as_str()),
            };
            let parent = parent
                .filter(|index| matches!(fs.file(*index).body, Body::Directory { .. }))
                .ok_or_else(|| wrong(&what, "a directory before it", "none"))?;
            let id = file_id(id).ok_or_else(|| wrong(&what, "a file identifier", id))?;
            if fs.child(parent, id).is_some() {
                return Err(wrong(&what, "each path once", "it twice"));
            }
            if let Some(sfi) = entry.sfi.filter(|sfi| !(1..=30).contains(sfi)) {
                return Err(wrong(&what, "an sfi of 1 to 30", &sfi.to_string()));
            }
            match entry.structure {
                Structure::Df => {
                    fs.df(parent, id);
                }
                Structure::Adf => {
                    let Some(Hex(aid)) = entry.aid.as_ref().filter(|aid| is_aid(&aid.0)) else {
                        return Err(wrong(&what, "an aid of 5 to 16 octets", "none"));
                    };
                    fs.adf(id, aid);
                }
                Structure::Link => {
                    let to = entry.to.as_deref().unwrap_or_default();
                    let target = find(&fs, to)
                        .filter(|index| !fs.file(*index).is_directory())
                        .ok_or_else(|| wrong(&what, "a file before it in `to`", to))?;
                    fs.link(parent, id, target);
                }
                Structure::Transparent | Structure::Linear | Structure::Cyclic => {
                    let access = self.rule(entry, &what)?;
                    let body = entry.body(&what, smsc)?;
                    fs.elementary(parent, id, entry.sfi, access, body);
                }
            }
        }
        Ok(fs)
    }

    fn rule(&self, entry: &FileEntry, what: &str) -> Result<Access, ProfileError> {
        let name = entry.access.as_deref().unwrap_or_default();
        let rule = self.access.get(name);
        let rule = rule.ok_or_else(|| wrong(what, "an access rule of [access]", name))?;
        Ok(Access {
            read: rule.read,
            update: rule.update,
        })
    }
}

impl FileEntry {
    fn body(&self, what: &str, smsc: &Msisdn) -> Result<Body, ProfileError> {
        if self.structure == Structure::Transparent {
            let mut octets = match (&self.hex, &self.services, self.value) {
                (Some(Hex(octets)), None, None) => octets.clone(),
                (None, Some(services), None) => service_table(services),
                (None, None, Some(value)) => return self.computed(what, value),
                (None, None, None) => Vec::new(),
                _ => return Err(wrong(what, "one of hex, services and value", "several")),
            };
            let size = self.size.unwrap_or(octets.len());
            if octets.len() > size || !(1..=LARGEST_FILE).contains(&size) {
                let got = format!("{} octets, size {size}", octets.len());
                return Err(wrong(what, "contents that fit a size of 1 to 7FFF", &got));
            }
            let fill = if self.services.is_some() { 0x00 } else { 0xFF };
            octets.resize(size, fill);
            return Ok(Body::Transparent(Content::Fixed(octets)));
        }
        let record_len = self
            .record
            .filter(|len| (1..=255).contains(len))
            .ok_or_else(|| wrong(what, "`record` of 1 to 255 octets", "another"))?;
        let cyclic = self.structure == Structure::Cyclic;
        let content = match self.value {
            Some(ValueEntry::Msisdn) if record_len >= Content::MSISDN_FIXED => {
                Content::Msisdn { record_len }
            }
            Some(ValueEntry::Smsp) if record_len >= SMSP_FIXED => {
                Content::Fixed(sms_parameters(smsc, record_len))
            }
            Some(_) => {
                return Err(wrong(
                    what,
                    "msisdn or smsp in a long enough record",
                    "another",
                ));
            }
            None => {
                let count = self.count.unwrap_or(self.records.len());
                if !(1..=254).contains(&count) || self.records.len() > count {
                    let got = format!("{} records, count {count}", self.records.len());
                    return Err(wrong(what, "1 to 254 records that fit `count`", &got));
                }
                let mut octets = vec![0xFF; record_len * count];
                for (record, place) in self.records.iter().zip(octets.chunks_mut(record_len)) {
                    place
                        .get_mut(..record.0.len())
                        .ok_or_else(|| wrong(what, "records that fit `record`", "a longer one"))?
                        .copy_from_slice(&record.0);
                }
                Content::Fixed(octets)
            }
        };
        Ok(Body::Records {
            record_len,
            cyclic,
            content,
        })
    }

    fn computed(&self, what: &str, value: ValueEntry) -> Result<Body, ProfileError> {
        Ok(Body::Transparent(match value {
            ValueEntry::Iccid => Content::Iccid,
            ValueEntry::Imsi => Content::Imsi,
            ValueEntry::Acc => Content::AccessClass,
            ValueEntry::Msisdn | ValueEntry::Smsp => {
                return Err(wrong(what, "iccid, imsi or acc", "a value of records"));
            }
        }))
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

/// The file at a path from the MF; `3F00` is the MF itself.
fn find(fs: &FileSystem, path: &str) -> Option<FileIndex> {
    path.split('/')
        .try_fold(FileIndex::MF, |at, id| match file_id(id)? {
            fid::MF => Some(FileIndex::MF),
            id => fs.child(at, id),
        })
}

fn file_id(text: &str) -> Option<u16> {
    (text.len() == 4)
        .then(|| u16::from_str_radix(text, 16).ok())
        .flatten()
}

fn is_aid(octets: &[u8]) -> bool {
    (5..=16).contains(&octets.len())
}

/// EF.UST, TS 31.102 §4.2.8: one bit a service, the first octet holds services 1 to 8.
fn service_table(services: &[u16]) -> Vec<u8> {
    let last = services.iter().copied().max().unwrap_or(1).clamp(1, 2040);
    let mut octets = vec![0; usize::from(last).div_ceil(8)];
    for service in services {
        let bit = usize::from(service.saturating_sub(1));
        if let Some(octet) = octets.get_mut(bit / 8) {
            *octet |= 1 << (bit % 8);
        }
    }
    octets
}

/// Octets of a record of EF.SMSP behind the name.
const SMSP_FIXED: usize = 28;

/// One record of EF.SMSP (TS 31.102 §4.2.27): only the service centre's address is given.
fn sms_parameters(smsc: &Msisdn, record_len: usize) -> Vec<u8> {
    const ONLY_SERVICE_CENTRE: u8 = 0xFD;
    let name_len = record_len - SMSP_FIXED;
    let mut record = vec![0xFF; record_len];
    record[name_len] = ONLY_SERVICE_CENTRE;
    let mut address = Vec::new();
    Address::international(smsc).emit_counted(&mut address);
    let at = name_len + 13;
    record[at..at + address.len()].copy_from_slice(&address);
    record
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{master, network};

    fn parsed(text: &str) -> Result<Profile, ProfileError> {
        parse(text, master(), network())
    }

    fn error(text: &str) -> String {
        parsed(text).unwrap_err().to_string()
    }

    #[test]
    fn every_profile_of_the_repository_is_one() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/profiles");
        let mut names = Vec::new();
        for folder in [root.clone(), root.join("weak")] {
            for entry in folder.read_dir().into_iter().flatten().map(Result::unwrap) {
                if entry.path().extension().is_some_and(|it| it == "toml") {
                    let text = std::fs::read_to_string(entry.path()).unwrap();
                    let profile =
                        parsed(&text).unwrap_or_else(|error| panic!("{:?}: {error}", entry.path()));
                    let weak = folder.ends_with("weak");
                    assert_eq!(!profile.weaknesses().is_empty(), weak, "{:?}", entry.path());
                    names.push(profile.name);
                }
            }
        }
        assert!(names.contains(&"default".to_owned()) && names.contains(&"lab".to_owned()));
    }

    #[test]
    fn services() {
        // By hand: 10 and 12 in octet 2, 17 19 20 21 in octet 3, 28 in 4, 34 in 5, 42 43 in 6, 71 in 9.
        let table = service_table(&[10, 12, 17, 19, 20, 21, 28, 34, 42, 43, 71]);
        assert_eq!(hex::encode(table), "000a1d080206000040");
    }

    #[test]
    fn service_centre() {
        let record = sms_parameters(&"+447700900999".parse().unwrap(), 40);
        assert_eq!(
            hex::encode(&record[12..]),
            "fdffffffffffffffffffffffff0791447700099099ffffffffffffff"
        );
    }

    #[test]
    fn every_file_can_be_described_in_127_octets() {
        let fs = parsed(DEFAULT).unwrap().files;
        let usim = fs.child(FileIndex::MF, 0x7FF0).unwrap();
        for index in [FileIndex::MF, usim] {
            assert!(fs.fcp(index, 0xE0).len() <= 127);
        }
    }

    #[test]
    fn an_heir_changes_only_what_it_names() {
        let heir = parsed(
            "inherits = \"default\"\nname = \"heir\"\n[codes.pin1]\ncode = \"4711\"\n\
             [[file]]\npath = \"7FF0/6FAD\"\naccess = \"public\"\nhex = \"80000002\"\n\
             [[file]]\npath = \"2F50\"\naccess = \"public\"\nsize = 3\n",
        )
        .unwrap();
        let base = parsed(DEFAULT).unwrap();
        assert_eq!(heir.name, "heir");
        assert_eq!(heir.codes[0].code.digits(), "4711");
        assert_eq!(heir.codes[0].tries, base.codes[0].tries);
        assert_eq!(heir.atr, base.atr);
        assert!(heir.files.child(FileIndex::MF, 0x2F50).is_some());
        assert!(heir.files.child(FileIndex::MF, 0x2FE2).is_some());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let heir = |text: &str| error(&format!("inherits = \"default\"\n{text}"));
        assert!(error("inherits = \"another\"").contains("another"));
        assert!(heir("colour = 1").contains("colour"));
        assert!(heir("[codes.pin1]\ncode = \"12\"").contains("codes.pin1.code"));
        assert!(
            heir("[[file]]\npath = \"6F01/6F02\"\naccess = \"own\"\nsize = 1")
                .contains("6F01/6F02")
        );
        assert!(
            heir("[[file]]\npath = \"6F01\"\naccess = \"secret\"\nsize = 1").contains("secret")
        );
        assert!(heir("[[file]]\npath = \"6F01\"\naccess = \"own\"\nsize = 0").contains("6F01"));
        assert!(heir("[[file]]\npath = \"6F01\"\naccess = \"own\"\nstructure = \"linear\"\nrecord = 2\nrecords = [\"010203\"]").contains("record"));
        assert!(
            heir("[[file]]\npath = \"6F01\"\nstructure = \"link\"\nto = \"7FF0/0000\"")
                .contains("7FF0/0000")
        );
        assert!(
            heir("[security_domain]\nscp03 = { version = \"30\", i = \"15\" }")
                .contains("60 or 70")
        );
        assert!(heir("[[key_set]]\nversion = 16\nfamily = \"aes-128\"").contains("1 to 15"));
    }
}

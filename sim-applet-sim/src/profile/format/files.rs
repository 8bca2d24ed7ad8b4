//! The files of a profile: the entries `[[file]]` and `[access]`.

use std::collections::BTreeMap;

use ota_wire::ids::Msisdn;
use ota_wire::sms::address::Address;
use serde::Deserialize;

use super::{Hex, ProfileError, wrong};
use crate::uicc::file::{Access, Body, Condition, Content, FileIndex, FileSystem, fid};

/// Octets that one file may have: FCP has two octets for the size.
const LARGEST_FILE: usize = 0x7FFF;
/// Files that one profile may have.
const MOST_FILES: usize = 1000;

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccessEntry {
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
pub(super) struct FileEntry {
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

/// The tree of these entries, in their order.
pub(super) fn build(
    entries: &[FileEntry],
    access: &BTreeMap<String, AccessEntry>,
    smsc: &Msisdn,
) -> Result<FileSystem, ProfileError> {
    if entries.len() > MOST_FILES {
        let got = entries.len().to_string();
        return Err(wrong("file", &format!("at most {MOST_FILES}"), &got));
    }
    let mut fs = FileSystem::new();
    for entry in entries {
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
                free(&fs, parent, fs.file(target).sfi, &what)?;
                fs.link(parent, id, target);
            }
            Structure::Transparent | Structure::Linear | Structure::Cyclic => {
                let access = entry.rule(access, &what)?;
                let body = entry.body(&what, smsc)?;
                free(&fs, parent, entry.sfi, &what)?;
                fs.elementary(parent, id, entry.sfi, access, body);
            }
        }
    }
    Ok(fs)
}

/// Refuses a short identifier that a file of the directory has already: a terminal would find that one only.
fn free(
    fs: &FileSystem,
    directory: FileIndex,
    sfi: Option<u8>,
    what: &str,
) -> Result<(), ProfileError> {
    let taken = sfi.and_then(|sfi| Some((sfi, fs.by_sfi(directory, sfi)?)));
    taken.map_or(Ok(()), |(sfi, other)| {
        let expected = "an sfi that no other file of its directory has";
        let got = format!("{sfi}, that of {:04X}", fs.file(other).fid);
        Err(wrong(what, expected, &got))
    })
}

impl FileEntry {
    fn rule(
        &self,
        access: &BTreeMap<String, AccessEntry>,
        what: &str,
    ) -> Result<Access, ProfileError> {
        let name = self.access.as_deref().unwrap_or_default();
        let rule = access.get(name);
        let rule = rule.ok_or_else(|| wrong(what, "an access rule of [access]", name))?;
        Ok(Access {
            read: rule.read,
            update: rule.update,
        })
    }

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

/// The file at a path from the MF; `3F00` is the MF itself.
pub(super) fn find(fs: &FileSystem, path: &str) -> Option<FileIndex> {
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

pub(super) fn is_aid(octets: &[u8]) -> bool {
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
}

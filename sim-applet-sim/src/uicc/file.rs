//! ETSI TS 102 221 §8 and §11.1.1.3: the tree of files, their control parameters and access rules.
//!
//! The tree is shared by all cards of a profile. What a card wrote is its [`Overlay`]; contents that differ from
//! card to card by nature (ICCID, IMSI, MSISDN) are computed from the card's [`Subscriber`].

use std::borrow::Cow;
use std::collections::BTreeMap;

use ota_wire::ids::Msisdn;
use ota_wire::tlv::Writer;

use crate::profile::Subscriber;

/// File identifiers that the standards fix.
pub mod fid {
    /// MF.
    pub const MF: u16 = 0x3F00;
    /// EF.DIR.
    pub const DIR: u16 = 0x2F00;
    /// EF.PL, preferred languages.
    pub const PL: u16 = 0x2F05;
    /// EF.ARR, the access rules.
    pub const ARR: u16 = 0x2F06;
    /// EF.ICCID.
    pub const ICCID: u16 = 0x2FE2;
    /// "The application's own directory" in a path.
    pub const CURRENT_ADF: u16 = 0x7FFF;
    /// EF.SMS, under the USIM.
    pub const SMS: u16 = 0x6F3C;
    /// EF.SMSP, under the USIM.
    pub const SMSP: u16 = 0x6F42;
    /// EF.IMSI, under the USIM.
    pub const IMSI: u16 = 0x6F07;
}

/// Where a file is in its [`FileSystem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileIndex(u16);

impl FileIndex {
    /// The MF.
    pub const MF: Self = Self(0);
}

/// Who may do something, TS 102 221 §9.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// Everybody.
    Always,
    /// After PIN1.
    Pin1,
    /// After PIN2.
    Pin2,
    /// After the administrative code ADM1.
    Adm1,
    /// Nobody.
    Never,
}

/// The access rule of an elementary file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Access {
    /// For READ BINARY and READ RECORD.
    pub read: Condition,
    /// For UPDATE BINARY and UPDATE RECORD.
    pub update: Condition,
}

/// Contents of a file as the profile gives them.
#[derive(Clone, Debug)]
pub enum Content {
    /// The same on every card.
    Fixed(Vec<u8>),
    /// EF.ICCID.
    Iccid,
    /// EF.IMSI.
    Imsi,
    /// EF.ACC: one class out of ten, by the last digit of the IMSI.
    AccessClass,
    /// EF.MSISDN: one record with the subscriber's number.
    Msisdn,
}

impl Content {
    const MSISDN_RECORD: usize = 28;

    /// Octets on one card.
    fn octets(&self, subscriber: &Subscriber) -> Cow<'_, [u8]> {
        match self {
            Self::Fixed(octets) => Cow::Borrowed(octets),
            Self::Iccid => subscriber.iccid.to_ef().to_vec().into(),
            Self::Imsi => subscriber.imsi.to_ef().to_vec().into(),
            Self::AccessClass => {
                let last = subscriber.imsi.digits().bytes().last().unwrap_or(b'0');
                (1u16 << ((last - b'0') % 10)).to_be_bytes().to_vec().into()
            }
            Self::Msisdn => msisdn_record(&subscriber.msisdn).into(),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Fixed(octets) => octets.len(),
            Self::Iccid => 10,
            Self::Imsi => 9,
            Self::AccessClass => 2,
            Self::Msisdn => Self::MSISDN_RECORD,
        }
    }
}

/// Structure of a file, TS 102 221 §8.2 and §8.3.
#[derive(Clone, Debug)]
pub enum Body {
    /// MF, DF or ADF.
    Directory {
        /// Application identifier of an ADF.
        aid: Option<Vec<u8>>,
    },
    /// A row of octets.
    Transparent(Content),
    /// Records of one length; `cyclic` ones are numbered from the newest.
    Records {
        /// Octets of each record.
        record_len: usize,
        /// Whether the file is cyclic.
        cyclic: bool,
        /// All records, one behind the other.
        content: Content,
    },
}

/// One file.
#[derive(Clone, Debug)]
pub struct File {
    /// File identifier.
    pub fid: u16,
    /// The directory it is in; the MF is in itself.
    pub parent: FileIndex,
    /// Short file identifier, 1 to 30.
    pub sfi: Option<u8>,
    /// Access rule; directories have none of their own.
    pub access: Option<Access>,
    /// Structure and contents.
    pub body: Body,
}

impl File {
    const fn is_directory(&self) -> bool {
        matches!(self.body, Body::Directory { .. })
    }
}

/// All files of a profile.
#[derive(Clone, Debug)]
pub struct FileSystem {
    files: Vec<File>,
    rules: Vec<Access>,
}

impl FileSystem {
    /// Octets of an EF.ARR record: three access modes of at most 11 octets.
    const ARR_RECORD: usize = 0x24;
    /// EF.ARR record 1 is that of the directories; those of the elementary files follow.
    const FIRST_EF_RULE: usize = 2;

    /// An MF with nothing in it but EF.ARR, which grows with the rules in use.
    pub fn new() -> Self {
        let mut fs = Self {
            files: Vec::new(),
            rules: Vec::new(),
        };
        fs.add(
            FileIndex::MF,
            fid::MF,
            None,
            None,
            Body::Directory { aid: None },
        );
        let always = Access {
            read: Condition::Always,
            update: Condition::Never,
        };
        let arr = Body::Records {
            record_len: Self::ARR_RECORD,
            cyclic: false,
            content: Content::Fixed(Vec::new()),
        };
        fs.add(FileIndex::MF, fid::ARR, Some(0x06), Some(always), arr);
        fs
    }

    /// Adds an ADF under the MF.
    pub fn adf(&mut self, fid: u16, aid: &[u8]) -> FileIndex {
        let aid = Some(aid.to_vec());
        self.add(FileIndex::MF, fid, None, None, Body::Directory { aid })
    }

    /// Adds a transparent file.
    pub fn transparent(
        &mut self,
        parent: FileIndex,
        fid: u16,
        sfi: Option<u8>,
        access: Access,
        content: Content,
    ) {
        self.add(parent, fid, sfi, Some(access), Body::Transparent(content));
    }

    /// Adds a linear fixed file; the contents are a whole number of records.
    pub fn linear(
        &mut self,
        parent: FileIndex,
        fid: u16,
        sfi: Option<u8>,
        access: Access,
        record_len: usize,
        content: Content,
    ) {
        let body = Body::Records {
            record_len,
            cyclic: false,
            content,
        };
        self.add(parent, fid, sfi, Some(access), body);
    }

    /// The file at an index that this file system gave out.
    pub fn file(&self, index: FileIndex) -> &File {
        &self.files[usize::from(index.0)]
    }

    /// Searches as SELECT by file identifier does from `current` (TS 102 221 §8.4.1): children, the directory
    /// itself, its parent, directories beside it, the MF, and under 7FFF the directory of the application.
    pub fn find(&self, current: FileIndex, app: Option<FileIndex>, fid: u16) -> Option<FileIndex> {
        if fid == fid::CURRENT_ADF {
            return app;
        }
        let parent = self.file(current).parent;
        let named = |index: &FileIndex| self.file(*index).fid == fid;
        self.child(current, fid)
            .or_else(|| [current, parent].into_iter().find(named))
            .or_else(|| {
                self.child(parent, fid)
                    .filter(|index| self.file(*index).is_directory())
            })
            .or_else(|| Some(FileIndex::MF).filter(named))
    }

    /// The file with this identifier in a directory.
    pub fn child(&self, directory: FileIndex, fid: u16) -> Option<FileIndex> {
        self.children(directory)
            .find(|(_, file)| file.fid == fid)
            .map(|(index, _)| index)
    }

    /// The elementary file with this short identifier in a directory.
    pub fn by_sfi(&self, directory: FileIndex, sfi: u8) -> Option<FileIndex> {
        self.children(directory)
            .find(|(_, file)| file.sfi == Some(sfi))
            .map(|(index, _)| index)
    }

    /// Applications in the order of the profile, with their identifiers.
    pub fn applications(&self) -> impl Iterator<Item = (FileIndex, &[u8])> {
        self.indexed().filter_map(|(index, file)| match &file.body {
            Body::Directory { aid: Some(aid) } => Some((index, aid.as_slice())),
            _ => None,
        })
    }

    /// Contents of an elementary file on one card; nothing for a directory.
    pub fn contents<'a>(
        &'a self,
        index: FileIndex,
        subscriber: &Subscriber,
        overlay: &'a Overlay,
    ) -> Cow<'a, [u8]> {
        let file = self.file(index);
        let content = match &file.body {
            Body::Directory { .. } => return Cow::Borrowed(&[]),
            Body::Transparent(content) | Body::Records { content, .. } => content,
        };
        match overlay.0.get(&self.key(index)) {
            // A state that was made with another profile may hold a file of another size; that one is not ours.
            Some(written) if written.len() == content.len() => Cow::Borrowed(written),
            _ => content.octets(subscriber),
        }
    }

    /// Replaces octets of a file on one card. `at` and the length were checked by the command.
    pub fn write(
        &self,
        index: FileIndex,
        subscriber: &Subscriber,
        overlay: &mut Overlay,
        at: usize,
        octets: &[u8],
    ) {
        let mut contents = self.contents(index, subscriber, overlay).into_owned();
        if let Some(place) = contents.get_mut(at..at + octets.len()) {
            place.copy_from_slice(octets);
            overlay
                .0
                .insert(self.key(index), contents.into_boxed_slice());
        }
    }

    /// File control parameters, TS 102 221 §11.1.1.3. `pin_status` is the bit map of enabled codes for tag C6.
    pub fn fcp(&self, index: FileIndex, pin_status: u8) -> Vec<u8> {
        let file = self.file(index);
        let mut writer = Writer::new();
        writer.constructed(tag::FCP, |fcp| {
            fcp.ber(tag::DESCRIPTOR, &descriptor(&file.body));
            fcp.ber(tag::FILE_ID, &file.fid.to_be_bytes());
            if let Body::Directory { aid } = &file.body {
                if let Some(aid) = aid {
                    fcp.ber(tag::DF_NAME, aid);
                }
                fcp.constructed(tag::PROPRIETARY, |inner| {
                    inner.ber(tag::UICC_CHARACTERISTICS, &[CLOCK_STOP_ANY_AND_ALL_CLASSES]);
                });
            }
            fcp.ber(tag::LIFE_CYCLE, &[ACTIVATED]);
            let [high, low] = fid::ARR.to_be_bytes();
            fcp.ber(
                tag::SECURITY_REFERENCED,
                &[high, low, self.rule_number(file)],
            );
            match &file.body {
                Body::Directory { .. } => {
                    fcp.constructed(tag::PIN_STATUS, |inner| {
                        inner.ber(tag::PIN_ENABLED, &[pin_status]);
                        for reference in PIN_STATUS_ORDER {
                            inner.ber(tag::KEY_REFERENCE, &[reference]);
                        }
                    });
                }
                Body::Transparent(content) | Body::Records { content, .. } => {
                    fcp.ber(tag::FILE_SIZE, &(content.len() as u16).to_be_bytes());
                    match file.sfi {
                        Some(sfi) => fcp.ber(tag::SFI, &[sfi << 3]),
                        None => fcp.ber(tag::SFI, &[]),
                    };
                }
            }
        });
        writer.into_bytes()
    }

    fn add(
        &mut self,
        parent: FileIndex,
        fid: u16,
        sfi: Option<u8>,
        access: Option<Access>,
        body: Body,
    ) -> FileIndex {
        let index = FileIndex(self.files.len() as u16);
        if let Some(access) = access
            && !self.rules.contains(&access)
        {
            self.rules.push(access);
        }
        self.files.push(File {
            fid,
            parent,
            sfi,
            access,
            body,
        });
        self.rewrite_rules();
        index
    }

    /// Keeps EF.ARR in step with the rules in use.
    fn rewrite_rules(&mut self) {
        let mut records = Vec::new();
        let mut push = |rule: Writer| {
            let mut record = rule.into_bytes();
            record.resize(Self::ARR_RECORD, 0xFF);
            records.extend(record);
        };
        let mut directories = Writer::new();
        access_mode(&mut directories, mode::ALL_OF_A_DIRECTORY, Condition::Never);
        push(directories);
        for access in &self.rules {
            let mut rule = Writer::new();
            access_mode(&mut rule, mode::READ, access.read);
            access_mode(&mut rule, mode::UPDATE, access.update);
            access_mode(&mut rule, mode::DEACTIVATE_ACTIVATE, Condition::Never);
            push(rule);
        }
        for file in &mut self.files {
            if let (fid::ARR, Body::Records { content, .. }) = (file.fid, &mut file.body) {
                *content = Content::Fixed(records.clone());
            }
        }
    }

    fn rule_number(&self, file: &File) -> u8 {
        let position = file
            .access
            .and_then(|access| self.rules.iter().position(|rule| *rule == access));
        position.map_or(1, |position| (position + Self::FIRST_EF_RULE) as u8)
    }

    fn children(&self, directory: FileIndex) -> impl Iterator<Item = (FileIndex, &File)> {
        self.indexed()
            .filter(move |(index, file)| file.parent == directory && *index != FileIndex::MF)
    }

    fn indexed(&self) -> impl Iterator<Item = (FileIndex, &File)> {
        (0..).map(FileIndex).zip(&self.files)
    }

    /// Names a file across versions of a profile, unlike its index.
    fn key(&self, index: FileIndex) -> FileKey {
        let file = self.file(index);
        (self.file(file.parent).fid, file.fid)
    }
}

impl Default for FileSystem {
    fn default() -> Self {
        Self::new()
    }
}

/// Identifiers of the directory and of the file.
pub(crate) type FileKey = (u16, u16);

/// Whole contents of the files that one card has written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overlay(pub(crate) BTreeMap<FileKey, Box<[u8]>>);

/// Key references in the order of the bits of the PIN status octet.
pub(crate) const PIN_STATUS_ORDER: [u8; 3] = [0x01, 0x81, 0x0A];

const ACTIVATED: u8 = 0x05;
const CLOCK_STOP_ANY_AND_ALL_CLASSES: u8 = 0x71;

/// Tags of the file control parameters, TS 102 221 §11.1.1.4.
mod tag {
    pub(super) const FCP: u32 = 0x62;
    pub(super) const FILE_SIZE: u32 = 0x80;
    pub(super) const DESCRIPTOR: u32 = 0x82;
    pub(super) const FILE_ID: u32 = 0x83;
    pub(super) const DF_NAME: u32 = 0x84;
    pub(super) const SFI: u32 = 0x88;
    pub(super) const LIFE_CYCLE: u32 = 0x8A;
    pub(super) const SECURITY_REFERENCED: u32 = 0x8B;
    pub(super) const PROPRIETARY: u32 = 0xA5;
    pub(super) const UICC_CHARACTERISTICS: u32 = 0x80;
    pub(super) const PIN_STATUS: u32 = 0xC6;
    pub(super) const PIN_ENABLED: u32 = 0x90;
    pub(super) const KEY_REFERENCE: u32 = 0x83;
    pub(super) const ACCESS_MODE: u32 = 0x80;
    pub(super) const ALWAYS: u32 = 0x90;
    pub(super) const NEVER: u32 = 0x97;
    pub(super) const USER_AUTHENTICATION: u32 = 0xA4;
    pub(super) const USAGE: u32 = 0x95;
}

/// Access mode octets, TS 102 221 §9.2.1 (ISO/IEC 7816-4).
mod mode {
    pub(super) const READ: u8 = 0x01;
    pub(super) const UPDATE: u8 = 0x02;
    pub(super) const DEACTIVATE_ACTIVATE: u8 = 0x18;
    pub(super) const ALL_OF_A_DIRECTORY: u8 = 0x7F;
}

fn access_mode(rule: &mut Writer, mode: u8, condition: Condition) {
    const VERIFICATION_BY_USER: u8 = 0x08;
    let mut pin = |reference: u8| {
        rule.ber(tag::ACCESS_MODE, &[mode])
            .constructed(tag::USER_AUTHENTICATION, |inner| {
                inner.ber(tag::KEY_REFERENCE, &[reference]);
                inner.ber(tag::USAGE, &[VERIFICATION_BY_USER]);
            });
    };
    match condition {
        Condition::Pin1 => pin(0x01),
        Condition::Pin2 => pin(0x81),
        Condition::Adm1 => pin(0x0A),
        Condition::Always => {
            rule.ber(tag::ACCESS_MODE, &[mode]).ber(tag::ALWAYS, &[]);
        }
        Condition::Never => {
            rule.ber(tag::ACCESS_MODE, &[mode]).ber(tag::NEVER, &[]);
        }
    }
}

fn descriptor(body: &Body) -> Vec<u8> {
    const CODING: u8 = 0x21;
    match body {
        Body::Directory { .. } => vec![0x78, CODING],
        Body::Transparent(_) => vec![0x41, CODING],
        Body::Records {
            record_len,
            cyclic,
            content,
        } => {
            let structure = if *cyclic { 0x46 } else { 0x42 };
            let [high, low] = (*record_len as u16).to_be_bytes();
            let count = content.len() / (*record_len).max(1);
            vec![structure, CODING, high, low, count as u8]
        }
    }
}

/// One record of EF.MSISDN (TS 31.102 §4.2.26): no name, then length, type, ten octets of digits, no extensions.
fn msisdn_record(msisdn: &Msisdn) -> Vec<u8> {
    const NAME_LEN: usize = Content::MSISDN_RECORD - 14;
    const INTERNATIONAL_E164: u8 = 0x91;
    let digits: Vec<u8> = msisdn.digits().bytes().map(|digit| digit - b'0').collect();
    let mut record = vec![0xFF; Content::MSISDN_RECORD];
    record[NAME_LEN] = (1 + digits.len().div_ceil(2)) as u8;
    record[NAME_LEN + 1] = INTERNATIONAL_E164;
    for (place, pair) in record[NAME_LEN + 2..].iter_mut().zip(digits.chunks(2)) {
        *place = pair.get(1).unwrap_or(&0x0F) << 4 | pair[0];
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: Access = Access {
        read: Condition::Always,
        update: Condition::Adm1,
    };

    fn small() -> (FileSystem, FileIndex) {
        let mut fs = FileSystem::new();
        fs.transparent(FileIndex::MF, fid::ICCID, Some(2), PUBLIC, Content::Iccid);
        let adf = fs.adf(0x7FF0, &[0xA0, 0, 0, 0, 0x87, 0x10, 0x02]);
        let private = Access {
            read: Condition::Pin1,
            update: Condition::Pin1,
        };
        let sms = Content::Fixed(vec![0xFF; 352]);
        fs.linear(adf, fid::SMS, None, private, 176, sms);
        (fs, adf)
    }

    #[test]
    fn control_parameters_of_each_kind() {
        let (fs, adf) = small();
        let iccid = fs.child(FileIndex::MF, fid::ICCID).unwrap();
        // EF.ARR's own rule is the first one in use, hence record 2; that of EF.ICCID is record 3.
        assert_eq!(
            hex::encode(fs.fcp(iccid, 0)),
            "621782024121830 22fe28a01058b032f06038002000a880110".replace(' ', "")
        );
        let sms = fs.child(adf, fid::SMS).unwrap();
        assert_eq!(
            hex::encode(fs.fcp(sms, 0)),
            "621982054221 00b00283026f3c8a01058b032f0604800201608800".replace(' ', "")
        );
        assert_eq!(
            hex::encode(fs.fcp(adf, 0xC0)),
            "622c8202782183027ff08407a0000000871002a5038001718a01058b032f0601c60c9001c083010183018183010a"
        );
    }

    #[test]
    fn rules_say_what_is_checked() {
        let (fs, _) = small();
        let arr = fs.child(FileIndex::MF, fid::ARR).unwrap();
        let Body::Records {
            content: Content::Fixed(records),
            ..
        } = &fs.file(arr).body
        else {
            panic!("EF.ARR has records");
        };
        let records: Vec<String> = records
            .chunks(FileSystem::ARR_RECORD)
            .map(|record| hex::encode(record).trim_end_matches("ff").to_owned())
            .collect();
        assert_eq!(
            records,
            [
                "80017f9700",
                "8001019000800102970080011897 00".replace(' ', "").as_str(),
                "8001019000800102a40683010a9501088001189700",
                "800101a406830101950108800102a4068301019501088001189700",
            ]
        );
    }

    #[test]
    fn search_order_of_select() {
        let (fs, adf) = small();
        let sms = fs.child(adf, fid::SMS).unwrap();
        assert_eq!(fs.find(adf, None, fid::SMS), Some(sms));
        assert_eq!(fs.find(FileIndex::MF, None, fid::SMS), None);
        assert_eq!(fs.find(adf, None, fid::MF), Some(FileIndex::MF));
        assert_eq!(fs.find(adf, None, fid::ICCID), None);
        assert_eq!(
            fs.find(FileIndex::MF, Some(adf), fid::CURRENT_ADF),
            Some(adf)
        );
        assert_eq!(fs.find(FileIndex::MF, None, fid::CURRENT_ADF), None);
    }

    #[test]
    fn number_of_the_subscriber() {
        let record = msisdn_record(&"+447700900001".parse().unwrap());
        assert_eq!(
            hex::encode(record),
            "ffffffffffffffffffffffffffff0791447700090010ffffffffffff"
        );
    }
}

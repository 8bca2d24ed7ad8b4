//! ETSI TS 102 221 §8: the tree of files and what is in them.
//!
//! The tree is shared by all cards of a profile. What a card wrote is its [`Overlay`]; contents that differ from
//! card to card by nature (ICCID, IMSI, MSISDN) are computed from the card's [`Subscriber`].

use std::borrow::Cow;
use std::collections::BTreeMap;

use ota_wire::ids::Msisdn;
use ota_wire::sms::address::Address;
use serde::Deserialize;

use super::fcp;
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
    /// EF.SMSS, under the USIM.
    pub const SMSS: u16 = 0x6F43;
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
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "kebab-case")]
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
    Msisdn {
        /// Octets of the record.
        record_len: usize,
    },
}

impl Content {
    /// Octets of a record of EF.MSISDN behind the name.
    pub(crate) const MSISDN_FIXED: usize = 14;

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
            Self::Msisdn { record_len } => msisdn_record(&subscriber.msisdn, *record_len).into(),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Fixed(octets) => octets.len(),
            Self::Iccid => 10,
            Self::Imsi => 9,
            Self::AccessClass => 2,
            Self::Msisdn { record_len } => *record_len,
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
    /// The file whose octets these are, where it is another one.
    pub link: Option<FileIndex>,
}

impl File {
    pub(crate) const fn is_directory(&self) -> bool {
        matches!(self.body, Body::Directory { .. })
    }

    /// Whether this is the directory of an application.
    pub(super) const fn is_application(&self) -> bool {
        matches!(self.body, Body::Directory { aid: Some(_) })
    }
}

/// All files of a profile.
#[derive(Clone, Debug)]
pub struct FileSystem {
    files: Vec<File>,
    rules: Vec<Access>,
}

impl FileSystem {
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
            record_len: fcp::RULE_LEN,
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

    /// Adds a directory.
    pub fn df(&mut self, parent: FileIndex, fid: u16) -> FileIndex {
        self.add(parent, fid, None, None, Body::Directory { aid: None })
    }

    /// Adds an elementary file; the contents of one of records are a whole number of them.
    pub fn elementary(
        &mut self,
        parent: FileIndex,
        fid: u16,
        sfi: Option<u8>,
        access: Access,
        body: Body,
    ) -> FileIndex {
        self.add(parent, fid, sfi, Some(access), body)
    }

    /// Adds a file with the octets of another one: what is written to either is in both.
    pub fn link(&mut self, parent: FileIndex, fid: u16, to: FileIndex) -> FileIndex {
        let File {
            sfi, access, body, ..
        } = self.file(to).clone();
        let index = self.add(parent, fid, sfi, access, body);
        if let Some(file) = self.files.last_mut() {
            file.link = Some(to);
        }
        index
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

    /// How many directories and how many other files of those that are seen a directory has.
    pub(super) fn count_children(
        &self,
        directory: FileIndex,
        seen: impl Fn(&File) -> bool,
    ) -> (u8, u8) {
        let children = self.children(directory).map(|(_, file)| file);
        let (directories, others): (Vec<_>, Vec<_>) = children
            .filter(|file| seen(file))
            .partition(|file| file.is_directory());
        (directories.len() as u8, others.len() as u8)
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
            link: None,
        });
        self.rewrite_rules();
        index
    }

    /// Keeps EF.ARR in step with the rules in use.
    fn rewrite_rules(&mut self) {
        let records = fcp::rule_records(&self.rules);
        for file in &mut self.files {
            if let (fid::ARR, Body::Records { content, .. }) = (file.fid, &mut file.body) {
                *content = Content::Fixed(records.clone());
            }
        }
    }

    /// Place of a file's rule among the rules in use; directories have none.
    pub(super) fn rule_of(&self, file: &File) -> Option<usize> {
        let access = file.access?;
        self.rules.iter().position(|rule| *rule == access)
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
        let mut index = self.file(index).link.unwrap_or(index);
        let mut path = Vec::new();
        while index != FileIndex::MF {
            let file = self.file(index);
            path.push(file.fid);
            index = file.parent;
        }
        path.reverse();
        path.into()
    }
}

impl Default for FileSystem {
    fn default() -> Self {
        Self::new()
    }
}

/// Identifiers on the way from the MF, which is left out, to the file: a DF of a phone book has the same one under
/// DF.TELECOM and under an ADF, and so have the files in it.
pub(crate) type FileKey = Box<[u16]>;

/// Whole contents of the files that one card has written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overlay(pub(crate) BTreeMap<FileKey, Box<[u8]>>);

/// One record of EF.MSISDN (TS 31.102 §4.2.26): no name, then the number in twelve octets, no extensions.
fn msisdn_record(msisdn: &Msisdn, record_len: usize) -> Vec<u8> {
    let mut record = vec![0xFF; record_len.saturating_sub(Content::MSISDN_FIXED)];
    Address::international(msisdn).emit_counted(&mut record);
    record.resize(record_len, 0xFF);
    record
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const PUBLIC: Access = Access {
        read: Condition::Always,
        update: Condition::Adm1,
    };

    pub(in crate::uicc) fn small() -> (FileSystem, FileIndex) {
        let mut fs = FileSystem::new();
        let iccid = Body::Transparent(Content::Iccid);
        fs.elementary(FileIndex::MF, fid::ICCID, Some(2), PUBLIC, iccid);
        let adf = fs.adf(0x7FF0, &[0xA0, 0, 0, 0, 0x87, 0x10, 0x02]);
        let private = Access {
            read: Condition::Pin1,
            update: Condition::Pin1,
        };
        let sms = Body::Records {
            record_len: 176,
            cyclic: false,
            content: Content::Fixed(vec![0xFF; 352]),
        };
        fs.elementary(adf, fid::SMS, None, private, sms);
        (fs, adf)
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
    fn a_link_has_the_octets_of_its_file() {
        let (mut fs, adf) = small();
        let telecom = fs.df(FileIndex::MF, 0x7F10);
        let sms = fs.child(adf, fid::SMS).unwrap();
        let link = fs.link(telecom, fid::SMS, sms);
        let mut overlay = Overlay::default();
        let owner = crate::testing::subscriber();
        fs.write(link, &owner, &mut overlay, 0, &[1, 2, 3]);
        assert_eq!(fs.contents(sms, &owner, &overlay)[..4], [1, 2, 3, 0xFF]);
        assert_eq!(
            overlay.0.keys().collect::<Vec<_>>(),
            [&FileKey::from([0x7FF0, fid::SMS])]
        );
    }

    #[test]
    fn the_phone_books_of_telecom_and_of_an_application_are_two() {
        const DF_PHONEBOOK: u16 = 0x5F3A;
        const EF_PBR: u16 = 0x4F30;
        let (mut fs, adf) = small();
        let telecom = fs.df(FileIndex::MF, 0x7F10);
        let books = [telecom, adf].map(|parent| {
            let book = fs.df(parent, DF_PHONEBOOK);
            let content = Content::Fixed(vec![0xFF; 4]);
            fs.elementary(book, EF_PBR, None, PUBLIC, Body::Transparent(content))
        });
        let owner = crate::testing::subscriber();
        let mut state = crate::state::CardState::fresh(&crate::testing::profile());
        let overlay = state.overlay.get_or_insert_default();
        for (number, book) in (1..).zip(books) {
            fs.write(book, &owner, overlay, 0, &[number; 4]);
        }
        let kept = crate::state::CardState::from_bytes(&state.to_bytes()).unwrap();
        let overlay = kept.overlay.unwrap();
        for (number, book) in (1..).zip(books) {
            assert_eq!(*fs.contents(book, &owner, &overlay), [number; 4]);
        }
    }

    #[test]
    fn number_of_the_subscriber() {
        let record = msisdn_record(&"+447700900001".parse().unwrap(), 28);
        assert_eq!(
            hex::encode(record),
            "ffffffffffffffffffffffffffff0791447700090010ffffffffffff"
        );
    }
}

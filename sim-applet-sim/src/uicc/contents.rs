//! ETSI TS 102 221 §11.1.3 to §11.1.6: READ and UPDATE BINARY and RECORD.

use ota_wire::apdu::Sw;

use super::command::{EfRef, RecordRef, Search, Way, Within};
use super::file::{Access, Body, FileIndex};
use super::{Reply, Session, Uicc};

impl Uicc {
    pub(super) fn read_binary(
        &self,
        session: &mut Session,
        file: EfRef,
        offset: usize,
        le: usize,
    ) -> Result<Reply, Sw> {
        let file = self.transparent(session, file, |access| access.read)?;
        let contents = self.contents(file);
        let rest = contents.get(offset..).filter(|rest| !rest.is_empty());
        let rest = rest.ok_or(Sw::WRONG_PARAMETERS)?;
        match rest.get(..le) {
            Some(read) => Ok(Reply::Data(read.to_vec())),
            None => Err(Sw::wrong_le(rest.len())),
        }
    }

    pub(super) fn update_binary(
        &mut self,
        session: &mut Session,
        file: EfRef,
        offset: usize,
        data: &[u8],
    ) -> Result<Reply, Sw> {
        let file = self.transparent(session, file, |access| access.update)?;
        let len = self.contents(file).len();
        if offset >= len {
            return Err(Sw::WRONG_PARAMETERS);
        }
        if data.len() > len - offset {
            return Err(Sw::WRONG_LENGTH);
        }
        self.write(file, offset, data);
        Ok(Reply::Done)
    }

    pub(super) fn read_record(
        &self,
        session: &mut Session,
        file: EfRef,
        record: RecordRef,
        le: usize,
    ) -> Result<Reply, Sw> {
        let records = self.records(session, file, |access| access.read)?;
        let number = records.resolve(session, record)?;
        if le != records.len {
            return Err(Sw::wrong_le(records.len));
        }
        let at = records.offset(number);
        let read = self.contents(records.file)[at..at + records.len].to_vec();
        records.make_current(session, record, number);
        Ok(Reply::Data(read))
    }

    pub(super) fn update_record(
        &mut self,
        session: &mut Session,
        file: EfRef,
        record: RecordRef,
        data: &[u8],
    ) -> Result<Reply, Sw> {
        let records = self.records(session, file, |access| access.update)?;
        if records.cyclic {
            // The oldest record is overwritten and becomes the first.
            if record != RecordRef::Previous {
                return Err(Sw::WRONG_P1_P2);
            }
            return self.update_cyclic(session, &records, data);
        }
        let number = records.resolve(session, record)?;
        if data.len() != records.len {
            return Err(Sw::WRONG_LENGTH);
        }
        self.write(records.file, records.offset(number), data);
        records.make_current(session, record, number);
        Ok(Reply::Done)
    }

    /// Numbers of the records that match, TS 102 221 §11.1.7; the first of them becomes the current one.
    pub(super) fn search_record(
        &self,
        session: &mut Session,
        file: EfRef,
        search: Search,
        pattern: &[u8],
    ) -> Result<Vec<u8>, Sw> {
        let records = self.records(session, file, |access| access.read)?;
        let current = match search.from {
            0 if session.channel.record == 0 => match search.way {
                Way::Forward | Way::Next => 0,
                Way::Backward | Way::Previous => records.count.saturating_add(1),
            },
            0 => session.channel.record,
            from => from,
        };
        if current > records.count && search.from != 0 {
            return Err(Sw::RECORD_NOT_FOUND);
        }
        let all = 1..=records.count;
        let numbers: Vec<u8> = match search.way {
            Way::Forward => all.filter(|number| *number >= current).collect(),
            Way::Next => all.filter(|number| *number > current).collect(),
            Way::Backward => all.rev().filter(|number| *number <= current).collect(),
            Way::Previous => all.rev().filter(|number| *number < current).collect(),
        };
        let contents = self.contents(records.file);
        let found: Vec<u8> = numbers
            .into_iter()
            .filter(|number| {
                let at = records.offset(*number);
                matches(&contents[at..at + records.len], search.within, pattern)
            })
            .collect();
        if let Some(first) = found.first() {
            session.channel.record = *first;
        }
        Ok(found)
    }

    /// TS 102 221 §11.1.8: the newest value of a cyclic file plus `value` becomes the newest; gives the new value, then
    /// what was added.
    pub(super) fn increase(
        &mut self,
        session: &mut Session,
        file: EfRef,
        value: &[u8],
    ) -> Result<Vec<u8>, Sw> {
        let records = self.records(session, file, |access| access.update)?;
        if !records.cyclic {
            return Err(Sw::INCOMPATIBLE_WITH_FILE);
        }
        if value.len() > records.len {
            return Err(Sw::WRONG_LENGTH);
        }
        let mut sum = self.contents(records.file)[..records.len].to_vec();
        let mut carry = 0;
        let added = value.iter().rev().copied().chain(std::iter::repeat(0));
        for (octet, added) in sum.iter_mut().rev().zip(added) {
            let total = u16::from(*octet) + u16::from(added) + carry;
            *octet = total as u8;
            carry = total >> 8;
        }
        if carry != 0 {
            return Err(Sw::MAX_VALUE_REACHED);
        }
        self.update_cyclic(session, &records, &sum)?;
        sum.extend_from_slice(value);
        Ok(sum)
    }

    fn update_cyclic(
        &mut self,
        session: &mut Session,
        records: &Records,
        data: &[u8],
    ) -> Result<Reply, Sw> {
        if data.len() != records.len {
            return Err(Sw::WRONG_LENGTH);
        }
        let mut contents = data.to_vec();
        contents.extend_from_slice(&self.contents(records.file));
        contents.truncate(records.len * usize::from(records.count));
        self.write(records.file, 0, &contents);
        session.channel.record = 1;
        Ok(Reply::Done)
    }

    /// The transparent file meant, made current if it was named, access allowed.
    fn transparent(
        &self,
        session: &mut Session,
        file: EfRef,
        right: impl Fn(Access) -> super::file::Condition,
    ) -> Result<FileIndex, Sw> {
        let index = self.elementary(session, file)?;
        match self.profile.files.file(index).body {
            Body::Transparent(_) => {}
            _ => return Err(Sw::INCOMPATIBLE_WITH_FILE),
        }
        self.permit(session, index, right)?;
        Ok(index)
    }

    /// The file of records meant, likewise.
    fn records(
        &self,
        session: &mut Session,
        file: EfRef,
        right: impl Fn(Access) -> super::file::Condition,
    ) -> Result<Records, Sw> {
        let index = self.elementary(session, file)?;
        let Body::Records {
            record_len: len,
            cyclic,
            ..
        } = self.profile.files.file(index).body
        else {
            return Err(Sw::INCOMPATIBLE_WITH_FILE);
        };
        self.permit(session, index, right)?;
        let count = self.contents(index).len() / len.max(1);
        Ok(Records {
            file: index,
            len,
            count: count as u8,
            cyclic,
        })
    }

    fn elementary(&self, session: &mut Session, file: EfRef) -> Result<FileIndex, Sw> {
        match file {
            EfRef::Current => session.channel.file.ok_or(Sw::NO_EF_SELECTED),
            EfRef::Sfi(sfi) => {
                let found = self.profile.files.by_sfi(session.channel.directory.0, sfi);
                let index = found.ok_or(Sw::FILE_NOT_FOUND)?;
                session.channel.file = Some(index);
                session.channel.record = 0;
                Ok(index)
            }
        }
    }

    fn permit(
        &self,
        session: &Session,
        index: FileIndex,
        right: impl Fn(Access) -> super::file::Condition,
    ) -> Result<(), Sw> {
        match self.profile.files.file(index).access.map(right) {
            Some(condition) if self.satisfied(session, condition) => Ok(()),
            _ => Err(Sw::SECURITY_STATUS_NOT_SATISFIED),
        }
    }

    fn contents(&self, index: FileIndex) -> Vec<u8> {
        let none = super::file::Overlay::default();
        let overlay = self.state.overlay.as_deref().unwrap_or(&none);
        let files = &self.profile.files;
        files
            .contents(index, &self.subscriber, overlay)
            .into_owned()
    }

    fn write(&mut self, index: FileIndex, at: usize, data: &[u8]) {
        let overlay = self.state.overlay.get_or_insert_default();
        let files = &self.profile.files;
        files.write(index, &self.subscriber, overlay, at, data);
        self.changed = true;
    }
}

fn matches(record: &[u8], within: Within, pattern: &[u8]) -> bool {
    let from = match within {
        Within::Offset(offset) => Some(usize::from(offset)),
        Within::Behind(octet) => record
            .iter()
            .position(|other| *other == octet)
            .map(|at| at + 1),
    };
    from.and_then(|from| record.get(from..))
        .is_some_and(|rest| rest.windows(pattern.len()).any(|window| window == pattern))
}

/// A file of records, as one command sees it.
struct Records {
    file: FileIndex,
    /// Octets of a record.
    len: usize,
    /// Records there are.
    count: u8,
    cyclic: bool,
}

impl Records {
    /// The number of the record meant, from 1. Cyclic files go round, linear ones end.
    fn resolve(&self, session: &Session, record: RecordRef) -> Result<u8, Sw> {
        let number = match record {
            RecordRef::Absolute(0) => session.channel.record,
            RecordRef::Absolute(number) => number,
            RecordRef::Next if self.cyclic && session.channel.record == self.count => 1,
            RecordRef::Next => session.channel.record.saturating_add(1),
            RecordRef::Previous if session.channel.record == 0 => self.count,
            RecordRef::Previous if self.cyclic && session.channel.record == 1 => self.count,
            RecordRef::Previous => session.channel.record - 1,
        };
        if (1..=self.count).contains(&number) {
            Ok(number)
        } else {
            Err(Sw::RECORD_NOT_FOUND)
        }
    }

    fn offset(&self, number: u8) -> usize {
        self.len * usize::from(number - 1)
    }

    /// Addressing by number leaves the current record alone; next and previous move it.
    fn make_current(&self, session: &mut Session, record: RecordRef, number: u8) {
        if !matches!(record, RecordRef::Absolute(_)) {
            session.channel.record = number;
        }
    }
}

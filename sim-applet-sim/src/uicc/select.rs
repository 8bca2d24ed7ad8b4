//! ETSI TS 102 221 §11.1.1 SELECT and §11.1.2 STATUS.

use ota_wire::apdu::Sw;
use ota_wire::tlv::Writer;

use super::command::{SelectReply, StatusReply, Target};
use super::file::{Body, FileIndex, fid};
use super::{Reply, Selected, Session, Uicc};
use crate::card_manager::domain;

/// What a SELECT is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    File(FileIndex),
    /// The issuer security domain.
    Domain,
}

impl Uicc {
    pub(super) fn select(
        &self,
        session: &mut Session,
        target: Target<'_>,
        reply: SelectReply,
    ) -> Result<Reply, Sw> {
        let index = match self.find(session, target).ok_or(Sw::FILE_NOT_FOUND)? {
            Found::File(index) => index,
            Found::Domain => {
                session.domain = Some(Box::default());
                return Ok(match reply {
                    SelectReply::Fcp => Reply::Waiting(domain::control_information(&self.profile)),
                    SelectReply::Nothing => Reply::Done,
                });
            }
        };
        session.domain = None;
        let file = self.profile.files.file(index);
        match &file.body {
            Body::Directory { aid } => {
                session.directory = Selected(index);
                session.file = None;
                if aid.is_some() {
                    session.app = Some(index);
                }
            }
            Body::Transparent(_) | Body::Records { .. } => {
                session.directory = Selected(file.parent);
                session.file = Some(index);
            }
        }
        session.record = 0;
        match reply {
            SelectReply::Fcp => Ok(Reply::Waiting(self.fcp(index))),
            SelectReply::Nothing => Ok(Reply::Done),
        }
    }

    pub(super) fn status(
        &self,
        session: &Session,
        reply: StatusReply,
        le: usize,
    ) -> Result<Reply, Sw> {
        const DF_NAME: u32 = 0x84;
        match reply {
            StatusReply::Nothing => Ok(Reply::Done),
            StatusReply::Fcp => Reply::exactly(self.fcp(session.directory.0), le),
            StatusReply::DfName => {
                let app = session.app.ok_or(Sw::CONDITIONS_NOT_SATISFIED)?;
                let Body::Directory { aid: Some(aid) } = &self.profile.files.file(app).body else {
                    return Err(Sw::CONDITIONS_NOT_SATISFIED);
                };
                let mut writer = Writer::new();
                writer.ber(DF_NAME, aid);
                Reply::exactly(writer.into_bytes(), le)
            }
        }
    }

    pub(super) fn find(&self, session: &Session, target: Target<'_>) -> Option<Found> {
        if let Target::Application { aid, next } = target {
            return self.application(session, aid, next);
        }
        self.find_file(session, target).map(Found::File)
    }

    /// Applications are those of the files, then the issuer security domain, which is also the one without a name.
    fn application(&self, session: &Session, aid: &[u8], next: bool) -> Option<Found> {
        let current = match &session.domain {
            Some(_) => Some(Found::Domain),
            None => session.app.map(Found::File),
        };
        if aid.is_empty() {
            return (!next).then_some(Found::Domain);
        }
        let files = self.profile.files.applications();
        let files = files.map(|(index, name)| (Found::File(index), name));
        let domain = domain::names(&self.profile).map(|name| (Found::Domain, name));
        let mut matches = files
            .chain(domain)
            .filter(|(_, name)| name.starts_with(aid))
            .map(|(found, _)| found);
        if next {
            matches.find(|found| Some(*found) == current);
        }
        matches.find(|found| !next || Some(*found) != current)
    }

    fn find_file(&self, session: &Session, target: Target<'_>) -> Option<FileIndex> {
        let files = &self.profile.files;
        let here = session.directory.0;
        let is_directory =
            |index: &FileIndex| matches!(files.file(*index).body, Body::Directory { .. });
        match target {
            Target::Fid(id) => files.find(here, session.app, id),
            Target::ChildDirectory(id) => files.child(here, id).filter(is_directory),
            Target::Parent => Some(files.file(here).parent),
            Target::PathFromMf(path) => self.walk(session, FileIndex::MF, path),
            Target::PathFromCurrent(path) => self.walk(session, here, path),
            Target::Application { .. } => None,
        }
    }

    /// Follows a path whose first step may be the MF or "the application's directory".
    fn walk(&self, session: &Session, from: FileIndex, path: &[u8]) -> Option<FileIndex> {
        let mut at = from;
        for (step, id) in path.chunks_exact(2).enumerate() {
            at = match (step, u16::from_be_bytes([id[0], id[1]])) {
                (0, fid::MF) => FileIndex::MF,
                (0, fid::CURRENT_ADF) => session.app?,
                (_, id) => self.profile.files.child(at, id)?,
            };
        }
        Some(at)
    }

    fn fcp(&self, index: FileIndex) -> Vec<u8> {
        self.profile.files.fcp(index, self.pin_status())
    }
}

//! ETSI TS 102 221 §11.1.1 SELECT and §11.1.2 STATUS.

use ota_wire::apdu::Sw;
use ota_wire::tlv::Writer;

use super::command::{SelectReply, StatusReply, Target};
use super::file::{Body, FileIndex, fid};
use super::{Reply, Selected, Session, Uicc};

impl Uicc {
    pub(super) fn select(
        &self,
        session: &mut Session,
        target: Target<'_>,
        reply: SelectReply,
    ) -> Result<Reply, Sw> {
        let index = self.find(session, target).ok_or(Sw::FILE_NOT_FOUND)?;
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

    fn find(&self, session: &Session, target: Target<'_>) -> Option<FileIndex> {
        let files = &self.profile.files;
        let here = session.directory.0;
        let is_directory =
            |index: &FileIndex| matches!(files.file(*index).body, Body::Directory { .. });
        match target {
            Target::Fid(id) => files.find(here, session.app, id),
            Target::ChildDirectory(id) => files.child(here, id).filter(is_directory),
            Target::ChildFile(id) => files.child(here, id).filter(|index| !is_directory(index)),
            Target::Parent => Some(files.file(here).parent),
            Target::PathFromMf(path) => self.walk(session, FileIndex::MF, path),
            Target::PathFromCurrent(path) => self.walk(session, here, path),
            Target::Application { aid, next } => {
                let mut matches = files
                    .applications()
                    .filter(|(_, name)| name.starts_with(aid))
                    .map(|(index, _)| index);
                if next {
                    matches.find(|index| Some(*index) == session.app);
                }
                matches.next()
            }
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

//! ETSI TS 102 221 §11.1.1 SELECT and §11.1.2 STATUS.

use ota_wire::apdu::Sw;
use ota_wire::tlv::Writer;

use super::channel::LogicalChannel;
use super::command::{Occurrence, SelectReply, StatusReply, Target};
use super::file::{Body, FileIndex, fid};
use super::{Reply, Selected, Session, Uicc};
use crate::card_manager::domain;

/// What a SELECT is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    File(FileIndex),
    /// The signature applet, which has no files.
    Applet,
    /// The issuer security domain.
    Domain,
}

impl LogicalChannel {
    fn active(&self) -> Option<Found> {
        match self {
            Self { applet: true, .. } => Some(Found::Applet),
            Self {
                domain: Some(_), ..
            } => Some(Found::Domain),
            Self { app, .. } => app.map(Found::File),
        }
    }
}

impl Uicc {
    pub(super) fn select(
        &self,
        session: &mut Session,
        target: Target<'_>,
        reply: SelectReply,
    ) -> Result<Reply, Sw> {
        let control = |aid: &[u8]| match reply {
            SelectReply::Fcp => Reply::Waiting(domain::control_information(aid)),
            SelectReply::Nothing => Reply::Done,
        };
        let found = self.find(session, target).ok_or(Sw::FILE_NOT_FOUND)?;
        let names_application = match found {
            Found::File(index) => self.profile.files.file(index).is_application(),
            Found::Applet | Found::Domain => true,
        };
        if names_application && session.channel.active() != Some(found) {
            // A local code counts within its application.
            session.channel.verified = 0;
        }
        let index = match found {
            Found::File(index) => index,
            Found::Domain => {
                session.channel.domain = Some(Box::default());
                session.channel.applet = false;
                return Ok(control(&self.profile.domain.aid));
            }
            Found::Applet => {
                session.channel.domain = None;
                session.channel.applet = true;
                return Ok(control(&self.profile.applet.aid));
            }
        };
        session.channel.domain = None;
        session.channel.applet = false;
        let file = self.profile.files.file(index);
        match &file.body {
            Body::Directory { aid } => {
                session.channel.directory = Selected(index);
                session.channel.file = None;
                if aid.is_some() {
                    session.channel.app = Some(index);
                }
            }
            Body::Transparent(_) | Body::Records { .. } => {
                session.channel.directory = Selected(file.parent);
                session.channel.file = Some(index);
            }
        }
        session.channel.record = 0;
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
            StatusReply::Fcp => Reply::exactly(self.fcp(session.channel.directory.0), le),
            StatusReply::DfName => {
                let aid = self.active(session).ok_or(Sw::CONDITIONS_NOT_SATISFIED)?;
                let mut writer = Writer::new();
                writer.ber(DF_NAME, aid);
                Reply::exactly(writer.into_bytes(), le)
            }
        }
    }

    pub(super) fn find(&self, session: &Session, target: Target<'_>) -> Option<Found> {
        if let Target::Application { aid, occurrence } = target {
            return self.application(session, aid, occurrence);
        }
        self.find_file(session, target).map(Found::File)
    }

    /// Ends the session of an application, §8.8: where it is the active one, nothing is left of it but the MF.
    pub(super) fn terminate(&self, session: &mut Session, aid: &[u8]) -> Result<Reply, Sw> {
        let active = session.channel.active();
        let mut named = self.named(aid).into_iter();
        if !named.any(|found| Some(found) == active) {
            return Err(Sw::FILE_NOT_FOUND);
        }
        session.channel = LogicalChannel::default();
        Ok(Reply::Done)
    }

    /// The name of the active application.
    fn active(&self, session: &Session) -> Option<&[u8]> {
        match session.channel.active()? {
            Found::Applet => Some(&self.profile.applet.aid),
            Found::Domain => Some(&self.profile.domain.aid),
            Found::File(index) => match &self.profile.files.file(index).body {
                Body::Directory { aid } => aid.as_deref(),
                _ => None,
            },
        }
    }

    /// One without a name is the issuer security domain.
    fn application(&self, session: &Session, aid: &[u8], occurrence: Occurrence) -> Option<Found> {
        let current = session.channel.active();
        if aid.is_empty() {
            return matches!(occurrence, Occurrence::First | Occurrence::Last)
                .then_some(Found::Domain);
        }
        let named = self.named(aid);
        let here = named.iter().position(|found| Some(*found) == current);
        let at = match occurrence {
            Occurrence::First => 0,
            Occurrence::Last => named.len().checked_sub(1)?,
            Occurrence::Next => here? + 1,
            Occurrence::Previous => here?.checked_sub(1)?,
        };
        named.get(at).copied()
    }

    /// The applications whose name begins so: those of the files, the signature applet unless it is locked, the issuer
    /// security domain.
    fn named(&self, aid: &[u8]) -> Vec<Found> {
        let files = self.profile.files.applications();
        let files = files.map(|(index, name)| (Found::File(index), name));
        let applet = (Found::Applet, self.profile.applet.aid.as_slice());
        let applet = Some(applet).filter(|_| !self.state.applet_locked());
        let domain = domain::names(&self.profile).map(|name| (Found::Domain, name));
        let all = files.chain(applet).chain(domain);
        let mut named: Vec<_> = all
            .filter(|(_, name)| name.starts_with(aid))
            .map(|(found, _)| found)
            .collect();
        // The domain has two names.
        named.dedup();
        named
    }

    fn find_file(&self, session: &Session, target: Target<'_>) -> Option<FileIndex> {
        let files = &self.profile.files;
        let here = session.channel.directory.0;
        let is_directory =
            |index: &FileIndex| matches!(files.file(*index).body, Body::Directory { .. });
        match target {
            Target::Fid(id) => files.find(here, session.channel.app, id),
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
                (0, fid::CURRENT_ADF) => session.channel.app?,
                (_, id) => self.profile.files.child(at, id)?,
            };
        }
        Some(at)
    }

    fn fcp(&self, index: FileIndex) -> Vec<u8> {
        self.profile.files.fcp(index, self.pin_status())
    }
}

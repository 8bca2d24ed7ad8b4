//! ETSI TS 102 226 §5.1: scripts of commands in secured packets, in the compact format.

use ota_wire::apdu::{self, Ins, Response, Sw};
use ota_wire::cat::{Body, Device, ProactiveCommand, Qualifier};
use ota_wire::keys::CipherKey;
use ota_wire::remote_apdu::{CompactResponse, ScriptReader};

use super::channel::LogicalChannel;
use super::file::{self, FileIndex, FileKey, Overlay, fid};
use super::{Selected, Session, Uicc, gsm};
use crate::applet::UNNUMBERED;
use crate::card_manager::registry::kik;
use crate::profile::ApplicationKind;

impl Uicc {
    /// Carries out a script for an application and gives the additional response data. It ends at the first command that
    /// fails. `version` is that of the key set that protected it.
    pub(super) fn remote(&mut self, kind: ApplicationKind, version: u8, script: &[u8]) -> Vec<u8> {
        let mut response = CompactResponse {
            executed: 0,
            sw: Sw::WRONG_LENGTH,
            data: Vec::new(),
        };
        let mut session = match kind {
            ApplicationKind::RemoteFiles { directory } => self.management_session(directory),
            _ => Session::default(),
        };
        // As it was when the packet came: a command may replace it.
        let kik = match kind {
            ApplicationKind::RemoteManagement => {
                kik(&self.profile, &self.subscriber.iccid, &self.state, version)
            }
            _ => None,
        };
        for command in ScriptReader::new(script) {
            let answer = match &command {
                Ok(command) if matches!(kind, ApplicationKind::RemoteFiles { .. }) => {
                    self.file_command(&mut session, command)
                }
                Ok(command) => self.management_command(&mut session, command, kik.as_ref()),
                Err(error) => error.sw().into(),
            };
            response.executed = response.executed.saturating_add(1);
            response.sw = answer.sw;
            response.data = answer.data;
            if !answer.sw.is_success() {
                break;
            }
        }
        response.emit()
    }

    /// REFRESH about the files that were written since the card had these (TS 102 223 §6.4.7, §8.18).
    pub(super) fn refresh_since(&self, before: Option<&Overlay>) -> Option<ProactiveCommand> {
        const MOST: usize = 16;
        const FILES_CHANGED: Qualifier = Qualifier(0x01);
        const ALL_FILES_CHANGED: Qualifier = Qualifier(0x00);
        let now = self.state.overlay.as_deref()?;
        let same = |path: &FileKey, octets: &[u8]| {
            let then = before.and_then(|before| before.0.get(path));
            then.is_some_and(|then| **then == *octets)
        };
        let written = now.0.iter().filter(|(path, octets)| !same(path, octets));
        let paths: Vec<_> = written
            .map(|(path, _)| self.path_for_terminal(path))
            .collect();
        let (qualifier, files) = match paths.len() {
            0 => return None,
            // Count and paths, where they fit a command.
            count @ 1..=MOST => {
                let list = [&[count as u8], paths.concat().as_slice()].concat();
                (FILES_CHANGED, Some(list))
            }
            _ => (ALL_FILES_CHANGED, None),
        };
        let body = Body::Refresh { files };
        Some(ProactiveCommand::new(
            UNNUMBERED,
            qualifier,
            Device::TERMINAL,
            body,
        ))
    }

    /// A file by its path from the MF; that of an application is below 7FFF.
    fn path_for_terminal(&self, path: &[u16]) -> Vec<u8> {
        let files = &self.profile.files;
        let mut path = path.to_vec();
        if let Some(first) = path.first_mut()
            && files
                .applications()
                .any(|(index, _)| files.file(index).fid == *first)
        {
            *first = fid::CURRENT_ADF;
        }
        path.insert(0, fid::MF);
        path.into_iter().flat_map(u16::to_be_bytes).collect()
    }

    /// A session that may do everything except what nobody may.
    fn management_session(&self, directory: FileIndex) -> Session {
        let is_application = matches!(
            self.profile.files.file(directory).body,
            file::Body::Directory { aid: Some(_) }
        );
        let channel = LogicalChannel {
            directory: Selected(directory),
            app: is_application.then_some(directory),
            verified: u8::MAX,
            ..LogicalChannel::default()
        };
        Session {
            channel,
            verified: u8::MAX,
            ..Session::default()
        }
    }

    /// TS 102 226 §7.1: the commands of remote file management.
    fn file_command(&mut self, session: &mut Session, command: &apdu::Command) -> Response {
        if !is_for_files(command.ins) {
            return Sw::INS_NOT_SUPPORTED.into();
        }
        let response = self.once(session, command);
        if response.sw.sw1() == 0x6C && command.le == Some(256) {
            // Le 00 asks for as many as there are.
            let there = match response.sw.sw2() {
                0 => 256,
                some => usize::from(some),
            };
            return self.once(session, &command.clone().with_le(there));
        }
        response
    }

    fn once(&mut self, session: &mut Session, command: &apdu::Command) -> Response {
        let waiting = std::mem::take(&mut session.response);
        if command.cla == gsm::CLA {
            self.gsm(session, command, waiting)
        } else {
            self.reply(session, command, waiting)
        }
    }

    /// TS 102 226 §8: the commands of remote application management.
    fn management_command(
        &mut self,
        session: &mut Session,
        command: &apdu::Command,
        kik: Option<&CipherKey>,
    ) -> Response {
        let waiting = std::mem::take(&mut session.response);
        if command.ins == Ins::GET_RESPONSE {
            return match command.le.unwrap_or(256) {
                _ if waiting.is_empty() => Sw::CONDITIONS_NOT_SATISFIED.into(),
                le => Response::new(&waiting[..le.min(waiting.len())], Sw::OK),
            };
        }
        match self.manage(command, kik) {
            Err(sw) => sw.into(),
            Ok(data) if command.data.is_empty() || data.is_empty() => Response::new(data, Sw::OK),
            Ok(data) => {
                let sw = Sw::more_data(data.len());
                session.response = data;
                sw.into()
            }
        }
    }
}

const fn is_for_files(ins: Ins) -> bool {
    matches!(
        ins,
        Ins::SELECT
            | Ins::READ_BINARY
            | Ins::UPDATE_BINARY
            | Ins::READ_RECORD
            | Ins::UPDATE_RECORD
            | Ins::SEARCH_RECORD
            | Ins::INCREASE
            | Ins::VERIFY_PIN
            | Ins::CHANGE_PIN
            | Ins::DISABLE_PIN
            | Ins::ENABLE_PIN
            | Ins::UNBLOCK_PIN
            | Ins::GET_RESPONSE
    )
}

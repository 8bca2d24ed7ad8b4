//! ETSI TS 102 226 §5.1: scripts of commands in secured packets, in the compact format.

use ota_wire::apdu::{self, Ins, Response, Sw};
use ota_wire::remote_apdu::{CompactResponse, ScriptReader};

use super::channel::LogicalChannel;
use super::file::{Body, FileIndex};
use super::{Selected, Session, Uicc, gsm};
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
        for command in ScriptReader::new(script) {
            let answer = match &command {
                Ok(command) if matches!(kind, ApplicationKind::RemoteFiles { .. }) => {
                    self.file_command(&mut session, command)
                }
                Ok(command) => self.management_command(&mut session, command, version),
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

    /// A session that may do everything except what nobody may.
    fn management_session(&self, directory: FileIndex) -> Session {
        let is_application = matches!(
            self.profile.files.file(directory).body,
            Body::Directory { aid: Some(_) }
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
        version: u8,
    ) -> Response {
        let waiting = std::mem::take(&mut session.response);
        if command.ins == Ins::GET_RESPONSE {
            return match command.le.unwrap_or(256) {
                _ if waiting.is_empty() => Sw::CONDITIONS_NOT_SATISFIED.into(),
                le => Response::new(&waiting[..le.min(waiting.len())], Sw::OK),
            };
        }
        let kik = kik(&self.profile, &self.subscriber.iccid, &self.state, version);
        match self.manage(command, kik.as_ref()) {
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

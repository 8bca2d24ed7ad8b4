//! Remote management of a card (TS 102 226): the orders that read a file, exchange keys and lock an application, and what their
//! answers mean. They go the way of any other order, with a response packet wanted.

use ota_wire::apdu::Command;
use ota_wire::ids::{Iccid, Tar};
use ota_wire::keys::{CipherKey, KeyError, KeySet};
use ota_wire::packet::{CipherAlgorithm, IntegrityAlgorithm};
use ota_wire::remote_apdu::ram::{PutKey, SetStatus, WrappedKey};
use ota_wire::remote_apdu::{CommandScript, CompactResponse, ScriptReader, rfm};

use super::CardResponse;

/// Remote application management: the issuer security domain (TS 101 220 Annex D).
pub const RAM: Tar = Tar([0x00, 0x00, 0x00]);
/// Remote file management from the MF on.
pub const RFM: Tar = Tar([0xB0, 0x00, 0x00]);

/// What to do with a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Read EF.ICCID.
    ReadIccid,
    /// Add the key set, or replace the one of the same version.
    PutKey {
        /// KIc and KID.
        keys: KeySet,
        /// The third key, KIK, of the new set.
        kik: CipherKey,
        /// KIK of the key set that protects the packet: the new keys travel under it.
        under: CipherKey,
        /// The card has a set of this version.
        replaces: bool,
    },
    /// Lock the application: it gets no more messages.
    Lock {
        /// AID of the application.
        aid: Vec<u8>,
    },
    /// Unlock it.
    Unlock {
        /// AID of the application.
        aid: Vec<u8>,
    },
}

impl Task {
    /// The application that does it.
    pub fn tar(&self) -> Tar {
        match self {
            Self::ReadIccid => RFM,
            Self::PutKey { .. } | Self::Lock { .. } | Self::Unlock { .. } => RAM,
        }
    }

    /// The secured data.
    ///
    /// # Errors
    /// [`KeyError`] if a key cannot be ciphered under the KIK.
    pub fn script(&self) -> Result<Vec<u8>, KeyError> {
        let script = match self {
            Self::ReadIccid => rfm::read_iccid(),
            Self::PutKey {
                keys,
                kik,
                under,
                replaces,
            } => {
                let kid = cipher_of(keys.kid.algorithm());
                let wrapped = [
                    WrappedKey::wrap(under, keys.kic.algorithm(), keys.kic.secret())?,
                    WrappedKey::wrap(under, kid, keys.kid.secret())?,
                    WrappedKey::wrap(under, kik.algorithm(), kik.secret())?,
                ];
                let mut command = PutKey::add(keys.version, wrapped);
                if *replaces {
                    command.replaces = keys.version;
                }
                CommandScript::new([command.command()])
            }
            Self::Lock { aid } => CommandScript::new([SetStatus::lock(aid.as_slice()).command()]),
            Self::Unlock { aid } => {
                CommandScript::new([SetStatus::unlock(aid.as_slice()).command()])
            }
        };
        Ok(script.emit())
    }

    /// What the card's response means.
    ///
    /// # Errors
    /// [`Refused`] with the status word, or for octets that are no answer to the task.
    pub fn result(&self, response: &CardResponse) -> Result<Done, Refused> {
        let answer = executed(response)?;
        match self {
            Self::ReadIccid => {
                let octets = answer.data.try_into().map_err(|_| Refused::NoAnswer)?;
                let iccid = Iccid::from_ef(&octets).map_err(|_| Refused::NoAnswer)?;
                Ok(Done::Iccid(iccid))
            }
            Self::PutKey { .. } | Self::Lock { .. } | Self::Unlock { .. } => Ok(Done::Changed),
        }
    }
}

/// The same script with zeros for the keys of PUT KEY: what says which keys they are are their check values.
pub(super) fn without_ciphered_keys(script: &[u8]) -> Vec<u8> {
    let blank = |command: Command| match PutKey::try_from(&command) {
        Ok(mut put) => {
            put.keys.iter_mut().for_each(|key| key.ciphered.fill(0));
            put.command()
        }
        Err(_) => command,
    };
    let commands = ScriptReader::new(script).map(|command| command.map(blank));
    match commands.collect::<Result<Vec<_>, _>>() {
        Ok(commands) => CommandScript::new(commands).emit(),
        Err(_) => script.to_vec(),
    }
}

/// The answer of a script whose last executed command was successful.
pub(super) fn executed(response: &CardResponse) -> Result<CompactResponse, Refused> {
    let answer = CompactResponse::parse(&response.data).map_err(|_| Refused::NoAnswer)?;
    // 61xx tells of data that nobody asked for.
    if !answer.sw.is_success() && answer.sw.sw1() != 0x61 {
        return Err(Refused::Status {
            command: answer.executed,
            sw: answer.sw.0,
        });
    }
    Ok(answer)
}

/// What came of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// Contents of EF.ICCID.
    Iccid(Iccid),
    /// It is as was wanted.
    Changed,
}

/// Why nothing came of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The card refused a command.
    #[error("command {command} of the script was answered {sw:04X}")]
    Status {
        /// From 1.
        command: u8,
        /// Status word.
        sw: u16,
    },
    /// The response data is no answer.
    #[error("the response data is no answer to the script")]
    NoAnswer,
}

fn cipher_of(integrity: IntegrityAlgorithm) -> CipherAlgorithm {
    match integrity {
        IntegrityAlgorithm::None | IntegrityAlgorithm::Crc16 | IntegrityAlgorithm::Crc32 => {
            CipherAlgorithm::None
        }
        IntegrityAlgorithm::Des => CipherAlgorithm::Des,
        IntegrityAlgorithm::TripleDes2 => CipherAlgorithm::TripleDes2,
        IntegrityAlgorithm::TripleDes3 => CipherAlgorithm::TripleDes3,
        IntegrityAlgorithm::AesCmac => CipherAlgorithm::Aes,
    }
}

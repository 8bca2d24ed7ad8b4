//! Why a suite does not start.

use std::path::PathBuf;

use super::signer::BadKey;
use crate::runtime::chance::NoChance;
use crate::runtime::party::HandleError;
use crate::runtime::store::{CommitError, StoreError};
use crate::sockets::ports::PortError;
use crate::sockets::tls::TlsError;

/// Why a suite did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No random octets.
    #[error(transparent)]
    Chance(#[from] NoChance),
    /// The data directory cannot be made.
    #[error("data directory {}: {why}", dir.display())]
    DataDir {
        /// Which folder.
        dir: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
    /// The configuration of the OP contradicts itself.
    #[error(transparent)]
    Op(#[from] op_bridge::ConfigError),
    /// A client of the world cannot be registered.
    #[error("client {id} of the world: {why}")]
    Client {
        /// client_id.
        id: String,
        /// What is wrong with its metadata.
        why: op_bridge::Invalid,
    },
    /// Keys of a discovery service of the world cannot be used.
    #[error("op.hints.issuer {iss} of the world: its jwks cannot be used: {why}")]
    HintIssuer {
        /// Its name.
        iss: String,
        /// What is wrong.
        why: op_bridge::JwkError,
    },
    /// It is not said where keys of a discovery service of the world are, or it is said twice.
    #[error(
        "op.hints.issuer {0} of the world: give either jwks, its keys, or jwks_uri, an http or https URL where they are"
    )]
    HintIssuerKeys(String),
    /// A private key of the OP is damaged.
    #[error("the OP's encryption key: {0}")]
    EncryptionKey(#[from] op_bridge::BadPrivateKey),
    /// A port cannot be had.
    #[error(transparent)]
    Port(#[from] PortError),
    /// A store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record cannot be written.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// What the last process left cannot be read.
    #[error(transparent)]
    Recover(#[from] HandleError),
    /// system_id or password do not fit SMPP.
    #[error("SMPP credentials of the world: {0}")]
    Smpp(#[from] ota::smpp::FieldError),
    /// The stored signing key is damaged.
    #[error(transparent)]
    Key(#[from] BadKey),
    /// TLS cannot be had as configured.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The OTA platform cannot be called there.
    #[error("{url:?} is no URL of an OTA platform; write it as http://127.0.0.1:8248")]
    OtaUrl {
        /// What was given.
        url: String,
    },
    /// The system refuses something.
    #[error("{what}: {why}")]
    System {
        /// What was tried.
        what: String,
        /// What the system says.
        why: std::io::Error,
    },
}

impl StartError {
    /// Whether another configuration would help.
    pub fn is_configuration(&self) -> bool {
        matches!(
            self,
            Self::DataDir { .. }
                | Self::Client { .. }
                | Self::HintIssuer { .. }
                | Self::HintIssuerKeys(_)
                | Self::Op(_)
                | Self::Port(_)
                | Self::OtaUrl { .. }
                | Self::Smpp(_)
                | Self::Tls(TlsError::File { .. } | TlsError::Server(_))
        )
    }
}

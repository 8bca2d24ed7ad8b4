//! The operations of TS 102 204 §7 that an AP can call, and how their elements are named.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An operation that this MSSP serves. MSS_Notification is not among them: there the AP serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// MSS_Signature, §7.1.
    #[serde(rename = "MSS_Signature")]
    Signature,
    /// MSS_StatusQuery, §7.2.
    #[serde(rename = "MSS_StatusQuery")]
    StatusQuery,
    /// MSS_Receipt, §7.3.
    #[serde(rename = "MSS_Receipt")]
    Receipt,
    /// MSS_Registration, §7.4.
    #[serde(rename = "MSS_Registration")]
    Registration,
    /// MSS_ProfileQuery, §7.5.
    #[serde(rename = "MSS_ProfileQuery")]
    ProfileQuery,
    /// MSS_Handshake, §7.7.
    #[serde(rename = "MSS_Handshake")]
    Handshake,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Signature,
        Self::StatusQuery,
        Self::Receipt,
        Self::Registration,
        Self::ProfileQuery,
        Self::Handshake,
    ];

    /// The element in Body, without its namespace.
    pub fn name(self) -> &'static str {
        self.names().0
    }

    /// The message in it.
    pub fn request(self) -> &'static str {
        self.names().1
    }

    /// The element in the Body of the answer.
    pub fn response_wrapper(self) -> &'static str {
        self.names().2
    }

    /// The message of the answer.
    pub fn response(self) -> &'static str {
        self.names().3
    }

    /// The operation with this element in Body.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// The operation whose request is this message.
    pub fn of_request(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.request() == name)
    }

    fn names(self) -> (&'static str, &'static str, &'static str, &'static str) {
        macro_rules! names {
            ($operation:literal, $message:literal) => {
                (
                    $operation,
                    concat!($message, "Req"),
                    concat!($operation, "Response"),
                    concat!($message, "Resp"),
                )
            };
        }
        match self {
            Self::Signature => names!("MSS_Signature", "MSS_Signature"),
            Self::StatusQuery => names!("MSS_StatusQuery", "MSS_Status"),
            Self::Receipt => names!("MSS_Receipt", "MSS_Receipt"),
            Self::Registration => names!("MSS_Registration", "MSS_Registration"),
            Self::ProfileQuery => names!("MSS_ProfileQuery", "MSS_Profile"),
            Self::Handshake => names!("MSS_Handshake", "MSS_Handshake"),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

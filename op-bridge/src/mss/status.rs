//! TS 102 204 status and fault codes, and what each means for a CIBA transaction.

use std::fmt;

use crate::record::{Failure, FailureKind};

/// A status code (StatusCode/@Value) or primary fault code (Subcode `_NNN`); unknown ones survive.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct StatusCode(pub u32);

impl StatusCode {
    /// REQUEST_OK.
    pub const REQUEST_OK: Self = Self(100);
    /// WRONG_PARAM.
    pub const WRONG_PARAM: Self = Self(101);
    /// UNAUTHORIZED_ACCESS.
    pub const UNAUTHORIZED_ACCESS: Self = Self(104);
    /// UNKNOWN_CLIENT.
    pub const UNKNOWN_CLIENT: Self = Self(105);
    /// UNSUPPORTED_PROFILE.
    pub const UNSUPPORTED_PROFILE: Self = Self(109);
    /// EXPIRED_TRANSACTION.
    pub const EXPIRED_TRANSACTION: Self = Self(208);
    /// OTA_ERROR.
    pub const OTA_ERROR: Self = Self(209);
    /// USER_SIGN.
    pub const USER_SIGN: Self = Self(400);
    /// USER_CANCEL.
    pub const USER_CANCEL: Self = Self(401);
    /// PIN_NR_BLOCKED.
    pub const PIN_NR_BLOCKED: Self = Self(402);
    /// CARD_BLOCKED.
    pub const CARD_BLOCKED: Self = Self(403);
    /// PB_SIGNATURE_PROCESS.
    pub const PB_SIGNATURE_PROCESS: Self = Self(406);
    /// SIGNATURE.
    pub const SIGNATURE: Self = Self(500);
    /// REVOKED_CERTIFICATE.
    pub const REVOKED_CERTIFICATE: Self = Self(501);
    /// VALID_SIGNATURE.
    pub const VALID_SIGNATURE: Self = Self(502);
    /// INVALID_SIGNATURE.
    pub const INVALID_SIGNATURE: Self = Self(503);
    /// OUTSTANDING_TRANSACTION.
    pub const OUTSTANDING_TRANSACTION: Self = Self(504);
    /// RET_OK_PUSH, what the OP answers a notification with.
    pub const RET_OK_PUSH: Self = Self(600);

    /// The symbolic name of the standard, if it has one.
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::REQUEST_OK => "REQUEST_OK",
            Self::WRONG_PARAM => "WRONG_PARAM",
            Self(102) => "MISSING_PARAM",
            Self(103) => "WRONG_DATA_LENGTH",
            Self::UNAUTHORIZED_ACCESS => "UNAUTHORIZED_ACCESS",
            Self::UNKNOWN_CLIENT => "UNKNOWN_CLIENT",
            Self(107) => "INAPPROPRIATE_DATA",
            Self(108) => "INCOMPATIBLE_INTERFACE",
            Self::UNSUPPORTED_PROFILE => "UNSUPPORTED_PROFILE",
            Self::EXPIRED_TRANSACTION => "EXPIRED_TRANSACTION",
            Self::OTA_ERROR => "OTA_ERROR",
            Self::USER_SIGN => "USER_SIGN",
            Self::USER_CANCEL => "USER_CANCEL",
            Self::PIN_NR_BLOCKED => "PIN_NR_BLOCKED",
            Self::CARD_BLOCKED => "CARD_BLOCKED",
            Self(404) => "NO_KEY_FOUND",
            Self::PB_SIGNATURE_PROCESS => "PB_SIGNATURE_PROCESS",
            Self::SIGNATURE => "SIGNATURE",
            Self::REVOKED_CERTIFICATE => "REVOKED_CERTIFICATE",
            Self::VALID_SIGNATURE => "VALID_SIGNATURE",
            Self::INVALID_SIGNATURE => "INVALID_SIGNATURE",
            Self::OUTSTANDING_TRANSACTION => "OUTSTANDING_TRANSACTION",
            Self::RET_OK_PUSH => "RET_OK_PUSH",
            Self(900) => "INTERNAL_ERROR",
            _ => return None,
        })
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{} {name}", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

/// What a code means for the transaction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// The user approved and the MSSP vouches for it.
    Approved,
    /// The handset is busy: try again later.
    Busy,
    /// It is over, without tokens.
    Failed(Failure),
    /// No outcome yet.
    Pending,
    /// The MSSP does not know the number.
    UnknownUser,
    /// This SIM cannot do what the SignatureProfile asks.
    UnsupportedProfile,
}

/// The table of outcomes. `accept_unvalidated` lets a signature that the MSSP did not check pass.
pub(crate) fn verdict(code: StatusCode, accept_unvalidated: bool) -> Verdict {
    let (kind, description) = match code {
        StatusCode::REQUEST_OK | StatusCode::USER_SIGN | StatusCode::OUTSTANDING_TRANSACTION => {
            return Verdict::Pending;
        }
        StatusCode::VALID_SIGNATURE => return Verdict::Approved,
        StatusCode::SIGNATURE if accept_unvalidated => return Verdict::Approved,
        StatusCode::PB_SIGNATURE_PROCESS => return Verdict::Busy,
        StatusCode::UNKNOWN_CLIENT => return Verdict::UnknownUser,
        StatusCode::UNSUPPORTED_PROFILE => return Verdict::UnsupportedProfile,
        StatusCode::USER_CANCEL => (FailureKind::Denied, "the user refused on the handset"),
        StatusCode::PIN_NR_BLOCKED => (FailureKind::Denied, "the PIN of the SIM applet is blocked"),
        StatusCode::CARD_BLOCKED => (FailureKind::Denied, "the PUK of the SIM applet is blocked"),
        StatusCode::EXPIRED_TRANSACTION => {
            (FailureKind::Expired, "the user did not answer in time")
        }
        StatusCode::OTA_ERROR => (
            FailureKind::Broken,
            "the handset or its SIM was not reached",
        ),
        StatusCode::SIGNATURE => (
            FailureKind::Broken,
            "the MSSP did not validate the signature, accept_unvalidated is off",
        ),
        StatusCode::REVOKED_CERTIFICATE | StatusCode::INVALID_SIGNATURE => {
            (FailureKind::Broken, "the MSSP found the signature invalid")
        }
        StatusCode::UNAUTHORIZED_ACCESS => (
            FailureKind::Broken,
            "the MSSP refused the OP, check ap_id and ap_pwd",
        ),
        _ => (FailureKind::Broken, "the MSSP reported an error"),
    };
    Verdict::Failed(Failure {
        kind,
        description: format!("{description} (MSS status {code})"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: u32) -> Option<FailureKind> {
        match verdict(StatusCode(code), false) {
            Verdict::Failed(failure) => Some(failure.kind),
            _ => None,
        }
    }

    #[test]
    fn outcomes_follow_the_table() {
        for denied in [401, 402, 403] {
            assert_eq!(kind(denied), Some(FailureKind::Denied), "{denied}");
        }
        assert_eq!(kind(208), Some(FailureKind::Expired));
        for broken in [101, 104, 209, 500, 501, 503, 900, 999, 12345] {
            assert_eq!(kind(broken), Some(FailureKind::Broken), "{broken}");
        }
        for pending in [100, 400, 504] {
            assert_eq!(
                verdict(StatusCode(pending), false),
                Verdict::Pending,
                "{pending}"
            );
        }
        assert_eq!(verdict(StatusCode(406), false), Verdict::Busy);
        assert_eq!(verdict(StatusCode(105), false), Verdict::UnknownUser);
        assert_eq!(verdict(StatusCode(109), false), Verdict::UnsupportedProfile);
        assert_eq!(verdict(StatusCode(502), false), Verdict::Approved);
        assert_eq!(verdict(StatusCode(500), true), Verdict::Approved);
    }
}

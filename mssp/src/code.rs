//! The numbers of TS 102 204 annexes B and C: one space for what a status says and for what a fault says.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A status or fault number. Numbers without a name survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Code(pub u16);

impl Code {
    /// The request was accepted; the result comes later.
    pub const REQUEST_OK: Self = Self(100);
    /// A value is wrong.
    pub const WRONG_PARAM: Self = Self(101);
    /// A value is missing.
    pub const MISSING_PARAM: Self = Self(102);
    /// The text is too long or too short.
    pub const WRONG_DATA_LENGTH: Self = Self(103);
    /// The AP may not do this, or did not prove who it is.
    pub const UNAUTHORIZED_ACCESS: Self = Self(104);
    /// The end user is not known here.
    pub const UNKNOWN_CLIENT: Self = Self(105);
    /// MSS_Handshake has to come first.
    pub const HANDSHAKE_REQUIRED: Self = Self(106);
    /// The data cannot be put before the user.
    pub const INAPPROPRIATE_DATA: Self = Self(107);
    /// A version of the interface that is not spoken here.
    pub const INCOMPATIBLE_INTERFACE: Self = Self(108);
    /// A signature profile that is not offered.
    pub const UNSUPPORTED_PROFILE: Self = Self(109);
    /// The time for the transaction is over.
    pub const EXPIRED_TRANSACTION: Self = Self(208);
    /// The challenge did not reach the card.
    pub const OTA_ERROR: Self = Self(209);
    /// The user cancelled.
    pub const USER_CANCEL: Self = Self(401);
    /// The signing PIN is blocked.
    pub const PIN_NR_BLOCKED: Self = Self(402);
    /// The PUK of the signing PIN is blocked.
    pub const CARD_BLOCKED: Self = Self(403);
    /// There is no key for this.
    pub const NO_KEY_FOUND: Self = Self(404);
    /// The signature could not be made now.
    pub const PB_SIGNATURE_PROCESS: Self = Self(406);
    /// The URL of a certificate cannot be used.
    pub const NO_URL_FOUND: Self = Self(405);
    /// There is no certificate for the key.
    pub const NO_CERT_FOUND: Self = Self(422);
    /// Revocation cannot be checked.
    pub const CRL_PB: Self = Self(423);
    /// The CRL has expired.
    pub const CRL_EXPIRED: Self = Self(424);
    /// Whether the certificate is revoked cannot be told.
    pub const ERROR_CERTIFICATE: Self = Self(425);
    /// The registration failed.
    pub const REGISTRATION_NOK: Self = Self(407);
    /// The registration is done.
    pub const REGISTRATION_OK: Self = Self(408);
    /// A signature was made.
    pub const SIGNATURE: Self = Self(500);
    /// A signature was made; the certificate is revoked.
    pub const REVOKED_CERTIFICATE: Self = Self(501);
    /// A signature was made and the MSSP validated it.
    pub const VALID_SIGNATURE: Self = Self(502);
    /// A signature was made, and is not valid.
    pub const INVALID_SIGNATURE: Self = Self(503);
    /// The transaction is not finished.
    pub const OUTSTANDING_TRANSACTION: Self = Self(504);
    /// A signature was made and is valid; its certificate breaks a constraint of the profile.
    pub const CONSTRAINT_MISMATCH: Self = Self(505);
    /// An AP's receipt: received, and the user may be told.
    pub const RET_OK_PUSH: Self = Self(600);
    /// A request should have come through the mesh and has no RoamingHeader.
    pub const ROAMING_HEADER_MISSING: Self = Self(701);
    /// A header block of the mesh lacks what it is for.
    pub const INPUT_INFORMATION_MISSING: Self = Self(710);
    /// A hop of the mesh gave up before the request came here.
    pub const VALIDITY_DATE_EXPIRED: Self = Self(720);
    /// Something failed in this MSSP.
    pub const INTERNAL_ERROR: Self = Self(900);

    /// The symbolic name, as it stands in StatusMessage and in a fault's Reason.
    pub fn name(self) -> &'static str {
        match self.0 {
            100 => "REQUEST_OK",
            101 => "WRONG_PARAM",
            102 => "MISSING_PARAM",
            103 => "WRONG_DATA_LENGTH",
            104 => "UNAUTHORIZED_ACCESS",
            105 => "UNKNOWN_CLIENT",
            106 => "HANDSHAKE_REQUIRED",
            107 => "INAPPROPRIATE_DATA",
            108 => "INCOMPATIBLE_INTERFACE",
            109 => "UNSUPPORTED_PROFILE",
            208 => "EXPIRED_TRANSACTION",
            209 => "OTA_ERROR",
            400 => "USER_SIGN",
            401 => "USER_CANCEL",
            402 => "PIN_NR_BLOCKED",
            403 => "CARD_BLOCKED",
            404 => "NO_KEY_FOUND",
            405 => "NO_URL_FOUND",
            406 => "PB_SIGNATURE_PROCESS",
            407 => "REGISTRATION_NOK",
            408 => "REGISTRATION_OK",
            422 => "NO_CERT_FOUND",
            423 => "CRL_PB",
            424 => "CRL_EXPIRED",
            425 => "ERROR_CERTIFICATE",
            450 => "GEOFENCING_POLICY_VIOLATION",
            500 => "SIGNATURE",
            501 => "REVOKED_CERTIFICATE",
            502 => "VALID_SIGNATURE",
            503 => "INVALID_SIGNATURE",
            504 => "OUTSTANDING_TRANSACTION",
            505 => "CONSTRAINT_MISMATCH",
            600 => "RET_OK_PUSH",
            601 => "RET_OK_NOPUSH",
            602 => "RET_NOK_PUSH",
            603 => "RET_NOK_NOPUSH",
            701 => "ROAMING_HEADER_MISSING",
            702 => "IDENTITY_ISSUER_HEADER_MISSING",
            703 => "HOME_MSSP_HEADER_MISSING",
            710 => "INPUT_INFORMATION_MISSING",
            720 => "VALIDITY_DATE_EXPIRED",
            750 => "RE_SERVICES_UNAVAILABLE",
            760 => "II_SERVICES_UNAVAILABLE",
            770 => "VE_SERVICES_UNAVAILABLE",
            780 => "SERVICES_UNAVAILABLE",
            900 => "INTERNAL_ERROR",
            _ => "UNNAMED",
        }
    }

    /// Is it one of the numbers that a fault has, and not a status?
    pub fn is_fault(self) -> bool {
        !matches!(self.0, 100 | 400 | 408 | 500..=505 | 600..=603) && self.name() != "UNNAMED"
    }

    /// Is the AP to blame? Then a fault with this number is `env:Sender`, otherwise `env:Receiver`.
    ///
    /// 109 counts as the MSSP's, although it is in the block of the request's errors.
    pub fn is_senders(self) -> bool {
        matches!(self.0, 101..=108 | 701..=720)
    }
}

/// Does FiCom's guideline have this second number? Its first three digits are the number above it.
pub(crate) fn is_second(number: u16) -> bool {
    matches!(
        number,
        1011..=1017
            | 1021..=1022
            | 1041..=1045
            | 1051..=1054
            | 2081..=2082
            | 2091..=2094
            | 4011..=4013
            | 4021
            | 4031..=4032
            | 4041..=4042
            | 4071..=4073
            | 9001..=9008
    )
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.name())
    }
}

//! The declarations of the schema.

use crate::operation::Operation;

#[derive(Clone, Copy)]
pub(super) enum Simple {
    AnyUri,
    Base64,
    Boolean,
    DateTime,
    Integer,
    NcName,
    OneOf(&'static [&'static str]),
    PositiveInteger,
    String,
}

impl Simple {
    /// Names of types whose values are all of this kind: the element's own, and what loses nothing of it.
    pub(super) fn types(self) -> &'static [&'static str] {
        match self {
            Self::AnyUri => &["anyURI"],
            Self::Base64 => &["base64Binary", "DigestValueType"],
            Self::Boolean => &["boolean"],
            Self::DateTime => &["dateTime"],
            Self::Integer => &["integer"],
            Self::NcName => &["NCName"],
            Self::OneOf(_) => &["SignatureProfileComparisonType"],
            Self::PositiveInteger => &["positiveInteger"],
            Self::String => &["string", "normalizedString", "token"],
        }
    }
}

pub(super) struct Attribute {
    pub(super) name: &'static str,
    pub(super) kind: Simple,
    pub(super) required: bool,
}

/// An element in a sequence. `None` as a name is an element of another schema.
pub(super) struct Particle {
    pub(super) name: Option<&'static str>,
    pub(super) kind: Kind,
    pub(super) least: usize,
    pub(super) most: usize,
}

#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Another schema's business.
    Open,
    Simple(Simple),
    Complex(&'static Complex),
}

pub(super) struct Complex {
    /// The type's name, as xsi:type may repeat it; none if it has no name.
    pub(super) name: Option<&'static str>,
    pub(super) attributes: &'static [Attribute],
    pub(super) content: Content,
}

pub(super) enum Content {
    Sequence(&'static [Particle]),
    Text(Simple),
}

const fn needs(name: &'static str, kind: Simple) -> Attribute {
    Attribute {
        name,
        kind,
        required: true,
    }
}

const fn may(name: &'static str, kind: Simple) -> Attribute {
    Attribute {
        name,
        kind,
        required: false,
    }
}

const fn one(name: &'static str, kind: Kind) -> Particle {
    Particle {
        name: Some(name),
        kind,
        least: 1,
        most: 1,
    }
}

const fn optional(name: &'static str, kind: Kind) -> Particle {
    Particle {
        name: Some(name),
        kind,
        least: 0,
        most: 1,
    }
}

const fn many(name: &'static str, kind: Kind) -> Particle {
    Particle {
        name: Some(name),
        kind,
        least: 0,
        most: usize::MAX,
    }
}

const fn others(least: usize, most: usize) -> Particle {
    Particle {
        name: None,
        kind: Kind::Open,
        least,
        most,
    }
}

const STRING: Kind = Kind::Simple(Simple::String);

const URI: Kind = Kind::Simple(Simple::AnyUri);
const BASE64: Kind = Kind::Simple(Simple::Base64);

static AP_INFO: Complex = Complex {
    name: None,
    attributes: &[
        needs("AP_ID", Simple::AnyUri),
        needs("AP_TransID", Simple::NcName),
        needs("AP_PWD", Simple::String),
        needs("Instant", Simple::DateTime),
        may("AP_URL", Simple::AnyUri),
    ],
    content: Content::Sequence(&[]),
};

static MESH_MEMBER: Complex = Complex {
    name: Some("MeshMemberType"),
    attributes: &[],
    content: Content::Sequence(&[
        optional("DNSName", STRING),
        optional("IPAddress", STRING),
        optional("URI", URI),
        optional("IdentifierString", STRING),
    ]),
};

const MESH: Kind = Kind::Complex(&MESH_MEMBER);

static MSSP_INFO: Complex = Complex {
    name: None,
    attributes: &[may("Instant", Simple::DateTime)],
    content: Content::Sequence(&[one("MSSP_ID", MESH)]),
};

static MOBILE_USER: Complex = Complex {
    name: Some("MobileUserType"),
    attributes: &[],
    content: Content::Sequence(&[
        optional("IdentityIssuer", MESH),
        optional("UserIdentifier", STRING),
        optional("HomeMSSP", MESH),
        optional("MSISDN", STRING),
    ]),
};

const USER: Kind = Kind::Complex(&MOBILE_USER);

static DATA: Complex = Complex {
    name: Some("DataType"),
    attributes: &[
        may("MimeType", Simple::String),
        may("Encoding", Simple::String),
    ],
    content: Content::Text(Simple::String),
};

static DIGEST: Complex = Complex {
    name: Some("DigestAlgAndValueType"),
    attributes: &[],
    content: Content::Sequence(&[
        optional("DigestMethod", Kind::Open),
        one("DigestValue", BASE64),
    ]),
};

static MSS_URI: Complex = Complex {
    name: Some("mssURIType"),
    attributes: &[],
    content: Content::Sequence(&[
        one("mssURI", URI),
        optional("DigestAlgAndValue", Kind::Complex(&DIGEST)),
        others(0, usize::MAX),
    ]),
};

const MSS_URI_KIND: Kind = Kind::Complex(&MSS_URI);

static SERVICE: Complex = Complex {
    name: Some("AdditionalServiceType"),
    attributes: &[],
    content: Content::Sequence(&[
        one("Description", MSS_URI_KIND),
        optional("Entity", MESH),
        others(0, usize::MAX),
    ]),
};

static SERVICES: Complex = Complex {
    name: None,
    attributes: &[],
    content: Content::Sequence(&[Particle {
        name: Some("Service"),
        kind: Kind::Complex(&SERVICE),
        least: 1,
        most: usize::MAX,
    }]),
};

static KEY_REFERENCE: Complex = Complex {
    name: Some("KeyReferenceType"),
    attributes: &[],
    content: Content::Sequence(&[
        many("CertificateURL", URI),
        many("CertificateIssuerDN", STRING),
        many("HashOfUsersPublicKey", Kind::Complex(&DIGEST)),
        many("HashOfCAPublicKey", Kind::Complex(&DIGEST)),
        others(1, 1),
    ]),
};

static STATUS_CODE: Complex = Complex {
    name: Some("StatusCodeType"),
    attributes: &[needs("Value", Simple::Integer)],
    content: Content::Sequence(&[optional("StatusCode", Kind::Open)]),
};

static STATUS: Complex = Complex {
    name: Some("StatusType"),
    attributes: &[],
    content: Content::Sequence(&[
        one("StatusCode", Kind::Complex(&STATUS_CODE)),
        optional("StatusMessage", STRING),
        optional("StatusDetail", Kind::Open),
    ]),
};

static SECURE_METHODS: Complex = Complex {
    name: Some("SecureMethodsType"),
    attributes: &[
        needs("MSS_Signature", Simple::Boolean),
        needs("MSS_Registration", Simple::Boolean),
        needs("MSS_Notification", Simple::Boolean),
        needs("MSS_ProfileQuery", Simple::Boolean),
        needs("MSS_Receipt", Simple::Boolean),
        needs("MSS_Status", Simple::Boolean),
    ],
    content: Content::Sequence(&[]),
};

static CERTIFICATES: Complex = Complex {
    name: Some("CertificatesType"),
    attributes: &[],
    content: Content::Sequence(&[many("Certificate", BASE64)]),
};

static ROOT_CAS: Complex = Complex {
    name: Some("RootCAsType"),
    attributes: &[],
    content: Content::Sequence(&[many("DN", STRING)]),
};

static ALGORITHMS: Complex = Complex {
    name: Some("AlgorithmsType"),
    attributes: &[],
    content: Content::Sequence(&[many("Algorithm", MSS_URI_KIND)]),
};

pub(super) const HEAD: [Particle; 2] = [
    one("AP_Info", Kind::Complex(&AP_INFO)),
    one("MSSP_Info", Kind::Complex(&MSSP_INFO)),
];

pub(super) const VERSION: [Attribute; 2] = [
    needs("MajorVersion", Simple::Integer),
    needs("MinorVersion", Simple::Integer),
];

const TRANS_ID: Attribute = needs("MSSP_TransID", Simple::NcName);

static SIGNATURE: ([Attribute; 3], [Particle; 8]) = (
    [
        needs(
            "MessagingMode",
            Simple::OneOf(&["synch", "asynchClientServer", "asynchServerServer"]),
        ),
        may("ValidityDate", Simple::DateTime),
        may("TimeOut", Simple::PositiveInteger),
    ],
    [
        one("MobileUser", USER),
        one("DataToBeSigned", Kind::Complex(&DATA)),
        optional("DataToBeDisplayed", Kind::Complex(&DATA)),
        optional("SignatureProfile", MSS_URI_KIND),
        optional("AdditionalServices", Kind::Complex(&SERVICES)),
        optional("MSS_Format", MSS_URI_KIND),
        optional("KeyReference", Kind::Complex(&KEY_REFERENCE)),
        optional(
            "SignatureProfileComparison",
            Kind::Simple(Simple::OneOf(&["exact", "minimum", "better"])),
        ),
    ],
);

static STATUS_REQ: [Attribute; 1] = [TRANS_ID];

static RECEIPT: [Particle; 4] = [
    one("MobileUser", USER),
    optional("Status", Kind::Complex(&STATUS)),
    optional("Message", Kind::Complex(&DATA)),
    optional("SignedReceipt", Kind::Open),
];

static REGISTRATION: [Particle; 6] = [
    one("MobileUser", USER),
    optional("EncryptedData", Kind::Open),
    optional("EncryptResponseBy", URI),
    optional("CertificateURI", URI),
    optional("X509Certificate", BASE64),
    others(0, usize::MAX),
];

static PROFILE: [Particle; 1] = [one("MobileUser", USER)];

static HANDSHAKE: [Particle; 4] = [
    one("SecureMethods", Kind::Complex(&SECURE_METHODS)),
    one("Certificates", Kind::Complex(&CERTIFICATES)),
    one("RootCAs", Kind::Complex(&ROOT_CAS)),
    one("SignatureAlgList", Kind::Complex(&ALGORITHMS)),
];

/// Attributes and elements of a message, beside those of every message.
pub(super) fn own_part(operation: Operation) -> (&'static [Attribute], &'static [Particle]) {
    match operation {
        Operation::Signature => (&SIGNATURE.0, &SIGNATURE.1),
        Operation::StatusQuery => (&STATUS_REQ, &[]),
        Operation::Receipt => (&STATUS_REQ, &RECEIPT),
        Operation::Registration => (&[], &REGISTRATION),
        Operation::ProfileQuery => (&[], &PROFILE),
        Operation::Handshake => (&[], &HANDSHAKE),
    }
}

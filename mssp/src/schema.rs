//! The schema of TS 102 204 annex A as a table, and what a request has that is not in it.
//!
//! Reading a message ([`crate::messages`]) is lenient; this says what an exact validator would refuse. The two additions
//! of deployed services (MobileUser in MSS_StatusReq, Params in MSS_ProfileReq) are deviations here.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    messages::DateTime,
    operation::Operation,
    soap::MSS,
    xml::{self, Element, is_nc_name},
};

const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Deviations of one message that are listed.
const MOST: usize = 20;

/// What deviates in a request, one sentence each; the first ones, if there are many.
pub(crate) fn deviations(operation: Operation, message: &Element) -> Vec<String> {
    let mut found = Found(Vec::new());
    found.message(operation, message);
    found.0.truncate(MOST);
    found.0
}

#[derive(Clone, Copy)]
enum Simple {
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
    fn types(self) -> &'static [&'static str] {
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

struct Attribute {
    name: &'static str,
    kind: Simple,
    required: bool,
}

/// An element in a sequence. `None` as a name is an element of another schema.
struct Particle {
    name: Option<&'static str>,
    kind: Kind,
    least: usize,
    most: usize,
}

#[derive(Clone, Copy)]
enum Kind {
    /// Another schema's business.
    Open,
    Simple(Simple),
    Complex(&'static Complex),
}

struct Complex {
    /// The type's name, as xsi:type may repeat it; none if it has no name.
    name: Option<&'static str>,
    attributes: &'static [Attribute],
    content: Content,
}

enum Content {
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

const HEAD: [Particle; 2] = [
    one("AP_Info", Kind::Complex(&AP_INFO)),
    one("MSSP_Info", Kind::Complex(&MSSP_INFO)),
];
const VERSION: [Attribute; 2] = [
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
fn own_part(operation: Operation) -> (&'static [Attribute], &'static [Particle]) {
    match operation {
        Operation::Signature => (&SIGNATURE.0, &SIGNATURE.1),
        Operation::StatusQuery => (&STATUS_REQ, &[]),
        Operation::Receipt => (&STATUS_REQ, &RECEIPT),
        Operation::Registration => (&[], &REGISTRATION),
        Operation::ProfileQuery => (&[], &PROFILE),
        Operation::Handshake => (&[], &HANDSHAKE),
    }
}

struct Found(Vec<String>);

impl Found {
    fn say(&mut self, what: String) {
        // One more than are listed, so that a hostile message costs little.
        if self.0.len() <= MOST {
            self.0.push(what);
        }
    }

    fn message(&mut self, operation: Operation, message: &Element) {
        let (attributes, particles) = own_part(operation);
        let all: Vec<_> = VERSION.iter().chain(attributes).collect();
        self.attributes(message, &all, &[&format!("{}Type", operation.request())]);
        let all: Vec<_> = HEAD.iter().chain(particles).collect();
        self.sequence(message, &all);
    }

    fn complex(&mut self, element: &Element, kind: &Complex) {
        let attributes: Vec<_> = kind.attributes.iter().collect();
        self.attributes(element, &attributes, kind.name.as_slice());
        match &kind.content {
            Content::Sequence(particles) => {
                let particles: Vec<_> = particles.iter().collect();
                self.sequence(element, &particles);
            }
            Content::Text(simple) => self.text(element, *simple),
        }
    }

    /// `types` are the names that xsi:type may have.
    fn attributes(&mut self, element: &Element, known: &[&Attribute], types: &[&str]) {
        for attribute in &element.attributes {
            match (
                attribute.ns.as_deref(),
                known.iter().find(|one| one.name == attribute.local),
            ) {
                (None, Some(one)) => {
                    self.value(
                        &format!("{}/@{}", element.local, one.name),
                        one.kind,
                        &attribute.value,
                    );
                }
                (Some(XSI), _) => self.instance(element, attribute, types),
                _ => self.say(format!(
                    "{} has attribute {}, which the schema does not know there",
                    element.local, attribute.local
                )),
            }
        }
        for one in known.iter().filter(|one| one.required) {
            if element.attribute(None, one.name).is_none() {
                self.say(format!("{} lacks attribute {}", element.local, one.name));
            }
        }
    }

    /// What XML Schema lets stand at every element (part 1 §2.6); no element of ours may be nil. Of the type, its name is
    /// looked at and not the prefix.
    fn instance(&mut self, element: &Element, attribute: &xml::Attribute, types: &[&str]) {
        match &*attribute.local {
            "schemaLocation" | "noNamespaceSchemaLocation" => {}
            "type" => {
                let given = attribute.value.trim_matches(xml::is_white);
                let name = given.split_once(':').map_or(given, |(_, local)| local);
                if !types.contains(&name) {
                    self.say(format!("{} has another type in xsi:type", element.local));
                }
            }
            other => self.say(format!(
                "{} has attribute xsi:{other}, which the schema does not allow there",
                element.local
            )),
        }
    }

    fn sequence(&mut self, element: &Element, particles: &[&Particle]) {
        if !element.has_only_elements() {
            self.say(format!("{} holds text", element.local));
        }
        let (mut at, mut count) = (0, 0);
        for child in element.elements() {
            let fits = |particle: &Particle| match particle.name {
                Some(name) => child.is(Some(MSS), name),
                None => child.ns.as_deref().is_some_and(|ns| ns != MSS),
            };
            let Some(ahead) = particles[at..].iter().position(|particle| fits(particle)) else {
                self.say(self.misplaced(element, child, particles));
                continue;
            };
            if ahead > 0 {
                self.too_few(element, &particles[at..at + ahead], count);
                (at, count) = (at + ahead, 0);
            }
            count += 1;
            if count > particles[at].most {
                self.say(format!(
                    "{} stands {count} times in {}",
                    child.local, element.local
                ));
            }
            match particles[at].kind {
                Kind::Open => {}
                Kind::Simple(simple) => {
                    self.attributes(child, &[], simple.types());
                    self.text(child, simple);
                }
                Kind::Complex(complex) => self.complex(child, complex),
            }
        }
        self.too_few(element, &particles[at..], count);
    }

    fn misplaced(&self, parent: &Element, child: &Element, particles: &[&Particle]) -> String {
        let known = particles.iter().any(|one| one.name == Some(&child.local));
        match child.ns.as_deref() {
            None if known => format!("{} stands in no namespace, expected {MSS}", child.local),
            Some(MSS) if known => {
                format!("{} stands too late in {}", child.local, parent.local)
            }
            _ => format!("{} does not belong into {}", child.local, parent.local),
        }
    }

    /// `seen` counts for the first of these particles.
    fn too_few(&mut self, parent: &Element, passed: &[&Particle], seen: usize) {
        for (n, particle) in passed.iter().enumerate() {
            if particle.least > if n == 0 { seen } else { 0 } {
                let name = particle.name.unwrap_or("an element of another schema");
                self.say(format!("{} lacks {name}", parent.local));
            }
        }
    }

    fn text(&mut self, element: &Element, kind: Simple) {
        if element.elements().next().is_some() {
            self.say(format!("{} holds elements, expected text", element.local));
        }
        self.value(&element.local, kind, &element.text());
    }

    fn value(&mut self, name: &str, kind: Simple, value: &str) {
        let trimmed = value.trim_matches(xml::is_white);
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let (good, what) = match kind {
            Simple::String => (true, ""),
            Simple::AnyUri => (
                !trimmed.contains([' ', '<', '>', '"', '{', '}', '|', '\\', '^', '`']),
                "a URI",
            ),
            Simple::Base64 => {
                let text: String = trimmed.split_ascii_whitespace().collect();
                (STANDARD.decode(text).is_ok(), "base64")
            }
            Simple::Boolean => (
                matches!(trimmed, "true" | "false" | "1" | "0"),
                "true or false",
            ),
            Simple::DateTime => (
                DateTime::parse(name, trimmed).is_ok(),
                "a date and time with a zone",
            ),
            Simple::Integer => (
                digits(trimmed.strip_prefix(['-', '+']).unwrap_or(trimmed)),
                "a whole number",
            ),
            Simple::NcName => (is_nc_name(trimmed), "an NCName"),
            Simple::OneOf(values) => (values.contains(&trimmed), "a value of its list"),
            Simple::PositiveInteger => {
                let text = trimmed.strip_prefix('+').unwrap_or(trimmed);
                (
                    digits(text) && text.bytes().any(|b| b != b'0'),
                    "a number above 0",
                )
            }
        };
        if !good {
            // Passwords and URLs of APs may be secret: the value is not repeated.
            self.say(format!("{name} is not {what}"));
        }
    }
}

#[cfg(test)]
mod tests;

//! The messages of TS 102 204 §8, typed. Reading one either succeeds or yields the fault to answer with.
//!
//! Reading is lenient where deployed clients differ from the schema: the order of elements is free, children may stand
//! in no namespace, elements of foreign namespaces are skipped. Elements of the schema's own namespace that the schema
//! does not know, or that stand twice, are refused.

mod handshake;
mod head;
mod profile;
mod receipt;
mod registration;
mod services;
mod signature;
mod status;
#[cfg(test)]
mod tests;
mod types;

pub use handshake::{HandshakeReq, HandshakeResp};
pub use head::{ApInfo, Head, InterfaceVersion, ResponseHead};
pub use profile::{ProfileReq, ProfileResp, SimDetails};
pub use receipt::{Acks, ReceiptCall, ReceiptReq, ReceiptResp};
pub use registration::{RegistrationReq, RegistrationResp};
pub use services::{Service, ServiceKind, ServiceResponse};
pub use signature::{Comparison, KeyReference, MessagingMode, SignatureReq, SignatureResp};
pub use status::{MssSignature, StatusReq, StatusResp};
pub use types::{Data, DateTime, MeshMember, MobileUser, Status};

use crate::{
    code::Code,
    soap::{Fault, MSS},
    xml::{Element, is_white},
};

/// The children of one element that belong to the schema, each name at most once.
struct Children<'a> {
    parent: &'a str,
    known: Vec<&'a Element<'a>>,
}

impl<'a> Children<'a> {
    /// # Errors
    /// 101 for an element that `names` lacks or that stands twice.
    fn new(parent: &'a Element<'a>, names: &[&str]) -> Result<Self, Fault> {
        let mut known: Vec<&Element> = Vec::new();
        for child in parent.elements() {
            if !matches!(child.ns.as_deref(), None | Some(MSS)) {
                continue;
            }
            if !names.contains(&&*child.local) {
                return Err(wrong(format!(
                    "{} does not belong into {}, which may hold {}",
                    child.local,
                    parent.local,
                    names.join(", ")
                )));
            }
            if known.iter().any(|other| other.local == child.local) {
                return Err(wrong(format!(
                    "{} stands twice in {}",
                    child.local, parent.local
                )));
            }
            known.push(child);
        }
        Ok(Self {
            parent: &parent.local,
            known,
        })
    }

    fn optional(&self, name: &str) -> Option<&'a Element<'a>> {
        self.known.iter().copied().find(|e| e.local == name)
    }

    fn required(&self, name: &str) -> Result<&'a Element<'a>, Fault> {
        self.optional(name)
            .ok_or_else(|| missing(format!("{} lacks element {name}", self.parent)))
    }

    fn text(&self, name: &str) -> Option<String> {
        self.optional(name).map(|e| trimmed(&e.text()).to_owned())
    }
}

/// An attribute that the schema requires, white space trimmed.
fn required<'a>(element: &'a Element<'a>, name: &str) -> Result<&'a str, Fault> {
    match element.attribute(None, name).map(trimmed) {
        None | Some("") => Err(missing(format!("{} lacks attribute {name}", element.local))),
        Some(value) => Ok(value),
    }
}

fn optional<'a>(element: &'a Element<'a>, name: &str) -> Option<&'a str> {
    element.attribute(None, name).map(trimmed)
}

/// White space of XML is nobody's data; other blanks, such as U+00A0, are.
fn trimmed(text: &str) -> &str {
    text.trim_matches(is_white)
}

fn wrong(detail: impl Into<String>) -> Fault {
    Fault::new(Code::WRONG_PARAM, detail)
}

fn missing(detail: impl Into<String>) -> Fault {
    Fault::new(Code::MISSING_PARAM, detail)
}

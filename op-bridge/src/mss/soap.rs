//! SOAP envelopes (SOAP 1.2 part 1 §5; SOAP 1.1 §4 is read too): finding the message in them, and
//! what a reply has to mirror.

use super::xml::{self, Element, XmlError};
use super::{SOAP_11, SOAP_12};

/// A SOAP message with the TS 102 204 message found in it.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// Namespace of the envelope.
    pub(super) soap: &'static str,
    /// Namespace and name of the rpc wrapper; `None` for a bare (document) body.
    pub(super) wrapper: Option<(String, String)>,
    /// The message part, or the Fault.
    pub(super) part: Element,
}

/// Why the octets are not a SOAP message with a body.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum SoapError {
    #[error("the SOAP body is empty")]
    EmptyBody,
    #[error("not a SOAP envelope, the root element is {{{namespace}}}{name}")]
    NotAnEnvelope { namespace: String, name: String },
    #[error(transparent)]
    Xml(#[from] XmlError),
}

/// Reads an envelope.
pub(crate) fn read_incoming(octets: &[u8]) -> Result<Incoming, SoapError> {
    let envelope = xml::parse(octets)?;
    let soap = match envelope.namespace.as_str() {
        SOAP_12 if envelope.name == "Envelope" => SOAP_12,
        SOAP_11 if envelope.name == "Envelope" => SOAP_11,
        _ => {
            return Err(SoapError::NotAnEnvelope {
                namespace: envelope.namespace,
                name: envelope.name,
            });
        }
    };
    let mut entry = envelope
        .children
        .into_iter()
        .find(|child| child.name == "Body" && child.namespace == soap)
        .and_then(|body| body.children.into_iter().next())
        .ok_or(SoapError::EmptyBody)?;
    // The message part is the wrapper's child. A body whose entry already carries AP_Info is bare.
    let bare = entry.name == "Fault" || entry.child("AP_Info").is_some();
    if bare || entry.children.is_empty() {
        return Ok(Incoming {
            soap,
            wrapper: None,
            part: entry,
        });
    }
    let part = entry.children.swap_remove(0);
    Ok(Incoming {
        soap,
        wrapper: Some((entry.namespace, entry.name)),
        part,
    })
}

impl Incoming {
    /// Local name of the message, for example `MSS_StatusResp`.
    pub(crate) fn message(&self) -> &str {
        &self.part.name
    }
}

//! The OP as an application provider of TS 102 204: the SOAP messages it sends to the MSSP and the
//! ones it reads from it.
//!
//! Reading is tolerant of what real services differ in (prefixes, qualified or unqualified message
//! parts, wrapped or bare bodies, SOAP 1.1 or 1.2); writing is plain SOAP 1.2, rpc/literal, and a
//! receipt mirrors the namespaces of the notification it answers.

mod read;
mod soap;
mod status;
mod write;
mod xml;

pub(crate) use read::{Reading, Report, read_answer};
pub(crate) use soap::{Incoming, read_incoming};
pub use status::StatusCode;
pub(crate) use status::{Verdict, verdict};
pub(crate) use write::{CONTENT_TYPE, SignatureReq, fault, receipt, signature_req, status_req};

/// Namespace of the TS 102 204 messages.
pub(crate) const MSS: &str = "http://uri.etsi.org/TS102204/v1.1.2#";
/// SOAP 1.2 envelope.
pub(crate) const SOAP_12: &str = "http://www.w3.org/2003/05/soap-envelope";
/// SOAP 1.1 envelope.
pub(crate) const SOAP_11: &str = "http://schemas.xmlsoap.org/soap/envelope/";

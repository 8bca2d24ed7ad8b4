//! MSS_HandshakeReq and MSS_HandshakeResp (TS 102 204 §8.12, §8.13): which messages are to carry an XML signature, and
//! with what keys.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{ResponseHead, missing, required, types::mss_uri, wrong};
use crate::{
    operation::Operation,
    soap::{Fault, Shape},
    xml::Element,
};

/// The attributes of SecureMethods.
const METHODS: [&str; 6] = [
    "MSS_Signature",
    "MSS_Registration",
    "MSS_Notification",
    "MSS_ProfileQuery",
    "MSS_Receipt",
    "MSS_Status",
];

/// What an AP proposes, without its head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeReq {
    /// The methods whose messages the AP wants signed.
    pub secure_methods: Vec<&'static str>,
    /// Certificates/Certificate, decoded.
    pub certificates: Vec<Vec<u8>>,
    /// RootCAs/DN.
    pub root_cas: Vec<String>,
    /// SignatureAlgList/Algorithm/mssURI.
    pub algorithms: Vec<String>,
}

impl HandshakeReq {
    /// Reads the message after its [`super::Head`].
    ///
    /// # Errors
    /// 102 for what is missing, 101 for what is wrong.
    pub fn parse(message: &Element) -> Result<Self, Fault> {
        let children = super::Children::new(
            message,
            &[
                "AP_Info",
                "MSSP_Info",
                "SecureMethods",
                "Certificates",
                "RootCAs",
                "SignatureAlgList",
            ],
        )?;
        let methods = children.required("SecureMethods")?;
        let mut secure_methods = Vec::new();
        for name in METHODS {
            match required(methods, name)? {
                "true" | "1" => secure_methods.push(name),
                "false" | "0" => {}
                other => {
                    return Err(wrong(format!(
                        "SecureMethods/@{name}={other:?} is no boolean"
                    )));
                }
            }
        }
        let certificates = list(children.required("Certificates")?, "Certificate")?
            .map(|e| {
                let text: String = e.text().split_ascii_whitespace().collect();
                STANDARD
                    .decode(text)
                    .map_err(|e| wrong(format!("a Certificate is not base64: {e}")))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            secure_methods,
            certificates,
            root_cas: list(children.required("RootCAs")?, "DN")?
                .map(|e| e.text().into_owned())
                .collect(),
            algorithms: list(children.required("SignatureAlgList")?, "Algorithm")?
                .map(mss_uri)
                .collect::<Result<_, _>>()?,
        })
    }
}

/// The children of a list, which all have one name.
fn list<'a>(
    element: &'a Element<'a>,
    name: &'a str,
) -> Result<impl Iterator<Item = &'a Element<'a>> + use<'a>, Fault> {
    match element.elements().find(|e| e.local != name) {
        Some(other) => Err(wrong(format!(
            "{} does not belong into {}, which holds {name}",
            other.local, element.local
        ))),
        None if !element.has_only_elements() => Err(missing(format!(
            "{} holds elements, not text",
            element.local
        ))),
        None => Ok(element.elements()),
    }
}

/// What comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeResp {
    /// Head.
    pub head: ResponseHead,
    /// MSSP_TransID.
    pub mssp_trans_id: String,
    /// MatchingAPCertificates/Certificate, DER.
    pub ap_certificates: Vec<Vec<u8>>,
}

impl HandshakeResp {
    /// The whole envelope, in the shape of the request. No method is secured: messages with XML signatures are not made
    /// here.
    pub fn to_xml(&self, shape: &Shape) -> String {
        shape.answer(Operation::Handshake, |w| {
            w.attribute("MSSP_TransID", &self.mssp_trans_id);
            self.head.write(w);
            w.open("mss:SecureMethods");
            for name in METHODS {
                w.attribute(name, "false");
            }
            w.close();
            w.open("mss:MatchingMSSPCertificates").close();
            w.open("mss:MatchingAPCertificates");
            for der in &self.ap_certificates {
                w.leaf("mss:Certificate", &STANDARD.encode(der));
            }
            w.close();
            w.open("mss:MatchingSigAlgList").close();
        })
    }
}

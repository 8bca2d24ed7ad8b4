//! MSS_RegistrationReq and MSS_RegistrationResp (TS 102 204 §8.6, §8.7).

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{Children, MobileUser, ResponseHead, Status, wrong};
use crate::{
    operation::Operation,
    soap::{Fault, MIDSIM, Shape},
    xml::Element,
};

/// A registration, without its head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationReq {
    /// MobileUser.
    pub user: MobileUser,
    /// Whether EncryptedData is there. What is in it would be for somebody who has the key.
    pub encrypted: bool,
    /// CertificateURI.
    pub certificate_uri: Option<String>,
    /// X509Certificate, decoded.
    pub x509_certificate: Option<Vec<u8>>,
    /// Deregister in midsim's own namespace: the standard registers only.
    pub deregister: bool,
}

impl RegistrationReq {
    /// Reads the message after its [`super::Head`].
    ///
    /// # Errors
    /// 102 for what is missing, 101 for what is wrong.
    pub fn parse(message: &Element) -> Result<Self, Fault> {
        let children = Children::new(
            message,
            &[
                "AP_Info",
                "MSSP_Info",
                "MobileUser",
                "EncryptedData",
                "EncryptResponseBy",
                "CertificateURI",
                "X509Certificate",
            ],
        )?;
        let x509_certificate = children
            .text("X509Certificate")
            .map(|text| {
                let text: String = text.split_ascii_whitespace().collect();
                STANDARD
                    .decode(text)
                    .map_err(|e| wrong(format!("X509Certificate is not base64: {e}")))
            })
            .transpose()?;
        Ok(Self {
            user: MobileUser::parse(children.required("MobileUser")?)?,
            encrypted: children.optional("EncryptedData").is_some(),
            certificate_uri: children.text("CertificateURI"),
            x509_certificate,
            deregister: message.elements().any(|e| e.is(Some(MIDSIM), "Deregister")),
        })
    }
}

/// The answer to a registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationResp {
    /// Head.
    pub head: ResponseHead,
    /// Status.
    pub status: Status,
    /// X509Certificate, DER.
    pub x509_certificate: Option<Vec<u8>>,
}

impl RegistrationResp {
    /// The whole envelope, in the shape of the request.
    pub fn to_xml(&self, shape: &Shape) -> String {
        shape.answer(Operation::Registration, |w| {
            self.head.write(w);
            self.status.write(w);
            if let Some(der) = &self.x509_certificate {
                w.leaf("mss:X509Certificate", &STANDARD.encode(der));
            }
        })
    }
}

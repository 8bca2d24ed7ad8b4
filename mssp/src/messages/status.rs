//! MSS_StatusReq and MSS_StatusResp (TS 102 204 §8.4, §8.5).

use base64::{Engine, engine::general_purpose::STANDARD};

use serde::{Deserialize, Serialize};

use super::{Children, MobileUser, ResponseHead, Status, required};
use crate::{
    dialect::FICOM,
    record::serial,
    soap::{Fault, Shape},
    xml::{Element, Writer},
};

/// A question for the state of a transaction, without its head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusReq {
    /// MSSP_TransID.
    pub mssp_trans_id: String,
}

impl StatusReq {
    /// Reads the message after its [`super::Head`]. MobileUser, which some deployments add, is read over.
    ///
    /// # Errors
    /// 102 if MSSP_TransID is missing, 101 for unknown elements.
    pub fn parse(message: &Element) -> Result<Self, Fault> {
        Children::new(message, &["AP_Info", "MSSP_Info", "MobileUser"])?;
        Ok(Self {
            mssp_trans_id: required(message, "MSSP_TransID")?.to_owned(),
        })
    }
}

/// The state of a transaction: answer to MSS_StatusQuery, request of MSS_Notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusResp {
    /// Head.
    pub head: ResponseHead,
    /// MSSP_TransID, for notifications only: the schema as published knows it in requests alone.
    pub mssp_trans_id: Option<String>,
    /// MobileUser of the signature request.
    pub user: MobileUser,
    /// MSS_Signature.
    pub signature: Option<MssSignature>,
    /// Status.
    pub status: Status,
}

impl StatusResp {
    /// The whole envelope, in `wrapper`: MSS_StatusQueryResponse or MSS_Notification.
    pub fn to_xml(&self, shape: &Shape, wrapper: &str) -> String {
        shape.envelope(wrapper, "MSS_StatusResp", |w| {
            w.optional_attribute("MSSP_TransID", self.mssp_trans_id.as_deref());
            self.head.write(w);
            self.user.write(w);
            write_signature(w, self.signature.as_ref());
            self.status.write(w);
        })
    }
}

/// SignatureType.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MssSignature {
    /// Base64Signature, decoded: a MAC, a SignedData, or the signature value alone.
    Base64(#[serde(with = "serial::octets")] Vec<u8>),
    /// fi:PKCS1.
    Pkcs1 {
        /// SignatureValue.
        #[serde(with = "serial::octets")]
        value: Vec<u8>,
        /// X509Certificate.
        #[serde(with = "serial::octets")]
        certificate: Vec<u8>,
    },
}

pub(super) fn write_signature(w: &mut Writer, signature: Option<&MssSignature>) {
    let Some(signature) = signature else {
        return;
    };
    w.open("mss:MSS_Signature");
    match signature {
        MssSignature::Base64(octets) => {
            w.leaf("mss:Base64Signature", &STANDARD.encode(octets));
        }
        MssSignature::Pkcs1 { value, certificate } => {
            w.open("fi:PKCS1")
                .attribute("xmlns:fi", FICOM)
                .leaf("fi:SignatureValue", &STANDARD.encode(value))
                .leaf("fi:X509Certificate", &STANDARD.encode(certificate))
                .close();
        }
    }
    w.close();
}

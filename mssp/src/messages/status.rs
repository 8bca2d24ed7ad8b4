//! MSS_StatusReq and MSS_StatusResp (TS 102 204 §8.4, §8.5).

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{Children, MobileUser, ResponseHead, Status, required};
use crate::{
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
    /// MSS_Signature/Base64Signature, decoded.
    pub signature: Option<Vec<u8>>,
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
            write_signature(w, self.signature.as_deref());
            self.status.write(w);
        })
    }
}

pub(super) fn write_signature(w: &mut Writer, signature: Option<&[u8]>) {
    if let Some(octets) = signature {
        w.open("mss:MSS_Signature")
            .leaf("mss:Base64Signature", &STANDARD.encode(octets))
            .close();
    }
}

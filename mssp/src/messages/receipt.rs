//! MSS_ReceiptReq and MSS_ReceiptResp (TS 102 204 §8.10, §8.11). The request goes both ways: an AP calls MSS_Receipt with
//! it (§7.3), and answers a notification with it (§7.6).

use super::{Children, Data, MobileUser, ResponseHead, Status, optional, required, wrong};
use crate::{
    code::Code,
    operation::Operation,
    soap::{Fault, Shape},
    xml::Element,
};

/// Namespace of a deployed service's additions to receipts.
const RECEIPT_EXTENSION: &str = "http://www.swisscom.ch/TS102204/ext/v1.0.0";

/// What an AP answers to a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptReq {
    /// MSSP_TransID.
    pub mssp_trans_id: String,
    /// Status/StatusCode/@Value: 600 to 603.
    pub status: Option<Code>,
}

impl ReceiptReq {
    /// Reads the message. Only what matters to an answer is looked at.
    ///
    /// # Errors
    /// 101 if it is no MSS_ReceiptReq or its status is no number, 102 if MSSP_TransID is missing.
    pub fn parse(message: &Element) -> Result<Self, Fault> {
        if message.local != "MSS_ReceiptReq" {
            return Err(wrong(format!("{}, expected MSS_ReceiptReq", message.local)));
        }
        let status = message
            .elements()
            .find(|e| e.local == "Status")
            .and_then(|status| status.elements().find(|e| e.local == "StatusCode"))
            .and_then(|code| optional(code, "Value"))
            .map(|value| {
                value
                    .parse()
                    .map(Code)
                    .map_err(|_| wrong(format!("StatusCode {value:?} is not a number")))
            })
            .transpose()?;
        Ok(Self {
            mssp_trans_id: required(message, "MSSP_TransID")?.to_owned(),
            status,
        })
    }
}

/// A call of MSS_Receipt, without its head: the AP tells what became of the signature it got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptCall {
    /// What any receipt has.
    pub receipt: ReceiptReq,
    /// MobileUser.
    pub user: MobileUser,
    /// Message, for the user.
    pub message: Option<Data>,
    /// ReceiptRequestExtension in StatusDetail: the AP wants to hear how far the message came.
    pub wants_acks: bool,
    /// Its attribute UserAck: also what the user did, and waits for that.
    pub wants_user_ack: bool,
}

impl ReceiptCall {
    /// Reads the message after its [`super::Head`]. SignedReceipt is read over.
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
                "Status",
                "Message",
                "SignedReceipt",
            ],
        )?;
        let extension = children.optional("Status").and_then(|status| {
            status
                .elements()
                .filter(|e| e.local == "StatusDetail")
                .flat_map(Element::elements)
                .find(|e| e.is(Some(RECEIPT_EXTENSION), "ReceiptRequestExtension"))
        });
        let user_ack = extension.and_then(|extension| optional(extension, "UserAck"));
        Ok(Self {
            receipt: ReceiptReq::parse(message)?,
            user: MobileUser::parse(children.required("MobileUser")?)?,
            message: children.optional("Message").map(Data::parse).transpose()?,
            wants_acks: extension.is_some(),
            wants_user_ack: matches!(user_ack, Some("true" | "1")),
        })
    }
}

/// How far a receipt came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acks {
    /// NetworkAck: the platform has it.
    pub network: bool,
    /// ClientAck: the applet has answered.
    pub client: bool,
    /// UserResponse: what the user did with it: `OK`, `CANCEL` or `TIMEOUT`. UserAck is that they pressed a key.
    pub response: Option<&'static str>,
}

/// The answer to MSS_Receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptResp {
    /// Head.
    pub head: ResponseHead,
    /// Status.
    pub status: Status,
    /// ReceiptResponseExtension in StatusDetail, if it is wanted.
    pub acks: Option<Acks>,
}

impl ReceiptResp {
    /// The whole envelope, in the shape of the request.
    pub fn to_xml(&self, shape: &Shape) -> String {
        shape.answer(Operation::Receipt, |w| {
            self.head.write(w);
            let Some(acks) = self.acks else {
                self.status.write(w);
                return;
            };
            self.status.write_with(w, |w| {
                let boolean = |value| if value { "true" } else { "false" };
                let pressed = matches!(acks.response, Some("OK" | "CANCEL"));
                w.open("sco:ReceiptResponseExtension")
                    .attribute("xmlns:sco", RECEIPT_EXTENSION)
                    .attribute("ReceiptMessagingMode", "synch")
                    .attribute("NetworkAck", boolean(acks.network))
                    .attribute("ClientAck", boolean(acks.client))
                    .attribute("UserAck", boolean(pressed));
                if let Some(response) = acks.response {
                    w.attribute("UserResponse", &format!("{{\"status\":\"{response}\"}}"));
                }
                w.close();
            });
        })
    }
}

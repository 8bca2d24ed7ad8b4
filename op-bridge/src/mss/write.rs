//! The messages the OP sends: MSS_SignatureReq, MSS_StatusReq, and, as the answer to a notification,
//! MSS_ReceiptReq or a fault (TS 102 204).

use jiff::Timestamp;

use super::read::Report;
use super::soap::Incoming;
use super::status::StatusCode;
use super::xml::escape;
use super::{MSS, SOAP_11, SOAP_12};
use crate::config::Mssp;
use crate::hint::Msisdn;

/// Media type of SOAP 1.2.
pub(crate) const CONTENT_TYPE: &str = "application/soap+xml; charset=utf-8";

/// What goes into an MSS_SignatureReq beside the AP's own data.
pub(crate) struct SignatureReq<'a> {
    pub(crate) ap_trans_id: &'a str,
    /// Where the MSSP notifies; asynchServerServer only.
    pub(crate) ap_url: Option<&'a str>,
    pub(crate) msisdn: &'a Msisdn,
    pub(crate) text: &'a str,
    pub(crate) profile: &'a str,
    /// Seconds.
    pub(crate) time_out: u32,
}

/// MSS_Signature.
pub(crate) fn signature_req(mssp: &Mssp, request: &SignatureReq<'_>, now: Timestamp) -> Vec<u8> {
    let mode = mssp.messaging.as_str();
    let ap_url = request
        .ap_url
        .map(|url| format!(" AP_URL=\"{}\"", escape(url)))
        .unwrap_or_default();
    request_envelope(
        "MSS_Signature",
        &format!(
            "<mss:MSS_SignatureReq MajorVersion=\"1\" MinorVersion=\"1\" MessagingMode=\"{mode}\" \
             TimeOut=\"{time_out}\">{ap_info}<mss:MSSP_Info><mss:MSSP_ID/></mss:MSSP_Info>\
             <mss:MobileUser><mss:MSISDN>{msisdn}</mss:MSISDN></mss:MobileUser>\
             <mss:DataToBeSigned MimeType=\"text/plain\" Encoding=\"UTF-8\">{text}</mss:DataToBeSigned>\
             <mss:SignatureProfile><mss:mssURI>{profile}</mss:mssURI></mss:SignatureProfile>\
             </mss:MSS_SignatureReq>",
            time_out = request.time_out,
            ap_info = ap_info(mssp, request.ap_trans_id, &ap_url, now),
            msisdn = request.msisdn,
            text = escape(request.text),
            profile = escape(request.profile),
        ),
    )
}

/// MSS_StatusQuery.
pub(crate) fn status_req(
    mssp: &Mssp,
    ap_trans_id: &str,
    mssp_trans_id: &str,
    mssp_uri: Option<&str>,
    now: Timestamp,
) -> Vec<u8> {
    request_envelope(
        "MSS_StatusQuery",
        &format!(
            "<mss:MSS_StatusReq MajorVersion=\"1\" MinorVersion=\"1\" MSSP_TransID=\"{}\">{}{}\
             </mss:MSS_StatusReq>",
            escape(mssp_trans_id),
            ap_info(mssp, ap_trans_id, "", now),
            mssp_info(mssp_uri),
        ),
    )
}

/// The MSS_ReceiptReq that answers a notification, in the notification's namespaces.
pub(crate) fn receipt(
    mssp: &Mssp,
    notification: &Incoming,
    report: &Report,
    status: StatusCode,
    now: Timestamp,
) -> Vec<u8> {
    let prefix = if notification.part.namespace.is_empty() {
        ""
    } else {
        "mss:"
    };
    let part = format!(
        "<{prefix}MSS_ReceiptReq MajorVersion=\"1\" MinorVersion=\"1\" MSSP_TransID=\"{}\">{}{}\
         <mss:MobileUser><mss:MSISDN>{}</mss:MSISDN></mss:MobileUser>\
         <mss:Status><mss:StatusCode Value=\"{}\"/><mss:StatusMessage>{}</mss:StatusMessage></mss:Status>\
         </{prefix}MSS_ReceiptReq>",
        escape(report.mssp_trans_id.as_deref().unwrap_or_default()),
        ap_info(
            mssp,
            report.ap_trans_id.as_deref().unwrap_or_default(),
            "",
            now
        ),
        mssp_info(report.mssp_uri.as_deref()),
        escape(report.msisdn.as_deref().unwrap_or_default()),
        status.0,
        status.name().unwrap_or_default(),
    );
    let body = match &notification.wrapper {
        None => part,
        Some((namespace, _)) if namespace.is_empty() => {
            format!("<MSS_NotificationResponse>{part}</MSS_NotificationResponse>")
        }
        Some((namespace, _)) => format!(
            "<w:MSS_NotificationResponse xmlns:w=\"{}\">{part}</w:MSS_NotificationResponse>",
            escape(namespace)
        ),
    };
    envelope(notification.soap, &body)
}

/// A fault that blames the sender. `notification` is what to mirror, if it could be read.
pub(crate) fn fault(notification: Option<&Incoming>, code: StatusCode, detail: &str) -> Vec<u8> {
    let name = code.name().unwrap_or("ERROR");
    let detail = escape(detail);
    let body = match notification.map_or(SOAP_12, |incoming| incoming.soap) {
        SOAP_11 => format!(
            "<env:Fault><faultcode>env:Client</faultcode><faultstring>{name}</faultstring>\
             <detail><mss:detail>{detail}</mss:detail></detail></env:Fault>"
        ),
        _ => format!(
            "<env:Fault><env:Code><env:Value>env:Sender</env:Value><env:Subcode>\
             <env:Value>mss:_{}</env:Value></env:Subcode></env:Code>\
             <env:Reason><env:Text xml:lang=\"en\">{name}</env:Text></env:Reason>\
             <env:Detail><mss:detail>{detail}</mss:detail></env:Detail></env:Fault>",
            code.0
        ),
    };
    envelope(
        notification.map_or(SOAP_12, |incoming| incoming.soap),
        &body,
    )
}

impl Incoming {
    /// Media type for a reply in the same SOAP version.
    pub(crate) fn content_type(&self) -> &'static str {
        if self.soap == SOAP_11 {
            "text/xml; charset=utf-8"
        } else {
            CONTENT_TYPE
        }
    }
}

fn request_envelope(operation: &str, part: &str) -> Vec<u8> {
    envelope(SOAP_12, &format!("<{operation}>{part}</{operation}>"))
}

fn envelope(soap: &str, body: &str) -> Vec<u8> {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<env:Envelope xmlns:env=\"{soap}\" \
         xmlns:mss=\"{MSS}\"><env:Body>{body}</env:Body></env:Envelope>"
    )
    .into_bytes()
}

fn ap_info(mssp: &Mssp, ap_trans_id: &str, more: &str, now: Timestamp) -> String {
    format!(
        "<mss:AP_Info AP_ID=\"{}\" AP_TransID=\"{}\" AP_PWD=\"{}\" Instant=\"{now:.3}\"{more}/>",
        escape(&mssp.ap_id),
        escape(ap_trans_id),
        escape(mssp.ap_pwd.expose()),
    )
}

fn mssp_info(uri: Option<&str>) -> String {
    match uri {
        None => "<mss:MSSP_Info><mss:MSSP_ID/></mss:MSSP_Info>".to_owned(),
        Some(uri) => format!(
            "<mss:MSSP_Info><mss:MSSP_ID><mss:URI>{}</mss:URI></mss:MSSP_ID></mss:MSSP_Info>",
            escape(uri)
        ),
    }
}

#[cfg(test)]
mod tests;

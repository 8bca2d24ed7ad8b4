//! The messages the MSSP sends: MSS_SignatureResp, MSS_StatusResp (as an answer and as the
//! notification of asynchServerServer) and SOAP faults (TS 102 204).

use super::soap::{Incoming, read_incoming};
use super::status::StatusCode;
use super::xml::Element;

/// What an answer of the MSSP turned out to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Reading {
    /// A SOAP fault.
    Fault(Fault),
    /// A message with a status.
    Report(Report),
    /// Nothing we understand; says why.
    Unreadable(String),
}

/// The essentials of an MSS_SignatureResp or MSS_StatusResp.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Report {
    /// Local name of the message.
    pub(crate) message: String,
    pub(crate) ap_trans_id: Option<String>,
    pub(crate) mssp_trans_id: Option<String>,
    /// MSSP_Info/MSSP_ID/URI.
    pub(crate) mssp_uri: Option<String>,
    /// MobileUser/MSISDN as sent.
    pub(crate) msisdn: Option<String>,
    /// Status/StatusCode/@Value.
    pub(crate) status: Option<StatusCode>,
    /// Whether an MSS_Signature came along.
    pub(crate) signed: bool,
}

/// A SOAP fault.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Fault {
    /// Primary code: the first Subcode of the form `prefix:_NNN`.
    pub(crate) code: Option<StatusCode>,
    /// Every Subcode's local part, outermost first.
    pub(crate) subcodes: Vec<String>,
    /// Reason/Text.
    pub(crate) reason: String,
    /// Detail, its text joined.
    pub(crate) detail: String,
}

/// Reads the MSSP's answer to one of our requests. Faults come under 4xx and 5xx, so the HTTP status
/// says nothing that the body does not say better.
pub(crate) fn read_answer(octets: &[u8]) -> Reading {
    match read_incoming(octets) {
        Err(error) => Reading::Unreadable(error.to_string()),
        Ok(incoming) if incoming.part.name == "Fault" => Reading::Fault(fault(&incoming.part)),
        Ok(incoming) => match incoming.report() {
            report if report.status.is_some() => Reading::Report(report),
            report => Reading::Unreadable(format!("{} has no Status", report.message)),
        },
    }
}

impl Incoming {
    /// The essentials of the message.
    pub(crate) fn report(&self) -> Report {
        let part = &self.part;
        let owned = |value: &str| Some(value.trim().to_owned()).filter(|text| !text.is_empty());
        let ap_info = part.child("AP_Info");
        let mssp_id = part
            .child("MSSP_Info")
            .and_then(|info| info.child("MSSP_ID"));
        let status = part.child("Status");
        let code = status.and_then(|status| status.child("StatusCode"));
        Report {
            message: part.name.clone(),
            ap_trans_id: ap_info
                .and_then(|info| info.attribute("AP_TransID"))
                .and_then(owned),
            mssp_trans_id: part.attribute("MSSP_TransID").and_then(owned),
            mssp_uri: mssp_id
                .and_then(|id| id.child("URI"))
                .and_then(|uri| owned(&uri.text)),
            msisdn: part
                .child("MobileUser")
                .and_then(|user| user.child("MSISDN"))
                .and_then(|msisdn| owned(&msisdn.text)),
            status: code
                .and_then(|code| code.attribute("Value"))
                .and_then(|value| value.trim().parse().ok())
                .map(StatusCode),
            signed: part.child("MSS_Signature").is_some(),
        }
    }
}

impl Incoming {
    /// What a request of ours says, for the trace; AP_PWD and AP_URL left out.
    pub(crate) fn outline(&self) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        let mut add = |name: &str, value: Option<&str>| {
            if let Some(value) = value.map(str::trim).filter(|value| !value.is_empty()) {
                lines.push((name.to_owned(), value.to_owned()));
            }
        };
        let part = &self.part;
        let text = |element: Option<&'_ Element>| element.map(|element| element.text.clone());
        add("MessagingMode", part.attribute("MessagingMode"));
        add("TimeOut", part.attribute("TimeOut"));
        if let Some(ap_info) = part.child("AP_Info") {
            add("AP_ID", ap_info.attribute("AP_ID"));
            add("AP_TransID", ap_info.attribute("AP_TransID"));
        }
        add("MSSP_TransID", part.attribute("MSSP_TransID"));
        let msisdn = part
            .child("MobileUser")
            .and_then(|user| user.child("MSISDN"));
        add("MSISDN", text(msisdn).as_deref());
        add(
            "DataToBeSigned",
            text(part.child("DataToBeSigned")).as_deref(),
        );
        let profile = part
            .child("SignatureProfile")
            .and_then(|profile| profile.child("mssURI"));
        add("SignatureProfile", text(profile).as_deref());
        lines
    }
}

fn fault(element: &Element) -> Fault {
    let mut subcodes = Vec::new();
    let mut level = element.child("Code").and_then(|code| code.child("Subcode"));
    while let Some(subcode) = level {
        let value = subcode.child("Value").map_or("", |value| value.text.trim());
        let local = value.rsplit(':').next().unwrap_or_default();
        subcodes.push(local.to_owned());
        level = subcode.child("Subcode");
    }
    let number = |local: &String| {
        local
            .strip_prefix('_')
            .and_then(|digits| digits.parse().ok())
    };
    // SOAP 1.1 has faultcode and faultstring instead; its code may be dotted.
    let faultcode = element
        .child("faultcode")
        .map(|code| code.text.trim().to_owned());
    let reason = element
        .child("Reason")
        .and_then(|reason| reason.child("Text"))
        .or_else(|| element.child("faultstring"))
        .map_or("", |text| text.text.trim());
    let detail = element.child("Detail").or_else(|| element.child("detail"));
    Fault {
        code: subcodes
            .iter()
            .find_map(number)
            .or_else(|| {
                faultcode?
                    .rsplit([':', '.'])
                    .find_map(|part| number(&part.to_owned()))
            })
            .map(StatusCode),
        subcodes,
        reason: reason.to_owned(),
        detail: detail.map(text_of).unwrap_or_default(),
    }
}

/// All character data below an element.
fn text_of(element: &Element) -> String {
    let mut text = element.text.trim().to_owned();
    for child in &element.children {
        let inner = text_of(child);
        if !text.is_empty() && !inner.is_empty() {
            text.push(' ');
        }
        text.push_str(&inner);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers of real services differ in how wrapper and part are qualified.
    #[test]
    fn every_shape_of_an_answer_is_read() {
        let wrappers = [
            ("<MSS_SignatureResponse>", "</MSS_SignatureResponse>"),
            ("<MSS_Signature>", "</MSS_Signature>"),
            (
                "<w:MSS_SignatureResponse xmlns:w='urn:w'>",
                "</w:MSS_SignatureResponse>",
            ),
            ("", ""),
        ];
        for soap in [super::super::SOAP_12, super::super::SOAP_11] {
            for (open, close) in wrappers {
                for prefix in ["", "m:"] {
                    let answer = format!(
                        "<S:Envelope xmlns:S='{soap}' xmlns:m='http://uri.etsi.org/TS102204/v1.1.2#'>\
                         <S:Header/><S:Body>\n{open}\n<{prefix}MSS_SignatureResp MSSP_TransID='B653'>\
                         <m:AP_Info AP_ID='http://ap' AP_TransID='A1' AP_PWD='x' Instant='i'/><m:MSSP_Info>\
                         <m:MSSP_ID><m:URI>http://mssp/</m:URI></m:MSSP_ID></m:MSSP_Info><m:MobileUser>\
                         <m:MSISDN>+358501234567</m:MSISDN></m:MobileUser><m:MSS_Signature>\
                         <m:Base64Signature>jjwfAKGyw9Q=</m:Base64Signature></m:MSS_Signature><m:Status>\
                         <m:StatusCode Value='502'/><m:StatusMessage>VALID_SIGNATURE</m:StatusMessage>\
                         </m:Status></{prefix}MSS_SignatureResp>{close}</S:Body></S:Envelope>"
                    );
                    let expected = Report {
                        message: "MSS_SignatureResp".to_owned(),
                        ap_trans_id: Some("A1".to_owned()),
                        mssp_trans_id: Some("B653".to_owned()),
                        mssp_uri: Some("http://mssp/".to_owned()),
                        msisdn: Some("+358501234567".to_owned()),
                        status: Some(StatusCode::VALID_SIGNATURE),
                        signed: true,
                    };
                    assert_eq!(
                        read_answer(answer.as_bytes()),
                        Reading::Report(expected),
                        "{answer}"
                    );
                }
            }
        }
    }
}

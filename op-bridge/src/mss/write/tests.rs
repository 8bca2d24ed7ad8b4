use super::*;
use crate::mss::{Reading, read_answer, read_incoming};
use crate::testing::at;

fn mssp() -> Mssp {
    let mut mssp = Mssp::new("http://127.0.0.1:8204/soap");
    mssp.ap_pwd = crate::Secret::new("p<\"&'>d");
    mssp
}

fn notification(wrapper: (&str, &str), part: (&str, &str), soap: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"{soap}\" xmlns:m=\"{MSS}\" xmlns:w=\"urn:w\"><s:Body>{}<{}MSS_StatusResp \
         MSSP_TransID=\"M1\"><m:AP_Info AP_ID=\"http://midsim.test/ap\" AP_TransID=\"A1\" AP_PWD=\"x\" \
         Instant=\"2026-11-22T10:00:00Z\"/><m:MSSP_Info><m:MSSP_ID><m:URI>http://mssp</m:URI></m:MSSP_ID>\
         </m:MSSP_Info><m:MobileUser><m:MSISDN>+44 7700 900001</m:MSISDN></m:MobileUser><m:Status>\
         <m:StatusCode Value=\"502\"/></m:Status></{}MSS_StatusResp>{}</s:Body></s:Envelope>",
        wrapper.0, part.0, part.1, wrapper.1
    )
}

#[test]
fn signature_req_is_read_back_as_written() {
    let msisdn = "+447700900001".parse().unwrap();
    let request = SignatureReq {
        ap_trans_id: "Aabc",
        ap_url: Some("http://127.0.0.1:8260/mss/notify/s"),
        msisdn: &msisdn,
        text: "Pay <5> & \"go\" – ok?",
        profile: "http://uri.gsma.com/mobileconnect/LoA3",
        time_out: 120,
    };
    let octets = signature_req(&mssp(), &request, at(0));
    let incoming = read_incoming(&octets).unwrap();
    assert_eq!(incoming.message(), "MSS_SignatureReq");
    let part = &incoming.part;
    assert_eq!(
        incoming.wrapper,
        Some((String::new(), "MSS_Signature".into()))
    );
    assert_eq!(part.attribute("MessagingMode"), Some("asynchServerServer"));
    assert_eq!(part.attribute("TimeOut"), Some("120"));
    let ap_info = part.child("AP_Info").unwrap();
    assert_eq!(ap_info.attribute("AP_PWD"), Some("p<\"&'>d"));
    assert_eq!(
        ap_info.attribute("AP_URL"),
        Some("http://127.0.0.1:8260/mss/notify/s")
    );
    assert_eq!(
        ap_info.attribute("Instant"),
        Some("2026-11-22T10:00:00.000Z")
    );
    assert_eq!(
        part.child("DataToBeSigned").unwrap().text,
        "Pay <5> & \"go\" – ok?"
    );
    // Schema order of TS 102 204.
    let order: Vec<_> = part
        .children
        .iter()
        .map(|child| child.name.as_str())
        .collect();
    assert_eq!(
        order,
        [
            "AP_Info",
            "MSSP_Info",
            "MobileUser",
            "DataToBeSigned",
            "SignatureProfile"
        ]
    );
}

#[test]
fn receipt_mirrors_the_namespaces_of_the_notification() {
    let rows = [
        (
            ("<MSS_Notification>", "</MSS_Notification>"),
            ("m:", "m:"),
            SOAP_12,
        ),
        (
            ("<MSS_Notification>", "</MSS_Notification>"),
            ("", ""),
            SOAP_12,
        ),
        (
            ("<w:MSS_Notification>", "</w:MSS_Notification>"),
            ("", ""),
            SOAP_12,
        ),
        (("", ""), ("m:", "m:"), SOAP_11),
    ];
    for (wrapper, part, soap) in rows {
        let incoming = read_incoming(notification(wrapper, part, soap).as_bytes()).unwrap();
        let report = incoming.report();
        assert_eq!(report.mssp_trans_id.as_deref(), Some("M1"));
        let octets = receipt(&mssp(), &incoming, &report, StatusCode::RET_OK_PUSH, at(0));
        let reply = read_incoming(&octets).unwrap();
        assert_eq!(reply.soap, soap);
        assert_eq!(reply.part.namespace, incoming.part.namespace);
        assert_eq!(
            reply.wrapper.as_ref().map(|(namespace, _)| namespace),
            incoming.wrapper.as_ref().map(|(namespace, _)| namespace)
        );
        assert_eq!(reply.message(), "MSS_ReceiptReq");
        let read = reply.report();
        assert_eq!(read.status, Some(StatusCode(600)));
        assert_eq!(read.ap_trans_id.as_deref(), Some("A1"));
        assert_eq!(read.msisdn.as_deref(), Some("+44 7700 900001"));
        assert_eq!(read.mssp_uri.as_deref(), Some("http://mssp"));
    }
}

#[test]
fn fault_has_code_subcode_reason_and_detail() {
    let octets = fault(None, StatusCode::WRONG_PARAM, "no <such> transaction");
    let Reading::Fault(read) = read_answer(&octets) else {
        panic!("not a fault")
    };
    assert_eq!(read.code, Some(StatusCode::WRONG_PARAM));
    assert_eq!(read.reason, "WRONG_PARAM");
    assert_eq!(read.detail, "no <such> transaction");
}

#[test]
fn nested_subcodes_and_missing_detail_are_read() {
    let fault = |inner: &str| {
        format!(
            "<e:Envelope xmlns:e=\"{SOAP_12}\"><e:Body><e:Fault><e:Code><e:Value>e:Receiver</e:Value>\
             <e:Subcode><e:Value xmlns:fi=\"f\">fi:_401</e:Value>{inner}</e:Subcode></e:Code><e:Reason>\
             <e:Text xml:lang=\"en\">USER_CANCEL</e:Text></e:Reason></e:Fault></e:Body></e:Envelope>"
        )
    };
    let nested = fault("<e:Subcode><e:Value>fi:_4011</e:Value></e:Subcode>");
    let Reading::Fault(read) = read_answer(nested.as_bytes()) else {
        panic!("not a fault")
    };
    assert_eq!(read.code, Some(StatusCode::USER_CANCEL));
    assert_eq!(read.subcodes, ["_401", "_4011"]);
    assert_eq!(read.detail, "");
}

#[test]
fn what_is_no_mss_message_is_unreadable() {
    for octets in [
        &b"<html/>"[..],
        b"",
        b"{}",
        b"<!DOCTYPE x><x/>",
        b"<e:Envelope xmlns:e='http://www.w3.org/2003/05/soap-envelope'><e:Body/></e:Envelope>",
        b"<e:Envelope xmlns:e='http://www.w3.org/2003/05/soap-envelope'><e:Body><a><b/></a></e:Body></e:Envelope>",
    ] {
        assert!(matches!(read_answer(octets), Reading::Unreadable(_)), "{octets:?}");
    }
}

use super::*;
use crate::{
    samples::{SignatureRequest, shapes},
    soap::Call,
    xml,
};

fn part(document: &str) -> Element<'_> {
    Call::parse(document.as_bytes()).unwrap().part
}

#[test]
fn a_request_reads_the_same_in_every_shape() {
    for shape in shapes() {
        let request = SignatureRequest {
            shape,
            mode: "asynchServerServer".into(),
            ap_url: Some("http://op.test/n".into()),
            timeout: Some(" 80 ".into()),
            validity_date: Some("2026-11-22T12:30:00.25+02:00".into()),
            format: Some("http://uri.etsi.org/TS102204/v1.1.2#PKCS7".into()),
            ..SignatureRequest::default()
        };
        let document = request.to_xml();
        let part = part(&document);
        let head = Head::parse(&part).unwrap();
        assert_eq!(head.version, InterfaceVersion::SPOKEN[0]);
        assert_eq!(head.ap.ap_id, "http://midsim.test/ap");
        assert_eq!(head.ap.ap_trans_id, "A1");
        assert_eq!(head.ap.ap_pwd.expose(), b"midsim-ap");
        assert_eq!(head.ap.instant.as_str(), "2026-11-22T10:30:00Z");
        assert_eq!(head.ap.ap_url.as_deref(), Some("http://op.test/n"));

        let message = SignatureReq::parse(&part).unwrap();
        assert_eq!(message.mode, MessagingMode::AsynchServerServer);
        assert_eq!(message.timeout, Some(80));
        assert_eq!(
            message.validity_date.unwrap().instant(),
            "2026-11-22T10:30:00.25Z".parse().unwrap()
        );
        assert_eq!(message.user.msisdn.as_deref(), Some("+447700900002"));
        assert_eq!(message.to_be_signed.text, "Log in to Example Bank?");
        assert_eq!(message.to_be_signed.encoding.as_deref(), Some("UTF-8"));
        assert_eq!(
            message.profile.as_deref(),
            Some("http://uri.gsma.com/mobileconnect/LoA3")
        );
        assert_eq!(
            message.format.as_deref(),
            Some("http://uri.etsi.org/TS102204/v1.1.2#PKCS7")
        );
        assert_eq!(message.comparison, Comparison::Exact);
    }
}

#[test]
fn children_in_no_namespace_are_read_and_foreign_ones_skipped() {
    let request = SignatureRequest::default()
        .to_xml()
        .replace("mss:", "")
        .replace(
            "</MSS_SignatureReq>",
            "<x:Extension xmlns:x=\"urn:x\"><x:MSISDN/></x:Extension></MSS_SignatureReq>",
        );
    let message = SignatureReq::parse(&part(&request)).unwrap();
    assert_eq!(message.user.msisdn.as_deref(), Some("+447700900002"));
}

#[test]
fn an_element_twice_is_a_wrong_parameter() {
    for name in ["MobileUser", "DataToBeSigned", "SignatureProfile"] {
        let request = SignatureRequest::default().to_xml().replace(
            "</MSS_SignatureReq>",
            &format!("<mss:{name}/></MSS_SignatureReq>"),
        );
        let fault = SignatureReq::parse(&part(&request)).unwrap_err();
        assert_eq!(fault.code, Code::WRONG_PARAM);
        assert!(fault.detail.contains(name), "{}", fault.detail);
    }
}

/// XML 1.0 §2.3: white space is four characters; U+00A0 and its like are no part of an NCName.
#[test]
fn only_white_space_of_xml_is_trimmed() {
    let named = |id: &str| {
        let request = SignatureRequest {
            ap_trans_id: id.into(),
            ..SignatureRequest::default()
        };
        Head::parse(&part(&request.to_xml())).map(|head| head.ap.ap_trans_id)
    };
    assert_eq!(named(" \t\r\nA1 ").as_deref(), Ok("A1"));
    for blank in ['\u{A0}', '\u{85}', '\u{2003}', '\u{3000}'] {
        for id in [format!("{blank}abc"), format!("abc{blank}")] {
            assert_eq!(named(&id).unwrap_err().code, Code::WRONG_PARAM, "{id:?}");
        }
    }
    let profile = SignatureRequest {
        profile: Some("\u{A0}urn:x\n".into()),
        ..SignatureRequest::default()
    };
    let message = SignatureReq::parse(&part(&profile.to_xml())).unwrap();
    assert_eq!(message.profile.as_deref(), Some("\u{A0}urn:x"));
    let strict = crate::schema::deviations(
        crate::Operation::Signature,
        &part(
            &SignatureRequest::default()
                .to_xml()
                .replace("\"1\"", "\"\u{A0}1\""),
        ),
    );
    assert_eq!(strict.len(), 2, "{strict:?}");
}

#[test]
fn dates_need_a_zone_and_the_shape_of_the_schema() {
    for good in [
        "2026-11-22T10:30:00Z",
        "2026-11-22T10:30:00.123456789Z",
        "2026-11-22T10:30:00+14:00",
        "2026-11-22T10:30:00.5-03:30",
        "2026-11-22T10:30:00-14:00",
        "2026-11-22T10:30:00-00:00",
    ] {
        assert_eq!(DateTime::parse("Instant", good).unwrap().as_str(), good);
    }
    for bad in [
        "",
        "Z",
        "2026-11-22",
        "2026-11-22T10:30:00",
        "2026-11-22 10:30:00Z",
        "2026-11-22t10:30:00z",
        "20261122T103000Z",
        "2026-11-22T10:30Z",
        "2026-11-22T10:30:00.Z",
        "2026-02-30T10:30:00Z",
        "2026-11-22T25:00:00Z",
        "2026-11-22T24:00:01Z",
        "2026-11-22T24:30:00Z",
        "2026-11-22T24:00:00.001Z",
        "2026-11-22T23:59:60Z",
        "9999-12-31T24:00:00Z",
        "2026-11-22T10:30:00+15:00",
        "2026-11-22T10:30:00-14:01",
        "2026-11-22T10:30:00+01:60",
        "2026-11-22T10:30:00+0200",
        "2026-11-22T10:30:00[Europe/Madrid]",
        "é026-11-22T10:30:00Z",
        "2026-11-22T10:30:00é02:00",
    ] {
        let fault = DateTime::parse("Instant", bad).unwrap_err();
        assert_eq!(fault.code, Code::WRONG_PARAM, "{bad}");
    }
}

/// XML Schema part 2 §3.2.7.
#[test]
fn the_end_of_a_day_and_a_long_fraction_name_an_instant() {
    for (written, instant) in [
        ("2026-11-22T24:00:00Z", "2026-11-23T00:00:00Z"),
        ("2026-12-31T24:00:00.000+14:00", "2026-12-31T10:00:00Z"),
        (
            "2026-11-22T10:30:00.12345678999Z",
            "2026-11-22T10:30:00.123456789Z",
        ),
        (
            "2026-11-22T23:59:59.99999999999-01:00",
            "2026-11-23T00:59:59.999999999Z",
        ),
    ] {
        let read = DateTime::parse("Instant", written).unwrap();
        assert_eq!(read.as_str(), written);
        assert_eq!(read.instant(), instant.parse().unwrap(), "{written}");
    }
}

#[test]
fn a_receipt_is_read_with_or_without_status() {
    let receipt = |inner: &str| {
        let document = format!("<MSS_ReceiptReq MSSP_TransID='M1'>{inner}</MSS_ReceiptReq>");
        ReceiptReq::parse(&xml::parse(document.as_bytes()).unwrap())
    };
    assert_eq!(receipt("").unwrap().status, None);
    let status = |value| format!("<Status><StatusCode Value='{value}'/></Status>");
    assert_eq!(
        receipt(&status("600")).unwrap().status,
        Some(Code::RET_OK_PUSH)
    );
    assert_eq!(receipt(&status("7777")).unwrap().status, Some(Code(7777)));
    assert_eq!(
        receipt(&status("fine")).unwrap_err().code,
        Code::WRONG_PARAM
    );
    let other = xml::parse(b"<MSS_ReceiptResp MSSP_TransID='M1'/>").unwrap();
    assert_eq!(
        ReceiptReq::parse(&other).unwrap_err().code,
        Code::WRONG_PARAM
    );
}

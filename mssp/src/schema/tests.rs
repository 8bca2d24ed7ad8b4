use super::*;
use crate::{
    samples::{SignatureRequest, shapes},
    soap::Call,
};

fn of(document: &str) -> Vec<String> {
    let call = Call::parse(document.as_bytes()).unwrap();
    deviations(Operation::named(&call.operation).unwrap(), &call.part)
}

#[test]
fn what_clients_send_is_as_the_schema_has_it() {
    for shape in shapes() {
        let request = SignatureRequest {
            shape,
            validity_date: Some("2026-11-22T12:30:00+02:00".into()),
            format: Some("http://uri.etsi.org/TS102204/v1.1.2#PKCS7".into()),
            ..SignatureRequest::default()
        };
        assert_eq!(of(&request.to_xml()), [""; 0]);
        assert_eq!(of(&request.status("M1")), [""; 0]);
    }
}

#[test]
fn each_deviation_is_named() {
    let request = SignatureRequest::default();
    let whole = request.to_xml();
    for (what, with, expected) in [
        (
            "MajorVersion=\"1\"",
            "MajorVersion=\"one\"",
            "MajorVersion is not a whole number",
        ),
        (" MinorVersion=\"1\"", "", "lacks attribute MinorVersion"),
        (
            "MinorVersion=\"1\"",
            "MinorVersion=\"1\" Colour=\"red\"",
            "attribute Colour",
        ),
        (
            "AP_TransID=\"A1\"",
            "AP_TransID=\"1A\"",
            "AP_Info/@AP_TransID is not an NCName",
        ),
        (
            "http://midsim.test/ap",
            "http://midsim.test/a p",
            "AP_Info/@AP_ID is not a URI",
        ),
        (
            "2026-11-22T10:30:00Z",
            "yesterday",
            "AP_Info/@Instant is not a date",
        ),
        (
            "asynchClientServer",
            "asynch",
            "MessagingMode is not a value of its list",
        ),
        ("<mss:MSSP_ID></mss:MSSP_ID>", "", "MSSP_Info lacks MSSP_ID"),
        (
            "<mss:MSISDN>",
            "<mss:HomeMSSP/><mss:HomeMSSP/><mss:MSISDN>",
            "HomeMSSP stands 2 times",
        ),
        ("<mss:MSISDN>", "x<mss:MSISDN>", "MobileUser holds text"),
        (
            "<mss:MSISDN>+447700900002</mss:MSISDN>",
            "<MSISDN/>",
            "MSISDN stands in no namespace",
        ),
        (
            "<mss:SignatureProfile>",
            "<mss:SignatureProfile><mss:More/>",
            "More does not belong",
        ),
        (
            "</MSS_SignatureReq>",
            "<mss:MobileUser/></MSS_SignatureReq>",
            "MobileUser stands too late",
        ),
        (
            "</MSS_SignatureReq>",
            "<mss:KeyReference/></MSS_SignatureReq>",
            "KeyReference lacks an element of another schema",
        ),
        (
            "</MSS_SignatureReq>",
            "<x:Y xmlns:x=\"urn:x\"/></MSS_SignatureReq>",
            "Y does not belong",
        ),
    ] {
        assert!(whole.contains(what), "{what}");
        let found = of(&whole.replacen(what, with, 1));
        assert!(
            found.iter().any(|one| one.contains(expected)),
            "{expected}: {found:?}"
        );
    }
    let status = request.status("M1").replace(
        "</MSS_StatusReq>",
        "<mss:MobileUser><mss:MSISDN>1</mss:MSISDN></mss:MobileUser></MSS_StatusReq>",
    );
    assert_eq!(
        of(&status),
        ["MobileUser does not belong into MSS_StatusReq"]
    );
}

#[test]
fn a_list_of_deviations_is_short_and_tells_no_secret() {
    let more = "<mss:MobileUser/>".repeat(9000);
    let request = SignatureRequest::default()
        .to_xml()
        .replace("</MSS_SignatureReq>", &format!("{more}</MSS_SignatureReq>"));
    assert_eq!(of(&request).len(), MOST);
    let request = SignatureRequest {
        ap_url: Some("http://op.test/s3cret path".into()),
        ..SignatureRequest::default()
    };
    let found = of(&request.to_xml());
    assert_eq!(found, ["AP_Info/@AP_URL is not a URI"]);
}

/// XML Schema part 1 §2.6: a leaf of a simple type has no attributes but those of xsi, and of these no xsi:nil unless the
/// schema says so.
#[test]
fn leaves_have_no_attributes_but_those_of_the_schemas_instance() {
    let xsi = "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"";
    let whole = SignatureRequest::default().to_xml();
    let with = |element: &str, attributes: &str| {
        assert!(whole.contains(&format!("<{element}>")), "{element}");
        of(&whole.replacen(
            &format!("<{element}>"),
            &format!("<{element} {xsi} {attributes}>"),
            1,
        ))
    };
    for (element, attributes, expected) in [
        ("mss:MSISDN", "foo=\"1\"", "MSISDN has attribute foo"),
        ("mss:mssURI", "foo=\"1\"", "mssURI has attribute foo"),
        ("mss:MSISDN", "xml:lang=\"en\"", "MSISDN has attribute lang"),
        (
            "mss:MSISDN",
            "xsi:nil=\"true\"",
            "MSISDN has attribute xsi:nil",
        ),
        (
            "mss:mssURI",
            "xsi:nil=\"false\"",
            "mssURI has attribute xsi:nil",
        ),
        (
            "mss:MobileUser",
            "xsi:nil=\"true\"",
            "MobileUser has attribute xsi:nil",
        ),
        (
            "mss:MSISDN",
            "xsi:colour=\"red\"",
            "MSISDN has attribute xsi:colour",
        ),
        (
            "mss:MSISDN",
            "xsi:type=\"x:integer\"",
            "MSISDN has another type",
        ),
        (
            "mss:MobileUser",
            "xsi:type=\"mss:DataType\"",
            "MobileUser has another type",
        ),
        ("mss:MSSP_ID", "xsi:type=\"\"", "MSSP_ID has another type"),
    ] {
        let found = with(element, attributes);
        assert_eq!(found.len(), 1, "{element} {attributes}: {found:?}");
        assert!(found[0].starts_with(expected), "{found:?}");
    }
    for (element, attributes) in [
        ("mss:MSISDN", "xsi:type=\"x:string\""),
        ("mss:mssURI", "xsi:type=\"x:anyURI\""),
        ("mss:MobileUser", "xsi:type=\" mss:MobileUserType \""),
        ("mss:MSISDN", "xsi:schemaLocation=\"urn:a a.xsd\""),
        ("mss:MSISDN", "xsi:noNamespaceSchemaLocation=\"a.xsd\""),
    ] {
        assert_eq!(with(element, attributes), [""; 0], "{element} {attributes}");
    }
}

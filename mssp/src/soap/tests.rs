use proptest::prelude::*;

use super::*;
use crate::dialect::Dialect;
use crate::samples::{SignatureRequest, WSDL_NS, fault_of, find, shapes};

const ENV: &str = "http://www.w3.org/2003/05/soap-envelope";

fn refusal(document: &str) -> Refusal {
    Call::parse(document.as_bytes()).expect_err(document)
}

fn envelope(header: &str, body: &str) -> String {
    format!("<e:Envelope xmlns:e='{ENV}'>{header}<e:Body>{body}</e:Body></e:Envelope>")
}

#[test]
fn the_operation_is_the_body_element_in_any_namespace() {
    for (wrapper, part) in [
        (None, None),
        (None, Some(MSS)),
        (Some(WSDL_NS), None),
        (Some("urn:operator"), Some(MSS)),
        (Some(MSS), Some(MSS)),
    ] {
        let shape = Shape {
            version: Version::V1_2,
            wrapper: wrapper.map(str::to_owned),
            part: part.map(str::to_owned),
            roaming: None,
        };
        let request = SignatureRequest {
            shape: shape.clone(),
            ..SignatureRequest::default()
        };
        let document = request.to_xml();
        let call = Call::parse(document.as_bytes()).unwrap();
        assert_eq!(call.shape, shape);
        assert_eq!(call.operation, "MSS_Signature");
        assert_eq!(call.part.local, "MSS_SignatureReq");
    }
}

#[test]
fn an_answer_mirrors_the_namespaces_of_the_request() {
    // As the three clients read them: wrapper and part without namespace; part in the MSS namespace; wrapper in the
    // WSDL's namespace.
    let seen: Vec<_> = shapes()
        .iter()
        .map(|shape| {
            let answer = shape.envelope("MSS_SignatureResponse", "MSS_SignatureResp", |w| {
                w.leaf("mss:X", "");
            });
            let root = xml::parse(answer.as_bytes()).unwrap();
            let ns = |local| find(&root, local).unwrap().ns.as_deref().map(str::to_owned);
            assert_eq!(ns("X").as_deref(), Some(MSS));
            (ns("MSS_SignatureResponse"), ns("MSS_SignatureResp"))
        })
        .collect();
    let mss = Some("http://uri.etsi.org/TS102204/v1.1.2#".to_owned());
    assert_eq!(
        seen,
        [(None, None), (None, mss), (Some(WSDL_NS.to_owned()), None)]
    );
}

#[test]
fn soap_1_1_is_tolerated_and_answered_in_kind() {
    let request = SignatureRequest {
        shape: Shape {
            version: Version::V1_1,
            ..Shape::default()
        },
        ..SignatureRequest::default()
    };
    let document = request.to_xml();
    let call = Call::parse(document.as_bytes()).unwrap();
    assert_eq!(call.shape.version, Version::V1_1);
    assert_eq!(call.shape.version.content_type(), "text/xml; charset=utf-8");

    let fault = Fault::new(Code::USER_CANCEL, "the user cancelled")
        .to_xml(&Version::V1_1.into(), Dialect::default());
    let root = xml::parse(fault.as_bytes()).unwrap();
    assert_eq!(
        root.ns.as_deref(),
        Some("http://schemas.xmlsoap.org/soap/envelope/")
    );
    let text = |local| find(&root, local).unwrap().text().into_owned();
    assert_eq!(text("faultcode"), "mss:_401");
    assert_eq!(text("faultstring"), "USER_CANCEL");
    assert_eq!(
        find(&root, "detail")
            .unwrap()
            .elements()
            .next()
            .unwrap()
            .text(),
        "the user cancelled"
    );
}

/// SOAP 1.1 §4: elements may follow Body if they are namespace-qualified. SOAP 1.2 Part 1 §5.1 has no place for any.
#[test]
fn only_soap_1_1_has_elements_after_the_body_and_only_qualified_ones() {
    const OLD: &str = "http://schemas.xmlsoap.org/soap/envelope/";
    let document = |namespace: &str, rest: &str| {
        let body = "<e:Body><MSS_Signature><a x='1'/></MSS_Signature></e:Body>";
        format!("<e:Envelope xmlns:e='{namespace}'><e:Header/>{body}{rest}</e:Envelope>")
    };
    let two = "<t:Trailer xmlns:t='urn:t'><t:a/></t:Trailer> <Trailer xmlns='urn:u'/>";
    let taken = document(OLD, two);
    let call = Call::parse(taken.as_bytes()).unwrap();
    assert_eq!(
        (call.operation.as_str(), &*call.part.local),
        ("MSS_Signature", "a")
    );
    assert_eq!(call.part.attribute(None, "x"), Some("1"));
    assert_eq!(call.shape.version, Version::V1_1);
    for (namespace, rest) in [
        (ENV, two),
        (OLD, "<Trailer/>"),
        (OLD, "<e:Body/>"),
        (OLD, "<e:Header/>"),
        (OLD, "text"),
        (OLD, "<t:a xmlns:t='urn:t'/><e:Body/>"),
    ] {
        let refusal = refusal(&document(namespace, rest));
        assert_eq!(refusal.fault.code, Code::WRONG_PARAM, "{rest}");
        assert_eq!(refusal.shape.version.namespace(), namespace, "{rest}");
        assert!(
            refusal.fault.detail.contains("one Body"),
            "{}",
            refusal.fault.detail
        );
    }
    let before = format!(
        "<e:Envelope xmlns:e='{OLD}'><a xmlns='urn:a'/><e:Body><x><y/></x></e:Body></e:Envelope>"
    );
    assert_eq!(refusal(&before).fault.code, Code::WRONG_PARAM);
}

#[test]
fn a_fault_has_code_subcode_reason_and_detail() {
    let fault = |code| {
        fault_of(
            Fault::new(code, "why & how")
                .to_xml(&Version::V1_2.into(), Dialect::default())
                .as_bytes(),
        )
    };
    let quartet = |a: &str, b: &str, c: &str| (a.into(), b.into(), c.into(), "why & how".into());
    assert_eq!(
        fault(Code::WRONG_PARAM),
        quartet("env:Sender", "mss:_101", "WRONG_PARAM")
    );
    assert_eq!(
        fault(Code::UNSUPPORTED_PROFILE),
        quartet("env:Receiver", "mss:_109", "UNSUPPORTED_PROFILE")
    );
    assert_eq!(
        fault(Code::EXPIRED_TRANSACTION),
        quartet("env:Receiver", "mss:_208", "EXPIRED_TRANSACTION")
    );
    assert_eq!(
        fault(Code::INTERNAL_ERROR),
        quartet("env:Receiver", "mss:_900", "INTERNAL_ERROR")
    );
}

#[test]
fn a_mandatory_header_block_for_us_must_be_understood() {
    let block = |attributes: &str| {
        envelope(
            &format!("<e:Header><x:Roam xmlns:x='urn:x' {attributes}/></e:Header>"),
            "<MSS_Signature><a/></MSS_Signature>",
        )
    };
    for optional in [
        "",
        "e:mustUnderstand='0'",
        "mustUnderstand='1'",
        "e:mustUnderstand='true' e:role='http://www.w3.org/2003/05/soap-envelope/role/none'",
        "e:mustUnderstand='true' e:role='urn:somebody-else'",
    ] {
        assert!(
            Call::parse(block(optional).as_bytes()).is_ok(),
            "{optional}"
        );
    }
    for mandatory in [
        "e:mustUnderstand='1'",
        "e:mustUnderstand='true' e:role='http://www.w3.org/2003/05/soap-envelope/role/next'",
        "e:mustUnderstand='true' e:role='http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver'",
    ] {
        let fault = refusal(&block(mandatory)).fault;
        let answer = fault.to_xml(&Version::V1_2.into(), Dialect::default());
        assert_eq!(fault_of(answer.as_bytes()).0, "env:MustUnderstand");
        let root = xml::parse(answer.as_bytes()).unwrap();
        let block = find(&root, "NotUnderstood").unwrap();
        assert_eq!(block.attribute(None, "qname"), Some("h:Roam"));
        assert!(answer.contains("xmlns:h=\"urn:x\""));
    }
    assert_eq!(
        refusal(&block("e:mustUnderstand='perhaps'")).fault.cause,
        Cause::Application
    );
}

/// SOAP 1.1 §4.4: detail is about the body alone.
#[test]
fn in_soap_1_1_a_header_block_is_refused_without_detail() {
    let document = "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Header>\
        <x:Roam xmlns:x='urn:x' e:mustUnderstand='1'/></e:Header><e:Body><a><b/></a></e:Body></e:Envelope>";
    let refusal = refusal(document);
    let answer = refusal.fault.to_xml(&refusal.shape, Dialect::default());
    let root = xml::parse(answer.as_bytes()).unwrap();
    let text = |local| find(&root, local).map(|found| found.text().into_owned());
    assert_eq!(text("faultcode").as_deref(), Some("env:MustUnderstand"));
    assert!(text("faultstring").unwrap().contains("{urn:x}Roam"));
    assert_eq!(text("detail"), None);
}

#[test]
fn another_envelope_version_is_a_version_mismatch() {
    let other = "<e:Envelope xmlns:e='urn:soap-9'><e:Body/></e:Envelope>";
    let answer = refusal(other)
        .fault
        .to_xml(&Version::V1_2.into(), Dialect::default());
    assert_eq!(fault_of(answer.as_bytes()).0, "env:VersionMismatch");
    let root = xml::parse(answer.as_bytes()).unwrap();
    assert!(find(&root, "SupportedEnvelope").is_some());
}

#[test]
fn what_is_not_one_call_is_a_wrong_parameter() {
    let call = "<MSS_Signature><a/></MSS_Signature>";
    for document in [
        "<html/>".to_owned(),
        "plain text".to_owned(),
        "<!DOCTYPE a><a/>".to_owned(),
        format!("<e:Envelope xmlns:e='{ENV}'/>"),
        envelope("", ""),
        envelope("", &format!("{call}{call}")),
        envelope("", &format!("text{call}")),
        envelope("<x/>", call),
        envelope("<e:Header/><e:Header/>", call),
        envelope("", "<MSS_Signature/>"),
        envelope("", "<MSS_Signature><a/><b/></MSS_Signature>"),
        envelope("", "<MSS_SignatureReq><a/></MSS_SignatureReq>"),
        envelope(
            "",
            "<e:Fault><e:Code><e:Value>e:Sender</e:Value></e:Code></e:Fault>",
        ),
        envelope("", call).replace("</e:Body>", "</e:Body><e:Body/>"),
        envelope("text", call),
    ] {
        let refusal = refusal(&document);
        assert_eq!(refusal.fault.code, Code::WRONG_PARAM, "{document}");
        assert!(!refusal.fault.detail.is_empty());
    }
}

#[test]
fn every_truncation_is_a_fault() {
    let whole = SignatureRequest::default().to_xml();
    for end in 0..whole.len() {
        let refusal = Call::parse(&whole.as_bytes()[..end]).expect_err("truncated");
        fault_of(
            refusal
                .fault
                .to_xml(&refusal.shape, Dialect::default())
                .as_bytes(),
        );
    }
}

proptest! {
    #[test]
    fn a_flipped_bit_gives_a_call_or_a_readable_fault(at in 0usize..1000, bit in 0u8..8) {
        let mut octets = SignatureRequest::default().to_xml().into_bytes();
        let at = at % octets.len();
        octets[at] ^= 1 << bit;
        if let Err(refusal) = Call::parse(&octets) {
            xml::parse(refusal.fault.to_xml(&refusal.shape, Dialect::default()).as_bytes()).unwrap();
        }
    }

    #[test]
    fn a_detail_of_any_characters_is_a_readable_fault(detail: String) {
        for version in [Version::V1_1, Version::V1_2] {
            let answer = Fault::new(Code::WRONG_PARAM, detail.clone()).to_xml(&version.into(), Dialect::default());
            xml::parse(answer.as_bytes()).unwrap();
        }
    }
}

#[test]
fn a_wrapper_in_the_namespace_of_xml_itself_is_mirrored_too() {
    let shape = Shape {
        wrapper: Some("http://www.w3.org/XML/1998/namespace".into()),
        ..Shape::default()
    };
    let answer = shape.envelope("MSS_SignatureResponse", "MSS_SignatureResp", |_| {});
    let root = xml::parse(answer.as_bytes()).unwrap();
    let wrapper = find(&root, "MSS_SignatureResponse").unwrap();
    assert_eq!(wrapper.ns.as_deref(), shape.wrapper.as_deref());
}

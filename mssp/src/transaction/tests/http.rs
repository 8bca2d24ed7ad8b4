//! The HTTP side: paths, methods, media types, envelopes that are none.

use ::http::Method;
use proptest::prelude::*;

use super::*;

fn send(world: &mut World, request: Request<Bytes>) -> Response<Bytes> {
    let id = RequestId(99);
    let step = world.feed(Input::Http { id, request });
    answer(&step, id).expect("an answer").0
}

fn post(content_type: Option<&str>, encoding: Option<&str>) -> Response<Bytes> {
    let mut request = Request::post("/soap");
    for (name, value) in [
        ("content-type", content_type),
        ("content-encoding", encoding),
    ] {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    let body = SignatureRequest::default().to_xml();
    send(&mut World::new(), request.body(body.into()).unwrap())
}

#[test]
fn soap_is_served_wherever_it_is_posted() {
    for (path, expected) in [
        ("/soap", 200),
        ("/soap/", 200),
        ("/soap/services/MSS_SignaturePort", 200),
        ("/soap?x=y", 200),
        // As deployed services have them.
        ("/soap/services/MSS_StatusQueryPort", 200),
        ("/MSS_Signature", 200),
        ("/MSSP2/services/MSS_Signature", 200),
        ("/Dianta2/MSS_SignatureService", 200),
        ("/EGAMsspWSAP2/MSS_ProfileQueryService", 200),
        ("/services/MSSSignatureService", 200),
        ("/", 200),
    ] {
        let body = SignatureRequest::default().to_xml();
        let request = Request::post(path).body(body.into()).unwrap();
        let status = send(&mut World::new(), request).status();
        assert_eq!(status, expected, "{path}");
    }
}

#[test]
fn other_methods_are_told_what_would_work() {
    for (method, uri, expected) in [
        (Method::GET, "/soap?wsdl", 200),
        (Method::HEAD, "/soap?wsdl", 200),
        (Method::GET, "/soap/MSS_SignaturePort?xsd=1", 200),
        (Method::GET, "/soap", 405),
        (Method::GET, "/soap?xsd=9", 405),
        (Method::PUT, "/soap", 405),
        (Method::DELETE, "/soap?wsdl", 405),
        (Method::GET, "/", 404),
        (Method::GET, "/MSS_SignaturePort", 404),
        (Method::GET, "/rest/service", 405),
    ] {
        let request = Request::builder()
            .method(method.clone())
            .uri(uri)
            .body(Bytes::new())
            .unwrap();
        let response = send(&mut World::new(), request);
        assert_eq!(response.status(), expected, "{method} {uri}");
        if expected != 200 {
            let text = String::from_utf8(response.body().to_vec()).unwrap();
            assert!(text.contains("/soap?wsdl"));
        }
        assert_eq!(response.headers().contains_key("allow"), expected == 405);
    }
}

#[test]
fn media_types_that_clients_use_are_read_and_others_are_refused() {
    for content_type in [
        None,
        Some("application/soap+xml; charset=utf-8; action=\"None\""),
        Some("application/soap+xml; charset=UTF-8"),
        Some("text/xml"),
        Some("text/xml;charset=\"utf-8\""),
    ] {
        assert_eq!(post(content_type, None).status(), 200, "{content_type:?}");
    }
    assert_eq!(post(None, Some("UTF-8")).status(), 200);
    for (content_type, encoding) in [
        (Some("application/json"), None),
        (
            Some("multipart/related; type=\"application/xop+xml\""),
            None,
        ),
        (Some("text/xml; charset=iso-8859-1"), None),
        (None, Some("gzip")),
        (None, Some("identity, br")),
    ] {
        let response = post(content_type, encoding);
        assert_eq!(response.status(), 415);
        assert_eq!(fault_of(response.body()).1, "mss:_101");
    }
}

#[test]
fn a_broken_envelope_is_a_fault_and_an_event() {
    for body in ["", "{}", "<a/>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"] {
        let mut world = World::new();
        let (id, step) = world.post(body);
        assert_eq!(answer(&step, id).unwrap().fault(), 101);
        let kinds: Vec<_> = step.events.iter().map(|event| &event.kind).collect();
        assert!(matches!(
            kinds[..],
            [EventKind::Requested { .. }, EventKind::Answered { .. }]
        ));
    }
}

#[test]
fn a_body_beyond_the_bound_is_a_fault_wherever_it_is_noticed() {
    let large = format!("<a>{}</a>", "x".repeat(crate::xml::MAX_OCTETS));
    let noticed_here = World::new().ask(&large);
    let head = Request::post("/soap").body(()).unwrap().into_parts().0;
    let noticed_before = Answer(crate::too_large(&head));
    assert_eq!((noticed_here.fault(), noticed_before.fault()), (101, 101));
}

#[test]
fn a_body_that_is_not_held_is_refused_in_the_form_that_its_head_tells() {
    let refused = |path: &str, headers: &[(&str, &str)]| {
        let mut request = Request::post(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = crate::too_large(&request.body(()).unwrap().into_parts().0);
        assert_eq!(response.status(), 500);
        let kind = response.headers()["content-type"].to_str().unwrap();
        let body = String::from_utf8(response.body().to_vec()).unwrap();
        (kind.to_owned(), body)
    };
    for path in ["/rest/service", "/rest/service/sign"] {
        let (kind, body) = refused(path, &[("content-type", "application/json")]);
        assert_eq!(kind, "application/json; charset=utf-8");
        let fault: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(fault["Fault"]["Code"]["SubCode"]["Value"], "_101");
    }
    let (soap_1_1, soap_1_2) = (
        "http://schemas.xmlsoap.org/soap/envelope/",
        "http://www.w3.org/2003/05/soap-envelope",
    );
    let xml = ("content-type", "text/xml; charset=utf-8");
    let action = ("SOAPAction", "\"\"");
    let (kind, body) = refused("/soap", &[xml, action]);
    assert_eq!(kind, "text/xml; charset=utf-8");
    assert!(body.contains(soap_1_1) && body.contains("_101"), "{body}");
    let newer = ("content-type", "application/soap+xml");
    for headers in [&[xml][..], &[newer, action], &[newer], &[]] {
        let (kind, body) = refused("/soap", headers);
        assert_eq!(kind, "application/soap+xml; charset=utf-8");
        assert!(body.contains(soap_1_2), "{body}");
    }
}

#[test]
fn a_mandatory_header_block_is_a_must_understand_fault() {
    let request = SignatureRequest::default().to_xml().replace(
        "<env:Body>",
        "<env:Header><x:Roaming xmlns:x=\"urn:x\" env:mustUnderstand=\"true\"/></env:Header><env:Body>",
    );
    let answer = World::new().ask(&request);
    assert_eq!(fault_of(answer.0.body()).0, "env:MustUnderstand");
}

#[test]
fn every_truncation_of_a_request_is_a_fault() {
    let whole = SignatureRequest::default().to_xml();
    let mut world = World::new();
    for end in 0..whole.len() {
        assert_eq!(world.ask(&whole[..end]).fault(), 101);
    }
    assert!(world.records.0.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_flipped_bit_is_answered_with_a_status_or_a_fault(at in 0usize..2000, bit in 0u8..8) {
        let mut octets = SignatureRequest::default().to_xml().into_bytes();
        let at = at % octets.len();
        octets[at] ^= 1 << bit;
        let request = Request::post("/soap").body(octets.into()).unwrap();
        let response = send(&mut World::new(), request);
        prop_assert!(parse(response.body()).is_ok());
        prop_assert!(matches!(response.status().as_u16(), 200 | 500));
    }

    #[test]
    fn any_octets_are_answered_with_a_fault(octets: Vec<u8>) {
        let request = Request::post("/soap").body(octets.into()).unwrap();
        let response = send(&mut World::new(), request);
        prop_assert_eq!(response.status().as_u16(), 500);
        fault_of(response.body());
    }
}

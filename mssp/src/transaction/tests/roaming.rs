//! Requests through a mesh (TS 102 207).

use super::*;

const HEADER: &str = "<r:RoamingHeader xmlns:r='http://uri.etsi.org/TS102207/v1.1.2#' \
    env:role='http://www.w3.org/2003/05/soap-envelope/role/next' env:mustUnderstand='true'>\
    <r:RoamingHeaderEntry><r:RE_SenderInfo Instant='2026-11-22T10:29:55Z' RE_TransactionID='T1' TimeOut='60'>\
    <r:RE_Sender><mss:URI>http://ae.mesh.test/</mss:URI></r:RE_Sender></r:RE_SenderInfo></r:RoamingHeaderEntry>\
    <r:RoamingHeaderEntry><r:RE_SenderInfo Instant='2026-11-22T10:29:58Z' RE_TransactionID='T2' TimeOut='50'>\
    <r:RE_Sender><mss:URI>http://re.mesh.test/</mss:URI></r:RE_Sender></r:RE_SenderInfo></r:RoamingHeaderEntry>\
    <x:Route xmlns:x='urn:x' x:hop='1' plain='&lt;2'>over <y xmlns='urn:y'/> &amp; out</x:Route></r:RoamingHeader>";

fn through_mesh(request: &str, header: &str) -> String {
    request.replace(
        "<env:Body>",
        &format!("<env:Header>{header}</env:Header><env:Body>"),
    )
}

/// The block as a tree: prefixes do not count.
fn block(envelope: &str) -> Element<'_> {
    fn plain<'d>(element: &Element<'d>) -> Element<'d> {
        let mut plain_element = element.clone();
        plain_element.prefix = "".into();
        plain_element.declared = Vec::new();
        for child in &mut plain_element.children {
            if let crate::xml::Node::Element(below) = child {
                *below = plain(below);
            }
        }
        plain_element
    }
    plain(find(&parse(envelope.as_bytes()).unwrap(), "RoamingHeader").unwrap())
}

fn body(answer: &Answer) -> String {
    String::from_utf8(answer.0.body().to_vec()).unwrap()
}

#[test]
fn the_way_through_the_mesh_comes_back_with_every_answer() {
    let mut world = World::new();
    let request = SignatureRequest::default();
    let sent = through_mesh(&request.to_xml(), HEADER);
    let (connection, step) = world.post(&sent);
    let first = answer(&step, connection).unwrap();
    assert_eq!(block(&body(&first)), block(&sent));
    let row = step.events[0].row();
    let hops = row.fields.iter().find(|(name, _)| name == "RoamingHeader");
    assert_eq!(hops.unwrap().1, "2 hops, the last http://re.mesh.test/");

    let submit = submitted(&step);
    world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
    let query = through_mesh(&request.status(&first.mssp_trans_id()), HEADER);
    let last = world.ask(&query);
    assert_eq!(last.status(), "502");
    assert_eq!(block(&body(&last)), block(&query));
    // Who asks directly is answered directly.
    let direct = world.ask(&request.status(&first.mssp_trans_id()));
    assert!(!body(&direct).contains("Header"));
}

/// Whatever goes wrong behind the header: what is not a call, not understood, not allowed, not signed.
#[test]
fn a_fault_goes_back_the_way_its_request_came() {
    let request = SignatureRequest::default().to_xml();
    let unknown = "<x:Trust xmlns:x='urn:x' env:mustUnderstand='true'/>";
    for (sent, code) in [
        (
            through_mesh(&request.replace("midsim-ap", "wrong"), HEADER),
            104,
        ),
        (
            through_mesh(
                &request.replace("MSS_SignatureReq", "MSS_StatusReq"),
                HEADER,
            ),
            101,
        ),
        (
            through_mesh(&request, HEADER).replace("</MSS_Signature>", "<other/></MSS_Signature>"),
            101,
        ),
        (through_mesh(&request, &format!("{HEADER}{unknown}")), 101),
        (through_mesh(&request, &format!("{unknown}{HEADER}")), 101),
        (
            through_mesh(&request, &HEADER.replace("TimeOut='50'", "TimeOut='3'")),
            720,
        ),
    ] {
        let answer = World::new().ask(&sent);
        assert_eq!(answer.fault(), code, "{}", body(&answer));
        let expected = block(&sent);
        assert_eq!(block(&body(&answer)), expected, "{}", body(&answer));
        let not_understood = body(&answer).contains("NotUnderstood");
        assert_eq!(not_understood, sent.contains("urn:x' env:must"));
    }
    // Of a header that could not be read there is nothing to carry.
    let answer = World::new().ask(&through_mesh(&request, &HEADER.repeat(2)));
    assert!(!body(&answer).contains("<env:Header"));
}

/// Names in values go by the declarations around them (Namespaces in XML 1.0 §3; XML Schema part 2 §3.2.18).
#[test]
fn prefixes_that_values_use_come_back_declared() {
    let block = "<RoamingHeader xmlns='http://uri.etsi.org/TS102207/v1.1.2#' xsi:type='r:Foo'>\
        <RoamingHeaderEntry own:at='1'><x xmlns='' xmlns:r='urn:inner' xsi:type='r:Bar'>h:text</x></RoamingHeaderEntry>\
        </RoamingHeader>";
    let request = through_mesh(&SignatureRequest::default().to_xml(), block)
        .replace(
            "<env:Envelope",
            "<env:Envelope xmlns:r='urn:outer' xmlns:h='urn:outer' xmlns='urn:default' \
             xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'",
        )
        .replace(
            "<env:Header>",
            "<env:Header xmlns:r='urn:r' xmlns:own='urn:own'>",
        );
    let answer = World::new().ask(&request);
    assert_eq!(answer.status(), "100");
    let answer = body(&answer);
    // Read again by itself, so that nothing around it helps.
    let start = answer.find("<RoamingHeader").unwrap();
    let (whole, _) = answer[start..].split_once("</RoamingHeader>").unwrap();
    let alone = format!("{whole}</RoamingHeader>");
    let alone = parse(alone.as_bytes()).unwrap();
    assert!(alone.is(
        Some("http://uri.etsi.org/TS102207/v1.1.2#"),
        "RoamingHeader"
    ));
    let declared = |element: &Element, prefix: &str| {
        let one = element.declared.iter().find(|one| one.prefix == prefix);
        one.map(|one| one.ns.clone())
    };
    assert_eq!(declared(&alone, "r").as_deref(), Some("urn:r"));
    assert_eq!(declared(&alone, "h").as_deref(), Some("urn:outer"));
    let xsi = Some("http://www.w3.org/2001/XMLSchema-instance");
    assert_eq!(alone.attribute(xsi, "type"), Some("r:Foo"));
    let entry = find(&alone, "RoamingHeaderEntry").unwrap();
    assert_eq!(entry.attribute(Some("urn:own"), "at"), Some("1"));
    let inner = find(&alone, "x").unwrap();
    assert_eq!(inner.ns, None);
    assert_eq!(declared(inner, "r").as_deref(), Some("urn:inner"));
    assert_eq!(inner.attribute(xsi, "type"), Some("r:Bar"));
}

#[test]
fn a_failure_on_the_handset_goes_back_the_way_its_request_came() {
    let mut world = World::new();
    let request = SignatureRequest {
        mode: "synch".into(),
        ..SignatureRequest::default()
    };
    let sent = through_mesh(&request.to_xml(), HEADER);
    let (connection, step) = world.post(&sent);
    let submit = submitted(&step);
    let step = world.mo(&submit.msisdn, applet(&submit, ResultCode::CANCELLED));
    let answer = answer(&step, connection).unwrap();
    assert_eq!(answer.fault(), 401);
    assert_eq!(block(&body(&answer)), block(&sent));
}

#[test]
fn a_notification_goes_the_way_the_request_came() {
    let mut world = World::new();
    let request = SignatureRequest {
        mode: "asynchServerServer".into(),
        ap_url: Some("http://op.test/n".into()),
        ..SignatureRequest::default()
    };
    let sent_request = through_mesh(&request.to_xml(), HEADER);
    let (_, step) = world.post(&sent_request);
    let submit = submitted(&step);
    let step = world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
    let notification = String::from_utf8(sent(&step).unwrap().body).unwrap();
    assert_eq!(block(&notification), block(&sent_request));
}

#[test]
fn a_header_that_says_nothing_useful_is_refused() {
    let fault = |header: &str| {
        let sent = through_mesh(&SignatureRequest::default().to_xml(), header);
        World::new().ask(&sent).fault()
    };
    // The first hop gave up at 10:30:55, the second at 10:30:48; it is 10:30:01.
    assert_eq!(fault(&HEADER.replace("TimeOut='50'", "TimeOut='3'")), 720);
    assert_eq!(fault(&HEADER.replace("TimeOut='60'", "TimeOut='6'")), 720);
    assert_eq!(fault(&HEADER.replace("RoamingHeaderEntry", "Entry")), 710);
    assert_eq!(
        fault(&HEADER.replace("TimeOut='50'", "TimeOut='soon'")),
        101
    );
    assert_eq!(
        fault(&HEADER.replace("'2026-11-22T10:29:58Z'", "'then'")),
        101
    );
    assert_eq!(fault(&HEADER.repeat(2)), 101);
    let large = HEADER.replace("over ", &"x".repeat(20_000));
    assert_eq!(fault(&large), 101);
}

#[test]
fn an_ap_of_the_mesh_must_come_through_it() {
    let mut world = World::new();
    world.configure(|config| config.aps[0].roaming = true);
    let request = SignatureRequest::default().to_xml();
    assert_eq!(world.ask(&request).fault(), 701);
    assert_eq!(world.ask(&through_mesh(&request, HEADER)).status(), "100");
}

/// What the contract says is told to nobody who has not proved to be its party.
#[test]
fn the_way_counts_after_version_operation_and_password() {
    let mut world = World::new();
    world.configure(|config| config.aps[0].roaming = true);
    let request = SignatureRequest::default().to_xml();
    let stale = HEADER.replace("TimeOut='50'", "TimeOut='3'");
    for (what, with, code) in [
        ("\"midsim-ap\"", "\"wrong\"", 104),
        ("MinorVersion=\"1\"", "MinorVersion=\"3\"", 108),
        ("MSS_SignatureReq", "MSS_StatusReq", 101),
        ("MSS_Signature>", "MSS_Sing>", 101),
        (" AP_TransID=\"A1\"", "", 102),
    ] {
        assert!(request.contains(what), "{what}");
        let wrong = request.replace(what, with);
        assert_eq!(world.ask(&wrong).fault(), code, "{what}");
        let through = through_mesh(&wrong, &stale);
        assert_eq!(world.ask(&through).fault(), code, "{what}");
    }
    world.configure(|config| config.aps[0].operations = vec![Operation::StatusQuery]);
    assert_eq!(world.ask(&request).fault(), 104);
    world.configure(|config| config.aps[0].operations.clear());
    assert_eq!(world.ask(&request).fault(), 701);
    assert_eq!(world.ask(&through_mesh(&request, &stale)).fault(), 720);
}

#[test]
fn other_mandatory_blocks_are_not_understood_and_roles_of_the_mesh_are_ours() {
    let mesh = "http://uri.etsi.org/TS102207/v1.1.3#role_";
    let status = |header: String| {
        let sent = through_mesh(&SignatureRequest::default().to_xml(), &header);
        let answer = World::new().ask(&sent);
        (answer.0.status() == StatusCode::OK, body(&answer))
    };
    let other =
        |role: &str| format!("<x:Other xmlns:x='urn:x' env:role='{role}' env:mustUnderstand='1'/>");
    for role in ["HomeMSSP", "AcquiringEntity"] {
        let (ok, text) = status(other(&format!("{mesh}{role}")));
        assert!(
            !ok && text.contains("env:MustUnderstand") && text.contains("NotUnderstood"),
            "{text}"
        );
    }
    // Somebody else's business.
    assert!(status(other(&format!("{mesh}RoutingEntity"))).0);
    let ours = HEADER.replace(
        "http://www.w3.org/2003/05/soap-envelope/role/next",
        &format!("{mesh}HomeMSSP"),
    );
    assert!(status(ours).1.contains("RoamingHeader"));
}

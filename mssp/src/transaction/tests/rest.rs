//! The JSON twin.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn send(world: &mut World, path: &str, body: impl Into<Bytes>) -> (RequestId, Step) {
    world.connections += 1;
    let id = RequestId(world.connections);
    let request = Request::post(path)
        .header("content-type", "application/json; charset=UTF-8")
        .header("content-encoding", "UTF-8")
        .body(body.into())
        .unwrap();
    let step = world.feed(Input::Http { id, request });
    (id, step)
}

fn response(step: &Step, id: RequestId) -> (u16, Value) {
    let response = answer(step, id).expect("an answer").0;
    assert_eq!(
        response.headers()["content-type"],
        "application/json; charset=utf-8"
    );
    let value = serde_json::from_slice(response.body()).unwrap();
    (response.status().as_u16(), value)
}

fn ask(world: &mut World, body: &Value) -> (u16, Value) {
    let (id, step) = send(world, "/rest/service", body.to_string());
    response(&step, id)
}

fn head() -> Value {
    json!({
        "AP_Info": {
            "AP_ID": "http://midsim.test/ap", "AP_PWD": "midsim-ap", "AP_TransID": "ID-1",
            "Instant": "2026-11-22T10:30:00.411Z",
        },
        "MSSP_Info": { "MSSP_ID": { "URI": "http://mid.swisscom.ch/" } },
        "MajorVersion": "1", "MinorVersion": "2",
    })
}

fn with(mut message: Value, more: Value) -> Value {
    let Value::Object(more) = more else {
        panic!("members")
    };
    message.as_object_mut().unwrap().extend(more);
    message
}

fn sign(mode: &str) -> Value {
    json!({ "MSS_SignatureReq": with(head(), json!({
        "DataToBeSigned": { "Data": "Log in to Example Bank?", "Encoding": "UTF-8", "MimeType": "text/plain" },
        "MessagingMode": mode,
        "MobileUser": { "MSISDN": "447700900002" },
        "SignatureProfile": "http://mid.swisscom.ch/Any-LoA4",
        "TimeOut": "80",
    })) })
}

fn status(id: &Value) -> Value {
    json!({ "MSS_StatusReq": with(head(), json!({ "MSSP_TransID": id })) })
}

/// Serialisers write `null` for a member that has no value.
#[test]
fn a_member_that_is_null_is_not_there() {
    let message = |more: Value| {
        let Value::Object(all) = sign("asynch") else {
            panic!("members")
        };
        json!({ "MSS_SignatureReq": with(all["MSS_SignatureReq"].clone(), more) })
    };
    let ask = |more: Value| ask(&mut World::new(), &message(more));
    let nothing = json!({
        "TimeOut": null, "ValidityDate": null, "AdditionalServices": null, "KeyReference": null, "MSS_Format": null,
        "SignatureProfile": null, "MobileUser": { "MSISDN": "447700900002", "HomeMSSP": null },
        "DataToBeSigned": { "Data": "Yes?", "MimeType": null, "Encoding": null },
    });
    let (http, answer) = ask(nothing);
    assert_eq!(http, 200, "{answer}");
    for lacking in [
        "MobileUser",
        "DataToBeSigned",
        "MessagingMode",
        "AP_Info",
        "MajorVersion",
    ] {
        let (http, answer) = ask(json!({ lacking: null }));
        assert_eq!(http, 500, "{lacking}");
        let code = &answer["Fault"]["Code"]["SubCode"]["Value"];
        assert_eq!(code, "_102", "{lacking}: {answer}");
    }
    let (http, answer) = ask(json!({ "AdditionalServices": [null] }));
    assert_eq!(
        (http, &answer["Fault"]["Code"]["SubCode"]["Value"]),
        (500, &json!("_101"))
    );
}

#[test]
fn a_signature_is_made_and_asked_for() {
    let mut world = World::new();
    let (id, step) = send(&mut world, "/rest/service/sign", sign("asynch").to_string());
    let (http, first) = response(&step, id);
    let first = &first["MSS_SignatureResp"];
    assert_eq!(http, 200);
    assert_eq!(first["Status"]["StatusCode"]["Value"], "100");
    assert_eq!(first["SignatureProfile"], "http://mid.swisscom.ch/STK-LoA4");
    assert_eq!(first["AP_Info"]["AP_TransID"], "ID-1");
    assert_eq!(first["AP_Info"].get("AP_PWD"), None);
    assert_eq!(first["MobileUser"]["MSISDN"], "447700900002");
    assert_eq!(
        first["MSSP_Info"]["MSSP_ID"]["URI"],
        "http://mssp.midsim.test/"
    );
    let id = &first["MSSP_TransID"];
    let (_, pending) = ask(&mut world, &status(id));
    assert_eq!(
        pending["MSS_StatusResp"]["Status"]["StatusCode"]["Value"],
        "504"
    );
    let submit = submitted(&step);
    world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
    let (_, done) = ask(&mut world, &status(id));
    let done = &done["MSS_StatusResp"];
    assert_eq!(done["Status"]["StatusCode"]["Value"], "502");
    assert_eq!(done["Status"]["StatusMessage"], "VALID_SIGNATURE");
    assert!(done["MSS_Signature"]["Base64Signature"].is_string());
}

#[test]
fn a_held_request_is_answered_in_json_too() {
    for (result, http) in [(ResultCode::OK, 200), (ResultCode::CANCELLED, 500)] {
        let mut world = World::new();
        let (id, step) = send(&mut world, "/rest/service", sign("synch").to_string());
        let submit = submitted(&step);
        let step = world.mo(&submit.msisdn, applet(&submit, result));
        let (status, value) = response(&step, id);
        assert_eq!(status, http);
        match http {
            200 => assert_eq!(
                value["MSS_SignatureResp"]["Status"]["StatusCode"]["Value"],
                "502"
            ),
            _ => assert_eq!(value["Fault"]["Code"]["SubCode"]["Value"], "_401"),
        }
    }
}

#[test]
fn a_fault_has_the_form_that_clients_read() {
    let mut world = World::new();
    let mut request = sign("asynch");
    request["MSS_SignatureReq"]["MobileUser"]["MSISDN"] = "41000092402".into();
    let (status, value) = ask(&mut world, &request);
    assert_eq!(status, 500);
    assert_eq!(
        value,
        json!({ "Fault": {
            "Code": {
                "Value": "Receiver",
                "ValueNs": "http://www.w3.org/2003/05/soap-envelope",
                "SubCode": { "Value": "_402", "ValueNs": "http://uri.etsi.org/TS102204/v1.1.2#" },
            },
            "Reason": "PIN_NR_BLOCKED",
            "Detail": "+41000092402 is the test number of PIN_NR_BLOCKED",
        }})
    );
}

#[test]
fn receipt_and_profile_query_have_their_extensions() {
    let mut world = World::new();
    let (id, step) = send(&mut world, "/rest/service", sign("asynch").to_string());
    let (_, first) = response(&step, id);
    let submit = submitted(&step);
    world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
    let receipt = json!({ "MSS_ReceiptReq": with(head(), json!({
        "MSSP_TransID": first["MSS_SignatureResp"]["MSSP_TransID"],
        "MobileUser": { "MSISDN": "447700900002" },
        "Message": { "Data": "Done", "Encoding": "UTF-8", "MimeType": "text/plain" },
        "Status": { "StatusCode": { "Value": "100" }, "StatusDetail": { "ReceiptRequestExtension": {
            "ReceiptMessagingMode": "synch", "UserAck": "true",
            "ReceiptProfile": { "Language": "en", "ReceiptProfileURI": "http://mss.swisscom.ch/synch" },
        } } },
    })) });
    let (id, step) = send(&mut world, "/rest/service", receipt.to_string());
    let submit = submitted(&step);
    let step = world.mo(&submit.msisdn, applet(&submit, ResultCode::CANCELLED));
    let (_, value) = response(&step, id);
    let status = &value["MSS_ReceiptResp"]["Status"];
    assert_eq!(status["StatusCode"]["Value"], "100");
    let extension = &status["StatusDetail"]["ReceiptResponseExtension"];
    assert_eq!(extension["UserAck"], "true");
    assert_eq!(extension["UserResponse"], "{\"status\":\"CANCEL\"}");

    let query = json!({ "MSS_ProfileReq": with(head(), json!({
        "MajorVersion": "2", "MinorVersion": "0",
        "MobileUser": { "MSISDN": "447700900002" },
        "Params": "sscds state certs pinstatus",
    })) });
    let (_, value) = ask(&mut world, &query);
    let profile = &value["MSS_ProfileResp"];
    assert!(profile["SignatureProfile"].as_array().unwrap().len() > 1);
    let sim = &profile["Status"]["StatusDetail"]["ProfileQueryExtension"]["Sscds"]["Sim"];
    assert_eq!(sim["PinStatus"]["Blocked"], false);
    assert_eq!(sim["State"], "ACTIVE");
}

#[test]
fn a_body_that_is_no_request_is_a_fault() {
    let deep = format!(
        "{{\"MSS_StatusReq\":{}{}}}",
        "{\"a\":".repeat(90),
        "1".to_owned() + &"}".repeat(90)
    );
    for body in [
        String::new(),
        "{".into(),
        "[]".into(),
        "{}".into(),
        "{\"MSS_SignatureReq\":1}".into(),
        "{\"MSS_SignatureResp\":{}}".into(),
        "{\"MSS_StatusReq\":{},\"MSS_ProfileReq\":{}}".into(),
        "{\"MSS_StatusReq\":{\"MSSP_TransID\":{}}}".into(),
        "{\"MSS_StatusReq\":{\"a b\":\"c\"}}".into(),
        "{\"MSS_StatusReq\":{\"a\":\"\\u0000\"}}".into(),
        "[".repeat(100_000),
        deep,
        SignatureRequest::default().to_xml(),
    ] {
        let mut world = World::new();
        let (id, step) = send(&mut world, "/rest/service", body.clone());
        let (status, value) = response(&step, id);
        assert_eq!(status, 500, "{body:.60}");
        assert_eq!(
            value["Fault"]["Code"]["SubCode"]["Value"], "_101",
            "{body:.60}"
        );
    }
    let missing = json!({ "MSS_StatusReq": head() });
    let (_, value) = ask(&mut World::new(), &missing);
    assert_eq!(value["Fault"]["Reason"], "MISSING_PARAM");
    let request = Request::post("/rest/service")
        .header("content-type", "text/xml")
        .body(Bytes::from("{}"))
        .unwrap();
    let id = RequestId(5);
    let step = World::new().feed(Input::Http { id, request });
    assert_eq!(response(&step, id).0, 415);
}

#[test]
fn a_strict_reader_takes_what_is_the_schemas() {
    let mut world = World::new();
    world.configure(|config| {
        config.strict = true;
        config.mssp_uri = "http://mid.swisscom.ch/".into();
    });
    let (_, value) = ask(&mut world, &sign("asynch"));
    // The one real deviation is the header of a deployed client.
    let detail = value["Fault"]["Detail"].as_str().unwrap();
    assert_eq!(detail, "Content-Encoding utf-8 is no encoding");
}

#[test]
fn passwords_are_marked_in_the_trace() {
    let mut world = World::new();
    let (_, step) = send(&mut world, "/rest/service", sign("asynch").to_string());
    let row = step.events[0].row();
    assert_eq!(row.name, "MSS_SignatureReq");
    let octets = row.octets.unwrap();
    let at = octets
        .bytes
        .windows(9)
        .position(|w| w == b"midsim-ap")
        .unwrap();
    assert!((at..at + 9).all(|n| octets.is_secret(n)));
    let answered = step.events.last().unwrap().row();
    assert_eq!(answered.name, "MSS_SignatureResp");
}

proptest! {
    #[test]
    fn any_octets_are_answered_in_json(octets: Vec<u8>) {
        let mut world = World::new();
        let (id, step) = send(&mut world, "/rest/service", octets);
        prop_assert_eq!(response(&step, id).0, 500);
    }

    #[test]
    fn a_flipped_bit_is_answered_in_json(at in 0usize..800, bit in 0u8..8) {
        let mut octets = sign("asynch").to_string().into_bytes();
        let at = at % octets.len();
        octets[at] ^= 1 << bit;
        let mut world = World::new();
        let (id, step) = send(&mut world, "/rest/service", octets);
        prop_assert!(matches!(response(&step, id).0, 200 | 500));
    }
}

#[test]
fn a_member_that_stands_twice_is_refused() {
    let request = sign("synch").to_string();
    for (member, twice) in [
        (
            r#""MSISDN":"447700900002""#,
            r#""MSISDN":"447700900003","MSISDN":"447700900002""#,
        ),
        (r#""TimeOut":"80""#, r#""TimeOut":"80","TimeOut":"80""#),
        (
            r#"{"MSS_SignatureReq":"#,
            r#"{"MSS_SignatureReq":{},"MSS_SignatureReq":"#,
        ),
    ] {
        assert!(request.contains(member), "{member} is not in {request}");
        let mut world = World::new();
        let (id, step) = send(&mut world, "/rest/service", request.replace(member, twice));
        let (status, fault) = response(&step, id);
        assert_eq!(status, 500);
        assert_eq!(fault["Fault"]["Code"]["SubCode"]["Value"], "_101");
        let detail = fault["Fault"]["Detail"].as_str().unwrap();
        assert!(detail.contains("stands twice"), "{detail}");
    }
}

//! Receipt, registration, profile query and handshake.

use super::*;
use crate::{Profile, samples::shapes};

fn profile_query() -> Call {
    Call::new(Operation::ProfileQuery, USER)
}

fn registration(more: &str) -> Call {
    Call::new(Operation::Registration, format!("{USER}{more}"))
}

const DEREGISTER: &str = "<m:Deregister xmlns:m=\"http://midsim.test/mssp\"/>";

#[test]
fn every_operation_answers_in_the_shape_of_its_request() {
    for shape in shapes() {
        for operation in Operation::ALL {
            let mut world = World::new();
            let from = || SignatureRequest {
                shape: shape.clone(),
                ..SignatureRequest::default()
            };
            let id = world.signed(&SignatureRequest {
                ap_trans_id: "A0".into(),
                ..from()
            });
            let request = match operation {
                Operation::Signature => from().to_xml(),
                Operation::StatusQuery => from().status(&id),
                Operation::Receipt => {
                    let mut call = Call::receipt(&id, "Thanks");
                    call.from = from();
                    call.to_xml()
                }
                Operation::Registration | Operation::ProfileQuery | Operation::Handshake => {
                    let mut call = match operation {
                        Operation::Registration => registration(""),
                        Operation::ProfileQuery => profile_query(),
                        _ => Call::handshake(),
                    };
                    call.from = from();
                    call.to_xml()
                }
            };
            let answer = world.ask(&request);
            assert_eq!(answer.0.status(), StatusCode::OK, "{operation}");
            let root = answer.root();
            let wrapper = find(&root, operation.response_wrapper()).unwrap();
            let part = wrapper.elements().next().unwrap();
            assert_eq!(part.local, operation.response());
            assert_eq!(wrapper.ns.as_deref(), shape.wrapper.as_deref());
            assert_eq!(part.ns.as_deref(), shape.part.as_deref());
            let ap_info = find(part, "AP_Info").unwrap();
            assert_eq!(ap_info.attribute(None, "AP_PWD"), Some("midsim-ap"));
            let uri = find(part, "URI").unwrap().text().into_owned();
            assert_eq!(uri, "http://mssp.midsim.test/");
        }
    }
}

#[test]
fn a_message_in_the_wrapper_of_another_operation_is_101() {
    let request = SignatureRequest::default()
        .to_xml()
        .replace("MSS_SignatureReq", "MSS_StatusReq");
    let answer = World::new().ask(&request);
    assert_eq!(answer.fault(), 101);
    assert!(answer.detail().contains("MSS_SignatureReq"));
}

#[test]
fn a_signature_is_acknowledged_once() {
    let mut world = World::new();
    let id = world.signed(&SignatureRequest::default());
    assert_eq!(
        world.ask(&Call::receipt(&id, "Done").to_xml()).status(),
        "100"
    );
    let again = world.ask(&Call::receipt(&id, "Done").to_xml());
    assert_eq!(again.fault(), 101);
    assert!(again.detail().contains("already"));
}

#[test]
fn a_receipt_has_to_fit_its_signature() {
    let mut world = World::new();
    let id = world.signed(&SignatureRequest::default());
    let empty = world.ask(&Call::receipt(&id, " ").to_xml());
    assert_eq!(empty.fault(), 101);
    let other = Call::receipt(&id, "Done")
        .to_xml()
        .replace("+447700900002", "+447700900003");
    assert_eq!(world.ask(&other).fault(), 101);
    let unknown = world.ask(&Call::receipt("Mnone", "Done").to_xml());
    assert_eq!(unknown.fault(), 101);
    assert!(unknown.detail().contains("there is no such transaction"));
    // A failure needs no receipt.
    let (open, submit) = world.begin(&SignatureRequest {
        ap_trans_id: "A2".into(),
        ..SignatureRequest::default()
    });
    assert_eq!(
        world.ask(&Call::receipt(&open, "Done").to_xml()).fault(),
        101
    );
    world.mo(&submit.msisdn, applet(&submit, ResultCode::CANCELLED));
    assert_eq!(
        world.ask(&Call::receipt(&open, "Done").to_xml()).fault(),
        101
    );
    // Another spelling of the number is the same number.
    let good = Call::receipt(&id, "Done")
        .to_xml()
        .replace("+447700900002", "44 7700 900002");
    assert_eq!(world.ask(&good).status(), "100");
}

#[test]
fn the_profiles_of_a_user_are_those_their_sim_can_do() {
    let profiles = |number: &str| {
        let request = profile_query().to_xml().replace("+447700900002", number);
        let answer = World::new().ask(&request);
        assert_eq!(answer.status(), "100");
        let root = answer.root();
        let part = find(&root, "MSS_ProfileResp").unwrap();
        part.elements()
            .filter(|e| e.local == "SignatureProfile")
            .map(|e| find(e, "mssURI").unwrap().text().into_owned())
            .collect::<Vec<_>>()
    };
    let known: Vec<_> = Profile::known().into_iter().map(|p| p.uri).collect();
    assert_eq!(profiles("+447700900002"), known);
    assert_eq!(
        profiles("+447700900009"),
        ["http://uri.gsma.com/mobileconnect/LoA2"]
    );
}

#[test]
fn the_details_of_a_sim_are_told_to_who_asks() {
    let mut world = World::new();
    let detailed = profile_query().to_xml().replace(
        "</MSS_ProfileReq>",
        "<mss:Params>sscds state pinstatus</mss:Params></MSS_ProfileReq>",
    );
    let blocked = |answer: &Answer| {
        let root = answer.root();
        let status = find(&root, "PinStatus").unwrap();
        status.attribute(None, "blocked").unwrap().to_owned()
    };
    assert_eq!(blocked(&world.ask(&detailed)), "false");
    // The card says that the PIN is blocked; the MSSP remembers.
    let (_, submit) = world.begin(&SignatureRequest::default());
    world.mo(&submit.msisdn, applet(&submit, ResultCode::PIN_BLOCKED));
    assert_eq!(blocked(&world.ask(&detailed)), "true");
    assert_eq!(world.ask(&profile_query().to_xml()).fault(), 402);
    // Until the card says otherwise.
    world.signed(&SignatureRequest {
        ap_trans_id: "A2".into(),
        ..SignatureRequest::default()
    });
    assert_eq!(blocked(&world.ask(&detailed)), "false");
    let (_, submit) = world.begin(&SignatureRequest {
        ap_trans_id: "A3".into(),
        ..SignatureRequest::default()
    });
    world.mo(&submit.msisdn, applet(&submit, ResultCode::PUK_BLOCKED));
    assert_eq!(world.ask(&detailed).fault(), 403);
}

#[test]
fn a_user_can_be_registered_and_deregistered() {
    let mut world = World::new();
    let sign = |world: &mut World, id: &str| {
        world.post(
            &SignatureRequest {
                ap_trans_id: id.into(),
                msisdn: Some("+447700900010".into()),
                ..SignatureRequest::default()
            }
            .to_xml(),
        )
    };
    let ten = |call: Call| call.to_xml().replace("+447700900002", "+447700900010");
    let (id, step) = sign(&mut world, "A1");
    assert_eq!(answer(&step, id).unwrap().fault(), 105);
    assert_eq!(world.ask(&ten(registration(""))).status(), "408");
    let (id, step) = sign(&mut world, "A1");
    assert_eq!(answer(&step, id).unwrap().status(), "100");
    let ended = world.ask(&ten(registration(DEREGISTER)));
    assert_eq!(ended.status(), "408");
    let (id, step) = sign(&mut world, "A2");
    assert_eq!(answer(&step, id).unwrap().fault(), 105);
    assert_eq!(world.ask(&ten(profile_query())).fault(), 105);
}

#[test]
fn a_registration_that_cannot_be_is_407() {
    let mut world = World::new();
    let nobody = registration("").to_xml().replace("900002", "900099");
    assert_eq!(world.ask(&nobody).fault(), 407);
    let suspended = registration("").to_xml().replace("900002", "900008");
    assert_eq!(world.ask(&suspended).fault(), 407);
    let encrypted = registration("<mss:EncryptedData/>").to_xml();
    assert_eq!(world.ask(&encrypted).fault(), 407);
    let certificate = registration("<mss:X509Certificate>!</mss:X509Certificate>").to_xml();
    assert_eq!(world.ask(&certificate).fault(), 101);
}

#[test]
fn a_handshake_secures_nothing_and_is_over_when_it_has_to_be_made() {
    let mut world = World::new();
    world.configure(|config| config.aps[0].handshake = true);
    let first = SignatureRequest::default().to_xml();
    assert_eq!(world.ask(&first).fault(), 106);
    let answer = world.ask(&Call::handshake().to_xml());
    assert_eq!(answer.0.status(), StatusCode::OK);
    let root = answer.root();
    let methods = find(&root, "SecureMethods").unwrap();
    assert_eq!(methods.attributes.len(), 6);
    assert!(methods.attributes.iter().all(|a| a.value == "false"));
    assert_eq!(world.ask(&first).status(), "100");
    let lacking = Call::handshake()
        .to_xml()
        .replace(" MSS_Status=\"false\"", "");
    assert_eq!(world.ask(&lacking).fault(), 102);
}

#[test]
fn the_certificate_of_the_ap_matches_in_a_handshake() {
    let mut world = World::new();
    world.configure(|config| config.aps[0].certificate = Some(Bytes::from_static(b"own")));
    let proposed = Call::handshake().to_xml().replace(
        "<mss:Certificates/>",
        "<mss:Certificates><mss:Certificate>b3du</mss:Certificate>\
         <mss:Certificate>b3RoZXI=</mss:Certificate></mss:Certificates>",
    );
    assert_eq!(world.ask(&proposed).fault(), 104, "without the certificate");
    assert_eq!(world.ask_with(&proposed, b"other").fault(), 104);
    let answer = world.ask_with(&proposed, b"own");
    let root = answer.root();
    let matching = find(&root, "MatchingAPCertificates").unwrap();
    let certificates: Vec<_> = matching.elements().map(|e| e.text().into_owned()).collect();
    assert_eq!(certificates, ["b3du"]);
}

#[test]
fn a_contract_bounds_operations_and_profiles() {
    let mut world = World::new();
    world.configure(|config| {
        config.aps[0].operations = vec![Operation::Signature];
        config.aps[0].profiles = vec!["http://uri.gsma.com/mobileconnect/LoA2".into()];
    });
    assert_eq!(world.ask(&profile_query().to_xml()).fault(), 104);
    assert_eq!(
        world.ask(&SignatureRequest::default().to_xml()).fault(),
        104
    );
    world.begin(&SignatureRequest {
        profile: Some("http://uri.gsma.com/mobileconnect/LoA2".into()),
        ..SignatureRequest::default()
    });
}

#[test]
fn a_person_is_found_by_user_identifier_too() {
    let request = |id: &str| {
        SignatureRequest::default().to_xml().replace(
            "<mss:MSISDN>+447700900002</mss:MSISDN>",
            &format!("<mss:UserIdentifier>{id}</mss:UserIdentifier>"),
        )
    };
    let mut world = World::new();
    assert_eq!(world.ask(&request("eve@midsim")).fault(), 105);
    let (id, step) = world.post(&request("ben@midsim"));
    let answer = answer(&step, id).unwrap();
    assert_eq!(answer.status(), "100");
    assert_eq!(answer.text("UserIdentifier").as_deref(), Some("ben@midsim"));
    assert_eq!(answer.text("MSISDN"), None, "echoed as sent");
    assert_eq!(submitted(&step).msisdn, "+447700900002".parse().unwrap());
}

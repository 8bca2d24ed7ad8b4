//! The Message of a receipt, on its way to the user.

use ota_wire::applet::Method;

use super::*;
use crate::OtaFailure;

fn with_extension(id: &str, user_ack: &str) -> String {
    Call::receipt(id, "Done").to_xml().replace(
        "<mss:Message>",
        &format!(
            "<mss:Status><mss:StatusCode Value=\"100\"/><mss:StatusDetail>\
             <s:ReceiptRequestExtension xmlns:s=\"http://www.swisscom.ch/TS102204/ext/v1.0.0\" \
             ReceiptMessagingMode=\"synch\" UserAck=\"{user_ack}\"/></mss:StatusDetail></mss:Status><mss:Message>"
        ),
    )
}

fn acks(answer: &Answer) -> Vec<(String, String)> {
    assert_eq!(answer.status(), "100");
    let root = answer.root();
    let extension = find(&root, "ReceiptResponseExtension").unwrap();
    let attributes = extension.attributes.iter().skip(1);
    attributes
        .map(|attribute| (attribute.local.to_string(), attribute.value.to_string()))
        .collect()
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    let all = all.iter();
    all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn the_message_is_confirmed_with_a_key() {
    let mut world = World::new();
    let id = world.signed(&SignatureRequest::default());
    let (connection, step) = world.post(&Call::receipt(&id, "Done").to_xml());
    // The AP need not wait.
    assert_eq!(answer(&step, connection).unwrap().status(), "100");
    let submit = submitted(&step);
    let challenge = Challenge::parse(&submit.payload).unwrap();
    assert_eq!(challenge.text.to_string(), "Done");
    assert_eq!(challenge.method, Method::Confirm);
    assert_eq!(challenge.digest, None);
    // It is part of the signature's trace.
    let parent = ota_wire::trace::Id::mssp_trans_id(&id);
    assert!(
        step.events
            .iter()
            .any(|event| event.parent.as_ref() == Some(&parent))
    );
    let step = world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
    assert!(step.outputs.is_empty(), "nobody waits for it");
    // What the AP asks for is its signature, and nothing else has an id.
    let request = SignatureRequest::default();
    assert_eq!(world.ask(&request.status(&id)).status(), "502");
    assert_eq!(world.ask(&request.status(&submit.id)).fault(), 101);
}

#[test]
fn an_ap_that_does_not_wait_hears_what_is_known_by_then() {
    let mut world = World::new();
    let id = world.signed(&SignatureRequest::default());
    let answer = world.ask(&with_extension(&id, "false"));
    assert_eq!(
        acks(&answer),
        pairs(&[
            ("NetworkAck", "true"),
            ("ClientAck", "false"),
            ("UserAck", "false")
        ])
    );
}

#[test]
fn an_ap_that_waits_hears_what_the_user_did() {
    let ok = "{\"status\":\"OK\"}";
    let cancel = "{\"status\":\"CANCEL\"}";
    let timeout = "{\"status\":\"TIMEOUT\"}";
    for (result, client, user, response) in [
        (ResultCode::OK, "true", "true", Some(ok)),
        (ResultCode::CANCELLED, "true", "true", Some(cancel)),
        (ResultCode::TIMEOUT, "false", "false", Some(timeout)),
        (ResultCode::BUSY, "true", "false", None),
    ] {
        let mut world = World::new();
        let id = world.signed(&SignatureRequest::default());
        let (connection, step) = world.post(&with_extension(&id, "true"));
        assert!(answer(&step, connection).is_none(), "it is held");
        let submit = submitted(&step);
        let step = world.mo(&submit.msisdn, applet(&submit, result));
        let answer = answer(&step, connection).unwrap();
        let mut expected = vec![
            ("NetworkAck", "true"),
            ("ClientAck", client),
            ("UserAck", user),
        ];
        expected.extend(response.map(|response| ("UserResponse", response)));
        assert_eq!(acks(&answer), pairs(&expected), "{result:?}");
    }
}

#[test]
fn a_message_that_does_not_arrive_is_no_fault() {
    let mut world = World::new();
    let id = world.signed(&SignatureRequest::default());
    let (connection, step) = world.post(&with_extension(&id, "true"));
    let step = world.feed(Input::Report {
        id: submitted(&step).id,
        outcome: OtaOutcome::Failed {
            reason: "absent".into(),
            kind: OtaFailure::Handset,
        },
    });
    let answer = answer(&step, connection).unwrap();
    assert_eq!(
        acks(&answer),
        pairs(&[
            ("NetworkAck", "false"),
            ("ClientAck", "false"),
            ("UserAck", "false")
        ])
    );
}

/// The user reads what became of the last one: the next signature waits for that, and is not refused.
#[test]
fn a_signature_waits_behind_a_receipt() {
    let next = SignatureRequest {
        ap_trans_id: "A2".into(),
        ..SignatureRequest::default()
    };
    let mut world = World::new();
    let id = world.signed(&SignatureRequest::default());
    let (_, step) = world.post(&Call::receipt(&id, "Done").to_xml());
    let shown = submitted(&step);
    let (connection, step) = world.post(&next.to_xml());
    let second = answer(&step, connection).unwrap().mssp_trans_id();
    let submits = |step: &Step| {
        let all = step.outputs.iter();
        all.filter(|output| matches!(output, Output::Submit(_)))
            .count()
    };
    assert_eq!(submits(&step), 0);
    let step = world.mo(&shown.msisdn, applet(&shown, ResultCode::OK));
    let submit = submitted(&step);
    world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
    assert_eq!(world.ask(&next.status(&second)).status(), "502");
    // And the SIM is free.
    let third = SignatureRequest {
        ap_trans_id: "A3".into(),
        ..SignatureRequest::default()
    };
    world.begin(&third);
}

#[test]
fn a_receipt_does_not_disturb_a_signature_and_can_be_sent_again() {
    let next = SignatureRequest {
        ap_trans_id: "A2".into(),
        ..SignatureRequest::default()
    };
    let mut world = World::new();
    let id = world.signed(&SignatureRequest::default());
    let (_, submit) = world.begin(&next);
    let receipt = Call::receipt(&id, "Done").to_xml();
    assert_eq!(world.ask(&receipt).fault(), 406);
    world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
    assert_eq!(world.ask(&receipt).status(), "100");
}

#[test]
fn a_message_has_to_be_one_that_can_be_shown() {
    let mut world = World::new();
    let id = world.signed(&SignatureRequest::default());
    let long = Call::receipt(&id, &"x".repeat(240)).to_xml();
    assert_eq!(world.ask(&long).fault(), 103);
    let image = Call::receipt(&id, "Done")
        .to_xml()
        .replace("<mss:Message>", "<mss:Message MimeType=\"image/png\">");
    assert_eq!(world.ask(&image).fault(), 107);
    // None of them was the one receipt that a signature has.
    assert_eq!(
        world.ask(&Call::receipt(&id, "Done").to_xml()).status(),
        "100"
    );
}

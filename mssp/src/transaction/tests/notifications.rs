//! Notifications: what they carry, how often they are sent, what stops them.

use super::*;
use crate::{code::Code, samples::shapes, soap::Shape};

fn request() -> SignatureRequest {
    SignatureRequest {
        mode: "asynchServerServer".into(),
        ap_url: Some("https://op.test:8443/mss/notify/s3cret".into()),
        ..SignatureRequest::default()
    }
}

/// A transaction that has just been notified of.
fn notified(result: ResultCode) -> (World, String, Send) {
    let mut world = World::new();
    let (id, submit) = world.begin(&request());
    let step = world.mo(&submit.msisdn, applet(&submit, result));
    let send = sent(&step).expect("a notification");
    (world, id, send)
}

fn receipt(shape: &Shape, id: &str, status: &str) -> String {
    shape.envelope("MSS_NotificationResponse", "MSS_ReceiptReq", |w| {
        w.attribute("MajorVersion", "1")
            .attribute("MinorVersion", "1")
            .attribute("MSSP_TransID", id)
            .open("mss:MobileUser")
            .close()
            .open("mss:Status")
            .open("mss:StatusCode")
            .attribute("Value", status)
            .close()
            .close();
    })
}

fn answered(world: &mut World, send: &Send, status: u16, body: &str) -> Step {
    world.feed(Input::Answer {
        id: send.id.clone(),
        result: Ok(Response::builder()
            .status(status)
            .body(Bytes::copy_from_slice(body.as_bytes()))
            .unwrap()),
    })
}

#[test]
fn a_failure_travels_as_a_status_without_a_signature() {
    for (result, code) in [
        (ResultCode::CANCELLED, "401"),
        (ResultCode::PIN_BLOCKED, "402"),
        (ResultCode::PUK_BLOCKED, "403"),
        (ResultCode::BUSY, "406"),
        (ResultCode::BAD_MAC, "900"),
    ] {
        let (_, id, send) = notified(result);
        assert_eq!(send.correlation, format!("mssp_trans_id:{id}"));
        let root = parse(&send.body).unwrap();
        let status = find(&root, "StatusCode").unwrap();
        assert_eq!(status.attribute(None, "Value"), Some(code));
        assert!(find(&root, "MSS_Signature").is_none());
        assert!(find(&root, "Fault").is_none());
    }
}

#[test]
fn expiry_and_ota_errors_are_notified_too() {
    let mut world = World::new();
    world.begin(&request());
    let step = world.next_timer();
    let notification = sent(&step).unwrap();
    let root = parse(&notification.body).unwrap();
    let status = |root| {
        let code = find(root, "StatusCode").unwrap();
        code.attribute(None, "Value").unwrap().to_owned()
    };
    assert_eq!(status(&root), "208");

    let mut world = World::new();
    let (id, _) = world.begin(&request());
    let step = world.feed(Input::Report {
        id,
        outcome: OtaOutcome::Failed {
            reason: "no coverage".into(),
            kind: crate::OtaFailure::Handset,
        },
    });
    let notification = sent(&step).unwrap();
    let root = parse(&notification.body).unwrap();
    assert_eq!(status(&root), "209");
}

#[test]
fn a_notification_has_the_shape_of_the_request() {
    for shape in shapes() {
        let mut world = World::new();
        let (_, submit) = world.begin(&SignatureRequest {
            shape: shape.clone(),
            ..request()
        });
        let step = world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
        let notification = sent(&step).unwrap();
        let root = parse(&notification.body).unwrap();
        let ns = |local| find(&root, local).unwrap().ns.as_deref().map(str::to_owned);
        assert_eq!(ns("MSS_Notification"), shape.wrapper);
        assert_eq!(ns("MSS_StatusResp"), shape.part);
    }
}

#[test]
fn a_receipt_ends_the_attempts() {
    for shape in shapes() {
        for status in ["600", "601", "602", "603"] {
            let (mut world, id, send) = notified(ResultCode::OK);
            let step = answered(&mut world, &send, 200, &receipt(&shape, &id, status));
            let EventKind::Receipt { result, .. } = &step.events[0].kind else {
                panic!("no receipt");
            };
            assert_eq!(*result, Ok(Some(Code(status.parse().unwrap()))));
            assert!(!world.timers.contains_key(&format!("notify/{id}")));
            // A second copy of the answer is as good as none.
            let before = world.records.0.clone();
            answered(&mut world, &send, 200, &receipt(&shape, &id, status));
            assert_eq!(world.records.0, before);
        }
    }
}

#[test]
fn without_a_receipt_it_is_sent_again_with_growing_pauses_and_then_given_up() {
    let (mut world, id, first) = notified(ResultCode::OK);
    let shape = Shape::default();
    let no_receipts = [
        (404, receipt(&shape, &id, "600")),
        (200, String::new()),
        (200, "<html/>".to_owned()),
        (200, receipt(&shape, "M0", "600")),
        (500, "busy".to_owned()),
    ];
    let mut send = first.clone();
    let mut last = world.now;
    let mut pauses = Vec::new();
    for (status, body) in no_receipts {
        let step = answered(&mut world, &send, status, &body);
        assert!(sent(&step).is_none(), "the timer sends, not the answer");
        let step = world.next_timer();
        pauses.push(world.now.duration_since(last).as_secs());
        last = world.now;
        send = sent(&step).expect("another attempt");
        assert_ne!(send.id, first.id);
        assert_eq!(send.url, first.url);
    }
    assert_eq!(pauses, [2, 4, 8, 16, 32]);
    let unreachable = Input::Answer {
        id: send.id,
        result: Err(SendError::Unreachable("refused".into())),
    };
    world.feed(unreachable);
    let step = world.next_timer();
    assert!(sent(&step).is_none());
    assert!(matches!(
        step.events[0].kind,
        EventKind::NotificationGivenUp { attempts: 6 }
    ));
    assert!(!world.timers.contains_key(&format!("notify/{id}")));
    // The AP finds out by asking.
    assert_eq!(world.ask(&request().status(&id)).status(), "502");
    // A receipt that comes after all is still noted.
    answered(&mut world, &first, 200, &receipt(&shape, &id, "600"));
}

#[test]
fn a_stale_timer_sends_nothing() {
    let (mut world, id, send) = notified(ResultCode::OK);
    let timer = || Input::Timer {
        key: format!("notify/{id}"),
    };
    assert!(sent(&world.feed(timer())).is_none(), "too early");
    answered(
        &mut world,
        &send,
        200,
        &receipt(&Shape::default(), &id, "600"),
    );
    world.pass(2);
    assert!(sent(&world.feed(timer())).is_none(), "acknowledged");
}

#[test]
fn an_answer_to_nothing_is_ignored() {
    let mut world = World::new();
    for id in ["", "M0/1", "M0", "x/y/z"] {
        let step = world.feed(Input::Answer {
            id: id.into(),
            result: Err(SendError::TimedOut),
        });
        assert!(step.outputs.is_empty());
    }
}

//! The doorbell: notifications believed, confirmed, lost, forged, repeated and late.

use super::*;

#[test]
fn notification_is_received_and_confirmed_before_tokens() {
    let mut world = World::new();
    let id = world.start("poll");
    let send = world.last();
    world.mssp(&send, 100);
    let receipt = world.notify(&send, 502);
    assert_eq!(receipt.status(), 200);
    assert_eq!(
        receipt.headers()["content-type"],
        "application/soap+xml; charset=utf-8"
    );
    let receipt = String::from_utf8(receipt.body().to_vec()).unwrap();
    assert!(
        receipt.contains("MSS_ReceiptReq") && receipt.contains("Value=\"600\""),
        "{receipt}"
    );
    assert_eq!(world.poll_error("poll", &id), "authorization_pending");
    let query = world.last();
    world.mssp(&query, 502);
    assert_eq!(world.poll("poll", &id).0, 200);
}

#[test]
fn notification_is_believed_when_configured_so() {
    let mut world = World::with(|config| config.mssp.confirm_notifications = false);
    let id = world.start("poll");
    let send = world.last();
    world.mssp(&send, 100);
    world.notify(&send, 502);
    assert_eq!(world.sent.len(), 1);
    assert_eq!(world.poll("poll", &id).0, 200);
}

#[test]
fn notification_that_the_mssp_does_not_confirm_changes_nothing() {
    let mut world = World::new();
    let id = world.start("poll");
    let send = world.last();
    world.mssp(&send, 100);
    world.notify(&send, 502);
    let query = world.last();
    world.mssp(&query, 504);
    assert_eq!(world.poll_error("poll", &id), "authorization_pending");
    world.notify(&send, 502);
    let query = world.last();
    world.mssp(&query, 502);
    assert_eq!(world.poll("poll", &id).0, 200);
}

#[test]
fn notification_may_overtake_the_acknowledgement() {
    let mut world = World::new();
    let id = world.start("poll");
    let send = world.last();
    world.notify(&send, 502);
    let query = world.last();
    assert!(query.id.starts_with("status/"), "matched by AP_TransID");
    world.mssp(&query, 502);
    world.mssp(&send, 100);
    assert_eq!(world.poll("poll", &id).0, 200);
}

#[test]
fn an_acknowledgement_lost_after_the_notification_changes_nothing() {
    for error in [
        SendError::TimedOut,
        SendError::Unreachable("connection reset".to_owned()),
    ] {
        let mut world = World::new();
        let id = world.start("poll");
        let send = world.last();
        world.notify(&send, 502);
        let query = world.last();
        world.fail(&send, error);
        assert_eq!(world.poll_error("poll", &id), "authorization_pending");
        world.mssp(&query, 502);
        assert_eq!(world.poll("poll", &id).0, 200);
    }
}

#[test]
fn a_late_acknowledgement_asks_no_second_time() {
    let mut world = World::new();
    let id = world.start("poll");
    let send = world.last();
    world.notify(&send, 502);
    let query = world.last();
    world.mssp(&send, 100);
    assert_eq!(world.last().id, query.id);
    world.mssp(&query, 502);
    assert_eq!(world.poll("poll", &id).0, 200);
}

#[test]
fn notification_without_mssp_trans_id_waits_for_the_acknowledgement() {
    let mut world = World::new();
    let id = world.start("poll");
    let send = world.last();
    let body = notification(&text(&send), 502, ALICE);
    let without = body.replace(
        &format!(" MSSP_TransID=\"{}\"", attribute(&body, "MSSP_TransID")),
        "",
    );
    let url = attribute(&text(&send), "AP_URL");
    let response = world.http(soap_request(url.strip_prefix(ISSUER).unwrap(), &without));
    assert_eq!(response.status(), 200);
    assert_eq!(world.sent.len(), 1, "nothing to ask with yet");
    world.mssp(&send, 100);
    let query = world.last();
    assert!(query.id.starts_with("status/"));
    world.mssp(&query, 502);
    assert_eq!(world.poll("poll", &id).0, 200);
}

#[test]
fn repeated_and_late_notifications_get_600_and_change_nothing() {
    let mut world = World::new();
    let id = world.start("poll");
    let send = world.last();
    world.approve(&send);
    let sent = world.sent.len();
    for status in [502, 401] {
        let records = world.store.records.clone();
        let receipt = world.notify(&send, status);
        assert_eq!(receipt.status(), 200);
        assert!(String::from_utf8_lossy(receipt.body()).contains("Value=\"600\""));
        assert_eq!(world.store.records, records);
    }
    assert_eq!(world.sent.len(), sent);
    assert_eq!(world.poll("poll", &id).0, 200);

    let id = world.start_with("poll", &[("requested_expiry", "10")]);
    let send = world.last();
    world.advance(11);
    assert_eq!(world.notify(&send, 502).status(), 200);
    assert_eq!(world.poll_error("poll", &id), "expired_token");
}

#[test]
fn a_notification_of_an_earlier_attempt_gets_600_and_changes_nothing() {
    let mut world = World::new();
    world.start("poll");
    let first = world.last();
    world.mssp(&first, 100);
    world.notify(&first, 406);
    let query = world.last();
    world.mssp_fault(&query, 406);
    world.advance(6);
    let second = world.last();
    assert!(second.id.starts_with("sign/") && second.id != first.id);
    world.mssp(&second, 100);
    let records = world.store.records.clone();
    let receipt = world.notify(&first, 502);
    assert_eq!(receipt.status(), 200);
    assert_eq!(world.store.records, records);
}

#[test]
fn forged_notifications_change_nothing() {
    let mut world = World::new();
    let id = world.start("poll");
    let send = world.last();
    world.mssp(&send, 100);
    let records = world.store.records.clone();
    let url = attribute(&text(&send), "AP_URL");
    let path = url.strip_prefix(ISSUER).unwrap();
    let good = notification(&text(&send), 502, ALICE);
    let ap_trans_id = attribute(&good, "AP_TransID");
    let mssp_trans_id = attribute(&good, "MSSP_TransID");

    let response = world.http(soap_request("/mss/notify/guess", &good));
    assert_eq!(response.status(), 404);
    for forged in [
        good.replace(&ap_trans_id, "Aother"),
        good.replace(&mssp_trans_id, "Mother"),
        good.replace(ALICE, "+447700900002"),
        good.replace("MobileUser", "SomebodyElse"),
        good.replace("MSS_StatusResp", "MSS_SignatureResp"),
        good.replace("StatusCode", "NoCode"),
        good.replace(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
            "<!DOCTYPE x [<!ENTITY y \"z\">]>",
        ),
        "not xml".to_owned(),
        String::new(),
    ] {
        let response = world.http(soap_request(path, &forged));
        assert_eq!(response.status(), 400, "{forged}");
        assert!(String::from_utf8_lossy(response.body()).contains("mss:_101"));
    }
    assert_eq!(world.store.records, records);
    assert_eq!(world.poll_error("poll", &id), "authorization_pending");
    world.notify(&send, 502);
    let query = world.last();
    world.mssp(&query, 502);
    assert_eq!(world.poll("poll", &id).0, 200, "the next good one works");
}

#[test]
fn lost_notification_is_found_before_expiry() {
    let mut world = World::new();
    let id = world.start("poll");
    let send = world.last();
    world.mssp(&send, 100);
    world.advance(109);
    assert_eq!(world.sent.len(), 1);
    world.advance(1);
    let query = world.last();
    assert!(query.id.starts_with("status/"));
    world.mssp(&query, 502);
    assert_eq!(world.poll("poll", &id).0, 200);
}

#[test]
fn notification_during_a_status_query_is_not_lost() {
    let mut world = World::new();
    let id = world.start("poll");
    let send = world.last();
    world.mssp(&send, 100);
    world.advance(110);
    let look = world.last();
    world.notify(&send, 502);
    assert_eq!(world.last().id, look.id, "one query at a time");
    world.mssp(&look, 504);
    let again = world.last();
    assert_ne!(
        again.id, look.id,
        "the answer may have been older than the bell"
    );
    world.mssp(&again, 502);
    assert_eq!(world.poll("poll", &id).0, 200);
}

#[test]
fn auth_time_is_the_first_notification() {
    let mut world = World::new();
    let id = world.start("poll");
    let send = world.last();
    world.mssp(&send, 100);
    world.now = 5;
    world.notify(&send, 502);
    let query = world.last();
    world.now = 8;
    world.notify(&send, 502);
    world.now = 9;
    world.mssp(&query, 502);
    let (_, tokens) = world.poll("poll", &id);
    let claims = world.signer.verify(tokens["id_token"].as_str().unwrap());
    assert_eq!(claims["auth_time"], at(5).as_second());
}

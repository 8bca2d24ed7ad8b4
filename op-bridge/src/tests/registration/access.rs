//! Who may register, read, change and delete.

use http::Method;
use serde_json::json;

use super::support::*;
use super::*;
use crate::Registration;

#[test]
fn registration_can_be_closed_or_ask_for_a_token() {
    let mut world = World::with(|config| config.registration = Registration::Off);
    assert_eq!(register(&mut world, &poll_client()).0, 404);
    let mut world = World::with(|config| {
        config.registration = Registration::Token(Secret::new("initial"));
    });
    for (token, status) in [(None, 401), (Some("wrong"), 401), (Some("initial"), 201)] {
        let (got, body) = call(
            &mut world,
            Method::POST,
            "/register",
            token,
            Some(&poll_client()),
        );
        assert_eq!(got, status, "{token:?}: {body}");
    }
}

#[test]
fn registered_client_reads_updates_and_deletes_itself() {
    let mut registered = Registered::new(&poll_client());
    let secret = registered.body["client_secret"]
        .as_str()
        .unwrap()
        .to_owned();
    let (status, body) = registered.manage(Method::GET, None);
    assert_eq!((status, &body["client_name"]), (200, &json!("Fresh Bank")));
    assert_eq!(body["client_id"], json!(registered.id));
    registered.is_told_how_to_go_on(&body);

    let mut update = poll_client();
    update["client_id"] = json!(registered.id);
    update["client_secret"] = json!(secret);
    update["client_name"] = json!("Renamed Bank");
    let (status, body) = registered.manage(Method::PUT, Some(&update));
    assert_eq!(
        (status, &body["client_name"]),
        (200, &json!("Renamed Bank")),
        "{body}"
    );
    registered.is_told_how_to_go_on(&body);
    assert_eq!(registered.authorize(&secret).0, 200, "the secret goes on");

    for (member, value) in [
        ("client_id", json!("poll")),
        ("client_secret", json!("other")),
        ("registration_access_token", json!("x")),
        ("client_id_issued_at", json!(1)),
    ] {
        let mut bad = update.clone();
        bad[member] = value;
        let (status, body) = registered.manage(Method::PUT, Some(&bad));
        assert_eq!(
            (status, body["error"].as_str()),
            (400, Some("invalid_request")),
            "{member}"
        );
    }
    assert_eq!(registered.manage(Method::DELETE, None).0, 204);
    assert_eq!(registered.manage(Method::GET, None).0, 401);
    assert_eq!(registered.authorize(&secret).0, 401);
}

#[test]
fn registration_access_token_is_for_its_client_alone() {
    let mut registered = Registered::new(&poll_client());
    let (_, other) = register(&mut registered.world, &poll_client());
    registered.token = other["registration_access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let (status, body) = registered.manage(method.clone(), Some(&poll_client()));
        assert_eq!(
            (status, body["error"].as_str()),
            (401, Some("invalid_token")),
            "{method}"
        );
    }
    let mut world = World::new();
    for path in [
        "/register/poll",
        "/register/",
        "/register/..%2f",
        "/register/a/b",
    ] {
        assert_eq!(
            call(&mut world, Method::GET, path, Some("x"), None).0,
            401,
            "{path}"
        );
    }
}

/// RFC 7592 §2.2: null is the same as nothing, a wish to be rid of the member.
#[test]
fn a_member_that_is_null_is_not_there() {
    let mut metadata = poll_client();
    metadata["logo_uri"] = Value::Null;
    metadata["jwks"] = Value::Null;
    let mut registered = Registered::new(&metadata);
    assert!(registered.body.get("logo_uri").is_none());
    let mut update = poll_client();
    update["client_id"] = json!(registered.id);
    update["client_name"] = Value::Null;
    let (status, body) = registered.manage(Method::PUT, Some(&update));
    assert_eq!(status, 200, "{body}");
    assert!(body.get("client_name").is_none(), "{body}");
    update["client_id"] = Value::Null;
    assert_eq!(registered.manage(Method::PUT, Some(&update)).0, 400);
}

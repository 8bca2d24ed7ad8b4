//! CIBA Core §10.1, §11; RFC 6749 §6.

use super::*;

#[test]
fn tokens_after_approval() {
    let mut world = World::new();
    let auth_req_id = world.start_with("poll", &[("scope", "openid phone"), ("acr_values", "3")]);
    world.now = 7;
    let signature = world.last();
    world.approve(&signature);
    world.now = 20;
    let response = world.post(
        "/token",
        "poll",
        &[("grant_type", CIBA), ("auth_req_id", &auth_req_id)],
    );
    assert_eq!(response.headers()["cache-control"], "no-store");
    let (status, body) = answer(&response);
    assert_eq!(status, 200);
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 3600);
    assert_eq!(body["scope"], "openid phone");
    assert!(body.get("refresh_token").is_none());
    assert!(body["access_token"].as_str().unwrap().len() >= 43);

    let claims = world.signer.verify(body["id_token"].as_str().unwrap());
    assert_eq!(claims["iss"], ISSUER);
    assert_eq!(claims["aud"], "poll");
    assert_eq!(claims["acr"], "3");
    assert_eq!(claims["amr"], serde_json::json!(["mfa", "pin", "sc"]));
    assert_eq!(
        claims["auth_time"],
        at(7).as_second(),
        "the approval, not the poll"
    );
    assert_eq!(claims["iat"], at(20).as_second());
    assert_eq!(claims["exp"], at(620).as_second());
    assert!(!claims["sub"].as_str().unwrap().contains("447700900001"));
    assert!(claims.get("nonce").is_none());
    // at_hash (OpenID Connect Core §3.1.3.6), computed here by hand.
    use base64::Engine;
    use sha2::Digest;
    let hash = sha2::Sha256::digest(body["access_token"].as_str().unwrap());
    let left = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&hash[..16]);
    assert_eq!(claims["at_hash"], left);
}

#[test]
fn sub_is_stable_per_subscriber_and_differs_between_them() {
    let mut world = World::new();
    let mut sub = |client: &str, hint: &str| {
        let id = world.start_with(client, &[("login_hint", hint)]);
        let signature = world.last();
        let answer_100 = mssp_answer(&text(&signature), 100, hint);
        world.answer(&signature, 200, &answer_100);
        let url = attribute(&text(&signature), "AP_URL");
        let body = notification(&text(&signature), 502, hint);
        world.http(soap_request(url.strip_prefix(ISSUER).unwrap(), &body));
        let query = world.last();
        world.answer(&query, 200, &mssp_answer(&text(&query), 502, hint));
        let (_, tokens) = world.poll(client, &id);
        world.signer.verify(tokens["id_token"].as_str().unwrap())["sub"].clone()
    };
    let alice = sub("poll", ALICE);
    assert_eq!(sub("poll2", ALICE), alice);
    assert_ne!(sub("poll", "+447700900002"), alice);
}

#[test]
fn pending_until_the_user_answers() {
    let mut world = World::new();
    let auth_req_id = world.start("poll");
    assert_eq!(
        world.poll_error("poll", &auth_req_id),
        "authorization_pending"
    );
}

#[test]
fn slow_down_between_the_starts_of_two_polls_lengthens_the_interval_by_5_s() {
    let mut world = World::new();
    let auth_req_id = world.start("poll");
    for (second, answer) in [
        (0, "authorization_pending"),
        (4, "slow_down"),  // 4 s after, 5 wanted; from now on 10
        (13, "slow_down"), // 9 s after, 10 wanted; from now on 15
        (28, "authorization_pending"),
        (43, "authorization_pending"),
    ] {
        world.now = second;
        assert_eq!(
            world.poll_error("poll", &auth_req_id),
            answer,
            "at {second} s"
        );
    }
}

#[test]
fn the_interval_of_a_client_that_never_slows_down_ends_at_a_minute() {
    let mut world = World::new();
    let auth_req_id = world.start_with("poll", &[("requested_expiry", "600")]);
    world.poll_error("poll", &auth_req_id);
    for _ in 0..20 {
        assert_eq!(world.poll_error("poll", &auth_req_id), "slow_down");
    }
    world.now = 60;
    assert_eq!(
        world.poll_error("poll", &auth_req_id),
        "authorization_pending"
    );
}

#[test]
fn the_interval_counts_from_when_a_request_began_to_arrive() {
    let mut world = World::new();
    let auth_req_id = world.start("poll");
    let form = [("grant_type", CIBA), ("auth_req_id", auth_req_id.as_str())];
    let mut poll = |began: i64, handled: i64| {
        world.now = handled;
        let mut request = form_request("/token", "poll", &form);
        request.extensions_mut().insert(crate::Started(at(began)));
        answer(&world.http(request)).1["error"].clone()
    };
    assert_eq!(poll(0, 3), "authorization_pending");
    // Two seconds after the first was handled, but five after it began.
    assert_eq!(poll(5, 5), "authorization_pending");
    assert_eq!(poll(9, 20), "slow_down");
}

#[test]
fn slow_down_can_be_switched_off() {
    let mut world = World::with(|config| config.polling.slow_down = false);
    let auth_req_id = world.start("poll");
    for _ in 0..3 {
        assert_eq!(
            world.poll_error("poll", &auth_req_id),
            "authorization_pending"
        );
    }
}

#[test]
fn an_early_poll_still_gets_its_tokens() {
    let mut world = World::new();
    let auth_req_id = world.start("poll");
    let signature = world.last();
    assert_eq!(
        world.poll_error("poll", &auth_req_id),
        "authorization_pending"
    );
    world.approve(&signature);
    assert_eq!(world.poll("poll", &auth_req_id).0, 200);
}

#[test]
fn expired_token_past_expires_in_and_from_the_tombstone() {
    let mut world = World::new();
    let auth_req_id = world.start_with("poll", &[("requested_expiry", "10")]);
    world.now = 10; // the timer has not fired yet
    assert_eq!(world.poll_error("poll", &auth_req_id), "expired_token");
    world.advance(300);
    assert_eq!(world.poll_error("poll", &auth_req_id), "expired_token");
    world.advance(400);
    assert_eq!(world.poll_error("poll", &auth_req_id), "invalid_grant");
    assert!(world.store.records.is_empty() && world.store.timers.is_empty());
}

#[test]
fn expired_token_when_approved_but_not_fetched_in_time() {
    let mut world = World::new();
    let auth_req_id = world.start_with("poll", &[("requested_expiry", "10")]);
    let signature = world.last();
    world.approve(&signature);
    world.advance(11);
    assert_eq!(world.poll_error("poll", &auth_req_id), "expired_token");
}

#[test]
fn access_denied_when_the_user_refused() {
    let mut world = World::new();
    let auth_req_id = world.start("poll");
    let signature = world.last();
    world.mssp(&signature, 100);
    world.notify(&signature, 401);
    let query = world.last();
    world.mssp_fault(&query, 401);
    let (status, body) = world.poll("poll", &auth_req_id);
    assert_eq!(
        (status, body["error"].as_str()),
        (400, Some("access_denied"))
    );
    assert!(body["error_description"].as_str().unwrap().contains("401"));
}

#[test]
fn invalid_grant_for_unknown_redeemed_and_foreign_ids() {
    let mut world = World::new();
    assert_eq!(world.poll_error("poll", "unknown"), "invalid_grant");
    let auth_req_id = world.start("poll");
    let signature = world.last();
    world.approve(&signature);
    assert_eq!(world.poll_error("poll2", &auth_req_id), "invalid_grant");
    assert_eq!(world.poll("poll", &auth_req_id).0, 200);
    assert_eq!(world.poll_error("poll", &auth_req_id), "invalid_grant");
}

#[test]
fn push_client_is_unauthorized_client() {
    let mut world = World::new();
    let auth_req_id = world.start("push");
    assert_eq!(
        world.poll_error("push", &auth_req_id),
        "unauthorized_client"
    );
}

#[test]
fn malformed_token_requests() {
    let mut world = World::new();
    for (form, error) in [
        (vec![], "invalid_request"),
        (vec![("grant_type", CIBA)], "invalid_request"),
        (
            vec![("grant_type", "authorization_code")],
            "unsupported_grant_type",
        ),
        (
            vec![("grant_type", "refresh_token"), ("refresh_token", "x")],
            "unsupported_grant_type",
        ),
    ] {
        let (status, body) = answer(&world.post("/token", "poll", &form));
        assert_eq!(
            (status, body["error"].as_str()),
            (400, Some(error)),
            "{form:?}"
        );
    }
    let mut request = form_request("/token", "poll", &[("grant_type", CIBA)]);
    request.headers_mut().remove("authorization");
    let (status, body) = answer(&world.http(request));
    assert_eq!(
        (status, body["error"].as_str()),
        (401, Some("invalid_client"))
    );
}

#[test]
fn two_redemptions_of_one_version_conflict_and_the_second_gets_invalid_grant() {
    let mut world = World::new();
    let auth_req_id = world.start("poll");
    let signature = world.last();
    world.approve(&signature);
    let form = [("grant_type", CIBA), ("auth_req_id", auth_req_id.as_str())];

    let before = world.store.clone();
    let mut runs = Vec::new();
    for _ in 0..2 {
        let input = world.http_input(form_request("/token", "poll", &form));
        let reader = before.reader();
        let step = world.op.step(&reader, input, at(world.now), &mut world.rng);
        runs.push((step, reader.into_read()));
    }
    let (mut second, second_read) = runs.pop().unwrap();
    let (mut first, first_read) = runs.pop().unwrap();
    assert!(world.store.commit(&mut first, &first_read));
    assert!(
        !world.store.commit(&mut second, &second_read),
        "the loser must notice"
    );
    assert_eq!(reply(first.outputs).unwrap().status(), 200);
    // The runtime runs the loser again over what is there now.
    assert_eq!(world.poll_error("poll", &auth_req_id), "invalid_grant");
}

#[test]
fn a_step_run_twice_before_its_commit_changes_nothing() {
    let mut world = World::new();
    let auth_req_id = world.start("poll");
    let signature = world.last();
    world.approve(&signature);
    let before = world.store.clone();
    let form = [("grant_type", CIBA), ("auth_req_id", auth_req_id.as_str())];
    let input = world.http_input(form_request("/token", "poll", &form));
    drop(
        world
            .op
            .step(&before.reader(), input, at(world.now), &mut world.rng),
    );
    assert_eq!(
        world.poll("poll", &auth_req_id).0,
        200,
        "the run that was thrown away took nothing"
    );
}

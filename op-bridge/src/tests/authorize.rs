//! CIBA Core §7.1–§7.3, §13; MODRNA CIBA profile §4.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::{MessagingMode, Profile, UnknownUser};

fn refused(world: &mut World, client: &str, change: &[(&str, &str)]) -> (u16, String, String) {
    let response = world.authorize(client, change);
    assert_eq!(response.headers()["cache-control"], "no-store");
    let (status, body) = answer(&response);
    let members = body.as_object().unwrap();
    assert!(
        members
            .keys()
            .all(|k| k == "error" || k == "error_description"),
        "{body}"
    );
    let description = body["error_description"].as_str().unwrap();
    assert!(
        description
            .chars()
            .all(|c| (' '..='~').contains(&c) && c != '"' && c != '\\')
    );
    assert!(world.sent.is_empty(), "the MSSP is left alone");
    (
        status,
        body["error"].as_str().unwrap().to_owned(),
        description.to_owned(),
    )
}

#[track_caller]
fn expect(client: &str, change: &[(&str, &str)], code: &str) {
    let (status, error, description) = refused(&mut World::new(), client, change);
    assert_eq!((status, error.as_str()), (400, code), "{description}");
}

#[test]
fn acknowledgement_has_auth_req_id_expires_in_and_interval() {
    let mut world = World::new();
    let response = world.authorize("poll", &[]);
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let (_, body) = answer(&response);
    assert_eq!(body["expires_in"], 120);
    assert_eq!(body["interval"], 5);
    assert_eq!(body.as_object().unwrap().len(), 3);
    let auth_req_id = body["auth_req_id"].as_str().unwrap();
    assert!(auth_req_id.len() >= 43, "32 octets in base64url");
    assert!(
        auth_req_id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    );
}

#[test]
fn acknowledgement_has_no_interval_in_push() {
    let (_, body) = answer(&World::new().authorize("push", &[]));
    assert_eq!(
        body.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["auth_req_id", "expires_in"]
    );
}

#[test]
fn auth_req_id_is_stored_as_its_hash_only() {
    let mut world = World::new();
    let auth_req_id = world.start("poll");
    for (key, (_, value)) in &world.store.records {
        let record = format!("{key} {}", String::from_utf8_lossy(value));
        assert!(!record.contains(&auth_req_id), "{record}");
    }
}

#[test]
fn notification_secret_is_stored_as_its_hash_only() {
    let mut world = World::new();
    world.start("poll");
    let url = attribute(&text(&world.last()), "AP_URL");
    let secret = url.rsplit('/').next().unwrap();
    assert!(secret.len() >= 43);
    for (key, (_, value)) in &world.store.records {
        assert!(!format!("{key} {}", String::from_utf8_lossy(value)).contains(secret));
    }
}

#[test]
fn client_must_authenticate() {
    let bad_headers = [
        vec![],
        vec![basic("poll", "wrong")],
        vec![basic("nobody", "poll-secret")],
        vec!["Bearer x".to_owned()],
        vec!["Basic ???".to_owned()],
        vec![basic("poll", "poll-secret"), basic("poll", "poll-secret")],
    ];
    for headers in bad_headers {
        let mut world = World::new();
        let mut request = authorize_request("poll", &[]);
        request.headers_mut().remove("authorization");
        for header in &headers {
            request
                .headers_mut()
                .append("authorization", header.parse().unwrap());
        }
        let response = world.http(request);
        assert!(
            response.headers()["www-authenticate"]
                .to_str()
                .unwrap()
                .starts_with("Basic ")
        );
        let (status, body) = answer(&response);
        assert_eq!(
            (status, body["error"].as_str()),
            (401, Some("invalid_client")),
            "{headers:?}"
        );
    }
}

#[test]
fn client_is_checked_before_the_parameters() {
    let mut request = form_request("/bc-authorize", "poll", &[]);
    request
        .headers_mut()
        .insert("authorization", basic("poll", "wrong").parse().unwrap());
    assert_eq!(answer(&World::new().http(request)).0, 401);
}

#[test]
fn more_than_one_client_authentication_is_refused() {
    expect(
        "poll",
        &[("client_secret", "poll-secret")],
        "invalid_request",
    );
    let type_alone = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let change = [("client_assertion_type", type_alone)];
    expect("poll", &change, "invalid_request");
    expect("poll", &[("client_id", "ping")], "invalid_request");
    assert_eq!(
        World::new()
            .authorize("poll", &[("client_id", "poll")])
            .status(),
        200
    );
}

#[test]
fn scope_is_required_and_contains_openid() {
    expect("poll", &[("scope", "")], "invalid_request");
    expect("poll", &[("scope", "profile")], "invalid_scope");
    expect("poll", &[("scope", "openid \u{1}")], "invalid_scope");
    for scope in ["phone openid", "openid phone unknown", "openid  profile"] {
        assert_eq!(
            World::new().authorize("poll", &[("scope", scope)]).status(),
            200,
            "{scope}"
        );
    }
}

#[test]
fn scope_granted_is_what_is_known_once_and_in_order() {
    let mut world = World::new();
    let id = world.start_with("poll", &[("scope", "phone openid email phone openid")]);
    let signature = world.last();
    world.approve(&signature);
    assert_eq!(world.poll("poll", &id).1["scope"], "phone openid");
}

#[test]
fn exactly_one_hint() {
    expect("poll", &[("login_hint", "")], "invalid_request");
    expect("poll", &[("id_token_hint", "x")], "invalid_request");
    expect("poll", &[("login_hint_token", "x")], "invalid_request");
    let alone = [("login_hint", ""), ("login_hint_token", "x")];
    let (_, error, description) = refused(&mut World::new(), "poll", &alone);
    assert_eq!(error, "invalid_request");
    assert!(description.starts_with("login_hint_token is not encrypted"));
    expect(
        "poll",
        &[("login_hint", ""), ("id_token_hint", "x")],
        "invalid_request",
    );
}

#[test]
fn unknown_user_is_unknown_user_id() {
    expect("poll", &[("login_hint", NOBODY)], "unknown_user_id");
    expect(
        "poll",
        &[("login_hint", "alice@example.com")],
        "unknown_user_id",
    );
    expect("poll", &[("login_hint", "PCR:abc")], "unknown_user_id");
}

#[test]
fn login_hint_spellings_reach_the_mssp_as_e164() {
    for hint in [
        ALICE,
        "447700900001",
        "MSISDN:447700900001",
        "MSISDN%3A447700900001",
        "tel:+44-7700-900001",
    ] {
        let mut world = World::new();
        world.start_with("poll", &[("login_hint", hint)]);
        assert!(
            text(&world.last()).contains("<mss:MSISDN>+447700900001</mss:MSISDN>"),
            "{hint}"
        );
    }
}

#[test]
fn acr_values_is_required_by_modrna() {
    let (status, error, description) = refused(&mut World::new(), "poll", &[("acr_values", "")]);
    assert_eq!((status, error.as_str()), (400, "invalid_request"));
    assert!(
        description.starts_with("acr_values is required by the MODRNA CIBA profile, section 4")
    );
    let mut core = World::with(|config| config.profile = Profile::Ciba);
    assert_eq!(core.authorize("poll", &[("acr_values", "")]).status(), 200);
}

#[test]
fn acr_values_selects_the_signature_profile_by_preference() {
    let long = "http://schemas.openid.net/policies/modrna/";
    for (acr, profile) in [
        ("mod-mf", "LoA3"),
        ("3", "LoA3"),
        (&format!("{long}multi-factor"), "LoA3"),
        ("mod-pr", "LoA2"),
        ("2", "LoA2"),
        (&format!("{long}phishing-resistant"), "LoA2"),
        ("4 3 2", "LoA4"),
        ("5 3 2", "LoA3"),
        ("mod-pr mod-mf", "LoA2"),
    ] {
        let mut world = World::new();
        world.start_with("poll", &[("acr_values", acr)]);
        let expected =
            format!("<mss:mssURI>http://uri.gsma.com/mobileconnect/{profile}</mss:mssURI>");
        assert!(text(&world.last()).contains(&expected), "{acr}");
    }
    expect("poll", &[("acr_values", "5 urn:x")], "invalid_request");
}

#[test]
fn binding_message_is_shown_and_policed() {
    let mut world = World::new();
    world.start_with("poll", &[("binding_message", "Pay <5> & go")]);
    assert!(text(&world.last()).contains(">Pay &lt;5&gt; &amp; go</mss:DataToBeSigned>"));
    world.start("poll");
    assert!(text(&world.last()).contains(">Sign in to Example Bank?</mss:DataToBeSigned>"));
    for bad in [
        &"x".repeat(120),
        "a\nb",
        "a\u{7f}",
        "a\u{202e}b",
        "a\u{61c}b",
        "a\u{200b}b",
        "a\u{2028}b",
        "a\u{2029}b",
        "a\u{2060}b",
        "a\u{2069}b",
        "a\u{feff}b",
        "a\u{85}",
        "\u{ffff}",
    ] {
        expect(
            "poll",
            &[("binding_message", bad)],
            "invalid_binding_message",
        );
    }
}

/// The code points are of Unicode's DerivedCoreProperties.txt, Default_Ignorable_Code_Point, first and last of each range.
#[test]
fn what_nobody_sees_is_in_no_text() {
    let ignorable = [
        0xad, 0x34f, 0x61c, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x180b, 0x180e, 0x180f, 0x200b, 0x200e,
        0x200f, 0x202a, 0x202e, 0x2060, 0x2065, 0x206f, 0x3164, 0xfe00, 0xfe0f, 0xfeff, 0xffa0,
        0xfff0, 0xfff8, 0x1bca0, 0x1bca3, 0x1d173, 0x1d17a, 0xe0000, 0xe0001, 0xe007f, 0xe0100,
        0xe01ef, 0xe0fff,
    ];
    let inside = ignorable.into_iter().chain(0xfff9..=0xfffb);
    let inside = inside.map(|c| format!("a{}b", char::from_u32(c).unwrap()));
    let alone = [
        " ",
        "\u{a0}",
        "\u{2800}",
        "\u{200d}",
        "\u{200c}\u{3000} \u{2800}",
    ];
    for bad in inside.chain(alone.map(str::to_owned)) {
        let change = [("binding_message", bad.as_str())];
        expect("poll", &change, "invalid_binding_message");
        let mut config = World::new().op.config().clone();
        config.clients[0].name = bad.clone();
        let refused = Op::new(config).err();
        let by_name = matches!(refused, Some(crate::ConfigError::Name { .. }));
        assert!(by_name, "{bad:?}: {refused:?}");
    }
    let persian = "\u{645}\u{6cc}\u{200c}\u{62e}\u{648}\u{627}\u{647}\u{645}";
    for good in [persian, "a\u{a0}b", "\u{2801}\u{2800}\u{2801}"] {
        World::new().start_with("poll", &[("binding_message", good)]);
    }
}

#[test]
fn potentially_bad_binding_message_is_invalid_binding_message() {
    let text = "1234567890 \u{1f600} \u{6f22}\u{5b57} ".repeat(32);
    expect(
        "poll",
        &[("binding_message", &text)],
        "invalid_binding_message",
    );
}

#[test]
fn requested_expiry_is_a_bounded_positive_integer() {
    for (requested, granted) in [
        ("10", 10),
        ("600", 600),
        ("601", 600),
        ("99999999999999999999", 600),
    ] {
        let (_, body) = answer(&World::new().authorize("poll", &[("requested_expiry", requested)]));
        assert_eq!(body["expires_in"], granted, "{requested}");
    }
    for bad in ["0", "-1", "1.5", "ten", "+5", "0x10"] {
        expect("poll", &[("requested_expiry", bad)], "invalid_request");
    }
}

#[test]
fn client_notification_token_is_required_for_ping_and_push() {
    for client in ["ping", "push"] {
        expect(
            client,
            &[("client_notification_token", "")],
            "invalid_request",
        );
        for bad in ["a b", "t\u{e4}st", "=", "a=b", &"x".repeat(1025)] {
            expect(
                client,
                &[("client_notification_token", bad)],
                "invalid_request",
            );
        }
        for good in ["abc==", "A-Z._~+/9", &"x".repeat(1024)] {
            let mut world = World::new();
            let response = world.authorize(client, &[("client_notification_token", good)]);
            assert_eq!(response.status(), 200, "{good}");
        }
    }
    let mut world = World::new();
    world.start_with("poll", &[("client_notification_token", "not a token")]);
}

#[test]
fn user_code_and_signed_requests_are_refused_as_unsupported() {
    expect("poll", &[("user_code", "1234")], "invalid_request");
    expect("poll", &[("request", "eyJ")], "invalid_request");
}

#[test]
fn unknown_parameters_are_ignored() {
    World::new().start_with("poll", &[("nonce", "n"), ("claims", "{}"), ("x", "y")]);
}

#[test]
fn duplicate_parameters_are_refused() {
    let mut request = authorize_request("poll", &[]);
    let body = [request.body().as_ref(), b"&scope=openid"].concat();
    *request.body_mut() = Bytes::from(body);
    assert_eq!(
        answer(&World::new().http(request)).1["error"],
        "invalid_request"
    );
}

#[test]
fn wrong_content_type_is_refused() {
    let mut request = authorize_request("poll", &[]);
    request
        .headers_mut()
        .insert("content-type", "application/json".parse().unwrap());
    let (status, body) = answer(&World::new().http(request));
    assert_eq!(
        (status, body["error"].as_str()),
        (400, Some("invalid_request"))
    );
}

#[test]
fn answer_leaves_before_the_mssp_is_asked() {
    let mut world = World::new();
    let input = world.http_input(authorize_request("poll", &[]));
    let outputs = world.step(input);
    assert!(matches!(outputs[0], Output::Reply { .. }));
    assert!(matches!(outputs[1], Output::Send(_)));
    assert_eq!(outputs.len(), 2);
}

fn asking(messaging: MessagingMode) -> World {
    World::with(|config| {
        config.unknown_user = UnknownUser::AskMssp;
        config.mssp.messaging = messaging;
    })
}

#[test]
fn ask_mssp_turns_fault_105_into_unknown_user_id() {
    let mut world = asking(MessagingMode::AsynchServerServer);
    let input = world.http_input(authorize_request("poll", &[("login_hint", NOBODY)]));
    assert!(
        reply(world.step(input)).is_none(),
        "held until the MSSP has answered"
    );
    let send = world.last();
    let (status, body) = answer(&reply(world.mssp_fault(&send, 105)).unwrap());
    assert_eq!(
        (status, body["error"].as_str()),
        (400, Some("unknown_user_id"))
    );
    assert!(world.store.records.is_empty() && world.store.timers.is_empty());
}

#[test]
fn ask_mssp_answers_when_the_mssp_knows_the_number() {
    let mut world = asking(MessagingMode::AsynchClientServer);
    let input = world.http_input(authorize_request("poll", &[("login_hint", NOBODY)]));
    assert!(reply(world.step(input)).is_none());
    let send = world.last();
    let outputs = world.answer(&send, 200, &mssp_answer(&text(&send), 100, NOBODY));
    let (status, body) = answer(&reply(outputs).unwrap());
    assert_eq!(status, 200);
    let auth_req_id = body["auth_req_id"].as_str().unwrap().to_owned();
    assert_eq!(
        world.poll_error("poll", &auth_req_id),
        "authorization_pending"
    );
}

#[test]
fn ask_mssp_refuses_when_the_mssp_is_down() {
    let mut world = asking(MessagingMode::AsynchServerServer);
    let input = world.http_input(authorize_request("poll", &[("login_hint", NOBODY)]));
    world.step(input);
    let send = world.last();
    let outputs = world.fail(&send, SendError::Unreachable("connection refused".into()));
    let (status, body) = answer(&reply(outputs).unwrap());
    assert_eq!(
        (status, body["error"].as_str()),
        (403, Some("access_denied"))
    );
    assert!(world.store.records.is_empty() && world.store.timers.is_empty());
}

#[test]
fn ask_mssp_refuses_when_the_mssp_says_nothing_until_expiry() {
    let mut world = asking(MessagingMode::AsynchServerServer);
    let input = world.http_input(authorize_request("poll", &[("login_hint", NOBODY)]));
    world.step(input);
    let life = world
        .store
        .timers
        .keys()
        .find(|key| key.starts_with("life/"))
        .unwrap()
        .clone();
    world.now = 120;
    let outputs = world.step(Input::Timer { key: life });
    assert_eq!(answer(&reply(outputs).unwrap()).0, 403);
    assert!(world.store.records.is_empty() && world.store.timers.is_empty());
}

#[test]
fn ask_mssp_in_synch_mode_cannot_wait() {
    let mut world = asking(MessagingMode::Synch);
    let auth_req_id = world.start_with("poll", &[("login_hint", NOBODY)]);
    let send = world.last();
    world.mssp_fault(&send, 105);
    assert_eq!(world.poll_error("poll", &auth_req_id), "access_denied");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the form holds, the answer is a 200 or a plain refusal.
    #[test]
    fn any_form_gets_a_clean_answer(
        pairs in prop::collection::vec(
            (prop::sample::select(vec![
                "scope", "acr_values", "login_hint", "binding_message", "requested_expiry",
                "login_hint_token", "user_code", "request", "client_id", "x",
            ]), any::<String>()), 0..8),
        raw in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let mut world = World::new();
        let response = world.post("/bc-authorize", "poll", &pairs);
        prop_assert!(matches!(response.status().as_u16(), 200 | 400));
        let mut request = form_request("/bc-authorize", "poll", &[]);
        *request.body_mut() = Bytes::from([encode(&pairs).as_bytes(), b"&", &raw].concat());
        prop_assert!(matches!(world.http(request).status().as_u16(), 200 | 400));
    }
}

use super::{Badge, Octets, Row};
use crate::tests::{ALICE, NOTIFICATION_TOKEN, World, attribute, text};

fn rows(world: &World) -> Vec<(String, Option<String>, Row)> {
    let events = world.events.iter();
    events
        .map(|e| {
            (
                e.own.to_string(),
                e.parent.as_ref().map(ToString::to_string),
                e.row(),
            )
        })
        .collect()
}

fn masked(octets: &Octets) -> String {
    let mut bytes = octets.bytes.clone();
    for range in &octets.secrets {
        bytes[range.clone()].fill(b'*');
    }
    String::from_utf8(bytes).unwrap()
}

/// A whole flow of one client, polled or pushed to its end.
fn flow(client: &str) -> (World, String) {
    let mut world = World::with(|config| config.refresh_tokens = true);
    let id = world.start_with(client, &[("scope", "openid phone")]);
    let signature = world.last();
    world.approve(&signature);
    if client == "push" {
        let push = world.last();
        world.answer(&push, 204, "");
    } else {
        world.poll(client, &id);
    }
    (world, id)
}

#[test]
fn steps_of_appendix_a_are_numbered_in_order() {
    for client in ["poll", "push"] {
        let (world, _) = flow(client);
        let steps: Vec<u8> = rows(&world)
            .iter()
            .filter_map(|(_, _, row)| row.step)
            .collect();
        assert_eq!(steps, [1, 2, 3, 14, 15, 16], "{client}");
    }
}

#[test]
fn ids_join_a_transaction() {
    let (world, id) = flow("poll");
    let rows = rows(&world);
    let of_step = |step| {
        rows.iter()
            .find(|(_, _, row)| row.step == Some(step))
            .unwrap()
    };
    assert_eq!(of_step(1).0, format!("auth_req_id:{id}"));
    let (ap, parent, _) = of_step(3);
    assert!(ap.starts_with("ap_trans_id:A"));
    assert_eq!(
        parent.as_deref(),
        Some(format!("auth_req_id:{id}").as_str())
    );
    let (mssp, parent, _) = of_step(14);
    assert!(mssp.starts_with("mssp_trans_id:M"));
    assert_eq!(parent.as_ref(), Some(ap));
    assert_eq!(of_step(16).0, format!("auth_req_id:{id}"));
}

#[test]
fn userinfo_and_refresh_join_the_transaction_of_their_token() {
    let mut world = World::with(|config| config.refresh_tokens = true);
    let id = world.start("poll");
    let signature = world.last();
    world.approve(&signature);
    let (_, tokens) = world.poll("poll", &id);
    let ap_trans_id = format!("ap_trans_id:{}", attribute(&text(&signature), "AP_TransID"));

    let refresh_token = tokens["refresh_token"].as_str().unwrap();
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
    ];
    let before = world.events.len();
    let (_, refreshed) = crate::tests::answer(&world.post("/token", "poll", &form));
    for tokens in [&tokens, &refreshed] {
        let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
        let request = http::Request::get("/userinfo").header("authorization", bearer);
        let response = world.http(request.body(bytes::Bytes::new()).unwrap());
        assert_eq!(response.status(), 200);
    }
    assert!(world.events.len() > before + 3);
    for event in &world.events[before..] {
        // An id of its own for each call would grow the trace without end.
        assert_eq!(event.own.to_string(), ap_trans_id, "{}", event.row().name);
    }
}

#[test]
fn a_forged_notification_takes_no_step() {
    let mut world = World::new();
    world.start("poll");
    let body = crate::tests::notification(&text(&world.last()), 502, ALICE);
    for path in ["/mss/notify/guess", &notify_path(&world)] {
        world.http(crate::tests::soap_request(
            path,
            &body.replace(ALICE, "+15005550006"),
        ));
        let row = world.events.last().unwrap().row();
        assert_eq!(
            (row.name.as_str(), row.step),
            ("MSS_Notification", None),
            "{path}"
        );
    }
}

fn notify_path(world: &World) -> String {
    let url = attribute(&text(&world.last()), "AP_URL");
    url.strip_prefix(crate::tests::ISSUER).unwrap().to_owned()
}

#[test]
fn fields_show_the_essentials() {
    let (world, id) = flow("poll");
    let rows = rows(&world);
    let fields = |step| {
        let (_, _, row) = rows
            .iter()
            .find(|(_, _, row)| row.step == Some(step))
            .unwrap();
        row.fields.clone()
    };
    let has = |step, name: &str, value: &str| {
        let fields = fields(step);
        assert!(
            fields.contains(&(name.to_owned(), value.to_owned())),
            "{fields:?}"
        );
    };
    has(1, "login_hint", ALICE);
    has(1, "acr_values", "mod-mf");
    has(2, "auth_req_id", &id);
    has(3, "MSISDN", ALICE);
    has(3, "DataToBeSigned", "Sign in to Example Bank?");
    has(14, "Status", "502 VALID_SIGNATURE");
    has(15, "id_token.acr", "mod-mf");
    has(16, "id_token.aud", "poll");
    assert_eq!(rows[0].2.badge, Badge::Profile);
}

#[test]
fn secrets_are_marked_and_never_in_fields() {
    for client in ["poll", "push", "ping"] {
        let (world, id) = flow(client);
        let signature = text(&world.sent[0]);
        let notify = attribute(&signature, "AP_URL");
        let mut secrets = vec![
            "midsim-ap".to_owned(),
            format!("{client}-secret"),
            crate::tests::basic(client, &format!("{client}-secret")),
            notify.rsplit('/').next().unwrap().to_owned(),
        ];
        if client != "poll" {
            let percent: String = NOTIFICATION_TOKEN
                .bytes()
                .map(|b| format!("%{b:02X}"))
                .collect();
            secrets.extend([NOTIFICATION_TOKEN.to_owned(), percent]);
        }
        let bodies = world
            .sent
            .iter()
            .map(text)
            .filter(|body| body.starts_with('{'));
        let answers = world.events.iter().filter_map(|event| match &event.kind {
            super::EventKind::TokenAnswer { response, .. } => {
                Some(String::from_utf8(response.body().to_vec()).unwrap())
            }
            _ => None,
        });
        for body in bodies.chain(answers) {
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            for name in ["access_token", "refresh_token", "id_token"] {
                secrets.extend(body[name].as_str().map(str::to_owned));
            }
        }
        assert!(secrets.len() >= 7, "{client}: the flow brought tokens");
        let mut seen = 0;
        for (_, _, row) in rows(&world) {
            let shown = row.octets.as_ref().map(masked).unwrap_or_default();
            let octets = row
                .octets
                .map(|o| String::from_utf8(o.bytes).unwrap())
                .unwrap_or_default();
            for secret in &secrets {
                seen += usize::from(octets.contains(secret));
                assert!(!shown.contains(secret), "{} shows {secret}", row.name);
                assert!(
                    !format!("{:?}", row.fields).contains(secret),
                    "{}",
                    row.name
                );
            }
        }
        assert!(seen >= secrets.len() - 2, "{client}: {id}");
    }
}

#[test]
fn secrets_are_found_however_they_are_written() {
    use super::mask;
    let shown = |bytes: &[u8], secrets| {
        masked(&Octets {
            bytes: bytes.to_vec(),
            secrets,
            kind: "http",
        })
    };
    let form = b"a=1&client%5Fsecret=xyz&client_secret=&refresh_token=r";
    assert_eq!(
        shown(form, mask::form(form, 0)),
        "a=1&client%5Fsecret=***&client_secret=&refresh_token=*"
    );
    let json = br#"{"access_token" : "a\"b","token_type":"Bearer","id_token":"x"}"#;
    assert_eq!(
        shown(json, mask::json(json, 0)),
        r#"{"access_token" : "****","token_type":"Bearer","id_token":"*"}"#
    );
    let soap = |body: &str| shown(body.as_bytes(), mask::soap(body.as_bytes()));
    assert_eq!(
        soap("<a AP_PWD = 'p\"w' AP_URL=\"http://x/mss/notify/abc\" AP_PWD=\"open"),
        "<a AP_PWD = '***' AP_URL=\"http://x/**************\" AP_PWD=\"****"
    );
    for (body, expected) in [
        ("<a ap_pwd=x1>", "<a ap_pwd=**>"),
        ("<AP_PWD>x1</AP_PWD>", "<AP_PWD>**</AP_PWD>"),
        ("AP_URL='http://x/abc/'", "AP_URL='http://x/****'"),
        ("AP_URL='http://u:p@x/'", "AP_URL='http://******'"),
        ("AP_PWD", "AP_PWD"),
    ] {
        assert_eq!(soap(body), expected);
    }
    let utf16: Vec<u8> = "AP_PWD='ü'"
        .encode_utf16()
        .flat_map(u16::to_be_bytes)
        .collect();
    let all = 0..utf16.len();
    assert_eq!(mask::soap(&utf16), [all]);
}

/// Each octet is looked at once, however many passwords are opened and never closed.
#[test]
fn a_notification_full_of_open_secrets_has_one_secret() {
    let body = "AP_PWD>".repeat(500);
    let rest = "AP_PWD>".len()..body.len();
    assert_eq!(super::mask::soap(body.as_bytes()), [rest]);
}

/// Clients put credentials where they do not belong, too.
#[test]
fn secrets_in_the_wrong_place_are_marked() {
    let show = |request: http::Request<bytes::Bytes>| {
        let mut world = World::new();
        world.http(request);
        let row = world.events[0].row();
        let shown = masked(&row.octets.unwrap());
        assert!(
            !format!("{:?}", row.fields).contains("s3cret"),
            "{:?}",
            row.fields
        );
        assert!(!shown.contains("s3cret"), "{shown}");
        shown
    };
    let post = |path: &str, media_type: &str, body: &'static str| {
        http::Request::post(path)
            .header("content-type", media_type)
            .header("cookie", "session=s3cret")
            .header("proxy-authorization", "Basic s3cret")
            .body(bytes::Bytes::from(body))
            .unwrap()
    };
    let form = "application/x-www-form-urlencoded";
    let shown = show(post(
        "/token?client_id=poll&client_secret=s3cret",
        form,
        "a=b",
    ));
    assert!(
        shown.starts_with("POST /token?client_id=poll&client_secret=****** HTTP/1.1"),
        "{shown}"
    );
    assert!(shown.ends_with("a=b"), "{shown}");
    show(post(
        "/token",
        "application/json",
        r#"{"client_secret":"s3cret="}"#,
    ));
    show(post("/bc-authorize", "text/plain", "client_secret: s3cret"));
    show(post(
        "/bc-authorize",
        form,
        "Client_Secret=s3cret&user_code=s3cret&request=s3cret",
    ));
}

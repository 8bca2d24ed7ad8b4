//! The answer side of the OP over sockets: decisions in the user's place, single use, long polling, keys that follow each other,
//! and the two use cases of identity data.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use midsim::suite::{Builder, OpSwitches};
use midsim::trace::Line;
use midsim::wiring::Humans;
use midsim::world::World;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::Folder;
use crate::support::sockets::{ADA, Answer, BEN, Bench, field, line, named};

async fn asking() -> Bench {
    Bench::of(Builder::new(World::default()).humans(Humans::Ask)).await
}

async fn with(switches: OpSwitches) -> Bench {
    Bench::of(Builder::new(World::default()).op(switches)).await
}

/// As the OIDF suite calls it: no body, no content type.
async fn decide(bench: &Bench, auth_req_id: &str, action: &str) -> Answer {
    let url = format!(
        "{}/admin/ciba/decision?auth_req_id={auth_req_id}&action={action}",
        bench.suite.urls().ui
    );
    bench.request(Method::POST, &url, &[], "").await
}

async fn get(bench: &Bench, path: &str, token: Option<&str>) -> Value {
    let url = format!("{}{path}", bench.suite.op_url());
    let bearer = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<_> = bearer
        .iter()
        .map(|value| ("authorization", value.as_str()))
        .collect();
    let answer = bench.request(Method::GET, &url, &headers, "").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn claims(tokens: &Value) -> Value {
    let part = tokens["id_token"].as_str().unwrap().split('.').nth(1);
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part.unwrap()).unwrap()).unwrap()
}

fn kid(tokens: &Value) -> Value {
    let part = tokens["id_token"].as_str().unwrap().split('.').next();
    let header: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part.unwrap()).unwrap()).unwrap();
    header["kid"].clone()
}

fn asks_for_pin(lines: &[Line]) -> bool {
    lines.iter().any(|line| line.name.contains("GET INPUT"))
}

#[tokio::test]
async fn allow_goes_through_the_whole_chain_and_two_polls_before_it_are_pending() {
    let bench = asking().await;
    let id = bench.begin("poll", ADA).await;
    for _ in 0..2 {
        bench
            .expect_error("poll", &id, "authorization_pending")
            .await;
        bench.advance(5).await;
    }
    assert_eq!(decide(&bench, &id, "allow").await.status, 204);
    bench.expect_tokens("poll", &id).await;
    let lines = bench.lines(&id);
    for step in 1..=16 {
        assert!(
            lines.iter().any(|line| line.step == Some(step)),
            "step {step}"
        );
    }
    assert_eq!(
        decide(&bench, &id, "allow").await.status,
        204,
        "it is so already"
    );
    bench.finish().await;
}

#[tokio::test]
async fn deny_presses_cancel_on_the_handset() {
    let bench = asking().await;
    let id = bench.begin("poll", ADA).await;
    assert_eq!(decide(&bench, &id, "deny").await.status, 204);
    let refused = bench.expect_error("poll", &id, "access_denied").await;
    assert!(refused.text().contains("401"), "{}", refused.text());
    assert_eq!(
        decide(&bench, &id, "allow").await.status,
        409,
        "it was denied"
    );
    bench.finish().await;
}

#[tokio::test]
async fn a_decision_about_nothing_is_refused() {
    let bench = asking().await;
    assert_eq!(decide(&bench, "unknown", "allow").await.status, 404);
    assert_eq!(decide(&bench, "unknown", "maybe").await.status, 400);
    let url = format!("{}/admin/ciba/decision", bench.suite.urls().ui);
    let foreign = [("origin", "http://evil.example")];
    let answer = bench.request(Method::POST, &url, &foreign, "").await;
    assert_eq!(answer.status, 403);
    bench.finish().await;
}

#[tokio::test]
async fn without_an_mssp_requests_wait_for_the_decision_or_are_approved_at_once() {
    let bench = with(OpSwitches {
        authenticator: op_bridge::Authenticator::Wait,
        ..OpSwitches::default()
    })
    .await;
    let (first, second) = (
        bench.begin("poll", BEN).await,
        bench.begin("poll", BEN).await,
    );
    bench
        .expect_error("poll", &first, "authorization_pending")
        .await;
    assert_eq!(decide(&bench, &first, "allow").await.status, 204);
    bench.expect_tokens("poll", &first).await;
    assert_eq!(decide(&bench, &second, "deny").await.status, 204);
    bench.expect_error("poll", &second, "access_denied").await;
    assert!(named(&bench.lines(&first), "MSS_SignatureReq").is_empty());
    bench.finish().await;

    let bench = with(OpSwitches {
        authenticator: op_bridge::Authenticator::Approve,
        ..OpSwitches::default()
    })
    .await;
    let id = bench.begin("poll", BEN).await;
    bench.expect_tokens("poll", &id).await;
    bench.finish().await;
}

#[tokio::test]
async fn of_many_redemptions_at_once_one_gets_the_tokens() {
    let bench = with(OpSwitches {
        authenticator: op_bridge::Authenticator::Approve,
        ..OpSwitches::default()
    })
    .await;
    for _ in 0..5 {
        let id = bench.begin("poll", BEN).await;
        let once = || bench.token("poll", &id);
        let (a, b, c, d) = tokio::join!(once(), once(), once(), once());
        let (e, f, g, h) = tokio::join!(once(), once(), once(), once());
        let answers = [a, b, c, d, e, f, g, h];
        let won = answers.iter().filter(|answer| answer.status == 200);
        assert_eq!(won.count(), 1);
        for lost in answers.iter().filter(|answer| answer.status != 200) {
            lost.is_oauth_error(400, "invalid_grant");
        }
    }
    bench.finish().await;
}

#[tokio::test]
async fn a_held_poll_is_answered_by_the_decision() {
    let bench = with(OpSwitches {
        authenticator: op_bridge::Authenticator::Wait,
        poll_hold: 30,
        ..OpSwitches::default()
    })
    .await;
    let id = bench.begin("poll", BEN).await;
    let (tokens, ()) = tokio::join!(bench.token("poll", &id), async {
        // The poll has reached the OP when the trace has it.
        let mut traces = bench.suite.trace_log().watch();
        let arrived = |_: &u64| !named(&bench.lines(&id), "POST /token").is_empty();
        traces.wait_for(arrived).await.unwrap();
        assert_eq!(decide(&bench, &id, "allow").await.status, 204);
    });
    assert_eq!(tokens.status, 200, "{}", tokens.text());

    let second = bench.begin("poll", BEN).await;
    let (pending, ()) = tokio::join!(bench.token("poll", &second), async {
        let mut traces = bench.suite.trace_log().watch();
        let arrived = |_: &u64| !named(&bench.lines(&second), "POST /token").is_empty();
        traces.wait_for(arrived).await.unwrap();
        bench
            .suite
            .advance(std::time::Duration::from_secs(30))
            .await;
    });
    pending.is_oauth_error(400, "authorization_pending");
    bench.finish().await;
}

#[tokio::test]
async fn a_client_that_leaves_a_held_poll_gets_its_tokens_later() {
    let folder = Folder::new("left");
    let builder = || {
        Builder::new(World::default()).op(OpSwitches {
            authenticator: op_bridge::Authenticator::Wait,
            poll_hold: 30,
            ..OpSwitches::default()
        })
    };
    // A step that has to wait for the disk goes on without the client.
    for builder in [builder(), builder().data_dir(folder.path())] {
        leave_and_come_again(Bench::of(builder).await).await;
    }
}

async fn leave_and_come_again(bench: Bench) {
    let id = bench.begin("poll", BEN).await;
    let host = bench.suite.op_url().replace("http://", "");
    let form = format!("grant_type=urn%3Aopenid%3Aparams%3Agrant-type%3Aciba&auth_req_id={id}");
    let request = format!(
        "POST /token HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic cG9sbDpwb2xsLXNlY3JldA==\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    let mut stream = TcpStream::connect(&host).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut traces = bench.suite.trace_log().watch();
    let arrived = |_: &u64| !named(&bench.lines(&id), "POST /token").is_empty();
    traces.wait_for(arrived).await.unwrap();
    // It closes its end; the OP closes the other when it has noticed.
    stream.shutdown().await.unwrap();
    let mut answered = Vec::new();
    stream.read_to_end(&mut answered).await.unwrap();
    assert!(answered.is_empty(), "it was held");

    assert_eq!(decide(&bench, &id, "allow").await.status, 204);
    bench.idle().await;
    let tokens = bench.token("poll", &id).await;
    assert_eq!(tokens.status, 200, "{}", tokens.text());
    let second = bench.token("poll", &id).await;
    second.is_oauth_error(400, "invalid_grant");
    bench.finish().await;
}

#[tokio::test]
async fn a_retired_signing_key_stays_published() {
    let bench = with(OpSwitches {
        authenticator: op_bridge::Authenticator::Approve,
        ..OpSwitches::default()
    })
    .await;
    let tokens = async || {
        let id = bench.begin("poll", BEN).await;
        bench.token("poll", &id).await.json()
    };
    let before = tokens().await;
    let url = format!("{}/api/v1/op/rotate-keys", bench.suite.urls().ui);
    let json = [("content-type", "application/json")];
    let rotated = bench.request(Method::POST, &url, &json, "{}").await;
    assert_eq!(rotated.status, 204, "{}", rotated.text());
    let after = tokens().await;
    assert_ne!(kid(&before), kid(&after));
    let kids = async || {
        let keys = get(&bench, "/jwks", None).await["keys"].clone();
        let keys = keys.as_array().unwrap().clone();
        keys.into_iter()
            .map(|key| key["kid"].clone())
            .collect::<Vec<_>>()
    };
    let published = kids().await;
    assert!(published.contains(&kid(&before)) && published.contains(&kid(&after)));
    bench.advance(3600).await;
    let published = kids().await;
    assert!(!published.contains(&kid(&before)) && published.contains(&kid(&after)));
    bench.finish().await;
}

/// A call centre knows the caller's number only: the caller confirms on the handset, and the agent sees who it is.
#[tokio::test]
async fn a_call_centre_learns_name_and_number_of_the_caller_after_consent() {
    let bench = Bench::start().await;
    let more = [
        ("scope", "openid profile phone"),
        ("acr_values", "mod-pr"),
        ("binding_message", "Call centre, agent 7. Is it you?"),
    ];
    let id = bench.begin_with("poll", BEN, &more).await;
    bench.idle().await;
    let tokens = bench.token("poll", &id).await.json();
    let person = get(&bench, "/userinfo", tokens["access_token"].as_str()).await;
    assert_eq!(person["name"], "Ben Okri");
    assert_eq!(person["phone_number"], BEN);
    assert_eq!(person["sub"], claims(&tokens)["sub"]);
    assert!(
        claims(&tokens).get("phone_number").is_none(),
        "only userinfo has it"
    );
    bench.finish().await;
}

/// An identity provider has a session at acr 2 and needs 3 for a payment: it raises it over the decoupled device.
#[tokio::test]
async fn an_idp_raises_a_session_from_acr_2_to_3() {
    let bench = Bench::start().await;
    let sign_in = bench.begin_with("poll", BEN, &[("acr_values", "2")]).await;
    bench.idle().await;
    let session = bench.token("poll", &sign_in).await.json();
    assert_eq!(claims(&session)["acr"], "2");
    assert!(!asks_for_pin(&bench.lines(&sign_in)), "no PIN at acr 2");
    bench.advance(60).await;
    let payment = [
        ("acr_values", "3"),
        ("binding_message", "Pay 120 EUR to X?"),
    ];
    let step_up = bench.begin_with("poll", BEN, &payment).await;
    bench.idle().await;
    let raised = bench.token("poll", &step_up).await.json();
    let (before, after) = (claims(&session), claims(&raised));
    assert_eq!(after["acr"], "3");
    assert_eq!(after["sub"], before["sub"], "the same person");
    let later = |claims: &Value| claims["auth_time"].as_i64().unwrap();
    assert_eq!(later(&after) - later(&before), 60, "a new authentication");
    assert!(
        after["amr"].as_array().unwrap().contains(&"pin".into()),
        "{after}"
    );
    let lines = bench.lines(&step_up);
    let asked = line(&lines, "MSS_SignatureReq");
    assert!(field(asked, "SignatureProfile").ends_with("LoA3"));
    assert!(asks_for_pin(&lines));
    bench.finish().await;
}

/// GSMA LoA4: the SIM's own key signs what the handset shows, and the PIN unlocks it.
#[tokio::test]
async fn acr_4_is_a_signature_of_the_sim() {
    let bench = Bench::start().await;
    let id = bench.begin_with("poll", BEN, &[("acr_values", "4")]).await;
    bench.idle().await;
    let tokens = bench.token("poll", &id).await;
    assert_eq!(tokens.status, 200, "{}", tokens.text());
    let claims = claims(&tokens.json());
    assert_eq!(claims["acr"], "4");
    assert!(
        claims["amr"].as_array().unwrap().contains(&"hwk".into()),
        "{claims}"
    );
    let lines = bench.lines(&id);
    let asked = line(&lines, "MSS_SignatureReq");
    assert!(field(asked, "SignatureProfile").ends_with("LoA4"));
    assert!(asks_for_pin(&lines));
    bench.finish().await;
}

/// Whatever refuses a request to the control API, the extractors of the router as well, says so in a problem document.
#[tokio::test]
async fn the_control_api_refuses_in_problem_documents() {
    let bench = asking().await;
    let json = [("content-type", "application/json")];
    for (method, path, body, status) in [
        (
            Method::POST,
            "/api/v1/handsets/+447700900002/outbox",
            "{}",
            422,
        ),
        (
            Method::POST,
            "/api/v1/handsets/+447700900002/inbox/x",
            "{}",
            400,
        ),
        (Method::POST, "/api/v1/clock/advance", "{", 400),
        (Method::POST, "/api/v1/faults", "[]", 422),
        (Method::GET, "/api/v1/traces?limit=x", "", 400),
        (Method::PUT, "/api/v1/clock", "", 405),
    ] {
        let url = format!("{}{path}", bench.suite.urls().ui);
        let answer = bench.request(method.clone(), &url, &json, body).await;
        let what = format!("{method} {path}: {}", answer.text());
        assert_eq!(answer.status, status, "{what}");
        let kind = answer.headers.get("content-type").unwrap();
        assert_eq!(kind, "application/problem+json", "{what}");
        assert!(
            !answer.json()["detail"].as_str().unwrap().is_empty(),
            "{what}"
        );
    }
    bench.finish().await;
}

//! Neighbours that are down or do not behave, over real sockets: notification endpoints, the MSSP, a taken port. What can
//! be tried again is, the trace says what happened, and the next good request succeeds.

use std::process::Command;

use midsim::sockets::ports::{Ports, Service};
use midsim::suite::Builder;
use midsim::world::World;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::sockets::{
    BEARER, BEN, Bench, Closed, GRETA, Seen, Server, field, line, outline,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ping_to_an_endpoint_that_is_down() {
    let (bench, closed) = with_endpoint("ping");
    let bench = bench.await;
    let id = bench.begin("ping", BEN).await;
    bench.idle().await;
    bench.advance(100).await;
    assert_eq!(tries(&bench, &id).len(), 6);
    assert_eq!(tries(&bench, &id).last().unwrap(), "given up");
    // A ping that does not arrive costs nothing: the tokens can still be fetched.
    bench.expect_tokens("ping", &id).await;

    let endpoint = Server::endpoint(closed.open(), &[]);
    let id = bench.begin("ping", BEN).await;
    bench.idle().await;
    pinged(&endpoint.seen(), &id);
    bench.expect_tokens("ping", &id).await;
    bench.next_good_request_succeeds().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ping_to_an_endpoint_that_answers_500() {
    let (bench, closed) = with_endpoint("ping");
    let bench = bench.await;
    let endpoint = Server::endpoint(closed.open(), &[500, 500]);
    let id = bench.begin("ping", BEN).await;
    bench.idle().await;
    bench.advance(10).await;
    assert_eq!(
        tries(&bench, &id),
        ["again in 2 s", "again in 4 s", "delivered"]
    );
    assert_eq!(endpoint.seen().len(), 3);
    pinged(&endpoint.seen(), &id);
    bench.expect_tokens("ping", &id).await;
    bench.next_good_request_succeeds().await;
    bench.finish().await;
}

/// CIBA Core §10.2, §10.3: the client accepts with its status; what body comes with that is not the OP's business.
#[tokio::test]
async fn an_accepted_ping_or_push_is_not_repeated_whatever_becomes_of_the_body() {
    let bodies = [
        ("ping", "Content-Length: 10\r\n\r\n0", Then::Silence),
        ("ping", "Content-Length: 10\r\n\r\n0", Then::Close),
        ("push", "Transfer-Encoding: chunked\r\n\r\n", Then::Endless),
        ("push", "Content-Length: 99999999\r\n\r\n", Then::Close),
    ];
    for (mode, answer, then) in bodies {
        let (bench, closed) = with_endpoint(mode);
        let bench = bench.await;
        let listener = closed.open();
        let served = tokio::spawn(accept(
            listener,
            format!("HTTP/1.1 200 OK\r\n{answer}"),
            then,
        ));
        let id = bench.begin(mode, BEN).await;
        bench.idle().await;
        bench.advance(100).await;
        assert_eq!(
            tries(&bench, &id),
            ["delivered"],
            "{mode} {answer} {then:?}"
        );
        bench.next_good_request_succeeds().await;
        bench.finish().await;
        served.abort();
    }
}

/// What a server does once it has begun to answer.
#[derive(Clone, Copy, Debug)]
enum Then {
    Silence,
    Close,
    Endless,
}

/// Answers every connection's first request.
async fn accept(listener: TcpListener, answer: String, then: Then) {
    let mut kept = Vec::new();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = vec![0; 1 << 16];
        let _ = stream.read(&mut buffer).await;
        let _ = stream.write_all(answer.as_bytes()).await;
        match then {
            Then::Silence => kept.push(stream),
            Then::Close => drop(stream),
            Then::Endless => while stream.write_all(b"4\r\nmore\r\n").await.is_ok() {},
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn push_to_an_endpoint_that_is_down() {
    let (bench, closed) = with_endpoint("push");
    let bench = bench.await;
    let id = bench.begin("push", BEN).await;
    bench.idle().await;
    bench.advance(100).await;
    assert_eq!(tries(&bench, &id).len(), 6);
    assert_eq!(tries(&bench, &id).last().unwrap(), "given up");
    let lines = bench.lines(&id);
    let answers = lines
        .iter()
        .filter(|line| line.name.starts_with("unreachable: "));
    assert_eq!(answers.count(), 6, "{}", outline(&lines));

    let endpoint = Server::endpoint(closed.open(), &[]);
    let id = bench.begin("push", BEN).await;
    bench.idle().await;
    let pushed: serde_json::Value = serde_json::from_slice(&endpoint.seen()[0].body).unwrap();
    assert_eq!(pushed["auth_req_id"], id.as_str());
    bench.next_good_request_succeeds().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn push_to_an_endpoint_that_answers_500() {
    let (bench, closed) = with_endpoint("push");
    let bench = bench.await;
    let endpoint = Server::endpoint(closed.open(), &[500, 503]);
    let id = bench.begin("push", BEN).await;
    bench.idle().await;
    bench.advance(100).await;
    assert_eq!(
        tries(&bench, &id),
        ["again in 2 s", "again in 4 s", "delivered"]
    );
    let seen = endpoint.seen();
    assert_eq!(seen.len(), 3);
    for push in &seen {
        assert_eq!(push.headers["authorization"], format!("Bearer {BEARER}"));
        assert_eq!(push.body, seen[0].body, "the very same tokens");
    }
    let pushed: serde_json::Value = serde_json::from_slice(&seen[0].body).unwrap();
    assert_eq!(pushed["auth_req_id"], id.as_str());
    assert!(pushed["access_token"].is_string() && pushed["id_token"].is_string());
    bench.next_good_request_succeeds().await;
    bench.finish().await;
}

/// A suite whose client of this mode has an endpoint at a port that is closed yet.
fn with_endpoint(client: &str) -> (impl Future<Output = Bench>, Closed) {
    let closed = Closed::new();
    let mut world = World::default();
    let registered = world.clients.iter_mut().find(|it| it.id == client).unwrap();
    registered.notification_endpoint = Some(closed.url("/notify"));
    (Bench::of(Builder::new(world)), closed)
}

/// What the OP did after each try to deliver.
fn tries(bench: &Bench, id: &str) -> Vec<String> {
    bench
        .lines(id)
        .iter()
        .filter(|line| (line.from, line.to) == ("RP", "OP"))
        .filter_map(|line| line.fields.iter().find(|(name, _)| name == "then"))
        .map(|(_, then)| then.clone())
        .collect()
}

/// The last request was a ping for this authentication request (CIBA Core §10.2).
fn pinged(seen: &[Seen], id: &str) {
    let ping = seen.last().unwrap();
    assert_eq!(ping.headers["authorization"], format!("Bearer {BEARER}"));
    let body: serde_json::Value = serde_json::from_slice(&ping.body).unwrap();
    assert_eq!(body, serde_json::json!({ "auth_req_id": id }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mssp_down() {
    let closed = Closed::new();
    let endpoint_at = Closed::new();
    let mut world = World::default();
    let push = world.clients.iter_mut().find(|it| it.id == "push").unwrap();
    push.notification_endpoint = Some(endpoint_at.url("/notify"));
    let endpoint = Server::endpoint(endpoint_at.open(), &[]);
    let bench = Bench::of(Builder::new(world).mssp_url(closed.url("/soap"))).await;

    let id = bench.begin("poll", BEN).await;
    bench.idle().await;
    let answer = bench.expect_error("poll", &id, "access_denied").await;
    let description = answer.json()["error_description"].to_string();
    assert!(description.contains("MSSP"), "{description}");
    let lines = bench.lines(&id);
    assert!(
        lines
            .iter()
            .any(|line| line.name.starts_with("MSS_Signature: unreachable: ")),
        "{}",
        outline(&lines)
    );
    assert_eq!(field(line(&lines, "no tokens"), "outcome"), "broken");

    let id = bench.begin("push", BEN).await;
    bench.idle().await;
    let pushed: serde_json::Value = serde_json::from_slice(&endpoint.seen()[0].body).unwrap();
    assert_eq!(pushed["auth_req_id"], id.as_str());
    assert_eq!(pushed["error"], "transaction_failed");

    let proxy = Server::proxy(closed.open());
    proxy.passes_on_to(bench.suite.mssp_url());
    bench.next_good_request_succeeds().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mssp_that_answers_no_soap() {
    let closed = Closed::new();
    let builder = Builder::new(World::default()).mssp_url(closed.url("/soap"));
    let front = Server::endpoint(closed.open(), &[503, 200]);
    let bench = Bench::of(builder).await;
    for _ in 0..2 {
        let id = bench.begin("poll", BEN).await;
        bench.idle().await;
        bench.expect_error("poll", &id, "access_denied").await;
        let lines = bench.lines(&id);
        line(&lines, "MSS_Signature answer, unreadable");
        assert_eq!(field(line(&lines, "no tokens"), "outcome"), "broken");
    }
    assert_eq!(front.seen().len(), 2);
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expiry_is_pushed_once() {
    let (bench, closed) = with_endpoint("push");
    let bench = bench.await;
    let endpoint = Server::endpoint(closed.open(), &[]);
    let id = bench.begin("push", GRETA).await;
    bench.idle().await;
    bench.advance(300).await;
    let seen = endpoint.seen();
    assert_eq!(seen.len(), 1);
    let pushed: serde_json::Value = serde_json::from_slice(&seen[0].body).unwrap();
    assert_eq!(pushed["auth_req_id"], id.as_str());
    assert_eq!(pushed["error"], "expired_token");
    bench.next_good_request_succeeds().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn port_in_use() {
    let held = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = held.local_addr().unwrap().port();
    let ports = Ports::free().with(Service::Mssp, port);
    let builder = Builder::new(World::default()).ports(ports);
    let error = builder.clone().start().await.err().unwrap().to_string();
    let expected = format!("port {port} (mssp) is in use; try --port-base ");
    assert!(error.starts_with(&expected), "{error}");

    // Beyond 65528 there is no room for eight ports, so that base is refused for itself.
    if port <= u16::MAX - 7 {
        let output = Command::new(env!("CARGO_BIN_EXE_midsim"))
            .args(["up", "--port-base", &port.to_string()])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
        let stderr = String::from_utf8(output.stderr).unwrap();
        let expected = format!("midsim: port {port} (ui) is in use; try --port-base ");
        assert!(stderr.starts_with(&expected), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }

    drop(held);
    let bench = Bench::of(builder).await;
    bench.next_good_request_succeeds().await;
    bench.finish().await;
}

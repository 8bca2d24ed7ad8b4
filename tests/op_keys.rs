//! Clients that keep their keys at a jwks_uri, over sockets: who is called, how often, and what the trace has of it.

use http::Method;
use midsim::suite::{Builder, OpSwitches};
use midsim::world::World;
use serde_json::json;

use crate::support::signer::Signer;
use crate::support::sockets::{Answer, BEN, Bench, Closed, Server, field};

fn assertion(bench: &Bench, signer: &Signer, client_id: &str, jti: &str) -> String {
    let exp = bench.suite.clock().now().as_second() + 60;
    signer.es256(&json!({
        "iss": client_id, "sub": client_id, "aud": bench.suite.op_url(), "exp": exp, "jti": jti,
    }))
}

async fn approving() -> Bench {
    let switches = OpSwitches {
        authenticator: op_bridge::Authenticator::Approve,
        ..OpSwitches::default()
    };
    Bench::of(Builder::new(World::default()).op(switches)).await
}

/// Registers a client with these keys; its client_id.
async fn register(bench: &Bench, jwks_uri: &str) -> String {
    let metadata = json!({
        "backchannel_token_delivery_mode": "poll",
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks_uri": jwks_uri,
    });
    let url = format!("{}/register", bench.suite.op_url());
    let json = [("content-type", "application/json")];
    let answer = bench
        .request(Method::POST, &url, &json, metadata.to_string())
        .await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["client_id"].as_str().unwrap().to_owned()
}

async fn ask(bench: &Bench, signer: &Signer, client_id: &str, jti: &str) -> Answer {
    let assertion = assertion(bench, signer, client_id, jti);
    let number = BEN.replace('+', "%2B");
    let body = format!(
        "scope=openid&acr_values=mod-mf&login_hint={number}&client_assertion={assertion}&\
         client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
    );
    let url = format!("{}/bc-authorize", bench.suite.op_url());
    let form = [("content-type", "application/x-www-form-urlencoded")];
    bench.request(Method::POST, &url, &form, body).await
}

/// What the trace has of the last fetch.
fn outcome(bench: &Bench) -> String {
    let lines = bench.newest();
    let fetched = lines.iter().find(|line| line.name.ends_with("(jwks_uri)"));
    field(fetched.unwrap(), "outcome").to_owned()
}

#[tokio::test]
async fn requests_at_once_share_one_fetch_of_a_jwks_uri() {
    let bench = approving().await;
    let place = Closed::new();
    let url = place.url("/jwks.json");
    let server = Server::document(place.open(), &json!({ "keys": [Signer::jwk()] }));
    let client_id = register(&bench, &url).await;
    let signer = Signer::new();
    let one = |jti: &'static str| ask(&bench, &signer, &client_id, jti);
    let (a, b, c, d) = tokio::join!(one("1"), one("2"), one("3"), one("4"));
    let (e, f, g, h) = tokio::join!(one("5"), one("6"), one("7"), one("8"));
    for answer in [a, b, c, d, e, f, g, h] {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(server.seen().len(), 1);
    let again = one("1").await;
    again.is_oauth_error(401, "invalid_client");
    bench.finish().await;
}

#[tokio::test]
async fn a_jwks_uri_is_not_followed_elsewhere_nor_into_networks_that_are_forbidden() {
    let bench = approving().await;
    let signer = Signer::new();
    let place = Closed::new();
    let moved = place.url("/jwks.json");
    let server = Server::endpoint(place.open(), &[302]);
    for (url, told) in [
        (moved.as_str(), "status 302 Found"),
        (
            "https://169.254.169.254/jwks.json",
            "which midsim never calls",
        ),
        ("https://10.1.2.3/jwks.json", "--allow-notify"),
    ] {
        let client_id = register(&bench, url).await;
        let answer = ask(&bench, &signer, &client_id, "1").await;
        let why = answer.is_oauth_error(401, "invalid_client");
        assert!(why.contains("jwks_uri cannot be had"), "{why}");
        assert!(outcome(&bench).contains(told), "{}", outcome(&bench));
    }
    assert_eq!(server.seen().len(), 1);
    bench.finish().await;
}

//! A client that keeps its keys elsewhere, and the place where it does.

use rand_core::Rng;
use serde_json::json;

use super::*;
use crate::testing::signed;
use crate::{AuthMethod, JwsAlg, Signer};

pub(super) const URL: &str = "https://rp.example/jwks.json";
pub(super) const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An OP with the client `remote`, which authenticates so and keeps its keys at [`URL`].
pub(super) fn world(method: AuthMethod, signs: bool) -> World {
    World::with(|config| {
        let mut client = Client::new("remote", "", DeliveryMode::Poll);
        client.secret = None;
        client.authentication.method = method;
        client.requests.jwks_uri = Some(URL.to_owned());
        client.requests.signing_alg = signs.then_some(JwsAlg::Es256);
        config.clients.push(client);
    })
}

pub(super) fn set(signers: &[&TestSigner]) -> Value {
    let key = |signer: &&TestSigner| {
        let mut key = signer.public_jwk();
        key["kid"] = json!(signer.kid());
        key
    };
    json!({ "keys": signers.iter().map(key).collect::<Vec<_>>() })
}

/// Of an assertion of `remote`.
pub(super) fn claims(world: &mut World) -> Value {
    let now = at(world.now).as_second();
    let jti = world.rng.next_u64().to_string();
    json!({"iss": "remote", "sub": "remote", "aud": ISSUER, "exp": now + 60, "jti": jti})
}

pub(super) fn proof(world: &mut World, signer: &TestSigner) -> String {
    let claims = claims(world);
    signed(
        signer,
        &json!({"alg": "ES256", "kid": signer.kid()}),
        &claims,
    )
}

pub(super) fn form(fields: &[(&str, &str)]) -> http::Request<Bytes> {
    let mut request = form_request("/bc-authorize", "", fields);
    request.headers_mut().remove("authorization");
    request
}

/// An authentication request of `remote`, with an assertion by `signer`.
pub(super) fn ask(world: &mut World, signer: &TestSigner) -> Option<http::Response<Bytes>> {
    let assertion = proof(world, signer);
    let input = world.http_input(asking(&assertion));
    reply(world.step(input))
}

pub(super) fn asking(assertion: &str) -> http::Request<Bytes> {
    form(&[
        ("scope", "openid"),
        ("acr_values", "mod-mf"),
        ("login_hint", ALICE),
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", assertion),
    ])
}

/// The URL answers; the reply to the request that has waited for it.
pub(super) fn found(
    world: &mut World,
    result: Result<http::Response<Bytes>, SendError>,
) -> http::Response<Bytes> {
    let (id, url, request) = world.fetches.pop().expect("something is fetched");
    assert_eq!(url, URL);
    let input = Input::Fetched {
        id,
        request: Some(request),
        url,
        result,
    };
    reply(world.step(input)).expect("the request goes on")
}

pub(super) fn document(
    status: u16,
    body: impl Into<Bytes>,
) -> Result<http::Response<Bytes>, SendError> {
    let response = http::Response::builder().status(status);
    Ok(response.body(body.into()).unwrap())
}

pub(super) fn keys(signers: &[&TestSigner]) -> Result<http::Response<Bytes>, SendError> {
    document(200, set(signers).to_string())
}

pub(super) fn error(response: &http::Response<Bytes>) -> (u16, String) {
    let (status, body) = answer(response);
    (
        status,
        body["error"].as_str().unwrap_or_default().to_owned(),
    )
}

/// What the trace says of the last fetch.
pub(super) fn outcome(world: &World) -> String {
    let mut rows = world.events.iter().rev().map(Event::row);
    let row = rows.find(|row| row.name == "GET /jwks.json (jwks_uri)");
    let fields = row.expect("it is in the trace").fields;
    assert_eq!(fields[0], ("url".to_owned(), URL.to_owned()));
    fields[1].1.clone()
}

//! A client that registers itself.

use http::Method;
use serde_json::json;

use super::*;

pub(super) struct Registered {
    pub(super) world: World,
    pub(super) id: String,
    pub(super) body: Value,
    pub(super) token: String,
}

pub(super) fn call(
    world: &mut World,
    method: Method,
    path: &str,
    token: Option<&str>,
    body: Option<&Value>,
) -> (u16, Value) {
    let mut request = http::Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let body = body.map(Value::to_string).unwrap_or_default();
    let response = world.http(request.body(Bytes::from(body)).unwrap());
    assert_eq!(response.headers()["cache-control"], "no-store");
    let status = response.status().as_u16();
    let body = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
    (status, body)
}

pub(super) fn register(world: &mut World, metadata: &Value) -> (u16, Value) {
    call(world, Method::POST, "/register", None, Some(metadata))
}

pub(super) fn poll_client() -> Value {
    json!({"backchannel_token_delivery_mode": "poll", "client_name": "Fresh Bank"})
}

impl Registered {
    pub(super) fn new(metadata: &Value) -> Self {
        let mut world = World::new();
        let (status, body) = register(&mut world, metadata);
        assert_eq!(status, 201, "{body}");
        Self::of(world, body)
    }

    pub(super) fn of(world: World, body: Value) -> Self {
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        Self {
            id: text("client_id"),
            token: text("registration_access_token"),
            world,
            body,
        }
    }

    pub(super) fn manage(&mut self, method: Method, body: Option<&Value>) -> (u16, Value) {
        let uri = self.body["registration_client_uri"].as_str().unwrap();
        let path = uri.strip_prefix(ISSUER).unwrap().to_owned();
        let token = self.token.clone();
        call(&mut self.world, method, &path, Some(&token), body)
    }

    /// RFC 7592 §3: every answer has both.
    pub(super) fn is_told_how_to_go_on(&self, body: &Value) {
        assert_eq!(body["registration_access_token"], json!(self.token));
        let uri = &self.body["registration_client_uri"];
        assert_eq!(&body["registration_client_uri"], uri);
    }

    pub(super) fn authorize(&mut self, secret: &str) -> (u16, Value) {
        let mut request = authorize_request("poll", &[]);
        let header = basic(&self.id, secret).parse().unwrap();
        request.headers_mut().insert("authorization", header);
        answer(&self.world.http(request))
    }
}

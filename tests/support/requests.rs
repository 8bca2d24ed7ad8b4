//! Mutated requests to every endpoint of the OP and of its discovery service, over sockets. What is drawn comes from one seed,
//! so that a failure names its request.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response};
use midsim::sockets::addresses::Policy;
use midsim::sockets::http_client::{Bounds, HttpClient};
use midsim::suite::{Builder, OpSwitches, Running};
use midsim::world::World;
use serde_json::{Value, json};

use super::envelopes::Dice;
use super::signer::Signer;

// The benches have this file elsewhere.
#[path = "requests/draws.rs"]
mod draws;
#[path = "requests/forms.rs"]
mod forms;
#[path = "requests/tokens.rs"]
mod tokens;

const CIBA: &str = "urn:openid:params:grant-type:ciba";
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const NUMBER: &str = "+447700900002";
/// Where forms are posted to.
const FORMS: [&str; 5] = [
    "/bc-authorize",
    "/token",
    "/introspect",
    "/revoke",
    DISCOVER,
];
const DISCOVER: &str = "discovery/discover";

/// A key that somebody may send along.
fn some_jwk() -> Value {
    Signer::jwk()
}

pub(crate) type Generator = fn(&Target, &mut Dice) -> Request<Bytes>;

pub(crate) const GENERATORS: [(&str, Generator); 20] = [
    ("form_values", forms::form_values),
    ("form_octets", forms::form_octets),
    ("form_shape", forms::form_shape),
    ("content_types", forms::content_types),
    ("authorization", forms::authorization),
    ("methods_and_paths", forms::methods_and_paths),
    ("documents", forms::documents),
    ("token_requests", forms::token_requests),
    (
        "introspection_and_revocation",
        forms::introspection_and_revocation,
    ),
    ("userinfo", forms::userinfo),
    ("registration_members", forms::registration_members),
    ("registration_octets", forms::registration_octets),
    ("registration_management", forms::registration_management),
    ("assertion_claims", tokens::assertion_claims),
    ("assertion_headers", tokens::assertion_headers),
    ("request_claims", tokens::request_claims),
    ("request_headers", tokens::request_headers),
    ("jwt_octets", tokens::jwt_octets),
    ("jwe_parts", tokens::jwe_parts),
    ("discovery_forms", forms::discovery_forms),
];

/// A suite whose users are not asked, and what a client of it has.
pub(crate) struct Target {
    suite: Running,
    http: HttpClient,
    signer: Signer,
    access_token: String,
    refresh_token: String,
    id_token: String,
    /// login_hint_tokens of every alg and enc.
    hints: Vec<String>,
    /// A client that registered itself: where it is managed, and with which token.
    registered: (String, String),
}

impl Target {
    pub(crate) async fn start() -> Self {
        let switches = OpSwitches {
            authenticator: op_bridge::Authenticator::Approve,
            refresh_tokens: Some(true),
            ..OpSwitches::default()
        };
        let builder = Builder::new(World::default()).op(switches);
        let suite = builder.frozen_clock().start().await.unwrap();
        let http = HttpClient::new(suite.clock().clone(), Policy::default());
        let mut target = Self {
            suite,
            http,
            signer: Signer::new(),
            access_token: String::new(),
            refresh_token: String::new(),
            id_token: String::new(),
            hints: Vec::new(),
            registered: (String::new(), String::new()),
        };
        let tokens = target.tokens().await;
        let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
        target.access_token = text("access_token");
        target.refresh_token = text("refresh_token");
        target.id_token = text("id_token");
        for alg in [
            "RSA-OAEP-256",
            "ECDH-ES",
            "ECDH-ES+A128KW",
            "ECDH-ES+A256KW",
        ] {
            for enc in ["A128GCM", "A256GCM", "A128CBC-HS256", "A256CBC-HS512"] {
                let form = encode(&[("msisdn", NUMBER), ("alg", alg), ("enc", enc)]);
                let said = target.json(target.post(DISCOVER, None, form)).await;
                let hint = said["login_hint_token"].as_str().unwrap();
                target.hints.push(hint.to_owned());
            }
        }
        let body = target.metadata().to_string();
        let said = target
            .json(target.json_request("POST", "/register", body))
            .await;
        let text = |name: &str| said[name].as_str().unwrap().to_owned();
        let path = format!("/register/{}", text("client_id"));
        target.registered = (path, text("registration_access_token"));
        target
    }

    pub(crate) async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
        let sent = self.http.send(request, Bounds::default()).await;
        sent.result.map_err(|error| error.to_string())
    }

    /// A whole authentication, as a client would have it after all that.
    pub(crate) async fn tokens(&self) -> Value {
        let form = encode(&[
            ("scope", "openid"),
            ("acr_values", "mod-mf"),
            ("login_hint", NUMBER),
        ]);
        let begun = self
            .json(self.post("/bc-authorize", Some("poll"), form))
            .await;
        let id = begun["auth_req_id"].as_str().unwrap();
        let form = encode(&[("grant_type", CIBA), ("auth_req_id", id)]);
        self.json(self.post("/token", Some("poll"), form)).await
    }

    pub(crate) async fn stop(self) {
        self.suite.shutdown().await;
    }

    async fn json(&self, request: Request<Bytes>) -> Value {
        let response = self.send(request).await.unwrap();
        let text = String::from_utf8_lossy(response.body()).into_owned();
        assert!(response.status().is_success(), "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Where `path` is; what begins with `discovery` is at the discovery service.
    fn url(&self, path: &str) -> String {
        match path.strip_prefix("discovery") {
            Some(path) => format!("{}{path}", self.suite.discovery_url()),
            None => format!("{}{path}", self.suite.op_url()),
        }
    }

    fn post(&self, path: &str, client: Option<&str>, body: impl Into<Bytes>) -> Request<Bytes> {
        let mut request = Request::post(self.url(path))
            .header("content-type", "application/x-www-form-urlencoded");
        if let Some(client) = client {
            let pair = STANDARD.encode(format!("{client}:{client}-secret"));
            request = request.header("authorization", format!("Basic {pair}"));
        }
        request.body(body.into()).unwrap()
    }

    fn json_request(&self, method: &str, path: &str, body: impl Into<Bytes>) -> Request<Bytes> {
        let request = Request::builder().method(method).uri(self.url(path));
        let request = request.header("content-type", "application/json");
        request.body(body.into()).unwrap()
    }

    fn metadata(&self) -> Value {
        json!({
            "client_name": "Bank",
            "backchannel_token_delivery_mode": "ping",
            "backchannel_client_notification_endpoint": "https://rp.example/cb",
            "backchannel_authentication_request_signing_alg": "ES256",
            "backchannel_user_code_parameter": false,
            "token_endpoint_auth_method": "private_key_jwt",
            "grant_types": [CIBA],
            "jwks": {"keys": [Signer::jwk()]},
        })
    }

    fn now(&self) -> i64 {
        self.suite.clock().now().as_second()
    }

    fn assertion(&self, client: &str, dice: &mut Dice) -> Value {
        let jti = format!("{}-{}", dice.roll(usize::MAX), dice.roll(usize::MAX));
        json!({"iss": client, "sub": client, "aud": self.suite.op_url(), "exp": self.now() + 60, "jti": jti})
    }

    /// A good authentication request, as the client `jwt` if this is its assertion.
    fn asserted(&self, assertion: &str) -> Request<Bytes> {
        let form = encode(&[
            ("scope", "openid"),
            ("acr_values", "mod-mf"),
            ("login_hint", NUMBER),
            ("client_assertion_type", JWT_BEARER),
            ("client_assertion", assertion),
        ]);
        self.post("/bc-authorize", None, form)
    }

    fn request(&self, dice: &mut Dice) -> Value {
        let mut claims = self.assertion("signed", dice);
        for name in ["iat", "nbf"] {
            claims[name] = json!(self.now());
        }
        for (name, value) in [
            ("scope", "openid"),
            ("acr_values", "mod-mf"),
            ("login_hint", NUMBER),
        ] {
            claims[name] = json!(value);
        }
        claims
    }

    /// An authentication request of the client `signed`.
    fn requested(&self, request: &str, dice: &mut Dice) -> Request<Bytes> {
        let assertion = self.signer.es256(&self.assertion("signed", dice));
        let form = encode(&[
            ("client_assertion_type", JWT_BEARER),
            ("client_assertion", &assertion),
            ("request", request),
        ]);
        self.post("/bc-authorize", None, form)
    }

    fn hinted(&self, name: &str, value: &str) -> Request<Bytes> {
        let form = encode(&[("scope", "openid"), ("acr_values", "mod-mf"), (name, value)]);
        self.post("/bc-authorize", Some("poll"), form)
    }
}

/// What is sent, in one line.
pub(crate) fn shown(request: &Request<Bytes>) -> String {
    let body = String::from_utf8_lossy(request.body());
    let body: String = body.chars().take(1500).collect();
    format!(
        "{} {} {:?} {body}",
        request.method(),
        request.uri(),
        request.headers()
    )
}

/// Whether the answer is one that a client can do something with: no 5xx, and a refusal has its exact form.
pub(crate) fn judge(response: &Response<Bytes>) -> Result<(), String> {
    let status = response.status().as_u16();
    if status < 400 {
        return Ok(());
    }
    if status >= 500 {
        return Err(format!("status {status}"));
    }
    let body: Value = serde_json::from_slice(response.body()).map_err(|why| why.to_string())?;
    let members: Vec<&String> = body
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name)
        .collect();
    let description = body["error_description"].as_str().unwrap_or("\"");
    let plain = |c: char| (' '..='~').contains(&c) && c != '"' && c != '\\';
    if members != ["error", "error_description"] || !description.chars().all(plain) {
        return Err(format!("status {status} with {body}"));
    }
    Ok(())
}

pub(crate) fn encode(form: &[(&str, &str)]) -> String {
    let percent = |text: &str| -> String {
        let octets = text.bytes();
        octets.map(|octet| format!("%{octet:02X}")).collect()
    };
    let pairs: Vec<String> = form
        .iter()
        .map(|(name, value)| format!("{name}={}", percent(value)))
        .collect();
    pairs.join("&")
}

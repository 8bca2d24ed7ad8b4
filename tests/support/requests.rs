//! Mutated requests to every endpoint of the OP and of its discovery service, over sockets. What is drawn comes from one seed,
//! so that a failure names its request.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response};
use midsim::sockets::addresses::Policy;
use midsim::sockets::http_client::{Bounds, HttpClient};
use midsim::suite::{Builder, OpSwitches, Running};
use midsim::world::World;
use serde_json::{Value, json};

use super::envelopes::Dice;
use super::signer::Signer;

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

pub(crate) type Generator = fn(&Target, &mut Dice) -> Request<Bytes>;

pub(crate) const GENERATORS: [(&str, Generator); 20] = [
    ("form_values", form_values),
    ("form_octets", form_octets),
    ("form_shape", form_shape),
    ("content_types", content_types),
    ("authorization", authorization),
    ("methods_and_paths", methods_and_paths),
    ("documents", documents),
    ("token_requests", token_requests),
    ("introspection_and_revocation", introspection_and_revocation),
    ("userinfo", userinfo),
    ("registration_members", registration_members),
    ("registration_octets", registration_octets),
    ("registration_management", registration_management),
    ("assertion_claims", assertion_claims),
    ("assertion_headers", assertion_headers),
    ("request_claims", request_claims),
    ("request_headers", request_headers),
    ("jwt_octets", jwt_octets),
    ("jwe_parts", jwe_parts),
    ("discovery_forms", discovery_forms),
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

const PARAMETERS: [&str; 28] = [
    "scope",
    "acr_values",
    "login_hint",
    "login_hint_token",
    "id_token_hint",
    "binding_message",
    "user_code",
    "requested_expiry",
    "client_notification_token",
    "request",
    "request_uri",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "nonce",
    "claims",
    "resource",
    "grant_type",
    "auth_req_id",
    "refresh_token",
    "token",
    "token_type_hint",
    "msisdn",
    "format",
    "alg",
    "redirect_uri",
    "state",
];
const CLAIMS: [&str; 9] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "client_id",
    "scope",
];
const HEADER: [&str; 16] = [
    "alg", "typ", "kid", "cty", "crit", "b64", "jwk", "jku", "x5u", "x5c", "x5t", "zip", "p2c",
    "enc", "epk", "apu",
];

fn one<T: Copy>(dice: &mut Dice, of: &[T]) -> T {
    of[dice.roll(of.len())]
}

/// A text that some parser may trip over.
fn text(dice: &mut Dice) -> String {
    const TEXTS: [&str; 26] = [
        "",
        " ",
        "\0",
        "\r\n",
        "null",
        "true",
        "-1",
        "1e999",
        "99999999999999999999",
        "openid",
        "mod-mf",
        NUMBER,
        "tel:",
        "MSISDN:",
        "ENCR_MSISDN:a.b.c.d.e",
        "PCR:AAAAAAAAAAAAAAAAAAAAAA",
        "....",
        "e30.e30.e30",
        "../../etc/passwd",
        "%00",
        "\u{202e}",
        "\u{1f600}",
        "{\"a\":{}}",
        "<!DOCTYPE x>",
        "http://127.0.0.1:1/#",
        "https://[::1/",
    ];
    match dice.roll(4) {
        0 => "x".repeat(dice.roll(30_000)),
        1 => (0..dice.roll(60))
            .map(|_| char::from(dice.roll(256) as u8))
            .collect(),
        _ => one(dice, &TEXTS).to_owned(),
    }
}

/// A value of any JSON type.
fn value(dice: &mut Dice) -> Value {
    match dice.roll(12) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(-1),
        3 => json!(i64::MAX),
        4 => json!(u64::MAX),
        5 => json!(1.5e300),
        6 => json!([]),
        7 => json!({}),
        8 => json!([text(dice), 7, null_or_text(dice)]),
        9 => json!({ text(dice): text(dice) }),
        10 => json!(Signer::jwk()),
        _ => json!(text(dice)),
    }
}

fn null_or_text(dice: &mut Dice) -> Value {
    match dice.roll(2) {
        0 => Value::Null,
        _ => json!(text(dice)),
    }
}

/// Changes, adds or removes up to four members.
fn bend(dice: &mut Dice, object: &mut Value, names: &[&str]) {
    for _ in 0..=dice.roll(4) {
        let name = one(dice, names);
        let bent = value(dice);
        if let Some(members) = object.as_object_mut() {
            match dice.roll(4) {
                0 => drop(members.remove(name)),
                _ => drop(members.insert(name.to_owned(), bent)),
            }
        }
    }
}

fn flip(dice: &mut Dice, octets: &mut Vec<u8>) {
    for _ in 0..=dice.roll(4) {
        if octets.is_empty() {
            return;
        }
        let at = dice.roll(octets.len());
        match dice.roll(4) {
            0 => octets[at] ^= 1 << dice.roll(8),
            1 => octets.truncate(at),
            2 => octets.insert(at, dice.roll(256) as u8),
            _ => drop(octets.remove(at)),
        }
    }
}

fn flipped(dice: &mut Dice, text: &str) -> String {
    let mut octets = text.as_bytes().to_vec();
    flip(dice, &mut octets);
    String::from_utf8_lossy(&octets).into_owned()
}

/// A good form for this endpoint.
fn good(target: &Target, path: &str) -> Vec<(&'static str, String)> {
    let pairs: &[(&'static str, &str)] = match path {
        "/bc-authorize" => &[
            ("scope", "openid"),
            ("acr_values", "3 2"),
            ("login_hint", NUMBER),
        ],
        // Not good for long, and a family of tokens that is ended by it is no loss.
        "/token" => &[("grant_type", CIBA), ("auth_req_id", "x")],
        DISCOVER => &[("msisdn", NUMBER), ("format", "jwe")],
        _ => return vec![("token", target.id_token.clone())],
    };
    pairs
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect()
}

fn written(form: &[(&str, String)]) -> String {
    let pairs: Vec<(&str, &str)> = form
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    encode(&pairs)
}

fn form_values(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let path = one(dice, &FORMS);
    let mut form = good(target, path);
    for _ in 0..=dice.roll(4) {
        let name = one(dice, &PARAMETERS);
        // Now and then it is there twice.
        if dice.roll(8) > 0 {
            form.retain(|(other, _)| *other != name);
        }
        form.push((name, text(dice)));
    }
    let client = one(dice, &[Some("poll"), Some("ping"), Some("push"), None]);
    target.post(path, client, written(&form))
}

fn form_octets(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let path = one(dice, &FORMS);
    let mut body = written(&good(target, path)).into_bytes();
    flip(dice, &mut body);
    target.post(path, Some("poll"), body)
}

fn form_shape(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let body = match dice.roll(9) {
        0 => "&".repeat(dice.roll(100_000)),
        1 => "=".repeat(dice.roll(100_000)),
        2 => (0..dice.roll(300)).map(|n| format!("p{n}=1&")).collect(),
        3 => format!("scope=openid&scope={}", "a".repeat(dice.roll(100))),
        4 => "%".repeat(dice.roll(100)),
        5 => format!("a=%{:02x}", dice.roll(256)),
        6 => "x".repeat((1 << 20) - 5 + dice.roll(10)),
        7 => format!("msisdn={}", "9".repeat(dice.roll(70_000))),
        _ => "scope=openid&acr%5fvalues=mod-mf&login_hint=%00".to_owned(),
    };
    target.post(one(dice, &FORMS), Some("poll"), body)
}

fn content_types(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let kind = one(
        dice,
        &[
            "application/json",
            "text/plain",
            "multipart/form-data; boundary=x",
            "application/x-www-form-urlencoded;;;",
            "application/x-www-form-urlencoded, text/plain",
            "application/x-www-form-urlencoded; charset=utf-16",
            "",
            ";",
            "application/xml",
        ],
    );
    let path = match dice.roll(3) {
        0 => "/register",
        _ => one(dice, &FORMS),
    };
    let mut request = target.post(path, Some("poll"), written(&good(target, "/bc-authorize")));
    let headers = request.headers_mut();
    headers.insert("content-type", HeaderValue::from_static(kind));
    if dice.roll(4) == 0 {
        headers.insert("content-encoding", HeaderValue::from_static("gzip"));
    }
    request
}

fn authorization(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let path = one(
        dice,
        &[
            "/bc-authorize",
            "/token",
            "/introspect",
            "/revoke",
            "/userinfo",
            "/register",
        ],
    );
    let mut request = target.post(path, None, written(&good(target, "/bc-authorize")));
    for _ in 0..=dice.roll(2) {
        let secret: String = text(dice).chars().take(500).collect();
        let mut header = match dice.roll(4) {
            0 => format!("Bearer {secret}"),
            1 => secret,
            _ => format!("Basic {}", STANDARD.encode(format!("poll:{secret}"))),
        }
        .into_bytes();
        flip(dice, &mut header);
        if let Ok(header) = HeaderValue::from_bytes(&header) {
            request.headers_mut().append("authorization", header);
        }
    }
    request
}

fn methods_and_paths(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let path = one(
        dice,
        &[
            "/",
            "/bc-authorize",
            "/token",
            "/userinfo",
            "/jwks",
            "/.well-known/openid-configuration",
            "/authorize",
            "/introspect",
            "/revoke",
            "/register",
            "/register/x",
            "/nothing",
            "/bc-authorize/",
            "//token",
            "/mss/notify/x",
            "discovery/",
            "discovery/discover",
            "discovery/jwks",
            "discovery/.well-known/openid-configuration",
            "discovery/nothing",
        ],
    );
    let method = one(
        dice,
        &["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"],
    );
    // What comes there is SOAP, and so is what is refused.
    let soap = path.starts_with("/mss");
    let method = if soap { "GET" } else { method };
    let uri = format!(
        "{}?{}={}",
        target.url(path),
        dice.roll(1000),
        dice.roll(1000)
    );
    let request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap());
    let body = if soap { String::new() } else { text(dice) };
    request.uri(uri).body(Bytes::from(body)).unwrap()
}

/// GETs of what is public, with odd queries and headers.
fn documents(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let path = one(
        dice,
        &[
            "/jwks",
            "/.well-known/openid-configuration",
            "/authorize",
            "discovery/jwks",
            "discovery/.well-known/openid-configuration",
        ],
    );
    let query = encode(&[(one(dice, &PARAMETERS), &text(dice))]);
    let query: String = query.chars().take(3000).collect();
    let mut request = Request::get(format!("{}?{query}", target.url(path)));
    for name in [
        "accept",
        "if-none-match",
        "range",
        "x-forwarded-host",
        "x-fapi-interaction-id",
    ] {
        let octets: Vec<u8> = text(dice).into_bytes().into_iter().take(2000).collect();
        if let (0, Ok(value)) = (dice.roll(2), HeaderValue::from_bytes(&octets)) {
            request = request.header(name, value);
        }
    }
    request.body(Bytes::new()).unwrap()
}

fn token_requests(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let grant = one(dice, &[CIBA, "refresh_token"]).to_owned();
    let mut form = vec![
        ("grant_type", grant),
        ("refresh_token", flipped(dice, &target.refresh_token)),
    ];
    for _ in 0..=dice.roll(3) {
        let name = one(
            dice,
            &[
                "grant_type",
                "auth_req_id",
                "scope",
                "client_id",
                "client_assertion",
            ],
        );
        form.retain(|(other, _)| *other != name);
        form.push((name, text(dice)));
    }
    target.post("/token", Some("poll"), written(&form))
}

fn introspection_and_revocation(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let token = one(
        dice,
        &[
            &target.access_token,
            &target.refresh_token,
            &target.id_token,
        ],
    );
    let form = [
        ("token", flipped(dice, token)),
        ("token_type_hint", text(dice)),
    ];
    // Another client's, so that nothing is used up.
    target.post(
        one(dice, &["/introspect", "/revoke"]),
        Some("ping"),
        written(&form),
    )
}

fn userinfo(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let header = flipped(dice, &format!("Bearer {}", target.access_token));
    let method = one(dice, &["GET", "POST"]);
    let mut request = Request::builder()
        .method(method)
        .uri(target.url("/userinfo"));
    if let Ok(header) = HeaderValue::from_bytes(header.as_bytes()) {
        request = request.header("authorization", header);
    }
    request.body(Bytes::from(text(dice))).unwrap()
}

const MEMBERS: [&str; 21] = [
    "client_name",
    "backchannel_token_delivery_mode",
    "backchannel_client_notification_endpoint",
    "backchannel_authentication_request_signing_alg",
    "backchannel_user_code_parameter",
    "require_signed_request_object",
    "token_endpoint_auth_method",
    "token_endpoint_auth_signing_alg",
    "grant_types",
    "response_types",
    "jwks",
    "jwks_uri",
    "scope",
    "subject_type",
    "sector_identifier_uri",
    "id_token_signed_response_alg",
    "userinfo_signed_response_alg",
    "tls_client_auth_subject_dn",
    "tls_client_auth_san_ip",
    "tls_client_certificate_bound_access_tokens",
    "redirect_uris",
];

fn registration_members(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let mut metadata = target.metadata();
    bend(dice, &mut metadata, &MEMBERS);
    if dice.roll(3) == 0 && metadata["jwks"]["keys"][0].is_object() {
        let names = [
            "kty", "crv", "x", "y", "n", "e", "kid", "use", "alg", "x5c", "d",
        ];
        bend(dice, &mut metadata["jwks"]["keys"][0], &names);
    }
    target.json_request("POST", "/register", metadata.to_string())
}

fn registration_octets(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let mut body = target.metadata().to_string().into_bytes();
    flip(dice, &mut body);
    target.json_request("POST", "/register", body)
}

fn registration_management(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let (path, token) = &target.registered;
    let mut metadata = target.metadata();
    metadata["client_id"] = json!(path.rsplit('/').next());
    if dice.roll(2) == 0 {
        bend(
            dice,
            &mut metadata,
            &[&MEMBERS[..], &["client_id", "client_secret"]].concat(),
        );
    }
    let token = match dice.roll(3) {
        0 => flipped(dice, token),
        _ => token.clone(),
    };
    // The right token deletes nothing here: the others want the client.
    let method = one(dice, &["GET", "PUT", "PUT"]);
    let mut request = target.json_request(method, path, metadata.to_string());
    if let Ok(header) = HeaderValue::from_str(&format!("Bearer {token}")) {
        request.headers_mut().insert("authorization", header);
    }
    request
}

fn assertion_claims(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let mut claims = target.assertion("jwt", dice);
    bend(dice, &mut claims, &CLAIMS);
    target.asserted(&target.signer.es256(&claims))
}

fn assertion_headers(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let mut header = json!({"alg": "ES256", "typ": "JWT"});
    bend(dice, &mut header, &HEADER);
    let claims = target.assertion("jwt", dice);
    target.asserted(&target.signer.sign(&header, &claims))
}

fn request_claims(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let mut claims = target.request(dice);
    bend(dice, &mut claims, &[&CLAIMS[..], &PARAMETERS[..]].concat());
    let request = target.signer.es256(&claims);
    target.requested(&request, dice)
}

fn request_headers(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let mut header = json!({"alg": "ES256"});
    bend(dice, &mut header, &HEADER);
    let claims = target.request(dice);
    let request = target.signer.sign(&header, &claims);
    target.requested(&request, dice)
}

fn jwt_octets(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    match dice.roll(3) {
        0 => {
            let assertion = target.signer.es256(&target.assertion("jwt", dice));
            target.asserted(&flipped(dice, &assertion))
        }
        1 => target.hinted("id_token_hint", &flipped(dice, &target.id_token)),
        _ => {
            let request = target.signer.es256(&target.request(dice));
            let request = flipped(dice, &request);
            target.requested(&request, dice)
        }
    }
}

fn jwe_parts(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let token = &target.hints[dice.roll(target.hints.len())];
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let at = dice.roll(parts.len());
    match dice.roll(5) {
        0 => {
            let other = dice.roll(parts.len());
            parts.swap(at, other);
        }
        1 => {
            let mut octets = URL_SAFE_NO_PAD.decode(&parts[at]).unwrap();
            flip(dice, &mut octets);
            parts[at] = URL_SAFE_NO_PAD.encode(octets);
        }
        2 => {
            let octets = URL_SAFE_NO_PAD.decode(&parts[0]).unwrap();
            let mut header: Value = serde_json::from_slice(&octets).unwrap();
            bend(dice, &mut header, &HEADER);
            if header["epk"].is_object() {
                bend(dice, &mut header["epk"], &["kty", "crv", "x", "y"]);
            }
            parts[0] = URL_SAFE_NO_PAD.encode(header.to_string());
        }
        3 => parts[at] = text(dice),
        _ => drop(parts.remove(at)),
    }
    let token = parts.join(".");
    match dice.roll(4) {
        0 => target.hinted("login_hint", &format!("ENCR_MSISDN:{token}")),
        _ => target.hinted("login_hint_token", &token),
    }
}

fn discovery_forms(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let mut form = vec![("msisdn", NUMBER.to_owned())];
    for _ in 0..=dice.roll(3) {
        let name = one(
            dice,
            &["msisdn", "format", "alg", "enc", "redirect_uri", "state"],
        );
        let value = match dice.roll(3) {
            0 => one(
                dice,
                &[
                    "jwe",
                    "jws",
                    "nested",
                    "ECDH-ES",
                    "A256GCM",
                    "http://127.0.0.1:9/cb?x=1",
                ],
            )
            .to_owned(),
            _ => text(dice),
        };
        form.retain(|(other, _)| *other != name);
        form.push((name, value));
    }
    target.post(DISCOVER, None, written(&form))
}

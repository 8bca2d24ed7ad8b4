//! Where the mutated requests come from. Each generator has a name and bends one thing.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request};
use rand_core::Rng;
use serde_json::{Value, json};

use super::super::{ALICE, CIBA, ISSUER, basic, encode};
use crate::Jwk;
use crate::jose::jwe::content::ContentEncryption;
use crate::jose::jwe::{self, KeyManagement};
use crate::jose::{base64url, decode};
use crate::testing::{TestRng, TestSigner, assertion, at, signed};

pub(super) const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What the generators know.
pub(super) struct Kit {
    pub(super) client_key: Arc<TestSigner>,
    pub(super) discovery_key: Arc<TestSigner>,
    pub(super) op_key: Arc<TestSigner>,
    pub(super) encryption: Vec<Jwk>,
    pub(super) access_token: String,
    pub(super) refresh_token: String,
    pub(super) id_token: String,
}

type Generator = fn(&Kit, &mut TestRng) -> Request<Bytes>;

pub(super) const GENERATORS: [(&str, Generator); 20] = [
    ("form_values", form_values),
    ("form_octets", form_octets),
    ("form_shape", form_shape),
    ("content_type", content_type),
    ("authorization", authorization),
    ("methods_and_paths", methods_and_paths),
    ("token_values", token_values),
    ("introspection_and_revocation", introspection_and_revocation),
    ("userinfo", userinfo),
    ("registration_members", registration_members),
    ("registration_octets", registration_octets),
    ("registration_management", registration_management),
    ("assertion_claims", assertion_claims),
    ("assertion_header", assertion_header),
    ("request_claims", request_claims),
    ("request_header", request_header),
    ("jwt_octets", jwt_octets),
    ("id_token_hint_claims", id_token_hint_claims),
    ("jwe_content", jwe_content),
    ("jwe_parts", jwe_parts),
];

impl Kit {
    /// A good authentication request with these parameters more, without authentication.
    pub(super) fn authorize(&self, more: &[(&str, &str)]) -> Request<Bytes> {
        let mut form = vec![
            ("scope", "openid"),
            ("acr_values", "mod-mf"),
            ("login_hint", ALICE),
        ];
        form.extend(more);
        post("/bc-authorize", None, &encode(&form))
    }

    fn hint(&self, name: &str, value: &str) -> Request<Bytes> {
        let form = [("scope", "openid"), ("acr_values", "mod-mf"), (name, value)];
        post("/bc-authorize", Some("poll"), &encode(&form))
    }
}

fn post(path: &str, client: Option<&str>, body: &str) -> Request<Bytes> {
    let mut request =
        Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    if let Some(client) = client {
        request = request.header("authorization", basic(client, &format!("{client}-secret")));
    }
    request.body(Bytes::from(body.to_owned())).unwrap()
}

fn below(rng: &mut TestRng, bound: usize) -> usize {
    (rng.next_u32() as usize) % bound
}

fn pick<'a, T>(rng: &mut TestRng, from: &'a [T]) -> &'a T {
    &from[below(rng, from.len())]
}

/// A text that some parser may trip over.
fn text(rng: &mut TestRng) -> String {
    const TEXTS: [&str; 24] = [
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
        "+447700900002",
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
    ];
    match below(rng, 4) {
        0 => "x".repeat(below(rng, 40_000)),
        1 => {
            let mut octets = vec![0; below(rng, 60)];
            rng.fill_bytes(&mut octets);
            String::from_utf8_lossy(&octets).into_owned()
        }
        _ => (*pick(rng, &TEXTS)).to_owned(),
    }
}

/// A value of any JSON type.
fn value(rng: &mut TestRng) -> Value {
    match below(rng, 12) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(-1),
        3 => json!(i64::MAX),
        4 => json!(u64::MAX),
        5 => json!(1.5e300),
        6 => json!([]),
        7 => json!({}),
        8 => json!([text(rng), 7, null_or(rng)]),
        9 => json!({ text(rng): text(rng) }),
        10 => json!(at(0).as_second()),
        _ => json!(text(rng)),
    }
}

fn null_or(rng: &mut TestRng) -> Value {
    if below(rng, 2) == 0 {
        Value::Null
    } else {
        json!(text(rng))
    }
}

/// Changes, adds or removes up to three members.
fn bend(rng: &mut TestRng, object: &mut Value, names: &[&str]) {
    for _ in 0..=below(rng, 3) {
        let name = *pick(rng, names);
        if below(rng, 4) == 0 {
            object.as_object_mut().unwrap().remove(name);
        } else {
            object[name] = value(rng);
        }
    }
}

fn flip(rng: &mut TestRng, octets: &mut Vec<u8>) {
    for _ in 0..=below(rng, 4) {
        if octets.is_empty() {
            return;
        }
        let at = below(rng, octets.len());
        match below(rng, 4) {
            0 => octets[at] ^= 1 << below(rng, 8),
            1 => octets.truncate(at),
            2 => octets.insert(at, rng.next_u32().to_be_bytes()[0]),
            _ => {
                octets.remove(at);
            }
        }
    }
}

const PARAMETERS: [&str; 18] = [
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
];

fn form_values(_: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let mut form = vec![
        ("scope", "openid".to_owned()),
        ("acr_values", "mod-mf".to_owned()),
        ("login_hint", ALICE.to_owned()),
    ];
    for _ in 0..=below(rng, 4) {
        let name = *pick(rng, &PARAMETERS);
        form.retain(|(other, _)| *other != name || other.len() % 2 == 0);
        form.push((name, text(rng)));
    }
    let client = *pick(rng, &["poll", "ping", "push"]);
    let pairs: Vec<(&str, &str)> = form
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    post("/bc-authorize", Some(client), &encode(&pairs))
}

fn form_octets(_: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let mut body = encode(&[
        ("scope", "openid"),
        ("acr_values", "3 2"),
        ("login_hint", ALICE),
    ])
    .into_bytes();
    flip(rng, &mut body);
    let mut request = post("/bc-authorize", Some("poll"), "");
    *request.body_mut() = Bytes::from(body);
    request
}

fn form_shape(_: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let body = match below(rng, 8) {
        0 => "&".repeat(below(rng, 100_000)),
        1 => "=".repeat(below(rng, 100_000)),
        2 => (0..below(rng, 200))
            .map(|index| format!("p{index}=1&"))
            .collect(),
        3 => format!("scope=openid&scope={}", "a".repeat(below(rng, 100))),
        4 => "%".repeat(below(rng, 100)),
        5 => format!("a=%{:02x}", rng.next_u32() % 256),
        6 => "x".repeat((1 << 20) + below(rng, 10)),
        _ => "scope=openid&acr%5fvalues=mod-mf&login_hint=%00".to_owned(),
    };
    let path = *pick(rng, &["/bc-authorize", "/token", "/introspect", "/revoke"]);
    post(path, Some("poll"), &body)
}

fn content_type(_: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    const TYPES: [&str; 8] = [
        "application/json",
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded;;;",
        "application/x-www-form-urlencoded, text/plain",
        "",
        ";",
        "application/xml",
    ];
    let mut request = post("/bc-authorize", Some("poll"), "scope=openid");
    *request.uri_mut() = pick(
        rng,
        &[
            "/bc-authorize",
            "/token",
            "/introspect",
            "/revoke",
            "/register",
        ],
    )
    .parse()
    .unwrap();
    request
        .headers_mut()
        .insert("content-type", pick(rng, &TYPES).parse().unwrap());
    request
}

fn authorization(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let mut request = kit.authorize(&[]);
    *request.uri_mut() = pick(
        rng,
        &[
            "/bc-authorize",
            "/token",
            "/introspect",
            "/revoke",
            "/userinfo",
        ],
    )
    .parse()
    .unwrap();
    for _ in 0..=below(rng, 2) {
        let mut header =
            basic("poll", &text(rng).chars().take(500).collect::<String>()).into_bytes();
        if below(rng, 3) == 0 {
            header = b"Bearer ".to_vec();
        }
        flip(rng, &mut header);
        if let Ok(header) = http::HeaderValue::from_bytes(&header) {
            request.headers_mut().append("authorization", header);
        }
    }
    request
}

fn methods_and_paths(_: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    const PATHS: [&str; 13] = [
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
    ];
    const METHODS: [&str; 8] = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW",
    ];
    let method = Method::from_bytes(pick(rng, &METHODS).as_bytes()).unwrap();
    let path = format!("{}?{}", pick(rng, &PATHS), below(rng, 1000));
    Request::builder()
        .method(method)
        .uri(path)
        .body(Bytes::from(text(rng)))
        .unwrap()
}

fn token_values(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let names = [
        "grant_type",
        "auth_req_id",
        "refresh_token",
        "scope",
        "client_id",
        "client_assertion",
    ];
    let mut form = vec![(
        "grant_type",
        (*pick(rng, &[CIBA, "refresh_token"])).to_owned(),
    )];
    form.push(("refresh_token", kit.refresh_token.clone()));
    for _ in 0..=below(rng, 3) {
        let name = *pick(rng, &names);
        form.retain(|(other, _)| *other != name);
        form.push((name, text(rng)));
    }
    let pairs: Vec<(&str, &str)> = form
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    // Another client's, so that nothing is used up.
    post("/token", Some("poll2"), &encode(&pairs))
}

fn introspection_and_revocation(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let mut token = pick(rng, &[&kit.access_token, &kit.refresh_token, &kit.id_token])
        .as_bytes()
        .to_vec();
    flip(rng, &mut token);
    let token = String::from_utf8_lossy(&token).into_owned();
    let hint = text(rng);
    let path = *pick(rng, &["/introspect", "/revoke"]);
    post(
        path,
        Some("poll2"),
        &encode(&[("token", &token), ("token_type_hint", &hint)]),
    )
}

fn userinfo(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let mut header = format!("Bearer {}", kit.access_token).into_bytes();
    flip(rng, &mut header);
    let mut request = Request::builder()
        .method(*pick(rng, &["GET", "POST"]))
        .uri("/userinfo");
    if let Ok(header) = http::HeaderValue::from_bytes(&header) {
        request = request.header("authorization", header);
    }
    request.body(Bytes::from(text(rng))).unwrap()
}

fn metadata(kit: &Kit) -> Value {
    json!({
        "client_name": "Bank",
        "backchannel_token_delivery_mode": "ping",
        "backchannel_client_notification_endpoint": "https://rp.example/cb",
        "backchannel_authentication_request_signing_alg": "ES256",
        "backchannel_user_code_parameter": false,
        "token_endpoint_auth_method": "private_key_jwt",
        "grant_types": [CIBA],
        "jwks": {"keys": [kit.encryption[0].to_value()]},
    })
}

const MEMBERS: [&str; 20] = [
    "client_name",
    "backchannel_token_delivery_mode",
    "backchannel_client_notification_endpoint",
    "backchannel_authentication_request_signing_alg",
    "backchannel_user_code_parameter",
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

fn json_request(method: &str, path: &str, body: Vec<u8>) -> Request<Bytes> {
    let request = Request::builder().method(method).uri(path);
    request
        .header("content-type", "application/json")
        .body(Bytes::from(body))
        .unwrap()
}

fn registration_members(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let mut metadata = metadata(kit);
    bend(rng, &mut metadata, &MEMBERS);
    if below(rng, 3) == 0 && metadata["jwks"]["keys"][0].is_object() {
        bend(
            rng,
            &mut metadata["jwks"]["keys"][0],
            &[
                "kty", "crv", "x", "y", "n", "e", "kid", "use", "alg", "x5c", "d",
            ],
        );
    }
    json_request("POST", "/register", metadata.to_string().into_bytes())
}

fn registration_octets(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let mut body = metadata(kit).to_string().into_bytes();
    flip(rng, &mut body);
    json_request("POST", "/register", body)
}

fn registration_management(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let id: String = text(rng)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(60)
        .collect();
    let method = *pick(rng, &["GET", "PUT", "DELETE"]);
    let mut request = json_request(
        method,
        &format!("/register/{id}"),
        metadata(kit).to_string().into_bytes(),
    );
    let header = format!("Bearer {}", kit.access_token).parse().unwrap();
    request.headers_mut().insert("authorization", header);
    request
}

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
const HEADER: [&str; 14] = [
    "alg", "typ", "kid", "cty", "crit", "b64", "jwk", "jku", "x5u", "x5c", "x5t", "zip", "p2c",
    "enc",
];

fn assertion_of(rng: &mut TestRng) -> Value {
    let now = at(0).as_second();
    json!({"iss": "jwt", "sub": "jwt", "aud": ISSUER, "exp": now + 60, "jti": rng.next_u64().to_string()})
}

fn asserted(kit: &Kit, assertion: &str) -> Request<Bytes> {
    kit.authorize(&[
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", assertion),
    ])
}

fn assertion_claims(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let mut claims = assertion_of(rng);
    bend(rng, &mut claims, &CLAIMS);
    asserted(kit, &assertion(&kit.client_key, &claims))
}

fn assertion_header(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let mut header = json!({"alg": "ES256", "typ": "JWT"});
    bend(rng, &mut header, &HEADER);
    let claims = assertion_of(rng);
    asserted(kit, &signed(&kit.client_key, &header, &claims))
}

fn request_of(rng: &mut TestRng) -> Value {
    let now = at(0).as_second();
    json!({
        "iss": "signed", "aud": ISSUER, "iat": now, "nbf": now, "exp": now + 60, "jti": rng.next_u64().to_string(),
        "scope": "openid", "acr_values": "mod-mf", "login_hint": ALICE,
    })
}

fn requested(kit: &Kit, rng: &mut TestRng, request: &str) -> Request<Bytes> {
    let mut claims = assertion_of(rng);
    claims["iss"] = json!("signed");
    claims["sub"] = json!("signed");
    let assertion = assertion(&kit.client_key, &claims);
    let form = [
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", assertion.as_str()),
        ("request", request),
    ];
    post("/bc-authorize", None, &encode(&form))
}

fn request_claims(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let mut claims = request_of(rng);
    bend(rng, &mut claims, &[&CLAIMS[..], &PARAMETERS[..]].concat());
    let request = assertion(&kit.client_key, &claims);
    requested(kit, rng, &request)
}

fn request_header(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let mut header = json!({"alg": "ES256"});
    bend(rng, &mut header, &HEADER);
    let claims = request_of(rng);
    let request = signed(&kit.client_key, &header, &claims);
    requested(kit, rng, &request)
}

fn jwt_octets(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let mut token = assertion(&kit.client_key, &request_of(rng)).into_bytes();
    flip(rng, &mut token);
    let token = String::from_utf8_lossy(&token).into_owned();
    match below(rng, 3) {
        0 => asserted(kit, &token),
        1 => kit.hint("id_token_hint", &token),
        _ => requested(kit, rng, &token),
    }
}

fn id_token_hint_claims(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let payload = kit.id_token.split('.').nth(1).unwrap();
    let mut claims: Value = serde_json::from_slice(&decode(payload).unwrap()).unwrap();
    bend(rng, &mut claims, &CLAIMS);
    kit.hint("id_token_hint", &assertion(&kit.op_key, &claims))
}

fn encrypted(kit: &Kit, rng: &mut TestRng, content: &[u8]) -> String {
    let alg = *pick(rng, &KeyManagement::ALL);
    let enc = *pick(rng, &ContentEncryption::ALL);
    let to = &kit.encryption[usize::from(alg == KeyManagement::RsaOaep256)];
    let cty = ["JWT", "json"].get(below(rng, 3)).copied();
    jwe::encrypt(content, to, alg, enc, cty, rng).unwrap()
}

fn jwe_content(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let iat = at(0).as_second();
    let mut claims = json!({"iss": super::DISCOVERY, "aud": ISSUER, "iat": iat, "MSISDN": ALICE});
    bend(
        rng,
        &mut claims,
        &[
            "iss", "aud", "iat", "exp", "nbf", "MSISDN", "sub_id", "subject",
        ],
    );
    let mut content = match below(rng, 3) {
        0 => claims.to_string().into_bytes(),
        1 => assertion(&kit.discovery_key, &claims).into_bytes(),
        _ => text(rng)
            .chars()
            .take(4000)
            .collect::<String>()
            .into_bytes(),
    };
    if below(rng, 3) == 0 {
        flip(rng, &mut content);
    }
    let token = encrypted(kit, rng, &content);
    if below(rng, 4) == 0 {
        return kit.hint("login_hint", &format!("ENCR_MSISDN:{token}"));
    }
    kit.hint("login_hint_token", &token)
}

fn jwe_parts(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let token = encrypted(kit, rng, b"{}");
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    match below(rng, 4) {
        0 => {
            let (one, other) = (below(rng, 5), below(rng, 5));
            parts.swap(one, other);
        }
        1 => {
            let at = below(rng, 5);
            let mut octets = decode(&parts[at]).unwrap();
            flip(rng, &mut octets);
            parts[at] = base64url(octets);
        }
        2 => {
            let mut header: Value = serde_json::from_slice(&decode(&parts[0]).unwrap()).unwrap();
            bend(
                rng,
                &mut header,
                &[&HEADER[..], &["epk", "apu", "apv"]].concat(),
            );
            if header["epk"].is_object() {
                bend(rng, &mut header["epk"], &["kty", "crv", "x", "y"]);
            }
            parts[0] = base64url(header.to_string());
        }
        _ => {
            let at = below(rng, parts.len());
            parts.remove(at);
        }
    }
    kit.hint("login_hint_token", &parts.join("."))
}

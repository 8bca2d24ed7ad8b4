//! Forms, headers, paths and registrations.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Method, Request};
use serde_json::json;

use super::super::envelopes::Dice;
use super::draws::{MEMBERS, PARAMETERS, bend, flip, flipped, text};
use super::{CIBA, DISCOVER, FORMS, NUMBER, Target, encode};

/// A good form for this endpoint.
pub(super) fn good(target: &Target, path: &str) -> Vec<(&'static str, String)> {
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

pub(super) fn written(form: &[(&str, String)]) -> String {
    let pairs: Vec<(&str, &str)> = form
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    encode(&pairs)
}

pub(super) fn form_values(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let path = dice.pick(&FORMS);
    let mut form = good(target, path);
    for _ in 0..=dice.roll(4) {
        let name = dice.pick(&PARAMETERS);
        // Now and then it is there twice.
        if dice.roll(8) > 0 {
            form.retain(|(other, _)| *other != name);
        }
        form.push((name, text(dice)));
    }
    let client = dice.pick(&[Some("poll"), Some("ping"), Some("push"), None]);
    target.post(path, client, written(&form))
}

pub(super) fn form_octets(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let path = dice.pick(&FORMS);
    let mut body = written(&good(target, path)).into_bytes();
    flip(dice, &mut body);
    target.post(path, Some("poll"), body)
}

pub(super) fn form_shape(target: &Target, dice: &mut Dice) -> Request<Bytes> {
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
    target.post(dice.pick(&FORMS), Some("poll"), body)
}

pub(super) fn content_types(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let kind = dice.pick(&[
        "application/json",
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded;;;",
        "application/x-www-form-urlencoded, text/plain",
        "application/x-www-form-urlencoded; charset=utf-16",
        "",
        ";",
        "application/xml",
    ]);
    let path = match dice.roll(3) {
        0 => "/register",
        _ => dice.pick(&FORMS),
    };
    let mut request = target.post(path, Some("poll"), written(&good(target, "/bc-authorize")));
    let headers = request.headers_mut();
    headers.insert("content-type", HeaderValue::from_static(kind));
    if dice.roll(4) == 0 {
        headers.insert("content-encoding", HeaderValue::from_static("gzip"));
    }
    request
}

pub(super) fn authorization(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let path = dice.pick(&[
        "/bc-authorize",
        "/token",
        "/introspect",
        "/revoke",
        "/userinfo",
        "/register",
    ]);
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

pub(super) fn methods_and_paths(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let path = dice.pick(&[
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
    ]);
    let method = dice.pick(&["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"]);
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
pub(super) fn documents(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let path = dice.pick(&[
        "/jwks",
        "/.well-known/openid-configuration",
        "/authorize",
        "discovery/jwks",
        "discovery/.well-known/openid-configuration",
    ]);
    let query = encode(&[(dice.pick(&PARAMETERS), &text(dice))]);
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

pub(super) fn token_requests(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let grant = dice.pick(&[CIBA, "refresh_token"]).to_owned();
    let mut form = vec![
        ("grant_type", grant),
        ("refresh_token", flipped(dice, &target.refresh_token)),
    ];
    for _ in 0..=dice.roll(3) {
        let name = dice.pick(&[
            "grant_type",
            "auth_req_id",
            "scope",
            "client_id",
            "client_assertion",
        ]);
        form.retain(|(other, _)| *other != name);
        form.push((name, text(dice)));
    }
    target.post("/token", Some("poll"), written(&form))
}

pub(super) fn introspection_and_revocation(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let token = dice.pick(&[
        &target.access_token,
        &target.refresh_token,
        &target.id_token,
    ]);
    let form = [
        ("token", flipped(dice, token)),
        ("token_type_hint", text(dice)),
    ];
    // Another client's, so that nothing is used up.
    target.post(
        dice.pick(&["/introspect", "/revoke"]),
        Some("ping"),
        written(&form),
    )
}

pub(super) fn userinfo(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let header = flipped(dice, &format!("Bearer {}", target.access_token));
    let method = dice.pick(&["GET", "POST"]);
    let mut request = Request::builder()
        .method(method)
        .uri(target.url("/userinfo"));
    if let Ok(header) = HeaderValue::from_bytes(header.as_bytes()) {
        request = request.header("authorization", header);
    }
    request.body(Bytes::from(text(dice))).unwrap()
}

pub(super) fn registration_members(target: &Target, dice: &mut Dice) -> Request<Bytes> {
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

pub(super) fn registration_octets(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let mut body = target.metadata().to_string().into_bytes();
    flip(dice, &mut body);
    target.json_request("POST", "/register", body)
}

pub(super) fn registration_management(target: &Target, dice: &mut Dice) -> Request<Bytes> {
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
    let method = dice.pick(&["GET", "PUT", "PUT"]);
    let mut request = target.json_request(method, path, metadata.to_string());
    if let Ok(header) = HeaderValue::from_str(&format!("Bearer {token}")) {
        request.headers_mut().insert("authorization", header);
    }
    request
}

pub(super) fn discovery_forms(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let mut form = vec![("msisdn", NUMBER.to_owned())];
    for _ in 0..=dice.roll(3) {
        let name = dice.pick(&["msisdn", "format", "alg", "enc", "redirect_uri", "state"]);
        let value = match dice.roll(3) {
            0 => dice
                .pick(&[
                    "jwe",
                    "jws",
                    "nested",
                    "ECDH-ES",
                    "A256GCM",
                    "http://127.0.0.1:9/cb?x=1",
                ])
                .to_owned(),
            _ => text(dice),
        };
        form.retain(|(other, _)| *other != name);
        form.push((name, value));
    }
    target.post(DISCOVER, None, written(&form))
}

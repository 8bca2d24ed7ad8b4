//! JWTs and JWEs.

use bytes::Bytes;
use http::Request;
use rand_core::Rng;
use serde_json::{Value, json};

use super::super::{ALICE, ISSUER, encode};
use super::draws::{CLAIMS, HEADER, PARAMETERS, bend, flip, flipped, text};
use super::generators::{JWT_BEARER, Kit, post};
use crate::jose::jwe::content::ContentEncryption;
use crate::jose::jwe::{self, KeyManagement};
use crate::jose::{base64url, decode};
use crate::testing::{TestRng, assertion, at, signed};

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

pub(super) fn assertion_claims(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let mut claims = assertion_of(rng);
    bend(rng, &mut claims, &CLAIMS);
    asserted(kit, &assertion(&kit.client_key, &claims))
}

pub(super) fn assertion_header(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
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

pub(super) fn request_claims(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let mut claims = request_of(rng);
    bend(rng, &mut claims, &[&CLAIMS[..], &PARAMETERS[..]].concat());
    let request = assertion(&kit.client_key, &claims);
    requested(kit, rng, &request)
}

pub(super) fn request_header(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let mut header = json!({"alg": "ES256"});
    bend(rng, &mut header, &HEADER);
    let claims = request_of(rng);
    let request = signed(&kit.client_key, &header, &claims);
    requested(kit, rng, &request)
}

pub(super) fn jwt_octets(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let token = assertion(&kit.client_key, &request_of(rng));
    let token = flipped(rng, &token);
    match rng.roll(3) {
        0 => asserted(kit, &token),
        1 => kit.hint("id_token_hint", &token),
        _ => requested(kit, rng, &token),
    }
}

pub(super) fn id_token_hint_claims(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let payload = kit.id_token.split('.').nth(1).unwrap();
    let mut claims: Value = serde_json::from_slice(&decode(payload).unwrap()).unwrap();
    bend(rng, &mut claims, &CLAIMS);
    kit.hint("id_token_hint", &assertion(&kit.op_key, &claims))
}

fn encrypted(kit: &Kit, rng: &mut TestRng, content: &[u8]) -> String {
    let alg = rng.pick(&KeyManagement::ALL);
    let enc = rng.pick(&ContentEncryption::ALL);
    let to = &kit.encryption[usize::from(alg == KeyManagement::RsaOaep256)];
    let cty = ["JWT", "json"].get(rng.roll(3)).copied();
    jwe::encrypt(content, to, alg, enc, cty, rng).unwrap()
}

pub(super) fn jwe_content(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let iat = at(0).as_second();
    let mut claims = json!({"iss": super::DISCOVERY, "aud": ISSUER, "iat": iat, "MSISDN": ALICE});
    bend(
        rng,
        &mut claims,
        &[
            "iss", "aud", "iat", "exp", "nbf", "MSISDN", "sub_id", "subject",
        ],
    );
    let mut content = match rng.roll(3) {
        0 => claims.to_string().into_bytes(),
        1 => assertion(&kit.discovery_key, &claims).into_bytes(),
        _ => text(rng)
            .chars()
            .take(4000)
            .collect::<String>()
            .into_bytes(),
    };
    if rng.roll(3) == 0 {
        flip(rng, &mut content);
    }
    let token = encrypted(kit, rng, &content);
    if rng.roll(4) == 0 {
        return kit.hint("login_hint", &format!("ENCR_MSISDN:{token}"));
    }
    kit.hint("login_hint_token", &token)
}

pub(super) fn jwe_parts(kit: &Kit, rng: &mut TestRng) -> Request<Bytes> {
    let token = encrypted(kit, rng, b"{}");
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    match rng.roll(4) {
        0 => {
            let (one, other) = (rng.roll(5), rng.roll(5));
            parts.swap(one, other);
        }
        1 => {
            let at = rng.roll(5);
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
            let at = rng.roll(parts.len());
            parts.remove(at);
        }
    }
    kit.hint("login_hint_token", &parts.join("."))
}

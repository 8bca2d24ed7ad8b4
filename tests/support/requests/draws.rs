//! What generators of mutated requests draw from: those of the OP's own tests, too. Whose it is gives the dice, a number of one of
//! its users and a key.

use serde_json::{Value, json};

use super::{Dice, NUMBER, some_jwk};

pub(super) const PARAMETERS: [&str; 28] = [
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
pub(super) const CLAIMS: [&str; 9] = [
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
pub(super) const HEADER: [&str; 16] = [
    "alg", "typ", "kid", "cty", "crit", "b64", "jwk", "jku", "x5u", "x5c", "x5t", "zip", "p2c",
    "enc", "epk", "apu",
];

/// Of client metadata.
pub(super) const MEMBERS: [&str; 21] = [
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

/// A text that some parser may trip over.
pub(super) fn text(dice: &mut Dice) -> String {
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
        0 => "x".repeat(dice.roll(40_000)),
        1 => (0..dice.roll(60))
            .map(|_| char::from(dice.roll(256) as u8))
            .collect(),
        _ => dice.pick(&TEXTS).to_owned(),
    }
}

/// A value of any JSON type.
pub(super) fn value(dice: &mut Dice) -> Value {
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
        10 => some_jwk(),
        _ => json!(text(dice)),
    }
}

pub(super) fn null_or_text(dice: &mut Dice) -> Value {
    match dice.roll(2) {
        0 => Value::Null,
        _ => json!(text(dice)),
    }
}

/// Changes, adds or removes up to four members.
pub(super) fn bend(dice: &mut Dice, object: &mut Value, names: &[&str]) {
    for _ in 0..=dice.roll(4) {
        let name = dice.pick(names);
        let bent = value(dice);
        if let Some(members) = object.as_object_mut() {
            match dice.roll(4) {
                0 => drop(members.remove(name)),
                _ => drop(members.insert(name.to_owned(), bent)),
            }
        }
    }
}

pub(super) fn flip(dice: &mut Dice, octets: &mut Vec<u8>) {
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

pub(super) fn flipped(dice: &mut Dice, text: &str) -> String {
    let mut octets = text.as_bytes().to_vec();
    flip(dice, &mut octets);
    String::from_utf8_lossy(&octets).into_owned()
}

//! Where the mutated requests come from. Each generator has a name and bends one thing.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use rand_core::Rng;
use serde_json::{Value, json};

use super::super::{ALICE, basic, encode};
use super::{forms, tokens};
use crate::Jwk;
use crate::testing::{TestRng, TestSigner, at};

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
    ("form_values", forms::form_values),
    ("form_octets", forms::form_octets),
    ("form_shape", forms::form_shape),
    ("content_type", forms::content_type),
    ("authorization", forms::authorization),
    ("methods_and_paths", forms::methods_and_paths),
    ("token_values", forms::token_values),
    (
        "introspection_and_revocation",
        forms::introspection_and_revocation,
    ),
    ("userinfo", forms::userinfo),
    ("registration_members", forms::registration_members),
    ("registration_octets", forms::registration_octets),
    ("registration_management", forms::registration_management),
    ("assertion_claims", tokens::assertion_claims),
    ("assertion_header", tokens::assertion_header),
    ("request_claims", tokens::request_claims),
    ("request_header", tokens::request_header),
    ("jwt_octets", tokens::jwt_octets),
    ("id_token_hint_claims", tokens::id_token_hint_claims),
    ("jwe_content", tokens::jwe_content),
    ("jwe_parts", tokens::jwe_parts),
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

    pub(super) fn hint(&self, name: &str, value: &str) -> Request<Bytes> {
        let form = [("scope", "openid"), ("acr_values", "mod-mf"), (name, value)];
        post("/bc-authorize", Some("poll"), &encode(&form))
    }
}

pub(super) fn post(path: &str, client: Option<&str>, body: &str) -> Request<Bytes> {
    let mut request =
        Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    if let Some(client) = client {
        request = request.header("authorization", basic(client, &format!("{client}-secret")));
    }
    request.body(Bytes::from(body.to_owned())).unwrap()
}

pub(super) fn below(rng: &mut TestRng, bound: usize) -> usize {
    (rng.next_u32() as usize) % bound
}

pub(super) fn pick<'a, T>(rng: &mut TestRng, from: &'a [T]) -> &'a T {
    &from[below(rng, from.len())]
}

/// A text that some parser may trip over.
pub(super) fn text(rng: &mut TestRng) -> String {
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
pub(super) fn bend(rng: &mut TestRng, object: &mut Value, names: &[&str]) {
    for _ in 0..=below(rng, 3) {
        let name = *pick(rng, names);
        if below(rng, 4) == 0 {
            object.as_object_mut().unwrap().remove(name);
        } else {
            object[name] = value(rng);
        }
    }
}

pub(super) fn flip(rng: &mut TestRng, octets: &mut Vec<u8>) {
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

//! Where the mutated requests come from. Each generator has a name and bends one thing.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;

use super::super::{ALICE, basic, encode};
use super::{forms, tokens};
use crate::Jwk;
use crate::testing::{TestRng, TestSigner};

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

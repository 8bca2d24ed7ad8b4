//! How a client is registered to get its tokens, and the `sub` it knows a user by.

use http::Uri;
use serde::{Deserialize, Serialize};

use crate::Op;
use crate::config::{Client, DeliveryMode};
use crate::hint::Msisdn;
use crate::jose::Algorithm;
use crate::pseudonym;

/// What a client is registered with about its tokens (OpenID Connect Registration §2, RFC 8705 §3.4).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Issuance {
    /// `id_token_signed_response_alg`; the OP's first key without.
    pub id_token_alg: Option<Algorithm>,
    /// `userinfo_signed_response_alg`; plain JSON without.
    pub userinfo_alg: Option<Algorithm>,
    /// `subject_type`.
    pub subject_type: SubjectType,
    /// `sector_identifier_uri`: its host is the sector of a pairwise client.
    pub sector_identifier_uri: Option<String>,
    /// `tls_client_certificate_bound_access_tokens`.
    pub certificate_bound: bool,
    /// `scope`: what the client may ask for, separated by spaces; everything without.
    pub scope: Option<String>,
}

/// `subject_type` (OpenID Connect Core §8).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SubjectType {
    /// Every client of one sector knows the user by a `sub` of its own.
    Pairwise,
    /// All clients know the user by the same `sub`.
    #[default]
    Public,
}

/// The sector of a pairwise client (CIBA Core §4): the host of `sector_identifier_uri`; without, that of the notification
/// endpoint for push and of `jwks_uri` for poll and ping.
pub(crate) fn sector(client: &Client) -> Option<String> {
    let own = match client.mode {
        DeliveryMode::Push => client.notification_endpoint.as_deref(),
        DeliveryMode::Poll | DeliveryMode::Ping => client.jwks_uri(),
    };
    let uri = client.issuance.sector_identifier_uri.as_deref().or(own)?;
    let uri: Uri = uri.parse().ok()?;
    Some(uri.host()?.to_ascii_lowercase())
}

/// `sub` of a number: stable, and no way back to the number without the OP's key.
pub(crate) fn subject(op: &Op, client: Option<&Client>, msisdn: &Msisdn) -> String {
    pseudonym::conceal(&op.subject_key, &namespace(client), msisdn)
}

/// The number of the user whom this client knows by `sub`.
pub(crate) fn user_of(op: &Op, client: &Client, sub: &str) -> Option<Msisdn> {
    pseudonym::reveal(&op.subject_key, &namespace(Some(client)), sub)
}

fn namespace(client: Option<&Client>) -> String {
    let pairwise = client.filter(|it| it.issuance.subject_type == SubjectType::Pairwise);
    match pairwise.and_then(sector) {
        Some(sector) => format!("pairwise:{sector}"),
        None => "public".to_owned(),
    }
}

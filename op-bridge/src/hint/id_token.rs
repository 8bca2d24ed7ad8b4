//! id_token_hint: an id_token that this OP issued to this client (CIBA Core §7.1, OpenID Connect Core §3.1.2.1).

use super::Msisdn;
use crate::config::Client;
use crate::context::Context;
use crate::issuance;
use crate::jose::jwk::{Jwk, JwkSet};
use crate::jose::jws::{Jws, JwsAlg, Keys};
use crate::jose::jwt::{Claims, wrong};
use crate::oauth::OAuthError;

/// The number of the user whom the id_token is about.
///
/// # Errors
/// invalid_request for anything but an id_token of ours to this client; unknown_user_id if its user is gone.
pub(super) fn resolve(cx: &Context<'_>, client: &Client, hint: &str) -> Result<Msisdn, OAuthError> {
    let bad = |why| OAuthError::invalid_request(format!("id_token_hint: {why}"));
    let read = Jws::parse(hint).map_err(bad)?;
    let published = cx.op.config.keys.at(cx.now).jwks();
    let ours = JwkSet(
        published
            .iter()
            .filter_map(|key| Jwk::parse(key).ok())
            .collect(),
    );
    read.verify(&[JwsAlg::Es256, JwsAlg::Ps256], Keys::Public(&ours))
        .map_err(bad)?;
    let claims = Claims::parse(&read.payload).map_err(bad)?;
    claims.must_be("iss", &cx.op.config.issuer).map_err(bad)?;
    // Another client's id_token would tell this client that two of its users are one.
    claims
        .audience(std::slice::from_ref(&client.id))
        .map_err(bad)?;
    let exp = claims.require_instant("exp").map_err(bad)?;
    if !cx.op.config.hints.expired_id_tokens && exp <= cx.now.as_second() {
        return Err(bad(wrong(
            "exp",
            "is over, and this OP takes no expired id_token",
        )));
    }
    let sub = claims.require("sub").map_err(bad)?;
    issuance::user_of(cx.op, client, sub).ok_or_else(|| {
        OAuthError::new(
            "unknown_user_id",
            "id_token_hint: its sub is none that this OP gave to this client",
        )
    })
}

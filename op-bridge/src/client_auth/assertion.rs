//! private_key_jwt and client_secret_jwt (RFC 7523 §3, OpenID Connect Core §9).

use std::sync::Arc;

use super::{AuthMethod, refused, registered_for};
use crate::config::{Client, Config};
use crate::context::Context;
use crate::forms::Form;
use crate::jose::jws::{Jws, JwsAlg, Keys};
use crate::jose::jwt::Claims;
use crate::key_set;
use crate::oauth::OAuthError;
use crate::replay;
use crate::route::path;

/// client_assertion_type (RFC 7523 §2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The client that signed the assertion.
pub(super) fn authenticate(cx: &mut Context<'_>, form: &Form) -> Result<Arc<Client>, OAuthError> {
    match form.get("client_assertion_type") {
        Some(JWT_BEARER) => {}
        Some(_) => {
            return Err(refused(format!(
                "client_assertion_type must be {JWT_BEARER} (RFC 7523 section 2.2)"
            )));
        }
        None => {
            return Err(refused(format!(
                "client_assertion_type is missing; it must be {JWT_BEARER} (RFC 7523 section 2.2)"
            )));
        }
    }
    let assertion = form
        .get("client_assertion")
        .ok_or_else(|| refused("client_assertion is missing"))?;
    let bad = |why| refused(format!("client_assertion: {why}"));
    let read = Jws::parse(assertion).map_err(bad)?;
    let claims = Claims::parse(&read.payload).map_err(bad)?;
    // Whose it claims to be; it counts for nothing until the signature is verified with that client's key.
    let id = claims.require("sub").map_err(bad)?.to_owned();
    if form.get("client_id").is_some_and(|named| named != id) {
        return Err(refused(
            "client_id is not the client of client_assertion (RFC 7521 section 4.2)",
        ));
    }
    let client = cx
        .client(&id)
        .ok_or_else(|| refused("client_assertion: no client has the client_id in sub"))?;
    let method = client.authentication.method;
    let op = cx.op;
    let rules = &op.config.authentication;
    let of_method = |alg: &JwsAlg| match method {
        AuthMethod::ClientSecretJwt => *alg == JwsAlg::Hs256,
        _ => *alg != JwsAlg::Hs256,
    };
    let allowed: Vec<JwsAlg> = match client.authentication.signing_alg {
        Some(alg) => vec![alg],
        None => rules.algorithms.clone(),
    };
    let allowed: Vec<JwsAlg> = allowed.into_iter().filter(of_method).collect();
    match (method, &client.secret) {
        (AuthMethod::PrivateKeyJwt, _) => {
            let keys = key_set::of(cx, &client)
                .map_err(|why| refused(format!("client_assertion: {why}")))?;
            keys.verify(cx, &read, &allowed)
        }
        (AuthMethod::ClientSecretJwt, Some(secret)) => {
            let secret = secret
                .clear()
                .ok_or_else(|| refused("this client has no secret for a MAC"))?;
            read.verify(&allowed, Keys::Secret(secret.as_bytes()))
        }
        _ => {
            registered_for(&client, AuthMethod::PrivateKeyJwt)?;
            return Err(refused("this client has no secret"));
        }
    }
    .map_err(bad)?;
    claims.must_be("iss", &id).map_err(bad)?;
    claims.audience(&op.audiences).map_err(bad)?;
    claims.require_instant("exp").map_err(bad)?;
    claims.in_force(cx.now).map_err(bad)?;
    let exp = claims.require_instant("exp").map_err(bad)?;
    let most = cx.now.as_second() + i64::from(rules.lifetime);
    if exp > most {
        return Err(refused(format!(
            "client_assertion: its exp is {} s ahead, at most {} are allowed",
            exp - cx.now.as_second(),
            rules.lifetime
        )));
    }
    let jti = claims.jti().map_err(bad)?;
    replay::once(cx, "assertion", &id, jti, exp)
        .map_err(|replay::Replayed| bad_jti("client_assertion"))?;
    Ok(client)
}

fn bad_jti(what: &str) -> OAuthError {
    refused(format!(
        "{what}: its jti was used before; make a new one for every request (RFC 7523 section 3)"
    ))
}

/// What an assertion may name as its audience: the issuer, or an endpoint that clients authenticate at, under its name here or
/// behind mutual TLS.
pub(crate) fn audiences(config: &Config, base_path: &str) -> Vec<String> {
    let issuer = &config.issuer;
    let mut accepted = vec![issuer.clone()];
    for path in [
        path::TOKEN,
        path::BC_AUTHORIZE,
        path::INTROSPECT,
        path::REVOKE,
    ] {
        accepted.push(format!("{issuer}{path}"));
        if let Some(mtls) = &config.mtls_url {
            accepted.push(format!("{mtls}{base_path}{path}"));
        }
    }
    accepted
}

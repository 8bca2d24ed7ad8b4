//! Signed authentication requests (CIBA Core §7.1.1, FAPI-CIBA §5.2.2): from a JWT to the parameters it carries.
//!
//! Every defect is invalid_request (CIBA Core §13).

use serde_json::Value;

use crate::config::Client;
use crate::context::Context;
use crate::forms::Form;
use crate::jose::jws::Jws;
use crate::jose::jwt::{Claims, wrong};
use crate::key_set;
use crate::oauth::OAuthError;
use crate::replay;

/// Parameters of an authentication request: outside a request object they may not be there, inside they are strings.
const PARAMETERS: [&str; 10] = [
    "scope",
    "client_notification_token",
    "acr_values",
    "login_hint",
    "login_hint_token",
    "id_token_hint",
    "binding_message",
    "user_code",
    "requested_expiry",
    "nonce",
];
/// Parameters that other specifications define and this OP does not use; they are claims, too, where a request is signed.
const OF_OTHERS: [&str; 6] = [
    "claims",
    "resource",
    "authorization_details",
    "request_context",
    "claims_locales",
    "ui_locales",
];

/// The parameters of the request, after its signature and claims were checked if it is signed.
pub(crate) fn open(cx: &mut Context<'_>, client: &Client, form: Form) -> Result<Form, OAuthError> {
    if form.get("request_uri").is_some() {
        return Err(OAuthError::invalid_request(
            "request_uri is not defined for CIBA; send request, or the parameters themselves (CIBA Core section 7.1)",
        ));
    }
    let Some(request) = form.get("request") else {
        return plain(cx, client, form);
    };
    for name in PARAMETERS.iter().chain(&OF_OTHERS) {
        if form.get(name).is_some() {
            return Err(OAuthError::invalid_request(format!(
                "{name} is outside of the request object; with request, all parameters are claims in it \
                 (CIBA Core section 7.1.1)"
            )));
        }
    }
    let Some(alg) = client.requests.signing_alg else {
        return Err(OAuthError::invalid_request(
            "the client is not registered to sign; register backchannel_authentication_request_signing_alg \
             and jwks, or send the parameters themselves (CIBA Core section 4)",
        ));
    };
    if crate::jose::jwe::is_compact(request) {
        return Err(OAuthError::invalid_request(
            "request is encrypted; CIBA Core section 7.1.1 wants a signed JWT that is not encrypted",
        ));
    }
    let bad =
        |why| OAuthError::invalid_request(format!("request: {why} (CIBA Core section 7.1.1)"));
    let read = Jws::parse(request).map_err(bad)?;
    let keys = key_set::of(cx, client)
        .map_err(|why| OAuthError::invalid_request(format!("request: {why}")))?;
    keys.verify(cx, &read, &[alg]).map_err(bad)?;
    let claims = Claims::parse(&read.payload).map_err(bad)?;
    for name in ["request", "request_uri"] {
        if claims.0.contains_key(name) {
            return Err(bad(wrong(
                name,
                "must not be in a request object (RFC 9101 section 4)",
            )));
        }
    }
    claims.must_be("iss", &client.id).map_err(bad)?;
    claims
        .audience(std::slice::from_ref(&cx.op.config.issuer))
        .map_err(bad)?;
    let exp = claims.require_instant("exp").map_err(bad)?;
    let nbf = claims.require_instant("nbf").map_err(bad)?;
    claims.require_instant("iat").map_err(bad)?;
    claims.in_force(cx.now).map_err(bad)?;
    let most = i64::from(cx.op.config.requests.lifetime);
    if exp - nbf > most {
        return Err(bad(wrong(
            "exp",
            &format!("is {} s after nbf, at most {most} are allowed", exp - nbf),
        )));
    }
    let jti = claims.jti().map_err(bad)?;
    if let Some(id) = claims.text("client_id").map_err(bad)?
        && id != client.id
    {
        return Err(bad(wrong("client_id", "is another client's")));
    }
    let parameters = parameters(&claims).map_err(bad)?;
    replay::once(cx, "request", &client.id, jti, exp).map_err(|replay::Replayed| {
        bad(wrong(
            "jti",
            "was used before; make a new one for every request",
        ))
    })?;
    Ok(parameters)
}

fn plain(cx: &Context<'_>, client: &Client, form: Form) -> Result<Form, OAuthError> {
    if cx.op.config.requests.signed {
        return Err(OAuthError::invalid_request(
            "the request is not signed; FAPI-CIBA section 5.2.2 requires signed requests: send all parameters \
             as claims of request, or set profile = ciba",
        ));
    }
    if let Some(alg) = client.requests.signing_alg {
        return Err(OAuthError::invalid_request(format!(
            "the request is not signed; the client is registered with \
             backchannel_authentication_request_signing_alg {} and must send request (CIBA Core section 7.1.1)",
            alg.as_str()
        )));
    }
    Ok(form)
}

/// A number in digits, if it is whole: to JSON 60.0 is 60.
fn whole(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(value) if number.is_f64() && value >= 0.0 && value.fract() == 0.0 => {
            format!("{value:.0}")
        }
        _ => number.to_string(),
    }
}

/// The parameters among the claims.
pub(crate) fn parameters(claims: &Claims) -> Result<Form, crate::jose::JoseError> {
    let mut parameters = Vec::new();
    for name in PARAMETERS {
        let value = match claims.0.get(name) {
            None => continue,
            Some(Value::String(text)) => text.clone(),
            // A number or a string, both must be understood (CIBA Core §7.1.1).
            Some(Value::Number(number)) if name == "requested_expiry" => whole(number),
            Some(_) => return Err(wrong(name, "must be a string")),
        };
        if value.contains('\0') {
            return Err(wrong(name, "holds the character NUL"));
        }
        parameters.push((name.to_owned(), value));
    }
    Ok(Form::of(parameters))
}

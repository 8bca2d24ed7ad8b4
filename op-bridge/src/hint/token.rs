//! login_hint_token: what a discovery service says about a user, for the OP's eyes only (CIBA Core §7.1, MODRNA Authentication
//! profile 1.0, MODRNA CIBA profile §4 and §6).

use serde_json::Value;

use super::{HintIssuer, Msisdn};
use crate::context::Context;
use crate::jose::JoseError;
use crate::jose::jwe;
use crate::jose::jws::Jws;
use crate::jose::jwt::{Claims, SKEW, missing, wrong};
use crate::key_set;
use crate::oauth::OAuthError;

/// The number in a login_hint_token.
///
/// # Errors
/// expired_login_hint_token; invalid_request for anything else that is wrong; unknown_user_id if it names no number.
pub(super) fn resolve(cx: &mut Context<'_>, token: &str) -> Result<Msisdn, OAuthError> {
    if jwe::is_compact(token) {
        return encrypted(cx, token, "login_hint_token");
    }
    if !cx.op.config.hints.formats.signed {
        return Err(OAuthError::invalid_request(
            "login_hint_token is not encrypted; a signed one alone shows the number to everybody who carries it \
             (MODRNA CIBA section 6). Encrypt it for a key with use enc of this OP's jwks_uri, or set hints.formats.signed",
        ));
    }
    signed(cx, token, "login_hint_token")
}

/// The number behind `ENCR_MSISDN:`: a login_hint_token, or a number encrypted as it is.
///
/// # Errors
/// As [`resolve`].
pub(super) fn resolve_encrypted(cx: &mut Context<'_>, blob: &str) -> Result<Msisdn, OAuthError> {
    encrypted(cx, blob, "ENCR_MSISDN")
}

fn encrypted(cx: &mut Context<'_>, token: &str, what: &str) -> Result<Msisdn, OAuthError> {
    let op = cx.op;
    let rules = &op.config.hints;
    let bad = |why: JoseError| OAuthError::invalid_request(format!("{what}: {why}"));
    let opened = jwe::decrypt(token, &op.config.decryption, &rules.encryption).map_err(bad)?;
    let Ok(text) = std::str::from_utf8(&opened.plaintext) else {
        return Err(OAuthError::invalid_request(format!(
            "{what}: its content is no text"
        )));
    };
    let says_jwt = opened
        .header
        .get("cty")
        .and_then(Value::as_str)
        .is_some_and(|cty| cty.eq_ignore_ascii_case("JWT"));
    if says_jwt || text.bytes().filter(|&octet| octet == b'.').count() == 2 {
        if !rules.formats.nested {
            return Err(OAuthError::invalid_request(format!(
                "{what} is a signed token within an encrypted one, which hints.formats.nested does not allow"
            )));
        }
        return signed(cx, text, what);
    }
    if !rules.formats.encrypted {
        return Err(OAuthError::invalid_request(format!(
            "{what} holds no signed token, and hints.formats.encrypted does not allow that: whoever knows the OP's key \
             could have made it"
        )));
    }
    if what == "ENCR_MSISDN"
        && let Ok(msisdn) = text.parse()
    {
        return Ok(msisdn);
    }
    let claims = Claims::parse(text.as_bytes()).map_err(bad)?;
    // Nobody has signed, so iss is a mere word; what is there must be right all the same.
    if claims.0.contains_key("iss") {
        issuer(cx, &claims).map_err(bad)?;
    }
    if claims.0.contains_key("aud") {
        audience(cx, &claims).map_err(bad)?;
    }
    age(cx, &claims, what)?;
    number(&claims, what)
}

fn signed(cx: &mut Context<'_>, token: &str, what: &str) -> Result<Msisdn, OAuthError> {
    let op = cx.op;
    let rules = &op.config.hints;
    let bad = |why: JoseError| OAuthError::invalid_request(format!("{what}: {why}"));
    let read = Jws::parse(token).map_err(bad)?;
    let claims = Claims::parse(&read.payload).map_err(bad)?;
    let issuer = issuer(cx, &claims).map_err(bad)?;
    let keys = key_set::of_issuer(cx, issuer)
        .map_err(|why| OAuthError::invalid_request(format!("{what}: {why}")))?;
    keys.verify(cx, &read, &rules.algorithms).map_err(bad)?;
    audience(cx, &claims).map_err(bad)?;
    age(cx, &claims, what)?;
    number(&claims, what)
}

/// The discovery service that the token names.
fn issuer<'a>(cx: &Context<'a>, claims: &Claims) -> Result<&'a HintIssuer, JoseError> {
    let iss = claims.require("iss")?;
    let mut known = cx.op.config.hints.issuers.iter();
    known
        .find(|known| known.issuer == iss)
        .ok_or_else(|| wrong("iss", "is no discovery service that this OP trusts"))
}

fn audience(cx: &Context<'_>, claims: &Claims) -> Result<(), JoseError> {
    claims.audience(std::slice::from_ref(&cx.op.config.issuer))
}

/// The MODRNA profile has iat and no exp, so age decides, whatever the shape of the token; an exp is honoured where there
/// is one.
fn age(cx: &Context<'_>, claims: &Claims, what: &str) -> Result<(), OAuthError> {
    let bad = |why: JoseError| OAuthError::invalid_request(format!("{what}: {why}"));
    let now = cx.now.as_second();
    let expired =
        |why: String| OAuthError::new("expired_login_hint_token", format!("{what}: {why}"));
    let iat = claims.instant("iat").map_err(bad)?;
    let iat = iat.ok_or_else(|| bad(missing("iat")))?;
    if let Some(exp) = claims.instant("exp").map_err(bad)?
        && now >= exp + SKEW
    {
        return Err(expired(format!("its exp was {} s ago", now - exp)));
    }
    if iat > now + SKEW {
        return Err(bad(wrong("iat", &format!("is {} s ahead", iat - now))));
    }
    let most = i64::from(cx.op.config.hints.max_age);
    if now - iat > most {
        return Err(expired(format!(
            "it is {} s old, at most {most} are allowed; ask the discovery service again",
            now - iat
        )));
    }
    if let Some(nbf) = claims.instant("nbf").map_err(bad)?
        && nbf > now + SKEW
    {
        return Err(bad(wrong("nbf", &format!("is {} s ahead", nbf - now))));
    }
    Ok(())
}

/// The number, in the claim of the MODRNA profile, of CIBA Core's example or of its older drafts.
fn number(claims: &Claims, what: &str) -> Result<Msisdn, OAuthError> {
    let unknown = |why: &str| OAuthError::new("unknown_user_id", format!("{what}: {why}"));
    let in_object = |claim: &str, kind: &str, kind_is: &str, value: &str| {
        let object = claims.0.get(claim)?.as_object()?;
        let right = object.get(kind).and_then(Value::as_str) == Some(kind_is);
        right
            .then(|| object.get(value).and_then(Value::as_str))
            .flatten()
    };
    let shapes = [
        claims.0.get("MSISDN").and_then(Value::as_str),
        in_object("sub_id", "format", "phone_number", "phone_number"),
        in_object("subject", "subject_type", "phone", "phone"),
    ];
    let mut found: Option<Msisdn> = None;
    for text in shapes.into_iter().flatten() {
        let msisdn: Msisdn = text
            .parse()
            .map_err(|_| unknown("the number in it is none in international format"))?;
        if found.as_ref().is_some_and(|other| *other != msisdn) {
            return Err(OAuthError::invalid_request(format!(
                "{what}: its claims name two different numbers"
            )));
        }
        found = Some(msisdn);
    }
    found.ok_or_else(|| {
        unknown(
            "it names no number: give MSISDN, or sub_id with format phone_number, or subject with subject_type phone",
        )
    })
}

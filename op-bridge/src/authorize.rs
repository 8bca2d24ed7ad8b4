//! The backchannel authentication endpoint (CIBA Core §7, MODRNA CIBA profile draft-03 §4).
//!
//! Checks in the order of CIBA Core §7.2: client, signed request, parameters and the one hint, who
//! the hint means, user_code, the rest.

use std::sync::Arc;

use bytes::Bytes;

use crate::Op;
use crate::acr;
use crate::client_auth;
use crate::config::{Client, DeliveryMode, Profile, UnknownUser};
use crate::context::Context;
use crate::event::{EventKind, Id};
use crate::flow;
use crate::forms::Form;
use crate::hint::{HintError, Msisdn, parse_login_hint};
use crate::oauth::OAuthError;
use crate::step::RequestId;

/// Longest client_notification_token (CIBA Core §7.1).
const MAX_NOTIFICATION_TOKEN: usize = 1024;
/// No handset shows more than this; the text policy usually allows much less.
const MAX_TEXT: usize = 1000;
/// Scopes that release something; others are ignored (OpenID Connect Core §3.1.2.1).
const SCOPES: [&str; 3] = ["openid", "profile", "phone"];

/// An acceptable authentication request.
pub(crate) struct Order<'a> {
    pub(crate) client: &'a Client,
    pub(crate) msisdn: Msisdn,
    /// Whether the OP itself knows the number.
    pub(crate) known: bool,
    pub(crate) scope: String,
    pub(crate) nonce: Option<String>,
    pub(crate) ladder: Vec<String>,
    pub(crate) text: String,
    pub(crate) expires_in: u32,
    pub(crate) client_notification_token: Option<String>,
}

pub(crate) fn handle(cx: &mut Context<'_>, id: RequestId, request: http::Request<Bytes>) {
    let request = Arc::new(request);
    match examine(cx.op, &request) {
        Ok(order) => flow::open(cx, id, request, order),
        Err(error) => {
            let response = error.response();
            let own = Id::http(id);
            cx.event(
                own.clone(),
                None,
                EventKind::AuthenticationRequest { request },
            );
            cx.event(
                own,
                None,
                EventKind::Acknowledgement {
                    response: response.clone(),
                },
            );
            cx.reply(id, response);
        }
    }
}

fn examine<'a>(op: &'a Op, request: &http::Request<Bytes>) -> Result<Order<'a>, OAuthError> {
    let client = client_auth::authenticate(op, request.headers())?;
    let form = Form::parse(request.headers(), request.body())?;
    client_auth::check_form(client, &form)?;
    if form.get("request").is_some() {
        return Err(OAuthError::invalid_request(
            "signed requests are not supported: discovery lists no \
             backchannel_authentication_request_signing_alg_values_supported; send the parameters themselves",
        ));
    }
    let scope = scope(&form)?;
    let hint = hint(&form)?;
    let client_notification_token = client_notification_token(client, &form)?;
    let ladder = ladder(op, &form)?;
    let expires_in = expires_in(op, &form)?;
    let (msisdn, known) = resolve(op, hint)?;
    if form.get("user_code").is_some() {
        return Err(OAuthError::invalid_request(
            "user_code is not supported: discovery says backchannel_user_code_parameter_supported false",
        ));
    }
    let text = text(op, client, &form)?;
    Ok(Order {
        client,
        msisdn,
        known,
        scope,
        nonce: form.get("nonce").map(str::to_owned),
        ladder,
        text,
        expires_in,
        client_notification_token,
    })
}

fn scope(form: &Form) -> Result<String, OAuthError> {
    let requested = form.require("scope", "CIBA Core section 7.1")?;
    let token = |c: char| matches!(c, '!' | '#'..='[' | ']'..='~' | ' ');
    if !requested.chars().all(token) {
        return Err(OAuthError::new(
            "invalid_scope",
            "scope holds a character that RFC 6749 forbids",
        ));
    }
    if !requested.split(' ').any(|scope| scope == "openid") {
        return Err(OAuthError::new(
            "invalid_scope",
            "scope must contain openid (CIBA Core section 7.1)",
        ));
    }
    let mut granted: Vec<&str> = Vec::new();
    for scope in requested.split(' ') {
        if SCOPES.contains(&scope) && !granted.contains(&scope) {
            granted.push(scope);
        }
    }
    Ok(granted.join(" "))
}

fn hint(form: &Form) -> Result<&str, OAuthError> {
    let names = ["login_hint", "login_hint_token", "id_token_hint"];
    let mut given = names
        .into_iter()
        .filter_map(|name| Some((name, form.get(name)?)));
    match (given.next(), given.next()) {
        (Some(("login_hint", hint)), None) => Ok(hint),
        (Some((name, _)), None) => Err(OAuthError::invalid_request(format!(
            "{name} is not supported yet; send login_hint with the user's MSISDN"
        ))),
        (None, _) => Err(OAuthError::invalid_request(
            "no hint; CIBA Core section 7.1 requires exactly one, send login_hint with the user's MSISDN",
        )),
        (Some((first, _)), Some((second, _))) => Err(OAuthError::invalid_request(format!(
            "both {first} and {second}; CIBA Core section 7.1 requires exactly one hint"
        ))),
    }
}

fn client_notification_token(client: &Client, form: &Form) -> Result<Option<String>, OAuthError> {
    if client.mode == DeliveryMode::Poll {
        return Ok(None);
    }
    let clause = format!("{} mode (CIBA Core section 7.1)", client.mode.as_str());
    let token = form.require("client_notification_token", &clause)?;
    if token.len() > MAX_NOTIFICATION_TOKEN {
        return Err(OAuthError::invalid_request(format!(
            "client_notification_token has {} characters, at most {MAX_NOTIFICATION_TOKEN} are allowed",
            token.len()
        )));
    }
    let body = token.trim_end_matches('=');
    let syntax = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~+/".contains(&octet);
    if body.is_empty() || !body.bytes().all(syntax) {
        return Err(OAuthError::invalid_request(
            "client_notification_token must be a bearer token: letters, digits, -._~+/ and = at its end \
             (RFC 6750 section 2.1)",
        ));
    }
    Ok(Some(token.to_owned()))
}

fn ladder(op: &Op, form: &Form) -> Result<Vec<String>, OAuthError> {
    let known = &op.config.acr_values;
    let Some(requested) = form.get("acr_values") else {
        return match op.config.profile {
            Profile::Ciba | Profile::FapiCiba => Ok(known
                .iter()
                .take(1)
                .map(|(value, _)| value.clone())
                .collect()),
            Profile::Modrna => Err(OAuthError::invalid_request(
                "acr_values is required by the MODRNA CIBA profile, section 4; send mod-mf or mod-pr, \
                 or set profile = ciba",
            )),
        };
    };
    let ladder = acr::ladder(known, requested);
    if ladder.is_empty() {
        let names: Vec<&str> = known
            .iter()
            .map(|(value, _)| value.as_str())
            .take(8)
            .collect();
        return Err(OAuthError::invalid_request(format!(
            "acr_values holds nothing this OP can meet; it knows {}",
            names.join(", ")
        )));
    }
    Ok(ladder)
}

fn expires_in(op: &Op, form: &Form) -> Result<u32, OAuthError> {
    let lifetimes = &op.config.lifetimes;
    let Some(requested) = form.get("requested_expiry") else {
        return Ok(lifetimes.auth_req_id);
    };
    let digits = !requested.is_empty() && requested.bytes().all(|octet| octet.is_ascii_digit());
    // Too many digits for u32 is still a positive integer, beyond any bound.
    match requested.parse::<u32>() {
        _ if !digits => {}
        Ok(0) => {}
        Ok(seconds) => return Ok(seconds.min(lifetimes.auth_req_id_max)),
        Err(_) => return Ok(lifetimes.auth_req_id_max),
    }
    Err(OAuthError::invalid_request(
        "requested_expiry must be a positive number of seconds (CIBA Core section 7.1)",
    ))
}

fn resolve(op: &Op, hint: &str) -> Result<(Msisdn, bool), OAuthError> {
    let msisdn = parse_login_hint(hint).map_err(|error| match error {
        HintError::NotANumber => OAuthError::new(
            "unknown_user_id",
            "login_hint is no phone number; send an MSISDN such as +447700900001",
        ),
        HintError::Unsupported(prefix) => OAuthError::invalid_request(format!(
            "login_hint with the prefix {prefix}: is not supported yet; send the MSISDN"
        )),
    })?;
    let known = op.config.subscribers.find(&msisdn).is_some();
    if !known && op.config.unknown_user == UnknownUser::Reject {
        return Err(unknown_user());
    }
    Ok((msisdn, known))
}

/// unknown_user_id for a number nobody knows.
pub(crate) fn unknown_user() -> OAuthError {
    OAuthError::new(
        "unknown_user_id",
        "no subscriber has the number of login_hint; midsim world lists those that exist",
    )
}

fn text(op: &Op, client: &Client, form: &Form) -> Result<String, OAuthError> {
    let Some(message) = form.get("binding_message") else {
        return Ok(client.default_text());
    };
    check_text(message)
        .and_then(|()| (op.config.text_policy)(message))
        .map_err(|why| {
            OAuthError::new("invalid_binding_message", format!("binding_message {why}"))
        })?;
    Ok(message.to_owned())
}

/// What no text for a handset may hold, whatever its alphabet: control characters, characters that
/// reorder what is read, and the two that XML cannot carry.
pub(crate) fn check_text(text: &str) -> Result<(), String> {
    let length = text.chars().count();
    if length > MAX_TEXT {
        return Err(format!(
            "has {length} characters; a handset shows far fewer"
        ));
    }
    for c in text.chars() {
        let reorders = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || reorders || matches!(c, '\u{fffe}' | '\u{ffff}') {
            return Err(format!(
                "holds the character U+{:04X}, which is not allowed",
                u32::from(c)
            ));
        }
    }
    Ok(())
}

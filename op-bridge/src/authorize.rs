//! The backchannel authentication endpoint (CIBA Core §7, MODRNA CIBA profile draft-03 §4).
//!
//! Checks in the order of CIBA Core §7.2: client, signed request, parameters and the one hint, who
//! the hint means, user_code, the rest.

use std::sync::Arc;

use bytes::Bytes;

use crate::Op;
use crate::acr;
use crate::client_auth;
use crate::config::{Client, DeliveryMode, Profile};
use crate::context::Context;
use crate::event::{EventKind, Id};
use crate::flow;
use crate::forms::Form;
use crate::grant::CIBA_GRANT;
use crate::hint::{Hint, Msisdn, User};
use crate::oauth::OAuthError;
use crate::request_object;
use crate::step::RequestId;

/// Longest client_notification_token (CIBA Core §7.1).
const MAX_NOTIFICATION_TOKEN: usize = 1024;
/// No handset shows more than this; the text policy usually allows much less.
const MAX_TEXT: usize = 1000;
/// Scopes that release something; others are ignored (OpenID Connect Core §3.1.2.1).
const SCOPES: [&str; 3] = ["openid", "profile", "phone"];

/// An acceptable authentication request.
pub(crate) struct Order {
    pub(crate) client: Arc<Client>,
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

pub(crate) fn handle(cx: &mut Context<'_>, id: RequestId, request: Arc<http::Request<Bytes>>) {
    match examine(cx, &request) {
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

/// In the order of CIBA Core §7.2.
fn examine(cx: &mut Context<'_>, request: &http::Request<Bytes>) -> Result<Order, OAuthError> {
    let (client, form) = client_auth::authenticate(cx, request)?;
    if !client.may(CIBA_GRANT) {
        return Err(OAuthError::new(
            "unauthorized_client",
            format!(
                "the client is not registered for the grant type {CIBA_GRANT} (CIBA Core section 4)"
            ),
        ));
    }
    let form = request_object::open(cx, &client, form)?;
    let op = cx.op;
    let scope = scope(&client, &form)?;
    let hint = Hint::of(&form)?;
    let client_notification_token = client_notification_token(&client, &form)?;
    let ladder = ladder(op, &form)?;
    let expires_in = expires_in(op, &form)?;
    let User { msisdn, known } = hint.resolve(cx, &client)?;
    user_code(op, &client, &form, &msisdn)?;
    let text = text(op, &client, &form)?;
    Ok(Order {
        msisdn,
        known,
        scope,
        nonce: form.get("nonce").map(str::to_owned),
        ladder,
        text,
        expires_in,
        client_notification_token,
        client,
    })
}

fn scope(client: &Client, form: &Form) -> Result<String, OAuthError> {
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
    let registered = client.issuance.scope.as_deref();
    let may = |scope: &str| {
        scope == "openid" || registered.is_none_or(|all| all.split(' ').any(|one| one == scope))
    };
    let mut granted: Vec<&str> = Vec::new();
    for scope in requested.split(' ') {
        if SCOPES.contains(&scope) && may(scope) && !granted.contains(&scope) {
            granted.push(scope);
        }
    }
    Ok(granted.join(" "))
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

/// CIBA Core §7.1: only if both the OP and the client are registered for it.
fn user_code(op: &Op, client: &Client, form: &Form, msisdn: &Msisdn) -> Result<(), OAuthError> {
    let given = form.get("user_code");
    if !(op.config.user_codes && client.requests.user_code) {
        // Ignoring it would pretend to a check that is not made.
        return match given {
            None => Ok(()),
            Some(_) => Err(OAuthError::invalid_request(
                "user_code is only for clients that are registered with backchannel_user_code_parameter \
                 (CIBA Core section 7.1)",
            )),
        };
    }
    match (op.config.subscribers.user_code(msisdn), given) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(OAuthError::new(
            "missing_user_code",
            "this user has a code; send it as user_code (CIBA Core section 7.1)",
        )),
        (Some(code), Some(given)) if code.matches(given) => Ok(()),
        (Some(_), Some(_)) => Err(OAuthError::new(
            "invalid_user_code",
            "user_code is not the code of this user",
        )),
    }
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

/// What no text for a handset may hold, whatever its alphabet: control characters, characters that reorder or break what is read
/// or that nobody sees, and the two that XML cannot carry. The joiners U+200C and U+200D stay: some languages spell with them.
/// There has to be something to see.
pub(crate) fn check_text(text: &str) -> Result<(), String> {
    let length = text.chars().count();
    if length > MAX_TEXT {
        return Err(format!(
            "has {length} characters; a handset shows far fewer"
        ));
    }
    let joins = |c: char| matches!(c, '\u{200c}' | '\u{200d}');
    for c in text.chars() {
        let breaks = matches!(c, '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}');
        let unseen = is_default_ignorable(c) && !joins(c);
        if c.is_control() || breaks || unseen || matches!(c, '\u{fffe}' | '\u{ffff}') {
            return Err(format!(
                "holds the character U+{:04X}, which is not allowed",
                u32::from(c)
            ));
        }
    }
    // The Braille pattern without dots is no blank to Unicode, and nothing but a blank to the eye.
    let blank = |c: char| c.is_whitespace() || c == '\u{2800}' || joins(c);
    if text.chars().all(blank) {
        return Err("has nothing in it that can be seen".to_owned());
    }
    Ok(())
}

/// Default_Ignorable_Code_Point (Unicode Standard Annex 44): shown as nothing at all.
fn is_default_ignorable(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

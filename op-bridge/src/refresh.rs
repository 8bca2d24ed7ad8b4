//! Refresh tokens (RFC 6749 §6), each good for one use (RFC 9700 §4.14.2).
//!
//! All refresh tokens of one authentication are one family with one record: a token is the family's name and a secret, and only
//! the hash of the newest secret is kept. Whoever comes with an older one shows that somebody else has a copy: the family ends,
//! and with it every access token that it brought.

use crate::config::Client;
use crate::context::Context;
use crate::event::Id;
use crate::forms::Form;
use crate::grant::{self, Grant, To, Tokens};
use crate::oauth::OAuthError;
use crate::record::{RefreshToken, load};
use crate::secret::{fingerprint, random_token};
use crate::step::Change;

/// A refresh token that was just made.
pub(crate) struct Made {
    pub(crate) token: String,
    /// Names its record.
    pub(crate) family: String,
}

/// Begins a family.
pub(crate) fn first(cx: &mut Context<'_>, grant: &Grant<'_>, sub: &str) -> Made {
    let name = random_token(cx.rng);
    let record = RefreshToken {
        client_id: grant.client_id.to_owned(),
        msisdn: grant.msisdn.clone(),
        sub: sub.to_owned(),
        scope: grant.scope.to_owned(),
        acr: grant.acr.to_owned(),
        nonce: grant.nonce.map(str::to_owned),
        auth_time: grant.auth_time,
        ap_trans_id: grant.ap_trans_id.to_owned(),
        name,
        current: String::new(),
        issued_at: 0,
        expires_at: cx.now,
    };
    rotate(cx, record)
}

/// The next token of a family; the one before is worth nothing any more.
pub(crate) fn rotate(cx: &mut Context<'_>, mut record: RefreshToken) -> Made {
    let secret = cx.token();
    record.current = fingerprint(&secret);
    record.issued_at = cx.now.as_second();
    record.expires_at = cx.after(cx.op.config.lifetimes.refresh_token);
    let family = fingerprint(&record.name);
    let token = format!("{}.{secret}", record.name);
    cx.timer(RefreshToken::key(&family), Some(record.expires_at));
    cx.change(Change::RefreshToken(family.clone(), Box::new(record)));
    Made { token, family }
}

/// What a refresh token turned out to be.
pub(crate) enum Found {
    /// The newest of its family, and alive.
    Current(String, RefreshToken),
    /// One that was used before.
    Used(String, RefreshToken),
    /// None of ours, or of a family that has ended.
    Unknown,
}

/// Looks a refresh token up.
pub(crate) fn find(cx: &Context<'_>, token: &str) -> Found {
    let Some((name, secret)) = token.split_once('.') else {
        return Found::Unknown;
    };
    let family = fingerprint(name);
    let record: Option<RefreshToken> = load(cx.view, &RefreshToken::key(&family));
    match record.filter(|record| cx.now < record.expires_at) {
        None => Found::Unknown,
        Some(record) if record.current == fingerprint(secret) => Found::Current(family, record),
        Some(record) => Found::Used(family, record),
    }
}

/// Ends a family with every token that it brought.
pub(crate) fn end(cx: &mut Context<'_>, family: &str) {
    cx.timer(RefreshToken::key(family), None);
    cx.change(Change::ForgetRefreshToken(family.to_owned()));
}

/// `grant_type=refresh_token`. A refusal may still have changed something: the family of a token that came twice has ended.
pub(crate) fn redeem(
    cx: &mut Context<'_>,
    client: &Client,
    form: &Form,
    thumbprint: Option<&str>,
    own: &mut Id,
) -> Result<Tokens, OAuthError> {
    let unknown = || {
        OAuthError::new(
            "invalid_grant",
            "refresh_token is unknown, expired or another client's",
        )
    };
    let token = form.require("refresh_token", "RFC 6749 section 6")?;
    let old = match find(cx, token) {
        Found::Current(_, old) if old.client_id == client.id => old,
        Found::Used(family, old) if old.client_id == client.id => {
            *own = Id::ap_trans_id(&old.ap_trans_id);
            end(cx, &family);
            return Err(OAuthError::new(
                "invalid_grant",
                "refresh_token was used before; all tokens of this authentication are revoked (RFC 9700 section 4.14.2)",
            ));
        }
        Found::Current(..) | Found::Used(..) | Found::Unknown => return Err(unknown()),
    };
    let scope = form.get("scope").unwrap_or(&old.scope).to_owned();
    if !scope
        .split(' ')
        .all(|wanted| old.scope.split(' ').any(|granted| granted == wanted))
    {
        return Err(OAuthError::new(
            "invalid_scope",
            "scope asks for more than was granted",
        ));
    }
    *own = Id::ap_trans_id(&old.ap_trans_id);
    let from = old.clone();
    let grant = Grant {
        client_id: &from.client_id,
        msisdn: &from.msisdn,
        scope: &scope,
        acr: &from.acr,
        nonce: from.nonce.as_deref(),
        auth_time: from.auth_time,
        ap_trans_id: &from.ap_trans_id,
        thumbprint,
    };
    Ok(grant::issue(
        cx,
        own.clone(),
        &grant,
        To::Refresh(Box::new(old)),
    ))
}

//! Step 15: id_token, access_token and, where configured, refresh_token.
//!
//! Tokens are random; only their SHA-256 is stored. What an access token opens is a record of its own, so that userinfo needs no
//! request record any more.

use bytes::Bytes;
use serde::Serialize;

use crate::acr;
use crate::context::Context;
use crate::event::{EventKind, Id};
use crate::hint::Msisdn;
use crate::issuance::subject;
use crate::jose;
use crate::keys;
use crate::record::{AccessToken, RefreshToken, Request, encode};
use crate::refresh;
use crate::secret::fingerprint;
use crate::step::Change;

/// grant_type of CIBA Core §10.1.
pub(crate) const CIBA_GRANT: &str = "urn:openid:params:grant-type:ciba";
/// grant_type of RFC 6749 §6.
pub(crate) const REFRESH_GRANT: &str = "refresh_token";

/// What was authenticated, and for whom.
pub(crate) struct Grant<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) msisdn: &'a Msisdn,
    pub(crate) scope: &'a str,
    pub(crate) acr: &'a str,
    /// `nonce` of the request, if it had one.
    pub(crate) nonce: Option<&'a str>,
    /// Instant of the approval, seconds since 1970.
    pub(crate) auth_time: i64,
    /// AP_TransID under which it was approved.
    pub(crate) ap_trans_id: &'a str,
    /// `x5t#S256` of the certificate that the tokens are bound to (RFC 8705 §3).
    pub(crate) thumbprint: Option<&'a str>,
}

impl<'a> Grant<'a> {
    /// What an approved request grants.
    pub(crate) fn of(request: &'a Request, auth_time: i64, thumbprint: Option<&'a str>) -> Self {
        Self {
            client_id: &request.client_id,
            msisdn: &request.msisdn,
            scope: &request.scope,
            acr: request.acr(),
            nonce: request.nonce.as_deref(),
            auth_time,
            ap_trans_id: &request.attempt.ap_trans_id,
            thumbprint,
        }
    }
}

/// Where the tokens go.
pub(crate) enum To<'a> {
    /// To the notification endpoint: the id_token then carries the auth_req_id and the hash of the refresh token.
    Push(&'a str),
    /// To the token endpoint, for the first time.
    Poll,
    /// To the token endpoint, for this refresh token.
    Refresh(Box<RefreshToken>),
}

/// Makes the tokens.
pub(crate) fn issue(cx: &mut Context<'_>, own: Id, grant: &Grant<'_>, to: To<'_>) -> Tokens {
    let op = cx.op;
    let lifetimes = op.config.lifetimes;
    let iat = cx.now.as_second();
    let client = cx.client(grant.client_id);
    let sub = match &to {
        // OpenID Connect Core §12.2: it stays, however the client is registered by now.
        To::Refresh(old) => old.sub.clone(),
        To::Push(_) | To::Poll => subject(op, client.as_deref(), grant.msisdn),
    };

    let pushed = match &to {
        To::Push(auth_req_id) => Some(*auth_req_id),
        To::Poll | To::Refresh(_) => None,
    };
    let may_refresh = client.as_ref().is_some_and(|it| it.may(REFRESH_GRANT));
    let refresh = match to {
        To::Refresh(old) => Some(refresh::rotate(cx, *old)),
        To::Push(_) | To::Poll if op.config.refresh_tokens && may_refresh => {
            Some(refresh::first(cx, grant, &sub))
        }
        To::Push(_) | To::Poll => None,
    };

    let access_token = cx.token();
    let hash = fingerprint(&access_token);
    let expires_at = cx.after(lifetimes.access_token);
    let record = AccessToken {
        client_id: grant.client_id.to_owned(),
        msisdn: grant.msisdn.clone(),
        sub: sub.clone(),
        scope: grant.scope.to_owned(),
        acr: grant.acr.to_owned(),
        auth_time: grant.auth_time,
        ap_trans_id: grant.ap_trans_id.to_owned(),
        family: refresh.as_ref().map(|made| made.family.clone()),
        thumbprint: grant.thumbprint.map(str::to_owned),
        issued_at: iat,
        expires_at,
    };
    cx.timer(AccessToken::key(&hash), Some(expires_at));
    cx.change(Change::AccessToken(hash, Box::new(record)));

    let at_hash = jose::half_hash(&access_token);
    let rt_hash = match (pushed, &refresh) {
        (Some(_), Some(refresh)) => Some(jose::half_hash(&refresh.token)),
        _ => None,
    };
    let claims = Claims {
        acr: grant.acr,
        amr: acr::assurance(&op.config.acr_values, grant.acr).map_or(&[][..], |a| a.amr()),
        at_hash: &at_hash,
        aud: grant.client_id,
        auth_time: grant.auth_time,
        exp: iat + i64::from(lifetimes.id_token),
        iat,
        iss: &op.config.issuer,
        nonce: grant.nonce,
        sub: &sub,
        auth_req_id: pushed,
        rt_hash: rt_hash.as_deref(),
    };
    let claims = json(&claims);
    let algorithm = client.and_then(|client| client.issuance.id_token_alg);
    let tokens = Tokens {
        access_token,
        auth_req_id: pushed.map(str::to_owned),
        expires_in: lifetimes.access_token,
        id_token: keys::sign(&op.config.keys.at(cx.now), algorithm, &claims),
        refresh_token: refresh.map(|refresh| refresh.token),
        scope: grant.scope.to_owned(),
        token_type: "Bearer",
    };
    cx.event(
        own,
        None,
        EventKind::Tokens {
            claims,
            scope: grant.scope.to_owned(),
        },
    );
    tokens
}

/// The JSON of a body or of claims, in no more octets than it has.
pub(crate) fn json(value: &impl Serialize) -> Bytes {
    Bytes::from(encode(value).into_boxed_slice())
}

/// Claims of the id_token (OpenID Connect Core §2, CIBA Core §10.3.1).
#[derive(Serialize)]
struct Claims<'a> {
    acr: &'a str,
    amr: &'a [&'a str],
    at_hash: &'a str,
    aud: &'a str,
    auth_time: i64,
    exp: i64,
    iat: i64,
    iss: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    sub: &'a str,
    #[serde(
        rename = "urn:openid:params:jwt:claim:auth_req_id",
        skip_serializing_if = "Option::is_none"
    )]
    auth_req_id: Option<&'a str>,
    #[serde(
        rename = "urn:openid:params:jwt:claim:rt_hash",
        skip_serializing_if = "Option::is_none"
    )]
    rt_hash: Option<&'a str>,
}

/// Members of a token response or of a push (OpenID Connect Core §3.1.3.3, CIBA Core §10.3.1).
#[derive(Serialize)]
pub(crate) struct Tokens {
    access_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_req_id: Option<String>,
    expires_in: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    scope: String,
    token_type: &'static str,
}

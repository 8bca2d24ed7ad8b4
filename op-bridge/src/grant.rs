//! Step 15: the tokens (CIBA Core §10.1.1, OpenID Connect Core §2).

use ring::hmac;
use serde_json::{Value, json};

use crate::Op;
use crate::acr;
use crate::context::Context;
use crate::event::{EventKind, Id};
use crate::hint::Msisdn;
use crate::jose::{self, base64url};
use crate::record::{AccessToken, RefreshToken, Request};
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
    /// Instant of the approval, seconds since 1970.
    pub(crate) auth_time: i64,
    /// AP_TransID under which it was approved.
    pub(crate) ap_trans_id: &'a str,
}

impl<'a> Grant<'a> {
    /// What an approved request grants.
    pub(crate) fn of(request: &'a Request, auth_time: i64) -> Self {
        Self {
            client_id: &request.client_id,
            msisdn: &request.msisdn,
            scope: &request.scope,
            acr: request.acr(),
            auth_time,
            ap_trans_id: &request.attempt.ap_trans_id,
        }
    }
}

/// Makes the tokens and returns the members of the token response. `pushed` is the auth_req_id when
/// they are to be pushed: the id_token then carries it and the hash of the refresh token.
pub(crate) fn issue(
    cx: &mut Context<'_>,
    own: Id,
    grant: &Grant<'_>,
    pushed: Option<&str>,
) -> Value {
    let op = cx.op;
    let lifetimes = op.config.lifetimes;
    let iat = cx.now.as_second();

    let access_token = cx.token();
    let hash = fingerprint(&access_token);
    let expires_at = cx.after(lifetimes.access_token);
    let record = AccessToken {
        client_id: grant.client_id.to_owned(),
        msisdn: grant.msisdn.clone(),
        scope: grant.scope.to_owned(),
        ap_trans_id: grant.ap_trans_id.to_owned(),
        expires_at,
    };
    cx.timer(AccessToken::key(&hash), Some(expires_at));
    cx.change(Change::AccessToken(hash, Box::new(record)));
    let refresh_token = op.config.refresh_tokens.then(|| refresh_token(cx, grant));

    let mut claims = json!({
        "iss": op.config.issuer,
        "sub": subject(op, grant.msisdn),
        "aud": grant.client_id,
        "exp": iat + i64::from(lifetimes.id_token),
        "iat": iat,
        "auth_time": grant.auth_time,
        "acr": grant.acr,
        "amr": acr::assurance(&op.config.acr_values, grant.acr).map_or(&[][..], |a| a.amr()),
        "at_hash": jose::half_hash(&access_token),
    });
    if let Some(auth_req_id) = pushed {
        claims["urn:openid:params:jwt:claim:auth_req_id"] = json!(auth_req_id);
        if let Some(refresh_token) = &refresh_token {
            claims["urn:openid:params:jwt:claim:rt_hash"] = json!(jose::half_hash(refresh_token));
        }
    }
    let mut response = json!({
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": lifetimes.access_token,
        "id_token": jose::sign(op.config.signer.as_ref(), &claims),
        "scope": grant.scope,
    });
    if let Some(refresh_token) = refresh_token {
        response["refresh_token"] = json!(refresh_token);
    }
    cx.event(
        own,
        None,
        EventKind::Tokens {
            claims,
            scope: grant.scope.to_owned(),
        },
    );
    response
}

fn refresh_token(cx: &mut Context<'_>, grant: &Grant<'_>) -> String {
    let token = cx.token();
    let hash = fingerprint(&token);
    let expires_at = cx.after(cx.op.config.lifetimes.refresh_token);
    let record = RefreshToken {
        client_id: grant.client_id.to_owned(),
        msisdn: grant.msisdn.clone(),
        scope: grant.scope.to_owned(),
        acr: grant.acr.to_owned(),
        auth_time: grant.auth_time,
        ap_trans_id: grant.ap_trans_id.to_owned(),
        expires_at,
    };
    cx.timer(RefreshToken::key(&hash), Some(expires_at));
    cx.change(Change::RefreshToken(hash, Box::new(record)));
    token
}

/// `sub` of a number: the same for every client and every time, and no way back to the number
/// without the OP's key.
pub(crate) fn subject(op: &Op, msisdn: &Msisdn) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, op.config.subject_key.expose().as_bytes());
    let tag = hmac::sign(&key, format!("public:{}", msisdn.digits()).as_bytes());
    base64url(&tag.as_ref()[..20])
}

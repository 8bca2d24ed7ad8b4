//! Token revocation (RFC 7009). The end of a refresh token is the end of every access token of the same authentication; that of
//! an access token is its own alone.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::header::{CACHE_CONTROL, HeaderValue};

use crate::client_auth;
use crate::context::Context;
use crate::event::{EventKind, Id};
use crate::oauth::OAuthError;
use crate::record::AccessToken;
use crate::refresh::{self, Found};
use crate::secret::fingerprint;
use crate::step::{Change, RequestId};
use crate::userinfo;

pub(crate) fn handle(cx: &mut Context<'_>, id: RequestId, request: Arc<http::Request<Bytes>>) {
    let mut own = Id::http(id);
    let response = match revoke(cx, &request, &mut own) {
        // An unknown token is as good as revoked (§2.2); the body is ignored by the client.
        Ok(()) => {
            let mut response = Response::new(Bytes::new());
            let no_store = HeaderValue::from_static("no-store");
            response.headers_mut().insert(CACHE_CONTROL, no_store);
            response
        }
        Err(error) => error.response(),
    };
    let kind = EventKind::TokenService {
        request,
        response: response.clone(),
        clause: "RFC 7009 §2",
    };
    cx.event(own, None, kind);
    cx.reply(id, response);
}

fn revoke(
    cx: &mut Context<'_>,
    request: &http::Request<Bytes>,
    own: &mut Id,
) -> Result<(), OAuthError> {
    let (client, form) = client_auth::authenticate(cx, request)?;
    let token = form.require("token", "RFC 7009 section 2.1")?;
    let foreign = || {
        OAuthError::new(
            "invalid_grant",
            "the token was issued to another client, which alone can revoke it (RFC 7009 section 2.1)",
        )
    };
    if let Some(found) = userinfo::live(cx, token) {
        *own = Id::ap_trans_id(&found.ap_trans_id);
        if found.client_id != client.id {
            return Err(foreign());
        }
        let hash = fingerprint(token);
        cx.timer(AccessToken::key(&hash), None);
        cx.change(Change::ForgetAccessToken(hash));
        return Ok(());
    }
    match refresh::find(cx, token) {
        Found::Unknown => Ok(()),
        Found::Current(_, found) | Found::Used(_, found) if found.client_id != client.id => {
            Err(foreign())
        }
        Found::Current(family, found) | Found::Used(family, found) => {
            *own = Id::ap_trans_id(&found.ap_trans_id);
            refresh::end(cx, &family);
            Ok(())
        }
    }
}

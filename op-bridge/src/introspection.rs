//! Token introspection (RFC 7662), by any registered client: a resource server is registered as one.
//!
//! A refresh token is told of to the client that has it, to nobody else.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::client_auth;
use crate::context::Context;
use crate::event::{EventKind, Id};
use crate::oauth::{OAuthError, json_response};
use crate::record::AccessToken;
use crate::refresh::{self, Found};
use crate::step::RequestId;
use crate::userinfo;

pub(crate) fn handle(cx: &mut Context<'_>, id: RequestId, request: Arc<http::Request<Bytes>>) {
    let mut own = Id::http(id);
    let response = match introspect(cx, &request, &mut own) {
        Ok(body) => json_response(200, &body),
        Err(error) => error.response(),
    };
    let kind = EventKind::TokenService {
        request,
        response: response.clone(),
        clause: "RFC 7662 §2",
    };
    cx.event(own, None, kind);
    cx.reply(id, response);
}

fn introspect(
    cx: &mut Context<'_>,
    request: &http::Request<Bytes>,
    own: &mut Id,
) -> Result<Value, OAuthError> {
    let (client, form) = client_auth::authenticate(cx, request)?;
    let token = form.require("token", "RFC 7662 section 2.1")?;
    if let Some(found) = userinfo::live(cx, token) {
        *own = Id::ap_trans_id(&found.ap_trans_id);
        return Ok(access_token(cx, &found));
    }
    match refresh::find(cx, token) {
        Found::Current(_, found) if found.client_id == client.id => {
            *own = Id::ap_trans_id(&found.ap_trans_id);
            Ok(json!({
                "active": true,
                "iss": cx.op.config.issuer,
                "sub": found.sub,
                "client_id": found.client_id,
                "scope": found.scope,
                "iat": found.issued_at,
                "exp": found.expires_at.as_second(),
            }))
        }
        // Nothing more, so that nobody learns why (§2.2).
        Found::Current(..) | Found::Used(..) | Found::Unknown => Ok(json!({ "active": false })),
    }
}

fn access_token(cx: &Context<'_>, found: &AccessToken) -> Value {
    let mut body = json!({
        "active": true,
        "iss": cx.op.config.issuer,
        "sub": found.sub,
        "aud": found.client_id,
        "client_id": found.client_id,
        "scope": found.scope,
        "token_type": "Bearer",
        "iat": found.issued_at,
        "exp": found.expires_at.as_second(),
        "acr": found.acr,
        "auth_time": found.auth_time,
    });
    if let Some(thumbprint) = &found.thumbprint {
        body["cnf"] = json!({ "x5t#S256": thumbprint });
    }
    body
}

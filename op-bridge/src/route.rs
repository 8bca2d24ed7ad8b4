//! Which handler an input belongs to.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL};
use http::{HeaderValue, Method, Request, Response};

use crate::context::Context;
use crate::oauth::{OAuthError, json_response};
use crate::record::Key;
use crate::registration::Registration;
use crate::step::{RequestId, SendError};
use crate::{
    authorize, deliver, flow, introspection, key_set, metadata, notification, registration, replay,
    revocation, token, userinfo,
};

/// Paths below the issuer.
pub(crate) mod path {
    pub(crate) const DISCOVERY: &str = "/.well-known/openid-configuration";
    pub(crate) const JWKS: &str = "/jwks";
    pub(crate) const BC_AUTHORIZE: &str = "/bc-authorize";
    pub(crate) const TOKEN: &str = "/token";
    pub(crate) const USERINFO: &str = "/userinfo";
    pub(crate) const INTROSPECT: &str = "/introspect";
    pub(crate) const REVOKE: &str = "/revoke";
    pub(crate) const AUTHORIZE: &str = "/authorize";
    /// A client_id may follow after a slash.
    pub(crate) const REGISTER: &str = "/register";
    /// The transaction's notification secret follows.
    pub const NOTIFY: &str = "/mss/notify/";
}

/// Most octets of a request body.
const MAX_BODY: usize = 1024 * 1024;

pub(crate) fn request(cx: &mut Context<'_>, id: RequestId, request: &Arc<Request<Bytes>>) {
    let method = request.method();
    let full_path = request.uri().path();
    let Some(path) = full_path.strip_prefix(cx.op.base_path.as_str()) else {
        return cx.reply(id, not_found());
    };
    let secret = path
        .strip_prefix(path::NOTIFY)
        .filter(|secret| !secret.contains('/'));
    let registered = path
        .strip_prefix(path::REGISTER)
        .and_then(|rest| rest.strip_prefix('/'));
    let may_register = !matches!(cx.op.config.registration, Registration::Off);
    let allowed: &[Method] = match path {
        path::DISCOVERY | path::JWKS => &[Method::GET, Method::HEAD],
        path::USERINFO => &[Method::GET, Method::HEAD, Method::POST],
        path::BC_AUTHORIZE | path::TOKEN | path::INTROSPECT | path::REVOKE => &[Method::POST],
        path::AUTHORIZE => &[Method::GET, Method::HEAD, Method::POST],
        path::REGISTER if may_register => &[Method::POST],
        _ if registered.is_some() && may_register => &[Method::GET, Method::PUT, Method::DELETE],
        _ if secret.is_some() => &[Method::POST],
        _ => return cx.reply(id, not_found()),
    };
    if !allowed.contains(method) {
        return cx.reply(id, method_not_allowed(method, allowed));
    }
    if request.body().len() > MAX_BODY {
        let error = OAuthError::invalid_request("the request body is larger than 1 MB");
        return cx.reply(id, error.with_status(413).response());
    }
    match path {
        path::DISCOVERY => cx.reply(
            id,
            public(json_response(200, &metadata::discovery(cx.op, cx.now))),
        ),
        path::JWKS => cx.reply(
            id,
            public(json_response(200, &metadata::jwks(cx.op, cx.now))),
        ),
        path::BC_AUTHORIZE => authorize::handle(cx, id, request.clone()),
        path::TOKEN => token::handle(cx, id, request.clone()),
        path::USERINFO => userinfo::handle(cx, id, request.clone()),
        path::INTROSPECT => introspection::handle(cx, id, request.clone()),
        path::REVOKE => revocation::handle(cx, id, request.clone()),
        path::AUTHORIZE => cx.reply(id, metadata::authorization_stub()),
        path::REGISTER => registration::handle(cx, id, request.clone()),
        _ if registered.is_some() => {
            let client = registered.unwrap_or_default();
            registration::manage(cx, id, request.clone(), client);
        }
        _ => notification::handle(cx, id, request.body().clone(), secret.unwrap_or_default()),
    }
    key_set::wait(cx, id, request);
}

pub(crate) fn answer(cx: &mut Context<'_>, id: &str, result: Result<Response<Bytes>, SendError>) {
    let mut parts = id.split('/');
    let (kind, key, number) = (parts.next(), parts.next(), parts.next());
    let (Some(key), Some(number)) = (key, number.and_then(|number| number.parse().ok())) else {
        return;
    };
    let key = Key(key.to_owned());
    match kind {
        Some("sign") => flow::signature_answer(cx, &key, number, result),
        Some("status") => flow::status_answer(cx, &key, number, result),
        Some("deliver") => deliver::answer(cx, &key, number, result),
        _ => {}
    }
}

pub(crate) fn timer(cx: &mut Context<'_>, timer: &str) {
    let Some((kind, rest)) = timer.split_once('/') else {
        return;
    };
    match kind {
        "life" => flow::life_timer(cx, &Key(rest.to_owned())),
        "work" => flow::work_timer(cx, &Key(rest.to_owned())),
        "poll" => token::poll_timer(cx, &Key(rest.to_owned())),
        "deliver" => deliver::timer(cx, &Key(rest.to_owned())),
        "jti" => replay::expiry_timer(cx, rest),
        "keys" => key_set::expiry_timer(cx, rest),
        "at" | "rt" => token::expiry_timer(cx, kind, rest),
        _ => {}
    }
}

fn not_found() -> Response<Bytes> {
    let error = OAuthError::new(
        "not_found",
        "nothing here; /.well-known/openid-configuration lists the endpoints",
    );
    error.with_status(404).response()
}

fn method_not_allowed(method: &Method, allowed: &[Method]) -> Response<Bytes> {
    let list = allowed
        .iter()
        .map(Method::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    let error = OAuthError::new(
        "method_not_allowed",
        format!("{method} is not possible here, use {list}"),
    );
    let mut response = error.with_status(405).response();
    if let Ok(list) = HeaderValue::from_str(&list) {
        response.headers_mut().insert(ALLOW, list);
    }
    response
}

/// Discovery and keys may be cached for a while.
fn public(mut response: Response<Bytes>) -> Response<Bytes> {
    response.headers_mut().remove(http::header::PRAGMA);
    response.headers_mut().insert(
        CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=60"),
    );
    response
}

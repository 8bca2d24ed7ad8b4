//! Dynamic client registration (RFC 7591) and its management (RFC 7592), with the metadata of CIBA Core §4.
//!
//! What a client registered is kept as it was checked, in the standards' own names; every use reads it through the same checks
//! that registration makes, so that a changed configuration is felt by clients that are there already.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use subtle::ConstantTimeEq;

use crate::Op;
use crate::client_auth::{AuthMethod, ClientSecret};
use crate::config::Client;
use crate::context::Context;
use crate::event::{EventKind, Id};
use crate::jose::json;
use crate::oauth::{OAuthError, json_response};
use crate::record::load;
use crate::route::path;
use crate::secret::{Secret, fingerprint};
use crate::step::{Change, RequestId, View};

mod metadata;

pub(crate) use metadata::certificates;

/// Most octets of a registration. A jwks with certificates is well below.
const MOST_OCTETS: usize = 64 * 1024;

/// Who may register clients.
#[derive(Clone, Debug, Default)]
pub enum Registration {
    /// Nobody; clients come from the configuration alone.
    Off,
    /// Everybody who can reach the OP.
    #[default]
    Open,
    /// Whoever has this initial access token (RFC 7591 §3).
    Token(Secret),
}

/// Who says what a client is registered with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source {
    /// The operator of the OP, who may use plain HTTP anywhere.
    File,
    /// Somebody who registers.
    Request,
}

/// Why metadata of a client cannot be registered (RFC 7591 §3.2.2).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{member} {why}")]
pub struct Invalid {
    /// Which member.
    pub member: &'static str,
    /// What is wrong with it and what would be right.
    pub why: String,
}

/// A client that registered itself.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RegisteredClient {
    /// Its metadata as registered, in the names of RFC 7591 and CIBA Core §4.
    metadata: Map<String, Value>,
    /// The client_secret, where it is needed for MACs.
    secret: Option<String>,
    /// SHA-256 of the client_secret.
    secret_hash: Option<String>,
    /// SHA-256 of the registration_access_token.
    access_token_hash: String,
    /// client_id_issued_at.
    issued_at: i64,
}

impl RegisteredClient {
    pub(crate) fn key(id: &str) -> String {
        format!("client/{id}")
    }

    fn secret(&self) -> Option<ClientSecret> {
        match (&self.secret, &self.secret_hash) {
            (Some(secret), _) => Some(ClientSecret::new(secret.clone())),
            (None, Some(hash)) => Some(ClientSecret::Hashed(hash.clone())),
            (None, None) => None,
        }
    }
}

impl Client {
    /// A client from the metadata of RFC 7591 §2, OpenID Connect Registration §2, RFC 8705 §2 and CIBA Core §4: the one way from
    /// a file or a request to a client.
    ///
    /// # Errors
    /// [`Invalid`], naming the member.
    pub fn from_metadata(
        config: &crate::Config,
        id: &str,
        secret: Option<ClientSecret>,
        members: &Map<String, Value>,
        source: Source,
    ) -> Result<Self, Invalid> {
        metadata::client(config, id, secret, members, source)
    }
}

/// The client of this id, if it registered itself.
pub(crate) fn find(op: &Op, view: &dyn View, id: &str) -> Option<Client> {
    // An id of ours; anything else need not be looked for.
    if id.len() != 43 || matches!(op.config.registration, Registration::Off) {
        return None;
    }
    let record: RegisteredClient = load(view, &RegisteredClient::key(id))?;
    metadata::client(
        &op.config,
        id,
        record.secret(),
        &record.metadata,
        Source::Request,
    )
    .ok()
}

/// `POST /register`.
pub(crate) fn handle(cx: &mut Context<'_>, id: RequestId, request: Arc<Request<Bytes>>) {
    let outcome = register(cx, &request);
    answer(cx, id, request, outcome, StatusCode::CREATED);
}

/// GET, PUT and DELETE of `/register/{client_id}` (RFC 7592 §2).
pub(crate) fn manage(
    cx: &mut Context<'_>,
    id: RequestId,
    request: Arc<Request<Bytes>>,
    client: &str,
) {
    let outcome = authorized(cx, &request, client).and_then(|record| match *request.method() {
        Method::DELETE => {
            cx.change(Change::ForgetClient(client.to_owned()));
            Ok(None)
        }
        Method::PUT => replace(cx, &request, client, record).map(Some),
        _ => Ok(Some(told(cx.op, client, &record, bearer(&request), None))),
    });
    answer(cx, id, request, outcome, StatusCode::OK);
}

fn answer(
    cx: &mut Context<'_>,
    id: RequestId,
    request: Arc<Request<Bytes>>,
    outcome: Result<Option<Value>, OAuthError>,
    good: StatusCode,
) {
    let response = match outcome {
        Ok(Some(body)) => json_response(good.as_u16(), &body),
        Ok(None) => {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::NO_CONTENT;
            let no_store = HeaderValue::from_static("no-store");
            response.headers_mut().insert(CACHE_CONTROL, no_store);
            response
        }
        Err(error) => error.response(),
    };
    let kind = EventKind::TokenService {
        request,
        response: response.clone(),
        clause: "RFC 7591 §3, RFC 7592 §2",
    };
    cx.event(Id::http(id), None, kind);
    cx.reply(id, response);
}

fn register(cx: &mut Context<'_>, request: &Request<Bytes>) -> Result<Option<Value>, OAuthError> {
    if let Registration::Token(expected) = &cx.op.config.registration
        && !bearer(request).is_some_and(|token| expected.matches(token))
    {
        return Err(invalid_token(
            "registration needs the initial access token: Authorization: Bearer (RFC 7591 section 3)",
        ));
    }
    let members = body(request)?;
    let client_id = cx.token();
    let access_token = cx.token();
    let (record, secret) = checked(cx, &client_id, members, None, fingerprint(&access_token))?;
    let body = told(
        cx.op,
        &client_id,
        &record,
        Some(&access_token),
        secret.as_deref(),
    );
    cx.change(Change::Client(client_id, Box::new(record)));
    Ok(Some(body))
}

fn replace(
    cx: &mut Context<'_>,
    request: &Request<Bytes>,
    client_id: &str,
    old: RegisteredClient,
) -> Result<Value, OAuthError> {
    let mut members = body(request)?;
    for member in [
        "registration_access_token",
        "registration_client_uri",
        "client_secret_expires_at",
        "client_id_issued_at",
    ] {
        if members.contains_key(member) {
            return Err(OAuthError::invalid_request(format!(
                "{member} must not be in an update (RFC 7592 section 2.2)"
            )));
        }
    }
    if members.remove("client_id").as_ref().and_then(Value::as_str) != Some(client_id) {
        return Err(OAuthError::invalid_request(
            "client_id must be that of the client (RFC 7592 section 2.2)",
        ));
    }
    if let Some(secret) = members.remove("client_secret") {
        let ours = old.secret();
        let same = secret
            .as_str()
            .zip(ours)
            .is_some_and(|(given, ours)| ours.matches(given));
        if !same {
            return Err(OAuthError::invalid_request(
                "client_secret must be the one that was issued (RFC 7592 section 2.2)",
            ));
        }
    }
    let hash = old.access_token_hash.clone();
    let (record, secret) = checked(cx, client_id, members, Some(&old), hash)?;
    let token = bearer(request);
    let body = told(cx.op, client_id, &record, token, secret.as_deref());
    cx.change(Change::Client(client_id.to_owned(), Box::new(record)));
    Ok(body)
}

/// A record for these metadata, and the secret if a new one was made.
fn checked(
    cx: &mut Context<'_>,
    id: &str,
    members: Map<String, Value>,
    old: Option<&RegisteredClient>,
    access_token_hash: String,
) -> Result<(RegisteredClient, Option<String>), OAuthError> {
    let op = cx.op;
    let method = members
        .get("token_endpoint_auth_method")
        .and_then(Value::as_str)
        .map_or_else(|| Some(AuthMethod::default()), AuthMethod::named);
    let needs_secret = method.is_some_and(AuthMethod::uses_secret);
    let for_macs = method == Some(AuthMethod::ClientSecretJwt);
    // A secret goes on where it can; one that is kept as a hash cannot make MACs.
    let kept = old
        .filter(|old| needs_secret && old.secret_hash.is_some())
        .filter(|old| !for_macs || old.secret.is_some());
    let fresh = (needs_secret && kept.is_none()).then(|| cx.token());
    let (secret, secret_hash) = match (kept, &fresh) {
        (Some(kept), _) => (
            kept.secret.clone().filter(|_| for_macs),
            kept.secret_hash.clone(),
        ),
        (None, Some(secret)) => (for_macs.then(|| secret.clone()), Some(fingerprint(secret))),
        (None, None) => (None, None),
    };
    let mut record = RegisteredClient {
        metadata: members,
        secret,
        secret_hash,
        access_token_hash,
        issued_at: old.map_or(cx.now.as_second(), |old| old.issued_at),
    };
    let client = metadata::client(
        &op.config,
        id,
        record.secret(),
        &record.metadata,
        Source::Request,
    )
    .map_err(refused)?;
    client
        .check(&op.config)
        .map_err(|why| OAuthError::new("invalid_client_metadata", why.to_string()))?;
    record.metadata = metadata::registered(&client, &record.metadata);
    Ok((record, fresh))
}

/// RFC 7591 §3.2.1.
fn told(
    op: &Op,
    id: &str,
    record: &RegisteredClient,
    access_token: Option<&str>,
    secret: Option<&str>,
) -> Value {
    let mut body = Value::Object(record.metadata.clone());
    body["client_id"] = json!(id);
    body["client_id_issued_at"] = json!(record.issued_at);
    // Of an older secret only the hash is known, unless it makes MACs.
    if let Some(secret) = secret.or(record.secret.as_deref()) {
        body["client_secret"] = json!(secret);
        body["client_secret_expires_at"] = json!(0);
    }
    // RFC 7592 §3. Only the hash of the token is kept; a later answer gives back the one that the request was authorized with.
    if let Some(token) = access_token {
        body["registration_access_token"] = json!(token);
        body["registration_client_uri"] =
            json!(format!("{}{}/{id}", op.config.issuer, path::REGISTER));
    }
    body
}

fn authorized(
    cx: &Context<'_>,
    request: &Request<Bytes>,
    id: &str,
) -> Result<RegisteredClient, OAuthError> {
    let unknown = || {
        invalid_token(
            "the registration_access_token is not that of this client (RFC 7592 section 2)",
        )
    };
    let token = bearer(request).ok_or_else(unknown)?;
    let record: RegisteredClient = load(cx.view, &RegisteredClient::key(id)).ok_or_else(unknown)?;
    let hash = fingerprint(token);
    if bool::from(hash.as_bytes().ct_eq(record.access_token_hash.as_bytes())) {
        Ok(record)
    } else {
        Err(unknown())
    }
}

fn body(request: &Request<Bytes>) -> Result<Map<String, Value>, OAuthError> {
    let invalid = |why: String| OAuthError::new("invalid_client_metadata", why);
    let is_json = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"));
    if !is_json {
        return Err(invalid(
            "Content-Type must be application/json (RFC 7591 section 3.1)".into(),
        ));
    }
    if request.body().len() > MOST_OCTETS {
        return Err(invalid(format!(
            "the body has {} octets, at most {MOST_OCTETS} are read",
            request.body().len()
        )));
    }
    let mut members =
        json::object(request.body()).map_err(|why| invalid(format!("the body {why}")))?;
    // RFC 7592 §2.2: null is the same as nothing.
    members.retain(|_, value| !value.is_null());
    Ok(members)
}

fn bearer(request: &Request<Bytes>) -> Option<&str> {
    let mut values = request.headers().get_all(AUTHORIZATION).iter();
    let (Some(header), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn invalid_token(description: &str) -> OAuthError {
    OAuthError {
        status: 401,
        challenge: Some("Bearer realm=\"midsim\", error=\"invalid_token\"".to_owned()),
        ..OAuthError::new("invalid_token", description)
    }
}

fn refused(invalid: Invalid) -> OAuthError {
    let code = match invalid.member {
        "redirect_uris" => "invalid_redirect_uri",
        _ => "invalid_client_metadata",
    };
    OAuthError::new(code, invalid.to_string())
}

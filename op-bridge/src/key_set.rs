//! The keys of a client or of a discovery service: known from the start, or kept by their owner at a `jwks_uri` (RFC 7591 §2,
//! OpenID Connect Discovery §3).
//!
//! A set is fetched when it is first needed, kept for [`LIFETIME`], and fetched again when something is by none of its keys: the
//! owner may have another one by now, under a name of its own or of the one before. But that is never done more often than every
//! [`PAUSE`], so that nobody can make the OP call somebody's server at will. The request that needs the keys waits outside of the
//! step ([`Output::Fetch`](crate::Output::Fetch)) and is handled anew.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::Client;
use crate::context::Context;
use crate::event::{EventKind, Id};
use crate::hint::HintIssuer;
use crate::jose::jwk::JwkSet;
use crate::jose::jws::{Jws, JwsAlg, Keys};
use crate::jose::{JoseError, json};
use crate::record::load;
use crate::registration::certificates;
use crate::route;
use crate::secret::fingerprint;
use crate::step::{Change, Output, RequestId, SendError};

/// How long a set is used, seconds.
const LIFETIME: u32 = 600;
/// Least time between two attempts to fetch one set, seconds.
const PAUSE: i64 = 30;
/// Most octets of a set. One with certificates is well below.
const MOST_OCTETS: usize = 64 * 1024;

/// What was found at a `jwks_uri`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct FetchedKeys {
    /// The JWK Set as it came, and when. A failed attempt leaves the last good one.
    set: Option<(Value, Timestamp)>,
    /// The last attempt.
    asked_at: Timestamp,
}

impl FetchedKeys {
    pub(crate) fn key(hash: &str) -> String {
        format!("keys/{hash}")
    }
}

/// What signatures and certificates of a client are compared with.
pub(crate) struct ClientKeys<'a> {
    pub(crate) jwks: Cow<'a, JwkSet>,
    /// The first certificate of each `x5c`.
    pub(crate) certificates: Cow<'a, [Bytes]>,
    /// Where others may be by now, if it is time to look.
    elsewhere: Option<&'a str>,
}

impl ClientKeys<'_> {
    /// Verifies what stands in the request. If none of these keys has signed it and others may be had, they are asked for first:
    /// the step is then given up, and taken again with what was found.
    pub(crate) fn verify(
        &self,
        cx: &mut Context<'_>,
        signed: &Jws<'_>,
        allowed: &[JwsAlg],
    ) -> Result<JwsAlg, JoseError> {
        let verdict = signed.verify(allowed, Keys::Public(&self.jwks));
        if let Err(JoseError::NoKey { .. } | JoseError::Signature) = verdict {
            self.are_not_enough(cx);
        }
        verdict
    }

    /// The same for something that is not signed.
    pub(crate) fn are_not_enough(&self, cx: &mut Context<'_>) {
        if let Some(url) = self.elsewhere {
            cx.fetch = Some(url.to_owned());
        }
    }
}

/// The keys behind `jwks_uri` cannot be had. Why is for the trace: whoever asks could learn about our network from it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "the keys at the jwks_uri cannot be had; they are fetched again {PAUSE} s after the last attempt"
)]
pub(crate) struct Unavailable;

/// The keys of the client that sent the request. If there are none yet and they may be had from its `jwks_uri`, this is asked
/// first: the step is then given up, and taken again with what was found.
pub(crate) fn of<'a>(
    cx: &mut Context<'_>,
    client: &'a Client,
) -> Result<ClientKeys<'a>, Unavailable> {
    let registered = &client.authentication;
    let known = ClientKeys {
        jwks: Cow::Borrowed(&registered.jwks),
        certificates: Cow::Borrowed(&registered.certificates),
        elsewhere: None,
    };
    known_or_fetched(cx, known, client.jwks_uri())
}

/// The same for a discovery service whose token is in the request.
pub(crate) fn of_issuer<'a>(
    cx: &mut Context<'_>,
    issuer: &'a HintIssuer,
) -> Result<ClientKeys<'a>, Unavailable> {
    let known = ClientKeys {
        jwks: Cow::Borrowed(&issuer.jwks),
        certificates: Cow::Borrowed(&[]),
        elsewhere: None,
    };
    known_or_fetched(cx, known, issuer.jwks_uri.as_deref())
}

fn known_or_fetched<'a>(
    cx: &mut Context<'_>,
    known: ClientKeys<'a>,
    url: Option<&'a str>,
) -> Result<ClientKeys<'a>, Unavailable> {
    let Some(url) = url.filter(|_| known.jwks.0.is_empty()) else {
        return Ok(known);
    };
    let hash = fingerprint(url);
    let known = match &cx.fetched {
        Some((of, fetched)) if *of == hash => Some(fetched.clone()),
        _ => load::<FetchedKeys>(cx.view, &FetchedKeys::key(&hash)),
    };
    let rested = known
        .as_ref()
        .is_none_or(|known| seconds_since(cx, known.asked_at) >= PAUSE);
    let elsewhere = rested.then_some(url);
    let keys = known
        .and_then(|known| known.set)
        .filter(|(_, at)| seconds_since(cx, *at) < i64::from(LIFETIME))
        .and_then(|(set, _)| read(&set).ok());
    if let Some(keys) = keys {
        return Ok(ClientKeys { elsewhere, ..keys });
    }
    if let Some(url) = elsewhere {
        cx.fetch = Some(url.to_owned());
    }
    Err(Unavailable)
}

/// What the `jwks_uri` brought; the request that waits for it goes on.
pub(crate) fn fetched(
    cx: &mut Context<'_>,
    id: RequestId,
    request: Option<Arc<Request<Bytes>>>,
    url: String,
    result: Result<http::Response<Bytes>, SendError>,
) {
    let hash = fingerprint(&url);
    let found = result
        .map_err(|error| error.to_string())
        .and_then(|response| examine(&response));
    let outcome = found
        .as_ref()
        .map(|(_, count)| *count)
        .map_err(String::clone);
    let last = load::<FetchedKeys>(cx.view, &FetchedKeys::key(&hash));
    let set = match found {
        Ok((set, _)) => Some((set, cx.now)),
        Err(_) => last.and_then(|last| last.set),
    };
    let fetched = FetchedKeys {
        set,
        asked_at: cx.now,
    };
    let until = cx.after(LIFETIME);
    cx.timer(FetchedKeys::key(&hash), Some(until));
    cx.change(Change::Keys(hash.clone(), Box::new(fetched.clone())));
    cx.event(Id::http(id), None, EventKind::Keys { url, outcome });
    cx.fetched = Some((hash, fetched));
    if let Some(request) = request {
        // What was found stays, even if the request has to wait for something else.
        let found = std::mem::take(&mut cx.step);
        route::request(cx, id, &request);
        let handled = std::mem::replace(&mut cx.step, found);
        cx.step.changes.extend(handled.changes);
        cx.step.outputs.extend(handled.outputs);
        cx.step.events.extend(handled.events);
    }
}

/// A request that waits for keys is told to wait outside.
pub(crate) fn wait(cx: &mut Context<'_>, to: RequestId, request: &Arc<Request<Bytes>>) {
    if let Some(url) = cx.fetch.take() {
        // Nothing of what was begun counts.
        cx.step = crate::Step::default();
        let request = Arc::clone(request);
        cx.step.outputs.push(Output::Fetch { to, url, request });
    }
}

/// Nobody has needed the set for long.
pub(crate) fn expiry_timer(cx: &mut Context<'_>, hash: &str) {
    let known = load::<FetchedKeys>(cx.view, &FetchedKeys::key(hash));
    if known.is_some_and(|known| seconds_since(cx, known.asked_at) >= i64::from(LIFETIME)) {
        cx.change(Change::ForgetKeys(hash.to_owned()));
    }
}

fn seconds_since(cx: &Context<'_>, at: Timestamp) -> i64 {
    cx.now.duration_since(at).as_secs()
}

/// The set in an answer, and how many keys of use it has.
fn examine(response: &http::Response<Bytes>) -> Result<(Value, usize), String> {
    if response.status() != StatusCode::OK {
        return Err(format!("status {}", response.status()));
    }
    let body = response.body();
    if body.len() > MOST_OCTETS {
        return Err(format!(
            "it has {} octets, at most {MOST_OCTETS} are read",
            body.len()
        ));
    }
    let set = json::object(body).map_err(|why| format!("it {why}"))?;
    let set = Value::Object(set);
    match read(&set)?.jwks.0.len() {
        0 => Err("it has no P-256 or RSA key".to_owned()),
        count => Ok((set, count)),
    }
}

fn read(set: &Value) -> Result<ClientKeys<'static>, String> {
    let jwks = JwkSet::parse(set).map_err(|why| format!("it cannot be used: {why}"))?;
    let certificates = certificates(set).map_err(|why| why.to_string())?;
    Ok(ClientKeys {
        jwks: Cow::Owned(jwks),
        certificates: Cow::Owned(certificates),
        elsewhere: None,
    })
}

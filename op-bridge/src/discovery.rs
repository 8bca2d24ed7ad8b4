//! A MODRNA discovery service: it turns a phone number into a login_hint_token that only the OP can read, so that an RP can ask
//! for the authentication of a user whose number it never learns (MODRNA CIBA profile §4 and §6).
//!
//! It is a party of its own: own name, own key, no knowledge of the OP but its public keys, and no memory. The interface is
//! midsim's own, as the seed profile leaves it open; the token is that of the MODRNA Authentication profile 1.0.
//!
//! ```text
//!  user ── number ──►  discovery service ── login_hint_token ──►  RP ── bc-authorize ──►  OP
//! ```

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use jiff::Timestamp;
use rand_core::Rng;
use serde_json::{Value, json};

use crate::forms::{Form, percent_encode};
use crate::hint::{HintIssuer, Msisdn};
use crate::jose::jwe::content::ContentEncryption;
use crate::jose::jwe::{self, KeyManagement};
use crate::jose::jwk::{Jwk, JwkSet, PublicKey};
use crate::jose::{self, Signer};
use crate::loopback::is_loopback;
use crate::oauth::{OAuthError, json_response};

mod page;

/// Paths below the service's own URL.
mod path {
    pub(super) const PAGE: &str = "/";
    pub(super) const DISCOVER: &str = "/discover";
    pub(super) const METADATA: &str = "/.well-known/openid-configuration";
    pub(super) const JWKS: &str = "/jwks";
}

/// A discovery service.
pub struct Discovery {
    /// Its own URL, `iss` of its tokens; without a final slash.
    pub issuer: String,
    /// The OP that its tokens are for, `aud`.
    pub op: String,
    /// Keys of that OP that tokens can be encrypted for.
    pub op_keys: JwkSet,
    /// Signs its tokens.
    pub signer: Arc<dyn Signer>,
}

/// The answer to a request whose body nobody reads to its end.
pub fn too_large() -> Response<Bytes> {
    OAuthError::invalid_request("the request body is larger than 1 MB")
        .with_status(413)
        .response()
}

/// What a token is to be.
struct Wish {
    format: Format,
    alg: KeyManagement,
    enc: ContentEncryption,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Format {
    Nested,
    Encrypted,
    Signed,
}

impl Discovery {
    /// Answers a request.
    pub fn answer(
        &self,
        request: &Request<Bytes>,
        now: Timestamp,
        rng: &mut dyn Rng,
    ) -> Response<Bytes> {
        let allowed: &[Method] = match request.uri().path() {
            path::PAGE | path::METADATA | path::JWKS => &[Method::GET, Method::HEAD],
            path::DISCOVER => &[Method::POST],
            _ => {
                let error = OAuthError::new(
                    "not_found",
                    "nothing here; GET / is a page, POST /discover an API",
                );
                return error.with_status(404).response();
            }
        };
        if !allowed.contains(request.method()) {
            return not_allowed(allowed);
        }
        match request.uri().path() {
            path::PAGE => page::ask(request.uri().query().unwrap_or_default()),
            path::METADATA => json_response(200, &self.metadata()),
            path::JWKS => json_response(200, &json!({ "keys": [jose::jwk(self.signer.as_ref())] })),
            _ => self.discover(request, now, rng).unwrap_or_else(|error| {
                if wants_page(request.headers()) {
                    page::refusal(&error)
                } else {
                    error.response()
                }
            }),
        }
    }

    /// A token for this number, as the OP likes it best.
    ///
    /// # Errors
    /// What is wrong with the OP's keys.
    pub fn token(
        &self,
        msisdn: &Msisdn,
        now: Timestamp,
        rng: &mut dyn Rng,
    ) -> Result<String, jose::JoseError> {
        let wish = Wish {
            format: Format::Nested,
            alg: KeyManagement::EcdhEs,
            enc: ContentEncryption::A128Gcm,
        };
        self.make(msisdn, &wish, now, rng)
    }

    /// What an OP that trusts it is told.
    pub fn as_hint_issuer(&self) -> HintIssuer {
        let key = Jwk::parse(&jose::jwk(self.signer.as_ref()));
        HintIssuer {
            issuer: self.issuer.clone(),
            jwks: JwkSet(key.into_iter().collect()),
            jwks_uri: None,
        }
    }

    fn metadata(&self) -> Value {
        json!({
            "issuer": self.issuer,
            "jwks_uri": format!("{}{}", self.issuer, path::JWKS),
        })
    }

    fn discover(
        &self,
        request: &Request<Bytes>,
        now: Timestamp,
        rng: &mut dyn Rng,
    ) -> Result<Response<Bytes>, OAuthError> {
        let form = Form::parse(request.headers(), request.body())?;
        let msisdn: Msisdn = form
            .require("msisdn", "the discovery service")?
            .parse()
            .map_err(|_| {
                OAuthError::invalid_request(
                    "msisdn is no phone number in international format, such as +447700900001",
                )
            })?;
        let token = self
            .make(&msisdn, &wish(&form)?, now, rng)
            .map_err(|why| OAuthError::invalid_request(why.to_string()))?;
        if let Some(target) = form.get("redirect_uri") {
            return redirect(target, &token, form.get("state"));
        }
        if wants_page(request.headers()) {
            return Ok(page::token(&token));
        }
        Ok(json_response(
            200,
            &json!({ "login_hint_token": token, "iss": self.issuer, "aud": self.op }),
        ))
    }

    fn make(
        &self,
        msisdn: &Msisdn,
        wish: &Wish,
        now: Timestamp,
        rng: &mut dyn Rng,
    ) -> Result<String, jose::JoseError> {
        let claims = json!({
            "iss": self.issuer,
            "aud": self.op,
            "iat": now.as_second(),
            "MSISDN": msisdn.to_string(),
        });
        if wish.format == Format::Signed {
            return Ok(jose::sign(
                self.signer.as_ref(),
                claims.to_string().as_bytes(),
            ));
        }
        let fits = |key: &&Jwk| {
            matches!(key.key, PublicKey::Rsa { .. }) == (wish.alg == KeyManagement::RsaOaep256)
        };
        let to = self
            .op_keys
            .0
            .iter()
            .find(fits)
            .ok_or(jose::JoseError::NoKey {
                alg: wish.alg.as_str(),
                kid: None,
            })?;
        let (content, cty) = if wish.format == Format::Nested {
            (
                jose::sign(self.signer.as_ref(), claims.to_string().as_bytes()),
                Some("JWT"),
            )
        } else {
            (claims.to_string(), None)
        };
        jwe::encrypt(content.as_bytes(), to, wish.alg, wish.enc, cty, rng)
    }
}

fn wish(form: &Form) -> Result<Wish, OAuthError> {
    let format = match form.get("format") {
        None | Some("nested") => Format::Nested,
        Some("jwe") => Format::Encrypted,
        Some("jws") => Format::Signed,
        Some(_) => {
            return Err(OAuthError::invalid_request(
                "format must be nested (a signed token, encrypted), jwe or jws",
            ));
        }
    };
    let alg = match form.get("alg") {
        None => KeyManagement::EcdhEs,
        Some(name) => KeyManagement::named(name).ok_or_else(|| {
            OAuthError::invalid_request(
                "alg must be RSA-OAEP-256, ECDH-ES, ECDH-ES+A128KW or ECDH-ES+A256KW (RFC 7518 section 4)",
            )
        })?,
    };
    let enc = match form.get("enc") {
        None => ContentEncryption::A128Gcm,
        Some(name) => ContentEncryption::named(name).ok_or_else(|| {
            OAuthError::invalid_request(
                "enc must be A128GCM, A256GCM, A128CBC-HS256 or A256CBC-HS512 (RFC 7518 section 5)",
            )
        })?,
    };
    Ok(Wish { format, alg, enc })
}

/// Sends the user back to the RP, which is on this machine: a service that redirects anywhere would lend its name to others.
fn redirect(target: &str, token: &str, state: Option<&str>) -> Result<Response<Bytes>, OAuthError> {
    let refused = || {
        OAuthError::invalid_request(
            "redirect_uri must be an http or https URL on loopback, without fragment",
        )
    };
    let uri: Uri = target.parse().map_err(|_| refused())?;
    let web = matches!(uri.scheme_str(), Some("http" | "https"));
    let local = uri.host().is_some_and(is_loopback);
    if !web || !local || target.contains('#') {
        return Err(refused());
    }
    let mark = if uri.query().is_some() { '&' } else { '?' };
    let mut location = format!("{target}{mark}login_hint_token={token}");
    if let Some(state) = state {
        location.push_str("&state=");
        location.push_str(&percent_encode(state));
    }
    let location = HeaderValue::from_str(&location).map_err(|_| refused())?;
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    headers.insert(LOCATION, location);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn wants_page(headers: &HeaderMap) -> bool {
    headers
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

fn not_allowed(allowed: &[Method]) -> Response<Bytes> {
    let list: Vec<&str> = allowed.iter().map(Method::as_str).collect();
    let list = list.join(", ");
    let error = OAuthError::new("method_not_allowed", format!("use {list}"));
    let mut response = error.with_status(405).response();
    if let Ok(list) = HeaderValue::from_str(&list) {
        response.headers_mut().insert(ALLOW, list);
    }
    response
}

/// An HTML answer that no cache keeps and that loads nothing.
fn html(status: StatusCode, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
        ),
    );
    response
}

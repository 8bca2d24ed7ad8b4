//! Who is calling: every way of authenticating that a client can be registered for (RFC 6749 §2.3, RFC 7523 §2.2, OpenID
//! Connect Core §9, RFC 8705 §2).
//!
//! A client authenticates in the one way it is registered for, at every endpoint. A refusal is 401 invalid_client; it carries
//! a challenge unless the client tried something that no challenge asks for (RFC 6749 §5.2).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::config::Client;
use crate::context::Context;
use crate::forms::{Form, percent_decode};
use crate::jose::jwk::JwkSet;
use crate::jose::jws::JwsAlg;
use crate::oauth::OAuthError;
use crate::secret::{Secret, fingerprint};

mod assertion;
mod certificate;
pub(crate) mod x509;

pub(crate) use assertion::audiences;
pub use certificate::CertificateName;

/// token_endpoint_auth_method, for all endpoints.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// Authorization: Basic (RFC 6749 §2.3.1).
    #[default]
    ClientSecretBasic,
    /// client_id and client_secret in the form (RFC 6749 §2.3.1).
    ClientSecretPost,
    /// An assertion with a MAC under the secret (OpenID Connect Core §9).
    ClientSecretJwt,
    /// A signed assertion (OpenID Connect Core §9).
    PrivateKeyJwt,
    /// A certificate of a known authority (RFC 8705 §2.1).
    TlsClientAuth,
    /// A certificate that is registered itself (RFC 8705 §2.2).
    SelfSignedTlsClientAuth,
}

impl AuthMethod {
    /// Every method.
    pub const ALL: [Self; 6] = [
        Self::ClientSecretBasic,
        Self::ClientSecretPost,
        Self::ClientSecretJwt,
        Self::PrivateKeyJwt,
        Self::TlsClientAuth,
        Self::SelfSignedTlsClientAuth,
    ];

    /// The registered value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretJwt => "client_secret_jwt",
            Self::ClientSecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::SelfSignedTlsClientAuth => "self_signed_tls_client_auth",
            Self::TlsClientAuth => "tls_client_auth",
        }
    }

    /// The method of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name)
    }

    /// Whether it needs a secret.
    pub fn uses_secret(self) -> bool {
        matches!(
            self,
            Self::ClientSecretBasic | Self::ClientSecretJwt | Self::ClientSecretPost
        )
    }

    fn how(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => {
                "send Authorization: Basic with base64 of client_id:client_secret, each form-encoded first (RFC 6749 section 2.3.1)"
            }
            Self::ClientSecretPost => {
                "send client_id and client_secret in the form (RFC 6749 section 2.3.1)"
            }
            Self::ClientSecretJwt | Self::PrivateKeyJwt => {
                "send client_assertion_type and a client_assertion with iss, sub, aud, exp and jti (RFC 7523 section 3)"
            }
            Self::SelfSignedTlsClientAuth | Self::TlsClientAuth => {
                "send client_id over mutual TLS, to an endpoint of mtls_endpoint_aliases (RFC 8705 section 2)"
            }
        }
    }
}

/// A client_secret. Of one that we made up ourselves only the SHA-256 is kept, unless it is needed for MACs.
#[derive(Clone, Debug)]
pub enum ClientSecret {
    /// The secret itself.
    Clear(Secret),
    /// Its SHA-256, lower-case hexadecimal.
    Hashed(String),
}

impl ClientSecret {
    /// A secret of which everything is known.
    pub fn new(secret: impl Into<String>) -> Self {
        Self::Clear(Secret::new(secret))
    }

    /// Whether `guess` is the secret, in constant time.
    pub fn matches(&self, guess: &str) -> bool {
        match self {
            Self::Clear(secret) => secret.matches(guess),
            Self::Hashed(hash) => fingerprint(guess).as_bytes().ct_eq(hash.as_bytes()).into(),
        }
    }

    /// The secret itself, where it is known.
    pub(crate) fn clear(&self) -> Option<&str> {
        match self {
            Self::Clear(secret) => Some(secret.expose()),
            Self::Hashed(_) => None,
        }
    }
}

/// How a client is registered to authenticate.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Authentication {
    /// `token_endpoint_auth_method`.
    pub method: AuthMethod,
    /// `token_endpoint_auth_signing_alg`; any that the OP allows without.
    pub signing_alg: Option<JwsAlg>,
    /// `jwks`: verify its assertions and requests.
    pub jwks: JwkSet,
    /// Certificates of `x5c` members of `jwks`, DER.
    pub certificates: Vec<Bytes>,
    /// `tls_client_auth_…`: what its certificate must say.
    pub certificate: Option<CertificateName>,
}

/// What the OP allows.
#[derive(Clone, Debug)]
pub struct AuthenticationRules {
    /// Methods that clients can be registered for.
    pub methods: Vec<AuthMethod>,
    /// Algorithms of assertions.
    pub algorithms: Vec<JwsAlg>,
    /// Longest time that an assertion may be valid from now, seconds. Its jti is remembered as long.
    pub lifetime: u32,
}

impl Default for AuthenticationRules {
    fn default() -> Self {
        Self {
            methods: AuthMethod::ALL.into(),
            algorithms: vec![JwsAlg::Es256, JwsAlg::Ps256, JwsAlg::Hs256],
            lifetime: 3600,
        }
    }
}

/// The client that sent this request, and the form it sent.
///
/// # Errors
/// invalid_client; invalid_request for a body that is no form, or for more than one authentication.
pub(crate) fn authenticate(
    cx: &mut Context<'_>,
    request: &Request<Bytes>,
) -> Result<(Arc<Client>, Form), OAuthError> {
    let basic = basic(request.headers())?;
    if let Some((id, secret)) = basic {
        let client = cx
            .client(&id)
            .filter(|client| {
                client
                    .secret
                    .as_ref()
                    .is_some_and(|ours| ours.matches(&secret))
            })
            .ok_or_else(|| {
                OAuthError::invalid_client("unknown client_id or wrong client_secret")
            })?;
        registered_for(&client, AuthMethod::ClientSecretBasic)?;
        let form = Form::parse(request.headers(), request.body())?;
        let others = ["client_secret", "client_assertion", "client_assertion_type"];
        if others.iter().any(|name| form.get(name).is_some()) {
            return Err(OAuthError::invalid_request(
                "more than one client authentication (RFC 6749 section 2.3); keep the Authorization header",
            ));
        }
        if form.get("client_id").is_some_and(|named| named != id) {
            return Err(OAuthError::invalid_request(
                "client_id is not the client of the Authorization header",
            ));
        }
        return Ok((client, form));
    }
    let form = Form::parse(request.headers(), request.body())?;
    let assertion = form.get("client_assertion");
    if assertion.is_some() && form.get("client_secret").is_some() {
        return Err(OAuthError::invalid_request(
            "more than one client authentication (RFC 6749 section 2.3): client_secret and client_assertion",
        ));
    }
    if assertion.is_some() || form.get("client_assertion_type").is_some() {
        let client = assertion::authenticate(cx, &form)?;
        return Ok((client, form));
    }
    let Some(id) = form.get("client_id") else {
        let mut error = OAuthError::invalid_client(format!(
            "no client authentication; this OP takes {}: for the first, {}",
            names(&cx.op.config.authentication.methods),
            cx.op
                .config
                .authentication
                .methods
                .first()
                .map_or("", |method| method.how())
        ));
        error.challenge = Some(crate::oauth::BASIC_CHALLENGE.to_owned());
        return Err(error);
    };
    let client = cx.client(id);
    let client = if let Some(secret) = form.get("client_secret") {
        let client = client
            .filter(|client| {
                client
                    .secret
                    .as_ref()
                    .is_some_and(|ours| ours.matches(secret))
            })
            .ok_or_else(|| refused("unknown client_id or wrong client_secret"))?;
        registered_for(&client, AuthMethod::ClientSecretPost)?;
        client
    } else {
        let client = client.ok_or_else(|| refused("no client has this client_id"))?;
        certificate::authenticate(cx, &client, request)?;
        client
    };
    Ok((client, form))
}

/// Refuses a client that authenticates in another way than it is registered for.
fn registered_for(client: &Client, method: AuthMethod) -> Result<(), OAuthError> {
    let registered = client.authentication.method;
    if registered == method {
        return Ok(());
    }
    let why = format!(
        "the client is registered for {} and used {}; {}",
        registered.as_str(),
        method.as_str(),
        registered.how()
    );
    Err(if method == AuthMethod::ClientSecretBasic {
        OAuthError::invalid_client(why)
    } else {
        refused(why)
    })
}

/// invalid_client for a client that did not use the Authorization header.
fn refused(description: impl Into<String>) -> OAuthError {
    OAuthError {
        challenge: None,
        ..OAuthError::invalid_client(description)
    }
}

fn names(methods: &[AuthMethod]) -> String {
    let names: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
    names.join(", ")
}

/// Id and secret of an Authorization header, if there is one.
fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, OAuthError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let header = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(header), None) => header,
        (Some(_), Some(_)) => {
            return Err(OAuthError::invalid_client(
                "more than one Authorization header",
            ));
        }
    };
    let pair = header.to_str().ok().and_then(credentials);
    pair.map(Some).ok_or_else(|| {
        OAuthError::invalid_client(format!(
            "the Authorization header cannot be read; {}",
            AuthMethod::ClientSecretBasic.how()
        ))
    })
}

fn credentials(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = STANDARD.decode(encoded.trim()).ok()?;
    let colon = pair.iter().position(|&octet| octet == b':')?;
    let decode = |half: &[u8]| String::from_utf8(percent_decode(half)?).ok();
    Some((decode(&pair[..colon])?, decode(&pair[colon + 1..])?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_form_decoded() {
        // RFC 6749 §2.3.1 example: s6BhdRkqt3:7Fjfp0ZBr1KtDRbnfVdmIw
        assert_eq!(
            credentials("Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3"),
            Some(("s6BhdRkqt3".into(), "7Fjfp0ZBr1KtDRbnfVdmIw".into()))
        );
        let header = format!("basic {}", STANDARD.encode("a%3Ab+c:p%25w%3A:x"));
        assert_eq!(
            credentials(&header),
            Some(("a:b c".into(), "p%w::x".into()))
        );
    }

    #[test]
    fn credentials_refuse_what_is_not_basic() {
        for header in [
            "",
            "Basic",
            "Bearer abc",
            "Basic !!!",
            "Basic YWJj",
            "Basic YSU6Yg==",
        ] {
            assert_eq!(credentials(header), None, "{header}");
        }
    }
}

//! Clients as they are registered, and what may be asked of them.

use serde::{Deserialize, Serialize};

use super::{Config, ConfigError, Profile};
use crate::client_auth::{AuthMethod, Authentication, ClientSecret};
use crate::grant::{CIBA_GRANT, REFRESH_GRANT};
use crate::issuance::{self, Issuance, SubjectType};
use crate::jose::jws::JwsAlg;

/// A registered client.
#[derive(Clone, Debug)]
pub struct Client {
    /// client_id.
    pub id: String,
    /// client_secret, for the methods that use one.
    pub secret: Option<ClientSecret>,
    /// Name for the handset's screen when the client sends no binding_message.
    pub name: String,
    /// backchannel_token_delivery_mode.
    pub mode: DeliveryMode,
    /// backchannel_client_notification_endpoint; required for ping and push.
    pub notification_endpoint: Option<String>,
    /// How it is registered to authenticate.
    pub authentication: Authentication,
    /// What it is registered to send.
    pub requests: Requests,
    /// How it is registered to get its tokens.
    pub issuance: Issuance,
}

/// What a client is registered with about its authentication requests (CIBA Core §4, RFC 7591 §2).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Requests {
    /// `grant_types`.
    pub grant_types: Vec<String>,
    /// `backchannel_authentication_request_signing_alg`: its requests are signed, with this.
    pub signing_alg: Option<JwsAlg>,
    /// `backchannel_user_code_parameter`.
    pub user_code: bool,
    /// `jwks_uri`: where its keys are, if it registered none itself. Its host is the sector of a pairwise client.
    pub jwks_uri: Option<String>,
}

impl Default for Requests {
    /// Unsigned requests, for both grants.
    fn default() -> Self {
        Self {
            grant_types: vec![CIBA_GRANT.into(), REFRESH_GRANT.into()],
            signing_alg: None,
            user_code: false,
            jwks_uri: None,
        }
    }
}

/// What authentication requests must and may be (CIBA Core §7.1.1, FAPI-CIBA §5.2.2).
#[derive(Clone, Debug)]
pub struct RequestRules {
    /// Whether every request must be signed.
    pub signed: bool,
    /// Algorithms that clients can be registered to sign with.
    pub algorithms: Vec<JwsAlg>,
    /// Longest time between nbf and exp, seconds.
    pub lifetime: u32,
}

impl Default for RequestRules {
    fn default() -> Self {
        Self {
            signed: false,
            algorithms: vec![JwsAlg::Es256, JwsAlg::Ps256],
            lifetime: 3600,
        }
    }
}

/// backchannel_token_delivery_mode (CIBA Core §4).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryMode {
    /// The client asks the token endpoint.
    Poll,
    /// The client is told when to ask.
    Ping,
    /// The client is sent the tokens.
    Push,
}

impl DeliveryMode {
    /// The registered value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Ping => "ping",
            Self::Push => "push",
        }
    }
}

impl Client {
    /// Whether it is registered for this grant type.
    pub(crate) fn may(&self, grant_type: &str) -> bool {
        self.requests.grant_types.iter().any(|it| it == grant_type)
    }

    /// Where its keys are, for the sector of a pairwise client.
    pub(crate) fn jwks_uri(&self) -> Option<&str> {
        self.requests.jwks_uri.as_deref()
    }

    /// A client that sends its secret in the Authorization header and plain requests, and has no notification endpoint.
    pub fn new(id: impl Into<String>, secret: impl Into<String>, mode: DeliveryMode) -> Self {
        let id = id.into();
        Self {
            name: id.clone(),
            id,
            secret: Some(ClientSecret::new(secret)),
            mode,
            notification_endpoint: None,
            authentication: Authentication::default(),
            requests: Requests::default(),
            issuance: Issuance::default(),
        }
    }

    /// What the handset shows when the client sends no binding_message.
    pub(crate) fn default_text(&self) -> String {
        format!("Sign in to {}?", self.name)
    }

    pub(crate) fn check(&self, config: &Config) -> Result<(), ConfigError> {
        let method = self.authentication.method;
        let secret = self.secret.as_ref();
        if !config.authentication.methods.contains(&method) {
            return Err(ConfigError::Method(self.id.clone(), method.as_str()));
        }
        if config.requests.signed && self.requests.signing_alg.is_none() {
            return Err(ConfigError::Unsigned(self.id.clone()));
        }
        if method.uses_secret() && secret.is_none() {
            return Err(ConfigError::NoSecret(self.id.clone(), method.as_str()));
        }
        if method == AuthMethod::ClientSecretJwt
            && secret
                .and_then(ClientSecret::clear)
                .is_none_or(|it| it.len() < 32)
        {
            return Err(ConfigError::ShortSecret(self.id.clone()));
        }
        let text = self.default_text();
        crate::authorize::check_text(&self.name)
            .and_then(|()| (config.text_policy)(&text))
            .map_err(|why| ConfigError::Name {
                client: self.id.clone(),
                why,
            })?;
        if self.issuance.subject_type == SubjectType::Pairwise && issuance::sector(self).is_none() {
            return Err(ConfigError::Sector(self.id.clone()));
        }
        if config.profile == Profile::FapiCiba && self.mode == DeliveryMode::Push {
            return Err(ConfigError::FapiPush(self.id.clone()));
        }
        if self.issuance.certificate_bound && self.mode == DeliveryMode::Push {
            return Err(ConfigError::BoundPush(self.id.clone()));
        }
        let endpoint = self.notification_endpoint.as_deref();
        match (self.mode, endpoint.map(str::parse::<http::Uri>)) {
            (DeliveryMode::Poll, _) => Ok(()),
            (_, Some(Ok(uri))) if matches!(uri.scheme_str(), Some("http" | "https")) => Ok(()),
            _ => Err(ConfigError::NotificationEndpoint(self.id.clone())),
        }
    }
}

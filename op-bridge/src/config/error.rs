//! Why a configuration cannot work, and what to change.

/// A configuration that cannot work.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// Two clients share an id.
    #[error("client {0} is configured twice; give each client its own id")]
    DuplicateClient(String),
    /// A push client that wants bound tokens.
    #[error(
        "client {0} is registered for push and for tls_client_certificate_bound_access_tokens; a push shows the OP no certificate of the client to bind tokens to (RFC 8705 §3). Register it for poll or ping, or without bound tokens"
    )]
    BoundPush(String),
    /// A push client under FAPI-CIBA.
    #[error(
        "client {0} is registered for push, which FAPI-CIBA section 5.2.2 forbids; register it for poll or ping, or set profile = ciba"
    )]
    FapiPush(String),
    /// Polls held for too long.
    #[error("polling.hold is {0}; CIBA Core §7.3 allows at most 30 seconds")]
    Hold(u32),
    /// interval = 0.
    #[error("polling.interval is 0; CIBA Core §7.3 wants a positive number of seconds")]
    Interval,
    /// Not usable as an issuer.
    #[error("issuer {0} is not usable; give an http(s) URL without query, fragment or final slash")]
    Issuer(String),
    /// The default lifetime is 0 or above the maximum.
    #[error("lifetimes.auth_req_id is {default}; it must be between 1 and auth_req_id_max = {max}")]
    Lifetime {
        /// Configured default.
        default: u32,
        /// Configured maximum.
        max: u32,
    },
    /// The handset cannot show the default text.
    #[error("the name of client {client} cannot be shown on a handset: {why}")]
    Name {
        /// Client id.
        client: String,
        /// What is wrong.
        why: String,
    },
    /// A method that the OP does not allow.
    #[error(
        "client {0} is registered for {1}, which this OP does not allow (under fapi-ciba: private_key_jwt, tls_client_auth, self_signed_tls_client_auth)"
    )]
    Method(String, &'static str),
    /// A client that does not sign where all must.
    #[error(
        "client {0} has no backchannel_authentication_request_signing_alg, and every request must be signed (FAPI-CIBA §5.2.2)"
    )]
    Unsigned(String),
    /// A client without the secret that its method needs.
    #[error("client {0} is registered for {1} and has no secret")]
    NoSecret(String, &'static str),
    /// A MAC key that is too short.
    #[error(
        "client {0} is registered for client_secret_jwt; its secret needs at least 32 octets (RFC 7518 §3.2)"
    )]
    ShortSecret(String),
    /// Tokens that nobody could get.
    #[error(
        "every token is to be bound to a certificate (FAPI-CIBA §5.2.2 builds on FAPI-RW §5.2.2) and there is no mtls_url where a client could show one; give one, or set profile = ciba"
    )]
    NoMutualTls,
    /// No acr values at all.
    #[error("acr_values is empty; name at least one, for example mod-mf for a PIN")]
    NoAcrValues,
    /// A value of acr_values that no client could mean.
    #[error(
        "the acr value {0:?} is there twice, or is no word: acr_values of a request is a list of words between blanks (OpenID Connect Core §3.1.2.1)"
    )]
    AcrValue(String),
    /// A pairwise client without a sector.
    #[error(
        "client {0} has subject_type = pairwise and no sector; give it a sector_identifier_uri, or a jwks_uri (poll, ping) or notification_endpoint (push) with a host (CIBA Core §4)"
    )]
    Sector(String),
    /// A ping or push client without an endpoint.
    #[error("client {0} is registered for ping or push and needs a notification_endpoint URL")]
    NotificationEndpoint(String),
}

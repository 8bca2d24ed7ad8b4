//! What the OP says about itself (OpenID Connect Discovery 1.0 §3, CIBA Core §4) and its public keys.

use bytes::Bytes;
use http::Response;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::Op;
use crate::config::Profile;
use crate::grant::{CIBA_GRANT, REFRESH_GRANT};
use crate::jose::jws::JwsAlg;
use crate::keys;
use crate::oauth::OAuthError;
use crate::registration::Registration;
use crate::route::path;

/// The discovery document.
pub(crate) fn discovery(op: &Op, now: Timestamp) -> Value {
    let url = |path: &str| format!("{}{path}", op.config.issuer);
    let grants: &[&str] = if op.config.refresh_tokens {
        &[CIBA_GRANT, REFRESH_GRANT]
    } else {
        &[CIBA_GRANT]
    };
    let acr_values: Vec<&String> = op
        .config
        .acr_values
        .iter()
        .map(|(value, _)| value)
        .collect();
    let modes: &[&str] = match op.config.profile {
        Profile::FapiCiba => &["poll", "ping"],
        Profile::Ciba | Profile::Modrna => &["poll", "ping", "push"],
    };
    let methods: Vec<&str> = op
        .config
        .authentication
        .methods
        .iter()
        .map(|method| method.as_str())
        .collect();
    let mut document = json!({
        "issuer": op.config.issuer,
        "jwks_uri": url(path::JWKS),
        "backchannel_authentication_endpoint": url(path::BC_AUTHORIZE),
        "token_endpoint": url(path::TOKEN),
        // Nothing can be done there, but whoever reads the document expects one.
        "authorization_endpoint": url(path::AUTHORIZE),
        "userinfo_endpoint": url(path::USERINFO),
        "introspection_endpoint": url(path::INTROSPECT),
        "revocation_endpoint": url(path::REVOKE),
        "backchannel_token_delivery_modes_supported": modes,
        "backchannel_authentication_request_signing_alg_values_supported": names(&op.config.requests.algorithms),
        "backchannel_user_code_parameter_supported": op.config.user_codes,
        "grant_types_supported": grants,
        // There is no authorization endpoint, hence no response type; the member is required.
        "response_types_supported": [],
        "subject_types_supported": ["public", "pairwise"],
        "id_token_signing_alg_values_supported": op.config.keys.at(now).algorithms(),
        "userinfo_signing_alg_values_supported": op.config.keys.at(now).algorithms(),
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": names(&op.config.authentication.algorithms),
        "introspection_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_signing_alg_values_supported": names(&op.config.authentication.algorithms),
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": names(&op.config.authentication.algorithms),
        "tls_client_certificate_bound_access_tokens": op.config.mtls_url.is_some(),
        "scopes_supported": ["openid", "profile", "phone"],
        "acr_values_supported": acr_values,
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "acr", "amr", "nonce", "at_hash",
            "name", "given_name", "family_name", "phone_number", "phone_number_verified",
        ],
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
    });
    if !matches!(op.config.registration, Registration::Off) {
        document["registration_endpoint"] = json!(url(path::REGISTER));
    }
    if let Some(aliases) = mtls_endpoint_aliases(op, &document) {
        document["mtls_endpoint_aliases"] = aliases;
    }
    document
}

fn names(algorithms: &[JwsAlg]) -> Vec<&'static str> {
    algorithms.iter().map(|alg| alg.as_str()).collect()
}

/// RFC 8705 §5: the same endpoints behind mutual TLS. There is none for a browser: it would ask its user for a certificate.
fn mtls_endpoint_aliases(op: &Op, document: &Value) -> Option<Value> {
    let base = op.config.mtls_url.as_deref()?;
    let members = document.as_object()?.iter();
    let aliases = members.filter_map(|(name, url)| {
        let aliased = name.ends_with("_endpoint") && name != "authorization_endpoint";
        let path = url.as_str()?.strip_prefix(&op.config.issuer)?;
        aliased.then(|| {
            (
                name.clone(),
                Value::from(format!("{base}{}{path}", op.base_path)),
            )
        })
    });
    Some(Value::Object(aliases.collect()))
}

/// What the authorization endpoint answers: this OP authenticates over the backchannel alone.
pub(crate) fn authorization_stub() -> Response<Bytes> {
    OAuthError::new(
        "unsupported_response_type",
        "this OP has no front channel; send the request to the backchannel_authentication_endpoint (CIBA Core section 7)",
    )
    .response()
}

/// The JSON Web Key Set.
pub(crate) fn jwks(op: &Op, now: Timestamp) -> Value {
    let mut document = keys::document(&op.config.keys.at(now));
    if let Some(keys) = document["keys"].as_array_mut() {
        keys.extend(
            op.config
                .decryption
                .iter()
                .map(|key| key.public().to_value()),
        );
    }
    document
}

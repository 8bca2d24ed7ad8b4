//! Client metadata: from the names of the standards to a [`Client`], and back to what was registered.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Uri;
use serde_json::{Map, Value, json};

use super::{Invalid, Source};
use crate::client_auth::x509::Certificate;
use crate::client_auth::{AuthMethod, Authentication, CertificateName, ClientSecret};
use crate::config::{Client, Config, DeliveryMode, Profile, Requests};
use crate::grant::{CIBA_GRANT, REFRESH_GRANT};
use crate::issuance::{Issuance, SubjectType};
use crate::jose::Algorithm;
use crate::jose::jwk::{Jwk, JwkSet};
use crate::jose::jws::JwsAlg;
use crate::loopback::is_loopback;

/// Longest text that is taken for a name or a URL.
const LONGEST: usize = 2048;

/// What is registered for `members`; everything that is not known is left out (RFC 7591 §2).
pub(super) fn client(
    config: &Config,
    id: &str,
    secret: Option<ClientSecret>,
    members: &Map<String, Value>,
    source: Source,
) -> Result<Client, Invalid> {
    let from = Members(members, source);
    refuse_what_is_not_done(&from)?;
    let mode = mode(config, &from)?;
    let notification_endpoint = from.url("backchannel_client_notification_endpoint")?;
    if mode != DeliveryMode::Poll && notification_endpoint.is_none() {
        return Err(invalid(
            "backchannel_client_notification_endpoint",
            "is required for ping and push (CIBA Core section 4)",
        ));
    }
    let authentication = authentication(config, &from)?;
    let signing_alg = from.alg(
        "backchannel_authentication_request_signing_alg",
        &config.requests.algorithms,
    )?;
    let jwks_uri = from.url("jwks_uri")?;
    if jwks_uri.is_some() && from.0.contains_key("jwks") {
        return Err(invalid(
            "jwks_uri",
            "and jwks exclude each other (RFC 7591 section 2)",
        ));
    }
    let keys = jwks_uri.is_some() || !authentication.jwks.0.is_empty();
    if signing_alg.is_some() && !keys {
        return Err(invalid(
            "jwks",
            "or jwks_uri is required: signed requests are verified with it",
        ));
    }
    let needs_keys = matches!(
        authentication.method,
        AuthMethod::PrivateKeyJwt | AuthMethod::SelfSignedTlsClientAuth
    );
    if needs_keys && !keys {
        return Err(Invalid {
            member: "jwks",
            why: format!(
                "or jwks_uri is required for {}, with a P-256 or RSA key",
                authentication.method.as_str()
            ),
        });
    }
    if config.requests.signed && signing_alg.is_none() {
        return Err(invalid(
            "backchannel_authentication_request_signing_alg",
            "is required here: FAPI-CIBA section 5.2.2 wants signed requests, with ES256 or PS256",
        ));
    }
    let always_signed = from.flag("require_signed_request_object")?;
    if always_signed && signing_alg.is_none() {
        return Err(invalid(
            "require_signed_request_object",
            "true needs backchannel_authentication_request_signing_alg, ES256 or PS256 (RFC 9101 section 10.5)",
        ));
    }
    if config.requests.signed
        && from.0.contains_key("require_signed_request_object")
        && !always_signed
    {
        return Err(invalid(
            "require_signed_request_object",
            "must be true, or left out: FAPI-CIBA section 5.2.2 wants every request signed",
        ));
    }
    let user_code = from.flag("backchannel_user_code_parameter")?;
    if user_code && !config.user_codes {
        return Err(invalid(
            "backchannel_user_code_parameter",
            "is not supported: discovery says backchannel_user_code_parameter_supported false",
        ));
    }
    let issuance = issuance(config, &from)?;
    if issuance.certificate_bound && mode == DeliveryMode::Push {
        return Err(invalid(
            "tls_client_certificate_bound_access_tokens",
            "does not go with push: the client shows no certificate there to bind tokens to (RFC 8705 section 3); register poll or ping, or leave it out",
        ));
    }
    if source == Source::Request {
        let own = match mode {
            DeliveryMode::Push => notification_endpoint.as_deref(),
            // It counts because the client proves that it has a key from there (CIBA Core §4).
            DeliveryMode::Poll | DeliveryMode::Ping => jwks_uri.as_deref().filter(|_| needs_keys),
        };
        sector(own, &issuance)?;
    }
    let name = from.text("client_name")?.unwrap_or(id);
    Ok(Client {
        id: id.to_owned(),
        secret: secret.filter(|_| authentication.method.uses_secret()),
        name: name.to_owned(),
        mode,
        notification_endpoint,
        requests: Requests {
            grant_types: grant_types(&from)?,
            signing_alg,
            user_code,
            jwks_uri,
        },
        issuance,
        authentication,
    })
}

/// The members that count, as they are told to the client (RFC 7591 §3.2.1).
pub(super) fn registered(client: &Client, asked: &Map<String, Value>) -> Map<String, Value> {
    const AS_ASKED: [&str; 17] = [
        "backchannel_authentication_request_signing_alg",
        "backchannel_client_notification_endpoint",
        "client_name",
        "id_token_signed_response_alg",
        "jwks",
        "jwks_uri",
        "require_signed_request_object",
        "scope",
        "sector_identifier_uri",
        "subject_type",
        "tls_client_auth_san_dns",
        "tls_client_auth_san_email",
        "tls_client_auth_san_ip",
        "tls_client_auth_san_uri",
        "tls_client_auth_subject_dn",
        "token_endpoint_auth_signing_alg",
        "userinfo_signed_response_alg",
    ];
    let mut members: Map<String, Value> = asked
        .iter()
        .filter(|(name, _)| AS_ASKED.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let decided = [
        (
            "backchannel_token_delivery_mode",
            json!(client.mode.as_str()),
        ),
        (
            "backchannel_user_code_parameter",
            json!(client.requests.user_code),
        ),
        ("grant_types", json!(client.requests.grant_types)),
        ("response_types", json!([])),
        (
            "tls_client_certificate_bound_access_tokens",
            json!(client.issuance.certificate_bound),
        ),
        (
            "token_endpoint_auth_method",
            json!(client.authentication.method.as_str()),
        ),
    ];
    members.extend(decided.map(|(name, value)| (name.to_owned(), value)));
    members
}

fn refuse_what_is_not_done(from: &Members<'_>) -> Result<(), Invalid> {
    for member in [
        "id_token_encrypted_response_alg",
        "id_token_encrypted_response_enc",
        "userinfo_encrypted_response_alg",
        "userinfo_encrypted_response_enc",
        "request_object_encryption_alg",
        "request_object_encryption_enc",
    ] {
        if from.0.contains_key(member) {
            return Err(invalid(member, "is not supported: leave it out"));
        }
    }
    match from.0.get("response_types") {
        None => Ok(()),
        Some(Value::Array(types)) if types.is_empty() => Ok(()),
        Some(_) => Err(invalid(
            "response_types",
            "must be empty: this OP has no authorization endpoint",
        )),
    }
}

fn mode(config: &Config, from: &Members<'_>) -> Result<DeliveryMode, Invalid> {
    let member = "backchannel_token_delivery_mode";
    match from.text(member)? {
        Some("poll") => Ok(DeliveryMode::Poll),
        Some("ping") => Ok(DeliveryMode::Ping),
        Some("push") if config.profile == Profile::FapiCiba => Err(invalid(
            member,
            "push is forbidden by FAPI-CIBA section 5.2.2; register poll or ping",
        )),
        Some("push") => Ok(DeliveryMode::Push),
        Some(_) => Err(invalid(
            member,
            "must be poll, ping or push (CIBA Core section 4)",
        )),
        None => Err(invalid(
            member,
            "is required: poll, ping or push (CIBA Core section 4)",
        )),
    }
}

fn grant_types(from: &Members<'_>) -> Result<Vec<String>, Invalid> {
    let member = "grant_types";
    let Some(types) = from.0.get(member) else {
        return Ok(vec![CIBA_GRANT.to_owned()]);
    };
    let types: Option<Vec<String>> = types
        .as_array()
        .map(|types| {
            types
                .iter()
                .map(|one| one.as_str().map(str::to_owned))
                .collect()
        })
        .unwrap_or_default();
    let types = types.ok_or_else(|| invalid(member, "must be an array of strings"))?;
    let known = |one: &String| [CIBA_GRANT, REFRESH_GRANT].contains(&one.as_str());
    if !types.iter().all(known) || !types.iter().any(|one| one == CIBA_GRANT) {
        return Err(Invalid {
            member,
            why: format!("must contain {CIBA_GRANT}, and may contain {REFRESH_GRANT}"),
        });
    }
    Ok(types)
}

fn authentication(config: &Config, from: &Members<'_>) -> Result<Authentication, Invalid> {
    let member = "token_endpoint_auth_method";
    let allowed = &config.authentication.methods;
    let method = match from.text(member)? {
        None => AuthMethod::default(),
        Some(name) => AuthMethod::named(name).ok_or_else(|| one_of(member, allowed))?,
    };
    if !allowed.contains(&method) {
        return Err(one_of(member, allowed));
    }
    let of_method: Vec<JwsAlg> = config
        .authentication
        .algorithms
        .iter()
        .copied()
        .filter(|alg| (*alg == JwsAlg::Hs256) == (method == AuthMethod::ClientSecretJwt))
        .collect();
    let signing_alg = from.alg("token_endpoint_auth_signing_alg", &of_method)?;
    let jwks = match from.0.get("jwks") {
        None => JwkSet::default(),
        Some(value) => JwkSet::parse(value).map_err(|why| Invalid {
            member: "jwks",
            why: format!("cannot be used: {why}"),
        })?,
    };
    let certificates = from
        .0
        .get("jwks")
        .map(certificates)
        .transpose()?
        .unwrap_or_default();
    let certificate = certificate_name(from)?;
    if (method == AuthMethod::TlsClientAuth) != certificate.is_some() {
        return Err(invalid(
            "tls_client_auth_subject_dn",
            "or exactly one of tls_client_auth_san_dns, _uri, _ip and _email goes with tls_client_auth, and with nothing else (RFC 8705 section 2.1.2)",
        ));
    }
    Ok(Authentication {
        method,
        signing_alg,
        jwks,
        certificates,
        certificate,
    })
}

/// The first certificate of each `x5c`; its key must be that of the JWK (RFC 7517 §4.7).
pub(crate) fn certificates(jwks: &Value) -> Result<Vec<Bytes>, Invalid> {
    let mut found = Vec::new();
    let keys = jwks.get("keys").and_then(Value::as_array);
    for key in keys.into_iter().flatten() {
        let Some(chain) = key.get("x5c") else {
            continue;
        };
        let wrong = |why| invalid("jwks", why);
        let first = chain
            .get(0)
            .and_then(Value::as_str)
            .and_then(|text| STANDARD.decode(text).ok())
            .ok_or_else(|| wrong("has an x5c that is no array of base64 (RFC 7517 section 4.7)"))?;
        let ours = Jwk::parse(key).ok().map(|jwk| jwk.key);
        let theirs = Certificate::parse(&first).and_then(|certificate| certificate.key());
        if ours.is_some() && ours != theirs {
            return Err(wrong(
                "has an x5c certificate of another key (RFC 7517 section 4.7)",
            ));
        }
        found.push(Bytes::from(first));
    }
    Ok(found)
}

fn certificate_name(from: &Members<'_>) -> Result<Option<CertificateName>, Invalid> {
    let text = |member| match from.text(member)? {
        Some("") => Err(invalid(member, "is empty")),
        text => Ok(text),
    };
    let mut names = Vec::new();
    if let Some(dn) = text("tls_client_auth_subject_dn")? {
        if crate::client_auth::x509::Name::parse(dn).is_none() {
            return Err(invalid(
                "tls_client_auth_subject_dn",
                "is no distinguished name after RFC 4514, such as CN=client,O=Example",
            ));
        }
        names.push(CertificateName::SubjectDn(dn.to_owned()));
    }
    if let Some(name) = text("tls_client_auth_san_dns")? {
        names.push(CertificateName::SanDns(name.to_owned()));
    }
    if let Some(uri) = text("tls_client_auth_san_uri")? {
        names.push(CertificateName::SanUri(uri.to_owned()));
    }
    if let Some(email) = text("tls_client_auth_san_email")? {
        names.push(CertificateName::SanEmail(email.to_owned()));
    }
    if let Some(address) = text("tls_client_auth_san_ip")? {
        let address = address
            .parse()
            .map_err(|_| invalid("tls_client_auth_san_ip", "is no IP address"))?;
        names.push(CertificateName::SanIp(address));
    }
    match names.len() {
        0 | 1 => Ok(names.pop()),
        _ => Err(invalid(
            "tls_client_auth_subject_dn",
            "and tls_client_auth_san_… exclude each other (RFC 8705 section 2.1.2)",
        )),
    }
}

fn issuance(config: &Config, from: &Members<'_>) -> Result<Issuance, Invalid> {
    let response_alg = |member| match from.text(member)? {
        None => Ok(None),
        Some("ES256") => Ok(Some(Algorithm::Es256)),
        Some("PS256") => Ok(Some(Algorithm::Ps256)),
        Some(_) => Err(invalid(member, "must be ES256 or PS256")),
    };
    let subject_type = match from.text("subject_type")? {
        None | Some("public") => SubjectType::Public,
        Some("pairwise") => SubjectType::Pairwise,
        Some(_) => return Err(invalid("subject_type", "must be public or pairwise")),
    };
    let member = "tls_client_certificate_bound_access_tokens";
    let asked = from.flag(member)?;
    if config.certificate_bound && from.0.contains_key(member) && !asked {
        return Err(invalid(
            member,
            "must be true, or left out: FAPI-CIBA section 5.2.2 builds on FAPI-RW section 5.2.2, which binds every token to a certificate",
        ));
    }
    let certificate_bound = asked || config.certificate_bound;
    if certificate_bound && config.mtls_url.is_none() {
        return Err(invalid(
            member,
            "needs mutual TLS, which this OP does not offer now",
        ));
    }
    Ok(Issuance {
        id_token_alg: response_alg("id_token_signed_response_alg")?,
        userinfo_alg: response_alg("userinfo_signed_response_alg")?,
        subject_type,
        sector_identifier_uri: from.url("sector_identifier_uri")?,
        certificate_bound,
        scope: from.text("scope")?.map(str::to_owned),
    })
}

/// What somebody who registers may say about the sector: that of the URL which is the client's `own`, and no other. The document
/// of a sector_identifier_uri is not fetched, so that nothing shows that its owner knows of the client (CIBA Core §4).
fn sector(own: Option<&str>, issuance: &Issuance) -> Result<(), Invalid> {
    let host = |url: &str| {
        let uri: Uri = url.parse().ok()?;
        uri.host().map(str::to_ascii_lowercase)
    };
    let own = own.and_then(host);
    if let Some(uri) = issuance.sector_identifier_uri.as_deref()
        && (own.is_none() || host(uri) != own)
    {
        return Err(invalid(
            "sector_identifier_uri",
            "is not fetched here, so its host must equal that of the client's own URL: backchannel_client_notification_endpoint for push, jwks_uri for poll and ping with private_key_jwt or self_signed_tls_client_auth (CIBA Core section 4); leave it out, or have the operator register the client in the world file",
        ));
    }
    if issuance.subject_type == SubjectType::Pairwise && own.is_none() {
        return Err(invalid(
            "subject_type",
            "pairwise needs a sector that is known to be the client's: the host of the notification endpoint for push, of jwks_uri for poll and ping with private_key_jwt or self_signed_tls_client_auth (CIBA Core section 4); register one of these, or public, or have the operator register the client in the world file",
        ));
    }
    Ok(())
}

/// Metadata as they came.
struct Members<'a>(&'a Map<String, Value>, Source);

impl<'a> Members<'a> {
    fn text(&self, member: &'static str) -> Result<Option<&'a str>, Invalid> {
        match self.0.get(member) {
            None => Ok(None),
            Some(Value::String(text)) if text.len() <= LONGEST => Ok(Some(text)),
            Some(_) => Err(invalid(member, "must be a string of reasonable length")),
        }
    }

    fn flag(&self, member: &'static str) -> Result<bool, Invalid> {
        match self.0.get(member) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(invalid(member, "must be true or false")),
        }
    }

    /// An https URL; http is fine on loopback, where tests run.
    fn url(&self, member: &'static str) -> Result<Option<String>, Invalid> {
        let Some(text) = self.text(member)? else {
            return Ok(None);
        };
        let uri: Option<Uri> = text.parse().ok();
        let good = uri.is_some_and(|uri| match (uri.scheme_str(), uri.host()) {
            (Some("https"), Some(_)) => true,
            (Some("http"), Some(host)) => self.1 == Source::File || is_loopback(host),
            _ => false,
        });
        if good && !text.contains('#') {
            Ok(Some(text.to_owned()))
        } else {
            Err(invalid(
                member,
                "must be an https URL without fragment; http is for loopback only",
            ))
        }
    }

    fn alg(&self, member: &'static str, allowed: &[JwsAlg]) -> Result<Option<JwsAlg>, Invalid> {
        let Some(name) = self.text(member)? else {
            return Ok(None);
        };
        let alg = JwsAlg::named(name).filter(|alg| allowed.contains(alg));
        alg.map(Some).ok_or_else(|| {
            let names: Vec<&str> = allowed.iter().map(|alg| alg.as_str()).collect();
            Invalid {
                member,
                why: format!("must be one of {}", names.join(", ")),
            }
        })
    }
}

fn one_of(member: &'static str, allowed: &[AuthMethod]) -> Invalid {
    let names: Vec<&str> = allowed.iter().map(|method| method.as_str()).collect();
    Invalid {
        member,
        why: format!("must be one of {}", names.join(", ")),
    }
}

fn invalid(member: &'static str, why: &str) -> Invalid {
    Invalid {
        member,
        why: why.to_owned(),
    }
}

//! Entry points for fuzzers: each reads octets as one parser does and panics when the parser breaks its contract.
//!
//! They stand here because the parsers are nobody's business outside this crate.

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};
use jiff::Timestamp;

use crate::client_auth::x509::{Certificate, Name};
use crate::forms::{Form, percent_encode};
use crate::jose::jwe::content::ContentEncryption;
use crate::jose::jwe::{self, Allowed, DecryptionKey};
use crate::jose::jwk::{Jwk, JwkSet};
use crate::jose::jws::{Jws, JwsAlg, Keys};
use crate::jose::jwt::Claims;
use crate::jose::{base64url, json};
use crate::registration::certificates;
use crate::request_object;

/// A certificate, and the names in it.
pub fn certificate(octets: &[u8]) {
    if let Some(certificate) = Certificate::parse(octets) {
        let _ = Name::parse(&certificate.subject().to_string());
        let _ = (certificate.key(), certificate.addresses());
        let _ = (
            certificate.dns_names(),
            certificate.uris(),
            certificate.emails(),
        );
    }
}

/// A form: what was read reads the same when it is written again.
pub fn form(octets: &[u8]) {
    let mut headers = HeaderMap::new();
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert(CONTENT_TYPE, kind);
    let Ok(form) = Form::parse(&headers, &Bytes::copy_from_slice(octets)) else {
        return;
    };
    let pairs = form.pairs().iter();
    let written: Vec<String> = pairs
        .map(|(name, value)| format!("{}={}", percent_encode(name), percent_encode(value)))
        .collect();
    let again = Form::parse(&headers, &Bytes::from(written.join("&")));
    // Percent-encoding makes a form longer, and then perhaps too long.
    if let Ok(again) = again {
        assert_eq!(again.pairs(), form.pairs());
    }
}

/// A JWE, and its octets as a plaintext.
pub fn jwe(octets: &[u8]) {
    // A private key that everybody knows.
    let key = DecryptionKey::p256(&[9; 32]);
    if let (Ok(text), Ok(key)) = (std::str::from_utf8(octets), key) {
        let _ = jwe::decrypt(text, &[key], &Allowed::default());
    }
    for enc in ContentEncryption::ALL {
        let (key, iv) = (vec![7; enc.key_length()], vec![8; enc.iv_length()]);
        let sealed = enc.seal(&key, &iv, b"aad", octets);
        let opened = sealed.and_then(|(text, tag)| enc.open(&key, &iv, b"aad", &text, &tag));
        assert_eq!(opened.as_deref().map(Vec::as_slice), Some(octets));
    }
}

/// A JWK Set: what was read reads the same when it is written again.
pub fn jwk_set(octets: &[u8]) {
    let Ok(members) = json::object(octets) else {
        return;
    };
    let value = members.into();
    let _ = certificates(&value);
    if let Ok(set) = JwkSet::parse(&value) {
        assert_eq!(JwkSet::parse(&set.to_value()), Ok(set));
    }
}

/// A JWS: whatever parses is made of the parts that it was read from.
pub fn jws(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else {
        return;
    };
    let Ok(read) = Jws::parse(text) else {
        return;
    };
    assert_eq!(
        text.split('.').nth(1),
        Some(base64url(&read.payload).as_str())
    );
    let key = DecryptionKey::p256(&[9; 32]).map(|key| Jwk {
        kid: None,
        usage: None,
        ..key.public()
    });
    let keys = JwkSet(key.into_iter().collect());
    let _ = read.verify(&JwsAlg::ALL, Keys::Public(&keys));
    let _ = read.verify(&JwsAlg::ALL, Keys::Secret(b"secret"));
    let _ = Claims::parse(&read.payload);
}

/// The payload of a request object whose signature was good.
pub fn request_object(octets: &[u8]) {
    let Ok(claims) = Claims::parse(octets) else {
        return;
    };
    for now in [0, 1_795_000_000, i64::from(u32::MAX)] {
        if let Ok(now) = Timestamp::from_second(now) {
            let _ = claims.in_force(now);
        }
    }
    let _ = (
        claims.audience(&["https://op.example".into()]),
        claims.jti(),
    );
    let _ = claims.must_be("iss", "client");
    if let Ok(parameters) = request_object::parameters(&claims) {
        for (name, value) in parameters.pairs() {
            assert!(!value.contains('\0'), "{name}");
        }
    }
}

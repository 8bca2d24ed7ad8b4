//! JSON Web Signatures, compact serialisation (RFC 7515): reading and verifying.
//!
//! Which algorithms and keys count is the caller's word, never the header's. Never panics, whatever the text.

use ring::hmac;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::jwk::{Jwk, JwkSet, PublicKey};
use super::{JoseError, decode, json};

/// Most characters of a token. A request object with a text of a thousand characters is well below.
pub(crate) const MOST_CHARACTERS: usize = 16 * 1024;
/// Most keys tried for one signature.
const MOST_TRIES: usize = 4;

/// Signature algorithms that a configuration can allow (RFC 7518 §3.1). There is no `none`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum JwsAlg {
    /// ECDSA over P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// RSASSA-PSS with SHA-256.
    #[serde(rename = "PS256")]
    Ps256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// HMAC with SHA-256: client_secret_jwt only.
    #[serde(rename = "HS256")]
    Hs256,
}

impl JwsAlg {
    /// Every algorithm.
    pub const ALL: [Self; 4] = [Self::Es256, Self::Ps256, Self::Rs256, Self::Hs256];

    /// The `alg` value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Hs256 => "HS256",
            Self::Ps256 => "PS256",
            Self::Rs256 => "RS256",
        }
    }

    /// The algorithm of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|alg| alg.as_str() == name)
    }
}

/// What signatures are checked with.
#[derive(Clone, Copy)]
pub(crate) enum Keys<'a> {
    /// The signer's public keys.
    Public(&'a JwkSet),
    /// A secret shared with the signer.
    Secret(&'a [u8]),
}

/// A token that was read but not verified.
#[derive(Debug)]
pub(crate) struct Jws<'a> {
    pub(crate) payload: Vec<u8>,
    alg: String,
    kid: Option<String>,
    signing_input: &'a str,
    signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Reads a compact JWS and refuses what no header of ours may hold.
    pub(crate) fn parse(compact: &'a str) -> Result<Self, JoseError> {
        if compact.len() > MOST_CHARACTERS {
            return Err(JoseError::TooLong {
                got: compact.len(),
                most: MOST_CHARACTERS,
            });
        }
        let mut parts = compact.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(JoseError::NotCompact {
                expected: "three parts of base64url (RFC 7515 section 7.1)",
            });
        };
        let part = |name, text: &str| decode(text).ok_or(JoseError::Base64(name));
        let header = read_header(&part("header", header)?)?;
        let payload = part("payload", payload)?;
        let signature_octets = part("signature", signature)?;
        let signing_input = &compact[..compact.len() - signature.len() - 1];
        Ok(Self {
            alg: text(&header, "alg")?
                .ok_or(JoseError::Header("alg", "is missing"))?
                .to_owned(),
            kid: text(&header, "kid")?.map(str::to_owned),
            payload,
            signing_input,
            signature: signature_octets,
        })
    }

    /// Verifies the signature and gives the algorithm it was made with, one of `allowed`.
    pub(crate) fn verify(&self, allowed: &[JwsAlg], keys: Keys<'_>) -> Result<JwsAlg, JoseError> {
        let alg = JwsAlg::named(&self.alg)
            .filter(|alg| allowed.contains(alg))
            .ok_or_else(|| JoseError::Alg {
                got: self.alg.chars().take(32).collect(),
                expected: names(allowed),
            })?;
        let good = match (alg, keys) {
            (JwsAlg::Hs256, Keys::Secret(secret)) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hmac::verify(&key, self.signing_input.as_bytes(), &self.signature).is_ok()
            }
            // A public key is never a MAC key, nor the other way round.
            (JwsAlg::Hs256, Keys::Public(_)) | (_, Keys::Secret(_)) => false,
            (_, Keys::Public(set)) => {
                let candidates: Vec<&Jwk> = set
                    .0
                    .iter()
                    .filter(|key| self.may_be(key, alg))
                    .take(MOST_TRIES)
                    .collect();
                if candidates.is_empty() {
                    return Err(JoseError::NoKey {
                        alg: alg.as_str(),
                        kid: self
                            .kid
                            .as_deref()
                            .map(|kid| kid.chars().take(64).collect()),
                    });
                }
                candidates.iter().any(|key| self.verified_by(alg, &key.key))
            }
        };
        if good {
            Ok(alg)
        } else {
            Err(JoseError::Signature)
        }
    }

    fn may_be(&self, key: &Jwk, alg: JwsAlg) -> bool {
        let kind = match key.key {
            PublicKey::P256(_) => alg == JwsAlg::Es256,
            PublicKey::Rsa { .. } => matches!(alg, JwsAlg::Ps256 | JwsAlg::Rs256),
        };
        kind && self
            .kid
            .as_ref()
            .is_none_or(|kid| key.kid.as_ref() == Some(kid))
            && key.usage.as_ref().is_none_or(|usage| usage == "sig")
            && key.alg.as_ref().is_none_or(|meant| meant == alg.as_str())
    }

    fn verified_by(&self, alg: JwsAlg, key: &PublicKey) -> bool {
        let input = self.signing_input.as_bytes();
        match key {
            PublicKey::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point.as_slice())
                    .verify(input, &self.signature)
                    .is_ok()
            }
            PublicKey::Rsa { n, e } => {
                let scheme = if alg == JwsAlg::Ps256 {
                    &RSA_PSS_2048_8192_SHA256
                } else {
                    &RSA_PKCS1_2048_8192_SHA256
                };
                RsaPublicKeyComponents { n, e }
                    .verify(scheme, input, &self.signature)
                    .is_ok()
            }
        }
    }
}

/// Reads a JOSE header. A key that the sender brings along proves nothing, so `jwk`, `jku`, `x5u` and `x5c` are refused
/// rather than ignored; so is everything critical, as no extension is understood here (RFC 7515 §4.1.11), `b64` (RFC 7797)
/// among them.
pub(crate) fn read_header(octets: &[u8]) -> Result<Map<String, Value>, JoseError> {
    let header = json::object(octets).map_err(|why| JoseError::Json("header", why))?;
    for name in ["jwk", "jku", "x5u", "x5c"] {
        if header.contains_key(name) {
            return Err(JoseError::Header(
                name,
                "is not taken: keys come from registration",
            ));
        }
    }
    if header.contains_key("crit") {
        return Err(JoseError::Header(
            "crit",
            "names extensions, and none is understood here",
        ));
    }
    if header.contains_key("b64") {
        return Err(JoseError::Header("b64", "is not supported (RFC 7797)"));
    }
    Ok(header)
}

/// A header member that is a string. Some libraries write null for what is absent.
pub(crate) fn text<'a>(
    header: &'a Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'a str>, JoseError> {
    match header.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(JoseError::Header(name, "must be a string")),
    }
}

fn names(algs: &[JwsAlg]) -> String {
    let names: Vec<&str> = algs.iter().map(|alg| alg.as_str()).collect();
    names.join(" or ")
}

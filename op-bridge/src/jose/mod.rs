//! JOSE, as small as it can be: JSON Web Signatures and Encryption in compact serialisation (RFC 7515, RFC 7516), keys
//! (RFC 7517), the claims of a JWT (RFC 7519) and the hashes OpenID Connect puts into an id_token.
//!
//! Algorithms and keys come from configuration and registration, never from a token's header.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

pub(crate) mod json;
pub(crate) mod jwe;
pub(crate) mod jwk;
pub(crate) mod jws;
pub(crate) mod jwt;

#[cfg(test)]
mod rfc_tests;
#[cfg(test)]
pub(crate) mod tests;

/// Why a token is not taken. The words fit into an error_description; none of them quotes a secret.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum JoseError {
    /// The algorithm is not allowed here.
    #[error("alg or enc {got} is not allowed here; use {expected}")]
    Alg {
        /// What the header says.
        got: String,
        /// What would be allowed.
        expected: String,
    },
    /// A part is not base64url.
    #[error("its {0} is not base64url without padding")]
    Base64(&'static str),
    /// A claim is missing or wrong.
    #[error("its claim {claim} {why}")]
    Claim {
        /// Which.
        claim: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The token was not encrypted for us, or changed on its way.
    #[error("it cannot be decrypted: not encrypted for this OP's key, or altered")]
    Decryption,
    /// The key does not fit the algorithm.
    #[error("it cannot be encrypted for this key with this alg")]
    Encryption,
    /// The ephemeral key is unusable.
    #[error("its ephemeral key epk is refused: {0}")]
    Epk(jwk::JwkError),
    /// A header member is missing or wrong.
    #[error("its header member {0} {1}")]
    Header(&'static str, &'static str),
    /// A part is not JSON as it should be.
    #[error("its {0} {1}")]
    Json(&'static str, json::NotAnObject),
    /// No key for it.
    #[error("no key for {alg} is known here{}", kid.as_ref().map_or(String::new(), |kid| format!(" with kid {kid}")))]
    NoKey {
        /// Algorithm of the token.
        alg: &'static str,
        /// `kid` of the token.
        kid: Option<String>,
    },
    /// Not a compact serialisation.
    #[error("it is not in compact serialisation: expected {expected}")]
    NotCompact {
        /// What it should be.
        expected: &'static str,
    },
    /// The signature does not verify.
    #[error("its signature does not verify with the registered key")]
    Signature,
    /// Larger than anything reasonable.
    #[error("it has {got} characters; at most {most} are read")]
    TooLong {
        /// Its length.
        got: usize,
        /// The bound.
        most: usize,
    },
}

/// Something that holds a private key. The runtime implements it: with *ring* on real sockets, with a
/// deterministic ECDSA (RFC 6979) where traces must be repeatable.
pub trait Signer: Send + Sync {
    /// The one algorithm this key is used with.
    fn algorithm(&self) -> Algorithm;
    /// Names the key in the JWS header and in the JWKS.
    fn kid(&self) -> &str;
    /// The public key as a JWK (`kty` and its parameters; `kid`, `alg` and `use` are added here).
    fn public_jwk(&self) -> Value;
    /// Signs `input`. For ES256 the 64 octets R || S (RFC 7518 §3.4).
    fn sign(&self, input: &[u8]) -> Vec<u8>;
}

/// JWS algorithms an OP key can have (RFC 7518 §3.1). All of them hash with SHA-256.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Algorithm {
    /// ECDSA over P-256.
    Es256,
    /// RSASSA-PSS.
    Ps256,
}

impl Algorithm {
    /// The `alg` value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Ps256 => "PS256",
        }
    }
}

/// Base64url without padding (RFC 7515 §2).
pub(crate) fn base64url(octets: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

/// The inverse of [`base64url`], strictly: no padding, no other alphabet, no stray bits.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// A signed JWT over `claims`, a JSON object.
pub(crate) fn sign(signer: &dyn Signer, claims: &[u8]) -> String {
    #[derive(serde::Serialize)]
    struct Header<'a> {
        alg: &'a str,
        kid: &'a str,
        typ: &'a str,
    }
    let header = Header {
        alg: signer.algorithm().as_str(),
        kid: signer.kid(),
        typ: "JWT",
    };
    // Three texts: nothing that JSON cannot say.
    let header = serde_json::to_vec(&header).unwrap_or_default();
    let mut jws = String::with_capacity(512 + 4 * claims.len() / 3);
    URL_SAFE_NO_PAD.encode_string(header, &mut jws);
    jws.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut jws);
    let signature = signer.sign(jws.as_bytes());
    jws.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut jws);
    jws
}

/// The public key of `signer` as a JWK.
pub(crate) fn jwk(signer: &dyn Signer) -> Value {
    let mut key = match signer.public_jwk() {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    key.insert("kid".into(), json!(signer.kid()));
    key.insert("alg".into(), json!(signer.algorithm().as_str()));
    key.insert("use".into(), json!("sig"));
    Value::Object(key)
}

/// at_hash and rt_hash: the left half of the token's hash (OpenID Connect Core §3.1.3.6, CIBA §10.3.1).
pub(crate) fn half_hash(token: &str) -> String {
    base64url(&Sha256::digest(token.as_bytes())[..16])
}

/// The claims of a JWT whose signature is of no interest here, for the trace.
pub(crate) fn peek(jwt: &str) -> Option<Value> {
    let claims = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&claims).ok()
}

#[cfg(test)]
mod signing_tests {
    use super::*;
    use crate::testing::TestSigner;

    #[test]
    fn half_hash_is_the_example_of_openid_connect_core() {
        // OpenID Connect Core §A.3 (Hybrid flow example): access token and its at_hash.
        assert_eq!(
            half_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"),
            "77QmUPtjPfzWtF2AnpK9RQ"
        );
    }

    #[test]
    fn base64url_is_the_example_of_rfc_7515() {
        // RFC 7515 Appendix C.
        assert_eq!(base64url([3, 236, 255, 224, 193]), "A-z_4ME");
    }

    #[test]
    fn compact_jws_verifies_with_the_published_key() {
        let signer = TestSigner::new();
        let jws = sign(&signer, br#"{"iss":"x"}"#);
        let claims = signer.verify(&jws);
        assert_eq!(claims["iss"], "x");
        let header: Value = serde_json::from_slice(
            &URL_SAFE_NO_PAD
                .decode(jws.split('.').next().unwrap())
                .unwrap(),
        )
        .unwrap();
        assert_eq!(header["alg"], "ES256");
        assert_eq!(header["kid"], jwk(&signer)["kid"]);
    }
}

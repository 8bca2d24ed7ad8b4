//! JSON Web Signatures (RFC 7515, compact serialisation), the keys that verify them (RFC 7517) and
//! the hashes OpenID Connect puts into an id_token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

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

/// A signed JWT over `claims`.
pub(crate) fn sign(signer: &dyn Signer, claims: &Value) -> String {
    let header = json!({
        "alg": signer.algorithm().as_str(),
        "kid": signer.kid(),
        "typ": "JWT",
    });
    let mut jws = format!(
        "{}.{}",
        base64url(header.to_string()),
        base64url(claims.to_string())
    );
    let signature = signer.sign(jws.as_bytes());
    jws.push('.');
    jws.push_str(&base64url(signature));
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
mod tests {
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
        let jws = sign(&signer, &json!({"iss": "x"}));
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

//! What an RP checks on an id_token: OIDC Core §3.1.3.7, and for push CIBA Core §10.3.1.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::digest;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::Value;

/// Why an id_token is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Not three base64url parts with JSON in the first two.
    #[error("not a compact JWS: {0}")]
    Format(&'static str),
    /// The algorithm is not the one that we registered for.
    #[error("alg is {got}, expected ES256")]
    Algorithm {
        /// What the header says.
        got: Value,
    },
    /// No key of the set fits.
    #[error("the key set has no P-256 key {kid}")]
    Key {
        /// `kid` of the header.
        kid: Value,
    },
    /// The signature is not that of the key.
    #[error("the signature is wrong")]
    Signature,
    /// A claim has another value.
    #[error("{claim} is {got}, expected {expected}")]
    Claim {
        /// Name of the claim.
        claim: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        got: Value,
    },
}

/// Verifies signature and claims; gives the claims.
pub fn verify_id_token(
    token: &str,
    jwks: &Value,
    issuer: &str,
    client_id: &str,
    now: Timestamp,
) -> Result<Value, VerifyError> {
    let (signed, signature) = token
        .rsplit_once('.')
        .ok_or(VerifyError::Format("fewer than three parts"))?;
    let (header, payload) = signed
        .split_once('.')
        .ok_or(VerifyError::Format("fewer than three parts"))?;
    let header = json(header)?;
    if header["alg"] != "ES256" {
        return Err(VerifyError::Algorithm {
            got: header["alg"].clone(),
        });
    }
    let key = jwks["keys"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|key| key["kid"] == header["kid"] && key["kty"] == "EC" && key["crv"] == "P-256")
        .ok_or_else(|| VerifyError::Key {
            kid: header["kid"].clone(),
        })?;
    let mut point = vec![4];
    for coordinate in ["x", "y"] {
        point.extend(decode(key[coordinate].as_str().unwrap_or_default())?);
    }
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
        .verify(signed.as_bytes(), &decode(signature)?)
        .map_err(|_| VerifyError::Signature)?;
    let claims = json(payload)?;
    expect(&claims, "iss", issuer)?;
    expect(&claims, "aud", client_id)?;
    let seconds = now.as_second();
    let number = |claim: &'static str| {
        claims[claim].as_i64().ok_or_else(|| VerifyError::Claim {
            claim,
            expected: "a number".into(),
            got: claims[claim].clone(),
        })
    };
    if number("exp")? <= seconds {
        return Err(VerifyError::Claim {
            claim: "exp",
            expected: format!("after {seconds}"),
            got: claims["exp"].clone(),
        });
    }
    if number("iat")? > seconds + 60 {
        return Err(VerifyError::Claim {
            claim: "iat",
            expected: format!("by {seconds}"),
            got: claims["iat"].clone(),
        });
    }
    Ok(claims)
}

/// The claims by which the id_token of a push vouches for the rest of the message.
pub(super) fn push_claims(
    claims: &Value,
    auth_req_id: &str,
    access_token: &str,
    refresh_token: Option<&str>,
) -> Result<(), VerifyError> {
    expect(
        claims,
        "urn:openid:params:jwt:claim:auth_req_id",
        auth_req_id,
    )?;
    expect(claims, "at_hash", &half_hash(access_token))?;
    match refresh_token {
        Some(token) => expect(
            claims,
            "urn:openid:params:jwt:claim:rt_hash",
            &half_hash(token),
        ),
        None => Ok(()),
    }
}

fn expect(claims: &Value, claim: &'static str, expected: &str) -> Result<(), VerifyError> {
    if claims[claim] == expected {
        return Ok(());
    }
    Err(VerifyError::Claim {
        claim,
        expected: expected.to_owned(),
        got: claims[claim].clone(),
    })
}

/// Left half of SHA-256 (OIDC Core §3.1.3.6).
fn half_hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(&digest::digest(&digest::SHA256, token.as_bytes()).as_ref()[..16])
}

fn json(part: &str) -> Result<Value, VerifyError> {
    serde_json::from_slice(&decode(part)?).map_err(|_| VerifyError::Format("a part is not JSON"))
}

fn decode(part: &str) -> Result<Vec<u8>, VerifyError> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| VerifyError::Format("a part is not base64url"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7515 appendix A.3: a JWS that somebody else made, with the key printed there.
    #[test]
    fn the_es256_example_of_rfc_7515_passes_up_to_its_claims() {
        let token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
        let jwks = serde_json::json!({"keys": [{
            "kty": "EC", "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        }]});
        let error = verify_id_token(token, &jwks, "joe", "me", Timestamp::UNIX_EPOCH).unwrap_err();
        assert!(
            matches!(error, VerifyError::Claim { claim: "aud", .. }),
            "{error}"
        );
        let forged = token.replace("DtEh", "DtEi");
        let error =
            verify_id_token(&forged, &jwks, "joe", "me", Timestamp::UNIX_EPOCH).unwrap_err();
        assert!(matches!(error, VerifyError::Signature), "{error}");
    }

    #[test]
    fn alg_none_is_refused() {
        let error = verify_id_token(
            "eyJhbGciOiJub25lIn0.e30.",
            &Value::Null,
            "i",
            "c",
            Timestamp::UNIX_EPOCH,
        )
        .unwrap_err();
        assert!(matches!(error, VerifyError::Algorithm { .. }), "{error}");
    }

    /// OIDC Core's own example of at_hash is not for ES256 alone: any SHA-256 algorithm gives the same.
    #[test]
    fn at_hash_is_the_left_half_of_sha_256() {
        assert_eq!(
            half_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"),
            "77QmUPtjPfzWtF2AnpK9RQ"
        );
    }
}

//! JSON Web Keys (RFC 7517, RFC 7518 §6): public keys on P-256 and RSA keys of 2048 to 8192 bits.

use p256::PublicKey as P256Key;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{base64url, decode};

/// Fewest bits of an RSA modulus (RFC 7518 §3.3, §4.3).
const FEWEST_BITS: usize = 2048;
/// Most bits that the verifier takes.
const MOST_BITS: usize = 8192;
/// Most keys of a set. More would make one signature cost many.
const MOST_KEYS: usize = 32;

/// A public key with what its owner says about it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Jwk {
    /// `kid`.
    pub kid: Option<String>,
    /// `use`: `sig` or `enc`.
    pub usage: Option<String>,
    /// `alg`, the one algorithm it is meant for.
    pub alg: Option<String>,
    /// The key.
    pub key: PublicKey,
}

/// Key material.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PublicKey {
    /// A point on P-256, uncompressed (SEC 1 §2.3.3), 65 octets, checked to lie on the curve.
    P256(Box<[u8; 65]>),
    /// An RSA key.
    Rsa {
        /// Modulus, without leading zeros.
        n: Vec<u8>,
        /// Exponent, without leading zeros.
        e: Vec<u8>,
    },
}

/// A set of keys.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct JwkSet(pub Vec<Jwk>);

/// Why a key or set cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum JwkError {
    /// A member is missing or has the wrong form.
    #[error("its member {member} {why}")]
    Member {
        /// Which.
        member: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The point is not on the curve.
    #[error("x and y are no point on P-256")]
    NotOnCurve,
    /// It holds a private or symmetric key, which nobody may send around.
    #[error("it holds a private or symmetric key (member {0}); register the public part only")]
    Private(&'static str),
    /// The modulus has a length that is not allowed.
    #[error("its RSA modulus has {got} bits; between {FEWEST_BITS} and {MOST_BITS} are allowed")]
    RsaSize {
        /// Its length.
        got: usize,
    },
    /// Too many keys.
    #[error("the set has {got} keys; at most {MOST_KEYS} are read")]
    TooMany {
        /// How many.
        got: usize,
    },
    /// A kind of key that this OP does not use.
    #[error("its kty or crv is {0}; P-256 and RSA keys are used here")]
    Unsupported(String),
    /// `x5c` holds another key.
    #[error("its x5c certificate holds another key")]
    Certificate,
}

impl Jwk {
    /// Reads one key.
    ///
    /// # Errors
    /// [`JwkError`].
    pub fn parse(value: &Value) -> Result<Self, JwkError> {
        let members = value.as_object().ok_or(JwkError::Member {
            member: "kty",
            why: "is missing: a JWK is a JSON object",
        })?;
        for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            if members.contains_key(member) {
                return Err(JwkError::Private(member));
            }
        }
        let key = match required(members, "kty")? {
            "EC" => match required(members, "crv")? {
                "P-256" => p256(members)?,
                other => return Err(unsupported(other)),
            },
            "RSA" => rsa(members)?,
            other => return Err(unsupported(other)),
        };
        Ok(Self {
            kid: optional(members, "kid")?,
            usage: optional(members, "use")?,
            alg: optional(members, "alg")?,
            key,
        })
    }

    /// The key as JSON.
    pub fn to_value(&self) -> Value {
        let mut value = match &self.key {
            PublicKey::P256(point) => json!({
                "kty": "EC",
                "crv": "P-256",
                "x": base64url(&point[1..33]),
                "y": base64url(&point[33..]),
            }),
            PublicKey::Rsa { n, e } => json!({
                "kty": "RSA",
                "n": base64url(n),
                "e": base64url(e),
            }),
        };
        for (name, member) in [("kid", &self.kid), ("use", &self.usage), ("alg", &self.alg)] {
            if let Some(member) = member {
                value[name] = json!(member);
            }
        }
        value
    }

    /// SHA-256 thumbprint of the key (RFC 7638), base64url.
    pub fn thumbprint(&self) -> String {
        // Members of RFC 7638 §3.2 in lexicographic order, no blanks.
        let canonical = match &self.key {
            PublicKey::P256(point) => format!(
                r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#,
                base64url(&point[1..33]),
                base64url(&point[33..])
            ),
            PublicKey::Rsa { n, e } => {
                format!(
                    r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#,
                    base64url(e),
                    base64url(n)
                )
            }
        };
        base64url(Sha256::digest(canonical.as_bytes()))
    }
}

impl JwkSet {
    /// Reads a JWK Set. Keys of kinds that this OP does not use are left out (RFC 7517 §5); a key that is
    /// broken, weak or private is an error.
    ///
    /// # Errors
    /// [`JwkError`].
    pub fn parse(value: &Value) -> Result<Self, JwkError> {
        let keys = value
            .get("keys")
            .and_then(Value::as_array)
            .ok_or(JwkError::Member {
                member: "keys",
                why: "is missing: a JWK Set is an object with an array of keys",
            })?;
        if keys.len() > MOST_KEYS {
            return Err(JwkError::TooMany { got: keys.len() });
        }
        let mut set = Vec::new();
        for key in keys {
            match Jwk::parse(key) {
                Ok(key) => set.push(key),
                Err(JwkError::Unsupported(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self(set))
    }

    /// The set as JSON.
    pub fn to_value(&self) -> Value {
        json!({ "keys": self.0.iter().map(Jwk::to_value).collect::<Vec<_>>() })
    }
}

fn p256(members: &Map<String, Value>) -> Result<PublicKey, JwkError> {
    let mut point = Box::new([0; 65]);
    point[0] = 4;
    for (member, range) in [("x", 1..33), ("y", 33..65)] {
        let octets = number(members, member)?;
        if octets.len() != 32 {
            return Err(JwkError::Member {
                member: if member == "x" { "x" } else { "y" },
                why: "must have 32 octets (RFC 7518 section 6.2.1.2)",
            });
        }
        point[range].copy_from_slice(&octets);
    }
    P256Key::from_sec1_bytes(&*point).map_err(|_| JwkError::NotOnCurve)?;
    Ok(PublicKey::P256(point))
}

fn rsa(members: &Map<String, Value>) -> Result<PublicKey, JwkError> {
    let trimmed = |octets: Vec<u8>| {
        let zeros = octets.iter().take_while(|&&octet| octet == 0).count();
        octets[zeros..].to_vec()
    };
    let n = trimmed(number(members, "n")?);
    let e = trimmed(number(members, "e")?);
    let bits = n
        .first()
        .map_or(0, |top| n.len() * 8 - top.leading_zeros() as usize);
    if !(FEWEST_BITS..=MOST_BITS).contains(&bits) {
        return Err(JwkError::RsaSize { got: bits });
    }
    let odd = e.last().is_some_and(|last| last % 2 == 1);
    if !odd || e.len() > 4 || e == [1] {
        return Err(JwkError::Member {
            member: "e",
            why: "must be an odd exponent from 3 up to 32 bits",
        });
    }
    Ok(PublicKey::Rsa { n, e })
}

fn unsupported(kind: &str) -> JwkError {
    JwkError::Unsupported(kind.chars().take(20).collect())
}

fn required<'a>(
    members: &'a Map<String, Value>,
    member: &'static str,
) -> Result<&'a str, JwkError> {
    members
        .get(member)
        .and_then(Value::as_str)
        .ok_or(JwkError::Member {
            member,
            why: "is missing or no string",
        })
}

fn optional(
    members: &Map<String, Value>,
    member: &'static str,
) -> Result<Option<String>, JwkError> {
    match members.get(member) {
        None => Ok(None),
        Some(Value::String(text)) if text.len() <= 256 => Ok(Some(text.clone())),
        Some(_) => Err(JwkError::Member {
            member,
            why: "must be a short string",
        }),
    }
}

fn number(members: &Map<String, Value>, member: &'static str) -> Result<Vec<u8>, JwkError> {
    decode(required(members, member)?).ok_or(JwkError::Member {
        member,
        why: "is not base64url",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7515 A.3.1.
    fn ec() -> Value {
        json!({
            "kty": "EC", "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        })
    }

    #[test]
    fn parse_and_to_value_are_inverse() {
        let mut value = ec();
        value["kid"] = json!("one");
        value["use"] = json!("sig");
        value["alg"] = json!("ES256");
        assert_eq!(Jwk::parse(&value).unwrap().to_value(), value);
    }

    #[test]
    fn thumbprint_is_the_example_of_rfc_7638() {
        // RFC 7638 §3.1.
        let key = json!({
            "kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECP\
                  ebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368Q\
                  QMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2Nc\
                  Rwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        });
        assert_eq!(
            Jwk::parse(&key).unwrap().thumbprint(),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
    }

    #[test]
    fn rsa_under_2048_bits_is_refused() {
        for (octets, got) in [(128, 1024), (255, 2040), (1025, 8200)] {
            let key = json!({"kty": "RSA", "e": "AQAB", "n": base64url(vec![0xff; octets])});
            assert_eq!(Jwk::parse(&key), Err(JwkError::RsaSize { got }));
        }
        // Leading zeros make it no longer.
        let padded = [vec![0; 128], vec![0xff; 128]].concat();
        let key = json!({"kty": "RSA", "e": "AQAB", "n": base64url(padded)});
        assert_eq!(Jwk::parse(&key), Err(JwkError::RsaSize { got: 1024 }));
        let key = json!({"kty": "RSA", "e": "", "n": ""});
        assert_eq!(Jwk::parse(&key), Err(JwkError::RsaSize { got: 0 }));
    }

    #[test]
    fn rsa_exponents_that_prove_nothing_are_refused() {
        for exponent in ["AQ", "Ag", "AA", "", "AQAAAAAB"] {
            let key = json!({"kty": "RSA", "e": exponent, "n": base64url(vec![0xff; 256])});
            assert!(
                matches!(Jwk::parse(&key), Err(JwkError::Member { member: "e", .. })),
                "{exponent}"
            );
        }
    }

    #[test]
    fn invalid_curve_points_are_refused() {
        let mut value = ec();
        value["y"] = json!("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a4");
        assert_eq!(Jwk::parse(&value), Err(JwkError::NotOnCurve));
        let zero = base64url([0; 32]);
        let value = json!({"kty": "EC", "crv": "P-256", "x": zero, "y": zero});
        assert_eq!(Jwk::parse(&value), Err(JwkError::NotOnCurve));
        let mut value = ec();
        value["x"] = json!("AA");
        assert!(matches!(
            Jwk::parse(&value),
            Err(JwkError::Member { member: "x", .. })
        ));
    }

    #[test]
    fn private_and_symmetric_keys_are_refused() {
        let mut value = ec();
        value["d"] = json!("x");
        assert_eq!(Jwk::parse(&value), Err(JwkError::Private("d")));
        let oct = json!({"kty": "oct", "k": "AAAA"});
        assert_eq!(Jwk::parse(&oct), Err(JwkError::Private("k")));
    }

    #[test]
    fn a_set_leaves_out_kinds_that_are_not_used() {
        let okp = json!({"kty": "OKP", "crv": "Ed25519", "x": "AA"});
        let set = JwkSet::parse(&json!({"keys": [okp, ec()]})).unwrap();
        assert_eq!(set.0.len(), 1);
        let many = vec![ec(); 33];
        let set = JwkSet::parse(&json!({ "keys": many }));
        assert_eq!(set, Err(JwkError::TooMany { got: 33 }));
        assert!(JwkSet::parse(&json!([])).is_err());
    }
}

//! JSON Web Encryption, compact serialisation (RFC 7516): RSA-OAEP-256 and ECDH-ES with and without key wrapping, GCM and
//! CBC-HS content encryption (RFC 7518 §4, §5).
//!
//! What may be used is the caller's word. Every failure after the header looks the same to the sender, so that nothing can
//! be learnt about a key from answers. Never panics, whatever the text.

use p256::{PublicKey as P256Public, SecretKey};
use rand_core::Rng;
use rsa::{BigUint, Oaep, RsaPrivateKey, RsaPublicKey};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use self::content::ContentEncryption;
use super::jwk::{Jwk, PublicKey};
use super::jws::{MOST_CHARACTERS, read_header, text};
use super::{JoseError, base64url, decode};

pub(crate) mod content;
mod wrap;

/// Key management algorithms that a configuration can allow (RFC 7518 §4.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyManagement {
    /// RSAES OAEP with SHA-256 and MGF1 with SHA-256.
    RsaOaep256,
    /// ECDH-ES on P-256, the agreed key encrypts the content.
    EcdhEs,
    /// ECDH-ES on P-256, the agreed key wraps the content's with 128 bits.
    EcdhEsA128Kw,
    /// The same with 256 bits.
    EcdhEsA256Kw,
}

impl KeyManagement {
    /// Every algorithm.
    pub const ALL: [Self; 4] = [
        Self::RsaOaep256,
        Self::EcdhEs,
        Self::EcdhEsA128Kw,
        Self::EcdhEsA256Kw,
    ];

    /// The `alg` value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EcdhEs => "ECDH-ES",
            Self::EcdhEsA128Kw => "ECDH-ES+A128KW",
            Self::EcdhEsA256Kw => "ECDH-ES+A256KW",
            Self::RsaOaep256 => "RSA-OAEP-256",
        }
    }

    /// The algorithm of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|alg| alg.as_str() == name)
    }
}

/// A private key that tokens can be encrypted for.
#[derive(Clone)]
pub struct DecryptionKey {
    kid: String,
    private: Private,
}

#[derive(Clone)]
enum Private {
    P256(Box<SecretKey>),
    Rsa(Box<RsaPrivateKey>),
}

impl std::fmt::Debug for DecryptionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DecryptionKey({})", self.kid)
    }
}

/// The octets are no such private key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no {0} private key")]
pub struct BadPrivateKey(&'static str);

impl DecryptionKey {
    /// A key on P-256 from its 32 octets. Its kid is its thumbprint.
    ///
    /// # Errors
    /// If the octets are no such key.
    pub fn p256(octets: &[u8]) -> Result<Self, BadPrivateKey> {
        let secret = SecretKey::from_slice(octets).map_err(|_| BadPrivateKey("P-256"))?;
        Ok(Self::named(Private::P256(Box::new(secret))))
    }

    /// An RSA key from PKCS#8 PEM. Its kid is its thumbprint.
    ///
    /// # Errors
    /// If the text is no such key.
    pub fn rsa_pem(pem: &str) -> Result<Self, BadPrivateKey> {
        use rsa::pkcs8::DecodePrivateKey;
        let key = RsaPrivateKey::from_pkcs8_pem(pem).map_err(|_| BadPrivateKey("RSA PKCS#8"))?;
        Ok(Self::named(Private::Rsa(Box::new(key))))
    }

    fn named(private: Private) -> Self {
        let mut key = Self {
            kid: String::new(),
            private,
        };
        key.kid = key.public().thumbprint();
        key
    }

    /// The public part, as it is published.
    pub fn public(&self) -> Jwk {
        let key = match &self.private {
            Private::P256(secret) => {
                let mut point = Box::new([0; 65]);
                let encoded = secret.public_key();
                let octets =
                    p256::elliptic_curve::sec1::ToSec1Point::to_sec1_point(&encoded, false);
                point.copy_from_slice(octets.as_bytes());
                PublicKey::P256(point)
            }
            Private::Rsa(key) => {
                use rsa::traits::PublicKeyParts;
                PublicKey::Rsa {
                    n: key.n().to_bytes_be(),
                    e: key.e().to_bytes_be(),
                }
            }
        };
        Jwk {
            kid: Some(self.kid.clone()),
            usage: Some("enc".into()),
            alg: None,
            key,
        }
    }

    fn fits(&self, alg: KeyManagement) -> bool {
        matches!(self.private, Private::Rsa(_)) == (alg == KeyManagement::RsaOaep256)
    }
}

/// What the receiver allows.
#[derive(Clone, Debug)]
pub struct Allowed {
    /// `alg`.
    pub key_management: Vec<KeyManagement>,
    /// `enc`.
    pub content: Vec<ContentEncryption>,
}

impl Default for Allowed {
    /// Everything there is.
    fn default() -> Self {
        Self {
            key_management: KeyManagement::ALL.into(),
            content: ContentEncryption::ALL.into(),
        }
    }
}

/// A token that was decrypted.
pub(crate) struct Decrypted {
    pub(crate) header: Map<String, Value>,
    pub(crate) plaintext: Zeroizing<Vec<u8>>,
}

/// Whether the text has the shape of a compact JWE.
pub(crate) fn is_compact(text: &str) -> bool {
    text.bytes().filter(|&octet| octet == b'.').count() == 4
}

/// Reads and decrypts a compact JWE.
pub(crate) fn decrypt(
    compact: &str,
    keys: &[DecryptionKey],
    allowed: &Allowed,
) -> Result<Decrypted, JoseError> {
    if compact.len() > MOST_CHARACTERS {
        return Err(JoseError::TooLong {
            got: compact.len(),
            most: MOST_CHARACTERS,
        });
    }
    let parts: Vec<&str> = compact.splitn(6, '.').collect();
    let [aad, encrypted_key, iv, ciphertext, tag] = parts[..] else {
        return Err(JoseError::NotCompact {
            expected: "five parts of base64url (RFC 7516 section 7.1)",
        });
    };
    let part = |name, text: &str| decode(text).ok_or(JoseError::Base64(name));
    let header = read_header(&part("header", aad)?)?;
    // A few octets can inflate to gigabytes; p2c asks for as many rounds of hashing as the sender likes.
    for name in ["zip", "p2c", "p2s"] {
        if header.contains_key(name) {
            return Err(JoseError::Header(name, "is not taken"));
        }
    }
    let alg = text(&header, "alg")?.ok_or(JoseError::Header("alg", "is missing"))?;
    let enc = text(&header, "enc")?.ok_or(JoseError::Header("enc", "is missing"))?;
    let alg = KeyManagement::named(alg)
        .filter(|alg| allowed.key_management.contains(alg))
        .ok_or_else(|| JoseError::Alg {
            got: alg.chars().take(32).collect(),
            expected: join(allowed.key_management.iter().map(|alg| alg.as_str())),
        })?;
    let enc = ContentEncryption::named(enc)
        .filter(|enc| allowed.content.contains(enc))
        .ok_or_else(|| JoseError::Alg {
            got: enc.chars().take(32).collect(),
            expected: join(allowed.content.iter().map(|enc| enc.as_str())),
        })?;
    let kid = text(&header, "kid")?;
    let key = keys
        .iter()
        .filter(|key| key.fits(alg))
        .find(|key| kid.is_none_or(|kid| key.kid == kid))
        .ok_or_else(|| JoseError::NoKey {
            alg: alg.as_str(),
            kid: kid.map(|kid| kid.chars().take(64).collect()),
        })?;
    let encrypted_key = part("encrypted key", encrypted_key)?;
    let iv = part("initialization vector", iv)?;
    let ciphertext = part("ciphertext", ciphertext)?;
    let tag = part("tag", tag)?;

    let content_key = content_key(key, alg, enc, &header, &encrypted_key)?;
    let plaintext = enc
        .open(&content_key, &iv, aad.as_bytes(), &ciphertext, &tag)
        .ok_or(JoseError::Decryption)?;
    Ok(Decrypted { header, plaintext })
}

/// Encrypts for the owner of `to`; `cty` says what the plaintext is.
pub(crate) fn encrypt(
    plaintext: &[u8],
    to: &Jwk,
    alg: KeyManagement,
    enc: ContentEncryption,
    cty: Option<&str>,
    rng: &mut dyn Rng,
) -> Result<String, JoseError> {
    let mut header = Map::new();
    header.insert("alg".into(), json!(alg.as_str()));
    header.insert("enc".into(), json!(enc.as_str()));
    if let Some(kid) = &to.kid {
        header.insert("kid".into(), json!(kid));
    }
    if let Some(cty) = cty {
        header.insert("cty".into(), json!(cty));
    }
    let mut content_key = Zeroizing::new(vec![0; enc.key_length()]);
    rng.fill_bytes(&mut content_key);
    let encrypted_key = match (&to.key, alg) {
        (PublicKey::Rsa { n, e }, KeyManagement::RsaOaep256) => {
            RsaPublicKey::new(BigUint::from_bytes_be(n), BigUint::from_bytes_be(e))
                .and_then(|key| {
                    key.encrypt(
                        &mut wrap::OldRng(rng),
                        Oaep::new::<rsa::sha2::Sha256>(),
                        &content_key,
                    )
                })
                .map_err(|_| JoseError::Encryption)?
        }
        (PublicKey::P256(point), KeyManagement::RsaOaep256) => {
            let _ = point;
            return Err(JoseError::Encryption);
        }
        (PublicKey::P256(point), _) => {
            let ephemeral = wrap::new_p256(rng);
            let theirs =
                P256Public::from_sec1_bytes(&**point).map_err(|_| JoseError::Encryption)?;
            let shared = ephemeral.diffie_hellman(&theirs);
            let ours = DecryptionKey::named(Private::P256(Box::new(ephemeral))).public();
            let epk = Jwk {
                kid: None,
                usage: None,
                ..ours
            };
            header.insert("epk".into(), epk.to_value());
            let agreed = agreed_key(shared.raw_secret_bytes(), alg, enc, &[], &[]);
            match alg {
                KeyManagement::EcdhEs => {
                    content_key = agreed;
                    Vec::new()
                }
                _ => wrap::wrap(&agreed, &content_key).ok_or(JoseError::Encryption)?,
            }
        }
        (PublicKey::Rsa { .. }, _) => return Err(JoseError::Encryption),
    };
    let aad = base64url(Value::Object(header).to_string());
    let mut iv = vec![0; enc.iv_length()];
    rng.fill_bytes(&mut iv);
    let (ciphertext, tag) = enc
        .seal(&content_key, &iv, aad.as_bytes(), plaintext)
        .ok_or(JoseError::Encryption)?;
    Ok(format!(
        "{aad}.{}.{}.{}.{}",
        base64url(encrypted_key),
        base64url(iv),
        base64url(ciphertext),
        base64url(tag)
    ))
}

/// The key that the content is encrypted with.
fn content_key(
    key: &DecryptionKey,
    alg: KeyManagement,
    enc: ContentEncryption,
    header: &Map<String, Value>,
    encrypted_key: &[u8],
) -> Result<Zeroizing<Vec<u8>>, JoseError> {
    match &key.private {
        Private::Rsa(private) => {
            let opened = private.decrypt(Oaep::new::<rsa::sha2::Sha256>(), encrypted_key);
            // RFC 7516 §11.5: go on with a key that cannot be right, so that both failures look and last the same.
            Ok(Zeroizing::new(match opened {
                Ok(content_key) if content_key.len() == enc.key_length() => content_key,
                _ => {
                    let wrong = Sha256::digest(encrypted_key);
                    wrong
                        .iter()
                        .copied()
                        .cycle()
                        .take(enc.key_length())
                        .collect()
                }
            }))
        }
        Private::P256(private) => {
            let epk = header
                .get("epk")
                .ok_or(JoseError::Header("epk", "is missing"))?;
            let epk = Jwk::parse(epk).map_err(JoseError::Epk)?;
            let PublicKey::P256(point) = &epk.key else {
                return Err(JoseError::Header("epk", "is not on the key's curve"));
            };
            let theirs =
                P256Public::from_sec1_bytes(&**point).map_err(|_| JoseError::Decryption)?;
            let shared = private.diffie_hellman(&theirs);
            let info = |name| -> Result<Vec<u8>, JoseError> {
                let octets = text(header, name)?.map_or(Some(Vec::new()), decode);
                octets.ok_or(JoseError::Header(name, "is not base64url"))
            };
            let (apu, apv) = (info("apu")?, info("apv")?);
            let agreed = agreed_key(shared.raw_secret_bytes(), alg, enc, &apu, &apv);
            match alg {
                KeyManagement::EcdhEs if encrypted_key.is_empty() => Ok(agreed),
                KeyManagement::EcdhEs => Err(JoseError::Decryption),
                _ => wrap::unwrap(&agreed, encrypted_key)
                    .filter(|content_key| content_key.len() == enc.key_length())
                    .ok_or(JoseError::Decryption),
            }
        }
    }
}

/// Concat KDF with SHA-256 (RFC 7518 §4.6.2).
fn agreed_key(
    shared: &[u8],
    alg: KeyManagement,
    enc: ContentEncryption,
    apu: &[u8],
    apv: &[u8],
) -> Zeroizing<Vec<u8>> {
    let (name, length) = match alg {
        KeyManagement::EcdhEsA128Kw => (alg.as_str(), 16),
        KeyManagement::EcdhEsA256Kw => (alg.as_str(), 32),
        KeyManagement::EcdhEs | KeyManagement::RsaOaep256 => (enc.as_str(), enc.key_length()),
    };
    let mut key = Zeroizing::new(Vec::with_capacity(length + 32));
    for round in 1u32.. {
        let mut hash = Sha256::new();
        hash.update(round.to_be_bytes());
        hash.update(shared);
        for field in [name.as_bytes(), apu, apv] {
            // A token is far shorter than 4 GB.
            hash.update((field.len() as u32).to_be_bytes());
            hash.update(field);
        }
        hash.update((length as u32 * 8).to_be_bytes());
        key.extend_from_slice(&hash.finalize());
        if key.len() >= length {
            break;
        }
    }
    key.truncate(length);
    key
}

fn join<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests;

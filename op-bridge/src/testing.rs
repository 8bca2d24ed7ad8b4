//! What the tests share: a store in memory, a signer, chance that repeats.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use rand_core::{Rng as _, TryRng};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{Algorithm, AuthMethod, Client, DeliveryMode, Jwk, JwkSet, Signer, Step, View, Write};

/// `seconds` after the tests' epoch, 2026-11-22T10:00:00Z.
pub(crate) fn at(seconds: i64) -> Timestamp {
    let epoch: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
    epoch + SignedDuration::from_secs(seconds)
}

/// A P-256 key made by ring.
pub(crate) struct TestSigner(EcdsaKeyPair, &'static str);

impl TestSigner {
    pub(crate) fn new() -> Self {
        Self::named("test-only-1")
    }

    pub(crate) fn named(kid: &'static str) -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self(
            EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap(),
            kid,
        )
    }

    /// Verifies a compact JWS and returns its claims.
    pub(crate) fn verify(&self, jws: &str) -> Value {
        let (input, signature) = jws.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.0.public_key().as_ref())
            .verify(input.as_bytes(), &signature)
            .unwrap();
        let claims = URL_SAFE_NO_PAD
            .decode(input.split('.').nth(1).unwrap())
            .unwrap();
        serde_json::from_slice(&claims).unwrap()
    }
}

impl Signer for TestSigner {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Es256
    }

    fn kid(&self) -> &str {
        self.1
    }

    fn public_jwk(&self) -> Value {
        let point = self.0.public_key().as_ref();
        json!({
            "kty": "EC",
            "crv": "P-256",
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]),
            "y": URL_SAFE_NO_PAD.encode(&point[33..65]),
        })
    }

    fn sign(&self, input: &[u8]) -> Vec<u8> {
        self.0
            .sign(&SystemRandom::new(), input)
            .unwrap()
            .as_ref()
            .to_vec()
    }
}

/// SHA-256 in counter mode.
pub(crate) struct TestRng(pub(crate) u64);

impl TestRng {
    /// From 0 up to, not including, `sides`.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.next_u32() as usize % sides
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())]
    }
}

impl TryRng for TestRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut octets = [0; 4];
        self.try_fill_bytes(&mut octets)?;
        Ok(u32::from_be_bytes(octets))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut octets = [0; 8];
        self.try_fill_bytes(&mut octets)?;
        Ok(u64::from_be_bytes(octets))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        for chunk in dst.chunks_mut(32) {
            self.0 += 1;
            let block = Sha256::digest(self.0.to_be_bytes());
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
        Ok(())
    }
}

/// A store in memory with a version for each key.
#[derive(Clone, Default)]
pub(crate) struct Store {
    pub(crate) records: BTreeMap<String, (u64, Vec<u8>)>,
    pub(crate) timers: BTreeMap<String, Timestamp>,
    version: u64,
}

/// What one step read: key and version seen, 0 when absent.
pub(crate) struct Reader<'a> {
    store: &'a Store,
    read: RefCell<BTreeMap<String, u64>>,
}

impl Store {
    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader {
            store: self,
            read: RefCell::default(),
        }
    }

    fn version_of(&self, key: &str) -> u64 {
        self.records.get(key).map_or(0, |(version, _)| *version)
    }

    /// Commits a step unless something it read has changed since.
    pub(crate) fn commit(&mut self, step: &mut Step, read: &BTreeMap<String, u64>) -> bool {
        if read
            .iter()
            .any(|(key, version)| self.version_of(key) != *version)
        {
            return false;
        }
        for change in step.changes.drain(..) {
            self.version += 1;
            match change.into_write() {
                Write::Put { key, value } => {
                    self.records.insert(key, (self.version, value));
                }
                Write::Delete { key } => {
                    self.records.remove(&key);
                }
                Write::Timer {
                    key,
                    due: Some(due),
                } => {
                    self.timers.insert(key, due);
                }
                Write::Timer { key, due: None } => {
                    self.timers.remove(&key);
                }
            }
        }
        true
    }
}

impl Reader<'_> {
    pub(crate) fn into_read(self) -> BTreeMap<String, u64> {
        self.read.into_inner()
    }
}

impl View for Reader<'_> {
    fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.read
            .borrow_mut()
            .insert(key.to_owned(), self.store.version_of(key));
        self.store.records.get(key).map(|(_, value)| value.clone())
    }

    fn scan(&self, prefix: &str) -> Vec<(String, Vec<u8>)> {
        let records = self
            .store
            .records
            .iter()
            .filter(|(key, _)| key.starts_with(prefix));
        records
            .map(|(key, (_, value))| (key.clone(), value.clone()))
            .collect()
    }
}

/// A client that signs its assertions with `signer`.
pub(crate) fn jwt_client(id: &str, signer: &TestSigner) -> Client {
    let mut client = Client::new(id, "", DeliveryMode::Poll);
    client.secret = None;
    client.authentication.method = AuthMethod::PrivateKeyJwt;
    client.authentication.jwks = JwkSet(vec![Jwk::parse(&signer.public_jwk()).unwrap()]);
    client
}

/// A compact JWS over `claims` without a kid.
pub(crate) fn assertion(signer: &TestSigner, claims: &Value) -> String {
    signed(signer, &json!({"alg": "ES256", "typ": "JWT"}), claims)
}

/// A compact JWS with this header.
pub(crate) fn signed(signer: &TestSigner, header: &Value, claims: &Value) -> String {
    let input = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let signature = signer.sign(input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A compact JWS with a MAC, HS256.
pub(crate) fn mac(secret: &[u8], claims: &Value) -> String {
    let input = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
    let tag = ring::hmac::sign(&key, input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag))
}

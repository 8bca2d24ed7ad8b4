//! The OP's signing keys: ring signs, or, when everything comes from a seed, p256 after RFC 6979, which draws no chance.
//! PSS has a random salt: its signatures differ in every run, also in a seeded one.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use op_bridge::{Algorithm, Signer};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use rand_core::Rng;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PSS_SHA256, RsaKeyPair,
    RsaPublicKeyComponents as PublicKeyComponents,
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// An ES256 key.
pub(super) struct Es256 {
    kid: String,
    jwk: Value,
    engine: Engine,
}

enum Engine {
    /// Same input, same signature.
    Deterministic(Box<SigningKey>),
    Ring(Box<EcdsaKeyPair>, SystemRandom),
}

/// A PS256 key.
pub(super) struct Ps256 {
    jwk: Value,
    pair: RsaKeyPair,
    random: SystemRandom,
}

/// The private key that everybody can read: it saves every start the time that finding two primes takes.
const TEST_ONLY: &str = include_str!("../../fixtures/keys/op-signing-rsa-TEST-ONLY.pem");

/// The octets of a private key are not one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the OP's signing key in the store is not a P-256 private key")]
pub struct BadKey;

/// 32 octets that are a P-256 private key. Nearly all are.
pub(super) fn new_key(rng: &mut dyn Rng) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    loop {
        rng.fill_bytes(&mut *key);
        if SigningKey::from_slice(&*key).is_ok() {
            return key;
        }
    }
}

impl Es256 {
    /// A signer of this private key.
    pub(super) fn new(key: &[u8], deterministic: bool) -> Result<Self, BadKey> {
        let signing = SigningKey::from_slice(key).map_err(|_| BadKey)?;
        let point = signing.verifying_key().to_sec1_point(false);
        let octets = point.as_bytes();
        let coordinate = |range| URL_SAFE_NO_PAD.encode(&octets[range]);
        let (x, y) = (coordinate(1..33), coordinate(33..65));
        // RFC 7638: the thumbprint names the key.
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let thumbprint = ring::digest::digest(&ring::digest::SHA256, canonical.as_bytes());
        let engine = if deterministic {
            Engine::Deterministic(Box::new(signing))
        } else {
            let random = SystemRandom::new();
            let pair = EcdsaKeyPair::from_private_key_and_public_key(
                &ECDSA_P256_SHA256_FIXED_SIGNING,
                key,
                octets,
                &random,
            );
            Engine::Ring(Box::new(pair.map_err(|_| BadKey)?), random)
        };
        Ok(Self {
            kid: URL_SAFE_NO_PAD.encode(thumbprint),
            jwk: json!({"kty": "EC", "crv": "P-256", "x": x, "y": y}),
            engine,
        })
    }
}

impl Signer for Es256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Es256
    }

    fn kid(&self) -> &str {
        &self.kid
    }

    fn public_jwk(&self) -> Value {
        self.jwk.clone()
    }

    fn sign(&self, input: &[u8]) -> Vec<u8> {
        match &self.engine {
            Engine::Deterministic(key) => {
                let signature: Signature = key.sign(input);
                signature.to_bytes().to_vec()
            }
            // ring fails here only without a system random source, which the process has already used; a signature of no
            // octets verifies nowhere.
            Engine::Ring(pair, random) => pair
                .sign(random, input)
                .map(|signature| signature.as_ref().to_vec())
                .unwrap_or_default(),
        }
    }
}

impl Ps256 {
    /// The key that comes with midsim.
    pub(super) fn test_only() -> Result<Self, BadKey> {
        let base64: String = TEST_ONLY
            .lines()
            .filter(|line| !line.starts_with("-----"))
            .collect();
        let der = STANDARD.decode(base64).map_err(|_| BadKey)?;
        let pair = RsaKeyPair::from_pkcs8(&der).map_err(|_| BadKey)?;
        let public = PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
        let jwk = json!({
            "kty": "RSA",
            "n": URL_SAFE_NO_PAD.encode(public.n),
            "e": URL_SAFE_NO_PAD.encode(public.e),
        });
        Ok(Self {
            jwk,
            pair,
            random: SystemRandom::new(),
        })
    }
}

impl Signer for Ps256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Ps256
    }

    fn kid(&self) -> &str {
        "TEST-ONLY-ps256"
    }

    fn public_jwk(&self) -> Value {
        self.jwk.clone()
    }

    fn sign(&self, input: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        // As with ECDSA: no random source, no signature.
        match self
            .pair
            .sign(&RSA_PSS_SHA256, &self.random, input, &mut signature)
        {
            Ok(()) => signature,
            Err(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;

    /// RFC 6979 A.2.5: P-256, SHA-256, message "sample".
    #[test]
    fn a_seeded_signer_follows_rfc_6979() {
        let key = hex::decode("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721")
            .unwrap();
        let signature = Es256::new(&key, true).unwrap().sign(b"sample");
        assert_eq!(
            hex::encode_upper(signature),
            "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716\
             F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
        );
    }

    #[test]
    fn both_engines_verify_with_the_published_key() {
        let key = new_key(&mut rand_chacha::ChaCha20Rng::from_seed([7; 32]));
        for deterministic in [true, false] {
            let signer = Es256::new(&*key, deterministic).unwrap();
            let jwk = signer.public_jwk();
            let part = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
            let point = [vec![4], part("x"), part("y")].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(b"text", &signer.sign(b"text"))
                .unwrap();
        }
    }

    #[test]
    fn an_rsa_signature_verifies_with_the_published_key() {
        let signer = Ps256::test_only().unwrap();
        let jwk = signer.public_jwk();
        let part = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
        let key = PublicKeyComponents {
            n: part("n"),
            e: part("e"),
        };
        let signature = signer.sign(b"text");
        key.verify(&RSA_PSS_2048_8192_SHA256, b"text", &signature)
            .unwrap();
        assert_ne!(signer.sign(b"text"), signature, "a salt of its own each");
    }

    #[test]
    fn octets_that_are_no_key_are_refused() {
        assert_eq!(Es256::new(&[0; 32], true).err(), Some(BadKey));
        assert_eq!(Es256::new(&[1; 31], false).err(), Some(BadKey));
    }

    use rand_core::SeedableRng as _;
}

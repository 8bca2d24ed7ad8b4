//! The private key of the sources' clients, `fixtures/keys/client-es256-TEST-ONLY.jwk`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};

const KEY: &str = include_str!("../../fixtures/keys/client-es256-TEST-ONLY.jwk");

pub(crate) struct Signer(EcdsaKeyPair);

impl Signer {
    pub(crate) fn new() -> Self {
        let jwk: Value = serde_json::from_str(KEY).unwrap();
        let part = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
        let point = [vec![4], part("x"), part("y")].concat();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let random = SystemRandom::new();
        let pair =
            EcdsaKeyPair::from_private_key_and_public_key(algorithm, &part("d"), &point, &random);
        Self(pair.unwrap())
    }

    /// Its public part.
    pub(crate) fn jwk() -> Value {
        let mut jwk: Value = serde_json::from_str(KEY).unwrap();
        jwk.as_object_mut().unwrap().remove("d");
        jwk
    }

    /// A compact JWS with this header over these claims, whatever the header says.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let input = [header, claims]
            .map(|part| URL_SAFE_NO_PAD.encode(part.to_string()))
            .join(".");
        let signature = self.0.sign(&SystemRandom::new(), input.as_bytes());
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.unwrap()))
    }

    /// The same with ES256.
    pub(crate) fn es256(&self, claims: &Value) -> String {
        self.sign(&json!({"alg": "ES256"}), claims)
    }
}

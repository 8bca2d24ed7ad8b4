//! An OP and a discovery service that it trusts.

use serde_json::json;

use super::*;
use crate::discovery::Discovery;
use crate::jose::jwe::{self, content::ContentEncryption};
use crate::testing::assertion;
use crate::{DecryptionKey, HintIssuer, HintRules, Jwk, JwkSet, KeyManagement, Signer};

pub(super) const RSA_PEM: &str =
    include_str!("../../../../fixtures/keys/op-encryption-rsa-TEST-ONLY.pem");
pub(super) const DISCOVERY: &str = "http://127.0.0.1:8261";

/// An OP, and a discovery service that it trusts.
pub(super) struct Hints {
    pub(super) world: World,
    pub(super) discovery: TestSigner,
    pub(super) keys: Vec<DecryptionKey>,
}

impl Hints {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut HintRules)) -> Self {
        let discovery = TestSigner::named("discovery");
        let keys = vec![
            DecryptionKey::p256(&[9; 32]).unwrap(),
            DecryptionKey::rsa_pem(RSA_PEM).unwrap(),
        ];
        let for_config = keys.clone();
        let jwks = JwkSet(vec![Jwk::parse(&discovery.public_jwk()).unwrap()]);
        let world = World::with(|config| {
            config.decryption = for_config;
            config.hints.issuers = vec![HintIssuer {
                issuer: DISCOVERY.into(),
                jwks,
                jwks_uri: None,
            }];
            change(&mut config.hints);
        });
        Self {
            world,
            discovery,
            keys,
        }
    }

    pub(super) fn claims(&self) -> Value {
        let iat = at(self.world.now).as_second();
        json!({"iss": DISCOVERY, "aud": ISSUER, "iat": iat, "MSISDN": ALICE})
    }

    pub(super) fn encrypted(&self, content: &str) -> String {
        let (alg, enc) = (KeyManagement::EcdhEs, ContentEncryption::A128Gcm);
        let to = self.keys[0].public();
        jwe::encrypt(content.as_bytes(), &to, alg, enc, None, &mut TestRng(3)).unwrap()
    }

    pub(super) fn nested(&self, claims: &Value) -> String {
        self.encrypted(&assertion(&self.discovery, claims))
    }

    pub(super) fn send(&mut self, token: &str) -> (u16, Value) {
        let change = [("login_hint", ""), ("login_hint_token", token)];
        answer(&self.world.authorize("poll", &change))
    }

    #[track_caller]
    pub(super) fn taken(&mut self, token: &str) {
        let (status, body) = self.send(token);
        assert_eq!(status, 200, "{body}");
        let sent = text(&self.world.last());
        assert!(sent.contains(&format!("<mss:MSISDN>{ALICE}</mss:MSISDN>")));
    }

    #[track_caller]
    pub(super) fn refused(&mut self, token: &str, error: &str, why: &str) {
        let (status, body) = self.send(token);
        assert_eq!(
            (status, body["error"].as_str()),
            (400, Some(error)),
            "{body}"
        );
        let description = body["error_description"].as_str().unwrap();
        assert!(description.contains(why), "{description}");
    }

    pub(super) fn service(&self) -> Discovery {
        Discovery {
            issuer: DISCOVERY.into(),
            op: ISSUER.into(),
            op_keys: JwkSet(self.keys.iter().map(DecryptionKey::public).collect()),
            signer: Arc::new(TestSigner::named("discovery")),
        }
    }
}

pub(super) fn id_token(world: &mut World) -> String {
    let tokens = world.tokens("poll", &[]);
    tokens["id_token"].as_str().unwrap().to_owned()
}

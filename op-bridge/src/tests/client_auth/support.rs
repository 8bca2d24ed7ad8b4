//! A client for each way of authenticating.

use serde_json::json;

use super::*;
use crate::AuthMethod;
use crate::testing::jwt_client;

pub(super) const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// At least 32 octets, as a MAC key must be.
pub(super) const MAC_SECRET: &str = "0123456789abcdef0123456789abcdef";

pub(super) struct Caller {
    pub(super) world: World,
    pub(super) signer: Arc<TestSigner>,
}

impl Caller {
    /// A client `jwt` that signs assertions, one `mac` that makes MACs of them, one `post`.
    pub(super) fn new() -> Self {
        let signer = Arc::new(TestSigner::new());
        let for_config = signer.clone();
        let world = World::with(|config| {
            config.mtls_url = Some("https://127.0.0.1:8262".into());
            config.clients.push(jwt_client("jwt", &for_config));
            let mut mac = Client::new("mac", MAC_SECRET, DeliveryMode::Poll);
            mac.authentication.method = AuthMethod::ClientSecretJwt;
            config.clients.push(mac);
            let mut post = Client::new("post", "post-secret", DeliveryMode::Poll);
            post.authentication.method = AuthMethod::ClientSecretPost;
            config.clients.push(post);
        });
        Self { world, signer }
    }

    pub(super) fn claims(&self) -> Value {
        let now = at(self.world.now).as_second();
        json!({"iss": "jwt", "sub": "jwt", "aud": ISSUER, "iat": now, "exp": now + 60, "jti": "one"})
    }

    pub(super) fn send(&mut self, assertion: &str) -> (u16, Value) {
        self.send_with(assertion, &[])
    }

    pub(super) fn send_with(&mut self, assertion: &str, more: &[(&str, &str)]) -> (u16, Value) {
        let mut form = vec![
            ("client_assertion_type", JWT_BEARER),
            ("client_assertion", assertion),
        ];
        form.extend(more);
        answer(&self.world.http(unauthenticated(&form)))
    }

    #[track_caller]
    pub(super) fn refused(&mut self, assertion: &str, why: &str) {
        let (status, body) = self.send(assertion);
        assert_eq!(
            (status, body["error"].as_str()),
            (401, Some("invalid_client")),
            "{body}"
        );
        let description = body["error_description"].as_str().unwrap();
        assert!(description.contains(why), "{description}");
    }
}

/// A good authentication request without authentication.
pub(super) fn unauthenticated(more: &[(&str, &str)]) -> http::Request<Bytes> {
    let mut form = vec![
        ("scope", "openid"),
        ("acr_values", "mod-mf"),
        ("login_hint", ALICE),
    ];
    form.extend(more);
    http::Request::post("/bc-authorize")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from(encode(&form)))
        .unwrap()
}

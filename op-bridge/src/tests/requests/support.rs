//! Clients that sign their requests.

use serde_json::json;

use super::*;
use crate::JwsAlg;
use crate::testing::{assertion, jwt_client};

/// An OP with a client `rp` that authenticates with its secret and signs its requests, and one `other` that does so, too.
pub(super) struct Signing {
    pub(super) world: World,
    pub(super) signer: Arc<TestSigner>,
    pub(super) other: Arc<TestSigner>,
}

impl Signing {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let (signer, other) = (Arc::new(TestSigner::new()), Arc::new(TestSigner::new()));
        let clients = [("rp", &signer), ("other", &other)].map(|(id, signer)| {
            let mut client = Client::new(id, format!("{id}-secret"), DeliveryMode::Poll);
            client.authentication.jwks = jwt_client(id, signer).authentication.jwks;
            client.requests.signing_alg = Some(JwsAlg::Es256);
            client
        });
        let world = World::with(|config| {
            config.clients.extend(clients);
            change(config);
        });
        Self {
            world,
            signer,
            other,
        }
    }

    pub(super) fn claims(&self) -> Value {
        let now = at(self.world.now).as_second();
        json!({
            "iss": "rp", "aud": ISSUER, "iat": now, "nbf": now, "exp": now + 300, "jti": "one",
            "scope": "openid", "acr_values": "mod-mf", "login_hint": ALICE,
        })
    }

    pub(super) fn send(&mut self, request: &str, more: &[(&str, &str)]) -> (u16, Value) {
        let mut form = vec![("request", request)];
        form.extend(more);
        answer(&self.world.post("/bc-authorize", "rp", &form))
    }

    pub(super) fn send_claims(&mut self, claims: &Value) -> (u16, Value) {
        let request = assertion(&self.signer, claims);
        self.send(&request, &[])
    }

    #[track_caller]
    pub(super) fn refused(&mut self, request: &str, why: &str) {
        invalid_request(&self.send(request, &[]), why);
        assert!(self.world.sent.is_empty(), "the MSSP is left alone");
    }

    /// A good request with one claim changed, or removed if it is null.
    #[track_caller]
    pub(super) fn refused_with(claim: &str, value: Value, why: &str) {
        let mut signing = Self::new();
        let mut claims = signing.claims();
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(claim)),
            value => claims[claim] = value,
        }
        let request = assertion(&signing.signer, &claims);
        signing.refused(&request, why);
    }
}

/// The answer is this refusal, in its exact form.
#[track_caller]
pub(super) fn invalid_request((status, body): &(u16, Value), why: &str) {
    assert_eq!(
        (*status, body["error"].as_str()),
        (400, Some("invalid_request")),
        "{body}"
    );
    let members: Vec<_> = body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["error", "error_description"]);
    let description = body["error_description"].as_str().unwrap();
    assert!(description.contains(why), "{description}");
}

//! What no OP can do without: two answers over HTTP a flow, one ES256 signature, and a verification for each assertion.

use std::io::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, UnparsedPublicKey,
};
use serde_json::json;

use super::Result;
use super::ops::{client_public_key, member};

/// Octets of an answer with tokens, as ours has.
const TOKENS_LEN: usize = 600;
/// Octets of what is signed, as an id_token of ours has.
const CLAIMS_LEN: usize = 400;

struct Keys {
    own: EcdsaKeyPair,
    random: SystemRandom,
    client: UnparsedPublicKey<Vec<u8>>,
}

/// Serves until the process is ended. It checks and keeps nothing.
pub(crate) fn serve() -> Result<()> {
    let random = SystemRandom::new();
    let secret = URL_SAFE_NO_PAD.decode(member("d")?)?;
    let public = client_public_key()?;
    let own = EcdsaKeyPair::from_private_key_and_public_key(
        &ECDSA_P256_SHA256_FIXED_SIGNING,
        &secret,
        &public,
        &random,
    );
    let keys = Arc::new(Keys {
        own: own.map_err(|error| format!("the key: {error}"))?,
        random,
        client: UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public),
    });
    let router = axum::Router::new()
        .route("/bc-authorize", post(authorize))
        .route("/token", post(token))
        .with_state(keys);
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!(
            "{}",
            json!({ "address": listener.local_addr()?.to_string() })
        );
        std::io::stdout().flush()?;
        Ok(axum::serve(listener, router).await?)
    })
}

async fn authorize(keys: State<Arc<Keys>>, form: String) -> Answer {
    keys.verify(&form)?;
    Ok(format!(r#"{{"auth_req_id":"{}"}}"#, "x".repeat(43)))
}

async fn token(keys: State<Arc<Keys>>, form: String) -> Answer {
    keys.verify(&form)?;
    let signature = keys.own.sign(&keys.random, &[b'x'; CLAIMS_LEN]);
    let signature = signature.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let mut id_token = "x".repeat(TOKENS_LEN);
    URL_SAFE_NO_PAD.encode_string(signature, &mut id_token);
    Ok(format!(r#"{{"id_token":"{id_token}"}}"#))
}

type Answer = std::result::Result<String, StatusCode>;

impl Keys {
    /// The assertion in a form, if there is one.
    fn verify(&self, form: &str) -> std::result::Result<(), StatusCode> {
        let mut fields = form.split('&');
        let Some(jwt) = fields.find_map(|field| field.strip_prefix("client_assertion=")) else {
            return Ok(());
        };
        let (input, signature) = jwt.rsplit_once('.').ok_or(StatusCode::BAD_REQUEST)?;
        let signature = URL_SAFE_NO_PAD.decode(signature);
        let signature = signature.map_err(|_| StatusCode::BAD_REQUEST)?;
        let verified = self.client.verify(input.as_bytes(), &signature);
        verified.map_err(|_| StatusCode::UNAUTHORIZED)
    }
}

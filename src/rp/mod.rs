//! The relying party of demos and tests: a CIBA client that behaves as CIBA Core asks of one.
//!
//! It reaches the world through a [`Port`], so that the same client runs over sockets and in process.

mod verify;

use std::future::Future;
use std::pin::Pin;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;

pub use verify::{VerifyError, verify_id_token};

use crate::world::Mode;

/// A future of a [`Port`].
pub type Wait<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How the RP reaches the OP, the clock and its own notification endpoint.
pub trait Port: Send + Sync {
    /// Sends a request to the OP. The error says why there is no answer.
    fn call(&self, request: Request<Bytes>) -> Wait<'_, Result<Response<Bytes>, String>>;
    /// The next POST to the notification endpoint: its bearer token and its JSON body.
    fn notified(&self) -> Wait<'_, Notification>;
    /// Returns when the clock has reached `at`.
    fn wait_until(&self, at: Timestamp) -> Wait<'_, ()>;
    /// Simulated time.
    fn now(&self) -> Timestamp;
}

/// A ping or push as it arrived.
#[derive(Clone, Debug)]
pub struct Notification {
    /// The token of the `Authorization: Bearer` header.
    pub bearer: Option<String>,
    /// The JSON body; null when it was none.
    pub body: Value,
}

/// What the RP asks for.
#[derive(Clone, Debug)]
pub struct Flow {
    /// The OP's issuer, without a trailing slash.
    pub issuer: String,
    /// `client_id`.
    pub client_id: String,
    /// `client_secret`.
    pub client_secret: String,
    /// Delivery mode that the OP has registered for this client.
    pub mode: Mode,
    /// `login_hint`.
    pub login_hint: String,
    /// `acr_values`.
    pub acr_values: String,
    /// `scope`.
    pub scope: String,
    /// `binding_message`.
    pub binding_message: Option<String>,
    /// `requested_expiry`, seconds.
    pub requested_expiry: Option<u32>,
    /// `client_notification_token`, sent in ping and push mode.
    pub notification_token: String,
}

/// How a flow ended.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Ended {
    /// Tokens came and the id_token was verified.
    Tokens(Box<Tokens>),
    /// The OP said no.
    Refused {
        /// `error`.
        error: String,
        /// `error_description`.
        description: Option<String>,
        /// At which endpoint, or `push`.
        at: &'static str,
    },
    /// Something that the protocol does not foresee.
    Broken {
        /// What.
        why: String,
    },
}

/// A verified token response.
#[derive(Clone, Debug, Serialize)]
pub struct Tokens {
    /// `auth_req_id` of the request.
    pub auth_req_id: String,
    /// `access_token`.
    pub access_token: String,
    /// `id_token`, compact.
    pub id_token: String,
    /// `refresh_token`, when there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// Claims of the id_token.
    pub claims: Value,
    /// What userinfo answered.
    pub userinfo: Value,
}

/// Runs one flow to its end.
pub async fn run(port: &dyn Port, flow: &Flow) -> Ended {
    match (Client { port, flow }).run().await {
        Ok(tokens) => Ended::Tokens(Box::new(tokens)),
        Err(ended) => ended,
    }
}

struct Client<'a> {
    port: &'a dyn Port,
    flow: &'a Flow,
}

struct Acknowledgement {
    auth_req_id: String,
    interval: i64,
    expires_at: Timestamp,
}

impl Client<'_> {
    async fn run(&self) -> Result<Tokens, Ended> {
        let metadata = self
            .get(
                &format!("{}/.well-known/openid-configuration", self.flow.issuer),
                None,
            )
            .await?;
        let endpoint = |name: &str| {
            metadata[name]
                .as_str()
                .map(str::to_owned)
                .ok_or_else(|| broken(format!("discovery has no {name}")))
        };
        if metadata["issuer"] != self.flow.issuer {
            return Err(broken(format!(
                "discovery names issuer {}, expected {}",
                metadata["issuer"], self.flow.issuer
            )));
        }
        let ack = self
            .authorize(&endpoint("backchannel_authentication_endpoint")?)
            .await?;
        let token_endpoint = endpoint("token_endpoint")?;
        let response = match self.flow.mode {
            Mode::Poll => self.poll(&token_endpoint, &ack, ack.interval).await?,
            Mode::Ping => {
                self.notification(&ack).await?;
                self.poll(&token_endpoint, &ack, 0).await?
            }
            Mode::Push => self.notification(&ack).await?,
        };
        let string = |name: &str| response[name].as_str().map(str::to_owned);
        let missing = |name: &str| broken(format!("the token response has no {name}"));
        let id_token = string("id_token").ok_or_else(|| missing("id_token"))?;
        let access_token = string("access_token").ok_or_else(|| missing("access_token"))?;
        let refresh_token = string("refresh_token");
        let jwks = self.get(&endpoint("jwks_uri")?, None).await?;
        let claims = verify_id_token(
            &id_token,
            &jwks,
            &self.flow.issuer,
            &self.flow.client_id,
            self.port.now(),
        )
        .map_err(|error| broken(format!("id_token: {error}")))?;
        if self.flow.mode == Mode::Push {
            verify::push_claims(
                &claims,
                &ack.auth_req_id,
                &access_token,
                refresh_token.as_deref(),
            )
            .map_err(|error| broken(format!("id_token of a push: {error}")))?;
        }
        let userinfo = self
            .get(&endpoint("userinfo_endpoint")?, Some(&access_token))
            .await?;
        if userinfo["sub"] != claims["sub"] {
            return Err(broken(format!(
                "userinfo is about {}, the id_token about {}",
                userinfo["sub"], claims["sub"]
            )));
        }
        Ok(Tokens {
            auth_req_id: ack.auth_req_id,
            access_token,
            id_token,
            refresh_token,
            claims,
            userinfo,
        })
    }

    async fn authorize(&self, endpoint: &str) -> Result<Acknowledgement, Ended> {
        let flow = self.flow;
        let mut form = vec![
            ("scope", flow.scope.clone()),
            ("login_hint", flow.login_hint.clone()),
            ("acr_values", flow.acr_values.clone()),
        ];
        if let Some(message) = &flow.binding_message {
            form.push(("binding_message", message.clone()));
        }
        if let Some(seconds) = flow.requested_expiry {
            form.push(("requested_expiry", seconds.to_string()));
        }
        if flow.mode != Mode::Poll {
            form.push(("client_notification_token", flow.notification_token.clone()));
        }
        let (status, body) = self.post(endpoint, &form).await?;
        if status != StatusCode::OK {
            return Err(refused(&body, "bc-authorize"));
        }
        let auth_req_id = body["auth_req_id"]
            .as_str()
            .ok_or_else(|| broken("no auth_req_id".into()))?
            .to_owned();
        let expires_in = body["expires_in"]
            .as_i64()
            .ok_or_else(|| broken("no expires_in".into()))?;
        Ok(Acknowledgement {
            auth_req_id,
            interval: body["interval"].as_i64().unwrap_or(5),
            expires_at: self.after(expires_in),
        })
    }

    /// Polls until there is an answer. The wait before the first poll is `first`: a ping says that the answer is there.
    async fn poll(
        &self,
        endpoint: &str,
        ack: &Acknowledgement,
        first: i64,
    ) -> Result<Value, Ended> {
        let mut interval = ack.interval;
        let mut wait = first;
        loop {
            self.port.wait_until(self.after(wait)).await;
            let form = [
                ("grant_type", "urn:openid:params:grant-type:ciba".to_owned()),
                ("auth_req_id", ack.auth_req_id.clone()),
            ];
            let (status, body) = self.post(endpoint, &form).await?;
            match (status, body["error"].as_str()) {
                (StatusCode::OK, _) => return Ok(body),
                (_, Some("authorization_pending")) => {}
                (_, Some("slow_down")) => interval += 5,
                _ => return Err(refused(&body, "token")),
            }
            wait = interval;
        }
    }

    /// Waits for the ping or push that belongs to this request.
    async fn notification(&self, ack: &Acknowledgement) -> Result<Value, Ended> {
        loop {
            let notification =
                either(self.port.notified(), self.port.wait_until(self.later(ack))).await;
            let Some(notification) = notification else {
                return Err(broken(format!(
                    "no notification until 60 s after expiry ({})",
                    ack.expires_at
                )));
            };
            if notification.body["auth_req_id"] != ack.auth_req_id.as_str() {
                continue;
            }
            if notification.bearer.as_deref() != Some(self.flow.notification_token.as_str()) {
                return Err(broken(
                    "the notification does not carry our client_notification_token".into(),
                ));
            }
            return match notification.body.get("error") {
                Some(_) => Err(refused(&notification.body, "push")),
                None => Ok(notification.body),
            };
        }
    }

    async fn get(&self, url: &str, bearer: Option<&str>) -> Result<Value, Ended> {
        let mut request = Request::builder().method(Method::GET).uri(url);
        if let Some(token) = bearer {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let (status, body) = self.exchange(request.body(Bytes::new())).await?;
        if status == StatusCode::OK {
            Ok(body)
        } else {
            Err(broken(format!("GET {url}: {status}")))
        }
    }

    async fn post(&self, url: &str, form: &[(&str, String)]) -> Result<(StatusCode, Value), Ended> {
        let flow = self.flow;
        let credentials = STANDARD.encode(format!(
            "{}:{}",
            encode(&flow.client_id),
            encode(&flow.client_secret)
        ));
        let body: Vec<_> = form
            .iter()
            .map(|(name, value)| format!("{name}={}", encode(value)))
            .collect();
        let request = Request::builder()
            .method(Method::POST)
            .uri(url)
            .header(header::AUTHORIZATION, format!("Basic {credentials}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Bytes::from(body.join("&")));
        self.exchange(request).await
    }

    async fn exchange(
        &self,
        request: http::Result<Request<Bytes>>,
    ) -> Result<(StatusCode, Value), Ended> {
        let request = request.map_err(|error| broken(error.to_string()))?;
        let url = request.uri().to_string();
        let response = self
            .port
            .call(request)
            .await
            .map_err(|why| broken(format!("{url}: {why}")))?;
        let body = serde_json::from_slice(response.body()).map_err(|error| {
            broken(format!(
                "{url} answers {} with no JSON: {error}",
                response.status()
            ))
        })?;
        Ok((response.status(), body))
    }

    fn after(&self, seconds: i64) -> Timestamp {
        self.port
            .now()
            .saturating_add(SignedDuration::from_secs(seconds))
            .unwrap_or(Timestamp::MAX)
    }

    fn later(&self, ack: &Acknowledgement) -> Timestamp {
        ack.expires_at
            .saturating_add(SignedDuration::from_secs(60))
            .unwrap_or(Timestamp::MAX)
    }
}

/// The first of two futures; `None` when it is the second.
async fn either<T>(mut first: Wait<'_, T>, mut second: Wait<'_, ()>) -> Option<T> {
    std::future::poll_fn(|context| {
        if let std::task::Poll::Ready(value) = first.as_mut().poll(context) {
            return std::task::Poll::Ready(Some(value));
        }
        second.as_mut().poll(context).map(|()| None)
    })
    .await
}

/// application/x-www-form-urlencoded, as RFC 6749 §2.3.1 and appendix B want it.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => {
                out.push(char::from(byte))
            }
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn refused(body: &Value, at: &'static str) -> Ended {
    match body["error"].as_str() {
        Some(error) => Ended::Refused {
            error: error.to_owned(),
            description: body["error_description"].as_str().map(str::to_owned),
            at,
        },
        None => broken(format!("{at} answers an error without a code: {body}")),
    }
}

fn broken(why: String) -> Ended {
    Ended::Broken { why }
}

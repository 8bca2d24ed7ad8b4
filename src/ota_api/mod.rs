//! The HTTP API of the OTA platform: messages for applications on SIMs, key sets, remote management, and a stream of what came
//! of it all. `/openapi.json` describes it; errors are problem documents (RFC 9457). The guards are those of the control API.

mod key_sets;
mod messages;
mod openapi;
mod results;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use axum::http::StatusCode;
use axum::middleware;
use axum::response::Response;
use axum::routing::{get, post};
use jiff::Timestamp;
use ota::platform::{Input, Job};
use ota_wire::ids::{Iccid, Msisdn};
use rand_core::Rng as _;
use serde::de::DeserializeOwned;

use crate::control::{Access, problem};
use crate::runtime::chance::Chance;
use crate::sockets::shutdown::Shutdown;
use crate::wiring::sockets::Network;
use crate::wiring::{Message, Receipt};
use crate::world::World;

pub use results::Results;
pub(crate) use results::events;

/// The largest body: an import of key sets comes in pieces.
const LARGEST_BODY: usize = 1 << 20;

/// Ids of jobs that came by this API, so that nobody else hears of them.
pub(crate) const JOBS: &str = "api.";

/// How their answers are marked: [`ota::platform::Submit::correlation`].
pub(crate) const CORRELATION: &str = "api:";

/// How long an order is worth the trouble when it does not say. Seconds.
const VALID_FOR: u32 = 300;
/// The longest: three days, as long as the SMSC keeps a message.
const LONGEST: u32 = 3 * 24 * 3600;

/// What the API works on.
pub(crate) struct Api {
    pub(crate) network: Arc<Network>,
    pub(crate) world: Arc<World>,
    pub(crate) chance: Chance,
    /// Marks the events of this process.
    pub(crate) life: String,
    pub(crate) shutdown: Shutdown,
}

type State = axum::extract::State<Arc<Api>>;

/// The whole surface, for whom `access` lets in.
pub(crate) fn router(api: Api, access: Access) -> Router {
    let guard = Arc::new(access);
    Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(readyz))
        .route(
            "/openapi.json",
            get(|| async { axum::Json(openapi::document()) }),
        )
        .route("/v1/messages", post(messages::submit))
        .route(
            "/v1/messages/{id}",
            get(messages::show).delete(messages::cancel),
        )
        .route("/v1/remote", post(messages::remote))
        .route("/v1/key-sets", post(key_sets::import))
        .route("/v1/key-sets/{card}", get(key_sets::show))
        .route("/v1/events", get(results::stream))
        .method_not_allowed_fallback(|request: Request| async move {
            let detail = format!("{} is not for {}", request.method(), request.uri().path());
            problem(StatusCode::METHOD_NOT_ALLOWED, &detail)
        })
        .fallback(|request: Request| async move {
            problem(
                StatusCode::NOT_FOUND,
                &format!(
                    "there is nothing at {}; see /openapi.json",
                    request.uri().path()
                ),
            )
        })
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::from_fn(move |request, next| {
            guard.clone().check(request, next)
        }))
        .with_state(Arc::new(api))
}

async fn readyz(state: State) -> Response {
    if state.network.is_bound() {
        return axum::response::IntoResponse::into_response("ready\n");
    }
    problem(
        StatusCode::SERVICE_UNAVAILABLE,
        "the OTA platform is not bound to the SMSC yet",
    )
}

impl Api {
    fn now(&self) -> Timestamp {
        self.network.parties().clock.now()
    }

    fn random_id(&self) -> String {
        format!("{:016x}", self.chance.generator().next_u64())
    }

    /// Gives an input to the platform; `false` if it could not be committed.
    async fn tell(&self, input: Input) -> bool {
        let flight = self.network.parties().clock.begin();
        self.network
            .handle(Message::Platform(input), Receipt::NONE, flight)
            .await
    }

    fn job(&self, id: &str) -> Option<Job> {
        self.record(&format!("job/{JOBS}{id}"))
    }

    fn record<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let record = self.network.parties().platform_records().get(key).ok()??;
        serde_json::from_slice(&record.value).ok()
    }

    /// When a span or an instant ends.
    fn expiry(
        &self,
        valid_for: Option<u32>,
        expires: Option<&str>,
    ) -> Result<(Timestamp, Option<u32>), Box<Response>> {
        let now = self.now();
        let Some(expires) = expires else {
            let valid_for = valid_for.unwrap_or(VALID_FOR);
            if !(1..=LONGEST).contains(&valid_for) {
                return Err(unprocessable(&format!(
                    "valid_for: expected 1 to {LONGEST} seconds, got {valid_for}"
                )));
            }
            let end = now
                .checked_add(Duration::from_secs(valid_for.into()))
                .map_err(|error| unprocessable(&format!("valid_for: {error}")))?;
            return Ok((end, Some(valid_for)));
        };
        if valid_for.is_some() {
            return Err(unprocessable("say either valid_for or expires"));
        }
        let end: Timestamp = expires
            .parse()
            .map_err(|error| unprocessable(&format!("expires: {error}")))?;
        let left = end.duration_since(now).as_secs();
        if end <= now || left > LONGEST.into() {
            return Err(unprocessable(&format!(
                "expires: expected an instant within {LONGEST} seconds from {now}, got {end}"
            )));
        }
        Ok((end, None))
    }

    /// Number and card, from either.
    fn subscriber(
        &self,
        msisdn: Option<&Msisdn>,
        iccid: Option<&Iccid>,
    ) -> Result<(Msisdn, Iccid), Box<Response>> {
        let found = match (msisdn, iccid) {
            (Some(msisdn), None) => self.world.subscriber(msisdn),
            (None, Some(iccid)) => self.world.by_iccid(iccid),
            (Some(msisdn), Some(iccid)) => self
                .world
                .subscriber(msisdn)
                .filter(|found| found.iccid == *iccid),
            (None, None) => {
                return Err(unprocessable("say whose card: msisdn or iccid"));
            }
        };
        let found = found.ok_or_else(|| {
            Box::new(problem(
                StatusCode::NOT_FOUND,
                "no subscriber has this number or card; `midsim world` lists them",
            ))
        })?;
        Ok((found.msisdn, found.iccid))
    }
}

fn unprocessable(detail: &str) -> Box<Response> {
    Box::new(problem(StatusCode::UNPROCESSABLE_ENTITY, detail))
}

fn not_committed() -> Response {
    problem(
        StatusCode::INTERNAL_SERVER_ERROR,
        "the platform could not keep it; see the log",
    )
}

/// The octets of a body, or the problem.
struct Body(Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        match Bytes::from_request(request, state).await {
            Ok(octets) => Ok(Self(octets)),
            Err(rejection) => Err(problem(rejection.status(), &rejection.body_text())),
        }
    }
}

/// A body as JSON, or the problem that says what is wrong with it.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Box<Response>> {
    serde_json::from_slice(body).map_err(|error| unprocessable(&format!("body: {error}")))
}

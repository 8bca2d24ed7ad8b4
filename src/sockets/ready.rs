//! Waiting for another midsim, in real time: what waits is a shell script.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};

use super::addresses::Policy;
use super::http_client::{Bounds, HttpClient};
use crate::runtime::clock::Clock;

/// How long one attempt may take, and the pause after one that failed.
const ATTEMPT: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(50);

/// Not ready in time; says what the last attempt saw.
#[derive(Debug, thiserror::Error)]
#[error("{url} is not ready after {within:?}: {last}")]
pub struct NotReady {
    url: String,
    within: Duration,
    last: String,
}

/// Asks `url`/readyz until it says 200.
///
/// # Errors
/// [`NotReady`] after `within`.
pub async fn wait(url: &str, within: Duration) -> Result<(), NotReady> {
    let client = HttpClient::new(Clock::real(), Policy::default());
    let ready = format!("{}/readyz", url.trim_end_matches('/'));
    let mut last = String::from("no attempt was possible");
    let asking = async {
        loop {
            last = match Request::get(&ready).body(Bytes::new()) {
                Err(error) => error.to_string(),
                Ok(request) => match client
                    .send(
                        request,
                        Bounds {
                            within: ATTEMPT,
                            answer: 1024,
                        },
                    )
                    .await
                    .result
                {
                    Ok(response) if response.status() == StatusCode::OK => return,
                    Ok(response) => response.status().to_string(),
                    Err(error) => error.to_string(),
                },
            };
            // Nothing can wake us: the other process may not exist yet.
            let _ = tokio::time::timeout(PAUSE, std::future::pending::<()>()).await;
        }
    };
    let ended = tokio::time::timeout(within, asking).await;
    ended.map_err(|_| NotReady {
        url: url.to_owned(),
        within,
        last,
    })
}

//! Waiting for another midsim, in real time: what waits is a shell script.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};

use super::addresses::Policy;
use super::http_client::{Bounds, HttpClient};
use super::ports::Service;
use crate::runtime::clock::Clock;

/// How long one attempt may take, and the pause after one that failed.
const ATTEMPT: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(50);

/// Where the other midsim is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Its first URL.
    Url(String),
    /// On loopback, at the port that stands in this file, if it exists.
    PortsFile(PathBuf),
}

/// Not ready in time; says what the last attempt saw.
#[derive(Debug, thiserror::Error)]
#[error("{place} is not ready after {within:?}: {last}")]
pub struct NotReady {
    place: Place,
    within: Duration,
    last: String,
}

/// Asks `/readyz` until it says 200, and returns the URL that was asked.
///
/// # Errors
/// [`NotReady`] after `within`.
pub async fn wait(place: &Place, within: Duration) -> Result<String, NotReady> {
    let client = HttpClient::new(Clock::real(), Policy::default());
    let mut last = String::from("no attempt was possible");
    let asking = async {
        loop {
            match attempt(&client, place).await {
                Ok(url) => return url,
                Err(why) => last = why,
            }
            // Nothing can wake us: the other process may not exist yet.
            let _ = tokio::time::timeout(PAUSE, std::future::pending::<()>()).await;
        }
    };
    let ended = tokio::time::timeout(within, asking).await;
    ended.map_err(|_| NotReady {
        place: place.clone(),
        within,
        last,
    })
}

async fn attempt(client: &HttpClient, place: &Place) -> Result<String, String> {
    let url = place.url()?;
    let request = Request::get(format!("{url}/readyz")).body(Bytes::new());
    let bounds = Bounds {
        within: ATTEMPT,
        answer: Some(1024),
    };
    let sent = client.send(request.map_err(|error| error.to_string())?, bounds);
    match sent.await.result {
        Ok(response) if response.status() == StatusCode::OK => Ok(url),
        Ok(response) => Err(response.status().to_string()),
        Err(error) => Err(error.to_string()),
    }
}

impl Place {
    fn url(&self) -> Result<String, String> {
        let file = match self {
            Self::Url(url) => return Ok(url.trim_end_matches('/').to_owned()),
            Self::PortsFile(file) => file,
        };
        let text = std::fs::read(file).map_err(|error| error.to_string())?;
        let ports: BTreeMap<String, u16> =
            serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        let port = ports.get(Service::Ui.name()).ok_or("it names no port ui")?;
        Ok(format!("http://127.0.0.1:{port}"))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => f.write_str(url),
            Self::PortsFile(file) => write!(f, "the midsim of {}", file.display()),
        }
    }
}

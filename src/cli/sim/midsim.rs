//! The control API of a running midsim, at one card.

use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::{Method, Request, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Name;
use crate::cards::KnownCard;
use crate::cli::api;
use crate::runtime::clock::Clock;
use crate::sockets::addresses::Policy;
use crate::sockets::http_client::{Bounds, HttpClient};

/// Which midsim.
#[derive(Args, Clone, Debug)]
pub(super) struct WhichMidsim {
    /// The first URL of the midsim whose card it is
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8220",
        env = "MIDSIM_UI_URL"
    )]
    pub(super) ui: String,
}

/// One card of a running midsim.
pub(super) struct Midsim {
    client: HttpClient,
    ui: String,
    card: String,
}

/// What is seen of the card and its reader.
#[derive(Deserialize)]
pub(super) struct Seen {
    pub(super) attached: bool,
    /// Whether the reader has asked for the card.
    pub(super) asked: bool,
    pub(super) commands: u64,
    pub(super) lines: Vec<String>,
    pub(super) card: KnownCard,
}

impl Midsim {
    pub(super) fn new(which: &WhichMidsim, card: &Name) -> Self {
        Self {
            client: HttpClient::new(Clock::real(), Policy::default()),
            ui: which.ui.trim_end_matches('/').to_owned(),
            card: card.in_url(),
        }
    }

    pub(super) async fn runs(&self) -> bool {
        let Ok(request) = Request::get(format!("{}/livez", self.ui)).body(Bytes::new()) else {
            return false;
        };
        let sent = self.client.send(request, Bounds::default()).await;
        sent.result
            .is_ok_and(|response| response.status() == StatusCode::OK)
    }

    /// Puts the card into a reader. When this is dropped before it is done the card goes back.
    pub(super) async fn attach(&self, reader: &str) -> Result<Seen, String> {
        let body = json!({"reader": reader}).to_string();
        seen(self.call(Method::POST, "", body, 0).await?)
    }

    /// What has happened after command number `after`; waits so many seconds for anything.
    pub(super) async fn look(&self, after: u64, wait: u64) -> Result<Seen, String> {
        let query = format!("?after={after}&wait={wait}");
        let answer = self.call(Method::GET, &query, String::new(), wait).await?;
        seen(answer)
    }

    /// Takes the card out.
    pub(super) async fn detach(&self) -> Result<(), String> {
        self.call(Method::DELETE, "", String::new(), 0)
            .await
            .map(drop)
    }

    async fn call(
        &self,
        method: Method,
        query: &str,
        body: String,
        wait: u64,
    ) -> Result<Value, String> {
        let url = format!("{}/api/v1/sims/{}/attach{query}", self.ui, self.card);
        let within = Duration::from_secs(wait + 15);
        let (status, answer) = api::call(&self.client, method, &url, body, within).await?;
        if status.is_success() {
            return Ok(answer);
        }
        let why = answer["detail"].as_str().unwrap_or("no reason given");
        Err(format!("{status}: {why}"))
    }
}

fn seen(answer: Value) -> Result<Seen, String> {
    serde_json::from_value(answer).map_err(|error| format!("a midsim of another version? {error}"))
}

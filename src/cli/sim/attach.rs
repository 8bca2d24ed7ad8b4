//! `midsim sim attach`: a card in a virtual PC/SC reader.

use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::{Method, Request, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::WhichCard;
use crate::cards::LooseCard;
use crate::cli::options::ADMIN_TOKEN;
use crate::cli::{FAILURE, OK, USAGE, complain, log_to_stderr};
use crate::runtime::chance::Chance;
use crate::runtime::clock::Clock;
use crate::sockets::addresses::Policy;
use crate::sockets::http_client::{Bounds, HttpClient};
use crate::sockets::{shutdown, vpcd};

/// Put a card into a virtual PC/SC reader (pcscd with vsmartcard-vpcd) until Ctrl-C
///
/// Where a midsim runs at --ui it is the card of that midsim, whose own handset is off meanwhile. Otherwise it is a card by itself,
/// fresh each time.
#[derive(Args)]
pub(in crate::cli) struct Attach {
    #[command(flatten)]
    card: WhichCard,
    /// Where the reader's driver listens
    #[arg(long, value_name = "HOST:PORT", default_value = vpcd::READER)]
    reader: String,
    /// The first URL of the midsim whose card it is
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8220",
        env = "MIDSIM_UI_URL"
    )]
    ui: String,
    /// A card by itself, even where a midsim runs
    #[arg(long)]
    alone: bool,
    /// Print every exchange, secrets masked
    #[arg(long)]
    trace: bool,
}

impl Attach {
    pub(super) fn run(self) -> u8 {
        log_to_stderr();
        match tokio::runtime::Runtime::new() {
            Ok(runtime) => runtime.block_on(self.stay()),
            Err(error) => complain(&error, FAILURE),
        }
    }

    async fn stay(self) -> u8 {
        let (stopper, stop) = shutdown::channel();
        let signals = match shutdown::Signals::new() {
            Ok(signals) => signals,
            Err(error) => return complain(&error, FAILURE),
        };
        let playing = async {
            let midsim = Midsim::new(&self.ui, &self.card.in_url());
            if !self.alone && midsim.runs().await {
                self.of_midsim(&midsim, stop).await
            } else {
                self.by_itself(stop).await
            }
        };
        tokio::select! {
            code = playing => code,
            () = stopper.on_signals(signals) => OK,
        }
    }

    /// The running midsim holds the connection; we watch.
    async fn of_midsim(&self, midsim: &Midsim, stop: shutdown::Shutdown) -> u8 {
        let body = json!({"reader": self.reader}).to_string();
        if let Err(why) = midsim.call(Method::POST, "", body).await {
            return complain(&why, FAILURE);
        }
        self.greet(&format!("the card of the midsim at {}", self.ui));
        let mut after = 0;
        loop {
            let news = tokio::select! {
                news = midsim.news(after) => news,
                () = stop.draining() => break,
            };
            let news = match news {
                Ok(news) => news,
                Err(why) => return complain(&why, FAILURE),
            };
            if self.trace {
                news.lines.iter().for_each(|line| println!("{line}"));
            }
            after = news.commands.max(after);
            if !news.attached {
                return complain(&"the reader has gone", FAILURE);
            }
        }
        match midsim.call(Method::DELETE, "", String::new()).await {
            Ok(_) => OK,
            Err(why) => complain(&why, FAILURE),
        }
    }

    async fn by_itself(&self, stop: shutdown::Shutdown) -> u8 {
        let (uicc, subscriber) = match self.card.load() {
            Ok(card) => card,
            Err(error) => return complain(&error, USAGE),
        };
        let stream = match vpcd::connect(&self.reader).await {
            Ok(stream) => stream,
            Err(error) => {
                let why = format!(
                    "no reader at {}: {error}; install vsmartcard-vpcd and start pcscd",
                    self.reader
                );
                return complain(&why, FAILURE);
            }
        };
        let chance = match Chance::system() {
            Ok(chance) => chance,
            Err(error) => return complain(&error, FAILURE),
        };
        self.greet(&format!("a card like that of {}", subscriber.msisdn));
        let trace = self.trace;
        let mut card = LooseCard::new(uicc, chance, move |line| {
            if trace {
                println!("{line}");
            }
        });
        tokio::select! {
            ended = vpcd::serve(stream, &mut card) => match ended {
                Ok(()) => complain(&"the reader has gone", FAILURE),
                Err(error) => complain(&error, FAILURE),
            },
            () = stop.draining() => OK,
        }
    }

    fn greet(&self, what: &str) {
        eprintln!(
            "{what} is in the reader at {reader}; Ctrl-C takes it out\n\n{TRY}",
            reader = self.reader
        );
    }
}

/// The driver's default port is its first slot, which is reader 0 where no other reader is.
const TRY: &str = "\
Try:
  opensc-tool -l
  opensc-tool -r 0 -a
  opensc-tool -r 0 -s 00:A4:00:04:02:3F:00
  pcsc_scan -n
  opensc-tool -r 0 -s 002600010830303030FFFFFFFF   (PIN1 off, for tools that know no PIN)
  pySim-read.py -p 0
  pySim-shell.py -p 0 --noprompt -e 'select MF' -e 'dir' -e quit
PIN1 0000, PIN2 0000, PUK 12345678, ADM1 88888888 (hex 3838383838383838)
";

/// The control API of a running midsim, at one card.
struct Midsim {
    client: HttpClient,
    ui: String,
    card: String,
}

#[derive(Deserialize)]
struct News {
    attached: bool,
    commands: u64,
    lines: Vec<String>,
}

impl Midsim {
    /// How long a midsim holds a question for news.
    const HOLD: u64 = 20;

    fn new(ui: &str, card: &str) -> Self {
        Self {
            client: HttpClient::new(Clock::real(), Policy::default()),
            ui: ui.trim_end_matches('/').to_owned(),
            card: card.to_owned(),
        }
    }

    async fn runs(&self) -> bool {
        let Ok(request) = Request::get(format!("{}/livez", self.ui)).body(Bytes::new()) else {
            return false;
        };
        let sent = self.client.send(request, Bounds::default()).await;
        sent.result
            .is_ok_and(|response| response.status() == StatusCode::OK)
    }

    async fn news(&self, after: u64) -> Result<News, String> {
        let query = format!("?after={after}&wait={}", Self::HOLD);
        let answer = self.call(Method::GET, &query, String::new()).await?;
        serde_json::from_value(answer).map_err(|error| error.to_string())
    }

    async fn call(&self, method: Method, query: &str, body: String) -> Result<Value, String> {
        let url = format!("{}/api/v1/sims/{}/attach{query}", self.ui, self.card);
        let mut request = Request::builder()
            .method(method)
            .uri(&url)
            .header(header::CONTENT_TYPE, "application/json");
        if let Ok(token) = std::env::var(ADMIN_TOKEN) {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.trim()));
        }
        let request = request
            .body(Bytes::from(body))
            .map_err(|error| error.to_string())?;
        let bounds = Bounds {
            within: Duration::from_secs(Self::HOLD + 10),
            answer: Some(4 << 20),
        };
        let response = self.client.send(request, bounds).await.result;
        let response = response.map_err(|error| format!("{url}: {error}"))?;
        let answer: Value = serde_json::from_slice(response.body()).unwrap_or_default();
        if response.status().is_success() {
            return Ok(answer);
        }
        let why = answer["detail"].as_str().unwrap_or("no reason given");
        Err(format!("{}: {why}", response.status()))
    }
}

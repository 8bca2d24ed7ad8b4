//! `midsim keys`: key sets of cards, at a running midsim.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use http::Method;
use ota::platform::key_sets::{Entry, parse_csv};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{FAILURE, OK, USAGE, api, complain, print_json};
use crate::runtime::clock::Clock;
use crate::sockets::addresses::Policy;
use crate::sockets::http_client::HttpClient;

/// Key sets in one request.
const TOGETHER: usize = 1000;
/// How long a request may take.
const WITHIN: Duration = Duration::from_secs(60);

/// Import key sets of cards into a running midsim, or show what it has
#[derive(Args)]
pub(super) struct Keys {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Import KIc and KID from a CSV or TOML file; the whole file is checked first
    #[command(after_help = FORMATS)]
    Import {
        /// .csv or .toml
        file: PathBuf,
        #[command(flatten)]
        at: At,
    },
    /// Show the key sets of a card by their check values
    Show {
        /// Its ICCID, or the number of its subscriber
        card: String,
        #[command(flatten)]
        at: At,
    },
}

const FORMATS: &str = "\
CSV begins with a line of column names:
  iccid,version,kic_algorithm,kic,kid_algorithm,kid,cc_length,tars,kik
The last three may be left out: 8, none, none. Several TARs are separated by blanks. TOML has the same names:
  [[key_set]]
  iccid = \"8944770090000000026\"
  version = 3
  kic_algorithm = \"aes\"        # aes, 3des2, 3des3 or des
  kic = \"000102030405060708090A0B0C0D0E0F\"
  kid_algorithm = \"aes\"
  kid = \"101112131415161718191A1B1C1D1E1F\"
  tars = [\"B00010\"]";

#[derive(Args)]
struct At {
    /// HTTP API of the OTA platform
    #[arg(long, default_value = "http://127.0.0.1:8248", env = "MIDSIM_OTA_URL")]
    url: String,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

impl Keys {
    pub(super) fn run(self) -> u8 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return complain(&error, FAILURE),
        };
        match self.command {
            Command::Import { file, at } => {
                let entries = match read(&file) {
                    Ok(entries) => entries,
                    Err(why) => return complain(&why, USAGE),
                };
                match runtime.block_on(import(&at, &entries)) {
                    Ok(()) if at.json => {
                        print_json(&json!({"schema_version": 1, "imported": entries.len()}))
                    }
                    Ok(()) => {
                        println!("{} key sets imported", entries.len());
                        OK
                    }
                    Err(why) => complain(&why, FAILURE),
                }
            }
            Command::Show { card, at } => {
                let path = format!("/v1/key-sets/{}", card.trim_start_matches('+'));
                match runtime.block_on(call(&at.url, Method::GET, &path, String::new())) {
                    Ok(shown) if at.json => print_json(&shown),
                    Ok(shown) => {
                        print!("{}", table(&shown));
                        OK
                    }
                    Err(why) => complain(&why, FAILURE),
                }
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    key_set: Vec<Entry>,
}

/// All key sets of a file, or the first few things that are wrong with it.
fn read(file: &Path) -> Result<Vec<Entry>, String> {
    const MOST: usize = 10;
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| format!("{name}: {error}"))?;
    let (mut entries, mut wrong) = (Vec::new(), Vec::new());
    if file
        .extension()
        .is_some_and(|extension| extension == "toml")
    {
        let parsed: File = toml::from_str(&text).map_err(|error| format!("{name}: {error}"))?;
        for (index, entry) in parsed.key_set.into_iter().enumerate() {
            match entry.check() {
                Ok(()) => entries.push(entry),
                Err(error) => wrong.push(format!("key set {}: {error}", index + 1)),
            }
        }
    } else {
        for row in parse_csv(&text) {
            match row {
                Ok(entry) => entries.push(entry),
                Err((line, error)) => wrong.push(format!("line {line}: {error}")),
            }
        }
    }
    if wrong.is_empty() {
        return Ok(entries);
    }
    let more = wrong.len().saturating_sub(MOST);
    wrong.truncate(MOST);
    if more > 0 {
        wrong.push(format!("and {more} more"));
    }
    Err(format!("{name}: {}", wrong.join("\n  ")))
}

async fn import(at: &At, entries: &[Entry]) -> Result<(), String> {
    let mut done = 0;
    for chunk in entries.chunks(TOGETHER) {
        let body = json!({ "key_sets": chunk }).to_string();
        call(&at.url, Method::POST, "/v1/key-sets", body).await?;
        done += chunk.len();
        if entries.len() > TOGETHER {
            let percent = 100 * done / entries.len();
            eprintln!("{done} of {} key sets ({percent} %)", entries.len());
        }
    }
    Ok(())
}

async fn call(url: &str, method: Method, path: &str, body: String) -> Result<Value, String> {
    let url = format!("{}{path}", url.trim_end_matches('/'));
    let client = HttpClient::new(Clock::real(), Policy::default());
    let (status, document) = api::call(&client, method, &url, body, WITHIN).await?;
    if status.is_success() {
        return Ok(document);
    }
    let detail = document["detail"].as_str().unwrap_or_default();
    Err(format!("{url} answered {status}: {detail}"))
}

fn table(shown: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let mut text = format!(
        "card {}, number {}\nversion  KIc  KCV     KID  KCV     CC  last CNTR   from      TARs\n",
        word(&shown["iccid"]),
        word(&shown["msisdn"]),
    );
    for set in shown["key_sets"].as_array().into_iter().flatten() {
        let tars = set["tars"].as_array().map_or_else(String::new, |tars| {
            tars.iter().map(word).collect::<Vec<_>>().join(" ")
        });
        let line = format!(
            "{:<8} {:<4} {:<7} {:<4} {:<7} {:<3} {:<11} {:<9} {tars}",
            set["version"],
            word(&set["kic"]),
            word(&set["kic_kcv"]),
            word(&set["kid"]),
            word(&set["kid_kcv"]),
            set["cc_length"],
            word(&set["last_cntr"]),
            word(&set["from"]),
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

//! `midsim docs`: the documentation, from the binary.

use clap::Args;
use serde_json::json;

use super::{OK, USAGE, complain, print_json};
use crate::docs::{TOPICS, find};

/// Read the documentation
#[derive(Args)]
pub(super) struct Docs {
    /// Topic; without one, the list of topics
    topic: Option<String>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

impl Docs {
    pub(super) fn run(self) -> u8 {
        let Some(name) = self.topic else {
            if self.json {
                let topics: Vec<_> = TOPICS
                    .iter()
                    .map(|topic| json!({"name": topic.name, "title": topic.title()}))
                    .collect();
                return print_json(&json!({"schema_version": 1, "topics": topics}));
            }
            for topic in TOPICS {
                println!("{:<16} {}", topic.name, topic.title());
            }
            return OK;
        };
        match find(&name) {
            Some(topic) if self.json => print_json(&json!({
                "schema_version": 1, "name": topic.name, "title": topic.title(), "text": topic.text,
            })),
            Some(topic) => {
                print!("{}", topic.text);
                OK
            }
            None => complain(
                &format!("no documentation on {name}; `midsim docs` lists what there is"),
                USAGE,
            ),
        }
    }
}

//! `midsim sim scan`: is this card weak?

use clap::Args;
use serde_json::json;
use sim_applet_sim::scan;

use super::WhichCard;
use crate::cli::{OK, USAGE, complain, print_json};

/// Exit status where something is found.
const FOUND: u8 = 10;

/// Try the known attacks on a card and name those that work
///
/// Messages go to fresh cards of the profile, as over the air; where a stranger gets nowhere, with the operator's keys. There
/// is a line for each weakness, with the packet that has shown it. Exit status: 0 if nothing is found, 10 if anything is.
#[derive(Args)]
pub(in crate::cli) struct Scan {
    #[command(flatten)]
    card: WhichCard,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

impl Scan {
    pub(super) fn run(self) -> u8 {
        let (card, subscriber) = match self.card.load() {
            Ok(card) => card,
            Err(error) => return complain(&error, USAGE),
        };
        let found = scan::scan(|| card.another());
        let code = if found.is_empty() { OK } else { FOUND };
        let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
        if self.json {
            let document = json!({
                "schema_version": 1,
                "iccid": subscriber.iccid.digits(),
                "profile": card.profile().name,
                "findings": texts,
            });
            return print_json(&document).max(code);
        }
        for text in &texts {
            println!("{text}");
        }
        match texts.len() {
            1 => println!("1 finding"),
            several => println!("{several} findings"),
        }
        code
    }
}

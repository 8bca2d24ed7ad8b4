//! `midsim docs`: the documentation, from the binary.

use clap::Args;

use super::{OK, USAGE, complain};
use crate::docs::{TOPICS, find};

/// Read the documentation
#[derive(Args)]
pub(super) struct Docs {
    /// Topic; without one, the list of topics
    topic: Option<String>,
}

impl Docs {
    pub(super) fn run(self) -> u8 {
        let Some(name) = self.topic else {
            for topic in TOPICS {
                println!("{:<16} {}", topic.name, topic.title());
            }
            return OK;
        };
        match find(&name) {
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

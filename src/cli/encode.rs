//! `midsim encode`: a message from its fields.

use std::io::{Read, Write};

use clap::Args;
use serde_json::json;

use super::keys::{KEY_FILE, KeyOptions};
use super::{FAILURE, OK, USAGE, complain, print_json};
use crate::encode::encode;

/// The longest document that is read.
const LONGEST: u64 = 1 << 20;

/// Make a message from its fields: the inverse of `decode --toml`
///
/// The document names the kind and gives its fields; lengths, packing, MACs and ciphering are worked out. `midsim docs
/// encode` has an example of every kind. Exit status: 0 done, 1 if the document makes no message, 2 if it or the keys
/// cannot be read.
#[derive(Args)]
#[command(after_help = KEY_FILE)]
pub(super) struct Encode {
    /// A document in TOML, or - for standard input
    #[arg(value_name = "FILE|-")]
    input: String,
    #[command(flatten)]
    keys: KeyOptions,
    /// The octets themselves instead of hexadecimal digits
    #[arg(long, conflicts_with = "json")]
    raw: bool,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

impl Encode {
    pub(super) fn run(self) -> u8 {
        let text = match self.read() {
            Ok(text) => text,
            Err(error) => return complain(&format!("{}: {error}", self.input), USAGE),
        };
        let keys = match self.keys.keys() {
            Ok(keys) => keys.unwrap_or_default(),
            Err(error) => return complain(&error, USAGE),
        };
        match encode(&text, &keys) {
            Err(error) => complain(&format!("{}: {error}", self.input), FAILURE),
            Ok((_, octets)) if self.raw => match std::io::stdout().write_all(&octets) {
                Ok(()) => OK,
                Err(error) => complain(&format!("standard output: {error}"), FAILURE),
            },
            Ok((kind, octets)) if self.json => print_json(&json!({
                "schema_version": 1, "kind": kind, "octets": hex::encode(octets),
            })),
            Ok((_, octets)) => {
                println!("{}", hex::encode(octets));
                OK
            }
        }
    }

    fn read(&self) -> std::io::Result<String> {
        let mut text = String::new();
        let source: Box<dyn Read> = if self.input == "-" {
            Box::new(std::io::stdin())
        } else {
            Box::new(std::fs::File::open(&self.input)?)
        };
        source.take(LONGEST + 1).read_to_string(&mut text)?;
        if text.len() as u64 > LONGEST {
            let problem = format!("longer than {LONGEST} octets");
            return Err(std::io::Error::other(problem));
        }
        Ok(text)
    }
}

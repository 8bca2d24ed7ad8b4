//! `midsim decode`: any message of the chain, layer by layer.

use std::io::Read;

use clap::Args;
use ota_wire::dissect::{Keys, Printer};
use serde_json::json;

use super::keys::{KEY_FILE, KeyOptions};
use super::{FAILURE, OK, USAGE, complain, print_json};
use crate::decode::{Kind, decode, nearest};
use crate::encode::to_toml;

/// The longest input that is read.
const LONGEST: u64 = 1 << 20;

/// Show what is in a message, field by field
///
/// Secret values, such as PINs and passwords, are shown as dots. Exit status: 0 if the octets are understood to the end,
/// 1 if not (what was understood is shown), 2 if input or keys cannot be read.
#[derive(Args)]
#[command(after_help = KEY_FILE)]
pub(super) struct Decode {
    /// Hexadecimal digits (blanks do not count), a file of them or of raw octets, or - for standard input
    #[arg(value_name = "HEX|FILE|-")]
    input: String,
    /// Which format it is; without, every reading that fits is shown
    #[arg(long = "as", value_name = "KIND", help = kinds())]
    kind: Option<Kind>,
    #[command(flatten)]
    keys: KeyOptions,
    /// A document for `midsim encode` instead; only with --as
    #[arg(long, requires = "kind", conflicts_with_all = ["offsets", "json"])]
    toml: bool,
    /// Let --toml show secret values, such as PINs and passwords
    #[arg(long, requires = "toml")]
    reveal: bool,
    /// Show offsets
    #[arg(long)]
    offsets: bool,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

fn kinds() -> String {
    format!(
        "Which format it is; without, every reading that fits is shown. One of {}",
        Kind::ALL.map(Kind::name).join(", ")
    )
}

impl Decode {
    pub(super) fn run(self) -> u8 {
        let octets = match octets(&self.input) {
            Ok(octets) => octets,
            Err(why) => return complain(&why, USAGE),
        };
        let keys = match self.keys.keys() {
            Ok(keys) => keys,
            Err(error) => return complain(&error, USAGE),
        };
        if let (Some(kind), true) = (self.kind, self.toml) {
            return self.document(kind, &octets, &keys.unwrap_or_default());
        }
        let mut readings = decode(self.kind, &octets, keys.as_ref());
        if readings.is_empty() {
            readings.extend(nearest(&octets, keys.as_ref()));
        }
        if self.json {
            print_json(&json!({"schema_version": 1, "readings": readings}));
        } else {
            let printer = Printer {
                offsets: self.offsets,
                ..Printer::default()
            };
            for reading in &readings {
                println!("{}", reading.kind);
                print!("{}", printer.print(&reading.tree));
            }
        }
        if readings.iter().all(|reading| reading.tree.is_complete()) {
            return OK;
        }
        let advice = match self.kind {
            Some(kind) => format!("these {} octets are no complete {kind}", octets.len()),
            None => format!(
                "no format fits these {} octets to the end; this is the one that gets furthest",
                octets.len()
            ),
        };
        complain(&advice, FAILURE)
    }

    fn document(&self, kind: Kind, octets: &[u8], keys: &Keys) -> u8 {
        match to_toml(kind, octets, keys, self.reveal) {
            Ok(document) => {
                print!("{document}");
                OK
            }
            Err(error) => complain(&error, FAILURE),
        }
    }
}

fn octets(input: &str) -> Result<Vec<u8>, String> {
    let raw = if input == "-" {
        bounded(std::io::stdin()).map_err(|error| format!("standard input: {error}"))?
    } else if let Some(octets) = hex_digits(input.as_bytes()) {
        return Ok(octets);
    } else {
        std::fs::File::open(input)
            .and_then(bounded)
            .map_err(|error| format!("{input} is not hexadecimal, and as a file: {error}"))?
    };
    Ok(hex_digits(&raw).unwrap_or(raw))
}

fn bounded(from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut raw = Vec::new();
    from.take(LONGEST + 1).read_to_end(&mut raw)?;
    if raw.len() as u64 > LONGEST {
        return Err(std::io::Error::other(format!(
            "longer than {LONGEST} octets"
        )));
    }
    Ok(raw)
}

fn hex_digits(text: &[u8]) -> Option<Vec<u8>> {
    let digits: Vec<_> = text
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    hex::decode(digits).ok().filter(|octets| !octets.is_empty())
}

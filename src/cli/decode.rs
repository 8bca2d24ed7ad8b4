//! `midsim decode`: any message of the chain, layer by layer.

use std::io::Read;
use std::path::PathBuf;

use clap::Args;
use ota_wire::dissect::{Keys, Printer};
use ota_wire::ids::Iccid;
use ota_wire::keys::{Family, KeySet, MacAlgorithm, applet_mac_key};
use serde_json::json;

use super::{FAILURE, OK, USAGE, WorldOptions, complain, print_json};
use crate::decode::{Kind, decode, keys, nearest};

/// The longest input that is read.
const LONGEST: u64 = 1 << 20;

const KEY_FILE: &str = "\
Key file (--keys), in TOML, or in JSON with the same names:
  [[key_set]]
  version = 1                  # high nibble of KIc and KID
  ciph_algo = \"aes\"            # none, des, 3des2, 3des3, aes
  kic_key = \"0011...\"          # hexadecimal
  int_algo = \"aes\"             # none, des, 3des2, 3des3, aes
  kid_key = \"2233...\"
  cc_len = 8                   # octets of the checksum; 4 only with aes

  [[applet_key]]
  algorithm = \"aes-cmac\"       # aes-cmac, 3des-cbc-mac
  key = \"4455...\"

Exit status: 0 if the octets are understood to the end, 1 if not (what was understood is shown),
2 if input or keys cannot be read.";

/// Show what is in a message, field by field
///
/// Secret values, such as PINs and passwords, are shown as dots.
#[derive(Args)]
#[command(after_help = KEY_FILE)]
pub(super) struct Decode {
    /// Hexadecimal digits (blanks do not count), a file of them or of raw octets, or - for standard input
    #[arg(value_name = "HEX|FILE|-")]
    input: String,
    /// Which format it is; without, every reading that fits is shown
    #[arg(long = "as", value_name = "KIND", help = kinds())]
    kind: Option<Kind>,
    /// Open secured packets with the keys in this file
    #[arg(long = "keys", value_name = "FILE", conflicts_with = "iccid")]
    key_file: Option<PathBuf>,
    /// Open secured packets with the keys of this card of the world
    #[arg(long, value_name = "N")]
    iccid: Option<Iccid>,
    #[command(flatten)]
    world: WorldOptions,
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
        let keys = match self.keys() {
            Ok(keys) => keys,
            Err(error) => return complain(&error, USAGE),
        };
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

    fn keys(&self) -> Result<Option<Keys>, Box<dyn std::error::Error>> {
        if let Some(path) = &self.key_file {
            let in_file =
                |error: &dyn std::fmt::Display| format!("key file {}: {error}", path.display());
            let text = std::fs::read_to_string(path).map_err(|error| in_file(&error))?;
            let keys = keys::parse(&text).map_err(|error| in_file(&error))?;
            return Ok(Some(keys));
        }
        let Some(iccid) = &self.iccid else {
            return Ok(None);
        };
        let master = self.world.load()?.master_key();
        let sets = [(1, Family::Aes128), (2, Family::TripleDes2)];
        Ok(Some(Keys {
            key_sets: sets
                .map(|(version, family)| KeySet::derive(&master, iccid, version, family))
                .into(),
            applet: [MacAlgorithm::AesCmac8, MacAlgorithm::TripleDesCbcMac]
                .map(|algorithm| (algorithm, applet_mac_key(&master, iccid, algorithm)))
                .into(),
        }))
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

//! `midsim decode`: any message of the chain, layer by layer.

use std::io::Read as _;
use std::path::PathBuf;

use clap::Args;
use ota_wire::dissect::{Keys, Printer};
use ota_wire::ids::Iccid;
use ota_wire::keys::{Family, KeySet, MacAlgorithm, applet_mac_key};

use super::{FAILURE, OK, USAGE, WorldOptions, complain, print_json};
use crate::decode::{Kind, decode};

/// Show what is in a message, field by field
#[derive(Args)]
pub(super) struct Decode {
    #[command(flatten)]
    world: WorldOptions,
    /// Which format it is; without, every reading that fits is shown
    #[arg(long = "as", value_name = "KIND")]
    kind: Option<Kind>,
    /// Open secured packets with the keys of this card of the world
    #[arg(long, value_name = "N")]
    iccid: Option<Iccid>,
    /// Show offsets
    #[arg(long)]
    offsets: bool,
    /// One JSON document
    #[arg(long)]
    json: bool,
    /// Hexadecimal digits (blanks do not count), a file of them or of raw octets, or - for standard input
    #[arg(value_name = "HEX|FILE|-")]
    input: String,
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
        let readings = decode(self.kind, &octets, keys.as_ref());
        if readings.is_empty() {
            return complain(
                &format!(
                    "no format fits these {} octets; try --as KIND to see how far one gets",
                    octets.len()
                ),
                FAILURE,
            );
        }
        if self.json {
            return print_json(&readings);
        }
        for reading in readings {
            println!("{}", reading.kind);
            print!(
                "{}",
                Printer {
                    offsets: self.offsets,
                    ..Printer::default()
                }
                .print(&reading.tree)
            );
        }
        OK
    }

    fn keys(&self) -> Result<Option<Keys>, super::SetupError> {
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
        let mut raw = Vec::new();
        std::io::stdin()
            .read_to_end(&mut raw)
            .map_err(|error| error.to_string())?;
        raw
    } else if let Some(octets) = hex_digits(input.as_bytes()) {
        return Ok(octets);
    } else {
        std::fs::read(PathBuf::from(input))
            .map_err(|error| format!("{input} is not hexadecimal, and as a file: {error}"))?
    };
    Ok(hex_digits(&raw).unwrap_or(raw))
}

fn hex_digits(text: &[u8]) -> Option<Vec<u8>> {
    let digits: Vec<_> = text
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    hex::decode(digits).ok().filter(|octets| !octets.is_empty())
}

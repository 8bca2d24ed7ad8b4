//! Keys for the commands that open and seal packets.

use std::path::PathBuf;

use clap::Args;
use ota_wire::dissect::Keys;
use ota_wire::ids::Iccid;
use ota_wire::keys::{KeySet, MacAlgorithm, applet_mac_key};

use super::WorldOptions;
use crate::decode::keys;

/// What --help says of key files.
pub(super) const KEY_FILE: &str = "\
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
";

#[derive(Args)]
pub(super) struct KeyOptions {
    /// Open and seal secured packets with the keys in this file
    #[arg(long = "keys", value_name = "FILE", conflicts_with = "iccid")]
    key_file: Option<PathBuf>,
    /// Open and seal secured packets with the keys of this card of the world
    #[arg(long, value_name = "N")]
    iccid: Option<Iccid>,
    #[command(flatten)]
    world: WorldOptions,
}

impl KeyOptions {
    pub(super) fn keys(&self) -> Result<Option<Keys>, Box<dyn std::error::Error>> {
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
        let world = self.world.load()?;
        let master = world.master_key();
        Ok(Some(Keys {
            key_sets: world
                .ota_key_sets()
                .into_iter()
                .map(|(version, family)| KeySet::derive(&master, iccid, version, family))
                .collect(),
            applet: [MacAlgorithm::AesCmac8, MacAlgorithm::TripleDesCbcMac]
                .map(|algorithm| (algorithm, applet_mac_key(&master, iccid, algorithm)))
                .into(),
        }))
    }
}

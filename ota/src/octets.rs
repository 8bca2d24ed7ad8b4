//! Octets in records: hexadecimal text, half the size of a JSON list and readable in a store dump.
//!
//! `hex::encode` and `hex::decode` go character by character, which shows in an SMSC under load.

use hex::FromHexError;
use ota_wire::serial::parsed;
use serde::{Deserializer, Serializer};

pub(crate) fn serialize<S: Serializer>(octets: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    let mut text = vec![0; 2 * octets.len()];
    if hex::encode_to_slice(octets, &mut text).is_err() {
        return Err(serde::ser::Error::custom("no room for the digits"));
    }
    match std::str::from_utf8(&text) {
        Ok(text) => serializer.serialize_str(text),
        Err(error) => Err(serde::ser::Error::custom(error)),
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    parsed(deserializer, |text| {
        let mut octets = vec![0; text.len() / 2];
        hex::decode_to_slice(text, &mut octets)?;
        Ok::<_, FromHexError>(octets)
    })
}

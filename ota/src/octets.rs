//! Octets in records: hexadecimal text, half the size of a JSON list and readable in a store dump.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

pub(crate) fn serialize<S: Serializer>(octets: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    // `hex::encode` goes character by character, which shows in an SMSC under load.
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
    let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
    hex::decode(text.as_ref()).map_err(D::Error::custom)
}

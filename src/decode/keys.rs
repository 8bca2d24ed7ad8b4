//! Key files of `midsim decode --keys`, in TOML or JSON.
//!
//! ```toml
//! [[key_set]]
//! version = 1                                      # high nibble of KIc and KID
//! ciph_algo = "aes"                                # none, des, 3des2, 3des3, aes
//! kic_key = "00112233445566778899AABBCCDDEEFF"
//! int_algo = "aes"                                 # none, des, 3des2, 3des3, aes
//! kid_key = "FFEEDDCCBBAA99887766554433221100"
//! cc_len = 8                                       # octets of the checksum; 4 only with aes
//!
//! [[applet_key]]
//! algorithm = "aes-cmac"                           # aes-cmac, 3des-cbc-mac
//! key = "0123456789ABCDEF0123456789ABCDEF"
//! ```
//!
//! The names are those of the test vectors. In JSON, `key_set` and `applet_key` are lists of objects with the same fields.

use ota_wire::dissect::Keys;
use ota_wire::keys::{CipherKey, IntegrityKey, KeyError, KeySet, MacAlgorithm};
use ota_wire::packet::{CipherAlgorithm, IntegrityAlgorithm};
use ota_wire::secret::{Secret, SecretError};
use serde::Deserialize;

/// Octets of a key of the applet protocol, whichever its algorithm.
const APPLET_KEY: usize = 16;
const FULL_CHECKSUM: usize = 8;

/// Why a key file cannot be used. It never shows a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Neither TOML nor JSON, or other names than ours.
    #[error("{0}")]
    Format(String),
    /// What a key set is missing, or has too much of.
    #[error("key_set with version {version}: {field} {why}")]
    Field {
        /// Version of the key set.
        version: u8,
        /// Which field.
        field: &'static str,
        /// What is wrong.
        why: &'static str,
    },
    /// A key does not fit its algorithm.
    #[error("key_set with version {version}: {field}: {why}")]
    Key {
        /// Version of the key set.
        version: u8,
        /// Which field.
        field: &'static str,
        /// What is wrong.
        why: KeyError,
    },
    /// A key is not hexadecimal.
    #[error("{field}: {why}")]
    Hex {
        /// Which field.
        field: &'static str,
        /// What is wrong.
        why: SecretError,
    },
    /// A version that does not fit into four bits.
    #[error("key_set with version {got}: expected 1 to 15")]
    Version {
        /// The version.
        got: u8,
    },
    /// A key of the applet protocol of another length.
    #[error("applet_key: key of {got} octets, expected 16")]
    Applet {
        /// Its length.
        got: usize,
    },
}

/// Reads a key file: JSON if it begins with a brace, else TOML.
///
/// # Errors
/// [`KeyFileError`].
pub fn parse(text: &str) -> Result<Keys, KeyFileError> {
    let file: File = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            KeyFileError::Format(format!(
                "no key file in JSON: see line {line}, column {column}"
            ))
        })?
    } else {
        // What the error shows by itself is the line, which may hold a key.
        toml::from_str(text).map_err(|error| KeyFileError::Format(error.message().to_owned()))?
    };
    let key_sets = file.key_set.into_iter().map(KeySet::try_from);
    let applet = file.applet_key.into_iter().map(|entry| {
        let key = secret("applet_key.key", &entry.key)?;
        if key.len() != APPLET_KEY {
            return Err(KeyFileError::Applet { got: key.len() });
        }
        Ok((entry.algorithm.into(), key))
    });
    Ok(Keys {
        key_sets: key_sets.collect::<Result<_, _>>()?,
        applet: applet.collect::<Result<_, KeyFileError>>()?,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    key_set: Vec<KeySetEntry>,
    #[serde(default)]
    applet_key: Vec<AppletKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeySetEntry {
    version: u8,
    ciph_algo: Algorithm,
    kic_key: Option<String>,
    int_algo: Algorithm,
    kid_key: Option<String>,
    cc_len: Option<usize>,
}

#[derive(Clone, Copy, Deserialize, Eq, PartialEq)]
enum Algorithm {
    #[serde(rename = "none")]
    None,
    #[serde(rename = "des")]
    Des,
    #[serde(rename = "3des2")]
    TripleDes2,
    #[serde(rename = "3des3")]
    TripleDes3,
    #[serde(rename = "aes")]
    Aes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AppletKey {
    algorithm: AppletAlgorithm,
    key: String,
}

#[derive(Clone, Copy, Deserialize)]
enum AppletAlgorithm {
    #[serde(rename = "aes-cmac")]
    AesCmac,
    #[serde(rename = "3des-cbc-mac")]
    TripleDesCbcMac,
}

impl From<AppletAlgorithm> for MacAlgorithm {
    fn from(algorithm: AppletAlgorithm) -> Self {
        match algorithm {
            AppletAlgorithm::AesCmac => Self::AesCmac8,
            AppletAlgorithm::TripleDesCbcMac => Self::TripleDesCbcMac,
        }
    }
}

impl TryFrom<KeySetEntry> for KeySet {
    type Error = KeyFileError;

    fn try_from(entry: KeySetEntry) -> Result<Self, KeyFileError> {
        let version = entry.version;
        if !(1..=15).contains(&version) {
            return Err(KeyFileError::Version { got: version });
        }
        let wrong = |field| {
            move |why| KeyFileError::Key {
                version,
                field,
                why,
            }
        };
        let cipher = match entry.ciph_algo {
            Algorithm::None => CipherAlgorithm::None,
            Algorithm::Des => CipherAlgorithm::Des,
            Algorithm::TripleDes2 => CipherAlgorithm::TripleDes2,
            Algorithm::TripleDes3 => CipherAlgorithm::TripleDes3,
            Algorithm::Aes => CipherAlgorithm::Aes,
        };
        let integrity = match entry.int_algo {
            Algorithm::None => IntegrityAlgorithm::None,
            Algorithm::Des => IntegrityAlgorithm::Des,
            Algorithm::TripleDes2 => IntegrityAlgorithm::TripleDes2,
            Algorithm::TripleDes3 => IntegrityAlgorithm::TripleDes3,
            Algorithm::Aes => IntegrityAlgorithm::AesCmac,
        };
        let kic = match key(version, "kic_key", entry.ciph_algo, entry.kic_key)? {
            None => CipherKey::none(),
            Some(key) => CipherKey::new(cipher, key).map_err(wrong("kic_key"))?,
        };
        let kid = match key(version, "kid_key", entry.int_algo, entry.kid_key)? {
            None => IntegrityKey::none(),
            Some(key) => IntegrityKey::new(integrity, key, entry.cc_len.unwrap_or(FULL_CHECKSUM))
                .map_err(wrong("kid_key"))?,
        };
        Ok(Self { version, kic, kid })
    }
}

/// The key of a field, which must be there exactly if there is an algorithm.
fn key(
    version: u8,
    field: &'static str,
    algorithm: Algorithm,
    hex: Option<String>,
) -> Result<Option<Secret>, KeyFileError> {
    let why = match (algorithm, hex) {
        (Algorithm::None, None) => return Ok(None),
        (Algorithm::None, Some(_)) => "has no algorithm",
        (_, None) => "is missing",
        (_, Some(hex)) => return secret(field, &hex).map(Some),
    };
    Err(KeyFileError::Field {
        version,
        field,
        why,
    })
}

fn secret(field: &'static str, hex: &str) -> Result<Secret, KeyFileError> {
    Secret::from_hex(hex).map_err(|why| KeyFileError::Hex { field, why })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "00112233445566778899AABBCCDDEEFF";

    fn set(rest: &str) -> String {
        format!("[[key_set]]\nversion = 1\n{rest}")
    }

    fn error(text: &str) -> String {
        parse(text).err().unwrap().to_string()
    }

    #[test]
    fn toml_and_json_say_the_same() {
        let toml = format!(
            "[[key_set]]\nversion = 3\nciph_algo = '3des2'\nkic_key = '{KEY}'\nint_algo = 'aes'\n\
             kid_key = '{KEY}'\ncc_len = 4\n[[applet_key]]\nalgorithm = '3des-cbc-mac'\nkey = '{KEY}'"
        );
        let json = format!(
            r#" {{"key_set":[{{"version":3,"ciph_algo":"3des2","kic_key":"{KEY}","int_algo":"aes",
            "kid_key":"{KEY}","cc_len":4}}],"applet_key":[{{"algorithm":"3des-cbc-mac","key":"{KEY}"}}]}}"#
        );
        for text in [toml, json] {
            let keys = parse(&text).unwrap();
            let set = &keys.key_sets[0];
            assert_eq!((set.kic_octet(), set.kid_octet()), (0x35, 0x32));
            assert_eq!(set.kid.cc_len(), 4);
            assert_eq!(hex::encode_upper(set.kic.secret().expose()), KEY);
            assert_eq!(keys.applet[0].0, MacAlgorithm::TripleDesCbcMac);
        }
        assert!(parse("").unwrap().key_sets.is_empty());
    }

    #[test]
    fn what_is_wrong_is_named_and_no_key_is_shown() {
        let none = "int_algo = 'none'\n";
        for (text, expected) in [
            (
                set(&format!("ciph_algo = 'aes'\n{none}")),
                "version 1: kic_key is missing",
            ),
            (
                set(&format!("ciph_algo = 'none'\nkic_key = '{KEY}'\n{none}")),
                "version 1: kic_key has no algorithm",
            ),
            (
                set(&format!("ciph_algo = '3des3'\nkic_key = '{KEY}'\n{none}")),
                "key of 16 octets, the algorithm takes [24]",
            ),
            (
                set(&format!("ciph_algo = 'aes'\nkic_key = '{KEY}0'\n{none}")),
                "kic_key: ",
            ),
            (format!("key = '{KEY}'"), "unknown field `key`"),
            (format!("key_set = '{KEY}"), "invalid"),
            (format!(r#"{{"key_set":"{KEY}"}}"#), "line 1"),
            (
                format!(
                    "[[applet_key]]\nalgorithm = 'aes-cmac'\nkey = '{}'",
                    &KEY[2..]
                ),
                "key of 15 octets, expected 16",
            ),
            (
                format!("[[key_set]]\nversion = 16\nciph_algo = 'none'\n{none}"),
                "version 16: expected 1 to 15",
            ),
        ] {
            let error = error(&text);
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains(&KEY[..8]), "{error}");
        }
    }
}

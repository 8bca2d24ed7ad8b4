//! Who is to be authenticated: login_hint (CIBA Core §7.1) in the spellings that MODRNA clients and
//! GSMA Mobile Connect clients use for a phone number.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A phone number after E.164: 5 to 15 digits, kept without the plus sign.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Msisdn(String);

impl Msisdn {
    /// The digits, without plus.
    pub fn digits(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Msisdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

impl From<Msisdn> for String {
    fn from(msisdn: Msisdn) -> Self {
        msisdn.to_string()
    }
}

impl TryFrom<String> for Msisdn {
    type Error = NotANumber;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl FromStr for Msisdn {
    type Err = NotANumber;

    /// Reads `+44…`, `0044…`, `44…` and `tel:+44…`, with blanks, dashes, dots and parentheses.
    fn from_str(text: &str) -> Result<Self, NotANumber> {
        let text = text.trim();
        let text = strip_prefix_ignoring_case(text, "tel:").unwrap_or(text);
        let digits: String = text
            .chars()
            .filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')'))
            .collect();
        let digits = match digits.strip_prefix('+') {
            Some(rest) => rest,
            None => digits.strip_prefix("00").unwrap_or(&digits),
        };
        let plausible = (5..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0');
        if plausible {
            Ok(Self(digits.to_owned()))
        } else {
            Err(NotANumber)
        }
    }
}

/// The text is not a phone number in international format.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a phone number in international format")]
pub struct NotANumber;

/// Reads a login_hint.
///
/// # Errors
/// What the hint is instead of a number this OP can resolve.
pub fn parse_login_hint(hint: &str) -> Result<Msisdn, HintError> {
    // Some clients encode the hint once more than the form does.
    let mut hint = hint.to_owned();
    for (encoded, plain) in [
        ("%3A", ":"),
        ("%3a", ":"),
        ("%2B", "+"),
        ("%2b", "+"),
        ("%20", " "),
    ] {
        hint = hint.replace(encoded, plain);
    }
    let hint = hint.trim();
    for scheme in ["ENCR_MSISDN", "PCR"] {
        if strip_prefix_ignoring_case(hint, &format!("{scheme}:")).is_some() {
            return Err(HintError::Unsupported(scheme));
        }
    }
    let number = strip_prefix_ignoring_case(hint, "MSISDN:").unwrap_or(hint);
    number.parse().map_err(|NotANumber| HintError::NotANumber)
}

/// Why a login_hint names nobody.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HintError {
    /// It is not a phone number.
    NotANumber,
    /// It has a GSMA prefix that this OP does not resolve.
    Unsupported(&'static str),
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix)
        .then(|| &text[prefix.len()..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn login_hint_accepts_every_spelling_of_a_number() {
        for hint in [
            "+447700900001",
            "447700900001",
            " 447700900001", // a plus that was not percent-encoded in the form
            "00447700900001",
            "+44 7700 900001",
            "+44 (7700) 900-001",
            "44.7700.900001",
            "tel:+44-7700-900001",
            "TEL:447700900001",
            "MSISDN:447700900001",
            "msisdn:+447700900001",
            "MSISDN%3A447700900001",
            "MSISDN%3a+447700900001",
            "MSISDN%3A%2B447700900001",
            "%2B447700900001",
            "tel%3A%2B447700900001",
        ] {
            let got = parse_login_hint(hint);
            assert_eq!(
                got.map(|m| m.to_string()),
                Ok("+447700900001".to_owned()),
                "{hint}"
            );
        }
    }

    #[test]
    fn login_hint_refuses_what_is_not_a_number() {
        for hint in [
            "",
            "alice@example.com",
            "+44",
            "+4477009000010000",
            "++447700900001",
            "+44770090000x",
            "0447700900001",
            "tel:+447700900001;phone-context=x",
            "٤٤٧٧٠٠٩٠٠٠٠١",
        ] {
            assert_eq!(parse_login_hint(hint), Err(HintError::NotANumber), "{hint}");
        }
        assert_eq!(
            parse_login_hint("PCR:abc"),
            Err(HintError::Unsupported("PCR"))
        );
        assert_eq!(
            parse_login_hint("ENCR_MSISDN:ab"),
            Err(HintError::Unsupported("ENCR_MSISDN"))
        );
    }

    proptest! {
        #[test]
        fn login_hint_never_panics(hint in any::<String>()) {
            if let Ok(msisdn) = parse_login_hint(&hint) {
                prop_assert_eq!(msisdn.to_string().parse::<Msisdn>(), Ok(msisdn));
            }
        }
    }
}

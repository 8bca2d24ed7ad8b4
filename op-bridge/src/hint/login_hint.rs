//! login_hint: a phone number in the spellings of MODRNA and GSMA Mobile Connect clients, or one of GSMA's prefixes.

use super::{Msisdn, NotANumber, strip_prefix_ignoring_case, token};
use crate::config::Client;
use crate::context::Context;
use crate::issuance;
use crate::oauth::OAuthError;

/// What a login_hint can be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum LoginHint {
    /// `ENCR_MSISDN:`, a number encrypted for the OP. GSMA leaves the format to the operator; here it is that of a
    /// login_hint_token.
    Encrypted(String),
    /// A number, with or without `MSISDN:` or `tel:`.
    Number(Msisdn),
    /// `PCR:`, a Pseudonymous Customer Reference: the `sub` that the client knows the user by.
    Pseudonym(String),
}

/// The number that a login_hint means.
///
/// # Errors
/// unknown_user_id, and what [`token::resolve`] says.
pub(super) fn resolve(
    cx: &mut Context<'_>,
    client: &Client,
    hint: &str,
) -> Result<Msisdn, OAuthError> {
    match parse(hint) {
        Ok(LoginHint::Number(msisdn)) => Ok(msisdn),
        Ok(LoginHint::Encrypted(blob)) => token::resolve_encrypted(cx, &blob),
        Ok(LoginHint::Pseudonym(sub)) => issuance::user_of(cx.op, client, &sub).ok_or_else(|| {
            OAuthError::new(
                "unknown_user_id",
                "PCR: is followed by no sub that this OP gave to this client",
            )
        }),
        Err(NotANumber) => Err(OAuthError::new(
            "unknown_user_id",
            "login_hint is no phone number; send an MSISDN such as +447700900001",
        )),
    }
}

/// Reads a login_hint.
pub(crate) fn parse(hint: &str) -> Result<LoginHint, NotANumber> {
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
    if let Some(blob) = strip_prefix_ignoring_case(hint, "ENCR_MSISDN:") {
        return Ok(LoginHint::Encrypted(blob.to_owned()));
    }
    if let Some(sub) = strip_prefix_ignoring_case(hint, "PCR:") {
        return Ok(LoginHint::Pseudonym(sub.to_owned()));
    }
    let number = strip_prefix_ignoring_case(hint, "MSISDN:").unwrap_or(hint);
    number.parse().map(LoginHint::Number)
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
            let number = LoginHint::Number("+447700900001".parse().unwrap());
            assert_eq!(parse(hint), Ok(number), "{hint}");
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
            assert_eq!(parse(hint), Err(NotANumber), "{hint}");
        }
    }

    #[test]
    fn login_hint_knows_the_prefixes_of_gsma() {
        for (hint, expected) in [
            ("PCR:abc", LoginHint::Pseudonym("abc".into())),
            ("pcr%3Aabc", LoginHint::Pseudonym("abc".into())),
            ("ENCR_MSISDN:a.b", LoginHint::Encrypted("a.b".into())),
        ] {
            assert_eq!(parse(hint), Ok(expected), "{hint}");
        }
    }

    proptest! {
        #[test]
        fn login_hint_never_panics(hint in any::<String>()) {
            if let Ok(LoginHint::Number(msisdn)) = parse(&hint) {
                prop_assert_eq!(msisdn.to_string().parse::<Msisdn>(), Ok(msisdn));
            }
        }
    }
}

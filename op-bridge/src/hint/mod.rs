//! Who is to be authenticated: the one hint of a request (CIBA Core §7.1), whatever it is, and the phone number it leads to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::config::{Client, UnknownUser};
use crate::context::Context;
use crate::forms::Form;
use crate::jose::jwe::Allowed;
use crate::jose::jwk::JwkSet;
use crate::jose::jws::JwsAlg;
use crate::oauth::OAuthError;

mod id_token;
mod login_hint;
mod token;

/// Which hints name a user.
#[derive(Clone, Debug)]
pub struct HintRules {
    /// Whose login_hint_tokens count.
    pub issuers: Vec<HintIssuer>,
    /// What a login_hint_token may be.
    pub formats: HintFormats,
    /// What it may be encrypted with.
    pub encryption: Allowed,
    /// What it may be signed with.
    pub algorithms: Vec<JwsAlg>,
    /// Age at which a login_hint_token ends, seconds after its iat. The MODRNA profile has no exp.
    pub max_age: u32,
    /// Whether an id_token whose exp is over still names its user.
    pub expired_id_tokens: bool,
}

/// A discovery service whose login_hint_tokens count.
#[derive(Clone, Debug)]
pub struct HintIssuer {
    /// `iss` of its tokens.
    pub issuer: String,
    /// Its keys.
    pub jwks: JwkSet,
    /// Where they are, if there are none in `jwks`.
    pub jwks_uri: Option<String>,
}

/// What a login_hint_token may be.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct HintFormats {
    /// A signed token, encrypted for the OP (MODRNA Authentication profile).
    pub nested: bool,
    /// Claims encrypted for the OP: whoever knows its public key can make one.
    pub encrypted: bool,
    /// A signed token that everybody can read, the client too.
    pub signed: bool,
}

impl Default for HintFormats {
    fn default() -> Self {
        Self {
            nested: true,
            encrypted: true,
            signed: false,
        }
    }
}

impl Default for HintRules {
    fn default() -> Self {
        Self {
            issuers: Vec::new(),
            formats: HintFormats::default(),
            encryption: Allowed::default(),
            algorithms: vec![JwsAlg::Es256, JwsAlg::Ps256, JwsAlg::Rs256],
            max_age: 600,
            expired_id_tokens: true,
        }
    }
}

/// Whom a request is about.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) msisdn: Msisdn,
    /// Whether the OP itself knows the number.
    pub(crate) known: bool,
}

/// The one hint of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hint<'a> {
    IdToken(&'a str),
    Login(&'a str),
    LoginToken(&'a str),
}

impl<'a> Hint<'a> {
    /// Exactly one of the three (CIBA Core §7.1).
    ///
    /// # Errors
    /// invalid_request.
    pub(crate) fn of(form: &'a Form) -> Result<Self, OAuthError> {
        let names = ["login_hint", "login_hint_token", "id_token_hint"];
        let mut given = names
            .into_iter()
            .filter_map(|name| Some((name, form.get(name)?)));
        match (given.next(), given.next()) {
            (Some(("login_hint", hint)), None) => Ok(Self::Login(hint)),
            (Some(("login_hint_token", hint)), None) => Ok(Self::LoginToken(hint)),
            (Some((_, hint)), None) => Ok(Self::IdToken(hint)),
            (None, _) => Err(OAuthError::invalid_request(
                "no hint; CIBA Core section 7.1 requires exactly one of login_hint, login_hint_token and id_token_hint",
            )),
            (Some((first, _)), Some((second, _))) => Err(OAuthError::invalid_request(format!(
                "both {first} and {second}; CIBA Core section 7.1 requires exactly one hint"
            ))),
        }
    }

    /// Whom it means.
    ///
    /// # Errors
    /// unknown_user_id, expired_login_hint_token, invalid_request.
    pub(crate) fn resolve(self, cx: &mut Context<'_>, client: &Client) -> Result<User, OAuthError> {
        let msisdn = match self {
            Self::IdToken(hint) => id_token::resolve(cx, client, hint),
            Self::Login(hint) => login_hint::resolve(cx, client, hint),
            Self::LoginToken(hint) => token::resolve(cx, hint),
        }?;
        let known = cx.op.config.subscribers.knows(&msisdn);
        if !known && cx.op.config.unknown_user == UnknownUser::Reject {
            return Err(unknown_user());
        }
        Ok(User { msisdn, known })
    }
}

/// unknown_user_id for a number nobody knows.
pub(crate) fn unknown_user() -> OAuthError {
    OAuthError::new(
        "unknown_user_id",
        "no subscriber has the number of the hint; midsim world lists those that exist",
    )
}

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

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix)
        .then(|| &text[prefix.len()..])
}

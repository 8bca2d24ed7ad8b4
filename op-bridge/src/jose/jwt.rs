//! The claims of a JWT (RFC 7519 §4) and the rules that requests and assertions share.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{JoseError, json};

/// How far two clocks may be apart, in seconds. The OIDF suite wants a nbf ten minutes ahead refused.
pub(crate) const SKEW: i64 = 60;
/// Most characters of a jti.
const MOST_JTI: usize = 256;

/// The claims of a token whose signature was verified.
#[derive(Clone, Debug)]
pub(crate) struct Claims(pub(crate) Map<String, Value>);

impl Claims {
    /// Reads a payload.
    pub(crate) fn parse(payload: &[u8]) -> Result<Self, JoseError> {
        json::object(payload)
            .map(Self)
            .map_err(|why| JoseError::Json("payload", why))
    }

    /// A claim that is a string, if it is there.
    pub(crate) fn text(&self, claim: &'static str) -> Result<Option<&str>, JoseError> {
        match self.0.get(claim) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(claim, "must be a string")),
        }
    }

    /// A string that must be there.
    pub(crate) fn require(&self, claim: &'static str) -> Result<&str, JoseError> {
        self.text(claim)?.ok_or_else(|| missing(claim))
    }

    /// The claim must be there and say exactly this.
    pub(crate) fn must_be(&self, claim: &'static str, expected: &str) -> Result<(), JoseError> {
        match self.require(claim)? {
            got if got == expected => Ok(()),
            got => Err(wrong(
                claim,
                &format!("is {}, expected {expected}", short(got)),
            )),
        }
    }

    /// A NumericDate (RFC 7519 §2), in whole seconds, if it is there.
    pub(crate) fn instant(&self, claim: &'static str) -> Result<Option<i64>, JoseError> {
        let Some(value) = self.0.get(claim) else {
            return Ok(None);
        };
        let whole = value.as_i64();
        // Beyond the years that a Timestamp knows no date means anything.
        let fraction = value
            .as_f64()
            .filter(|seconds| seconds.abs() < 1e11)
            .map(|seconds| seconds.floor() as i64);
        whole
            .filter(|seconds| seconds.unsigned_abs() < 100_000_000_000)
            .or(fraction)
            .map(Some)
            .ok_or_else(|| wrong(claim, "must be a number of seconds since 1970"))
    }

    /// A NumericDate that must be there.
    pub(crate) fn require_instant(&self, claim: &'static str) -> Result<i64, JoseError> {
        self.instant(claim)?.ok_or_else(|| missing(claim))
    }

    /// `aud` must be there and contain one of these (RFC 7519 §4.1.3).
    pub(crate) fn audience(&self, accepted: &[String]) -> Result<(), JoseError> {
        let ours = |value: &Value| {
            value
                .as_str()
                .is_some_and(|aud| accepted.iter().any(|one| one == aud))
        };
        let found = match self.0.get("aud") {
            None => return Err(missing("aud")),
            Some(Value::Array(list)) => list.iter().any(ours),
            Some(one) => ours(one),
        };
        if found {
            Ok(())
        } else {
            let expected = accepted.join(" or ");
            Err(wrong("aud", &format!("does not contain {expected}")))
        }
    }

    /// `exp` is not over, `nbf` and `iat` are not ahead, where they are present; a little apart is fine.
    pub(crate) fn in_force(&self, now: Timestamp) -> Result<(), JoseError> {
        let now = now.as_second();
        if let Some(exp) = self.instant("exp")?
            && now >= exp + SKEW
        {
            return Err(wrong("exp", &format!("was {} s ago", now - exp)));
        }
        for claim in ["nbf", "iat"] {
            if let Some(instant) = self.instant(claim)?
                && instant > now + SKEW
            {
                return Err(wrong(claim, &format!("is {} s ahead", instant - now)));
            }
        }
        Ok(())
    }

    /// `jti`, not empty and not long.
    pub(crate) fn jti(&self) -> Result<&str, JoseError> {
        let jti = self.require("jti")?;
        if jti.is_empty() || jti.len() > MOST_JTI {
            return Err(wrong("jti", "must have 1 to 256 characters"));
        }
        Ok(jti)
    }
}

/// A claim that is not there.
pub(crate) fn missing(claim: &'static str) -> JoseError {
    wrong(claim, "is missing")
}

/// A claim that is not right.
pub(crate) fn wrong(claim: &'static str, why: &str) -> JoseError {
    JoseError::Claim {
        claim,
        why: why.to_owned(),
    }
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

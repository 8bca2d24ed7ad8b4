//! acr_values: how strongly the user is to be authenticated.
//!
//! MODRNA Authentication Profile 1.0 (`mod-pr`, `mod-mf` and their long forms) and GSMA Mobile
//! Connect (`2`, `3`, `4`). What each means on the SIM: a confirmation on the handset, the applet's PIN, or a signature
//! of a key with a certificate.

use serde::{Deserialize, Serialize};

/// What the SIM applet asks of the user.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Assurance {
    /// Possession of the SIM and a confirmation on the handset (phishing-resistant, LoA2).
    Confirm,
    /// Possession of the SIM and its PIN (multi-factor, LoA3).
    Pin,
    /// The same, and a signature by a key of the user that has a certificate (LoA4).
    Signature,
}

impl Assurance {
    /// amr of an authentication that went this way (RFC 8176).
    ///
    /// `sc`: the key that authenticated the answer is in a smart card, the SIM. `pin`: the card
    /// checked a PIN. `mfa`: possession and knowledge together. `user`: the user pressed OK, which
    /// shows presence and no more. `hwk`: a key in hardware signed.
    pub fn amr(self) -> &'static [&'static str] {
        match self {
            Self::Confirm => &["sc", "user"],
            Self::Pin => &["mfa", "pin", "sc"],
            Self::Signature => &["hwk", "mfa", "pin", "sc"],
        }
    }
}

/// The values every midsim OP knows out of the box.
pub(crate) fn known_values() -> Vec<(String, Assurance)> {
    const POLICIES: &str = "http://schemas.openid.net/policies/modrna";
    vec![
        ("mod-mf".into(), Assurance::Pin),
        ("mod-pr".into(), Assurance::Confirm),
        (format!("{POLICIES}/multi-factor"), Assurance::Pin),
        (format!("{POLICIES}/phishing-resistant"), Assurance::Confirm),
        ("3".into(), Assurance::Pin),
        ("2".into(), Assurance::Confirm),
        ("4".into(), Assurance::Signature),
    ]
}

/// What `value` asks for, if this OP knows it.
pub(crate) fn assurance(known: &[(String, Assurance)], value: &str) -> Option<Assurance> {
    known
        .iter()
        .find(|(name, _)| name == value)
        .map(|(_, assurance)| *assurance)
}

/// The values of `requested` that can be met, in the client's order of preference; one for each
/// assurance, as two names for one thing need no second try.
pub(crate) fn ladder(known: &[(String, Assurance)], requested: &str) -> Vec<String> {
    let mut rungs: Vec<(String, Assurance)> = Vec::new();
    for value in requested.split_ascii_whitespace() {
        if let Some(found) = assurance(known, value)
            && rungs.iter().all(|(_, other)| *other != found)
        {
            rungs.push((value.to_owned(), found));
        }
    }
    rungs.into_iter().map(|(value, _)| value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_modrna_spellings_and_gsma_levels_are_known() {
        let known = known_values();
        for pin in [
            "mod-mf",
            "3",
            "http://schemas.openid.net/policies/modrna/multi-factor",
        ] {
            assert_eq!(assurance(&known, pin), Some(Assurance::Pin), "{pin}");
        }
        for confirm in [
            "mod-pr",
            "2",
            "http://schemas.openid.net/policies/modrna/phishing-resistant",
        ] {
            assert_eq!(
                assurance(&known, confirm),
                Some(Assurance::Confirm),
                "{confirm}"
            );
        }
        assert_eq!(assurance(&known, "4"), Some(Assurance::Signature));
        assert_eq!(assurance(&known, "5"), None);
    }

    #[test]
    fn ladder_keeps_the_order_of_preference_and_drops_the_unknown() {
        let known = known_values();
        assert_eq!(ladder(&known, "5 4 3 2"), ["4", "3", "2"]);
        assert_eq!(ladder(&known, "mod-pr mod-mf 3"), ["mod-pr", "mod-mf"]);
        assert!(ladder(&known, "urn:mace:incommon:iap:silver").is_empty());
    }
}

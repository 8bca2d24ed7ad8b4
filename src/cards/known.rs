//! What whoever made a card knows of it, for people with card tools.

use serde::{Deserialize, Serialize};
use sim_applet_sim::profile::{CODES, CodeProfile, Profile, Subscriber};
use sim_applet_sim::state::{CardState, CodeView};

/// A card and the codes that its profile gave it: test codes, which stand in a file. Codes that somebody has set since are not told.
#[derive(Clone, Deserialize, Serialize)]
pub struct KnownCard {
    /// EF.ICCID.
    pub iccid: String,
    /// Name of its profile.
    pub profile: String,
    /// PIN1.
    pub pin1: KnownCode,
    /// PIN2.
    pub pin2: KnownCode,
    /// ADM1.
    pub adm1: KnownCode,
}

/// A code of a card.
#[derive(Clone, Deserialize, Serialize)]
pub struct KnownCode {
    /// Its digits, unless they were changed.
    pub code: Option<String>,
    /// P2 of VERIFY PIN, in hexadecimal.
    pub reference: String,
    /// Whether the card asks for it.
    pub enabled: bool,
    /// Whether DISABLE PIN ends that.
    pub may_be_disabled: bool,
    /// Wrong codes until it is blocked; 0 means that it is.
    pub tries: u8,
    /// The code that unblocks it, if there is one.
    pub unblock: Option<String>,
}

impl KnownCard {
    /// Of a card of this profile.
    pub fn new(profile: &Profile, subscriber: &Subscriber, state: &CardState) -> Self {
        let now: [CodeView; CODES] = state.codes(profile);
        let [pin1, pin2, adm1] = &profile.codes;
        Self {
            iccid: subscriber.iccid.digits().to_owned(),
            profile: profile.name.clone(),
            pin1: KnownCode::new(pin1, now[0]),
            pin2: KnownCode::new(pin2, now[1]),
            adm1: KnownCode::new(adm1, now[2]),
        }
    }
}

impl KnownCode {
    fn new(profile: &CodeProfile, now: CodeView) -> Self {
        let unblock = profile.unblock.as_ref();
        Self {
            code: (!now.changed).then(|| profile.code.digits().to_owned()),
            reference: format!("{:02X}", profile.reference),
            enabled: now.enabled,
            may_be_disabled: profile.may_be_disabled,
            tries: now.tries,
            unblock: unblock.map(|(code, _)| code.digits().to_owned()),
        }
    }
}

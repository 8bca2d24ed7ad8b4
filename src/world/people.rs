//! Subscribers, one by one and in ranges.

use std::collections::BTreeMap;

use mssp::pki::credential::CertificateState;
use ota_wire::ids::{Iccid, Imsi, Msisdn};
use ota_wire::secret::Secret;
use serde::Deserialize;

/// A run of numbers that share one profile.
#[derive(Clone, Debug)]
pub struct Range {
    pub(super) first: u64,
    pub(super) iccid_base: u64,
    pub(super) imsi_base: u64,
    pub(super) count: u64,
    pub(super) pin: Secret,
    pub(super) puk: Secret,
}

/// One subscriber with everything the parties need to know.
#[derive(Clone)]
pub struct Subscriber {
    /// The number.
    pub msisdn: Msisdn,
    /// The card in the handset.
    pub iccid: Iccid,
    /// The subscription on the card.
    pub imsi: Imsi,
    /// The applet's PIN when the card is new.
    pub pin: Secret,
    /// The applet's PUK.
    pub puk: Secret,
    /// What this number is for.
    pub about: String,
    /// What the user does.
    pub persona: Persona,
    /// The PIN was blocked before we started.
    pub pin_blocked: bool,
    /// And so was its PUK.
    pub puk_blocked: bool,
    /// How the MSSP stands with them at first.
    pub mssp_state: mssp::UserState,
    /// What their certificate is like at first.
    pub certificate: CertificateState,
    /// Where the key of their certificate is.
    pub key: KeyPlace,
    /// The code that signature requests have to carry, if they have set one.
    pub no_spam_code: Option<String>,
    /// Whether the handset hears the network.
    pub coverage: bool,
    /// Which methods the applet offers.
    pub applet: Applet,
    /// The code that clients with backchannel_user_code_parameter must send (CIBA Core §7.1).
    pub user_code: Option<Secret>,
    /// Claims that scopes `profile` and `phone` release.
    pub claims: BTreeMap<String, String>,
}

/// What a scripted user does with a prompt.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Persona {
    /// Types the right PIN.
    Approve {
        /// Thinks this long before each key press.
        #[serde(default)]
        after_ms: u32,
    },
    /// The handset is busy with something else.
    Busy,
    /// Presses cancel.
    Cancel,
    /// Says no where the handset asks for yes or no; presses cancel elsewhere.
    Decline,
    /// Somebody at the browser or the API; approves where nobody is there (`demo`, `exec`).
    Human,
    /// Never presses a key.
    Ignore,
    /// Types a wrong PIN first.
    WrongPin {
        /// So many times.
        times: u32,
    },
}

/// Where the key of a subscriber's certificate is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum KeyPlace {
    /// On the SIM: P-256.
    #[default]
    Card,
    /// At the MSSP: RSA.
    Mssp,
}

/// The methods an applet offers.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Applet {
    /// Only "press OK".
    ConfirmOnly,
    /// "Press OK" and PIN.
    #[default]
    Full,
    /// The same, and a menu in which the user changes and unblocks the PIN.
    Menu,
}

impl Range {
    pub(super) fn holds(&self, msisdn: &Msisdn) -> bool {
        self.place(msisdn).is_some()
    }

    fn place(&self, msisdn: &Msisdn) -> Option<u64> {
        let number: u64 = msisdn.digits().parse().ok()?;
        number.checked_sub(self.first).filter(|n| *n < self.count)
    }

    /// The number whose ICCID is this without its check digit.
    pub(super) fn of_card(&self, body: u64) -> Option<Msisdn> {
        let n = body.checked_sub(self.iccid_base)?;
        let number = self.first.checked_add(n).filter(|_| n < self.count)?;
        number.to_string().parse().ok()
    }

    pub(super) fn card(&self, msisdn: &Msisdn) -> Option<Iccid> {
        let body = self.iccid_base + self.place(msisdn)?;
        Iccid::with_check_digit(&format!("{body:018}")).ok()
    }

    pub(super) fn number(&self, msisdn: &Msisdn) -> Option<(Iccid, Imsi, Secret, Secret)> {
        let n = self.place(msisdn)?;
        let imsi = format!("{:015}", self.imsi_base + n).parse().ok()?;
        Some((self.card(msisdn)?, imsi, self.pin.clone(), self.puk.clone()))
    }
}

/// The card of a number outside every range: it carries the number itself, so that no two numbers share one.
pub(super) fn card_of_its_own(msisdn: &Msisdn) -> Iccid {
    let digits = msisdn.digits();
    #[expect(
        clippy::expect_used,
        reason = "18 digits by construction: an MSISDN has at most 15"
    )]
    Iccid::with_check_digit(&format!("899{digits:0>15}")).expect("18 digits")
}

/// What belongs to a number outside every range: both identities carry it.
pub(super) fn number_of_its_own(msisdn: &Msisdn) -> (Iccid, Imsi, Secret, Secret) {
    let digits = msisdn.digits();
    let tail = &digits[digits.len().saturating_sub(10)..];
    #[expect(
        clippy::expect_used,
        reason = "15 digits by construction: the last 10 of the number at most"
    )]
    let imsi = format!("00101{tail:0>10}").parse().expect("15 digits");
    (
        card_of_its_own(msisdn),
        imsi,
        Secret::new(b"1234".to_vec()),
        Secret::new(b"12345678".to_vec()),
    )
}

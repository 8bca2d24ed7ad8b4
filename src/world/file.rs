//! The world file as it is written.

use std::collections::BTreeMap;

use mssp::pki::credential::CertificateState;
use ota_wire::ids::Msisdn;
use ota_wire::secret::Secret;
use serde::Deserialize;

use super::parties::{Client, Esme, Mssp, Op, Smpp};
use super::people::{Applet, KeyPlace, Persona, Range};
use super::{WorldError, parse};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) operator: OperatorEntry,
    pub(super) mssp: Mssp,
    #[serde(default)]
    pub(super) op: Op,
    pub(super) smpp: Smpp,
    #[serde(default)]
    pub(super) esme: Vec<Esme>,
    pub(super) client: Vec<Client>,
    #[serde(default)]
    pub(super) range: Vec<RangeEntry>,
    #[serde(default)]
    pub(super) subscriber: Vec<Named>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OperatorEntry {
    pub(super) name: String,
    pub(super) master_key: String,
    pub(super) short_code: String,
    pub(super) smsc: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RangeEntry {
    pub(super) first_msisdn: String,
    pub(super) iccid_base: String,
    pub(super) imsi_base: String,
    pub(super) count: u64,
    pub(super) pin: String,
    pub(super) puk: String,
}

impl TryFrom<RangeEntry> for Range {
    type Error = WorldError;

    fn try_from(entry: RangeEntry) -> Result<Self, WorldError> {
        let first: Msisdn = parse("range.first_msisdn", &entry.first_msisdn)?;
        let number = |what, got: &str, digits: usize| {
            got.parse()
                .ok()
                .filter(|_| got.len() == digits)
                .ok_or_else(|| WorldError::Value {
                    what,
                    got: got.into(),
                    why: format!("expected {digits} digits"),
                })
        };
        Ok(Self {
            first: number("range.first_msisdn", first.digits(), first.digits().len())?,
            iccid_base: number("range.iccid_base", &entry.iccid_base, 18)?,
            imsi_base: number("range.imsi_base", &entry.imsi_base, 15)?,
            count: entry.count,
            pin: Secret::new(entry.pin.into_bytes()),
            puk: Secret::new(entry.puk.into_bytes()),
        })
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    pub(super) msisdn: String,
    #[serde(default)]
    pub(super) about: String,
    #[serde(default = "approve")]
    pub(super) persona: Persona,
    #[serde(default)]
    pub(super) pin_blocked: bool,
    #[serde(default)]
    pub(super) puk_blocked: bool,
    #[serde(default)]
    pub(super) mssp_state: mssp::UserState,
    #[serde(default)]
    pub(super) certificate: CertificateState,
    #[serde(default)]
    pub(super) key: Option<KeyPlace>,
    #[serde(default)]
    pub(super) no_spam_code: Option<String>,
    #[serde(default)]
    pub(super) user_identifier: Option<String>,
    #[serde(default = "yes")]
    pub(super) coverage: bool,
    #[serde(default)]
    pub(super) applet: Applet,
    pub(super) user_code: Option<String>,
    #[serde(default)]
    pub(super) claims: BTreeMap<String, String>,
}

impl Default for Named {
    fn default() -> Self {
        Self {
            msisdn: String::new(),
            about: String::new(),
            persona: approve(),
            pin_blocked: false,
            puk_blocked: false,
            mssp_state: mssp::UserState::Active,
            certificate: CertificateState::Valid,
            key: None,
            no_spam_code: None,
            user_identifier: None,
            coverage: true,
            applet: Applet::Full,
            user_code: None,
            claims: BTreeMap::new(),
        }
    }
}

fn approve() -> Persona {
    Persona::Approve { after_ms: 0 }
}

pub(super) fn yes() -> bool {
    true
}

//! The world that every party reads: operator, clients, APs, subscribers, and what each user does.
//!
//! `fixtures/world.toml` is the default and documents the format by example.

mod file;
mod parties;
mod people;

use std::collections::BTreeMap;
use std::sync::Arc;

use ota_wire::ids::{Iccid, Msisdn};
use ota_wire::keys::{Family, MasterKey};
use ota_wire::secret::Secret;
use sim_applet_sim::profile::Profile;

use self::file::{File, Named};
pub use self::parties::{
    AcrValue, Ap, Client, Esme, HintIssuer, Hints, Mode, Mssp, Op, OpMssp, Operator, Smpp,
};
pub use self::people::{Applet, KeyPlace, Persona, Range, Subscriber};
use self::people::{card_of_its_own, number_of_its_own};

/// The text of the default world.
pub const DEFAULT: &str = include_str!("../fixtures/world.toml");

/// Everything that exists before the first request.
#[derive(Clone, Debug)]
pub struct World {
    /// The operator that owns the SIMs, the OTA platform and the SMSC.
    pub operator: Operator,
    /// The MSSP and the APs it knows.
    pub mssp: Mssp,
    /// Switches of the OP.
    pub op: Op,
    /// How the OTA platform binds to the SMSC.
    pub smpp: Smpp,
    /// Other programs that may bind to the SMSC, with numbers of their own.
    pub esmes: Vec<Esme>,
    /// The RPs that the OP knows.
    pub clients: Vec<Client>,
    /// Ranges of numbers, of which subscribers are made on demand.
    pub ranges: Vec<Range>,
    /// Whether a number outside every range becomes a subscriber when it is first used.
    pub any_number: bool,
    /// The OTA key set that SIMs use.
    pub family: Family,
    /// The cards, where they are not midsim's own.
    pub(crate) card_profile: Option<Arc<Profile>>,
    named: BTreeMap<Msisdn, Named>,
}

/// Why a world file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// Not TOML, or not our keys.
    #[error("world: {0}")]
    Format(#[from] toml::de::Error),
    /// A value that does not mean anything.
    #[error("world: {what} {got:?}: {why}")]
    Value {
        /// Which key.
        what: &'static str,
        /// What stands there.
        got: String,
        /// What is wrong with it.
        why: String,
    },
}

impl World {
    /// Reads a world file.
    pub fn parse(text: &str) -> Result<Self, WorldError> {
        let file: File = toml::from_str(text)?;
        let master_key = hex::decode(&file.operator.master_key)
            .ok()
            .filter(|key| key.len() == 32)
            .ok_or_else(|| WorldError::Value {
                what: "operator.master_key",
                got: format!("{} characters", file.operator.master_key.len()),
                why: "expected 64 hexadecimal digits".into(),
            })?;
        for ap in &file.mssp.ap {
            ap.certificate_der()?;
        }
        let mut named = BTreeMap::new();
        for entry in file.subscriber {
            let msisdn = parse("subscriber.msisdn", &entry.msisdn)?;
            named.insert(msisdn, entry);
        }
        Ok(Self {
            operator: Operator {
                name: file.operator.name,
                master_key: Secret::new(master_key),
                short_code: file.operator.short_code,
                smsc: parse("operator.smsc", &file.operator.smsc)?,
            },
            mssp: file.mssp,
            op: file.op,
            smpp: file.smpp,
            esmes: file.esme,
            clients: file.client,
            ranges: file
                .range
                .into_iter()
                .map(Range::try_from)
                .collect::<Result<_, _>>()?,
            any_number: false,
            family: Family::Aes128,
            card_profile: None,
            named,
        })
    }

    /// The key that all others come from.
    pub fn master_key(&self) -> MasterKey {
        let mut key = [0; 32];
        key.copy_from_slice(self.operator.master_key.expose());
        MasterKey::new(key)
    }

    /// Whether a number has a subscriber.
    pub fn knows(&self, msisdn: &Msisdn) -> bool {
        self.stands_alone(msisdn) || self.ranges.iter().any(|range| range.holds(msisdn))
    }

    /// Whether a number has a subscriber though no range holds it.
    fn stands_alone(&self, msisdn: &Msisdn) -> bool {
        self.any_number || self.named.contains_key(msisdn) || self.signs_in_tests(msisdn)
    }

    /// The card of a number's subscriber, if there is one.
    pub fn card(&self, msisdn: &Msisdn) -> Option<Iccid> {
        let in_range = self.ranges.iter().find_map(|range| range.card(msisdn));
        in_range.or_else(|| self.stands_alone(msisdn).then(|| card_of_its_own(msisdn)))
    }

    /// The subscriber of a number, if there is one.
    pub fn subscriber(&self, msisdn: &Msisdn) -> Option<Subscriber> {
        let named = self.named.get(msisdn);
        let in_range = self.ranges.iter().find_map(|r| r.number(msisdn));
        let (iccid, imsi, pin, puk) =
            in_range.or_else(|| self.stands_alone(msisdn).then(|| number_of_its_own(msisdn)))?;
        let named = named.cloned().unwrap_or_default();
        let mut claims = named.claims;
        claims.insert("phone_number".into(), msisdn.to_string());
        Some(Subscriber {
            msisdn: msisdn.clone(),
            iccid,
            imsi,
            pin,
            puk,
            about: named.about,
            persona: named.persona,
            pin_blocked: named.pin_blocked,
            puk_blocked: named.puk_blocked,
            mssp_state: named.mssp_state,
            certificate: named.certificate,
            key: named.key.unwrap_or_else(|| self.key_in_tests(msisdn)),
            no_spam_code: named.no_spam_code,
            coverage: named.coverage,
            applet: named.applet,
            user_code: named.user_code.map(|code| Secret::new(code.into_bytes())),
            claims,
        })
    }

    /// Who is known to the MSSP by this UserIdentifier.
    pub fn identified(&self, user_identifier: &str) -> Option<Msisdn> {
        self.named
            .iter()
            .find(|(_, named)| named.user_identifier.as_deref() == Some(user_identifier))
            .map(|(msisdn, _)| msisdn.clone())
    }

    /// The published test numbers of users who sign.
    fn signs_in_tests(&self, msisdn: &Msisdn) -> bool {
        self.mssp.test_numbers && matches!(msisdn.digits(), "41700092501" | "41700092502")
    }

    /// Of the published numbers, one signs with RSA, which cards here cannot.
    fn key_in_tests(&self, msisdn: &Msisdn) -> KeyPlace {
        if self.mssp.test_numbers && msisdn.digits() == "41700092502" {
            KeyPlace::Mssp
        } else {
            KeyPlace::Card
        }
    }

    /// The subscriber whose card has this ICCID, if there is one.
    pub fn by_iccid(&self, iccid: &Iccid) -> Option<Subscriber> {
        let digits = iccid.digits();
        let body = &digits[..digits.len() - 1];
        let in_range = body
            .parse()
            .ok()
            .and_then(|body| self.ranges.iter().find_map(|range| range.of_card(body)));
        // Else the card of a number outside every range, which carries the number itself.
        let number = || {
            body.strip_prefix("899")
                .map(|it| it.trim_start_matches('0'))
        };
        let found = in_range.or_else(|| number()?.parse().ok())?;
        self.subscriber(&found)
            .filter(|subscriber| subscriber.iccid == *iccid)
    }

    /// The subscribers that the file names one by one, in order of their numbers.
    pub fn named(&self) -> impl Iterator<Item = Subscriber> {
        self.named
            .keys()
            .filter_map(|msisdn| self.subscriber(msisdn))
    }

    /// Changes what the user of one number does.
    pub fn set_persona(&mut self, msisdn: &Msisdn, persona: Persona) {
        self.named.entry(msisdn.clone()).or_default().persona = persona;
    }
}

impl Default for World {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "the embedded file is parsed by a test")]
        Self::parse(DEFAULT).expect("the embedded world is well-formed")
    }
}

fn parse<T: std::str::FromStr>(what: &'static str, got: &str) -> Result<T, WorldError>
where
    T::Err: std::fmt::Display,
{
    got.parse().map_err(|why: T::Err| WorldError::Value {
        what,
        got: got.into(),
        why: why.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_world_has_the_ten_numbers() {
        let world = World::default();
        let numbers: Vec<_> = world.named().map(|s| s.msisdn.to_string()).collect();
        assert_eq!(numbers.len(), 10);
        assert_eq!(numbers[0], "+447700900001");
        assert_eq!(numbers[9], "+447700900010");
    }

    #[test]
    fn identities_of_a_range_grow_together() {
        let world = World::default();
        let third = world.subscriber(&"+447700900003".parse().unwrap()).unwrap();
        assert_eq!(third.iccid.digits()[..18], *"894477009000000003");
        assert_eq!(world.card(&third.msisdn), Some(third.iccid.clone()));
        assert_eq!(third.imsi.digits(), "001010000000003");
        assert_eq!(third.persona, Persona::Approve { after_ms: 3000 });
    }

    #[test]
    fn an_unknown_number_is_nobody_until_any_number_is_on() {
        let mut world = World::default();
        let stranger: Msisdn = "+15005550006".parse().unwrap();
        assert!(world.subscriber(&stranger).is_none());
        assert_eq!(world.card(&stranger), None);
        world.any_number = true;
        assert_eq!(
            world.subscriber(&stranger).unwrap().iccid.digits()[..18],
            *"899000015005550006"
        );
        let card = world
            .subscriber(&stranger)
            .map(|subscriber| subscriber.iccid);
        assert_eq!(world.card(&stranger), card);
    }

    #[test]
    fn published_test_numbers_are_people_unless_switched_off() {
        let number: Msisdn = "41700092501".parse().unwrap();
        assert!(World::default().subscriber(&number).is_some());
        assert!(World::default().knows(&number));
        let off = DEFAULT.replace("test_numbers = true", "test_numbers = false");
        assert!(World::parse(&off).unwrap().subscriber(&number).is_none());
    }

    #[test]
    fn a_certificate_that_is_none_is_named() {
        let with = |pem: &str| {
            let text = format!("password = \"midsim-ap\"\ncertificate = \"{pem}\"\n");
            World::parse(&DEFAULT.replace("password = \"midsim-ap\"\n", &text))
        };
        let error = with("no").unwrap_err().to_string();
        assert!(error.contains("http://midsim.test/ap"), "{error}");
        let good = with("-----BEGIN CERTIFICATE-----AQID-----END CERTIFICATE-----").unwrap();
        assert_eq!(
            good.mssp.ap[0].certificate_der().unwrap(),
            Some(vec![1, 2, 3])
        );
    }

    #[test]
    fn cards_are_found_by_their_iccid() {
        let world = World {
            any_number: true,
            ..World::default()
        };
        for number in ["+447700900003", "+447700900010", "+15005550006"] {
            let subscriber = world.subscriber(&number.parse().unwrap()).unwrap();
            let found = world.by_iccid(&subscriber.iccid).unwrap();
            assert_eq!(found.msisdn.to_string(), number);
        }
        let stranger = Iccid::with_check_digit("894477009000000011").unwrap();
        assert!(world.by_iccid(&stranger).is_none());
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = World::parse(&DEFAULT.replace("short_code", "shortcode")).unwrap_err();
        assert!(error.to_string().contains("shortcode"), "{error}");
    }
}

//! From subscribers of the world to their cards, and a card by itself, outside every handset.

mod known;

use std::io;
use std::sync::Arc;

use ota_wire::keys::Family;
use ota_wire::secret::Secret;
use rand_core::Rng as _;
use sim_applet_sim::event::command_octets;
use sim_applet_sim::pin::{PinCode, PinCodeError};
use sim_applet_sim::profile::{
    self, KeySetProfile, NetworkProfile, Profile, ProfileError, Weakness,
};
use sim_applet_sim::state::CardState;
use sim_applet_sim::uicc::Uicc;

use crate::runtime::chance::Chance;
use crate::sockets::vpcd;
use crate::world::{Applet, Subscriber, World};

pub use self::known::{KnownCard, KnownCode};

/// The kinds of cards that a world has, shared by all its cards.
pub struct Profiles {
    full: Arc<Profile>,
    confirm_only: Arc<Profile>,
    menu: Arc<Profile>,
}

/// A PIN or PUK of the world that no card takes.
#[derive(Debug, thiserror::Error)]
#[error("{what} of {msisdn}: {why}")]
pub struct BadCode {
    what: &'static str,
    msisdn: String,
    why: PinCodeError,
}

/// Why a card profile is not used.
#[derive(Debug, thiserror::Error)]
pub enum CardProfileError {
    /// It is none.
    #[error(transparent)]
    Format(#[from] ProfileError),
    /// Its cards must not be taken for good ones.
    #[error("its cards are weak ({}); --allow-weak-cards takes them all the same", in_words(.0))]
    Weak(Vec<Weakness>),
}

fn in_words(weaknesses: &[Weakness]) -> String {
    let words: Vec<String> = weaknesses.iter().map(Weakness::to_string).collect();
    words.join("; ")
}

impl World {
    /// All cards are of this profile from now on. The format is that of `fixtures/profiles/default.toml`.
    ///
    /// # Errors
    /// [`CardProfileError`], for a weak one too unless `allow_weak` is set.
    pub fn use_card_profile(
        &mut self,
        text: &str,
        allow_weak: bool,
    ) -> Result<(), CardProfileError> {
        let profile = Profile::parse(text, self.master_key(), network(self))?;
        let weaknesses = profile.weaknesses();
        if !weaknesses.is_empty() && !allow_weak {
            return Err(CardProfileError::Weak(weaknesses));
        }
        self.card_profile = Some(Arc::new(profile));
        Ok(())
    }

    /// Version and family of the OTA key sets that every card has from the factory, as its profile says. Sets of single DES
    /// are left out: the platform does not use them unless they are imported.
    pub(crate) fn ota_key_sets(&self) -> Vec<(u8, Family)> {
        let Some(profile) = &self.card_profile else {
            return STANDARD_KEY_SETS.to_vec();
        };
        let derived = |keys: &KeySetProfile| match *keys {
            KeySetProfile::Derived(version, family) => Some((version, family)),
            KeySetProfile::SingleDes(_) => None,
        };
        profile.key_sets.iter().filter_map(derived).collect()
    }
}

/// Those of the standard profile, known without reading it.
const STANDARD_KEY_SETS: [(u8, Family); 2] = [(1, Family::Aes128), (2, Family::TripleDes2)];

fn network(world: &World) -> NetworkProfile {
    NetworkProfile {
        smsc: world.operator.smsc.clone(),
        platform: world.operator.short_code.clone(),
    }
}

impl Profiles {
    /// Those of the world, or midsim's own.
    pub fn new(world: &World) -> Self {
        let full = world
            .card_profile
            .clone()
            .unwrap_or_else(|| Arc::new(Profile::standard(world.master_key(), network(world))));
        let mut menu = Profile::clone(&full);
        menu.applet.menu = true;
        Self {
            menu: Arc::new(menu),
            confirm_only: Arc::new(full.confirming()),
            full,
        }
    }

    /// That of a subscriber's card.
    pub fn of(&self, subscriber: &Subscriber) -> &Arc<Profile> {
        match subscriber.applet {
            Applet::ConfirmOnly => &self.confirm_only,
            Applet::Full => &self.full,
            Applet::Menu => &self.menu,
        }
    }
}

/// A card as its subscriber gets it.
pub fn fresh_state(subscriber: &Subscriber, profile: &Profile) -> CardState {
    let state = CardState::fresh(profile);
    if subscriber.puk_blocked {
        state.with_pin_tries(0).with_puk_tries(0)
    } else if subscriber.pin_blocked {
        state.with_pin_tries(0)
    } else {
        state
    }
}

/// What is personal on a subscriber's card.
///
/// # Errors
/// [`BadCode`].
pub fn owner(subscriber: &Subscriber) -> Result<profile::Subscriber, BadCode> {
    let code = |what, digits: &Secret| -> Result<PinCode, BadCode> {
        // What is no text has no digits.
        str::from_utf8(digits.expose())
            .unwrap_or_default()
            .parse()
            .map_err(|why| BadCode {
                what,
                msisdn: subscriber.msisdn.to_string(),
                why,
            })
    };
    Ok(profile::Subscriber {
        msisdn: subscriber.msisdn.clone(),
        iccid: subscriber.iccid.clone(),
        imsi: subscriber.imsi.clone(),
        pin: code("pin", &subscriber.pin)?,
        puk: code("puk", &subscriber.puk)?,
    })
}

/// A command and its answer in the form of the recorded dialogues: `>` command, `<` response data and status word.
/// Codes, keys and what a user typed are masked.
pub fn exchange(number: u64, command: &[u8], answer: &[u8]) -> String {
    let command = command_octets(command.to_vec()).masked_hex().to_uppercase();
    let (data, sw) = answer.split_at(answer.len().saturating_sub(2));
    let space = if data.is_empty() { "" } else { " " };
    format!(
        "{number:03} > {command}\n    < {}{space}{}",
        hex::encode_upper(data),
        hex::encode_upper(sw)
    )
}

/// A card in a reader, in no handset. What it must keep is kept in memory.
pub struct LooseCard {
    card: Uicc,
    chance: Chance,
    commands: u64,
    trace: Box<dyn FnMut(&str) + Send>,
}

impl LooseCard {
    /// Fresh from the factory; `trace` is told of every exchange.
    pub fn new(card: Uicc, chance: Chance, trace: impl FnMut(&str) + Send + 'static) -> Self {
        Self {
            card,
            chance,
            commands: 0,
            trace: Box::new(trace),
        }
    }

    /// Power on.
    pub fn power_on(&mut self) {
        self.card.reset();
        let mut entropy = [0; 16];
        self.chance.generator().fill_bytes(&mut entropy);
        self.card.stir(entropy);
        (self.trace)("# POWER_ON");
    }

    /// Answers a command.
    pub fn answer(&mut self, command: &[u8]) -> Vec<u8> {
        let answer = self.card.transmit(command);
        self.commands += 1;
        (self.trace)(&exchange(self.commands, command, &answer));
        answer
    }

    /// Its answer to reset.
    pub fn atr(&self) -> &[u8] {
        self.card.atr()
    }
}

impl vpcd::Card for LooseCard {
    fn atr(&self) -> Vec<u8> {
        self.card.atr().to_vec()
    }

    async fn reset(&mut self) -> io::Result<()> {
        self.power_on();
        Ok(())
    }

    async fn power_off(&mut self) -> io::Result<()> {
        self.card.power_off();
        (self.trace)("# POWER_OFF");
        Ok(())
    }

    async fn transmit(&mut self, command: &[u8]) -> io::Result<Vec<u8>> {
        Ok(self.answer(command))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_cards_are_taken_only_on_demand() {
        let mut world = World::default();
        let weak = include_str!("../fixtures/profiles/weak/no-counter.toml");
        let error = world.use_card_profile(weak, false).unwrap_err().to_string();
        assert!(error.contains("B00000 demands no counter"), "{error}");
        assert!(error.contains("--allow-weak-cards"), "{error}");
        world.use_card_profile(weak, true).unwrap();
        assert!(Profiles::new(&world).full.name.contains("no counter"));
        let lab = include_str!("../fixtures/profiles/lab.toml");
        world.use_card_profile(lab, false).unwrap();
        assert!(world.use_card_profile("name = 1", true).is_err());
    }

    #[test]
    fn exchanges_look_like_the_recorded_ones() {
        let octets = |text: &str| hex::decode(text).unwrap();
        assert_eq!(
            exchange(1, &octets("00a40004023f00"), &octets("612b")),
            "001 > 00A40004023F00\n    < 612B"
        );
        assert_eq!(
            exchange(2, &octets("00b0000001"), &octets("ff9000")),
            "002 > 00B0000001\n    < FF 9000"
        );
    }

    #[test]
    fn exchanges_do_not_show_codes() {
        let verify = hex::decode("002000010831323334ffffffff").unwrap();
        assert_eq!(
            exchange(3, &verify, &[0x90, 0x00]),
            "003 > 0020000108****************\n    < 9000"
        );
    }
}

//! From subscribers of the world to their cards, and a card by itself, outside every handset.

use std::io;
use std::sync::Arc;

use ota_wire::secret::Secret;
use sim_applet_sim::event::command_octets;
use sim_applet_sim::pin::{PinCode, PinCodeError};
use sim_applet_sim::profile::{self, NetworkProfile, Profile};
use sim_applet_sim::state::CardState;
use sim_applet_sim::uicc::Uicc;

use crate::sockets::vpcd;
use crate::world::{Applet, Subscriber, World};

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

impl Profiles {
    /// midsim's own, in this world.
    pub fn new(world: &World) -> Self {
        let network = NetworkProfile {
            smsc: world.operator.smsc.clone(),
            platform: world.operator.short_code.clone(),
        };
        let mut menu = Profile::standard(world.master_key(), network.clone());
        menu.applet.menu = true;
        Self {
            full: Arc::new(Profile::standard(world.master_key(), network.clone())),
            menu: Arc::new(menu),
            confirm_only: Arc::new(Profile::confirm_only(world.master_key(), network)),
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
    commands: u64,
    trace: Box<dyn FnMut(&str) + Send>,
}

impl LooseCard {
    /// Fresh from the factory; `trace` is told of every exchange.
    pub fn new(card: Uicc, trace: impl FnMut(&str) + Send + 'static) -> Self {
        Self {
            card,
            commands: 0,
            trace: Box::new(trace),
        }
    }

    /// Power on.
    pub fn power_on(&mut self) {
        self.card.reset();
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

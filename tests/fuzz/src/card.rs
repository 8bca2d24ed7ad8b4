//! The card as a whole: a session of commands, power cuts and restarts.

use std::sync::{Arc, OnceLock};

use ota_wire::ids::Iccid;
use ota_wire::keys::MasterKey;
use sim_applet_sim::profile::{NetworkProfile, Profile, Subscriber};
use sim_applet_sim::state::CardState;
use sim_applet_sim::uicc::Uicc;

use super::Choices;

/// Commands of one session.
const MOST_COMMANDS: usize = 200;
/// Octets that a card may keep: every file it has once, keys and counters.
const MOST_KEPT: usize = 32 << 10;
/// Response data and status word.
const MOST_ANSWERED: usize = 258;
const MOST_NOTES: usize = 64;

/// Pieces of the input, each a length and so many octets: commands. An empty piece cuts the power, and the card goes on
/// from what it has kept; one of a single octet resets it.
pub fn session(octets: &[u8]) {
    let mut input = Choices(octets);
    let mut card = card(None);
    for _ in 0..MOST_COMMANDS {
        if input.is_empty() {
            break;
        }
        match input.piece() {
            [] => {
                let state = CardState::from_bytes(&card.state().to_bytes());
                card = self::card(state.ok());
            }
            [_] => card.reset(),
            command => {
                let answer = card.transmit(command);
                assert!(
                    (2..=MOST_ANSWERED).contains(&answer.len()),
                    "{}",
                    answer.len()
                );
            }
        }
        assert!(card.take_notes().len() <= MOST_NOTES);
        if card.take_changed() {
            let kept = card.state().to_bytes();
            assert!(kept.len() <= MOST_KEPT, "{}", kept.len());
            assert_eq!(CardState::from_bytes(&kept).as_ref(), Ok(card.state()));
        }
    }
}

fn card(state: Option<CardState>) -> Uicc {
    let profile = profile();
    let state = state.unwrap_or_else(|| CardState::fresh(profile));
    Uicc::new(profile.clone(), owner().clone(), state)
}

fn profile() -> &'static Arc<Profile> {
    static PROFILE: OnceLock<Arc<Profile>> = OnceLock::new();
    PROFILE.get_or_init(|| {
        let network = NetworkProfile {
            smsc: "+447700900999".parse().unwrap(),
            platform: "8220".to_owned(),
        };
        Arc::new(Profile::standard(MasterKey::new([0x5A; 32]), network))
    })
}

fn owner() -> &'static Subscriber {
    static OWNER: OnceLock<Subscriber> = OnceLock::new();
    OWNER.get_or_init(|| Subscriber {
        msisdn: "+447700900001".parse().unwrap(),
        iccid: Iccid::with_check_digit("898800000000000001").unwrap(),
        imsi: "001010000000001".parse().unwrap(),
        pin: "1234".parse().unwrap(),
        puk: "12345678".parse().unwrap(),
    })
}

//! The card as a whole: a session of commands, power cuts and restarts.

use std::sync::Arc;

use sim_applet_sim::profile::Profile;
use sim_applet_sim::state::CardState;
use sim_applet_sim::uicc::Uicc;

use super::{Choices, sim};

/// Commands of one session.
const MOST_COMMANDS: usize = 200;
/// Octets that a card may keep: every file it has once, keys and counters.
const MOST_KEPT: usize = 32 << 10;
/// Response data and status word.
const MOST_ANSWERED: usize = 258;
const MOST_NOTES: usize = 64;
/// Proactive commands that a card still has for a terminal that does nothing of what they ask: a PoR, a menu, and a
/// dialogue that comes to its end.
const MOST_PROACTIVE: usize = 16;

/// Pieces of the input, each a length and so many octets: commands. An empty piece cuts the power, and the card goes on
/// from what it has kept; one of a single octet resets it.
///
/// Played by a card as it is by default, and by one with all options.
pub fn session(octets: &[u8]) {
    for profile in [sim::profile(), sim::with_everything()] {
        play(profile, octets);
    }
}

fn play(profile: &Arc<Profile>, octets: &[u8]) {
    let mut input = Choices(octets);
    let mut card = card(profile, None);
    for _ in 0..MOST_COMMANDS {
        if input.is_empty() {
            break;
        }
        match input.piece() {
            [] => {
                let state = CardState::from_bytes(&card.state().to_bytes());
                card = self::card(profile, state.ok());
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
    assert_settles(&mut card);
}

/// Fetches what the card still wants and says that the terminal cannot do it.
fn assert_settles(card: &mut Uicc) {
    const WRONG_LE: u8 = 0x6C;
    for _ in 0..=MOST_PROACTIVE {
        // FETCH with an Le that is never right, unless the command has 256 octets.
        let told = card.transmit(&[0x80, 0x12, 0x00, 0x00, 0x00]);
        let command = match told[..] {
            [WRONG_LE, le] => card.transmit(&[0x80, 0x12, 0x00, 0x00, le]),
            [_, _] => Vec::new(),
            _ => told,
        };
        // One that the input has fetched and not answered is forgotten with the session.
        let Some(at) = command.windows(2).position(|tag| tag == [0x81, 0x03]) else {
            return;
        };
        let mut response = vec![0x80, 0x14, 0x00, 0x00, 12, 0x81, 0x03];
        response.extend_from_slice(&command[at + 2..at + 5]);
        response.extend([0x82, 0x02, 0x82, 0x81, 0x83, 0x01, 0x30]);
        card.transmit(&response);
    }
    panic!("more than {MOST_PROACTIVE} proactive commands");
}

fn card(profile: &Arc<Profile>, state: Option<CardState>) -> Uicc {
    let state = state.unwrap_or_else(|| CardState::fresh(profile));
    Uicc::new(profile.clone(), sim::owner().clone(), state)
}

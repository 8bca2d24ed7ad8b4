//! The card's menu, and the signature applet while it is locked.

use ota_wire::cat::{Facility, TerminalProfile};

use super::*;

/// A terminal that can show the card's menu and uses none of its other abilities.
fn menu_card(state: impl FnOnce(&mut CardState)) -> Uicc {
    let mut profile = (*profile()).clone();
    profile.applet.menu = true;
    let mut fresh = CardState::fresh(&profile);
    state(&mut fresh);
    Uicc::new(profile.into(), subscriber(), fresh)
}

fn menu_terminal() -> String {
    let facilities = [
        Facility::MENU_SELECTION,
        Facility::SET_UP_MENU,
        Facility::GET_INPUT,
        Facility::DISPLAY_TEXT,
    ];
    let profile = TerminalProfile::with(&facilities);
    let octets = profile.octets();
    format!("80100000{:02X}{}", octets.len(), hex::encode_upper(octets))
}

/// TERMINAL RESPONSE: what this command asked for was done.
fn respond(card: &mut Uicc, command: &str) -> String {
    let details = command.split_once("8103").expect("command details").1;
    let response = format!("801400000C8103{}82028281830100", &details[..6]);
    send(card, &response)
}

/// Fetches what waits, whatever its length, and says that it was done; how many commands there were.
fn drain(card: &mut Uicc, most: usize) -> usize {
    for fetched in 0..most {
        let told = send(card, "8012000000");
        let Some(len) = told.strip_prefix("6C") else {
            assert_eq!(told, "6985");
            return fetched;
        };
        let command = send(card, &format!("80120000{len}"));
        assert_eq!(respond(card, &command)[..1], *"9");
    }
    panic!("more than {most} proactive commands");
}

#[test]
fn one_menu_waits_however_often_the_profile_is_downloaded() {
    let mut card = menu_card(|_| {});
    let download = menu_terminal();
    for _ in 0..20 {
        assert!(send(&mut card, &download).starts_with("91"));
    }
    assert_eq!(drain(&mut card, 4), 1);
    // One that is on the terminal's screen already stays the outstanding one.
    let waiting = send(&mut card, &download);
    let menu = send(&mut card, &format!("80120000{}", &waiting[2..]));
    for _ in 0..20 {
        assert_eq!(send(&mut card, &download), "9000");
    }
    assert!(respond(&mut card, &menu).starts_with("91"));
    assert_eq!(drain(&mut card, 4), 1);
    // A terminal that can show none takes back the one that waits.
    assert!(send(&mut card, &download).starts_with("91"));
    assert_eq!(send(&mut card, "801000000101"), "9000");
    assert_eq!(drain(&mut card, 4), 0);
}

fn lock(card: &mut Uicc, locked: bool) {
    card.state.domain.get_or_insert_default().applet_locked = locked;
}

#[test]
fn a_locked_applet_has_no_menu_and_asks_for_nothing() {
    const CHANGE_PIN: &str = "80C2000009D30782020181900101";
    let mut card = menu_card(|_| {});
    let download = menu_terminal();
    lock(&mut card, true);
    assert_eq!(send(&mut card, &download), "9000");
    assert_eq!(send(&mut card, CHANGE_PIN), "6985");
    assert_eq!(drain(&mut card, 4), 0);
    lock(&mut card, false);
    assert!(send(&mut card, CHANGE_PIN).starts_with("91"));
    // Locked while it asks for the PIN: the answer leads to nothing, and nothing is left behind.
    lock(&mut card, true);
    assert_eq!(drain(&mut card, 4), 1);
    assert_eq!(send(&mut card, CHANGE_PIN), "6985");
    lock(&mut card, false);
    assert!(send(&mut card, &download).starts_with("91"));
    assert_eq!(drain(&mut card, 4), 1);
    assert!(send(&mut card, CHANGE_PIN).starts_with("91"));
}

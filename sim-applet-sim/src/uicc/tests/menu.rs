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

/// TS 102 223 §8.21: help about an item is no choice of it.
#[test]
fn help_about_an_item_leads_to_nothing() {
    let mut card = menu_card(|_| {});
    send(&mut card, &menu_terminal());
    drain(&mut card, 4);
    assert_eq!(
        send(&mut card, "80C200000B D309 82020181 900101 9500"),
        "9000"
    );
    assert_eq!(drain(&mut card, 4), 0);
    assert_eq!(send(&mut card, "80C2000009 D307 82020181 900103"), "6A80");
}

/// TS 102 221 §7.4.2.2: what was fetched waits for its answer, and is not fetched again.
#[test]
fn a_command_is_fetched_once() {
    let mut card = menu_card(|_| {});
    let waiting = send(&mut card, &menu_terminal());
    let fetch = format!("80120000{}", &waiting[2..]);
    let menu = send(&mut card, &fetch);
    assert_eq!(send(&mut card, &fetch), "6985");
    // The answer to something else: the command is offered again.
    assert_eq!(
        send(&mut card, "801400000C8103FE250082028281830100"),
        "6A80"
    );
    assert_eq!(send(&mut card, &fetch), menu);
}

#[test]
fn a_card_that_knows_no_pin_has_no_menu_to_change_it() {
    let mut profile = profile().confirming();
    profile.applet.menu = true;
    let state = CardState::fresh(&profile);
    let mut card = Uicc::new(profile.into(), subscriber(), state);
    assert_eq!(send(&mut card, &menu_terminal()), "9000");
    assert_eq!(send(&mut card, "80C2000009D30782020181900101"), "6A81");
}

#[test]
fn a_question_of_the_menu_is_put_four_times_to_a_terminal_that_is_busy() {
    // Busy, help wanted, and an answer that holds no digits.
    for result in ["820282818301 20", "820282818301 13", "820282818301 00"] {
        let mut card = menu_card(|_| {});
        send(&mut card, &menu_terminal());
        drain(&mut card, 4);
        let mut told = send(&mut card, "80C2000009D30782020181900101");
        for time in 1..=4 {
            let len = told.strip_prefix("91").unwrap_or_else(|| panic!("{time}"));
            let question = send(&mut card, &format!("80120000{len}"));
            let details = &question.split_once("8103").unwrap().1[..6];
            told = send(&mut card, &format!("801400000C 8103{details} {result}"));
        }
        assert_eq!(told, "9000", "{result}");
        assert_eq!(card.state.pin_tries(), 3);
    }
}

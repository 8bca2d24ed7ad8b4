//! What a dialogue looks like in the trace.

use ota_wire::applet::Method;
use ota_wire::trace::{Badge, Row};

use super::{TEXT, World};
use crate::event::Event;
use crate::handset::{Action, Input};
use crate::testing::submit;

/// All events of a dialogue with a wrong PIN and the right one.
fn dialogue() -> Vec<Event> {
    let mut world = World::new();
    let challenge = world.challenge(Method::Pin, TEXT);
    let mut events = world.send_challenge(&challenge).events;
    events.extend(world.act(Action::Ok).events);
    events.extend(world.type_in("987654").events);
    events.extend(world.act(Action::Ok).events);
    let answer = world.type_in("1234");
    events.extend(world.acknowledge(&answer).events);
    events.extend(answer.events);
    events
}

fn names(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| event.row().name).collect()
}

#[test]
fn power_on_reads_what_a_handset_reads() {
    let mut world = World::new();
    let events = world.step(Input::PowerOn).events;
    let names = names(&events);
    let after_reset = names
        .iter()
        .position(|name| name == "answer to reset")
        .unwrap();
    let without_get_response: Vec<&str> = names[after_reset + 1..]
        .iter()
        .map(String::as_str)
        .filter(|name| *name != "GET RESPONSE")
        .collect();
    assert_eq!(
        without_get_response,
        [
            "SELECT MF",
            "SELECT EF.DIR",
            "READ RECORD EF.DIR",
            "SELECT EF.ICCID",
            "READ BINARY EF.ICCID",
            "SELECT ADF.USIM",
            "VERIFY PIN1",
            "VERIFY PIN1",
            "SELECT EF.IMSI",
            "READ BINARY EF.IMSI",
            "SELECT EF.SMSP",
            "READ RECORD EF.SMSP",
            "SELECT EF.SMSS",
            "READ BINARY EF.SMSS",
            "TERMINAL PROFILE",
            "STATUS",
            "attached to the network",
        ]
    );
    let all_well = events.iter().all(|event| {
        let row = event.row();
        let sw = row.fields.iter().find(|(name, _)| name == "SW");
        sw.is_none_or(|(_, sw)| ["9000", "61", "63C3"].iter().any(|ok| sw.starts_with(ok)))
    });
    assert!(all_well);
}

#[test]
fn every_step_of_the_card_has_its_rows() {
    let rows: Vec<Row> = dialogue().iter().map(Event::row).collect();
    for (step, name, badge) in [
        (6, "RP-DATA (SMS-DELIVER)", Badge::Standard),
        (6, "ENVELOPE (SMS-PP DOWNLOAD)", Badge::Standard),
        (7, "command packet accepted", Badge::Standard),
        (7, "challenge", Badge::Own),
        (8, "FETCH (DISPLAY TEXT)", Badge::Standard),
        (8, "text on the screen", Badge::Standard),
        (8, "FETCH (GET INPUT)", Badge::Standard),
        (8, "question on the screen", Badge::Standard),
        (9, "answer", Badge::Standard),
        (9, "TERMINAL RESPONSE (GET INPUT)", Badge::Standard),
        (10, "PIN compared", Badge::Own),
        (11, "response", Badge::Own),
        (11, "FETCH (SEND SHORT MESSAGE)", Badge::Standard),
        (11, "RP-DATA (SMS-SUBMIT)", Badge::Standard),
    ] {
        let found = rows
            .iter()
            .find(|row| row.name == name && row.step == Some(step));
        let row = found.unwrap_or_else(|| panic!("no row {step} {name}"));
        assert_eq!(row.badge, badge, "{name}");
        assert!(!row.clause.is_empty(), "{name}");
    }
    let accepted = rows
        .iter()
        .find(|row| row.name == "command packet accepted")
        .unwrap();
    let field = |name: &str| {
        let found = accepted.fields.iter().find(|(field, _)| field == name);
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(field("SPI"), Some("16 3A"));
    assert_eq!(
        (field("KIc"), field("KID"), field("TAR")),
        (Some("12"), Some("12"), Some("4D4944"))
    );
    assert_eq!(field("CNTR"), Some("0000000065"));
}

#[test]
fn no_row_shows_a_pin() {
    let events = dialogue();
    for event in &events {
        let row = event.row();
        let mut shown = format!("{row:?} {event:?}");
        if let Some(octets) = &row.octets {
            shown += &octets.masked_hex();
        }
        for pin in [
            "987654",
            "393837363534",
            "57, 56, 55",
            "31323334",
            "49, 50, 51, 52",
        ] {
            assert!(!shown.contains(pin), "{shown}");
        }
    }
    let typed: Vec<String> = events
        .iter()
        .flat_map(|event| event.row().fields)
        .filter(|(name, _)| name == "typed")
        .map(|(_, value)| value)
        .collect();
    assert_eq!(typed, ["******", "****"]);
}

#[test]
fn ids_join_the_message_the_challenge_and_the_answer() {
    let mut world = World::new();
    let challenge = world.challenge(Method::Confirm, TEXT);
    let down = world.send_challenge(&challenge);
    let first = &down.events[0];
    assert_eq!(first.own.as_str(), "rp:447700900001:1");
    assert_eq!(first.parent, None);
    let card = format!("card:{}:{}", world.phone.subscriber().iccid, challenge.ctr);
    let of_card = down
        .events
        .iter()
        .find(|event| event.own.as_str() == card)
        .unwrap();
    assert_eq!(of_card.parent.as_ref(), Some(&first.own));
    assert_eq!(down.events.last().unwrap().own.as_str(), card);
    let up = world.act(Action::Ok);
    let (mr, _) = submit(&up).unwrap();
    let sent = up.events.last().unwrap();
    assert_eq!(sent.own.as_str(), format!("rp-mo:447700900001:{mr}"));
    assert_eq!(
        sent.parent.as_ref().map(|id| id.as_str()),
        Some(card.as_str())
    );
    world.acknowledge(&up);
    let off = world.step(Input::PowerOff);
    assert_eq!(off.events[0].own.as_str(), "phone:447700900001");
}

#[test]
fn the_parts_of_a_long_message_each_have_their_envelope() {
    let mut world = World::new();
    let challenge = world.challenge(Method::Confirm, &"Ж".repeat(119));
    let octets = challenge.seal(&world.key(challenge.mac_algorithm));
    let packet = world.packet(octets);
    for (deliver, last) in world
        .delivers(&packet)
        .into_iter()
        .zip([false, false, true])
    {
        let step = world.deliver(&deliver.emit());
        let names = names(&step.events);
        assert_eq!(
            names[..2],
            ["RP-DATA (SMS-DELIVER)", "ENVELOPE (SMS-PP DOWNLOAD)"]
        );
        assert_eq!(names.contains(&"part kept".to_owned()), !last);
        assert_eq!(world.screen().is_some(), last);
    }
}

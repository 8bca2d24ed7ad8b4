//! What the applet does with what a terminal offers: timers, time, tone, menu.

use ota_wire::cat::{CommandType, ProactiveCommand};

use super::*;

/// Types of the proactive commands that were fetched in a step.
fn fetched(step: &Step) -> Vec<CommandType> {
    let commands = step.events.iter().filter_map(|event| match &event.kind {
        EventKind::Apdu {
            command, response, ..
        } if command.bytes.get(1) == Some(&0x12) => {
            let (data, _) = response.split_at(response.len() - 2);
            Some(ProactiveCommand::parse(data).unwrap().body.kind())
        }
        _ => None,
    });
    commands.collect()
}

fn with(change: impl FnOnce(&mut Profile)) -> World {
    let mut profile = Profile::standard(master(), network());
    change(&mut profile);
    World::with(Arc::new(profile))
}

fn with_menu() -> World {
    with(|profile| profile.applet.menu = true)
}

fn seconds(n: i64) -> SignedDuration {
    SignedDuration::from_secs(n)
}

#[test]
fn an_answer_after_expiry_is_a_timeout_however_the_handset_measures_time() {
    let pin_at = |world: &mut World, late: i64| {
        let challenge = world.challenge(Method::Pin, TEXT);
        world.send_challenge(&challenge);
        world.now += seconds(60);
        world.act(Action::Ok);
        world.now += seconds(60 + late);
        if late > 0 && world.timers.contains_key("card:1") {
            // The timer ran out; a terminal does not say so while the question is on its screen.
            let now = world.now;
            let step = world.next_timer("card:1");
            assert!(step.outputs.is_empty());
            world.now = now;
        }
        let step = world.type_in("1234");
        let answer = world.answer(&step, &challenge).0;
        world.acknowledge(&step);
        assert_eq!(world.screen(), None);
        answer
    };
    let timers = [Facility::TIMER_START_STOP, Facility::TIMER_EXPIRATION];
    for facilities in [&timers[..], &[Facility::DATE_TIME]] {
        let mut world = World::with(timed(facilities));
        assert_eq!(pin_at(&mut world, -1), ResultCode::OK, "{facilities:?}");
        assert_eq!(pin_at(&mut world, 1), ResultCode::TIMEOUT, "{facilities:?}");
        assert_eq!(world.phone.card_state().pin_tries(), 3);
        assert!(world.timers.is_empty(), "{:?}", world.timers);
    }
    // Nothing to measure with: the MSSP's deadline alone.
    let mut world = World::with(testing::simple_profile());
    assert_eq!(pin_at(&mut world, 600), ResultCode::OK);
}

#[test]
fn a_terminal_that_does_not_tell_that_a_timer_ran_out_is_asked_for_none() {
    let mut world = World::with(timed(&[Facility::TIMER_START_STOP]));
    let challenge = world.challenge(Method::Confirm, TEXT);
    let step = world.send_challenge(&challenge);
    assert_eq!(fetched(&step), [CommandType::DISPLAY_TEXT]);
    // No pause either: the question comes again at once.
    let step = world.act(Action::Busy);
    assert_eq!(fetched(&step), [CommandType::DISPLAY_TEXT]);
    assert!(world.timers.keys().all(|key| !key.starts_with("card")));
    let step = world.act(Action::Ok);
    assert_eq!(world.answer(&step, &challenge).0, ResultCode::OK);
}

#[test]
fn a_challenge_expires_while_the_handset_is_busy() {
    let mut world = World::new();
    let mut challenge = world.challenge(Method::Confirm, TEXT);
    challenge.valid_for = 2;
    world.send_challenge(&challenge);
    world.act(Action::Busy);
    let step = world.next_timer("card");
    assert_eq!(world.answer(&step, &challenge).0, ResultCode::TIMEOUT);
    world.acknowledge(&step);
    // The pause ends with nothing to do.
    let step = world.next_timer("card:2");
    assert!(sent(&step).is_empty());
    assert_eq!(world.screen(), None);
}

#[test]
fn without_service_the_answer_waits_a_little() {
    let mut world = World::new();
    let challenge = world.challenge(Method::Confirm, TEXT);
    world.send_challenge(&challenge);
    world.step(Input::Coverage(false));
    let step = world.act(Action::Ok);
    assert!(submit(&step).is_none());
    world.next_timer("card:2");
    world.step(Input::Coverage(true));
    let step = world.next_timer("card:2");
    assert_eq!(world.answer(&step, &challenge).0, ResultCode::OK);
}

#[test]
fn a_tone_before_and_more_time_after_where_they_are_wanted() {
    use CommandType as T;

    let mut world = with(|profile| profile.applet.tone = Some(0x10));
    let mut challenge = world.challenge(Method::Confirm, TEXT);
    challenge.digest = Some([7; 32]);
    challenge.valid_for = 0;
    let step = world.send_challenge(&challenge);
    assert_eq!(fetched(&step), [T::PLAY_TONE, T::DISPLAY_TEXT]);
    let step = world.act(Action::Ok);
    assert_eq!(fetched(&step), [T::MORE_TIME, T::SEND_SHORT_MESSAGE]);
    assert_eq!(world.answer(&step, &challenge).0, ResultCode::OK);

    // The same applet on a handset that offers neither.
    let mut profile = Profile::standard(master(), network());
    profile.applet.tone = Some(0x10);
    let simple = testing::simple_profile().handset.terminal_profile.clone();
    profile.handset.terminal_profile = simple;
    let mut world = World::with(Arc::new(profile));
    let mut challenge = world.challenge(Method::Confirm, TEXT);
    challenge.digest = Some([7; 32]);
    let step = world.send_challenge(&challenge);
    assert_eq!(fetched(&step), [T::DISPLAY_TEXT]);
    let step = world.act(Action::Ok);
    assert_eq!(fetched(&step), [T::SEND_SHORT_MESSAGE]);
}

#[test]
fn a_handset_without_display_text_asks_with_get_inkey_and_get_input() {
    use CommandType as T;

    let profile = |facilities: &[Facility]| {
        let always = [Facility::SMS_PP_DATA_DOWNLOAD, Facility::SEND_SHORT_MESSAGE];
        let facilities = [&always, facilities].concat();
        let mut profile = Profile::standard(master(), network());
        profile.handset.terminal_profile = TerminalProfile::with(&facilities).octets().to_vec();
        Arc::new(profile)
    };
    let both = [Facility::GET_INKEY, Facility::GET_INPUT];
    let mut world = World::with(profile(&both));
    for (typed, result) in [("1", ResultCode::OK), ("0", ResultCode::CANCELLED)] {
        let challenge = world.challenge(Method::Confirm, TEXT);
        let step = world.send_challenge(&challenge);
        assert_eq!(fetched(&step), [T::GET_INKEY]);
        let step = world.type_in(typed);
        assert_eq!(world.answer(&step, &challenge).0, result);
        world.acknowledge(&step);
    }
    let challenge = world.challenge(Method::Pin, TEXT);
    let step = world.send_challenge(&challenge);
    assert_eq!(fetched(&step), [T::GET_INPUT]);
    assert_eq!(world.screen(), Some(format!("{TEXT} PIN?")));
    world.type_in("4321");
    assert_eq!(world.phone.card_state().pin_tries(), 2);
    let step = world.type_in("1234");
    assert_eq!(world.answer(&step, &challenge).0, ResultCode::OK);

    world.acknowledge(&step);
    // Too long for the question: a screen of its own, where no is no before any PIN.
    let mut world = World::with(profile(&[&both[..], &[Facility::UCS2_DISPLAY]].concat()));
    let long = "Ж".repeat(119);
    for (typed, expected) in [("0", None), ("1", Some("PIN?"))] {
        let challenge = world.challenge(Method::Pin, &long);
        let step = world.send_challenge(&challenge);
        assert_eq!(fetched(&step), [T::GET_INKEY]);
        let step = world.type_in(typed);
        assert_eq!(world.screen().as_deref(), expected);
        if expected.is_none() {
            assert_eq!(world.answer(&step, &challenge).0, ResultCode::CANCELLED);
            world.acknowledge(&step);
        }
    }
    // Done, but nothing was pressed: that is no yes. It is asked again, three times.
    let mut world = World::with(profile(&both));
    let challenge = world.challenge(Method::Confirm, TEXT);
    world.send_challenge(&challenge);
    for number in 2..=4 {
        let pressed = format!("801400000C8103{:02X}220082028281830100", number - 1);
        let sw = testing::send(world.phone.card_mut(), &pressed);
        let fetched = testing::send(world.phone.card_mut(), &format!("80120000{}", &sw[2..]));
        assert!(
            fetched.contains(&format!("8103{number:02X}2200")),
            "{fetched}"
        );
    }

    let mut world = World::with(profile(&[Facility::GET_INKEY, Facility::BINARY_CHOICE]));
    let challenge = world.challenge(Method::Confirm, TEXT);
    world.send_challenge(&challenge);
    let step = world.act(Action::Ok);
    assert_eq!(world.answer(&step, &challenge).0, ResultCode::OK);
    world.acknowledge(&step);
    let challenge = world.challenge(Method::Confirm, TEXT);
    world.send_challenge(&challenge);
    let step = world.type_in("0");
    assert!(submit(&step).is_none(), "nothing is typed there");
    let step = world.act(Action::No);
    assert_eq!(world.answer(&step, &challenge).0, ResultCode::CANCELLED);
    world.acknowledge(&step);
    let challenge = world.challenge(Method::Pin, TEXT);
    let step = world.send_challenge(&challenge);
    assert_eq!(world.answer(&step, &challenge).0, ResultCode::UNSUPPORTED);
    // A text has no no.
    let mut world = World::new();
    let challenge = world.challenge(Method::Confirm, TEXT);
    world.send_challenge(&challenge);
    world.act(Action::No);
    assert_eq!(world.screen().as_deref(), Some(TEXT));
}

#[test]
fn the_text_may_stand_in_the_question_for_the_pin() {
    let mut world = with(|profile| profile.applet.text_in_prompt = true);
    let challenge = world.challenge(Method::Pin, TEXT);
    world.send_challenge(&challenge);
    assert_eq!(world.screen(), Some(format!("{TEXT} PIN?")));
    let step = world.type_in("1234");
    assert_eq!(world.answer(&step, &challenge).0, ResultCode::OK);
    world.acknowledge(&step);
    // Too long for both in one command: a screen of its own.
    let long = "Ж".repeat(119);
    let challenge = world.challenge(Method::Pin, &long);
    world.send_challenge(&challenge);
    assert_eq!(world.screen(), Some(long));
}

#[test]
fn a_text_that_the_screen_has_no_room_for_is_unsupported() {
    let mut world = with(|profile| profile.handset.screen_characters = 10);
    let challenge = world.challenge(Method::Confirm, "0123456789");
    world.send_challenge(&challenge);
    assert!(world.screen().is_some());
    let step = world.act(Action::Ok);
    world.acknowledge(&step);
    let challenge = world.challenge(Method::Confirm, "01234567890");
    let step = world.send_challenge(&challenge);
    assert_eq!(world.answer(&step, &challenge).0, ResultCode::UNSUPPORTED);
}

#[test]
fn the_pin_is_changed_from_the_menu() {
    let mut world = with_menu();
    let menu = world.phone.menu().unwrap();
    let items: Vec<_> = menu.items.iter().map(|item| item.text.as_str()).collect();
    assert_eq!(
        (menu.title.as_str(), items),
        ("Mobile signature", vec!["Change PIN", "Unblock PIN"])
    );
    world.step(Input::Select { item: 1 });
    assert_eq!(world.screen().as_deref(), Some("PIN?"));
    world.type_in("4321");
    assert_eq!(world.screen().as_deref(), Some("Wrong PIN, 2 tries left"));
    world.act(Action::Ok);
    world.type_in("1234");
    for (new, again, then) in [
        ("2468", "2469", "The PINs differ"),
        ("2468", "2468", "PIN changed"),
    ] {
        assert_eq!(world.screen().as_deref(), Some("New PIN?"));
        world.type_in(new);
        assert_eq!(world.screen().as_deref(), Some("New PIN again?"));
        let step = world.type_in(again);
        assert!(step.changed);
        assert_eq!(world.screen().as_deref(), Some(then));
        world.act(Action::Ok);
    }
    assert_eq!(world.screen(), None);
    let state = CardState::from_bytes(&world.phone.card_state().to_bytes()).unwrap();
    let mut world = World::with_state(testing::profile(), state);
    let challenge = world.challenge(Method::Pin, TEXT);
    world.send_challenge(&challenge);
    world.act(Action::Ok);
    world.type_in("1234");
    world.act(Action::Ok);
    let step = world.type_in("2468");
    assert_eq!(world.answer(&step, &challenge), (ResultCode::OK, 3));
}

#[test]
fn the_puk_unblocks_a_pin_that_a_dialogue_has_blocked() {
    let mut world = with_menu();
    let challenge = world.challenge(Method::Pin, TEXT);
    world.send_challenge(&challenge);
    world.act(Action::Ok);
    for _ in 0..2 {
        world.type_in("9999");
        world.act(Action::Ok);
    }
    let step = world.type_in("9999");
    assert_eq!(
        world.answer(&step, &challenge),
        (ResultCode::PIN_BLOCKED, 0)
    );
    world.acknowledge(&step);

    world.step(Input::Select { item: 1 });
    assert_eq!(world.screen().as_deref(), Some("PIN blocked"));
    world.act(Action::Ok);
    world.step(Input::Select { item: 2 });
    assert_eq!(world.screen().as_deref(), Some("PUK?"));
    world.type_in("87654321");
    assert_eq!(world.screen().as_deref(), Some("Wrong PUK, 9 tries left"));
    assert_eq!(world.phone.card_state().puk_tries(), 9);
    world.act(Action::Ok);
    world.type_in("12345678");
    assert_eq!(
        world.phone.card_state().pin_tries(),
        0,
        "not before there is a new PIN"
    );
    world.type_in("5555");
    world.type_in("5555");
    assert_eq!(world.screen().as_deref(), Some("PIN unblocked"));
    world.act(Action::Ok);
    let state = world.phone.card_state();
    assert_eq!((state.pin_tries(), state.puk_tries()), (3, 10));
    let challenge = world.challenge(Method::Pin, TEXT);
    world.send_challenge(&challenge);
    world.act(Action::Ok);
    let step = world.type_in("5555");
    assert_eq!(world.answer(&step, &challenge), (ResultCode::OK, 3));
}

#[test]
fn ten_wrong_puks_block_for_ever() {
    let mut world = with_menu();
    world.step(Input::Select { item: 2 });
    for left in (1..10).rev() {
        world.type_in("00000000");
        let tries = if left == 1 { "try" } else { "tries" };
        assert_eq!(
            world.screen(),
            Some(format!("Wrong PUK, {left} {tries} left"))
        );
        world.act(Action::Ok);
    }
    world.type_in("00000000");
    assert_eq!(world.screen().as_deref(), Some("PUK blocked"));
    world.act(Action::Ok);
    assert_eq!(world.screen(), None);
    world.step(Input::Select { item: 2 });
    assert_eq!(world.screen().as_deref(), Some("PUK blocked"));
}

#[test]
fn a_dialogue_from_the_menu_can_be_left_at_any_point_and_changes_nothing() {
    for action in [Action::Cancel, Action::NoResponse] {
        for point in 0..3 {
            let mut world = with_menu();
            world.step(Input::Select { item: 1 });
            for typed in ["1234", "2468"].iter().take(point) {
                world.type_in(typed);
            }
            let step = world.act(action.clone());
            assert!(sent(&step).is_empty());
            assert_eq!(world.screen(), None, "{action:?} at {point}");
            let challenge = world.challenge(Method::Pin, TEXT);
            world.send_challenge(&challenge);
            world.act(Action::Ok);
            let step = world.type_in("1234");
            assert_eq!(world.answer(&step, &challenge).0, ResultCode::OK);
        }
    }
    let mut world = with_menu();
    world.step(Input::Select { item: 1 });
    world.type_in("1234");
    world.type_in("2468");
    world.act(Action::Back);
    assert_eq!(world.screen().as_deref(), Some("New PIN?"));
    world.act(Action::Back);
    assert_eq!(world.screen(), None);
}

#[test]
fn the_menu_is_only_there_where_profile_and_handset_have_one() {
    let refused = |step: &Step| {
        step.outputs.iter().find_map(|output| match output {
            Output::NotSelected { reason, .. } => Some(*reason),
            _ => None,
        })
    };
    let mut world = World::new();
    assert_eq!(world.phone.menu(), None);
    let step = world.step(Input::Select { item: 1 });
    assert_eq!(refused(&step), Some(Refusal::NoSuchItem));
    let mut world = with(|profile| {
        profile.applet.menu = true;
        let simple = testing::simple_profile().handset.terminal_profile.clone();
        profile.handset.terminal_profile = simple;
    });
    assert_eq!(world.phone.menu(), None);
    assert_eq!(
        testing::send(world.phone.card_mut(), "80C2000009 D307 82020181 900101"),
        "6A81"
    );

    let mut world = with_menu();
    let step = world.step(Input::Select { item: 3 });
    assert_eq!(refused(&step), Some(Refusal::NoSuchItem));
    let challenge = world.challenge(Method::Confirm, TEXT);
    world.send_challenge(&challenge);
    let step = world.step(Input::Select { item: 1 });
    assert_eq!(refused(&step), Some(Refusal::ScreenInUse));
    // And the other way round: a challenge has to wait.
    world.act(Action::Busy);
    let step = world.step(Input::Select { item: 1 });
    assert_eq!(refused(&step), Some(Refusal::CardBusy));
    let mut world = with_menu();
    world.step(Input::Select { item: 1 });
    let challenge = world.challenge(Method::Confirm, TEXT);
    let step = world.send_challenge(&challenge);
    assert!(matches!(sent(&step).as_slice(), [Message::Error { .. }]));
}

#[test]
fn the_handset_knows_what_it_is_asked_for() {
    let mut world = World::new();
    let mut ask = |command: &str| {
        let command = ProactiveCommand::parse(&hex::decode(command).unwrap()).unwrap();
        let mut turn = Turn {
            now: world.now,
            rng: &mut rand_core_test(),
            step: Step::default(),
        };
        match world.phone.perform(&command.emit(), &mut turn) {
            Some(toolkit::Performed::Now(response)) => hex::encode_upper(response.emit()),
            _ => "later".to_owned(),
        }
    };
    // PROVIDE LOCAL INFORMATION: location, IMEI, date and time, language, battery.
    for (qualifier, expected) in [
        ("00", "8103012600820282818301009307 00F110 0001 0001"),
        ("01", "8103012601820282818301009408 0A10100700000000"),
        (
            "03",
            "8103012603820282818301002607 62112221000000"
                .replace("2607", "A607")
                .as_str(),
        ),
        ("04", "810301260482028281830100AD02 656E"),
        ("0A", "81030126 0A 82028281 830130"),
    ] {
        let command = format!("D00981030126{qualifier}82028182");
        assert_eq!(ask(&command), expected.replace(' ', ""), "{qualifier}");
    }
    // TIMER MANAGEMENT: start timer 1 with 00:05:00; its value; stop it; stop it again; timer 9.
    for (command, expected) in [
        (
            "D011810301270082028182A40101A503005000",
            "810301270082028281830100A40101",
        ),
        (
            "D00C810301270282028182A40101",
            "810301270282028281830100A40101A503005000",
        ),
        (
            "D00C810301270182028182A40101",
            "810301270182028281830100A40101A503005000",
        ),
        ("D00C810301270182028182A40101", "810301270182028281830124"),
        (
            "D011810301270082028182A40109A503005000",
            "810301270082028281830132",
        ),
        ("D00C810301270082028182A40101", "810301270082028281830136"),
    ] {
        assert_eq!(ask(command), expected, "{command}");
    }
    // REFRESH after a file changed, and one that starts the card again; SET UP CALL.
    assert_eq!(
        ask("D012810301010182028182920701 3F007FF06F07"
            .replace(' ', "")
            .as_str()),
        "810301010182028281830103"
    );
    assert_eq!(ask("D009810301010482028182"), "later");
    assert_eq!(ask("D009810301100082028183"), "810301100082028281830130");
}

fn rand_core_test() -> testing::Sequence {
    testing::Sequence::new(7)
}

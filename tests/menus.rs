//! The card's menu, and prompts that wait: for a script, for a person, for one who comes later.

use std::process::Command;
use std::time::Duration;

use midsim::Suite;
use midsim::rp::{self, Ended};
use midsim::suite::{Builder, Running};
use midsim::users::Press;
use midsim::wiring::Humans;
use midsim::world::{Persona, World};
use ota_wire::cat::{Facility, TerminalProfile};

use crate::readme::blocks;
use crate::sims::{flow_as, flow_of, wanted};
use crate::support::Folder;
use crate::support::process::{Up, http, port_bases};

/// Has blocked the PIN; the card has a menu.
const BLOCKED: &str = "+447700900006";
/// Never presses a key.
const SILENT: &str = "+447700900007";
const APPROVE: Persona = Persona::Approve { after_ms: 0 };
const CHANGE: u8 = 1;
const UNBLOCK: u8 = 2;

async fn suite() -> Running {
    let suite = Suite::builder().humans(Humans::Ask).frozen_clock();
    suite.start().await.unwrap()
}

/// The text of the prompt that waits for a person.
async fn asked(suite: &Running) -> String {
    suite.users().appeared(Duration::from_secs(20)).await;
    suite.users().open()[0].text.clone()
}

/// A person answers as these prompts come: types this, or presses OK.
async fn answers(suite: &Running, dialogue: &[(&str, Option<&str>)]) {
    for (question, typed) in dialogue {
        assert_eq!(asked(suite).await, *question);
        let press = match typed {
            Some(text) => format!(r#"{{"action": "text", "text": "{text}"}}"#),
            None => r#"{"action": "ok"}"#.to_owned(),
        };
        let press: Press = serde_json::from_str(&press).unwrap();
        suite.press(suite.users().open()[0].id, press).unwrap();
        suite.clock().idle().await;
    }
}

fn denied(ended: &Ended) -> bool {
    matches!(ended, Ended::Refused { error, .. } if error == "access_denied")
}

#[tokio::test]
async fn a_scripted_user_knows_the_puk_and_a_new_pin() {
    let suite = suite().await;
    let sim = suite.sim(BLOCKED.parse().unwrap());
    assert!(denied(&flow_of(&suite, BLOCKED).await));
    sim.select(UNBLOCK).await.unwrap();
    suite.clock().idle().await;
    let card = sim.card().await.unwrap().unwrap();
    assert_eq!((card.pin_tries, card.puk_tries), (3, 10));
    let ended = flow_of(&suite, BLOCKED).await;
    assert!(matches!(ended, Ended::Tokens(_)), "{ended:?}");

    sim.select(CHANGE).await.unwrap();
    suite.clock().idle().await;
    let traces = suite.trace_log().list(10);
    let names = traces
        .iter()
        .flat_map(|trace| trace.render().lines)
        .map(|line| line.name);
    let set: Vec<_> = names.filter(|name| name == "PIN set").collect();
    assert_eq!(set.len(), 2);
    let ended = flow_of(&suite, BLOCKED).await;
    assert!(matches!(ended, Ended::Tokens(_)), "{ended:?}");
    suite.shutdown().await;
}

/// Whoever types a wrong code first does so with the PUK too, and with the PIN in force; a new PIN cannot be wrong.
#[tokio::test]
async fn a_scripted_user_who_errs_unblocks_the_pin_all_the_same() {
    let suite = suite().await;
    let sim = suite.sim(BLOCKED.parse().unwrap());
    sim.set_user(Persona::WrongPin { times: 1 }).unwrap();
    for item in [UNBLOCK, CHANGE] {
        sim.select(item).await.unwrap();
        suite.clock().idle().await;
        let card = sim.card().await.unwrap().unwrap();
        assert_eq!((card.pin_tries, card.puk_tries), (3, 10), "item {item}");
    }
    sim.set_user(Persona::WrongPin { times: 10 }).unwrap();
    sim.select(UNBLOCK).await.unwrap();
    suite.clock().idle().await;
    assert_eq!(sim.card().await.unwrap().unwrap().puk_tries, 0);
    suite.shutdown().await;
}

#[tokio::test]
async fn a_person_changes_the_pin_and_a_script_knows_it_from_then_on() {
    let suite = suite().await;
    let sim = suite.sim(BLOCKED.parse().unwrap());
    sim.select(UNBLOCK).await.unwrap();
    suite.clock().idle().await;
    sim.set_user(Persona::Human).unwrap();
    sim.select(CHANGE).await.unwrap();
    answers(
        &suite,
        &[
            ("PIN", Some("1234")),
            ("New PIN", Some("86420")),
            ("New PIN again", Some("86420")),
            ("PIN changed", None),
        ],
    )
    .await;
    sim.set_user(APPROVE).unwrap();
    let ended = flow_of(&suite, BLOCKED).await;
    assert!(matches!(ended, Ended::Tokens(_)), "{ended:?}");
    assert_eq!(sim.card().await.unwrap().unwrap().pin_tries, 3);
    suite.shutdown().await;
}

/// The PIN is the card's, so a script of another process knows it, too.
#[tokio::test]
async fn a_pin_that_was_changed_is_known_after_a_restart() {
    let folder = Folder::new("menus-restart");
    let start = async || {
        let builder = Suite::builder().humans(Humans::Ask).frozen_clock();
        builder
            .data_dir(folder.path().join("data"))
            .start()
            .await
            .unwrap()
    };
    let suite = start().await;
    let sim = suite.sim(BLOCKED.parse().unwrap());
    sim.set_user(Persona::Human).unwrap();
    sim.select(UNBLOCK).await.unwrap();
    answers(
        &suite,
        &[
            ("PUK", Some("12345678")),
            ("New PIN", Some("97531")),
            ("New PIN again", Some("97531")),
            ("PIN unblocked", None),
        ],
    )
    .await;
    suite.shutdown().await;
    let suite = start().await;
    let ended = flow_of(&suite, BLOCKED).await;
    assert!(matches!(ended, Ended::Tokens(_)), "{ended:?}");
    suite.shutdown().await;
}

#[tokio::test]
async fn a_prompt_that_waits_is_shown_to_whoever_has_the_handset_next() {
    let suite = suite().await;
    let sim = suite.sim(SILENT.parse().unwrap());
    let port = suite.rp_port();
    let wanted = wanted(&suite, SILENT);
    let playing = async {
        let mut traces = suite.trace_log().watch();
        let shown = |_: &u64| {
            let last = suite.trace_log().last();
            last.is_some_and(|trace| trace.reached() == Some(8))
        };
        traces.wait_for(shown).await.unwrap();
        suite.clock().idle().await;
        assert_eq!(suite.users().open().len(), 0);
        sim.set_user(Persona::Human).unwrap();
        let text = asked(&suite).await;
        assert_eq!(suite.users().open().len(), 1);
        // Nobody's again, then somebody's with a PIN.
        sim.set_user(Persona::Ignore).unwrap();
        assert_eq!(suite.users().open().len(), 0);
        sim.set_user(Persona::Human).unwrap();
        assert_eq!(asked(&suite).await, text);
        assert_eq!(suite.users().open().len(), 1);
        sim.set_user(APPROVE).unwrap();
        suite.clock().idle().await;
        assert_eq!(suite.users().open().len(), 0);
        suite.clock().advance(Duration::from_secs(15)).await;
    };
    let (ended, ()) = tokio::join!(rp::run(port.as_ref(), &wanted), playing);
    assert!(matches!(ended, Ended::Tokens(_)), "{ended:?}");
    suite.shutdown().await;
}

/// A decision that takes its time is another one's business no more.
#[tokio::test]
async fn who_no_longer_has_the_handset_presses_no_key() {
    let suite = suite().await;
    let sim = suite.sim(BLOCKED.parse().unwrap());
    sim.set_user(Persona::Human).unwrap();
    sim.select(UNBLOCK).await.unwrap();
    asked(&suite).await;
    answers(&suite, &[("PUK", Some("00000000"))]).await;
    assert_eq!(asked(&suite).await, "Wrong PUK, 9 tries left");
    sim.set_user(Persona::Approve { after_ms: 5000 }).unwrap();
    assert_eq!(suite.users().open().len(), 0);
    sim.set_user(Persona::Human).unwrap();
    suite.clock().advance(Duration::from_secs(10)).await;
    assert_eq!(asked(&suite).await, "Wrong PUK, 9 tries left");
    suite.shutdown().await;
}

/// TS 31.111 §7.1.1.2: the toolkit is busy, the service centre tries again, and the request waits for the user.
#[tokio::test]
async fn a_flow_that_meets_an_open_menu_waits_until_it_expires() {
    let suite = suite().await;
    let sim = suite.sim(BLOCKED.parse().unwrap());
    sim.set_user(Persona::Human).unwrap();
    sim.select(UNBLOCK).await.unwrap();
    assert_eq!(asked(&suite).await, "PUK");
    let ended = flow_of(&suite, BLOCKED).await;
    let expired = matches!(&ended, Ended::Refused { error, .. } if error == "expired_token");
    assert!(expired, "{ended:?}");
    assert_eq!(asked(&suite).await, "PUK");
    suite.shutdown().await;
}

#[tokio::test]
async fn a_flow_that_meets_a_menu_goes_on_when_that_is_closed() {
    let suite = suite().await;
    let sim = suite.sim(BLOCKED.parse().unwrap());
    sim.set_user(Persona::Human).unwrap();
    sim.select(UNBLOCK).await.unwrap();
    assert_eq!(asked(&suite).await, "PUK");
    let port = suite.rp_port();
    let wanted = wanted(&suite, BLOCKED);
    let playing = async {
        let mut traces = suite.trace_log().watch();
        let refused = |_: &u64| {
            let last = suite.trace_log().last();
            last.is_some_and(|trace| trace.reached() == Some(6))
        };
        traces.wait_for(refused).await.unwrap();
        suite.clock().idle().await;
        assert_eq!(asked(&suite).await, "PUK", "it stays on the screen");
        // Whoever has the handset now does what it asks for.
        sim.set_user(APPROVE).unwrap();
        loop {
            suite.clock().jump_to_next().await;
            tokio::task::yield_now().await;
        }
    };
    let ended = tokio::select! {
        ended = rp::run(port.as_ref(), &wanted) => ended,
        () = playing => unreachable!("it never ends"),
    };
    assert!(matches!(ended, Ended::Tokens(_)), "{ended:?}");
    suite.shutdown().await;
}

/// TS 102 223 §6.4.3: GET INKEY, yes or no, on a handset that has nothing else for texts.
#[tokio::test]
async fn a_question_of_yes_or_no_is_answered_with_no() {
    let facilities = [
        Facility::SMS_PP_DATA_DOWNLOAD,
        Facility::SEND_SHORT_MESSAGE,
        Facility::GET_INKEY,
        Facility::BINARY_CHOICE,
        Facility::GET_INPUT,
    ];
    let profile = hex::encode(TerminalProfile::with(&facilities).octets());
    let profile = format!(
        "inherits = \"default\"\nname = \"binary\"\n[handset]\nterminal_profile = \"{profile}\"\n"
    );
    let mut world = World::default();
    world.use_card_profile(&profile, false).unwrap();
    let suite = Builder::new(world).humans(Humans::Ask);
    let suite = suite.frozen_clock().start().await.unwrap();
    let sim = suite.sim(SILENT.parse().unwrap());
    let port = suite.rp_port();
    let mut wanted = wanted(&suite, SILENT);
    wanted.acr_values = "mod-pr".into();

    sim.set_user(Persona::Human).unwrap();
    for (key, denied) in [("no", true), ("ok", false)] {
        let playing = async {
            asked(&suite).await;
            let prompt = suite.users().open().remove(0);
            assert_eq!((prompt.kind, prompt.hidden), ("yes-no", false));
            let typed = serde_json::from_str(r#"{"action": "text", "text": "0"}"#).unwrap();
            let refused = suite.press(prompt.id, typed).unwrap_err();
            assert!(refused.to_string().contains("ok (yes), no"), "{refused}");
            let press = serde_json::from_str(&format!(r#"{{"action": "{key}"}}"#)).unwrap();
            suite.press(prompt.id, press).unwrap();
            suite.clock().idle().await;
            suite.clock().advance(Duration::from_secs(15)).await;
        };
        let (ended, ()) = tokio::join!(rp::run(port.as_ref(), &wanted), playing);
        assert_eq!(self::denied(&ended), denied, "{key}: {ended:?}");
        assert_eq!(
            matches!(ended, Ended::Tokens(_)),
            !denied,
            "{key}: {ended:?}"
        );
    }
    // Scripted users, too: one says yes, one says no, one leaves.
    for (kind, tokens) in [("approve", true), ("decline", false), ("cancel", false)] {
        let persona = serde_json::from_str(&format!(r#"{{"kind": "{kind}"}}"#)).unwrap();
        sim.set_user(persona).unwrap();
        let ended = flow_as(&suite, &wanted).await;
        assert_eq!(
            matches!(ended, Ended::Tokens(_)),
            tokens,
            "{kind}: {ended:?}"
        );
        assert_eq!(denied(&ended), !tokens, "{kind}: {ended:?}");
    }
    let traces = suite.trace_log().list(10);
    let lines = traces.iter().flat_map(|trace| trace.render().lines);
    // GET INKEY answered with 00, from the person and from the script.
    let said_no = lines.filter(|line| line.name.starts_with("TERMINAL RESPONSE"));
    let said_no = said_no.filter(|line| {
        let octets = line.octets.as_ref();
        octets.is_some_and(|octets| octets.hex.to_lowercase().contains("8301008d020400"))
    });
    assert_eq!(said_no.count(), 2);
    suite.shutdown().await;
}

#[test]
fn the_commands_of_the_world_page_run_as_printed() {
    let folder = Folder::new("menus");
    let data = folder.path().join("data");
    let up = port_bases().find_map(|base| Up::start(&data, base, &[]));
    let up = up.unwrap();
    let blocks: Vec<_> = blocks(include_str!("../src/docs/world.md"), "sh").collect();
    let [unblock, change] = blocks.as_slice() else {
        panic!("{} blocks", blocks.len());
    };
    let run = |block: &str| {
        let shell = Command::new("sh")
            .args(["-c", block])
            .env("MIDSIM_UI_URL", up.url("ui"))
            .output()
            .unwrap();
        assert!(shell.status.success(), "{block}");
        String::from_utf8(shell.stdout).unwrap()
    };
    let get = |path: &str| {
        let url = format!("{}/api/v1/{path}", up.url("ui"));
        http("GET", &url, &[], "").unwrap().1
    };
    let until = |path: &str, done: &dyn Fn(&serde_json::Value) -> bool| {
        let mut answers = (0..1000).map(|_| get(path));
        assert!(answers.any(|answer| done(&answer)), "{path}");
    };
    let card = format!("sims/{BLOCKED}");
    let printed = run(unblock);
    assert!(printed.contains(r#""pin_tries":0"#), "{printed}");
    assert!(printed.contains("Unblock PIN"), "{printed}");
    assert!(printed.contains(r#""pin_tries":3"#), "{printed}");
    let printed = run(change);
    assert!(!printed.contains("\"status\":4"), "{printed}");
    until("prompts", &|open| open["prompts"] == serde_json::json!([]));
    // It is the PIN now.
    let json = [("Content-Type", "application/json")];
    let url = format!("{}/api/v1/{card}", up.url("ui"));
    let select = || http("POST", &url, &json, r#"{"select": 1}"#).unwrap().0;
    assert!((0..1000).any(|_| select() == 200));
    let functions: Vec<_> = change.lines().take(3).collect();
    let typed = r#"press '{"action": "text", "text": "2468"}'"#;
    run(&format!("{}\n{typed}", functions.join("\n")));
    until("prompts?wait=10", &|open| {
        open["prompts"][0]["text"] == "New PIN"
    });
    up.kill();
}

//! The handle on one SIM: what its user does, whether the network reaches it, what its card remembers, where its card is.

use std::time::Duration;

use midsim::Suite;
use midsim::rp::{self, Ended, Flow};
use midsim::suite::{Place, Running};
use midsim::users::Press;
use midsim::wiring::Humans;
use midsim::world::{Mode, Persona};
use ota_wire::cat::{Body, Envelope, ProactiveCommand};

const NUMBER: &str = "+447700900002";

#[tokio::test]
async fn a_test_decides_what_the_user_does() {
    let suite = Suite::builder().frozen_clock().start().await.unwrap();
    let sim = suite.sim(NUMBER.parse().unwrap());
    sim.set_user(Persona::Cancel).unwrap();
    assert!(matches!(flow(&suite).await, Ended::Refused { error, .. } if error == "access_denied"));
    sim.set_user(Persona::WrongPin { times: 3 }).unwrap();
    assert!(matches!(flow(&suite).await, Ended::Refused { error, .. } if error == "access_denied"));
    assert_eq!(sim.card().await.unwrap().unwrap().pin_tries, 0);
    suite.shutdown().await;
}

#[tokio::test]
async fn a_message_waits_at_the_smsc_until_the_handset_is_back() {
    let suite = Suite::builder().frozen_clock().start().await.unwrap();
    let sim = suite.sim(NUMBER.parse().unwrap());
    assert_eq!(sim.card().await.unwrap().unwrap().applet_counter, 0);
    sim.set_coverage(false).await;
    let port = suite.rp_port();
    let wanted = wanted(&suite, NUMBER);
    let (ended, ()) = tokio::join!(rp::run(port.as_ref(), &wanted), async {
        // The RP's first question comes after 5 s and finds nothing; then the handset is back.
        let mut traces = suite.trace_log().watch();
        traces
            .wait_for(|_| {
                suite
                    .trace_log()
                    .last()
                    .is_some_and(|trace| trace.reached() == Some(6))
            })
            .await
            .unwrap();
        suite.clock().advance(Duration::from_secs(5)).await;
        assert_eq!(sim.card().await.unwrap().unwrap().applet_counter, 0);
        sim.set_coverage(true).await;
        suite.clock().idle().await;
        suite.clock().advance(Duration::from_secs(5)).await;
    });
    assert!(matches!(ended, Ended::Tokens(_)), "{ended:?}");
    assert!(sim.card().await.unwrap().unwrap().applet_counter > 0);
    suite.shutdown().await;
}

#[tokio::test]
async fn nobodys_number_has_no_card() {
    let suite = Suite::builder().frozen_clock().start().await.unwrap();
    assert_eq!(
        suite
            .sim("+15005550006".parse().unwrap())
            .card()
            .await
            .unwrap(),
        None
    );
    suite.shutdown().await;
}

#[tokio::test]
async fn whoever_has_the_card_in_a_reader_plays_the_handset() {
    let suite = Suite::builder().frozen_clock().start().await.unwrap();
    let sim = suite.sim(NUMBER.parse().unwrap());
    let soon = Duration::from_secs(20);
    let error = sim.take(soon, true).await.unwrap_err();
    assert!(error.to_string().contains("not in a reader"), "{error}");
    let reader = sim.reader().await.unwrap();
    assert!(sim.reader().await.is_err(), "it is in one");
    assert_eq!(sim.card().await.unwrap().unwrap().place, Place::Reader);
    let command = async |text: &str| {
        let command = hex::decode(text).unwrap();
        hex::encode_upper(reader.transmit(&command).await.unwrap())
    };
    let playing = async {
        reader.reset().await.unwrap();
        assert_eq!(command("8010000004FFFFFFFF").await, "9000");
        let messages = sim.take(soon, false).await.unwrap();
        let [message] = messages.as_slice() else {
            panic!("one message");
        };
        let envelope = Envelope::sms_pp_download(message.tpdu.clone()).emit();
        let envelope = format!("80C20000{:02X}{}", envelope.len(), hex::encode(envelope));
        let sw = command(&envelope).await;
        sim.report(message.mr, None, None).await.unwrap();
        assert!(sim.report(message.mr, None, None).await.is_err(), "once");
        command(&format!("80120000{}", &sw[2..])).await;
        let sw = command("801400000C810301218182028281830110").await;
        let send = command(&format!("80120000{}", &sw[2..])).await;
        let send = hex::decode(send.strip_suffix("9000").unwrap()).unwrap();
        let Body::SendShortMessage { tpdu, .. } = ProactiveCommand::parse(&send).unwrap().body
        else {
            panic!("SEND SHORT MESSAGE");
        };
        let (_, cause) = sim.submit(None, tpdu).await.unwrap();
        assert_eq!(cause, None);
        assert_eq!(command("801400000C810302130082028281830100").await, "9000");
    };
    let (ended, ()) = tokio::join!(flow(&suite), playing);
    assert!(matches!(ended, Ended::Refused { error, .. } if error == "access_denied"));
    reader.eject().await.unwrap();
    assert!(
        matches!(flow(&suite).await, Ended::Tokens(_)),
        "the handset again"
    );

    sim.set_inserted(false).await.unwrap();
    let card = sim.card().await.unwrap().unwrap();
    assert_eq!((card.place, card.attached), (Place::Out, false));
    sim.set_inserted(true).await.unwrap();
    assert!(sim.card().await.unwrap().unwrap().attached);
    suite.shutdown().await;
}

#[tokio::test]
async fn a_person_unblocks_the_pin_from_the_menu_of_the_card() {
    let suite = Suite::builder().humans(Humans::Ask).frozen_clock();
    let suite = suite.start().await.unwrap();
    let sim = suite.sim("+447700900006".parse().unwrap());
    sim.set_user(Persona::Human).unwrap();
    let refused = sim.select(3).await.unwrap_err();
    assert!(refused.to_string().contains("no such item"), "{refused}");
    sim.select(2).await.unwrap();
    assert!(sim.select(1).await.is_err(), "the screen is in use");
    for (question, typed) in [
        ("PUK", Some("12345678")),
        ("New PIN", Some("2468")),
        ("New PIN again", Some("2468")),
        ("PIN unblocked", None),
    ] {
        suite.users().appeared(Duration::from_secs(20)).await;
        let open = suite.users().open();
        assert_eq!(open[0].text, question);
        let press = match typed {
            Some(text) => format!(r#"{{"action": "text", "text": "{text}"}}"#),
            None => r#"{"action": "ok"}"#.to_owned(),
        };
        let press: Press = serde_json::from_str(&press).unwrap();
        suite.press(open[0].id, press).unwrap();
        suite.clock().idle().await;
    }
    let card = sim.card().await.unwrap().unwrap();
    assert_eq!((card.pin_tries, card.puk_tries), (3, 10));
    let menu = card.menu.unwrap();
    assert_eq!(menu.items[&2], "Unblock PIN");
    suite.shutdown().await;
}

/// What somebody does with a handset whose card is elsewhere would put the card in two places, or do nothing.
#[tokio::test]
async fn nobody_has_the_keys_of_a_handset_whose_card_is_in_a_reader() {
    let suite = Suite::builder().frozen_clock().start().await.unwrap();
    let sim = suite.sim(NUMBER.parse().unwrap());
    let reader = sim.reader().await.unwrap();
    reader.reset().await.unwrap();
    for refused in [
        sim.set_inserted(true).await,
        sim.set_inserted(false).await,
        sim.set_power(true).await,
        sim.set_power(false).await,
    ] {
        let error = refused.unwrap_err();
        assert!(error.to_string().contains("in a reader"), "{error}");
    }
    assert_eq!(sim.card().await.unwrap().unwrap().place, Place::Reader);
    let query = hex::decode("0020000100").unwrap();
    assert_eq!(reader.transmit(&query).await.unwrap(), [0x63, 0xC3]);
    // These are the network's and the user's own business, and stay.
    sim.set_coverage(false).await;
    sim.set_user(Persona::Cancel).unwrap();
    reader.eject().await.unwrap();
    assert!(!sim.card().await.unwrap().unwrap().attached);
    sim.set_coverage(true).await;
    assert!(matches!(flow(&suite).await, Ended::Refused { error, .. } if error == "access_denied"));
    suite.shutdown().await;
}

async fn flow(suite: &Running) -> Ended {
    flow_of(suite, NUMBER).await
}

/// Runs a flow to its end; time jumps whenever everybody waits.
pub(crate) async fn flow_of(suite: &Running, number: &str) -> Ended {
    flow_as(suite, &wanted(suite, number)).await
}

pub(crate) async fn flow_as(suite: &Running, wanted: &Flow) -> Ended {
    let port = suite.rp_port();
    let jumping = async {
        loop {
            suite.clock().jump_to_next().await;
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        ended = rp::run(port.as_ref(), wanted) => ended,
        () = jumping => unreachable!("it never ends"),
    }
}

pub(crate) fn wanted(suite: &Running, number: &str) -> Flow {
    Flow {
        issuer: suite.op_url(),
        client_id: "poll".into(),
        client_secret: "poll-secret".into(),
        mode: Mode::Poll,
        login_hint: number.into(),
        acr_values: "mod-mf".into(),
        scope: "openid".into(),
        binding_message: None,
        requested_expiry: None,
        notification_token: String::new(),
    }
}

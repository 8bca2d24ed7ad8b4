//! Messages of phones and of other ESMEs, on their way to the ESME that they are for.

use super::support::*;
use super::*;
use crate::smpp::{Tlv, tag};

#[test]
fn an_answer_of_a_card_is_acknowledged_and_delivered() {
    let mut world = World::bound();
    let outputs = world.rp(1, &from_card(42, "8220", &[1, 2, 3]));
    // RP-ACK (24.011 §7.3.3) with SMS-SUBMIT-REPORT (23.040 §9.2.2.2a), by hand.
    assert_eq!(
        outputs[0],
        Output::Rp {
            to: msisdn(1),
            bytes: octets("03 2A 41 09 01 00 62102030405000")
        }
    );
    let [(esme, id, message)] = to_esme(&outputs)[..] else {
        panic!("{outputs:?}")
    };
    assert_eq!(*esme, link_of("midsim", 1));
    let mut expected = ShortMessage {
        source: msisdn(1).digits().into(),
        source_ton: 1,
        source_npi: 1,
        destination: "8220".into(),
        destination_npi: 1,
        data_coding: 0xF7,
        short_message: vec![1, 2, 3],
        ..ShortMessage::default()
    };
    expected.set_receipted_message_id(ID[0]);
    assert_eq!(*message, expected);
    let event = &world.events[0];
    assert_eq!(event.own.as_str(), "smpp:19B7CA98C882030405060708");
    assert_eq!(
        event.parent.as_ref().unwrap().as_str(),
        "rp-mo:447700900001:42"
    );
    assert_eq!(event.row().step, Some(12));
    assert_eq!(world.kept().len(), 1);
    let done = Input::DeliverResp {
        id: id.to_owned(),
        result: Ok(()),
    };
    assert_eq!(world.step(done.clone()), []);
    assert_eq!(world.kept(), [""; 0]);
    assert!(world.store.timers.is_empty());
    assert_eq!(world.step(done), [], "a second answer changes nothing");
}

#[test]
fn message_ids_stay_out_of_deliveries_where_configured() {
    let mut world = World::with(Config {
        number_deliveries: false,
        ..config()
    });
    world.bind("midsim", 1, BindMode::Receiver);
    let outputs = world.rp(1, &from_card(1, "8220", b"x"));
    assert_eq!(to_esme(&outputs)[0].2.tlvs, []);
}

#[test]
fn the_user_data_header_passes_untouched() {
    let mut world = World::bound();
    let header = octets("0B 0003010201 7000 2402ABCD");
    let outputs = world.submit(to_phone(1, &[&header, &b"data"[..]].concat()));
    let (mr, deliver) = delivered(&outputs).remove(0);
    assert_eq!(
        deliver.user_data.to_octets(),
        [&header, &b"data"[..]].concat()
    );
    let submit = Submit {
        user_data: deliver.user_data,
        ..Submit::from_card(Address::short_code("8220").unwrap(), b"").unwrap()
    };
    world.ack(1, mr);
    let outputs = world.rp(
        1,
        &Message::submit(9, Address::international(&msisdn(99)), &submit),
    );
    let message = to_esme(&outputs)[0].2;
    assert!(message.has_udh());
    assert_eq!(message.short_message, [&header, &b"data"[..]].concat());
}

#[test]
fn text_from_a_phone_is_unpacked() {
    let mut world = World::bound();
    let dcs = ota_wire::sms::dcs::Dcs::TEXT;
    for udh in [None, Some(ota_wire::sms::udh::Udh::response_packet())] {
        let header = udh.as_ref().map_or(vec![], |_| vec![2, 0x71, 0]);
        let user_data = ota_wire::sms::user_data::UserData::text(udh, "hello€", dcs).unwrap();
        let submit = Submit {
            user_data,
            dcs,
            ..Submit::from_card(Address::short_code("8220").unwrap(), b"").unwrap()
        };
        let outputs = world.rp(
            1,
            &Message::submit(
                header.len() as u8,
                Address::international(&msisdn(99)),
                &submit,
            ),
        );
        let message = to_esme(&outputs)[0].2;
        assert_eq!(
            message.short_message,
            [&header, &b"hello\x1Be"[..]].concat()
        );
        assert_eq!(message.data_coding, 0);
    }
}

#[test]
fn the_newest_session_that_can_receive_gets_the_message() {
    let mut world = World::new();
    world.bind("midsim", 1, BindMode::Receiver);
    world.bind("midsim", 2, BindMode::Transceiver);
    world.bind("midsim", 3, BindMode::Transmitter);
    let link = |outputs: &[Output]| to_esme(outputs)[0].0.link;
    assert_eq!(link(&world.rp(1, &from_card(1, "8220", b"x"))), 2);
    world.step(Input::Unbound {
        esme: link_of("midsim", 2),
    });
    assert_eq!(link(&world.rp(1, &from_card(2, "8220", b"x"))), 1);
}

#[test]
fn sessions_of_an_earlier_life_are_forgotten() {
    let mut world = World::bound();
    world.step(Input::Started);
    assert_eq!(to_esme(&world.rp(1, &from_card(1, "8220", b"x"))), []);
    assert_eq!(
        to_esme(&world.bind("midsim", 2, BindMode::Transceiver)).len(),
        1
    );
}

/// After a start the runner counts its sessions from the beginning.
#[test]
fn a_session_with_the_number_of_one_of_an_earlier_life_has_nothing_of_that_one() {
    let mut world = World::bound();
    let sent = world.submit(ShortMessage {
        source: "8220".into(),
        destination: "8220".into(),
        short_message: b"x".to_vec(),
        ..ShortMessage::default()
    });
    let id = to_esme(&sent)[0].1.to_owned();
    world.step(Input::Started);
    let again = world.bind("midsim", 1, BindMode::Transceiver);
    let [(esme, again, _)] = to_esme(&again)[..] else {
        panic!("{again:?}")
    };
    assert_eq!((esme, again), (&link_of("midsim", 1), id.as_str()));
    // Nor may it be taken as sent while nobody is bound.
    world.step(Input::Started);
    world.step(Input::Bound {
        esme: link_of("midsim", 1),
        mode: BindMode::Transmitter,
    });
    let cancel = Operation::Cancel {
        service_type: String::new(),
        message_id: id.rsplit_once('-').unwrap().1.to_owned(),
        source: Party::default(),
        destination: Party::default(),
    };
    let cancelled = operate(&mut world, "midsim", cancel);
    assert_eq!(cancelled, Answer::Cancel(CommandStatus::ROK));
    assert!(world.store.timers.is_empty());
}

#[test]
fn a_delivery_without_answer_is_repeated_and_one_refused_for_now_as_well() {
    let mut world = World::bound();
    let outputs = world.rp(1, &from_card(1, "8220", b"x"));
    let id = to_esme(&outputs)[0].1.to_owned();
    assert_eq!(world.run(start() + seconds(59)), []);
    let again = world.run(start() + seconds(60));
    assert_eq!(to_esme(&again)[0].1, id);
    for (pause, status) in [
        (5, CommandStatus::RX_T_APPN),
        (10, CommandStatus::RTHROTTLED),
    ] {
        assert_eq!(
            world.step(Input::DeliverResp {
                id: id.clone(),
                result: Err(status)
            }),
            []
        );
        assert_eq!(to_esme(&world.run(world.now + seconds(pause))).len(), 1);
    }
    world.step(Input::DeliverResp {
        id,
        result: Err(CommandStatus::RX_P_APPN),
    });
    assert_eq!(world.kept(), [""; 0]);
}

#[test]
fn one_esme_writes_to_another() {
    let mut world = World::bound();
    world.bind("other", 5, BindMode::Transceiver);
    let message = ShortMessage {
        destination: "8330".into(),
        validity: "000000000500000R".into(),
        registered_delivery: 1,
        ..to_phone(1, &packet(1))
    };
    let outputs = world.submit(message);
    assert_eq!(outputs[0], response(CommandStatus::ROK, ID[0]));
    let [(esme, _, message)] = to_esme(&outputs)[..] else {
        panic!()
    };
    assert_eq!(esme.system_id, "other");
    assert_eq!(
        (message.validity.as_str(), message.registered_delivery),
        ("", 0)
    );
    assert_eq!(message.short_message, packet(1));
}

/// Delivered, refused for good, too late: one receipt each, in both forms; until then query_sm finds the message.
#[test]
fn an_esme_learns_what_became_of_its_message_to_another() {
    let outcomes = [
        (Some(Ok(())), "DELIVRD", MessageState::DELIVERED),
        (
            Some(Err(CommandStatus::RX_P_APPN)),
            "UNDELIV",
            MessageState::UNDELIVERABLE,
        ),
        (None, "EXPIRED", MessageState::EXPIRED),
    ];
    for (answer, stat, state) in outcomes {
        let mut world = World::bound();
        if answer.is_some() {
            world.bind("other", 2, BindMode::Transceiver);
        }
        let outputs = world.submit(ShortMessage {
            source: "8220".into(),
            destination: "8330".into(),
            registered_delivery: registered_delivery::ALWAYS,
            short_message: b"hi".to_vec(),
            ..ShortMessage::default()
        });
        let query = Operation::Query {
            message_id: ID[0].into(),
            source: Party::default(),
        };
        let found = operate(&mut world, "midsim", query.clone());
        assert!(matches!(found, Answer::Query(Ok(_))), "{found:?}");
        let others = operate(&mut world, "other", query.clone());
        assert_eq!(others, Answer::Query(Err(CommandStatus::RINVMSGID)));
        let outputs = match answer {
            Some(result) => {
                let id = to_esme(&outputs)[0].1.to_owned();
                world.step(Input::DeliverResp { id, result })
            }
            None => {
                let end = world.now + SignedDuration::from_hours(24 * 30);
                world.run(end)
            }
        };
        let receipts = to_esme(&outputs);
        let (to, _, receipt) = receipts[0];
        assert_eq!(to, &link_of("midsim", 1));
        assert!(receipt.is_receipt());
        let text = String::from_utf8_lossy(&receipt.short_message).into_owned();
        let head = format!("id:{} ", ID[0]);
        assert!(text.starts_with(&head), "{text}");
        assert!(text.contains(&format!("stat:{stat} ")), "{text}");
        let coded = Tlv {
            tag: tag::MESSAGE_STATE,
            value: vec![state.0],
        };
        assert!(receipt.tlvs.contains(&coded));
        let gone = operate(&mut world, "midsim", query);
        assert_eq!(gone, Answer::Query(Err(CommandStatus::RINVMSGID)));
    }
}

#[test]
fn outputs_survive_their_storage() {
    let mut world = World::bound();
    let mut outputs = world.submit(to_phone(1, &packet(1)));
    outputs.extend(world.rp(1, &from_card(1, "8220", b"x")));
    let text = serde_json::to_string(&outputs).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Output>>(&text).unwrap(), outputs);
}

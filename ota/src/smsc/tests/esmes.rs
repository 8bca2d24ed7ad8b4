//! Towards the ESMEs.

use super::*;
use crate::smpp::{Destination, Refused, Tlv, tag};

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
fn messages_wait_for_their_esme_in_order_and_come_again_until_acknowledged() {
    let mut world = World::new();
    for n in 0..3 {
        let outputs = world.rp(1, &from_card(n, "8220", &[n]));
        assert_eq!(outputs.len(), 1, "acknowledged, since it is kept");
        world.now += seconds(1);
    }
    world.rp(1, &from_card(3, "8330", b"other"));
    assert_eq!(
        world.bind("midsim", 1, BindMode::Transmitter),
        [],
        "cannot receive"
    );
    let outputs = world.bind("midsim", 2, BindMode::Receiver);
    let seen: Vec<&[u8]> = to_esme(&outputs)
        .iter()
        .map(|(_, _, message)| message.short_message.as_slice())
        .collect();
    assert_eq!(seen, [[0], [1], [2]]);
    let id = to_esme(&outputs)[0].1.to_owned();
    world.step(Input::DeliverResp { id, result: Ok(()) });
    world.step(Input::Unbound {
        esme: link_of("midsim", 2),
    });
    let outputs = world.bind("midsim", 3, BindMode::Transceiver);
    assert_eq!(to_esme(&outputs).len(), 2);
    assert_eq!(
        to_esme(&world.bind("other", 9, BindMode::Transceiver)).len(),
        1
    );
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
fn a_message_for_an_absent_esme_is_not_kept_for_ever() {
    let mut world = World::new();
    world.rp(1, &from_card(1, "8220", b"x"));
    world.run(start() + SignedDuration::from_hours(24));
    assert_eq!(world.kept(), [""; 0]);
    assert!(matches!(world.kinds()[..], [SmscEvent::EsmeTooLate]));
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
fn an_absent_esme_has_only_so_many_messages_waiting() {
    let mut world = World::with(Config {
        max_esme_queue: 2,
        ..config()
    });
    let message = ShortMessage {
        destination: "8330".into(),
        ..ShortMessage::default()
    };
    for _ in 0..2 {
        world.submit(message.clone());
    }
    assert_eq!(
        world.submit(message),
        [response(CommandStatus::RMSGQFUL, "")]
    );
}

/// The user data of deliver_sm, one octet each.
fn numbers(outputs: &[Output]) -> Vec<u8> {
    let messages = to_esme(outputs).into_iter();
    messages
        .map(|(_, _, message)| message.short_message[0])
        .collect()
}

fn small(window: usize, max_esme_queue: usize) -> World {
    let mut world = World::with(Config {
        window,
        max_esme_queue,
        ..config()
    });
    world.step(Input::Started);
    world.bind("other", 1, BindMode::Transmitter);
    world
}

/// A message of an ESME for the other one.
fn write(world: &mut World, n: u8) -> Vec<Output> {
    world.now += seconds(1);
    world.step(Input::Submit {
        esme: link_of("other", 1),
        sequence: 7,
        message: ShortMessage {
            destination: "8220".into(),
            short_message: vec![n],
            ..ShortMessage::default()
        },
    })
}

fn accepted(outputs: &[Output]) -> bool {
    outputs.iter().any(
        |output| matches!(output, Output::SubmitResp { status, .. } if *status == CommandStatus::ROK),
    )
}

fn ids(outputs: &[Output]) -> Vec<String> {
    let messages = to_esme(outputs).into_iter();
    messages.map(|(_, id, _)| id.to_owned()).collect()
}

#[test]
fn a_backlog_comes_by_the_window_in_order_and_once() {
    let mut world = small(4, 100);
    for n in 0..15 {
        assert!(accepted(&write(&mut world, n)));
    }
    let first = world.bind("midsim", 2, BindMode::Receiver);
    assert_eq!(numbers(&first), [0, 1, 2, 3]);
    // What comes now waits behind.
    assert_eq!(numbers(&write(&mut world, 15)), [0; 0]);
    let (mut open, mut seen) = (ids(&first), numbers(&first));
    let mut most = open.len();
    while !open.is_empty() {
        let result = Ok(());
        let id = open.remove(0);
        let more = world.step(Input::DeliverResp { id, result });
        open.extend(ids(&more));
        seen.extend(numbers(&more));
        most = most.max(open.len());
    }
    assert_eq!(seen, (0..16).collect::<Vec<_>>());
    assert_eq!(most, 4, "deliver_sm unanswered at a time");
    assert_eq!(world.kept(), [""; 0]);
    // With the backlog gone, a message goes out at once.
    assert_eq!(numbers(&write(&mut world, 16)), [16]);
}

#[test]
fn a_session_that_ends_leaves_its_window_to_the_others() {
    let mut world = small(2, 100);
    for n in 0..6 {
        write(&mut world, n);
    }
    assert_eq!(
        numbers(&world.bind("midsim", 2, BindMode::Receiver)),
        [0, 1]
    );
    assert_eq!(
        numbers(&world.bind("midsim", 3, BindMode::Receiver)),
        [2, 3]
    );
    let rest = world.step(Input::Unbound {
        esme: link_of("midsim", 3),
    });
    assert_eq!(rest, [], "the window of the other one is full");
    let outputs = world.bind("midsim", 4, BindMode::Transceiver);
    assert_eq!(numbers(&outputs), [2, 3]);
    assert!(to_esme(&outputs).iter().all(|(esme, ..)| esme.link == 4));
}

#[test]
fn a_slow_esme_has_only_so_many_messages_waiting_and_its_senders_are_told() {
    let mut world = small(2, 5);
    let bound = world.bind("midsim", 2, BindMode::Transceiver);
    assert_eq!(bound, []);
    // Its session takes two, then has no room.
    let mut on_their_way = Vec::new();
    for n in 0..3 {
        on_their_way.extend(ids(&write(&mut world, n)));
    }
    let id = on_their_way.pop().unwrap();
    assert_eq!(world.step(Input::NotSent { id }), []);
    for n in 3..5 {
        let outputs = write(&mut world, n);
        assert!(accepted(&outputs) && numbers(&outputs).is_empty(), "{n}");
    }
    let full = write(&mut world, 5);
    let Output::SubmitResp { status, .. } = &full[0] else {
        panic!("{full:?}")
    };
    assert_eq!(*status, CommandStatus::RMSGQFUL);
    // A phone hears of congestion (TS 24.011 §8.2.5.4, cause 42).
    let refused = world.rp(1, &from_card(1, "8220", b"x"));
    let Output::Rp { bytes, .. } = &refused[0] else {
        panic!("{refused:?}")
    };
    assert!(matches!(
        Message::parse(Direction::ToPhone, bytes),
        Ok(Message::Error {
            cause: Cause::CONGESTION,
            ..
        })
    ));
    // Its answers make room again.
    let (mut seen, mut open) = (Vec::new(), on_their_way);
    while let Some(id) = open.pop() {
        let more = world.step(Input::DeliverResp { id, result: Ok(()) });
        seen.extend(numbers(&more));
        open.extend(ids(&more));
    }
    seen.sort_unstable();
    assert_eq!(seen, [2, 3, 4]);
    assert!(accepted(&write(&mut world, 6)));
}

#[test]
fn what_found_no_room_is_looked_after_though_no_answer_ever_comes() {
    let mut world = small(2, 5);
    world.bind("midsim", 2, BindMode::Transceiver);
    let sent = ids(&write(&mut world, 1));
    world.step(Input::NotSent {
        id: sent[0].clone(),
    });
    let again = world.run(world.now + seconds(5));
    assert_eq!(ids(&again), sent);
}

#[test]
fn outputs_survive_their_storage() {
    let mut world = World::bound();
    let mut outputs = world.submit(to_phone(1, &packet(1)));
    outputs.extend(world.rp(1, &from_card(1, "8220", b"x")));
    let text = serde_json::to_string(&outputs).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Output>>(&text).unwrap(), outputs);
}

fn operate(world: &mut World, system_id: &str, operation: Operation) -> Answer {
    let outputs = world.step(Input::Operate {
        esme: link_of(system_id, 1),
        sequence: 9,
        operation,
    });
    match outputs.into_iter().find_map(|output| match output {
        Output::Answer {
            sequence: 9,
            answer,
            ..
        } => Some(answer),
        _ => None,
    }) {
        Some(answer) => answer,
        None => panic!("no answer"),
    }
}

#[test]
fn a_message_that_waits_can_be_asked_for_replaced_and_cancelled_by_its_sender_only() {
    let mut world = World::bound();
    let receipts = ShortMessage {
        registered_delivery: 1,
        ..to_phone(1, &packet(1))
    };
    world.submit(receipts.clone());
    let submitted = world.submit(ShortMessage {
        short_message: packet(2),
        ..receipts
    });
    let [
        Output::SubmitResp {
            message_id: waiting,
            ..
        },
    ] = &submitted[..]
    else {
        panic!("{submitted:?}")
    };
    let under_way = world.store.scan("msg/")[0].0["msg/".len()..].to_owned();
    let source = Party {
        address: "8220".into(),
        ..Party::default()
    };
    let query = |message_id: &str| Operation::Query {
        message_id: message_id.into(),
        source: source.clone(),
    };
    let replace = |message_id: &str| Operation::Replace {
        message_id: message_id.into(),
        source: source.clone(),
        schedule: String::new(),
        validity: "000000010000000R".into(),
        registered_delivery: 1,
        short_message: packet(3),
    };
    let cancel = |message_id: &str| Operation::Cancel {
        service_type: String::new(),
        message_id: message_id.into(),
        source: source.clone(),
        destination: Party::default(),
    };
    for id in [waiting, &under_way] {
        assert!(matches!(
            operate(&mut world, "midsim", query(id)),
            Answer::Query(Ok(Found { state: MessageState::ENROUTE, message_id, .. })) if message_id == *id
        ));
        assert_eq!(
            operate(&mut world, "other", query(id)),
            Answer::Query(Err(CommandStatus::RINVMSGID))
        );
    }
    assert_eq!(
        operate(&mut world, "midsim", replace(&under_way)),
        Answer::Replace(CommandStatus::RREPLACEFAIL)
    );
    assert_eq!(
        operate(&mut world, "midsim", cancel(&under_way)),
        Answer::Cancel(CommandStatus::RCANCELFAIL)
    );
    assert_eq!(
        operate(&mut world, "midsim", replace(waiting)),
        Answer::Replace(CommandStatus::ROK)
    );
    let next = world.ack(1, 1);
    let (mr, deliver) = &delivered(&next)[0];
    assert_eq!(deliver.user_data.to_octets(), packet(3), "the new one");
    assert_eq!(*mr, 2);
    world.ack(1, 2);
    assert_eq!(
        operate(&mut world, "midsim", query(waiting)),
        Answer::Query(Err(CommandStatus::RINVMSGID)),
        "it has ended"
    );
    // Cancelled by address; the one under way stays.
    world.submit(to_phone(1, &packet(4)));
    world.submit(ShortMessage {
        registered_delivery: 1,
        ..to_phone(1, &packet(5))
    });
    let all = Operation::Cancel {
        service_type: String::new(),
        message_id: String::new(),
        source: source.clone(),
        destination: Party {
            address: msisdn(1).digits().into(),
            ..Party::default()
        },
    };
    assert_eq!(
        operate(&mut world, "midsim", all),
        Answer::Cancel(CommandStatus::ROK)
    );
    assert_eq!(world.store.scan("msg/").len(), 1);
}

#[test]
fn an_esme_cannot_speak_as_the_smsc() {
    let mut world = World::bound();
    let forged = ShortMessage {
        esm_class: esm_class::DELIVERY_RECEIPT,
        ..to_phone(1, b"id:1 stat:UNDELIV")
    };
    assert_eq!(
        world.submit(forged),
        [response(CommandStatus::RINVESMCLASS, "")]
    );
}

#[test]
fn a_message_for_another_esme_is_replaced_and_cancelled_until_that_one_may_have_it() {
    let mut world = World::bound();
    let message = |user_data: &[u8]| ShortMessage {
        source: "8220".into(),
        destination: "8330".into(),
        registered_delivery: registered_delivery::ALWAYS,
        short_message: user_data.to_vec(),
        ..ShortMessage::default()
    };
    let id_of = |outputs: &[Output]| match &outputs[0] {
        Output::SubmitResp { message_id, .. } => message_id.clone(),
        other => panic!("{other:?}"),
    };
    let replace = |message_id: &str, validity: &str| Operation::Replace {
        message_id: message_id.into(),
        source: Party::default(),
        schedule: String::new(),
        validity: validity.into(),
        registered_delivery: 0,
        short_message: b"new".to_vec(),
    };
    let cancel = |message_id: &str, destination: &str| Operation::Cancel {
        service_type: String::new(),
        message_id: message_id.into(),
        source: Party::default(),
        destination: Party {
            address: destination.into(),
            ..Party::default()
        },
    };
    let (ok, not_its) = (CommandStatus::ROK, CommandStatus::RINVMSGID);
    let outputs = world.submit(message(b"old"));
    let first = id_of(&outputs);
    world.now += seconds(1);
    let outputs = world.submit(message(b"gone"));
    let second = id_of(&outputs);
    for (operation, answer) in [
        (replace(&first, ""), Answer::Replace(not_its)),
        (cancel(&first, ""), Answer::Cancel(not_its)),
    ] {
        assert_eq!(operate(&mut world, "other", operation), answer);
    }
    let bad = operate(&mut world, "midsim", replace(&first, "yesterday"));
    assert_eq!(bad, Answer::Replace(CommandStatus::RINVEXPIRY));
    let replaced = operate(&mut world, "midsim", replace(&first, "000000010000000R"));
    assert_eq!(replaced, Answer::Replace(ok));
    // Cancelled, with the receipt that was asked for.
    let outputs = world.step(Input::Operate {
        esme: link_of("midsim", 1),
        sequence: 9,
        operation: cancel(&second, ""),
    });
    let receipt = to_esme(&outputs)[0].2;
    assert_eq!(receipt.message_state(), Some(MessageState::DELETED));
    let outputs = world.bind("other", 2, BindMode::Receiver);
    let [(_, id, delivered)] = to_esme(&outputs)[..] else {
        panic!("{outputs:?}")
    };
    assert_eq!(delivered.short_message, b"new");
    let id = id.to_owned();
    // Now it may have it.
    for (operation, answer) in [
        (
            replace(&first, ""),
            Answer::Replace(CommandStatus::RREPLACEFAIL),
        ),
        (
            cancel(&first, ""),
            Answer::Cancel(CommandStatus::RCANCELFAIL),
        ),
        (
            cancel("", "8330"),
            Answer::Cancel(CommandStatus::RCANCELFAIL),
        ),
    ] {
        assert_eq!(operate(&mut world, "midsim", operation), answer);
    }
    assert_eq!(world.step(Input::DeliverResp { id, result: Ok(()) }), []);
    // By address: what waits for that one, and nothing else.
    world.step(Input::Unbound {
        esme: link_of("other", 2),
    });
    for n in 0..2 {
        world.now += seconds(1);
        world.submit(message(&[n]));
    }
    world.rp(1, &from_card(1, "8330", b"of a phone"));
    let cancelled = operate(&mut world, "midsim", cancel("", "8330"));
    assert_eq!(cancelled, Answer::Cancel(ok));
    let rest = world.bind("other", 3, BindMode::Receiver);
    assert_eq!(numbers(&rest), *b"o");
}

#[test]
fn a_message_stands_in_one_place_only() {
    let mut world = World::bound();
    let mut message = to_phone(1, &packet(1));
    message.tlvs.push(Tlv {
        tag: tag::MESSAGE_PAYLOAD,
        value: vec![1],
    });
    let refused = [response(CommandStatus::ROPTPARNOTALLWD, "")];
    assert_eq!(world.submit(message.clone()), refused);
    let empty = ShortMessage {
        in_payload: true,
        ..to_phone(1, b"")
    };
    let missing = [response(CommandStatus::RMISSINGOPTPARAM, "")];
    assert_eq!(world.submit(empty), missing);
    let long = ShortMessage {
        source: "1".repeat(21),
        ..to_phone(1, &packet(1))
    };
    let refused = [response(CommandStatus::RINVSRCADR, "")];
    assert_eq!(world.submit(long), refused);
}

#[test]
fn a_submit_multi_reaches_each_receiver_and_names_those_it_does_not() {
    let mut world = World::bound();
    world.bind("other", 2, BindMode::Receiver);
    let party = |address: &str| Party {
        address: address.into(),
        ..Party::default()
    };
    let submit = |world: &mut World, destinations: Vec<Destination>| {
        world.step(Input::SubmitMulti {
            esme: link_of("midsim", 1),
            sequence: 7,
            multi: Multi {
                message: ShortMessage {
                    destination: String::new(),
                    registered_delivery: registered_delivery::ALWAYS,
                    ..to_phone(1, &packet(9))
                },
                destinations,
            },
        })
    };
    let to: Vec<_> = [
        "8330",
        "15005550006",
        msisdn(1).digits(),
        msisdn(2).digits(),
    ]
    .into_iter()
    .map(|address| Destination::Address(party(address)))
    .collect();
    let outputs = submit(&mut world, to);
    let Output::MultiResp {
        sequence: 7,
        status: CommandStatus::ROK,
        taken,
        ..
    } = &outputs[0]
    else {
        panic!("{outputs:?}")
    };
    let nobody = Refused {
        destination: party("15005550006"),
        status: CommandStatus::RINVDSTADR,
    };
    assert_eq!(taken.refused, [nobody]);
    assert_eq!(to_esme(&outputs)[0].2.short_message, packet(9));
    let phones = delivered(&outputs);
    assert_eq!(phones.len(), 2);
    // Each receipt speaks of the one message, and names its receiver.
    for n in [1, 2] {
        let outputs = world.ack(n, 1);
        let receipt = to_esme(&outputs)[0].2;
        assert_eq!(
            receipt.receipted_message_id().as_ref(),
            Some(&taken.message_id)
        );
        assert_eq!(receipt.source, msisdn(n).digits());
    }
    // No receiver at all, and a list, of which there are none.
    for (destination, expected) in [
        (
            Destination::Address(party("15005550006")),
            CommandStatus::RSUBMITFAIL,
        ),
        (Destination::List("all".into()), CommandStatus::RINVDLNAME),
    ] {
        let outputs = submit(&mut world, vec![destination]);
        assert!(
            matches!(&outputs[..], [Output::MultiResp { status, .. }] if *status == expected),
            "{outputs:?}"
        );
    }
}

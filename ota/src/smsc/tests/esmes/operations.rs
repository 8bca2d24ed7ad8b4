//! query_sm, replace_sm and cancel_sm.

use super::support::*;
use super::*;

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

/// SMPP 3.4 §4.10.1: without validity_period the validity stays as it is, it does not begin anew.
#[test]
fn a_replacement_without_validity_leaves_the_end_where_it_was() {
    let mut world = World::bound();
    let five_minutes = |message| ShortMessage {
        validity: "000000000500000R".into(),
        registered_delivery: registered_delivery::ALWAYS,
        ..message
    };
    let to_other = ShortMessage {
        source: "8220".into(),
        destination: "8330".into(),
        short_message: b"old".to_vec(),
        ..ShortMessage::default()
    };
    let first = ShortMessage {
        registered_delivery: 0,
        ..to_phone(1, &packet(1))
    };
    world.submit(first);
    let waiting: Vec<String> = [to_phone(1, &packet(2)), to_other]
        .into_iter()
        .map(|message| match &world.submit(five_minutes(message))[0] {
            Output::SubmitResp { message_id, .. } => message_id.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    world.now += seconds(50);
    for message_id in &waiting {
        let replace = Operation::Replace {
            message_id: message_id.clone(),
            source: Party::default(),
            schedule: String::new(),
            validity: String::new(),
            registered_delivery: registered_delivery::ALWAYS,
            short_message: packet(3),
        };
        let replaced = operate(&mut world, "midsim", replace);
        assert_eq!(replaced, Answer::Replace(CommandStatus::ROK));
    }
    let outputs = world.run(start() + seconds(340));
    let receipts: Vec<_> = to_esme(&outputs)
        .iter()
        .map(|(_, _, receipt)| (receipt.receipted_message_id(), receipt.message_state()))
        .collect();
    for message_id in waiting {
        let expired = (Some(message_id), Some(MessageState::EXPIRED));
        assert!(receipts.contains(&expired), "{receipts:?}");
    }
}

/// SMPP 3.4 §4.9.1: without message_id, what an application service has sent to an address.
#[test]
fn a_group_is_cancelled_by_its_service_type() {
    for destination in ["8330", msisdn(1).digits()] {
        let mut world = World::bound();
        world.submit(to_phone(1, &packet(1)));
        for service_type in ["CMT", "WAP"] {
            world.submit(ShortMessage {
                service_type: service_type.into(),
                destination: destination.into(),
                ..to_phone(1, &packet(2))
            });
        }
        let before = world.kept().len();
        let mut cancel = |service_type: &str| {
            let cancel = Operation::Cancel {
                service_type: service_type.into(),
                message_id: String::new(),
                source: Party::default(),
                destination: Party {
                    address: destination.into(),
                    ..Party::default()
                },
            };
            let answer = operate(&mut world, "midsim", cancel);
            (answer, before - world.kept().len())
        };
        let (failed, ok) = (CommandStatus::RCANCELFAIL, CommandStatus::ROK);
        assert_eq!(cancel("USSD"), (Answer::Cancel(failed), 0), "{destination}");
        assert_eq!(cancel("WAP"), (Answer::Cancel(ok), 1), "{destination}");
        assert_eq!(cancel(""), (Answer::Cancel(ok), 2), "{destination}");
    }
}

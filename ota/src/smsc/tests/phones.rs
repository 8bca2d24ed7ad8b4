//! Towards the phones.

use ota_wire::sms::tpdu::Pid;

use super::*;

#[test]
fn a_message_reaches_the_phone_in_exactly_the_octets_of_the_standards() {
    let mut world = World::bound();
    let outputs = world.submit(to_phone(1, &octets("027000AABB")));
    // RP-DATA (24.011 §7.3.1.1) with SMS-DELIVER (23.040 §9.2.2.1), by hand.
    let rp =
        octets("01 01 07 91 447700099099 00 14 44 04 81 2802 7F F6 62102030405000 05 027000AABB");
    assert_eq!(
        outputs,
        [
            response(CommandStatus::ROK, ID[0]),
            Output::Rp {
                to: msisdn(1),
                bytes: rp
            }
        ]
    );
    assert_eq!(world.events[1].own.as_str(), "rp:447700900001:1");
    assert_eq!(
        world.events[1].parent.as_ref().unwrap().as_str(),
        "smpp:19B7CA98C882030405060708"
    );
    assert_eq!(world.events[1].row().step, Some(6));
    assert_eq!(world.ack(1, 1), []);
    assert_eq!(world.kept(), [""; 0]);
    assert!(world.store.timers.is_empty());
}

#[test]
fn a_phone_gets_one_message_at_a_time_in_order() {
    let mut world = World::bound();
    assert_eq!(delivered(&world.submit(to_phone(1, &packet(1)))).len(), 1);
    for tail in [2, 3] {
        assert_eq!(
            world.submit(to_phone(1, &packet(tail))).len(),
            1,
            "only the answer"
        );
    }
    assert_eq!(
        delivered(&world.submit(to_phone(2, &packet(9)))).len(),
        1,
        "other phones do not wait"
    );
    for (mr, more) in [(2, true), (3, false)] {
        let outputs = world.ack(1, mr - 1);
        let [(reference, deliver)] = &delivered(&outputs)[..] else {
            panic!()
        };
        assert_eq!(
            (
                *reference,
                deliver.user_data.payload(),
                deliver.more_messages()
            ),
            (mr, &[mr][..], more)
        );
    }
    assert_eq!(world.ack(1, 3), []);
}

#[test]
fn what_was_under_way_at_the_end_of_the_process_is_sent_again_at_the_start() {
    let mut world = World::bound();
    world.submit(to_phone(1, &packet(1)));
    world.submit(to_phone(1, &packet(2)));
    world.submit(to_phone(2, &packet(3)));
    world.submit(to_phone(3, &packet(4)));
    // The second phone has all it was sent; the third wants to be left alone for a while.
    world.ack(2, 1);
    world.error(3, 1, Cause::MEMORY_EXCEEDED, None);
    let outputs = world.step(Input::Started);
    let [(2, deliver)] = &delivered(&outputs)[..] else {
        panic!("{outputs:?}")
    };
    assert_eq!(deliver.user_data.payload(), [1]);
    assert!(matches!(&outputs[..], [Output::Rp { to, .. }] if *to == msisdn(1)));
    // An answer to the first sending says nothing any more, one to the second lets the next message go.
    assert_eq!(world.ack(1, 1), []);
    assert_eq!(delivered(&world.ack(1, 2)).len(), 1);
}

#[test]
fn an_answer_to_nothing_under_way_changes_nothing() {
    let mut world = World::bound();
    world.submit(to_phone(1, &packet(1)));
    world.submit(to_phone(1, &packet(2)));
    let before = world.store.clone();
    assert_eq!(world.ack(1, 2), []);
    assert_eq!(world.ack(2, 1), []);
    assert_eq!(world.error(1, 9, Cause::PROTOCOL_ERROR, None), []);
    assert!(matches!(
        world.kinds()[..],
        [SmscEvent::RpEnded {
            outcome: crate::event::RpOutcome::Stale
        }]
    ));
    assert_eq!(world.store, before);
    world.ack(1, 1);
    assert_eq!(
        world.ack(1, 1),
        [],
        "a repeated RP-ACK does not acknowledge the next message"
    );
    assert_eq!(world.kept().len(), 1);
}

#[test]
fn references_of_a_phone_wrap() {
    let mut world = World::bound();
    for round in 0..300u32 {
        let outputs = world.submit(to_phone(1, &packet(1)));
        let mr = delivered(&outputs)[0].0;
        assert_eq!(u32::from(mr), (round + 1) % 256);
        world.ack(1, mr);
    }
}

#[test]
fn a_refusal_for_good_ends_the_message_and_lets_the_next_go() {
    let mut world = World::bound();
    for (cause, fcs) in [
        (Cause::PROTOCOL_ERROR, Some(Fcs::DATA_DOWNLOAD_ERROR)),
        (Cause::INVALID_MANDATORY, None),
        (Cause(200), None),
    ] {
        let asked = ShortMessage {
            registered_delivery: registered_delivery::ON_FAILURE,
            ..to_phone(1, &packet(1))
        };
        let mr = delivered(&world.submit(asked))[0].0;
        world.submit(to_phone(1, &packet(2)));
        let outputs = world.error(1, mr, cause, fcs);
        let [(esme, id, receipt)] = to_esme(&outputs)[..] else {
            panic!("{outputs:?}")
        };
        assert_eq!(*esme, link_of("midsim", 1));
        assert!(receipt.is_receipt());
        assert_eq!(
            (receipt.source.as_str(), receipt.destination.as_str()),
            ("447700900001", "8220")
        );
        assert_eq!(receipt.message_state(), Some(MessageState::UNDELIVERABLE));
        assert_eq!(receipt.tlv(0x0423), Some(&[3, 0, cause.0][..]));
        let text = String::from_utf8(receipt.short_message.clone()).unwrap();
        let named = receipt.receipted_message_id().unwrap();
        assert_eq!(
            text,
            format!(
                "id:{named} sub:001 dlvrd:000 submit date:2601020304 done date:2601020304 stat:UNDELIV err:{:03} text:",
                cause.0
            )
        );
        world.step(Input::DeliverResp {
            id: id.to_owned(),
            result: Ok(()),
        });
        let next = delivered(&outputs)[0].0;
        world.ack(1, next);
        assert_eq!(world.kept(), [""; 0]);
    }
}

#[test]
fn a_refusal_for_now_is_tried_again_ever_more_slowly() {
    let mut world = World::bound();
    world.submit(to_phone(1, &packet(1)));
    let mut mr = 1;
    for (pause, fcs) in [
        (5, Fcs::TOOLKIT_BUSY),
        (10, Fcs::MEMORY_EXCEEDED),
        (20, Fcs::SIM_STORAGE_FULL),
        (40, Fcs::TOOLKIT_BUSY),
    ] {
        assert_eq!(world.error(1, mr, Cause::PROTOCOL_ERROR, Some(fcs)), []);
        assert_eq!(world.run(world.now + seconds(pause - 1)), []);
        let outputs = world.run(world.now + seconds(1));
        mr += 1;
        assert_eq!(
            delivered(&outputs)[0].0,
            mr,
            "the same message under a new reference"
        );
    }
    assert_eq!(world.error(1, mr, Cause::MEMORY_EXCEEDED, None), []);
    world.submit(to_phone(1, &packet(2)));
    assert_eq!(world.kept().len(), 2);
    assert_eq!(
        delivered(&world.available(1))[0].1.user_data.payload(),
        [1],
        "what came first goes first"
    );
}

#[test]
fn a_phone_without_coverage_gets_its_messages_when_it_is_seen_again() {
    let mut world = World::bound();
    world.submit(to_phone(1, &packet(1)));
    // The RP-DATA was lost; the phone returns before anybody gave up.
    let outputs = world.available(1);
    assert_eq!(delivered(&outputs)[0].0, 2);
    // And after: no RP-ACK in time, a pause, another try, until it is back.
    assert_eq!(world.run(start() + seconds(40)), []);
    let outputs = world.run(start() + seconds(45));
    assert_eq!(delivered(&outputs)[0].0, 3);
    assert_eq!(world.available(2), [], "nothing waits for this one");
    world.run(start() + seconds(85));
    let outputs = world.available(1);
    assert_eq!(delivered(&outputs)[0].0, 4);
    assert_eq!(world.ack(1, 3), [], "an answer to the try before");
    assert_eq!(world.kept().len(), 1);
    world.ack(1, 4);
    assert_eq!(world.kept(), [""; 0]);
}

#[test]
fn memory_available_lets_what_waits_go() {
    let mut world = World::bound();
    world.submit(to_phone(1, &packet(1)));
    world.error(1, 1, Cause::MEMORY_EXCEEDED, None);
    let outputs = world.rp(1, &Message::Smma { mr: 200 });
    assert_eq!(
        outputs[0],
        Output::Rp {
            to: msisdn(1),
            bytes: vec![3, 200]
        }
    );
    assert_eq!(delivered(&outputs)[0].0, 2);
    assert_eq!(
        world.rp(1, &Message::Smma { mr: 201 }).len(),
        1,
        "what is under way is not sent twice"
    );
}

#[test]
fn a_message_ends_with_its_validity_and_its_sender_learns_it_if_he_asked() {
    for (asked, receipts) in [(0, 0), (1, 1), (2, 1), (3, 0)] {
        let mut world = World::bound();
        let message = ShortMessage {
            validity: "000000000500000R".into(),
            registered_delivery: asked,
            ..to_phone(1, &packet(1))
        };
        world.submit(message.clone());
        world.submit(ShortMessage {
            validity: String::new(),
            ..to_phone(1, &packet(2))
        });
        world.error(1, 1, Cause::MEMORY_EXCEEDED, None);
        let outputs = world.run(start() + seconds(301));
        let receipts_seen = to_esme(&outputs);
        assert_eq!(receipts_seen.len(), receipts, "registered_delivery {asked}");
        assert!(
            receipts_seen
                .iter()
                .all(|(_, _, receipt)| receipt.message_state() == Some(MessageState::EXPIRED))
        );
        let last = delivered(&outputs).pop().unwrap();
        assert_ne!(
            world
                .store
                .records
                .keys()
                .filter(|key| key.starts_with("msg/"))
                .count(),
            2
        );
        let outputs = world.available(1);
        assert_eq!(
            delivered(&outputs)[0].1.user_data.payload(),
            [2],
            "the other is still valid"
        );
        assert!(last.0 >= 2);
    }
}

#[test]
fn a_delivery_is_reported_to_who_asked() {
    for (asked, receipts) in [(0, 0), (1, 1), (2, 0), (3, 1)] {
        let mut world = World::bound();
        world.submit(ShortMessage {
            registered_delivery: asked,
            ..to_phone(1, &packet(1))
        });
        let outputs = world.ack(1, 1);
        assert_eq!(
            to_esme(&outputs).len(),
            receipts,
            "registered_delivery {asked}"
        );
        for (_, _, receipt) in to_esme(&outputs) {
            assert_eq!(receipt.message_state(), Some(MessageState::DELIVERED));
            assert_eq!(receipt.receipted_message_id().as_deref(), Some(ID[0]));
            assert!(String::from_utf8_lossy(&receipt.short_message).contains("dlvrd:001"));
        }
    }
}

#[test]
fn text_is_packed_for_the_phone() {
    let mut world = World::bound();
    let text = |coding, esm_class, octets: &[u8]| ShortMessage {
        data_coding: coding,
        esm_class,
        protocol_id: 0,
        ..to_phone(1, octets)
    };
    let mut phone = |message| {
        let outputs = world.submit(message);
        let (mr, deliver) = delivered(&outputs).remove(0);
        world.ack(1, mr);
        deliver
    };
    let deliver = phone(text(0, 0, b"hello"));
    assert_eq!(
        (deliver.pid, deliver.user_data.payload()),
        (Pid::DEFAULT, &octets("E8329BFD06")[..])
    );
    assert_eq!(deliver.text().as_deref(), Some("hello"));
    let deliver = phone(text(
        0,
        esm_class::UDHI,
        &[&[5, 0, 3, 1, 2, 1], &b"hello"[..]].concat(),
    ));
    assert_eq!(
        (deliver.text().as_deref(), deliver.user_data.udl()),
        (Some("hello"), 12)
    );
    let deliver = phone(text(3, 0, b"caf\xE9"));
    assert_eq!(
        (deliver.text().as_deref(), deliver.dcs.0),
        (Some("café"), 0)
    );
    let deliver = phone(text(2, 0, &[0xFF, 0]));
    assert_eq!(
        (deliver.dcs.0, deliver.user_data.payload()),
        (4, &[0xFF, 0][..])
    );
    let deliver = phone(text(8, esm_class::REPLY_PATH, &[0x04, 0x1F]));
    assert_eq!(
        (deliver.text().as_deref(), deliver.reply_path()),
        (Some("П"), true)
    );
    assert_eq!(phone(text(0, 0, &[b'a'; 160])).user_data.len(), 140);
    let named = ShortMessage {
        source: "midsim".into(),
        source_ton: 5,
        source_npi: 0,
        ..text(0, 0, b"x")
    };
    assert_eq!(phone(named).oa.text().as_deref(), Some("midsim"));
}

#[test]
fn one_phone_writes_to_another_and_to_itself() {
    let mut world = World::bound();
    for to in [2, 1] {
        let submit = Submit::from_card(Address::international(&msisdn(to)), b"hi").unwrap();
        let message = Message::submit(5 + to, Address::international(&msisdn(99)), &submit);
        let outputs = world.rp(1, &message);
        assert_eq!(outputs.len(), 2);
        assert!(
            matches!(&outputs[0], Output::Rp { to: sender, bytes } if *sender == msisdn(1) && bytes[0] == 3)
        );
        let (mr, deliver) = delivered(&outputs).remove(0);
        assert_eq!(
            (deliver.oa.msisdn(), deliver.user_data.payload()),
            (Some(msisdn(1)), &b"hi"[..])
        );
        world.ack(to, mr);
        assert_eq!(world.kept(), [""; 0]);
    }
}
